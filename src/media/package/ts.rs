//! The ladder once more, as MPEG transport streams (ISO/IEC 13818-1) for players that know no fragmented MP4. The same coded
//! pictures and sound in other wrapping: nothing is encoded again.

use std::{
    collections::VecDeque,
    fs::File,
    io::{BufWriter, Read, Seek, SeekFrom, Write},
    path::Path,
};

use super::{
    Ladder, RungKind, Track,
    boxes::{Fragmented, damaged},
    hls::{self, Heard, Item, KeyItem, Set, Variant, Version},
    seal::{self, Key, Vector},
    text,
    wrap::{self, Codec, Unit, Wrapper},
};
use crate::error::{Doing, Error, Result};

/// What names of these files have after the entry's.
const SET: &str = "ts";
/// Frames of sound that go together where no picture comes between: a tenth of a second.
const TOGETHER: usize = 5;

/// A segment that was written.
struct Piece {
    name: String,
    bytes: u64,
    seconds: f64,
    keys: Vec<KeyItem>,
    vector: Option<Vector>,
}

/// The name of the list to open.
pub(super) fn list_name(entry: &str) -> String {
    format!("{entry}.{SET}.m3u8")
}

/// Writes segments and lists into `dir`, and adds their names; the list to open is among `names` already. The tracks' own
/// files are still to be there.
pub(super) fn write(dir: &Path, ladder: &Ladder<'_>, key: Option<&Key>, names: &mut Vec<String>) -> Result<()> {
    let of_kind = |is_video: bool| ladder.tracks.iter().filter(move |t| t.is_video() == is_video);
    let sounds: Vec<&Track<'_>> = of_kind(false).collect();
    let first_sound = sounds.first().copied();
    let Some(times) = of_kind(true).next().map(starts) else { return Ok(()) };
    let name_of = |track: &Track<'_>| format!("{}.{SET}.{}", ladder.entry, track.rung.name);
    let mut set = Set { version: Version::Four, sounds: Vec::new(), texts: Vec::new(), variants: Vec::new() };
    let write = |name: String, text: &str, names: &mut Vec<String>| -> Result<()> {
        std::fs::write(dir.join(&name), text).doing(|| format!("cannot write {name}"))?;
        names.push(name);
        Ok(())
    };
    let mut most_sound = (0, 0);
    for (i, track) in sounds.iter().enumerate() {
        let RungKind::Audio { channels, label, .. } = &track.rung.kind else { continue };
        let mut list = None;
        if i > 0 {
            let name = name_of(track);
            let pieces = segments(dir, &name, (None, Some(*track)), &times, key)?;
            write(format!("{name}.m3u8"), &listed(&pieces, ladder.entry), names)?;
            most_sound = bandwidth(&pieces).max(most_sound);
            names.extend(pieces.into_iter().map(|p| p.name));
            list = Some(format!("{name}.m3u8"));
        }
        if sounds.len() > 1 {
            set.sounds.push(Heard { label: label.as_ref(), channels: *channels, list });
        }
    }
    for track in of_kind(true) {
        let RungKind::Video { size, rate } = track.rung.kind else { continue };
        let name = name_of(track);
        let pieces = segments(dir, &name, (Some(track), first_sound), &times, key)?;
        write(format!("{name}.m3u8"), &listed(&pieces, ladder.entry), names)?;
        let keys = pieces.iter().flat_map(|p| &p.keys).map(|k| (k.bytes as f64 * 8.0 / k.seconds.max(0.001)).ceil());
        let keys = key.is_none().then(|| keys.fold(0.0, f64::max) as u64);
        if keys.is_some() {
            write(format!("{name}.iframes.m3u8"), &hls::iframe_playlist(Version::Four, None, &items(&pieces)), names)?;
        }
        let (most, mean) = bandwidth(&pieces);
        names.extend(pieces.into_iter().map(|p| p.name));
        set.variants.push(Variant {
            name,
            size,
            rate,
            // The first sound is in it; whoever hears another fetches both.
            bandwidth: (most + most_sound.0, mean + most_sound.1),
            codec: &track.media.codec,
            sound: first_sound.map(|s| s.media.codec.as_str()),
            keys,
        });
    }
    for words in ladder.texts {
        let (from, name) =
            (format!("{}.{}", ladder.entry, words.file), format!("{}.{SET}.{}", ladder.entry, words.file));
        text::shifted(dir, &from, &name, wrap::BASE)?;
        write(format!("{name}.m3u8"), &hls::text_playlist(Version::Four, &name, ladder.seconds()), names)?;
        names.push(text::words_name(&name));
        set.texts.push((&words.label, format!("{name}.m3u8")));
    }
    let name = list_name(ladder.entry);
    std::fs::write(dir.join(&name), hls::master(&set)).doing(|| format!("cannot write {name}"))
}

