//! A proxy between damctl and its S3 server that does what networks and servers do on a bad day, on request.

use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    sync::{Arc, Mutex},
    time::Duration,
};

/// What a request is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Op {
    Head,
    Get,
    Put,
    Begin,
    Part,
    Complete,
    Other,
}

/// What goes wrong.
#[derive(Clone, Debug)]
pub enum Fault {
    /// The connection ends in the middle of the request's body.
    Cut,
    /// A byte of the body is another.
    Damage,
    /// This status and S3 code, and the server hears of nothing.
    Answer(u16, &'static str),
    /// The server does it, and nobody hears of that.
    LoseReply,
    /// Nobody answers, and the connection stays.
    Silence,
}

/// A fault for the next so many requests of a kind.
struct Rule {
    op: Op,
    times: usize,
    fault: Fault,
}

/// The proxy. It ends with the process.
pub struct Proxy {
    pub endpoint: String,
    rules: Arc<Mutex<Vec<Rule>>>,
    parts: Arc<Mutex<Vec<(String, u32)>>>,
}

impl Proxy {
    /// Starts one before this server.
    pub fn before(server: &str) -> Self {
        let server = server.strip_prefix("http://").expect("a plain server").to_owned();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let endpoint = format!("http://{}", listener.local_addr().unwrap());
        let rules = Arc::new(Mutex::new(Vec::new()));
        let shared = rules.clone();
        let parts = Arc::new(Mutex::new(Vec::new()));
        let accepted = parts.clone();
        std::thread::spawn(move || {
            for client in listener.incoming().flatten() {
                let (server, rules, parts) = (server.clone(), shared.clone(), accepted.clone());
                // A client that goes away is what this is about.
                std::thread::spawn(move || serve(client, &server, &rules, &parts).ok());
            }
        });
        Self { endpoint, rules, parts }
    }

    /// From now on the next `times` requests of this kind meet this fault.
    pub fn next(&self, op: Op, times: usize, fault: Fault) {
        self.rules.lock().unwrap().push(Rule { op, times, fault });
    }

    /// The numbers of the parts that the server has accepted of objects of this name, in the order of its answers.
    pub fn accepted(&self, name: &str) -> Vec<u32> {
        self.parts.lock().unwrap().iter().filter(|(at, _)| at.ends_with(name)).map(|(_, number)| *number).collect()
    }

    /// How many of these faults have not happened. All is well from now on.
    pub fn heal(&self) -> usize {
        self.rules.lock().unwrap().drain(..).map(|rule| rule.times).sum()
    }
}

/// Serves one request of a connection, which it then ends.
fn serve(
    mut client: TcpStream,
    server: &str,
    rules: &Mutex<Vec<Rule>>,
    parts: &Mutex<Vec<(String, u32)>>,
) -> std::io::Result<()> {
    let mut head = Vec::new();
    let mut byte = [0];
    while !head.ends_with(b"\r\n\r\n") {
        client.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let text = String::from_utf8_lossy(&head).into_owned();
    let header = |name: &str| {
        let line = text.lines().find(|l| l.to_lowercase().starts_with(&format!("{name}:")))?;
        Some(line.split_once(':')?.1.trim().to_owned())
    };
    let fault = take(rules, op(&text));
    if let Some(Fault::Silence) = fault {
        // Until the client has had enough.
        client.set_read_timeout(Some(Duration::from_secs(120)))?;
        while client.read(&mut byte)? > 0 {}
        return Ok(());
    }
    if header("expect").is_some() {
        client.write_all(b"HTTP/1.1 100 Continue\r\n\r\n")?;
    }
    let length: usize = header("content-length").and_then(|l| l.parse().ok()).unwrap_or(0);
    let mut body = vec![0; if matches!(fault, Some(Fault::Cut)) { length / 2 } else { length }];
    client.read_exact(&mut body)?;
    match fault {
        Some(Fault::Cut) => return client.shutdown(Shutdown::Both),
        Some(Fault::Answer(status, code)) => {
            let xml = format!("<Error><Code>{code}</Code><Message>made up by the proxy</Message></Error>");
            let length = xml.len();
            let head = format!("HTTP/1.1 {status} X\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n");
            return client.write_all(head.as_bytes()).and_then(|()| client.write_all(xml.as_bytes()));
        }
        Some(Fault::Damage) => body[length / 2] ^= 1,
        _ => {}
    }
    // One request a connection, so that the end of the answer is the end of the connection.
    let lines = text.trim_end().lines().filter(|l| {
        let name = l.to_lowercase();
        !name.starts_with("expect:") && !name.starts_with("connection:")
    });
    let head = lines.map(|l| format!("{l}\r\n")).collect::<String>() + "Connection: close\r\n\r\n";
    let mut server = TcpStream::connect(server)?;
    server.write_all(head.as_bytes())?;
    server.write_all(&body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    if let Some(part) = part(&text).filter(|_| answer.starts_with(b"HTTP/1.1 200")) {
        parts.lock().unwrap().push(part);
    }
    match fault {
        Some(Fault::LoseReply) => client.shutdown(Shutdown::Both),
        _ => client.write_all(&answer),
    }
}

fn take(rules: &Mutex<Vec<Rule>>, op: Op) -> Option<Fault> {
    let mut rules = rules.lock().unwrap();
    let rule = rules.iter_mut().find(|r| r.op == op && r.times > 0)?;
    rule.times -= 1;
    Some(rule.fault.clone())
}

/// The object and the number of the part that a request brings.
fn part(head: &str) -> Option<(String, u32)> {
    let (at, query) = head.split(' ').nth(1).filter(|_| op(head) == Op::Part)?.split_once('?')?;
    let number = query.split('&').find_map(|p| p.strip_prefix("partNumber=")?.parse().ok())?;
    Some((at.to_owned(), number))
}

fn op(head: &str) -> Op {
    let mut words = head.split(' ');
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let has = |name: &str| target.split(['?', '&']).skip(1).any(|p| p.split('=').next() == Some(name));
    match method {
        "HEAD" => Op::Head,
        "GET" if !has("uploadId") && !has("uploads") && !has("list-type") => Op::Get,
        "PUT" if has("partNumber") => Op::Part,
        "PUT" => Op::Put,
        "POST" if has("uploads") => Op::Begin,
        "POST" if has("uploadId") => Op::Complete,
        _ => Op::Other,
    }
}
