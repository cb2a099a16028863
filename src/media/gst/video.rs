//! The picture: from the decoder's frames to upright, progressive, square pixels, and on to a film's file.

use std::{
    cell::OnceCell,
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
    around::{self, Meetings, Part},
    brand::Branding,
    color::{self, DeepRecode, Look, Recode, Route},
    encoder::{self, Packets, Pass},
    glance::Looking,
    graph::{self, cannot_build, caps, chain, make, pad, queue},
    hdr::ToneMap,
    run::Pulse,
    segment::Recorder,
    sei,
    share::{Encode, Encoded, Shared},
    timecode,
};
use crate::{
    error::{Error, Result},
    media::Work,
    model::{FieldOrder, VideoFacts},
    profile::{Around, Brand, Entry, Film, FilmFormat, FrameRate, Hdr, Interval, Keyframes, VideoTrack},
};

/// The pictures that all outputs share.
pub(super) struct Pictures {
    /// Frames as they are stored, with the right colors said of them. Only where somebody wants them.
    pub(super) stored: Option<gst::Element>,
    /// Progressive frames; of those with alpha, RGBA.
    pub(super) tee: gst::Element,
    pub(super) look: Look,
    pub(super) looking: Looking,
    /// Whether both sides are even, so that color of half the size fits.
    is_even: bool,
    /// The same in 8 bits of 4:2:0, once somebody wants them.
    shallow: OnceCell<gst::Element>,
    pub(super) shared: Shared,
}

impl Pictures {
    /// The frames for an output of this depth: what all those of 8 bits would do first is done once for them.
    pub(super) fn of_depth(&self, pipeline: &gst::Pipeline, depth: u8) -> Result<gst::Element> {
        use gst_video::VideoFormat as F;
        let is_shallow = matches!(self.look.format, F::I420 | F::Yv12 | F::Nv12 | F::Nv21);
        let is_other = self.look.alpha || !matches!(self.look.route, Route::Plain) || !self.is_even;
        let colorimetry = match &self.look.colorimetry {
            Some(colorimetry) if depth == 8 && !is_shallow && !is_other => colorimetry,
            _ => return Ok(self.tee.clone()),
        };
        if let Some(shallow) = self.shallow.get() {
            return Ok(shallow.clone());
        }
        let tee = graph::tee()?;
        // Said of both sides, so that matrix and range stay as they are.
        let frames = caps(&format!("video/x-raw,format=I420,colorimetry=(string){colorimetry}"))?;
        chain(pipeline, &[self.tee.clone(), queue(4)?, make("videoconvertscale", &[])?, frames, tee.clone()])?;
        Ok(self.shallow.get_or_init(|| tee).clone())
    }
}

/// Leads the decoder's frames to the tees that all outputs share.
pub(super) fn head(
    pipeline: &gst::Pipeline,
    from: &gst::Pad,
    look: Look,
    facts: Option<&VideoFacts>,
    wants_stored: bool,
    pulse: &Pulse,
) -> Result<Pictures> {
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
    let mut stored = None;
    if wants_stored {
        let tee = graph::tee()?;
        elements.extend([tee.clone(), queue(4)?]);
        stored = Some(tee);
    }
    if let Some(order) = facts.map(|f| f.field_order).filter(|o| *o != FieldOrder::Progressive) {
        elements.extend(deinterlacer(order, look.format)?);
    }
    if look.alpha {
        elements.extend([make("videoconvertscale", &[])?, caps("video/x-raw,format=RGBA")?]);
    }
    let tee = graph::tee()?;
    elements.push(tee.clone());
    let entry = pad(&first, "sink")?;
    put_in_order(&entry);
    pulse.watch(&entry);
    let looking = Looking::default();
    looking.watch(&pad(&tee, "sink")?);
    chain(pipeline, &elements)?;
    from.link(&entry).map_err(|e| cannot_build(&e))?;
    let info = from.current_caps().and_then(|c| gst_video::VideoInfo::from_caps(&c).ok());
    let is_even = info.is_some_and(|i| i.width() % 2 == 0 && i.height() % 2 == 0);
    Ok(Pictures { stored, tee, look, looking, is_even, shallow: OnceCell::new(), shared: Shared::default() })
}

