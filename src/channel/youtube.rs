//! YouTube, by its Data API v3: a resumable upload, then the thumbnail and the subtitles, then its processing.
//!
//! The upload's session knows what of it is there, and after its end which video it became; so a lost reply is asked for
//! again. When the session has run out, the account's latest uploads are looked through for the publication's marker, which
//! is one of the video's keywords.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use super::{
    Account, Channel, Fate, Item, Package, Retracted, Sent, Standing, Way,
    google::{Google, Progress, related},
    http::{Request, endpoint},
    piece,
};
use crate::{
    error::{Error, Result},
    model::{Receipt, Words, job::Failure},
    profile::channels::Web,
};

const OWN: &str = "https://www.googleapis.com";
/// How soon its processing is asked for again.
const SOON: Duration = Duration::from_secs(20);
/// Uploads that are looked through for a marker.
const LATEST: &str = "50";

/// A YouTube channel.
pub(super) struct Youtube {
    google: Google,
    endpoint: String,
}

/// How far it has come.
#[derive(Serialize, Deserialize)]
struct Session {
    /// The upload's address, which is all that is needed to go on with it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    upload: Option<String>,
    /// The video that it became.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    video: Option<String>,
    /// How many of the thumbnail and the subtitles are there.
    #[serde(default)]
    extras: usize,
    /// What of these it did not take, and why.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    refused: Vec<String>,
}

impl Session {
    fn read(value: &Value) -> Result<Self> {
        Self::deserialize(value).map_err(|e| Error::internal("an upload's notes cannot be read").because(e))
    }

    fn write(&self) -> Value {
        json!(self)
    }
}

impl Youtube {
    pub(super) fn new(web: &Web, account: Account) -> Result<Self> {
        Ok(Self { google: Google::new(account)?, endpoint: endpoint(web.endpoint.as_deref(), OWN)? })
    }

    /// Begins an upload; its address.
    fn begin(&self, package: &Package<'_>, item: &Item) -> Result<String> {
        let query = [("uploadType", "resumable"), ("part", "snippet,status")];
        self.google.begin(&self.upload_api("videos"), &query, &metadata(&package.words, &package.marker), item)
    }

    fn api(&self, path: &str) -> String {
        format!("{}/youtube/v3/{path}", self.endpoint)
    }

    fn upload_api(&self, path: &str) -> String {
        format!("{}/upload/youtube/v3/{path}", self.endpoint)
    }

    /// Thumbnail and subtitles, each of which may be asked for twice.
    fn extras(&self, package: &Package<'_>, session: &mut Session, way: &mut dyn Way) -> Result<()> {
        let Some(video) = session.video.clone() else { return Ok(()) };
        let all: Vec<&Item> = package.thumbnail.iter().chain(&package.captions).collect();
        for (at, item) in all.into_iter().enumerate().skip(session.extras) {
            let bytes = piece(package.source, item, 0, item.bytes)?;
            let reply = match &item.language {
                None => self.google.ask(|| {
                    Ok(Request::post(self.upload_api("thumbnails/set"))
                        .query(&[("videoId", &video), ("uploadType", "media")])
                        .bytes(&item.mime, bytes.clone()))
                })?,
                Some(language) => {
                    let (kind, body) = related(&captions(&video, language), &item.mime, &bytes);
                    self.google.ask(|| {
                        Ok(Request::post(self.upload_api("captions"))
                            .query(&[("part", "snippet"), ("uploadType", "multipart")])
                            .bytes(&kind, body.clone()))
                    })?
                }
            };
            // Subtitles of that language are there: an earlier attempt's.
            if reply.status != 409
                && let Err(e) = reply.accepted(self.google.place())
            {
                if e.kind().is_retryable() {
                    return Err(e);
                }
                // The video is there, and is published without it: that is kept with the receipt.
                session.refused.push(format!("{}: {}", item.name, e.one_line()));
            }
            way.moved(item.bytes)?;
            session.extras = at + 1;
            way.keep(&session.write())?;
        }
        Ok(())
    }

    /// How a video fares.
    fn look(&self, video: &str) -> Result<Option<Value>> {
        let reply = self.google.ask(|| {
            Ok(Request::get(self.api("videos")).query(&[("part", "status,processingDetails,snippet"), ("id", video)]))
        })?;
        Ok(reply.accepted(self.google.place())?.json().pointer("/items/0").cloned())
    }

    /// The latest upload of the account with this marker.
    fn marked(&self, marker: &str) -> Result<Option<String>> {
        let reply = self
            .google
            .ask(|| Ok(Request::get(self.api("channels")).query(&[("part", "contentDetails"), ("mine", "true")])))?;
        let list = reply.accepted(self.google.place())?.text("/items/0/contentDetails/relatedPlaylists/uploads");
        let Some(list) = list else { return Ok(None) };
        let reply = self.google.ask(|| {
            Ok(Request::get(self.api("playlistItems")).query(&[
                ("part", "contentDetails"),
                ("playlistId", &list),
                ("maxResults", LATEST),
            ]))
        })?;
        let items = reply.accepted(self.google.place())?.json();
        let ids: Vec<&str> = items["items"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|i| i.pointer("/contentDetails/videoId")?.as_str())
            .collect();
        if ids.is_empty() {
            return Ok(None);
        }
        let ids = ids.join(",");
        let reply =
            self.google.ask(|| Ok(Request::get(self.api("videos")).query(&[("part", "snippet"), ("id", &ids)])))?;
        let videos = reply.accepted(self.google.place())?.json();
        let is_marked = |video: &&Value| {
            video
                .pointer("/snippet/tags")
                .and_then(Value::as_array)
                .is_some_and(|tags| tags.iter().any(|t| t == marker))
        };
        let found = videos["items"].as_array().into_iter().flatten().find(is_marked);
        Ok(found.and_then(|video| video["id"].as_str()).map(str::to_owned))
    }

