//! A Facebook page, by the Graph API: videos in the pieces that it asks for, reels at an offset, pictures in a post. Each is
//! told by its id before it is published, so a lost reply is asked for again.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Account, Channel, Fate, Item, Package, Retracted, Sent, Standing, Way,
    http::{Request, endpoint, own_address},
    meta::Graph,
    piece,
};
use crate::{
    error::{Error, Result},
    model::{Receipt, job::Failure},
    profile::channels::{Form, Page},
};

const OWN: &str = "https://graph.facebook.com";
/// Where videos go.
const OWN_VIDEO: &str = "https://graph-video.facebook.com";
/// The most that is sent at a time, whatever it asks for.
const PIECE: u64 = 16 << 20;
/// How soon it is asked how it fares, at first and after that.
const FIRST: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(10);
/// When a post that is not listed is looked for again. What is not listed then may be listed later, so nobody knows.
const LATER: [Duration; 2] = [Duration::from_secs(2), Duration::from_secs(8)];

/// A page.
pub(super) struct Facebook {
    graph: Graph,
    video: Graph,
    page: String,
    form: Form,
}

/// How far it has come.
#[derive(Clone, Default, Serialize, Deserialize)]
struct Session {
    /// What it is called, from the beginning on.
    id: String,
    /// The upload's name, or its address.
    upload: String,
    /// Bytes that are there.
    sent: u64,
    /// Whether it was said to be whole.
    is_finished: bool,
    /// How often it was looked for since.
    #[serde(default)]
    looks: u32,
}

impl Session {
    fn read(value: &Value) -> Result<Self> {
        Self::deserialize(value).map_err(|e| Error::internal("an upload's notes cannot be read").because(e))
    }
}

impl Facebook {
    pub(super) fn new(page: &Page, account: Account) -> Result<Self> {
        let own = |own: &str| endpoint(page.endpoint.as_deref(), own);
        Ok(Self {
            graph: Graph::new(own(OWN)?, account.clone())?,
            video: Graph::new(own(OWN_VIDEO)?, account)?,
            page: page.id.clone(),
            form: page.form,
        })
    }

    fn begin(&self, item: &Item) -> Result<Session> {
        match self.form {
            Form::Reel => {
                let answer = self.graph.post(&format!("{}/video_reels", self.page), &[("upload_phase", "start")])?;
                let (id, upload) = (self.graph.told(&answer, "video_id")?, self.graph.told(&answer, "upload_url")?);
                let upload = own_address(&upload, &self.graph.url(""), &["facebook.com"])?;
                Ok(Session { id, upload, ..Session::default() })
            }
            Form::Video | Form::Picture => {
                let size = item.bytes.to_string();
                let fields = [("upload_phase", "start"), ("file_size", size.as_str())];
                let answer = self.video.post(&format!("{}/videos", self.page), &fields)?;
                let (id, upload) =
                    (self.graph.told(&answer, "video_id")?, self.graph.told(&answer, "upload_session_id")?);
                Ok(Session { id, upload, ..Session::default() })
            }
        }
    }

    /// Sends a piece of a video; where it wants to go on.
    fn transfer(&self, package: &Package<'_>, item: &Item, session: &Session) -> Result<u64> {
        let bytes = piece(package.source, item, session.sent, PIECE)?;
        let (at, url) = (session.sent.to_string(), self.video.url(&format!("{}/videos", self.page)));
        let fields =
            [("upload_phase", "transfer"), ("upload_session_id", session.upload.as_str()), ("start_offset", &at)];
        let reply = self.video.ask(|| {
            Ok(Request::post(&url).parts(&fields, "video_file_chunk", &item.name, &item.mime, bytes.clone()))
        })?;
        // It has other bytes than was thought, and says how many.
        let wanted = reply.text("/error/error_data/start_offset").or_else(|| reply.text("/start_offset"));
        match wanted.and_then(|at| at.parse().ok()) {
            Some(next) => Ok(next),
            None => Err(reply.accepted(self.graph.place()).err().unwrap_or_else(|| {
                Error::unavailable(format!("{} did not say how much of it is there", self.graph.place()))
            })),
        }
    }

