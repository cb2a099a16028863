//! What the index knows of an asset: the asset itself, and what was found in it with its times.

use std::ops::Range;

use serde::{Deserialize, Serialize};

use super::VERSION;
use crate::{
    digest::Digest,
    model::{AssetId, Description, FindingKind, MediaKind, Timecode, Vector},
};

/// Everything the index knows of an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// What is given back of it.
    #[serde(flatten)]
    pub card: Card,
    /// What was found in it, each with its time.
    pub moments: Vec<Moment>,
    /// What it means, where that is known.
    #[serde(skip)]
    pub meaning: Option<Meaning>,
}

/// What an asset means.
#[derive(Clone, Debug, PartialEq)]
pub struct Meaning {
    /// By which model and how it was asked.
    pub recipe: Digest,
    /// Of which words.
    pub words: Digest,
    /// Passage by passage.
    pub passages: Vec<Passage>,
}

/// Some moments that follow each other, or an asset as a whole, and which way that points.
#[derive(Clone, Debug, PartialEq)]
pub struct Passage {
    /// The moments, by their places in the document; empty: it is about the asset as a whole.
    pub moments: Range<u32>,
    /// Which way.
    pub vector: Vector,
}

/// An asset as a hit shows it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Card {
    /// The asset.
    pub asset: AssetId,
    /// Its kind.
    pub kind: MediaKind,
    /// What it is called.
    pub title: String,
    /// Its collection.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<String>,
    /// What people say of it; its rights are those that hold, by it and its collection.
    #[serde(default)]
    pub description: Description,
    /// Where it was seen: drive and path.
    #[serde(default)]
    pub paths: Vec<String>,
    /// Descriptive tags of the file itself.
    #[serde(default)]
    pub tags: Vec<String>,
    /// Technical facts.
    #[serde(flatten)]
    pub technical: Technical,
    /// When it came into the archive, in milliseconds since 1970-01-01 UTC.
    #[serde(default)]
    pub created_at: i64,
    /// When it was recorded, as far as that is known: the first of its dates. Milliseconds since 1970-01-01 UTC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub recorded_at: Option<i64>,
    /// All that tells when it was recorded, the surest first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dates: Vec<Dated>,
    /// Names of its active renditions, each with its digest, so that a new one is a new document.
    #[serde(default)]
    pub renditions: Vec<(String, Digest)>,
    /// Whether its masters have left the hot area.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub archived: bool,
}

/// Something that tells when an asset was recorded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Dated {
    /// What tells it.
    pub source: DateSource,
    /// Milliseconds since 1970-01-01 UTC; of a month or a day, its beginning.
    pub at_ms: i64,
    /// The tag, or the file's name.
    pub by: String,
    /// The date as it is written there.
    pub text: String,
}

/// What tells a date, the surest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DateSource {
    /// People.
    Described,
    /// The file: EXIF, or a container's tags.
    File,
    /// Its name.
    Name,
}

/// Technical facts of the main master.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Technical {
    /// Size in bytes.
    #[serde(default)]
    pub bytes: u64,
    /// Duration in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// Size as displayed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<(u32, u32)>,
    /// Of the pictures, else of the sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub codec: Option<String>,
    /// Frames a second, numerator and denominator.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rate: Option<(u32, u32)>,
    /// Channels of the first sound track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// Whether it has high dynamic range.
    #[serde(default)]
    pub hdr: bool,
    /// `bt709`, `rgb`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub color: Option<String>,
    /// The start timecode.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timecode: Option<Timecode>,
}

/// Something that was found, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Moment {
    /// What it is.
    pub kind: FindingKind,
    /// Milliseconds of the recording.
    pub from_ms: u64,
    /// Milliseconds of the recording.
    pub to_ms: u64,
    /// The words, or the name of what is seen.
    pub text: String,
    /// What it is called in its list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub code: Option<String>,
    /// Who speaks.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// Where in the picture: left, top, width and height as shares of its size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub area: Option<[f32; 4]>,
    /// How sure, 0 to 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trust: Option<f32>,
    /// Why it is to be doubted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub doubts: Vec<String>,
}

impl Document {
    /// The digest by which the catalog knows whether the index holds this very document.
    pub fn digest(&self) -> Digest {
        let moments: Vec<String> = self.moments.iter().map(Moment::written).collect();
        self.digest_with(&moments)
    }

    /// The same, of one whose moments are written already.
    pub(super) fn digest_with(&self, moments: &[String]) -> Digest {
        // When it came in never changes, and says nothing of what it is.
        let timeless = Card { created_at: 0, ..self.card.clone() };
        let card = serde_json::to_string(&timeless).unwrap_or_default();
        let version = VERSION.to_string();
        let meaning = self.meaning.as_ref().map(|m| format!("meaning {} {}", m.recipe, m.words));
        let fields = ["document", &version, &card].into_iter().chain(moments.iter().map(String::as_str));
        Digest::of_fields(&fields.chain(meaning.as_deref()).collect::<Vec<_>>())
    }

    /// Calls `each` with every text whose words are found, once.
    pub(super) fn each_text(&self, each: &mut dyn FnMut(&str)) {
        let (card, said) = (&self.card, &self.card.description);
        each(&card.title);
        let lists = [&said.people, &said.places, &said.organizations, &said.tags, &card.tags, &card.paths];
        lists.into_iter().flatten().for_each(|text| each(text));
        let values = [&card.collection, &said.program, &said.category, &said.rights.license, &said.text];
        values.into_iter().flatten().for_each(|text| each(text));
        for moment in &self.moments {
            each(&moment.text);
            moment.code.iter().for_each(|code| each(code));
            moment.speaker.iter().for_each(|speaker| each(speaker));
        }
    }
}

impl Moment {
    /// It as JSON.
    pub(super) fn written(&self) -> String {
        let mut text = Vec::with_capacity(128 + self.text.len());
        // Nothing of it cannot be written: its keys are words, and what is no number is written as null.
        match serde_json::to_writer(&mut text, self) {
            Ok(()) => String::from_utf8(text).unwrap_or_default(),
            Err(_) => String::new(),
        }
    }
}

impl Card {
    /// An asset of which no more is known than what it is called.
    pub fn bare(asset: AssetId, kind: MediaKind, title: impl Into<String>) -> Self {
        Self {
            asset,
            kind,
            title: title.into(),
            collection: None,
            description: Description::default(),
            paths: Vec::new(),
            tags: Vec::new(),
            technical: Technical::default(),
            created_at: 0,
            recorded_at: None,
            dates: Vec::new(),
            renditions: Vec::new(),
            archived: false,
        }
    }

    /// Names of its files, without their folders.
    pub(super) fn names(&self) -> impl Iterator<Item = &str> {
        self.paths.iter().map(|path| path.rsplit('/').next().unwrap_or(path))
    }
}
