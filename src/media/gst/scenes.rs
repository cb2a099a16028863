//! Scenes: each frame is compared with the one before at a small size, and where they differ much and suddenly, one is kept.

use std::{
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_video as gst_video;
use gstreamer_video::VideoFrameExt;

use super::{
    color::Route,
    graph::{self, chain, make, pad},
    still::{self, Passage, Taken},
    video::Tally,
};
use crate::{
    error::{Error, Result},
    media::{
        image,
        scenes::{self, Found},
    },
    profile::Scenes,
};

/// The size at which frames are compared.
const SMALL: (u32, u32) = (96, 54);
/// Scenes last at least so long: what flickers is one.
const SHORTEST_MS: u64 = 500;

/// What is known of the frames that have passed.
struct Compared {
    spec: Scenes,
    route: Route,
    rotation: u16,
    size: (u32, u32),
    comparing: Comparing,
    last_cut_ms: u64,
    found: Vec<Found>,
    failed: Option<Error>,
}

/// Frames at cuts, as they come.
#[derive(Clone)]
pub(super) struct Cuts(Arc<Mutex<Compared>>);

/// A branch that looks at every frame.
pub(super) fn branch(
    pipeline: &gst::Pipeline,
    tee: &gst::Element,
    spec: &Scenes,
    route: Route,
    rotation: u16,
    size: (u32, u32),
) -> Result<(Vec<gst::Element>, Tally, Cuts)> {
    let sink = make("fakesink", &[("sync", "false"), ("async", "false")])?;
    let queue = graph::queue(4)?;
    let start = Passage::new(pad(tee, "sink")?).start();
    let (samples, tally) = (pad(&sink, "sink")?, Tally::default());
    tally.watch(&samples, gst::ClockTime::ZERO);
    let cuts = Cuts(Arc::new(Mutex::new(Compared {
        spec: spec.clone(),
        route,
        rotation,
        size,
        comparing: Comparing::default(),
        last_cut_ms: 0,
        found: Vec::new(),
        failed: None,
    })));
    let compared = cuts.0.clone();
    samples.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let mut compared = compared.lock().unwrap_or_else(PoisonError::into_inner);
        if let (Some(buffer), Some(caps), None) = (info.buffer(), pad.current_caps(), &compared.failed) {
            let begins = start.place(pad, buffer);
            let frame = Taken { buffer: buffer.to_owned(), caps, begins };
            compared.failed = compared.look(&frame).err();
        }
        gst::PadProbeReturn::Ok
    });
    chain(pipeline, &[tee.clone(), queue.clone(), sink.clone()])?;
    Ok((vec![queue, sink], tally, cuts))
}

impl Compared {
    fn look(&mut self, frame: &Taken) -> Result<()> {
        let Some(at_ms) = frame.begins.map(gst::ClockTime::mseconds) else { return Ok(()) };
        let Some(score) = self.comparing.score(frame)? else {
            // The first picture begins the first scene.
            return self.keep(frame, at_ms, 0.0);
        };
        if score * 100.0 < f64::from(self.spec.threshold) || at_ms < self.last_cut_ms + SHORTEST_MS {
            return Ok(());
        }
        self.last_cut_ms = at_ms;
        if self.found.len() >= self.spec.most as usize {
            // The first stays: it is where the recording begins.
            let others = self.found.iter().enumerate().skip(1);
            let Some((weakest, found)) = others.min_by(|(_, a), (_, b)| a.score.total_cmp(&b.score)) else {
                return Ok(());
            };
            if found.score >= score {
                return Ok(());
            }
            self.found.remove(weakest);
        }
        self.keep(frame, at_ms, score)
    }

    fn keep(&mut self, frame: &Taken, at_ms: u64, score: f64) -> Result<()> {
        let pixels = still::pixels(frame, self.route, self.rotation, self.size, [0; 3])?;
        let picture = image::encode_still(&pixels, &self.spec.coding())?;
        self.found.push(Found { at_ms, score, picture });
        Ok(())
    }
}

