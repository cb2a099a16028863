//! Words that have a stem in common: what is kept of them in an index, and what a question's word leads to.
//!
//! The first time that a writer meets a word, it writes which stems it has, as terms of a document that is neither asset
//! nor moment and that nothing removes. So each word of a text is one term, and a question's word is looked up by all
//! words of its stems. A stem of no word that is left costs a question one look-up.

use std::{collections::HashSet, hash::BuildHasher};

use tantivy::{Searcher as Pieces, TantivyDocument, schema::Field};

use super::{
    schema::Fields,
    vocabulary::each_term,
    words::{Asked, Morphology, STEM, Seed, composed, words},
    write::LEADS_TO,
};
use crate::error::Result;

/// What such a document says that it is.
const FORMS: &str = "forms";
/// Words that a writer remembers; what it forgets is written once more.
const REMEMBERED: usize = 4_000_000;
/// Most words of a stem that are looked for.
const MOST: usize = 100;

/// The words whose stems a writer has written.
#[derive(Default)]
pub(super) struct Told {
    morphology: Morphology,
    seed: Seed,
    /// Hashes of 64 bits: two words of one are not to be expected among so few.
    known: HashSet<u64, Seed>,
}

impl Told {
    /// Adds the stems of a text's words that are new, each with its word.
    pub(super) fn learn(&mut self, text: &str, new: &mut Vec<String>) {
        for (_, word) in words(&composed(text)) {
            if word.bytes().all(|b| b.is_ascii_digit()) || !self.known.insert(self.seed.hash_one(word)) {
                continue;
            }
            if self.known.len() > REMEMBERED {
                self.known.clear();
            }
            let stems = self.morphology.forms(word).stems;
            new.extend(stems.into_iter().map(|(stem, term)| format!("{stem}{LEADS_TO}{term}")));
        }
    }

    /// Forgets all: what was written may not have come to last.
    pub(super) fn forget(&mut self) {
        self.known.clear();
    }
}

/// The document that keeps them.
pub(super) fn document(fields: &Fields, new: &[String]) -> TantivyDocument {
    let mut doc = TantivyDocument::default();
    doc.add_text(fields.what, FORMS);
    new.iter().for_each(|form| doc.add_text(fields.forms, form));
    doc
}

/// The words that a question's word is looked up by: itself, then those of each of its stems.
pub(super) fn of(shards: &[Pieces], forms: Field, asked: &Asked) -> Result<Vec<Vec<String>>> {
    let mut groups = vec![vec![asked.exact.clone()]];
    for stem in &asked.stems {
        // A word that is its own stem is not kept as one that has it.
        if *stem != asked.exact {
            groups.push(vec![stem.clone()]);
        }
        let begin = format!("{STEM}{stem}{LEADS_TO}");
        let mut family: Vec<String> = Vec::new();
        each_term(shards, forms, &begin, |form, _| {
            let word = &form[begin.len()..];
            if !family.iter().any(|known| known == word) {
                family.push(word.to_owned());
            }
            family.len() < MOST
        })?;
        groups.push(family);
    }
    Ok(groups)
}
