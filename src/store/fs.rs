//! A store in a directory. A deposit is a folder under `.staging` that is made durable and then moved into place in one
//! rename, so that no reader and no crash ever sees half of one.

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::Arc,
};

use rustix::fs::{CWD, RenameFlags, renameat_with, syncfs};

use super::{
    Availability, Committed, Deposit, Found, Held, Original, Recall, Recalled, Staged, Store, Upload, cold::Cold,
    direct::DirectFile,
};
use crate::{
    digest::{Checked, Digest, Hasher},
    error::{Doing, Error, Result},
    model::{Area, Key},
    spool::Spool,
};

/// From this many files on, one `syncfs` costs less than an `fsync` for each.
const MANY_FILES: usize = 16;
/// From this size on, a file is written past the page cache.
const LARGE: u64 = 32 << 20;

/// A directory as a store.
#[derive(Clone)]
pub struct FsStore {
    root: PathBuf,
    staging: Arc<Spool>,
    cold: Option<Cold>,
}

impl FsStore {
    /// Opens the store in `root`, making the directory when it is missing.
    pub fn open(root: &Path) -> Result<Self> {
        fs::create_dir_all(root).doing(|| format!("cannot make the store's directory {}", root.display()))?;
        let staging = Arc::new(Spool::open(&root.join(".staging"))?);
        Ok(Self { root: root.to_owned(), staging, cold: None })
    }

    /// The store with a second folder, which masters go to that are archived.
    pub fn with_archive(self, folder: PathBuf) -> Self {
        Self { cold: Some(Cold::new(folder)), ..self }
    }

    fn is_cold(&self, key: &Key) -> Result<bool> {
        Ok(key.area() == Area::Masters
            && self.cold()?.is_some_and(|cold| cold.size_here(key).is_ok_and(|n| n.is_some())))
    }

    /// Its cold part, if anything was ever put there.
    fn cold(&self) -> Result<Option<Self>> {
        match &self.cold {
            Some(cold) if cold.is_in_use(&self.root)? => cold.store(&self.root).map(Some),
            _ => Ok(None),
        }
    }

    fn size_here(&self, key: &Key) -> Result<Option<u64>> {
        match fs::symlink_metadata(self.path(key)) {
            Ok(meta) if meta.is_file() => Ok(Some(meta.len())),
            Ok(_) => Ok(None),
            Err(e) if matches!(e.kind(), std::io::ErrorKind::NotFound | std::io::ErrorKind::NotADirectory) => Ok(None),
            Err(e) => Err(crate::error::io(format!("cannot look at {key} in the store"), e)),
        }
    }

    /// Copies an object to the other part, reads it back there, and only then takes it out of this one.
    fn move_to(&self, other: &Self, key: &Key, digest: &Digest) -> Result<()> {
        let lost =
            || Error::not_found(format!("the store has lost {key}")).hint("'damctl verify' repairs it from a replica");
        let is_there = other.size_here(key)?.is_some();
        let Some(size) = self.size_here(key)? else { return if is_there { Ok(()) } else { Err(lost()) } };
        // What an earlier run has copied whole need not be copied again.
        if !is_there || other.read_back(key)? != *digest {
            let mut from = Checked::new(self.open(key, None)?, *digest);
            match other.restore(key, size, &mut from) {
                Err(_) if from.was_wrong() => {
                    return Err(Error::corrupt(format!("{key} has other bytes than it should: it stays where it is"))
                        .hint("'damctl verify' repairs it from a replica"));
                }
                other => other?,
            }
            if other.read_back(key)? != *digest {
                return Err(Error::corrupt(format!("the copy of {key} reads as other bytes: it stays where it was")));
            }
        }
        crate::crash::point("archive.between-parts");
        let path = self.path(key);
        fs::remove_file(&path).doing(|| format!("cannot remove {}", path.display()))?;
        let parent = path.parent().unwrap_or(&self.root);
        File::open(parent).and_then(|dir| dir.sync_all()).doing(|| format!("cannot write {}", parent.display()))
    }

    fn read_back(&self, key: &Key) -> Result<Digest> {
        Ok(Hasher::read_all(self.open(key, None)?, |_| Ok(()))?.0)
    }

