//! The child's side: loads its models, then answers one question after the other.

use std::{
    collections::BTreeMap,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
};

use super::question::{Answer, Found, Hear, Question, Setup, Tools};
#[cfg(feature = "gst")]
use crate::media::{Clips, Work, gst::Hearing};
use crate::{
    error::{Error, Result},
    media::sandbox,
    model::{Finding, FindingKind, job::Failure},
    profile::{Channels, SpeechTracks},
    speech::{Ears, Sound, Wish},
    stop::Stop,
};

/// How often it is told that somebody is at work.
const BEAT: std::time::Duration = std::time::Duration::from_secs(3);

/// Who answers.
pub struct Scholar {
    setup: Setup,
    skill: Skill,
    /// Whether a model is at work, and nothing is decoded.
    thinks: Arc<AtomicBool>,
}

enum Skill {
    Ears(Box<Ears>),
    Eyes(Box<super::eyes::Eyes>),
    Names(Box<crate::names::Recognizers>),
}

impl Scholar {
    /// Gives up what the setup does not allow, then loads the models.
    pub fn new(setup: Setup) -> Result<Self> {
        sandbox::enter_for(&setup.reads, &setup.dir, &setup.limits)?;
        let skill = match &setup.tools {
            Tools::Ears { model, voice } => Skill::Ears(Box::new(Ears::load(model, voice)?)),
            eyes @ Tools::Eyes { .. } => Skill::Eyes(Box::new(super::eyes::Eyes::open(eyes)?)),
            Tools::Names { models } => {
                let all = models.iter().map(|dir| crate::names::Recognizer::load(dir)).collect::<Result<Vec<_>>>()?;
                Skill::Names(Box::new(crate::names::Recognizers::new(all)))
            }
        };
        Ok(Self { setup, skill, thinks: Arc::default() })
    }

    /// Answers a question, telling how far it is, and every few seconds that it is alive: a large model takes minutes for a look.
    pub fn answer(&mut self, question: &Question, stop: &Stop, tell: &mut (dyn FnMut(Answer) + Send)) -> Answer {
        let (ended, waiting) = std::sync::mpsc::channel::<()>();
        let told = std::sync::Mutex::new((tell, 0.0_f64));
        let told = &told;
        let say = |answer: Option<Answer>| {
            let mut told = told.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if let Some(Answer::Progress { done }) = answer {
                told.1 = done;
            }
            let done = told.1;
            (told.0)(answer.unwrap_or(Answer::Progress { done }));
        };
        let say = &say;
        // While something is decoded, silence is a sign that it hangs.
        let thinks = self.thinks.clone();
        thinks.store(matches!(question, Question::Name(_)), Ordering::Relaxed);
        std::thread::scope(|scope| {
            scope.spawn(move || {
                while waiting.recv_timeout(BEAT) == Err(std::sync::mpsc::RecvTimeoutError::Timeout) {
                    if thinks.load(Ordering::Relaxed) {
                        say(None);
                    }
                }
            });
            let answer = self.find_out(question, stop, &mut |answer| say(Some(answer)));
            drop(ended);
            answer
        })
    }

    fn find_out(&mut self, question: &Question, stop: &Stop, tell: &mut (dyn FnMut(Answer) + Send)) -> Answer {
        let answered = match (&mut self.skill, question) {
            (Skill::Ears(ears), Question::Hear(hear)) => listen(ears, hear, (&self.setup, &self.thinks), stop, tell)
                .map(|found| Answer::Found { found, looks: None }),
            (Skill::Eyes(eyes), Question::See(see)) => {
                let work = super::eyes::Task {
                    see,
                    dir: &self.setup.dir,
                    limits: &self.setup.limits,
                    stop,
                    thinks: &self.thinks,
                };
                eyes.look(&work, tell).map(|(found, looks)| Answer::Found { found, looks })
            }
            (Skill::Names(recognizers), Question::Name(name)) => {
                super::names::name(recognizers, name, stop).map(|found| Answer::Found { found, looks: None })
            }
            _ => Err(Error::internal("this was asked of somebody who has other tools")),
        };
        answered.unwrap_or_else(|e| Answer::Failed { failure: Failure::from(&e) })
    }
}

#[cfg(not(feature = "gst"))]
fn listen(
    _: &mut Ears,
    _: &Hear,
    _: (&Setup, &AtomicBool),
    _: &Stop,
    _: &mut (dyn FnMut(Answer) + Send),
) -> Result<Vec<Found>> {
    Err(Error::unsupported("this program was built without GStreamer ('gst')"))
}

/// A track's sound, or one channel of it.
#[cfg(feature = "gst")]
struct Heard<'a> {
    hearing: Hearing,
    thinks: &'a AtomicBool,
}

#[cfg(feature = "gst")]
impl Sound for Heard<'_> {
    fn next(&mut self) -> Result<Option<Vec<f32>>> {
        self.thinks.store(false, Ordering::Relaxed);
        let samples = self.hearing.samples();
        self.thinks.store(true, Ordering::Relaxed);
        samples
    }
}

#[cfg(feature = "gst")]
fn listen(
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
