//! Brands: what is put on frames and sound, against ffmpeg's filters of the same purpose where it has one.

use super::{sound::RATE, *};
use crate::media::{Order, Report, render};

/// An MP4 with a brand; its files are in the folder.
pub(super) fn branded(desk: &Desk, brand: Value) -> Entry {
    let mut brand = brand;
    for part in ["logo", "subtitles", "music", "narration", "intro", "outro"] {
        if let Some(file) = brand.get_mut(part).and_then(|p| p.get_mut("file")) {
            *file = json!(desk.path(file.as_str().unwrap()));
        }
    }
    if let Some(file) = brand.pointer_mut("/grade/lut") {
        *file = json!(desk.path(file.as_str().unwrap()));
    }
    let spec = json!({"mp4": {"video": {"bitrate": "8M"}, "audio": {"bitrate": "256k"}}});
    let entry: Entry = serde_json::from_value(json!({"name": "out", "spec": spec, "brand": brand})).unwrap();
    entry.brand.as_ref().unwrap().check().unwrap();
    entry
}

/// The frames that a brand makes of a master.
#[track_caller]
fn shown_with(desk: &Desk, master: &str, brand: Value) -> Vec<Picture> {
    let entry = branded(desk, brand);
    let made = desk.render(master, std::slice::from_ref(&entry));
    accepted(desk, master, &entry, made.rendered("out"));
    pictures(&desk.path("out.mp4"))
}

/// How many samples of luma in a part of a picture, in shares of its sides, are brighter than white clothes.
fn bright(picture: &Picture, xs: std::ops::Range<f64>, ys: std::ops::Range<f64>) -> usize {
    let part = |range: &std::ops::Range<f64>, side: usize| {
        (range.start * side as f64) as usize..(range.end * side as f64) as usize
    };
    let (xs, ys) = (part(&xs, picture.width), part(&ys, picture.height));
    ys.flat_map(|y| xs.clone().map(move |x| (x, y)))
        .filter(|(x, y)| picture.luma()[y * picture.width + x] > 200)
        .count()
}

fn gray(desk: &Desk) {
    desk.ffmpeg("-f lavfi -i color=c=gray:s=640x360:r=25:d=2 -c:v libx264 -qp 0 -pix_fmt yuv420p in.mp4");
}

#[test]
fn words_and_a_logo_are_on_every_frame_from_the_first_to_the_last_of_theirs() {
    let desk = Desk::new();
    gray(&desk);
    desk.ffmpeg("-f lavfi -i color=c=0x20c040:s=64x64 -frames:v 1 logo.png");
    std::fs::write(desk.path("s.srt"), "1\n00:00:00,000 --> 00:00:01,000\n{\\an8}<b>Grüße &amp; mehr</b>\n").unwrap();
    let brand = json!({
        "logo": {"file": "logo.png", "corner": "bottom_right", "width": "10%", "margin": "10%"},
        "texts": [{"text": "Jane {\\fs99} Doe\nNews", "from": "1s", "style": {"place": "left", "background": "#000000ff", "size": "8%"}}],
        "subtitles": {"file": "s.srt", "style": {"size": "10%"}},
    });
    let frames = shown_with(&desk, "in.mp4", brand);
    assert_eq!(frames.len(), 50);
    let (above, left) = (|p: &Picture| bright(p, 0.2..0.8, 0.0..0.2), |p: &Picture| bright(p, 0.0..0.5, 0.35..0.65));
    for (number, frame) in frames.iter().enumerate() {
        // 64 of 640 wide, 36 from both edges.
        let [r, g, b] = frame.rgb(0.89, 0.81);
        assert!((r - 32.0).abs() < 6.0 && (g - 192.0).abs() < 6.0 && (b - 64.0).abs() < 6.0, "{number}: {r} {g} {b}");
        assert_eq!(above(frame) > 100, number < 25, "{number}: {}", above(frame));
        // It comes within a quarter of a second.
        assert!(number < 33 || left(frame) > 300, "{number}: {}", left(frame));
        assert!(number >= 25 || left(frame) == 0, "{number}");
    }
    assert!(left(&frames[35]) > 300, "{}", left(&frames[35]));
    // What stands in braces is said, not done: all of it is of one size.
    let box_height = (0..360).filter(|y| frames[35].luma()[y * 640 + 60] < 40).count();
    assert!((40..90).contains(&box_height), "{box_height}");
}