/// One frame for each frame: of every pair of fields the earlier one, its missing lines found by `yadif` from the
/// fields around it. The order is forced to what was probed, because many files do not say it frame by frame.
pub(super) fn deinterlacer(order: FieldOrder, format: gst_video::VideoFormat) -> Result<Vec<gst::Element>> {
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
            (Some(pts), Some((before, _))) if pts <= before => return gst::PadProbeReturn::Handled,
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

/// A branch that encodes a film's pictures into a file.
pub(super) struct FilmBranch<'a> {
    /// Size in square pixels, upright.
    pub(super) size: (u32, u32),
    /// Clockwise degrees that the frames are still to be turned by.
    pub(super) rotation: u16,
    pub(super) track: &'a VideoTrack,
    /// Frames a second of the master, numerator and denominator; 0:1 when they come as they like.
    pub(super) rate: (u32, u32),
    pub(super) pace: Pace,
    pub(super) look: &'a Look,
    /// What shows where the frames are transparent.
    pub(super) background: [u8; 3],
    /// Bits a component of the output.
    pub(super) depth: u8,
    /// Timecode of the first frame.
    pub(super) timecode: Option<gst_video::VideoTimeCode>,
    pub(super) path: &'a Path,
    pub(super) container: Container,
    /// Whether sound is to be led to its muxer.
    pub(super) has_sound: bool,
    pub(super) pass: Pass,
    /// What is put on the frames.
    pub(super) brand: Option<&'a Brand>,
    /// What is put before and after them.
    pub(super) around: Option<Around>,
    pub(super) work: &'a Work<'a>,
    pub(super) meetings: Meetings,
    /// Who keeps its packets, in place of a file.
    pub(super) recorder: Option<&'a Recorder>,
}

/// How frames are brought to a size, a pace and to the colors of an output.
pub(super) struct Framing<'a> {
    /// In square pixels, upright.
    pub(super) size: (u32, u32),
    /// Clockwise degrees that the frames are still to be turned by.
    pub(super) rotation: u16,
    pub(super) look: &'a Look,
    /// What shows where the frames are transparent.
    pub(super) background: [u8; 3],
    /// Bits a component.
    pub(super) depth: u8,
    pub(super) pace: Pace,
    /// Whether HDR stays as it is, where there are bits enough.
    pub(super) keeps_hdr: bool,
}

/// How a film is laid out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Container {
    /// MP4, index first, then all media.
    FastStart,
    /// MP4 of one rung of a ladder: a fragment a keyframe, of which this is the usual distance.
    Rung(Interval),
    /// MP4, a fragment a keyframe.
    Fragments(Interval),
    /// QuickTime, its index first.
    QuickTime,
    /// WebM.
    WebM,
    /// MPEG transport stream.
    Transport,
}

impl Container {
    pub(super) fn of(format: FilmFormat, track: &VideoTrack) -> Self {
        match format {
            FilmFormat::Mp4 => Container::FastStart,
            FilmFormat::FragmentedMp4 => Container::Fragments(track.keyframe_interval),
            FilmFormat::WebM => Container::WebM,
            FilmFormat::QuickTime => Container::QuickTime,
            FilmFormat::Transport => Container::Transport,
        }
    }

    pub(super) fn mux(self, path: &Path, has_sound: bool) -> Result<gst::Element> {
        match self {
            Container::FastStart => index_first("mp4mux", path),
            Container::Rung(interval) | Container::Fragments(interval) => fragments(interval),
            Container::QuickTime => index_first("qtmux", path),
            Container::WebM => {
                let mux = make("webmmux", &[])?;
                if has_sound {
                    // Later, when it is no longer still, it takes none.
                    let sound = mux.request_pad_simple("audio_%u");
                    let sound = sound.ok_or_else(|| cannot_build(&"the muxer takes no sound"))?;
                    // GStreamer 1.22's muxer gives its pad's template back once too often, and the next one has none.
                    std::mem::forget(sound.pad_template());
                }
                Ok(mux)
            }
            Container::Transport => make("mpegtsmux", &[]),
        }
    }
}

