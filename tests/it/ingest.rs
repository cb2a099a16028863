//! Drives as they are: every path accounted for, each byte once, and whatever goes wrong is told and hurts no other.

use std::{
    ffi::OsStr,
    fs,
    os::unix::fs::{MetadataExt, PermissionsExt},
    path::Path,
    process::{Command, Stdio},
    time::{Duration, Instant, SystemTime},
};

use crate::fanout::{archive_with, clip};
use crate::harness::{self, Archive, DAMCTL, Ran, outcome, picture, scratch, tool};

/// What must become of each path of the drive, run by somebody who may read everything but `locked.wav` (root may).
const DRIVE: &[(&str, &str, &str)] = &[
    (".DS_Store", "junk", "Finder settings"),
    ("2019 harbor/camera.mxf", "stored", ""),
    ("2019 harbor/harbor_cut.mp4", "stored", ""),
    ("2019 harbor/harbor_cut.srt", "stored", ""),
    ("2019 harbor/harbor_master.mov", "stored", ""),
    ("2019 harbor/off_air.ts", "stored", ""),
    ("2019 harbor/tape_07.mov", "stored", ""),
    ("2021 interviews/copy of something.mp4", "duplicate", ""),
    ("2021 interviews/loop", "skipped", "symbolic link to .."),
    ("2021 interviews/phone clip.mp4", "stored", ""),
    ("Espa%F1a notas.txt", "stored", ""),
    ("README.txt", "stored", ""),
    ("__MACOSX/x", "junk", "leftovers of a macOS archive"),
    ("broken/empty.mov", "empty", "0 bytes"),
    ("broken/half.jpg", "stored", ""),
    ("broken/not a film.mp4", "stored", "named .mp4, but its content is text/plain"),
    ("broken/truncated.mp4", "stored", ""),
    (
        "broken/unfinished.mov",
        "stored",
        "damaged: no moov atom: the recording was not finished, or the file is cut short",
    ),
    ("photos/._orientation_1.jpg", "junk", "an AppleDouble resource fork"),
    ("photos/logo_alpha.png", "stored", ""),
    ("photos/loop.gif", "stored", ""),
    ("photos/orientation_1.jpg", "stored", ""),
    ("photos/orientation_1.xmp", "stored", ""),
    ("photos/orientation_2.jpg", "stored", ""),
    ("photos/orientation_3.jpg", "stored", ""),
    ("photos/orientation_4.jpg", "stored", ""),
    ("photos/orientation_5.jpg", "stored", ""),
    ("photos/orientation_6.jpg", "stored", ""),
    ("photos/orientation_7.jpg", "stored", ""),
    ("photos/orientation_8.jpg", "stored", ""),
    ("photos/print_cmyk.jpg", "stored", ""),
    ("photos/scan_16bit.tif", "stored", ""),
    ("photos/web.webp", "stored", ""),
    ("sound/interview_bext.wav", "stored", ""),
    ("sound/report.mp3", "stored", ""),
    ("sound/room tone.flac", "stored", ""),
];

const LOCKED: &str = "broken/locked.wav";

fn is_root() -> bool {
    rustix::process::geteuid().is_root()
}

#[test]
fn every_path_of_the_drive_is_accounted_for() {
    let report = harness::json_lines(&harness::finished().join("report.jsonl"));
    for (path, wanted, detail) in DRIVE {
        assert_eq!(outcome(&report, path), (*wanted, *detail), "{path}");
    }
    assert_eq!(outcome(&report, LOCKED).0, if is_root() { "stored" } else { "unreadable" });
    assert_eq!(report.len(), DRIVE.len() + 1);
    let walked =
        walkdir::WalkDir::new(harness::drive()).into_iter().filter(|e| !e.as_ref().unwrap().file_type().is_dir());
    assert_eq!(report.len(), walked.count());
    let said = fs::read_to_string(harness::finished().join("ingest.out")).unwrap();
    assert!(said.starts_with(if is_root() { "exit 0" } else { "exit 1" }), "{said}");
    for words in ["1 duplicate", "3 junk", "1 skipped", "1 empty", "broken/unfinished.mov: damaged: no moov"] {
        assert!(said.contains(words), "'{words}' is not in {said}");
    }
}

