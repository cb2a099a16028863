//! The acceptance gate: no output counts before it was opened again, measured and decoded to its end by a tool that did
//! not make it. [`accept`] compares what is found with three witnesses: the entry (what was asked for), the renderer's
//! own count (what went in) and the master (what there was).
//!
//! An encoder's success proves little: GStreamer ends a cut-off master without a complaint, leaves colors untagged, and
//! can write a whole film of silence.

mod film;
mod ladder;
mod split;

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use super::{
    Glance, Leveled, Rendered,
    glance::{Onlooker, POINTS},
    image,
    probe::{self, file_url},
    scenes,
    split::Part,
    sprite, waveform,
};
use crate::{
    error::{Error, Result},
    model::{AudioFacts, ImageFacts, LoudnessFacts, MediaFacts, MediaKind, VideoFacts},
    profile::{Entry, Loudness, Sound, Spec, Waveform},
    stop::Stop,
};

/// How far durations may lie apart, unless a frame is longer.
const TOLERANCE_MS: u64 = 100;
/// How far sound and picture may begin apart (EBU R 37: 40 ms before, 60 ms after).
const OFFSET_MS: f64 = 40.0;
/// A master louder than this has sound, and so must have what is made of it.
const AUDIBLE_DBFS: f64 = -60.0;
/// Most that mixing down, resampling and a lossy codec take away from the loudest sample.
const LOST_DB: f64 = 20.0;
/// How far the loudness may lie from what was aimed at, in LU (EBU R 128 allows a live mix as much).
const LEVEL_LU: f64 = 1.0;
/// How far two meters of true peak may lie apart, in dB (EBU Tech 3341: 0.2 up, 0.4 down).
const PEAK_DB: f64 = 0.3;

/// What an output is held against.
pub struct Case<'a> {
    /// Where its files are.
    pub out_dir: &'a Path,
    /// What was asked for.
    pub entry: &'a Entry,
    /// What there was.
    pub master: &'a MediaFacts,
    /// The part that it is.
    pub part: Option<&'a Part>,
    /// How long a tool may take.
    pub timeout: Duration,
    /// When to give up.
    pub stop: &'a Stop,
}

/// Hears of progress, 0 to 1, from whichever thread made some.
pub type Told<'a> = &'a (dyn Fn(f64) + Sync);

/// Judges an output. `told` hears how much of it is judged.
///
/// Errors: `Corrupt` when the output shows that the master is damaged (it ends early), `Internal` for every other
/// difference, for then the renderer made something other than what it was asked for.
pub fn accept(case: &Case<'_>, rendered: &Rendered, told: Told<'_>) -> Result<MediaFacts> {
    let Case { out_dir, entry, master, part, timeout, stop } = *case;
    let wanted = match part {
        Some(Part::Segment(_)) => super::split::files(&entry.name).to_vec(),
        _ => entry.spec.files(&entry.name),
    };
    let wanted: Vec<String> = wanted.into_iter().map(|(name, _)| name).collect();
    // How many segments a stream has, or a sprite sheets, its master decides.
    let named = match entry.spec.is_open_ended() {
        true => &rendered.files[..wanted.len().min(rendered.files.len())],
        false => &rendered.files[..],
    };
    if named != wanted {
        return Err(refused(format!("its files are {:?}, not {wanted:?}", rendered.files)));
    }
    for name in &rendered.files {
        match std::fs::symlink_metadata(out_dir.join(name)) {
            Ok(meta) if meta.is_file() && meta.len() > 0 => {}
            Ok(_) => return Err(refused("it is no file, or an empty one".to_owned())),
            Err(e) => return Err(refused("it was not written".to_owned()).because(e)),
        }
    }
    let path = out_dir.join(entry.spec.file_name(&entry.name));
    let lists = match part {
        Some(Part::Join(films)) => films.get(&entry.name).map(Vec::as_slice),
        _ => None,
    };
    let gate = Gate { path: &path, rendered, master, timeout, stop, lists };
    let mut facts =
        match (&entry.spec, part) {
            (spec, Some(Part::Segment(stretch))) => gate.segment(entry, spec, *stretch, told),
            (Spec::Mp4(film) | Spec::Fmp4(film) | Spec::Webm(film) | Spec::Mov(film) | Spec::Ts(film), _) => {
                gate.film(entry, film, told)
            }
            (Spec::Mezzanine(spec), _) => gate.mezzanine(entry, spec, told),
            (Spec::Jpeg(_) | Spec::Webp(_) | Spec::Png(_) | Spec::Avif(_) | Spec::Jxl(_), _) => gate.still(entry),
            (Spec::Sprite(spec), _) => gate
                .several(entry, || sprite::check(out_dir, &rendered.files, spec, rendered.size, rendered.duration_ms)),
            (Spec::Scenes(spec), _) => gate
                .several(entry, || scenes::check(out_dir, &rendered.files, spec, rendered.size, rendered.duration_ms)),
            (Spec::Mp3(_), _) => gate.sound(entry, "mp3", told),
            (Spec::M4a(_), _) => gate.sound(entry, "aac", told),
            (Spec::Opus(_), _) => gate.sound(entry, "opus", told),
            (Spec::Ac3(_), _) => gate.sound(entry, "ac3", told),
            (Spec::Flac(_), _) => gate.sound(entry, "flac", told),
            (Spec::Wav(spec), _) => gate.sound(entry, &format!("pcm_s{}le", spec.bits), told),
            (Spec::Waveform(spec), _) => gate.waveform(out_dir, entry, spec),
            (Spec::Stream(spec), _) => gate.ladder(out_dir, entry, spec, told),
        }?;
    if let Some(mixed) = &rendered.mixed {
        facts.tags.insert("sound".to_owned(), mixed.tracks.clone());
        if let Some(leveled) = &mixed.leveled {
            facts.tags.insert("loudness".to_owned(), leveled.note.clone());
        }
    }
    if let Some(lists) = lists {
        facts.tags.insert("segments".to_owned(), lists.len().to_string());
    }
    if let Some(encoder) = &rendered.encoder {
        facts.tags.insert("encoder".to_owned(), encoder.clone());
    }
    Ok(facts)
}