    /// Sends what is left of a reel.
    fn stream(&self, package: &Package<'_>, item: &Item, session: &Session, way: &mut dyn Way) -> Result<()> {
        let from = package.source.open(&item.key, Some(session.sent..item.bytes))?;
        let request = Request::post(&session.upload)
            .header("authorization", format!("OAuth {}", self.graph.token()?.expose()))
            .header("offset", session.sent.to_string())
            .header("file_size", item.bytes.to_string())
            .stream("application/octet-stream", from, item.bytes - session.sent, way);
        self.graph.http.ask(request)?.accepted(self.graph.place()).map(drop)
    }

    fn finish(&self, package: &Package<'_>, session: &Session) -> Result<()> {
        let words = &package.words;
        let answer = match self.form {
            Form::Reel => self.graph.post(
                &format!("{}/video_reels", self.page),
                &[
                    ("upload_phase", "finish"),
                    ("video_id", &session.id),
                    ("video_state", "PUBLISHED"),
                    ("title", &words.title),
                    ("description", &words.description),
                ],
            )?,
            Form::Video | Form::Picture => self.video.post(
                &format!("{}/videos", self.page),
                &[
                    ("upload_phase", "finish"),
                    ("upload_session_id", &session.upload),
                    ("title", &words.title),
                    ("description", &words.description),
                ],
            )?,
        };
        match answer["success"].as_bool() {
            Some(true) => Ok(()),
            _ => Err(Error::invalid(format!("{} did not take the video", self.graph.place()))),
        }
    }

    /// A picture goes up unpublished, and then with a post.
    fn picture(&self, package: &Package<'_>, item: &Item, mut session: Session, way: &mut dyn Way) -> Result<Sent> {
        if session.id.is_empty() {
            let bytes = piece(package.source, item, 0, item.bytes)?;
            let url = self.graph.url(&format!("{}/photos", self.page));
            let reply = self.graph.ask(|| {
                Ok(Request::post(&url).parts(
                    &[("published", "false")],
                    "source",
                    &item.name,
                    &item.mime,
                    bytes.clone(),
                ))
            })?;
            session.id = self.graph.told(&reply.accepted(self.graph.place())?.json(), "id")?;
            way.moved(item.bytes)?;
            way.keep(&json!(session))?;
        }
        session.is_finished = true;
        way.posting(&json!(session))?;
        let (media, words) = (json!([{"media_fbid": session.id}]).to_string(), &package.words);
        let message = if words.description.is_empty() { &words.title } else { &words.description };
        let answer =
            self.graph.post(&format!("{}/feed", self.page), &[("message", message), ("attached_media", &media)])?;
        let id = self.graph.told(&answer, "id")?;
        Ok(Sent::Published(Receipt { url: Some(format!("https://www.facebook.com/{id}")), id, proof: Value::Null }))
    }

    /// The page's post with this picture.
    fn posted(&self, picture: &str) -> Result<Option<Receipt>> {
        let answer = self.graph.get(&format!("{}/feed", self.page), "id,permalink_url,attachments{target{id}}")?;
        let has = |post: &&Value| {
            let all = post.pointer("/attachments/data").and_then(Value::as_array);
            all.into_iter().flatten().any(|a| a.pointer("/target/id").and_then(Value::as_str) == Some(picture))
        };
        let found = answer["data"].as_array().into_iter().flatten().find(has);
        Ok(found.map(|post| Receipt {
            id: post["id"].as_str().unwrap_or_default().to_owned(),
            url: post["permalink_url"].as_str().map(str::to_owned),
            proof: Value::Null,
        }))
    }
}

