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
};

/// The fields that are counted.
pub const FACETS: [&str; 14] = [
    "kind",
    "collection",
    "program",
    "category",
    "people",
    "places",
    "organizations",
    "objects",
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
}

/// Values of a field that are looked at in each piece of an index.
const LOOKED_UP: usize = 200;
/// Values of a field that are kept in memory; of more, each is looked up where it lies.
const MOST_KEPT: usize = 4_000_000;

/// Values of fields, by the pieces of an index that have them: to look one up in its dictionary takes as long as to count
/// a thousand of them.
#[derive(Clone, Default)]
pub(super) struct Values(Arc<Mutex<Kept>>);

type Kept = HashMap<(SegmentId, String), Arc<Spelled>>;

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
        known.retain(|(id, _), _| pieces.iter().any(|reader| reader.segment_id() == *id));
    }

    fn of(&self, key: &(SegmentId, String), column: &StrColumn) -> tantivy::Result<Option<Arc<Spelled>>> {
        let known = |all: &Self| all.0.lock().unwrap_or_else(PoisonError::into_inner).get(key).cloned();
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
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(key.clone(), spelled.clone());
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
            let counts = column.as_ref().map_or(0, |c| c.num_terms());
            let key = (reader.segment_id(), field.clone());
            Ok(Column { key, values: self.values.clone(), column, counts: vec![0; counts], met: Vec::new() })
        };
        Ok(Counting { columns: self.fields.iter().map(column).collect::<tantivy::Result<_>>()? })
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
}

struct Column {
    key: (SegmentId, String),
    values: Values,
    column: Option<StrColumn>,
    counts: Vec<u32>,
    /// The values that there are, for most questions meet few of them.
    met: Vec<u32>,
}

impl SegmentCollector for Counting {
    type Fruit = tantivy::Result<Vec<Counts>>;

    fn collect(&mut self, doc: DocId, _: Score) {
        for Column { column, counts, met, .. } in &mut self.columns {
            let Some(column) = column else { continue };
            for ord in column.term_ords(doc) {
                if let Some(n) = usize::try_from(ord).ok().and_then(|ord| counts.get_mut(ord)) {
                    if *n == 0 {
                        met.push(ord as u32);
                    }
                    *n += 1;
                }
            }
        }
    }

    fn harvest(self) -> Self::Fruit {
        let each = |Column { key, values, column, counts, met }: Column| {
            let mut all = Counts::default();
            let Some(column) = column else { return Ok(all) };
            let mut counted: Vec<(u32, u32)> = met.into_iter().map(|ord| (counts[ord as usize], ord)).collect();
            let by_count = |a: &(u32, u32), b: &(u32, u32)| b.0.cmp(&a.0).then(a.1.cmp(&b.1));
            if counted.len() > LOOKED_UP {
                counted.select_nth_unstable_by(LOOKED_UP, by_count);
            }
            all.rest = counted.iter().skip(LOOKED_UP).map(|(n, _)| u64::from(*n)).sum();
            let spelled = values.of(&key, &column)?;
            for (n, ord) in counted.into_iter().take(LOOKED_UP) {
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
        };
        self.columns.into_iter().map(each).collect()
    }
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
