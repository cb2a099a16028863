//! Kills the program at every named point, runs it again, and holds catalog and store against those of a run that
//! nobody disturbed.
#![allow(clippy::unwrap_used, clippy::print_stderr, reason = "a test fails by panicking, and says what it skips")]

use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

const DAMCTL: &str = env!("CARGO_BIN_EXE_damctl");

/// A drive and an archive, which is made anew for every point: an asset's identity comes from its drive's path.
struct Bench {
    dir: tempfile::TempDir,
    /// The suite's S3 server, when the store is there.
    s3: Option<String>,
    /// The suite's PostgreSQL server, when the catalog is there.
    server: Option<String>,
}

impl Bench {
    fn new(s3: Option<String>) -> Self {
        let bench = Self { dir: tempfile::tempdir().unwrap(), s3, server: None };
        let drive = bench.drive();
        fs::create_dir_all(drive.join("sub")).unwrap();
        for i in 0..3u8 {
            let pixels = image::RgbImage::from_fn(80, 60, |x, y| image::Rgb([x as u8 * 3, y as u8 * 4, i * 50]));
            pixels.save(drive.join(format!("sub/{i}.png"))).unwrap();
        }
        fs::copy(drive.join("sub/0.png"), drive.join("the same.png")).unwrap();
        fs::write(drive.join("notes.txt"), "Words.\n").unwrap();
        fs::write(drive.join("Thumbs.db"), "x").unwrap();
        if bench.s3.is_some() {
            // Large enough for a few parts.
            let block: Vec<u8> = (0..22u32 << 20).map(|i| (i.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
            fs::write(drive.join("long.bin"), block).unwrap();
        }
        fs::write(drive.join("half.png"), &fs::read(drive.join("sub/1.png")).unwrap()[..400]).unwrap();
        bench
    }

    fn drive(&self) -> PathBuf {
        self.dir.path().join("drive")
    }

    fn archive(&self) -> PathBuf {
        self.dir.path().join("archive")
    }

    fn begin(&self) {
        fs::remove_dir_all(self.archive()).ok();
        if let Some(endpoint) = &self.s3 {
            // A prefix of its own each time: a bucket is not emptied in a moment.
            let text =
                format!("store: s3://crash/{}\ns3_endpoint: {endpoint}\ns3_part_size: 5\n", uuid::Uuid::now_v7());
            fs::create_dir_all(self.archive()).unwrap();
            fs::write(self.archive().join("damctl.yaml"), text).unwrap();
        }
        if let Some(server) = &self.server {
            postgres::Client::connect(server, postgres::NoTls)
                .unwrap()
                .batch_execute(
                    "SET client_min_messages = error; DROP SCHEMA IF EXISTS crash CASCADE; CREATE SCHEMA crash",
                )
                .unwrap();
            fs::create_dir_all(self.archive()).unwrap();
            fs::write(self.archive().join("damctl.yaml"), format!("catalog: {}\n", schema(server))).unwrap();
        }
        assert_eq!(self.run(&[OsStr::new("init"), self.archive().as_os_str()], None).0, Some(0));
    }

    /// Exit code (none: killed) and everything said.
    fn run(&self, words: &[&OsStr], crash_at: Option<&str>) -> (Option<i32>, String) {
        let mut command = Command::new(DAMCTL);
        command.args(words).env_remove("DAMCTL_CRASH_AT").env("XDG_CONFIG_HOME", "/nonexistent").stdin(Stdio::null());
        if let Some(point) = crash_at {
            command.env("DAMCTL_CRASH_AT", point);
        }
        let out = command.output().unwrap();
        let text = String::from_utf8_lossy(&out.stdout).into_owned() + &String::from_utf8_lossy(&out.stderr);
        (out.status.code(), text)
    }

    /// The whole flow, each command being repeated for as long as it is killed. Returns how often that was.
    fn flow(&self, crash_at: Option<&str>) -> usize {
        let (archive, drive) = (self.archive(), self.drive());
        let at = [OsStr::new("-C"), archive.as_os_str()];
        let steps: [(&[&OsStr], i32); 4] = [
            (&[OsStr::new("ingest"), drive.as_os_str(), OsStr::new("--workers"), OsStr::new("1")], 0),
            // `half.png` cannot be rendered.
            (&[OsStr::new("transcode"), OsStr::new("--workers"), OsStr::new("1")], 1),
            (&[OsStr::new("index")], 0),
            (&[OsStr::new("verify")], 0),
        ];
        let mut killed = 0;
        for (words, wanted) in steps {
            let words = [&at[..], words].concat();
            let (mut code, mut text) = self.run(&words, crash_at);
            if code.is_none() {
                killed += 1;
                (code, text) = self.run(&words, None);
            }
            assert_eq!(code, Some(wanted), "{words:?} after a crash at {crash_at:?}: {text}");
        }
        killed
    }

    /// What is known and what is kept, without what differs between any two runs: times, job histories.
    fn state(&self) -> Vec<String> {
        let file = self.archive().join("catalog.sqlite");
        if let Some(server) = &self.server {
            let place = schema(server);
            let archive = self.archive();
            let words = [OsStr::new("-C"), archive.as_os_str(), "catalog".as_ref(), "copy".as_ref(), place.as_ref()];
            let (code, text) = self.run(&[&words[..], &[file.as_os_str()]].concat(), None);
            assert_eq!(code, Some(0), "{text}");
        }
        let db = rusqlite::Connection::open(file).unwrap();
        let mut state = Vec::new();
        for sql in [
            "SELECT 'upload', key FROM uploads ORDER BY key",
            "SELECT 'drive', id, identity, label, root FROM drives ORDER BY id",
            "SELECT 'asset', id, kind, title, collection, generation FROM assets ORDER BY id",
            "SELECT 'master', digest, bytes, key, facts FROM masters ORDER BY digest",
            "SELECT 'member', asset, generation, digest, role FROM members ORDER BY asset",
            "SELECT 'sighting', path, bytes, outcome, detail, digest, asset FROM sightings ORDER BY path",
            "SELECT 'rendition', master, entry, recipe, asset, prefix, files, active FROM renditions ORDER BY master, entry",
            "SELECT 'indexed', asset, digest FROM indexed ORDER BY asset",
            "SELECT 'job', stage, state, json_extract(error, '$.kind') FROM jobs ORDER BY stage, subject, state",
            "SELECT 'event', kind, subject FROM events WHERE kind NOT LIKE 'job.%' ORDER BY kind, subject",
        ] {
            let mut query = db.prepare(sql).unwrap();
            let columns = query.column_count();
            let row = |r: &rusqlite::Row<'_>| {
                let value = |i| r.get_ref(i).map(text);
                Ok((0..columns).map(value).collect::<Result<Vec<_>, _>>()?.join(" "))
            };
            state.extend(query.query_map([], row).unwrap().map(Result::unwrap));
        }
        state.extend(tree(&self.archive().join("store")));
        state.extend(tree(&self.archive().join("scratch")).into_iter().filter(|f| !f.contains("gstreamer-registry")));
        state
    }
}

/// A schema of the suite's own in its server; one test at a time uses it.
fn schema(server: &str) -> String {
    format!("{server}?options=-csearch_path%3Dcrash")
}

fn text(value: rusqlite::types::ValueRef<'_>) -> String {
    match value {
        rusqlite::types::ValueRef::Text(t) => String::from_utf8_lossy(t).into_owned(),
        rusqlite::types::ValueRef::Integer(n) => n.to_string(),
        other => format!("{other:?}"),
    }
}

/// Files with their bytes' digest. An inventory holds the time of its version, so its name alone counts.
fn tree(root: &Path) -> Vec<String> {
    let mut list = Vec::new();
    for entry in walkdir::WalkDir::new(root).sort_by_file_name().into_iter().flatten() {
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(root).unwrap().display().to_string();
            let digest = damctl::digest::Digest::of(fs::read(entry.path()).unwrap());
            // A record is told by its time, and written again when nobody heard that it was.
            if path.contains("/logs/") {
                continue;
            }
            let is_dated = entry.file_name().to_string_lossy().starts_with("inventory.json");
            list.push(if is_dated { path } else { format!("{path} {digest}") });
        }
    }
    list
}

