//! Claims: who works on which job, one statement each.

use super::{
    Catalog,
    assets::to_json,
    db::{Value, values},
    events,
    jobs::{COLUMNS, job},
};
use crate::{
    error::{Error, Kind, Result},
    model::{Job, JobState, Queue, Stage, job::Failure},
};

/// Which jobs a worker would do.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Claim<'a> {
    /// Of this stage.
    pub stage: Stage,
    /// Of this plan; of every plan, when there is none.
    pub scope: Option<&'a str>,
    /// In this queue.
    pub queue: Queue,
}

impl<'a> Claim<'a> {
    /// All jobs of one plan.
    pub fn plan(stage: Stage, scope: &'a str) -> Self {
        Self { stage, scope: Some(scope), queue: Queue::All }
    }

    /// What SQL says of it: the stage is `?1`, the scope `?2`, the priorities `?3` and `?4`.
    pub(super) fn filter(&self) -> (&'static str, [Value; 4]) {
        let text = match self.scope {
            Some(_) => "stage = ?1 AND scope = ?2 AND priority BETWEEN ?3 AND ?4",
            None => "stage = ?1 AND CAST(?2 AS TEXT) IS NULL AND priority BETWEEN ?3 AND ?4",
        };
        let (low, high) = self.queue.priorities();
        (text, [self.stage.as_str().into(), self.scope.into(), low.into(), high.into()])
    }

    /// The same of what a lost worker holds (`?5` is now), written so that only the index of leases fits: any other would
    /// be read through all that is being done.
    fn lost(&self) -> &'static str {
        match self.scope {
            Some(_) => {
                "lease_until < ?5 AND state = 'leased' AND stage || '' = ?1 AND scope || '' = ?2
                 AND priority + 0 BETWEEN ?3 AND ?4"
            }
            None => {
                "lease_until < ?5 AND state = 'leased' AND stage || '' = ?1 AND CAST(?2 AS TEXT) IS NULL
                 AND priority + 0 BETWEEN ?3 AND ?4"
            }
        }
    }
}

/// A worker's claim on a job, as a value: whoever holds it speaks for this attempt.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The job as it was claimed.
    pub job: Job,
    /// The fence.
    pub attempt: i64,
}

/// What is said of a job whose worker was lost at its last try.
fn worker_lost() -> Failure {
    Failure {
        kind: Kind::Unavailable,
        message: "worker lost".to_owned(),
        hint: Some("the process was killed or its machine went away: 'damctl jobs retry' tries again".to_owned()),
        code: None,
    }
}

impl Catalog {
    /// Claims the next job of a plan that is due, or whose worker was lost, for `lease_ms`.
    pub fn claim(&self, stage: Stage, scope: &str, worker: &str, lease_ms: i64) -> Result<Option<Lease>> {
        self.claim_from(&Claim::plan(stage, scope), worker, lease_ms)
    }

