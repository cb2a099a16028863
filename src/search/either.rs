//! Any of some words, each in any of its forms.
//!
//! The words that can be enough by themselves are gone through, and the others are asked only about what those find and what
//! can still be among the best (MaxScore, Turtle and Flood 1995).

use tantivy::{
    DocId, Score, SegmentReader, TERMINATED,
    fieldnorm::FieldNormReader,
    query::{BooleanQuery, EnableScoring, Explanation, Query, Scorer, Weight},
    schema::Field,
};

use super::{
    every::{Form, Stretch, Weights, Word},
    join::Assets,
    list::SLACK,
};

/// Words of one field, which assets have, of which one is enough.
#[derive(Clone, Debug)]
pub(super) struct Either {
    pub(super) field: Field,
    /// The terms of each word.
    pub(super) words: Vec<Vec<Form>>,
    pub(super) assets: Assets,
}

impl Query for Either {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        let all = BooleanQuery::union(self.words.iter().flatten().map(Form::asked).collect());
        let weights = Weights::of((self.field, &self.assets), &self.words, scoring)?;
        Ok(Box::new(Weighed { all: all.weight(scoring)?, weights }))
    }
}

struct Weighed {
    /// The index's own way to all of them.
    all: Box<dyn Weight>,
    weights: Weights,
}

impl Weight for Weighed {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        self.all.scorer(reader, boost)
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        self.all.explain(reader, doc)
    }

    fn for_each_no_score(&self, reader: &SegmentReader, callback: &mut dyn FnMut(&[DocId])) -> tantivy::Result<()> {
        self.all.for_each_no_score(reader, callback)
    }

    fn for_each_pruning(
        &self,
        threshold: Score,
        reader: &SegmentReader,
        callback: &mut dyn FnMut(DocId, Score) -> Score,
    ) -> tantivy::Result<()> {
        let (words, norms) = self.weights.lists(reader, 1.0)?;
        best(words, norms.as_ref(), threshold, callback);
        Ok(())
    }
}

/// Calls `callback` with each asset that is better than what it says is good enough.
fn best(
    mut words: Vec<Word>,
    norms: Option<&FieldNormReader>,
    mut threshold: Score,
    callback: &mut dyn FnMut(DocId, Score) -> Score,
) {
    let norm = |doc| norms.map_or(0, |norms| norms.fieldnorm_id(doc));
    words.sort_by(|a, b| a.most(TERMINATED).total_cmp(&b.most(TERMINATED)));
    let mut stretch = Stretch::default();
    // How many of the first words are not enough, all of them together, and what each of these and those before it can bring.
    let mut weak = 0;
    let mut rest = vec![0.0; words.len() + 1];
    loop {
        while weak < words.len() && rest[weak] + words[weak].most(TERMINATED) <= threshold {
            rest[weak + 1] = rest[weak] + words[weak].most(TERMINATED);
            weak += 1;
        }
        let (asked, led) = words.split_at_mut(weak);
        let first = led.iter().map(Word::doc).min().unwrap_or(TERMINATED);
        if first == TERMINATED {
            return;
        }
        let mut enough = threshold;
        // `most` is what the led ones bring at most, `score` tells how much it is.
        let mut offer = |doc, most: Score, score: &dyn Fn() -> Score| {
            if (most + rest[weak]) * SLACK <= enough {
                return;
            }
            let mut score = score();
            for (n, word) in asked.iter_mut().enumerate().rev() {
                if score + rest[n + 1] <= enough {
                    return;
                }
                if word.seek(doc) == doc {
                    score += word.score(doc, norm(doc));
                }
            }
            if score > enough {
                enough = callback(doc, score);
            }
        };
        match led {
            // Nothing is to be summed up, and each block is held against what is good enough by then.
            [alone] if alone.has_one_form() => {
                alone.pour_block(norms, (threshold, rest[weak]), |doc, score| offer(doc, score, &|| score));
            }
            led => {
                let (_, sketch) = stretch.fill(first, led, norms, (threshold, rest[weak]));
                for (doc, seen) in stretch.take() {
                    offer(doc, sketch.most(&seen), &|| sketch.score(&seen, norm(doc)));
                }
            }
        }
        threshold = enough;
    }
}

#[cfg(test)]
mod tests {
    use tantivy::{
        Index, Term, doc,
        schema::{Schema, TEXT},
    };

    use super::*;

    #[test]
    fn a_seldom_form_counts_wherever_it_is_beside_a_frequent_one() {
        let mut schema = Schema::builder();
        let field = schema.add_text_field("words", TEXT);
        let index = Index::create_in_ram(schema.build());
        let mut writer = index.writer_with_num_threads(1, 100_000_000).unwrap();
        // Once in a while it is in none of those that are looked at together.
        let has_both = |n: usize| n < 40 || (8192..8210).contains(&n);
        for n in 0..9000 {
            let mut text = "casa ".repeat(if n % 7 == 0 { 0 } else { 1 + n % 3 });
            text += &"de ".repeat(n % 5);
            if has_both(n) {
                text += &"casona ".repeat(if n < 40 { 1 } else { 9 - n % 4 });
            }
            writer.add_document(doc!(field => text)).unwrap();
        }
        writer.commit().unwrap();
        let searcher = index.reader().unwrap().searcher();
        let form = |word: &str, boost| Form { term: Term::from_field_text(field, word), boost };
        for (frequent, seldom) in [(1.0, 1.0), (2.0, 0.02), (0.1, 1.9)] {
            let words = vec![vec![form("casa", frequent), form("casona", seldom)], vec![form("nada", 1.0)]];
            let plain = BooleanQuery::union(words.iter().flatten().map(Form::asked).collect());
            let either = Either { field, words, assets: Assets::default() };
            for most in [1, 10, 60] {
                let top = |query: &dyn Query| {
                    let weight = query.weight(EnableScoring::enabled_from_searcher(&searcher)).unwrap();
                    let mut best: Vec<(Score, DocId)> = Vec::new();
                    let mut each = |doc, score| {
                        best.push((score, doc));
                        best.sort_by(|a, b| b.0.total_cmp(&a.0));
                        best.truncate(most);
                        best.get(most - 1).map_or(Score::MIN, |(score, _)| *score)
                    };
                    weight.for_each_pruning(Score::MIN, searcher.segment_reader(0), &mut each).unwrap();
                    best
                };
                let (found, all) = (top(&either), top(&plain));
                assert_eq!((found.len(), all.len()), (most, most));
                for ((score, doc), (expected, other)) in found.into_iter().zip(all) {
                    assert!((score - expected).abs() < 1e-5, "{frequent} {most}: {doc} {score}, {other} {expected}");
                }
            }
        }
    }
}