    /// What is below an area's folder, in the order of folders and names.
    fn walk(&self, area: Area) -> impl Iterator<Item = Result<Found>> + use<> {
        let (root, base) = (self.root.clone(), self.root.join(area.as_str()));
        walkdir::WalkDir::new(&base).follow_links(false).sort_by_file_name().into_iter().filter_map(move |entry| {
            let (meta, entry) = match entry.and_then(|e| Ok((e.metadata()?, e))) {
                Ok(looked) => looked,
                Err(e) if e.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) => return None,
                Err(e) => return Some(Err(Error::unavailable(format!("cannot list {}", base.display())).because(e))),
            };
            let key = entry.path().strip_prefix(&root).ok().and_then(Path::to_str).and_then(|r| r.parse().ok());
            let since = meta.modified().ok().and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
            let written = since.and_then(|t| i64::try_from(t.as_millis()).ok());
            meta.is_file().then(|| key.map(|key| Ok(Found { key, bytes: meta.len(), written }))).flatten()
        })
    }

    fn path(&self, key: &Key) -> PathBuf {
        self.root.join(key.as_str())
    }

    /// The one durable write: everything in the staged folders reaches the disk, then each is moved into place, then
    /// the moves reach the disk. Nobody else opens files for writing in the store.
    fn settle(&self, deposits: &[(Key, tempfile::TempDir)], files: usize) -> Result<Vec<Committed>> {
        let disk = || format!("cannot write the store in {} through to the disk", self.root.display());
        let many = files >= MANY_FILES;
        let root = File::open(&self.root).doing(disk)?;
        if many {
            syncfs(&root).doing(disk)?;
        } else {
            deposits.iter().try_for_each(|(_, folder)| sync_tree(folder.path())).doing(disk)?;
        }
        let mut touched = BTreeSet::new();
        let mut outcomes = Vec::with_capacity(deposits.len());
        for (prefix, folder) in deposits {
            let target = self.path(prefix);
            let parent = target.parent().unwrap_or(&self.root);
            make_dirs(&self.root, parent, &mut touched).doing(|| format!("cannot make {}", parent.display()))?;
            crate::crash::point("store.before-rename");
            outcomes.push(move_into_place(folder.path(), &target)?);
            crate::crash::point("store.after-rename");
            touched.insert(parent.to_owned());
        }
        if many {
            syncfs(&root).doing(disk)?;
        } else {
            touched.iter().try_for_each(|dir| File::open(dir)?.sync_all()).doing(disk)?;
        }
        Ok(outcomes)
    }
}

/// Makes missing directories, noting each whose entries change.
fn make_dirs(root: &Path, dir: &Path, touched: &mut BTreeSet<PathBuf>) -> std::io::Result<()> {
    match fs::create_dir(dir) {
        Ok(()) => {}
        Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Ok(()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && dir != root => {
            let Some(parent) = dir.parent() else { return Err(e) };
            make_dirs(root, parent, touched)?;
            match fs::create_dir(dir) {
                Err(e) if e.kind() != std::io::ErrorKind::AlreadyExists => return Err(e),
                _ => {}
            }
        }
        Err(e) => return Err(e),
    }
    if let Some(parent) = dir.parent() {
        touched.insert(parent.to_owned());
    }
    Ok(())
}

fn move_into_place(from: &Path, to: &Path) -> Result<Committed> {
    use rustix::io::Errno;
    let outcome = match renameat_with(CWD, from, CWD, to, RenameFlags::NOREPLACE) {
        // Some file systems do not know the flag. A plain rename cannot replace a folder that holds anything, and
        // nothing but this function makes folders here.
        #[allow(clippy::disallowed_methods, reason = "this is the one place that moves deposits into place")]
        Err(Errno::INVAL | Errno::NOSYS | Errno::NOTSUP) => fs::rename(from, to),
        other => other.map_err(Into::into),
    };
    match outcome {
        Ok(()) => Ok(Committed::New),
        Err(e) if matches!(e.kind(), std::io::ErrorKind::AlreadyExists | std::io::ErrorKind::DirectoryNotEmpty) => {
            Ok(Committed::Present)
        }
        Err(e) => Err(crate::error::io(format!("cannot move a deposit to {}", to.display()), e)),
    }
}

/// Another file of the same bytes, without a copy of them: of its own where the file system shares blocks, else the same one
/// under two names. False where it can do neither.
fn share(from: &Path, to: &Path) -> std::io::Result<bool> {
    let copy = File::create_new(to)?;
    if rustix::fs::ioctl_ficlone(&copy, File::open(from)?).is_ok() {
        copy.sync_all()?;
        return Ok(true);
    }
    drop(copy);
    fs::remove_file(to)?;
    Ok(fs::hard_link(from, to).is_ok())
}

fn sync_tree(dir: &Path) -> std::io::Result<()> {
    for entry in fs::read_dir(dir)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            sync_tree(&entry.path())?;
        } else {
            File::open(entry.path())?.sync_all()?;
        }
    }
    File::open(dir)?.sync_all()
}

