//! What an entry can ask for of the sound: which tracks, how many channels, how loud, and in which coding.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Around, BitRate, Decibels, Lufs, Music, Narration, Piece, Tracks, rendition::possible};
use crate::model::MediaKind;

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
    /// Which of the master's sound tracks.
    #[serde(default, skip_serializing_if = "Tracks::is_first")]
    pub track: Tracks,
    /// How more channels become fewer. Default: `full`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downmix: Option<Downmix>,
    /// What becomes of sound of one channel.
    #[serde(default, skip_serializing_if = "Mono::is_kept")]
    pub mono: Mono,
    /// Brings it to this loudness. Left out: as in the master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loudness: Option<Loudness>,
}

/// Audio codecs of MP4.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AudioCodec {
    /// AAC-LC.
    #[default]
    Aac,
}

/// Sound alone, in a codec of a constant or average bit rate: MP3, AAC, Opus, AC-3.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lossy {
    /// Bit rate of all channels together. MP3 and AC-3 know a few; AAC takes 32k to 512k, Opus 6k to 510k.
    #[serde(default = "bitrate_128k")]
    pub bitrate: BitRate,
    /// Most channels: 1 or 2, also 6 except for MP3. More are mixed down, fewer are kept.
    #[serde(default = "stereo")]
    pub channels: u32,
    /// Samples a second: 32000, 44100 or 48000; for Opus 48000.
    #[serde(default = "rate_48k")]
    pub rate: u32,
    /// Which of the master's sound tracks.
    #[serde(default, skip_serializing_if = "Tracks::is_first")]
    pub track: Tracks,
    /// How more channels become fewer. Default: `itu`, but `full` for MP3.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downmix: Option<Downmix>,
    /// What becomes of sound of one channel.
    #[serde(default, skip_serializing_if = "Mono::is_kept")]
    pub mono: Mono,
    /// Brings it to this loudness. Left out: as in the master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loudness: Option<Loudness>,
}

/// Sound alone, every sample kept: WAV of linear PCM, FLAC.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Lossless {
    /// Bits a sample: 16 or 24, for WAV also 32.
    #[serde(default = "bits_24")]
    pub bits: u32,
    /// Samples a second: 16000, 32000, 44100, 48000 or 96000.
    #[serde(default = "rate_48k")]
    pub rate: u32,
    /// Most channels: 1, 2 or 6; left out: as in the master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<u32>,
    /// Which of the master's sound tracks.
    #[serde(default, skip_serializing_if = "Tracks::is_first")]
    pub track: Tracks,
    /// How more channels become fewer. Default: `full` for WAV, `itu` for FLAC.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub downmix: Option<Downmix>,
    /// What becomes of sound of one channel.
    #[serde(default, skip_serializing_if = "Mono::is_kept")]
    pub mono: Mono,
    /// Brings it to this loudness. Left out: as in the master.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub loudness: Option<Loudness>,
}

/// How more channels become fewer. Both turn all down by the same factor, so that nothing can clip.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Downmix {
    /// ITU-R BS.775-3, Annex 4: center and surrounds at -3 dB, the low-frequency channel left out.
    Itu,
    /// GStreamer's: center at -3 dB, surrounds at -6 dB, the low-frequency channel as loud as left and right.
    Full,
}

/// What becomes of sound of one channel.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Mono {
    /// It stays one channel.
    #[default]
    Keep,
    /// It is put on left and right at -3 dB each (ITU-R BS.775-3), where more than one channel is asked for.
    Stereo,
}

impl Mono {
    fn is_kept(&self) -> bool {
        *self == Mono::Keep
    }
}

/// Loudness by EBU R 128: the whole recording is measured first, then turned up or down by one factor. Where its peaks
/// would pass the limit, a true-peak limiter holds them; where there is only silence, nothing is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Loudness {
    /// Integrated loudness, `-23 LUFS` (broadcast) when left out; `-16 LUFS` is usual on the web.
    #[serde(default = "r128")]
    pub target: Lufs,
    /// Highest true peak (ITU-R BS.1770-4, Annex 2), `-1 dBTP` when left out.
    #[serde(default = "below_full_scale")]
    pub true_peak: Decibels,
}

/// What the sound of an output is made of, before it is encoded.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Sound {
    /// Which tracks.
    pub tracks: Tracks,
    /// How more channels become fewer.
    pub downmix: Downmix,
    /// What becomes of one channel.
    pub mono: Mono,
    /// Most channels; none: as they are.
    pub channels: Option<u32>,
    /// Samples a second; none: as they are.
    pub rate: Option<u32>,
    /// How loud.
    pub loudness: Option<Loudness>,
    /// What it is encoded by, where that does not give back what it got.
    pub coding: Option<Coding>,
    /// What a brand mixes with it.
    pub bed: Option<SoundBed>,
    /// What a brand puts before and after it.
    pub around: Option<Around>,
}

/// What a brand mixes with a film's own sound.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct SoundBed {
    /// Below it.
    pub music: Option<Music>,
    /// Above it.
    pub narration: Option<Narration>,
}

impl SoundBed {
    /// Its files.
    pub fn pieces(&self) -> impl Iterator<Item = &Piece> {
        self.music.as_ref().map(|m| &m.file).into_iter().chain(self.narration.as_ref().and_then(|n| n.file.as_ref()))
    }
}

/// A codec that changes what it codes, and how much room it has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Coding {
    /// The codec.
    pub codec: Codec,
    /// Of all channels together.
    pub bitrate: BitRate,
}

/// Codecs of sound that are not exact.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Codec {
    /// AAC-LC.
    Aac,
    /// MPEG-1 layer III.
    Mp3,
    /// Opus.
    Opus,
    /// AC-3.
    Ac3,
}

