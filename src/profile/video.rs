//! How pictures are encoded, and which file holds which codec.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{BitRate, Interval};

/// How the picture is encoded: to an average bit rate, or to a constant quality.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct VideoTrack {
    /// The codec.
    #[serde(default)]
    pub codec: VideoCodec,
    /// Average bit rate. This or `crf`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bitrate: Option<BitRate>,
    /// Constant quality, smaller is better: 0 to 51 for H.264 and H.265, 0 to 63 for VP9 and AV1. This or `bitrate`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub crf: Option<u8>,
    /// With `crf`, or with the `bitrate` of H.265: the bit rate that a decoder's buffer is filled at.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_bitrate: Option<BitRate>,
    /// How much of that bit rate the decoder's buffer holds, up to 10 s. H.264 and H.265.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub buffer: Option<Interval>,
    /// 2: looks at the whole film before it is encoded to its `bitrate`. H.264, H.265 and VP9.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub passes: Option<u8>,
    /// Bits a component: 8, or for H.265 10 where the master has more than 8.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<u8>,
    /// What becomes of high dynamic range (PQ, HLG). Left out: tone-mapped.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hdr: Option<Hdr>,
    /// What encodes H.264 and H.265. Left out: software.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encoder: Option<EncoderKind>,
    /// The encoder's trade of time for quality.
    #[serde(default)]
    pub preset: Preset,
    /// Longest distance of two keyframes.
    #[serde(default = "two_seconds")]
    pub keyframe_interval: Interval,
    /// Where keyframes are. H.264 and H.265. Left out: at cuts as well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keyframes: Option<Keyframes>,
}

/// Where keyframes are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Keyframes {
    /// At the longest distance, and where the picture changes at once.
    AtCuts,
    /// At even distances alone, as the rungs of a stream have them.
    Even,
}

/// Video codecs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VideoCodec {
    /// H.264 High, by x264.
    #[default]
    H264,
    /// H.265 Main or Main 10, by x265.
    H265,
    /// VP9 of profile 0, by libvpx.
    Vp9,
    /// AV1 Main of 8 bits, by SVT-AV1 where GStreamer has it, else by libaom or rav1e.
    Av1,
}

impl VideoCodec {
    /// As ffprobe names it.
    pub fn as_str(self) -> &'static str {
        match self {
            VideoCodec::H264 => "h264",
            VideoCodec::H265 => "hevc",
            VideoCodec::Vp9 => "vp9",
            VideoCodec::Av1 => "av1",
        }
    }

    /// As people name it.
    fn spoken(self) -> &'static str {
        match self {
            VideoCodec::H264 => "H.264",
            VideoCodec::H265 => "H.265",
            VideoCodec::Vp9 => "VP9",
            VideoCodec::Av1 => "AV1",
        }
    }
}

/// What becomes of high dynamic range.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Hdr {
    /// Mapped to BT.709 of standard range.
    ToneMap,
    /// Kept as it is (BT.2020, PQ or HLG), with what the master says of its mastering display.
    Keep,
}

/// What encodes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EncoderKind {
    /// Hardware where it is there and takes these pictures, else software.
    Auto,
    /// The processor.
    Software,
    /// Hardware; without it, the entry fails.
    Hardware,
}

/// x264's presets that make sense for renditions. The other codecs have their like.
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
    /// x264's and x265's name.
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

/// The codecs of a container, and how it is called.
pub(super) struct Holds<'a> {
    /// With its article: `an mp4`.
    pub(super) container: &'a str,
    pub(super) codecs: &'a [VideoCodec],
}

/// MP4, also in fragments.
pub(super) const ANY: &[VideoCodec] = &[VideoCodec::H264, VideoCodec::H265, VideoCodec::Vp9, VideoCodec::Av1];
/// QuickTime and MPEG-TS.
pub(super) const MPEG: &[VideoCodec] = &[VideoCodec::H264, VideoCodec::H265];
/// WebM.
pub(super) const OPEN: &[VideoCodec] = &[VideoCodec::Vp9, VideoCodec::Av1];

impl VideoTrack {
    /// Whether the pictures are looked at before they are encoded.
    pub fn is_two_pass(&self) -> bool {
        self.passes == Some(2)
    }

    /// How many frames the longest distance of keyframes is, at this rate. An unknown one is taken for 10 a second, an
    /// animation's: the interval is an upper bound.
    pub fn frames_in_interval(&self, (n, d): (u32, u32)) -> u32 {
        let rate = if n == 0 || d == 0 { 10.0 } else { f64::from(n) / f64::from(d) };
        (rate * f64::from(self.keyframe_interval.0) / 1000.0).round().clamp(1.0, 10_000.0) as u32
    }

    /// Bits a component of what is made of a master of this many.
    pub fn depth_of(&self, master: u8) -> u8 {
        self.depth.unwrap_or(8).min(if master > 8 { 10 } else { 8 })
    }

