//! Jobs: wanted once, claimed by lease, ended in the transaction that writes their facts.
//!
//! The `attempt` number is the fence. Every statement of a worker says which attempt it speaks for; when another
//! worker has taken the job over, that number has grown, no row matches, and the late worker hears `LeaseLost`.

use std::collections::{HashMap, HashSet};

use serde::Serialize;

use super::{
    Catalog,
    arrivals::{Landed, land},
    assets::{holder, insert_asset, insert_master, to_json, upsert_sighting},
    db::{Row, Tx, values},
    events::append,
    renditions::{activate, mark_indexed},
    uploads::complete,
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    model::{
        Asset, AssetId, AttemptRecord, Job, JobId, JobState, Key, Master, Outcome, Rendition, Sighting, Stage,
        job::Failure,
    },
};

/// Tries of a job before it counts as failed.
pub const TRIES: i64 = 5;

/// A piece of work that a plan wants done.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Wanted {
    /// Its stage.
    pub stage: Stage,
    /// The part of the stage's work that is planned and drained together: one command's plan.
    pub scope: String,
    /// What it is about, for people.
    pub subject: String,
    /// What, besides the subject, makes it this work and not another.
    pub recipe: String,
    /// Instructions for the stage.
    pub task: serde_json::Value,
    /// Higher goes first.
    pub priority: i64,
}

impl Wanted {
    /// The job's identity.
    pub fn id(&self) -> JobId {
        JobId::new(self.stage, &self.subject, &self.recipe)
    }
}

/// What became of a list of wanted work.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Enqueued {
    /// Jobs that are waiting or being worked on now.
    pub open: Vec<JobId>,
    /// Jobs that failed for good earlier, and are left alone until `damctl jobs retry`.
    pub failed: Vec<JobId>,
}

/// A worker's claim on a job, as a value: whoever holds it speaks for this attempt.
#[derive(Clone, Debug)]
pub struct Lease {
    /// The job as it was claimed.
    pub job: Job,
    /// The fence.
    pub attempt: i64,
}

/// What a stage learned. Only [`Catalog::settle`] writes it.
#[derive(Clone, Debug, Default)]
pub struct Facts {
    /// New assets with their masters, the main one first.
    pub assets: Vec<(Asset, Vec<Master>)>,
    /// Files that join an asset that is there: a sidecar that comes after what it describes.
    pub joined: Vec<Master>,
    /// What became of paths.
    pub sightings: Vec<Sighting>,
    /// New renditions, each of which passed the gate.
    pub renditions: Vec<Rendition>,
    /// What an index holds now: index, asset, digest of its documents.
    pub indexed: Vec<(String, AssetId, Digest)>,
    /// How arrivals ended.
    pub arrivals: Vec<Landed>,
}

/// What settling found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// Assets whose bytes were in the archive by then: their paths are sightings of the asset that was first, and what
    /// was put into the store for them is to be removed. So is what came of an arrival that failed.
    pub superseded: Vec<(AssetId, Key)>,
}

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
pub struct AtWork {
    /// When the earliest attempt began whose worker is alive.
    pub live: Option<i64>,
    /// When the earliest attempt began of a job that has not ended.
    pub open: Option<i64>,
}

const COLUMNS: &str = "id, stage, subject, task, state, attempt, max_attempt, not_before, lease_until, worker, error";

fn job(row: &Row) -> Result<Job> {
    Ok(Job {
        id: row.parse(0)?,
        stage: row.parse(1)?,
        subject: row.text(2)?.to_owned(),
        task: row.json(3)?,
        state: row.parse(4)?,
        attempt: row.int(5)?,
        max_attempt: row.int(6)?,
        not_before: row.int(7)?,
        lease_until: row.maybe_int(8)?,
        worker: row.maybe_text(9)?.map(str::to_owned),
        error: row.maybe_text(10)?.map(|_| row.json(10)).transpose()?,
    })
}

pub(super) fn lease_lost() -> Error {
    Error::new(Kind::LeaseLost, "another worker has taken the job over")
}

/// Ends an attempt: moves the job to `state` if it is still this attempt's, and closes the attempt's record.
struct End<'a> {
    state: JobState,
    result: &'a str,
    not_before: i64,
    extra_tries: i64,
    error: Option<&'a Failure>,
}

