//! A catalog from nothing but the store: records first, and what none of them tells from the objects themselves.
//!
//! The store is listed three times, and one object's names are in memory at a time. What is damaged, missing or unknown is
//! a finding; all else is taken in.

use std::{collections::HashMap, fmt, io::Read};

use super::record;
use crate::{
    catalog::{Catalog, Membership, Original, Record},
    digest::{Digest, FINGERPRINT, fingerprint},
    error::{Doing, Kind, Result},
    media::{self, child::ChildProcess, sniff},
    model::{Area, Asset, AssetId, Key, RawPath, Role},
    spool::Spool,
    stop::Stop,
    store::{
        self, Store,
        ocfl::{self, Listed},
    },
};

/// What was found, and what was made of it.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rebuilt {
    /// Assets by their records.
    pub recorded: u64,
    /// Assets of which nothing tells but their bytes and their inventory.
    pub bare: u64,
    /// Masters that are where they should be.
    pub masters: u64,
    /// Renditions of which all files are there.
    pub renditions: u64,
    /// Renditions of which files are missing: they are planned again.
    pub lost: u64,
    /// Things that are not as they should be.
    pub findings: u64,
}

/// What measures files, and where copies of them may lie meanwhile.
pub struct Measure<'a> {
    /// What has to be decoded is measured in it.
    pub child: &'a ChildProcess,
    /// For copies.
    pub spool: &'a Spool,
}

/// Makes the catalog of what the store holds. `each` hears of every finding, with the key that it is about.
///
/// Errors: `Conflict` when the catalog is not empty.
pub fn rebuild(
    catalog: &Catalog,
    store: &dyn Store,
    measure: &Measure<'_>,
    stop: &Stop,
    each: &mut dyn FnMut(&Key, &str),
) -> Result<Rebuilt> {
    catalog.must_be_empty()?;
    let mut work = Work { catalog, store, measure, stop, each, rebuilt: Rebuilt::default() };
    // What was recorded may lie in another object than its record.
    work.each_object(&mut |work, object| work.records(object))?;
    work.each_object(&mut |work, object| work.content(object))?;
    work.missing()?;
    work.renditions()?;
    Ok(work.rebuilt)
}

struct Work<'a> {
    catalog: &'a Catalog,
    store: &'a dyn Store,
    measure: &'a Measure<'a>,
    stop: &'a Stop,
    each: &'a mut dyn FnMut(&Key, &str),
    rebuilt: Rebuilt,
}

