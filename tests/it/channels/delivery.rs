//! Delivery areas: HTTP PUT and webhooks against small fakes, buckets against a real S3 server.

use std::{
    collections::BTreeMap,
    sync::{Arc, Mutex},
};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use damctl::{
    channel::{Channel, Fate, HookChannel, Item, Package, PutChannel, Retracted, Sent},
    error::Kind,
    model::Receipt,
    profile::channels::{Hook, HttpPut},
};
use serde_json::json;

use super::{
    Bytes, Told, account,
    fake::{self, Answer, Asked},
    noise, sidecar,
};

fn published(sent: Sent) -> Receipt {
    match sent {
        Sent::Published(receipt) => receipt,
        other => panic!("{other:?}"),
    }
}

/// A stream of three segments with its manifest, subtitles and a sidecar.
fn stream(bytes: &mut Bytes) -> Vec<Item> {
    let manifest = bytes.item("show 1.m3u8", "application/vnd.apple.mpegurl", b"#EXTM3U\n".to_vec());
    let segment = |n: u64| bytes.item(&format!("v/{n}.m4s"), "video/iso.segment", noise(3_000_000 + n as usize, n + 1));
    let segments: Vec<Item> = (0..3).map(segment).collect();
    [vec![manifest], segments].concat()
}

#[derive(Default)]
struct Area {
    files: BTreeMap<String, (String, Vec<u8>)>,
    /// In the order in which they came.
    put: Vec<String>,
    /// PUTs of which the answer is lost, and PUTs that are cut.
    lost: usize,
    cut: usize,
    /// Whether it tells digests of what it has.
    tells: bool,
}

fn serve(area: &mut Area, asked: Asked) -> Answer {
    // openssl's opinion of "u:p4ss".
    if asked.header("authorization") != "Basic dTpwNHNz" {
        return fake::empty(401);
    }
    let there = area.files.get(&asked.path).cloned();
    match (asked.method.as_str(), there) {
        ("PUT", Some(_)) if asked.header("if-none-match") == "*" => fake::empty(412),
        ("PUT", _) => {
            if area.cut > 0 {
                area.cut -= 1;
                return None;
            }
            area.put.push(asked.path.clone());
            area.files.insert(asked.path.clone(), (asked.header("content-type").to_owned(), asked.body));
            match area.lost {
                0 => fake::empty(201),
                _ => {
                    area.lost -= 1;
                    None
                }
            }
        }
        (_, None) => fake::empty(404),
        ("HEAD", Some((_, body))) => {
            let mut headers = vec![("content-length", body.len().to_string())];
            if area.tells {
                assert!(asked.header("want-repr-digest").starts_with("sha-256"));
                let digest = STANDARD.encode(damctl::digest::Digest::of(&body).as_bytes());
                headers.push(("repr-digest", format!("sha-512=:AAAA:, sha-256=:{digest}:")));
            }
            Some((200, headers, Vec::new()))
        }
        ("GET", Some((_, body))) => {
            assert!(!area.tells, "it told the digest, and was asked for bytes");
            let (from, to) = asked.header("range").strip_prefix("bytes=").unwrap().split_once('-').unwrap();
            Some((206, Vec::new(), body[from.parse().unwrap()..=to.parse().unwrap()].to_vec()))
        }
        ("DELETE", Some(_)) => {
            area.files.remove(&asked.path);
            fake::empty(204)
        }
        other => panic!("{other:?}"),
    }
}

