//! Makes what the index understands of a question: which assets, and which of their moments.

use std::{
    collections::{BTreeMap, HashMap, HashSet},
    ops::Bound,
};

use tantivy::{
    Score, Searcher as Pieces, Term,
    query::{
        AllQuery, BooleanQuery, ConstScoreQuery, EmptyQuery, FuzzyTermQuery, Occur, PhraseQuery, Query, RangeQuery,
        TermQuery,
    },
    schema::{Field, IndexRecordOption},
};

use super::{
    answer::has_any,
    ask::{Ask, Label, Number, Place, Words},
    breadth::Breadth,
    either::Either,
    every::{Every, Form},
    failed, family,
    join::{ASSET, Assets, Enough, ToAsset},
    schema::{EVERYWHERE, Fields},
    synonyms::Synonyms,
    vocabulary,
    words::{GRAM, Morphology, folded, spelled, words},
};
use crate::{
    error::{Error, Result},
    model::FindingKind,
};

/// Words that were taken for others, for want of themselves.
pub(super) type Corrections = BTreeMap<String, Vec<String>>;

/// What a column must tell of an asset.
pub(super) enum Must {
    /// One of these values.
    Have(&'static str, Vec<String>),
    /// A number between these.
    Lie(Numbered, Bound<i64>, Bound<i64>),
}

/// A field of numbers.
pub(super) struct Numbered {
    pub(super) name: &'static str,
    field: Field,
    pub(super) is_signed: bool,
}

/// What a question became.
pub(super) struct Built {
    /// The assets.
    pub(super) assets: Box<dyn Query>,
    /// The same for whoever wants the best alone: what is looked for, and what each that is found must have.
    pub(super) best: Option<(Box<dyn Query>, Vec<Must>)>,
    /// Their moments, by each term that one could have.
    pub(super) moments: Vec<Box<dyn Query>>,
    /// The terms by which words are marked.
    pub(super) terms: HashSet<String>,
    /// What was taken for something else.
    pub(super) corrections: Corrections,
}

pub(super) struct Builder<'a> {
    pub(super) shards: &'a [Pieces],
    pub(super) fields: Fields,
    pub(super) assets: Assets,
    pub(super) synonyms: &'a Synonyms,
    /// Of a question that is nothing but a phrase: how many assets that say it are enough.
    enough: Option<(usize, Breadth)>,
    /// Whether words that nothing has are looked for as they are.
    as_written: bool,
    /// What may be seen; none: everything. What is not to be seen is no reason to take a word for another, or not to.
    seen: Vec<(Occur, Boxed)>,
    morphology: &'a Morphology,
    terms: HashSet<String>,
    corrections: Corrections,
    /// What a word became, in groups of a stem each: it is asked for of assets and of moments.
    known: HashMap<String, Vec<Vec<String>>>,
}

type Boxed = Box<dyn Query>;

impl<'a> Builder<'a> {
    pub(super) fn new(
        shards: &'a [Pieces],
        (fields, assets): (Fields, Assets),
        synonyms: &'a Synonyms,
        morphology: &'a Morphology,
        seen: Vec<(Occur, Boxed)>,
    ) -> Self {
        Self {
            seen,
            as_written: false,
            enough: None,
            shards,
            fields,
            assets,
            synonyms,
            morphology,
            terms: HashSet::new(),
            corrections: Corrections::new(),
            known: HashMap::new(),
        }
    }

    /// Is content with so many assets that say a phrase, where nothing else is asked: to look at each moment that has two
    /// very frequent words takes long, and nobody sees more hits than that.
    pub(super) fn enough(self, assets: usize, breadth: Breadth) -> Self {
        Self { enough: Some((assets, breadth)), ..self }
    }

    /// Takes no word for another: where the meaning is asked for, too, what nothing has is not a mistake.
    pub(super) fn literal(self) -> Self {
        Self { as_written: true, ..self }
    }

