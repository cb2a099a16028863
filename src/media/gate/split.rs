//! Judging films that are made in segments. A segment is decoded to its end by itself. What is joined is held against its
//! segments, packet by packet: of bytes that were judged already only the joints are decoded again.

use std::{
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Read, Write},
    path::{Path, PathBuf},
    process::Command,
};

use super::{Decoded, Gate, Told, What, film::pictures, frame_ms, refused, same, seconds, slack};
use crate::{
    digest::{Digest, Hasher},
    error::{Error, Result},
    media::{
        probe::{self, file_url},
        split::{Reader, Segment, Stretch, files, meet},
    },
    model::MediaFacts,
    profile::{Entry, Spec, VideoCodec},
};

/// Files alone, none on a network.
const PLAIN: [&str; 2] = ["-protocol_whitelist", "file"];
/// How much of a film is decoded around a joint, in seconds, half of it before.
const AROUND: f64 = 2.0;

impl Gate<'_> {
    /// A stretch of a film's pictures.
    pub(super) fn segment(&self, entry: &Entry, spec: &Spec, stretch: Stretch, told: Told<'_>) -> Result<MediaFacts> {
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
        let facts = gate.measured_as(&format!("video/{extension}"))?;
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
    pub(super) fn joined(&self, lists: &[PathBuf], told: Told<'_>) -> Result<Decoded> {
        let segments = lists.iter().map(|list| Segment::read(list)).collect::<Result<Vec<_>>>()?;
        meet(&segments)?;
        let sound = match self.rendered.input_peak_dbfs {
            Some(_) => Some(self.decode(What::SoundAlone, &|done| told(done * 0.5))?),
            None => None,
        };
        let frames = self.packets(&segments, lists)?;
        let start = segments.first().map_or(0, |s| s.span().0);
        let each: Vec<(&Segment, &Path)> = segments.iter().zip(lists.iter().map(PathBuf::as_path)).collect();
        for (i, pair) in each.windows(2).enumerate() {
            self.plays_on([pair[0], pair[1]], start)?;
            told(0.5 + 0.5 * i as f64 / segments.len() as f64);
        }
        Ok(match sound {
            Some(sound) => Decoded { frames, ..sound },
            None => Decoded { frames, ..Decoded::default() },
        })
    }

    /// Compares every packet of the picture; says how many there are. Those of a transport stream are told apart by whoever
    /// reads it, a zero more or less between them, so that their units are compared, and of packets the times.
    fn packets(&self, segments: &[Segment], lists: &[PathBuf]) -> Result<u64> {
        let (told, stream) = (Scrap(self.path.with_extension("packets")), Scrap(self.path.with_extension("stream")));
        let is_stream = segments.iter().any(|s| s.configuration.is_none());
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y"]).args(PLAIN).arg("-i").arg(file_url(self.path));
        command.args(["-map", "0:v", "-c", "copy", "-f", "framehash", "-hash", "sha256"]);
        command.arg(file_url(&told.0));
        if is_stream {
            command.args(["-map", "0:v", "-c", "copy", "-f", "data"]).arg(file_url(&stream.0));
        }
        let ran = probe::tool(command, "ffmpeg", self.timeout, self.stop)?;
        if !ran.status.success() {
            return Err(refused(format!("its packets cannot be read: {}", ran.stderr.trim())));
        }
        let unread = |e| refused("its packets cannot be read".to_owned()).because(e);
        let mut lines = Lines::of(File::open(&told.0).map_err(unread)?);
        let mut units = Units::default();
        let start = segments.first().map_or(0, |s| s.span().0);
        let (mut count, mut offset) = (0, None);
        for (segment, list) in segments.iter().zip(lists) {
            Reader::beside(list)?.each(segment, &mut |packet, bytes| {
                let found = lines.next()?.ok_or_else(|| refused(format!("it ends after {count} packets")))?;
                if is_stream {
                    units.take(bytes);
                } else if found.digest != Digest::of(bytes) {
                    return Err(refused(format!("packet {count} is not its segment's")));
                }
                let time = found.pts as f64 * lines.tick;
                let late = time - (packet.pts - start) as f64 / 1e9;
                // The first one decoded is the first one shown, and everything is measured from there.
                if (late - *offset.get_or_insert(late)).abs() > 2.0 * lines.tick {
                    return Err(refused(format!("packet {count} is shown at {time:.6} s, which is not its time")));
                }
                count += 1;
                Ok(())
            })?;
        }
        if lines.next()?.is_some() {
            return Err(refused(format!("it has more than the {count} packets of its segments")));
        }
        if is_stream {
            let (mut file, mut found) = (File::open(&stream.0).map_err(unread)?, Units::default());
            let mut block = vec![0; 1 << 20];
            while let n @ 1.. = file.read(&mut block).map_err(unread)? {
                found.take(&block[..n]);
            }
            if found.digest() != units.digest() {
                return Err(refused("its packets are not those of its segments".to_owned()));
            }
        }
        Ok(count)
    }

    /// Decodes what is around a joint; any complaint is a refusal. A transport stream has no index to find a keyframe by: of
    /// it, the packets themselves are decoded.
    fn plays_on(&self, [before, after]: [(&Segment, &Path); 2], start: i64) -> Result<()> {
        let at = (after.0.span().0 - start) as f64 / 1e9;
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-xerror", "-err_detect", "explode"]);
        let stream = Scrap(self.path.with_extension("joint"));
        if before.0.configuration.is_none() {
            let unwritten = |e| Error::unavailable("cannot write a joint").because(e);
            let mut file = BufWriter::new(File::create(&stream.0).map_err(unwritten)?);
            let keys = |s: &Segment| s.packets.iter().enumerate().filter(|(_, p)| p.is_key).map(|(i, _)| i).collect();
            let (last, next): (Vec<usize>, Vec<usize>) = (keys(before.0), keys(after.0));
            let last = last.last().copied().unwrap_or(0)..before.0.packets.len();
            let next = 0..next.get(1).copied().unwrap_or(after.0.packets.len());
            for ((segment, list), range) in [(before, last), (after, next)] {
                let mut i = 0;
                Reader::beside(list)?.each(segment, &mut |_, bytes| {
                    i += 1;
                    if range.contains(&(i - 1)) { file.write_all(bytes).map_err(unwritten) } else { Ok(()) }
                })?;
            }
            file.flush().map_err(unwritten)?;
            let codec = if before.0.caps.starts_with("video/x-h265") { "hevc" } else { "h264" };
            command.args(PLAIN).args(["-f", codec, "-i"]).arg(file_url(&stream.0));
        } else {
            let from = (at - AROUND / 2.0).max(0.0);
            command.args(PLAIN).args(["-ss", &format!("{from:.3}"), "-i"]).arg(file_url(self.path));
            command.args(["-t", &AROUND.to_string()]);
        }
        command.args(["-map", "0:v", "-f", "null", "-"]);
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

/// What ffmpeg's `framehash` says.
struct Lines {
    lines: io::Lines<BufReader<File>>,
    /// Seconds of one tick of its times, as far as it was told.
    tick: f64,
}

/// A packet as it is told.
#[derive(Debug, PartialEq)]
struct Line {
    pts: i64,
    digest: Digest,
}

impl Lines {
    fn of(file: File) -> Self {
        Self { lines: BufReader::new(file).lines(), tick: 0.0 }
    }

    /// The next packet.
    fn next(&mut self) -> Result<Option<Line>> {
        let untold = || refused("ffmpeg does not tell its packets".to_owned());
        loop {
            let Some(line) = self.lines.next() else { return Ok(None) };
            let line = line.map_err(|e| untold().because(e))?;
            if let Some(of) = line.strip_prefix("#tb 0: ") {
                self.tick = fraction(of).ok_or_else(untold)?;
            } else if !line.starts_with('#') {
                return Line::read(&line).ok_or_else(untold).map(Some);
            }
        }
    }
}

impl Line {
    /// `stream, dts, pts, duration, size, hash`.
    fn read(line: &str) -> Option<Self> {
        let mut fields = line.split(',').map(str::trim).skip(2);
        let pts = fields.next()?.parse().ok()?;
        Some(Self { pts, digest: fields.nth(2)?.parse().ok()? })
    }
}

fn fraction(text: &str) -> Option<f64> {
    let (n, d) = text.split_once('/')?;
    Some(n.trim().parse::<f64>().ok()? / d.trim().parse::<f64>().ok()?)
}

/// The units of a stream of bytes (Annex B), however many zeros stand before each.
#[derive(Default)]
struct Units {
    hasher: Hasher,
    zeros: usize,
}

impl Units {
    fn take(&mut self, bytes: &[u8]) {
        let mut plain = Vec::with_capacity(bytes.len() + 3);
        for byte in bytes {
            match (byte, self.zeros) {
                (0, _) => {
                    self.zeros += 1;
                    continue;
                }
                (1, 2..) => plain.extend([0, 0, 1]),
                (other, zeros) => {
                    plain.resize(plain.len() + zeros, 0);
                    plain.push(*other);
                }
            }
            self.zeros = 0;
        }
        self.hasher.update(&plain);
    }

    /// Zeros at the end belong to no unit.
    fn digest(self) -> Digest {
        self.hasher.finish()
    }
}

/// A file that is gone when this is.
struct Scrap(PathBuf);

impl Drop for Scrap {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
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
        assert_eq!(fraction("1/30000"), Some(1.0 / 30_000.0));
    }

    #[test]
    fn streams_are_of_the_same_units_whatever_stands_between_them() {
        let of = |parts: &[&[u8]]| {
            let mut units = Units::default();
            parts.iter().for_each(|part| units.take(part));
            units.digest()
        };
        let stream = of(&[&[0, 0, 0, 1, 7, 0, 0, 3, 1, 0, 0, 1, 8, 9]]);
        assert_eq!(of(&[&[0, 0, 1, 7, 0], &[0, 3, 1, 0, 0], &[0, 1, 8, 9, 0, 0]]), stream);
        assert_ne!(of(&[&[0, 0, 1, 7, 0, 3, 1, 0, 0, 1, 8, 9]]), stream);
        assert_ne!(of(&[&[0, 0, 1, 7, 0, 0, 3, 1, 0, 0, 1, 8]]), stream);
    }
}
