//! Packages for streaming: fragmented MP4s of one ladder, cut into one set of segments that HLS (RFC 8216) and DASH (ISO/IEC
//! 23009-1) share, with the playlists of both. Nothing is encoded here, and all of it is decided by what the files say.

mod boxes;
mod dash;
mod hls;
pub(crate) mod quicktime;
mod seal;
pub(crate) mod start;
mod text;
mod ts;
mod wrap;

use std::{
    fs::{self, File},
    io::{self, BufWriter, Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

pub(crate) use self::text::extract;
use self::{
    boxes::{Fragment, Fragmented},
    hls::{Heard, Item, KeyItem, Set, Variant, Version},
    seal::{Key, Vector},
};
use crate::{
    error::{Doing, Error, Result},
    profile::{Encryption, Stream},
};

/// A track of the ladder.
pub(crate) struct Rung<'a> {
    /// What its files are called after.
    pub(crate) name: &'a str,
    /// A fragmented MP4 of this track alone, a fragment a keyframe. It is removed once it is cut.
    pub(crate) file: &'a Path,
    /// What it is.
    pub(crate) kind: RungKind,
}

/// What a track is.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum RungKind {
    /// Pictures of this size, so many a second; none when they come as they like.
    Video { size: (u32, u32), rate: Option<f64> },
    /// Sound.
    Audio { channels: u32, rate: u32, label: Option<Label> },
}

/// What whoever watches chooses a track by.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Label {
    /// Without quotes and line breaks.
    pub(crate) name: String,
    /// BCP 47.
    pub(crate) language: Option<String>,
}

/// Words beside the pictures, already in their file.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Text {
    /// What its files are called after.
    pub(crate) file: String,
    /// What it is chosen by.
    pub(crate) label: Label,
}

/// A piece of a track that is fetched at once.
#[derive(Debug, PartialEq)]
struct Segment {
    fragments: Vec<Fragment>,
}

impl Segment {
    fn start(&self) -> u64 {
        self.fragments.first().map_or(0, |f| f.start)
    }

    fn duration(&self) -> u64 {
        self.fragments.iter().map(|f| f.duration).sum()
    }

    fn bytes(&self) -> u64 {
        self.fragments.iter().map(|f| f.bytes).sum()
    }
}

struct Track<'a> {
    /// What its files begin with.
    name: String,
    rung: &'a Rung<'a>,
    /// Where its samples are.
    file: PathBuf,
    media: Fragmented,
    segments: Vec<Segment>,
    /// Of an encrypted track, one a segment.
    vectors: Vec<Vector>,
}

/// All that is listed.
struct Ladder<'a> {
    /// What its files begin with.
    entry: &'a str,
    tracks: Vec<Track<'a>>,
    texts: &'a [Text],
    segment_ms: u64,
}

impl Ladder<'_> {
    /// The lists of HLS over its segments.
    fn set(&self) -> Set<'_> {
        let mut set = Set { version: Version::Seven, sounds: Vec::new(), texts: Vec::new(), variants: Vec::new() };
        // A rung is heard with one of the sounds: the largest counts.
        let (mut audio_most, mut audio_mean, mut sound) = (0, 0, None);
        for track in &self.tracks {
            let RungKind::Audio { channels, label, .. } = &track.rung.kind else { continue };
            let list = Some(format!("{}.m3u8", track.name));
            set.sounds.push(Heard { label: label.as_ref(), channels: *channels, list });
            let (most, mean) = track.bandwidth();
            (audio_most, audio_mean) = (audio_most.max(most), audio_mean.max(mean));
            sound.get_or_insert(track.media.codec.as_str());
        }
        for track in &self.tracks {
            let RungKind::Video { size, rate } = track.rung.kind else { continue };
            let (most, mean) = track.bandwidth();
            // Each alone, as fast as it would be fetched.
            let fetched = |key: KeyItem| (key.bytes as f64 * 8.0 / key.seconds).ceil() as u64;
            let most_keys = || track.keys(&track.media.fragments).into_iter().map(fetched).max().unwrap_or(0);
            set.variants.push(Variant {
                name: track.name.clone(),
                size,
                rate,
                bandwidth: (most + audio_most, mean + audio_mean),
                codec: &track.media.codec,
                sound,
                // A keyframe cannot be fetched alone out of a segment that is encrypted whole.
                keys: track.vectors.is_empty().then(most_keys),
            });
        }
        set.texts.extend(self.texts.iter().map(|t| (&t.label, format!("{}.{}.m3u8", self.entry, t.file))));
        set
    }

    fn seconds(&self) -> f64 {
        self.tracks.iter().map(Track::total_seconds).fold(0.0, f64::max)
    }
}

