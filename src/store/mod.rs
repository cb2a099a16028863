//! Where bytes live. A [`Store`] keeps immutable objects under [`Key`]s; what goes in together (a master with its
//! inventory, the files of a rendition) goes in as one *deposit*: staged out of sight, then committed under one prefix
//! that nobody has used before.
//!
//! A store refuses to be a file system: there is no append, no rename, no overwrite, no locking. Two writers of one
//! prefix are told apart by who commits first; the other is told that it is [`Committed::Present`].

use std::{
    io::{Read, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use crate::{error::Result, model::Key};

mod direct;
mod fs;
mod memory;
pub mod ocfl;

pub use fs::FsStore;
pub use memory::MemoryStore;

/// A place for immutable objects. Every implementation passes the suite in `tests/it/contract/store.rs`.
///
/// - What [`commit`](Store::commit) has returned for is durable: it survives a power cut.
/// - Before that, nothing of a deposit can be read under its keys.
/// - Nothing that is there is ever changed; [`remove`](Store::remove) takes a whole prefix away.
/// - All methods may be called from many threads and, for stores that outlive a process, from many processes.
pub trait Store: Send + Sync {
    /// Begins a deposit under a prefix. Dropping it leaves nothing behind.
    fn stage(&self, prefix: &Key) -> Result<Box<dyn Deposit>>;

    /// Makes deposits durable and visible, all of one before any of the next, and says of each whether it is new. One
    /// whose prefix is taken is dropped and changes nothing. After an error any number of them may be there.
    fn commit(&self, deposits: Vec<Staged>) -> Result<Vec<Committed>>;

    /// Puts one small object if the key is free, durably. Says whether it was.
    fn put(&self, key: &Key, bytes: &[u8]) -> Result<Committed>;

    /// Opens an object, or a range of its bytes, for reading. A missing one is `NotFound`.
    fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>>;

    /// Size of an object in bytes; `None` when there is none.
    fn size(&self, key: &Key) -> Result<Option<u64>>;

    /// All keys below a prefix, sorted.
    fn list(&self, prefix: &Key) -> Result<Vec<Key>>;

    /// Removes everything below a prefix. What is not there is no error.
    fn remove(&self, prefix: &Key) -> Result<()>;

    /// Where the object can be read as a file, for stores that are folders.
    fn local_path(&self, key: &Key) -> Option<PathBuf>;
}

/// Files that are on their way into a store.
pub trait Deposit: Send {
    /// Begins a file; `name` may hold several segments. `size` is what is expected, where that is known. Flush the writer
    /// at the end: what is still in it when it is dropped may be lost.
    fn create(&mut self, name: &str, size: Option<u64>) -> Result<Box<dyn Write + Send>>;

    /// The same bytes under another name; `of` is a file of this deposit that is complete. The two may share their place
    /// on the disk: nothing in a store is ever changed.
    fn repeat(&mut self, name: &str, of: &str) -> Result<()>;

    /// Takes a finished file over; it may be moved rather than copied.
    fn adopt(&mut self, name: &str, path: &Path) -> Result<()>;

    /// Where a file of this deposit can be read already, for stores that are folders.
    fn local_path(&self, name: &str) -> Option<PathBuf>;

    /// Ends the writing.
    fn finish(self: Box<Self>) -> Result<Staged>;
}

/// A finished deposit, ready to be committed. Dropped, it is gone.
pub struct Staged {
    pub(crate) prefix: Key,
    pub(crate) held: Held,
}

pub(crate) enum Held {
    Folder { folder: tempfile::TempDir, files: usize },
    Memory(Vec<(Key, Vec<u8>)>),
}

/// What became of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is there now.
    New,
    /// The prefix was taken already, and stays as it was.
    Present,
}
