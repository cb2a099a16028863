//! Scratch space that cleans up after the dead. Each process works in a session folder that it holds locked; whoever
//! opens the spool next removes the sessions whose lock nobody holds.

use std::{
    fs::{self, File},
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::error::{Doing, Result};

/// This process's scratch folder under a spool. Dropping it removes it and all that is in it.
#[derive(Debug)]
pub struct Spool {
    session: PathBuf,
    _lock: File,
}

impl Spool {
    /// Opens a session under `dir`, which is made when missing, and sweeps the sessions of dead processes.
    pub fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).doing(|| format!("cannot make the scratch folder {}", dir.display()))?;
        sweep(dir)?;
        let name = uuid::Uuid::now_v7().to_string();
        // The lock is taken under a name that the sweep passes over, so that no session is ever seen unlocked.
        let (early, lock_path) = (dir.join(format!(".{name}")), dir.join(format!("{name}.lock")));
        let lock = File::create_new(&early).doing(|| format!("cannot make {}", early.display()))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).doing(|| "cannot lock a scratch session")?;
        fs::rename(&early, &lock_path).doing(|| format!("cannot make {}", lock_path.display()))?;
        let session = dir.join(name);
        fs::create_dir(&session).doing(|| format!("cannot make {}", session.display()))?;
        Ok(Self { session, _lock: lock })
    }

    /// A new empty folder in this session, removed when dropped.
    pub fn dir(&self, purpose: &str) -> Result<tempfile::TempDir> {
        tempfile::Builder::new()
            .prefix(&format!("{purpose}-"))
            .tempdir_in(&self.session)
            .doing(|| format!("cannot make a folder in {}", self.session.display()))
    }

    /// The session folder.
    pub fn path(&self) -> &Path {
        &self.session
    }
}

impl Drop for Spool {
    fn drop(&mut self) {
        fs::remove_dir_all(&self.session).ok();
        fs::remove_file(self.session.with_extension("lock")).ok();
    }
}

/// The scratch folder that a session's folder is in, as it was opened; what is in no session is its own.
pub(crate) fn place_of(dir: &Path) -> &Path {
    let is_session = |dir: &&Path| dir.with_extension("lock").is_file();
    dir.ancestors().find(is_session).and_then(Path::parent).unwrap_or(dir)
}

/// Removes sessions whose process is gone: their lock can be taken.
fn sweep(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).doing(|| format!("cannot list {}", dir.display()))?.flatten() {
        let path = entry.path();
        if entry.file_name().as_encoded_bytes().starts_with(b".") {
            continue;
        }
        let (lock, session) = match path.extension() {
            Some(e) if e == "lock" => (path.clone(), path.with_extension("")),
            _ => (path.with_extension("lock"), path.clone()),
        };
        let dead = match File::open(&lock) {
            Ok(file) => flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok(),
            Err(e) => e.kind() == std::io::ErrorKind::NotFound && session.is_dir(),
        };
        if dead {
            fs::remove_dir_all(&session).ok();
            fs::remove_file(&lock).ok();
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_dead_session_is_swept_and_a_live_one_is_left() {
        let dir = tempfile::tempdir().unwrap();
        let live = Spool::open(dir.path()).unwrap();
        let dead = Spool::open(dir.path()).unwrap();
        let dead_path = dead.path().to_owned();
        fs::write(dead_path.join("half-written"), "x").unwrap();
        // Forgetting would keep the lock; closing it while keeping the folder is what a kill leaves behind.
        let keep = dead_path.with_extension("kept");
        fs::rename(&dead_path, &keep).unwrap();
        drop(dead);
        fs::rename(&keep, &dead_path).unwrap();

        let _next = Spool::open(dir.path()).unwrap();
        assert!(!dead_path.exists());
        assert!(live.path().exists());
    }
}
