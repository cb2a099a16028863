//! From moments to their assets: in the index, an asset's document is the next one behind those of its moments.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
};

use tantivy::{
    DocId, DocSet, Score, SegmentReader, TERMINATED, Term,
    index::SegmentId,
    query::{EnableScoring, Explanation, Query, Scorer, Weight},
    schema::{Field, IndexRecordOption},
};

use super::{breadth::Breadth, list::Lengths, pieces::PerPiece};

/// What `what` says of assets.
pub(super) const ASSET: &str = "asset";

/// Where assets lie in each piece of an index, and how long they are.
#[derive(Clone, Debug, Default)]
pub(super) struct Assets {
    places: PerPiece<Vec<DocId>>,
    lengths: PerPiece<Lengths, Field>,
}

impl Assets {
    /// The assets of one piece, removed ones too, in their order.
    pub(super) fn of(&self, reader: &SegmentReader, what: Field) -> tantivy::Result<Arc<Vec<DocId>>> {
        self.places.of(reader, || {
            let mut all = Vec::new();
            let term = Term::from_field_text(what, ASSET);
            if let Some(mut postings) = reader.inverted_index(what)?.read_postings(&term, IndexRecordOption::Basic)? {
                while postings.doc() != TERMINATED {
                    all.push(postings.doc());
                    postings.advance();
                }
            }
            Ok(all)
        })
    }

    /// How long the shortest and the longest text of a field is that only assets have.
    pub(super) fn lengths(&self, reader: &SegmentReader, field: Field) -> tantivy::Result<Arc<Lengths>> {
        self.lengths.of_part(reader, field, || {
            let norms = reader.fieldnorms_readers().get_field(field)?;
            Ok(Lengths::of(norms.as_ref(), reader.max_doc()))
        })
    }

    /// Forgets pieces that are not part of the index any more.
    pub(super) fn keep(&self, pieces: &[&SegmentReader]) {
        self.places.keep(pieces);
        self.lengths.keep(pieces);
    }
}

/// The assets of the moments that a query finds, each as good as its best one; of assets, these.
#[derive(Debug)]
pub(super) struct ToAsset {
    pub(super) moments: Box<dyn Query>,
    pub(super) assets: Assets,
    pub(super) what: Field,
    /// After how many assets it is enough; none: all of them.
    pub(super) enough: Option<Enough>,
}

/// A limit of what is looked for, and what was found up to it: who asks for the best and then how many there are is told
/// from there.
#[derive(Clone, Debug)]
pub(super) struct Enough {
    most: usize,
    breadth: Breadth,
    found: Arc<Mutex<HashMap<SegmentId, Scored>>>,
}

/// Assets in their order, each with its score.
pub(super) type Scored = Arc<Vec<(DocId, Score)>>;

impl Enough {
    pub(super) fn new(most: usize, breadth: Breadth) -> Self {
        Self { most, breadth, found: Arc::default() }
    }

    /// The first assets of these pieces. What one finds that is looked into before those that come before it have ended may
    /// be too much, and is left out.
    fn of(&self, join: &Join, pieces: &[SegmentReader]) -> tantivy::Result<These> {
        let mut found = self.found.lock().unwrap_or_else(PoisonError::into_inner);
        let (known, counts) = (&*found, pieces.iter().map(|_| AtomicUsize::new(0)).collect::<Vec<_>>());
        let look = |n: usize, reader: &SegmentReader| -> tantivy::Result<Scored> {
            let before: usize = counts[..n].iter().map(|count| count.load(Ordering::Relaxed)).sum();
            let list = match known.get(&reader.segment_id()) {
                Some(known) => known.clone(),
                None => Arc::new(join.first(reader, self.most.saturating_sub(before))?),
            };
            counts[n].store(list.len(), Ordering::Relaxed);
            Ok(list)
        };
        // The first one by itself: of what is very frequent it has enough, and the others would be looked into for nothing.
        let (first, others) = pieces.split_at(pieces.len().min(1));
        let mut lists = Breadth::OneByOne.each(first, look)?;
        lists.extend(self.breadth.each(others, |n, reader| look(n + 1, reader))?);
        let mut left = self.most;
        let mut of_pieces = Vec::with_capacity(pieces.len());
        for (reader, list) in pieces.iter().zip(lists) {
            let list = if list.len() > left { Arc::new(list[..left].to_vec()) } else { list };
            left -= list.len();
            found.insert(reader.segment_id(), list.clone());
            of_pieces.push((reader.segment_id(), list));
        }
        Ok(These::listed(of_pieces))
    }
}

