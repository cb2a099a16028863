//! Renders tiny made-up masters through [`GstRenderer`](super::GstRenderer) and measures what comes out with ffmpeg's
//! tools, which did not make it: decoded code values, times of frames, samples.

use std::{
    collections::BTreeMap,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::mpsc,
    time::Duration,
};

use serde_json::{Value, json};

use super::GstRenderer;
use crate::{
    error::{Kind, Result},
    media::{Clips, Limits, Rendered, Renderer, Work, gate, image, probe, sniff},
    model::{MediaFacts, MediaKind},
    profile::Entry,
    stop::Stop,
};

mod around;
mod brand;
mod codecs;
mod color;
mod fields;
mod films;
mod levels;
mod mezzanine;
mod odd;
mod peaks;
mod picture;
mod ranges;
mod rates;
mod sheets;
mod sound;
mod split;
mod still;
mod stream;
mod tracks;

/// Longer than any render here takes, even beside other work; a render that takes longer hangs.
const BOUND: Duration = Duration::from_secs(40);

/// A folder of masters and of what is made of them.
struct Desk(tempfile::TempDir);

/// How a render went.
struct Made {
    outcome: Result<()>,
    results: BTreeMap<String, Result<Rendered>>,
}

impl Desk {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Runs `ffmpeg` in the folder; the words hold no spaces.
    #[track_caller]
    fn ffmpeg(&self, words: &str) {
        self.ffmpeg_fed(&[], words);
    }

    /// Runs `ffmpeg` with these bytes on its standard input.
    #[track_caller]
    fn ffmpeg_fed(&self, bytes: &[u8], words: &str) {
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-y"]).args(words.split_whitespace()).current_dir(self.0.path());
        fed(command, bytes);
    }

    /// Renders with facts as probed.
    #[track_caller]
    fn render(&self, master: &str, entries: &[Entry]) -> Made {
        self.render_as(master, facts(&self.path(master)), entries)
    }

    /// Renders on a thread that is left behind when it hangs.
    #[track_caller]
    fn render_as(&self, master: &str, facts: MediaFacts, entries: &[Entry]) -> Made {
        let (input, out_dir, entries) = (self.path(master), self.0.path().to_owned(), entries.to_vec());
        let (tell, told) = mpsc::channel();
        std::thread::spawn(move || {
            let (limits, stop) = (Limits { stall_seconds: 10, ..Limits::default() }, Stop::new());
            let outputs: Vec<&Entry> = entries.iter().collect();
            for entry in &outputs {
                assert!(GstRenderer.accepts(&facts, entry), "{facts:?} {entry:?}");
            }
            let (clips, failed) = Clips::measure(&entries, &stop);
            assert!(failed.is_empty(), "{failed:?}");
            let (input, out_dir, part) = (&input, &out_dir, None);
            let work =
                Work { input, facts: &facts, outputs, out_dir, limits: &limits, stop: &stop, part, clips: &clips };
            let mut results = BTreeMap::new();
            let mut each = |name: &str, result| {
                assert!(results.insert(name.to_owned(), result).is_none(), "{name} was told twice");
            };
            let outcome = GstRenderer.render(&work, &mut each, &mut |_| ());
            tell.send(Made { outcome, results }).ok();
        });
        told.recv_timeout(BOUND).expect("the render hangs or has panicked")
    }

    /// Renders one MP4 with sound, if there is any, and gives its path.
    #[track_caller]
    fn mp4(&self, master: &str) -> PathBuf {
        self.render(master, &[mp4("out")]).rendered("out");
        self.path("out.mp4")
    }
}

impl Made {
    /// What is told of an output that must have been made.
    #[track_caller]
    fn rendered(&self, output: &str) -> &Rendered {
        if let Err(e) = &self.outcome {
            panic!("the render failed: {}", e.one_line());
        }
        match &self.results[output] {
            Ok(rendered) => rendered,
            Err(e) => panic!("{output} failed: {}", e.one_line()),
        }
    }

    /// The kind of the error that everything failed with.
    fn failed(&self) -> Option<Kind> {
        let own = self.results.values().find_map(|r| r.as_ref().err());
        self.outcome.as_ref().err().or(own).map(|e| e.kind())
    }
}

fn fed(mut command: Command, bytes: &[u8]) -> Vec<u8> {
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let out = std::thread::scope(|scope| {
        scope.spawn(move || stdin.write_all(bytes).ok());
        child.wait_with_output().unwrap()
    });
    assert!(out.status.success(), "{command:?}: {}", String::from_utf8_lossy(&out.stderr));
    out.stdout
}

