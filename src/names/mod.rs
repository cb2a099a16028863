//! People, places and organizations in Spanish and English texts, one name for all of its spellings, and what a text is about.
//!
//! A [`Recognizer`] is one of spaCy's small pipelines, whose files are read and computed here. [`Recognizers`] chooses
//! among several by language and finds [`Mention`]s; [`merge()`] makes findings of them: "Juan Pérez", "JUAN PEREZ" of a
//! caption and "Pérez" later on are one person. [`keywords()`] and [`Topics`] need no model.
//!
//! It knows nothing of where texts come from, and keeps nothing.

mod capitals;
mod keywords;
mod language;
mod merge;
mod topics;

#[cfg(feature = "names")]
mod features;
#[cfg(feature = "names")]
mod network;
#[cfg(feature = "names")]
mod pack;
#[cfg(feature = "names")]
mod pipeline;
#[cfg(feature = "names")]
mod tokenizer;

use std::path::Path;

use crate::{
    error::{Error, Result},
    model::FindingKind,
    stop::Stop,
};

pub use keywords::keywords;
pub use language::Language;
pub use merge::{Mention, merge};
pub use topics::Topics;

/// Longest text that is read as one, in bytes: it bounds what is held, and how long a stop waits.
const BLOCK: usize = 16 << 10;

/// A name in a text.
#[derive(Clone, Debug, PartialEq)]
pub struct Name {
    /// Where it begins, in bytes.
    pub from: usize,
    /// Where it ends.
    pub to: usize,
    /// A person, a place or an organization.
    pub kind: FindingKind,
    /// It as it stands there.
    pub text: String,
    /// How sure the recognizer is, 0 to 1: the least sure of its steps, each against all that it might have done.
    pub trust: f32,
}

/// A recognizer of names in one language.
#[derive(Debug)]
pub struct Recognizer {
    language: Language,
    #[cfg(feature = "names")]
    pipeline: pipeline::Pipeline,
}

impl Recognizer {
    /// Reads a pipeline's folder: the one that has `meta.json`, `tokenizer`, `ner/` and `vocab/`. It takes 30 MB.
    ///
    /// A damaged or foreign file is `Corrupt` and named, a language other than Spanish and English `Unsupported`.
    #[cfg(feature = "names")]
    pub fn load(dir: &Path) -> Result<Self> {
        Ok(Self { language: language_of(&dir.join("meta.json"))?, pipeline: pipeline::Pipeline::load(dir)? })
    }

    /// `Unsupported`.
    #[cfg(not(feature = "names"))]
    pub fn load(dir: &Path) -> Result<Self> {
        Err(not_built().because(format!("the recognizer in {} is not read", dir.display())))
    }

    /// In which language it finds names.
    pub fn language(&self) -> Language {
        self.language
    }

    /// The names of a text, by place. Lines in capitals are read as if they were written in a sentence.
    pub fn names(&self, text: &str, stop: &Stop) -> Result<Vec<Name>> {
        let (mut names, mut done) = (Vec::new(), 0);
        while done < text.len() {
            stop.check()?;
            let block = &text[done..done + block(&text[done..])];
            let copy = capitals::Copy::of(block, self.language);
            for name in self.names_of_block(copy.as_ref().map_or(block, |copy| &copy.text))? {
                let place = |at| copy.as_ref().map_or(at, |copy| copy.place(at));
                let (from, to) = (place(name.from), place(name.to));
                let text = block[from..to].to_owned();
                // A word that begins a sentence is no name for its capital letter.
                if self.language.stop_words_in(&text) == text.split_whitespace().count() {
                    continue;
                }
                names.push(Name { from: done + from, to: done + to, text, ..name });
            }
            done += block.len();
        }
        Ok(names)
    }

    #[cfg(feature = "names")]
    fn names_of_block(&self, text: &str) -> Result<Vec<Name>> {
        Ok(self.pipeline.names(text))
    }

    #[cfg(not(feature = "names"))]
    fn names_of_block(&self, _: &str) -> Result<Vec<Name>> {
        Err(not_built())
    }
}

#[cfg(not(feature = "names"))]
fn not_built() -> Error {
    Error::unsupported("names of people, places and organizations cannot be found here").hint("built without 'names'")
}

/// How much of a text is read as one: all of it, or to a line's, a sentence's or a word's end.
fn block(text: &str) -> usize {
    if text.len() <= BLOCK {
        return text.len();
    }
    let part = &text[..text.floor_char_boundary(BLOCK)];
    let after = |sign: &str| part.rfind(sign).map(|at| at + sign.len()).filter(|length| *length > BLOCK / 2);
    after("\n").or_else(|| after(". ")).or_else(|| after(" ")).unwrap_or(part.len())
}

