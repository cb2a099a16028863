//! `stream:`: a ladder of pictures and their sound, packaged for HLS and DASH.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, de};

use super::{
    AudioTrack, Codec, Color, Downmix, Interval, OwnWords, Piece, Sound, Tracks, VideoCodec, VideoTrack,
    film::check_background,
    rendition::{fit_within, possible},
    tracks::{self, Pick},
    video::{Holds, Keyframes},
};
use crate::model::{AudioFacts, MediaKind, media_type};

/// A ladder for streaming: fragmented MP4 (CMAF) in one set of segments, with playlists for HLS and a manifest for DASH.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Stream {
    /// How long a segment is. A multiple of the rungs' keyframe interval.
    #[serde(default = "six_seconds")]
    pub segment: Interval,
    /// The rungs. Of several that come out at the same size, the last one is made: nothing is ever upscaled.
    pub rungs: Vec<Rung>,
    /// The sound, in tracks of its own that all rungs share: one, or a list to choose from. Left out: none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub audio: Option<StreamAudio>,
    /// The master's text tracks, as WebVTT. Left out: none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub subtitles: Vec<TextChoice>,
    /// How segments of pictures and sound are encrypted, for HLS alone: there is no DASH then. Left out: not at all.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub encryption: Option<Encryption>,
    /// Also a second set of segments and HLS playlists, as MPEG transport streams, for players that know no fragmented MP4:
    /// the same coded pictures, with the first sound in the same segments. Its list to open is `NAME.ts.m3u8`.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub mpeg_ts: bool,
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

/// The sound of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
#[serde(untagged)]
pub enum StreamAudio {
    /// One track.
    One(AudioTrack),
    /// Several, of which whoever watches chooses; the first that is there is played unless another is chosen.
    Several(Vec<Choice>),
}

/// One of several sound tracks of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Choice {
    /// What players show in their list: 1 to 64 characters, without quotes. No two are the same.
    pub name: String,
    /// Its language (BCP 47, such as `es` or `pt-BR`). Left out: as the master's track is tagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether the stream is made without it where the master has no such track.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// The sound.
    #[serde(flatten)]
    pub audio: AudioTrack,
}

/// A text track of a stream.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct TextChoice {
    /// Which of the master's text tracks: by its number among them (1 is the first) or its language, or a list of these.
    #[serde(default, skip_serializing_if = "Tracks::is_first")]
    pub track: Tracks,
    /// What players show in their list: 1 to 64 characters, without quotes. No two are the same.
    pub name: String,
    /// Its language (BCP 47, such as `es` or `pt-BR`). Left out: as the master's track is tagged.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Whether the stream is made without it where the master has no such track, or one without a word.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub optional: bool,
    /// In the place of a track: what is said in the master, as the archive knows it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub transcript: Option<OwnWords>,
    /// Those words as SubRip, as the archive wrote them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub words: Option<Piece>,
}

/// How a stream is encrypted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Encryption {
    /// AES-128 in CBC mode, whole segments (RFC 8216, 4.3.2.4), by a key that is made for this rendition.
    Aes128,
}

/// A sound track that is made of a master.
#[derive(Clone, Debug, PartialEq)]
pub struct StreamSound {
    /// What its files are called after.
    pub file: String,
    /// What players show; none where there is nothing to choose.
    pub name: Option<String>,
    /// Its language, where it is known.
    pub language: Option<String>,
    /// What it is made of.
    pub sound: Sound,
}

