//! The certificate of a drive: what became of every path on it, so that somebody may decide to wipe it.
//!
//! [`Certificate`] is the statement, a document for machines; text and HTML are views of it. [`issue`] makes one of what
//! was found on the drive ([`Seen`]) and what the catalog says; [`Certificate::check`] asks the store besides.
//! [`compare`] holds two against each other, and [`SealKey`] signs the bytes of a document.

use std::collections::{BTreeMap, HashMap};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Account, Catalog, Unfinished},
    digest::Digest,
    error::{Error, Result},
    model::{AssetId, Drive, DriveId, Key, Outcome, RawPath, Sighting},
};

mod check;
mod compare;
mod seal;

pub use compare::{Change, Comparison, compare};
pub use seal::{SealKey, verify_seal};

const FORMAT: &str = "damctl certificate";
/// Grows when a reader of an earlier version would misread the document.
const VERSION: u32 = 1;

/// What a certificate is about, and what not.
const COVERS: &str = "Content by SHA-256 as it was read, path, size and modification time of every file; one whose size \
                      and time are unchanged, and on file systems that keep them its inode and time of change, was not \
                      read again. Not covered: empty folders, permissions, extended attributes and resource forks.";

/// The statement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Certificate {
    /// The head of the document.
    #[serde(flatten)]
    pub head: Head,
    /// Every path, sorted by its bytes.
    pub paths: Vec<Entry>,
}

/// All but the list of paths.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Head {
    /// What kind of document this is.
    pub format: String,
    /// Its version.
    pub version: u32,
    /// When it was issued.
    pub issued: Timestamp,
    /// The program and its version.
    pub issuer: String,
    /// SHA-256 of the public key (DER) that the issuer meant to sign it with.
    pub signer: Option<Digest>,
    /// The archive that holds the bytes.
    pub archive: String,
    /// The drive.
    pub drive: Subject,
    /// What it rests on.
    pub basis: Basis,
    /// What was asked of the store when it was issued, if anything.
    pub store_check: Option<StoreCheck>,
    /// What is certified, and what not.
    pub covers: String,
    /// Whether nothing is missing.
    pub complete: bool,
    /// The result in words.
    pub statement: String,
    /// Sums of what is on the drive.
    pub totals: Vec<Total>,
    /// Sums of what is known of it and is not on it any more.
    pub gone: Sum,
}

/// The drive that a certificate is of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Subject {
    /// Its id in the catalog.
    pub id: DriveId,
    /// What identifies it.
    pub identity: String,
    /// Its name for people.
    pub label: String,
    /// Where its root was.
    pub root: RawPath,
    /// File system UUID.
    pub fs_uuid: Option<String>,
    /// Hardware serial number.
    pub serial: Option<String>,
    /// Size of the file system in bytes.
    pub bytes: Option<u64>,
}

/// What a certificate rests on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum Basis {
    /// The drive was there and was walked.
    Drive {
        /// When.
        surveyed: Timestamp,
    },
    /// The drive was not there: what the catalog knows of it.
    Catalog {
        /// When it was last surveyed as a whole.
        surveyed: Option<Timestamp>,
    },
}

/// What the store answered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct StoreCheck {
    /// When it was asked.
    pub at: Timestamp,
    /// For how many objects.
    pub objects: u64,
    /// How many it does not have.
    pub missing: u64,
}

/// Files and bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Sum {
    /// Number of paths.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
}

/// The sum of one standing.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Total {
    /// Which.
    pub outcome: Standing,
    /// How much.
    #[serde(flatten)]
    pub sum: Sum,
}

/// How a path stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Standing {
    /// On the drive, and unknown or changed since it was ingested.
    NotIngested,
    /// It could not be read.
    Unreadable,
    /// It was ingested, and the archive does not have it any more.
    Missing,
    /// A part of the archive itself.
    Archive,
    /// Its bytes became a master.
    Stored,
    /// Its bytes are those of a master that was there before.
    Duplicate,
    /// What systems leave behind: listed, not kept.
    Junk,
    /// Not a regular file.
    Skipped,
    /// A file without bytes.
    Empty,
}

