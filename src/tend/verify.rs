//! Reads stored objects again and compares size and SHA-256 with the catalog.

use std::{
    fmt,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    catalog::Catalog,
    digest::{Digest, Hasher},
    error::{Kind, Result},
    model::{AssetId, Key, Rendition},
    stop::Stop,
    store::Store,
};

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// It is not there.
    Missing,
    /// Its bytes are others.
    Damaged {
        /// As the catalog says.
        expected: Digest,
        /// As it was read.
        found: Digest,
    },
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Missing => f.write_str("the store does not have it"),
            Finding::Damaged { expected, found } => write!(f, "SHA-256 is {found}, not {expected}"),
        }
    }
}

/// What was read.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Verified {
    /// Objects looked at.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Objects that are missing or damaged.
    pub bad: u64,
}

/// Verifies all masters and renditions, or those of some assets, `workers` at a time. `each` hears of every finding.
pub fn verify(
    catalog: &Catalog,
    store: &dyn Store,
    only: &[AssetId],
    workers: usize,
    stop: &Stop,
    each: &(dyn Fn(&Key, &Finding) + Sync),
) -> Result<Verified> {
    let mut objects = Vec::new();
    let mut add_asset = |row: crate::catalog::AssetRow| -> Result<()> {
        objects.extend(row.masters.into_iter().map(|m| (m.key, m.digest)));
        Ok(())
    };
    if only.is_empty() {
        catalog.each_asset(&mut add_asset)?;
    } else {
        only.iter().try_for_each(|id| add_asset(catalog.asset(*id)?))?;
    }
    let add_rendition = |objects: &mut Vec<(Key, Digest)>, r: Rendition| -> Result<()> {
        for file in &r.files {
            objects.push((r.prefix.join(&file.name)?, file.digest));
        }
        Ok(())
    };
    if only.is_empty() {
        let mut after = Default::default();
        loop {
            let page = catalog.renditions_page(&after, 500)?;
            let Some(last) = page.last() else { break };
            after = (last.master.to_string(), last.entry.clone(), last.recipe.to_string());
            page.into_iter().try_for_each(|r| add_rendition(&mut objects, r))?;
        }
    } else {
        for id in only {
            catalog.renditions_of(*id)?.into_iter().try_for_each(|r| add_rendition(&mut objects, r))?;
        }
    }
    let (bytes, bad) = (AtomicU64::new(0), AtomicU64::new(0));
    let count = objects.len() as u64;
    let queue = Mutex::new(objects.into_iter());
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((key, expected)) = next else { return Ok(()) };
                stop.check()?;
                if let Some(finding) = look(store, &key, expected, stop, &bytes)? {
                    bad.fetch_add(1, Ordering::Relaxed);
                    each(&key, &finding);
                }
            }
        };
        let threads: Vec<_> = (0..workers.max(1)).map(|_| scope.spawn(work)).collect();
        let join = |t: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            t.join().unwrap_or_else(|_| Err(crate::error::Error::internal("a verifying thread panicked")))
        };
        threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect::<Result<()>>()
    })?;
    Ok(Verified { objects: count, bytes: bytes.into_inner(), bad: bad.into_inner() })
}

fn look(store: &dyn Store, key: &Key, expected: Digest, stop: &Stop, bytes: &AtomicU64) -> Result<Option<Finding>> {
    let object = match store.open(key, None) {
        Ok(object) => object,
        Err(e) if e.kind() == Kind::NotFound => return Ok(Some(Finding::Missing)),
        Err(e) => return Err(e),
    };
    let (found, _) = Hasher::read_all(object, |n| {
        bytes.fetch_add(n, Ordering::Relaxed);
        stop.check()
    })?;
    Ok((found != expected).then_some(Finding::Damaged { expected, found }))
}
