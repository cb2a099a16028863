//! Files on their way into buckets: small ones wait in memory for the commit, large ones go up in parts as they are
//! written.

use std::{
    collections::{HashMap, VecDeque},
    io::{self, Write},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tokio::task::JoinHandle;

use super::{
    checksum,
    client::{Listed, Remote},
};
use crate::{
    block,
    digest::Digest,
    error::{Doing, Error, Kind, Result},
    model::Key,
    store::{Checksum, Deposit, Held, Part, Parts, Staged, Upload},
};

/// No larger file goes up as a whole, however large parts may be: it would wait in memory for the commit.
const WHOLE: u64 = 16 << 20;

/// What is to become one object.
pub(super) enum Content {
    /// With its SHA-256, where that is known.
    Small(Vec<u8>, Option<Digest>),
    Parts(Upload, Keeper),
}

/// Who gives an upload up that is not committed.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Keeper {
    /// The deposit: nobody else knows it.
    Deposit,
    /// Whoever began it in parts, and goes on with it later.
    Ledger,
}

pub(super) struct StagedFile {
    pub(super) name: String,
    pub(super) content: Content,
}

/// The files of a finished deposit. Dropped before they are taken, what went up of them is given up, but for what a ledger
/// keeps.
pub(crate) struct S3Files {
    remote: Arc<Remote>,
    prefix: Key,
    files: Vec<StagedFile>,
}

impl S3Files {
    /// Uploads that nobody else knows.
    pub(super) fn begun(&self) -> Vec<(Key, String)> {
        let begun = |file: &StagedFile| match &file.content {
            Content::Parts(upload, Keeper::Deposit) => Some((self.prefix.join(&file.name).ok()?, upload.id.clone())),
            _ => None,
        };
        self.files.iter().filter_map(begun).collect()
    }

    pub(super) fn take(mut self) -> Vec<StagedFile> {
        std::mem::take(&mut self.files)
    }
}

impl Drop for S3Files {
    fn drop(&mut self) {
        give_up(&self.remote, &self.begun());
    }
}

/// Gives uploads up as far as that can be done now; others are found by their age later.
pub(super) fn give_up(remote: &Remote, begun: &[(Key, String)]) {
    for (key, id) in begun {
        block::on(remote.abort_upload(key, id)).ok();
    }
}

type Slot = Arc<Mutex<Option<Content>>>;

/// A deposit under way.
pub(super) struct S3Deposit {
    remote: Arc<Remote>,
    prefix: Key,
    files: Vec<(String, Slot)>,
}

impl S3Deposit {
    pub(super) fn new(remote: Arc<Remote>, prefix: Key) -> Self {
        Self { remote, prefix, files: Vec::new() }
    }

    fn slot(&mut self, name: &str) -> Result<(Key, Slot)> {
        let key = self.prefix.join(name)?;
        if self.files.iter().any(|(n, _)| n == name) {
            return Err(Error::new(Kind::Conflict, format!("{key} is twice in one deposit")));
        }
        let slot = Slot::default();
        self.files.push((name.to_owned(), slot.clone()));
        Ok((key, slot))
    }

    fn is_parted(&self, size: u64) -> bool {
        size > self.remote.config.part_bytes(size).min(WHOLE)
    }

    fn begin(&mut self, name: &str, size: u64, earlier: Option<Upload>, keeper: Keeper) -> Result<S3Parts> {
        self.remote.config.check_size(size)?;
        let (key, slot) = self.slot(name)?;
        let remote = self.remote.clone();
        let mut listed = Vec::new();
        let mut upload = None;
        if let Some(mut earlier) = earlier {
            match block::on(remote.parts(&key, &earlier.id))?? {
                Some(there) => {
                    let has_sum = |p: &Part| earlier.checksum != Some(Checksum::Crc64Nvme) || p.crc64.is_some();
                    // Of what was sent, nobody may have heard whether it arrived.
                    let by_number: HashMap<u32, &Listed> = there.iter().map(|l| (l.number, l)).collect();
                    earlier.parts.retain_mut(|p| by_number.get(&p.number).is_some_and(|l| l.tell(p)) && has_sum(p));
                    listed = there;
                    upload = Some(earlier);
                }
                // Completed by an attempt that died before it could tell.
                None if earlier.bytes() == size
                    && block::on(remote.head(&key))??.is_some_and(|there| there.is_end_of(&earlier)) =>
                {
                    upload = Some(earlier);
                }
                None => {}
            }
        }
        let upload = match upload {
            Some(upload) => upload,
            None => {
                let checksum = remote.abilities.checksum;
                let id = block::on(remote.begin_upload(&key, checksum))??;
                if keeper == Keeper::Ledger {
                    // Who may not list uploads has nobody to tell him of others.
                    block::on(remote.abort_others(&key, &id))?.ok();
                }
                Upload { id, part_bytes: remote.config.part_bytes(size), parts: Vec::new(), checksum }
            }
        };
        Ok(S3Parts { remote, key, slot, upload, listed, flying: VecDeque::new(), keeper })
    }

