//! Posters: one frame taken out of the stream, upright, in square pixels and sRGB.

use std::sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::VideoFrameExt;

use super::{
    color::{Route, lay_on},
    hdr::ToneMap,
};
use crate::{
    error::{Error, Result},
    media::image::Pixels,
};

/// A frame as it passed, and what it is.
#[derive(Clone)]
pub(super) struct Taken {
    pub(super) buffer: gst::Buffer,
    pub(super) caps: gst::Caps,
    /// Where in the recording it begins, where that is known.
    pub(super) begins: Option<gst::ClockTime>,
}

impl Taken {
    /// Whether its decoder says that it was made without the pictures that it is made from.
    pub(super) fn is_damaged(&self) -> bool {
        self.buffer.flags().contains(gst::BufferFlags::CORRUPTED)
    }
}

#[derive(Default)]
struct Watched {
    /// Whether what passes counts.
    is_open: bool,
    /// The last one that passed, or the one wanted.
    frame: Option<Taken>,
    /// Whether `frame` begins at or before the place, and is whole.
    is_at_place: bool,
    settled: bool,
}

/// Waits at a pad for the frame that is on screen at a place: the last one that begins at or before it.
#[derive(Clone, Default)]
pub(super) struct Lookout(Arc<Mutex<Watched>>);

impl Lookout {
    /// From now on. `at` counts from the start of the recording.
    pub(super) fn watch(&self, passage: &Passage, at: gst::ClockTime) {
        self.open();
        self.watch_after_seek(passage, at);
    }

    /// From the next seek on, so that no frame of before is taken for one of after.
    pub(super) fn watch_after_seek(&self, passage: &Passage, at: gst::ClockTime) {
        let (lookout, start) = (self.clone(), passage.start.clone());
        passage.pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH, move |pad, info| {
            let mut watched = lookout.watched();
            if watched.settled {
                return gst::PadProbeReturn::Remove;
            }
            if info.event().is_some_and(|event| event.type_() == gst::EventType::FlushStop) {
                watched.is_open = true;
            }
            if !watched.is_open {
                return gst::PadProbeReturn::Ok;
            }
            if let (Some(buffer), Some(caps)) = (info.buffer(), pad.current_caps()) {
                let begins = start.place(pad, buffer);
                let is_past = begins.is_some_and(|t| t > at);
                if !is_past || watched.frame.is_none() {
                    watched.frame = Some(Taken { buffer: buffer.to_owned(), caps, begins });
                    watched.is_at_place = !is_past && !watched.frame.as_ref().is_some_and(Taken::is_damaged);
                }
                watched.settled = is_past || begins == Some(at);
                if let Some(element) = pad.parent_element().filter(|_| watched.settled) {
                    // Wakes whoever waits at the bus; without one, nobody does.
                    let settled = gst::Structure::new_empty("settled");
                    element.post_message(gst::message::Application::new(settled)).ok();
                }
            }
            gst::PadProbeReturn::Ok
        });
    }

    /// From now on, though there was no seek.
    pub(super) fn open(&self) {
        self.watched().is_open = true;
    }

    /// Whether a frame that passes now may be the one, or tell that it has passed.
    pub(super) fn is_watching(&self) -> bool {
        let watched = self.watched();
        watched.is_open && !watched.settled
    }

    pub(super) fn settled(&self) -> bool {
        self.watched().settled
    }

    /// Ends the watch. Gives the frame, and whether it is the one on screen at the place or just the first that came.
    pub(super) fn end(&self) -> Option<(Taken, bool)> {
        let mut watched = self.watched();
        watched.settled = true;
        watched.frame.take().map(|frame| (frame, watched.is_at_place))
    }

    /// The frame; the last one there was when the recording ended before the place.
    pub(super) fn frame(&self) -> Option<Taken> {
        self.watched().frame.clone()
    }

    fn watched(&self) -> MutexGuard<'_, Watched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A pad that frames pass, and where in the demuxer's time the recording starts: transport streams start anywhere.
pub(super) struct Passage {
    pad: gst::Pad,
    start: Start,
}

/// What the first frame of all said, before any seek.
#[derive(Clone, Default)]
pub(super) struct Start(Arc<OnceLock<gst::ClockTime>>);

impl Passage {
    /// Must be made before the first frame passes.
    pub(super) fn new(pad: gst::Pad) -> Self {
        let start = Start::default();
        let learning = start.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| match info.buffer() {
            Some(buffer) if learning.place(pad, buffer).is_some() => gst::PadProbeReturn::Remove,
            _ => gst::PadProbeReturn::Ok,
        });
        Self { pad, start }
    }

    /// What tells the place of each buffer.
    pub(super) fn start(&self) -> Start {
        self.start.clone()
    }

    /// A place in the demuxer's time.
    pub(super) fn demuxed(&self, at: gst::ClockTime) -> gst::ClockTime {
        at + self.start.0.get().copied().unwrap_or(gst::ClockTime::ZERO)
    }
}

impl Start {
    /// The place of a buffer in the recording, which stays the same after seeking.
    pub(super) fn place(&self, pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
        let segment = pad.sticky_event::<gst::event::Segment>(0)?;
        let segment = segment.segment().downcast_ref::<gst::ClockTime>()?;
        let pts = buffer.pts()?;
        let demuxed = segment.to_stream_time(pts)?;
        let start = self.0.get_or_init(|| demuxed.saturating_sub(segment.to_running_time(pts).unwrap_or_default()));
        Some(demuxed.saturating_sub(*start))
    }
}

/// Converts a frame. `size` is that of the result, upright, in square pixels; where it is transparent, the background
/// shows.
pub(super) fn pixels(
    taken: &Taken,
    route: Route,
    rotation: u16,
    size: (u32, u32),
    background: [u8; 3],
) -> Result<Pixels> {
    let (width, height) = if rotation % 180 == 90 { (size.1, size.0) } else { size };
    let failed = |e: gst::glib::BoolError| Error::internal(format!("cannot convert a frame: {e}"));
    let info = gst_video::VideoInfo::from_caps(&taken.caps).map_err(failed)?;
    let mut buffer = taken.buffer.clone();
    if info.format() == gst_video::VideoFormat::Rgba {
        // Before it is scaled, so that nothing hidden bleeds into what is shown.
        let writable = buffer.make_mut();
        let mut map = writable.map_writable().map_err(failed)?;
        lay_on(map.as_mut_slice(), background);
    }
    let frame = gst_video::VideoFrame::from_buffer_readable(buffer, &info)
        .map_err(|_| Error::corrupt("a decoded frame cannot be read"))?;
    let frame = match route {
        Route::Plain | Route::Recode { .. } => frame,
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
    // GStreamer's way to RGB of 8 bits is up to two steps too dark; the one to 16 bits is exact.
    let deep = converted(&frame, frame.info(), gst_video::VideoFormat::Argb64, (width, height), None)?;
    let (stride, row) = (deep.plane_stride()[0] as usize, width as usize * 8);
    let plane = deep.plane_data(0).map_err(failed)?;
    let rounded = |c: [u8; 2]| ((u32::from(u16::from_ne_bytes(c)) * 255 + 32_767) / 65_535) as u8;
    let mut data = Vec::with_capacity(width as usize * height as usize * 3);
    for line in plane.chunks(stride).take(height as usize) {
        for argb in line[..row].as_chunks::<8>().0 {
            let [_, red, green, blue] = *argb.as_chunks::<2>().0 else { continue };
            data.extend([rounded(red), rounded(green), rounded(blue)]);
        }
    }
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
