//! Bags by BagIt 1.0 (RFC 8493).

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
    time::Duration,
};

use rustix::fs::FlockOperation;

use super::{
    AGENT, premis,
    view::{self, Means, Wanted},
};
use crate::{
    catalog::Catalog,
    digest::{Algorithm, Digest, Sum},
    error::{Doing, Error, Result},
    model::{AssetId, Master},
    stop::Stop,
    store::Store,
};

/// Where the payload of a bag is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Payload {
    /// In it.
    Inside(Means),
    /// At addresses in fetch.txt that are good for so long.
    Addresses(Duration),
}

/// What is asked of a bag.
pub struct Bag<'b> {
    /// Whose active generations it holds.
    pub assets: &'b [AssetId],
    /// The algorithm of its manifests: SHA-256 or SHA-512.
    pub algorithm: Algorithm,
    /// Where its payload is.
    pub payload: Payload,
    /// The BagIt profile that it is said to follow.
    pub profile: Option<&'b str>,
}

/// Writes a bag; says how many payload files and bytes it has. It is complete or not there: it is made beside its place
/// and renamed.
///
/// Errors: `Conflict` where something is; `Unsupported` when addresses are wanted of a store that gives none; `Corrupt` when
/// the store has other bytes than it should.
pub fn bag(catalog: &Catalog, store: &dyn Store, bag: &Bag<'_>, to: &Path, stop: &Stop) -> Result<(u64, u64)> {
    if fs::symlink_metadata(to).is_ok() && !fs::read_dir(to).is_ok_and(|mut dir| dir.next().is_none()) {
        return Err(Error::new(crate::error::Kind::Conflict, format!("{} is there already", to.display()))
            .hint("name a folder that is empty or not there"));
    }
    let is_needed = bag.algorithm != Algorithm::Sha256;
    if is_needed && matches!(bag.payload, Payload::Addresses(_)) {
        return Err(Error::unsupported("a bag without its payload has the archive's own digests: sha256"));
    }
    let beside = to.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    fs::create_dir_all(beside).doing(|| format!("cannot make {}", beside.display()))?;
    let (temporary, _lock) = beside_of(beside, to)?;
    let root = temporary.path().join("bag");
    fs::create_dir_all(root.join("data")).doing(|| format!("cannot make {}", root.display()))?;

    let now = catalog.now()?;
    let mut tags = Tags { root: root.clone(), algorithm: bag.algorithm, sums: BTreeMap::new() };
    let (mut lines, mut fetch) = (BTreeMap::new(), String::new());
    let (mut files, mut bytes, mut about) = (0, 0, String::new());
    for asset in bag.assets {
        let row = catalog.asset(*asset)?;
        let own = if bag.assets.len() == 1 { String::new() } else { format!("{asset}/") };
        for master in &row.masters {
            let path = place(&own, master, &lines);
            let digest = match bag.payload {
                Payload::Addresses(valid) => {
                    let address = store.presigned(&master.key, valid)?.ok_or_else(|| {
                        Error::unsupported("this store gives no addresses").hint("leave --holey out: a folder has none")
                    })?;
                    fetch.push_str(&format!("{address} {} {}\n", master.bytes, encoded(&path)));
                    master.digest.to_string()
                }
                Payload::Inside(means) => {
                    let wanted = Wanted { key: &master.key, digest: &master.digest, bytes: master.bytes };
                    let sums: &[Algorithm] = if is_needed { &[bag.algorithm] } else { &[] };
                    let made = view::lay(store, &wanted, &root.join(&path), (means, sums), stop)?;
                    made.first().map_or_else(|| master.digest.to_string(), |d| hex(d))
                }
            };
            (files, bytes) = (files + 1, bytes + master.bytes);
            lines.insert(path, digest);
        }
        let (title, collection) = (row.asset.title, row.asset.collection);
        about.push_str(&format!("External-Identifier: urn:uuid:{asset}\nExternal-Description: {}\n", one_line(&title)));
        about.extend(collection.map(|c| format!("Bag-Group-Identifier: {}\n", one_line(&c))));
        tags.write(&format!("metadata/{own}premis.xml"), &premis::premis(catalog, *asset)?)?;
        let record = catalog.records(&[*asset])?.remove(asset);
        let record = serde_json::to_string_pretty(&record).map_err(|e| Error::internal("a record").because(e))?;
        tags.write(&format!("metadata/{own}damctl.json"), &format!("{record}\n"))?;
    }
    let manifest: String = lines.iter().map(|(path, digest)| format!("{digest}  {}\n", encoded(path))).collect();
    tags.write("bagit.txt", "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n")?;
    let date: String = super::time(now).chars().take(10).collect();
    let size = size(bytes);
    let profile = bag.profile.map(|p| format!("BagIt-Profile-Identifier: {}\n", one_line(p))).unwrap_or_default();
    let info = format!(
        "Bagging-Date: {date}\nBag-Software-Agent: {AGENT}\nPayload-Oxum: {bytes}.{files}\nBag-Size: {size}\n{profile}{about}"
    );
    tags.write("bag-info.txt", &info)?;
    tags.write(&format!("manifest-{}.txt", bag.algorithm), &manifest)?;
    if !fetch.is_empty() {
        tags.write("fetch.txt", &fetch)?;
    }
    let all: String = tags.sums.iter().map(|(path, digest)| format!("{digest}  {}\n", encoded(path))).collect();
    tags.write(&format!("tagmanifest-{}.txt", bag.algorithm), &all)?;
    crate::crash::point("export.before-rename");
    fs::rename(&root, to).doing(|| format!("cannot put the bag at {}", to.display()))?;
    Ok((files, bytes))
}

