//! Counts what is found by its labels.

use std::{
    collections::{HashMap, hash_map::Entry},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use tantivy::{
    DocId, Searcher as Pieces, SegmentReader,
    columnar::StrColumn,
    index::SegmentId,
    query::{EnableScoring, Query, Weight},
    schema::Field,
};

use super::{
    breadth::Breadth,
    join::{Assets, from},
    question::MOST_VALUES,
};

/// The fields that are counted.
pub const FACETS: [&str; 15] = [
    "kind",
    "collection",
    "program",
    "category",
    "people",
    "places",
    "organizations",
    "objects",
    "topics",
    "tags",
    "codec",
    "license",
    "territory",
    "consent",
    "archived",
];

/// How many assets have each value of a field, the most frequent first.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Facet {
    /// One of [`FACETS`].
    pub field: String,
    /// Values, each with its number of assets.
    pub values: Vec<(String, u64)>,
    /// Assets with values that are not listed, each counted as often as it has one.
    pub others: u64,
}

/// Counts values of some fields.
pub(super) struct Counter<'a> {
    pub(super) fields: &'a [String],
    pub(super) values: &'a Values,
    /// Where assets lie, and the field that tells them.
    pub(super) assets: (&'a Assets, Field),
}

/// Values of a field that are looked at in each piece of an index.
const LOOKED_UP: usize = 200;
/// Values of a field that are kept in memory; of more, each is looked up where it lies.
const MOST_KEPT: usize = 4_000_000;

/// Values of fields, by the pieces of an index that have them: to look one up in its dictionary takes as long as to count
/// a thousand of them.
#[derive(Clone, Default)]
pub(super) struct Values(Arc<Mutex<Kept>>);

#[derive(Default)]
struct Kept {
    spelled: HashMap<(SegmentId, String), Arc<Spelled>>,
    /// None while somebody makes it.
    placed: HashMap<(SegmentId, String), Option<Arc<Placed>>>,
}

/// The values of one field of each asset of a piece, by their numbers: the column finds an asset's among those of all
/// documents, which takes several times as long as to count them.
struct Placed {
    /// Where those of each asset begin, and where the last ones end.
    begins: Vec<u32>,
    ords: Vec<u32>,
    /// How often there is each value.
    counts: Vec<u32>,
}

/// Where more than one asset in so many is counted, their values are kept.
const MANY: usize = 16;

/// The values of one field of one piece, in their order.
#[derive(Default)]
struct Spelled {
    text: String,
    ends: Vec<usize>,
}

impl Values {
    /// Forgets pieces that are not part of the index any more.
    pub(super) fn keep(&self, pieces: &[&SegmentReader]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_there = |id: &SegmentId| pieces.iter().any(|reader| reader.segment_id() == *id);
        known.spelled.retain(|(id, _), _| is_there(id));
        known.placed.retain(|(id, _), _| is_there(id));
    }

    /// None while somebody else makes it: of a large piece that takes half a second, which whoever comes meanwhile is
    /// neither to wait for nor to do as well.
    fn placed(&self, key: &(SegmentId, String), column: &StrColumn, assets: &[DocId]) -> Option<Arc<Placed>> {
        match self.0.lock().unwrap_or_else(PoisonError::into_inner).placed.entry(key.clone()) {
            Entry::Occupied(known) => return known.get().clone(),
            Entry::Vacant(new) => new.insert(None),
        };
        let mut placed =
            Placed { begins: vec![0], ords: Vec::with_capacity(assets.len()), counts: vec![0; column.num_terms()] };
        for doc in assets {
            placed.ords.extend(column.term_ords(*doc).map(|ord| ord as u32));
            placed.begins.push(placed.ords.len() as u32);
        }
        placed.ords.iter().for_each(|ord| placed.counts[*ord as usize] += 1);
        let placed = Arc::new(placed);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).placed.insert(key.clone(), Some(placed.clone()));
        Some(placed)
    }

    fn of(&self, key: &(SegmentId, String), column: &StrColumn) -> tantivy::Result<Option<Arc<Spelled>>> {
        let known = |all: &Self| all.0.lock().unwrap_or_else(PoisonError::into_inner).spelled.get(key).cloned();
        if column.num_terms() > MOST_KEPT {
            return Ok(None);
        }
        if let Some(known) = known(self) {
            return Ok(Some(known));
        }
        let mut spelled = Spelled::default();
        let mut stream = column.dictionary().stream()?;
        while stream.advance() {
            spelled.text.push_str(&String::from_utf8_lossy(stream.key()));
            spelled.ends.push(spelled.text.len());
        }
        let spelled = Arc::new(spelled);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).spelled.insert(key.clone(), spelled.clone());
        Ok(Some(spelled))
    }
}

impl Spelled {
    fn value(&self, ord: usize) -> Option<&str> {
        let begin = ord.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(begin..*self.ends.get(ord)?)
    }
}

impl Placed {
    fn of(&self, asset: usize) -> &[u32] {
        &self.ords[self.begins[asset] as usize..self.begins[asset + 1] as usize]
    }

    /// How often the found assets have each value. Where most are found, the others are taken away from all.
    fn count(&self, found: &Marked) -> Vec<u32> {
        if found.count > found.len / 2 {
            let mut counts = self.counts.clone();
            found.each(false, |asset| self.of(asset).iter().for_each(|ord| counts[*ord as usize] -= 1));
            return counts;
        }
        let mut counts = vec![0; self.counts.len()];
        found.each(true, |asset| self.of(asset).iter().for_each(|ord| counts[*ord as usize] += 1));
        counts
    }
}

