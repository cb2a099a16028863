//! Walks the blocks of a picture file for its size, color, EXIF and ICC profile, without decoding any of it.
//!
//! Hostile files are the normal case: nothing is allocated on the word of a length field, every loop moves forward,
//! and whatever does not add up becomes a `problem`, never a panic.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, Cursor, Read, Seek, SeekFrom},
    path::Path,
};

use super::{
    boxes,
    ifd::{self, Tiff},
    psd, raw,
};
use crate::error::{Doing, Result};

/// Longest ICC profile that is read. Those of printing presses have 0.5 to 3 MB; moxcms takes up to 10.
pub(super) const MOST_ICC: u64 = 10 << 20;
/// Longest EXIF block that is read. JPEG cannot hold more than 64 KiB.
pub(super) const MOST_EXIF: u64 = 1 << 20;
/// Most chunks of a PNG that are looked at; writers split a large picture in pieces of 8 KiB.
const MOST_CHUNKS: u32 = 500_000;

/// The formats that are read here.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Format {
    Jpeg,
    Png,
    Tiff,
    Gif,
    Webp,
    Bmp,
    /// HEIC, AVIF.
    Heif,
    Jp2,
    Psd,
    /// A camera's raw file, of which its preview is read.
    Raw,
}

impl Format {
    pub(super) fn as_str(self) -> &'static str {
        match self {
            Format::Jpeg => "jpeg",
            Format::Png => "png",
            Format::Tiff => "tiff",
            Format::Gif => "gif",
            Format::Webp => "webp",
            Format::Bmp => "bmp",
            Format::Heif => "heif",
            Format::Jp2 => "jp2",
            Format::Psd => "psd",
            Format::Raw => "raw",
        }
    }

    fn of(head: &[u8]) -> Option<Self> {
        match head {
            [0xff, 0xd8, ..] => Some(Format::Jpeg),
            [0x89, b'P', b'N', b'G', b'\r', b'\n', 0x1a, b'\n', ..] => Some(Format::Png),
            [b'I', b'I', b'*' | b'+', 0, ..] | [b'M', b'M', 0, b'*' | b'+', ..] => Some(Format::Tiff),
            [b'G', b'I', b'F', b'8', b'7' | b'9', b'a', ..] => Some(Format::Gif),
            [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some(Format::Webp),
            [b'B', b'M', ..] => Some(Format::Bmp),
            [b'8', b'B', b'P', b'S', ..] => Some(Format::Psd),
            [_, _, _, _, b'f', b't', b'y', b'p', b'c', b'r', b'x', ..] => Some(Format::Raw),
            [_, _, _, _, b'f', b't', b'y', b'p', ..] => Some(Format::Heif),
            [0, 0, 0, 12, b'j', b'P', b' ', b' ', ..] | [0xff, 0x4f, 0xff, 0x51, ..] => Some(Format::Jp2),
            [b'F', b'U', b'J', b'I', b'F', b'I', b'L', b'M', ..] => Some(Format::Raw),
            [b'I', b'I', b'U', 0, ..] | [b'I', b'I', b'R', b'O' | b'S', ..] | [b'M', b'M', b'O', b'R', ..] => {
                Some(Format::Raw)
            }
            _ => None,
        }
    }
}

/// What a file's header says. As much of it as could be read, when there is a `problem`.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Header {
    pub(super) format: Option<Format>,
    pub(super) width: u32,
    pub(super) height: u32,
    pub(super) bit_depth: u8,
    /// `gray`, `rgb`, `cmyk`, `ycbcr`, `palette`; empty when unknown.
    pub(super) color: &'static str,
    pub(super) alpha: bool,
    pub(super) frames: u32,
    /// All delays of an animation together.
    pub(super) duration_ms: u64,
    /// 1 to 8; 0 when nothing is said.
    pub(super) orientation: u8,
    pub(super) icc: Option<Vec<u8>>,
    pub(super) tags: BTreeMap<String, String>,
    /// JPEG: whether an Adobe marker is there, which by convention means that CMYK is stored inverted.
    pub(super) adobe: bool,
    /// Whether brightness is coded by PQ or HLG.
    pub(super) high_range: bool,
    /// Of a raw file: where the JPEG begins that is read.
    pub(super) preview: Option<u64>,
    /// The media type, where it is known better than by the file's first bytes.
    pub(super) mime: Option<&'static str>,
    pub(super) problem: Option<String>,
}

