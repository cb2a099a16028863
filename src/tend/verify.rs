//! Holds stored objects against the catalog: as closely as is asked for.

use std::{
    collections::BTreeMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, AtomicU64, Ordering},
        mpsc::{TrySendError, sync_channel},
    },
    time::Duration,
};

use super::{
    choose::{self, Which},
    look::{Depth, Finding, Level, Looker, Object, Owner},
};
use crate::{
    catalog::{Catalog, Looked},
    digest::{Checked, Digest},
    error::{Error, Result},
    model::{AssetId, Key, Rendition},
    pace::Pace,
    stop::Stop,
    store::{Store, ocfl},
};

/// So many sound masters are noted at a time.
const BATCH: usize = 500;
/// So many objects wait to be looked at.
const QUEUE: usize = 1000;

/// What to verify, and how.
#[derive(Clone, Default)]
pub struct Verify<'a> {
    /// Only these assets; none: all.
    pub only: &'a [AssetId],
    /// How closely.
    pub level: Level,
    /// Objects at a time.
    pub workers: usize,
    /// Which of the objects.
    pub which: Which<'a>,
    /// How fast all of them together are read.
    pub pace: Option<&'a Pace>,
    /// Where copies are, by their names: what is damaged is repaired from the first that is sound.
    pub replicas: &'a [(String, Arc<dyn Store>)],
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
    /// Objects that were, and are repaired.
    pub repaired: u64,
    /// Renditions of which files are missing or damaged.
    pub lost: Vec<Rendition>,
}

/// What hears of findings: the object, what is wrong, and the place from which it was repaired, if it was.
pub type OnFinding<'a> = &'a (dyn Fn(&Key, &Finding, Option<&str>) + Sync);

/// Verifies masters and renditions. `each` hears of every finding; of sound masters the catalog notes when they were
/// found to be so, and of all objects what came of the look.
pub fn verify(
    catalog: &Catalog,
    store: &dyn Store,
    what: &Verify<'_>,
    stop: &Stop,
    each: OnFinding<'_>,
) -> Result<Verified> {
    let mut looker = Looker::new(catalog, store, what.level, stop)?;
    looker.pace = what.pace;
    let round = Round { what, looker, tally: Tally::default(), each };
    let (count, total) = (AtomicU64::new(0), AtomicU64::new(0));
    let has_archived = !store.reads_offline() && catalog.has_archived()?;
    let chosen = choose::Round { catalog, only: what.only, which: what.which, level: what.level, has_archived };
    let (queue, next) = sync_channel::<Object>(QUEUE);
    let next = Mutex::new(next);
    let is_over = AtomicBool::new(false);
    let looked = std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let Ok(object) = lock(&next).recv() else { return Ok(()) };
                if is_over.load(Ordering::Acquire) {
                    return Ok(());
                }
                if let Err(e) = stop.check().and_then(|()| round.look(&object)) {
                    is_over.store(true, Ordering::Release);
                    return Err(e);
                }
            }
        };
        let threads: Vec<_> = (0..what.workers.max(1)).map(|_| scope.spawn(work)).collect();
        let ended = chosen.each(&mut |object| {
            count.fetch_add(1, Ordering::Relaxed);
            total.fetch_add(object.bytes, Ordering::Relaxed);
            let mut waits = object;
            // Whoever has failed takes nothing more.
            while !is_over.load(Ordering::Acquire) {
                match queue.try_send(waits) {
                    Ok(()) => return true,
                    Err(TrySendError::Full(object)) => waits = object,
                    Err(TrySendError::Disconnected(_)) => return false,
                }
                std::thread::sleep(Duration::from_millis(2));
            }
            false
        });
        drop(queue);
        let join = |t: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            t.join().unwrap_or_else(|_| Err(Error::internal("a verifying thread panicked")))
        };
        let looked = threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect::<Result<()>>();
        ended.and(looked)
    });
    // What was found sound before it was stopped is.
    round.note(None)?;
    looked?;
    let Round { looker, tally, .. } = round;
    let lost = tally.lost.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Verified {
        objects: count.into_inner(),
        whole: tally.whole.into_inner(),
        sampled: tally.sampled.into_inner(),
        bytes: looker.bytes.into_inner(),
        total: total.into_inner(),
        bad: tally.bad.into_inner(),
        repaired: tally.repaired.into_inner(),
        lost: lost.into_values().map(|r| Rendition::clone(&r)).collect(),
    })
}

/// What all threads of a round count together.
#[derive(Default)]
struct Tally {
    whole: AtomicU64,
    sampled: AtomicU64,
    bad: AtomicU64,
    repaired: AtomicU64,
    lost: Mutex<BTreeMap<Key, Arc<Rendition>>>,
    /// Looks that are not noted yet, each with the master that it confirms.
    looks: Mutex<Vec<(Looked, Option<Digest>)>>,
}

struct Round<'a> {
    what: &'a Verify<'a>,
    looker: Looker<'a>,
    tally: Tally,
    each: OnFinding<'a>,
}

