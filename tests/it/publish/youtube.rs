//! YouTube, played by its documentation: resumable sessions, 308 and Range, processing, captions, quota.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{
    Desk, SECRET, all_said,
    site::{Asked, Site, Told},
};

/// What goes wrong, once each.
#[derive(Default)]
struct Faults {
    /// Keeps so many bytes fewer of the next piece.
    keeps_less: usize,
    /// Answers the next piece with this, having kept it or not.
    answers: Option<(Told, bool)>,
    /// The upload's address is forgotten when it ends.
    forgets: bool,
    /// What becomes of it after the upload.
    status: Option<Value>,
}

#[derive(Default)]
struct Tube {
    total: usize,
    bytes: Vec<u8>,
    metadata: Value,
    sessions: usize,
    videos: Vec<Value>,
    thumbnail: Vec<u8>,
    captions: Vec<String>,
    asked_status: usize,
    faults: Faults,
}

impl Tube {
    fn ended(&mut self) -> Told {
        let id = format!("vid{}", self.videos.len() + 1);
        let mut video = self.metadata.clone();
        video["id"] = id.as_str().into();
        video["status"]["uploadStatus"] = "uploaded".into();
        self.videos.push(video);
        Told::json(200, &json!({"id": id, "kind": "youtube#video"}))
    }

    fn piece(&mut self, asked: &Asked) -> Told {
        if self.faults.forgets && !self.videos.is_empty() {
            return Told::status(404);
        }
        let range = asked.header("content-range").strip_prefix("bytes ").unwrap().to_owned();
        let (span, total) = range.split_once('/').unwrap();
        assert_eq!(total.parse::<usize>().unwrap(), self.total);
        if span == "*" {
            return match (self.videos.first(), self.bytes.len()) {
                (Some(video), _) => Told::json(200, &json!({"id": video["id"]})),
                (None, 0) => Told::status(308),
                (None, n) => Told::status(308).header("range", format!("bytes=0-{}", n - 1)),
            };
        }
        let (from, to) = span.split_once('-').unwrap();
        let (from, to): (usize, usize) = (from.parse().unwrap(), to.parse().unwrap());
        assert_eq!((from, to + 1 - from), (self.bytes.len(), asked.body.len()), "a piece that does not follow");
        assert!(to + 1 == self.total || asked.body.len().is_multiple_of(256 << 10) || from % (256 << 10) != 0);
        let keep = asked.body.len() - std::mem::take(&mut self.faults.keeps_less).min(asked.body.len());
        let (answer, is_kept) = match self.faults.answers.take() {
            Some((told, is_kept)) => (Some(told), is_kept),
            None => (None, true),
        };
        if is_kept {
            self.bytes.extend_from_slice(&asked.body[..keep]);
        }
        let told = match self.bytes.len() == self.total && is_kept {
            true => self.ended(),
            false => Told::status(308).header("range", format!("bytes=0-{}", self.bytes.len().max(1) - 1)),
        };
        answer.unwrap_or(told)
    }

    fn answer(&mut self, asked: &Asked, url: &str) -> Told {
        if asked.header("authorization") != format!("Bearer {SECRET}") {
            let error = json!({"error": {"code": 401, "message": "Invalid Credentials",
                "errors": [{"reason": "authError"}], "status": "UNAUTHENTICATED"}});
            return Told::json(401, &error);
        }
        match (asked.method.as_str(), asked.path.as_str()) {
            ("POST", "/upload/youtube/v3/videos") => {
                self.sessions += 1;
                (self.bytes, self.metadata) = (Vec::new(), asked.json());
                self.total = asked.header("x-upload-content-length").parse().unwrap();
                assert_eq!(asked.header("x-upload-content-type"), "video/mp4");
                Told::status(200).header("location", format!("{url}/session?upload_id=SECRET-{}", self.sessions))
            }
            ("PUT", "/session") => self.piece(asked),
            ("POST", "/upload/youtube/v3/thumbnails/set") => {
                self.thumbnail = asked.body.clone();
                Told::json(200, &json!({}))
            }
            ("POST", "/upload/youtube/v3/captions") => {
                self.captions.push(asked.text());
                Told::json(200, &json!({"id": "c1"}))
            }
            ("GET", "/youtube/v3/channels") => Told::json(
                200,
                &json!({"items": [{"id": "UC1",
                "snippet": {"title": "Noticias"}, "contentDetails": {"relatedPlaylists": {"uploads": "UU1"}}}]}),
            ),
            ("GET", "/youtube/v3/playlistItems") => {
                let of = |v: &Value| json!({"contentDetails": {"videoId": v["id"]}});
                Told::json(200, &json!({"items": self.videos.iter().map(of).collect::<Vec<_>>()}))
            }
            ("GET", "/youtube/v3/videos") => {
                self.asked_status += 1;
                let mut videos = self.videos.clone();
                for video in &mut videos {
                    video["status"]["uploadStatus"] = "processed".into();
                    if let Some(status) = &self.faults.status {
                        video["status"] = status.clone();
                    }
                }
                Told::json(200, &json!({"items": videos}))
            }
            ("DELETE", "/youtube/v3/videos") => {
                self.videos.retain(|v| v["id"] != asked.query["id"].as_str());
                Told::status(204)
            }
            other => panic!("not part of the documentation: {other:?}"),
        }
    }
}

