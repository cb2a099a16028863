//! The folder of a shard. What tantivy replaces as a whole it would write for one user alone, and it would let nobody read who
//! may not write: here both go by the umask, like all other files, so that a server of the same group can answer.

use std::{
    fmt,
    fs::{File, OpenOptions, Permissions, TryLockError},
    io::{self, ErrorKind, Write},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::Arc,
};

use tantivy::{
    Index, IndexSettings,
    directory::{
        Directory, DirectoryLock, FileHandle, Lock, MmapDirectory, WatchCallback, WatchHandle, WritePtr,
        error::{DeleteError, LockError, OpenReadError, OpenWriteError},
    },
    schema::Schema,
};

/// Opens the index that lies in a folder.
pub(super) fn open(path: &Path) -> tantivy::Result<Index> {
    Index::open(Shard::open(path)?)
}

/// Makes an index in a folder that has none.
pub(super) fn create(path: &Path, schema: Schema, settings: IndexSettings) -> tantivy::Result<Index> {
    Index::create(Shard::open(path)?, schema, settings)
}

/// Writes a file as a whole, in the place of what was there.
pub(super) fn replace(path: &Path, bytes: &[u8]) -> io::Result<()> {
    let folder = path.parent().ok_or(ErrorKind::InvalidInput)?;
    // The umask takes from it what it takes from every file.
    let mut file = tempfile::Builder::new().permissions(Permissions::from_mode(0o666)).tempfile_in(folder)?;
    file.write_all(bytes)?;
    file.as_file().sync_all()?;
    file.persist(path).map(drop).map_err(|e| e.error)
}

#[derive(Clone)]
struct Shard {
    folder: PathBuf,
    files: MmapDirectory,
}

impl Shard {
    fn open(path: &Path) -> tantivy::Result<Self> {
        Ok(Self { folder: path.to_owned(), files: MmapDirectory::open(path)? })
    }
}

impl fmt::Debug for Shard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.files.fmt(f)
    }
}

impl Directory for Shard {
    fn get_file_handle(&self, path: &Path) -> Result<Arc<dyn FileHandle>, OpenReadError> {
        self.files.get_file_handle(path)
    }

    fn delete(&self, path: &Path) -> Result<(), DeleteError> {
        self.files.delete(path)
    }

    fn exists(&self, path: &Path) -> Result<bool, OpenReadError> {
        self.files.exists(path)
    }

    fn open_write(&self, path: &Path) -> Result<WritePtr, OpenWriteError> {
        self.files.open_write(path)
    }

    fn atomic_read(&self, path: &Path) -> Result<Vec<u8>, OpenReadError> {
        self.files.atomic_read(path)
    }

    fn atomic_write(&self, path: &Path, data: &[u8]) -> io::Result<()> {
        replace(&self.folder.join(path), data)
    }

    fn sync_directory(&self) -> io::Result<()> {
        self.files.sync_directory()
    }

    fn acquire_lock(&self, lock: &Lock) -> Result<DirectoryLock, LockError> {
        let path = self.folder.join(&lock.filepath);
        let file = match OpenOptions::new().write(true).create(true).truncate(false).open(&path) {
            // Who may only read waits for those who write, and not for each other.
            Err(e)
                if lock.is_blocking
                    && matches!(e.kind(), ErrorKind::PermissionDenied | ErrorKind::ReadOnlyFilesystem) =>
            {
                let file = File::open(&path).map_err(LockError::wrap_io_error)?;
                file.lock_shared().map_err(LockError::wrap_io_error)?;
                return Ok(DirectoryLock::from(Box::new(file)));
            }
            opened => opened.map_err(LockError::wrap_io_error)?,
        };
        if lock.is_blocking {
            file.lock().map_err(LockError::wrap_io_error)?;
        } else {
            file.try_lock().map_err(|e| match e {
                TryLockError::WouldBlock => LockError::LockBusy,
                TryLockError::Error(e) => LockError::wrap_io_error(e),
            })?;
        }
        Ok(DirectoryLock::from(Box::new(file)))
    }

    fn watch(&self, callback: WatchCallback) -> tantivy::Result<WatchHandle> {
        self.files.watch(callback)
    }
}
