//! Everything that touches media bytes: telling what a file is ([`sniff`]), measuring it ([`probe`]), rendering it
//! ([`Renderer`]) and judging what came out ([`gate`]).
//!
//! Bytes are hostile. Decoding runs in a child process, `damctl render`, which reads an [`Order`] from standard input
//! and writes [`Report`] lines to standard output; [`child`] starts it, watches it and ends it.

use std::path::{Path, PathBuf};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    error::{Error, Kind, Result},
    model::{MediaFacts, MediaKind, job::Failure},
    profile::Entry,
    spool::Spool,
    stop::Stop,
};

#[cfg(feature = "gst")]
mod brand;
pub use clips::Clips;
pub(crate) use clips::frames as clip_frames;
pub use glance::Glance;

pub mod child;
mod clips;
pub mod dialog;
pub mod gate;
mod glance;
#[cfg(feature = "gst")]
pub mod gst;
pub mod image;
#[cfg(feature = "gst")]
mod loudness;
mod memory;
#[cfg(feature = "gst")]
mod package;
pub mod probe;
pub mod reel;
#[cfg(feature = "gst")]
pub mod rehearsal;
pub mod render;
mod room;
pub mod sandbox;
pub mod scenes;
pub mod sniff;
pub mod speech;
pub mod split;
pub mod sprite;
#[cfg(feature = "gst")]
mod table;
pub mod waveform;
pub mod zygote;

/// What the child process is to do: one file, decoded once, for many outputs. Read as JSON from standard input.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Order {
    /// The file to read. It is never written to.
    pub input: PathBuf,
    /// What is known of it, from the catalog. Left out: it is probed first.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub facts: Option<MediaFacts>,
    /// Other files that may be read: those that the input names, where it is a reel.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub reads: Vec<PathBuf>,
    /// What to make of it. None: it is only probed.
    #[serde(default)]
    pub outputs: Vec<Entry>,
    /// An existing folder that the outputs are written into, each under its entry's name and the format's extension.
    pub out_dir: PathBuf,
    /// What the process may use.
    #[serde(default)]
    pub limits: Limits,
    /// Of films, the part that is to be made. Left out: all of them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub part: Option<split::Part>,
}

/// What a child process may use before it is ended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Address space in bytes. An encoder of 1080p needs 2 GB, so the default is 6 GiB.
    pub memory_bytes: u64,
    /// Processor seconds.
    pub cpu_seconds: u64,
    /// Wall-clock seconds.
    pub wall_seconds: u64,
    /// Seconds in which nothing moves before the process counts as hung, however far it is.
    pub stall_seconds: u64,
    /// Pixels of one decoded picture.
    pub pixels: u64,
}

impl Order {
    /// The JSON schema of an order.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Order).to_value()
    }
}

impl Limits {
    /// The same, with time enough for a recording of this length: 20 processor seconds and 4 s a frame are more than the slowest
    /// encoder takes. What hangs is told by its standing still long before.
    pub fn for_length(&self, duration_ms: u64) -> Self {
        let seconds = duration_ms / 1000;
        Self {
            cpu_seconds: self.cpu_seconds.max(seconds * 500),
            wall_seconds: self.wall_seconds.max(seconds * 100),
            ..self.clone()
        }
    }
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            memory_bytes: 6 << 30,
            cpu_seconds: 24 * 3600,
            wall_seconds: 24 * 3600,
            stall_seconds: 60,
            pixels: 300_000_000,
        }
    }
}

/// One line of what the child process says, as JSON on standard output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "snake_case", deny_unknown_fields)]
pub enum Report {
    /// What the input is.
    Probed {
        /// The facts.
        facts: MediaFacts,
    },
    /// How far it is, and that something moved since it was told last: a frame was decoded or encoded, a byte written.
    Progress {
        /// 0 to 1.
        done: f64,
    },
    /// One output is written and has passed the acceptance gate.
    Accepted {
        /// As its renderer left it.
        rendered: Box<Rendered>,
        /// As the gate measured it.
        facts: MediaFacts,
    },
    /// One output, or (without a name) the whole order, cannot be made.
    Failed {
        /// The entry's name.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        output: Option<String>,
        /// Why.
        failure: Failure,
    },
}

/// One output as its renderer left it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rendered {
    /// The entry's name.
    pub output: String,
    /// Its files' names below the order's `out_dir`; the first is the one to open.
    pub files: Vec<String>,
    /// Picture size, 0 × 0 for sound.
    pub size: (u32, u32),
    /// Number of pictures that went into it.
    pub frames: u64,
    /// Duration of what went into it, in milliseconds.
    pub duration_ms: u64,
    /// Loudest sample of the decoded input in dBFS, when it has sound; −∞ is written as −200.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_peak_dbfs: Option<f64>,
    /// What the decoded pictures look like from afar, of a film.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_seen: Option<Glance>,
    /// What became of the sound, where it was not simply the first track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed: Option<Mixed>,
    /// What encoded its pictures, as GStreamer names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<String>,
    /// What of it is the film itself, where clips are before or after it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub film: Option<FilmPart>,
    /// Of the second of several sound tracks, and of those after it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub others: Vec<Heard>,
}