impl Store for FsStore {
    fn stage(&self, prefix: &Key) -> Result<Box<dyn Deposit>> {
        let folder = self.staging.dir("deposit")?;
        Ok(Box::new(Folder { prefix: prefix.clone(), folder, folders: Vec::new(), files: 0 }))
    }

    fn commit(&self, deposits: Vec<Staged>) -> Result<Vec<Committed>> {
        let mut folders = Vec::with_capacity(deposits.len());
        let mut count = 0;
        for Staged { prefix, held } in deposits {
            let Held::Folder { folder, files } = held else {
                return Err(Error::internal("a deposit of another store was committed to a directory store"));
            };
            count += files;
            folders.push((prefix, folder));
        }
        self.settle(&folders, count)
    }

    fn put(&self, key: &Key, bytes: &[u8]) -> Result<Committed> {
        let target = self.path(key);
        if target.exists() {
            return Ok(Committed::Present);
        }
        let folder = self.staging.dir("put")?;
        let staged = folder.path().join("object");
        let written = || format!("cannot write {}", target.display());
        let mut file = File::create_new(&staged).doing(written)?;
        file.write_all(bytes).doing(written)?;
        file.sync_all().doing(written)?;
        let parent = target.parent().unwrap_or(&self.root);
        let mut touched = BTreeSet::from([parent.to_owned()]);
        make_dirs(&self.root, parent, &mut touched).doing(written)?;
        let outcome = match fs::hard_link(&staged, &target) {
            Ok(()) => Committed::New,
            Err(e) if e.kind() == std::io::ErrorKind::AlreadyExists => return Ok(Committed::Present),
            // A file system without hard links: the name is free, as was seen above.
            Err(_) => move_into_place(&staged, &target)?,
        };
        touched.iter().try_for_each(|dir| File::open(dir)?.sync_all()).doing(written)?;
        Ok(outcome)
    }

    fn rewrite(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        self.restore(key, bytes.len() as u64, &mut &bytes[..])
    }

