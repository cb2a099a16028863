//! The sound: its length, its place beside the picture, its channels.

use super::*;

pub(super) const RATE: usize = 48_000;

/// Silence of so many seconds with a burst of 1 kHz, 10 ms long, at each of these times.
pub(super) fn clicks(seconds: f64, at: &[f64]) -> Vec<f32> {
    let mut samples = vec![0.0; (seconds * RATE as f64).round() as usize];
    for at in at {
        let start = (at * RATE as f64).round() as usize;
        for (i, sample) in samples[start..start + 480].iter_mut().enumerate() {
            *sample = 0.8 * (i as f32 / 480.0 * std::f32::consts::TAU * 10.0).sin();
        }
    }
    samples
}

/// Where the only click of a file begins, in seconds: 5 ms before the middle of its energy.
#[track_caller]
pub(super) fn click(path: &Path) -> f64 {
    let rate: f64 = stream(path, "audio")["sample_rate"].as_str().unwrap().parse().unwrap();
    let channels = stream(path, "audio")["channels"].as_u64().unwrap() as usize;
    let all = samples(path);
    let power: Vec<f64> = all.chunks(channels).map(|c| f64::from(c[0]).powi(2)).collect();
    let energy: f64 = power.iter().sum();
    assert!(energy > 1.0, "there is no click in {}", path.display());
    power.iter().enumerate().map(|(i, p)| i as f64 / rate * p).sum::<f64>() / energy - 0.005
}

/// When the only bright frame is shown.
#[track_caller]
fn flash(path: &Path) -> f64 {
    let bright: Vec<usize> =
        pictures(path).iter().enumerate().filter(|(_, p)| p.brightness() > 100.0).map(|(i, _)| i).collect();
    assert_eq!(bright.len(), 1, "{bright:?}");
    times(path)[bright[0]]
}

#[track_caller]
pub(super) fn near(got: f64, wanted: f64, tolerance: f64) {
    assert!((got - wanted).abs() <= tolerance, "{got:.5} is not {wanted:.5}");
}

/// Frames of black, the one at 2 s white.
fn flashing(rate: u32, seconds: u32) -> String {
    let frame = 2 * rate;
    format!("-f lavfi -i color=black:s=64x64:r={rate}:d={seconds},drawbox=c=white:t=fill:enable='eq(n,{frame})'")
}

pub(super) fn click_file(desk: &Desk, name: &str, seconds: f64, at: &[f64]) {
    desk.ffmpeg_fed(&bytes(&clicks(seconds, at)), &format!("-f f32le -ar 48000 -ac 1 -i - -c:a pcm_s24le {name}"));
}

/// A flash and a click, both at 2 s.
fn clapper(desk: &Desk, rate: u32, words: &str) {
    click_file(desk, "click.wav", 4.0, &[2.0]);
    desk.ffmpeg(&format!("{} -i click.wav -map 0:v -map 1:a {words}", flashing(rate, 4)));
}

#[track_caller]
fn clapper_survives(rate: u32, words: &str) {
    let desk = Desk::new();
    clapper(&desk, rate, words);
    let out = desk.mp4(words.split_whitespace().last().unwrap());
    near(flash(&out), 2.0, 0.001);
    near(click(&out), 2.0, 0.002);
}

#[test]
fn a_click_at_two_seconds_is_heard_at_two_seconds() {
    clapper_survives(25, "-c:v libx264 -c:a pcm_s16le in.mov");
}

#[test]
fn a_click_in_aac_is_heard_when_a_player_of_the_master_plays_it() {
    let desk = Desk::new();
    clapper(&desk, 25, "-c:v libx264 -c:a aac in.mp4");
    let out = desk.mp4("in.mp4");
    near(click(&desk.path("in.mp4")), 2.0, 0.002);
    near(click(&out), 2.0, 0.002);
    near(flash(&out), 2.0, 0.001);
}

#[test]
fn flash_and_click_of_a_transport_stream_stay_together() {
    let desk = Desk::new();
    clapper(&desk, 25, "-c:v libx264 -c:a mp2 in.ts");
    let out = desk.mp4("in.ts");
    near(flash(&out), 2.0, 0.041);
    near(click(&out) - flash(&out), 0.0, 0.04);
}

#[test]
fn flash_and_click_of_matroska_with_opus_stay_together() {
    let desk = Desk::new();
    clapper(&desk, 25, "-c:v libx264 -c:a libopus -b:a 96k in.mkv");
    let out = desk.mp4("in.mkv");
    near(flash(&out), flash(&desk.path("in.mkv")), 0.002);
    // GStreamer 1.22 does not move Matroska's Opus back by the codec's 6.5 ms.
    near(click(&out), click(&desk.path("in.mkv")), 0.008);
}

