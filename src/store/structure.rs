//! Holds an OCFL object against the specification (OCFL 1.0 and 1.1), whoever wrote it.
//!
//! Faults have the codes of the specification's list of validation errors (ocfl.io/1.1/spec/validation-codes.html).

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    fmt,
    io::Read,
    str::FromStr,
};

use serde_json::{Map, Value};

use super::{Store, ocfl};
use crate::{
    digest::{Algorithm, Sum},
    error::{Kind, Result, io},
    model::Key,
    stop::Stop,
};

/// The longest inventory that is read.
const LONGEST: u64 = 256 << 20;

/// Something that must not be as it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// `E001` to `E112`.
    pub code: &'static str,
    /// Below the object's root; empty: the object itself.
    pub path: String,
    /// In words.
    pub what: String,
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.code, self.what)
    }
}

/// How closely an object is looked at.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Depth {
    /// Names, declarations, inventories and sidecars.
    Names,
    /// The bytes of all content as well.
    Bytes,
}

/// An object: its files below its root with their sizes, and how they are opened.
pub struct Object<'a> {
    /// Paths with `/`.
    pub files: &'a BTreeMap<String, u64>,
    /// Opens one of them.
    pub open: &'a dyn Fn(&str) -> Result<Box<dyn Read + Send>>,
}

/// Holds every object of the masters against the specification; how many there are. `each` hears of each fault, with the
/// key of what it is about.
///
/// Errors: those of reading. Content that is archived and cannot be read is held by its name alone.
pub fn check_all(store: &dyn Store, depth: Depth, stop: &Stop, each: &mut dyn FnMut(&Key, &Fault)) -> Result<u64> {
    let mut objects = 0;
    ocfl::each_object(store, stop, &mut |object| {
        objects += 1;
        let open = |path: &str| {
            let key = object.root.join(path)?;
            match store.open(&key, None) {
                Err(e) if e.kind() == Kind::Archived && store.reads_offline() => store.open_offline(&key),
                opened => opened,
            }
        };
        for fault in check(&Object { files: &object.files, open: &open }, depth, stop)? {
            let key = if fault.path.is_empty() { Ok(object.root.clone()) } else { object.root.join(&fault.path) };
            each(key.as_ref().unwrap_or(&object.root), &fault);
        }
        Ok(())
    })?;
    Ok(objects)
}

/// Everything that is wrong with an object.
///
/// Errors: only those of reading, and `Interrupted`.
pub fn check(object: &Object<'_>, depth: Depth, stop: &Stop) -> Result<Vec<Fault>> {
    let mut work = Work { object, faults: Vec::new() };
    let declared = work.declaration()?;
    let Some((text, root)) = work.inventory("", declared)? else {
        work.root(None);
        return Ok(work.faults);
    };
    work.root(Some(&root));
    work.sequence(&root);
    let mut earlier = BTreeMap::new();
    let last = root.last();
    for (number, name) in root.names() {
        stop.check()?;
        let folder = format!("{name}/");
        if !object.files.contains_key(&format!("{folder}inventory.json")) {
            continue;
        }
        let Some((its, told)) = work.inventory(&folder, None)? else { continue };
        if Some(number) == last && its != text {
            work.fault("E064", format!("{folder}inventory.json"), "it is not the object's own inventory");
        }
        work.agree(&root, &told, (number, &name));
        earlier.insert(number, told);
    }
    work.content(&root, &earlier);
    if depth == Depth::Bytes {
        let all: Vec<&Told> = std::iter::once(&root).chain(earlier.values()).collect();
        work.bytes(&all, stop)?;
    }
    Ok(work.faults)
}

/// Digests and the paths that have them, as they are written.
type Block = Vec<(String, Vec<String>)>;

