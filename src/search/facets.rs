//! Counts what is found by its labels.

use std::{cmp::Ordering, collections::HashMap, sync::Arc};

use serde::Serialize;
use tantivy::{
    DocId, Searcher as Pieces, SegmentReader,
    columnar::StrColumn,
    query::{EnableScoring, Query, Weight},
    schema::Field,
};

use super::{
    breadth::Breadth,
    join::{Assets, from},
    pieces::PerPiece,
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

/// How many assets have each value of a field, the most frequent first, and of equals by their names. Numbers are those of all
/// assets that are found. A value that is not among the 200 most frequent of any piece of the index is not listed, though in all
/// pieces together it may be as frequent as the last ones that are.
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

/// Values of a field that are spelled out of each piece of an index, to be the most frequent of all.
const SPELLED: usize = 200;
/// Values of a field that are kept in memory; of more, each is looked up where it lies.
const MOST_KEPT: usize = 4_000_000;

/// Values of fields, by the pieces of an index that have them: to look one up in its dictionary takes as long as to count
/// a thousand of them.
#[derive(Clone, Default)]
pub(super) struct Values {
    spelled: PerPiece<Spelled, String>,
    placed: PerPiece<Placed, String>,
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
        self.spelled.keep(pieces);
        self.placed.keep(pieces);
    }
}

impl Spelled {
    fn read(column: &StrColumn) -> tantivy::Result<Self> {
        let mut spelled = Self::default();
        let mut stream = column.dictionary().stream()?;
        while stream.advance() {
            spelled.text.push_str(&String::from_utf8_lossy(stream.key()));
            spelled.ends.push(spelled.text.len());
        }
        Ok(spelled)
    }

    fn value(&self, ord: usize) -> Option<&str> {
        let begin = ord.checked_sub(1).map_or(Some(0), |before| self.ends.get(before).copied())?;
        self.text.get(begin..*self.ends.get(ord)?)
    }

    fn ord(&self, value: &str) -> Option<usize> {
        let (mut from, mut to) = (0, self.ends.len());
        while from < to {
            let middle = from.midpoint(to);
            match self.value(middle)?.cmp(value) {
                Ordering::Less => from = middle + 1,
                Ordering::Equal => return Some(middle),
                Ordering::Greater => to = middle,
            }
        }
        None
    }
}

/// How the values of one field of one piece are spelled.
struct Names {
    column: StrColumn,
    /// None where there are too many to be kept.
    spelled: Option<Arc<Spelled>>,
}

impl Names {
    fn value(&self, ord: u32) -> tantivy::Result<String> {
        if let Some(value) = self.spelled.as_ref().and_then(|spelled| spelled.value(ord as usize)) {
            return Ok(value.to_owned());
        }
        let mut value = String::new();
        self.column.ord_to_str(u64::from(ord), &mut value)?;
        Ok(value)
    }

    fn ord(&self, value: &str) -> tantivy::Result<Option<u32>> {
        Ok(match &self.spelled {
            Some(spelled) => spelled.ord(value).map(|ord| ord as u32),
            None => self.column.dictionary().term_ord(value)?.map(|ord| ord as u32),
        })
    }
}

impl Placed {
    fn read(column: &StrColumn, assets: &[DocId]) -> Self {
        let mut placed =
            Self { begins: vec![0], ords: Vec::with_capacity(assets.len()), counts: vec![0; column.num_terms()] };
        for doc in assets {
            placed.ords.extend(column.term_ords(*doc).map(|ord| ord as u32));
            placed.begins.push(placed.ords.len() as u32);
        }
        placed.ords.iter().for_each(|ord| placed.counts[*ord as usize] += 1);
        placed
    }

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

/// How often each value of a field was found in a piece, by their numbers.
enum Tally {
    Each(Vec<u32>),
    Few(HashMap<u32, u32>),
}

impl Tally {
    fn of(&self, ord: u32) -> u32 {
        match self {
            Self::Each(counts) => counts.get(ord as usize).copied(),
            Self::Few(counts) => counts.get(&ord).copied(),
        }
        .unwrap_or(0)
    }

    fn each(&self, mut each: impl FnMut(u32, u32)) {
        match self {
            Self::Each(counts) => counts.iter().zip(0..).filter(|(n, _)| **n > 0).for_each(|(n, ord)| each(*n, ord)),
            Self::Few(counts) => counts.iter().for_each(|(ord, n)| each(*n, *ord)),
        }
    }
}

/// What was counted of one field in one piece.
struct Counted {
    names: Names,
    /// The most frequent values, each with how often it is there and its number, in their order.
    most: Vec<(u32, u32)>,
    /// How often all values are there together.
    sum: u64,
    /// All values, where there are others.
    beyond: Option<Tally>,
}

/// The most frequent first, of equals the one whose number is the first.
fn order(a: &(u32, u32), b: &(u32, u32)) -> Ordering {
    b.0.cmp(&a.0).then(a.1.cmp(&b.1))
}

impl Counted {
    fn new(names: Names, tally: Tally) -> Self {
        let mut sum = 0;
        let mut most: Vec<(u32, u32)> = Vec::with_capacity(2 * SPELLED);
        // The last of those that are kept: most values of names are there once or twice, and come after it.
        let mut last = (0, 0);
        let mut is_cut = false;
        tally.each(|n, ord| {
            sum += u64::from(n);
            if order(&(n, ord), &last).is_gt() {
                is_cut = true;
                return;
            }
            most.push((n, ord));
            if most.len() == 2 * SPELLED {
                most.select_nth_unstable_by(SPELLED - 1, order);
                most.truncate(SPELLED);
                (last, is_cut) = (most[SPELLED - 1], true);
            }
        });
        most.sort_unstable_by(order);
        is_cut |= most.len() > SPELLED;
        most.truncate(SPELLED);
        Self { names, most, sum, beyond: is_cut.then_some(tally) }
    }

