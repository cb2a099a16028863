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

type Counts = Vec<BTreeMap<String, u64>>;

impl Collector for Counter {
    type Fruit = Counts;
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

    fn merge_fruits(&self, pieces: Vec<tantivy::Result<Counts>>) -> tantivy::Result<Counts> {
        let mut sum: Counts = vec![BTreeMap::new(); self.fields.len()];
        for piece in pieces {
            add(&mut sum, piece?);
        }
        Ok(sum)
    }
}

pub(super) fn add(sum: &mut Counts, more: Counts) {
    for (sum, more) in sum.iter_mut().zip(more) {
        for (value, n) in more {
            *sum.entry(value).or_default() += n;
        }
    }
}

pub(super) struct Counting {
    columns: Vec<(Option<StrColumn>, Vec<u64>)>,
}

impl SegmentCollector for Counting {
    type Fruit = tantivy::Result<Counts>;

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
        let mut all = Vec::new();
        for (column, counts) in self.columns {
            let mut values = BTreeMap::new();
            if let Some(column) = column {
                for (ord, n) in counts.into_iter().enumerate().filter(|(_, n)| *n > 0) {
                    let mut value = String::new();
                    column.ord_to_str(ord as u64, &mut value)?;
                    values.insert(value, n);
                }
            }
            all.push(values);
        }
        Ok(all)
    }
}

/// The most frequent values of each field.
pub(super) fn facets(fields: &[String], counts: Counts, most: usize) -> Vec<Facet> {
    let facet = |(field, counts): (&String, BTreeMap<String, u64>)| {
        let mut values: Vec<(String, u64)> = counts.into_iter().collect();
        values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
        let others = values.iter().skip(most).map(|(_, n)| n).sum();
        values.truncate(most);
        Facet { field: field.clone(), values, others }
    };
    fields.iter().zip(counts).map(facet).collect()
}