fn end(tx: &mut dyn Tx, lease: &Lease, now: i64, how: &End<'_>) -> Result<()> {
    let error = how.error.map(to_json).transpose()?;
    // What is to be tried again goes behind what has not been tried yet.
    let sql = "UPDATE jobs SET state = ?3, not_before = ?4, max_attempt = max_attempt + ?5, error = ?6, lease_until = NULL, updated_at = ?7,
                   priority = CASE WHEN ?3 = 'ready' AND CAST(?6 AS TEXT) IS NOT NULL AND priority >= 0 THEN -1 ELSE priority END
               WHERE id = ?1 AND state = 'leased' AND attempt = ?2";
    let id = lease.job.id;
    let changed = tx.execute(
        sql,
        values![id, lease.attempt, how.state.as_str(), how.not_before, how.extra_tries, error.as_deref(), now],
    )?;
    if changed == 0 {
        return Err(lease_lost());
    }
    let sql = "UPDATE attempts SET ended = ?3, result = ?4, error = ?5 WHERE job = ?1 AND attempt = ?2";
    tx.execute(sql, values![id, lease.attempt, now, how.result, error])?;
    Ok(())
}

/// Keeps a master of an asset, and ends its upload; says whether its bytes are new.
fn keep(tx: &mut dyn Tx, now: i64, asset: AssetId, master: &Master) -> Result<bool> {
    let is_new = insert_master(tx, now, asset, master)?;
    complete(tx, &master.key, &master.digest)?;
    if is_new {
        let detail = serde_json::json!({"digest": master.digest, "bytes": master.bytes, "key": master.key});
        append(tx, now, "asset.stored", &asset.to_string(), &detail)?;
    }
    Ok(is_new)
}

