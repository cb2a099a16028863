//! What an entry can ask for in still pictures: one of a master, sheets of small ones to scrub through, one a scene.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Color, Interval, Position, film::check_background, rendition};
use crate::model::MediaKind;

/// A still picture in a lossy format: sRGB, orientation baked in, no metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Still {
    /// Not wider than this. Never upscaled, aspect kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_width: Option<u32>,
    /// Not higher than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// 1 to 100. 100 makes a JPEG XL lossless.
    #[serde(default = "quality_75")]
    pub quality: u8,
    /// 0 (fast) to 6 (small) for WebP, to 9 for AVIF; 1 to 9 for JPEG XL. JPEG has none.
    #[serde(default = "effort_4")]
    pub effort: u8,
    /// For videos: where to take the frame.
    #[serde(default = "tenth")]
    pub at: Position,
    /// Of a video: what shows through where it is transparent. Left out: black.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Color>,
}

/// A still picture with every pixel kept: sRGB, 8 bits, orientation baked in, no metadata.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Exact {
    /// Not wider than this. Never upscaled, aspect kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_width: Option<u32>,
    /// Not higher than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// 1 (fast) to 9 (small).
    #[serde(default = "effort_4")]
    pub effort: u8,
    /// For videos: where to take the frame.
    #[serde(default = "tenth")]
    pub at: Position,
}

/// Sheets of small pictures at even distances, and a WebVTT list that says which part of which sheet shows what time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sprite {
    /// Width of one picture, 16 to 1024.
    #[serde(default = "tile_width")]
    pub tile_width: u32,
    /// Pictures side by side, 1 to 50.
    #[serde(default = "ten")]
    pub columns: u32,
    /// Most rows of a sheet, 1 to 50; what is more goes onto further sheets.
    #[serde(default = "ten")]
    pub rows: u32,
    /// Time from picture to picture, from 1s on; 10s when neither this nor `count` is given. Of a long recording it is
    /// widened, so that there are at most 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub interval: Option<Interval>,
    /// Number of pictures, whatever the duration, 1 to 3600.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// The sheets' format.
    #[serde(default)]
    pub format: SheetFormat,
    /// 1 to 100.
    #[serde(default = "quality_75")]
    pub quality: u8,
}

/// One picture for each scene, as JPEG, and a JSON list of their times.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Scenes {
    /// Most pictures, 1 to 200. Of more cuts, the hardest are taken.
    #[serde(default = "hundred")]
    pub most: u32,
    /// How much a picture must differ from the one before, in percent of what two pictures can differ: 1 to 100.
    #[serde(default = "thirty")]
    pub threshold: u8,
    /// Not wider than this. Never upscaled, aspect kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_width: Option<u32>,
    /// Not higher than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// 1 to 100.
    #[serde(default = "quality_75")]
    pub quality: u8,
}

/// Formats of a sheet.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SheetFormat {
    /// JPEG.
    #[default]
    Jpeg,
    /// WebP.
    Webp,
}

/// Most pictures of a sprite.
const MOST_TILES: u64 = 3600;

impl Sprite {
    /// The times that each picture stands for, in milliseconds: from, to. They cover the recording without a gap.
    pub fn cues(&self, duration_ms: u64) -> Vec<(u64, u64)> {
        let duration_ms = duration_ms.max(1);
        let count = match self.count {
            Some(count) => u64::from(count).min(duration_ms),
            None => duration_ms.div_ceil(self.step(duration_ms)),
        };
        let from = |i: u64| match self.count {
            Some(_) => duration_ms * i / count,
            None => (self.step(duration_ms) * i).min(duration_ms),
        };
        (0..count).map(|i| (from(i), from(i + 1))).collect()
    }

    fn step(&self, duration_ms: u64) -> u64 {
        let asked = self.interval.map_or(10_000, |i| u64::from(i.0));
        asked.max(duration_ms.div_ceil(MOST_TILES))
    }

    /// The name of a sheet, from 0.
    pub fn sheet(&self, entry: &str, index: usize) -> String {
        let extension = match self.format {
            SheetFormat::Jpeg => "jpg",
            SheetFormat::Webp => "webp",
        };
        format!("{entry}.{:03}.{extension}", index + 1)
    }

    /// How a sheet is encoded.
    pub fn coding(&self) -> rendition::Spec {
        let still = Still { quality: self.quality, ..Still::plain() };
        match self.format {
            SheetFormat::Jpeg => rendition::Spec::Jpeg(still),
            SheetFormat::Webp => rendition::Spec::Webp(still),
        }
    }

