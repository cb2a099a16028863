//! A file's pictures as frames of another picture: decoded in a pipeline of their own, brought to its size, rate and colors,
//! and handed over one by one.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;
use gstreamer_video as gst_video;
use gstreamer_video::prelude::*;

use super::{
    brand::{planes, put_on},
    graph::{cannot_build, chain},
    run::{Complaints, Pulse},
    shared_pictures,
    source::{self, Decode, Source, Wanted, missing_stream},
    video::{Framing, Pace},
};
use crate::{
    error::{Error, Result},
    media::{
        Clips, Limits, Work,
        brand::{Backdrop, Finish, Plane, lay_on},
        image::{self, Pixels},
        reel::Reel,
    },
    model::MediaFacts,
    profile::Fit,
    stop::Stop,
};

/// A stretch of a file, and how it is to be shown.
#[derive(Clone)]
pub(super) struct Showing {
    pub(super) shown: Shown,
    /// How many frames are wanted.
    pub(super) frames: u64,
    pub(super) canvas: Canvas,
    /// What is put on each frame.
    pub(super) finish: Option<Arc<Finish>>,
    pub(super) limits: Limits,
    pub(super) stop: Stop,
}

/// What is shown.
#[derive(Clone)]
pub(super) enum Shown {
    /// A film.
    Film {
        path: PathBuf,
        facts: Box<MediaFacts>,
        /// Where it begins; none: at its start.
        from: Option<gst::ClockTime>,
    },
    /// A still picture.
    Picture(PathBuf),
    /// The background alone.
    Nothing,
}

/// What it is shown on.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Canvas {
    /// Even.
    pub(super) size: (u32, u32),
    /// Frames a second.
    pub(super) rate: (u32, u32),
    pub(super) fit: Fit,
    pub(super) background: [u8; 3],
}

impl Canvas {
    /// A reel's.
    pub(super) fn of(reel: &Reel) -> Self {
        Self { size: reel.size, rate: reel.rate, fit: Fit::Contain, background: [0; 3] }
    }

    /// The layout of its frames.
    pub(super) fn info(&self) -> Result<gst_video::VideoInfo> {
        gst_video::VideoInfo::builder(gst_video::VideoFormat::I420, self.size.0, self.size.1)
            .fps(gst::Fraction::new(self.rate.0 as i32, self.rate.1.max(1) as i32))
            .colorimetry(&super::color::bt709())
            .build()
            .map_err(|e| cannot_build(&e))
    }

    /// The time of a frame.
    pub(super) fn time(&self, frame: u64) -> gst::ClockTime {
        let (n, d) = (u128::from(self.rate.0.max(1)), u128::from(self.rate.1.max(1)));
        gst::ClockTime::from_nseconds((u128::from(frame) * d * 1_000_000_000 / n) as u64)
    }

    /// The first frame that does not begin before a time.
    pub(super) fn frame_from(&self, time: gst::ClockTime) -> u64 {
        let (n, d) = (u128::from(self.rate.0.max(1)), u128::from(self.rate.1.max(1)));
        // A microsecond is a rounding, not a frame.
        let ns = u128::from(time.nseconds().saturating_sub(1000));
        (ns * n).div_ceil(d * 1_000_000_000) as u64
    }

    /// A frame of the background alone.
    fn empty(&self) -> Result<gst::Buffer> {
        let info = self.info()?;
        let mut buffer = gst::Buffer::with_size(info.size()).map_err(|e| cannot_build(&e))?;
        let writable = buffer.get_mut().ok_or_else(|| Error::internal("a frame that somebody else holds"))?;
        let mut map = writable.map_writable().map_err(|e| cannot_build(&e))?;
        for (plane, color) in background(self.background).into_iter().enumerate() {
            let end = info.offset().get(plane + 1).copied().unwrap_or(info.size());
            map.as_mut_slice()[info.offset()[plane]..end].fill(color);
        }
        drop(map);
        Ok(buffer)
    }