    fn restore(&self, key: &Key, size: u64, from: &mut dyn Read) -> Result<()> {
        let (target, folder) = (self.path(key), self.staging.dir("restore")?);
        let (staged, written) = (folder.path().join("object"), || format!("cannot write {}", target.display()));
        let mut to: Box<dyn Write> = match size {
            LARGE.. => Box::new(DirectFile::create_new(&staged).doing(written)?),
            _ => Box::new(File::create_new(&staged).doing(written)?),
        };
        let mut block = vec![0; 1 << 20];
        loop {
            let n = from.read(&mut block).doing(|| format!("cannot restore {key}"))?;
            if n == 0 {
                break;
            }
            to.write_all(&block[..n]).doing(written)?;
        }
        to.flush().doing(written)?;
        drop(to);
        File::open(&staged).and_then(|file| file.sync_all()).doing(written)?;
        let parent = target.parent().unwrap_or(&self.root);
        let mut touched = BTreeSet::from([parent.to_owned()]);
        make_dirs(&self.root, parent, &mut touched).doing(written)?;
        #[allow(
            clippy::disallowed_methods,
            reason = "one step from the old to the new, in the one place that does it"
        )]
        fs::rename(&staged, &target).doing(written)?;
        touched.iter().try_for_each(|dir| File::open(dir)?.sync_all()).doing(written)
    }

    fn duplicate(&self, from: &Key, to: &Key, of: &Original<'_>) -> Result<Committed> {
        let (source, target) = (self.path(from), self.path(to));
        let doing = || format!("cannot copy {from} to {to}");
        if self.size(to)?.is_some() {
            return Ok(Committed::Present);
        }
        let folder = self.staging.dir("duplicate")?;
        let staged = folder.path().join("object");
        // What is not here or of another size is told by who reads it.
        let is_shared = self.size_here(from)? == Some(of.bytes) && share(&source, &staged).doing(doing)?;
        if !is_shared {
            let mut bytes = Checked::new(self.open(from, None)?, of.digest);
            self.restore(to, of.bytes, &mut bytes)?;
            return Ok(Committed::New);
        }
        let parent = target.parent().unwrap_or(&self.root);
        let mut touched = BTreeSet::from([parent.to_owned()]);
        make_dirs(&self.root, parent, &mut touched).doing(doing)?;
        let outcome = move_into_place(&staged, &target)?;
        touched.iter().try_for_each(|dir| File::open(dir)?.sync_all()).doing(doing)?;
        Ok(outcome)
    }

    fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>> {
        let path = self.path(key);
        let mut file = match File::open(&path) {
            Err(e) if e.kind() == std::io::ErrorKind::NotFound && self.is_cold(key)? => {
                return Err(Error::archived(key));
            }
            opened => opened.doing(|| format!("cannot open {key} in the store"))?,
        };
        let Some(range) = range else { return Ok(Box::new(file)) };
        file.seek(SeekFrom::Start(range.start)).doing(|| format!("cannot read {key}"))?;
        Ok(Box::new(file.take(range.end.saturating_sub(range.start))))
    }

    fn size(&self, key: &Key) -> Result<Option<u64>> {
        match (self.size_here(key)?, key.area()) {
            (None, Area::Masters) => self.cold()?.map_or(Ok(None), |cold| cold.size_here(key)),
            (size, _) => Ok(size),
        }
    }

    fn list(&self, prefix: &Key) -> Result<Vec<Key>> {
        let base = self.path(prefix);
        let mut keys = Vec::new();
        for entry in walkdir::WalkDir::new(&base).follow_links(false) {
            let entry = match entry {
                Ok(entry) => entry,
                Err(e) if e.io_error().is_some_and(|e| e.kind() == std::io::ErrorKind::NotFound) => continue,
                Err(e) => return Err(Error::unavailable(format!("cannot list {prefix} in the store")).because(e)),
            };
            if !entry.file_type().is_file() || entry.path() == base {
                continue;
            }
            let relative = entry.path().strip_prefix(&self.root).ok().and_then(Path::to_str);
            // A file that damctl did not name is not an object of the store.
            if let Some(key) = relative.and_then(|r| r.parse().ok()) {
                keys.push(key);
            }
        }
        if prefix.area() == Area::Masters
            && let Some(cold) = self.cold()?
        {
            keys.extend(cold.list(prefix)?);
        }
        keys.sort();
        keys.dedup();
        Ok(keys)
    }

    fn each_object(&self, area: Area, each: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        let cold = if area == Area::Masters { self.cold()? } else { None };
        let Some(cold) = cold else { return self.walk(area).try_for_each(|found| each(found?)) };
        // Both come in the order of folders and names: what lies in the one and in the other is one object's.
        let (mut here, mut there) = (self.walk(area).peekable(), cold.walk(area).peekable());
        let place = |found: &Found| found.key.as_str().split('/').map(str::to_owned).collect::<Vec<_>>();
        loop {
            let order = match (here.peek(), there.peek()) {
                (None, None) => return Ok(()),
                (Some(Ok(a)), Some(Ok(b))) => place(a).cmp(&place(b)),
                (Some(_), _) => std::cmp::Ordering::Less,
                (None, Some(_)) => std::cmp::Ordering::Greater,
            };
            // A copy that a killed run left is the same object.
            let next = match order {
                std::cmp::Ordering::Greater => there.next(),
                std::cmp::Ordering::Equal => there.next().and(here.next()),
                std::cmp::Ordering::Less => here.next(),
            };
            next.map_or(Ok(()), |found| each(found?))?;
        }
    }

    fn availability(&self, key: &Key) -> Result<Option<Availability>> {
        Ok(match (self.size_here(key)?, key.area()) {
            (Some(_), _) => Some(Availability::Online { until: None }),
            (None, Area::Masters) if self.is_cold(key)? => Some(Availability::Offline),
            _ => None,
        })
    }

    fn reads_offline(&self) -> bool {
        true
    }

    fn open_offline(&self, key: &Key) -> Result<Box<dyn Read + Send>> {
        self.cold()?.map_or_else(|| Err(Error::archived(key)), |cold| cold.open(key, None))
    }

    fn archive_place(&self) -> Result<String> {
        let none = || {
            Error::unsupported("this archive has no folder for what is archived")
                .hint("the setting 'archive_folder' names one, mostly on another disk: archive_folder: /mnt/cold")
        };
        self.cold.as_ref().map(|cold| cold.root.display().to_string()).ok_or_else(none)
    }

    fn archive(&self, key: &Key, digest: &Digest, _made_of: Option<&Upload>) -> Result<()> {
        let Some(cold) = &self.cold else { return self.archive_place().map(drop) };
        self.move_to(&cold.claim(&self.root)?, key, digest)
    }

    fn recall(&self, key: &Key, digest: &Digest, _how: &Recall) -> Result<Recalled> {
        if let Some(cold) = self.cold()? {
            cold.move_to(self, key, digest)?;
        } else if self.size_here(key)?.is_none() {
            let message = format!("{key} is in no folder that this archive has");
            return Err(Error::paused(message).hint("the setting 'archive_folder' names the folder that it went to"));
        }
        Ok(Recalled::Back)
    }

    fn remove(&self, prefix: &Key) -> Result<()> {
        // Out of sight first, so that no reader sees half of it gone.
        if prefix.area() == Area::Masters
            && let Some(cold) = self.cold()?
        {
            cold.remove(prefix)?;
        }
        let grave = self.staging.dir("removed")?;
        match fs::rename(self.path(prefix), grave.path().join("x")) {
            Ok(()) => Ok(()),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(()),
            Err(e) => Err(crate::error::io(format!("cannot remove {prefix} from the store"), e)),
        }
    }

    fn local_path(&self, key: &Key) -> Option<PathBuf> {
        Some(self.path(key))
    }
}

