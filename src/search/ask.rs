//! Reads a question as an editor types it.
//!
//! ```text
//! inflación banco                    both words
//! "banco central"                    the words side by side
//! entrev*   *2024-03*                a beginning; any part of a file's name or of a number in a picture
//! perro OR gato   perro -gato        one of them; one without the other; NOT says the same as -
//! (perro OR gato) kind:video         groups and fields
//! said:inflación person:"Juan Pérez" where it stands
//! speaker:ana                        who says it
//! collection:="Noticias 24"          this value and none that only reads like it
//! duration:>90s  date:2023..2024  height:>=1080  before:2024-12  has:speech
//! ```

use std::ops::Bound;

use super::fields::{self, Named, counted, named};
pub(super) use super::fields::{Label, Number, Place};
use super::words::folded;
use crate::{
    error::{Error, Result},
    model::{FindingKind, MediaKind, description},
};

/// Most words of a question, and deepest nesting of its groups.
const MOST_WORDS: usize = 64;
const DEEPEST: usize = 16;
/// Bytes of the longest question.
pub const MOST_BYTES: usize = 1000;
/// Fewest letters of a beginning or of a part.
const FEWEST: usize = 2;

/// Words as they are looked for.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Words {
    /// One or more words, in any place and form.
    All(String),
    /// Words side by side, as they are written.
    Phrase(String),
    /// The beginning of a word.
    Beginning(String),
    /// Any part of a name or a number.
    Part(String),
}

/// A question.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Ask {
    Words(Option<Place>, Words),
    Label(Label, String),
    /// A value as it is written, of a field that is counted.
    Exactly(&'static str, String),
    Number(Number, Bound<i64>, Bound<i64>),
    Has(FindingKind),
    All(Vec<Ask>),
    Any(Vec<Ask>),
    Not(Box<Ask>),
}

/// How words without AND and OR between them belong together.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Match {
    /// All of them are looked for.
    #[default]
    All,
    /// One is enough; more are better.
    Any,
}

/// Reads a question; none for one that asks for nothing in particular.
pub(super) fn parse(text: &str, by: Match) -> Result<Option<Ask>> {
    if text.len() > MOST_BYTES {
        return Err(Error::invalid(format!("the question is {} bytes long: {MOST_BYTES} at most", text.len())));
    }
    let tokens = tokens(text)?;
    if tokens.is_empty() {
        return Ok(None);
    }
    let mut reader = Reader { tokens, at: 0, words: 0, by };
    let ask = reader.either(0)?;
    match reader.peek() {
        None => Ok(ask),
        Some((at, _)) => Err(wrong(at, "there is a ')' without its '('")),
    }
}

/// What is told of names in a question that are meant as fields and are none. Their words are looked for.
pub(super) fn notice(text: &str) -> Option<String> {
    let tokens = tokens(text).unwrap_or_default();
    let words = tokens.iter().filter_map(|(_, token)| match token {
        Token::Word(None, text) => fields::mistaken(text),
        _ => None,
    });
    fields::notice(words.collect())
}

fn wrong(at: usize, what: impl std::fmt::Display) -> Error {
    Error::invalid(format!("{what} (at character {})", at + 1))
        .hint("words, \"phrases\", begin*, field:value, AND, OR, NOT and ( ) are understood")
}

#[derive(Clone, Debug, PartialEq)]
enum Token {
    Open,
    Close,
    And,
    Or,
    Not,
    /// A word, and the field that it was written with.
    Word(Option<String>, String),
    /// A phrase, and its field.
    Phrase(Option<String>, String),
    /// A value as it is written, and its field.
    Exact(String, String),
}

fn tokens(text: &str) -> Result<Vec<(usize, Token)>> {
    let chars: Vec<char> = text.chars().collect();
    let mut all = Vec::new();
    let mut at = 0;
    while let Some(c) = chars.get(at).copied() {
        let begin = at;
        match c {
            c if c.is_whitespace() => at += 1,
            '(' => {
                all.push((begin, Token::Open));
                at += 1;
            }
            ')' => {
                all.push((begin, Token::Close));
                at += 1;
            }
            '-' | '+' if chars.get(at + 1).is_some_and(|c| !c.is_whitespace()) => {
                if c == '-' {
                    all.push((begin, Token::Not));
                }
                at += 1;
            }
            _ => {
                let (token, next) = word(&chars, at)?;
                all.push((begin, token));
                at = next;
            }
        }
    }
    Ok(all)
}

