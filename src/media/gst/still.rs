//! Posters: one frame taken out of the stream, upright, in square pixels and sRGB.

use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::VideoFrameExt;

use super::{color::Route, hdr::ToneMap, video::running_time};
use crate::{
    error::{Error, Result},
    media::image::Pixels,
};

/// A frame as it passed, and what it is.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) buffer: gst::Buffer,
    pub(super) caps: gst::Caps,
}

#[derive(Default)]
struct Watched {
    frame: Option<Taken>,
    /// Whether `frame` is the one wanted; until then it is the last one that passed.
    settled: bool,
}

/// Waits at a pad for the first frame at or after a place.
#[derive(Clone, Default)]
pub(super) struct Lookout(Arc<Mutex<Watched>>);

impl Lookout {
    /// `at` counts from the start of the recording.
    pub(super) fn watch(&self, pad: &gst::Pad, at: gst::ClockTime) {
        let watched = self.0.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let mut watched = watched.lock().unwrap_or_else(PoisonError::into_inner);
            if watched.settled {
                return gst::PadProbeReturn::Remove;
            }
            if let (Some(buffer), Some(caps)) = (info.buffer(), pad.current_caps()) {
                watched.settled = running_time(pad, buffer).is_some_and(|t| t >= at);
                watched.frame = Some(Taken { buffer: buffer.to_owned(), caps });
            }
            gst::PadProbeReturn::Ok
        });
    }

    pub(super) fn settled(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).settled
    }

    /// The frame; the last one there was when the recording ended before the place.
    pub(super) fn frame(&self) -> Option<Taken> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).frame.clone()
    }
}

/// Converts a frame. `size` is that of the result, upright, in square pixels.
pub(super) fn pixels(taken: &Taken, route: Route, rotation: u16, size: (u32, u32)) -> Result<Pixels> {
    let (width, height) = if rotation % 180 == 90 { (size.1, size.0) } else { size };
    let failed = |e: gst::glib::BoolError| Error::internal(format!("cannot convert a frame: {e}"));
    let info = gst_video::VideoInfo::from_caps(&taken.caps).map_err(failed)?;
    let frame = gst_video::VideoFrame::from_buffer_readable(taken.buffer.clone(), &info)
        .map_err(|_| Error::corrupt("a decoded frame cannot be read"))?;
    let frame = match route {
        Route::Plain | Route::Rgb => frame,
        Route::Tone { transfer, full_range } => {
            let even = (width.next_multiple_of(2), height.next_multiple_of(2));
            let deep = converted(&frame, &info, gst_video::VideoFormat::I42010le, even, Some(info.colorimetry()))?;
            let mut buffer = deep.into_buffer();
            let map = ToneMap::new(transfer, full_range);
            let writable = buffer.make_mut();
            let deep_info = described(&info, gst_video::VideoFormat::I42010le, even, Some(super::color::bt709()))?;
            map.apply(&mut gst_video::VideoFrameRef::from_buffer_ref_writable(writable, &deep_info).map_err(failed)?)?;
            gst_video::VideoFrame::from_buffer_readable(buffer, &deep_info)
                .map_err(|_| Error::internal("a tone-mapped frame cannot be read"))?
        }
    };
    let rgb = converted(&frame, frame.info(), gst_video::VideoFormat::Rgb, (width, height), None)?;
    let (stride, row) = (rgb.plane_stride()[0] as usize, width as usize * 3);
    let plane = rgb.plane_data(0).map_err(failed)?;
    let data = plane.chunks(stride).take(height as usize).flat_map(|line| &line[..row]).copied().collect();
    Ok(turned(Pixels { width, height, alpha: false, data }, rotation))
}

fn described(
    like: &gst_video::VideoInfo,
    format: gst_video::VideoFormat,
    (width, height): (u32, u32),
    colorimetry: Option<gst_video::VideoColorimetry>,
) -> Result<gst_video::VideoInfo> {
    gst_video::VideoInfo::builder(format, width, height)
        .fps(like.fps())
        .interlace_mode(like.interlace_mode())
        .colorimetry_if_some(colorimetry.as_ref())
        .build()
        .map_err(|e| Error::internal(format!("cannot describe a frame: {e}")))
}

fn converted<T>(
    frame: &gst_video::VideoFrame<T>,
    info: &gst_video::VideoInfo,
    format: gst_video::VideoFormat,
    size: (u32, u32),
    colorimetry: Option<gst_video::VideoColorimetry>,
) -> Result<gst_video::VideoFrame<gst_video::video_frame::Writable>> {
    let failed = |e: gst::glib::BoolError| Error::internal(format!("cannot convert a frame: {e}"));
    let wanted = described(info, format, size, colorimetry)?;
    let mut config = gst_video::VideoConverterConfig::new();
    config.set_resampler_method(gst_video::VideoResamplerMethod::Cubic);
    config.set_dest_width(Some(size.0 as i32));
    config.set_dest_height(Some(size.1 as i32));
    let converter = gst_video::VideoConverter::new(info, &wanted, Some(config)).map_err(failed)?;
    let buffer = gst::Buffer::with_size(wanted.size()).map_err(failed)?;
    let mut result = gst_video::VideoFrame::from_buffer_writable(buffer, &wanted)
        .map_err(|_| Error::internal("a new frame cannot be written"))?;
    converter.frame(frame, &mut result);
    Ok(result)
}

/// Turns clockwise by quarters.
fn turned(from: Pixels, rotation: u16) -> Pixels {
    let (w, h) = (from.width as usize, from.height as usize);
    let (width, height) = if rotation % 180 == 90 { (h, w) } else { (w, h) };
    let source = |x: usize, y: usize| match rotation {
        90 => (y, h - 1 - x),
        180 => (w - 1 - x, h - 1 - y),
        270 => (w - 1 - y, x),
        _ => (x, y),
    };
    if rotation == 0 {
        return from;
    }
    let mut data = Vec::with_capacity(from.data.len());
    for y in 0..height {
        for x in 0..width {
            let (x, y) = source(x, y);
            data.extend_from_slice(&from.data[(y * w + x) * 3..][..3]);
        }
    }
    Pixels { width: width as u32, height: height as u32, alpha: false, data }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_are_turned_clockwise() {
        let two = || Pixels { width: 2, height: 1, alpha: false, data: vec![1, 1, 1, 2, 2, 2] };
        assert_eq!(turned(two(), 90), Pixels { width: 1, height: 2, ..two() });
        let flipped = vec![2, 2, 2, 1, 1, 1];
        assert_eq!(turned(two(), 180).data, flipped);
        assert_eq!(turned(two(), 270), Pixels { width: 1, height: 2, data: flipped, alpha: false });
    }
}
