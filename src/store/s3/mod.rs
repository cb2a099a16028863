//! A store in buckets of any S3: AWS, Ceph RGW, MinIO, Garage. Large files go up in parts while they are read, small ones
//! as one object each when their deposit is committed.
//!
//! Buckets have no folders, so a deposit is not one step as it is on a disk. What stands in for it: a deposit's files are
//! written in their order, each only if its key is free; the first one decides whose the prefix is, and a reader that
//! looks for the last one sees all. A writer that finds its own bytes there goes on where an earlier attempt died.
//!
//! Talks to the SDK only here; the rest of the program is synchronous and enters through [`block`](crate::block).

use std::{
    io::{self, Read, Write},
    ops::Range,
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use aws_sdk_s3::{presigning::PresigningConfig, primitives::ByteStream};
use futures_util::stream::{self, StreamExt, TryStreamExt};

mod archive;
mod area;
mod checksum;
mod client;
mod deposit;
mod outside;
mod policy;
mod probe;
mod sign;

pub use area::ObjectSettings;
pub use client::S3Config;
pub(super) use deposit::S3Files;
pub use outside::{Outcome, Outgoing, OutsideBucket, Progress};

use self::{
    client::{Completed, Listed, Remote, describe, is_taken},
    deposit::{Content, S3Deposit, StagedFile},
};
use super::{
    Abilities, Arrived, Availability, Committed, Deposit, Difference, Found, Held, Look, OpenUpload, Original, Recall,
    Recalled, Staged, Store, Upload, Wish,
};
use crate::{
    block,
    digest::Digest,
    error::{Error, Kind, Result},
    model::{Area, Key},
};

/// Buckets as a store.
#[derive(Clone)]
pub struct S3Store {
    remote: Arc<Remote>,
}

impl S3Store {
    /// Opens the store and looks whether its buckets can be used.
    ///
    /// Errors: `Invalid` when a bucket does not exist or the credentials do not fit, `Unavailable` when nobody answers.
    pub fn open(config: S3Config) -> Result<Self> {
        let remote = Arc::new(block::on(Remote::connect(config))??);
        block::on(remote.check())??;
        Ok(Self { remote })
    }

    /// Finds out what the endpoint does, by small objects below the masters' place that are removed after.
    ///
    /// Errors: `Paused` when the credentials do not allow to write there.
    pub fn probe(&self) -> Result<Abilities> {
        block::on(probe::probe(&self.remote))?
    }

    /// The store as one that makes use of what its endpoint was found to do. Without, it trusts in what all do.
    pub fn with_abilities(self, abilities: Abilities) -> Self {
        Self { remote: Arc::new(Remote { abilities, ..(*self.remote).clone() }) }
    }

    /// What was probed is true of this place: the endpoint and the masters' bucket.
    pub fn place(&self) -> String {
        self.remote.place_of_masters()
    }

    /// Makes the buckets that are missing, and says which.
    pub fn make_buckets(config: S3Config) -> Result<Vec<String>> {
        block::on(async { Remote::connect(config).await?.make_buckets().await })?
    }
}

impl S3Store {
    /// What of the buckets is not as it is wanted.
    pub fn differences(&self, wish: &Wish) -> Result<Vec<Difference>> {
        block::on(self.remote.differences(wish))?
    }

    /// Makes the buckets what is wanted; rules of others stay.
    ///
    /// Errors: `Unsupported` where a bucket takes no lock.
    pub fn apply(&self, wish: &Wish) -> Result<()> {
        block::on(self.remote.apply(wish))?
    }
}

/// How a write of one object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrote {
    New,
    /// The same bytes are there.
    Same,
    /// Other bytes are there.
    Other,
}

impl S3Store {
    /// Writes one file of a deposit if its key is free.
    async fn write(&self, key: &Key, file: StagedFile) -> Result<Wrote> {
        match file.content {
            Content::Small(bytes, digest) => self.write_small(key, bytes, digest, false).await,
            Content::Parts(upload, _) => {
                let remote = &self.remote;
                let bytes = upload.bytes();
                let there = match remote.head(key).await? {
                    Some(there) => Some(there),
                    None => match remote.complete_upload(key, &upload).await? {
                        Completed::New => None,
                        Completed::Taken => remote.head(key).await?,
                        Completed::Refused(e) => {
                            remote.abort_upload(key, &upload.id).await?;
                            return Err(e);
                        }
                    },
                };
                if let Some(there) = there {
                    // Either an earlier attempt of ours completed it and died before it could tell, or it is somebody's.
                    remote.abort_upload(key, &upload.id).await?;
                    return Ok(if there.is_end_of(&upload) { Wrote::Same } else { Wrote::Other });
                }
                // Some servers answer the completion with nothing, others answer and then lose it: what counts is what
                // is there.
                let corrupt = |what: String| Err(Error::new(Kind::Corrupt, format!("the store made {what} of {key}")));
                match remote.head(key).await? {
                    None => Err(Error::unavailable(format!("the store has completed {key}, but does not have it"))),
                    Some(there) if there.bytes != bytes => {
                        corrupt(format!("an object of {} bytes of the {bytes} bytes", there.bytes))
                    }
                    Some(there) if there.agrees(&upload) == Some(false) => {
                        corrupt("an object of another checksum of the parts".to_owned())
                    }
                    Some(_) => Ok(Wrote::New),
                }
            }
        }
    }