/// Points that are passed with buckets alone, or with models, replacements and clean-ups (tests/it/enrich.rs,
/// tests/it/keep.rs, tests/it/shelve.rs, tests/it/publish/ and tests/it/export.rs kill there).
const OTHERS: [&str; 12] = [
    "store.s3-",
    "receive.",
    "enrich.",
    "publish.",
    "deliver.",
    "replace.",
    "rollback.",
    "collect.",
    "replicate.",
    "export.",
    "archive.",
    "restore.",
];

/// Every point of the program's code, by reading it: a new one is tested from its first day.
fn points() -> Vec<String> {
    let mut points = Vec::new();
    for entry in walkdir::WalkDir::new(Path::new(env!("CARGO_MANIFEST_DIR")).join("src")).into_iter().flatten() {
        if entry.path().extension().is_some_and(|x| x == "rs") {
            let text = fs::read_to_string(entry.path()).unwrap();
            let names = text.split("crash::point(\"").skip(1).filter_map(|rest| rest.split('"').next());
            points.extend(names.map(str::to_owned));
        }
    }
    points.sort();
    points.dedup();
    points
}

#[test]
fn killed_at_any_point_and_run_again_it_ends_as_if_nothing_had_been() {
    let of_buckets = |point: &str| OTHERS.iter().any(|start| point.starts_with(start)) || point.ends_with("-part");
    hold_every_point(Bench::new(None), |point| !of_buckets(point), &[1, 2, 5]);
}

#[test]
fn killed_at_any_point_it_ends_the_same_with_a_catalog_in_postgresql() {
    let Ok(server) = std::env::var("DAMCTL_TEST_POSTGRES") else {
        eprintln!("skipped: no PostgreSQL server; 'make test' starts one");
        return;
    };
    let of_buckets = |point: &str| OTHERS.iter().any(|start| point.starts_with(start)) || point.ends_with("-part");
    let bench = Bench { server: Some(server), ..Bench::new(None) };
    hold_every_point(bench, |point| !of_buckets(point), &[1, 3]);
}

