//! What every [`Store`] keeps its word on.

use std::io::{Read, Write};

use damctl::{
    error::Kind,
    model::Key,
    store::{Arrived, Committed, FsStore, Look, MemoryStore, Original, S3Config, S3Store, Staged, Store, Upload},
};

use crate::harness;

fn key(text: &str) -> Key {
    text.parse().unwrap()
}

fn staged(store: &dyn Store, prefix: &str, files: &[(&str, &str)]) -> Staged {
    let mut deposit = store.stage(&key(prefix)).unwrap();
    for (name, text) in files {
        deposit.create(name, Some(text.len() as u64)).unwrap().write_all(text.as_bytes()).unwrap();
    }
    deposit.finish().unwrap()
}

fn read(store: &dyn Store, at: &str) -> String {
    let mut text = String::new();
    store.open(&key(at), None).unwrap().read_to_string(&mut text).unwrap();
    text
}

/// Runs one promise on every store.
fn each(promise: impl Fn(&dyn Store)) {
    let dir = tempfile::tempdir().unwrap();
    promise(&FsStore::open(dir.path()).unwrap());
    promise(&MemoryStore::new());
    if let Some(config) = buckets() {
        promise(&S3Store::open(config).unwrap());
    }
}

/// Buckets of the suite's S3 server, below a prefix that nobody has used.
fn buckets() -> Option<S3Config> {
    let place = ("contract".to_owned(), uuid::Uuid::now_v7().to_string());
    let config = S3Config {
        endpoint: Some(harness::s3_endpoint()?),
        path_style: true,
        places: [place.clone(), place.clone(), place],
        part_bytes: 5 << 20,
        in_flight: 3,
        ..S3Config::default()
    };
    S3Store::make_buckets(config.clone()).unwrap();
    Some(config)
}

#[test]
fn an_object_is_duplicated_under_a_free_key_and_outlives_the_first() {
    each(|store| {
        let text = "segment";
        store.commit(vec![staged(store, "renditions/a/b", &[("x.ts", text)])]).unwrap();
        let of = Original { bytes: 7, digest: damctl::digest::Digest::of(text.as_bytes()), mime: "video/mp2t" };
        let (from, to) = (key("renditions/a/b/x.ts"), key("delivery/web/a/x.ts"));
        assert_eq!(store.duplicate(&from, &to, &of).unwrap(), Committed::New);
        assert_eq!(store.duplicate(&from, &to, &of).unwrap(), Committed::Present);
        store.remove(&key("renditions/a/b")).unwrap();
        assert_eq!(read(store, "delivery/web/a/x.ts"), text);
        if let Some(address) = store.presigned(&to, std::time::Duration::from_secs(60)).unwrap() {
            let head = harness::tool("curl", ["-s", "-D", "-", "-o", "/dev/null", &address]).to_lowercase();
            assert!(head.contains("content-type: video/mp2t"), "{head}");
        }
        let missing = store.duplicate(&from, &key("delivery/web/a/y.ts"), &of).unwrap_err();
        assert_eq!(missing.kind(), Kind::NotFound);
        assert_eq!(store.size(&key("delivery/web/a/y.ts")).unwrap(), None);
    });
}

#[test]
fn a_deposit_is_not_seen_before_its_commit_and_whole_after_it() {
    each(|store| {
        let deposit = staged(store, "masters/a/b", &[("x", "one"), ("v1/content/y", "two")]);
        assert_eq!(store.size(&key("masters/a/b/x")).unwrap(), None);
        assert_eq!(store.commit(vec![deposit]).unwrap(), [Committed::New]);
        assert_eq!(read(store, "masters/a/b/x"), "one");
        assert_eq!(read(store, "masters/a/b/v1/content/y"), "two");
        assert_eq!(store.size(&key("masters/a/b/x")).unwrap(), Some(3));
    });
}

