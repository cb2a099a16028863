//! Bags that come: taken in whole or refused, fetched for, and held against profiles.

use std::{
    fs,
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
};

use damctl::{
    catalog::{Catalog, Edit},
    digest::Digest,
    model::Description,
};
use serde_json::json;

use crate::harness::{Archive, Ran, damctl, picture, scratch};

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

/// A bag of these files, with a manifest of SHA-256 and these lines in bag-info.txt.
fn bag(root: &Path, files: &[(&str, &[u8])], info: &str) -> PathBuf {
    let bag = root.join("bag");
    let mut manifest = String::new();
    for (path, bytes) in files {
        let to = bag.join("data").join(path);
        fs::create_dir_all(to.parent().unwrap()).unwrap();
        fs::write(&to, bytes).unwrap();
        manifest.push_str(&format!("{}  data/{path}\n", Digest::of(bytes)));
    }
    fs::write(bag.join("bagit.txt"), "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n").unwrap();
    fs::write(bag.join("manifest-sha256.txt"), manifest).unwrap();
    fs::write(bag.join("bag-info.txt"), info).unwrap();
    bag
}

fn png(seed: u8) -> Vec<u8> {
    let dir = scratch();
    picture(&dir.path().join("p.png"), seed);
    fs::read(dir.path().join("p.png")).unwrap()
}

#[test]
fn what_goes_out_as_a_bag_comes_back_as_it_was_and_twice_is_once() {
    let (archive, drive, out) = (Archive::new(), scratch(), scratch());
    picture(&drive.path().join("a.png"), 1);
    fs::create_dir(drive.path().join("sub")).unwrap();
    picture(&drive.path().join("sub/ñ b.png"), 2);
    archive.run(["ingest", text(drive.path()), "--collection", "Old, \"news\""]).ends(0);
    let assets = archive.rows("SELECT id FROM assets ORDER BY title");
    {
        let catalog = Catalog::open_sqlite(&archive.root().join("catalog.sqlite")).unwrap();
        let said = Description {
            text: Some("A bird.\nTwo lines".to_owned()),
            tags: vec!["sea".to_owned()],
            date: Some("1987".to_owned()),
            ..Description::default()
        };
        let edit = Edit { title: Some("A bird".to_owned()), collection: None, description: Some(said) };
        catalog.describe(assets[0].parse().unwrap(), &edit, None, "test").unwrap();
    }
    for algorithm in ["sha256", "sha512"] {
        let bag = out.path().join(algorithm);
        let words = ["export", "bagit", &assets[0], &assets[1], "--to", text(&bag), "--algorithm", algorithm];
        archive.run(words).ends(0);
        let fresh = Archive::new();
        fresh.run(["ingest", "--bag", text(&bag)]).ends(0).says("2 asset(s) have what the bag says");
        let sql =
            "SELECT a.title, a.collection, m.digest, b.name, d.fields FROM assets a JOIN members b ON b.asset = a.id
                   JOIN masters m ON m.digest = b.digest LEFT JOIN descriptions d ON d.asset = a.id ORDER BY a.title";
        let bare = |rows: Vec<String>| {
            rows.into_iter().map(|r| r.trim_end_matches("{}").trim_end_matches('-').to_owned()).collect::<Vec<_>>()
        };
        assert_eq!(bare(fresh.rows(sql)), bare(archive.rows(sql)));
        // Paths are those below data/; tag files are no assets.
        let below = [format!("{}/a.png", assets[0]), format!("{}/ñ b.png", assets[1])];
        let mut paths = fresh.rows("SELECT path FROM sightings");
        paths.sort_by_key(|p| p.ends_with("b.png"));
        assert_eq!(paths.len(), 2);
        assert!(below.iter().zip(&paths).all(|(b, p)| p.ends_with(b.split('/').next_back().unwrap())), "{paths:?}");
        // Again: nothing new, and what people have said since stays.
        {
            let catalog = Catalog::open_sqlite(&fresh.root().join("catalog.sqlite")).unwrap();
            let mine = fresh.rows("SELECT id FROM assets ORDER BY title")[0].parse().unwrap();
            let edit = Edit { title: Some("Mine".to_owned()), collection: None, description: None };
            catalog.describe(mine, &edit, None, "test").unwrap();
        }
        let again = fresh.run(["ingest", "--bag", text(&bag)]).ends(0).says("nothing to do");
        assert!(!again.stdout.contains("the bag says"), "{again:?}");
        assert_eq!(fresh.rows("SELECT title FROM assets ORDER BY title")[0], "Mine");
    }
    // Without --bag a folder is a folder, and it is said what it is.
    let ran = Archive::new().run(["ingest", "--dry-run", text(&out.path().join("sha256"))]).ends(0);
    assert!(ran.stderr.contains("is a bag: --bag"), "{ran:?}");
}