#[test]
fn what_is_known_of_the_drive_is_what_its_files_are() {
    let archive = Archive::finished();
    let facts = |title: &str| -> serde_json::Value {
        let sql = format!(
            "SELECT m.facts FROM masters m JOIN members mm ON mm.digest = m.digest JOIN assets a ON a.id = mm.asset WHERE a.title = '{title}'"
        );
        serde_json::from_str(&archive.rows(&sql)[0]).unwrap()
    };
    let master = facts("harbor_master.mov");
    assert_eq!(master["video"]["codec"], "prores");
    assert_eq!(master["timecode"]["value"], "10:00:00:00");
    assert_eq!(facts("camera.mxf")["timecode"]["value"], "09:59:58:00");
    let tape = facts("tape_07.mov");
    assert_eq!((&tape["video"]["codec"], &tape["video"]["field_order"]), (&"dvvideo".into(), &"bottom".into()));
    assert_eq!(facts("phone clip.mp4")["video"]["rotation"], 90);
    assert_eq!(facts("off_air.ts")["container"], "mpegts");
    assert_eq!(facts("interview_bext.wav")["audio"][0]["bits"], 24);
    assert_eq!(facts("interview_bext.wav")["tags"]["comment"], "Harbor_interview");
    assert_eq!(facts("orientation_6.jpg")["image"]["orientation"], 6);
    assert_eq!(facts("print_cmyk.jpg")["image"]["color"], "cmyk");
    assert_eq!(facts("scan_16bit.tif")["image"]["bit_depth"], 16);
    assert_eq!(facts("logo_alpha.png")["image"]["alpha"], true);
    assert_eq!((&facts("loop.gif")["image"]["frames"], &facts("loop.gif")["kind"]), (&12.into(), &"animation".into()));
    assert_eq!(facts("not a film.mp4")["kind"], "other");
    assert_eq!(
        archive.rows("SELECT COUNT(*) FROM assets WHERE collection = 'demo'"),
        archive.rows("SELECT COUNT(*) FROM assets")
    );
}

#[test]
fn a_second_run_does_nothing_and_says_so() {
    let archive = Archive::finished();
    let before = harness::tree(&archive.store());
    let events = archive.rows("SELECT COUNT(*) FROM events");
    let (ran, report) = archive.ingest(&harness::drive());
    let wanted = if is_root() { 0 } else { 1 };
    ran.ends(wanted).says("nothing to do: all 37 paths are as they were");
    assert!(report.iter().all(|l| l["unchanged"] == true));
    assert_eq!(harness::tree(&archive.store()), before);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM events"), events);
}

#[test]
fn a_dry_run_tells_and_does_nothing() {
    let archive = Archive::new();
    let before = harness::tree(&archive.store());
    archive
        .run([OsStr::new("ingest"), OsStr::new("--dry-run"), harness::drive().as_os_str()])
        .ends(0)
        .says("would read 32 files");
    assert_eq!(harness::tree(&archive.store()), before);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM sightings"), ["0"]);
}

#[test]
fn a_touched_file_stays_the_asset_it_was_and_a_changed_one_is_new() {
    let (archive, drive) = (Archive::new(), scratch());
    let file = drive.path().join("a.png");
    picture(&file, 1);
    archive.ingest(drive.path()).0.ends(0);
    let assets = || archive.rows("SELECT id FROM assets ORDER BY created_at");
    let first = assets();
    let earlier = SystemTime::now() - Duration::from_secs(100);
    fs::File::options().append(true).open(&file).unwrap().set_modified(earlier).unwrap();
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0);
    assert_eq!((outcome(&report, "a.png").0, assets()), ("stored", first.clone()));
    picture(&file, 2);
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0);
    assert_eq!((outcome(&report, "a.png").0, assets().len()), ("stored", 2));
    assert_eq!(archive.run(["verify"]).ends(0).stdout.lines().last().unwrap().split(' ').next(), Some("2"));
}

/// Sets a file's times.
fn set_time(path: &Path, time: std::time::SystemTime) {
    fs::File::open(path).unwrap().set_times(fs::FileTimes::new().set_modified(time)).unwrap();
}