#[test]
fn killed_at_any_point_it_ends_the_same_in_buckets() {
    let Ok(endpoint) = std::env::var("DAMCTL_TEST_S3") else {
        eprintln!("skipped: no S3 server; 'make test' starts one");
        return;
    };
    let of_ingest =
        |point: &str| point.starts_with("store.s3-") || point.starts_with("ingest.") || point.starts_with("work.");
    hold_every_point(Bench::new(Some(endpoint)), of_ingest, &[1, 3]);
}

#[test]
fn killed_while_it_receives_what_was_sent_is_an_asset_once() {
    let Ok(endpoint) = std::env::var("DAMCTL_TEST_S3") else {
        eprintln!("skipped: no S3 server; 'make test' starts one");
        return;
    };
    let bench = Bench::new(Some(endpoint));
    let content = "What somebody sends.\n".repeat(1000);
    let (size, digest) = (content.len().to_string(), damctl::digest::Digest::of(&content).to_string());
    let of_receive = |point: &String| point.starts_with("receive.") || point.starts_with("work.");
    let points: Vec<String> = points().into_iter().filter(of_receive).collect();
    assert!(points.len() >= 4, "{points:?}");
    for point in points {
        bench.begin();
        let archive = bench.archive();
        let run = |words: &[&str], crash_at| {
            let words: Vec<&OsStr> = words.iter().map(OsStr::new).collect();
            bench.run(&[&[OsStr::new("-C"), archive.as_os_str()], &words[..]].concat(), crash_at)
        };
        let told = run(&["presign", "sent.txt", "--size", &size, "--sha256", &digest, "--json"], None).1;
        let told: serde_json::Value = serde_json::from_str(&told).unwrap();
        put(told["parts"][0]["url"].as_str().unwrap(), content.as_bytes());
        assert_eq!(run(&["receive"], Some(&point)).0, None, "{point} was never passed");
        let (code, text) = run(&["receive"], None);
        assert_eq!(code, Some(0), "after a crash at {point}: {text}");
        assert!(text.contains("1 ready"), "after a crash at {point}: {text}");
        let (code, text) = run(&["verify"], None);
        assert!(code == Some(0) && text.starts_with("1 objects"), "after a crash at {point}: {text}");
        let db = rusqlite::Connection::open(archive.join("catalog.sqlite")).unwrap();
        let sql = "SELECT COUNT(*) FROM events WHERE kind IN ('arrival.uploaded', 'asset.stored')";
        assert_eq!(db.query_row(sql, [], |r| r.get::<_, i64>(0)).unwrap(), 2, "after a crash at {point}");
    }
}

/// Sends a file as any program would.
fn put(url: &str, body: &[u8]) {
    let (host, path) = url.strip_prefix("http://").unwrap().split_once('/').unwrap();
    let mut stream = std::net::TcpStream::connect(host).unwrap();
    let length = body.len();
    write!(stream, "PUT /{path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n")
        .unwrap();
    stream.write_all(body).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

/// Kills at each of these points, at its `nth` passing: at the first, and later, when something is there already.
fn hold_every_point(bench: Bench, wanted: impl Fn(&str) -> bool, passings: &[usize]) {
    bench.begin();
    assert_eq!(bench.flow(None), 0);
    let clean = bench.state();
    assert!(clean.iter().filter(|l| l.contains("rendition")).count() >= 9, "{clean:#?}");
    let points: Vec<String> = points().into_iter().filter(|p| wanted(p)).collect();
    assert!(points.len() >= 5, "{points:?}");
    for point in points {
        for &nth in passings {
            bench.begin();
            let killed = bench.flow(Some(&format!("{point}:{nth}")));
            assert!(killed > 0 || nth > 1, "{point} was never passed");
            let state = bench.state();
            let lost: Vec<_> = clean.iter().filter(|l| !state.contains(l)).collect();
            let odd: Vec<_> = state.iter().filter(|l| !clean.contains(l)).collect();
            assert!(
                lost.is_empty() && odd.is_empty(),
                "after a crash at {point}:{nth}\nlost: {lost:#?}\nodd: {odd:#?}"
            );
            assert_eq!(clean.len(), state.len(), "after a crash at {point}:{nth} something is there twice");
        }
    }
}

#[test]
fn killed_again_and_again_it_still_ends() {
    let bench = Bench::new(None);
    bench.begin();
    bench.flow(None);
    let clean = bench.state();
    bench.begin();
    let (archive, drive) = (bench.archive(), bench.drive());
    let words = [OsStr::new("-C"), archive.as_os_str(), OsStr::new("ingest"), drive.as_os_str()];
    // Four lost tries of the same job; a fifth is left.
    for point in ["ingest.after-copy", "store.before-rename", "store.after-rename", "work.before-settle"] {
        assert_eq!(bench.run(&words, Some(point)).0, None, "{point}");
    }
    bench.flow(None);
    assert_eq!(bench.state(), clean);
}
