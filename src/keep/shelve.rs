//! An asset's masters out of the hot area, and back.
//!
//! Two phases, so that a kill leaves nothing untrue: the catalog says that a master is on its way before the store moves it,
//! and where it is only after that. Who runs the same again goes on.

use crate::{
    catalog::{ArchiveState, Archived, Catalog, KeptMaster},
    error::{Error, Kind, Result},
    model::AssetId,
    stop::Stop,
    store::{Availability, Recall, Recalled, Store},
};

/// What was archived of an asset.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Shelved {
    /// Masters that have left the hot area now.
    pub masters: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Masters that had left it before.
    pub earlier: u64,
}

/// How far an asset is on its way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Restored {
    /// It was not archived.
    Never,
    /// Its masters can be read; until that time (ms), where they are copies for a time.
    Readable {
        /// When the first of the copies ends.
        until: Option<i64>,
    },
    /// Its masters are in the hot area again.
    Back,
    /// So many masters are on their way.
    Restoring {
        /// How many.
        masters: usize,
    },
}

/// How an asset is brought back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Return {
    /// How its masters are asked for.
    pub recall: Recall,
    /// Whether they go back into the hot area for good; a folder's always do.
    pub for_good: bool,
}

fn masters(catalog: &Catalog, asset: AssetId) -> Result<Vec<KeptMaster>> {
    let masters = catalog.masters_of(asset)?;
    match masters.is_empty() {
        true => Err(Error::not_found(format!("there is no asset {asset}"))),
        false => Ok(masters),
    }
}

/// Moves the masters of all of an asset's generations out of the hot area. Its renditions stay.
///
/// Errors: `Conflict` while another generation of it waits for its renditions.
pub fn archive(catalog: &Catalog, store: &dyn Store, asset: AssetId, actor: &str, stop: &Stop) -> Result<Shelved> {
    let place = store.archive_place()?;
    let masters = masters(catalog, asset)?;
    if !catalog.pending(Some(asset))?.is_empty() {
        return Err(Error::new(
            Kind::Conflict,
            format!("another generation of asset {asset} waits for its renditions"),
        )
        .hint("'damctl transcode' makes them; 'damctl rollback' gives it up"));
    }
    let known = catalog.archived_among(&masters.iter().map(|m| m.digest).collect::<Vec<_>>())?;
    let mut done = Shelved::default();
    for m in masters {
        stop.check()?;
        let was = known.get(&m.digest);
        if let Some(was) = was.filter(|a| a.state != ArchiveState::Archiving && a.place == place) {
            // A repair may have put it back meanwhile.
            let is_hot = store.availability(&m.key)? == Some(Availability::Online { until: None });
            if !is_hot || was.is_readable() {
                done.earlier += 1;
                continue;
            }
        }
        if catalog.is_at_work_on(&m.digest)? {
            return Err(Error::new(Kind::Conflict, format!("a job is at work on asset {asset}"))
                .hint("try again when it has ended; 'damctl status --watch' shows who works"));
        }
        let mark = |state, until| -> Result<Archived> {
            Ok(Archived { state, place: place.clone(), until, at: catalog.now()? })
        };
        catalog.set_archived(&m.digest, Some(&mark(ArchiveState::Archiving, None)?), actor)?;
        crate::crash::point("archive.after-mark");
        if let Err(e) = store.archive(&m.key, &m.digest, catalog.parts_of(&m.digest, m.bytes)?.as_ref()) {
            // What has not moved is not on its way.
            if matches!(store.availability(&m.key), Ok(Some(Availability::Online { until: None }))) {
                catalog.set_archived(&m.digest, was, actor)?;
            }
            return Err(e);
        }
        crate::crash::point("archive.before-catalog");
        // Some classes can be read as they are.
        let state = match store.availability(&m.key)? {
            Some(Availability::Online { until: None }) => ArchiveState::Readable,
            Some(_) => ArchiveState::Archived,
            None => return Err(Error::not_found(format!("the store has lost {}", m.key))),
        };
        catalog.set_archived(&m.digest, Some(&mark(state, None)?), actor)?;
        (done.masters, done.bytes) = (done.masters + 1, done.bytes + m.bytes);
    }
    Ok(done)
}

/// Brings the masters of an asset back, or asks for them; asked again, it looks how far they are.
pub fn restore(
    catalog: &Catalog,
    store: &dyn Store,
    asset: AssetId,
    how: &Return,
    (actor, stop): (&str, &Stop),
) -> Result<Restored> {
    let masters = masters(catalog, asset)?;
    let known = catalog.archived_among(&masters.iter().map(|m| m.digest).collect::<Vec<_>>())?;
    if known.is_empty() {
        return Ok(Restored::Never);
    }
    let (mut waits, mut back, mut until) = (0, 0, None::<i64>);
    for m in &masters {
        stop.check()?;
        let Some(was) = known.get(&m.digest) else { continue };
        let mark = |state, until| -> Result<Archived> {
            Ok(Archived { state, place: was.place.clone(), until, at: catalog.now()? })
        };
        if was.state != ArchiveState::Restoring && !was.is_readable() {
            catalog.set_archived(&m.digest, Some(&mark(ArchiveState::Restoring, None)?), actor)?;
        }
        crate::crash::point("restore.after-mark");
        let recalled = match store.recall(&m.key, &m.digest, &how.recall) {
            Ok(recalled) => recalled,
            Err(e) => {
                // What was not asked for is not on its way.
                if matches!(store.availability(&m.key), Ok(Some(Availability::Offline))) {
                    catalog.set_archived(&m.digest, Some(&mark(ArchiveState::Archived, None)?), actor)?;
                }
                return Err(e);
            }
        };
        crate::crash::point("restore.before-catalog");
        match recalled {
            Recalled::Asked => {
                waits += 1;
                continue;
            }
            Recalled::Online { .. } if how.for_good => {
                store.reinstate(&m.key, &m.digest, catalog.parts_of(&m.digest, m.bytes)?.as_ref())?;
                back += 1;
                catalog.set_archived(&m.digest, None, actor)?;
            }
            Recalled::Back => {
                back += 1;
                catalog.set_archived(&m.digest, None, actor)?;
            }
            Recalled::Online { until: ends } => {
                until = until.into_iter().chain(ends).min();
                let is = mark(ArchiveState::Readable, ends)?;
                if !was.is_readable() || was.until != ends {
                    catalog.set_archived(&m.digest, Some(&is), actor)?;
                }
            }
        }
        catalog.reopen_archived(&m.digest)?;
    }
    Ok(match (waits, back) {
        (0, n) if n == known.len() => Restored::Back,
        (0, _) => Restored::Readable { until },
        (masters, _) => Restored::Restoring { masters },
    })
}
