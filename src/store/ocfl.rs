//! The layout of the masters area: an OCFL 1.1 storage root (<https://ocfl.io/1.1/spec/>), one object per asset, one
//! version per generation, so that the archive can be read and checked without damctl. Pure functions; a
//! [`Store`] does the writing.

use std::{collections::BTreeMap, io::Write};

use serde::{Deserialize, Serialize};

use super::{Committed, Deposit, Found, Store};
use crate::{
    digest::Digest,
    error::{Doing, Error, Result},
    model::{Area, AssetId, Key},
    stop::Stop,
};

/// Version of the layout extension's tuples: one of three digits gives 4,096 folders, about 1,200 objects in each at
/// five million assets.
const TUPLE_SIZE: usize = 3;

/// Declares the storage root. Done again, it changes nothing.
pub fn declare_root(store: &dyn Store) -> Result<()> {
    let file = |name: &str, text: String| -> Result<Committed> {
        store.put(&Key::new(Area::Masters, &[name])?, text.as_bytes())
    };
    let extension = "0004-hashed-n-tuple-storage-layout";
    let config = serde_json::json!({
        "extensionName": extension,
        "digestAlgorithm": "sha256",
        "tupleSize": TUPLE_SIZE,
        "numberOfTuples": 1,
        "shortObjectRoot": false,
    });
    let layout = serde_json::json!({
        "extension": extension,
        "description": "SHA-256 of the object id, its first three digits as a folder",
    });
    file(&format!("extensions/{extension}/config.json"), pretty(&config)?)?;
    file("ocfl_layout.json", pretty(&layout)?)?;
    file("0=ocfl_1.1", "ocfl_1.1\n".to_owned())?;
    Ok(())
}

/// The object's identifier.
pub fn object_id(asset: AssetId) -> String {
    format!("urn:uuid:{asset}")
}

/// The object's root, by the layout extension 0004.
pub fn object_root(asset: AssetId) -> Result<Key> {
    let digest = Digest::of(object_id(asset)).to_string();
    Key::new(Area::Masters, &[&digest[..TUPLE_SIZE], &digest])
}

/// Where a file of the object's first version lies below its root. `name` is one key segment, or several.
pub fn content_path(name: &str) -> String {
    format!("v1/content/{name}")
}

/// Where a file that a version brought lies below its object's root.
pub fn content_path_in(version: u32, name: &str) -> String {
    format!("v{version}/content/{name}")
}

/// The root of the object that a content file lies in.
pub fn root_of(content: &Key) -> Option<Key> {
    let (above, _) = content.as_str().split_once("/content/")?;
    let (root, version) = above.rsplit_once('/')?;
    number(version)?;
    root.parse().ok()
}

/// The number of a version's name: `v3`.
fn number(version: &str) -> Option<u32> {
    version.strip_prefix('v')?.parse().ok().filter(|n| *n > 0)
}

/// The root of the object that any file lies in, if its place is that of an object of ours.
pub fn root_above(key: &Key) -> Option<Key> {
    let [area, tuple, digest, ..] = key.as_str().splitn(4, '/').collect::<Vec<_>>()[..] else { return None };
    let is_ours = area == Area::Masters.as_str() && digest.parse::<Digest>().is_ok() && digest.starts_with(tuple);
    let is_below = key.as_str().len() > area.len() + tuple.len() + digest.len() + 2;
    (is_ours && tuple.len() == TUPLE_SIZE && is_below)
        .then(|| format!("{area}/{tuple}/{digest}").parse().ok())
        .flatten()
}

/// An object of the masters' area as it is listed.
pub struct Listed {
    /// Where it lies.
    pub root: Key,
    /// Its files below that, with their sizes.
    pub files: BTreeMap<String, u64>,
}

