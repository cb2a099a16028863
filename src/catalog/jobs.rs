//! Jobs: wanted once, claimed by lease, ended in the transaction that writes their facts.
//!
//! The `attempt` number is the fence. Every statement of a worker says which attempt it speaks for; when another
//! worker has taken the job over, that number has grown, no row matches, and the late worker hears `LeaseLost`.

use std::collections::{BTreeSet, HashMap, HashSet};

use serde::Serialize;

use super::{
    Catalog,
    arrivals::{Landed, land},
    assets::{holder, insert_asset, insert_master, to_json, upsert_sighting},
    claim::Lease,
    db::{Row, Tx, values},
    events::{News, append},
    generations::switch_ready,
    knowledge::learn,
    learned::{keep_looks, keep_meaning},
    publications::{Step, step},
    renditions::{activate, are_there, keep_segment, mark_indexed, unmark_indexed},
    uploads::complete,
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    model::{
        Asset, AssetId, Findings, Job, JobId, JobState, Key, LooksOf, Master, MeaningOf, Outcome, Queue, Rendition,
        Sighting, Stage, job::Failure,
    },
};

/// Tries of a job before it counts as failed.
pub const TRIES: i64 = 5;

/// Jobs that make another table of what there was.
const MANY: usize = 1000;

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
    /// Assets that an index has no more.
    pub unindexed: Vec<(String, AssetId)>,
    /// What was found in masters of assets.
    pub findings: Vec<(AssetId, Findings)>,
    /// What masters of assets look like.
    pub looks: Vec<(AssetId, LooksOf)>,
    /// What masters of assets mean.
    pub meanings: Vec<(AssetId, MeaningOf)>,
    /// How arrivals ended.
    pub arrivals: Vec<Landed>,
    /// Segments of renditions, which no rendition is made active by.
    pub segments: Vec<Rendition>,
    /// What is to be done once others have done their share.
    pub then: Vec<Then>,
    /// How publications have come on.
    pub publications: Vec<Step>,
    /// The job is not at its end, through nobody's fault: it is gone on with at this time (ms).
    pub resume_at: Option<i64>,
}

/// Work that several jobs lead to: whichever of them ends last has it enqueued, in its own plan, and behind what waits in
/// the same queue.
#[derive(Clone, Debug)]
pub struct Then {
    /// The renditions that must be there, as (master, entry, recipe).
    pub once: Vec<(Digest, String, Digest)>,
    /// The work.
    pub wanted: Wanted,
}

/// What settling found out.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settled {
    /// Assets whose bytes were in the archive by then: their paths are sightings of the asset that was first, and what
    /// was put into the store for them is to be removed. So is what came of an arrival that failed.
    pub superseded: Vec<(AssetId, Key)>,
}

pub(super) const COLUMNS: &str =
    "id, stage, subject, task, state, attempt, max_attempt, not_before, lease_until, worker, error";

pub(super) fn job(row: &Row) -> Result<Job> {
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

/// How an attempt ends.
struct End<'a> {
    state: JobState,
    result: &'a str,
    not_before: i64,
    extra_tries: i64,
    error: Option<&'a Failure>,
}

