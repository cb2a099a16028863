//! How fast a large file goes to an SFTP server on this machine, beside OpenSSH's own `sftp` with the same cipher.
//!
//! ```text
//! cargo bench --bench sftp -- [--bytes 2147483648] [--rounds 3] [--dir DIR]
//! ```
//! Both have the server write the file out (`put -f`); rounds alternate, medians are compared. `benches/run sftp` runs it.

#![allow(clippy::print_stdout, clippy::unwrap_used, reason = "it is a program that prints what it measures")]

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::Arc,
    time::{Duration, Instant},
};

use damctl::{
    channel::{Account, Channel, Item, Package, Sent, SftpChannel, Source, Unlocked, Way},
    digest::{Digest, Hasher},
    error::{Error, Result},
    model::{Key, MediaFacts, MediaKind, Words},
    profile::channels::{Check, Sftp},
    secret::{Fields, Secret, Secrets},
};

/// What OpenSSH is told to take as well.
const CIPHER: &str = "aes128-gcm@openssh.com";

/// One file, whatever it is asked for.
struct OneFile(PathBuf);

impl Source for OneFile {
    fn open(&self, _: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>> {
        let mut file = File::open(&self.0).unwrap();
        let range = range.unwrap_or(0..u64::MAX);
        file.seek(SeekFrom::Start(range.start)).unwrap();
        Ok(Box::new(file.take(range.end - range.start)))
    }

    fn address(&self, _: &Key, _: Duration) -> Result<Option<String>> {
        Ok(None)
    }
}

struct OneAccount(Fields);

impl Secrets for OneAccount {
    fn get(&self, _: &str) -> Result<Fields> {
        Ok(self.0.clone())
    }

    fn put(&self, _: &str, _: &Fields) -> Result<()> {
        Err(Error::unsupported("it is only read"))
    }

    fn place(&self) -> String {
        "here".to_owned()
    }
}

struct Silent;

impl Way for Silent {
    fn keep(&mut self, _: &serde_json::Value) -> Result<()> {
        Ok(())
    }

    fn posting(&mut self, _: &serde_json::Value) -> Result<()> {
        Ok(())
    }

