//! Loudness by EBU R 128: measuring ([`Meter`]), finding the gain that reaches a target ([`Search`]) and holding peaks
//! under a limit ([`Limiter`]). Samples in, numbers or samples out; whoever decodes brings them here.

use std::collections::VecDeque;

use ebur128::{Channel, EbuR128, Mode};

use crate::{
    error::{Error, Result},
    profile::Loudness,
};

/// What nothing lies below (ITU-R BS.1770-4: the absolute gate), in LUFS.
pub(crate) const SILENCE_LUFS: f64 = -70.0;
/// The shortest sound that has a loudness: one gating block.
const BLOCK_MS: u64 = 400;
/// How near a limited recording has to come to its target before another pass is worth it, in LU.
const NEAR: f64 = 0.15;
/// How far another meter may read a peak above ours, in dB (EBU Tech 3341 allows each 0.2 up and 0.4 down).
const METERS: f64 = 0.2;
/// Most passes over a recording.
const PASSES: usize = 6;

/// Where a channel plays, as far as loudness cares.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Place {
    /// In front.
    Front,
    /// Beside or behind, which counts 1.5 dB more.
    Surround,
    /// The low-frequency channel, which does not count.
    Low,
}

/// Measures samples as they come.
pub(crate) struct Meter {
    ebu: EbuR128,
    frames: u64,
}

/// What a meter found in a whole recording.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct Heard {
    /// Integrated loudness in LUFS; none: too short, or silent.
    pub(crate) lufs: Option<f64>,
    /// In dBTP; −200 is digital silence.
    pub(crate) true_peak: f64,
    /// How long it is.
    pub(crate) duration_ms: u64,
}

impl Meter {
    /// Keeps a number for each tenth of a second (3 MB in ten hours): classes of loudness, of which there would be few, put
    /// blocks near the relative gate on its wrong side.
    pub(crate) fn new(places: &[Place], rate: u32) -> Result<Self> {
        let failed = |e| Error::internal("the loudness meter cannot be set up").because(e);
        let mut ebu = EbuR128::new(places.len() as u32, rate, Mode::I | Mode::TRUE_PEAK).map_err(failed)?;
        // A side is not told from another: only the weight counts.
        let channels: Vec<Channel> = places
            .iter()
            .map(|place| match place {
                Place::Front => Channel::Center,
                Place::Surround => Channel::LeftSurround,
                Place::Low => Channel::Unused,
            })
            .collect();
        ebu.set_channel_map(&channels).map_err(failed)?;
        Ok(Self { ebu, frames: 0 })
    }

    /// Interleaved samples, 1.0 being full scale.
    pub(crate) fn push(&mut self, samples: &[f32]) -> Result<()> {
        self.frames += samples.len() as u64 / u64::from(self.ebu.channels().max(1));
        self.ebu.add_frames_f32(samples).map_err(|e| Error::internal("the loudness cannot be measured").because(e))
    }

    pub(crate) fn heard(&self) -> Heard {
        let highest = (0..self.ebu.channels()).filter_map(|c| self.ebu.true_peak(c).ok()).fold(0.0, f64::max);
        let duration_ms = self.frames * 1000 / u64::from(self.ebu.rate().max(1));
        let lufs = self.ebu.loudness_global().ok().filter(|l| *l > SILENCE_LUFS && duration_ms >= BLOCK_MS);
        Heard { lufs, true_peak: decibels(highest), duration_ms }
    }
}

fn decibels(amplitude: f64) -> f64 {
    if amplitude > 0.0 { (20.0 * amplitude.log10()).max(-200.0) } else { -200.0 }
}

fn amplitude(decibels: f64) -> f64 {
    10_f64.powf(decibels / 20.0)
}

/// What is to be done to a recording.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Level {
    /// In dB.
    pub(crate) gain: f64,
    /// In dBTP: where the limiter holds what the gain lifts. None: nothing reaches it.
    pub(crate) ceiling: Option<f64>,
    /// What is expected of the outcome, in LUFS; none where there is nothing to measure.
    pub(crate) expected: Option<f64>,
    /// In words.
    pub(crate) note: String,
}

