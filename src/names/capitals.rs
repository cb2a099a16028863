//! Texts in capitals, as captions are: a copy as one would write it in a sentence, for a recognizer that goes by capitals.

use std::{collections::HashSet, sync::OnceLock};

use super::language::{Language, words};

/// A line is in capitals when it has as many letters as this, and no small one.
const FEWEST: usize = 4;

/// A text whose lines in capitals were written anew, and where each byte of it was.
#[derive(Debug)]
pub(super) struct Copy {
    pub(super) text: String,
    /// For the first byte of each letter, and for the end, its place in the text that it was made of.
    places: Vec<usize>,
}

impl Copy {
    /// None where no line of the text is in capitals.
    pub(super) fn of(text: &str, language: Language) -> Option<Self> {
        let mut copy = Self { text: String::with_capacity(text.len()), places: Vec::with_capacity(text.len() + 1) };
        let (mut from, mut is_new) = (0, false);
        for line in text.split_inclusive('\n') {
            let is_loud = is_in_capitals(line);
            is_new |= is_loud;
            let mut starts = line.char_indices().map(|(at, _)| at);
            let quieter = if is_loud { in_small_letters(line, language) } else { line.to_owned() };
            for c in quieter.chars() {
                let at = from + starts.next().unwrap_or(line.len());
                copy.text.push(c);
                copy.places.extend(std::iter::repeat_n(at, c.len_utf8()));
            }
            from += line.len();
        }
        copy.places.push(text.len());
        is_new.then_some(copy)
    }

    /// Where a byte of the copy, or its end, is in the text that it was made of.
    pub(super) fn place(&self, at: usize) -> usize {
        self.places.get(at).or(self.places.last()).copied().unwrap_or_default()
    }
}

/// Whether all letters of a text that has some are capitals.
pub(super) fn is_in_capitals(text: &str) -> bool {
    let letters = text.chars().filter(|c| c.is_alphabetic());
    letters.clone().count() >= FEWEST && letters.clone().all(|c| !c.is_lowercase())
}

/// A text in capitals as names are written: each word with one, but those that say nothing, the first excepted, and offices. It
/// has as many letters as before.
pub(super) fn in_small_letters(text: &str, language: Language) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    for (n, word) in words(text).enumerate() {
        // Only signs are between words: where it is found first it is.
        let Some((signs, after)) = rest.split_once(word) else { break };
        out.push_str(signs);
        rest = after;
        let lower = word.to_lowercase();
        let keeps_capital = !is_role(&lower) && (n == 0 || !language.is_stop_word(&lower));
        let mut letters = word.chars();
        out.extend(letters.next().map(|c| if keeps_capital { c } else { small(c) }));
        out.extend(letters.map(small));
    }
    out.push_str(rest);
    out
}

/// Whether a word in small letters is what somebody is, not who.
fn is_role(lower: &str) -> bool {
    static ROLES: OnceLock<HashSet<&str>> = OnceLock::new();
    let read = || {
        let list = include_str!("roles.txt").lines().filter(|line| !line.starts_with('#'));
        list.flat_map(str::split_whitespace).collect()
    };
    ROLES.get_or_init(read).contains(lower)
}

/// The small letter, where there is just one.
fn small(c: char) -> char {
    let mut lower = c.to_lowercase();
    match (lower.next(), lower.next()) {
        (Some(lower), None) => lower,
        _ => c,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_caption_in_capitals_is_written_as_in_a_sentence_and_told_where_it_was() {
        let text = "El alcalde:\nJUAN PÉREZ, ALCALDE DE LA CORUÑA\nİSTANBUL";
        let copy = Copy::of(text, Language::Spanish).unwrap();
        assert_eq!(copy.text, "El alcalde:\nJuan Pérez, alcalde de la Coruña\nİstanbul");
        let at = |copied: &str| {
            let from = copy.text.find(copied).unwrap();
            &text[copy.place(from)..copy.place(from + copied.len())]
        };
        assert_eq!(["Juan Pérez", "Coruña", "stanbul"].map(at), ["JUAN PÉREZ", "CORUÑA", "STANBUL"]);
        assert!(Copy::of("El alcalde de la ONU\nSI", Language::Spanish).is_none());
    }
}
