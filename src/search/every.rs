//! All of some words, each in any of its forms.
//!
//! The assets that have the rarest word are gone through, and the others are asked only about those that can still be
//! among the best: what a word can bring at most is known beforehand (MaxScore, Turtle and Flood 1995).

use std::sync::Arc;

use tantivy::{
    COLLECT_BLOCK_BUFFER_LEN, DocId, DocSet, Score, SegmentReader, TERMINATED, TantivyError, Term,
    fieldnorm::FieldNormReader,
    query::{Bm25Weight, BoostQuery, EnableScoring, Explanation, Query, Scorer, TermQuery, Weight},
    schema::{Field, IndexRecordOption},
};

use super::{
    join::Assets,
    list::{self, Bounds, List, SLACK},
};

/// One of the terms that a word is looked up by.
#[derive(Clone, Debug)]
pub(super) struct Form {
    pub(super) term: Term,
    /// By how much its weight is multiplied, so that forms of a word weigh what the word weighs.
    pub(super) boost: Score,
}

impl Form {
    /// As a question of its own.
    pub(super) fn plain(&self) -> Box<dyn Query> {
        Box::new(TermQuery::new(self.term.clone(), IndexRecordOption::WithFreqs))
    }

    /// As one of several.
    pub(super) fn asked(&self) -> Box<dyn Query> {
        Box::new(BoostQuery::new(self.plain(), self.boost))
    }
}

/// A word that more than one document in so many has is frequent.
const FREQUENT: u64 = 256;

/// Words of one field, which assets have.
#[derive(Clone, Debug)]
pub(super) struct Every {
    pub(super) field: Field,
    /// The terms of each word.
    pub(super) words: Vec<Vec<Form>>,
    pub(super) assets: Assets,
}

impl Query for Every {
    fn weight(&self, scoring: EnableScoring<'_>) -> tantivy::Result<Box<dyn Weight>> {
        Ok(Box::new(Weighed(Weights::of((self.field, &self.assets), &self.words, scoring)?)))
    }
}

/// Terms of words, weighed. Without a weight nobody asks for scores.
pub(super) struct Weights {
    field: Field,
    assets: Assets,
    words: Vec<Vec<(Term, Option<Bm25Weight>)>>,
    /// Of how many words an asset is, on average.
    length: Score,
}

impl Weights {
    pub(super) fn of(
        (field, assets): (Field, &Assets),
        words: &[Vec<Form>],
        scoring: EnableScoring<'_>,
    ) -> tantivy::Result<Self> {
        let weighed = |form: &Form| {
            let weight = match scoring {
                EnableScoring::Enabled { statistics_provider, .. } => {
                    let weight = Bm25Weight::for_terms(statistics_provider, std::slice::from_ref(&form.term))?;
                    Some(weight.boost_by(form.boost))
                }
                EnableScoring::Disabled { .. } => None,
            };
            Ok((form.term.clone(), weight))
        };
        let words = words.iter().map(|forms| forms.iter().map(weighed).collect());
        let length = match scoring {
            EnableScoring::Enabled { statistics_provider: known, .. } => {
                known.total_num_tokens(field)? as Score / known.total_num_docs()?.max(1) as Score
            }
            EnableScoring::Disabled { .. } => 0.0,
        };
        Ok(Self { field, assets: assets.clone(), words: words.collect::<tantivy::Result<_>>()?, length })
    }

    /// The words in a piece of the index, and the lengths of its documents.
    pub(super) fn lists(
        &self,
        reader: &SegmentReader,
        boost: Score,
    ) -> tantivy::Result<(Vec<Word>, Option<FieldNormReader>)> {
        let inverted = reader.inverted_index(self.field)?;
        let norms = reader.fieldnorms_readers().get_field(self.field)?;
        let average = inverted.total_num_tokens() as Score / reader.max_doc().max(1) as Score;
        let bounds = Bounds::new(average, self.length, *self.assets.lengths(reader, self.field)?);
        let mut words = Vec::with_capacity(self.words.len());
        for forms in &self.words {
            let mut there = Vec::with_capacity(forms.len());
            for (term, weight) in forms {
                let weighed = weight.as_ref().map(|weight| list::Weighed::new(weight.boost_by(boost), bounds.clone()));
                there.extend(List::open(&inverted, term, weighed)?);
            }
            words.push(Word { forms: there });
        }
        Ok((words, norms))
    }
}