/// A deposit as a folder in the staging area.
struct Folder {
    prefix: Key,
    folder: tempfile::TempDir,
    /// Those that are made in it.
    folders: Vec<String>,
    files: usize,
}

impl Folder {
    fn place(&mut self, name: &str) -> Result<PathBuf> {
        // The name is checked as part of the key it will have.
        self.prefix.join(name)?;
        let path = self.folder.path().join(name);
        if let Some((dirs, _)) = name.rsplit_once('/')
            && !self.folders.iter().any(|f| f == dirs)
        {
            let dir = self.folder.path().join(dirs);
            fs::create_dir_all(&dir).doing(|| format!("cannot make {}", dir.display()))?;
            self.folders.extend(dirs.match_indices('/').map(|(at, _)| dirs[..at].to_owned()));
            self.folders.push(dirs.to_owned());
        }
        self.files += 1;
        Ok(path)
    }
}

impl Deposit for Folder {
    fn create(&mut self, name: &str, size: Option<u64>) -> Result<Box<dyn Write + Send>> {
        let path = self.place(name)?;
        let making = || format!("cannot make {}", path.display());
        Ok(match size {
            Some(LARGE..) => Box::new(DirectFile::create_new(&path).doing(making)?),
            _ => Box::new(File::create_new(&path).doing(making)?),
        })
    }

    fn repeat(&mut self, name: &str, of: &str) -> Result<()> {
        let (from, to) = (self.folder.path().join(of), self.place(name)?);
        // Half of what a small file costs is the making of files.
        if fs::hard_link(&from, &to).is_err() {
            fs::copy(&from, &to).doing(|| format!("cannot copy {} to {}", from.display(), to.display()))?;
        }
        Ok(())
    }

    fn adopt(&mut self, name: &str, from: &Path) -> Result<()> {
        let to = self.place(name)?;
        match fs::rename(from, &to) {
            Err(e) if e.kind() == std::io::ErrorKind::CrossesDevices => {
                fs::copy(from, &to).doing(|| format!("cannot copy {} into the store", from.display()))?;
            }
            other => other.doing(|| format!("cannot move {} into the store", from.display()))?,
        }
        Ok(())
    }

    fn discard(&mut self, name: &str) -> Result<()> {
        let path = self.folder.path().join(name);
        fs::remove_file(&path).doing(|| format!("cannot take {} out of a deposit", path.display()))?;
        self.files -= 1;
        Ok(())
    }

    fn place(&mut self, prefix: &Key) -> Result<()> {
        self.prefix = prefix.clone();
        Ok(())
    }

    fn local_path(&self, name: &str) -> Option<PathBuf> {
        Some(self.folder.path().join(name))
    }

    fn finish(self: Box<Self>) -> Result<Staged> {
        Ok(Staged { prefix: self.prefix, held: Held::Folder { folder: self.folder, files: self.files } })
    }
}
