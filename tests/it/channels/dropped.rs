//! What every server of files keeps its word on: whole files, once, and never over somebody else's.

use std::{fs, path::Path};

use damctl::{
    channel::{Channel, Fate, Item, Package, Retracted, Sent},
    error::Kind,
    model::Receipt,
    profile::channels::Check,
};

use super::{Bytes, Told, files, noise, sidecar};

/// A server of files.
pub trait Server {
    /// Where a user begins.
    fn root(&self) -> &Path;

    /// A channel to a folder.
    fn channel(&self, path: &str, check: Check) -> Box<dyn Channel>;

    /// The same by a line that breaks after these numbers of bytes.
    fn breaking(&self, path: &str, check: Check, cuts: Vec<usize>) -> Box<dyn Channel>;
}

fn published(sent: Sent) -> Receipt {
    match sent {
        Sent::Published(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

const PART: &str = ".film.mp4.damctl-0123456789abcdef.part";

/// A package of twenty files with captions and a sidecar: sent, found, sent again, taken back.
pub fn a_package_arrives_whole_is_found_and_taken_back(server: &dyn Server, check: Check) {
    let mut bytes = Bytes::default();
    let manifest = bytes.item("film.m3u8", "application/vnd.apple.mpegurl", b"#EXTM3U\n".to_vec());
    let segment =
        |n: u64| bytes.item(&format!("v/{n:03}.m4s"), "video/iso.segment", noise(100_000 + n as usize, n + 1));
    let mut media: Vec<Item> = (0..19).map(segment).collect();
    media.insert(0, manifest);
    let captions = bytes.item("film.es.srt", "application/x-subrip", b"1\n".to_vec());
    let package =
        Package { captions: vec![captions], sidecars: vec![sidecar("film.xml", "<film/>")], ..bytes.package(media) };
    let channel = server.channel("in/today", check);
    assert!(channel.standing().unwrap().name.is_some());

    let mut told = Told::default();
    let receipt = published(channel.send(&package, None, &mut told).unwrap());
    assert_eq!((told.moved, told.posted), (package.bytes(), 1));
    assert!(receipt.id == "in/today/film.m3u8" && receipt.url.as_ref().unwrap().ends_with("/in/today/film.m3u8"));
    let all = files(&server.root().join("in/today"));
    let mut wanted: Vec<(String, Vec<u8>)> =
        package.media.iter().chain(&package.captions).map(|i| (i.name.clone(), bytes.bytes(i).to_vec())).collect();
    wanted.push(("film.xml".to_owned(), b"<film/>".to_vec()));
    assert_eq!(all, wanted.into_iter().collect());
    // The order of names: segments, captions, what is opened, the sidecar.
    let proofs = receipt.proof["files"].as_array().unwrap();
    let paths: Vec<&str> = proofs.iter().map(|f| f["path"].as_str().unwrap()).collect();
    assert_eq!(paths[18..], ["in/today/v/018.m4s", "in/today/film.es.srt", "in/today/film.m3u8", "in/today/film.xml"]);
    assert!(proofs.iter().all(|f| f["sha256"].as_str().is_some_and(|d| d.len() == 64)));
    if check == Check::Read {
        assert!(proofs.iter().all(|f| f["checked"] == "read back"), "{proofs:?}");
    }

    assert_eq!(channel.find(&package, told.last()).unwrap(), Fate::Published(receipt.clone()));
    let mut again = Told::default();
    assert_eq!(published(channel.send(&package, Some(told.last()), &mut again).unwrap()).id, receipt.id);
    assert_eq!((again.moved, again.posted), (0, 0));

    // What somebody has changed meanwhile is not removed.
    fs::write(server.root().join("in/today/film.xml"), "somebody else's").unwrap();
    assert_eq!(channel.retract(&receipt).unwrap_err().kind(), Kind::Conflict);
    fs::write(server.root().join("in/today/film.xml"), "<film/>").unwrap();
    fs::write(server.root().join("in/today/other.txt"), "stays").unwrap();
    assert!(matches!(channel.retract(&receipt).unwrap(), Retracted::Gone(_)));
    assert_eq!(files(server.root()).keys().collect::<Vec<_>>(), ["in/today/other.txt"]);
    assert_eq!(channel.retract(&receipt).unwrap(), Retracted::Absent);
    assert_eq!(channel.find(&package, told.last()).unwrap(), Fate::Absent);
}

/// Cut again and again at odd offsets, then stopped: what the server has is not sent twice.
pub fn a_cut_upload_goes_on_where_it_stands(server: &dyn Server, cuts: Vec<usize>) {
    let mut bytes = Bytes::default();
    let film = bytes.item("film.mp4", "video/mp4", noise(24_000_001, 7));
    let package = bytes.package(vec![film.clone()]);
    let mut session = None;
    let tries = cuts.len();
    let broken = server.breaking("cut", Check::Read, cuts);
    for _ in 0..tries {
        let mut told = Told::default();
        let error = broken.send(&package, session.as_ref(), &mut told).unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{error:?}");
        assert_eq!(told.posted, 0);
        session = told.kept.last().cloned().or(session);
    }
    let part = server.root().join("cut").join(PART);
    let half = fs::metadata(&part).unwrap().len();
    assert!(half > 2_000_000 && half < film.bytes, "{half}");

    // Somebody asks it to stop.
    let channel = server.channel("cut", Check::Read);
    let mut told = Told { stop_after: Some(4_000_000), ..Told::default() };
    assert_eq!(channel.send(&package, session.as_ref(), &mut told).unwrap_err().kind(), Kind::Stopped);
    assert_eq!(channel.find(&package, told.last()).unwrap(), Fate::Resumable(told.last().clone()));

    let mut told = Told::default();
    published(channel.send(&package, session.as_ref(), &mut told).unwrap());
    assert!(told.moved < film.bytes - half, "{} of {}", told.moved, film.bytes);
    assert!(fs::read(server.root().join("cut/film.mp4")).unwrap() == bytes.bytes(&film));
    assert!(!part.exists());
}

/// A part that somebody has touched is not gone on with; not even where its end is right.
pub fn a_part_with_other_bytes_is_sent_anew(server: &dyn Server) {
    let mut bytes = Bytes::default();
    let film = bytes.item("film.mp4", "video/mp4", noise(9_000_000, 3));
    let package = bytes.package(vec![film.clone()]);
    let channel = server.channel("bad", Check::Read);
    let part = server.root().join("bad").join(PART);
    let film = bytes.bytes(&film);
    for (at, most) in [(6_999_999, 9_000_000), (10, 11_000_000)] {
        let mut half = film[..7_000_000].to_vec();
        half[at] ^= 1;
        fs::create_dir_all(part.parent().unwrap()).unwrap();
        fs::write(&part, half).unwrap();
        let mut told = Told::default();
        let receipt = published(channel.send(&package, None, &mut told).unwrap());
        assert_eq!(told.moved, most);
        assert!(fs::read(server.root().join("bad/film.mp4")).unwrap() == film);
        channel.retract(&receipt).unwrap();
    }
    // One that is longer than the file.
    fs::write(&part, vec![0; 9_000_001]).unwrap();
    published(channel.send(&package, None, &mut Told::default()).unwrap());
    assert!(fs::read(server.root().join("bad/film.mp4")).unwrap() == film);
}

/// Another file of the same name stays as it is; the same file is taken as sent.
pub fn nothing_of_somebody_elses_is_overwritten(server: &dyn Server) {
    let mut bytes = Bytes::default();
    let film = bytes.item("film.mp4", "video/mp4", noise(50_000, 9));
    let text = bytes.item("film.srt", "application/x-subrip", b"1\n".to_vec());
    let package = Package { captions: vec![text], ..bytes.package(vec![film.clone()]) };
    let there = server.root().join("taken/film.mp4");
    fs::create_dir_all(there.parent().unwrap()).unwrap();
    let channel = server.channel("taken", Check::Hash);
    let mut same_size = bytes.bytes(&film).to_vec();
    same_size[100] ^= 1;
    for other in [b"short".to_vec(), same_size] {
        fs::write(&there, &other).unwrap();
        let mut told = Told::default();
        let error = channel.send(&package, None, &mut told).unwrap_err();
        assert_eq!(error.kind(), Kind::Conflict, "{error:?}");
        assert!(error.one_line().contains("taken/film.mp4") && error.hint_text().is_some(), "{error:?}");
        assert_eq!((told.moved, fs::read(&there).unwrap()), (0, other));
        assert!(!matches!(channel.find(&package, told.last()).unwrap(), Fate::Published(_)));
    }
    fs::write(&there, bytes.bytes(&film)).unwrap();
    let mut told = Told::default();
    published(channel.send(&package, None, &mut told).unwrap());
    assert_eq!(told.moved, 2);

    // What the archive does not have any more is no success.
    let mut bytes = Bytes::default();
    let film = bytes.item("short.mp4", "video/mp4", noise(50_000, 9));
    bytes.spoil(&film, noise(50_000, 10));
    let error = server.channel("taken", Check::Read).send(&bytes.package(vec![film]), None, &mut Told::default());
    assert!(error.is_err() && !server.root().join("taken/short.mp4").exists());
}