/// Why a walk ended.
pub(super) enum Trouble {
    /// The file could not be read.
    Io(io::Error),
    /// The bytes do not add up.
    Damaged(String),
}

impl From<io::Error> for Trouble {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => damaged("the file ends in the middle of its header"),
            // A seek to where no file can reach.
            io::ErrorKind::InvalidInput => damaged("the header points outside the file"),
            _ => Trouble::Io(error),
        }
    }
}

pub(super) fn damaged(why: impl Into<String>) -> Trouble {
    Trouble::Damaged(why.into())
}

pub(super) type Walk<T = ()> = std::result::Result<T, Trouble>;

/// Reads the header of a file. An error is one of I/O; damage is told by `problem`.
pub(super) fn read(input: &Path) -> Result<Header> {
    let doing = || format!("cannot read {}", input.display());
    let file = File::open(input).doing(doing)?;
    read_from(BufReader::new(file)).doing(doing)
}

/// The same from any seekable source.
pub(super) fn read_from<S: BufRead + Seek>(mut source: S) -> io::Result<Header> {
    let mut header = Header::default();
    match walk(&mut source, &mut header) {
        Ok(()) => {}
        Err(Trouble::Io(error)) => return Err(error),
        Err(Trouble::Damaged(why)) => header.problem = Some(why),
    }
    if header.problem.is_none() && (header.width == 0 || header.height == 0) {
        header.problem = Some(format!("the header says {} x {} pixels", header.width, header.height));
    }
    header.frames = header.frames.max(1);
    Ok(header)
}

fn walk<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    let mut head = Vec::new();
    source.by_ref().take(12).read_to_end(&mut head)?;
    if head.is_empty() {
        return Err(damaged("the file is empty"));
    }
    header.format = Format::of(&head);
    let Some(format) = header.format else { return Err(damaged("the file does not begin as a known picture format")) };
    source.seek(SeekFrom::Start(0))?;
    match format {
        Format::Jpeg => jpeg(source, header),
        Format::Png => png(source, header),
        Format::Tiff => tiff(source, &head, header),
        Format::Raw if head.starts_with(b"FUJI") => raw::raf(source, header),
        Format::Raw if head[4..].starts_with(b"ftyp") => raw::cr3(source, header),
        Format::Raw => tiff(source, &head, header),
        Format::Heif => boxes::heif(source, header),
        Format::Jp2 => boxes::jp2(source, header),
        Format::Psd => psd::header(source, header).map(drop),
        Format::Gif => gif(source, header),
        Format::Webp => webp(source, header),
        Format::Bmp => bmp(source, header),
    }
}

