//! Music below and a voice above a film's own sound. Who speaks is heard: the music makes room while there is sound above it,
//! the film's own sound while there is a voice.

use std::{fs::File, os::unix::fs::FileExt, sync::Arc};

use crate::{
    error::{Doing, Result},
    profile::{Music, Narration},
};

/// Above this, somebody speaks: -42 dBFS.
const SPEECH: f32 = 0.008;
/// How long after the last sound the music waits before it comes back, in seconds.
const HOLD: f32 = 0.6;
/// How fast gains follow, as the time in which they come within a third of where they go, in seconds.
const DOWN: f32 = 0.08;
const UP: f32 = 0.5;
/// Gains change this often, in samples.
const STEP: usize = 240;

/// Decoded sound of two channels in a file: floats at the rate of what it is mixed with, little endian.
#[derive(Clone, Debug)]
pub(crate) struct Track {
    file: Arc<File>,
    frames: u64,
}

impl Track {
    pub(crate) fn open(file: File) -> Result<Self> {
        let frames = file.metadata().doing(|| "cannot read decoded sound")?.len() / 8;
        Ok(Self { file: Arc::new(file), frames })
    }

    /// Frames from a place on, begun anew at its end where it is a loop; silence beyond.
    pub(crate) fn read(&self, mut at: u64, is_loop: bool, out: &mut [[f32; 2]]) {
        let mut done = 0;
        out.fill([0.0; 2]);
        while done < out.len() && self.frames > 0 {
            if at >= self.frames {
                if !is_loop {
                    return;
                }
                at %= self.frames;
            }
            let count = (out.len() - done).min((self.frames - at) as usize);
            let mut bytes = vec![0; count * 8];
            if self.file.read_exact_at(&mut bytes, at * 8).is_err() {
                return;
            }
            for (out, b) in out[done..].iter_mut().zip(bytes.as_chunks::<8>().0) {
                *out = [f32::from_le_bytes([b[0], b[1], b[2], b[3]]), f32::from_le_bytes([b[4], b[5], b[6], b[7]])];
            }
            (done, at) = (done + count, at + count as u64);
        }
    }
}

/// What is laid under and over the sound of one output.
pub(crate) struct Bed {
    music: Option<(Music, Track)>,
    narration: Option<(Narration, Track)>,
    /// Of the whole film, in frames; 0: not known, so that nothing fades out.
    length: u64,
    rate: u32,
    /// Gains now, of the music and of the film's own sound, and for how many more frames somebody counts as speaking.
    ducked: f32,
    own: f32,
    speech: f32,
}

impl Bed {
    pub(crate) fn new(
        music: Option<(Music, Track)>,
        narration: Option<(Narration, Track)>,
        duration_ms: u64,
        rate: u32,
    ) -> Self {
        let length = duration_ms * u64::from(rate) / 1000;
        Self { music, narration, length, rate, ducked: 1.0, own: 1.0, speech: 0.0 }
    }

    /// Mixes into interleaved samples that begin at this frame of the film. Of more than two channels the first two are
    /// left and right; one is both.
    pub(crate) fn mix(&mut self, mut at: u64, samples: &mut [f32], channels: usize) {
        for step in samples.chunks_mut(STEP * channels.max(1)) {
            self.step(at, step, channels.max(1));
            at += (step.len() / channels.max(1)) as u64;
        }
    }

    fn step(&mut self, at: u64, samples: &mut [f32], channels: usize) {
        let frames = samples.len() / channels;
        let seconds = frames as f32 / self.rate as f32;
        let mut voice = vec![[0.0; 2]; frames];
        if let Some((narration, track)) = &self.narration {
            let begin = u64::from(narration.at.map_or(0, |i| i.0)) * u64::from(self.rate) / 1000;
            let skip = begin.saturating_sub(at).min(frames as u64) as usize;
            track.read(at.saturating_sub(begin), false, &mut voice[skip..]);
            let gain = narration.gain.factor();
            voice.iter_mut().flatten().for_each(|s| *s *= gain);
            let is_speaking = at + frames as u64 > begin && at.saturating_sub(begin) < track.frames;
            let aim = if is_speaking { narration.duck.factor() } else { 1.0 };
            let before = self.own;
            self.own = nearer(self.own, aim, seconds);
            ramp(samples, channels, before, self.own);
        }
        let mut bed = vec![[0.0; 2]; frames];
        if let Some((music, track)) = &self.music {
            let power: f32 = samples.iter().map(|s| s * s).sum::<f32>() / samples.len().max(1) as f32
                + voice.iter().flatten().map(|s| s * s).sum::<f32>() / (2 * frames.max(1)) as f32;
            self.speech = if power.sqrt() > SPEECH { HOLD } else { (self.speech - seconds).max(0.0) };
            let aim = if self.speech > 0.0 { music.duck.factor() } else { 1.0 };
            let before = self.ducked;
            self.ducked = nearer(self.ducked, aim, seconds);
            track.read(at, true, &mut bed);
            let gain = music.gain.factor();
            let fade = (u64::from(music.fade.0) * u64::from(self.rate) / 1000).max(1);
            for (i, frame) in bed.iter_mut().enumerate() {
                let now = at + i as u64;
                let coming = (now as f32 / fade as f32).min(1.0);
                let going = if self.length == 0 {
                    1.0
                } else {
                    (self.length.saturating_sub(now) as f32 / fade as f32).min(1.0)
                };
                let part = i as f32 / frames as f32;
                let gain = gain * coming * going * (before + (self.ducked - before) * part);
                frame.iter_mut().for_each(|s| *s *= gain);
            }
        }
        for ((frame, voice), bed) in samples.chunks_exact_mut(channels).zip(voice).zip(bed) {
            let both = [voice[0] + bed[0], voice[1] + bed[1]];
            match frame {
                [one] => *one += (both[0] + both[1]) / 2.0,
                [left, right, ..] => (*left, *right) = (*left + both[0], *right + both[1]),
                [] => {}
            }
        }
    }
}

