//! Cuts what is known of an asset into passages.

use std::{collections::BTreeSet, ops::Range};

use crate::{
    digest::Digest,
    model::{Description, Finding, FindingKind, Findings},
};

/// From how many characters on a passage ends with its line, and the most that it has.
const ENOUGH: usize = 300;
const MOST: usize = 600;
/// How long nothing may be said or shown within a passage, and how long one may last, in milliseconds.
const PAUSE: u64 = 5_000;
const LONGEST: u64 = 60_000;

/// Findings that passages are made of.
pub const KINDS: [FindingKind; 3] = [FindingKind::Speech, FindingKind::Text, FindingKind::Object];

/// A text that says one thing.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// The text.
    pub text: String,
    /// Of which lines it is made, by their places among all lines of the findings that have a text; empty: it is about the
    /// asset as a whole.
    pub lines: Range<usize>,
}

/// What is said of an asset, then what was said and shown in it by `found`, in its order. What is doubted is left out.
pub fn passages(title: &str, said: &Description, found: &[Findings]) -> Vec<Passage> {
    let whole = pieces(&about(title, said, found));
    let mut all: Vec<Passage> = whole.into_iter().map(|text| Passage { text, lines: 0..0 }).collect();
    let mut at = 0;
    for set in found {
        let lines: Vec<&Finding> = set.items.iter().filter(|item| has_text(item)).collect();
        // A translation says again what was said, and objects are words of the whole.
        if matches!(set.kind, FindingKind::Speech | FindingKind::Text) {
            all.extend(joined(&lines, at));
        }
        at += lines.len();
    }
    all
}

/// One digest of all that passages are made of: how they are cut, what is said of an asset, and the sets of findings that count,
/// each in a line.
pub fn words(title: &str, said: &Description, sets: &[String]) -> Digest {
    let about = [super::VERSION.to_owned(), about(title, said, &[])];
    Digest::of_fields(&[&about, sets].concat())
}

/// Whether there is anything to read in it: others have no place among the lines.
fn has_text(item: &Finding) -> bool {
    !item.text.trim().is_empty()
}

/// All that is said of it as one text.
fn about(title: &str, said: &Description, found: &[Findings]) -> String {
    let objects = found.iter().filter(|set| set.kind == FindingKind::Object).flat_map(|set| &set.items);
    let objects: BTreeSet<&str> = objects.filter(|f| f.doubts.is_empty()).map(|f| f.text.trim()).collect();
    let lists = [&said.tags, &said.people, &said.places, &said.organizations];
    let values = [&said.text, &said.program, &said.category].into_iter().flatten().cloned();
    let mut parts: Vec<String> = vec![title.to_owned()];
    parts.extend(values);
    parts.extend(lists.into_iter().map(|list| list.join(", ")));
    parts.push(objects.into_iter().collect::<Vec<_>>().join(", "));
    parts.retain(|part| !part.trim().is_empty());
    parts.join(". ")
}

/// Lines that follow each other, `first` the place of the first of them.
fn joined(lines: &[&Finding], first: usize) -> Vec<Passage> {
    let mut all: Vec<Passage> = Vec::new();
    let mut open: Option<(Passage, u64, u64)> = None;
    for (n, line) in lines.iter().enumerate().filter(|(_, line)| line.doubts.is_empty()) {
        let text = line.text.trim();
        if let Some((passage, from_ms, to_ms)) = &mut open {
            let (length, more) = (passage.text.chars().count(), text.chars().count());
            // What begins before is of another track or place.
            let follows = line.from_ms >= *from_ms && line.from_ms <= *to_ms + PAUSE;
            if length < ENOUGH && length + more < MOST && follows && line.to_ms <= *from_ms + LONGEST {
                passage.text.push(' ');
                passage.text.push_str(text);
                passage.lines.end = first + n + 1;
                *to_ms = line.to_ms.max(*to_ms);
                continue;
            }
        }
        all.extend(open.take().map(|(passage, ..)| passage));
        let lines = first + n..first + n + 1;
        open = Some((Passage { text: text.to_owned(), lines }, line.from_ms, line.to_ms));
    }
    all.extend(open.map(|(passage, ..)| passage));
    all
}

/// A text in pieces that are not too long, each ending with a sentence where there is one.
fn pieces(text: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut rest = text.trim();
    while let Some((end, _)) = rest.char_indices().nth(MOST) {
        let piece = &rest[..end];
        let sentence = piece.rfind(". ").map(|at| at + 1).filter(|at| *at > end / 2);
        let cut = sentence.or_else(|| piece.rfind(char::is_whitespace).filter(|at| *at > 0)).unwrap_or(end);
        all.push(rest[..cut].trim().to_owned());
        rest = rest[cut..].trim();
    }
    all.extend((!rest.is_empty()).then(|| rest.to_owned()));
    all
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Source;

    fn set(kind: FindingKind, lines: &[(u64, u64, &str)]) -> Findings {
        let item = |(from_ms, to_ms, text): &(u64, u64, &str)| Finding {
            from_ms: *from_ms,
            to_ms: *to_ms,
            text: (*text).to_owned(),
            ..Finding::default()
        };
        Findings {
            master: Digest::of("m"),
            kind,
            track: 0,
            recipe: Digest::of("r"),
            language: None,
            source: Source::person("x"),
            items: lines.iter().map(item).collect(),
        }
    }

    #[test]
    fn lines_that_follow_each_other_are_one_passage() {
        let long = "palabra ".repeat(45);
        let speech = set(
            FindingKind::Speech,
            &[
                (0, 2_000, "Buenos días."),
                (2_000, 4_000, " "),
                (4_000, 6_000, "Suben los precios."),
                (30_000, 32_000, "Después de una pausa."),
                (33_000, 50_000, &long),
                (50_000, 52_000, "Ya es bastante."),
            ],
        );
        let objects = set(FindingKind::Object, &[(0, 10, "caballo"), (10, 20, "caballo"), (0, 9, "persona")]);
        let said = Description { tags: vec!["feria".to_owned()], ..Description::default() };
        let all = passages("Feria", &said, &[objects, speech]);
        let shown: Vec<(&str, Range<usize>)> = all.iter().map(|p| (p.text.as_str(), p.lines.clone())).collect();
        let joined = format!("Después de una pausa. {}", long.trim());
        assert_eq!(
            shown,
            [
                ("Feria. feria. caballo, persona", 0..0),
                ("Buenos días. Suben los precios.", 3..5),
                (joined.as_str(), 5..7),
                ("Ya es bastante.", 7..8),
            ]
        );
    }

    #[test]
    fn what_is_doubted_is_left_out_and_long_texts_are_cut_at_sentences() {
        let mut speech = set(FindingKind::Speech, &[(0, 1_000, "Gracias por ver."), (1_000, 2_000, "De verdad.")]);
        speech.items[0].doubts = vec!["invented".to_owned()];
        let text = format!("{}. {}", "a ".repeat(250).trim(), "b ".repeat(400).trim());
        let said = Description { text: Some(text), ..Description::default() };
        let all = passages("T", &said, &[speech]);
        assert!(all[0].text.starts_with("T. a a") && all[0].text.ends_with("a a."), "{:?}", all[0]);
        assert!(all.iter().all(|p| p.text.chars().count() <= MOST));
        assert_eq!(all.last().map(|p| (p.text.as_str(), p.lines.clone())), Some(("De verdad.", 1..2)));
    }
}