    async fn received(&self, key: &Key, size: u64) -> Result<Option<Arrived>> {
        match self.remote.head(key).await? {
            None => Ok(None),
            Some(there) if there.bytes == size => Ok(Some(Arrived::Here { bytes: size })),
            Some(there) => {
                let message = format!("the store holds {} bytes at {key}, not {size}", there.bytes);
                Err(Error::new(Kind::Conflict, message))
            }
        }
    }

    /// Writes a small object if its key is free; `expected` is whether it is likely to be there.
    async fn write_small(&self, key: &Key, bytes: Vec<u8>, digest: Option<Digest>, expected: bool) -> Result<Wrote> {
        let exclusive = self.remote.abilities.exclusive_put.then(|| "*".to_owned());
        // A server that refuses a second put need not be asked first.
        if (exclusive.is_none() || expected)
            && let Some(there) = self.remote.head(key).await?
        {
            return Ok(if there.is_of(&bytes) { Wrote::Same } else { Wrote::Other });
        }
        let digest = digest.unwrap_or_else(|| Digest::of(&bytes));
        let (sum, bytes) = (self.remote.sum(&bytes, digest), bytes::Bytes::from(bytes));
        let put = self.remote.put(key, bytes.clone(), sum).set_if_none_match(exclusive);
        match put.customize().interceptor(sign::Body(digest)).send().await {
            Ok(_) => Ok(Wrote::New),
            // By somebody else, or by us when the answer to an earlier try was lost.
            Err(e) if is_taken(&e) => match self.remote.head(key).await? {
                Some(there) if there.is_of(&bytes) => Ok(Wrote::Same),
                Some(_) => Ok(Wrote::Other),
                None => Err(Error::unavailable(format!("the store says that {key} is taken, but does not have it"))),
            },
            Err(e) => Err(describe(e, key, "write")),
        }
    }

    /// Writes a deposit's files in their order. The first one's key decides: other bytes there, and the prefix is
    /// somebody's; our own, and an earlier attempt died on the way. What that one left unfinished (the last file is
    /// missing) is gone on with, in its place.
    async fn commit_one(&self, prefix: &Key, files: Vec<StagedFile>) -> Result<Committed> {
        let Some(last) = files.last().map(|f| prefix.join(&f.name)).transpose()? else { return Ok(Committed::New) };
        let mut files = files.into_iter();
        let mut is_ours = false;
        if let Some(first) = files.next() {
            let key = prefix.join(&first.name)?;
            let wrote = self.write(&key, first).await?;
            crate::crash::point("store.s3-after-first");
            if wrote == Wrote::Other || (wrote == Wrote::Same && self.remote.head(&last).await?.is_some()) {
                for rest in files {
                    if let Content::Parts(upload, _) = rest.content {
                        self.remote.abort_upload(&prefix.join(&rest.name)?, &upload.id).await?;
                    }
                }
                return Ok(Committed::Present);
            }
            is_ours = wrote == Wrote::Same;
        }
        // Readers look for the last one: it, and the one that it is of, come when all the others are there.
        let mut files: Vec<StagedFile> = files.collect();
        let closing = files.split_off(files.len().saturating_sub(2));
        let each = files.into_iter().map(|file| self.write_rest(prefix, file, is_ours));
        stream::iter(each).buffer_unordered(2 * self.remote.config.in_flight.max(1)).try_collect::<()>().await?;
        for file in closing {
            self.write_rest(prefix, file, is_ours).await?;
        }
        Ok(Committed::New)
    }

    /// Writes one of a deposit's files but the first.
    async fn write_rest(&self, prefix: &Key, file: StagedFile, is_ours: bool) -> Result<()> {
        let key = prefix.join(&file.name)?;
        match file.content {
            // An inventory says when it was written, so that of the earlier attempt differs.
            Content::Small(bytes, digest) if is_ours => {
                let digest = digest.unwrap_or_else(|| Digest::of(&bytes));
                let sum = self.remote.sum(&bytes, digest);
                let put = self.remote.put(&key, bytes.into(), sum);
                let put = put.customize().interceptor(sign::Body(digest)).send().await;
                put.map_err(|e| describe(e, &key, "write"))?;
            }
            content => {
                if self.write(&key, StagedFile { content, ..file }).await? == Wrote::Other {
                    return Err(Error::new(Kind::Conflict, format!("the store holds other bytes at {key}")));
                }
            }
        }
        crate::crash::point("store.s3-between-files");
        Ok(())
    }
}

