//! What an entry can ask for of the picture that editors scrub in: peaks, and a drawing of them.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Color, Downmix, Mono, Sound, Tracks, sound};
use crate::model::MediaKind;

/// The smallest and the largest sample of every so many, as `audiowaveform` (BBC) writes them and Peaks.js reads them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Waveform {
    /// The forms to write: `json`, `dat` or both; none when a picture is all that is wanted.
    #[serde(default = "both")]
    pub formats: Vec<PeakFormat>,
    /// Samples that one pair stands for, from the closest view to the widest: 1 to 8 numbers from 16 to 1048576. Each
    /// makes a file of its own in each form.
    #[serde(default = "levels")]
    pub samples_per_pixel: Vec<u32>,
    /// Bits of a value, 8 or 16.
    #[serde(default = "eight")]
    pub bits: u32,
    /// Whether channels are averaged or kept apart.
    #[serde(default)]
    pub channels: PeakChannels,
    /// Which of the master's sound tracks.
    #[serde(default, skip_serializing_if = "Tracks::is_first")]
    pub track: Tracks,
    /// A picture of the whole recording. Left out: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub picture: Option<WaveformPicture>,
}

/// Forms of peaks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PeakFormat {
    /// audiowaveform's JSON, version 2.
    Json,
    /// audiowaveform's binary form, version 2.
    Dat,
}

impl PeakFormat {
    /// The extension of its files.
    pub fn extension(self) -> &'static str {
        match self {
            PeakFormat::Json => "json",
            PeakFormat::Dat => "dat",
        }
    }
}

/// What becomes of channels.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PeakChannels {
    /// Each sample is the mean of all channels.
    #[default]
    Merged,
    /// Each channel has pairs of its own.
    Separate,
}

/// A picture of a whole recording: time from left to right, one band a channel.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct WaveformPicture {
    /// The picture's format.
    #[serde(default)]
    pub format: PictureFormat,
    /// In pixels, 16 to 16383.
    #[serde(default = "width")]
    pub width: u32,
    /// In pixels, 16 to 4096; all channels together.
    #[serde(default = "height")]
    pub height: u32,
    /// Of the wave.
    #[serde(default = "ink")]
    pub color: Color,
    /// Behind it; `none` is transparent.
    #[serde(default = "paper")]
    pub background: Color,
}

/// Formats of a drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum PictureFormat {
    /// Every pixel exact.
    #[default]
    Png,
    /// Every pixel exact, and smaller.
    Webp,
}

impl PictureFormat {
    fn extension(self) -> &'static str {
        match self {
            PictureFormat::Png => "png",
            PictureFormat::Webp => "webp",
        }
    }

    /// The media type.
    pub fn mime(self) -> &'static str {
        match self {
            PictureFormat::Png => "image/png",
            PictureFormat::Webp => "image/webp",
        }
    }
}

impl Waveform {
    /// The files of peaks: name, form, and samples a pair.
    pub fn peaks(&self, entry: &str) -> Vec<(String, PeakFormat, u32)> {
        let each = |format: &PeakFormat| {
            let format = *format;
            let name = move |level: &u32| (format!("{entry}.{level}.{}", format.extension()), format, *level);
            self.samples_per_pixel.iter().map(name)
        };
        self.formats.iter().flat_map(each).collect()
    }

    /// The name of the picture's file.
    pub fn picture(&self, entry: &str) -> Option<(String, &WaveformPicture)> {
        self.picture.as_ref().map(|p| (format!("{entry}.{}", p.format.extension()), p))
    }

    /// Every file with its media type; the first is the one to open.
    pub(super) fn files(&self, entry: &str) -> Vec<(String, &'static str)> {
        let mime = |format| match format {
            PeakFormat::Json => "application/json",
            PeakFormat::Dat => "application/octet-stream",
        };
        let mut files: Vec<_> = self.peaks(entry).into_iter().map(|(name, format, _)| (name, mime(format))).collect();
        files.extend(self.picture(entry).map(|(name, picture)| (name, picture.format.mime())));
        files
    }

    pub(super) fn sound(&self) -> Sound {
        Sound {
            tracks: self.track.clone(),
            downmix: Downmix::Full,
            mono: Mono::Keep,
            channels: None,
            rate: None,
            loudness: None,
            coding: None,
            bed: None,
            around: None,
        }
    }

    pub(super) fn check(&self, kind: MediaKind) -> Result<(), String> {
        sound::audible("waveform", kind)?;
        sound::one_of("bits", self.bits, &[8, 16])?;
        if self.formats.is_empty() && self.picture.is_none() {
            return Err("it asks for nothing: expected 'json' or 'dat' under formats, or a picture".to_owned());
        }
        if self.formats.iter().enumerate().any(|(i, f)| self.formats[..i].contains(f)) {
            return Err("a format is given twice".to_owned());
        }
        let levels = &self.samples_per_pixel;
        if !(1..=8).contains(&levels.len()) {
            return Err(format!("{} numbers of samples_per_pixel were given, expected 1 to 8", levels.len()));
        }
        if let Some(wrong) = levels.iter().find(|l| !(16..=1 << 20).contains(*l)) {
            return Err(format!("samples_per_pixel {wrong} was given, expected 16 to {}", 1 << 20));
        }
        if levels.windows(2).any(|pair| pair[0] >= pair[1]) {
            return Err(format!("samples_per_pixel {levels:?} was given, expected each larger than the one before"));
        }
        let side = |what: &str, value: u32, most: u32| match (16..=most).contains(&value) {
            true => Ok(()),
            false => Err(format!("{what} {value} was given, expected 16 to {most}")),
        };
        let Some(picture) = &self.picture else { return Ok(()) };
        side("width", picture.width, 16_383)?;
        side("height", picture.height, 4096)
    }
}

fn both() -> Vec<PeakFormat> {
    vec![PeakFormat::Json, PeakFormat::Dat]
}
fn levels() -> Vec<u32> {
    vec![256, 2048, 16_384]
}
fn eight() -> u32 {
    8
}
fn width() -> u32 {
    1800
}
fn height() -> u32 {
    280
}
fn ink() -> Color {
    Color([0x1f, 0x5f, 0xa8, 0xff])
}
fn paper() -> Color {
    Color([0xff, 0xff, 0xff, 0xff])
}
