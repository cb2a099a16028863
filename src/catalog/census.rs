//! What is being done now: by whom, how fast, and what went wrong. For people who watch, and programs that graph it.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Catalog, Feed, db::values};
use crate::{
    error::Result,
    model::{JobState, Stage, job::Failure},
};

/// A worker and what it holds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct AtWork {
    /// Its name: host, process, start.
    pub worker: String,
    /// What it works on.
    pub stage: Stage,
    /// Jobs it holds.
    pub jobs: i64,
    /// Milliseconds since it was last heard of.
    pub heard_ms: i64,
    /// Whether its leases have run out.
    pub is_lost: bool,
}

/// How fast a stage goes.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Throughput {
    /// The stage.
    pub stage: Stage,
    /// Attempts that ended lately, by result.
    pub results: BTreeMap<String, i64>,
    /// How long they took together (ms).
    pub took_ms: i64,
}

/// Why jobs failed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Reason {
    /// Their stage.
    pub stage: Stage,
    /// What they said, without what is about one job only.
    pub why: String,
    /// How many.
    pub jobs: i64,
}

/// What is being done, at a moment.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Census {
    /// When (ms).
    pub at: i64,
    /// Jobs by stage and state.
    pub jobs: Vec<(Stage, JobState, i64)>,
    /// How long the job that is due for longest has waited, by stage (ms).
    pub oldest_due_ms: Vec<(Stage, i64)>,
    /// Who is at work.
    pub workers: Vec<AtWork>,
    /// How many milliseconds `paces` looks back.
    pub lately_ms: i64,
    /// What was ended in that time.
    pub paces: Vec<Throughput>,
    /// Why jobs failed, the most frequent first.
    pub reasons: Vec<Reason>,
    /// The number of the last event.
    pub last_event: i64,
    /// How far subscribers have heard.
    pub feeds: Vec<Feed>,
}

impl Census {
    /// Jobs of a stage that are open: waiting or being done.
    pub fn open(&self, stage: Stage) -> i64 {
        let is_open = |state| matches!(state, JobState::Ready | JobState::Leased);
        self.jobs.iter().filter(|(s, state, _)| *s == stage && is_open(*state)).map(|(_, _, n)| n).sum()
    }

    /// Milliseconds until a stage's open jobs are done, if it goes on as lately.
    pub fn left_ms(&self, stage: Stage) -> Option<i64> {
        let pace = self.paces.iter().find(|p| p.stage == stage)?;
        let done = *pace.results.get("done").filter(|n| **n > 0)?;
        Some(self.open(stage).saturating_mul(self.lately_ms) / done)
    }
}

impl Catalog {
    /// Who is at work on what, and how it went in the last `lately_ms`.
    pub fn census(&self, lately_ms: i64) -> Result<Census> {
        let at = self.now()?;
        // Named, so that the index of stage and state is of use.
        let of_stages = format!("stage IN ({})", Stage::ALL.map(|s| format!("'{s}'")).join(", "));
        let sql = format!(
            "SELECT worker, stage, COUNT(*), MAX(updated_at), MIN(CASE WHEN lease_until < ?1 THEN 1 ELSE 0 END)
             FROM jobs WHERE {of_stages} AND state = 'leased' GROUP BY worker, stage ORDER BY worker, stage"
        );
        let workers = self.db.query(&sql, values![at])?;
        let workers = workers.iter().map(|r| {
            Ok(AtWork {
                worker: r.text(0)?.to_owned(),
                stage: r.parse(1)?,
                jobs: r.int(2)?,
                heard_ms: (at - r.int(3)?).max(0),
                is_lost: r.int(4)? == 1,
            })
        });
        let sql = "SELECT j.stage, a.result, COUNT(*), CAST(SUM(a.ended - a.began) AS BIGINT)
                   FROM attempts a JOIN jobs j ON j.id = a.job WHERE a.ended > ?1 AND a.result IS NOT NULL
                   GROUP BY j.stage, a.result ORDER BY j.stage, a.result";
        let mut paces: Vec<Throughput> = Vec::new();
        for r in self.db.query(sql, values![at - lately_ms])? {
            let stage = r.parse(0)?;
            if paces.last().is_none_or(|p| p.stage != stage) {
                paces.push(Throughput { stage, results: BTreeMap::new(), took_ms: 0 });
            }
            if let Some(pace) = paces.last_mut() {
                pace.results.insert(r.text(1)?.to_owned(), r.int(2)?);
                pace.took_ms += r.int(3)?;
            }
        }
        let sql = "SELECT stage, MIN(CASE WHEN not_before > created_at THEN not_before ELSE created_at END)
                   FROM jobs WHERE state = 'ready' AND not_before <= ?1 GROUP BY stage ORDER BY stage";
        let oldest = self.db.query(sql, values![at])?;
        let oldest = oldest.iter().map(|r| Ok((r.parse(0)?, (at - r.int(1)?).max(0))));
        let sql = format!(
            "SELECT stage, error, COUNT(*) FROM jobs WHERE {of_stages} AND state = 'failed' AND error IS NOT NULL
             GROUP BY stage, error"
        );
        let mut reasons: BTreeMap<(Stage, String), i64> = BTreeMap::new();
        for r in self.db.query(&sql, &[])? {
            let failure: Failure = r.json(1)?;
            // What follows a colon tells one file from another.
            let why = failure.message.split(": ").next().unwrap_or_default();
            *reasons.entry((r.parse(0)?, format!("{}: {why}", failure.kind))).or_default() += r.int(2)?;
        }
        let mut reasons: Vec<Reason> =
            reasons.into_iter().map(|((stage, why), jobs)| Reason { stage, why, jobs }).collect();
        reasons.sort_by_key(|r| -r.jobs);
        Ok(Census {
            at,
            last_event: self.last_event()?,
            feeds: self.feeds()?,
            jobs: self.job_counts()?,
            oldest_due_ms: oldest.collect::<Result<_>>()?,
            workers: workers.collect::<Result<_>>()?,
            lately_ms,
            paces,
            reasons,
        })
    }
}
