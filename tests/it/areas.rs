//! What each area's objects are asked to be, as it is said on the wire.

use std::{collections::BTreeMap, fs, io::Write, time::Duration};

use damctl::{
    model::{Area, Key},
    store::{Arrived, ObjectSettings, S3Config, S3Store, Store},
};

use crate::{
    harness::{self, picture, scratch},
    integrity::{archive, run},
    s3::large,
    strict::{self, Shared, Strict},
};

/// Encryption, key, storage class, ACL, Cache-Control.
const SAID: [&str; 5] = [
    "x-amz-server-side-encryption",
    "x-amz-server-side-encryption-aws-kms-key-id",
    "x-amz-storage-class",
    "x-amz-acl",
    "cache-control",
];

type Headers = BTreeMap<String, String>;

/// What was said when an object below `place` was written or its upload begun; and that it was signed.
fn said(shared: &Shared, place: &str) -> Vec<(String, [String; 5])> {
    let each = |(method, uri, headers): &(String, String, Headers)| {
        let signed = headers["authorization"].split("SignedHeaders=").nth(1).unwrap().split(',').next().unwrap();
        let signed: Vec<&str> = signed.split(';').collect();
        let value = |name: &str| headers.get(name).cloned().unwrap_or_default();
        for name in SAID.iter().filter(|n| n.starts_with("x-amz-") && headers.contains_key(**n)) {
            assert!(signed.contains(name), "{name} is not in {signed:?}");
        }
        let how = if uri.contains("uploads") { "begin" } else { "put" };
        assert_eq!(how == "begin", method == "POST");
        (how.to_owned(), SAID.map(value))
    };
    let is_of = |(_, uri, _): &&(String, String, Headers)| {
        uri.contains(place) && !uri.contains("uploadId") && !uri.contains(".probe")
    };
    shared.lock().unwrap().heard.iter().filter(is_of).map(each).collect()
}

/// The names that objects were written or begun under, and the media types that were said.
fn types(shared: &Shared) -> Vec<(String, String)> {
    let each = |(_, uri, headers): &(String, String, Headers)| {
        let name = uri.split('?').next().unwrap().rsplit('/').next().unwrap().to_owned();
        Some((name, headers.get("content-type")?.clone()))
    };
    shared.lock().unwrap().heard.iter().filter(|(_, uri, _)| !uri.contains("uploadId")).filter_map(each).collect()
}

fn words(of: [&str; 5]) -> [String; 5] {
    of.map(str::to_owned)
}

