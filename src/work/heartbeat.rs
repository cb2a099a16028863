//! Keeps leases alive while their jobs run, and stops the attempts that have lost theirs.

use std::{
    collections::HashMap,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use crate::{
    catalog::{Catalog, Lease},
    model::JobId,
    stop::Stop,
};

/// The leases that this process holds.
pub(super) struct Heartbeat<'a> {
    catalog: &'a Catalog,
    lease: Duration,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    held: HashMap<JobId, Held>,
    ended: bool,
}

#[derive(Clone)]
struct Held {
    lease: Lease,
    stop: Stop,
    alive_at: Instant,
}

impl<'a> Heartbeat<'a> {
    pub(super) fn new(catalog: &'a Catalog, lease: Duration) -> Self {
        Self { catalog, lease, state: Mutex::default(), wake: Condvar::new() }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Keeps this lease alive from now on; `stop` is tripped when that cannot be done.
    pub(super) fn keep(&self, lease: &Lease, stop: &Stop) {
        let held = Held { lease: lease.clone(), stop: stop.clone(), alive_at: Instant::now() };
        self.state().held.insert(lease.job.id, held);
    }

    /// Lets it go.
    pub(super) fn forget(&self, lease: &Lease) {
        self.state().held.remove(&lease.job.id);
    }

    /// Ends [`run`](Self::run) and [`watch`](Self::watch).
    pub(super) fn end(&self) {
        self.state().ended = true;
        self.wake.notify_all();
    }

    /// Beats three times a lease until ended.
    pub(super) fn run(&self) {
        let mut state = self.state();
        while !state.ended {
            state = self.wake.wait_timeout(state, self.lease / 3).unwrap_or_else(PoisonError::into_inner).0;
            let held: Vec<Held> = state.held.values().cloned().collect();
            // The catalog may take its time: nobody waits for this lock meanwhile.
            drop(state);
            let leases: Vec<&Lease> = held.iter().map(|h| &h.lease).collect();
            let asked = Instant::now();
            let beat = self.catalog.heartbeat(&leases, self.lease.as_millis() as i64);
            state = self.state();
            for h in &held {
                match &beat {
                    Ok(lost) if lost.contains(&h.lease.job.id) => {
                        // A job that ended between the copy and the beat is no longer held, and its loss no loss.
                        if state.held.contains_key(&h.lease.job.id) {
                            h.stop.trip();
                        }
                    }
                    Ok(_) => {
                        if let Some(mine) = state.held.get_mut(&h.lease.job.id) {
                            mine.alive_at = asked;
                        }
                    }
                    Err(_) => {}
                }
            }
        }
    }

    /// Stops attempts whose lease was not kept alive: the catalog is away, or does not answer. Others may take the job over
    /// once the lease has run out, so it is before.
    pub(super) fn watch(&self) {
        let mut state = self.state();
        while !state.ended {
            state = self.wake.wait_timeout(state, self.lease / 12).unwrap_or_else(PoisonError::into_inner).0;
            state.held.values().filter(|h| h.alive_at.elapsed() > self.lease * 2 / 3).for_each(|h| h.stop.trip());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        sync::{
            Arc,
            atomic::{AtomicBool, Ordering},
        },
    };

    use super::*;
    use crate::{
        catalog::{
            SqliteDb, SystemClock, Wanted,
            db::{Db, Row, Tx, Value},
        },
        error::Result,
        model::Stage,
    };

    /// One that takes questions and does not answer for as long as it hangs.
    struct Hanging(SqliteDb, Arc<AtomicBool>);

    impl Hanging {
        fn db(&self) -> &SqliteDb {
            while self.1.load(Ordering::Relaxed) {
                std::thread::sleep(Duration::from_millis(5));
            }
            &self.0
        }
    }

    impl Db for Hanging {
        fn with_tx(&self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()> {
            self.db().with_tx(work)
        }

        fn change(&self, sql: &str, then: &[&str], values: &[Value]) -> Result<Vec<Row>> {
            self.db().change(sql, then, values)
        }

        fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
            self.db().query(sql, values)
        }

        fn now(&self) -> Result<i64> {
            self.db().now()
        }

        fn save(&self, to: &Path) -> Result<Option<Box<dyn Db>>> {
            self.db().save(to)
        }

        fn look_again(&self, table: &'static str) -> Result<()> {
            self.db().look_again(table)
        }

        fn is_of_one_machine(&self) -> bool {
            true
        }

        fn claim_suffix(&self) -> &'static str {
            self.0.claim_suffix()
        }

        fn json_of(&self) -> &'static str {
            self.0.json_of()
        }
    }

    #[test]
    fn an_attempt_stops_before_its_lease_runs_out_when_the_catalog_does_not_answer() {
        let (dir, hangs) = (tempfile::tempdir().unwrap(), Arc::new(AtomicBool::new(false)));
        let db = SqliteDb::open(&dir.path().join("catalog"), Arc::new(SystemClock)).unwrap();
        let catalog = Catalog::new(Arc::new(Hanging(db, hangs.clone())));
        let wanted = Wanted {
            stage: Stage::Index,
            scope: String::new(),
            subject: "one".to_owned(),
            recipe: "r".to_owned(),
            task: serde_json::Value::Null,
            priority: 0,
        };
        catalog.enqueue(&[wanted]).unwrap();
        let length = Duration::from_millis(900);
        let lease = catalog.claim(Stage::Index, "", "w", 900).unwrap().unwrap();
        let (heartbeat, stop) = (Heartbeat::new(&catalog, length), Stop::new());
        heartbeat.keep(&lease, &stop);
        std::thread::scope(|scope| {
            scope.spawn(|| heartbeat.run());
            scope.spawn(|| heartbeat.watch());
            std::thread::sleep(length * 2);
            assert!(!stop.is_tripped(), "it was kept alive for twice as long");
            hangs.store(true, Ordering::Relaxed);
            let hung = Instant::now();
            while !stop.is_tripped() && hung.elapsed() < length * 3 {
                std::thread::sleep(Duration::from_millis(5));
            }
            let after = hung.elapsed();
            hangs.store(false, Ordering::Relaxed);
            heartbeat.end();
            assert!(after < length, "{after:?}");
        });
    }
}
