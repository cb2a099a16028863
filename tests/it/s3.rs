//! Buckets as the store, as their user meets them: the whole flow, uploads that are cut off, and servers and settings
//! that are wrong.

use std::{fs, io::Write, path::Path, process::Stdio};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};

use crate::{
    harness::{self, Archive, Ran, damctl, outcome, picture, scratch},
    search::{bearer, token},
    serve::Server,
};

/// An archive whose store is a bucket of its own prefix. None without a server.
pub fn archive(more: &str) -> Option<Archive> {
    let endpoint = harness::s3_endpoint()?;
    let archive = Archive::new();
    let prefix = uuid::Uuid::now_v7();
    let settings = format!("store: s3://suite/{prefix}\ns3_endpoint: {endpoint}\ns3_part_size: 5\n{more}");
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    damctl([std::ffi::OsStr::new("init"), archive.root().as_os_str()]).ends(0);
    Some(archive)
}

pub fn large(path: &Path, megabytes: u32, seed: u64) {
    let mut file = fs::File::create(path).unwrap();
    let mut state = seed | 1;
    for _ in 0..megabytes {
        let block: Vec<u8> = (0..1 << 17)
            .flat_map(|_| {
                state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (state ^ (state >> 29)).to_le_bytes()
            })
            .collect();
        file.write_all(&block).unwrap();
    }
}

#[test]
fn the_whole_flow_runs_on_buckets() {
    let Some(archive) = archive("") else { return };
    let drive = scratch();
    picture(&drive.path().join("a.png"), 1);
    large(&drive.path().join("b.bin"), 21, 7);
    fs::copy(drive.path().join("b.bin"), drive.path().join("c.bin")).unwrap();
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0);
    assert_eq!(outcome(&report, "b.bin").0, "stored");
    assert_eq!(outcome(&report, "c.bin").0, "duplicate");
    archive.run(["transcode"]).ends(0).says("1 of 1 master(s) rendered");
    archive.run(["index"]).ends(0);
    archive.run(["verify"]).ends(0).says("5 objects").says("5 sound, 0 not");
    archive.ingest(drive.path()).0.ends(0).says("nothing to do");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM uploads"), ["0"]);
    let on_disk = harness::tree(&archive.store());
    assert!(!on_disk.iter().any(|f| f.contains("content") || f.contains("renditions")), "{on_disk:?}");
}

