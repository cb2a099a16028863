//! Judging a ladder: each rung and each sound is played from their own playlist to the end, and the lists are compared
//! with the files.

use std::{
    collections::BTreeSet,
    path::Path,
    process::Command,
    sync::{Mutex, PoisonError},
};

use rayon::prelude::*;

use super::{
    Gate, Told, What,
    film::{Looks, pictures},
    frame_ms, refused, same,
};
use crate::{
    error::{Error, Result},
    media::{
        Rendered,
        probe::{self, file_url},
    },
    model::MediaFacts,
    profile::{Entry, Stream, StreamSound},
};

/// What of a ladder is played by itself.
struct Part<'a> {
    /// What stands before its name where it is a transport stream, else nothing.
    set: &'static str,
    /// As people know it.
    name: &'a str,
    /// As its files are called.
    file: &'a str,
    plays: Plays<'a>,
}

enum Plays<'a> {
    /// A rung of this size, and its sound where that is in the same segments.
    Pictures((u32, u32), Option<&'a StreamSound>),
    /// The sound of this number.
    Sound(usize, &'a StreamSound),
}

impl Part<'_> {
    fn is_rung(&self) -> bool {
        matches!(self.plays, Plays::Pictures(..))
    }
}

impl Gate<'_> {
    pub(super) fn ladder(&self, out_dir: &Path, entry: &Entry, spec: &Stream, told: Told<'_>) -> Result<MediaFacts> {
        listed(out_dir, &self.rendered.files)?;
        let master = self.master.display_size().ok_or_else(|| Error::internal("pictures of no size"))?;
        let rungs = spec.rungs_of(master);
        let sounds = spec.sounds_of(&self.master.audio);
        let sets: &[&'static str] = if spec.mpeg_ts { &["", "ts."] } else { &[""] };
        let mut parts = Vec::new();
        for &set in sets {
            // Of transport streams the first sound is heard with the pictures.
            let muxed = sounds.first().filter(|_| !set.is_empty());
            parts.extend(rungs.iter().map(|(rung, size)| {
                let plays = Plays::Pictures(*size, muxed);
                Part { set, name: &rung.name, file: &rung.name, plays }
            }));
            parts.extend(sounds.iter().enumerate().skip(usize::from(muxed.is_some())).map(|(i, of)| {
                let name = of.name.as_deref().unwrap_or(&of.file);
                Part { set, name, file: &of.file, plays: Plays::Sound(i, of) }
            }));
        }
        let shares = Mutex::new(vec![0.0; parts.len()]);
        let judged = parts.par_iter().with_max_len(1).enumerate().map(|(i, part)| {
            let told = |share| {
                let mut shares = shares.lock().unwrap_or_else(PoisonError::into_inner);
                shares[i] = share;
                told(shares.iter().sum::<f64>() / shares.len() as f64);
            };
            let facts = self.part(out_dir, entry, part, &told);
            told(1.0);
            facts.map_err(|e| within(&format!("{}{}", part.set, part.name), e))
        });
        // All of them, so that of several faults the same one is told every time.
        let judged = judged.collect::<Vec<_>>().into_iter().collect::<Result<Vec<_>>>()?;
        let mut found = parts.iter().zip(judged).filter(|(part, _)| part.set.is_empty());
        let first = found.next().filter(|(part, _)| part.is_rung());
        let (_, mut facts) = first.ok_or_else(|| refused("it has no rung".to_owned()))?;
        facts.audio = found.filter(|(part, _)| !part.is_rung()).flat_map(|(_, sound)| sound.audio).collect();
        for (file, choice) in spec.texts() {
            let name = format!("{}.{file}.vtt", entry.name);
            match self.rendered.files.contains(&name) {
                true => self.words(&out_dir.join(&name)).map_err(|e| within(&choice.name, e))?,
                false if choice.optional => {}
                false => return Err(refused(format!("{name} was not made"))),
            }
        }
        self.together()?;
        Ok(facts)
    }

    /// Plays a part from its own playlist.
    fn part(&self, out_dir: &Path, entry: &Entry, part: &Part<'_>, told: Told<'_>) -> Result<MediaFacts> {
        let path = out_dir.join(format!("{}.{}{}.m3u8", entry.name, part.set, part.file));
        match part.plays {
            Plays::Pictures(size, sound) => {
                let rendered = Rendered { size, ..self.rendered.clone() };
                Gate { path: &path, rendered: &rendered, ..*self }.rung(entry, sound, told)
            }
            Plays::Sound(i, of) => {
                let mut rendered = Rendered { input_seen: None, ..self.rendered.clone() };
                if let Some(other) = i.checked_sub(1) {
                    let heard = self.rendered.others.get(other);
                    let heard = heard.ok_or_else(|| Error::internal("a sound of which nothing is told"))?.clone();
                    (rendered.input_peak_dbfs, rendered.mixed) = (heard.input_peak_dbfs, heard.mixed);
                }
                Gate { path: &path, rendered: &rendered, ..*self }.heard(entry, of, told)
            }
        }
    }

    /// Whether a file of words is read as such, and as many as stand in it.
    fn words(&self, path: &Path) -> Result<()> {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-protocol_whitelist", "file", "-count_packets", "-of", "csv=p=0"]);
        command.args(["-show_entries", "stream=codec_name,nb_read_packets", "-i"]).arg(file_url(path));
        let ran = probe::tool(command, "ffprobe", self.timeout, self.stop)?;
        let text = std::fs::read_to_string(path).map_err(|e| refused("it cannot be read".to_owned()).because(e))?;
        let cues = text.lines().filter(|line| line.contains(" --> ")).count();
        same("the number of cues", ran.stdout.trim(), format!("webvtt,{cues}").as_str())
    }

    fn heard(&self, entry: &Entry, of: &StreamSound, told: Told<'_>) -> Result<MediaFacts> {
        let mut facts = self.measured(entry)?;
        same("the number of sound tracks", facts.audio.len(), 1)?;
        self.track(&facts.audio[0], "aac", &of.sound)?;
        let decoded = self.decode(What::Everything, told)?;
        self.audible(&decoded)?;
        self.leveled(of.sound.loudness, &decoded, &mut facts)?;
        facts.audio[0].language = of.language.clone();
        Ok(facts)
    }

    /// Pictures, and where it is in the same segments the first sound.
    fn rung(&self, entry: &Entry, sound: Option<&StreamSound>, told: Told<'_>) -> Result<MediaFacts> {
        let facts = self.measured(entry)?;
        let video = pictures(&facts, &Looks::web())?;
        same("the size", (video.width, video.height), self.rendered.size)?;
        self.ends_with_its_master(frame_ms(video))?;
        let decoded = self.decode(What::Everything, told)?;
        same("the number of frames", decoded.frames, self.rendered.frames)?;
        self.lasts(&facts, frame_ms(video))?;
        self.shows(&decoded)?;
        if let Some(of) = sound {
            same("the number of sound tracks", facts.audio.len(), 1)?;
            self.track(&facts.audio[0], "aac", &of.sound)?;
            self.audible(&decoded)?;
            self.together()?;
        }
        Ok(facts)
    }
}