fn refused(why: String) -> Error {
    Error::internal(format!("the gate refused it: {why}"))
}

/// Refuses a difference between what was found and what was to be.
fn same<T: PartialEq + std::fmt::Debug>(what: &str, found: T, wanted: T) -> Result<()> {
    match found == wanted {
        true => Ok(()),
        false => Err(refused(format!("{what} is {found:?}, not {wanted:?}"))),
    }
}

/// What one decode to the end told.
#[derive(Default)]
struct Decoded {
    frames: u64,
    peak_dbfs: Option<f64>,
    loudness: Option<LoudnessFacts>,
    seen: Glance,
}

struct Gate<'a> {
    path: &'a Path,
    rendered: &'a Rendered,
    master: &'a MediaFacts,
    timeout: Duration,
    stop: &'a Stop,
    /// Of the segments that it was joined of, their lists.
    lists: Option<&'a [PathBuf]>,
}

/// What is decoded of an output.
#[derive(Clone, Copy, PartialEq, Eq)]
enum What {
    Everything,
    SoundAlone,
}

impl Gate<'_> {
    fn still(&self, entry: &Entry) -> Result<MediaFacts> {
        let mime = entry.spec.mime();
        let (width, height, alpha) = image::check(self.path, mime).map_err(|e| refused(e.one_line()))?;
        self.size(entry, (width, height))?;
        let facts = ImageFacts {
            width,
            height,
            orientation: 1,
            bit_depth: 8,
            color: "rgb".to_owned(),
            alpha,
            frames: 1,
            icc: None,
        };
        Ok(MediaFacts { image: Some(facts), ..MediaFacts::bare(MediaKind::Image, mime) })
    }

    /// Several pictures of a recording, and the list of their times.
    fn several(&self, entry: &Entry, check: impl FnOnce() -> Result<(), String>) -> Result<MediaFacts> {
        self.ends_with_its_master(0)?;
        self.size(entry, self.rendered.size)?;
        check().map_err(refused)?;
        let duration_ms = Some(self.rendered.duration_ms);
        Ok(MediaFacts { duration_ms, ..MediaFacts::bare(MediaKind::Other, entry.spec.mime()) })
    }

    fn sound(&self, entry: &Entry, codec: &str, told: Told<'_>) -> Result<MediaFacts> {
        let mut facts = self.measured(entry)?;
        let asked = entry.spec.sound().ok_or_else(|| Error::internal("sound that was not asked for"))?;
        same("the picture", facts.video.is_some(), false)?;
        same("the number of sound tracks", facts.audio.len(), 1)?;
        self.track(&facts.audio[0], codec, &asked)?;
        self.ends_with_its_master(0)?;
        let decoded = self.decode(What::Everything, told)?;
        self.lasts(&facts, 0)?;
        self.audible(&decoded)?;
        self.leveled(asked.loudness, &decoded, &mut facts)?;
        Ok(facts)
    }

    fn waveform(&self, out_dir: &Path, entry: &Entry, spec: &Waveform) -> Result<MediaFacts> {
        self.ends_with_its_master(0)?;
        let (duration_ms, peak) = (self.rendered.duration_ms, self.rendered.input_peak_dbfs);
        waveform::check(out_dir, &entry.name, spec, duration_ms, peak).map_err(refused)?;
        Ok(MediaFacts { duration_ms: Some(duration_ms), ..MediaFacts::bare(MediaKind::Other, entry.spec.mime()) })
    }

    /// Whether the loudness is what was aimed at, and no peak above its limit; what was measured becomes a fact.
    fn leveled(&self, asked: Option<Loudness>, decoded: &Decoded, facts: &mut MediaFacts) -> Result<()> {
        let (Some(asked), Some(track)) = (asked, facts.audio.first_mut()) else { return Ok(()) };
        let found = decoded.loudness.ok_or_else(|| refused("its loudness cannot be measured".to_owned()))?;
        track.loudness = Some(found);
        let leveled = self.rendered.mixed.as_ref().and_then(|m| m.leveled.as_ref());
        let Some(Leveled { expected_lufs: Some(expected), .. }) = leveled else { return Ok(()) };
        if (found.integrated_lufs - expected).abs() > LEVEL_LU {
            return Err(refused(format!("its loudness is {} LUFS, not {expected:.1}", found.integrated_lufs)));
        }
        match found.true_peak_dbtp <= asked.true_peak.value() + PEAK_DB {
            true => Ok(()),
            false => Err(refused(format!("its true peak is {} dBTP, above {}", found.true_peak_dbtp, asked.true_peak))),
        }
    }

    /// What ffprobe says of it.
    fn measured(&self, entry: &Entry) -> Result<MediaFacts> {
        self.measured_as(entry.spec.mime())
    }

    fn measured_as(&self, mime: &str) -> Result<MediaFacts> {
        let facts = probe::made(self.path, mime, self.timeout, self.stop)?;
        match &facts.problem {
            Some(problem) => Err(refused(problem.clone())),
            None => Ok(facts),
        }
    }

    fn size(&self, entry: &Entry, found: (u32, u32)) -> Result<()> {
        same("the size", found, self.rendered.size)?;
        match self.master.display_size() {
            Some(master) => same("the size", found, entry.spec.fit(master)),
            None => Ok(()),
        }
    }

    /// Whether its pictures show something, and move, where the master's do.
    fn shows(&self, decoded: &Decoded) -> Result<()> {
        let lost = self.rendered.input_seen.and_then(|seen| seen.lost(decoded.seen));
        lost.map_or(Ok(()), |why| Err(refused(why.to_owned())))
    }

    /// Whether sound and picture begin together, where it has both.
    fn together(&self) -> Result<()> {
        let mut command = Command::new("ffprobe");
        command.args(["-v", "error", "-protocol_whitelist", "file", "-of", "csv=p=0"]);
        command.args(["-show_entries", "stream=codec_type,start_time", "-i"]).arg(file_url(self.path));
        let ran = probe::tool(command, "ffprobe", self.timeout, self.stop)?;
        let start = |kind: &str| {
            let line = ran.stdout.lines().find_map(|l| l.strip_prefix(kind)?.strip_prefix(','))?;
            line.trim_end_matches(',').parse::<f64>().ok()
        };
        let (Some(video), Some(audio)) = (start("video"), start("audio")) else { return Ok(()) };
        match (audio - video).abs() * 1000.0 {
            off if off > OFFSET_MS => Err(refused(format!(
                "its sound begins {off:.0} ms {} its picture",
                if audio > video { "after" } else { "before" }
            ))),
            _ => Ok(()),
        }
    }

    fn track(&self, track: &AudioFacts, codec: &str, asked: &Sound) -> Result<()> {
        same("the sound's codec", track.codec.as_str(), codec)?;
        same("the sound's rate", Some(track.rate), asked.rate)?;
        let most_channels = asked.channels.unwrap_or(u32::MAX);
        let most = match (&self.rendered.mixed, self.master.audio.first()) {
            // Of the first track, never more channels than it has.
            (None, Some(first)) => first.channels.clamp(1, most_channels),
            _ => most_channels,
        };
        match track.channels {
            c if (1..=most).contains(&c) => Ok(()),
            c => Err(refused(format!("the sound has {c} channels, not up to {most}"))),
        }
    }

    /// Whether as much went in as the master's header promises. What is cut short ends without any other complaint.
    fn ends_with_its_master(&self, frame_ms: u64) -> Result<()> {
        let Some(promised) = self.promised_ms() else { return Ok(()) };
        match self.rendered.film.map_or(self.rendered.duration_ms, |film| film.duration_ms) {
            there if there + slack(promised, frame_ms) >= promised => Ok(()),
            there => Err(Error::corrupt(format!(
                "the recording ends after {} s of the {} s that its header promises",
                seconds(there),
                seconds(promised)
            ))
            .hint("the file is cut short or damaged in the middle: look for a better copy")),
        }
    }

    /// How long the rendered stream should be. None where the length is a guess: these formats have no header that
    /// says it, and ffprobe divides the size by the bit rate.
    fn promised_ms(&self) -> Option<u64> {
        let guessed = ["mp3", "aac", "ac3", "eac3", "dts", "h264", "hevc", "m4v", "mpegvideo", "amr"];
        if self.master.container.as_deref().is_none_or(|c| guessed.contains(&c)) {
            return None;
        }
        let whole = self.master.duration_ms?;
        match (&self.master.video, self.rendered.frames) {
            // The pictures may be the shorter track.
            (Some(VideoFacts { frames: Some(frames), rate: (n, d), .. }), 1..) if *n > 0 => {
                Some(whole.min(frames * u64::from(*d) * 1000 / u64::from(*n)))
            }
            _ => Some(whole),
        }
    }

    /// Whether the file is as long as what went into it.
    fn lasts(&self, facts: &MediaFacts, frame_ms: u64) -> Result<()> {
        let (found, wanted) = (facts.duration_ms.unwrap_or(0), self.rendered.duration_ms);
        // Sound that goes on after the last picture makes the file longer than its pictures, and is no fault.
        let around = self.rendered.film.map_or(0, |film| wanted.saturating_sub(film.duration_ms));
        let longest = (self.master.duration_ms.unwrap_or(wanted) + around).max(wanted);
        let tolerance = TOLERANCE_MS.max(frame_ms);
        match found + tolerance >= wanted && found <= longest + tolerance {
            true => Ok(()),
            false => Err(refused(format!("it lasts {} s, not {} s", seconds(found), seconds(wanted)))),
        }
    }

    fn audible(&self, decoded: &Decoded) -> Result<()> {
        let Some(input) = self.rendered.input_peak_dbfs.filter(|peak| *peak > AUDIBLE_DBFS) else { return Ok(()) };
        match decoded.peak_dbfs {
            Some(peak) if peak > input - LOST_DB => Ok(()),
            Some(peak) => Err(refused(format!("its loudest sample is {peak} dBFS, the master's {input:.1}: silent"))),
            None => Err(refused("its sound cannot be decoded".to_owned())),
        }
    }

    /// Decodes every packet; any complaint is a refusal. The loop filter is left out: it costs a third of the time, and
    /// what it smooths was read from the bits before.
    fn decode(&self, what: What, told: Told<'_>) -> Result<Decoded> {
        let mut command = Command::new("ffmpeg");
        command.args(["-hide_banner", "-nostdin", "-nostats", "-loglevel", "level+info", "-xerror"]);
        command.args(["-err_detect", "explode", "-skip_loop_filter", "all"]).args(probe::opening(self.path)).arg("-i");
        command.arg(file_url(self.path));
        // Loudness is measured only where it was asked for: it takes as long as all the rest of the sound.
        let is_leveled = self.rendered.mixed.as_ref().is_some_and(|m| m.leveled.is_some());
        let filters = if is_leveled { LOUDNESS } else { "volumedetect" };
        if what == What::Everything {
            command.args(["-map", "0:v?"]);
        }
        command.args(["-map", "0:a?", "-fps_mode", "passthrough", "-af", filters]);
        // Frames that come unevenly must not fall onto one tick of a guessed rate.
        command.args(["-enc_time_base:v", "-1"]);
        command.args(["-progress", "pipe:1", "-stats_period", "1", "-f", "null", "-"]);
        // A few points of two frames a second, in a file beside it.
        let is_seen = self.rendered.input_seen.is_some() && what == What::Everything;
        let glance = is_seen.then(|| self.path.with_extension("glance"));
        if let Some(glance) = &glance {
            let (across, down) = POINTS;
            // Its luma as it is: gray would be stretched to full range.
            let filters = format!(
                "fps=2,scale={across}:{down}:flags=neighbor:in_range=tv:out_range=tv,format=yuv420p,extractplanes=y"
            );
            command.args(["-map", "0:v", "-vf", &filters, "-f", "rawvideo"]).arg(glance);
        }
        let whole = self.rendered.duration_ms.max(1) as f64;
        // Ten times its length is more than the slowest machine needs.
        let timeout = self.timeout.max(Duration::from_millis(self.rendered.duration_ms * 10));
        let ran = probe::tool_heard(command, "ffmpeg", timeout, self.stop, &mut |piece| {
            if let Some(us) = last_number(piece, "out_time_us=") {
                told((us as f64 / 1000.0 / whole).clamp(0.0, 1.0));
            }
        });
        let mut onlooker = Onlooker::default();
        if let Some(glance) = &glance {
            let points = std::fs::read(glance).unwrap_or_default();
            std::fs::remove_file(glance).ok();
            points.chunks_exact(POINTS.0 * POINTS.1).for_each(|points| onlooker.look(points));
        }
        let ran = ran?;
        if let Some(complaint) = ran.stderr.lines().find(|l| l.contains("[error]") || l.contains("[fatal]")) {
            return Err(refused(format!("it does not decode: {}", complaint.trim())));
        }
        if !ran.status.success() {
            return Err(refused("it does not decode".to_owned()));
        }
        let volume = ran.stderr.lines().rev().find_map(|l| l.split_once("max_volume: "));
        Ok(Decoded {
            frames: last_number(&ran.stdout, "frame=").unwrap_or(0),
            peak_dbfs: volume.and_then(|(_, v)| v.trim_end_matches("dB").trim().parse().ok()),
            loudness: loudness(&ran.stderr),
            seen: onlooker.seen,
        })
    }
}

