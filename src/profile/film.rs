//! Films: moving pictures with sound in one file, and how fast their frames come.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{
    AudioTrack, Codec, Color, VideoTrack,
    picture::side,
    rendition::possible,
    video::{ANY, Holds, MPEG, OPEN},
};
use crate::model::MediaKind;

/// Moving pictures and sound in one file: square pixels, even sizes, rotation baked in, BT.709 of 8 bits unless asked
/// otherwise, timestamps kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Film {
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
    /// How many frames a second. Left out: as they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<FrameRate>,
    /// What shows through where the master is transparent. Left out: black.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Color>,
}

/// The files that a film can be in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FilmFormat {
    /// MP4, its index first.
    Mp4,
    /// MP4 in fragments.
    FragmentedMp4,
    /// WebM.
    WebM,
    /// QuickTime.
    QuickTime,
    /// MPEG transport stream.
    Transport,
}

impl FilmFormat {
    fn holds(self) -> Holds<'static> {
        let (container, codecs) = match self {
            FilmFormat::Mp4 => ("an mp4", ANY),
            FilmFormat::FragmentedMp4 => ("an fmp4", ANY),
            FilmFormat::WebM => ("a webm", OPEN),
            FilmFormat::QuickTime => ("a mov", MPEG),
            FilmFormat::Transport => ("a ts", MPEG),
        };
        Holds { container, codecs }
    }

    /// The codec of its sound.
    pub fn sound(self) -> Codec {
        if self == FilmFormat::WebM { Codec::Opus } else { Codec::Aac }
    }
}

impl Film {
    /// What the pictures stand before where they are transparent.
    pub fn background(&self) -> [u8; 3] {
        self.background.map_or([0; 3], Color::rgb)
    }

    pub(super) fn leave_out_usual(&mut self) {
        self.video.leave_out_usual();
        self.frame_rate = self.frame_rate.filter(|r| *r != FrameRate::Keep);
        self.background = self.background.filter(|c| c.rgb() != [0; 3]);
    }

    pub(super) fn check(&self, format: FilmFormat, kind: MediaKind) -> Result<(), String> {
        let holds = format.holds();
        let can = match kind {
            MediaKind::Video => true,
            MediaKind::Animation => matches!(format, FilmFormat::Mp4 | FilmFormat::WebM),
            _ => false,
        };
        if !can {
            return Err(format!("{} cannot be made of an {kind} master: expected {}", holds.container, possible(kind)));
        }
        side("max_width", self.max_width)?;
        side("max_height", self.max_height)?;
        self.video.check(&holds)?;
        check_background(self.background)?;
        if kind == MediaKind::Animation && self.video.is_two_pass() {
            return Err("an animation is encoded in one pass: leave 'passes' out".to_owned());
        }
        if kind == MediaKind::Animation && self.frame_rate.is_some_and(|rate| rate != FrameRate::Keep) {
            return Err("the frames of an animation come as they like: leave 'frame_rate' out".to_owned());
        }
        let Some(audio) = &self.audio else { return Ok(()) };
        if kind == MediaKind::Animation {
            return Err("an animation has no sound: leave 'audio' out".to_owned());
        }
        audio.check(format.sound())
    }
}

pub(super) fn check_background(color: Option<Color>) -> Result<(), String> {
    match color {
        Some(c) if c.0[3] != 255 => Err(format!("a background of {c} was given, expected one without opacity")),
        _ => Ok(()),
    }
}

/// How many frames a second.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameRate {
    /// As the master's come, evenly or not.
    Keep,
    /// Evenly, so many: numerator and denominator. Frames are left out or shown again.
    Even(u32, u32),
    /// At most so many: of more, every second, third … frame is kept.
    Most(u32, u32),
}

const EXPECTED: &str = "keep, frames a second such as 25 or 30000/1001, or max: 30 (1 to 240)";

impl FrameRate {
    /// The even rate that frames of this rate are brought to; none: they stay as they come.
    pub fn of(self, (n, d): (u32, u32)) -> Option<(u32, u32)> {
        match self {
            FrameRate::Keep => None,
            FrameRate::Even(n, d) => Some((n, d)),
            FrameRate::Most(most, per) => {
                let (is, limit) = (u64::from(n) * u64::from(per), u64::from(most) * u64::from(d));
                if is <= limit || limit == 0 {
                    return None;
                }
                // A hair above the limit, as 30.0003, is within it.
                let every = (is.saturating_sub(limit / 1000)).div_ceil(limit).max(1);
                let slow = u64::from(d) * every;
                (every > 1).then(|| (n, u32::try_from(slow).unwrap_or(u32::MAX)))
            }
        }
    }
}