/// When each segment of a track begins, in seconds.
fn starts(track: &Track<'_>) -> Vec<f64> {
    track.segments.iter().map(|s| track.seconds(s.start())).collect()
}

fn items(pieces: &[Piece]) -> Vec<Item<'_>> {
    let item = |p: &'_ Piece| (p.name.clone(), p.keys.clone());
    let all = pieces.iter().map(|p| (p, item(p)));
    all.map(|(p, (name, keys))| Item { name, seconds: p.seconds, vector: p.vector.as_ref(), keys }).collect()
}

fn listed(pieces: &[Piece], entry: &str) -> String {
    hls::media_playlist(Version::Four, None, &items(pieces), entry)
}

/// The most and the mean bits a second.
fn bandwidth(pieces: &[Piece]) -> (u64, u64) {
    let rate = |bytes: u64, seconds: f64| (bytes as f64 * 8.0 / seconds.max(0.001)).ceil() as u64;
    let most = pieces.iter().map(|p| rate(p.bytes, p.seconds)).max().unwrap_or(0);
    let (bytes, seconds) = pieces.iter().fold((0, 0.0), |(b, s), p| (b + p.bytes, s + p.seconds));
    (most, rate(bytes, seconds))
}

/// Writes the segments of pictures, of sound, or of both, which begin at these times.
fn segments(
    dir: &Path,
    name: &str,
    (video, audio): (Option<&Track<'_>>, Option<&Track<'_>>),
    times: &[f64],
    key: Option<&Key>,
) -> Result<Vec<Piece>> {
    let codec = |track: &Track<'_>| {
        let config = &track.media.config;
        let codec = if track.is_video() { Codec::h264(config) } else { Codec::aac(config) };
        codec.ok_or_else(|| Error::unsupported(format!("{} cannot be put into a transport stream", track.rung.name)))
    };
    let mut wrapper = Wrapper::new(video.map(codec).transpose()?, audio.map(codec).transpose()?);
    let mut pictures = video.map(Reader::open).transpose()?;
    let mut sound = audio.map(Reader::open).transpose()?;
    let vectors = if key.is_some() { seal::vectors(times.len())? } else { Vec::new() };
    let total = [video, audio].into_iter().flatten().map(Track::total_seconds).fold(0.0, f64::max);
    let mut pieces = Vec::new();
    for (i, start) in times.iter().enumerate() {
        let end = times.get(i + 1).copied();
        let piece = format!("{name}.{:05}.ts", i + 1);
        let path = dir.join(&piece);
        let doing = || format!("cannot write {piece}");
        let mut to = BufWriter::new(File::create(&path).doing(doing)?);
        let mut bytes = 0;
        let mut put = |packets: &[u8]| -> Result<()> {
            bytes += packets.len() as u64;
            to.write_all(packets).doing(doing)
        };
        let mut keys: Vec<(f64, u64, u64)> = Vec::new();
        let is_now = |unit: &Unit, half: f64| end.is_none_or(|end| unit.seconds() < end - half);
        if video.is_none() {
            put(&wrapper.tables())?;
        }
        if let Some(pictures) = &mut pictures {
            let mut at = 0;
            while let Some(unit) = pictures.next_if(|unit| is_now(unit, 0.0005))? {
                let mut packets = if unit.is_key { wrapper.tables() } else { Vec::new() };
                wrapper.picture(&unit, &mut packets)?;
                if unit.is_key {
                    keys.push((unit.seconds(), at, packets.len() as u64));
                }
                at += packets.len() as u64;
                put(&packets)?;
                let until = pictures.peek()?.map(Unit::seconds);
                if let Some(sound) = &mut sound {
                    let mut packets = Vec::new();
                    let is_due = |u: &Unit| until.is_none_or(|until| u.seconds() < until) && is_now(u, 0.0);
                    wrapper.sound(&sound.several(usize::MAX, is_due)?, &mut packets)?;
                    at += packets.len() as u64;
                    put(&packets)?;
                }
            }
        } else if let Some(sound) = &mut sound {
            loop {
                let units = sound.several(TOGETHER, |unit| is_now(unit, 0.0))?;
                if units.is_empty() {
                    break;
                }
                let mut packets = Vec::new();
                wrapper.sound(&units, &mut packets)?;
                put(&packets)?;
            }
        }
        to.flush().doing(doing)?;
        drop(to);
        let vector = vectors.get(i).copied();
        if let Some((key, vector)) = key.zip(vector) {
            key.seal(&path, &vector)?;
        }
        let end = end.unwrap_or(total.max(*start));
        let nexts = keys.iter().skip(1).map(|k| k.0).chain([end]).collect::<Vec<_>>();
        let keys = keys.iter().zip(nexts);
        let keys = keys.map(|((seconds, at, bytes), next)| KeyItem { seconds: next - seconds, at: *at, bytes: *bytes });
        pieces.push(Piece { name: piece, bytes, seconds: end - start, keys: keys.collect(), vector });
    }
    Ok(pieces)
}

