//! What was looked at and when, what damage leads to, and copies: those that heal, and those that lie.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
};

use crate::{
    harness::{self, Archive, Ran, picture, scratch, tree},
    keep::validate,
    s3,
};

/// An archive of three files of their own objects, and a picture with its renditions; with these settings.
fn archive_of_four(settings: &str) -> Archive {
    let (archive, drive) = (Archive::new(), scratch());
    fs::write(archive.root().join("damctl.yaml"), settings).unwrap();
    for (n, name) in ["a", "b", "c"].iter().enumerate() {
        s3::large(&drive.path().join(format!("{name}.bin")), 2, 2 * n as u64 + 1);
    }
    picture(&drive.path().join("p.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode"]).ends(0);
    archive
}

fn key(archive: &Archive, name: &str) -> String {
    let sql = "SELECT m.key FROM masters m JOIN members b ON b.digest = m.digest WHERE b.name";
    archive.rows(&format!("{sql} = '{name}'"))[0].clone()
}

/// Another byte in the middle of a file.
fn rot(path: &Path) {
    let mut bytes = fs::read(path).unwrap();
    let at = bytes.len() / 2;
    bytes[at] ^= 1;
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

fn masters(root: &Path) -> Vec<String> {
    tree(&root.join("masters"))
}

#[test]
fn what_was_looked_at_longest_ago_is_looked_at_first() {
    let archive = archive_of_four("");
    let masters = |more: &[&str]| archive.run([&["verify", "--area", "masters"], more].concat());
    masters(&[]).ends(0).says("4 objects");
    masters(&["--older-than", "1d"]).ends(0).says("0 objects");
    archive
        .catalog()
        .execute("UPDATE fixity SET at = at - 2 * 86400000 WHERE key = ?1", [key(&archive, "b.bin")])
        .unwrap();
    masters(&["--older-than", "1d"]).ends(0).says("1 objects");
    // What one look at its head found sound was not read.
    masters(&["--level", "head"]).ends(0).says("4 objects");
    archive
        .catalog()
        .execute("UPDATE fixity SET at = at - 9 * 86400000 WHERE key = ?1 AND level = 'full'", [key(&archive, "c.bin")])
        .unwrap();
    masters(&["--older-than", "3d"]).ends(0).says("1 objects");
    // One file of 2 MiB fits, that of longest ago, and the small one that comes next; a share is of all.
    archive
        .catalog()
        .execute("UPDATE fixity SET at = at - 20 * 86400000 WHERE key = ?1", [key(&archive, "a.bin")])
        .unwrap();
    masters(&["--budget", "3.1MB"]).ends(0).says("2 objects, 2.00 MiB read");
    let history = archive.run(["verify", "--history", &key(&archive, "a.bin")]).ends(0).stdout;
    let levels: Vec<&str> = history.lines().map(|l| l.split_whitespace().nth(1).unwrap()).collect();
    assert_eq!(levels, ["full", "head", "full"], "{history}");
    masters(&["--share", "50%"]).ends(0).says("2 objects");
    masters(&["--location", &key(&archive, "c.bin")]).ends(0).says("1 objects");
    archive.run(["verify", "--collection", "none"]).ends(2).says("no asset is in the collection");
    masters(&["--rate", "4MB/s", "--location", &key(&archive, "c.bin")]).ends(0);
    masters(&["--share", "0%"]).ends(2);
    // Looks that found nothing are not kept for ever.
    for _ in 0..14 {
        archive.run(["verify", "--level", "head", "--location", &key(&archive, "c.bin")]).ends(0);
    }
    let kept = archive.run(["verify", "--history", &key(&archive, "c.bin")]).ends(0).stdout.lines().count();
    assert_eq!(kept, 12);
}

#[test]
fn damage_is_repaired_from_a_sound_copy_and_one_that_lies_is_told_and_not_used() {
    let (liar, sound) = (scratch(), scratch());
    let replicas = format!("{}, {}", liar.path().display(), sound.path().display());
    let archive = archive_of_four(&format!("replicas: {replicas}\n"));
    archive.run(["replicate"]).ends(0).says("0 could not be copied");
    let before = masters(&archive.store());
    assert_eq!((masters(liar.path()), masters(sound.path())), (before.clone(), before.clone()));
    let [a, b, c] = ["a.bin", "b.bin", "c.bin"].map(|name| key(&archive, name));
    let at = |key: &str| -> PathBuf { archive.store().join(key) };
    rot(&at(&a));
    fs::remove_file(at(&b)).unwrap();
    let inventory = at(c.split("/v1/").next().unwrap()).join("inventory.json");
    fs::remove_file(&inventory).unwrap();
    fs::write(&inventory, "{}").unwrap();
    rot(&liar.path().join(&a));
    let ran = archive.run(["verify"]).ends(0).says("; 3 repaired").says(" 0 not");
    let copy = format!("copy: {a}: the copy in {} has other bytes, and was not used", liar.path().display());
    assert!(ran.stdout.contains(&copy), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("damaged: {a}: SHA-256 is ")), "{}", ran.stdout);
    assert!(ran.stdout.contains(&format!("repaired from {}", sound.path().display())), "{}", ran.stdout);
    assert_eq!(masters(&archive.store()), before);
    assert_eq!(archive.rows("SELECT kind FROM events WHERE kind LIKE 'asset.repaired'").len(), 3);
    archive.run(["verify"]).ends(0).says(" 0 not");
    // Nobody has the bytes: it is told, and nothing is made up.
    for root in [archive.store(), liar.path().to_owned(), sound.path().to_owned()] {
        rot(&root.join(&b));
    }
    archive.run(["verify"]).ends(1).says(" 1 not");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM masters WHERE confirmed_at IS NULL"), ["1"]);
    assert_eq!(archive.rows("SELECT kind FROM events WHERE kind = 'asset.damaged'").len(), 1);
    // A liar is made good by reading it.
    archive.run(["replicate"]).ends(0).says("0 of them in the place of others");
    let ran = archive.run(["replicate", "--verify"]).ends(1).says(&format!("{b}: the store's own copy is damaged"));
    assert!(ran.stdout.contains("1 of them in the place of others"), "{}", ran.stdout);
    assert_eq!(fs::read(liar.path().join(&a)).unwrap(), fs::read(at(&a)).unwrap());
}