/// What an inventory says.
#[derive(Default)]
struct Told {
    /// The minor number of the specification's version.
    minor: Option<u32>,
    id: Option<String>,
    algorithm: Option<Algorithm>,
    head: Option<String>,
    content: String,
    manifest: Block,
    /// By their names, those that are names of versions.
    versions: BTreeMap<String, Block>,
    /// By the algorithms that are known here.
    fixity: Vec<(Algorithm, Block)>,
}

impl Told {
    /// Versions by number, with their names.
    fn names(&self) -> BTreeMap<u32, String> {
        self.versions.keys().filter_map(|name| Some((number(name)?, name.clone()))).collect()
    }

    fn last(&self) -> Option<u32> {
        self.names().keys().next_back().copied()
    }

    fn paths(&self) -> impl Iterator<Item = &str> {
        self.manifest.iter().flat_map(|(_, paths)| paths).map(String::as_str)
    }

    /// Which content a version's names stand for.
    fn state(&self, version: &str) -> HashMap<&str, BTreeSet<&str>> {
        let by_digest: HashMap<&str, &Vec<String>> =
            self.manifest.iter().map(|(d, paths)| (d.as_str(), paths)).collect();
        let content = |digest: &str| -> BTreeSet<&str> {
            by_digest.get(digest).map(|paths| paths.iter().map(String::as_str).collect()).unwrap_or_default()
        };
        let block = self.versions.get(version).map(Vec::as_slice).unwrap_or_default();
        block.iter().flat_map(|(digest, names)| names.iter().map(|name| (name.as_str(), content(digest)))).collect()
    }
}

/// The number of a version's name, which may begin with zeros.
fn number(name: &str) -> Option<u32> {
    let digits = name.strip_prefix('v').filter(|d| !d.is_empty() && d.bytes().all(|b| b.is_ascii_digit()))?;
    digits.parse().ok().filter(|n| *n > 0)
}

/// Why a path is none, with the codes for its ends and for its elements.
fn bad_path(path: &str, (ends, elements): (&'static str, &'static str)) -> Option<&'static str> {
    if path.starts_with('/') || path.ends_with('/') {
        return Some(ends);
    }
    path.split('/').any(|e| matches!(e, "" | "." | "..")).then_some(elements)
}

struct Work<'a> {
    object: &'a Object<'a>,
    faults: Vec<Fault>,
}

