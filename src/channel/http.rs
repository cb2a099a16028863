//! HTTP to places outside. A request ends in a [`Reply`], whatever its status, or in an error: then nobody knows whether it
//! was heard. [`Reply::accepted`] turns refusals into errors whose kind says what can be done.
//!
//! No address is ever part of a message: it may hold what must not be seen.

use std::{io::Read, time::Duration};

use futures_util::StreamExt as _;
use serde_json::Value;

use super::{Account, Way};
use crate::{
    block,
    error::{Error, Result},
    secret::Secret,
    stop::Stop,
};

/// Bytes that are read and sent at a time.
const PIECE: usize = 256 << 10;
/// Pieces that may wait for the network.
const WAITING: usize = 8;
/// The longest answer that is read.
const LONGEST: usize = 8 << 20;
/// A body that is answered as soon as one without.
const SMALL: usize = 256 << 10;
/// No place takes longer than this to accept a connection, or to answer what is small.
const CONNECT: Duration = Duration::from_secs(20);
const ANSWER: Duration = Duration::from_secs(60);
/// After the last byte of a large file, a place may have to look at all of it.
const DIGEST: Duration = Duration::from_secs(600);

/// A request.
pub(super) struct Request<'a> {
    method: &'static str,
    url: String,
    headers: Vec<(&'static str, String)>,
    body: Body<'a>,
}

enum Body<'a> {
    None,
    Bytes(Vec<u8>),
    Form(Vec<(String, String)>),
    Stream { from: Box<dyn Read + Send>, bytes: u64, way: &'a mut dyn Way },
    Parts { fields: Vec<(String, String)>, file: (String, String, String, Vec<u8>) },
}

impl<'a> Request<'a> {
    /// One without a body.
    pub(super) fn new(method: &'static str, url: impl Into<String>) -> Self {
        Self { method, url: url.into(), headers: Vec::new(), body: Body::None }
    }

    /// `GET`.
    pub(super) fn get(url: impl Into<String>) -> Self {
        Self::new("GET", url)
    }

    /// `POST`.
    pub(super) fn post(url: impl Into<String>) -> Self {
        Self::new("POST", url)
    }

    /// `PUT`.
    pub(super) fn put(url: impl Into<String>) -> Self {
        Self::new("PUT", url)
    }

    /// With a header.
    pub(super) fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// With parameters in the address.
    pub(super) fn query(mut self, pairs: &[(&str, &str)]) -> Self {
        if let Ok(mut url) = reqwest::Url::parse(&self.url) {
            url.query_pairs_mut().extend_pairs(pairs);
            self.url = url.into();
        }
        self
    }

    /// With JSON.
    pub(super) fn json(mut self, value: &Value) -> Self {
        self.body = Body::Bytes(value.to_string().into_bytes());
        self.header("content-type", "application/json; charset=UTF-8")
    }

    /// With bytes of this media type.
    pub(super) fn bytes(mut self, mime: &str, bytes: Vec<u8>) -> Self {
        self.body = Body::Bytes(bytes);
        self.header("content-type", mime)
    }

    /// With fields as a page's form sends them.
    pub(super) fn form(mut self, fields: &[(&str, &str)]) -> Self {
        self.body = Body::Form(fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect());
        self
    }

    /// With fields, and a small file in the field `name`.
    pub(super) fn parts(
        mut self,
        fields: &[(&str, &str)],
        name: &str,
        file_name: &str,
        mime: &str,
        bytes: Vec<u8>,
    ) -> Self {
        let fields = fields.iter().map(|(n, v)| ((*n).to_owned(), (*v).to_owned())).collect();
        self.body = Body::Parts { fields, file: (name.to_owned(), file_name.to_owned(), mime.to_owned(), bytes) };
        self
    }

    /// With as many bytes as `from` has to give, as they come. What has been sent is told to `way`.
    pub(super) fn stream(mut self, mime: &str, from: Box<dyn Read + Send>, bytes: u64, way: &'a mut dyn Way) -> Self {
        self.body = Body::Stream { from, bytes, way };
        self.header("content-type", mime)
    }
}

/// An answer.
#[derive(Debug)]
pub(super) struct Reply {
    /// The status.
    pub(super) status: u16,
    headers: Vec<(String, String)>,
    /// What it says.
    pub(super) body: Vec<u8>,
    opened_by: Option<String>,
}