impl Channel for Facebook {
    fn standing(&self) -> Result<Standing> {
        let answer = self.graph.get(&self.page, "name")?;
        Ok(Standing { name: answer["name"].as_str().map(str::to_owned), ..Standing::default() })
    }

    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let Some(item) = package.media.first() else { return Err(Error::internal("a package without media")) };
        let known = session.map(Session::read).transpose()?;
        if self.form == Form::Picture {
            return self.picture(package, item, known.unwrap_or_default(), way);
        }
        let mut session = match known {
            Some(session) => session,
            None => self.begin(item)?,
        };
        way.keep(&json!(session))?;
        if self.form == Form::Reel && session.sent < item.bytes {
            self.stream(package, item, &session, way)?;
            session.sent = item.bytes;
            way.keep(&json!(session))?;
        }
        let mut stuck = 0;
        while session.sent < item.bytes {
            let next = self.transfer(package, item, &session)?;
            way.moved(next.saturating_sub(session.sent))?;
            stuck = if next > session.sent { 0 } else { stuck + 1 };
            if stuck > 3 {
                return Err(Error::unavailable(format!("{} does not keep what it is sent", self.graph.place())));
            }
            session.sent = next;
            way.keep(&json!(session))?;
        }
        session.is_finished = true;
        way.posting(&json!(session))?;
        self.finish(package, &session)?;
        Ok(Sent::Processing(json!(session), FIRST))
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        let mut session = Session::read(session)?;
        if self.form == Form::Picture {
            let found = if session.is_finished { self.posted(&session.id)? } else { None };
            return Ok(match (found, LATER.get(session.looks as usize)) {
                (Some(receipt), _) => Fate::Published(receipt),
                (None, _) if !session.is_finished => Fate::Resumable(json!(session)),
                (None, Some(later)) => {
                    session.looks += 1;
                    Fate::Processing(json!(session), *later)
                }
                (None, None) => Fate::Unknown(format!(
                    "{} lists no post with this picture, and may do so later",
                    self.graph.place()
                )),
            });
        }
        let url = self.graph.url(&session.id);
        let reply = self.graph.ask(|| Ok(Request::get(&url).query(&[("fields", "status,permalink_url")])))?;
        if matches!(reply.status, 400 | 404) {
            return Ok(match session.is_finished {
                true => Fate::Unknown(format!("{} has no video {} any more", self.graph.place(), session.id)),
                false => Fate::Absent,
            });
        }
        let answer = reply.accepted(self.graph.place())?.json();
        let status = &answer["status"];
        let phase = |name: &str| status.pointer(&format!("/{name}/status")).and_then(Value::as_str).unwrap_or_default();
        for name in ["uploading_phase", "processing_phase", "publishing_phase"] {
            if phase(name) == "error" || status["video_status"] == "error" {
                let why = status.pointer(&format!("/{name}/error/message")).and_then(Value::as_str);
                let why = why.unwrap_or("no reason given");
                return Ok(Fate::Failed(Failure::from(&Error::invalid(format!(
                    "{}: the video failed there: {why}",
                    self.graph.place()
                )))));
            }
        }
        if phase("publishing_phase") == "complete" || status["video_status"] == "ready" {
            let url = answer["permalink_url"].as_str().map(|path| match path.starts_with('/') {
                true => format!("https://www.facebook.com{path}"),
                false => path.to_owned(),
            });
            return Ok(Fate::Published(Receipt { id: session.id, url, proof: status.clone() }));
        }
        let is_there = phase("uploading_phase") == "complete";
        if is_there && session.is_finished && phase("publishing_phase") != "not_started" {
            return Ok(Fate::Processing(json!(session), SOON));
        }
        let bytes = package.media.first().map_or(0, |item| item.bytes);
        let there = status.pointer("/uploading_phase/bytes_transfered").and_then(Value::as_u64);
        session.sent = if is_there { bytes } else { there.unwrap_or(session.sent).min(bytes) };
        session.is_finished = false;
        Ok(Fate::Resumable(json!(session)))
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        let url = self.graph.url(&receipt.id);
        let reply = self.graph.ask(|| Ok(Request::new("DELETE", &url)))?;
        match reply.status {
            404 => Ok(Retracted::Absent),
            _ => Ok(Retracted::Gone(reply.accepted(self.graph.place())?.json())),
        }
    }
}