impl Standing {
    /// All of them, problems first.
    pub const ALL: [Standing; 9] = [
        Standing::NotIngested,
        Standing::Unreadable,
        Standing::Missing,
        Standing::Archive,
        Standing::Stored,
        Standing::Duplicate,
        Standing::Junk,
        Standing::Skipped,
        Standing::Empty,
    ];

    /// Whether wiping the drive would lose something.
    pub fn is_problem(self) -> bool {
        matches!(self, Standing::NotIngested | Standing::Unreadable | Standing::Missing | Standing::Archive)
    }

    /// Whether the archive has its bytes.
    pub fn is_kept(self) -> bool {
        matches!(self, Standing::Stored | Standing::Duplicate)
    }

    /// The word for people.
    pub fn words(self) -> &'static str {
        match self {
            Standing::NotIngested => "not ingested",
            Standing::Unreadable => "unreadable",
            Standing::Missing => "missing",
            Standing::Archive => "archive",
            Standing::Stored => "stored",
            Standing::Duplicate => "duplicate",
            Standing::Junk => "junk",
            Standing::Skipped => "skipped",
            Standing::Empty => "empty",
        }
    }
}

impl From<Outcome> for Standing {
    fn from(outcome: Outcome) -> Self {
        match outcome {
            Outcome::Stored => Standing::Stored,
            Outcome::Duplicate => Standing::Duplicate,
            Outcome::Junk => Standing::Junk,
            Outcome::Skipped => Standing::Skipped,
            Outcome::Empty => Standing::Empty,
            Outcome::Unreadable => Standing::Unreadable,
        }
    }
}

/// One path.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    /// Below the drive's root, as damctl writes paths: bytes that are not UTF-8 are `%XX`.
    pub path: RawPath,
    /// How it stands.
    pub outcome: Standing,
    /// Whether it was not on the drive any more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub gone: bool,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub modified: Option<Timestamp>,
    /// Why it stands so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// SHA-256 of its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sha256: Option<Digest>,
    /// The asset that holds its bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub asset: Option<AssetId>,
    /// Where in the store they are.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub key: Option<Key>,
    /// When the store last said that it has them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub confirmed: Option<Timestamp>,
}

/// A path that is on the drive now.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// Below the drive's root.
    pub path: RawPath,
    /// What it is.
    pub is: Is,
}

/// What a path on the drive is, held against what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub enum Is {
    /// As it was when it was dealt with.
    AsKnown,
    /// A file that is unknown, or not as it was.
    New {
        /// Size in bytes.
        bytes: u64,
        /// Modification time in nanoseconds.
        mtime_ns: i64,
    },
    /// Dealt with by looking.
    Settled {
        /// How.
        outcome: Outcome,
        /// Why.
        detail: Option<String>,
        /// Size in bytes.
        bytes: u64,
        /// Modification time in nanoseconds; none where it could not be looked at.
        mtime_ns: Option<i64>,
    },
    /// A part of the archive itself.
    Archive,
}

/// Who issues, and for which archive.
#[derive(Clone, Debug, Default)]
pub struct Terms {
    /// The archive that holds the bytes.
    pub archive: String,
    /// The public key (see [`SealKey::fingerprint`]) whose signature will be beside the document.
    pub signer: Option<Digest>,
}

/// Makes the certificate of a drive: of what was seen on it just now, or of what the catalog knows of it.
pub fn issue(catalog: &Catalog, drive: &Drive, seen: Option<Vec<Seen>>, terms: Terms) -> Result<Certificate> {
    let now = time(catalog.now()?);
    let known: HashMap<RawPath, Account> =
        catalog.accounts(drive.id)?.into_iter().map(|a| (a.sighting.path.clone(), a)).collect();
    let (basis, mut paths) = match seen {
        Some(seen) => (Basis::Drive { surveyed: now }, by_drive(seen, known)),
        None => {
            let row = catalog.drive_rows()?.into_iter().find(|row| row.drive.id == drive.id);
            let surveyed = row.and_then(|row| row.surveyed_at).map(time);
            (Basis::Catalog { surveyed }, by_catalog(known, catalog.unfinished(drive.id)?))
        }
    };
    paths.sort_by(|a, b| a.path.cmp(&b.path));
    let mut certificate = Certificate {
        head: Head {
            format: FORMAT.to_owned(),
            version: VERSION,
            issued: now,
            issuer: concat!("damctl ", env!("CARGO_PKG_VERSION")).to_owned(),
            signer: terms.signer,
            archive: terms.archive,
            drive: Subject {
                id: drive.id,
                identity: drive.identity.clone(),
                label: drive.label.clone(),
                root: drive.root.clone(),
                fs_uuid: drive.fs_uuid.clone(),
                serial: drive.serial.clone(),
                bytes: drive.bytes,
            },
            basis,
            store_check: None,
            covers: COVERS.to_owned(),
            complete: false,
            statement: String::new(),
            totals: Vec::new(),
            gone: Sum::default(),
        },
        paths,
    };
    certificate.conclude();
    Ok(certificate)
}