#[test]
fn a_file_that_took_the_place_of_another_of_the_same_size_and_time_is_read() {
    let (archive, drive) = (Archive::new(), scratch());
    let names = ["small.bin", "large.bin", "over.bin", "same.bin"].map(|n| drive.path().join(n));
    let bytes = |name: &Path, seed: u8| vec![seed; if name.ends_with("large.bin") { 3 << 20 } else { 5000 }];
    for (i, name) in names.iter().enumerate() {
        fs::write(name, bytes(name, i as u8)).unwrap();
    }
    archive.ingest(drive.path()).0.ends(0).says("4 stored");
    let time = |path: &Path| fs::metadata(path).unwrap().modified().unwrap();
    for (i, name) in names[..3].iter().enumerate() {
        let then = time(name);
        if i == 2 {
            // The same inode.
            fs::write(name, bytes(name, 12)).unwrap();
        } else {
            let other = drive.path().join("other");
            fs::write(&other, bytes(name, 10 + i as u8)).unwrap();
            fs::rename(&other, name).unwrap();
        }
        set_time(name, then);
    }
    // A new mode is a reason to look, and nothing more.
    fs::set_permissions(&names[3], fs::Permissions::from_mode(0o600)).unwrap();
    let certificate = archive.run([OsStr::new("certificate"), drive.path().as_os_str()]).ends(1);
    certificate.says("it was replaced or changed since it was ingested, though its size and time are the same");
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0);
    assert!(report.iter().all(|l| l["outcome"] == "stored" && l["unchanged"] == false), "{report:#?}");
    for (i, name) in names.iter().enumerate() {
        let digest = damctl::digest::Digest::of(bytes(name, if i < 3 { 10 + i as u8 } else { 3 }));
        let sql = format!(
            "SELECT COUNT(*) FROM sightings s JOIN masters m ON m.digest = s.digest WHERE m.digest = '{digest}'"
        );
        assert_eq!(archive.rows(&sql), ["1"], "{}", name.display());
    }
    assert_eq!(archive.rows("SELECT COUNT(*) FROM assets"), ["7"]);
    archive.ingest(drive.path()).0.ends(0).says("nothing to do");
    archive.run(["verify"]).ends(0).says("7 sound, 0 not");
    archive.run([OsStr::new("certificate"), drive.path().as_os_str()]).ends(0);
}

#[test]
fn sidecars_follow_a_main_file_that_changes_and_give_way_to_their_own_changes() {
    let (archive, drive) = (Archive::new(), scratch());
    let write = |name: &str, text: &str| fs::write(drive.path().join(name), text).unwrap();
    let members = |sql: &str| {
        archive.rows(&format!(
            "SELECT a.title, b.generation, b.name, b.role, s.path IS NOT NULL FROM assets a
             JOIN members b ON b.asset = a.id AND b.generation = a.generation
             LEFT JOIN sightings s ON s.digest = b.digest AND s.asset = a.id WHERE {sql} ORDER BY a.created_at, 4, 3"
        ))
    };
    write("a.mov", "the film");
    write("a.xmp", "what is in it");
    write("b.mov", "another film");
    write("b.xmp", "what is in that");
    archive.ingest(drive.path()).0.ends(0);
    let before = archive.rows("SELECT asset FROM sightings WHERE path = 'a.mov'")[0].clone();
    std::thread::sleep(Duration::from_millis(5));

    write("a.mov", "the film, cut again");
    archive.ingest(drive.path()).0.ends(0);
    let now = archive.rows("SELECT DISTINCT asset FROM sightings WHERE path LIKE 'a.%'");
    assert_eq!(now.len(), 1, "the sidecar stayed behind");
    assert_ne!(now[0], before);
    let of_a = format!("a.id = '{}'", now[0]);
    assert_eq!(members(&of_a), ["a.mov|1|a.mov|main|1", "a.mov|1|a.xmp|sidecar|1"]);
    // The earlier one has all that it had.
    assert_eq!(members(&format!("a.id = '{before}'")), ["a.mov|1|a.mov|main|0", "a.mov|1|a.xmp|sidecar|0"]);

    write("a.xmp", "what is in it now");
    archive.ingest(drive.path()).0.ends(0);
    assert_eq!(members(&of_a), ["a.mov|2|a.mov|main|1", "a.mov|2|a.xmp|sidecar|1"]);
    // As it was before: a generation more, and no bytes.
    write("a.xmp", "what is in it");
    archive.ingest(drive.path()).0.ends(0);
    assert_eq!(members(&of_a), ["a.mov|3|a.mov|main|1", "a.mov|3|a.xmp|sidecar|1"]);
    let digest = damctl::digest::Digest::of("what is in it");
    let sql = "SELECT b.digest FROM members b JOIN assets a ON a.id = b.asset AND a.generation = b.generation";
    assert_eq!(archive.rows(&format!("{sql} WHERE {of_a} AND b.name = 'a.xmp'")), [digest.to_string()]);
    archive.ingest(drive.path()).0.ends(0).says("nothing to do");
    // All bytes are looked after, whichever generation they are of.
    archive.run(["verify"]).ends(0).says("6 objects");
    let both = ["--reread"].map(OsStr::new);
    write("b.mov", "another film, cut again");
    archive.run([OsStr::new("ingest"), drive.path().as_os_str()].iter().chain(&both)).ends(0);
    assert_eq!(archive.rows("SELECT COUNT(DISTINCT asset) FROM sightings WHERE path LIKE 'b.%'"), ["1"]);
}

