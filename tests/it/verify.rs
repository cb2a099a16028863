//! What the store holds, held against the catalog, and against the layout's own rules.

use std::{collections::BTreeSet, fs, io::Write, path::Path};

use damctl::digest::Digest;
use serde_json::Value;

use crate::harness::Archive;

#[test]
fn a_sound_archive_is_sound() {
    let archive = Archive::finished();
    let ran = archive.run(["verify"]).ends(0).says(" 0 not");
    let objects = archive.rows("SELECT COUNT(*) FROM masters")[0].parse::<usize>().unwrap()
        + archive.rows("SELECT SUM(json_array_length(files)) FROM renditions")[0].parse::<usize>().unwrap();
    assert!(ran.stdout.starts_with(&format!("{objects} objects")), "{}", ran.stdout);
}

#[test]
fn damage_and_loss_are_found_by_name() {
    let archive = Archive::finished();
    let key = |title: &str| {
        let sql = format!(
            "SELECT m.key FROM masters m JOIN members mm ON mm.digest = m.digest JOIN assets a ON a.id = mm.asset WHERE a.title = '{title}'"
        );
        archive.rows(&sql)[0].clone()
    };
    let (rotten, lost, short) = (key("report.mp3"), key("web.webp"), key("logo_alpha.png"));
    let path = |key: &str| archive.store().join(key);
    let writable = |path: &Path| {
        let mut permissions = fs::metadata(path).unwrap().permissions();
        #[allow(clippy::permissions_set_readonly_false, reason = "a test's own copy")]
        permissions.set_readonly(false);
        fs::set_permissions(path, permissions).unwrap();
    };
    let mut bytes = fs::read(path(&rotten)).unwrap();
    bytes[1000] ^= 1;
    writable(&path(&rotten));
    fs::write(path(&rotten), bytes).unwrap();
    fs::remove_file(path(&lost)).unwrap();
    writable(&path(&short));
    fs::File::options().write(true).open(path(&short)).unwrap().set_len(100).unwrap();
    let ran = archive.run(["verify"]).ends(1).says(" 3 not");
    for (word, key) in [("damaged", &rotten), ("missing", &lost), ("damaged", &short)] {
        assert!(ran.stdout.contains(&format!("{word}: {key}")), "{word} {key}: {}", ran.stdout);
    }
    // One asset alone.
    let id = &archive.rows("SELECT id FROM assets WHERE title = 'report.mp3'")[0];
    archive.run(["verify", "--asset", id]).ends(1).says(" 1 not");
    let id = &archive.rows("SELECT id FROM assets WHERE title = 'room tone.flac'")[0];
    archive.run(["verify", "--asset", id]).ends(0);
}

/// Another byte at a place of a stored file.
fn rot(path: &Path, at: usize) {
    let mut bytes = fs::read(path).unwrap();
    bytes[at] ^= 1;
    fs::remove_file(path).unwrap();
    fs::write(path, bytes).unwrap();
}

#[test]
fn each_level_finds_what_it_looks_at_and_says_how_much_that_was() {
    let archive = Archive::finished();
    archive.catalog().execute("UPDATE masters SET confirmed_at = 0", []).unwrap();
    let key = |title: &str| {
        let sql =
            "SELECT m.key FROM masters m JOIN members mm ON mm.digest = m.digest JOIN assets a ON a.id = mm.asset";
        archive.store().join(&archive.rows(&format!("{sql} WHERE a.title = '{title}'"))[0])
    };
    let (rotten, lost, short) = (key("report.mp3"), key("web.webp"), key("logo_alpha.png"));
    rot(&rotten, 1000);
    fs::remove_file(&lost).unwrap();
    let bytes = fs::read(&short).unwrap();
    fs::remove_file(&short).unwrap();
    fs::write(&short, &bytes[1..]).unwrap();
    let ran = archive.run(["verify", "--level", "head"]).ends(1).says(" 2 not").says("0 B read").says("read whole: 0;");
    assert!(ran.stdout.contains(&format!("it has {} bytes, not {}", bytes.len() - 1, bytes.len())), "{}", ran.stdout);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM masters WHERE confirmed_at IS NULL"), ["2"]);
    archive.run(["verify", "--level", "sample"]).ends(1).says(" 3 not").says("in some places: 3; not read: ");
    let ran = archive.run(["verify"]).ends(1).says(" 3 not");
    assert!(!ran.stdout.contains("read whole"), "{}", ran.stdout);
}

