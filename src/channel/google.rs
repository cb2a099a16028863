//! What Google's places share: uploads that can be gone on with, and quotas that come back.

use std::time::Duration;

use serde_json::Value;

use super::{
    Account, Item, Package, Way,
    http::{Http, Reply, Request, own_address},
    piece,
};
use crate::error::{Error, Kind, Result};

/// Bytes of a piece: a multiple of 256 KiB, as the protocol wants.
const PIECE: u64 = 16 << 20;

/// An account of Google's.
pub(super) struct Google {
    pub(super) http: Http,
    account: Account,
}

/// What an upload's address says.
pub(super) enum Progress {
    /// All of it is there, and is called so.
    Done(String),
    /// So many bytes are there.
    Has(u64),
    /// Nobody knows of it any more.
    Gone,
}

impl Google {
    pub(super) fn new(account: Account) -> Result<Self> {
        Ok(Self { http: Http::new(&account)?, account })
    }

    pub(super) fn place(&self) -> &str {
        self.http.place()
    }

    pub(super) fn ask(&self, mut request: impl FnMut() -> Result<Request<'static>>) -> Result<Reply> {
        let reply = self.http.ask_as(&self.account, &mut request)?;
        // A quota that is used up is a 403 like a refusal, and heals by itself.
        let reason = reply.text("/error/errors/0/reason");
        match reason.as_deref() {
            Some("quotaExceeded" | "rateLimitExceeded" | "userRateLimitExceeded" | "uploadLimitExceeded") => {
                Err(Error::unavailable(format!("{}: the day's quota is used up", self.place()))
                    .code(format!("HTTP {} {}", reply.status, reason.unwrap_or_default()))
                    .after(Duration::from_secs(3600)))
            }
            _ => Ok(reply),
        }
    }

    /// Begins an upload to this address; its own.
    pub(super) fn begin(&self, url: &str, query: &[(&str, &str)], metadata: &Value, item: &Item) -> Result<String> {
        let reply = self.ask(|| {
            Ok(Request::post(url)
                .query(query)
                .header("x-upload-content-length", item.bytes.to_string())
                .header("x-upload-content-type", &item.mime)
                .json(metadata))
        })?;
        let reply = reply.accepted(self.place())?;
        let address = reply
            .header("location")
            .ok_or_else(|| Error::unavailable(format!("{} gave no address to upload to", self.place())))?;
        own_address(address, url, &["googleapis.com"])
    }

    /// How much of an upload is there.
    pub(super) fn asked(&self, address: &str, bytes: u64) -> Result<Progress> {
        let range = format!("bytes */{bytes}");
        let reply = self.ask(|| Ok(Request::put(address).header("content-range", &range)))?;
        self.progress(&reply)
    }

    /// Sends what is missing; the video.
    pub(super) fn upload(
        &self,
        package: &Package<'_>,
        item: &Item,
        (address, mut at): (&str, u64),
        session: &Value,
        way: &mut dyn Way,
    ) -> Result<String> {
        let mut stuck = 0;
        loop {
            let bytes = piece(package.source, item, at, PIECE)?;
            let end = at + bytes.len() as u64;
            if end == item.bytes {
                way.posting(session)?;
            }
            let range = format!("bytes {at}-{}/{}", end.saturating_sub(1), item.bytes);
            let sent = bytes.len() as u64;
            let reply = self
                .ask(|| Ok(Request::put(address).header("content-range", &range).bytes(&item.mime, bytes.clone())))?;
            match self.progress(&reply)? {
                Progress::Done(video) => {
                    way.moved(sent)?;
                    return Ok(video);
                }
                // It may have kept less than was sent.
                Progress::Has(there) if there > item.bytes => {
                    return Err(Error::new(Kind::Conflict, format!("{} has more than was sent", self.place())));
                }
                Progress::Has(there) => {
                    way.moved(there.saturating_sub(at))?;
                    stuck = if there > at { 0 } else { stuck + 1 };
                    if stuck > 3 {
                        return Err(Error::unavailable(format!("{} does not keep what it is sent", self.place())));
                    }
                    at = there;
                }
                Progress::Gone => {
                    return Err(Error::unavailable(format!("{} has ended the upload", self.place())));
                }
            }
        }
    }

    /// What an upload's address says.
    fn progress(&self, reply: &Reply) -> Result<Progress> {
        match reply.status {
            200 | 201 => match reply.text("/id") {
                Some(id) => Ok(Progress::Done(id)),
                None => Err(Error::unavailable(format!("{} did not say what it is called", self.place()))),
            },
            308 => {
                let last = reply.header("range").and_then(|r| r.rsplit_once('-')?.1.trim().parse::<u64>().ok());
                Ok(Progress::Has(last.map_or(0, |last| last.saturating_add(1))))
            }
            404 | 410 => Ok(Progress::Gone),
            _ => Err(reply.refusal(self.place())),
        }
    }
}

/// JSON and a file in one body (RFC 2387); its media type and itself.
pub(super) fn related(first: &Value, mime: &str, bytes: &[u8]) -> (String, Vec<u8>) {
    let boundary = format!("damctl-{}", uuid::Uuid::now_v7().simple());
    let mut body = format!(
        "--{boundary}\r\nContent-Type: application/json; charset=UTF-8\r\n\r\n{first}\r\n--{boundary}\r\nContent-Type: {mime}\r\n\r\n"
    )
    .into_bytes();
    body.extend_from_slice(bytes);
    body.extend_from_slice(format!("\r\n--{boundary}--\r\n").as_bytes());
    (format!("multipart/related; boundary={boundary}"), body)
}
