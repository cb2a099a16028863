//! A bucket that is not the archive's own: objects under names that others have thought of, with their media types.

use std::{collections::VecDeque, io::Read};

use aws_sdk_s3::types::{CompletedMultipartUpload, CompletedPart};
use tokio::task::JoinHandle;

use super::{
    S3Config,
    client::{Remote, bare, from_sdk, is_taken},
    sign,
};
use crate::{
    block,
    digest::Digest,
    error::{Error, Kind, Result, io},
};

/// The metadata that says what an object's bytes are.
const SHA256: &str = "sha256";

/// An object that is to be there.
#[derive(Clone, Copy)]
pub struct Outgoing<'a> {
    /// Its name in the bucket.
    pub name: &'a str,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256.
    pub digest: Digest,
    /// Media type.
    pub mime: &'a str,
}

/// How writing an object ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It is there now.
    New,
    /// It was there before.
    Same,
    /// Something else has the name.
    Other,
}

/// A bucket of somebody's.
pub struct OutsideBucket {
    remote: Remote,
    bucket: String,
}

/// What a connector is told while an object goes up: the upload's id when it is begun, and so many bytes more.
pub trait Progress {
    /// An upload in parts was begun: whoever goes on is to be given its id.
    fn begun(&mut self, id: &str) -> Result<()>;
    /// So many bytes more are there.
    fn moved(&mut self, bytes: u64) -> Result<()>;
}

impl OutsideBucket {
    /// Opens it; nobody is asked yet. The first place of the configuration names the bucket.
    pub fn open(config: S3Config) -> Result<Self> {
        let bucket = config.places[0].0.clone();
        Ok(Self { remote: block::on(Remote::connect(config))??, bucket })
    }

    /// Whether it is there and may be used.
    pub fn check(&self) -> Result<()> {
        block::on(self.remote.check())?.map_err(outward)
    }

    /// Size, and the SHA-256 that its metadata tells; `None` when there is none.
    pub fn look(&self, name: &str) -> Result<Option<(u64, Option<Digest>)>> {
        let head = self.remote.client.head_object().bucket(&self.bucket).key(name);
        match block::on(head.send())? {
            Ok(head) => {
                let bytes = head.content_length().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
                let digest = head.metadata().and_then(|all| all.get(SHA256)).and_then(|text| text.parse().ok());
                Ok(Some((bytes, digest)))
            }
            Err(e) if e.raw_response().is_some_and(|r| r.status().as_u16() == 404) => Ok(None),
            Err(e) => Err(outward(from_sdk(e, &self.what("look at", name)))),
        }
    }

    /// What stands under the name, beside what is to be there.
    pub fn compare(&self, object: &Outgoing<'_>) -> Result<Option<Outcome>> {
        let same = (object.bytes, Some(object.digest));
        Ok(self.look(object.name)?.map(|found| if found == same { Outcome::Same } else { Outcome::Other }))
    }

    /// Writes an object if its name is free. `open` gives its bytes from an offset on; `earlier` is the id of an upload that
    /// was begun before, of which only what the bucket still has counts.
    pub fn write(
        &self,
        object: &Outgoing<'_>,
        open: &dyn Fn(u64) -> Result<Box<dyn Read + Send>>,
        earlier: Option<&str>,
        progress: &mut dyn Progress,
    ) -> Result<Outcome> {
        if let Some(there) = self.compare(object)? {
            return Ok(there);
        }
        let part_bytes = self.remote.config.part_bytes(object.bytes);
        match object.bytes <= part_bytes {
            true => self.write_small(object, open, progress),
            false => self.write_parts(object, open, earlier, part_bytes, progress),
        }
    }

