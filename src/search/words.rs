//! How texts and questions are cut into terms, the same way for both.
//!
//! A word is a run of letters and digits. Its term is the word in small letters without accents, an *ñ* kept. Names of
//! files are words, too: `IMG0042` is found by `img` and by `0042`, which follow at the same place. Its stems in Spanish
//! and in English are no terms of a text: which words have a stem is kept once for the index ([`super::family`]), for
//! each term of a text is written twice, and that is most of what writing takes.

use std::{
    borrow::Cow,
    cell::RefCell,
    collections::HashMap,
    hash::{BuildHasher, Hasher, RandomState},
};

use frostem::{Algorithm, Stemmer};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfc_quick};

/// Before a stem, for a stem is no word.
pub(super) const STEM: char = '~';
/// Longest word in bytes: what is longer is no word.
const LONGEST: usize = 80;
/// Words that are remembered with their terms.
const REMEMBERED: usize = 100_000;

/// The terms of one word of a text.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Forms {
    /// The word without accents.
    pub(super) exact: String,
    /// Its parts, and other spellings that it is found by.
    pub(super) also: Vec<String>,
    /// Its stems and those of its parts, marked, each with the term that has it.
    pub(super) stems: Vec<(String, String)>,
}

/// What a word of a question is looked up by.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Asked {
    /// The word without accents.
    pub(super) exact: String,
    /// Its stems, not marked.
    pub(super) stems: Vec<String>,
}

impl Asked {
    /// What a word of a text has one of, if it is meant: terms, and stems that are marked.
    pub(super) fn marks(&self) -> impl Iterator<Item = String> {
        let of = |stem: &String| [format!("{STEM}{stem}"), stem.clone()];
        std::iter::once(self.exact.clone()).chain(self.stems.iter().flat_map(of))
    }
}

/// Makes terms of words.
pub(super) struct Morphology {
    spanish: Stemmer,
    english: Stemmer,
    seen: HashMap<Box<str>, Forms>,
}

impl Default for Morphology {
    fn default() -> Self {
        let stemmer = Stemmer::new;
        Self { spanish: stemmer(Algorithm::Spanish), english: stemmer(Algorithm::English), seen: HashMap::new() }
    }
}

impl Morphology {
    /// The terms that a text's word is indexed by, and its stems.
    pub(super) fn forms(&self, word: &str) -> Forms {
        let lower = word.to_lowercase();
        let exact = folded(&lower);
        let mut also: Vec<String> = Vec::new();
        // Who has no ñ on the keyboard types an n.
        if exact.contains('ñ') {
            also.push(exact.replace('ñ', "n"));
        }
        let stems = self.stems(&lower).into_iter().filter(|stem| *stem != exact);
        let mut stems: Vec<_> = stems.map(|stem| (format!("{STEM}{stem}"), exact.clone())).collect();
        // Parts of one letter are in every odd name.
        for part in parts(word).into_iter().filter(|part| part.chars().nth(1).is_some()) {
            let forms = self.forms(part);
            also.push(forms.exact);
            also.extend(forms.also);
            stems.extend(forms.stems);
        }
        let mut seen: Vec<String> = Vec::new();
        also.retain(|term| {
            let is_new = *term != exact && !seen.contains(term);
            seen.push(term.clone());
            is_new
        });
        Forms { exact, also, stems }
    }

    /// The same, of a word that may have been there before: few words are new.
    pub(super) fn known(&mut self, word: &str) -> &Forms {
        if !self.seen.contains_key(word) {
            if self.seen.len() >= REMEMBERED {
                self.seen.clear();
            }
            self.seen.insert(word.into(), self.forms(word));
        }
        &self.seen[word]
    }

    /// What a question's word is looked up by: itself, and every form that has the same stem.
    pub(super) fn asked(&self, word: &str) -> Asked {
        let lower = word.to_lowercase();
        Asked { exact: folded(&lower), stems: self.stems(&lower) }
    }