struct Weighed(Weights);

impl Weighed {
    fn matches(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Matches> {
        let (mut words, norms) = self.0.lists(reader, boost)?;
        words.sort_by_key(Word::count);
        Ok(Matches { words, norms, doc: TERMINATED })
    }

    /// A bit for each document, set where all words are.
    fn marked(&self, reader: &SegmentReader) -> tantivy::Result<Vec<u64>> {
        let Weights { field, words, .. } = &self.0;
        let inverted = reader.inverted_index(*field)?;
        let places = (reader.max_doc() as usize).div_ceil(u64::BITS as usize);
        let mut all: Option<Vec<u64>> = None;
        for forms in words {
            let mut any = vec![0_u64; places];
            for (term, _) in forms {
                let Some(mut postings) = inverted.read_block_postings(term, IndexRecordOption::Basic)? else {
                    continue;
                };
                while !postings.docs().is_empty() {
                    for doc in postings.docs() {
                        any[(doc / u64::BITS) as usize] |= 1 << (doc % u64::BITS);
                    }
                    postings.advance();
                }
            }
            match &mut all {
                Some(all) => all.iter_mut().zip(&any).for_each(|(all, any)| *all &= any),
                None => all = Some(any),
            }
        }
        Ok(all.unwrap_or_default())
    }
}

impl Weight for Weighed {
    fn scorer(&self, reader: &SegmentReader, boost: Score) -> tantivy::Result<Box<dyn Scorer>> {
        let mut matches = self.matches(reader, boost)?;
        matches.begin();
        Ok(Box::new(matches))
    }

    fn explain(&self, reader: &SegmentReader, doc: DocId) -> tantivy::Result<Explanation> {
        let mut scorer = self.scorer(reader, 1.0)?;
        match scorer.doc() <= doc && scorer.seek(doc) == doc {
            true => Ok(Explanation::new("all words", scorer.score())),
            false => Err(TantivyError::InvalidArgument("the asset lacks a word".to_owned())),
        }
    }

    fn for_each_no_score(&self, reader: &SegmentReader, callback: &mut dyn FnMut(&[DocId])) -> tantivy::Result<()> {
        let mut block = [0; COLLECT_BLOCK_BUFFER_LEN];
        let mut matches = self.matches(reader, 1.0)?;
        // Of words that each are in a great part of all assets, to mark where they are takes less than to seek.
        if matches.words.first().is_some_and(|rarest| rarest.count() > u64::from(reader.max_doc()) / FREQUENT) {
            let marked = self.marked(reader)?;
            let mut filled = 0;
            for (place, mut bits) in (0..).zip(marked) {
                while bits != 0 {
                    block[filled] = place * u64::BITS + bits.trailing_zeros();
                    bits &= bits - 1;
                    filled += 1;
                    if filled == block.len() {
                        callback(&block);
                        filled = 0;
                    }
                }
            }
            callback(&block[..filled]);
            return Ok(());
        }
        matches.begin();
        loop {
            match matches.fill_buffer(&mut block) {
                0 => return Ok(()),
                filled => callback(&block[..filled]),
            }
        }
    }

    fn for_each_pruning(
        &self,
        threshold: Score,
        reader: &SegmentReader,
        callback: &mut dyn FnMut(DocId, Score) -> Score,
    ) -> tantivy::Result<()> {
        self.matches(reader, 1.0)?.best(threshold, callback);
        Ok(())
    }
}

/// A word in a piece of the index.
pub(super) struct Word {
    forms: Vec<List>,
}

impl Word {
    pub(super) fn has_one_form(&self) -> bool {
        self.forms.len() == 1
    }

