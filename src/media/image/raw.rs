//! Camera raw files: not their sensor's data is read but the largest JPEG that the camera put beside it, which most cameras
//! make in full size. How it is to be turned is said by the raw file, or else by the JPEG's own EXIF.

use std::io::{BufRead, Seek, SeekFrom};

use super::{
    boxes::{self, Numbers},
    header::{self, Header, Trouble, Walk, bytes, damaged, exif},
    ifd::{self, Directory, Tiff},
};

/// Directories of one file; cameras write up to about ten.
const MOST_DIRECTORIES: usize = 32;
/// How much of a file is searched for a JPEG that no directory names.
const MOST_SEARCHED: u64 = 512 << 20;
/// Most places at which a JPEG seems to begin.
const MOST_BEGINNINGS: usize = 256;

const COMPRESSION: u16 = 259;
const STRIP_OFFSETS: u16 = 273;
const STRIP_LENGTHS: u16 = 279;
const SUB_DIRECTORIES: u16 = 330;
const JPEG_OFFSET: u16 = 513;
const JPEG_LENGTH: u16 = 514;
const JPEG_OF_PANASONIC: u16 = 46;
const DNG_VERSION: u16 = 50706;

/// Photometric interpretations of a sensor's data: a color filter array, and DNG's linear raw.
const SENSOR: [u64; 2] = [32803, 34892];

/// What the directories of a TIFF tell.
pub(super) struct Found {
    /// The media type, when it is a camera's raw file.
    pub(super) mime: Option<&'static str>,
    /// Where JPEGs may begin.
    places: Vec<u64>,
}

/// Looks through the directories of a TIFF for a sensor's data, and for JPEGs. `like_tiff` is how the file begins.
pub(super) fn look<S: BufRead + Seek>(tiff: &mut Tiff<S>, begins: &[u8]) -> Walk<Found> {
    let mut found = Found { mime: None, places: Vec::new() };
    let mut ahead = vec![tiff.first_at()];
    let mut seen: Vec<u64> = Vec::new();
    let (mut make, mut is_sensor, mut is_dng) = (String::new(), false, false);
    while let Some(at) = ahead.pop() {
        if at == 0 || seen.contains(&at) || seen.len() >= MOST_DIRECTORIES {
            continue;
        }
        seen.push(at);
        let Ok((directory, next)) = tiff.directory_and_next(at) else { continue };
        ahead.push(next);
        ahead.extend(tiff.numbers(&directory, SUB_DIRECTORIES, 16)?);
        if seen.len() == 1 {
            make = tiff.text(&directory, ifd::MAKE)?.unwrap_or_default().to_uppercase();
            is_dng = directory.place(DNG_VERSION).is_some();
        }
        let photometric = tiff.number(&directory, ifd::PHOTOMETRIC)?;
        is_sensor |= photometric.is_some_and(|p| SENSOR.contains(&p));
        found.places.extend(jpegs(tiff, &directory)?);
    }
    found.mime = match begins {
        [b'I', b'I', b'U', 0, ..] => Some("image/x-panasonic-rw2"),
        [_, _, b'R' | b'O', ..] => Some("image/x-olympus-orf"),
        [_, _, _, _, _, _, _, _, b'C', b'R', ..] => Some("image/x-canon-cr2"),
        _ if is_dng => Some("image/x-adobe-dng"),
        _ if !is_sensor => None,
        _ if make.starts_with("NIKON") => Some("image/x-nikon-nef"),
        _ if make.starts_with("SONY") => Some("image/x-sony-arw"),
        _ if make.starts_with("PENTAX") || make.starts_with("RICOH") => Some("image/x-pentax-pef"),
        _ => Some("image/x-dcraw"),
    };
    Ok(found)
}

/// Where the JPEGs of a directory begin.
fn jpegs<S: BufRead + Seek>(tiff: &mut Tiff<S>, directory: &Directory) -> Walk<Vec<u64>> {
    let mut places = Vec::new();
    if tiff.number(directory, JPEG_LENGTH)?.is_some_and(|l| l > 0) {
        places.extend(tiff.number(directory, JPEG_OFFSET)?);
    }
    // One strip of old or new JPEG is a whole file of it.
    if matches!(tiff.number(directory, COMPRESSION)?, Some(6 | 7 | 99))
        && tiff.numbers(directory, STRIP_LENGTHS, 2)?.len() == 1
    {
        places.extend(tiff.number(directory, STRIP_OFFSETS)?);
    }
    places.extend(directory.place(JPEG_OF_PANASONIC));
    Ok(places)
}