#[test]
fn a_prefix_that_is_taken_stays_as_it_was() {
    each(|store| {
        store.commit(vec![staged(store, "renditions/a/b", &[("x", "first")])]).unwrap();
        let second = store.commit(vec![staged(store, "renditions/a/b", &[("x", "second"), ("y", "more")])]).unwrap();
        assert_eq!(second, [Committed::Present]);
        assert_eq!(read(store, "renditions/a/b/x"), "first");
        assert_eq!(store.size(&key("renditions/a/b/y")).unwrap(), None);
    });
}

#[test]
fn a_dropped_deposit_leaves_nothing() {
    each(|store| {
        drop(staged(store, "masters/a/b", &[("x", "one")]));
        let mut open = store.stage(&key("masters/a/c")).unwrap();
        open.create("x", None).unwrap().write_all(b"half").unwrap();
        drop(open);
        assert_eq!(store.list(&key("masters/a")).unwrap(), []);
    });
}

#[test]
fn many_deposits_are_committed_at_once() {
    each(|store| {
        let deposits: Vec<Staged> =
            (0..40).map(|i| staged(store, &format!("masters/{i:02}/o"), &[("x", &i.to_string())])).collect();
        assert!(store.commit(deposits).unwrap().iter().all(|c| *c == Committed::New));
        assert_eq!(read(store, "masters/39/o/x"), "39");
    });
}

#[test]
fn every_object_of_an_area_is_found_with_those_of_its_prefix_side_by_side() {
    each(|store| {
        for prefix in ["masters/a.b/o", "masters/a/o", "renditions/a/o", "masters/a/p"] {
            store.commit(vec![staged(store, prefix, &[("x", "one"), ("y/z", "three")])]).unwrap();
        }
        let mut found = Vec::new();
        let each = &mut |object: damctl::store::Found| {
            found.push((object.key.to_string(), object.bytes));
            Ok(())
        };
        store.each_object(damctl::model::Area::Masters, each).unwrap();
        let mut folders: Vec<&str> = found.iter().map(|(key, _)| key.split("/o").next().unwrap()).collect();
        folders.dedup();
        assert_eq!(found.iter().map(|(_, bytes)| bytes).sum::<u64>(), 3 * 8);
        assert_eq!((found.len(), folders.iter().filter(|f| **f == "masters/a").count()), (6, 1), "{found:?}");
        store.each_object(damctl::model::Area::Delivery, &mut |_| panic!("there is none")).unwrap();
    });
}

#[test]
fn a_range_is_the_bytes_that_were_asked_for() {
    each(|store| {
        store.put(&key("masters/a"), b"0123456789").unwrap();
        for (range, expected) in [(2..5, "234"), (8..20, "89"), (10..12, ""), (3..3, "")] {
            let mut text = String::new();
            store.open(&key("masters/a"), Some(range)).unwrap().read_to_string(&mut text).unwrap();
            assert_eq!(text, expected);
        }
    });
}

#[test]
fn a_put_never_overwrites() {
    each(|store| {
        assert_eq!(store.put(&key("masters/ocfl_layout.json"), b"one").unwrap(), Committed::New);
        assert_eq!(store.put(&key("masters/ocfl_layout.json"), b"two").unwrap(), Committed::Present);
        assert_eq!(read(store, "masters/ocfl_layout.json"), "one");
    });
}

#[test]
fn a_look_tells_the_size_and_does_not_read() {
    each(|store| {
        let (here, digest) = (key("masters/a/x"), damctl::digest::Digest::of("one"));
        store.put(&here, b"one").unwrap();
        assert_eq!(store.look(&here, &digest, None).unwrap(), Some(Look { bytes: 3, agrees: None }));
        assert_eq!(store.look(&key("masters/a/y"), &digest, None).unwrap(), None);
    });
}

#[test]
fn what_is_not_there_is_not_found_and_can_be_removed() {
    each(|store| {
        let missing = store.open(&key("masters/nothing"), None).err().unwrap();
        assert_eq!(missing.kind(), Kind::NotFound);
        store.remove(&key("masters/nothing")).unwrap();
        assert_eq!(store.list(&key("masters/nothing")).unwrap(), []);
    });
}