fn word(chars: &[char], begin: usize) -> Result<(Token, usize)> {
    let mut field: Option<String> = None;
    let mut text = String::new();
    let mut at = begin;
    while let Some(c) = chars.get(at).copied() {
        match c {
            c if c.is_whitespace() || c == '(' || c == ')' => break,
            '=' if text.is_empty() && field.is_some() && chars.get(at + 1) == Some(&'"') => {
                let (value, next) = quoted(chars, at + 1)?;
                return Ok((Token::Exact(field.unwrap_or_default(), value), next));
            }
            '"' if text.is_empty() => {
                let Some(length) = chars[at + 1..].iter().position(|c| *c == '"') else {
                    return Err(wrong(at, "a quotation mark has no other"));
                };
                let phrase = chars[at + 1..at + 1 + length].iter().collect();
                return Ok((Token::Phrase(field, phrase), at + length + 2));
            }
            ':' if field.is_none() && !text.is_empty() && known(&text) => field = Some(std::mem::take(&mut text)),
            c => text.push(c),
        }
        at += 1;
    }
    let token = match (field, text.as_str()) {
        (None, "AND" | "&&") => Token::And,
        (None, "OR" | "||") => Token::Or,
        (None, "NOT") => Token::Not,
        (Some(field), value) if value.starts_with('=') => Token::Exact(field, value[1..].to_owned()),
        (field, _) => Token::Word(field, text),
    };
    Ok((token, at))
}

/// A value between quotation marks, in which `\"` and `\\` stand for themselves, and where it ends.
fn quoted(chars: &[char], begin: usize) -> Result<(String, usize)> {
    let mut value = String::new();
    let mut at = begin + 1;
    while let Some(c) = chars.get(at).copied() {
        match (c, chars.get(at + 1)) {
            ('"', _) => return Ok((value, at + 1)),
            ('\\', Some(next @ ('"' | '\\'))) => {
                value.push(*next);
                at += 1;
            }
            _ => value.push(c),
        }
        at += 1;
    }
    Err(wrong(begin, "a quotation mark has no other"))
}

/// A word with a colon that is no field is a word: addresses, times.
fn known(field: &str) -> bool {
    named(field).is_some()
}

struct Reader {
    tokens: Vec<(usize, Token)>,
    at: usize,
    words: usize,
    by: Match,
}

impl Reader {
    fn peek(&self) -> Option<(usize, &Token)> {
        self.tokens.get(self.at).map(|(at, token)| (*at, token))
    }

    fn either(&mut self, depth: usize) -> Result<Option<Ask>> {
        let mut all = Vec::new();
        all.extend(self.both(depth)?);
        while let Some((at, Token::Or)) = self.peek() {
            self.at += 1;
            match self.both(depth)? {
                Some(ask) if !all.is_empty() => all.push(ask),
                _ => return Err(wrong(at, "OR stands between two things to look for")),
            }
        }
        Ok(one_of(all, Ask::Any))
    }

    fn both(&mut self, depth: usize) -> Result<Option<Ask>> {
        // Fields narrow what words find, also where one word is enough.
        let (mut words, mut rest) = (Vec::new(), Vec::new());
        let mut and = None;
        let mut is_joined = false;
        loop {
            match self.peek() {
                Some((at, Token::And)) => {
                    if (words.is_empty() && rest.is_empty()) || and.is_some() {
                        return Err(wrong(at, "AND stands between two things to look for"));
                    }
                    (and, is_joined) = (Some(at), true);
                    self.at += 1;
                }
                None | Some((_, Token::Or | Token::Close)) => break,
                Some(_) => {
                    let Some(ask) = self.one(depth)? else { continue };
                    and = None;
                    match ask {
                        Ask::Words(..) => words.push(ask),
                        ask => rest.push(ask),
                    }
                }
            }
        }
        if let Some(at) = and {
            return Err(wrong(at, "AND stands between two things to look for"));
        }
        if self.by == Match::Any && !is_joined {
            rest.extend(one_of(words, Ask::Any));
        } else {
            rest.splice(0..0, words);
        }
        Ok(one_of(rest, Ask::All))
    }