/// A folder to make the bag in, which is held as long as we live; what killed runs for the same place have left is removed.
fn beside_of(beside: &Path, to: &Path) -> Result<(tempfile::TempDir, File)> {
    let name = to.file_name().unwrap_or_default().as_encoded_bytes();
    let prefix = format!(".damctl-bag-{}-", Digest::of(name).short());
    let hold = |path: &Path| -> std::io::Result<Option<File>> {
        let dir = File::open(path)?;
        Ok(rustix::fs::flock(&dir, FlockOperation::NonBlockingLockExclusive).is_ok().then_some(dir))
    };
    let made = || format!("cannot make a folder in {}", beside.display());
    for entry in fs::read_dir(beside).doing(|| format!("cannot list {}", beside.display()))?.flatten() {
        let is_ours = entry.file_name().to_str().is_some_and(|n| n.starts_with(&prefix));
        // One that is held is another run's, which lives; one that went meanwhile was removed by another.
        if is_ours && entry.file_type().is_ok_and(|t| t.is_dir()) && hold(&entry.path()).is_ok_and(|d| d.is_some()) {
            fs::remove_dir_all(entry.path()).ok();
        }
    }
    let temporary = tempfile::Builder::new().prefix(&prefix).tempdir_in(beside).doing(made)?;
    match hold(temporary.path()).doing(made)? {
        Some(lock) => Ok((temporary, lock)),
        None => Err(Error::new(crate::error::Kind::Conflict, format!("another run makes {}", to.display()))),
    }
}

/// Files of metadata, and their digests.
struct Tags {
    root: PathBuf,
    algorithm: Algorithm,
    sums: BTreeMap<String, String>,
}

impl Tags {
    fn write(&mut self, name: &str, text: &str) -> Result<()> {
        let path = self.root.join(name);
        if let Some(folder) = path.parent() {
            fs::create_dir_all(folder).doing(|| format!("cannot make {}", folder.display()))?;
        }
        fs::write(&path, text).doing(|| format!("cannot write {}", path.display()))?;
        let mut sum = Sum::new(self.algorithm);
        sum.update(text.as_bytes());
        self.sums.insert(name.to_owned(), sum.hex());
        Ok(())
    }
}

/// Where a master lies in the bag: by its name, told apart by its digest where two have one.
fn place(own: &str, master: &Master, taken: &BTreeMap<String, String>) -> String {
    let path = format!("data/{own}{}", view::safe(&master.name, &master.digest));
    let lower = path.to_lowercase();
    // A bag may go to where names that differ in case alone are one.
    match taken.keys().any(|t| t.to_lowercase() == lower) {
        true => format!("{path}~{}", master.digest.short()),
        false => path,
    }
}

/// A path as manifests have it (RFC 8493 §2.1.3).
fn encoded(path: &str) -> String {
    path.replace('%', "%25").replace('\r', "%0D").replace('\n', "%0A")
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}

fn one_line(text: &str) -> String {
    text.split(|c: char| c.is_control()).collect::<Vec<_>>().join(" ").trim().to_owned()
}

/// A size for people.
fn size(bytes: u64) -> String {
    let units = ["B", "KB", "MB", "GB", "TB", "PB"];
    let (mut size, mut unit) = (bytes as f64, 0);
    while size >= 1000.0 && unit + 1 < units.len() {
        (size, unit) = (size / 1000.0, unit + 1);
    }
    if unit == 0 { format!("{bytes} B") } else { format!("{size:.1} {}", units[unit]) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_in_manifests_are_encoded_as_the_rfc_wants() {
        assert_eq!(encoded("data/a%b\r\nc.png"), "data/a%25b%0D%0Ac.png");
        let digest = Digest::of("x");
        let safe = |name| view::safe(name, &digest);
        assert_eq!(safe("/../a/./b%0A.mov"), "a/b\n.mov");
        assert_eq!((safe("~/x"), safe("..")), ("_~/x".to_owned(), digest.to_string()));
    }
}
