//! What OCFL's specification says of an object: the fixtures of its editors, and what damctl writes.

use std::{collections::BTreeMap, fs::File, path::Path};

use damctl::{
    stop::Stop,
    store::structure::{Depth, Fault, Object, check},
};

use crate::harness::{Archive, picture, repository, scratch};

/// Every file below a folder, by its path.
fn files(root: &Path) -> BTreeMap<String, u64> {
    let mut files = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let entry = entry.unwrap();
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if entry.file_name() != ".keep" {
                let name = path.strip_prefix(root).unwrap().to_str().unwrap().to_owned();
                files.insert(name, entry.metadata().unwrap().len());
            }
        }
    }
    files
}

fn faults(root: &Path) -> Vec<Fault> {
    let files = files(root);
    let open = |path: &str| Ok(Box::new(File::open(root.join(path)).unwrap()) as Box<dyn std::io::Read + Send>);
    check(&Object { files: &files, open: &open }, Depth::Bytes, &Stop::default()).unwrap()
}

/// The fixtures of OCFL's editors, as `scripts/setup test` gets them; none, with words, where they are not.
fn fixtures(kind: &str) -> Vec<(String, Vec<Fault>)> {
    let dir = repository("target/test-tools/ocfl-fixtures").join(kind);
    let Ok(entries) = std::fs::read_dir(&dir) else {
        eprintln!("skipped: there are no fixtures of OCFL in {} ('scripts/setup test' gets them)", dir.display());
        return Vec::new();
    };
    let of = |path: std::path::PathBuf| (path.file_name().unwrap().to_str().unwrap().to_owned(), faults(&path));
    entries.map(|e| of(e.unwrap().path())).collect()
}

#[test]
fn each_fixture_that_is_wrong_is_told_with_the_code_that_its_editors_gave_it() {
    let mut missed = Vec::new();
    for (name, faults) in fixtures("error") {
        let mut codes: Vec<&str> =
            name.split('_').take_while(|part| part.starts_with('E') && part.len() == 4).collect();
        assert!(!codes.is_empty(), "{name}");
        if name == "E023_missing_file" {
            // Another fixture of the same fault has this code, which is the specification's.
            codes.push("E092");
        }
        if !faults.iter().any(|f| codes.contains(&f.code)) {
            missed.push(format!("{name}: {faults:?}"));
        }
    }
    assert!(missed.is_empty(), "{}", missed.join("\n"));
}

#[test]
fn fixtures_that_are_right_have_no_fault() {
    for kind in ["valid", "warn"] {
        for (name, faults) in fixtures(kind) {
            assert!(faults.is_empty(), "{name}: {faults:?}");
        }
    }
}

#[test]
fn an_archive_is_held_against_the_specification_and_what_was_tampered_with_is_told() {
    let (archive, drive) = (Archive::new(), scratch());
    (0..3).for_each(|n| picture(&drive.path().join(format!("picture {n}.png")), n));
    std::fs::write(drive.path().join("large.bin"), vec![7; 3 << 20]).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["verify", "--structure"]).ends(0).says("0 fault(s)");
    let masters = archive.root().join("store/masters");
    let at = files(&masters);
    let find = |end: &str| masters.join(at.keys().find(|p| p.ends_with(end)).unwrap());
    let large = find("content/large.bin");
    let overwrite = |path: &Path, bytes: &[u8]| {
        let mut may = std::fs::metadata(path).unwrap().permissions();
        #[allow(clippy::permissions_set_readonly_false, reason = "a test's own file")]
        may.set_readonly(false);
        std::fs::set_permissions(path, may).unwrap();
        std::fs::write(path, bytes).unwrap();
    };
    let mut bytes = std::fs::read(&large).unwrap();
    bytes[1000] = 8;
    overwrite(&large, &bytes);
    // Names are right; the bytes tell.
    archive.run(["verify", "--structure", "--level", "head"]).ends(0);
    archive.run(["verify", "--structure"]).ends(1).says("large.bin: E092");
    std::fs::write(large.with_file_name("note.txt"), "of another hand").unwrap();
    overwrite(&find("v1/inventory.json.sha256"), b"0000 inventory.json\n");
    let said = archive.run(["verify", "--structure", "--level", "head"]).ends(1);
    assert!(said.stdout.contains("note.txt: E023") && said.stdout.contains("inventory.json: E060"), "{}", said.stdout);
}