#[test]
fn sound_that_begins_late_keeps_its_place() {
    let desk = Desk::new();
    click_file(&desk, "click.wav", 3.5, &[1.5]);
    let words = "-map 0:v -map 1:a -c:v libx264 -c:a pcm_s16le in.mov";
    desk.ffmpeg(&format!("{} -itsoffset 0.5 -i click.wav {words}", flashing(25, 4)));
    let out = desk.mp4("in.mov");
    near(flash(&out), 2.0, 0.001);
    near(click(&out), 2.0, 0.002);
}

#[test]
fn sound_that_begins_long_after_the_picture_keeps_its_place() {
    let desk = Desk::new();
    click_file(&desk, "click.wav", 2.0, &[0.5]);
    let picture = "-f lavfi -i testsrc2=s=64x64:r=25:d=8";
    for (offset, master) in [(6, "in.mov"), (6, "in.mkv")] {
        let words = "-map 0:v -map 1:a -c:v libx264 -c:a pcm_s16le";
        desk.ffmpeg(&format!("{picture} -itsoffset {offset} -i click.wav {words} {master}"));
        let out = desk.mp4(master);
        near(click(&out), 6.5, 0.003);
        assert_eq!(times(&out).len(), 200);
    }
}

#[test]
fn a_picture_that_begins_late_keeps_its_place() {
    let desk = Desk::new();
    click_file(&desk, "click.wav", 4.0, &[2.4]);
    let words = "-map 1:v -map 0:a -vsync passthrough -c:v libx264 -c:a pcm_s16le in.mov";
    desk.ffmpeg(&format!("-i click.wav -itsoffset 0.4 {} {words}", flashing(25, 3)));
    let out = desk.mp4("in.mov");
    near(click(&out), 2.4, 0.002);
    near(flash(&out), 2.4, 0.001);
}

#[test]
fn sound_that_ends_early_does_not_shorten_the_picture() {
    let desk = Desk::new();
    click_file(&desk, "click.wav", 1.0, &[0.5]);
    desk.ffmpeg("-f lavfi -i testsrc2=s=64x64:r=25:d=4 -i click.wav -c:v libx264 -c:a pcm_s16le in.mov");
    let out = desk.mp4("in.mov");
    assert_eq!(times(&out).len(), 100);
    near(click(&out), 0.5, 0.002);
}

#[test]
fn the_sound_of_an_mp4_is_as_long_as_the_masters() {
    let desk = Desk::new();
    clapper(&desk, 25, "-c:v libx264 -c:a pcm_s16le in.mov");
    let out = desk.mp4("in.mov");
    // A player hears whole frames of AAC; what is past the end is silence.
    let length = samples(&out).len() as f64 / RATE as f64;
    assert!((4.0..4.03).contains(&length), "{length}");
    let tail = clicks(4.0, &[3.985]);
    desk.ffmpeg_fed(&bytes(&tail), "-f f32le -ar 48000 -ac 1 -i - -c:a pcm_s16le tail.wav");
    desk.ffmpeg("-f lavfi -i color=s=64x64:r=25:d=4 -i tail.wav -c:v libx264 -c:a copy tail.mov");
    near(click(&desk.mp4("tail.mov")), 3.985, 0.002);
}

/// Loudness of a sine of `hertz` in a channel, as an amplitude, over the middle of the recording.
pub(super) fn tone(samples: &[f32], channels: usize, channel: usize, hertz: f64) -> f64 {
    let one: Vec<f64> = samples.chunks_exact(channels).map(|c| f64::from(c[channel])).collect();
    let middle = &one[one.len() / 4..one.len() / 4 + RATE / 2];
    let (mut sine, mut cosine) = (0.0, 0.0);
    for (i, s) in middle.iter().enumerate() {
        let turn = std::f64::consts::TAU * hertz * i as f64 / RATE as f64;
        sine += s * turn.sin();
        cosine += s * turn.cos();
    }
    2.0 * sine.hypot(cosine) / middle.len() as f64
}

/// Two seconds in which each channel is a sine of 0.3 at its own pitch: 400 Hz, 500 Hz and so on.
pub(super) fn pitches(desk: &Desk, channels: usize, name: &str) {
    let sample = |i: usize, channel: usize| {
        let turn = std::f64::consts::TAU * (400.0 + 100.0 * channel as f64) * i as f64 / RATE as f64;
        (0.3 * turn.sin()) as f32
    };
    let all: Vec<f32> = (0..2 * RATE).flat_map(|i| (0..channels).map(move |c| sample(i, c))).collect();
    let layout = if channels == 6 { "-channel_layout 5.1" } else { "" };
    desk.ffmpeg_fed(&bytes(&all), &format!("-f f32le -ar 48000 -ac {channels} {layout} -i - -c:a pcm_s24le {name}"));
}

