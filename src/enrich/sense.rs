//! What a question means: asked of a child process that has its model loaded, while somebody waits.

use std::{
    collections::VecDeque,
    sync::{
        Arc, Mutex, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, SyncSender, channel, sync_channel},
    },
    time::{Duration, Instant},
};

use super::{
    crew::Crew,
    means::{Care, How, Means},
    question::{Mean, Question, Tools},
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    meaning::Role,
    model::Vector,
    models::Shelf,
    profile::{LearnMeaning, Learning},
    stop::Stop,
};

/// How many questions are read at a time, each by a child of its own, and how long the others wait for their turn.
const AT_A_TIME: usize = 2;
const PATIENCE: Duration = Duration::from_secs(5);
/// How long a child may take for an answer, in seconds; one takes some hundredths of a second.
const ANSWER_SECONDS: u64 = 10;
/// Questions that are remembered: the pages of an answer ask the same again.
const REMEMBERED: usize = 64;

/// Tells what questions mean, by the model that a profile asks for.
///
/// Children end with the thread that started them, and who answers requests comes and goes: so threads of its own ask them.
pub struct Sense {
    wanted: Option<(LearnMeaning, Sender<Asked>)>,
    shelf: Shelf,
    remembered: Mutex<VecDeque<(Digest, String, Vector)>>,
}

/// A question on its way to somebody who asks a child.
struct Asked {
    question: String,
    tools: Tools,
    since: Instant,
    answer: SyncSender<Result<Vector>>,
}

impl Sense {
    /// For what a profile wants, and who finds it out.
    pub fn new(wanted: Option<(LearnMeaning, Crew)>, shelf: Shelf) -> Self {
        let wanted = wanted.map(|(wanted, crew)| {
            let (crew, (send, asked)) = (Arc::new(crew.within(ANSWER_SECONDS)), channel());
            let asked = Arc::new(Mutex::new(asked));
            for _ in 0..AT_A_TIME {
                let (crew, asked) = (crew.clone(), asked.clone());
                std::thread::spawn(move || answer(&crew, &asked));
            }
            (wanted, send)
        });
        Self { wanted, shelf, remembered: Mutex::default() }
    }

    /// Which way a question points, and the recipe of what it can be compared with.
    ///
    /// `Invalid` where the profile does not ask for meaning or the model is not here, with what helps; `Unavailable` where too
    /// many ask at once, or the model does not answer in time.
    pub fn of(&self, question: &str) -> Result<(Digest, Vector)> {
        let (recipe, tools, send) = self.tools()?;
        let mut remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((.., vector)) = remembered.iter().find(|(by, text, _)| *by == recipe && text == question) {
            return Ok((recipe, vector.clone()));
        }
        drop(remembered);
        let (answer, told) = sync_channel(1);
        let asked = Asked { question: question.to_owned(), tools, since: Instant::now(), answer };
        let gone = || Error::unavailable("nobody is left to ask what a question means");
        send.send(asked).map_err(|_| gone())?;
        let vector = match told.recv_timeout(PATIENCE + Duration::from_secs(ANSWER_SECONDS)) {
            Ok(vector) => vector?,
            Err(RecvTimeoutError::Timeout) => {
                return Err(Error::unavailable("the model of what texts mean does not answer in time")
                    .hint("it may still be on its way into memory: try again in a moment"));
            }
            Err(RecvTimeoutError::Disconnected) => return Err(gone()),
        };
        remembered = self.remembered.lock().unwrap_or_else(PoisonError::into_inner);
        remembered.push_front((recipe, question.to_owned(), vector.clone()));
        remembered.truncate(REMEMBERED);
        Ok((recipe, vector))
    }

    /// Has the model loaded before somebody waits for it. What is in the way is told to whoever asks.
    pub fn warm(&self) {
        self.of("").ok();
    }

    fn tools(&self) -> Result<(Digest, Tools, &Sender<Asked>)> {
        let Some((wanted, send)) = &self.wanted else {
            return Err(Error::invalid("the profile does not ask for what texts mean").hint(
                "add 'meaning: {}' to its section 'enrich', then 'damctl models pull multilingual-e5-small', \
                 'damctl enrich' and 'damctl index'",
            ));
        };
        let learning = Learning { meaning: Some(wanted.clone()), ..Learning::default() };
        // Looked up each time: a model that has come meanwhile needs no new start.
        let (means, lacking) =
            Means::find(&learning, &self.shelf, How { care: Care::Here, has_gpu: false }, &Stop::new())?;
        if let Some(lacking) = lacking.into_iter().next() {
            let told = Error::invalid(lacking.why.to_string());
            return Err(match lacking.why.hint_text() {
                Some(hint) => told.hint(hint),
                None => told,
            });
        }
        let found = means.meaning.as_ref().map(|m| m.recipe).zip(means.reader(1));
        let (recipe, tools) = found.ok_or_else(|| Error::internal("a model was found and is not there"))?;
        Ok((recipe, tools, send))
    }
}

/// Answers questions until nobody can ask any more.
fn answer(crew: &Crew, asked: &Mutex<Receiver<Asked>>) {
    let next = || asked.lock().unwrap_or_else(PoisonError::into_inner).recv();
    while let Ok(Asked { question, tools, since, answer }) = next() {
        let told = match since.elapsed() > PATIENCE {
            true => Err(Error::unavailable("too many ask for meaning at once").hint("try again in a moment")),
            false => read(crew, &tools, question),
        };
        // Whoever asked may have gone.
        answer.send(told).ok();
    }
}

fn read(crew: &Crew, tools: &Tools, question: String) -> Result<Vector> {
    let asked = Question::Mean(Mean { texts: vec![question], role: Role::Query });
    let answered = crew.ask(tools, &asked, 0, &Stop::new(), &mut |_| ()).map_err(|e| match e.kind() {
        // Whatever became of the child, nothing is wrong with the question.
        Kind::Corrupt | Kind::Internal | Kind::OutOfMemory => {
            Error::unavailable("the model of what texts mean does not answer").because(e).hint(
                "try again in a moment, or ask without meaning; 'damctl models verify' tells whether it is damaged",
            )
        }
        _ => e,
    })?;
    let vector = answered.vectors.into_iter().next();
    vector.ok_or_else(|| Error::unavailable("the model of what texts mean gave no answer"))
}