    fn one(&mut self, depth: usize) -> Result<Option<Ask>> {
        let Some((at, token)) = self.tokens.get(self.at).cloned() else { return Ok(None) };
        self.at += 1;
        match token {
            Token::Not if depth >= DEEPEST => Err(wrong(at, format!("NOT stands more than {DEEPEST} times in a row"))),
            Token::Not => match self.one(depth + 1)? {
                Some(ask) => Ok(Some(Ask::Not(Box::new(ask)))),
                None => Err(wrong(at, "there is nothing after NOT")),
            },
            Token::Open => {
                if depth >= DEEPEST {
                    return Err(wrong(at, format!("groups lie deeper than {DEEPEST}")));
                }
                let inner = self.either(depth + 1)?;
                match self.peek() {
                    Some((_, Token::Close)) => self.at += 1,
                    _ => return Err(wrong(at, "there is a '(' without its ')'")),
                }
                Ok(inner)
            }
            Token::Word(field, text) => self.leaf(at, field, text, false),
            Token::Phrase(field, text) => self.leaf(at, field, text, true),
            Token::Exact(field, value) => {
                self.words += 1;
                let Some(counted) = counted(&field) else {
                    return Err(wrong(
                        at,
                        format!("'{field}:=' is not understood: only values that are counted have one"),
                    ));
                };
                match value.is_empty() {
                    true => Err(wrong(at, format!("'{field}:=' is followed by nothing"))),
                    false => Ok(Some(Ask::Exactly(counted, value))),
                }
            }
            Token::And | Token::Or | Token::Close => Err(wrong(at, "something to look for is missing")),
        }
    }

    fn leaf(&mut self, at: usize, field: Option<String>, text: String, is_phrase: bool) -> Result<Option<Ask>> {
        self.words += super::words::words(&text).count().max(1);
        if self.words > MOST_WORDS {
            return Err(wrong(at, format!("the question has more than {MOST_WORDS} words")));
        }
        let name = field.as_deref().unwrap_or_default();
        if field.is_some() && text.trim().is_empty() {
            return Err(wrong(at, format!("'{name}:' is followed by nothing")));
        }
        let here = |e: Error| wrong(at, format!("{name}: {e}"));
        Ok(Some(match named(name) {
            None => return Ok(plain(at, &text, is_phrase)?.map(|words| Ask::Words(None, words))),
            Some(Named::Place(Place::File)) if !is_phrase => {
                let part = text.trim_matches('*').to_owned();
                Ask::Words(Some(Place::File), long_enough(at, Words::Part(part))?)
            }
            Some(Named::Place(place)) => match plain(at, &text, is_phrase)? {
                Some(words) => Ask::Words(Some(place), words),
                None => return Err(wrong(at, format!("'{name}:' is followed by no word"))),
            },
            Some(Named::Label(Label::Kind)) if !is_kind(&text) => {
                let known = MediaKind::ALL.map(MediaKind::as_str).join(", ");
                return Err(wrong(at, format!("there is no kind '{text}': expected one of {known}")));
            }
            Some(Named::Label(label)) => Ask::Label(label, text),
            Some(Named::Number(number)) => {
                let (from, to) = range(number, &text).map_err(here)?;
                Ask::Number(number, from, to)
            }
            Some(Named::Year) => {
                let (from, to) = range(Number::Recorded, &text).map_err(here)?;
                Ask::Number(Number::Recorded, from, to)
            }
            Some(Named::Before) => Ask::Number(
                Number::Recorded,
                Bound::Unbounded,
                Bound::Excluded(description::moment(&text).map_err(here)?),
            ),
            Some(Named::After) => {
                Ask::Number(Number::Recorded, Bound::Included(end(&text).map_err(here)?), Bound::Unbounded)
            }
            Some(Named::Has) => match text.as_str() {
                "transcript" | "subtitles" => Ask::Has(FindingKind::Speech),
                kind => Ask::Has(kind.parse().map_err(here)?),
            },
        }))
    }
}

