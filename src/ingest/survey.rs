//! Looks at a drive without reading its files: every path, what is known of it, and what is to be done.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    fs::Metadata,
    os::unix::fs::{FileTypeExt, MetadataExt},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use unicode_normalization::UnicodeNormalization;
use walkdir::WalkDir;

use super::{
    Selection,
    copy::{SUSPECT, look as look_at},
    group::group,
    place::{Place, System, gone, is_here},
    source::{Source, is_kept, open, why},
};
use crate::{
    catalog::{Catalog, Wanted},
    digest::Digest,
    error::{Doing, Result},
    media::sniff,
    model::{AssetId, Drive, DriveId, Outcome, RawPath, Role, Sighting, Stage},
    stop::Stop,
};

/// A file larger than this is a job of its own.
const LARGE: u64 = 64 << 20;
/// Smaller ones share a job, up to this number and so many bytes.
const BATCH_FILES: usize = 512;
const BATCH_BYTES: u64 = 256 << 20;

/// What a path turned out to be.
#[derive(Clone, Debug, PartialEq)]
pub enum Found {
    /// To be read.
    New(Source),
    /// As it was when it was dealt with.
    Unchanged(Sighting),
    /// Settled by looking: junk, not a regular file, empty, or out of reach.
    Settled(Sighting),
}

