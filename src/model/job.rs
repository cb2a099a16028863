//! Wanted work.

use serde::{Deserialize, Serialize};

use super::JobId;
use crate::error::{Error, Kind, Result};

/// How one kind of work is planned and run; also the name of its subcommand.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Drives into the store.
    Ingest,
    /// Files that others send.
    Receive,
    /// Masters into renditions.
    Transcode,
    /// Masters into what is said, shown, seen and named in them.
    Enrich,
    /// Everything known into the search index.
    Index,
    /// Renditions to channels.
    Publish,
}

impl Stage {
    /// All stages, in the order in which work flows.
    pub const ALL: [Stage; 6] =
        [Stage::Ingest, Stage::Receive, Stage::Transcode, Stage::Enrich, Stage::Index, Stage::Publish];

    /// The word stored in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Stage::Ingest => "ingest",
            Stage::Receive => "receive",
            Stage::Transcode => "transcode",
            Stage::Enrich => "enrich",
            Stage::Index => "index",
            Stage::Publish => "publish",
        }
    }
}

impl std::fmt::Display for Stage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Stage {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("'{text}' is not a stage: expected one of {known}"))
        })
    }
}

/// Which of a stage's jobs a worker serves. A job's priority says in which queue it waits.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Queue {
    /// Every job.
    #[default]
    All,
    /// What somebody waits for: priority 100 and above.
    Interactive,
    /// The backlog.
    Batch,
    /// What ran out of memory, for workers that were given more: priority -100 and below.
    Large,
}

impl Queue {
    /// All of them.
    pub const ALL: [Queue; 4] = [Queue::All, Queue::Interactive, Queue::Batch, Queue::Large];

    /// The lowest priority of what somebody waits for.
    pub const INTERACTIVE: i64 = 100;

    /// The highest priority of what ran out of memory.
    pub const LARGE: i64 = -100;

    /// Its lowest and highest priority.
    pub fn priorities(self) -> (i64, i64) {
        match self {
            Queue::All => (i64::MIN, i64::MAX),
            Queue::Interactive => (Self::INTERACTIVE, i64::MAX),
            Queue::Batch => (Self::LARGE + 1, Self::INTERACTIVE - 1),
            Queue::Large => (i64::MIN, Self::LARGE),
        }
    }

    /// The word on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Queue::All => "all",
            Queue::Interactive => "interactive",
            Queue::Batch => "batch",
            Queue::Large => "large",
        }
    }
}

impl std::fmt::Display for Queue {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for Queue {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|q| q.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("'{text}' is not a queue: expected one of {known}"))
        })
    }
}

/// Where a job stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum JobState {
    /// Waiting for a worker, from `not_before` on.
    Ready,
    /// A worker holds its lease.
    Leased,
    /// Its facts are in the catalog.
    Done,
    /// It will not be tried again by itself.
    Failed,
}

impl JobState {
    /// All of them.
    pub const ALL: [JobState; 4] = [JobState::Ready, JobState::Leased, JobState::Done, JobState::Failed];

    /// The word stored in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            JobState::Ready => "ready",
            JobState::Leased => "leased",
            JobState::Done => "done",
            JobState::Failed => "failed",
        }
    }
}

impl std::str::FromStr for JobState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::invalid(format!("'{text}' is not a job state: expected one of {known}"))
        })
    }
}

/// One piece of wanted work.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Job {
    /// SHA-256 of stage, subject and recipe.
    pub id: JobId,
    /// Its stage.
    pub stage: Stage,
    /// What it is about, for people: a path, an asset id.
    pub subject: String,
    /// Its instructions, read by its stage alone.
    pub task: serde_json::Value,
    /// Where it stands.
    pub state: JobState,
    /// The number of the last attempt; also the fence. It only grows.
    pub attempt: i64,
    /// No attempt beyond this one by itself.
    pub max_attempt: i64,
    /// Not to be claimed before this time of the catalog's clock (ms).
    pub not_before: i64,
    /// When the lease ends (ms).
    pub lease_until: Option<i64>,
    /// Who holds it.
    pub worker: Option<String>,
    /// The last failure.
    pub error: Option<Failure>,
}

/// A failure as it is kept: what it means and what was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, schemars::JsonSchema)]
pub struct Failure {
    /// What it means for the caller.
    pub kind: Kind,
    /// Message and causes.
    pub message: String,
    /// What to do about it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hint: Option<String>,
    /// What a machine calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
}

impl From<&Error> for Failure {
    fn from(e: &Error) -> Self {
        Self {
            kind: e.kind(),
            message: e.one_line(),
            hint: e.hint_text().map(str::to_owned),
            code: e.code_text().map(str::to_owned),
        }
    }
}

impl From<Failure> for Error {
    fn from(f: Failure) -> Self {
        let mut e = Error::new(f.kind, f.message);
        if let Some(hint) = f.hint {
            e = e.hint(hint);
        }
        match f.code {
            Some(code) => e.code(code),
            None => e,
        }
    }
}

/// One try at a job.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct AttemptRecord {
    /// The job.
    pub job: JobId,
    /// The fence it ran under.
    pub attempt: i64,
    /// Who ran it.
    pub worker: String,
    /// When it began (ms).
    pub began: i64,
    /// When it ended (ms), once it has.
    pub ended: Option<i64>,
    /// `done`, `failed`, `retry`, `released` or `lost`.
    pub result: Option<String>,
    /// What went wrong.
    pub error: Option<Failure>,
}
