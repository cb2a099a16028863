//! Looks at a drive without reading its files: every path, what is known of it, and what is to be done.

use std::{
    collections::{HashMap, HashSet},
    fs::Metadata,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use walkdir::WalkDir;

use crate::{
    catalog::{Catalog, KnownSighting, Wanted},
    digest::Digest,
    error::{Doing, Error, Result},
    media::sniff,
    model::{AssetId, Drive, DriveId, Outcome, RawPath, Sighting, Stage},
    stop::Stop,
};

/// A file larger than this is a job of its own.
const LARGE: u64 = 64 << 20;
/// Smaller ones share a job, up to this number and so many bytes.
const BATCH_FILES: usize = 1024;
const BATCH_BYTES: u64 = 256 << 20;

/// A regular file on a drive, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Below the drive's root.
    pub path: RawPath,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time in nanoseconds since 1970-01-01 UTC.
    pub mtime_ns: i64,
    /// Inode number.
    pub inode: u64,
}

impl Source {
    /// The source that a file with this metadata is.
    pub fn new(path: RawPath, meta: &Metadata) -> Self {
        let mtime_ns = meta.mtime().saturating_mul(1_000_000_000).saturating_add(meta.mtime_nsec());
        Self { path, bytes: meta.len(), mtime_ns, inode: meta.ino() }
    }

    /// The asset that its bytes become, if they are new.
    pub fn asset_id(&self, drive: DriveId) -> AssetId {
        AssetId::derived(&[
            drive.to_string().as_bytes(),
            self.path.as_bytes(),
            &self.bytes.to_be_bytes(),
            &self.mtime_ns.to_be_bytes(),
        ])
    }

    /// Whether what is known says that these very bytes are in the archive.
    pub fn is_settled_by(&self, known: &KnownSighting) -> bool {
        let same = known.bytes == self.bytes && known.mtime_ns == self.mtime_ns;
        same && matches!(known.outcome, Outcome::Stored | Outcome::Duplicate)
    }

    /// What is to be recorded of it.
    pub fn sighting(&self, drive: DriveId, outcome: Outcome, detail: Option<String>) -> Sighting {
        Sighting {
            drive,
            path: self.path.clone(),
            bytes: self.bytes,
            mtime_ns: self.mtime_ns,
            inode: self.inode,
            outcome,
            detail,
            digest: None,
            asset: None,
        }
    }
}

/// What a path turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// To be read.
    New(Source),
    /// As it was when it was dealt with.
    Unchanged(RawPath, KnownSighting),
    /// Settled by looking: junk, not a regular file, empty, or out of reach.
    Settled(Sighting),
}

impl Found {
    /// The path.
    pub fn path(&self) -> &RawPath {
        match self {
            Found::New(source) => &source.path,
            Found::Unchanged(path, _) => path,
            Found::Settled(sighting) => &sighting.path,
        }
    }
}

/// A drive as it was found.
#[derive(Clone, Debug)]
pub struct Survey {
    /// The drive.
    pub drive: Drive,
    /// What is planned and drained together: what lies below one path of one drive.
    pub scope: String,
    /// Paths below it of which nothing is there any more, and nothing was ever kept.
    pub gone: Vec<RawPath>,
    /// Every path below where the survey began, in the order of the walk.
    pub found: Vec<Found>,
}

/// The drive that `path` lies on, and the rest of the path.
pub(super) fn locate(catalog: &Catalog, path: &Path) -> Result<(Drive, RawPath)> {
    let path = std::fs::canonicalize(path).doing(|| format!("cannot find {}", path.display()))?;
    let holds = |d: &Drive| path.starts_with(d.root.under(Path::new("/")));
    let known = catalog.drives()?.into_iter().filter(holds).max_by_key(|d| d.root.as_bytes().len());
    let drive = match known {
        Some(drive) => drive,
        None => {
            let root = if path.is_dir() { path.as_path() } else { path.parent().unwrap_or(&path) };
            let root_path = RawPath::new(root);
            let identity = format!("folder:{root_path}");
            Drive {
                id: DriveId::derived(&[&identity]),
                identity,
                label: if root_path.file_name().is_empty() { "/".to_owned() } else { root_path.file_name_text() },
                root: root_path,
                fs_uuid: None,
                serial: None,
                bytes: None,
            }
        }
    };
    let root = drive.root.under(Path::new("/"));
    let below = RawPath::new(path.strip_prefix(&root).unwrap_or(Path::new("")));
    Ok((drive, below))
}