struct Play {
    desk: Desk,
    tube: Arc<Mutex<Tube>>,
    site: Site,
}

fn play(more: &str) -> Play {
    let tube: Arc<Mutex<Tube>> = Arc::default();
    let (inside, url): (_, Arc<Mutex<String>>) = (tube.clone(), Arc::default());
    let here = url.clone();
    let site = Site::new(move |asked| {
        let url = here.lock().unwrap().clone();
        inside.lock().unwrap().answer(asked, &url)
    });
    *url.lock().unwrap() = site.url.clone();
    let channels = format!(
        "channels:\n  tube:\n    to: {{ youtube: {{ endpoint: \"{}\" }} }}\n    account: main\n    send: [web_720p]\n    text: {{ privacy: unlisted }}\n{more}",
        site.url
    );
    Play { desk: Desk::new(&channels), tube, site }
}

impl Play {
    fn publish(&self) -> crate::harness::Ran {
        self.desk.run(&["publish", &self.desk.asset, "--to", "tube"])
    }

    /// How many uploads were begun, and how many videos there are.
    fn counts(&self) -> (usize, usize) {
        let tube = self.tube.lock().unwrap();
        (tube.sessions, tube.videos.len())
    }

    fn faults(&self) -> std::sync::MutexGuard<'_, Tube> {
        self.tube.lock().unwrap()
    }
}

#[test]
fn a_film_is_published_once_with_its_words_and_picture_and_the_secret_is_seen_nowhere() {
    let it = play("    thumbnail: poster\n");
    let first = it.publish().ends(0).says("1 of 1 published");
    let second = it.publish().ends(0).says("published already: https://www.youtube.com/watch?v=vid1");
    let tube = it.faults();
    assert_eq!((tube.sessions, tube.videos.len()), (1, 1));
    assert!(tube.bytes == it.desk.bytes("web_720p") && tube.thumbnail == it.desk.bytes("poster"));
    let title: String =
        it.desk.archive.rows(&format!("SELECT title FROM assets WHERE id = '{}'", it.desk.asset)).remove(0);
    assert_eq!(tube.metadata["snippet"]["title"], title);
    assert_eq!(tube.metadata["status"]["privacyStatus"], "unlisted");
    let marker = tube.metadata["snippet"]["tags"][0].as_str().unwrap();
    assert!(marker.starts_with("damctl-") && marker.len() == 23, "{marker}");
    drop(tube);
    assert_eq!(it.desk.events(), ["publication.planned", "publication.sending", "publication.published"]);
    let all = all_said(&it.desk, &[&first, &second]);
    assert!(!all.contains(SECRET), "the token is in what was said");
    // The upload's address is as good as a token, and is kept only as long as it is needed.
    assert!(!all.contains("SECRET-1"), "the upload's address is in what was said");

    it.desk.run(&["publish", "retract", &it.desk.archive.rows("SELECT id FROM publications").remove(0)]).ends(0);
    assert!(it.faults().videos.is_empty());
    assert_eq!(it.desk.states(), ["retracted"]);
}