    pub(super) fn check(&self, kind: MediaKind) -> Result<(), String> {
        moving("sprite", kind)?;
        within("tile_width", self.tile_width, 16..=1024)?;
        within("columns", self.columns, 1..=50)?;
        within("rows", self.rows, 1..=50)?;
        within("quality", self.quality.into(), 1..=100)?;
        if self.columns * self.tile_width > 16_383 {
            return Err(format!(
                "{} columns of {} were given, expected at most 16383 pixels in all",
                self.columns, self.tile_width
            ));
        }
        match (self.interval, self.count) {
            (Some(_), Some(_)) => Err("interval and count were given, expected one of them".to_owned()),
            (Some(interval), None) => within("interval (in milliseconds)", interval.0, 1000..=3_600_000),
            (None, Some(count)) => within("count", count, 1..=MOST_TILES as u32),
            (None, None) => Ok(()),
        }
    }
}

impl Scenes {
    /// The name of the picture of a scene, from 0.
    pub fn picture(entry: &str, index: usize) -> String {
        format!("{entry}.{:03}.jpg", index + 1)
    }

    /// How a picture is encoded.
    pub fn coding(&self) -> rendition::Spec {
        let (max_width, max_height) = (self.max_width, self.max_height);
        rendition::Spec::Jpeg(Still { max_width, max_height, quality: self.quality, ..Still::plain() })
    }

    pub(super) fn check(&self, kind: MediaKind) -> Result<(), String> {
        moving("scenes", kind)?;
        within("most", self.most, 1..=200)?;
        within("threshold", self.threshold.into(), 1..=100)?;
        within("quality", self.quality.into(), 1..=100)?;
        side("max_width", self.max_width)?;
        side("max_height", self.max_height)
    }
}

impl Still {
    fn plain() -> Self {
        Self {
            max_width: None,
            max_height: None,
            quality: quality_75(),
            effort: effort_4(),
            at: tenth(),
            background: None,
        }
    }

    /// What a video's frame stands before where it is transparent.
    pub fn background(&self) -> [u8; 3] {
        self.background.map_or([0; 3], Color::rgb)
    }

    pub(super) fn check(&self, kind: MediaKind, efforts: std::ops::RangeInclusive<u32>) -> Result<(), String> {
        check_background(self.background)?;
        if self.background.is_some() && kind != MediaKind::Video {
            return Err(format!("a background is for videos, not for an {kind} master: leave it out"));
        }
        side("max_width", self.max_width)?;
        side("max_height", self.max_height)?;
        within("quality", self.quality.into(), 1..=100)?;
        within("effort", self.effort.into(), efforts)
    }
}

impl Exact {
    pub(super) fn check(&self) -> Result<(), String> {
        side("max_width", self.max_width)?;
        side("max_height", self.max_height)?;
        within("effort", self.effort.into(), 1..=9)
    }
}

fn moving(what: &str, kind: MediaKind) -> Result<(), String> {
    match kind {
        MediaKind::Video => Ok(()),
        kind => Err(format!("a {what} cannot be made of an {kind} master: expected {}", rendition::possible(kind))),
    }
}

pub(super) fn side(what: &str, value: Option<u32>) -> Result<(), String> {
    value.map_or(Ok(()), |v| within(what, v, 16..=16383))
}

fn within(what: &str, value: u32, range: std::ops::RangeInclusive<u32>) -> Result<(), String> {
    match range.contains(&value) {
        true => Ok(()),
        false => Err(format!("{what} {value} was given, expected {} to {}", range.start(), range.end())),
    }
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
fn tile_width() -> u32 {
    160
}
fn ten() -> u32 {
    10
}
fn hundred() -> u32 {
    100
}
fn thirty() -> u8 {
    30
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sprite(json: &str) -> Sprite {
        serde_json::from_str(json).unwrap()
    }

    #[test]
    fn cues_cover_the_recording_without_a_gap() {
        for (json, duration_ms, count) in [
            ("{}", 25_000, 3),
            (r#"{"interval": "1s"}"#, 10_000, 10),
            (r#"{"interval": "1s"}"#, 10_001, 11),
            (r#"{"interval": "1s"}"#, 36_000_000, 3600),
            (r#"{"count": 7}"#, 10_000, 7),
            (r#"{"count": 7}"#, 3, 3),
            ("{}", 0, 1),
        ] {
            let cues = sprite(json).cues(duration_ms);
            assert_eq!((cues.len(), cues[0].0, cues[cues.len() - 1].1), (count, 0, duration_ms.max(1)), "{json}");
            assert!(cues.windows(2).all(|pair| pair[0].1 == pair[1].0));
            assert!(cues.iter().all(|(from, to)| from < to));
        }
    }

    #[test]
    fn an_interval_and_a_count_are_too_much() {
        let both = sprite(r#"{"interval": "2s", "count": 7}"#);
        assert!(both.check(MediaKind::Video).unwrap_err().contains("expected one of them"));
        assert!(sprite("{}").check(MediaKind::Audio).is_err());
        assert!(sprite(r#"{"columns": 50, "tile_width": 400}"#).check(MediaKind::Video).is_err());
    }
}