/// Calls `with` for each object; one at a time is in memory. What lies in none is passed over.
pub fn each_object(store: &dyn Store, stop: &Stop, with: &mut dyn FnMut(&Listed) -> Result<()>) -> Result<()> {
    let mut under: Option<Listed> = None;
    store.each_object(Area::Masters, &mut |found: Found| {
        stop.check()?;
        let Some(root) = root_above(&found.key) else { return Ok(()) };
        if under.as_ref().is_some_and(|o| o.root != root)
            && let Some(object) = under.take()
        {
            with(&object)?;
        }
        let below = found.key.as_str().strip_prefix(root.as_str()).unwrap_or_default().trim_start_matches('/');
        let object = under.get_or_insert_with(|| Listed { root, files: BTreeMap::new() });
        object.files.insert(below.to_owned(), found.bytes);
        Ok(())
    })?;
    under.map_or(Ok(()), |object| with(&object))
}

/// The inventory of an object (OCFL 1.1 §3.5).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Inventory {
    id: String,
    #[serde(rename = "type")]
    kind: String,
    digest_algorithm: String,
    head: String,
    manifest: BTreeMap<Digest, Vec<String>>,
    versions: BTreeMap<String, Version>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Version {
    created: String,
    message: String,
    user: User,
    state: BTreeMap<Digest, Vec<String>>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct User {
    name: String,
    address: String,
}

impl Inventory {
    /// The inventory of a first version: each file's digest, where it lies below `content`, and what it is called.
    /// `created` is an RFC 3339 time.
    pub fn first(asset: AssetId, files: &[(Digest, String, String)], created: &str, message: String) -> Self {
        let mut manifest: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        let mut state: BTreeMap<Digest, Vec<String>> = BTreeMap::new();
        for (digest, content, name) in files {
            manifest.entry(*digest).or_insert_with(|| vec![content_path(content)]);
            state.entry(*digest).or_default().push(name.clone());
        }
        let user = User { name: "damctl".to_owned(), address: "https://damctl.example/".to_owned() };
        let version = Version { created: created.to_owned(), message, user, state };
        Self {
            id: object_id(asset),
            kind: "https://ocfl.io/1.1/spec/#inventory".to_owned(),
            digest_algorithm: "sha256".to_owned(),
            head: "v1".to_owned(),
            manifest,
            versions: BTreeMap::from([("v1".to_owned(), version)]),
        }
    }

    /// The inventory with another version: without some of the latest version's files, by their digests, and with others,
    /// given as in [`first`](Self::first). Bytes that the object has already are not expected to lie in it again.
    ///
    /// Errors: `Corrupt` when the latest version cannot be told.
    pub fn next(
        &self,
        without: &[Digest],
        files: &[(Digest, String, String)],
        (created, message): (&str, String),
    ) -> Result<Self> {
        let mut state = self.latest()?.state.clone();
        state.retain(|digest, _| !without.contains(digest));
        let head = self.head()? + 1;
        let mut manifest = self.manifest.clone();
        for (digest, content, name) in files {
            manifest.entry(*digest).or_insert_with(|| vec![content_path_in(head, content)]);
            state.entry(*digest).or_default().push(name.clone());
        }
        Ok(self.with(head, manifest, state, created, message))
    }

    /// The inventory with another version, which has files that the object holds already, as they were called last. None
    /// when it lacks one of them.
    pub fn again(&self, wanted: &[Digest], (created, message): (&str, String)) -> Result<Option<Self>> {
        let names_of = |digest: &Digest| {
            let by_age = self.versions.iter().filter_map(|(name, v)| Some((number(name)?, v.state.get(digest)?)));
            by_age.max_by_key(|(number, _)| *number).map(|(_, names)| names.clone())
        };
        let Some(state) = wanted.iter().map(|d| Some((*d, names_of(d)?))).collect::<Option<BTreeMap<_, _>>>() else {
            return Ok(None);
        };
        Ok(Some(self.with(self.head()? + 1, self.manifest.clone(), state, created, message)))
    }

    fn with(
        &self,
        head: u32,
        manifest: BTreeMap<Digest, Vec<String>>,
        state: BTreeMap<Digest, Vec<String>>,
        created: &str,
        message: String,
    ) -> Self {
        let user = User { name: "damctl".to_owned(), address: "https://damctl.example/".to_owned() };
        let mut versions = self.versions.clone();
        versions.insert(format!("v{head}"), Version { created: created.to_owned(), message, user, state });
        Self { head: format!("v{head}"), manifest, versions, ..self.clone() }
    }

    /// The number of the latest version.
    pub fn head(&self) -> Result<u32> {
        number(&self.head).ok_or_else(|| Error::corrupt(format!("the inventory of {} has no head", self.id)))
    }

    fn latest(&self) -> Result<&Version> {
        let missing = || Error::corrupt(format!("the inventory of {} lacks its latest version", self.id));
        self.versions.get(&self.head).ok_or_else(missing)
    }

    /// The asset that the object is of, by its identifier: of a shared one, nobody.
    pub fn asset(&self) -> Option<AssetId> {
        self.id.strip_prefix("urn:uuid:")?.parse().ok()
    }

    /// When the first version was made, in milliseconds.
    pub fn created_ms(&self) -> Option<i64> {
        let created = &self.versions.get("v1").or(self.versions.values().next())?.created;
        Some(created.parse::<jiff::Timestamp>().ok()?.as_millisecond())
    }

    /// Each file: its digest, where it lies below the root, and what it is called.
    pub fn files(&self) -> impl Iterator<Item = (&Digest, &str, &str)> {
        let named = |digest: &Digest| {
            let by_age =
                self.versions.iter().filter_map(|(name, v)| Some((number(name)?, v.state.get(digest)?.first()?)));
            by_age.max_by_key(|(number, _)| *number).map_or("", |(_, name)| name.as_str())
        };
        self.manifest.iter().flat_map(move |(digest, paths)| {
            let name = named(digest);
            paths.iter().map(move |path| (digest, path.as_str(), name))
        })
    }

    /// Where these bytes lie below the object's root.
    pub fn path_of(&self, digest: &Digest) -> Option<&str> {
        self.manifest.get(digest)?.first().map(String::as_str)
    }

    /// Whether the object holds a file with these bytes.
    pub fn holds(&self, digest: &Digest) -> bool {
        self.manifest.contains_key(digest)
    }

    /// The bytes that the object holds.
    pub fn digests(&self) -> impl Iterator<Item = &Digest> {
        self.manifest.keys()
    }

    /// Reads the inventory of the object under `root`; `None` when there is no object.
    pub fn read(store: &dyn Store, root: &Key) -> Result<Option<Self>> {
        Self::read_at(store, &root.join("inventory.json")?)
    }

    /// Reads an inventory; `None` when there is none at this key.
    pub fn read_at(store: &dyn Store, key: &Key) -> Result<Option<Self>> {
        let mut text = String::new();
        match store.open(key, None) {
            Ok(mut file) => std::io::Read::read_to_string(&mut file, &mut text)
                .map_err(|e| crate::error::io(format!("cannot read {key}"), e))?,
            Err(e) if e.kind() == crate::error::Kind::NotFound => return Ok(None),
            Err(e) => return Err(e),
        };
        serde_json::from_str(&text)
            .map(Some)
            .map_err(|e| Error::corrupt(format!("{key} is not an inventory")).because(e))
    }

    /// Reads an object's inventory and holds it against its sidecar (OCFL 1.1 §3.5, §3.7); an inner error says what is wrong
    /// with it. The folder is the object's root, or that of a version.
    pub fn checked(store: &dyn Store, folder: &Key) -> Result<Result<Self, &'static str>> {
        let read = |name: &str| -> Result<Option<Vec<u8>>> {
            let key = folder.join(name)?;
            match store.open(&key, None) {
                Ok(mut object) => {
                    let mut bytes = Vec::new();
                    std::io::Read::read_to_end(&mut object, &mut bytes).doing(|| format!("cannot read {key}"))?;
                    Ok(Some(bytes))
                }
                Err(e) if e.kind() == crate::error::Kind::NotFound => Ok(None),
                Err(e) => Err(e),
            }
        };
        let (Some(text), Some(sidecar)) = (read("inventory.json")?, read("inventory.json.sha256")?) else {
            return Ok(Err("is missing"));
        };
        let said = sidecar.split(|b| b.is_ascii_whitespace()).next().unwrap_or_default();
        if said != Digest::of(&text).to_string().as_bytes() {
            return Ok(Err("is not the one that its sidecar tells"));
        }
        Ok(serde_json::from_slice(&text).map_err(|_| "does not name these bytes"))
    }

    /// The latest of the object's versions: its own inventory, if that is sound, and its number.
    pub fn latest_version(store: &dyn Store, root: &Key) -> Result<(Option<Self>, u32)> {
        let keys = store.list(root)?;
        let of =
            |key: &Key| number(key.as_str().strip_prefix(root.as_str())?.trim_start_matches('/').split('/').next()?);
        let Some(latest) = keys.iter().filter_map(of).max() else { return Ok((None, 0)) };
        Ok((Self::checked(store, &root.join(&format!("v{latest}"))?)?.ok(), latest))
    }

    /// Writes the files that complete the object, after its content: declaration, the version's inventory, then the
    /// root's inventory and, last, its sidecar.
    pub fn complete(&self, deposit: &mut dyn Deposit) -> Result<()> {
        let (inventory, sidecar) = self.texts()?;
        let mut write = |name: &str, text: &str| -> Result<()> {
            let mut file = deposit.create(name, Some(text.len() as u64))?;
            file.write_all(text.as_bytes()).and_then(|()| file.flush()).doing(|| format!("cannot write {name}"))
        };
        write("0=ocfl_object_1.1", "ocfl_object_1.1\n")?;
        write("v1/inventory.json", &inventory)?;
        write("v1/inventory.json.sha256", &sidecar)?;
        deposit.repeat("inventory.json", "v1/inventory.json")?;
        deposit.repeat("inventory.json.sha256", "v1/inventory.json.sha256")
    }

    /// Writes the inventory of the latest version into its own folder's deposit, after its content.
    pub fn complete_version(&self, deposit: &mut dyn Deposit) -> Result<()> {
        let (inventory, sidecar) = self.texts()?;
        for (name, text) in [("inventory.json", inventory), ("inventory.json.sha256", sidecar)] {
            let mut file = deposit.create(name, Some(text.len() as u64))?;
            file.write_all(text.as_bytes()).and_then(|()| file.flush()).doing(|| format!("cannot write {name}"))?;
        }
        Ok(())
    }

    /// Makes the latest version the object's, once its folder is there: the root's inventory, then its sidecar. Done again,
    /// it changes nothing.
    pub fn publish(&self, store: &dyn Store, root: &Key) -> Result<()> {
        let (inventory, sidecar) = self.texts()?;
        store.rewrite(&root.join("inventory.json")?, inventory.as_bytes())?;
        crate::crash::point("replace.between-inventories");
        store.rewrite(&root.join("inventory.json.sha256")?, sidecar.as_bytes())
    }

    /// Puts the same files beside content that is in the store already. Done again, it changes nothing.
    pub fn put(&self, store: &dyn Store, root: &Key) -> Result<()> {
        let (inventory, sidecar) = self.texts()?;
        let files = [
            ("0=ocfl_object_1.1", "ocfl_object_1.1\n"),
            ("v1/inventory.json", &inventory),
            ("v1/inventory.json.sha256", &sidecar),
            ("inventory.json", &inventory),
            ("inventory.json.sha256", &sidecar),
        ];
        files.into_iter().try_for_each(|(name, text)| store.put(&root.join(name)?, text.as_bytes()).map(drop))
    }

    /// The inventory and its sidecar.
    fn texts(&self) -> Result<(String, String)> {
        let inventory =
            pretty(&serde_json::to_value(self).map_err(|e| Error::internal("cannot write an inventory").because(e))?)?;
        let sidecar = format!("{} inventory.json\n", Digest::of(&inventory));
        Ok((inventory, sidecar))
    }
}

fn pretty(value: &serde_json::Value) -> Result<String> {
    serde_json::to_string_pretty(value).map(|s| s + "\n").map_err(|e| Error::internal("cannot write JSON").because(e))
}
