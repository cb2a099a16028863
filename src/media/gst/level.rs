//! Loudness: the passes over a recording's sound that find its level, and the element that applies it.

use std::sync::{Arc, Mutex, PoisonError};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_audio as gst_audio;

use super::{
    audio,
    brand::Beds,
    graph::{self, chain, make, pad},
    mix::{self, Heads},
    run::{self, Complaints, Pulse, Watch},
    sound_decode, source, stall, wanted_streams,
};
use crate::{
    error::{Error, Result},
    media::{
        Work,
        loudness::{Level, Limiter, Meter, Place, Search},
    },
    profile::Sound,
};

/// The levels of sounds.
pub(super) type Levels = Vec<(Sound, Level)>;

/// The level of a sound, where it asks for one.
pub(super) fn of<'a>(levels: &'a Levels, sound: &Sound) -> Option<&'a Level> {
    levels.iter().find(|(known, _)| known == sound).map(|(_, level)| level)
}

/// The level of a sound that may come out louder than full scale, and asks for no loudness.
pub(super) fn held(sound: Sound) -> (Sound, Level) {
    let note = "as loud as its parts together, peaks held below -1 dBTP".to_owned();
    (sound, Level { gain: 0.0, ceiling: Some(-1.0), expected: None, note })
}

/// Measures every sound that asks for a loudness: one pass over the master's sound for all of them, its pictures left
/// coded, and more for those whose limiter takes away too much.
pub(super) fn measure(
    work: &Work<'_>,
    sounds: &[Sound],
    beds: &Beds,
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<Levels> {
    let mut open: Vec<(Sound, Search)> = Vec::new();
    for sound in sounds {
        if let Some(loudness) = sound.loudness.filter(|_| !open.iter().any(|(known, _)| known == sound)) {
            open.push((sound.clone(), Search::new(loudness, sound.coding.is_some())));
        }
    }
    let (mut levels, mut told) = (Vec::new(), 0.0);
    while !open.is_empty() {
        // Nobody knows how many passes there will be, so each takes half of what is left.
        let share = (1.0 - told) / 2.0;
        pass(work, &mut open, &mut levels, beds, complaints, &mut |done| progress(told + share * done))?;
        told += share;
    }
    Ok(levels)
}

fn pass(
    work: &Work<'_>,
    open: &mut Vec<(Sound, Search)>,
    levels: &mut Levels,
    beds: &Beds,
    complaints: &mut Complaints,
    progress: &mut dyn FnMut(f64),
) -> Result<()> {
    let tracks = mix::needed(work.facts, open.iter().map(|(sound, _)| sound));
    // Of a master without sound, the pictures tell when it ends.
    let wanted = wanted_streams(work, tracks.is_empty(), tracks);
    let mut source = source::open(work.input, sound_decode(work), &wanted, complaints, stall(work), work.stop)?;
    let pulse = Pulse::default();
    let heads = Heads::build(&source, work.facts, &pulse, beds.clone())?;
    if let Some(pictures) = &source.video {
        graph::discard(source.live.pipeline(), pictures)?;
    }
    let mut ears = Vec::new();
    for (sound, search) in open.iter() {
        let level = search.next();
        let pipeline = source.live.pipeline();
        let prepared = heads.prepare(pipeline, work.facts, sound, "F32LE", level)?;
        let sink = make("fakesink", &[("sync", "false"), ("async", "false")])?;
        let ear = Ear::default();
        ear.listen(&pad(&sink, "sink")?);
        let mut elements = vec![prepared.from];
        elements.extend(prepared.before);
        if let Some(coding) = sound.coding.filter(|_| level.is_some()) {
            elements.extend(audio::there_and_back(coding)?);
        }
        elements.push(sink);
        chain(pipeline, &elements)?;
        ears.push(ear);
    }
    let duration_ms = work.facts.duration_ms.unwrap_or(0).max(1) as f64;
    let pipeline = source.live.pipeline().clone();
    let done = || pipeline.query_position::<gst::ClockTime>().map_or(0, |p| p.mseconds()) as f64 / duration_ms;
    source.release()?;
    let watch = Watch { pulse: &pulse, stall: stall(work), stop: work.stop, done: &done, enough: &|| false };
    run::to_the_end(&source.live, &watch, complaints, progress)?;
    drop(pipeline);
    source.live.close();
    for ((sound, mut search), ear) in std::mem::take(open).into_iter().zip(ears) {
        match search.take(ear.heard()?) {
            Some(level) => levels.push((sound, level)),
            None => open.push((sound, search)),
        }
    }
    Ok(())
}

/// A meter at a pad.
#[derive(Clone, Default)]
struct Ear(Arc<Mutex<Option<Result<Meter>>>>);

impl Ear {
    fn listen(&self, pad: &gst::Pad) {
        let ear = self.0.clone();
        pad.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
            let mut ear = ear.lock().unwrap_or_else(PoisonError::into_inner);
            let meter = ear.get_or_insert_with(|| {
                let info = pad.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok());
                let info = info.ok_or_else(|| Error::internal("sound of an unknown kind cannot be measured"))?;
                Meter::new(&places(&info), info.rate())
            });
            let heard = match (meter.as_mut(), info.buffer().and_then(|b| b.map_readable().ok())) {
                (Ok(meter), Some(map)) => meter.push(&floats(map.as_slice())),
                _ => Ok(()),
            };
            if let Err(e) = heard {
                *meter = Err(e);
            }
            gst::PadProbeReturn::Ok
        });
    }

    fn heard(self) -> Result<crate::media::loudness::Heard> {
        let meter = self.0.lock().unwrap_or_else(PoisonError::into_inner).take();
        match meter {
            Some(meter) => meter.map(|m| m.heard()),
            None => Err(Error::corrupt("not one second of its sound could be decoded")),
        }
    }
}