    fn collect(&mut self) -> S3Files {
        let files = std::mem::take(&mut self.files).into_iter().filter_map(|(name, slot)| {
            let content = slot.lock().unwrap_or_else(PoisonError::into_inner).take()?;
            Some(StagedFile { name, content })
        });
        S3Files { remote: self.remote.clone(), prefix: self.prefix.clone(), files: files.collect() }
    }
}

impl Drop for S3Deposit {
    fn drop(&mut self) {
        drop(self.collect());
    }
}

impl Deposit for S3Deposit {
    fn create(&mut self, name: &str, size: Option<u64>) -> Result<Box<dyn Write + Send>> {
        if self.is_parted(size.unwrap_or(0)) {
            let parts = Box::new(self.begin(name, size.unwrap_or(0), None, Keeper::Deposit)?);
            return Ok(Box::new(Cutter { parts: Some(parts), part: Vec::new(), number: 1 }));
        }
        let (_, slot) = self.slot(name)?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) =
            Some(Content::Small(Vec::with_capacity(size.unwrap_or(0).min(WHOLE) as usize), None));
        Ok(Box::new(Buffer(slot)))
    }

    fn repeat(&mut self, name: &str, of: &str) -> Result<()> {
        let missing = || Error::not_found(format!("{of} is not a small file of the deposit"));
        let (_, slot) = self.files.iter().find(|(n, _)| n == of).ok_or_else(missing)?;
        let (bytes, digest) = match &*slot.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Content::Small(bytes, digest)) => (bytes.clone(), *digest),
            _ => return Err(missing()),
        };
        let (_, slot) = self.slot(name)?;
        *slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Content::Small(bytes, digest));
        Ok(())
    }

    fn adopt(&mut self, name: &str, path: &Path) -> Result<()> {
        let doing = || format!("cannot read {}", path.display());
        let mut from = std::fs::File::open(path).doing(doing)?;
        let size = from.metadata().doing(doing)?.len();
        let mut to = self.create(name, Some(size))?;
        io::copy(&mut from, &mut to).and_then(|_| to.flush()).doing(|| format!("cannot upload {}", path.display()))
    }

    fn parts(&mut self, name: &str, size: u64, earlier: Option<Upload>) -> Result<Option<Box<dyn Parts>>> {
        // Sent again, a small one alone costs no more than what an upload takes besides.
        if !self.is_parted(size) {
            return Ok(None);
        }
        Ok(Some(Box::new(self.begin(name, size, earlier, Keeper::Ledger)?)))
    }

    fn discard(&mut self, name: &str) -> Result<()> {
        let (this, others) = std::mem::take(&mut self.files).into_iter().partition(|(n, _)| n == name);
        self.files = this;
        drop(self.collect());
        self.files = others;
        Ok(())
    }

    fn known(&mut self, name: &str, of: Digest) {
        if let Some((_, slot)) = self.files.iter().find(|(n, _)| n == name)
            && let Some(Content::Small(_, digest)) = &mut *slot.lock().unwrap_or_else(PoisonError::into_inner)
        {
            *digest = Some(of);
        }
    }

    fn place(&mut self, prefix: &Key) -> Result<()> {
        let is_small =
            |slot: &Slot| matches!(&*slot.lock().unwrap_or_else(PoisonError::into_inner), Some(Content::Small(..)));
        if !self.files.iter().all(|(_, slot)| is_small(slot)) {
            return Err(Error::internal(format!("parts of {} are on their way already", self.prefix)));
        }
        self.prefix = prefix.clone();
        Ok(())
    }

    fn local_path(&self, _: &str) -> Option<PathBuf> {
        None
    }

    fn finish(mut self: Box<Self>) -> Result<Staged> {
        Ok(Staged { prefix: self.prefix.clone(), held: Held::S3(self.collect()) })
    }
}

