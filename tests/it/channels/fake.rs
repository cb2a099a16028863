//! An HTTP server that a test scripts: one function from request to answer.

use std::{
    collections::HashMap,
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::Arc,
    thread,
};

use serde_json::Value;

/// What was asked.
#[derive(Debug, Default)]
pub struct Asked {
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case.
    pub headers: HashMap<String, String>,
    pub body: Vec<u8>,
}

impl Asked {
    pub fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_default()
    }

    /// The fields of a form, decoded.
    pub fn form(&self) -> HashMap<String, String> {
        pairs(&String::from_utf8_lossy(&self.body))
    }
}

/// The pairs of a query or a form.
pub fn pairs(text: &str) -> HashMap<String, String> {
    let decode = |text: &str| {
        let text = text.replace('+', " ");
        let mut bytes = Vec::new();
        let mut rest = text.as_bytes();
        while let Some((first, after)) = rest.split_first() {
            let hex = after.get(..2).filter(|_| *first == b'%').and_then(|two| std::str::from_utf8(two).ok());
            match hex.and_then(|two| u8::from_str_radix(two, 16).ok()) {
                Some(byte) => (bytes.push(byte), rest = &after[2..]).1,
                None => (bytes.push(*first), rest = after).1,
            }
        }
        String::from_utf8(bytes).unwrap()
    };
    let pair = |pair: &str| pair.split_once('=').map(|(name, value)| (decode(name), decode(value)));
    text.split('&').filter_map(pair).collect()
}

/// What is answered: status, headers, body. `None`: the line is cut.
pub type Answer = Option<(u16, Vec<(&'static str, String)>, Vec<u8>)>;

pub fn json(status: u16, body: Value) -> Answer {
    Some((status, vec![("content-type", "application/json".to_owned())], body.to_string().into_bytes()))
}

pub fn empty(status: u16) -> Answer {
    Some((status, Vec::new(), Vec::new()))
}

/// Starts one; gives its address.
pub fn start(answer: impl Fn(Asked) -> Answer + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = Arc::clone(&answer);
            thread::spawn(move || serve(stream.unwrap(), &*answer));
        }
    });
    url
}

fn serve(mut stream: TcpStream, answer: &(dyn Fn(Asked) -> Answer + Send + Sync)) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut asked = Asked::default();
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            let line = line.trim_end();
            if line.is_empty() {
                break;
            }
            if asked.method.is_empty() {
                let mut words = line.split(' ');
                (asked.method, asked.path) = (words.next()?.to_owned(), words.next()?.to_owned());
            } else if let Some((name, value)) = line.split_once(':') {
                asked.headers.insert(name.to_lowercase(), value.trim().to_owned());
            }
        }
        asked.body = vec![0; asked.header("content-length").parse().unwrap_or(0)];
        reader.read_exact(&mut asked.body).ok()?;
        let is_head = asked.method == "HEAD";
        let (status, headers, body) = answer(asked)?;
        let mut text = format!("HTTP/1.1 {status} It\r\n");
        for (name, value) in &headers {
            text.push_str(&format!("{name}: {value}\r\n"));
        }
        if !is_head {
            text.push_str(&format!("content-length: {}\r\n", body.len()));
        }
        stream.write_all(format!("{text}\r\n").as_bytes()).ok()?;
        if !is_head {
            stream.write_all(&body).ok()?;
        }
    }
}
