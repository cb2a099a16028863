//! Several hosts that share a catalog and a store, and see the same drive.

use std::{
    ffi::OsStr,
    fs,
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use damctl::digest::Digest;
use rustix::process::{Pid, Signal, kill_process};

use crate::{
    drives::{Stick, noise},
    harness::{self, Archive, Ran},
    postgres::{Schema, schema},
    proxy::Proxy,
};

const PART: u64 = 5 << 20;
const PARTS: u64 = 20;

/// An archive in PostgreSQL and a bucket behind a counting proxy, and a disk with one long file.
struct Setting {
    schema: Schema,
    proxy: Proxy,
    archive: Archive,
    stick: Stick,
    digest: Digest,
}

fn setting() -> Option<Setting> {
    let (schema, endpoint) = (schema()?, harness::s3_endpoint()?);
    let proxy = Proxy::before(&endpoint);
    let archive = Archive::new();
    // Nobody knows on one host whether a worker of another lives, but by its lease.
    let settings = format!(
        "catalog: {}\nstore: s3://suite/{}\ns3_endpoint: {}\ns3_part_size: 5\nlease: 3\n",
        schema.url(),
        uuid::Uuid::now_v7(),
        proxy.endpoint
    );
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    harness::damctl([OsStr::new("init"), archive.root().as_os_str()]).ends(0);
    let bytes = noise((PARTS * PART) as usize, 7);
    let digest = Digest::of(&bytes);
    let stick = Stick::new(128, &[("long.bin", bytes)]);
    Some(Setting { schema, proxy, archive, stick, digest })
}

/// A command as another host would run it: of another name, after a shell text that prepares its own mounts.
fn on_another_host(command: &Command, prepare: &str) -> Option<Command> {
    let flags = ["--uts", "--mount"];
    let probe = Command::new("unshare").args(flags).args(["hostname", "probe"]).stderr(Stdio::null()).status();
    if !probe.is_ok_and(|status| status.success()) {
        eprintln!("skipped: nobody may take another host's name here; it takes root");
        return None;
    }
    let mut other = Command::new("unshare");
    other.args(flags).args(["sh", "-ec", &format!("hostname another-host; {prepare}; exec \"$@\""), "sh"]);
    other.arg(command.get_program()).args(command.get_args()).stdin(Stdio::null());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => other.env(name, value),
            None => other.env_remove(name),
        };
    }
    Some(other)
}

/// The rows of a query of one column.
fn rows(schema: &Schema, sql: &str) -> Vec<String> {
    let mut client = postgres::Client::connect(schema.url(), postgres::NoTls).unwrap();
    let rows = client.query(&format!("SELECT CAST(x AS TEXT) FROM ({sql}) AS q (x)"), &[]).unwrap();
    rows.iter().map(|row| row.get(0)).collect()
}

