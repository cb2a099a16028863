//! Makes pictures smaller and turns them upright.

use fast_image_resize::{
    FilterType, MulDiv, PixelType, ResizeAlg, ResizeOptions, Resizer,
    images::{Image, ImageRef},
};

use super::{Model, Pixels, Raw};
use crate::error::{Error, Result};

/// Scales by Lanczos3, which is what photographs want when they shrink. Alpha is straight on both sides and
/// premultiplied in between, so that colors under transparent pixels do not bleed into the edges.
pub(super) fn raw(mut raw: Raw, size: (u32, u32)) -> Result<Raw> {
    if (raw.width, raw.height) == size {
        return Ok(raw);
    }
    let kind = kind(raw.model);
    let from = (raw.width, raw.height);
    let data = if raw.model.has_alpha() {
        // In place on what we own: a large master with alpha is not held twice.
        let mut premultiplied = Image::from_vec_u8(raw.width, raw.height, raw.data, kind).map_err(ours)?;
        MulDiv::new().multiply_alpha_inplace(&mut premultiplied).map_err(ours)?;
        let data = resample(premultiplied.buffer(), kind, from, size, false)?;
        let mut small = Image::from_vec_u8(size.0, size.1, data, kind).map_err(ours)?;
        MulDiv::new().divide_alpha_inplace(&mut small).map_err(ours)?;
        small.into_vec()
    } else {
        resample(&raw.data, kind, from, size, false)?
    };
    (raw.width, raw.height, raw.data) = (size.0, size.1, data);
    Ok(raw)
}

/// The same for a finished picture that is still needed.
pub(super) fn pixels(pixels: &Pixels, size: (u32, u32)) -> Result<Pixels> {
    let kind = if pixels.alpha { PixelType::U8x4 } else { PixelType::U8x3 };
    let data = resample(&pixels.data, kind, (pixels.width, pixels.height), size, pixels.alpha)?;
    Ok(Pixels { width: size.0, height: size.1, alpha: pixels.alpha, data })
}

fn kind(model: Model) -> PixelType {
    match model {
        Model::Gray => PixelType::U8,
        Model::GrayAlpha => PixelType::U8x2,
        Model::Rgb => PixelType::U8x3,
        Model::Rgba | Model::Cmyk => PixelType::U8x4,
    }
}

fn resample(data: &[u8], kind: PixelType, from: (u32, u32), to: (u32, u32), alpha: bool) -> Result<Vec<u8>> {
    let source = ImageRef::new(from.0, from.1, data, kind).map_err(ours)?;
    let mut target = Image::new(to.0, to.1, kind);
    let options = ResizeOptions::new().resize_alg(ResizeAlg::Convolution(FilterType::Lanczos3)).use_alpha(alpha);
    Resizer::new().resize(&source, &mut target, &options).map_err(ours)?;
    Ok(target.into_vec())
}

fn ours(error: impl std::error::Error + Send + Sync + 'static) -> Error {
    Error::internal("a picture could not be scaled").because(error)
}

/// Turns stored pixels upright, by EXIF orientation (TIFF 6.0, tag 274): 1 to 8, anything else leaves them.
pub(super) fn upright(pixels: Pixels, orientation: u8) -> Pixels {
    if !(2..=8).contains(&orientation) {
        return pixels;
    }
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    let (across, down) = if orientation >= 5 { (height, width) } else { (width, height) };
    let channels = if pixels.alpha { 4 } else { 3 };
    let mut data = Vec::with_capacity(pixels.data.len());
    for y in 0..down {
        for x in 0..across {
            let (from_x, from_y) = match orientation {
                2 => (width - 1 - x, y),
                3 => (width - 1 - x, height - 1 - y),
                4 => (x, height - 1 - y),
                5 => (y, x),
                6 => (y, height - 1 - x),
                7 => (width - 1 - y, height - 1 - x),
                _ => (width - 1 - y, x),
            };
            let at = (from_y * width + from_x) * channels;
            data.extend_from_slice(&pixels.data[at..at + channels]);
        }
    }
    Pixels { width: across as u32, height: down as u32, alpha: pixels.alpha, data }
}