#[test]
fn a_removed_prefix_is_gone_and_free_again_and_its_neighbors_stay() {
    each(|store| {
        let put = |prefix: &str| store.commit(vec![staged(store, prefix, &[("x", "1")])]).unwrap();
        put("renditions/a/b");
        put("renditions/a/bc");
        store.remove(&key("renditions/a/b")).unwrap();
        assert_eq!(store.list(&key("renditions/a")).unwrap(), [key("renditions/a/bc/x")]);
        assert_eq!(put("renditions/a/b"), [Committed::New]);
    });
}

#[test]
fn a_finished_file_can_be_handed_over() {
    each(|store| {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("out.mp4");
        std::fs::write(&path, "film").unwrap();
        let mut deposit = store.stage(&key("renditions/a/b")).unwrap();
        deposit.adopt("proxy.mp4", &path).unwrap();
        store.commit(vec![deposit.finish().unwrap()]).unwrap();
        assert_eq!(read(store, "renditions/a/b/proxy.mp4"), "film");
    });
}

#[test]
fn names_that_climb_are_refused() {
    each(|store| {
        let mut deposit = store.stage(&key("masters/a/b")).unwrap();
        for bad in ["../x", "a/../../x", "/etc/x", "", "a//b"] {
            assert!(deposit.create(bad, None).is_err(), "{bad}");
        }
    });
}

#[test]
fn of_two_writers_of_one_prefix_exactly_one_is_first() {
    let dir = tempfile::tempdir().unwrap();
    let memory = MemoryStore::new();
    let buckets = buckets().map(|config| S3Store::open(config).unwrap());
    let mut open: Vec<Box<dyn Fn() -> Box<dyn Store> + Sync>> =
        vec![Box::new(|| Box::new(FsStore::open(dir.path()).unwrap())), Box::new(|| Box::new(memory.clone()))];
    open.extend(buckets.map(|s3| -> Box<dyn Fn() -> Box<dyn Store> + Sync> { Box::new(move || Box::new(s3.clone())) }));
    for open in &open {
        let outcomes: Vec<Committed> = std::thread::scope(|scope| {
            let write = |i: usize| {
                let store = open();
                let deposit = staged(&*store, "masters/a/b", &[("x", &i.to_string()), ("y", &i.to_string())]);
                store.commit(vec![deposit]).unwrap()[0]
            };
            let threads: Vec<_> = (0..8).map(|i| scope.spawn(move || write(i))).collect();
            threads.into_iter().map(|t| t.join().unwrap()).collect()
        });
        assert_eq!(outcomes.iter().filter(|o| **o == Committed::New).count(), 1);
        let store = open();
        assert_eq!(read(&*store, "masters/a/b/x"), read(&*store, "masters/a/b/y"), "files of two writers are mixed");
    }
}

#[test]
fn what_a_dead_process_staged_is_swept_by_the_next() {
    let dir = tempfile::tempdir().unwrap();
    let store = FsStore::open(dir.path()).unwrap();
    let staging = dir.path().join(".staging");
    let dead = staging.join("01890000-0000-7000-8000-000000000000");
    std::fs::create_dir_all(dead.join("deposit-x")).unwrap();
    std::fs::write(dead.join("deposit-x/half"), "half").unwrap();
    let deposit = staged(&store, "masters/a/b", &[("x", "alive")]);
    FsStore::open(dir.path()).unwrap();
    assert!(!dead.exists());
    assert_eq!(store.commit(vec![deposit]).unwrap(), [Committed::New], "a living process's staging was swept");
}

fn bytes(length: usize) -> Vec<u8> {
    let mut state = 88_172_645_463_325_252_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    };
    (0..length).map(|_| next()).collect()
}