#[test]
fn http_put_delivers_a_stream_with_its_manifest_last_once_and_never_over_somebody_elses() {
    let area = Arc::new(Mutex::new(Area { cut: 1, lost: 1, ..Area::default() }));
    let serves = Arc::clone(&area);
    let url = fake::start(move |asked| serve(&mut serves.lock().unwrap(), asked));
    let place = HttpPut { url: format!("{url}/vod/"), public: Some("https://cdn.example/vod/".to_owned()) };
    let channel = PutChannel::new(&place, account(&[("user", "u"), ("password", "p4ss")])).unwrap();
    channel.standing().unwrap();
    let refused = PutChannel::new(&place, account(&[("token", "wrong")])).unwrap().standing().unwrap_err();
    assert_eq!(refused.kind(), Kind::Invalid, "{refused:?}");
    // Nobody logs in there: what opens it is named.
    let hint = refused.hint_text().unwrap();
    assert!(hint.contains("token, or user and password, of account 'playout'") && !hint.contains("login"), "{hint}");

    let mut bytes = Bytes::default();
    let media = stream(&mut bytes);
    let package = Package { sidecars: vec![sidecar("show.xml", "<show/>")], ..bytes.package(media) };
    // One is cut, the answer to another is lost; each run sends what is not there.
    let mut told = Told::default();
    for _ in 0..2 {
        let error = channel.send(&package, None, &mut told).unwrap_err();
        assert_eq!((error.kind(), told.posted), (Kind::Unavailable, 0), "{error:?}");
    }
    assert!(matches!(channel.find(&package, told.last()).unwrap(), Fate::Resumable(_)));
    let receipt = published(channel.send(&package, Some(&told.last().clone()), &mut told).unwrap());
    assert_eq!(receipt.url.as_deref(), Some("https://cdn.example/vod/show%201.m3u8"));
    {
        let area = area.lock().unwrap();
        assert_eq!(area.put, ["/vod/v/0.m4s", "/vod/v/1.m4s", "/vod/v/2.m4s", "/vod/show%201.m3u8", "/vod/show.xml"]);
        for (path, item) in area.put.iter().zip(package.media[1..].iter().chain(&package.media[..1])) {
            assert!(area.files[path] == (item.mime.clone(), bytes.bytes(item).to_vec()), "{path}");
        }
    }
    assert_eq!(channel.find(&package, told.last()).unwrap(), Fate::Published(receipt.clone()));
    published(channel.send(&package, None, &mut Told::default()).unwrap());
    assert_eq!(area.lock().unwrap().put.len(), 5);

    assert!(matches!(channel.retract(&receipt).unwrap(), Retracted::Gone(_)));
    assert_eq!(channel.retract(&receipt).unwrap(), Retracted::Absent);
    assert!(area.lock().unwrap().files.is_empty());
    area.lock().unwrap().files.insert("/vod/v/2.m4s".to_owned(), (String::new(), noise(3_000_002, 99)));
    let mut told = Told::default();
    let error = channel.send(&package, None, &mut told).unwrap_err();
    assert_eq!((error.kind(), told.moved, area.lock().unwrap().files.len()), (Kind::Conflict, 0, 1), "{error:?}");

    // Of a large file only the ends are compared, but where the server tells the digest of all of it.
    let mut other = bytes.bytes(&package.media[3]).to_vec();
    other[1_500_000] ^= 1;
    area.lock().unwrap().tells = true;
    area.lock().unwrap().files.insert("/vod/v/2.m4s".to_owned(), (String::new(), other));
    let error = channel.send(&package, None, &mut Told::default()).unwrap_err();
    assert_eq!((error.kind(), area.lock().unwrap().files.len()), (Kind::Conflict, 1), "{error:?}");
    area.lock().unwrap().files.clear();
    published(channel.send(&package, None, &mut Told::default()).unwrap());
    published(channel.send(&package, None, &mut Told::default()).unwrap());

    for url in ["http://cdn.example/vod", "ftp://cdn.example/", "nonsense"] {
        assert!(PutChannel::new(&HttpPut { url: url.to_owned(), public: None }, account(&[])).is_err(), "{url}");
    }
}

#[test]
fn a_webhook_is_told_under_one_id_signed_and_of_what_is_taken_back() {
    const KEY: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";
    let heard: Arc<Mutex<Vec<Asked>>> = Arc::default();
    let hears = Arc::clone(&heard);
    let url = fake::start(move |asked| {
        let mut heard = hears.lock().unwrap();
        heard.push(asked);
        match heard.len() {
            1 => None,
            2 => fake::empty(503),
            _ => fake::json(200, json!({"id": "cms-17", "url": "https://cms.example/17"})),
        }
    });
    let place = Hook { url: format!("{url}/hook/T0KEN") };
    let channel = HookChannel::new(&place, account(&[("key", KEY)])).unwrap();
    let mut bytes = Bytes::default();
    let film = bytes.item("film.mp4", "video/mp4", noise(1000, 1));
    let package = bytes.package(vec![film]);
    let mut told = Told::default();
    for _ in 0..2 {
        let error = channel.send(&package, None, &mut told).unwrap_err();
        assert!(error.kind() == Kind::Unavailable && !format!("{error:?}").contains("T0KEN"), "{error:?}");
    }
    assert!(matches!(channel.find(&package, told.last()).unwrap(), Fate::Resumable(_)));
    let receipt = published(channel.send(&package, None, &mut told).unwrap());
    assert_eq!((receipt.id.as_str(), receipt.url.as_deref()), ("cms-17", Some("https://cms.example/17")));
    assert!(matches!(channel.retract(&receipt).unwrap(), Retracted::Gone(_)));
    let heard = heard.lock().unwrap();
    let ids: Vec<&str> = heard.iter().map(|asked| asked.header("webhook-id")).collect();
    let marker = package.marker.as_str();
    assert_eq!(ids, [marker, marker, marker, &format!("{marker}-retracted")]);
    for asked in heard.iter() {
        let body = String::from_utf8_lossy(&asked.body);
        let key = damctl::secret::webhook_key(KEY).unwrap();
        let (id, at) = (asked.header("webhook-id"), asked.header("webhook-timestamp"));
        assert_eq!(asked.header("webhook-signature"), damctl::secret::webhook_signature(&key, id, at, &body));
    }
    let data = &heard[2].json()["data"];
    assert_eq!((data["words"]["title"].as_str(), data["media"][0]["bytes"].as_u64()), (Some("A title"), Some(1000)));
    let unsigned = HookChannel::new(&place, account(&[("key", "short")])).unwrap();
    assert_eq!(unsigned.standing().unwrap_err().kind(), Kind::Invalid);
}

