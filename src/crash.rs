//! Named points at which the crash suite ends the process, as a power cut or `kill -9` would. In a build without the
//! feature `crash-points` they are nothing.

/// Ends the process here when `DAMCTL_CRASH_AT` names this point; with `name:N`, at the N-th passing.
#[cfg(feature = "crash-points")]
pub(crate) fn point(name: &str) {
    use std::sync::{Mutex, PoisonError};
    static PASSED: Mutex<u32> = Mutex::new(0);
    let Ok(wanted) = std::env::var("DAMCTL_CRASH_AT") else { return };
    let (at, nth) = wanted.split_once(':').map_or((wanted.as_str(), 1), |(at, n)| (at, n.parse().unwrap_or(1)));
    if at == name {
        let mut passed = PASSED.lock().unwrap_or_else(PoisonError::into_inner);
        *passed += 1;
        if *passed == nth {
            rustix::process::kill_process(rustix::process::getpid(), rustix::process::Signal::KILL).ok();
        }
    }
}

/// Nothing.
#[cfg(not(feature = "crash-points"))]
#[inline(always)]
pub(crate) fn point(_: &str) {}
