//! `damctl render JOB`: what a clip shows and says at which time, and what is told about jobs that cannot work.

use std::{
    ffi::OsStr,
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::harness::{self, Archive, Ran, scratch, tool};

/// A folder with a film (green, then red from 2 s on, with a tone), a photo, a brand, a template and a job.
struct Newsroom(tempfile::TempDir);

const TEMPLATE: &str = "\
type: clip
parameters:
  headline: { about: the line above }
  place: { default: town }
size: 180x320
frame_rate: 25
background: '#204060'
brand: brand.yaml
tts: { command: [espeak-ng, --stdin, --stdout, -v, '{language}'] }
scenes:
  - film: main
    from: 1500ms
    to: 2500ms
    fit: cover
  - picture: photo
    say: 'The river rose in {{ place }}. It was loud & long.'
    fit: blur
  - duration: 1s
    texts: [{ text: '{{ headline }}', style: { place: center, size: 20% } }]
";

const JOB: &str = "\
template: template.yaml
parameters: { headline: AAAA }
inputs: { main: film.mp4, photo: photo.png }
out: made
name: flood
";

impl Newsroom {
    fn new() -> Self {
        let room = Self(scratch());
        room.ffmpeg("-f lavfi -i color=c=green:s=320x180:r=25:d=2 -f lavfi -i color=c=red:s=320x180:r=25:d=2 -f lavfi -i sine=f=700:d=4 \
                     -filter_complex [0:v][1:v]concat[v] -map [v] -map 2:a -c:v libx264 -c:a aac film.mp4");
        room.ffmpeg("-f lavfi -i color=c=blue:s=400x400 -frames:v 1 photo.png");
        room.ffmpeg("-f lavfi -i color=c=yellow:s=180x320:r=25:d=0.6 -c:v libx264 intro.mp4");
        room.write("brand.yaml", "intro: { file: intro.mp4 }\n");
        room.write("template.yaml", TEMPLATE);
        room.write("job.yaml", JOB);
        room
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn write(&self, name: &str, text: &str) {
        fs::write(self.path(name), text).unwrap();
    }

    fn ffmpeg(&self, words: &str) {
        let out = std::process::Command::new("ffmpeg")
            .args(["-v", "error", "-y"])
            .args(words.split_whitespace())
            .current_dir(self.0.path())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    }

    fn render(&self, more: &[&str]) -> Ran {
        let job = self.path("job.yaml");
        let words = [OsStr::new("render"), job.as_os_str()];
        harness::damctl(words.into_iter().chain(more.iter().map(OsStr::new)))
    }

    /// What is told of a job whose template or own file says something else in one place.
    fn told(&self, file: &str, from: &str, to: &str) -> Ran {
        let text = if file == "job.yaml" { JOB } else { TEMPLATE };
        assert!(text.contains(from));
        self.write(file, &text.replace(from, to));
        let ran = self.render(&[]);
        self.write(file, text);
        assert!(!self.path("made").exists(), "something was made");
        ran
    }
}

/// The color in the middle of a film at a time, R'G'B'.
fn color(film: &Path, at: f64) -> [u8; 3] {
    color_of(film, at, "crop=2:2")
}

/// The color of a part of it.
fn color_of(film: &Path, at: f64, part: &str) -> [u8; 3] {
    let out = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-ss", &at.to_string(), "-i"])
        .arg(film)
        .args(["-frames:v", "1", "-vf", part, "-pix_fmt", "rgb24", "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    [out.stdout[0], out.stdout[1], out.stdout[2]]
}

fn is_near(got: [u8; 3], wanted: [u8; 3]) -> bool {
    got.iter().zip(wanted).all(|(g, w)| g.abs_diff(w) < 20)
}

/// How loud a film is between two times, in dBFS.
fn loudest(film: &Path, from: f64, to: f64) -> f64 {
    let (film, filter) = (film.to_str().unwrap(), format!("atrim={from}:{to},volumedetect"));
    let words = ["-hide_banner", "-nostats", "-i", film, "-af", &filter, "-vn", "-f", "null", "-"];
    let out = std::process::Command::new("ffmpeg").args(words).output().unwrap();
    let text = String::from_utf8_lossy(&out.stderr).into_owned();
    text.split("max_volume: ").nth(1).and_then(|v| v.split(' ').next()).unwrap().parse().unwrap()
}

#[test]
fn a_clip_has_its_scenes_its_voice_and_its_captions_in_their_times_and_is_the_same_each_time() {
    let room = Newsroom::new();
    let plan: Value = serde_json::from_str(&room.render(&["--dry-run"]).ends(0).stdout).unwrap();
    assert_eq!((&plan["scenes"][0]["to_ms"], &plan["scenes"][2]["from_ms"]), (&1600.into(), &5600.into()));
    assert!(!room.path("made").exists(), "a plan makes nothing");
    let told: Value = serde_json::from_str(&room.render(&[]).ends(0).stdout).unwrap();
    let names: Vec<String> =
        harness::tree(&room.path("made")).iter().map(|l| l.split(' ').next().unwrap().to_owned()).collect();
    assert_eq!(names, ["flood.jpg", "flood.mp4", "flood.srt", "flood.vtt"]);
    let film = room.path("made/flood.mp4");
    let ms = |scene: usize, key: &str| told["scenes"][scene][key].as_u64().unwrap() as f64 / 1000.0;
    // The brand's clip of 0.6 s, half a second of each color, the photo for as long as the voice and a breath, and a second.
    assert_eq!((ms(0, "from_ms"), ms(1, "from_ms")), (0.6, 1.6));
    let (says, ends) = (ms(1, "to_ms") - 1.6, ms(2, "to_ms"));
    assert!((2.0..5.0).contains(&says) && (ends - says - 2.6).abs() < 0.01, "{says} {ends}");
    for (at, wanted) in [
        (0.3, [255, 255, 0]),
        (0.7, [0, 128, 0]),
        (1.05, [0, 128, 0]),
        (1.15, [255, 0, 0]),
        (1.55, [255, 0, 0]),
        (1.65, [0, 0, 255]),
        (1.6 + says - 0.1, [0, 0, 255]),
    ] {
        assert!(is_near(color(&film, at), wanted), "{:?} at {at}", color(&film, at));
    }
    assert!(!is_near(color(&film, 1.6 + says + 0.5), [0, 0, 255]));
    // Above the photo it is itself, darker: two fifths of the way to black and gray.
    let above = color_of(&film, 2.0, "crop=2:2:90:20");
    assert!(is_near(above, [0, 0, 153]), "{above:?}");
    // Silence, the film's tone, the voice, silence.
    assert!(loudest(&film, 0.05, 0.5) < -60.0 && loudest(&film, ends - 0.9, ends) < -50.0);
    assert!(loudest(&film, 0.7, 1.5) > -30.0 && loudest(&film, 1.8, 3.0) > -30.0);
    let vtt = fs::read_to_string(room.path("made/flood.vtt")).unwrap();
    assert!(vtt.starts_with("WEBVTT\n\n00:00:01.600 --> ") && vtt.contains("It was loud &amp; long."), "{vtt}");
    let probed = tool(
        "ffprobe",
        [
            "-v",
            "error",
            "-show_entries",
            "packet=pts_time,duration_time",
            "-of",
            "csv=p=0",
            room.path("made/flood.srt").to_str().unwrap(),
        ],
    );
    let cues: Vec<f64> = probed.lines().filter_map(|l| l.split(',').next()?.parse().ok()).collect();
    assert!(cues.len() == 2 && (cues[0] - 1.6).abs() < 0.002 && cues[1] > 2.4, "{probed}");
    let thumbnail = image_size(&room.path("made/flood.jpg"));
    assert_eq!(thumbnail, (180, 320));

    let again: Value = serde_json::from_str(&room.render(&[]).ends(0).stdout).unwrap();
    for what in ["scenes", "captions", "facts", "duration_ms"] {
        assert_eq!(again[what], told[what]);
    }
}

fn image_size(path: &Path) -> (u64, u64) {
    let words = ["-v", "error", "-show_entries", "stream=width,height", "-of", "csv=p=0", path.to_str().unwrap()];
    let text = tool("ffprobe", words);
    let (width, height) = text.trim().split_once(',').unwrap();
    (width.parse().unwrap(), height.parse().unwrap())
}

#[test]
fn what_cannot_be_made_is_told_with_its_place_before_anything_is() {
    let room = Newsroom::new();
    for (file, from, to, words) in [
        ("template.yaml", "fit: cover", "fitt: cover", "template.yaml:14:5: unknown field"),
        ("template.yaml", "size: 180x320", "size: 181x320", "template.yaml:5:7: '181x320' was given, expected"),
        (
            "template.yaml",
            "{{ place }}",
            "{{ plaze }}",
            "template.yaml:16:10: there is no parameter 'plaze': the template has headline, place",
        ),
        ("template.yaml", "film: main", "film: mane", "there is no input 'mane': the job has main, photo"),
        ("template.yaml", "to: 2500ms", "to: 9s", "1500 to 9000 ms is asked for of a film of 4000 ms"),
        ("template.yaml", "type: clip", "type: slideshow", "a 'slideshow' shows still pictures"),
        ("template.yaml", "picture: photo\n", "picture: photo\n    duration: 500ms\n", "its words take"),
        ("template.yaml", "espeak-ng", "no-such-voice", "the program 'no-such-voice' is not here"),
        ("job.yaml", "headline: AAAA", "head: AAAA", "the template has no parameter 'head': it has headline, place"),
        ("job.yaml", "headline: AAAA", "", "the parameter 'headline' (the line above) is not given"),
        ("job.yaml", "film.mp4", "gone.mp4", "the input 'main' is not there: "),
        ("job.yaml", "film.mp4", "photo.png", "photo.png is no film"),
        ("job.yaml", "template.yaml", "gone.yaml", "cannot read"),
    ] {
        let ran = room.told(file, from, to).ends(2).says(words);
        assert!(ran.stdout.is_empty() && ran.stderr.contains("hint: ") || words == "cannot read", "{ran:?}");
    }
}

#[test]
fn a_damaged_film_ends_with_a_reason_and_leaves_nothing() {
    let room = Newsroom::new();
    let bytes = fs::read(room.path("film.mp4")).unwrap();
    fs::write(room.path("film.mp4"), &bytes[..bytes.len() / 3]).unwrap();
    room.render(&[]).ends(1).says("template.yaml:11:11: ").says("film.mp4 is damaged");
    assert!(!room.path("made").exists());
}

#[test]
fn a_job_that_is_killed_leaves_no_half_of_anything() {
    let room = Newsroom::new();
    let mut command = harness::command([OsStr::new("render"), room.path("job.yaml").as_os_str()]);
    let mut run = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    // Once it renders.
    let mut stderr = run.stderr.take().unwrap();
    let mut first = [0; 8];
    stderr.read_exact(&mut first).unwrap();
    run.kill().unwrap();
    run.wait().unwrap();
    let left = fs::read_dir(room.path("made")).map_or(0, Iterator::count);
    assert_eq!(left, 0);
    room.render(&[]).ends(0);
}

#[test]
fn an_asset_of_an_archive_is_an_input() {
    let archive = Archive::finished();
    let asset = archive.rows("SELECT id FROM assets WHERE title = 'harbor_cut.mp4'")[0].clone();
    let room = Newsroom::new();
    room.write("job.yaml", &JOB.replace("film.mp4", &format!("'asset:{asset}'")));
    let job = room.path("job.yaml");
    let ran = archive.run([OsStr::new("render"), job.as_os_str(), OsStr::new("--dry-run")]).ends(0);
    let plan: Value = serde_json::from_str(&ran.stdout).unwrap();
    assert!(plan["scenes"][0]["shows"].as_str().unwrap().contains("from 1.5 s to 2.5 s"), "{plan:#}");
    room.write("job.yaml", &JOB.replace("film.mp4", "asset:019330a0-0000-7000-8000-000000000000"));
    archive.run([OsStr::new("render"), job.as_os_str()]).ends(2).says("there is no asset");
}

#[test]
fn the_example_runs_and_an_address_may_speak() {
    let dir = scratch();
    let out = dir.path().join("made");
    let words =
        |job: &Path| [OsStr::new("render").to_owned(), job.into(), OsStr::new("--out").to_owned(), out.clone().into()];
    let told = harness::damctl(words(&harness::repository("examples/clip/quote.yaml"))).ends(0).stdout;
    let told: Value = serde_json::from_str(&told).unwrap();
    assert_eq!(told["facts"]["video"]["width"], 1080);
    assert!(told["captions"][0]["text"].as_str().unwrap().starts_with("The best time"));

    // The same by HTTP: once it speaks, once it has nothing to say.
    let wav = dir.path().join("a.wav");
    tool("espeak-ng", ["-w", wav.to_str().unwrap(), "Good evening"]);
    let wav = fs::read(&wav).unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let served = std::thread::spawn(move || {
        let mut heard = Vec::new();
        for body in [Some(&wav), None] {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
            let (mut bytes, mut block, began) = (Vec::new(), [0; 4096], Instant::now());
            while !String::from_utf8_lossy(&bytes).contains("Good evening") && began.elapsed() < Duration::from_secs(10)
            {
                let n = stream.read(&mut block).unwrap();
                bytes.extend_from_slice(&block[..n]);
            }
            heard.push(String::from_utf8_lossy(&bytes).into_owned());
            let (status, body) = body.map_or(("503 Busy", &[][..]), |wav| ("200 OK", wav));
            let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).unwrap();
        }
        heard
    });
    let job = dir.path().join("spoken.yaml");
    let template = format!(
        "inline:\n  type: quote\n  size: 64x64\n  tts: {{ url: 'http://127.0.0.1:{port}/tts?voice={{language}}' }}\n  \
         language: de\n  captions: none\n  scenes: [{{ say: Good evening }}]\n"
    );
    fs::write(&job, &template).unwrap();
    let told: Value = serde_json::from_str(&harness::damctl(words(&job)).ends(0).stdout).unwrap();
    assert!(told["duration_ms"].as_u64().unwrap() > 800, "{told:#}");
    harness::damctl(words(&job)).ends(3).says("127.0.0.1 answered 503");
    let heard = served.join().unwrap();
    assert!(heard[0].starts_with("POST /tts?voice=de ") && heard[0].contains("content-language: de"), "{}", heard[0]);
    // In the clear only to this machine.
    fs::write(&job, template.replace("127.0.0.1", "tts.example")).unwrap();
    harness::damctl(words(&job)).ends(2).says("expected https://HOST/");
}