    fn moved(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

/// A server that is ended with it.
struct Server(PathBuf);

impl Drop for Server {
    fn drop(&mut self) {
        let _ = Command::new(script()).arg("down").arg(&self.0).status();
    }
}

fn script() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/sshd")
}

fn given(flag: &str) -> Option<String> {
    std::env::args().skip_while(|arg| arg != flag).nth(1)
}

fn median(mut all: Vec<f64>) -> f64 {
    all.sort_by(f64::total_cmp);
    all[all.len() / 2]
}

/// Peak memory of this process in MB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<u64>().unwrap() / 1024
}

fn main() {
    let bytes: u64 = given("--bytes").map_or(2 << 30, |text| text.parse().unwrap());
    let rounds: usize = given("--rounds").map_or(3, |text| text.parse().unwrap());
    let dir = given("--dir").map_or_else(|| Path::new(env!("CARGO_MANIFEST_DIR")).join("target/bench"), PathBuf::from);
    fs::create_dir_all(&dir).unwrap();
    let dir = tempfile::tempdir_in(dir).unwrap();
    let film = dir.path().join("film.mp4");
    let digest = make(&film, bytes);

    let out = Command::new(script()).arg("up").arg(dir.path().join("sshd")).output().unwrap();
    assert!(out.status.success(), "{out:?}");
    let server = Server(dir.path().join("sshd"));
    let port: u16 = String::from_utf8_lossy(&out.stdout).trim().parse().unwrap();
    let user = String::from_utf8_lossy(&Command::new("id").arg("-un").output().unwrap().stdout).trim().to_owned();

    let key = fs::read_to_string(server.0.join("id")).unwrap();
    let fields = [("user".to_owned(), Secret::new(user.as_str())), ("key".to_owned(), Secret::new(key))];
    let place = Sftp {
        host: "127.0.0.1".to_owned(),
        port,
        path: String::new(),
        known_hosts: Some(server.0.join("known_hosts")),
        check: Check::Hash,
    };
    let account = Account {
        name: "bench".to_owned(),
        channel: "bench".to_owned(),
        secrets: Arc::new(OneAccount(fields.into())),
        lock: Arc::new(Unlocked),
        stop: damctl::stop::Stop::new(),
    };
    let channel = SftpChannel::new(place, account);
    let source = OneFile(film.clone());
    let item = Item {
        name: "ours.mp4".to_owned(),
        key: "renditions/video/film.mp4".parse::<Key>().unwrap(),
        bytes,
        digest,
        mime: "video/mp4".to_owned(),
        language: None,
    };
    let package = Package {
        marker: "damctl-0123456789abcdef".to_owned(),
        media: vec![item],
        facts: MediaFacts::bare(MediaKind::Video, "video/mp4"),
        captions: Vec::new(),
        thumbnail: None,
        sidecars: Vec::new(),
        words: Words::default(),
        source: &source,
    };
    let theirs = |server: &Server| {
        let mut sftp = Command::new("sftp")
            .args(["-q", "-b", "-", "-c", CIPHER, "-P", &port.to_string(), "-i"])
            .arg(server.0.join("id"))
            .arg("-o")
            .arg(format!("UserKnownHostsFile={}", server.0.join("known_hosts").display()))
            .args(["-F", "none", "-o", "IdentitiesOnly=yes"])
            .arg(format!("{user}@127.0.0.1"))
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .spawn()
            .unwrap();
        writeln!(sftp.stdin.take().unwrap(), "put -f {} theirs.mp4", film.display()).unwrap();
        assert!(sftp.wait().unwrap().success());
    };

    let (mut our_times, mut their_times) = (Vec::new(), Vec::new());
    for _ in 0..rounds {
        settle(&film, &server.0.join("root"));
        let began = Instant::now();
        theirs(&server);
        their_times.push(began.elapsed().as_secs_f64());
        settle(&film, &server.0.join("root"));
        let began = Instant::now();
        let sent = channel.send(&package, None, &mut Silent).unwrap();
        our_times.push(began.elapsed().as_secs_f64());
        assert!(matches!(sent, Sent::Published(_)));
        assert_eq!(fs::metadata(server.0.join("root/ours.mp4")).unwrap().len(), bytes);
    }
    let (ours, theirs) = (median(our_times.clone()), median(their_times.clone()));
    println!("<!-- sftp: ours {our_times:.2?}, theirs {their_times:.2?} -->");
    println!(
        "| {} MiB to an SFTP server, beside OpenSSH's `sftp` ({CIPHER}) | {ours:.2} s | {theirs:.2} s | **{:.2}** | ≤ 1.11 | {} MB |",
        bytes >> 20,
        ours / theirs,
        peak()
    );
}

/// A file of bytes that nothing makes smaller; its digest.
fn make(path: &Path, bytes: u64) -> Digest {
    let (mut file, mut hasher) = (File::create(path).unwrap(), Hasher::new());
    let mut random = File::open("/dev/urandom").unwrap().take(bytes);
    let mut buffer = vec![0; 1 << 20];
    loop {
        let n = random.read(&mut buffer).unwrap();
        if n == 0 {
            return hasher.finish();
        }
        hasher.update(&buffer[..n]);
        file.write_all(&buffer[..n]).unwrap();
    }
}

/// Nobody pays for writing out the other one's pages; the file to be sent is in memory for both.
fn settle(film: &Path, root: &Path) {
    for name in ["ours.mp4", "theirs.mp4"] {
        let _ = fs::remove_file(root.join(name));
    }
    rustix::fs::sync();
    std::io::copy(&mut File::open(film).unwrap(), &mut std::io::sink()).unwrap();
}