/// Looks for the level of one recording, pass after pass. The first pass hears the sound as it is; those after it hear what
/// the last level makes of it, and of a codec that does not give back what it got: what that gives.
pub(crate) struct Search {
    wanted: Loudness,
    is_lossy: bool,
    heard: Option<Heard>,
    tried: Level,
    passes: usize,
}

impl Search {
    pub(crate) fn new(wanted: Loudness, is_lossy: bool) -> Self {
        let tried = Level { gain: 0.0, ceiling: None, expected: None, note: String::new() };
        Self { wanted, is_lossy, heard: None, tried, passes: 0 }
    }

    /// What the next pass is to do to the sound before it measures it; none: nothing.
    pub(crate) fn next(&self) -> Option<&Level> {
        self.heard.map(|_| &self.tried)
    }

    /// Takes what a pass has found; gives the level once it is known.
    pub(crate) fn take(&mut self, heard: Heard) -> Option<Level> {
        self.passes += 1;
        let (target, limit) = (self.wanted.target.value(), self.wanted.true_peak.value());
        let Some(first) = self.heard else {
            self.heard = Some(heard);
            let Some(lufs) = heard.lufs else { return Some(left_alone(heard)) };
            self.tried.gain = target - lufs;
            // A codec adds to peaks, and no two meters read them the same.
            let (safe, ceiling) = if self.is_lossy { (4.0, limit - 1.0) } else { (0.3, limit - 0.3) };
            self.tried.ceiling = Some(ceiling).filter(|_| heard.true_peak + self.tried.gain > limit - safe);
            if self.is_lossy || self.tried.ceiling.is_some() {
                return None;
            }
            let note = format!("{:+.1} dB from {lufs:.1} LUFS", self.tried.gain);
            return Some(Level { expected: Some(target), note, ..self.tried.clone() });
        };
        let (was, is) = (first.lufs.unwrap_or(SILENCE_LUFS), heard.lufs.unwrap_or(SILENCE_LUFS));
        let (missing, above) = (target - is, heard.true_peak - (limit - METERS));
        if (missing.abs() > NEAR || above > 0.0) && self.passes < PASSES {
            // More than that is not a recording's loudness any more, but its limiter's.
            self.tried.gain = (self.tried.gain + missing).min(target - was + 12.0);
            if above > 0.0 {
                self.tried.ceiling = Some(self.tried.ceiling.unwrap_or(limit) - above - 0.1);
            }
            return None;
        }
        let (gain, held) = (self.tried.gain, self.wanted.true_peak);
        let note = match missing {
            _ if self.tried.ceiling.is_none() => format!("{gain:+.1} dB from {was:.1} LUFS"),
            m if m > 0.5 => format!("{gain:+.1} dB from {was:.1} LUFS, and no more than {is:.1} LUFS below {held}"),
            _ => format!("{gain:+.1} dB from {was:.1} LUFS, peaks held below {held}"),
        };
        Some(Level { expected: Some(is), note, ..self.tried.clone() })
    }
}

fn left_alone(heard: Heard) -> Level {
    let note = match heard.duration_ms {
        ms if ms < BLOCK_MS => {
            format!("left as it is: {ms} ms are too short to have a loudness, which takes {BLOCK_MS} ms")
        }
        _ => "left as it is: there is only silence".to_owned(),
    };
    Level { gain: 0.0, ceiling: None, expected: None, note }
}

/// Samples that are looked at to see what lies between the middle two, at three places (ITU-R BS.1770-4, Annex 2: four times
/// as many samples). That text's own filter, of 12, reads noise up to 0.7 dB too low.
const TAPS: usize = 32;
/// No place between is larger than this times the largest sample.
const MOST_BETWEEN: f32 = 3.0;
/// How long before a peak the limiter begins to turn down, and how fast it comes back.
const ATTACK_SECONDS: f64 = 0.005;
const RELEASE_SECONDS: f64 = 0.1;