impl Clone for ToAsset {
    fn clone(&self) -> Self {
        let (assets, what, enough) = (self.assets.clone(), self.what, self.enough.clone());
        Self { moments: self.moments.box_clone(), assets, what, enough }
    }
}

impl Query for ToAsset {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let moments = self.moments.weight(scoring)?;
        let join = Join { moments, assets: self.assets.clone(), what: self.what };
        match (&self.enough, scoring.searcher()) {
            (Some(enough), Some(pieces)) => Ok(Box::new(enough.of(&join, pieces.segment_readers())?)),
            _ => Ok(Box::new(join)),
        }
    }
}

struct Join {
    moments: Box<dyn Weight>,
    assets: Assets,
    what: Field,
}

impl Join {
    fn joined(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Joined> {
        let moments = self.moments.scorer(reader, boost)?;
        let assets = self.assets.of(reader, self.what)?;
        let mut joined = Joined { moments, assets, at: 0, doc: TERMINATED, score: 0.0 };
        joined.gather();
        Ok(joined)
    }

    /// The first assets of a piece, so many at most.
    fn first(&self, reader: &SegmentReader, most: usize) -> tantivy::Result<Vec<(DocId, Score)>> {
        let mut all = Vec::new();
        if most > 0 {
            let (mut joined, alive) = (self.joined(reader, 1.0)?, reader.alive_bitset());
            while joined.doc != TERMINATED && all.len() < most {
                if alive.is_none_or(|alive| alive.is_alive(joined.doc)) {
                    all.push((joined.doc, joined.score));
                }
                joined.gather();
            }
        }
        Ok(all)
    }
}

impl Weight for Join {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        Ok(Box::new(self.joined(reader, boost)?))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let mut scorer = self.scorer(reader, 1.0)?;
        match scorer.seek(doc) == doc {
            true => Ok(Explanation::new("best moment", scorer.score())),
            false => Err(tantivy::TantivyError::InvalidArgument("the asset has no such moment".to_owned())),
        }
    }
}

struct Joined {
    moments: Box<dyn Scorer>,
    assets: Arc<Vec<DocId>>,
    /// The place in `assets` of the current one.
    at: usize,
    doc: DocId,
    score: Score,
}

impl Joined {
    /// Goes to the asset of the next moment, with the best score of its moments.
    fn gather(&mut self) -> DocId {
        let first = self.moments.doc();
        if first == TERMINATED {
            self.doc = TERMINATED;
            return TERMINATED;
        }
        self.at = from(&self.assets, self.at, first);
        let Some(asset) = self.assets.get(self.at).copied() else {
            // Moments without an asset behind them: nothing that this program writes.
            self.doc = TERMINATED;
            return TERMINATED;
        };
        self.score = 0.0;
        // What is asked of assets finds the asset itself.
        while self.moments.doc() <= asset {
            self.score = self.score.max(self.moments.score());
            self.moments.advance();
        }
        self.doc = asset;
        asset
    }
}

