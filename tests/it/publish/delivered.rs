//! The archive's own delivery area: packages as static files that never change, made once, taken back, cleaned up.

use std::{fs, path::PathBuf};

use super::Desk;
use crate::harness::tree;

const CHANNELS: &str = "channels:
  web:
    to: { delivery: { folder: web, public: https://cdn.example/ } }
    send: [web_720p]
    thumbnail: poster
    name: \"{{ stem }}\"
";

fn below(desk: &Desk) -> PathBuf {
    desk.archive.store().join("delivery/web").join(&desk.asset).join("1")
}

fn files(desk: &Desk) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(desk.archive.store().join("delivery"))
        .into_iter()
        .flatten()
        .filter(|e| e.file_type().is_file())
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    files
}

#[test]
fn a_package_is_delivered_once_under_an_address_of_its_own_and_taken_back_whole() {
    let desk = Desk::new(CHANNELS);
    let killed = desk.killed(&["publish", &desk.asset, "--to", "web"], "deliver.between-files");
    assert_ne!(killed.code, 0);
    assert_eq!(files(&desk).len(), 1, "{:?}", files(&desk));
    // What was begun goes on only while it may be shown.
    desk.run(&["collection", "set", "demo", "--consent", "refused"]).ends(0);
    desk.run(&["publish", &desk.asset, "--to", "web"]).ends(1).says("refused their consent");
    assert_eq!(files(&desk).len(), 1, "{:?}", files(&desk));
    desk.run(&["collection", "set", "demo", "--consent", ""]).ends(0);
    desk.run(&["publish", &desk.asset, "--to", "web"]).ends(0);
    assert_eq!(desk.states(), ["published"]);
    let there = files(&desk);
    assert_eq!(there.len(), 2, "{there:?}");
    assert!(there.iter().all(|f| f.starts_with(below(&desk))), "{there:?}");
    let film = there.iter().find(|f| f.extension().is_some_and(|e| e == "mp4")).unwrap();
    assert_eq!(fs::read(film).unwrap(), desk.bytes("web_720p"));
    let marker = film.parent().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(marker.starts_with("damctl-") && marker.len() == 23, "{marker}");
    let url = desk.archive.rows("SELECT json_extract(receipt, '$.url') FROM publications").remove(0);
    assert!(url.starts_with(&format!("https://cdn.example/web/{}/1/{marker}/", desk.asset)), "{url}");
    // Again: nothing is written, not even the same.
    let before = tree(&desk.archive.store().join("delivery"));
    desk.run(&["publish", &desk.asset, "--to", "web"]).ends(0);
    assert_eq!(tree(&desk.archive.store().join("delivery")), before);
    let id = desk.archive.rows("SELECT id FROM publications").remove(0);
    // What somebody else has put there is not ours, wherever it lies.
    let others = desk.archive.store().join("delivery/web/logo.png");
    fs::write(&others, "x").unwrap();
    desk.run(&["publish", "retract", &id]).ends(0);
    assert_eq!(files(&desk), std::slice::from_ref(&others));
    assert_eq!(desk.states(), ["retracted"]);
    // What a kill may leave of it is found and goes; what the catalog knows nothing of is told, and stays.
    let stray = |marker: &str| {
        let dir = below(&desk).join(marker);
        fs::create_dir_all(&dir).unwrap();
        fs::write(dir.join("a.mp4"), "left").unwrap();
        dir
    };
    let (left, unknown) = (stray(&marker), stray("damctl-0123456789abcdef"));
    let said = desk.run(&["collect", "--days", "0", "--yes"]);
    assert!(!left.join("a.mp4").exists() && unknown.join("a.mp4").exists(), "{}{}", said.stdout, said.stderr);
    assert!(others.exists());
    assert!(said.stdout.contains("the catalog knows nothing of its publication"), "{}", said.stdout);
}

#[test]
fn a_folder_of_delivery_is_one_plain_name() {
    let desk = Desk::new(&CHANNELS.replace("folder: web", "folder: ../masters"));
    let said = desk.run(&["publish", &desk.asset, "--to", "web"]);
    assert_eq!(said.code, 2);
    said.says("folder '../masters': expected 1 to 32 of a-z");
}
