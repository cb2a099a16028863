//! A reel as a source: its scenes are decoded one after another and pushed as one recording, pictures and sound each on a
//! thread of their own.

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, Instant},
};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::{
    brand::{self, Stretch},
    graph::{self, cannot_build},
    level,
    run::{self, Complaints, Live},
    showing::{Canvas, Showing, Shown},
    source::{self, Source, Wanted},
};
use crate::{
    error::{Error, Result},
    media::{
        Clips, Limits, Work,
        brand::Finish,
        reel::{Reel, Scene, Shows},
    },
    profile::Brand,
    stop::Stop,
};

/// Samples a second of a reel.
const RATE: u32 = 48_000;
/// Samples that are pushed at once.
const BLOCK: u64 = 1024;

/// What both threads know.
#[derive(Clone)]
struct Playing {
    reel: Arc<Reel>,
    limits: Limits,
    stop: Stop,
    /// Where decoded sound may be kept for a while.
    scratch: PathBuf,
}

/// Opens a reel's description, as [`source::open`] opens a recording.
pub(super) fn open(
    input: &Path,
    wanted: &Wanted,
    complaints: &mut Complaints,
    patience: Duration,
    stop: &Stop,
) -> Result<Source> {
    let playing = Playing {
        reel: Arc::new(Reel::load(input)?),
        limits: Limits { stall_seconds: patience.as_secs(), ..Limits::default() },
        stop: stop.child(),
        scratch: input.parent().unwrap_or(Path::new("/")).to_owned(),
    };
    let live = Live::new();
    let (mut exposed, mut video, mut sounds) = (Vec::new(), None, Vec::new());
    let source = |caps: gst::Caps| {
        gst_app::AppSrc::builder().format(gst::Format::Time).block(true).max_bytes(16 << 20).caps(&caps).build()
    };
    let mut sources = Vec::new();
    if wanted.pictures {
        let info = Canvas::of(&playing.reel).info()?;
        sources.push((source(info.to_caps().map_err(|e| cannot_build(&e))?), true));
    }
    if wanted.tracks.contains(&0) {
        let caps = gst::Caps::builder("audio/x-raw")
            .field("format", "F32LE")
            .field("layout", "interleaved")
            .field("rate", RATE as i32)
            .field("channels", 2_i32)
            .field("channel-mask", gst::Bitmask(3))
            .build();
        sources.push((source(caps), false));
    }
    for (source, is_video) in sources {
        let element: &gst::Element = source.upcast_ref();
        live.pipeline().add(element).map_err(|e| cannot_build(&e))?;
        let pad = graph::pad(element, "src")?;
        exposed.extend(source::Exposed::halted(&pad));
        match is_video {
            true => video = Some(pad),
            false => sounds.push((0, pad)),
        }
        let (playing, source) = (playing.clone(), source.clone());
        std::thread::spawn(move || feed(&playing, &source, is_video));
    }
    live.set_state(gst::State::Paused, complaints)?;
    let began = Instant::now();
    while exposed.iter().any(|e| e.pad().current_caps().is_none()) {
        stop.check()?;
        if let Some(message) = live.bus().timed_pop(gst::ClockTime::from_mseconds(10)) {
            complaints.listen(&message)?;
        }
        if began.elapsed() > patience {
            return Err(run::stalled(format!("its first scene did not begin within {} s", patience.as_secs())));
        }
    }
    Ok(Source::of(live, video, sounds, exposed))
}

/// Pushes all scenes, and then the end.
fn feed(playing: &Playing, source: &gst_app::AppSrc, is_video: bool) {
    let fed = if is_video { playing.pictures(source) } else { playing.sound(source) };
    match fed {
        // Refused only when the pipeline is being shut down.
        Ok(()) => drop(source.end_of_stream()),
        Err(e) if e.kind() == crate::error::Kind::Stopped => {}
        Err(e) => {
            gst::element_error!(source, gst::StreamError::Decode, ("{}", e.one_line()));
        }
    }
}

fn push(source: &gst_app::AppSrc, buffer: gst::Buffer) -> Result<()> {
    source.push_buffer(buffer).map(drop).map_err(|_| Error::stopped())
}

