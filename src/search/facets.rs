//! Counts what is found by its labels.

use std::collections::BTreeMap;

use serde::Serialize;
use tantivy::{
    DocId, Score, SegmentOrdinal, SegmentReader,
    collector::{Collector, SegmentCollector},
    columnar::StrColumn,
};

/// The fields that are counted.
pub const FACETS: [&str; 10] =
    ["kind", "collection", "program", "category", "people", "places", "organizations", "objects", "tags", "codec"];

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
}

/// Values of a field that are looked up in each piece of an index: each one costs a look into the dictionary of names.
const LOOKED_UP: usize = 200;

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
            Ok((column, vec![0; counts]))
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
    columns: Vec<(Option<StrColumn>, Vec<u64>)>,
}

impl SegmentCollector for Counting {
    type Fruit = tantivy::Result<Vec<Counts>>;

    fn collect(&mut self, doc: DocId, _: Score) {
        for (column, counts) in &mut self.columns {
            let Some(column) = column else { continue };
            for ord in column.term_ords(doc) {
                if let Some(n) = usize::try_from(ord).ok().and_then(|ord| counts.get_mut(ord)) {
                    *n += 1;
                }
            }
        }
    }

    fn harvest(self) -> Self::Fruit {
        let each = |(column, counts): (Option<StrColumn>, Vec<u64>)| {
            let mut all = Counts::default();
            let Some(column) = column else { return Ok(all) };
            let mut counted: Vec<(u64, u64)> =
                counts.into_iter().enumerate().filter(|(_, n)| *n > 0).map(|(ord, n)| (n, ord as u64)).collect();
            counted.sort_unstable_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
            all.rest = counted.iter().skip(LOOKED_UP).map(|(n, _)| n).sum();
            for (n, ord) in counted.into_iter().take(LOOKED_UP) {
                let mut value = String::new();
                column.ord_to_str(ord, &mut value)?;
                all.values.insert(value, n);
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
