//! ASC MHL v2.0: files laid out as they were on their drive, and a hash list of each time they were looked at.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use super::{
    time,
    view::{self, Means, Wanted},
    xml::Xml,
};
use crate::{
    catalog::Catalog,
    digest::{Algorithm, Digest, Hasher, Sum, c4},
    error::{Doing, Error, Kind, Result},
    model::{Key, Master},
    stop::Stop,
    store::Store,
};

const FOLDER: &str = "ascmhl";
const CHAIN: &str = "ascmhl_chain.xml";

/// A file that is handed out.
#[derive(Clone, Debug, PartialEq)]
pub struct Handed {
    /// Its path in the folder.
    pub path: String,
    /// Where it is in the store.
    pub key: Key,
    /// Its digest.
    pub digest: Digest,
    /// Its size.
    pub bytes: u64,
    /// When it was changed last (ms), where that is known.
    pub modified: Option<i64>,
}

impl Handed {
    /// A master of an asset, by its name in it.
    pub fn of(master: &Master) -> Self {
        let path = placed(&master.name, &master.digest);
        Self { path, key: master.key.clone(), digest: master.digest, bytes: master.bytes, modified: None }
    }

    /// What lay at a path of a drive.
    pub fn seen(path: &str, key: Key, (digest, bytes): (Digest, u64), modified: i64) -> Self {
        Self { path: placed(path, &digest), key, digest, bytes, modified: Some(modified) }
    }
}

/// Where a file lies: as it was called, but for names with line ends, for which XML has no sure place.
fn placed(name: &str, digest: &Digest) -> String {
    view::safe(name, digest).replace('\n', "%0A").replace('\r', "%0D")
}

/// What a hash list tells.
#[derive(Clone, Debug, PartialEq)]
pub struct Listed {
    /// Its generation, from 1 on.
    pub generation: u32,
    /// Its file's name.
    pub name: String,
    /// Files in it.
    pub files: usize,
    /// Those whose bytes are not the archive's.
    pub failed: Vec<String>,
}

/// Lays out the files that the folder lacks, reads all of them, and writes the next hash list and the chain. What is there
/// and differs stays, and is listed as failed.
pub fn mhl(
    catalog: &Catalog,
    store: &dyn Store,
    (files, means): (&[Handed], Means),
    to: &Path,
    (host, stop): (&str, &Stop),
) -> Result<Listed> {
    if files.is_empty() {
        return Err(Error::not_found("there is nothing to list"));
    }
    let folder = to.join(FOLDER);
    fs::create_dir_all(&folder).doing(|| format!("cannot make {}", folder.display()))?;
    let earlier = earlier(&folder)?;
    let generation = earlier.len() as u32 + 1;
    let now = catalog.now()?;
    let mut xml = Xml::new()?;
    xml.open("hashlist", &[("version", "2.0"), ("xmlns", "urn:ASC:MHL:v2.0")])?;
    xml.open("creatorinfo", &[])?;
    xml.leaf("creationdate", &[], &time(now))?;
    xml.leaf("hostname", &[], host)?;
    xml.leaf("tool", &[("version", env!("CARGO_PKG_VERSION"))], "damctl")?;
    xml.close("creatorinfo")?;
    xml.open("processinfo", &[])?;
    xml.leaf("process", &[], if generation == 1 { "transfer" } else { "in-place" })?;
    xml.open("ignore", &[])?;
    [".DS_Store", FOLDER, "ascmhl/"].iter().try_for_each(|p| xml.leaf("pattern", &[], p))?;
    xml.close("ignore")?;
    xml.close("processinfo")?;
    xml.open("hashes", &[])?;
    let mut failed = Vec::new();
    for file in files {
        let at = to.join(&file.path);
        if fs::symlink_metadata(&at).is_err() {
            let wanted = Wanted { key: &file.key, digest: &file.digest, bytes: file.bytes };
            view::lay(store, &wanted, &at, (means, &[]), stop)?;
        }
        let (digest, md5, sha512) = read(&at, stop)?;
        let is_same = digest == file.digest;
        let action = match (is_same, generation) {
            (false, _) => "failed",
            (true, 1) => "original",
            (true, _) => "verified",
        };
        if !is_same {
            failed.push(file.path.clone());
        }
        let size = file.bytes.to_string();
        let mut about = vec![("size", size.as_str())];
        let modified = file.modified.map(time);
        about.extend(modified.as_deref().map(|m| ("lastmodificationdate", m)));
        let date = time(now);
        let hash = [("action", action), ("hashdate", date.as_str())];
        xml.open("hash", &[])?;
        xml.leaf("path", &about, &file.path)?;
        xml.leaf("c4", &hash, &c4(&sha512))?;
        xml.leaf("md5", &hash, &md5)?;
        xml.close("hash")?;
    }
    xml.close("hashes")?;
    xml.close("hashlist")?;
    let text = xml.finish();
    let root = to.file_name().map_or_else(|| "root".to_owned(), |n| n.to_string_lossy().replace(' ', "_"));
    let stamp: String = time(now).chars().take(19).collect();
    let name = format!("{generation:04}_{root}_{}Z.mhl", stamp.replace('T', "_").replace(':', ""));
    let chain = chain(&folder, &earlier, &name, &text)?;
    put(&folder, &name, &text)?;
    crate::crash::point("export.before-chain");
    put(&folder, CHAIN, &chain)?;
    Ok(Listed { generation, name, files: files.len(), failed })
}