/// `25`, `29.97`, `30000/1001`.
fn rate(text: &str) -> Option<(u32, u32)> {
    let is_sound = |(n, d): (u32, u32)| d > 0 && n >= d && n / d <= 240;
    let whole = |text: &str| text.bytes().all(|b| b.is_ascii_digit()).then(|| text.parse().ok()).flatten();
    if let Some((n, d)) = text.split_once('/') {
        return Some((whole(n)?, whole(d)?)).filter(|r| is_sound(*r));
    }
    match text {
        // What these are short for.
        "23.976" | "23.98" => Some((24_000, 1001)),
        "29.97" => Some((30_000, 1001)),
        "59.94" => Some((60_000, 1001)),
        "119.88" => Some((120_000, 1001)),
        _ => match text.split_once('.') {
            None => Some((whole(text)?, 1)).filter(|r| is_sound(*r)),
            Some((whole_part, decimals)) if (1..=3).contains(&decimals.len()) => {
                let scale = 10u32.pow(decimals.len() as u32);
                let n = whole(whole_part)?.checked_mul(scale)?.checked_add(whole(decimals)?)?;
                Some((n, scale)).filter(|r| is_sound(*r))
            }
            Some(_) => None,
        },
    }
}

fn written((n, d): (u32, u32)) -> String {
    if d == 1 { n.to_string() } else { format!("{n}/{d}") }
}

impl fmt::Display for FrameRate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            FrameRate::Keep => f.write_str("keep"),
            FrameRate::Even(n, d) => f.write_str(&written((*n, *d))),
            FrameRate::Most(n, d) => write!(f, "max: {}", written((*n, *d))),
        }
    }
}

impl Serialize for FrameRate {
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        match self {
            FrameRate::Most(n, d) => s.collect_map([("max", written((*n, *d)))]),
            other => s.collect_str(other),
        }
    }
}

impl<'de> Deserialize<'de> for FrameRate {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        d.deserialize_any(RateVisitor)
    }
}

struct RateVisitor;

impl<'de> de::Visitor<'de> for RateVisitor {
    type Value = FrameRate;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<FrameRate, E> {
        if text == "keep" {
            return Ok(FrameRate::Keep);
        }
        let known = rate(text).map(|(n, d)| FrameRate::Even(n, d));
        known.ok_or_else(|| E::custom(format!("'{text}' was given, expected {EXPECTED}")))
    }

    fn visit_u64<E: de::Error>(self, number: u64) -> Result<FrameRate, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_i64<E: de::Error>(self, number: i64) -> Result<FrameRate, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_f64<E: de::Error>(self, number: f64) -> Result<FrameRate, E> {
        self.visit_str(&number.to_string())
    }

    fn visit_map<A: de::MapAccess<'de>>(self, mut map: A) -> Result<FrameRate, A::Error> {
        let wrong = || de::Error::custom(format!("expected {EXPECTED}"));
        let Some((key, value)) = map.next_entry::<String, FrameRate>()? else { return Err(wrong()) };
        match (key.as_str(), value, map.next_key::<String>()?) {
            ("max", FrameRate::Even(n, d), None) => Ok(FrameRate::Most(n, d)),
            _ => Err(wrong()),
        }
    }
}

impl JsonSchema for FrameRate {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "FrameRate".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        let rate = serde_json::json!({
            "type": ["string", "number"],
            "pattern": r"^(keep|[0-9]+(\.[0-9]{1,3}|/[0-9]+)?)$",
        });
        schemars::json_schema!({
            "description": EXPECTED,
            "anyOf": [rate, {
                "type": "object",
                "properties": { "max": rate },
                "required": ["max"],
                "additionalProperties": false,
            }],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_read_and_written_alike() {
        for (yaml, read) in [
            ("\"keep\"", FrameRate::Keep),
            ("25", FrameRate::Even(25, 1)),
            ("29.97", FrameRate::Even(30_000, 1001)),
            ("12.5", FrameRate::Even(125, 10)),
            ("\"30000/1001\"", FrameRate::Even(30_000, 1001)),
            ("{\"max\": 30}", FrameRate::Most(30, 1)),
        ] {
            let rate: FrameRate = serde_json::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
            assert_eq!(rate, read);
            let again = serde_json::to_string(&rate).unwrap_or_else(|e| panic!("{e}"));
            assert_eq!(serde_json::from_str::<FrameRate>(&again).ok(), Some(read));
        }
        for bad in ["0", "-25", "241", "\"25/0\"", "\"fast\"", "{\"min\": 3}", "{}", "{\"max\": \"keep\"}", "[25]"] {
            assert!(serde_json::from_str::<FrameRate>(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn above_the_limit_every_second_or_third_frame_is_kept() {
        let most = FrameRate::Most(30, 1);
        assert_eq!(most.of((25, 1)), None);
        assert_eq!(most.of((30, 1)), None);
        assert_eq!(most.of((30_000, 1001)), None);
        assert_eq!(most.of((50, 1)), Some((50, 2)));
        assert_eq!(most.of((60_000, 1001)), Some((60_000, 2002)));
        assert_eq!(most.of((120, 1)), Some((120, 4)));
        assert_eq!(most.of((0, 1)), None);
        assert_eq!(FrameRate::Even(25, 1).of((24_000, 1001)), Some((25, 1)));
    }
}