/// Takes the largest JPEG of those that begin at one of the places the directories named, or that a search finds.
pub(super) fn choose<S: BufRead + Seek>(source: &mut S, found: &Found, header: &mut Header) -> Walk {
    let mut places = found.places.clone();
    if largest(source, &places, header)?.is_none() {
        places = search(source)?;
        largest(source, &places, header)?;
    }
    Ok(())
}

/// Notes the largest picture that is a whole JPEG of 8 bits; raw data may be packed as JPEG, but of more bits.
fn largest<S: BufRead + Seek>(source: &mut S, places: &[u64], header: &mut Header) -> Walk<Option<u64>> {
    let mut best: Option<(u64, u64, Header)> = None;
    for &place in places {
        source.seek(SeekFrom::Start(place))?;
        let mut jpeg = Header::default();
        let begins = header::exact::<2>(source).is_ok_and(|b| b == [0xff, 0xd8]);
        source.seek(SeekFrom::Start(place))?;
        if !begins || header::jpeg(source, &mut jpeg).is_err() || jpeg.bit_depth != 8 {
            continue;
        }
        let pixels = u64::from(jpeg.width) * u64::from(jpeg.height);
        if best.as_ref().is_none_or(|(most, ..)| pixels > *most) {
            best = Some((pixels, place, jpeg));
        }
    }
    let Some((_, place, jpeg)) = best else { return Ok(None) };
    header.preview = Some(place);
    (header.width, header.height) = (jpeg.width, jpeg.height);
    (header.color, header.bit_depth, header.icc, header.adobe) = (jpeg.color, jpeg.bit_depth, jpeg.icc, jpeg.adobe);
    if header.orientation == 0 {
        header.orientation = jpeg.orientation;
    }
    for (name, value) in jpeg.tags {
        header.tags.entry(name).or_insert(value);
    }
    Ok(Some(place))
}

/// Every place at which a JPEG seems to begin.
fn search<S: BufRead + Seek>(source: &mut S) -> Walk<Vec<u64>> {
    source.seek(SeekFrom::Start(0))?;
    let (mut places, mut at, mut last) = (Vec::new(), 0u64, [0u8; 2]);
    loop {
        let block = source.fill_buf()?;
        if block.is_empty() || at > MOST_SEARCHED || places.len() >= MOST_BEGINNINGS {
            return Ok(places);
        }
        for (i, &byte) in block.iter().enumerate() {
            if last == [0xff, 0xd8] && byte == 0xff {
                places.push(at + i as u64 - 2);
            }
            last = [last[1], byte];
        }
        let length = block.len();
        at += length as u64;
        source.consume(length);
    }
}

/// Fujifilm's: a header of its own that says where the JPEG is, which has the EXIF.
pub(super) fn raf<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    header.mime = Some("image/x-fuji-raf");
    source.seek(SeekFrom::Start(84))?;
    let place = u64::from(u32::from_be_bytes(header::exact(source)?));
    choose(source, &Found { mime: None, places: vec![place] }, header)
}

/// Canon's CR3: a movie whose tracks are the pictures. EXIF is in boxes of Canon's own.
pub(super) fn cr3<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    header.mime = Some("image/x-canon-cr3");
    let Some(movie) = boxes::top(source, b"moov")? else { return Err(damaged("the CR3 file has no description")) };
    let mut places = Vec::new();
    for (name, content) in boxes::boxes(&movie) {
        match &name {
            b"uuid" => {
                for (_, block) in boxes::boxes(content.get(16..).unwrap_or_default()).filter(|(n, _)| n == b"CMT1") {
                    exif(block, header);
                }
            }
            b"trak" => places.extend(first_sample(content)),
            _ => {}
        }
    }
    choose(source, &Found { mime: None, places }, header)
}

/// Where the first sample of a track lies.
fn first_sample(track: &[u8]) -> Option<u64> {
    let table = [b"mdia", b"minf", b"stbl"].into_iter().try_fold(track, |content, name| boxes::find(content, name))?;
    let (offsets, size) = match boxes::find(table, b"co64") {
        Some(offsets) => (offsets, 8),
        None => (boxes::find(table, b"stco")?, 4),
    };
    Numbers(offsets.get(8..)?).take(size)
}

/// The bytes of the JPEG that was chosen. Where it ends it says itself, so it is read to the end of the file, within
/// reason.
pub(super) fn preview<S: BufRead + Seek>(source: &mut S, place: u64) -> Walk<Vec<u8>> {
    let length = source.seek(SeekFrom::End(0))?;
    source.seek(SeekFrom::Start(place))?;
    bytes(source, length.saturating_sub(place).min(256 << 20))
}

impl From<Trouble> for crate::error::Error {
    fn from(trouble: Trouble) -> Self {
        match trouble {
            Trouble::Io(e) => crate::error::io("cannot read the picture", e),
            Trouble::Damaged(why) => Self::corrupt(why),
        }
    }
}