#[test]
fn a_damaged_rendition_is_handed_out_no_more_until_it_is_made_again() {
    let archive = archive_of_four("");
    let sql = "SELECT prefix || '/' || json_extract(files, '$[0].name') FROM renditions WHERE entry = 'thumb_300'";
    rot(&archive.store().join(&archive.rows(sql)[0]));
    archive.run(["verify"]).ends(1).says(" 1 not");
    let active = "SELECT active FROM renditions WHERE entry = 'thumb_300'";
    assert_eq!(archive.rows(active), ["0"]);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM events WHERE kind = 'rendition.damaged'"), ["1"]);
    archive.run(["verify", "--drop"]).ends(1).says("1 rendition(s) taken out");
    archive.run(["transcode"]).ends(0);
    assert_eq!(archive.rows(active), ["1"]);
    archive.run(["verify"]).ends(0);
}

#[test]
fn a_copy_that_is_cut_off_is_gone_on_with_and_new_versions_follow() {
    for point in ["replicate.after-copy", "replicate.before-inventory"] {
        let copy = scratch();
        let archive = archive_of_four(&format!("replicas: {}\n", copy.path().display()));
        let mut command = archive.command(["replicate"]);
        let killed = Ran::from(command.env("DAMCTL_CRASH_AT", format!("{point}:2")).output().unwrap());
        assert_eq!(killed.code, 128 + 9, "{point}: {}", killed.stderr);
        archive.run(["replicate"]).ends(0);
        assert_eq!(masters(copy.path()), masters(&archive.store()), "{point}");
        archive.run(["replicate"]).ends(0).says(": 0 file(s) copied (0 B)");
        let asset = archive.rows("SELECT id FROM assets WHERE title = 'p.png'")[0].clone();
        let files = scratch();
        for seed in [8, 9] {
            let file = files.path().join(format!("{seed}.png"));
            picture(&file, seed);
            archive.run([OsStr::new("replace"), OsStr::new(&asset), file.as_os_str()]).ends(0);
            archive.run(["replicate"]).ends(0);
        }
        archive.run(["rollback", &asset]).ends(0);
        archive.run(["replicate"]).ends(0);
        assert_eq!(masters(copy.path()), masters(&archive.store()), "{point}");
        validate(copy.path());
    }
}

#[test]
fn a_disk_of_copies_that_is_not_there_pauses_and_is_not_made() {
    let archive = archive_of_four("replicas: gone\n");
    archive.run(["replicate"]).ends(3).says("is not there");
    archive.run(["verify"]).ends(0).says("nothing is repaired: ").says(" 0 not");
    assert!(!archive.root().join("gone").exists());
    fs::write(archive.root().join("damctl.yaml"), "").unwrap();
    archive.run(["replicate"]).ends(2).says("this archive has no replicas");
}

#[test]
fn buckets_are_repaired_from_a_folder_and_copied_to_a_bucket() {
    let copy = scratch();
    let prefix = uuid::Uuid::now_v7();
    let replicas = format!("replicas: {}, s3://suite/{prefix}\n", copy.path().display());
    let Some(archive) = s3::archive(&replicas) else { return };
    let drive = scratch();
    s3::large(&drive.path().join("long.bin"), 12, 3);
    picture(&drive.path().join("p.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["replicate"]).ends(0);
    archive.run(["replicate", "--verify"]).ends(0).says(": 0 file(s) copied (0 B)");
    validate(copy.path());
    // The bucket's own object is lost: by another store's hand.
    let key = key(&archive, "long.bin");
    let config = fs::read_to_string(archive.root().join("damctl.yaml")).unwrap();
    let place = config.lines().find_map(|l| l.strip_prefix("store: s3://suite/")).unwrap().to_owned();
    let at = ("suite".to_owned(), place);
    let store = damctl::store::S3Store::open(damctl::store::S3Config {
        endpoint: harness::s3_endpoint(),
        path_style: true,
        places: [at.clone(), at.clone(), at],
        part_bytes: 5 << 20,
        in_flight: 2,
        ..Default::default()
    })
    .unwrap();
    use damctl::store::Store as _;
    store.rewrite(&key.parse().unwrap(), b"short").unwrap();
    archive.run(["verify"]).ends(0).says("SHA-256 is ").says("1 repaired");
    archive.run(["verify"]).ends(0).says("2 sound, 0 not");
}
