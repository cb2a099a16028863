//! What the tests share: the program as its user runs it, a drive of real media, and an archive made of it.
//!
//! Both are made once for a version of their makers and kept in the target folder; a lock lets concurrent test
//! processes wait for the one that makes them.

use std::{
    ffi::OsStr,
    fs::{self, File},
    hash::{DefaultHasher, Hash, Hasher},
    io::{Read, Write},
    os::unix::process::ExitStatusExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

use serde_json::Value;

/// The program.
pub const DAMCTL: &str = env!("CARGO_BIN_EXE_damctl");

/// How a run of the program ended.
#[derive(Debug)]
pub struct Ran {
    /// Its exit code, or 128 and the signal's number.
    pub code: i32,
    pub stdout: String,
    pub stderr: String,
}

impl Ran {
    #[track_caller]
    pub fn ends(self, code: i32) -> Self {
        assert_eq!(self.code, code, "stdout:\n{}\nstderr:\n{}", self.stdout, self.stderr);
        self
    }

    #[track_caller]
    pub fn says(self, words: &str) -> Self {
        let all = format!("{}\n{}", self.stdout, self.stderr);
        assert!(all.contains(words), "'{words}' is not in\n{all}");
        self
    }
}

impl From<Output> for Ran {
    fn from(out: Output) -> Self {
        Self {
            code: out.status.code().unwrap_or_else(|| 128 + out.status.signal().unwrap_or_default()),
            stdout: String::from_utf8_lossy(&out.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&out.stderr).into_owned(),
        }
    }
}

/// Where something of the repository lies.
pub fn repository(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join(path)
}

/// The folder of a real model that is not everywhere: in `target/test-models`, or in what `DAMCTL_TEST_MODELS` names. Who
/// has none skips, and says so.
pub fn models(name: &str) -> Option<PathBuf> {
    let all = std::env::var_os("DAMCTL_TEST_MODELS").map_or_else(|| repository("target/test-models"), PathBuf::from);
    let folder = all.join(name);
    if folder.is_dir() {
        return Some(folder);
    }
    eprintln!("skipped: {} is not here", folder.display());
    None
}

/// The program's command, free of what the machine's user has set.
pub fn command<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Command {
    let mut command = Command::new(DAMCTL);
    clean(&mut command).args(args);
    command
}

fn clean(command: &mut Command) -> &mut Command {
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("DAMCTL_") {
            command.env_remove(name);
        }
    }
    command.env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null())
}

/// Runs the program to its end.
pub fn damctl<S: AsRef<OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    command(args).output().expect("the program starts").into()
}

/// An archive in a folder of its own.
pub struct Archive {
    dir: tempfile::TempDir,
}

impl Archive {
    /// An empty one.
    pub fn new() -> Self {
        let archive = Self { dir: scratch() };
        damctl([OsStr::new("init"), archive.root().as_os_str()]).ends(0);
        archive
    }

    /// A copy of the one made of the whole drive: ingested, rendered, indexed.
    pub fn finished() -> Self {
        let archive = Self { dir: scratch() };
        tool("cp", [OsStr::new("-a"), finished().join("archive/.").as_os_str(), archive.root().as_os_str()]);
        archive
    }

    pub fn root(&self) -> &Path {
        self.dir.path()
    }

    pub fn store(&self) -> PathBuf {
        self.root().join("store")
    }

    pub fn command<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Command {
        let mut command = command([OsStr::new("--archive"), self.root().as_os_str()]);
        command.args(args);
        command
    }

    pub fn run<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Ran {
        self.command(args).output().expect("the program starts").into()
    }

    /// Ingests a path and tells what became of each path below it.
    pub fn ingest(&self, path: &Path) -> (Ran, Vec<Value>) {
        let report = self.root().join("report.jsonl");
        let ran = self.run([OsStr::new("ingest"), path.as_os_str(), OsStr::new("--report"), report.as_os_str()]);
        (ran, json_lines(&report))
    }

    pub fn json<S: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = S>) -> Value {
        let ran = self.run(args).ends(0);
        serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {}", ran.stdout))
    }

    /// The one hit of a search.
    #[track_caller]
    pub fn hit(&self, words: &str) -> Value {
        let answer = self.json(["search", words, "--json"]);
        assert_eq!(answer["total"], 1, "{answer:#}");
        answer["hits"][0].clone()
    }

    pub fn catalog(&self) -> rusqlite::Connection {
        rusqlite::Connection::open(self.root().join("catalog.sqlite")).expect("the catalog opens")
    }

    /// The rows of a query, each as its values joined by `|`.
    pub fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.catalog(), sql)
    }
}

pub fn rows(db: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut query = db.prepare(sql).expect("a sound query");
    let columns = query.column_count();
    let text = |row: &rusqlite::Row<'_>| {
        let value = |i| -> rusqlite::Result<String> {
            Ok(match row.get_ref(i)? {
                rusqlite::types::ValueRef::Null => "-".to_owned(),
                rusqlite::types::ValueRef::Integer(n) => n.to_string(),
                rusqlite::types::ValueRef::Real(n) => n.to_string(),
                rusqlite::types::ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned(),
                rusqlite::types::ValueRef::Blob(b) => format!("{b:02x?}"),
            })
        };
        Ok((0..columns).map(value).collect::<rusqlite::Result<Vec<_>>>()?.join("|"))
    };
    query.query_map([], text).and_then(Iterator::collect).expect("rows")
}

pub fn scratch() -> tempfile::TempDir {
    tempfile::Builder::new().prefix("damctl-test-").tempdir().expect("a temporary folder")
}

pub fn json_lines(file: &Path) -> Vec<Value> {
    let text = fs::read_to_string(file).unwrap_or_default();
    text.lines().map(|l| serde_json::from_str(l).expect("a JSON line")).collect()
}

