//! Decodes JPEG 2000, in safe Rust.

use hayro_jpeg2000::{ColorSpace, DecodeSettings, DecoderContext, Image};

use super::{Model, Raw, allow, decode::Decoded};
use crate::error::{Error, Result};

/// Decodes a JP2 file or a codestream, at the smallest of its resolutions that is not smaller than `needed` says.
pub(super) fn decode(bytes: &[u8], stored: (u32, u32), needed: (u32, u32), cap: u64) -> Result<Decoded> {
    allow(stored, cap)?;
    // More is not decoded than what Lanczos wants: half as much again.
    let target = (needed.0.saturating_mul(3) / 2, needed.1.saturating_mul(3) / 2);
    let target_resolution = (target.0 < stored.0 && target.1 < stored.1).then_some(target);
    let settings = DecodeSettings { strict: true, target_resolution, ..DecodeSettings::default() };
    let image = Image::new(bytes, &settings).map_err(trouble)?;
    allow((image.width(), image.height()), cap)?;
    let mut context = DecoderContext::default();
    let decoded = image.decode(&mut context).map_err(trouble)?;
    let model = match (image.color_space().num_channels(), image.has_alpha()) {
        (1, false) => Model::Gray,
        (1, true) => Model::GrayAlpha,
        (3, false) => Model::Rgb,
        (3, true) => Model::Rgba,
        (4, false) if !matches!(image.color_space(), ColorSpace::Unknown { .. }) => Model::Cmyk,
        (channels, _) => {
            return Err(Error::unsupported(format!("JPEG 2000 of {channels} components is not handled")));
        }
    };
    let (width, height) = (image.width(), image.height());
    let data = decoded.data_u8();
    if data.len() != width as usize * height as usize * model.channels() {
        return Err(Error::corrupt("the JPEG 2000's components do not fit together"));
    }
    Ok(Decoded { raw: Raw { width, height, model, data }, stored })
}

fn trouble(error: hayro_jpeg2000::DecodeError) -> Error {
    let text = error.to_string();
    match text.to_lowercase().contains("unsupported") || text.contains("not supported") {
        true => Error::unsupported(format!("the JPEG 2000 is of a kind that is not handled: {text}")),
        false => Error::corrupt(format!("the JPEG 2000 is damaged or cut off: {text}")),
    }
}
