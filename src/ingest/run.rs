//! Does ingest jobs: a batch of files is read, staged, committed to the store in one go, and returned as facts.

use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

use super::{
    Ingest, Source,
    copy::{Copied, Failed, copy},
    survey::Task,
    upload::{Progress, World, upload},
};
use crate::{
    catalog::{Facts, Ledger, Settled},
    digest::Digest,
    error::{Error, Kind, Result},
    media,
    model::{Asset, AssetId, Key, Master, MediaFacts, Outcome, Role, Stage},
    store::{Committed, Deposit, Part, Staged, Upload, ocfl},
    work::{Amount, Attempt, Done, Event, StageRun},
};

/// A file larger than this goes up in parts, where the store takes them.
const PARTED: u64 = 16 << 20;

impl StageRun for Ingest<'_> {
    fn stage(&self) -> Stage {
        Stage::Ingest
    }

    fn run(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let task: Task = attempt.task()?;
        let root = task.root.under(Path::new("/"));
        let mut batch = Batch {
            ingest: self,
            attempt,
            task: &task,
            root: &root,
            facts: Facts::default(),
            staged: Vec::new(),
            seen: HashMap::new(),
            buffer: Vec::new(),
        };
        // The job may have been planned before another one dealt with some of its files.
        let known = self.catalog.known_paths(task.drive, task.sources.iter().map(|s| &s.path))?;
        for source in &task.sources {
            attempt.stop.check()?;
            let before = known.get(&source.path);
            if !before.is_some_and(|k| source.is_settled_by(k)) {
                batch.take(source, before.and_then(|k| k.asset))?;
            }
        }
        batch.commit()?;
        Ok(batch.facts.into())
    }

    fn settled(&self, settled: &Settled) -> Result<()> {
        // Other bytes of the same content were first. What was put in for these is unknown to the catalog.
        for (asset, _) in &settled.superseded {
            self.store.remove(&ocfl::object_root(*asset)?)?;
        }
        Ok(())
    }
}

struct Batch<'a> {
    ingest: &'a Ingest<'a>,
    attempt: &'a Attempt<'a>,
    task: &'a Task,
    root: &'a Path,
    facts: Facts,
    /// Waiting for the commit, each with its place in `facts.assets`.
    staged: Vec<(Staged, usize)>,
    /// Bytes that this batch holds already, and whose asset they are.
    seen: HashMap<Digest, AssetId>,
    buffer: Vec<u8>,
}