/// A film between clips.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FilmPart {
    /// Number of its own pictures.
    pub frames: u64,
    /// Its own duration, in milliseconds.
    pub duration_ms: u64,
}

/// One of several sound tracks as its renderer left it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Heard {
    /// Loudest sample of the decoded input in dBFS.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub input_peak_dbfs: Option<f64>,
    /// What became of it, where it was not simply the first track.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mixed: Option<Mixed>,
}

/// What became of the sound on its way into an output.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Mixed {
    /// Which tracks were taken and how they were mixed, in words.
    pub tracks: String,
    /// Its loudness, where one was asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub leveled: Option<Leveled>,
}

/// How sound was brought to a loudness.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Leveled {
    /// By how many dB it was turned up.
    pub gain_db: f64,
    /// What it should measure now, in LUFS; none where there is only silence, or too little to measure.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expected_lufs: Option<f64>,
    /// In words.
    pub note: String,
}

/// Turns one input into many outputs with one decode.
pub trait Renderer {
    /// Whether this renderer can make this output of such an input.
    fn accepts(&self, facts: &MediaFacts, output: &Entry) -> bool;

    /// Makes `outputs`, all of which it accepts, and hands each result to `each` as soon as it is there: an output
    /// that fails does not stop the others. An error means that the input itself cannot be read; outputs not handed
    /// over by then have failed with it. `progress` is called with 0 to 1, at least every few seconds while work goes on.
    fn render(
        &self,
        work: &Work<'_>,
        each: &mut dyn FnMut(&str, Result<Rendered>),
        progress: &mut dyn FnMut(f64),
    ) -> Result<()>;
}

/// A renderer's instructions.
pub struct Work<'a> {
    /// The file to read.
    pub input: &'a Path,
    /// What it is.
    pub facts: &'a MediaFacts,
    /// What to make.
    pub outputs: Vec<&'a Entry>,
    /// Where to write.
    pub out_dir: &'a Path,
    /// What it may use.
    pub limits: &'a Limits,
    /// When to give up.
    pub stop: &'a Stop,
    /// Of films, the part that is to be made.
    pub part: Option<&'a split::Part>,
    /// What is known of the clips that the outputs' brands name.
    pub clips: &'a Clips,
}

/// What a file is: told by its head in this process where that is safe, measured in the child process where something
/// has to be decoded. A file that cannot be measured is told with its problem; an error is the machine's.
pub fn measure(
    path: &Path,
    head: &[u8],
    child: &child::ChildProcess,
    spool: &Spool,
    stop: &Stop,
) -> Result<MediaFacts> {
    let (kind, mime) = sniff::sniff(head);
    match kind {
        MediaKind::Image | MediaKind::Animation => image::facts(path, mime),
        MediaKind::Video | MediaKind::Audio => {
            let dir = spool.dir("probe")?;
            let limits = Limits { cpu_seconds: 60, wall_seconds: 120, stall_seconds: 120, ..Limits::default() };
            let order = Order {
                input: path.to_owned(),
                facts: None,
                reads: Vec::new(),
                outputs: Vec::new(),
                out_dir: dir.path().to_owned(),
                limits,
                part: None,
            };
            let mut told = None;
            let outcome = child.run(&order, stop, &mut |report| match report {
                Report::Probed { facts } => told = Some(Ok(facts)),
                Report::Failed { failure, .. } => told = Some(Err(failure)),
                Report::Progress { .. } | Report::Accepted { .. } => {}
            });
            let damaged = |why: String| MediaFacts { problem: Some(why), ..MediaFacts::bare(kind, mime) };
            match (outcome, told) {
                (Ok(()), Some(Ok(facts))) => Ok(facts),
                (Ok(()), Some(Err(failure))) if failure.kind == Kind::Corrupt => Ok(damaged(failure.message)),
                (Ok(()), Some(Err(failure))) => Err(failure.into()),
                (Ok(()), None) => Err(Error::internal("the renderer said nothing")),
                (Err(e), _) if e.kind() == Kind::Corrupt => Ok(damaged(e.one_line())),
                (Err(e), _) => Err(e),
            }
        }
        MediaKind::Sidecar | MediaKind::Other => Ok(MediaFacts::bare(kind, mime)),
    }
}