impl Setting {
    fn ingest(&self, drive: &Path, more: &[&str]) -> Command {
        let mut command = self.archive.command([OsStr::new("ingest"), drive.as_os_str()]);
        command.args(more).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    fn rows(&self, sql: &str) -> Vec<String> {
        rows(&self.schema, sql)
    }

    fn is_complete(&self) {
        assert_eq!(self.rows("SELECT digest FROM masters"), [self.digest.to_string()]);
        assert_eq!(self.rows("SELECT key FROM uploads"), [""; 0]);
        self.archive.run(["verify"]).ends(0).says("1 sound, 0 not");
    }
}

/// Waits for the end of a process: how it was, and how many bytes it has read from files.
fn ended(run: Child) -> (Ran, u64) {
    let pid = Pid::from_child(&run);
    let ran = std::thread::spawn(move || Ran::from(run.wait_with_output().unwrap()));
    let mut read = 0;
    // What the last look saw is short of the truth by what was read since.
    while let Ok(text) = fs::read_to_string(format!("/proc/{}/io", pid.as_raw_nonzero())) {
        let bytes = text.lines().find_map(|l| l.strip_prefix("rchar: ")).and_then(|n| n.parse().ok());
        read = bytes.unwrap_or(read).max(read);
        std::thread::sleep(Duration::from_millis(1));
    }
    (ran.join().unwrap(), read)
}

#[test]
fn an_upload_that_died_with_its_host_is_gone_on_with_by_another() {
    let Some(setting) = setting() else { return };
    let Some(first) = setting.stick.mount("first") else { return };
    let mut run = setting.ingest(&first.0, &["--max-rate", "40M"]).spawn().unwrap();
    let began = Instant::now();
    let hashed = || setting.rows("SELECT hashed FROM uploads").first().map_or(0, |n| n.parse::<u64>().unwrap());
    while hashed() < 10 && run.try_wait().unwrap().is_none() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(5));
    }
    kill_process(Pid::from_child(&run), Signal::KILL).ok();
    assert_eq!(Ran::from(run.wait_with_output().unwrap()).code, 128 + 9, "it ended before it could be killed");
    let hashed = hashed();
    assert!((10..PARTS).contains(&hashed), "{hashed}");
    // The disk is carried over to another host, and mounted at another place.
    drop(first);
    let second = setting.stick.mount("second").unwrap();
    let Some(mut other) = on_another_host(&setting.ingest(&second.0, &[]), "true") else { return };
    let before = setting.proxy.accepted("/long.bin");
    let (ran, read) = ended(other.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap());
    ran.ends(0).says(&format!("going on after part {hashed} of an upload"));
    let mut parts = setting.proxy.accepted("/long.bin");
    parts.sort_unstable();
    assert_eq!(parts, (1..=PARTS as u32).collect::<Vec<_>>(), "a part was sent twice, or never");
    // What was accepted is not read again, but for a part that tells whether the file is the same where none is missing.
    let left = PARTS - before.len() as u64;
    let sample = u64::from(before.len() as u64 == hashed);
    let most = (left + sample) * PART + (2 << 20);
    assert!(left < PARTS - 4, "{before:?}");
    assert!(read >= left * PART && read <= most, "{read} bytes were read of at most {most}");
    assert_eq!(setting.rows("SELECT id FROM drives").len(), 1);
    let workers = setting.rows("SELECT DISTINCT worker FROM attempts");
    assert!(workers.iter().any(|w| w.starts_with("another-host~")) && workers.len() == 2, "{workers:?}");
    setting.is_complete();
}

#[test]
fn two_hosts_at_work_on_one_drive_may_have_it_mounted_at_different_places() {
    let Some(schema) = schema() else { return };
    let archive = Archive::new();
    fs::write(archive.root().join("damctl.yaml"), format!("catalog: {}\n", schema.url())).unwrap();
    harness::damctl([OsStr::new("init"), archive.root().as_os_str()]).ends(0);
    // Three jobs, each long enough for the other host to come.
    let files: Vec<(String, Vec<u8>)> = (0..1_200).map(|i| (format!("{i:04}.bin"), noise(1_000, i + 1))).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    let stick = Stick::new(16, &files);
    let Some(here) = stick.mount("here") else { return };
    let there = archive.root().join("there");
    fs::create_dir_all(&there).unwrap();
    let ingest = |at: &Path| {
        let mut command = archive.command([OsStr::new("ingest"), at.as_os_str()]);
        command.args(["--workers", "1", "--max-rate", "250K"]);
        command
    };
    let mount = format!("mount -o loop,ro '{}' '{}'", stick.image().display(), there.display());
    let Some(mut other) = on_another_host(&ingest(&there), &mount) else { return };
    let run = ingest(&here.0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let rows = |sql: &str| rows(&schema, sql);
    let began = Instant::now();
    while rows("SELECT id FROM jobs WHERE state = 'leased'").is_empty() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    Ran::from(other.output().unwrap()).ends(0);
    Ran::from(run.wait_with_output().unwrap()).ends(0);
    assert_eq!(rows("SELECT root FROM drives"), [there.display().to_string()]);
    assert_eq!(rows("SELECT DISTINCT worker FROM attempts").len(), 2, "one of them had nothing to do");
    assert_eq!(rows("SELECT COUNT(*) FROM attempts WHERE result <> 'done'"), ["0"]);
    assert_eq!(rows("SELECT COUNT(*) FROM sightings WHERE outcome = 'stored'"), ["1200"]);
}