/// What the report says of a path: outcome and detail.
#[track_caller]
pub fn outcome<'a>(report: &'a [Value], path: &str) -> (&'a str, &'a str) {
    let line = report.iter().find(|l| l["path"] == path).unwrap_or_else(|| panic!("{path} is not in the report"));
    (line["outcome"].as_str().unwrap_or_default(), line["detail"].as_str().unwrap_or_default())
}

pub fn tool<S: AsRef<OsStr>>(name: &str, args: impl IntoIterator<Item = S>) -> String {
    let out = Command::new(name).args(args).stdin(Stdio::null()).output();
    let out = out.unwrap_or_else(|e| panic!("{name} is needed (scripts/setup test): {e}"));
    assert!(out.status.success(), "{name}: {}", String::from_utf8_lossy(&out.stderr));
    String::from_utf8_lossy(&out.stdout).into_owned()
}

/// A small PNG that differs by `seed`.
pub fn picture(path: &Path, seed: u8) {
    let pixels = image::RgbImage::from_fn(64, 48, |x, y| image::Rgb([x as u8 * 3, y as u8 * 5, seed]));
    pixels.save(path).expect("the picture is written");
}

/// Every file below a folder with its content's digest, sorted.
pub fn tree(root: &Path) -> Vec<String> {
    let mut list = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name() {
        let entry = entry.expect("the folder can be walked");
        let path = entry.path().strip_prefix(root).expect("below the root").display().to_string();
        if entry.file_type().is_file() {
            let file = File::open(entry.path()).expect("the file opens");
            let (digest, bytes) = damctl::digest::Hasher::read_all(file, |_| Ok(())).expect("the file can be read");
            list.push(format!("{path} {bytes} {digest}"));
        }
    }
    list
}

/// The drive of real media.
pub fn drive() -> PathBuf {
    let version = DefaultHasher::new();
    once("drive", version, include_str!("../../examples/demo_drive/drive.rs"), |dir| {
        crate::drive::make(dir).expect("the drive is made");
    })
}

/// An archive made of the whole drive, with what each command said: `archive/`, `report.jsonl`, `NAME.out`.
pub fn finished() -> PathBuf {
    let mut version = DefaultHasher::new();
    // A new build is a new program.
    fs::read(DAMCTL).expect("the program is there").hash(&mut version);
    once("archive", version, &drive().display().to_string(), |dir| {
        let archive = dir.join("archive");
        let note = |name: &str, ran: Ran| {
            let text = format!("exit {}\n--- stdout\n{}--- stderr\n{}", ran.code, ran.stdout, ran.stderr);
            fs::write(dir.join(format!("{name}.out")), text).expect("written");
        };
        let run = |words: &[&OsStr]| damctl([OsStr::new("-C"), archive.as_os_str()].iter().chain(words));
        damctl([OsStr::new("init"), archive.as_os_str()]).ends(0);
        let (report, drive) = (dir.join("report.jsonl"), drive());
        let ingest = ["--collection", "demo", "--report"].map(OsStr::new);
        let words = [&[OsStr::new("ingest"), drive.as_os_str()], &ingest[..], &[report.as_os_str()]].concat();
        note("ingest", run(&words));
        note("transcode", run(&[OsStr::new("transcode")]));
        note("index", run(&[OsStr::new("index")]));
    })
}

/// A folder that is made once for each version of what makes it.
fn once(name: &str, mut version: DefaultHasher, source: &str, make: impl FnOnce(&Path)) -> PathBuf {
    source.hash(&mut version);
    let root = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let lock = File::create(root.join(format!("{name}.lock"))).expect("the lock is made");
    lock.lock().expect("the lock is taken");
    let dir = root.join(format!("{name}-{:016x}", version.finish()));
    if !dir.is_dir() {
        for old in fs::read_dir(root).expect("the folder can be read").flatten() {
            if old.file_name().to_string_lossy().starts_with(&format!("{name}-")) {
                fs::remove_dir_all(old.path()).ok();
            }
        }
        let unfinished = root.join(format!("{name}.unfinished"));
        fs::remove_dir_all(&unfinished).ok();
        fs::create_dir_all(&unfinished).expect("the folder is made");
        make(&unfinished);
        fs::rename(&unfinished, &dir).expect("the folder is put in place");
    }
    dir
}

/// The suite's S3 server, which `scripts/test` starts: its address. Who runs a test by hand may do without.
pub fn s3_endpoint() -> Option<String> {
    let endpoint = std::env::var("DAMCTL_TEST_S3").ok();
    if endpoint.is_none() {
        eprintln!(
            "skipped on S3: no server; 'make test' starts one, and so does 'tests/rgw up DIR' for DAMCTL_TEST_S3"
        );
    }
    endpoint
}

/// One request over plain HTTP, as any program would send it: status, headers in lower case, body.
pub fn http(method: &str, url: &str, body: &[u8]) -> (u16, String, Vec<u8>) {
    let (host, path) = url.strip_prefix("http://").and_then(|u| u.split_once('/')).expect("a plain URL with a path");
    let mut stream = std::net::TcpStream::connect(host).expect("the server is there");
    stream.set_read_timeout(Some(std::time::Duration::from_secs(60))).expect("a timeout can be set");
    let length = body.len();
    let head =
        format!("{method} /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
    stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).expect("the request is taken");
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes).expect("an answer");
    let end = bytes.windows(4).position(|w| w == b"\r\n\r\n").expect("an answer with a head");
    let head = String::from_utf8_lossy(&bytes[..end]).to_lowercase();
    let status = head.split(' ').nth(1).and_then(|s| s.parse().ok()).expect("a status");
    (status, head, bytes[end + 4..].to_vec())
}
