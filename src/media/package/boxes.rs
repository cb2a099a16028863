//! Fragmented MP4 as far as packaging needs it (ISO/IEC 14496-12): where its fragments lie, when they begin, how long they
//! last, and where their pictures are that stand by themselves.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use crate::error::{Doing, Error, Result};

/// Header boxes are small; a larger one is damage.
const MOST_HEADER: u64 = 64 << 20;

/// A track in a file of its own.
#[derive(Debug, Default, PartialEq)]
pub(super) struct Fragmented {
    /// What a player needs before any fragment: `ftyp` and `moov`.
    pub(super) init: Vec<u8>,
    /// RFC 6381's name of the codec.
    pub(super) codec: String,
    /// What a decoder needs before any sample: of H.264 the content of its `avcC`, of AAC its AudioSpecificConfig.
    pub(super) config: Vec<u8>,
    /// How long after time 0 its first sample is shown, in ticks, for pictures that are decoded ahead.
    pub(super) delay: u32,
    /// What fragments call the track.
    track: u32,
    /// Of samples that do not say them: duration, size, flags.
    defaults: (u32, u32, u32),
    /// Ticks a second.
    pub(super) timescale: u32,
    /// In the file's order.
    pub(super) fragments: Vec<Fragment>,
}

/// A `moof` and its `mdat`.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Fragment {
    /// Where it begins in the file.
    pub(super) at: u64,
    /// Its length.
    pub(super) bytes: u64,
    /// Decode time of its first sample, in ticks.
    pub(super) start: u64,
    /// Of all its samples, in ticks.
    pub(super) duration: u64,
    /// Bytes from its beginning to the end of its first sample.
    pub(super) first: u64,
    /// Whether its first sample can be decoded without those before.
    pub(super) is_key: bool,
}

/// A coded picture, or a frame of sound.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Sample {
    /// In ticks.
    pub(super) duration: u32,
    /// Its bytes.
    pub(super) size: u32,
    /// How long after its decoding it is shown, in ticks.
    pub(super) shown: u32,
    /// Whether it can be decoded without those before.
    pub(super) is_key: bool,
}

pub(super) fn damaged(what: &str) -> Error {
    Error::internal(format!("the file cannot be packaged: {what}"))
}

/// The content of a box: its type and where it lies in `of`.
fn children(of: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = of;
    std::iter::from_fn(move || {
        let (size, kind) = (u32_at(rest, 0)? as usize, rest.get(4..8)?.try_into().ok()?);
        let (header, size) = match size {
            0 => (8, rest.len()),
            1 => (16, usize::try_from(u64_at(rest, 8)?).ok()?),
            other => (8, other),
        };
        let content = rest.get(header..size)?;
        rest = &rest[size..];
        Some((kind, content))
    })
}

fn find<'a>(of: &'a [u8], path: &[&[u8; 4]]) -> Option<&'a [u8]> {
    let (first, rest) = path.split_first()?;
    let (_, content) = children(of).find(|(kind, _)| kind == *first)?;
    if rest.is_empty() { Some(content) } else { find(content, rest) }
}

pub(super) fn u32_at(bytes: &[u8], at: usize) -> Option<u32> {
    Some(u32::from_be_bytes(bytes.get(at..at + 4)?.try_into().ok()?))
}

fn u64_at(bytes: &[u8], at: usize) -> Option<u64> {
    Some(u64::from_be_bytes(bytes.get(at..at + 8)?.try_into().ok()?))
}

