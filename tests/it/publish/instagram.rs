//! Instagram, played by its documentation: it fetches the file by its address, and says of a container what became of it.

use std::{
    io::Read,
    ops::Range,
    path::Path,
    sync::{Arc, Mutex},
    time::Duration,
};

use damctl::{
    channel::{self, Account, Channel, Fate, Item, Package, Sent, Source, Unlocked, Way},
    digest::Digest,
    error::{Kind, Result},
    model::{Area, Key, MediaFacts, MediaKind, Words},
    profile::channels::Channels,
    secret::Environment,
};
use serde_json::{Value, json};

use super::site::{Asked, Site, Told};

/// A store whose objects anybody can fetch, or nobody.
struct Bucket {
    address: Option<&'static str>,
}

impl Source for Bucket {
    fn open(&self, _: &Key, _: Option<Range<u64>>) -> Result<Box<dyn Read + Send>> {
        panic!("it is fetched, and not sent")
    }

    fn address(&self, _: &Key, _: Duration) -> Result<Option<String>> {
        Ok(self.address.map(str::to_owned))
    }
}

#[derive(Default)]
struct Notes {
    session: Option<Value>,
    is_posting: bool,
}

impl Way for Notes {
    fn keep(&mut self, session: &Value) -> Result<()> {
        self.session = Some(session.clone());
        Ok(())
    }

    fn posting(&mut self, session: &Value) -> Result<()> {
        self.is_posting = true;
        self.keep(session)
    }

    fn moved(&mut self, _: u64) -> Result<()> {
        Ok(())
    }
}

#[derive(Default)]
struct Gram {
    containers: Vec<(String, bool)>,
    asked: usize,
    /// The reply to the publishing is lost.
    loses: bool,
    /// What becomes of a container.
    status: Option<&'static str>,
}

fn answer(gram: &mut Gram, asked: &Asked) -> Told {
    let path = asked.path.strip_prefix("/v23.0/").unwrap();
    match (asked.method.as_str(), path) {
        ("POST", "17/media") => {
            let form = asked.form();
            assert_eq!(
                (form["media_type"].as_str(), form["video_url"].as_str()),
                ("REELS", "https://bucket.example/film.mp4?X-Amz-Signature=1")
            );
            gram.containers.push((form["caption"].clone(), false));
            Told::json(200, &json!({"id": format!("c{}", gram.containers.len() - 1)}))
        }
        ("POST", "17/media_publish") => {
            let index: usize = asked.form()["creation_id"][1..].parse().unwrap();
            assert!(!gram.containers[index].1, "published twice");
            gram.containers[index].1 = true;
            match std::mem::take(&mut gram.loses) {
                true => Told::lost(),
                false => Told::json(200, &json!({"id": "m1"})),
            }
        }
        ("GET", "m1") => Told::json(200, &json!({"permalink": "https://www.instagram.com/reel/1/"})),
        ("GET", "17/media") => {
            let shown = gram.containers.iter().filter(|c| c.1);
            let each =
                shown.map(|c| json!({"id": "m1", "caption": c.0, "permalink": "https://www.instagram.com/reel/1/"}));
            Told::json(200, &json!({"data": each.collect::<Vec<_>>()}))
        }
        ("GET", id) => {
            gram.asked += 1;
            let (_, is_published) = gram.containers[id[1..].parse::<usize>().unwrap()];
            let code = match (is_published, gram.status, gram.asked) {
                (true, ..) => "PUBLISHED",
                (_, Some(status), _) => status,
                (_, _, 1) => "IN_PROGRESS",
                _ => "FINISHED",
            };
            Told::json(200, &json!({"status_code": code, "status": "Error: the video format is not supported"}))
        }
        other => panic!("not part of the documentation: {other:?}"),
    }
}

struct Play {
    gram: Arc<Mutex<Gram>>,
    channel: Box<dyn Channel>,
    _site: Site,
}

