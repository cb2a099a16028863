//! Listening to the tracks of a recording, and to their channels.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use super::question::{Answer, Found, Hear, HearAgain, Setup, Stretch};
use crate::{
    error::Result,
    media::{Clips, Work, gst::Hearing},
    model::{Finding, FindingKind},
    profile::{Channels, SpeechTracks},
    speech::{Ears, RATE, Sound, Wish},
    stop::Stop,
};

/// A track's sound, or one channel of it.
struct Heard<'a> {
    hearing: Hearing,
    thinks: &'a AtomicBool,
}

impl Sound for Heard<'_> {
    fn next(&mut self) -> Result<Option<Vec<f32>>> {
        self.thinks.store(false, Ordering::Relaxed);
        let samples = self.hearing.samples();
        self.thinks.store(true, Ordering::Relaxed);
        samples
    }
}

pub(super) fn listen(
    ears: &mut Ears,
    hear: &Hear,
    (setup, thinks): (&Setup, &AtomicBool),
    stop: &Stop,
    tell: &mut (dyn FnMut(Answer) + Send),
) -> Result<Vec<Found>> {
    let clips = Clips::default();
    let work = work(hear, setup, stop, &clips);
    let wish = wish(hear);
    let tracks = match hear.tracks {
        SpeechTracks::First => 1,
        SpeechTracks::All => hear.facts.audio.len(),
    };
    let parts: Vec<(usize, Option<usize>)> = (1..=tracks)
        .flat_map(|track| {
            let channels = hear.facts.audio.get(track - 1).map_or(1, |a| a.channels as usize);
            let apart = hear.channels == Channels::Apart && channels > 1;
            let each: Vec<Option<usize>> = if apart { (0..channels).map(Some).collect() } else { vec![None] };
            each.into_iter().map(move |channel| (track, channel))
        })
        .collect();
    let (of, length) = (parts.len(), hear.facts.duration_ms.unwrap_or(0).max(1));
    let mut found: BTreeMap<(usize, FindingKind), Vec<Finding>> = BTreeMap::new();
    for (n, (track, channel)) in parts.into_iter().enumerate() {
        thinks.store(false, Ordering::Relaxed);
        let mut sound = Heard { hearing: Hearing::open(&work, track, channel)?, thinks };
        let mut progress = |at_ms: u64| {
            let share = (at_ms as f64 / length as f64).min(1.0);
            tell(Answer::Progress { done: (n as f64 + share) / of as f64 });
        };
        let mut said = ears.hear(&mut sound, &wish, stop, &mut progress)?;
        if let Some(channel) = channel {
            let all = said.said.iter_mut().chain(&mut said.english);
            all.for_each(|f| f.speaker = Some(speaker(channel)));
        }
        found.entry((track, FindingKind::Speech)).or_default().extend(said.said);
        if wish.translate {
            found.entry((track, FindingKind::Translation)).or_default().extend(said.english);
        }
    }
    // Where all is English, there is nothing to translate.
    let is_foreign = |f: &Finding| f.language.as_deref() != Some("en");
    for track in 1..=tracks {
        let has_others = found.get(&(track, FindingKind::Speech)).is_some_and(|said| said.iter().any(is_foreign));
        if let Some(english) = found.get_mut(&(track, FindingKind::Translation)).filter(|_| !has_others) {
            english.clear();
        }
    }
    let each = |((track, kind), mut items): ((usize, FindingKind), Vec<Finding>)| {
        items.sort_by_key(|f| (f.from_ms, f.to_ms));
        // No film is shorter than what is said in it.
        items.iter_mut().for_each(|f| f.to_ms = f.to_ms.min(length.max(f.from_ms + 1)));
        Found { kind, track: track as u32, items }
    };
    Ok(found.into_iter().map(each).collect())
}

fn work<'a>(hear: &'a Hear, setup: &'a Setup, stop: &'a Stop, clips: &'a Clips) -> Work<'a> {
    Work {
        input: &hear.input,
        facts: &hear.facts,
        outputs: Vec::new(),
        out_dir: &setup.dir,
        limits: &setup.limits,
        stop,
        part: None,
        clips,
    }
}

fn wish(hear: &Hear) -> Wish {
    Wish { languages: hear.languages.clone(), translate: hear.translate, words: hear.words, at_a_time: hear.at_a_time }
}

/// Who speaks in a channel, counted from 0.
fn speaker(channel: usize) -> String {
    format!("channel {}", channel + 1)
}

