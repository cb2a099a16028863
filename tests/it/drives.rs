//! Drives as they come and go: told by their file system, paused when they vanish, read around their bad places.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::{Duration, Instant},
};

use crate::harness::{Archive, Ran, outcome, scratch, tool};

/// A file system in a file.
pub struct Stick {
    dir: tempfile::TempDir,
}

/// A mounted one; unmounted when dropped.
pub struct Mounted(pub PathBuf);

impl Drop for Mounted {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).stderr(Stdio::null()).status().ok();
    }
}

impl Stick {
    /// One of so many MiB that holds these files.
    pub fn new(mib: u64, files: &[(&str, Vec<u8>)]) -> Self {
        let dir = scratch();
        let content = dir.path().join("content");
        for (name, bytes) in files {
            let path = content.join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, bytes).unwrap();
        }
        let image = dir.path().join("image");
        fs::File::create(&image).unwrap().set_len(mib << 20).unwrap();
        let words = [OsStr::new("-q"), "-F".as_ref(), "-t".as_ref(), "ext4".as_ref(), "-O".as_ref()];
        let more = ["^has_journal".as_ref(), "-d".as_ref(), content.as_os_str(), image.as_os_str()];
        tool("mke2fs", words.into_iter().chain(more));
        Self { dir }
    }

    pub fn image(&self) -> PathBuf {
        self.dir.path().join("image")
    }

    /// Mounts it at a new folder, or says why the test is skipped.
    pub fn mount(&self, name: &str) -> Option<Mounted> {
        let at = self.dir.path().join(name);
        fs::create_dir_all(&at).unwrap();
        let out = Command::new("mount").args(["-o", "loop,ro"]).arg(self.image()).arg(&at).output();
        match out {
            Ok(out) if out.status.success() => Some(Mounted(at)),
            Ok(out) => {
                let why = String::from_utf8_lossy(&out.stderr).trim().to_owned();
                eprintln!("skipped: file systems cannot be mounted here ({why}); it takes root");
                None
            }
            Err(e) => {
                eprintln!("skipped: there is no mount ({e})");
                None
            }
        }
    }
}

pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    (0..bytes.div_ceil(8)).flat_map(|_| next().to_le_bytes()).take(bytes).collect()
}

#[test]
fn a_drive_is_the_same_wherever_it_is_mounted_and_another_is_not() {
    let stick = Stick::new(16, &[("a.bin", noise(50_000, 1)), ("b/c.bin", noise(60_000, 2))]);
    let other = Stick::new(16, &[("a.bin", noise(50_000, 3))]);
    let Some(first) = stick.mount("first") else { return };
    let archive = Archive::new();
    archive.ingest(&first.0).0.ends(0).says("2 stored");
    drop(first);
    let second = stick.mount("second").unwrap();
    archive.ingest(&second.0).0.ends(0).says("nothing to do");
    // A folder of it is a part of the same drive.
    archive.ingest(&second.0.join("b")).0.ends(0).says("nothing to do");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM drives"), ["1"]);
    drop(second);
    // Another one where the first was is no change of the first.
    let place = stick.dir.path().join("second");
    tool("mount", [OsStr::new("-o"), "loop,ro".as_ref(), other.image().as_os_str(), place.as_os_str()]);
    let _mounted = Mounted(place.clone());
    archive.ingest(&place).0.ends(0).says("1 stored");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM drives"), ["2"]);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM sightings WHERE outcome = 'stored'"), ["3"]);
}

