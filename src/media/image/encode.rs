//! Writes finished pictures.

use std::borrow::Cow;

use image::ImageEncoder;

#[cfg(feature = "heif")]
use super::heif;
#[cfg(feature = "jxl")]
use super::jxl;
use super::{MOST_SIDE, Pixels, scale, webp};
use crate::{
    error::{Error, Result},
    profile::{PictureFormat, Spec},
};

/// Scales to what the spec allows and encodes. JPEG has no alpha: it is laid on white.
pub fn encode_still(pixels: &Pixels, spec: &Spec) -> Result<Vec<u8>> {
    let size = spec.fit((pixels.width, pixels.height));
    possible(spec, size)?;
    if size == (pixels.width, pixels.height) {
        return encode(pixels, spec);
    }
    encode(&scale::pixels(pixels, size)?, spec)
}

/// Refuses a size that the format cannot store.
pub(super) fn possible(spec: &Spec, size: (u32, u32)) -> Result<()> {
    let longest = size.0.max(size.1);
    match spec {
        Spec::Webp(_) if longest > webp::MOST_SIDE => Err(webp::too_large(size)),
        Spec::Jpeg(_) if longest > MOST_SIDE => Err(Error::unsupported(format!(
            "JPEG holds at most {MOST_SIDE} pixels a side, the picture is {} x {}",
            size.0, size.1
        ))),
        #[cfg(feature = "heif")]
        Spec::Avif(_) if longest > heif::MOST_SIDE => Err(heif::too_large(size)),
        #[cfg(feature = "heif")]
        Spec::Avif(_) => Ok(()),
        #[cfg(feature = "jxl")]
        Spec::Jxl(_) => Ok(()),
        Spec::Jpeg(_) | Spec::Webp(_) | Spec::Png(_) => Ok(()),
        #[cfg(not(feature = "heif"))]
        Spec::Avif(_) => Err(Error::unsupported("this build writes no AVIF: it was made without the feature 'heif'")),
        #[cfg(not(feature = "jxl"))]
        Spec::Jxl(_) => Err(Error::unsupported("this build writes no JPEG XL: it was made without the feature 'jxl'")),
        _ => Err(Error::invalid(format!("a still picture cannot be written as {}", spec.mime()))),
    }
}

/// Encodes at the size it has.
pub(super) fn encode(pixels: &Pixels, spec: &Spec) -> Result<Vec<u8>> {
    possible(spec, (pixels.width, pixels.height))?;
    match spec {
        Spec::Jpeg(still) => {
            jpeg(pixels, still.quality).map_err(|e| Error::internal("libjpeg-turbo could not encode").because(e))
        }
        Spec::Webp(still) => webp::encode(pixels, still.quality, still.effort),
        Spec::Png(exact) => png(pixels, exact.effort),
        #[cfg(feature = "heif")]
        Spec::Avif(still) => heif::encode(pixels, still.quality, still.effort),
        #[cfg(feature = "jxl")]
        Spec::Jxl(still) => jxl::encode(pixels, still.quality, still.effort),
        _ => Err(Error::invalid(format!("a still picture cannot be written as {}", spec.mime()))),
    }
}

/// Encodes a drawing, with every pixel kept as it is.
pub fn encode_drawing(pixels: &Pixels, format: PictureFormat) -> Result<Vec<u8>> {
    match format {
        PictureFormat::Webp => webp::encode_exactly(pixels),
        PictureFormat::Png => write_png(pixels, Default::default()),
    }
}

fn png(pixels: &Pixels, effort: u8) -> Result<Vec<u8>> {
    write_png(pixels, image::codecs::png::CompressionType::Level(effort.clamp(1, 9)))
}

fn write_png(pixels: &Pixels, compression: image::codecs::png::CompressionType) -> Result<Vec<u8>> {
    let color = if pixels.alpha { image::ExtendedColorType::Rgba8 } else { image::ExtendedColorType::Rgb8 };
    let mut out = Vec::new();
    image::codecs::png::PngEncoder::new_with_quality(&mut out, compression, Default::default())
        .write_image(&pixels.data, pixels.width, pixels.height, color)
        .map_err(|e| Error::internal("a picture could not be written as PNG").because(e))?;
    Ok(out)
}

fn jpeg(pixels: &Pixels, quality: u8) -> turbojpeg::Result<Vec<u8>> {
    let data = if pixels.alpha { Cow::Owned(on_white(&pixels.data)) } else { Cow::Borrowed(&pixels.data) };
    let mut compressor = turbojpeg::Compressor::new()?;
    compressor.set_quality(i32::from(quality.clamp(1, 100)))?;
    // Who asks for 90 and more wants the colors' edges as well.
    let subsampling = if quality < 90 { turbojpeg::Subsamp::Sub2x2 } else { turbojpeg::Subsamp::None };
    compressor.set_subsamp(subsampling)?;
    compressor.set_optimize(true)?;
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    let format = turbojpeg::PixelFormat::RGB;
    compressor.compress_to_vec(turbojpeg::Image { pixels: data.as_slice(), width, pitch: width * 3, height, format })
}

fn on_white(rgba: &[u8]) -> Vec<u8> {
    let mut rgb = Vec::with_capacity(rgba.len() / 4 * 3);
    for pixel in rgba.chunks_exact(4) {
        let alpha = u32::from(pixel[3]);
        rgb.extend([0, 1, 2].map(|i| ((u32::from(pixel[i]) * alpha + 255 * (255 - alpha) + 127) / 255) as u8));
    }
    rgb
}
