//! One name of many spellings, with all the times at which it is named.

use std::collections::{BTreeMap, HashMap};

use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::{Language, capitals};
use crate::model::{Finding, FindingKind};

/// What a spelling with accents counts against one without, and one with small letters against capitals: who writes them
/// took care, and captions leave both out.
const CARE: f32 = 4.0;
/// A name that is of two kinds is of the one that has this share of its trust.
const CLEAR: f32 = 2.0 / 3.0;
/// Most words of a name whose endings are names of the same person.
const WORDS: usize = 8;

/// A name where it is named.
#[derive(Clone, Debug, PartialEq)]
pub struct Mention {
    /// A person, a place or an organization.
    pub kind: FindingKind,
    /// The name as it stands there.
    pub text: String,
    /// In which language it stands.
    pub language: Language,
    /// Where that begins, in milliseconds of the master.
    pub from_ms: u64,
    /// Where it ends.
    pub to_ms: u64,
    /// How sure it is, 0 to 1.
    pub trust: f32,
}

/// The mentions that are one name.
#[derive(Debug)]
struct Group<'a> {
    kind: FindingKind,
    /// Spelled in full.
    full: Vec<&'a Mention>,
    /// By the end of the name alone.
    short: Vec<&'a Mention>,
}

/// The findings of an asset's mentions, by kind and time: one for each time at which a name is named, in its best spelling.
///
/// Spellings are one name when they differ in case, accents, punctuation or an English article only. A person's name that one
/// other full name ends in is that one's: "Pérez" is "Juan Pérez", unless there is a María Pérez as well. The best
/// spelling is the most frequent, one with accents and small letters counting four times as much for either.
pub fn merge(mentions: &[Mention]) -> BTreeMap<FindingKind, Vec<Finding>> {
    let mut by_key: BTreeMap<String, BTreeMap<FindingKind, Vec<&Mention>>> = BTreeMap::new();
    for mention in mentions {
        let key = key(&mention.text);
        // An initial, a sign.
        if key.chars().nth(1).is_some() {
            by_key.entry(key).or_default().entry(mention.kind).or_default().push(mention);
        }
    }
    let mut keyed: Vec<(String, Group<'_>)> = Vec::new();
    for (key, kinds) in by_key {
        for (kind, full) in clear(kinds) {
            keyed.push((key.clone(), Group { kind, full, short: Vec::new() }));
        }
    }
    let mut found: BTreeMap<FindingKind, Vec<Finding>> = BTreeMap::new();
    for group in joined(keyed) {
        let text = group.spelling();
        found.entry(group.kind).or_default().extend(group.times().into_iter().map(|(from_ms, to_ms, trust)| Finding {
            from_ms,
            to_ms,
            text: text.clone(),
            trust: Some(trust),
            ..Finding::default()
        }));
    }
    for list in found.values_mut() {
        list.sort_by(|a, b| (a.from_ms, a.to_ms, &a.text).cmp(&(b.from_ms, b.to_ms, &b.text)));
    }
    found
}

/// All of a name's mentions as of the kind that they clearly are, or by kind where they are not.
fn clear(kinds: BTreeMap<FindingKind, Vec<&Mention>>) -> BTreeMap<FindingKind, Vec<&Mention>> {
    let weight = |list: &[&Mention]| list.iter().map(|m| m.trust).sum::<f32>();
    let all: f32 = kinds.values().map(|list| weight(list)).sum();
    match kinds.iter().find(|(_, list)| weight(list) >= CLEAR * all).map(|(kind, _)| *kind) {
        Some(kind) => BTreeMap::from([(kind, kinds.into_values().flatten().collect())]),
        None => kinds,
    }
}

/// The groups, those of a person's last name joined to the one full name that ends in it.
fn joined(mut keyed: Vec<(String, Group<'_>)>) -> Vec<Group<'_>> {
    let length = |key: &str| key.split(' ').count();
    // Longer names first: what has been joined is none that others may be joined to.
    keyed.sort_by(|(a, _), (b, _)| (length(b), a).cmp(&(length(a), b)));
    let mut all: Vec<Group<'_>> = Vec::new();
    // For an ending the only name that has it; none where there are several.
    let mut endings: HashMap<String, Option<usize>> = HashMap::new();
    for (key, group) in keyed {
        let is_person = group.kind == FindingKind::Person;
        match endings.get(&key).copied().flatten().filter(|_| is_person) {
            Some(n) => all[n].short.extend(group.full),
            None => {
                let ends = key.match_indices(' ').take(WORDS).filter(|_| is_person);
                for (at, _) in ends {
                    let only = endings.entry(key[at + 1..].to_owned());
                    only.and_modify(|n| *n = None).or_insert(Some(all.len()));
                }
                all.push(group);
            }
        }
    }
    all
}

impl Group<'_> {
    fn spelling(&self) -> String {
        let mut weights: Vec<(String, Language, f32)> = Vec::new();
        let mut seen: HashMap<String, usize> = HashMap::new();
        for mention in &self.full {
            let text = tidy(&mention.text);
            let small = if text.chars().any(char::is_lowercase) { CARE } else { 1.0 };
            let accents = if text.nfd().any(is_combining_mark) { CARE } else { 1.0 };
            // One of which nothing is sure counts a little all the same.
            let weight = (mention.trust + 0.01) * small * accents;
            match seen.get(&text) {
                Some(n) => weights[*n].2 += weight,
                None => {
                    seen.insert(text.clone(), weights.len());
                    weights.push((text, mention.language, weight));
                }
            }
        }
        let best = weights.into_iter().reduce(|best, next| if next.2 > best.2 { next } else { best });
        let Some((text, language, _)) = best else { return String::new() };
        // One word in capitals may well be an acronym, and one with points is.
        let is_name = !text.contains('.') && (text.contains(' ') || self.kind == FindingKind::Person);
        match capitals::is_in_capitals(&text) && is_name {
            true => capitals::in_small_letters(&text, language),
            false => text,
        }
    }

    /// When it is named, each time with the trust of its surest mention. Mentions of one moment, as said and shown, are one.
    fn times(&self) -> Vec<(u64, u64, f32)> {
        let mut each: Vec<(u64, u64, f32)> =
            self.full.iter().chain(&self.short).map(|m| (m.from_ms, m.to_ms.max(m.from_ms), m.trust)).collect();
        each.sort_by(|a, b| (a.0, a.1).cmp(&(b.0, b.1)).then(b.2.total_cmp(&a.2)));
        let mut times: Vec<(u64, u64, f32)> = Vec::new();
        for (from, to, trust) in each {
            match times.last_mut() {
                Some(last) if from < last.1 || from == last.0 => {
                    *last = (last.0, last.1.max(to), last.2.max(trust));
                }
                _ => times.push((from, to, trust)),
            }
        }
        times
    }
}

/// A name without what surely is none of it: signs at its ends, an English article and genitive, spaces that repeat.
fn tidy(text: &str) -> String {
    let mut words = text.split_whitespace().collect::<Vec<_>>().join(" ");
    // With a capital, as in "The Hague", it is the name's own.
    if let Some(name) = words.strip_prefix("the ") {
        words = name.to_owned();
    }
    for genitive in ["'s", "’s", "'S", "’S"] {
        if let Some(name) = words.strip_suffix(genitive) {
            words.truncate(name.len());
        }
    }
    let start = words.trim_start_matches(|c: char| !c.is_alphanumeric());
    let end = start.trim_end_matches(|c: char| !c.is_alphanumeric());
    // The point of "EE.UU." and "S.A." is its own, as is the parenthesis of "Sevilla (Este)".
    let own = match start[end.len()..].chars().next() {
        Some('.') if end.contains('.') && end.rsplit([' ', '.']).next().is_some_and(|last| last.len() < 3) => 1,
        Some(')') if end.contains('(') => 1,
        _ => 0,
    };
    start[..end.len() + own].to_owned()
}

/// What spellings of one name have in common: its words in small letters without accents and points.
fn key(text: &str) -> String {
    let plain: String =
        text.nfd().filter(|c| !is_combining_mark(*c) && *c != '.').flat_map(char::to_lowercase).collect();
    let plain = plain.trim_end_matches("'s").trim_end_matches("’s");
    let words: Vec<&str> = plain.split(|c: char| !c.is_alphanumeric()).filter(|word| !word.is_empty()).collect();
    match words.as_slice() {
        // "EE. UU." is "EEUU".
        letters if text.contains('.') && letters.iter().all(|word| word.len() < 3) => letters.concat(),
        ["the", name @ ..] if !name.is_empty() => name.join(" "),
        words => words.join(" "),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn named(kind: FindingKind, text: &str, from_ms: u64, trust: f32) -> Mention {
        Mention { kind, text: text.into(), language: Language::Spanish, from_ms, to_ms: from_ms + 2000, trust }
    }

    fn told(mentions: &[Mention]) -> Vec<(FindingKind, String, u64)> {
        let all = merge(mentions);
        all.iter().flat_map(|(kind, list)| list.iter().map(|f| (*kind, f.text.clone(), f.from_ms))).collect()
    }

    #[test]
    fn spellings_are_one_name_in_the_best_of_them() {
        use FindingKind::{Organization, Person, Place};
        let mentions = [
            named(Person, "JUAN PEREZ", 0, 0.9),
            named(Person, "JUAN PEREZ", 10_000, 0.9),
            named(Person, "Juan Pérez", 20_000, 0.8),
            named(Person, "Pérez", 30_000, 0.7),
            named(Person, "Juan Perez,", 40_000, 0.9),
            named(Place, "A CORUÑA", 0, 0.9),
            named(Organization, "ONU", 5000, 0.9),
            named(Organization, "the ONU's", 50_000, 0.9),
            named(Place, "EE. UU.", 60_000, 0.5),
            named(Place, "EE.UU.", 70_000, 0.6),
        ];
        let juan = |at| (Person, "Juan Pérez".to_owned(), at);
        assert_eq!(
            told(&mentions),
            [
                juan(0),
                juan(10_000),
                juan(20_000),
                juan(30_000),
                juan(40_000),
                (Place, "A Coruña".into(), 0),
                (Place, "EE.UU.".into(), 60_000),
                (Place, "EE.UU.".into(), 70_000),
                (Organization, "ONU".into(), 5000),
                (Organization, "ONU".into(), 50_000),
            ]
        );
    }

    #[test]
    fn a_last_name_of_two_people_is_neither() {
        use FindingKind::Person;
        let people = ["Juan Pérez", "María Pérez", "Pérez", "Ana García Márquez", "García Márquez", "Márquez"];
        let mentions: Vec<Mention> =
            people.iter().enumerate().map(|(n, name)| named(Person, name, n as u64 * 10_000, 0.9)).collect();
        let names: Vec<String> = told(&mentions).into_iter().map(|(_, name, _)| name).collect();
        let ana = "Ana García Márquez";
        assert_eq!(names, ["Juan Pérez", "María Pérez", "Pérez", ana, ana, ana]);
    }

    #[test]
    fn what_is_said_and_shown_at_once_is_one_finding_of_the_kind_that_it_clearly_is() {
        use FindingKind::{Person, Place};
        let mentions = [
            named(Place, "Santiago", 0, 0.9),
            named(Place, "SANTIAGO", 1500, 0.6),
            named(Person, "Santiago", 9000, 0.3),
        ];
        let found = merge(&mentions);
        let times: Vec<_> = found[&Place].iter().map(|f| (f.from_ms, f.to_ms, f.trust)).collect();
        assert_eq!(times, [(0, 3500, Some(0.9)), (9000, 11_000, Some(0.3))]);
        assert_eq!(found.len(), 1);
        assert!(merge(&[named(Person, "J.", 0, 1.0), named(Person, "—", 0, 1.0)]).is_empty());
    }
}
