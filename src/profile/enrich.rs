//! What is to be learned of masters: the section `enrich` of a profile.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;

/// What is looked for. What is left out is not.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Learning {
    /// What is said.
    pub speech: Option<LearnSpeech>,
    /// What can be read in pictures.
    pub text: Option<LearnText>,
    /// What is to be seen.
    pub objects: Option<LearnObjects>,
    /// Who and what is named in what is said, shown and written of it.
    pub names: Option<LearnNames>,
    /// What it is about, by a list of topics.
    pub topics: Option<LearnTopics>,
    /// What it looks like: near duplicates, colors, scenes.
    pub looks: Option<LearnLooks>,
    /// What is said, shown and written of it means, so that it is found by other words and in other languages.
    pub meaning: Option<LearnMeaning>,
}

/// Speech to text.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnSpeech {
    /// The name of a Whisper model.
    pub model: String,
    /// The name of a smaller one, which is taken instead where there is no graphics processor. Whoever plans decides, and
    /// what is planned names the model.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub without_gpu: Option<String>,
    /// The name of the model that tells where somebody speaks.
    pub voice: String,
    /// The languages that may be spoken (ISO 639-1); empty: any. Told for each stretch of speech; what is in another is doubted.
    pub languages: Vec<String>,
    /// Which sound tracks.
    pub tracks: SpeechTracks,
    /// Whether each channel of a track is listened to by itself, as where everybody has a microphone.
    pub channels: Channels,
    /// Whether the times of words are kept.
    pub words: bool,
    /// Whether what is said in other languages is written down in English as well, by the same model.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    pub translate: bool,
}

/// The languages that Whisper knows, by its own codes: ISO 639-1 where that has one, but for `jw`, Javanese.
pub(crate) const SPOKEN: &str = "af am ar as az ba be bg bn bo br bs ca cs cy da de el en es et eu fa fi fo fr gl gu ha haw he \
                                 hi hr ht hu hy id is it ja jw ka kk km kn ko la lb ln lo lt lv mg mi mk ml mn mr ms mt my ne \
                                 nl nn no oc pa pl ps pt ro ru sa sd si sk sl sn so sq sr su sv sw ta te tg th tk tl tr tt uk \
                                 ur uz vi yi yo yue zh";

/// Which sound tracks are listened to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum SpeechTracks {
    /// The first.
    #[default]
    First,
    /// Each by itself.
    All,
}

/// What becomes of a track's channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Channels {
    /// They are mixed.
    #[default]
    Mixed,
    /// Each is listened to by itself, and named as who speaks.
    Apart,
}

impl Default for LearnSpeech {
    fn default() -> Self {
        Self {
            model: "whisper-base".to_owned(),
            without_gpu: None,
            voice: "silero-vad".to_owned(),
            languages: vec!["es".to_owned(), "en".to_owned()],
            tracks: SpeechTracks::First,
            channels: Channels::Mixed,
            words: true,
            translate: false,
        }
    }
}

impl LearnSpeech {
    /// What is wanted on a machine with a graphics processor, or on one without.
    pub fn on(&self, has_gpu: bool) -> Self {
        let smaller = self.without_gpu.as_ref().filter(|_| !has_gpu);
        Self { model: smaller.unwrap_or(&self.model).clone(), without_gpu: None, ..self.clone() }
    }
}

/// Text in pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnText {
    /// The name of a PP-OCR model; `tesseract`: the program of that name, which needs no model and reads print alone.
    pub model: String,
    /// What reads where that model, or what it runs in, is not here.
    pub fallback: Fallback,
    /// For Tesseract, its languages, as `spa+eng`.
    pub languages: String,
    /// Of films, a picture is read so often, and after each cut.
    pub every: Span,
}

/// What takes the place of a model that is not here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Fallback {
    /// Tesseract, which needs no model and reads print alone, where it is installed with the languages.
    #[default]
    Tesseract,
    /// Nothing: that the model is missing is an error.
    None,
}

impl Default for LearnText {
    fn default() -> Self {
        Self {
            model: "pp-ocr-v6-small".to_owned(),
            fallback: Fallback::Tesseract,
            languages: "spa+eng".to_owned(),
            every: Span(2000),
        }
    }
}

/// Objects in pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnObjects {
    /// The name of a model: CenterNet or YOLO, as ONNX.
    pub model: String,
    /// How sure it has to be, 0 to 1.
    pub threshold: f64,
    /// The language of labels: `es` or `en`.
    pub labels: String,
    /// Of films, a picture is looked at so often, and after each cut.
    pub every: Span,
}

