//! What an entry can ask for. Every default is spelled out here, once, and becomes part of the recipe digest.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AudioTrack, BitRate, Codec, Downmix, Exact, Interval, Lossless, Lossy, Position, Scenes, Sound, Sprite, Still,
    Stream, Waveform, picture, stream,
};
use crate::model::MediaKind;

/// The output format and its settings.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Spec {
    /// A fast-start MP4.
    Mp4(Mp4),
    /// An MP3 of constant bit rate.
    Mp3(Lossy),
    /// A WAV of linear PCM; an RF64 where it would not fit into 4 GiB.
    Wav(Lossless),
    /// A JPEG picture.
    Jpeg(Still),
    /// A WebP picture; keeps alpha.
    Webp(Still),
    /// A PNG picture; keeps alpha, and every pixel.
    Png(Exact),
    /// An AVIF picture; keeps alpha.
    Avif(Still),
    /// A JPEG XL picture; keeps alpha.
    Jxl(Still),
    /// Sheets of small pictures to scrub through.
    Sprite(Sprite),
    /// One picture a scene.
    Scenes(Scenes),
    /// AAC-LC in a fast-start MP4 of sound alone.
    M4a(Lossy),
    /// Opus in Ogg.
    Opus(Lossy),
    /// AC-3 (Dolby Digital), an elementary stream.
    Ac3(Lossy),
    /// FLAC.
    Flac(Lossless),
    /// Peaks, and a picture of them.
    Waveform(Waveform),
    /// A ladder for HLS and DASH.
    Stream(Stream),
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

