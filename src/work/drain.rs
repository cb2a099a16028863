//! The loop that does jobs until there are none, a time is reached, or somebody asks to stop.

use std::{
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use super::{Attempt, Event, Reporter, StageRun, Worker, heartbeat::Heartbeat, retry};
use crate::{
    catalog::{Catalog, Claim, Facts, Lease},
    error::{Error, Kind, Result},
    model::{Job, JobId, Queue, Stage, job::Failure},
    pace::Pace,
    stop::Stop,
};

/// How to drain.
#[derive(Clone, Debug)]
pub struct Drain {
    /// The part of the stage's work to do; see [`Wanted::scope`](crate::catalog::Wanted::scope).
    pub scope: String,
    /// Whether to do what any plan of the stage wants, not this scope's alone.
    pub any_scope: bool,
    /// The queue to serve.
    pub queue: Queue,
    /// Number of jobs at a time.
    pub workers: usize,
    /// When to stop claiming.
    pub until: Until,
    /// When these have ended, what waits for later is not waited for; none: all that it claims from.
    pub mine: Vec<JobId>,
    /// How long to stay while nothing is due and others are at work on what is open. Without a bound: until they are done.
    pub patience: Option<Duration>,
    /// How long a claim holds without a heartbeat.
    pub lease: Duration,
    /// How fast all of them together may read, if there is a bound.
    pub pace: Option<Arc<Pace>>,
}

impl Default for Drain {
    fn default() -> Self {
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        Self {
            scope: String::new(),
            any_scope: false,
            queue: Queue::All,
            workers,
            until: Until::Empty,
            mine: Vec::new(),
            patience: None,
            lease: Duration::from_secs(60),
            pace: None,
        }
    }
}

impl Drain {
    /// What it claims from.
    pub fn claim(&self, stage: Stage) -> Claim<'_> {
        let scope = (!self.any_scope).then_some(self.scope.as_str());
        Claim { stage, scope, queue: self.queue }
    }
}

/// When to stop claiming.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Until {
    /// When no job is open, not even one that waits for its next try or is another worker's.
    Empty,
    /// Never by itself.
    Forever,
    /// At this time of the catalog's clock (ms), or when no job is open.
    Deadline(i64),
}

/// What a drain did.
#[derive(Debug, Default)]
pub struct Summary {
    /// Jobs done.
    pub done: usize,
    /// Jobs that failed for good, with the reason.
    pub failed: Vec<(Job, Failure)>,
    /// Jobs given back because of a stop.
    pub released: usize,
    /// Jobs given back because this worker cannot do them, though another might.
    pub aside: Vec<(JobId, Failure)>,
    /// Why the run paused, when it did, or jobs were given back.
    pub paused: Option<Error>,
}

/// Does the stage's jobs. Returns when `until` says so or `stop` is tripped: then what runs is stopped, given back and
/// keeps its tries.
pub fn drain(
    catalog: &Catalog,
    stage: &dyn StageRun,
    how: &Drain,
    reporter: &dyn Reporter,
    stop: &Stop,
) -> Result<Summary> {
    let worker = Worker::this();
    bury_the_dead(catalog, stage.stage(), reporter)?;
    let heartbeat = Heartbeat::new(catalog, how.lease);
    let summary = Mutex::new(Summary::default());
    // A pause stops the other workers of this drain, but is not the caller's stop.
    let pause = stop.child();
    let shift = Shift {
        catalog,
        stage,
        how,
        reporter,
        heartbeat: &heartbeat,
        summary: &summary,
        stop: &pause,
        worker: worker.to_string(),
    };
    let outcome = std::thread::scope(|scope| {
        let beat = [scope.spawn(|| heartbeat.run()), scope.spawn(|| heartbeat.watch())];
        let workers: Vec<_> = (0..how.workers.max(1)).map(|_| scope.spawn(|| shift.work())).collect();
        let outcomes: Vec<Result<()>> = workers
            .into_iter()
            .map(|w| w.join().unwrap_or_else(|_| Err(Error::internal("a worker panicked"))))
            .collect();
        heartbeat.end();
        beat.into_iter().for_each(|beat| drop(beat.join()));
        outcomes.into_iter().collect::<Result<()>>()
    });
    outcome?;
    // What was done is sealed while it is fresh.
    catalog.seal_events()?;
    let mut summary = summary.into_inner().unwrap_or_else(PoisonError::into_inner);
    if let Some((_, why)) = summary.aside.first() {
        let message = format!("{} job(s) were given back: {}", summary.aside.len(), why.message);
        let why = Error::from(Failure { message, ..why.clone() });
        summary.paused.get_or_insert(why);
    }
    Ok(summary)
}

/// Ends the leases of processes of this host that are gone, so that a run after a kill goes on at once. [`drain`] does it
/// first; a plan that takes back what is not wanted any more does it before that.
pub fn bury_the_dead(catalog: &Catalog, stage: Stage, reporter: &dyn Reporter) -> Result<()> {
    let me = Worker::this();
    let is_here = |name: &str| Worker::parse(name).is_none_or(|w| w.host() == me.host());
    if let Some(name) = catalog.worker_elsewhere(&is_here)? {
        return Err(Error::invalid(format!("{name} is at work on this catalog, on another machine")).hint(
            "a SQLite catalog is for one machine: 'damctl catalog copy' moves it to PostgreSQL, and \
                 'catalog: postgres://…' is for as many as there are",
        ));
    }
    for name in catalog.lease_holders(stage)? {
        if Worker::parse(&name).is_some_and(|w| w.is_dead_to(&me)) {
            let jobs = catalog.bury(&name)?;
            let text = format!("an earlier run ended in the middle of {jobs} job(s): going on with them");
            reporter.report(&Event::Note { text: &text });
        }
    }
    Ok(())
}