/// Turns samples up or down, and holds what lies between them under a ceiling. All channels are turned by the same, so
/// that nothing moves sideways. It gives back exactly as many samples as it got, some of them only at the end.
pub(crate) struct Limiter {
    channels: usize,
    gain: f32,
    ceiling: f32,
    /// Weights for each place between.
    filters: [[f32; TAPS]; 3],
    /// Last samples of each channel, the newest last.
    recent: Vec<[f32; TAPS]>,
    /// Frames since one was loud enough to matter.
    quiet: usize,
    /// Turned samples that wait for the gain of what follows them.
    delayed: VecDeque<f32>,
    /// Frames that wait at most.
    delay: usize,
    /// Wanted gains, each smaller than those after it, with their times: the first is the smallest of the window.
    lowest: VecDeque<(u64, f32)>,
    window: u64,
    /// The gain, coming back slowly.
    envelope: f64,
    release: f64,
    /// The last gains, their mean being the one that is used: a ramp from one to the next.
    ramp: VecDeque<f64>,
    sum: f64,
    attack: usize,
    now: u64,
}

impl Limiter {
    /// `gain` in dB, `ceiling` in dBTP.
    pub(crate) fn new(channels: usize, rate: u32, gain: f64, ceiling: f64) -> Self {
        let attack = ((ATTACK_SECONDS * f64::from(rate)) as usize).max(1);
        Self {
            channels,
            gain: amplitude(gain) as f32,
            ceiling: amplitude(ceiling) as f32,
            filters: [0.25, 0.5, 0.75].map(filter),
            recent: vec![[0.0; TAPS]; channels],
            quiet: TAPS,
            delayed: VecDeque::new(),
            // What the filter sees lies up to its length back.
            delay: attack + TAPS - 1,
            lowest: VecDeque::new(),
            window: (attack + TAPS) as u64,
            envelope: 1.0,
            release: 1.0 - (-1.0 / (RELEASE_SECONDS * f64::from(rate))).exp(),
            ramp: VecDeque::new(),
            sum: 0.0,
            attack,
            now: 0,
        }
    }

    /// Takes interleaved samples, adds those that are ready to `out`.
    pub(crate) fn push(&mut self, samples: &[f32], out: &mut Vec<f32>) {
        for frame in samples.chunks_exact(self.channels) {
            self.frame(frame);
            if self.delayed.len() > self.delay * self.channels {
                self.give(out);
            }
        }
    }

    /// Gives out what is left.
    pub(crate) fn finish(&mut self, out: &mut Vec<f32>) {
        let silence = vec![0.0; self.channels];
        for _ in 0..self.delayed.len() / self.channels {
            self.frame(&silence);
            self.give(out);
        }
        self.delayed.clear();
    }

    /// The largest of the middle sample and what follows it before the next, of all channels.
    fn loudest(&self) -> f32 {
        let at = |recent: &[f32; TAPS], weights: &[f32; TAPS]| -> f32 {
            recent.iter().zip(weights).map(|(sample, weight)| sample * weight).sum::<f32>().abs()
        };
        let of = |recent: &[f32; TAPS]| {
            self.filters.iter().map(|weights| at(recent, weights)).fold(recent[TAPS / 2 - 1].abs(), f32::max)
        };
        self.recent.iter().map(of).fold(0.0, f32::max)
    }

    fn give(&mut self, out: &mut Vec<f32>) {
        let mean = (self.sum / self.ramp.len().max(1) as f64) as f32;
        out.extend(self.delayed.drain(..self.channels).map(|sample| sample * mean));
    }

    fn frame(&mut self, frame: &[f32]) {
        let mut loudest: f32 = 0.0;
        for (recent, sample) in self.recent.iter_mut().zip(frame) {
            let sample = sample * self.gain;
            recent.copy_within(1.., 0);
            recent[TAPS - 1] = sample;
            loudest = loudest.max(sample.abs());
            self.delayed.push_back(sample);
        }
        self.quiet = if loudest * MOST_BETWEEN > self.ceiling { 0 } else { self.quiet + 1 };
        let wanted = match self.quiet {
            TAPS.. => 1.0,
            _ => (self.ceiling / self.loudest()).min(1.0),
        };
        while self.lowest.back().is_some_and(|(_, gain)| *gain >= wanted) {
            self.lowest.pop_back();
        }
        self.lowest.push_back((self.now, wanted));
        while self.lowest.front().is_some_and(|(at, _)| at + self.window <= self.now) {
            self.lowest.pop_front();
        }
        let lowest = self.lowest.front().map_or(1.0, |(_, gain)| f64::from(*gain));
        self.envelope = lowest.min(self.envelope + (1.0 - self.envelope) * self.release);
        self.ramp.push_back(self.envelope);
        self.sum += self.envelope;
        if self.ramp.len() > self.attack {
            self.sum -= self.ramp.pop_front().unwrap_or_default();
        }
        self.now += 1;
    }
}

