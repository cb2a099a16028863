//! Files that others send to the store, by addresses that are good for a while.
//!
//! [`presign`] announces one: an asset is planned, and an upload begun of which only its addresses are given out.
//! [`wanted`] makes jobs of what is announced and not settled; [`Receive`] looks what has arrived. What is all there is
//! read once, held against what was announced, and becomes an asset; or it failed, and is removed.
//!
//! Whoever sends may take hours, so these jobs are patient: one fails for want of the file only when the addresses have
//! run out.

use std::{
    fs::File,
    io::{self, Read, Write},
    path::PathBuf,
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Catalog, Facts, Landed, Settled, Wanted},
    digest::{Digest, FINGERPRINT, Hasher, fingerprint},
    error::{Doing, Error, Kind, Result},
    media::{self, child::ChildProcess, sniff},
    model::{Arrival, ArrivalState, Asset, AssetId, Key, Master, MediaFacts, MediaKind, Role, Stage},
    spool::Spool,
    store::{Arrived, Store, Upload, ocfl},
    work::{Attempt, Done, Event, StageRun},
};

/// What is planned and drained together: all arrivals.
pub const SCOPE: &str = "arrivals";
/// A part whose sending began in time may end so much later.
const GRACE_MS: i64 = 15 * 60 * 1000;

/// A file that somebody wants to send.
#[derive(Clone, Debug, PartialEq)]
pub struct Announced {
    /// What it is called.
    pub name: String,
    /// Its size in bytes.
    pub bytes: u64,
    /// Its SHA-256.
    pub digest: Digest,
    /// The collection that it will belong to.
    pub collection: Option<String>,
}

/// The answer to an announcement.
#[derive(Clone, Debug, PartialEq)]
pub enum Presigned {
    /// The archive has these bytes: nothing is to be sent.
    Present(AssetId),
    /// Where to send it: an address for each part.
    Expected(Box<Arrival>, Vec<String>),
}

/// Announces a file: plans its asset, and begins its upload.
pub fn presign(catalog: &Catalog, store: &dyn Store, file: &Announced, valid: Duration) -> Result<Presigned> {
    if file.name.is_empty() || file.name.contains(['/', '\0']) || matches!(file.name.as_str(), "." | "..") {
        return Err(Error::invalid(format!("'{}' is not the name of a file", file.name)));
    }
    if file.bytes == 0 {
        return Err(Error::invalid("an empty file is not kept"));
    }
    if let Some(asset) = catalog.holder(&file.digest)? {
        return Ok(Presigned::Present(asset));
    }
    let asset = AssetId(uuid::Uuid::now_v7());
    let key = ocfl::object_root(asset)?.join(&ocfl::content_path(&Key::segment(file.name.as_bytes())))?;
    let Some((upload, addresses)) = store.begin_presigned(&key, file.bytes, valid)? else {
        return Err(Error::unsupported("this archive's store gives no addresses to send files to")
            .hint("a bucket does; into a folder, 'damctl ingest' takes files"));
    };
    let now = catalog.now()?;
    let arrival = Arrival {
        asset,
        name: file.name.clone(),
        collection: file.collection.clone(),
        bytes: file.bytes,
        digest: file.digest,
        key: key.clone(),
        upload: upload.id.clone(),
        part_bytes: upload.part_bytes,
        state: ArrivalState::Pending,
        error: None,
        holder: None,
        expires_at: now.saturating_add(valid.as_millis() as i64),
        created_at: now,
    };
    if let Err(e) = catalog.announce(&arrival) {
        store.abort_upload(&key, &upload.id).ok();
        return Err(e);
    }
    Ok(Presigned::Expected(Box::new(arrival), addresses))
}

/// The instructions of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Task {
    asset: AssetId,
}

/// A job for each arrival that is not settled.
pub fn wanted(catalog: &Catalog) -> Result<Vec<Wanted>> {
    let open = catalog.arrivals(&[ArrivalState::Pending, ArrivalState::Uploaded])?;
    let job = |a: Arrival| Wanted {
        stage: Stage::Receive,
        scope: SCOPE.to_owned(),
        subject: a.name,
        recipe: a.asset.to_string(),
        task: serde_json::to_value(Task { asset: a.asset }).unwrap_or_default(),
        priority: 0,
    };
    Ok(open.into_iter().map(job).collect())
}

