//! A stretch of a recording's pictures, encoded to packets that are kept for whoever joins them.
//!
//! What is encoded begins before the stretch: by its beginning the encoder has seen what the film is like, and its rate control
//! has the history that it would have in one run. A keyframe is forced on the first frame of the stretch; the packets before
//! it are thrown away.

use std::{
    fs::File,
    io::{BufWriter, Write},
    path::Path,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use super::{
    around::Meetings,
    branch::fit,
    bridge,
    graph::{make, pad},
    missing_stream, path,
    run::{self, Complaints, Pulse, Watch},
    shared_pictures, source, stall,
    video::{FilmBranch, FilmBuilt, running_time},
    wanted_streams,
};
use crate::{
    error::{Doing, Error, Result},
    media::{
        Rendered, Work,
        split::{self, Packet, Segment, Stretch},
    },
    profile::{Entry, Film},
};

/// How much is encoded before a stretch, in milliseconds: as much as this, and a keyframe's distance.
const WARM_UP_MS: u64 = 2_000;
/// How far behind a stretch the first frame after it is looked for, in nanoseconds.
const BEHIND_NS: u64 = 1_000_000_000;

/// Encodes a stretch for all of `wanted`, from one decode.
pub(super) fn render(
    work: &Work<'_>,
    wanted: &[&Entry],
    stretch: Stretch,
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Result<Rendered>>> {
    if bridge::is_shown_wrongly(work.facts) {
        return Err(Error::unsupported("its pictures are decoded by ffmpeg, which cannot begin in the middle")
            .hint("leave split_over out, so that this master is rendered as a whole"));
    }
    let films = wanted.iter().map(|e| e.spec.film().ok_or_else(|| Error::internal("a segment of no film")));
    let films = films.collect::<Result<Vec<_>>>()?;
    let streams = wanted_streams(work, true, std::collections::BTreeSet::new());
    let mut source =
        source::open(work.input, source::Decode::Everything, &streams, complaints, stall(work), work.stop)?;
    while let Some(message) = source.live.bus().pop_filtered(&[gst::MessageType::Element]) {
        complaints.listen(&message)?;
    }
    missing_stream(&source, work.facts, true, &streams.tracks, complaints)?;
    let from = source.video.clone().ok_or_else(|| Error::unsupported("the recording has no pictures"))?;
    let seek = stretch.from_ns.saturating_sub(films.iter().map(|(film, _)| warm_up(film)).max().unwrap_or(0));
    source.seek(seek, stretch.until_ns.map(|until| until.saturating_add(BEHIND_NS)))?;

    let pulse = Pulse::default();
    let pictures = shared_pictures(work, &source, &from, false, &pulse)?;
    pictures.looking.begin_at((stretch.from_ns - seek) / 1_000_000);
    let window = Window::new(stretch);
    window.watch(&pad(&pictures.tee, "sink")?);
    let meetings = Meetings::default();
    let at = (work, &meetings);
    let mut built: Vec<(Recorder, FilmBuilt)> = Vec::new();
    for (index, (entry, film)) in wanted.iter().zip(films).enumerate() {
        let recorder = Recorder::new(work.out_dir, entry, stretch, seek)?;
        let path = path(work.out_dir, entry);
        let mut branch = FilmBranch::of_film(at, fit(work, entry)?, entry, film, &pictures.look, &path);
        branch.recorder = Some(&recorder);
        let tee = pictures.of_depth(source.live.pipeline(), branch.depth)?;
        let made = branch.build(source.live.pipeline(), (&tee, &pictures.shared), &pulse);
        let made = made.map_err(|e| complaints.blame(index, source.live.bus(), e))?;
        complaints.own(index, &made.elements);
        built.push((recorder, made));
    }
    let length = stretch.until_ns.unwrap_or(work.facts.duration_ms.unwrap_or(0) * 1_000_000).saturating_sub(seek);
    let done = || window.lock().last.saturating_sub(seek as i64).max(0) as f64 / length.max(1) as f64;
    let enough = || built.iter().all(|(recorder, _)| recorder.lock().is_over);
    source.release()?;
    let watch = Watch { pulse: &pulse, stall: stall(work), stop: work.stop, done: &done, enough: &enough };
    run::to_the_end(&source.live, &watch, complaints, progress)?;
    source.live.close();
    let seen = pictures.looking.seen();
    let finish = |((recorder, made), entry): (&(Recorder, FilmBuilt), &&Entry)| {
        let window = window.lock();
        let segment = recorder.finish(work.out_dir, entry, &window, made)?;
        let end = segment.packets.iter().map(|p| p.pts.unsigned_abs() + p.duration.unwrap_or(0)).max().unwrap_or(0);
        let start = segment.span().0.unsigned_abs();
        Ok(Rendered {
            output: entry.name.clone(),
            files: split::files(&entry.name).into_iter().map(|(name, _)| name).collect(),
            size: made.size,
            frames: window.frames,
            duration_ms: (end.saturating_sub(start) + 500_000) / 1_000_000,
            input_peak_dbfs: None,
            input_seen: seen.filter(|_| entry.brand.is_none()),
            mixed: None,
            encoder: Some(made.encoder.clone()),
            film: None,
            others: Vec::new(),
        })
    };
    Ok(built.iter().zip(wanted).map(finish).collect())
}

/// Nanoseconds that a film is encoded for before a stretch of it.
fn warm_up(film: &Film) -> u64 {
    WARM_UP_MS.max(u64::from(film.video.keyframe_interval.0)) * 1_000_000
}

/// Where a buffer is in the recording, in nanoseconds: the same wherever its reading began.
fn place(pad: &gst::Pad, buffer: &gst::BufferRef) -> Option<i64> {
    let segment = pad.sticky_event::<gst::event::Segment>(0)?;
    let time = segment.segment().downcast_ref::<gst::ClockTime>()?.to_stream_time(buffer.pts()?)?;
    i64::try_from(time.nseconds()).ok()
}

/// Lets the frames of a stretch pass, and those before it; sees its neighbors.
#[derive(Clone)]
struct Window(Arc<Mutex<Seen>>);

struct Seen {
    stretch: Stretch,
    /// The last frame before it, and the first one behind it.
    before: Option<i64>,
    after: Option<i64>,
    /// The last frame that passed.
    last: i64,
    /// How many frames are its.
    frames: u64,
}

impl Window {
    fn new(stretch: Stretch) -> Self {
        Self(Arc::new(Mutex::new(Seen { stretch, before: None, after: None, last: 0, frames: 0 })))
    }

    fn lock(&self) -> MutexGuard<'_, Seen> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn watch(&self, pad: &gst::Pad) {
        let window = self.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let mut seen = window.lock();
            let Some(time) = info.buffer().and_then(|buffer| place(pad, buffer)) else {
                return gst::PadProbeReturn::Handled;
            };
            match seen.stretch.until_ns {
                Some(until) if time >= 0 && time.unsigned_abs() >= until => {
                    if seen.after.is_none() {
                        seen.after = Some(time);
                        drop(seen);
                        // What is behind this ends now, and nobody asks for more.
                        pad.send_event(gst::event::Eos::new());
                    }
                    info.flow_res = Err(gst::FlowError::Eos);
                    return gst::PadProbeReturn::Handled;
                }
                _ => {}
            }
            seen.last = time;
            match time.unsigned_abs() < seen.stretch.from_ns {
                true => seen.before = Some(time),
                false => seen.frames += 1,
            }
            gst::PadProbeReturn::Ok
        });
    }
}