#[test]
fn an_upload_killed_in_the_middle_goes_on_from_the_last_part_that_the_store_has() {
    let Some(archive) = archive("s3_in_flight: 2\n") else { return };
    let drive = scratch();
    large(&drive.path().join("long.bin"), 160, 3);
    let start = || {
        let mut command = archive.command([std::ffi::OsStr::new("ingest"), drive.path().as_os_str()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let hashed = || archive.rows("SELECT hashed FROM uploads").first().map_or(0, |n| n.parse::<u32>().unwrap());
    let mut before = 0;
    for _ in 0..2 {
        let mut run = start();
        let began = std::time::Instant::now();
        while hashed() < before + 5 && run.try_wait().unwrap().is_none() && began.elapsed().as_secs() < 60 {
            std::thread::sleep(std::time::Duration::from_millis(2));
        }
        kill_process(Pid::from_child(&run), Signal::KILL).ok();
        assert_eq!(Ran::from(run.wait_with_output().unwrap()).code, 128 + 9, "it ended before it could be killed");
        before = hashed();
        assert!(before >= 5, "{before}");
    }
    let ran = Ran::from(start().wait_with_output().unwrap()).ends(0);
    assert!(ran.stderr.contains(&format!("going on after part {before} of an upload")), "{}", ran.stderr);
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
    let digest = damctl::digest::Digest::of(fs::read(drive.path().join("long.bin")).unwrap());
    assert_eq!(archive.rows("SELECT digest FROM masters"), [digest.to_string()]);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM uploads"), ["0"]);
}

#[test]
fn a_file_of_two_parts_has_its_ledger_and_one_of_one_part_needs_none() {
    let Some(archive) = archive("s3_in_flight: 1\n") else { return };
    let drive = scratch();
    large(&drive.path().join("two.bin"), 9, 3);
    let ingest = |point: &str| {
        let mut command = archive.command([std::ffi::OsStr::new("ingest"), drive.path().as_os_str()]);
        Ran::from(command.env("DAMCTL_CRASH_AT", point).output().unwrap())
    };
    assert_eq!(ingest("ingest.after-part:1").code, 128 + 9);
    assert_eq!(archive.rows("SELECT hashed FROM uploads"), ["1"]);
    ingest("nowhere").ends(0).says("going on after part 1 of an upload");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM master_parts"), ["1"]);
    large(&drive.path().join("one.bin"), 5, 4);
    ingest("nowhere").ends(0);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM master_parts"), ["1"]);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM uploads"), ["0"]);
    archive.run(["verify"]).ends(0).says("2 sound, 0 not");
}

#[test]
fn a_file_that_changed_since_its_upload_began_starts_over_and_says_so() {
    let Some(archive) = archive("s3_in_flight: 2\n") else { return };
    let drive = scratch();
    let file = drive.path().join("long.bin");
    large(&file, 60, 3);
    let mut command = archive.command([std::ffi::OsStr::new("ingest"), drive.path().as_os_str()]);
    let run = command.env("DAMCTL_CRASH_AT", "ingest.after-part:8").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    assert_eq!(Ran::from(run.unwrap().wait_with_output().unwrap()).code, 128 + 9);
    large(&file, 61, 4);
    archive.ingest(drive.path()).0.ends(0).says("changed since its upload began: starting over");
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM uploads"), ["0"]);
}

#[test]
fn other_bytes_of_the_same_size_and_time_are_not_added_to_an_upload() {
    for point in ["ingest.before-part:8", "ingest.after-part:12"] {
        let Some(archive) = archive("s3_in_flight: 2\n") else { return };
        let drive = scratch();
        let file = drive.path().join("long.bin");
        large(&file, 60, 3);
        let time = fs::metadata(&file).unwrap().modified().unwrap();
        let mut command = archive.command([std::ffi::OsStr::new("ingest"), drive.path().as_os_str()]);
        assert_eq!(Ran::from(command.env("DAMCTL_CRASH_AT", point).output().unwrap()).code, 128 + 9);
        let other = drive.path().join("other");
        large(&other, 60, 4);
        // Into the same file.
        fs::write(&file, fs::read(&other).unwrap()).unwrap();
        fs::remove_file(other).unwrap();
        fs::File::options().write(true).open(&file).unwrap().set_modified(time).unwrap();
        // The job was planned when the file had another time of change: the file is looked at once more.
        archive.ingest(drive.path()).0.ends(3).says("not the one whose upload began: starting over");
        archive.ingest(drive.path()).0.ends(0);
        let digest = damctl::digest::Digest::of(fs::read(&file).unwrap());
        assert_eq!(archive.rows("SELECT digest FROM masters"), [digest.to_string()]);
        assert_eq!(archive.rows("SELECT COUNT(*) FROM uploads"), ["0"]);
        archive.run(["verify", "--level", "full"]).ends(0).says("1 sound, 0 not");
    }
}

#[test]
fn uploads_that_nobody_goes_on_with_are_given_up_by_their_age() {
    let Some(archive) = archive("s3_in_flight: 2\n") else { return };
    let drive = scratch();
    large(&drive.path().join("long.bin"), 40, 3);
    let mut command = archive.command([std::ffi::OsStr::new("ingest"), drive.path().as_os_str()]);
    let run = command.env("DAMCTL_CRASH_AT", "ingest.after-part:5").stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    assert_eq!(Ran::from(run.unwrap().wait_with_output().unwrap()).code, 128 + 9);
    archive.run(["collect"]).ends(0).says("nothing to do: no upload is older than 7 day(s)");
    archive.run(["collect", "--days", "0", "--dry-run"]).ends(0).says("long.bin").says("would give up 1 upload(s)");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM uploads"), ["1"]);
    archive.run(["collect", "--days", "0", "--yes"]).ends(0).says("1 upload(s) given up");
    archive.run(["collect", "--days", "0", "--yes"]).ends(0).says("nothing to do");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM uploads"), ["0"]);
    // The drive can still be taken in, from its beginning.
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
}

#[test]
fn renditions_can_be_everybodys_to_read_and_masters_stay_closed() {
    let Some(archive) = archive("s3_renditions_acl: public-read\n") else { return };
    let endpoint = harness::s3_endpoint().unwrap();
    let drive = scratch();
    picture(&drive.path().join("a.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode"]).ends(0);
    let settings = fs::read_to_string(archive.root().join("damctl.yaml")).unwrap();
    let place = settings.lines().find_map(|l| l.strip_prefix("store: s3://")).unwrap();
    let get = |key: &str| harness::http("GET", &format!("{endpoint}/{place}/{key}"), b"");
    let key = "SELECT prefix || '/' || json_extract(files, '$[0].name') FROM renditions WHERE entry = 'thumb_300'";
    let (status, head, body) = get(&archive.rows(key)[0]);
    assert_eq!(status, 200, "{head}");
    assert!(head.contains("cache-control: public, max-age=31536000, immutable"), "{head}");
    assert!(head.contains("content-type: image/webp"), "{head}");
    assert_eq!(image::load_from_memory(&body).unwrap().width(), 64);
    assert_eq!(get(&archive.rows("SELECT key FROM masters")[0]).0, 403);
}

#[test]
fn init_says_what_it_made_and_what_was_there() {
    let Some(endpoint) = harness::s3_endpoint() else { return };
    let archive = Archive::new();
    let init = || damctl([std::ffi::OsStr::new("init"), archive.root().as_os_str()]).ends(0);
    init().says("is an archive already; nothing changed");
    let bucket = format!("init-{}", uuid::Uuid::now_v7());
    let settings = format!("store: s3://{bucket}/a\ns3_endpoint: {endpoint}\n");
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    init().says(&format!("made the bucket '{bucket}'")).says("is an archive already; its settings have not changed");
    init().says("is an archive already; nothing changed");
}

#[test]
fn what_is_wrong_with_a_server_is_told_with_what_to_do() {
    let Some(endpoint) = harness::s3_endpoint() else { return };
    let archive = Archive::new();
    let drive = scratch();
    picture(&drive.path().join("a.png"), 1);
    let ingest = |settings: &str, secret: &str| -> Ran {
        fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
        let mut command = archive.command([std::ffi::OsStr::new("ingest"), drive.path().as_os_str()]);
        command.env("AWS_SECRET_ACCESS_KEY", secret).output().unwrap().into()
    };
    let here = format!("store: s3://nowhere\ns3_endpoint: {endpoint}\n");
    ingest(&here, "testsecret").ends(2).says("there is no bucket 'nowhere'").says("damctl init");
    let ran = ingest(&here, "a-secret-that-is-wrong").ends(2).says("credentials are wrong");
    assert!(!ran.stderr.contains("a-secret-that-is-wrong"));
    ingest("store: s3://nowhere\ns3_endpoint: http://127.0.0.1:9\n", "x").ends(3).says("check the endpoint");
    ingest("store: s3://\n", "x").ends(2).says("expected s3://BUCKET");
    ingest("store: s3://a\ns3_part_size: 1\n", "x").ends(2).says("expected 0, or 5 to 5120 MiB");
    // Nothing was lost: with the right settings it is done.
    assert_eq!(archive.rows("SELECT COUNT(*) FROM assets"), ["0"]);
}

#[test]
fn an_editor_sends_a_file_through_the_endpoint_in_parts_and_the_audit_tells_who() {
    let Some(archive) = archive("") else { return };
    let drive = scratch();
    let path = drive.path().join("masters.bin");
    large(&path, 6, 11);
    let (bytes, digest) = (fs::read(&path).unwrap(), damctl::digest::Digest::of(fs::read(&path).unwrap()));
    let server = Server::start(&archive);
    let ana = bearer(&token(&archive, &["Ana", "--role", "editor", "--collection", "Noticias"]));
    let file = |collection: &str| json!({"name": "masters.bin", "size": bytes.len(), "sha256": digest.to_string(), "collection": collection});
    let post = |who: &str, path: &str, body: &Value| server.send("POST", path, who, body);
    assert_eq!(post("", "/api/v1/assets", &file("Noticias")).status, 403, "a viewer sends nothing");
    assert_eq!(post(&ana, "/api/v1/assets", &file("Cine")).status, 403, "nor anybody into what is not theirs");
    let announced = post(&ana, "/api/v1/assets", &file("Noticias"));
    assert_eq!(announced.status, 201);
    let announced: Value = serde_json::from_slice(&announced.body).unwrap();
    let parts = announced["parts"].as_array().unwrap();
    assert_eq!(parts.len(), 2, "{announced}");
    for part in parts {
        let (from, length) = (part["offset"].as_u64().unwrap() as usize, part["bytes"].as_u64().unwrap() as usize);
        let (status, ..) = harness::http("PUT", part["url"].as_str().unwrap(), &bytes[from..from + length]);
        assert_eq!(status, 200, "{part}");
    }
    let asset = announced["asset"].as_str().unwrap();
    let complete = format!("/api/v1/assets/{asset}/complete");
    assert_eq!(post("", &complete, &Value::Null).status, 403);
    assert_eq!(post(&ana, &complete, &Value::Null).status, 202);
    archive.run(["receive"]).ends(0);
    assert_eq!(archive.rows("SELECT state FROM arrivals"), ["ready"]);
    archive.run(["verify", "--level", "full"]).ends(0);
    let who = "SELECT kind, json_extract(detail, '$.actor'), json_extract(detail, '$.name') FROM events
               WHERE kind IN ('asset.announced', 'asset.completed') ORDER BY seq";
    let told = ["asset.announced|Ana (127.0.0.1)|masters.bin", "asset.completed|Ana (127.0.0.1)|masters.bin"];
    assert_eq!(archive.rows(who), told);
    let again = post(&ana, "/api/v1/assets", &file("Noticias"));
    assert_eq!(
        (again.status, serde_json::from_slice::<Value>(&again.body).unwrap()["state"].as_str()),
        (200, Some("present"))
    );
}
