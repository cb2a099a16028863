//! The headers of files made of boxes (ISO/IEC 14496-12 §4.2): HEIF and AVIF, JPEG 2000; Canon's raw files use them too.
//!
//! What describes a picture is read as a whole, within a limit, and then looked at as a slice: no length in it can lead
//! anywhere else.

use std::io::{BufRead, Seek, SeekFrom};

use moxcms::{CicpColorPrimaries, CicpProfile, ColorProfile, MatrixCoefficients, TransferCharacteristics};

use super::header::{Header, MOST_EXIF, Trouble, Walk, bytes, damaged, exact, exif};

/// Longest description that is read: grids of thousands of tiles need 200 kB, profiles up to 10 MB.
const MOST_META: u64 = 16 << 20;
/// Most boxes of one level. A description has some dozens of properties.
const MOST_BOXES: usize = 20_000;

/// Boxes of a slice: name and content. What is cut off ends them.
pub(super) fn boxes(bytes: &[u8]) -> impl Iterator<Item = ([u8; 4], &[u8])> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        let (head, after) = rest.split_first_chunk::<8>()?;
        let name = [head[4], head[5], head[6], head[7]];
        let (length, body) = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
            0 => (after.len(), after),
            1 => {
                let (long, body) = after.split_first_chunk::<8>()?;
                (usize::try_from(u64::from_be_bytes(*long)).ok()?.checked_sub(16)?, body)
            }
            length => ((length as usize).checked_sub(8)?, after),
        };
        let content = body.get(..length)?;
        rest = &body[length..];
        Some((name, content))
    })
    .take(MOST_BOXES)
}

/// The first box of this name.
pub(super) fn find<'a>(bytes: &'a [u8], name: &[u8; 4]) -> Option<&'a [u8]> {
    boxes(bytes).find(|(n, _)| n == name).map(|(_, content)| content)
}

/// Reads the first box of a name on the file's own level.
pub(super) fn top<S: BufRead + Seek>(source: &mut S, name: &[u8; 4]) -> Walk<Option<Vec<u8>>> {
    source.seek(SeekFrom::Start(0))?;
    for _ in 0..MOST_BOXES {
        let head: [u8; 8] = match exact(source) {
            Err(Trouble::Damaged(_)) => return Ok(None),
            other => other?,
        };
        let length = match u32::from_be_bytes([head[0], head[1], head[2], head[3]]) {
            0 => return Ok(None),
            1 => u64::from_be_bytes(exact(source)?).checked_sub(16),
            length => u64::from(length).checked_sub(8),
        };
        let Some(length) = length else { return Err(damaged("a box is shorter than itself")) };
        if head[4..] == *name {
            return match length <= MOST_META {
                true => bytes(source, length).map(Some),
                false => Err(damaged(format!("the description claims {length} bytes"))),
            };
        }
        let Ok(length) = i64::try_from(length) else { return Err(damaged("a box claims more than a file can hold")) };
        source.seek_relative(length)?;
    }
    Err(damaged("the file has too many boxes"))
}

/// Numbers of a slice, one after the other, high byte first.
pub(super) struct Numbers<'a>(pub(super) &'a [u8]);

impl Numbers<'_> {
    pub(super) fn take(&mut self, size: usize) -> Option<u64> {
        let (now, rest) = self.0.split_at_checked(size)?;
        self.0 = rest;
        Some(now.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }
}