fn time(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or_default()
}

/// A time as people read it.
pub fn moment(time: Timestamp) -> String {
    time.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn mtime(ns: i64) -> Option<Timestamp> {
    Timestamp::from_nanosecond(i128::from(ns)).ok()
}

fn by_drive(seen: Vec<Seen>, mut known: HashMap<RawPath, Account>) -> Vec<Entry> {
    let mut paths: Vec<Entry> = seen.into_iter().map(|s| found(s.path.clone(), s.is, known.remove(&s.path))).collect();
    let gone = known.into_values().filter(|a| !is_left_out(a)).map(|a| Entry { gone: true, ..kept(a) });
    paths.extend(gone);
    paths
}

/// Whether it was passed by without being looked at: a pattern left it out, or it is a place where something else begins.
fn is_left_out(account: &Account) -> bool {
    account.sighting.outcome == Outcome::Skipped && account.sighting.inode == 0
}

/// A path that is on the drive, and what is known of it.
fn found(path: RawPath, is: Is, known: Option<Account>) -> Entry {
    let not_ingested = |path, bytes, mtime_ns, why: &str| Entry {
        bytes,
        modified: mtime(mtime_ns),
        ..Entry::bare(path, Standing::NotIngested, Some(why.to_owned()))
    };
    match (is, known) {
        (Is::Archive, _) => {
            let why = "a part of the archive itself: wiping the drive would destroy it";
            Entry::bare(path, Standing::Archive, Some(why.to_owned()))
        }
        (Is::AsKnown, Some(account)) => kept(account),
        (Is::AsKnown, None) => not_ingested(path, 0, 0, "the catalog does not know it"),
        (Is::Settled { outcome, detail, bytes, mtime_ns }, _) => {
            Entry { bytes, modified: mtime_ns.and_then(mtime), ..Entry::bare(path, outcome.into(), detail) }
        }
        (Is::New { bytes, mtime_ns }, Some(account)) => {
            let k = &account.sighting;
            let is_like = (k.bytes, k.mtime_ns) == (bytes, mtime_ns);
            let why = match k.outcome {
                Outcome::Unreadable if is_like => return kept(account),
                Outcome::Stored | Outcome::Duplicate if is_like => {
                    "it was replaced or changed since it was ingested, though its size and time are the same".to_owned()
                }
                Outcome::Stored | Outcome::Duplicate => {
                    let then = mtime(k.mtime_ns).map(|t| format!(", of {}", moment(t))).unwrap_or_default();
                    format!("it has changed since it was ingested: it was {} bytes{then}", k.bytes)
                }
                _ if is_like => "it has not been read yet".to_owned(),
                outcome => {
                    let why = k.detail.as_ref().map(|d| format!(": {d}")).unwrap_or_default();
                    format!("it was {} when it was last looked at{why}", outcome.as_str())
                }
            };
            not_ingested(path, bytes, mtime_ns, &why)
        }
        (Is::New { bytes, mtime_ns }, None) => not_ingested(path, bytes, mtime_ns, "the catalog does not know it"),
    }
}

/// What the catalog says of a path, as long as it has the master that it speaks of.
fn kept(account: Account) -> Entry {
    let Account { sighting, kept } = account;
    let Sighting { path, bytes, mtime_ns, inode, outcome, detail, digest, asset, .. } = sighting;
    let mut entry = Entry {
        bytes,
        // Nothing is known of the time of what could not be looked at.
        modified: mtime(mtime_ns).filter(|_| inode != 0),
        sha256: digest,
        asset,
        ..Entry::bare(path, outcome.into(), detail)
    };
    match kept {
        Some(kept) => {
            entry.key = Some(kept.key);
            entry.confirmed = kept.confirmed_at.map(time);
        }
        None if entry.outcome.is_kept() => entry.lose("the catalog has no master with its bytes"),
        None => {}
    }
    entry
}

/// What the catalog says of a path that cannot be looked at now. What lies in it, if it was left out, is not known.
fn remembered(account: Account) -> Entry {
    let is_left_out = is_left_out(&account);
    let mut entry = kept(account);
    if is_left_out {
        entry.outcome = Standing::NotIngested;
    }
    entry
}

fn by_catalog(known: HashMap<RawPath, Account>, unfinished: Vec<Unfinished>) -> Vec<Entry> {
    let mut paths: BTreeMap<RawPath, Entry> =
        known.into_values().map(|a| (a.sighting.path.clone(), remembered(a))).collect();
    for work in unfinished {
        let why = match work.failure {
            Some(failure) => format!("its ingest has failed: {}", failure.message),
            None => "its ingest was planned, and has not been done".to_owned(),
        };
        let mut files = Vec::new();
        planned(&work.task, &mut files);
        if files.is_empty() {
            files.push(Planned { path: RawPath::new(&work.subject), bytes: 0, mtime_ns: 0, is_other: false });
        }
        for Planned { path, bytes, mtime_ns, is_other } in files {
            let is_kept = |e: &Entry| e.outcome.is_kept() && e.bytes == bytes && e.modified == mtime(mtime_ns);
            if is_other || !paths.get(&path).is_some_and(is_kept) {
                let bare = Entry::bare(path.clone(), Standing::NotIngested, Some(why.clone()));
                paths.insert(path, Entry { bytes, modified: mtime(mtime_ns), ..bare });
            }
        }
    }
    paths.into_values().collect()
}

/// A file that a job is to read.
struct Planned {
    path: RawPath,
    bytes: u64,
    mtime_ns: i64,
    /// Whether it is seen to be another one than was taken in, whatever its size and time.
    is_other: bool,
}

/// The files that a job's instructions name, whatever else stands in them.
fn planned(task: &serde_json::Value, files: &mut Vec<Planned>) {
    match task {
        serde_json::Value::Array(items) => items.iter().for_each(|item| planned(item, files)),
        serde_json::Value::Object(fields) => {
            let path = fields.get("path").and_then(|p| p.as_str()).and_then(|p| p.parse().ok());
            let is =
                |name: &str| fields.get(name).is_some_and(|v| !v.is_null() && *v != serde_json::Value::Bool(false));
            match (path, fields.get("bytes").and_then(|b| b.as_u64())) {
                (Some(path), Some(bytes)) => files.push(Planned {
                    path,
                    bytes,
                    mtime_ns: fields.get("mtime_ns").and_then(|t| t.as_i64()).unwrap_or_default(),
                    is_other: is("replaces") && !is("again"),
                }),
                _ => fields.values().for_each(|field| planned(field, files)),
            }
        }
        _ => {}
    }
}

impl Entry {
    fn bare(path: RawPath, outcome: Standing, detail: Option<String>) -> Self {
        Self {
            path,
            outcome,
            gone: false,
            bytes: 0,
            modified: None,
            detail,
            sha256: None,
            asset: None,
            key: None,
            confirmed: None,
        }
    }

    fn lose(&mut self, why: &str) {
        self.outcome = Standing::Missing;
        self.detail = Some(why.to_owned());
        self.confirmed = None;
    }
}

impl Certificate {
    /// Paths that stand in the way of wiping the drive.
    pub fn problems(&self) -> impl Iterator<Item = &Entry> {
        self.paths.iter().filter(|e| e.outcome.is_problem())
    }

    /// Adds up, and says the result.
    fn conclude(&mut self) {
        let on_drive = || self.paths.iter().filter(|e| !e.gone);
        let sum = |entries: &mut dyn Iterator<Item = &Entry>| {
            entries.fold(Sum::default(), |sum, e| Sum { files: sum.files + 1, bytes: sum.bytes + e.bytes })
        };
        let total = |outcome| Total { outcome, sum: sum(&mut on_drive().filter(|e| e.outcome == outcome)) };
        let totals = Standing::ALL.map(total).into_iter().filter(|t| t.sum.files > 0).collect();
        let gone = sum(&mut self.paths.iter().filter(|e| e.gone));
        let (count, problems) = (on_drive().count(), self.problems().count());
        let statement = match (problems, &self.head.basis) {
            _ if count == 0 => "Do not wipe the drive: nothing was found on it, which proves nothing.".to_owned(),
            (0, Basis::Drive { surveyed }) => format!(
                "Nothing is missing. The drive was walked at {}: each of the {count} paths on it is in the archive, or \
                 holds nothing that is kept (junk, links, empty files).",
                moment(*surveyed)
            ),
            (0, Basis::Catalog { surveyed: None }) => format!(
                "Do not wipe the drive: it was not there, and was never surveyed as a whole. What the catalog knows of \
                 it, {count} path(s), may not be all."
            ),
            (0, basis) => format!(
                "By the catalog, nothing is missing: each of the {count} paths is in the archive, or holds nothing \
                 that is kept (junk, links, empty files). {}",
                basis.words()
            ),
            (n, basis) => format!("Do not wipe the drive: {n} path(s) are not safe in the archive. {}", basis.words()),
        };
        let head = &mut self.head;
        head.complete = problems == 0 && count > 0 && !matches!(head.basis, Basis::Catalog { surveyed: None });
        (head.totals, head.gone, head.statement) = (totals, gone, statement.trim_end().to_owned());
    }

    /// The document: UTF-8 JSON, one line a path, ended by a line feed. What is signed is these bytes.
    pub fn to_json(&self) -> Result<Vec<u8>> {
        let failed = |e| Error::internal("cannot write the certificate").because(e);
        let mut text = serde_json::to_vec_pretty(&self.head).map_err(failed)?;
        text.truncate(text.len().saturating_sub(2));
        text.extend_from_slice(b",\n  \"paths\": [");
        for (i, entry) in self.paths.iter().enumerate() {
            text.extend_from_slice(if i == 0 { b"\n    " } else { b",\n    " });
            serde_json::to_writer(&mut text, entry).map_err(failed)?;
        }
        text.extend_from_slice(if self.paths.is_empty() { b"]\n}\n" } else { b"\n  ]\n}\n" });
        Ok(text)
    }

    /// Reads a document. `from` says where it came from.
    pub fn parse(json: &[u8], from: &str) -> Result<Self> {
        #[derive(Deserialize)]
        struct Kind {
            format: String,
            version: u32,
        }
        let bad = |why: String| Error::invalid(format!("{from} is not a certificate: {why}"));
        let kind: Kind = serde_json::from_slice(json).map_err(|e| bad(e.to_string()))?;
        if kind.format != FORMAT {
            return Err(bad(format!("its format is '{}'", kind.format)));
        }
        if kind.version != VERSION {
            let message = format!("{from} is a certificate of version {}; this program reads {VERSION}", kind.version);
            return Err(Error::invalid(message).hint("a newer damctl reads it"));
        }
        let read: Self = serde_json::from_slice(json).map_err(|e| bad(e.to_string()))?;
        // Its head must say what its paths add up to: what nobody signed is easily edited.
        let mut again = read.clone();
        again.conclude();
        match (read.head.complete, &read.head.totals) == (again.head.complete, &again.head.totals) {
            true => Ok(read),
            false => Err(bad("its head does not say what its paths add up to".to_owned())),
        }
    }
}

impl Basis {
    /// What it means for the reader.
    pub fn words(&self) -> String {
        match self {
            Basis::Drive { surveyed } => format!("The drive was walked at {}.", moment(*surveyed)),
            Basis::Catalog { surveyed: Some(surveyed) } => format!(
                "The drive was not where it was last seen when this was issued: it rests on the catalog, and on the \
                 survey of {}. What was written to the drive since is not known.",
                moment(*surveyed)
            ),
            Basis::Catalog { surveyed: None } => {
                "The drive was not where it was last seen when this was issued: it was never surveyed as a whole. What is on \
                 it is not known."
                    .to_owned()
            }
        }
    }
}
