//! What the child process that learns is told and asked, and what it answers: JSON lines.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::{
    meaning::Role,
    media::Limits,
    model::{Finding, FindingKind, Looks, MediaFacts, Vector, job::Failure},
    profile::{Channels, LearnObjects, LearnText, SpeechTracks},
};

/// The first line: what it may use, and what it is to load.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Setup {
    /// Files and folders that it may read.
    pub reads: Vec<PathBuf>,
    /// The folder that it may write into.
    pub dir: PathBuf,
    /// What it may use.
    pub limits: Limits,
    /// What it learns with.
    pub tools: Tools,
}

/// Models that are loaded once and serve until the process ends.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tools {
    /// For what is said.
    Ears {
        /// A Whisper model.
        model: PathBuf,
        /// A model that tells voices.
        voice: PathBuf,
    },
    /// For what is to be seen.
    Eyes {
        /// ONNX Runtime.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        runtime: Option<PathBuf>,
        /// The folder of a PP-OCR model.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        text: Option<PathBuf>,
        /// A detector of objects.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        objects: Option<Detects>,
        /// Threads of one picture.
        threads: usize,
    },
    /// For names.
    Names {
        /// The folders of spaCy's pipelines.
        models: Vec<PathBuf>,
    },
    /// For what texts mean.
    Meaning {
        /// ONNX Runtime.
        runtime: PathBuf,
        /// The folder of a model of E5's family.
        model: PathBuf,
        /// Threads of one text.
        threads: usize,
    },
}

impl Tools {
    /// The files and folders of models that are loaded, in words.
    pub(super) fn files(&self) -> String {
        let all: Vec<&PathBuf> = match self {
            Self::Ears { model, voice } => vec![model, voice],
            Self::Eyes { runtime, text, objects, .. } => {
                let objects = objects.as_ref().map(|o| &o.model);
                text.iter().chain(objects).chain(runtime).collect()
            }
            Self::Names { models } => models.iter().collect(),
            Self::Meaning { runtime, model, .. } => vec![model, runtime],
        };
        all.iter().map(|path| path.display().to_string()).collect::<Vec<_>>().join(" or ")
    }
}

/// A detector and how it is set up.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Detects {
    /// The model.
    pub model: PathBuf,
    /// Thousandths of certainty that an object needs.
    pub threshold: u32,
    /// The language of labels.
    pub labels: String,
}

/// A question.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "ask", rename_all = "snake_case", deny_unknown_fields)]
pub enum Question {
    /// What is said in a recording?
    Hear(Hear),
    /// What is said in some stretches of a recording?
    Again(HearAgain),
    /// What is to be seen in a picture or a film?
    See(See),
    /// Who and what is named?
    Name(Name),
    /// What does it mean?
    Mean(Mean),
}

/// About a sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hear {
    /// The file.
    pub input: PathBuf,
    /// What it is.
    pub facts: MediaFacts,
    /// The languages that may be spoken.
    pub languages: Vec<String>,
    /// Which tracks.
    pub tracks: SpeechTracks,
    /// What becomes of their channels.
    pub channels: Channels,
    /// Whether the times of words are wanted.
    pub words: bool,
    /// Whether it is wanted in English as well.
    #[serde(default)]
    pub translate: bool,
    /// Slices at a time.
    pub at_a_time: usize,
}

/// About stretches of a sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HearAgain {
    /// The sound.
    pub hear: Hear,
    /// Which of its tracks, counted from 1.
    pub track: u32,
    /// The stretches, by time.
    pub stretches: Vec<Stretch>,
}

/// A stretch of a sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Stretch {
    /// Milliseconds.
    pub from_ms: u64,
    /// Milliseconds.
    pub to_ms: u64,
    /// Who speaks: a channel's name, where channels are heard apart.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub speaker: Option<String>,
    /// The language that was heard in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
}

/// About pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct See {
    /// The file.
    pub input: PathBuf,
    /// What it is.
    pub facts: MediaFacts,
    /// What can be read?
    pub text: Option<LearnText>,
    /// What is to be seen?
    pub objects: Option<LearnObjects>,
    /// What does it look like?
    pub looks: bool,
}

/// About texts.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Name {
    /// The texts.
    pub texts: Vec<Text>,
    /// How many keywords are wanted.
    pub keywords: u32,
}

/// About what texts mean.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Mean {
    /// The texts.
    pub texts: Vec<String>,
    /// What they are.
    pub role: Role,
}

/// A text and when it is said or shown.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Text {
    /// The words.
    pub text: String,
    /// Its language, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// From when on, in milliseconds; none: it has no time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub span_ms: Option<(u64, u64)>,
}

/// Findings of one kind.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Found {
    /// What they are about.
    pub kind: FindingKind,
    /// The sound track, counted from 1; 0 where that has no meaning.
    #[serde(default)]
    pub track: u32,
    /// By time.
    pub items: Vec<Finding>,
}

/// A line of an answer.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Answer {
    /// The models are loaded.
    Ready,
    /// How far it is, and that it is alive.
    Progress {
        /// 0 to 1.
        done: f64,
    },
    /// The end: what was found.
    Found {
        /// By kind.
        found: Vec<Found>,
        /// What it looks like, where that was asked.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        looks: Option<Looks>,
    },
    /// The end: a vector for each text.
    Meant {
        /// In their order.
        vectors: Vec<Vector>,
    },
    /// The end: why nothing was.
    Failed {
        /// Why.
        failure: Failure,
    },
}
