//! Profiles: YAML that says *what* is wanted of each kind of master (where things are and how many workers run is
//! [settings](../index.html)' business). [`Profile::parse`] is the border: what comes out of it is sound.

mod brand;
mod bumper;
pub mod channels;
mod enrich;
mod film;
mod mezzanine;
mod narration;
mod picture;
mod rendition;
pub(crate) mod schedule;
mod sound;
mod split;
mod stream;
mod tracks;
mod units;
mod video;
mod waveform;
mod when;

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};

pub use brand::{
    Brand, Caption, Corner, Effects, Grade, Logo, Music, OwnWords, Piece, Place, Style, Subtitles, WordsBy,
};
pub use bumper::{Around, Bumper, Dress, Fit};
#[cfg(all(test, feature = "whisper"))]
pub(crate) use enrich::SPOKEN;
pub use enrich::{
    Channels, Fallback, LearnLooks, LearnMeaning, LearnNames, LearnObjects, LearnSpeech, LearnText, LearnTopics,
    Learning, SpeechTracks, Topic,
};
pub use film::{Film, FilmFormat, FrameRate};
pub use mezzanine::{Interlaced, Mezzanine, MezzanineCodec, MezzanineProfile};
pub use narration::{Narration, Tts, check_language};
pub use picture::{Exact, Scenes, SheetFormat, Sprite, Still};
pub use rendition::Spec;
pub use sound::{AudioCodec, AudioTrack, Codec, Coding, Downmix, Lossless, Lossy, Loudness, Mono, Sound, SoundBed};
pub use stream::{Choice, Encryption, Rung, SOUND, Stream, StreamAudio, StreamSound, TextChoice};
pub(crate) use tracks::tag;
pub use tracks::{Pick, Tracks, is_language};
pub use units::{BitRate, Color, Decibels, Gain, Interval, Lufs, Percent, Position, Span};
pub use video::{EncoderKind, Hdr, Keyframes, Preset, VideoCodec, VideoTrack};
pub use waveform::{PeakChannels, PeakFormat, PictureFormat, Waveform, WaveformPicture};
pub use when::{Between, When};

use crate::{
    digest::Digest,
    error::{Doing, Error, Result},
    model::{MediaFacts, MediaKind},
};

/// The profile that is used when none is named: the classic newsroom matrix.
pub const DEFAULT: &str = include_str!("../../profiles/default.yaml");

/// A rendition matrix: for each kind of master, named entries.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// Entries by kind, in the order of their names.
    pub entries: BTreeMap<MediaKind, Vec<Entry>>,
    /// What is to be learned of them.
    pub learning: Learning,
}

/// One wanted rendition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Entry {
    /// Its name: `a-z 0-9 _ -`, 64 characters at most.
    pub name: String,
    /// What to make.
    pub spec: Spec,
    /// What is put on it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub brand: Option<Brand>,
    /// Of which masters. Left out: of all. It decides whether the entry is wanted, not what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<When>,
    /// A master that is longer is made in segments, by as many workers as there are, and joined. It decides how the film is
    /// made, not what it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub split_over: Option<Span>,
}

impl Entry {
    /// Whether it is wanted of this master.
    pub fn is_wanted_of(&self, master: &MediaFacts) -> bool {
        self.when.as_ref().is_none_or(|when| when.holds(master))
    }

    /// Whether it is made with what is said in its master: what it is like changes with that, and without it there is none.
    pub fn needs_words(&self) -> bool {
        let burned = self.brand.as_ref().and_then(|b| b.subtitles.as_ref()).is_some_and(|s| s.transcript.is_some());
        burned || matches!(&self.spec, Spec::Stream(s) if s.subtitles.iter().any(|t| t.transcript.is_some()))
    }

    /// The files beside its master that it is made with.
    pub(crate) fn pieces(&self) -> Vec<&Piece> {
        let mut all = self.brand.as_ref().map_or_else(Vec::new, Brand::pieces);
        if let Spec::Stream(stream) = &self.spec {
            all.extend(stream.subtitles.iter().filter_map(|text| text.words.as_ref()));
        }
        all
    }

    /// Refuses what cannot work on masters of a kind, saying what was expected: for entries that no profile has.
    pub fn check(&self, kind: MediaKind) -> std::result::Result<(), String> {
        self.spec.check(kind)?;
        let Some(brand) = &self.brand else { return Ok(()) };
        self.spec.takes_brand()?;
        self.spec.takes(brand)?;
        brand.check()
    }

    /// Digest of exactly what changes this entry's output: the settings with all defaults filled in, and the version
    /// of the renderer that makes it. The entry's name, comments and the order of keys do not count.
    pub fn recipe(&self) -> Digest {
        let mut spec = self.spec.clone();
        spec.leave_out_usual();
        let settings = serde_json::to_string(&spec).unwrap_or_default();
        let brand = self.brand.as_ref().map(|brand| ["brand/1".to_owned(), brand.recipe()]);
        let mut fields = vec!["rendition", self.spec.renderer_version(), &settings];
        fields.extend(brand.iter().flatten().map(String::as_str));
        Digest::of_fields(&fields)
    }

