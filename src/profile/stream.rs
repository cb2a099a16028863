//! `stream:`: a ladder of pictures and one sound, packaged for HLS and DASH.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{
    AudioTrack, Codec, Color, Interval, VideoCodec, VideoTrack,
    film::check_background,
    rendition::{fit_within, possible},
    video::Holds,
};
use crate::model::MediaKind;

/// A ladder for streaming: fragmented MP4 (CMAF) in one set of segments, with playlists for HLS and a manifest for DASH.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// How long a segment is. A multiple of the rungs' keyframe interval.
    #[serde(default = "six_seconds")]
    pub segment: Interval,
    /// The rungs. Of several that come out at the same size, the last one is made: nothing is ever upscaled.
    pub rungs: Vec<Rung>,
    /// The sound, in a track of its own that all rungs share. Left out: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<AudioTrack>,
    /// What shows through where the master is transparent. Left out: black.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub background: Option<Color>,
}

/// One size of the pictures.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Rung {
    /// What its files are called after: `a-z 0-9 _`, 16 characters at most; not `sound`.
    pub name: String,
    /// Not wider than this. Never upscaled, aspect kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_width: Option<u32>,
    /// Not higher than this.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_height: Option<u32>,
    /// The picture.
    pub video: VideoTrack,
}

/// What the files of the sound are called after.
pub const SOUND: &str = "sound";

fn six_seconds() -> Interval {
    Interval(6000)
}

impl Rung {
    /// Its size for pictures of this size.
    pub fn fit(&self, size: (u32, u32)) -> (u32, u32) {
        fit_within(size, self.max_width, self.max_height, true)
    }
}

impl Stream {
    /// The rungs that are made of pictures of this size, each with its own.
    pub fn rungs_of(&self, size: (u32, u32)) -> Vec<(&Rung, (u32, u32))> {
        let all: Vec<(&Rung, (u32, u32))> = self.rungs.iter().map(|rung| (rung, rung.fit(size))).collect();
        let is_last = |i: usize| all[i + 1..].iter().all(|(_, later)| *later != all[i].1);
        (0..all.len()).filter(|i| is_last(*i)).map(|i| all[i]).collect()
    }

    /// What the pictures stand before where they are transparent.
    pub fn background(&self) -> [u8; 3] {
        self.background.map_or([0; 3], Color::rgb)
    }

    pub(super) fn leave_out_usual(&mut self) {
        self.rungs.iter_mut().for_each(|rung| rung.video.leave_out_usual());
        self.background = self.background.filter(|c| c.rgb() != [0; 3]);
    }

    /// The files to open, the first first.
    pub(super) fn files(&self, entry: &str) -> Vec<(String, &'static str)> {
        ["m3u8", "mpd"].map(|kind| format!("{entry}.{kind}")).map(|name| (name.clone(), mime_of(&name))).into()
    }

    pub(super) fn check(&self, kind: MediaKind) -> Result<(), String> {
        if kind != MediaKind::Video {
            return Err(format!("a stream cannot be made of an {kind} master: expected {}", possible(kind)));
        }
        if !(1..=12).contains(&self.rungs.len()) {
            return Err(format!("{} rungs were given, expected 1 to 12", self.rungs.len()));
        }
        let interval = self.rungs[0].video.keyframe_interval.0;
        for (i, rung) in self.rungs.iter().enumerate() {
            let sound = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_';
            if !(1..=16).contains(&rung.name.len()) || !rung.name.bytes().all(sound) || rung.name == SOUND {
                return Err(format!("rung '{}': a name is 1 to 16 of a-z, 0-9 and '_', and not '{SOUND}'", rung.name));
            }
            if self.rungs[..i].iter().any(|other| other.name == rung.name) {
                return Err(format!("two rungs are called '{}'", rung.name));
            }
            for (what, value) in [("max_width", rung.max_width), ("max_height", rung.max_height)] {
                if value.is_some_and(|v| !(16..=16383).contains(&v)) {
                    return Err(format!("{what} {} was given, expected 16 to 16383", value.unwrap_or_default()));
                }
            }
            if rung.video.keyframe_interval.0 != interval {
                return Err("the rungs' keyframe_interval differ: players change between them at keyframes".to_owned());
            }
            rung.video.check(&Holds { container: "a stream", codecs: &[VideoCodec::H264] })?;
            if rung.video.is_two_pass() || rung.video.encoder.is_some() {
                return Err(format!("rung '{}': a stream is made in software and one pass", rung.name));
            }
        }
        match (self.segment.0, interval) {
            (1000..=30_000, 1..) if self.segment.0.is_multiple_of(interval) => {}
            (segment, _) => {
                return Err(format!(
                    "a segment of {segment} ms was given, expected 1 s to 30 s and a multiple of the keyframe_interval ({interval} ms)"
                ));
            }
        }
        check_background(self.background)?;
        self.audio.as_ref().map_or(Ok(()), |audio| audio.check(Codec::Aac))
    }
}

/// The media type of a file of a stream, by its name.
pub(super) fn mime_of(name: &str) -> &'static str {
    match name.rsplit('.').next() {
        Some("m3u8") => "application/vnd.apple.mpegurl",
        Some("mpd") => "application/dash+xml",
        Some("m4s" | "mp4") if name.contains(".sound.") => "audio/mp4",
        Some("m4s" | "mp4") => "video/mp4",
        _ => "application/octet-stream",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_small_master_gets_each_size_once_at_the_least_bit_rate() {
        let yaml = "{rungs: [{name: a, max_height: 1080, video: {bitrate: 5M}}, {name: b, max_height: 720, video: {bitrate: 2M}},
            {name: c, max_height: 360, video: {bitrate: 800k}}]}";
        let stream: Stream = serde_saphyr::from_str(yaml).unwrap_or_else(|e| panic!("{e}"));
        let names = |size| stream.rungs_of(size).iter().map(|(r, s)| (r.name.clone(), *s)).collect::<Vec<_>>();
        let of = |name: &str, size| (name.to_owned(), size);
        assert_eq!(names((1920, 1080)), [of("a", (1920, 1080)), of("b", (1280, 720)), of("c", (640, 360))]);
        assert_eq!(names((1280, 720)), [of("b", (1280, 720)), of("c", (640, 360))]);
        assert_eq!(names((320, 240)), [of("c", (320, 240))]);
    }
}
