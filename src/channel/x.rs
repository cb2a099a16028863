//! X, by its API v2: the media's beginning, its pieces, its end, its processing; then the post. The media is told by its id,
//! which the post carries: so a lost reply is answered by the account's latest posts.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Account, Channel, Fate, Package, Retracted, Sent, Standing, Way,
    http::{Http, Reply, Request, endpoint},
    piece,
};
use crate::{
    error::{Error, Result},
    model::{Receipt, Words, job::Failure},
    profile::channels::Web,
};

const OWN: &str = "https://api.x.com";
/// Bytes of a piece: X takes 5 MB at most.
const PIECE: u64 = 4 << 20;
/// When a post that is not listed is looked for again. What is not listed then may be listed later, so nobody knows.
const LATER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(8)];
/// Posts that are looked through.
const LATEST: &str = "50";

/// An account of X.
pub(super) struct X {
    http: Http,
    account: Account,
    endpoint: String,
}

/// How far it has come.
#[derive(Serialize, Deserialize)]
struct Session {
    media: String,
    /// Pieces that are there.
    pieces: u64,
    /// Whether all of it was said to be there.
    is_whole: bool,
    /// Whether the post may be there.
    is_posting: bool,
    /// How often it was looked for since.
    #[serde(default)]
    looks: u32,
}

impl Session {
    fn read(value: &Value) -> Result<Self> {
        Self::deserialize(value).map_err(|e| Error::internal("an upload's notes cannot be read").because(e))
    }
}

/// How the media fares.
enum Media {
    Ready,
    Working(Duration),
    Failed(Error),
    Gone,
}

impl X {
    pub(super) fn new(web: &Web, account: Account) -> Result<Self> {
        Ok(Self { http: Http::new(&account)?, account, endpoint: endpoint(web.endpoint.as_deref(), OWN)? })
    }

    fn ask(&self, mut request: impl FnMut() -> Result<Request<'static>>) -> Result<Reply> {
        let reply = self.http.ask_as(&self.account, &mut request)?;
        // When the window ends, as seconds since 1970; the server's own clock says how far away that is.
        let reset = reply.header("x-rate-limit-reset").and_then(|t| t.parse::<i64>().ok());
        let now =
            reply.header("date").and_then(|d| jiff::fmt::rfc2822::parse(d).ok()).map(|z| z.timestamp().as_second());
        match (reply.status, reset, now) {
            (429, Some(reset), Some(now)) => {
                Err(reply.refusal(self.http.place()).after(Duration::from_secs((reset - now).clamp(1, 86_400) as u64)))
            }
            _ => Ok(reply),
        }
    }

    fn api(&self, path: &str) -> String {
        format!("{}/2/{path}", self.endpoint)
    }

    fn media(&self, id: &str) -> Result<Media> {
        let reply =
            self.ask(|| Ok(Request::get(self.api("media/upload")).query(&[("media_id", id), ("command", "STATUS")])))?;
        if matches!(reply.status, 400 | 404) {
            return Ok(Media::Gone);
        }
        self.processed(&reply.accepted(self.http.place())?.json())
    }

    fn processed(&self, json: &Value) -> Result<Media> {
        let Some(info) = json.pointer("/data/processing_info").filter(|i| !i.is_null()) else {
            return Ok(Media::Ready);
        };
        match info["state"].as_str() {
            Some("succeeded") => Ok(Media::Ready),
            Some("failed") => {
                let place = self.http.place();
                let why = info.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason given");
                Ok(Media::Failed(Error::invalid(format!("{place}: the video could not be processed: {why}"))))
            }
            _ => Ok(Media::Working(Duration::from_secs(info["check_after_secs"].as_u64().unwrap_or(5).clamp(1, 60)))),
        }
    }

    fn me(&self) -> Result<(String, String)> {
        let reply = self.ask(|| Ok(Request::get(self.api("users/me"))))?.accepted(self.http.place())?;
        match (reply.text("/data/id"), reply.text("/data/username")) {
            (Some(id), Some(name)) => Ok((id, name)),
            _ => Err(Error::unavailable(format!("{} does not say whose account it is", self.http.place()))),
        }
    }

    /// The account's post with this media.
    fn posted(&self, media: &str) -> Result<Option<Receipt>> {
        let (id, name) = self.me()?;
        let reply = self.ask(|| {
            Ok(Request::get(self.api(&format!("users/{id}/tweets")))
                .query(&[("max_results", LATEST), ("tweet.fields", "attachments,created_at")]))
        })?;
        let json = reply.accepted(self.http.place())?.json();
        // A key is the media's kind, `_`, and its id.
        let end = format!("_{media}");
        let carries = |post: &&Value| {
            let keys = post.pointer("/attachments/media_keys").and_then(Value::as_array);
            keys.into_iter().flatten().any(|key| key.as_str().is_some_and(|key| key.ends_with(&end)))
        };
        let found = json["data"].as_array().into_iter().flatten().find(carries);
        Ok(found.and_then(|post| post["id"].as_str()).map(|post| receipt(&name, post)))
    }
}

