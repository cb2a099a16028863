//! Stills as outputs: converted, encoded and written.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    Source, Work,
    branch::fit,
    color::Look,
    graph, path,
    run::{self, Complaints, Pulse, Watch},
    stall,
    still::{self, Lookout, Passage, Taken},
};
use crate::{
    error::{Doing, Error, Kind, Result},
    media::{Rendered, image},
    profile::{Entry, Position, Spec},
};

/// Encodes a frame and writes it.
pub(super) fn write(work: &Work<'_>, entry: &Entry, frame: &Taken, look: &Look, size: (u32, u32)) -> Result<Rendered> {
    let rotation = work.facts.video.as_ref().map_or(0, |v| v.rotation);
    let background = match &entry.spec {
        Spec::Jpeg(s) | Spec::Webp(s) | Spec::Avif(s) | Spec::Jxl(s) => s.background(),
        _ => [0; 3],
    };
    let pixels = still::pixels(frame, look.route, rotation, size, background)?;
    let path = path(work.out_dir, entry);
    let encoded = image::encode_still(&pixels, &entry.spec)?;
    std::fs::write(&path, encoded).doing(|| format!("cannot write {}", path.display()))?;
    Ok(Rendered {
        output: entry.name.clone(),
        files: vec![entry.spec.file_name(&entry.name)],
        size,
        frames: 1,
        duration_ms: 0,
        input_peak_dbfs: None,
        input_seen: None,
        mixed: None,
        encoder: None,
        film: None,
        others: Vec::new(),
    })
}

/// Takes stills without decoding all: from the keyframe before each place on. The frame is the one that is on screen
/// there, as when all is decoded: which one it is must not depend on what else is made.
pub(super) fn by_seeking(
    work: &Work<'_>,
    wanted: &[&Entry],
    mut source: Source,
    (tee, look): (&gst::Element, &Look),
    pulse: &Pulse,
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Result<Rendered>>> {
    let sink = graph::make("fakesink", &[("sync", "false")])?;
    graph::chain(source.live.pipeline(), &[tee.clone(), sink])?;
    let passage = Passage::new(graph::pad(tee, "sink")?);
    graph::take_padded(&graph::pad(tee, "sink")?);
    source.release()?;
    // What has not begun cannot be sought in.
    pause(&source, work, complaints)?;
    let mut seeker = Seeker { source, passage, has_sought: false, work, pulse, complaints };
    let mut best = None;
    let mut results = Vec::new();
    for (i, entry) in wanted.iter().enumerate() {
        let share = |done: f64| (i as f64 + done) / wanted.len() as f64;
        progress(share(0.0));
        let mut told = |done| progress(share(done));
        let mut rendered = || match (&entry.spec, entry.spec.at()) {
            (Spec::Sprite(spec), _) => super::sprite::render(&mut seeker, entry, spec, look, &mut told),
            (_, Some(Position::Best)) => {
                let at = match best {
                    Some(at) => at,
                    None => super::best::place(&mut seeker, look, &mut told)?,
                };
                best = Some(at);
                let frame = seeker.frame_at(at)?;
                Ok(write(work, entry, &frame, look, fit(work, entry)?))
            }
            (spec, _) => {
                let frame = seeker.frame_at(place(work, spec))?;
                Ok(write(work, entry, &frame, look, fit(work, entry)?))
            }
        };
        results.push(match rendered() {
            // What others want may lie where it can be decoded.
            Err(e) if e.kind() == Kind::Corrupt => Err(e),
            outcome => outcome?,
        });
    }
    seeker.source.live.close();
    Ok(results)
}

/// To show one frame whole where what is before it is missing, no more than this is decoded: others are wanted as well.
const FAR: gst::ClockTime = gst::ClockTime::from_seconds(120);

/// An open recording in which single frames are looked for.
pub(super) struct Seeker<'a> {
    source: Source,
    passage: Passage,
    /// Whether it is known that this file can be sought in.
    has_sought: bool,
    pub(super) work: &'a Work<'a>,
    pulse: &'a Pulse,
    complaints: &'a mut Complaints,
}

