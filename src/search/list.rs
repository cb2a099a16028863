//! The places of a term in a piece of the index, and what they can bring.

use std::sync::Arc;

use tantivy::{
    DocId, InvertedIndexReader, Score, TERMINATED, Term, fieldnorm::FieldNormReader, postings::BlockSegmentPostings,
    query::Bm25Weight, schema::IndexRecordOption,
};

/// BM25's k1 and b, which are tantivy's.
const K: Score = 1.2;
const B: Score = 0.75;

/// Rounding is not to leave anything out.
pub(super) const SLACK: Score = 1.001;

/// Places in a block; a last one that is not full is followed by documents that there are not.
const BLOCK: usize = 128;

/// A cursor through the documents that have a term.
pub(super) struct List {
    block: BlockSegmentPostings,
    at: usize,
    /// Without, nobody asks for scores.
    weighed: Option<Arc<Weighed>>,
}

impl List {
    /// None where no document has it.
    pub(super) fn open(
        inverted: &InvertedIndexReader,
        term: &Term,
        weighed: Option<Weighed>,
    ) -> tantivy::Result<Option<Self>> {
        let option = weighed.as_ref().map_or(IndexRecordOption::Basic, |_| IndexRecordOption::WithFreqs);
        let block = inverted.read_block_postings(term, option)?;
        Ok(block.map(|block| Self { block, at: 0, weighed: weighed.map(Arc::new) }))
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

    /// What it brings; none where nobody asks for scores.
    pub(super) fn weighed(&self) -> Option<&Arc<Weighed>> {
        self.weighed.as_ref()
    }

    /// More than it can bring to any document.
    pub(super) fn most(&self) -> Score {
        self.weighed.as_ref().map_or(0.0, |weighed| weighed.whole)
    }

    /// What it brings to the document where it is.
    pub(super) fn score(&self, norm: u8) -> Score {
        self.weighed.as_ref().map_or(0.0, |weighed| weighed.score(norm, self.block.freq(self.at)))
    }

    /// Goes on to the first document that is not before `end`, and tells how often it is in each on the way. What cannot be better
    /// than `threshold`, where others bring `beside` at most, is left out: whole blocks, and documents.
    pub(super) fn pour(
        &mut self,
        end: DocId,
        norms: Option<&FieldNormReader>,
        (threshold, beside): (Score, Score),
        mut each: impl FnMut(DocId, u32),
    ) {
        while self.doc() < end {
            let block_most = match (&self.weighed, norms) {
                (Some(weighed), Some(norms)) => weighed.whole * weighed.bounds.most(&mut self.block, norms),
                _ => Score::MAX,
            };
            let docs = &self.block.docs()[self.at..];
            // What lies behind `end` may have others that nothing here has.
            let docs = &docs[..docs.partition_point(|doc| *doc < end)];
            match &self.weighed {
                _ if (block_most + beside) * SLACK <= threshold => {}
                Some(weighed) => {
                    let fewest = weighed.bounds.fewest((threshold - beside) / weighed.whole);
                    let counts = self.block.freqs()[self.at..].iter().copied();
                    docs.iter().zip(counts).filter(|(_, n)| *n >= fewest).for_each(|(doc, n)| each(*doc, n));
                }
                None => docs.iter().for_each(|doc| each(*doc, 1)),
            }
            self.at += docs.len();
            if self.at == BLOCK {
                self.next_block();
            }
        }
    }
}

/// What a term brings to documents.
pub(super) struct Weighed {
    weight: Bm25Weight,
    bounds: Bounds,
    /// More than it can bring to any.
    whole: Score,
    /// What it can bring at most where it is so often; the last one is of all that are more.
    by_count: [Score; 8],
}

impl Weighed {
    pub(super) fn new(weight: Bm25Weight, bounds: Bounds) -> Self {
        let whole = all_of(&weight);
        let mut by_count = [0, 1, 2, 3, 4, 5, 6, u32::MAX].map(|count| whole * bounds.share(count));
        by_count[0] = 0.0;
        Self { weight, bounds, whole, by_count }
    }

    pub(super) fn score(&self, norm: u8, count: u32) -> Score {
        self.weight.score(norm, count)
    }

    /// The most that it can bring where it is so often: to the shortest document.
    pub(super) fn most(&self, count: u32) -> Score {
        self.by_count[(count as usize).min(self.by_count.len() - 1)]
    }
}

/// More than a term of this weight can bring to any document.
fn all_of(weight: &Bm25Weight) -> Score {
    // Bm25Weight::max_score is of the longest document that there can be, which brings less than a short one.
    weight.score(0, u32::MAX)
}

/// Lengths of the shortest and of the longest document.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lengths {
    pub(super) least: Score,
    pub(super) most: Score,
}