    /// Of a question, or of none: then of all assets.
    pub(super) fn build(mut self, ask: Option<&Ask>) -> Result<Built> {
        self.enough = self.enough.filter(|_| matches!(ask, Some(Ask::Words(None, Words::Phrase(_)))));
        let assets = match ask {
            Some(ask) => self.assets_of(ask)?,
            None => self.every(),
        };
        let best = match ask {
            Some(Ask::All(all)) => self.best_of(all)?,
            _ => None,
        };
        let moments = ask.map(|ask| self.moments_of(ask)).transpose()?.unwrap_or_default();
        Ok(Built { assets, best, moments, terms: self.terms, corrections: self.corrections })
    }

    /// Words, and apart from them what an asset's columns tell: of frequent words, few assets need to be asked for that.
    fn best_of(&mut self, all: &[Ask]) -> Result<Option<(Boxed, Vec<Must>)>> {
        let (mut others, mut musts) = (Vec::new(), Vec::new());
        for ask in all {
            match ask {
                Ask::Label(label, value) => {
                    let (name, field) = self.labelled(*label);
                    musts.push(Must::Have(name, self.values(*label, field, value)?));
                }
                Ask::Exactly(name, value) => musts.push(Must::Have(name, vec![value.clone()])),
                Ask::Number(number, from, to) => musts.push(Must::Lie(self.numbered(*number), *from, *to)),
                ask => others.push(ask.clone()),
            }
        }
        let has_words = others.iter().any(|ask| matches!(ask, Ask::Words(None, Words::All(_)) | Ask::Any(_)));
        match has_words && !musts.is_empty() {
            true => {
                let words = if others.len() == 1 { others.remove(0) } else { Ask::All(others) };
                Ok(Some((self.assets_of(&words)?, musts)))
            }
            false => Ok(None),
        }
    }

    fn every(&self) -> Boxed {
        without_score(term(self.fields.what, ASSET))
    }

    fn assets_of(&mut self, ask: &Ask) -> Result<Boxed> {
        Ok(match ask {
            Ask::Words(place, words) => self.words(*place, words)?,
            Ask::Label(label, value) => self.label(*label, value)?,
            Ask::Exactly(field, value) => self
                .fields
                .counted(field)
                .map_or_else(|| Box::new(EmptyQuery) as Boxed, |f| without_score(term(f, value))),
            Ask::Number(number, from, to) => self.number(*number, from, to),
            Ask::Has(kind) => without_score(self.joined(Box::new(term(self.fields.what, kind.as_str())))),
            Ask::Not(inner) => {
                let inner = self.assets_of(inner)?;
                Box::new(BooleanQuery::new(vec![(Occur::Must, self.every()), (Occur::MustNot, inner)]))
            }
            Ask::Any(all) => {
                let (mut known, mut each) = (Vec::new(), Vec::new());
                for ask in all {
                    match ask {
                        // Single words are looked for together.
                        Ask::Words(None, Words::All(text)) if words(text).count() == 1 => {
                            let word = words(text).next().map_or(text.as_str(), |(_, word)| word);
                            match self.forms_anywhere(word)? {
                                Some(forms) => known.push(forms),
                                None => each.extend(self.instead(word)?),
                            }
                        }
                        ask => each.push(self.assets_of(ask)?),
                    }
                }
                if !known.is_empty() {
                    let assets = self.assets.clone();
                    each.push(Box::new(Either { field: self.fields.all, words: known, assets }));
                }
                any(each)
            }
            Ask::All(all) => {
                let mut clauses = Vec::new();
                // Words anywhere are looked for together.
                let anywhere = |ask: &Ask| match ask {
                    Ask::Words(None, Words::All(text)) => Some(text.clone()),
                    _ => None,
                };
                let texts: Vec<String> = all.iter().filter_map(anywhere).collect();
                if !texts.is_empty() {
                    clauses.push((Occur::Must, self.anywhere(&texts)?));
                }
                for ask in all.iter().filter(|ask| anywhere(ask).is_none()) {
                    clauses.push(match ask {
                        Ask::Not(inner) => (Occur::MustNot, self.assets_of(inner)?),
                        ask => (Occur::Must, self.assets_of(ask)?),
                    });
                }
                if clauses.iter().all(|(occur, _)| *occur == Occur::MustNot) {
                    clauses.push((Occur::Must, self.every()));
                }
                match clauses.len() {
                    1 => clauses.pop().map(|(_, only)| only).unwrap_or_else(|| Box::new(EmptyQuery)),
                    _ => Box::new(BooleanQuery::new(clauses)),
                }
            }
        })
    }

