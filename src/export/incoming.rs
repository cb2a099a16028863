//! A bag that is to be taken in: what it has to be, and what it says of its files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use serde::Deserialize;

use super::validate::{Fault, Looked};
use crate::{
    catalog::{Catalog, Edit},
    digest::{Algorithm, Digest},
    error::{Doing, Result},
    model::{AssetId, Description, Outcome, Role, Sighting},
    stop::Stop,
};

/// The longest record that is read.
const LONGEST: u64 = 64 << 20;

/// A bag whose payload is taken in.
pub struct Incoming {
    looked: Looked,
    /// SHA-256 of payload files, by their paths in the bag.
    digests: BTreeMap<String, Digest>,
}

impl Incoming {
    /// Looks at all of a bag but the bytes of its files.
    ///
    /// Errors: `NotFound` when there is no such folder. What is wrong with it, [`faults`](Self::faults) says.
    pub fn open(bag: &Path, stop: &Stop) -> Result<Self> {
        let looked = Looked::at(bag, stop)?;
        let of = looked.manifests.iter().filter(|(_, a, _)| *a == Algorithm::Sha256).flat_map(|(_, _, m)| m);
        let digests = of.filter_map(|(path, digest)| Some((path.clone(), digest.parse().ok()?))).collect();
        Ok(Self { looked, digests })
    }

    /// The folder of its payload.
    pub fn payload(&self) -> PathBuf {
        self.looked.root.join("data")
    }

    /// What is wrong with it, as far as it was looked at.
    pub fn faults(&self) -> &[Fault] {
        &self.looked.found.faults
    }

    /// Reads what nobody will read who can hold it against a SHA-256: its tag files, payload that is not in `taken` (paths as
    /// [`payload`](Self::payload) is), and all payload when a manifest has another algorithm.
    pub fn check(&mut self, taken: &BTreeSet<PathBuf>, stop: &Stop) -> Result<()> {
        let root = self.looked.root.clone();
        let is_plain = self.looked.manifests.iter().all(|(_, a, _)| *a == Algorithm::Sha256);
        let wanted = |path: &str, _: Algorithm, is_tag: bool| is_tag || !is_plain || !taken.contains(&root.join(path));
        let read = self.looked.read(&wanted, stop)?;
        self.digests.extend(read);
        Ok(())
    }

    /// The SHA-256 that a payload file has to have, by its path.
    pub fn promised(&self, path: &Path) -> Option<Digest> {
        let below = path.strip_prefix(&self.looked.root).ok()?.to_str()?;
        self.digests.get(below).copied()
    }

    /// The collection of all of it, where it names one.
    pub fn collection(&self) -> Option<&str> {
        let mut names = self.looked.says("Bag-Group-Identifier").filter(|name| !name.is_empty());
        let first = names.next()?;
        names.all(|name| name == first).then_some(first)
    }

    /// Tells the catalog what the bag says of assets that came with it and of which nobody has said anything: damctl's own
    /// record, else its bag-info.txt. The collection is not the bag's to say where `is_collection_given`. Gives how many it
    /// told of, and what could not be told.
    pub fn describe(
        &self,
        catalog: &Catalog,
        sightings: &[(PathBuf, Sighting)],
        is_collection_given: bool,
        actor: &str,
    ) -> Result<(u64, Vec<String>)> {
        let mut came: BTreeMap<AssetId, BTreeSet<Digest>> = BTreeMap::new();
        for (path, sighting) in sightings {
            if let (true, Outcome::Stored, Some(asset), Some(digest)) =
                (path.starts_with(self.payload()), sighting.outcome, sighting.asset, sighting.digest)
            {
                came.entry(asset).or_default().insert(digest);
            }
        }
        let (records, mut odd) = self.records()?;
        let (mut told, by_itself) = (0, self.said());
        for (asset, digests) in came {
            if catalog.described(asset)?.revision != 0 {
                continue;
            }
            let record = records.iter().find(|r| r.main().is_some_and(|main| digests.contains(main)));
            let edit = match record {
                Some(record) => Edit {
                    title: Some(record.asset.title.clone()),
                    collection: (!is_collection_given).then(|| record.asset.collection.clone().unwrap_or_default()),
                    description: Some(record.said.as_ref().map(|s| s.fields.clone()).unwrap_or_default()),
                },
                None => match &by_itself {
                    Some(text) => {
                        let description = Description { text: Some(text.clone()), ..Description::default() };
                        Edit { title: None, collection: None, description: Some(description) }
                    }
                    None => continue,
                },
            };
            match catalog.describe(asset, &edit, Some(0), actor) {
                Ok(_) => told += 1,
                Err(e) if e.kind() == crate::error::Kind::Conflict => {}
                Err(e) if e.kind() == crate::error::Kind::Invalid => {
                    odd.push(format!("asset {asset}: what the bag says of it was not taken: {}", e.one_line()));
                }
                Err(e) => return Err(e),
            }
        }
        Ok((told, odd))
    }

    /// What bag-info.txt says of all of it, for people.
    fn said(&self) -> Option<String> {
        let labels = [
            ("External-Description", ""),
            ("Source-Organization", "Source: "),
            ("External-Identifier", "Identifier: "),
        ];
        let lines = labels.iter().flat_map(|(label, before)| {
            let values = self.looked.says(label).filter(|v| !v.is_empty());
            values.map(move |value| format!("{before}{value}"))
        });
        let text = lines.collect::<Vec<_>>().join("\n");
        (!text.is_empty()).then_some(text)
    }

    /// The records that damctl puts in its bags, and what is wrong with those that cannot be read.
    fn records(&self) -> Result<(Vec<Record>, Vec<String>)> {
        let (mut records, mut odd) = (Vec::new(), Vec::new());
        let is_record = |path: &&String| path.starts_with("metadata/") && path.ends_with("/damctl.json");
        for path in self.looked.tree.keys().filter(is_record) {
            let file = File::open(self.looked.root.join(path)).doing(|| format!("cannot open {path}"))?;
            let mut text = Vec::new();
            file.take(LONGEST + 1).read_to_end(&mut text).doing(|| format!("cannot read {path}"))?;
            if text.len() as u64 > LONGEST {
                odd.push(format!("{path} has more than {LONGEST} bytes: it was not read"));
                continue;
            }
            match serde_json::from_slice(&text) {
                Ok(record) => records.push(record),
                Err(e) => odd.push(format!("{path} is no record of damctl: {e}")),
            }
        }
        Ok((records, odd))
    }
}

/// What is taken of a record: what people have said. What damctl has found out by itself it finds out again.
#[derive(Deserialize)]
struct Record {
    asset: Named,
    generation: u32,
    members: Vec<Member>,
    #[serde(default)]
    said: Option<Said>,
}

#[derive(Deserialize)]
struct Named {
    title: String,
    #[serde(default)]
    collection: Option<String>,
}

#[derive(Deserialize)]
struct Member {
    generation: u32,
    digest: Digest,
    role: Role,
}

#[derive(Deserialize)]
struct Said {
    fields: Description,
}

impl Record {
    fn main(&self) -> Option<&Digest> {
        let is_main = |m: &&Member| m.generation == self.generation && m.role == Role::Main;
        self.members.iter().find(is_main).map(|m| &m.digest)
    }
}
