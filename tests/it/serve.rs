//! The HTTP endpoint, asked over a real socket.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    process::{Child, Stdio},
    time::Duration,
};

use serde_json::Value;

use crate::harness::{self, Archive, Ran};

pub(crate) struct Server {
    process: Option<Child>,
    pub(crate) address: String,
}

impl Server {
    pub(crate) fn start(archive: &Archive) -> Self {
        Self::start_with(archive, &[])
    }

    /// With settings, as the environment gives them.
    pub(crate) fn start_with(archive: &Archive, settings: &[(&str, &str)]) -> Self {
        let mut command = archive.command(["serve-search", "--listen", "127.0.0.1:0"]);
        command.envs(settings.iter().copied());
        let mut process = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let mut line = String::new();
        BufReader::new(process.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address =
            line.trim().split_once("://").map(|(_, address)| address).unwrap_or_else(|| panic!("{line}")).to_owned();
        Self { process: Some(process), address }
    }

    pub(crate) fn ask(&self, request: &str) -> Reply {
        let mut stream = TcpStream::connect(&self.address).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(request.as_bytes()).unwrap();
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes).unwrap();
        let end = bytes
            .windows(4)
            .position(|w| w == b"\r\n\r\n")
            .unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&bytes)));
        let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
        let status = head.split(' ').nth(1).unwrap().parse().unwrap();
        Reply { status, head: head.to_lowercase(), body: bytes[end + 4..].to_vec() }
    }

    pub(crate) fn get(&self, path: &str) -> Reply {
        self.get_with(path, "")
    }

    pub(crate) fn get_with(&self, path: &str, headers: &str) -> Reply {
        self.ask(&format!("GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{headers}\r\n"))
    }

    pub(crate) fn json(&self, path: &str) -> Value {
        let reply = self.get(path);
        assert_eq!(reply.status, 200, "{path}: {}", reply.text());
        reply.json()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(mut process) = self.process.take() {
            process.kill().ok();
            process.wait().ok();
        }
    }
}

pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) head: String,
    pub(crate) body: Vec<u8>,
}

impl Reply {
    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {}", self.text()))
    }
}

#[test]
fn an_editor_searches_and_plays() {
    let archive = Archive::finished();
    let server = Server::start(&archive);
    assert_eq!(server.json("/health")["status"], "ok");
    let answer = server.json("/search?q=harbor&kind=video");
    let hits = answer["hits"].as_array().unwrap();
    let titles: Vec<&str> = hits.iter().map(|h| h["title"].as_str().unwrap()).collect();
    assert!(titles.contains(&"harbor_cut.mp4") && titles.contains(&"tape_07.mov"), "{titles:?}");
    assert!(hits.iter().all(|h| h["kind"] == "video"));
    let hit = hits.iter().find(|h| h["title"] == "harbor_cut.mp4").unwrap();
    let asset = server.json(&format!("/assets/{}", hit["asset"].as_str().unwrap()));
    // The file, its subtitles and a copy.
    assert_eq!(asset["seen"].as_array().unwrap().len(), 3, "{asset:#}");
    assert_eq!((&asset["masters"][0]["role"], &asset["masters"][1]["role"]), (&"main".into(), &"sidecar".into()));
    let link = hit["renditions"].as_array().unwrap().iter().find(|r| r["name"] == "proxy_1080p").unwrap();
    let url = link["url"].as_str().unwrap();
    let whole = server.get(url);
    assert_eq!((whole.status, whole.body.len() as u64), (200, link["bytes"].as_u64().unwrap()));
    assert!(
        whole.head.contains("content-type: video/mp4") && whole.head.contains("accept-ranges: bytes"),
        "{}",
        whole.head
    );
    let part = server.get_with(url, "Range: bytes=100-199\r\n");
    assert_eq!((part.status, &part.body[..]), (206, &whole.body[100..200]));
    assert!(part.head.contains(&format!("content-range: bytes 100-199/{}", whole.body.len())), "{}", part.head);
    let tail = server.get_with(url, "Range: bytes=-50\r\n");
    assert_eq!((tail.status, &tail.body[..]), (206, &whole.body[whole.body.len() - 50..]));
    assert_eq!(server.get_with(url, "Range: bytes=999999999-\r\n").status, 416);
    let head = server.ask(&format!("HEAD {url} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"));
    assert_eq!((head.status, head.body.len()), (200, 0));
}

