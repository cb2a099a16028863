//! A catalog that is lost is made again from the store alone, and told apart from what it was table by table.

use std::{collections::BTreeMap, fs, path::Path};

use damctl::{
    catalog::{Catalog, Edit},
    model::{Description, Rights},
};

use crate::{
    harness::{self, Archive, Ran, picture, scratch},
    keep::validate,
    s3,
};

/// Every table that is to come back, row by row, without what may differ:
/// - masters.confirmed_at and drives.seen_at, drives.bytes: when somebody looked at them last, and how large the disk was;
/// - sightings of no asset (junk, links, empty and unreadable files): the next look at the drive finds them again;
/// - findings of models: `enrich` learns them again;
/// - jobs, attempts, events, tokens, indexes and feeds: what was done, and by whom, is the catalog's own.
fn tables(archive: &Archive) -> BTreeMap<&'static str, Vec<String>> {
    [
        ("drives", "SELECT id, identity, label, root, fs_uuid, serial, created_at FROM drives ORDER BY id"),
        ("assets", "SELECT * FROM assets ORDER BY id"),
        ("masters", "SELECT digest, bytes, key, facts, fingerprint FROM masters ORDER BY digest"),
        ("members", "SELECT * FROM members ORDER BY asset, generation, digest"),
        ("sightings", "SELECT * FROM sightings WHERE asset IS NOT NULL ORDER BY drive, path"),
        ("descriptions", "SELECT * FROM descriptions ORDER BY asset"),
        ("renditions", "SELECT * FROM renditions ORDER BY master, entry, recipe"),
        (
            "findings",
            "SELECT master, kind, track, recipe, language, source, items, active FROM findings WHERE by_hand = 1 ORDER BY 1, 2, 3",
        ),
    ]
    .into_iter()
    .map(|(table, sql)| (table, archive.rows(sql)))
    .collect()
}

fn lose_catalog(archive: &Archive) {
    for end in ["", "-wal", "-shm"] {
        fs::remove_file(archive.root().join(format!("catalog.sqlite{end}"))).ok();
    }
}

fn rebuild(archive: &Archive) -> Ran {
    archive.run(["catalog", "rebuild", "--from-store"])
}

/// Says something of an asset, as an editor does over HTTP.
fn describe(archive: &Archive, asset: &str, text: &str) {
    let catalog = Catalog::open_sqlite(&archive.root().join("catalog.sqlite")).unwrap();
    let description = Description {
        text: Some(text.to_owned()),
        tags: vec!["Küste".to_owned()],
        rights: Rights { license: Some("CC BY 4.0".to_owned()), ..Rights::default() },
        ..Description::default()
    };
    let edit = Edit { title: Some(format!("Title of {text}")), collection: None, description: Some(description) };
    catalog.describe(asset.parse().unwrap(), &edit, None, "test").unwrap();
}

#[test]
fn a_lost_catalog_comes_back_row_by_row() {
    let archive = Archive::finished();
    let second = scratch();
    // A copy on another drive, words of an editor, subtitles of a person, a replacement, and a step back.
    fs::copy(harness::drive().join("logo_alpha.png"), second.path().join("the same.png")).ok();
    picture(&second.path().join("mine.png"), 77);
    archive.ingest(second.path()).0.ends(0);
    archive.run(["transcode"]);
    let asset = archive.rows("SELECT id FROM assets WHERE title = 'mine.png'")[0].clone();
    describe(&archive, &asset, "first");
    archive.run(["catalog", "record"]).ends(0).says("1 record(s) written");
    describe(&archive, &asset, "second");
    for seed in [78, 79] {
        let file = second.path().join(format!("{seed}.png"));
        picture(&file, seed);
        archive.run(["replace".as_ref(), asset.as_ref(), file.as_os_str()]).ends(0);
    }
    archive.run(["rollback", &asset]).ends(0).says("it is generation 2 again");
    let before = tables(&archive);
    assert!(before["assets"].len() > 10 && before["renditions"].len() > 20 && before["descriptions"].len() == 1);
    rebuild(&archive).ends(1).says("the catalog is not empty");
    assert_eq!(tables(&archive), before);
    let stored = harness::tree(&archive.store());
    lose_catalog(&archive);
    rebuild(&archive).ends(0).says(" 0 finding(s)");
    let after = tables(&archive);
    for (table, rows) in &before {
        assert_eq!(rows, &after[table], "{table}");
    }
    assert_eq!(harness::tree(&archive.store()), stored, "nothing was written into the store");
    archive.run(["verify"]).ends(0).says(" 0 not");
    archive.run(["catalog", "record"]).ends(0).says("0 record(s) written");
    archive.run(["index"]).ends(0);
    assert_eq!(archive.hit("Küste")["asset"], asset.as_str());
    assert!(archive.run(["transcode"]).stdout.contains("present"), "nothing is made that was there");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM renditions"), [before["renditions"].len().to_string()]);
    validate(&archive.store());
}

/// The path of a file of the store by a query for its key.
fn stored(archive: &Archive, sql: &str) -> std::path::PathBuf {
    archive.store().join(&archive.rows(sql)[0])
}