/// ffmpeg's meter, which tells its frames of 100 ms to nobody. It comes first: volumedetect takes 16 bits, in which nothing
/// is above full scale.
const LOUDNESS: &str = "ebur128=peak=true:framelog=verbose,volumedetect";

/// The summary of ffmpeg's meter: `I: -23.0 LUFS`, `LRA: 3.1 LU`, `Peak: -1.0 dBFS`, the last of each.
fn loudness(log: &str) -> Option<LoudnessFacts> {
    let last = |key: &str| {
        log.lines().rev().find_map(|line| {
            let value = line.rsplit_once("] ").map_or(line, |(_, rest)| rest).trim().strip_prefix(key)?;
            value.split_whitespace().next().map(str::to_owned)
        })
    };
    let number = |key: &str, least: f64| match last(key)?.as_str() {
        "-inf" | "nan" => Some(least),
        text => text.parse().ok(),
    };
    Some(LoudnessFacts {
        integrated_lufs: number("I:", -70.0)?.max(-70.0),
        true_peak_dbtp: number("Peak:", -200.0)?,
        range_lu: number("LRA:", 0.0)?,
    })
}

/// The last `key=number` in ffmpeg's progress (one pair a line).
fn last_number(progress: &str, key: &str) -> Option<u64> {
    progress.lines().rev().find_map(|l| l.strip_prefix(key)?.trim().parse().ok())
}

