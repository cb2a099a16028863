//! Where bytes live. A [`Store`] keeps immutable objects under [`Key`]s; what goes in together (a master with its
//! inventory, the files of a rendition) goes in as one *deposit*: staged out of sight, then committed under one prefix
//! that nobody has used before.
//!
//! A store refuses to be a file system: there is no append, no rename, no overwrite, no locking. Two writers of one
//! prefix are told apart by who commits first; the other is told that it is [`Committed::Present`].

use std::{
    fs::File,
    io::{Read, Write},
    ops::Range,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    digest::{Checked, Digest},
    error::{Doing, Error, Result},
    model::{Area, Key},
};

mod abilities;
mod availability;
mod cold;
mod direct;
mod fs;
mod memory;
pub mod ocfl;
mod policy;
#[cfg(feature = "s3")]
mod s3;
pub mod structure;

pub use abilities::{Abilities, Checksum};
pub use availability::{Availability, Recall, Recalled, Tier};
pub use fs::FsStore;
pub use memory::MemoryStore;
pub use policy::{Difference, Expiry, Lock, Wish};
#[cfg(feature = "s3")]
pub use s3::{ObjectSettings, Outcome, Outgoing, OutsideBucket, Progress, S3Config, S3Store};

/// A place for immutable objects. Every implementation passes the suite in `tests/it/contract/store.rs`.
///
/// - What [`commit`](Store::commit) has returned for is durable: it survives a power cut.
/// - Before that, nothing of a deposit can be read under its keys.
/// - Nothing that is there is ever changed, but for what [`rewrite`](Store::rewrite) is for; [`remove`](Store::remove) takes a whole prefix away.
/// - All methods may be called from many threads and, for stores that outlive a process, from many processes.
pub trait Store: Send + Sync {
    /// Begins a deposit under a prefix. Dropping it leaves nothing behind.
    fn stage(&self, prefix: &Key) -> Result<Box<dyn Deposit>>;

    /// Makes deposits durable and visible, all of one before any of the next, and says of each whether it is new. One
    /// whose prefix is taken is dropped and changes nothing. After an error any number of them may be there.
    fn commit(&self, deposits: Vec<Staged>) -> Result<Vec<Committed>>;

    /// Puts one small object if the key is free, durably. Says whether it was.
    fn put(&self, key: &Key, bytes: &[u8]) -> Result<Committed>;

    /// Puts a small object in place of what is there, durably and in one step: a reader sees the one or the other. That is
    /// for the inventory at the root of an OCFL object alone, which says what its newest version is.
    fn rewrite(&self, key: &Key, bytes: &[u8]) -> Result<()>;

    /// Puts an object where it is missing or damaged, from what gives its bytes. Nothing is changed before all of them were
    /// given without an error.
    fn restore(&self, key: &Key, size: u64, from: &mut dyn Read) -> Result<()>;

    /// Puts an object's bytes under another key too, if that is free, without their coming through here where that can be:
    /// as shared blocks in a folder, by the server in a bucket. Says whether it was free.
    fn duplicate(&self, from: &Key, to: &Key, of: &Original<'_>) -> Result<Committed> {
        if self.size(to)?.is_some() {
            return Ok(Committed::Present);
        }
        let mut bytes = Checked::new(self.open(from, None)?, of.digest);
        self.restore(to, of.bytes, &mut bytes)?;
        Ok(Committed::New)
    }

    /// Opens an object, or a range of its bytes, for reading. A missing one is `NotFound`.
    fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>>;

    /// Size of an object in bytes; `None` when there is none.
    fn size(&self, key: &Key) -> Result<Option<u64>>;

    /// What the store says of an object without reading it; `made_of` are the parts that it went up in, when that is known.
    /// `None` when there is none.
    fn look(&self, key: &Key, _digest: &Digest, _made_of: Option<&Upload>) -> Result<Option<Look>> {
        Ok(self.size(key)?.map(|bytes| Look { bytes, agrees: None }))
    }

    /// All keys below a prefix, sorted.
    fn list(&self, prefix: &Key) -> Result<Vec<Key>>;

    /// Calls `each` with every object of an area, those below one prefix one after the other.
    fn each_object(&self, area: Area, each: &mut dyn FnMut(Found) -> Result<()>) -> Result<()>;

    /// Removes everything below a prefix. What is not there is no error.
    fn remove(&self, prefix: &Key) -> Result<()>;

    /// Whether an object can be read now; `None` when there is none.
    fn availability(&self, key: &Key) -> Result<Option<Availability>> {
        Ok(self.size(key)?.map(|_| Availability::Online { until: None }))
    }

    /// Whether what is archived can be read for a look at it, without asking for it.
    fn reads_offline(&self) -> bool {
        false
    }