impl AudioTrack {
    pub(super) fn sound(&self, codec: Codec) -> Sound {
        Sound {
            tracks: self.track.clone(),
            downmix: self.downmix.unwrap_or(Downmix::Full),
            mono: self.mono,
            channels: Some(self.channels),
            rate: Some(self.rate),
            loudness: self.loudness,
            coding: Some(Coding { codec, bitrate: self.bitrate }),
            bed: None,
            around: None,
        }
    }

    pub(super) fn check(&self, codec: Codec) -> Result<(), String> {
        one_of("channels", self.channels, &[1, 2, 6])?;
        match codec {
            Codec::Opus => opus(self.rate, self.bitrate)?,
            _ => aac(self.rate, self.bitrate)?,
        }
        level(self.loudness)
    }
}

impl Lossy {
    pub(super) fn sound(&self, codec: Codec, usual: Downmix) -> Sound {
        Sound {
            tracks: self.track.clone(),
            downmix: self.downmix.unwrap_or(usual),
            mono: self.mono,
            channels: Some(self.channels),
            rate: Some(self.rate),
            loudness: self.loudness,
            coding: Some(Coding { codec, bitrate: self.bitrate }),
            bed: None,
            around: None,
        }
    }

    /// `format` is the word that it goes by in profiles.
    pub(super) fn check(&self, format: &str, kind: MediaKind) -> Result<(), String> {
        audible(format, kind)?;
        level(self.loudness)?;
        let channels: &[u32] = if format == "mp3" { &[1, 2] } else { &[1, 2, 6] };
        one_of("channels", self.channels, channels)?;
        let kilobits = |known: &[u32]| {
            let known: Vec<u32> = known.iter().map(|k| k * 1000).collect();
            one_of("bitrate", self.bitrate.0, &known)
        };
        match format {
            "mp3" => {
                one_of("rate", self.rate, &[32_000, 44_100, 48_000])?;
                kilobits(&[32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320])
            }
            "m4a" => aac(self.rate, self.bitrate),
            "opus" => opus(self.rate, self.bitrate),
            _ => {
                one_of("rate", self.rate, &[32_000, 44_100, 48_000])?;
                kilobits(&[64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384, 448, 512, 576, 640])?;
                match (self.channels, self.bitrate.0) {
                    (6, ..320_000) => {
                        Err(format!("{} bits a second for 6 channels of AC-3, expected 320k or more", self.bitrate.0))
                    }
                    (2, ..96_000) => {
                        Err(format!("{} bits a second for 2 channels of AC-3, expected 96k or more", self.bitrate.0))
                    }
                    _ => Ok(()),
                }
            }
        }
    }
}

impl Lossless {
    pub(super) fn sound(&self, usual: Downmix) -> Sound {
        Sound {
            tracks: self.track.clone(),
            downmix: self.downmix.unwrap_or(usual),
            mono: self.mono,
            channels: self.channels,
            rate: Some(self.rate),
            loudness: self.loudness,
            coding: None,
            bed: None,
            around: None,
        }
    }

    pub(super) fn check(&self, format: &str, kind: MediaKind) -> Result<(), String> {
        audible(format, kind)?;
        level(self.loudness)?;
        one_of("bits", self.bits, if format == "flac" { &[16, 24] } else { &[16, 24, 32] })?;
        one_of("rate", self.rate, &[16_000, 32_000, 44_100, 48_000, 96_000])?;
        match self.channels {
            Some(c) => one_of("channels", c, &[1, 2, 6]),
            None => Ok(()),
        }
    }
}

pub(super) fn one_of(what: &str, value: u32, known: &[u32]) -> Result<(), String> {
    match known.contains(&value) {
        true => Ok(()),
        false => Err(format!("{what} {value} was given, expected one of {known:?}")),
    }
}

pub(super) fn audible(format: &str, kind: MediaKind) -> Result<(), String> {
    if matches!(kind, MediaKind::Video | MediaKind::Audio) {
        return Ok(());
    }
    // By its sound: an m4a, an opus, an ac3, an mp3.
    let article = if matches!(format, "wav" | "flac" | "waveform") { "a" } else { "an" };
    Err(format!("{article} {format} cannot be made of an {kind} master: expected {}", possible(kind)))
}

fn aac(rate: u32, bitrate: BitRate) -> Result<(), String> {
    one_of("rate", rate, &[32_000, 44_100, 48_000])?;
    match bitrate.0 {
        32_000..=512_000 => Ok(()),
        other => Err(format!("an AAC bitrate of {other} was given, expected 32k to 512k")),
    }
}

fn opus(rate: u32, bitrate: BitRate) -> Result<(), String> {
    // Whatever it is fed, Opus plays at 48 kHz (RFC 7845, 5.1).
    one_of("rate", rate, &[48_000])?;
    match bitrate.0 {
        6_000..=510_000 => Ok(()),
        other => Err(format!("an Opus bitrate of {other} was given, expected 6k to 510k")),
    }
}

fn level(loudness: Option<Loudness>) -> Result<(), String> {
    match loudness {
        Some(l) if !(-400..=-80).contains(&l.target.0) => {
            Err(format!("a loudness of {} was given, expected -40 LUFS to -8 LUFS", l.target))
        }
        Some(l) if !(-200..=0).contains(&l.true_peak.0) => {
            Err(format!("a true peak of {} was given, expected -20 dBTP to 0 dBTP", l.true_peak))
        }
        _ => Ok(()),
    }
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
fn r128() -> Lufs {
    Lufs(-230)
}
fn below_full_scale() -> Decibels {
    Decibels(-10)
}
