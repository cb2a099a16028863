//! Finds each way in which a bag is not valid (RFC 8493 §3). Bags are hostile: no line is believed to end, no path to stay
//! in the bag, and no file to be one.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::{self, File},
    io::{BufRead, BufReader, Read},
    path::Path,
};

use rayon::prelude::*;
use serde::Serialize;

use crate::{
    digest::{Algorithm, Sum},
    error::{Doing, Error, Result},
    stop::Stop,
};

/// The longest line that a manifest, fetch.txt or bag-info.txt may have.
const LONGEST: usize = 64 << 10;
/// Folders in each other, beyond which nobody means it.
const DEEPEST: usize = 200;

/// One way in which a bag is not valid.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Fault {
    /// The file or path that it is about.
    pub path: String,
    /// A word for programs: `missing`, `checksum`, `unsafe-path`, …
    pub code: &'static str,
    /// What is wrong.
    pub detail: String,
}

/// What looking at a bag found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct Validated {
    /// Its version, where it says one.
    pub version: Option<String>,
    /// Files of its payload.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// What makes it invalid; none: it is valid.
    pub faults: Vec<Fault>,
    /// What does not, and is worth knowing.
    pub warnings: Vec<Fault>,
}

impl Validated {
    fn fault(&mut self, path: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.faults.push(Fault { path: path.into(), code, detail: detail.into() });
    }

    fn warn(&mut self, path: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.warnings.push(Fault { path: path.into(), code, detail: detail.into() });
    }
}

/// A manifest: digests by path.
type Manifest = BTreeMap<String, String>;

/// Looks at a bag; every file that a manifest names is read.
///
/// Errors: `NotFound` when there is no such folder. What is wrong with the bag is no error.
pub fn validate(bag: &Path, stop: &Stop) -> Result<Validated> {
    let root = bag.canonicalize().doing(|| format!("cannot open {}", bag.display()))?;
    if !root.is_dir() {
        return Err(
            Error::invalid(format!("{} is no folder", bag.display())).hint("unpack it first: a bag is a folder")
        );
    }
    let mut found = Validated::default();
    declaration(&root, &mut found)?;
    let tree = walk(&root, &mut found, stop)?;
    let payload: BTreeMap<&str, u64> =
        tree.iter().filter(|(p, _)| p.starts_with("data/")).map(|(p, b)| (p.as_str(), *b)).collect();
    (found.files, found.bytes) = (payload.len() as u64, payload.values().sum());
    if !root.join("data").is_dir() {
        found.fault("data", "no-payload-folder", "there is no folder data");
    }

    let (mut manifests, mut tags) = (Vec::new(), Vec::new());
    let (mut unknown, names): (Vec<&str>, Vec<&str>) =
        (Vec::new(), tree.keys().map(String::as_str).filter(|p| !p.contains('/')).collect());
    for name in names {
        let of = |prefix: &str| name.strip_prefix(prefix).and_then(|n| n.strip_suffix(".txt"));
        let (algorithm, is_tag) = match (of("manifest-"), of("tagmanifest-")) {
            (Some(a), _) => (a, false),
            (_, Some(a)) => (a, true),
            _ => continue,
        };
        match algorithm.to_ascii_lowercase().replace('-', "").parse::<Algorithm>() {
            Ok(algorithm) => {
                let manifest = manifest(&root, name, (algorithm, is_tag), &tree, &mut found)?;
                if is_tag { &mut tags } else { &mut manifests }.push((name, algorithm, manifest));
            }
            Err(_) => unknown.push(name),
        }
    }
    for name in unknown {
        let is_tag = name.starts_with("tag");
        match is_tag || !manifests.is_empty() {
            true => found.warn(name, "unsupported-algorithm", "its algorithm is not known here: it was not looked at"),
            false => {
                found.fault(name, "unsupported-algorithm", "its algorithm is not known here, and there is no other")
            }
        }
    }
    if manifests.is_empty() {
        found.fault("manifest-*.txt", "no-manifest", "there is no payload manifest that can be read");
    }
    let fetched = fetch(&root, &tree, &manifests, &mut found)?;
    let is_old = found.version.as_deref() != Some("1.0");
    for path in payload.keys() {
        let lacking = manifests.iter().filter(|(_, _, m)| !m.contains_key(*path)).map(|(name, ..)| *name);
        let lacking: Vec<&str> = lacking.collect();
        // Before 1.0 one manifest that named a file was enough.
        if !lacking.is_empty() && (!is_old || lacking.len() == manifests.len()) {
            found.fault(*path, "not-in-manifest", format!("{} does not name it", lacking.join(", ")));
        }
    }
    for (name, _, manifest) in manifests.iter().chain(&tags) {
        for path in manifest.keys().filter(|p| !tree.contains_key(*p)) {
            match fetched.contains(path) {
                true => found.fault(path, "not-fetched", "fetch.txt tells where it is, and it is not here yet"),
                false => found.fault(path, "missing", format!("{name} names it, and it is not here")),
            }
        }
    }
    oxum(&root, &mut found)?;
    let all: Vec<_> = manifests.iter().chain(&tags).collect();
    checksums(&root, &tree, &all, &mut found, stop)?;
    found.faults.sort();
    found.faults.dedup();
    Ok(found)
}

