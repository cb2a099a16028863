//! A delivery area in a bucket: files below a prefix with their media types, what is opened last, nothing overwritten.

use std::io::{Cursor, Read};

use serde_json::{Value, json};

use super::{
    Account, Channel, Fate, Package, Retracted, Sent, Standing, Way,
    names::{Named, below, in_order, inside},
};
use crate::{
    error::{Error, Kind, Result},
    model::Receipt,
    profile::channels::Bucket,
    store::{Outcome, Outgoing, OutsideBucket, Progress, S3Config},
};

/// A prefix of a bucket.
pub struct BucketChannel {
    place: Bucket,
    account: Account,
}

impl BucketChannel {
    /// Of a place whose `path` is no template any more.
    pub fn new(place: Bucket, account: Account) -> Self {
        Self { place, account }
    }

    fn open(&self) -> Result<OutsideBucket> {
        let one = || (self.place.bucket.clone(), String::new());
        OutsideBucket::open(S3Config {
            endpoint: self.place.endpoint.clone(),
            region: self.place.region.clone(),
            profile: self.place.profile.clone(),
            path_style: self.place.endpoint.is_some(),
            places: [one(), one(), one()],
            in_flight: 4,
            ..S3Config::default()
        })
        .map_err(|e| e.within(format!("channel '{}'", self.account.channel)))
    }

    /// The object's name. Buckets have no root.
    fn name(&self, name: &str) -> Result<String> {
        inside(self.place.path.trim_matches('/'), name)
    }

    fn objects<'a>(&self, package: &'a Package<'_>) -> Result<Vec<(String, Named<'a>)>> {
        in_order(package)?.into_iter().map(|file| Ok((self.name(file.name)?, file))).collect()
    }

    fn taken(&self, name: &str) -> Error {
        Error::new(Kind::Conflict, format!("'{name}' in the bucket '{}' is another file already", self.place.bucket))
            .hint("it is not overwritten: give the channel another path or name, or remove it there")
    }

    fn receipt(&self, package: &Package<'_>, objects: &[(String, Named<'_>)]) -> Result<Receipt> {
        let opened = self.name(&package.media[0].name)?;
        let url = self.place.public.as_deref();
        let url = url.map(|public| below(public.trim_end_matches('/'), &opened)).transpose()?;
        let file =
            |(name, file): &(String, Named<'_>)| json!({"name": name, "bytes": file.bytes, "sha256": file.digest});
        let files: Vec<Value> = objects.iter().map(file).collect();
        let bucket = &self.place.bucket;
        Ok(Receipt { id: format!("s3://{bucket}/{opened}"), url, proof: json!({"bucket": bucket, "files": files}) })
    }
}

/// Tells the way of an upload.
struct Told<'a> {
    way: &'a mut dyn Way,
    name: &'a str,
}

impl Progress for Told<'_> {
    fn begun(&mut self, id: &str) -> Result<()> {
        self.way.keep(&json!({"step": "sending", "name": self.name, "upload": id}))
    }

    fn moved(&mut self, bytes: u64) -> Result<()> {
        self.way.moved(bytes)
    }
}

impl Channel for BucketChannel {
    fn standing(&self) -> Result<Standing> {
        self.open()?.check()?;
        Ok(Standing { name: Some(format!("s3://{}", self.place.bucket)), ..Standing::default() })
    }

    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let (bucket, objects) = (self.open()?, self.objects(package)?);
        if session.is_none() {
            way.keep(&json!({"step": "sending"}))?;
        }
        // Whoever stands in the way is told of before a byte is sent.
        let mut left = Vec::new();
        for (name, file) in &objects {
            way.moved(0)?;
            let object = Outgoing { name, bytes: file.bytes, digest: file.digest, mime: file.mime };
            match bucket.compare(&object)? {
                None => left.push((object, file)),
                Some(Outcome::Other) => return Err(self.taken(name)),
                Some(_) => {}
            }
        }
        for (object, file) in left {
            if file.name == package.media[0].name {
                let earlier = session.filter(|s| s["name"] == object.name).and_then(|s| s["upload"].as_str());
                way.posting(&json!({"step": "opening", "name": object.name, "upload": earlier}))?;
            }
            let open = |from: u64| -> Result<Box<dyn Read + Send>> {
                match (file.key, file.written) {
                    (Some(key), _) => package.source.open(key, Some(from..file.bytes)),
                    (None, bytes) => Ok(Box::new(Cursor::new(bytes.get(from as usize..).unwrap_or_default().to_vec()))),
                }
            };
            let earlier = session.filter(|s| s["name"] == object.name).and_then(|s| s["upload"].as_str());
            let mut told = Told { way, name: object.name };
            if bucket.write(&object, &open, earlier, &mut told)? == Outcome::Other {
                return Err(self.taken(object.name));
            }
        }
        Ok(Sent::Published(self.receipt(package, &objects)?))
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        let (bucket, objects) = (self.open()?, self.objects(package)?);
        let mut there = 0;
        for (name, file) in &objects {
            let object = Outgoing { name, bytes: file.bytes, digest: file.digest, mime: file.mime };
            there += usize::from(bucket.compare(&object)? == Some(Outcome::Same));
        }
        Ok(match there {
            n if n == objects.len() => Fate::Published(self.receipt(package, &objects)?),
            0 if session["upload"].is_null() => Fate::Absent,
            _ => Fate::Resumable(session.clone()),
        })
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        let files = receipt.proof["files"].as_array().filter(|files| !files.is_empty());
        let files = files.ok_or_else(|| Error::invalid("the receipt names no files: they are not known"))?;
        let bucket = self.open()?;
        let mut there = Vec::new();
        for file in files.iter().rev() {
            let Some(name) = file["name"].as_str() else { continue };
            let digest = file["sha256"].as_str().and_then(|text| text.parse().ok());
            match bucket.look(name)? {
                None => {}
                Some(found) if Some(found.0) == file["bytes"].as_u64() && found.1 == digest => there.push(name),
                Some(_) => return Err(self.taken(name)),
            }
        }
        there.iter().try_for_each(|name| bucket.remove(name))?;
        Ok(if there.is_empty() { Retracted::Absent } else { Retracted::Gone(json!({"removed": there})) })
    }
}