    fn fate_of(&self, package: &Package<'_>, mut session: Session, video: &str) -> Result<Fate> {
        let extras = package.thumbnail.iter().count() + package.captions.len();
        if session.extras < extras {
            session.video = Some(video.to_owned());
            return Ok(Fate::Resumable(session.write()));
        }
        let Some(found) = self.look(video)? else {
            return Ok(Fate::Unknown(format!("it said that this is video {video}, and has none of that name")));
        };
        let place = self.google.place();
        match found.pointer("/status/uploadStatus").and_then(Value::as_str) {
            Some("processed") => Ok(Fate::Published(receipt(video, &found, &session.refused))),
            Some("failed") => Ok(Fate::Failed(Failure::from(&rejected(
                place,
                "could not be processed",
                &found,
                "/status/failureReason",
            )))),
            Some("rejected") => {
                Ok(Fate::Failed(Failure::from(&rejected(place, "was rejected", &found, "/status/rejectionReason"))))
            }
            Some("deleted") => {
                Ok(Fate::Failed(Failure::from(&Error::invalid(format!("{place}: the video was deleted there")))))
            }
            _ => Ok(Fate::Processing(session.write(), SOON)),
        }
    }
}

impl Channel for Youtube {
    fn standing(&self) -> Result<Standing> {
        let reply = self
            .google
            .ask(|| Ok(Request::get(self.api("channels")).query(&[("part", "snippet"), ("mine", "true")])))?;
        let name = reply.accepted(self.google.place())?.text("/items/0/snippet/title");
        match name {
            Some(name) => Ok(Standing { name: Some(name), ..Standing::default() }),
            None => Err(Error::invalid(format!("{}: this Google account has no YouTube channel", self.google.place()))),
        }
    }

    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let Some(item) = package.media.first() else { return Err(Error::internal("a package without media")) };
        let mut session = match session {
            Some(session) => Session::read(session)?,
            None => Session { upload: None, video: None, extras: 0, refused: Vec::new() },
        };
        if session.video.is_none() {
            let (address, at) = match &session.upload {
                Some(address) => (address.clone(), self.google.asked(address, item.bytes)?),
                None => {
                    let address = self.begin(package, item)?;
                    session.upload = Some(address.clone());
                    way.keep(&session.write())?;
                    (address, Progress::Has(0))
                }
            };
            let video = match at {
                Progress::Done(video) => video,
                Progress::Has(at) => self.google.upload(package, item, (&address, at), &session.write(), way)?,
                Progress::Gone => {
                    return Err(Error::unavailable(format!("{} has ended the upload", self.google.place())));
                }
            };
            session.video = Some(video);
            way.keep(&session.write())?;
        }
        self.extras(package, &mut session, way)?;
        Ok(Sent::Processing(session.write(), Duration::from_secs(2)))
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        let session = Session::read(session)?;
        if let Some(video) = session.video.clone() {
            return self.fate_of(package, session, &video);
        }
        let (Some(address), Some(item)) = (&session.upload, package.media.first()) else { return Ok(Fate::Absent) };
        match self.google.asked(address, item.bytes)? {
            Progress::Done(video) => self.fate_of(package, session, &video),
            Progress::Has(_) => Ok(Fate::Resumable(session.write())),
            Progress::Gone => match self.marked(&package.marker)? {
                Some(video) => self.fate_of(package, session, &video),
                None => Ok(Fate::Absent),
            },
        }
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        let reply = self.google.ask(|| Ok(Request::new("DELETE", self.api("videos")).query(&[("id", &receipt.id)])))?;
        match reply.status {
            404 => Ok(Retracted::Absent),
            _ => reply.accepted(self.google.place()).map(|reply| Retracted::Gone(json!({"status": reply.status}))),
        }
    }
}

fn metadata(words: &Words, marker: &str) -> Value {
    let mut tags = words.tags.clone();
    tags.push(marker.to_owned());
    let mut snippet = json!({"title": words.title, "description": words.description, "tags": tags});
    if let Some(category) = &words.category {
        snippet["categoryId"] = category.as_str().into();
    }
    if let Some(language) = &words.language {
        snippet["defaultLanguage"] = language.as_str().into();
        snippet["defaultAudioLanguage"] = language.as_str().into();
    }
    let privacy = words.privacy.as_deref().unwrap_or("private");
    json!({"snippet": snippet, "status": {"privacyStatus": privacy, "selfDeclaredMadeForKids": false}})
}

fn captions(video: &str, language: &str) -> Value {
    json!({"snippet": {"videoId": video, "language": language, "name": "", "isDraft": false}})
}

fn receipt(video: &str, found: &Value, refused: &[String]) -> Receipt {
    Receipt {
        id: video.to_owned(),
        url: Some(format!("https://www.youtube.com/watch?v={video}")),
        proof: json!({"status": found["status"], "without": refused}),
    }
}

fn rejected(place: &str, what: &str, found: &Value, pointer: &str) -> Error {
    let reason = found.pointer(pointer).and_then(Value::as_str).unwrap_or("no reason given");
    Error::invalid(format!("{place}: the video {what}: {reason}")).code(reason)
}
