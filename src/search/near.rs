//! The assets that are nearest to a question: each passage is compared with it, for there are few enough.

use std::{
    collections::{BinaryHeap, HashMap},
    ops::Range,
    sync::Arc,
};

use tantivy::{
    DocAddress, DocId, Score, SegmentReader, TERMINATED,
    query::{EnableScoring, Query},
    schema::Field,
};

use super::{
    answer::{Found, searching},
    join::Assets,
    opened::View,
    pieces::PerPiece,
    question::Meant,
    top::{Ranked, worst},
    vectors::{Vectors, damaged},
};
use crate::error::Result;

/// An asset's vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Block {
    pub(super) asset: DocId,
    pub(super) place: u64,
    pub(super) count: u64,
}

/// The vectors of each piece of an index, by their assets.
#[derive(Clone, Default)]
pub(super) struct Blocks(PerPiece<Vec<Block>>);

impl Blocks {
    /// Those of one piece, of removed assets too, in their order.
    pub(super) fn of(&self, reader: &SegmentReader, assets: &Assets, what: Field) -> tantivy::Result<Arc<Vec<Block>>> {
        self.0.of(reader, || {
            let (places, counts) = (reader.fast_fields().u64("vectors")?, reader.fast_fields().u64("passages")?);
            let block = |asset: &DocId| {
                Some(Block { asset: *asset, place: places.first(*asset)?, count: counts.first(*asset)? })
            };
            Ok(assets.of(reader, what)?.iter().filter_map(block).collect())
        })
    }

    /// Forgets pieces that are not part of the index any more.
    pub(super) fn keep(&self, pieces: &[&SegmentReader]) {
        self.0.keep(pieces);
    }
}

/// What lies near to a question: the asset, how near its nearest passage is, and its vectors.
#[derive(Clone, Copy, Debug)]
pub(super) struct Near {
    pub(super) at: Found,
    pub(super) likeness: Score,
    pub(super) block: Block,
}

/// So many of the nearest assets, the nearest first; `among` those of a query, or all.
pub(super) fn nearest(
    view: &View,
    what: Field,
    (meant, among): (&Meant, Option<&dyn Query>),
    most: usize,
) -> Result<Vec<Near>> {
    let mut best: BinaryHeap<Ranked> = BinaryHeap::with_capacity(most + 1);
    let mut blocks: HashMap<Found, Block> = HashMap::new();
    for (n, pieces) in view.shards.iter().enumerate() {
        let files: Vec<&Vectors> = view.vectors[n].iter().filter(|f| f.recipe == meant.recipe).collect();
        let weight = among.map(|query| query.weight(EnableScoring::disabled_from_searcher(pieces)));
        let weight = weight.transpose().map_err(searching(""))?;
        for (piece, reader) in pieces.segment_readers().iter().enumerate() {
            let alive = reader.alive_bitset();
            let mut wanted = weight.as_ref().map(|w| w.scorer(reader, 1.0)).transpose().map_err(searching(""))?;
            for block in view.blocks.of(reader, &view.assets, what).map_err(searching(""))?.iter() {
                if let Some(wanted) = &mut wanted {
                    if wanted.doc() < block.asset {
                        wanted.seek(block.asset);
                    }
                    match wanted.doc() {
                        TERMINATED => break,
                        doc if doc != block.asset => continue,
                        _ => {}
                    }
                }
                if alive.is_some_and(|alive| !alive.is_alive(block.asset)) {
                    continue;
                }
                let Some(file) = files.iter().find(|file| file.has(block.place)) else { continue };
                let each = file.vectors(block.place, block.count)?.map(|kept| meant.vector.likeness(kept));
                let score = each.fold(Score::MIN, Score::max);
                let at = (n, DocAddress::new(piece as u32, block.asset));
                if score > worst(&best, most) {
                    blocks.insert(at, *block);
                    best.push(Ranked { score, at });
                    if best.len() > most
                        && let Some(last) = best.pop()
                    {
                        blocks.remove(&last.at);
                    }
                }
            }
        }
    }
    let near = |ranked: Ranked| Some(Near { at: ranked.at, likeness: ranked.score, block: *blocks.get(&ranked.at)? });
    Ok(best.into_sorted_vec().into_iter().filter_map(near).collect())
}

/// Calls `each` with the vectors of each asset that is not removed, and the file that they lie in, if that is there.
pub(super) fn each(view: &View, what: Field, each: &mut dyn FnMut(Option<&Vectors>, &Block)) -> Result<()> {
    for (pieces, files) in view.shards.iter().zip(&view.vectors) {
        for reader in pieces.segment_readers() {
            let alive = reader.alive_bitset();
            let blocks = view.blocks.of(reader, &view.assets, what).map_err(searching(""))?;
            for block in blocks.iter().filter(|b| alive.is_none_or(|alive| alive.is_alive(b.asset))) {
                each(files.iter().find(|file| file.has(block.place)), block);
            }
        }
    }
    Ok(())
}

/// The passages of an asset, the nearest first: how near each is, and the documents of its moments. Those that are about the
/// asset as a whole are left out.
pub(super) fn passages(view: &View, meant: &Meant, near: &Near) -> Result<Vec<(Score, Range<DocId>)>> {
    let Near { at: (shard, _), block, .. } = near;
    let file = view.vectors[*shard].iter().find(|file| file.has(block.place)).ok_or_else(damaged)?;
    let likeness = file.vectors(block.place, block.count)?.map(|kept| meant.vector.likeness(kept));
    let all = likeness.zip(file.moments(block.asset, block.place, block.count)?);
    let mut all: Vec<_> = all.filter(|(_, moments)| !moments.is_empty()).collect();
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.start.cmp(&b.1.start)));
    Ok(all)
}