/// bagit.txt: two lines, to the letter.
fn declaration(root: &Path, found: &mut Validated) -> Result<()> {
    const NAME: &str = "bagit.txt";
    let path = root.join(NAME);
    if !fs::symlink_metadata(&path).is_ok_and(|m| m.is_file()) {
        found.fault(NAME, "no-declaration", "there is no bagit.txt: it is no bag");
        return Ok(());
    }
    let mut bytes = Vec::new();
    let file = File::open(&path).doing(|| format!("cannot read {}", path.display()))?;
    file.take(4096).read_to_end(&mut bytes).doing(|| format!("cannot read {}", path.display()))?;
    if bytes.starts_with(b"\xef\xbb\xbf") {
        found.fault(NAME, "byte-order-mark", "it begins with a byte order mark, which must not be");
        bytes.drain(..3);
    }
    let Ok(text) = String::from_utf8(bytes) else {
        found.fault(NAME, "declaration", "it is not UTF-8");
        return Ok(());
    };
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let [version, encoding] = lines[..] else {
        found.fault(NAME, "declaration", format!("it has {} lines, not two", lines.len()));
        return Ok(());
    };
    match version.strip_prefix("BagIt-Version: ").map(str::trim_end) {
        Some(v @ ("0.93" | "0.94" | "0.95" | "0.96" | "0.97" | "1.0")) => found.version = Some(v.to_owned()),
        Some(v) => found.fault(NAME, "version", format!("version '{}' is not known", shown(v))),
        None => found.fault(NAME, "declaration", "its first line is not 'BagIt-Version: M.N'"),
    }
    match encoding.strip_prefix("Tag-File-Character-Encoding: ").map(str::trim_end) {
        Some(e) if e.eq_ignore_ascii_case("utf-8") => {}
        Some(e) => {
            found.fault(NAME, "encoding", format!("its files are said to be '{}': UTF-8 alone is known", shown(e)))
        }
        None => found.fault(NAME, "declaration", "its second line is not 'Tag-File-Character-Encoding: …'"),
    }
    Ok(())
}

fn shown(text: &str) -> String {
    text.chars().take(100).map(|c| if c.is_control() { '\u{fffd}' } else { c }).collect()
}

