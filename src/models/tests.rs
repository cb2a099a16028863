//! Models that come from this machine: a server on loopback that breaks off, packages that lie.

use std::{
    io::{Read, Write},
    net::TcpListener,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use super::*;

fn own(dir: &Path, yaml: &str) -> Shelf {
    fs::write(dir.join(OWN), yaml).unwrap();
    Shelf::new(dir)
}

/// Serves `body`, each time a third of what was asked for and then nothing more. Tells how often it was asked, and from where.
fn breaking_server(body: Vec<u8>) -> (u16, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let mut stream = stream;
            let (mut head, mut byte) = (Vec::new(), [0]);
            while !head.ends_with(b"\r\n\r\n") && stream.read(&mut byte).unwrap_or(0) == 1 {
                head.push(byte[0]);
            }
            let head = String::from_utf8_lossy(&head).to_lowercase();
            let from = head.split("range: bytes=").nth(1).and_then(|r| r.split('-').next()?.parse::<usize>().ok());
            let n = count.fetch_add(1, Ordering::SeqCst);
            let from_or = from.unwrap_or(0);
            let rest = &body[from_or..];
            let status = if from.is_some() { "206 Partial Content" } else { "200 OK" };
            write!(stream, "HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", rest.len()).unwrap();
            let part = if n < 2 { rest.len() / 3 } else { rest.len() };
            stream.write_all(&rest[..part]).ok();
        }
    });
    (port, asked)
}

#[cfg(feature = "download")]
#[test]
fn a_download_goes_on_where_it_broke_off_and_what_is_another_is_not_kept() {
    let dir = tempfile::tempdir().unwrap();
    let body: Vec<u8> = (0..3_000_000_u32).map(|i| (i * 7 % 251) as u8).collect();
    let (port, asked) = breaking_server(body.clone());
    let entry = |name: &str, sha256: Digest| {
        format!(
            "{name}:\n  use: objects\n  about: x\n  license: MIT\n  parts:\n    - url: http://127.0.0.1:{port}/m.onnx\n      \
             sha256: {sha256}\n      take: {{m.onnx: model.onnx}}\n"
        )
    };
    let shelf = own(dir.path(), &(entry("mine", Digest::of(&body)) + &entry("other", Digest::of("other"))));
    let model = shelf.pull("mine", &Stop::new(), &|_| ()).unwrap();
    assert_eq!(fs::read(model.dir.join("model.onnx")).unwrap(), body);
    assert_eq!((model.purpose, asked.load(Ordering::SeqCst)), (Use::Objects, 3));
    assert_eq!(shelf.pull("mine", &Stop::new(), &|_| ()).unwrap(), model);
    assert_eq!(asked.load(Ordering::SeqCst), 3, "what is here is not fetched again");

    let e = shelf.pull("other", &Stop::new(), &|_| ()).unwrap_err();
    assert_eq!(e.kind(), Kind::Corrupt);
    assert!(shelf.get("other").is_err());

    fs::write(model.dir.join("model.onnx"), "damaged").unwrap();
    assert_eq!(model.verify(&Stop::new()).unwrap_err().kind(), Kind::Corrupt);
    shelf.pull("mine", &Stop::new(), &|_| ()).unwrap().verify(&Stop::new()).unwrap();
}

#[test]
fn a_package_gives_what_is_wanted_of_it_and_nothing_leaves_its_folder() {
    let dir = tempfile::tempdir().unwrap();
    let zipped = |names: &[&str]| {
        let path = dir.path().join("package.whl");
        let mut zip = zip::ZipWriter::new(File::create(&path).unwrap());
        for name in names {
            zip.start_file(*name, zip::write::SimpleFileOptions::default()).unwrap();
            zip.write_all(name.as_bytes()).unwrap();
        }
        zip.finish().unwrap();
        path
    };
    let take = |wanted: &str, kept: &str| Part {
        pip: Some("x==1".to_owned()),
        tag: None,
        npm: None,
        url: None,
        sha256: Digest::of(""),
        take: BTreeMap::from([(wanted.to_owned(), kept.to_owned())]),
    };
    let to = dir.path().join("to");
    unpack::take(&take("a/ner/", "ner"), &zipped(&["a/ner/model", "a/ner/x/moves", "a/other"]), &to).unwrap();
    assert_eq!(fs::read_to_string(to.join("ner/x/moves")).unwrap(), "a/ner/x/moves");
    assert!(to.join("ner/model").is_file() && !to.join("other").exists());
    let said = |part: &Part, path: &Path| unpack::take(part, path, &to).unwrap_err().one_line();
    assert!(said(&take("b", "b"), &zipped(&["a"])).contains("there is no b"));
    assert!(said(&take("a/", "a"), &zipped(&["a/../../../evil"])).contains("leads out"));
    assert!(!dir.path().join("evil").exists());
    fs::write(dir.path().join("text"), "no package").unwrap();
    assert!(said(&take("a", "a"), &dir.path().join("text")).contains("neither zip nor tar.gz"));
}

#[test]
fn what_is_missing_unknown_or_badly_written_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(dir.path());
    let missing = shelf.get("whisper-base").unwrap_err();
    assert_eq!(missing.kind(), Kind::NotFound);
    assert!(missing.hint_text().unwrap().contains("damctl models pull whisper-base"), "{missing:?}");
    assert!(shelf.get("mine").unwrap_err().hint_text().unwrap().contains("import"));
    assert!(shelf.get("../mine").unwrap_err().one_line().contains("no name of a model"));
    assert!(shelf.here().unwrap().is_empty());
    let said = |yaml: &str| own(dir.path(), yaml).known().unwrap_err().one_line();
    assert!(said("x: {use: cooking}").contains("models.yaml:1:"), "{}", said("x: {use: cooking}"));
    let part = |part: &str| format!("x: {{use: names, about: x, license: MIT, parts: [{part}]}}");
    let digest = Digest::of("x");
    assert!(said(&part(&format!("{{sha256: {digest}, take: {{a: b}}}}"))).contains("one of pip, npm and url"));
    assert!(said(&part(&format!("{{pip: a, sha256: {digest}, take: {{a: ../b}}}}"))).contains("no name of a file"));
}

#[test]
fn files_of_ones_own_are_taken_as_they_are_and_only_once() {
    let dir = tempfile::tempdir().unwrap();
    let shelf = Shelf::new(&dir.path().join("models"));
    let mine = dir.path().join("yolo.onnx");
    fs::write(&mine, onnx::tests::centernet()).unwrap();
    let take = |name, purpose| shelf.import(&mine, name, purpose, Weights::F16, &Stop::new());
    let model = take("yolo", Use::Objects).unwrap();
    assert_eq!(model.file(), dir.path().join("models/yolo/model.onnx"));
    assert_eq!(take("yolo", Use::Objects).unwrap_err().kind(), Kind::Conflict);
    assert!(take("names", Use::Names).unwrap_err().one_line().contains("is a folder"));
    assert!(take("speech", Use::Speech).unwrap_err().one_line().contains("ggml"));
    let library = take("runtime", Use::Runtime).unwrap_err();
    assert!(library.kind() == Kind::Invalid && library.one_line().contains("no shared library"), "{library:?}");
    let folder = |purpose| shelf.import(dir.path(), "folder", purpose, Weights::F16, &Stop::new()).unwrap_err();
    assert!(folder(Use::Text).one_line().contains("there is no det.onnx in"));
    assert!(folder(Use::Names).one_line().contains("there is no meta.json in"));
    assert_eq!(folder(Use::Speech).kind(), Kind::NotFound);
    assert_eq!(shelf.here().unwrap().len(), 1);
}