/// Keeps the packets of one entry.
#[derive(Clone)]
pub(super) struct Recorder(Arc<Mutex<Recording>>);

struct Recording {
    stretch: Stretch,
    /// Where in the recording the pipeline's time begins, in nanoseconds.
    seek: i64,
    file: BufWriter<File>,
    packets: Vec<Packet>,
    caps: Option<gst::Caps>,
    failure: Option<String>,
    is_over: bool,
}

impl Recorder {
    fn new(out_dir: &Path, entry: &Entry, stretch: Stretch, seek: u64) -> Result<Self> {
        let [_, (name, _)] = split::files(&entry.name);
        let path = out_dir.join(name);
        let file = File::create(&path).doing(|| format!("cannot make {}", path.display()))?;
        Ok(Self(Arc::new(Mutex::new(Recording {
            stretch,
            seek: i64::try_from(seek).unwrap_or(i64::MAX),
            file: BufWriter::with_capacity(1 << 20, file),
            packets: Vec::new(),
            caps: None,
            failure: None,
            is_over: false,
        }))))
    }

    fn lock(&self) -> MutexGuard<'_, Recording> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Where packets end.
    pub(super) fn sink(&self, pulse: &Pulse) -> Result<gst::Element> {
        let sink = make("fakesink", &[("sync", "false"), ("async", "false")])?;
        let entry = pad(&sink, "sink")?;
        pulse.watch(&entry);
        let recorder = self.clone();
        entry.add_probe(gst::PadProbeType::BUFFER | gst::PadProbeType::EVENT_DOWNSTREAM, move |pad, info| {
            let mut recording = recorder.lock();
            if let Some(buffer) = info.buffer() {
                let kept = recording.keep(pad, buffer);
                recording.failure = recording.failure.take().or(kept.err());
            }
            if info.event().is_some_and(|e| e.type_() == gst::EventType::Eos) {
                recording.is_over = true;
            }
            gst::PadProbeReturn::Ok
        });
        Ok(sink)
    }