impl Work<'_> {
    fn fault(&mut self, code: &'static str, path: impl Into<String>, what: impl Into<String>) {
        self.faults.push(Fault { code, path: path.into(), what: what.into() });
    }

    fn read(&self, path: &str) -> Result<Vec<u8>> {
        let mut bytes = Vec::new();
        let file = (self.object.open)(path)?;
        file.take(LONGEST).read_to_end(&mut bytes).map_err(|e| io(format!("cannot read {path}"), e))?;
        Ok(bytes)
    }

    /// The version of the specification that the object declares.
    fn declaration(&mut self) -> Result<Option<u32>> {
        let found: Vec<&String> = self.object.files.keys().filter(|p| p.starts_with("0=")).collect();
        let [path] = found[..] else {
            self.fault("E003", "", format!("it has {} declarations, not one", found.len()));
            return Ok(None);
        };
        let named = path.strip_prefix("0=ocfl_object_").and_then(|v| v.strip_prefix("1."));
        let Some(minor) = named.and_then(|minor| minor.parse().ok()).filter(|minor| *minor <= 1) else {
            self.fault("E003", path.clone(), "it declares no version of OCFL that is known");
            return Ok(None);
        };
        if self.read(path)? != format!("ocfl_object_1.{minor}\n").as_bytes() {
            self.fault("E007", path.clone(), "its text is not its name without '0=', and a line's end");
        }
        Ok(Some(minor))
    }

    /// Reads the inventory of a folder and holds it against its sidecar.
    fn inventory(&mut self, folder: &str, declared: Option<u32>) -> Result<Option<(Vec<u8>, Told)>> {
        let path = format!("{folder}inventory.json");
        if !self.object.files.contains_key(&path) {
            self.fault("E063", path, "there is no inventory");
            return Ok(None);
        }
        let text = self.read(&path)?;
        let Ok(Value::Object(said)) = serde_json::from_slice(&text) else {
            self.fault("E033", path, "it is not an object in JSON");
            return Ok(None);
        };
        let mut parse = Parse { path: &path, work: self };
        let told = parse.all(&said);
        if let (Some(declared), Some(minor)) = (declared, told.minor)
            && declared != minor
        {
            self.fault("E038", path.clone(), format!("it is of version 1.{minor}, the object of 1.{declared}"));
        }
        if let Some(algorithm) = told.algorithm {
            let sidecar = format!("{path}.{algorithm}");
            match self.object.files.contains_key(&sidecar) {
                false => self.fault("E058", sidecar, "there is no sidecar"),
                true => {
                    let said = self.read(&sidecar)?;
                    let said = String::from_utf8_lossy(&said);
                    let words: Vec<&str> = said.split_whitespace().collect();
                    let mut sum = Sum::new(algorithm);
                    sum.update(&text);
                    match words[..] {
                        [digest, "inventory.json"] if digest.eq_ignore_ascii_case(&sum.hex()) => {}
                        [_, "inventory.json"] => self.fault("E060", path, "it is not the one that its sidecar tells"),
                        _ => self.fault("E061", sidecar, "it is not 'DIGEST inventory.json'"),
                    }
                }
            }
        }
        Ok(Some((text, told)))
    }

    /// What lies in the object's root.
    fn root(&mut self, told: Option<&Told>) {
        let sidecar = told.and_then(|t| t.algorithm).map(|a| format!("inventory.json.{a}"));
        let names = told.map(|t| t.names().into_values().collect::<BTreeSet<_>>()).unwrap_or_default();
        let mut unknown = BTreeSet::new();
        for path in self.object.files.keys() {
            let (first, rest) = path.split_once('/').map_or((path.as_str(), None), |(first, rest)| (first, Some(rest)));
            let is_right = match rest {
                None => path == "inventory.json" || path.starts_with("0=") || Some(path) == sidecar.as_ref(),
                Some(_) => matches!(first, "logs" | "extensions") || names.contains(first),
            };
            if !is_right && (told.is_some() || rest.is_some() || !path.starts_with("inventory.json")) {
                unknown.insert((first.to_owned(), rest.is_some() && number(first).is_some()));
            }
            if first == "extensions" && rest.is_some_and(|rest| !rest.contains('/')) {
                self.fault("E067", path.clone(), "only folders of extensions lie here");
            }
        }
        for (name, is_version) in unknown {
            match is_version {
                true => self.fault("E046", name, "the inventory does not know this version"),
                false => self.fault("E001", name, "it must not lie here"),
            }
        }
    }

    /// Versions count from one, without a gap, written alike; the last is the head.
    fn sequence(&mut self, root: &Told) {
        let at = "inventory.json";
        let names = root.names();
        let Some(last) = root.last() else { return self.fault("E008", at, "it has no version") };
        if !names.contains_key(&1) {
            self.fault("E009", at, "its versions do not begin with 1");
        }
        if names.len() as u32 != last {
            self.fault("E010", at, "versions are left out");
        }
        let is_padded = |name: &String| name.starts_with("v0");
        let lengths: BTreeSet<usize> = names.values().map(String::len).collect();
        if names.values().any(is_padded) && (lengths.len() > 1 || !names.values().all(is_padded)) {
            self.fault("E013", at, "its versions are not written alike");
        }
        if let Some(head) = &root.head
            && names.get(&last) != Some(head)
        {
            self.fault("E040", at, format!("its head is {head}, its last version {}", names[&last]));
        }
        for name in names.values() {
            let prefix = format!("{name}/");
            if !self.object.files.range(prefix.clone()..).next().is_some_and(|(path, _)| path.starts_with(&prefix)) {
                self.fault("E010", name.clone(), "the folder of this version is missing");
            }
        }
    }

    /// Holds a version's inventory against the object's.
    fn agree(&mut self, root: &Told, told: &Told, (number, name): (u32, &str)) {
        let at = format!("{name}/inventory.json");
        if told.id != root.id {
            self.fault("E037", at.clone(), "it is of an object with another id");
        }
        if told.head.as_deref().is_some_and(|head| head != name) {
            self.fault("E040", at.clone(), "its head is not the version that it lies in");
        }
        if told.content != root.content {
            self.fault("E019", at.clone(), "it calls the folders of content otherwise");
        }
        if told.minor > root.minor {
            self.fault("E103", at.clone(), "it is of a later version of OCFL than the object");
        }
        for (earlier, its) in told.names().range(..=number) {
            let (then, now) = (told.state(its), root.state(its));
            let names: BTreeSet<&&str> = then.keys().chain(now.keys()).collect();
            let is_same = |name: &&&str| match (then.get(**name), now.get(**name)) {
                (Some(then), Some(now)) => !then.is_disjoint(now),
                _ => false,
            };
            if let Some(other) = names.iter().find(|name| !is_same(name)) {
                self.fault("E066", at.clone(), format!("version {earlier} had another '{other}'"));
            }
        }
    }

    /// Which content is there, and which should be.
    fn content(&mut self, root: &Told, earlier: &BTreeMap<u32, Told>) {
        let names: HashMap<String, u32> = root.names().into_iter().map(|(n, name)| (name, n)).collect();
        let in_content = |path: &str| {
            let (first, rest) = path.split_once('/')?;
            Some((*names.get(first)?, rest.strip_prefix(&root.content)?.starts_with('/')))
        };
        let known: BTreeSet<&str> = root.paths().collect();
        for path in &known {
            if !in_content(path).is_some_and(|(_, is_in)| is_in) {
                self.fault("E042", *path, "it does not lie in a version's folder of content");
            } else if !self.object.files.contains_key(*path) {
                self.fault("E092", *path, "the manifest names it, and it is not here");
            }
        }
        for path in self.object.files.keys() {
            let Some((first, rest)) = path.split_once('/') else { continue };
            let Some(number) = names.get(first) else { continue };
            if in_content(path).is_some_and(|(_, is_in)| is_in) {
                if !known.contains(path.as_str()) {
                    self.fault("E023", path.clone(), "the manifest does not name it");
                }
                for (_, told) in earlier.range(number..) {
                    if !told.paths().any(|p| p == path) {
                        self.fault("E023", path.clone(), "the manifest of a later version does not name it");
                    }
                }
            } else if !rest.contains('/') && !rest.starts_with("inventory.json") {
                self.fault("E015", path.clone(), "it does not lie in the folder of content");
            }
        }
    }

    /// Reads all content once, and holds it against every digest that is told of it.
    fn bytes(&mut self, inventories: &[&Told], stop: &Stop) -> Result<()> {
        let mut wanted: BTreeMap<&str, BTreeSet<(Algorithm, String, &'static str)>> = BTreeMap::new();
        for told in inventories {
            let manifest = told.algorithm.map(|a| (a, &told.manifest, "E092"));
            let fixity = told.fixity.iter().map(|(a, block)| (*a, block, "E093"));
            for (algorithm, block, code) in manifest.into_iter().chain(fixity) {
                for (digest, path) in block.iter().flat_map(|(d, paths)| paths.iter().map(move |p| (d, p))) {
                    wanted.entry(path).or_default().insert((algorithm, digest.to_lowercase(), code));
                }
            }
        }
        let mut block = vec![0; 1 << 20];
        for (path, digests) in wanted {
            if !self.object.files.contains_key(path) {
                continue;
            }
            let algorithms: BTreeSet<Algorithm> = digests.iter().map(|(a, ..)| *a).collect();
            let mut sums: BTreeMap<Algorithm, Sum> = algorithms.into_iter().map(|a| (a, Sum::new(a))).collect();
            let mut file = match (self.object.open)(path) {
                // What has left the hot area is held by its name alone.
                Err(e) if e.kind() == Kind::Archived => continue,
                opened => opened?,
            };
            loop {
                stop.check()?;
                match file.read(&mut block).map_err(|e| io(format!("cannot read {path}"), e))? {
                    0 => break,
                    n => sums.values_mut().for_each(|sum| sum.update(&block[..n])),
                }
            }
            let found: BTreeMap<Algorithm, String> = sums.into_iter().map(|(a, sum)| (a, sum.hex())).collect();
            for (algorithm, digest, code) in digests {
                if found.get(&algorithm) != Some(&digest) {
                    self.fault(code, path, format!("its {algorithm} is not the one that an inventory tells"));
                }
            }
        }
        Ok(())
    }
}