impl Reply {
    /// A header; the name in lower case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// What it says, as JSON; `null` if it is none.
    pub(super) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// A text within its JSON, by a pointer (RFC 6901).
    pub(super) fn text(&self, pointer: &str) -> Option<String> {
        match self.json().pointer(pointer)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        }
    }

    /// How long it asks to wait: `Retry-After` in seconds or as a date, which `Date` tells how far away it is.
    pub(super) fn wait(&self) -> Option<Duration> {
        let text = self.header("retry-after")?.trim();
        if let Ok(seconds) = text.parse::<u64>() {
            return Some(Duration::from_secs(seconds.min(86_400)));
        }
        let date = |text: &str| jiff::fmt::rfc2822::parse(text).ok().map(|z| z.timestamp().as_second());
        let (then, now) = (date(text)?, date(self.header("date")?)?);
        Some(Duration::from_secs(then.saturating_sub(now).clamp(0, 86_400) as u64))
    }

    /// Itself when it was accepted; else an error of `place` (a channel's name): what comes by itself is `Unavailable`,
    /// with how long to wait; credentials and contents that were refused are `Invalid`.
    pub(super) fn accepted(self, place: &str) -> Result<Self> {
        match self.status {
            200..=299 => Ok(self),
            _ => Err(self.refusal(place)),
        }
    }

    /// The same as an error, whatever its status.
    pub(super) fn refusal(&self, place: &str) -> Error {
        let words = self.words();
        let said = words.as_ref().map(|w| format!(": {w}")).unwrap_or_default();
        let code = match self.reason() {
            Some(reason) => format!("HTTP {} {reason}", self.status),
            None => format!("HTTP {}", self.status),
        };
        let e = match self.status {
            401 => match &self.opened_by {
                Some(what) => Error::invalid(format!("{place} does not let us in{said}")).hint(what.clone()),
                None => Error::invalid(format!("{place}: the session has expired or was ended{said}"))
                    .hint(format!("reconnect the account: damctl channel login {place}")),
            },
            403 => Error::invalid(format!("{place} does not allow it{said}"))
                .hint("see what the account may do, and that its scopes were granted"),
            404 | 410 => Error::not_found(format!("{place} does not have it{said}")),
            408 | 425 | 429 => Error::unavailable(format!("{place} asks to be left in peace for a while{said}")),
            413 => Error::invalid(format!("{place} takes no file of this size{said}")),
            500..=599 => Error::unavailable(format!("{place} is not well{said}")),
            300..=399 => Error::invalid(format!("{place} sends elsewhere"))
                .hint("give the address that it moved to in channels.yaml"),
            _ => Error::invalid(format!("{place} refused it{said}")),
        };
        let e = e.code(code);
        match self.wait() {
            Some(wait) => e.after(wait),
            None => e,
        }
    }

    /// What it says for people, in whichever of the usual places.
    fn words(&self) -> Option<String> {
        let json = self.json();
        let places = ["/error/message", "/error/error_user_msg", "/message", "/detail", "/error_description", "/title"];
        let found = places.iter().find_map(|p| json.pointer(p)?.as_str().map(str::to_owned))?;
        let clean: String = found.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
        (!clean.trim().is_empty()).then(|| clean.trim().to_owned())
    }

    /// What it calls it.
    fn reason(&self) -> Option<String> {
        let json = self.json();
        let places = ["/error/errors/0/reason", "/error/code", "/code", "/error/status", "/errors/0/code", "/error"];
        let found = places.iter().find_map(|p| match json.pointer(p)? {
            Value::String(text) => Some(text.clone()),
            Value::Number(number) => Some(number.to_string()),
            _ => None,
        })?;
        Some(found.chars().filter(|c| !c.is_control()).take(80).collect())
    }
}

/// An HTTP client for one place.
#[derive(Clone)]
pub(super) struct Http {
    place: String,
    /// What opens it, where that is no login.
    opened_by: Option<String>,
    stop: Stop,
    client: reqwest::Client,
}