    fn stems(&self, lower: &str) -> Vec<String> {
        if lower.chars().any(|c| c.is_ascii_digit()) {
            return Vec::new();
        }
        // The rules for Spanish go by accents, which people leave out: nearly all words in -ion have one.
        let accented = match lower.strip_suffix("ion") {
            Some(start) if start.len() > 1 => format!("{start}ión"),
            _ => lower.to_owned(),
        };
        let mut stems = vec![folded(&self.spanish.stem(&accented))];
        if lower.is_ascii() {
            let english = self.english.stem(lower).into_owned();
            if !stems.contains(&english) {
                stems.push(english);
            }
        }
        stems
    }
}

/// Small letters without accents; an ñ stays.
pub(super) fn folded(lower: &str) -> String {
    if lower.is_ascii() {
        return lower.to_owned();
    }
    let mut out = String::with_capacity(lower.len());
    for c in lower.nfc() {
        match c {
            'ñ' => out.push(c),
            'ß' => out.push_str("ss"),
            'æ' => out.push_str("ae"),
            'œ' => out.push_str("oe"),
            'ø' => out.push('o'),
            'ł' => out.push('l'),
            'đ' | 'ð' => out.push('d'),
            'þ' => out.push_str("th"),
            'ı' => out.push('i'),
            c => out.extend(std::iter::once(c).nfd().filter(|c| !is_combining_mark(*c))),
        }
    }
    out
}

/// The parts of a word that letters and digits, or small and capital letters, divide; none of a word of one part.
fn parts(word: &str) -> Vec<&str> {
    let mut cuts = Vec::new();
    let mut before: Option<char> = None;
    for (at, c) in word.char_indices() {
        if let Some(b) = before
            && ((b.is_numeric() != c.is_numeric()) || (b.is_lowercase() && c.is_uppercase()))
        {
            cuts.push(at);
        }
        before = Some(c);
    }
    if cuts.is_empty() {
        return Vec::new();
    }
    let ends = cuts.iter().copied().chain([word.len()]);
    let starts = [0].into_iter().chain(cuts.iter().copied());
    starts.zip(ends).map(|(from, to)| &word[from..to]).collect()
}

/// A text as its words are told apart in it: accents that stand by themselves, as macOS writes them in names of files,
/// joined to their letters.
pub(super) fn composed(text: &str) -> Cow<'_, str> {
    match text.is_ascii() || is_nfc_quick(text.chars()) == unicode_normalization::IsNormalized::Yes {
        true => text.into(),
        false => text.nfc().collect::<String>().into(),
    }
}

/// The words of a text, each with its place in bytes.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut at = 0;
    std::iter::from_fn(move || {
        let (from, word) = next_word(text, at)?;
        at = from + word.len();
        Some((from, word))
    })
}

/// The first word from a place on, and where it begins.
fn next_word(text: &str, mut at: usize) -> Option<(usize, &str)> {
    // Most letters are one byte, for which no table needs to be looked into.
    let letter = |at: usize, or_mark: bool| {
        let first = text.as_bytes().get(at).copied()?;
        if first.is_ascii() {
            return Some((first.is_ascii_alphanumeric(), 1));
        }
        let c = text[at..].chars().next()?;
        Some((c.is_alphanumeric() || (or_mark && is_combining_mark(c)), c.len_utf8()))
    };
    loop {
        while let (false, bytes) = letter(at, false)? {
            at += bytes;
        }
        let from = at;
        while let Some((true, bytes)) = letter(at, true) {
            at += bytes;
        }
        if at - from <= LONGEST {
            return Some((from, &text[from..at]));
        }
    }
}

thread_local! {
    /// The terms of the words that this thread has cut: its fields have the same words, and few words are new.
    static CUT: RefCell<Cut> = RefCell::default();
}

/// Words with their terms, one a line.
#[derive(Default)]
struct Cut {
    morphology: Morphology,
    seen: HashMap<Box<str>, Box<str>, Seed>,
}

