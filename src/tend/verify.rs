//! Reads stored objects again and compares size and SHA-256 with the catalog.

use std::{
    fmt,
    io::Read,
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    catalog::Catalog,
    digest::{Digest, Hasher},
    error::{Doing, Kind, Result},
    model::{AssetId, Key, Rendition},
    stop::Stop,
    store::{Store, ocfl},
};

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// It is not there.
    Missing,
    /// A master's own inventory, by which it can be read without the catalog, does not say what it should.
    Inventory(&'static str),
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
            Finding::Inventory(why) => write!(f, "its inventory {why}"),
            Finding::Damaged { expected, found } => write!(f, "SHA-256 is {found}, not {expected}"),
        }
    }
}

/// What was read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Verified {
    /// Objects looked at.
    pub objects: u64,
    /// Bytes read.
    pub bytes: u64,
    /// Objects that are missing or damaged.
    pub bad: u64,
    /// Renditions of which files are missing or damaged.
    pub lost: Vec<Rendition>,
}

/// An object to look at, and what it belongs to.
struct Object {
    key: Key,
    digest: Digest,
    of: Owner,
}

enum Owner {
    Master,
    Rendition(usize),
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
    let mut objects: Vec<Object> = Vec::new();
    let mut renditions: Vec<Rendition> = Vec::new();
    let mut add_asset = |row: crate::catalog::AssetRow| -> Result<()> {
        objects.extend(row.masters.into_iter().map(|m| Object { key: m.key, digest: m.digest, of: Owner::Master }));
        Ok(())
    };
    if only.is_empty() {
        catalog.each_asset(&mut add_asset)?;
    } else {
        only.iter().try_for_each(|id| add_asset(catalog.asset(*id)?))?;
    }
    let mut add_rendition = |r: Rendition| -> Result<()> {
        for file in &r.files {
            let of = Owner::Rendition(renditions.len());
            objects.push(Object { key: r.prefix.join(&file.name)?, digest: file.digest, of });
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
    let (bytes, bad) = (AtomicU64::new(0), AtomicU64::new(0));
    let lost = Mutex::new(std::collections::BTreeSet::new());
    let count = objects.len() as u64;
    let queue = Mutex::new(objects.into_iter());
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some(object) = next else { return Ok(()) };
                stop.check()?;
                let mut finding = look(store, &object.key, object.digest, stop, &bytes)?;
                if let (None, Owner::Master) = (&finding, &object.of) {
                    finding = inventory(store, &object.key, &object.digest)?.map(Finding::Inventory);
                }
                if let Some(finding) = finding {
                    bad.fetch_add(1, Ordering::Relaxed);
                    if let Owner::Rendition(at) = object.of {
                        lost.lock().unwrap_or_else(PoisonError::into_inner).insert(at);
                    }
                    each(&object.key, &finding);
                }
            }
        };
        let threads: Vec<_> = (0..workers.max(1)).map(|_| scope.spawn(work)).collect();
        let join = |t: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            t.join().unwrap_or_else(|_| Err(crate::error::Error::internal("a verifying thread panicked")))
        };
        threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect::<Result<()>>()
    })?;
    let lost = lost.into_inner().unwrap_or_else(PoisonError::into_inner);
    let lost = lost.into_iter().filter_map(|at| renditions.get(at).cloned()).collect();
    Ok(Verified { objects: count, bytes: bytes.into_inner(), bad: bad.into_inner(), lost })
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

/// What is wrong with a master's inventory (OCFL 1.1 §3.5, §3.7), if anything.
fn inventory(store: &dyn Store, master: &Key, digest: &Digest) -> Result<Option<&'static str>> {
    let Some(root) = ocfl::root_of(master) else { return Ok(Some("cannot be: it lies in no object")) };
    let read = |name: &str| -> Result<Option<Vec<u8>>> {
        let key = root.join(name)?;
        match store.open(&key, None) {
            Ok(mut object) => {
                let mut bytes = Vec::new();
                object.read_to_end(&mut bytes).doing(|| format!("cannot read {key}"))?;
                Ok(Some(bytes))
            }
            Err(e) if e.kind() == Kind::NotFound => Ok(None),
            Err(e) => Err(e),
        }
    };
    let (Some(text), Some(sidecar)) = (read("inventory.json")?, read("inventory.json.sha256")?) else {
        return Ok(Some("is missing"));
    };
    let said = sidecar.split(|b| b.is_ascii_whitespace()).next().unwrap_or_default();
    if said != Digest::of(&text).to_string().as_bytes() {
        return Ok(Some("is not the one that its sidecar tells"));
    }
    let holds = serde_json::from_slice::<ocfl::Inventory>(&text).is_ok_and(|i| i.holds(digest));
    Ok((!holds).then_some("does not name these bytes"))
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