/// A sine cardinal under a raised cosine: what a band-limited signal is at this place after the middle.
fn filter(place: f32) -> [f32; TAPS] {
    let half = (TAPS / 2) as f32;
    std::array::from_fn(|tap| {
        let x = std::f32::consts::PI * (tap as f32 - (half - 1.0) - place);
        x.sin() / x * 0.5 * (1.0 + (x / half).cos())
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::{Decibels, Lufs};

    const RATE: u32 = 48_000;

    fn heard(samples: &[f32], channels: usize) -> Heard {
        let mut meter = Meter::new(&vec![Place::Front; channels], RATE).unwrap();
        samples.chunks(channels * 1000).for_each(|piece| meter.push(piece).unwrap());
        meter.heard()
    }

    fn limited(samples: &[f32], channels: usize, gain: f64, ceiling: f64, piece: usize) -> Vec<f32> {
        let (mut limiter, mut out) = (Limiter::new(channels, RATE, gain, ceiling), Vec::new());
        samples.chunks(channels * piece).for_each(|piece| limiter.push(piece, &mut out));
        limiter.finish(&mut out);
        out
    }

    /// Noise by a linear congruential generator, between −1 and 1.
    fn noise(samples: usize) -> Vec<f32> {
        let mut state = 7_u32;
        let mut next = || {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            state as i32 as f32 / 2_147_483_648.0
        };
        (0..samples).map(|_| next()).collect()
    }

    #[test]
    fn a_sine_of_997_hertz_at_full_scale_is_3_lufs_below_it() {
        let turn = |i: u32| std::f64::consts::TAU * 997.0 * f64::from(i) / f64::from(RATE);
        let sine: Vec<f32> = (0..5 * RATE).map(|i| turn(i).sin() as f32).collect();
        let found = heard(&sine, 1);
        assert!((found.lufs.unwrap() + 3.01).abs() < 0.05, "{found:?}");
        assert!(found.true_peak.abs() < 0.05, "{found:?}");
    }

    #[test]
    fn the_limiter_holds_what_lies_between_samples_and_keeps_every_one() {
        for channels in [1, 2] {
            let loud = noise(4 * RATE as usize);
            let out = limited(&loud, channels, 6.0, -2.0, 777);
            assert_eq!(out.len(), loud.len());
            let peak = heard(&out, channels).true_peak;
            assert!((-4.0..=-1.7).contains(&peak), "{channels} channels: {peak}");
        }
    }

    #[test]
    fn what_stays_below_the_ceiling_is_only_turned_and_not_moved() {
        let quiet: Vec<f32> = noise(10_000).iter().map(|s| s * 0.1).collect();
        for piece in [1, 100, 5000] {
            let out = limited(&quiet, 2, 6.0, -1.0, piece);
            let wanted: Vec<f32> = quiet.iter().map(|s| s * amplitude(6.0) as f32).collect();
            assert!(out.iter().zip(&wanted).all(|(a, b)| (a - b).abs() < 1e-6));
            assert_eq!(out.len(), wanted.len());
        }
        assert_eq!(limited(&quiet[..6], 2, 0.0, -1.0, 4).len(), 6);
    }

    #[test]
    fn a_burst_is_turned_down_before_it_comes_and_let_go_after() {
        let mut samples: Vec<f32> = (0..RATE).map(|i| (i as f32 * 0.05).sin() * 0.1).collect();
        samples[20_000..20_100].iter_mut().for_each(|s| *s *= 9.0);
        let out = limited(&samples, 1, 6.0, -6.0, 480);
        let gain = |i: usize| f64::from(out[i] / (samples[i] * amplitude(6.0) as f32));
        assert!((gain(15_000) - 1.0).abs() < 1e-3 && (gain(40_007) - 1.0).abs() < 0.05);
        assert!(gain(20_050) < 0.4, "{}", gain(20_050));
        assert!(out.iter().all(|s| s.abs() <= amplitude(-6.0) as f32 + 1e-4));
    }

    fn search(lufs: Option<f64>, true_peak: f64, duration_ms: u64) -> (Search, Option<Level>) {
        let wanted = Loudness { target: Lufs(-160), true_peak: Decibels(-10) };
        let mut search = Search::new(wanted, false);
        let level = search.take(Heard { lufs, true_peak, duration_ms });
        (search, level)
    }

    #[test]
    fn a_gain_that_meets_no_peak_needs_one_pass() {
        let level = search(Some(-20.0), -10.0, 60_000).1.unwrap();
        assert_eq!((level.gain, level.ceiling, level.expected), (4.0, None, Some(-16.0)));
    }

    #[test]
    fn silence_and_what_is_too_short_are_left_alone_in_words() {
        let level = search(None, -200.0, 5000).1.unwrap();
        assert_eq!((level.gain, level.expected), (0.0, None));
        assert!(level.note.contains("only silence"), "{}", level.note);
        let level = search(None, -3.0, 250).1.unwrap();
        assert!(level.gain == 0.0 && level.note.contains("250 ms are too short"), "{}", level.note);
    }

    #[test]
    fn what_the_limiter_takes_away_is_given_back_and_what_cannot_be_is_told() {
        let (mut search, level) = search(Some(-30.0), -2.0, 60_000);
        let next = search.next().unwrap();
        assert_eq!((level, next.gain, next.ceiling), (None, 14.0, Some(-1.3)));
        let pass = |lufs| Heard { lufs: Some(lufs), true_peak: -1.3, duration_ms: 60_000 };
        assert_eq!(search.take(pass(-18.0)), None);
        assert_eq!(search.next().unwrap().gain, 16.0);
        let level = search.take(pass(-16.1)).unwrap();
        assert_eq!((level.gain, level.expected), (16.0, Some(-16.1)));
        assert!(level.note.contains("peaks held below -1 dBTP"), "{}", level.note);
        let (mut search, _) = self::search(Some(-30.0), -2.0, 60_000);
        assert!((0..4).all(|_| search.take(pass(-25.0)).is_none()));
        let level = search.take(pass(-25.0)).unwrap();
        assert!(level.note.contains("no more than -25.0 LUFS"), "{}", level.note);
        assert_eq!(level.expected, Some(-25.0));
    }

    #[test]
    fn peaks_that_a_codec_adds_are_taken_away_before() {
        let wanted = Loudness { target: Lufs(-160), true_peak: Decibels(-10) };
        let mut search = Search::new(wanted, true);
        let pass = |lufs, true_peak| Heard { lufs: Some(lufs), true_peak, duration_ms: 60_000 };
        assert_eq!(search.take(pass(-20.0, -8.0)), None);
        assert_eq!(search.next().unwrap().ceiling, Some(-2.0));
        assert_eq!(search.take(pass(-16.0, 0.5)), None);
        let ceiling = search.next().unwrap().ceiling.unwrap();
        assert!((ceiling + 3.8).abs() < 1e-9, "{ceiling}");
        assert_eq!(search.take(pass(-16.1, -1.3)).unwrap().ceiling, Some(ceiling));
        // Far below the limit no codec reaches it; what it takes from the loudness is still given back.
        let mut search = Search::new(wanted, true);
        assert_eq!(search.take(pass(-20.0, -12.0)), None);
        assert_eq!(search.take(pass(-17.0, -9.0)), None);
        let level = search.take(pass(-16.0, -8.0)).unwrap();
        assert_eq!((level.gain, level.ceiling, level.note.as_str()), (5.0, None, "+5.0 dB from -20.0 LUFS"));
    }
}