#[test]
fn what_is_read_again_is_held_against_what_is_recorded() {
    let (archive, drive) = (Archive::new(), scratch());
    for i in 0..3u8 {
        fs::write(drive.path().join(format!("{i}.bin")), vec![i; 4000]).unwrap();
    }
    fs::copy(drive.path().join("0.bin"), drive.path().join("copy.bin")).unwrap();
    let reread = || archive.run([OsStr::new("ingest"), drive.path().as_os_str(), OsStr::new("--reread")]);
    reread().ends(0).says("3 stored");
    reread().ends(0).says("4 read again hold the bytes that are recorded");
    assert_eq!(archive.rows("SELECT outcome, COUNT(*) FROM sightings GROUP BY 1"), ["duplicate|1", "stored|3"]);
    // A byte has rotted on a file system of which nothing but size and time is known.
    let (file, was) = (drive.path().join("1.bin"), damctl::digest::Digest::of(vec![1; 4000]));
    let then = fs::metadata(&file).unwrap().modified().unwrap();
    fs::write(&file, vec![9; 4000]).unwrap();
    set_time(&file, then);
    archive
        .catalog()
        .execute(
            "UPDATE sightings SET inode = ?1, ctime_ns = NULL WHERE path = '1.bin'",
            [fs::metadata(&file).unwrap().ino() as i64],
        )
        .unwrap();
    archive.ingest(drive.path()).0.ends(0).says("nothing to do");
    let is = damctl::digest::Digest::of(vec![9; 4000]);
    reread().ends(1).says("3 read again hold the bytes").says(&format!("1.bin: SHA-256 is {is}, and was {was}"));
    assert_eq!(archive.rows("SELECT digest FROM sightings WHERE path = '1.bin'"), [is.to_string()]);
    archive.run(["verify"]).ends(0).says("4 sound, 0 not");
    reread().ends(0).says("4 read again hold the bytes");
    // What cannot be read any more is told; that it was taken in stays true.
    if !is_root() {
        fs::set_permissions(&file, fs::Permissions::from_mode(0o000)).unwrap();
        let ctime = "UPDATE sightings SET ctime_ns = NULL WHERE path = '1.bin'";
        archive.catalog().execute(ctime, []).unwrap();
        reread().ends(1).says("1.bin could not be read again");
        assert_eq!(archive.rows("SELECT outcome FROM sightings WHERE path = '1.bin'"), ["stored"]);
    }
}

#[test]
fn one_file_and_a_folder_above_an_ingested_one_are_the_same_drive_or_tell_duplicates() {
    let (archive, drive) = (Archive::new(), scratch());
    fs::create_dir(drive.path().join("sub")).unwrap();
    picture(&drive.path().join("sub/a.png"), 1);
    picture(&drive.path().join("b.png"), 2);
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0);
    assert_eq!(report.len(), 2);
    let (ran, report) = archive.ingest(&drive.path().join("sub/a.png"));
    ran.ends(0).says("nothing to do");
    assert_eq!((outcome(&report, "sub/a.png").0, report.len()), ("stored", 1));
}