    /// A frame with a still picture in its middle, upright.
    fn picture(&self, path: &Path, cap: u64) -> Result<gst::Buffer> {
        if self.fit == Fit::Blur {
            // As a frame of its own size, which is then laid like a film's.
            let picture = image::seen(path, &|own| self.fit.size(own, self.size), cap)?;
            let own = Self { size: (picture.width, picture.height), fit: Fit::Contain, ..*self };
            let (frame, info) = (own.picture(path, cap)?, own.info()?);
            let frame = gst_video::VideoFrameRef::from_buffer_ref_readable(&frame, &info);
            return self.lay(&frame.map_err(|e| cannot_build(&e))?);
        }
        let mut picture = image::seen(path, &|own| self.fit.size(own, self.size), cap)?;
        crop(&mut picture, self.size);
        let at = ((self.size.0 - picture.width) / 2, (self.size.1 - picture.height) / 2);
        let (mut buffer, info) = (self.empty()?, self.info()?);
        let writable = buffer.get_mut().ok_or_else(|| Error::internal("a frame that somebody else holds"))?;
        let frame = gst_video::VideoFrameRef::from_buffer_ref_writable(writable, &info);
        planes(&mut frame.map_err(|e| cannot_build(&e))?, &mut |planes| lay_on(&picture, at, planes));
        Ok(buffer)
    }

    /// Lays a frame of 4:2:0 in the middle of an empty one.
    pub(super) fn lay(&self, from: &gst_video::VideoFrameRef<&gst::BufferRef>) -> Result<gst::Buffer> {
        let info = self.info()?;
        let mut buffer = gst::Buffer::with_size(info.size()).map_err(|e| cannot_build(&e))?;
        let writable = buffer.get_mut().ok_or_else(|| Error::internal("a frame that somebody else holds"))?;
        {
            let mut map = writable.map_writable().map_err(|e| cannot_build(&e))?;
            let colors = background(self.background);
            for (plane, color) in colors.into_iter().enumerate() {
                let half = usize::from(plane > 0);
                let (width, height) = (self.size.0 as usize >> half, self.size.1 as usize >> half);
                let (there, down) = (from.width() as usize >> half, from.height() as usize >> half);
                let (stride, offset) = (info.stride()[plane] as usize, info.offset()[plane]);
                let rows = &mut map.as_mut_slice()[offset..];
                let source = from.plane_data(plane as u32).map_err(|e| cannot_build(&e))?;
                let source_stride = from.plane_stride()[plane] as usize;
                let ((to_x, from_x, across), (to_y, from_y, count)) = (centered(there, width), centered(down, height));
                let backdrop = (self.fit == Fit::Blur && (across < width || count < height)).then(|| {
                    let own = Plane { data: source, stride: source_stride, width: there, height: down };
                    Backdrop::of(&own, (width, height), if plane == 0 { 16.0 } else { 128.0 })
                });
                let beside = |row: usize, from: usize, line: &mut [u8]| match &backdrop {
                    Some(backdrop) => backdrop.write(row, from, line),
                    None => line.fill(color),
                };
                for (row, line) in rows.chunks_mut(stride).take(height).enumerate() {
                    let line = &mut line[..width];
                    if row < to_y || row >= to_y + count {
                        beside(row, 0, line);
                        continue;
                    }
                    let start = (row - to_y + from_y) * source_stride + from_x;
                    beside(row, 0, &mut line[..to_x]);
                    line[to_x..to_x + across].copy_from_slice(&source[start..start + across]);
                    beside(row, to_x + across, &mut line[to_x + across..]);
                }
            }
        }
        Ok(buffer)
    }
}

/// Leaves the middle of a picture, as much as there is room for.
fn crop(picture: &mut Pixels, (width, height): (u32, u32)) {
    let channels = if picture.alpha { 4 } else { 3 };
    let (_, left, across) = centered(picture.width as usize, width as usize);
    let (_, top, down) = centered(picture.height as usize, height as usize);
    if (across, down) == (picture.width as usize, picture.height as usize) {
        return;
    }
    let rows = picture.data.chunks_exact(picture.width as usize * channels).skip(top).take(down);
    let data = rows.flat_map(|row| row[left * channels..(left + across) * channels].iter().copied()).collect();
    (picture.width, picture.height, picture.data) = (across as u32, down as u32, data);
}