#[test]
fn a_table_of_colors_gives_what_ffmpegs_gives() {
    let desk = Desk::new();
    let tags = format!("-c:v libx264 -qp 0 -pix_fmt yuv420p {BT709}");
    desk.ffmpeg(&format!("-f lavfi -i testsrc2=s=320x180:r=25:d=0.4 -vf scale=out_color_matrix=bt709 {tags} in.mp4"));
    let mut cube = "TITLE \"bend\"\nLUT_3D_SIZE 9\n".to_owned();
    for i in 0..729 {
        let [r, g, b] = [i % 9, i / 9 % 9, i / 81].map(|x| f64::from(x) / 8.0);
        cube.push_str(&format!("{:.5} {:.5} {:.5}\n", r.powf(0.8), g * 0.9 + 0.05, (b * 0.7 + g * 0.2).min(1.0)));
    }
    std::fs::write(desk.path("bend.cube"), cube).unwrap();
    let ours = shown_with(&desk, "in.mp4", json!({"grade": {"lut": "bend.cube"}}));
    let filter = format!(
        "scale=in_color_matrix=bt709,format=gbrp,lut3d={}:interp=trilinear,scale=out_color_matrix=bt709,format=yuv420p",
        desk.path("bend.cube").display()
    );
    let theirs = shown(&desk.path("in.mp4"), (320, 180), &filter);
    let plain = pictures(&desk.path("in.mp4"));
    assert_eq!(ours.len(), theirs.len());
    let (near, far) = (psnr(&ours[5], &theirs[5]), psnr(&plain[5], &theirs[5]));
    assert!(near > 40.0 && far < 34.0, "{near} {far}");
    for (x, y) in [(0.1, 0.2), (0.3, 0.5), (0.5, 0.8), (0.9, 0.3)] {
        let (a, b) = (ours[5].at(x, y), theirs[5].at(x, y));
        assert!((0..3).all(|i| (a[i] - b[i]).abs() < 3.0), "{a:?} {b:?}");
    }
}

#[test]
fn brightness_contrast_saturation_and_hue_do_what_they_say() {
    let desk = Desk::new();
    desk.ffmpeg(&format!("-f lavfi -i color=c=0xb04040:s=320x180:r=25:d=0.2 -vf scale=out_color_matrix=bt709 -c:v libx264 -qp 0 -pix_fmt yuv420p {BT709} in.mp4"));
    let [y, cb, cr] = pictures(&desk.path("in.mp4"))[0].at(0.5, 0.5);
    let graded = |grade: Value| shown_with(&desk, "in.mp4", json!({ "grade": grade }))[2].at(0.5, 0.5);
    let is = |got: [f64; 3], wanted: [f64; 3]| {
        assert!((0..3).all(|i| (got[i] - wanted[i]).abs() < 2.0), "{got:?} {wanted:?}")
    };
    is(graded(json!({"brightness": 0.1, "contrast": 1.2})), [16.0 + (y - 16.0) * 1.2 + 21.9, cb, cr]);
    is(graded(json!({"saturation": 0.0})), [y, 128.0, 128.0]);
    // A quarter turn: what was red less luma is now its opposite of blue less luma.
    is(graded(json!({"hue": 90.0})), [y, 128.0 - (cr - 128.0), 128.0 + (cb - 128.0)]);
}