impl Http {
    /// One for the channel of an account; it ends when the account's stop says so.
    pub(super) fn new(account: &Account) -> Result<Self> {
        let client = reqwest::Client::builder()
            .connect_timeout(CONNECT)
            .read_timeout(DIGEST)
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("damctl/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::unavailable("cannot make an HTTP client").because(e))?;
        Ok(Self { place: account.channel.clone(), opened_by: None, stop: account.stop.clone(), client })
    }

    /// One for a place that nobody logs in to: these fields of the account open it.
    pub(super) fn opened_by(mut self, account: &Account, fields: &str) -> Self {
        let Account { name, secrets, .. } = account;
        self.opened_by = Some(format!("see {fields} of account '{name}', in {}", secrets.place()));
        self
    }

    /// The channel's name.
    pub(super) fn place(&self) -> &str {
        &self.place
    }

    /// Asks, and gives whatever is answered.
    ///
    /// Errors: `Unavailable` when no answer came: whether it was heard is not known. `Stopped` when `way` said so.
    pub(super) fn ask(&self, request: Request<'_>) -> Result<Reply> {
        let method = reqwest::Method::from_bytes(request.method.as_bytes())
            .map_err(|e| Error::internal("a method that is none").because(e))?;
        let url = reqwest::Url::parse(&request.url)
            .map_err(|_| Error::invalid(format!("{}: an address that cannot be used", self.place)))?;
        let mut asking = self.client.request(method, url);
        for (name, value) in &request.headers {
            let value = reqwest::header::HeaderValue::from_str(value).map(|mut value| {
                value.set_sensitive(*name == "authorization");
                value
            });
            asking = asking.header(
                *name,
                value.map_err(|_| {
                    Error::invalid(format!("{}: a secret or a name that no header can hold", self.place))
                })?,
            );
        }
        let asking = match request.body {
            Body::None => asking.header("content-length", "0").timeout(ANSWER),
            Body::Bytes(bytes) => {
                let patience = if bytes.len() > SMALL { DIGEST } else { ANSWER };
                asking.body(bytes).timeout(patience)
            }
            Body::Form(fields) => asking.form(&fields).timeout(ANSWER),
            Body::Parts { fields, file: (name, file_name, mime, bytes) } => {
                let part = reqwest::multipart::Part::bytes(bytes).file_name(file_name).mime_str(&mime);
                let part = part.map_err(|e| Error::internal("a media type that is none").because(e))?;
                let form = fields.into_iter().fold(reqwest::multipart::Form::new(), |form, (n, v)| form.text(n, v));
                asking.multipart(form.part(name, part)).timeout(DIGEST)
            }
            Body::Stream { from, bytes, way } => return self.send(asking, from, bytes, way),
        };
        self.heard(block::until(&|| self.stop.check(), read(asking))?)
    }

    fn heard(&self, answer: reqwest::Result<Reply>) -> Result<Reply> {
        let reply = answer.map_err(|e| self.silent(e))?;
        Ok(Reply { opened_by: self.opened_by.clone(), ..reply })
    }

    /// The same with an account's access token; one that is refused is renewed, and it is asked once more.
    pub(super) fn ask_as(
        &self,
        account: &Account,
        request: &mut dyn FnMut() -> Result<Request<'static>>,
    ) -> Result<Reply> {
        let token = account.token()?;
        let bearer = |token: &Secret| format!("Bearer {}", token.expose());
        let reply = self.ask(request()?.header("authorization", bearer(&token)))?;
        if reply.status != 401 {
            return Ok(reply);
        }
        let fresh = account.renew(&token)?;
        match fresh == token {
            true => Ok(reply),
            false => self.ask(request()?.header("authorization", bearer(&fresh))),
        }
    }

    /// The same with a body that is read while it is sent: a thread of the runtime sends, this one reads.
    fn send(
        &self,
        asking: reqwest::RequestBuilder,
        mut from: Box<dyn Read + Send>,
        bytes: u64,
        way: &mut dyn Way,
    ) -> Result<Reply> {
        let (give, take) = tokio::sync::mpsc::channel::<std::io::Result<Vec<u8>>>(WAITING);
        let pieces = futures_util::stream::unfold(take, |mut take| async move { Some((take.recv().await?, take)) });
        let asking = asking.header("content-length", bytes).body(reqwest::Body::wrap_stream(pieces));
        let mut asked = block::spawn(read(asking))?;
        let check = || self.stop.check();
        let mut left = bytes;
        let outcome = loop {
            if left == 0 {
                break Ok(());
            }
            let mut piece = vec![0; PIECE.min(left as usize)];
            if let Err(e) = from.read_exact(&mut piece) {
                break Err(crate::error::io("cannot read what is to be sent", e));
            }
            let sent = piece.len() as u64;
            match block::until(&check, give.send(Ok(piece))) {
                Ok(Ok(())) => {}
                // Who does not take it any more has answered, or gone: the answer says which.
                Ok(Err(_)) => break Ok(()),
                Err(e) => break Err(e),
            }
            left -= sent;
            if let Err(e) = way.moved(sent) {
                break Err(e);
            }
        };
        if let Err(e) = outcome {
            // The body stays short of what was announced, so that what arrived cannot be taken for the whole.
            asked.abort();
            return Err(e);
        }
        drop(give);
        let lost = |e| Error::unavailable(format!("{} was not asked to the end", self.place)).because(e);
        match block::until(&check, &mut asked) {
            Ok(answer) => self.heard(answer.map_err(lost)?),
            Err(e) => {
                asked.abort();
                Err(e)
            }
        }
    }

    fn silent(&self, e: reqwest::Error) -> Error {
        let told = if e.is_connect() {
            format!("{} cannot be reached", self.place)
        } else if e.is_timeout() {
            format!("{} does not answer", self.place)
        } else {
            format!("the connection to {} broke", self.place)
        };
        Error::unavailable(told).because(e.without_url())
    }
}

async fn read(asking: reqwest::RequestBuilder) -> reqwest::Result<Reply> {
    let answer = asking.send().await?;
    let status = answer.status().as_u16();
    let text = |(name, value): (&reqwest::header::HeaderName, &reqwest::header::HeaderValue)| {
        Some((name.as_str().to_owned(), value.to_str().ok()?.to_owned()))
    };
    let headers = answer.headers().iter().filter_map(text).collect();
    let mut body = Vec::new();
    let mut pieces = answer.bytes_stream();
    while let Some(piece) = pieces.next().await {
        let piece = piece?;
        if body.len() + piece.len() > LONGEST {
            // Nobody's answer is that long: it is taken for a gateway's.
            return Ok(Reply { status: 502, headers: Vec::new(), body: Vec::new(), opened_by: None });
        }
        body.extend_from_slice(&piece);
    }
    Ok(Reply { status, headers, body, opened_by: None })
}

/// An endpoint as configured, or the platform's own: without a slash at its end.
///
/// Errors: `Invalid` for one that sends secrets in the clear.
pub(super) fn endpoint(configured: Option<&str>, own: &str) -> Result<String> {
    let Some(text) = configured else { return Ok(own.to_owned()) };
    let url = reqwest::Url::parse(text).map_err(|_| Error::invalid("an endpoint that is no address"))?;
    let is_here = matches!(url.host_str(), Some("127.0.0.1" | "localhost" | "[::1]"));
    match url.scheme() {
        "https" => Ok(()),
        "http" if is_here => Ok(()),
        _ => {
            Err(Error::invalid("an endpoint that is not encrypted").hint("expected https://…, or http:// on loopback"))
        }
    }?;
    Ok(text.trim_end_matches('/').to_owned())
}

/// An address that a place has given, when it is the place's own: on the endpoint's host, or below one of these names.
///
/// Errors: `Invalid` for any other, which would be told secrets.
pub(super) fn own_address(given: &str, endpoint: &str, below: &[&str]) -> Result<String> {
    let wrong = || Error::invalid("the place gave an address that is not its own");
    let (url, own) =
        (reqwest::Url::parse(given).map_err(|_| wrong())?, reqwest::Url::parse(endpoint).map_err(|_| wrong())?);
    let host = url.host_str().unwrap_or_default();
    let is_same = (url.scheme(), url.host_str(), url.port()) == (own.scheme(), own.host_str(), own.port());
    let is_below = url.scheme() == "https" && below.iter().any(|b| host == *b || host.ends_with(&format!(".{b}")));
    if is_same || is_below { Ok(given.to_owned()) } else { Err(wrong()) }
}
