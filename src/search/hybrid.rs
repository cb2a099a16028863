//! Questions that are asked by words and by meaning at once: the two rankings become one by the places that each hit has in
//! them (reciprocal rank fusion: Cormack, Clarke and Büttcher, SIGIR 2009), for their scores cannot be compared.

use std::{collections::HashMap, ops::Range};

use tantivy::{DocAddress, DocId, Score, query::Query};

use super::{
    Match, Moment,
    answer::{Found, Searcher},
    ask::{self, Ask, Words},
    build::{Builder, term},
    join::{ASSET, These},
    near::{self, Near, Nearest},
    opened::View,
    question::{Meant, Question, Sort, Spot},
    vectors::damaged,
    words::Morphology,
};
use crate::error::{Error, Result};

/// What is added to each place, so that the first ones do not outweigh all others: the value of the paper.
const K: f32 = 60.0;
/// Places of the words' ranking that are joined with the other, and how many assets are near.
pub(super) const FUSED: usize = 200;
pub(super) const NEAREST: usize = 200;

/// The text of a question that is asked by its meaning: its words without a field. All else is a condition.
///
/// Errors: `Invalid` for a question that makes no sense, has no such words, or wants an order that meaning has not.
pub fn meant(words: &str, by: Match, sort: Sort) -> Result<String> {
    in_order(sort)?;
    apart(ask::parse(words, by)?.as_ref()).map(|(texts, _)| texts.join(" "))
}

fn in_order(sort: Sort) -> Result<()> {
    match sort {
        Sort::Relevance => Ok(()),
        _ => Err(Error::invalid("what is looked for by its meaning has no order but relevance")
            .hint("leave the order out, or ask without meaning")),
    }
}

/// A question's words that are asked by their meaning, of which there must be some, and its conditions.
fn apart(ask: Option<&Ask>) -> Result<(Vec<String>, Option<Ask>)> {
    let (texts, rest) = ask.cloned().map(split).unwrap_or_default();
    match texts.is_empty() {
        true => Err(Error::invalid("the question has no words whose meaning could be looked for")
            .hint("words without a field, such as: subida de los precios kind:video")),
        false => Ok((texts, rest)),
    }
}

/// Words that are asked by their meaning, and what must be true besides.
fn split(ask: Ask) -> (Vec<String>, Option<Ask>) {
    match ask {
        Ask::Words(None, Words::All(text)) => (vec![text], None),
        Ask::Any(all) if all.iter().all(|ask| matches!(ask, Ask::Words(None, Words::All(_)))) => {
            (all.into_iter().flat_map(|ask| split(ask).0).collect(), None)
        }
        Ask::All(all) => {
            let (mut texts, mut rest) = (Vec::new(), Vec::new());
            for (more, others) in all.into_iter().map(split) {
                texts.extend(more);
                rest.extend(others);
            }
            let rest = if rest.len() > 1 { Some(Ask::All(rest)) } else { rest.pop() };
            (texts, rest)
        }
        other => (Vec::new(), Some(other)),
    }
}

/// One ranking of two. Words' hits behind those that are joined follow in their order, so that it does not depend on how many
/// of them are given whether one comes before another.
pub(super) fn fused(words: &[(Score, Found)], near: &[Near]) -> Vec<(Score, Found)> {
    let share = |place: usize| 1.0 / (K + place as f32 + 1.0);
    let (first, others) = words.split_at(words.len().min(FUSED));
    let mut all: Vec<(Score, Found)> = first.iter().enumerate().map(|(n, (_, at))| (share(n), *at)).collect();
    let known: HashMap<Found, usize> = all.iter().enumerate().map(|(n, (_, at))| (*at, n)).collect();
    for (n, near) in near.iter().enumerate() {
        match known.get(&near.at) {
            Some(place) => all[*place].0 += share(n),
            None => all.push((share(n), near.at)),
        }
    }
    // Of equals, what has the words comes first.
    all.sort_by(|a, b| b.0.total_cmp(&a.0));
    let is_near = |at: &Found| near.iter().any(|near| near.at == *at);
    let others = others.iter().enumerate().filter(|(_, (_, at))| !is_near(at));
    all.extend(others.map(|(n, (_, at))| (share(FUSED + n), *at)));
    all
}

/// Moments that words found and those that are near, in turns. One that words found in a passage stands for it.
pub(super) fn in_turns(words: Vec<Spot>, near: Vec<Spot>, most: usize) -> Vec<Spot> {
    let is_in = |spot: &Spot| {
        let of = |m: &Moment| (m.kind, m.from_ms, m.to_ms);
        let (kind, from, to) = of(&spot.moment);
        words.iter().map(|w| of(&w.moment)).any(|(k, begin, end)| k == kind && begin >= from && end <= to)
    };
    let near: Vec<Spot> = near.into_iter().filter(|spot| !is_in(spot)).collect();
    let (mut words, mut near) = (words.into_iter(), near.into_iter());
    let mut all = Vec::new();
    while all.len() < most {
        match (words.next(), near.next()) {
            (None, None) => break,
            (word, near) => all.extend(word.into_iter().chain(near)),
        }
    }
    all.truncate(most);
    all
}