/// Every file of the bag and its size; links that stay in the bag are what they lead to.
fn walk(root: &Path, found: &mut Validated, stop: &Stop) -> Result<BTreeMap<String, u64>> {
    let (mut tree, mut open) = (BTreeMap::new(), vec![(root.to_owned(), String::new(), 0)]);
    while let Some((folder, above, depth)) = open.pop() {
        stop.check()?;
        for entry in fs::read_dir(&folder).doing(|| format!("cannot list {}", folder.display()))? {
            let entry = entry.doing(|| format!("cannot list {}", folder.display()))?;
            let Ok(name) = entry.file_name().into_string() else {
                let name = format!("{above}{}", entry.file_name().to_string_lossy());
                found.fault(name, "name", "its name is not UTF-8: no manifest can name it");
                continue;
            };
            let (path, at) = (format!("{above}{name}"), entry.path());
            let kind = entry.file_type().doing(|| format!("cannot look at {}", at.display()))?;
            if kind.is_symlink() {
                match at.canonicalize() {
                    Ok(to) if !to.starts_with(root) => found.fault(path, "link-leaves-bag", "it leads out of the bag"),
                    Ok(to) if to.is_file() => {
                        let size = fs::metadata(&to).doing(|| format!("cannot look at {}", at.display()))?.len();
                        found.warn(&path, "link", "it is a link to another file of the bag");
                        tree.insert(path, size);
                    }
                    Ok(_) => found.fault(path, "not-a-file", "it is a link to what is no file"),
                    Err(_) => found.fault(path, "missing", "it is a link that leads nowhere"),
                }
            } else if kind.is_dir() {
                match depth < DEEPEST {
                    true => open.push((at, format!("{path}/"), depth + 1)),
                    false => found.fault(path, "too-deep", format!("it lies below {DEEPEST} folders")),
                }
            } else if kind.is_file() {
                let size = entry.metadata().doing(|| format!("cannot look at {}", at.display()))?.len();
                tree.insert(path, size);
            } else {
                found.fault(path, "not-a-file", "it is neither a file nor a folder");
            }
        }
    }
    Ok(tree)
}

/// Calls `each` with the lines of a file of the bag, numbered, whatever ends them: LF, CR or both.
fn lines(
    root: &Path,
    name: &str,
    found: &mut Validated,
    mut each: impl FnMut(&mut Validated, usize, &str),
) -> Result<()> {
    let path = root.join(name);
    // A link may lead anywhere; what it leads to in the bag is in `walk`'s list, this alone is read by its name.
    let real = path.canonicalize().doing(|| format!("cannot read {}", path.display()))?;
    if !real.starts_with(root) {
        return Ok(());
    }
    let mut from = BufReader::new(File::open(&real).doing(|| format!("cannot read {}", path.display()))?);
    let (mut line, mut number, mut after_cr) = (Vec::new(), 0, false);
    loop {
        let block = from.fill_buf().doing(|| format!("cannot read {}", path.display()))?;
        let is_end = block.is_empty();
        let at = block.iter().position(|b| matches!(b, b'\n' | b'\r'));
        let end = at.map(|at| block[at]);
        let taken = at.unwrap_or(block.len());
        line.extend_from_slice(&block[..taken]);
        let used = taken + usize::from(at.is_some());
        from.consume(used);
        if line.len() > LONGEST {
            found.fault(name, "line-too-long", format!("line {} has more than {LONGEST} bytes", number + 1));
            return Ok(());
        }
        if end == Some(b'\n') && after_cr && line.is_empty() {
            after_cr = false;
            continue;
        }
        after_cr = end == Some(b'\r');
        if end.is_some() || is_end && !line.is_empty() {
            number += 1;
            match std::str::from_utf8(&line) {
                Ok(text) if number == 1 && text.starts_with('\u{feff}') => {
                    found.fault(name, "byte-order-mark", "it begins with a byte order mark, which must not be");
                    each(found, number, text.trim_start_matches('\u{feff}'));
                }
                Ok(text) => each(found, number, text),
                Err(_) => found.fault(name, "encoding", format!("line {number} is not UTF-8")),
            }
            line.clear();
        }
        if is_end {
            return Ok(());
        }
    }
}

