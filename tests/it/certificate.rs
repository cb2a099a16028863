//! Certificates as an auditor would try them: nothing that is on the drive and not in the archive may stay unsaid.

use std::{
    ffi::OsStr,
    fs,
    os::unix::{ffi::OsStrExt, fs::PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
};

use serde_json::Value;

use crate::harness::{self, Archive, Ran, damctl, picture, scratch, tool};

/// A drive of two pictures, a copy, a file named in Latin-1, junk, a link and an empty file; all of it taken in.
fn taken_in() -> (Archive, tempfile::TempDir) {
    let (archive, drive) = (Archive::new(), scratch());
    let at = |name: &str| drive.path().join(name);
    fs::create_dir(at("sub")).unwrap();
    picture(&at("a.png"), 1);
    picture(&at("sub/b.png"), 2);
    fs::copy(at("a.png"), at("copy.png")).unwrap();
    fs::write(drive.path().join(OsStr::from_bytes(b"ma\xf1ana <1> & 'x'.txt")), "notes").unwrap();
    fs::write(at(".DS_Store"), "x").unwrap();
    fs::write(at("empty"), "").unwrap();
    std::os::unix::fs::symlink("a.png", at("link")).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    (archive, drive)
}

const LATIN_1: &str = "ma%F1ana <1> & 'x'.txt";

/// The certificate as JSON, issued with exit code `code`.
#[track_caller]
fn certify(archive: &Archive, drive: &Path, words: &[&str], code: i32) -> Value {
    let all = ["certificate", "--format", "json"].map(OsStr::new).into_iter();
    let ran = archive.run(all.chain([drive.as_os_str()]).chain(words.iter().map(OsStr::new))).ends(code);
    serde_json::from_str(&ran.stdout).unwrap()
}

/// Path, outcome and detail of each entry.
fn entries(certificate: &Value) -> Vec<(&str, &str, &str)> {
    let list = certificate["paths"].as_array().unwrap().iter();
    list.map(|e| {
        let text = |key: &str| e[key].as_str().unwrap_or_default();
        (text("path"), text("outcome"), text("detail"))
    })
    .collect()
}

fn problems(certificate: &Value) -> Vec<(&str, &str)> {
    let bad = ["not_ingested", "unreadable", "missing", "archive"];
    entries(certificate).into_iter().filter(|(_, o, _)| bad.contains(o)).map(|(p, o, _)| (p, o)).collect()
}

#[test]
fn every_path_is_certified_with_its_bytes_and_their_place() {
    let (archive, drive) = taken_in();
    let c = certify(&archive, drive.path(), &[], 0);
    assert_eq!((&c["complete"], &c["basis"]["kind"], &c["version"]), (&true.into(), &"drive".into(), &1.into()));
    let outcomes: Vec<_> = entries(&c).into_iter().map(|(path, outcome, _)| (path, outcome)).collect();
    // Of the two that are the same, whichever was read first is the stored one.
    let of = |path: &str| outcomes.iter().find(|(p, _)| *p == path).unwrap().1;
    let mut same = [of("a.png"), of("copy.png")];
    same.sort();
    assert_eq!(same, ["duplicate", "stored"]);
    assert_eq!(
        outcomes.iter().filter(|(p, _)| !["a.png", "copy.png"].contains(p)).collect::<Vec<_>>(),
        [
            &(".DS_Store", "junk"),
            &("empty", "empty"),
            &("link", "skipped"),
            &(LATIN_1, "stored"),
            &("sub/b.png", "stored")
        ]
    );
    for e in c["paths"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|e| ["stored", "duplicate"].contains(&e["outcome"].as_str().unwrap()))
    {
        let path: damctl::model::RawPath = e["path"].as_str().unwrap().parse().unwrap();
        let (on_drive, kept) = (path.under(drive.path()), archive.store().join(e["key"].as_str().unwrap()));
        let sum = |path: &Path| damctl::digest::Digest::of(fs::read(path).unwrap()).to_string();
        assert_eq!(e["sha256"], sum(&on_drive), "{path}");
        assert_eq!(e["sha256"], sum(&kept), "{path}");
        assert_eq!(e["bytes"], fs::metadata(&on_drive).unwrap().len());
        assert!(e["asset"].is_string() && e["confirmed"].is_string(), "{e}");
    }
    let total =
        |outcome: &str| c["totals"].as_array().unwrap().iter().find(|t| t["outcome"] == outcome).unwrap().clone();
    assert_eq!(
        (&total("stored")["files"], &total("duplicate")["files"], &total("junk")["bytes"]),
        (&3.into(), &1.into(), &1.into())
    );
}

#[test]
fn what_came_changed_or_went_since_is_told() {
    let (archive, drive) = taken_in();
    fs::write(drive.path().join("late.txt"), "late").unwrap();
    picture(&drive.path().join("sub/b.png"), 9);
    fs::remove_file(drive.path().join(OsStr::from_bytes(b"ma\xf1ana <1> & 'x'.txt"))).unwrap();
    let c = certify(&archive, drive.path(), &[], 1);
    assert_eq!(problems(&c), [("late.txt", "not_ingested"), ("sub/b.png", "not_ingested")]);
    let entry = |path: &str| c["paths"].as_array().unwrap().iter().find(|e| e["path"] == path).unwrap();
    assert!(entry("sub/b.png")["detail"].as_str().unwrap().starts_with("it has changed since it was ingested"));
    // What went is in the archive, and not among what is on the drive.
    assert_eq!((&entry(LATIN_1)["outcome"], &entry(LATIN_1)["gone"]), (&"stored".into(), &true.into()));
    assert_eq!(c["gone"]["files"], 1);
    let ran = archive.run([OsStr::new("certificate"), drive.path().as_os_str()]).ends(1);
    let ran = ran.says("NOT COMPLETE: Do not wipe the drive: 2 path(s)").says("not ingested late.txt");
    assert!(ran.stdout.find("late.txt") < ran.stdout.find("Every path:"));
    // Taken in, nothing is missing.
    archive.ingest(drive.path()).0.ends(0);
    assert_eq!(problems(&certify(&archive, drive.path(), &[], 0)), []);
}

#[test]
fn a_drive_that_is_away_is_certified_by_the_catalog_and_it_says_so() {
    let (archive, drive) = taken_in();
    let label = drive.path().file_name().unwrap().to_str().unwrap().to_owned();
    let id = archive.rows("SELECT id FROM drives")[0].clone();
    let away = scratch();
    fs::rename(drive.path(), away.path().join("moved")).unwrap();
    for name in [label.as_str(), &id, &id[..6]] {
        let ran = archive.run(["certificate", name]).ends(0);
        let ran = ran.says("By the catalog, nothing is missing").says("The drive was not where it was last seen");
        assert!(ran.stdout.contains("survey of 20"), "{}", ran.stdout);
    }
    // An empty mount point is no drive.
    fs::create_dir(drive.path()).unwrap();
    let c = certify(&archive, drive.path(), &[], 0);
    assert_eq!((&c["basis"]["kind"], &c["gone"]["files"]), (&"catalog".into(), &0.into()));
    archive.run(["drives"]).ends(0).says("not here");
}

#[test]
fn a_drive_of_which_only_a_part_was_taken_in_is_not_certified_without_it() {
    let (archive, drive) = (Archive::new(), scratch());
    picture(&drive.path().join("a.png"), 1);
    picture(&drive.path().join("b.png"), 2);
    archive.run([OsStr::new("ingest"), drive.path().join("a.png").as_os_str()]).ends(0);
    let c = certify(&archive, drive.path(), &[], 1);
    assert_eq!(problems(&c), [("b.png", "not_ingested")]);
    let id = archive.rows("SELECT id FROM drives")[0].clone();
    let away = scratch();
    fs::rename(drive.path(), away.path().join("moved")).unwrap();
    archive.run(["certificate", &id]).ends(1).says("NOT COMPLETE").says("was never surveyed as a whole");
    fs::rename(away.path().join("moved"), drive.path()).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    fs::rename(drive.path(), away.path().join("moved")).unwrap();
    archive.run(["certificate", &id]).ends(0);
}

#[test]
fn what_was_left_out_on_purpose_is_not_in_the_archive() {
    let (archive, drive) = (Archive::new(), scratch());
    fs::create_dir(drive.path().join("raw")).unwrap();
    fs::write(drive.path().join("raw/x.txt"), "raw").unwrap();
    picture(&drive.path().join("a.png"), 1);
    picture(&drive.path().join("b.png"), 2);
    archive.ingest(drive.path()).0.ends(0);
    fs::write(drive.path().join("raw/y.txt"), "raw, too").unwrap();
    picture(&drive.path().join("c.png"), 3);
    let words = ["--exclude", "raw/", "--exclude", "c.*"].map(OsStr::new);
    archive.run([OsStr::new("ingest"), drive.path().as_os_str()].iter().chain(&words)).ends(0);
    let c = certify(&archive, drive.path(), &[], 1);
    assert_eq!(problems(&c), [("c.png", "not_ingested"), ("raw/y.txt", "not_ingested")]);
    let detail = entries(&c).into_iter().find(|(path, ..)| *path == "c.png").unwrap().2;
    assert_eq!(detail, "it was skipped when it was last looked at: left out by --exclude 'c.*'");
    let id = archive.rows("SELECT id FROM drives")[0].clone();
    let away = scratch();
    fs::rename(drive.path(), away.path().join("moved")).unwrap();
    let c = certify(&archive, Path::new(&id), &[], 1);
    assert_eq!(problems(&c), [("c.png", "not_ingested"), ("raw", "not_ingested")]);
}

#[test]
fn an_ingest_that_was_cut_short_is_seen_without_the_drive() {
    let (archive, drive) = (Archive::new(), scratch());
    let film = harness::drive().join("2019 harbor/harbor_cut.mp4");
    fs::copy(film, drive.path().join("a.mp4")).unwrap();
    fs::write(drive.path().join("junk.tmp"), "x").unwrap();
    let mut command = archive.command([OsStr::new("ingest"), drive.path().as_os_str()]);
    Ran::from(command.env("PATH", "/nonexistent").output().unwrap()).ends(3);
    fs::rename(drive.path(), archive.root().join("away")).unwrap();
    let c = certify(&archive, Path::new(&archive.rows("SELECT id FROM drives")[0]), &[], 1);
    assert!(problems(&c).contains(&("a.mp4", "not_ingested")), "{c:#}");
    fs::rename(archive.root().join("away"), drive.path()).unwrap();
}

#[test]
fn what_the_store_lost_is_missing_once_it_is_asked() {
    let (archive, drive) = taken_in();
    let before = archive.rows("SELECT MIN(confirmed_at) FROM masters")[0].clone();
    let key = |name: &str| archive.rows(&format!("SELECT key FROM masters WHERE key LIKE '%/{name}'"))[0].clone();
    let lost = archive.store().join(key("b.png"));
    let mut permissions = fs::metadata(&lost).unwrap().permissions();
    permissions.set_mode(0o644);
    fs::set_permissions(&lost, permissions).unwrap();
    fs::File::options().write(true).open(&lost).unwrap().set_len(10).unwrap();
    // The catalog alone does not see it.
    certify(&archive, drive.path(), &[], 0);
    let c = certify(&archive, drive.path(), &["--check"], 1);
    assert_eq!(problems(&c), [("sub/b.png", "missing")]);
    assert_eq!((&c["store_check"]["objects"], &c["store_check"]["missing"]), (&3.into(), &1.into()));
    fs::remove_file(&lost).unwrap();
    archive
        .run([OsStr::new("certificate"), drive.path().as_os_str(), OsStr::new("--check")])
        .ends(1)
        .says("unreadable   sub/b.png: the store has lost its bytes: ingest it again");
    assert_eq!(archive.rows(&format!("SELECT COUNT(*) FROM masters WHERE confirmed_at > {before}")), ["2"]);
}

#[test]
fn what_cannot_be_read_and_the_archive_itself_stand_in_the_way() {
    let (archive, drive) = taken_in();
    // Seen and not read, as on a disk that fails.
    archive.catalog().execute("UPDATE sightings SET outcome = 'unreadable', detail = 'Input/output error', digest = NULL, asset = NULL WHERE path = 'sub/b.png'", []).unwrap();
    let c = certify(&archive, drive.path(), &[], 1);
    assert_eq!(problems(&c), [("sub/b.png", "unreadable")]);
    archive.ingest(drive.path()).0.ends(0);
    certify(&archive, drive.path(), &[], 0);
    // An archive on the drive that it took in.
    picture(&archive.root().join("a.png"), 1);
    archive.run([OsStr::new("ingest"), archive.root().as_os_str()]).ends(0);
    let c = certify(&archive, archive.root(), &[], 1);
    assert!(problems(&c).contains(&("store", "archive")), "{:?}", problems(&c));
}

/// A key pair as openssl makes it; none, with words, where it is not.
fn keys(dir: &Path) -> Option<(PathBuf, PathBuf)> {
    if Command::new("openssl").arg("version").output().is_err() {
        eprintln!("skipped: openssl is not here");
        return None;
    }
    let (key, public) = (dir.join("key.pem"), dir.join("pub.pem"));
    tool("openssl", [OsStr::new("genpkey"), "-algorithm".as_ref(), "ed25519".as_ref(), "-out".as_ref(), key.as_ref()]);
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let write =
        [OsStr::new("pkey"), "-in".as_ref(), key.as_ref(), "-pubout".as_ref(), "-out".as_ref(), public.as_ref()];
    tool("openssl", write);
    Some((key, public))
}

#[test]
fn openssl_alone_verifies_a_signature_and_a_changed_byte_breaks_it() {
    let ((archive, drive), dir) = (taken_in(), scratch());
    let Some((key, public)) = keys(dir.path()) else { return };
    for name in ["c.json", "c.txt", "c.html"] {
        let file = dir.path().join(name);
        let sig = dir.path().join(format!("{name}.sig"));
        let words: [&OsStr; 6] = [
            "certificate".as_ref(),
            drive.path().as_ref(),
            "--sign".as_ref(),
            key.as_ref(),
            "--output".as_ref(),
            file.as_ref(),
        ];
        archive.run(words).ends(0).says("Nothing is missing");
        // A record is never replaced.
        archive.run(words).ends(2).says("is there already");
        let openssl = || {
            let mut command = Command::new("openssl");
            command.args(["pkeyutl", "-verify", "-pubin", "-rawin", "-inkey"]).arg(&public);
            command.arg("-in").arg(&file).arg("-sigfile").arg(&sig).output().unwrap()
        };
        let verify = || {
            damctl([OsStr::new("certificate"), "--verify".as_ref(), file.as_ref(), "--key".as_ref(), public.as_ref()])
        };
        assert!(openssl().status.success(), "{name}: {:?}", openssl());
        verify().ends(0).says("signed by the key");
        let mut bytes = fs::read(&file).unwrap();
        let at = bytes.len() / 2;
        bytes[at] ^= 1;
        fs::write(&file, bytes).unwrap();
        assert!(!openssl().status.success(), "{name}");
        verify().ends(1).says("is not one of these bytes");
    }
    let der =
        Command::new("openssl").args(["pkey", "-pubin", "-pubout", "-outform", "DER", "-in"]).arg(&public).output();
    let fingerprint = damctl::digest::Digest::of(der.unwrap().stdout).to_string();
    assert!(fs::read_to_string(dir.path().join("c.txt")).unwrap().contains(&fingerprint));
}

#[test]
fn a_key_that_others_can_read_or_that_is_none_is_refused_and_never_shown() {
    let ((archive, drive), dir) = (taken_in(), scratch());
    let Some((key, public)) = keys(dir.path()) else { return };
    let sign = |key: &Path| {
        let out = dir.path().join("c.json");
        archive.run([
            OsStr::new("certificate"),
            drive.path().as_ref(),
            "--sign".as_ref(),
            key.as_ref(),
            "--output".as_ref(),
            out.as_ref(),
        ])
    };
    fs::set_permissions(&key, fs::Permissions::from_mode(0o640)).unwrap();
    sign(&key).ends(2).says("can be read by others (mode 0640)").says("chmod 600");
    let secret = fs::read_to_string(&key).unwrap().lines().nth(1).unwrap().to_owned();
    fs::write(&key, format!("-----BEGIN PRIVATE KEY-----\n{secret}AA\n-----END PRIVATE KEY-----\n")).unwrap();
    fs::set_permissions(&key, fs::Permissions::from_mode(0o600)).unwrap();
    let ran = sign(&key).ends(2).says("is not an Ed25519 private key");
    assert!(!ran.stderr.contains(&secret[..16]) && !ran.stdout.contains(&secret[..16]));
    fs::set_permissions(&public, fs::Permissions::from_mode(0o600)).unwrap();
    sign(&public).ends(2).says("openssl genpkey -algorithm ed25519");
    sign(Path::new("/no/key")).ends(2).says("cannot read the key /no/key");
    assert!(!dir.path().join("c.json").exists());
    archive
        .run([OsStr::new("certificate"), drive.path().as_ref(), "--sign".as_ref(), key.as_ref()])
        .ends(2)
        .says("--output");
}

#[test]
fn a_page_holds_nothing_but_text_and_tells_of_which_record_it_is_a_view() {
    let ((archive, drive), dir) = (taken_in(), scratch());
    fs::write(drive.path().join("<script>alert(1)<_script>"), "x").unwrap();
    let json = dir.path().join("c.json");
    let words: [&OsStr; 4] = ["certificate".as_ref(), drive.path().as_ref(), "--output".as_ref(), json.as_ref()];
    archive.run(words).ends(1).says("not ingested: <script>");
    // Made of the record, by somebody without an archive.
    let page =
        damctl([OsStr::new("certificate"), "--from".as_ref(), json.as_ref(), "--format".as_ref(), "html".as_ref()]);
    let page = page.ends(1).stdout;
    assert!(page.contains("&lt;script&gt;alert(1)") && !page.contains("<script") && !page.contains("http"), "{page}");
    assert!(page.contains("ma%F1ana &lt;1&gt; &amp; &#39;x&#39;.txt"));
    let record = damctl::digest::Digest::of(fs::read(&json).unwrap()).to_string();
    assert!(page.contains(&record));
    let again =
        damctl([OsStr::new("certificate"), "--from".as_ref(), json.as_ref(), "--format".as_ref(), "json".as_ref()]);
    assert_eq!(again.ends(1).stdout.into_bytes(), fs::read(&json).unwrap());
}

#[test]
fn two_certificates_are_compared_path_by_path() {
    let ((archive, drive), dir) = (taken_in(), scratch());
    let issue = |name: &str| {
        let file = dir.path().join(name);
        archive.run([OsStr::new("certificate"), drive.path().as_ref(), "--output".as_ref(), file.as_ref()]);
        file
    };
    let compare =
        |old: &Path, new: &Path| damctl([OsStr::new("certificate"), "--compare".as_ref(), old.as_ref(), new.as_ref()]);
    let old = issue("old.json");
    let ran = compare(&old, &old).ends(0).says("7 the same");
    assert!(ran.stdout.lines().all(|l| l.starts_with("= ")) && ran.stdout.lines().count() == 7, "{}", ran.stdout);
    // Moved, changed, new, and one that cannot be vouched for.
    fs::rename(drive.path().join("a.png"), drive.path().join("moved.png")).unwrap();
    picture(&drive.path().join("sub/b.png"), 7);
    fs::write(drive.path().join("empty"), "not any more").unwrap();
    archive.ingest(drive.path()).0.ends(0);
    fs::write(drive.path().join("late"), "late").unwrap();
    let new = issue("new.json");
    let ran = compare(&old, &new).ends(1).says("does not account for 1 path(s)");
    let line = |path: &str| {
        ran.stdout.lines().find(|l| l[2..].starts_with(path)).unwrap_or_else(|| panic!("{path}: {}", ran.stdout))
    };
    assert!(line("sub/b.png").starts_with("* "), "{}", ran.stdout);
    assert!(line("moved.png").starts_with("+ ") && line("late").starts_with("+ ") && line("empty").starts_with("! "));
    assert!(line("copy.png").starts_with("= ") && line(LATIN_1).starts_with("= "));
    let json = damctl([
        OsStr::new("certificate"),
        "--format".as_ref(),
        "json".as_ref(),
        "--compare".as_ref(),
        old.as_ref(),
        new.as_ref(),
    ]);
    let json: Value = serde_json::from_str(&json.ends(1).stdout).unwrap();
    assert_eq!((&json["complete"], &json["totals"]["bytes"]), (&false.into(), &1.into()));
    let none = dir.path().join("none.json");
    for text in ["", "{}", r#"{"format":"damctl certificate","version":99}"#, r#"{"format":"x","version":1}"#] {
        fs::write(&none, text).unwrap();
        compare(&old, &none).ends(2).says("none.json is ");
    }
    compare(&old, &dir.path().join("no.json")).ends(2).says("cannot read");
}

#[test]
fn a_copy_of_a_drive_accounts_for_what_the_first_did() {
    let ((archive, drive), copy, dir) = (taken_in(), scratch(), scratch());
    // Another layout, the same bytes.
    fs::create_dir(copy.path().join("all")).unwrap();
    for name in ["a.png", "sub/b.png"] {
        let to = copy.path().join("all").join(Path::new(name).file_name().unwrap());
        fs::copy(drive.path().join(name), to).unwrap();
    }
    let latin = OsStr::from_bytes(b"ma\xf1ana <1> & 'x'.txt");
    fs::copy(drive.path().join(latin), copy.path().join(latin)).unwrap();
    archive.ingest(copy.path()).0.ends(0);
    let issue = |drive: &Path, name: &str| {
        let file = dir.path().join(name);
        archive.run([OsStr::new("certificate"), drive.as_ref(), "--output".as_ref(), file.as_ref()]).ends(0);
        file
    };
    let (one, two) = (issue(drive.path(), "1.json"), issue(copy.path(), "2.json"));
    let ran = damctl([OsStr::new("certificate"), "--compare".as_ref(), one.as_ref(), two.as_ref()]).ends(0);
    ran.says("- a.png (was stored; its bytes are at all/a.png)").says("accounts for everything");
}

#[test]
fn drives_are_listed_with_what_they_gave_and_found_by_name() {
    let (archive, drive) = taken_in();
    let listed = archive.run(["drives", "--json"]).ends(0).stdout;
    let row: Value = serde_json::from_str(&listed).unwrap();
    assert_eq!((&row["here"], &row["gave"].as_array().unwrap().len()), (&true.into(), &5));
    assert!(row["seen_at"].as_i64() > Some(0));
    let stored = row["gave"].as_array().unwrap().iter().find(|g| g["outcome"] == "stored").unwrap();
    assert_eq!(stored["files"], 3);
    let label = drive.path().file_name().unwrap().to_str().unwrap();
    archive.run(["drives"]).ends(0).says(label).says(", here").says("3 stored");
    // A path below the root means the whole drive.
    let c = certify(&archive, &drive.path().join("sub"), &[], 0);
    assert_eq!(c["paths"].as_array().unwrap().len(), 7);
    let other = scratch();
    archive.run([OsStr::new("certificate"), other.path().as_ref()]).ends(2).says("nothing of").says("damctl ingest");
    archive.run(["certificate", "no such drive"]).ends(2).says("'damctl drives' lists them");
    // Two drives of one label are told apart by id.
    archive.catalog().execute("UPDATE drives SET label = 'tape'", []).unwrap();
    fs::write(other.path().join("x.txt"), "x").unwrap();
    archive.ingest(other.path()).0.ends(0);
    archive.catalog().execute("UPDATE drives SET label = 'tape'", []).unwrap();
    archive.run(["certificate", "tape"]).ends(2).says("is more than one drive").says("first digits");
}
