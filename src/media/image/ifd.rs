//! Reads TIFF directories, which are also what EXIF is made of (TIFF 6.0, section 2; BigTIFF; EXIF 2.32, section 4.6).
//!
//! Every count and offset in a file may be a lie: entries are capped, and a value is only read up to the length that
//! its caller asked for.

use std::io::{Read, Seek, SeekFrom};

use super::header::{Trouble, damaged};

pub(super) const WIDTH: u16 = 256;
pub(super) const HEIGHT: u16 = 257;
pub(super) const BITS: u16 = 258;
pub(super) const PHOTOMETRIC: u16 = 262;
pub(super) const DESCRIPTION: u16 = 270;
pub(super) const MAKE: u16 = 271;
pub(super) const MODEL: u16 = 272;
pub(super) const ORIENTATION: u16 = 274;
pub(super) const SAMPLES: u16 = 277;
pub(super) const DATE_TIME: u16 = 306;
pub(super) const ARTIST: u16 = 315;
pub(super) const COLOR_MAP: u16 = 320;
pub(super) const EXTRA_SAMPLES: u16 = 338;
pub(super) const COPYRIGHT: u16 = 33432;
pub(super) const EXIF: u16 = 34665;
pub(super) const ICC: u16 = 34675;
pub(super) const DATE_TIME_ORIGINAL: u16 = 36867;
pub(super) const OFFSET_TIME_ORIGINAL: u16 = 36881;

/// Real directories have some dozens of entries.
const MOST_ENTRIES: u64 = 2048;

/// A TIFF structure in a seekable source, which starts at the source's offset 0.
pub(super) struct Tiff<S> {
    source: S,
    little: bool,
    /// Whether offsets have 64 bits (magic number 43).
    big: bool,
    first: u64,
}

/// One directory.
pub(super) struct Directory(Vec<Entry>);

/// One field of a directory.
#[derive(Clone, Copy)]
struct Entry {
    tag: u16,
    kind: u16,
    count: u64,
    /// Where in the source the value stands.
    at: u64,
}

impl Entry {
    /// Bytes of one element, by field type.
    fn size(self) -> u64 {
        match self.kind {
            1 | 2 | 6 | 7 => 1,
            3 | 8 => 2,
            4 | 9 | 11 | 13 => 4,
            5 | 10 | 12 | 16 | 17 | 18 => 8,
            _ => 0,
        }
    }
}

impl<S: Read + Seek> Tiff<S> {
    /// Reads the eight (BigTIFF: sixteen) bytes of the header.
    pub(super) fn open(mut source: S) -> Result<Self, Trouble> {
        source.seek(SeekFrom::Start(0))?;
        let mut head = [0; 4];
        source.read_exact(&mut head)?;
        let (little, big) = match &head {
            b"II*\0" => (true, false),
            b"MM\0*" => (false, false),
            // Cameras' own: Panasonic's, Olympus's.
            b"IIU\0" | b"IIRO" | b"IIRS" => (true, false),
            b"MMOR" => (false, false),
            b"II+\0" => (true, true),
            b"MM\0+" => (false, true),
            _ => return Err(damaged("it does not begin as TIFF does")),
        };
        let mut tiff = Self { source, little, big, first: 0 };
        if big {
            tiff.unsigned(4)?;
            tiff.first = tiff.unsigned(8)?;
        } else {
            tiff.first = tiff.unsigned(4)?;
        }
        Ok(tiff)
    }

    /// Whether numbers have their low byte first.
    pub(super) fn is_little(&self) -> bool {
        self.little
    }

    /// The first directory: a TIFF's first page, an EXIF block's IFD0.
    pub(super) fn first(&mut self) -> Result<Directory, Trouble> {
        self.directory(self.first)
    }

    /// Where the first directory stands.
    pub(super) fn first_at(&self) -> u64 {
        self.first
    }

    /// The directory at an offset.
    pub(super) fn directory(&mut self, offset: u64) -> Result<Directory, Trouble> {
        Ok(self.entries(offset)?.0)
    }

