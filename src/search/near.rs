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

/// What is near.
#[derive(Debug, Default)]
pub(super) struct Nearest {
    /// The nearest first.
    pub(super) near: Vec<Near>,
    /// Whether something was left out, for it is not as it was written or not there any more.
    pub(super) is_damaged: bool,
}

/// So many of the nearest assets; `among` those of a query, or all.
pub(super) fn nearest(
    view: &View,
    what: Field,
    (meant, among): (&Meant, Option<&dyn Query>),
    most: usize,
) -> Result<Nearest> {
    let mut is_damaged = false;
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
                let Some(file) = files.iter().find(|file| file.has(block.place)) else {
                    is_damaged |= !view.vectors[n].iter().any(|file| file.has(block.place));
                    continue;
                };
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
    let mut near = Vec::with_capacity(best.len());
    for Ranked { at, .. } in best.into_sorted_vec() {
        let Some(block) = blocks.get(&at).copied() else { continue };
        // To look at each one's checksum before it is compared would take longer than to compare it.
        let all = sound(view, meant, (at, block))?;
        is_damaged |= (all.len() as u64) < block.count;
        if let Some(likeness) = all.into_iter().map(|(likeness, _)| likeness).reduce(Score::max) {
            near.push(Near { at, likeness, block });
        }
    }
    if is_damaged {
        near.sort_by(|a, b| b.likeness.total_cmp(&a.likeness).then_with(|| a.at.cmp(&b.at)));
    }
    Ok(Nearest { near, is_damaged })
}

/// An asset's passages that are as they were written, each with how near it is and the documents of its moments.
fn sound(view: &View, meant: &Meant, (at, block): (Found, Block)) -> Result<Vec<(Score, Range<DocId>)>> {
    let file = view.vectors[at.0].iter().find(|file| file.has(block.place)).ok_or_else(damaged)?;
    let passages = file.passages(block.asset, block.place, block.count)?.flatten();
    Ok(passages.map(|(kept, moments)| (meant.vector.likeness(kept), moments)).collect())
}

/// Whether a document leads to vectors that are not there any more.
pub(super) fn is_lacking(view: &View, what: Field) -> Result<bool> {
    let mut is_lacking = false;
    each(view, what, &mut |file, _| is_lacking |= file.is_none())?;
    Ok(is_lacking)
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
    let mut all = sound(view, meant, (near.at, near.block))?;
    all.retain(|(_, moments)| !moments.is_empty());
    all.sort_by(|a, b| b.0.total_cmp(&a.0).then_with(|| a.1.start.cmp(&b.1.start)));
    Ok(all)
}
