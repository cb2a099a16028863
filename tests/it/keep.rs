//! Generations: what is shown while another file takes an asset's place, what comes back, and what kills leave. And that
//! what lies in the store is OCFL to a program that damctl is no part of.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use crate::harness::{self, Archive, Ran, picture, repository, scratch};

/// An archive of one picture with all its renditions; its asset's id.
fn archive_of_one() -> (Archive, tempfile::TempDir, String) {
    let (archive, drive) = (Archive::new(), scratch());
    picture(&drive.path().join("a.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode"]).ends(0);
    let asset = archive.rows("SELECT id FROM assets")[0].clone();
    (archive, drive, asset)
}

fn replace(archive: &Archive, asset: &str, file: &Path, more: &[&str]) -> Ran {
    let words = [OsStr::new("replace"), OsStr::new(asset), file.as_os_str()];
    archive.run(words.into_iter().chain(more.iter().map(OsStr::new)))
}

/// Active generation; of the active renditions, how many there are of which master.
fn shown(archive: &Archive) -> (String, Vec<String>) {
    let sql = "SELECT substr(master, 1, 8) || ' ' || COUNT(*) FROM renditions WHERE active = 1 GROUP BY master";
    (archive.rows("SELECT generation FROM assets")[0].clone(), archive.rows(sql))
}

/// The first digits of a file's digest, as `shown` tells them.
fn digits(file: &Path) -> String {
    damctl::digest::Digest::of(fs::read(file).unwrap()).to_string()[..8].to_owned()
}

/// What a validator says that the project did not write (`scripts/setup test` builds it). None where it is not to be had.
pub fn validate(store: &Path) -> Option<String> {
    let rocfl = repository("target/test-tools/bin/rocfl");
    if !rocfl.is_file() {
        eprintln!("skipped: {} is not here; 'scripts/setup test' builds it", rocfl.display());
        return None;
    }
    let out = Command::new(rocfl).arg("--root").arg(store.join("masters")).arg("validate").output().unwrap();
    let said = format!("{}{}", String::from_utf8_lossy(&out.stdout), String::from_utf8_lossy(&out.stderr));
    assert!(out.status.success(), "{said}");
    Some(said)
}

#[test]
fn the_old_generation_is_shown_until_all_of_the_new_one_is_there_and_then_at_once_the_new_one() {
    let (archive, drive, asset) = archive_of_one();
    let (old, files) = (drive.path().join("a.png"), scratch());
    let new = files.path().join("b.png");
    picture(&new, 2);
    let (generation, before) = shown(&archive);
    assert_eq!((generation.as_str(), before.len()), ("1", 1));
    replace(&archive, &asset, &new, &["--no-wait"]).ends(0).says("generation 2").says("waits");
    assert_eq!(shown(&archive), ("1".to_owned(), before.clone()));
    archive.run(["status"]).ends(0).says(&format!("replacing  {asset} by generation 2, which lacks "));
    // The same again is the same.
    replace(&archive, &asset, &new, &["--no-wait"]).ends(0).says("waits");
    let other = new.with_file_name("c.png");
    picture(&other, 3);
    replace(&archive, &asset, &other, &["--no-wait"]).ends(1).says("waits already");
    archive.run(["transcode"]).ends(0);
    let (generation, after) = shown(&archive);
    assert_eq!(generation, "2");
    assert_eq!(after, [before[0].replace(&digits(&old), &digits(&new))]);
    let kinds = archive.rows("SELECT kind FROM events WHERE kind LIKE 'asset.repl%' ORDER BY seq");
    assert_eq!(kinds, ["asset.replacing", "asset.replaced"]);
    archive.run(["transcode"]).ends(0).says("nothing to do");
    archive.run(["verify"]).ends(0).says(" 0 not");
    // The file on the drive is still known: as what the asset was.
    archive.ingest(drive.path()).0.ends(0);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM assets"), ["1"]);
}

#[test]
fn generations_are_versions_to_a_validator_of_others_and_earlier_ones_come_back() {
    let (archive, drive, asset) = archive_of_one();
    let files = scratch();
    let file = |seed: u8| -> PathBuf {
        let path = files.path().join(format!("größe {seed}%.png"));
        picture(&path, seed);
        path
    };
    replace(&archive, &asset, &file(2), &[]).ends(0).says("generation 2 of").says("is active");
    replace(&archive, &asset, &file(3), &[]).ends(0).says("generation 3 of");
    archive.run(["rollback", &asset]).ends(0).says("generation 4").says("it is generation 2 again");
    assert_eq!(shown(&archive).1.len(), 1);
    assert!(shown(&archive).1[0].starts_with(&digits(&file(2))));
    archive.run(["rollback", &asset, "--to", "1"]).ends(0).says("it is generation 1 again");
    assert!(shown(&archive).1[0].starts_with(&digits(&drive.path().join("a.png"))));
    replace(&archive, &asset, &file(3), &[]).ends(1).says("generation 3 of").says("--to 3");
    archive.run(["rollback", &asset, "--to", "9"]).ends(2).says("has no generation 9").says("it has 1, 2, 3, 4, 5");
    // The bytes of generation 2 are in the object once, and in two of its versions.
    let inventory = harness::tree(&archive.store()).into_iter().find(|l| l.contains("/v3/inventory.json "));
    let inventory = archive.store().join(inventory.unwrap().split(' ').next().unwrap());
    let inventory: serde_json::Value = serde_json::from_slice(&fs::read(inventory).unwrap()).unwrap();
    assert_eq!(inventory["head"], "v3");
    let of = damctl::digest::Digest::of(fs::read(file(2)).unwrap()).to_string();
    assert_eq!(inventory["manifest"][&of].as_array().unwrap().len(), 1);
    assert_eq!(inventory["versions"]["v1"]["state"], inventory["versions"]["v3"]["state"]);
    archive.run(["verify"]).ends(0).says(" 0 not");
    if let Some(said) = validate(&archive.store()) {
        // SHA-512 should be preferred; SHA-256 is what the archive's digests are.
        let odd: Vec<&str> = said.lines().filter(|l| l.contains("[W") && !l.contains("[W004]")).collect();
        assert!(odd.is_empty(), "{said}");
    }
}