#[test]
fn a_drive_that_vanishes_pauses_the_run_which_goes_on_with_the_same_one_only() {
    let files: Vec<(String, Vec<u8>)> = (0..40).map(|i| (format!("{i:02}.bin"), noise(1 << 20, i + 1))).collect();
    let files: Vec<(&str, Vec<u8>)> = files.iter().map(|(n, b)| (n.as_str(), b.clone())).collect();
    let stick = Stick::new(64, &files);
    let Some(mounted) = stick.mount("drive") else { return };
    let archive = Archive::new();
    let mut command = archive.command(["ingest", "--max-rate", "8M", "--workers", "1"]);
    let run = command.arg(&mounted.0).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = Instant::now();
    let is_under_way = || archive.rows("SELECT COUNT(*) FROM jobs WHERE state = 'leased'") == ["1"];
    while !is_under_way() && began.elapsed() < Duration::from_secs(20) {
        std::thread::sleep(Duration::from_millis(20));
    }
    std::thread::sleep(Duration::from_millis(700));
    let at = mounted.0.clone();
    drop(mounted);
    let ran = Ran::from(run.wait_with_output().unwrap()).ends(3);
    let ran = ran.says("is not at").says("plug it in again");
    assert!(ran.stderr.contains("'drive'"), "{}", ran.stderr);
    // The folder that was under the mount is not the drive.
    archive.run([OsStr::new("ingest"), at.as_os_str()]).ends(3).says("is not at");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM sightings WHERE outcome = 'unreadable'"), ["0"]);
    let again = stick.mount("elsewhere").unwrap();
    archive.ingest(&again.0).0.ends(0);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM sightings WHERE outcome = 'stored'"), ["40"]);
    archive.run(["verify"]).ends(0).says("40 sound, 0 not");
}

#[test]
fn bad_places_are_tried_again_last_and_then_listed_and_cost_no_other_file() {
    const LEN: usize = 2 << 20;
    let stick = Stick::new(
        24,
        &[("one.mov", noise(LEN, 1)), ("two.mov", noise(LEN, 2)), ("one.xmp", noise(9, 3)), ("two.xmp", noise(9, 4))],
    );
    let blocks = |name: &str| -> Vec<u64> {
        let request = format!("blocks /{name}");
        let list = tool("debugfs", [OsStr::new("-R"), request.as_ref(), stick.image().as_os_str()]);
        list.split_whitespace().filter_map(|w| w.parse().ok()).collect()
    };
    // A device that ends early cannot be read where the end of the later file lies.
    let mut files = ["one.mov", "two.mov"].map(|name| (blocks(name), name));
    files.sort();
    let [(_, good), (blocks, bad)] = files;
    let block = (LEN / blocks.len()) as u64;
    let whole = fs::read(stick.image()).unwrap();
    let Some(mounted) = stick.mount("drive") else { return };
    let cut = blocks[blocks.len() / 2] * block;
    fs::OpenOptions::new().write(true).open(stick.image()).unwrap().set_len(cut).unwrap();
    let archive = Archive::new();
    let (ran, report) = archive.ingest(&mounted.0);
    ran.ends(1).says(bad).says("bytes cannot be read, at");
    assert_eq!(outcome(&report, good).0, "stored");
    let (what, why) = outcome(&report, bad);
    assert_eq!(what, "unreadable");
    assert!(why.contains(&format!("-{}", LEN - 1)), "the last byte is among what is listed: {why}");
    let tries = archive.rows("SELECT result FROM attempts ORDER BY attempt");
    let (first, last) = (tries.first().map(String::as_str), tries.last().map(String::as_str));
    assert_eq!((first, last), (Some("retry"), Some("done")), "it was tried again when all else was done: {tries:?}");
    drop(mounted);
    // Read by another machine, it is whole.
    fs::write(stick.image(), whole).unwrap();
    let mounted = stick.mount("again").unwrap();
    archive.ingest(&mounted.0).0.ends(0);
    archive.run(["verify"]).ends(0).says("4 sound, 0 not");
}

