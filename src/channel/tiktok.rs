//! TikTok, by its Content Posting API: what the creator may do, the beginning, the pieces, the processing. A post is told by
//! its `publish_id`, which is known before the first byte is sent; so a lost reply is asked for again.

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

const OWN: &str = "https://open.tiktokapis.com";
/// Bytes of a piece; the last one takes what is left, which is less than twice this. TikTok's own bounds are 5 MB to 64 MB,
/// and 128 MB for the last.
const PIECE: u64 = 10 << 20;
/// The smallest file that is sent in more than one piece.
const SMALL: u64 = 2 * PIECE;
/// How soon it is asked how it fares, at first and after that.
const FIRST: Duration = Duration::from_secs(2);
const SOON: Duration = Duration::from_secs(5);

/// A TikTok account.
pub(super) struct Tiktok {
    http: Http,
    account: Account,
    endpoint: String,
}

/// How far it has come.
#[derive(Serialize, Deserialize)]
struct Session {
    publish: String,
    upload: String,
    /// Bytes that are there.
    sent: u64,
    /// Whether the last piece may have arrived.
    is_last: bool,
}

impl Session {
    fn read(value: &Value) -> Result<Self> {
        Self::deserialize(value).map_err(|e| Error::internal("an upload's notes cannot be read").because(e))
    }
}

impl Tiktok {
    pub(super) fn new(web: &Web, account: Account) -> Result<Self> {
        Ok(Self { http: Http::new(&account)?, account, endpoint: endpoint(web.endpoint.as_deref(), OWN)? })
    }

    /// Asks the API: its `data`. What its own codes mean stands before what their statuses do.
    fn ask(&self, path: &str, body: &Value) -> Result<Value> {
        let url = format!("{}/v2/post/publish/{path}/", self.endpoint);
        let reply = self.http.ask_as(&self.account, &mut || Ok(Request::post(&url).json(body)))?;
        let code = reply.text("/error/code").unwrap_or_default();
        if reply.status == 200 && code == "ok" {
            return Ok(reply.json()["data"].clone());
        }
        Err(self.refusal(&reply, &code))
    }

    fn refusal(&self, reply: &Reply, code: &str) -> Error {
        let place = self.http.place();
        let e = match code {
            "access_token_invalid" | "access_token_expired" => {
                Error::invalid("TikTok session expired: reconnect the account")
                    .hint(format!("damctl channel login {place}"))
            }
            "scope_not_authorized" => Error::invalid("TikTok was not given the right to post for this account")
                .hint(format!("log in again and allow it: damctl channel login {place}")),
            "spam_risk_too_many_posts" | "spam_risk_user_banned_from_posting" | "reached_active_user_cap" => {
                Error::unavailable("TikTok takes no more posts of this account today").after(Duration::from_secs(3600))
            }
            "spam_risk_too_many_pending_share" => {
                Error::unavailable("TikTok has five posts of this account at work").after(Duration::from_secs(300))
            }
            "rate_limit_exceeded" => Error::unavailable("TikTok asks for fewer requests")
                .after(reply.wait().unwrap_or(Duration::from_secs(60))),
            "unaudited_client_can_only_post_to_private_accounts" => {
                Error::invalid("TikTok has not audited this app: it posts with SELF_ONLY to private accounts alone")
                    .hint("'text: { privacy: SELF_ONLY }' in channels.yaml")
            }
            "privacy_level_option_mismatch" => Error::invalid("this account does not offer that privacy")
                .hint("'damctl channel check' tells which it does"),
            _ => return reply.refusal(place),
        };
        e.code(format!("HTTP {} {code}", reply.status))
    }

    /// What became of a post.
    fn fate(&self, mut session: Session, bytes: u64) -> Result<Fate> {
        let asked = self.ask("status/fetch", &json!({"publish_id": session.publish}));
        let data = match asked {
            Ok(data) => data,
            Err(e) if e.code_text().is_some_and(|c| c.contains("invalid_publish_id")) => {
                return Ok(match session.is_last {
                    true => Fate::Unknown("TikTok knows nothing of this post any more".to_owned()),
                    false => Fate::Absent,
                });
            }
            Err(e) => return Err(e),
        };
        match data["status"].as_str() {
            Some("PUBLISH_COMPLETE") => {
                // Spelled so by TikTok.
                let posts = data["publicaly_available_post_id"].as_array().cloned().unwrap_or_default();
                let post = posts.first().map(|p| p.as_str().map_or_else(|| p.to_string(), str::to_owned));
                Ok(Fate::Published(Receipt { id: post.unwrap_or(session.publish), url: None, proof: data }))
            }
            Some("FAILED") => {
                let reason = data["fail_reason"].as_str().unwrap_or("no reason given");
                let e = Error::invalid(format!("TikTok could not publish it: {}", reason.replace('_', " ")));
                Ok(Fate::Failed(Failure::from(&e.code(reason))))
            }
            Some("PROCESSING_UPLOAD") => {
                let there = data["uploaded_bytes"].as_u64().unwrap_or(session.sent);
                if there >= bytes {
                    return Ok(Fate::Processing(json!(session), SOON));
                }
                // Pieces are whole or not there.
                session.sent =
                    if there >= PIECE * (bytes / PIECE) { PIECE * (bytes / PIECE) } else { there / PIECE * PIECE };
                session.is_last = false;
                Ok(Fate::Resumable(json!(session)))
            }
            _ => Ok(Fate::Processing(json!(session), SOON)),
        }
    }
}