impl Cut {
    fn add_terms(&mut self, word: &str, to: &mut String) {
        if let Some(terms) = self.seen.get(word) {
            return to.push_str(terms);
        }
        if self.seen.len() >= REMEMBERED {
            self.seen.clear();
        }
        let forms = self.morphology.forms(word);
        let terms = std::iter::once(forms.exact).chain(forms.also).collect::<Vec<_>>().join("\n");
        to.push_str(&terms);
        self.seen.insert(word.into(), terms.into());
    }
}

/// Whether a word's only term is the word in small letters: most words need no look-up.
fn is_plain(word: &str) -> bool {
    let bytes = word.as_bytes();
    let all = |is: fn(&u8) -> bool| bytes.iter().all(is);
    let rest = bytes.get(1..).unwrap_or_default();
    match bytes.first() {
        Some(first) if first.is_ascii_digit() => all(u8::is_ascii_digit),
        Some(first) if first.is_ascii_alphabetic() => {
            rest.iter().all(u8::is_ascii_lowercase) || all(u8::is_ascii_uppercase)
        }
        _ => false,
    }
}

/// Hashes words eight bytes at a time, from a start that nobody knows beforehand.
#[derive(Clone)]
pub(super) struct Seed(u64);

impl Default for Seed {
    fn default() -> Self {
        Self(RandomState::new().build_hasher().finish() | 1)
    }
}

impl BuildHasher for Seed {
    type Hasher = Mix;

    fn build_hasher(&self) -> Mix {
        Mix(self.0)
    }
}

pub(super) struct Mix(u64);

impl Hasher for Mix {
    fn write(&mut self, bytes: &[u8]) {
        for chunk in bytes.chunks(8) {
            let mut eight = [0; 8];
            eight[..chunk.len()].copy_from_slice(chunk);
            let product = u128::from(self.0 ^ u64::from_le_bytes(eight)) * 0x9e37_79b9_7f4a_7c15;
            self.0 = (product >> 64) as u64 ^ product as u64;
        }
    }

    fn finish(&self) -> u64 {
        self.0
    }
}

/// Cuts texts for the index.
#[derive(Default)]
pub(super) struct Words {
    token: Token,
    terms: String,
}

impl Clone for Words {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Tokenizer for Words {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream<'a> {
        self.terms.clear();
        Stream { text: composed(text), at: 0, count: 0, token: &mut self.token, terms: &mut self.terms, next: 0 }
    }
}

/// The terms of one text.
pub(super) struct Stream<'a> {
    text: Cow<'a, str>,
    /// Where the next word may begin, and how many there were.
    at: usize,
    count: usize,
    token: &'a mut Token,
    /// The terms of the word, and where the next one begins.
    terms: &'a mut String,
    next: usize,
}

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        if self.next >= self.terms.len() {
            let Some((from, word)) = next_word(&self.text, self.at) else { return false };
            self.terms.clear();
            self.at = from + word.len();
            (self.token.position, self.token.offset_from, self.token.offset_to) = (self.count, from, self.at);
            (self.next, self.count) = (0, self.count + 1);
            if is_plain(word) {
                self.token.text.clear();
                self.token.text.push_str(word);
                self.token.text.make_ascii_lowercase();
                return true;
            }
            CUT.with_borrow_mut(|cut| cut.add_terms(word, self.terms));
        }
        let rest = &self.terms[self.next..];
        let term = rest.split('\n').next().unwrap_or_default();
        self.token.text.clear();
        self.token.text.push_str(term);
        self.next += term.len() + 1;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

/// Letters of a term that is looked for inside of words.
pub(super) const GRAM: usize = 3;

/// A text for looking inside of its words: small letters without accents, and everything else that is in a name.
pub(super) fn spelled(text: &str) -> String {
    folded(&text.to_lowercase()).replace('ñ', "n")
}

/// Cuts a text that was [`spelled`] into all that is three letters long in it, one after the other.
#[derive(Clone, Default)]
pub(super) struct Grams(Token);