/// Each frame beside the one before it.
#[derive(Default)]
pub(super) struct Comparing {
    scaler: Option<(gst::Caps, Scaler)>,
    before: Option<Vec<u8>>,
    difference_before: f64,
}

impl Comparing {
    /// How much, and how suddenly, a frame differs from the one before it, 0 to 2.55; none of the first. ffmpeg's `scene` is the
    /// same measure.
    pub(super) fn score(&mut self, frame: &Taken) -> Result<Option<f64>> {
        let small = match &mut self.scaler {
            Some((caps, scaler)) if *caps == frame.caps => scaler.scale(frame)?,
            _ => {
                let mut scaler = Scaler::new(&frame.caps)?;
                let small = scaler.scale(frame)?;
                self.scaler = Some((frame.caps.clone(), scaler));
                small
            }
        };
        let Some(before) = self.before.replace(small) else { return Ok(None) };
        let difference = self.before.as_deref().map_or(0.0, |now| mean_difference(&before, now));
        let score = difference.min((difference - self.difference_before).abs()) / 100.0;
        self.difference_before = difference;
        Ok(Some(score))
    }
}

/// In steps of brightness, 0 to 255.
fn mean_difference(a: &[u8], b: &[u8]) -> f64 {
    a.iter().zip(b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len().max(1) as f64
}

/// Makes frames of one kind small and gray.
struct Scaler {
    from: gst_video::VideoInfo,
    to: gst_video::VideoInfo,
    converter: gst_video::VideoConverter,
}

impl Scaler {
    fn new(caps: &gst::Caps) -> Result<Self> {
        let failed = |e: gst::glib::BoolError| Error::internal(format!("cannot compare frames: {e}"));
        let from = gst_video::VideoInfo::from_caps(caps).map_err(failed)?;
        let to = gst_video::VideoInfo::builder(gst_video::VideoFormat::Gray8, SMALL.0, SMALL.1)
            .fps(from.fps())
            .interlace_mode(from.interlace_mode())
            .build()
            .map_err(failed)?;
        let mut config = gst_video::VideoConverterConfig::new();
        // Samples as they are: like all pixels, they differ by grain, too, and cost next to nothing.
        config.set_resampler_method(gst_video::VideoResamplerMethod::Nearest);
        let converter = gst_video::VideoConverter::new(&from, &to, Some(config)).map_err(failed)?;
        Ok(Self { from, to, converter })
    }

    fn scale(&mut self, frame: &Taken) -> Result<Vec<u8>> {
        let failed = |e: gst::glib::BoolError| Error::internal(format!("cannot compare frames: {e}"));
        let frame = gst_video::VideoFrame::from_buffer_readable(frame.buffer.clone(), &self.from)
            .map_err(|_| Error::corrupt("a decoded frame cannot be read"))?;
        let buffer = gst::Buffer::with_size(self.to.size()).map_err(failed)?;
        let mut small = gst_video::VideoFrame::from_buffer_writable(buffer, &self.to)
            .map_err(|_| Error::internal("a new frame cannot be written"))?;
        self.converter.frame(&frame, &mut small);
        let stride = small.plane_stride()[0] as usize;
        let plane = small.plane_data(0).map_err(failed)?;
        let rows = plane.chunks(stride).take(SMALL.1 as usize);
        Ok(rows.flat_map(|row| &row[..SMALL.0 as usize]).copied().collect())
    }
}

impl Cuts {
    /// Writes the pictures and their list, once the pipeline is shut down; gives the files' names.
    pub(super) fn finish(&self, out_dir: &Path, entry: &str, duration_ms: u64) -> Result<Vec<String>> {
        let mut compared = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(e) = compared.failed.take() {
            return Err(e);
        }
        let found = std::mem::take(&mut compared.found);
        if found.is_empty() {
            return Err(Error::corrupt("not one picture of it could be decoded"));
        }
        scenes::write(out_dir, entry, found, duration_ms)
    }
}