/// The stage.
pub struct Receive<'a> {
    /// What is known.
    pub catalog: &'a Catalog,
    /// Where files arrive.
    pub store: &'a dyn Store,
    /// Measures what has to be decoded for it.
    pub child: &'a ChildProcess,
    /// For copies of what has to be measured.
    pub spool: &'a Spool,
    /// Whether a job waits for what has not arrived; else one look is all.
    pub waits: bool,
}

impl StageRun for Receive<'_> {
    fn stage(&self) -> Stage {
        Stage::Receive
    }

    fn is_patient(&self) -> bool {
        true
    }

    fn run(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let task: Task = attempt.task()?;
        let gone = || Error::not_found(format!("nothing was announced as asset {}", task.asset));
        let arrival = self.catalog.arrival(task.asset)?.ok_or_else(gone)?;
        if !arrival.state.is_open() {
            return Ok(Done::default());
        }
        if let Some(ended) = self.look(attempt, &arrival)? {
            return Ok(ended);
        }
        if arrival.state == ArrivalState::Pending {
            self.catalog.arrival_uploaded(&attempt.lease(), arrival.asset)?;
        }
        crate::crash::point("receive.uploaded");
        let read = self.read(attempt, &arrival)?;
        if (read.digest, read.bytes) != (arrival.digest, arrival.bytes) {
            let why = format!(
                "other bytes arrived than were announced: {} bytes with SHA-256 {}, not {} bytes with {}",
                read.bytes, read.digest, arrival.bytes, arrival.digest
            );
            return Ok(fail(&arrival, Kind::Corrupt, why));
        }
        let facts = self.measure(attempt, &arrival, &read)?;
        let created = jiff::Timestamp::from_millisecond(arrival.created_at).unwrap_or_default().to_string();
        let segment = Key::segment(arrival.name.as_bytes());
        let message = format!("received as {}", arrival.name);
        let files = [(arrival.digest, segment, arrival.name.clone())];
        let inventory = ocfl::Inventory::first(arrival.asset, &files, &created, message);
        inventory.put(self.store, &ocfl::object_root(arrival.asset)?)?;
        crate::crash::point("receive.before-settle");
        self.say(attempt, &arrival, "stored", facts.problem.as_deref());
        Ok(keep(attempt, arrival, read.fingerprint, facts).into())
    }

    fn settled(&self, settled: &Settled) -> Result<()> {
        // Nothing in the catalog is theirs: bytes that others had first, and what was not what was announced.
        for (asset, _) in &settled.superseded {
            self.store.remove(&ocfl::object_root(*asset)?)?;
        }
        Ok(())
    }
}

/// What reading an object told.
struct ReadBack {
    digest: Digest,
    bytes: u64,
    fingerprint: Digest,
    head: Vec<u8>,
    /// Where it can be measured, and what keeps it there.
    file: Option<(PathBuf, Option<tempfile::TempDir>)>,
}