#[test]
fn of_a_large_object_a_sample_compares_both_ends_with_its_fingerprint() {
    let archive = Archive::new();
    let drive = crate::harness::scratch();
    crate::s3::large(&drive.path().join("long.bin"), 9, 3);
    archive.ingest(drive.path()).0.ends(0);
    let (key, bytes) = (archive.rows("SELECT key FROM masters")[0].clone(), fs::read(drive.path().join("long.bin")));
    let bytes = bytes.unwrap();
    let ends = damctl::digest::FINGERPRINT;
    let fingerprint =
        damctl::digest::fingerprint(bytes.len() as u64, &bytes[..ends], &bytes[bytes.len() - ends..]).to_string();
    archive.catalog().execute("UPDATE masters SET fingerprint = ?1", [fingerprint]).unwrap();
    archive.run(["verify", "--level", "sample"]).ends(0).says("128.00 KiB read").says("in some places: 1;");
    rot(&archive.store().join(&key), bytes.len() - 5);
    archive.run(["verify", "--level", "sample"]).ends(1).says("its first and last bytes are not those");
}

#[test]
fn a_damaged_rendition_is_taken_out_and_made_again() {
    let archive = Archive::finished();
    let key =
        "SELECT r.prefix || '/' || json_extract(r.files, '$[0].name') FROM renditions r JOIN assets a ON a.id = r.asset
               WHERE a.title = 'logo_alpha.png' AND r.entry = 'thumb_300'";
    let path = archive.store().join(&archive.rows(key)[0]);
    let sound = fs::read(&path).unwrap();
    let mut bytes = sound.clone();
    bytes[40] ^= 1;
    fs::remove_file(&path).unwrap();
    fs::write(&path, bytes).unwrap();
    archive.run(["verify"]).ends(1).says(" 1 not").says("--drop");
    archive.run(["verify", "--drop"]).ends(1).says("1 rendition(s) taken out");
    archive.run(["transcode"]).says("1 of 1 master(s) rendered");
    archive.run(["verify"]).ends(0);
    assert!(fs::read(archive.store().join(&archive.rows(key)[0])).unwrap() == sound);
}

#[test]
fn an_inventory_that_was_changed_is_found() {
    let archive = Archive::finished();
    let key = &archive.rows("SELECT key FROM masters ORDER BY key LIMIT 1")[0];
    let root = archive.store().join(key.split("/v1/").next().unwrap());
    let inventory = root.join("inventory.json");
    fs::remove_file(&inventory).unwrap();
    fs::write(&inventory, "{}").unwrap();
    archive.run(["verify"]).ends(1).says("its inventory is not the one that its sidecar tells");
    fs::remove_file(&inventory).unwrap();
    archive.run(["verify"]).ends(1).says("its inventory is missing");
}

