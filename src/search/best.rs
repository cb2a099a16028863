//! The best moments of each hit.

use std::collections::{BTreeMap, HashMap};

use tantivy::{
    DocAddress, DocId, Score, Searcher as Pieces, Term,
    query::{Bm25StatisticsProvider, EnableScoring, Query, Scorer},
    schema::Field,
};

use super::{
    Moment,
    answer::{Found, Searcher, searching},
    failed,
    join::ASSET,
    opened::View,
    question::LOOKED_AT,
};
use crate::error::Result;

/// Numbers by which words are weighed: those of moments. How long one is says half as much as of an asset: a sentence that
/// has a word twice is better than a shorter one that has it once.
struct Weighing<'a> {
    pieces: &'a Pieces,
    moments: u64,
}

impl<'a> Weighing<'a> {
    fn of(pieces: &'a Pieces, what: Field) -> tantivy::Result<Self> {
        let assets = pieces.doc_freq(&Term::from_field_text(what, ASSET))?;
        Ok(Self { pieces, moments: pieces.num_docs().saturating_sub(assets).max(1) })
    }
}

impl Bm25StatisticsProvider for Weighing<'_> {
    fn total_num_tokens(&self, field: Field) -> tantivy::Result<u64> {
        Ok(self.pieces.total_num_tokens(field)? * 2)
    }

    fn total_num_docs(&self) -> tantivy::Result<u64> {
        Ok(self.moments)
    }

    fn doc_freq(&self, term: &Term) -> tantivy::Result<u64> {
        Ok(self.pieces.doc_freq(term)?.min(self.moments))
    }
}

impl Searcher {
    /// The best moments of each hit: those that have most of what was asked. They lie before their asset, so that each is
    /// looked up by its place alone.
    pub(super) fn moments(
        &self,
        view: &View,
        asked: &[Box<dyn Query>],
        found: &[(Score, Found)],
        most: usize,
    ) -> Result<HashMap<Found, Vec<(Score, Moment)>>> {
        let mut all = HashMap::new();
        let mut by_piece: BTreeMap<(usize, u32), Vec<DocId>> = BTreeMap::new();
        for (_, (shard, at)) in found {
            by_piece.entry((*shard, at.segment_ord)).or_default().push(at.doc_id);
        }
        let mut weights = Vec::with_capacity(view.shards.len());
        for pieces in &view.shards {
            let weighing = Weighing::of(pieces, self.fields.what).map_err(searching(""))?;
            let scoring = EnableScoring::enabled_from_statistics_provider(&weighing, pieces);
            let each = asked.iter().map(|query| query.weight(scoring).map_err(searching("")));
            weights.push(each.collect::<Result<Vec<_>>>()?);
        }
        for ((shard, piece), mut docs) in by_piece {
            let reader = view.shards[shard].segment_reader(piece);
            // One by one: to go to a hit's place in each is less than to go through all of them together.
            let scorers = weights[shard].iter().map(|weight| weight.scorer(reader, 1.0).map_err(searching("")));
            let mut scorers = scorers.collect::<Result<Vec<_>>>()?;
            let assets = view.assets.of(reader, self.fields.what).map_err(failed("cannot read the index"))?;
            docs.sort_unstable();
            for asset in docs {
                let place = assets.partition_point(|doc| *doc < asset);
                let first = place.checked_sub(1).map_or(0, |before| assets[before] + 1);
                let mut best = within(&mut scorers, first, asset);
                best.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.cmp(&b.1)));
                // Some more, for what is to be doubted falls behind.
                best.truncate(most + most.min(3));
                let mut moments = Vec::with_capacity(best.len());
                for (score, doc) in best {
                    let moment: Moment = self.stored(view, (shard, DocAddress::new(piece, doc)))?;
                    moments.push((if moment.doubts.is_empty() { score } else { score / 2.0 }, moment));
                }
                moments.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.from_ms.cmp(&b.1.from_ms)));
                moments.truncate(most);
                all.insert((shard, DocAddress::new(piece, asset)), moments);
            }
        }
        Ok(all)
    }
}

/// The documents of a stretch that any of the scorers finds, each with the sum of its scores.
fn within(scorers: &mut [Box<dyn Scorer>], first: DocId, end: DocId) -> Vec<(Score, DocId)> {
    let mut sums: BTreeMap<DocId, Score> = BTreeMap::new();
    for scorer in scorers {
        if scorer.doc() < first {
            scorer.seek(first);
        }
        let mut looked_at = 0;
        while scorer.doc() < end && looked_at < LOOKED_AT {
            *sums.entry(scorer.doc()).or_default() += scorer.score();
            scorer.advance();
            looked_at += 1;
        }
    }
    sums.into_iter().map(|(doc, score)| (score, doc)).collect()
}