/// Which assets of a piece were found, by their numbers in it.
struct Marked {
    bits: Vec<u64>,
    len: usize,
    count: usize,
}

impl Marked {
    fn new(len: usize) -> Self {
        Self { bits: vec![0; len.div_ceil(u64::BITS as usize)], len, count: 0 }
    }

    fn mark(&mut self, asset: usize) {
        self.bits[asset / u64::BITS as usize] |= 1 << (asset % u64::BITS as usize);
        self.count += 1;
    }

    /// Calls `each` with those that were found, or with the others.
    fn each(&self, found: bool, mut each: impl FnMut(usize)) {
        for (place, bits) in self.bits.iter().enumerate() {
            let first = place * u64::BITS as usize;
            let mut bits = if found { *bits } else { !*bits };
            while bits != 0 {
                let asset = first + bits.trailing_zeros() as usize;
                bits &= bits - 1;
                if asset < self.len {
                    each(asset);
                }
            }
        }
    }
}

/// Counted values of one field, and what was counted and not looked up.
#[derive(Clone, Debug, Default)]
struct Counts {
    values: HashMap<String, u64>,
    rest: u64,
}

impl Counts {
    fn add(&mut self, more: Self) {
        for (value, n) in more.values {
            *self.values.entry(value).or_default() += n;
        }
        self.rest += more.rest;
    }
}

impl Counter<'_> {
    /// The most frequent values of each field, of what a query finds.
    pub(super) fn count(&self, shards: &[Pieces], query: &dyn Query, breadth: Breadth) -> tantivy::Result<Vec<Facet>> {
        let mut sum = vec![Counts::default(); self.fields.len()];
        for shard in shards {
            let weight = query.weight(EnableScoring::disabled_from_searcher(shard))?;
            for of_piece in breadth.each(shard.segment_readers(), |_, reader| self.of_piece(&*weight, reader))? {
                sum.iter_mut().zip(of_piece).for_each(|(sum, counts)| sum.add(counts));
            }
        }
        Ok(facets(self.fields, sum, MOST_VALUES))
    }

    fn of_piece(&self, weight: &dyn Weight, reader: &SegmentReader) -> tantivy::Result<Vec<Counts>> {
        let assets = self.assets.0.of(reader, self.assets.1)?;
        let alive = reader.alive_bitset();
        let (mut found, mut at) = (Marked::new(assets.len()), 0);
        weight.for_each_no_score(reader, &mut |docs| {
            for doc in docs.iter().filter(|doc| alive.is_none_or(|alive| alive.is_alive(**doc))) {
                at = from(&assets, at, *doc);
                if assets.get(at) == Some(doc) {
                    found.mark(at);
                }
            }
        })?;
        self.fields.iter().map(|field| self.counts(field, reader, (&found, &assets))).collect()
    }

    fn counts(
        &self,
        field: &str,
        reader: &SegmentReader,
        (found, assets): (&Marked, &[DocId]),
    ) -> tantivy::Result<Counts> {
        let mut all = Counts::default();
        let Some(column) = reader.fast_fields().str(field)? else { return Ok(all) };
        let key = (reader.segment_id(), field.to_owned());
        let is_many = found.count > assets.len() / MANY && column.num_terms() <= MOST_KEPT;
        let frequent = match is_many.then(|| self.values.placed(&key, &column, assets)).flatten() {
            Some(placed) => frequent(placed.count(found).into_iter().zip(0..), &mut all.rest),
            None => {
                let mut counts: HashMap<u32, u32> = HashMap::new();
                found.each(true, |asset| {
                    column.term_ords(assets[asset]).for_each(|ord| *counts.entry(ord as u32).or_default() += 1);
                });
                frequent(counts.into_iter().map(|(ord, n)| (n, ord)), &mut all.rest)
            }
        };
        let spelled = self.values.of(&key, &column)?;
        for (n, ord) in frequent {
            let value = match spelled.as_ref().and_then(|spelled| spelled.value(ord as usize)) {
                Some(value) => value.to_owned(),
                None => {
                    let mut value = String::new();
                    column.ord_to_str(u64::from(ord), &mut value)?;
                    value
                }
            };
            all.values.insert(value, u64::from(n));
        }
        Ok(all)
    }
}

/// The most frequent of counted values, of equals the first, and of the others the sum.
fn frequent(counted: impl Iterator<Item = (u32, u32)>, rest: &mut u64) -> Vec<(u32, u32)> {
    let order = |a: &(u32, u32), b: &(u32, u32)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
    let mut best: Vec<(u32, u32)> = Vec::with_capacity(2 * LOOKED_UP);
    // The last of those that are kept: most values of names are there once or twice, and come after it.
    let mut last = (0, 0);
    for each in counted {
        *rest += u64::from(each.0);
        if order(&each, &last).is_lt() {
            best.push(each);
            if best.len() == 2 * LOOKED_UP {
                best.select_nth_unstable_by(LOOKED_UP - 1, order);
                best.truncate(LOOKED_UP);
                last = best[LOOKED_UP - 1];
            }
        }
    }
    best.sort_unstable_by(order);
    best.truncate(LOOKED_UP);
    *rest -= best.iter().map(|(n, _)| u64::from(*n)).sum::<u64>();
    best
}

/// The most frequent values of each field.
fn facets(fields: &[String], counts: Vec<Counts>, most: usize) -> Vec<Facet> {
    let facet = |(field, counts): (&String, Counts)| {
        let mut values: Vec<(String, u64)> = counts.values.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let others = counts.rest + values.iter().skip(most).map(|(_, n)| n).sum::<u64>();
        values.truncate(most);
        Facet { field: field.clone(), values, others }
    };
    fields.iter().zip(counts).map(facet).collect()
}