/// The same error, and of which part of the ladder it is.
fn within(name: &str, e: Error) -> Error {
    Error::new(e.kind(), format!("{name}: {}", e.one_line()))
}

/// Refuses playlists that name a file that is not there, and files that no playlist names.
fn listed(out_dir: &Path, files: &[String]) -> Result<()> {
    let mut named: BTreeSet<String> =
        files.iter().filter(|f| f.ends_with(".mpd") || f.ends_with(".ts.m3u8")).cloned().collect();
    named.extend(files.first().cloned());
    for playlist in files.iter().filter(|f| f.ends_with(".m3u8")) {
        let text = std::fs::read_to_string(out_dir.join(playlist))
            .map_err(|e| refused(format!("{playlist} cannot be read")).because(e))?;
        if !text.starts_with("#EXTM3U\n") {
            return Err(refused(format!("{playlist} is no playlist")));
        }
        for line in text.lines() {
            match line.split_once("URI=\"") {
                Some((_, rest)) => named.extend(rest.split('"').next().map(str::to_owned)),
                None if !line.starts_with('#') && !line.is_empty() => drop(named.insert(line.to_owned())),
                None => {}
            }
        }
    }
    let there: BTreeSet<String> = files.iter().cloned().collect();
    match (named.difference(&there).next(), there.difference(&named).next()) {
        (Some(missing), _) => Err(refused(format!("a playlist names {missing}, which was not made"))),
        (None, Some(stray)) => Err(refused(format!("no playlist names {stray}"))),
        (None, None) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_and_files_must_agree() {
        let dir = tempfile::tempdir().unwrap_or_else(|e| panic!("{e}"));
        let write =
            |name: &str, text: &str| std::fs::write(dir.path().join(name), text).unwrap_or_else(|e| panic!("{e}"));
        write("s.m3u8", "#EXTM3U\n#EXT-X-STREAM-INF:BANDWIDTH=1\ns.a.m3u8\n");
        write("s.a.m3u8", "#EXTM3U\n#EXT-X-MAP:URI=\"s.a.init.mp4\"\n#EXTINF:6,\ns.a.00001.m4s\n");
        let files = |names: &[&str]| names.iter().map(|n| (*n).to_owned()).collect::<Vec<_>>();
        let all = ["s.m3u8", "s.mpd", "s.a.m3u8", "s.a.init.mp4", "s.a.00001.m4s"];
        assert!(listed(dir.path(), &files(&all)).is_ok());
        let refusal =
            |names: &[&str]| listed(dir.path(), &files(names)).map_or_else(|e| e.one_line(), |()| String::new());
        assert!(refusal(&all[..4]).contains("names s.a.00001.m4s, which was not made"));
        assert!(refusal(&[&all[..], &["s.a.00002.m4s"]].concat()).contains("no playlist names s.a.00002.m4s"));
    }
}