impl Searcher {
    /// The assets that are near to a question, of those that its conditions let through and that may be shown.
    pub(super) fn near(
        &self,
        view: &View,
        (question, ask): (&Question<'_>, Option<&Ask>),
        morphology: &Morphology,
    ) -> Result<Nearest> {
        let Some(meant) = question.meaning else { return Ok(Nearest::default()) };
        in_order(question.sort)?;
        if !view.vectors.iter().flatten().any(|file| file.recipe == meant.recipe) {
            return Err(match near::is_lacking(view, self.fields.what)? {
                true => damaged(),
                false => Error::invalid("the index has nothing of what texts mean by this model")
                    .hint("'damctl enrich' finds it out, then 'damctl index' takes it in"),
            });
        }
        let (_, rest) = apart(ask)?;
        let is_narrow = rest.is_some() || question.kind.is_some() || !self.seen(view, &question.access)?.is_empty();
        let among: Option<Box<dyn Query>> = match (rest, is_narrow) {
            (None, false) => None,
            (None, true) => Some(Box::new(term(self.fields.what, ASSET))),
            (Some(rest), _) => {
                let fields = (self.fields, view.assets.clone());
                let builder = Builder::new(&view.shards, fields, &self.synonyms, morphology, Vec::new());
                Some(builder.build(Some(&rest))?.assets)
            }
        };
        let among = among.map(|query| self.narrowed(view, query, question)).transpose()?;
        near::nearest(view, self.fields.what, (meant, among.as_deref()), NEAREST)
    }

    /// What is found by words, and what is near, as one query.
    pub(super) fn either(&self, view: &View, words: Box<dyn Query>, near: &[Near]) -> Box<dyn Query> {
        let pieces = |at: &Found| view.shards[at.0].segment_reader(at.1.segment_ord).segment_id();
        let near = These::new(near.iter().map(|near| (pieces(&near.at), near.at.1.doc_id)));
        super::build::any(vec![words, Box::new(near)])
    }

    /// The passages of an asset that are nearest to a question, each as one moment.
    pub(super) fn nearest_moments(
        &self,
        view: &View,
        (meant, near): (&Meant, &Near),
        most: usize,
    ) -> Result<Vec<(Score, Moment)>> {
        let (shard, at) = near.at;
        let mut all = Vec::new();
        for (likeness, docs) in near::passages(view, meant, near)?.into_iter().take(most) {
            let of = |doc: DocId| self.stored::<Moment>(view, (shard, DocAddress::new(at.segment_ord, doc)));
            all.extend(joined(docs, of)?.map(|moment| (likeness, moment)));
        }
        Ok(all)
    }
}

/// Moments that follow each other as one, without those that are to be doubted.
fn joined(docs: Range<DocId>, of: impl Fn(DocId) -> Result<Moment>) -> Result<Option<Moment>> {
    let mut all: Option<Moment> = None;
    for doc in docs {
        let next = of(doc)?;
        if !next.doubts.is_empty() {
            continue;
        }
        let Some(moment) = &mut all else {
            all = Some(next);
            continue;
        };
        moment.text = format!("{} {}", moment.text.trim(), next.text.trim());
        moment.from_ms = moment.from_ms.min(next.from_ms);
        moment.to_ms = moment.to_ms.max(next.to_ms);
        moment.area = None;
        moment.speaker.take_if(|speaker| next.speaker.as_ref() != Some(&*speaker));
        moment.trust = moment.trust.zip(next.trust).map(|(a, b)| a.min(b));
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::search::near::Block;

    fn at(doc: DocId) -> Found {
        (0, DocAddress::new(0, doc))
    }

    fn near(docs: &[DocId]) -> Vec<Near> {
        let one = |doc: &DocId| Near { at: at(*doc), likeness: 0.9, block: Block { asset: *doc, place: 0, count: 1 } };
        docs.iter().map(one).collect()
    }

    #[test]
    fn a_hit_of_both_rankings_comes_first_and_pages_do_not_move() {
        let words: Vec<(Score, Found)> = (0..500).map(|n| (500.0 - n as f32, at(n))).collect();
        let near = near(&[900, 3, 901, 450]);
        let docs = |all: &[(Score, Found)]| all.iter().map(|(_, at)| at.1.doc_id).collect::<Vec<_>>();
        let whole = docs(&fused(&words, &near));
        assert_eq!(whole[..6], [3, 0, 900, 1, 2, 901]);
        assert_eq!(whole.len(), 502, "each once");
        assert!(whole.iter().position(|doc| *doc == 450) < Some(20), "near, though its words are far behind");
        // Whoever asks for less gets the same beginning.
        for n in [FUSED, 300, 460] {
            let less = docs(&fused(&words[..n], &near));
            assert!(less.len() >= n);
            assert_eq!(less[..n], whole[..n]);
        }
    }

    #[test]
    fn words_without_a_field_are_meant_and_all_else_is_a_condition() {
        let of = |words: &str, by| {
            let (texts, rest) = split(ask::parse(words, by).unwrap().unwrap());
            (texts.join(" "), rest.is_some())
        };
        assert_eq!(of("suben los precios", Match::All), ("suben los precios".to_owned(), false));
        assert_eq!(of("suben los precios", Match::Any), ("suben los precios".to_owned(), false));
        assert_eq!(of("suben precios kind:video -perro", Match::Any), ("suben precios".to_owned(), true));
        assert_eq!(of("comida \"en la calle\"", Match::All), ("comida".to_owned(), true));
        assert_eq!(of("pan OR said:queso", Match::All), (String::new(), true));
        for (words, sort) in [("said:queso", Sort::Relevance), ("", Sort::Relevance), ("queso", Sort::Newest)] {
            assert!(meant(words, Match::All, sort).is_err(), "{words}");
        }
    }
}
