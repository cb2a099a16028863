//! Jobs as ops see them.

use std::fs;

use crate::harness::{Archive, picture, scratch};

#[test]
fn failed_jobs_are_listed_shown_and_retried() {
    let (archive, drive) = (Archive::new(), scratch());
    let file = drive.path().join("cut.png");
    picture(&file, 3);
    let whole = fs::read(&file).unwrap();
    picture(&drive.path().join("sound.png"), 4);
    // The second half of its data is damaged, its header sound.
    let mut damaged = whole.clone();
    let middle = whole.len() / 2;
    damaged[middle..middle + 20].fill(0x55);
    fs::write(&file, &damaged).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode"]).ends(1).says("failed: cut.png").says("1 of 2 master(s) rendered");
    let listed = archive.run(["jobs", "list", "--stage", "transcode", "--state", "failed"]).ends(0).stdout;
    assert_eq!(listed.lines().count(), 1, "{listed}");
    let id = listed.split(' ').next().unwrap();
    let shown = archive.run(["jobs", "show", id]).ends(0).says("corrupt: ").stdout;
    assert!(shown.contains("attempt 1"), "{shown}");
    let all = archive.run(["jobs", "list", "--json"]).ends(0).stdout;
    let states: Vec<String> = all
        .lines()
        .map(|l| serde_json::from_str::<serde_json::Value>(l).unwrap())
        .map(|j| format!("{} {}", j["stage"].as_str().unwrap(), j["state"].as_str().unwrap()))
        .collect();
    assert_eq!(states.len(), 3, "{states:?}");
    archive.run(["transcode"]).ends(1).says("1 master(s) failed earlier");
    archive.run(["jobs", "retry", id]).ends(0).says("1 job(s) opened again");
    archive.run(["jobs", "list", "--state", "ready"]).ends(0).says("cut.png");
    archive.run(["transcode"]).ends(1).says("failed: cut.png");
    let shown = archive.run(["jobs", "show", id]).ends(0).stdout;
    assert!(shown.contains("attempt 2"), "{shown}");
    archive.run(["jobs", "retry", "--all", "--stage", "ingest"]).ends(0).says("0 job(s)");
    archive.run(["jobs", "retry", "--all"]).ends(0).says("1 job(s)");
    archive.run(["jobs", "show", "ffffffff"]).ends(2).says("ffffffff");
    archive.run(["jobs", "retry"]).ends(2);
    archive.run(["jobs", "list", "--state", "wrong"]).ends(2).says("wrong");
}

#[test]
fn status_counts_what_there_is() {
    let archive = Archive::finished();
    let status = archive.json(["status", "--json"]);
    let count = |list: &str, key: &str, value: &str, number: &str| {
        let found = status[list].as_array().unwrap().iter().filter(|l| l[key] == value);
        found.map(|l| l[number].as_u64().unwrap()).sum::<u64>()
    };
    assert_eq!(count("assets", "kind", "image", "assets"), 13);
    assert_eq!(count("sightings", "outcome", "duplicate", "paths"), 1);
    assert_eq!(count("renditions", "entry", "thumb_300", "renditions"), 12);
    assert_eq!(count("jobs", "state", "failed", "jobs"), 3);
    archive.run(["status"]).ends(0).says("renditions thumb_300");
}