impl Playing {
    fn pictures(&self, source: &gst_app::AppSrc) -> Result<()> {
        let grid = Canvas::of(&self.reel);
        let mut before = 0;
        for (number, scene) in self.reel.scenes.iter().enumerate() {
            self.showing(scene)?
                .play(&mut |mut frame| {
                    // Counted from the start of the reel each time, so that nothing adds up.
                    let shown = grid.frame_from(frame.pts().unwrap_or_default()) + before;
                    let writable = frame.make_mut();
                    writable.set_pts(grid.time(shown));
                    writable.set_duration(grid.time(shown + 1) - grid.time(shown));
                    push(source, frame)
                })
                .map_err(|e| within(number, e))?;
            before += scene.frames;
        }
        Ok(())
    }

    fn showing(&self, scene: &Scene) -> Result<Showing> {
        let canvas = Canvas { fit: scene.fit, background: scene.background, ..Canvas::of(&self.reel) };
        let finish = match &scene.logo {
            Some(logo) => {
                let brand = Brand { logo: Some(logo.clone()), ..Brand::default() };
                Some(Arc::new(Finish::new(&brand, self.reel.size)?))
            }
            None => None,
        };
        let shown = match &scene.shows {
            Shows::Film { path, facts, from_ms, .. } => Shown::Film {
                path: path.clone(),
                facts: facts.clone(),
                from: (*from_ms > 0).then(|| gst::ClockTime::from_mseconds(*from_ms)),
            },
            Shows::Picture { path } => Shown::Picture(path.clone()),
            Shows::Card => Shown::Nothing,
        };
        let (limits, stop) = (self.limits.clone(), self.stop.clone());
        Ok(Showing { shown, frames: scene.frames, canvas, finish, limits, stop })
    }

    fn sound(&self, source: &gst_app::AppSrc) -> Result<()> {
        let (mut frames, mut at) = (0, 0);
        for (number, scene) in self.reel.scenes.iter().enumerate() {
            frames += scene.frames;
            let end = samples(self.reel.time_ns(frames));
            self.scene_sound(scene, (at, end), source).map_err(|e| within(number, e))?;
            at = end;
        }
        Ok(())
    }

    fn scene_sound(&self, scene: &Scene, (mut at, end): (u64, u64), source: &gst_app::AppSrc) -> Result<()> {
        let (begin, mut track, mut gain) = (at, None, 1.0);
        if let Shows::Film { path, facts, from_ms, sound: Some(turned) } = &scene.shows
            && !facts.audio.is_empty()
        {
            let none = Clips::default();
            let work = Work {
                input: path,
                facts,
                outputs: Vec::new(),
                out_dir: &self.scratch,
                limits: &self.limits,
                stop: &self.stop,
                part: None,
                clips: &none,
            };
            let length_ms = (end - begin) * 1000 / u64::from(RATE) + 1;
            track = Some(brand::decoded(&work, RATE, Some(Stretch { from_ms: *from_ms, length_ms }))?);
            gain = turned.factor();
        }
        while at < end {
            let mut both = vec![[0.0_f32; 2]; (end - at).min(BLOCK) as usize];
            if let Some(track) = &track {
                track.read(at - begin, false, &mut both);
            }
            let count = both.len() as u64;
            let mut buffer = gst::Buffer::from_mut_slice(level::raw(both.iter().flatten().map(|s| s * gain)));
            if let Some(writable) = buffer.get_mut() {
                writable.set_pts(time(at));
                writable.set_duration(time(at + count) - time(at));
            }
            push(source, buffer)?;
            at += count;
        }
        Ok(())
    }
}

fn within(number: usize, e: Error) -> Error {
    match e.kind() {
        crate::error::Kind::Stopped => e,
        _ => e.within(format_args!("scene {}", number + 1)),
    }
}

fn samples(ns: u64) -> u64 {
    ((u128::from(ns) * u128::from(RATE) + 500_000_000) / 1_000_000_000) as u64
}

fn time(sample: u64) -> gst::ClockTime {
    gst::ClockTime::from_nseconds((u128::from(sample) * 1_000_000_000 / u128::from(RATE)) as u64)
}
