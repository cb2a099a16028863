//! Objects of ours that no row of the catalog names: what a run left that was killed between store and catalog, or before
//! it could take away what it had put in for nothing.
//!
//! They are told by where they lie: what is not laid out as damctl does it is somebody else's. A complete master is removed
//! only if the archive has its bytes elsewhere: a catalog that was put back from a copy knows less than its store does.

use std::collections::HashSet;

use super::collect::before;
use crate::{
    catalog::Catalog,
    digest::Digest,
    error::{Kind, Result},
    model::{Area, ArrivalState, AssetId, Key, PublicationState},
    stop::Stop,
    store::{Found, Store, ocfl},
};

/// What a publication's own segment of a delivery key begins with.
const MARKER: &str = "damctl-";

/// Files below one prefix that the catalog does not know.
#[derive(Clone, Debug, PartialEq)]
pub struct Orphan {
    /// What they lie below.
    pub prefix: Key,
    /// How many.
    pub files: u64,
    /// Their bytes.
    pub bytes: u64,
    /// When the latest of them was written (ms).
    pub written: i64,
    /// Why they are to stay, if they are.
    pub stays: Option<&'static str>,
}

/// What was found.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Orphans {
    /// By their place.
    pub found: Vec<Orphan>,
    /// Whether somebody is at work: what he has put in may not be in the catalog yet.
    pub is_busy: bool,
}

/// Looks for orphans all of which was written more than `age_ms` ago, and before any attempt at a job that is not done.
pub fn orphans(catalog: &Catalog, store: &dyn Store, age_ms: i64, stop: &Stop) -> Result<Orphans> {
    let at_work = catalog.under_way()?;
    let before = before(catalog.now()?, age_ms, at_work.open);
    let mut look =
        Search { catalog, store, before, awaited: awaited(catalog, before)?, under: None, found: Vec::new() };
    for area in Area::ALL {
        store.each_object(area, &mut |object| {
            stop.check()?;
            look.see(object)
        })?;
        look.end()?;
    }
    Ok(Orphans { found: look.found, is_busy: at_work.live.is_some() })
}

/// Removes those that do not stay and are still nobody's; says how many.
pub fn remove_orphans(catalog: &Catalog, store: &dyn Store, orphans: &[Orphan], stop: &Stop) -> Result<usize> {
    let mut removed = 0;
    for orphan in orphans.iter().filter(|o| o.stays.is_none()) {
        stop.check()?;
        if !is_named(catalog, &orphan.prefix)? {
            store.remove(&orphan.prefix)?;
            removed += 1;
        }
    }
    Ok(removed)
}

fn is_named(catalog: &Catalog, prefix: &Key) -> Result<bool> {
    match prefix.area() {
        Area::Masters => catalog.has_object(prefix),
        Area::Renditions => Ok(catalog.has_rendition(prefix)? || catalog.is_marked(prefix)?),
        // Of what failed or was taken back nothing is to be there.
        Area::Delivery => {
            let gone = [PublicationState::Failed, PublicationState::Retracted];
            Ok(delivered(catalog, prefix)?.is_some_and(|state| !gone.contains(&state)))
        }
    }
}

/// What the catalog says of the publication whose files lie below this prefix of delivery.
fn delivered(catalog: &Catalog, prefix: &Key) -> Result<Option<PublicationState>> {
    let marker = prefix.as_str().rsplit('/').next().and_then(|last| last.strip_prefix(MARKER)).unwrap_or_default();
    match catalog.publication_like(marker) {
        Ok(publication) => Ok(Some(publication.state)),
        Err(e) if matches!(e.kind(), Kind::NotFound | Kind::Invalid) => Ok(None),
        Err(e) => Err(e),
    }
}