/// Reads what an inventory says, and what is wrong with it by itself.
struct Parse<'a, 'b> {
    path: &'a str,
    work: &'a mut Work<'b>,
}

impl Parse<'_, '_> {
    fn fault(&mut self, code: &'static str, what: impl Into<String>) {
        self.work.fault(code, self.path, what);
    }

    /// A text that must be there.
    fn text(&mut self, said: &Map<String, Value>, name: &str, code: &'static str) -> Option<String> {
        match said.get(name) {
            None => self.fault("E036", format!("'{name}' is missing")),
            Some(Value::String(text)) if !text.is_empty() => return Some(text.clone()),
            Some(_) => self.fault(code, format!("'{name}' is not a text")),
        }
        None
    }

    fn all(&mut self, said: &Map<String, Value>) -> Told {
        let mut told = Told { id: self.text(said, "id", "E037"), content: "content".to_owned(), ..Told::default() };
        if let Some(kind) = self.text(said, "type", "E038") {
            told.minor = match kind.as_str() {
                "https://ocfl.io/1.0/spec/#inventory" => Some(0),
                "https://ocfl.io/1.1/spec/#inventory" => Some(1),
                _ => None,
            };
            if told.minor.is_none() {
                self.fault("E038", format!("its type is '{kind}'"));
            }
        }
        if let Some(algorithm) = self.text(said, "digestAlgorithm", "E025") {
            let known = Algorithm::from_str(&algorithm).ok();
            told.algorithm = known.filter(|a| matches!(a, Algorithm::Sha256 | Algorithm::Sha512));
            if told.algorithm.is_none() {
                self.fault("E025", format!("'{algorithm}' is not sha512 or sha256"));
            }
        }
        told.head = self.text(said, "head", "E040");
        match said.get("contentDirectory") {
            None => {}
            Some(Value::String(name)) if name.contains('/') || name.is_empty() => {
                self.fault("E017", "its folder of content is not one name");
            }
            Some(Value::String(name)) if name == "." || name == ".." => {
                self.fault("E018", "its folder of content is no name");
            }
            Some(Value::String(name)) => told.content.clone_from(name),
            Some(_) => self.fault("E017", "its folder of content is not a text"),
        }
        match said.get("manifest") {
            None => self.fault("E041", "it has no manifest"),
            Some(manifest) => {
                told.manifest = self.block(manifest, "E106", "the manifest");
                self.paths(&told.manifest, ("E100", "E099"), "E101");
                self.distinct(&told.manifest, "E096");
            }
        }
        self.versions(said, &mut told);
        match said.get("fixity") {
            None => {}
            Some(Value::Object(blocks)) => {
                for (name, block) in blocks {
                    let block = self.block(block, "E057", "a block of fixity");
                    self.paths(&block, ("E100", "E099"), "E101");
                    self.distinct(&block, "E097");
                    if let Ok(algorithm) = name.parse() {
                        told.fixity.push((algorithm, block));
                    }
                }
            }
            Some(_) => self.fault("E111", "its fixity is not an object"),
        }
        told
    }

