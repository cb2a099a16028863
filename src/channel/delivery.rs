//! The archive's own delivery area: a package as static files below a prefix of its own, which never change. Bytes are copied
//! where they lie, by the file system or by the bucket's server.

use serde_json::{Value, json};

use super::{
    Channel, Fate, Package, Retracted, Sent, Standing, Way,
    names::{Named, below, in_order},
};
use crate::{
    error::{Error, Kind, Result},
    model::{Area, Key, Receipt},
    profile::channels::Delivery,
    store::{Original, Store},
};

/// A folder of the delivery area.
pub struct DeliveryChannel<'a> {
    store: &'a dyn Store,
    place: Delivery,
    prefix: Key,
}

impl<'a> DeliveryChannel<'a> {
    /// For one publication, whose files go below `path` in the folder: no other may have the same.
    pub fn new(place: &Delivery, store: &'a dyn Store, path: &str) -> Result<Self> {
        let segments: Vec<&str> = std::iter::once(place.folder.as_str()).chain(path.split('/')).collect();
        Ok(Self { store, place: place.clone(), prefix: Key::new(Area::Delivery, &segments)? })
    }

    fn objects<'p>(&self, package: &'p Package<'_>) -> Result<Vec<(Key, Named<'p>)>> {
        let key = |name: &str| {
            let parts: Vec<String> = name.split('/').map(|part| Key::segment(part.as_bytes())).collect();
            self.prefix.join(&parts.join("/"))
        };
        in_order(package)?.into_iter().map(|file| Ok((key(file.name)?, file))).collect()
    }

    fn receipt(&self, package: &Package<'_>, objects: &[(Key, Named<'_>)]) -> Result<Receipt> {
        let opened = objects.iter().find(|(_, file)| file.name == package.media[0].name);
        let (opened, _) = opened.ok_or_else(|| Error::internal("a package without what is opened"))?;
        // What is public is the area's content: its own word is no part of an address.
        let name = opened.as_str().split_once('/').map_or("", |(_, rest)| rest);
        let url = self.place.public.as_deref();
        let url = url.map(|public| below(public.trim_end_matches('/'), name)).transpose()?;
        let file = |(key, file): &(Key, Named<'_>)| json!({"key": key, "bytes": file.bytes, "sha256": file.digest});
        let files: Vec<Value> = objects.iter().map(file).collect();
        Ok(Receipt { id: opened.to_string(), url, proof: json!({"prefix": self.prefix, "files": files}) })
    }

    /// Whether an object is there; one of another size is damage.
    fn is_there(&self, key: &Key, bytes: u64) -> Result<bool> {
        match self.store.size(key)? {
            None => Ok(false),
            Some(size) if size == bytes => Ok(true),
            Some(size) => Err(Error::new(Kind::Conflict, format!("{key} has {size} bytes already, not {bytes}"))
                .hint("somebody else has put it there: it is not overwritten")),
        }
    }
}

impl Channel for DeliveryChannel<'_> {
    fn standing(&self) -> Result<Standing> {
        Ok(Standing { name: Some(format!("{}/{}", Area::Delivery.as_str(), self.place.folder)), ..Standing::default() })
    }

    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        let objects = self.objects(package)?;
        if session.is_none() {
            way.keep(&json!({"step": "copying", "prefix": self.prefix}))?;
        }
        for (key, file) in &objects {
            way.moved(0)?;
            if !self.is_there(key, file.bytes)? {
                match file.key {
                    Some(from) => {
                        let of = Original { bytes: file.bytes, digest: file.digest, mime: file.mime };
                        self.store.duplicate(from, key, &of)?
                    }
                    None => self.store.put(key, file.written)?,
                };
            }
            crate::crash::point("deliver.between-files");
            way.moved(file.bytes)?;
        }
        Ok(Sent::Published(self.receipt(package, &objects)?))
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        let objects = self.objects(package)?;
        let mut there = 0;
        for (key, file) in &objects {
            there += usize::from(self.is_there(key, file.bytes)?);
        }
        Ok(match there {
            0 => Fate::Absent,
            n if n == objects.len() => Fate::Published(self.receipt(package, &objects)?),
            _ => Fate::Resumable(session.clone()),
        })
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        let prefix: Option<Key> = receipt.proof["prefix"].as_str().and_then(|text| text.parse().ok());
        let prefix = prefix.filter(|prefix| *prefix == self.prefix);
        let prefix =
            prefix.ok_or_else(|| Error::invalid("the receipt names another place: it is not known what is there"))?;
        let there = self.store.list(&prefix)?.len();
        self.store.remove(&prefix)?;
        Ok(if there == 0 { Retracted::Absent } else { Retracted::Gone(json!({"removed": there})) })
    }
}