/// ISO/IEC 10918-1, annex B.
pub(super) fn jpeg<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    skip(source, 2)?;
    header.color = "ycbcr";
    let mut icc = BTreeMap::new();
    let mut transform = None;
    let mut components = Vec::new();
    loop {
        let marker = next_marker(source)?;
        match marker {
            // Standalone markers have no length.
            0x01 | 0xd0..=0xd8 => continue,
            0xd9 => break,
            _ => {}
        }
        let length = u64::from(u16::from_be_bytes(exact(source)?));
        let Some(length) = length.checked_sub(2) else { return Err(damaged("a JPEG segment is shorter than itself")) };
        match marker {
            0xda => break,
            0xc0..=0xcf if !matches!(marker, 0xc4 | 0xc8 | 0xcc) => {
                let frame = bytes(source, length)?;
                let [depth, h1, h0, w1, w0, count, rest @ ..] = frame.as_slice() else {
                    return Err(damaged("the JPEG frame header is too short"));
                };
                header.bit_depth = *depth;
                header.height = u32::from(u16::from_be_bytes([*h1, *h0]));
                header.width = u32::from(u16::from_be_bytes([*w1, *w0]));
                components = rest.chunks_exact(3).take(usize::from(*count)).map(|c| c[0]).collect();
            }
            0xe1 | 0xe2 | 0xee => {
                let segment = bytes(source, length)?;
                match (marker, segment.as_slice()) {
                    (0xe1, [b'E', b'x', b'i', b'f', 0, _, block @ ..]) if header.orientation == 0 => {
                        exif(block, header);
                    }
                    (0xe2, [b'I', b'C', b'C', b'_', b'P', b'R', b'O', b'F', b'I', b'L', b'E', 0, n, _, piece @ ..]) => {
                        icc.entry(*n).or_insert_with(|| piece.to_vec());
                    }
                    (0xee, [b'A', b'd', b'o', b'b', b'e', _, _, _, _, _, _, kind, ..]) => {
                        header.adobe = true;
                        transform = Some(*kind);
                    }
                    _ => {}
                }
            }
            _ => skip(source, length)?,
        }
    }
    let icc: Vec<u8> = icc.into_values().flatten().collect();
    header.icc = Some(icc).filter(|i| !i.is_empty());
    // As libjpeg guesses (jdapimin.c, default_decompress_parms).
    header.color = match components.as_slice() {
        [] => return Err(damaged("the JPEG has no picture in it")),
        [_] | [_, _] => "gray",
        [b'R', b'G', b'B'] if transform.is_none() => "rgb",
        [_, _, _] if transform == Some(0) => "rgb",
        [_, _, _] => "ycbcr",
        _ => "cmyk",
    };
    Ok(())
}

/// Finds the next marker. libjpeg skips garbage between segments, and so do we, but not for long.
fn next_marker<S: BufRead + Seek>(source: &mut S) -> Walk<u8> {
    for _ in 0..65_536 {
        let [mut byte] = exact(source)?;
        if byte != 0xff {
            continue;
        }
        while byte == 0xff {
            [byte] = exact(source)?;
        }
        if byte != 0 {
            return Ok(byte);
        }
    }
    Err(damaged("there is garbage where a JPEG segment should be"))
}

/// PNG, third edition, section 5 and 11.
fn png<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    skip(source, 8)?;
    let mut profile = false;
    for index in 0..MOST_CHUNKS {
        let head: [u8; 8] = match exact(source) {
            // Cut behind the header: the size is known all the same, and decoding will tell.
            Err(Trouble::Damaged(_)) if header.width > 0 => break,
            other => other?,
        };
        let length = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        let name = &head[4..];
        if (index == 0) != (name == b"IHDR") {
            return Err(damaged("the PNG does not begin with its header"));
        }
        match name {
            b"IHDR" if length >= 13 => {
                let h = bytes(source, 13)?;
                skip(source, length - 13)?;
                header.width = u32::from_be_bytes([h[0], h[1], h[2], h[3]]);
                header.height = u32::from_be_bytes([h[4], h[5], h[6], h[7]]);
                header.bit_depth = h[8];
                (header.color, header.alpha) = match h[9] {
                    0 => ("gray", false),
                    2 => ("rgb", false),
                    3 => ("palette", false),
                    4 => ("gray", true),
                    6 => ("rgb", true),
                    other => return Err(damaged(format!("the PNG's color type is {other}"))),
                };
            }
            b"eXIf" if length <= MOST_EXIF => {
                let block = bytes(source, length)?;
                exif(&block, header);
            }
            b"IEND" => break,
            _ => {
                header.alpha |= name == b"tRNS";
                profile |= name == b"iCCP" && length <= MOST_ICC;
                skip(source, length)?;
            }
        }
        skip(source, 4)?;
    }
    if profile {
        header.icc = png_icc(source)?;
    }
    Ok(())
}

/// The profile is deflated; the PNG decoder unpacks it within a limit.
fn png_icc<S: BufRead + Seek>(source: &mut S) -> Walk<Option<Vec<u8>>> {
    use image::ImageDecoder;
    source.seek(SeekFrom::Start(0))?;
    let mut limits = image::Limits::no_limits();
    limits.max_alloc = Some(4 * MOST_ICC);
    let decoder = image::codecs::png::PngDecoder::with_limits(source, limits);
    Ok(decoder.ok().and_then(|mut d| d.icc_profile().ok().flatten()).filter(|i| i.len() as u64 <= MOST_ICC))
}