#[test]
fn bad_requests_get_words_and_the_server_goes_on() {
    let archive = Archive::finished();
    let server = Server::start(&archive);
    let long = "x".repeat(2000);
    let nobody = "00000000-0000-8000-8000-000000000000";
    let id = archive.rows("SELECT id FROM assets LIMIT 1")[0].clone();
    let wanted = [
        ("/search?q=%22a".to_owned(), 400),
        ("/search?what=x".to_owned(), 400),
        ("/search?q=x&sort=best".to_owned(), 400),
        ("/search?q=x&cursor=12-abc".to_owned(), 400),
        ("/search?q=x&facets=secrets".to_owned(), 400),
        ("/suggest?q=x&limit=-1".to_owned(), 400),
        ("/search?q=x&kind=film".to_owned(), 400),
        ("/search?q=x&limit=many".to_owned(), 400),
        (format!("/search?q={long}"), 400),
        ("/assets/nonsense".to_owned(), 400),
        (format!("/assets/{nobody}"), 404),
        (format!("/assets/{id}/renditions/none"), 404),
        (format!("/assets/{id}/renditions/..%2f..%2f..%2fetc%2fpasswd"), 404),
        ("/../../etc/passwd".to_owned(), 404),
        ("/nothing".to_owned(), 404),
    ];
    for (path, status) in wanted {
        let reply = server.get(&path);
        assert_eq!(reply.status, status, "{path}: {}", reply.text());
        assert!(reply.json()["detail"].as_str().is_some_and(|e| !e.is_empty()), "{path}: {}", reply.text());
        assert!(reply.head.contains("content-type: application/problem+json"), "{path}: {}", reply.head);
        assert_eq!(reply.json()["status"], status, "{path}");
        assert!(!reply.text().contains(&archive.root().display().to_string()), "{path} tells a path: {}", reply.text());
    }
    // Quotes, operators and brackets are words like any other.
    for words in ["%22", "AND", "(", "title:", "*", "a%00b", "%F0%9F%8E%AC", "kind:video", "-x", "%2B%2B%5E~1"] {
        let reply = server.get(&format!("/search?q={words}"));
        assert!(matches!(reply.status, 200 | 400), "{words}: {} {}", reply.status, reply.text());
    }
    assert_eq!(
        server
            .ask("DELETE /search?q=x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\n\r\n")
            .status,
        405
    );
    assert_eq!(server.json("/health")["status"], "ok");
}

#[test]
fn an_empty_archive_answers_and_a_stop_is_heard() {
    let archive = Archive::new();
    let mut server = Server::start(&archive);
    let reply = server.get("/search?q=x");
    assert!(matches!(reply.status, 200 | 404 | 503), "{} {}", reply.status, reply.text());
    let process = server.process.take().unwrap();
    rustix::process::kill_process(rustix::process::Pid::from_child(&process), rustix::process::Signal::TERM).unwrap();
    let ran = Ran::from(process.wait_with_output().unwrap());
    assert!(matches!(ran.code, 0 | 143), "{ran:?}");
}

#[test]
fn addresses_are_loopback_unless_asked_and_busy_ones_are_told() {
    let archive = Archive::new();
    archive.run(["config", "show"]).ends(0).says("127.0.0.1:7878");
    let server = Server::start(&archive);
    archive.run(["serve-search", "--listen", &server.address]).says("cannot listen on");
    archive.run(["serve-search", "--listen", "nowhere"]).ends(2);
}

