//! The child processes that learn: each has its models loaded and is asked one thing after the other. Who fails is let go, and
//! another takes its place.

use std::{
    collections::HashMap,
    ops::ControlFlow,
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
};

use super::question::{Answer, Found, Question, Setup, Tools};
use crate::{
    error::{Error, Kind, Result},
    media::{Limits, child::ChildProcess, dialog::Dialog},
    model::{Looks, Vector},
    spool::Spool,
    stop::Stop,
};

/// How long models may take to be loaded, in seconds.
const LOADING: u64 = 300;

/// What helps where they end who loads them.
const LOADED: &str = "'damctl models verify' tells whether they are as they came; one that is, and ends who loads it, is no model for this";

/// How long an answer may take at least, in seconds; for each second of a recording there are 20 more.
const LONGEST: u64 = 3600;

/// Child processes, as many as there is work for at a time.
pub struct Crew {
    child: ChildProcess,
    spool: Arc<Spool>,
    /// Where masters and renditions can be read, besides the spool.
    reads: Vec<PathBuf>,
    limits: Limits,
    /// How long an answer may take at least, in seconds.
    longest: u64,
    idle: Mutex<HashMap<Tools, Vec<Member>>>,
}

/// One of them, and the folder that it may write into.
struct Member {
    dialog: Dialog,
    _dir: tempfile::TempDir,
}

/// What was found.
#[derive(Default)]
pub struct Answered {
    /// By kind.
    pub found: Vec<Found>,
    /// What it looks like, where that was asked.
    pub looks: Option<Looks>,
    /// What texts mean, where that was asked.
    pub vectors: Vec<Vector>,
}

impl Crew {
    /// Nobody yet. `reads`: folders that masters and models are in. Of the limits, memory and stall count for each child.
    pub fn new(child: ChildProcess, spool: Arc<Spool>, reads: Vec<PathBuf>, limits: Limits) -> Self {
        Self { child, spool, reads, limits, longest: LONGEST, idle: Mutex::default() }
    }

    /// One whose answers take no longer than so many seconds, or for each second of a recording twenty.
    pub(super) fn within(self, longest: u64) -> Self {
        Self { longest, ..self }
    }

    /// Has a question answered by one that has these tools. A question that ends its child is an error of its own kind, and nobody
    /// else's.
    pub fn ask(
        &self,
        tools: &Tools,
        question: &Question,
        length_ms: u64,
        stop: &Stop,
        progress: &mut dyn FnMut(f64),
    ) -> Result<Answered> {
        let mut member = self.member(tools, stop)?;
        let mut limits = self.limits.for_length(length_ms);
        // It says that it lives as long as it does: what never comes to an end is told by the clock.
        limits.wall_seconds = self.longest.max(length_ms / 1000 * 20);
        member.dialog.limit(&limits);
        let mut end: Option<Result<Answered>> = None;
        member.dialog.ask(question, stop, &mut |answer: Answer| {
            end = match answer {
                Answer::Ready => None,
                Answer::Progress { done } => {
                    progress(done);
                    None
                }
                Answer::Found { found, looks } => Some(Ok(Answered { found, looks, ..Answered::default() })),
                Answer::Meant { vectors } => Some(Ok(Answered { vectors, ..Answered::default() })),
                Answer::Failed { failure } => Some(Err(Error::from(failure))),
            };
            Ok(if end.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) })
        })?;
        let answered = end.unwrap_or_else(|| Err(Error::internal("nobody answered")));
        let answered = answered.map_err(|e| member.dialog.explained(e));
        // Who has come near the bound of memory would fail the next one, too.
        if !matches!(&answered, Err(e) if e.kind() == Kind::OutOfMemory) {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).entry(tools.clone()).or_default().push(member);
        }
        answered
    }

    fn member(&self, tools: &Tools, stop: &Stop) -> Result<Member> {
        // Those with other tools are kept, too: jobs of all kinds take turns.
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).get_mut(tools).and_then(Vec::pop);
        if let Some(member) = idle {
            return Ok(member);
        }
        let dir = self.spool.dir("learn")?;
        let limits = Limits { cpu_seconds: u64::MAX >> 8, ..self.limits.clone() };
        let mut reads = self.reads.clone();
        reads.push(self.spool.path().to_owned());
        let setup = Setup { reads, dir: dir.path().to_owned(), limits: limits.clone(), tools: tools.clone() };
        let loading = Limits { stall_seconds: LOADING, wall_seconds: LOADING, ..limits };
        let mut dialog = self.child.talk("infer", dir.path(), &loading)?;
        let mut failed = None;
        dialog
            .ask(&setup, stop, &mut |answer: Answer| {
                if let Answer::Failed { failure } = answer {
                    failed = Some(Error::from(failure));
                }
                Ok(ControlFlow::Break(()))
            })
            .map_err(|e| match e.kind() {
                // What ends a process while it loads a model ends the next one, too.
                Kind::Corrupt => e.within(format_args!("{} cannot be loaded", tools.files())).hint(LOADED),
                _ => e,
            })?;
        match failed {
            Some(e) => Err(dialog.explained(e)),
            None => Ok(Member { dialog, _dir: dir }),
        }
    }
}