/// Ends an attempt: moves the job if it is still this attempt's, and closes the attempt's record. False, when it has ended
/// so before: the answer of the catalog was lost, and the transaction comes again.
fn end(tx: &mut dyn Tx, lease: &Lease, now: i64, how: &End<'_>) -> Result<bool> {
    let error = how.error.map(to_json).transpose()?;
    // What is to be tried again goes behind what has not been tried yet; what somebody waits for stays in its queue.
    let sql = "UPDATE jobs SET state = ?3, not_before = ?4, max_attempt = max_attempt + ?5, error = ?6, lease_until = NULL, updated_at = ?7,
                   priority = CASE WHEN ?3 = 'ready' AND CAST(?6 AS TEXT) IS NOT NULL AND priority BETWEEN 0 AND ?8 THEN -1 ELSE priority END
               WHERE id = ?1 AND state = 'leased' AND attempt = ?2";
    let id = lease.job.id;
    let changed = tx.execute(
        sql,
        values![
            id,
            lease.attempt,
            how.state.as_str(),
            how.not_before,
            how.extra_tries,
            error.as_deref(),
            now,
            Queue::INTERACTIVE - 1
        ],
    )?;
    if changed == 0 {
        let sql = "SELECT 1 FROM attempts WHERE job = ?1 AND attempt = ?2 AND ended IS NOT NULL AND result = ?3";
        return match tx.query(sql, values![id, lease.attempt, how.result])?.is_empty() {
            true => Err(lease_lost()),
            false => Ok(false),
        };
    }
    let sql = "UPDATE attempts SET ended = ?3, result = ?4, error = ?5 WHERE job = ?1 AND attempt = ?2";
    tx.execute(sql, values![id, lease.attempt, now, how.result, error])?;
    Ok(true)
}

/// Holds on to a lease until the transaction ends: nobody takes the job over meanwhile.
pub(super) fn fence(tx: &mut dyn Tx, lease: &Lease) -> Result<()> {
    let sql = "UPDATE jobs SET attempt = attempt WHERE id = ?1 AND state = 'leased' AND attempt = ?2";
    match tx.execute(sql, values![lease.job.id, lease.attempt])? {
        0 => Err(lease_lost()),
        _ => Ok(()),
    }
}

/// Enqueues what follows a job, in its plan. What is there already, or was done and is wanted again, is opened as a plan
/// would.
fn follow(tx: &mut dyn Tx, now: i64, lease: &Lease, wanted: &Wanted, news: &mut News) -> Result<()> {
    let sql = "INSERT INTO jobs (id, stage, scope, subject, recipe, task, state, priority, attempt, max_attempt,
                   not_before, created_at, updated_at)
               SELECT ?1, ?2, j.scope, ?3, ?4, ?5, 'ready', CASE WHEN j.priority >= ?8 THEN j.priority ELSE 0 END,
                   n.tried, n.tried + ?6, 0, ?7, ?7
               FROM jobs j CROSS JOIN (SELECT COALESCE(MAX(attempt), 0) AS tried FROM attempts WHERE job = ?1) n
               WHERE j.id = ?9
               ON CONFLICT (id) DO UPDATE SET state = 'ready', task = excluded.task, scope = excluded.scope,
                   not_before = 0, priority = excluded.priority, max_attempt = jobs.attempt + ?6, error = NULL,
                   updated_at = ?7
               WHERE jobs.state = 'done'";
    let (id, task) = (wanted.id(), wanted.task.to_string());
    let (subject, recipe) = (wanted.subject.as_str(), wanted.recipe.as_str());
    let of = values![id, wanted.stage.as_str(), subject, recipe, task, TRIES, now, Queue::INTERACTIVE, lease.job.id];
    if tx.execute(sql, of)? > 0 {
        news.add("job.ready", id, serde_json::json!({"stage": wanted.stage, "subject": wanted.subject}));
    }
    Ok(())
}

/// What subscribers hear of a job.
fn story(job: &Job, attempt: i64, more: serde_json::Value) -> serde_json::Value {
    let mut told = serde_json::json!({"stage": job.stage, "subject": job.subject, "attempt": attempt});
    if let (Some(told), serde_json::Value::Object(more)) = (told.as_object_mut(), more) {
        told.extend(more);
    }
    told
}

/// Keeps a master of an asset, and ends its upload; says whether its bytes are new.
fn keep(tx: &mut dyn Tx, now: i64, asset: AssetId, master: &Master, news: &mut News) -> Result<bool> {
    let is_new = insert_master(tx, now, asset, master)?;
    complete(tx, &master.key, &master.digest)?;
    if is_new {
        let detail = serde_json::json!({"digest": master.digest, "bytes": master.bytes, "key": master.key});
        news.add("asset.stored", asset, detail);
    }
    Ok(is_new)
}