    /// Opens an object that is archived, where [`reads_offline`](Self::reads_offline) says so.
    fn open_offline(&self, key: &Key) -> Result<Box<dyn Read + Send>> {
        Err(Error::archived(key))
    }

    /// What objects go to that leave the hot area, in words; an error says why there is nothing.
    fn archive_place(&self) -> Result<String> {
        Err(Error::unsupported("this store has one area alone"))
    }

    /// Moves an object out of the hot area, under its key and with its bytes; `made_of` are the parts that it went up in.
    /// Done twice, or after a kill, it ends what was begun.
    fn archive(&self, _key: &Key, _digest: &Digest, _made_of: Option<&Upload>) -> Result<()> {
        self.archive_place().map(drop)
    }

    /// Asks for an object that was archived. Who asks twice is told how far it is.
    fn recall(&self, key: &Key, _digest: &Digest, _how: &Recall) -> Result<Recalled> {
        match self.availability(key)? {
            Some(_) => Ok(Recalled::Back),
            None => Err(Error::not_found(format!("the store has lost {key}"))),
        }
    }

    /// Brings an object that can be read back into the hot area for good.
    fn reinstate(&self, _key: &Key, _digest: &Digest, _made_of: Option<&Upload>) -> Result<()> {
        Ok(())
    }

    /// Where the object can be read as a file, for stores that are folders.
    fn local_path(&self, key: &Key) -> Option<PathBuf>;

    /// An address at which anybody can read the object for so long, for stores that can make one.
    fn presigned(&self, _key: &Key, _valid: Duration) -> Result<Option<String>> {
        Ok(None)
    }

    /// Begins an upload of `size` bytes by whoever gets the addresses: one for each part, in order, each good for so long.
    /// With a plain `PUT` every part but the last takes [`Upload::part_bytes`], the last the rest; a part that is sent
    /// again replaces the earlier one. None: this store gives no such addresses.
    ///
    /// Nobody but the caller knows the upload: [`receive`](Store::receive) ends it, or [`abort_upload`](Store::abort_upload).
    fn begin_presigned(&self, _key: &Key, _size: u64, _valid: Duration) -> Result<Option<(Upload, Vec<String>)>> {
        Ok(None)
    }

    /// Looks what has arrived of an upload that was begun for others. Once all of it has, its parts become the object;
    /// asked again, it is still here. That is all: whose bytes they are, only reading them tells.
    ///
    /// Errors: `NotFound` when the upload was given up, `Conflict` when the key holds an object of another size.
    fn receive(&self, key: &Key, _upload: &Upload, _size: u64) -> Result<Arrived> {
        Err(Error::unsupported(format!("{key}: this store takes no uploads by address")))
    }

    /// Uploads in parts below this store's keys that nobody has finished.
    fn open_uploads(&self) -> Result<Vec<OpenUpload>> {
        Ok(Vec::new())
    }

    /// Gives up an upload in parts; one that is not there is no error. Stores that take no parts have nothing to do.
    fn abort_upload(&self, _key: &Key, _id: &str) -> Result<()> {
        Ok(())
    }
}

/// An object as a file: in place where the store is a folder, else a copy at this path.
pub fn fetch(store: &dyn Store, key: &Key, copy: PathBuf) -> Result<PathBuf> {
    if let Some(path) = store.local_path(key) {
        return match path.is_file() {
            true => Ok(path),
            false if store.availability(key)?.is_some() => Err(Error::archived(key)),
            false => {
                Err(Error::not_found(format!("the store has lost {key}")).hint("'damctl verify' lists what is missing"))
            }
        };
    }
    let mut from = store.open(key, None)?;
    let mut to = File::create_new(&copy).doing(|| format!("cannot make {}", copy.display()))?;
    std::io::copy(&mut from, &mut to).doing(|| format!("cannot fetch {key}"))?;
    Ok(copy)
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

    /// Begins a large file that is given in parts, so that a later attempt can go on where this one ends; `earlier` is
    /// what an earlier one left, of which only what the store still has counts. A part of it without an ETag was sent, and
    /// nobody heard whether it arrived: if the store lists it, it did. So parts are noted before they are sent, and no
    /// others are sent under their numbers. None: this store takes no parts, or the file is
    /// no larger than one.
    ///
    /// Parts outlive a deposit that is dropped before it is finished: [`Parts::abandon`] gives them up.
    fn parts(&mut self, _name: &str, _size: u64, _earlier: Option<Upload>) -> Result<Option<Box<dyn Parts>>> {
        Ok(None)
    }

    /// Takes a file out again, as if it had never been begun. Parts of one that [`parts`](Deposit::parts) began are left to
    /// whoever keeps their ledger.
    fn discard(&mut self, name: &str) -> Result<()>;

    /// Tells the SHA-256 of a file of this deposit that is complete, for stores that would have to find it out.
    fn known(&mut self, _name: &str, _digest: Digest) {}

    /// Gives it another prefix. Files that have begun to go up in parts cannot be moved.
    fn place(&mut self, prefix: &Key) -> Result<()>;

    /// Where a file of this deposit can be read already, for stores that are folders.
    fn local_path(&self, name: &str) -> Option<PathBuf>;

    /// Ends the writing.
    fn finish(self: Box<Self>) -> Result<Staged>;
}

