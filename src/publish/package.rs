//! A publication as its channel sends it: which files, under which names, with which words.

use std::{
    collections::BTreeMap,
    io::{Cursor, Read},
    ops::Range,
    path::Path,
    sync::OnceLock,
    time::Duration,
};

use serde_json::json;

use super::{
    Publish,
    captions::{Spoken, is_same_language, spoken},
    words::Filled,
};
use crate::{
    catalog::AssetRow,
    channel::{Item, Package, Source},
    digest::Digest,
    error::{Error, Result},
    model::{Area, AssetId, Description, Key, Master, MediaFacts, Publication, Rendition, RenditionFile},
    profile::channels::Outlet,
    store::Store,
};

/// The word for the original itself, where profile entries are named.
pub(super) const MASTER: &str = "master";

/// The archive's store as connectors read it, and beside it what was written for one package.
pub(super) struct Bytes<'a> {
    store: &'a dyn Store,
    written: OnceLock<BTreeMap<Key, Vec<u8>>>,
}

impl<'a> Bytes<'a> {
    pub(super) fn of(store: &'a dyn Store) -> Self {
        Self { store, written: OnceLock::new() }
    }
}

impl Source for Bytes<'_> {
    fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>> {
        let Some(bytes) = self.written(key) else { return self.store.open(key, range) };
        let range = range.unwrap_or(0..bytes.len() as u64);
        let part = bytes.get(range.start as usize..(range.end as usize).min(bytes.len())).unwrap_or_default();
        Ok(Box::new(Cursor::new(part.to_vec())))
    }

    fn address(&self, key: &Key, valid: Duration) -> Result<Option<String>> {
        match self.written(key) {
            Some(_) => Ok(None),
            None => self.store.presigned(key, valid),
        }
    }

    fn written(&self, key: &Key) -> Option<&[u8]> {
        self.written.get()?.get(key).map(Vec::as_slice)
    }
}

/// What an entry's rendition is: its files, with their keys, and what was measured of it.
pub(super) struct Media {
    pub(super) files: Vec<(RenditionFile, Key)>,
    pub(super) facts: MediaFacts,
}

impl Media {
    /// What it is, by the digests of its files.
    pub(super) fn content(&self) -> Digest {
        content(self.files.iter().map(|(file, _)| file.digest))
    }

    /// Bytes of all its files.
    pub(super) fn bytes(&self) -> u64 {
        self.files.iter().map(|(file, _)| file.bytes).sum()
    }

    fn of(rendition: &Rendition) -> Result<Self> {
        let each = rendition.files.iter().map(|file| Ok((file.clone(), rendition.prefix.join(&file.name)?)));
        Ok(Self { files: each.collect::<Result<_>>()?, facts: rendition.facts.clone() })
    }

    fn of_master(master: &Master) -> Self {
        let file = RenditionFile {
            name: master.name.clone(),
            digest: master.digest,
            bytes: master.bytes,
            mime: master.facts.mime.clone(),
        };
        Self { files: vec![(file, master.key.clone())], facts: master.facts.clone() }
    }
}

fn content(files: impl Iterator<Item = Digest>) -> Digest {
    Digest::of_fields(&files.map(|digest| digest.to_string()).collect::<Vec<_>>())
}

/// What a package's media are, by the digests of their files.
pub(super) fn content_of(package: &Package<'_>) -> Digest {
    content(package.media.iter().map(|item| item.digest))
}

/// What an asset has of an entry; `None` when it has none.
pub(super) fn media(row: &AssetRow, renditions: &[Rendition], entry: &str) -> Result<Option<Media>> {
    if entry == MASTER {
        return Ok(row.masters.first().map(Media::of_master));
    }
    let is_shown = |r: &&Rendition| row.masters.iter().any(|m| m.role.is_shown() && m.digest == r.master);
    renditions.iter().filter(is_shown).find(|r| r.entry == entry).map(Media::of).transpose()
}