#[test]
fn what_cannot_be_read_is_named_and_the_rest_is_done() {
    let (archive, drive) = (Archive::new(), scratch());
    fs::create_dir(drive.path().join("closed")).unwrap();
    picture(&drive.path().join("a.png"), 1);
    picture(&drive.path().join("locked.png"), 2);
    picture(&drive.path().join("closed/c.png"), 3);
    let mode = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    mode(&drive.path().join("locked.png"), 0);
    mode(&drive.path().join("closed"), 0);
    mode(drive.path(), 0o755);
    let report = archive.root().join("report.jsonl");
    let mut command =
        archive.command([OsStr::new("ingest"), drive.path().as_os_str(), OsStr::new("--report"), report.as_os_str()]);
    if is_root() {
        // Root may read everything, so somebody else does this.
        let words: Vec<_> = command.get_args().map(OsStr::to_owned).collect();
        let program = archive.root().join("damctl");
        fs::copy(DAMCTL, &program).unwrap();
        tool("chown", [OsStr::new("-R"), OsStr::new("65534:65534"), archive.root().as_os_str()]);
        command = Command::new("setpriv");
        command
            .args(["--reuid=65534", "--regid=65534", "--clear-groups"])
            .arg(program)
            .args(words)
            .stdin(Stdio::null());
    }
    let ran = Ran::from(command.output().unwrap());
    mode(&drive.path().join("closed"), 0o755);
    ran.ends(1).says("locked.png: Permission denied").says("closed: Permission denied");
    let report = harness::json_lines(&report);
    assert_eq!(outcome(&report, "a.png").0, "stored");
    let (state, why) = outcome(&report, "locked.png");
    assert_eq!(state, "unreadable");
    let me = if is_root() { 65534 } else { rustix::process::geteuid().as_raw() };
    assert!(why.starts_with("Permission denied (os error 13): it is user "), "{why}");
    assert!(why.contains("of mode 0000") && why.ends_with(&format!("damctl runs as user {me}")), "{why}");
    assert_eq!(outcome(&report, "closed").0, "unreadable");
    // When it can be read again, it is; the failure is not for ever.
    mode(&drive.path().join("locked.png"), 0o644);
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0);
    assert_eq!((outcome(&report, "locked.png").0, outcome(&report, "closed/c.png").0), ("stored", "stored"));
}

/// Runs the shell text where file systems may be mounted; `None`, with words, where nobody may do that.
fn in_own_mounts(script: &str) -> Option<Ran> {
    let flags: &[&str] = if is_root() { &["-m"] } else { &["-rm"] };
    let probe = Command::new("unshare").args(flags).args(["mount", "-t", "tmpfs", "none", "/mnt"]).output();
    if !probe.is_ok_and(|out| out.status.success()) {
        eprintln!("skipped: no file system can be mounted here");
        return None;
    }
    let mut command = Command::new("unshare");
    command.args(flags).args(["sh", "-ec", script]).stdin(Stdio::null());
    Some(command.output().unwrap().into())
}

#[test]
fn a_full_disk_pauses_and_the_next_run_goes_on() {
    let (archive, drive) = (Archive::new(), scratch());
    for i in 0..6u8 {
        let noise: Vec<u8> = (0..700_000u32)
            .map(|n| (n.wrapping_mul(2_654_435_761).rotate_left(u32::from(i) + 3) >> 11) as u8)
            .collect();
        fs::write(drive.path().join(format!("{i}.bin")), noise).unwrap();
    }
    let (store, drive_path) = (archive.store().display().to_string(), drive.path().display().to_string());
    let run = format!("{DAMCTL} -C {} ", archive.root().display());
    let script = format!(
        "mount -t tmpfs -o size=2m none {store}
         code=0; {run} ingest {drive_path} || code=$?
         echo first $code
         find {store} -path '*.staging/*' -type f | wc -l | sed 's/^/staged /'
         code=0; {run} verify || code=$?
         echo verified $code
         mount -o remount,size=20m {store}
         code=0; {run} ingest {drive_path} || code=$?
         echo second $code
         {run} verify"
    );
    let Some(ran) = in_own_mounts(&script) else { return };
    let ran = ran.ends(0).says("first 3").says("verified 0").says("second 0").says("staged 0");
    let ran = ran.says("the disk is full").says("run the same command again").says("6 stored").says("6 objects");
    assert!(!ran.stderr.contains("panicked"), "{}", ran.stderr);
}

