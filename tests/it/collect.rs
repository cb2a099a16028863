//! What runs leave that were killed: told from what is the archive's and from what is others', and removed if nothing is
//! lost by it.

use std::{ffi::OsStr, fs, path::Path, process::Stdio, time::Duration};

use damctl::{model::AssetId, store::ocfl};

use crate::{
    harness::{self, Archive, Ran, picture, scratch},
    s3::{self, large},
};

fn ingest(archive: &Archive, drive: &Path, crash_at: &str) -> Ran {
    let mut command = archive.command([OsStr::new("ingest"), drive.as_os_str()]);
    command.env("DAMCTL_CRASH_AT", crash_at).output().unwrap().into()
}

fn objects(archive: &Archive) -> usize {
    harness::tree(&archive.store()).iter().filter(|l| l.contains("/0=ocfl_object_1.1 ")).count()
}

#[test]
fn a_file_that_is_touched_and_touched_back_leaves_nothing_in_the_store() {
    let (archive, drive) = (Archive::new(), scratch());
    let file = drive.path().join("a.txt");
    fs::write(&file, "words").unwrap();
    fs::write(drive.path().join("b.txt"), "more words").unwrap();
    archive.ingest(drive.path()).0.ends(0);
    let then = fs::metadata(&file).unwrap().modified().unwrap();
    for time in [then + Duration::from_secs(60), then] {
        fs::File::open(&file).unwrap().set_times(fs::FileTimes::new().set_modified(time)).unwrap();
        archive.ingest(drive.path()).0.ends(0);
        assert_eq!(objects(&archive), 1);
    }
    archive.run(["collect", "--days", "0", "--yes"]).ends(0).says("nothing that the catalog does not know");
}

#[test]
fn what_the_archive_has_elsewhere_is_removed_and_the_only_copy_stays() {
    let (archive, first, second) = (Archive::new(), scratch(), scratch());
    large(&first.path().join("a.bin"), 2, 1);
    large(&first.path().join("only.bin"), 3, 2);
    assert_eq!(ingest(&archive, first.path(), "ingest.after-commit").code, 128 + 9);
    let left = objects(&archive);
    assert!(left > 0);
    fs::copy(first.path().join("a.bin"), second.path().join("a.bin")).unwrap();
    archive.ingest(second.path()).0.ends(0);
    assert_eq!(objects(&archive), left + 1);
    // Of the first drive nothing will be asked again.
    let collect = |more: &[&str]| archive.run([&["collect", "--days", "0"], more].concat());
    collect(&["--yes"]).ends(0).says("nothing that the catalog does not know is to be removed");
    archive.catalog().execute("DELETE FROM jobs WHERE state <> 'done'", []).unwrap();
    archive.run(["collect"]).ends(0).says("nothing that the catalog does not know is to be removed");
    collect(&["--dry-run"])
        .ends(0)
        .says("would remove 1 object(s)")
        .says("it stays, for the archive has its bytes nowhere else");
    assert_eq!(objects(&archive), left + 1);
    collect(&["--yes"]).ends(0).says("1 object(s) that the catalog does not know removed");
    assert_eq!(objects(&archive), left);
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
    // It is found again.
    archive.ingest(first.path()).0.ends(0);
    assert_eq!(objects(&archive), left);
    archive.run(["verify"]).ends(0).says("2 sound, 0 not");
    collect(&["--yes"]).ends(0).says("nothing that the catalog does not know");
}

#[test]
fn what_is_not_ours_is_left_and_what_was_never_complete_is_not() {
    let (archive, drive) = (Archive::new(), scratch());
    picture(&drive.path().join("a.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode"]).ends(0);
    let write = |path: &str| {
        let path = archive.store().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, "theirs").unwrap();
    };
    let theirs =
        ["masters/notes.txt", "masters/abc/def/v1/content/x", "renditions/web/page.html", "delivery/a/b/c/d/e@1/f"];
    theirs.into_iter().for_each(write);
    let root = ocfl::object_root(AssetId::derived(&["nobody's"])).unwrap();
    write(&format!("{root}/v1/content/half"));
    let prefix = archive.rows("SELECT prefix FROM renditions WHERE entry = 'thumb_300'")[0].clone();
    archive.catalog().execute("DELETE FROM renditions WHERE entry = 'thumb_300'", []).unwrap();
    let ran = archive.run(["collect", "--days", "0", "--yes"]).ends(0);
    let ran = ran.says(&format!("{root} (1 file(s)")).says(&prefix);
    ran.says("2 object(s) that the catalog does not know removed");
    let left = harness::tree(&archive.store());
    assert!(theirs.iter().all(|path| left.iter().any(|l| l.starts_with(path))), "{left:#?}");
    assert!(!left.iter().any(|l| l.contains("half") || l.starts_with(&prefix)), "{left:#?}");
    archive.run(["verify"]).ends(0).says(" 0 not");
    archive.run(["transcode"]).ends(0).says("1 of 1 master(s) rendered");
}