fn two_seconds() -> Interval {
    Interval(2000)
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
            Spec::Png(_) => "png/1",
            Spec::Avif(_) => "avif/1",
            Spec::Jxl(_) => "jxl/1",
            Spec::Sprite(_) => "sprite/1",
            Spec::Scenes(_) => "scenes/1",
            Spec::M4a(_) => "m4a/1",
            Spec::Opus(_) => "opus/1",
            Spec::Ac3(_) => "ac3/1",
            Spec::Flac(_) => "flac/1",
            Spec::Waveform(_) => "waveform/1",
            Spec::Stream(_) => "stream/1",
        }
    }

    /// The name of the file to open.
    pub fn file_name(&self, entry: &str) -> String {
        self.files(entry).into_iter().next().map_or_else(|| entry.to_owned(), |(name, _)| name)
    }

    /// The media type of the file to open.
    pub fn mime(&self) -> &'static str {
        self.files("").first().map_or("application/octet-stream", |(_, mime)| *mime)
    }

    /// The media type of one of its files.
    pub fn mime_of(&self, entry: &str, name: &str) -> &'static str {
        match self {
            Spec::Stream(_) => stream::mime_of(name),
            Spec::Sprite(_) | Spec::Scenes(_) => picture::mime_of(name),
            _ => self.files(entry).into_iter().find(|(known, _)| known == name).map_or(self.mime(), |(_, mime)| mime),
        }
    }

    /// Whether the master decides how many files there are, beside those that [`files`](Self::files) names.
    pub fn is_open_ended(&self) -> bool {
        matches!(self, Spec::Stream(_) | Spec::Sprite(_) | Spec::Scenes(_))
    }

    /// Whether it is one still picture.
    pub fn is_still(&self) -> bool {
        self.still().is_some()
    }

    /// Where in a video its one picture is taken.
    pub fn at(&self) -> Option<Position> {
        self.still().map(|(_, _, at)| at)
    }

    /// Of one still picture: its limits, and where in a video it is taken.
    fn still(&self) -> Option<(Option<u32>, Option<u32>, Position)> {
        match self {
            Spec::Jpeg(s) | Spec::Webp(s) | Spec::Avif(s) | Spec::Jxl(s) => Some((s.max_width, s.max_height, s.at)),
            Spec::Png(s) => Some((s.max_width, s.max_height, s.at)),
            _ => None,
        }
    }

    /// All files that it makes, with their media types; of a stream, those to open, for its segments depend on the master.
    /// The first is the one to open.
    pub fn files(&self, entry: &str) -> Vec<(String, &'static str)> {
        let (extension, mime) = match self {
            Spec::Mp4(_) => ("mp4", "video/mp4"),
            Spec::Mp3(_) => ("mp3", "audio/mpeg"),
            Spec::Wav(_) => ("wav", "audio/wav"),
            Spec::Jpeg(_) => ("jpg", "image/jpeg"),
            Spec::Webp(_) => ("webp", "image/webp"),
            Spec::Png(_) => ("png", "image/png"),
            Spec::Avif(_) => ("avif", "image/avif"),
            Spec::Jxl(_) => ("jxl", "image/jxl"),
            Spec::Sprite(_) => ("vtt", "text/vtt"),
            Spec::Scenes(_) => ("json", "application/json"),
            Spec::M4a(_) => ("m4a", "audio/mp4"),
            Spec::Opus(_) => ("opus", "audio/ogg"),
            Spec::Ac3(_) => ("ac3", "audio/ac3"),
            Spec::Flac(_) => ("flac", "audio/flac"),
            Spec::Waveform(w) => return w.files(entry),
            Spec::Stream(s) => return s.files(entry),
        };
        vec![(format!("{entry}.{extension}"), mime)]
    }

    /// What its sound is made of; none: it has no sound, or asks for none.
    pub fn sound(&self) -> Option<Sound> {
        match self {
            Spec::Mp4(m) => m.audio.as_ref().map(AudioTrack::sound),
            Spec::Mp3(s) => Some(s.sound(Codec::Mp3, Downmix::Full)),
            Spec::Wav(s) => Some(s.sound(Downmix::Full)),
            Spec::M4a(s) => Some(s.sound(Codec::Aac, Downmix::Itu)),
            Spec::Opus(s) => Some(s.sound(Codec::Opus, Downmix::Itu)),
            Spec::Ac3(s) => Some(s.sound(Codec::Ac3, Downmix::Itu)),
            Spec::Flac(s) => Some(s.sound(Downmix::Itu)),
            Spec::Waveform(w) => Some(w.sound()),
            Spec::Stream(s) => s.audio.as_ref().map(AudioTrack::sound),
            Spec::Jpeg(_) | Spec::Webp(_) | Spec::Png(_) | Spec::Avif(_) | Spec::Jxl(_) => None,
            Spec::Sprite(_) | Spec::Scenes(_) => None,
        }
    }

    /// Whether it is made of sound alone.
    pub fn is_sound(&self) -> bool {
        !(self.is_still() || matches!(self, Spec::Mp4(_) | Spec::Stream(_) | Spec::Sprite(_) | Spec::Scenes(_)))
    }

    /// Takes out what says no more than its absence does, so that both have one recipe.
    pub(super) fn leave_out_usual(&mut self) {
        let (downmix, usual) = match self {
            Spec::Mp4(Mp4 { audio: Some(a), .. }) => (&mut a.downmix, Downmix::Full),
            Spec::Stream(Stream { audio: Some(a), .. }) => (&mut a.downmix, Downmix::Full),
            Spec::Mp3(s) => (&mut s.downmix, Downmix::Full),
            Spec::Wav(s) => (&mut s.downmix, Downmix::Full),
            Spec::M4a(s) | Spec::Opus(s) | Spec::Ac3(s) => (&mut s.downmix, Downmix::Itu),
            Spec::Flac(s) => (&mut s.downmix, Downmix::Itu),
            _ => return,
        };
        *downmix = downmix.filter(|d| *d != usual);
    }

    /// The size of the output for a picture of this size: within the limits, aspect kept, never larger.
    pub fn fit(&self, size: (u32, u32)) -> (u32, u32) {
        let (max_width, max_height, even) = match self {
            Spec::Mp4(m) => (m.max_width, m.max_height, true),
            Spec::Sprite(s) => (Some(s.tile_width), None, false),
            Spec::Scenes(s) => (s.max_width, s.max_height, false),
            other => match other.still() {
                Some((max_width, max_height, _)) => (max_width, max_height, false),
                None => return (0, 0),
            },
        };
        fit_within(size, max_width, max_height, even)
    }

    /// Refuses what cannot work, saying what was expected.
    pub(super) fn check(&self, kind: MediaKind) -> Result<(), String> {
        let pictures = matches!(kind, MediaKind::Video | MediaKind::Image | MediaKind::Animation);
        match self {
            Spec::Mp4(m) => {
                if !matches!(kind, MediaKind::Video | MediaKind::Animation) {
                    return Err(format!("an mp4 cannot be made of an {kind} master: expected {}", possible(kind)));
                }
                picture::side("max_width", m.max_width)?;
                picture::side("max_height", m.max_height)?;
                let Some(audio) = &m.audio else { return Ok(()) };
                if kind == MediaKind::Animation {
                    return Err("an animation has no sound: leave 'audio' out".to_owned());
                }
                audio.check()
            }
            Spec::Mp3(s) => s.check("mp3", kind),
            Spec::M4a(s) => s.check("m4a", kind),
            Spec::Opus(s) => s.check("opus", kind),
            Spec::Ac3(s) => s.check("ac3", kind),
            Spec::Wav(s) => s.check("wav", kind),
            Spec::Flac(s) => s.check("flac", kind),
            Spec::Waveform(w) => w.check(kind),
            Spec::Stream(s) => s.check(kind),
            Spec::Sprite(s) => s.check(kind),
            Spec::Scenes(s) => s.check(kind),
            Spec::Jpeg(_) | Spec::Webp(_) | Spec::Png(_) | Spec::Avif(_) | Spec::Jxl(_) if !pictures => {
                Err(format!("a picture cannot be made of an {kind} master: expected {}", possible(kind)))
            }
            Spec::Jpeg(s) | Spec::Webp(s) => s.check(0..=6),
            Spec::Avif(s) => s.check(0..=9),
            Spec::Jxl(s) => s.check(1..=9),
            Spec::Png(s) => s.check(),
        }
    }
}

/// A size within these limits, aspect kept, never larger.
pub(super) fn fit_within(
    (width, height): (u32, u32),
    max_width: Option<u32>,
    max_height: Option<u32>,
    even: bool,
) -> (u32, u32) {
    let limit = |max: Option<u32>, is: u32| max.map_or(1.0, |m| f64::from(m) / f64::from(is.max(1)));
    let scale = limit(max_width, width).min(limit(max_height, height)).min(1.0);
    let scaled = |side: u32| {
        let side = f64::from(side) * scale;
        // Encoders of 4:2:0 need even sides, and x264 at least 16.
        if even { ((side / 2.0).round() as u32 * 2).max(16) } else { (side.round() as u32).max(1) }
    };
    (scaled(width), scaled(height))
}

pub(super) fn possible(kind: MediaKind) -> &'static str {
    match kind {
        MediaKind::Video => {
            "mp4, stream, jpeg, webp, png, avif, jxl, sprite, scenes, mp3, m4a, opus, ac3, wav, flac or waveform"
        }
        MediaKind::Audio => "mp3, m4a, opus, ac3, wav, flac or waveform",
        MediaKind::Animation => "mp4, jpeg, webp, png, avif or jxl",
        MediaKind::Image => "jpeg, webp, png, avif or jxl",
        MediaKind::Sidecar | MediaKind::Other => "nothing",
    }
}
