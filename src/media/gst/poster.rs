//! Stills as outputs: converted, encoded and written.

use gstreamer as gst;
use gstreamer::prelude::*;

use super::{
    Source, Work,
    color::Look,
    fit, graph, path,
    run::{self, Complaints, Pulse, Watch},
    stall,
    still::{self, Lookout, Taken},
};
use crate::{
    error::{Doing, Error, Result},
    media::{Rendered, image},
    profile::{Entry, Spec, Still},
};

/// Encodes a frame and writes it.
pub(super) fn write(work: &Work<'_>, entry: &Entry, frame: &Taken, look: &Look, size: (u32, u32)) -> Result<Rendered> {
    let rotation = work.facts.video.as_ref().map_or(0, |v| v.rotation);
    let pixels = still::pixels(frame, look.route, rotation, size)?;
    let path = path(work.out_dir, entry);
    let encoded = encode(&pixels, &entry.spec)?;
    std::fs::write(&path, encoded).doing(|| format!("cannot write {}", path.display()))?;
    Ok(Rendered {
        output: entry.name.clone(),
        files: vec![entry.spec.file_name(&entry.name)],
        size,
        frames: 1,
        duration_ms: 0,
        input_peak_dbfs: None,
    })
}

#[cfg(not(test))]
use image::encode_still as encode;

/// Tests look at the pixels themselves.
#[cfg(test)]
fn encode(pixels: &image::Pixels, _: &Spec) -> Result<Vec<u8>> {
    let mut ppm = format!("P6 {} {} 255\n", pixels.width, pixels.height).into_bytes();
    ppm.extend(&pixels.data);
    Ok(ppm)
}

/// Takes stills without decoding all: the keyframe nearest to each place. Where a file cannot be sought in, it is
/// decoded up to the last place.
pub(super) fn by_seeking(
    work: &Work<'_>,
    wanted: &[&Entry],
    mut source: Source,
    tee: &gst::Element,
    look: &Look,
    pulse: &Pulse,
    complaints: &mut Complaints,
) -> Result<Vec<Result<Rendered>>> {
    let entry = graph::pad(tee, "sink")?;
    let places: Vec<_> = wanted.iter().map(|e| place(work, &e.spec)).collect();
    let lookouts: Vec<_> = places.iter().map(|_| Lookout::default()).collect();
    let pipeline = source.live.pipeline().clone();
    let sink = gstreamer_app::AppSink::builder().sync(false).max_buffers(1).build();
    graph::chain(&pipeline, &[tee.clone(), sink.clone().upcast()])?;
    source.release()?;
    let mut frames: Vec<Option<Taken>> = Vec::new();
    let mut preroll = pull(&source, &sink, work, complaints)?;
    for at in &places {
        let flags = gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT | gst::SeekFlags::SNAP_NEAREST;
        let sought = at.is_zero() || pipeline.seek_simple(flags, *at).is_ok();
        if sought && !at.is_zero() {
            preroll = pull(&source, &sink, work, complaints)?;
        }
        frames.push(preroll.clone().filter(|_| sought));
    }
    if frames.iter().any(Option::is_none) {
        // From here on the sink is only there to let frames go by.
        sink.set_drop(true);
        for (lookout, at) in lookouts.iter().zip(&places) {
            lookout.watch(&entry, *at);
        }
        let watch = Watch {
            pulse,
            stall: stall(work),
            stop: work.stop,
            done: &|| 0.0,
            enough: &|| lookouts.iter().all(Lookout::settled),
        };
        run::to_the_end(&source.live, &watch, complaints, &mut |_| ())?;
    }
    drop(pipeline);
    source.live.close();
    let results = wanted.iter().zip(frames).zip(&lookouts).map(|((entry, frame), lookout)| {
        let frame = frame.or_else(|| lookout.frame());
        let frame = frame.ok_or_else(|| Error::corrupt("not one picture of it could be decoded"))?;
        write(work, entry, &frame, look, fit(work, entry)?)
    });
    Ok(results.collect())
}

fn place(work: &Work<'_>, spec: &Spec) -> gst::ClockTime {
    match spec {
        Spec::Jpeg(Still { at, .. }) | Spec::Webp(Still { at, .. }) => {
            gst::ClockTime::from_mseconds(at.in_millis(work.facts.duration_ms.unwrap_or(0)))
        }
        _ => gst::ClockTime::ZERO,
    }
}

/// The frame at which the pipeline waits; none when it has reached the end.
fn pull(
    source: &Source,
    sink: &gstreamer_app::AppSink,
    work: &Work<'_>,
    complaints: &mut Complaints,
) -> Result<Option<Taken>> {
    let started = std::time::Instant::now();
    loop {
        if let Some(sample) = sink.try_pull_preroll(gst::ClockTime::from_mseconds(50)) {
            let taken = sample.buffer_owned().zip(sample.caps_owned());
            return Ok(taken.map(|(buffer, caps)| Taken { buffer, caps }));
        }
        work.stop.check()?;
        while let Some(message) = source.live.bus().pop() {
            complaints.listen(&message)?;
        }
        if sink.is_eos() {
            return Ok(None);
        }
        if started.elapsed() > stall(work) {
            return Err(Error::corrupt(format!("stalled: no picture came for {} s", stall(work).as_secs())));
        }
    }
}
