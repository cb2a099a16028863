//! The calls into libheif: HEIC and AVIF are decoded, AVIF is encoded. All `unsafe` of this file's callers is here.
//!
//! Declared by hand from libheif 1.15's `heif.h`: the crates that bind it want 1.17, and these functions have not changed
//! since 1.13.

use std::ffi::{CStr, c_char, c_int, c_void};

use super::{Model, Pixels, Raw, allow, library::library};
use crate::error::{Error, Result};

/// The longest side of an AVIF (AV1 Image File Format 1.1, advanced profile).
pub(super) const MOST_SIDE: u32 = 16_384;

#[repr(C)]
struct HeifError {
    code: c_int,
    subcode: c_int,
    message: *const c_char,
}

/// `struct heif_decoding_options` up to what is set here; libheif allocates it, and it may be longer.
#[repr(C)]
struct DecodingOptions {
    version: u8,
    ignore_transformations: u8,
    start_progress: *const c_void,
    on_progress: *const c_void,
    end_progress: *const c_void,
    progress_user_data: *const c_void,
    convert_hdr_to_8bit: u8,
}

/// `struct heif_color_profile_nclx` up to what is set here; libheif allocates it.
#[repr(C)]
struct Nclx {
    version: u8,
    primaries: c_int,
    transfer: c_int,
    matrix: c_int,
    full_range: u8,
}

#[repr(C)]
struct Writer {
    version: c_int,
    write: extern "C" fn(*mut c_void, *const c_void, usize, *mut c_void) -> HeifError,
}

const AV1: c_int = 4;
const COLORSPACE_RGB: c_int = 1;
const INTERLEAVED_RGB: c_int = 10;
const INTERLEAVED_RGBA: c_int = 11;
const CHANNEL_INTERLEAVED: c_int = 10;

library! {
    struct Heif in "libheif.so.1" of "libheif1";
    fn heif_context_alloc() -> *mut c_void;
    fn heif_context_free(context: *mut c_void);
    fn heif_context_read_from_memory_without_copy(context: *mut c_void, bytes: *const c_void, length: usize, options: *const c_void) -> HeifError;
    fn heif_context_set_maximum_image_size_limit(context: *mut c_void, side: c_int);
    fn heif_context_get_primary_image_handle(context: *mut c_void, handle: *mut *mut c_void) -> HeifError;
    fn heif_image_handle_release(handle: *mut c_void);
    fn heif_image_handle_get_width(handle: *const c_void) -> c_int;
    fn heif_image_handle_get_height(handle: *const c_void) -> c_int;
    fn heif_image_handle_has_alpha_channel(handle: *const c_void) -> c_int;
    fn heif_image_handle_is_premultiplied_alpha(handle: *const c_void) -> c_int;
    fn heif_decoding_options_alloc() -> *mut DecodingOptions;
    fn heif_decoding_options_free(options: *mut c_void);
    fn heif_decode_image(handle: *const c_void, image: *mut *mut c_void, colorspace: c_int, chroma: c_int, options: *const DecodingOptions) -> HeifError;
    fn heif_image_create(width: c_int, height: c_int, colorspace: c_int, chroma: c_int, image: *mut *mut c_void) -> HeifError;
    fn heif_image_release(image: *mut c_void);
    fn heif_image_add_plane(image: *mut c_void, channel: c_int, width: c_int, height: c_int, depth: c_int) -> HeifError;
    fn heif_image_get_width(image: *const c_void, channel: c_int) -> c_int;
    fn heif_image_get_height(image: *const c_void, channel: c_int) -> c_int;
    fn heif_image_get_plane(image: *mut c_void, channel: c_int, stride: *mut c_int) -> *mut u8;
    fn heif_image_get_plane_readonly(image: *const c_void, channel: c_int, stride: *mut c_int) -> *const u8;
    fn heif_image_set_nclx_color_profile(image: *mut c_void, profile: *const Nclx) -> HeifError;
    fn heif_nclx_color_profile_alloc() -> *mut Nclx;
    fn heif_nclx_color_profile_free(profile: *mut c_void);
    fn heif_context_get_encoder_for_format(context: *mut c_void, format: c_int, encoder: *mut *mut c_void) -> HeifError;
    fn heif_encoder_release(encoder: *mut c_void);
    fn heif_encoder_set_lossy_quality(encoder: *mut c_void, quality: c_int) -> HeifError;
    fn heif_encoder_set_parameter_integer(encoder: *mut c_void, name: *const c_char, value: c_int) -> HeifError;
    fn heif_encoder_set_parameter_string(encoder: *mut c_void, name: *const c_char, value: *const c_char) -> HeifError;
    fn heif_context_encode_image(context: *mut c_void, image: *const c_void, encoder: *mut c_void, options: *const c_void, handle: *mut *mut c_void) -> HeifError;
    fn heif_context_write(context: *mut c_void, writer: *mut Writer, to: *mut c_void) -> HeifError;
}

