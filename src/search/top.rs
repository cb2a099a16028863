//! The best of what words find, of what may be seen.

use std::{
    cmp::Ordering,
    collections::BinaryHeap,
    ops::{Bound, RangeBounds},
    sync::{Mutex, PoisonError},
};

use tantivy::{
    DocAddress, DocId, Score, Searcher as Pieces, SegmentReader, TERMINATED, Term,
    columnar::{Column, StrColumn},
    query::{Bm25StatisticsProvider, EnableScoring, Query, Weight},
    schema::Field,
};

use super::{
    answer::{Found, searching},
    breadth::Breadth,
    build::Must,
    either::Either,
    every::Every,
    join::{Assets, Scored},
    opened::View,
    question::Question,
    schema::EVERYWHERE,
};
use crate::error::Result;

/// Numbers by which words are weighed: those of assets. Moments lie beside them in the index, and would make each asset
/// seem many times as long as others.
struct Weighing<'a> {
    pieces: &'a Pieces,
    assets: u64,
}

impl Bm25StatisticsProvider for Weighing<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        self.pieces.total_num_tokens(field)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.assets)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        // Of moments there are more.
        Ok(self.pieces.doc_freq(term)?.min(self.assets))
    }
}

/// A hit, the worst of them first.
pub(super) struct Ranked {
    pub(super) score: Score,
    pub(super) at: Found,
}

impl Ranked {
    fn order(&self, other: &Self) -> Ordering {
        other.score.total_cmp(&self.score).then_with(|| self.at.cmp(&other.at))
    }
}

impl PartialEq for Ranked {
    fn eq(&self, other: &Self) -> bool {
        self.order(other).is_eq()
    }
}

impl Eq for Ranked {}

