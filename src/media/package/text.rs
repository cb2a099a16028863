//! Text tracks: taken out of a master by ffmpeg as WebVTT, one file a track, which both lists name.

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
    let found = tracks(work)?;
    let languages: Vec<Option<String>> = found.iter().map(|t| t.language.clone()).collect();
    let (mut texts, mut taken) = (Vec::new(), Vec::new());
    for (file, choice) in spec.texts() {
        let Some(at) = choice.track.one_of(&languages) else {
            if choice.optional {
                continue;
            }
            return Err(lacking(&choice.track.to_string(), &languages));
        };
        let language = choice.language.clone().or_else(|| found[at].language.as_deref().and_then(profile::tag));
        texts.push((Text { file, label: Label { name: choice.name.clone(), language } }, choice.optional));
        taken.push(found[at].index);
    }
    let path = |text: &Text| work.out_dir.join(words_name(&format!("{}.{}", entry.name, text.file)));
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "error", "-y"]);
    command.args(["-protocol_whitelist", "file,pipe", "-progress", "pipe:1", "-stats_period", "1"]);
    // The recording's own times: ffmpeg would count from its earliest sample, which may come before the first picture.
    command.arg("-copyts");
    if let Some(Around { intro: Some(clip), rate, .. }) = entry.around(work.facts) {
        // They come later by as much as the clip before the film lasts.
        let us = work.clips.frames(&clip, rate)? * 1_000_000 * u64::from(rate.1) / u64::from(rate.0.max(1));
        command.args(["-itsoffset", &format!("{us}us")]);
    }
    command.arg("-i").arg(file_url(work.input));
    for ((text, _), index) in texts.iter().zip(&taken) {
        command.args(["-map", &format!("0:{index}"), "-map_metadata", "-1", "-c:s", "webvtt"]);
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
