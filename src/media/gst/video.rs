//! The picture: from the decoder's frames to upright, progressive, square pixels of BT.709, and on to H.264 in MP4.

use std::{
    collections::VecDeque,
    path::Path,
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use super::{
    color::{self, Look, Recode, Route},
    graph::{self, cannot_build, caps, chain, make, pad, queue},
    hdr::ToneMap,
    run::Pulse,
};
use crate::{
    error::Result,
    model::{FieldOrder, VideoFacts},
    profile::{Interval, VideoTrack},
};

/// What all outputs share: a tee of progressive, opaque frames with the right colors said of them.
pub(super) fn head(
    pipeline: &gst::Pipeline,
    from: &gst::Pad,
    look: &Look,
    facts: Option<&VideoFacts>,
    pulse: &Pulse,
) -> Result<gst::Element> {
    let first = queue(4)?;
    let mut elements = vec![first.clone()];
    if let Some(colorimetry) = &look.colorimetry {
        elements.push(make("capssetter", &[("caps", &format!("video/x-raw,colorimetry=(string){colorimetry}"))])?);
    }
    // Decoders of DV call every frame interlaced; the container knows better.
    if facts.is_some_and(|f| f.field_order == FieldOrder::Progressive) {
        let said = from
            .current_caps()
            .and_then(|c| Some(c.structure(0)?.get::<&str>("interlace-mode").ok()? != "progressive"));
        if said == Some(true) {
            elements.push(make("capssetter", &[("caps", "video/x-raw,interlace-mode=(string)progressive")])?);
        }
    }
    if let Some(order) = facts.map(|f| f.field_order).filter(|o| *o != FieldOrder::Progressive) {
        elements.extend(deinterlacer(order, look.format)?);
    }
    if look.alpha {
        let rgba = caps("video/x-raw,format=RGBA")?;
        color::before_black(&pad(&rgba, "src")?);
        elements.extend([make("videoconvertscale", &[])?, rgba]);
    }
    let tee = graph::tee()?;
    elements.push(tee.clone());
    let entry = pad(&first, "sink")?;
    put_in_order(&entry);
    pulse.watch(&entry);
    chain(pipeline, &elements)?;
    from.link(&entry).map_err(|e| cannot_build(&e))?;
    Ok(tee)
}

/// One frame for each frame: of every pair of fields the earlier one, its missing lines found by `yadif` from the
/// fields around it. The order is forced to what was probed, because many files do not say it frame by frame.
fn deinterlacer(order: FieldOrder, format: gst_video::VideoFormat) -> Result<Vec<gst::Element>> {
    use gst_video::VideoFormat as F;
    let mut elements = Vec::new();
    if !matches!(format, F::I420 | F::Yv12 | F::Y42b | F::Y444 | F::Nv12 | F::Nv21 | F::Uyvy | F::Yuy2) {
        // 4:2:2 is converted line by line, so the fields stay apart.
        elements.extend([make("videoconvertscale", &[])?, caps("video/x-raw,format=Y42B")?]);
    }
    let (tff, fields) = if order == FieldOrder::Top { ("tff", "top") } else { ("bff", "bottom") };
    let settings = [("mode", "interlaced"), ("method", "yadif"), ("tff", tff), ("fields", fields)];
    let deinterlacer = make("deinterlace", &settings)?;
    keep_times(&deinterlacer)?;
    elements.push(deinterlacer);
    Ok(elements)
}

/// Gives each frame that leaves this element the time of the one that it was made of. The deinterlacer's own arithmetic
/// gives the second and the last frame the time of the one before.
fn keep_times(element: &gst::Element) -> Result<()> {
    type Times = (Option<gst::ClockTime>, Option<gst::ClockTime>);
    let times = Arc::new(Mutex::new(VecDeque::<Times>::new()));
    let waiting = times.clone();
    pad(element, "sink")?.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH, move |_, info| {
        if let Ok(mut waiting) = waiting.lock() {
            match info.buffer() {
                Some(buffer) => waiting.push_back((buffer.pts(), buffer.duration())),
                None => waiting.clear(),
            }
        }
        gst::PadProbeReturn::Ok
    });
    pad(element, "src")?.add_probe(gst::PadProbeType::BUFFER, move |_, info| {
        let time = times.lock().ok().and_then(|mut times| times.pop_front());
        if let (Some((pts, duration)), Some(buffer)) = (time, info.buffer_mut()) {
            let buffer = buffer.make_mut();
            buffer.set_pts(pts);
            buffer.set_duration(duration);
        }
        gst::PadProbeReturn::Ok
    });
    Ok(())
}