    /// What moments are shown for: each of the words, in any order.
    fn moments_of(&mut self, ask: &Ask) -> Result<Vec<Boxed>> {
        Ok(match ask {
            Ask::Words(place, words) => {
                let kind = match place {
                    None => None,
                    Some(Place::Speaker) => return self.moment_words(self.fields.speaker, words),
                    Some(Place::Found(kind)) => Some(*kind),
                    Some(Place::Person) => Some(FindingKind::Person),
                    Some(Place::Location) => Some(FindingKind::Place),
                    Some(Place::Organization) => Some(FindingKind::Organization),
                    Some(_) => return Ok(Vec::new()),
                };
                let queries = self.moment_words(self.fields.text, words)?;
                match kind {
                    Some(kind) => queries.into_iter().map(|query| self.of_kind(query, kind)).collect(),
                    None => queries,
                }
            }
            Ask::All(all) | Ask::Any(all) => {
                let each = all.iter().map(|ask| self.moments_of(ask)).collect::<Result<Vec<_>>>()?;
                each.into_iter().flatten().collect()
            }
            Ask::Label(..) | Ask::Exactly(..) | Ask::Number(..) | Ask::Has(_) | Ask::Not(_) => Vec::new(),
        })
    }

    fn moment_words(&mut self, field: Field, asked: &Words) -> Result<Vec<Boxed>> {
        Ok(match asked {
            Words::All(text) => {
                let each = words(text).map(|(_, word)| self.word(field, word)).collect::<Result<Vec<_>>>()?;
                each.into_iter().flatten().collect()
            }
            Words::Phrase(text) => self.phrase(field, text).into_iter().collect(),
            Words::Beginning(text) => self.beginning(field, text)?.into_iter().collect(),
            // The words that have this part are not known; what has a number in it is found by its pieces.
            Words::Part(_) => Vec::new(),
        })
    }

    fn words(&mut self, place: Option<Place>, asked: &Words) -> Result<Boxed> {
        let field = match place {
            None => self.fields.all,
            Some(Place::Title) => self.fields.title,
            Some(Place::Description) => self.fields.description,
            Some(Place::Tag) => self.fields.tag,
            Some(Place::Person) => self.fields.person,
            Some(Place::Location) => self.fields.place,
            Some(Place::Organization) => self.fields.organization,
            Some(Place::Path | Place::File) => self.fields.path,
            Some(Place::Speaker) => return self.found(self.fields.speaker, None, asked),
            Some(Place::Found(kind)) => return self.found(self.fields.text, Some(kind), asked),
        };
        Ok(match asked {
            Words::All(text) if place.is_none() => self.anywhere(std::slice::from_ref(text))?,
            Words::All(text) => {
                let each = words(text).map(|(_, word)| self.word(field, word).map(any));
                some(each.collect::<Result<_>>()?)
            }
            Words::Phrase(text) if place.is_none() => {
                let mut either: Vec<Boxed> = Vec::new();
                if words(text).nth(1).is_some() {
                    for field in [self.fields.own, self.fields.text] {
                        either.extend(self.phrase(field, text).map(|phrase| self.joined(phrase)));
                    }
                } else {
                    either = self.phrase(field, text).into_iter().collect();
                }
                any(either)
            }
            Words::Phrase(text) => any(self.phrase(field, text).into_iter().collect()),
            Words::Beginning(text) => some(self.beginning(field, text)?),
            Words::Part(text) => match place {
                None | Some(Place::File) => self.part(text),
                Some(_) => {
                    return Err(Error::invalid("any part of a word can be looked for in names of files only")
                        .hint("file:PART, or *PART* without a field"));
                }
            },
        })
    }

    /// The forms of a word in whatever place; none where nothing that may be seen has it.
    fn forms_anywhere(&mut self, word: &str) -> Result<Option<Vec<Form>>> {
        let forms = self.terms(self.fields.all, word)?;
        let is_there = !forms.is_empty() && self.is_seen(&any(forms.iter().map(Form::asked).collect()))?;
        Ok(is_there.then_some(forms))
    }

