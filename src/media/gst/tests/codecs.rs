//! Files of sound alone: what each codec keeps of place, length and level.

use super::{
    sound::{ODD_LENGTH, RATE, click_file, clicks, near, noise, pitches, tone},
    *,
};

/// One of each, with the words that ffprobe has for its container and codec.
fn each() -> [(Entry, &'static str, &'static str); 6] {
    let of = |format: &str| entry(format, json!({ format: {} }));
    [
        (of("m4a"), "mov,mp4,m4a,3gp,3g2,mj2", "aac"),
        (of("opus"), "ogg", "opus"),
        (of("flac"), "flac", "flac"),
        (of("ac3"), "ac3", "ac3"),
        (of("mp3"), "mp3", "mp3"),
        (of("wav"), "wav", "pcm_s24le"),
    ]
}

pub(super) fn container(path: &Path) -> String {
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-show_entries", "format=format_name", "-of", "csv=p=0"]).arg(path);
    String::from_utf8(fed(command, &[])).unwrap().trim().trim_matches('"').to_owned()
}

#[test]
fn every_codec_keeps_the_place_the_length_and_the_level_and_passes_the_gate() {
    let desk = Desk::new();
    let mut click = clicks(ODD_LENGTH as f64 / RATE as f64, &[1.0]);
    click.truncate(ODD_LENGTH);
    desk.ffmpeg_fed(&bytes(&click), "-f f32le -ar 48000 -ac 1 -i - -c:a pcm_s24le in.wav");
    pitches(&desk, 2, "pitches.wav");
    let entries = each().map(|(entry, ..)| entry);
    let made = desk.render("in.wav", &entries);
    let mut told = Vec::new();
    for (entry, format, codec) in each() {
        let out = desk.path(&entry.spec.file_name(&entry.name));
        let rendered = made.rendered(&entry.name);
        let facts = accepted(&desk, "in.wav", &entry, rendered);
        assert_eq!((container(&out).as_str(), facts.audio[0].codec.as_str()), (format, codec));
        assert_eq!((facts.audio[0].channels, facts.audio[0].rate), (1, 48_000), "{codec}");
        // An elementary stream cannot say that AC-3's first 256 samples are the encoder's.
        let late = if codec == "ac3" { 256.0 / RATE as f64 } else { 0.0 };
        near(super::sound::click(&out) - late, 1.0, 0.001);
        let length = samples(&out).len();
        match codec {
            "flac" | "pcm_s24le" | "mp3" | "opus" => assert_eq!(length, ODD_LENGTH, "{codec}"),
            // Whole frames, the last filled up with silence.
            "aac" => assert!((ODD_LENGTH..ODD_LENGTH + 1024).contains(&length), "{codec} {length}"),
            _ => assert!((ODD_LENGTH + 256..ODD_LENGTH + 2 * 1536).contains(&length), "{codec} {length}"),
        }
        told.push(entry.name);
    }
    let made = desk.render("pitches.wav", &entries);
    for (entry, _, codec) in each() {
        accepted(&desk, "pitches.wav", &entry, made.rendered(&entry.name));
        let heard = samples(&desk.path(&entry.spec.file_name(&entry.name)));
        let at = |channel: usize, hertz: f64| tone(&heard, 2, channel, hertz);
        // Codecs that are not exact let a little of one side into the other.
        let (leak, own) = match codec {
            "flac" | "pcm_s24le" => (0.001, 0.299..0.301),
            _ => (0.08, 0.22..0.33),
        };
        assert!(own.contains(&at(0, 400.0)) && at(0, 500.0) < leak, "{codec} {} {}", at(0, 400.0), at(0, 500.0));
        assert!(own.contains(&at(1, 500.0)) && at(1, 400.0) < leak, "{codec} {} {}", at(1, 500.0), at(1, 400.0));
    }
}

#[test]
fn an_m4a_has_its_index_first() {
    let desk = Desk::new();
    click_file(&desk, "in.wav", 3.0, &[1.0]);
    desk.render("in.wav", &[entry("out", json!({"m4a": {"bitrate": "96k"}}))]).rendered("out");
    let file = std::fs::read(desk.path("out.m4a")).unwrap();
    let place = |kind: &[u8]| file.windows(4).position(|w| w == kind).unwrap();
    assert!(place(b"moov") < place(b"mdat"));
    assert!(!desk.path("out.m4a-media").exists());
}

#[test]
fn a_flac_has_every_bit_of_the_master() {
    let desk = Desk::new();
    let master = noise(2 * ODD_LENGTH);
    desk.ffmpeg_fed(&master, "-f s24le -ar 48000 -ac 2 -i - -c:a pcm_s24le in.wav");
    let flac = entry("out", json!({"flac": {}}));
    let made = desk.render("in.wav", std::slice::from_ref(&flac));
    accepted(&desk, "in.wav", &flac, made.rendered("out"));
    assert_eq!(stream(&desk.path("out.flac"), "audio")["bits_per_raw_sample"], "24");
    desk.ffmpeg("-i out.flac -f s24le out.raw");
    assert!(std::fs::read(desk.path("out.raw")).unwrap() == master, "not the same samples");
}