/// Surveys a folder or file: walks it without following links or leaving its file system, and compares each path with
/// what the catalog knows.
pub fn survey(catalog: &Catalog, path: &Path, stop: &Stop) -> Result<Survey> {
    survey_without(catalog, path, &[], stop)
}

/// [`survey()`] that leaves out `own`: folders and files of the archive itself, which may lie on the drive that it takes in.
pub fn survey_without(catalog: &Catalog, path: &Path, own: &[PathBuf], stop: &Stop) -> Result<Survey> {
    let (drive, below) = locate(catalog, path)?;
    let root = drive.root.under(Path::new("/"));
    let known = catalog.known_sightings(drive.id)?;
    let start = below.under(&root);
    let device = start.symlink_metadata().doing(|| format!("cannot look at {}", start.display()))?.dev();
    let mut found = Vec::new();
    let mut walk = WalkDir::new(&start).follow_links(false).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        stop.check()?;
        let entry = match entry {
            Ok(entry) => entry,
            Err(e) => {
                let at = e.path().unwrap_or(&start).to_owned();
                let why = e.io_error().map_or_else(|| e.to_string(), ToString::to_string);
                found.push(Found::Settled(bare(drive.id, relative(&root, &at), Outcome::Unreadable, why)));
                continue;
            }
        };
        let path = relative(&root, entry.path());
        if own.iter().any(|o| o == entry.path()) {
            let why = "a part of this archive itself".to_owned();
            found.push(Found::Settled(bare(drive.id, path, Outcome::Skipped, why)));
            if entry.file_type().is_dir() {
                walk.skip_current_dir();
            }
            continue;
        }
        let meta = match entry.metadata() {
            Ok(meta) => meta,
            Err(e) => {
                found.push(Found::Settled(bare(drive.id, path, Outcome::Unreadable, e.to_string())));
                continue;
            }
        };
        if meta.is_dir() {
            if meta.dev() != device {
                let why = "another file system is mounted here: ingest it by itself".to_owned();
                found.push(Found::Settled(bare(drive.id, path, Outcome::Skipped, why)));
                walk.skip_current_dir();
            }
            continue;
        }
        found.push(look(&drive, &known, entry.path(), path, &meta));
    }
    // What looking settles the same way as last time is nothing new.
    for f in &mut found {
        if let Found::Settled(s) = f
            && let Some(k) = known.get(&s.path)
            && (k.outcome, &k.detail, k.bytes, k.mtime_ns) == (s.outcome, &s.detail, s.bytes, s.mtime_ns)
        {
            *f = Found::Unchanged(s.path.clone(), k.clone());
        }
    }
    // A path that went away while we looked at the drive itself is told by the drive's absence.
    if !root.exists() {
        return Err(Error::paused(format!("the drive at {} went away", root.display()))
            .hint("plug it in again, then run the same command"));
    }
    let there: HashSet<&RawPath> = found.iter().map(Found::path).collect();
    let is_below = |path: &RawPath| path.under(&root).starts_with(&start);
    let never_kept =
        |k: &KnownSighting| k.asset.is_none() && matches!(k.outcome, Outcome::Unreadable | Outcome::Skipped);
    let gone = known.iter().filter(|(path, k)| never_kept(k) && !there.contains(path) && is_below(path));
    let gone = gone.map(|(path, _)| path.clone()).collect();
    let scope = format!("{}/{}", drive.id, Digest::of(below.as_bytes()).short());
    Ok(Survey { drive, scope, gone, found })
}

fn relative(root: &Path, path: &Path) -> RawPath {
    RawPath::new(path.strip_prefix(root).unwrap_or(path))
}

fn bare(drive: DriveId, path: RawPath, outcome: Outcome, why: String) -> Sighting {
    Sighting { drive, path, bytes: 0, mtime_ns: 0, inode: 0, outcome, detail: Some(why), digest: None, asset: None }
}