/// TIFF 6.0, the first page alone; and the raw files that are like it.
fn tiff<S: BufRead + Seek>(source: &mut S, begins: &[u8], header: &mut Header) -> Walk {
    let mut tiff = Tiff::open(&mut *source)?;
    let page = tiff.first()?;
    let found = raw::look(&mut tiff, begins)?;
    let side = |n: Option<u64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    header.width = side(tiff.number(&page, ifd::WIDTH)?);
    header.height = side(tiff.number(&page, ifd::HEIGHT)?);
    header.bit_depth = tiff.number(&page, ifd::BITS)?.unwrap_or(1).min(255) as u8;
    header.color = match tiff.number(&page, ifd::PHOTOMETRIC)? {
        Some(0 | 1) | None => "gray",
        Some(2) => "rgb",
        Some(3) => "palette",
        Some(5) => "cmyk",
        Some(6) => "ycbcr",
        Some(8..=10) => "lab",
        Some(_) => "",
    };
    header.alpha = matches!(tiff.number(&page, ifd::EXTRA_SAMPLES)?, Some(1 | 2))
        || (header.color == "rgb" && tiff.number(&page, ifd::SAMPLES)? == Some(4));
    header.icc = tiff.bytes(&page, ifd::ICC, MOST_ICC)?;
    described(&mut tiff, &page, header)?;
    header.mime = found.mime;
    if header.mime.is_some() {
        header.format = Some(Format::Raw);
        raw::choose(source, &found, header)?;
    }
    Ok(())
}

/// EXIF in another container. Damage in it is no damage of the picture, so it is passed over.
pub(super) fn exif(block: &[u8], header: &mut Header) {
    // Some WebP writers keep JPEG's prefix.
    let block = block.strip_prefix(b"Exif\0\0").unwrap_or(block);
    let Ok(mut tiff) = Tiff::open(Cursor::new(block)) else { return };
    let Ok(first) = tiff.first() else { return };
    let _ = described(&mut tiff, &first, header);
}

/// What EXIF (2.32, section 4.6.4 and 4.6.5) and baseline TIFF say of the picture.
fn described<S: Read + Seek>(tiff: &mut Tiff<S>, of: &ifd::Directory, header: &mut Header) -> Walk {
    if let Some(turn @ 1..=8) = tiff.number(of, ifd::ORIENTATION)? {
        header.orientation = turn as u8;
    }
    let told = [
        (ifd::MAKE, "make"),
        (ifd::MODEL, "model"),
        (ifd::ARTIST, "artist"),
        (ifd::COPYRIGHT, "copyright"),
        (ifd::DESCRIPTION, "image_description"),
        (ifd::DATE_TIME, "date_time"),
    ];
    for (tag, name) in told {
        if let Some(text) = tiff.text(of, tag)? {
            let text = if tag == ifd::DATE_TIME { iso_8601(&text, None) } else { Some(text) };
            text.and_then(|t| header.tags.insert(name.to_owned(), t));
        }
    }
    let Some(offset) = tiff.number(of, ifd::EXIF)? else { return Ok(()) };
    let Ok(exif) = tiff.directory(offset) else { return Ok(()) };
    if let Some(taken) = tiff.text(&exif, ifd::DATE_TIME_ORIGINAL)? {
        let offset = tiff.text(&exif, ifd::OFFSET_TIME_ORIGINAL)?;
        let taken = iso_8601(&taken, offset.as_deref());
        taken.and_then(|t| header.tags.insert("date_time_original".to_owned(), t));
    }
    Ok(())
}