impl Publish<'_> {
    /// Everything that a publication sends.
    pub(super) fn package<'p>(
        &'p self,
        p: &Publication,
        outlet: &Outlet,
        source: &'p Bytes<'p>,
    ) -> Result<(Package<'p>, Filled, Description)> {
        let of = u32::try_from(p.generation).unwrap_or(u32::MAX);
        let row = self.catalog.generation(p.asset, of)?.ok_or_else(|| gone(p.asset, &p.entry))?;
        let renditions = self.catalog.renditions_of(p.asset)?;
        let said = self.catalog.described(p.asset)?.description;
        let media = media(&row, &renditions, &p.entry)?.ok_or_else(|| gone(p.asset, &p.entry))?;
        let Some((first, _)) = media.files.first() else { return Err(gone(p.asset, &p.entry)) };
        let file = json!({
            "name": first.name, "bytes": first.bytes, "sha256": first.digest, "mime": first.mime,
            "duration_ms": media.facts.duration_ms, "timecode": media.facts.timecode.as_ref().map(|t| &t.value),
        });
        let held = self.catalog.rights_of(p.asset)?.map(|(_, rights)| rights).unwrap_or_default();
        let filled = Filled::new(p, &row.asset, &said, &held, file);
        let words = filled.words(&outlet.text, &said, &p.words)?;
        let stem = filled.path(&outlet.name)?;
        if stem.is_empty() || stem.starts_with('/') || stem.ends_with('/') {
            return Err(Error::invalid(format!("channel '{}': 'name' makes '{stem}', which is none", p.channel)));
        }
        let is_package = media.files.len() > 1;
        let named = |file: &RenditionFile| match (is_package, Path::new(&file.name).extension()) {
            (true, _) => format!("{stem}/{}", file.name),
            (false, Some(extension)) => format!("{stem}.{}", extension.to_string_lossy()),
            (false, None) => stem.clone(),
        };
        let items = media.files.iter().map(|of| item(of, named(&of.0))).collect();
        let thumbnail = match &outlet.thumbnail {
            Some(entry) => self::media(&row, &renditions, entry)?.and_then(|m| {
                let (file, key) = m.files.into_iter().next()?;
                let extension = Path::new(&file.name).extension().map(|e| e.to_string_lossy().into_owned());
                let name = format!("{stem}.{}", extension.unwrap_or_else(|| "jpg".to_owned()));
                Some(item(&(file, key), name))
            }),
            None => None,
        };
        let captions = match spoken(self.catalog, p, &row, &outlet.captions)? {
            Some(all) => written(source, all, &stem)?,
            None => beside(&renditions, &outlet.captions, &stem)?,
        };
        let sidecars = filled.sidecars(outlet, self.dir)?;
        let package = Package {
            marker: p.id.marker(),
            media: items,
            facts: media.facts,
            captions,
            thumbnail,
            sidecars,
            words,
            source,
        };
        Ok((package, filled, said))
    }
}

fn gone(asset: AssetId, entry: &str) -> Error {
    Error::not_found(format!("asset {asset} has no rendition '{entry}'"))
        .hint("'damctl transcode' makes what is wanted")
}

/// Subtitles as a package's items; their bytes are with the source.
fn written(source: &Bytes<'_>, all: Vec<Spoken>, stem: &str) -> Result<Vec<Item>> {
    let (mut items, mut held) = (Vec::new(), BTreeMap::new());
    for Spoken { language, text } in all {
        let digest = Digest::of(&text);
        let key = Key::new(Area::Renditions, &["captions", &digest.to_string()])?;
        items.push(Item {
            name: format!("{stem}.{language}.vtt"),
            key: key.clone(),
            bytes: text.len() as u64,
            digest,
            mime: "text/vtt".to_owned(),
            language: Some(language),
        });
        held.insert(key, text.into_bytes());
    }
    // A source is of one package: nobody has filled it before.
    source.written.set(held).ok();
    Ok(items)
}

/// Subtitles that lie beside the other renditions, in the languages that are wanted.
fn beside(renditions: &[Rendition], wanted: &[String], stem: &str) -> Result<Vec<Item>> {
    let mut captions: Vec<Item> = Vec::new();
    let of_speech = |r: &&Rendition| r.entry == "subtitles" || r.entry.starts_with("subtitles_");
    for rendition in renditions.iter().filter(of_speech) {
        for (file, key) in Media::of(rendition)?.files {
            // subtitles.es.vtt
            let mut parts = file.name.rsplitn(3, '.');
            let (form, language) = (parts.next().unwrap_or_default(), parts.next().unwrap_or_default().to_owned());
            let is_wanted = wanted.iter().any(|wanted| is_same_language(wanted, &language));
            if is_wanted && form == "vtt" && !captions.iter().any(|c| c.language.as_ref() == Some(&language)) {
                let name = format!("{stem}.{language}.{form}");
                captions.push(Item { language: Some(language), ..item(&(file, key), name) });
            }
        }
    }
    Ok(captions)
}

fn item((file, key): &(RenditionFile, Key), name: String) -> Item {
    Item { name, key: key.clone(), bytes: file.bytes, digest: file.digest, mime: file.mime.clone(), language: None }
}
