//! Judging a ladder: each rung and each sound is played from their own playlist to the end, and the lists are compared
//! with the files.

use std::{collections::BTreeSet, path::Path, process::Command};

use super::{
    Gate, What,
    film::{Looks, pictures},
    frame_ms, refused, same,
};
use crate::{
    error::{Error, Result},
    media::{
        Rendered,
        probe::{self, file_url},
    },
    model::{AudioFacts, MediaFacts},
    profile::{Entry, Stream, StreamSound},
};

impl Gate<'_> {
    pub(super) fn ladder(
        &self,
        out_dir: &Path,
        entry: &Entry,
        spec: &Stream,
        told: &mut dyn FnMut(f64),
    ) -> Result<MediaFacts> {
        listed(out_dir, &self.rendered.files)?;
        let master = self.master.display_size().ok_or_else(|| Error::internal("pictures of no size"))?;
        let rungs = spec.rungs_of(master);
        let sounds = spec.sounds_of(&self.master.audio);
        let sets: &[&str] = if spec.mpeg_ts { &["", "ts."] } else { &[""] };
        let parts = (sets.len() * (rungs.len() + sounds.len())).max(1) as f64;
        let mut part = 0_u32;
        let told = &mut |part: u32, share: f64| told((f64::from(part) + share) / parts);
        let within = |name: &str, e: Error| Error::new(e.kind(), format!("{name}: {}", e.one_line()));
        let mut first = None;
        for set in sets {
            for (rung, size) in &rungs {
                let rendered = Rendered { size: *size, ..self.rendered.clone() };
                let path = out_dir.join(format!("{}.{set}{}.m3u8", entry.name, rung.name));
                let gate = Gate { path: &path, rendered: &rendered, ..*self };
                let sound = sounds.first().filter(|_| !set.is_empty());
                let facts = gate
                    .rung(entry, sound, &mut |share| told(part, share))
                    .map_err(|e| within(&format!("{set}{}", rung.name), e))?;
                first.get_or_insert(facts);
                part += 1;
            }
        }
        let mut facts = first.ok_or_else(|| refused("it has no rung".to_owned()))?;
        facts.audio.clear();
        for (i, of, set) in sounds.iter().enumerate().flat_map(|(i, of)| sets.iter().map(move |set| (i, of, set))) {
            // Of transport streams the first is heard with the pictures.
            if i == 0 && !set.is_empty() {
                continue;
            }
            let mut rendered = Rendered { input_seen: None, ..self.rendered.clone() };
            if let Some(heard) = i.checked_sub(1) {
                let heard = self.rendered.others.get(heard);
                let heard = heard.ok_or_else(|| Error::internal("a sound of which nothing is told"))?.clone();
                (rendered.input_peak_dbfs, rendered.mixed) = (heard.input_peak_dbfs, heard.mixed);
            }
            let path = out_dir.join(format!("{}.{set}{}.m3u8", entry.name, of.file));
            let gate = Gate { path: &path, rendered: &rendered, ..*self };
            let mut track = gate
                .heard(entry, of, &mut |share| told(part, share))
                .map_err(|e| within(&format!("{set}{}", of.name.as_deref().unwrap_or(&of.file)), e))?;
            track.language = of.language.clone();
            if set.is_empty() {
                facts.audio.push(track);
            }
            part += 1;
        }
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

    fn heard(&self, entry: &Entry, of: &StreamSound, told: &mut dyn FnMut(f64)) -> Result<AudioFacts> {
        let mut facts = self.measured(entry)?;
        same("the number of sound tracks", facts.audio.len(), 1)?;
        self.track(&facts.audio[0], "aac", &of.sound)?;
        let decoded = self.decode(What::Everything, told)?;
        self.audible(&decoded)?;
        self.leveled(of.sound.loudness, &decoded, &mut facts)?;
        Ok(facts.audio.swap_remove(0))
    }

    /// Pictures, and where it is in the same segments the first sound.
    fn rung(&self, entry: &Entry, sound: Option<&StreamSound>, told: &mut dyn FnMut(f64)) -> Result<MediaFacts> {
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