/// A small file in memory.
struct Buffer(Slot);

impl Write for Buffer {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match &mut *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            Some(Content::Small(kept, None)) => kept.extend_from_slice(bytes),
            _ => return Err(io::Error::other("the deposit is finished")),
        }
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Cuts a stream into parts, for writers that keep no ledger.
struct Cutter {
    parts: Option<Box<dyn Parts>>,
    part: Vec<u8>,
    number: u32,
}

impl Write for Cutter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let Some(parts) = &mut self.parts else { return Err(io::Error::other("the file is complete")) };
        let whole = parts.upload().part_bytes as usize;
        self.part.reserve_exact(whole - self.part.len());
        let n = bytes.len().min(whole - self.part.len());
        self.part.extend_from_slice(&bytes[..n]);
        if self.part.len() == whole {
            let part = std::mem::take(&mut self.part);
            parts.put(self.number, Digest::of(&part), part).map_err(io::Error::other)?;
            self.number += 1;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        let Some(mut parts) = self.parts.take() else { return Ok(()) };
        if !self.part.is_empty() {
            let part = std::mem::take(&mut self.part);
            parts.put(self.number, Digest::of(&part), part).map_err(io::Error::other)?;
        }
        parts.finish().map_err(io::Error::other).map(drop)
    }
}

impl Drop for Cutter {
    fn drop(&mut self) {
        if let Some(parts) = self.parts.take() {
            parts.abandon().ok();
        }
    }
}

/// Parts on their way.
struct S3Parts {
    remote: Arc<Remote>,
    key: Key,
    slot: Slot,
    upload: Upload,
    /// What the store had of it when it was taken up again.
    listed: Vec<Listed>,
    flying: VecDeque<JoinHandle<Result<Part>>>,
    keeper: Keeper,
}

/// What fails or is stopped sends no more.
impl Drop for S3Parts {
    fn drop(&mut self) {
        self.flying.iter().for_each(JoinHandle::abort);
    }
}

impl S3Parts {
    /// Waits for the oldest part.
    fn land(&mut self) -> Result<()> {
        let Some(task) = self.flying.pop_front() else { return Ok(()) };
        let part = block::on(task)?.map_err(|e| Error::internal("an upload was cut off").because(e))??;
        self.note(part);
        Ok(())
    }

    fn note(&mut self, part: Part) {
        self.upload.parts.retain(|p| p.number != part.number);
        let at = self.upload.parts.partition_point(|p| p.number < part.number);
        self.upload.parts.insert(at, part);
    }
}

impl Parts for S3Parts {
    fn upload(&self) -> &Upload {
        &self.upload
    }

    fn put(&mut self, number: u32, digest: Digest, bytes: Vec<u8>) -> Result<()> {
        let length = bytes.len() as u64;
        if let Some(there) = self.listed.iter().find(|l| (l.number, l.bytes) == (number, length)) {
            // It was accepted, but the one who sent it died before he knew.
            if there.etag == checksum::md5_hex(&bytes) {
                let crc64 = (self.upload.checksum == Some(Checksum::Crc64Nvme)).then(|| checksum::crc64(&bytes));
                self.note(Part { number, etag: there.etag.clone(), bytes: length, digest, crc64 });
                return Ok(());
            }
        }
        let (remote, key, id, checksum) =
            (self.remote.clone(), self.key.clone(), self.upload.id.clone(), self.upload.checksum);
        self.flying.push_back(block::spawn(async move {
            remote.upload_part(&key, (&id, checksum), number, digest, bytes.into()).await
        })?);
        // Those that have arrived are noted at once, the others when there are too many.
        while self.flying.front().is_some_and(JoinHandle::is_finished) {
            self.land()?;
        }
        while self.flying.len() >= self.remote.config.in_flight.max(1) {
            self.land()?;
        }
        Ok(())
    }

    fn finish(mut self: Box<Self>) -> Result<Upload> {
        while !self.flying.is_empty() {
            self.land()?;
        }
        let upload = self.upload.clone();
        *self.slot.lock().unwrap_or_else(PoisonError::into_inner) = Some(Content::Parts(upload.clone(), self.keeper));
        Ok(upload)
    }

    fn abandon(self: Box<Self>) -> Result<()> {
        self.flying.iter().for_each(JoinHandle::abort);
        block::on(self.remote.abort_upload(&self.key, &self.upload.id))?
    }
}
