//! The other platforms, each played by its documentation: whichever reply is lost, there is one post.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};

use super::{
    Desk, SECRET,
    site::{Asked, Site, Told},
};

/// A platform that is played.
trait Platform: Default + Send + 'static {
    /// The channel's place in `channels.yaml`, where the platform is at `url`.
    fn place(url: &str) -> String;
    /// An answer, and whether what was asked may have changed something.
    fn answer(&mut self, asked: &Asked, url: &str) -> Told;
    /// The bytes of every post.
    fn posts(&self) -> Vec<Vec<u8>>;
    /// What is sent is upright.
    const UPRIGHT: bool = false;
    /// Whether it can tell of a post that is not listed that it was never made.
    const KNOWS: bool = true;
    /// Lists new posts no more, or again.
    fn hide(&mut self, _is_hidden: bool) {}
}

struct Play<P> {
    desk: Desk,
    state: Arc<Mutex<P>>,
    /// The reply to so many more requests that change something is lost.
    lose: Arc<Mutex<Option<usize>>>,
    site: Site,
}

fn play<P: Platform>(entry: &str) -> Play<P> {
    let (state, lose): (Arc<Mutex<P>>, Arc<Mutex<Option<usize>>>) = (Arc::default(), Arc::default());
    let (inside, losing, url): (_, _, Arc<Mutex<String>>) = (state.clone(), lose.clone(), Arc::default());
    let here = url.clone();
    let site = Site::new(move |asked| {
        let url = here.lock().unwrap().clone();
        let told = inside.lock().unwrap().answer(asked, &url);
        let mut lose = losing.lock().unwrap();
        if asked.method != "GET" && told.status < 400 {
            match *lose {
                Some(0) => {
                    *lose = None;
                    return Told::lost();
                }
                Some(n) => *lose = Some(n - 1),
                None => {}
            }
        }
        told
    });
    *url.lock().unwrap() = site.url.clone();
    let channels = format!(
        "channels:\n  there:\n    to: {}\n    account: main\n    send: [{entry}]\n    rates: []\n",
        P::place(&site.url)
    );
    Play { desk: Desk::new(&channels), state, lose, site }
}

impl<P: Platform> Play<P> {
    fn posts(&self) -> Vec<Vec<u8>> {
        self.state.lock().unwrap().posts()
    }

    fn publish(&self, more: &[&str]) -> crate::harness::Ran {
        let words = [&["publish", &self.desk.asset, "--to", "there"], more].concat();
        let mut command = self.desk.command(&words);
        command.env("DAMCTL_SECRET_MAIN_USER", "editor").env("DAMCTL_SECRET_MAIN_PASSWORD", SECRET);
        command.output().unwrap().into()
    }

    fn killed(&self, point: &str) {
        let words = ["publish", &self.desk.asset, "--to", "there", "--force", "--yes"];
        let mut command = self.desk.command(&words);
        command.env("DAMCTL_SECRET_MAIN_USER", "editor").env("DAMCTL_SECRET_MAIN_PASSWORD", SECRET);
        assert!(!command.env("DAMCTL_CRASH_AT", point).output().unwrap().status.success(), "{point}");
    }
}