impl Track<'_> {
    fn seconds(&self, ticks: u64) -> f64 {
        ticks as f64 / f64::from(self.media.timescale)
    }

    fn is_video(&self) -> bool {
        matches!(self.rung.kind, RungKind::Video { .. })
    }

    fn init_name(&self) -> String {
        format!("{}.init.mp4", self.name)
    }

    fn segment_name(&self, number: usize) -> String {
        format!("{}.{number:05}.m4s", self.name)
    }

    /// The most and the mean bits a second of its segments.
    fn bandwidth(&self) -> (u64, u64) {
        let rate = |bytes: u64, ticks: u64| (bytes as f64 * 8.0 / self.seconds(ticks.max(1))).ceil() as u64;
        let most = self.segments.iter().map(|s| rate(s.bytes(), s.duration())).max().unwrap_or(0);
        let (bytes, ticks) = self.segments.iter().fold((0, 0), |(b, t), s| (b + s.bytes(), t + s.duration()));
        (most, rate(bytes, ticks))
    }

    fn total_seconds(&self) -> f64 {
        self.seconds(self.segments.iter().map(Segment::duration).sum())
    }

    /// As they are listed.
    fn items(&self) -> Vec<Item<'_>> {
        let item = |(i, segment): (usize, &Segment)| Item {
            name: self.segment_name(i + 1),
            seconds: self.seconds(segment.duration()),
            vector: self.vectors.get(i),
            keys: self.keys(&segment.fragments),
        };
        self.segments.iter().enumerate().map(item).collect()
    }

    /// The keyframes of fragments that lie one after the other.
    fn keys(&self, fragments: &[Fragment]) -> Vec<KeyItem> {
        let mut at = 0;
        let key = |group: &[Fragment]| {
            let ticks: u64 = group.iter().map(|f| f.duration).sum();
            let bytes = group.first().map_or(0, |f| f.first);
            let key = KeyItem { seconds: self.seconds(ticks.max(1)), at, bytes };
            at += group.iter().map(|f| f.bytes).sum::<u64>();
            key
        };
        groups(fragments).map(key).collect()
    }
}

