//! `track:`: which of a master's sound tracks an entry takes.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeSeq};

use crate::model::AudioFacts;

/// Which sound tracks: one wish, or several of which the first counts that the master can fulfill.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Tracks(pub Vec<Pick>);

/// One wish for sound tracks.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Pick {
    /// The track of this number, 1 being the first.
    Number(u32),
    /// The first track tagged with this language (ISO 639; two and three letters are the same to it).
    Language(String),
    /// Tracks of one channel each, laid side by side in this order: two are left and right, six are 5.1.
    Together(Vec<u32>),
    /// Every track.
    All,
}

/// Most channels that are laid side by side.
const MOST: usize = 16;
const EXPECTED: &str = "a track number (1 is the first), a language such as spa, tracks of one channel such as 1+2, \
                        all, or a list of these";

/// Languages of which two codes are in use (ISO 639-1, 639-2/T, 639-2/B).
const LANGUAGES: [[&str; 3]; 28] = [
    ["ar", "ara", "ara"],
    ["ca", "cat", "cat"],
    ["cs", "ces", "cze"],
    ["cy", "cym", "wel"],
    ["da", "dan", "dan"],
    ["de", "deu", "ger"],
    ["el", "ell", "gre"],
    ["en", "eng", "eng"],
    ["es", "spa", "spa"],
    ["eu", "eus", "baq"],
    ["fi", "fin", "fin"],
    ["fr", "fra", "fre"],
    ["gl", "glg", "glg"],
    ["he", "heb", "heb"],
    ["hu", "hun", "hun"],
    ["it", "ita", "ita"],
    ["ja", "jpn", "jpn"],
    ["ko", "kor", "kor"],
    ["nl", "nld", "dut"],
    ["no", "nor", "nor"],
    ["pl", "pol", "pol"],
    ["pt", "por", "por"],
    ["ro", "ron", "rum"],
    ["ru", "rus", "rus"],
    ["sv", "swe", "swe"],
    ["tr", "tur", "tur"],
    ["uk", "ukr", "ukr"],
    ["zh", "zho", "chi"],
];

impl Default for Tracks {
    fn default() -> Self {
        Self(vec![Pick::Number(1)])
    }
}

impl Tracks {
    pub(super) fn is_first(&self) -> bool {
        *self == Self::default()
    }

    /// The tracks taken of a master that has these, counted from 0, and the wish that was fulfilled. None: it can
    /// fulfill none of them.
    pub fn of(&self, master: &[AudioFacts]) -> Option<(&Pick, Vec<usize>)> {
        self.0.iter().find_map(|pick| Some((pick, pick.of(master)?)))
    }

    /// The one track taken of some that are tagged with these languages, counted from 0.
    pub fn one_of(&self, languages: &[Option<String>]) -> Option<usize> {
        self.0.iter().find_map(|pick| match pick {
            Pick::Number(n) => (*n as usize).checked_sub(1).filter(|i| *i < languages.len()),
            Pick::Language(code) => {
                languages.iter().position(|l| l.as_deref().is_some_and(|l| is_same_language(l, code)))
            }
            Pick::Together(_) | Pick::All => None,
        })
    }

    /// The language of the track that is taken, as BCP 47 writes it, where the master says it.
    pub(super) fn language_of(&self, master: &[AudioFacts]) -> Option<String> {
        let (_, tracks) = self.of(master)?;
        let [one] = tracks.as_slice() else { return None };
        master[*one].language.as_deref().and_then(tag)
    }
}

impl Pick {
    fn of(&self, master: &[AudioFacts]) -> Option<Vec<usize>> {
        let index = |number: &u32| (*number as usize).checked_sub(1).filter(|i| *i < master.len());
        match self {
            Pick::Number(n) => Some(vec![index(n)?]),
            Pick::Language(code) => {
                let is = |a: &AudioFacts| a.language.as_deref().is_some_and(|l| is_same_language(l, code));
                Some(vec![master.iter().position(is)?])
            }
            Pick::Together(numbers) => {
                let all: Option<Vec<usize>> = numbers.iter().map(index).collect();
                all.filter(|all| all.iter().all(|i| master[*i].channels == 1))
            }
            Pick::All if master.is_empty() => None,
            Pick::All => Some((0..master.len().min(MOST)).collect()),
        }
    }