impl Found {
    /// The path.
    pub fn path(&self) -> &RawPath {
        match self {
            Found::New(source) => &source.path,
            Found::Unchanged(sighting) | Found::Settled(sighting) => &sighting.path,
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
    /// Whether all of the drive was looked at.
    pub is_whole: bool,
    /// Names that the selection lists, and under which nothing is there.
    pub absent: Vec<RawPath>,
    /// Paths below it of which nothing is there any more, and nothing was ever kept.
    pub gone: Vec<RawPath>,
    /// Every path below where the survey began, in the order of the walk.
    pub found: Vec<Found>,
}

/// The drive that `path` lies on, and the rest of the path.
pub(super) fn locate(catalog: &Catalog, path: &Path) -> Result<(Drive, RawPath)> {
    let path = std::fs::canonicalize(path).doing(|| format!("cannot find {}", path.display()))?;
    let place = System::default().place(&path)?;
    let root = match place.is_drive {
        true => place.mount.clone(),
        false => known_folder(catalog, &place, &path)?.unwrap_or_else(|| match path.is_dir() {
            true => path.clone(),
            false => path.parent().unwrap_or(&path).to_owned(),
        }),
    };
    let below = RawPath::new(path.strip_prefix(&root).unwrap_or(Path::new("")));
    Ok((place.drive(&root), below))
}

/// The root, as it is mounted now, of the smallest known folder that holds `path`.
fn known_folder(catalog: &Catalog, place: &Place, path: &Path) -> Result<Option<PathBuf>> {
    let (inner, prefix) = (place.inner(path), place.folders());
    let depth = |d: &Drive| -> Option<usize> {
        let folder: RawPath = d.identity.strip_prefix(&prefix)?.parse().ok()?;
        let rest = inner.strip_prefix(folder.under(Path::new("/"))).ok()?;
        Some(rest.components().count())
    };
    let up = catalog.drives()?.iter().filter_map(depth).min();
    Ok(up.and_then(|up| path.ancestors().nth(up)).map(Path::to_owned))
}

/// Surveys a folder or file: walks it without following links or leaving its file system, and compares each path with
/// what the catalog knows.
pub fn survey(catalog: &Catalog, path: &Path, stop: &Stop) -> Result<Survey> {
    survey_selected(catalog, path, &Selection::default(), stop)
}

/// [`survey()`] of what `selection` asks for.
pub fn survey_selected(catalog: &Catalog, path: &Path, selection: &Selection, stop: &Stop) -> Result<Survey> {
    let (drive, below) = locate(catalog, path)?;
    let root = drive.root.under(Path::new("/"));
    let start = below.under(&root);
    let device = start.symlink_metadata().doing(|| format!("cannot look at {}", start.display()))?.dev();
    // The empty folder under a mount that went away is not the drive.
    let is_empty = std::fs::read_dir(&root).is_ok_and(|mut dir| dir.next().is_none());
    if is_empty && let Some(other) = catalog.drives()?.iter().find(|d| d.root == drive.root && d.id != drive.id) {
        return Err(gone(other));
    }
    let known = catalog.known_sightings(drive.id)?;
    let is_steady = System::default().place(&root)?.is_steady;
    let mut look = Look { drive: &drive, root: &root, device, is_steady, known: &known, selection, found: Vec::new() };
    let (starts, absent) = selection.starts(&start);
    for start in starts {
        look.walk(&start, stop)?;
    }
    let mut found = look.found;
    // A list may name a path twice.
    let mut seen = HashSet::new();
    found.retain(|f| seen.insert(f.path().clone()));
    // What looking settles the same way as last time is nothing new.
    for f in &mut found {
        if let Found::Settled(s) = f
            && let Some(k) = known.get(&s.path)
            && (k.outcome, &k.detail, k.bytes, k.mtime_ns) == (s.outcome, &s.detail, s.bytes, s.mtime_ns)
        {
            *f = Found::Unchanged(k.clone());
        }
    }
    // A path that went away while we looked at the drive itself is told by the drive's absence.
    if !is_here(&drive) {
        return Err(gone(&drive));
    }
    let never_kept = |k: &Sighting| k.asset.is_none() && matches!(k.outcome, Outcome::Unreadable | Outcome::Skipped);
    let mut missing = Vec::new();
    if selection.is_all() {
        let is_below = |path: &RawPath| path.under(&root).starts_with(&start);
        let gone = known.iter().filter(|(path, k)| never_kept(k) && !seen.contains(*path) && is_below(path));
        missing.extend(gone.map(|(path, _)| path.clone()));
    }
    let identity = selection.identity().map(|i| format!("/{i}")).unwrap_or_default();
    let scope = format!("{}/{}{identity}", drive.id, Digest::of(below.as_bytes()).short());
    let is_whole = selection.is_all() && below.as_bytes().is_empty();
    Ok(Survey { drive, scope, is_whole, absent, gone: missing, found })
}

/// A walk under way.
struct Look<'a> {
    drive: &'a Drive,
    root: &'a Path,
    device: u64,
    is_steady: bool,
    known: &'a HashMap<RawPath, Sighting>,
    selection: &'a Selection,
    found: Vec<Found>,
}

impl Look<'_> {
    fn walk(&mut self, start: &Path, stop: &Stop) -> Result<()> {
        let mut walk = WalkDir::new(start).follow_links(false).sort_by_file_name().into_iter();
        while let Some(entry) = walk.next() {
            stop.check()?;
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) => {
                    let at = e.path().unwrap_or(start).to_owned();
                    let why = e.io_error().map_or_else(|| e.to_string(), |e| why(&at, e));
                    self.settled(&at, Outcome::Unreadable, why);
                    continue;
                }
            };
            let is_dir = entry.file_type().is_dir();
            if self.selection.is_own(entry.path()) {
                self.settled(entry.path(), Outcome::Skipped, "a part of this archive itself".to_owned());
                if is_dir {
                    walk.skip_current_dir();
                }
                continue;
            }
            let below = entry.path().strip_prefix(self.root).unwrap_or(entry.path());
            if !below.as_os_str().is_empty()
                && let Some(why) = self.selection.leaves_out(below, is_dir)
            {
                self.left_out(&entry, why);
                if is_dir {
                    walk.skip_current_dir();
                }
                continue;
            }
            let meta = match entry.metadata() {
                Ok(meta) => meta,
                Err(e) => {
                    let why = e.io_error().map_or_else(|| e.to_string(), |e| why(entry.path(), e));
                    self.settled(entry.path(), Outcome::Unreadable, why);
                    continue;
                }
            };
            if meta.is_dir() {
                if meta.dev() != self.device {
                    let why = "another file system is mounted here: ingest it by itself".to_owned();
                    self.settled(entry.path(), Outcome::Skipped, why);
                    walk.skip_current_dir();
                }
                continue;
            }
            let path = relative(self.root, entry.path());
            let found = self.look(entry.path(), path, &meta);
            self.found.push(found);
        }
        Ok(())
    }

    fn look(&self, at: &Path, path: RawPath, meta: &Metadata) -> Found {
        let mut source = Source::new(path, meta, self.is_steady);
        let settled = |outcome, why: String| Found::Settled(source.sighting(self.drive.id, outcome, Some(why)));
        let kind = meta.file_type();
        if let Some(why) = sniff::junk(at.strip_prefix(self.root).unwrap_or(at)) {
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
        if let Some(k) = self.known.get(&source.path).filter(|k| is_kept(k)) {
            let is_settled = source.is_settled_by(k);
            if is_settled && !self.selection.is_again() {
                return Found::Unchanged(k.clone());
            }
            (source.replaces, source.again) = (k.digest, is_settled);
        }
        Found::New(source)
    }

    /// What is left out was perhaps taken in earlier: that stays true.
    fn left_out(&mut self, entry: &walkdir::DirEntry, why: String) {
        let path = relative(self.root, entry.path());
        match (self.known.get(&path), entry.metadata()) {
            (Some(k), Ok(meta)) if Source::new(path.clone(), &meta, self.is_steady).is_settled_by(k) => {
                self.found.push(Found::Unchanged(k.clone()));
            }
            _ => self.settled(entry.path(), Outcome::Skipped, why),
        }
    }

    fn settled(&mut self, at: &Path, outcome: Outcome, why: String) {
        self.found.push(Found::Settled(bare(self.drive.id, relative(self.root, at), outcome, why)));
    }
}