#[test]
fn an_upload_goes_on_at_whatever_offset_the_place_has() {
    let it = play("");
    let bytes: Vec<u8> = (0..40_000_003_u32).map(|i| (i * 7 + i / 251) as u8).collect();
    it.desk.grow("web_720p", &bytes);
    it.faults().faults = Faults { keeps_less: 777_777, ..Faults::default() };
    it.publish().ends(0);
    assert!(it.faults().bytes == bytes);
    assert_eq!(it.counts(), (1, 1));
    // Three pieces, and a fourth for what was not kept.
    assert_eq!(it.site.count("PUT", "/session"), 3);
}

#[test]
fn what_heals_by_itself_is_tried_again_from_where_it_stood() {
    let it = play("");
    let bytes: Vec<u8> = (0..20_000_000_u32).map(|i| (i ^ (i >> 9)) as u8).collect();
    it.desk.grow("web_720p", &bytes);
    it.faults().faults.answers = Some((Told::json(503, &json!({"error": {"message": "Backend Error"}})), true));
    it.publish().ends(0);
    let tube = it.faults();
    assert!(tube.bytes == bytes);
    assert_eq!((tube.sessions, tube.videos.len()), (1, 1));
}

#[test]
fn a_reply_that_was_lost_is_asked_for_and_never_posted_twice() {
    for forgets in [false, true] {
        let it = play("");
        it.faults().faults = Faults { answers: Some((Told::lost(), true)), forgets, ..Faults::default() };
        it.publish().ends(0).says("1 of 1 published");
        assert_eq!(it.counts(), (1, 1), "forgets: {forgets}");
        assert!(it.desk.events().contains(&"publication.unknown".to_owned()), "{:?}", it.desk.events());
        assert_eq!(it.desk.states(), ["published"]);
    }
}

#[test]
fn killed_at_each_step_and_run_again_there_is_one_post() {
    for point in [
        "publish.kept",
        "publish.kept:2",
        "publish.posting",
        "publish.answered",
        "work.before-settle",
        "work.before-settle:2",
    ] {
        let it = play("");
        let killed = it.desk.killed(&["publish", &it.desk.asset, "--to", "tube"], point);
        if point != "publish.answered" {
            assert_eq!(killed.code, 137, "{point}: {}{}", killed.stdout, killed.stderr);
        }
        it.publish().ends(0);
        assert_eq!(it.faults().videos.len(), 1, "{point}");
        assert!(it.faults().bytes == it.desk.bytes("web_720p"), "{point}");
        assert_eq!(it.desk.states(), ["published"], "{point}");
    }
}

#[test]
fn credentials_and_contents_that_were_refused_are_told_and_not_tried_again() {
    let it = play("");
    let mut command = it.desk.command(&["publish", &it.desk.asset, "--to", "tube"]);
    let ran: crate::harness::Ran = command.env("DAMCTL_SECRET_MAIN_ACCESS_TOKEN", "old").output().unwrap().into();
    let ran = ran.ends(1).says("tube: the session has expired or was ended").says("damctl channel login tube");
    assert!(!ran.stdout.contains("401"), "{}", ran.stdout);
    assert_eq!(it.desk.states(), ["failed"]);
    assert!(it.desk.archive.rows("SELECT error FROM publications")[0].contains("HTTP 401"));
    let asked = it.site.asked().len();
    // Given again, it is tried again; and this time its processing fails there.
    it.faults().faults.status = Some(json!({"uploadStatus": "rejected", "rejectionReason": "copyright"}));
    it.publish().ends(1).says("the video was rejected: copyright");
    assert!(it.site.asked().len() > asked);
    assert_eq!(it.desk.states(), ["failed"]);
}

#[test]
fn what_the_place_would_not_take_is_refused_before_a_byte_is_sent() {
    let it = play("    limits: { max_ms: 100 }\n");
    it.publish().ends(1).says("s long: 0.1 s at most").says("a profile entry that it takes");
    it.desk.run(&["publish", &it.desk.asset, "--to", "tube", "--entry", "poster"]).ends(1).says("it takes no image");
    let long = "x".repeat(101);
    it.desk.channels(&format!(
        "channels:\n  tube:\n    to: {{ youtube: {{ endpoint: \"{}\" }} }}\n    account: main\n    send: [web_720p]\n",
        it.site.url
    ));
    it.desk
        .run(&["publish", &it.desk.asset, "--to", "tube", "--title", &long])
        .ends(1)
        .says("a title of 101 characters: 100 at most");
    assert_eq!(it.site.asked().len(), 0);
}