fn play() -> Play {
    let gram: Arc<Mutex<Gram>> = Arc::default();
    let inside = gram.clone();
    let site = Site::new(move |asked| answer(&mut inside.lock().unwrap(), asked));
    let yaml = format!(
        "channels:\n  gram:\n    to: {{ instagram: {{ id: \"17\", form: reel, endpoint: \"{}\" }} }}\n    send: [a]\n",
        site.url
    );
    let channels = Channels::parse(&yaml, "here").unwrap();
    let account = Account {
        name: "gram".to_owned(),
        channel: "gram".to_owned(),
        secrets: Arc::new(Token),
        lock: Arc::new(Unlocked),
        stop: damctl::stop::Stop::new(),
    };
    let fill = |template: &str| Ok(template.to_owned());
    let channel = channel::open("gram", channels.get("gram").unwrap(), account, Path::new("."), &fill).unwrap();
    Play { gram, channel, _site: site }
}

struct Token;

impl damctl::secret::Secrets for Token {
    fn get(&self, _: &str) -> Result<damctl::secret::Fields> {
        Ok([("access_token".to_owned(), damctl::secret::Secret::new("t"))].into())
    }

    fn put(&self, account: &str, fields: &damctl::secret::Fields) -> Result<()> {
        Environment.put(account, fields)
    }

    fn place(&self) -> String {
        "the test".to_owned()
    }
}

fn package(source: &Bucket) -> Package<'_> {
    Package {
        marker: "damctl-0123456789abcdef".to_owned(),
        media: vec![Item {
            name: "film.mp4".to_owned(),
            key: Key::new(Area::Renditions, &["film.mp4"]).unwrap(),
            bytes: 1000,
            digest: Digest::of("film"),
            mime: "video/mp4".to_owned(),
            language: None,
        }],
        facts: MediaFacts::bare(MediaKind::Video, "video/mp4"),
        captions: Vec::new(),
        thumbnail: None,
        sidecars: Vec::new(),
        words: Words { description: "A film".to_owned(), tags: vec!["two words".to_owned()], ..Words::default() },
        source,
    }
}

const FETCHED: Bucket = Bucket { address: Some("https://bucket.example/film.mp4?X-Amz-Signature=1") };

#[test]
fn a_reel_is_fetched_waited_for_and_published_once_though_the_reply_is_lost() {
    let it = play();
    let (package, mut notes) = (package(&FETCHED), Notes::default());
    assert!(matches!(it.channel.send(&package, None, &mut notes).unwrap(), Sent::Processing(..)));
    assert!(!notes.is_posting);
    let session = notes.session.clone().unwrap();
    assert!(matches!(it.channel.find(&package, &session).unwrap(), Fate::Processing(..)));
    let Fate::Resumable(session) = it.channel.find(&package, &session).unwrap() else { panic!("it is ready") };
    it.gram.lock().unwrap().loses = true;
    let lost = it.channel.send(&package, Some(&session), &mut notes).unwrap_err();
    assert!(lost.kind() == Kind::Unavailable && notes.is_posting, "{lost:?}");
    let Fate::Published(receipt) = it.channel.find(&package, &notes.session.unwrap()).unwrap() else {
        panic!("it is there")
    };
    assert_eq!((receipt.id.as_str(), receipt.url.as_deref()), ("m1", Some("https://www.instagram.com/reel/1/")));
    let gram = it.gram.lock().unwrap();
    assert_eq!(gram.containers, [("A film\n#twowords".to_owned(), true)]);
}

#[test]
fn what_instagram_cannot_take_or_fetch_is_told() {
    let it = play();
    let folder = Bucket { address: None };
    let refused = it.channel.send(&package(&folder), None, &mut Notes::default()).unwrap_err();
    assert!(refused.kind() == Kind::Unsupported && refused.hint_text().unwrap().contains("s3://"), "{refused:?}");
    let mut notes = Notes::default();
    it.channel.send(&package(&FETCHED), None, &mut notes).unwrap();
    it.gram.lock().unwrap().status = Some("ERROR");
    let Fate::Failed(failed) = it.channel.find(&package(&FETCHED), &notes.session.unwrap()).unwrap() else { panic!() };
    assert!(failed.kind == Kind::Invalid && failed.message.contains("not supported"), "{failed:?}");
}