/// When frames come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Pace {
    /// As they come.
    Kept,
    /// Evenly, so many a second.
    Even((u32, u32)),
    /// As they come, but not more than so many a second.
    Most(u32),
}

impl Pace {
    /// Of a rule, for such a master.
    pub(super) fn of(rule: Option<FrameRate>, facts: Option<&VideoFacts>) -> Self {
        let is_variable = facts.is_none_or(|f| f.variable_rate || f.rate.0 == 0);
        match rule {
            Some(FrameRate::Most(n, d)) if is_variable => Pace::Most((n / d.max(1)).max(1)),
            Some(rule) => rule.of(facts.map_or((0, 1), |f| f.rate)).map_or(Pace::Kept, Pace::Even),
            None => Pace::Kept,
        }
    }

    /// The rate that comes of it.
    pub(super) fn rate(self, master: (u32, u32)) -> (u32, u32) {
        if let Pace::Even(rate) = self { rate } else { master }
    }

    pub(super) fn elements(self) -> Result<Vec<gst::Element>> {
        match self {
            Pace::Kept => Ok(Vec::new()),
            Pace::Even((n, d)) => {
                Ok(vec![make("videorate", &[])?, caps(&format!("video/x-raw(ANY),framerate=(fraction){n}/{d}"))?])
            }
            Pace::Most(rate) => Ok(vec![make("videorate", &[("drop-only", "true"), ("max-rate", &rate.to_string())])?]),
        }
    }
}

/// What became of a branch.
pub(super) struct FilmBuilt {
    pub(super) elements: Vec<gst::Element>,
    pub(super) mux: gst::Element,
    pub(super) tally: Tally,
    pub(super) size: (u32, u32),
    /// What encodes it.
    pub(super) encoder: String,
    /// What of it is the film's own, where clips are around it.
    pub(super) part: Option<Part>,
}

