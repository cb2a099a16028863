//! Judging films that are made in segments. A segment is decoded to its end by itself. What is joined is held against its
//! segments, packet by packet: of bytes that were judged already only the joints are decoded again.

use std::{
    fs::File,
    io::{BufRead, BufReader, BufWriter, Write},
    path::PathBuf,
    process::Command,
};

use super::{Decoded, Gate, What, film::pictures, frame_ms, refused, same, seconds, slack};
use crate::{
    digest::Digest,
    error::{Error, Result},
    media::{
        Glance,
        probe::{self, file_url},
        split::{Reader, Segment, Stretch, files, meet},
    },
    model::MediaFacts,
    profile::{Entry, Spec, VideoCodec},
};

/// How much of a film is decoded around a joint, in seconds, half of it before.
const AROUND: f64 = 2.0;

impl Gate<'_> {
    /// A stretch of a film's pictures.
    pub(super) fn segment(
        &self,
        entry: &Entry,
        spec: &Spec,
        stretch: Stretch,
        told: &mut dyn FnMut(f64),
    ) -> Result<MediaFacts> {
        let (film, _) = spec.film().ok_or_else(|| refused("it is a segment of no film".to_owned()))?;
        let [(list, _), _] = files(&entry.name);
        let list = self.path.with_file_name(list);
        let segment = Segment::read(&list).map_err(|e| refused(e.one_line()))?;
        same("the number of packets", segment.packets.len() as u64, self.rendered.frames)?;
        // As a stream that no muxer of ours has written.
        let extension = if film.video.codec == VideoCodec::H265 { "h265" } else { "h264" };
        let stream = Scrap(list.with_extension(extension));
        let unwritten = |e| Error::unavailable("cannot write a segment's stream").because(e);
        let mut file = BufWriter::new(File::create(&stream.0).map_err(unwritten)?);
        segment.write_stream(Reader::beside(&list)?, &mut file).map_err(|e| refused(e.one_line()))?;
        file.flush().map_err(unwritten)?;
        let gate = Gate { path: &stream.0, ..*self };
        let facts = gate.measured(entry)?;
        let video = pictures(&facts, &self.looks(film))?;
        self.size(entry, (video.width, video.height))?;
        let promised = stretch.until_ns.map_or(0, |until| until.saturating_sub(stretch.from_ns) / 1_000_000);
        if self.rendered.duration_ms + slack(promised, frame_ms(video)) < promised {
            return Err(Error::corrupt(format!(
                "the recording ends within it, {} s after {} s",
                seconds(self.rendered.duration_ms),
                seconds(stretch.from_ns / 1_000_000)
            ))
            .hint("the file is cut short or damaged in the middle: look for a better copy"));
        }
        let decoded = gate.decode(What::Everything, told)?;
        same("the number of frames", decoded.frames, self.rendered.frames)?;
        self.shows(&decoded)?;
        Ok(MediaFacts { duration_ms: Some(self.rendered.duration_ms), ..facts })
    }

    /// What was joined: that its segments meet, that it has their packets and no others, at their times, and that it plays
    /// on from each to the next. Its sound is decoded.
    pub(super) fn joined(&self, lists: &[PathBuf], told: &mut dyn FnMut(f64)) -> Result<Decoded> {
        let segments = lists.iter().map(|list| Segment::read(list)).collect::<Result<Vec<_>>>()?;
        meet(&segments)?;
        let sound = match self.rendered.input_peak_dbfs {
            Some(_) => Some(self.decode(What::SoundAlone, &mut |done| told(done * 0.5))?),
            None => None,
        };
        let frames = self.packets(&segments, lists)?;
        let start = segments.first().map_or(0, |s| s.span().0);
        for (i, segment) in segments.iter().enumerate().skip(1) {
            self.plays_on((segment.span().0 - start) as f64 / 1e9)?;
            told(0.5 + 0.5 * i as f64 / segments.len() as f64);
        }
        Ok(match sound {
            Some(sound) => Decoded { frames, ..sound },
            None => Decoded { frames, peak_dbfs: None, loudness: None, seen: Glance::default() },
        })
    }

    /// Compares every packet of the picture; says how many there are.
    fn packets(&self, segments: &[Segment], lists: &[PathBuf]) -> Result<u64> {
        let told = Scrap(self.path.with_extension("packets"));
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y"]).args(probe::opening(self.path)).arg("-i");
        command.arg(file_url(self.path)).args(["-map", "0:v", "-c", "copy", "-f", "framehash", "-hash", "sha256"]);
        command.arg(file_url(&told.0));
        let ran = probe::tool(command, "ffmpeg", self.timeout, self.stop)?;
        if !ran.status.success() {
            return Err(refused(format!("its packets cannot be read: {}", ran.stderr.trim())));
        }
        let file = File::open(&told.0).map_err(|e| refused("its packets cannot be read".to_owned()).because(e))?;
        let mut lines = BufReader::new(file).lines().map_while(|line| line.ok());
        let mut tick = None;
        let start = segments.first().map_or(0, |s| s.span().0);
        let (mut count, mut offset) = (0, None);
        for (segment, list) in segments.iter().zip(lists) {
            Reader::beside(list)?.each(segment, &mut |packet, bytes| {
                let found = loop {
                    let line = lines.next().ok_or_else(|| refused(format!("it ends after {count} packets")))?;
                    match line.strip_prefix("#tb 0: ").and_then(fraction) {
                        Some(of) => tick = Some(of),
                        None if line.starts_with('#') => {}
                        None => break Line::read(&line).ok_or_else(|| refused("its packets are untold".to_owned()))?,
                    }
                };
                if found.digest != Digest::of(bytes) {
                    return Err(refused(format!("packet {count} is not its segment's")));
                }
                let (n, d) = tick.ok_or_else(|| refused("its times are untold".to_owned()))?;
                let time = found.pts as f64 * n / d;
                let late = time - (packet.pts - start) as f64 / 1e9;
                // The first one decoded is the first one shown, and everything is measured from there.
                if (late - *offset.get_or_insert(late)).abs() > 2.0 * n / d {
                    return Err(refused(format!("packet {count} is shown at {time:.6} s, which is not its time")));
                }
                count += 1;
                Ok(())
            })?;
        }
        match lines.find(|line| !line.starts_with('#')) {
            None => Ok(count),
            Some(_) => Err(refused(format!("it has more than the {count} packets of its segments"))),
        }
    }

    /// Decodes what is around a joint; any complaint is a refusal.
    fn plays_on(&self, at: f64) -> Result<()> {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-xerror", "-err_detect", "explode"]).args(probe::opening(self.path));
        command.args(["-ss", &format!("{:.3}", (at - AROUND / 2.0).max(0.0)), "-i"]).arg(file_url(self.path));
        command.args(["-map", "0:v", "-t", &AROUND.to_string(), "-f", "null", "-"]);
        let ran = probe::tool(command, "ffmpeg", self.timeout, self.stop)?;
        match ran.stderr.lines().next() {
            None if ran.status.success() => Ok(()),
            complaint => Err(refused(format!(
                "it does not decode where segments meet, at {at:.3} s: {}",
                complaint.unwrap_or_default().trim()
            ))),
        }
    }
}

/// A file that is gone when this is.
struct Scrap(PathBuf);

impl Drop for Scrap {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

/// What ffmpeg's `framehash` says of a packet.
#[derive(Debug, PartialEq)]
struct Line {
    pts: i64,
    digest: Digest,
}

impl Line {
    /// `stream, dts, pts, duration, size, hash`.
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split(',').map(str::trim).skip(2);
        let pts = fields.next()?.parse().ok()?;
        Some(Self { pts, digest: fields.nth(2)?.parse().ok()? })
    }
}

fn fraction(text: &str) -> Option<(f64, f64)> {
    let (n, d) = text.split_once('/')?;
    Some((n.trim().parse().ok()?, d.trim().parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_framehash_are_read() {
        let digest = Digest::of("a");
        let line = format!("0,      -2002,       1001,     1001,     5034, {digest}");
        assert_eq!(Line::read(&line), Some(Line { pts: 1001, digest }));
        assert_eq!(Line::read("0, 1, 2"), None);
        assert_eq!(fraction("1/30000"), Some((1.0, 30_000.0)));
    }
}