/// What the files of the first sound are called after; those of the second `sound_2`, and so on.
pub const SOUND: &str = "sound";
/// What the files of the first text track are called after; those of the second `text_2`, and so on.
const TEXT: &str = "text";
/// Most sound tracks of one stream, and most text tracks.
const MOST_TRACKS: usize = 16;

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

    /// The sounds that are made of a master of these tracks: all of them, but for those that may be left out and that it
    /// does not have. Of a master without sound, none.
    pub fn sounds_of(&self, master: &[AudioFacts]) -> Vec<StreamSound> {
        let is_made = |choice: &Choice| !choice.optional || choice.audio.track.of(master).is_some();
        match &self.audio {
            _ if master.is_empty() => Vec::new(),
            None => Vec::new(),
            Some(StreamAudio::One(audio)) => {
                vec![StreamSound { file: SOUND.to_owned(), name: None, language: None, sound: audio.sound(Codec::Aac) }]
            }
            Some(StreamAudio::Several(all)) => {
                let made = all.iter().enumerate().filter(|(_, choice)| is_made(choice));
                made.map(|(i, choice)| StreamSound {
                    file: numbered(SOUND, i),
                    name: Some(choice.name.clone()),
                    language: choice.language.clone().or_else(|| choice.audio.track.language_of(master)),
                    sound: choice.audio.sound(Codec::Aac),
                })
                .collect()
            }
        }
    }

    /// The sound that is made of every master that has any.
    pub(super) fn sound(&self) -> Option<Sound> {
        self.tracks().next().map(|audio| audio.sound(Codec::Aac))
    }

    fn tracks(&self) -> impl Iterator<Item = &AudioTrack> {
        let (one, several) = match &self.audio {
            None => (None, [].as_slice()),
            Some(StreamAudio::One(audio)) => (Some(audio), [].as_slice()),
            Some(StreamAudio::Several(all)) => (None, all.as_slice()),
        };
        one.into_iter().chain(several.iter().map(|choice| &choice.audio))
    }

    pub(super) fn leave_out_usual(&mut self) {
        let usual = |audio: &mut AudioTrack| audio.downmix = audio.downmix.filter(|d| *d != Downmix::Full);
        match &mut self.audio {
            Some(StreamAudio::One(audio)) => usual(audio),
            Some(StreamAudio::Several(all)) => all.iter_mut().for_each(|choice| usual(&mut choice.audio)),
            None => {}
        }
        for rung in &mut self.rungs {
            rung.video.leave_out_usual();
            // Those of a stream always are.
            rung.video.keyframes = rung.video.keyframes.filter(|k| *k != Keyframes::Even);
        }
        self.background = self.background.filter(|c| c.rgb() != [0; 3]);
        // What they are counts, not where they lie.
        self.subtitles.iter_mut().filter_map(|t| t.words.as_mut()).for_each(|words| words.path = "words".into());
    }

    /// The files to open, the first first.
    pub(super) fn files(&self, entry: &str) -> Vec<(String, &'static str)> {
        let kinds = [("m3u8", true), ("mpd", self.encryption.is_none()), ("ts.m3u8", self.mpeg_ts)];
        kinds
            .iter()
            .filter(|(_, is_made)| *is_made)
            .map(|(kind, _)| kind)
            .map(|kind| format!("{entry}.{kind}"))
            .map(|name| (name.clone(), self.mime_of(&name)))
            .collect()
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
            if self.mpeg_ts && rung.name == "ts" {
                return Err("rung 'ts': the files of transport streams are called so".to_owned());
            }
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
            if rung.video.keyframes == Some(Keyframes::AtCuts) {
                return Err(format!("rung '{}': keyframes of a stream are even: leave 'keyframes' out", rung.name));
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
        self.tracks().try_for_each(|audio| audio.check(Codec::Aac))?;
        if let Some(StreamAudio::Several(all)) = &self.audio {
            self.check_choices(all)?;
        }
        self.check_texts()
    }

    /// What the files of each text track that is asked for are called after.
    pub fn texts(&self) -> impl Iterator<Item = (String, &TextChoice)> {
        self.subtitles.iter().enumerate().map(|(i, choice)| (numbered(TEXT, i), choice))
    }

    fn check_texts(&self) -> Result<(), String> {
        if self.subtitles.len() > MOST_TRACKS {
            return Err(format!("{} text tracks were given, expected {MOST_TRACKS} at most", self.subtitles.len()));
        }
        names(self.subtitles.iter().map(|t| (t.name.as_str(), t.language.as_deref())), "text track")?;
        for text in &self.subtitles {
            match &text.transcript {
                Some(_) if !text.track.is_first() => {
                    return Err(format!(
                        "text track '{}': a track and a transcript were given, expected one",
                        text.name
                    ));
                }
                Some(OwnWords { language: Some(language), .. }) => {
                    super::check_language(language).map_err(|why| format!("text track '{}': {why}", text.name))?;
                }
                None if text.words.is_some() => {
                    return Err(format!("text track '{}': words are those of a transcript, expected one", text.name));
                }
                _ => {}
            }
        }
        let is_one = |pick: &Pick| matches!(pick, Pick::Number(_) | Pick::Language(_));
        match self.subtitles.iter().find(|t| !t.track.0.iter().all(is_one)) {
            Some(t) => Err(format!("text track '{}': one track is taken: expected a number or a language", t.name)),
            None => self.not_rungs(self.texts().map(|(file, _)| file), "text"),
        }
    }

    fn not_rungs(&self, files: impl Iterator<Item = String>, what: &str) -> Result<(), String> {
        let files: Vec<String> = files.collect();
        match self.rungs.iter().find(|rung| files.contains(&rung.name)) {
            Some(rung) => Err(format!("rung '{}': the files of a {what} track are called so", rung.name)),
            None => Ok(()),
        }
    }

    fn check_choices(&self, all: &[Choice]) -> Result<(), String> {
        if !(1..=MOST_TRACKS).contains(&all.len()) {
            return Err(format!("{} sound tracks were given, expected 1 to {MOST_TRACKS}", all.len()));
        }
        names(all.iter().map(|choice| (choice.name.as_str(), choice.language.as_deref())), "sound track")?;
        self.not_rungs((0..all.len()).map(|i| numbered(SOUND, i)), "sound")
    }

    /// The media type of one of its files, by its name.
    pub(super) fn mime_of(&self, name: &str) -> &'static str {
        let of_sound = || (0..self.tracks().count()).any(|i| name.contains(&format!(".{}.", numbered(SOUND, i))));
        match media_type(name) {
            "video/mp4" if of_sound() => "audio/mp4",
            known => known,
        }
    }
}

