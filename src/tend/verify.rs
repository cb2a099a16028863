//! Holds stored objects against the catalog: as closely as is asked for.

use std::{
    collections::BTreeSet,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use super::look::{Depth, Finding, Level, Looker, Object, Owner};
use crate::{
    catalog::{Catalog, KeptMaster, Looked},
    digest::{Checked, Digest},
    error::{Error, Result},
    model::{Area, AssetId, Key, Rendition},
    pace::Pace,
    stop::Stop,
    store::{Store, ocfl},
};

/// So many sound masters are noted at a time.
const BATCH: usize = 500;

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

/// Which objects are looked at. Those that were looked at longest ago come first.
#[derive(Clone, Copy, Debug, Default)]
pub struct Which<'a> {
    /// Only those of this area.
    pub area: Option<Area>,
    /// Only those whose keys begin so.
    pub below: Option<&'a str>,
    /// Only those that were not found sound for so long, as closely (ms).
    pub older_than_ms: Option<i64>,
    /// Not more than this share of them.
    pub share: Option<f64>,
    /// As many as are read with so many bytes.
    pub budget: Option<u64>,
}

impl Which<'_> {
    /// Picks of these objects.
    fn pick(&self, catalog: &Catalog, level: Level, mut objects: Vec<Object>) -> Result<Vec<Object>> {
        objects.retain(|o| {
            self.area.is_none_or(|area| o.key.area() == area)
                && self.below.is_none_or(|below| o.key.as_str().starts_with(below))
        });
        if self.older_than_ms.is_none() && self.share.is_none() && self.budget.is_none() {
            return Ok(objects);
        }
        let last = catalog.last_sound(level.and_closer())?;
        let last_of = |o: &Object| last.get(o.key.as_str()).copied().unwrap_or(i64::MIN);
        let all = objects.len();
        if let Some(age) = self.older_than_ms {
            let before = catalog.now()?.saturating_sub(age);
            objects.retain(|o| last_of(o) <= before);
        }
        objects.sort_by_cached_key(|o| (last_of(o), o.key.clone()));
        if let Some(share) = self.share {
            objects.truncate((all as f64 * share).ceil() as usize);
        }
        if let Some(budget) = self.budget {
            let mut left = budget;
            let fits = |o: &Object| {
                let cost = level.cost(o.bytes);
                let fits = cost <= left;
                left = left.saturating_sub(cost);
                fits
            };
            // The next one may be larger than all that is given: then it is looked at alone.
            let count = objects.iter().map(fits).take_while(|fits| *fits).count();
            objects.truncate(count.max(1));
        }
        objects.sort_by(|a, b| a.key.cmp(&b.key));
        Ok(objects)
    }
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
    let (objects, renditions) = wanted(catalog, what.only)?;
    let objects = what.which.pick(catalog, what.level, objects)?;
    let mut looker = Looker::new(catalog, store, what.level, stop);
    looker.pace = what.pace;
    let (count, total) = (objects.len() as u64, objects.iter().map(|o| o.bytes).sum());
    let queue = Mutex::new(objects.into_iter());
    let round = Round { what, looker, renditions: &renditions, tally: Tally::default(), each };
    let looked = std::thread::scope(|scope| {
        let work = || -> Result<()> {
            loop {
                let next = lock(&queue).next();
                let Some(object) = next else { return Ok(()) };
                stop.check()?;
                round.look(&object)?;
            }
        };
        let threads: Vec<_> = (0..what.workers.max(1)).map(|_| scope.spawn(work)).collect();
        let join = |t: std::thread::ScopedJoinHandle<'_, Result<()>>| {
            t.join().unwrap_or_else(|_| Err(Error::internal("a verifying thread panicked")))
        };
        threads.into_iter().map(join).collect::<Vec<_>>().into_iter().collect::<Result<()>>()
    });
    // What was found sound before it was stopped is.
    round.note(None)?;
    looked?;
    let Round { looker, tally, .. } = round;
    let lost = tally.lost.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(Verified {
        objects: count,
        whole: tally.whole.into_inner(),
        sampled: tally.sampled.into_inner(),
        bytes: looker.bytes.into_inner(),
        total,
        bad: tally.bad.into_inner(),
        repaired: tally.repaired.into_inner(),
        lost: lost.into_iter().filter_map(|at| renditions.get(at).cloned()).collect(),
    })
}

/// What all threads of a round count together.
#[derive(Default)]
struct Tally {
    whole: AtomicU64,
    sampled: AtomicU64,
    bad: AtomicU64,
    repaired: AtomicU64,
    lost: Mutex<BTreeSet<usize>>,
    /// Looks that are not noted yet, each with the master that it confirms.
    looks: Mutex<Vec<(Looked, Option<Digest>)>>,
}

struct Round<'a> {
    what: &'a Verify<'a>,
    looker: Looker<'a>,
    renditions: &'a [Rendition],
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
            Owner::Rendition(at) => {
                if let (true, Some(r)) = (lock(&self.tally.lost).insert(*at), self.renditions.get(*at)) {
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
        let kept = catalog.masters_of(*id)?;
        if kept.is_empty() {
            return Err(Error::not_found(format!("there is no asset {id}")));
        }
        objects.extend(kept.into_iter().map(master));
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