/// Something of libheif's that is given back by the function beside it, once.
struct Owned(*mut c_void, unsafe extern "C" fn(*mut c_void));

impl Owned {
    fn new(pointer: *mut c_void, free: unsafe extern "C" fn(*mut c_void)) -> Result<Self> {
        match pointer.is_null() {
            true => Err(Error::unavailable("libheif has no memory left")),
            false => Ok(Self(pointer, free)),
        }
    }
}

impl Drop for Owned {
    fn drop(&mut self) {
        // SAFETY: the pointer came from libheif, is not null, and is given back here alone, by the function made for it.
        unsafe { (self.1)(self.0) }
    }
}

/// libheif's codes: 3 and 4 are what it cannot read, 6 is memory, 7 a decoder's complaint.
fn check(error: &HeifError) -> Result<()> {
    if error.code == 0 {
        return Ok(());
    }
    let text = match error.message.is_null() {
        true => "no reason given".into(),
        // SAFETY: libheif's messages are C strings that live as long as their context, and longer than this call.
        false => unsafe { CStr::from_ptr(error.message) }.to_string_lossy(),
    };
    let says = |needle: &str| text.to_lowercase().contains(needle);
    Err(match error.code {
        3 | 4 => Error::unsupported(format!("the picture is of a kind that is not handled: {text}")),
        _ if says("security limit") || says("exceeds the maximum") => {
            Error::unsupported(format!("the picture is larger than libheif may read: {text}"))
        }
        6 => Error::new(crate::error::Kind::OutOfMemory, format!("libheif ran out of memory: {text}")),
        8 | 9 => Error::internal(format!("libheif could not encode a picture: {text}")),
        _ => Error::corrupt(format!("the picture is damaged or cut off: {text}")),
    })
}

/// Decodes the primary picture, cropped, turned and mirrored as the file says, to 8 bits a component. Colors are the
/// file's own.
pub(super) fn decode(bytes: &[u8], cap: u64) -> Result<Raw> {
    let lib = Heif::loaded()?;
    // SAFETY: each pointer is checked or comes with a code that is; `bytes` outlives the context that reads it, which is
    // declared before all that comes of it and so freed last.
    unsafe {
        let context = Owned::new((lib.heif_context_alloc)(), lib.heif_context_free)?;
        (lib.heif_context_set_maximum_image_size_limit)(context.0, super::MOST_SIDE as c_int);
        let read = (lib.heif_context_read_from_memory_without_copy)(
            context.0,
            bytes.as_ptr().cast(),
            bytes.len(),
            std::ptr::null(),
        );
        check(&read)?;
        let mut handle = std::ptr::null_mut();
        check(&(lib.heif_context_get_primary_image_handle)(context.0, &mut handle))?;
        let handle = Owned::new(handle, lib.heif_image_handle_release)?;
        let side = |n: c_int| u32::try_from(n).unwrap_or_default();
        let size =
            (side((lib.heif_image_handle_get_width)(handle.0)), side((lib.heif_image_handle_get_height)(handle.0)));
        allow(size, cap)?;
        let alpha = (lib.heif_image_handle_has_alpha_channel)(handle.0) != 0;
        let premultiplied = alpha && (lib.heif_image_handle_is_premultiplied_alpha)(handle.0) != 0;
        let options = Owned::new((lib.heif_decoding_options_alloc)().cast(), lib.heif_decoding_options_free)?;
        (*options.0.cast::<DecodingOptions>()).convert_hdr_to_8bit = 1;
        let (chroma, model) = if alpha { (INTERLEAVED_RGBA, Model::Rgba) } else { (INTERLEAVED_RGB, Model::Rgb) };
        let mut image = std::ptr::null_mut();
        check(&(lib.heif_decode_image)(handle.0, &mut image, COLORSPACE_RGB, chroma, options.0.cast_const().cast()))?;
        let image = Owned::new(image, lib.heif_image_release)?;
        let width = side((lib.heif_image_get_width)(image.0, CHANNEL_INTERLEAVED));
        let height = side((lib.heif_image_get_height)(image.0, CHANNEL_INTERLEAVED));
        // What is coded may be of another size than what the container says.
        allow((width, height), cap)?;
        let mut stride = 0;
        let plane = (lib.heif_image_get_plane_readonly)(image.0, CHANNEL_INTERLEAVED, &mut stride);
        let row = width as usize * model.channels();
        let stride = usize::try_from(stride).unwrap_or_default();
        if plane.is_null() || stride < row {
            return Err(Error::internal("libheif gave no pixels"));
        }
        let mut data = Vec::with_capacity(row * height as usize);
        for y in 0..height as usize {
            // The plane has `height` rows of `stride` bytes, of which `row` are pixels.
            data.extend_from_slice(std::slice::from_raw_parts(plane.add(y * stride), row));
        }
        let mut raw = Raw { width, height, model, data };
        if premultiplied {
            super::tiff::straighten(&mut raw);
        }
        Ok(raw)
    }
}