/// Where a side of this length begins on a longer one, or where it is cut for a shorter one; and how much is seen of it.
fn centered(side: usize, on: usize) -> (usize, usize, usize) {
    match side <= on {
        true => ((on - side) / 2, 0, side),
        false => (0, (side - on) / 2, on),
    }
}

/// R'G'B' as BT.709 of limited range.
fn background(rgb: [u8; 3]) -> [u8; 3] {
    let [r, g, b] = rgb.map(|c| f64::from(c) / 255.0);
    let y = 0.2126 * r + 0.7152 * g + 0.0722 * b;
    let code = |black: f64, span: f64, value: f64| (black + span * value).round() as u8;
    [code(16.0, 219.0, y), code(128.0, 224.0, (b - y) / 1.8556), code(128.0, 224.0, (r - y) / 1.5748)]
}

impl Showing {
    /// Plays it: as many frames as are wanted, each with its time from 0 on. Where the file has fewer, the last one stays, but
    /// an end long before the promised one is an error.
    pub(super) fn play(&self, each: Each<'_>) -> Result<()> {
        match &self.shown {
            Shown::Film { path, facts, from } => Film { path, facts, from: *from, of: self }.play(each),
            Shown::Picture(path) => {
                let frame = self.finished(self.canvas.picture(path, self.limits.pixels)?)?;
                self.stay(&frame, 0, each)
            }
            Shown::Nothing => {
                let frame = self.finished(self.canvas.empty()?)?;
                self.stay(&frame, 0, each)
            }
        }
    }

    /// One frame, from a number on to the end.
    fn stay(&self, frame: &gst::Buffer, from: u64, each: Each<'_>) -> Result<()> {
        for number in from..self.frames {
            self.stop.check()?;
            each(self.timed(frame.clone(), number))?;
        }
        Ok(())
    }

    /// With what is put on each frame.
    fn finished(&self, mut frame: gst::Buffer) -> Result<gst::Buffer> {
        if let (Some(finish), Some(buffer)) = (&self.finish, frame.get_mut()) {
            let info = self.canvas.info()?;
            let frame = gst_video::VideoFrameRef::from_buffer_ref_writable(buffer, &info);
            put_on(finish, &mut frame.map_err(|e| cannot_build(&e))?)?;
        }
        Ok(frame)
    }

    fn timed(&self, mut frame: gst::Buffer, number: u64) -> gst::Buffer {
        let (at, next) = (self.canvas.time(number), self.canvas.time(number + 1));
        let writable = frame.make_mut();
        writable.set_pts(at);
        writable.set_duration(next - at);
        frame
    }
}

/// Whoever takes frames.
pub(super) type Each<'a> = &'a mut dyn FnMut(gst::Buffer) -> Result<()>;

/// A film that is shown.
struct Film<'a> {
    path: &'a Path,
    facts: &'a MediaFacts,
    from: Option<gst::ClockTime>,
    of: &'a Showing,
}