impl Work<'_> {
    fn find(&mut self, key: &Key, what: impl fmt::Display) {
        self.rebuilt.findings += 1;
        (self.each)(key, &what.to_string());
    }

    /// Calls `with` for each object. What lies in none is told by [`content`](Self::content)'s round.
    fn each_object(&mut self, with: &mut dyn FnMut(&mut Self, &Listed) -> Result<()>) -> Result<()> {
        let (store, stop) = (self.store, self.stop);
        ocfl::each_object(store, stop, &mut |object| with(self, object))
    }

    /// Takes in what an object's records tell; of each asset, the latest.
    fn records(&mut self, object: &Listed) -> Result<()> {
        let mut latest: HashMap<AssetId, (i64, Record, Digest)> = HashMap::new();
        for name in object.files.keys().filter(|name| name.starts_with("logs/")) {
            let key = object.root.join(name)?;
            let told = name.strip_prefix("logs/").and_then(|rest| rest.strip_suffix(record::NAME));
            let told = told.and_then(|rest| rest.trim_end_matches('/').split_once('-'));
            let Some((at, digest)) =
                told.and_then(|(at, d)| Some((at.parse::<i64>().ok()?, d.parse::<Digest>().ok()?)))
            else {
                self.find(&key, "damctl did not write it");
                continue;
            };
            let mut text = Vec::new();
            self.store.open(&key, None)?.read_to_end(&mut text).doing(|| format!("cannot read {key}"))?;
            if Digest::of(&text) != digest {
                self.find(&key, "this record is damaged: an earlier one counts");
                continue;
            }
            for line in text.split(|b| *b == b'\n').filter(|line| !line.is_empty()) {
                match serde_json::from_slice::<Record>(line) {
                    Ok(record) => {
                        let known = latest.get(&record.asset.id).map(|(known, ..)| *known);
                        if known.is_none_or(|known| known <= at) {
                            latest.insert(record.asset.id, (at, record, Digest::of(line)));
                        }
                    }
                    Err(e) => self.find(&key, format!("a line of this record cannot be read: {e}")),
                }
            }
        }
        for (at, record, digest) in latest.into_values() {
            let is_new = self.catalog.recorded(record.asset.id)?.is_none();
            if self.catalog.restore(&record, at, &digest)? && is_new {
                self.rebuilt.recorded += 1;
            }
        }
        Ok(())
    }

    /// Holds an object against its inventory and the records, and takes in what none of these tells.
    fn content(&mut self, object: &Listed) -> Result<()> {
        let Some(inventory) = self.inventory(object)? else { return Ok(()) };
        let mut named = std::collections::HashSet::new();
        let mut sound = Vec::new();
        for (digest, path, name) in inventory.files() {
            named.insert(path.to_owned());
            let key = object.root.join(path)?;
            let known = self.catalog.master_by_digest(digest)?;
            match (object.files.get(path), &known) {
                (None, None) => self.find(&key, "its inventory names it, and it is not there"),
                // Told where masters are looked for.
                (None, Some(_)) => {}
                (Some(there), Some(master)) if master.key == key && *there != master.bytes => {
                    self.find(&key, format!("it has {there} bytes, not {}", master.bytes));
                }
                (Some(_), Some(master)) if master.key == key => sound.push(*digest),
                // A copy that nobody needs.
                (Some(_), Some(_)) => {}
                (Some(bytes), None) => {
                    if self.bare(&inventory, &key, (*digest, *bytes, name))? {
                        sound.push(*digest);
                    }
                }
            }
        }
        for name in object.files.keys().filter(|n| n.contains("/content/") && !named.contains(*n)) {
            self.find(&object.root.join(name)?, "its inventory does not name it");
        }
        self.rebuilt.masters += sound.len() as u64;
        self.catalog.confirm(&sound)
    }

    /// The object's inventory: its root's, or where that is damaged the latest of a version that is sound.
    fn inventory(&mut self, object: &Listed) -> Result<Option<ocfl::Inventory>> {
        let why = match ocfl::Inventory::checked(self.store, &object.root)? {
            Ok(inventory) => return Ok(Some(inventory)),
            Err(why) => why,
        };
        self.find(&object.root, format!("its inventory {why}"));
        let versions = object.files.keys().filter_map(|name| name.strip_prefix('v')?.strip_suffix("/inventory.json"));
        let mut versions: Vec<u32> = versions.filter_map(|n| n.parse().ok()).collect();
        versions.sort_unstable_by(|a, b| b.cmp(a));
        for version in versions {
            if let Ok(inventory) = ocfl::Inventory::checked(self.store, &object.root.join(&format!("v{version}"))?)? {
                return Ok(Some(inventory));
            }
        }
        Ok(None)
    }

    /// Takes bytes in of which there is no record: they are read and measured again. Says whether they are what their
    /// inventory tells.
    fn bare(&mut self, inventory: &ocfl::Inventory, key: &Key, of: (Digest, u64, &str)) -> Result<bool> {
        let (digest, bytes, name) = of;
        let dir = self.measure.spool.dir("rebuild")?;
        let path = match store::fetch(self.store, key, dir.path().join("master")) {
            Err(e) if e.kind() == Kind::Archived => {
                self.find(key, "no record tells of it, and it is archived: what it is cannot be read");
                return Ok(false);
            }
            fetched => fetched?,
        };
        let doing = || format!("cannot read {key}");
        let file = std::fs::File::open(&path).doing(doing)?;
        let (found, _) = crate::digest::Hasher::read_all(file, |_| self.stop.check())?;
        if found != digest {
            self.find(key, format!("SHA-256 is {found}, not {digest}"));
            return Ok(false);
        }
        let end = |from: u64| -> Result<Vec<u8>> {
            let mut part = Vec::new();
            let mut reader = self.store.open(key, Some(from..(from + FINGERPRINT as u64).min(bytes)))?;
            reader.read_to_end(&mut part).doing(doing)?;
            Ok(part)
        };
        let (head, tail) = (end(0)?, end(bytes.saturating_sub(FINGERPRINT as u64))?);
        let sniffed = &head[..head.len().min(sniff::HEAD)];
        let facts = media::measure(&path, sniffed, self.measure.child, self.measure.spool, self.stop);
        let facts = match facts {
            Err(e) if matches!(e.kind(), Kind::Stopped | Kind::Paused) => return Err(e),
            Err(e) => {
                let (kind, mime) = sniff::sniff(sniffed);
                let problem = Some(format!("it could not be measured: {}", e.one_line()));
                crate::model::MediaFacts { problem, ..crate::model::MediaFacts::bare(kind, mime) }
            }
            Ok(facts) => facts,
        };
        // Of an object that is one asset's, the identifier is the asset's; a shared one's is nobody's.
        let own = inventory.asset().filter(|_| inventory.files().count() == 1);
        let id = own.unwrap_or_else(|| AssetId::derived(&["rebuilt".as_bytes(), digest.as_bytes()]));
        let raw: RawPath = name.parse().unwrap_or_else(|_| RawPath::new(name));
        let title = raw.file_name_text();
        let created_at = inventory.created_ms().unwrap_or(0);
        let record = Record {
            asset: Asset { id, kind: facts.kind, title: title.clone(), collection: None, created_at },
            generation: 1,
            members: vec![Membership { generation: 1, digest, role: Role::Main, name: title }],
            masters: vec![Original {
                digest,
                bytes,
                fingerprint: Some(fingerprint(bytes, &head, &tail)),
                key: key.clone(),
                facts,
                archived: None,
            }],
            sightings: Vec::new(),
            drives: Vec::new(),
            said: None,
            collection: None,
            findings: Vec::new(),
            renditions: Vec::new(),
            pending: None,
            publications: Vec::new(),
        };
        let (_, of_line) = record::line(&record)?;
        self.catalog.restore(&record, 0, &of_line)?;
        self.rebuilt.bare += 1;
        self.find(key, format!("no record tells of it: it is asset {id} now, by its bytes alone"));
        Ok(true)
    }

    /// Masters that no object was found to hold, and what lies in the area and is of no object.
    fn missing(&mut self) -> Result<()> {
        for master in self.catalog.unconfirmed()? {
            let what = match self.store.size(&master.key)? {
                None => "the store does not have it".to_owned(),
                Some(there) if there != master.bytes => continue,
                Some(_) => "its object's inventory does not name these bytes".to_owned(),
            };
            self.find(&master.key, what);
        }
        let mut unknown = Vec::new();
        self.store.each_object(Area::Masters, &mut |found| {
            let name = found.key.as_str().trim_start_matches("masters/");
            let is_root = ["0=ocfl_1.1", "ocfl_layout.json"].contains(&name) || name.starts_with("extensions/");
            if ocfl::root_above(&found.key).is_none() && !is_root && unknown.len() < 1000 {
                unknown.push(found.key);
            }
            Ok(())
        })?;
        for key in unknown {
            self.find(&key, "it is of no object");
        }
        Ok(())
    }

    /// Renditions as they are recorded, held against what is there. Of those that lack files nothing is kept in the catalog,
    /// so that they are planned again.
    fn renditions(&mut self) -> Result<()> {
        let mut after = Default::default();
        loop {
            self.stop.check()?;
            let page = self.catalog.renditions_page(&after, 500)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.master.to_string(), last.entry.clone(), last.recipe.to_string());
            for r in page {
                let mut is_whole = true;
                for file in &r.files {
                    is_whole &= self.store.size(&r.prefix.join(&file.name)?)? == Some(file.bytes);
                }
                if is_whole {
                    self.rebuilt.renditions += 1;
                } else {
                    self.find(
                        &r.prefix,
                        "files of this rendition are missing or have another size: it is planned again",
                    );
                    self.catalog.forget_rendition(&r)?;
                    self.rebuilt.lost += 1;
                }
            }
        }
    }
}