    /// The same, from other jobs than those of one plan.
    pub fn claim_from(&self, from: &Claim<'_>, worker: &str, lease_ms: i64) -> Result<Option<Lease>> {
        let now = self.now()?;
        let (ready, filter_values) = from.filter();
        let (ready, lost) = (format!("{ready} AND state = 'ready' AND not_before <= ?5"), from.lost());
        let look = [&filter_values[..], values![now]].concat();
        if self.db.is_of_one_machine() {
            // Most looks find nothing to do: they need not wait for whoever writes.
            let sql = format!(
                "SELECT 1 WHERE EXISTS (SELECT 1 FROM jobs WHERE {lost}) OR EXISTS (SELECT 1 FROM jobs WHERE {ready})"
            );
            if self.db.query(&sql, &look)?.is_empty() {
                return Ok(None);
            }
        }
        let take = [&look[..], values![worker, now + lease_ms, to_json(&worker_lost())?]].concat();
        let (suffix, json_of) = (self.db.claim_suffix(), self.db.json_of());
        // What was lost, then what waits: apart, so that each is the first of an index. A job that was lost at its last try
        // has failed.
        let first =
            |due: &str| format!("(SELECT id FROM jobs WHERE {due} ORDER BY priority DESC, created_at LIMIT 1{suffix})");
        let is_spent = "state = 'leased' AND attempt >= max_attempt";
        // What two workers in a row died of without a word, memory was short for, most likely: no third of their size
        // tries it. Only stages that can be fanned out have workers of another.
        let is_large = format!(
            "state = 'leased' AND attempt < max_attempt AND priority > {} AND stage IN ('transcode', 'enrich')
             AND EXISTS (SELECT 1 FROM attempts b WHERE b.job = jobs.id AND b.attempt = jobs.attempt - 1 AND b.result = 'lost')",
            Queue::LARGE
        );
        let sql = format!(
            "UPDATE jobs SET state = CASE WHEN {is_spent} THEN 'failed' WHEN {is_large} THEN 'ready' ELSE 'leased' END,
                 attempt = CASE WHEN {is_spent} OR {is_large} THEN attempt ELSE attempt + 1 END,
                 worker = CASE WHEN {is_spent} OR {is_large} THEN worker ELSE ?6 END,
                 lease_until = CASE WHEN {is_spent} OR {is_large} THEN NULL ELSE CAST(?7 AS BIGINT) END,
                 error = CASE WHEN {is_spent} THEN ?8 ELSE error END,
                 priority = CASE WHEN {is_large} THEN {} ELSE priority END,
                 updated_at = ?5
             WHERE id = COALESCE({}, {}) RETURNING {COLUMNS}",
            Queue::LARGE,
            first(lost),
            first(&ready)
        );
        let story =
            format!("'{{\"stage\":\"' || c.stage || '\",\"subject\":' || {json_of}(c.subject) || ',\"attempt\":' ||");
        let told = events::append_all(
            self.db.is_of_one_machine(),
            "?5",
            &format!(
                "SELECT 1 AS place, 'job.lost' AS kind, c.id AS subject,
                     {story} a.attempt || ',\"worker\":' || {json_of}(a.worker) || '}}' AS detail
                 FROM changed c JOIN attempts a ON a.job = c.id WHERE a.ended + 0 IS NULL AND (c.attempt > 1 AND c.state = 'leased' OR c.state = 'ready')
                 UNION ALL
                 SELECT 2, 'job.started', c.id, {story} c.attempt || ',\"worker\":' || {json_of}(c.worker) || '}}'
                 FROM changed c WHERE c.state = 'leased'
                 UNION ALL
                 SELECT 2, 'job.failed', c.id, {story} c.attempt || ',' || SUBSTR(c.error, 2)
                 FROM changed c WHERE c.state = 'failed'
                 UNION ALL
                 SELECT 2, 'job.ready', c.id,
                     '{{\"stage\":\"' || c.stage || '\",\"subject\":' || {json_of}(c.subject) || ',\"queue\":\"large\"}}'
                 FROM changed c WHERE c.state = 'ready'"
            ),
        );
        let then = [
            told.as_str(),
            // By the job: the index of what has ended would be read through all that is being done. And not for a first
            // attempt, for a server that has seen an empty table goes on reading all of it.
            "UPDATE attempts SET ended = ?5, result = 'lost'
             WHERE job IN (SELECT id FROM changed WHERE attempt > 1 OR state = 'failed') AND ended + 0 IS NULL",
            "INSERT INTO attempts (job, attempt, worker, began)
             SELECT id, attempt, worker, CAST(?5 AS BIGINT) FROM changed WHERE state = 'leased'",
        ];
        loop {
            let rows = self.db.change(&sql, &then, &take)?;
            let Some(row) = rows.first() else { return Ok(None) };
            let job = job(row)?;
            match job.state {
                JobState::Leased => return Ok(Some(Lease { attempt: job.attempt, job })),
                JobState::Failed | JobState::Ready => continue,
                other => return Err(Error::internal(format!("a claim left a job {}", other.as_str()))),
            }
        }
    }
}