fn relative(root: &Path, path: &Path) -> RawPath {
    RawPath::new(path.strip_prefix(root).unwrap_or(path))
}

fn bare(drive: DriveId, path: RawPath, outcome: Outcome, why: String) -> Sighting {
    Sighting {
        drive,
        path,
        bytes: 0,
        mtime_ns: 0,
        inode: 0,
        ctime_ns: None,
        outcome,
        detail: Some(why),
        digest: None,
        asset: None,
    }
}

/// The instructions of an ingest job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) drive: DriveId,
    pub(super) collection: Option<String>,
    pub(super) lots: Vec<Lot>,
}

/// Files that become one asset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Lot {
    /// The asset that they join, where its main file is in the archive.
    pub(super) owner: Option<AssetId>,
    /// Those that are to be read.
    pub(super) pieces: Vec<Piece>,
    /// Those that go with the main file, if that is to be read, and are in the archive.
    #[serde(default)]
    pub(super) along: Vec<Along>,
}

/// A file that is in the archive, and what it is to the asset of its main file.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Along {
    /// Not `path`: it is no file that is to be read.
    pub(super) at: RawPath,
    pub(super) role: Role,
    pub(super) name: String,
}

/// A file, and what it is to its asset.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Piece {
    pub(super) source: Source,
    pub(super) role: Role,
    /// What it is called in the asset.
    pub(super) name: String,
    /// What there is to say of it.
    pub(super) note: Option<String>,
}

impl Lot {
    /// Bytes of what is to be read.
    pub(super) fn bytes(&self) -> u64 {
        self.pieces.iter().map(|p| p.source.bytes).sum()
    }
}

impl Survey {
    /// What is to be read.
    pub fn new_sources(&self) -> impl Iterator<Item = &Source> {
        self.found.iter().filter_map(|f| match f {
            Found::New(source) => Some(source),
            _ => None,
        })
    }

    /// Holds what is to be read against the digests that whoever sent it says: a file with other bytes is not taken in.
    /// Says which files were taken in before with others.
    pub fn promise(&mut self, of: &dyn Fn(&Path) -> Option<Digest>) -> Vec<RawPath> {
        let root = self.drive.root.under(Path::new("/"));
        let mut others = Vec::new();
        for found in &mut self.found {
            match found {
                Found::New(source) => source.promised = of(&source.path.under(&root)),
                Found::Unchanged(k) => {
                    let promised = of(&k.path.under(&root));
                    if promised.is_some() && k.digest.is_some() && promised != k.digest {
                        others.push(k.path.clone());
                    }
                }
                Found::Settled(_) => {}
            }
        }
        others
    }

    /// What looking alone has settled, for the catalog.
    pub fn settled(&self) -> Vec<Sighting> {
        let settled = |f: &Found| match f {
            Found::Settled(s) => Some(s.clone()),
            _ => None,
        };
        self.found.iter().filter_map(settled).collect()
    }

    /// Names of one folder that are the same to some system and not to another: they differ in case, or in how Unicode
    /// composes their characters. Each with the first that it is like.
    pub fn twins(&self) -> BTreeMap<RawPath, RawPath> {
        let mut first: HashMap<String, &RawPath> = HashMap::new();
        let mut twins = BTreeMap::new();
        for found in &self.found {
            let path = found.path();
            let folded = path.to_string().nfc().collect::<String>().to_lowercase();
            match first.get(&folded) {
                Some(other) => drop(twins.insert(path.clone(), (*other).clone())),
                None => drop(first.insert(folded, path)),
            }
        }
        twins
    }

    /// What is to be read, as the assets that it becomes.
    fn lots(&self) -> Vec<Lot> {
        // What is in the archive already tells what a new sidecar belongs to.
        let is_file = |f: &&Found| match f {
            Found::New(_) => true,
            Found::Unchanged(k) => is_kept(k),
            Found::Settled(_) => false,
        };
        let files: Vec<&Found> = self.found.iter().filter(is_file).collect();
        let paths: Vec<&RawPath> = files.iter().map(|f| f.path()).collect();
        let twins = self.twins();
        let mut lots = Vec::new();
        for group in group(&paths) {
            let mut lot = Lot { owner: None, pieces: Vec::new(), along: Vec::new() };
            for member in group.members {
                match files[member.at] {
                    Found::New(source) => {
                        let twin = twins.get(&source.path);
                        let twin = twin.map(|t| {
                            format!("its name is like that of {} but for case or composition", t.file_name_text())
                        });
                        let note: Vec<String> = member.note.into_iter().chain(twin).collect();
                        let note = (!note.is_empty()).then(|| note.join("; "));
                        lot.pieces.push(Piece { source: source.clone(), role: member.role, name: member.name, note });
                    }
                    Found::Unchanged(k) if member.role == Role::Main => lot.owner = k.asset,
                    Found::Unchanged(k) => {
                        lot.along.push(Along { at: k.path.clone(), role: member.role, name: member.name });
                    }
                    Found::Settled(_) => {}
                }
            }
            if lot.owner.is_some() {
                lot.along.clear();
            }
            if !lot.pieces.is_empty() {
                lots.push(lot);
            }
        }
        lots
    }

