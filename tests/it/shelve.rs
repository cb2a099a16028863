//! Masters out of the hot area, and back.

use std::{fs, path::Path};

use crate::{
    harness::{Archive, Ran, damctl, picture, scratch},
    strict::{self, Shared, Strict},
};

/// An archive of one picture in a store that is a folder, and the folder that is its cold part.
fn of_folders() -> (Archive, tempfile::TempDir, String) {
    let (archive, cold, drive) = (Archive::new(), scratch(), scratch());
    settings(&archive, &format!("archive_folder: {}\n", cold.path().display()));
    picture(&drive.path().join("a.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    let asset = archive.rows("SELECT id FROM assets")[0].clone();
    (archive, cold, asset)
}

fn settings(archive: &Archive, text: &str) {
    fs::write(archive.root().join("damctl.yaml"), text).unwrap();
}

fn state(archive: &Archive) -> Vec<String> {
    archive.rows("SELECT state FROM archived")
}

/// The masters' files of a folder, with their bytes.
fn content(root: &Path) -> Vec<(String, Vec<u8>)> {
    let files = walkdir::WalkDir::new(root.join("masters")).sort_by_file_name().into_iter().flatten();
    let name = |p: &Path| p.strip_prefix(root).unwrap().display().to_string();
    let files = files.filter(|e| e.file_type().is_file() && e.path().to_str().unwrap().contains("/content/"));
    files.map(|e| (name(e.path()), fs::read(e.path()).unwrap())).collect()
}

#[test]
fn an_archived_asset_is_known_and_what_needs_its_master_waits_until_it_is_back() {
    let (archive, cold, asset) = of_folders();
    let before = content(&archive.store());
    archive.run(["archive", &asset]).ends(0).says("1 master(s) archived");
    assert_eq!((content(&archive.store()), content(cold.path())), (Vec::new(), before.clone()));
    archive.run(["archive", &asset]).ends(0).says("archived before");
    archive.run(["status"]).ends(0).says("masters    archived            1");
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
    archive.run(["verify", "--level", "sample"]).ends(0).says("1 sound, 0 not");
    archive.run(["verify", "--structure"]).ends(0).says("0 fault(s)");
    // Nothing is tried that cannot be done, and no job waits or fails for it.
    archive.run(["transcode"]).ends(0).says("1 archived asset(s) wait");
    archive.run(["transcode", "--asset", &asset]).ends(3).says(&format!("damctl restore {asset}")).says("is archived");
    assert_eq!(archive.rows("SELECT COUNT(*) FROM jobs WHERE stage = 'transcode'"), ["0"]);
    archive.run(["export", "bagit", &asset, "--to", "bag"]).ends(3).says(&format!("damctl restore {asset}"));
    let copy = scratch();
    let lines = format!("archive_folder: {}\nreplicas: {}\n", cold.path().display(), copy.path().display());
    settings(&archive, &lines);
    archive.run(["replicate"]).ends(0).says("1 file(s) are archived and not copied");
    // The records know, and a catalog that is made of them.
    fs::rename(archive.root().join("catalog.sqlite"), archive.root().join("lost.sqlite")).unwrap();
    archive.run(["catalog", "rebuild", "--from-store"]).ends(0);
    assert_eq!(state(&archive), ["archived"]);
    // A disk that is not plugged in is no empty archive.
    let away = cold.path().with_extension("away");
    fs::rename(cold.path(), &away).unwrap();
    archive.run(["verify"]).ends(3).says("is not there");
    fs::create_dir(cold.path()).unwrap();
    archive.run(["verify"]).ends(3).says("is not there");
    archive.run(["restore", &asset]).ends(3).says("plug its disk in");
    fs::remove_dir(cold.path()).unwrap();
    fs::rename(&away, cold.path()).unwrap();
    archive.run(["verify"]).ends(0);

    archive.run(["restore", &asset]).ends(0).says("back in the hot area");
    assert_eq!((content(&archive.store()), content(cold.path())), (before, Vec::new()));
    archive.run(["restore", &asset]).ends(0).says("not archived");
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
    archive.run(["transcode"]).ends(0).says("1 of 1 master(s) rendered");
    archive.run(["archive", &asset]).ends(0);
    archive.run(["transcode", "--asset", &asset]).ends(0).says("nothing to do");
    archive.run(["history", &asset]).ends(0).says("asset.archived").says("asset.restored");
}

#[test]
fn what_rots_in_the_cold_folder_is_found_and_made_good_from_a_replica() {
    let (archive, cold, asset) = of_folders();
    let copy = scratch();
    let lines = format!("archive_folder: {}\nreplicas: {}\n", cold.path().display(), copy.path().display());
    settings(&archive, &lines);
    archive.run(["replicate"]).ends(0);
    let before = content(&archive.store());
    archive.run(["archive", &asset]).ends(0);
    archive.run(["verify", "--share", "1%"]).ends(0);
    let name = cold.path().join(&content(cold.path())[0].0);
    let mut bytes = before[0].1.clone();
    bytes[100] ^= 1;
    let mut may = fs::metadata(&name).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut may, 0o644);
    fs::set_permissions(&name, may).unwrap();
    fs::write(&name, &bytes).unwrap();
    let missing = "01890a5d-ac96-774b-bcce-b302099a8057";
    archive.run(["restore", missing, &asset]).ends(1).says("other bytes").says("not restored: there is no asset");
    archive.run(["verify", "--level", "head"]).ends(0);
    archive.run(["verify"]).ends(0).says("repaired from");
    archive.run(["restore", &asset]).ends(0).says("back in the hot area");
    assert_eq!((content(&archive.store()), content(cold.path())), (before, Vec::new()));
    archive.run(["verify"]).ends(0).says("1 sound, 0 not");
}

#[test]
fn damaged_bytes_stay_where_they_are_and_without_a_place_nothing_moves() {
    let (archive, cold, asset) = of_folders();
    settings(&archive, "");
    archive.run(["archive", &asset]).ends(2).says("the setting 'archive_folder' names one");
    settings(&archive, &format!("archive_folder: {}/missing\n", cold.path().display()));
    archive.run(["archive", &asset]).ends(3).says("is not there");
    assert!(state(&archive).is_empty());
    for place in ["store", ".", "store/masters"] {
        settings(&archive, &format!("archive_folder: {place}\n"));
        archive.run(["archive", &asset]).ends(2).says("are one");
    }
    assert_eq!((content(&archive.store()).len(), state(&archive).len()), (1, 0));
    settings(&archive, &format!("archive_folder: {}\n", cold.path().display()));
    let name = archive.store().join(&content(&archive.store())[0].0);
    let mut bytes = fs::read(&name).unwrap();
    bytes[100] ^= 1;
    fs::write(&name, &bytes).unwrap();
    archive.run(["archive", &asset]).ends(1).says("has other bytes than it should: it stays where it is");
    assert_eq!((fs::read(&name).unwrap(), state(&archive)), (bytes, Vec::new()));
    archive.run(["archive", "01890a5d-ac96-774b-bcce-b302099a8057"]).ends(1).says("there is no asset");
    archive.run(["archive", "--collection", "nobody's"]).ends(2).says("no asset is in the collection");
}

#[test]
fn killed_anywhere_on_its_way_out_or_back_nothing_is_lost_and_the_catalog_tells_the_truth() {
    for (word, point) in [
        ("archive", "archive.after-mark"),
        ("archive", "archive.between-parts"),
        ("archive", "archive.before-catalog"),
        ("archive", "record.before-catalog"),
        ("restore", "restore.after-mark"),
        ("restore", "archive.between-parts"),
        ("restore", "restore.before-catalog"),
    ] {
        let (archive, cold, asset) = of_folders();
        let before = content(&archive.store());
        if word == "restore" {
            archive.run(["archive", &asset]).ends(0);
        }
        let killed = Ran::from(archive.command([word, &asset]).env("DAMCTL_CRASH_AT", point).output().unwrap());
        assert_eq!(killed.code, 128 + 9, "{word} never passed {point}: {}", killed.stderr);
        let either: Vec<_> = [content(&archive.store()), content(cold.path())].concat();
        assert!(!either.is_empty() && either.iter().all(|file| *file == before[0]), "{point}: lost");
        archive.run(["verify"]).ends(0).says("1 sound, 0 not");
        archive.run([word, &asset]).ends(0);
        let (hot, cold) = (content(&archive.store()), content(cold.path()));
        match word {
            "archive" => {
                assert_eq!((hot, cold, state(&archive)), (Vec::new(), before, vec!["archived".into()]), "{point}")
            }
            _ => assert_eq!((hot, cold, state(&archive)), (before, Vec::new(), Vec::new()), "{point}"),
        }
        archive.run(["verify"]).ends(0).says("1 sound, 0 not");
    }
}

/// An archive of a small and a large file in the strict server's bucket.
fn in_buckets(class: &str) -> (Archive, Shared, Vec<String>) {
    let (endpoint, shared) = strict::serve(Strict { verifies: vec!["crc64nvme"], ..Strict::default() });
    let (archive, drive) = (Archive::new(), scratch());
    let lines = format!("store: s3://news\ns3_endpoint: {endpoint}\ns3_part_size: 5\ns3_archive_class: {class}\n");
    settings(&archive, &lines);
    picture(&drive.path().join("a.png"), 1);
    fs::write(drive.path().join("long.bin"), (0..12_000_000_u32).map(|i| (i / 251) as u8).collect::<Vec<_>>()).unwrap();
    keyed(&archive, &["ingest", drive.path().to_str().unwrap()]).ends(0);
    let assets = archive.rows("SELECT a.id FROM assets a ORDER BY a.kind = 'image'");
    (archive, shared, assets)
}

fn keyed(archive: &Archive, words: &[&str]) -> Ran {
    let mut command = archive.command(words);
    command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x");
    command.output().unwrap().into()
}

#[test]
fn in_a_bucket_masters_change_their_class_keep_their_sums_and_are_asked_for() {
    let (archive, shared, assets) = in_buckets("GLACIER");
    let run = |words: &[&str]| keyed(&archive, words);
    let masters = || {
        let all = shared.lock().unwrap().objects.clone();
        all.into_iter().filter(|(key, _)| key.contains("/content/")).collect::<Vec<_>>()
    };
    let before = masters();
    for asset in &assets {
        run(&["archive", asset]).ends(0).says("1 master(s) archived");
    }
    for ((key, was), (_, is)) in before.iter().zip(masters()) {
        assert_eq!((&was.etag, &was.checksum, &was.bytes), (&is.etag, &is.checksum, &is.bytes), "{key}");
        assert_eq!(is.class.as_deref(), Some("GLACIER"), "{key}");
    }
    assert_eq!(
        shared.lock().unwrap().objects.values().filter(|o| o.class.is_some()).count(),
        2,
        "inventories stay hot"
    );
    run(&["verify"]).ends(0).says("2 sound, 0 not");
    let picture = &assets[1];
    run(&["transcode"]).ends(0).says("1 archived asset(s) wait");
    run(&["restore", picture, "--days", "2", "--tier", "bulk"]).ends(3).says("still restoring");
    run(&["restore", picture]).ends(3).says("still restoring");
    run(&["transcode", "--asset", picture]).ends(3).says("damctl restore");
    // Somebody else has asked for the large one.
    let set = |said: &str| {
        let mut strict = shared.lock().unwrap();
        for object in strict.objects.values_mut().filter(|o| o.class.is_some()) {
            object.restore = Some(said.to_owned());
        }
    };
    set("ongoing-request=\"true\"");
    run(&["restore", &assets[0]]).ends(3).says("still restoring");
    set("ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2099 00:00:00 GMT\"");
    run(&["restore", &assets[0], picture, "--wait"]).ends(0).says("can be read until 2099-12-21T00:00:00Z");
    run(&["transcode"]).ends(0).says("1 of 1 master(s) rendered");
    run(&["verify"]).ends(0).says(" 0 not");
    // The copy has come to its end.
    let db = archive.catalog();
    db.execute("UPDATE archived SET until = 1000", []).unwrap();
    shared.lock().unwrap().objects.values_mut().for_each(|o| o.restore = None);
    run(&["status"]).ends(0).says("masters    archived            2");
    run(&["restore", picture]).ends(3).says("still restoring");
    // For good.
    set("ongoing-request=\"false\", expiry-date=\"Fri, 21 Dec 2099 00:00:00 GMT\"");
    run(&["restore", &assets[0], picture, "--for-good"]).ends(0).says("back in the hot area");
    assert!(state(&archive).is_empty());
    for ((key, was), (_, is)) in before.iter().zip(masters()) {
        assert_eq!((&was.etag, &was.checksum, &is.class), (&is.etag, &is.checksum, &None), "{key}");
    }
    run(&["verify"]).ends(0).says(" 0 not");
}

#[test]
fn killed_in_a_bucket_the_same_command_ends_it() {
    let (archive, shared, assets) = in_buckets("GLACIER");
    let killed = |words: &[&str], point: &str| {
        let mut command = archive.command(words);
        command.env("AWS_ACCESS_KEY_ID", "x").env("AWS_SECRET_ACCESS_KEY", "x").env("DAMCTL_CRASH_AT", point);
        let ran = Ran::from(command.output().unwrap());
        assert_eq!(ran.code, 128 + 9, "never passed {point}: {}", ran.stderr);
        keyed(&archive, &["verify"]).ends(0).says("2 sound, 0 not");
    };
    let away = |asset: &str| {
        let sql =
            format!("SELECT m.key FROM masters m JOIN members b ON b.digest = m.digest WHERE b.asset = '{asset}'");
        let key = archive.rows(&sql).remove(0);
        shared.lock().unwrap().objects.iter().any(|(name, o)| name.ends_with(&key) && o.class.is_some())
    };
    for asset in &assets {
        killed(&["archive", asset], "archive.after-mark");
        assert_eq!((away(asset), state(&archive).last().unwrap().as_str()), (false, "archiving"));
        killed(&["archive", asset], "archive.after-copy");
        assert!(away(asset));
        killed(&["archive", asset], "archive.before-catalog");
        keyed(&archive, &["archive", asset]).ends(0).says("1 master(s) archived");
        keyed(&archive, &["archive", asset]).ends(0).says("archived before");
    }
    assert_eq!(state(&archive), ["archived", "archived"]);
    killed(&["restore", &assets[0]], "restore.after-mark");
    killed(&["restore", &assets[0]], "restore.before-catalog");
    keyed(&archive, &["restore", &assets[0]]).ends(3).says("still restoring");
    assert!(shared.lock().unwrap().uploads.is_empty());
}

#[test]
fn a_class_that_can_be_read_at_once_needs_no_asking() {
    let (archive, _shared, assets) = in_buckets("GLACIER_IR");
    keyed(&archive, &["archive", &assets[1]]).ends(0);
    assert_eq!(state(&archive), ["readable"]);
    keyed(&archive, &["restore", &assets[1]]).ends(0).says("can be read as it is");
    keyed(&archive, &["transcode"]).ends(0).says("1 of 1 master(s) rendered");
}

/// A server of its own classes: Ceph's gateway, with the second class of tests/rgw.
#[test]
fn a_real_gateway_keeps_the_bytes_in_another_class() {
    let Some(endpoint) = crate::harness::s3_endpoint() else { return };
    let (archive, drive) = (Archive::new(), scratch());
    let place = format!("shelve-{}", uuid::Uuid::now_v7());
    let lines = format!("store: s3://{place}/news\ns3_endpoint: {endpoint}\ns3_part_size: 5\ns3_archive_class: COLD\n");
    settings(&archive, &lines);
    damctl([std::ffi::OsStr::new("init"), archive.root().as_os_str()]).ends(0);
    picture(&drive.path().join("a.png"), 1);
    fs::write(drive.path().join("long.bin"), (0..12_000_000_u32).map(|i| (i / 251) as u8).collect::<Vec<_>>()).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    let assets = archive.rows("SELECT id FROM assets");
    // With versions, the earlier one is let go, too.
    archive.run(["store", "policy", "--apply"]).ends(0);
    for asset in &assets {
        archive.run(["archive", asset]).ends(0).says("1 master(s) archived");
    }
    assert_eq!(state(&archive), ["readable", "readable"]);
    archive.run(["verify"]).ends(0).says("2 sound, 0 not");
    archive.run(["verify", "--level", "head"]).ends(0).says("2 sound, 0 not").says("not read: 2");
    archive.run(["restore", &assets[0], &assets[1], "--for-good"]).ends(0).says("back in the hot area");
    archive.run(["verify"]).ends(0).says("2 sound, 0 not");
}
