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

    /// Ends [`run`](Self::run).
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
                    // The catalog is away. Others may take the job over once the lease has run out, so stop before.
                    Err(_) if h.alive_at.elapsed() > self.lease * 2 / 3 => h.stop.trip(),
                    Err(_) => {}
                }
            }
        }
    }
}
