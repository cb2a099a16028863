//! Models by name: what is known, what is here, and how it comes here. Nothing is fetched but by `damctl models pull`, and what
//! comes is compared with digests that are known beforehand.
//!
//! A model is a folder below the folder of all models. `model.json` in it says what it is and what its files' digests are; it
//! is written last, so that a folder with it is whole.

mod check;
mod e5;
mod fetch;
mod ggml;
mod head;
mod onnx;
mod protobuf;
mod tfjs;
mod unpack;

use std::{
    collections::BTreeMap,
    fs::{self, File},
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};

pub use ggml::Weights;

use crate::{
    digest::{Digest, Hasher},
    error::{Doing, Error, Kind, Result},
    stop::Stop,
};

/// The list that comes with damctl.
const KNOWN: &str = include_str!("known.yaml");
/// What a user adds, in the folder of the models.
const OWN: &str = "models.yaml";
/// Says that a model is whole.
const RECORD: &str = "model.json";
/// The file of a model that has one.
pub const FILE: &str = "model.bin";

/// What a model is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Use {
    /// What is said: a Whisper model in ggml's format.
    Speech,
    /// Where somebody speaks: a Silero model in ggml's format.
    Voice,
    /// What can be read in a picture: `det.onnx` and `rec.onnx` of PP-OCR.
    Text,
    /// What is to be seen: `model.onnx` of CenterNet or YOLO.
    Objects,
    /// Names: the folder of a spaCy pipeline.
    Names,
    /// What texts mean: `model.onnx` and `tokenizer.json` of E5's family.
    Meaning,
    /// What ONNX models run in: `libonnxruntime.so`.
    Runtime,
}

impl Use {
    /// The word in files and on the command line.
    pub fn as_str(self) -> &'static str {
        match self {
            Use::Speech => "speech",
            Use::Voice => "voice",
            Use::Text => "text",
            Use::Objects => "objects",
            Use::Names => "names",
            Use::Meaning => "meaning",
            Use::Runtime => "runtime",
        }
    }

    /// `Invalid` where a model of this use is asked for by its name for another.
    pub fn must_be(self, wanted: Use, name: &str) -> Result<()> {
        let (is, wanted_for) = (self.as_str(), wanted.as_str());
        match self == wanted {
            true => Ok(()),
            false => Err(Error::invalid(format!("the model '{name}' is for {is}, and not for {wanted_for}"))),
        }
    }

    /// How the file of a model that has one is called; none of those that are folders.
    fn file(self) -> Option<&'static str> {
        match self {
            Use::Speech | Use::Voice => Some(FILE),
            Use::Objects => Some("model.onnx"),
            Use::Runtime => Some("libonnxruntime.so"),
            Use::Text | Use::Names | Use::Meaning => None,
        }
    }
}

impl std::str::FromStr for Use {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let all = [Use::Speech, Use::Voice, Use::Text, Use::Objects, Use::Names, Use::Meaning, Use::Runtime];
        all.into_iter().find(|u| u.as_str() == text).ok_or_else(|| {
            let known = all.map(Use::as_str).join(", ");
            Error::invalid(format!("'{text}' is no use of a model: expected one of {known}"))
        })
    }
}

/// A model that is known by name.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Known {
    /// What it is for.
    #[serde(rename = "use")]
    pub purpose: Use,
    /// What it is, in a line.
    pub about: String,
    /// Which languages it knows: their codes, or more of them in words.
    #[serde(default)]
    pub languages: Option<String>,
    /// Whether one of speech can also write down in English what is said in other languages.
    #[serde(default = "yes")]
    pub translates: bool,
    /// Under which license it may be used.
    pub license: String,
    /// Another model that it does nothing without.
    #[serde(default)]
    pub needs: Option<String>,
    /// Where it runs, such as `linux-x86_64`; none: everywhere.
    #[serde(default)]
    pub platform: Option<String>,
    /// What is fetched.
    pub parts: Vec<Part>,
    /// What is made of it.
    #[serde(default)]
    pub convert: Option<Convert>,
    /// The digests of what there must be in the end, as far as they are known. What is taken from a part as it is needs none: the
    /// part has its own.
    #[serde(default)]
    pub files: BTreeMap<String, Digest>,
}

