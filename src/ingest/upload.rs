//! The one read of a large file that goes to its store in parts: it feeds the file's digest, the parts' digests and the
//! upload, and keeps in the ledger how far all of them have come.

use std::{
    collections::HashSet,
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

/// How far the digest has come.
pub(super) struct Progress {
    /// Parts taken in.
    pub(super) hashed: u32,
    /// The state after them.
    pub(super) state: String,
}

/// What an earlier attempt left.
pub(super) struct Earlier {
    pub(super) progress: Progress,
    /// The parts that it has read, whatever became of them.
    pub(super) read: Vec<Part>,
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

/// Uploads `source`, of `size` bytes, from where an earlier attempt ended. None: it is not the file whose upload began, and
/// what went up of that is given up.
pub(super) fn upload(
    source: &mut File,
    size: u64,
    mut parts: Box<dyn Parts>,
    earlier: Option<Earlier>,
    world: &World<'_>,
) -> Result<Option<Copied>, Failed> {
    let part_bytes = parts.upload().part_bytes;
    let count = size.div_ceil(part_bytes) as u32;
    let accepted = |p: &&Part| !p.etag.is_empty();
    let read = earlier.iter().flat_map(|e| &e.read);
    let mut book = Book { accepted: read.filter(accepted).map(|p| p.number).collect(), world };
    let (mut hasher, mut hashed, mut head) = (Hasher::new(), 0, Vec::new());
    if let Some(earlier) = earlier {
        hasher = Hasher::resume(&earlier.progress.state).map_err(Failed::Writing)?;
        hashed = earlier.progress.hashed;
        if !send_again(source, size, &mut *parts, &earlier, world)? {
            parts.abandon().map_err(Failed::Writing)?;
            return Ok(None);
        }
        head = vec![0; FINGERPRINT.min(size as usize)];
        let n = read_at(source, 0, &mut head)?;
        head.truncate(n);
    }
    source.seek(SeekFrom::Start(u64::from(hashed) * part_bytes)).map_err(Failed::Reading)?;
    let mut bytes = (u64::from(hashed) * part_bytes).min(size);
    let mut tail = Tail::default();
    for number in hashed + 1..=count {
        let wanted = parts.upload().bytes_of_part(number, size) as usize;
        let part = read_part(source, wanted, world)?;
        bytes += part.len() as u64;
        // A file that has shrunk shows in the count of its bytes.
        let is_short = part.len() < wanted;
        if number == 1 {
            head = part[..part.len().min(FINGERPRINT)].to_vec();
        }
        tail.push(&part);
        let ((), digest) = rayon::join(|| hasher.update(&part), || Digest::of(&part));
        hashed = number;
        // Known before it is sent: a part that the store lists is then one whose bytes are known, and is not read again.
        let sent = Part { number, etag: String::new(), bytes: part.len() as u64, digest, crc64: None };
        book.keep(parts.upload(), Some(sent), hashed, &hasher)?;
        crate::crash::point("ingest.before-part");
        parts.put(number, digest, part).map_err(Failed::Writing)?;
        crate::crash::point("ingest.after-part");
        if is_short {
            break;
        }
    }
    let upload = parts.finish().map_err(Failed::Writing)?;
    book.keep(&upload, None, hashed, &hasher)?;
    let digest = hasher.finish();
    let fingerprint = match tail.is_whole(bytes) {
        true => tail.fingerprint(bytes, &head),
        false => look(source, bytes).map_err(Failed::Reading)?,
    };
    Ok(Some(Copied { digest, bytes, head, fingerprint: Some(fingerprint) }))
}

/// Reads and sends again what an earlier attempt has read and the store does not have. What is read is held against what
/// was read then: whether it still is the same. Where nothing is to be sent again, the last part tells.
fn send_again(
    source: &mut File,
    size: u64,
    parts: &mut dyn Parts,
    earlier: &Earlier,
    world: &World<'_>,
) -> Result<bool, Failed> {
    let part_bytes = parts.upload().part_bytes;
    let hashed = earlier.progress.hashed;
    let there: HashSet<u32> = parts.upload().parts.iter().map(|p| p.number).collect();
    let read = earlier.read.iter().filter(|p| p.number <= hashed);
    let (kept, missing): (Vec<&Part>, Vec<&Part>) = read.partition(|p| there.contains(&p.number));
    let again = if missing.is_empty() { String::new() } else { format!(", {} of them sent again", missing.len()) };
    (world.note)(&format!("going on after part {hashed} of an upload that was cut off{again}"));
    // Read by the earlier attempt.
    (world.skip)(kept.iter().map(|p| p.bytes).sum());
    if let (Some(last), true) = (kept.last(), missing.is_empty()) {
        let mut sample = vec![0; last.bytes as usize];
        let n = read_at(source, u64::from(last.number - 1) * part_bytes, &mut sample)?;
        return Ok(n as u64 == last.bytes && Digest::of(&sample) == last.digest);
    }
    for part in missing {
        source.seek(SeekFrom::Start(u64::from(part.number - 1) * part_bytes)).map_err(Failed::Reading)?;
        let bytes = read_part(source, parts.upload().bytes_of_part(part.number, size) as usize, world)?;
        if Digest::of(&bytes) != part.digest {
            return Ok(false);
        }
        parts.put(part.number, part.digest, bytes).map_err(Failed::Writing)?;
    }
    Ok(true)
}

/// The ledger, as far as it is written.
struct Book<'a> {
    /// Parts that it says are accepted.
    accepted: HashSet<u32>,
    world: &'a World<'a>,
}

impl Book<'_> {
    /// Keeps what the store has accepted since the last time, what is sent next, and how far the digest has come.
    fn keep(&mut self, upload: &Upload, next: Option<Part>, hashed: u32, hasher: &Hasher) -> Result<(), Failed> {
        let new = upload.parts.iter().filter(|p| self.accepted.insert(p.number)).cloned();
        let new: Vec<Part> = new.chain(next).collect();
        (self.world.keep)(upload, &new, &Progress { hashed, state: hasher.state() }).map_err(Failed::Writing)
    }
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