impl Round<'_> {
    fn look(&self, object: &Object) -> Result<()> {
        let (depth, finding) = self.looker.look(object)?;
        match depth {
            Depth::Whole => _ = self.tally.whole.fetch_add(1, Ordering::Relaxed),
            Depth::Sampled => _ = self.tally.sampled.fetch_add(1, Ordering::Relaxed),
            Depth::Seen => {}
        }
        let level = match depth {
            Depth::Whole => Level::Full,
            Depth::Sampled => Level::Sample,
            Depth::Seen => Level::Head,
        };
        let at = self.looker.catalog.now()?;
        let look = |result: &str, detail: Option<String>| Looked {
            key: object.key.clone(),
            at,
            level: level.as_str().to_owned(),
            result: result.to_owned(),
            detail,
        };
        let master = matches!(object.of, Owner::Master).then_some(object.digest);
        let Some(finding) = finding else { return self.note(Some((look("sound", None), master))) };
        if let (Owner::Master, Some(place)) = (&object.of, self.repair(object, &finding)?) {
            self.tally.repaired.fetch_add(1, Ordering::Relaxed);
            self.tell("asset.repaired", object, &finding)?;
            (self.each)(&object.key, &finding, Some(place));
            return self.note(Some((look("repaired", Some(finding.to_string())), master)));
        }
        let result = if finding == Finding::Missing { "missing" } else { "damaged" };
        self.tally.bad.fetch_add(1, Ordering::Relaxed);
        match &object.of {
            Owner::Master => {
                if !matches!(finding, Finding::Inventory(_)) {
                    self.looker.catalog.lose(&[object.digest])?;
                }
                self.tell("asset.damaged", object, &finding)?;
            }
            Owner::Rendition(r) => {
                if lock(&self.tally.lost).insert(r.prefix.clone(), r.clone()).is_none() {
                    self.looker.catalog.withhold(r, &object.key, &finding.to_string())?;
                }
            }
        }
        (self.each)(&object.key, &finding, None);
        self.note(Some((look(result, Some(finding.to_string())), None)))
    }

    fn tell(&self, kind: &str, object: &Object, finding: &Finding) -> Result<()> {
        let catalog = self.looker.catalog;
        match catalog.master_by_digest(&object.digest)? {
            Some(master) => catalog.tell_fixity(kind, master.asset, &object.key, &finding.to_string()),
            None => Ok(()),
        }
    }

    /// Repairs a master, or the inventory of its object, from the first copy that is sound; says where that is. A copy of
    /// other bytes is told, and never used.
    fn repair(&self, object: &Object, finding: &Finding) -> Result<Option<&str>> {
        let store = self.looker.store;
        for (place, replica) in self.what.replicas {
            if let (Finding::Inventory(_), Some(root)) = (finding, ocfl::root_of(&object.key)) {
                let (latest, versions) = ocfl::Inventory::latest_version(store, &root)?;
                match ocfl::Inventory::checked(&**replica, &root)? {
                    // The latest version's own copy is the root's, whatever others have.
                    _ if latest.as_ref().is_some_and(|own| own.holds(&object.digest)) => {
                        latest.map_or(Ok(()), |own| own.publish(store, &root))?;
                    }
                    Ok(inventory) if inventory.holds(&object.digest) && inventory.head()? >= versions => {
                        inventory.publish(store, &root)?;
                    }
                    _ => {
                        (self.each)(&object.key, &Finding::Copy { place: place.clone() }, None);
                        continue;
                    }
                }
                self.looker.forget_inventories();
            } else {
                match replica.size(&object.key)? {
                    None => continue,
                    Some(_) => {
                        let from = replica.open(&object.key, None)?;
                        let mut from = Checked::new(from, object.digest);
                        match store.restore(&object.key, object.bytes, &mut from) {
                            Ok(()) => {}
                            Err(_) if from.was_wrong() => {
                                (self.each)(&object.key, &Finding::Copy { place: place.clone() }, None);
                                continue;
                            }
                            Err(e) => return Err(e),
                        }
                    }
                }
            }
            crate::crash::point("replicate.after-repair");
            // What the repaired store gives now counts, not what was sent to it.
            return Ok(self.looker.look(object)?.1.is_none().then_some(place.as_str()));
        }
        Ok(None)
    }

    /// Notes a look, many at a time; the last ones when there is none.
    fn note(&self, one: Option<(Looked, Option<Digest>)>) -> Result<()> {
        let batch = {
            let mut looks = lock(&self.tally.looks);
            let is_last = one.is_none();
            looks.extend(one);
            if !is_last && looks.len() < BATCH { Vec::new() } else { std::mem::take(&mut *looks) }
        };
        if batch.is_empty() {
            return Ok(());
        }
        let (looks, masters): (Vec<Looked>, Vec<Option<Digest>>) = batch.into_iter().unzip();
        self.looker.catalog.confirm(&masters.into_iter().flatten().collect::<Vec<_>>())?;
        self.looker.catalog.note_fixity(&looks)
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
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
