//! Asks the store for every object that a certificate names.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use super::{Certificate, StoreCheck, time};
use crate::{
    catalog::Catalog,
    digest::Digest,
    error::{Error, Result},
    model::Key,
    stop::Stop,
    store::Store,
};

/// Questions on their way at a time: each is short, and most of it is waiting.
const AT_A_TIME: usize = 16;

impl Certificate {
    /// Asks the store whether it has each object, in its size. What it has is confirmed in the catalog; what it lacks is
    /// missing from now on. This says nothing of the bytes: [`verify`](crate::tend::verify()) reads them.
    pub fn check(&mut self, catalog: &Catalog, store: &dyn Store, stop: &Stop) -> Result<()> {
        let mut objects: BTreeMap<Digest, (Key, u64)> = BTreeMap::new();
        for e in self.paths.iter().filter(|e| e.outcome.is_kept()) {
            if let (Some(digest), Some(key)) = (e.sha256, &e.key) {
                objects.insert(digest, (key.clone(), e.bytes));
            }
        }
        let lost = ask(store, &objects, stop)?;
        let confirmed: Vec<Digest> = objects.keys().filter(|d| !lost.contains_key(d)).copied().collect();
        catalog.confirm(&confirmed)?;
        catalog.lose(&lost.keys().copied().collect::<Vec<_>>())?;
        let at = time(catalog.now()?);
        for e in self.paths.iter_mut().filter(|e| e.outcome.is_kept()) {
            match e.sha256.and_then(|d| lost.get(&d)) {
                Some(why) => e.lose(why),
                None => e.confirmed = Some(at),
            }
        }
        self.head.store_check = Some(StoreCheck { at, objects: objects.len() as u64, missing: lost.len() as u64 });
        self.conclude();
        Ok(())
    }
}

/// What is wrong with objects, by digest.
fn ask(store: &dyn Store, objects: &BTreeMap<Digest, (Key, u64)>, stop: &Stop) -> Result<BTreeMap<Digest, String>> {
    let (queue, lost) = (Mutex::new(objects.iter()), Mutex::new(BTreeMap::new()));
    std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let next = queue.lock().unwrap_or_else(PoisonError::into_inner).next();
                let Some((digest, (key, bytes))) = next else { return Ok(()) };
                stop.check()?;
                let why = match store.size(key)? {
                    Some(size) if size == *bytes => continue,
                    Some(size) => format!("the store has {size} bytes of it"),
                    None => "the store does not have it".to_owned(),
                };
                lost.lock().unwrap_or_else(PoisonError::into_inner).insert(*digest, why);
            }
        };
        let threads: Vec<_> = (0..AT_A_TIME.min(objects.len())).map(|_| scope.spawn(work)).collect();
        let join = |t: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            t.join().unwrap_or_else(|_| Err(Error::internal("a checking thread panicked")))
        };
        threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect::<Result<()>>()
    })?;
    Ok(lost.into_inner().unwrap_or_else(PoisonError::into_inner))
}
