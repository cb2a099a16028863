//! Photoshop's files: the merged picture that is kept beside the layers (Adobe Photoshop File Formats Specification,
//! 2019), of PSD and of PSB, its form for large pictures.

use std::{
    fs::File,
    io::{BufRead, BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use super::{
    Model, Raw, allow,
    header::{Header, MOST_EXIF, MOST_ICC, Trouble, Walk, bytes, damaged, exact, exif, skip},
};
use crate::error::{Doing, Error, Result, io};

/// Most image resources that are looked at.
const MOST_RESOURCES: u32 = 10_000;

/// What stands before the merged picture.
pub(super) struct Found {
    channels: u16,
    depth: u16,
    mode: u16,
    palette: Vec<u8>,
    is_large: bool,
    /// Whether the file was saved with a merged picture.
    is_merged: bool,
    data_at: u64,
}

/// Reads the header, and of the resources what says something of the picture.
pub(super) fn header<S: BufRead + Seek>(source: &mut S, header: &mut Header) -> Walk<Found> {
    skip(source, 4)?;
    let head: [u8; 22] = exact(source)?;
    let short = |at: usize| u16::from_be_bytes([head[at], head[at + 1]]);
    let long = |at: usize| u32::from_be_bytes([head[at], head[at + 1], head[at + 2], head[at + 3]]);
    let is_large = match short(0) {
        1 => false,
        2 => true,
        version => return Err(damaged(format!("a PSD of version {version} is not known"))),
    };
    let (channels, depth, mode) = (short(8), short(18), short(20));
    (header.height, header.width) = (long(10), long(14));
    header.bit_depth = depth.min(64) as u8;
    header.color = match mode {
        0 | 1 | 8 => "gray",
        2 => "palette",
        3 => "rgb",
        4 => "cmyk",
        9 => "lab",
        _ => "",
    };
    let length = u64::from(u32::from_be_bytes(exact(source)?));
    let palette =
        if mode == 2 && length == 768 { bytes(source, 768)? } else { skip(source, length).map(|()| Vec::new())? };
    let length = u64::from(u32::from_be_bytes(exact(source)?));
    let resources = source.stream_position()?;
    let end = resources + length;
    let mut is_merged = true;
    for _ in 0..MOST_RESOURCES {
        if source.stream_position()? + 12 > end {
            break;
        }
        let head: [u8; 6] = exact(source)?;
        if !head.starts_with(b"8B") {
            break;
        }
        let [name] = exact(source)?;
        skip(source, u64::from(name) | 1)?;
        let size = u64::from(u32::from_be_bytes(exact(source)?));
        let next = source.stream_position()? + size + (size & 1);
        match u16::from_be_bytes([head[4], head[5]]) {
            1039 if size <= MOST_ICC => header.icc = Some(bytes(source, size)?),
            1058 if size <= MOST_EXIF => {
                let block = bytes(source, size)?;
                exif(&block, header);
                // Photoshop turned it when it was opened.
                header.orientation = 0;
            }
            1057 if size >= 5 => is_merged = bytes(source, 5)?[4] != 0,
            _ => {}
        }
        source.seek(SeekFrom::Start(next))?;
    }
    source.seek(SeekFrom::Start(end))?;
    let layers = match is_large {
        true => u64::from_be_bytes(exact(source)?),
        false => u64::from(u32::from_be_bytes(exact(source)?)),
    };
    let Some(data_at) = source.stream_position()?.checked_add(layers) else {
        return Err(damaged("the layers claim more than a file can hold"));
    };
    Ok(Found { channels, depth, mode, palette, is_large, is_merged, data_at })
}

/// Decodes the merged picture. Transparency is as it was merged: on white.
pub(super) fn decode(input: &Path, cap: u64) -> Result<Raw> {
    let doing = || format!("cannot read {}", input.display());
    let mut source = BufReader::with_capacity(1 << 16, File::open(input).doing(doing)?);
    let mut said = Header::default();
    let found = header(&mut source, &mut said).map_err(trouble)?;
    let size @ (width, height) = (said.width, said.height);
    allow(size, cap)?;
    if !found.is_merged {
        return Err(Error::unsupported("the Photoshop file was saved without a merged picture")
            .hint("save it again with 'Maximize Compatibility'"));
    }
    let (model, planes) = match found.mode {
        0 | 1 | 8 => (Model::Gray, 1),
        2 => (Model::Rgb, 1),
        3 => (Model::Rgb, 3),
        4 => (Model::Cmyk, 4),
        9 => return Err(Error::unsupported("a Photoshop file in Lab is not handled")),
        mode => return Err(Error::unsupported(format!("a Photoshop file of color mode {mode} is not handled"))),
    };
    if !matches!(found.depth, 1 | 8 | 16) || usize::from(found.channels) < planes {
        return Err(Error::unsupported(format!(
            "a Photoshop file of {} channels of {} bits is not handled",
            found.channels, found.depth
        )));
    }
    source.seek(SeekFrom::Start(found.data_at)).doing(doing)?;
    let row = (width as usize * usize::from(found.depth)).div_ceil(8);
    let compression = exact::<2>(&mut source).map(u16::from_be_bytes).map_err(trouble)?;
    let mut rows = match compression {
        0 => Rows { source, row, lengths: None },
        1 => {
            let count = usize::from(found.channels) * height as usize;
            let wide = if found.is_large { 4 } else { 2 };
            let table = bytes(&mut source, (count * wide) as u64).map_err(trouble)?;
            let length = |c: &[u8]| c.iter().fold(0, |n, b| n << 8 | u32::from(*b));
            Rows { source, row, lengths: Some(table.chunks_exact(wide).map(length).collect()) }
        }
        _ => return Err(Error::unsupported("a deflated Photoshop file is not handled")),
    };
    let channels = model.channels();
    let mut data = vec![0; width as usize * height as usize * channels];
    let mut line = vec![0; row];
    for plane in 0..planes {
        for out in data.chunks_exact_mut(width as usize * channels) {
            rows.read(&mut line).map_err(trouble)?;
            for (x, pixel) in out.chunks_exact_mut(channels).enumerate() {
                let value = match found.depth {
                    1 => {
                        if line[x / 8] >> (7 - x % 8) & 1 == 0 {
                            255
                        } else {
                            0
                        }
                    }
                    8 => line[x],
                    _ => super::decode::narrow(u16::from_be_bytes([line[2 * x], line[2 * x + 1]])),
                };
                match found.mode {
                    // Reds, then greens, then blues.
                    2 => pixel.iter_mut().enumerate().for_each(|(c, p)| {
                        *p = found.palette.get(256 * c + usize::from(value)).copied().unwrap_or_default();
                    }),
                    // 0 is full ink here.
                    4 => pixel[plane] = !value,
                    _ => pixel[plane] = value,
                }
            }
        }
    }
    Ok(Raw { width, height, model, data })
}

/// Rows of samples, plane by plane, plain or packed (PackBits).
struct Rows {
    source: BufReader<File>,
    row: usize,
    lengths: Option<std::collections::VecDeque<u32>>,
}

impl Rows {
    fn read(&mut self, line: &mut [u8]) -> Walk {
        let Some(lengths) = &mut self.lengths else {
            self.source.read_exact(line)?;
            return Ok(());
        };
        let length = lengths.pop_front().unwrap_or_default();
        // Packing adds one byte in 128 at most.
        if u64::from(length) > 2 * self.row as u64 + 64 {
            return Err(damaged("a packed row of the Photoshop file is longer than it can be"));
        }
        let packed = bytes(&mut self.source, u64::from(length))?;
        let (mut from, mut to) = (packed.as_slice(), line);
        let short = || damaged("a packed row of the Photoshop file does not fit");
        while let Some((&count, rest)) = from.split_first().filter(|_| !to.is_empty()) {
            let length = match count as i8 {
                -128 => {
                    from = rest;
                    continue;
                }
                n if n < 0 => 1 - isize::from(n),
                n => isize::from(n) + 1,
            } as usize;
            let (out, left) = to.split_at_mut_checked(length).ok_or_else(short)?;
            if count >= 128 {
                let (&value, after) = rest.split_first().ok_or_else(short)?;
                out.fill(value);
                from = after;
            } else {
                out.copy_from_slice(rest.get(..length).ok_or_else(short)?);
                from = &rest[length..];
            }
            to = left;
        }
        if to.is_empty() { Ok(()) } else { Err(short()) }
    }
}

fn trouble(trouble: Trouble) -> Error {
    match trouble {
        Trouble::Io(e) => io("cannot read the Photoshop file", e),
        Trouble::Damaged(why) => Error::corrupt(format!("the Photoshop file is damaged or cut off: {why}")),
    }
}
