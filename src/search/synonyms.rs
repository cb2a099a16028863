//! Words and expressions that stand for each other, as a file has them.

use std::{collections::HashMap, path::Path};

use super::{
    ask::{Ask, Place, Words},
    words::{folded, words},
};
use crate::error::{Doing, Error, Result};

/// Most words of an expression.
const LONGEST: usize = 8;

/// Words that stand for each other.
#[derive(Clone, Debug, Default)]
pub struct Synonyms {
    /// By the words of an expression, folded, a space between them.
    all: HashMap<String, Vec<String>>,
    /// Words of the longest expression that stands for something.
    longest: usize,
}

impl Synonyms {
    /// Reads a file of them: a line of words or expressions between commas stands for one meaning (`coche, carro,
    /// automóvil`); `tele => televisión` goes one way. A `#` begins a comment.
    pub fn read(path: &Path) -> Result<Self> {
        let text = std::fs::read_to_string(path).doing(|| format!("cannot read {}", path.display()))?;
        Self::parse(&text).map_err(|e| Error::invalid(format!("{}: {e}", path.display())))
    }

    /// Reads the text of such a file.
    pub fn parse(text: &str) -> Result<Self> {
        let mut synonyms = Self::default();
        for (n, line) in text.lines().enumerate() {
            let line = line.split('#').next().unwrap_or_default().trim();
            if line.is_empty() {
                continue;
            }
            let (from, to) = line.split_once("=>").unwrap_or((line, line));
            let split = |text: &str| -> Result<Vec<String>> {
                let each = text.split(',').map(str::trim).filter(|expression| !expression.is_empty());
                let each = each.map(|expression| match words(expression).count() {
                    0 => Err(Error::invalid(format!("line {}: '{expression}' has no word", n + 1))),
                    1..=LONGEST => Ok(expression.to_owned()),
                    _ => Err(Error::invalid(format!("line {}: '{expression}' has more than {LONGEST} words", n + 1))),
                });
                each.collect()
            };
            let (from, to) = (split(from)?, split(to)?);
            if from.is_empty() || to.is_empty() {
                return Err(Error::invalid(format!("line {}: words are missing", n + 1)));
            }
            for expression in &from {
                let known = synonyms.all.entry(key(words(expression).map(|(_, word)| word))).or_default();
                known.extend(to.iter().filter(|other| *other != expression).cloned());
                synonyms.longest = synonyms.longest.max(words(expression).count());
            }
        }
        Ok(synonyms)
    }

    /// Single words that stand for one.
    pub(super) fn of(&self, word: &str) -> impl Iterator<Item = &str> {
        self.known(std::iter::once(word)).iter().map(String::as_str).filter(|other| !is_expression(other))
    }

    fn known<'a>(&self, expression: impl Iterator<Item = &'a str>) -> &[String] {
        if self.all.is_empty() {
            return &[];
        }
        self.all.get(&key(expression)).map_or(&[], Vec::as_slice)
    }

    /// The question, with expressions beside what they stand for. What stands for a single word as a single word is
    /// looked for with its forms, by [`of`](Self::of).
    pub(super) fn expand(&self, ask: Ask) -> Ask {
        if self.all.is_empty() {
            return ask;
        }
        match ask {
            Ask::All(each) => Ask::All(self.runs(each, |found, others| vec![either(vec![Ask::All(found)], others)])),
            Ask::Any(each) => Ask::Any(self.runs(each, |mut found, others| {
                found.extend(others);
                found
            })),
            Ask::Not(inner) => Ask::Not(Box::new(self.expand(*inner))),
            ask => match one_word(&ask).map(|(place, word)| (place, self.known(std::iter::once(word)))) {
                Some((place, others)) if others.iter().any(|other| is_expression(other)) => {
                    let others = others.iter().filter(|other| is_expression(other)).map(|o| asked(place, o)).collect();
                    either(vec![ask], others)
                }
                _ => ask,
            },
        }
    }

    /// Replaces words in a row that are an expression; the longest is the one that is meant.
    fn runs(&self, each: Vec<Ask>, join: impl Fn(Vec<Ask>, Vec<Ask>) -> Vec<Ask>) -> Vec<Ask> {
        let mut all = Vec::with_capacity(each.len());
        let mut rest = each.as_slice();
        while let Some((first, others)) = rest.split_first() {
            let lengths = (2..=self.longest.min(rest.len())).rev();
            match lengths.filter_map(|n| Some((n, self.run(&rest[..n])?))).next() {
                Some((n, found)) => {
                    all.extend(join(rest[..n].to_vec(), found));
                    rest = &rest[n..];
                }
                None => {
                    all.push(self.expand(first.clone()));
                    rest = others;
                }
            }
        }
        all
    }

    /// What stands for these words of one field together.
    fn run(&self, each: &[Ask]) -> Option<Vec<Ask>> {
        let (place, _) = one_word(each.first()?)?;
        let words = each.iter().map(|ask| one_word(ask).filter(|(of, _)| *of == place).map(|(_, word)| word));
        let known = self.known(words.collect::<Option<Vec<_>>>()?.into_iter());
        (!known.is_empty()).then(|| known.iter().map(|other| asked(place, other)).collect())
    }
}

fn key<'a>(words: impl Iterator<Item = &'a str>) -> String {
    words.map(|word| folded(&word.to_lowercase())).collect::<Vec<_>>().join(" ")
}

fn is_expression(text: &str) -> bool {
    words(text).nth(1).is_some()
}

fn one_word(ask: &Ask) -> Option<(Option<Place>, &str)> {
    let Ask::Words(place, Words::All(text)) = ask else { return None };
    let mut all = words(text).map(|(_, word)| word);
    all.next().filter(|_| all.next().is_none()).map(|word| (*place, word))
}

fn asked(place: Option<Place>, other: &str) -> Ask {
    match is_expression(other) {
        true => Ask::Words(place, Words::Phrase(other.to_owned())),
        false => Ask::Words(place, Words::All(other.to_owned())),
    }
}

fn either(mut one: Vec<Ask>, others: Vec<Ask>) -> Ask {
    one.extend(others);
    Ask::Any(one)
}