    /// Takes out what says no more than its absence does.
    pub(super) fn leave_out_usual(&mut self) {
        self.passes = self.passes.filter(|p| *p != 1);
        self.depth = self.depth.filter(|d| *d != 8);
        self.hdr = self.hdr.filter(|h| *h != Hdr::ToneMap);
        self.encoder = self.encoder.filter(|e| *e != EncoderKind::Software);
        self.keyframes = self.keyframes.filter(|k| *k != Keyframes::AtCuts);
    }

    /// Refuses what the container cannot hold and what its encoder cannot do.
    pub(super) fn check(&self, holds: &Holds<'_>) -> Result<(), String> {
        use VideoCodec::{Av1, H264, H265, Vp9};
        let codec = self.codec;
        let spoken = codec.spoken();
        if !holds.codecs.contains(&codec) {
            let known: Vec<&str> = holds.codecs.iter().map(|c| c.spoken()).collect();
            return Err(format!("{} does not hold {spoken}: expected {}", holds.container, known.join(" or ")));
        }
        let best = if matches!(codec, H264 | H265) { 51 } else { 63 };
        match (self.bitrate, self.crf) {
            (None, None) => return Err("the video has neither bitrate nor crf: expected one of them".to_owned()),
            (Some(_), Some(_)) => return Err("the video has both bitrate and crf: expected one of them".to_owned()),
            (None, Some(crf)) if crf > best => {
                return Err(format!("a crf of {crf} was given for {spoken}, expected 0 to {best}"));
            }
            _ => {}
        }
        match (self.max_bitrate, self.bitrate) {
            (None, _) => {}
            (Some(_), _) if codec == Av1 => return Err("AV1 has no max_bitrate: leave it out".to_owned()),
            (Some(_), Some(_)) if codec != H265 => {
                return Err(format!("max_bitrate goes with crf for {spoken}: leave it or bitrate out"));
            }
            (Some(max), Some(average)) if max < average => {
                return Err(format!("a max_bitrate of {max} was given, expected at least the bitrate, {average}"));
            }
            _ => {}
        }
        if let Some(buffer) = self.buffer {
            if !matches!(codec, H264 | H265) {
                return Err(format!("{spoken} has no buffer: leave it out"));
            }
            if self.bitrate.is_none() && self.max_bitrate.is_none() {
                return Err("a buffer without bitrate or max_bitrate says nothing: give max_bitrate".to_owned());
            }
            if !(100..=10_000).contains(&buffer.0) {
                return Err(format!("a buffer of {} ms was given, expected 100 ms to 10 s", buffer.0));
            }
        }
        match self.passes {
            None | Some(1) => {}
            Some(2) if self.bitrate.is_none() => {
                return Err("passes: 2 goes with bitrate: a crf needs no look ahead".to_owned());
            }
            Some(2) if !matches!(codec, H264 | H265 | Vp9) => {
                return Err(format!("passes: 2 was given for {spoken}, expected H.264, H.265 or VP9"));
            }
            Some(2) if self.encoder.is_some_and(|e| e != EncoderKind::Software) => {
                return Err("passes: 2 goes with encoder: software".to_owned());
            }
            Some(2) => {}
            Some(other) => return Err(format!("passes {other} was given, expected 1 or 2")),
        }
        match (self.depth, codec) {
            (None | Some(8), _) | (Some(10), H265) => {}
            (Some(10), _) => return Err(format!("a depth of 10 was given for {spoken}, expected 8 (H.265 has 10)")),
            (Some(other), _) => return Err(format!("a depth of {other} was given, expected 8 or 10")),
        }
        if self.keyframes.is_some() && !matches!(codec, H264 | H265) {
            return Err(format!("keyframes was given for {spoken}: expected it for H.264 or H.265 only"));
        }
        if self.hdr == Some(Hdr::Keep) && (codec, self.depth) != (H265, Some(10)) {
            return Err("hdr: keep needs codec: h265 and depth: 10".to_owned());
        }
        match self.encoder {
            None | Some(EncoderKind::Software) => Ok(()),
            Some(_) if !matches!(codec, H264 | H265) => {
                Err(format!("encoder was given for {spoken}: expected it for H.264 or H.265 only"))
            }
            Some(_) if self.bitrate.is_none() || self.max_bitrate.is_some() || self.buffer.is_some() => {
                Err("an encoder in hardware goes with bitrate alone".to_owned())
            }
            Some(_) if self.depth == Some(10) => Err("an encoder in hardware has a depth of 8 here".to_owned()),
            Some(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keyframes_come_at_the_interval_whatever_the_rate() {
        let frames = |interval: &str, rate| {
            let text = format!(r#"{{"bitrate": "1M", "keyframe_interval": "{interval}"}}"#);
            let track: VideoTrack = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{e}"));
            track.frames_in_interval(rate)
        };
        assert_eq!(frames("2s", (30_000, 1001)), 60);
        assert_eq!(frames("2s", (25, 1)), 50);
        assert_eq!(frames("2s", (0, 1)), 20);
        assert_eq!(frames("1ms", (25, 1)), 1);
    }
}