/// Sees to it that every frame has a time, later than the one before: after damage, decoders give frames without or
/// with doubtful ones, which the muxer would refuse together with all that follows.
fn put_in_order(pad: &gst::Pad) {
    let last: Mutex<Option<(gst::ClockTime, gst::ClockTime)>> = Mutex::new(None);
    pad.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_FLUSH, move |pad, info| {
        let Ok(mut last) = last.lock() else { return gst::PadProbeReturn::Ok };
        let Some(buffer) = info.buffer_mut() else {
            // After a seek, time may begin earlier again.
            *last = None;
            return gst::PadProbeReturn::Ok;
        };
        let length = buffer.duration().filter(|d| !d.is_zero()).unwrap_or(gst::ClockTime::from_mseconds(40));
        let pts = match (buffer.pts(), *last) {
            (Some(pts), Some((before, _))) if pts <= before => return gst::PadProbeReturn::Drop,
            (Some(pts), _) => pts,
            (None, Some((_, end))) => end,
            (None, None) => segment_start(pad),
        };
        if buffer.pts() != Some(pts) {
            buffer.make_mut().set_pts(pts);
        }
        *last = Some((pts, pts + length));
        gst::PadProbeReturn::Ok
    });
}

fn segment_start(pad: &gst::Pad) -> gst::ClockTime {
    let segment = pad.sticky_event::<gst::event::Segment>(0);
    segment
        .and_then(|s| s.segment().downcast_ref::<gst::ClockTime>().and_then(|s| s.start()))
        .unwrap_or(gst::ClockTime::ZERO)
}

/// What went into an output: buffers, and the time at which the last one ends.
#[derive(Clone, Default)]
pub(super) struct Tally(Arc<(AtomicU64, AtomicU64)>);

impl Tally {
    /// Counts what passes this pad. `usual` is a buffer's duration where it does not say one.
    pub(super) fn watch(&self, pad: &gst::Pad, usual: gst::ClockTime) {
        let tally = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            if let Some(buffer) = info.buffer() {
                tally.0.0.fetch_add(1, Ordering::Relaxed);
                if let Some(time) = running_time(pad, buffer) {
                    let end = time + buffer.duration().unwrap_or(usual);
                    tally.0.1.fetch_max(end.nseconds(), Ordering::Relaxed);
                }
            }
            gst::PadProbeReturn::Ok
        });
    }

    pub(super) fn buffers(&self) -> u64 {
        self.0.0.load(Ordering::Relaxed)
    }

    /// In milliseconds from the start of the recording.
    pub(super) fn end_ms(&self) -> u64 {
        (self.0.1.load(Ordering::Relaxed) + 500_000) / 1_000_000
    }
}

/// The time of a buffer counted from the start of the recording.
pub(super) fn running_time(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<gst::ClockTime> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    segment.segment().downcast_ref::<gst::ClockTime>()?.to_running_time(buffer.pts()?)
}

/// A branch that encodes H.264 into an MP4; gives its elements, the last but one being the muxer.
pub(super) struct Mp4Branch<'a> {
    /// Size in square pixels, upright.
    pub(super) size: (u32, u32),
    /// Clockwise degrees that the frames are still to be turned by.
    pub(super) rotation: u16,
    pub(super) track: &'a VideoTrack,
    /// Frames a second, numerator and denominator; 0:1 when they come as they like.
    pub(super) rate: (u32, u32),
    pub(super) route: Route,
    pub(super) path: &'a Path,
    pub(super) container: Container,
}

