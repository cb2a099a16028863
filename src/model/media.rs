//! What is known of a file's content before it is rendered.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// What kind of thing a file is, by its content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum MediaKind {
    /// Moving pictures, with or without sound.
    Video,
    /// Sound alone.
    Audio,
    /// One still picture.
    Image,
    /// A GIF or WebP of several frames.
    Animation,
    /// Something that describes a neighbor: XMP, SRT.
    Sidecar,
    /// Anything else: kept, not rendered.
    Other,
}

impl MediaKind {
    /// All of them.
    pub const ALL: [MediaKind; 6] = [
        MediaKind::Video,
        MediaKind::Audio,
        MediaKind::Image,
        MediaKind::Animation,
        MediaKind::Sidecar,
        MediaKind::Other,
    ];

    /// The word used in keys, the catalog and profiles.
    pub fn as_str(self) -> &'static str {
        match self {
            MediaKind::Video => "video",
            MediaKind::Audio => "audio",
            MediaKind::Image => "image",
            MediaKind::Animation => "animation",
            MediaKind::Sidecar => "sidecar",
            MediaKind::Other => "other",
        }
    }
}

impl std::fmt::Display for MediaKind {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.pad(self.as_str())
    }
}

impl std::str::FromStr for MediaKind {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> crate::error::Result<Self> {
        Self::ALL.into_iter().find(|k| k.as_str() == text).ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            crate::error::Error::invalid(format!("'{text}' is not a kind of media: expected one of {known}"))
        })
    }
}

/// Technical metadata of one file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct MediaFacts {
    /// By content.
    pub kind: MediaKind,
    /// The media type by content (IANA name where there is one).
    pub mime: String,
    /// The container as ffprobe names it (`mov,mp4,…`), or the image format.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub container: Option<String>,
    /// Of the whole file, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<u64>,
    /// The first video stream that is not an attached picture.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub video: Option<VideoFacts>,
    /// Every audio stream, in file order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub audio: Vec<AudioFacts>,
    /// For images and animations.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub image: Option<ImageFacts>,
    /// The start timecode, one chosen by rule.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub timecode: Option<Timecode>,
    /// Descriptive tags found in the file, their names as found, lower-cased.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub tags: BTreeMap<String, String>,
    /// Why it cannot be played or rendered, when it cannot. The file is kept all the same.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
}

impl MediaFacts {
    /// Facts that say no more than what it is.
    pub fn bare(kind: MediaKind, mime: impl Into<String>) -> Self {
        Self {
            kind,
            mime: mime.into(),
            container: None,
            duration_ms: None,
            video: None,
            audio: Vec::new(),
            image: None,
            timecode: None,
            tags: BTreeMap::new(),
            problem: None,
        }
    }

    /// The size as a viewer sees it: after rotation, orientation and pixel aspect ratio; in square pixels.
    pub fn display_size(&self) -> Option<(u32, u32)> {
        if let Some(v) = &self.video {
            return Some(v.display_size());
        }
        self.image.as_ref().map(|i| if i.orientation >= 5 { (i.height, i.width) } else { (i.width, i.height) })
    }
}

/// The order of fields in an interlaced picture.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum FieldOrder {
    /// Whole frames.
    #[default]
    Progressive,
    /// The upper field comes first.
    Top,
    /// The lower field comes first (DV).
    Bottom,
}

/// The range of code values.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Range {
    /// Not said by the file; taken as limited.
    #[default]
    Unknown,
    /// 16 to 235 at 8 bit.
    Limited,
    /// 0 to 255 at 8 bit.
    Full,
}