#[test]
fn every_area_is_asked_for_what_it_is_set_to_be_in_whatever_way_it_is_written() {
    // The store in this process takes the credentials of the environment.
    if harness::s3_endpoint().is_none() {
        return;
    }
    let (endpoint, shared) = strict::serve(Strict::default());
    let text = |text: &str| Some(text.to_owned());
    let masters = ObjectSettings {
        encryption: text("aws:kms key-1"),
        storage_class: text("STANDARD_IA"),
        acl: text("bucket-owner-full-control"),
        cache_control: None,
    };
    let renditions = ObjectSettings {
        encryption: text("AES256"),
        acl: text("public-read"),
        cache_control: text("public, max-age=60"),
        ..ObjectSettings::default()
    };
    let delivery = ObjectSettings { storage_class: text("ONEZONE_IA"), ..ObjectSettings::default() };
    let expected = [
        words(["aws:kms", "key-1", "STANDARD_IA", "bucket-owner-full-control", ""]),
        words(["AES256", "", "", "public-read", "public, max-age=60"]),
        words(["", "", "ONEZONE_IA", "", ""]),
    ];
    let config = S3Config {
        endpoint: Some(endpoint),
        path_style: true,
        places: ["m", "r", "d"].map(|bucket| (bucket.to_owned(), String::new())),
        part_bytes: 5 << 20,
        in_flight: 2,
        objects: [masters, renditions, delivery],
        ..S3Config::default()
    };
    let store = S3Store::open(config).unwrap();
    for (area, expected) in Area::ALL.into_iter().zip(expected) {
        let prefix = Key::new(area, &["x"]).unwrap();
        let mut deposit = store.stage(&prefix).unwrap();
        for (name, bytes) in [("small.vtt", 9), ("large.mp4", 6 << 20)] {
            let mut file = deposit.create(name, Some(bytes)).unwrap();
            file.write_all(&vec![7; bytes as usize]).and_then(|()| file.flush()).unwrap();
        }
        store.commit(vec![deposit.finish().unwrap()]).unwrap();
        let said = said(&shared, &format!("{}/x/", area.as_str()));
        assert_eq!(said.len(), 2, "{said:?}");
        assert!(said.iter().any(|(how, _)| how == "begin") && said.iter().any(|(how, _)| how == "put"), "{said:?}");
        assert!(said.iter().all(|(_, said)| *said == expected), "{area:?}: {said:?}");
        // A browser plays what is called what it is; of originals nothing is claimed.
        let types = types(&shared);
        assert_eq!(types.contains(&("large.mp4".into(), "video/mp4".into())), area != Area::Masters, "{types:?}");
        assert_eq!(types.contains(&("small.vtt".into(), "text/vtt".into())), area != Area::Masters, "{types:?}");

        // By addresses: it is the beginning that says it, and whoever sends a part needs to say nothing.
        let key = prefix.join("sent").unwrap();
        let (upload, addresses) = store.begin_presigned(&key, 9, Duration::from_secs(60)).unwrap().unwrap();
        assert!(addresses[0].contains("X-Amz-SignedHeaders=host&"), "{}", addresses[0]);
        assert_eq!(harness::http("PUT", &addresses[0], &[7; 9]).0, 200);
        assert_eq!(store.receive(&key, &upload, 9).unwrap(), Arrived::Here { bytes: 9 });
        let said = self::said(&shared, "/x/sent?uploads");
        assert_eq!(said, [("begin".to_owned(), expected)]);
        shared.lock().unwrap().heard.clear();
    }
}

#[test]
fn masters_are_nobodys_and_renditions_are_kept_for_ever_unless_it_is_set_otherwise() {
    let forever = words(["", "", "", "", "public, max-age=31536000, immutable"]);
    let (archive, shared) = archive(Strict::default());
    let drive = scratch();
    picture(&drive.path().join("a.png"), 1);
    large(&drive.path().join("b.bin"), 21, 7);
    let take_in = || {
        run(archive.command(["ingest", drive.path().to_str().unwrap()])).ends(0);
        run(archive.command(["transcode"])).ends(0);
        let said = (said(&shared, "/masters/"), said(&shared, "/renditions/"));
        assert!(said.0.iter().any(|(how, _)| how == "begin") && said.0.len() > 4 && !said.1.is_empty(), "{said:?}");
        shared.lock().unwrap().heard.clear();
        said
    };
    let (masters, renditions) = take_in();
    assert!(masters.iter().all(|(_, said)| *said == words([""; 5])), "{masters:?}");
    assert!(renditions.iter().all(|(_, said)| *said == forever), "{renditions:?}");

    let file = archive.root().join("damctl.yaml");
    let more = "s3_masters_encryption: aws:kms arn:aws:kms:eu-west-1:1:key/2\ns3_masters_storage_class: GLACIER_IR\n\
                s3_renditions_acl: public-read\ns3_renditions_cache_control: no-store\n";
    fs::write(&file, fs::read_to_string(&file).unwrap() + more).unwrap();
    picture(&drive.path().join("c.png"), 2);
    large(&drive.path().join("d.bin"), 21, 8);
    let (masters, renditions) = take_in();
    let closed = words(["aws:kms", "arn:aws:kms:eu-west-1:1:key/2", "GLACIER_IR", "", ""]);
    assert!(masters.iter().all(|(_, said)| *said == closed), "{masters:?}");
    let open = words(["", "", "", "public-read", "no-store"]);
    assert!(renditions.iter().all(|(_, said)| *said == open), "{renditions:?}");

    fs::write(&file, fs::read_to_string(&file).unwrap() + "s3_delivery_acl: open\n").unwrap();
    run(archive.command(["transcode"])).ends(2).says("the ACL of delivery is 'open'").says("public-read");
}