/// The pieces of a file: how large each is, and how many there are.
fn pieces(bytes: u64) -> (u64, u64) {
    if bytes < SMALL { (bytes, 1) } else { (PIECE, bytes / PIECE) }
}

impl Channel for Tiktok {
    fn standing(&self) -> Result<Standing> {
        let data = self.ask("creator_info/query", &json!({}))?;
        let privacy = data["privacy_level_options"].as_array().into_iter().flatten();
        Ok(Standing {
            name: data["creator_username"].as_str().map(str::to_owned),
            longest_ms: data["max_video_post_duration_sec"].as_u64().map(|s| s * 1000),
            privacy: privacy.filter_map(|p| p.as_str().map(str::to_owned)).collect(),
        })
    }

    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let Some(item) = package.media.first() else { return Err(Error::internal("a package without media")) };
        let (size, count) = pieces(item.bytes);
        let mut session = match session {
            Some(session) => Session::read(session)?,
            None => {
                let body = json!({
                    "post_info": post(&package.words),
                    "source_info": {"source": "FILE_UPLOAD", "video_size": item.bytes, "chunk_size": size,
                        "total_chunk_count": count},
                });
                let data = self.ask("video/init", &body)?;
                let text = |name: &str| data[name].as_str().map(str::to_owned);
                let (Some(publish), Some(upload)) = (text("publish_id"), text("upload_url")) else {
                    return Err(Error::unavailable("TikTok gave no address to upload to"));
                };
                Session { publish, upload, sent: 0, is_last: false }
            }
        };
        way.keep(&json!(session))?;
        while session.sent < item.bytes {
            let (at, index) = (session.sent, session.sent / size);
            let end = if index + 1 >= count { item.bytes } else { at + size };
            let bytes = piece(package.source, item, at, end - at)?;
            if end == item.bytes {
                session.is_last = true;
                way.posting(&json!(session))?;
            }
            let range = format!("bytes {at}-{}/{}", end - 1, item.bytes);
            let reply =
                self.http.ask(Request::put(&session.upload).header("content-range", range).bytes(&item.mime, bytes))?;
            match reply.status {
                201 | 206 | 200 => {}
                403 | 404 | 410 => {
                    return Err(Error::unavailable("TikTok has ended the upload: it takes an hour at most"));
                }
                _ => return Err(reply.refusal(self.http.place())),
            }
            session.sent = end;
            way.moved(end - at)?;
            way.keep(&json!(session))?;
        }
        Ok(Sent::Processing(json!(session), FIRST))
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        let bytes = package.media.first().map_or(0, |item| item.bytes);
        let session = Session::read(session)?;
        match self.fate(session, bytes)? {
            // An address that has run out takes nothing more: it begins again, for nothing was published.
            Fate::Resumable(session) => {
                let asked = Session::read(&session)?;
                let probe = self.http.ask(Request::get(&asked.upload))?;
                Ok(if matches!(probe.status, 403 | 404 | 410) { Fate::Absent } else { Fate::Resumable(session) })
            }
            other => Ok(other),
        }
    }

    fn retract(&self, _: &Receipt) -> Result<Retracted> {
        Err(Error::unsupported("TikTok lets no program remove a post").hint("remove it in TikTok's app"))
    }
}

fn post(words: &Words) -> Value {
    let tags: Vec<String> = words.tags.iter().map(|tag| format!("#{}", tag.replace(' ', ""))).collect();
    let title =
        [words.title.clone(), tags.join(" ")].into_iter().filter(|t| !t.is_empty()).collect::<Vec<_>>().join(" ");
    let title: String = title.chars().take(2200).collect();
    json!({"title": title, "privacy_level": words.privacy.as_deref().unwrap_or("SELF_ONLY"), "disable_duet": false,
        "disable_comment": false, "disable_stitch": false})
}
