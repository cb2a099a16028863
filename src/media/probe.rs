//! Measures a file before anything is made of it: [`probe`] runs `ffprobe` as a child process and turns what it says
//! into [`MediaFacts`]. A file that cannot be played is no error here: it gets facts with a `problem` in plain words,
//! because the archive keeps it all the same.
//!
//! Running the tool (`tool`) and reading its text (`parse`) are separate, so that the reader is tested on real output.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{ErrorKind, Read, Seek, SeekFrom},
    os::unix::process::CommandExt,
    path::Path,
    process::{Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::process::{Signal, set_parent_process_death_signal};
use serde::Deserialize;

use crate::{
    error::{Doing, Error, Result, io},
    model::{AudioFacts, FieldOrder, MediaFacts, MediaKind, Range, Timecode, VideoFacts},
    stop::Stop,
};

/// Most bytes of a tool's output that are kept: a file of a thousand streams stays below 4 MiB.
const MOST_OUTPUT: usize = 8 << 20;
/// Most tags kept of one file, and most bytes of each: tags are hostile bytes too.
const MOST_TAGS: usize = 64;
const LONGEST_TAG: usize = 1024;

/// Measures `input`, whose content is of type `mime` by its first bytes. The child process is killed after `timeout`
/// or when `stop` is tripped.
///
/// Errors: [`Kind::Unavailable`](crate::error::Kind::Unavailable) when `ffprobe` is not installed or does not finish,
/// and what opening the file gives. A damaged file is *not* an error, see [`MediaFacts::problem`].
pub fn probe(input: &Path, mime: &str, timeout: Duration, stop: &Stop) -> Result<MediaFacts> {
    probe_opened(input, &PLAIN, mime, timeout, stop)
}

/// [`probe`] of what was made here, which may be a list that names a key.
pub(crate) fn made(input: &Path, mime: &str, timeout: Duration, stop: &Stop) -> Result<MediaFacts> {
    probe_opened(input, opening(input), mime, timeout, stop)
}

/// Files alone, none on a network.
const PLAIN: [&str; 2] = ["-protocol_whitelist", "file"];

/// How ffmpeg's tools open what was made here: a list of segments may name a key, whose file has no name of media.
pub(crate) fn opening(path: &Path) -> &'static [&'static str] {
    match path.extension().is_some_and(|e| e == "m3u8") {
        true => &["-protocol_whitelist", "file,crypto", "-allowed_extensions", "ALL"],
        false => &PLAIN,
    }
}

fn probe_opened(input: &Path, opening: &[&str], mime: &str, timeout: Duration, stop: &Stop) -> Result<MediaFacts> {
    let mut file = File::open(input).doing(|| format!("cannot open {}", input.display()))?;
    let size = file.metadata().doing(|| format!("cannot look at {}", input.display()))?.len();
    if size == 0 {
        let mut facts = MediaFacts::bare(kind_of(mime), mime);
        facts.problem = Some("the file is empty".to_owned());
        return Ok(facts);
    }
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-print_format", "json"]).args(opening);
    command.args(["-show_format", "-show_streams", "-i"]).arg(file_url(input));
    let ran = tool(command, "ffprobe", timeout, stop)?;
    let mut facts = parse(&ran.stdout, &ran.stderr, mime);
    if facts.problem.is_none() {
        match missing_media(&mut file, size) {
            Some(Missing { there: 0, .. }) => {
                facts.problem = Some("the file ends before its media data begins".to_owned());
            }
            Some(Missing { there, declared }) => {
                let warning = format!("the file is cut short: {there} of {declared} bytes of media data are there");
                facts.tags.insert("warning".to_owned(), warning);
            }
            None => {}
        }
    }
    Ok(facts)
}

/// The path as an argument that ffmpeg's tools cannot take for an option or for another protocol.
pub(crate) fn file_url(path: &Path) -> std::ffi::OsString {
    let mut url = std::ffi::OsString::from("file:");
    url.push(path);
    url
}

