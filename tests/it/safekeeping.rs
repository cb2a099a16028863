//! The catalog's backups, and the seals on the record of events.

use std::{fs, process::Stdio};

use crate::harness::{self, Archive, picture, scratch};

fn seal_of(said: &str) -> String {
    said.lines().last().unwrap().rsplit(' ').next().unwrap().to_owned()
}

#[test]
fn an_event_that_was_changed_or_removed_shows_and_a_seal_kept_elsewhere_proves_the_rest() {
    let archive = Archive::finished();
    let whole = archive.run(["history", "--verify"]).ends(0).says(" 0 finding(s)");
    let seal = seal_of(&whole.stdout);
    archive.run(["history", "--verify", "--seal", &seal]).ends(0);
    let last: i64 = archive.rows("SELECT MAX(seq) FROM events")[0].parse().unwrap();
    assert!(seal.starts_with(&format!("{last}:")), "{seal}: {last}");

    let db = archive.catalog();
    let kept = harness::rows(&db, "SELECT detail FROM events WHERE seq = 3").remove(0);
    db.execute("UPDATE events SET detail = '{\"forged\":true}' WHERE seq = 3", []).unwrap();
    archive.run(["history", "--verify"]).ends(1).says("are not as they were when they were sealed");
    db.execute("UPDATE events SET detail = ?1 WHERE seq = 3", [&kept]).unwrap();
    archive.run(["history", "--verify"]).ends(0);

    let row =
        harness::rows(&db, "SELECT at || '|' || kind || '|' || subject || '|' || detail FROM events WHERE seq = 5")
            .remove(0);
    db.execute("DELETE FROM events WHERE seq = 5", []).unwrap();
    archive.run(["history", "--verify"]).ends(1).says("event 5: removed");
    let mut parts = row.splitn(4, '|');
    let mut part = || parts.next().unwrap().to_owned();
    let (at, kind, subject, detail) = (part(), part(), part(), part());
    let sql = "INSERT INTO events (seq, at, kind, subject, detail) VALUES (5, CAST(?1 AS INTEGER), ?2, ?3, ?4)";
    db.execute(sql, [&at, &kind, &subject, &detail]).unwrap();
    archive.run(["history", "--verify"]).ends(0);

    db.execute("DELETE FROM events WHERE seq = ?1", [last]).unwrap();
    archive.run(["history", "--verify"]).ends(1).says(&format!("event {last} was sealed and is gone"));
    // Who can write to the catalog can write the seals, too; not the one that lies elsewhere.
    db.execute("DELETE FROM seals", []).unwrap();
    archive.run(["history", "--verify"]).ends(0);
    archive.run(["history", "--verify", "--seal", &seal]).ends(1).says("whose seal was kept elsewhere, is gone");
    archive.run(["history", "--verify", "--seal", "nothing"]).ends(2).says("NUMBER:DIGEST");
}

#[test]
fn an_assets_history_is_told_and_what_is_not_there_is_an_error() {
    let archive = Archive::finished();
    let asset = archive.rows("SELECT asset FROM renditions WHERE entry = 'web_720p' LIMIT 1").remove(0);
    archive.run(["history", &asset]).ends(0).says("asset.stored").says("rendition.ready").says("entry=web_720p");
    let json = archive.run(["history", &asset, "--json"]).ends(0).stdout;
    assert!(
        json.lines().all(|line| serde_json::from_str::<serde_json::Value>(line).unwrap()["subject"] == asset.as_str())
    );
    archive.run(["history", "01890a5d-ac96-774b-bcce-b302099a8057"]).ends(2);
    archive.run(["history"]).ends(2);
}

fn everything(archive: &Archive) -> Vec<String> {
    let db = archive.catalog();
    let tables = damctl::catalog::TABLES.map(|(table, columns, keys)| {
        let sql = format!("SELECT {} FROM {table} ORDER BY {}", columns.join(", "), columns[..keys].join(", "));
        harness::rows(&db, &sql).into_iter().map(move |row| format!("{table} {row}"))
    });
    tables.into_iter().flatten().collect()
}

#[test]
fn a_backup_comes_back_row_by_row_and_never_over_anything() {
    let archive = Archive::finished();
    let dir = scratch();
    let file = dir.path().join("catalog.backup");
    let name = file.to_str().unwrap();
    archive.run(["catalog", "backup", name]).ends(0).says("sealed at");
    let before = everything(&archive);
    archive.run(["catalog", "backup", name]).ends(1).says("is there already");
    use std::os::unix::fs::PermissionsExt as _;
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 1);

    archive.run(["catalog", "restore", name]).ends(1).says("the catalog has things in it");
    assert_eq!(everything(&archive), before);
    let bytes = fs::read(&file).unwrap();
    let damaged = dir.path().join("damaged");
    fs::write(&damaged, [&bytes[..bytes.len() / 2], &vec![0; 8192]].concat()).unwrap();
    let lost = ["catalog.sqlite", "catalog.sqlite-wal", "catalog.sqlite-shm"];
    lost.iter().for_each(|f| drop(fs::remove_file(archive.root().join(f))));
    archive.run(["catalog", "restore", damaged.to_str().unwrap()]).ends(1).says("is damaged");
    archive.run(["catalog", "restore", "/nonexistent"]).ends(2).says("there is no backup");
    archive.run(["catalog", "restore", name]).ends(0).says("restored and compared");
    // How far an index has come is no fact of the archive: it may know more by now than a catalog of earlier.
    let kept: Vec<String> = before.into_iter().filter(|row| !row.starts_with("index_cursors ")).collect();
    assert_eq!(everything(&archive), kept);
    assert_eq!(fs::read(&file).unwrap(), bytes, "the backup was changed");
    archive.run(["verify"]).ends(0);
    archive.run(["history", "--verify"]).ends(0);
}

#[test]
fn a_backup_of_a_catalog_at_work_is_of_one_moment() {
    let (archive, files) = (Archive::new(), scratch());
    (0..60).for_each(|i| picture(&files.path().join(format!("p{i:02}.png")), i));
    let mut ingest = archive.command(["ingest", files.path().to_str().unwrap()]);
    let mut ingest = ingest.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let mut seen = Vec::new();
    for i in 0.. {
        let is_over = ingest.try_wait().unwrap().is_some();
        let file = files.path().join(format!("backup-{i}"));
        archive.run(["catalog", "backup", file.to_str().unwrap()]).ends(0);
        let db = rusqlite::Connection::open(&file).unwrap();
        let count = |sql: &str| harness::rows(&db, sql).remove(0).parse::<i64>().unwrap();
        // Facts and the job's end are written together: there is none of them without the others.
        assert_eq!(
            count("SELECT COUNT(*) FROM members m LEFT JOIN masters x ON x.digest = m.digest WHERE x.digest IS NULL"),
            0
        );
        assert_eq!(count("SELECT COUNT(*) FROM members m LEFT JOIN assets a ON a.id = m.asset WHERE a.id IS NULL"), 0);
        let (assets, stored) =
            (count("SELECT COUNT(*) FROM assets"), count("SELECT COUNT(*) FROM events WHERE kind = 'asset.stored'"));
        assert_eq!(assets, stored);
        seen.push(assets);
        if is_over {
            break;
        }
    }
    assert_eq!(seen.last(), Some(&60), "{seen:?}");
}