    fn read(text: &str) -> Option<Self> {
        if text == "all" {
            return Some(Pick::All);
        }
        let numbers: Option<Vec<u32>> = text.split('+').map(number).collect();
        match numbers.as_deref() {
            Some([one]) => return Some(Pick::Number(*one)),
            Some(several) => {
                let is_once = |n: &u32| several.iter().filter(|other| *other == n).count() == 1;
                let is_sound = several.len() <= 8 && several.iter().all(is_once);
                return is_sound.then(|| Pick::Together(several.to_vec()));
            }
            None => {}
        }
        is_language(text).then(|| Pick::Language(text.to_ascii_lowercase()))
    }
}

/// Whether it is a language as files and players name them: `es`, `spa`, `pt-BR`.
pub fn is_language(text: &str) -> bool {
    let (language, rest) = text.split_once('-').unwrap_or((text, "x"));
    let is_region = (1..=8).contains(&rest.len()) && rest.bytes().all(|b| b.is_ascii_alphanumeric());
    matches!(language.len(), 2 | 3) && language.bytes().all(|b| b.is_ascii_alphabetic()) && is_region
}

/// A language as BCP 47 writes it, of two letters where there are such.
pub(crate) fn tag(code: &str) -> Option<String> {
    let code = code.replace('_', "-");
    let (language, region) = code.split_once('-').map_or((code.as_str(), None), |(l, r)| (l, Some(r)));
    let language = language.to_ascii_lowercase();
    let known = LANGUAGES.iter().find(|names| names.contains(&language.as_str()));
    let short = known.map_or(language.clone(), |names| names[0].to_owned());
    let tag = region.map_or(short.clone(), |region| format!("{short}-{region}"));
    (is_language(&tag) && language != "und").then_some(tag)
}

fn number(text: &str) -> Option<u32> {
    let is_plain = text.bytes().all(|b| b.is_ascii_digit());
    text.parse().ok().filter(|n| is_plain && (1..=64).contains(n))
}

/// Regions are compared only where both name one.
fn is_same_language(a: &str, b: &str) -> bool {
    let parts = |code: &str| {
        let code = code.to_ascii_lowercase();
        let (language, region) = code.split_once(['-', '_']).map_or((code.as_str(), None), |(l, r)| (l, Some(r)));
        let known = LANGUAGES.iter().find(|names| names.contains(&language));
        (known.map_or(language.to_owned(), |names| names[1].to_owned()), region.map(str::to_owned))
    };
    let (a, b) = (parts(a), parts(b));
    a.0 == b.0 && (a.1.is_none() || b.1.is_none() || a.1 == b.1)
}

impl fmt::Display for Pick {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Pick::Number(n) => write!(f, "{n}"),
            Pick::Language(code) => f.write_str(code),
            Pick::Together(numbers) => f.write_str(&numbers.iter().map(u32::to_string).collect::<Vec<_>>().join("+")),
            Pick::All => f.write_str("all"),
        }
    }
}

impl fmt::Display for Tracks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.iter().map(Pick::to_string).collect::<Vec<_>>().join(", "))
    }
}

impl Serialize for Tracks {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        if let [one] = self.0.as_slice() {
            return s.collect_str(one);
        }
        let mut list = s.serialize_seq(Some(self.0.len()))?;
        for pick in &self.0 {
            list.serialize_element(&pick.to_string())?;
        }
        list.end()
    }
}

impl<'de> Deserialize<'de> for Tracks {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(Wishes)
    }
}

struct Wishes;

/// One element of a list.
struct One(Pick);

impl<'de> Deserialize<'de> for One {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let Tracks(mut picks) = d.deserialize_any(Wishes)?;
        match (picks.pop(), picks.is_empty()) {
            (Some(pick), true) => Ok(One(pick)),
            _ => Err(de::Error::custom(format!("a list was given, expected {EXPECTED}"))),
        }
    }
}

