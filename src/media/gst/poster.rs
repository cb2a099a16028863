//! Stills as outputs: converted, encoded and written.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    Source, Work,
    color::Look,
    fit, graph, path,
    run::{self, Complaints, Pulse, Watch},
    stall,
    still::{self, Lookout, Passage, Taken},
};
use crate::{
    error::{Doing, Error, Result},
    media::{Rendered, image},
    profile::{Entry, Spec, Still},
};

/// Encodes a frame and writes it.
pub(super) fn write(work: &Work<'_>, entry: &Entry, frame: &Taken, look: &Look, size: (u32, u32)) -> Result<Rendered> {
    let rotation = work.facts.video.as_ref().map_or(0, |v| v.rotation);
    let background = match &entry.spec {
        Spec::Jpeg(s) | Spec::Webp(s) => s.background(),
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
        mixed: None,
        encoder: None,
    })
}

/// Takes stills without decoding all: from the keyframe before each place on. The frame is the one that is on screen
/// there, as when all is decoded: which one it is must not depend on what else is made.
pub(super) fn by_seeking(
    work: &Work<'_>,
    wanted: &[&Entry],
    mut source: Source,
    tee: &gst::Element,
    look: &Look,
    pulse: &Pulse,
    complaints: &mut Complaints,
) -> Result<Vec<Result<Rendered>>> {
    let sink = graph::make("fakesink", &[("sync", "false")])?;
    graph::chain(source.live.pipeline(), &[tee.clone(), sink])?;
    let passage = Passage::new(graph::pad(tee, "sink")?);
    source.release()?;
    // What has not begun cannot be sought in.
    pause(&source, work, complaints)?;
    let mut results = Vec::new();
    for entry in wanted {
        let frame = frame_at(place(work, &entry.spec), &source, &passage, work, pulse, complaints)?;
        results.push(write(work, entry, &frame, look, fit(work, entry)?));
    }
    source.live.close();
    Ok(results)
}

/// The frame on screen at a place. Where a demuxer lands after it, or finds nothing there because the pictures end before
/// the sound, it is looked for from further back.
fn frame_at(
    at: gst::ClockTime,
    source: &Source,
    passage: &Passage,
    work: &Work<'_>,
    pulse: &Pulse,
    complaints: &mut Complaints,
) -> Result<Taken> {
    let mut best = None;
    for back in [at, at.saturating_sub(gst::ClockTime::from_seconds(5)), gst::ClockTime::ZERO] {
        // While it stands still, no frame of before can be taken for one of after.
        pause(source, work, complaints)?;
        let lookout = Lookout::default();
        lookout.watch(passage, at);
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_BEFORE;
        // A file that cannot be sought in is read on from where it is, the beginning.
        source.live.pipeline().seek_simple(flags, passage.demuxed(back)).ok();
        drain(source, complaints)?;
        let watch = Watch { pulse, stall: stall(work), stop: work.stop, done: &|| 0.0, enough: &|| lookout.settled() };
        let ran = run::to_the_end(&source.live, &watch, complaints, &mut |_| ());
        let found = lookout.end();
        match (found, ran) {
            (Some((frame, true)), _) => return Ok(frame),
            (found, Ok(())) => best = found.map(|(frame, _)| frame).or(best),
            (_, Err(e)) => return Err(e),
        }
    }
    best.ok_or_else(|| Error::corrupt("not one picture of it could be decoded"))
}

fn place(work: &Work<'_>, spec: &Spec) -> gst::ClockTime {
    match spec {
        Spec::Jpeg(Still { at, .. }) | Spec::Webp(Still { at, .. }) => {
            gst::ClockTime::from_mseconds(at.in_millis(work.facts.duration_ms.unwrap_or(0)))
        }
        _ => gst::ClockTime::ZERO,
    }
}

/// Halts the pipeline at its next frame, or at the end.
fn pause(source: &Source, work: &Work<'_>, complaints: &mut Complaints) -> Result<()> {
    let started = std::time::Instant::now();
    source.live.set_state(gst::State::Paused, complaints)?;
    while source.live.pipeline().state(gst::ClockTime::from_mseconds(50)).0 == Ok(gst::StateChangeSuccess::Async) {
        work.stop.check()?;
        drain(source, complaints)?;
        if started.elapsed() > stall(work) {
            return Err(Error::corrupt(format!("stalled: no picture came for {} s", stall(work).as_secs())));
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