fn yes() -> bool {
    true
}

impl Known {
    /// Which languages it knows, as far as that is said.
    pub fn spoken(&self) -> Option<Spoken<'_>> {
        let said = self.languages.as_deref()?;
        let (named, more) = said.split_once(" and ").map_or((said, None), |(named, more)| (named, Some(more)));
        let named: Vec<&str> = named.split(',').map(str::trim).collect();
        let is_code = |l: &&str| (2..=3).contains(&l.len()) && l.bytes().all(|b| b.is_ascii_lowercase());
        match more {
            None => named.iter().all(is_code).then_some(Spoken::Just(named)),
            Some(more) => Some(Spoken::Many(named.len() + more.strip_suffix(" more")?.parse::<usize>().ok()?)),
        }
    }
}

/// The languages that a model of speech knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Spoken<'a> {
    /// These alone, by their codes.
    Just(Vec<&'a str>),
    /// So many of those that Whisper knows.
    Many(usize),
}

impl Spoken<'_> {
    /// Whether one of Whisper's languages is among them. Cantonese came last: models of 99 languages know all but that.
    pub fn contains(&self, language: &str) -> bool {
        match self {
            Spoken::Just(all) => all.contains(&language),
            Spoken::Many(number) => language != "yue" || *number > 99,
        }
    }
}

impl std::fmt::Display for Spoken<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Spoken::Just(all) => write!(f, "{} alone", all.join(", ")),
            Spoken::Many(number) => write!(f, "{number} languages"),
        }
    }
}

/// What comes with damctl.
pub fn known() -> Result<BTreeMap<String, Known>> {
    read(KNOWN, "the list of models")
}

/// The languages that a model of speech knows: as the list says it, or as Whisper's models are called.
pub fn spoken_by<'a>(name: &str, known: &'a BTreeMap<String, Known>) -> Option<Spoken<'a>> {
    match known.get(name).filter(|model| model.languages.is_some()) {
        Some(model) => model.spoken(),
        None => name.ends_with(".en").then(|| Spoken::Just(vec!["en"])),
    }
}

/// Whether a model of speech was taught to translate, which those called turbo were not.
pub fn translates(name: &str, known: &BTreeMap<String, Known>) -> bool {
    known.get(name).map_or(!name.contains("turbo"), |model| model.translates)
}

/// Something that is fetched.
#[derive(Clone, Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Part {
    /// A package of Python's index, as `NAME==VERSION`.
    #[serde(default)]
    pub pip: Option<String>,
    /// Of packages in several builds, the one: Python, ABI and platform, as in its file's name.
    #[serde(default)]
    pub tag: Option<String>,
    /// A package of npm's registry, as `NAME@VERSION`.
    #[serde(default)]
    pub npm: Option<String>,
    /// An address.
    #[serde(default)]
    pub url: Option<String>,
    /// What it is.
    pub sha256: Digest,
    /// Names in it, and under which each is kept.
    pub take: BTreeMap<String, String>,
}

/// What is made of what was fetched.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Convert {
    /// A Whisper model of CTranslate2 becomes one of ggml, with 16 bits a weight.
    Whisper,
    /// A TensorFlow.js graph becomes an ONNX one, of which this node's value is wanted.
    Tfjs(String),
    /// A packed E5 model, which is this file, becomes an ONNX graph and a tokenizer.
    E5(String),
}

/// A model that is here: the content of its `model.json`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Record {
    #[serde(rename = "use")]
    purpose: Use,
    about: String,
    license: String,
    files: BTreeMap<String, Digest>,
}

/// A model that is here.
#[derive(Clone, Debug, PartialEq)]
pub struct Model {
    /// Its name.
    pub name: String,
    /// What it is for.
    pub purpose: Use,
    /// What it is, in a line.
    pub about: String,
    /// Under which license it may be used.
    pub license: String,
    /// Its folder.
    pub dir: PathBuf,
    /// Its files, with what they were when they came.
    pub files: BTreeMap<String, Digest>,
}