/// One worker thread's surroundings.
struct Shift<'a> {
    catalog: &'a Catalog,
    stage: &'a dyn StageRun,
    how: &'a Drain,
    reporter: &'a dyn Reporter,
    heartbeat: &'a Heartbeat<'a>,
    summary: &'a Mutex<Summary>,
    stop: &'a Stop,
    worker: String,
}

impl Shift<'_> {
    fn work(&self) -> Result<()> {
        let lease_ms = self.how.lease.as_millis() as i64;
        let from = self.how.claim(self.stage.stage());
        let mut idle_since = None;
        while !self.stop.is_tripped() {
            if let Until::Deadline(at) = self.how.until
                && self.catalog.now()? >= at
            {
                break;
            }
            match self.catalog.claim_from(&from, &self.worker, lease_ms)? {
                Some(lease) => {
                    idle_since = None;
                    // A failure of the catalog ends this worker; the others see it themselves, or go on.
                    if let Err(e) = self.do_job(&lease) {
                        self.stop.trip();
                        return Err(e);
                    }
                }
                None => {
                    let (open, _) = self.catalog.open_among(&from)?;
                    let is_over = || {
                        let mine = &self.how.mine;
                        // What was given back is left to others.
                        let aside: Vec<JobId> = self.summary().aside.iter().map(|(id, _)| *id).collect();
                        if !aside.is_empty() && open <= self.catalog.not_ended(&aside)? as i64 {
                            return Ok(true);
                        }
                        Ok::<_, Error>(open == 0 || (!mine.is_empty() && self.catalog.not_ended(mine)? == 0))
                    };
                    if self.how.until != Until::Forever && is_over()? {
                        break;
                    }
                    let mut wait = if open == 0 { 500 } else { 50 };
                    if let Some(patience) = self.how.patience {
                        let now = self.catalog.now()?;
                        let idle = now - *idle_since.get_or_insert(now);
                        if idle >= patience.as_millis() as i64 {
                            break;
                        }
                        // Many machines may wait for the last job of a few: they ask less and less often.
                        wait = wait.max((idle / 4).min(2_000) as u64);
                    }
                    std::thread::sleep(Duration::from_millis(wait));
                }
            }
        }
        Ok(())
    }

    fn summary(&self) -> MutexGuard<'_, Summary> {
        self.summary.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn do_job(&self, lease: &Lease) -> Result<()> {
        let stop = self.stop.child();
        self.heartbeat.keep(lease, &stop);
        self.reporter.report(&Event::Started { job: &lease.job });
        let attempt = Attempt {
            job: &lease.job,
            stop: stop.clone(),
            reporter: self.reporter,
            began: self.catalog.now()?,
            pace: self.how.pace.as_deref(),
        };
        // A panic is a defect of ours, and one item's: the batch goes on.
        let outcome = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| self.stage.run(&attempt)))
            .unwrap_or_else(|_| Err(Error::internal("the stage panicked")));
        crate::crash::point("work.before-settle");
        let ended = self.end(lease, outcome);
        self.heartbeat.forget(lease);
        let (result, failure) = match ended {
            Ok(ended) => ended,
            Err(e) if e.kind() == Kind::LeaseLost => ("lost", None),
            Err(e) => return Err(e),
        };
        self.reporter.report(&Event::Ended { job: &lease.job, result, failure: failure.as_ref() });
        let mut summary = self.summary();
        match (result, failure) {
            ("done", _) => summary.done += 1,
            ("released", _) => summary.released += 1,
            ("failed", Some(failure)) => summary.failed.push((lease.job.clone(), failure)),
            _ => {}
        }
        Ok(())
    }

    /// Ends the attempt in the catalog; says how, and why not done.
    fn end(&self, lease: &Lease, outcome: Result<super::Done>) -> Result<(&'static str, Option<Failure>)> {
        let (facts, error) = match outcome {
            Ok(done) => (done.facts, done.failure),
            Err(e) => (Facts::default(), Some(e)),
        };
        if let Some(e) = &error
            && (retry::keeps_try(e.kind()) || e.kind() == Kind::LeaseLost)
        {
            let wait = e.wait().filter(|_| e.kind() == Kind::Paused);
            self.catalog.set_aside(lease, wait.map_or(0, |wait| wait.as_millis() as i64))?;
            if e.kind() == Kind::Paused {
                let mut summary = self.summary();
                let is_known = summary.aside.iter().any(|(id, _)| *id == lease.job.id);
                match wait {
                    // It is this job alone that has to wait.
                    Some(_) if is_known => {}
                    Some(_) => summary.aside.push((lease.job.id, Failure::from(e))),
                    None => {
                        summary.paused.get_or_insert_with(|| Error::from(Failure::from(e)));
                        self.stop.trip();
                    }
                }
            }
            return Ok(("released", Some(Failure::from(e))));
        }
        let failure = error.as_ref().map(Failure::from);
        let after =
            failure.as_ref().and_then(|f| retry::retry_after(&lease.job, lease.attempt, f, self.stage.is_patient()));
        // Whoever refused may have said how long to wait.
        let asked = error.as_ref().and_then(Error::wait).map(|wait| wait.as_millis() as i64);
        let after = after.map(|after| asked.unwrap_or(after));
        let settled = self.catalog.settle(lease, &facts, failure.as_ref().map(|f| (f, after)))?;
        crate::crash::point("work.after-settle");
        self.stage.settled(&settled)?;
        Ok(match (&failure, after) {
            (None, _) if facts.resume_at.is_some() => ("deferred", None),
            (None, _) => ("done", None),
            (Some(_), Some(_)) => ("retry", failure),
            (Some(_), None) => ("failed", failure),
        })
    }
}
