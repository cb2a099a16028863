//! What people write: a job, which gives a template its parameters and inputs, and the template, which says what is seen and
//! heard.

use std::{collections::BTreeMap, path::PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use serde_json::Value;

use super::fill::Field;
use crate::profile::{
    AudioTrack, Caption, Color, Fit, FrameRate, Gain, Interval, Logo, Music, Position, Style, Tts, VideoTrack,
};

/// A clip that is wanted: a template, and what it is filled with. YAML or JSON.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "damctl render job")]
pub struct Job {
    /// The template's file, from the job's folder. This or `inline`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<PathBuf>,
    /// The template itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub inline: Option<Template>,
    /// What its placeholders are filled with, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Value>,
    /// What its scenes show, by name: a file, from the job's folder, or `asset:ID` of the archive.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub inputs: BTreeMap<String, String>,
    /// Words on the picture beside those of the template, counted from the clip's start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<Field<Caption>>,
    /// The folder for what is made, from the job's folder. Left out: the job's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub out: Option<PathBuf>,
    /// What its files are called. Left out: as the job's file.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// What a clip is like: its scenes, one after another, and what is put on them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "damctl render template")]
pub struct Template {
    /// What kind of clip.
    #[serde(rename = "type")]
    pub kind: Kind,
    /// What it is for, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
    /// What may stand in placeholders.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub parameters: BTreeMap<String, Parameter>,
    /// Width and height in pixels, both even: `1080x1920`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub size: Option<Field<Size>>,
    /// Frames a second. Left out: 25.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<Field<FrameRate>>,
    /// How pictures of another shape are brought to its size. Left out: `contain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Field<Fit>>,
    /// What is beside and behind them. Left out: black.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Field<Color>>,
    /// A brand's file, from the template's folder.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<Field<PathBuf>>,
    /// A picture in a corner, in place of the brand's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Field<Logo>>,
    /// Music below all of it, in place of the brand's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub music: Option<Field<Music>>,
    /// What speaks the words of scenes that have `say`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tts: Option<Field<Tts>>,
    /// Their language (BCP 47). Left out: `en`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<Field<String>>,
    /// How much what scenes sound like is turned down while somebody speaks. Left out: `-10 dB`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duck: Option<Field<Gain>>,
    /// What becomes of the spoken words as text. Left out: `beside`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub captions: Option<Field<Captions>>,
    /// How burned-in words look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub caption_style: Option<Field<Style>>,
    /// How pictures are encoded, as of a profile's `mp4`. Left out: H.264, of a bit rate by the size.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<Field<VideoTrack>>,
    /// How sound is encoded. Left out: AAC of 192k at -16 LUFS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Field<AudioTrack>>,
    /// Where the thumbnail is taken: `2s`, `10%` or `best`. Left out: `1s`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thumbnail: Option<Field<Position>>,
    /// In their order.
    pub scenes: Vec<Scene>,
}

/// Kinds of clips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Parts of films: at least one scene shows a film.
    Clip,
    /// Still pictures: no scene shows a film.
    Slideshow,
    /// Words: every scene has some, on a picture or on the background.
    Quote,
}

/// What may stand in a placeholder.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Parameter {
    /// What it is when the job does not give it. Left out: the job has to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default: Option<Value>,
    /// What it is, in words.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<String>,
}

/// One scene: a part of a film, a picture, or neither, which is the background alone.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scene {
    /// A film: the name of an input, or a file of the template's (`./NAME`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<Field<String>>,
    /// A still picture, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<Field<String>>,
    /// Where the film begins: `12.5s`, `10%`. Left out: at its start.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Field<Position>>,
    /// Where it ends. Left out: at its end, or after `duration`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub to: Option<Field<Position>>,
    /// How long the scene is. Left out: of a film, as `from` and `to` say; else 4 s, or as long as its words are spoken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration: Option<Field<Interval>>,
    /// How it is brought to the clip's size. Left out: as the template says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Field<Fit>>,
    /// What is beside and behind it. Left out: as the template says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Field<Color>>,
    /// The film's own sound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sound: Option<Field<Sound>>,
    /// A picture in a corner, in this scene alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub logo: Option<Field<Logo>>,
    /// Words on the picture, counted from the scene's start.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub texts: Vec<Field<Caption>>,
    /// Words that are spoken, from the scene's start on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub say: Option<Field<String>>,
}

/// What becomes of spoken words as text.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Captions {
    /// Nothing.
    None,
    /// Files beside the clip: WebVTT and SubRip.
    #[default]
    Beside,
    /// These, and part of the picture as well.
    Burned,
}

/// A film's own sound: `mute`, or how much it is turned up or down.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sound(pub Option<Gain>);

impl Default for Sound {
    fn default() -> Self {
        Self(Some(Gain(0)))
    }
}

impl Serialize for Sound {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self.0 {
            None => s.serialize_str("mute"),
            Some(gain) => gain.serialize(s),
        }
    }
}

impl<'de> Deserialize<'de> for Sound {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let written = String::deserialize(d)?;
        if written == "mute" {
            return Ok(Self(None));
        }
        let gain = Gain::deserialize(de::value::StrDeserializer::<de::value::Error>::new(&written));
        gain.map(|gain| Self(Some(gain))).map_err(|e| de::Error::custom(format!("{e}, or 'mute'")))
    }
}

impl JsonSchema for Sound {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "SceneSound".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let gain = generator.subschema_for::<Gain>();
        schemars::json_schema!({ "anyOf": [{ "const": "mute" }, gain] })
    }
}

/// Width and height of a picture, both even.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u32, pub u32);

impl Serialize for Size {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{}x{}", self.0, self.1))
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let written = String::deserialize(d)?;
        let sides = written.split_once('x').and_then(|(w, h)| Some((w.trim().parse().ok()?, h.trim().parse().ok()?)));
        let is_sound = |side: u32| (64..=4096).contains(&side) && side.is_multiple_of(2);
        match sides {
            Some((width, height)) if is_sound(width) && is_sound(height) => Ok(Self(width, height)),
            _ => Err(de::Error::custom(format!(
                "'{written}' was given, expected a width and a height such as 1080x1920 (even, 64 to 4096)"
            ))),
        }
    }
}

impl JsonSchema for Size {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({ "type": "string", "pattern": "^[0-9]+x[0-9]+$" })
    }
}