/// Reads a file of one track.
pub(super) fn read(path: &Path) -> Result<Fragmented> {
    let doing = || format!("cannot read {}", path.display());
    let mut file = File::open(path).doing(doing)?;
    let end = file.metadata().doing(doing)?.len();
    let mut found = Fragmented::default();
    let mut at = 0;
    let mut open: Option<(u64, Moof)> = None;
    while at + 8 <= end {
        let mut header = [0; 16];
        file.seek(SeekFrom::Start(at)).doing(doing)?;
        let known = (end - at).min(16) as usize;
        file.read_exact(&mut header[..known]).doing(doing)?;
        let size = match u32_at(&header, 0).unwrap_or(0) {
            0 => end - at,
            1 => u64_at(&header, 8).unwrap_or(0),
            other => u64::from(other),
        };
        if size < 8 || at + size > end {
            return Err(damaged("a box goes past its end"));
        }
        let mut whole = || -> Result<Vec<u8>> {
            if size > MOST_HEADER {
                return Err(damaged("a header is too large"));
            }
            let mut bytes = vec![0; size as usize];
            file.seek(SeekFrom::Start(at)).doing(doing)?;
            file.read_exact(&mut bytes).doing(doing)?;
            Ok(bytes)
        };
        match &header[4..8] {
            b"ftyp" => found.init.extend(whole()?),
            b"moov" => {
                let bytes = whole()?;
                let moov = &bytes[8..];
                (found.codec, found.config, found.timescale) =
                    describe(moov).ok_or_else(|| damaged("its track is not understood"))?;
                // Duration, size and flags of a sample that does not say them.
                let trex = find(moov, &[b"mvex", b"trex"]).ok_or_else(|| damaged("it has no fragments"))?;
                found.track = u32_at(trex, 4).unwrap_or(1);
                found.defaults = [12, 16, 20].map(|at| u32_at(trex, at).unwrap_or(0)).into();
                found.init.extend(bytes);
            }
            b"moof" => {
                let bytes = whole()?;
                let moof = moof(&bytes[8..], found.defaults).ok_or_else(|| damaged("a fragment is not understood"))?;
                if found.fragments.is_empty() && moof.delay() > 0 {
                    // GStreamer 1.22 does not say that pictures which are decoded ahead are not shown late.
                    shown_from(&mut found.init, moof.delay()).ok_or_else(|| damaged("its head is not understood"))?;
                    found.delay = moof.delay();
                }
                open = Some((at, moof));
            }
            b"mdat" => {
                if let Some((begins, moof)) = open.take() {
                    let first = moof.samples.first();
                    found.fragments.push(Fragment {
                        at: begins,
                        bytes: at + size - begins,
                        start: moof.start,
                        duration: moof.samples.iter().map(|s| u64::from(s.duration)).sum(),
                        first: at + 8 - begins + first.map_or(0, |s| u64::from(s.size)),
                        is_key: first.is_some_and(|s| s.is_key),
                    });
                }
            }
            // `sidx`, `mfra`, `styp`, `free`: an index of what lies elsewhere from now on.
            _ => {}
        }
        at += size;
    }
    match found.timescale == 0 || found.fragments.is_empty() {
        true => Err(damaged("nothing is in it")),
        false => Ok(found),
    }
}

impl Fragmented {
    /// The samples of a fragment, given whole, each with its bytes.
    pub(super) fn samples<'a>(&self, fragment: &'a [u8]) -> Option<Vec<(Sample, &'a [u8])>> {
        let header = u32_at(fragment, 0)? as usize;
        let moof = moof(fragment.get(8..header)?, self.defaults)?;
        let mut rest = fragment.get(header + 8..)?;
        let of = |sample: Sample| {
            let (bytes, after) = rest.split_at_checked(sample.size as usize)?;
            rest = after;
            Some((sample, bytes))
        };
        moof.samples.into_iter().map(of).collect()
    }
}

impl Fragmented {
    /// A fragment of these samples, all of which can be decoded without others, the first at this tick.
    pub(super) fn fragment(&self, number: u32, start: u64, samples: &[(Sample, Vec<u8>)]) -> Vec<u8> {
        let words = |words: &[u32]| words.iter().flat_map(|word| word.to_be_bytes()).collect::<Vec<u8>>();
        let boxed = |kind: &[u8; 4], content: Vec<u8>| {
            let size = u32::try_from(content.len() + 8).unwrap_or(u32::MAX);
            [&size.to_be_bytes()[..], kind, &content].concat()
        };
        let head = boxed(b"mfhd", words(&[0, number]));
        // Places count from the fragment's beginning; no sample depends on another.
        let track = boxed(b"tfhd", words(&[0x02_0020, self.track, 0x0200_0000]));
        let time = boxed(b"tfdt", [words(&[0x0100_0000]), start.to_be_bytes().to_vec()].concat());
        // Each with its duration and its size.
        let run = |at: u32| {
            let each = samples.iter().flat_map(|(s, _)| [s.duration, s.size]);
            boxed(b"trun", words(&[0x0301, samples.len() as u32, at].into_iter().chain(each).collect::<Vec<_>>()))
        };
        let whole = |at: u32| {
            let track = boxed(b"traf", [&track[..], &time, &run(at)].concat());
            boxed(b"moof", [&head[..], &track].concat())
        };
        let at = whole(0).len() as u32 + 8;
        let bytes = samples.iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect();
        [whole(at), boxed(b"mdat", bytes)].concat()
    }
}

/// The codec's name, what its decoder needs, and the ticks of a second.
fn describe(moov: &[u8]) -> Option<(String, Vec<u8>, u32)> {
    let media = find(moov, &[b"trak", b"mdia"])?;
    let mdhd = find(media, &[b"mdhd"])?;
    let timescale = u32_at(mdhd, if *mdhd.first()? == 1 { 20 } else { 12 })?;
    let entries = find(media, &[b"minf", b"stbl", b"stsd"])?.get(8..)?;
    let (kind, entry) = children(entries).next()?;
    let (codec, config) = match &kind {
        b"avc1" | b"avc3" => {
            // After the fixed part of a VisualSampleEntry.
            let avcc = find(entry.get(78..)?, &[b"avcC"])?;
            let name = String::from_utf8_lossy(&kind);
            (format!("{name}.{:02X}{:02X}{:02X}", avcc.get(1)?, avcc.get(2)?, avcc.get(3)?), avcc.to_vec())
        }
        // AAC-LC is all that is made here.
        b"mp4a" => {
            let esds = find(entry.get(28..)?, &[b"esds"])?;
            ("mp4a.40.2".to_owned(), audio_config(esds.get(4..)?)?)
        }
        _ => return None,
    };
    Some((codec, config, timescale))
}