#[test]
fn a_bag_that_is_not_valid_is_refused_and_nothing_of_it_taken_in() {
    let (a, b) = (png(1), png(2));
    type Change = fn(&Path);
    let cases: &[(&str, Change)] = &[
        ("data/new.png: manifest-sha256.txt does not name it (not-in-manifest)", |bag| {
            fs::write(bag.join("data/new.png"), "x").unwrap();
        }),
        ("data/b.png: manifest-sha256.txt names it, and it is not here (missing)", |bag| {
            fs::remove_file(bag.join("data/b.png")).unwrap();
        }),
        ("(payload-oxum)", |bag| fs::write(bag.join("bag-info.txt"), "Payload-Oxum: 1.1\n").unwrap()),
        // Of another algorithm all is read before anything is taken in.
        ("manifest-md5.txt says 0000", |bag| {
            let zeros = "0".repeat(32);
            fs::write(bag.join("manifest-md5.txt"), format!("{zeros}  data/a.png\n{zeros}  data/b.png\n")).unwrap();
        }),
        // So are tag files, and what ingest would not read.
        ("(checksum)", |bag| {
            fs::write(bag.join("tagmanifest-sha256.txt"), format!("{}  bag-info.txt\n", "0".repeat(64))).unwrap();
        }),
        ("data/.DS_Store: its sha256 is", |bag| {
            let manifest = fs::read_to_string(bag.join("manifest-sha256.txt")).unwrap();
            let line = format!("{}  data/.DS_Store\n", Digest::of("what it was"));
            fs::write(bag.join("manifest-sha256.txt"), manifest + &line).unwrap();
            fs::write(bag.join("data/.DS_Store"), "what it is").unwrap();
        }),
    ];
    let archive = Archive::new();
    for (words, change) in cases {
        let dir = scratch();
        let bag = bag(dir.path(), &[("a.png", &a), ("b.png", &b)], "");
        change(&bag);
        let ran =
            archive.run(["ingest", "--bag", text(&bag)]).ends(1).says("refused: it is not a valid bag").says(words);
        assert!(!ran.stdout.contains("paths"), "{ran:?}");
    }
    assert!(archive.rows("SELECT path FROM sightings").is_empty());
    // A file that differs by SHA-256 is found by the one read: it is left out, named, and taken in once it is right.
    let dir = scratch();
    let bag = bag(dir.path(), &[("a.png", &a), ("b.png", &b)], "");
    let mut wrong = b.clone();
    *wrong.last_mut().unwrap() ^= 1;
    fs::write(bag.join("data/b.png"), &wrong).unwrap();
    let is = Digest::of(&wrong).to_string();
    archive.run(["ingest", "--bag", text(&bag)]).ends(1).says("b.png: its SHA-256 is").says(&is);
    assert_eq!(archive.rows("SELECT title FROM assets"), ["a.png"]);
    fs::write(bag.join("data/b.png"), &b).unwrap();
    archive.run(["ingest", "--bag", text(&bag)]).ends(0);
    assert_eq!(archive.rows("SELECT title FROM assets ORDER BY title"), ["a.png", "b.png"]);
}

