//! One word that has one term: blocks of its places are left out that cannot hold what is good enough.

use tantivy::{
    DocId, Score, SegmentReader, Term,
    fieldnorm::FieldNormReader,
    postings::BlockSegmentPostings,
    query::Bm25Weight,
    schema::{Field, IndexRecordOption},
};

use super::every::all_of;

/// The term, and how it is weighed.
pub(super) struct Only<'a> {
    pub(super) field: Field,
    pub(super) term: &'a Term,
    pub(super) weight: &'a Bm25Weight,
    /// The average length by which it is.
    pub(super) length: Score,
}

/// BM25's k1, which is tantivy's.
const K: Score = 1.2;

/// Rounding is not to leave anything out.
const SLACK: Score = 1.001;

impl Only<'_> {
    /// Calls `callback` with each asset that is better than what it says is good enough.
    pub(super) fn best(
        &self,
        reader: &SegmentReader,
        mut threshold: Score,
        callback: &mut dyn FnMut(DocId, Score) -> Score,
    ) -> tantivy::Result<()> {
        let inverted = reader.inverted_index(self.field)?;
        let norms = reader.fieldnorms_readers().get_field(self.field)?;
        let blocks = inverted.read_block_postings(self.term, IndexRecordOption::WithFreqs)?;
        let (Some(mut block), Some(norms)) = (blocks, norms) else { return Ok(()) };
        let bounds = Bounds::new(inverted.total_num_tokens() as Score / reader.max_doc() as Score, self);
        while !block.docs().is_empty() {
            if bounds.most(&mut block, &norms) > threshold {
                for (doc, count) in block.docs().iter().zip(block.freqs()) {
                    let score = self.weight.score(norms.fieldnorm_id(*doc), *count);
                    if score > threshold {
                        threshold = callback(*doc, score);
                    }
                }
            }
            block.advance();
        }
        Ok(())
    }
}

/// What a block can bring at most.
///
/// Of each block the index keeps the document that brings most when lengths are held against the average `a` of all its documents,
/// moments among them. With `n(l, a) = 1 - b + b l / a`, one that occurs `f` times in a length `l` brings `v / (v + k)` of the
/// weight, `v = f / n(l, a)`. Held against another average `c`, `v` is at most `n(l, a) / n(l, c)` times as much, which is at most
/// `c / a` or 1.
struct Bounds {
    /// With the index's average; of no matter which weight.
    kept: Bm25Weight,
    /// All of that weight.
    whole: Score,
    /// How many times as large `v` can be.
    more: Score,
    /// All of the word's weight.
    all: Score,
}

impl Bounds {
    fn new(average: Score, only: &Only<'_>) -> Self {
        let kept = Bm25Weight::for_one_term_without_explain(1, 2, average);
        let (whole, all) = (all_of(&kept), all_of(only.weight));
        Self { kept, whole, more: (only.length / average).max(1.0), all }
    }

    fn most(&self, block: &mut BlockSegmentPostings, norms: &FieldNormReader) -> Score {
        let share = block.block_max_score(norms, &self.kept) / self.whole;
        // The largest v of the block by the index's average; a share of 1 is of no bound.
        let v = self.more * K * share / (1.0 - share).max(Score::EPSILON);
        self.all * (v / (v + K)).min(1.0) * SLACK
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// BM25's b, which is tantivy's.
    const B: Score = 0.75;

    #[test]
    fn bounds_hold_for_every_length_count_and_average() {
        let share = |length: Score, count: Score, average: Score| {
            let v = count / (1.0 - B + B * length / average);
            v / (v + K)
        };
        for average in [1.0, 9.0, 300.0_f32] {
            for other in [0.5, 9.0, 100.0, 4000.0_f32] {
                let more = (other / average).max(1.0);
                for length in [1.0, 8.0, 50.0, 900.0, 100_000.0_f32] {
                    for count in [1.0, 3.0, 40.0, 1000.0_f32].into_iter().filter(|count| *count <= length) {
                        let kept = share(length, count, average);
                        let v = more * K * kept / (1.0 - kept);
                        assert!(
                            v / (v + K) * SLACK >= share(length, count, other),
                            "{average} {other} {length} {count}"
                        );
                    }
                }
            }
        }
    }
}