    /// The same, and where the one after it stands; 0 is nowhere.
    pub(super) fn directory_and_next(&mut self, offset: u64) -> Result<(Directory, u64), Trouble> {
        let (directory, end) = self.entries(offset)?;
        self.source.seek(SeekFrom::Start(end))?;
        let next = self.unsigned(if self.big { 8 } else { 4 }).unwrap_or_default();
        Ok((directory, next))
    }

    fn entries(&mut self, offset: u64) -> Result<(Directory, u64), Trouble> {
        self.source.seek(SeekFrom::Start(offset))?;
        let count = self.unsigned(if self.big { 8 } else { 2 })?;
        if count > MOST_ENTRIES {
            return Err(damaged(format!("a directory claims {count} entries")));
        }
        let (counter, inline) = if self.big { (8, 8) } else { (4, 4) };
        let mut entries = Vec::new();
        let mut place = offset.saturating_add(if self.big { 8 } else { 2 });
        for _ in 0..count {
            let tag = self.unsigned(2)? as u16;
            let kind = self.unsigned(2)? as u16;
            let count = self.unsigned(counter)?;
            let value = self.unsigned(inline)?;
            let mut entry = Entry { tag, kind, count, at: value };
            if entry.size().saturating_mul(count) <= inline as u64 {
                entry.at = place + 4 + counter as u64;
            }
            place += 4 + counter as u64 + inline as u64;
            entries.push(entry);
        }
        Ok((Directory(entries), place))
    }

    /// Up to `most` unsigned numbers of a field of BYTE, SHORT, LONG or LONG8; empty when it is missing or of another
    /// type.
    pub(super) fn numbers(&mut self, of: &Directory, tag: u16, most: u64) -> Result<Vec<u64>, Trouble> {
        let Some(entry) = of.find(tag).filter(|e| matches!(e.kind, 1 | 3 | 4 | 13 | 16)) else { return Ok(Vec::new()) };
        self.source.seek(SeekFrom::Start(entry.at))?;
        (0..entry.count.min(most)).map(|_| self.unsigned(entry.size() as usize)).collect()
    }

    /// The first number of a field.
    pub(super) fn number(&mut self, of: &Directory, tag: u16) -> Result<Option<u64>, Trouble> {
        Ok(self.numbers(of, tag, 1)?.first().copied())
    }

    /// The bytes of a field, none when there are more than `most`.
    pub(super) fn bytes(&mut self, of: &Directory, tag: u16, most: u64) -> Result<Option<Vec<u8>>, Trouble> {
        let Some(entry) = of.find(tag) else { return Ok(None) };
        let length = entry.size().saturating_mul(entry.count);
        if length == 0 || length > most {
            return Ok(None);
        }
        self.source.seek(SeekFrom::Start(entry.at))?;
        let mut bytes = Vec::new();
        self.source.by_ref().take(length).read_to_end(&mut bytes)?;
        Ok(Some(bytes).filter(|b| b.len() as u64 == length))
    }

    /// An ASCII field as text: up to its first NUL, at most 4 KiB, trimmed; none when that leaves nothing.
    pub(super) fn text(&mut self, of: &Directory, tag: u16) -> Result<Option<String>, Trouble> {
        let Some(bytes) = self.bytes(of, tag, 4096)? else { return Ok(None) };
        let end = bytes.iter().position(|&b| b == 0).unwrap_or(bytes.len());
        // EXIF says ASCII; cameras and editors write UTF-8 as well.
        let text = String::from_utf8_lossy(&bytes[..end]);
        let text: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        let text = text.trim();
        Ok((!text.is_empty()).then(|| text.to_owned()))
    }

    fn unsigned(&mut self, size: usize) -> Result<u64, Trouble> {
        let mut bytes = [0; 8];
        let slot = &mut bytes[..size.min(8)];
        self.source.read_exact(slot)?;
        let fold = |number: u64, byte: &u8| number << 8 | u64::from(*byte);
        Ok(if self.little { slot.iter().rev().fold(0, fold) } else { slot.iter().fold(0, fold) })
    }
}

impl Directory {
    fn find(&self, tag: u16) -> Option<Entry> {
        self.0.iter().find(|e| e.tag == tag).copied()
    }

    /// Where in the source a field's value stands.
    pub(super) fn place(&self, tag: u16) -> Option<u64> {
        self.find(tag).map(|e| e.at)
    }
}