#[test]
fn a_full_scratch_disk_pauses_and_no_job_loses_a_try() {
    let (archive, drive, small) = (archive_with(None), scratch(), scratch());
    clip(&drive.path().join("a.mp4"), 20, 1);
    clip(&drive.path().join("b.mp4"), 20, 2);
    picture(&drive.path().join("c.png"), 3);
    let profile = archive.root().join("small.yaml");
    let learn = "enrich:\n  looks: {}\n";
    fs::write(&profile, fs::read_to_string(&profile).unwrap() + learn).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode", "--enqueue"]).ends(0);
    let place = small.path().display();
    let run = format!("DAMCTL_SCRATCH={place} {DAMCTL} -C {} ", archive.root().display());
    // Room for less than a film, then for nothing.
    let script = format!(
        "mount -t tmpfs -o size=600k none {place}
         code=0; {run} transcode --drain --workers 1 || code=$?
         echo film $code
         head -c 600k /dev/zero > {place}/full || true
         code=0; {run} transcode --drain --workers 1 || code=$?
         echo nothing $code
         code=0; {run} enrich --workers 1 || code=$?
         echo learned $code"
    );
    let Some(ran) = in_own_mounts(&script) else { return };
    let ran = ran.ends(0).says("film 3").says("nothing 3").says("learned 3");
    ran.says(&format!("the disk of the scratch folder {place} is full")).says("(DAMCTL_SCRATCH)");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM jobs WHERE state = 'failed' OR error IS NOT NULL"), ["0"]);
    archive.run(["transcode", "--drain"]).ends(0);
    archive.run(["enrich"]).ends(0);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM jobs WHERE state <> 'done'"), ["0"]);
}