fn write_over(path: &Path, bytes: &[u8]) {
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn what_is_damaged_missing_or_unknown_is_named_and_the_rest_is_rebuilt() {
    let (archive, drive) = (Archive::new(), scratch());
    // Large enough for objects of their own.
    for (seed, name) in ["a", "b", "c", "d", "e", "f"].iter().enumerate() {
        s3::large(&drive.path().join(format!("{name}.bin")), 2, seed as u64 * 2 + 1);
    }
    archive.ingest(drive.path()).0.ends(0);
    let key = |name: &str| {
        let sql = "SELECT m.key FROM masters m JOIN members b ON b.digest = m.digest WHERE b.name";
        stored(&archive, &format!("{sql} = '{name}.bin'"))
    };
    let object = |name: &str| key(name).ancestors().nth(3).unwrap().to_owned();
    let id = |name: &str| archive.rows(&format!("SELECT id FROM assets WHERE title = '{name}.bin'"))[0].clone();
    let ids: Vec<String> = ["a", "b", "c", "d", "e", "f"].map(id).into();
    // Gone, short, an inventory that somebody changed, a record that is rotten, no record, and a stranger.
    fs::remove_file(key("a")).unwrap();
    let bytes = fs::read(key("b")).unwrap();
    write_over(&key("b"), &bytes[1..]);
    write_over(&object("c").join("inventory.json"), b"{}");
    let record = |name: &str| {
        let logs = fs::read_dir(object(name).join("logs")).unwrap().flatten().next().unwrap().path();
        logs.join("records.jsonl")
    };
    let text = fs::read_to_string(record("d")).unwrap();
    write_over(&record("d"), text.replace("d.bin", "x.bin").as_bytes());
    fs::remove_dir_all(object("e").join("logs")).unwrap();
    fs::write(object("f").join("v1/content/stranger"), "x").unwrap();
    fs::write(archive.store().join("masters/notes.txt"), "x").unwrap();
    let keys =
        ["a", "b", "c", "d", "e", "f"].map(|n| key(n).strip_prefix(archive.store()).unwrap().display().to_string());
    let stored_before = harness::tree(&archive.store());
    lose_catalog(&archive);
    let ran = rebuild(&archive).ends(1);
    let tells = |key: &str, what: &str| {
        let told = ran.stdout.lines().any(|l| l.starts_with(key) && l.contains(what));
        assert!(told, "'{what}' of {key} is not in\n{}", ran.stdout);
    };
    tells(&keys[0], "the store does not have it");
    tells(&keys[1], "bytes, not 2097152");
    tells(keys[2].split("/v1").next().unwrap(), "its inventory is not the one that its sidecar tells");
    tells(keys[3].split("/v1").next().unwrap(), "this record is damaged");
    tells(&keys[4], "no record tells of it");
    tells("masters/notes.txt", "it is of no object");
    let foreign = format!("{}/v1/content/stranger", keys[5].split("/v1").next().unwrap());
    tells(&foreign, "its inventory does not name it");
    // All six are assets again under their own names and ids; two have lost their bytes, and nobody says otherwise.
    let again = archive.rows("SELECT id FROM assets");
    let mut wanted = ids.clone();
    wanted.sort();
    assert_eq!(again, wanted);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM masters WHERE confirmed_at IS NULL"), ["2"]);
    assert_eq!(harness::tree(&archive.store()), stored_before);
    archive.run(["verify"]).ends(1).says(" 3 not");
}

#[test]
fn objects_that_were_swapped_are_found_by_reading_them() {
    let (archive, drive) = (Archive::new(), scratch());
    for (seed, name) in ["a", "b"].iter().enumerate() {
        s3::large(&drive.path().join(format!("{name}.bin")), 2, seed as u64 * 2 + 1);
    }
    archive.ingest(drive.path()).0.ends(0);
    let keys = archive.rows("SELECT key FROM masters ORDER BY key");
    let [a, b] = [0, 1].map(|n| archive.store().join(&keys[n]));
    let kept = a.with_extension("kept");
    fs::rename(&a, &kept).unwrap();
    fs::rename(&b, &a).unwrap();
    fs::rename(&kept, &b).unwrap();
    let ran = archive.run(["verify"]).ends(1).says(" 2 not");
    assert!(keys.iter().all(|k| ran.stdout.contains(&format!("damaged: {k}: SHA-256 is "))), "{}", ran.stdout);
}

#[test]
fn a_catalog_is_rebuilt_from_buckets_too() {
    let Some(archive) = s3::archive("") else { return };
    let drive = scratch();
    picture(&drive.path().join("a.png"), 1);
    s3::large(&drive.path().join("long.bin"), 12, 3);
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode"]).ends(0);
    let asset = archive.rows("SELECT id FROM assets WHERE title = 'a.png'")[0].clone();
    for seed in [5, 6] {
        let file = drive.path().join(format!("{seed}.png"));
        picture(&file, seed);
        archive.run(["replace".as_ref(), asset.as_ref(), file.as_os_str()]).ends(0);
    }
    archive.run(["rollback", &asset]).ends(0);
    let before = tables(&archive);
    lose_catalog(&archive);
    rebuild(&archive).ends(0).says(" 0 finding(s)");
    assert_eq!(tables(&archive), before);
    archive.run(["verify"]).ends(0).says(" 0 not");
}