    /// Has the first frame of the stretch made a keyframe. Encoders take such wishes from behind alone, and forget them when
    /// they are set up: so it comes just before the frame.
    pub(super) fn attend(&self, encoder: &gst::Element) -> Result<()> {
        let from = {
            let recording = self.lock();
            gst::ClockTime::from_nseconds(recording.stretch.from_ns.saturating_sub(recording.seek.unsigned_abs()))
        };
        let (is_due, behind) = (AtomicBool::new(!from.is_zero()), pad(encoder, "src")?);
        pad(encoder, "sink")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let time = info.buffer().and_then(|buffer| running_time(pad, buffer));
            if time.is_some_and(|time| time >= from) && is_due.swap(false, Ordering::Relaxed) {
                behind.send_event(gst_video::UpstreamForceKeyUnitEvent::builder().all_headers(true).build());
            }
            gst::PadProbeReturn::Ok
        });
        Ok(())
    }

    /// Writes the list.
    fn finish(&self, out_dir: &Path, entry: &Entry, seen: &Seen, made: &FilmBuilt) -> Result<Segment> {
        let mut recording = self.lock();
        if let Some(failure) = &recording.failure {
            return Err(Error::internal(failure.clone()));
        }
        if seen.frames == 0 {
            return Err(Error::corrupt("not one picture of this stretch could be decoded"));
        }
        recording.file.flush().map_err(|e| Error::unavailable("cannot write a segment").because(e))?;
        let caps = recording.caps.as_ref().ok_or_else(|| Error::internal("packets of no type"))?;
        let configuration = caps.structure(0).and_then(|s| s.get::<gst::Buffer>("codec_data").ok());
        let configuration = configuration.and_then(|data| data.map_readable().ok().map(|map| split::hex(&map)));
        let segment = Segment {
            caps: caps.to_string(),
            configuration,
            encoder: made.encoder.clone(),
            size: made.size,
            before: seen.before,
            after: seen.after,
            packets: std::mem::take(&mut recording.packets),
        };
        segment.write(out_dir, &entry.name)?;
        Ok(segment)
    }
}

impl Recording {
    fn keep(&mut self, pad: &gst::Pad, buffer: &gst::BufferRef) -> Result<(), String> {
        let segment = pad.sticky_event::<gst::event::Segment>(0).ok_or("packets without a beginning")?;
        let segment = segment.segment().downcast_ref::<gst::ClockTime>().ok_or("packets without a clock")?.clone();
        let time = |at: Option<gst::ClockTime>| {
            let running = match segment.to_running_time_full(at?)? {
                gst::Signed::Positive(time) => i64::try_from(time.nseconds()).ok()?,
                gst::Signed::Negative(time) => -i64::try_from(time.nseconds()).ok()?,
            };
            Some(running + self.seek)
        };
        let pts = time(buffer.pts()).ok_or("a packet without a time")?;
        let dts = time(buffer.dts()).unwrap_or(pts);
        let is_key = !buffer.flags().contains(gst::BufferFlags::DELTA_UNIT);
        let is_its = pts >= 0 && pts.unsigned_abs() >= self.stretch.from_ns;
        match (self.packets.is_empty(), is_its, is_key) {
            // Still before it.
            (true, false, _) => return Ok(()),
            (true, true, false) => return Err("the first frame of a segment is no keyframe".to_owned()),
            (false, false, _) => return Err("a frame of the segment before was encoded into this one".to_owned()),
            _ => {}
        }
        let caps = pad.current_caps();
        match &self.caps {
            None => self.caps = caps,
            known if *known != caps => return Err("the coding changes within a segment".to_owned()),
            _ => {}
        }
        let map = buffer.map_readable().map_err(|_| "a packet that cannot be read")?;
        let bytes = u32::try_from(map.len()).map_err(|_| "a packet of more than 4 GiB")?;
        self.file.write_all(&map).map_err(|e| format!("cannot write a segment: {e}"))?;
        self.packets.push(Packet { bytes, pts, dts, duration: buffer.duration().map(|d| d.nseconds()), is_key });
        Ok(())
    }
}

/// Leaves nothing behind of a segment that failed.
pub(super) fn clear(out_dir: &Path, entry: &Entry) {
    for (name, _) in split::files(&entry.name) {
        std::fs::remove_file(out_dir.join(name)).ok();
    }
}

impl source::Source {
    /// Goes to a place before anything has passed. To the beginning one does not go: frames that a demuxer gives there of
    /// itself may have other times than after a seek.
    fn seek(&self, from: u64, until: Option<u64>) -> Result<()> {
        if from == 0 {
            return Ok(());
        }
        let video = self.video.as_ref().ok_or_else(|| Error::internal("no pictures to go to"))?;
        let stop = until.map(gst::ClockTime::from_nseconds);
        let stop_type = if stop.is_some() { gst::SeekType::Set } else { gst::SeekType::None };
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::ACCURATE;
        let start = gst::ClockTime::from_nseconds(from);
        match video.send_event(gst::event::Seek::new(1.0, flags, gst::SeekType::Set, start, stop_type, stop)) {
            true => Ok(()),
            false => Err(Error::unsupported("one cannot go to a place in it")
                .hint("leave split_over out, so that this master is rendered as a whole")),
        }
    }
}