#[test]
fn what_cannot_be_put_on_is_told_by_its_file() {
    let desk = Desk::new();
    gray(&desk);
    std::fs::write(desk.path("logo.png"), b"no picture").unwrap();
    std::fs::write(desk.path("s.srt"), "nothing of the kind").unwrap();
    desk.ffmpeg("-f lavfi -i color=c=gray:s=64x64:r=25:d=0.2 -c:v libx264 silent.mp4");
    for (brand, why) in [
        (json!({"logo": {"file": "logo.png"}}), "the logo "),
        (json!({"subtitles": {"file": "s.srt"}}), "no subtitle can be read in "),
        (json!({"grade": {"lut": "s.srt"}}), "the table of colors "),
    ] {
        let made = desk.render("in.mp4", &[branded(&desk, brand)]);
        assert_eq!(made.failed(), Some(Kind::Invalid));
        let told =
            made.results.values().find_map(|r| r.as_ref().err()).or(made.outcome.as_ref().err()).unwrap().one_line();
        assert!(told.contains(why), "{told}");
    }
    desk.ffmpeg("-f lavfi -i color=c=gray:s=64x64:r=25:d=0.4 -f lavfi -i sine=d=0.4 -c:v libx264 -c:a aac loud.mp4");
    let made = desk.render("loud.mp4", &[branded(&desk, json!({"music": {"file": "silent.mp4"}}))]);
    let told = made.results["out"].as_ref().unwrap_err().one_line();
    assert!(told.contains("silent.mp4: there is no sound in it"), "{told}");
    // And whoever has no part in it is made.
    let made = desk.render("loud.mp4", &[branded(&desk, json!({"music": {"file": "silent.mp4"}})), mp4("plain")]);
    assert!(made.results["out"].is_err());
    made.rendered("plain");
}

/// How strong a frequency is between two moments, in dB, by Goertzel's algorithm on the left channel.
pub(super) fn level(samples: &[f32], channels: usize, frequency: f64, from: f64, to: f64) -> f64 {
    let step = 2.0 * std::f64::consts::PI * frequency / RATE as f64;
    let part = &samples[(from * RATE as f64) as usize * channels..(to * RATE as f64) as usize * channels];
    let (mut sin, mut cos) = (0.0, 0.0);
    for (i, frame) in part.chunks(channels).enumerate() {
        let angle = step * i as f64;
        sin += f64::from(frame[0]) * angle.sin();
        cos += f64::from(frame[0]) * angle.cos();
    }
    let count = part.len() as f64 / channels as f64;
    20.0 * (2.0 * sin.hypot(cos) / count).max(1e-9).log10()
}

#[test]
fn music_makes_room_for_who_speaks_and_a_voice_is_heard_in_its_time() {
    let desk = Desk::new();
    let speech = "sine=f=300:r=48000:d=8,volume='if(between(t,2,4),1,0)':eval=frame,aformat=channel_layouts=stereo";
    desk.ffmpeg(&format!(
        "-f lavfi -i color=c=gray:s=64x64:r=25:d=8 -f lavfi -i {speech} -c:v libx264 -c:a pcm_s16le in.mov"
    ));
    desk.ffmpeg("-f lavfi -i sine=f=1000:r=44100:d=1.5 -c:a libmp3lame music.mp3");
    desk.ffmpeg("-f lavfi -i sine=f=2000:r=22050:d=1 voice.wav");
    let brand = json!({
        "music": {"file": "music.mp3", "gain": "-6 dB", "duck": "-20 dB", "fade": "200ms"},
        "narration": {"file": "voice.wav", "at": "5s", "gain": "0 dB"},
    });
    let entry = branded(&desk, brand);
    desk.render("in.mov", std::slice::from_ref(&entry)).rendered("out");
    let out = samples(&desk.path("out.mp4"));
    let heard = |frequency, from, to| level(&out, 2, frequency, from, to);
    // ffmpeg's sine has an amplitude of an eighth, -18.1 dB; of one channel, each side of two gets half of the power.
    let full = heard(1000.0, 0.4, 1.4);
    assert!((full + 18.1 + 3.0 + 6.0).abs() < 1.0, "{full}");
    for (from, to) in [(2.6, 3.9), (5.3, 5.9)] {
        let ducked = heard(1000.0, from, to);
        assert!((full - ducked - 20.0).abs() < 3.0, "{from}: {full} {ducked}");
    }
    assert!(full - heard(1000.0, 7.3, 7.7) < 2.5, "{full} {}", heard(1000.0, 7.3, 7.7));
    assert!((heard(2000.0, 5.1, 5.9) + 21.1).abs() < 1.0, "{}", heard(2000.0, 5.1, 5.9));
    assert!(heard(2000.0, 4.0, 4.9) < -60.0 && heard(2000.0, 6.1, 7.0) < -60.0);
    assert!((heard(300.0, 2.2, 3.8) + 21.1).abs() < 1.0);
}