#[test]
fn what_a_bag_of_others_says_is_said_of_what_came_with_it_in_whatever_encoding() {
    let (archive, dir) = (Archive::new(), scratch());
    let info = "External-Description: Señales\n de humo\nSource-Organization: Filmoteca\nExternal-Identifier: F-77\n\
                Bag-Group-Identifier: Años 80\n";
    let bag = bag(dir.path(), &[("a.png", &png(1)), ("ñ.png", &png(2))], "");
    let latin = |text: &str| text.chars().map(|c| c as u8).collect::<Vec<u8>>();
    fs::write(bag.join("bagit.txt"), "BagIt-Version: 1.0\nTag-File-Character-Encoding: ISO-8859-1\n").unwrap();
    let manifest = fs::read_to_string(bag.join("manifest-sha256.txt")).unwrap();
    fs::write(bag.join("bag-info.txt"), latin(info)).unwrap();
    fs::write(bag.join("manifest-sha256.txt"), latin(&manifest)).unwrap();
    damctl(["export", "validate", text(&bag)]).ends(0);
    archive.run(["ingest", "--bag", text(&bag)]).ends(0);
    let rows = archive.rows(
        "SELECT a.title, a.collection, json_extract(d.fields, '$.text') FROM assets a JOIN descriptions d ON d.asset = a.id
         ORDER BY a.title",
    );
    assert_eq!(rows.len(), 2);
    assert!(rows[1].contains("ñ.png") && rows[1].contains("Años 80"), "{rows:?}");
    assert!(rows[0].contains("Señales de humo\nSource: Filmoteca\nIdentifier: F-77"), "{rows:?}");
    // UTF-16 with its mark, and what is said to be UTF-16 and is not.
    fs::write(bag.join("bagit.txt"), "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-16\n").unwrap();
    let wide = |text: &str| format!("\u{feff}{text}").encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    fs::write(bag.join("bag-info.txt"), wide(info)).unwrap();
    damctl(["export", "validate", text(&bag)]).ends(1).says("(manifest-line)");
    fs::write(bag.join("manifest-sha256.txt"), wide(&manifest)).unwrap();
    damctl(["export", "validate", text(&bag)]).ends(0).says("2 file(s)");
}

/// A server of these files that knows ranges. Its first answer breaks off in the middle. Gives its address and
/// what was asked for.
fn server(files: Vec<(&'static str, Vec<u8>)>) -> (u16, Arc<Mutex<Vec<String>>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked: Arc<Mutex<Vec<String>>> = Arc::default();
    let (heard, is_cut) = (asked.clone(), AtomicBool::new(false));
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
            let path = head[0].split(' ').nth(1).unwrap().to_owned();
            let range = head.iter().find_map(|l| l.strip_prefix("range: bytes=")).unwrap_or("0-").to_owned();
            heard.lock().unwrap().push(format!("{path} {range}"));
            let from: usize = range.trim_end_matches('-').parse().unwrap();
            let Some((_, bytes)) = files.iter().find(|(name, _)| *name == path) else {
                stream.write_all(b"HTTP/1.1 404 Not\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap();
                continue;
            };
            let rest = &bytes[from..];
            let status = if from == 0 { "200 OK".to_owned() } else { "206 Partial".to_owned() };
            let head = format!(
                "HTTP/1.1 {status}\r\ncontent-range: bytes {from}-{}/{}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                bytes.len() - 1,
                bytes.len(),
                rest.len()
            );
            stream.write_all(head.as_bytes()).unwrap();
            let some = if is_cut.swap(true, Ordering::SeqCst) { rest.len() } else { rest.len() / 2 };
            stream.write_all(&rest[..some]).unwrap();
        }
    });
    (port, asked)
}

