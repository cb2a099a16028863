//! Packages for streaming: fragmented MP4s of one ladder, cut into one set of segments that HLS (RFC 8216) and DASH (ISO/IEC
//! 23009-1) share, with the playlists of both. Nothing is encoded here, and all of it is decided by what the files say.

mod boxes;
pub(crate) mod quicktime;
pub(crate) mod start;

use std::{
    fmt::Write as _,
    fs::{self, File},
    io::{self, Read, Seek, SeekFrom},
    path::Path,
};

use self::boxes::{Fragment, Fragmented};
use crate::error::{Doing, Error, Result};

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
    Audio { channels: u32, rate: u32 },
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
    media: Fragmented,
    segments: Vec<Segment>,
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
}

/// Cuts the rungs' files and writes the playlists into `dir`, all under names that begin with `entry`; gives the names of
/// all files, those to open first. Segments are as long as fits into `segment_ms`, and at least one keyframe interval.
pub(crate) fn package(dir: &Path, entry: &str, rungs: &[Rung<'_>], segment_ms: u64) -> Result<Vec<String>> {
    let mut tracks = Vec::new();
    for rung in rungs {
        let media = boxes::read(rung.file)?;
        let name = format!("{entry}.{}", rung.name);
        tracks.push(Track { name, rung, segments: grouped(&media, segment_ms), media });
    }
    aligned(&tracks)?;
    let mut names = Vec::new();
    let write = |names: &mut Vec<String>, name: String, text: &str| -> Result<()> {
        fs::write(dir.join(&name), text).doing(|| format!("cannot write {name}"))?;
        names.push(name);
        Ok(())
    };
    write(&mut names, format!("{entry}.m3u8"), &master(&tracks))?;
    write(&mut names, format!("{entry}.mpd"), &manifest(&tracks, segment_ms))?;
    for track in &tracks {
        write(&mut names, format!("{}.m3u8", track.name), &media_playlist(track))?;
        if track.is_video() {
            write(&mut names, format!("{}.iframes.m3u8", track.name), &iframe_playlist(track))?;
        }
        cut(dir, track, &mut names)?;
    }
    Ok(names)
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

/// Writes a track's segments, and removes what they were cut from.
fn cut(dir: &Path, track: &Track<'_>, names: &mut Vec<String>) -> Result<()> {
    let name = track.init_name();
    fs::write(dir.join(&name), &track.media.init).doing(|| format!("cannot write {name}"))?;
    names.push(name);
    let doing = || format!("cannot read {}", track.rung.file.display());
    let mut from = File::open(track.rung.file).doing(doing)?;
    for (segment, number) in track.segments.iter().zip(1..) {
        let name = track.segment_name(number);
        let mut to = File::create(dir.join(&name)).doing(|| format!("cannot write {name}"))?;
        for fragment in &segment.fragments {
            from.seek(SeekFrom::Start(fragment.at)).doing(doing)?;
            let copied =
                io::copy(&mut from.by_ref().take(fragment.bytes), &mut to).doing(|| format!("cannot write {name}"))?;
            if copied != fragment.bytes {
                return Err(Error::internal(format!("{} became shorter", track.rung.file.display())));
            }
        }
        names.push(name);
    }
    drop(from);
    fs::remove_file(track.rung.file).doing(|| format!("cannot remove {}", track.rung.file.display()))
}

fn target_duration(track: &Track<'_>) -> u64 {
    track.segments.iter().map(|s| track.seconds(s.duration()).round() as u64).max().unwrap_or(1).max(1)
}

fn media_playlist(track: &Track<'_>) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-INDEPENDENT-SEGMENTS\n#EXT-X-MAP:URI=\"{}\"\n",
        target_duration(track),
        track.init_name()
    );
    for (segment, number) in track.segments.iter().zip(1..) {
        write!(text, "#EXTINF:{:.6},\n{}\n", track.seconds(segment.duration()), track.segment_name(number)).ok();
    }
    text + "#EXT-X-ENDLIST\n"
}

/// The pictures that stand by themselves, for fast forward and for scrubbing.
fn iframe_playlist(track: &Track<'_>) -> String {
    let mut text = format!(
        "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-TARGETDURATION:{}\n#EXT-X-MEDIA-SEQUENCE:1\n#EXT-X-PLAYLIST-TYPE:VOD\n\
         #EXT-X-I-FRAMES-ONLY\n#EXT-X-MAP:URI=\"{}\"\n",
        target_duration(track),
        track.init_name()
    );
    for (segment, number) in track.segments.iter().zip(1..) {
        let mut at = 0;
        for group in groups(&segment.fragments) {
            write!(
                text,
                "#EXTINF:{:.6},\n#EXT-X-BYTERANGE:{}@{at}\n{}\n",
                track.seconds(group.iter().map(|f| f.duration).sum()),
                group.first().map_or(0, |f| f.first),
                track.segment_name(number)
            )
            .ok();
            at += group.iter().map(|f| f.bytes).sum::<u64>();
        }
    }
    text + "#EXT-X-ENDLIST\n"
}

fn master(tracks: &[Track<'_>]) -> String {
    let mut text = "#EXTM3U\n#EXT-X-VERSION:7\n#EXT-X-INDEPENDENT-SEGMENTS\n".to_owned();
    let audio = tracks.iter().find(|t| !t.is_video());
    if let Some((track, RungKind::Audio { channels, .. })) = audio.map(|t| (t, &t.rung.kind)) {
        writeln!(
            text,
            "#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID=\"sound\",NAME=\"main\",DEFAULT=YES,AUTOSELECT=YES,CHANNELS=\"{channels}\",\
             URI=\"{}.m3u8\"",
            track.name
        )
        .ok();
    }
    let (audio_most, audio_mean) = audio.map_or((0, 0), Track::bandwidth);
    let mut iframes = String::new();
    for track in tracks {
        let RungKind::Video { size: (width, height), rate } = track.rung.kind else { continue };
        let (most, mean) = track.bandwidth();
        let codecs: Vec<&str> = [Some(track), audio].into_iter().flatten().map(|t| t.media.codec.as_str()).collect();
        let rate = rate.map(|rate| format!(",FRAME-RATE={rate:.3}")).unwrap_or_default();
        let group = if audio.is_some() { ",AUDIO=\"sound\"" } else { "" };
        writeln!(
            text,
            "#EXT-X-STREAM-INF:BANDWIDTH={},AVERAGE-BANDWIDTH={},CODECS=\"{}\",RESOLUTION={width}x{height}{rate}{group}\n{}.m3u8",
            most + audio_most,
            mean + audio_mean,
            codecs.join(","),
            track.name
        )
        .ok();
        // Each alone, as fast as it would be fetched.
        let rate = |group: &[Fragment]| {
            let ticks: u64 = group.iter().map(|f| f.duration).sum();
            (group.first().map_or(0, |f| f.first) as f64 * 8.0 / track.seconds(ticks.max(1))).ceil() as u64
        };
        let peak = groups(&track.media.fragments).map(rate).max();
        writeln!(
            iframes,
            "#EXT-X-I-FRAME-STREAM-INF:BANDWIDTH={},CODECS=\"{}\",RESOLUTION={width}x{height},URI=\"{}.iframes.m3u8\"",
            peak.unwrap_or(0),
            track.media.codec,
            track.name
        )
        .ok();
    }
    text + &iframes
}

/// Times stand in a timeline: sound is cut where its frames end, not where pictures do.
fn manifest(tracks: &[Track<'_>], segment_ms: u64) -> String {
    let total = tracks.iter().map(Track::total_seconds).fold(0.0, f64::max);
    let longest = tracks.iter().flat_map(|t| t.segments.iter().map(|s| t.seconds(s.duration()))).fold(0.0, f64::max);
    let mut text = format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<MPD xmlns=\"urn:mpeg:dash:schema:mpd:2011\" type=\"static\" \
         profiles=\"urn:mpeg:dash:profile:isoff-live:2011\" minBufferTime=\"PT{:.3}S\" \
         mediaPresentationDuration=\"PT{total:.3}S\" maxSegmentDuration=\"PT{longest:.3}S\">\n  <Period id=\"0\" start=\"PT0S\">\n",
        segment_ms as f64 / 1000.0
    );
    for (is_video, content) in [(true, "video"), (false, "audio")] {
        let of_kind: Vec<&Track<'_>> = tracks.iter().filter(|t| t.is_video() == is_video).collect();
        if of_kind.is_empty() {
            continue;
        }
        writeln!(
            text,
            "    <AdaptationSet contentType=\"{content}\" mimeType=\"{content}/mp4\" segmentAlignment=\"true\" startWithSAP=\"1\">"
        )
        .ok();
        for track in of_kind {
            representation(&mut text, track);
        }
        text.push_str("    </AdaptationSet>\n");
    }
    text + "  </Period>\n</MPD>\n"
}

fn representation(text: &mut String, track: &Track<'_>) {
    let (name, codec, (most, _)) = (&track.name, &track.media.codec, track.bandwidth());
    let (extra, channels) = match &track.rung.kind {
        RungKind::Video { size: (width, height), rate } => {
            // As a fraction where it is one of the NTSC family.
            let rate = rate.map(|rate| match (rate * 1001.0 / 1000.0).round() {
                whole if (rate * 1001.0 - whole * 1000.0).abs() < 0.5 && (rate - rate.round()).abs() > 0.001 => {
                    format!(" frameRate=\"{}/1001\"", whole as u64 * 1000)
                }
                _ => format!(" frameRate=\"{}\"", rate.round() as u64),
            });
            (format!("width=\"{width}\" height=\"{height}\" sar=\"1:1\"{}", rate.unwrap_or_default()), None)
        }
        RungKind::Audio { channels, rate } => (format!("audioSamplingRate=\"{rate}\""), Some(*channels)),
    };
    write!(
        text,
        "      <Representation id=\"{name}\" codecs=\"{codec}\" bandwidth=\"{most}\" {extra}>\n{}        <SegmentTemplate \
         timescale=\"{}\" startNumber=\"1\" initialization=\"$RepresentationID$.init.mp4\" media=\"$RepresentationID$.$Number%05d$.m4s\">\n          \
         <SegmentTimeline>",
        channels
            .map(|n| {
                format!(
                    "        <AudioChannelConfiguration schemeIdUri=\"urn:mpeg:dash:23003:3:audio_channel_configuration:2011\" \
                     value=\"{n}\"/>\n"
                )
            })
            .unwrap_or_default(),
        track.media.timescale
    )
    .ok();
    let mut at = 0;
    let mut runs: Vec<(Option<u64>, u64, u64)> = Vec::new();
    for segment in &track.segments {
        let (start, duration) = (segment.start(), segment.duration());
        match runs.last_mut() {
            Some((_, known, more)) if *known == duration && start == at => *more += 1,
            _ => runs.push(((start != at || runs.is_empty()).then_some(start), duration, 0)),
        }
        at = start + duration;
    }
    for (start, duration, more) in runs {
        let start = start.map(|t| format!(" t=\"{t}\"")).unwrap_or_default();
        let more = if more > 0 { format!(" r=\"{more}\"") } else { String::new() };
        write!(text, "<S{start} d=\"{duration}\"{more}/>").ok();
    }
    text.push_str("</SegmentTimeline>\n        </SegmentTemplate>\n      </Representation>\n");
}
