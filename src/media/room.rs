//! Whether it was room in the scratch folder that a child process lacked. Few programs say so: a write that is refused ends
//! in a bus error, in a muxer that knows no reason, or in a file that the gate refuses.

use std::path::Path;

use rustix::fs::statvfs;

use crate::{
    error::{DISK_FULL, Error, Kind, Result},
    model::job::Failure,
    spool,
};

/// Free bytes of which nothing can be made: less than what is written at a time.
const NOTHING: u64 = 256 << 10;

/// Whether the file system of a folder has no room left. One that does not tell its size has some.
fn is_full(dir: &Path) -> bool {
    statvfs(dir).is_ok_and(|fs| {
        let no_bytes = fs.f_blocks > 0 && fs.f_bavail.saturating_mul(fs.f_frsize) < NOTHING;
        no_bytes || (fs.f_files > 0 && fs.f_favail == 0)
    })
}

/// The same error, or that there was no room for what a child process wrote into this folder. What failed while the disk
/// was full is judged when it is not: a wait is mended by whoever makes room, a failure stays.
pub(super) fn explained(dir: &Path, e: Error) -> Error {
    let is_short = match e.kind() {
        Kind::Paused => e.hint_text() == Some(DISK_FULL) || is_full(dir),
        Kind::Corrupt | Kind::Internal | Kind::Unavailable => is_full(dir),
        _ => false,
    };
    if !is_short {
        return e;
    }
    let place = spool::place_of(dir);
    Error::paused(format!("the disk of the scratch folder {} is full", place.display())).because(e).hint(
        "free some space there, or have the setting 'scratch' (DAMCTL_SCRATCH) name a folder on a larger disk; \
         then run the same command again",
    )
}

/// The same of a failure that a child process told.
pub(super) fn told(dir: &Path, failure: Failure) -> Failure {
    Failure::from(&explained(dir, Error::from(failure)))
}

/// The same of how a child process ended.
pub(super) fn ended(dir: &Path, outcome: Result<()>) -> Result<()> {
    outcome.map_err(|e| explained(dir, e))
}