/// Listens to stretches of one track, and lets the rest go by.
pub(super) fn listen_again(
    ears: &mut Ears,
    again: &HearAgain,
    (setup, thinks): (&Setup, &AtomicBool),
    stop: &Stop,
    tell: &mut (dyn FnMut(Answer) + Send),
) -> Result<Vec<Found>> {
    let (hear, track) = (&again.hear, again.track as usize);
    let clips = Clips::default();
    let work = work(hear, setup, stop, &clips);
    let wish = wish(hear);
    let channels = hear.facts.audio.get(track.saturating_sub(1)).map_or(1, |a| a.channels as usize);
    let mut sounds: Vec<Option<usize>> = vec![None];
    sounds.extend((0..channels).map(Some));
    let length = hear.facts.duration_ms.unwrap_or(0).max(1);
    let mut items = Vec::new();
    for channel in sounds {
        let name = channel.map(speaker);
        // Who knows English alone writes down English whatever is said.
        let is_understood = |s: &&Stretch| ears.is_multilingual() || s.language.as_deref().is_none_or(|l| l == "en");
        let its: Vec<&Stretch> = again.stretches.iter().filter(|s| s.speaker == name).filter(is_understood).collect();
        if its.is_empty() {
            continue;
        }
        thinks.store(false, Ordering::Relaxed);
        let mut tape =
            Tape { sound: Heard { hearing: Hearing::open(&work, track, channel)?, thinks }, at: 0, rest: Vec::new() };
        for stretch in its {
            let at = |ms: u64| (ms as usize).saturating_mul(RATE) / 1000;
            if !tape.forward(at(stretch.from_ms), stop, &mut |at| {
                tell(Answer::Progress { done: (at as f64 / length as f64).min(1.0) });
            })? {
                break;
            }
            let from_ms = (tape.at * 1000 / RATE) as u64;
            let mut part = Part { left: at(stretch.to_ms).saturating_sub(tape.at), tape: &mut tape };
            let mut progress =
                |at: u64| tell(Answer::Progress { done: ((from_ms + at) as f64 / length as f64).min(1.0) });
            let mut said = ears.hear(&mut part, &wish, stop, &mut progress)?.said;
            for f in &mut said {
                (f.from_ms, f.to_ms) = (f.from_ms + from_ms, (f.to_ms + from_ms).min(length.max(from_ms + 1)));
                f.words.iter_mut().for_each(|w| (w.from_ms, w.to_ms) = (w.from_ms + from_ms, w.to_ms + from_ms));
                f.speaker.clone_from(&name);
            }
            items.extend(said);
        }
    }
    items.sort_by_key(|f| (f.from_ms, f.to_ms));
    Ok(vec![Found { kind: FindingKind::Speech, track: again.track, items }])
}

/// A sound that is wound forward.
struct Tape<'a> {
    sound: Heard<'a>,
    /// How many samples have gone by.
    at: usize,
    /// Those that come next and are decoded.
    rest: Vec<f32>,
}

impl Tape<'_> {
    /// Lets all go by until a sample; false: it ends before. `tell` hears the millisecond.
    fn forward(&mut self, to: usize, stop: &Stop, tell: &mut dyn FnMut(u64)) -> Result<bool> {
        while self.at < to {
            stop.check()?;
            if self.rest.is_empty() {
                match self.sound.next()? {
                    Some(samples) => self.rest = samples,
                    None => return Ok(false),
                }
                tell((self.at * 1000 / RATE) as u64);
            }
            let gone = self.rest.len().min(to - self.at);
            self.rest.drain(..gone);
            self.at += gone;
        }
        Ok(true)
    }
}

/// What of it is listened to.
struct Part<'a, 'b> {
    tape: &'a mut Tape<'b>,
    left: usize,
}

impl Sound for Part<'_, '_> {
    fn next(&mut self) -> Result<Option<Vec<f32>>> {
        if self.left == 0 {
            return Ok(None);
        }
        if self.tape.rest.is_empty() {
            match self.tape.sound.next()? {
                Some(samples) => self.tape.rest = samples,
                None => return Ok(None),
            }
        }
        let taken: Vec<f32> = self.tape.rest.drain(..self.left.min(self.tape.rest.len())).collect();
        self.left -= taken.len();
        self.tape.at += taken.len();
        Ok(Some(taken))
    }
}