#[test]
fn search_on_the_command_line_finds_what_it_should() {
    let archive = Archive::finished();
    let titles = |words: &[&str]| -> Vec<String> {
        let answer = archive.json([&["search", "--json"], words].concat());
        answer["hits"].as_array().unwrap().iter().map(|h| h["title"].as_str().unwrap().to_owned()).collect()
    };
    // By a word of the path, of the name in parts, of another case, of a second place, without its accent.
    assert!(titles(&["interviews"]).contains(&"phone clip.mp4".to_owned()));
    assert_eq!(titles(&["HARBOR", "cut", "kind:video"]), ["harbor_cut.mp4"]);
    assert_eq!(titles(&["something"]), ["harbor_cut.mp4"]);
    assert_eq!(titles(&["bext"]), ["interview_bext.wav"]);
    assert_eq!(titles(&["--kind", "animation", "loop"]), ["loop.gif"]);
    assert!(titles(&["notas"])[0].contains("otas"), "the word itself comes before forms of it");
    assert!(titles(&["demo"]).len() > 10);
    assert_eq!(titles(&["nothing-like-this"]), [""; 0]);
    archive.run(["search", "nothing-like-this"]).ends(0).says("nothing found");
    let hit = archive.hit("harbor cut kind:video");
    let proxy = hit["proxy"].as_str().unwrap();
    assert!(proxy.ends_with("/proxy_1080p.mp4") && std::path::Path::new(proxy).is_file(), "{hit:#}");
    archive.run(["index"]).ends(0).says("nothing to do");
    archive.run(["index", "--rebuild"]).ends(0);
    assert_eq!(titles(&["HARBOR", "cut", "kind:video"]), ["harbor_cut.mp4"]);
    archive.run(["search", "title:*"]).ends(2).says("needs at least");
    archive.run(["index", "--check"]).ends(0).says("the index holds what the catalog knows");
    Archive::new().run(["search", "x"]).says("index");
}

#[test]
fn a_player_follows_a_stream_from_its_list_to_its_last_segment() {
    let archive = Archive::new();
    let drive = harness::scratch();
    let clip = drive.path().join("clip.mp4");
    harness::tool(
        "ffmpeg",
        format!(
            "-v error -f lavfi -i testsrc2=s=320x240:r=25:d=9 -f lavfi -i sine=d=9 -c:v libx264 -c:a aac {}",
            clip.display()
        )
        .split(' '),
    );
    archive.ingest(drive.path()).0.ends(0);
    let profile = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles/streaming.yaml");
    archive.run(["transcode", "--profile", profile]).ends(0);
    let id = archive.rows("SELECT id FROM assets")[0].clone();
    let server = Server::start(&archive);
    let address = format!("http://{}/assets/{id}/renditions/web", server.address);
    // Of the three rungs, a master of 240 lines has one.
    for list in ["", "/web.mpd"] {
        let count = harness::tool(
            "ffprobe",
            [
                "-v",
                "error",
                "-count_frames",
                "-select_streams",
                "v",
                "-show_entries",
                "stream=nb_read_frames",
                "-of",
                "csv=p=0",
            ]
            .map(str::to_owned)
            .into_iter()
            .chain([format!("{address}{list}")]),
        );
        assert!(count.split_whitespace().any(|n| n.trim_end_matches(',') == "225"), "{list}: {count}");
    }
    let reply = server.get(&format!("/assets/{id}/renditions/web/web.m3u8"));
    assert!(
        reply.status == 200 && reply.head.contains("content-type: application/vnd.apple.mpegurl"),
        "{}",
        reply.head
    );
    let segment = server.get(&format!("/assets/{id}/renditions/web/web.360p.00001.m4s"));
    assert!(segment.status == 200 && segment.head.contains("content-type: video/mp4"), "{}", segment.head);
    for other in ["web.720p.m3u8", "..%2fweb.m3u8", "%2e%2e"] {
        assert_eq!(server.get(&format!("/assets/{id}/renditions/web/{other}")).status, 404, "{other}");
    }
    // What is found in a store again is looked after like any other rendition.
    archive.run(["verify"]).ends(0);
    archive.run(["transcode", "--profile", profile]).ends(0).says("nothing");
}