/// What a path of a manifest means; none, and a fault, when it would leave the bag.
fn path_of(
    name: &str,
    number: usize,
    text: &str,
    tree: &BTreeMap<String, u64>,
    found: &mut Validated,
) -> Option<String> {
    let plain = text.strip_prefix("./").unwrap_or(text);
    let decoded = ["%0D", "%0d", "%0A", "%0a"]
        .iter()
        .fold(plain.to_owned(), |text, code| text.replace(code, if code.ends_with(['D', 'd']) { "\r" } else { "\n" }));
    let decoded = decoded.replace("%25", "%");
    // Some tools write '%' as it is.
    let path = if !tree.contains_key(&decoded) && tree.contains_key(plain) { plain.to_owned() } else { decoded };
    let is_drive = path.as_bytes().get(1) == Some(&b':') && path.as_bytes()[0].is_ascii_alphabetic();
    let climbs = path.split(['/', '\\']).any(|s| s == "..");
    if path.starts_with(['/', '~', '\\']) || is_drive || climbs || path.contains('\0') {
        found.fault(name, "unsafe-path", format!("line {number}: '{}' does not stay in the bag", shown(&path)));
        return None;
    }
    Some(path)
}

fn manifest(
    root: &Path,
    name: &str,
    (algorithm, is_tag): (Algorithm, bool),
    tree: &BTreeMap<String, u64>,
    found: &mut Validated,
) -> Result<Manifest> {
    let mut manifest = Manifest::new();
    lines(root, name, found, |found, number, line| {
        if line.trim().is_empty() {
            return;
        }
        let parts = line.split_once([' ', '\t']).map(|(d, p)| (d, p.trim_start_matches([' ', '\t'])));
        let is_digest = |d: &str| d.len() == algorithm.digits() && d.bytes().all(|b| b.is_ascii_hexdigit());
        let Some((digest, path)) = parts.filter(|(d, p)| is_digest(d) && !p.is_empty()) else {
            let what = format!("line {number} is not '{algorithm} digest, space, path'");
            found.fault(name, "manifest-line", what);
            return;
        };
        // What md5sum puts before names of files that it read as they are.
        let path = path.strip_prefix('*').unwrap_or(path);
        let Some(path) = path_of(name, number, path, tree, found) else { return };
        if path.starts_with("data/") == is_tag || is_tag && path.starts_with("tagmanifest-") {
            let whose =
                if is_tag { "a tag manifest names no payload and no tag manifest" } else { "it is not below data/" };
            found.fault(name, "wrong-file", format!("line {number}: '{}': {whose}", shown(&path)));
            return;
        }
        if manifest.insert(path.clone(), digest.to_ascii_lowercase()).is_some() {
            found.fault(name, "duplicate", format!("line {number}: '{}' is named twice", shown(&path)));
        }
    })?;
    Ok(manifest)
}

/// fetch.txt: the paths that it tells addresses of.
fn fetch(
    root: &Path,
    tree: &BTreeMap<String, u64>,
    manifests: &[(&str, Algorithm, Manifest)],
    found: &mut Validated,
) -> Result<BTreeSet<String>> {
    const NAME: &str = "fetch.txt";
    let mut told = BTreeSet::new();
    if !tree.contains_key(NAME) {
        return Ok(told);
    }
    lines(root, NAME, found, |found, number, line| {
        if line.trim().is_empty() {
            return;
        }
        let mut parts = line.splitn(2, [' ', '\t']);
        let (url, rest) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default().trim_start());
        let (length, path) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let (path, bytes) = (path.trim_start(), length.parse::<u64>());
        let is_url = url.split_once(':').is_some_and(|(scheme, _)| {
            !scheme.is_empty() && scheme.bytes().all(|b| b.is_ascii_alphanumeric() || b"+-.".contains(&b))
        });
        if !is_url || path.is_empty() || length != "-" && bytes.is_err() {
            found.fault(NAME, "fetch-line", format!("line {number} is not 'address, length or -, path'"));
            return;
        }
        let Some(path) = path_of(NAME, number, path, tree, found) else { return };
        let is_named = |(_, _, m): &(&str, Algorithm, Manifest)| m.contains_key(&path);
        if !path.starts_with("data/") || !manifests.iter().all(is_named) {
            let what = format!("line {number}: '{}' is not in each payload manifest", shown(&path));
            found.fault(NAME, "fetch-not-in-manifest", what);
            return;
        }
        if let (Ok(bytes), Some(size)) = (bytes, tree.get(&path))
            && bytes != *size
        {
            found.fault(&path, "fetch-length", format!("it has {size} bytes, fetch.txt says {bytes}"));
        }
        if !told.insert(path.clone()) {
            found.fault(NAME, "duplicate", format!("line {number}: '{}' is named twice", shown(&path)));
        }
    })?;
    Ok(told)
}

