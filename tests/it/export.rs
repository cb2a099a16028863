//! What is handed out in the forms of others, looked at by their makers' programs; and bags that are not what they say.

use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::harness::{Archive, Ran, damctl, picture, repository, scratch};

/// An archive of two pictures, one of them by a name that is not easy, and their drive.
fn archive_of_two(name: &str) -> (Archive, tempfile::TempDir, Vec<String>) {
    let (archive, drive) = (Archive::new(), scratch());
    fs::create_dir(drive.path().join("sub")).unwrap();
    picture(&drive.path().join("a.png"), 1);
    picture(&drive.path().join("sub").join(name), 2);
    let collection = ["ingest", drive.path().to_str().unwrap(), "--collection", "=demo, \"x\""];
    archive.run(collection).ends(0);
    let assets = archive.rows("SELECT id FROM assets ORDER BY title");
    (archive, drive, assets)
}

/// A program of Python's index that `scripts/setup test` gets. None where it is not to be had.
fn python(module: &str, args: &[&str]) -> Option<Ran> {
    let tools = repository("target/test-tools");
    if !tools.join(module).exists() && !tools.join(format!("{module}.py")).exists() {
        eprintln!("skipped: {module} is not in {}; 'scripts/setup test' gets it", tools.display());
        return None;
    }
    let main = match module {
        "ascmhl" => "from ascmhl.cli.ascmhl_debug import mhldebugtool_cli; mhldebugtool_cli()",
        _ => "import sys, bagit; sys.exit(bagit.main())",
    };
    let mut command = Command::new("python3");
    command.env("PYTHONPATH", tools).env("LC_ALL", "C.UTF-8").args(["-c", main]).args(args);
    Some(command.output().unwrap().into())
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

#[test]
fn bags_are_valid_to_the_makers_program_and_the_other_way_round() {
    let (archive, drive, assets) = archive_of_two("ñandú y más.png");
    let out = scratch();
    let (one, both) = (out.path().join("one"), out.path().join("both"));
    archive.run(["export", "bagit", &assets[1], "--to", text(&one)]).ends(0).says("1 file(s) in it");
    let words = ["export", "bagit", &assets[0], &assets[1], "--to", text(&both), "--algorithm", "sha512", "--copy"];
    archive.run(words).ends(0).says("2 file(s) in it");
    for bag in [&one, &both] {
        damctl(["export", "validate", text(bag)]).ends(0).says("valid: BagIt 1.0");
        if let Some(ran) = python("bagit", &["--validate", text(bag)]) {
            ran.ends(0);
        }
    }
    let payload = one.join("data/ñandú y más.png");
    assert_eq!(fs::read(&payload).unwrap(), fs::read(drive.path().join("sub/ñandú y más.png")).unwrap());
    assert!(fs::read_to_string(one.join("bag-info.txt")).unwrap().contains(&format!("urn:uuid:{}", assets[1])));
    // A killed run leaves no bag under its name, and is run again.
    let again = out.path().join("again");
    let words = ["export", "bagit", &assets[0], "--to", text(&again)];
    let killed: Ran = archive.command(words).env("DAMCTL_CRASH_AT", "export.before-rename").output().unwrap().into();
    assert!(killed.code == 128 + 9 && !again.exists());
    let parts =
        || fs::read_dir(out.path()).unwrap().flatten().filter(|e| text(&e.path()).contains(".damctl-bag-")).count();
    assert_eq!(parts(), 1);
    archive.run(words).ends(0);
    assert_eq!(parts(), 0);
    damctl(["export", "validate", text(&again)]).ends(0);
    // What is there stays; what a folder cannot give is not promised.
    archive.run(["export", "bagit", &assets[0], "--to", text(&one)]).ends(1).says("is there already");
    let holey = out.path().join("holey");
    archive.run(["export", "bagit", &assets[0], "--to", text(&holey), "--holey"]).ends(2).says("gives no addresses");
    assert!(!holey.exists());

    let theirs = out.path().join("theirs");
    fs::create_dir(&theirs).unwrap();
    picture(&theirs.join("100% ñ.png"), 3);
    if let Some(ran) = python("bagit", &["--md5", "--sha1", "--sha256", text(&theirs)]) {
        ran.ends(0);
        damctl(["export", "validate", text(&theirs)]).ends(0).says("valid: BagIt 0.97, 1 file(s)");
    }
}

#[test]
fn a_bag_without_its_payload_tells_where_it_is_and_is_whole_once_that_is_fetched() {
    let Some(archive) = crate::s3::archive("") else { return };
    let (drive, out) = (scratch(), scratch());
    picture(&drive.path().join("a b.png"), 1);
    archive.ingest(drive.path()).0.ends(0);
    let asset = archive.rows("SELECT id FROM assets")[0].clone();
    let (holey, full) = (out.path().join("holey"), out.path().join("full"));
    archive
        .run(["export", "bagit", &asset, "--to", text(&holey), "--holey", "--valid", "1h"])
        .ends(0)
        .says("to be fetched");
    damctl(["export", "validate", text(&holey)]).ends(1).says("(not-fetched)");
    let fetch = fs::read_to_string(holey.join("fetch.txt")).unwrap();
    let (address, path) = (fetch.split(' ').next().unwrap(), fetch.trim_end().splitn(3, ' ').last().unwrap());
    let (status, _, body) = crate::harness::http("GET", address, b"");
    assert_eq!((status, path), (200, "data/a b.png"));
    fs::write(holey.join(path), body).unwrap();
    archive.run(["export", "bagit", &asset, "--to", text(&full)]).ends(0);
    for bag in [&holey, &full] {
        damctl(["export", "validate", text(bag)]).ends(0);
        if let Some(ran) = python("bagit", &["--validate", text(bag)]) {
            ran.ends(0);
        }
    }
}

#[test]
fn names_with_line_ends_and_percent_signs_come_through_a_bag() {
    let (archive, drive, assets) = archive_of_two("50% a\nb.png");
    let out = scratch();
    let bag = out.path().join("bag");
    let asset = archive.rows("SELECT id FROM assets WHERE title LIKE '%50%'");
    archive.run(["export", "bagit", &asset[0], "--to", text(&bag)]).ends(0);
    damctl(["export", "validate", text(&bag)]).ends(0);
    let manifest = fs::read_to_string(bag.join("manifest-sha256.txt")).unwrap();
    assert!(manifest.ends_with("  data/50%25 a%0Ab.png\n"), "{manifest}");
    let same =
        fs::read(bag.join("data/50% a\nb.png")).unwrap() == fs::read(drive.path().join("sub/50% a\nb.png")).unwrap();
    assert!(same && assets.len() == 2);
}

#[test]
fn damaged_bytes_are_not_put_in_a_bag() {
    let (archive, _drive, assets) = archive_of_two("b.png");
    let key = archive.rows("SELECT key FROM masters m JOIN members b ON b.digest = m.digest ORDER BY name")[0].clone();
    let object = archive.store().join(&key);
    let mut bytes = fs::read(&object).unwrap();
    bytes[60] ^= 1;
    fs::remove_file(&object).unwrap();
    fs::write(&object, bytes).unwrap();
    let out = scratch();
    let bag = out.path().join("bag");
    let ran = archive.run(["export", "bagit", &assets[0], "--to", text(&bag), "--copy"]);
    ran.ends(1).says("its bytes are others");
    assert_eq!(fs::read_dir(out.path()).unwrap().count(), 0);
}

/// A small bag of two files, by hand.
fn small(root: &Path) -> PathBuf {
    let bag = root.join("bag");
    fs::create_dir_all(bag.join("data/sub")).unwrap();
    let digest = |bytes: &[u8]| damctl::digest::Digest::of(bytes);
    fs::write(bag.join("data/a"), "a").unwrap();
    fs::write(bag.join("data/sub/b"), "bb").unwrap();
    fs::write(bag.join("bagit.txt"), "BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n").unwrap();
    fs::write(bag.join("bag-info.txt"), "Payload-Oxum: 3.2\n").unwrap();
    let manifest = format!("{} data/a\n{}  data/sub/b\n", digest(b"a"), digest(b"bb"));
    fs::write(bag.join("manifest-sha256.txt"), manifest).unwrap();
    let tags = format!("{}  bag-info.txt\n", digest(b"Payload-Oxum: 3.2\n"));
    fs::write(bag.join("tagmanifest-sha256.txt"), tags).unwrap();
    bag
}

fn add(bag: &Path, name: &str, line: &str) {
    let old = fs::read_to_string(bag.join(name)).unwrap_or_default();
    fs::write(bag.join(name), format!("{old}{line}")).unwrap();
}

fn faults(bag: &Path) -> Vec<(String, String)> {
    let ran = damctl(["export", "validate", text(bag), "--json"]);
    let found: Value = serde_json::from_str(&ran.stdout).unwrap_or_else(|e| panic!("{e}: {ran:?}"));
    let word = |f: &Value, key: &str| f[key].as_str().unwrap().to_owned();
    let faults: Vec<_> =
        found["faults"].as_array().unwrap().iter().map(|f| (word(f, "code"), word(f, "path"))).collect();
    assert_eq!(ran.code, i32::from(!faults.is_empty()));
    faults
}

#[test]
fn each_way_in_which_a_bag_is_invalid_is_told_and_what_is_allowed_is_not() {
    type Change = fn(&Path);
    let cases: &[(&str, &str, Change)] = &[
        ("no-declaration", "bagit.txt", |b| fs::remove_file(b.join("bagit.txt")).unwrap()),
        ("byte-order-mark", "bagit.txt", |b| {
            let text = fs::read_to_string(b.join("bagit.txt")).unwrap();
            fs::write(b.join("bagit.txt"), format!("\u{feff}{text}")).unwrap();
        }),
        ("declaration", "bagit.txt", |b| fs::write(b.join("bagit.txt"), "BagIt-Version: 1.0\n").unwrap()),
        ("version", "bagit.txt", |b| {
            fs::write(b.join("bagit.txt"), "BagIt-Version: 7.3\nTag-File-Character-Encoding: UTF-8\n").unwrap();
        }),
        ("no-manifest", "manifest-*.txt", |b| fs::remove_file(b.join("manifest-sha256.txt")).unwrap()),
        ("unsupported-algorithm", "manifest-whirlpool.txt", |b| {
            fs::rename(b.join("manifest-sha256.txt"), b.join("manifest-whirlpool.txt")).unwrap();
        }),
        ("no-payload-folder", "data", |b| fs::remove_dir_all(b.join("data")).unwrap()),
        ("missing", "data/a", |b| fs::remove_file(b.join("data/a")).unwrap()),
        ("not-in-manifest", "data/new", |b| fs::write(b.join("data/new"), "").unwrap()),
        ("checksum", "data/a", |b| fs::write(b.join("data/a"), "x").unwrap()),
        ("payload-oxum", "bag-info.txt", |b| fs::write(b.join("data/a"), "longer").unwrap()),
        ("checksum", "bag-info.txt", |b| add(b, "bag-info.txt", "Title: x\n")),
        ("duplicate", "manifest-sha256.txt", |b| {
            let text = fs::read_to_string(b.join("manifest-sha256.txt")).unwrap();
            add(b, "manifest-sha256.txt", &text);
        }),
        ("manifest-line", "manifest-sha256.txt", |b| add(b, "manifest-sha256.txt", "abc data/a\n")),
        ("unsafe-path", "manifest-sha256.txt", |b| {
            add(b, "manifest-sha256.txt", &format!("{}  data/../../x\n", "0".repeat(64)));
        }),
        ("unsafe-path", "manifest-sha256.txt", |b| {
            add(b, "manifest-sha256.txt", &format!("{}  /etc/passwd\n", "0".repeat(64)));
        }),
        ("unsafe-path", "manifest-sha256.txt", |b| {
            add(b, "manifest-sha256.txt", &format!("{}  ~root/x\n", "0".repeat(64)));
        }),
        ("wrong-file", "manifest-sha256.txt", |b| {
            add(b, "manifest-sha256.txt", &format!("{}  bagit.txt\n", "0".repeat(64)));
        }),
        ("unsafe-path", "fetch.txt", |b| add(b, "fetch.txt", "https://x.example/a 1 ../a\n")),
        ("fetch-not-in-manifest", "fetch.txt", |b| add(b, "fetch.txt", "https://x.example/a 1 data/other\n")),
        ("fetch-line", "fetch.txt", |b| add(b, "fetch.txt", "https://x.example/a many data/a\n")),
        ("not-fetched", "data/a", |b| {
            fs::remove_file(b.join("data/a")).unwrap();
            add(b, "fetch.txt", "https://x.example/a 1 data/a\n");
        }),
        ("line-too-long", "manifest-sha256.txt", |b| add(b, "manifest-sha256.txt", &"0".repeat(10_000_000))),
        ("link-leaves-bag", "data/out", |b| std::os::unix::fs::symlink("/etc/passwd", b.join("data/out")).unwrap()),
        ("not-a-file", "data/loop", |b| std::os::unix::fs::symlink("..", b.join("data/loop")).unwrap()),
        // These are as they may be.
        ("", "", |_| {}),
        ("", "", |b| {
            let text = fs::read_to_string(b.join("manifest-sha256.txt")).unwrap();
            fs::write(
                b.join("manifest-sha256.txt"),
                text.replace('\n', "\r\n")
                    .to_uppercase()
                    .replace("DATA/A", "data/a")
                    .replace("DATA/SUB/B", "data/sub/b"),
            )
            .unwrap();
            fs::write(b.join("bagit.txt"), "BagIt-Version: 0.97\rTag-File-Character-Encoding: UTF-8\r").unwrap();
        }),
        ("", "", |b| fs::write(b.join("manifest-whirlpool.txt"), "x").unwrap()),
        ("", "", |b| add(b, "fetch.txt", "https://x.example/a - data/a\n")),
    ];
    for (number, (code, path, change)) in cases.iter().enumerate() {
        let dir = scratch();
        let bag = small(dir.path());
        change(&bag);
        let found = faults(&bag);
        match code.is_empty() {
            true => assert!(found.is_empty(), "case {number}: {found:?}"),
            false => {
                assert!(found.contains(&((*code).to_owned(), (*path).to_owned())), "case {number} {code}: {found:?}")
            }
        }
    }
}

#[test]
fn premis_is_well_formed_in_its_order_and_tells_what_happened() {
    let (archive, _drive, assets) = archive_of_two("b & c.png");
    archive.run(["verify"]).ends(0);
    let out = scratch();
    let file = out.path().join("premis.xml");
    fs::write(&file, archive.run(["export", "premis", &assets[1]]).ends(0).stdout).unwrap();
    let script = "import sys, xml.etree.ElementTree as e\n\
        r = e.parse(sys.argv[1]).getroot(); t = lambda x: x.tag.split('}')[1]\n\
        assert r.tag == '{http://www.loc.gov/premis/v3}premis' and r.get('version') == '3.0'\n\
        print(' '.join(dict.fromkeys(t(c) for c in r)))\n\
        print([t(c) for c in r[1]], [t(c) for c in r[1][1]])\n\
        n = '{http://www.loc.gov/premis/v3}'\n\
        print(r[1].find(n + 'originalName').text)\n\
        print(sorted(set((v.find(n + 'eventType').text, v.find(n + 'eventOutcomeInformation')[0].text) for v in r.iter(n + 'event'))))\n\
        print([t(c) for c in next(r.iter(n + 'event'))])";
    let said = crate::harness::tool("python3", ["-c", script, text(&file)]);
    let expected = "object event agent\n\
        ['objectIdentifier', 'objectCharacteristics', 'originalName', 'storage', 'relationship'] ['fixity', 'size', 'format']\n\
        b & c.png\n\
        [('fixity check', 'success'), ('ingestion', 'success')]\n\
        ['eventIdentifier', 'eventType', 'eventDateTime', 'eventDetailInformation', 'eventOutcomeInformation', 'linkingAgentIdentifier', 'linkingObjectIdentifier']\n";
    assert_eq!(said, expected);
}

#[test]
fn lists_are_what_sha256sum_and_a_reader_of_csv_make_of_them() {
    let (archive, _drive, assets) = archive_of_two("b.png");
    archive.run(["transcode"]).ends(0);
    for area in ["masters", "renditions"] {
        let list = archive.run(["export", "sums", "--area", area]).ends(0).stdout;
        fs::write(archive.store().join("list"), &list).unwrap();
        let mut check = Command::new("sha256sum");
        let ran: Ran = check.args(["--strict", "-c", "list"]).current_dir(archive.store()).output().unwrap().into();
        assert_eq!(ran.ends(0).stdout.lines().count(), list.lines().count());
        assert!(list.lines().count() >= 2, "{list}");
    }
    let csv = archive.run(["export", "catalog"]).ends(0).stdout;
    fs::write(archive.root().join("c.csv"), csv).unwrap();
    let script = "import csv, sys\nfor r in csv.DictReader(open(sys.argv[1], newline='')): print(r['title'], r['collection'], r['masters'])";
    let said = crate::harness::tool("python3", ["-c", script, text(&archive.root().join("c.csv"))]);
    let mut lines: Vec<&str> = said.lines().collect();
    lines.sort_unstable();
    assert_eq!(lines, ["a.png '=demo, \"x\" 1", "b.png '=demo, \"x\" 1"]);
    let manifest = archive.json(["export", "manifest", &assets[0]]);
    assert_eq!(manifest["generations"][0]["masters"][0]["name"], "a.png");
    assert!(manifest["renditions"].as_array().is_some_and(|r| !r.is_empty()), "{manifest:#}");
}

#[test]
fn hash_lists_of_a_drive_are_a_chain_that_the_makers_program_follows() {
    let (archive, drive, _) = archive_of_two("50% ñ.png");
    let out = scratch();
    let copy = out.path().join("copy");
    let words = ["export", "mhl", text(drive.path()), "--to", text(&copy)];
    let look = || if let Some(ran) = python("ascmhl", &["verify", text(&copy)]) { ran.code } else { -1 };
    archive.run(words).ends(0).says("generation 1, 2 file(s)");
    assert!(copy.join("sub/50% ñ.png").is_file());
    assert!(look() <= 0);
    archive.run(words).ends(0).says("generation 2, 2 file(s)");
    assert!(look() <= 0);
    let lists = fs::read_dir(copy.join("ascmhl")).unwrap().count();
    assert_eq!(lists, 3);
    // What a killed run has left, a list that the chain does not have, is written anew.
    let killed: Ran = archive.command(words).env("DAMCTL_CRASH_AT", "export.before-chain").output().unwrap().into();
    assert_eq!(killed.code, 128 + 9);
    archive.run(words).ends(0).says("generation 3");
    assert!(look() <= 0);
    // A file that is not what the archive has is told, and stays.
    fs::remove_file(copy.join("a.png")).unwrap();
    fs::write(copy.join("a.png"), "changed").unwrap();
    archive.run(words).ends(1).says("failed: a.png");
    assert_eq!(fs::read(copy.join("a.png")).unwrap(), b"changed");
    assert_ne!(look(), 0);
    // And a list that was changed.
    let first = fs::read_dir(copy.join("ascmhl")).unwrap().flatten().map(|e| e.path());
    let before = fs::read_dir(copy.join("ascmhl")).unwrap().count();
    let first = first.filter(|p| text(p).contains("0001_")).last().unwrap();
    fs::write(&first, fs::read_to_string(&first).unwrap().replace("a.png", "b.png")).unwrap();
    archive.run(words).ends(1).says("was changed");
    assert_eq!(fs::read_dir(copy.join("ascmhl")).unwrap().count(), before);
}