    /// Whether it shows and sounds as its master does, small enough to be quick and large enough to be read.
    pub fn is_proxy(&self) -> bool {
        let Some((film, FilmFormat::Mp4 | FilmFormat::FragmentedMp4 | FilmFormat::QuickTime)) = self.spec.film() else {
            return false;
        };
        let is_first = film.audio.as_ref().is_some_and(|a| a.track.is_first());
        let is_readable = film.max_height.is_none_or(|lines| lines >= 480);
        self.brand.is_none() && is_first && is_readable && film.frame_rate.is_none()
    }

    /// What its sound is made of, without clips around it; none: it has no sound, or asks for none.
    pub fn sound(&self) -> Option<Sound> {
        self.spec.sound().map(|sound| self.dressed(sound))
    }

    /// The sounds that it is made of, of a master of these facts: a master without any has none to take.
    pub fn sounds_of(&self, master: &MediaFacts) -> Vec<Sound> {
        match &self.spec {
            _ if master.audio.is_empty() => Vec::new(),
            Spec::Stream(stream) => {
                stream.sounds_of(&master.audio).into_iter().map(|s| self.between(s.sound, master)).collect()
            }
            _ => self.spec.sound().into_iter().map(|sound| self.between(sound, master)).collect(),
        }
    }

    /// A sound with what the brand lays below and above it, and puts around it.
    pub fn between(&self, sound: Sound, master: &MediaFacts) -> Sound {
        Sound { around: self.around(master), ..self.dressed(sound) }
    }

    /// The clips that its brand puts around it.
    pub fn around(&self, master: &MediaFacts) -> Option<Around> {
        let brand = self.brand.as_ref().filter(|b| b.clips().next().is_some())?;
        Some(Around {
            intro: brand.intro.as_ref().map(|clip| clip.file.clone()),
            outro: brand.outro.as_ref().map(|clip| clip.file.clone()),
            rate: self.counted(master),
        })
    }

    /// The frames a second in which clips around a film are counted: the film's, as far as it has such.
    fn counted(&self, master: &MediaFacts) -> (u32, u32) {
        let rate = master.video.as_ref().map_or((0, 1), |v| v.rate);
        let is_variable = master.video.as_ref().is_none_or(|v| v.variable_rate);
        let rule = self.spec.film().and_then(|(film, _)| film.frame_rate);
        match (rule, rule.and_then(|rule| rule.of(rate))) {
            (Some(FrameRate::Even(..)), Some(even)) => even,
            (Some(FrameRate::Most(..)), Some(even)) if !is_variable => even,
            (Some(FrameRate::Most(n, d)), _) if is_variable => (n, d),
            _ if rate.0 > 0 && rate.1 > 0 => rate,
            _ => (25, 1),
        }
    }

    fn dressed(&self, mut sound: Sound) -> Sound {
        if let Some(brand) = self.brand.as_ref().filter(|b| b.has_sound()) {
            sound.bed = Some(SoundBed { music: brand.music.clone(), narration: brand.narration.clone() });
        }
        sound
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
    /// What is to be learned of masters.
    #[serde(default)]
    enrich: Option<Placed<Learning>>,
}

type Section = BTreeMap<String, Placed<Written>>;

/// An entry as written: its format, and beside it, when it is wanted, what is put on it and from when on it is split.
struct Written {
    spec: Spec,
    when: Option<When>,
    brand: Option<PathBuf>,
    split_over: Option<Span>,
}

impl<'de> Deserialize<'de> for Written {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(WrittenVisitor)
    }
}

struct WrittenVisitor;

impl<'de> de::Visitor<'de> for WrittenVisitor {
    type Value = Written;

    fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("a format with its settings")
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<Written, A::Error> {
        let (mut spec, mut when, mut brand, mut split_over) = (None, None, None, None);
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "when" => when = Some(map.next_value()?),
                "brand" => brand = Some(map.next_value()?),
                "split_over" => split_over = Some(map.next_value()?),
                _ if spec.is_some() => {
                    return Err(de::Error::custom(format!(
                        "'{key}' stands beside another format: expected one format"
                    )));
                }
                _ => spec = Some(Spec::deserialize(OneOf { key, map: &mut map })?),
            }
        }
        let spec = spec.ok_or_else(|| de::Error::custom(NO_FORMAT))?;
        Ok(Written { spec, when, brand, split_over })
    }
}

const NO_FORMAT: &str = "expected a format, such as mp4, stream, m4a, wav, jpeg or waveform";

/// One key of a map, and the value that is next in it, as a variant and its content.
struct OneOf<'a, A> {
    key: String,
    map: &'a mut A,
}

impl<'de, A: de::MapAccess<'de>> serde::Deserializer<'de> for OneOf<'_, A> {
    type Error = A::Error;

    fn deserialize_any<V: de::Visitor<'de>>(self, visitor: V) -> Result<V::Value, A::Error> {
        visitor.visit_enum(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 u8 u16 u32 u64 f32 f64 char str string bytes byte_buf option unit unit_struct
        newtype_struct seq tuple tuple_struct map struct enum identifier ignored_any
    }
}

