//! The calls into libjxl: JPEG XL is encoded, and decoded again for the gate. All `unsafe` of this file's callers is here.
//!
//! Declared by hand from libjxl 0.7's headers: the crate that binds it is under the GPL, and those in Rust alone encode
//! without loss only.

use std::{
    ffi::{c_int, c_void},
    mem::MaybeUninit,
};

use super::{Model, Pixels, Raw, allow, library::library};
use crate::error::{Error, Result};

/// `JxlBasicInfo`.
#[repr(C)]
struct BasicInfo {
    have_container: c_int,
    width: u32,
    height: u32,
    bits_per_sample: u32,
    exponent_bits_per_sample: u32,
    intensity_target: f32,
    min_nits: f32,
    relative_to_max_display: c_int,
    linear_below: f32,
    uses_original_profile: c_int,
    have_preview: c_int,
    have_animation: c_int,
    orientation: c_int,
    num_color_channels: u32,
    num_extra_channels: u32,
    alpha_bits: u32,
    alpha_exponent_bits: u32,
    alpha_premultiplied: c_int,
    preview: [u32; 2],
    animation: [u32; 4],
    intrinsic: [u32; 2],
    /// The library's own is 100 bytes; more is no harm, should it grow.
    padding: [u8; 256],
}

#[repr(C)]
struct PixelFormat {
    channels: u32,
    data_type: c_int,
    endianness: c_int,
    align: usize,
}

/// `JxlColorEncoding` has 104 bytes; it is filled and read by the library alone.
#[repr(C, align(16))]
struct ColorEncoding(MaybeUninit<[u8; 256]>);

const TYPE_UINT8: c_int = 2;
const SETTING_EFFORT: c_int = 0;
const NEED_MORE_OUTPUT: c_int = 2;
const DECODED_ALL: c_int = 0;
const DECODER_NEEDS_BUFFER: c_int = 5;
const DECODER_BASIC_INFO: c_int = 0x40;
const DECODER_FULL_IMAGE: c_int = 0x1000;

library! {
    struct Jxl in "libjxl.so.0.7" of "libjxl0.7";
    fn JxlEncoderCreate(memory: *const c_void) -> *mut c_void;
    fn JxlEncoderDestroy(encoder: *mut c_void);
    fn JxlEncoderInitBasicInfo(info: *mut BasicInfo);
    fn JxlEncoderSetBasicInfo(encoder: *mut c_void, info: *const BasicInfo) -> c_int;
    fn JxlColorEncodingSetToSRGB(color: *mut ColorEncoding, is_gray: c_int);
    fn JxlEncoderSetColorEncoding(encoder: *mut c_void, color: *const ColorEncoding) -> c_int;
    fn JxlEncoderFrameSettingsCreate(encoder: *mut c_void, source: *const c_void) -> *mut c_void;
    fn JxlEncoderFrameSettingsSetOption(settings: *mut c_void, option: c_int, value: i64) -> c_int;
    fn JxlEncoderSetFrameLossless(settings: *mut c_void, lossless: c_int) -> c_int;
    fn JxlEncoderSetFrameDistance(settings: *mut c_void, distance: f32) -> c_int;
    fn JxlEncoderAddImageFrame(settings: *const c_void, format: *const PixelFormat, data: *const c_void, size: usize) -> c_int;
    fn JxlEncoderCloseInput(encoder: *mut c_void);
    fn JxlEncoderProcessOutput(encoder: *mut c_void, next: *mut *mut u8, room: *mut usize) -> c_int;
    fn JxlDecoderCreate(memory: *const c_void) -> *mut c_void;
    fn JxlDecoderDestroy(decoder: *mut c_void);
    fn JxlDecoderSubscribeEvents(decoder: *mut c_void, events: c_int) -> c_int;
    fn JxlDecoderSetInput(decoder: *mut c_void, data: *const u8, size: usize) -> c_int;
    fn JxlDecoderCloseInput(decoder: *mut c_void);
    fn JxlDecoderProcessInput(decoder: *mut c_void) -> c_int;
    fn JxlDecoderGetBasicInfo(decoder: *const c_void, info: *mut BasicInfo) -> c_int;
    fn JxlDecoderSetImageOutBuffer(decoder: *mut c_void, format: *const PixelFormat, data: *mut c_void, size: usize) -> c_int;
}

/// An encoder or a decoder, destroyed by the function beside it, once.
struct Owned(*mut c_void, unsafe extern "C" fn(*mut c_void));

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the pointer came from the library, is not null, and is given back here alone.
        unsafe { (self.1)(self.0) }
    }
}

fn owned(pointer: *mut c_void, free: unsafe extern "C" fn(*mut c_void)) -> Result<Owned> {
    match pointer.is_null() {
        true => Err(Error::unavailable("libjxl has no memory left")),
        false => Ok(Owned(pointer, free)),
    }
}

/// The distance (in just noticeable differences) that a quality stands for, as in libjxl's `cjxl`.
fn distance(quality: u8) -> f32 {
    let quality = f32::from(quality);
    match quality {
        q if q >= 100.0 => 0.0,
        q if q >= 30.0 => 0.1 + (100.0 - q) * 0.09,
        q => 53.0 / 3000.0 * q * q - 23.0 / 20.0 * q + 25.0,
    }
}