/// Cuts the rungs' files and writes the playlists into `dir`, all under names that begin with `entry`; gives the names of
/// all files, those to open first. Segments are as long as fits into those that are asked for, and at least one keyframe
/// interval. Encrypted, they are for HLS alone, and the key lies beside them.
pub(crate) fn package(
    dir: &Path,
    entry: &str,
    (rungs, texts): (&[Rung<'_>], &[Text]),
    spec: &Stream,
) -> Result<Vec<String>> {
    let segment_ms = u64::from(spec.segment.0);
    let key = spec.encryption.map(|Encryption::Aes128| Key::random()).transpose()?;
    let mut tracks = Vec::new();
    for rung in rungs {
        let mut file = rung.file.to_owned();
        let mut media = boxes::read(&file)?;
        let mut segments = grouped(&media, segment_ms);
        let pictures = tracks.iter().find(|t: &&Track<'_>| t.is_video());
        if let (RungKind::Audio { .. }, Some(pictures)) = (&rung.kind, pictures) {
            file = recut(&file, &media, pictures, segment_ms)?;
            media = boxes::read(&file)?;
            segments = media.fragments.iter().map(|f| Segment { fragments: vec![f.clone()] }).collect();
        }
        let vectors = if key.is_some() { seal::vectors(segments.len())? } else { Vec::new() };
        tracks.push(Track { name: format!("{entry}.{}", rung.name), rung, file, segments, media, vectors });
    }
    aligned(&tracks)?;
    let ladder = Ladder { entry, tracks, texts, segment_ms };
    let mut names = Vec::new();
    let write = |names: &mut Vec<String>, name: String, text: &str| -> Result<()> {
        fs::write(dir.join(&name), text).doing(|| format!("cannot write {name}"))?;
        names.push(name);
        Ok(())
    };
    write(&mut names, format!("{entry}.m3u8"), &hls::master(&ladder.set()))?;
    if key.is_none() {
        write(&mut names, format!("{entry}.mpd"), &dash::manifest(&ladder))?;
    }
    if spec.mpeg_ts {
        names.push(ts::list_name(entry));
        ts::write(dir, &ladder, key.as_ref(), &mut names)?;
    }
    if let Some(key) = &key {
        let name = key_name(entry);
        key.write(&dir.join(&name))?;
        names.push(name);
    }
    for track in &ladder.tracks {
        let (init, items) = (track.init_name(), track.items());
        let list = hls::media_playlist(Version::Seven, Some(&init), &items, entry);
        write(&mut names, format!("{}.m3u8", track.name), &list)?;
        if track.is_video() && key.is_none() {
            let list = hls::iframe_playlist(Version::Seven, Some(&init), &items);
            write(&mut names, format!("{}.iframes.m3u8", track.name), &list)?;
        }
        cut(dir, track, key.as_ref(), &mut names)?;
    }
    for text in texts {
        let name = format!("{entry}.{}", text.file);
        write(&mut names, format!("{name}.m3u8"), &hls::text_playlist(Version::Seven, &name, ladder.seconds()))?;
        names.push(text::words_name(&name));
    }
    Ok(names)
}

fn key_name(entry: &str) -> String {
    format!("{entry}.key")
}

/// Fragments put together to segments of about the wished length, each of which begins with a keyframe.
fn grouped(media: &Fragmented, segment_ms: u64) -> Vec<Segment> {
    // A twentieth of a second more is no reason to begin another.
    let most = (segment_ms + 50) * u64::from(media.timescale) / 1000;
    let mut segments: Vec<Segment> = Vec::new();
    for group in groups(&media.fragments) {
        let duration: u64 = group.iter().map(|f| f.duration).sum();
        match segments.last_mut() {
            Some(last) if last.duration() + duration <= most => last.fragments.extend_from_slice(group),
            _ => segments.push(Segment { fragments: group.to_vec() }),
        }
    }
    segments
}

/// Fragments from one keyframe to the next.
fn groups(fragments: &[Fragment]) -> impl Iterator<Item = &[Fragment]> {
    fragments.chunk_by(|_, next| !next.is_key)
}

/// Refuses a ladder whose pictures cannot be switched between, or that has a hole.
fn aligned(tracks: &[Track<'_>]) -> Result<()> {
    let refused = |why: String| Err(Error::internal(format!("the ladder cannot be packaged: {why}")));
    for track in tracks {
        let fragments = &track.media.fragments;
        if fragments.first().is_some_and(|f| !f.is_key) {
            return refused(format!("{} does not begin with a keyframe", track.rung.name));
        }
        // Rounding of times may be off by a tick.
        if let Some(pair) = fragments.windows(2).find(|p| (p[0].start + p[0].duration).abs_diff(p[1].start) > 2) {
            return refused(format!("{} has a hole at {:.3} s", track.rung.name, track.seconds(pair[1].start)));
        }
    }
    let mut videos = tracks.iter().filter(|t| t.is_video());
    let Some(first) = videos.next() else { return Ok(()) };
    for other in videos {
        let same = first.segments.len() == other.segments.len()
            && first
                .segments
                .iter()
                .zip(&other.segments)
                .all(|(a, b)| (first.seconds(a.start()) - other.seconds(b.start())).abs() < 0.001);
        if !same {
            return refused(format!("{} and {} begin segments at different times", first.rung.name, other.rung.name));
        }
    }
    Ok(())
}

/// Cuts sound anew where its pictures are cut, to the frame of sound that begins there: a muxer of sound alone counts its own
/// fragments, and is seconds beside the pictures within an hour. Gives the new file; the old one is removed.
fn recut(path: &Path, media: &Fragmented, pictures: &Track<'_>, segment_ms: u64) -> Result<PathBuf> {
    let target = path.with_extension("cut");
    let (reading, writing) =
        (|| format!("cannot read {}", path.display()), || format!("cannot write {}", target.display()));
    let mut from = File::open(path).doing(reading)?;
    let mut to = BufWriter::new(File::create(&target).doing(writing)?);
    to.write_all(&media.init).doing(writing)?;
    let ticks = |seconds: f64| (seconds * f64::from(media.timescale)).round() as u64;
    let starts = pictures.segments.iter().skip(1).map(|s| ticks(pictures.seconds(s.start())));
    let mut ends = starts.collect::<Vec<u64>>().into_iter();
    // What is heard after the last picture is cut, too.
    let length = segment_ms * u64::from(media.timescale) / 1000;
    let mut end = ends.next().unwrap_or(length);
    let (mut held, mut start, mut number) = (Vec::new(), media.fragments.first().map_or(0, |f| f.start), 1);
    for fragment in &media.fragments {
        from.seek(SeekFrom::Start(fragment.at)).doing(reading)?;
        let mut bytes = Vec::new();
        (&from).take(fragment.bytes).read_to_end(&mut bytes).doing(reading)?;
        let samples = media.samples(&bytes).ok_or_else(|| boxes::damaged("a fragment is not understood"))?;
        let mut at = fragment.start;
        for (sample, bytes) in samples {
            while at >= end {
                if !held.is_empty() {
                    to.write_all(&media.fragment(number, start, &held)).doing(writing)?;
                    number += 1;
                    held.clear();
                }
                start = at;
                end = ends.next().unwrap_or(end + length.max(1));
            }
            at += u64::from(sample.duration);
            held.push((sample, bytes.to_vec()));
        }
    }
    if !held.is_empty() {
        to.write_all(&media.fragment(number, start, &held)).doing(writing)?;
    }
    to.flush().doing(writing)?;
    fs::remove_file(path).doing(|| format!("cannot remove {}", path.display()))?;
    Ok(target)
}

/// Writes a track's segments, and removes what they were cut from.
fn cut(dir: &Path, track: &Track<'_>, key: Option<&Key>, names: &mut Vec<String>) -> Result<()> {
    let name = track.init_name();
    fs::write(dir.join(&name), &track.media.init).doing(|| format!("cannot write {name}"))?;
    names.push(name);
    let doing = || format!("cannot read {}", track.file.display());
    let mut from = File::open(&track.file).doing(doing)?;
    for (i, segment) in track.segments.iter().enumerate() {
        let name = track.segment_name(i + 1);
        let mut to = File::create(dir.join(&name)).doing(|| format!("cannot write {name}"))?;
        for fragment in &segment.fragments {
            from.seek(SeekFrom::Start(fragment.at)).doing(doing)?;
            let copied =
                io::copy(&mut (&from).take(fragment.bytes), &mut to).doing(|| format!("cannot write {name}"))?;
            if copied != fragment.bytes {
                return Err(Error::internal(format!("{} became shorter", track.file.display())));
            }
        }
        if let Some((key, vector)) = key.zip(track.vectors.get(i)) {
            key.seal(&dir.join(&name), vector)?;
        }
        names.push(name);
    }
    drop(from);
    fs::remove_file(&track.file).doing(|| format!("cannot remove {}", track.file.display()))
}
