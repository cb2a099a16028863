//! Bad days: the network, the S3 server and the catalog fail in every way that is known. Either it heals by itself, or the
//! command pauses and says what to do; run again, it completes, and nothing is left over at the server.

use std::{ffi::OsStr, fs, process::Stdio, sync::Arc, time::Duration};

use damctl::{
    catalog::{Catalog, FakeClock, SqliteDb},
    digest::Digest,
    error::Kind,
    store::{S3Config, S3Store, Store},
};

use crate::{
    harness::{self, Archive, Ran, picture, scratch},
    proxy::{Fault, Op, Proxy},
    s3::large,
};

/// An archive whose bucket lies behind a proxy, and a drive with a picture and a file of four parts.
struct Setting {
    archive: Archive,
    proxy: Proxy,
    drive: tempfile::TempDir,
    prefix: String,
}

fn setting() -> Option<Setting> {
    let proxy = Proxy::before(&harness::s3_endpoint()?);
    let archive = Archive::new();
    let prefix = uuid::Uuid::now_v7().to_string();
    let endpoint = &proxy.endpoint;
    let settings = format!(
        "store: s3://suite/{prefix}\ns3_endpoint: {endpoint}\ns3_part_size: 5\ns3_in_flight: 2\ns3_timeout: 2\n"
    );
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    harness::damctl([OsStr::new("init"), archive.root().as_os_str()]).ends(0);
    let drive = scratch();
    picture(&drive.path().join("a.png"), 1);
    large(&drive.path().join("long.bin"), 17, 3);
    Some(Setting { archive, proxy, drive, prefix })
}

impl Setting {
    fn ingest(&self) -> Ran {
        self.archive.run([OsStr::new("ingest"), self.drive.path().as_os_str()])
    }

    /// At the server there is no upload that the catalog does not know.
    fn knows_all_uploads(&self) {
        let place = ("suite".to_owned(), self.prefix.clone());
        let endpoint = harness::s3_endpoint();
        let places = [place.clone(), place.clone(), place];
        let store = S3Store::open(S3Config { endpoint, path_style: true, places, ..S3Config::default() }).unwrap();
        let known = self.archive.rows("SELECT upload FROM uploads");
        for open in store.open_uploads().unwrap() {
            assert!(known.contains(&open.id), "{} of {}, {known:?}", open.id, open.key);
        }
    }

    /// All is there, byte for byte, and nothing else.
    fn is_complete(&self) {
        assert_eq!(self.proxy.heal(), 0, "a fault was not met");
        self.archive.run(["verify"]).ends(0).says("2 objects").says("2 sound, 0 not");
        let digests =
            ["a.png", "long.bin"].map(|f| Digest::of(fs::read(self.drive.path().join(f)).unwrap()).to_string());
        let mut digests = digests.to_vec();
        digests.sort();
        assert_eq!(self.archive.rows("SELECT digest FROM masters ORDER BY digest"), digests);
        assert_eq!(self.archive.rows("SELECT COUNT(*) FROM uploads"), ["0"]);
        self.knows_all_uploads();
        self.ingest().ends(0).says("nothing to do");
    }
}

/// The fault is met by the next requests, and the run does not even say so.
fn heals(op: Op, times: usize, fault: Fault) {
    let Some(setting) = setting() else { return };
    setting.proxy.next(op, times, fault);
    setting.ingest().ends(0);
    setting.is_complete();
}

#[test]
fn a_connection_that_is_cut_in_the_middle_of_a_part() {
    heals(Op::Part, 2, Fault::Cut);
}

#[test]
fn a_connection_that_is_cut_in_the_middle_of_a_small_object() {
    heals(Op::Put, 2, Fault::Cut);
}

#[test]
fn a_server_that_fails_at_a_part() {
    heals(Op::Part, 2, Fault::Answer(500, "InternalError"));
}

#[test]
fn a_server_that_fails_at_the_end_of_an_upload() {
    heals(Op::Complete, 2, Fault::Answer(500, "InternalError"));
}

/// Documented for AWS: it answers at once, to keep the connection, and finds out later.
#[test]
fn a_server_that_says_yes_and_then_no_at_the_end_of_an_upload() {
    heals(Op::Complete, 1, Fault::Answer(200, "InternalError"));
}

#[test]
fn a_server_that_asks_for_patience() {
    heals(Op::Part, 3, Fault::Answer(503, "SlowDown"));
}

#[test]
fn a_server_that_does_not_answer_at_all() {
    heals(Op::Put, 1, Fault::Silence);
}

/// Large requests have longer: this one ten seconds, of the two that are set.
#[test]
fn a_server_that_stands_still_in_the_middle_of_a_part() {
    heals(Op::Part, 1, Fault::Silence);
}

#[test]
fn a_server_that_does_not_answer_at_the_end_of_an_upload() {
    heals(Op::Complete, 1, Fault::Silence);
}