/// Payload-Oxum: bytes and files as bag-info.txt says.
fn oxum(root: &Path, found: &mut Validated) -> Result<()> {
    const NAME: &str = "bag-info.txt";
    if !fs::symlink_metadata(root.join(NAME)).is_ok_and(|m| m.is_file()) {
        return Ok(());
    }
    let mut said: Vec<String> = Vec::new();
    lines(root, NAME, found, |found, number, line| {
        let is_more = line.starts_with([' ', '\t']) && number > 1;
        if is_more || line.trim().is_empty() {
            return;
        }
        match line.split_once(':') {
            Some((label, value)) if label.trim().eq_ignore_ascii_case("payload-oxum") => {
                said.push(value.trim().to_owned())
            }
            Some(_) => {}
            None => found.fault(NAME, "bag-info-line", format!("line {number} is not 'label: value'")),
        }
    })?;
    let is = format!("{}.{}", found.bytes, found.files);
    match said.as_slice() {
        [] => {}
        [one] if *one == is => {}
        [one] => found.fault(NAME, "payload-oxum", format!("Payload-Oxum is '{}', the payload's is {is}", shown(one))),
        more => found.fault(NAME, "payload-oxum", format!("Payload-Oxum is said {} times", more.len())),
    }
    Ok(())
}

/// Reads each file once for all manifests that name it.
fn checksums(
    root: &Path,
    tree: &BTreeMap<String, u64>,
    manifests: &[&(&str, Algorithm, Manifest)],
    found: &mut Validated,
    stop: &Stop,
) -> Result<()> {
    let look = |path: &String| -> Result<Vec<Fault>> {
        let named: Vec<_> = manifests.iter().filter_map(|(name, a, m)| Some((*name, *a, m.get(path)?))).collect();
        if named.is_empty() {
            return Ok(Vec::new());
        }
        let fault = |code, detail| Fault { path: path.clone(), code, detail };
        let mut sums: Vec<Sum> = named.iter().map(|(_, a, _)| Sum::new(*a)).collect();
        let mut file = match File::open(root.join(path)) {
            Ok(file) => file,
            Err(e) => return Ok(vec![fault("unreadable", e.to_string())]),
        };
        let mut block = vec![0; 1 << 20];
        loop {
            stop.check()?;
            match file.read(&mut block) {
                Ok(0) => break,
                Ok(n) => sums.iter_mut().for_each(|s| s.update(&block[..n])),
                Err(e) if e.kind() == std::io::ErrorKind::Interrupted => {}
                Err(e) => return Ok(vec![fault("unreadable", e.to_string())]),
            }
        }
        let wrong = named.iter().zip(sums).filter_map(|((name, algorithm, expected), sum)| {
            let is = sum.hex();
            (is != **expected).then(|| fault("checksum", format!("its {algorithm} is {is}, {name} says {expected}")))
        });
        Ok(wrong.collect())
    };
    let paths: Vec<&String> = tree.keys().collect();
    let all: Vec<Vec<Fault>> = paths.into_par_iter().map(look).collect::<Result<_>>()?;
    found.faults.extend(all.into_iter().flatten());
    Ok(())
}
