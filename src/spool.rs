//! Scratch space that cleans up after the dead. Each process works in a session folder that it holds locked; whoever
//! opens the spool next removes the sessions whose lock nobody holds.

use std::{
    fs::{self, File},
    io::ErrorKind,
    path::{Path, PathBuf},
};

use rustix::fs::{FlockOperation, flock};

use crate::error::{Doing, Result};

/// This process's scratch folder under a spool. Dropping it removes it and all that is in it.
#[derive(Debug)]
pub struct Spool {
    session: PathBuf,
    swept: Swept,
    _lock: File,
}

/// What became of the sessions of dead processes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Swept {
    /// Removed.
    pub removed: usize,
    /// Still there: somebody writes into them, or they are somebody else's. The next sweep looks again.
    pub left: usize,
}

impl Spool {
    /// Opens a session under `dir`, which is made when missing, and sweeps the sessions of dead processes.
    pub fn open(dir: &Path) -> Result<Self> {
        fs::create_dir_all(dir).doing(|| format!("cannot make the scratch folder {}", dir.display()))?;
        let swept = sweep(dir)?;
        let name = uuid::Uuid::now_v7().to_string();
        // The lock is taken under a name that the sweep passes over, so that no session is ever seen unlocked.
        let (early, lock_path) = (dir.join(format!(".{name}")), dir.join(format!("{name}.lock")));
        let lock = File::create_new(&early).doing(|| format!("cannot make {}", early.display()))?;
        flock(&lock, FlockOperation::NonBlockingLockExclusive).doing(|| "cannot lock a scratch session")?;
        fs::rename(&early, &lock_path).doing(|| format!("cannot make {}", lock_path.display()))?;
        let session = dir.join(name);
        fs::create_dir(&session).doing(|| format!("cannot make {}", session.display()))?;
        Ok(Self { session, swept, _lock: lock })
    }

    /// A new empty folder in this session, removed when dropped.
    pub fn dir(&self, purpose: &str) -> Result<tempfile::TempDir> {
        tempfile::Builder::new()
            .prefix(&format!("{purpose}-"))
            .tempdir_in(&self.session)
            .doing(|| format!("cannot make a folder in {}", self.session.display()))
    }

    /// What was found of dead processes when it was opened.
    pub fn swept(&self) -> Swept {
        self.swept
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
fn sweep(dir: &Path) -> Result<Swept> {
    let mut swept = Swept::default();
    for entry in fs::read_dir(dir).doing(|| format!("cannot list {}", dir.display()))?.flatten() {
        let path = entry.path();
        let (lock, session) = match path.extension() {
            Some(e) if e == "lock" => (path.clone(), path.with_extension("")),
            _ => (path.with_extension("lock"), path.clone()),
        };
        // What else lies in such a folder is not ours to remove.
        if !is_session(&session) {
            continue;
        }
        // Held until it is gone: of two that sweep at once, one does it.
        let _held = match File::open(&lock) {
            Ok(file) if flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok() => Some(file),
            Err(e) if e.kind() == ErrorKind::NotFound && session.is_dir() => None,
            _ => continue,
        };
        match fs::remove_dir_all(&session) {
            Ok(()) => swept.removed += 1,
            // It was killed before it had made its folder, or after it had removed it.
            Err(e) if e.kind() == ErrorKind::NotFound => {}
            Err(_) => {
                swept.left += usize::from(path == session);
                continue;
            }
        }
        fs::remove_file(&lock).ok();
    }
    Ok(swept)
}

/// Whether it is called as [`Spool::open`] calls sessions.
fn is_session(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| uuid::Uuid::try_parse(name).is_ok())
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

        let next = Spool::open(dir.path()).unwrap();
        assert_eq!(next.swept(), Swept { removed: 1, left: 0 });
        assert!(!dead_path.exists());
        assert!(live.path().exists());
    }

    #[test]
    fn a_sweep_leaves_what_is_no_session_and_looks_again_at_what_it_could_not_remove() {
        let dir = tempfile::tempdir().unwrap();
        let kept = dir.path().join("quarantine");
        fs::create_dir(&kept).unwrap();
        // A file in the place of a folder cannot be removed as one, whoever asks.
        let stuck = dir.path().join(uuid::Uuid::now_v7().to_string());
        fs::write(&stuck, "x").unwrap();
        fs::write(stuck.with_extension("lock"), "").unwrap();
        for _ in 0..2 {
            assert_eq!(Spool::open(dir.path()).unwrap().swept(), Swept { removed: 0, left: 1 });
        }
        fs::remove_file(&stuck).unwrap();
        fs::create_dir(&stuck).unwrap();
        assert_eq!(Spool::open(dir.path()).unwrap().swept(), Swept { removed: 1, left: 0 });
        assert!(kept.is_dir() && !stuck.with_extension("lock").exists());
    }
}
