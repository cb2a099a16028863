//! `mezzanine:`: files to edit with, of single pictures, which keep depth, colors, fields and timecode.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Color, FrameRate, Lossless, film::check_background, picture::side, rendition::possible};
use crate::model::MediaKind;

/// A file to edit with: ProRes, DNxHD or DNxHR in QuickTime, with linear PCM. Colors stay as they are in the master
/// (of limited range), pixels become square, timecode is carried over.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Mezzanine {
    /// The codec.
    #[serde(default)]
    pub codec: MezzanineCodec,
    /// Its profile. Left out: `hq`, or `hqx` where there is one and the master has more than 8 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub profile: Option<MezzanineProfile>,
    /// Not wider than this. Never upscaled, aspect kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_width: Option<u32>,
    /// Not higher than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// What becomes of interlaced masters.
    #[serde(default)]
    pub interlaced: Interlaced,
    /// How many frames a second. Left out: as they come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub frame_rate: Option<FrameRate>,
    /// What shows through where the master is transparent, unless the profile keeps that. Left out: black.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Color>,
    /// The sound, linear PCM. Left out: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<Lossless>,
}

/// Codecs to edit with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MezzanineCodec {
    /// Apple ProRes, of 10 bits.
    #[default]
    Prores,
    /// Avid DNxHD (SMPTE VC-3): 1920 × 1080 and 1280 × 720, at the rates of television.
    Dnxhd,
    /// Avid DNxHR, of 1920 × 1080 and 1280 × 720 here.
    Dnxhr,
}

/// Profiles of those codecs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum MezzanineProfile {
    /// ProRes 422 Proxy.
    Proxy,
    /// ProRes 422 LT.
    Lt,
    /// ProRes 422.
    Standard,
    /// ProRes 422 HQ; DNxHD's and DNxHR's 8 bits of high quality (DNxHD 220).
    Hq,
    /// ProRes 4444, with alpha where the master has it.
    #[serde(rename = "4444")]
    FourFourFourFour,
    /// DNxHD's and DNxHR's low bandwidth (DNxHD 36), 8 bits.
    Lb,
    /// DNxHD's and DNxHR's standard quality (DNxHD 145), 8 bits.
    Sq,
    /// DNxHD's and DNxHR's high quality of 10 bits (DNxHD 220x).
    Hqx,
    /// DNxHR 444, of 10 bits.
    #[serde(rename = "444")]
    FourFourFour,
}

/// What becomes of interlaced masters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Interlaced {
    /// They stay interlaced, field order and all; their height cannot be changed.
    #[default]
    Keep,
    /// One frame for each frame.
    Deinterlace,
}

impl MezzanineProfile {
    /// As profiles write it.
    pub fn as_str(self) -> &'static str {
        match self {
            MezzanineProfile::Proxy => "proxy",
            MezzanineProfile::Lt => "lt",
            MezzanineProfile::Standard => "standard",
            MezzanineProfile::Hq => "hq",
            MezzanineProfile::FourFourFourFour => "4444",
            MezzanineProfile::Lb => "lb",
            MezzanineProfile::Sq => "sq",
            MezzanineProfile::Hqx => "hqx",
            MezzanineProfile::FourFourFour => "444",
        }
    }
}

impl Mezzanine {
    /// The profile for a master of this many bits.
    pub fn profile_of(&self, depth: u8) -> MezzanineProfile {
        self.profile.unwrap_or(match self.codec {
            MezzanineCodec::Dnxhd | MezzanineCodec::Dnxhr if depth > 8 => MezzanineProfile::Hqx,
            _ => MezzanineProfile::Hq,
        })
    }

    /// What the pictures stand before where they are transparent.
    pub fn background(&self) -> [u8; 3] {
        self.background.map_or([0; 3], Color::rgb)
    }

    pub(super) fn leave_out_usual(&mut self) {
        self.frame_rate = self.frame_rate.filter(|r| *r != FrameRate::Keep);
        self.background = self.background.filter(|c| c.rgb() != [0; 3]);
    }

    pub(super) fn check(&self, kind: MediaKind) -> Result<(), String> {
        use MezzanineProfile as P;
        if kind != MediaKind::Video {
            return Err(format!("a mezzanine cannot be made of an {kind} master: expected {}", possible(kind)));
        }
        let (codec, known): (&str, &[P]) = match self.codec {
            MezzanineCodec::Prores => ("prores", &[P::Proxy, P::Lt, P::Standard, P::Hq, P::FourFourFourFour]),
            MezzanineCodec::Dnxhd => ("dnxhd", &[P::Lb, P::Sq, P::Hq, P::Hqx]),
            MezzanineCodec::Dnxhr => ("dnxhr", &[P::Lb, P::Sq, P::Hq, P::Hqx, P::FourFourFour]),
        };
        if let Some(profile) = self.profile.filter(|p| !known.contains(p)) {
            let known: Vec<&str> = known.iter().map(|p| p.as_str()).collect();
            return Err(format!("{codec} has no profile '{}': expected one of {}", profile.as_str(), known.join(", ")));
        }
        side("max_width", self.max_width)?;
        side("max_height", self.max_height)?;
        check_background(self.background)?;
        self.audio.as_ref().map_or(Ok(()), |audio| audio.check("mezzanine", kind))
    }
}
