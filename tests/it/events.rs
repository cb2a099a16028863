//! Events as subscribers hear them: a webhook of the test's own, and a real NATS server.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{Arc, Mutex},
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::harness::{self, Archive, Ran};

const SECRET: &str = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw";

/// What a webhook has heard: the id of each message, its headers and its events' numbers.
#[derive(Default)]
struct Heard {
    messages: Vec<(String, HashMap<String, String>, String)>,
}

impl Heard {
    fn numbers(&self) -> Vec<i64> {
        let events = self.messages.iter().flat_map(|(_, _, body)| {
            let body: Value = serde_json::from_str(body).unwrap();
            body["data"]["events"].as_array().unwrap().clone()
        });
        events.map(|e| e["seq"].as_i64().unwrap()).collect()
    }
}

/// A webhook that answers as it is told: a status, or nothing at all. After the last answer it is content.
struct Hook {
    url: String,
    heard: Arc<Mutex<Heard>>,
}

impl Hook {
    fn start(answers: &'static [&'static str]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}/hook/T0KEN", listener.local_addr().unwrap());
        let heard: Arc<Mutex<Heard>> = Arc::default();
        let (hears, mut answers) = (heard.clone(), answers.iter().copied());
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                answer(stream.unwrap(), &hears, &mut answers);
            }
        });
        Self { url, heard }
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }
}

fn answer(mut stream: TcpStream, heard: &Mutex<Heard>, answers: &mut impl Iterator<Item = &'static str>) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    loop {
        let mut headers = HashMap::new();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).unwrap_or(0) == 0 {
                return;
            }
            match line.trim_end().split_once(": ") {
                Some((name, value)) => headers.insert(name.to_lowercase(), value.to_owned()),
                None if line.trim().is_empty() => break,
                None => headers.insert("request".to_owned(), line.trim().to_owned()),
            };
        }
        let mut body = vec![0; headers["content-length"].parse().unwrap()];
        reader.read_exact(&mut body).unwrap();
        let id = headers["webhook-id"].clone();
        heard.lock().unwrap().messages.push((id, headers, String::from_utf8(body).unwrap()));
        match answers.next().unwrap_or("200 OK") {
            // The message has come, and nobody learns of it.
            "lost" => return,
            status => write!(stream, "HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n").unwrap(),
        }
    }
}

/// An archive with some events in it.
fn eventful() -> Archive {
    let archive = Archive::new();
    let drive = harness::scratch();
    for seed in 0..110 {
        harness::picture(&drive.path().join(format!("{seed}.png")), seed);
    }
    archive.ingest(drive.path()).0.ends(0);
    archive
}

fn deliver(archive: &Archive, settings: &[(&str, &str)], args: &[&str]) -> Ran {
    let mut command = archive.command([&["events", "--deliver"], args].concat());
    command.envs(settings.iter().copied()).output().unwrap().into()
}

fn count(archive: &Archive) -> i64 {
    archive.rows("SELECT CAST(MAX(seq) AS TEXT) FROM events")[0].parse().unwrap()
}