#[test]
fn five_channels_and_a_subwoofer_are_mixed_down_to_left_and_right() {
    let desk = Desk::new();
    pitches(&desk, 6, "six.wav");
    desk.ffmpeg("-f lavfi -i color=s=64x64:r=25:d=2 -i six.wav -c:v libx264 -c:a copy in.mov");
    let out = desk.mp4("in.mov");
    assert_eq!(stream(&out, "audio")["channels"], 2);
    let heard = samples(&out);
    let at = |channel: usize, hertz: f64| tone(&heard, 2, channel, hertz);
    // In the order of the layout: left, right, center, subwoofer, left and right behind.
    let (left, right) = ((at(0, 400.0), at(1, 400.0)), (at(0, 500.0), at(1, 500.0)));
    assert!(left.0 > 0.08 && left.1 < 0.01, "the left is {left:.3?}");
    assert!(right.1 > 0.08 && right.0 < 0.01, "the right is {right:.3?}");
    let center = (at(0, 600.0), at(1, 600.0));
    assert!(center.0 > 0.05 && (center.0 - center.1).abs() < 0.01, "the center is {center:.3?}");
    let behind = ((at(0, 800.0), at(1, 800.0)), (at(0, 900.0), at(1, 900.0)));
    assert!(behind.0.0 > 0.03 && behind.0.1 < 0.01, "the left behind is {:.3?}", behind.0);
    assert!(behind.1.1 > 0.03 && behind.1.0 < 0.01, "the right behind is {:.3?}", behind.1);
}

#[test]
fn one_channel_stays_one_channel() {
    let desk = Desk::new();
    pitches(&desk, 1, "in.wav");
    desk.ffmpeg("-f lavfi -i color=s=64x64:r=25:d=2 -i in.wav -c:v libx264 -c:a copy in.mov");
    let out = desk.mp4("in.mov");
    assert_eq!(stream(&out, "audio")["channels"], 1);
    let mp3 = entry("mp3", json!({"mp3": {}}));
    desk.render("in.wav", &[wav("wav"), mp3]).rendered("mp3");
    for file in [out, desk.path("wav.wav"), desk.path("mp3.mp3")] {
        assert_eq!(stream(&file, "audio")["channels"], 1, "{}", file.display());
        let loudness = tone(&samples(&file), 1, 0, 400.0);
        // LAME scales by 0.95 at this rate, in every program that uses it.
        assert!((0.28..0.31).contains(&loudness), "{}: {loudness}", file.display());
    }
}

#[test]
fn two_channels_keep_their_sides() {
    let desk = Desk::new();
    pitches(&desk, 2, "in.wav");
    let mp3 = entry("mp3", json!({"mp3": {}}));
    desk.render("in.wav", &[wav("wav"), mp3]).rendered("mp3");
    for file in ["wav.wav", "mp3.mp3"] {
        let heard = samples(&desk.path(file));
        let at = |channel: usize, hertz: f64| tone(&heard, 2, channel, hertz);
        assert!(at(0, 400.0) > 0.28 && at(0, 500.0) < 0.005, "{file}");
        assert!(at(1, 500.0) > 0.28 && at(1, 400.0) < 0.005, "{file}");
    }
}

/// Not a multiple of any codec's frame.
pub(super) const ODD_LENGTH: usize = 2 * RATE + 777;

/// Noise of 24 bits that never repeats, by a linear congruential generator.
pub(super) fn noise(samples: usize) -> Vec<u8> {
    let mut state = 1_u32;
    let mut next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()
    };
    (0..samples).flat_map(|_| next()[..3].to_vec()).collect()
}

#[test]
fn a_wav_of_24_bits_has_every_bit_of_the_master() {
    let desk = Desk::new();
    let master = noise(2 * ODD_LENGTH);
    desk.ffmpeg_fed(&master, "-f s24le -ar 48000 -ac 2 -i - -c:a flac -sample_fmt s32 in.flac");
    let made = desk.render("in.flac", &[wav("out")]);
    let a = stream(&desk.path("out.wav"), "audio");
    assert_eq!((&a["codec_name"], &a["sample_rate"]), (&json!("pcm_s24le"), &json!("48000")));
    desk.ffmpeg("-i out.wav -f s24le out.raw");
    assert!(std::fs::read(desk.path("out.raw")).unwrap() == master, "not the same samples");
    assert_eq!(made.rendered("out").duration_ms, (ODD_LENGTH as u64 * 1000 + 24_000) / 48_000);
}

#[test]
fn a_wav_of_44_100_samples_a_second_has_its_exact_length_at_48_000() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i sine=f=440:r=44100:d=3 -c:a pcm_s16le in.wav");
    desk.render("in.wav", &[wav("out")]).rendered("out");
    let length = samples(&desk.path("out.wav")).len();
    assert!(length.abs_diff(3 * RATE) <= 1, "{length}");
}