/// Samples of a track in their order, of which one fragment is in memory at a time.
struct Reader<'a> {
    file: File,
    media: &'a Fragmented,
    next: usize,
    waiting: VecDeque<Unit>,
}

impl<'a> Reader<'a> {
    fn open(track: &'a Track<'_>) -> Result<Self> {
        let file = File::open(&track.file).doing(|| format!("cannot read {}", track.file.display()))?;
        Ok(Self { file, media: &track.media, next: 0, waiting: VecDeque::new() })
    }

    fn peek(&mut self) -> Result<Option<&Unit>> {
        while self.waiting.is_empty() {
            let Some(fragment) = self.media.fragments.get(self.next) else { return Ok(None) };
            self.next += 1;
            let doing = || "cannot read a track";
            self.file.seek(SeekFrom::Start(fragment.at)).doing(doing)?;
            let mut bytes = Vec::new();
            (&self.file).take(fragment.bytes).read_to_end(&mut bytes).doing(doing)?;
            let samples = self.media.samples(&bytes).ok_or_else(|| damaged("a fragment is not understood"))?;
            let (timescale, delay) = (u64::from(self.media.timescale), i64::from(self.media.delay));
            let clock = |ticks: i64| ticks * i64::from(wrap::CLOCK) / timescale.max(1) as i64;
            let mut decoded = fragment.start as i64 - delay;
            for (sample, bytes) in samples {
                self.waiting.push_back(Unit {
                    decoded: clock(decoded),
                    shown: clock(decoded + i64::from(sample.shown)),
                    begins: clock(decoded + delay),
                    is_key: sample.is_key,
                    bytes: bytes.to_vec(),
                });
                decoded += i64::from(sample.duration);
            }
        }
        Ok(self.waiting.front())
    }

    fn next_if(&mut self, wanted: impl Fn(&Unit) -> bool) -> Result<Option<Unit>> {
        Ok(match self.peek()?.is_some_and(wanted) {
            true => self.waiting.pop_front(),
            false => None,
        })
    }

    fn several(&mut self, most: usize, wanted: impl Fn(&Unit) -> bool) -> Result<Vec<Unit>> {
        let mut units = Vec::new();
        while units.len() < most
            && let Some(unit) = self.next_if(&wanted)?
        {
            units.push(unit);
        }
        Ok(units)
    }
}