fn is_kind(text: &str) -> bool {
    let text = folded(&text.to_lowercase());
    MediaKind::ALL.iter().any(|kind| kind.as_str() == text)
}

/// One of several as it is, none of none.
fn one_of(mut all: Vec<Ask>, join: impl FnOnce(Vec<Ask>) -> Ask) -> Option<Ask> {
    match all.len() {
        0 | 1 => all.pop(),
        _ => Some(join(all)),
    }
}

/// What words are looked for; none where a text has none: a dash, a dot.
fn plain(at: usize, text: &str, is_phrase: bool) -> Result<Option<Words>> {
    // A dash says nothing; what is a word to people and none to the index finds nothing.
    let says_nothing = text.chars().all(|c| c.is_ascii_punctuation() || c.is_whitespace() || c == '…');
    if is_phrase {
        return Ok((!says_nothing).then(|| Words::Phrase(text.to_owned())));
    }
    let (starts, ends) = (text.starts_with('*'), text.ends_with('*'));
    let inner = text.trim_matches('*');
    if inner.contains('*') {
        return Err(wrong(at, "a '*' stands at the beginning or the end of a word"));
    }
    let words = match (starts, ends) {
        (true, _) => Words::Part(inner.to_owned()),
        (false, true) => Words::Beginning(inner.to_owned()),
        (false, false) => {
            return Ok((!says_nothing).then(|| Words::All(text.to_owned())));
        }
    };
    long_enough(at, words).map(Some)
}

fn long_enough(at: usize, words: Words) -> Result<Words> {
    let (text, fewest) = match &words {
        Words::Part(text) => (text, super::words::GRAM),
        Words::Beginning(text) | Words::All(text) | Words::Phrase(text) => (text, FEWEST),
    };
    match super::words::spelled(text).chars().count() >= fewest {
        true => Ok(words),
        false => Err(wrong(at, format!("a '*' needs at least {fewest} letters with it"))),
    }
}

/// `5`, `>5`, `>=5`, `<5`, `<=5`, `5..10`, `5..`, `..10`.
fn range(number: Number, text: &str) -> Result<(Bound<i64>, Bound<i64>)> {
    let text = text.trim();
    let begin = |text: &str| value(number, text);
    // A month is a stretch of time: what lies after it begins at its end.
    let until = |text: &str| match number {
        Number::Recorded | Number::Created | Number::Expires => end(text),
        _ => value(number, text).map(|v| v.saturating_add(1)),
    };
    if let Some((from, to)) = text.split_once("..") {
        if from.is_empty() && to.is_empty() {
            return Err(Error::invalid("'..' has a beginning, an end, or both"));
        }
        let from = if from.is_empty() { Bound::Unbounded } else { Bound::Included(begin(from)?) };
        let to = if to.is_empty() { Bound::Unbounded } else { Bound::Excluded(until(to)?) };
        return Ok((from, to));
    }
    Ok(if let Some(text) = text.strip_prefix(">=") {
        (Bound::Included(begin(text)?), Bound::Unbounded)
    } else if let Some(text) = text.strip_prefix('>') {
        (Bound::Included(until(text)?), Bound::Unbounded)
    } else if let Some(text) = text.strip_prefix("<=") {
        (Bound::Unbounded, Bound::Excluded(until(text)?))
    } else if let Some(text) = text.strip_prefix('<') {
        (Bound::Unbounded, Bound::Excluded(begin(text)?))
    } else {
        (Bound::Included(begin(text)?), Bound::Excluded(until(text)?))
    })
}