impl DocSet for Joined {
    fn advance(&mut self) -> DocId {
        self.gather()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc >= target || self.doc == TERMINATED {
            return self.doc;
        }
        // The first moment that may belong to an asset from `target` on is the one behind the asset before.
        let next = from(&self.assets, self.at, target);
        let first = next.checked_sub(1).map_or(0, |before| self.assets[before] + 1);
        if self.moments.doc() < first {
            self.moments.seek(first);
        }
        self.gather()
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.moments.size_hint().min(self.assets.len() as u32)
    }
}

impl Scorer for Joined {
    fn score(&mut self) -> Score {
        self.score
    }
}

/// The place of the first asset from a document on: behind another one, and seldom far.
pub(super) fn from(assets: &[DocId], mut at: usize, doc: DocId) -> usize {
    let mut step = 1;
    while assets.get(at + step).is_some_and(|asset| *asset < doc) {
        at += step;
        step *= 2;
    }
    let end = (at + step + 1).min(assets.len());
    at + assets[at..end].partition_point(|asset| *asset < doc)
}

/// Documents that are known by their places.
#[derive(Clone, Debug)]
pub(super) struct These(Arc<HashMap<SegmentId, Scored>>);

impl These {
    pub(super) fn new(all: impl Iterator<Item = (SegmentId, DocId)>) -> Self {
        let mut pieces: HashMap<SegmentId, Vec<(DocId, Score)>> = HashMap::new();
        all.for_each(|(piece, doc)| pieces.entry(piece).or_default().push((doc, 0.0)));
        pieces.values_mut().for_each(|docs| docs.sort_unstable_by_key(|(doc, _)| *doc));
        Self::listed(pieces.into_iter().map(|(piece, docs)| (piece, Arc::new(docs))))
    }

    /// Those of each piece, in their order.
    pub(super) fn listed(all: impl IntoIterator<Item = (SegmentId, Scored)>) -> Self {
        Self(Arc::new(all.into_iter().collect()))
    }

    /// Those of one piece.
    pub(super) fn of(&self, piece: SegmentId) -> Option<&Scored> {
        self.0.get(&piece)
    }

    /// How many they are.
    pub(super) fn count(&self) -> usize {
        self.0.values().map(|list| list.len()).sum()
    }
}

impl Query for These {
    fn weight(&self, _: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(self.clone()))
    }
}

impl Weight for These {
    fn scorer(&self, reader: &SegmentReader, _: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let all = self.0.get(&reader.segment_id()).cloned().unwrap_or_default();
        Ok(Box::new(Listed { all, at: 0 }))
    }

    fn explain(&self, _: &SegmentReader, _: DocId) -> tantivy::Result<Explanation> {
        Ok(Explanation::new("known by its place", 0.0))
    }
}

/// Assets that were found already, with their scores.
struct Listed {
    all: Scored,
    at: usize,
}

impl DocSet for Listed {
    fn advance(&mut self) -> DocId {
        self.at += 1;
        self.doc()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        self.at += self.all.get(self.at..).unwrap_or_default().partition_point(|(doc, _)| *doc < target);
        self.doc()
    }

    fn doc(&self) -> DocId {
        self.all.get(self.at).map_or(TERMINATED, |(doc, _)| *doc)
    }

    fn size_hint(&self) -> u32 {
        u32::try_from(self.all.len()).unwrap_or(u32::MAX)
    }
}

impl Scorer for Listed {
    fn score(&mut self) -> Score {
        self.all.get(self.at).map_or(0.0, |(_, score)| *score)
    }
}

#[cfg(test)]
mod tests {
    use super::from;

    #[test]
    fn the_next_asset_is_found_however_far_it_is() {
        let assets: Vec<u32> = (0..100).map(|n| n * 7 + 3).collect();
        for at in [0, 1, 50, 99, 100] {
            for doc in (0..720).filter(|doc| at == 0 || *doc > assets[at - 1]) {
                assert_eq!(from(&assets, at, doc), assets.partition_point(|asset| *asset < doc), "{at} {doc}");
            }
        }
        assert_eq!(from(&[], 0, 5), 0);
    }
}
