//! Small pictures of every format, made in code.

use std::io::Cursor;

use image::{ExtendedColorType, ImageEncoder};

use super::Pixels;

/// A picture of four quarters: red, green / blue, white.
pub(super) fn quarters(width: u32, height: u32) -> Pixels {
    let mut data = Vec::new();
    for y in 0..height {
        for x in 0..width {
            data.extend_from_slice(match (x < width / 2, y < height / 2) {
                (true, true) => &[255u8, 0, 0],
                (false, true) => &[0, 255, 0],
                (true, false) => &[0, 0, 255],
                (false, false) => &[255, 255, 255],
            });
        }
    }
    Pixels { width, height, alpha: false, data }
}

/// What a camera held this way would have stored: `upright` is applied to it by the reader.
pub(super) fn stored_as(pixels: &Pixels, orientation: u8) -> Pixels {
    // 6 and 8 undo each other; every other turn undoes itself.
    let inverse = match orientation {
        6 => 8,
        8 => 6,
        other => other,
    };
    super::scale::upright(pixels.clone(), inverse)
}

pub(super) fn jpeg_of(data: &[u8], (width, height): (u32, u32), format: turbojpeg::PixelFormat) -> Vec<u8> {
    let mut compressor = turbojpeg::Compressor::new().unwrap();
    compressor.set_quality(95).unwrap();
    compressor.set_subsamp(turbojpeg::Subsamp::None).unwrap();
    let (width, height) = (width as usize, height as usize);
    if format == turbojpeg::PixelFormat::GRAY {
        compressor.set_subsamp(turbojpeg::Subsamp::Gray).unwrap();
    }
    let image = turbojpeg::Image { pixels: data, width, pitch: width * format.size(), height, format };
    compressor.compress_to_vec(image).unwrap()
}

pub(super) fn jpeg(pixels: &Pixels) -> Vec<u8> {
    jpeg_of(&pixels.data, (pixels.width, pixels.height), turbojpeg::PixelFormat::RGB)
}

/// A JPEG with a segment put behind its first marker.
pub(super) fn with_segment(jpeg: &[u8], marker: u8, payload: &[u8]) -> Vec<u8> {
    let mut out = vec![0xff, 0xd8, 0xff, marker];
    out.extend((payload.len() as u16 + 2).to_be_bytes());
    out.extend_from_slice(payload);
    out.extend_from_slice(&jpeg[2..]);
    out
}

pub(super) fn with_exif(jpeg: &[u8], block: &[u8]) -> Vec<u8> {
    with_segment(jpeg, 0xe1, &[b"Exif\0\0", block].concat())
}

pub(super) fn with_icc(jpeg: &[u8], icc: &[u8]) -> Vec<u8> {
    with_segment(jpeg, 0xe2, &[b"ICC_PROFILE\0\x01\x01", icc].concat())
}

/// An EXIF block, little- or big-endian, with orientation, maker, model and the date of taking with its offset.
pub(super) fn exif(orientation: u8, little: bool) -> Vec<u8> {
    let word = |v: u16| if little { v.to_le_bytes() } else { v.to_be_bytes() };
    let long = |v: u32| if little { v.to_le_bytes() } else { v.to_be_bytes() };
    let mut block = if little { b"II*\0".to_vec() } else { b"MM\0*".to_vec() };
    block.extend(long(8));
    let (maker, model, taken, offset) = (b"Maker Inc.\0\0", b"Model 7\0", b"2019:05:04 12:13:14\0", b"+02:00\0\0");
    let exif_at = 8 + 2 + 4 * 12 + 4;
    let heap = exif_at + 2 + 2 * 12 + 4;
    let entry = |tag: u16, kind: u16, count: u32, value: [u8; 4], block: &mut Vec<u8>| {
        block.extend(word(tag));
        block.extend(word(kind));
        block.extend(long(count));
        block.extend(value);
    };
    block.extend(word(4));
    entry(271, 2, 11, long(heap), &mut block);
    entry(272, 2, 8, long(heap + 12), &mut block);
    let turn = word(u16::from(orientation));
    entry(274, 3, 1, [turn[0], turn[1], 0, 0], &mut block);
    entry(34665, 4, 1, long(exif_at), &mut block);
    block.extend(long(0));
    block.extend(word(2));
    entry(36867, 2, 20, long(heap + 20), &mut block);
    entry(36881, 2, 7, long(heap + 40), &mut block);
    block.extend(long(0));
    block.extend_from_slice(maker);
    block.extend_from_slice(model);
    block.extend_from_slice(taken);
    block.extend_from_slice(offset);
    block
}

pub(super) fn png(data: &[u8], (width, height): (u32, u32), color: ExtendedColorType, icc: Option<Vec<u8>>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut encoder = image::codecs::png::PngEncoder::new(&mut out);
    if let Some(icc) = icc {
        encoder.set_icc_profile(icc).unwrap();
    }
    encoder.write_image(data, width, height, color).unwrap();
    out
}