impl Model {
    /// One digest of all its files: the version of what it finds.
    pub fn digest(&self) -> Digest {
        let fields: Vec<String> = self.files.iter().flat_map(|(name, d)| [name.clone(), d.to_string()]).collect();
        Digest::of_fields(&fields)
    }

    /// The one file of a model that has one.
    pub fn file(&self) -> PathBuf {
        let usual = self.purpose.file().unwrap_or(FILE);
        match (self.files.contains_key(usual), self.files.keys().next()) {
            (false, Some(only)) if self.files.len() == 1 => self.dir.join(only),
            _ => self.dir.join(usual),
        }
    }

    /// Looks at its head and its outline, as is done when one is imported: not all come that way. `Invalid` where it is no model of
    /// its use, or is cut short.
    pub fn check(&self) -> Result<()> {
        let from = if self.purpose.file().is_some() { self.file() } else { self.dir.clone() };
        check::check(&from, self.purpose).map_err(|e| match e.kind() {
            Kind::Invalid => e.within(format_args!("the model '{}' is of no use", self.name)).hint(
                "'damctl models list' tells what else is here or can be had; 'damctl models import' takes another file or folder",
            ),
            _ => e,
        })
    }

    /// Reads all of it and compares it with what came.
    pub fn verify(&self, stop: &Stop) -> Result<()> {
        for (name, wanted) in &self.files {
            let path = self.dir.join(name);
            let file = File::open(&path).doing(|| format!("cannot open {}", path.display()))?;
            let (is, _) = Hasher::read_all(file, |_| stop.check())?;
            if is != *wanted {
                return Err(Error::corrupt(format!("{} is not what it was when it came", path.display()))
                    .hint(format!("'damctl models pull {}' gets it anew", self.name)));
            }
        }
        Ok(())
    }
}

/// The folder of all models.
#[derive(Clone, Debug)]
pub struct Shelf {
    dir: PathBuf,
}

impl Shelf {
    /// The models below a folder, which need not be there.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    /// The folder.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Everything that can be fetched by name: what comes with damctl, and what the user adds.
    pub fn known(&self) -> Result<BTreeMap<String, Known>> {
        let mut known = known()?;
        let own = self.dir.join(OWN);
        if own.is_file() {
            let yaml = fs::read_to_string(&own).doing(|| format!("cannot read {}", own.display()))?;
            known.extend(read(&yaml, &own.display().to_string())?);
        }
        Ok(known)
    }

    /// A model that is here; `NotFound`, with the command that gets it, where it is not.
    pub fn get(&self, name: &str) -> Result<Model> {
        check_name(name)?;
        let dir = self.dir.join(name);
        let path = dir.join(RECORD);
        let json = match fs::read(&path) {
            Ok(json) => json,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => {
                let missing = Error::not_found(format!("the model '{name}' is not here"));
                return Err(match self.known()?.contains_key(name) {
                    true => missing.hint(format!("'damctl models pull {name}' gets it")),
                    false => missing.hint(format!(
                        "'damctl models list' tells what can be had; 'damctl models import PATH --as {name}' takes one of yours"
                    )),
                });
            }
            Err(e) => return Err(crate::error::io(format!("cannot read {}", path.display()), e)),
        };
        let record: Record = serde_json::from_slice(&json).map_err(|e| {
            Error::corrupt(format!("{} cannot be read", path.display()))
                .because(e)
                .hint(format!("'damctl models pull {name}' gets the model anew"))
        })?;
        if let Some(odd) = record.files.keys().find(|file| !is_below(file)) {
            return Err(Error::corrupt(format!("{} names '{odd}', which is no file in its folder", path.display())));
        }
        if let Some(missing) = record.files.keys().find(|file| !dir.join(file).is_file()) {
            return Err(Error::corrupt(format!("the model '{name}' has lost its file {missing}"))
                .hint(format!("'damctl models pull {name}' gets it anew")));
        }
        let Record { purpose, about, license, files } = record;
        Ok(Model { name: name.to_owned(), purpose, about, license, dir, files })
    }

