//! Reads a still picture's pixels: JPEG with shrink-on-load, PNG, BMP and WebP here, the other formats in files of their
//! own.

use std::{
    fs::File,
    io::{BufRead, BufReader, Seek},
    path::Path,
};

use image::{ColorType, ImageDecoder};
use turbojpeg::{Colorspace, Decompressor, PixelFormat, ScalingFactor};

use super::{
    Model, Raw, allow,
    header::{Format, Header},
    webp,
};
use crate::error::{Doing, Error, Result, io};

/// Longest JPEG or WebP file that is read; these are decoded from memory.
const MOST_BYTES: u64 = 2 << 30;
/// Decode at least so much larger than the largest output, so that Lanczos and not the DCT decides on its sharpness.
const MARGIN: f64 = 1.5;
/// Scans of a progressive JPEG. Encoders use about ten; a file of thousands is made to burn time.
const MOST_SCANS: u32 = 500;

/// A decoded picture and the size it is stored with, which is larger after shrink-on-load.
pub(super) struct Decoded {
    pub(super) raw: Raw,
    pub(super) stored: (u32, u32),
}

/// Tells of a stored size which size is wanted of it.
pub(super) type Needed<'a> = &'a dyn Fn((u32, u32)) -> (u32, u32);

/// Decodes a still picture. Without `needed`, all of it is wanted.
pub(super) fn still(input: &Path, header: &Header, cap: u64, needed: Needed<'_>) -> Result<Decoded> {
    let raw = match header.format {
        Some(Format::Jpeg) => {
            let mut decoded = jpeg(&whole(input)?, Some(needed), cap)?;
            if decoded.raw.model == Model::Cmyk && header.adobe {
                // Adobe stores CMYK inverted, and everybody followed: with its marker, 0 is full ink.
                decoded.raw.data.iter_mut().for_each(|v| *v = !*v);
            }
            return Ok(decoded);
        }
        Some(Format::Webp) => webp::decode(&whole(input)?, cap)?,
        Some(Format::Tiff) => super::tiff::decode(input, cap)?,
        Some(Format::Png) => png(open(input)?, cap)?,
        Some(Format::Bmp) => plain(image::codecs::bmp::BmpDecoder::new(open(input)?).map_err(from_image)?, cap)?,
        Some(Format::Heif) => {
            let raw = heif(input, header, cap)?;
            // A crop by fractions may be rounded otherwise than by whoever measured it.
            let said = (header.width, header.height);
            let is_close = raw.width.abs_diff(said.0) <= 1 && raw.height.abs_diff(said.1) <= 1;
            let stored = if is_close { said } else { (raw.width, raw.height) };
            return Ok(Decoded { raw, stored });
        }
        Some(Format::Psd) => super::psd::decode(input, cap)?,
        Some(Format::Jp2) => {
            let stored = (header.width, header.height);
            return super::jp2::decode(&whole(input)?, stored, needed(stored), cap);
        }
        Some(Format::Raw) => {
            let place = header.preview.ok_or_else(|| {
                Error::unsupported(
                    "the camera's raw file has no picture beside the sensor's data, which is not read here",
                )
            })?;
            return jpeg(&super::raw::preview(&mut open(input)?, place)?, Some(needed), cap);
        }
        Some(Format::Gif) => return Err(Error::internal("a GIF is read as an animation")),
        None => {
            let why = header.problem.clone();
            return Err(Error::corrupt(why.unwrap_or_else(|| "it is no picture of a known format".to_owned())));
        }
    };
    let stored = (raw.width, raw.height);
    Ok(Decoded { raw, stored })
}

fn heif(input: &Path, header: &Header, cap: u64) -> Result<Raw> {
    if header.high_range {
        return Err(Error::unsupported("pictures of high dynamic range (PQ, HLG) are not handled"));
    }
    #[cfg(feature = "heif")]
    return super::heif::decode(&whole(input)?, cap);
    #[cfg(not(feature = "heif"))]
    Err(Error::unsupported(format!("{} is HEIF, which this build does not read (cap {cap})", input.display())))
}

/// A whole file, within reason.
pub(super) fn whole(input: &Path) -> Result<Vec<u8>> {
    let doing = || format!("cannot read {}", input.display());
    let length = std::fs::metadata(input).doing(doing)?.len();
    if length > MOST_BYTES {
        return Err(Error::unsupported(format!("the file has {length} bytes: the cap is {MOST_BYTES}")));
    }
    std::fs::read(input).doing(doing)
}

/// Refuses a WebP file that is shorter than it says.
pub(super) fn whole_length(input: &Path) -> Result<()> {
    match super::header::read(input)?.problem {
        Some(problem) => Err(Error::corrupt(problem)),
        None => Ok(()),
    }
}

fn open(input: &Path) -> Result<BufReader<File>> {
    let file = File::open(input).doing(|| format!("cannot read {}", input.display()))?;
    Ok(BufReader::with_capacity(1 << 16, file))
}

