//! Text tracks: taken by ffmpeg out of a master, or of what the archive knows to be said in it, as WebVTT, one file a track,
//! which both lists name.

use std::{fs, path::Path, process::Command, time::Duration};

use super::{Label, Text};
use crate::{
    error::{Doing, Error, Result},
    media::{
        Work,
        probe::{self, file_url},
    },
    profile::{self, Around, Entry, Stream},
};

/// Most bytes of one track: a day of dense subtitles is a tenth of it.
const MOST: u64 = 16 << 20;
/// Codecs of text that ffmpeg turns into WebVTT. Others are pictures of words, or hold none.
const KNOWN: [&str; 7] = ["mov_text", "subrip", "srt", "webvtt", "ass", "ssa", "text"];

/// Time 0 of the words is time 0 of the pictures, which is this tick of theirs (RFC 8216, 3.5); a header that players of DASH
/// pass over.
fn header(tick: u64) -> String {
    format!("WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:00.000,MPEGTS:{tick}\n")
}

/// Writes the words of a track again, for pictures whose time 0 is this tick.
pub(super) fn shifted(dir: &Path, from: &str, to: &str, tick: u64) -> Result<()> {
    let text = fs::read_to_string(dir.join(words_name(from))).doing(|| "cannot read a text track")?;
    let cues = text.strip_prefix(&header(0)).ok_or_else(|| Error::internal("words without their header"))?;
    fs::write(dir.join(words_name(to)), format!("{}{cues}", header(tick))).doing(|| "cannot write a text track")
}

/// A text track of a master.
#[derive(Debug, PartialEq)]
struct Found {
    index: u32,
    language: Option<String>,
}

/// Where words come from.
enum From<'a> {
    /// A stream of the master.
    Track(u32),
    /// SubRip beside it.
    File(&'a Path),
}

impl From<'_> {
    fn file(&self) -> Option<&Path> {
        match self {
            From::Track(_) => None,
            From::File(path) => Some(path),
        }
    }
}

/// The name of a track's file of words.
pub(super) fn words_name(track: &str) -> String {
    format!("{track}.vtt")
}

/// Takes out the tracks that a stream wants, into files beside the others; gives those that there are. `told` hears that
/// it goes on.
pub(crate) fn extract(work: &Work<'_>, entry: &Entry, spec: &Stream, told: &mut dyn FnMut()) -> Result<Vec<Text>> {
    if spec.subtitles.is_empty() {
        return Ok(Vec::new());
    }
    let of_master = spec.subtitles.iter().any(|choice| choice.transcript.is_none());
    let found = if of_master { tracks(work)? } else { Vec::new() };
    let languages: Vec<Option<String>> = found.iter().map(|t| t.language.clone()).collect();
    let (mut texts, mut taken) = (Vec::new(), Vec::new());
    for (file, choice) in spec.texts() {
        let (from, language) = match (&choice.transcript, &choice.words) {
            (None, _) => match choice.track.one_of(&languages) {
                Some(at) => (From::Track(found[at].index), found[at].language.as_deref().and_then(profile::tag)),
                None if choice.optional => continue,
                None => return Err(lacking(&choice.track.to_string(), &languages)),
            },
            (Some(_), Some(words)) => (From::File(&words.path), None),
            (Some(_), None) if choice.optional => continue,
            (Some(_), None) => {
                return Err(Error::unsupported(format!("nothing is known to be said in it for '{}'", choice.name)));
            }
        };
        let language = choice.language.clone().or(language);
        texts.push((Text { file, label: Label { name: choice.name.clone(), language } }, choice.optional));
        taken.push(from);
    }
    let path = |text: &Text| work.out_dir.join(words_name(&format!("{}.{}", entry.name, text.file)));
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y"]);
    command.args(["-protocol_whitelist", "file,pipe", "-progress", "pipe:1", "-stats_period", "1"]);
    // The recording's own times: ffmpeg would count from its earliest sample, which may come before the first picture.
    command.arg("-copyts");
    // They come later by as much as the clip before the film lasts.
    let later = match entry.around(work.facts) {
        Some(Around { intro: Some(clip), rate, .. }) => {
            work.clips.frames(&clip, rate)? * 1_000_000 * u64::from(rate.1) / u64::from(rate.0.max(1))
        }
        _ => 0,
    };
    let later = format!("{later}us");
    command.args(["-itsoffset", &later, "-i"]).arg(file_url(work.input));
    let files: Vec<&Path> = taken.iter().filter_map(From::file).collect();
    for file in &files {
        command.args(["-itsoffset", &later, "-f", "srt", "-i"]).arg(file_url(file));
    }
    let mut inputs = 1..=files.len();
    for ((text, _), from) in texts.iter().zip(&taken) {
        let stream = match from {
            From::Track(index) => format!("0:{index}"),
            From::File(_) => format!("{}:0", inputs.next().unwrap_or_default()),
        };
        command.args(["-map", &stream, "-map_metadata", "-1", "-c:s", "webvtt"]);
        command.args(["-fs", &MOST.to_string(), "-f", "webvtt"]).arg(path(text));
    }
    if !texts.is_empty() {
        let timeout = Duration::from_secs(work.limits.wall_seconds);
        let ran = probe::tool_heard(command, "ffmpeg", timeout, work.stop, &mut |_| told())?;
        if !ran.status.success() {
            let said = ran.stderr.lines().last().unwrap_or_default().trim();
            return Err(Error::corrupt(format!("its text tracks cannot be read: {said}")));
        }
    }
    let mut there = Vec::new();
    for (text, optional) in texts {
        match complete(&path(&text))? {
            true => there.push(text),
            false if optional => fs::remove_file(path(&text)).doing(|| "cannot remove an empty text track")?,
            false => {
                return Err(Error::unsupported(format!("its text track '{}' holds not one word", text.label.name)));
            }
        }
    }
    Ok(there)
}