    /// All models that are here, by name; those that are damaged with the reason.
    pub fn here(&self) -> Result<Vec<(String, Result<Model>)>> {
        let list = match fs::read_dir(&self.dir) {
            Ok(list) => list,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
            Err(e) => return Err(crate::error::io(format!("cannot list {}", self.dir.display()), e)),
        };
        let is_model = |e: &fs::DirEntry| e.path().join(RECORD).is_file();
        let mut names: Vec<String> =
            list.flatten().filter(is_model).map(|e| e.file_name().to_string_lossy().into_owned()).collect();
        names.sort();
        Ok(names.into_iter().map(|name| (name.clone(), self.get(&name))).collect())
    }

    /// Fetches a model that is known, unless it is here and whole. What was fetched before a failure is not fetched again.
    /// `tell` hears what is being done.
    pub fn pull(&self, name: &str, stop: &Stop, tell: &dyn Fn(&str)) -> Result<Model> {
        let known = self.known()?;
        let wanted = known.get(name).ok_or_else(|| {
            let names = known.keys().map(String::as_str).collect::<Vec<_>>().join(", ");
            Error::not_found(format!("no model is known as '{name}'"))
                .hint(format!("known are {names}; {} adds others", self.dir.join(OWN).display()))
        })?;
        let is_known = |m: &Model| {
            m.purpose == wanted.purpose && wanted.files.iter().all(|(file, digest)| m.files.get(file) == Some(digest))
        };
        if let Ok(model) = self.get(name)
            && is_known(&model)
            && model.verify(stop).is_ok()
        {
            return Ok(model);
        }
        let here = format!("{}-{}", std::env::consts::OS, std::env::consts::ARCH);
        if let Some(platform) = wanted.platform.as_ref().filter(|p| **p != here) {
            return Err(Error::unsupported(format!("'{name}' is known for {platform} alone, and this is {here}"))
                .hint(format!("build it, then 'damctl models import PATH --as {name}'")));
        }
        let fetched = self.dir.join(".fetched");
        fs::create_dir_all(&fetched).doing(|| format!("cannot make {}", fetched.display()))?;
        let making = self.making()?;
        for part in &wanted.parts {
            let file = fetch::fetch(part, &fetched, stop, tell)?;
            unpack::take(part, &file, making.path()).map_err(|e| e.within(format!("what came for '{name}'")))?;
        }
        if let Some(convert) = &wanted.convert {
            tell("converting");
            let made = self.making()?;
            match convert {
                Convert::Whisper => ggml::convert(making.path(), &made.path().join(FILE), Weights::F16)?,
                Convert::Tfjs(output) => tfjs::convert(making.path(), output, &made.path().join("model.onnx"))?,
                Convert::E5(file) => e5::convert(&making.path().join(file), made.path())?,
            }
            return self.keep(name, wanted, made, stop);
        }
        self.keep(name, wanted, making, stop)
    }

    fn keep(&self, name: &str, wanted: &Known, made: tempfile::TempDir, stop: &Stop) -> Result<Model> {
        let files = digests(made.path(), stop)?;
        for (file, digest) in &wanted.files {
            match files.get(file) {
                Some(is) if is == digest => {}
                Some(is) => {
                    return Err(Error::corrupt(format!(
                        "what was made for '{name}' is not what it should be: {file} has the digest {is}, and not {digest}"
                    )));
                }
                None => return Err(Error::corrupt(format!("what came for '{name}' has no {file}"))),
            }
        }
        let record =
            Record { purpose: wanted.purpose, about: wanted.about.clone(), license: wanted.license.clone(), files };
        self.place(name, &record, made)?;
        // What it was made of can be had again.
        for part in &wanted.parts {
            fs::remove_file(fetch::kept(part, &self.dir.join(".fetched"))).ok();
        }
        self.get(name)
    }

