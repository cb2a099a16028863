//! Does ingest jobs: a batch of files is read, staged, committed to the store in one go, and returned as facts.

use std::{
    collections::{BTreeSet, HashMap, HashSet},
    fs::File,
    io,
    path::{Path, PathBuf},
};

use super::{
    Ingest,
    copy::{Copied, Failed, SUSPECT, copy, hash, look, unreadable_ranges},
    object::{Kept, Object, list, place_of},
    place,
    source::{Source, is_kept, open, why},
    survey::{Along, Lot, Piece, Task},
    upload::{Earlier, Progress, World, upload},
};
use crate::{
    catalog::{Facts, Ledger, Settled},
    digest::Digest,
    error::{Error, Kind, Result},
    media,
    model::{Asset, AssetId, Drive, Key, Master, MediaFacts, Outcome, RawPath, Role, Sighting, Stage},
    store::{Committed, Deposit, Part, Staged, Upload, ocfl},
    work::{Amount, Attempt, Done, Event, StageRun},
};

/// No store takes a file up to this size in parts: each part but the last is at least as large.
const UNPARTED: u64 = 5 << 20;
/// Assets up to this size share an object of the store, up to so many bytes: each of their own would take five more files.
const SHARED: u64 = 1 << 20;
const FULL: u64 = 16 << 20;
/// What stores that are no folders hold in memory until it is committed.
const HELD: u64 = 32 << 20;

impl StageRun for Ingest<'_> {
    fn stage(&self) -> Stage {
        Stage::Ingest
    }

    fn run(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let task: Task = attempt.task()?;
        let drive = self.catalog.drive(task.drive)?;
        // Where it was plugged in may be another drive now; and another host may have told where it is mounted there.
        let Some(drive) = place::find(&drive) else { return Err(place::gone(&drive)) };
        // The job may have been planned before another one dealt with some of its files.
        let paths = task
            .lots
            .iter()
            .flat_map(|lot| lot.pieces.iter().map(|p| &p.source.path).chain(lot.along.iter().map(|a| &a.at)));
        let mut batch = Batch {
            ingest: self,
            attempt,
            known: self.catalog.known_paths(task.drive, paths)?,
            root: drive.root.under(Path::new("/")),
            drive,
            task: &task,
            facts: Facts::default(),
            shared: None,
            staged: Vec::new(),
            held: 0,
            seen: HashMap::new(),
            looked: HashSet::new(),
            buffer: Vec::new(),
            failure: None,
            is_put_off: false,
        };
        task.lots.iter().try_for_each(|lot| batch.take(lot))?;
        batch.commit()?;
        Ok(Done { facts: batch.facts, failure: batch.failure })
    }

    fn settled(&self, settled: &Settled) -> Result<()> {
        crate::crash::point("ingest.before-cleanup");
        // Other bytes of the same content were first. What was put in for these is unknown to the catalog.
        // In an object that holds anything else it stays, as a copy that nobody needs.
        let roots: BTreeSet<Key> = settled.superseded.iter().filter_map(|(_, key)| ocfl::root_of(key)).collect();
        for root in roots {
            if !self.catalog.has_object(&root)? {
                self.store.remove(&root)?;
            }
        }
        Ok(())
    }
}

struct Batch<'a> {
    ingest: &'a Ingest<'a>,
    attempt: &'a Attempt<'a>,
    task: &'a Task,
    drive: Drive,
    root: PathBuf,
    known: HashMap<RawPath, Sighting>,
    facts: Facts,
    /// The object that small assets go into.
    shared: Option<Object>,
    /// Bytes in memory.
    held: u64,
    /// Waiting for the commit, each with what it holds.
    staged: Vec<(Staged, AssetId, Vec<Digest>)>,
    /// Bytes that this batch holds already, and whose asset they are.
    seen: HashMap<Digest, AssetId>,
    /// Sizes and fingerprints of what this batch holds already.
    looked: HashSet<(u64, Digest)>,
    buffer: Vec<u8>,
    /// What is to be tried again.
    failure: Option<Error>,
    /// Whether the last file is.
    is_put_off: bool,
}