/// Published once; then once more for each reply that is lost, and for each place where the process dies.
fn whatever_is_lost<P: Platform>(entry: &str, bytes: &[u8], replies: usize) -> Play<P> {
    let it = play::<P>(entry);
    it.desk.grow(entry, bytes);
    if P::UPRIGHT {
        let turned = "replace(replace(facts, '\"width\":1280', '\"width\":720'), '\"height\":720', '\"height\":1280')";
        let sql = format!("UPDATE renditions SET facts = {turned} WHERE entry = '{entry}'");
        it.desk.archive.catalog().execute(&sql, []).unwrap();
    }
    it.publish(&[]).ends(0).says("1 of 1 published");
    assert_eq!(it.posts().len(), 1);
    assert!(it.posts()[0] == *bytes, "other bytes came: {}", it.posts()[0].len());
    let asked = it.site.asked().iter().filter(|a| a.method != "GET").count();
    assert!(asked >= replies, "{asked} requests");
    for lost in 0..replies {
        *it.lose.lock().unwrap() = Some(asked - replies + lost);
        it.publish(&["--force", "--yes"]).ends(0).says("1 of 1 published");
        assert_eq!(it.posts().len(), 2 + lost, "reply {lost} was lost");
        assert_eq!(*it.lose.lock().unwrap(), None, "no reply was lost");
    }
    it.killed("publish.posting");
    // What was begun is gone on with by whoever comes next.
    let next = || {
        let mut command = it.desk.command(&["publish"]);
        command.env("DAMCTL_SECRET_MAIN_USER", "editor").env("DAMCTL_SECRET_MAIN_PASSWORD", SECRET).status().unwrap();
    };
    next();
    if !P::KNOWS {
        // It was not listed: whether it is there, a person has to say.
        assert_eq!(it.posts().len(), 1 + replies);
        let id = it.desk.archive.rows("SELECT id FROM publications WHERE state = 'unknown'").remove(0);
        it.desk.run(&["publish", "settle", &id, "--absent"]).ends(0);
        it.publish(&[]).ends(0).says("1 of 1 published");
    }
    assert_eq!(it.posts().len(), 2 + replies);
    assert!(it.posts().iter().all(|post| post == bytes));
    let states = it.desk.states();
    assert!(states.iter().all(|state| state == "published"), "{states:?}");
    it
}