fn look(drive: &Drive, known: &HashMap<RawPath, KnownSighting>, at: &Path, path: RawPath, meta: &Metadata) -> Found {
    let source = Source::new(path, meta);
    let settled = |outcome, why: String| Found::Settled(source.sighting(drive.id, outcome, Some(why)));
    let kind = meta.file_type();
    if let Some(why) = sniff::junk(at.strip_prefix(drive.root.under(Path::new("/"))).unwrap_or(at)) {
        return settled(Outcome::Junk, why.to_owned());
    }
    if kind.is_symlink() {
        let target = std::fs::read_link(at).map(|t| RawPath::new(t).to_string()).unwrap_or_else(|_| "?".to_owned());
        return settled(Outcome::Skipped, format!("symbolic link to {target}"));
    }
    if !kind.is_file() {
        let what = match () {
            () if kind.is_fifo() => "named pipe",
            () if kind.is_socket() => "socket",
            () if kind.is_block_device() || kind.is_char_device() => "device",
            () => "not a regular file",
        };
        return settled(Outcome::Skipped, what.to_owned());
    }
    if source.bytes == 0 {
        return settled(Outcome::Empty, "0 bytes".to_owned());
    }
    match known.get(&source.path) {
        Some(k) if source.is_settled_by(k) => Found::Unchanged(source.path, k.clone()),
        _ => Found::New(source),
    }
}

/// The instructions of an ingest job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) drive: DriveId,
    pub(super) root: RawPath,
    pub(super) label: String,
    pub(super) collection: Option<String>,
    pub(super) sources: Vec<Source>,
}

impl Survey {
    /// What is to be read.
    pub fn new_sources(&self) -> impl Iterator<Item = &Source> {
        self.found.iter().filter_map(|f| match f {
            Found::New(source) => Some(source),
            _ => None,
        })
    }

    /// What looking alone has settled, for the catalog.
    pub fn settled(&self) -> Vec<Sighting> {
        let settled = |f: &Found| match f {
            Found::Settled(s) => Some(s.clone()),
            _ => None,
        };
        self.found.iter().filter_map(settled).collect()
    }

    /// Jobs for what is new: large files alone, small ones in batches.
    pub fn wanted(&self, collection: Option<&str>) -> Vec<Wanted> {
        let mut batches: Vec<Vec<Source>> = Vec::new();
        let (mut batch, mut bytes) = (Vec::new(), 0);
        for source in self.new_sources() {
            if source.bytes > LARGE {
                batches.push(vec![source.clone()]);
                continue;
            }
            batch.push(source.clone());
            bytes += source.bytes;
            if batch.len() >= BATCH_FILES || bytes >= BATCH_BYTES {
                batches.push(std::mem::take(&mut batch));
                bytes = 0;
            }
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
        batches.into_iter().map(|sources| self.job(sources, collection)).collect()
    }

    fn job(&self, sources: Vec<Source>, collection: Option<&str>) -> Wanted {
        let mut identity: Vec<String> = vec![collection.unwrap_or_default().to_owned()];
        identity.extend(sources.iter().map(|s| s.asset_id(self.drive.id).to_string()));
        let first = sources.first().map(|s| s.path.to_string()).unwrap_or_default();
        let subject = match sources.len() {
            1 => format!("{}: {first}", self.drive.label),
            n => format!("{}: {first} and {} more", self.drive.label, n - 1),
        };
        // Large files first: they would otherwise be what everybody waits for at the end.
        let priority = if sources.len() == 1 { (sources[0].bytes >> 20) as i64 } else { 0 };
        let task = Task {
            drive: self.drive.id,
            root: self.drive.root.clone(),
            label: self.drive.label.clone(),
            collection: collection.map(str::to_owned),
            sources,
        };
        Wanted {
            stage: Stage::Ingest,
            scope: self.scope.clone(),
            subject,
            recipe: Digest::of_fields(&identity).to_string(),
            task: serde_json::to_value(task).unwrap_or_default(),
            priority,
        }
    }
}