/// Decodes a JPEG at the smallest of libjpeg's scales that leaves [`MARGIN`].
pub(super) fn jpeg(bytes: &[u8], needed: Option<Needed<'_>>, cap: u64) -> Result<Decoded> {
    let mut decompressor = Decompressor::new().map_err(jpeg_trouble)?;
    decompressor.set_scan_limit(MOST_SCANS).map_err(jpeg_trouble)?;
    let header = decompressor.read_header(bytes).map_err(jpeg_trouble)?;
    let stored = (header.width as u32, header.height as u32);
    // The sides alone: the pixels are counted after scaling.
    allow(stored, u64::MAX)?;
    let mut factor = ScalingFactor::ONE;
    if let Some(needed) = needed.filter(|_| !header.is_lossless) {
        let (width, height) = needed(stored);
        let enough = |f: &ScalingFactor| {
            let fits = |stored: usize, needed: u32| {
                f.num() < f.denom() && f.scale(stored) as f64 >= f64::from(needed) * MARGIN
            };
            fits(header.width, width) && fits(header.height, height)
        };
        let scales = Decompressor::supported_scaling_factors().into_iter().filter(enough);
        factor = scales.min_by_key(|f| f.scale(header.width) * f.scale(header.height)).unwrap_or(factor);
    }
    let (width, height) = (factor.scale(header.width), factor.scale(header.height));
    // A progressive picture is kept in memory as coefficients of its full size, whatever the scale.
    allow(if header.is_progressive { stored } else { (width as u32, height as u32) }, cap)?;
    decompressor.set_scaling_factor(factor).map_err(jpeg_trouble)?;
    let (model, format) = match header.colorspace {
        Colorspace::Gray => (Model::Gray, PixelFormat::GRAY),
        Colorspace::RGB | Colorspace::YCbCr => (Model::Rgb, PixelFormat::RGB),
        Colorspace::CMYK | Colorspace::YCCK => (Model::Cmyk, PixelFormat::CMYK),
    };
    let pitch = width * model.channels();
    let mut data = vec![0; pitch * height];
    let target = turbojpeg::Image { pixels: data.as_mut_slice(), width, pitch, height, format };
    if let Err(error) = decompressor.decompress(bytes, target)
        && !harmless(&error.to_string())
    {
        return Err(jpeg_trouble(error));
    }
    Ok(Decoded { raw: Raw { width: width as u32, height: height as u32, model, data }, stored })
}

/// libjpeg's one warning that leaves the picture whole: a few bytes of padding between the last scan and the end
/// marker, as some cameras write. Many bytes there mean that the scan lost its thread, and after any other marker more
/// may be wrong that is not told.
fn harmless(message: &str) -> bool {
    let Some((before, after)) = message.split_once(" extraneous bytes before marker ") else { return false };
    let count = before.rsplit(' ').next().and_then(|n| n.parse::<u32>().ok());
    after.trim() == "0xd9" && count.is_some_and(|n| n <= 16)
}

fn jpeg_trouble(error: turbojpeg::Error) -> Error {
    let text = error.to_string();
    let text = text.trim_start_matches("TurboJPEG error: ");
    let says = |needle: &str| text.to_lowercase().contains(needle);
    if says("premature end") {
        Error::corrupt("the JPEG is cut off or damaged: its data ends before the picture does").because(error)
    } else if says("unsupported") || says("precision") || says("insufficient memory") || says("too many scans") {
        Error::unsupported(format!("the JPEG cannot be decoded here: {text}"))
    } else {
        Error::corrupt(format!("the JPEG is damaged: {text}"))
    }
}

pub(super) fn png(source: impl BufRead + Seek, cap: u64) -> Result<Raw> {
    let mut limits = image::Limits::no_limits();
    // For what comes beside the pixels: profiles, text.
    limits.max_alloc = Some(256 << 20);
    plain(image::codecs::png::PngDecoder::with_limits(source, limits).map_err(from_image)?, cap)
}

/// Reads through a decoder of the `image` crate, into one buffer.
fn plain(decoder: impl ImageDecoder, cap: u64) -> Result<Raw> {
    let (width, height) = decoder.dimensions();
    allow((width, height), cap)?;
    let color = decoder.color_type();
    let (model, wide) = match color {
        ColorType::L8 => (Model::Gray, false),
        ColorType::La8 => (Model::GrayAlpha, false),
        ColorType::Rgb8 => (Model::Rgb, false),
        ColorType::Rgba8 => (Model::Rgba, false),
        ColorType::L16 => (Model::Gray, true),
        ColorType::La16 => (Model::GrayAlpha, true),
        ColorType::Rgb16 => (Model::Rgb, true),
        ColorType::Rgba16 => (Model::Rgba, true),
        other => return Err(Error::unsupported(format!("pictures of {other:?} are not handled"))),
    };
    let length = usize::try_from(decoder.total_bytes()).map_err(|_| Error::unsupported("the picture is too large"))?;
    let mut data = vec![0; length];
    decoder.read_image(&mut data).map_err(from_image)?;
    if wide {
        narrow_in_place(&mut data);
    }
    Ok(Raw { width, height, model, data })
}

/// 16 bits to 8, rounded to the nearest: 65535 is 257 × 255. In place, so that a large scan is held once.
fn narrow_in_place(data: &mut Vec<u8>) {
    let count = data.len() / 2;
    for i in 0..count {
        data[i] = narrow(u16::from_ne_bytes([data[2 * i], data[2 * i + 1]]));
    }
    data.truncate(count);
    data.shrink_to_fit();
}

pub(super) fn narrow(value: u16) -> u8 {
    ((u32::from(value) + 128) / 257) as u8
}

/// What an error of the `image` crate means for us.
pub(super) fn from_image(error: image::ImageError) -> Error {
    use image::ImageError as E;
    match error {
        E::IoError(e) if e.kind() == std::io::ErrorKind::UnexpectedEof => {
            Error::corrupt("the file is cut off").because(e)
        }
        // Decoders hand on what is wrong with the bytes as these kinds, too.
        E::IoError(e) if matches!(e.kind(), std::io::ErrorKind::InvalidData | std::io::ErrorKind::InvalidInput) => {
            Error::corrupt("the picture is damaged").because(e)
        }
        E::IoError(e) => io("cannot read the picture", e),
        E::Unsupported(e) => Error::unsupported("the picture is of a kind that is not handled").because(e),
        E::Limits(e) => Error::unsupported("the picture needs more memory than it may have").because(e),
        other => Error::corrupt("the picture is damaged or cut off").because(other),
    }
}