/// A gain on its way.
fn nearer(is: f32, aim: f32, seconds: f32) -> f32 {
    let slow = if aim < is { DOWN } else { UP };
    aim + (is - aim) * (-seconds / slow).exp()
}

fn ramp(samples: &mut [f32], channels: usize, from: f32, to: f32) {
    let frames = (samples.len() / channels).max(1) as f32;
    for (i, frame) in samples.chunks_exact_mut(channels).enumerate() {
        let gain = from + (to - from) * i as f32 / frames;
        frame.iter_mut().for_each(|s| *s *= gain);
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn track(frames: usize, value: f32) -> Track {
        let mut file = tempfile::tempfile().unwrap();
        let bytes: Vec<u8> = std::iter::repeat_n(value.to_le_bytes(), frames * 2).flatten().collect();
        file.write_all(&bytes).unwrap();
        Track::open(file).unwrap()
    }

    fn music(yaml: &str) -> Music {
        serde_saphyr::from_str(yaml).unwrap()
    }

    /// The mean amplitude between two moments, in seconds.
    fn mean(samples: &[f32], from: f32, to: f32) -> f32 {
        let part = &samples[(from * 96_000.0) as usize..(to * 96_000.0) as usize];
        part.iter().map(|s| s.abs()).sum::<f32>() / part.len() as f32
    }

    #[test]
    fn music_begins_anew_makes_room_and_goes() {
        let music = music("{ file: m.wav, gain: -6 dB, duck: -12 dB, fade: 500ms }");
        // A second of music below ten seconds of film, in the middle of which somebody speaks.
        let mut bed = Bed::new(Some((music, track(48_000, 0.4))), None, 10_000, 48_000);
        let mut samples = vec![0.0; 10 * 96_000];
        samples[3 * 96_000..6 * 96_000].fill(0.1);
        for (i, chunk) in samples.chunks_mut(2 * 1000).enumerate() {
            bed.mix(i as u64 * 1000, chunk, 2);
        }
        let full = 0.4 * 0.501;
        assert!((mean(&samples, 1.0, 2.9) - full).abs() < 0.002, "{}", mean(&samples, 1.0, 2.9));
        assert!((mean(&samples, 4.0, 5.9) - 0.1 - full * 0.251).abs() < 0.002, "{}", mean(&samples, 4.0, 5.9));
        assert!((mean(&samples, 8.5, 9.4) - full).abs() < 0.01, "{}", mean(&samples, 8.5, 9.4));
        assert!(mean(&samples, 0.0, 0.05) < 0.1 * full && mean(&samples, 9.95, 10.0) < 0.1 * full);
    }

    #[test]
    fn a_voice_is_heard_at_its_time_above_the_film() {
        let narration: Narration = serde_saphyr::from_str("{ file: v.wav, at: 1s, duck: -20 dB }").unwrap();
        let mut bed = Bed::new(None, Some((narration, track(48_000, 0.3))), 4_000, 48_000);
        let mut samples = vec![0.1; 4 * 96_000];
        bed.mix(0, &mut samples, 2);
        assert!((mean(&samples, 0.0, 0.9) - 0.1).abs() < 1e-4);
        assert!((mean(&samples, 1.5, 1.9) - 0.31).abs() < 0.002, "{}", mean(&samples, 1.5, 1.9));
        assert!((mean(&samples, 3.9, 4.0) - 0.1).abs() < 0.003, "{}", mean(&samples, 3.9, 4.0));
    }
}