impl Catalog {
    /// Wants work done. What is wanted already is one row still; what was done but is wanted again (its result is
    /// gone) is opened again; what failed for good stays so.
    pub fn enqueue(&self, wanted: &[Wanted]) -> Result<Enqueued> {
        self.enqueue_planned(wanted, i64::MAX)
    }

    /// The same for a plan that began then (ms): what others have done since, it could not know of, and it stays done.
    pub fn enqueue_planned(&self, wanted: &[Wanted], planned_at: i64) -> Result<Enqueued> {
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
                               WHERE jobs.state = 'done' AND jobs.updated_at < ?10";
                    let id = w.id();
                    let task = w.task.to_string();
                    let opened = tx.execute(
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
                            w.scope.as_str(),
                            planned_at
                        ],
                    )?;
                    if opened > 0 {
                        let told = serde_json::json!({"stage": w.stage, "subject": w.subject});
                        append(tx, now, "job.ready", &id.to_string(), &told)?;
                    }
                    // Whoever wants it last does it, unless somebody is at it.
                    let sql = "UPDATE jobs SET scope = ?2, updated_at = ?3 WHERE id = ?1 AND state = 'ready'";
                    tx.execute(sql, values![id, w.scope.as_str(), now])?;
                    if w.priority >= Queue::INTERACTIVE {
                        // Somebody waits for what was in the backlog.
                        let sql = "UPDATE jobs SET priority = ?2 WHERE id = ?1 AND state = 'ready' AND priority BETWEEN ?3 AND ?2";
                        tx.execute(sql, values![id, w.priority, Queue::LARGE + 1])?;
                    }
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
        if wanted.len() >= MANY {
            // Before that, a server that knows nothing of them sorts all that wait for each claim.
            self.db.look_again("jobs")?;
        }
        Ok(out)
    }

    /// Prolongs leases; says which are lost.
    pub fn heartbeat(&self, leases: &[&Lease], lease_ms: i64) -> Result<Vec<JobId>> {
        let now = self.now()?;
        let until = now + lease_ms;
        let mut lost = Vec::new();
        // One at a time, so that no two hosts hold what the other waits for.
        for lease in leases {
            self.db.with_tx(&mut |tx| {
                let sql = "UPDATE jobs SET lease_until = ?3, updated_at = ?4 WHERE id = ?1 AND state = 'leased' AND attempt = ?2";
                if tx.execute(sql, values![lease.job.id, lease.attempt, until, now])? == 0 {
                    lost.push(lease.job.id);
                }
                Ok(())
            })?;
        }
        Ok(lost)
    }

    /// Gives a job back untouched, its try with it.
    pub fn release(&self, lease: &Lease) -> Result<()> {
        self.set_aside(lease, 0)
    }

    /// The same, and it is due again only after `wait_ms`: others come first.
    pub fn set_aside(&self, lease: &Lease, wait_ms: i64) -> Result<()> {
        let now = self.now()?;
        let not_before = now + wait_ms;
        let how = End { state: JobState::Ready, result: "released", not_before, extra_tries: 1, error: None };
        self.db.with_tx(&mut |tx| {
            if !end(tx, lease, now, &how)? {
                return Ok(());
            }
            let told = story(&lease.job, lease.attempt, serde_json::Value::Null);
            append(tx, now, "job.released", &lease.job.id.to_string(), &told)
        })
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
            let mut news = News::default();
            let how = match failure {
                None if facts.resume_at.is_some() => End {
                    state: JobState::Ready,
                    result: "deferred",
                    not_before: facts.resume_at.unwrap_or(now),
                    extra_tries: 1,
                    error: None,
                },
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
            if !end(tx, lease, now, &how)? {
                return Ok(());
            }
            if !facts.assets.is_empty() || !facts.joined.is_empty() {
                // Two that bring the same bytes: the second finds what the first has kept.
                tx.lock("masters")?;
            }
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
                    if keep(tx, now, owner, master, &mut news)? {
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
                if keep(tx, now, owner, master, &mut news)? {
                    new_bytes.insert(master.digest);
                }
            }
            for s in &facts.sightings {
                match s.asset.and_then(|a| moved.get(&a)) {
                    Some(owner) => {
                        let is_new = s.digest.is_some_and(|d| new_bytes.contains(&d));
                        let outcome = if is_new { s.outcome } else { Outcome::Duplicate };
                        upsert_sighting(tx, now, &Sighting { outcome, asset: Some(*owner), ..s.clone() })?;
                        news.add("asset.seen", owner, serde_json::json!({"drive": s.drive, "path": s.path}));
                    }
                    None => {
                        upsert_sighting(tx, now, s)?;
                        if let (Some(asset), Outcome::Duplicate) = (s.asset, s.outcome) {
                            news.add("asset.seen", asset, serde_json::json!({"drive": s.drive, "path": s.path}));
                        }
                    }
                }
            }
            for r in &facts.renditions {
                activate(tx, now, r)?;
                let detail = serde_json::json!({"entry": r.entry, "recipe": r.recipe, "prefix": r.prefix});
                news.add("rendition.ready", r.asset, detail);
            }
            for asset in facts.renditions.iter().map(|r| r.asset).collect::<BTreeSet<_>>() {
                switch_ready(tx, now, asset, &mut news)?;
            }
            if !facts.then.is_empty() {
                // Of the last two, the second sees what the first has written.
                let masters: BTreeSet<Digest> = facts.then.iter().flat_map(|t| &t.once).map(|(m, ..)| *m).collect();
                masters.iter().try_for_each(|master| tx.lock(&format!("segments {master}")))?;
            }
            for segment in &facts.segments {
                keep_segment(tx, now, segment)?;
                let detail =
                    serde_json::json!({"entry": segment.entry, "recipe": segment.recipe, "prefix": segment.prefix});
                news.add("segment.ready", segment.asset, detail);
            }
            for then in &facts.then {
                if are_there(tx, &then.once)? {
                    follow(tx, now, lease, &then.wanted, &mut news)?;
                }
            }
            for (index, asset, digest) in &facts.indexed {
                mark_indexed(tx, index, *asset, digest)?;
            }
            for (index, asset) in &facts.unindexed {
                unmark_indexed(tx, index, *asset)?;
            }
            for (asset, found) in &facts.findings {
                learn(tx, now, found)?;
                let detail = serde_json::json!({"kind": found.kind, "track": found.track, "recipe": found.recipe,
                    "items": found.items.len(), "source": found.source});
                news.add("findings.ready", asset, detail);
            }
            for (asset, of) in &facts.looks {
                keep_looks(tx, now, of)?;
                let detail = serde_json::json!({"recipe": of.recipe, "shots": of.looks.shots});
                news.add("looks.ready", asset, detail);
            }
            for (asset, of) in &facts.meanings {
                keep_meaning(tx, now, of)?;
                let detail = serde_json::json!({"recipe": of.recipe, "passages": of.vectors.len()});
                news.add("meaning.ready", asset, detail);
            }
            land(tx, now, &facts.arrivals, &moved, &mut settled, &mut news)?;
            facts.publications.iter().try_for_each(|p| step(tx, now, p, &mut news))?;
            let (kind, why) = match failure {
                None if facts.resume_at.is_some() => ("job.deferred", serde_json::json!({"until": facts.resume_at})),
                None => ("job.done", serde_json::Value::Null),
                Some((f, Some(_))) => ("job.retried", serde_json::json!(f)),
                Some((f, None)) => ("job.failed", serde_json::json!(f)),
            };
            news.add(kind, lease.job.id, story(&lease.job, lease.attempt, why));
            news.append(tx, now)
        })?;
        Ok(settled)
    }
}