/// Of the track of this place in a list, counted from 0.
fn numbered(kind: &str, index: usize) -> String {
    if index == 0 { kind.to_owned() } else { format!("{kind}_{}", index + 1) }
}

/// Refuses names and languages that a playlist cannot say, or by which nothing could be chosen.
fn names<'a>(all: impl Iterator<Item = (&'a str, Option<&'a str>)>, what: &str) -> Result<(), String> {
    let mut known = Vec::new();
    for (name, language) in all {
        let is_said = |c: char| !c.is_control() && c != '"';
        if !(1..=64).contains(&name.chars().count()) || !name.chars().all(is_said) {
            return Err(format!("{what} '{name}': a name is 1 to 64 characters, without quotes and line breaks"));
        }
        if known.contains(&name) {
            return Err(format!("two {what}s are called '{name}'"));
        }
        known.push(name);
        if let Some(language) = language.filter(|l| !tracks::is_language(l)) {
            return Err(format!("{what} '{name}': language '{language}' was given, expected such as es or pt-BR"));
        }
    }
    Ok(())
}

impl<'de> Deserialize<'de> for StreamAudio {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = StreamAudio;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the settings of one sound track, or a list of named ones")
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<StreamAudio, A::Error> {
                AudioTrack::deserialize(de::value::MapAccessDeserializer::new(map)).map(StreamAudio::One)
            }

            fn visit_seq<A: de::SeqAccess<'de>>(self, list: A) -> Result<StreamAudio, A::Error> {
                Vec::deserialize(de::value::SeqAccessDeserializer::new(list)).map(StreamAudio::Several)
            }
        }
        d.deserialize_any(Either)
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
    fn checked(sound: &str) -> Result<Stream, String> {
        let yaml = format!("{{rungs: [{{name: a, video: {{bitrate: 5M}}}}], {sound}}}");
        let stream: Stream = serde_saphyr::from_str(&yaml).map_err(|e| e.without_snippet().to_string())?;
        stream.check(MediaKind::Video).map(|()| stream)
    }

    #[test]
    fn one_sound_or_several_are_written_as_they_were_read() {
        let one = checked("audio: {bitrate: 96k}").unwrap_or_else(|e| panic!("{e}"));
        let json = serde_json::to_value(&one).unwrap_or_default();
        assert_eq!(json["audio"], serde_json::json!({"codec": "aac", "bitrate": "96k", "channels": 2, "rate": 48_000}));
        let several =
            checked("audio: [{name: Español, track: spa}, {name: B, track: 2, optional: true, language: pt-BR}]");
        let several = several.unwrap_or_else(|e| panic!("{e}"));
        let json = serde_json::to_string(&several).unwrap_or_default();
        assert_eq!(serde_json::from_str::<Stream>(&json).unwrap_or_else(|e| panic!("{e}: {json}")), several);
        assert_eq!(several.mime_of("web.sound_2.init.mp4"), "audio/mp4");
        assert_eq!(one.mime_of("web.sound_2.init.mp4"), "video/mp4");
    }

    #[test]
    fn sounds_that_cannot_be_chosen_between_are_refused() {
        let refusal = |sound: &str| checked(sound).err().unwrap_or_else(|| panic!("{sound} is taken"));
        assert!(refusal("audio: []").starts_with("0 sound tracks were given"));
        assert!(refusal("audio: [{name: A}, {name: A}]").starts_with("two sound tracks are called 'A'"));
        assert!(refusal("audio: [{name: A, language: Spanish}]").contains("language 'Spanish' was given"));
        assert!(refusal(r#"audio: [{name: 'a"b'}]"#).contains("without quotes"));
        assert!(refusal("audio: [{name: A, bitrates: 1M}]").contains("bitrates"));
        assert!(refusal("audio: [{track: spa}]").contains("name"));
        assert!(refusal("subtitles: [{name: A, track: all}]").contains("one track is taken"));
        assert!(refusal("subtitles: [{name: A}, {name: A}]").starts_with("two text tracks"));
        assert!(refusal("encryption: aes256").contains("aes128"));
    }
}