impl Store for S3Store {
    fn stage(&self, prefix: &Key) -> Result<Box<dyn Deposit>> {
        Ok(Box::new(S3Deposit::new(self.remote.clone(), prefix.clone())))
    }

    fn commit(&self, deposits: Vec<Staged>) -> Result<Vec<Committed>> {
        let mut work = Vec::with_capacity(deposits.len());
        let mut begun = Vec::new();
        for Staged { prefix, held } in deposits {
            let Held::S3(files) = held else {
                return Err(Error::internal("a deposit of another store was committed to an S3 store"));
            };
            begun.append(&mut files.begun());
            work.push((prefix, files.take()));
        }
        let committed = block::on(async {
            // Many small objects wait for the network, not for us.
            let each = work.into_iter().map(|(prefix, files)| async move { self.commit_one(&prefix, files).await });
            stream::iter(each).buffered(self.remote.config.in_flight.max(1)).try_collect().await
        })?;
        if committed.is_err() {
            deposit::give_up(&self.remote, &begun);
        }
        committed
    }

    fn put(&self, key: &Key, bytes: &[u8]) -> Result<Committed> {
        block::on(async {
            Ok(match self.write_small(key, bytes.to_vec(), None, true).await? {
                Wrote::New => Committed::New,
                Wrote::Same | Wrote::Other => Committed::Present,
            })
        })?
    }

    fn rewrite(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        let digest = Digest::of(bytes);
        let sum = self.remote.sum(bytes, digest);
        let put = self.remote.put(key, bytes.to_vec().into(), sum);
        let put = block::on(put.customize().interceptor(sign::Body(digest)).send())?;
        put.map(drop).map_err(|e| describe(e, key, "write"))
    }

    fn duplicate(&self, from: &Key, to: &Key, of: &Original<'_>) -> Result<Committed> {
        block::on(self.remote.duplicate(from, to, of))?
    }

    fn restore(&self, key: &Key, size: u64, from: &mut dyn Read) -> Result<()> {
        let split = key.as_str().rsplit_once('/').unwrap_or_default();
        let (folder, name): (Key, &str) = (split.0.parse()?, split.1);
        let mut deposit = self.stage(&folder)?;
        let mut to = deposit.create(name, Some(size))?;
        io::copy(from, &mut to)
            .and_then(|_| to.flush())
            .map_err(|e| crate::error::io(format!("cannot restore {key}"), e))?;
        drop(to);
        let staged = deposit.finish()?;
        // All of it has come.
        block::on(self.remote.remove_one(key))??;
        match self.commit(vec![staged])?[..] {
            [Committed::New] => Ok(()),
            _ => Err(Error::new(Kind::Conflict, format!("somebody else has written {key} just now"))),
        }
    }

    fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>> {
        let range = match range {
            None => None,
            // An empty range cannot be asked for, and one past the end is an error in S3 and none here.
            Some(range) => {
                let size = self.size(key)?.ok_or_else(|| missing(key))?;
                let end = range.end.min(size);
                if range.start >= end {
                    return Ok(Box::new(io::empty()));
                }
                Some(format!("bytes={}-{}", range.start, end - 1))
            }
        };
        let got = block::on(self.remote.get(key).set_range(range).send())?.map_err(|e| describe(e, key, "read"))?;
        Ok(Box::new(Body { stream: got.body, piece: Default::default() }))
    }

    fn size(&self, key: &Key) -> Result<Option<u64>> {
        Ok(block::on(self.remote.head(key))??.map(|there| there.bytes))
    }

    fn look(&self, key: &Key, digest: &Digest, made_of: Option<&Upload>) -> Result<Option<Look>> {
        let there = block::on(self.remote.head(key))??;
        Ok(there.map(|there| Look {
            bytes: there.bytes,
            agrees: match made_of {
                Some(upload) => there.agrees(upload).or_else(|| there.has_etag_of(upload)),
                None => there.has_digest(digest),
            },
        }))
    }

    fn list(&self, prefix: &Key) -> Result<Vec<Key>> {
        block::on(self.remote.list(prefix))?
    }

    fn each_object(&self, area: Area, each: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        let mut next = None;
        loop {
            let (page, more) = block::on(self.remote.page(area, next))??;
            page.into_iter().try_for_each(&mut *each)?;
            next = more;
            if next.is_none() {
                return Ok(());
            }
        }
    }