/// One video stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VideoFacts {
    /// As ffprobe names it: `h264`, `prores`, `dvvideo`, …
    pub codec: String,
    /// The codec's profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<String>,
    /// Coded width in pixels, before rotation.
    pub width: u32,
    /// Coded height in pixels, before rotation.
    pub height: u32,
    /// How far the picture is to be turned clockwise for display: 0, 90, 180 or 270.
    #[serde(default)]
    pub rotation: u16,
    /// Sample (pixel) aspect ratio, numerator and denominator; 1:1 when unknown.
    #[serde(default = "square")]
    pub sar: (u32, u32),
    /// Average frame rate, numerator and denominator; 0:1 when unknown.
    #[serde(default = "no_rate")]
    pub rate: (u32, u32),
    /// Whether frames come at uneven distances.
    #[serde(default)]
    pub variable_rate: bool,
    /// Number of frames as the container says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frames: Option<u64>,
    /// Interlaced or not.
    #[serde(default)]
    pub field_order: FieldOrder,
    /// As ffprobe names it: `yuv420p`, `yuv422p10le`, …
    #[serde(default)]
    pub pixel_format: String,
    /// Bits per component.
    #[serde(default = "eight")]
    pub bit_depth: u8,
    /// Whether there is an alpha channel.
    #[serde(default)]
    pub alpha: bool,
    /// Range of code values.
    #[serde(default)]
    pub range: Range,
    /// Matrix coefficients as ffprobe names them: `bt709`, `smpte170m`, `bt2020nc`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub matrix: Option<String>,
    /// Color primaries.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub primaries: Option<String>,
    /// Transfer characteristics: `bt709`, `smpte2084` (PQ), `arib-std-b67` (HLG), …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transfer: Option<String>,
}

fn square() -> (u32, u32) {
    (1, 1)
}

fn no_rate() -> (u32, u32) {
    (0, 1)
}

fn eight() -> u8 {
    8
}

impl VideoFacts {
    /// Size in square pixels after rotation.
    pub fn display_size(&self) -> (u32, u32) {
        let (n, d) = (u64::from(self.sar.0.max(1)), u64::from(self.sar.1.max(1)));
        let width = ((u64::from(self.width) * n + d / 2) / d).clamp(1, u64::from(u32::MAX)) as u32;
        if self.rotation % 180 == 90 { (self.height, width) } else { (width, self.height) }
    }

    /// Whether the transfer function is one of high dynamic range (BT.2100).
    pub fn is_hdr(&self) -> bool {
        matches!(self.transfer.as_deref(), Some("smpte2084" | "arib-std-b67"))
    }
}

/// One audio stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AudioFacts {
    /// As ffprobe names it: `aac`, `pcm_s24le`, …
    pub codec: String,
    /// Number of channels.
    pub channels: u32,
    /// Samples a second.
    pub rate: u32,
    /// Bits a sample where that has a meaning, else 0.
    #[serde(default)]
    pub bits: u32,
    /// `stereo`, `5.1`, …
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub layout: Option<String>,
    /// As tagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// How loud it is, where that was measured.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loudness: Option<LoudnessFacts>,
}

impl AudioFacts {
    /// Sound that is not there: two channels of silence, to lay something over.
    pub fn silence() -> Self {
        let (codec, layout) = (SILENCE.to_owned(), Some("stereo".to_owned()));
        Self { codec, channels: 2, rate: 48_000, bits: 0, layout, language: None, loudness: None }
    }

    /// Whether it is [`silence`](Self::silence).
    pub fn is_silence(&self) -> bool {
        self.codec == SILENCE
    }
}

/// No codec of ffprobe's.
const SILENCE: &str = "silence";

/// Loudness of a whole sound track by EBU R 128.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct LoudnessFacts {
    /// Integrated loudness in LUFS; −70, below which nothing counts, when there is only silence.
    pub integrated_lufs: f64,
    /// Highest true peak of all channels in dBTP; digital silence is −200.
    pub true_peak_dbtp: f64,
    /// Loudness range in LU (EBU Tech 3342).
    pub range_lu: f64,
}

/// A still picture or an animation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ImageFacts {
    /// Width in pixels as stored.
    pub width: u32,
    /// Height in pixels as stored.
    pub height: u32,
    /// EXIF orientation, 1 to 8 (TIFF 6.0, tag 274); 1 when not said.
    pub orientation: u8,
    /// Bits per component.
    pub bit_depth: u8,
    /// `gray`, `rgb`, `cmyk`, `palette`, `ycbcr`, …
    pub color: String,
    /// Whether there is an alpha channel.
    pub alpha: bool,
    /// Number of frames or pages, where that was found out.
    pub frames: u32,
    /// Name of the embedded ICC profile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub icc: Option<String>,
}

/// A start timecode and where it was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Timecode {
    /// `HH:MM:SS:FF`, with `;` before the frames for drop-frame (SMPTE ST 12-1).
    pub value: String,
    /// Whether frames are dropped.
    pub drop_frame: bool,
    /// `stream`, `format`, `bext`, …
    pub source: String,
}