/// The rules of OCFL 1.1 (<https://ocfl.io/1.1/spec/>) as far as one version of one file can break them.
#[test]
fn masters_are_an_ocfl_storage_root() {
    let archive = Archive::finished();
    let root = archive.store().join("masters");
    assert_eq!(fs::read_to_string(root.join("0=ocfl_1.1")).unwrap(), "ocfl_1.1\n");
    let layout: Value = serde_json::from_slice(&fs::read(root.join("ocfl_layout.json")).unwrap()).unwrap();
    let extension = layout["extension"].as_str().unwrap();
    let config = fs::read(root.join("extensions").join(extension).join("config.json")).unwrap();
    let config: Value = serde_json::from_slice(&config).unwrap();
    assert_eq!((&config["extensionName"], &config["tupleSize"]), (&extension.into(), &3.into()));
    let mut objects = 0;
    for tuple in fs::read_dir(&root).unwrap().flatten().filter(|e| e.file_name() != "extensions" && e.path().is_dir()) {
        for object in fs::read_dir(tuple.path()).unwrap().flatten() {
            is_object(&object.path());
            objects += 1;
        }
    }
    // Small assets share one.
    let roots = archive.rows("SELECT COUNT(DISTINCT substr(key, 1, instr(key, '/v1/'))) FROM masters");
    assert_eq!(roots, [objects.to_string()]);
    assert!(objects > 2, "{objects}");
}

fn is_object(object: &Path) {
    let read =
        |name: &str| fs::read(object.join(name)).unwrap_or_else(|e| panic!("{name} of {}: {e}", object.display()));
    assert_eq!(read("0=ocfl_object_1.1"), b"ocfl_object_1.1\n");
    let inventory = read("inventory.json");
    assert_eq!(read("inventory.json.sha256"), format!("{} inventory.json\n", Digest::of(&inventory)).into_bytes());
    assert_eq!(
        (read("v1/inventory.json"), read("v1/inventory.json.sha256")),
        (inventory.clone(), read("inventory.json.sha256"))
    );
    let inventory: Value = serde_json::from_slice(&inventory).unwrap();
    let id = inventory["id"].as_str().unwrap();
    let hashed = Digest::of(id).to_string();
    assert!(object.ends_with(Path::new(&hashed[..3]).join(&hashed)), "{id} lies at {}", object.display());
    assert_eq!((&inventory["type"], &inventory["head"]), (&"https://ocfl.io/1.1/spec/#inventory".into(), &"v1".into()));
    assert_eq!(inventory["digestAlgorithm"], "sha256");
    let created = inventory["versions"]["v1"]["created"].as_str().unwrap();
    created.parse::<jiff::Timestamp>().unwrap();
    let (manifest, state) =
        (inventory["manifest"].as_object().unwrap(), inventory["versions"]["v1"]["state"].as_object().unwrap());
    assert_eq!(manifest.keys().collect::<Vec<_>>(), state.keys().collect::<Vec<_>>());
    let mut named = BTreeSet::new();
    for (digest, paths) in manifest {
        for path in paths.as_array().unwrap() {
            let path = path.as_str().unwrap();
            assert_eq!(Digest::of(read(path)).to_string(), *digest);
            named.insert(path.to_owned());
        }
    }
    // Every content file is in the manifest, and nothing else lies about.
    let mut there = BTreeSet::new();
    for entry in walkdir::WalkDir::new(object).into_iter().flatten().filter(|e| e.file_type().is_file()) {
        let path = entry.path().strip_prefix(object).unwrap().to_str().unwrap().to_owned();
        match path.starts_with("v1/content/") {
            true => _ = there.insert(path),
            false => assert!(
                path.starts_with("logs/")
                    || [
                        "0=ocfl_object_1.1",
                        "inventory.json",
                        "inventory.json.sha256",
                        "v1/inventory.json",
                        "v1/inventory.json.sha256"
                    ]
                    .contains(&path.as_str()),
                "{path}"
            ),
        }
    }
    assert_eq!(named, there);
}

#[test]
fn a_file_that_nobody_knows_in_the_store_is_no_error() {
    let archive = Archive::new();
    let stray = archive.store().join("renditions/stray.txt");
    fs::create_dir_all(stray.parent().unwrap()).unwrap();
    fs::File::create(&stray).unwrap().write_all(b"x").unwrap();
    archive.run(["verify"]).ends(0).says("0 objects");
}
