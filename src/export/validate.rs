//! Finds each way in which a bag is not valid (RFC 8493 §3). Bags are hostile: no line is believed to end, no path to stay
//! in the bag, and no file to be one.

use std::{
    collections::BTreeMap,
    fs::{self, File},
    io::{self, BufRead, BufReader, Read},
    path::{Path, PathBuf},
};

use encoding_rs::{Encoding, UTF_8};
use rayon::prelude::*;
use serde::Serialize;

use super::decoded::Decoded;
use crate::{
    digest::{Algorithm, Digest, Hasher, Sum},
    error::{Doing, Error, Result},
    stop::Stop,
};

/// The longest line that a manifest, fetch.txt or bag-info.txt may have.
const LONGEST: usize = 64 << 10;
/// As much as bag-info.txt may say.
const MOST_SAID: usize = 1 << 20;
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
    pub(super) fn fault(&mut self, path: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.faults.push(Fault { path: path.into(), code, detail: detail.into() });
    }

    pub(super) fn warn(&mut self, path: impl Into<String>, code: &'static str, detail: impl Into<String>) {
        self.warnings.push(Fault { path: path.into(), code, detail: detail.into() });
    }
}

/// A manifest: digests by path.
pub(super) type Manifest = BTreeMap<String, String>;

/// A manifest's name, its algorithm, and what it says.
pub(super) type Named = (String, Algorithm, Manifest);

/// Looks at a bag; every file that a manifest names is read.
///
/// Errors: `NotFound` when there is no such folder. What is wrong with the bag is no error.
pub fn validate(bag: &Path, stop: &Stop) -> Result<Validated> {
    let mut looked = Looked::at(bag, stop)?;
    looked.read(&|_, _, _| true, stop)?;
    Ok(looked.found)
}

/// Where fetch.txt says that a payload file is.
#[derive(Clone, Debug)]
pub(super) struct Fetch {
    #[cfg_attr(not(feature = "download"), expect(dead_code, reason = "nothing is fetched"))]
    pub(super) url: String,
    /// None: it does not say.
    #[cfg_attr(not(feature = "download"), expect(dead_code, reason = "nothing is fetched"))]
    pub(super) bytes: Option<u64>,
}

/// A bag of which all is known but the bytes of its files.
pub(super) struct Looked {
    pub(super) root: PathBuf,
    /// Its files, and their sizes.
    pub(super) tree: BTreeMap<String, u64>,
    pub(super) manifests: Vec<Named>,
    pub(super) tags: Vec<Named>,
    pub(super) fetch: BTreeMap<String, Fetch>,
    /// Labels and values of bag-info.txt, in their order.
    pub(super) info: Vec<(String, String)>,
    pub(super) found: Validated,
}

impl Looked {
    /// Reads what a bag says of itself, and lists what it has.
    pub(super) fn at(bag: &Path, stop: &Stop) -> Result<Self> {
        let root = bag.canonicalize().doing(|| format!("cannot open {}", bag.display()))?;
        if !root.is_dir() {
            return Err(
                Error::invalid(format!("{} is no folder", bag.display())).hint("unpack it first: a bag is a folder")
            );
        }
        let mut found = Validated::default();
        let text = declaration(&root, &mut found)?;
        let tree = walk(&root, &mut found, stop)?;
        let bag = Text { root: &root, encoding: text, tree: &tree };
        let payload: BTreeMap<&str, u64> =
            tree.iter().filter(|(p, _)| p.starts_with("data/")).map(|(p, b)| (p.as_str(), *b)).collect();
        (found.files, found.bytes) = (payload.len() as u64, payload.values().sum());
        if !root.join("data").is_dir() {
            found.fault("data", "no-payload-folder", "there is no folder data");
        }
        let (manifests, tags) = manifests(&bag, &mut found)?;
        let fetch = fetch(&bag, &manifests, &mut found)?;
        let is_old = found.version.as_deref() != Some("1.0");
        for path in payload.keys() {
            let lacking = manifests.iter().filter(|(_, _, m)| !m.contains_key(*path)).map(|(name, ..)| name.as_str());
            let lacking: Vec<&str> = lacking.collect();
            // Before 1.0 one manifest that named a file was enough.
            if !lacking.is_empty() && (!is_old || lacking.len() == manifests.len()) {
                found.fault(*path, "not-in-manifest", format!("{} does not name it", lacking.join(", ")));
            }
        }
        for (name, _, manifest) in manifests.iter().chain(&tags) {
            for path in manifest.keys().filter(|p| !tree.contains_key(*p)) {
                match fetch.contains_key(path) {
                    true => found.fault(path, "not-fetched", "fetch.txt tells where it is, and it is not here yet"),
                    false => found.fault(path, "missing", format!("{name} names it, and it is not here")),
                }
            }
        }
        let info = info(&bag, &mut found)?;
        Ok(Self { root: root.clone(), manifests, tags, fetch, info, found, tree })
    }

