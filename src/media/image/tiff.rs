//! Reads the first page of a TIFF, strip by strip or tile by tile, straight into 8 bits: of a 16-bit scan, never more
//! than one strip is in memory at its full depth.

use std::{
    fs::File,
    io::{BufReader, Read, Seek, SeekFrom},
    path::Path,
};

use tiff::{
    ColorType, TiffError,
    decoder::{ChunkType, Decoder, DecodingResult, Limits},
};

use super::{Model, Raw, allow, decode::narrow, header::Trouble, ifd};
use crate::error::{Doing, Error, Result, io};

/// What the `tiff` crate does not tell, or refuses to read: taken from the directory by our own reader.
struct Page {
    size: (u32, u32),
    /// 0 white is zero, 1 black is zero, 2 RGB, 3 palette, 5 CMYK, 6 YCbCr.
    photometric: u64,
    /// Where the photometric value stands, to be overlaid for a palette.
    photometric_at: u64,
    little: bool,
    palette: Vec<[u8; 3]>,
    /// 1 is alpha that the colors were multiplied with, 2 straight alpha (TIFF 6.0, section 18).
    extra: u64,
    /// Components in separate planes.
    planar: bool,
    samples: usize,
}

const PLANAR_CONFIGURATION: u16 = 284;

pub(super) fn decode(input: &Path, cap: u64) -> Result<Raw> {
    let doing = || format!("cannot read {}", input.display());
    let page = page(BufReader::new(File::open(input).doing(doing)?)).map_err(|trouble| match trouble {
        Trouble::Io(e) => io(doing(), e),
        Trouble::Damaged(why) => Error::corrupt(why),
    })?;
    // Before the decoder looks at the strips: a bomb is told as such, and not as a file whose strips are too short.
    allow(page.size, cap)?;
    let file = BufReader::new(File::open(input).doing(doing)?);
    // The decoder refuses palettes. Told that the indices are gray values it reads them, and the colors are put in
    // here.
    let gray = if page.little { [1, 0] } else { [0, 1] };
    let overlay = (page.photometric == 3).then_some((page.photometric_at, gray));
    let mut decoder = Decoder::new(Overlaid { inner: file, overlay }).map_err(damage)?;
    let (width, height) = decoder.dimensions().map_err(damage)?;
    if (width, height) != page.size {
        return Err(Error::corrupt("the TIFF says its size in two ways"));
    }
    let mut limits = Limits::default();
    // A file may be one single strip.
    let all = (u64::from(width) * u64::from(height)).saturating_mul(8 * page.samples.clamp(1, 8) as u64);
    limits.decoding_buffer_size = usize::try_from(all).unwrap_or(usize::MAX).max(limits.decoding_buffer_size);
    limits.intermediate_buffer_size = limits.decoding_buffer_size;
    limits.ifd_value_size = 16 << 20;
    decoder = decoder.with_limits(limits);

    let color = decoder.colortype().map_err(damage)?;
    let plan = Plan::of(color, &page)?;
    let stride = width as usize * plan.model.channels();
    let mut data = vec![0; stride * height as usize];
    let chunk = decoder.chunk_dimensions();
    if chunk.0 == 0 || chunk.1 == 0 {
        return Err(Error::corrupt("the TIFF's strips have no size"));
    }
    let across = width.div_ceil(chunk.0);
    let (across, down) = match decoder.get_chunk_type() {
        ChunkType::Strip => (1, height.div_ceil(chunk.1)),
        ChunkType::Tile => (across, height.div_ceil(chunk.1)),
    };
    let per_plane = across.checked_mul(down).ok_or_else(|| Error::corrupt("the TIFF has too many tiles"))?;
    let planes = if page.planar { plan.stored.min(plan.wanted()) as u32 } else { 1 };
    for plane in 0..planes {
        for index in 0..per_plane {
            let (left, top) = ((index % across) * chunk.0, (index / across) * chunk.1);
            let (wide, high) = decoder.chunk_data_dimensions(index);
            let samples = decoder.read_chunk(plane * per_plane + index).map_err(damage)?;
            let target = Target {
                data: &mut data,
                stride,
                left: left as usize,
                top: top as usize,
                wide: wide as usize,
                high: high as usize,
            };
            plan.place(&samples, target, &page, page.planar.then_some(plane as usize))?;
        }
    }
    let mut raw = Raw { width, height, model: plan.model, data };
    if plan.ycbcr {
        raw.data.chunks_exact_mut(3).for_each(to_rgb);
    }
    if raw.model.has_alpha() && page.extra == 1 {
        straighten(&mut raw);
    }
    Ok(raw)
}

