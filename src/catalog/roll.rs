//! Jobs as others see them: which are open, failed or left behind, and what people and planners do about them.

use super::{
    Catalog, Claim, TRIES,
    db::{Row, Tx, values},
    events::append,
    jobs::{COLUMNS, job},
};
use crate::{
    error::{Error, Kind, Result},
    model::{AttemptRecord, Job, JobId, JobState, Queue, Stage},
};

/// Which jobs to list.
#[derive(Clone, Debug, Default)]
pub struct JobFilter {
    /// Of this stage.
    pub stage: Option<Stage>,
    /// In this state.
    pub state: Option<JobState>,
    /// At most so many.
    pub limit: Option<i64>,
}

/// Since when work is under way (ms).
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UnderWay {
    /// When the earliest attempt began whose worker is alive.
    pub live: Option<i64>,
    /// When the earliest attempt began of a job that has not ended.
    pub open: Option<i64>,
}

/// Tells that a job waits again, by its row of stage and subject.
fn opened(tx: &mut dyn Tx, now: i64, id: JobId, row: &Row, queue: Queue) -> Result<()> {
    let detail = serde_json::json!({"stage": row.text(0)?, "subject": row.text(1)?, "queue": queue.as_str()});
    append(tx, now, "job.ready", &id.to_string(), &detail)
}

impl Catalog {
    /// Since when work is under way.
    pub fn under_way(&self) -> Result<UnderWay> {
        let now = self.now()?;
        let sql =
            "SELECT MIN(CASE WHEN j.state = 'leased' AND j.lease_until >= ?1 AND a.ended IS NULL THEN a.began END), MIN(a.began)
             FROM jobs j JOIN attempts a ON a.job = j.id WHERE j.state IN ('ready', 'leased')";
        let rows = self.db.query(sql, values![now])?;
        let row = rows.first().ok_or_else(|| Error::internal("a minimum without a row"))?;
        Ok(UnderWay { live: row.maybe_int(0)?, open: row.maybe_int(1)? })
    }

    /// How many jobs of a plan are open (ready or leased), and when the next ready one is due.
    pub fn open_jobs(&self, stage: Stage, scope: &str) -> Result<(i64, Option<i64>)> {
        self.open_among(&Claim::plan(stage, scope))
    }

    /// The same, among other jobs than those of one plan.
    pub fn open_among(&self, among: &Claim<'_>) -> Result<(i64, Option<i64>)> {
        let (filter, filter_values) = among.filter();
        let sql = format!(
            "SELECT COUNT(*), MIN(CASE WHEN state = 'ready' THEN not_before ELSE lease_until END)
             FROM jobs WHERE {filter} AND state IN ('ready', 'leased')"
        );
        let rows = self.db.query(&sql, &filter_values)?;
        let row = rows.first().ok_or_else(|| Error::internal("a count without a row"))?;
        Ok((row.int(0)?, row.maybe_int(1)?))
    }

    /// Those that failed.
    pub fn failed_among(&self, among: &Claim<'_>) -> Result<Vec<JobId>> {
        let (filter, filter_values) = among.filter();
        let sql = format!("SELECT id FROM jobs WHERE {filter} AND state = 'failed' ORDER BY id");
        self.db.query(&sql, &filter_values)?.iter().map(|row| row.parse(0)).collect()
    }

    /// How many jobs could be claimed now.
    pub fn due_among(&self, among: &Claim<'_>) -> Result<usize> {
        let now = self.now()?;
        let (filter, filter_values) = among.filter();
        let sql = format!(
            "SELECT COUNT(*) FROM jobs
             WHERE {filter} AND ((state = 'ready' AND not_before <= ?5) OR (state = 'leased' AND lease_until < ?5))"
        );
        let rows = self.db.query(&sql, &[&filter_values[..], values![now]].concat())?;
        let row = rows.first().ok_or_else(|| Error::internal("a count without a row"))?;
        Ok(row.int(0)? as usize)
    }

    /// The jobs of a stage that failed for want of memory, each with its attempt.
    pub fn short_of_memory(&self, stage: Stage) -> Result<Vec<(JobId, i64)>> {
        let filter = JobFilter { stage: Some(stage), state: Some(JobState::Failed), limit: None };
        let is_short = |job: &Job| job.error.as_ref().is_some_and(|f| f.kind == Kind::OutOfMemory);
        Ok(self.jobs(&filter)?.iter().filter(|job| is_short(job)).map(|job| (job.id, job.attempt)).collect())
    }