    /// Reads each file that one of its manifests names and that `which` wants by that manifest (a path, the manifest's
    /// algorithm, whether it names tag files): once for all of them. Gives the SHA-256 of the payload files that it read.
    pub(super) fn read(&mut self, which: Which<'_>, stop: &Stop) -> Result<BTreeMap<String, Digest>> {
        let payload = self.manifests.iter().map(|named| (named, false));
        let all: Vec<_> = payload.chain(self.tags.iter().map(|named| (named, true))).collect();
        let (faults, digests) = checksums(&self.root, &self.tree, (&all, which), stop)?;
        self.found.faults.extend(faults);
        self.found.faults.sort();
        self.found.faults.dedup();
        Ok(digests)
    }

    /// What bag-info.txt says under a label, whatever its case.
    pub(super) fn says<'l>(&'l self, label: &'l str) -> impl Iterator<Item = &'l str> {
        self.info.iter().filter(move |(l, _)| l.eq_ignore_ascii_case(label)).map(|(_, value)| value.as_str())
    }
}

/// How a bag's text is read.
struct Text<'t> {
    root: &'t Path,
    encoding: &'static Encoding,
    tree: &'t BTreeMap<String, u64>,
}

/// The manifests of payload files, and those of tag files.
fn manifests(bag: &Text<'_>, found: &mut Validated) -> Result<(Vec<Named>, Vec<Named>)> {
    let (mut manifests, mut tags, mut unknown) = (Vec::new(), Vec::new(), Vec::new());
    for name in bag.tree.keys().filter(|p| !p.contains('/')) {
        let of = |prefix: &str| name.strip_prefix(prefix).and_then(|n| n.strip_suffix(".txt"));
        let (algorithm, is_tag) = match (of("manifest-"), of("tagmanifest-")) {
            (Some(a), _) => (a, false),
            (_, Some(a)) => (a, true),
            _ => continue,
        };
        match algorithm.to_ascii_lowercase().replace('-', "").parse::<Algorithm>() {
            Ok(algorithm) => {
                let manifest = manifest(bag, name, (algorithm, is_tag), found)?;
                if is_tag { &mut tags } else { &mut manifests }.push((name.clone(), algorithm, manifest));
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
    Ok((manifests, tags))
}

/// bagit.txt: two lines, to the letter.
fn declaration(root: &Path, found: &mut Validated) -> Result<&'static Encoding> {
    const NAME: &str = "bagit.txt";
    let path = root.join(NAME);
    if !fs::symlink_metadata(&path).is_ok_and(|m| m.is_file()) {
        found.fault(NAME, "no-declaration", "there is no bagit.txt: it is no bag");
        return Ok(UTF_8);
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
        return Ok(UTF_8);
    };
    let text = text.replace("\r\n", "\n").replace('\r', "\n");
    let lines: Vec<&str> = text.trim_end_matches('\n').split('\n').collect();
    let [version, encoding] = lines[..] else {
        found.fault(NAME, "declaration", format!("it has {} lines, not two", lines.len()));
        return Ok(UTF_8);
    };
    match version.strip_prefix("BagIt-Version: ").map(str::trim_end) {
        Some(v @ ("0.93" | "0.94" | "0.95" | "0.96" | "0.97" | "1.0")) => found.version = Some(v.to_owned()),
        Some(v) => found.fault(NAME, "version", format!("version '{}' is not known", shown(v))),
        None => found.fault(NAME, "declaration", "its first line is not 'BagIt-Version: M.N'"),
    }
    match encoding.strip_prefix("Tag-File-Character-Encoding: ").map(str::trim_end) {
        // WHATWG takes several of the same letters for one; what none of its names is cannot be read.
        Some(e) => match Encoding::for_label(e.as_bytes()) {
            Some(encoding) => return Ok(encoding),
            None => {
                found.fault(NAME, "encoding", format!("its files are said to be '{}': that is not known", shown(e)))
            }
        },
        None => found.fault(NAME, "declaration", "its second line is not 'Tag-File-Character-Encoding: …'"),
    }
    Ok(UTF_8)
}

pub(super) fn shown(text: &str) -> String {
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
    bag: &Text<'_>,
    name: &str,
    found: &mut Validated,
    mut each: impl FnMut(&mut Validated, usize, &str),
) -> Result<()> {
    let path = bag.root.join(name);
    // A link may lead anywhere; what it leads to in the bag is in `walk`'s list, this alone is read by its name.
    let real = path.canonicalize().doing(|| format!("cannot read {}", path.display()))?;
    if !real.starts_with(bag.root) {
        return Ok(());
    }
    let file = File::open(&real).doing(|| format!("cannot read {}", path.display()))?;
    let from: Box<dyn Read> = match bag.encoding == UTF_8 {
        true => Box::new(file),
        false => Box::new(Decoded::new(file, bag.encoding)),
    };
    let mut from = BufReader::new(from);
    let (mut line, mut number, mut after_cr) = (Vec::new(), 0, false);
    loop {
        let block = match from.fill_buf() {
            Ok(block) => block,
            Err(e) if e.kind() == io::ErrorKind::InvalidData => {
                found.fault(name, "encoding", format!("it is not {}", bag.encoding.name()));
                return Ok(());
            }
            Err(e) => return Err(crate::error::io(format!("cannot read {}", path.display()), e)),
        };
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
    bag: &Text<'_>,
    name: &str,
    (algorithm, is_tag): (Algorithm, bool),
    found: &mut Validated,
) -> Result<Manifest> {
    let mut manifest = Manifest::new();
    lines(bag, name, found, |found, number, line| {
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
        let Some(path) = path_of(name, number, path, bag.tree, found) else { return };
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

/// fetch.txt: where it says that files are.
fn fetch(bag: &Text<'_>, manifests: &[Named], found: &mut Validated) -> Result<BTreeMap<String, Fetch>> {
    const NAME: &str = "fetch.txt";
    let mut told = BTreeMap::new();
    if !bag.tree.contains_key(NAME) {
        return Ok(told);
    }
    lines(bag, NAME, found, |found, number, line| {
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
        let Some(path) = path_of(NAME, number, path, bag.tree, found) else { return };
        let is_named = |(_, _, m): &Named| m.contains_key(&path);
        if !path.starts_with("data/") || !manifests.iter().all(is_named) {
            let what = format!("line {number}: '{}' is not in each payload manifest", shown(&path));
            found.fault(NAME, "fetch-not-in-manifest", what);
            return;
        }
        let bytes = bytes.ok();
        if let (Some(bytes), Some(size)) = (bytes, bag.tree.get(&path))
            && bytes != *size
        {
            found.fault(&path, "fetch-length", format!("it has {size} bytes, fetch.txt says {bytes}"));
        }
        if told.insert(path.clone(), Fetch { url: url.to_owned(), bytes }).is_some() {
            found.fault(NAME, "duplicate", format!("line {number}: '{}' is named twice", shown(&path)));
        }
    })?;
    Ok(told)
}

/// bag-info.txt: its labels and values. Payload-Oxum is held against the payload.
fn info(bag: &Text<'_>, found: &mut Validated) -> Result<Vec<(String, String)>> {
    const NAME: &str = "bag-info.txt";
    let mut info: Vec<(String, String)> = Vec::new();
    if !bag.tree.contains_key(NAME) {
        return Ok(info);
    }
    let mut bytes = 0;
    lines(bag, NAME, found, |found, number, line| {
        bytes += line.len();
        if line.trim().is_empty() || bytes > MOST_SAID {
            return;
        }
        if line.starts_with([' ', '\t'])
            && let Some((_, value)) = info.last_mut()
        {
            value.push(' ');
            value.push_str(line.trim());
            return;
        }
        match line.split_once(':') {
            Some((label, value)) => info.push((label.trim().to_owned(), value.trim().to_owned())),
            None => found.fault(NAME, "bag-info-line", format!("line {number} is not 'label: value'")),
        }
    })?;
    if bytes > MOST_SAID {
        found.fault(NAME, "bag-info-line", format!("it has more than {MOST_SAID} bytes"));
    }
    let is = format!("{}.{}", found.bytes, found.files);
    let said: Vec<&str> =
        info.iter().filter(|(l, _)| l.eq_ignore_ascii_case("payload-oxum")).map(|(_, v)| v.as_str()).collect();
    match said.as_slice() {
        [] => {}
        [one] if *one == is => {}
        [one] => found.fault(NAME, "payload-oxum", format!("Payload-Oxum is '{}', the payload's is {is}", shown(one))),
        more => found.fault(NAME, "payload-oxum", format!("Payload-Oxum is said {} times", more.len())),
    }
    Ok(info)
}

/// Whether a file is wanted by a manifest: a path, the manifest's algorithm, whether it names tag files.
type Which<'w> = &'w (dyn Fn(&str, Algorithm, bool) -> bool + Sync);

/// What the read of a file found wrong, and of payload its path and digest.
type Seen = (Vec<Fault>, Option<(String, Digest)>);

/// Reads each file once for all manifests that name it and are wanted.
fn checksums(
    root: &Path,
    tree: &BTreeMap<String, u64>,
    (manifests, which): (&[(&Named, bool)], Which<'_>),
    stop: &Stop,
) -> Result<(Vec<Fault>, BTreeMap<String, Digest>)> {
    let look = |path: &String| -> Result<Seen> {
        let named = manifests.iter().filter(|((_, a, _), is_tag)| which(path, *a, *is_tag));
        let named: Vec<_> = named.filter_map(|((name, a, m), _)| Some((name, *a, m.get(path)?))).collect();
        if named.is_empty() {
            return Ok((Vec::new(), None));
        }
        let fault = |code, detail| Fault { path: path.clone(), code, detail };
        let mut sums: Vec<Sum> = named.iter().map(|(_, a, _)| Sum::new(*a)).collect();
        let mut own = path.starts_with("data/").then(Hasher::new);
        let mut file = match File::open(root.join(path)) {
            Ok(file) => file,
            Err(e) => return Ok((vec![fault("unreadable", e.to_string())], None)),
        };
        let mut block = vec![0; 1 << 20];
        loop {
            stop.check()?;
            match file.read(&mut block) {
                Ok(0) => break,
                Ok(n) => {
                    sums.iter_mut().for_each(|s| s.update(&block[..n]));
                    own.iter_mut().for_each(|s| s.update(&block[..n]));
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                Err(e) => return Ok((vec![fault("unreadable", e.to_string())], None)),
            }
        }
        let wrong = named.iter().zip(sums).filter_map(|((name, algorithm, expected), sum)| {
            let is = sum.hex();
            (is != **expected).then(|| fault("checksum", format!("its {algorithm} is {is}, {name} says {expected}")))
        });
        Ok((wrong.collect(), own.map(|own| (path.clone(), own.finish()))))
    };
    let paths: Vec<&String> = tree.keys().collect();
    let all: Vec<_> = paths.into_par_iter().map(look).collect::<Result<_>>()?;
    let (faults, digests): (Vec<_>, Vec<_>) = all.into_iter().unzip();
    Ok((faults.into_iter().flatten().collect(), digests.into_iter().flatten().collect()))
}
