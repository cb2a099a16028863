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

#[test]
fn subtitles_are_the_words_of_whoever_corrected_them_and_stay_what_they_were_while_they_are_sent() {
    let desk = Desk::new(&format!("{CHANNELS}    captions: [en]\n"));
    let import = |name: &str, words: &str| {
        let path = desk.archive.root().join(name);
        fs::write(&path, format!("1\n00:00:00,000 --> 00:00:00,900\n{words}\n")).unwrap();
        desk.run(&["transcript", "import", path.to_str().unwrap(), "--asset", &desk.asset, "--language", "en"]).ends(0);
    };
    import("corrected.srt", "As it was said: 5 < 6 & 7.");
    // The picture is not there yet when it is killed; its words change before it is gone on with.
    assert_ne!(desk.killed(&["publish", &desk.asset, "--to", "web"], "deliver.between-files").code, 0);
    import("longer.srt", "Other words, of another length.");
    desk.run(&["publish", &desk.asset, "--to", "web"]).ends(0);
    let there = files(&desk);
    let vtt = there.iter().find(|f| f.to_string_lossy().ends_with(".en.vtt")).unwrap();
    let cue = "00:00:00.000 --> 00:00:00.900\nAs it was said: 5 &lt; 6 &amp; 7.\n";
    assert_eq!(fs::read_to_string(vtt).unwrap(), format!("WEBVTT\n\n{cue}"));

    desk.run(&["publish", &desk.asset, "--to", "web", "--force", "--yes"]).ends(0);
    let all: Vec<String> =
        files(&desk).iter().filter_map(|f| fs::read_to_string(f).ok()).filter(|t| t.starts_with("WEBVTT")).collect();
    assert_eq!(all.len(), 2);
    assert!(all.iter().any(|text| text.contains("Other words, of another length.")), "{all:?}");
}