fn value(number: Number, text: &str) -> Result<i64> {
    let text = text.trim();
    let plain = |text: &str| {
        let number: f64 = text.parse().map_err(|_| Error::invalid(format!("'{text}' is not a number")))?;
        match number.is_finite() && number.abs() < 1e15 {
            true => Ok(number),
            false => Err(Error::invalid(format!("'{text}' is not a number that anything has"))),
        }
    };
    match number {
        Number::Recorded | Number::Created | Number::Expires => description::moment(text),
        Number::Duration => duration(text),
        Number::Bytes => {
            let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
            let factor = match text[digits.len()..].to_ascii_uppercase().as_str() {
                "" | "B" => 1.0,
                "K" | "KB" => 1e3,
                "M" | "MB" => 1e6,
                "G" | "GB" => 1e9,
                "T" | "TB" => 1e12,
                other => return Err(Error::invalid(format!("'{other}' is not a unit: expected kB, MB, GB or TB"))),
            };
            plain(digits).map(|n| (n * factor) as i64)
        }
        Number::Rate => plain(text).map(|n| (n * 1000.0).round() as i64),
        Number::Hdr => match text {
            "yes" | "true" | "1" => Ok(1),
            "no" | "false" | "0" => Ok(0),
            _ => Err(Error::invalid(format!("'{text}' is not yes or no"))),
        },
        Number::Width | Number::Height | Number::Channels => plain(text).map(|n| n as i64),
    }
}

/// `90`, `90s`, `1.5m`, `2h`, `1:30`, `1:02:03` in milliseconds.
fn duration(text: &str) -> Result<i64> {
    let wrong = || Error::invalid(format!("'{text}' is not a length: expected 90s, 1.5m, 2h or 1:30"));
    let seconds = if text.contains(':') {
        let parts: Vec<f64> =
            text.split(':').map(str::parse).collect::<std::result::Result<_, _>>().map_err(|_| wrong())?;
        if parts.len() > 3 {
            return Err(wrong());
        }
        parts.iter().fold(0.0, |sum, part| sum * 60.0 + part)
    } else {
        let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
        let factor = match &text[digits.len()..] {
            "" | "s" => 1.0,
            "ms" => 0.001,
            "m" | "min" => 60.0,
            "h" => 3600.0,
            _ => return Err(wrong()),
        };
        digits.parse::<f64>().map_err(|_| wrong())? * factor
    };
    match seconds.is_finite() && (0.0..1e10).contains(&seconds) {
        true => Ok((seconds * 1000.0).round() as i64),
        false => Err(wrong()),
    }
}