    /// Assets that have all words of these texts, in whatever place.
    fn anywhere(&mut self, texts: &[String]) -> Result<Boxed> {
        let field = self.fields.all;
        let (mut known, mut each) = (Vec::new(), Vec::new());
        for (_, word) in texts.iter().flat_map(|text| words(text)) {
            match self.forms_anywhere(word)? {
                Some(forms) => known.push(forms),
                None => each.push(any(self.instead(word)?)),
            }
        }
        let assets = self.assets.clone();
        match known.len() {
            0 => {}
            1 => each.push(Box::new(Either { field, words: known, assets })),
            _ => each.push(Box::new(Every { field, words: known, assets })),
        }
        Ok(some(each))
    }

    /// Assets by what was found in them, of one kind or of any.
    fn found(&mut self, field: Field, kind: Option<FindingKind>, asked: &Words) -> Result<Boxed> {
        if let Words::Part(_) = asked {
            return Err(Error::invalid("any part of a word can be looked for in names of files only")
                .hint("file:PART, or *PART* without a field"));
        }
        let each = match asked {
            // Here each word counts, those that nothing has as well.
            Words::All(text) => {
                let each = words(text).map(|(_, word)| self.word(field, word)).collect::<Result<Vec<_>>>()?;
                each.into_iter().map(any).collect()
            }
            asked => self.moment_words(field, asked)?,
        };
        // Words of one moment each: said in one place or in two.
        let of_kind = |query| match kind {
            Some(kind) => self.of_kind(query, kind),
            None => query,
        };
        Ok(some(each.into_iter().map(|query| self.joined(of_kind(query))).collect()))
    }

    /// Those of a query's moments that are of one kind.
    fn of_kind(&self, query: Boxed, kind: FindingKind) -> Boxed {
        let is_of_kind = without_score(term(self.fields.what, kind.as_str()));
        Box::new(BooleanQuery::intersection(vec![query, is_of_kind]))
    }

    fn joined(&self, moments: Boxed) -> Boxed {
        Box::new(ToAsset {
            moments,
            assets: self.assets.clone(),
            what: self.fields.what,
            enough: self.enough.map(|(most, breadth)| Enough::new(most, breadth)),
        })
    }

    /// A word, its forms and its synonyms that the field has; none if it has none.
    fn word(&mut self, field: Field, word: &str) -> Result<Vec<Boxed>> {
        Ok(self.terms(field, word)?.iter().map(Form::asked).collect())
    }

    /// The same as terms.
    fn terms(&mut self, field: Field, word: &str) -> Result<Vec<Form>> {
        let groups = match self.known.get(word) {
            Some(groups) => groups.clone(),
            None => {
                let mut groups = Vec::new();
                for word in std::iter::once(word).chain(self.synonyms.of(word)) {
                    let asked = self.morphology.asked(word);
                    self.terms.extend(asked.marks());
                    groups.extend(family::of(self.shards, self.fields.forms, &asked)?);
                }
                self.known.insert(word.to_owned(), groups.clone());
                groups
            }
        };
        // Each group is weighed like one term, and each of its terms is as good as the group.
        let total = self.total(field)?;
        let weight = |count: u64| {
            let count = count.min(total) as f64;
            (1.0 + (total as f64 - count + 0.5) / (count + 0.5)).ln()
        };
        let mut there: BTreeMap<&String, (u64, f64)> = BTreeMap::new();
        for text in groups.iter().flatten() {
            if !there.contains_key(text) {
                there.insert(text, (self.count(&Term::from_field_text(field, text))?, 0.0));
            }
        }
        for group in &groups {
            let sum = group.iter().filter_map(|text| there.get(text)).map(|(count, _)| count).sum();
            for text in group {
                there.entry(text).and_modify(|(_, all)| *all += weight(sum));
            }
        }
        let there = there.into_iter().filter(|(_, (count, _))| *count > 0);
        let form = |(text, (count, all)): (&String, (u64, f64))| Form {
            term: Term::from_field_text(field, text),
            boost: (all / weight(count)) as Score,
        };
        Ok(there.map(form).collect())
    }