#[test]
fn an_mp3_is_128_kilobits_and_plays_as_long_as_the_master() {
    let desk = Desk::new();
    let mut click = clicks(ODD_LENGTH as f64 / RATE as f64, &[1.0]);
    click.truncate(ODD_LENGTH);
    desk.ffmpeg_fed(&bytes(&click), "-f f32le -ar 48000 -ac 1 -i - -c:a pcm_s24le in.wav");
    let made = desk.render("in.wav", &[entry("out", json!({"mp3": {}}))]);
    assert_eq!(made.rendered("out").duration_ms, (ODD_LENGTH as u64 * 1000 + 24_000) / 48_000);
    let out = desk.path("out.mp3");
    let a = stream(&out, "audio");
    assert_eq!((&a["codec_name"], &a["bit_rate"]), (&json!("mp3"), &json!("128000")));
    assert_eq!(samples(&out).len(), ODD_LENGTH);
    near(self::click(&out), 1.0, 0.001);
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-show_entries", "packet=size", "-of", "csv=p=0"]).arg(&out);
    let sizes = String::from_utf8(fed(command, &[])).unwrap();
    let mut sizes = sizes.lines().map(|l| l.trim_end_matches(',')).filter(|l| !l.is_empty());
    assert!(sizes.all(|size| size == "384"), "the rate is not constant");
}

#[test]
fn the_sound_of_an_aac_master_begins_where_its_player_begins() {
    let desk = Desk::new();
    click_file(&desk, "click.wav", 2.0, &[1.0]);
    desk.ffmpeg("-i click.wav -c:a aac in.m4a");
    desk.render("in.m4a", &[wav("out"), entry("mp3", json!({"mp3": {}}))]).rendered("mp3");
    near(click(&desk.path("in.m4a")), 1.0, 0.002);
    near(click(&desk.path("out.wav")), 1.0, 0.002);
    near(click(&desk.path("mp3.mp3")), 1.0, 0.002);
}

#[test]
fn the_sound_of_an_mp3_master_begins_where_its_player_begins() {
    let desk = Desk::new();
    click_file(&desk, "click.wav", 2.0, &[1.0]);
    desk.ffmpeg("-i click.wav -c:a libmp3lame -b:a 192k in.mp3");
    desk.render("in.mp3", &[wav("out")]).rendered("out");
    near(click(&desk.path("in.mp3")), 1.0, 0.002);
    // GStreamer 1.22 leaves LAME's 1105 samples of priming in: 23 ms of silence come first.
    near(click(&desk.path("out.wav")), 1.0, 0.024);
}

#[test]
fn sound_taken_out_of_a_recording_begins_with_its_picture() {
    let desk = Desk::new();
    click_file(&desk, "click.wav", 2.0, &[1.0]);
    let words = "-map 0:v -map 1:a -c:v libx264 -c:a pcm_s16le in.mov";
    desk.ffmpeg(&format!("-f lavfi -i color=s=64x64:r=25:d=3 -itsoffset 1 -i click.wav {words}"));
    desk.render("in.mov", &[wav("out"), mp4("video")]).rendered("out");
    near(click(&desk.path("out.wav")), 2.0, 0.002);
    near(click(&desk.path("video.mp4")), 2.0, 0.002);
}

#[test]
fn the_loudest_sample_is_told_for_every_output_with_sound() {
    let desk = Desk::new();
    pitches(&desk, 2, "in.wav");
    desk.ffmpeg("-f lavfi -i color=s=64x64:r=25:d=2 -i in.wav -c:v libx264 -c:a copy in.mov");
    let made = desk.render("in.mov", &[wav("wav"), mp4("video")]);
    for name in ["wav", "video"] {
        let peak = made.rendered(name).input_peak_dbfs.unwrap();
        near(peak, 20.0 * 0.3_f64.log10(), 0.05);
    }
}

#[test]
fn silence_is_told_as_silence() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i anullsrc=r=48000:cl=stereo:d=1 -c:a pcm_s16le in.wav");
    assert_eq!(desk.render("in.wav", &[wav("out")]).rendered("out").input_peak_dbfs, Some(-200.0));
}

#[test]
fn the_first_of_several_languages_is_heard() {
    let desk = Desk::new();
    desk.ffmpeg(
        "-f lavfi -i color=s=64x64:r=25:d=2 -f lavfi -i sine=f=400:r=48000:d=2 -f lavfi -i sine=f=900:r=48000:d=2
         -map 0 -map 1 -map 2 -c:v libx264 -c:a pcm_s16le in.mov",
    );
    let out = desk.mp4("in.mov");
    let heard = samples(&out);
    assert!(tone(&heard, 1, 0, 400.0) > 0.1 && tone(&heard, 1, 0, 900.0) < 0.001);
}