/// The language of a pipeline by its `meta.json`.
#[cfg(feature = "names")]
fn language_of(path: &Path) -> Result<Language> {
    use std::io::Read;

    use crate::error::Doing;

    const LARGEST: u64 = 1 << 20;
    let file = std::fs::File::open(path).doing(|| format!("cannot open {}", path.display()))?;
    let mut text = Vec::new();
    file.take(LARGEST).read_to_end(&mut text).doing(|| format!("cannot read {}", path.display()))?;
    let meta: serde_json::Value =
        serde_json::from_slice(&text).map_err(|e| pack::damaged(path, "it is no JSON").because(e))?;
    let tag =
        meta.get("lang").and_then(|tag| tag.as_str()).ok_or_else(|| pack::damaged(path, "it names no language"))?;
    Language::of_tag(tag).ok_or_else(|| {
        Error::unsupported(format!("{} is for the language '{tag}'", path.display()))
            .hint("names are found in Spanish (es) and English (en)")
    })
}

/// A text in which names are looked for: a segment of speech, a line in a picture, a description.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Passage {
    /// The words.
    pub text: String,
    /// Their language (BCP 47), where it is known.
    pub language: Option<String>,
    /// Where they begin, in milliseconds of the master; 0 where that has no meaning.
    pub from_ms: u64,
    /// Where they end.
    pub to_ms: u64,
    /// How sure they are, 0 to 1; none where a person wrote them.
    pub trust: Option<f32>,
}

/// The recognizers of an archive, one a language.
#[derive(Debug, Default)]
pub struct Recognizers(Vec<Recognizer>);

impl Recognizers {
    /// Of these, the first of a language counting.
    pub fn new(all: Vec<Recognizer>) -> Self {
        let mut kept: Vec<Recognizer> = Vec::new();
        for one in all {
            if kept.iter().all(|k| k.language != one.language) {
                kept.push(one);
            }
        }
        Self(kept)
    }

    /// All names of an asset's texts. A text in a language for which there is no recognizer has none. Where a text's
    /// language is not told, its words tell it, then those of all texts, then it is that of the first recognizer.
    pub fn mentions(&self, passages: &[Passage], stop: &Stop) -> Result<Vec<Mention>> {
        let texts: Vec<&str> = passages.iter().map(|p| p.text.as_str()).collect();
        let usual = self.likeliest(&texts).or(self.0.first());
        let mut mentions = Vec::new();
        for passage in passages {
            stop.check()?;
            let recognizer = match &passage.language {
                Some(tag) => Language::of_tag(tag).and_then(|language| self.of(language)),
                None => self.likeliest(&[&passage.text]).or(usual),
            };
            let Some(recognizer) = recognizer else { continue };
            let text = in_one_line(&passage.text);
            mentions.extend(recognizer.names(&text, stop)?.into_iter().map(|name| Mention {
                kind: name.kind,
                text: name.text,
                language: recognizer.language,
                from_ms: passage.from_ms,
                to_ms: passage.to_ms,
                trust: name.trust * passage.trust.unwrap_or(1.0),
            }));
        }
        Ok(mentions)
    }

    fn of(&self, language: Language) -> Option<&Recognizer> {
        self.0.iter().find(|r| r.language == language)
    }

    /// The one whose language has more words in these texts than any other's.
    fn likeliest(&self, texts: &[&str]) -> Option<&Recognizer> {
        let words = |r: &Recognizer| texts.iter().map(|text| r.language.stop_words_in(text)).sum::<usize>();
        let best = self.0.iter().map(words).max().filter(|words| *words > 0)?;
        let mut all = self.0.iter().filter(|r| words(r) == best);
        match (all.next(), all.next()) {
            (Some(one), None) => Some(one),
            _ => None,
        }
    }
}

/// A text without the line breaks that divide its sentences, as subtitles have them; those of captions divide names from what
/// is said of them. Each byte keeps its place.
fn in_one_line(text: &str) -> String {
    if text.lines().any(capitals::is_in_capitals) {
        return text.to_owned();
    }
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    while let Some(c) = rest.next() {
        let is_single = !out.ends_with(char::is_whitespace) && rest.peek().is_some_and(|next| !next.is_whitespace());
        out.push(if c == '\n' && is_single { ' ' } else { c });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_texts_are_read_by_blocks_that_end_where_sentences_do() {
        let text = "Una frase larga. ".repeat(2000);
        let length = block(&text);
        assert!(length <= BLOCK && length > BLOCK - 40 && text[..length].ends_with(". "));
        assert_eq!(block("corta"), 5);
        // No space, and letters of two bytes.
        assert_eq!(block(&"ñ".repeat(BLOCK)), BLOCK);
    }

    #[test]
    fn lines_of_a_subtitle_are_one_sentence() {
        assert_eq!(in_one_line("JUAN PÉREZ\nAlcalde"), "JUAN PÉREZ\nAlcalde");
        assert_eq!(in_one_line("habla Juan\nPérez\n\nOtra\n"), "habla Juan Pérez\n\nOtra\n");
    }
}