/// EXIF's `2019:05:04 12:13:14` and `+02:00` as `2019-05-04T12:13:14+02:00`. Cameras whose clock was never set write
/// zeros or blanks: that is no date.
fn iso_8601(taken: &str, offset: Option<&str>) -> Option<String> {
    let like = |text: &str, pattern: &str| {
        text.len() == pattern.len()
            && text.bytes().zip(pattern.bytes()).all(|(t, p)| if p == b'0' { t.is_ascii_digit() } else { t == p })
    };
    if !(like(taken, "0000:00:00 00:00:00") || like(taken, "0000-00-00 00:00:00")) || taken.starts_with("0000") {
        return None;
    }
    let date = taken[..10].replace(':', "-");
    let offset = offset.filter(|o| like(o, "+00:00") || like(o, "-00:00") || *o == "Z").unwrap_or_default();
    Some(format!("{date}T{}{offset}", &taken[11..]))
}

/// GIF89a, sections 18 to 26.
fn gif<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    skip(source, 6)?;
    let screen: [u8; 7] = exact(source)?;
    header.width = u32::from(u16::from_le_bytes([screen[0], screen[1]]));
    header.height = u32::from(u16::from_le_bytes([screen[2], screen[3]]));
    header.color = "palette";
    header.bit_depth = 8;
    let table = |flags: u8| if flags & 0x80 == 0 { 0 } else { 3u64 << ((flags & 7) + 1) };
    skip(source, table(screen[4]))?;
    let mut delay = 0;
    loop {
        let mut introducer = [0];
        match source.read_exact(&mut introducer) {
            // Browsers show a GIF that lacks its trailer, and so do we.
            Err(e) if e.kind() == io::ErrorKind::UnexpectedEof && header.frames > 0 => break,
            other => other?,
        }
        match introducer[0] {
            0x21 => {
                let [label] = exact(source)?;
                if label == 0xf9 {
                    let control: [u8; 5] = exact(source)?;
                    header.alpha |= control[1] & 1 == 1;
                    delay = u64::from(u16::from_le_bytes([control[2], control[3]])) * 10;
                }
                sub_blocks(source)?;
            }
            0x2c => {
                let place: [u8; 9] = exact(source)?;
                skip(source, table(place[8]) + 1)?;
                sub_blocks(source)?;
                header.frames += 1;
                header.duration_ms += u64::from(super::animation::shown_ms(delay as u32));
                delay = 0;
            }
            0x3b => break,
            0 => {}
            other => return Err(damaged(format!("the GIF has a block of unknown kind {other:#04x}"))),
        }
    }
    if header.frames == 0 {
        return Err(damaged("the GIF has no picture in it"));
    }
    Ok(())
}

fn sub_blocks<S: BufRead + Seek>(source: &mut S) -> Walk {
    loop {
        let [length] = exact(source)?;
        if length == 0 {
            return Ok(());
        }
        // Read, not sought over: a seek behind the end would succeed and hide a cut file.
        let got = io::copy(&mut source.by_ref().take(u64::from(length)), &mut io::sink())?;
        if got < u64::from(length) {
            return Err(damaged("the file ends in the middle of a frame"));
        }
    }
}