impl<'a> FilmBranch<'a> {
    /// Of an entry as its profile asks for it.
    pub(super) fn of_film(
        (work, meetings): (&'a Work<'a>, &Meetings),
        size: (u32, u32),
        entry: &'a Entry,
        (film, format): (&'a Film, FilmFormat),
        look: &'a Look,
        path: &'a Path,
    ) -> Self {
        let facts = work.facts.video.as_ref();
        let pace = Pace::of(film.frame_rate, facts);
        let rate = facts.map_or((0, 1), |f| f.rate);
        let around = entry.around(work.facts);
        // A film that something comes before does not begin where its own timecode does.
        let is_timed = format == FilmFormat::QuickTime && around.as_ref().is_none_or(|a| a.intro.is_none());
        Self {
            size,
            rotation: facts.map_or(0, |f| f.rotation),
            track: &film.video,
            rate,
            pace,
            look,
            background: film.background(),
            depth: film.video.depth_of(facts.map_or(8, |f| f.bit_depth)),
            timecode: is_timed.then(|| timecode::first(work.facts, pace.rate(rate))).flatten(),
            path,
            container: Container::of(format, &film.video),
            has_sound: film.audio.is_some() && !work.facts.audio.is_empty(),
            pass: Pass::Only,
            brand: entry.brand.as_ref(),
            around,
            work,
            meetings: meetings.clone(),
            recorder: None,
        }
    }

    pub(super) fn build(
        &self,
        pipeline: &gst::Pipeline,
        (decoded, shared): (&gst::Element, &Shared),
        pulse: &Pulse,
    ) -> Result<FilmBuilt> {
        let framing = Framing {
            size: self.size,
            rotation: self.rotation,
            look: self.look,
            background: self.background,
            depth: self.depth,
            pace: self.pace,
            keeps_hdr: self.track.hdr == Some(Hdr::Keep),
        };
        let rate = self.pace.rate(self.rate);
        let job = encoder::Job {
            track: self.track,
            size: self.size,
            rate,
            depth: self.depth,
            packets: if self.container == Container::Transport { Packets::Stream } else { Packets::Packed },
            aligned: matches!(self.container, Container::Rung(_)) || self.track.keyframes == Some(Keyframes::Even),
            pass: self.pass.clone(),
        };
        let is_plain = self.brand.is_none() && self.timecode.is_none() && self.recorder.is_none();
        let encode = Encode::new(&framing, &job).filter(|_| is_plain);
        if let Some(Encoded { tee, tally, encoder }) = encode.as_ref().and_then(|encode| shared.encoded(encode)) {
            let mux = self.container.mux(self.path, self.has_sound)?;
            let elements = vec![queue(0)?, mux.clone(), file_sink(self.path, pulse)?];
            chain(pipeline, &[&[tee], &elements[..]].concat())?;
            return Ok(FilmBuilt { elements, mux, tally, size: self.size, encoder, part: None });
        }
        let (frames, new) = shared.frames(pipeline, decoded, &framing)?;
        let mut elements = Vec::new();
        let branding = match self.brand {
            Some(_) if self.depth > 8 => {
                return Err(Error::unsupported("a brand is put on films of 8 bits: leave the depth of 10 out"));
            }
            brand => brand.map(|brand| Branding::new(brand, self.size)).transpose()?,
        };
        elements.extend(branding.iter().flat_map(|b| b.elements.iter().cloned()));
        let mut part = None;
        if let (Some(brand), Some(around)) = (self.brand, &self.around) {
            let (element, own) = around::pictures(brand, around, self.size, (self.work, &self.meetings))?;
            elements.push(element);
            part = Some(own);
        }
        let encoder = job.build()?;
        let tally = Tally::default();
        let entry = pad(&encoder.elements[0], "sink")?;
        tally.watch(&entry, one_frame(rate));
        if let Some(timecode) = &self.timecode {
            timecode::say(&entry, timecode.clone());
        }
        let encoding = encoder.elements[0].clone();
        elements.extend(encoder.elements);
        if let Some(encode) = encode {
            let tee = graph::tee()?;
            elements.push(tee.clone());
            shared.keep(encode, Encoded { tee, tally: tally.clone(), encoder: encoder.name.clone() });
        }
        let mux = match (&self.pass, self.recorder) {
            (_, Some(recorder)) => {
                let sink = recorder.sink(pulse)?;
                elements.extend([queue(0)?, sink.clone()]);
                sink
            }
            (Pass::First(_), None) => {
                let sink = make("fakesink", &[("sync", "false"), ("async", "false")])?;
                pulse.watch(&pad(&sink, "sink")?);
                elements.push(sink.clone());
                sink
            }
            _ => {
                let mux = self.container.mux(self.path, self.has_sound)?;
                elements.extend([queue(0)?, mux.clone(), file_sink(self.path, pulse)?]);
                mux
            }
        };
        chain(pipeline, &[&[frames], &elements[..]].concat())?;
        branding.map_or(Ok(()), |b| b.say())?;
        self.recorder.map_or(Ok(()), |recorder| recorder.attend(&encoding))?;
        elements.extend(new);
        Ok(FilmBuilt { elements, mux, tally, size: self.size, encoder: encoder.name, part })
    }
}

impl Framing<'_> {
    pub(super) fn elements(&self) -> Result<Vec<gst::Element>> {
        let mut elements = vec![queue(4)?];
        elements.extend(self.pace.elements()?);
        if self.look.alpha {
            let rgba = caps("video/x-raw,format=RGBA")?;
            color::before(&pad(&rgba, "src")?, self.background);
            elements.push(rgba);
        }
        elements.extend(self.colored()?);
        if let Some(direction) = direction(self.rotation) {
            elements.push(make("videoflip", &[("video-direction", direction)])?);
        }
        Ok(elements)
    }