impl PartialOrd for Ranked {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Ranked {
    fn cmp(&self, other: &Self) -> Ordering {
        self.order(other)
    }
}

/// So many of the best that the question may show, the best first. What some pieces have is what the others must be better
/// than.
pub(super) fn best(
    view: &View,
    (query, what): (&dyn Query, Field),
    (question, musts): (&Question<'_>, &[Must]),
    (most, breadth): (usize, Breadth),
) -> Result<Vec<(Score, Found)>> {
    let best: Mutex<BinaryHeap<Ranked>> = Mutex::new(BinaryHeap::with_capacity(most + 1));
    let locked = || best.lock().unwrap_or_else(PoisonError::into_inner);
    let barred = view.barred.of(&view.shards, &question.access.withheld.assets)?;
    let is_exact = query.is::<Every>() || query.is::<Either>();
    for (n, pieces) in view.shards.iter().enumerate() {
        let assets = count(&view.assets, pieces, what).map_err(searching(""))?;
        let weighing = Weighing { pieces, assets };
        let scoring = EnableScoring::enabled_from_statistics_provider(&weighing, pieces);
        let weight = query.weight(scoring).map_err(searching(""))?;
        let look = |piece: usize, reader: &SegmentReader| {
            let barred = barred.as_ref().and_then(|barred| barred.of(reader.segment_id()));
            let seen = Seen::of(question, musts, reader, barred)?;
            let at = |doc: DocId| (n, DocAddress::new(piece as u32, doc));
            let first = bar(&locked(), most, at(0));
            let mut threshold = first;
            let mut each = |doc: DocId, score: Score| {
                if seen.has(doc) {
                    let mut best = locked();
                    best.push(Ranked { score, at: at(doc) });
                    if best.len() > most {
                        best.pop();
                    }
                    threshold = bar(&best, most, at(doc));
                }
                threshold
            };
            match is_exact {
                true => weight.for_each_pruning(first, reader, &mut each),
                false => all(&*weight, reader, first, &mut each),
            }
        };
        breadth.each(pieces.segment_readers(), look).map_err(searching(""))?;
    }
    let best = best.into_inner().unwrap_or_else(PoisonError::into_inner);
    Ok(best.into_sorted_vec().into_iter().map(|ranked| (ranked.score, ranked.at)).collect())
}

/// Calls `callback` with each one that is better than what it says is good enough. Of what the index looks for by itself each
/// one is looked at: the bounds that it keeps of its blocks are for another average length, and would leave out some of the best.
fn all(
    weight: &dyn Weight,
    reader: &SegmentReader,
    mut threshold: Score,
    callback: &mut dyn FnMut(DocId, Score) -> Score,
) -> tantivy::Result<()> {
    let mut scorer = weight.scorer(reader, 1.0)?;
    let mut doc = scorer.doc();
    while doc != TERMINATED {
        let score = scorer.score();
        if score > threshold {
            threshold = callback(doc, score);
        }
        doc = scorer.advance();
    }
    Ok(())
}

/// What the next one behind a place must be better than. Of equals the first one of the index counts: what lies further
/// behind gives way to it, where pieces are gone through side by side.
fn bar(best: &BinaryHeap<Ranked>, most: usize, place: Found) -> Score {
    let score = worst(best, most);
    match best.peek().is_some_and(|last| last.at > place) {
        true => score.next_down(),
        false => score,
    }
}

/// What the next one must be better than.
pub(super) fn worst(best: &BinaryHeap<Ranked>, most: usize) -> Score {
    best.peek().filter(|_| best.len() >= most).map_or(Score::MIN, |ranked| ranked.score)
}

fn count(assets: &Assets, pieces: &Pieces, what: Field) -> tantivy::Result<u64> {
    let each = pieces.segment_readers().iter().map(|reader| Ok(assets.of(reader, what)?.len() as u64));
    each.sum::<tantivy::Result<u64>>().map(|sum| sum.max(1))
}

/// What a question may show, in one piece of the index.
struct Seen<'a> {
    reader: &'a SegmentReader,
    /// Columns, and the values that are let through.
    labels: Vec<(Option<StrColumn>, Vec<u64>)>,
    /// From when on and until when each may be seen, and what time it is.
    times: Option<(Column<i64>, Column<i64>, i64)>,
    numbers: Vec<Range>,
    /// What is withheld: documents, and values of a column.
    withheld: (Option<&'a Scored>, Option<StrColumn>, Vec<u64>),
}

/// A column of numbers, and between which they lie.
struct Range {
    column: Numbers,
    from: Bound<i64>,
    to: Bound<i64>,
}

enum Numbers {
    Signed(Column<i64>),
    Unsigned(Column<u64>),
}

impl Range {
    fn has(&self, doc: DocId) -> bool {
        self.column.of(doc).is_some_and(|n| (self.from, self.to).contains(&n))
    }
}

impl Numbers {
    fn of(&self, doc: DocId) -> Option<i64> {
        match self {
            Self::Signed(column) => column.first(doc),
            Self::Unsigned(column) => column.first(doc).map(|n| i64::try_from(n).unwrap_or(i64::MAX)),
        }
    }
}

impl<'a> Seen<'a> {
    fn of(
        question: &Question<'_>,
        musts: &[Must],
        reader: &'a SegmentReader,
        barred: Option<&'a Scored>,
    ) -> tantivy::Result<Self> {
        let known = |field: &str, values: &mut dyn Iterator<Item = &str>| -> tantivy::Result<_> {
            let column = reader.fast_fields().str(field)?;
            let mut known = Vec::new();
            if let Some(column) = &column {
                for value in values {
                    known.extend(column.dictionary().term_ord(value)?);
                }
            }
            Ok((column, known))
        };
        let mut labels = Vec::new();
        let mut label = |field: &str, values: &mut dyn Iterator<Item = &str>| -> tantivy::Result<()> {
            labels.push(known(field, values)?);
            Ok(())
        };
        if let Some(kind) = question.kind {
            label("kind", &mut std::iter::once(kind.as_str()))?;
        }
        if let Some(collections) = &question.access.collections {
            label("collection", &mut collections.iter().map(String::as_str))?;
        }
        let mut times = None;
        if let Some(to) = &question.access.audience {
            if let Some(territory) = &to.territory {
                let territory = territory.to_uppercase();
                label("territory", &mut [territory.as_str(), EVERYWHERE].into_iter())?;
            }
            times = Some((reader.fast_fields().i64("embargo")?, reader.fast_fields().i64("ends")?, to.now));
        }
        let mut numbers = Vec::new();
        for must in musts {
            match must {
                Must::Have(field, values) => label(field, &mut values.iter().map(String::as_str))?,
                Must::Lie(number, from, to) => {
                    let column = match number.is_signed {
                        true => Numbers::Signed(reader.fast_fields().i64(number.name)?),
                        false => Numbers::Unsigned(reader.fast_fields().u64(number.name)?),
                    };
                    numbers.push(Range { column, from: *from, to: *to });
                }
            }
        }
        let collections = &question.access.withheld.collections;
        let (column, values) = match collections.is_empty() {
            true => (None, Vec::new()),
            false => known("collection", &mut collections.iter().map(String::as_str))?,
        };
        Ok(Self { reader, labels, times, numbers, withheld: (barred, column, values) })
    }

    fn has(&self, doc: DocId) -> bool {
        let is_alive = self.reader.alive_bitset().is_none_or(|alive| alive.is_alive(doc));
        let has_label = |(column, known): &(Option<StrColumn>, Vec<u64>)| {
            column.as_ref().is_some_and(|column| column.term_ords(doc).any(|ord| known.contains(&ord)))
        };
        let is_shown = |(from, ends, now): &(Column<i64>, Column<i64>, i64)| {
            from.first(doc).is_some_and(|from| from <= *now) && ends.first(doc).is_some_and(|ends| ends > *now)
        };
        let (documents, column, values) = &self.withheld;
        let is_barred = |column: &StrColumn| column.term_ords(doc).any(|ord| values.contains(&ord));
        is_alive
            && documents.is_none_or(|all| all.binary_search_by_key(&doc, |(doc, _)| *doc).is_err())
            && !column.as_ref().is_some_and(is_barred)
            && self.numbers.iter().all(|range| range.has(doc))
            && self.labels.iter().all(has_label)
            && self.times.as_ref().is_none_or(is_shown)
    }
}