#[test]
fn an_upload_that_somebody_is_at_work_on_is_not_given_up_whatever_its_age() {
    let Some(archive) = s3::archive("s3_in_flight: 1\n") else { return };
    let drive = scratch();
    large(&drive.path().join("long.bin"), 30, 3);
    let words = [OsStr::new("ingest"), drive.path().as_os_str(), OsStr::new("--max-rate"), OsStr::new("8M")];
    let run = archive.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let began = std::time::Instant::now();
    while archive.rows("SELECT hashed FROM uploads WHERE hashed > 0").is_empty() && began.elapsed().as_secs() < 30 {
        std::thread::sleep(Duration::from_millis(20));
    }
    archive.run(["collect", "--days", "0", "--yes"]).ends(0).says("no upload is older than 0 day(s)");
    let ran = Ran::from(run.wait_with_output().unwrap()).ends(0);
    assert!(!ran.stderr.contains("given up") && !ran.stderr.contains("starting over"), "{}", ran.stderr);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM attempts"), ["1"]);
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
}

#[test]
fn buckets_are_searched_like_folders() {
    let Some(archive) = s3::archive("") else { return };
    let (first, second) = (scratch(), scratch());
    large(&first.path().join("a.bin"), 2, 1);
    assert_eq!(ingest(&archive, first.path(), "ingest.after-commit").code, 128 + 9);
    fs::copy(first.path().join("a.bin"), second.path().join("a.bin")).unwrap();
    archive.ingest(second.path()).0.ends(0);
    archive.catalog().execute("DELETE FROM jobs WHERE state <> 'done'", []).unwrap();
    archive.run(["collect", "--days", "0", "--yes"]).ends(0).says("1 object(s) that the catalog does not know removed");
    archive.run(["collect", "--days", "0", "--yes"]).ends(0).says("nothing that the catalog does not know");
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
}

/// An archive of one picture; what SQL says of it makes days pass.
fn archive_of_one(keep: &str) -> (Archive, tempfile::TempDir) {
    let (archive, drive) = (Archive::new(), scratch());
    fs::write(archive.root().join("damctl.yaml"), keep).unwrap();
    picture(&drive.path().join("a.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode"]).ends(0);
    (archive, drive)
}

/// Prefixes of renditions that the store has.
fn prefixes(archive: &Archive) -> std::collections::BTreeSet<String> {
    let all = harness::tree(&archive.store()).into_iter().filter(|l| l.starts_with("renditions/"));
    all.map(|l| l.rsplit_once('/').unwrap().0.to_owned()).collect()
}

fn sql(archive: &Archive, statement: &str) {
    archive.catalog().execute(statement, []).unwrap();
}

#[test]
fn old_renditions_are_marked_first_removed_an_hour_later_and_come_back_for_who_asks() {
    let (archive, _drive) = archive_of_one("keep: thumb_300 180d, web* 60d\n");
    let all = prefixes(&archive);
    archive.run(["collect"]).ends(0);
    sql(&archive, "UPDATE renditions SET created_at = created_at - 181 * 86400000");
    archive.run(["collect"]).ends(0).says("would mark 1 rendition(s)").says("older than 180 days");
    archive.run(["collect", "--dry-run"]).ends(0).says("would mark 1 rendition(s)");
    assert_eq!(
        (prefixes(&archive), archive.rows("SELECT COUNT(*) FROM tombstones")),
        (all.clone(), vec!["0".to_owned()])
    );
    archive.run(["collect", "--yes", "--days", "0"]).ends(0).says("1 rendition(s) marked");
    // Nobody is given it any more; who has it open reads on.
    assert_eq!(archive.rows("SELECT COUNT(*) FROM renditions WHERE entry = 'thumb_300'"), ["0"]);
    assert_eq!(prefixes(&archive), all);
    archive.run(["transcode"]).ends(0).says("nothing to do");
    sql(&archive, "UPDATE tombstones SET marked_at = marked_at - 3601000");
    archive.run(["collect", "--yes"]).ends(0).says("1 marked rendition(s) removed");
    let left = prefixes(&archive);
    assert_eq!(all.difference(&left).filter(|p| p.contains("thumb_300")).count(), 1);
    assert_eq!(left.len(), all.len() - 1);
    archive.run(["transcode"]).ends(0).says("nothing to do");
    let asset = archive.rows("SELECT id FROM assets")[0].clone();
    archive.run(["transcode", "--asset", &asset]).ends(0).says("1 of 1 master(s) rendered");
    assert_eq!(prefixes(&archive), all);
    archive.run(["verify"]).ends(0).says(" 0 not");
    archive.run(["config", "show"]).ends(0).says("thumb_300 180d");
    fs::write(archive.root().join("damctl.yaml"), "keep: \"* 1d\"\n").unwrap();
    archive.run(["collect"]).ends(2).says("'* 1d' is no time to keep entries for");
}