/// What a decoder of sound needs, out of the descriptors around it (ISO/IEC 14496-1, 7.2.6).
fn audio_config(mut of: &[u8]) -> Option<Vec<u8>> {
    loop {
        let (tag, mut length) = (*of.first()?, 0);
        of = &of[1..];
        loop {
            let byte = *of.first()?;
            of = &of[1..];
            length = length << 7 | usize::from(byte & 0x7f);
            if byte & 0x80 == 0 {
                break;
            }
        }
        match tag {
            // Of the stream, then of its decoder: what they say themselves is passed over.
            3 => of = of.get(3..)?,
            4 => of = of.get(13..)?,
            5 => return Some(of.get(..length)?.to_vec()),
            _ => of = of.get(length..)?,
        }
    }
}

/// What a `moof` says of its samples.
struct Moof {
    start: u64,
    samples: Vec<Sample>,
}

impl Moof {
    /// How long after its decoding its first sample is shown.
    fn delay(&self) -> u32 {
        self.samples.first().map_or(0, |s| s.shown)
    }
}

/// The flag of a sample that depends on others.
const NO_SYNC: u32 = 0x1_0000;

fn moof(moof: &[u8], (default_duration, default_size, default_flags): (u32, u32, u32)) -> Option<Moof> {
    let traf = find(moof, &[b"traf"])?;
    let tfdt = find(traf, &[b"tfdt"])?;
    let start = if *tfdt.first()? == 1 { u64_at(tfdt, 4)? } else { u64::from(u32_at(tfdt, 4)?) };
    let tfhd = find(traf, &[b"tfhd"])?;
    let flags = u32_at(tfhd, 0)? & 0x00ff_ffff;
    // After the track's id, each only if its flag says so.
    let mut at = 8;
    let mut optional = |flag: u32, length: usize| -> Option<usize> {
        let here = at;
        (flags & flag != 0).then(|| {
            at += length;
            here
        })
    };
    optional(0x1, 8);
    optional(0x2, 4);
    let duration_at = optional(0x8, 4);
    let size_at = optional(0x10, 4);
    let flags_at = optional(0x20, 4);
    let usual_flags = flags_at.map_or(Some(default_flags), |at| u32_at(tfhd, at))?;
    let usual_duration = duration_at.map_or(Some(default_duration), |at| u32_at(tfhd, at))?;
    let usual_size = size_at.map_or(Some(default_size), |at| u32_at(tfhd, at))?;
    let mut found = Moof { start, samples: Vec::new() };
    for (_, trun) in children(traf).filter(|(kind, _)| kind == b"trun") {
        let (flags, count) = (u32_at(trun, 0)? & 0x00ff_ffff, u32_at(trun, 4)?);
        let first_flags_at = 8 + if flags & 0x1 != 0 { 4 } else { 0 };
        let mut at = first_flags_at + if flags & 0x4 != 0 { 4 } else { 0 };
        for _ in 0..count {
            let mut field = |flag: u32, usual: u32| -> Option<u32> {
                if flags & flag == 0 {
                    return Some(usual);
                }
                at += 4;
                u32_at(trun, at - 4)
            };
            let (duration, size) = (field(0x100, usual_duration)?, field(0x200, usual_size)?);
            let own_flags = field(0x400, usual_flags)?;
            let shown = field(0x800, 0)?;
            let is_first = found.samples.is_empty() && flags & 0x4 != 0;
            let flags = if is_first { u32_at(trun, first_flags_at)? } else { own_flags };
            found.samples.push(Sample { duration, size, shown, is_key: flags & NO_SYNC == 0 });
        }
    }
    Some(found)
}

/// Says in the head that the track is shown from this tick on, by an edit list (ISO/IEC 14496-12, 8.6.6; CMAF, 7.5.13).
fn shown_from(init: &mut Vec<u8>, tick: u32) -> Option<()> {
    let begins = |content: &[u8]| content.as_ptr() as usize - init.as_ptr() as usize;
    let moov = find(init, &[b"moov"])?;
    let trak = find(moov, &[b"trak"])?;
    if find(trak, &[b"edts"]).is_some() {
        return Some(());
    }
    let tkhd = find(trak, &[b"tkhd"])?;
    let after = begins(tkhd) + tkhd.len();
    let parents = [begins(moov) - 8, begins(trak) - 8];
    // One entry: however long, from this tick, at its own speed.
    let words = [36, u32::from_be_bytes(*b"edts"), 28, u32::from_be_bytes(*b"elst"), 0, 1, 0, tick, 1 << 16];
    let list: Vec<u8> = words.iter().flat_map(|word: &u32| word.to_be_bytes()).collect();
    for at in parents {
        let size = u32_at(init, at).filter(|size| *size > 1)? + list.len() as u32;
        init[at..at + 4].copy_from_slice(&size.to_be_bytes());
    }
    init.splice(after..after, list);
    Some(())
}