/// A PNG with a chunk put behind its header.
pub(super) fn with_chunk(png: &[u8], name: &[u8; 4], payload: &[u8]) -> Vec<u8> {
    let body = [name.as_slice(), payload].concat();
    let mut crc = u32::MAX;
    for byte in &body {
        crc ^= u32::from(*byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { crc >> 1 ^ 0xedb8_8320 } else { crc >> 1 };
        }
    }
    let chunk = [&(payload.len() as u32).to_be_bytes(), body.as_slice(), &(!crc).to_be_bytes()].concat();
    [&png[..33], &chunk, &png[33..]].concat()
}

/// A WebP in the extended format, with an EXIF chunk.
pub(super) fn webp_with_exif(simple: &[u8], size: (u32, u32), block: &[u8]) -> Vec<u8> {
    let chunk = |name: &[u8; 4], payload: &[u8]| {
        let mut out = [name.as_slice(), &(payload.len() as u32).to_le_bytes(), payload].concat();
        out.resize(out.len() + payload.len() % 2, 0);
        out
    };
    let side = |v: u32| (v - 1).to_le_bytes()[..3].to_vec();
    let head = [vec![0x08, 0, 0, 0], side(size.0), side(size.1)].concat();
    let body = [b"WEBP".to_vec(), chunk(b"VP8X", &head), simple[12..].to_vec(), chunk(b"EXIF", block)].concat();
    [b"RIFF".as_slice(), &(body.len() as u32).to_le_bytes(), &body].concat()
}

pub(super) fn tiff<C: tiff::encoder::colortype::ColorType>(
    data: &[C::Inner],
    (width, height): (u32, u32),
    tags: &[(u16, u16)],
    icc: Option<&[u8]>,
) -> Vec<u8>
where
    [C::Inner]: tiff::encoder::TiffValue,
{
    let mut out = Cursor::new(Vec::new());
    let mut encoder = tiff::encoder::TiffEncoder::new(&mut out).unwrap();
    let mut page = encoder.new_image::<C>(width, height).unwrap();
    for (tag, value) in tags {
        page.encoder().write_tag(tiff::tags::Tag::from_u16_exhaustive(*tag), *value).unwrap();
    }
    if let Some(icc) = icc {
        page.encoder().write_tag(tiff::tags::Tag::IccProfile, icc).unwrap();
    }
    page.rows_per_strip(3).unwrap();
    page.write_data(data).unwrap();
    out.into_inner()
}

/// A GIF of 4 × 4: red all over (kept), green in the left half (to be undone by `dispose`), then one blue pixel in the
/// lower right.
pub(super) fn gif(dispose: gif::DisposalMethod) -> Vec<u8> {
    let palette = [255, 0, 0, 0, 255, 0, 0, 0, 255, 0, 0, 0];
    let mut out = Vec::new();
    let mut encoder = gif::Encoder::new(&mut out, 4, 4, &palette).unwrap();
    let mut frame = |left, top, width: u16, height: u16, index: u8, dispose, delay| {
        let buffer = vec![index; usize::from(width) * usize::from(height)].into();
        let frame = gif::Frame { delay, dispose, left, top, width, height, buffer, ..Default::default() };
        encoder.write_frame(&frame).unwrap();
    };
    frame(0, 0, 4, 4, 0, gif::DisposalMethod::Keep, 0);
    frame(0, 0, 2, 4, 1, dispose, 5);
    frame(3, 3, 1, 1, 2, gif::DisposalMethod::Keep, 20);
    drop(encoder);
    out
}

/// A CMYK profile whose table knows two colors: full cyan alone is Lab 55, −37, −50; paper is white; all else black.
pub(super) fn cmyk_icc() -> Vec<u8> {
    let mut table = b"mft1\0\0\0\0".to_vec();
    table.extend([4, 3, 2, 0]);
    for i in 0..9 {
        table.extend(if i % 4 == 0 { [0, 1, 0, 0] } else { [0; 4] });
    }
    for _ in 0..4 {
        table.extend(0..=255u8);
    }
    for node in 0..16 {
        // The first ink varies slowest.
        table.extend(match node {
            0 => [255u8, 128, 128],
            8 => [140, 91, 78],
            _ => [0, 128, 128],
        });
    }
    for _ in 0..3 {
        table.extend(0..=255u8);
    }
    table.resize(table.len().next_multiple_of(4), 0);
    let mut profile = vec![0; 128];
    profile[8] = 2;
    profile[9] = 0x40;
    profile[12..16].copy_from_slice(b"prtr");
    profile[16..20].copy_from_slice(b"CMYK");
    profile[20..24].copy_from_slice(b"Lab ");
    profile[36..40].copy_from_slice(b"acsp");
    for (at, value) in [(68, 0xf6d6u32), (72, 0x10000), (76, 0xd32d)] {
        profile[at..at + 4].copy_from_slice(&value.to_be_bytes());
    }
    profile.extend(1u32.to_be_bytes());
    profile.extend_from_slice(b"A2B0");
    profile.extend(144u32.to_be_bytes());
    profile.extend((table.len() as u32).to_be_bytes());
    profile.extend(table);
    let length = profile.len() as u32;
    profile[..4].copy_from_slice(&length.to_be_bytes());
    profile
}