impl<'de, A: de::MapAccess<'de>> de::EnumAccess<'de> for OneOf<'_, A> {
    type Error = A::Error;
    type Variant = Self;

    fn variant_seed<V: de::DeserializeSeed<'de>>(self, seed: V) -> Result<(V::Value, Self), A::Error> {
        let name = de::value::StrDeserializer::<A::Error>::new(&self.key);
        Ok((seed.deserialize(name)?, self))
    }
}

impl<'de, A: de::MapAccess<'de>> de::VariantAccess<'de> for OneOf<'_, A> {
    type Error = A::Error;

    fn unit_variant(self) -> Result<(), A::Error> {
        self.map.next_value()
    }

    fn newtype_variant_seed<T: de::DeserializeSeed<'de>>(self, seed: T) -> Result<T::Value, A::Error> {
        self.map.next_value_seed(seed)
    }

    fn tuple_variant<V: de::Visitor<'de>>(self, _: usize, _: V) -> Result<V::Value, A::Error> {
        Err(de::Error::custom("a format has settings, not a list"))
    }

    fn struct_variant<V: de::Visitor<'de>>(self, _: &'static [&'static str], _: V) -> Result<V::Value, A::Error> {
        Err(de::Error::custom("a format has settings by name"))
    }
}

impl JsonSchema for Written {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "WrittenEntry".into()
    }

    fn json_schema(generator: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let mut schema = Spec::json_schema(generator);
        let (when, span) = (generator.subschema_for::<When>(), generator.subschema_for::<Span>());
        let each = schema.get_mut("oneOf").and_then(|s| s.as_array_mut());
        for variant in each.into_iter().flatten() {
            if let Some(properties) = variant.get_mut("properties").and_then(|p| p.as_object_mut()) {
                properties.insert("when".to_owned(), when.clone().to_value());
                properties.insert("split_over".to_owned(), span.clone().to_value());
                properties.insert(
                    "brand".to_owned(),
                    serde_json::json!({
                        "type": "string",
                        "description": "What is put on a film: the brand's file, from the profile's folder.",
                    }),
                );
            }
        }
        schema
    }
}

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
        let folder = Path::new(origin).parent().unwrap_or(Path::new(""));
        let mut entries = BTreeMap::new();
        let sections = [
            (MediaKind::Video, document.video),
            (MediaKind::Audio, document.audio),
            (MediaKind::Image, document.image),
            (MediaKind::Animation, document.animation),
        ];
        for (kind, section) in sections {
            let mut list = Vec::new();
            for (name, Placed(written)) in section {
                let at = |why: String| {
                    let l = written.referenced;
                    Error::invalid(format!("{origin}:{}:{}: {kind} entry '{name}': {why}", l.line(), l.column()))
                        .hint(HINT)
                };
                let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-';
                if name.is_empty() || name.len() > 64 || !name.bytes().all(sound) {
                    return Err(at("a name is 1 to 64 of a-z, 0-9, '_' and '-'".to_owned()));
                }
                if name.starts_with("subtitles") {
                    return Err(at(
                        "names that begin with 'subtitles' are those of what 'damctl enrich' writes".to_owned()
                    ));
                }
                let Written { spec, when, brand, split_over } = written.value;
                spec.check(kind).map_err(at)?;
                when.as_ref().map_or(Ok(()), When::check).map_err(at)?;
                let brand = brand.map(|brand| {
                    spec.takes_brand().map_err(&at)?;
                    let brand = Brand::load(&folder.join(brand)).map_err(|e| at(e.one_line()).hint(BRAND_HINT))?;
                    spec.takes(&brand).map_err(&at).map(|()| brand)
                });
                let brand = brand.transpose()?;
                split_over.map_or(Ok(()), |over| split::check(over, &spec, brand.as_ref())).map_err(at)?;
                list.push(Entry { name, spec, when, brand, split_over });
            }
            entries.insert(kind, list);
        }
        let learning = match document.enrich {
            None => Learning::default(),
            Some(Placed(written)) => {
                let l = written.referenced;
                let at = |why: String| {
                    Error::invalid(format!("{origin}:{}:{}: enrich: {why}", l.line(), l.column())).hint(HINT)
                };
                written.value.check().map_err(at)?;
                written.value
            }
        };
        // Taken for a wish, an empty file would take back all that waits.
        if entries.values().all(Vec::is_empty) && learning == Learning::default() {
            return Err(Error::invalid(format!(
                "{origin}:1:1: it asks for nothing: expected entries under video, audio, image or animation, or what is to be learned under enrich"
            ))
            .hint(HINT));
        }
        Ok(Self { entries, learning })
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
        "expected string key for externally tagged enum" => NO_FORMAT,
        "expected mapping start" => "expected settings, as in 'key: value'",
        other => other,
    };
    plain.to_owned()
}

const BRAND_HINT: &str = "profiles/brands/example.yaml is a brand; docs/profile.md has every key";
const HINT: &str = "profiles/default.yaml shows every setting; 'damctl profile check FILE' checks a file";