fn write(root: &Path, name: &str, bytes: &[u8]) {
    let path = root.join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn clips_chapters_sequences_and_sidecars_become_one_asset_each() {
    let drive = scratch();
    let clip = ["CLIP/0001AB.XML", "VIDEO/0001AB.MXF", "AUDIO/0001AB00.MXF", "AUDIO/0001AB01.MXF"];
    for (i, name) in clip.iter().enumerate() {
        write(drive.path(), &format!("card/CONTENTS/{name}"), &noise(3000 + i, i as u64 + 1));
    }
    for (i, name) in ["GX010007.MP4", "GX020007.MP4", "GX010007.THM"].iter().enumerate() {
        write(drive.path(), &format!("DCIM/100GOPRO/{name}"), &noise(2000 + i, i as u64 + 11));
    }
    (1..=5).for_each(|i| write(drive.path(), &format!("film/f.{i:04}.dpx"), &noise(1000, 20 + i)));
    write(drive.path(), "interview.mov", &noise(5000, 31));
    write(drive.path(), "interview.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHola\n");
    let archive = Archive::new();
    let plan = archive.run([OsStr::new("ingest"), "--dry-run".as_ref(), drive.path().as_os_str()]).ends(0);
    assert!(plan.stdout.contains("  sidecar   card/CONTENTS/CLIP/0001AB.XML"), "{}", plan.stdout);
    archive.ingest(drive.path()).0.ends(0).says("14 stored");
    let members = "SELECT a.title, group_concat(m.role || ' ' || m.name, ', ') FROM assets a
                   JOIN (SELECT * FROM members ORDER BY role, name) m ON m.asset = a.id GROUP BY a.id ORDER BY a.title";
    let assets = archive.rows(members);
    let expected = [
        "0001AB.MXF|main VIDEO/0001AB.MXF, member AUDIO/0001AB00.MXF, member AUDIO/0001AB01.MXF, sidecar CLIP/0001AB.XML",
        "GX010007.MP4|chapter GX020007.MP4, main GX010007.MP4, sidecar GX010007.THM",
        "f.0001.dpx|main f.0001.dpx, member f.0002.dpx, member f.0003.dpx, member f.0004.dpx, member f.0005.dpx",
        "interview.mov|main interview.mov, sidecar interview.srt",
    ];
    assert_eq!(assets, expected);
    archive.run(["verify"]).ends(0).says("14 sound, 0 not");
    // Every file is in its object, byte for byte, under a name that tells what it was.
    let stored: Vec<String> = crate::harness::tree(&archive.store().join("masters"));
    for name in ["content/card/CONTENTS/VIDEO/0001AB.MXF 3001", "AUDIO/0001AB01.MXF 3003", "content/interview.srt"] {
        assert!(stored.iter().any(|s| s.contains(name)), "{name}: {stored:#?}");
    }
    archive.ingest(drive.path()).0.ends(0).says("nothing to do");
}

#[test]
fn a_sidecar_that_comes_later_joins_what_it_describes() {
    let drive = scratch();
    write(drive.path(), "a/film.mov", &noise(9000, 1));
    let archive = Archive::new();
    archive.ingest(drive.path()).0.ends(0);
    write(drive.path(), "a/film.xmp", b"<x:xmpmeta/>");
    archive.ingest(drive.path()).0.ends(0);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM assets"), ["1"]);
    let roles = archive.rows("SELECT role, name FROM members ORDER BY role");
    assert_eq!(roles, ["main|film.mov", "sidecar|film.xmp"]);
    // So does one that lies beside a copy on another drive.
    let copy = scratch();
    write(copy.path(), "film.mov", &noise(9000, 1));
    write(copy.path(), "film.en.srt", b"1\n00:00:01,000 --> 00:00:02,000\nHello\n");
    let (ran, report) = archive.ingest(copy.path());
    ran.ends(0);
    assert_eq!(outcome(&report, "film.mov").0, "duplicate");
    assert_eq!(outcome(&report, "film.en.srt").0, "stored");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM assets"), ["1"]);
    archive.run(["verify"]).ends(0).says("3 sound, 0 not");
}

#[test]
fn only_what_is_asked_for_is_taken_in_and_the_rest_is_accounted_for() {
    let drive = scratch();
    for (i, name) in ["a.mov", "b.wav", "cache/c.mov", "day 2/d.jpg", "day 2/e.tmp"].iter().enumerate() {
        write(drive.path(), name, &noise(1000, i as u64 + 1));
    }
    let archive = Archive::new();
    let report = archive.root().join("report.jsonl");
    let ingest = |words: &[&str]| {
        let paths = [OsStr::new("--report"), report.as_os_str(), drive.path().as_os_str()];
        let words = std::iter::once(OsStr::new("ingest")).chain(words.iter().map(OsStr::new)).chain(paths);
        (archive.run(words), crate::harness::json_lines(&report))
    };
    let (ran, report) =
        ingest(&["--exclude", "cache/", "--exclude", "*.tmp", "--include", "*.mov", "--include", "day 2/"]);
    ran.ends(0);
    assert_eq!(outcome(&report, "a.mov").0, "stored");
    assert_eq!(outcome(&report, "day 2/d.jpg").0, "stored");
    let left_out = [
        ("cache", "left out by --exclude 'cache/', with all that is in it"),
        ("day 2/e.tmp", "left out by --exclude '*.tmp'"),
        ("b.wav", "no --include asks for it"),
    ];
    for (path, why) in left_out {
        assert_eq!(outcome(&report, path), ("skipped", why));
    }
    ingest(&["--exclude", "{"]).0.ends(2).says("the pattern '{' cannot be read");
    let list = archive.root().join("list");
    fs::write(&list, "b.wav\nday 2\nnot there\n").unwrap();
    let (ran, report) = ingest(&["--files-from", list.to_str().unwrap()]);
    ran.ends(1).says("failed: the list names not there: there is nothing of that name below");
    assert_eq!(outcome(&report, "b.wav").0, "stored");
    assert_eq!(outcome(&report, "day 2/e.tmp").0, "stored");
    assert_eq!(report.len(), 3, "nothing else is looked at: {report:#?}");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM sightings WHERE outcome = 'unreadable'"), ["0"]);
    fs::write(&list, "../x\n").unwrap();
    ingest(&["--files-from", list.to_str().unwrap()]).0.ends(2).says("leads elsewhere");
    fs::write(&list, "%2E%2e/x\n").unwrap();
    ingest(&["--files-from", list.to_str().unwrap()]).0.ends(2).says("leads elsewhere");
    // Without any of it, all is taken in, and what was skipped is so no more.
    ingest(&[]).0.ends(0);
    assert_eq!(archive.rows("SELECT outcome, COUNT(*) FROM sightings GROUP BY outcome"), ["stored|5"]);
}

#[test]
fn a_list_takes_names_as_they_are_and_as_they_are_printed_and_follows_no_link() {
    let (archive, drive, elsewhere) = (Archive::new(), scratch(), scratch());
    let names = ["two\nlines", "100%", "100%25", "50%41"];
    for (i, name) in names.iter().enumerate() {
        fs::write(drive.path().join(name), format!("file {i}")).unwrap();
    }
    fs::write(elsewhere.path().join("theirs"), "not ours").unwrap();
    std::os::unix::fs::symlink(elsewhere.path(), drive.path().join("link")).unwrap();
    let list = archive.root().join("list");
    let ingest = |text: &str| {
        fs::write(&list, text).unwrap();
        let words = [OsStr::new("ingest"), drive.path().as_os_str(), OsStr::new("--files-from"), list.as_os_str()];
        archive.run(words)
    };
    let taken = || archive.rows("SELECT path FROM sightings ORDER BY path");
    ingest("two%0Alines\n50%2541\n").ends(0);
    assert_eq!(taken(), ["50%2541", "two%0Alines"]);
    // What is there as it is written is meant so.
    ingest("100%25\n").ends(0);
    assert_eq!(taken(), ["100%2525", "50%2541", "two%0Alines"]);
    ingest("link/theirs\n").ends(1).says("failed: the list names link/theirs");
    assert_eq!(taken().len(), 3);
}

#[test]
fn a_run_keeps_to_its_rate_and_to_its_time() {
    let drive = scratch();
    (0..8).for_each(|i| write(drive.path(), &format!("{i}.bin"), &noise(70 << 17, i + 1)));
    let archive = Archive::new();
    let began = Instant::now();
    let words = ["ingest", "--max-rate", "20M", "--for", "1s", "--workers", "1"].map(OsStr::new);
    let ran = archive.run(words.into_iter().chain([drive.path().as_os_str()]));
    // 70 MiB in all, of which no second job is begun.
    assert!(began.elapsed() > Duration::from_millis(900), "{:?}", began.elapsed());
    let stored: u64 = archive.rows("SELECT COALESCE(SUM(bytes), 0) FROM masters")[0].parse().unwrap();
    let rate = stored as f64 / began.elapsed().as_secs_f64();
    assert!(rate < 24e6, "{rate} bytes a second");
    match ran.code {
        0 => assert_eq!(stored, 8 * (70 << 17)),
        3 => drop(ran.says("is up")),
        code => panic!("exit {code}"),
    }
    archive.ingest(drive.path()).0.ends(0);
    let words = ["ingest", "--max-rate", "fast"].map(OsStr::new);
    archive.run(words.into_iter().chain([drive.path().as_os_str()])).ends(2).says("such as 80M");
}

#[test]
fn names_that_differ_in_case_or_composition_are_kept_and_told() {
    let drive = scratch();
    write(drive.path(), "A.bin", &noise(100, 1));
    write(drive.path(), "a.bin", &noise(100, 2));
    write(drive.path(), "caf\u{e9}.bin", &noise(100, 3));
    write(drive.path(), "cafe\u{301}.bin", &noise(100, 4));
    let archive = Archive::new();
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0).says("4 stored").says("2 names are like another but for case or composition");
    assert_eq!(outcome(&report, "a.bin").1, "its name is like that of A.bin but for case or composition");
}