fn film(bytes: usize) -> Vec<u8> {
    (0..bytes as u32).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Where `Content-Range` says that a piece belongs.
fn range(asked: &Asked) -> (usize, usize, usize) {
    let text = asked.header("content-range").strip_prefix("bytes ").unwrap().to_owned();
    let (span, total) = text.split_once('/').unwrap();
    let (from, to) = span.split_once('-').unwrap();
    (from.parse().unwrap(), to.parse().unwrap(), total.parse().unwrap())
}

/// The fields of `multipart/form-data`, a file among them.
fn parts(asked: &Asked) -> std::collections::BTreeMap<String, Vec<u8>> {
    let boundary = asked.header("content-type").split_once("boundary=").unwrap().1.trim_matches('"').to_owned();
    let (mark, body) = (format!("--{boundary}").into_bytes(), &asked.body);
    let starts: Vec<usize> =
        (0..body.len().saturating_sub(mark.len())).filter(|i| body[*i..].starts_with(&mark)).collect();
    let mut all = std::collections::BTreeMap::new();
    for pair in starts.windows(2) {
        let part = &body[pair[0] + mark.len() + 2..pair[1] - 2];
        let end = part.windows(4).position(|w| w == b"\r\n\r\n").unwrap();
        let head = String::from_utf8_lossy(&part[..end]).into_owned();
        let name = head.split("name=\"").nth(1).unwrap().split('"').next().unwrap().to_owned();
        all.insert(name, part[end + 4..].to_vec());
    }
    all
}

fn unauthorized(asked: &Asked) -> bool {
    asked.header("authorization") != format!("Bearer {SECRET}")
}

#[derive(Default)]
struct Tiktok {
    uploads: Vec<(usize, Vec<u8>, usize)>,
    fails: Option<&'static str>,
    error: Option<(u16, &'static str)>,
}

impl Platform for Tiktok {
    fn place(url: &str) -> String {
        format!("{{ tiktok: {{ endpoint: \"{url}\" }} }}")
    }

    fn answer(&mut self, asked: &Asked, url: &str) -> Told {
        let ok = |data: Value| {
            Told::json(200, &json!({"data": data, "error": {"code": "ok", "message": "", "log_id": "1"}}))
        };
        if asked.path.starts_with("/upload/") {
            let index: usize = asked.path.rsplit('/').next().unwrap().parse().unwrap();
            let (total, bytes, size) = &mut self.uploads[index];
            if asked.method == "GET" {
                return Told::status(405);
            }
            let (from, to, whole) = range(asked);
            assert_eq!((whole, to + 1 - from), (*total, asked.body.len()));
            assert!(from.is_multiple_of(*size), "{from} is not where a piece begins");
            bytes.truncate(from);
            assert_eq!(bytes.len(), from);
            bytes.extend_from_slice(&asked.body);
            return Told::status(if bytes.len() == *total { 201 } else { 206 });
        }
        if let Some((status, code)) = self.error {
            return Told::json(
                status,
                &json!({"data": {}, "error": {"code": code, "message": "Such.", "log_id": "1"}}),
            );
        }
        assert!(!unauthorized(asked));
        match asked.path.as_str() {
            "/v2/post/publish/creator_info/query/" => ok(json!({"creator_username": "noticias",
                "privacy_level_options": ["SELF_ONLY", "PUBLIC_TO_EVERYONE"], "max_video_post_duration_sec": 300})),
            "/v2/post/publish/video/init/" => {
                let source = &asked.json()["source_info"];
                let number = |name: &str| source[name].as_u64().unwrap() as usize;
                let (size, count) = (number("chunk_size"), number("total_chunk_count"));
                assert_eq!(count, (number("video_size") / size).max(1));
                self.uploads.push((number("video_size"), Vec::new(), size));
                let index = self.uploads.len() - 1;
                ok(json!({"publish_id": format!("v_pub~{index}"), "upload_url": format!("{url}/upload/{index}")}))
            }
            "/v2/post/publish/status/fetch/" => {
                let id = asked.json()["publish_id"].as_str().unwrap().to_owned();
                let (total, bytes, _) = &self.uploads[id.rsplit('~').next().unwrap().parse::<usize>().unwrap()];
                match (bytes.len() == *total, self.fails) {
                    (false, _) => ok(json!({"status": "PROCESSING_UPLOAD", "uploaded_bytes": bytes.len()})),
                    (true, Some(why)) => ok(json!({"status": "FAILED", "fail_reason": why})),
                    (true, None) => ok(json!({"status": "PUBLISH_COMPLETE", "publicaly_available_post_id": [7012]})),
                }
            }
            other => panic!("not part of the documentation: {other}"),
        }
    }

    fn posts(&self) -> Vec<Vec<u8>> {
        self.uploads
            .iter()
            .filter(|(total, bytes, _)| bytes.len() == *total)
            .map(|(_, bytes, _)| bytes.clone())
            .collect()
    }
}

#[test]
fn tiktok_has_one_post_whatever_is_lost_and_says_in_words_what_is_wrong() {
    // Two pieces of 10 MiB and what is left; the init, whose lost reply leaves nothing that anybody sees, is not counted.
    let it = whatever_is_lost::<Tiktok>("web_720p", &film(25_000_000), 3);
    it.state.lock().unwrap().fails = Some("frame_rate_check_failed");
    it.publish(&["--force", "--yes"]).ends(1).says("TikTok could not publish it: frame rate check failed");
    it.state.lock().unwrap().error = Some((401, "access_token_invalid"));
    let told = it.publish(&["--force", "--yes"]).ends(1);
    let told = told.says("TikTok session expired: reconnect the account").says("damctl channel login there");
    assert!(!told.stdout.contains("401") && !told.stdout.contains("access_token_invalid"), "{}", told.stdout);
}

#[derive(Default)]
struct X {
    media: Vec<(usize, Vec<Vec<u8>>, bool)>,
    posts: Vec<String>,
    /// Posts that are listed.
    hidden: Option<usize>,
}

impl Platform for X {
    const KNOWS: bool = false;

    fn hide(&mut self, is_hidden: bool) {
        self.hidden = is_hidden.then_some(self.posts.len());
    }

    fn place(url: &str) -> String {
        format!("{{ x: {{ endpoint: \"{url}\" }} }}")
    }

    fn answer(&mut self, asked: &Asked, _: &str) -> Told {
        assert!(!unauthorized(asked));
        let path: Vec<&str> = asked.path.split('/').skip(1).collect();
        let of = |text: &str| text.strip_prefix("90").unwrap().parse::<usize>().unwrap();
        match (asked.method.as_str(), path.as_slice()) {
            ("GET", ["2", "users", "me"]) => Told::json(200, &json!({"data": {"id": "1", "username": "noticias"}})),
            ("POST", ["2", "media", "upload", "initialize"]) => {
                let bytes = asked.json()["total_bytes"].as_u64().unwrap() as usize;
                self.media.push((bytes, Vec::new(), false));
                Told::json(200, &json!({"data": {"id": format!("90{}", self.media.len() - 1)}}))
            }
            ("POST", ["2", "media", "upload", id, "append"]) => {
                let fields = parts(asked);
                let index: usize = String::from_utf8_lossy(&fields["segment_index"]).parse().unwrap();
                let (_, pieces, is_whole) = &mut self.media[of(id)];
                assert!(!*is_whole && fields["media"].len() <= 5 << 20);
                pieces.resize(pieces.len().max(index + 1), Vec::new());
                pieces[index] = fields["media"].clone();
                Told::json(200, &json!({"data": {"expires_at": 1}}))
            }
            ("POST", ["2", "media", "upload", id, "finalize"]) => {
                let (bytes, pieces, is_whole) = &mut self.media[of(id)];
                assert_eq!(pieces.concat().len(), *bytes);
                *is_whole = true;
                let info = json!({"state": "pending", "check_after_secs": 1});
                Told::json(200, &json!({"data": {"id": id, "processing_info": info}}))
            }
            ("GET", ["2", "media", "upload"]) => {
                Told::json(200, &json!({"data": {"processing_info": {"state": "succeeded", "progress_percent": 100}}}))
            }
            ("POST", ["2", "tweets"]) => {
                let id = asked.json()["media"]["media_ids"][0].as_str().unwrap().to_owned();
                assert!(self.media[of(&id)].2);
                self.posts.push(id);
                Told::json(201, &json!({"data": {"id": (100 + self.posts.len()).to_string(), "text": ""}}))
            }
            ("GET", ["2", "users", "1", "tweets"]) => {
                let each = self.posts.iter().take(self.hidden.unwrap_or(usize::MAX)).enumerate().map(
                    |(i, id)| json!({"id": (101 + i).to_string(), "attachments": {"media_keys": [format!("13_{id}")]}}),
                );
                Told::json(200, &json!({"data": each.collect::<Vec<_>>()}))
            }
            ("DELETE", ["2", "tweets", id]) => {
                self.posts.remove(id.parse::<usize>().unwrap() - 101);
                Told::json(200, &json!({"data": {"deleted": true}}))
            }
            other => panic!("not part of the documentation: {other:?}"),
        }
    }

    fn posts(&self) -> Vec<Vec<u8>> {
        let of = |id: &String| self.media[id.strip_prefix("90").unwrap().parse::<usize>().unwrap()].1.concat();
        self.posts.iter().map(of).collect()
    }
}

#[test]
fn x_has_one_post_whatever_is_lost() {
    // The last piece, the end, the post. A finalize that is sent again would be refused, so it is asked how the media fares.
    let it = whatever_is_lost::<X>("web_720p", &film(9_000_000), 1);
    let last = it.desk.archive.rows("SELECT id FROM publications ORDER BY created_at DESC").remove(0);
    it.desk.run(&["publish", "retract", &last]).ends(0);
    assert_eq!(it.posts().len(), 2);
    // Its beginning, three pieces and their end come before.
    listed_late(&it, 5);
}

/// A post whose reply is lost and that is listed only later is never made twice; so many requests come before it.
fn listed_late<P: Platform>(it: &Play<P>, last: usize) {
    let before = it.posts().len();
    it.state.lock().unwrap().hide(true);
    *it.lose.lock().unwrap() = Some(last);
    it.publish(&["--force", "--yes"]).ends(1).says("may do so later").says("publish settle");
    assert_eq!(it.posts().len(), before + 1);
    it.publish(&[]);
    it.desk.run(&["publish", "reconcile"]).ends(1);
    assert_eq!(it.posts().len(), before + 1);
    it.state.lock().unwrap().hide(false);
    it.desk.run(&["publish", "reconcile"]).ends(0).says("1 of 1 settled");
    assert_eq!(it.posts().len(), before + 1);
}

/// A reel: its name and address, its bytes at an offset, its end.
#[derive(Default)]
struct Reel {
    videos: Vec<(Vec<u8>, usize, bool)>,
}

impl Platform for Reel {
    const UPRIGHT: bool = true;

    fn place(url: &str) -> String {
        format!("{{ facebook: {{ id: \"42\", form: reel, endpoint: \"{url}\" }} }}")
    }

    fn answer(&mut self, asked: &Asked, url: &str) -> Told {
        if let Some(n) = asked.path.strip_prefix("/reel/") {
            assert_eq!(asked.header("authorization"), format!("OAuth {SECRET}"));
            let (bytes, size, _) = &mut self.videos[n.parse::<usize>().unwrap()];
            assert_eq!(asked.header("offset"), bytes.len().to_string());
            *size = asked.header("file_size").parse().unwrap();
            bytes.extend_from_slice(&asked.body);
            return Told::json(200, &json!({"success": true}));
        }
        assert!(!unauthorized(asked));
        let (path, form) = (asked.path.strip_prefix("/v23.0/").unwrap(), asked.form());
        let of = |id: &str| id.strip_prefix('7').unwrap().parse::<usize>().unwrap();
        match (asked.method.as_str(), path, form.get("upload_phase").map(String::as_str)) {
            ("GET", "42", _) => Told::json(200, &json!({"name": "Noticias", "id": "42"})),
            ("POST", "42/video_reels", Some("start")) => {
                self.videos.push((Vec::new(), 0, false));
                let n = self.videos.len() - 1;
                Told::json(200, &json!({"video_id": format!("7{n}"), "upload_url": format!("{url}/reel/{n}")}))
            }
            ("POST", "42/video_reels", Some("finish")) => {
                assert_eq!(form["video_state"], "PUBLISHED");
                let (bytes, size, is_published) = &mut self.videos[of(&form["video_id"])];
                assert!(bytes.len() == *size && !*is_published, "finished twice, or too early");
                *is_published = true;
                Told::json(200, &json!({"success": true}))
            }
            ("GET", id, _) => {
                let (bytes, size, is_published) = &self.videos[of(id)];
                let uploaded = if bytes.len() == *size && *size > 0 { "complete" } else { "in_progress" };
                let publishing = if *is_published { "complete" } else { "not_started" };
                Told::json(
                    200,
                    &json!({"permalink_url": format!("/reel/{id}"), "status": {"video_status": "processing",
                    "uploading_phase": {"status": uploaded, "bytes_transfered": bytes.len()},
                    "processing_phase": {"status": "not_started"}, "publishing_phase": {"status": publishing}}}),
                )
            }
            other => panic!("not part of the documentation: {other:?}"),
        }
    }

    fn posts(&self) -> Vec<Vec<u8>> {
        self.videos.iter().filter(|(.., is_published)| *is_published).map(|(bytes, ..)| bytes.clone()).collect()
    }
}

#[test]
fn a_facebook_page_has_one_reel_whatever_is_lost() {
    whatever_is_lost::<Reel>("web_720p", &film(3_000_001), 2);
}

/// A picture: it goes up unpublished, and into a post.
#[derive(Default)]
struct Photo {
    photos: Vec<Vec<u8>>,
    posts: Vec<usize>,
    hidden: Option<usize>,
}

impl Platform for Photo {
    const KNOWS: bool = false;

    fn hide(&mut self, is_hidden: bool) {
        self.hidden = is_hidden.then_some(self.posts.len());
    }

    fn place(url: &str) -> String {
        format!("{{ facebook: {{ id: \"42\", form: picture, endpoint: \"{url}\" }} }}")
    }

    fn answer(&mut self, asked: &Asked, _: &str) -> Told {
        assert!(!unauthorized(asked));
        match (asked.method.as_str(), asked.path.strip_prefix("/v23.0/").unwrap()) {
            ("GET", "42") => Told::json(200, &json!({"name": "Noticias", "id": "42"})),
            ("POST", "42/photos") => {
                let fields = parts(asked);
                assert_eq!(fields["published"], b"false");
                self.photos.push(fields["source"].clone());
                Told::json(200, &json!({"id": format!("5{}", self.photos.len() - 1)}))
            }
            ("POST", "42/feed") => {
                let media: Value = serde_json::from_str(&asked.form()["attached_media"]).unwrap();
                let id = media[0]["media_fbid"].as_str().unwrap().strip_prefix('5').unwrap().parse().unwrap();
                self.posts.push(id);
                Told::json(200, &json!({"id": format!("42_{}", self.posts.len())}))
            }
            ("GET", "42/feed") => {
                let listed = self.posts.iter().take(self.hidden.unwrap_or(usize::MAX)).enumerate();
                let each = listed.map(|(i, photo)| {
                    json!({"id": format!("42_{}", i + 1), "permalink_url": format!("https://facebook.example/{i}"),
                        "attachments": {"data": [{"target": {"id": format!("5{photo}")}}]}})
                });
                Told::json(200, &json!({"data": each.collect::<Vec<_>>()}))
            }
            other => panic!("not part of the documentation: {other:?}"),
        }
    }

    fn posts(&self) -> Vec<Vec<u8>> {
        self.posts.iter().map(|i| self.photos[*i].clone()).collect()
    }
}

#[test]
fn a_facebook_page_has_one_post_with_a_picture_whatever_is_lost() {
    let it = whatever_is_lost::<Photo>("poster", &film(300_000), 2);
    listed_late(&it, 1);
}

#[derive(Default)]
struct Facebook {
    videos: Vec<(usize, Vec<u8>, bool)>,
}

impl Platform for Facebook {
    fn place(url: &str) -> String {
        format!("{{ facebook: {{ id: \"42\", endpoint: \"{url}\" }} }}")
    }

    fn answer(&mut self, asked: &Asked, _: &str) -> Told {
        assert!(!unauthorized(asked));
        let path = asked.path.strip_prefix("/v23.0/").unwrap();
        match (asked.method.as_str(), path) {
            ("GET", "42") => Told::json(200, &json!({"name": "Noticias", "id": "42"})),
            ("POST", "42/videos") => {
                let is_parts = asked.header("content-type").starts_with("multipart");
                let fields: std::collections::BTreeMap<String, Vec<u8>> = match is_parts {
                    true => parts(asked),
                    false => asked.form().into_iter().map(|(n, v)| (n, v.into_bytes())).collect(),
                };
                let text = |name: &str| String::from_utf8_lossy(&fields[name]).into_owned();
                let index = |text: String| text.strip_prefix('s').unwrap().parse::<usize>().unwrap();
                match text("upload_phase").as_str() {
                    "start" => {
                        let size = text("file_size").parse().unwrap();
                        self.videos.push((size, Vec::new(), false));
                        let n = self.videos.len() - 1;
                        Told::json(
                            200,
                            &json!({"video_id": format!("7{n}"), "upload_session_id": format!("s{n}"),
                            "start_offset": "0", "end_offset": "1048576"}),
                        )
                    }
                    "transfer" => {
                        let (size, bytes, _) = &mut self.videos[index(text("upload_session_id"))];
                        let at: usize = text("start_offset").parse().unwrap();
                        if at != bytes.len() {
                            return Told::json(
                                400,
                                &json!({"error": {"message": "There was a problem uploading your video file.",
                                "code": 6001, "error_subcode": 1_363_037,
                                "error_data": {"start_offset": bytes.len().to_string(), "end_offset": size.to_string()}}}),
                            );
                        }
                        bytes.extend_from_slice(&fields["video_file_chunk"]);
                        Told::json(
                            200,
                            &json!({"start_offset": bytes.len().to_string(), "end_offset": size.to_string()}),
                        )
                    }
                    "finish" => {
                        let (size, bytes, is_published) = &mut self.videos[index(text("upload_session_id"))];
                        assert_eq!(bytes.len(), *size);
                        assert!(!*is_published, "finished twice");
                        *is_published = true;
                        Told::json(200, &json!({"success": true}))
                    }
                    other => panic!("{other}"),
                }
            }
            ("GET", id) => {
                let (size, bytes, is_published) = &self.videos[id.strip_prefix('7').unwrap().parse::<usize>().unwrap()];
                let is_there = if bytes.len() == *size { "complete" } else { "in_progress" };
                let (video, publishing) =
                    if *is_published { ("ready", "complete") } else { ("uploading", "not_started") };
                Told::json(
                    200,
                    &json!({"permalink_url": format!("/watch/{id}"), "status": {"video_status": video,
                    "uploading_phase": {"status": is_there, "bytes_transfered": bytes.len()},
                    "processing_phase": {"status": "not_started"}, "publishing_phase": {"status": publishing}}}),
                )
            }
            other => panic!("not part of the documentation: {other:?}"),
        }
    }

    fn posts(&self) -> Vec<Vec<u8>> {
        self.videos.iter().filter(|(.., is_published)| *is_published).map(|(_, bytes, _)| bytes.clone()).collect()
    }
}

#[test]
fn a_facebook_page_has_one_video_whatever_is_lost() {
    whatever_is_lost::<Facebook>("web_720p", &film(20_000_000), 3);
}

#[derive(Default)]
struct WordPress {
    media: Vec<(String, Vec<u8>)>,
    posts: Vec<Value>,
    /// Whether the next file is cut in its middle, and kept.
    cuts: bool,
}

impl Platform for WordPress {
    fn place(url: &str) -> String {
        format!("{{ wordpress: {{ site: \"{url}\", post: publish }} }}")
    }

    fn answer(&mut self, asked: &Asked, url: &str) -> Told {
        // editor:ya29.secret-of-the-account
        assert_eq!(asked.header("authorization"), "Basic ZWRpdG9yOnlhMjkuc2VjcmV0LW9mLXRoZS1hY2NvdW50");
        let sizes: Vec<usize> = self.media.iter().map(|(_, bytes)| bytes.len()).collect();
        let of = |i: usize| {
            json!({"id": 10 + i, "source_url": format!("{url}/uploads/{i}.mp4"),
                "media_details": {"filesize": sizes.get(i)}})
        };
        match (asked.method.as_str(), asked.path.strip_prefix("/wp-json/wp/v2/").unwrap()) {
            ("GET", "users/me") => {
                Told::json(200, &json!({"name": "Editor", "capabilities": {"upload_files": true, "edit_posts": true}}))
            }
            ("GET", "media") => {
                let found = self.media.iter().enumerate().filter(|(_, (slug, _))| *slug == asked.query["slug"]);
                Told::json(200, &json!(found.map(|(i, _)| of(i)).collect::<Vec<_>>()))
            }
            ("POST", "media") if self.cuts => {
                self.cuts = false;
                self.media.push((asked.query["slug"].clone(), asked.body[..asked.body.len() / 2].to_vec()));
                Told::lost()
            }
            ("DELETE", path) => {
                assert_eq!((path, asked.query["force"].as_str()), ("media/10", "true"));
                self.media.remove(0);
                Told::json(200, &json!({"deleted": true}))
            }
            ("POST", "media") => {
                assert!(asked.header("content-disposition").starts_with("attachment; filename=\""));
                self.media.push((asked.query["slug"].clone(), asked.body.clone()));
                Told::json(201, &of(self.media.len() - 1))
            }
            ("GET", "posts") => {
                let found =
                    self.posts.iter().enumerate().filter(|(_, post)| post["slug"] == asked.query["slug"].as_str());
                let shown = |(i, _)| json!({"id": 500 + i, "link": format!("{url}/?p={i}")});
                Told::json(200, &json!(found.map(shown).collect::<Vec<_>>()))
            }
            ("POST", "posts") => {
                self.posts.push(asked.json());
                let i = self.posts.len() - 1;
                Told::json(201, &json!({"id": 500 + i, "link": format!("{url}/?p={i}")}))
            }
            other => panic!("not part of the documentation: {other:?}"),
        }
    }

    fn posts(&self) -> Vec<Vec<u8>> {
        assert_eq!(self.media.len(), self.posts.len());
        self.media.iter().map(|(_, bytes)| bytes.clone()).collect()
    }
}

#[test]
fn a_wordpress_site_has_one_post_whatever_is_lost() {
    let it = whatever_is_lost::<WordPress>("web_720p", &film(3_000_001), 2);
    let post = it.state.lock().unwrap().posts[0].clone();
    assert!(post["content"].as_str().unwrap().contains("<video controls src="), "{post}");
    assert_eq!(post["status"], "publish");
}

#[test]
fn half_a_file_that_a_wordpress_site_kept_is_not_posted() {
    let it = play::<WordPress>("web_720p");
    let bytes = film(2_000_001);
    it.desk.grow("web_720p", &bytes);
    it.state.lock().unwrap().cuts = true;
    it.publish(&[]).ends(0).says("1 of 1 published");
    assert!(it.posts() == [bytes]);
}

#[derive(Default)]
struct Drive {
    uploads: Vec<(Value, usize, Vec<u8>)>,
}

impl Platform for Drive {
    fn place(url: &str) -> String {
        format!("{{ google_drive: {{ folder: F1, endpoint: \"{url}\" }} }}")
    }

    fn answer(&mut self, asked: &Asked, url: &str) -> Told {
        assert!(!unauthorized(asked));
        let file = |i: usize, (metadata, _, bytes): &(Value, usize, Vec<u8>)| {
            json!({"id": format!("f{i}"), "name": metadata["name"], "size": bytes.len().to_string(),
                "sha256Checksum": damctl::digest::Digest::of(bytes).to_string(), "webViewLink": "https://drive.example/f"})
        };
        match (asked.method.as_str(), asked.path.as_str()) {
            ("GET", "/drive/v3/about") => Told::json(200, &json!({"user": {"displayName": "Archive"}})),
            ("POST", "/upload/drive/v3/files") => {
                let total = asked.header("x-upload-content-length").parse().unwrap();
                assert_eq!(asked.json()["parents"], json!(["F1"]));
                self.uploads.push((asked.json(), total, Vec::new()));
                Told::status(200).header("location", format!("{url}/session/{}", self.uploads.len() - 1))
            }
            ("PUT", path) => {
                let index: usize = path.rsplit('/').next().unwrap().parse().unwrap();
                let upload = &mut self.uploads[index];
                if !asked.body.is_empty() {
                    let (from, ..) = range(asked);
                    assert_eq!(from, upload.2.len());
                    upload.2.extend_from_slice(&asked.body);
                }
                match (upload.2.len() == upload.1, upload.2.len()) {
                    (true, _) => Told::json(200, &json!({"id": format!("f{index}")})),
                    (false, 0) => Told::status(308),
                    (false, n) => Told::status(308).header("range", format!("bytes=0-{}", n - 1)),
                }
            }
            ("GET", "/drive/v3/files") => Told::json(200, &json!({"files": []})),
            ("GET", path) => {
                let index: usize = path.rsplit('f').next().unwrap().parse().unwrap();
                Told::json(200, &file(index, &self.uploads[index]))
            }
            other => panic!("not part of the documentation: {other:?}"),
        }
    }

    fn posts(&self) -> Vec<Vec<u8>> {
        self.uploads.iter().filter(|(_, total, bytes)| bytes.len() == *total).map(|(.., bytes)| bytes.clone()).collect()
    }
}

#[test]
fn google_drive_has_one_file_whatever_is_lost() {
    whatever_is_lost::<Drive>("web_720p", &film(17_000_000), 2);
}
