//! Copies of the masters in another store, object by object: what it lacks is copied, and read back there.
//!
//! Nothing is noted of how far it is, for what both stores hold tells: so it goes on wherever it was stopped. An object's
//! inventory comes last, and a copy without it is none.

use std::{
    collections::{BTreeMap, HashMap},
    io::Read,
};

use crate::{
    digest::{Checked, Digest, Hasher},
    error::{Doing, Kind, Result},
    model::{Area, Key},
    pace::Pace,
    stop::Stop,
    store::{Found, Store, ocfl},
};

/// How it is done.
#[derive(Clone, Copy, Default)]
pub struct Replicate<'a> {
    /// Whether what is there is read as well, and made good where its bytes are others.
    pub verify: bool,
    /// How fast.
    pub pace: Option<&'a Pace>,
}

/// What was done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Replicated {
    /// Files that were there.
    pub present: u64,
    /// Files that were copied.
    pub copied: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Of these, files in the place of others: shorter, older or damaged.
    pub replaced: u64,
    /// What could not be copied, and was named.
    pub bad: u64,
    /// What is archived, and is copied once it was restored.
    pub archived: u64,
}

/// Brings a copy of the masters up to date. `each` hears of what is wrong.
pub fn replicate(
    store: &dyn Store,
    replica: &dyn Store,
    how: Replicate<'_>,
    stop: &Stop,
    each: &mut dyn FnMut(&Key, &str),
) -> Result<Replicated> {
    let mut copying = Copying { store, replica, how, stop, each, done: Replicated::default() };
    let mut under: Option<(Key, BTreeMap<String, u64>)> = None;
    store.each_object(Area::Masters, &mut |found: Found| {
        stop.check()?;
        let Some(root) = ocfl::root_above(&found.key) else {
            // The storage root's own files; what else lies about is nobody's.
            let name = found.key.as_str().trim_start_matches("masters/");
            let is_root = ["0=ocfl_1.1", "ocfl_layout.json"].contains(&name) || name.starts_with("extensions/");
            return if is_root { copying.small(&found.key, None) } else { Ok(()) };
        };
        if under.as_ref().is_some_and(|(known, _)| *known != root)
            && let Some((root, files)) = under.take()
        {
            copying.object(&root, &files)?;
        }
        let below = found.key.as_str().strip_prefix(root.as_str()).unwrap_or_default().trim_start_matches('/');
        under.get_or_insert_with(|| (root, BTreeMap::new())).1.insert(below.to_owned(), found.bytes);
        Ok(())
    })?;
    if let Some((root, files)) = under.take() {
        copying.object(&root, &files)?;
    }
    Ok(copying.done)
}

struct Copying<'a> {
    store: &'a dyn Store,
    replica: &'a dyn Store,
    how: Replicate<'a>,
    stop: &'a Stop,
    each: &'a mut dyn FnMut(&Key, &str),
    done: Replicated,
}