    /// How many documents may have the field: assets, or all.
    fn total(&self, field: Field) -> Result<u64> {
        let total = match field == self.fields.text || field == self.fields.speaker {
            true => self.shards.iter().map(Pieces::num_docs).sum(),
            false => self.count(term(self.fields.what, ASSET).term())?,
        };
        Ok(total.max(1))
    }

    fn count(&self, term: &Term) -> Result<u64> {
        let each = self.shards.iter().map(|shard| shard.doc_freq(term).map_err(failed("cannot read the index")));
        each.sum()
    }

    /// Whether a query finds something that may be seen.
    fn finds(&self, query: &Boxed) -> Result<bool> {
        let seen = self.seen.iter().map(|(occur, seen)| (*occur, seen.box_clone()));
        let narrowed = BooleanQuery::new(std::iter::once((Occur::Must, query.box_clone())).chain(seen).collect());
        has_any(self.shards, &narrowed)
    }

    /// The same of what is known to find something: where everything may be seen, nothing is asked.
    fn is_seen(&self, query: &Boxed) -> Result<bool> {
        if self.seen.is_empty() { Ok(true) } else { self.finds(query) }
    }

    /// What a word may have meant that nothing has: a part of a name, else words that are written almost like it.
    fn instead(&mut self, word: &str) -> Result<Vec<Boxed>> {
        if self.as_written {
            return Ok(Vec::new());
        }
        if spelled(word).chars().count() >= GRAM {
            let part = self.part(word);
            if self.finds(&part)? {
                return Ok(vec![part]);
            }
        }
        let mut near = Vec::new();
        for other in vocabulary::near(self.shards, self.fields.all, word)? {
            let query: Boxed = Box::new(term(self.fields.all, &other));
            if self.is_seen(&query)? {
                near.push(other);
            }
        }
        if near.is_empty() {
            return Ok(Vec::new());
        }
        self.corrections.insert(word.to_owned(), near.clone());
        self.terms.extend(near.iter().cloned());
        // Moments are asked the same.
        self.known.insert(word.to_owned(), near.iter().map(|word| vec![word.clone()]).collect());
        let near = near.iter().map(|word| Box::new(term(self.fields.all, word)) as Boxed);
        Ok(near.collect())
    }

    /// Words side by side, as they are written; none of no words.
    fn phrase(&mut self, field: Field, text: &str) -> Option<Boxed> {
        let exact: Vec<String> = words(text).map(|(_, word)| folded(&word.to_lowercase())).collect();
        self.terms.extend(exact.iter().cloned());
        let mut terms: Vec<Term> = exact.iter().map(|word| Term::from_field_text(field, word)).collect();
        match terms.len() {
            0 => None,
            1 => terms.pop().map(|term| Box::new(TermQuery::new(term, IndexRecordOption::WithFreqs)) as Boxed),
            _ => Some(Box::new(PhraseQuery::new(terms))),
        }
    }

    /// Words of which the last is only begun.
    fn beginning(&mut self, field: Field, text: &str) -> Result<Vec<Boxed>> {
        let all: Vec<&str> = words(text).map(|(_, word)| word).collect();
        let Some((last, whole)) = all.split_last() else { return Ok(Vec::new()) };
        let mut each = whole.iter().map(|word| self.word(field, word).map(any)).collect::<Result<Vec<_>>>()?;
        // What ends with a dash is whole.
        each.push(match text.ends_with(|c: char| c.is_alphanumeric()) {
            true => beginning(field, last),
            false => any(self.word(field, last)?),
        });
        Ok(each)
    }

    fn part(&self, text: &str) -> Boxed {
        let letters: Vec<char> = spelled(text).chars().collect();
        let pieces = letters.windows(GRAM).map(|piece| piece.iter().collect::<String>());
        let mut terms: Vec<Term> = pieces.map(|piece| Term::from_field_text(self.fields.pieces, &piece)).collect();
        match (terms.len(), terms.pop()) {
            (_, None) => Box::new(EmptyQuery),
            (1, Some(only)) => Box::new(TermQuery::new(only, IndexRecordOption::WithFreqs)),
            (_, Some(last)) => {
                terms.push(last);
                Box::new(PhraseQuery::new(terms))
            }
        }
    }