impl Film<'_> {
    fn play(&self, each: Each<'_>) -> Result<()> {
        let (canvas, limits, stop) = (&self.of.canvas, &self.of.limits, &self.of.stop);
        let none = Clips::default();
        let work = Work {
            input: self.path,
            facts: self.facts,
            outputs: Vec::new(),
            out_dir: Path::new(""),
            limits,
            stop,
            part: None,
            clips: &none,
        };
        let complaints = &mut Complaints::default();
        let wanted = Wanted { pictures: true, tracks: BTreeSet::new(), by_name: false };
        let patience = super::stall(&work);
        let mut source = source::open(self.path, Decode::Everything, &wanted, complaints, patience, stop)?;
        missing_stream(&source, self.facts, true, &wanted.tracks, complaints)?;
        let from = source.video.clone().ok_or_else(|| Error::unsupported("it has no pictures"))?;
        let pulse = Pulse::default();
        let pictures = shared_pictures(&work, &source, &from, false, &pulse)?;
        let shown = self.facts.display_size().filter(|(w, h)| *w > 0 && *h > 0);
        let shown = shown.ok_or_else(|| Error::corrupt("its picture size is not known"))?;
        let framing = Framing {
            size: canvas.fit.size(shown, canvas.size),
            rotation: self.facts.video.as_ref().map_or(0, |v| v.rotation),
            look: &pictures.look,
            background: canvas.background,
            depth: 8,
            pace: Pace::Even(canvas.rate),
            keeps_hdr: false,
        };
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(4).build();
        let mut elements = vec![pictures.tee.clone()];
        elements.extend(framing.elements()?);
        elements.push(sink.clone().upcast());
        chain(source.live.pipeline(), &elements)?;
        source.release()?;
        self.begin(&source, complaints)?;
        let shown = self.pull(&source, &sink, patience, complaints, each);
        source.live.close();
        shown
    }

    /// Goes to where it begins, and lets it run.
    fn begin(&self, source: &Source, complaints: &mut Complaints) -> Result<()> {
        if let Some(from) = self.from {
            let started = Instant::now();
            while source.live.pipeline().state(gst::ClockTime::from_mseconds(50)).0
                == Ok(gst::StateChangeSuccess::Async)
            {
                self.of.stop.check()?;
                while let Some(message) = source.live.bus().pop() {
                    complaints.listen(&message)?;
                }
                if started.elapsed() > Duration::from_secs(self.of.limits.stall_seconds.max(1)) {
                    return Err(super::run::stalled("no picture of it came".to_owned()));
                }
            }
            // What cannot be sought in is decoded from its start, and shown from here on.
            source.live.pipeline().seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE, from).ok();
        }
        source.live.set_state(gst::State::Playing, complaints)
    }

    fn pull(
        &self,
        source: &Source,
        sink: &gst_app::AppSink,
        patience: Duration,
        complaints: &mut Complaints,
        each: &mut dyn FnMut(gst::Buffer) -> Result<()>,
    ) -> Result<()> {
        let (mut count, mut last, mut moved) = (0, None, Instant::now());
        while count < self.of.frames {
            self.of.stop.check()?;
            while let Some(message) = source.live.bus().pop() {
                complaints.listen(&message)?;
            }
            let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_mseconds(100)) else {
                if sink.is_eos() {
                    break;
                }
                if moved.elapsed() > patience {
                    return Err(super::run::stalled(format!("no picture came for {} s", patience.as_secs())));
                }
                continue;
            };
            moved = Instant::now();
            if self.is_before(&sample) {
                continue;
            }
            let frame = self.framed(&sample)?;
            last = Some(frame.clone());
            each(self.of.timed(frame, count))?;
            count += 1;
        }
        let promised = self.promised();
        if count == 0 || count + 2 + promised / 20 < promised.min(self.of.frames) {
            let seconds = self.of.canvas.time(count).mseconds() as f64 / 1000.0;
            return Err(Error::corrupt(format!("its pictures end after {seconds} s of it")));
        }
        last.map_or(Ok(()), |frame| self.of.stay(&frame, count, each))
    }

    /// How many frames its pictures should be, as far as that is known.
    fn promised(&self) -> u64 {
        let from = self.from.map_or(0, |f| f.mseconds());
        match self.facts.video.as_ref().map(|v| (v.frames, v.rate)) {
            Some((Some(frames), (n, d))) if n > 0 => {
                let ms = (frames * u64::from(d) * 1000 / u64::from(n)).saturating_sub(from);
                self.of.canvas.frame_from(gst::ClockTime::from_mseconds(ms))
            }
            _ => 0,
        }
    }

    fn is_before(&self, sample: &gst::Sample) -> bool {
        let time = sample.buffer().and_then(|b| b.pts()).and_then(|pts| {
            let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
            segment.to_stream_time(pts)
        });
        let half = self.of.canvas.time(1) / 2;
        matches!((time, self.from), (Some(time), Some(from)) if time + half < from)
    }

    fn framed(&self, sample: &gst::Sample) -> Result<gst::Buffer> {
        let info = sample.caps().and_then(|c| gst_video::VideoInfo::from_caps(c).ok());
        let frame = info
            .as_ref()
            .zip(sample.buffer())
            .and_then(|(info, buffer)| gst_video::VideoFrameRef::from_buffer_ref_readable(buffer, info).ok());
        let frame = frame.ok_or_else(|| Error::internal("a frame that cannot be read"))?;
        self.of.finished(self.of.canvas.lay(&frame)?)
    }
}