/// Encodes in sRGB. `quality` 1 to 100, at which every pixel is kept; `effort` 1 to 9.
pub(super) fn encode(pixels: &Pixels, quality: u8, effort: u8) -> Result<Vec<u8>> {
    let channels = if pixels.alpha { 4 } else { 3 };
    if pixels.data.len() != pixels.width as usize * pixels.height as usize * channels || pixels.data.is_empty() {
        return Err(Error::internal("a picture's bytes do not match its size"));
    }
    let is_done = |what: &str, status: c_int| match status {
        0 => Ok(()),
        _ => Err(Error::internal(format!("libjxl could not encode a picture ({what})"))),
    };
    let lib = Jxl::loaded()?;
    let lossless = quality >= 100;
    // SAFETY: the encoder is not null; what the library fills is large enough and aligned; `data` is of exactly `size`
    // bytes; `next` and `room` describe what is left of `out`, which does not move while they are in use.
    unsafe {
        let encoder = owned((lib.JxlEncoderCreate)(std::ptr::null()), lib.JxlEncoderDestroy)?;
        let mut info = MaybeUninit::<BasicInfo>::zeroed();
        (lib.JxlEncoderInitBasicInfo)(info.as_mut_ptr());
        let mut info = info.assume_init();
        (info.width, info.height) = (pixels.width, pixels.height);
        (info.bits_per_sample, info.exponent_bits_per_sample) = (8, 0);
        info.uses_original_profile = c_int::from(lossless);
        info.num_color_channels = 3;
        if pixels.alpha {
            (info.num_extra_channels, info.alpha_bits) = (1, 8);
        }
        is_done("header", (lib.JxlEncoderSetBasicInfo)(encoder.0, &info))?;
        let mut color = ColorEncoding(MaybeUninit::zeroed());
        (lib.JxlColorEncodingSetToSRGB)(&mut color, 0);
        is_done("color", (lib.JxlEncoderSetColorEncoding)(encoder.0, &color))?;
        let settings = (lib.JxlEncoderFrameSettingsCreate)(encoder.0, std::ptr::null());
        if settings.is_null() {
            return Err(Error::unavailable("libjxl has no memory left"));
        }
        let effort = i64::from(effort.clamp(1, 9));
        is_done("effort", (lib.JxlEncoderFrameSettingsSetOption)(settings, SETTING_EFFORT, effort))?;
        match lossless {
            true => is_done("lossless", (lib.JxlEncoderSetFrameLossless)(settings, 1))?,
            false => is_done("quality", (lib.JxlEncoderSetFrameDistance)(settings, distance(quality)))?,
        }
        let format = PixelFormat { channels: channels as u32, data_type: TYPE_UINT8, endianness: 0, align: 0 };
        let (data, size) = (pixels.data.as_ptr().cast(), pixels.data.len());
        is_done("pixels", (lib.JxlEncoderAddImageFrame)(settings, &format, data, size))?;
        (lib.JxlEncoderCloseInput)(encoder.0);
        let mut out = vec![0; 1 << 16];
        let mut written = 0;
        loop {
            let (mut next, mut room) = (out.as_mut_ptr().add(written), out.len() - written);
            let status = (lib.JxlEncoderProcessOutput)(encoder.0, &mut next, &mut room);
            written = out.len() - room;
            match status {
                NEED_MORE_OUTPUT => out.resize(out.len() * 2, 0),
                status => {
                    is_done("frame", status)?;
                    break;
                }
            }
        }
        out.truncate(written);
        Ok(out)
    }
}

/// Decodes a picture of ours to its end.
pub(super) fn decode(bytes: &[u8], cap: u64) -> Result<Raw> {
    let lib = Jxl::loaded()?;
    let damaged = || Error::corrupt("the JPEG XL is damaged or cut off");
    let mut raw = Raw { width: 0, height: 0, model: Model::Rgb, data: Vec::new() };
    // SAFETY: the decoder is not null; `bytes` and `raw.data`, of exactly the size that is told, outlive it, for it is
    // made after them and dropped first.
    unsafe {
        let decoder = owned((lib.JxlDecoderCreate)(std::ptr::null()), lib.JxlDecoderDestroy)?;
        let events = DECODER_BASIC_INFO | DECODER_FULL_IMAGE;
        if (lib.JxlDecoderSubscribeEvents)(decoder.0, events) != 0
            || (lib.JxlDecoderSetInput)(decoder.0, bytes.as_ptr(), bytes.len()) != 0
        {
            return Err(Error::internal("libjxl does not take its input"));
        }
        (lib.JxlDecoderCloseInput)(decoder.0);
        loop {
            match (lib.JxlDecoderProcessInput)(decoder.0) {
                DECODED_ALL if raw.width > 0 => break,
                DECODER_BASIC_INFO => {
                    let mut info = MaybeUninit::<BasicInfo>::zeroed();
                    if (lib.JxlDecoderGetBasicInfo)(decoder.0, info.as_mut_ptr()) != 0 {
                        return Err(damaged());
                    }
                    let info = info.assume_init();
                    allow((info.width, info.height), cap)?;
                    (raw.width, raw.height) = (info.width, info.height);
                    raw.model = if info.alpha_bits > 0 { Model::Rgba } else { Model::Rgb };
                    raw.data = vec![0; info.width as usize * info.height as usize * raw.model.channels()];
                }
                DECODER_NEEDS_BUFFER => {
                    let channels = raw.model.channels() as u32;
                    let format = PixelFormat { channels, data_type: TYPE_UINT8, endianness: 0, align: 0 };
                    let (data, size) = (raw.data.as_mut_ptr().cast(), raw.data.len());
                    if (lib.JxlDecoderSetImageOutBuffer)(decoder.0, &format, data, size) != 0 {
                        return Err(damaged());
                    }
                }
                DECODER_FULL_IMAGE => {}
                _ => return Err(damaged()),
            }
        }
    }
    Ok(raw)
}