/// Objects that are on their way: of uploads that somebody has gone on with since, and of files that others send.
fn awaited(catalog: &Catalog, since: i64) -> Result<HashSet<Key>> {
    let going_on = catalog.uploads_since(since)?;
    let uploads = catalog.uploads(None)?.into_iter().filter(|l| going_on.contains(&l.upload.id)).map(|l| l.key);
    let open: Vec<ArrivalState> = ArrivalState::ALL.into_iter().filter(|s| s.is_open()).collect();
    let arrivals = catalog.arrivals(&open)?.into_iter().map(|a| a.key);
    Ok(uploads.chain(arrivals).filter_map(|key| ocfl::root_above(&key)).collect())
}

struct Search<'a> {
    catalog: &'a Catalog,
    store: &'a dyn Store,
    before: i64,
    awaited: HashSet<Key>,
    /// What is below the prefix that the search has come to.
    under: Option<Orphan>,
    found: Vec<Orphan>,
}

impl Search<'_> {
    fn see(&mut self, object: Found) -> Result<()> {
        let Some(prefix) = prefix_of(&object.key) else { return Ok(()) };
        // One of which nobody knows when it was written is not old.
        let written = object.written.unwrap_or(i64::MAX);
        match &mut self.under {
            Some(under) if under.prefix == prefix => {
                under.files += 1;
                under.bytes += object.bytes;
                under.written = under.written.max(written);
            }
            _ => {
                self.end()?;
                self.under = Some(Orphan { prefix, files: 1, bytes: object.bytes, written, stays: None });
            }
        }
        Ok(())
    }

    /// Judges what was below the latest prefix.
    fn end(&mut self) -> Result<()> {
        let Some(mut under) = self.under.take() else { return Ok(()) };
        let is_old = under.written <= self.before && !self.awaited.contains(&under.prefix);
        if is_old && !is_named(self.catalog, &under.prefix)? {
            match under.prefix.area() {
                Area::Masters => under.stays = self.stays(&under.prefix)?,
                // A catalog that was put back from a copy knows less than what people have the addresses of.
                Area::Delivery if delivered(self.catalog, &under.prefix)?.is_none() => {
                    under.stays = Some("the catalog knows nothing of its publication");
                }
                _ => {}
            }
            self.found.push(under);
        }
        Ok(())
    }

    /// Why a master's object has to stay.
    fn stays(&self, root: &Key) -> Result<Option<&'static str>> {
        let inventory = match ocfl::Inventory::read(self.store, root) {
            Ok(Some(inventory)) => inventory,
            // It was never complete, and nobody was told that it is there.
            Ok(None) => return Ok(None),
            Err(e) if e.kind() == Kind::Corrupt => return Ok(Some("its inventory cannot be read")),
            Err(e) => return Err(e),
        };
        for digest in inventory.digests() {
            if self.catalog.holder(digest)?.is_none() {
                return Ok(Some("the archive has its bytes nowhere else"));
            }
        }
        Ok(None)
    }
}

/// What an object belongs to, if it lies where damctl puts what it makes: a master's OCFL object, or a rendition.
fn prefix_of(key: &Key) -> Option<Key> {
    match key.area() {
        Area::Masters => ocfl::root_above(key),
        Area::Renditions => {
            let [area, kind, asset, digest, version, _] = key.as_str().splitn(6, '/').collect::<Vec<_>>()[..] else {
                return None;
            };
            let is_ours = asset.parse::<AssetId>().is_ok() && digest.parse::<Digest>().is_ok() && version.contains('@');
            is_ours.then(|| format!("{area}/{kind}/{asset}/{digest}/{version}").parse().ok()).flatten()
        }
        // Of others' files there it is told by the publication's marker.
        Area::Delivery => {
            let [area, folder, asset, generation, marker, _] = key.as_str().splitn(6, '/').collect::<Vec<_>>()[..]
            else {
                return None;
            };
            let digits = marker.strip_prefix(MARKER)?;
            let is_marker = digits.len() == 16 && digits.bytes().all(|b| b.is_ascii_hexdigit());
            let is_ours = asset.parse::<AssetId>().is_ok() && generation.parse::<u32>().is_ok() && is_marker;
            is_ours.then(|| format!("{area}/{folder}/{asset}/{generation}/{marker}").parse().ok()).flatten()
        }
    }
}