impl Copying<'_> {
    fn bad(&mut self, key: &Key, what: &str) {
        self.done.bad += 1;
        (self.each)(key, what);
    }

    fn object(&mut self, root: &Key, files: &BTreeMap<String, u64>) -> Result<()> {
        let inventory = match ocfl::Inventory::checked(self.store, root)? {
            Ok(inventory) => inventory,
            Err(why) => {
                self.bad(root, &format!("its inventory {why}: not copied"));
                return Ok(());
            }
        };
        let named: HashMap<&str, Digest> = inventory.files().map(|(digest, path, _)| (path, *digest)).collect();
        let (content, rest): (Vec<_>, Vec<_>) = files.iter().partition(|(name, _)| named.contains_key(name.as_str()));
        let mut is_whole = true;
        for (name, bytes) in content {
            let Some(digest) = named.get(name.as_str()) else { continue };
            is_whole &= self.file(&root.join(name)?, *bytes, *digest)?;
        }
        for path in named.keys().filter(|path| !files.contains_key(**path)) {
            self.bad(&root.join(path)?, "the store does not have it: not copied");
            is_whole = false;
        }
        let is_last = |name: &str| name == "inventory.json" || name == "inventory.json.sha256";
        for (name, _) in rest.iter().filter(|(name, _)| !is_last(name)) {
            // What no inventory names is no part of the object, but for its versions' own and the records.
            let told =
                name.strip_prefix("logs/").and_then(|rest| rest.split_once('/')?.0.split_once('-')?.1.parse().ok());
            let is_ours = told.is_some() || name.ends_with("/inventory.json") || name.contains("inventory.json.sha256");
            if is_ours || name.starts_with("0=ocfl_object") {
                self.small(&root.join(name)?, told)?;
            }
        }
        crate::crash::point("replicate.before-inventory");
        // Without all its bytes there, a copy's inventory would promise too much.
        if is_whole {
            self.small(&root.join("inventory.json")?, None)?;
            self.small(&root.join("inventory.json.sha256")?, None)?;
        }
        Ok(())
    }

    /// Copies a file of known bytes; says whether the copy has them.
    fn file(&mut self, key: &Key, bytes: u64, digest: Digest) -> Result<bool> {
        let there = self.replica.size(key)?;
        let is_sound = there == Some(bytes) && (!self.how.verify || self.reads_as(key, digest)?);
        if is_sound {
            self.done.present += 1;
            return Ok(true);
        }
        let from = match self.store.open(key, None) {
            Err(e) if e.kind() == Kind::Archived => {
                self.done.archived += 1;
                return Ok(false);
            }
            opened => opened?,
        };
        let from = Paced { from, pace: self.how.pace, stop: self.stop };
        let mut from = Checked::new(from, digest);
        match self.replica.restore(key, bytes, &mut from) {
            Ok(()) => {}
            Err(_) if from.was_wrong() => {
                self.bad(key, "the store's own copy is damaged: not copied");
                return Ok(false);
            }
            Err(e) => return Err(e),
        }
        crate::crash::point("replicate.after-copy");
        if !self.reads_as(key, digest)? {
            self.bad(key, "what was copied reads as other bytes");
            return Ok(false);
        }
        self.done.copied += 1;
        self.done.replaced += u64::from(there.is_some());
        self.done.bytes += bytes;
        Ok(true)
    }

    /// Copies a small file whose digest is only known by some; it may have changed.
    fn small(&mut self, key: &Key, expected: Option<Digest>) -> Result<()> {
        let read = |store: &dyn Store| -> Result<Option<Vec<u8>>> {
            let mut bytes = Vec::new();
            match store.open(key, None) {
                Ok(mut file) => file.read_to_end(&mut bytes).doing(|| format!("cannot read {key}"))?,
                Err(e) if e.kind() == Kind::NotFound => return Ok(None),
                Err(e) => return Err(e),
            };
            Ok(Some(bytes))
        };
        let Some(bytes) = read(self.store)? else { return Ok(()) };
        if expected.is_some_and(|expected| expected != Digest::of(&bytes)) {
            self.bad(key, "the store's own copy is damaged: not copied");
            return Ok(());
        }
        let there = read(self.replica)?;
        if there.as_ref() == Some(&bytes) {
            self.done.present += 1;
            return Ok(());
        }
        self.replica.rewrite(key, &bytes)?;
        if read(self.replica)?.as_ref() != Some(&bytes) {
            self.bad(key, "what was copied reads as other bytes");
            return Ok(());
        }
        self.done.copied += 1;
        self.done.replaced += u64::from(there.is_some());
        self.done.bytes += bytes.len() as u64;
        Ok(())
    }

    fn reads_as(&self, key: &Key, digest: Digest) -> Result<bool> {
        let found = Hasher::read_all(self.replica.open(key, None)?, |n| {
            self.stop.check()?;
            self.how.pace.map_or(Ok(()), |pace| pace.spend(n, self.stop))
        })?;
        Ok(found.0 == digest)
    }
}

/// Bytes that come no faster than they may, and no more once it is to stop.
struct Paced<'a> {
    from: Box<dyn Read + Send>,
    pace: Option<&'a Pace>,
    stop: &'a Stop,
}

impl Read for Paced<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        self.stop.check().map_err(std::io::Error::other)?;
        let n = self.from.read(buffer)?;
        if let Some(pace) = self.pace {
            pace.spend(n as u64, self.stop).map_err(std::io::Error::other)?;
        }
        Ok(n)
    }
}