#[test]
fn what_fetch_txt_names_is_fetched_gone_on_with_and_held_against_the_manifests() {
    let (a, b) = (png(1), png(2));
    let (port, asked) = server(vec![("/a", a.clone()), ("/b", b.clone()), ("/large", vec![0; 300_000])]);
    let dir = scratch();
    let bag = bag(dir.path(), &[("a.png", &a), ("sub/b.png", &b)], "");
    let holey = |fetch: &str| {
        fs::remove_dir_all(bag.join("data")).unwrap();
        fs::create_dir(bag.join("data")).unwrap();
        fs::write(bag.join("fetch.txt"), fetch.replace("HOST", &format!("127.0.0.1:{port}"))).unwrap();
    };
    let fetch = |more: &[&str]| damctl(["export", "fetch", text(&bag)].iter().chain(more));
    let good = format!("http://HOST/a {} data/a.png\nhttp://HOST/b - data/sub/b.png\n", a.len());
    holey(&good);
    let archive = Archive::new();
    archive.run(["ingest", "--bag", text(&bag)]).ends(1).says("(not-fetched)").says("export fetch");
    // An address of our own network is asked for nothing unless somebody says so.
    fetch(&[]).ends(1).says("is in a network of our own");
    assert!(asked.lock().unwrap().is_empty());
    fetch(&["--from", "127.0.0.1"]).ends(0).says("2 file(s) fetched");
    let said = asked.lock().unwrap().clone();
    let half = a.len() / 2;
    assert_eq!(said, ["/a 0-".to_owned(), format!("/a {half}-"), "/b 0-".to_owned()]);
    damctl(["export", "validate", text(&bag)]).ends(0);
    archive.run(["ingest", "--bag", text(&bag)]).ends(0);
    assert_eq!(archive.rows("SELECT count(*) FROM assets"), ["2"]);
    // Killed between the last byte and the name: the next one gives it.
    holey(&good);
    let mut command = crate::harness::command(["export", "fetch", text(&bag), "--from", "127.0.0.1"]);
    let killed: Ran = command.env("DAMCTL_CRASH_AT", "export.fetched").output().unwrap().into();
    assert_eq!(killed.code, 128 + 9);
    fetch(&["--from", "127.0.0.1"]).ends(0);
    let left = fs::read_dir(&bag).unwrap().flatten().filter(|e| e.file_name().to_string_lossy().contains("damctl"));
    assert_eq!(left.count(), 0);
    damctl(["export", "validate", text(&bag)]).ends(0);

    let cases = [
        ("http://HOST/b - data/a.png\n", "what came has the sha256"),
        ("http://HOST/large 100 data/a.png\n", "more than 100 bytes came"),
        ("http://HOST/none - data/a.png\n", "answered 404"),
        ("file:///etc/passwd - data/a.png\n", "begin with 'file:'"),
        ("http://169.254.169.254/latest - data/a.png\n", "is in a network of our own"),
    ];
    for (line, words) in cases {
        holey(&format!("{line}http://HOST/b {} data/sub/b.png\n", b.len()));
        fetch(&["--from", "127.0.0.1"]).ends(1).says(words).says("1 file(s) fetched");
        assert!(!bag.join("data/a.png").exists() && bag.join("data/sub/b.png").exists());
    }
    // A bag that leads out of itself is fetched nothing for.
    holey(&good);
    let elsewhere = scratch();
    std::os::unix::fs::symlink(elsewhere.path(), bag.join("data/sub")).unwrap();
    fetch(&["--from", "127.0.0.1"]).ends(1).says("(link-leaves-bag)").says("0 file(s) fetched");
    assert_eq!(fs::read_dir(elsewhere.path()).unwrap().count(), 0);
}