    /// Scales, and brings the colors to those of the output.
    fn colored(&self) -> Result<Vec<gst::Element>> {
        let (width, height) = if self.rotation % 180 == 90 { (self.size.1, self.size.0) } else { self.size };
        let colorimetry = color::bt709();
        let format = if self.depth > 8 { "I420_10LE" } else { "I420" };
        let yuv = format!("video/x-raw,format={format},colorimetry=(string){colorimetry}");
        // Said of both sides, so that the converter keeps the matrix and the range that are dealt with below.
        let as_coded = self.look.colorimetry.as_ref().filter(|_| !self.look.alpha);
        let as_coded = as_coded.map(|c| format!(",colorimetry=(string){c}")).unwrap_or_default();
        let sized = |format: &str| caps(&format!("{format},width={width},height={height},pixel-aspect-ratio=1/1"));
        // Without borders: a size rounded to even numbers is no reason for a black line.
        let mut elements = vec![make("videoconvertscale", &[("method", "catrom"), ("add-borders", "false")])?];
        match self.look.route {
            Route::Plain => elements.push(sized(&yuv)?),
            // What was laid on its background is RGB, whatever it was before.
            Route::Recode { .. } if self.look.alpha => elements.push(sized(&yuv)?),
            Route::Recode { matrix, full_range } => {
                let shallow = sized(&format!("video/x-raw,format={format}{as_coded}"))?;
                let frames = pad(&shallow, "src")?;
                if self.depth > 8 {
                    let recode = DeepRecode::new(matrix, gst_video::VideoColorMatrix::Bt709, full_range);
                    in_place(&frames, move |frame| recode.apply(frame));
                } else {
                    let recode = Recode::new(matrix, full_range);
                    in_place(&frames, move |frame| recode.apply(frame));
                }
                elements.extend([shallow, relabel(&colorimetry)?]);
            }
            Route::Tone { full_range, .. } if self.keeps_hdr && self.depth > 8 => {
                let deep = sized(&format!("video/x-raw,format=I420_10LE{as_coded}"))?;
                elements.push(deep.clone());
                elements.extend(self.look.limited(&deep, full_range, &self.look.as_they_are())?);
            }
            Route::Tone { transfer, full_range } => {
                let deep = sized(&format!("video/x-raw,format=I420_10LE{as_coded}"))?;
                let map = ToneMap::new(transfer, full_range);
                in_place(&pad(&deep, "src")?, move |frame| map.apply(frame));
                sei::forget_display(&pad(&deep, "src")?);
                elements.extend([deep, relabel(&colorimetry)?, queue(2)?]);
                elements.extend([make("videoconvertscale", &[])?, caps(&yuv)?]);
            }
        }
        Ok(elements)
    }
}

/// Says other colors of frames.
pub(super) fn relabel(colorimetry: &gst_video::VideoColorimetry) -> Result<gst::Element> {
    make("capssetter", &[("caps", &format!("video/x-raw,colorimetry=(string){colorimetry}"))])
}

/// A muxer to MP4 or QuickTime with its index first.
pub(super) fn index_first(muxer: &str, path: &Path) -> Result<gst::Element> {
    let mux = make(muxer, &[("faststart", "true")])?;
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

pub(super) fn one_frame((n, d): (u32, u32)) -> gst::ClockTime {
    let (n, d) = if n == 0 || d == 0 { (25, 1) } else { (n, d) };
    gst::ClockTime::from_nseconds(u64::from(d) * 1_000_000_000 / u64::from(n))
}

/// GStreamer's word for turning clockwise by so many degrees.
pub(super) fn direction(rotation: u16) -> Option<&'static str> {
    match rotation {
        90 => Some("90r"),
        180 => Some("180"),
        270 => Some("90l"),
        _ => None,
    }
}

/// Changes the frames that pass this pad.
pub(super) fn in_place(
    pad: &gst::Pad,
    change: impl Fn(&mut gst_video::VideoFrameRef<&mut gst::BufferRef>) -> Result<()> + Send + Sync + 'static,
) {
    let known: Mutex<Option<gst_video::VideoInfo>> = Mutex::new(None);
    pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Ok(mut known) = known.lock() else { return gst::PadProbeReturn::Handled };
        if known.is_none() {
            *known = pad.current_caps().and_then(|c| gst_video::VideoInfo::from_caps(&c).ok());
        }
        let (Some(video), Some(buffer)) = (known.as_ref(), info.buffer_mut()) else {
            return gst::PadProbeReturn::Handled;
        };
        let frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer.make_mut(), video);
        // A frame that cannot be changed is left out, and missed by the count of frames.
        match frame.ok().map(|mut f| change(&mut f)) {
            Some(Ok(())) => gst::PadProbeReturn::Ok,
            _ => gst::PadProbeReturn::Handled,
        }
    });
}