impl Tokenizer for Grams {
    type TokenStream<'a> = GramStream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> GramStream<'a> {
        let starts = text.char_indices().map(|(at, _)| at).chain([text.len()]).collect();
        GramStream { text, starts, next: 0, token: &mut self.0 }
    }
}

/// The pieces of one text.
pub(super) struct GramStream<'a> {
    text: &'a str,
    starts: Vec<usize>,
    next: usize,
    token: &'a mut Token,
}

impl TokenStream for GramStream<'_> {
    fn advance(&mut self) -> bool {
        let Some(to) = self.starts.get(self.next + GRAM).copied() else { return false };
        let from = self.starts[self.next];
        self.token.text.clear();
        self.token.text.push_str(&self.text[from..to]);
        (self.token.position, self.token.offset_from, self.token.offset_to) = (self.next, from, to);
        self.next += 1;
        true
    }

    fn token(&self) -> &Token {
        self.token
    }

    fn token_mut(&mut self) -> &mut Token {
        self.token
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn meet(text: &str, question: &str) -> bool {
        let m = Morphology::default();
        let (text, asked) = (m.forms(text), m.asked(question));
        let stems = text.stems.iter().map(|(stem, _)| stem);
        let terms: Vec<&String> = std::iter::once(&text.exact).chain(&text.also).chain(stems).collect();
        asked.marks().any(|mark| terms.contains(&&mark))
    }

    #[test]
    fn forms_of_a_word_meet_in_both_languages() {
        for (text, question) in [
            ("inflación", "inflacion"),
            ("Educaciones", "educación"),
            ("educación", "EDUCACION"),
            ("canciones", "canción"),
            ("canción", "canciones"),
            ("elections", "election"),
            ("election", "elections"),
            ("año", "ano"),
            ("Straße", "strasse"),
            ("IMG0042", "img"),
            ("IMG0042", "0042"),
            ("EntrevistaFinal", "entrevistas"),
            ("cafe\u{301}", "café"),
        ] {
            assert!(meet(text, question), "{question} finds {text}");
        }
        // What has an ñ is asked for with it.
        assert!(!meet("ano", "año"));
        assert!(!meet("género", "general"));
        assert!(!meet("tmpGs3v", "3"));
    }

    #[test]
    fn words_have_their_places_and_parts_stand_beside_them() {
        let mut cut = Words::default();
        let mut stream = cut.token_stream("¿Las Elecciones_2024 del AÑO? img07 ÁLBUM BBC eL");
        let mut terms = Vec::new();
        while stream.advance() {
            terms.push((stream.token().position, stream.token().text.clone()));
        }
        let terms: Vec<(usize, &str)> = terms.iter().map(|(at, term)| (*at, term.as_str())).collect();
        let expected = [
            (0, "las"),
            (1, "elecciones"),
            (2, "2024"),
            (3, "del"),
            (4, "año"),
            (4, "ano"),
            (5, "img07"),
            (5, "img"),
            (5, "07"),
            (6, "album"),
            (7, "bbc"),
            (8, "el"),
        ];
        assert_eq!(terms, expected);
    }

    #[test]
    fn plain_words_have_the_terms_that_all_words_have() {
        let m = Morphology::default();
        for word in ["casa", "Casa", "CASA", "c", "C", "2024", "cAsa", "CAsa", "caSa", "7a", "a7", "día", "Ñu"] {
            let forms = m.forms(word);
            let is_one = forms.also.is_empty() && forms.exact == word.to_ascii_lowercase();
            assert!(!is_plain(word) || is_one, "{word} {forms:?}");
        }
        assert!(is_plain("casa") && is_plain("BBC") && is_plain("2024"));
    }

    #[test]
    fn names_are_cut_into_threes() {
        let mut grams = Grams::default();
        let text = spelled("AÑO-1");
        let mut stream = grams.token_stream(&text);
        let mut all = Vec::new();
        while stream.advance() {
            all.push(stream.token().text.clone());
        }
        assert_eq!(all, ["ano", "no-", "o-1"]);
    }
}