#[test]
fn a_bag_is_held_against_each_rule_of_its_profile() {
    let name = "https://profiles.example/p.json";
    let all = json!({
        "BagIt-Profile-Info": {"BagIt-Profile-Identifier": name, "Source-Organization": "x", "External-Description": "x",
            "Version": "1.4"},
        "Bag-Info": {"Source-Organization": {"required": true, "values": ["Filmoteca", "NODO"]},
            "External-Identifier": {"required": true, "repeatable": false}, "Contact-Name": {}},
        "Manifests-Required": ["sha256"], "Manifests-Allowed": ["sha256", "md5"],
        "Tag-Manifests-Required": [], "Allow-Fetch.txt": false, "Serialization": "optional",
        "Accept-BagIt-Version": ["1.0"], "Tag-Files-Required": ["metadata/mets.xml"],
        "Tag-Files-Allowed": ["metadata/*"], "Payload-Files-Required": ["data/a.png"]
    });
    let info = format!("BagIt-Profile-Identifier: {name}\nSource-Organization: NODO\nExternal-Identifier: 1\n");
    let with = |change: &dyn Fn(&mut serde_json::Value, &Path)| -> Ran {
        let dir = scratch();
        let bag = bag(dir.path(), &[("a.png", &png(1))], &info);
        fs::create_dir(bag.join("metadata")).unwrap();
        fs::write(bag.join("metadata/mets.xml"), "<x/>").unwrap();
        let mut profile = all.clone();
        change(&mut profile, &bag);
        let file = dir.path().join("p.json");
        fs::write(&file, profile.to_string()).unwrap();
        damctl(["export", "validate", text(&bag), "--profile", text(&file)])
    };
    with(&|_, _| {}).ends(0).says("valid");
    type Change<'a> = &'a dyn Fn(&mut serde_json::Value, &Path);
    let cases: &[(&str, Change<'_>)] = &[
        ("profile-identifier", &|p, _| p["BagIt-Profile-Info"]["BagIt-Profile-Identifier"] = json!("other")),
        ("profile-label-missing", &|_, b| fs::write(b.join("bag-info.txt"), "External-Identifier: 1\n").unwrap()),
        ("profile-label-repeated", &|_, b| {
            fs::write(b.join("bag-info.txt"), format!("{info}External-Identifier: 2\n")).unwrap();
        }),
        ("profile-label-value", &|p, _| p["Bag-Info"]["Source-Organization"]["values"] = json!(["BBC"])),
        ("profile-manifest-missing", &|p, _| p["Manifests-Required"] = json!(["sha512"])),
        ("profile-manifest-missing", &|p, _| p["Tag-Manifests-Required"] = json!(["sha256"])),
        ("profile-manifest-other", &|p, _| p["Manifests-Allowed"] = json!(["md5"])),
        ("profile-fetch", &|_, b| fs::write(b.join("fetch.txt"), "https://x.example/a - data/a.png\n").unwrap()),
        ("profile-fetch", &|p, _| p["Fetch.txt-Required"] = json!(true)),
        ("profile-version", &|p, _| p["Accept-BagIt-Version"] = json!(["0.97"])),
        ("profile-file-missing", &|p, _| p["Tag-Files-Required"] = json!(["metadata/other.xml"])),
        ("profile-file-missing", &|p, _| p["Payload-Files-Required"] = json!(["data/b.png"])),
        ("profile-file-other", &|_, b| fs::write(b.join("notes.md"), "x").unwrap()),
        ("profile-file-other", &|p, _| p["Payload-Files-Allowed"] = json!(["data/*.mov"])),
        ("profile-data", &|p, _| p["Data-Empty"] = json!(true)),
    ];
    for (code, change) in cases {
        with(change).ends(1).says(&format!("({code})"));
    }
    with(&|p, _| p["Serialization"] = json!("required")).ends(0).says("profile-serialization");
    with(&|p, _| *p = json!({"x": 1})).ends(2).says("no BagIt profile");
    // The one that the bag names is fetched only when that is asked for, and not from our own network by itself.
    let dir = scratch();
    let (port, asked) = server(vec![("/p.json", all.to_string().replace(name, "http://HERE/p.json").into_bytes())]);
    let own = format!("http://127.0.0.1:{port}/p.json");
    let bag = bag(dir.path(), &[("a.png", &png(1))], &format!("BagIt-Profile-Identifier: {own}\n"));
    damctl(["export", "validate", text(&bag)]).ends(0);
    damctl(["export", "validate", text(&bag), "--own-profile"]).ends(2).says("a network of our own");
    assert!(asked.lock().unwrap().is_empty());
}