#[test]
fn a_large_file_is_read_back_as_it_was_written() {
    each(|store| {
        let content = bytes((11 << 20) + 77);
        let mut deposit = store.stage(&key("masters/large/o")).unwrap();
        {
            let mut file = deposit.create("v1/content/x", Some(content.len() as u64)).unwrap();
            content.chunks(1_000_003).for_each(|piece| file.write_all(piece).unwrap());
            file.flush().unwrap();
        }
        deposit.create("inventory.json", None).unwrap().write_all(b"{}").unwrap();
        deposit.repeat("copy.json", "inventory.json").unwrap();
        store.commit(vec![deposit.finish().unwrap()]).unwrap();
        let mut back = Vec::new();
        store.open(&key("masters/large/o/v1/content/x"), None).unwrap().read_to_end(&mut back).unwrap();
        assert!(back == content);
        assert_eq!(read(store, "masters/large/o/copy.json"), "{}");
    });
}

#[test]
fn parts_that_the_store_has_are_not_sent_again() {
    let Some(config) = buckets() else { return };
    let store = S3Store::open(config).unwrap();
    let content = bytes((16 << 20) + 5);
    let parts: Vec<&[u8]> = content.chunks(5 << 20).collect();
    let at = key("masters/parts/o");
    let put = |parts_of: &mut Box<dyn damctl::store::Parts>, numbers: std::ops::Range<usize>| {
        for i in numbers {
            parts_of.put(i as u32 + 1, damctl::digest::Digest::of(parts[i]), parts[i].to_vec()).unwrap();
        }
    };
    // Two parts arrive, and whoever sent them dies: one of them is in his ledger.
    let mut first = store.stage(&at).unwrap();
    let mut sending = first.parts("x", content.len() as u64, None).unwrap().unwrap();
    let id = sending.upload().id.clone();
    put(&mut sending, 0..2);
    while sending.upload().parts.is_empty() {
        put(&mut sending, 2..3);
    }
    let mut ledger = sending.upload().clone();
    ledger.parts.truncate(1);
    std::thread::sleep(std::time::Duration::from_millis(500));
    drop((sending, first));
    assert_eq!(store.open_uploads().unwrap().iter().filter(|u| u.id == id).count(), 1);
    // The next one goes on with the same upload. What is on its way is accepted only when it is sent: an ETag of a part
    // that was never sent here shows that the store had it.
    let mut second = store.stage(&at).unwrap();
    let mut sending = second.parts("x", content.len() as u64, Some(ledger)).unwrap().unwrap();
    assert_eq!((sending.upload().id.as_str(), sending.upload().unbroken()), (id.as_str(), 1));
    put(&mut sending, 1..2);
    assert_eq!(sending.upload().unbroken(), 2, "the second part was sent again");
    put(&mut sending, 2..parts.len());
    assert_eq!(sending.finish().unwrap().bytes(), content.len() as u64);
    store.commit(vec![second.finish().unwrap()]).unwrap();
    let mut back = Vec::new();
    store.open(&key("masters/parts/o/x"), None).unwrap().read_to_end(&mut back).unwrap();
    assert!(back == content);
    assert!(store.open_uploads().unwrap().iter().all(|u| u.id != id));
}

#[test]
fn an_upload_that_is_given_up_leaves_nothing() {
    let Some(config) = buckets() else { return };
    let store = S3Store::open(config).unwrap();
    let at = key("masters/given/up");
    let content = bytes(6 << 20);
    let mine = || store.open_uploads().unwrap().into_iter().filter(|u| u.key.as_str().starts_with(at.as_str())).count();
    // Written and never committed.
    let mut deposit = store.stage(&at).unwrap();
    {
        let mut file = deposit.create("x", Some(content.len() as u64)).unwrap();
        file.write_all(&content).and_then(|()| file.flush()).unwrap();
    }
    assert_eq!(mine(), 1);
    drop(deposit.finish().unwrap());
    assert_eq!(mine(), 0);
    // Abandoned halfway, and by a key and an id.
    let parts = store.stage(&at).unwrap().parts("x", content.len() as u64, None).unwrap().unwrap();
    parts.abandon().unwrap();
    let parts = store.stage(&at).unwrap().parts("x", content.len() as u64, None).unwrap().unwrap();
    store.abort_upload(&at.join("x").unwrap(), &parts.upload().id).unwrap();
    store.abort_upload(&at.join("x").unwrap(), &parts.upload().id).unwrap();
    assert_eq!(mine(), 0);
}

