//! What an entry can ask for. Every default is spelled out here, once, and becomes part of the recipe digest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BitRate, Interval, Position};
use crate::model::MediaKind;

/// The output format and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Spec {
    /// A fast-start MP4.
    Mp4(Mp4),
    /// An MP3 of constant bit rate.
    Mp3(Mp3),
    /// A WAV of linear PCM.
    Wav(Wav),
    /// A JPEG picture.
    Jpeg(Still),
    /// A WebP picture; keeps alpha.
    Webp(Still),
}

/// A fast-start MP4: 8 bit 4:2:0, square pixels, even sizes, rotation baked in, BT.709, timestamps kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mp4 {
    /// Not wider than this. Never upscaled, aspect kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_width: Option<u32>,
    /// Not higher than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// The picture.
    pub video: VideoTrack,
    /// The sound. Left out: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioTrack>,
}

/// How the picture is encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VideoTrack {
    /// The codec.
    #[serde(default)]
    pub codec: VideoCodec,
    /// Average bit rate.
    pub bitrate: BitRate,
    /// The encoder's trade of time for quality.
    #[serde(default)]
    pub preset: Preset,
    /// Longest distance of two keyframes.
    #[serde(default = "two_seconds")]
    pub keyframe_interval: Interval,
}

/// Video codecs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// H.264 High, by x264.
    #[default]
    H264,
}

/// x264's presets that make sense for renditions.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// Fastest that still gives the High profile.
    Superfast,
    /// The default.
    #[default]
    Veryfast,
    /// About 1.3 times the work of `veryfast`.
    Faster,
    /// About twice the work.
    Fast,
    /// About 2.5 times the work.
    Medium,
    /// For quality above all.
    Slow,
}

impl Preset {
    /// x264's name.
    pub fn as_str(self) -> &'static str {
        match self {
            Preset::Superfast => "superfast",
            Preset::Veryfast => "veryfast",
            Preset::Faster => "faster",
            Preset::Fast => "fast",
            Preset::Medium => "medium",
            Preset::Slow => "slow",
        }
    }
}

/// How the sound of a video is encoded.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct AudioTrack {
    /// The codec.
    #[serde(default)]
    pub codec: AudioCodec,
    /// Bit rate of all channels together.
    #[serde(default = "bitrate_128k")]
    pub bitrate: BitRate,
    /// Most channels; more are mixed down, fewer are kept.
    #[serde(default = "stereo")]
    pub channels: u32,
    /// Samples a second.
    #[serde(default = "rate_48k")]
    pub rate: u32,
}

/// Audio codecs of MP4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AudioCodec {
    /// AAC-LC.
    #[default]
    Aac,
}

/// An MP3 of constant bit rate.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mp3 {
    /// Bit rate.
    #[serde(default = "bitrate_128k")]
    pub bitrate: BitRate,
    /// Most channels, 1 or 2.
    #[serde(default = "stereo")]
    pub channels: u32,
    /// Samples a second: 32000, 44100 or 48000.
    #[serde(default = "rate_48k")]
    pub rate: u32,
}

/// A WAV of linear PCM.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Wav {
    /// Bits a sample: 16, 24 or 32.
    #[serde(default = "bits_24")]
    pub bits: u32,
    /// Samples a second.
    #[serde(default = "rate_48k")]
    pub rate: u32,
    /// Most channels; left out: as in the master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
}

/// A still picture: sRGB, orientation baked in, no metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Still {
    /// Not wider than this. Never upscaled, aspect kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_width: Option<u32>,
    /// Not higher than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// 1 to 100.
    #[serde(default = "quality_75")]
    pub quality: u8,
    /// WebP's method, 0 (fast) to 6 (small). JPEG has none.
    #[serde(default = "effort_4")]
    pub effort: u8,
    /// For videos: where to take the frame.
    #[serde(default = "tenth")]
    pub at: Position,
}

fn two_seconds() -> Interval {
    Interval(2000)
}
fn bitrate_128k() -> BitRate {
    BitRate(128_000)
}
fn stereo() -> u32 {
    2
}
fn rate_48k() -> u32 {
    48_000
}
fn bits_24() -> u32 {
    24
}
fn quality_75() -> u8 {
    75
}
fn effort_4() -> u8 {
    4
}
fn tenth() -> Position {
    Position::Permille(100)
}