/// How an MP4 is laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Container {
    /// Index first, then all media.
    FastStart,
    /// A fragment a keyframe, of which this is the usual distance.
    Fragments(Interval),
}

impl Container {
    fn mux(self, path: &Path) -> Result<gst::Element> {
        match self {
            Container::FastStart => fast_start(path),
            Container::Fragments(interval) => fragments(interval),
        }
    }
}

/// What became of a branch.
pub(super) struct Mp4Built {
    pub(super) elements: Vec<gst::Element>,
    pub(super) mux: gst::Element,
    pub(super) tally: Tally,
}

impl Mp4Branch<'_> {
    pub(super) fn build(&self, pipeline: &gst::Pipeline, tee: &gst::Element, pulse: &Pulse) -> Result<Mp4Built> {
        let (width, height) = if self.rotation % 180 == 90 { (self.size.1, self.size.0) } else { self.size };
        let colorimetry = color::bt709();
        let yuv = format!("video/x-raw,format=I420,colorimetry=(string){colorimetry}");
        let sized = |format: &str| caps(&format!("{format},width={width},height={height},pixel-aspect-ratio=1/1"));
        let relabel = || make("capssetter", &[("caps", &format!("video/x-raw,colorimetry=(string){colorimetry}"))]);
        // Without borders: a size rounded to even numbers is no reason for a black line.
        let scale = make("videoconvertscale", &[("method", "catrom"), ("add-borders", "false")])?;
        let mut elements = vec![queue(4)?, scale];
        match self.route {
            Route::Plain => elements.push(sized(&yuv)?),
            Route::Recode { matrix, full_range } => {
                // Said as it is, or the scaler would recode 4:2:2 and deeper samples as well.
                let as_it_is = color::coded(matrix, full_range);
                let shallow = sized(&format!("video/x-raw,format=I420,colorimetry=(string){as_it_is}"))?;
                let recode = Recode::new(matrix, full_range);
                in_place(&pad(&shallow, "src")?, move |frame| recode.apply(frame));
                elements.extend([shallow, relabel()?]);
            }
            Route::Tone { transfer, full_range } => {
                let deep = sized("video/x-raw,format=I420_10LE")?;
                let map = ToneMap::new(transfer, full_range);
                in_place(&pad(&deep, "src")?, move |frame| map.apply(frame));
                elements.extend([deep, relabel()?, queue(2)?, make("videoconvertscale", &[])?, caps(&yuv)?]);
            }
        }
        if let Some(direction) = direction(self.rotation) {
            elements.push(make("videoflip", &[("video-direction", direction)])?);
        }
        let encoder = self.encoder()?;
        let tally = Tally::default();
        tally.watch(&pad(&encoder, "sink")?, one_frame(self.rate));
        let mux = self.container.mux(self.path)?;
        let sink = file_sink(self.path, pulse)?;
        // Straight to the muxer: `h264parse` takes the frames' durations away when their rate is not known, and a last
        // frame without a duration is not shown at all.
        let coded = caps("video/x-h264,profile=high,stream-format=avc,alignment=au")?;
        elements.extend([encoder, coded, queue(0)?, mux.clone(), sink]);
        let mut all = vec![tee.clone()];
        all.extend(elements.iter().cloned());
        chain(pipeline, &all)?;
        Ok(Mp4Built { elements, mux, tally })
    }

    /// x264 in its constant bit rate mode with a buffer of 600 ms, as GStreamer sets it up.
    fn encoder(&self) -> Result<gst::Element> {
        let kilobits = (self.track.bitrate.0 / 1000).max(1).to_string();
        let keyframes = frames_in(self.track.keyframe_interval, self.rate).to_string();
        let encoder = make(
            "x264enc",
            &[("speed-preset", self.track.preset.as_str()), ("bitrate", &kilobits), ("key-int-max", &keyframes)],
        )?;
        if let Container::Fragments(_) = self.container {
            // Keyframes only where all rungs have them, each of which begins what stands by itself.
            encoder.set_property_from_str("option-string", "scenecut=0:open-gop=0");
        }
        if self.rate.0 == 0 {
            // The muxer takes for the end what is the end of the last frame it gets, so that one must be the last one
            // shown: of an animation it may stand for seconds.
            encoder.set_property_from_str("bframes", "0");
        }
        Ok(encoder)
    }
}