#[test]
fn six_channels_stay_six_in_every_codec_that_has_them() {
    let desk = Desk::new();
    pitches(&desk, 6, "in.wav");
    let of = |format: &str| {
        let bitrate = if format == "ac3" { "448k" } else { "384k" };
        entry(format, json!({ format: {"channels": 6, "bitrate": bitrate} }))
    };
    let mut entries = ["m4a", "opus", "ac3"].map(of).to_vec();
    entries.extend([entry("flac", json!({"flac": {}})), wav("wav")]);
    let made = desk.render("in.wav", &entries);
    for entry in entries {
        accepted(&desk, "in.wav", &entry, made.rendered(&entry.name));
        let out = desk.path(&entry.spec.file_name(&entry.name));
        assert_eq!(stream(&out, "audio")["channels"], 6, "{}", entry.name);
        let heard = samples(&out);
        for channel in 0..6 {
            let level = tone(&heard, 6, channel, 400.0 + 100.0 * channel as f64);
            // Encoders filter the low-frequency channel, whose tone here is too high for it.
            let is_low = channel == 3;
            assert!(is_low || (0.25..0.32).contains(&level), "{} {channel} {level}", entry.name);
        }
    }
}

#[test]
fn rates_are_brought_to_those_that_a_codec_has() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i sine=f=440:r=22050:d=2 -c:a pcm_s16le in.wav");
    let ac3 = entry("ac3", json!({"ac3": {"rate": 32000}}));
    let entries =
        [entry("opus", json!({"opus": {}})), ac3, entry("flac", json!({"flac": {"rate": 96000, "bits": 16}}))];
    let made = desk.render("in.wav", &entries);
    for (entry, rate) in entries.iter().zip(["48000", "32000", "96000"]) {
        accepted(&desk, "in.wav", entry, made.rendered(&entry.name));
        let out = desk.path(&entry.spec.file_name(&entry.name));
        assert_eq!(stream(&out, "audio")["sample_rate"], rate);
    }
}

/// What a wav above 4 GiB looks like, of a master that claims to be that long.
#[test]
fn a_wav_that_would_pass_4_gib_is_an_rf64_with_its_sizes_in_64_bits() {
    let desk = Desk::new();
    pitches(&desk, 2, "in.wav");
    let mut long = facts(&desk.path("in.wav"));
    long.duration_ms = Some(5 * 3600 * 1000);
    desk.render_as("in.wav", long, &[wav("out")]).rendered("out");
    let file = std::fs::read(desk.path("out.wav")).unwrap();
    let field = |at: usize, n: usize| file[at..at + n].iter().rev().fold(0_u64, |v, b| v << 8 | u64::from(*b));
    // EBU Tech 3306: both 32-bit sizes are -1, ds64 comes first and has the real ones.
    assert_eq!((&file[..4], &file[8..16], field(4, 4)), (&b"RF64"[..], &b"WAVEds64"[..], 0xffff_ffff));
    assert_eq!((field(20, 8), field(36, 8)), (file.len() as u64 - 8, 2 * RATE as u64));
    let data = file.windows(4).position(|w| w == b"data").unwrap();
    assert_eq!((field(data + 4, 4), field(28, 8)), (0xffff_ffff, 2 * RATE as u64 * 6));
    let (got, wanted) = (samples(&desk.path("out.wav")), samples(&desk.path("in.wav")));
    assert!(got == wanted, "not the same samples");
    assert_eq!(stream(&desk.path("out.wav"), "audio")["codec_name"], "pcm_s24le");
}

/// What GStreamer has no decoder for, or shows in wrong colors, and what ffmpeg makes such files of.
const BRIDGED: [(&str, &str); 9] = [
    ("palette", "-c:v smc -pix_fmt pal8"),
    ("gray_animation", "-c:v qtrle -pix_fmt gray"),
    ("thousands", "-c:v rawvideo -pix_fmt rgb555be"),
    ("v308", "-c:v v308"),
    ("v408", "-c:v v408"),
    ("v410", "-c:v v410"),
    ("uncompressed", "-c:v rawvideo -pix_fmt yuyv422"),
    ("dnxhr", "-c:v dnxhd -profile:v dnxhr_sq -pix_fmt yuv422p"),
    ("targa", "-c:v targa"),
];

#[test]
fn what_gstreamer_cannot_read_is_read_by_ffmpeg() {
    let desk = Desk::new();
    let gray = |p: &Picture| p.at(0.3, 0.3);
    for (name, words) in BRIDGED {
        let mut command = Command::new("ffmpeg");
        let source =
            ["-v", "error", "-y", "-f", "lavfi", "-i", "testsrc2=s=320x192:r=25:d=1", "-f", "lavfi", "-i", "sine=d=1"];
        command.args(source).args(words.split(' '));
        if name == "targa" {
            command.args(["-vtag", "tga "]);
        }
        command.arg("in.mov").current_dir(desk.0.path());
        fed(command, &[]);
        let wanted = [mp4("out"), poster_at("poster", "50%"), poster_at("best", "best")];
        let made = desk.render("in.mov", &wanted);
        for entry in &wanted {
            accepted(&desk, "in.mov", entry, made.rendered(&entry.name));
        }
        assert!(!desk.path(".decoded.mov").exists());
        let got = pictures(&desk.path("out.mp4"));
        let as_video = "scale=320:192,format=gbrp,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p";
        let all = shown(&desk.path("in.mov"), (320, 192), as_video);
        assert_eq!(got.len(), 25, "{name}");
        let least = got.iter().zip(&all).map(|(a, b)| psnr(a, b)).fold(f64::MAX, f64::min);
        let (a, b) = (gray(&got[12]), gray(&all[12]));
        let apart = (0..3).map(|c| (a[c] - b[c]).abs()).fold(0.0, f64::max);
        assert!(least > 22.0 && apart < 8.0, "{name}: {least:.1} dB, {a:?} {b:?}");
    }
}

fn poster_at(name: &str, at: &str) -> Entry {
    entry(name, json!({"jpeg": { "at": at }}))
}
