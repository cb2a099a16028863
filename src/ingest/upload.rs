//! The one read of a large file that goes to its store in parts: it feeds the file's digest, the parts' digests and the
//! upload, and keeps in the ledger how far all of them have come.

use std::{
    collections::VecDeque,
    fs::File,
    io::{Read, Seek, SeekFrom},
};

use super::copy::{Copied, Failed, Tail, look, read_full};
use crate::{
    digest::{Digest, FINGERPRINT, Hasher},
    error::Result,
    stop::Stop,
    store::{Part, Parts, Upload},
};

/// Bytes between two looks at whether to stop.
const BLOCK: usize = 1 << 20;

/// How far an earlier attempt's digest came.
pub(super) struct Progress {
    /// Parts taken in.
    pub(super) hashed: u32,
    /// The state after them.
    pub(super) state: String,
}

/// Keeps progress in the ledger: the upload as it stands, the parts that are new, the digest.
type Keep<'a> = &'a dyn Fn(&Upload, &[Part], &Progress) -> Result<()>;

/// What an upload does with the world.
pub(super) struct World<'a> {
    pub(super) stop: &'a Stop,
    /// Hears of bytes read.
    pub(super) tick: &'a dyn Fn(u64) -> Result<()>,
    /// Hears of bytes that an earlier attempt has read.
    pub(super) skip: &'a dyn Fn(u64),
    /// Keeps how far it has come.
    pub(super) keep: Keep<'a>,
    /// Says something worth knowing.
    pub(super) note: &'a dyn Fn(&str),
}

/// Uploads `source`, of `size` bytes, from where an earlier attempt ended.
pub(super) fn upload(
    source: &mut File,
    size: u64,
    mut parts: Box<dyn Parts>,
    earlier: Option<Progress>,
    world: &World<'_>,
) -> Result<Copied, Failed> {
    let part_bytes = parts.upload().part_bytes;
    let count = size.div_ceil(part_bytes) as u32;
    let (mut hasher, mut hashed, mut tail) = begin(source, &*parts, earlier, world)?;
    let mut head = Vec::new();
    if hashed > 0 {
        head = vec![0; FINGERPRINT.min(size as usize)];
        let n = read_at(source, 0, &mut head)?;
        head.truncate(n);
    }
    source.seek(SeekFrom::Start(u64::from(hashed) * part_bytes)).map_err(Failed::Reading)?;
    let mut bytes = (u64::from(hashed) * part_bytes).min(size);
    // Read by an earlier attempt.
    (world.skip)(bytes);
    let mut kept = parts.upload().parts.len();
    let mut states = VecDeque::new();
    let mut known: Vec<u32> = parts.upload().parts.iter().map(|p| p.number).collect();
    for number in hashed + 1..=count {
        let wanted = part_bytes.min(size - u64::from(number - 1) * part_bytes) as usize;
        let part = read_part(source, wanted, world)?;
        bytes += part.len() as u64;
        // A file that has shrunk shows in the count of its bytes.
        let is_short = part.len() < wanted;
        if number == 1 {
            head = part[..part.len().min(FINGERPRINT)].to_vec();
        }
        tail.push(&part);
        let ((), digest) = rayon::join(|| hasher.update(&part), || Digest::of(&part));
        parts.put(number, digest, part).map_err(Failed::Writing)?;
        states.push_back(Progress { hashed: number, state: hasher.state() });
        keep(&*parts, &mut states, &mut known, &mut kept, world)?;
        crate::crash::point("ingest.after-part");
        hashed = number;
        if is_short {
            break;
        }
    }
    let state = hasher.state();
    let digest = hasher.finish();
    let upload = parts.finish().map_err(Failed::Writing)?;
    let new: Vec<Part> = upload.parts.iter().filter(|p| !known.contains(&p.number)).cloned().collect();
    (world.keep)(&upload, &new, &Progress { hashed, state }).map_err(Failed::Writing)?;
    let fingerprint = match tail.is_whole(bytes) {
        true => tail.fingerprint(bytes, &head),
        false => look(source, bytes).map_err(Failed::Reading)?,
    };
    Ok(Copied { digest, bytes, head, fingerprint: Some(fingerprint) })
}

/// The digest as far as an earlier attempt brought it, if the store still has those parts and the file still holds the
/// bytes of the last of them.
fn begin(
    source: &mut File,
    parts: &dyn Parts,
    earlier: Option<Progress>,
    world: &World<'_>,
) -> Result<(Hasher, u32, Tail), Failed> {
    let anew = || (Hasher::new(), 0, Tail::default());
    let Some(earlier) = earlier.filter(|e| e.hashed > 0) else { return Ok(anew()) };
    let upload = parts.upload();
    if upload.unbroken() < earlier.hashed {
        (world.note)("the store has lost parts of an upload: the file is read from its beginning");
        return Ok(anew());
    }
    let last = &upload.parts[earlier.hashed as usize - 1];
    let mut sample = vec![0; last.bytes as usize];
    let n = read_at(source, u64::from(earlier.hashed - 1) * upload.part_bytes, &mut sample)?;
    if n as u64 != last.bytes || Digest::of(&sample) != last.digest {
        (world.note)("the file is not the one whose upload began: starting over");
        return Ok(anew());
    }
    let hasher = Hasher::resume(&earlier.state).map_err(Failed::Writing)?;
    let mut tail = Tail::default();
    tail.push(&sample);
    Ok((hasher, earlier.hashed, tail))
}

fn read_at(source: &mut File, at: u64, block: &mut [u8]) -> Result<usize, Failed> {
    source.seek(SeekFrom::Start(at)).map_err(Failed::Reading)?;
    read_full(source, block).map_err(Failed::Reading)
}

fn read_part(source: &mut File, wanted: usize, world: &World<'_>) -> Result<Vec<u8>, Failed> {
    let mut part = Vec::with_capacity(wanted);
    while part.len() < wanted {
        world.stop.check().map_err(Failed::Writing)?;
        let before = part.len();
        let room = (wanted - before).min(BLOCK) as u64;
        source.by_ref().take(room).read_to_end(&mut part).map_err(Failed::Reading)?;
        if part.len() == before {
            break;
        }
        (world.tick)((part.len() - before) as u64).map_err(Failed::Writing)?;
    }
    Ok(part)
}

/// Keeps what the store has accepted since the last time, and the digest as far as there is no gap.
fn keep(
    parts: &dyn Parts,
    states: &mut VecDeque<Progress>,
    known: &mut Vec<u32>,
    kept: &mut usize,
    world: &World<'_>,
) -> Result<(), Failed> {
    let upload = parts.upload();
    if upload.parts.len() == *kept {
        return Ok(());
    }
    *kept = upload.parts.len();
    let new: Vec<Part> = upload.parts.iter().filter(|p| !known.contains(&p.number)).cloned().collect();
    let unbroken = upload.unbroken();
    let mut reached = None;
    while states.front().is_some_and(|s| s.hashed <= unbroken) {
        reached = states.pop_front();
    }
    let Some(reached) = reached else { return Ok(()) };
    known.extend(new.iter().map(|p| p.number));
    (world.keep)(upload, &new, &reached).map_err(Failed::Writing)
}