#[test]
fn what_cannot_take_a_place_is_refused_and_nothing_changes() {
    let (archive, drive, asset) = archive_of_one();
    let files = scratch();
    let path = |name: &str| files.path().join(name);
    replace(&archive, &asset, &drive.path().join("a.png"), &[]).ends(0).says("nothing to do");
    picture(&path("other.png"), 9);
    archive.ingest(&path("other.png")).0.ends(0);
    let before = (shown(&archive), harness::tree(&archive.store()));
    replace(&archive, &asset, &path("other.png"), &[]).ends(1).says("has these bytes");
    fs::write(path("words.txt"), "Words.\n").unwrap();
    fs::write(path("empty.png"), "").unwrap();
    replace(&archive, &asset, &path("words.txt"), &[]).ends(2).says("is of kind 'other'").says("another asset");
    replace(&archive, &asset, &path("empty.png"), &[]).ends(2).says("is empty");
    replace(&archive, &asset, files.path(), &[]).ends(2).says("is not a file");
    replace(&archive, &asset, &path("gone.png"), &[]).ends(2).says("cannot open");
    replace(&archive, "01890a5d-ac96-774b-bcce-b302099a8057", &path("other.png"), &[])
        .ends(2)
        .says("there is no asset");
    archive.run(["rollback", &asset]).ends(2).says("no earlier generation");
    assert_eq!((shown(&archive), harness::tree(&archive.store())), before);
}

#[test]
fn a_file_that_cannot_be_rendered_leaves_the_old_one_where_it_is_and_says_so() {
    let (archive, _drive, asset) = archive_of_one();
    let files = scratch();
    let (good, bad) = (files.path().join("good.png"), files.path().join("bad.png"));
    picture(&good, 7);
    fs::write(&bad, &fs::read(&good).unwrap()[..300]).unwrap();
    let before = shown(&archive);
    let ran = replace(&archive, &asset, &bad, &[]).ends(1).says("generation 1 of").says("stays active");
    assert!(ran.stdout.contains("failed: a.png"), "{}", ran.stdout);
    assert_eq!(shown(&archive), before);
    archive.run(["status"]).ends(0).says("it stays as it is: ");
    archive.run(["transcode"]).ends(1);
    assert_eq!(shown(&archive), before);
    archive.run(["rollback", &asset]).ends(0).says("generation 2").says("given up");
    archive.run(["transcode"]).ends(0).says("nothing to do");
    replace(&archive, &asset, &good, &[]).ends(0).says("generation 3 of");
    // What was never shown is not what was shown before.
    archive.run(["rollback", &asset]).ends(0).says("it is generation 1 again");
    archive.run(["rollback", &asset]).ends(0).says("it is generation 3 again");
    validate(&archive.store());
}

#[test]
fn a_generation_that_waited_waits_in_a_catalog_that_is_made_of_the_store_and_takes_its_place() {
    let (archive, drive, asset) = archive_of_one();
    let new = drive.path().join("b.png");
    picture(&new, 2);
    replace(&archive, &asset, &new, &["--no-wait"]).ends(0).says("waits");
    fs::rename(archive.root().join("catalog.sqlite"), archive.root().join("lost.sqlite")).unwrap();
    archive.run(["catalog", "rebuild", "--from-store"]).ends(0);
    archive.run(["status"]).ends(0).says(&format!("replacing  {asset} by generation 2"));
    assert_eq!(shown(&archive).0, "1");
    archive.run(["transcode"]).ends(0);
    let (generation, renditions) = shown(&archive);
    assert_eq!((generation.as_str(), renditions.len()), ("2", 1));
    assert!(renditions[0].starts_with(&digits(&new)), "{renditions:?}");
}

