//! What was learned of a master: what is said in it, what can be read and seen, each with its time and its trust.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// What a finding is about.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FindingKind {
    /// What somebody says.
    Speech,
    /// What somebody says, in English.
    Translation,
    /// What can be read in the picture.
    Text,
    /// What is to be seen.
    Object,
    /// A person who is spoken of or named in the picture.
    Person,
    /// A place.
    Place,
    /// An organization.
    Organization,
    /// What it is about: a word or a short phrase.
    Keyword,
    /// What it is about: a subject of a list.
    Topic,
}

impl FindingKind {
    /// All of them.
    pub const ALL: [FindingKind; 9] = [
        FindingKind::Speech,
        FindingKind::Translation,
        FindingKind::Text,
        FindingKind::Object,
        FindingKind::Person,
        FindingKind::Place,
        FindingKind::Organization,
        FindingKind::Keyword,
        FindingKind::Topic,
    ];

    /// The word stored in the catalog and used in queries.
    pub fn as_str(self) -> &'static str {
        match self {
            FindingKind::Speech => "speech",
            FindingKind::Translation => "translation",
            FindingKind::Text => "text",
            FindingKind::Object => "object",
            FindingKind::Person => "person",
            FindingKind::Place => "place",
            FindingKind::Organization => "organization",
            FindingKind::Keyword => "keyword",
            FindingKind::Topic => "topic",
        }
    }
}

impl std::str::FromStr for FindingKind {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> crate::error::Result<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            crate::error::Error::invalid(format!("'{text}' is not a kind of finding: expected one of {known}"))
        })
    }
}

/// A word of what was said.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Word {
    /// Where it begins, in milliseconds of the master.
    pub from_ms: u64,
    /// Where it ends, in milliseconds.
    pub to_ms: u64,
    /// The word, with the marks beside it.
    pub text: String,
    /// How sure it is, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<f32>,
}

/// What a recognizer of speech says of itself, by Whisper's measures.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Signs {
    /// Mean of the natural logarithms of its tokens' probabilities: 0 where it was certain; below -1 it was guessed.
    pub avg_logprob: f32,
    /// How probable it is that nobody speaks, 0 to 1.
    pub no_speech_prob: f32,
    /// How many times smaller its text can be written (zlib); above 2.4 it says the same again and again.
    pub compression_ratio: f32,
    /// The share of its time in which a voice was found, 0 to 1.
    pub voiced: f32,
}

/// One thing that was found.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Finding {
    /// Where it begins, in milliseconds of the master; 0 in a picture.
    #[serde(default)]
    pub from_ms: u64,
    /// Where it ends, in milliseconds.
    #[serde(default)]
    pub to_ms: u64,
    /// The words, or the name of what is seen.
    pub text: String,
    /// What it is called in its list, whatever the language: `medtop:04000000`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// The model that found it, where it is another than the set's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// The language of the words (BCP 47), where it differs from the set's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// Where it is in the picture: left, top, width and height as shares of its size, upright.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<[f32; 4]>,
    /// How sure it is, 0 to 1; none where nothing was said of it, as by a person.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<f32>,
    /// Why it is to be doubted: `repeated`, `invented`, …
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
    /// What the recognizer says of itself, of speech that a model heard.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signs: Option<Signs>,
    /// Its words, where their times are known.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub words: Vec<Word>,
}

/// Who found something.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Source {
    /// The model's or the file's name.
    pub name: String,
    /// Its version or digest, where it has one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether a person wrote or corrected it: no model takes its place.
    #[serde(default)]
    pub by_hand: bool,
    /// How it was set up.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parameters: Option<serde_json::Value>,
    /// How long it took, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<u64>,
    /// With what else it was heard, where something was to be doubted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub again: Option<Again>,
}

/// What was heard first, and the recipes by which what was to be doubted of it was heard again.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Again {
    /// The recipe of the first.
    #[schemars(with = "String")]
    pub of: Digest,
    /// The others, in their order.
    #[schemars(with = "Vec<String>")]
    pub by: Vec<Digest>,
}

impl Source {
    /// A person, by the name of the file that was brought.
    pub fn person(name: impl Into<String>) -> Self {
        Self { name: name.into(), version: None, by_hand: true, parameters: None, took_ms: None, again: None }
    }
}

/// Everything of one kind that was found in one track of a master.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Findings {
    /// The master.
    pub master: Digest,
    /// What they are about.
    pub kind: FindingKind,
    /// The sound track, counted from 1; 0 where that has no meaning.
    #[serde(default)]
    pub track: u32,
    /// What they were made by and how, as a digest.
    pub recipe: Digest,
    /// The language of their words (BCP 47).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Who found them.
    pub source: Source,
    /// By time.
    pub items: Vec<Finding>,
}
