//! The places of a term in a piece of the index, and what they can bring.

use tantivy::{
    DocId, InvertedIndexReader, Score, TERMINATED, Term, fieldnorm::FieldNormReader, postings::BlockSegmentPostings,
    query::Bm25Weight, schema::IndexRecordOption,
};

/// BM25's k1, which is tantivy's.
const K: Score = 1.2;

/// Rounding is not to leave anything out.
const SLACK: Score = 1.001;

/// Places in a block; a last one that is not full is followed by documents that there are not.
const BLOCK: usize = 128;

/// A cursor through the documents that have a term.
pub(super) struct List {
    block: BlockSegmentPostings,
    at: usize,
    /// Without, nobody asks for scores.
    weighed: Option<(Bm25Weight, Bounds)>,
}

impl List {
    /// None where no document has it.
    pub(super) fn open(
        inverted: &InvertedIndexReader,
        term: &Term,
        weighed: Option<(Bm25Weight, Bounds)>,
    ) -> tantivy::Result<Option<Self>> {
        let option = weighed.as_ref().map_or(IndexRecordOption::Basic, |_| IndexRecordOption::WithFreqs);
        let block = inverted.read_block_postings(term, option)?;
        Ok(block.map(|block| Self { block, at: 0, weighed }))
    }

    pub(super) fn count(&self) -> u64 {
        self.block.doc_freq().into()
    }

    pub(super) fn doc(&self) -> DocId {
        self.block.doc(self.at)
    }

    pub(super) fn advance(&mut self) {
        self.at += 1;
        if self.at == BLOCK {
            self.next_block();
        }
    }

    /// The document after the last one of the block where it is.
    pub(super) fn end_of_block(&self) -> DocId {
        self.block.docs().last().map_or(TERMINATED, |last| last + 1)
    }

    fn next_block(&mut self) {
        self.block.advance();
        self.at = 0;
    }

    /// Goes on to the first document from here, which is not before the one where it is.
    pub(super) fn seek(&mut self, target: DocId) {
        self.at = self.block.seek(target);
    }

    /// More than it can bring to any document.
    pub(super) fn most(&self) -> Score {
        self.weighed.as_ref().map_or(0.0, |(weight, _)| all_of(weight))
    }

    /// What it brings to the document where it is.
    pub(super) fn score(&self, norm: u8) -> Score {
        self.weighed.as_ref().map_or(0.0, |(weight, _)| weight.score(norm, self.block.freq(self.at)))
    }

    /// Goes on to the first document that is not before `end`, and tells what it brings to each on the way. Blocks are left out
    /// whose documents cannot be better than `threshold`, where others bring `beside` at most.
    pub(super) fn pour(
        &mut self,
        end: DocId,
        norms: Option<&FieldNormReader>,
        (threshold, beside): (Score, Score),
        mut each: impl FnMut(DocId, Score),
    ) {
        while self.doc() < end {
            if let (Some((weight, bounds)), Some(norms)) = (&self.weighed, norms)
                && (all_of(weight) * bounds.most(&mut self.block, norms) + beside) * SLACK <= threshold
            {
                self.next_block();
                continue;
            }
            let docs = &self.block.docs()[self.at..];
            let docs = &docs[..docs.partition_point(|doc| *doc < end)];
            match &self.weighed {
                Some((weight, _)) => {
                    for (doc, count) in docs.iter().zip(&self.block.freqs()[self.at..]) {
                        let norm = norms.map_or(0, |norms| norms.fieldnorm_id(*doc));
                        each(*doc, weight.score(norm, *count));
                    }
                }
                None => docs.iter().for_each(|doc| each(*doc, 0.0)),
            }
            self.at += docs.len();
            if self.at == BLOCK {
                self.next_block();
            }
        }
    }
}

/// More than a term of this weight can bring to any document.
fn all_of(weight: &Bm25Weight) -> Score {
    // Bm25Weight::max_score is of the longest document that there can be, which brings less than a short one.
    weight.score(0, u32::MAX)
}

/// What a block can bring at most.
///
/// Of each block the index keeps the document that brings most when lengths are held against the average `a` of all its documents,
/// moments among them. With `n(l, a) = 1 - b + b l / a`, one that occurs `f` times in a length `l` brings `v / (v + k)` of the
/// weight, `v = f / n(l, a)`. Held against another average `c`, `v` is at most `n(l, a) / n(l, c)` times as much, which is at most
/// `c / a` or 1.
#[derive(Clone)]
pub(super) struct Bounds {
    /// With the index's average; of no matter which weight.
    kept: Bm25Weight,
    /// All of that weight.
    whole: Score,
    /// How many times as large `v` can be.
    more: Score,
}

impl Bounds {
    /// Of the average length in the index, and of the one by which documents are weighed.
    pub(super) fn new(average: Score, other: Score) -> Self {
        let kept = Bm25Weight::for_one_term_without_explain(1, 2, average);
        let whole = all_of(&kept);
        Self { kept, whole, more: (other / average).max(1.0) }
    }

    /// The share of a term's weight.
    fn most(&self, block: &mut BlockSegmentPostings, norms: &FieldNormReader) -> Score {
        let share = block.block_max_score(norms, &self.kept) / self.whole;
        // The largest v of the block by the index's average; a share of 1 is of no bound.
        let v = self.more * K * share / (1.0 - share).max(Score::EPSILON);
        (v / (v + K)).min(1.0)
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