impl Receive<'_> {
    /// Looks what has arrived. None: all of it; else what the job ends with.
    fn look(&self, attempt: &Attempt<'_>, arrival: &Arrival) -> Result<Option<Done>> {
        let upload =
            Upload { id: arrival.upload.clone(), part_bytes: arrival.part_bytes, parts: Vec::new(), checksum: None };
        let is_late = attempt.began > arrival.expires_at.saturating_add(GRACE_MS);
        match self.store.receive(&arrival.key, &upload, arrival.bytes) {
            Ok(Arrived::Here { .. }) => Ok(None),
            Ok(Arrived::Missing { bytes }) if is_late => {
                self.store.abort_upload(&arrival.key, &arrival.upload)?;
                let why = format!("it did not come in time: {bytes} of {} bytes were there", arrival.bytes);
                Ok(Some(fail(arrival, Kind::NotFound, why)))
            }
            Ok(Arrived::Missing { bytes }) => {
                let so_far = format!("{bytes} of {} bytes have arrived", arrival.bytes);
                if self.waits {
                    return Err(Error::unavailable(so_far));
                }
                self.say(attempt, arrival, "pending", Some(&so_far));
                // This look is done. The arrival is not, so the next plan has it again.
                Ok(Some(Done::default()))
            }
            Err(e) if e.kind() == Kind::NotFound => {
                let why = match is_late {
                    true => "it did not come in time".to_owned(),
                    false => e.one_line(),
                };
                Ok(Some(fail(arrival, Kind::NotFound, why)))
            }
            Err(e) if e.kind() == Kind::Conflict => Ok(Some(fail(arrival, Kind::Corrupt, e.one_line()))),
            Err(e) => Err(e),
        }
    }

    /// The one read of the object: digest, length, head, and a copy where it has to be measured and the store is no
    /// folder.
    fn read(&self, attempt: &Attempt<'_>, arrival: &Arrival) -> Result<ReadBack> {
        let mut from = self.store.open(&arrival.key, None)?;
        let mut head = Vec::new();
        from.by_ref()
            .take(FINGERPRINT as u64)
            .read_to_end(&mut head)
            .doing(|| format!("cannot read {}", arrival.key))?;
        let is_measured = !matches!(sniff::sniff(sniffed(&head)).0, MediaKind::Sidecar | MediaKind::Other);
        let (mut copy, mut file) = (None, None);
        if is_measured {
            file = match self.store.local_path(&arrival.key) {
                Some(path) => Some((path, None)),
                None => {
                    let dir = self.spool.dir("receive")?;
                    let path = dir.path().join("object");
                    copy = Some(File::create_new(&path).doing(|| format!("cannot make {}", path.display()))?);
                    Some((path, Some(dir)))
                }
            };
        }
        let mut both = Both { from: head.as_slice().chain(from), copy, tail: Vec::new() };
        let (digest, bytes) = Hasher::read_all(&mut both, |n| {
            attempt.read(n)?;
            attempt.stop.check()
        })?;
        let fingerprint = fingerprint(bytes, &head, &both.tail);
        Ok(ReadBack { digest, bytes, fingerprint, head, file })
    }

    fn measure(&self, attempt: &Attempt<'_>, arrival: &Arrival, read: &ReadBack) -> Result<MediaFacts> {
        let head = sniffed(&read.head);
        let (kind, mime) = sniff::sniff(head);
        let Some((path, _)) = &read.file else { return Ok(MediaFacts::bare(kind, mime)) };
        match media::measure(path, head, self.child, self.spool, &attempt.stop) {
            Err(e) if matches!(e.kind(), Kind::Stopped | Kind::Paused | Kind::LeaseLost) => Err(e),
            Err(e) if e.kind().is_retryable() && attempt.began < arrival.expires_at => Err(e),
            // It is what was announced, so it is kept all the same.
            Err(e) => {
                let problem = Some(format!("it could not be measured: {}", e.one_line()));
                Ok(MediaFacts { problem, ..MediaFacts::bare(kind, mime) })
            }
            measured => measured,
        }
    }

    fn say(&self, attempt: &Attempt<'_>, arrival: &Arrival, outcome: &str, detail: Option<&str>) {
        attempt.reporter.report(&Event::Item { what: &arrival.name, outcome, detail });
    }
}

/// As much of a file's head as tells what it is.
fn sniffed(head: &[u8]) -> &[u8] {
    &head[..head.len().min(sniff::HEAD)]
}

fn keep(attempt: &Attempt<'_>, arrival: Arrival, fingerprint: Digest, facts: MediaFacts) -> Facts {
    let Arrival { asset, name, collection, bytes, digest, key, .. } = arrival;
    let kind = facts.kind;
    let master = Master {
        asset,
        generation: 1,
        role: Role::Main,
        name: name.clone(),
        digest,
        bytes,
        fingerprint: Some(fingerprint),
        key,
        facts,
    };
    Facts {
        assets: vec![(Asset { id: asset, kind, title: name, collection, created_at: attempt.began }, vec![master])],
        arrivals: vec![Landed { asset, failure: None }],
        ..Facts::default()
    }
}

fn fail(arrival: &Arrival, kind: Kind, why: String) -> Done {
    let landed = Landed { asset: arrival.asset, failure: Some(why.clone()) };
    let failure = Error::new(kind, why).hint("announce it again: 'damctl presign'");
    Done { facts: Facts { arrivals: vec![landed], ..Facts::default() }, failure: Some(failure) }
}

/// What is read goes into a copy as well, and its end is remembered.
struct Both<R> {
    from: R,
    copy: Option<File>,
    tail: Vec<u8>,
}

impl<R: Read> Read for Both<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buffer)?;
        if let Some(copy) = &mut self.copy {
            copy.write_all(&buffer[..n])?;
        }
        self.tail.extend_from_slice(&buffer[..n]);
        let over = self.tail.len().saturating_sub(FINGERPRINT);
        self.tail.drain(..over);
        Ok(n)
    }
}