impl Spec {
    /// Changes whenever the same settings begin to give other output, so that plans see it.
    pub fn renderer_version(&self) -> &'static str {
        match self {
            Spec::Mp4(_) => "mp4/1",
            Spec::Mp3(_) => "mp3/1",
            Spec::Wav(_) => "wav/1",
            Spec::Jpeg(_) => "jpeg/1",
            Spec::Webp(_) => "webp/1",
        }
    }

    /// The name of the file it makes.
    pub fn file_name(&self, entry: &str) -> String {
        let extension = match self {
            Spec::Mp4(_) => "mp4",
            Spec::Mp3(_) => "mp3",
            Spec::Wav(_) => "wav",
            Spec::Jpeg(_) => "jpg",
            Spec::Webp(_) => "webp",
        };
        format!("{entry}.{extension}")
    }

    /// Its media type.
    pub fn mime(&self) -> &'static str {
        match self {
            Spec::Mp4(_) => "video/mp4",
            Spec::Mp3(_) => "audio/mpeg",
            Spec::Wav(_) => "audio/wav",
            Spec::Jpeg(_) => "image/jpeg",
            Spec::Webp(_) => "image/webp",
        }
    }

    /// The size of the output for a picture of this size: within the limits, aspect kept, never larger.
    pub fn fit(&self, (width, height): (u32, u32)) -> (u32, u32) {
        let (max_width, max_height, even) = match self {
            Spec::Mp4(m) => (m.max_width, m.max_height, true),
            Spec::Jpeg(s) | Spec::Webp(s) => (s.max_width, s.max_height, false),
            Spec::Mp3(_) | Spec::Wav(_) => return (0, 0),
        };
        let limit = |max: Option<u32>, is: u32| max.map_or(1.0, |m| f64::from(m) / f64::from(is.max(1)));
        let scale = limit(max_width, width).min(limit(max_height, height)).min(1.0);
        let scaled = |side: u32| {
            let side = f64::from(side) * scale;
            // Encoders of 4:2:0 need even sides, and x264 at least 16.
            if even { ((side / 2.0).round() as u32 * 2).max(16) } else { (side.round() as u32).max(1) }
        };
        (scaled(width), scaled(height))
    }

    /// Refuses what cannot work, saying what was expected.
    pub(super) fn check(&self, kind: MediaKind) -> Result<(), String> {
        let pictures = matches!(kind, MediaKind::Video | MediaKind::Image | MediaKind::Animation);
        let one_of = |what: &str, value: u32, known: &[u32]| match known.contains(&value) {
            true => Ok(()),
            false => Err(format!("{what} {value} was given, expected one of {known:?}")),
        };
        let size = |what: &str, value: Option<u32>| match value {
            Some(v) if !(16..=16383).contains(&v) => Err(format!("{what} {v} was given, expected 16 to 16383")),
            _ => Ok(()),
        };
        match self {
            Spec::Mp4(m) => {
                if !matches!(kind, MediaKind::Video | MediaKind::Animation) {
                    return Err(format!("an mp4 cannot be made of an {kind} master: expected {}", possible(kind)));
                }
                size("max_width", m.max_width)?;
                size("max_height", m.max_height)?;
                let Some(audio) = &m.audio else { return Ok(()) };
                if kind == MediaKind::Animation {
                    return Err("an animation has no sound: leave 'audio' out".to_owned());
                }
                one_of("channels", audio.channels, &[1, 2, 6])?;
                one_of("rate", audio.rate, &[32_000, 44_100, 48_000])?;
                match audio.bitrate.0 {
                    32_000..=512_000 => Ok(()),
                    other => Err(format!("an AAC bitrate of {other} was given, expected 32k to 512k")),
                }
            }
            Spec::Mp3(m) => {
                if !matches!(kind, MediaKind::Video | MediaKind::Audio) {
                    return Err(format!("an mp3 cannot be made of an {kind} master: expected {}", possible(kind)));
                }
                one_of("channels", m.channels, &[1, 2])?;
                one_of("rate", m.rate, &[32_000, 44_100, 48_000])?;
                let known = [32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320].map(|k| k * 1000);
                one_of("bitrate", m.bitrate.0, &known)
            }
            Spec::Wav(w) => {
                if !matches!(kind, MediaKind::Video | MediaKind::Audio) {
                    return Err(format!("a wav cannot be made of an {kind} master: expected {}", possible(kind)));
                }
                one_of("bits", w.bits, &[16, 24, 32])?;
                one_of("rate", w.rate, &[16_000, 32_000, 44_100, 48_000, 96_000])?;
                match w.channels {
                    Some(c) => one_of("channels", c, &[1, 2, 6]),
                    None => Ok(()),
                }
            }
            Spec::Jpeg(s) | Spec::Webp(s) => {
                if !pictures {
                    return Err(format!("a picture cannot be made of an {kind} master: expected {}", possible(kind)));
                }
                size("max_width", s.max_width)?;
                size("max_height", s.max_height)?;
                if !(1..=100).contains(&s.quality) {
                    return Err(format!("quality {} was given, expected 1 to 100", s.quality));
                }
                if s.effort > 6 {
                    return Err(format!("effort {} was given, expected 0 to 6", s.effort));
                }
                Ok(())
            }
        }
    }
}

fn possible(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Video => "mp4, jpeg, webp, mp3 or wav",
        MediaKind::Audio => "mp3 or wav",
        MediaKind::Animation => "mp4, jpeg or webp",
        MediaKind::Image => "jpeg or webp",
        MediaKind::Sidecar | MediaKind::Other => "nothing",
    }
}