/// The hash lists that are there, in their order.
fn earlier(folder: &Path) -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in fs::read_dir(folder).doing(|| format!("cannot list {}", folder.display()))?.flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.ends_with(".mhl") && !name.starts_with('.') {
            names.push(name);
        }
    }
    names.sort();
    // The chain is written last: a list of ours that it does not have is what a killed run has left.
    let said = fs::read_to_string(folder.join(CHAIN)).unwrap_or_default();
    if let Some(last) = names.last().filter(|n| !said.contains(n.as_str())) {
        let path = folder.join(last);
        let about = || format!("cannot take {} away", path.display());
        if fs::read_to_string(&path).doing(about)?.contains(">damctl</tool>") {
            fs::remove_file(&path).doing(about)?;
            names.pop();
        }
    }
    let is_whole = names.iter().zip(1..).all(|(name, n): (&String, u32)| name.starts_with(&format!("{n:04}_")));
    match is_whole {
        true => Ok(names),
        false => Err(Error::new(Kind::Conflict, format!("{} lacks one of its hash lists", folder.display()))),
    }
}

fn read(path: &Path, stop: &Stop) -> Result<(Digest, String, Vec<u8>)> {
    let about = || format!("cannot read {}", path.display());
    let mut file = File::open(path).doing(about)?;
    let (mut sha256, mut md5, mut sha512) = (Hasher::new(), Sum::new(Algorithm::Md5), Sum::new(Algorithm::Sha512));
    let mut block = vec![0; 1 << 20];
    loop {
        stop.check()?;
        let n = file.read(&mut block).doing(about)?;
        if n == 0 {
            return Ok((sha256.finish(), md5.hex(), sha512.finish()));
        }
        sha256.update(&block[..n]);
        md5.update(&block[..n]);
        sha512.update(&block[..n]);
    }
}

/// The chain: each hash list by its own C4 identifier. What an earlier chain said of a list has to be so still.
fn chain(folder: &Path, earlier: &[String], name: &str, text: &str) -> Result<String> {
    let said = fs::read_to_string(folder.join(CHAIN)).unwrap_or_default();
    let mut xml = Xml::new()?;
    xml.open("ascmhldirectory", &[("xmlns", "urn:ASC:MHL:DIRECTORY:v2.0")])?;
    let id = |bytes: &[u8]| {
        let mut sum = Sum::new(Algorithm::Sha512);
        sum.update(bytes);
        c4(&sum.finish())
    };
    let mut number = 0;
    for old in earlier {
        let path = folder.join(old);
        let id = id(&fs::read(&path).doing(|| format!("cannot read {}", path.display()))?);
        if !said.contains(&id) {
            let message = format!("{} was changed, or is not in {CHAIN}", path.display());
            return Err(Error::corrupt(message));
        }
        number += 1;
        one(&mut xml, number, old, &id)?;
    }
    one(&mut xml, number + 1, name, &id(text.as_bytes()))?;
    xml.close("ascmhldirectory")?;
    Ok(xml.finish())
}

fn one(xml: &mut Xml, number: u32, name: &str, id: &str) -> Result<()> {
    xml.open("hashlist", &[("sequencenr", &number.to_string())])?;
    xml.leaf("path", &[], name)?;
    xml.leaf("c4", &[], id)?;
    xml.close("hashlist")
}

/// Writes a file in one step.
fn put(folder: &Path, name: &str, text: &str) -> Result<()> {
    let about = || format!("cannot write {}", folder.join(name).display());
    let temporary = folder.join(format!(".{name}.part"));
    let mut file = File::create(&temporary).doing(about)?;
    file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).doing(about)?;
    fs::rename(&temporary, folder.join(name)).doing(about)
}