/// The text tracks of a master, those of pictures left out.
fn tracks(work: &Work<'_>) -> Result<Vec<Found>> {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-protocol_whitelist", "file", "-select_streams", "s", "-of", "json"]);
    command.args(["-show_entries", "stream=index,codec_name:stream_tags=language", "-i"]).arg(file_url(work.input));
    let ran = probe::tool(command, "ffprobe", Duration::from_secs(60), work.stop)?;
    Ok(read(&ran.stdout))
}

fn read(json: &str) -> Vec<Found> {
    let document: serde_json::Value = serde_json::from_str(json).unwrap_or_default();
    let streams = document["streams"].as_array().cloned().unwrap_or_default();
    let of = |stream: &serde_json::Value| {
        let codec = stream["codec_name"].as_str().filter(|codec| KNOWN.contains(codec));
        let language = stream["tags"]["language"].as_str().filter(|l| *l != "und").map(str::to_owned);
        codec.and(Some(Found { index: u32::try_from(stream["index"].as_u64()?).ok()?, language }))
    };
    streams.iter().filter_map(of).collect()
}

fn lacking(wished: &str, languages: &[Option<String>]) -> Error {
    let named = |(i, language): (usize, &Option<String>)| match language {
        Some(language) => format!("{} ({language})", i + 1),
        None => format!("{}", i + 1),
    };
    let there = match languages {
        [] => "none".to_owned(),
        all => all.iter().enumerate().map(named).collect::<Vec<_>>().join(", "),
    };
    Error::unsupported(format!("it has no text track '{wished}': it has {there}"))
        .hint("'optional: true' makes the stream without it")
}

/// Says in the file how its times are meant; false when there is not one word in it.
fn complete(path: &Path) -> Result<bool> {
    let doing = || "cannot read a text track".to_owned();
    if fs::metadata(path).doing(doing)?.len() >= MOST {
        return Err(Error::unsupported(format!("a text track has more than {} MiB", MOST >> 20)));
    }
    let text = String::from_utf8_lossy(&fs::read(path).doing(doing)?).into_owned();
    let Some(cues) = text.strip_prefix("WEBVTT\n").filter(|cues| cues.contains(" --> ")) else { return Ok(false) };
    fs::write(path, format!("{}{cues}", header(0))).doing(|| "cannot write a text track")?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pictures_of_words_are_no_text_tracks() {
        let json = r#"{"streams": [{"index": 2, "codec_name": "dvd_subtitle"}, {"index": 3, "codec_name": "subrip",
            "tags": {"language": "spa"}}, {"index": 4, "codec_name": "mov_text", "tags": {"language": "und"}}]}"#;
        let spanish = Found { index: 3, language: Some("spa".to_owned()) };
        assert_eq!(read(json), [spanish, Found { index: 4, language: None }]);
        assert_eq!(
            lacking("deu", &[Some("spa".to_owned()), None]).to_string(),
            "it has no text track 'deu': it has 1 (spa), 2"
        );
    }
}