impl Batch<'_> {
    /// Deals with one file, whose path held an asset `before`. Its own faults become its outcome; an error is
    /// everybody's.
    fn take(&mut self, source: &Source, before: Option<AssetId>) -> Result<()> {
        let at = source.path.under(self.root);
        let mut file = match open(&at) {
            Ok(file) => file,
            Err(e) => return self.unreadable(source, &e.to_string()),
        };
        if !as_planned(&file, source) {
            return self.changed(source, "changed since it was looked at");
        }
        let asset = source.asset_id(self.task.drive);
        let prefix = ocfl::object_root(asset)?;
        let segment = Key::segment(source.path.file_name());
        let content = ocfl::content_path(&segment);
        let mut deposit = self.ingest.store.stage(&prefix)?;
        let copied = match self.in_parts(&mut file, source, &mut *deposit, &prefix.join(&content)?, &content)? {
            Some(copied) => copied,
            None => {
                let mut sink = deposit.create(&content, Some(source.bytes))?;
                let tick = |n| self.attempt.tick(Amount::Bytes(n));
                copy(&mut file, source.bytes, &mut sink, &mut self.buffer, &self.attempt.stop, &tick)
            }
        };
        let Copied { digest, bytes, head } = match copied {
            Ok(copied) => copied,
            Err(Failed::Writing(e)) => return Err(e),
            Err(Failed::Reading(e)) => return self.unreadable(source, &e.to_string()),
        };
        crate::crash::point("ingest.after-copy");
        if bytes != source.bytes || !as_planned(&file, source) {
            return self.changed(source, "changed while it was read");
        }
        drop(file);
        if let Some(holder) = self.holder(&digest, asset)? {
            // A file that was only touched is still the one that its asset was stored from.
            let outcome = if before == Some(holder) { Outcome::Stored } else { Outcome::Duplicate };
            return self.known_bytes(source, outcome, digest, holder);
        }
        let local = deposit.local_path(&content);
        let facts = self.measure(local.as_deref().unwrap_or(&at), &head)?;
        let original = source.path.file_name_text();
        let created = jiff::Timestamp::from_millisecond(self.attempt.began).unwrap_or_default().to_string();
        let message = format!("ingested from {}: {}", self.task.label, source.path);
        let inventory = ocfl::Inventory::first(asset, digest, &segment, &original, &created, message);
        inventory.complete(&mut *deposit)?;
        self.staged.push((deposit.finish()?, self.facts.assets.len()));
        self.seen.insert(digest, asset);
        let kind = facts.kind;
        // Kept as it is, and told: nobody should find out years later.
        let odd = facts.problem.clone().map(|p| format!("damaged: {p}"));
        let odd = odd.or_else(|| media::sniff::false_name(&original, kind, &facts.mime));
        let master = Master {
            asset,
            generation: 1,
            role: Role::Main,
            name: original.clone(),
            digest,
            bytes,
            fingerprint: None,
            key: prefix.join(&content)?,
            facts,
        };
        let collection = self.task.collection.clone();
        self.facts.assets.push((
            Asset { id: asset, kind, title: original, collection, created_at: self.attempt.began },
            vec![master],
        ));
        self.say(source, Outcome::Stored, odd.as_deref());
        let mut sighting = source.sighting(self.task.drive, Outcome::Stored, odd);
        (sighting.digest, sighting.asset) = (Some(digest), Some(asset));
        self.facts.sightings.push(sighting);
        Ok(())
    }

    /// Sends a large file in parts, from where the ledger says that an earlier attempt ended. None where the file is
    /// small, or the store takes no parts.
    fn in_parts(
        &self,
        file: &mut File,
        source: &Source,
        deposit: &mut dyn Deposit,
        key: &Key,
        name: &str,
    ) -> Result<Option<Result<Copied, Failed>>> {
        if source.bytes <= PARTED {
            return Ok(None);
        }
        let catalog = self.ingest.catalog;
        let note = |text: &str| {
            let text = format!("{}: {text}", source.path);
            self.attempt.reporter.report(&Event::Note { text: &text });
        };
        // A file that has changed since is another object; what went up of the one that it was is of no use.
        for stale in catalog.uploads(Some((self.task.drive, &source.path)))?.iter().filter(|l| l.key != *key) {
            note("it has changed since its upload began: starting over");
            self.ingest.store.abort_upload(&stale.key, &stale.upload.id)?;
            catalog.forget_upload(&stale.key)?;
        }
        let identity = (source.bytes, source.mtime_ns, source.inode);
        let earlier = catalog.upload(key)?.filter(|l| l.identity == identity);
        let known = earlier.as_ref().map(|l| l.upload.clone());
        let Some(parts) = deposit.parts(name, source.bytes, known)? else { return Ok(None) };
        let began = parts.upload().clone();
        let same = |l: &Ledger| l.upload.id == began.id && l.hashed > 0;
        let progress = earlier.filter(same).map(|l| Progress { hashed: l.hashed, state: l.state });
        let lease = self.attempt.lease();
        let keep = |upload: &Upload, new: &[Part], progress: &Progress| {
            let ledger = Ledger {
                key: key.clone(),
                drive: self.task.drive,
                path: source.path.clone(),
                identity,
                upload: Upload { parts: Vec::new(), ..upload.clone() },
                hashed: progress.hashed,
                state: progress.state.clone(),
            };
            catalog.keep_upload(&lease, &ledger, new)
        };
        // Known before the first part is sent: no upload that the ledger does not know is left behind.
        if progress.is_none() {
            catalog.forget_upload(key)?;
            keep(&began, &began.parts, &Progress { hashed: 0, state: String::new() })?;
        }
        if let Some(progress) = &progress {
            note(&format!("going on after part {} of an upload that was cut off", progress.hashed));
        }
        let tick = |n| self.attempt.tick(Amount::Bytes(n));
        let world = World { stop: &self.attempt.stop, tick: &tick, keep: &keep, note: &note };
        Ok(Some(upload(file, source.bytes, parts, progress, &world)))
    }

    /// The asset that has these bytes already, if it is another one.
    fn holder(&self, digest: &Digest, asset: AssetId) -> Result<Option<AssetId>> {
        let known = match self.seen.get(digest) {
            Some(known) => Some(*known),
            None => self.ingest.catalog.master_by_digest(digest)?.map(|m| m.asset),
        };
        Ok(known.filter(|known| *known != asset))
    }

    fn measure(&self, path: &Path, head: &[u8]) -> Result<MediaFacts> {
        let measured = media::measure(path, head, self.ingest.child, self.ingest.spool, &self.attempt.stop);
        let job = self.attempt.job;
        match measured {
            Err(e) if matches!(e.kind(), Kind::Stopped | Kind::Paused | Kind::LeaseLost) => Err(e),
            // Perhaps the machine was short of something: once more, while there are tries.
            Err(e) if e.kind().is_retryable() && job.attempt < job.max_attempt => Err(e),
            // Its bytes are kept all the same, and no other file of the batch is held up.
            Err(e) => {
                let (kind, mime) = media::sniff::sniff(head);
                let problem = Some(format!("it could not be measured: {}", e.one_line()));
                Ok(MediaFacts { problem, ..MediaFacts::bare(kind, mime) })
            }
            measured => measured,
        }
    }

    fn known_bytes(&mut self, source: &Source, outcome: Outcome, digest: Digest, holder: AssetId) -> Result<()> {
        // An earlier run may have died between the store and the catalog, and another path was first since.
        let asset = source.asset_id(self.task.drive);
        let own = ocfl::object_root(asset)?;
        // Removed only when the bytes are safe elsewhere: the holder may as yet be this batch's own intention.
        if self.ingest.store.size(&own.join("inventory.json")?)?.is_some()
            && !self.ingest.catalog.has_asset(asset)?
            && self.ingest.catalog.has_asset(holder)?
        {
            self.ingest.store.remove(&own)?;
        }
        self.forget_upload(source)?;
        let mut sighting = source.sighting(self.task.drive, outcome, None);
        (sighting.digest, sighting.asset) = (Some(digest), Some(holder));
        self.say(source, outcome, Some(&holder.to_string()));
        self.facts.sightings.push(sighting);
        Ok(())
    }

    fn unreadable(&mut self, source: &Source, why: &str) -> Result<()> {
        if !self.root.exists() {
            let message = format!("the drive at {} went away", self.root.display());
            return Err(Error::paused(message).hint("plug it in again, then run the same command"));
        }
        self.say(source, Outcome::Unreadable, Some(why));
        self.facts.sightings.push(source.sighting(self.task.drive, Outcome::Unreadable, Some(why.to_owned())));
        Ok(())
    }

    /// What went up of a file that is not kept was given up with its deposit.
    fn forget_upload(&self, source: &Source) -> Result<()> {
        if source.bytes <= PARTED {
            return Ok(());
        }
        for stale in self.ingest.catalog.uploads(Some((self.task.drive, &source.path)))? {
            self.ingest.store.abort_upload(&stale.key, &stale.upload.id)?;
            self.ingest.catalog.forget_upload(&stale.key)?;
        }
        Ok(())
    }

    fn changed(&mut self, source: &Source, why: &str) -> Result<()> {
        self.forget_upload(source)?;
        let why = format!("{why}: run the same command again when nothing writes to it");
        self.say(source, Outcome::Unreadable, Some(&why));
        self.facts.sightings.push(source.sighting(self.task.drive, Outcome::Unreadable, Some(why)));
        Ok(())
    }

    fn say(&self, source: &Source, outcome: Outcome, detail: Option<&str>) {
        let what = source.path.to_string();
        self.attempt.reporter.report(&Event::Item { what: &what, outcome: outcome.as_str(), detail });
    }

    /// Makes the whole batch durable at once. What is in the store already is there from a run that died before it
    /// could tell the catalog: the same file at the same place, so it must hold the same bytes.
    fn commit(&mut self) -> Result<()> {
        let (deposits, places): (Vec<Staged>, Vec<usize>) = self.staged.drain(..).unzip();
        if deposits.is_empty() {
            return Ok(());
        }
        let outcomes = self.ingest.store.commit(deposits)?;
        crate::crash::point("ingest.after-commit");
        for (outcome, place) in outcomes.into_iter().zip(places) {
            let (asset, masters) = &self.facts.assets[place];
            let master = &masters[0];
            if outcome == Committed::New {
                continue;
            }
            let root = ocfl::object_root(asset.id)?;
            let there = ocfl::Inventory::read(self.ingest.store, &root)?;
            if !there.is_some_and(|i| i.holds(&master.digest)) {
                let message = format!("the store holds other bytes at {root}, of an unfinished earlier ingest");
                return Err(Error::new(Kind::Conflict, message).hint(
                    "the file changed without a change of its size and time; touch it, then run the same command again",
                ));
            }
        }
        Ok(())
    }
}

/// Opens a file for its one read: never a link, never a pipe that would block.
fn open(path: &Path) -> std::io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let with = |flags: OFlags| OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path);
    // A drive is not written to, not even its access times, where we are allowed to ask for that.
    with(flags | OFlags::NOATIME).or_else(|_| with(flags))
}

fn as_planned(file: &File, source: &Source) -> bool {
    let same = |meta: std::fs::Metadata| {
        let now = Source::new(source.path.clone(), &meta);
        meta.is_file() && now.bytes == source.bytes && now.mtime_ns == source.mtime_ns
    };
    file.metadata().is_ok_and(same)
}
