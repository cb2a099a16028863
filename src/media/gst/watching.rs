//! Frames as recognizers want them: upright and in sRGB, one every few seconds and the first after each cut.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, PoisonError},
    time::Instant,
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::{
    graph::{self, chain, pad},
    run::{self, Complaints, Pulse},
    scenes::Comparing,
    shared_pictures, sound_decode, source, stall,
    still::{self, Passage, Taken},
    wanted_streams,
};
use crate::{
    error::{Error, Result},
    media::{Work, image::Pixels},
};

/// How much a frame differs from the one before it at a cut, of 100; ffmpeg's `scene` has the same measure.
const CUT: f64 = 8.0;
/// Scenes last at least so long: what flickers is one.
const SHORTEST_MS: u64 = 500;

/// A frame that was looked at.
pub struct Seen {
    /// Where it begins, in milliseconds of the recording.
    pub at_ms: u64,
    /// Whether a scene begins with it.
    pub is_cut: bool,
    /// What is seen.
    pub pixels: Pixels,
}

/// Which frames pass.
struct Choice {
    every_ms: u64,
    next_ms: u64,
    last_cut_ms: u64,
    comparing: Comparing,
    /// Of those that have passed and were not looked at: when, and whether at a cut.
    passed: VecDeque<(u64, bool)>,
    failed: Option<Error>,
}

impl Choice {
    fn wants(&mut self, frame: &Taken) -> Result<bool> {
        let Some(at_ms) = frame.begins.map(gst::ClockTime::mseconds) else { return Ok(false) };
        let score = self.comparing.score(frame)?;
        let is_cut = score.is_none_or(|score| score * 100.0 >= CUT && at_ms >= self.last_cut_ms + SHORTEST_MS);
        if is_cut {
            self.last_cut_ms = at_ms;
        }
        let is_wanted = is_cut || at_ms >= self.next_ms;
        if is_wanted {
            self.next_ms = at_ms + self.every_ms;
            self.passed.push_back((at_ms, is_cut));
        }
        Ok(is_wanted)
    }
}

/// Hands the chosen frames of a recording to `each`, no side of them longer than `longest`. The decoder waits while it is at work.
pub fn frames(work: &Work<'_>, every_ms: u64, longest: u32, each: &mut dyn FnMut(Seen) -> Result<()>) -> Result<()> {
    super::warm()?;
    let mut complaints = Complaints::default();
    let streams = wanted_streams(work, true, [].into());
    let mut source = source::open(work.input, sound_decode(work), &streams, &mut complaints, stall(work), work.stop)?;
    source::missing_stream(&source, work.facts, true, &streams.tracks, &complaints)?;
    let from = source.video.clone().ok_or_else(|| Error::unsupported("the recording has no pictures"))?;
    let pulse = Pulse::default();
    let pictures = shared_pictures(work, &source, &from, false, &pulse)?;
    let rotation = work.facts.video.as_ref().map_or(0, |v| v.rotation);
    let shown = work.facts.display_size().filter(|(w, h)| *w > 0 && *h > 0);
    let size = within(shown.ok_or_else(|| Error::corrupt("its picture size is not known"))?, longest);
    let (queue, sink) = (graph::queue(4)?, gst_app::AppSink::builder().sync(false).max_buffers(2).build());
    let start = Passage::new(pad(&pictures.tee, "sink")?).start();
    let choice = Arc::new(Mutex::new(Choice {
        every_ms: every_ms.max(1),
        next_ms: 0,
        last_cut_ms: 0,
        comparing: Comparing::default(),
        passed: VecDeque::new(),
        failed: None,
    }));
    let choosing = choice.clone();
    pad(&queue, "src")?.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let mut choice = choosing.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(buffer), Some(caps), None) = (info.buffer(), pad.current_caps(), &choice.failed) else {
            return gst::PadProbeReturn::Handled;
        };
        let frame = Taken { buffer: buffer.to_owned(), caps, begins: start.place(pad, buffer) };
        match choice.wants(&frame) {
            Ok(true) => gst::PadProbeReturn::Ok,
            Ok(false) => gst::PadProbeReturn::Handled,
            Err(e) => {
                choice.failed = Some(e);
                gst::PadProbeReturn::Handled
            }
        }
    });
    chain(source.live.pipeline(), &[pictures.tee.clone(), queue, sink.clone().upcast()])?;
    source.release()?;
    source.live.set_state(gst::State::Playing, &mut complaints)?;
    let (mut count, mut moved) = (0_u64, Instant::now());
    let mut beats = pulse.count();
    loop {
        work.stop.check()?;
        while let Some(message) = source.live.bus().pop() {
            complaints.listen(&message)?;
        }
        if let Some(e) = choice.lock().unwrap_or_else(PoisonError::into_inner).failed.take() {
            return Err(e);
        }
        let Some(sample) = sink.try_pull_sample(gst::ClockTime::from_mseconds(100)) else {
            if sink.is_eos() {
                break;
            }
            // Between two frames that are wanted, many may pass.
            if beats != pulse.count() {
                (beats, moved) = (pulse.count(), Instant::now());
            }
            if moved.elapsed() > stall(work) {
                source.live.give_up();
                return Err(run::stalled(format!("no picture came for {} s", stall(work).as_secs())));
            }
            continue;
        };
        let passed = choice.lock().unwrap_or_else(PoisonError::into_inner).passed.pop_front();
        let frame = sample.buffer_owned().zip(sample.caps_owned()).zip(passed);
        let ((buffer, caps), (at_ms, is_cut)) =
            frame.ok_or_else(|| Error::internal("a frame that nobody has chosen"))?;
        let taken = Taken { buffer, caps, begins: None };
        let pixels = still::pixels(&taken, pictures.look.route, rotation, size, [0; 3])?;
        each(Seen { at_ms, is_cut, pixels })?;
        count += 1;
        moved = Instant::now();
    }
    while let Some(message) = source.live.bus().pop() {
        complaints.listen(&message)?;
    }
    source.live.close();
    match count {
        0 => Err(Error::corrupt("not one picture of it could be decoded")),
        _ => Ok(()),
    }
}

/// The size, made smaller where a side is too long.
fn within((width, height): (u32, u32), longest: u32) -> (u32, u32) {
    let side = width.max(height);
    if side <= longest {
        return (width, height);
    }
    let fit = |n: u32| ((u64::from(n) * u64::from(longest) / u64::from(side)) as u32).max(1);
    (fit(width), fit(height))
}