#[test]
fn a_rollback_that_is_killed_is_given_again() {
    let (archive, _drive, asset) = archive_of_one();
    let files = scratch();
    for seed in [2, 3] {
        let file = files.path().join(format!("{seed}.png"));
        picture(&file, seed);
        replace(&archive, &asset, &file, &[]).ends(0);
    }
    let mut command = archive.command(["rollback", &asset]);
    let killed = Ran::from(command.env("DAMCTL_CRASH_AT", "rollback.before-catalog").output().unwrap());
    assert_eq!(killed.code, 128 + 9, "{}", killed.stderr);
    assert_eq!(shown(&archive).0, "3");
    archive.run(["rollback", &asset]).ends(0).says("it is generation 2 again");
    assert!(shown(&archive).1[0].starts_with(&digits(&files.path().join("2.png"))));
    archive.run(["verify"]).ends(0).says(" 0 not");
    validate(&archive.store());
}

#[test]
fn killed_at_any_point_and_given_again_a_replacement_ends_the_same() {
    let files = scratch();
    for (n, point) in [
        "replace.before-commit",
        "replace.after-commit",
        "replace.between-inventories",
        "replace.before-catalog",
        "replace.after-catalog",
        "work.before-settle",
        "work.after-settle",
        "transcode.after-commit",
        "record.before-catalog",
    ]
    .into_iter()
    .enumerate()
    {
        let (archive, _drive, asset) = archive_of_one();
        let file = |seed: u8| -> PathBuf {
            let path = files.path().join(format!("{seed}.png"));
            picture(&path, seed);
            path
        };
        replace(&archive, &asset, &file(100), &[]).ends(0);
        let new = file(101 + n as u8);
        let mut command = archive.command([OsStr::new("replace"), OsStr::new(&asset), new.as_os_str()]);
        let killed = Ran::from(command.env("DAMCTL_CRASH_AT", point).output().unwrap());
        assert_eq!(killed.code, 128 + 9, "{point} was never passed: {}", killed.stderr);
        // Either all of the one, or all of the other.
        let (generation, renditions) = shown(&archive);
        assert_eq!(renditions.len(), 1, "{point}: {renditions:?}");
        let of = if generation == "3" { &new } else { &file(100) };
        assert!(renditions[0].starts_with(&digits(of)), "{point}: {generation} {renditions:?}");
        let again = replace(&archive, &asset, &new, &[]).ends(0);
        assert!(
            again.stdout.contains("generation 3") || again.stdout.contains("has these bytes"),
            "{point}: {again:?}"
        );
        assert!(shown(&archive).1[0].starts_with(&digits(&new)), "{point}");
        archive.run(["transcode"]).ends(0).says("nothing to do");
        archive.run(["verify"]).ends(0).says(" 0 not");
        assert_eq!(archive.rows("SELECT COUNT(*) FROM events WHERE kind = 'asset.replaced'"), ["2"], "{point}");
        validate(&archive.store());
    }
}

#[test]
#[cfg(feature = "postgres")]
fn all_of_it_works_with_a_catalog_in_postgresql() {
    let Some(schema) = crate::postgres::schema() else { return };
    let (archive, drive, copies) = (Archive::new(), scratch(), scratch());
    let replicas = copies.path().display();
    let settings = format!("catalog: {}\nkeep: thumb_300 30d\nreplicas: {replicas}\n", schema.url());
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    harness::damctl([OsStr::new("init"), archive.root().as_os_str()]).ends(0);
    picture(&drive.path().join("a.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode"]).ends(0);
    let copy = |name: &str| {
        let file = archive.root().join(name);
        archive.run(["catalog".as_ref(), "copy".as_ref(), schema.url().as_ref(), file.as_os_str()]).ends(0);
        rusqlite::Connection::open(file).unwrap()
    };
    let asset = harness::rows(&copy("one.sqlite"), "SELECT id FROM assets")[0].clone();
    for seed in [2, 3] {
        let file = drive.path().join(format!("{seed}.png"));
        picture(&file, seed);
        replace(&archive, &asset, &file, &[]).ends(0).says("is active");
    }
    archive.run(["rollback", &asset]).ends(0).says("generation 4");
    archive.run(["replicate"]).ends(0);
    archive.run(["verify"]).ends(0).says(" 0 not");
    archive.run(["verify", "--older-than", "1d"]).ends(0).says("0 objects");
    let age = "UPDATE renditions SET created_at = created_at - 31 * CAST(86400000 AS BIGINT)";
    postgres::Client::connect(schema.url(), postgres::NoTls).unwrap().batch_execute(age).unwrap();
    archive
        .run(["collect", "--yes", "--now"])
        .ends(0)
        .says("3 rendition(s) marked")
        .says("3 marked rendition(s) removed");
    archive.run(["transcode"]).ends(0).says("nothing to do");
    archive.run(["store", "usage"]).ends(0).says("area        masters                           3");
    archive.run(["status"]).ends(0);
    let db = copy("two.sqlite");
    assert_eq!(harness::rows(&db, "SELECT generation FROM assets"), ["4"]);
    let shown = "SELECT DISTINCT master FROM renditions WHERE active = 1";
    assert!(harness::rows(&db, shown)[0].starts_with(&digits(&drive.path().join("2.png"))));
    validate(copies.path());
}
