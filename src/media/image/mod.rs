//! Still pictures: read, scaled and written in plain Rust, libjpeg-turbo, libwebp, libheif and libjxl, always to 8-bit sRGB.
//!
//! [`ImageRenderer`] is the entry: one decode, then a cascade of ever smaller pictures, each encoded on the way down.
//! [`facts()`] reads headers alone, [`animation`] hands out composited frames, [`encode_still`] serves other renderers'
//! posters and [`check`] the acceptance gate. What is refused here: sensors' data, floating-point samples, Lab.

pub mod animation;
mod boxes;
mod color;
mod decode;
mod encode;
mod facts;
#[cfg(test)]
mod foreign_tests;
mod header;
#[cfg(feature = "heif")]
mod heif;
mod ifd;
mod jp2;
#[cfg(feature = "jxl")]
mod jxl;
#[cfg(any(feature = "heif", feature = "jxl"))]
mod library;
mod psd;
mod raw;
mod render;
#[cfg(test)]
mod samples;
mod scale;
#[cfg(test)]
mod tests;
mod tiff;
mod webp;

use std::path::Path;

#[cfg(any(feature = "heif", feature = "jxl"))]
pub use self::library::{Library, libraries};
pub use self::{
    encode::{encode_drawing, encode_still},
    facts::facts,
    render::{ImageRenderer, seen},
};
use crate::error::{Error, Result};

/// A decoded picture: 8 bits a component, sRGB, upright, rows tightly packed.
#[derive(Clone, Debug, PartialEq)]
pub struct Pixels {
    /// Width in pixels.
    pub width: u32,
    /// Height in pixels.
    pub height: u32,
    /// Whether each pixel is R G B A (straight alpha) or R G B.
    pub alpha: bool,
    /// `width × height × (4 or 3)` bytes.
    pub data: Vec<u8>,
}

/// Decodes one of our own outputs to its last pixel and says its width, its height and whether it has
/// alpha. A truncated or damaged file is an error of [`Kind::Corrupt`](crate::error::Kind::Corrupt).
pub fn check(path: &Path, mime: &str) -> Result<(u32, u32, bool)> {
    let bytes = decode::whole(path)?;
    let raw = match mime {
        "image/jpeg" => decode::jpeg(&bytes, None, OWN_PIXELS)?.raw,
        "image/webp" => webp::decode(&bytes, OWN_PIXELS)?,
        "image/png" => decode::png(std::io::Cursor::new(bytes.as_slice()), OWN_PIXELS)?,
        #[cfg(feature = "heif")]
        "image/avif" => heif::decode(&bytes, OWN_PIXELS)?,
        #[cfg(feature = "jxl")]
        "image/jxl" => jxl::decode(&bytes, OWN_PIXELS)?,
        other => return Err(Error::invalid(format!("'{other}' is not a picture format of ours"))),
    };
    Ok((raw.width, raw.height, raw.model.has_alpha()))
}

/// Outputs are at most as large as their masters, so this is a bound of sanity only: [`Limits`](super::Limits)'
/// default.
const OWN_PIXELS: u64 = 300_000_000;

/// The most pixels on one side: what libjpeg can do (`JPEG_MAX_DIMENSION`), and used for every format.
const MOST_SIDE: u32 = 65_500;

/// A picture as its file holds it: 8 bits a component, but in the file's own color space and not yet turned upright.
#[derive(Clone, Debug, PartialEq)]
struct Raw {
    width: u32,
    height: u32,
    model: Model,
    /// `width × height × model.channels()` bytes.
    data: Vec<u8>,
}

/// The components of a [`Raw`] pixel. Alpha is straight; in CMYK 255 is full ink.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Model {
    Gray,
    GrayAlpha,
    Rgb,
    Rgba,
    Cmyk,
}

impl Model {
    fn channels(self) -> usize {
        match self {
            Model::Gray => 1,
            Model::GrayAlpha => 2,
            Model::Rgb => 3,
            Model::Rgba | Model::Cmyk => 4,
        }
    }

    fn has_alpha(self) -> bool {
        matches!(self, Model::GrayAlpha | Model::Rgba)
    }
}

/// Refuses a picture larger than the cap before anything is allocated for it.
fn allow((width, height): (u32, u32), cap: u64) -> Result<()> {
    let pixels = u64::from(width) * u64::from(height);
    if pixels == 0 {
        return Err(Error::corrupt(format!("the header says {width} x {height} pixels")));
    }
    if width > MOST_SIDE || height > MOST_SIDE {
        return Err(Error::unsupported(format!(
            "the picture is {width} x {height} pixels: a side of more than {MOST_SIDE} is not handled"
        )));
    }
    if pixels > cap {
        return Err(Error::unsupported(format!(
            "the picture is {width} x {height} = {pixels} pixels: the cap is {cap}"
        ))
        .hint("raise the limit of pixels if the file is trusted"));
    }
    Ok(())
}
