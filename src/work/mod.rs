//! The one way in which work is done: plan, enqueue, [`drain`]. A laptop, an array task and a Kubernetes Job run the
//! same loop.
//!
//! A stage implements [`StageRun`]: it writes bytes and returns facts. This module alone ends jobs, and it does so in
//! the transaction that writes the facts.

use serde::Serialize;

use crate::{
    catalog::{Facts, Lease, Settled},
    error::{Error, Kind, Result},
    model::{Job, Stage, job::Failure},
    pace::Pace,
    stop::Stop,
};

mod drain;
mod heartbeat;
mod retry;
mod worker;

pub use drain::{Drain, Summary, Until, bury_the_dead, drain};
pub use worker::Worker;

/// How a stage does one job.
pub trait StageRun: Sync {
    /// The stage.
    fn stage(&self) -> Stage;

    /// Does the job as far as it can. An error means that nothing was done; a job that is done in part returns what it
    /// has, and the failure with it. Called from many threads; called again for the same job after a crash, so every
    /// step must bear repetition.
    fn run(&self, attempt: &Attempt<'_>) -> Result<Done>;

    /// Whether its jobs wait for people: one that may succeed later is tried again for as long as it takes, and the stage
    /// itself says when it is too late.
    fn is_patient(&self) -> bool {
        false
    }

    /// Called after the facts of a job are in the catalog. A crash before it must be harmless.
    fn settled(&self, _settled: &Settled) -> Result<()> {
        Ok(())
    }
}

/// What a job brought.
#[derive(Default)]
pub struct Done {
    /// To be written to the catalog.
    pub facts: Facts,
    /// What could not be done, if anything.
    pub failure: Option<Error>,
}

impl From<Facts> for Done {
    fn from(facts: Facts) -> Self {
        Self { facts, failure: None }
    }
}

/// One try at a job: what a stage knows of the world outside.
pub struct Attempt<'a> {
    /// The job.
    pub job: &'a Job,
    /// When to give up: the run was asked to stop, or the lease is gone.
    pub stop: Stop,
    /// Where progress goes.
    pub reporter: &'a dyn Reporter,
    /// The catalog's time when the attempt began, in milliseconds since 1970-01-01 UTC.
    pub began: i64,
    /// How fast it may read, if there is a bound.
    pub pace: Option<&'a Pace>,
}

impl Attempt<'_> {
    /// The instructions, as the stage's planner wrote them.
    pub fn task<T: serde::de::DeserializeOwned>(&self) -> Result<T> {
        T::deserialize(&self.job.task).map_err(|e| {
            Error::new(Kind::Invalid, "the job's instructions cannot be read")
                .because(e)
                .hint("plan again: run the stage's command")
        })
    }

    /// The claim under which it runs, for what is written to the catalog before its end.
    pub fn lease(&self) -> Lease {
        Lease { job: self.job.clone(), attempt: self.job.attempt }
    }

    /// Reports bytes that were read, and waits if they were too fast.
    pub fn read(&self, bytes: u64) -> Result<()> {
        self.tick(Amount::Bytes(bytes));
        self.pace.map_or(Ok(()), |pace| pace.spend(bytes, &self.stop))
    }

    /// Reports progress of this job.
    pub fn tick(&self, amount: Amount) {
        self.reporter.report(&Event::Ticked { job: self.job, amount });
    }
}

/// A measure of work.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Amount {
    /// Bytes more.
    Bytes(u64),
    /// So much of this job is done, 0 to 1.
    Share(f64),
}

/// What happens while work is done, for whoever shows it.
#[derive(Debug, Serialize)]
#[serde(tag = "event", rename_all = "snake_case")]
pub enum Event<'a> {
    /// What a command will do.
    Planned {
        /// The stage.
        stage: Stage,
        /// Number of jobs.
        jobs: usize,
        /// Bytes to read, where that is the measure.
        bytes: Option<u64>,
    },
    /// A job began.
    Started {
        /// The job.
        #[serde(serialize_with = "brief")]
        job: &'a Job,
    },
    /// A job moved on.
    Ticked {
        /// The job.
        #[serde(serialize_with = "brief")]
        job: &'a Job,
        /// By how much.
        amount: Amount,
    },
    /// An item of a job, or of a plan, has its outcome.
    Item {
        /// What: a path, a rendition.
        what: &'a str,
        /// `stored`, `unreadable`, `rendered`, …
        outcome: &'a str,
        /// Why, or what it is the same as.
        detail: Option<&'a str>,
    },
    /// An attempt ended.
    Ended {
        /// The job.
        #[serde(serialize_with = "brief")]
        job: &'a Job,
        /// `done`, `retry`, `failed`, `released` or `lost`.
        result: &'a str,
        /// Why not done.
        failure: Option<&'a Failure>,
    },
    /// Something worth knowing.
    Note {
        /// In a sentence.
        text: &'a str,
    },
}

fn brief<S: serde::Serializer>(job: &Job, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(&format_args!("{} {}", job.stage, job.subject))
}

/// Shows what happens. Bars, plain lines and JSON lines are implementations in the binary.
pub trait Reporter: Send + Sync {
    /// Called from any thread; must not block for long.
    fn report(&self, event: &Event<'_>);
}

/// Shows nothing.
pub struct Silent;

impl Reporter for Silent {
    fn report(&self, _: &Event<'_>) {}
}