fn places(info: &gst_audio::AudioInfo) -> Vec<Place> {
    use gst_audio::AudioChannelPosition as P;
    let place = |position: &P| match position {
        P::Lfe1 | P::Lfe2 => Place::Low,
        P::RearLeft | P::RearRight | P::SideLeft | P::SideRight | P::SurroundLeft | P::SurroundRight => Place::Surround,
        _ => Place::Front,
    };
    match info.positions() {
        Some(positions) => positions.iter().map(place).collect(),
        None => vec![Place::Front; info.channels() as usize],
    }
}

pub(super) fn floats(bytes: &[u8]) -> Vec<f32> {
    bytes.as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// What an element does to the sound that passes it.
struct Turning {
    gain: f32,
    limiter: Option<Limiter>,
    /// The time of the first sample, and how many the limiter has given since.
    start: Option<gst::ClockTime>,
    given: u64,
    rate: u32,
    ended: bool,
}

impl Turning {
    /// The buffer that takes a buffer's place; none while the limiter waits for more.
    fn turn(&mut self, pad: &gst::Pad, buffer: gst::Buffer, level: &Level) -> Option<gst::Buffer> {
        if self.ended {
            return Some(buffer);
        }
        if self.rate == 0 {
            let info = pad.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok())?;
            self.rate = info.rate();
            let channels = info.channels() as usize;
            self.limiter = level.ceiling.map(|ceiling| Limiter::new(channels, info.rate(), level.gain, ceiling));
            self.start = buffer.pts();
        }
        let samples = floats(buffer.map_readable().ok()?.as_slice());
        let Some(limiter) = &mut self.limiter else {
            let mut turned = gst::Buffer::from_mut_slice(raw(samples.iter().map(|s| s * self.gain)));
            buffer.copy_into(turned.get_mut()?, gst::BUFFER_COPY_METADATA, ..).ok()?;
            return Some(turned);
        };
        let mut out = Vec::with_capacity(samples.len());
        limiter.push(&samples, &mut out);
        self.timed(pad, &out)
    }

    /// What the limiter still held back.
    fn rest(&mut self, pad: &gst::Pad) -> Option<gst::Buffer> {
        if std::mem::replace(&mut self.ended, true) {
            return None;
        }
        let mut out = Vec::new();
        self.limiter.as_mut()?.finish(&mut out);
        self.timed(pad, &out)
    }

    fn timed(&mut self, pad: &gst::Pad, samples: &[f32]) -> Option<gst::Buffer> {
        let channels = pad.current_caps().and_then(|c| gst_audio::AudioInfo::from_caps(&c).ok())?.channels();
        let frames = (samples.len() / channels.max(1) as usize) as u64;
        if frames == 0 {
            return None;
        }
        let mut buffer = gst::Buffer::from_mut_slice(raw(samples.iter().copied()));
        let writable = buffer.get_mut()?;
        // Counted from the start each time, so that what is cut off does not add up.
        let rate = u64::from(self.rate.max(1));
        let after = |frames: u64| {
            gst::ClockTime::from_seconds(frames / rate)
                + gst::ClockTime::from_nseconds(frames % rate * 1_000_000_000 / rate)
        };
        let (from, to) = (after(self.given), after(self.given + frames));
        writable.set_pts(self.start.map(|start| start + from));
        writable.set_duration(to - from);
        self.given += frames;
        Some(buffer)
    }
}

pub(super) fn raw(samples: impl Iterator<Item = f32>) -> Vec<u8> {
    samples.flat_map(f32::to_le_bytes).collect()
}

/// An element that turns samples (floats, interleaved) to a level.
pub(super) fn turn(level: &Level) -> Result<gst::Element> {
    let element = make("identity", &[])?;
    let out = pad(&element, "src")?;
    let gain = 10_f64.powf(level.gain / 20.0) as f32;
    let turning = Arc::new(Mutex::new(Turning { gain, limiter: None, start: None, given: 0, rate: 0, ended: false }));
    let (ending, level) = (turning.clone(), level.clone());
    out.add_probe(gst::PadProbeType::BUFFER, move |pad, info| {
        let Some(buffer) = info.buffer_mut() else { return gst::PadProbeReturn::Ok };
        let mut turning = turning.lock().unwrap_or_else(PoisonError::into_inner);
        match turning.turn(pad, buffer.clone(), &level) {
            Some(turned) => {
                *buffer = turned;
                gst::PadProbeReturn::Ok
            }
            None => gst::PadProbeReturn::Handled,
        }
    });
    // Where the end comes in: once it has gone out, nothing can follow it any more.
    let into = pad(&element, "sink")?;
    into.add_probe(gst::PadProbeType::EVENT_DOWNSTREAM, move |_, info| {
        if info.event().is_some_and(|e| e.type_() == gst::EventType::Eos) {
            let rest = ending.lock().unwrap_or_else(PoisonError::into_inner).rest(&out);
            if let Some(rest) = rest {
                // A refusal means that the branch is being shut down.
                out.push(rest).ok();
            }
        }
        gst::PadProbeReturn::Ok
    });
    Ok(element)
}
