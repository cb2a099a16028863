//! Asks an endpoint what it does, by trying. It is sent checksums that are wrong: only one that refuses them, and takes
//! the right ones and says them again, verifies them.

use aws_sdk_s3::error::{ProvideErrorMetadata, SdkError};

use super::{
    checksum::{self, Sum},
    client::{Remote, describe},
    sign,
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    model::{Area, Key},
    store::{Abilities, Checksum, Part, Upload},
};

const RIGHT: &[u8] = b"what is sent";
const WRONG: &[u8] = b"and what is not";

/// Finds out what the endpoint does. What it takes for that is a few bytes under a name of this run's own, which no asset
/// can have, and is removed.
pub(super) async fn probe(remote: &Remote) -> Result<Abilities> {
    let place = Key::new(Area::Masters, &[&format!(".probe-{}", uuid::Uuid::now_v7())])?;
    let probe = Probe { remote, place };
    let found = probe.look().await;
    // Who may write but not remove leaves these few bytes: no reason to refuse him an upload.
    remote.remove(&probe.place).await.ok();
    found
}

struct Probe<'a> {
    remote: &'a Remote,
    place: Key,
}

impl Probe<'_> {
    async fn look(&self) -> Result<Abilities> {
        let plain = self.place.join("plain")?;
        if !self.put(&plain, None, false).await? {
            return Err(Error::unsupported(format!("the store refuses a plain put to {plain}")));
        }
        let mut abilities = Abilities { checksum: None, exclusive_put: false, exclusive_complete: false };
        for kind in [Checksum::Crc64Nvme, Checksum::Sha256, Checksum::Signed, Checksum::Md5] {
            if self.verifies(kind).await? {
                abilities.checksum = Some(kind);
                break;
            }
        }
        let exclusive = self.place.join("exclusive")?;
        abilities.exclusive_put = self.put(&exclusive, None, true).await? && !self.put(&exclusive, None, true).await?;
        let free = self.place.join("free")?;
        abilities.exclusive_complete =
            self.completes_exclusively(&free).await? && !self.completes_exclusively(&plain).await?;
        Ok(abilities)
    }

    /// Whether it verifies this checksum of an object, and of one in parts.
    async fn verifies(&self, kind: Checksum) -> Result<bool> {
        let key = self.place.join(kind.as_str())?;
        let [right, wrong] = [RIGHT, WRONG].map(|bytes| Sum::of(kind, bytes, None));
        if self.put(&key, Some(wrong), false).await? || !self.put(&key, Some(right), false).await? {
            return Ok(false);
        }
        if checksum::algorithm(kind).is_some() {
            let there = self.remote.head_with(&key, true).await?;
            if there.is_none_or(|t| (t.crc64, t.sha256) != (right.crc64(), right.sha256())) {
                return Ok(false);
            }
        }
        let key = self.place.join(&format!("{}-parts", kind.as_str()))?;
        let Some(mut upload) = self.begin(&key, Some(kind)).await? else { return Ok(false) };
        let is_verified = self.verifies_parts(&key, &mut upload, [right, wrong]).await;
        self.remote.abort_upload(&key, &upload.id).await.ok();
        is_verified
    }

    async fn verifies_parts(&self, key: &Key, upload: &mut Upload, [right, wrong]: [Sum; 2]) -> Result<bool> {
        if self.part(key, upload, Some(wrong)).await? || !self.part(key, upload, Some(right)).await? {
            return Ok(false);
        }
        if let (Sum::Crc64(right), Sum::Crc64(wrong)) = (right, wrong) {
            upload.parts[0].crc64 = Some(wrong);
            if self.complete(key, upload, false).await? {
                return Ok(false);
            }
            upload.parts[0].crc64 = Some(right);
        }
        if !self.complete(key, upload, false).await? {
            return Ok(false);
        }
        let says = checksum::algorithm(upload.checksum.unwrap_or(Checksum::Md5)).is_some();
        let there = self.remote.head_with(key, says).await?;
        Ok(!says || there.is_some_and(|t| t.agrees(upload) == Some(true)))
    }

    async fn completes_exclusively(&self, key: &Key) -> Result<bool> {
        let Some(mut upload) = self.begin(key, None).await? else { return Ok(false) };
        let completed = match self.part(key, &mut upload, None).await {
            Ok(true) => self.complete(key, &upload, true).await,
            other => other,
        };
        self.remote.abort_upload(key, &upload.id).await.ok();
        completed
    }

    async fn put(&self, key: &Key, sum: Option<Sum>, exclusive: bool) -> Result<bool> {
        let put = self.remote.put(key, RIGHT.into(), sum).set_if_none_match(exclusive.then(|| "*".to_owned()));
        // A class that is paid for by the month is not for what is gone in a second.
        let put = put.set_storage_class(None).customize().interceptor(signature(sum));
        Ok(answer(put.send().await, key)?.is_some())
    }

    async fn begin(&self, key: &Key, checksum: Option<Checksum>) -> Result<Option<Upload>> {
        let begun = self.remote.beginning(key, checksum).set_storage_class(None).send().await;
        let id = answer(begun, key)?.and_then(|b| b.upload_id().map(str::to_owned));
        Ok(id.map(|id| Upload { id, part_bytes: RIGHT.len() as u64, parts: Vec::new(), checksum }))
    }

    async fn part(&self, key: &Key, upload: &mut Upload, sum: Option<Sum>) -> Result<bool> {
        let part = self.remote.part(key, &upload.id, 1, sum).body(bytes::Bytes::from_static(RIGHT).into());
        let sent = part.customize().interceptor(signature(sum)).send().await;
        let Some(sent) = answer(sent, key)? else { return Ok(false) };
        let etag = sent.e_tag().unwrap_or_default().trim_matches('"').to_owned();
        let (bytes, digest, crc64) = (RIGHT.len() as u64, Digest::of(RIGHT), Some(checksum::crc64(RIGHT)));
        upload.parts = vec![Part { number: 1, etag, bytes, digest, crc64 }];
        Ok(true)
    }

    async fn complete(&self, key: &Key, upload: &Upload, exclusive: bool) -> Result<bool> {
        let completion = self.remote.completion(key, upload).set_if_none_match(exclusive.then(|| "*".to_owned()));
        Ok(answer(completion.send().await, key)?.is_some())
    }
}

/// Signs what is sent, wrongly if that is what is tried.
fn signature(sum: Option<Sum>) -> sign::Body {
    sign::Body(if let Some(Sum::Signed(digest)) = sum { digest } else { Digest::of(RIGHT) })
}

/// What the endpoint made of a request; none when it refused it. An error when that says nothing of what it can do.
fn answer<T, E>(answer: Result<T, SdkError<E>>, key: &Key) -> Result<Option<T>>
where
    E: std::error::Error + ProvideErrorMetadata + Send + Sync + 'static,
{
    let refused = |e: &SdkError<E>| {
        e.raw_response().is_some_and(|r| matches!(r.status().as_u16(), 400 | 405 | 409 | 411 | 412 | 422 | 501))
    };
    match answer {
        Ok(answer) => Ok(Some(answer)),
        Err(e) => {
            let is_refused = refused(&e);
            let e = describe(e, key, "try what the store does at");
            if is_refused && e.kind() != Kind::Paused { Ok(None) } else { Err(e) }
        }
    }
}