#[test]
fn equal_files_are_taken_one_after_the_other_so_that_one_is_sent() {
    let drive = scratch();
    for name in ["a.bin", "b/copy of a.bin", "c.bin"] {
        write(drive.path(), name, &noise(65 << 20, u64::from(name == "c.bin") + 1));
    }
    let archive = Archive::new();
    let (ran, report) = archive.ingest(drive.path());
    ran.ends(0);
    assert_eq!(outcome(&report, "b/copy of a.bin").0, "duplicate");
    // Large files are jobs of their own, but for those that look the same.
    assert_eq!(archive.rows("SELECT COUNT(*) FROM jobs"), ["2"]);
    // On another drive, a copy is known before it is sent.
    let other = scratch();
    write(other.path(), "again.bin", &noise(65 << 20, 1));
    let (ran, report) = archive.ingest(other.path());
    ran.ends(0);
    assert_eq!(outcome(&report, "again.bin").0, "duplicate");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM masters"), ["2"]);
}

#[test]
fn a_sidecar_that_was_first_does_not_stand_in_the_way_of_its_main_file() {
    let drive = scratch();
    write(drive.path(), "film.mov", &noise(2 << 20, 1));
    write(drive.path(), "film.xmp", b"<x:xmpmeta/>");
    let archive = Archive::new();
    let plan = archive.run([OsStr::new("ingest"), "--exclude".as_ref(), "*.mov".as_ref(), drive.path().as_os_str()]);
    plan.ends(0);
    archive.ingest(drive.path()).0.ends(0);
    assert_eq!(archive.rows("SELECT outcome, COUNT(*) FROM sightings GROUP BY 1"), ["stored|2"]);
    archive.run(["verify"]).ends(0).says("2 sound, 0 not");
}