/// How much less may be there than a header promises. The tracks of one file end at different times, and headers round: half
/// a second in a minute is normal.
fn slack(promised_ms: u64, frame_ms: u64) -> u64 {
    (promised_ms / 100).clamp(TOLERANCE_MS, 2_000).max(2 * frame_ms) + 400
}

fn frame_ms(video: &VideoFacts) -> u64 {
    match video.rate {
        (0, _) => 0,
        (n, d) => u64::from(d) * 1000 / u64::from(n),
    }
}

fn seconds(ms: u64) -> f64 {
    ms as f64 / 1000.0
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::Kind;

    const GOOD: &str = "-c:v libx264 -pix_fmt yuv420p -g 25 -colorspace bt709 -color_primaries bt709 -color_trc bt709 \
                        -color_range tv -c:a aac -ar 48000 -ac 2 -movflags +faststart";
    const SOURCE: &str = "-f lavfi -i testsrc2=s=320x240:r=25:d=2 -f lavfi -i sine=d=2";

    /// A film as ffmpeg makes it of these words, judged as the output of an entry that asks for 320 × 240 with sound.
    struct Trial {
        dir: tempfile::TempDir,
        rendered: Rendered,
        entry: Entry,
        master: MediaFacts,
    }

    impl Trial {
        fn new(words: &str) -> Self {
            let dir = tempfile::tempdir().unwrap();
            let made = Command::new("ffmpeg")
                .args(["-v", "error", "-nostdin"])
                .args(words.split_whitespace())
                .arg(dir.path().join("proxy.mp4"))
                .output()
                .unwrap();
            assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
            let spec =
                r#"{"name": "proxy", "spec": {"mp4": {"max_height": 240, "video": {"bitrate": "1M"}, "audio": {}}}}"#;
            let master = r#"{"kind": "video", "mime": "video/mp4", "container": "mov", "duration_ms": 2000,
                "video": {"codec": "h264", "width": 640, "height": 480, "rate": [25, 1], "frames": 50},
                "audio": [{"codec": "aac", "channels": 2, "rate": 48000}]}"#;
            let rendered = Rendered {
                output: "proxy".to_owned(),
                files: vec!["proxy.mp4".to_owned()],
                size: (320, 240),
                frames: 50,
                duration_ms: 2000,
                input_peak_dbfs: Some(-18.0),
                input_seen: None,
                mixed: None,
                encoder: None,
                film: None,
                others: Vec::new(),
            };
            Self {
                dir,
                rendered,
                entry: serde_json::from_str(spec).unwrap(),
                master: serde_json::from_str(master).unwrap(),
            }
        }

        fn judge(&self) -> Result<MediaFacts> {
            let (timeout, stop) = (Duration::from_secs(60), Stop::new());
            let (out_dir, entry, master) = (self.dir.path(), &self.entry, &self.master);
            let case = Case { out_dir, entry, master, part: None, timeout, stop: &stop };
            accept(&case, &self.rendered, &|_| {})
        }

        #[track_caller]
        fn refused_for(&self, words: &str) {
            let e = self.judge().expect_err(words);
            assert!(e.one_line().contains(words), "{e:?}");
        }

        fn bytes(&self, change: impl FnOnce(&mut Vec<u8>)) {
            let path = self.dir.path().join("proxy.mp4");
            let mut bytes = std::fs::read(&path).unwrap();
            change(&mut bytes);
            std::fs::write(path, bytes).unwrap();
        }

        /// Changes a byte of the picture here and there.
        fn damage(&self) {
            self.bytes(|bytes| {
                let data = bytes.windows(4).position(|w| w == b"mdat").unwrap();
                for at in (data + 4000..bytes.len()).step_by(997) {
                    bytes[at] ^= 0x55;
                }
            });
        }
    }

    #[test]
    fn what_was_asked_for_is_accepted() {
        let facts = Trial::new(&format!("{SOURCE} {GOOD}")).judge().unwrap();
        assert_eq!(facts.video.unwrap().display_size(), (320, 240));
    }

    #[test]
    fn a_stub_is_refused() {
        let trial = Trial::new(&format!("{SOURCE} {GOOD}"));
        trial.bytes(|bytes| bytes.truncate(55));
        trial.refused_for("cannot be read");
        trial.bytes(Vec::clear);
        trial.refused_for("empty");
        std::fs::remove_file(trial.dir.path().join("proxy.mp4")).unwrap();
        trial.refused_for("not written");
    }

    #[test]
    fn a_byte_changed_in_the_picture_is_refused() {
        let trial = Trial::new(&format!("{SOURCE} {GOOD}"));
        trial.damage();
        trial.refused_for("does not decode");
    }

    #[test]
    fn a_frame_too_few_is_refused() {
        let mut trial = Trial::new(&format!("{SOURCE} {GOOD}"));
        trial.rendered.frames = 51;
        trial.refused_for("the number of frames is 50, not 51");
    }

    #[test]
    fn a_file_shorter_than_what_went_in_is_refused() {
        let mut trial = Trial::new(&format!("{SOURCE} {GOOD}"));
        trial.rendered.duration_ms = 2200;
        trial.refused_for("it lasts 2 s, not 2.2 s");
    }

    #[test]
    fn a_recording_cut_short_is_told_as_the_masters_damage() {
        let mut trial = Trial::new(&format!("{SOURCE} {GOOD}"));
        trial.master.duration_ms = Some(4000);
        trial.master.video.as_mut().unwrap().frames = Some(100);
        let e = trial.judge().unwrap_err();
        assert_eq!(e.kind(), Kind::Corrupt);
        assert!(e.to_string().contains("ends after 2 s of the 4 s"), "{e}");
    }

    #[test]
    fn silence_in_place_of_sound_is_refused_and_silence_of_silence_is_not() {
        let mut trial = Trial::new(&format!("-f lavfi -i testsrc2=s=320x240:r=25:d=2 -f lavfi -i anullsrc=d=2 {GOOD}"));
        trial.refused_for("silent");
        trial.rendered.input_peak_dbfs = Some(-200.0);
        trial.judge().unwrap();
    }

    #[test]
    fn black_and_frozen_pictures_are_refused_where_the_masters_are_not() {
        let film = Glance { looks: 8, lit: 8, moved: 7 };
        for (source, told) in [
            ("color=c=black:s=320x240:r=25:d=2", "it is black, and its master is not"),
            ("color=c=orange:s=320x240:r=25:d=2", "its picture stands still, and its master's moves"),
        ] {
            let mut trial = Trial::new(&format!("-f lavfi -i {source} -f lavfi -i sine=d=2 {GOOD}"));
            trial.rendered.input_seen = Some(film);
            trial.refused_for(told);
            trial.rendered.input_seen = Some(Glance { looks: 8, lit: 0, moved: 0 });
            trial.judge().unwrap();
        }
        let mut trial = Trial::new(&format!("{SOURCE} {GOOD}"));
        trial.rendered.input_seen = Some(film);
        trial.judge().unwrap();
        assert!(!trial.dir.path().join("proxy.glance").exists());
    }

    #[test]
    fn sound_that_begins_late_is_refused() {
        Trial::new(&format!("{} {GOOD}", SOURCE.replace("-f lavfi -i sine", "-itsoffset 0.08 -f lavfi -i sine")))
            .refused_for("ms after its picture");
        Trial::new(&format!("{SOURCE} {GOOD}")).judge().unwrap();
    }

    #[test]
    fn missing_sound_is_refused() {
        Trial::new(&format!("{SOURCE} {GOOD} -an")).refused_for("the number of sound tracks is 0, not 1");
    }

    #[test]
    fn another_size_depth_or_pixel_shape_is_refused() {
        Trial::new(&format!("{SOURCE} {GOOD} -vf scale=318:240,setsar=1"))
            .refused_for("the size is (318, 240), not (320, 240)");
        Trial::new(&format!("{SOURCE} {GOOD} -pix_fmt yuv422p")).refused_for("the pixel format");
        Trial::new(&format!("{SOURCE} {GOOD} -vf setsar=4/3")).refused_for("the pixel aspect ratio");
    }

    #[test]
    fn colors_that_are_not_said_or_are_others_are_refused() {
        let untagged = "-c:v libx264 -pix_fmt yuv420p -c:a aac -ar 48000 -ac 2";
        Trial::new(&format!("{SOURCE} {untagged}")).refused_for("the color matrix is None");
        Trial::new(&format!("{SOURCE} {GOOD} -color_range pc")).refused_for("yuvj420p");
    }
}
