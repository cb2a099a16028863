//! Listening to the tracks of a recording, and to their channels.

use std::{
    collections::BTreeMap,
    sync::atomic::{AtomicBool, Ordering},
};

use super::question::{Answer, Found, Hear, Setup};
use crate::{
    error::Result,
    media::{Clips, Work, gst::Hearing},
    model::{Finding, FindingKind},
    profile::{Channels, SpeechTracks},
    speech::{Ears, Sound, Wish},
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
    let work = Work {
        input: &hear.input,
        facts: &hear.facts,
        outputs: Vec::new(),
        out_dir: &setup.dir,
        limits: &setup.limits,
        stop,
        part: None,
        clips: &clips,
    };
    let wish =
        Wish { languages: hear.languages.clone(), translate: false, words: hear.words, at_a_time: hear.at_a_time };
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
    let mut found: BTreeMap<usize, Vec<Finding>> = BTreeMap::new();
    for (n, (track, channel)) in parts.into_iter().enumerate() {
        thinks.store(false, Ordering::Relaxed);
        let mut sound = Heard { hearing: Hearing::open(&work, track, channel)?, thinks };
        let mut progress = |at_ms: u64| {
            let share = (at_ms as f64 / length as f64).min(1.0);
            tell(Answer::Progress { done: (n as f64 + share) / of as f64 });
        };
        let mut said = ears.hear(&mut sound, &wish, stop, &mut progress)?;
        if let Some(channel) = channel {
            said.iter_mut().for_each(|f| f.speaker = Some(format!("channel {}", channel + 1)));
        }
        found.entry(track).or_default().extend(said);
    }
    let each = |(track, mut items): (usize, Vec<Finding>)| {
        items.sort_by_key(|f| (f.from_ms, f.to_ms));
        // No film is shorter than what is said in it.
        items.iter_mut().for_each(|f| f.to_ms = f.to_ms.min(length.max(f.from_ms + 1)));
        Found { kind: FindingKind::Speech, track: track as u32, items }
    };
    Ok(found.into_iter().map(each).collect())
}
