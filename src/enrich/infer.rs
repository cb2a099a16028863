//! The child's side: loads its models, then answers one question after the other.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

#[cfg(feature = "gst")]
use super::listen::{listen, listen_again};
use super::question::{Answer, Question, Setup, Tools};
use crate::{
    error::{Error, Result},
    media::sandbox,
    model::job::Failure,
    speech::Ears,
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
    #[cfg(feature = "onnx")]
    Meaning(Box<crate::meaning::Reader>),
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
            #[cfg(feature = "onnx")]
            Tools::Meaning { runtime, model, threads } => {
                let runtime = crate::vision::Runtime::open(Some(runtime))?;
                Skill::Meaning(Box::new(crate::meaning::Reader::load(&runtime, model, *threads)?))
            }
            #[cfg(not(feature = "onnx"))]
            Tools::Meaning { .. } => return Err(Error::unsupported("this program was built without 'onnx'")),
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
        thinks.store(matches!(question, Question::Name(_) | Question::Mean(_)), Ordering::Relaxed);
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
            (Skill::Ears(ears), Question::Again(again)) => {
                listen_again(ears, again, (&self.setup, &self.thinks), stop, tell)
                    .map(|found| Answer::Found { found, looks: None })
            }
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
            #[cfg(feature = "onnx")]
            (Skill::Meaning(reader), Question::Mean(mean)) => {
                let mut tell = |done| tell(Answer::Progress { done });
                reader.read(&mean.texts, mean.role, stop, &mut tell).map(|vectors| Answer::Meant { vectors })
            }
            _ => Err(Error::internal("this was asked of somebody who has other tools")),
        };
        answered.unwrap_or_else(|e| Answer::Failed { failure: Failure::from(&e) })
    }
}

#[cfg(not(feature = "gst"))]
fn listen(
    _: &mut Ears,
    _: &super::question::Hear,
    _: (&Setup, &AtomicBool),
    _: &Stop,
    _: &mut (dyn FnMut(Answer) + Send),
) -> Result<Vec<super::question::Found>> {
    Err(Error::unsupported("this program was built without GStreamer ('gst')"))
}

#[cfg(not(feature = "gst"))]
fn listen_again(
    _: &mut Ears,
    _: &super::question::HearAgain,
    _: (&Setup, &AtomicBool),
    _: &Stop,
    _: &mut (dyn FnMut(Answer) + Send),
) -> Result<Vec<super::question::Found>> {
    Err(Error::unsupported("this program was built without GStreamer ('gst')"))
}