/// What a tool left behind.
pub(crate) struct Ran {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Runs a tool of ffmpeg's to its end, with nothing on its standard input. Its output is kept up to 8 MiB and read on
/// beyond that, so that it never blocks. It is killed after `timeout` or when `stop` is tripped.
pub(crate) fn tool(command: Command, name: &str, timeout: Duration, stop: &Stop) -> Result<Ran> {
    tool_heard(command, name, timeout, stop, &mut |_| {})
}

/// [`tool`], with `heard` called on each piece of standard output as it comes.
pub(crate) fn tool_heard(
    mut command: Command,
    name: &str,
    timeout: Duration,
    stop: &Stop,
    heard: &mut dyn FnMut(&str),
) -> Result<Ran> {
    stop.check()?;
    let started = Instant::now();
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    die_with_us(&mut command);
    let mut child = command.spawn().map_err(|e| match e.kind() {
        ErrorKind::NotFound => {
            // Nothing that needs it will fare better until somebody installs it.
            Error::paused(format!("{name} is not installed"))
                .hint("install Debian's package ffmpeg, then run the same command again")
        }
        _ => io(format!("cannot start {name}"), e),
    })?;
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    std::thread::scope(|scope| {
        let (pieces, arrived) = std::sync::mpsc::channel();
        let out = scope.spawn(move || {
            bounded(stdout, &mut |piece| {
                pieces.send(String::from_utf8_lossy(piece).into_owned()).ok();
            })
        });
        let err = scope.spawn(move || bounded(stderr, &mut |_| {}));
        let mut nap = Duration::from_millis(1);
        let ended = loop {
            match child.try_wait() {
                Ok(Some(status)) => break Ok(status),
                Ok(None) if stop.is_tripped() => break Err(Error::stopped()),
                Ok(None) if started.elapsed() > timeout => {
                    let seconds = timeout.as_secs_f64();
                    break Err(Error::unavailable(format!("{name} did not finish within {seconds} s")));
                }
                Ok(None) => std::thread::sleep(nap),
                Err(e) => break Err(io(format!("cannot wait for {name}"), e)),
            }
            arrived.try_iter().for_each(|piece| heard(&piece));
            nap = (nap * 2).min(Duration::from_millis(20));
        };
        if ended.is_err() {
            child.kill().ok();
            child.wait().ok();
        }
        let (stdout, stderr) = (out.join().unwrap_or_default(), err.join().unwrap_or_default());
        Ok(Ran { status: ended?, stdout, stderr })
    })
}

/// Has the kernel kill a tool when whoever waits for it is killed: ffmpeg does not mind that nobody reads what it says.
fn die_with_us(command: &mut Command) {
    // SAFETY: between fork and exec only what a signal handler may call is allowed, and this is one system call.
    unsafe { command.pre_exec(|| Ok(set_parent_process_death_signal(Some(Signal::KILL))?)) };
}

/// Reads a pipe to its end and keeps its beginning; `each` sees all of it.
fn bounded(pipe: Option<impl Read>, each: &mut dyn FnMut(&[u8])) -> String {
    let mut kept = Vec::new();
    let mut block = [0; 8192];
    let Some(mut pipe) = pipe else { return String::new() };
    loop {
        match pipe.read(&mut block) {
            Ok(0) => break,
            Ok(n) => {
                let room = MOST_OUTPUT.saturating_sub(kept.len());
                kept.extend_from_slice(&block[..n.min(room)]);
                each(&block[..n]);
            }
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(_) => break,
        }
    }
    String::from_utf8_lossy(&kept).into_owned()
}

/// ffprobe's document, as far as it is read. Numbers come as strings where they may be missing.
#[derive(Deserialize, Default)]
#[serde(default)]
struct Document {
    streams: Vec<Stream>,
    format: Format,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Format {
    format_name: Option<String>,
    duration: Option<String>,
    tags: BTreeMap<String, String>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Stream {
    codec_type: Option<String>,
    codec_name: Option<String>,
    codec_tag_string: Option<String>,
    profile: Option<serde_json::Value>,
    width: Option<u32>,
    height: Option<u32>,
    sample_aspect_ratio: Option<String>,
    pix_fmt: Option<String>,
    color_range: Option<String>,
    color_space: Option<String>,
    color_transfer: Option<String>,
    color_primaries: Option<String>,
    field_order: Option<String>,
    r_frame_rate: Option<String>,
    avg_frame_rate: Option<String>,
    duration: Option<String>,
    nb_frames: Option<String>,
    bits_per_raw_sample: Option<String>,
    bits_per_sample: Option<u32>,
    sample_fmt: Option<String>,
    sample_rate: Option<String>,
    channels: Option<u32>,
    channel_layout: Option<String>,
    disposition: BTreeMap<String, i64>,
    tags: BTreeMap<String, String>,
    side_data_list: Vec<BTreeMap<String, serde_json::Value>>,
}

impl Stream {
    fn is(&self, kind: &str) -> bool {
        self.codec_type.as_deref() == Some(kind)
    }

    /// Cover art and thumbnails are pictures *about* the recording.
    fn is_cover(&self) -> bool {
        ["attached_pic", "still_image", "timed_thumbnails"].iter().any(|d| self.disposition.get(*d) == Some(&1))
    }

    fn codec(&self) -> String {
        match self.codec_name.as_deref() {
            Some(name) if name != "unknown" => name.to_owned(),
            _ => self.codec_tag_string.clone().unwrap_or_else(|| "unknown".to_owned()),
        }
    }
}

/// Reads ffprobe's JSON and, when there is none worth reading, its complaint.
fn parse(json: &str, complaint: &str, mime: &str) -> MediaFacts {
    let mut facts = MediaFacts::bare(kind_of(mime), mime);
    let document: Document = serde_json::from_str(json).unwrap_or_default();
    if document.streams.is_empty() {
        facts.problem = Some(in_plain_words(complaint));
        return facts;
    }
    let format = &document.format;
    facts.container = format.format_name.clone();
    let longest_stream = document
        .streams
        .iter()
        .filter_map(|s| seconds(&s.duration))
        .fold(None, |longest, d| Some(longest.map_or(d, |l: f64| l.max(d))));
    let duration = seconds(&format.duration).or(longest_stream);
    facts.duration_ms = duration.map(|d| (d * 1000.0).round() as u64);
    facts.audio = document.streams.iter().filter(|s| s.is("audio")).map(audio).collect();
    // A stream without a container, which is made here alone, does not say how long it is.
    let is_bare = matches!(mime, "video/h264" | "video/h265");
    let moving = |s: &&Stream| {
        let frames = s.nb_frames.as_deref().is_some_and(|n| n != "0" && n != "N/A");
        s.is("video") && !s.is_cover() && (frames || duration.is_some() || is_bare)
    };
    let pictures = document.streams.iter().find(moving);
    facts.video = pictures.map(video);
    facts.timecode = timecode(&document);
    for (key, value) in format.tags.iter().take(MOST_TAGS) {
        facts.tags.insert(key.to_lowercase(), value.chars().take(LONGEST_TAG).collect());
    }
    facts.kind = match (&facts.video, facts.audio.is_empty()) {
        (Some(_), _) => MediaKind::Video,
        (None, false) => MediaKind::Audio,
        (None, true) => facts.kind,
    };
    if facts.video.is_none() && facts.audio.is_empty() {
        facts.problem = Some("it holds neither moving pictures nor sound".to_owned());
    } else if facts.video.as_ref().is_some_and(|v| v.width == 0 || v.height == 0) {
        facts.problem = Some("its picture size cannot be found out: the video stream is damaged".to_owned());
    }
    facts
}

fn kind_of(mime: &str) -> MediaKind {
    match mime.split('/').next() {
        Some("video") => MediaKind::Video,
        Some("audio") => MediaKind::Audio,
        Some("image") => MediaKind::Image,
        _ => MediaKind::Other,
    }
}

fn in_plain_words(complaint: &str) -> String {
    let last = complaint.lines().rev().find(|l| !l.trim().is_empty()).unwrap_or("ffprobe found no stream in it");
    // The last line repeats the path, whose bytes are the catalog's business.
    let short = last.rsplit(": ").next().unwrap_or(last);
    if complaint.contains("moov atom not found") {
        "no moov atom: the recording was not finished, or the file is cut short".to_owned()
    } else if complaint.contains("Invalid data found") {
        "it cannot be demuxed: the content is damaged or is not what its type says".to_owned()
    } else {
        format!("it cannot be read: {short}")
    }
}

fn video(s: &Stream) -> VideoFacts {
    let rate = ratio(&s.avg_frame_rate).or_else(|| ratio(&s.r_frame_rate)).unwrap_or((0, 1));
    let pixel_format = s.pix_fmt.clone().unwrap_or_default();
    VideoFacts {
        codec: s.codec(),
        profile: profile(s),
        width: s.width.unwrap_or(0),
        height: s.height.unwrap_or(0),
        rotation: rotation(s),
        sar: ratio(&s.sample_aspect_ratio).unwrap_or((1, 1)),
        rate,
        variable_rate: is_variable(ratio(&s.r_frame_rate), ratio(&s.avg_frame_rate)),
        frames: s.nb_frames.as_deref().and_then(|n| n.parse().ok()).filter(|n| *n > 0),
        // ffprobe's `tb` and `bt` are QuickTime's `fiel` 9 and 14, whose second letter is the *stored* order; what
        // counts is the field that is earlier in time. HDV (always top first) carries 9, DV (always bottom) 14.
        field_order: match s.field_order.as_deref() {
            Some("tt" | "tb") => FieldOrder::Top,
            Some("bb" | "bt") => FieldOrder::Bottom,
            _ => FieldOrder::Progressive,
        },
        bit_depth: number(&s.bits_per_raw_sample)
            .filter(|d| (1..=16).contains(d))
            .map_or_else(|| bit_depth(&pixel_format), |d| d as u8),
        alpha: has_alpha(&pixel_format)
            || s.tags.get("alpha_mode").or(s.tags.get("ALPHA_MODE")).is_some_and(|a| a == "1"),
        range: match s.color_range.as_deref() {
            Some("tv" | "mpeg") => Range::Limited,
            Some("pc" | "jpeg") => Range::Full,
            _ if pixel_format.starts_with("yuvj") => Range::Full,
            _ => Range::Unknown,
        },
        pixel_format,
        matrix: said(&s.color_space),
        primaries: said(&s.color_primaries),
        transfer: said(&s.color_transfer),
    }
}

fn audio(s: &Stream) -> AudioFacts {
    let raw = number(&s.bits_per_raw_sample).filter(|b| *b > 0).or(s.bits_per_sample.filter(|b| *b > 0));
    let pcm = s.codec().starts_with("pcm_") || matches!(s.codec().as_str(), "flac" | "alac" | "wavpack");
    AudioFacts {
        codec: s.codec(),
        channels: s.channels.unwrap_or(0),
        rate: number(&s.sample_rate).unwrap_or(0),
        bits: if pcm { raw.unwrap_or_else(|| sample_bits(s.sample_fmt.as_deref())) } else { 0 },
        layout: said(&s.channel_layout),
        language: s.tags.get("language").filter(|l| *l != "und").cloned(),
        loudness: None,
    }
}

fn sample_bits(format: Option<&str>) -> u32 {
    match format {
        Some("u8" | "u8p") => 8,
        Some("s16" | "s16p") => 16,
        Some("s32" | "s32p" | "flt" | "fltp") => 32,
        Some("dbl" | "dblp") => 64,
        _ => 0,
    }
}

fn said(text: &Option<String>) -> Option<String> {
    text.clone().filter(|t| !t.is_empty() && t != "unknown" && t != "reserved")
}

fn profile(s: &Stream) -> Option<String> {
    match s.profile.as_ref()? {
        serde_json::Value::String(p) if p != "unknown" => Some(p.clone()),
        serde_json::Value::Number(n) => Some(n.to_string()),
        _ => None,
    }
}

fn seconds(text: &Option<String>) -> Option<f64> {
    text.as_deref()?.parse().ok().filter(|d: &f64| d.is_finite() && *d > 0.0 && *d < 1e9)
}

fn number(text: &Option<String>) -> Option<u32> {
    text.as_deref()?.parse().ok()
}

/// `30000/1001` or `4:3`; none when either side is 0.
fn ratio(text: &Option<String>) -> Option<(u32, u32)> {
    let (n, d) = text.as_deref()?.split_once(['/', ':'])?;
    let (n, d) = (n.parse().ok()?, d.parse().ok()?);
    (n > 0 && d > 0).then_some((n, d))
}

/// Frames come unevenly when the rate that fits all timestamps (`r_frame_rate`) is not the average rate. Twice the
/// average is the field rate of interlaced streams; 1 % is what a short clip's odd last frame can amount to.
fn is_variable(fits_all: Option<(u32, u32)>, average: Option<(u32, u32)>) -> bool {
    let (Some(r), Some(a)) = (fits_all, average) else { return false };
    let times = (f64::from(r.0) / f64::from(r.1)) / (f64::from(a.0) / f64::from(a.1));
    (times - 1.0).abs() > 0.01 && (times - 2.0).abs() > 0.02
}

/// Clockwise degrees. The display matrix says counterclockwise ones, the older `rotate` tag clockwise ones.
fn rotation(s: &Stream) -> u16 {
    let matrix = s.side_data_list.iter().find_map(|d| d.get("rotation")?.as_f64());
    let clockwise = match matrix {
        Some(counterclockwise) => -counterclockwise,
        None => s.tags.get("rotate").and_then(|r| r.parse().ok()).unwrap_or(0.0),
    };
    let quarters = (clockwise / 90.0).round();
    if quarters.is_finite() { (quarters as i64).rem_euclid(4) as u16 * 90 } else { 0 }
}

/// Bits per component, from ffmpeg's names of pixel formats (libavutil/pixdesc.c).
fn bit_depth(pixel_format: &str) -> u8 {
    let name = pixel_format.trim_end_matches("le").trim_end_matches("be");
    match name {
        "p010" | "p210" | "p410" | "y210" | "x2rgb10" | "x2bgr10" | "v30x" => 10,
        "p012" => 12,
        "p016" | "p216" | "p416" | "rgb48" | "bgr48" | "rgba64" | "bgra64" | "ya16" | "gray16" | "ayuv64" => 16,
        "monow" | "monob" => 1,
        _ => ["9", "10", "12", "14", "16"]
            .into_iter()
            .rev()
            .find(|d| name.ends_with(&format!("p{d}")) || name.ends_with(&format!("gray{d}")))
            .and_then(|d| d.parse().ok())
            .unwrap_or(8),
    }
}

fn has_alpha(pixel_format: &str) -> bool {
    ["yuva", "rgba", "argb", "bgra", "abgr", "gbrap", "ya8", "ya16", "ayuv"].iter().any(|p| pixel_format.starts_with(p))
}

/// The start timecode: the video's own, a timecode track's, the file's, or a Broadcast WAV's time reference
/// (EBU Tech 3285: samples since midnight; its frames are counted at 25 a second here, as there is no picture).
fn timecode(document: &Document) -> Option<Timecode> {
    let tagged = |tags: &BTreeMap<String, String>| {
        tags.iter().find(|(k, _)| k.eq_ignore_ascii_case("timecode")).map(|(_, v)| v.clone())
    };
    let made =
        |value: String, source: &str| Timecode { drop_frame: value.contains(';'), value, source: source.to_owned() };
    let tmcd = document.streams.iter().filter(|s| s.codec_tag_string.as_deref() == Some("tmcd"));
    if let Some(value) = tmcd.into_iter().find_map(|s| tagged(&s.tags)) {
        return Some(made(value, "tmcd"));
    }
    if let Some(value) = document.streams.iter().find_map(|s| tagged(&s.tags)) {
        return Some(made(value, "stream"));
    }
    if let Some(value) = tagged(&document.format.tags) {
        return Some(made(value, "format"));
    }
    let reference: u64 = document.format.tags.get("time_reference")?.parse().ok().filter(|r| *r > 0)?;
    let rate = u64::from(number(&document.streams.iter().find(|s| s.is("audio"))?.sample_rate)?.max(1));
    let (s, frames) = (reference / rate, reference % rate * 25 / rate);
    Some(made(format!("{:02}:{:02}:{:02}:{frames:02}", s / 3600, s / 60 % 60, s % 60), "bext"))
}

struct Missing {
    there: u64,
    declared: u64,
}

/// Whether the `mdat` boxes of an ISO base media file (ISO/IEC 14496-12, 4.2) reach past the end of the file. A file
/// with its `moov` first demuxes without any complaint however short it was cut.
fn missing_media(file: &mut File, size: u64) -> Option<Missing> {
    let (mut at, mut there, mut declared) = (0_u64, 0_u64, 0_u64);
    for _ in 0..10_000 {
        let mut head = [0_u8; 16];
        file.seek(SeekFrom::Start(at)).ok()?;
        let read = file.read(&mut head).ok()?;
        if read < 8 {
            break;
        }
        let kind: [u8; 4] = [head[4], head[5], head[6], head[7]];
        if at == 0 && !matches!(&kind, b"ftyp" | b"moov" | b"mdat" | b"wide" | b"free" | b"skip" | b"pnot") {
            return None;
        }
        let short = u64::from(u32::from_be_bytes([head[0], head[1], head[2], head[3]]));
        let (header, length) = match short {
            // To the end of the file, whatever that is.
            0 => break,
            1 if read == 16 => (16, u64::from_be_bytes(head[8..16].try_into().ok()?)),
            n => (8, n),
        };
        if length < header {
            break;
        }
        if &kind == b"mdat" {
            declared += length - header;
            there += size.saturating_sub(at + header).min(length - header);
        }
        at = at.checked_add(length)?;
        if at >= size {
            break;
        }
    }
    (there < declared).then_some(Missing { there, declared })
}

#[cfg(test)]
mod tests {
    use std::os::unix::process::ExitStatusExt;

    use super::*;

    const IPHONE: &str = r#"{"streams":[
      {"index":0,"codec_name":"hevc","codec_type":"video","codec_tag_string":"hvc1","profile":"Main 10","width":1920,
       "height":1080,"sample_aspect_ratio":"1:1","pix_fmt":"yuv420p10le","color_range":"tv","color_space":"bt2020nc",
       "color_transfer":"arib-std-b67","color_primaries":"bt2020","r_frame_rate":"60/1","avg_frame_rate":"9210/337",
       "nb_frames":"307","duration":"11.233333","disposition":{"default":1,"attached_pic":0},
       "tags":{"language":"und"},
       "side_data_list":[{"side_data_type":"DOVI configuration record","dv_profile":8},
         {"side_data_type":"Display Matrix","displaymatrix":"\n00000000: 0 65536 0\n","rotation":-90}]},
      {"index":1,"codec_name":"aac","codec_type":"audio","profile":"LC","sample_fmt":"fltp","sample_rate":"44100",
       "channels":2,"channel_layout":"stereo","bits_per_sample":0,"tags":{"language":"eng"}},
      {"index":2,"codec_type":"data","codec_tag_string":"mebx"}],
      "format":{"format_name":"mov,mp4,m4a,3gp,3g2,mj2","duration":"11.233333",
        "tags":{"com.apple.quicktime.make":"Apple","creation_time":"2023-05-01T10:00:00.000000Z"}}}"#;

