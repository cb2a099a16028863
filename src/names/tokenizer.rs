//! Texts cut into tokens by a spaCy tokenizer's own rules: signs are taken off a word's ends one at a time, what stays is
//! divided inside, and words of a list are cut as it says.
//!
//! The order is that of <https://spacy.io/usage/linguistic-features#how-tokenizer-works>.

use std::{collections::HashMap, path::Path};

use fancy_regex::{Match, Regex, RegexBuilder};
use rmpv::Value;

use super::pack;
use crate::error::Result;

/// Longest word that is cut, in bytes: what is longer is no word, and takes time by the square of its length.
const LONGEST: usize = 200;
/// Longest rule, in bytes; those of a language that is written with signs take 15,000.
const RULE: usize = 200_000;
/// Steps back that a rule may take in a word.
const STEPS: usize = 100_000;
/// spaCy's numbers of what a part of a word may say of itself.
const ORTH: u64 = 65;
const NORM: u64 = 67;

/// A token of a word, its place in bytes of it.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Token<'t> {
    pub(super) from: usize,
    pub(super) to: usize,
    /// What it stands for, where the list says so.
    pub(super) norm: Option<&'t str>,
}

#[derive(Debug)]
struct Part {
    length: usize,
    norm: Option<String>,
}

#[derive(Debug)]
pub(super) struct Tokenizer {
    prefix: Option<Regex>,
    suffix: Option<Regex>,
    infix: Option<Regex>,
    token: Option<Regex>,
    url: Option<Regex>,
    listed: HashMap<String, Vec<Part>>,
}

impl Tokenizer {
    pub(super) fn load(path: &Path) -> Result<Self> {
        let value = pack::read(path)?;
        let rule = |name: &str| -> Result<Option<Regex>> {
            let Some(rule) = pack::field(&value, name).and_then(pack::text).filter(|rule| !rule.is_empty()) else {
                return Ok(None);
            };
            if rule.len() > RULE {
                return Err(pack::damaged(path, &format!("its {name} is too long")));
            }
            let compiled = RegexBuilder::new(rule).backtrack_limit(STEPS).build();
            compiled.map(Some).map_err(|e| pack::damaged(path, &format!("its {name} is no expression")).because(e))
        };
        let (prefix, suffix, infix) = (rule("prefix_search")?, rule("suffix_search")?, rule("infix_finditer")?);
        if prefix.is_none() && suffix.is_none() && infix.is_none() {
            return Err(pack::damaged(path, "it is no tokenizer"));
        }
        let (token, url) = (rule("token_match")?, rule("url_match")?);
        let list = pack::field(&value, "exceptions").and_then(Value::as_map);
        let mut listed = HashMap::new();
        for (word, parts) in list.into_iter().flatten() {
            let (word, parts) = pack::text(word)
                .and_then(|word| Some((word, parts_of(word, parts)?)))
                .ok_or_else(|| pack::damaged(path, "its list of words has one that is not the sum of its parts"))?;
            listed.insert(word.to_owned(), parts);
        }
        Ok(Self { prefix, suffix, infix, token, url, listed })
    }

    /// The tokens of a word, which has no white space.
    pub(super) fn cut(&self, word: &str) -> Vec<Token<'_>> {
        let mut tokens = Vec::new();
        if word.len() > LONGEST {
            tokens.push(Token { from: 0, to: word.len(), norm: None });
            return tokens;
        }
        let mut tail = Vec::new();
        let (mut from, mut to) = (0, word.len());
        while from < to && !self.is_kept(&word[from..to]) {
            let before = (from, to);
            if let Some(m) = first(&self.prefix, &word[from..to]).filter(|m| m.end() > 0) {
                tokens.push(Token { from, to: from + m.end(), norm: None });
                from += m.end();
                if self.listed.contains_key(&word[from..to]) {
                    break;
                }
            }
            if let Some(m) = first(&self.suffix, &word[from..to]).filter(|m| m.start() < to - from) {
                tail.push(Token { from: from + m.start(), to, norm: None });
                to = from + m.start();
            }
            if before == (from, to) {
                break;
            }
        }
        self.inner(&word[from..to], from, &mut tokens);
        tokens.extend(tail.into_iter().rev());
        tokens
    }

    /// Whether nothing more is taken off.
    fn is_kept(&self, rest: &str) -> bool {
        self.listed.contains_key(rest) || fits(&self.token, rest)
    }

    fn inner<'t>(&'t self, rest: &str, from: usize, tokens: &mut Vec<Token<'t>>) {
        let mut push = |a: usize, b: usize, norm: Option<&'t str>| {
            if a < b {
                tokens.push(Token { from: from + a, to: from + b, norm });
            }
        };
        let mut done = 0;
        if let Some(parts) = self.listed.get(rest) {
            for part in parts {
                push(done, done + part.length, part.norm.as_deref());
                done += part.length;
            }
            return;
        }
        if !fits(&self.token, rest)
            && !fits(&self.url, rest)
            && let Some(rule) = &self.infix
        {
            for m in rule.find_iter(rest).map_while(Result::ok) {
                if done == 0 && m.start() == 0 {
                    continue;
                }
                push(done, m.start(), None);
                push(m.start(), m.end(), None);
                done = m.end();
            }
        }
        push(done, rest.len(), None);
    }
}