impl Default for LearnObjects {
    fn default() -> Self {
        Self { model: "centernet-coco".to_owned(), threshold: 0.35, labels: "es".to_owned(), every: Span(2000) }
    }
}

/// Names.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnNames {
    /// The names of models, one a language.
    pub models: Vec<String>,
    /// How many keywords are kept of an asset.
    pub keywords: u32,
}

impl Default for LearnNames {
    fn default() -> Self {
        Self { models: vec!["es-core-news-sm".to_owned(), "en-core-web-sm".to_owned()], keywords: 12 }
    }
}

/// Topics: what it is about, told by the words of a list.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnTopics {
    /// The language of topics' names: `es` or `en`.
    pub labels: String,
    /// How many are kept of an asset, 1 to 10.
    pub most: u32,
    /// Whether those that come with damctl are looked for: the 17 subjects on top of IPTC's Media Topics.
    pub media_topics: bool,
    /// More of them by their codes; one of the same code takes the place of that which comes with damctl.
    pub own: BTreeMap<String, Topic>,
}

/// A topic, and the words that speak for it.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Topic {
    /// What it is called, by language: `es`, `en`.
    pub name: BTreeMap<String, String>,
    /// Words and expressions, by language. One form of a word stands for all; with none, the topic is never told.
    #[serde(default)]
    pub words: BTreeMap<String, Vec<String>>,
}

/// Languages that topics are told in.
const TOLD_IN: [&str; 2] = ["es", "en"];

impl Default for LearnTopics {
    fn default() -> Self {
        Self { labels: "es".to_owned(), most: 3, media_topics: true, own: BTreeMap::new() }
    }
}

impl LearnTopics {
    fn check(&self) -> Result<(), String> {
        if !TOLD_IN.contains(&self.labels.as_str()) {
            return Err(format!("topics: labels: '{}': expected es or en", self.labels));
        }
        if !(1..=10).contains(&self.most) {
            return Err("topics: most: expected 1 to 10".to_owned());
        }
        if !self.media_topics && self.own.is_empty() {
            return Err("topics: own: expected topics where those that come with damctl are not wanted".to_owned());
        }
        for (code, topic) in &self.own {
            let is_odd = |c: char| c.is_whitespace() || c.is_control() || c == '"';
            if code.is_empty() || code.len() > 64 || code.contains(is_odd) {
                return Err(format!("topics: own: '{code}' is no code: expected 1 to 64 bytes without spaces"));
            }
            let of = topic.name.keys().chain(topic.words.keys());
            if let Some(odd) = of.into_iter().find(|tag| !TOLD_IN.contains(&tag.as_str())) {
                return Err(format!("topics: own: {code}: '{odd}': expected es or en"));
            }
            if topic.name.is_empty() || topic.name.values().any(|name| name.trim().is_empty()) {
                return Err(format!("topics: own: {code}: name: expected what it is called, as {{ es: economía }}"));
            }
        }
        Ok(())
    }
}

/// What texts mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnMeaning {
    /// The name of a model of E5's family, as ONNX.
    pub model: String,
}

impl Default for LearnMeaning {
    fn default() -> Self {
        Self { model: "multilingual-e5-small".to_owned() }
    }
}

/// Looks.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct LearnLooks {}

impl Learning {
    /// Refuses what cannot be, saying what was expected.
    pub(super) fn check(&self) -> Result<(), String> {
        if let Some(speech) = &self.speech {
            let is_heard = |language: &&String| SPOKEN.split(' ').any(|known| known == language.as_str());
            if let Some(other) = speech.languages.iter().find(|l| !is_heard(l)) {
                let known = SPOKEN.replace(' ', ", ");
                return Err(format!("speech: languages: Whisper knows no '{other}': expected of {known}"));
            }
        }
        let seconds = [self.text.as_ref().map(|t| t.every), self.objects.as_ref().map(|o| o.every)];
        if seconds.into_iter().flatten().any(|every| !(100..=600_000).contains(&every.0)) {
            return Err("every: expected 100ms to 10min".to_owned());
        }
        if let Some(objects) = &self.objects {
            if !(0.05..=0.95).contains(&objects.threshold) {
                return Err("objects: threshold: expected 0.05 to 0.95".to_owned());
            }
            if !matches!(objects.labels.as_str(), "es" | "en") {
                return Err(format!("objects: labels: '{}': expected es or en", objects.labels));
            }
        }
        if let Some(names) = &self.names {
            if names.models.is_empty() {
                return Err("names: models: expected at least one".to_owned());
            }
            if names.keywords > 100 {
                return Err("names: keywords: expected 100 at most".to_owned());
            }
        }
        self.topics.as_ref().map_or(Ok(()), LearnTopics::check)
    }
}