/// Encodes as AVIF in sRGB. `quality` 0 to 100, `effort` 0 to 9.
pub(super) fn encode(pixels: &Pixels, quality: u8, effort: u8) -> Result<Vec<u8>> {
    let (width, height) = (pixels.width as usize, pixels.height as usize);
    let channels = if pixels.alpha { 4 } else { 3 };
    if pixels.data.len() != width * height * channels || pixels.data.is_empty() {
        return Err(Error::internal("a picture's bytes do not match its size"));
    }
    let lib = Heif::loaded()?;
    let (wide, high) = (pixels.width as c_int, pixels.height as c_int);
    // SAFETY: each pointer is checked or comes with a code that is. The plane has room for `height` rows of `stride`
    // bytes, and the length of the data was compared with the size. `out` lives longer than the write that fills it.
    unsafe {
        let context = Owned::new((lib.heif_context_alloc)(), lib.heif_context_free)?;
        let chroma = if pixels.alpha { INTERLEAVED_RGBA } else { INTERLEAVED_RGB };
        let mut image = std::ptr::null_mut();
        check(&(lib.heif_image_create)(wide, high, COLORSPACE_RGB, chroma, &mut image))?;
        let image = Owned::new(image, lib.heif_image_release)?;
        check(&(lib.heif_image_add_plane)(image.0, CHANNEL_INTERLEAVED, wide, high, 8))?;
        let mut stride = 0;
        let plane = (lib.heif_image_get_plane)(image.0, CHANNEL_INTERLEAVED, &mut stride);
        let stride = usize::try_from(stride).unwrap_or_default();
        if plane.is_null() || stride < width * channels {
            return Err(Error::unavailable("libheif has no memory left"));
        }
        for (y, row) in pixels.data.chunks_exact(width * channels).enumerate() {
            std::slice::from_raw_parts_mut(plane.add(y * stride), row.len()).copy_from_slice(row);
        }
        let nclx = Owned::new((lib.heif_nclx_color_profile_alloc)().cast(), lib.heif_nclx_color_profile_free)?;
        let said = nclx.0.cast::<Nclx>();
        // sRGB (ITU-T H.273): BT.709's primaries, its own curve, BT.601's matrix, full range.
        ((*said).primaries, (*said).transfer, (*said).matrix, (*said).full_range) = (1, 13, 6, 1);
        check(&(lib.heif_image_set_nclx_color_profile)(image.0, said))?;
        let mut encoder = std::ptr::null_mut();
        check(&(lib.heif_context_get_encoder_for_format)(context.0, AV1, &mut encoder))
            .map_err(|e| e.hint("libheif needs an encoder of AV1: Debian's libheif1 has libaom"))?;
        let encoder = Owned::new(encoder, lib.heif_encoder_release)?;
        check(&(lib.heif_encoder_set_lossy_quality)(encoder.0, quality.into()))?;
        let speed = 9 - c_int::from(effort.min(9));
        check(&(lib.heif_encoder_set_parameter_integer)(encoder.0, c"speed".as_ptr(), speed))?;
        // As for JPEG: who asks for 90 and more wants the colors' edges as well.
        let sampling = if quality < 90 { c"420" } else { c"444" };
        check(&(lib.heif_encoder_set_parameter_string)(encoder.0, c"chroma".as_ptr(), sampling.as_ptr()))?;
        check(&(lib.heif_context_encode_image)(context.0, image.0, encoder.0, std::ptr::null(), std::ptr::null_mut()))?;
        let mut out = Vec::new();
        let mut writer = Writer { version: 1, write: append };
        check(&(lib.heif_context_write)(context.0, &mut writer, std::ptr::from_mut(&mut out).cast()))?;
        Ok(out)
    }
}

extern "C" fn append(_: *mut c_void, data: *const c_void, size: usize, to: *mut c_void) -> HeifError {
    // SAFETY: `to` is the vector that `encode` handed to the write that this is called from; `data` has `size` bytes.
    let (to, data) = unsafe { (&mut *to.cast::<Vec<u8>>(), std::slice::from_raw_parts(data.cast::<u8>(), size)) };
    to.extend_from_slice(data);
    HeifError { code: 0, subcode: 0, message: c"".as_ptr() }
}

/// Why a picture cannot become AVIF.
pub(super) fn too_large((width, height): (u32, u32)) -> Error {
    Error::unsupported(format!("AVIF holds at most {MOST_SIDE} pixels a side, the picture is {width} x {height}"))
        .hint("give the entry a max_width and max_height, or make it a jpeg")
}