impl Catalog {
    /// Wants work done. What is wanted already is one row still; what was done but is wanted again (its result is
    /// gone) is opened again; what failed for good stays so.
    pub fn enqueue(&self, wanted: &[Wanted]) -> Result<Enqueued> {
        let now = self.now()?;
        let mut out = Enqueued::default();
        for chunk in wanted.chunks(500) {
            let mut part = Enqueued::default();
            self.db.with_tx(&mut |tx| {
                part = Enqueued::default();
                for w in chunk {
                    let sql =
                        "INSERT INTO jobs (id, stage, scope, subject, recipe, task, state, priority, attempt, max_attempt,
                                   not_before, created_at, updated_at)
                               SELECT ?1, ?2, ?9, ?3, ?4, ?5, 'ready', ?6, n.tried, n.tried + ?7, 0, ?8, ?8
                               FROM (SELECT COALESCE(MAX(attempt), 0) AS tried FROM attempts WHERE job = ?1) n WHERE true
                               ON CONFLICT (id) DO UPDATE SET state = 'ready', task = excluded.task, not_before = 0,
                                   priority = excluded.priority,
                                   max_attempt = jobs.attempt + ?7, error = NULL, updated_at = ?8
                               WHERE jobs.state = 'done'";
                    let id = w.id();
                    let task = w.task.to_string();
                    tx.execute(
                        sql,
                        values![
                            id,
                            w.stage.as_str(),
                            w.subject.as_str(),
                            w.recipe.as_str(),
                            task,
                            w.priority,
                            TRIES,
                            now,
                            w.scope.as_str()
                        ],
                    )?;
                    // Whoever wants it last does it, unless somebody is at it.
                    let sql = "UPDATE jobs SET scope = ?2 WHERE id = ?1 AND state = 'ready' AND scope <> ?2";
                    tx.execute(sql, values![id, w.scope.as_str()])?;
                    let rows = tx.query("SELECT state FROM jobs WHERE id = ?1", values![id])?;
                    match rows.first().map(|r| r.text(0)).transpose()? {
                        Some("failed") => part.failed.push(id),
                        _ => part.open.push(id),
                    }
                }
                Ok(())
            })?;
            out.open.append(&mut part.open);
            out.failed.append(&mut part.failed);
        }
        Ok(out)
    }

    /// Claims the next job of a stage that is due, or whose worker was lost, for `lease_ms`.
    pub fn claim(&self, stage: Stage, scope: &str, worker: &str, lease_ms: i64) -> Result<Option<Lease>> {
        let now = self.now()?;
        let mut claimed = None;
        let suffix = self.db.claim_suffix();
        // Most looks find nothing to do: they need no write lock.
        let due = "stage = ?1 AND scope = ?3 AND ((state = 'ready' AND not_before <= ?2) OR (state = 'leased' AND lease_until < ?2))";
        if self
            .db
            .query(&format!("SELECT id FROM jobs WHERE {due} LIMIT 1"), values![stage.as_str(), now, scope])?
            .is_empty()
        {
            return Ok(None);
        }
        self.db.with_tx(&mut |tx| {
            claimed = None;
            let lost = to_json(&Failure {
                kind: Kind::Unavailable,
                message: "worker lost".to_owned(),
                hint: Some(
                    "the process was killed or its machine went away: 'damctl jobs retry' tries again".to_owned(),
                ),
            })?;
            let sql = "UPDATE jobs SET state = 'failed', error = ?3, lease_until = NULL, updated_at = ?2
                       WHERE stage = ?1 AND state = 'leased' AND lease_until < ?2 AND attempt >= max_attempt";
            tx.execute(sql, values![stage.as_str(), now, lost.as_str()])?;
            let sql = format!(
                "UPDATE jobs SET state = 'leased', attempt = attempt + 1, worker = ?4, lease_until = ?5, updated_at = ?2
                 WHERE id = (SELECT id FROM jobs WHERE {due}
                             ORDER BY priority DESC, created_at, id LIMIT 1{suffix})
                 RETURNING {COLUMNS}"
            );
            let rows = tx.query(&sql, values![stage.as_str(), now, scope, worker, now + lease_ms])?;
            let Some(row) = rows.first() else { return Ok(()) };
            let job = job(row)?;
            let sql = "UPDATE attempts SET ended = ?2, result = 'lost' WHERE job = ?1 AND ended IS NULL";
            tx.execute(sql, values![job.id, now])?;
            let sql = "INSERT INTO attempts (job, attempt, worker, began) VALUES (?1, ?2, ?3, ?4)";
            tx.execute(sql, values![job.id, job.attempt, worker, now])?;
            claimed = Some(Lease { attempt: job.attempt, job });
            Ok(())
        })?;
        Ok(claimed)
    }

    /// Prolongs a lease.
    pub fn heartbeat(&self, lease: &Lease, lease_ms: i64) -> Result<()> {
        let until = self.now()? + lease_ms;
        self.db.with_tx(&mut |tx| {
            let sql = "UPDATE jobs SET lease_until = ?3 WHERE id = ?1 AND state = 'leased' AND attempt = ?2";
            match tx.execute(sql, values![lease.job.id, lease.attempt, until])? {
                0 => Err(lease_lost()),
                _ => Ok(()),
            }
        })
    }

    /// Gives a job back untouched, its try with it.
    pub fn release(&self, lease: &Lease) -> Result<()> {
        let now = self.now()?;
        let how = End { state: JobState::Ready, result: "released", not_before: now, extra_tries: 1, error: None };
        self.db.with_tx(&mut |tx| end(tx, lease, now, &how))
    }

    /// Ends a job that failed: to be tried again `retry_after_ms` from now, or for good.
    pub fn fail(&self, lease: &Lease, failure: &Failure, retry_after_ms: Option<i64>) -> Result<()> {
        self.settle(lease, &Facts::default(), Some((failure, retry_after_ms))).map(drop)
    }

    /// Ends a job with its facts, in one transaction: all of it, or (the lease is gone, the process dies) nothing. A
    /// job may bring facts and a failure: what could be done is kept, the rest is tried again or listed as failed.
    pub fn settle(&self, lease: &Lease, facts: &Facts, failure: Option<(&Failure, Option<i64>)>) -> Result<Settled> {
        let now = self.now()?;
        let mut settled = Settled::default();
        self.db.with_tx(&mut |tx| {
            settled = Settled::default();
            let how = match failure {
                None => End { state: JobState::Done, result: "done", not_before: 0, extra_tries: 0, error: None },
                Some((f, Some(after))) => End {
                    state: JobState::Ready,
                    result: "retry",
                    not_before: now + after,
                    extra_tries: 0,
                    error: Some(f),
                },
                Some((f, None)) => {
                    End { state: JobState::Failed, result: "failed", not_before: 0, extra_tries: 0, error: Some(f) }
                }
            };
            end(tx, lease, now, &how)?;
            let mut moved: HashMap<AssetId, AssetId> = HashMap::new();
            let mut new_bytes: HashSet<Digest> = HashSet::new();
            for (asset, masters) in &facts.assets {
                let Some(main) = masters.first() else { continue };
                // Somebody else's file with the same content may have been first: what else there is joins that one.
                let owner = holder(tx, &main.digest)?.unwrap_or(asset.id);
                if owner == asset.id {
                    insert_asset(tx, now, asset)?;
                } else {
                    moved.insert(asset.id, owner);
                }
                let mut is_kept = false;
                for master in masters {
                    if keep(tx, now, owner, master)? {
                        is_kept = true;
                        new_bytes.insert(master.digest);
                    }
                }
                if owner != asset.id && !is_kept {
                    settled.superseded.push((asset.id, main.key.clone()));
                }
            }
            for master in &facts.joined {
                let owner = moved.get(&master.asset).copied().unwrap_or(master.asset);
                if keep(tx, now, owner, master)? {
                    new_bytes.insert(master.digest);
                }
            }
            for s in &facts.sightings {
                match s.asset.and_then(|a| moved.get(&a)) {
                    Some(owner) => {
                        let is_new = s.digest.is_some_and(|d| new_bytes.contains(&d));
                        let outcome = if is_new { s.outcome } else { Outcome::Duplicate };
                        upsert_sighting(tx, now, &Sighting { outcome, asset: Some(*owner), ..s.clone() })?;
                    }
                    None => upsert_sighting(tx, now, s)?,
                }
            }
            for r in &facts.renditions {
                activate(tx, now, r)?;
                let detail = serde_json::json!({"entry": r.entry, "recipe": r.recipe, "prefix": r.prefix});
                append(tx, now, "rendition.ready", &r.asset.to_string(), &detail)?;
            }
            for (index, asset, digest) in &facts.indexed {
                mark_indexed(tx, index, *asset, digest)?;
            }
            land(tx, now, &facts.arrivals, &moved, &mut settled)?;
            if let Some((f, None)) = failure {
                append(tx, now, "job.failed", &lease.job.id.to_string(), &serde_json::json!(f))?;
            }
            Ok(())
        })?;
        Ok(settled)
    }

    /// How many jobs of a stage are open (ready or leased), and when the next ready one is due.
    pub fn open_jobs(&self, stage: Stage, scope: &str) -> Result<(i64, Option<i64>)> {
        let sql = "SELECT COUNT(*), MIN(CASE WHEN state = 'ready' THEN not_before ELSE lease_until END)
                   FROM jobs WHERE stage = ?1 AND scope = ?2 AND state IN ('ready', 'leased')";
        let rows = self.db.query(sql, values![stage.as_str(), scope])?;
        let row = rows.first().ok_or_else(|| Error::internal("a count without a row"))?;
        Ok((row.int(0)?, row.maybe_int(1)?))
    }

    /// Takes back what was wanted earlier in this scope and is not any more: jobs that are not in `keep` and wait, or
    /// whose worker was lost.
    pub fn withdraw_others(&self, stage: Stage, scope: &str, keep: &[JobId]) -> Result<u64> {
        let keep: std::collections::HashSet<String> = keep.iter().map(ToString::to_string).collect();
        let now = self.now()?;
        let mut count = 0;
        self.db.with_tx(&mut |tx| {
            count = 0;
            let idle = "(state = 'ready' OR (state = 'leased' AND lease_until < ?2))";
            let sql = format!("SELECT id FROM jobs WHERE stage = ?1 AND {idle} AND scope = ?3");
            for row in tx.query(&sql, values![stage.as_str(), now, scope])? {
                let id = row.text(0)?;
                if keep.contains(id) {
                    continue;
                }
                count += tx.execute(&format!("DELETE FROM jobs WHERE id = ?1 AND {idle}"), values![id, now])?;
                let sql = "UPDATE attempts SET ended = ?2, result = 'lost' WHERE job = ?1 AND ended IS NULL";
                tx.execute(sql, values![id, now])?;
            }
            Ok(())
        })?;
        Ok(count)
    }

    /// Takes back what waits in a stage's other scopes while nobody works there: plans that were given up.
    pub fn withdraw_idle_scopes(&self, stage: Stage, except: &str) -> Result<u64> {
        let mut count = 0;
        self.db.with_tx(&mut |tx| {
            let sql = "DELETE FROM jobs WHERE stage = ?1 AND state = 'ready' AND scope <> ?2
                       AND scope NOT IN (SELECT scope FROM jobs WHERE stage = ?1 AND state = 'leased')";
            count = tx.execute(sql, values![stage.as_str(), except])?;
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

    /// Since when work is under way.
    pub fn at_work(&self) -> Result<AtWork> {
        let now = self.now()?;
        let sql =
            "SELECT MIN(CASE WHEN j.state = 'leased' AND j.lease_until >= ?1 AND a.ended IS NULL THEN a.began END),
                          MIN(a.began)
                   FROM jobs j JOIN attempts a ON a.job = j.id WHERE j.state IN ('ready', 'leased')";
        let rows = self.db.query(sql, values![now])?;
        let row = rows.first().ok_or_else(|| Error::internal("a minimum without a row"))?;
        Ok(AtWork { live: row.maybe_int(0)?, open: row.maybe_int(1)? })
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
                           WHERE id = ?1 AND state = 'failed'";
                count += tx.execute(sql, values![id, TRIES, now])?;
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