    /// Goes on through the block where a word of one form is, and tells what it brings to each document there.
    pub(super) fn pour_block(
        &mut self,
        norms: Option<&FieldNormReader>,
        bounds: (Score, Score),
        mut each: impl FnMut(DocId, Score),
    ) {
        let norm = |doc| norms.map_or(0, |norms| norms.fieldnorm_id(doc));
        for form in &mut self.forms {
            let weighed = form.weighed().cloned();
            let score = |doc, count| weighed.as_ref().map_or(0.0, |weighed| weighed.score(norm(doc), count));
            form.pour(form.end_of_block(), norms, bounds, |doc, count| each(doc, score(doc, count)));
        }
    }

    fn count(&self) -> u64 {
        self.forms.iter().map(List::count).sum()
    }

    /// The most that it can bring to a document before this one: forms that come later bring nothing.
    pub(super) fn most(&self, end: DocId) -> Score {
        self.forms.iter().filter(|form| form.doc() < end).map(List::most).sum()
    }

    pub(super) fn doc(&self) -> DocId {
        self.forms.iter().map(List::doc).min().unwrap_or(TERMINATED)
    }

    pub(super) fn seek(&mut self, target: DocId) -> DocId {
        if target == TERMINATED {
            return TERMINATED;
        }
        for form in self.forms.iter_mut().filter(|form| form.doc() < target) {
            form.seek(target);
        }
        self.doc()
    }

    fn advance(&mut self, from: DocId) -> DocId {
        for form in self.forms.iter_mut().filter(|form| form.doc() == from) {
            form.advance();
        }
        self.doc()
    }

    pub(super) fn score(&self, doc: DocId, norm: u8) -> Score {
        self.forms.iter().filter(|form| form.doc() == doc).map(|form| form.score(norm)).sum()
    }
}

/// The assets of a piece that have all words, the rarest word first.
struct Matches {
    words: Vec<Word>,
    norms: Option<FieldNormReader>,
    doc: DocId,
}

impl Matches {
    fn norm(&self, doc: DocId) -> u8 {
        self.norms.as_ref().map_or(0, |norms| norms.fieldnorm_id(doc))
    }

    fn begin(&mut self) {
        self.doc = self.words.first().map_or(TERMINATED, Word::doc);
        self.agree();
    }

    /// Goes on to the first asset from here that all words have.
    fn agree(&mut self) -> DocId {
        let Some((rarest, others)) = self.words.split_first_mut() else { return TERMINATED };
        while self.doc != TERMINATED {
            let elsewhere = others.iter_mut().map(|word| word.seek(self.doc)).find(|found| *found != self.doc);
            match elsewhere {
                Some(found) => self.doc = rarest.seek(found),
                None => break,
            }
        }
        self.doc
    }

    /// Calls `callback` with each one that is better than what it says is good enough. What the rarest word brings is summed
    /// up for a stretch of documents at a time: of frequent words, that takes less than to go from one to the next.
    fn best(mut self, mut threshold: Score, callback: &mut dyn FnMut(DocId, Score) -> Score) {
        let most: Score = self.words.iter().map(|word| word.most(TERMINATED)).sum();
        let Some((rarest, others)) = self.words.split_first_mut() else { return };
        let norm = |doc| self.norms.as_ref().map_or(0, |norms| norms.fieldnorm_id(doc));
        let mut stretch = Stretch::default();
        let beside: Score = others.iter().map(|word| word.most(TERMINATED)).sum();
        // What the others from each one on can bring together.
        let mut rest = vec![0.0; others.len() + 1];
        // Before this one there is none that all words have.
        let mut next = 0;
        while most > threshold && rarest.seek(next) != TERMINATED {
            let (end, sketch) =
                stretch.fill(rarest.doc(), std::slice::from_mut(rarest), self.norms.as_ref(), (threshold, beside));
            for (n, word) in others.iter_mut().enumerate().rev() {
                word.seek(stretch.first);
                rest[n] = rest[n + 1] + word.most(end);
            }
            'docs: for (doc, seen) in stretch.take() {
                if doc < next || (sketch.most(&seen) + rest[0]) * SLACK <= threshold {
                    continue;
                }
                let mut score = sketch.score(&seen, norm(doc));
                for (n, word) in others.iter_mut().enumerate() {
                    if score + rest[n] <= threshold {
                        continue 'docs;
                    }
                    next = word.seek(doc);
                    if next != doc {
                        continue 'docs;
                    }
                    score += word.score(doc, norm(doc));
                }
                if score > threshold {
                    threshold = callback(doc, score);
                }
            }
        }
    }
}