    /// How often a value is there at most that is not among the most frequent.
    fn at_most(&self) -> u64 {
        self.beyond.as_ref().and_then(|_| self.most.last()).map_or(0, |(n, _)| u64::from(*n))
    }

    /// How often a value is there, if it is not among the most frequent.
    fn further(&self, value: &str) -> tantivy::Result<u64> {
        let (Some(tally), Some(last)) = (&self.beyond, self.most.last()) else { return Ok(0) };
        let Some(ord) = self.names.ord(value)? else { return Ok(0) };
        let n = tally.of(ord);
        Ok(if order(&(n, ord), last).is_gt() { u64::from(n) } else { 0 })
    }
}

impl Counter<'_> {
    /// The most frequent values of each field, of what a query finds.
    pub(super) fn count(&self, shards: &[Pieces], query: &dyn Query, breadth: Breadth) -> tantivy::Result<Vec<Facet>> {
        let mut counted: Vec<Vec<Counted>> = self.fields.iter().map(|_| Vec::new()).collect();
        for shard in shards {
            let weight = query.weight(EnableScoring::disabled_from_searcher(shard))?;
            for of_piece in breadth.each(shard.segment_readers(), |_, reader| self.of_piece(&*weight, reader))? {
                counted.iter_mut().zip(of_piece).for_each(|(all, counted)| all.extend(counted));
            }
        }
        self.fields.iter().zip(counted).map(|(field, pieces)| facet(field, &pieces)).collect()
    }

    fn of_piece(&self, weight: &dyn Weight, reader: &SegmentReader) -> tantivy::Result<Vec<Option<Counted>>> {
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
        self.fields.iter().map(|field| self.counted(field, reader, (&found, &assets))).collect()
    }

    fn counted(
        &self,
        field: &str,
        reader: &SegmentReader,
        (found, assets): (&Marked, &[DocId]),
    ) -> tantivy::Result<Option<Counted>> {
        let Some(column) = reader.fast_fields().str(field)? else { return Ok(None) };
        let part = || field.to_owned();
        let is_kept = column.num_terms() <= MOST_KEPT;
        let is_many = found.count > assets.len() / MANY && is_kept;
        let placed =
            is_many.then(|| self.values.placed.at_hand(reader, part(), || Placed::read(&column, assets))).flatten();
        let tally = match placed {
            Some(placed) => Tally::Each(placed.count(found)),
            None => {
                let mut counts: HashMap<u32, u32> = HashMap::new();
                found.each(true, |asset| {
                    column.term_ords(assets[asset]).for_each(|ord| *counts.entry(ord as u32).or_default() += 1);
                });
                Tally::Few(counts)
            }
        };
        let spelled = is_kept.then(|| self.values.spelled.of_part(reader, part(), || Spelled::read(&column)));
        let names = Names { spelled: spelled.transpose()?, column };
        Ok(Some(Counted::new(names, tally)))
    }
}

/// The most frequent values of a field in all pieces together.
fn facet(field: &str, pieces: &[Counted]) -> tantivy::Result<Facet> {
    // Of each value how often it is there, as far as it is among the most frequent, and how often beyond that at most.
    let mut known: HashMap<String, (u64, u64)> = HashMap::new();
    let beyond: u64 = pieces.iter().map(Counted::at_most).sum();
    for piece in pieces {
        for (n, ord) in &piece.most {
            let (sure, further) = known.entry(piece.names.value(*ord)?).or_insert((0, beyond));
            *sure += u64::from(*n);
            *further -= piece.at_most();
        }
    }
    let mut sure: Vec<u64> = known.values().map(|(sure, _)| *sure).collect();
    let least = match sure.len() > MOST_VALUES {
        true => *sure.select_nth_unstable_by(MOST_VALUES - 1, |a, b| b.cmp(a)).1,
        false => 0,
    };
    let mut values = Vec::new();
    // What can be among those that are shown is counted to the end.
    for (value, (sure, further)) in known.into_iter().filter(|(_, (sure, further))| sure + further >= least) {
        let mut n = sure;
        for piece in pieces.iter().filter(|_| further > 0) {
            n += piece.further(&value)?;
        }
        values.push((value, n));
    }
    values.sort_by(|a, b| b.1.cmp(&a.1).then_with(|| a.0.cmp(&b.0)));
    values.truncate(MOST_VALUES);
    let others = pieces.iter().map(|piece| piece.sum).sum::<u64>() - values.iter().map(|(_, n)| n).sum::<u64>();
    Ok(Facet { field: field.to_owned(), values, others })
}
