//! The calls into libwebp: encode a picture, decode a still one. All `unsafe` of this module's siblings is here.

use std::mem::MaybeUninit;

use libwebp_sys as sys;

use super::{Model, Pixels, Raw, allow};
use crate::error::{Error, Result};

/// The longest side that WebP can store (RFC 9649: 14 bits).
pub(super) const MOST_SIDE: u32 = 16_383;

/// Frees what libwebp allocated for an encoding, however that ends.
struct Encoding {
    picture: sys::WebPPicture,
    writer: sys::WebPMemoryWriter,
}

impl Drop for Encoding {
    fn drop(&mut self) {
        // SAFETY: both were initialized by their functions, are freed here alone, and may be empty.
        unsafe {
            sys::WebPPictureFree(&mut self.picture);
            sys::WebPMemoryWriterClear(&mut self.writer);
        }
    }
}

/// Encodes lossily; alpha is kept losslessly. `quality` 0 to 100, `effort` 0 to 6.
pub(super) fn encode(pixels: &Pixels, quality: u8, effort: u8) -> Result<Vec<u8>> {
    let mut config = defaults(quality)?;
    config.method = i32::from(effort.min(6));
    encode_by(&config, pixels)
}

/// Encodes so that every pixel comes back exactly as it was; what is transparent has no color.
pub(super) fn encode_exactly(pixels: &Pixels) -> Result<Vec<u8>> {
    let mut config = defaults(75)?;
    config.lossless = 1;
    encode_by(&config, pixels)
}

fn defaults(quality: u8) -> Result<sys::WebPConfig> {
    let preset = sys::WebPPreset::WEBP_PRESET_DEFAULT;
    sys::WebPConfig::new_with_preset(preset, f32::from(quality)).map_err(refused)
}

fn refused((): ()) -> Error {
    Error::internal("libwebp is of another version than its bindings")
}

fn encode_by(config: &sys::WebPConfig, pixels: &Pixels) -> Result<Vec<u8>> {
    let (width, height) = (pixels.width, pixels.height);
    if width > MOST_SIDE || height > MOST_SIDE {
        return Err(too_large((width, height)));
    }
    let channels = if pixels.alpha { 4 } else { 3 };
    if pixels.data.len() != width as usize * height as usize * channels || pixels.data.is_empty() {
        return Err(Error::internal("a picture's bytes do not match its size"));
    }
    let mut writer = MaybeUninit::uninit();
    // SAFETY: this writes every field of the writer.
    let writer = unsafe {
        sys::WebPMemoryWriterInit(writer.as_mut_ptr());
        writer.assume_init()
    };
    let mut encoding = Encoding { picture: sys::WebPPicture::new().map_err(refused)?, writer };
    let Encoding { picture, writer } = &mut encoding;
    // Converted to Y'CbCr on the way in, nothing would come back exactly.
    picture.use_argb = config.lossless;
    picture.width = width as i32;
    picture.height = height as i32;
    let stride = width as i32 * channels as i32;
    // SAFETY: the length of the data was compared with width, height and stride above; the writer lives as long as the
    // picture that points to it, and nothing moves them before the encoder returns.
    let done = unsafe {
        let imported = if pixels.alpha {
            sys::WebPPictureImportRGBA(picture, pixels.data.as_ptr(), stride)
        } else {
            sys::WebPPictureImportRGB(picture, pixels.data.as_ptr(), stride)
        };
        picture.writer = Some(sys::WebPMemoryWrite);
        picture.custom_ptr = std::ptr::from_mut(writer).cast();
        imported != 0 && sys::WebPEncode(config, picture) != 0
    };
    if !done {
        return Err(Error::internal(format!("libwebp could not encode a picture: {:?}", picture.error_code)));
    }
    // SAFETY: after success `mem` points to `size` bytes that the writer owns.
    Ok(unsafe { std::slice::from_raw_parts(writer.mem, writer.size) }.to_vec())
}

/// Why a picture cannot become WebP.
pub(super) fn too_large((width, height): (u32, u32)) -> Error {
    Error::unsupported(format!("WebP holds at most {MOST_SIDE} pixels a side, the picture is {width} x {height}"))
        .hint("give the entry a max_width and max_height, or make it a jpeg")
}

/// Decodes a still WebP.
pub(super) fn decode(bytes: &[u8], cap: u64) -> Result<Raw> {
    let cut = || Error::corrupt("the WebP file is damaged or cut off");
    // libwebp decodes what is there of a cut lossy picture without complaint, but the container knows its length.
    let claimed = bytes.get(4..8).and_then(|b| b.try_into().ok()).map(u32::from_le_bytes).ok_or_else(cut)?;
    if (bytes.len() as u64) < u64::from(claimed) + 8 {
        return Err(Error::corrupt("the WebP file is cut off"));
    }
    let mut features = MaybeUninit::uninit();
    // SAFETY: the pointer and length are of one slice; the features are read only after the call said that it set them.
    let features = unsafe {
        let version = sys::WEBP_DECODER_ABI_VERSION as i32;
        let status = sys::WebPGetFeaturesInternal(bytes.as_ptr(), bytes.len(), features.as_mut_ptr(), version);
        if status != sys::VP8StatusCode::VP8_STATUS_OK {
            return Err(cut());
        }
        features.assume_init()
    };
    let (width, height) = (features.width.max(0) as u32, features.height.max(0) as u32);
    allow((width, height), cap)?;
    let model = if features.has_alpha != 0 { Model::Rgba } else { Model::Rgb };
    let stride = width as usize * model.channels();
    let mut data = vec![0; stride * height as usize];
    let (from, length) = (bytes.as_ptr(), bytes.len());
    let (to, room) = (data.as_mut_ptr(), data.len());
    // SAFETY: `room` and `stride` describe exactly the buffer that `to` points to.
    let decoded = unsafe {
        match model {
            Model::Rgba => sys::WebPDecodeRGBAInto(from, length, to, room, stride as i32),
            _ => sys::WebPDecodeRGBInto(from, length, to, room, stride as i32),
        }
    };
    if decoded.is_null() { Err(cut()) } else { Ok(Raw { width, height, model, data }) }
}
