//! What a text is about: words and short phrases by how often they come.

use std::collections::HashMap;

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::language::{Language, words};

/// Words of the longest phrase.
const LONGEST: usize = 3;
/// How much of a text is read, in bytes: ten hours of speech take half of it.
const READ: usize = 1 << 20;
/// Words that may stand inside of a phrase, though they say nothing: *cambio de gobierno*.
const LINKS: [&str; 3] = ["de", "del", "of"];

#[derive(Debug)]
struct Phrase {
    words: usize,
    count: usize,
    /// Its spellings, the first one first.
    spellings: Vec<(String, usize)>,
    first: usize,
}

/// The words and phrases that a text is about, at most `count` of them, the weightiest first, whose weight is 1.
///
/// A phrase is one to three words that stand together more than once, with no sign and no stop word between them but *de*,
/// *del*, *of*; one word may stand alone. It weighs what its words are in number, times how often it comes, where it is
/// no part of a longer one that counts. Without a language the text tells it. What is told first goes first among equals.
pub fn keywords(text: &str, language: Option<Language>, count: usize) -> Vec<(String, f32)> {
    let text = &text[..text.floor_char_boundary(READ)];
    let language = language.or_else(|| Language::of_text(text));
    let is_stop = |lower: &str| match language {
        Some(language) => language.is_stop_word(lower),
        None => Language::ALL.iter().any(|language| language.is_stop_word(lower)),
    };
    let mut phrases: HashMap<String, Phrase> = HashMap::new();
    let mut at = 0;
    for run in text.split(|c: char| !c.is_alphanumeric() && !matches!(c, ' ' | '\n' | '\'' | '-')) {
        let run: Vec<(&str, String)> = words(run).map(|word| (word, word.to_lowercase())).collect();
        let says: Vec<bool> = run.iter().map(|(_, lower)| is_word(lower) && !is_stop(lower)).collect();
        for from in (0..run.len()).filter(|from| says[*from]) {
            for to in (from..run.len().min(from + LONGEST)).filter(|to| says[*to]) {
                let inner = &run[from..=to];
                let is_linked = |n: usize| says[n] || LINKS.contains(&run[n].1.as_str());
                if !(from..=to).all(is_linked) {
                    continue;
                }
                let key = inner.iter().map(|(_, lower)| folded(lower)).collect::<Vec<_>>().join(" ");
                let spelled = inner.iter().map(|(word, _)| *word).collect::<Vec<_>>().join(" ");
                let fresh = || Phrase { words: inner.len(), count: 0, spellings: Vec::new(), first: at + from };
                let phrase = phrases.entry(key).or_insert_with(fresh);
                phrase.count += 1;
                let known = phrase.spellings.iter().position(|(known, _)| *known == spelled);
                match known {
                    Some(n) => phrase.spellings[n].1 += 1,
                    // A few of them are enough to know the usual one.
                    None if phrase.spellings.len() < 8 => phrase.spellings.push((spelled, 1)),
                    None => {}
                }
            }
        }
        at += run.len();
    }
    phrases.retain(|_, phrase| phrase.words == 1 || phrase.count > 1);
    take_out_parts(&mut phrases);
    let mut all: Vec<Phrase> = phrases.into_values().filter(|phrase| phrase.count > 0).collect();
    all.sort_by_key(|phrase| (std::cmp::Reverse(phrase.weight()), phrase.first, std::cmp::Reverse(phrase.words)));
    let most = all.first().map_or(1, Phrase::weight) as f32;
    all.truncate(count);
    all.into_iter().map(|phrase| (phrase.spelling(), phrase.weight() as f32 / most)).collect()
}

impl Phrase {
    fn weight(&self) -> usize {
        self.count * self.words
    }

    fn spelling(&self) -> String {
        // The first of the most frequent ones.
        let usual = self.spellings.iter().rev().max_by_key(|(_, count)| *count);
        usual.map(|(text, _)| text.clone()).unwrap_or_default()
    }
}

/// Takes from the count of each part how often it is part of a longer phrase.
fn take_out_parts(phrases: &mut HashMap<String, Phrase>) {
    for length in (2..=LONGEST).rev() {
        let longer: Vec<(String, usize)> =
            phrases.iter().filter(|(_, p)| p.words == length).map(|(key, p)| (key.clone(), p.count)).collect();
        for (key, count) in longer.into_iter().filter(|(_, count)| *count > 1) {
            let words: Vec<&str> = key.split(' ').collect();
            for part in (1..length).flat_map(|n| words.windows(n)) {
                if let Some(part) = phrases.get_mut(&part.join(" ")) {
                    part.count = part.count.saturating_sub(count);
                }
            }
        }
    }
    phrases.retain(|_, phrase| phrase.words == 1 || phrase.count > 1);
}

/// Whether it may say something: three letters at least, so no number.
fn is_word(lower: &str) -> bool {
    lower.chars().filter(|c| c.is_alphabetic()).nth(2).is_some()
}

pub(super) fn folded(lower: &str) -> String {
    lower.nfd().filter(|c| !is_combining_mark(*c)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_comes_often_is_what_a_text_is_about() {
        let text = "El cambio climático preocupa. El cambio climático, dice la ministra, es urgente. La ministra de Hacienda \
                    no cree en el cambio climatico: la ministra de Hacienda cree en el dinero.";
        let found = keywords(text, None, 3);
        let words: Vec<&str> = found.iter().map(|(word, _)| word.as_str()).collect();
        assert_eq!(words, ["cambio climático", "ministra de Hacienda", "cree"]);
        assert_eq!(found[0].1, 1.0);
        assert!(found.windows(2).all(|pair| pair[0].1 >= pair[1].1), "{found:?}");
        assert_eq!(keywords("The bank of the bank's river", Some(Language::English), 9)[0].0, "bank");
    }

    #[test]
    fn a_text_that_says_nothing_has_none() {
        assert!(keywords("", None, 5).is_empty());
        assert!(keywords("de la a los 12 2026 … ¿?", None, 5).is_empty());
    }
}