/// HEIF (ISO/IEC 23008-12) and AVIF: what is said of the primary picture. Its size is that after cropping and turning,
/// which is the decoder's business; so the orientation in EXIF, which only repeats it, is passed over (§6.5.10).
pub(super) fn heif<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    let Some(meta) = top(source, b"meta")? else {
        return Err(damaged("the file has no picture of its own, or is cut off before it is described"));
    };
    let meta = meta.get(4..).unwrap_or_default();
    let primary = find(meta, b"pitm").and_then(|pitm| {
        let mut numbers = Numbers(pitm);
        let version = numbers.take(4)? >> 24;
        numbers.take(if version == 0 { 2 } else { 4 })
    });
    let Some(primary) = primary else { return Err(damaged("the file does not say which picture is its main one")) };
    let properties = find(meta, b"iprp").unwrap_or_default();
    let all: Vec<_> = find(properties, b"ipco").map(|ipco| boxes(ipco).collect()).unwrap_or_default();
    let of = |item| -> Vec<([u8; 4], &[u8])> {
        let associated = boxes(properties).filter(|(name, _)| name == b"ipma").find_map(|(_, b)| associated(b, item));
        associated.unwrap_or_default().into_iter().filter_map(|i| all.get(i.checked_sub(1)?).copied()).collect()
    };
    header.color = "ycbcr";
    header.bit_depth = 8;
    let mut nclx = None;
    for (name, content) in of(primary) {
        let mut numbers = Numbers(content);
        match &name {
            b"ispe" => {
                numbers.take(4);
                let side = |n: Option<u64>| n.unwrap_or_default() as u32;
                (header.width, header.height) = (side(numbers.take(4)), side(numbers.take(4)));
            }
            b"clap" => {
                let mut side = || {
                    let (n, d) = (numbers.take(4)?, numbers.take(4)?);
                    u32::try_from((n + d / 2).checked_div(d)?).ok()
                };
                if let (Some(width), Some(height)) = (side(), side()) {
                    (header.width, header.height) = (width.min(header.width), height.min(header.height));
                }
            }
            b"irot" if content.first().is_some_and(|turn| turn & 1 == 1) => {
                (header.width, header.height) = (header.height, header.width);
            }
            b"pixi" => {
                numbers.take(4);
                let count = numbers.take(1);
                header.bit_depth = numbers.take(1).unwrap_or(8) as u8;
                if count == Some(1) {
                    header.color = "gray";
                }
            }
            b"hvcC" => header.bit_depth = content.get(17).map_or(8, |b| (b & 7) + 8),
            b"av1C" => {
                header.bit_depth = content.get(2).map_or(8, |b| match (b >> 6 & 1, b >> 5 & 1) {
                    (0, _) => 8,
                    (_, 0) => 10,
                    _ => 12,
                });
            }
            b"colr" if content.starts_with(b"nclx") => nclx = content.get(4..10),
            b"colr" if content.starts_with(b"prof") || content.starts_with(b"rICC") => {
                header.icc = Some(content[4..].to_vec());
            }
            _ => {}
        }
    }
    if let Some(&[_, primaries, _, transfer, _, matrix]) = nclx {
        if matrix == 0 {
            header.color = "rgb";
        }
        header.high_range = matches!(transfer, 16 | 18);
        if header.icc.is_none() {
            header.icc = coded(primaries, transfer);
        }
    }
    let references = find(meta, b"iref").unwrap_or_default();
    let wide = references.first() == Some(&1);
    for (name, content) in boxes(references.get(4..).unwrap_or_default()) {
        let size = if wide { 4 } else { 2 };
        let mut numbers = Numbers(content);
        let Some(from) = numbers.take(size) else { continue };
        let count = numbers.take(2).unwrap_or_default();
        if !(0..count).any(|_| numbers.take(size) == Some(primary)) {
            continue;
        }
        let is_alpha = |(name, content): &([u8; 4], &[u8])| {
            name == b"auxC" && content.windows(5).any(|w| w == b"alpha" || w == b"xid:1")
        };
        match &name {
            b"auxl" => header.alpha |= of(from).iter().any(is_alpha),
            b"cdsc" if item_type(meta, from) == Some(*b"Exif") => {
                if let Some(block) = item(source, meta, from)? {
                    let start = Numbers(&block).take(4).unwrap_or_default() as usize;
                    exif(block.get(4 + start..).unwrap_or_default(), header);
                    header.orientation = 0;
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// The properties (from 1) of an item, in order: `ItemPropertyAssociationBox`.
fn associated(ipma: &[u8], item: u64) -> Option<Vec<usize>> {
    let mut numbers = Numbers(ipma);
    let head = numbers.take(4)?;
    let (wide_item, wide_index) = (head >> 24 > 0, head & 1 == 1);
    for _ in 0..numbers.take(4)? {
        let id = numbers.take(if wide_item { 4 } else { 2 })?;
        let count = numbers.take(1)?;
        let mut index =
            || Some((numbers.take(if wide_index { 2 } else { 1 })? & if wide_index { 0x7fff } else { 0x7f }) as usize);
        let indices: Vec<usize> = (0..count).map_while(|_| index()).collect();
        if id == item {
            return Some(indices);
        }
    }
    None
}

/// What an item is: `ItemInfoEntry`, versions 2 and 3.
fn item_type(meta: &[u8], item: u64) -> Option<[u8; 4]> {
    let info = find(meta, b"iinf")?;
    let entries = info.get(if info.first()? == &0 { 6 } else { 8 }..)?;
    boxes(entries).filter(|(name, _)| name == b"infe").find_map(|(_, entry)| {
        let mut numbers = Numbers(entry);
        let version = numbers.take(4)? >> 24;
        let id = numbers.take(if version == 3 { 4 } else { 2 })?;
        numbers.take(2)?;
        let kind = numbers.0.get(..4)?.try_into().ok()?;
        (version >= 2 && id == item).then_some(kind)
    })
}

/// The bytes of a small item that lies in the file: `ItemLocationBox`.
fn item<S: BufRead + Seek>(source: &mut S, meta: &[u8], item: u64) -> Walk<Option<Vec<u8>>> {
    let place = || -> Option<(u64, u64, u64)> {
        let mut numbers = Numbers(find(meta, b"iloc")?);
        let version = numbers.take(4)? >> 24;
        let sizes = numbers.take(2)?;
        let size = |shift: u64| (sizes >> shift & 15) as usize;
        let (offset, length, base) = (size(12), size(8), size(4));
        let index = if version > 0 { size(0) } else { 0 };
        for _ in 0..numbers.take(if version < 2 { 2 } else { 4 })? {
            let id = numbers.take(if version < 2 { 2 } else { 4 })?;
            let method = if version > 0 { numbers.take(2)? & 15 } else { 0 };
            numbers.take(2)?;
            let start = numbers.take(base)?;
            let extents = numbers.take(2)?;
            let mut first = None;
            for _ in 0..extents {
                numbers.take(index)?;
                let extent = (start.checked_add(numbers.take(offset)?)?, numbers.take(length)?);
                first.get_or_insert(extent);
            }
            if id == item {
                return first.map(|(at, length)| (method, at, length));
            }
        }
        None
    };
    match place() {
        Some((0, at, length)) if length <= MOST_EXIF => {
            source.seek(SeekFrom::Start(at))?;
            // Metadata that is not there is no damage of the picture.
            Ok(bytes(source, length).ok())
        }
        Some((1, at, length)) if length <= MOST_EXIF => {
            let data = find(meta, b"idat").unwrap_or_default();
            let range = usize::try_from(at).ok().zip(usize::try_from(at.saturating_add(length)).ok());
            Ok(range.and_then(|(from, to)| data.get(from..to)).map(<[u8]>::to_vec))
        }
        _ => Ok(None),
    }
}

/// An ICC profile of colors that are said by number (ITU-T H.273), where they are others than sRGB's.
fn coded(primaries: u8, transfer: u8) -> Option<Vec<u8>> {
    if matches!(primaries, 1 | 2) && matches!(transfer, 1 | 2 | 6 | 13 | 14 | 15) {
        return None;
    }
    // The curves of BT.709 and its kin are for cameras; shown, they count as sRGB's, as browsers have it.
    let transfer = if matches!(transfer, 1 | 2 | 6 | 14 | 15) { 13 } else { transfer };
    let primaries = if primaries == 2 { 1 } else { primaries };
    let profile = ColorProfile::new_from_cicp(CicpProfile {
        color_primaries: CicpColorPrimaries::try_from(primaries).ok()?,
        transfer_characteristics: TransferCharacteristics::try_from(transfer).ok()?,
        matrix_coefficients: MatrixCoefficients::Identity,
        full_range: true,
    });
    profile.encode().ok()
}

/// JPEG 2000: a JP2 file (ISO/IEC 15444-1, annex I) or a codestream alone (annex A.5.1).
pub(super) fn jp2<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk {
    let head: [u8; 4] = exact(source)?;
    if head == [0xff, 0x4f, 0xff, 0x51] {
        source.seek(SeekFrom::Start(4))?;
        let length = u64::from(u16::from_be_bytes(exact(source)?));
        let size = bytes(source, length.saturating_sub(2))?;
        let mut numbers = Numbers(&size);
        numbers.take(2);
        let mut side = || numbers.take(4).unwrap_or_default() as u32;
        let (right, bottom, left, top) = (side(), side(), side(), side());
        (header.width, header.height) = (right.saturating_sub(left), bottom.saturating_sub(top));
        let count = size.get(34..36).map_or(0, |c| u16::from_be_bytes([c[0], c[1]]));
        header.bit_depth = size.get(36).map_or(8, |depth| (depth & 0x7f) + 1);
        (header.color, header.alpha) = components(count);
        return Ok(());
    }
    let Some(described) = top(source, b"jp2h")? else { return Err(damaged("the JP2 file has no header")) };
    let mut components_of = (0, 0);
    for (name, content) in boxes(&described) {
        let mut numbers = Numbers(content);
        match &name {
            b"ihdr" => {
                header.height = numbers.take(4).unwrap_or_default() as u32;
                header.width = numbers.take(4).unwrap_or_default() as u32;
                components_of = (numbers.take(2).unwrap_or_default() as u16, numbers.take(1).unwrap_or(7) as u8);
                // 255: the components differ, as told by another box.
                header.bit_depth = if components_of.1 == 255 { 8 } else { (components_of.1 & 0x7f) + 1 };
                (header.color, header.alpha) = components(components_of.0);
            }
            b"colr" if header.icc.is_none() => match content {
                [2, _, _, profile @ ..] => header.icc = Some(profile.to_vec()),
                [1, _, _, 0, 0, 0, 18, ..] => header.color = "ycbcr",
                [1, _, _, 0, 0, 0, 12, ..] => (header.color, header.alpha) = ("cmyk", components_of.0 > 4),
                _ => {}
            },
            b"pclr" => header.color = "palette",
            _ => {}
        }
    }
    Ok(())
}

fn components(count: u16) -> (&'static str, bool) {
    match count {
        1 => ("gray", false),
        2 => ("gray", true),
        3 => ("rgb", false),
        4 => ("rgb", true),
        _ => ("", false),
    }
}
