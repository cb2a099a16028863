//! A track's sound as recognizers want it: one channel of 16 kHz, from the start of the recording on, with silence where there is
//! none.

use std::time::{Duration, Instant};

use gstreamer as gst;
use gstreamer::prelude::*;
use gstreamer_app as gst_app;

use super::{
    audio,
    graph::{chain, make},
    level::floats,
    run::{self, Complaints, Pulse},
    sound_decode,
    source::{self, Source, missing_stream},
    stall, wanted_streams,
};
use crate::{
    error::{Error, Result},
    media::Work,
    stop::Stop,
};

/// Samples a second.
const RATE: u64 = 16_000;
/// Longest hole that is filled with silence at once, in samples: ten minutes.
const HOLE: u64 = 600 * RATE;
/// Times are rounded, and coders' frames overlap: so many samples are no hole.
const JITTER: u64 = RATE / 25;

/// Sound as it is decoded. Dropping it ends the decoder.
pub struct Hearing {
    source: Option<Source>,
    sink: gst_app::AppSink,
    complaints: Complaints,
    /// Of which channel, from 0; none: all of them together.
    channel: Option<usize>,
    /// Number of samples that were given.
    given: u64,
    /// What is still to be given before the samples that wait.
    owed: u64,
    waiting: Vec<f32>,
    patience: Duration,
    stop: Stop,
}

impl Hearing {
    /// Opens a sound track, counted from 1, of a recording.
    pub fn open(work: &Work<'_>, track: usize, channel: Option<usize>) -> Result<Self> {
        super::warm()?;
        let mut complaints = Complaints::default();
        let number = track.checked_sub(1).filter(|n| *n < work.facts.audio.len());
        let number = number.ok_or_else(|| Error::unsupported(format!("it has no sound track {track}")))?;
        let streams = wanted_streams(work, false, [number].into());
        let mut source =
            source::open(work.input, sound_decode(work), &streams, &mut complaints, stall(work), work.stop)?;
        missing_stream(&source, work.facts, false, &streams.tracks, &complaints)?;
        let from = source.sounds.iter().find(|(n, _)| *n == number).map(|(_, pad)| pad.clone());
        let from = from.ok_or_else(|| Error::corrupt(format!("its sound track {track} cannot be decoded")))?;
        let pulse = Pulse::default();
        let (tee, _) = audio::head(source.live.pipeline(), &from, &pulse, false)?;
        let one = if channel.is_none() { ",channels=1" } else { "" };
        let wanted = format!("audio/x-raw,format=F32LE,layout=interleaved,rate={RATE}{one}");
        let sink = gst_app::AppSink::builder().sync(false).max_buffers(64).build();
        let elements = [
            tee,
            make("audioconvert", &[])?,
            make("audioresample", &[("quality", "4")])?,
            make("capsfilter", &[("caps", &wanted)])?,
            sink.clone().upcast(),
        ];
        chain(source.live.pipeline(), &elements)?;
        source.release()?;
        source.live.set_state(gst::State::Playing, &mut complaints)?;
        let (patience, stop) = (stall(work), work.stop.clone());
        let source = Some(source);
        Ok(Self { source, sink, complaints, channel, given: 0, owed: 0, waiting: Vec::new(), patience, stop })
    }

    /// The next samples; none at the end.
    pub fn samples(&mut self) -> Result<Option<Vec<f32>>> {
        loop {
            if let Some(silence) = self.silence() {
                return Ok(Some(silence));
            }
            if !self.waiting.is_empty() {
                return Ok(Some(self.give()));
            }
            let Some((at, samples)) = self.pull()? else {
                return match self.given {
                    0 => Err(Error::corrupt("not one second of its sound could be decoded")),
                    _ => Ok(None),
                };
            };
            // A hole is silence, and what comes twice is heard once.
            let overlap = self.given.saturating_sub(at + JITTER).min(samples.len() as u64) as usize;
            self.owed = at.saturating_sub(self.given + JITTER);
            self.waiting = samples[overlap..].to_vec();
        }
    }

    /// What is decoded next, and which of the recording's samples the first of it is.
    fn pull(&mut self) -> Result<Option<(u64, Vec<f32>)>> {
        let Some(source) = self.source.take() else { return Ok(None) };
        let since = Instant::now();
        loop {
            self.stop.check()?;
            let sample = self.sink.try_pull_sample(gst::ClockTime::from_mseconds(100));
            // At the end, what it complained of last is on the bus by now.
            while let Some(message) = source.live.bus().pop() {
                self.complaints.listen(&message)?;
            }
            if let Some(read) = sample.as_ref().and_then(|sample| self.read(sample)) {
                self.source = Some(source);
                return Ok(Some(read));
            }
            if sample.is_none() && self.sink.is_eos() {
                source.live.close();
                return Ok(None);
            }
            if since.elapsed() > self.patience {
                source.live.give_up();
                return Err(run::stalled(format!("no sound came for {} s", self.patience.as_secs())));
            }
        }
    }

    fn silence(&mut self) -> Option<Vec<f32>> {
        let now = self.owed.min(HOLE);
        self.owed -= now;
        self.given += now;
        (now > 0).then(|| vec![0.0; now as usize])
    }

    fn give(&mut self) -> Vec<f32> {
        self.given += self.waiting.len() as u64;
        std::mem::take(&mut self.waiting)
    }

    /// Samples, and which of the recording's the first of them is.
    fn read(&self, sample: &gst::Sample) -> Option<(u64, Vec<f32>)> {
        let buffer = sample.buffer()?;
        let channels = sample.caps()?.structure(0)?.get::<i32>("channels").ok()?.max(1) as usize;
        let segment = sample.segment()?.downcast_ref::<gst::ClockTime>()?;
        let time = buffer.pts().and_then(|pts| segment.to_running_time(pts));
        let at = time.map_or(self.given, |t| t.nseconds() / 1000 * RATE / 1_000_000);
        let all = floats(buffer.map_readable().ok()?.as_slice());
        let samples = match self.channel {
            Some(channel) => {
                all.chunks_exact(channels).map(|frame| frame.get(channel).copied().unwrap_or(0.0)).collect()
            }
            None => all,
        };
        Some((at, samples))
    }
}