/// Documents that are looked at together: as many as leave their scores where the processor has them at hand.
const STRETCH: usize = 4096;

/// So many forms have their numbers noted.
const NOTED: usize = 4;

/// Which documents of a stretch have words, and how often.
pub(super) struct Stretch {
    first: DocId,
    there: [u64; STRETCH / u64::BITS as usize],
    seen: [Seen; STRETCH],
}

/// What was seen of words in a document: how often the first forms are there, and what the others bring, and those that are there
/// too often to be noted.
#[derive(Clone, Copy, Default)]
pub(super) struct Seen {
    counts: [u16; NOTED],
    others: Score,
}

/// What the forms that have their numbers noted bring. How long documents are lies far from where they are listed, and is of
/// no use for most of them: what they can have at most is not enough.
pub(super) struct Sketch(Vec<Arc<list::Weighed>>);

impl Sketch {
    fn each<'a>(&'a self, seen: &'a Seen) -> impl Iterator<Item = (&'a list::Weighed, u32)> {
        self.0.iter().map(|weighed| &**weighed).zip(seen.counts.into_iter().map(u32::from)).filter(|(_, n)| *n > 0)
    }

    /// The most that a document can have.
    pub(super) fn most(&self, seen: &Seen) -> Score {
        seen.others + self.each(seen).map(|(weighed, count)| weighed.most(count)).sum::<Score>()
    }

    /// What one of this length has.
    pub(super) fn score(&self, seen: &Seen, norm: u8) -> Score {
        seen.others + self.each(seen).map(|(weighed, count)| weighed.score(norm, count)).sum::<Score>()
    }
}

impl Default for Stretch {
    fn default() -> Self {
        Self { first: 0, there: [0; STRETCH / u64::BITS as usize], seen: [Seen::default(); STRETCH] }
    }
}

impl Stretch {
    /// Goes on with words through the stretch that begins with a document, before which none of them is; says where that ends.
    /// What cannot be better than `threshold`, where other words bring `beside` at most, may be left out.
    pub(super) fn fill(
        &mut self,
        first: DocId,
        words: &mut [Word],
        norms: Option<&FieldNormReader>,
        (threshold, beside): (Score, Score),
    ) -> (DocId, Sketch) {
        self.first = first;
        let end = first.saturating_add(STRETCH as u32).min(TERMINATED);
        let forms = || words.iter().flat_map(|word| &word.forms);
        // A form that comes later brings nothing.
        let most: Vec<Score> = forms().map(|form| if form.doc() < end { form.most() } else { 0.0 }).collect();
        let sketch = Sketch(forms().take(NOTED).filter_map(List::weighed).cloned().collect());
        for (n, form) in words.iter_mut().flat_map(|word| &mut word.forms).enumerate() {
            let others: Score = most.iter().enumerate().filter(|(other, _)| *other != n).map(|(_, most)| most).sum();
            let weighed = form.weighed().cloned();
            form.pour(end, norms, (threshold, beside + others), |doc, count| {
                let at = (doc - first) as usize;
                self.there[at / u64::BITS as usize] |= 1 << (at % u64::BITS as usize);
                let seen = &mut self.seen[at];
                match (seen.counts.get_mut(n), u16::try_from(count), &weighed) {
                    (Some(noted), Ok(count), _) => *noted = count,
                    (_, _, Some(weighed)) => {
                        seen.others += weighed.score(norms.map_or(0, |norms| norms.fieldnorm_id(doc)), count);
                    }
                    (_, _, None) => {}
                }
            });
        }
        (end, sketch)
    }

