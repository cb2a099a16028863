//! How texts and questions are cut into terms, the same way for both.
//!
//! A word is a run of letters and digits. Its first term is the word in small letters without accents, an *ñ* kept. Its
//! stems in Spanish and in English follow at the same place, marked as such, so that a word as it was typed counts more
//! than another form of it. Names of files are words, too: `IMG0042` is found by `img` and by `0042`.

use std::collections::HashMap;

use frostem::{Algorithm, Stemmer};
use tantivy::tokenizer::{Token, TokenStream, Tokenizer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark, is_nfc_quick};

/// Before a term that is a stem and no word.
pub(super) const STEM: char = '~';
/// Longest word in bytes: what is longer is no word.
const LONGEST: usize = 80;
/// Words that are remembered with their terms.
const REMEMBERED: usize = 100_000;

/// The terms of one word.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Forms {
    /// The word without accents.
    pub(super) exact: String,
    /// Its stems, and other spellings that it is found by.
    pub(super) also: Vec<String>,
}

/// Makes terms of words.
pub(super) struct Morphology {
    spanish: Stemmer,
    english: Stemmer,
}

impl Default for Morphology {
    fn default() -> Self {
        Self { spanish: Stemmer::new(Algorithm::Spanish), english: Stemmer::new(Algorithm::English) }
    }
}

impl Morphology {
    /// The terms that a text's word is indexed by.
    pub(super) fn forms(&self, word: &str) -> Forms {
        let lower = word.to_lowercase();
        let exact = folded(&lower);
        let mut also: Vec<String> = Vec::new();
        // Who has no ñ on the keyboard types an n.
        if exact.contains('ñ') {
            also.push(exact.replace('ñ', "n"));
        }
        also.extend(self.stems(&lower).into_iter().filter(|stem| *stem != exact).map(|stem| format!("{STEM}{stem}")));
        // Parts of one letter are in every odd name.
        for part in parts(word).into_iter().filter(|part| part.chars().nth(1).is_some()) {
            let forms = self.forms(part);
            also.push(forms.exact);
            also.extend(forms.also);
        }
        let mut seen: Vec<String> = Vec::new();
        also.retain(|term| {
            let is_new = *term != exact && !seen.contains(term);
            seen.push(term.clone());
            is_new
        });
        Forms { exact, also }
    }

    /// The terms that a question's word is looked up by: itself, and every form that has the same stem.
    pub(super) fn asked(&self, word: &str) -> Forms {
        let lower = word.to_lowercase();
        let exact = folded(&lower);
        let mut also = Vec::new();
        for stem in self.stems(&lower) {
            // A word that is its own stem has no other term.
            also.extend([format!("{STEM}{stem}"), stem].into_iter().filter(|term| *term != exact));
        }
        also.sort();
        also.dedup();
        Forms { exact, also }
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
pub(super) fn composed(text: &str) -> std::borrow::Cow<'_, str> {
    match text.is_ascii() || is_nfc_quick(text.chars()) == unicode_normalization::IsNormalized::Yes {
        true => text.into(),
        false => text.nfc().collect::<String>().into(),
    }
}

/// The words of a text, each with its place in bytes.
pub(super) fn words(text: &str) -> impl Iterator<Item = (usize, &str)> {
    let mut rest = text.char_indices().peekable();
    std::iter::from_fn(move || {
        loop {
            let (from, _) = rest.find(|(_, c)| c.is_alphanumeric())?;
            let mut to = text.len();
            while let Some((at, c)) = rest.peek().copied() {
                if !c.is_alphanumeric() && !is_combining_mark(c) {
                    to = at;
                    break;
                }
                rest.next();
            }
            if to - from <= LONGEST {
                return Some((from, &text[from..to]));
            }
        }
    })
}

/// Cuts texts for the index. Each thread of its writer has one, which remembers the words that it has seen.
#[derive(Default)]
pub(super) struct Words {
    morphology: Morphology,
    seen: HashMap<Box<str>, Forms>,
    tokens: Vec<Token>,
    length: usize,
    next: usize,
}

impl Clone for Words {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl Tokenizer for Words {
    type TokenStream<'a> = Stream<'a>;

    fn token_stream<'a>(&'a mut self, text: &'a str) -> Stream<'a> {
        let text = composed(text);
        (self.length, self.next) = (0, 0);
        for (position, (from, word)) in words(&text).enumerate() {
            if !self.seen.contains_key(word) {
                if self.seen.len() >= REMEMBERED {
                    self.seen.clear();
                }
                self.seen.insert(word.into(), self.morphology.forms(word));
            }
            let forms = &self.seen[word];
            for term in std::iter::once(&forms.exact).chain(&forms.also) {
                if self.length == self.tokens.len() {
                    self.tokens.push(Token::default());
                }
                let token = &mut self.tokens[self.length];
                token.text.clear();
                token.text.push_str(term);
                (token.position, token.offset_from, token.offset_to) = (position, from, from + word.len());
                self.length += 1;
            }
        }
        Stream(self)
    }
}

/// The terms of one text.
pub(super) struct Stream<'a>(&'a mut Words);

impl TokenStream for Stream<'_> {
    fn advance(&mut self) -> bool {
        self.0.next += 1;
        self.0.next <= self.0.length
    }

    fn token(&self) -> &Token {
        &self.0.tokens[self.0.next - 1]
    }

    fn token_mut(&mut self) -> &mut Token {
        &mut self.0.tokens[self.0.next - 1]
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
        let has = |term: &String| text.exact == *term || text.also.contains(term);
        has(&asked.exact) || asked.also.iter().any(has)
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
    fn words_have_their_places_and_stems_stand_beside_them() {
        let mut cut = Words::default();
        let mut stream = cut.token_stream("¿Las elecciones_2024?");
        let mut terms = Vec::new();
        while stream.advance() {
            terms.push((stream.token().position, stream.token().text.clone()));
        }
        let own: Vec<_> = terms.iter().filter(|(_, t)| !t.starts_with(STEM)).cloned().collect();
        assert_eq!(own, [(0, "las".to_owned()), (1, "elecciones".into()), (2, "2024".into())]);
        assert!(terms.contains(&(1, "~eleccion".to_owned())), "{terms:?}");
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