fn page<S: Read + Seek>(source: S) -> std::result::Result<Page, Trouble> {
    let mut tiff = ifd::Tiff::open(source)?;
    let first = tiff.first()?;
    let photometric = tiff.number(&first, ifd::PHOTOMETRIC)?.unwrap_or(1);
    let mut palette = Vec::new();
    if photometric == 3 {
        let map = tiff.numbers(&first, ifd::COLOR_MAP, 3 * 256)?;
        let third = map.len() / 3;
        // All reds, then all greens, then all blues, of 16 bits each.
        palette = (0..third).map(|i| [0, 1, 2].map(|c| narrow(map[c * third + i] as u16))).collect();
    }
    let side = |n: Option<u64>| n.and_then(|n| u32::try_from(n).ok()).unwrap_or_default();
    Ok(Page {
        size: (side(tiff.number(&first, ifd::WIDTH)?), side(tiff.number(&first, ifd::HEIGHT)?)),
        photometric,
        photometric_at: first.place(ifd::PHOTOMETRIC).unwrap_or_default(),
        little: tiff.is_little(),
        palette,
        extra: tiff.number(&first, ifd::EXTRA_SAMPLES)?.unwrap_or_default(),
        planar: tiff.number(&first, PLANAR_CONFIGURATION)? == Some(2),
        samples: tiff.number(&first, ifd::SAMPLES)?.unwrap_or(1).clamp(1, 64) as usize,
    })
}

/// How stored samples become pixels.
struct Plan {
    model: Model,
    /// Samples of a stored pixel.
    stored: usize,
    bits: u8,
    palette: bool,
    ycbcr: bool,
}

impl Plan {
    fn of(color: ColorType, page: &Page) -> Result<Self> {
        let plan =
            |model, stored: u16, bits| Plan { model, stored: usize::from(stored), bits, palette: false, ycbcr: false };
        let plan = match color {
            ColorType::Gray(bits) if page.photometric == 3 => {
                if page.palette.is_empty() {
                    return Err(Error::corrupt("the TIFF has a palette without colors"));
                }
                Plan { palette: true, ..plan(Model::Rgb, 1, bits) }
            }
            ColorType::Gray(bits) => plan(Model::Gray, 1, bits),
            ColorType::GrayA(bits) => plan(Model::GrayAlpha, 2, bits),
            ColorType::Multiband { bit_depth, num_samples } if page.photometric <= 1 => {
                let model = if matches!(page.extra, 1 | 2) { Model::GrayAlpha } else { Model::Gray };
                plan(model, num_samples, bit_depth)
            }
            ColorType::RGB(bits) => plan(Model::Rgb, 3, bits),
            ColorType::RGBA(bits) => plan(Model::Rgba, 4, bits),
            ColorType::CMYK(bits) => plan(Model::Cmyk, 4, bits),
            ColorType::CMYKA(bits) => plan(Model::Cmyk, 5, bits),
            ColorType::YCbCr(8) => Plan { ycbcr: true, ..plan(Model::Rgb, 3, 8) },
            other => return Err(Error::unsupported(format!("TIFF pictures of {other:?} are not handled"))),
        };
        let depths: &[u8] = if plan.model == Model::Gray || plan.palette { &[1, 2, 4, 8, 16] } else { &[8, 16] };
        if !depths.contains(&plan.bits) || (plan.palette && plan.bits > 8) {
            return Err(Error::unsupported(format!("TIFF pictures of {} bits a sample are not handled", plan.bits)));
        }
        Ok(plan)
    }

    /// Samples of a stored pixel that are used; further ones are masks and the like.
    fn wanted(&self) -> usize {
        if self.palette { 1 } else { self.model.channels() }
    }

    /// Puts one strip or tile where it belongs.
    fn place(&self, samples: &DecodingResult, target: Target<'_>, page: &Page, plane: Option<usize>) -> Result<()> {
        match samples {
            DecodingResult::U8(values) if self.bits < 8 => {
                let mask = (1u16 << self.bits) - 1;
                let row = (target.wide * usize::from(self.bits)).div_ceil(8);
                let sample = |x: usize, y: usize| {
                    let bit = x * usize::from(self.bits);
                    let byte = values.get(y * row + bit / 8).copied()?;
                    let index = u16::from(byte) >> (8 - usize::from(self.bits) - bit % 8) & mask;
                    Some(if self.palette { index as u8 } else { (index * 255 / mask) as u8 })
                };
                self.fill(target, page, plane, |x, y, _| sample(x, y))
            }
            DecodingResult::U8(values) => {
                let (stored, wide) = (self.stored_in(plane), target.wide);
                self.fill(target, page, plane, |x, y, c| values.get((y * wide + x) * stored + c).copied())
            }
            DecodingResult::U16(values) => {
                let (stored, wide) = (self.stored_in(plane), target.wide);
                self.fill(target, page, plane, |x, y, c| values.get((y * wide + x) * stored + c).copied().map(narrow))
            }
            _ => Err(Error::unsupported("TIFF pictures of signed or floating-point samples are not handled")),
        }
    }