/// How far an upload in parts has come: what the store has accepted.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Upload {
    /// The store's name for it.
    pub id: String,
    /// Bytes of every part but the last.
    pub part_bytes: u64,
    /// Accepted parts by number.
    pub parts: Vec<Part>,
    /// The checksum that it was begun with: it goes with every part, to the end.
    #[serde(default)]
    pub checksum: Option<Checksum>,
}

/// What a store says of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Look {
    /// Its size.
    pub bytes: u64,
    /// Whether the checksum that the store keeps is that of the bytes; none when there is nothing to compare.
    pub agrees: Option<bool>,
}

/// What is known of an object that is copied.
#[derive(Clone, Copy, Debug)]
pub struct Original<'a> {
    /// Its size.
    pub bytes: u64,
    /// SHA-256 of it.
    pub digest: Digest,
    /// What the copy is served as, where a store can say that.
    pub mime: &'a str,
}

/// An object that a store has.
#[derive(Clone, Debug, PartialEq)]
pub struct Found {
    /// Its key.
    pub key: Key,
    /// Its size in bytes.
    pub bytes: u64,
    /// When it was written, in milliseconds since 1970-01-01 UTC by the store's clock, where that is known.
    pub written: Option<i64>,
}

/// What has arrived of an upload by others.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Arrived {
    /// Not all of it.
    Missing {
        /// Bytes of the parts that have arrived whole.
        bytes: u64,
    },
    /// The object is there.
    Here {
        /// Its size.
        bytes: u64,
    },
}

/// An upload in parts that is not finished.
#[derive(Clone, Debug, PartialEq)]
pub struct OpenUpload {
    /// Where its object would be.
    pub key: Key,
    /// The store's name for it.
    pub id: String,
    /// When it began, in milliseconds since 1970-01-01 UTC by the store's clock.
    pub began: i64,
}

/// One accepted part.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Part {
    /// From 1 on.
    pub number: u32,
    /// What the store calls its content.
    pub etag: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// SHA-256 of it.
    pub digest: Digest,
    /// CRC-64/NVME of it, in an upload that has that checksum.
    #[serde(default)]
    pub crc64: Option<u64>,
}

impl Upload {
    /// Bytes of a part of a file of this size; an empty file has one empty part.
    pub fn bytes_of_part(&self, number: u32, size: u64) -> u64 {
        self.part_bytes.min(size.saturating_sub(u64::from(number - 1) * self.part_bytes))
    }

    /// How many parts a file of this size has.
    pub fn count(&self, size: u64) -> u32 {
        size.div_ceil(self.part_bytes).max(1) as u32
    }

    /// Bytes of all accepted parts.
    pub fn bytes(&self) -> u64 {
        self.parts.iter().map(|p| p.bytes).sum()
    }

    /// How many parts from the first on are accepted without a gap.
    pub fn unbroken(&self) -> u32 {
        let in_a_row = self.parts.iter().zip(1..).take_while(|(part, number)| part.number == *number);
        in_a_row.count() as u32
    }
}

/// A large file that goes up in parts.
pub trait Parts: Send {
    /// What is accepted by now.
    fn upload(&self) -> &Upload;

    /// Sends a part; may return before it is accepted, and waits when too many are on their way. What the store has
    /// already is not sent again. An error is of this part or of an earlier one.
    fn put(&mut self, number: u32, digest: Digest, bytes: Vec<u8>) -> Result<()>;

    /// Waits until all are accepted. The file is then part of the deposit.
    fn finish(self: Box<Self>) -> Result<Upload>;

    /// Gives it up: the store forgets what it has of it.
    fn abandon(self: Box<Self>) -> Result<()>;
}

/// A finished deposit, ready to be committed. Dropped, it is gone.
pub struct Staged {
    pub(crate) prefix: Key,
    pub(crate) held: Held,
}

pub(crate) enum Held {
    Folder {
        folder: tempfile::TempDir,
        files: usize,
    },
    Memory(Vec<(Key, Vec<u8>)>),
    #[cfg(feature = "s3")]
    S3(s3::S3Files),
}

/// What became of a deposit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Committed {
    /// It is there now.
    New,
    /// The prefix was taken already, and stays as it was.
    Present,
}
