//! Counts what is found by its labels.

use std::{
    collections::{BTreeMap, HashMap},
    sync::{Arc, Mutex, PoisonError},
};

use serde::Serialize;
use tantivy::{
    DocId, Score, SegmentOrdinal, SegmentReader,
    collector::{Collector, SegmentCollector},
    columnar::StrColumn,
    index::SegmentId,
    schema::Field,
};

use super::join::Assets;

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
pub(super) struct Counter {
    pub(super) fields: Vec<String>,
    pub(super) values: Values,
    /// Where assets lie, and the field that tells them.
    pub(super) assets: (Assets, Field),
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
    placed: HashMap<(SegmentId, String), Arc<Placed>>,
}

/// The values of one field of each asset of a piece, by their numbers: the column finds an asset's among those of all
/// documents, which takes several times as long as to count them.
struct Placed {
    ends: Vec<u32>,
    ords: Vec<u32>,
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

    fn placed(&self, key: &(SegmentId, String), column: &StrColumn, assets: &[DocId]) -> Arc<Placed> {
        let known = |all: &Self| all.0.lock().unwrap_or_else(PoisonError::into_inner).placed.get(key).cloned();
        if let Some(known) = known(self) {
            return known;
        }
        let mut placed = Placed { ends: Vec::with_capacity(assets.len()), ords: Vec::with_capacity(assets.len()) };
        for doc in assets {
            placed.ords.extend(column.term_ords(*doc).map(|ord| ord as u32));
            placed.ends.push(placed.ords.len() as u32);
        }
        let placed = Arc::new(placed);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).placed.insert(key.clone(), placed.clone());
        placed
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

/// Counted values of one field, and what was counted and not looked up.
#[derive(Clone, Debug, Default)]
pub(super) struct Counts {
    values: BTreeMap<String, u64>,
    rest: u64,
}

impl Collector for Counter {
    type Fruit = Vec<Counts>;
    type Child = Counting;

    fn for_segment(&self, _: SegmentOrdinal, reader: &SegmentReader) -> tantivy::Result<Counting> {
        let column = |field: &String| {
            let column = reader.fast_fields().str(field)?;
            Ok(Column { key: (reader.segment_id(), field.clone()), values: self.values.clone(), column })
        };
        let assets = self.assets.0.of(reader, self.assets.1)?;
        let columns = self.fields.iter().map(column).collect::<tantivy::Result<_>>()?;
        Ok(Counting { columns, assets, found: Vec::new() })
    }

    fn requires_scoring(&self) -> bool {
        false
    }

    fn merge_fruits(&self, pieces: Vec<tantivy::Result<Vec<Counts>>>) -> tantivy::Result<Vec<Counts>> {
        let mut sum = vec![Counts::default(); self.fields.len()];
        for piece in pieces {
            add(&mut sum, piece?);
        }
        Ok(sum)
    }
}

pub(super) fn add(sum: &mut [Counts], more: Vec<Counts>) {
    for (sum, more) in sum.iter_mut().zip(more) {
        for (value, n) in more.values {
            *sum.values.entry(value).or_default() += n;
        }
        sum.rest += more.rest;
    }
}

pub(super) struct Counting {
    columns: Vec<Column>,
    assets: Arc<Vec<DocId>>,
    /// What was found, in its order.
    found: Vec<DocId>,
}

struct Column {
    key: (SegmentId, String),
    values: Values,
    column: Option<StrColumn>,
}

impl SegmentCollector for Counting {
    type Fruit = tantivy::Result<Vec<Counts>>;

    fn collect(&mut self, doc: DocId, _: Score) {
        self.found.push(doc);
    }

    fn collect_block(&mut self, docs: &[DocId]) {
        self.found.extend_from_slice(docs);
    }

    fn harvest(self) -> Self::Fruit {
        self.columns.iter().map(|column| column.counts(&self.found, &self.assets)).collect()
    }
}

impl Column {
    fn counts(&self, found: &[DocId], assets: &[DocId]) -> tantivy::Result<Counts> {
        let mut all = Counts::default();
        let Some(column) = &self.column else { return Ok(all) };
        let terms = column.num_terms();
        let frequent = match found.len() > assets.len() / MANY && terms <= MOST_KEPT {
            true => {
                let placed = self.values.placed(&self.key, column, assets);
                let mut counts = vec![0_u32; terms];
                let mut at = 0;
                for doc in found {
                    while assets.get(at).is_some_and(|asset| asset < doc) {
                        at += 1;
                    }
                    let begin = at.checked_sub(1).map_or(0, |before| placed.ends[before]);
                    let end = placed.ends.get(at).copied().unwrap_or(begin);
                    for ord in &placed.ords[begin as usize..end as usize] {
                        counts[*ord as usize] += 1;
                    }
                }
                frequent(counts.into_iter().zip(0..).filter(|(n, _)| *n > 0), &mut all.rest)
            }
            false => {
                let mut counts: HashMap<u32, u32> = HashMap::new();
                for doc in found {
                    column.term_ords(*doc).for_each(|ord| *counts.entry(ord as u32).or_default() += 1);
                }
                frequent(counts.iter().map(|(ord, n)| (*n, *ord)), &mut all.rest)
            }
        };
        let spelled = self.values.of(&self.key, column)?;
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

/// The most frequent of counted values, and of the others the sum. Most values of names are there once or twice: which are
/// not among the most frequent is told by how many there are of each count.
fn frequent(counted: impl Iterator<Item = (u32, u32)> + Clone, rest: &mut u64) -> Vec<(u32, u32)> {
    const HIGHEST: usize = 1024;
    let mut of_count = [0_usize; HIGHEST];
    for (n, _) in counted.clone() {
        of_count[(n as usize).min(HIGHEST - 1)] += 1;
        *rest += u64::from(n);
    }
    // The lowest count of which some are wanted.
    let (mut least, mut wanted) = (HIGHEST, 0);
    while least > 1 && wanted < LOOKED_UP {
        least -= 1;
        wanted += of_count[least];
    }
    let mut best: Vec<(u32, u32)> = counted.filter(|(n, _)| *n as usize >= least).collect();
    best.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    best.truncate(LOOKED_UP);
    *rest -= best.iter().map(|(n, _)| u64::from(*n)).sum::<u64>();
    best
}

/// The most frequent values of each field.
pub(super) fn facets(fields: &[String], counts: Vec<Counts>, most: usize) -> Vec<Facet> {
    let facet = |(field, counts): (&String, Counts)| {
        let mut values: Vec<(String, u64)> = counts.values.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let others = counts.rest + values.iter().skip(most).map(|(_, n)| n).sum::<u64>();
        values.truncate(most);
        Facet { field: field.clone(), values, others }
    };
    fields.iter().zip(counts).map(facet).collect()
}