    /// Assets with one of a label's values, whatever the letters' case and accents.
    fn label(&self, label: Label, value: &str) -> Result<Boxed> {
        let (_, field) = self.labelled(label);
        let like = self.values(label, field, value)?;
        Ok(without_score(any(like.iter().map(|value| Box::new(term(field, value)) as Boxed).collect())))
    }

    /// The values that are meant: where something may be shown everywhere, it may be there, too.
    fn values(&self, label: Label, field: Field, value: &str) -> Result<Vec<String>> {
        let mut all = vocabulary::like(self.shards, field, value)?;
        if label == Label::Territory {
            all.push(EVERYWHERE.to_owned());
        }
        Ok(all)
    }

    fn labelled(&self, label: Label) -> (&'static str, Field) {
        match label {
            Label::Kind => ("kind", self.fields.kind),
            Label::Collection => ("collection", self.fields.collection),
            Label::Program => ("program", self.fields.program),
            Label::Category => ("category", self.fields.category),
            Label::License => ("license", self.fields.license),
            Label::Codec => ("codec", self.fields.codec),
            Label::Territory => ("territory", self.fields.territory),
            Label::Consent => ("consent", self.fields.consent),
            Label::Archived => ("archived", self.fields.archived),
        }
    }

    fn number(&self, number: Number, from: &Bound<i64>, to: &Bound<i64>) -> Boxed {
        let Numbered { field, is_signed, .. } = self.numbered(number);
        let bound = |n: &i64| match is_signed {
            true => Term::from_field_i64(field, *n),
            false => Term::from_field_u64(field, u64::try_from(*n).unwrap_or(0)),
        };
        without_score(RangeQuery::new(from.as_ref().map(bound), to.as_ref().map(bound)))
    }

    fn numbered(&self, number: Number) -> Numbered {
        let f = &self.fields;
        let (name, field, is_signed) = match number {
            Number::Duration => ("duration", f.duration, false),
            Number::Bytes => ("bytes", f.bytes, false),
            Number::Width => ("width", f.width, false),
            Number::Height => ("height", f.height, false),
            Number::Rate => ("rate", f.rate, false),
            Number::Channels => ("channels", f.channels, false),
            Number::Hdr => ("hdr", f.hdr, false),
            Number::Recorded => ("recorded", f.recorded, true),
            Number::Created => ("created", f.created, true),
            Number::Expires => ("expires", f.expires, true),
        };
        Numbered { name, field, is_signed }
    }
}

pub(super) fn term(field: Field, text: &str) -> TermQuery {
    TermQuery::new(Term::from_field_text(field, text), IndexRecordOption::WithFreqs)
}

pub(super) fn without_score(query: impl Query) -> Boxed {
    Box::new(ConstScoreQuery::new(Box::new(query), 0.0))
}

/// The beginning of a word. Stems are marked by what no word begins with.
fn beginning(field: Field, text: &str) -> Boxed {
    let term = Term::from_field_text(field, &folded(&text.to_lowercase()));
    Box::new(FuzzyTermQuery::new_prefix(term, 0, true))
}

/// All of some; of none nothing.
fn some(queries: Vec<Boxed>) -> Boxed {
    if queries.is_empty() { Box::new(EmptyQuery) } else { all(queries) }
}

pub(super) fn any(mut queries: Vec<Boxed>) -> Boxed {
    match (queries.len(), queries.pop()) {
        (_, None) => Box::new(EmptyQuery),
        (1, Some(only)) => only,
        (_, Some(last)) => {
            queries.push(last);
            Box::new(BooleanQuery::union(queries))
        }
    }
}

pub(super) fn all(mut queries: Vec<Boxed>) -> Boxed {
    match (queries.len(), queries.pop()) {
        (_, None) => Box::new(AllQuery),
        (1, Some(only)) => only,
        (_, Some(last)) => {
            queries.push(last);
            Box::new(BooleanQuery::intersection(queries))
        }
    }
}