/// A muxer to MP4 with its index first.
pub(super) fn fast_start(path: &Path) -> Result<gst::Element> {
    let mux = make("mp4mux", &[("faststart", "true")])?;
    // As values, not text: a path may hold any character.
    mux.set_property("faststart-file", scratch(path));
    Ok(mux)
}

/// A muxer to MP4 in fragments of about this length, each beginning with a keyframe.
pub(super) fn fragments(interval: Interval) -> Result<gst::Element> {
    // A keyframe begins one in any case; the length is for what comes without any.
    let length = interval.0.saturating_mul(2).to_string();
    make("mp4mux", &[("fragment-duration", &length), ("fragment-mode", "dash-or-mss")])
}

/// Where that muxer keeps the media until the index can be written before it.
pub(super) fn scratch(path: &Path) -> std::path::PathBuf {
    let mut name = path.file_name().unwrap_or_default().to_owned();
    name.push("-media");
    path.with_file_name(name)
}

/// A file that grows while the pipeline runs.
pub(super) fn file_sink(path: &Path, pulse: &Pulse) -> Result<gst::Element> {
    let sink = make("filesink", &[("sync", "false"), ("async", "false")])?;
    sink.set_property("location", path);
    pulse.watch(&pad(&sink, "sink")?);
    Ok(sink)
}

fn one_frame((n, d): (u32, u32)) -> gst::ClockTime {
    let (n, d) = if n == 0 || d == 0 { (25, 1) } else { (n, d) };
    gst::ClockTime::from_nseconds(u64::from(d) * 1_000_000_000 / u64::from(n))
}

fn frames_in(interval: Interval, (n, d): (u32, u32)) -> u32 {
    // An unknown rate is taken for 10 a second, an animation's: the interval is an upper bound.
    let rate = if n == 0 || d == 0 { 10.0 } else { f64::from(n) / f64::from(d) };
    (rate * f64::from(interval.0) / 1000.0).round().clamp(1.0, 10_000.0) as u32
}

/// GStreamer's word for turning clockwise by so many degrees.
fn direction(rotation: u16) -> Option<&'static str> {
    match rotation {
        90 => Some("90r"),
        180 => Some("180"),
        270 => Some("90l"),
        _ => None,
    }
}

/// Changes the frames that pass this pad.
fn in_place(
    pad: &gst::Pad,
    change: impl Fn(&mut gst_video::VideoFrameRef<&mut gst::BufferRef>) -> Result<()> + Send + Sync + 'static,
) {
    let known: Mutex<Option<gst_video::VideoInfo>> = Mutex::new(None);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Ok(mut known) = known.lock() else { return gst::PadProbeReturn::Drop };
        if known.is_none() {
            *known = pad.current_caps().and_then(|c| gst_video::VideoInfo::from_caps(&c).ok());
        }
        let (Some(video), Some(buffer)) = (known.as_ref(), info.buffer_mut()) else { return gst::PadProbeReturn::Drop };
        let frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), video);
        // A frame that cannot be changed is left out, and missed by the count of frames.
        match frame.ok().map(|mut f| change(&mut f)) {
            Some(Ok(())) => gst::PadProbeReturn::Ok,
            _ => gst::PadProbeReturn::Drop,
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyframes_come_at_the_interval_whatever_the_rate() {
        assert_eq!(frames_in(Interval(2000), (30_000, 1001)), 60);
        assert_eq!(frames_in(Interval(2000), (25, 1)), 50);
        assert_eq!(frames_in(Interval(10), (25, 1)), 1);
    }
}