#[test]
fn the_loudness_is_that_of_all_together() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i color=c=gray:s=64x64:r=25:d=6 -f lavfi -i sine=f=300:r=48000:d=6 -c:v libx264 -c:a pcm_s16le in.mov");
    desk.ffmpeg("-f lavfi -i sine=f=1000:r=48000:d=6,volume=8 music.wav");
    let mut entry =
        branded(&desk, json!({"music": {"file": "music.wav", "gain": "0 dB", "duck": "0 dB", "fade": "1ms"}}));
    let spec =
        json!({"mp4": {"video": {"bitrate": "1M"}, "audio": {"bitrate": "256k", "loudness": {"target": "-23 LUFS"}}}});
    entry.spec = serde_json::from_value(spec).unwrap();
    let made = desk.render("in.mov", std::slice::from_ref(&entry));
    let facts = accepted(&desk, "in.mov", &entry, made.rendered("out"));
    let found = facts.audio[0].loudness.unwrap().integrated_lufs;
    assert!((found + 23.0).abs() < 0.6, "{found}");
    let out = samples(&desk.path("out.mp4"));
    let channels = usize::try_from(facts.audio[0].channels).unwrap();
    assert!(level(&out, channels, 1000.0, 1.0, 5.0) > level(&out, channels, 300.0, 1.0, 5.0) + 10.0);
}

#[test]
fn music_keeps_its_pitch_at_another_rate() {
    let desk = Desk::new();
    gray(&desk);
    desk.ffmpeg("-i in.mp4 -f lavfi -i anullsrc=r=48000:d=2 -shortest -c:v copy -c:a pcm_s16le in.mov");
    desk.ffmpeg("-f lavfi -i sine=f=1000:r=48000:d=1 music.wav");
    let mut entry = branded(&desk, json!({"music": {"file": "music.wav", "gain": "0 dB", "fade": "10ms"}}));
    let spec = json!({"mp4": {"video": {"bitrate": "1M"}, "audio": {"bitrate": "256k", "rate": 44100}}});
    entry.spec = serde_json::from_value(spec).unwrap();
    desk.render("in.mov", std::slice::from_ref(&entry)).rendered("out");
    let out = samples(&desk.path("out.mp4"));
    // The meter takes all for 48 kHz.
    let scale = 48_000.0 / 44_100.0;
    let found = level(&out, 2, 1000.0 * scale, 0.3 / scale, 1.7 / scale);
    assert!((found + 21.1).abs() < 1.0, "{found}");
}

#[test]
fn a_film_without_sound_gets_what_is_laid_over_it() {
    let desk = Desk::new();
    gray(&desk);
    desk.ffmpeg("-f lavfi -i sine=f=1000:r=48000:d=1 music.wav");
    let entry = branded(&desk, json!({"music": {"file": "music.wav", "gain": "0 dB", "fade": "10ms"}}));
    // Beside one that stays without.
    let (plain, out_dir) = (mp4("plain"), desk.path("made"));
    std::fs::create_dir(&out_dir).unwrap();
    let order = Order {
        input: desk.path("in.mp4"),
        facts: None,
        reads: Vec::new(),
        outputs: vec![entry, plain],
        out_dir: out_dir.clone(),
        limits: Limits::default(),
        part: None,
    };
    let mut reports = Vec::new();
    render::carry_out(&order, &Stop::new(), &mut |report| reports.push(report)).unwrap();
    let accepted = reports.iter().filter(|r| matches!(r, Report::Accepted { .. })).count();
    assert_eq!(accepted, 2, "{reports:#?}");
    assert!(!has(&out_dir.join("plain.mp4"), "audio"));
    let out = samples(&out_dir.join("out.mp4"));
    assert!((out.len() as f64 / 2.0 / RATE as f64 - 2.0).abs() < 0.03, "{}", out.len());
    assert!((level(&out, 2, 1000.0, 0.6, 1.9) + 21.1).abs() < 1.0, "{}", level(&out, 2, 1000.0, 0.6, 1.9));
}