    fn remove(&self, prefix: &Key) -> Result<()> {
        block::on(self.remote.remove(prefix))?
    }

    fn availability(&self, key: &Key) -> Result<Option<Availability>> {
        block::on(self.remote.available(key))?
    }

    fn archive_place(&self) -> Result<String> {
        self.remote.config.archive_class.clone().ok_or_else(|| {
            Error::unsupported("this archive has no storage class for what is archived").hint(
                "the setting 's3_archive_class' names one: GLACIER, DEEP_ARCHIVE, GLACIER_IR, or the server's own",
            )
        })
    }

    fn archive(&self, key: &Key, _digest: &Digest, made_of: Option<&Upload>) -> Result<()> {
        let class = self.archive_place()?;
        block::on(self.remote.reclass(key, &class, made_of))?
    }

    fn recall(&self, key: &Key, _digest: &Digest, how: &Recall) -> Result<Recalled> {
        block::on(self.remote.recall(key, how))?
    }

    fn reinstate(&self, key: &Key, _digest: &Digest, made_of: Option<&Upload>) -> Result<()> {
        let class = self.remote.objects(key).storage_class.as_deref().unwrap_or("STANDARD");
        block::on(self.remote.reclass(key, class, made_of))?
    }

    fn local_path(&self, _: &Key) -> Option<PathBuf> {
        None
    }

    fn presigned(&self, key: &Key, valid: Duration) -> Result<Option<String>> {
        let request = block::on(self.remote.get(key).presigned(presigning(valid)?))?;
        Ok(Some(request.map_err(|e| describe(e, key, "make an address of"))?.uri().to_owned()))
    }

    fn begin_presigned(&self, key: &Key, size: u64, valid: Duration) -> Result<Option<(Upload, Vec<String>)>> {
        self.remote.config.check_size(size)?;
        let config = presigning(valid)?;
        block::on(async {
            // What is said of a checksum would have to be sent with the parts, by people who cannot know it.
            let id = self.remote.begin_upload(key, None).await?;
            let part_bytes = self.remote.config.part_bytes(size);
            let upload = Upload { id, part_bytes, parts: Vec::new(), checksum: None };
            let mut addresses = Vec::new();
            for number in 1..=upload.count(size) {
                let part = self.remote.part(key, &upload.id, number, None).presigned(config.clone()).await;
                addresses.push(part.map_err(|e| describe(e, key, "make addresses of"))?.uri().to_owned());
            }
            Ok(Some((upload, addresses)))
        })?
    }

    fn receive(&self, key: &Key, upload: &Upload, size: u64) -> Result<Arrived> {
        block::on(async {
            if let Some(here) = self.received(key, size).await? {
                return Ok(here);
            }
            let Some(listed) = self.remote.parts(key, &upload.id).await? else {
                // It may have been completed between the two looks.
                let given_up = || Error::not_found(format!("the upload to {key} has been given up"));
                return self.received(key, size).await?.ok_or_else(given_up);
            };
            let arrived = |p: &&Listed| p.bytes == upload.bytes_of_part(p.number, size);
            let parts: Vec<_> = listed.iter().filter(arrived).collect();
            if parts.len() < upload.count(size) as usize {
                return Ok(Arrived::Missing { bytes: parts.iter().map(|p| p.bytes).sum() });
            }
            if let Completed::Refused(e) = self.remote.complete_listed(key, &upload.id, &listed).await? {
                return Err(e.hint("give the upload up, and begin another"));
            }
            let lost = || Error::unavailable(format!("the store has completed {key}, but does not have it"));
            self.received(key, size).await?.ok_or_else(lost)
        })?
    }

    fn open_uploads(&self) -> Result<Vec<OpenUpload>> {
        block::on(self.remote.open_uploads())?
    }

    fn abort_upload(&self, key: &Key, id: &str) -> Result<()> {
        block::on(self.remote.abort_upload(key, id))?
    }
}

fn presigning(valid: Duration) -> Result<PresigningConfig> {
    PresigningConfig::expires_in(valid).map_err(|e| {
        Error::invalid("an address cannot be valid for so long")
            .because(e)
            .hint("seven days are the longest that S3 allows")
    })
}

fn missing(key: &Key) -> Error {
    Error::not_found(format!("cannot open {key} in the store"))
}

/// An object's bytes as they come.
struct Body {
    stream: ByteStream,
    piece: bytes::Bytes,
}

impl Read for Body {
    fn read(&mut self, mut buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match block::on(self.stream.next()).map_err(io::Error::other)? {
                None => return Ok(0),
                Some(piece) => self.piece = piece.map_err(io::Error::other)?,
            }
        }
        let n = self.piece.len().min(buffer.len());
        buffer.write_all(&self.piece.split_to(n))?;
        Ok(n)
    }
}