/// Measured as the child process measures it.
fn facts(path: &Path) -> MediaFacts {
    let bytes = std::fs::read(path).unwrap();
    let (kind, mime) = sniff::sniff(&bytes[..bytes.len().min(sniff::HEAD)]);
    match kind {
        MediaKind::Image | MediaKind::Animation => image::facts(path, mime).unwrap(),
        _ => probe::probe(path, mime, BOUND, &Stop::new()).unwrap(),
    }
}

/// What a master says that is already as outputs are.
const BT709: &str = "-colorspace bt709 -color_primaries bt709 -color_trc bt709";

fn entry(name: &str, spec: Value) -> Entry {
    serde_json::from_value(json!({ "name": name, "spec": spec })).unwrap()
}

fn mp4(name: &str) -> Entry {
    entry(name, json!({"mp4": {"video": {"bitrate": "2M"}, "audio": {}}}))
}

fn wav(name: &str) -> Entry {
    entry(name, json!({"wav": {}}))
}

/// Judges an output as the child process does.
fn judge(desk: &Desk, master: &MediaFacts, entry: &Entry, rendered: &Rendered) -> Result<MediaFacts> {
    let stop = Stop::new();
    let case = gate::Case { out_dir: desk.0.path(), entry, master, part: None, timeout: BOUND, stop: &stop };
    gate::accept(&case, rendered, &|_| ())
}

/// The same of one that must be accepted.
#[track_caller]
fn accepted(desk: &Desk, master: &str, entry: &Entry, rendered: &Rendered) -> MediaFacts {
    let facts = facts(&desk.path(master));
    let judged = judge(desk, &facts, entry, rendered);
    judged.unwrap_or_else(|e| panic!("{}: {}", entry.name, e.one_line()))
}

/// What ffprobe says of the only stream of a kind.
#[track_caller]
fn stream(path: &Path, kind: &str) -> Value {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-of", "json", "-count_frames", "-show_streams"]).arg(path);
    let document: Value = serde_json::from_slice(&fed(command, &[])).unwrap();
    let all: Vec<_> = document["streams"].as_array().unwrap().iter().filter(|s| s["codec_type"] == kind).collect();
    assert_eq!(all.len(), 1, "{document:#}");
    all[0].clone()
}

fn has(path: &Path, kind: &str) -> bool {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-of", "csv=p=0", "-show_entries", "stream=codec_type"]).arg(path);
    String::from_utf8(fed(command, &[])).unwrap().lines().any(|l| l == kind)
}

/// A stream's number of decoded frames, as ffprobe counts them.
fn counted(stream: &Value) -> u64 {
    stream["nb_read_frames"].as_str().unwrap().parse().unwrap()
}

/// The times of all frames of the picture, in seconds.
fn times(path: &Path) -> Vec<f64> {
    let mut command = Command::new("ffprobe");
    command
        .args(["-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0"])
        .arg(path);
    let text = String::from_utf8(fed(command, &[])).unwrap();
    text.lines().filter_map(|l| l.split(',').next()?.parse().ok()).collect()
}

/// One decoded picture, its code values as they are stored.
struct Picture {
    width: usize,
    height: usize,
    data: Vec<u8>,
}

/// All frames of an output, upright as a player shows them, as 4:2:0 of 8 bits; nothing is converted.
#[track_caller]
fn pictures(path: &Path) -> Vec<Picture> {
    let probed = stream(path, "video");
    assert_eq!(probed["pix_fmt"], "yuv420p");
    let side = |name: &str| probed[name].as_u64().unwrap() as usize;
    shown(path, (side("width"), side("height")), "null")
}

/// All frames of any file, of this size after the filter.
#[track_caller]
fn shown(path: &Path, (width, height): (usize, usize), filter: &str) -> Vec<Picture> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path);
    command.args(["-vf", filter, "-vsync", "passthrough", "-pix_fmt", "yuv420p", "-f", "rawvideo", "-"]);
    let bytes = fed(command, &[]);
    let size = width * height + 2 * width.div_ceil(2) * height.div_ceil(2);
    assert_eq!(bytes.len() % size, 0, "the frames of {} are not {width} x {height}", path.display());
    bytes.chunks(size).map(|data| Picture { width, height, data: data.to_vec() }).collect()
}