/// The end of a day, a month or a year, in milliseconds.
fn end(text: &str) -> Result<i64> {
    let text = text.trim();
    let begin = match description::day(text) {
        Ok(day) => day,
        Err(e) => return text.parse::<jiff::Timestamp>().map(|t| t.as_millisecond() + 1).map_err(|_| e),
    };
    let span = match text.split('-').count() {
        1 => jiff::Span::new().years(1),
        2 => jiff::Span::new().months(1),
        _ => jiff::Span::new().days(1),
    };
    let after = begin.checked_add(span).and_then(|day| day.at(0, 0, 0, 0).to_zoned_datetime(jiff::tz::TimeZone::UTC));
    after.map(|z| z.timestamp().as_millisecond()).map_err(|e| Error::invalid(format!("'{text}' is no date: {e}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Ask {
        parse(text, Match::All).unwrap().unwrap()
    }

    fn all(text: &str) -> Ask {
        Ask::Words(None, Words::All(text.to_owned()))
    }

    #[test]
    fn questions_are_read_as_they_are_meant() {
        assert_eq!(read("perro gato"), Ask::All(vec![all("perro"), all("gato")]));
        assert_eq!(read("perro OR gato pez"), Ask::Any(vec![all("perro"), Ask::All(vec![all("gato"), all("pez")])]));
        assert_eq!(read("perro -gato"), Ask::All(vec![all("perro"), Ask::Not(Box::new(all("gato")))]));
        assert_eq!(
            read("(perro OR gato) AND person:\"Juan Pérez\""),
            Ask::All(vec![
                Ask::Words(Some(Place::Person), Words::Phrase("Juan Pérez".into())),
                Ask::Any(vec![all("perro"), all("gato")]),
            ])
        );
        assert_eq!(read("entrev*"), Ask::Words(None, Words::Beginning("entrev".into())));
        assert_eq!(read("*2024-03*"), Ask::Words(None, Words::Part("2024-03".into())));
        assert_eq!(read("file:_fin"), Ask::Words(Some(Place::File), Words::Part("_fin".into())));
        assert_eq!(read("collection:=\"Noticias 24\""), Ask::Exactly("collection", "Noticias 24".into()));
        assert_eq!(read("person:=Ana"), Ask::Exactly("people", "Ana".into()));
        assert_eq!(read(r#"tag:="el \"caso\" \\""#), Ask::Exactly("tags", r#"el "caso" \"#.into()));
        assert_eq!(read("speaker:ana"), Ask::Words(Some(Place::Speaker), Words::All("ana".into())));
        // A colon that is no field's.
        assert_eq!(read("10:30"), all("10:30"));
        assert_eq!(parse("  - … ", Match::All).unwrap(), None);
        assert_eq!(
            parse("perro gato kind:video", Match::Any).unwrap().unwrap(),
            Ask::All(vec![Ask::Label(Label::Kind, "video".into()), Ask::Any(vec![all("perro"), all("gato")])])
        );
    }

    #[test]
    fn ranges_have_units_and_months_have_ends() {
        let number = |n, from, to| Ask::Number(n, from, to);
        use Bound::{Excluded, Included, Unbounded};
        assert_eq!(read("duration:>90s"), number(Number::Duration, Included(90_001), Unbounded));
        assert_eq!(read("duration:1:30..2m"), number(Number::Duration, Included(90_000), Excluded(120_001)));
        assert_eq!(read("size:<=2GB"), number(Number::Bytes, Unbounded, Excluded(2_000_000_001)));
        assert_eq!(read("fps:29.97"), number(Number::Rate, Included(29_970), Excluded(29_971)));
        let day = |text: &str| description::moment(text).unwrap();
        assert_eq!(read("before:2024-12"), number(Number::Recorded, Unbounded, Excluded(day("2024-12-01"))));
        assert_eq!(read("after:2024-12"), number(Number::Recorded, Included(day("2025-01-01")), Unbounded));
        assert_eq!(
            read("date:2023..2024-02"),
            number(Number::Recorded, Included(day("2023-01-01")), Excluded(day("2024-03-01")))
        );
    }

    #[test]
    fn what_makes_no_sense_is_told_with_its_place() {
        for (text, why) in [
            ("perro \"gato", "a quotation mark has no other (at character 7)"),
            ("(perro", "there is a '(' without its ')' (at character 1)"),
            ("perro)", "there is a ')' without its '(' (at character 6)"),
            ("perro AND", "AND stands between two things to look for (at character 7)"),
            ("OR perro", "OR stands between two things to look for (at character 1)"),
            ("*", "a '*' needs at least 3 letters with it (at character 1)"),
            ("a*", "a '*' needs at least 2 letters with it (at character 1)"),
            ("p*r*o", "a '*' stands at the beginning or the end of a word (at character 1)"),
            ("kind:", "'kind:' is followed by nothing (at character 1)"),
            (
                "kind:foto",
                "there is no kind 'foto': expected one of video, audio, image, animation, sidecar, other (at character 1)",
            ),
            ("collection:=", "'collection:=' is followed by nothing (at character 1)"),
            ("collection:=\"a", "a quotation mark has no other (at character 13)"),
            ("said:=a", "'said:=' is not understood: only values that are counted have one (at character 1)"),
            ("date:..", "date: '..' has a beginning, an end, or both (at character 1)"),
            ("duration:long", "duration: 'long' is not a length: expected 90s, 1.5m, 2h or 1:30 (at character 1)"),
            ("date:2024-13", "date: '2024-13' is not a date: expected 2024-03-17, 2024-03 or 2024 (at character 1)"),
        ] {
            let e = parse(text, Match::All).unwrap_err();
            assert_eq!(e.to_string(), why, "{text}");
        }
        let deep = format!("{}a{}", "(".repeat(100), ")".repeat(100));
        assert!(parse(&deep, Match::All).unwrap_err().to_string().contains("deeper"));
        let not = format!("{}gato", "-".repeat(500));
        assert!(parse(&not, Match::All).unwrap_err().to_string().contains("in a row"));
        let long = "uno ".repeat(100);
        assert!(parse(&long, Match::All).unwrap_err().to_string().contains("more than 64 words"));
        assert!(parse(&"x".repeat(10_000), Match::All).unwrap_err().to_string().contains("1000 at most"));
    }
}