impl Lengths {
    /// Of the documents of a piece that have something in a field.
    pub(super) fn of(norms: Option<&FieldNormReader>, documents: DocId) -> Self {
        let (mut least, mut most) = (u8::MAX, 0);
        for norm in norms.iter().flat_map(|norms| (0..documents).map(|doc| norms.fieldnorm_id(doc))) {
            // What is empty has no place in a list.
            if norm > 0 {
                least = least.min(norm);
            }
            most = most.max(norm);
        }
        let length = |norm: u8| FieldNormReader::id_to_fieldnorm(norm) as Score;
        Self { least: length(least.min(most)), most: length(most) }
    }
}

/// By what a document's length divides how often it has a term.
fn divisor(length: Score, average: Score) -> Score {
    1.0 - B + B * length / average
}

/// What a block, and what a document can bring at most.
///
/// Of each block the index keeps the document that brings most when lengths are held against the average `a` of all its documents,
/// moments among them. With `n(l, a) = 1 - b + b l / a`, one that occurs `f` times in a length `l` brings `v / (v + k)` of the
/// weight, `v = f / n(l, a)`. Held against another average `c`, `v` is `n(l, a) / n(l, c)` times as much, which grows or falls with
/// the length: at most it is that of the longest or of the shortest.
#[derive(Clone)]
pub(super) struct Bounds {
    /// With the index's average; of no matter which weight.
    kept: Bm25Weight,
    /// All of that weight.
    whole: Score,
    /// How many times as large `v` can be.
    more: Score,
    /// The least that how often a document has a term is divided by.
    least: Score,
}

impl Bounds {
    /// Of the average length in the index, and of the one by which documents are weighed.
    pub(super) fn new(average: Score, other: Score, lengths: Lengths) -> Self {
        let kept = Bm25Weight::for_one_term_without_explain(1, 2, average);
        let whole = all_of(&kept);
        let more = |length| divisor(length, average) / divisor(length, other);
        let least = divisor(lengths.least, other);
        Self { kept, whole, more: more(lengths.least).max(more(lengths.most)), least }
    }

    /// The share of a term's weight.
    fn most(&self, block: &mut BlockSegmentPostings, norms: &FieldNormReader) -> Score {
        let share = block.block_max_score(norms, &self.kept) / self.whole;
        // The largest v of the block by the index's average; a share of 1 is of no bound.
        let v = self.more * K * share / (1.0 - share).max(Score::EPSILON);
        (v / (v + K)).min(1.0)
    }

    /// The share of its weight that a term brings to the shortest document, where it is so often.
    fn share(&self, count: u32) -> Score {
        let v = count as Score / self.least;
        v / (v + K)
    }

    /// How often a document must have a term at least, to bring more than this share of its weight.
    fn fewest(&self, share: Score) -> u32 {
        let share = share / SLACK;
        match share < 1.0 {
            // What is below 0 becomes 0.
            true => (K * share / (1.0 - share) * self.least) as u32,
            false => u32::MAX,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds_hold_for_every_length_count_and_average() {
        let share = |length: Score, count: Score, average: Score| {
            let v = count / divisor(length, average);
            v / (v + K)
        };
        let all = [1.0, 8.0, 50.0, 900.0, 100_000.0_f32];
        for (least, most) in (0..5).flat_map(|least| (least..5).map(move |most| (least, most))) {
            let lengths = Lengths { least: all[least], most: all[most] };
            for (average, other) in [1.0, 9.0, 300.0_f32].iter().flat_map(|a| [0.5, 9.0, 4000.0].map(|c| (*a, c))) {
                let bounds = Bounds::new(average, other, lengths);
                for length in &all[least..=most] {
                    for count in [1.0, 3.0, 40.0, 1000.0_f32].into_iter().filter(|count| count <= length) {
                        let kept = share(*length, count, average);
                        let v = bounds.more * K * kept / (1.0 - kept);
                        let brings = share(*length, count, other);
                        assert!(v / (v + K) * SLACK >= brings, "{lengths:?} {average} {other} {length} {count}");
                        assert!(bounds.share(count as u32) * SLACK >= brings, "{lengths:?} {other} {length} {count}");
                        for less in [0.999, 0.9, 0.5, 0.1, 0.0, -3.0] {
                            assert!(
                                bounds.fewest(brings * less) <= count as u32,
                                "{lengths:?} {length} {count} {less}"
                            );
                        }
                    }
                }
            }
        }
        let bounds = Bounds::new(30.0, 300.0, Lengths { least: 200.0, most: 400.0 });
        assert_eq!([0.0, 0.4, 0.6, 0.7, 1.1, 7.0].map(|share| bounds.fewest(share)), [0, 0, 1, 2, u32::MAX, u32::MAX]);
    }
}
