//! Holds stored objects against the catalog: as closely as is asked for.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use super::look::{Depth, Finding, Level, Looker, Object, Owner};
use crate::{
    catalog::{Catalog, KeptMaster},
    digest::Digest,
    error::{Error, Result},
    model::{AssetId, Key, Master, Rendition},
    stop::Stop,
    store::Store,
};

/// So many sound masters are noted at a time.
const BATCH: usize = 500;

/// What to verify, and how.
#[derive(Clone, Debug, Default)]
pub struct Verify<'a> {
    /// Only these assets; none: all.
    pub only: &'a [AssetId],
    /// How closely.
    pub level: Level,
    /// Objects at a time.
    pub workers: usize,
}

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// Objects looked at.
    pub objects: u64,
    /// Of these, read from beginning to end.
    pub whole: u64,
    /// Of these, read in some places.
    pub sampled: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Bytes that all these objects have.
    pub total: u64,
    /// Objects that are missing or damaged.
    pub bad: u64,
    /// Renditions of which files are missing or damaged.
    pub lost: Vec<Rendition>,
}

/// Verifies masters and renditions. `each` hears of every finding; of sound masters the catalog notes when they were
/// found to be so.
pub fn verify(
    catalog: &Catalog,
    store: &dyn Store,
    what: &Verify<'_>,
    stop: &Stop,
    each: &(dyn Fn(&Key, &Finding) + Sync),
) -> Result<Verified> {
    let (objects, renditions) = wanted(catalog, what.only)?;
    let looker = Looker::new(catalog, store, what.level, stop);
    let (count, total) = (objects.len() as u64, objects.iter().map(|o| o.bytes).sum());
    let (whole, sampled, bad) = (AtomicU64::new(0), AtomicU64::new(0), AtomicU64::new(0));
    let lost = Mutex::new(std::collections::BTreeSet::new());
    let sound = Mutex::new(Vec::new());
    let queue = Mutex::new(objects.into_iter());
    let looked = std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let next = lock(&queue).next();
                let Some(object) = next else { return Ok(()) };
                stop.check()?;
                let (depth, finding) = looker.look(&object)?;
                match depth {
                    Depth::Whole => _ = whole.fetch_add(1, Ordering::Relaxed),
                    Depth::Sampled => _ = sampled.fetch_add(1, Ordering::Relaxed),
                    Depth::Seen => {}
                }
                match (finding, &object.of) {
                    (None, Owner::Master) => confirm(catalog, &sound, Some(object.digest))?,
                    (None, Owner::Rendition(_)) => {}
                    (Some(finding), of) => {
                        if matches!(of, Owner::Master) && !matches!(finding, Finding::Inventory(_)) {
                            catalog.lose(&[object.digest])?;
                        }
                        bad.fetch_add(1, Ordering::Relaxed);
                        if let Owner::Rendition(at) = of {
                            lock(&lost).insert(*at);
                        }
                        each(&object.key, &finding);
                    }
                }
            }
        };
        let threads: Vec<_> = (0..what.workers.max(1)).map(|_| scope.spawn(work)).collect();
        let join = |t: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            t.join().unwrap_or_else(|_| Err(Error::internal("a verifying thread panicked")))
        };
        threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect::<Result<()>>()
    });
    // What was found sound before it was stopped is.
    confirm(catalog, &sound, None)?;
    looked?;
    let lost = lost.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Verified {
        objects: count,
        whole: whole.into_inner(),
        sampled: sampled.into_inner(),
        bytes: looker.bytes.into_inner(),
        total,
        bad: bad.into_inner(),
        lost: lost.into_iter().filter_map(|at| renditions.get(at).cloned()).collect(),
    })
}

/// Notes a sound master, many at a time; the last ones when there is none.
fn confirm(catalog: &Catalog, sound: &Mutex<Vec<Digest>>, one: Option<Digest>) -> Result<()> {
    let batch = {
        let mut sound = lock(sound);
        sound.extend(one);
        if one.is_some() && sound.len() < BATCH { Vec::new() } else { std::mem::take(&mut *sound) }
    };
    if batch.is_empty() { Ok(()) } else { catalog.confirm(&batch) }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// All objects that there should be, and the renditions that some of them are files of.
fn wanted(catalog: &Catalog, only: &[AssetId]) -> Result<(Vec<Object>, Vec<Rendition>)> {
    let mut objects: Vec<Object> = Vec::new();
    let mut renditions: Vec<Rendition> = Vec::new();
    let master =
        |KeptMaster { digest, bytes, fingerprint, key }| Object { key, digest, bytes, fingerprint, of: Owner::Master };
    if only.is_empty() {
        // Those of earlier generations are kept, too.
        let mut after = String::new();
        loop {
            let page = catalog.masters_page(&after, 500)?;
            let Some(last) = page.last() else { break };
            after = last.digest.to_string();
            objects.extend(page.into_iter().map(master));
        }
    }
    for id in only {
        let masters = catalog.asset(*id)?.masters.into_iter();
        let kept = masters.map(|Master { digest, bytes, fingerprint, key, .. }| KeptMaster {
            digest,
            bytes,
            fingerprint,
            key,
        });
        objects.extend(kept.map(master));
    }
    let mut add_rendition = |r: Rendition| -> Result<()> {
        for file in &r.files {
            let of = Owner::Rendition(renditions.len());
            let key = r.prefix.join(&file.name)?;
            objects.push(Object { key, digest: file.digest, bytes: file.bytes, fingerprint: None, of });
        }
        renditions.push(r);
        Ok(())
    };
    if only.is_empty() {
        let mut after = Default::default();
        loop {
            let page = catalog.renditions_page(&after, 500)?;
            let Some(last) = page.last() else { break };
            after = (last.master.to_string(), last.entry.clone(), last.recipe.to_string());
            page.into_iter().try_for_each(&mut add_rendition)?;
        }
    } else {
        for id in only {
            catalog.renditions_of(*id)?.into_iter().try_for_each(&mut add_rendition)?;
        }
    }
    // Those of one object are looked at one after the other.
    objects.sort_by(|a, b| a.key.cmp(&b.key));
    Ok((objects, renditions))
}

/// Takes renditions whose files are lost out of store and catalog, in this order: whatever dies in between, they are
/// found missing and not taken for sound. What is wanted of them is then made again.
pub fn drop_lost(catalog: &Catalog, store: &dyn Store, lost: &[Rendition]) -> Result<()> {
    for r in lost {
        store.remove(&r.prefix)?;
        catalog.forget_rendition(r)?;
    }
    Ok(())
}
