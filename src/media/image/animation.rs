//! Plays GIF and animated WebP: every frame as a viewer shows it, one after the other.

use std::{fs::File, io::BufReader, ops::ControlFlow, path::Path};

use image::AnimationDecoder;

use super::{
    Pixels, allow,
    decode::{from_image, whole_length},
    header::{self, Format},
};
use crate::error::{Doing, Error, Result};

/// One picture of an animation.
#[derive(Clone, Debug, PartialEq)]
pub struct Frame {
    /// The full canvas, composited with what earlier frames left; always with alpha.
    pub pixels: Pixels,
    /// How long it is shown, in milliseconds.
    pub delay_ms: u32,
}

/// Hands every frame of a GIF or animated WebP to `each`, in order; a still one gives one frame. One canvas and one
/// frame are in memory at a time, each of at most `pixel_cap` pixels. An error of `each` ends the reading.
pub fn read(input: &Path, pixel_cap: u64, each: &mut dyn FnMut(Frame) -> Result<()>) -> Result<()> {
    walk(input, pixel_cap, &mut |frame| each(frame).map(ControlFlow::Continue))
}

/// The delay that is meant: browsers show frames of up to 10 ms for 100 ms, because so many files say 0 and mean
/// nothing by it (WebKit bug 14413; Gecko and Blink do the same).
pub(super) fn shown_ms(delay_ms: u32) -> u32 {
    if delay_ms <= 10 { 100 } else { delay_ms }
}

/// What `read` does, until `each` breaks off.
pub(super) fn walk(input: &Path, pixel_cap: u64, each: &mut dyn FnMut(Frame) -> Result<ControlFlow<()>>) -> Result<()> {
    let header = header::read(input)?;
    match header.format {
        Some(Format::Gif) => gif(input, pixel_cap, each),
        Some(Format::Webp) => {
            allow((header.width, header.height), pixel_cap)?;
            if header.frames > 1 {
                return webp(input, each);
            }
            let raw = super::webp::decode(&super::decode::whole(input)?, pixel_cap)?;
            let pixels = with_alpha(super::color::to_srgb(raw, header.icc.as_deref()));
            each(Frame { pixels, delay_ms: shown_ms(0) }).map(|_| ())
        }
        _ => Err(Error::corrupt(header.problem.unwrap_or_else(|| "it is neither GIF nor WebP".to_owned()))),
    }
}

fn with_alpha(pixels: Pixels) -> Pixels {
    if pixels.alpha {
        return pixels;
    }
    let data = pixels.data.chunks_exact(3).flat_map(|p| [p[0], p[1], p[2], 255]).collect();
    Pixels { alpha: true, data, ..pixels }
}

fn webp(input: &Path, each: &mut dyn FnMut(Frame) -> Result<ControlFlow<()>>) -> Result<()> {
    whole_length(input)?;
    let file = File::open(input).doing(|| format!("cannot read {}", input.display()))?;
    let decoder = image::codecs::webp::WebPDecoder::new(BufReader::new(file)).map_err(from_image)?;
    for frame in decoder.into_frames() {
        let frame = frame.map_err(from_image)?;
        let (numerator, denominator) = frame.delay().numer_denom_ms();
        let delay_ms = shown_ms(numerator / denominator.max(1));
        let canvas = frame.into_buffer();
        let (width, height) = canvas.dimensions();
        let pixels = Pixels { width, height, alpha: true, data: canvas.into_raw() };
        if each(Frame { pixels, delay_ms })?.is_break() {
            break;
        }
    }
    Ok(())
}

/// A part of the canvas, already clipped to it.
#[derive(Clone, Copy)]
struct Area {
    left: usize,
    top: usize,
    width: usize,
    height: usize,
}

fn gif(input: &Path, cap: u64, each: &mut dyn FnMut(Frame) -> Result<ControlFlow<()>>) -> Result<()> {
    let file = File::open(input).doing(|| format!("cannot read {}", input.display()))?;
    let mut options = gif::DecodeOptions::new();
    options.set_color_output(gif::ColorOutput::RGBA);
    // Frames are measured against the cap below, and go into a buffer of ours.
    options.set_memory_limit(gif::MemoryLimit::Unlimited);
    let mut decoder = options.read_info(BufReader::new(file)).map_err(damage)?;
    let (width, height) = (u32::from(decoder.width()), u32::from(decoder.height()));
    allow((width, height), cap)?;
    let row = width as usize * 4;
    let mut canvas = vec![0; row * height as usize];
    let mut picture = Vec::new();
    let mut shown = 0u64;
    loop {
        let frame = match decoder.next_frame_info() {
            Ok(Some(frame)) => frame,
            Ok(None) => break,
            // Browsers show a GIF that lacks its trailer, and so do we.
            Err(gif::DecodingError::UnexpectedEof) if shown > 0 => break,
            Err(error) => return Err(damage(error)),
        };
        if frame.width == 0 || frame.height == 0 {
            return Err(Error::corrupt("a frame of the GIF has no size"));
        }
        allow((u32::from(frame.width), u32::from(frame.height)), cap)?;
        let (dispose, delay_ms) = (frame.dispose, shown_ms(u32::from(frame.delay) * 10));
        let frame_row = usize::from(frame.width) * 4;
        let left = usize::from(frame.left).min(width as usize);
        let top = usize::from(frame.top).min(height as usize);
        let area = Area {
            left,
            top,
            width: usize::from(frame.width).min(width as usize - left),
            height: usize::from(frame.height).min(height as usize - top),
        };
        // Pixels whose index is outside the palette are left as they are in the buffer: transparent.
        picture.clear();
        picture.resize(frame_row * usize::from(frame.height), 0);
        decoder.read_into_buffer(&mut picture).map_err(damage)?;

        let before = (dispose == gif::DisposalMethod::Previous).then(|| canvas.clone());
        for y in 0..area.height {
            let from = &picture[y * frame_row..][..area.width * 4];
            let to = &mut canvas[(area.top + y) * row + area.left * 4..][..area.width * 4];
            for (from, to) in from.chunks_exact(4).zip(to.chunks_exact_mut(4)) {
                if from[3] != 0 {
                    to.copy_from_slice(from);
                }
            }
        }
        shown += 1;
        let pixels = Pixels { width, height, alpha: true, data: canvas.clone() };
        if each(Frame { pixels, delay_ms })?.is_break() {
            break;
        }
        match (dispose, before) {
            (gif::DisposalMethod::Previous, Some(before)) => canvas = before,
            // GIF89a says the background color; every viewer clears to transparent instead.
            (gif::DisposalMethod::Background, _) => {
                for y in 0..area.height {
                    canvas[(area.top + y) * row + area.left * 4..][..area.width * 4].fill(0);
                }
            }
            _ => {}
        }
    }
    if shown == 0 {
        return Err(Error::corrupt("the GIF has no picture in it"));
    }
    Ok(())
}

fn damage(error: gif::DecodingError) -> Error {
    match error {
        gif::DecodingError::Io(e) if e.kind() != std::io::ErrorKind::UnexpectedEof => {
            crate::error::io("cannot read the GIF", e)
        }
        other => Error::corrupt("the GIF is damaged or cut off").because(other),
    }
}
