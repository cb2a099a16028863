//! When the pictures of a fragmented MP4 begin. GStreamer's muxer gives the first one the decode time 0, so that pictures which are
//! coded out of their order begin late by as much, and sound that lies beside them early. An edit list says where they
//! begin (ISO/IEC 14496-12, 8.6.6), as the muxer itself does in files with one index.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    path::Path,
};

use super::boxes::{damaged, u32_at};
use crate::error::{Doing, Result};

/// Headers are small: a fragment's has a few bytes for each sample.
const MOST_HEADER: u64 = 64 << 20;

/// Writes into a file when its pictures begin.
pub(crate) fn at_once(path: &Path) -> Result<()> {
    let doing = || format!("cannot change {}", path.display());
    let mut file = File::open(path).doing(doing)?;
    let end = file.metadata().doing(doing)?.len();
    let (mut at, mut index) = (0, None);
    while at + 8 <= end {
        let mut header = [0; 8];
        file.seek(SeekFrom::Start(at)).doing(doing)?;
        file.read_exact(&mut header).doing(doing)?;
        let size = u64::from(u32_at(&header, 0).unwrap_or(0));
        let is_header = matches!(&header[4..8], b"moov" | b"moof");
        if size < 8 || size > end - at || (is_header && size > MOST_HEADER) {
            return Err(damaged("its first boxes are not understood"));
        }
        if is_header {
            let mut bytes = vec![0; size as usize];
            file.seek(SeekFrom::Start(at)).doing(doing)?;
            file.read_exact(&mut bytes).doing(doing)?;
            match index.take() {
                None => index = Some((at, bytes)),
                // Its first picture is a keyframe, and the first to be shown.
                Some((place, moov)) => return begin(path, &file, place, &moov, &bytes),
            }
        }
        at += size;
    }
    Ok(())
}

/// Writes the file anew, with the list in its index.
fn begin(path: &Path, mut file: &File, place: u64, moov: &[u8], moof: &[u8]) -> Result<()> {
    let doing = || format!("cannot change {}", path.display());
    let Some((track, id)) = track_of_pictures(moov) else { return Ok(()) };
    let late = first_offset(moof, id).ok_or_else(|| damaged("its first fragment is not understood"))?;
    if late == 0 {
        return Ok(());
    }
    let list = [
        // Of one edit, which lasts to the end: from this moment of the media on, at its usual speed.
        &36_u32.to_be_bytes()[..],
        b"edts",
        &28_u32.to_be_bytes(),
        b"elst",
        &[0; 4],
        &1_u32.to_be_bytes(),
        &[0; 4],
        &late.to_be_bytes(),
        &0x1_0000_u32.to_be_bytes(),
    ]
    .concat();
    let header = first(moov, track.clone(), b"tkhd").ok_or_else(|| damaged("its track is not understood"))?;
    let mut longer = [&moov[..header.end], &list, &moov[header.end..]].concat();
    for start in [0, track.start - 8] {
        let size = u32_at(&longer, start).unwrap_or(0) + list.len() as u32;
        longer[start..start + 4].copy_from_slice(&size.to_be_bytes());
    }
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-begun");
    let beside = path.with_file_name(name);
    let mut to = File::create(&beside).doing(doing)?;
    file.rewind().doing(doing)?;
    std::io::copy(&mut file.take(place), &mut to).doing(doing)?;
    to.write_all(&longer).doing(doing)?;
    file.seek(SeekFrom::Start(place + moov.len() as u64)).doing(doing)?;
    std::io::copy(&mut file, &mut to).doing(doing)?;
    // The index at the end says where fragments were; players do without (8.8.9), as they do in streams.
    let mut last = [0; 16];
    file.seek(SeekFrom::End(-16)).doing(doing)?;
    file.read_exact(&mut last).doing(doing)?;
    if &last[4..8] == b"mfro" {
        let length = to.metadata().doing(doing)?.len();
        let index = u64::from(u32_at(&last, 12).unwrap_or(0)).min(length);
        to.set_len(length - index).doing(doing)?;
    }
    std::fs::rename(&beside, path).doing(doing)
}

/// The boxes in a part of `bytes`: their types and where their contents are.
fn inside(bytes: &[u8], part: Range<usize>) -> Vec<([u8; 4], Range<usize>)> {
    let (mut at, mut found) = (part.start, Vec::new());
    while let (true, Some(size)) = (at + 8 <= part.end, u32_at(bytes, at)) {
        let size = size as usize;
        let Ok(kind) = bytes[at + 4..at + 8].try_into() else { break };
        if size < 8 || size > part.end - at {
            break;
        }
        found.push((kind, at + 8..at + size));
        at += size;
    }
    found
}

fn first(bytes: &[u8], part: Range<usize>, wanted: &[u8; 4]) -> Option<Range<usize>> {
    inside(bytes, part).into_iter().find(|(kind, _)| kind == wanted).map(|(_, content)| content)
}

/// Where the track with pictures is, and its id.
fn track_of_pictures(moov: &[u8]) -> Option<(Range<usize>, u32)> {
    let tracks = inside(moov, 8..moov.len()).into_iter().filter(|(kind, _)| kind == b"trak");
    tracks.map(|(_, content)| content).find_map(|trak| {
        let hdlr = first(moov, first(moov, trak.clone(), b"mdia")?, b"hdlr")?;
        let tkhd = first(moov, trak.clone(), b"tkhd")?;
        let id = if moov.get(tkhd.start) == Some(&1) { 20 } else { 12 };
        let is_it = moov.get(hdlr.start + 8..hdlr.start + 12) == Some(b"vide");
        Some((trak, u32_at(moov, tkhd.start + id)?)).filter(|_| is_it)
    })
}

/// From the decode time of a track's first sample to its presentation time, in ticks of the media.
fn first_offset(moof: &[u8], track: u32) -> Option<u32> {
    for (_, traf) in inside(moof, 8..moof.len()).into_iter().filter(|(kind, _)| kind == b"traf") {
        if u32_at(moof, first(moof, traf.clone(), b"tfhd")?.start + 4)? != track {
            continue;
        }
        let trun = first(moof, traf, b"trun")?;
        let flags = u32_at(moof, trun.start)? & 0x00ff_ffff;
        if flags & 0x800 == 0 {
            return Some(0);
        }
        // After the number of samples: what the flags say.
        let before = [0x1, 0x4, 0x100, 0x200, 0x400].into_iter().filter(|flag| flags & flag != 0).count();
        return u32_at(moof, trun.start + 8 + 4 * before);
    }
    // Sound alone begins the file.
    Some(0)
}
