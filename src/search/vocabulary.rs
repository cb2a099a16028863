//! The words that an index has: those that are written almost like another, values of a label, and what may follow what
//! was typed.

use std::collections::{BTreeMap, HashMap};

use tantivy::{
    Searcher as Pieces, Term,
    query::FuzzyTermQuery,
    schema::{Field, IndexRecordOption},
};

use super::{
    failed,
    words::{folded, words},
    write::suggested,
};
use crate::error::Result;

/// Most words that one is taken for.
const MOST_NEAR: usize = 5;
/// Most words that are looked at for it.
const MOST_LOOKED_AT: usize = 10_000;

/// The words that are most like one that the field does not have, the most frequent first: one letter other, too many or
/// missing, or two that changed places; two such mistakes from eight letters on.
pub(super) fn near(shards: &[Pieces], field: Field, word: &str) -> Result<Vec<String>> {
    let word = folded(&word.to_lowercase());
    let letters = word.chars().count();
    let distance = match letters {
        0..=3 => return Ok(Vec::new()),
        4..=7 => 1,
        _ => 2,
    };
    // A year that is one digit off is another year.
    if word.chars().all(|c| c.is_ascii_digit()) {
        return Ok(Vec::new());
    }
    for distance in 1..=distance {
        let mut counts: HashMap<String, u64> = HashMap::new();
        let query = FuzzyTermQuery::new(Term::from_field_text(field, &word), distance, true);
        for reader in shards.iter().flat_map(Pieces::segment_readers) {
            let inverted = reader.inverted_index(field).map_err(failed("cannot read the index"))?;
            let automaton = query.automaton().map_err(failed("cannot search"))?;
            let mut stream = inverted
                .terms()
                .search(automaton)
                .into_stream()
                .map_err(|e| crate::error::io("cannot read the index", e))?;
            let mut looked_at = 0;
            while let Some((term, info)) = stream.next() {
                looked_at += 1;
                if looked_at > MOST_LOOKED_AT {
                    break;
                }
                if let Ok(term) = std::str::from_utf8(term) {
                    *counts.entry(term.to_owned()).or_default() += u64::from(info.doc_freq);
                }
            }
        }
        if !counts.is_empty() {
            let mut all: Vec<(String, u64)> = counts.into_iter().collect();
            // Few people mistype the first letter.
            let first = word.chars().next();
            all.sort_by_key(|(term, n)| (term.chars().next() != first, std::cmp::Reverse(*n), term.clone()));
            return Ok(all.into_iter().take(MOST_NEAR).map(|(term, _)| term).collect());
        }
    }
    Ok(Vec::new())
}

/// A label's values that read like this one, whatever their letters' case and accents.
pub(super) fn like(shards: &[Pieces], field: Field, value: &str) -> Result<Vec<String>> {
    let wanted = folded(&value.trim().to_lowercase());
    let mut all = Vec::new();
    each_term(shards, field, "", |term, _| {
        if folded(&term.to_lowercase()) == wanted && !all.iter().any(|known| known == term) {
            all.push(term.to_owned());
        }
        true
    })?;
    Ok(all)
}

/// Calls `each` with every term that begins so, and in how many documents it is, until it says that it has enough.
pub(super) fn each_term(
    shards: &[Pieces],
    field: Field,
    begin: &str,
    mut each: impl FnMut(&str, u64) -> bool,
) -> Result<()> {
    for reader in shards.iter().flat_map(Pieces::segment_readers) {
        let inverted = reader.inverted_index(field).map_err(failed("cannot read the index"))?;
        let stream = inverted.terms().range().ge(begin.as_bytes());
        let mut stream = stream.into_stream().map_err(|e| crate::error::io("cannot read the index", e))?;
        while let Some((term, info)) = stream.next() {
            if !term.starts_with(begin.as_bytes()) {
                break;
            }
            let Ok(term) = std::str::from_utf8(term) else { continue };
            if !each(term, u64::from(info.doc_freq)) {
                break;
            }
        }
    }
    Ok(())
}

/// What may be meant by the beginning of a name or a word, the most frequent first, each with the term that has it.
pub(super) fn completions(
    shards: &[Pieces],
    (names, all): (Field, Field),
    typed: &str,
    most: usize,
) -> Result<Vec<(String, Term)>> {
    let begin = folded(&typed.trim().to_lowercase());
    if begin.is_empty() {
        return Ok(Vec::new());
    }
    let mut found: BTreeMap<String, (bool, u64, Term)> = BTreeMap::new();
    let mut looked_at = 0;
    each_term(shards, names, &begin, |term, count| {
        looked_at += 1;
        if let Some(name) = suggested(term) {
            let new = || (true, 0, Term::from_field_text(names, term));
            found.entry(name).or_insert_with(new).1 += count;
        }
        looked_at < MOST_LOOKED_AT
    })?;
    // Of several words, the last is being typed.
    if words(&begin).nth(1).is_none() {
        looked_at = 0;
        each_term(shards, all, &begin, |term, count| {
            looked_at += 1;
            let new = || (false, 0, Term::from_field_text(all, term));
            found.entry(term.to_owned()).or_insert_with(new).1 += count;
            looked_at < MOST_LOOKED_AT
        })?;
    }
    let mut found: Vec<_> = found.into_iter().collect();
    found.sort_by_key(|(text, (is_name, count, _))| (!is_name, std::cmp::Reverse(*count), text.clone()));
    Ok(found.into_iter().take(most).map(|(text, (_, _, term))| (text, term)).collect())
}

/// How a term's documents are asked for.
pub(super) const PLAIN: IndexRecordOption = IndexRecordOption::Basic;
