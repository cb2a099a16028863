//! A bound on bytes a second, shared by all who read.

use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

use crate::{error::Result, stop::Stop};

/// How far ahead of the rate a reader may be: it sleeps off what it owes above this.
const AHEAD: Duration = Duration::from_millis(50);
/// The longest sleep without a look at whether to stop.
const NAP: Duration = Duration::from_millis(100);

/// Holds readers back to so many bytes a second, all of them together.
#[derive(Debug)]
pub struct Pace {
    bytes_a_second: u64,
    /// When what has been spent so far would have been spent at this rate.
    paid_until: Mutex<Instant>,
}

impl Pace {
    /// At most so many bytes a second.
    pub fn new(bytes_a_second: u64) -> Self {
        Self { bytes_a_second: bytes_a_second.max(1), paid_until: Mutex::new(Instant::now()) }
    }

    /// Counts bytes, and waits as long as they were too fast.
    pub fn spend(&self, bytes: u64, stop: &Stop) -> Result<()> {
        let cost = Duration::from_secs_f64(bytes as f64 / self.bytes_a_second as f64);
        let until = {
            let mut paid = self.paid_until.lock().unwrap_or_else(PoisonError::into_inner);
            // Time in which nobody read is not saved up.
            *paid = (*paid).max(Instant::now()) + cost;
            *paid
        };
        loop {
            let owed = until.saturating_duration_since(Instant::now());
            if owed <= AHEAD {
                return Ok(());
            }
            stop.check()?;
            std::thread::sleep(owed.min(NAP));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn readers_together_keep_to_the_rate() {
        let pace = Pace::new(10 << 20);
        let began = Instant::now();
        std::thread::scope(|scope| {
            for _ in 0..2 {
                scope.spawn(|| (0..2).for_each(|_| pace.spend(1 << 20, &Stop::new()).unwrap()));
            }
        });
        let took = began.elapsed();
        assert!(took >= Duration::from_millis(320), "4 MiB at 10 MiB a second took {took:?}");
    }

    #[test]
    fn a_stop_is_heard_while_waiting() {
        let (pace, stop) = (Pace::new(1), Stop::new());
        stop.trip();
        assert!(pace.spend(1 << 20, &stop).is_err());
    }
}