    fn write_small(
        &self,
        object: &Outgoing<'_>,
        open: &dyn Fn(u64) -> Result<Box<dyn Read + Send>>,
        progress: &mut dyn Progress,
    ) -> Result<Outcome> {
        let bytes = read(&mut *open(0)?, object.bytes)?;
        if Digest::of(&bytes) != object.digest {
            return Err(changed(object.name));
        }
        let put = self.remote.client.put_object().bucket(&self.bucket).key(object.name).body(bytes.into());
        let put = put.content_type(object.mime).metadata(SHA256, object.digest.to_string()).if_none_match("*");
        match block::on(put.customize().interceptor(sign::Body(object.digest)).send())? {
            Ok(_) => {
                progress.moved(object.bytes)?;
                Ok(Outcome::New)
            }
            // By somebody else, or by us when the answer to an earlier try was lost.
            Err(e) if is_taken(&e) => self.compare(object)?.ok_or_else(|| self.lost(object.name)),
            Err(e) => Err(outward(from_sdk(e, &self.what("write", object.name)))),
        }
    }

    fn write_parts(
        &self,
        object: &Outgoing<'_>,
        open: &dyn Fn(u64) -> Result<Box<dyn Read + Send>>,
        earlier: Option<&str>,
        part_bytes: u64,
        progress: &mut dyn Progress,
    ) -> Result<Outcome> {
        let has = |id: &str| self.parts(object.name, id);
        let (id, mut parts) = match earlier.map(|id| Ok::<_, Error>((id, has(id)?))).transpose()? {
            Some((id, Some(parts))) => (id.to_owned(), parts),
            _ => (self.begin(object)?, Vec::new()),
        };
        progress.begun(&id)?;
        // Only what stands without a gap is gone on after.
        let whole = |(at, part): (usize, &(i32, u64, String))| part.0 == at as i32 + 1 && part.1 == part_bytes;
        let unbroken = parts.iter().enumerate().take_while(|(at, part)| whole((*at, part))).count();
        parts.truncate(unbroken);
        let mut at = unbroken as u64 * part_bytes;
        let mut from = open(at)?;
        let mut on_their_way: VecDeque<(i32, u64, JoinHandle<Result<String>>)> = VecDeque::new();
        while at < object.bytes || !on_their_way.is_empty() {
            if at < object.bytes && on_their_way.len() < self.remote.config.in_flight.max(1) {
                let bytes = read(&mut *from, part_bytes.min(object.bytes - at))?;
                let (number, size) = ((at / part_bytes) as i32 + 1, bytes.len() as u64);
                on_their_way.push_back((number, size, self.part(object.name, &id, number, bytes)?));
                at += size;
                continue;
            }
            if let Some((number, size, sent)) = on_their_way.pop_front() {
                let etag = block::on(sent)?.map_err(|e| Error::internal("what uploads died").because(e))??;
                parts.push((number, size, etag));
                progress.moved(size)?;
            }
        }
        // Not every server looks at the end whether the name is free still.
        if let Some(there) = self.compare(object)? {
            self.abort(object.name, &id)?;
            return Ok(there);
        }
        self.complete(object, &id, parts)
    }

    fn begin(&self, object: &Outgoing<'_>) -> Result<String> {
        let begin = self.remote.client.create_multipart_upload().bucket(&self.bucket).key(object.name);
        let begin = begin.content_type(object.mime).metadata(SHA256, object.digest.to_string());
        let begun = block::on(begin.send())?;
        let begun = begun.map_err(|e| outward(from_sdk(e, &self.what("begin an upload to", object.name))))?;
        begun.upload_id().map(str::to_owned).ok_or_else(|| Error::internal("a bucket gave an upload no id"))
    }

    /// Parts as the bucket lists them, by number; `None` when it does not know the upload.
    fn parts(&self, name: &str, id: &str) -> Result<Option<Vec<(i32, u64, String)>>> {
        block::on(async {
            let list = self.remote.client.list_parts().bucket(&self.bucket).key(name).upload_id(id);
            let mut pages = list.into_paginator().send();
            let mut parts = Vec::new();
            while let Some(page) = pages.next().await {
                let page = match page {
                    Ok(page) => page,
                    Err(e) if e.raw_response().is_some_and(|r| r.status().as_u16() == 404) => return Ok(None),
                    Err(e) => return Err(outward(from_sdk(e, &self.what("ask for the parts of", name)))),
                };
                let listed = page.parts().iter();
                parts.extend(listed.map(|part| {
                    let bytes = part.size().and_then(|n| u64::try_from(n).ok()).unwrap_or(0);
                    (part.part_number().unwrap_or(0), bytes, bare(part.e_tag()))
                }));
            }
            // Some servers do not sort.
            parts.sort_by_key(|part| part.0);
            Ok(Some(parts))
        })?
    }

