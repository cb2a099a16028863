//! `when:`: of which masters an entry is wanted.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Span;
use crate::model::{FieldOrder, MediaFacts};

/// Conditions on the master, as it was measured; all must hold. What could not be measured fulfills none.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct When {
    /// Its pictures, as shown, are at least this high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_height: Option<u32>,
    /// They are at most this high.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// It is at least this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_duration: Option<Span>,
    /// It is at most this long.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_duration: Option<Span>,
    /// Its pictures, or of sound alone its first track, are of one of these codecs, as ffprobe names them.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub codec: Vec<String>,
    /// Whether its pictures are of high dynamic range (PQ or HLG).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hdr: Option<bool>,
    /// Whether they are interlaced.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub interlaced: Option<bool>,
    /// Whether they have alpha.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub alpha: Option<bool>,
    /// Channels of all its sound tracks together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channels: Option<Between>,
}

/// A number within bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Between {
    /// At least.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min: Option<u32>,
    /// At most.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max: Option<u32>,
}

impl Between {
    fn holds(self, number: u32) -> bool {
        self.min.is_none_or(|min| number >= min) && self.max.is_none_or(|max| number <= max)
    }
}

impl When {
    /// Whether all conditions hold of this master. One that cannot be read fulfills them, so that its trouble is told.
    pub fn holds(&self, master: &MediaFacts) -> bool {
        if master.problem.is_some() {
            return true;
        }
        let height = Between { min: self.min_height, max: self.max_height };
        let height = height == Between::default() || master.display_size().is_some_and(|(_, h)| height.holds(h));
        let long = |is: &dyn Fn(u64, u64) -> bool, bound: Option<Span>| {
            bound.is_none_or(|bound| master.duration_ms.is_some_and(|ms| is(ms, bound.0)))
        };
        let duration = long(&|ms, min| ms >= min, self.min_duration) && long(&|ms, max| ms <= max, self.max_duration);
        let video = master.video.as_ref();
        let codec = video.map(|v| &v.codec).or(master.audio.first().map(|a| &a.codec));
        let codec = self.codec.is_empty() || codec.is_some_and(|c| self.codec.contains(c));
        let said = |wanted: Option<bool>, is: bool| wanted.is_none_or(|wanted| wanted == is);
        let alpha = video.is_some_and(|v| v.alpha) || master.image.as_ref().is_some_and(|i| i.alpha);
        let channels = master.audio.iter().map(|a| a.channels).sum();
        height
            && duration
            && codec
            && said(self.hdr, video.is_some_and(|v| v.is_hdr()))
            && said(self.interlaced, video.is_some_and(|v| v.field_order != FieldOrder::Progressive))
            && said(self.alpha, alpha)
            && self.channels.is_none_or(|between| between.holds(channels))
    }

    fn words(&self) -> Vec<String> {
        let least = |what: &str, bound: Option<String>| bound.map(|b| format!("{what} from {b}"));
        let most = |what: &str, bound: Option<String>| bound.map(|b| format!("{what} up to {b}"));
        let said = |what: &str, wanted: Option<bool>| {
            wanted.map(|wanted| if wanted { what.to_owned() } else { format!("not {what}") })
        };
        let text = |n: Option<u32>| n.map(|n| n.to_string());
        let channels = self.channels.unwrap_or_default();
        [
            least("height", text(self.min_height)),
            most("height", text(self.max_height)),
            least("duration", self.min_duration.map(|d| d.to_string())),
            most("duration", self.max_duration.map(|d| d.to_string())),
            Some(self.codec.join(" or ")).filter(|codec| !codec.is_empty()),
            said("HDR", self.hdr),
            said("interlaced", self.interlaced),
            said("with alpha", self.alpha),
            least("channels", text(channels.min)),
            most("channels", text(channels.max)),
        ]
        .into_iter()
        .flatten()
        .collect()
    }

    pub(super) fn check(&self) -> Result<(), String> {
        if *self == Self::default() {
            return Err("'when' names no condition: leave it out".to_owned());
        }
        let crossed = |what: &str| Err(format!("'when' asks for a least {what} above the most"));
        match (self.min_height, self.max_height) {
            (Some(min), Some(max)) if min > max => return crossed("height"),
            _ => {}
        }
        match (self.min_duration, self.max_duration) {
            (Some(min), Some(max)) if min.0 > max.0 => return crossed("duration"),
            _ => {}
        }
        match self.channels {
            Some(Between { min: Some(min), max: Some(max) }) if min > max => crossed("number of channels"),
            Some(Between { min: None, max: None }) => Err("'channels' needs min or max".to_owned()),
            _ => Ok(()),
        }
    }
}

impl fmt::Display for When {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words().join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn holds(yaml: &str, facts: &str) -> bool {
        let when: When = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{yaml}: {e}"));
        assert_eq!(when.check(), Ok(()), "{yaml}");
        when.holds(&serde_json::from_str(facts).unwrap_or_else(|e| panic!("{e}")))
    }

    const FILM: &str = r#"{"kind": "video", "mime": "video/mp4", "duration_ms": 90000,
        "video": {"codec": "prores", "width": 1080, "height": 1920, "rotation": 90, "field_order": "top",
                  "transfer": "smpte2084"},
        "audio": [{"codec": "pcm_s24le", "channels": 1, "rate": 48000}, {"codec": "aac", "channels": 2, "rate": 48000}]}"#;
    const SOUND: &str =
        r#"{"kind": "audio", "mime": "audio/mpeg", "audio": [{"codec": "mp3", "channels": 2, "rate": 44100}]}"#;
    const STILL: &str = r#"{"kind": "image", "mime": "image/png", "image": {"width": 30, "height": 20, "orientation": 6,
        "bit_depth": 8, "color": "rgb", "alpha": true, "frames": 1}}"#;

    #[test]
    fn conditions_are_those_of_the_picture_as_it_is_shown() {
        assert!(holds("{min_height: 1080, max_height: 1080}", FILM));
        assert!(!holds("{min_height: 1081}", FILM));
        assert!(holds("{min_height: 30}", STILL));
        assert!(!holds("{min_height: 1}", SOUND));
        assert!(!holds("{max_height: 1}", SOUND));
    }

    #[test]
    fn every_condition_must_hold_and_what_is_not_known_holds_none() {
        assert!(holds(
            "{min_duration: 1min, max_duration: 1.5min, codec: [prores, dnxhd], hdr: true, interlaced: true}",
            FILM
        ));
        assert!(!holds("{min_duration: 1min, hdr: false}", FILM));
        assert!(!holds("{min_duration: 2h}", FILM));
        assert!(!holds("{max_duration: 2h}", SOUND));
        assert!(holds("{codec: [mp3]}", SOUND));
        assert!(holds("{channels: {min: 3, max: 3}}", FILM));
        assert!(!holds("{channels: {min: 3}}", SOUND));
        assert!(holds("{channels: {max: 0}, alpha: true}", STILL));
        assert!(holds("{alpha: false}", FILM));
    }

    #[test]
    fn conditions_are_told_in_words() {
        let yaml = "{min_height: 2160, max_duration: 10min, codec: [prores, dnxhd], hdr: false, channels: {min: 6}}";
        let when: When = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(
            when.to_string(),
            "height from 2160, duration up to 600s, prores or dnxhd, not HDR, channels from 6"
        );
    }

    #[test]
    fn a_master_that_cannot_be_read_is_wanted_so_that_it_is_told() {
        assert!(holds(
            "{min_height: 2160}",
            r#"{"kind": "video", "mime": "video/mp4", "problem": "the file is empty"}"#
        ));
    }
}
