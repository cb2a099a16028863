//! The cold part of a store in a directory: a second folder, mostly of another disk, that holds masters which have left
//! the first. The two know each other by one mark, so that a disk that is not plugged in is no empty archive.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, OnceLock},
};

use super::FsStore;
use crate::error::{Doing, Error, Kind, Result};

/// The mark's file, in both folders.
const MARK: &str = ".archive";

/// The folder, as it is named.
#[derive(Clone)]
pub(super) struct Cold {
    pub(super) root: PathBuf,
    opened: Arc<OnceLock<FsStore>>,
}

impl Cold {
    pub(super) fn new(root: PathBuf) -> Self {
        Self { root, opened: Arc::default() }
    }

    /// The folder as a store, for reading: it has to be the one that masters went to.
    pub(super) fn store(&self, hot: &Path) -> Result<FsStore> {
        let (ours, theirs) = (mark(hot)?, mark(&self.root)?);
        if !self.root.is_dir() || ours.is_none() || ours != theirs {
            let message = format!("the archive folder {} is not there", self.root.display());
            return Err(Error::new(Kind::Paused, message)
                .hint("plug its disk in, or mount it; the setting 'archive_folder' names it"));
        }
        if let Some(opened) = self.opened.get() {
            return Ok(opened.clone());
        }
        self.must_be_apart(hot)?;
        let opened = FsStore::open(&self.root)?;
        Ok(self.opened.get_or_init(|| opened).clone())
    }

    /// The same for writing: the first time, it becomes the one.
    pub(super) fn claim(&self, hot: &Path) -> Result<FsStore> {
        if !self.root.is_dir() {
            let message = format!("the archive folder {} is not there", self.root.display());
            return Err(Error::new(Kind::Paused, message)
                .hint("plug its disk in, or make the folder once; the setting 'archive_folder' names it"));
        }
        self.must_be_apart(hot)?;
        if mark(hot)?.is_none() {
            let text = match mark(&self.root)? {
                Some(theirs) => theirs,
                None => {
                    let text = format!("{}\n", uuid::Uuid::now_v7());
                    write(&self.root.join(MARK), &text)?;
                    text
                }
            };
            write(&hot.join(MARK), &text)?;
        }
        self.store(hot)
    }

    /// A copy beside itself would be none: taking the one away takes the other.
    fn must_be_apart(&self, hot: &Path) -> Result<()> {
        let real = |path: &Path| fs::canonicalize(path).doing(|| format!("cannot find {}", path.display()));
        let (hot, cold) = (real(hot)?, real(&self.root)?);
        match hot.starts_with(&cold) || cold.starts_with(&hot) {
            true => Err(Error::invalid(format!("the archive folder {} and the store are one", cold.display()))
                .hint("the setting 'archive_folder' names one that lies beside the store")),
            false => Ok(()),
        }
    }

    /// Whether anything was ever put there.
    pub(super) fn is_in_use(&self, hot: &Path) -> Result<bool> {
        Ok(mark(hot)?.is_some())
    }
}

fn mark(folder: &Path) -> Result<Option<String>> {
    let path = folder.join(MARK);
    match fs::read_to_string(&path) {
        Ok(text) => Ok(Some(text)),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
        Err(e) => Err(crate::error::io(format!("cannot read {}", path.display()), e)),
    }
}

fn write(path: &Path, text: &str) -> Result<()> {
    use std::io::Write as _;
    let doing = || format!("cannot write {}", path.display());
    // Named only when it is whole, and never over another.
    let folder = path.parent().unwrap_or(Path::new("."));
    let mut staged = tempfile::NamedTempFile::new_in(folder).doing(doing)?;
    staged.write_all(text.as_bytes()).and_then(|()| staged.as_file().sync_all()).doing(doing)?;
    staged.persist_noclobber(path).map_err(|e| e.error).doing(doing)?;
    fs::File::open(folder).and_then(|dir| dir.sync_all()).doing(doing)
}