    /// The jobs of a stage that such a worker has left, each with its attempt: it held them when it was lost.
    pub fn left_by(&self, stage: Stage, is_such: &dyn Fn(&str) -> bool) -> Result<Vec<(JobId, i64)>> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE stage = ?1 AND state IN ('failed', 'leased')");
        let mut left = Vec::new();
        for row in self.db.query(&sql, values![stage.as_str()])? {
            let job = job(&row)?;
            // What failed by itself was not left.
            let is_lost = job.state == JobState::Leased || job.error.is_some_and(|f| f.kind == Kind::Unavailable);
            if is_lost && job.worker.is_some_and(|worker| is_such(&worker)) {
                left.push((job.id, job.attempt));
            }
        }
        Ok(left)
    }

    /// Opens jobs again that ended for want of memory, in the queue of workers that have more; says how many. Whoever held
    /// one at this attempt is known to be dead; what others have taken up since is theirs.
    pub fn enlarge(&self, ended: &[(JobId, i64)]) -> Result<u64> {
        let now = self.now()?;
        let mut count = 0;
        self.db.with_tx(&mut |tx| {
            count = 0;
            for (id, attempt) in ended {
                let sql = "UPDATE jobs SET state = 'ready', not_before = 0, max_attempt = attempt + ?2, priority = ?3,
                               lease_until = NULL, updated_at = ?4
                           WHERE id = ?1 AND state IN ('failed', 'leased') AND attempt = ?5 RETURNING stage, subject";
                for row in tx.query(sql, values![id, TRIES, Queue::LARGE, now, *attempt])? {
                    count += 1;
                    opened(tx, now, *id, &row, Queue::Large)?;
                    let sql = "UPDATE attempts SET ended = ?2, result = 'lost' WHERE job = ?1 AND ended + 0 IS NULL";
                    tx.execute(sql, values![id, now])?;
                }
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// Takes back what was wanted in this scope before a plan began (ms), and is not any more: jobs that are not in `keep`
    /// and wait, or whose worker was lost. What others have wanted since, or somebody waits for, stays.
    pub fn withdraw_others(&self, stage: Stage, scope: &str, keep: &[JobId], planned_at: i64) -> Result<u64> {
        let keep: std::collections::HashSet<String> = keep.iter().map(ToString::to_string).collect();
        let now = self.now()?;
        let mut count = 0;
        self.db.with_tx(&mut |tx| {
            count = 0;
            let idle = "(state = 'ready' OR (state = 'leased' AND lease_until < ?2))";
            let idle = format!("{idle} AND updated_at < ?3 AND priority < ?4");
            let sql = format!("SELECT id, subject FROM jobs WHERE stage = ?1 AND {idle} AND scope = ?5");
            for row in tx.query(&sql, values![stage.as_str(), now, planned_at, Queue::INTERACTIVE, scope])? {
                let id = row.text(0)?;
                if keep.contains(id) {
                    continue;
                }
                let sql = format!("DELETE FROM jobs WHERE id = ?1 AND {idle}");
                if tx.execute(&sql, values![id, now, planned_at, Queue::INTERACTIVE])? == 0 {
                    continue;
                }
                count += 1;
                let detail = serde_json::json!({"stage": stage, "subject": row.text(1)?});
                append(tx, now, "job.withdrawn", id, &detail)?;
                let sql = "UPDATE attempts SET ended = ?2, result = 'lost' WHERE job = ?1 AND ended + 0 IS NULL";
                tx.execute(sql, values![id, now])?;
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// Takes back what waits in a stage's other scopes while nobody works there: plans that were given up. What somebody
    /// waits for stays; and where others plan as well, whose workers may not have begun, so does what was wanted within a
    /// day.
    pub fn withdraw_idle_scopes(&self, stage: Stage, except: &str) -> Result<u64> {
        const DAY_MS: i64 = 86_400_000;
        let now = self.now()?;
        let before = if self.db.is_of_one_machine() { i64::MAX } else { now - DAY_MS };
        let mut count = 0;
        self.db.with_tx(&mut |tx| {
            let sql = "DELETE FROM jobs WHERE stage = ?1 AND state = 'ready' AND scope <> ?2 AND priority < ?3
                       AND updated_at < ?4
                       AND scope NOT IN (SELECT scope FROM jobs WHERE stage = ?1 AND state = 'leased')
                       RETURNING id, subject";
            let withdrawn = tx.query(sql, values![stage.as_str(), except, Queue::INTERACTIVE, before])?;
            count = withdrawn.len() as u64;
            for row in withdrawn {
                let detail = serde_json::json!({"stage": stage, "subject": row.text(1)?});
                append(tx, now, "job.withdrawn", row.text(0)?, &detail)?;
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// How many of these jobs have not ended: waiting, somebody else's, or taken back.
    pub fn not_ended(&self, ids: &[JobId]) -> Result<usize> {
        let mut count = 0;
        for id in ids {
            let sql = "SELECT 1 FROM jobs WHERE id = ?1 AND state IN ('done', 'failed')";
            count += usize::from(self.db.query(sql, values![id])?.is_empty());
        }
        Ok(count)
    }

    /// A worker that holds a lease that has not run out, when the catalog is for one machine and that worker is not on
    /// this one.
    pub fn worker_elsewhere(&self, is_here: &dyn Fn(&str) -> bool) -> Result<Option<String>> {
        if !self.db.is_of_one_machine() {
            return Ok(None);
        }
        let sql = "SELECT DISTINCT worker FROM jobs WHERE state = 'leased' AND lease_until >= ?1";
        let rows = self.db.query(sql, values![self.now()?])?;
        let workers: Vec<&str> = rows.iter().map(|r| r.text(0)).collect::<Result<_>>()?;
        Ok(workers.into_iter().find(|w| !is_here(w)).map(str::to_owned))
    }

    /// Workers that hold leases of a stage.
    pub fn lease_holders(&self, stage: Stage) -> Result<Vec<String>> {
        let sql = "SELECT DISTINCT worker FROM jobs WHERE stage = ?1 AND state = 'leased'";
        self.db.query(sql, values![stage.as_str()])?.iter().map(|r| Ok(r.text(0)?.to_owned())).collect()
    }

    /// Ends the leases of a worker that is known to be dead, so that nobody waits for them to run out.
    pub fn bury(&self, worker: &str) -> Result<u64> {
        let mut count = 0;
        self.db.with_tx(&mut |tx| {
            count =
                tx.execute("UPDATE jobs SET lease_until = 0 WHERE state = 'leased' AND worker = ?1", values![worker])?;
            Ok(())
        })?;
        Ok(count)
    }

    /// One job.
    pub fn job(&self, id: JobId) -> Result<Job> {
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id = ?1");
        let rows = self.db.query(&sql, values![id])?;
        rows.first().map(job).transpose()?.ok_or_else(|| Error::not_found(format!("there is no job {id}")))
    }

    /// The one job whose id begins so.
    pub fn job_by_prefix(&self, prefix: &str) -> Result<Job> {
        if prefix.len() < 4 || !prefix.bytes().all(|b| b.is_ascii_hexdigit()) {
            return Err(Error::invalid(format!(
                "'{prefix}' is not the beginning of a job id (at least four hexadecimal digits)"
            )));
        }
        let sql = format!("SELECT {COLUMNS} FROM jobs WHERE id >= ?1 AND id < ?2 LIMIT 2");
        let rows = self.db.query(&sql, values![prefix, format!("{prefix}g")])?;
        match rows.as_slice() {
            [one] => job(one),
            [] => Err(Error::not_found(format!("there is no job {prefix}"))),
            _ => Err(Error::invalid(format!("more than one job begins with {prefix}: give more digits"))),
        }
    }

    /// Jobs, those changed last first.
    pub fn jobs(&self, filter: &JobFilter) -> Result<Vec<Job>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM jobs WHERE (CAST(?1 AS TEXT) IS NULL OR stage = ?1) AND (CAST(?2 AS TEXT) IS NULL OR state = ?2)
             ORDER BY updated_at DESC, id LIMIT ?3"
        );
        let stage = filter.stage.map(|s| s.as_str());
        let state = filter.state.map(|s| s.as_str());
        self.db.query(&sql, values![stage, state, filter.limit.unwrap_or(i64::MAX)])?.iter().map(job).collect()
    }

    /// All attempts at a job, oldest first.
    pub fn attempts(&self, id: JobId) -> Result<Vec<AttemptRecord>> {
        let sql =
            "SELECT job, attempt, worker, began, ended, result, error FROM attempts WHERE job = ?1 ORDER BY attempt";
        let rows = self.db.query(sql, values![id])?;
        rows.iter()
            .map(|r| {
                Ok(AttemptRecord {
                    job: r.parse(0)?,
                    attempt: r.int(1)?,
                    worker: r.text(2)?.to_owned(),
                    began: r.int(3)?,
                    ended: r.maybe_int(4)?,
                    result: r.maybe_text(5)?.map(str::to_owned),
                    error: r.maybe_text(6)?.map(|_| r.json(6)).transpose()?,
                })
            })
            .collect()
    }

    /// Opens failed jobs again, with a full set of tries; says how many. `attempt` goes on counting.
    pub fn retry(&self, ids: &[JobId]) -> Result<u64> {
        let now = self.now()?;
        let mut count = 0;
        self.db.with_tx(&mut |tx| {
            count = 0;
            for id in ids {
                let sql = "UPDATE jobs SET state = 'ready', not_before = 0, max_attempt = attempt + ?2, updated_at = ?3
                           WHERE id = ?1 AND state = 'failed' RETURNING stage, subject";
                for row in tx.query(sql, values![id, TRIES, now])? {
                    count += 1;
                    opened(tx, now, *id, &row, Queue::All)?;
                }
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// Numbers of jobs by stage and state.
    pub fn job_counts(&self) -> Result<Vec<(Stage, JobState, i64)>> {
        let sql = "SELECT stage, state, COUNT(*) FROM jobs GROUP BY stage, state ORDER BY stage, state";
        self.db.query(sql, &[])?.iter().map(|r| Ok((r.parse(0)?, r.parse(1)?, r.int(2)?))).collect()
    }
}