    fn part(&self, name: &str, id: &str, number: i32, bytes: Vec<u8>) -> Result<JoinHandle<Result<String>>> {
        let part = self.remote.client.upload_part().bucket(&self.bucket).key(name).upload_id(id).part_number(number);
        let digest = Digest::of(&bytes);
        let what = self.what("upload a part of", name);
        block::spawn(async move {
            let sent = part.body(bytes.into()).customize().interceptor(sign::Body(digest)).send().await;
            sent.map(|part| bare(part.e_tag())).map_err(|e| outward(from_sdk(e, &what)))
        })
    }

    fn complete(&self, object: &Outgoing<'_>, id: &str, parts: Vec<(i32, u64, String)>) -> Result<Outcome> {
        let part =
            |(number, _, etag): &(i32, u64, String)| CompletedPart::builder().part_number(*number).e_tag(etag).build();
        let all = CompletedMultipartUpload::builder().set_parts(Some(parts.iter().map(part).collect())).build();
        let complete = self.remote.client.complete_multipart_upload().bucket(&self.bucket).key(object.name);
        let complete = complete.upload_id(id).multipart_upload(all).if_none_match("*");
        match block::on(complete.send())? {
            Ok(_) => match self.compare(object)? {
                Some(Outcome::Same) => Ok(Outcome::New),
                Some(other) => Ok(other),
                None => Err(self.lost(object.name)),
            },
            Err(e) if is_taken(&e) => {
                self.abort(object.name, id)?;
                self.compare(object)?.ok_or_else(|| self.lost(object.name))
            }
            Err(e) => match self.compare(object)? {
                // The answer to an earlier try was lost.
                Some(there) => Ok(there),
                None => Err(outward(from_sdk(e, &self.what("complete the upload to", object.name)))),
            },
        }
    }

    fn abort(&self, name: &str, id: &str) -> Result<()> {
        let abort = self.remote.client.abort_multipart_upload().bucket(&self.bucket).key(name).upload_id(id);
        match block::on(abort.send())? {
            Ok(_) => Ok(()),
            Err(e) if e.raw_response().is_some_and(|r| r.status().as_u16() == 404) => Ok(()),
            Err(e) => Err(outward(from_sdk(e, &self.what("give up an upload to", name)))),
        }
    }

    /// Removes an object; what is not there is no error.
    pub fn remove(&self, name: &str) -> Result<()> {
        let removed = block::on(self.remote.client.delete_object().bucket(&self.bucket).key(name).send())?;
        removed.map(drop).map_err(|e| outward(from_sdk(e, &self.what("remove", name))))
    }

    fn what(&self, doing: &str, name: &str) -> String {
        format!("cannot {doing} '{name}' in the bucket '{}'", self.bucket)
    }

    fn lost(&self, name: &str) -> Error {
        Error::unavailable(format!("the bucket '{}' says that '{name}' is there, but does not have it", self.bucket))
    }
}

/// What would pause the archive's own work is this place's affair alone.
fn outward(e: Error) -> Error {
    if e.kind() != Kind::Paused {
        return e;
    }
    let told = Error::invalid(e.one_line());
    match e.hint_text() {
        Some(hint) => told.hint(hint),
        None => told,
    }
}

fn read(from: &mut dyn Read, bytes: u64) -> Result<Vec<u8>> {
    let mut all = vec![0; bytes as usize];
    from.read_exact(&mut all).map_err(|e| io("cannot read what is to be sent", e))?;
    Ok(all)
}

fn changed(name: &str) -> Error {
    Error::corrupt(format!("the archive has other bytes of '{name}' than it should"))
}