#[test]
fn a_byte_of_a_part_that_is_damaged_on_its_way() {
    heals(Op::Part, 1, Fault::Damage);
}

#[test]
fn a_byte_of_a_small_object_that_is_damaged_on_its_way() {
    heals(Op::Put, 1, Fault::Damage);
}

#[test]
fn the_answer_to_the_end_of_an_upload_is_lost() {
    heals(Op::Complete, 1, Fault::LoseReply);
}

#[test]
fn the_answer_to_the_beginning_of_an_upload_is_lost() {
    heals(Op::Begin, 1, Fault::LoseReply);
}

#[test]
fn the_answer_to_a_part_and_to_a_small_object_is_lost() {
    heals(Op::Part, 1, Fault::LoseReply);
    heals(Op::Put, 1, Fault::LoseReply);
}

#[test]
fn a_part_that_the_server_has_taken_and_then_does_not_know() {
    heals(Op::Complete, 1, Fault::Answer(400, "InvalidPart"));
}

#[test]
fn a_part_that_the_server_has_taken_and_then_finds_too_small() {
    heals(Op::Complete, 1, Fault::Answer(400, "EntityTooSmall"));
}

/// The fault stays until somebody acts: the run pauses, says what to do, and run again it completes.
fn pauses(op: Op, fault: Fault, says: &str) {
    let Some(setting) = setting() else { return };
    setting.proxy.next(op, usize::MAX, fault);
    let ran = setting.ingest().ends(3).says(says);
    assert!(ran.stderr.contains("\nhint: "), "{}", ran.stderr);
    assert!(!ran.stderr.contains("testsecret"), "{}", ran.stderr);
    setting.knows_all_uploads();
    setting.proxy.heal();
    setting.ingest().ends(0);
    setting.is_complete();
}

#[test]
fn a_clock_that_is_wrong() {
    pauses(Op::Part, Fault::Answer(403, "RequestTimeTooSkewed"), "this machine's clock and the store's differ");
}

#[test]
fn credentials_that_expire_in_the_middle() {
    pauses(Op::Part, Fault::Answer(400, "ExpiredToken"), "the credentials have expired: renew them");
}

#[test]
fn a_bucket_that_may_only_be_read() {
    pauses(Op::Put, Fault::Answer(403, "AccessDenied"), "check the credentials and what they allow");
    pauses(Op::Begin, Fault::Answer(403, "AccessDenied"), "check the credentials and what they allow");
}

#[test]
fn a_bucket_that_is_full() {
    pauses(Op::Part, Fault::Answer(403, "QuotaExceeded"), "the store is full: make room");
}

#[test]
fn a_server_that_goes_away_in_the_middle() {
    pauses(Op::Part, Fault::Cut, "the store does not answer: check the endpoint and the network");
}

#[test]
fn a_gateway_whose_server_is_away() {
    pauses(Op::Part, Fault::Answer(502, "BadGateway"), "the store is overloaded, or away behind its gateway");
}

#[test]
fn who_may_only_read_verifies_all_the_same() {
    let Some(setting) = setting() else { return };
    setting.ingest().ends(0);
    setting.archive.catalog().execute("DELETE FROM stores", []).unwrap();
    setting.proxy.next(Op::Put, usize::MAX, Fault::Answer(403, "AccessDenied"));
    setting.archive.run(["doctor"]).says("it lets us read only");
    setting.archive.run(["verify"]).ends(0).says("2 sound, 0 not");
    setting.archive.run(["doctor", "--probe"]).says("missing  the store: cannot try what the store does at");
}

#[test]
fn credentials_that_are_not_there() {
    let Some(setting) = setting() else { return };
    let mut command = setting.archive.command([OsStr::new("ingest"), setting.drive.path().as_os_str()]);
    let command = command.env_remove("AWS_ACCESS_KEY_ID").env_remove("AWS_SECRET_ACCESS_KEY");
    let command = command.env("AWS_EC2_METADATA_DISABLED", "true").env("HOME", "/nonexistent");
    Ran::from(command.output().unwrap()).ends(2).says("hint: there are no credentials: set AWS_ACCESS_KEY_ID");
    setting.ingest().ends(0);
    setting.is_complete();
}

#[test]
fn a_rendition_that_cannot_be_completed_leaves_no_upload() {
    let Some(endpoint) = harness::s3_endpoint() else { return };
    let proxy = Proxy::before(&endpoint);
    let place = ("suite".to_owned(), uuid::Uuid::now_v7().to_string());
    let store = |endpoint: &str| {
        let endpoint = Some(endpoint.to_owned());
        let places = [place.clone(), place.clone(), place.clone()];
        S3Store::open(S3Config { endpoint, path_style: true, places, ..S3Config::default() }).unwrap()
    };
    let film = scratch();
    large(&film.path().join("film.mp4"), 17, 9);
    let through = store(&proxy.endpoint);
    let deposit = |name: &str| {
        let mut deposit = through.stage(&format!("renditions/{name}").parse().unwrap()).unwrap();
        deposit.adopt("film.mp4", &film.path().join("film.mp4")).unwrap();
        deposit.finish().unwrap()
    };
    let deposits = vec![deposit("a"), deposit("b")];
    proxy.next(Op::Complete, usize::MAX, Fault::Answer(403, "AccessDenied"));
    through.commit(deposits).unwrap_err();
    assert_eq!(store(&endpoint).open_uploads().unwrap(), []);
}