    fn versions(&mut self, said: &Map<String, Value>, told: &mut Told) {
        let versions = match said.get("versions") {
            None => return self.fault("E043", "it has no versions"),
            Some(Value::Object(versions)) => versions,
            Some(_) => return self.fault("E044", "its versions are not an object"),
        };
        let named: BTreeSet<String> = told.manifest.iter().map(|(digest, _)| digest.clone()).collect();
        let mut used = BTreeSet::new();
        for (name, version) in versions {
            if number(name).is_none() {
                self.fault("E046", format!("'{name}' is no version"));
                continue;
            }
            let empty = Map::new();
            let version = version.as_object().unwrap_or_else(|| {
                self.fault("E047", format!("{name} is not an object"));
                &empty
            });
            match version.get("created").map(Value::as_str) {
                None => self.fault("E048", format!("{name} does not say when it was made")),
                Some(Some(at)) if at.as_bytes().get(16) == Some(&b':') && at.parse::<jiff::Timestamp>().is_ok() => {}
                Some(_) => {
                    self.fault("E049", format!("when {name} was made is not a time with seconds and a zone (RFC 3339)"))
                }
            }
            if version.get("message").is_some_and(|m| !m.is_string()) {
                self.fault("E094", format!("the message of {name} is not a text"));
            }
            if let Some(user) = version.get("user")
                && user.get("name").and_then(Value::as_str).is_none_or(str::is_empty)
            {
                self.fault("E054", format!("the user of {name} has no name"));
            }
            let Some(state) = version.get("state") else {
                self.fault("E048", format!("{name} has no state"));
                continue;
            };
            let state = self.block(state, "E050", &format!("the state of {name}"));
            self.paths(&state, ("E053", "E052"), "E095");
            used.extend(state.iter().map(|(digest, _)| digest.clone()));
            if state.iter().any(|(digest, _)| !named.contains(digest)) {
                self.fault("E050", format!("{name} has content that the manifest does not name"));
            }
            told.versions.insert(name.clone(), state);
        }
        if !named.is_subset(&used) {
            // The first version of the specification says the same in other words.
            let code = if told.minor == Some(0) { "E050" } else { "E107" };
            self.fault(code, "the manifest names content that no version has");
        }
    }

