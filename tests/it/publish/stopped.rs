//! A publication that is stopped while its place says nothing ends within a moment, and is gone on with.

use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    process::Stdio,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use super::Desk;
use crate::channels::fake;

fn desk(url: &str) -> Desk {
    let place = format!("{{ http_put: {{ url: \"{url}/in\" }} }}");
    Desk::new(&format!("channels:\n  area:\n    to: {place}\n    account: main\n    send: [web_720p]\n    rates: []\n"))
}

/// Publishes until `is_stuck`, asks to stop, and sees how it ends.
fn stopped(desk: &Desk, signal: rustix::process::Signal, is_stuck: &dyn Fn() -> bool) -> i32 {
    let words = ["publish", &desk.asset, "--to", "area"];
    let mut child = desk.command(&words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    let began = Instant::now();
    while !is_stuck() {
        assert!(began.elapsed() < Duration::from_secs(30), "nothing was sent");
        std::thread::sleep(Duration::from_millis(20));
    }
    let asked = Instant::now();
    rustix::process::kill_process(rustix::process::Pid::from_raw(child.id() as i32).unwrap(), signal).unwrap();
    let code = child.wait().unwrap().code().unwrap();
    assert!(asked.elapsed() < Duration::from_secs(2), "it took {:?}", asked.elapsed());
    code
}

#[test]
fn who_stops_while_an_answer_is_waited_for_is_heard_and_nothing_is_sent_twice() {
    let there: Arc<Mutex<Option<Vec<u8>>>> = Arc::default();
    let puts = Arc::new(AtomicUsize::new(0));
    let (is_mute, has, count) = (Arc::new(AtomicBool::new(true)), there.clone(), puts.clone());
    let mute = is_mute.clone();
    let url = fake::start(move |asked| match asked.method.as_str() {
        "PUT" => {
            *has.lock().unwrap() = Some(asked.body);
            count.fetch_add(1, Ordering::SeqCst);
            while mute.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(20));
            }
            fake::empty(201)
        }
        _ => match has.lock().unwrap().clone() {
            None => fake::empty(404),
            Some(bytes) if asked.method == "HEAD" => {
                Some((200, vec![("content-length", bytes.len().to_string())], Vec::new()))
            }
            Some(bytes) => Some((200, Vec::new(), bytes)),
        },
    });
    let desk = desk(&url);
    assert_eq!(stopped(&desk, rustix::process::Signal::TERM, &|| puts.load(Ordering::SeqCst) == 1), 143);
    assert_eq!(desk.states(), ["sending"]);
    is_mute.store(false, Ordering::SeqCst);
    desk.run(&["publish", &desk.asset, "--to", "area"]).ends(0).says("1 of 1 published");
    assert_eq!(puts.load(Ordering::SeqCst), 1);
    assert!(there.lock().unwrap().as_deref() == Some(&desk.bytes("web_720p")[..]));
}

#[test]
fn who_stops_while_nobody_takes_the_bytes_is_heard() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let (url, is_sent) = (format!("http://{}", listener.local_addr().unwrap()), Arc::new(AtomicBool::new(false)));
    let sees = is_sent.clone();
    std::thread::spawn(move || {
        let mut held = Vec::new();
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let lines = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> = lines.map_while(Result::ok).take_while(|l| !l.is_empty()).collect();
            match head[0].starts_with("PUT") {
                true => sees.store(true, Ordering::SeqCst),
                false => {
                    stream.write_all(b"HTTP/1.1 404 Not\r\ncontent-length: 0\r\nconnection: close\r\n\r\n").unwrap()
                }
            }
            // Held open, and not read.
            held.push(stream);
        }
    });
    let desk = desk(&url);
    desk.grow("web_720p", &vec![7; 40_000_000]);
    let is_stuck = || {
        let is_sent = is_sent.load(Ordering::SeqCst);
        // Until no buffer takes any more.
        std::thread::sleep(Duration::from_millis(if is_sent { 500 } else { 0 }));
        is_sent
    };
    assert_eq!(stopped(&desk, rustix::process::Signal::INT, &is_stuck), 130);
    assert_eq!(desk.states(), ["sending"]);
}