fn receipt(name: &str, post: &str) -> Receipt {
    Receipt { id: post.to_owned(), url: Some(format!("https://x.com/{name}/status/{post}")), proof: Value::Null }
}

fn text(words: &Words) -> String {
    if words.description.is_empty() { words.title.clone() } else { words.description.clone() }
}

impl Channel for X {
    fn standing(&self) -> Result<Standing> {
        Ok(Standing { name: Some(self.me()?.1), ..Standing::default() })
    }

    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let Some(item) = package.media.first() else { return Err(Error::internal("a package without media")) };
        let place = self.http.place();
        let category = if item.mime.starts_with("image/") { "tweet_image" } else { "tweet_video" };
        let mut session = match session {
            Some(session) => Session::read(session)?,
            None => {
                let body = json!({"media_type": item.mime, "total_bytes": item.bytes, "media_category": category});
                let reply = self.ask(|| Ok(Request::post(self.api("media/upload/initialize")).json(&body)))?;
                let id = reply.accepted(place)?.text("/data/id");
                let media = id.ok_or_else(|| Error::unavailable(format!("{place} gave the media no name")))?;
                Session { media, pieces: 0, is_whole: false, is_posting: false, looks: 0 }
            }
        };
        way.keep(&json!(session))?;
        while session.pieces * PIECE < item.bytes {
            let at = session.pieces * PIECE;
            let bytes = piece(package.source, item, at, PIECE)?;
            let (sent, index) = (bytes.len() as u64, session.pieces.to_string());
            let url = self.api(&format!("media/upload/{}/append", session.media));
            let reply = self.ask(|| {
                Ok(Request::post(&url).parts(&[("segment_index", &index)], "media", "piece", &item.mime, bytes.clone()))
            })?;
            if matches!(reply.status, 400 | 404) {
                return Err(
                    Error::unavailable(format!("{place} has ended the upload")).code(format!("HTTP {}", reply.status))
                );
            }
            reply.accepted(place)?;
            session.pieces += 1;
            way.moved(sent)?;
            way.keep(&json!(session))?;
        }
        if !session.is_whole {
            let url = self.api(&format!("media/upload/{}/finalize", session.media));
            let reply = self.ask(|| Ok(Request::post(&url)))?.accepted(place)?;
            session.is_whole = true;
            way.keep(&json!(session))?;
            match self.processed(&reply.json())? {
                Media::Working(wait) => return Ok(Sent::Processing(json!(session), wait)),
                Media::Failed(e) => return Err(e),
                Media::Ready | Media::Gone => {}
            }
        }
        let name = self.me()?.1;
        session.is_posting = true;
        way.posting(&json!(session))?;
        let body = json!({"text": text(&package.words), "media": {"media_ids": [session.media]}});
        let reply = self.ask(|| Ok(Request::post(self.api("tweets")).json(&body)))?.accepted(place)?;
        let post = reply
            .text("/data/id")
            .ok_or_else(|| Error::unavailable(format!("{place} did not say which post it is")))?;
        Ok(Sent::Published(receipt(&name, &post)))
    }

    fn find(&self, _: &Package<'_>, session: &Value) -> Result<Fate> {
        let mut session = Session::read(session)?;
        if session.is_posting {
            if let Some(receipt) = self.posted(&session.media)? {
                return Ok(Fate::Published(receipt));
            }
            // What was posted just now may not be listed yet.
            return Ok(match LATER.get(session.looks as usize) {
                Some(later) => {
                    session.looks += 1;
                    Fate::Processing(json!(session), *later)
                }
                None => {
                    Fate::Unknown(format!("{} lists no post with this media, and may do so later", self.http.place()))
                }
            });
        }
        if !session.is_whole {
            // Pieces are sent again if the last one may have been lost; the same number takes the same place.
            return Ok(Fate::Resumable(json!(session)));
        }
        Ok(match self.media(&session.media)? {
            Media::Ready => Fate::Resumable(json!(session)),
            Media::Working(wait) => Fate::Processing(json!(session), wait),
            Media::Failed(e) => Fate::Failed(Failure::from(&e)),
            Media::Gone => Fate::Absent,
        })
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        let reply = self.ask(|| Ok(Request::new("DELETE", self.api(&format!("tweets/{}", receipt.id)))))?;
        match reply.status {
            404 => Ok(Retracted::Absent),
            _ => Ok(Retracted::Gone(reply.accepted(self.http.place())?.json()["data"].clone())),
        }
    }
}