impl Batch<'_> {
    /// Deals with the files of one asset. Their own faults become their outcome; an error is everybody's.
    fn take(&mut self, lot: &Lot) -> Result<()> {
        let is_shared = lot.bytes() <= SHARED;
        let mut kept = Kept { owner: lot.owner, has_main: lot.owner.is_some(), ..Kept::default() };
        let mut object = if is_shared { self.shared.take() } else { None };
        let mut along = lot.along.clone();
        for piece in &lot.pieces {
            self.attempt.stop.check()?;
            let source = &piece.source;
            let before = self.known.get(&source.path).cloned();
            if let Some(known) = before.as_ref().filter(|k| !source.again && source.is_settled_by(k)) {
                // Its sidecars join what it is.
                kept.owner = kept.owner.or(known.asset.filter(|_| piece.role == Role::Main));
                kept.has_main |= piece.role == Role::Main;
                continue;
            }
            // What leads an asset is its first file that can be read.
            if kept.masters.is_empty() {
                kept.id = Some(source.asset_id(self.task.drive));
            }
            self.piece(piece, before.as_ref(), is_shared, &mut kept, &mut object)?;
            // What was in the archive before it was read, or is it again, may not be a member yet.
            if piece.role != Role::Main && source.replaces.is_some() {
                along.push(Along { at: source.path.clone(), role: piece.role, name: piece.name.clone() });
            }
            // What belongs to it waits with it.
            if std::mem::take(&mut self.is_put_off) && piece.role == Role::Main {
                break;
            }
        }
        self.bring(along, &mut kept)?;
        let Some(mut object) = object else { return Ok(()) };
        if !kept.masters.is_empty() {
            object.lots.push(kept);
        }
        if is_shared && object.bytes < FULL {
            self.shared = Some(object);
        } else {
            self.close(object)?;
        }
        if self.held >= HELD { self.commit() } else { Ok(()) }
    }

    /// Makes files that are in the archive members of the asset that their main file is.
    fn bring(&mut self, along: Vec<Along>, kept: &mut Kept) -> Result<()> {
        let asset = kept.masters.first().map(|m| m.asset).or(kept.owner);
        let Some(asset) = asset.filter(|_| kept.has_main) else { return Ok(()) };
        for Along { at, role, name } in along {
            let latest = self.facts.sightings.iter().rev().find(|s| s.path == at).or_else(|| self.known.get(&at));
            let Some(known) = latest.filter(|s| is_kept(s)).cloned() else { continue };
            let catalog = self.ingest.catalog;
            let Some(digest) = known.digest else { continue };
            // One that the store has lost is taken in anew.
            if catalog.holder(&digest)?.is_none() {
                continue;
            }
            let Some(master) = catalog.master_by_digest(&digest)? else { continue };
            let master = Master { asset, role, name, ..master };
            if kept.masters.is_empty() {
                self.facts.joined.push(master);
            } else {
                kept.along.push(master);
            }
            if known.asset != Some(asset) {
                self.facts.sightings.push(Sighting { asset: Some(asset), ..known });
            }
        }
        Ok(())
    }

    /// Deals with one file.
    fn piece(
        &mut self,
        piece: &Piece,
        before: Option<&Sighting>,
        is_shared: bool,
        kept: &mut Kept,
        object: &mut Option<Object>,
    ) -> Result<()> {
        let source = &piece.source;
        let at = source.path.under(&self.root);
        let mut file = match open(&at) {
            Ok(file) => file,
            Err(e) => return self.unreadable(source, before, None, &e),
        };
        if !source.is_still(&file) {
            return self.changed(source, "changed since it was looked at");
        }
        let id = kept.id.unwrap_or_else(|| source.asset_id(self.task.drive));
        let is_lost = before.is_some_and(|k| k.asset.is_some() && k.outcome == Outcome::Unreadable);
        let mut open = match object.take() {
            Some(object) if object.is_shared || !object.files.is_empty() => object,
            _ => self.begin(id, is_shared, is_lost)?,
        };
        open.is_again |= is_lost;
        let (content, name) = place_of(&open, id, piece);
        let read = self.read(&mut file, piece, before, (id, &mut open), &content, &name)?;
        let Some((copied, facts)) = read else {
            // Sidecars of a file whose bytes are known join what has them.
            if piece.role == Role::Main && kept.owner.is_none() && kept.masters.is_empty() {
                kept.owner = self.facts.sightings.last().filter(|s| s.path == source.path).and_then(|s| s.asset);
                kept.has_main = kept.owner.is_some();
            }
            *object = Some(open);
            return Ok(());
        };
        let asset = kept.owner.unwrap_or(id);
        if kept.masters.is_empty() {
            kept.title = source.path.file_name_text();
        }
        // What is left of a lot whose main file cannot be read is led by its first that can.
        let is_first = kept.owner.is_none() && kept.masters.is_empty();
        // Kept as it is, and told: nobody should find out years later.
        let damaged = facts.problem.as_ref().map(|p| format!("damaged: {p}"));
        let odd = damaged.or_else(|| media::sniff::false_name(&source.path.file_name_text(), facts.kind, &facts.mime));
        let odd: Vec<String> = odd.into_iter().chain(piece.note.clone()).collect();
        let odd = (!odd.is_empty()).then(|| odd.join("; "));
        self.seen.insert(copied.digest, asset);
        if let Some(fingerprint) = copied.fingerprint {
            self.looked.insert((copied.bytes, fingerprint));
        }
        kept.has_main |= piece.role == Role::Main;
        kept.masters.push(Master {
            asset,
            generation: 1,
            role: if is_first { Role::Main } else { piece.role },
            name: piece.name.clone(),
            digest: copied.digest,
            bytes: copied.bytes,
            fingerprint: copied.fingerprint,
            key: open.prefix.join(&ocfl::content_path(&content))?,
            facts,
        });
        open.bytes += copied.bytes;
        open.files.push((copied.digest, content, name));
        *object = Some(open);
        self.tell(source, Outcome::Stored, odd, Some(copied.digest), Some(asset));
        Ok(())
    }

    fn begin(&self, asset: AssetId, is_shared: bool, is_again: bool) -> Result<Object> {
        let id = match is_again {
            true => AssetId::derived(&[asset.to_string(), self.attempt.began.to_string()]),
            false => asset,
        };
        let prefix = ocfl::object_root(id)?;
        let deposit = self.ingest.store.stage(&prefix)?;
        Ok(Object { id, prefix, deposit, is_shared, is_again, bytes: 0, files: Vec::new(), lots: Vec::new() })
    }

    /// Reads a file once, into the object's deposit. None: its bytes are not new, or could not be had, which is told.
    fn read(
        &mut self,
        file: &mut File,
        piece: &Piece,
        before: Option<&Sighting>,
        (asset, object): (AssetId, &mut Object),
        content: &str,
        called: &str,
    ) -> Result<Option<(Copied, MediaFacts)>> {
        let source = &piece.source;
        if source.again || self.is_suspect(file, source)? {
            // Most likely a copy: nothing is sent before that is certain.
            let tick = |n| self.attempt.read(n);
            match hash(file, &tick) {
                Ok(digest) => {
                    if !self.is_promised(source, &digest)? {
                        return Ok(None);
                    }
                    let known = self.holder(&digest)?;
                    if let (true, Some(k), Some(_)) = (source.again && source.replaces == Some(digest), before, known) {
                        self.tell(source, k.outcome, k.detail.clone(), Some(digest), k.asset);
                        return Ok(None);
                    }
                    if let Some(holder) = known {
                        if !source.is_still(file) {
                            return self.changed(source, "changed while it was read").map(|()| None);
                        }
                        return self.known_bytes(source, before, digest, holder).map(|()| None);
                    }
                    io::Seek::rewind(file).map_err(|e| crate::error::io("cannot read again", e))?;
                }
                Err(Failed::Writing(e)) => return Err(e),
                Err(Failed::Reading(e)) => {
                    return self.unreadable(source, before, Some(file), &e).map(|()| None);
                }
            }
        }
        let name = ocfl::content_path(content);
        let key = object.prefix.join(&name)?;
        let mut in_parts = true;
        let copied = match self.in_parts(file, source, &mut *object.deposit, &key, &name)? {
            Some(copied) => copied,
            None => {
                in_parts = false;
                let mut sink = object.deposit.create(&name, Some(source.bytes))?;
                let tick = |n| self.attempt.read(n);
                copy(file, source.bytes, &mut sink, &mut self.buffer, &self.attempt.stop, &tick)
            }
        };
        let copied = match copied {
            Ok(copied) => copied,
            Err(Failed::Writing(e)) => return Err(e),
            Err(Failed::Reading(e)) => {
                object.deposit.discard(&name)?;
                return self.unreadable(source, before, Some(file), &e).map(|()| None);
            }
        };
        crate::crash::point("ingest.after-copy");
        if copied.bytes != source.bytes || !source.is_still(file) {
            object.deposit.discard(&name)?;
            return self.changed(source, "changed while it was read").map(|()| None);
        }
        if !self.is_promised(source, &copied.digest)? {
            object.deposit.discard(&name)?;
            return Ok(None);
        }
        if let Some(holder) = self.holder(&copied.digest)? {
            object.deposit.discard(&name)?;
            // Two files of one asset that are the same are one in its object, under both names.
            if holder == asset
                && let Some((_, place, _)) = object.files.iter().find(|(d, ..)| *d == copied.digest)
            {
                let place = place.clone();
                object.files.push((copied.digest, place, called.to_owned()));
            }
            return self.known_bytes(source, before, copied.digest, holder).map(|()| None);
        }
        object.deposit.known(&name, copied.digest);
        let local = object.deposit.local_path(&name);
        if local.is_none() && !in_parts {
            self.held += source.bytes;
        }
        let at = source.path.under(&self.root);
        let head = &copied.head[..copied.head.len().min(media::sniff::HEAD)];
        let facts = self.measure(local.as_deref().unwrap_or(&at), head)?;
        Ok(Some((copied, facts)))
    }

    /// Whether a file has the size, head and tail of one that is known.
    fn is_suspect(&self, file: &File, source: &Source) -> Result<bool> {
        if source.bytes <= SUSPECT {
            return Ok(false);
        }
        let known = self.ingest.catalog.fingerprints(source.bytes)?;
        if known.is_empty() && !self.looked.iter().any(|(bytes, _)| *bytes == source.bytes) {
            return Ok(false);
        }
        // What cannot be read now cannot be read later either, and is told there.
        let Ok(found) = look(file, source.bytes) else { return Ok(false) };
        Ok(known.contains(&found) || self.looked.contains(&(source.bytes, found)))
    }

    /// Completes an object and returns what it holds as facts.
    fn close(&mut self, mut object: Object) -> Result<()> {
        if object.lots.is_empty() {
            return Ok(());
        }
        if object.is_shared {
            // Told by what it holds: the same files make the same object, however often they are tried.
            let mut fields: Vec<Vec<u8>> = vec![b"shared".to_vec()];
            fields.extend(object.files.iter().map(|(digest, content, _)| format!("{digest} {content}").into_bytes()));
            if object.is_again {
                fields.push(self.attempt.began.to_string().into_bytes());
            }
            object.id = AssetId::derived(&fields);
            object.prefix = ocfl::object_root(object.id)?;
            object.deposit.place(&object.prefix)?;
            for master in object.lots.iter_mut().flat_map(|lot| &mut lot.masters) {
                let content = object.files.iter().find(|(digest, ..)| *digest == master.digest);
                let content = content.map_or("", |(_, content, _)| content);
                master.key = object.prefix.join(&ocfl::content_path(content))?;
            }
        }
        let created = jiff::Timestamp::from_millisecond(self.attempt.began).unwrap_or_default().to_string();
        let what = match object.lots.as_slice() {
            [Kept { owner: Some(owner), title, .. }] => format!("{title} (belongs to {})", ocfl::object_id(*owner)),
            [one] => one.title.clone(),
            all => format!("{} small assets", all.len()),
        };
        let message = format!("ingested from {}: {what}", self.drive.label);
        ocfl::Inventory::first(object.id, &object.files, &created, message).complete(&mut *object.deposit)?;
        let digests = object.files.iter().map(|(digest, ..)| *digest).collect();
        self.staged.push((object.deposit.finish()?, object.id, digests));
        for lot in object.lots {
            match (lot.owner, lot.id, lot.masters.first()) {
                (None, Some(id), Some(main)) => {
                    let (kind, collection) = (main.facts.kind, self.task.collection.clone());
                    let asset = Asset { id, kind, title: lot.title, collection, created_at: self.attempt.began };
                    self.facts.assets.push((asset, lot.masters.into_iter().chain(lot.along).collect()));
                }
                _ => self.facts.joined.extend(lot.masters.into_iter().chain(lot.along)),
            }
        }
        Ok(())
    }

    /// Sends a large file in parts, from where the ledger says that an earlier attempt ended. None where the store takes
    /// it as a whole.
    fn in_parts(
        &self,
        file: &mut File,
        source: &Source,
        deposit: &mut dyn Deposit,
        key: &Key,
        name: &str,
    ) -> Result<Option<Result<Copied, Failed>>> {
        if source.bytes <= UNPARTED {
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
        let identity = source.identity();
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
        let tick = |n| self.attempt.read(n);
        let skip = |n| self.attempt.tick(Amount::Bytes(n));
        let world = World { stop: &self.attempt.stop, tick: &tick, skip: &skip, keep: &keep, note: &note };
        let mut known = catalog.upload(key)?.filter(|l| l.identity == identity);
        loop {
            let upload_then = known.as_ref().map(|l| l.upload.clone());
            let Some(parts) = deposit.parts(name, source.bytes, upload_then)? else { return Ok(None) };
            let began = parts.upload().clone();
            let same = |l: &Ledger| l.upload.id == began.id && l.hashed > 0;
            let earlier = known
                .take()
                .filter(same)
                .map(|l| Earlier { progress: Progress { hashed: l.hashed, state: l.state }, read: l.upload.parts });
            // Known before the first part is sent: no upload that the ledger does not know is left behind.
            if earlier.is_none() {
                catalog.forget_upload(key)?;
                keep(&began, &began.parts, &Progress { hashed: 0, state: String::new() })?;
            }
            match upload(file, source.bytes, parts, earlier, &world).transpose() {
                Some(copied) => return Ok(Some(copied)),
                None => {
                    note("the file is not the one whose upload began: starting over");
                    deposit.discard(name)?;
                    catalog.forget_upload(key)?;
                    io::Seek::rewind(file).map_err(|e| crate::error::io("cannot read again", e))?;
                }
            }
        }
    }

    /// The asset that has these bytes already.
    fn holder(&self, digest: &Digest) -> Result<Option<AssetId>> {
        match self.seen.get(digest) {
            Some(known) => Ok(Some(*known)),
            None => self.ingest.catalog.holder(digest),
        }
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

    fn known_bytes(
        &mut self,
        source: &Source,
        before: Option<&Sighting>,
        digest: Digest,
        holder: AssetId,
    ) -> Result<()> {
        // An earlier run may have died between the store and the catalog, and another path was first since.
        let asset = source.asset_id(self.task.drive);
        let own = ocfl::object_root(asset)?;
        // Removed only when the bytes are safe elsewhere: the holder may as yet be this batch's own intention.
        if source.bytes > SHARED
            && self.ingest.store.size(&own.join("inventory.json")?)?.is_some()
            && !self.ingest.catalog.has_object(&own)?
            && self.ingest.catalog.has_asset(holder)?
        {
            self.ingest.store.remove(&own)?;
        }
        self.forget_upload(source)?;
        // A file that was only touched is still the one that its asset was stored from.
        let is_same = before.is_some_and(|k| k.asset == Some(holder) && k.outcome == Outcome::Stored);
        let outcome = if is_same { Outcome::Stored } else { Outcome::Duplicate };
        self.tell(source, outcome, None, Some(digest), Some(holder));
        Ok(())
    }

    /// Tells of a file that cannot be read. The first time it is left for the end, for what a drive cannot read now it
    /// may be able to read later; then what cannot be read of it is found out and listed.
    fn unreadable(
        &mut self,
        source: &Source,
        before: Option<&Sighting>,
        file: Option<&File>,
        error: &io::Error,
    ) -> Result<()> {
        if !place::is_here(&self.drive) {
            return Err(place::gone(&self.drive));
        }
        if source.again {
            return self.not_again(source, &error.to_string());
        }
        const EIO: i32 = 5;
        let is_io = error.raw_os_error() == Some(EIO);
        let was_tried = before.is_some_and(|k| {
            k.outcome == Outcome::Unreadable && (k.bytes, k.mtime_ns) == (source.bytes, source.mtime_ns)
        });
        let at = source.path.under(&self.root);
        let why = match file.filter(|_| is_io && was_tried) {
            Some(file) => {
                let ranges = unreadable_ranges(file, source.bytes, &self.attempt.stop)?;
                if !place::is_here(&self.drive) {
                    return Err(place::gone(&self.drive));
                }
                format!("{error}: {}", list(&ranges, source.bytes))
            }
            None => why(&at, error),
        };
        if is_io && !was_tried {
            self.failure = Some(Error::unavailable(format!("{} cannot be read: {error}", source.path)));
            self.is_put_off = true;
            let later = format!("{why}: to be tried again when everything else is done");
            self.tell(source, Outcome::Unreadable, Some(later), None, None);
            return Ok(());
        }
        if is_io {
            self.forget_upload(source)?;
        }
        self.tell(source, Outcome::Unreadable, Some(why), None, None);
        Ok(())
    }

    /// Whether a file's bytes are those that were promised; others are told.
    fn is_promised(&mut self, source: &Source, digest: &Digest) -> Result<bool> {
        let Some(promised) = source.promised.filter(|promised| promised != digest) else { return Ok(true) };
        let why = format!("its SHA-256 is {digest}, and the bag's manifest says {promised}");
        match source.again {
            true => self.not_again(source, &why)?,
            false => {
                self.forget_upload(source)?;
                self.tell(source, Outcome::Unreadable, Some(format!("{why}: it was not taken in")), None, None);
            }
        }
        Ok(false)
    }

    /// What went up of a file that is not kept was given up with its deposit.
    fn forget_upload(&self, source: &Source) -> Result<()> {
        if source.bytes <= UNPARTED {
            return Ok(());
        }
        for stale in self.ingest.catalog.uploads(Some((self.task.drive, &source.path)))? {
            self.ingest.store.abort_upload(&stale.key, &stale.upload.id)?;
            self.ingest.catalog.forget_upload(&stale.key)?;
        }
        Ok(())
    }

    /// Tells of a file that could not be read again. What is known of it stays: its bytes were taken in.
    fn not_again(&mut self, source: &Source, why: &str) -> Result<()> {
        let message = format!("{} could not be read again: {why}", source.path);
        self.failure.get_or_insert(Error::invalid(message));
        if let Some(k) = self.known.get(&source.path).cloned() {
            self.tell(source, k.outcome, Some(format!("it could not be read again: {why}")), k.digest, k.asset);
        }
        Ok(())
    }

    fn changed(&mut self, source: &Source, why: &str) -> Result<()> {
        self.forget_upload(source)?;
        if source.again {
            return self.not_again(source, why);
        }
        let why = format!("{why}: run the same command again when nothing writes to it");
        self.tell(source, Outcome::Unreadable, Some(why), None, None);
        Ok(())
    }

    /// Records and reports what became of a file.
    fn tell(
        &mut self,
        source: &Source,
        outcome: Outcome,
        detail: Option<String>,
        digest: Option<Digest>,
        asset: Option<AssetId>,
    ) {
        let is_other = source.again && digest.is_some() && digest != source.replaces;
        let other = is_other
            .then_some("its bytes are not those that were taken in before, though its size and times are the same");
        let detail: Vec<String> = other.map(str::to_owned).into_iter().chain(detail).collect();
        let detail = (!detail.is_empty()).then(|| detail.join("; "));
        let what = source.path.to_string();
        let holder = asset.filter(|_| outcome == Outcome::Duplicate).map(|a| a.to_string());
        let said = holder.as_deref().or(detail.as_deref());
        self.attempt.reporter.report(&Event::Item { what: &what, outcome: outcome.as_str(), detail: said });
        let mut sighting = source.sighting(self.task.drive, outcome, detail);
        (sighting.digest, sighting.asset) = (digest, asset);
        self.facts.sightings.push(sighting);
    }

    /// Makes the whole batch durable at once. What is in the store already is there from a run that died before it
    /// could tell the catalog: the same file at the same place, so it must hold the same bytes.
    fn commit(&mut self) -> Result<()> {
        if let Some(object) = self.shared.take() {
            self.close(object)?;
        }
        self.held = 0;
        let mut deposits = Vec::with_capacity(self.staged.len());
        let mut holds = Vec::with_capacity(self.staged.len());
        for (staged, id, digests) in self.staged.drain(..) {
            deposits.push(staged);
            holds.push((id, digests));
        }
        if deposits.is_empty() {
            return Ok(());
        }
        let outcomes = self.ingest.store.commit(deposits)?;
        crate::crash::point("ingest.after-commit");
        for (outcome, (id, digests)) in outcomes.into_iter().zip(holds) {
            if outcome == Committed::New {
                continue;
            }
            let root = ocfl::object_root(id)?;
            let there = ocfl::Inventory::read(self.ingest.store, &root)?;
            let missing: Vec<Digest> =
                digests.iter().filter(|d| !there.as_ref().is_some_and(|i| i.holds(d))).copied().collect();
            if missing.len() == digests.len() {
                let message = format!("the store holds other bytes at {root}, of an unfinished earlier ingest");
                return Err(Error::new(Kind::Conflict, message).hint(
                    "the file changed without a change of its size and time; touch it, then run the same command again",
                ));
            }
            if !missing.is_empty() {
                // It was completed before its latest sidecars were there: they join it in an object of their own.
                let is_kept = |m: &Master| !missing.contains(&m.digest);
                self.facts.assets.iter_mut().for_each(|(_, masters)| masters.retain(is_kept));
                self.facts.joined.retain(is_kept);
                self.facts.sightings.retain(|s| s.digest.is_none_or(|d| !missing.contains(&d)));
                self.failure = Some(Error::unavailable(format!("files of {root} came after it was stored")));
            }
        }
        Ok(())
    }
}