#[test]
fn others_send_parts_to_addresses_and_what_has_arrived_is_told() {
    let Some(config) = buckets() else { return };
    let store = S3Store::open(config).unwrap();
    let at = key("masters/others/film");
    let content = bytes((11 << 20) + 7);
    let size = content.len() as u64;
    let hour = std::time::Duration::from_secs(3600);
    let (upload, addresses) = store.begin_presigned(&at, size, hour).unwrap().unwrap();
    let put = |number: usize, body: &[u8]| harness::http("PUT", &addresses[number - 1], body).0;
    let parts: Vec<&[u8]> = content.chunks(upload.part_bytes as usize).collect();
    assert_eq!((parts.len(), addresses.len(), upload.count(size)), (3, 3, 3));
    let arrived = || store.receive(&at, &upload, size).unwrap();
    assert_eq!(arrived(), Arrived::Missing { bytes: 0 });
    assert_eq!((put(3, parts[2]), put(1, parts[0])), (200, 200));
    assert_eq!(put(2, &parts[1][1..]), 200);
    assert_eq!(arrived(), Arrived::Missing { bytes: (parts[0].len() + parts[2].len()) as u64 }, "one is too short");
    assert_eq!(put(2, parts[1]), 200);
    assert_eq!(arrived(), Arrived::Here { bytes: size });
    assert_eq!(arrived(), Arrived::Here { bytes: size });
    let mut back = Vec::new();
    store.open(&at, None).unwrap().read_to_end(&mut back).unwrap();
    assert!(back == content);
    assert_eq!(store.receive(&at, &upload, 5).unwrap_err().kind(), Kind::Conflict);
    // An address that is another part's, or none at all, is refused.
    assert_eq!(harness::http("PUT", &addresses[0].replace("partNumber=1", "partNumber=2"), b"x").0, 403);
}

#[test]
fn an_upload_by_others_can_be_empty_can_be_given_up_and_is_not_for_folders() {
    let minute = std::time::Duration::from_secs(60);
    let nobody = Upload { id: "x".to_owned(), part_bytes: 1, parts: Vec::new(), checksum: None };
    let dir = tempfile::tempdir().unwrap();
    let folder = FsStore::open(dir.path()).unwrap();
    assert_eq!(folder.begin_presigned(&key("masters/a"), 1, minute).unwrap(), None);
    assert_eq!(folder.receive(&key("masters/a"), &nobody, 1).unwrap_err().kind(), Kind::Unsupported);
    let Some(config) = buckets() else { return };
    let store = S3Store::open(config).unwrap();
    let (empty, addresses) = store.begin_presigned(&key("masters/others/empty"), 0, minute).unwrap().unwrap();
    assert_eq!(store.receive(&key("masters/others/empty"), &empty, 0).unwrap(), Arrived::Missing { bytes: 0 });
    assert_eq!(harness::http("PUT", &addresses[0], b"").0, 200);
    assert_eq!(store.receive(&key("masters/others/empty"), &empty, 0).unwrap(), Arrived::Here { bytes: 0 });
    let at = key("masters/others/gone");
    let (upload, addresses) = store.begin_presigned(&at, 7, minute).unwrap().unwrap();
    store.abort_upload(&at, &upload.id).unwrap();
    assert_eq!(store.receive(&at, &upload, 7).unwrap_err().kind(), Kind::NotFound);
    assert_eq!(harness::http("PUT", &addresses[0], b"too late").0, 404);
    let years = std::time::Duration::from_secs(1 << 28);
    assert_eq!(store.begin_presigned(&at, 7, years).unwrap_err().kind(), Kind::Invalid);
}
