//! From moments to their assets: in the index, an asset's document is the next one behind those of its moments.

use std::{
    collections::HashMap,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use tantivy::{
    DocId, DocSet, Score, SegmentReader, TERMINATED, Term,
    index::SegmentId,
    query::{EnableScoring, Explanation, Query, Scorer, Weight},
    schema::{Field, IndexRecordOption},
};

use super::pieces::PerPiece;

/// What `what` says of assets.
pub(super) const ASSET: &str = "asset";

/// Where assets lie in each piece of an index.
#[derive(Clone, Debug, Default)]
pub(super) struct Assets(PerPiece<Vec<DocId>>);

impl Assets {
    /// The assets of one piece, removed ones too, in their order.
    pub(super) fn of(&self, reader: &SegmentReader, what: Field) -> tantivy::Result<Arc<Vec<DocId>>> {
        self.0.of(reader, || {
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

    /// Forgets pieces that are not part of the index any more.
    pub(super) fn keep(&self, pieces: &[&SegmentReader]) {
        self.0.keep(pieces);
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
    most: u32,
    found: Arc<Mutex<HashMap<SegmentId, Scored>>>,
}

/// Assets in their order, each with its score.
pub(super) type Scored = Arc<Vec<(DocId, Score)>>;

impl Enough {
    pub(super) fn new(most: u32) -> Self {
        Self { most, found: Arc::default() }
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
        let left = self.enough.clone().map(|enough| (AtomicU32::new(enough.most), enough));
        Ok(Box::new(Join { moments, assets: self.assets.clone(), what: self.what, left }))
    }
}

struct Join {
    moments: Box<dyn Weight>,
    assets: Assets,
    what: Field,
    /// How many more assets are wanted of all pieces together.
    left: Option<(AtomicU32, Enough)>,
}

impl Join {
    fn joined(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Joined> {
        let moments = self.moments.scorer(reader, boost)?;
        let assets = self.assets.of(reader, self.what)?;
        let mut joined = Joined { moments, assets, at: 0, doc: TERMINATED, score: 0.0 };
        joined.gather();
        Ok(joined)
    }

    /// All of a piece, as far as they are wanted.
    fn listed(&self, reader: &SegmentReader, left: &AtomicU32, enough: &Enough) -> tantivy::Result<Listed> {
        let known = |id| enough.found.lock().unwrap_or_else(PoisonError::into_inner).get(&id).cloned();
        let all = match known(reader.segment_id()) {
            Some(all) => all,
            None => {
                let take = || left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |n| n.checked_sub(1)).is_ok();
                let mut joined = self.joined(reader, 1.0)?;
                let mut all = Vec::new();
                while joined.doc != TERMINATED && take() {
                    all.push((joined.doc, joined.score));
                    joined.gather();
                }
                let all = Arc::new(all);
                let mut found = enough.found.lock().unwrap_or_else(PoisonError::into_inner);
                found.insert(reader.segment_id(), all.clone());
                all
            }
        };
        Ok(Listed { all, at: 0 })
    }
}

impl Weight for Join {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        match &self.left {
            Some((left, enough)) => Ok(Box::new(self.listed(reader, left, enough)?)),
            None => Ok(Box::new(self.joined(reader, boost)?)),
        }
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
        self.at += self.assets[self.at..].partition_point(|asset| *asset < first);
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
        let next = self.at + self.assets[self.at..].partition_point(|asset| *asset < target);
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