#[test]
fn what_the_store_has_lost_is_told_everywhere_and_taken_in_again() {
    let drive = scratch();
    write(drive.path(), "large.bin", &noise(2 << 20, 1));
    (0..3).for_each(|i| write(drive.path(), &format!("{i}.bin"), &noise(1000, 10 + i)));
    let archive = Archive::new();
    archive.ingest(drive.path()).0.ends(0);
    for key in archive
        .rows("SELECT key FROM masters WHERE bytes > 1000 UNION ALL SELECT MIN(key) FROM masters WHERE bytes = 1000")
    {
        fs::remove_file(archive.store().join(key)).unwrap();
    }
    archive.run(["verify"]).ends(1).says("2 sound, 2 not");
    let certify = || archive.run([OsStr::new("certificate"), drive.path().as_os_str()]);
    certify().ends(1).says("NOT COMPLETE");
    let copy = scratch();
    write(copy.path(), "copy.bin", &noise(2 << 20, 1));
    let (ran, report) = archive.ingest(copy.path());
    ran.ends(0);
    assert_eq!(outcome(&report, "copy.bin").0, "stored", "what is lost is no reason to keep a copy out");
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["verify"]).ends(0).says("4 sound, 0 not");
    certify().ends(0);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM assets"), ["4"]);
    archive.ingest(drive.path()).0.ends(0).says("nothing to do");
}