/// An archive in folders, and a drive with one picture.
fn folders() -> (Archive, tempfile::TempDir) {
    let drive = scratch();
    picture(&drive.path().join("a.png"), 1);
    (Archive::new(), drive)
}

#[test]
fn a_catalog_that_another_program_holds_is_waited_for() {
    let (archive, drive) = folders();
    let mut other = archive.catalog();
    let held = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let mut command = archive.command([OsStr::new("ingest"), drive.path().as_os_str()]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    std::thread::sleep(Duration::from_secs(2));
    assert!(run.try_wait().unwrap().is_none(), "it did not wait");
    drop(held);
    assert!(run.wait().unwrap().success());
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
}

#[test]
fn a_catalog_that_another_program_does_not_let_go_is_told_with_what_to_do() {
    let (archive, _drive) = folders();
    let path = archive.root().join("catalog.sqlite");
    let db = SqliteDb::open_waiting(&path, Arc::new(FakeClock::at(0)), Duration::from_millis(100)).unwrap();
    let catalog = Catalog::new(Arc::new(db));
    let mut other = archive.catalog();
    let held = other.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).unwrap();
    let e = catalog.confirm(&[Digest::of("x")]).unwrap_err();
    // The program ends with 3 for this kind.
    assert_eq!((e.kind(), e.hint_text()), (Kind::Unavailable, Some("another process holds the catalog: try again")));
    drop(held);
    catalog.confirm(&[Digest::of("x")]).unwrap();
}

/// A small disk, while it is needed.
struct Disk(tempfile::TempDir);

impl Disk {
    fn new(size: &str) -> Option<Self> {
        let dir = scratch();
        let mount = ["-t", "tmpfs", "-o", size, "tmpfs"].map(OsStr::new);
        let mounted = std::process::Command::new("mount").args(mount).arg(dir.path()).stderr(Stdio::null()).status();
        if !mounted.is_ok_and(|s| s.success()) {
            eprintln!("skipped: a small disk cannot be mounted here (that takes root)");
            return None;
        }
        Some(Self(dir))
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        std::process::Command::new("umount").arg("-l").arg(self.0.path()).status().ok();
    }
}

#[test]
fn a_catalog_whose_disk_is_full_pauses_the_run_and_loses_nothing() {
    let Some(disk) = Disk::new("size=4m") else { return };
    let (archive, drive) = folders();
    for i in 0..40 {
        picture(&drive.path().join(format!("{i}.png")), i + 2);
    }
    let settings = format!("catalog: {}\n", disk.0.path().join("catalog.sqlite").display());
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    let ingest = || archive.run([OsStr::new("ingest"), drive.path().as_os_str()]);
    archive.run(["status"]).ends(0);
    // What is left is too little from the beginning, or in the middle.
    for room in [0, 60, 120, 180] {
        let filler = disk.0.path().join("filler");
        let mut file = fs::File::create(&filler).unwrap();
        std::io::copy(&mut std::io::repeat(1), &mut file).unwrap_err();
        let size = file.metadata().unwrap().len();
        file.set_len(size - room * 1024).unwrap();
        let ran = ingest();
        if ran.code != 0 {
            let ran = ran.ends(3).says("catalog");
            assert!(ran.stderr.contains("\nhint: the catalog's disk"), "{room}: {}", ran.stderr);
        } else {
            assert!(room > 0, "it was not full");
        }
        fs::remove_file(&filler).unwrap();
    }
    ingest().ends(0);
    archive.run(["verify"]).ends(0).says("41 objects").says("41 sound, 0 not");
}

#[test]
fn output_that_does_not_get_out_is_a_failure_and_a_reader_that_leaves_is_none() {
    let archive = Archive::new();
    archive.run(["collection", "set", "Noticias", "--license", "EFE"]).ends(0);
    for words in [&["collection", "list"][..], &["events"]] {
        let full = fs::OpenOptions::new().write(true).open("/dev/full").unwrap();
        let ran: Ran = archive.command(words).stdout(full).stderr(Stdio::piped()).output().unwrap().into();
        ran.ends(3).says("cannot write all of the output");
        let (reader, writer) = std::io::pipe().unwrap();
        drop(reader);
        let ran: Ran = archive.command(words).stdout(writer).output().unwrap().into();
        assert!(!ran.stderr.contains("cannot write"), "{}", ran.stderr);
    }
}