    /// Digests and their paths.
    fn block(&mut self, value: &Value, code: &'static str, what: &str) -> Block {
        let Value::Object(entries) = value else {
            self.fault(code, format!("{what} is not an object"));
            return Vec::new();
        };
        let mut block = Vec::new();
        for (digest, paths) in entries {
            let texts = paths.as_array().map(|paths| paths.iter().map(|p| p.as_str().map(str::to_owned)).collect());
            match texts {
                Some(Some(paths)) => block.push((digest.clone(), paths)),
                _ => self.fault("E051", format!("in {what}, the paths of {digest} are not a list of texts")),
            }
        }
        block
    }

    /// Paths are such, each is there once, and none is another one's folder.
    fn paths(&mut self, block: &Block, codes: (&'static str, &'static str), twice: &'static str) {
        let mut all = BTreeSet::new();
        for path in block.iter().flat_map(|(_, paths)| paths) {
            if let Some(code) = bad_path(path, codes) {
                self.fault(code, format!("'{path}' is no path"));
            }
            if !all.insert(path.as_str()) {
                self.fault(twice, format!("'{path}' is there twice"));
            }
        }
        let above = |path: &str| path.match_indices('/').any(|(at, _)| all.contains(&path[..at]));
        if let Some(path) = all.iter().find(|path| above(path)) {
            self.fault(twice, format!("a file is the folder of '{path}'"));
        }
    }

    /// Digests are there once, however they are written.
    fn distinct(&mut self, block: &Block, code: &'static str) {
        let mut seen = BTreeSet::new();
        if block.iter().any(|(digest, _)| !seen.insert(digest.to_lowercase())) {
            self.fault(code, "a digest is there twice");
        }
    }
}