#[cfg(feature = "s3")]
#[test]
fn a_bucket_gets_a_stream_with_its_media_types_and_a_large_file_goes_on_where_it_was_stopped() {
    use damctl::{
        channel::BucketChannel,
        profile::channels::Bucket,
        store::{Outgoing, OutsideBucket, S3Config, S3Store},
    };

    let Some(endpoint) = crate::harness::s3_endpoint() else { return };
    let name = format!("delivery-{}", uuid::Uuid::now_v7());
    let one = || (name.clone(), String::new());
    let config = S3Config {
        endpoint: Some(endpoint.clone()),
        path_style: true,
        places: [one(), one(), one()],
        ..S3Config::default()
    };
    S3Store::make_buckets(config.clone()).unwrap();
    let place = Bucket {
        bucket: name.clone(),
        path: "vod/today/".to_owned(),
        endpoint: Some(endpoint),
        region: None,
        profile: None,
        public: Some("https://cdn.example".to_owned()),
    };
    let channel = BucketChannel::new(place.clone());
    channel.standing().unwrap();
    let nowhere = BucketChannel::new(Bucket { bucket: "there-is-none".to_owned(), ..place });
    assert_eq!(nowhere.standing().unwrap_err().kind(), Kind::Invalid);

    let mut bytes = Bytes::default();
    let mut media = stream(&mut bytes);
    media.push(bytes.item("v/large.m4s", "video/iso.segment", noise(40_000_000, 5)));
    let package = Package { sidecars: vec![sidecar("show.xml", "<show/>")], ..bytes.package(media) };
    let mut told = Told { stop_after: Some(30_000_000), ..Told::default() };
    let error = channel.send(&package, None, &mut told).unwrap_err();
    assert_eq!(error.kind(), Kind::Stopped, "{error:?}");
    assert!(matches!(channel.find(&package, told.last()).unwrap(), Fate::Resumable(_)));
    let (session, mut again) = (told.last().clone(), Told::default());
    let receipt = published(channel.send(&package, Some(&session), &mut again).unwrap());
    // Eight megabytes a part; those that were confirmed are not sent again, nor are those on their way that arrived.
    assert!(again.moved <= package.bytes() - 25_000_000, "{} of {}", again.moved, package.bytes());
    assert_eq!(receipt.url.as_deref(), Some("https://cdn.example/vod/today/show%201.m3u8"));

    let bucket = OutsideBucket::open(config.clone()).unwrap();
    for item in &package.media {
        let found = bucket.look(&format!("vod/today/{}", item.name)).unwrap();
        assert_eq!(found, Some((item.bytes, Some(item.digest))), "{}", item.name);
    }
    // What everybody else sees of it.
    let head = std::process::Command::new("rclone")
        .args(["lsjson", "--no-modtime", "-R", &format!(":s3:{name}")])
        .args(["--s3-endpoint", config.endpoint.as_deref().unwrap(), "--s3-env-auth", "--s3-provider", "Ceph"])
        .output();
    if let Some(listed) = head.ok().filter(|out| out.status.success()) {
        let all: Vec<serde_json::Value> = serde_json::from_slice(&listed.stdout).unwrap();
        let large = all.iter().find(|file| file["Path"] == "vod/today/v/large.m4s").unwrap();
        assert_eq!((large["Size"].as_u64(), large["MimeType"].as_str()), (Some(40_000_000), Some("video/iso.segment")));
    }

    assert_eq!(channel.find(&package, &session).unwrap(), Fate::Published(receipt.clone()));
    let mut again = Told::default();
    published(channel.send(&package, None, &mut again).unwrap());
    assert_eq!(again.moved, 0);
    assert!(matches!(channel.retract(&receipt).unwrap(), Retracted::Gone(_)));
    assert_eq!(channel.retract(&receipt).unwrap(), Retracted::Absent);

    // Somebody else's.
    let theirs = Outgoing {
        name: "vod/today/v/1.m4s",
        bytes: 5,
        digest: damctl::digest::Digest::of("other"),
        mime: "text/plain",
    };
    struct Silent;
    impl damctl::store::Progress for Silent {
        fn begun(&mut self, _: &str) -> damctl::error::Result<()> {
            Ok(())
        }
        fn moved(&mut self, _: u64) -> damctl::error::Result<()> {
            Ok(())
        }
    }
    let open =
        |_| -> damctl::error::Result<Box<dyn std::io::Read + Send>> { Ok(Box::new(std::io::Cursor::new("other"))) };
    bucket.write(&theirs, &open, None, &mut Silent).unwrap();
    let error = channel.send(&package, None, &mut Told::default()).unwrap_err();
    assert!(error.kind() == Kind::Conflict && error.one_line().contains("v/1.m4s"), "{error:?}");
}