    #[test]
    fn a_phone_recording_is_hdr_upright_when_turned_and_of_variable_rate() {
        let facts = parse(IPHONE, "", "video/quicktime");
        let v = facts.video.as_ref().unwrap();
        assert_eq!((facts.kind, facts.duration_ms), (MediaKind::Video, Some(11_233)));
        assert_eq!((v.rotation, v.display_size(), v.bit_depth), (90, (1080, 1920), 10));
        assert!(v.is_hdr() && v.variable_rate && !v.alpha);
        assert_eq!(facts.audio[0].language.as_deref(), Some("eng"));
        assert_eq!(facts.problem, None);
    }

    #[test]
    fn dv_is_bottom_field_first_and_its_timecode_track_is_read() {
        let json = r#"{"streams":[{"codec_name":"dvvideo","codec_type":"video","codec_tag_string":"dvcp","width":720,
          "height":576,"sample_aspect_ratio":"59:54","pix_fmt":"yuv420p","color_space":"smpte170m","field_order":"bt",
          "r_frame_rate":"25/1","avg_frame_rate":"25/1","duration":"1.0","nb_frames":"25","tags":{"timecode":"10:00:00:00"}},
          {"codec_type":"data","codec_tag_string":"tmcd","tags":{"timecode":"01:00:00;02"}}],
          "format":{"format_name":"mov","duration":"1.0"}}"#;
        let facts = parse(json, "", "video/quicktime");
        let v = facts.video.unwrap();
        assert_eq!((v.field_order, v.sar, v.range), (FieldOrder::Bottom, (59, 54), Range::Unknown));
        let expected = Timecode { value: "01:00:00;02".into(), drop_frame: true, source: "tmcd".into() };
        assert_eq!(facts.timecode, Some(expected));
    }

    #[test]
    fn cover_art_does_not_make_a_song_a_video() {
        let json = r#"{"streams":[{"codec_name":"mp3","codec_type":"audio","sample_rate":"44100","channels":2},
          {"codec_name":"mjpeg","codec_type":"video","width":500,"height":500,"pix_fmt":"yuvj444p",
           "disposition":{"attached_pic":1}}],"format":{"format_name":"mp3","duration":"200.1"}}"#;
        assert_eq!(parse(json, "", "audio/mpeg").kind, MediaKind::Audio);
    }

    #[test]
    fn a_broadcast_wave_starts_at_its_time_reference() {
        let json = r#"{"streams":[{"codec_name":"pcm_s24le","codec_type":"audio","sample_fmt":"s32",
          "sample_rate":"48000","channels":2,"bits_per_sample":24,"bits_per_raw_sample":"24"}],
          "format":{"format_name":"wav","duration":"2.0","tags":{"time_reference":"172824000"}}}"#;
        let facts = parse(json, "", "audio/wav");
        assert_eq!((facts.kind, facts.audio[0].bits), (MediaKind::Audio, 24));
        assert_eq!(facts.timecode.unwrap().value, "01:00:00:12");
    }

    #[test]
    fn complaints_become_plain_words() {
        let moov =
            "[mov,mp4,m4a,3gp,3g2,mj2 @ 0x55] moov atom not found\nx.mp4: Invalid data found when processing input";
        let facts = parse("{\n}\n", moov, "video/mp4");
        assert_eq!(facts.kind, MediaKind::Video);
        assert!(facts.problem.unwrap().starts_with("no moov atom: the recording was not finished"));
        let text = parse("{}", "x.mp4: Invalid data found when processing input", "video/mp4").problem.unwrap();
        assert!(text.contains("not what its type says"), "{text}");
    }

    #[test]
    fn bit_depths_follow_the_pixel_formats_names() {
        for (name, depth) in
            [("yuv420p", 8), ("yuv422p10le", 10), ("gray12le", 12), ("rgba64be", 16), ("p010le", 10), ("gbrp16", 16)]
        {
            assert_eq!(bit_depth(name), depth, "{name}");
        }
    }

    #[test]
    fn interlaced_and_slightly_short_clips_are_not_variable() {
        assert!(!is_variable(Some((50, 1)), Some((25, 1))));
        assert!(!is_variable(Some((30, 1)), Some((2997, 100))));
        assert!(is_variable(Some((60, 1)), Some((184, 6))));
    }

    #[test]
    fn a_tool_that_does_not_finish_is_killed_and_one_that_is_missing_is_named() {
        let mut command = Command::new("sleep");
        command.arg("30");
        let started = Instant::now();
        let error = tool(command, "ffprobe", Duration::from_millis(100), &Stop::new()).err().unwrap();
        assert!(error.to_string().contains("did not finish") && started.elapsed() < Duration::from_secs(2));
        let error = tool(Command::new("no-such-tool"), "ffprobe", Duration::from_secs(1), &Stop::new()).err().unwrap();
        assert!(error.hint_text().unwrap().starts_with("install Debian's package ffmpeg"));
    }

    #[test]
    fn a_tool_dies_with_whoever_waits_for_it() {
        let spawn = || {
            let mut command = Command::new("sleep");
            command.arg("30");
            die_with_us(&mut command);
            command.spawn().unwrap()
        };
        // Of a process with threads, the one that started it counts.
        let mut child = std::thread::spawn(spawn).join().unwrap();
        let started = Instant::now();
        assert_eq!(child.wait().unwrap().signal(), Some(9));
        assert!(started.elapsed() < Duration::from_secs(2));
    }
}