impl Seeker<'_> {
    /// The frame on screen at a place. Where a demuxer lands after it, or finds nothing there because the pictures end
    /// before the sound, or because what comes cannot be decoded by itself, it is looked for from further back.
    pub(super) fn frame_at(&mut self, at: gst::ClockTime) -> Result<Taken> {
        let (mut best, mut failed) = (None, None);
        let [there, begin] = [at, gst::ClockTime::ZERO].map(|place| self.passage.demuxed(place));
        // Program streams are sought in by another clock, which at the first picture is ahead of where that lies.
        let ahead = (begin > gst::ClockTime::ZERO).then_some(gst::ClockTime::ZERO);
        let [before, long_before] =
            [5, 30].map(|seconds| self.passage.demuxed(at.saturating_sub(gst::ClockTime::from_seconds(seconds))));
        let near = [there, before, long_before].map(|from| (from, false));
        for (from, is_far) in near.into_iter().chain(std::iter::once(begin).chain(ahead).map(|from| (from, at > FAR))) {
            if is_far && best.as_ref().is_some_and(Taken::is_damaged) {
                break;
            }
            match self.look(from, at) {
                (Some((frame, true)), _) => return Ok(frame),
                (found, Ok(())) => best = found.map(|(frame, _)| frame).or(best),
                (_, Err(e)) if e.kind() == Kind::Corrupt => failed = Some(e),
                (_, Err(e)) => return Err(e),
            }
        }
        match failed {
            // What lies before it is damaged: another picture is not to stand for it.
            Some(e) => Err(e),
            None => best.ok_or_else(|| Error::corrupt("not one picture of it could be decoded")),
        }
    }

    /// The keyframe at or before a place, or what comes first where there is none; none behind the end.
    pub(super) fn keyframe_before(&mut self, at: gst::ClockTime) -> Result<Option<Taken>> {
        match self.look(self.passage.demuxed(at), gst::ClockTime::ZERO) {
            (Some((frame, _)), _) => Ok(Some(frame)),
            (None, Ok(())) => Ok(None),
            (None, Err(e)) if e.kind() == Kind::Corrupt => Ok(None),
            (None, Err(e)) => Err(e),
        }
    }

    /// Plays from the keyframe before `from`, in the demuxer's time, until the frame on screen at `at` is known, which is at once
    /// when that has passed. What nobody sees on the way is not decoded, unless it turns out to be that frame.
    fn look(&mut self, from: gst::ClockTime, at: gst::ClockTime) -> (Option<(Taken, bool)>, Result<()>) {
        self.source.unseen.leave_out(Some(self.passage.demuxed(at)));
        let looked = self.play(from, at);
        let last = self.source.unseen.last();
        self.source.unseen.leave_out(None);
        let begins = looked.0.as_ref().and_then(|(frame, _)| frame.begins).map(|begins| self.passage.demuxed(begins));
        let has_run = looked.1.as_ref().err().is_none_or(|e| e.kind() == Kind::Corrupt);
        match has_run && last > begins {
            true => self.play(from, at),
            false => looked,
        }
    }

    fn play(&mut self, from: gst::ClockTime, at: gst::ClockTime) -> (Option<(Taken, bool)>, Result<()>) {
        // While it stands still, it does not come to an end.
        if let Err(e) = self.source.live.set_state(gst::State::Paused, self.complaints) {
            return (None, Err(e));
        }
        let lookout = Lookout::default();
        lookout.watch_after_seek(&self.passage, at);
        if self.has_sought {
            self.source.unseen.serve(&lookout);
        }
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_BEFORE;
        match self.source.live.pipeline().seek_simple(flags, from) {
            Ok(()) => {
                self.has_sought = true;
                self.source.unseen.serve(&lookout);
            }
            // There is no such place.
            Err(_) if self.has_sought => return (None, Ok(())),
            // A file that cannot be sought in is read on from where it is, the beginning.
            Err(_) => {
                self.source.unseen.leave_out(None);
                lookout.open();
            }
        }
        if let Err(e) = drain(&self.source, self.complaints) {
            return (None, Err(e));
        }
        let enough = || lookout.settled();
        let (pulse, stop) = (self.pulse, self.work.stop);
        let watch = Watch { pulse, stall: stall(self.work), stop, done: &|| 0.0, enough: &enough };
        let ran = run::to_the_end(&self.source.live, &watch, self.complaints, &mut |_| ());
        (lookout.end(), ran)
    }
}

fn place(work: &Work<'_>, spec: &Spec) -> gst::ClockTime {
    let at = spec.at().and_then(|at| at.in_millis(work.facts.duration_ms.unwrap_or(0)));
    gst::ClockTime::from_mseconds(at.unwrap_or_default())
}

/// Halts the pipeline at its next frame, or at the end.
fn pause(source: &Source, work: &Work<'_>, complaints: &mut Complaints) -> Result<()> {
    let started = std::time::Instant::now();
    source.live.set_state(gst::State::Paused, complaints)?;
    while source.live.pipeline().state(gst::ClockTime::from_mseconds(50)).0 == Ok(gst::StateChangeSuccess::Async) {
        work.stop.check()?;
        drain(source, complaints)?;
        if started.elapsed() > stall(work) {
            return Err(run::stalled(format!("no picture came for {} s", stall(work).as_secs())));
        }
    }
    drain(source, complaints)
}

/// Takes what is on the bus, so that an end from before a seek is not taken for one from after it.
fn drain(source: &Source, complaints: &mut Complaints) -> Result<()> {
    while let Some(message) = source.live.bus().pop() {
        complaints.listen(&message)?;
    }
    Ok(())
}