impl<'de> de::Visitor<'de> for Wishes {
    type Value = Tracks;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<Tracks, E> {
        let pick = Pick::read(text).ok_or_else(|| E::custom(format!("'{text}' was given, expected {EXPECTED}")))?;
        Ok(Tracks(vec![pick]))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<Tracks, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<Tracks, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Tracks, E> {
        Err(E::custom("a yes or no was given: write Norwegian as nor, or as 'no' in quotes"))
    }

    fn visit_seq<A: de::SeqAccess<'de>>(self, mut list: A) -> Result<Tracks, A::Error> {
        let mut picks = Vec::new();
        while let Some(One(pick)) = list.next_element()? {
            picks.push(pick);
        }
        match picks.len() {
            1..=8 => Ok(Tracks(picks)),
            other => Err(de::Error::custom(format!("a list of {other} was given, expected 1 to 8 wishes for a track"))),
        }
    }
}

impl JsonSchema for Tracks {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Tracks".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let one = serde_json::json!({
            "type": ["string", "integer"],
            "pattern": r"^([0-9]+(\+[0-9]+)*|[A-Za-z]{2,3}(-[A-Za-z0-9]+)?)$",
        });
        schemars::json_schema!({
            "description": EXPECTED,
            "anyOf": [one, { "type": "array", "items": one, "minItems": 1, "maxItems": 8 }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(channels: u32, language: &str) -> AudioFacts {
        let language = Some(language.to_owned()).filter(|l| !l.is_empty());
        AudioFacts { codec: "aac".to_owned(), channels, rate: 48_000, bits: 0, layout: None, language, loudness: None }
    }

    fn taken(wish: &str, master: &[AudioFacts]) -> Option<Vec<usize>> {
        let tracks: Tracks = serde_json::from_str(wish).unwrap();
        tracks.of(master).map(|(_, indexes)| indexes)
    }

    #[test]
    fn the_first_wish_that_can_be_fulfilled_counts() {
        let file = [track(2, "eng"), track(2, "spa"), track(6, "spa")];
        assert_eq!(taken("3", &file), Some(vec![2]));
        assert_eq!(taken("\"spa\"", &file), Some(vec![1]));
        assert_eq!(taken(r#"["deu", "es", 1]"#, &file), Some(vec![1]));
        assert_eq!(taken(r#"["1+2", 1]"#, &file), Some(vec![0]));
        assert_eq!(taken("4", &file), None);
        assert_eq!(taken("\"all\"", &file), Some(vec![0, 1, 2]));
        assert_eq!(taken("\"all\"", &[]), None);
        let mono = [track(1, ""), track(1, "ger"), track(1, "en")];
        assert_eq!(taken("\"1+3\"", &mono), Some(vec![0, 2]));
        assert_eq!(taken("\"de\"", &mono), Some(vec![1]));
        assert_eq!(taken("\"en-GB\"", &mono), Some(vec![2]));
    }

    #[test]
    fn languages_are_written_as_players_know_them() {
        for (found, written) in
            [("spa", Some("es")), ("GER", Some("de")), ("por_BR", Some("pt-BR")), ("gsw", Some("gsw"))]
        {
            assert_eq!(tag(found).as_deref(), written);
        }
        assert_eq!([tag("und"), tag("\"x"), tag("")], [None, None, None]);
    }

    #[test]
    fn what_is_no_track_is_refused_and_what_is_one_is_written_as_it_was_read() {
        for bad in ["0", "\"\"", "\"first\"", "\"1+1\"", "\"1+\"", "[]", "[[1, 2]]", "true", "65", "\"-1\"", "\"+1\""] {
            assert!(serde_json::from_str::<Tracks>(bad).is_err(), "{bad}");
        }
        for good in ["\"2\"", "\"spa\"", "[\"1+2\",\"en-gb\",\"1\"]", "\"all\""] {
            let tracks: Tracks = serde_json::from_str(good).unwrap();
            assert_eq!(serde_json::to_string(&tracks).unwrap(), good);
        }
        assert!(serde_json::from_str::<Tracks>("1").unwrap().is_first());
    }
}