    fn stored_in(&self, plane: Option<usize>) -> usize {
        if plane.is_some() { 1 } else { self.stored }
    }

    fn fill(
        &self,
        target: Target<'_>,
        page: &Page,
        plane: Option<usize>,
        sample: impl Fn(usize, usize, usize) -> Option<u8>,
    ) -> Result<()> {
        let cut = || Error::corrupt("a strip of the TIFF is shorter than its picture");
        let channels = self.model.channels();
        for y in 0..target.high {
            let start = (target.top + y) * target.stride + target.left * channels;
            let row = target.data.get_mut(start..start + target.wide * channels).ok_or_else(cut)?;
            for (x, pixel) in row.chunks_exact_mut(channels).enumerate() {
                match plane {
                    _ if self.palette => {
                        let index = sample(x, y, 0).ok_or_else(cut)?;
                        // An index outside the palette is black, as in libtiff.
                        pixel.copy_from_slice(page.palette.get(usize::from(index)).unwrap_or(&[0; 3]));
                    }
                    Some(plane) => pixel[plane] = sample(x, y, 0).ok_or_else(cut)?,
                    None => {
                        for (c, value) in pixel.iter_mut().enumerate() {
                            *value = sample(x, y, c).ok_or_else(cut)?;
                        }
                    }
                }
            }
        }
        Ok(())
    }
}

/// Where a strip or tile goes, in pixels of the whole picture.
struct Target<'a> {
    data: &'a mut [u8],
    /// Bytes of a row of the picture.
    stride: usize,
    left: usize,
    top: usize,
    wide: usize,
    high: usize,
}

/// YCbCr of full range with BT.601's coefficients, the default of TIFF 6.0, section 21, and what JPEG means.
fn to_rgb(pixel: &mut [u8]) {
    let (y, cb, cr) = (f32::from(pixel[0]), f32::from(pixel[1]) - 128.0, f32::from(pixel[2]) - 128.0);
    let rgb = [y + 1.402 * cr, y - 0.344_136 * cb - 0.714_136 * cr, y + 1.772 * cb];
    for (value, new) in pixel.iter_mut().zip(rgb) {
        *value = new.round().clamp(0.0, 255.0) as u8;
    }
}

/// Divides by the alpha that the colors were multiplied with.
pub(super) fn straighten(raw: &mut Raw) {
    let channels = raw.model.channels();
    for pixel in raw.data.chunks_exact_mut(channels) {
        let Some((alpha, colors)) = pixel.split_last_mut() else { continue };
        let alpha = u32::from(*alpha);
        for color in colors.iter_mut().filter(|_| alpha > 0) {
            *color = ((u32::from(*color) * 255 + alpha / 2) / alpha).min(255) as u8;
        }
    }
}

/// A file in which two bytes read as others than they are.
struct Overlaid<S> {
    inner: S,
    overlay: Option<(u64, [u8; 2])>,
}

impl<S: Read + Seek> Read for Overlaid<S> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let Some((place, bytes)) = self.overlay else { return self.inner.read(buffer) };
        let start = self.inner.stream_position()?;
        let count = self.inner.read(buffer)?;
        for (at, byte) in (place..).zip(bytes) {
            let index = at.checked_sub(start).and_then(|i| usize::try_from(i).ok());
            if let Some(slot) = index.and_then(|i| buffer[..count].get_mut(i)) {
                *slot = byte;
            }
        }
        Ok(count)
    }
}

impl<S: Seek> Seek for Overlaid<S> {
    fn seek(&mut self, to: SeekFrom) -> std::io::Result<u64> {
        self.inner.seek(to)
    }
}

fn damage(error: TiffError) -> Error {
    match error {
        TiffError::IoError(e)
            if !matches!(
                e.kind(),
                std::io::ErrorKind::UnexpectedEof
                    | std::io::ErrorKind::InvalidData
                    | std::io::ErrorKind::InvalidInput
                    | std::io::ErrorKind::Other
            ) =>
        {
            io("cannot read the TIFF", e)
        }
        TiffError::UnsupportedError(e) => Error::unsupported("the TIFF is of a kind that is not handled").because(e),
        TiffError::LimitsExceeded => Error::unsupported("the TIFF needs more memory than it may have"),
        other => Error::corrupt("the TIFF is damaged or cut off").because(other),
    }
}