#[test]
fn a_webhook_hears_every_event_in_order_signed_and_again_when_its_answer_was_lost() {
    let archive = eventful();
    let last = count(&archive);
    assert!(last > 100, "{last} events are less than a page");
    let hook = Hook::start(&["503 Busy", "lost", "200 OK"]);
    let settings = [("DAMCTL_WEBHOOK", hook.url.as_str()), ("DAMCTL_WEBHOOK_SECRET", SECRET)];
    let ran = deliver(&archive, &settings, &[]).ends(0).says(&format!("{last} event(s) delivered"));
    assert!(!format!("{}{}", ran.stdout, ran.stderr).contains("T0KEN"), "a secret address was shown");
    let heard = hook.heard();
    let page: Vec<i64> = (1..=100).collect();
    let expected = [page.clone(), page.clone(), page, (101..=last).collect()].concat();
    assert_eq!(heard.numbers(), expected);
    assert!(heard.messages[0].0 == heard.messages[2].0 && heard.messages[0].0 != heard.messages[3].0);
    for (id, headers, body) in &heard.messages {
        assert_eq!(headers["request"], "POST /hook/T0KEN HTTP/1.1");
        let signed = format!("{id}.{}.{body}", headers["webhook-timestamp"]);
        let dir = harness::scratch();
        std::fs::write(dir.path().join("signed"), signed).unwrap();
        // openssl's opinion.
        let script = format!(
            "key=$(printf %s {} | base64 -d | od -An -v -tx1 | tr -d ' \\n'); \
             openssl dgst -sha256 -mac HMAC -macopt hexkey:$key -binary {} | base64",
            SECRET.strip_prefix("whsec_").unwrap(),
            dir.path().join("signed").display()
        );
        let signature = harness::tool("sh", ["-c", &script]);
        assert_eq!(headers["webhook-signature"], format!("v1,{}", signature.trim()));
    }
    drop(heard);
    // What was confirmed is not said again.
    deliver(&archive, &settings, &[]).ends(0).says(": 0 event(s) delivered");
    assert_eq!(hook.heard().messages.len(), 4);
    let status = archive.json(["status", "--json"]);
    assert_eq!((&status["last_event"], &status["feeds"][0]["seq"]), (&last.into(), &last.into()));
    // Unless it is to hear anew.
    let name = status["feeds"][0]["name"].as_str().unwrap();
    archive.run(["events", "--forget", name]).ends(0);
    deliver(&archive, &settings, &["--after", &(last - 1).to_string()]).ends(0).says(": 1 event(s) delivered");
    archive.run(["events", "--forget", "nobody"]).ends(2).says("no subscriber is called 'nobody'");
}

#[test]
fn a_webhook_that_refuses_is_told_so_and_nothing_is_passed_over() {
    let archive = eventful();
    let hook = Hook::start(&["401 Unauthorized", "200 OK"]);
    let settings = [("DAMCTL_WEBHOOK", hook.url.as_str())];
    deliver(&archive, &settings, &[]).ends(2).says("answered 401 Unauthorized");
    assert!(archive.json(["status", "--json"])["feeds"][0]["error"].as_str().unwrap().contains("401"));
    deliver(&archive, &settings, &[]).ends(0);
    assert_eq!(hook.heard().numbers()[100..], (1..=count(&archive)).collect::<Vec<_>>());
    // Somebody who is not there at all.
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let url = format!("http://{gone}/");
    deliver(&archive, &[("DAMCTL_WEBHOOK", url.as_str())], &[]).ends(3).says("does not answer");
    deliver(&archive, &[], &[]).ends(2).says("nobody subscribes");
    deliver(&archive, &[("DAMCTL_WEBHOOK", "ftp://host")], &[]).ends(2).says("expected https://HOST/PATH");
    let secret = [("DAMCTL_WEBHOOK", url.as_str()), ("DAMCTL_WEBHOOK_SECRET", "hunter2")];
    let ran = deliver(&archive, &secret, &[]).ends(2).says("DAMCTL_WEBHOOK_SECRET");
    assert!(!ran.stderr.contains("hunter2"));
}

