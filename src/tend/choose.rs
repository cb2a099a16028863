//! Which objects a round looks at: those that were looked at longest ago, as many as a share or a budget allows.
//!
//! An archive may have more objects than fit into memory, so they are gone through in pages, twice where there is a bound:
//! the first time only their numbers and costs are added up by the time of their last look.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
};

use super::look::{Level, Object, Owner};
use crate::{
    catalog::{Catalog, KeptMaster},
    error::{Error, Result},
    model::{Area, AssetId, Rendition},
};

/// Objects of a page.
const PAGE: i64 = 500;
/// Times that are told apart; of more, those next to each other count as one.
const MOST_TIMES: usize = 100_000;

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

/// A round, as far as it is chosen.
pub(super) struct Round<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) only: &'a [AssetId],
    pub(super) which: Which<'a>,
    pub(super) level: Level,
    /// Whether masters may be where they cannot be read even for a look.
    pub(super) has_archived: bool,
}

/// Numbers and costs of objects by their last look.
struct Times {
    /// So many milliseconds count as one time.
    grain: i64,
    by_time: BTreeMap<i64, (u64, u64)>,
}

impl Times {
    fn add(&mut self, last: i64, count: u64, cost: u64) {
        let entry = self.by_time.entry(last.div_euclid(self.grain)).or_default();
        (entry.0, entry.1) = (entry.0 + count, entry.1.saturating_add(cost));
        if self.by_time.len() > MOST_TIMES {
            let coarser = Self { grain: self.grain * 8, by_time: BTreeMap::new() };
            let finer = std::mem::replace(self, coarser);
            for (time, (count, cost)) in finer.by_time {
                self.add(time.saturating_mul(finer.grain), count, cost);
            }
        }
    }
}

/// Up to where objects are taken: all that were looked at before a time, and of that time the first ones.
struct Bound {
    grain: i64,
    time: i64,
    count: u64,
    cost: u64,
    is_first: bool,
}

impl Round<'_> {
    /// Calls `each` with every object of the round; it says whether it wants more.
    pub(super) fn each(&self, each: &mut dyn FnMut(Object) -> bool) -> Result<()> {
        let has_bound = self.which.share.is_some() || self.which.budget.is_some();
        if !has_bound && self.which.older_than_ms.is_none() {
            return self.objects(&mut |page| Ok(page.into_iter().all(&mut *each)));
        }
        let before = match self.which.older_than_ms {
            Some(age) => self.catalog.now()?.saturating_sub(age),
            None => i64::MAX,
        };
        let mut bound = has_bound.then(|| self.bound(before)).transpose()?;
        self.objects(&mut |page| {
            for (object, last, cost) in self.dated(page)? {
                let is_taken = last <= before && bound.as_mut().is_none_or(|bound| bound.takes(last, cost));
                if is_taken && !each(object) {
                    return Ok(false);
                }
            }
            Ok(true)
        })
    }

    /// Adds up what there is, and says how much of it is taken.
    fn bound(&self, before: i64) -> Result<Bound> {
        let (mut all, mut times) = (0_u64, Times { grain: 1, by_time: BTreeMap::new() });
        self.objects(&mut |page| {
            for (_, last, cost) in self.dated(page)? {
                all += 1;
                if last <= before {
                    times.add(last, 1, cost);
                }
            }
            Ok(true)
        })?;
        let mut count = self.which.share.map_or(u64::MAX, |share| (all as f64 * share).ceil() as u64);
        let mut cost = self.which.budget.unwrap_or(u64::MAX);
        let mut is_first = true;
        let at = |time, count, cost, is_first| Bound { grain: times.grain, time, count, cost, is_first };
        for (time, (objects, costs)) in &times.by_time {
            if *objects > count || *costs > cost {
                return Ok(at(*time, count, cost, is_first));
            }
            (count, cost, is_first) = (count - objects, cost - costs, false);
        }
        Ok(at(i64::MAX, 0, 0, false))
    }

    /// Objects with the times of their last looks and what a look costs. What cannot be read is looked at from afar, and no look
    /// at it is ever closer.
    fn dated(&self, page: Vec<Object>) -> Result<Vec<(Object, i64, u64)>> {
        let last = |page: &[Object], level: Level| {
            let keys: Vec<_> = page.iter().map(|o| &o.key).collect();
            self.catalog.last_sound_among(&keys, level.and_closer())
        };
        let closely = last(&page, self.level)?;
        let masters: Vec<_> = page.iter().filter(|o| matches!(o.of, Owner::Master)).map(|o| o.digest).collect();
        let archived = match self.has_archived && !masters.is_empty() {
            true => self.catalog.archived_among(&masters)?,
            false => HashMap::new(),
        };
        let afar = if archived.is_empty() { HashMap::new() } else { last(&page, Level::Head)? };
        Ok(page
            .into_iter()
            .map(|o| {
                let is_far = matches!(o.of, Owner::Master) && archived.get(&o.digest).is_some_and(|a| !a.is_readable());
                let (looks, level) = if is_far { (&afar, Level::Head) } else { (&closely, self.level) };
                let at = looks.get(o.key.as_str()).copied().unwrap_or(i64::MIN);
                let cost = level.cost(o.bytes);
                (o, at, cost)
            })
            .collect())
    }

    /// Calls `each` with all objects of the area and the place, in pages: masters by their keys, then renditions.
    fn objects(&self, each: &mut dyn FnMut(Vec<Object>) -> Result<bool>) -> Result<()> {
        let is_meant = |o: &Object| {
            self.which.area.is_none_or(|area| o.key.area() == area)
                && self.which.below.is_none_or(|below| o.key.as_str().starts_with(below))
        };
        let mut meant = |mut page: Vec<Object>| {
            page.retain(is_meant);
            if page.is_empty() { Ok(true) } else { each(page) }
        };
        if !self.only.is_empty() {
            return self.of_assets(&mut meant);
        }
        // Those of earlier generations are kept, too.
        let mut after = String::new();
        loop {
            let page = self.catalog.masters_by_key(&after, PAGE)?;
            let Some(last) = page.last() else { break };
            last.key.as_str().clone_into(&mut after);
            if !meant(page.into_iter().map(master).collect())? {
                return Ok(());
            }
        }
        let mut after = Default::default();
        loop {
            let page = self.catalog.renditions_page(&after, PAGE)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = (last.master.to_string(), last.entry.clone(), last.recipe.to_string());
            for r in page {
                if !meant(files(r)?)? {
                    return Ok(());
                }
            }
        }
    }

    fn of_assets(&self, each: &mut dyn FnMut(Vec<Object>) -> Result<bool>) -> Result<()> {
        for id in self.only {
            let kept = self.catalog.masters_of(*id)?;
            if kept.is_empty() {
                return Err(Error::not_found(format!("there is no asset {id}")));
            }
            let mut all: Vec<Object> = kept.into_iter().map(master).collect();
            for r in self.catalog.renditions_of(*id)? {
                all.extend(files(r)?);
            }
            if !each(all)? {
                return Ok(());
            }
        }
        Ok(())
    }
}

