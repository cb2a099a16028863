//! Profiles: YAML that says *what* is wanted of each kind of master (where things are and how many workers run is
//! [settings](../index.html)' business). [`Profile::parse`] is the border: what comes out of it is sound.

mod picture;
mod rendition;
mod sound;
mod stream;
mod tracks;
mod units;
mod waveform;

use std::{collections::BTreeMap, path::Path};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use picture::{Exact, Scenes, SheetFormat, Sprite, Still};
pub use rendition::{Mp4, Preset, Spec, VideoCodec, VideoTrack};
pub use sound::{AudioCodec, AudioTrack, Codec, Coding, Downmix, Lossless, Lossy, Loudness, Mono, Sound};
pub use stream::{Rung, SOUND, Stream};
pub use tracks::{Pick, Tracks};
pub use units::{BitRate, Color, Decibels, Interval, Lufs, Position};
pub use waveform::{PeakChannels, PeakFormat, PictureFormat, Waveform, WaveformPicture};

use crate::{
    digest::Digest,
    error::{Doing, Error, Result},
    model::MediaKind,
};

/// The profile that is used when none is named: the classic newsroom matrix.
pub const DEFAULT: &str = include_str!("../../profiles/default.yaml");

/// A rendition matrix: for each kind of master, named entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Entries by kind, in the order of their names.
    pub entries: BTreeMap<MediaKind, Vec<Entry>>,
}

/// One wanted rendition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name: `a-z 0-9 _ -`, 64 characters at most.
    pub name: String,
    /// What to make.
    pub spec: Spec,
}

impl Entry {
    /// Digest of exactly what changes this entry's output: the settings with all defaults filled in, and the version
    /// of the renderer that makes it. The entry's name, comments and the order of keys do not count.
    pub fn recipe(&self) -> Digest {
        let mut spec = self.spec.clone();
        spec.leave_out_usual();
        let settings = serde_json::to_string(&spec).unwrap_or_default();
        Digest::of_fields(&["rendition", self.spec.renderer_version(), &settings])
    }
}

/// The file as written.
#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "damctl profile")]
pub(crate) struct Document {
    /// For masters with moving pictures.
    #[serde(default)]
    video: Section,
    /// For masters with sound alone.
    #[serde(default)]
    audio: Section,
    /// For still pictures.
    #[serde(default)]
    image: Section,
    /// For GIF and WebP masters of several frames.
    #[serde(default)]
    animation: Section,
}

type Section = BTreeMap<String, Placed<Spec>>;

/// A value and where in the file it stands.
struct Placed<T>(serde_saphyr::Spanned<T>);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Placed<T> {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        serde_saphyr::Spanned::deserialize(d).map(Self)
    }
}

impl<T: JsonSchema> JsonSchema for Placed<T> {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        T::schema_name()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        T::json_schema(generator)
    }
}

impl Profile {
    /// Reads a profile; `origin` is the file's name for messages. Errors name file, line and column.
    pub fn parse(yaml: &str, origin: &str) -> Result<Self> {
        let document: Document = serde_saphyr::from_str(yaml).map_err(|e| {
            let place = e.location().map(|l| format!(":{}:{}", l.line(), l.column())).unwrap_or_default();
            let message = e.without_snippet().to_string();
            let message = message.split(" at line ").next().unwrap_or_default().trim();
            Error::invalid(format!("{origin}{place}: {}", in_plain_words(message))).hint(HINT)
        })?;
        let mut entries = BTreeMap::new();
        let sections = [
            (MediaKind::Video, document.video),
            (MediaKind::Audio, document.audio),
            (MediaKind::Image, document.image),
            (MediaKind::Animation, document.animation),
        ];
        for (kind, section) in sections {
            let mut list = Vec::new();
            for (name, Placed(spec)) in section {
                let at = |why: String| {
                    let l = spec.referenced;
                    Error::invalid(format!("{origin}:{}:{}: {kind} entry '{name}': {why}", l.line(), l.column()))
                        .hint(HINT)
                };
                let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
                if name.is_empty() || name.len() > 64 || !name.bytes().all(sound) {
                    return Err(at("a name is 1 to 64 of a-z, 0-9, '_' and '-'".to_owned()));
                }
                spec.value.check(kind).map_err(at)?;
                list.push(Entry { name, spec: spec.value });
            }
            entries.insert(kind, list);
        }
        // Taken for a wish, an empty file would take back all that waits.
        if entries.values().all(Vec::is_empty) {
            return Err(Error::invalid(format!(
                "{origin}:1:1: it asks for nothing: expected entries under video, audio, image or animation"
            ))
            .hint(HINT));
        }
        Ok(Self { entries })
    }

    /// Reads a profile file.
    pub fn load(path: &Path) -> Result<Self> {
        let yaml = std::fs::read_to_string(path).doing(|| format!("cannot read the profile {}", path.display()))?;
        Self::parse(&yaml, &path.display().to_string())
    }

    /// What is wanted of a master of this kind.
    pub fn wanted(&self, kind: MediaKind) -> &[Entry] {
        self.entries.get(&kind).map_or(&[], Vec::as_slice)
    }

    /// The JSON schema of the file, for editors.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Document).to_value()
    }
}

/// The parser's words where they speak of Rust or of its own options.
fn in_plain_words(message: &str) -> String {
    if let Some(rest) = message.strip_prefix("duplicate mapping key: ") {
        return format!("'{}' is given twice", rest.split(',').next().unwrap_or_default());
    }
    let plain = match message {
        "invalid u32" | "invalid u8" => "expected a whole number, 0 or more",
        "expected string key for externally tagged enum" => {
            "expected a format, such as mp4, stream, m4a, wav, jpeg or waveform"
        }
        "expected mapping start" => "expected settings, as in 'key: value'",
        other => other,
    };
    plain.to_owned()
}

const HINT: &str = "profiles/default.yaml shows every setting; 'damctl profile check FILE' checks a file";