    /// What is to be read, each asset's files together, the main one first: path, size, and what it is to the asset.
    pub fn planned(&self) -> Vec<Vec<(RawPath, u64, Role)>> {
        let piece = |p: Piece| (p.source.path, p.source.bytes, p.role);
        self.lots().into_iter().map(|lot| lot.pieces.into_iter().map(piece).collect()).collect()
    }

    /// Jobs for what is new: large files alone, small ones in batches, and one after the other what seems to be the same.
    pub fn wanted(&self, collection: Option<&str>) -> Vec<Wanted> {
        let mut batches: Vec<Vec<Lot>> = Vec::new();
        let (mut batch, mut files, mut bytes) = (Vec::new(), 0, 0);
        let mut alike: HashMap<Digest, usize> = HashMap::new();
        let lots = self.lots();
        let suspects = self.suspects(&lots);
        for (at, lot) in lots.into_iter().enumerate() {
            // Copies of one another in two jobs at a time would both be sent.
            if let Some(suspect) = suspects.get(&at) {
                match alike.get(suspect) {
                    Some(batch) => batches[*batch].push(lot),
                    None => {
                        alike.insert(*suspect, batches.len());
                        batches.push(vec![lot]);
                    }
                }
                continue;
            }
            if lot.bytes() > LARGE {
                batches.push(vec![lot]);
                continue;
            }
            files += lot.pieces.len();
            bytes += lot.bytes();
            batch.push(lot);
            // The first one is half as long, so that two workers do not read, send and settle in step.
            let whole = if batches.is_empty() { BATCH_FILES / 2 } else { BATCH_FILES };
            if files >= whole || bytes >= BATCH_BYTES {
                batches.push(std::mem::take(&mut batch));
                (files, bytes) = (0, 0);
            }
        }
        if !batch.is_empty() {
            batches.push(batch);
        }
        batches.into_iter().map(|lots| self.job(lots, collection)).collect()
    }

    /// Lots whose first file is as large as that of another: its fingerprint, which costs a look at its head and tail.
    fn suspects(&self, lots: &[Lot]) -> HashMap<usize, Digest> {
        let first = |lot: &Lot| lot.pieces.first().map(|p| p.source.clone()).filter(|s| s.bytes > SUSPECT);
        let mut by_size: HashMap<u64, Vec<(usize, Source)>> = HashMap::new();
        for (at, lot) in lots.iter().enumerate() {
            if let Some(source) = first(lot) {
                by_size.entry(source.bytes).or_default().push((at, source));
            }
        }
        let root = self.drive.root.under(Path::new("/"));
        let mut prints: HashMap<Digest, Vec<usize>> = HashMap::new();
        for (at, source) in by_size.into_values().filter(|same| same.len() > 1).flatten() {
            let looked = open(&source.path.under(&root)).and_then(|file| look_at(&file, source.bytes));
            if let Ok(print) = looked {
                prints.entry(print).or_default().push(at);
            }
        }
        let alike = prints.into_iter().filter(|(_, lots)| lots.len() > 1);
        alike.flat_map(|(print, lots)| lots.into_iter().map(move |at| (at, print))).collect()
    }

    fn job(&self, lots: Vec<Lot>, collection: Option<&str>) -> Wanted {
        let sources: Vec<&Source> = lots.iter().flat_map(|lot| &lot.pieces).map(|p| &p.source).collect();
        let mut identity: Vec<String> = vec![collection.unwrap_or_default().to_owned()];
        identity.extend(sources.iter().map(|s| {
            let promised = s.promised.map(|d| format!(" {d}")).unwrap_or_default();
            format!("{}{}{promised}", s.asset_id(self.drive.id), if s.again { " again" } else { "" })
        }));
        let first = sources.first().map(|s| s.path.to_string()).unwrap_or_default();
        let subject = match sources.len() {
            1 => format!("{}: {first}", self.drive.label),
            n => format!("{}: {first} and {} more", self.drive.label, n - 1),
        };
        // Large files first: they would otherwise be what everybody waits for at the end.
        let priority = if lots.len() == 1 { (lots[0].bytes() >> 20) as i64 } else { 0 };
        let task = Task { drive: self.drive.id, collection: collection.map(str::to_owned), lots };
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