impl Bound {
    fn takes(&mut self, last: i64, cost: u64) -> bool {
        match last.div_euclid(self.grain).cmp(&self.time) {
            std::cmp::Ordering::Less => true,
            std::cmp::Ordering::Greater => false,
            std::cmp::Ordering::Equal => {
                // The next one may be larger than all that is given: then it is looked at alone.
                let takes = self.count > 0 && (cost <= self.cost || self.is_first);
                match takes {
                    true => (self.count, self.cost) = (self.count - 1, self.cost.saturating_sub(cost)),
                    // One that does not fit ends it.
                    false => self.count = 0,
                }
                self.is_first = false;
                takes
            }
        }
    }
}

fn master(m: KeptMaster) -> Object {
    let KeptMaster { digest, bytes, fingerprint, key } = m;
    Object { key, digest, bytes, fingerprint, of: Owner::Master }
}

fn files(r: Rendition) -> Result<Vec<Object>> {
    let r = Arc::new(r);
    let object = |file: &crate::model::RenditionFile| -> Result<Object> {
        let of = Owner::Rendition(r.clone());
        Ok(Object { key: r.prefix.join(&file.name)?, digest: file.digest, bytes: file.bytes, fingerprint: None, of })
    };
    r.files.iter().map(object).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_of_millions_take_no_more_room_and_lose_no_object() {
        let mut times = Times { grain: 1, by_time: BTreeMap::new() };
        times.add(i64::MIN, 3, 30);
        for n in 0..250_000 {
            times.add(n * 60_000, 1, 10);
        }
        assert!(times.by_time.len() <= MOST_TIMES && times.grain > 1, "{}", times.by_time.len());
        let sum = times.by_time.values().fold((0, 0), |sum, n| (sum.0 + n.0, sum.1 + n.1));
        assert_eq!(sum, (250_003, 2_500_030));
        assert_eq!(times.by_time.first_key_value(), Some((&i64::MIN.div_euclid(times.grain), &(3, 30))));
    }

    #[test]
    fn a_bound_takes_what_is_older_and_the_first_of_its_own_time() {
        let mut bound = Bound { grain: 1, time: 5, count: 2, cost: 100, is_first: false };
        let takes = [(4, 1000), (6, 1), (5, 60), (5, 60), (5, 10), (4, 1)].map(|(at, cost)| bound.takes(at, cost));
        assert_eq!(takes, [true, false, true, false, false, true]);
        let mut alone = Bound { grain: 1, time: 5, count: u64::MAX, cost: 1, is_first: true };
        assert_eq!([(5, 60), (5, 1)].map(|(at, cost)| alone.takes(at, cost)), [true, false]);
    }
}
