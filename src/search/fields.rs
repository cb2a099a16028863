//! What a question may name before a colon.

use crate::model::FindingKind;

/// A field of words.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    Title,
    Description,
    Tag,
    Person,
    Location,
    Organization,
    Path,
    /// Names of files, any part of them.
    File,
    /// Who speaks.
    Speaker,
    /// What was said, read or seen in it.
    Found(FindingKind),
}

/// A field of one value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Label {
    Kind,
    Collection,
    Program,
    Category,
    License,
    Codec,
    Territory,
    Consent,
    Archived,
}

/// A field of numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Number {
    Duration,
    Bytes,
    Width,
    Height,
    Rate,
    Channels,
    Recorded,
    Created,
    Hdr,
    Expires,
}

/// What a name stands for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Named {
    Place(Place),
    Label(Label),
    Number(Number),
    Year,
    Before,
    After,
    Has,
}

/// The names of each field, the first of them as it is told.
const FIELDS: [(&[&str], Named); 38] = [
    (&["title"], Named::Place(Place::Title)),
    (&["description", "about"], Named::Place(Place::Description)),
    (&["tag", "tags"], Named::Place(Place::Tag)),
    (&["person", "people"], Named::Place(Place::Person)),
    (&["place", "places"], Named::Place(Place::Location)),
    (&["organization", "organizations", "org"], Named::Place(Place::Organization)),
    (&["path"], Named::Place(Place::Path)),
    (&["file", "filename"], Named::Place(Place::File)),
    (&["speaker", "speakers"], Named::Place(Place::Speaker)),
    (&["said", "speech"], Named::Place(Place::Found(FindingKind::Speech))),
    (&["translated", "translation"], Named::Place(Place::Found(FindingKind::Translation))),
    (&["shown", "text"], Named::Place(Place::Found(FindingKind::Text))),
    (&["object", "objects", "seen"], Named::Place(Place::Found(FindingKind::Object))),
    (&["keyword", "keywords"], Named::Place(Place::Found(FindingKind::Keyword))),
    (&["topic", "topics"], Named::Place(Place::Found(FindingKind::Topic))),
    (&["kind"], Named::Label(Label::Kind)),
    (&["collection"], Named::Label(Label::Collection)),
    (&["program"], Named::Label(Label::Program)),
    (&["category"], Named::Label(Label::Category)),
    (&["license"], Named::Label(Label::License)),
    (&["codec"], Named::Label(Label::Codec)),
    (&["territory"], Named::Label(Label::Territory)),
    (&["consent"], Named::Label(Label::Consent)),
    (&["archived"], Named::Label(Label::Archived)),
    (&["expires"], Named::Number(Number::Expires)),
    (&["duration"], Named::Number(Number::Duration)),
    (&["size", "bytes"], Named::Number(Number::Bytes)),
    (&["width"], Named::Number(Number::Width)),
    (&["height"], Named::Number(Number::Height)),
    (&["fps", "rate"], Named::Number(Number::Rate)),
    (&["channels"], Named::Number(Number::Channels)),
    (&["date", "recorded"], Named::Number(Number::Recorded)),
    (&["created", "ingested"], Named::Number(Number::Created)),
    (&["hdr"], Named::Number(Number::Hdr)),
    (&["year"], Named::Year),
    (&["before"], Named::Before),
    (&["after"], Named::After),
    (&["has"], Named::Has),
];

/// What a name stands for; none of what is no field.
pub(super) fn named(field: &str) -> Option<Named> {
    FIELDS.iter().find(|(names, _)| names.contains(&field)).map(|(_, named)| *named)
}

/// The field that is counted, of a field's name.
pub(super) fn counted(field: &str) -> Option<&'static str> {
    let counted = match named(field)? {
        Named::Label(Label::Kind) => "kind",
        Named::Label(Label::Collection) => "collection",
        Named::Label(Label::Program) => "program",
        Named::Label(Label::Category) => "category",
        Named::Label(Label::Codec) => "codec",
        Named::Label(Label::License) => "license",
        Named::Label(Label::Territory) => "territory",
        Named::Label(Label::Consent) => "consent",
        Named::Label(Label::Archived) => "archived",
        Named::Place(Place::Tag) => "tags",
        Named::Place(Place::Person) => "people",
        Named::Place(Place::Location) => "places",
        Named::Place(Place::Organization) => "organizations",
        Named::Place(Place::Found(FindingKind::Object)) => "objects",
        Named::Place(Place::Found(FindingKind::Topic)) => "topics",
        _ => return None,
    };
    Some(counted)
}

/// What is meant as a field and is none, of a word: `titel` of `titel:guerra`. Addresses (`localhost:8080` is one), times and
/// letters of drives are meant as they are.
pub(super) fn mistaken(word: &str) -> Option<&str> {
    let (name, value) = word.split_once(':')?;
    let is_name = name.chars().all(|c| c.is_alphabetic() || c == '_' || c == '-') && name.chars().nth(1).is_some();
    let is_value = value.chars().any(char::is_alphanumeric) && !value.starts_with(['/', '\\', ':']);
    (is_name && is_value && name != "localhost" && named(name).is_none()).then_some(name)
}

/// What is told of names that are no fields; none where there are none.
pub(super) fn notice(mut names: Vec<&str>) -> Option<String> {
    names.sort_unstable();
    names.dedup();
    let names: Vec<String> = names.into_iter().map(|name| format!("'{name}'")).collect();
    let what = match names.as_slice() {
        [] => return None,
        [one] => format!("there is no field {one}: its name and what follows"),
        several => format!("there are no fields {}: their names and what follows", several.join(", ")),
    };
    let known: Vec<&str> = FIELDS.iter().filter_map(|(names, _)| names.first().copied()).collect();
    Some(format!("{what} were looked for as words; fields are {}", known.join(", ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_fields_have_one_name() {
        let mut all: Vec<&str> = FIELDS.iter().flat_map(|(names, _)| names.iter().copied()).collect();
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn what_is_no_field_is_told_from_addresses_and_times() {
        for (word, name) in
            [("titel:guerra", "titel"), ("título:guerra", "título"), ("anio:2024", "anio"), ("foo:\"a", "foo")]
        {
            assert_eq!(mistaken(word), Some(name), "{word}");
        }
        for word in [
            "12:30",
            "1:02:03",
            "http://ejemplo.es/a:b",
            "rtsp://camara",
            "www.ejemplo.es:8080",
            "localhost:8080",
            "C:\\videos\\a.mov",
            "S01:E02",
            "std::io",
            "Madrid:",
            "a:b",
            "title:guerra",
            ":",
            "guerra",
        ] {
            assert_eq!(mistaken(word), None, "{word}");
        }
    }
}