    /// Takes out the documents that are there, each with what was seen of the words.
    pub(super) fn take(&mut self) -> impl Iterator<Item = (DocId, Seen)> {
        let mut place = 0;
        std::iter::from_fn(move || {
            while *self.there.get(place)? == 0 {
                place += 1;
            }
            let at = place * u64::BITS as usize + self.there[place].trailing_zeros() as usize;
            self.there[place] &= self.there[place] - 1;
            Some((self.first + at as DocId, std::mem::take(&mut self.seen[at])))
        })
    }
}

impl DocSet for Matches {
    fn advance(&mut self) -> DocId {
        let from = self.doc;
        self.doc = self.words.first_mut().map_or(TERMINATED, |rarest| rarest.advance(from));
        self.agree()
    }

    fn seek(&mut self, target: DocId) -> DocId {
        if self.doc < target {
            self.doc = self.words.first_mut().map_or(TERMINATED, |rarest| rarest.seek(target));
            self.agree();
        }
        self.doc
    }

    fn doc(&self) -> DocId {
        self.doc
    }

    fn size_hint(&self) -> u32 {
        self.words.first().map_or(0, |word| u32::try_from(word.count()).unwrap_or(u32::MAX))
    }
}

impl Scorer for Matches {
    fn score(&mut self) -> Score {
        let norm = self.norm(self.doc);
        self.words.iter().map(|word| word.score(self.doc, norm)).sum()
    }
}

#[cfg(test)]
mod tests {
    use tantivy::{
        Index,
        collector::{Count, DocSetCollector, TopDocs},
        doc,
        query::BooleanQuery,
        schema::{Schema, TEXT},
    };

    use super::*;

    /// The same of the index's own parts.
    fn plain(words: &[Vec<Form>]) -> BooleanQuery {
        let word = |forms: &Vec<Form>| {
            Box::new(BooleanQuery::union(forms.iter().map(Form::plain).collect())) as Box<dyn Query>
        };
        BooleanQuery::intersection(words.iter().map(word).collect())
    }

    #[test]
    fn the_best_are_those_of_all() {
        let mut schema = Schema::builder();
        let field = schema.add_text_field("words", TEXT);
        let index = Index::create_in_ram(schema.build());
        let mut writer = index.writer_with_num_threads(1, 15_000_000).unwrap();
        let mut dice = 7_u64;
        for n in 0..14_000 {
            let mut next = || {
                dice = dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
                (dice >> 33) as usize
            };
            let length = 1 + next() % 30;
            // The first letters often, the last seldom.
            let text: Vec<String> = (0..length).map(|_| format!("w{}", next() % (1 + next() % 12))).collect();
            writer.add_document(doc!(field => text.join(" "))).unwrap();
            if n == 2500 {
                writer.commit().unwrap();
            }
        }
        writer.commit().unwrap();
        let searcher = index.reader().unwrap().searcher();
        let term = |n: usize| Term::from_field_text(field, &format!("w{n}"));
        for words in [
            vec![vec![0], vec![1]],
            vec![vec![11], vec![0, 1]],
            vec![vec![3, 9], vec![4, 8], vec![5]],
            vec![vec![0], vec![99]],
            vec![vec![10, 11], vec![9, 8, 7]],
        ] {
            let form = |n: &usize| Form { term: term(*n), boost: 1.0 };
            let words_of = words.iter().map(|w| w.iter().map(form).collect()).collect();
            let every = Every { field, words: words_of, assets: Assets::default() };
            let top = |query: &dyn Query| searcher.search(query, &TopDocs::with_limit(25).order_by_score()).unwrap();
            let plain = plain(&every.words);
            let (ours, theirs) = (top(&every), top(&plain));
            let count = |query: &dyn Query| searcher.search(query, &Count).unwrap();
            assert_eq!(count(&every), count(&plain), "{words:?}");
            let all = |query: &dyn Query| searcher.search(query, &DocSetCollector).unwrap();
            assert_eq!(all(&every), all(&plain), "{words:?}");
            assert_eq!(ours.len(), theirs.len(), "{words:?}");
            for ((score, at), (their_score, their_at)) in ours.iter().zip(&theirs) {
                assert!((score - their_score).abs() < 1e-4, "{words:?} {at:?} {their_at:?}");
            }
        }
    }
}