    /// Takes a model of the user's own: a folder of CTranslate2 (Whisper), which is converted, one of spaCy, or files as they are.
    ///
    /// `Invalid` where its head or its outline tells that it is none for that use.
    pub fn import(&self, from: &Path, name: &str, purpose: Use, weights: Weights, stop: &Stop) -> Result<Model> {
        check_name(name)?;
        if self.known()?.contains_key(name) {
            return Err(Error::new(Kind::Conflict, format!("'{name}' is a model that is known"))
                .hint(format!("take another name; 'damctl models pull {name}' gets that one")));
        }
        if self.dir.join(name).exists() {
            return Err(Error::new(Kind::Conflict, format!("there is a model '{name}' already"))
                .hint("take another name, or remove its folder"));
        }
        if !from.exists() {
            return Err(Error::not_found(format!("there is no {}", from.display())));
        }
        if !from.is_file() && !from.is_dir() {
            return Err(Error::invalid(format!("{} is neither a file nor a folder", from.display())));
        }
        let as_file = purpose.file().filter(|_| !from.is_dir());
        if as_file.is_none() && !from.is_dir() {
            return Err(Error::invalid(format!("a model for {} is a folder", purpose.as_str())));
        }
        check::check(from, purpose)?;
        let made = self.making()?;
        let about = from.file_name().map(|n| n.to_string_lossy().into_owned()).unwrap_or_default();
        match as_file {
            Some(name) => {
                fs::copy(from, made.path().join(name)).map(drop).doing(|| format!("cannot copy {}", from.display()))?;
            }
            None if purpose == Use::Speech => {
                ggml::convert(from, &made.path().join(FILE), weights).map_err(|e| match e.kind() {
                    Kind::Corrupt => Error::invalid(format!("{} is no whole model", from.display())).because(e),
                    _ => e,
                })?;
            }
            None => copy_all(from, made.path(), stop)?,
        }
        let files = digests(made.path(), stop)?;
        if files.is_empty() {
            return Err(Error::invalid(format!("there is no file in {}", from.display())));
        }
        let record =
            Record { purpose, about: format!("imported from {about}"), license: "as its owner says".to_owned(), files };
        self.place(name, &record, made)?;
        self.get(name)
    }

    fn making(&self) -> Result<tempfile::TempDir> {
        fs::create_dir_all(&self.dir).doing(|| format!("cannot make {}", self.dir.display()))?;
        self.sweep();
        tempfile::Builder::new()
            .prefix(".making-")
            .tempdir_in(&self.dir)
            .doing(|| format!("cannot write in {}", self.dir.display()))
    }

    /// Removes what those have left that were killed, a day ago or more.
    fn sweep(&self) {
        const OLD: std::time::Duration = std::time::Duration::from_secs(24 * 3600);
        for entry in fs::read_dir(&self.dir).into_iter().flatten().flatten() {
            let is_making = entry.file_name().to_string_lossy().starts_with(".making-");
            let age = entry.metadata().and_then(|m| m.modified()).ok().and_then(|at| at.elapsed().ok());
            if is_making && age.is_some_and(|age| age > OLD) {
                fs::remove_dir_all(entry.path()).ok();
            }
        }
    }

    /// Moves a finished folder to its name. An older one of that name is put aside first, and removed when the new one stands.
    fn place(&self, name: &str, record: &Record, made: tempfile::TempDir) -> Result<()> {
        let json =
            serde_json::to_vec_pretty(record).map_err(|e| Error::internal("cannot write the record").because(e))?;
        let path = made.path().join(RECORD);
        fs::write(&path, json).doing(|| format!("cannot write {}", path.display()))?;
        let to = self.dir.join(name);
        let old = self.making()?;
        if to.exists() {
            fs::rename(&to, old.path().join("old")).doing(|| format!("cannot put {} aside", to.display()))?;
        }
        let from = made.keep();
        if let Err(e) = fs::rename(&from, &to) {
            fs::rename(old.path().join("old"), &to).ok();
            return Err(crate::error::io(format!("cannot make {}", to.display()), e));
        }
        // A folder for one process's eyes was made; models are for all that read the archive.
        use std::os::unix::fs::PermissionsExt;
        fs::set_permissions(&to, fs::Permissions::from_mode(0o755)).doing(|| format!("cannot open {}", to.display()))
    }
}