fn first<'t>(rule: &Option<Regex>, text: &'t str) -> Option<Match<'t>> {
    // A rule that takes too many steps is one that does not fit.
    rule.as_ref()?.find(text).ok().flatten()
}

/// Whether a rule fits from the word's first letter on, which is all that Python's `match` asks for.
fn fits(rule: &Option<Regex>, word: &str) -> bool {
    first(rule, word).is_some_and(|m| m.start() == 0)
}

fn parts_of(word: &str, parts: &Value) -> Option<Vec<Part>> {
    let mut rest = word;
    let mut all = Vec::new();
    for part in parts.as_array()? {
        let said = |id| part.as_map()?.iter().find(|(key, _)| key.as_u64() == Some(id)).map(|(_, value)| value);
        let orth = pack::text(said(ORTH)?)?;
        rest = rest.strip_prefix(orth)?;
        all.push(Part { length: orth.len(), norm: said(NORM).and_then(pack::text).map(str::to_owned) });
    }
    rest.is_empty().then_some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tokenizer(prefix: &str, suffix: &str, infix: &str, listed: &[(&str, &[(&str, &str)])]) -> Result<Tokenizer> {
        let part = |(orth, norm): &(&str, &str)| {
            Value::Map(vec![(ORTH.into(), (*orth).into()), (NORM.into(), (*norm).into())])
        };
        let list = |(word, parts): &(&str, &[(&str, &str)])| {
            (Value::from(*word), Value::Array(parts.iter().map(part).collect()))
        };
        let value = Value::Map(vec![
            ("prefix_search".into(), prefix.into()),
            ("suffix_search".into(), suffix.into()),
            ("infix_finditer".into(), infix.into()),
            ("url_match".into(), r"(?u)^https?://\S+$".into()),
            ("exceptions".into(), Value::Map(listed.iter().map(list).collect())),
        ]);
        let file = tempfile::NamedTempFile::new().unwrap();
        rmpv::encode::write_value(&mut file.as_file(), &value).unwrap();
        Tokenizer::load(file.path())
    }

    fn cut<'a>(tokenizer: &Tokenizer, word: &'a str) -> Vec<&'a str> {
        tokenizer.cut(word).iter().map(|t| &word[t.from..t.to]).collect()
    }

    #[test]
    fn words_are_cut_by_rules_and_by_the_list() {
        let rules: &[(&str, &[(&str, &str)])] =
            &[("don't", &[("do", "do"), ("n't", "not")]), ("Dr.", &[("Dr.", "doctor")])];
        let t = tokenizer(r#"^[(¿"]"#, r#"[)?.,"]$"#, r"(?<=[a-z])-(?=[a-z])|/", rules).unwrap();
        assert_eq!(cut(&t, "(¿\"Madrid\"?),"), ["(", "¿", "\"", "Madrid", "\"", "?", ")", ","]);
        assert_eq!(cut(&t, "(Dr.)"), ["(", "Dr.", ")"]);
        assert_eq!(cut(&t, "franco-alemán/ruso"), ["franco", "-", "alemán", "/", "ruso"]);
        assert_eq!(cut(&t, "https://a/b"), ["https://a/b"]);
        assert_eq!(cut(&t, "..."), [".", ".", "."]);
        assert_eq!(t.cut("don't")[1], Token { from: 2, to: 5, norm: Some("not") });
        // As long as a book, and nothing but signs.
        assert_eq!(cut(&t, &"?".repeat(100_000)).len(), 1);
    }

    #[test]
    fn rules_that_are_none_are_refused() {
        use crate::error::Kind;
        let refused = |t: Result<Tokenizer>| t.unwrap_err().kind() == Kind::Corrupt;
        assert!(refused(tokenizer("(", "a", "b", &[])));
        assert!(refused(tokenizer("", "", "", &[])));
        assert!(refused(tokenizer("^a", "", "", &[("niño", &[("ni", "ni"), ("no", "no")])])));
    }
}
