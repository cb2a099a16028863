//! Where indexes lie: each in a folder of its own, in one or more shards, found through a small file that names the
//! current one, so that a new index is built beside the old one and taken in its place at once.

use std::{
    fs,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use tantivy::IndexSettings;

use super::{VERSION, directory, failed, schema::schema};
use crate::{
    error::{Doing, Error, Result},
    model::AssetId,
};

/// Most shards of an index.
pub const MOST_SHARDS: u32 = 64;
/// Bytes of what is kept of assets and moments that are packed together.
const BLOCK: usize = 4096;

/// An index: its name, and in how many shards it lies.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IndexId {
    /// Its name, which no other index has.
    pub id: String,
    /// Number of shards.
    pub shards: u32,
}

impl IndexId {
    /// The shard that an asset is in.
    pub fn shard_of(&self, asset: AssetId) -> u32 {
        // The last bytes of an id are as good as random.
        let last = asset
            .to_string()
            .bytes()
            .filter(u8::is_ascii_hexdigit)
            .rev()
            .take(8)
            .fold(0u32, |sum, b| sum.wrapping_mul(31).wrapping_add(u32::from(b)));
        last % self.shards.max(1)
    }

    /// What the jobs of one shard are planned and drained as.
    pub fn scope(&self, shard: u32) -> String {
        format!("{}/{shard}", self.id)
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Current {
    id: String,
    version: u32,
    #[serde(default = "one")]
    shards: u32,
}

fn one() -> u32 {
    1
}

pub(super) fn shard_path(dir: &Path, id: &str, shard: u32) -> PathBuf {
    dir.join(id).join(format!("shard-{shard}"))
}

fn is_whole(dir: &Path, index: &IndexId) -> bool {
    (0..index.shards).all(|shard| shard_path(dir, &index.id, shard).join("meta.json").is_file())
}

/// The current index, if there is one that this version can use.
pub fn current(dir: &Path) -> Result<Option<IndexId>> {
    let path = dir.join("current.json");
    let text = match fs::read(&path) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(e) => return Err(crate::error::io(format!("cannot read {}", path.display()), e)),
    };
    let current = serde_json::from_slice(&text).ok().filter(|c: &Current| c.version == VERSION);
    let index = current.map(|c| IndexId { id: c.id, shards: c.shards });
    Ok(index.filter(|index| (1..=MOST_SHARDS).contains(&index.shards) && is_whole(dir, index)))
}

/// The current index, or why there is none.
pub(super) fn existing(dir: &Path) -> Result<IndexId> {
    match current(dir)? {
        Some(index) => Ok(index),
        None if dir.join("current.json").is_file() => {
            Err(Error::not_found("the search index is damaged, or was made by another version of damctl")
                .hint("'damctl index' makes a new one"))
        }
        None => Err(Error::not_found("there is no search index yet").hint("'damctl index' makes one")),
    }
}

/// The current index, if it lies in as many shards; else one to be written beside it.
pub fn current_or_beside(dir: &Path, shards: u32) -> Result<IndexId> {
    let _lock = lock(dir)?;
    match current(dir)?.filter(|index| index.shards == shards) {
        Some(index) => Ok(index),
        None => begun_or_new(dir, shards),
    }
}

/// An index to be written anew, beside the current one: one that an earlier run has begun in as many shards, else a new
/// one. It is not asked before [`switch`].
pub fn beside(dir: &Path, shards: u32) -> Result<IndexId> {
    let _lock = lock(dir)?;
    begun_or_new(dir, shards)
}

/// Workers that begin at once begin the same index: one after the other looks what there is.
fn lock(dir: &Path) -> Result<fs::File> {
    fs::create_dir_all(dir).doing(|| format!("cannot make {}", dir.display()))?;
    let file = fs::OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(".lock"));
    let file = file.doing(|| format!("cannot write in {}", dir.display()))?;
    file.lock().doing(|| format!("cannot lock {}", dir.display()))?;
    Ok(file)
}

fn begun_or_new(dir: &Path, shards: u32) -> Result<IndexId> {
    if !(1..=MOST_SHARDS).contains(&shards) {
        return Err(Error::invalid(format!("an index has 1 to {MOST_SHARDS} shards, not {shards}")));
    }
    let current = current(dir)?.map(|c| c.id);
    let begun = others(dir, current.as_deref()).into_iter().filter(|id| id.starts_with(&format!("v{VERSION}-")));
    // What is older than the current one was given up.
    let begun = begun.filter(|id| current.as_ref().is_none_or(|current| id > current));
    let has_as_many = |id: &String| !shard_path(dir, id, shards).exists();
    let begun = begun.map(|id| IndexId { id, shards }).filter(|index| has_as_many(&index.id) && is_whole(dir, index));
    if let Some(index) = begun.max_by(|a, b| a.id.cmp(&b.id)) {
        return Ok(index);
    }
    let id = format!("v{VERSION}-{}", uuid::Uuid::now_v7());
    for shard in 0..shards {
        let data = shard_path(dir, &id, shard);
        fs::create_dir_all(&data).doing(|| format!("cannot make {}", data.display()))?;
        // Hits lie far from each other: what is unpacked for one is seldom of use to another.
        let settings = IndexSettings { docstore_blocksize: BLOCK, ..IndexSettings::default() };
        directory::create(&data, schema().0, settings).map_err(failed("cannot make an index"))?;
    }
    Ok(IndexId { id, shards })
}

/// Whether an index was begun after another. One of another version is of another damctl, and older.
fn is_newer(one: &str, than: &str) -> bool {
    let version = |id: &str| id.split_once('-').map(|(version, _)| version.to_owned());
    version(one) == version(than) && one > than
}

/// Indexes in the folder but `id`.
fn others(dir: &Path, id: Option<&str>) -> Vec<String> {
    let is_index = |name: &String| name.starts_with('v') && name.len() > 36;
    let names = fs::read_dir(dir).into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
    names.filter(|name| is_index(name) && Some(name.as_str()) != id).collect()
}

/// Takes an index as the current one, and removes those that were begun before it.
pub fn switch(dir: &Path, index: &IndexId) -> Result<()> {
    let now = Current { id: index.id.clone(), version: VERSION, shards: index.shards };
    let text = serde_json::to_vec(&now).map_err(|e| Error::internal("cannot write JSON").because(e))?;
    let name = dir.join("current.json");
    directory::replace(&name, &text).doing(|| format!("cannot write {}", name.display()))?;
    // Names grow with time: what was begun later is somebody's work.
    for old in others(dir, Some(&index.id)).into_iter().filter(|old| !is_newer(old, &index.id)) {
        // A reader that has its files open goes on with them.
        fs::remove_dir_all(dir.join(old)).ok();
    }
    Ok(())
}