fn check_name(name: &str) -> Result<()> {
    let sound = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    match name.is_empty() || name.len() > 64 || name.starts_with('.') || !name.bytes().all(sound) {
        true => {
            Err(Error::invalid(format!("'{name}' is no name of a model: 1 to 64 of letters, digits, '.', '_' and '-'")))
        }
        false => Ok(()),
    }
}

/// Whether a name leads nowhere but into the folder that it is used in.
fn is_below(name: &str) -> bool {
    !name.is_empty() && Path::new(name).components().all(|c| matches!(c, std::path::Component::Normal(_)))
}

fn read(yaml: &str, origin: &str) -> Result<BTreeMap<String, Known>> {
    let list: BTreeMap<String, Known> = serde_saphyr::from_str(yaml).map_err(|e| {
        let place = e.location().map(|l| format!(":{}:{}", l.line(), l.column())).unwrap_or_default();
        Error::invalid(format!("{origin}{place}: {}", e.without_snippet()))
    })?;
    for (name, known) in &list {
        check_name(name)?;
        let sources = |p: &Part| [&p.pip, &p.npm, &p.url].into_iter().flatten().count();
        if known.parts.iter().any(|p| sources(p) != 1) {
            return Err(Error::invalid(format!("{origin}: '{name}': each part has one of pip, npm and url")));
        }
        let kept = known.parts.iter().flat_map(|p| p.take.values()).chain(known.files.keys());
        if let Some(odd) = kept.into_iter().find(|n| !is_below(n)) {
            return Err(Error::invalid(format!(
                "{origin}: '{name}': '{odd}' is no name of a file in the model's folder"
            )));
        }
    }
    Ok(list)
}

/// The digests of all files below a folder, by their paths.
fn digests(dir: &Path, stop: &Stop) -> Result<BTreeMap<String, Digest>> {
    use std::os::unix::fs::PermissionsExt;
    let mut files = BTreeMap::new();
    each_file(dir, &mut |path, name| {
        // For all that read the archive, however it was where it came from.
        fs::set_permissions(path, fs::Permissions::from_mode(0o644))
            .doing(|| format!("cannot open {}", path.display()))?;
        let file = File::open(path).doing(|| format!("cannot open {}", path.display()))?;
        files.insert(name.to_owned(), Hasher::read_all(file, |_| stop.check())?.0);
        Ok(())
    })?;
    Ok(files)
}

fn copy_all(from: &Path, to: &Path, stop: &Stop) -> Result<()> {
    each_file(from, &mut |path, name| {
        stop.check()?;
        if name == RECORD {
            return Ok(());
        }
        let to = to.join(name);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).doing(|| format!("cannot make {}", folder.display()))?;
        }
        fs::copy(path, &to).map(drop).doing(|| format!("cannot copy {}", path.display()))
    })
}

/// Most files of a model: more are something else.
const MOST_FILES: usize = 1000;

fn each_file(dir: &Path, each: &mut dyn FnMut(&Path, &str) -> Result<()>) -> Result<()> {
    let (mut folders, mut count) = (vec![dir.to_owned()], 0);
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).doing(|| format!("cannot list {}", folder.display()))? {
            let entry = entry.doing(|| format!("cannot list {}", folder.display()))?;
            let kind = entry.file_type().doing(|| format!("cannot look at {}", entry.path().display()))?;
            let path = entry.path();
            count += 1;
            if count > MOST_FILES {
                return Err(Error::invalid(format!(
                    "{} has more than {MOST_FILES} files: it is no model",
                    dir.display()
                )));
            }
            if kind.is_dir() {
                folders.push(path);
            } else if kind.is_file() {
                let name = path.strip_prefix(dir).unwrap_or(&path).to_string_lossy().into_owned();
                each(&path, &name)?;
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
