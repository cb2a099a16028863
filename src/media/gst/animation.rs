//! Films of animations: pictures are pushed into the pipeline as they are decoded, because GStreamer's own GIF decoder
//! gives all of them the time 0.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;

use super::{
    around::Meetings,
    branch::fit,
    color::{self, Look},
    graph, path,
    run::{self, Complaints, Live, Pulse, Watch},
    share::Shared,
    stall,
    video::{FilmBranch, FilmBuilt, scratch},
};
use crate::{
    error::{Error, Result},
    media::{
        Rendered, Work,
        image::{self, Pixels},
    },
    profile::Entry,
};

/// Renders an animation to the wanted films.
pub(super) fn render(
    work: &Work<'_>,
    wanted: &[&Entry],
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Result<Rendered>>> {
    let (input, cap) = (work.input, work.limits.pixels);
    let frames = |push: &mut dyn FnMut(Pixels, u32) -> Result<()>| -> Result<()> {
        image::animation::read(input, cap, &mut |frame| push(frame.pixels, frame.delay_ms))
    };
    encode(frames, work, wanted, complaints, progress)
}

/// Encodes the pictures that `frames` hands over, each with its time on screen in milliseconds, all of one size. They
/// are handed over on a thread of their own, which is joined before this returns.
pub(super) fn encode(
    frames: impl FnOnce(&mut dyn FnMut(Pixels, u32) -> Result<()>) -> Result<()> + Send,
    work: &Work<'_>,
    wanted: &[&Entry],
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<Vec<Result<Rendered>>> {
    let (live, pulse, meetings) = (Live::new(), Pulse::default(), Meetings::default());
    let source = gstreamer_app::AppSrc::builder().format(gst::Format::Time).block(true).max_bytes(64 << 20).build();
    let tee = graph::tee()?;
    graph::chain(live.pipeline(), &[source.clone().upcast(), graph::queue(4)?, tee.clone()])?;
    let (mut built, shared): (Vec<FilmBuilt>, Shared) = Default::default();
    // Of RGB without alpha: each frame is laid on black before it is handed over.
    let look = Look::opaque_rgb();
    for (index, entry) in wanted.iter().enumerate() {
        let Some((film, format)) = entry.spec.film() else {
            return Err(Error::internal("an animation was to be made something else than a film"));
        };
        let path = path(work.out_dir, entry);
        let branch = FilmBranch::of_film((work, &meetings), fit(work, entry)?, entry, (film, format), &look, &path);
        let branch = branch.build(live.pipeline(), (&tee, &shared), &pulse)?;
        complaints.own(index, &branch.elements);
        built.push(branch);
    }
    let stop = work.stop.child();
    let failed = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let (feed_stop, feed_pulse, feed_failed) = (stop.clone(), pulse.clone(), failed.clone());
        let feed = scope.spawn(move || {
            let mut at = gst::ClockTime::ZERO;
            let result = frames(&mut |pixels, delay_ms| {
                feed_stop.check()?;
                feed_pulse.beat();
                push(&source, pixels, delay_ms, &mut at)
            });
            if result.is_err() {
                feed_failed.store(true, Ordering::SeqCst);
            }
            // Refused only when the pipeline is being shut down.
            source.end_of_stream().ok();
            result
        });
        let watch = Watch {
            pulse: &pulse,
            stall: stall(work),
            stop: work.stop,
            done: &|| 0.0,
            enough: &|| failed.load(Ordering::SeqCst),
        };
        let ran = run::to_the_end(&live, &watch, complaints, progress);
        stop.trip();
        // Shutting down wakes the feeding thread from a full queue.
        live.close();
        let fed = feed.join().map_err(|_| Error::internal("the reader of the animation panicked"))?;
        ran?;
        fed
    })?;
    Ok(built.iter().zip(wanted).map(|(branch, entry)| finish(work, entry, branch)).collect())
}

fn push(source: &gstreamer_app::AppSrc, mut pixels: Pixels, delay_ms: u32, at: &mut gst::ClockTime) -> Result<()> {
    let failed = |e: &dyn std::fmt::Display| Error::internal(format!("cannot hand over a frame: {e}"));
    let format = if pixels.alpha { gst_video::VideoFormat::Rgba } else { gst_video::VideoFormat::Rgb };
    let info = gst_video::VideoInfo::builder(format, pixels.width, pixels.height).fps(gst::Fraction::new(0, 1)).build();
    let info = info.map_err(|e| failed(&e))?;
    if pixels.alpha {
        color::lay_on(&mut pixels.data, [0; 3]);
    } else {
        // GStreamer's rows begin at multiples of four bytes.
        let (row, stride) = (pixels.width as usize * 3, info.stride()[0] as usize);
        pixels.data =
            pixels.data.chunks_exact(row).flat_map(|r| r.iter().copied().chain((row..stride).map(|_| 0))).collect();
    }
    if at.is_zero() {
        source.set_caps(Some(&info.to_caps().map_err(|e| failed(&e))?));
    }
    let shown = gst::ClockTime::from_mseconds(u64::from(delay_ms));
    let mut buffer = gst::Buffer::from_mut_slice(pixels.data);
    if let Some(writable) = buffer.get_mut() {
        writable.set_pts(*at);
        writable.set_duration(shown);
    }
    *at += shown;
    source.push_buffer(buffer).map(|_| ()).map_err(|_| Error::stopped())
}

fn finish(work: &Work<'_>, entry: &Entry, branch: &FilmBuilt) -> Result<Rendered> {
    if branch.tally.buffers() == 0 {
        return Err(Error::corrupt("not one picture of it could be decoded"));
    }
    std::fs::remove_file(scratch(&path(work.out_dir, entry))).ok();
    Ok(Rendered {
        output: entry.name.clone(),
        files: vec![entry.spec.file_name(&entry.name)],
        size: branch.size,
        frames: branch.tally.buffers(),
        duration_ms: branch.tally.end_ms(),
        input_peak_dbfs: None,
        input_seen: None,
        mixed: None,
        encoder: Some(branch.encoder.clone()),
        film: branch.part.as_ref().map(super::around::Part::told),
        others: Vec::new(),
    })
}