#[test]
fn whoever_follows_is_killed_and_another_goes_on_at_once() {
    let archive = eventful();
    let hook = Hook::start(&[]);
    let follow = || {
        let mut command = archive.command(["events", "--deliver", "--follow"]);
        command.env("DAMCTL_WEBHOOK", &hook.url).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let until = |what: &dyn Fn() -> bool| {
        let began = Instant::now();
        while !what() {
            assert!(began.elapsed() < Duration::from_secs(30), "it took too long");
            std::thread::sleep(Duration::from_millis(20));
        }
    };
    let mut first = follow();
    let had = count(&archive);
    until(&|| hook.heard().numbers().last() == Some(&had));
    // One at a time tells it.
    let other = [("DAMCTL_WEBHOOK", hook.url.as_str())];
    deliver(&archive, &other, &[]).ends(0).says("another damctl tells it");
    first.kill().unwrap();
    first.wait().unwrap();
    let drive = harness::scratch();
    harness::picture(&drive.path().join("new.png"), 200);
    archive.ingest(drive.path()).0.ends(0);
    let mut second = follow();
    let all = count(&archive);
    until(&|| hook.heard().numbers().last() == Some(&all));
    second.kill().unwrap();
    second.wait().unwrap();
    // Again, if it was killed before it had noted what was confirmed; but none is missed, and none comes before its time.
    let numbers = hook.heard().numbers();
    let mut last = 0;
    for number in &numbers {
        assert!(*number <= last + 1, "{number} came after {last}: {numbers:?}");
        last = last.max(*number);
    }
    assert_eq!(last, all);
}

/// A NATS server in a folder of its own.
struct Server {
    process: Child,
    address: String,
    _dir: tempfile::TempDir,
}

impl Server {
    fn start(config: &str) -> Option<Self> {
        if Command::new("nats-server").arg("--version").output().is_err() {
            eprintln!("skipped: there is no nats-server ('scripts/setup test' installs it)");
            return None;
        }
        let dir = harness::scratch();
        let store = dir.path().join("jetstream");
        std::fs::write(
            dir.path().join("conf"),
            format!("listen: 127.0.0.1:-1\njetstream {{ store_dir: {store:?} }}\n{config}\n"),
        )
        .unwrap();
        let process = Command::new("nats-server")
            .args([Path::new("-c"), &dir.path().join("conf"), Path::new("--ports_file_dir"), dir.path()])
            .args([Path::new("-l"), &dir.path().join("log")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let ports = dir.path().join(format!("nats-server_{}.ports", process.id()));
        let began = Instant::now();
        let address = loop {
            let text = std::fs::read_to_string(&ports).unwrap_or_default();
            if let Ok(ports) = serde_json::from_str::<Value>(&text) {
                break ports["nats"][0].as_str().unwrap().to_owned();
            }
            let log = || std::fs::read_to_string(dir.path().join("log")).unwrap_or_default();
            assert!(began.elapsed() < Duration::from_secs(20), "the NATS server does not start:\n{}", log());
            std::thread::sleep(Duration::from_millis(20));
        };
        Some(Self { process, address, _dir: dir })
    }

    /// A client that speaks the protocol by hand, and has asked for what is under `media.`.
    fn subscribe(&self) -> BufReader<TcpStream> {
        let mut stream = TcpStream::connect(self.address.strip_prefix("nats://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        stream.write_all(b"CONNECT {\"verbose\":false,\"headers\":true}\r\nSUB media.> 1\r\nPING\r\n").unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while !line.starts_with("PONG") {
            line.clear();
            reader.read_line(&mut line).unwrap();
        }
        reader
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// The next messages: where each was published, and its event.
fn messages(reader: &mut BufReader<TcpStream>, count: usize) -> Vec<(String, Value)> {
    let mut out = Vec::new();
    while out.len() < count {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let Some(rest) = line.strip_prefix("HMSG ") else { continue };
        // Subject, subscription, bytes of headers, bytes of all.
        let fields: Vec<&str> = rest.split_whitespace().collect();
        let [headers, all] = [fields[2], fields[3]].map(|n| n.parse::<usize>().unwrap());
        let mut bytes = vec![0; all + 2];
        reader.read_exact(&mut bytes).unwrap();
        assert!(String::from_utf8_lossy(&bytes[..headers]).contains("Nats-Msg-Id: "));
        out.push((fields[0].to_owned(), serde_json::from_slice(&bytes[headers..all]).unwrap()));
    }
    out
}

#[test]
fn a_nats_server_hears_every_event_under_its_subject() {
    let Some(server) = Server::start("") else { return };
    let archive = eventful();
    let last = count(&archive);
    let mut client = server.subscribe();
    let settings = [("DAMCTL_NATS", server.address.as_str())];
    deliver(&archive, &settings, &[]).ends(0).says(&format!("{last} event(s) delivered"));
    let heard = messages(&mut client, last as usize);
    assert_eq!(
        heard.iter().map(|(_, e)| e["seq"].as_i64().unwrap()).collect::<Vec<_>>(),
        (1..=last).collect::<Vec<_>>()
    );
    for (subject, event) in &heard {
        let key = match event["kind"].as_str().unwrap() {
            "job.started" => format!("media.process.started.{}", event["detail"]["subject"].as_str().unwrap()),
            "job.done" => format!("media.process.completed.{}", event["detail"]["subject"].as_str().unwrap()),
            "asset.stored" => format!("media.asset.stored.{}", event["subject"].as_str().unwrap()),
            _ => continue,
        };
        assert_eq!(subject.replace("%20", " ").replace("%2E", "."), key);
    }
    assert!(heard.iter().any(|(subject, _)| subject.starts_with("media.process.completed.")));
}

#[test]
fn a_stream_keeps_each_event_once_though_it_was_sent_twice() {
    let Some(server) = Server::start("") else { return };
    let archive = eventful();
    let last = count(&archive);
    let settings = [("DAMCTL_NATS", server.address.as_str()), ("DAMCTL_NATS_STREAM", "EVENTS")];
    deliver(&archive, &settings, &[]).ends(2).says("no JetStream stream 'EVENTS' keeps these events");
    let ask = |subject: &str, body: &str| {
        let mut stream = TcpStream::connect(server.address.strip_prefix("nats://").unwrap()).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
        write!(stream, "CONNECT {{}}\r\nSUB answer 1\r\nPUB {subject} answer {}\r\n{body}\r\n", body.len()).unwrap();
        let mut reader = BufReader::new(stream);
        let mut line = String::new();
        while !line.starts_with("MSG ") {
            line.clear();
            assert!(reader.read_line(&mut line).unwrap() > 0);
        }
        line.clear();
        reader.read_line(&mut line).unwrap();
        serde_json::from_str::<Value>(&line).unwrap()
    };
    let stream = r#"{"name":"EVENTS","subjects":["media.>"],"retention":"limits","storage":"file","duplicate_window":120000000000}"#;
    let made = ask("$JS.API.STREAM.CREATE.EVENTS", stream);
    assert_eq!(made["error"], Value::Null);
    deliver(&archive, &settings, &[]).ends(0).says(&format!("{last} event(s) delivered"));
    // As after a crash between the server's word and the catalog's.
    let db = archive.catalog();
    db.execute("UPDATE feeds SET seq = 0", []).unwrap();
    deliver(&archive, &settings, &[]).ends(0).says(&format!("{last} event(s) delivered"));
    assert_eq!(ask("$JS.API.STREAM.INFO.EVENTS", "")["state"]["messages"], last);
}

#[test]
fn a_nats_server_that_refuses_or_is_away_is_told_apart() {
    let Some(server) = Server::start(
        "authorization { users = [ {user: me, password: s3cret}, {user: mute, password: m, permissions: {publish: \"other\"}} ] }",
    ) else {
        return;
    };
    let archive = eventful();
    let url = ("DAMCTL_NATS", server.address.as_str());
    let as_user = |user: &'static str, password: &'static str| [url, ("NATS_USER", user), ("NATS_PASSWORD", password)];
    let ran = deliver(&archive, &as_user("me", "wr0ng"), &[]).ends(2).says("cannot connect to the NATS server");
    assert!(!ran.stderr.contains("wr0ng"));
    deliver(&archive, &as_user("mute", "m"), &[]).ends(2).says("refuses events").says("Permissions Violation");
    deliver(&archive, &as_user("me", "s3cret"), &[]).ends(0);
    let gone = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    deliver(&archive, &[("DAMCTL_NATS", &format!("nats://{gone}"))], &[]).ends(3).says("cannot connect");
    let ran = deliver(&archive, &[("DAMCTL_NATS", "nats://me:s3cret@host")], &[]).ends(2).says("NATS_USER");
    assert!(!ran.stderr.contains("s3cret"));
}