impl Picture {
    /// Means of Y, Cb and Cr in a square of 8 pixels around a place given in shares of the sides.
    fn at(&self, x: f64, y: f64) -> [f64; 3] {
        let (w, h) = (self.width, self.height);
        let chroma = (w.div_ceil(2), h.div_ceil(2));
        let mean = |start: usize, w: usize, h: usize, half: usize| {
            let (x, y) = ((x * w as f64) as usize, (y * h as f64) as usize);
            let (xs, ys) = (x.saturating_sub(half)..(x + half).min(w), y.saturating_sub(half)..(y + half).min(h));
            let count = (xs.len() * ys.len()) as f64;
            let all = ys.flat_map(|y| xs.clone().map(move |x| start + y * w + x));
            all.map(|i| f64::from(self.data[i])).sum::<f64>() / count
        };
        let luma = w * h;
        let plane = chroma.0 * chroma.1;
        [mean(0, w, h, 4), mean(luma, chroma.0, chroma.1, 2), mean(luma + plane, chroma.0, chroma.1, 2)]
    }

    fn luma(&self) -> &[u8] {
        &self.data[..self.width * self.height]
    }

    /// The mean of all luma.
    fn brightness(&self) -> f64 {
        self.luma().iter().map(|y| f64::from(*y)).sum::<f64>() / self.luma().len() as f64
    }

    /// The color at a place, read as BT.709 of limited range.
    fn rgb(&self, x: f64, y: f64) -> [f64; 3] {
        Coding::BT709.rgb(self.at(x, y))
    }
}

/// Peak signal to noise ratio of the lumas, in dB.
fn psnr(a: &Picture, b: &Picture) -> f64 {
    assert_eq!((a.width, a.height), (b.width, b.height));
    let squares = a.luma().iter().zip(b.luma()).map(|(a, b)| (f64::from(*a) - f64::from(*b)).powi(2));
    10.0 * (255.0 * 255.0 * a.luma().len() as f64 / squares.sum::<f64>().max(1e-9)).log10()
}

/// How R'G'B' of 0 to 255 becomes Y'CbCr of 8 bits (BT.601, BT.709, BT.2020: all the same but for two weights).
#[derive(Clone, Copy)]
struct Coding {
    red: f64,
    blue: f64,
    full: bool,
}

impl Coding {
    const BT601: Self = Self { red: 0.299, blue: 0.114, full: false };
    const BT709: Self = Self { red: 0.2126, blue: 0.0722, full: false };
    const BT2020: Self = Self { red: 0.2627, blue: 0.0593, full: false };

    fn full(self) -> Self {
        Self { full: true, ..self }
    }

    /// Black's code, and the spans of luma and chroma.
    fn spans(self) -> (f64, f64, f64) {
        if self.full { (0.0, 255.0, 255.0) } else { (16.0, 219.0, 224.0) }
    }

    fn yuv(self, rgb: [f64; 3]) -> [f64; 3] {
        let (black, luma, chroma) = self.spans();
        let [r, g, b] = rgb.map(|x| x / 255.0);
        let y = self.red * r + (1.0 - self.red - self.blue) * g + self.blue * b;
        let (u, v) = ((b - y) / (2.0 - 2.0 * self.blue), (r - y) / (2.0 - 2.0 * self.red));
        [black + luma * y, 128.0 + chroma * u, 128.0 + chroma * v]
    }

    fn rgb(self, [y, u, v]: [f64; 3]) -> [f64; 3] {
        let (black, luma, chroma) = self.spans();
        let (y, u, v) = ((y - black) / luma, (u - 128.0) / chroma, (v - 128.0) / chroma);
        let (r, b) = (y + (2.0 - 2.0 * self.red) * v, y + (2.0 - 2.0 * self.blue) * u);
        let g = (y - self.red * r - self.blue * b) / (1.0 - self.red - self.blue);
        [r, g, b].map(|x| 255.0 * x)
    }
}

/// The decoded samples of all channels, one after the other, at the times at which a player plays them.
fn samples(path: &Path) -> Vec<f32> {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path).args(["-vn", "-af", "aresample=async=1:first_pts=0"]);
    command.args(["-f", "f32le", "-"]);
    fed(command, &[]).as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect()
}

/// Raw bytes of samples, as `-f f32le` takes them.
fn bytes(samples: &[f32]) -> Vec<u8> {
    samples.iter().flat_map(|s| s.to_le_bytes()).collect()
}