#[test]
fn a_clean_up_that_is_killed_at_any_step_ends_the_same_when_it_is_run_again() {
    for point in ["collect.after-mark", "collect.before-remove", "collect.after-remove"] {
        let (archive, _drive) = archive_of_one("keep: thumb* 30d\n");
        let all = prefixes(&archive);
        sql(&archive, "UPDATE renditions SET created_at = created_at - 31 * 86400000");
        let mut command = archive.command(["collect", "--yes", "--now"]);
        assert_eq!(Ran::from(command.env("DAMCTL_CRASH_AT", point).output().unwrap()).code, 128 + 9, "{point}");
        // What is half gone is made anew by nobody, or whole.
        let asset = archive.rows("SELECT id FROM assets")[0].clone();
        if point == "collect.before-remove" {
            archive.run(["transcode", "--asset", &asset]).ends(0);
        }
        archive.run(["collect", "--yes", "--now"]).ends(0);
        assert_eq!(archive.rows("SELECT COUNT(*) FROM tombstones"), ["0"], "{point}");
        archive.run(["verify"]).ends(0).says(" 0 not");
        let known: std::collections::BTreeSet<String> =
            archive.rows("SELECT prefix FROM renditions").into_iter().collect();
        assert_eq!(prefixes(&archive), known, "{point}");
        assert!(all.is_superset(&known) && known.len() < all.len(), "{point}: {known:?}");
        assert_eq!(objects(&archive), 1);
    }
}

#[test]
fn renditions_of_replaced_generations_and_of_earlier_recipes_go_after_their_grace_and_what_is_shown_stays() {
    let (archive, drive) = archive_of_one("");
    let asset = archive.rows("SELECT id FROM assets")[0].clone();
    let new = drive.path().join("new.png");
    picture(&new, 5);
    archive.run([OsStr::new("replace"), OsStr::new(&asset), new.as_os_str()]).ends(0);
    let both = prefixes(&archive);
    archive.run(["collect", "--yes", "--now"]).ends(0);
    assert_eq!(prefixes(&archive), both, "they are kept for seven days");
    sql(&archive, "UPDATE superseded SET at = at - 8 * 86400000");
    archive.run(["collect"]).ends(0).says("its generation was replaced");
    archive.run(["collect", "--yes", "--now"]).ends(0).says("removed");
    let shown: std::collections::BTreeSet<String> =
        archive.rows("SELECT prefix FROM renditions WHERE active = 1").into_iter().collect();
    assert_eq!(prefixes(&archive), shown);
    assert_eq!(shown.len() * 2, both.len());
    // What is brought back is made again.
    archive.run(["rollback", &asset]).ends(0);
    archive.run(["transcode"]).ends(0).says("1 of 1 master(s) rendered");
    assert_eq!(prefixes(&archive), both);
    archive.run(["verify"]).ends(0).says(" 0 not");
}

#[test]
fn what_waits_in_vain_is_told() {
    let (archive, drive) = (Archive::new(), scratch());
    picture(&drive.path().join("a.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode", "--enqueue"]).ends(0);
    let ran = archive.run(["collect"]).ends(0);
    assert!(!ran.stdout.contains("stuck"), "{}", ran.stdout);
    sql(&archive, "UPDATE jobs SET updated_at = updated_at - 16 * 60000 WHERE stage = 'transcode'");
    archive.run(["collect"]).ends(0).says("stuck: 1 of 1 waiting transcode job(s)");
    for n in 1..=8 {
        let add =
            "INSERT INTO attempts SELECT id, 100 + ?1, 'w', 1, 2, 'released', NULL FROM jobs WHERE stage = 'transcode'";
        archive.catalog().execute(add, [n]).unwrap();
    }
    archive.run(["collect"]).ends(0).says("was given back or tried again 8 times");
}