/// RFC 9649.
fn webp<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    let head: [u8; 12] = exact(source)?;
    let claimed = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]])) + 8;
    header.bit_depth = 8;
    header.color = "rgb";
    let mut at = 12;
    let mut still = 0;
    while at + 8 <= claimed {
        let head: [u8; 8] = match exact(source) {
            Err(Trouble::Damaged(_)) if header.width > 0 => return Err(damaged("the file is cut off")),
            other => other?,
        };
        let length = u64::from(u32::from_le_bytes([head[4], head[5], head[6], head[7]]));
        let padded = length + (length & 1);
        at += 8 + padded;
        let mut used = 0;
        match &head[..4] {
            b"VP8X" => {
                let x: [u8; 10] = exact(source)?;
                used = 10;
                header.alpha = x[0] & 0x10 != 0;
                header.width = u32::from_le_bytes([x[4], x[5], x[6], 0]) + 1;
                header.height = u32::from_le_bytes([x[7], x[8], x[9], 0]) + 1;
            }
            b"VP8 " => {
                let key: [u8; 10] = exact(source)?;
                used = 10;
                still += 1;
                if key[3..6] != [0x9d, 0x01, 0x2a] {
                    return Err(damaged("the WebP's VP8 frame has no start code"));
                }
                header.color = "ycbcr";
                if header.width == 0 {
                    header.width = u32::from(u16::from_le_bytes([key[6], key[7]]) & 0x3fff);
                    header.height = u32::from(u16::from_le_bytes([key[8], key[9]]) & 0x3fff);
                }
            }
            b"VP8L" => {
                let key: [u8; 5] = exact(source)?;
                used = 5;
                still += 1;
                let bits = u32::from_le_bytes([key[1], key[2], key[3], key[4]]);
                if key[0] != 0x2f {
                    return Err(damaged("the WebP's VP8L frame has no signature"));
                }
                if header.width == 0 {
                    header.width = (bits & 0x3fff) + 1;
                    header.height = (bits >> 14 & 0x3fff) + 1;
                    header.alpha = bits >> 28 & 1 == 1;
                }
            }
            b"ALPH" => header.alpha = true,
            b"ANMF" => {
                let frame: [u8; 16] = exact(source)?;
                used = 16;
                header.frames = header.frames.saturating_add(1);
                let delay = u32::from_le_bytes([frame[12], frame[13], frame[14], 0]);
                header.duration_ms += u64::from(super::animation::shown_ms(delay));
            }
            b"ICCP" if length <= MOST_ICC => {
                header.icc = Some(bytes(source, length)?);
                used = length;
            }
            b"EXIF" if length <= MOST_EXIF => {
                let block = bytes(source, length)?;
                used = length;
                exif(&block, header);
            }
            _ => {}
        }
        let Some(rest) = padded.checked_sub(used) else { return Err(damaged("a WebP chunk is shorter than itself")) };
        skip(source, rest)?;
    }
    if still == 0 && header.frames == 0 {
        return Err(damaged("the WebP has no picture in it"));
    }
    // The last chunk was sought over; see whether it is there.
    let length = source.seek(SeekFrom::End(0))?;
    if length < claimed {
        return Err(damaged("the file is cut off"));
    }
    Ok(())
}

/// The Windows bitmap headers of 12, 40 and more bytes.
fn bmp<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    skip(source, 14)?;
    let size = u32::from_le_bytes(exact(source)?);
    let bits;
    if size == 12 {
        let core: [u8; 8] = exact(source)?;
        header.width = u32::from(u16::from_le_bytes([core[0], core[1]]));
        header.height = u32::from(u16::from_le_bytes([core[2], core[3]]));
        bits = u16::from_le_bytes([core[6], core[7]]);
    } else if (40..=1024).contains(&size) {
        let info = bytes(source, u64::from(size) - 4)?;
        let long = |i: usize| i32::from_le_bytes([info[i], info[i + 1], info[i + 2], info[i + 3]]);
        header.width = long(0).max(0) as u32;
        // Negative: rows run from top to bottom.
        header.height = long(4).unsigned_abs();
        bits = u16::from_le_bytes([info[10], info[11]]);
        header.alpha = bits == 32 && info.len() >= 52 && long(48) != 0;
    } else {
        return Err(damaged(format!("the bitmap's header claims {size} bytes")));
    }
    header.bit_depth = 8;
    header.color = if bits <= 8 { "palette" } else { "rgb" };
    Ok(())
}

pub(super) fn exact<const N: usize>(source: &mut impl Read) -> Walk<[u8; N]> {
    let mut bytes = [0; N];
    source.read_exact(&mut bytes)?;
    Ok(bytes)
}

/// Exactly so many bytes. What the file does not hold is not allocated.
pub(super) fn bytes(source: &mut impl Read, length: u64) -> Walk<Vec<u8>> {
    let mut bytes = Vec::new();
    source.by_ref().take(length).read_to_end(&mut bytes)?;
    if bytes.len() as u64 == length { Ok(bytes) } else { Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()) }
}

pub(super) fn skip<S: Seek>(source: &mut S, length: u64) -> Walk {
    // Lengths come from 32-bit fields, so this never wraps.
    source.seek_relative(length as i64)?;
    Ok(())
}