#[test]
fn two_processes_that_ingest_the_same_tree_store_each_file_once() {
    let (archive, drive) = (Archive::new(), scratch());
    for i in 0..120u8 {
        picture(&drive.path().join(format!("{i}.png")), i);
        picture(&drive.path().join(format!("{i} again.png")), i);
    }
    let start = || {
        let mut command = archive.command([OsStr::new("ingest"), drive.path().as_os_str()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in [start(), start()] {
        Ran::from(child.wait_with_output().unwrap()).ends(0);
    }
    assert_eq!(archive.rows("SELECT COUNT(*) FROM assets"), ["120"]);
    assert_eq!(
        archive.rows("SELECT outcome, COUNT(*) FROM sightings GROUP BY 1 ORDER BY 1"),
        ["duplicate|120", "stored|120"]
    );
    archive.run(["verify"]).ends(0).says("120 objects");
    let objects = harness::tree(&archive.store()).iter().filter(|l| l.contains("/v1/content/")).count();
    assert_eq!(objects, 120);
    assert_eq!(harness::tree(&archive.store().join(".staging")), [""; 0]);
}

#[test]
fn two_drives_with_the_same_files_ingested_at_once_store_them_once() {
    let (archive, one, two) = (Archive::new(), scratch(), scratch());
    for i in 0..60u8 {
        picture(&one.path().join(format!("{i}.png")), i);
        picture(&two.path().join(format!("other {i}.png")), i);
    }
    let start = |drive: &Path| {
        let mut command = archive.command([OsStr::new("ingest"), drive.as_os_str()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for child in [start(one.path()), start(two.path())] {
        Ran::from(child.wait_with_output().unwrap()).ends(0);
    }
    assert_eq!(
        archive.rows("SELECT outcome, COUNT(*) FROM sightings GROUP BY 1 ORDER BY 1"),
        ["duplicate|60", "stored|60"]
    );
    let objects = harness::tree(&archive.store()).iter().filter(|l| l.contains("/v1/content/")).count();
    assert_eq!(objects, 60);
    archive.run(["verify"]).ends(0).says("60 objects");
}

#[test]
fn a_stop_ends_in_time_and_costs_nothing() {
    let (archive, drive) = (Archive::new(), scratch());
    for i in 0..8 {
        let file = fs::File::create(drive.path().join(format!("{i}.bin"))).unwrap();
        file.set_len(200 << 20).unwrap();
    }
    let mut command = archive.command([OsStr::new("ingest"), drive.path().as_os_str()]);
    let child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    while archive.rows("SELECT COUNT(*) FROM jobs WHERE state = 'leased'") == ["0"]
        && began.elapsed() < Duration::from_secs(20)
    {
        std::thread::sleep(Duration::from_millis(10));
    }
    let asked = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_child(&child), rustix::process::Signal::TERM).unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert!(asked.elapsed() < Duration::from_secs(10), "{:?}", asked.elapsed());
    ran.ends(143).says("run the same command again to go on");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM jobs WHERE state = 'leased'"), ["0"]);
    archive.ingest(drive.path()).0.ends(0).says("8 paths");
    // Eight files of nothing but zeros, all the same.
    assert_eq!(archive.rows("SELECT COUNT(*) FROM assets"), ["1"]);
}

#[test]
fn odd_requests_get_plain_answers() {
    let archive = Archive::new();
    archive.run(["ingest", "/no/such/place"]).ends(2).says("cannot find /no/such/place");
    archive.run(["ingest"]).ends(2).says("<PATH>");
    let drive = scratch();
    archive.ingest(drive.path()).0.ends(0).says("nothing to do");
    let missing = drive.path().join("no/report.jsonl");
    let words = [OsStr::new("ingest"), drive.path().as_os_str(), OsStr::new("--report"), missing.as_os_str()];
    archive.run(words).ends(2).says("cannot write the report");
    harness::command(["ingest", "."])
        .current_dir(drive.path())
        .output()
        .map(Ran::from)
        .unwrap()
        .ends(2)
        .says("damctl init");
}

#[test]
fn a_tree_and_a_part_of_it_can_be_ingested_at_once() {
    let (archive, drive) = (Archive::new(), scratch());
    fs::create_dir(drive.path().join("sub")).unwrap();
    for i in 0..100u8 {
        picture(&drive.path().join(format!("{i}.png")), i);
        picture(&drive.path().join(format!("sub/{i}.png")), i / 2);
    }
    // Known as one drive from now on.
    picture(&drive.path().join("first.png"), 250);
    archive.run([OsStr::new("ingest"), drive.path().join("first.png").as_os_str()]).ends(0);
    let start = |path: &Path| {
        let mut command = archive.command([OsStr::new("ingest"), path.as_os_str()]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let (whole, part) = (start(drive.path()), start(&drive.path().join("sub")));
    for child in [part, whole] {
        Ran::from(child.wait_with_output().unwrap()).ends(0);
    }
    assert_eq!(archive.rows("SELECT SUM(outcome IN ('stored', 'duplicate')), COUNT(*) FROM sightings"), ["201|201"]);
    archive.run(["verify"]).ends(0).says("101 objects").says(" 0 not");
}

#[test]
fn the_archive_itself_is_not_taken_in() {
    let archive = Archive::new();
    picture(&archive.root().join("a.png"), 1);
    for _ in 0..2 {
        archive.run([OsStr::new("ingest"), archive.root().as_os_str()]).ends(0);
    }
    assert_eq!(archive.rows("SELECT COUNT(*) FROM assets WHERE kind = 'image'"), ["1"]);
    let skipped = archive.rows("SELECT path FROM sightings WHERE detail = 'a part of this archive itself' ORDER BY 1");
    assert!(skipped.contains(&"store".to_owned()) && skipped.contains(&"catalog.sqlite".to_owned()), "{skipped:?}");
}

#[test]
fn a_missing_tool_pauses_and_with_it_the_same_command_goes_on() {
    let (archive, drive) = (Archive::new(), scratch());
    let film = harness::drive().join("2019 harbor/harbor_cut.mp4");
    fs::copy(film, drive.path().join("a.mp4")).unwrap();
    picture(&drive.path().join("b.png"), 1);
    let mut command = archive.command([OsStr::new("ingest"), drive.path().as_os_str()]);
    let ran = Ran::from(command.env("PATH", "/nonexistent").output().unwrap());
    ran.ends(3).says("ffprobe is not installed").says("install Debian's package ffmpeg");
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0);
    assert_eq!((outcome(&report, "a.mp4").0, outcome(&report, "b.png").0), ("stored", "stored"));
}

#[test]
fn what_could_not_be_read_once_is_forgotten_when_it_is_gone() {
    let (archive, drive) = (Archive::new(), scratch());
    picture(&drive.path().join("a.png"), 1);
    std::os::unix::fs::symlink("nowhere", drive.path().join("link")).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM sightings"), ["2"]);
    fs::remove_file(drive.path().join("link")).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    assert_eq!(archive.rows("SELECT path FROM sightings"), ["a.png"]);
}
