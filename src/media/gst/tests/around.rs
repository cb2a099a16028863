//! Clips before and after films: what is seen and heard at which time.

use super::{
    brand::{branded, level},
    sound::{RATE, clicks, near},
    *,
};

/// A red clip of 4:3 with a tone, a green film of 16:9 with a white flash and a click at 1 s and 2 s of its own, and an upright
/// blue clip without sound.
fn pieces(desk: &Desk) {
    desk.ffmpeg(
        "-f lavfi -i color=c=red:s=320x240:r=30:d=1.2 -f lavfi -i sine=f=500:r=44100:d=1.2 -shortest -c:v libx264 -c:a aac intro.mp4",
    );
    desk.ffmpeg("-f lavfi -i color=c=blue:s=120x160:r=10:d=1 -c:v libx264 outro.mp4");
    desk.ffmpeg_fed(&bytes(&clicks(2.0, &[1.0])), "-f f32le -ar 48000 -ac 1 -i - click.wav");
    let flash = "drawbox=c=white:t=fill:enable='between(n,25,25)'";
    desk.ffmpeg(&format!(
        "-f lavfi -i color=c=green:s=320x180:r=25:d=2,{flash} -i click.wav -c:v libx264 -qp 10 -c:a pcm_s16le film.mov"
    ));
    desk.ffmpeg("-f lavfi -i color=c=yellow:s=64x64 -frames:v 1 logo.png");
}

fn around() -> Value {
    json!({
        "intro": {"file": "intro.mp4"},
        "outro": {"file": "outro.mp4", "dress": "film"},
        "background": "#204060",
        "logo": {"file": "logo.png", "corner": "top_left", "width": "10%", "margin": "0%"},
    })
}

#[track_caller]
fn is_color(picture: &Picture, (x, y): (f64, f64), rgb: [f64; 3]) {
    let got = picture.rgb(x, y);
    let is_near = got.iter().zip(rgb).all(|(g, w)| (g - w).abs() < 12.0);
    assert!(is_near, "{got:?} at {x}, {y} is not {rgb:?}");
}

const RED: [f64; 3] = [254.0, 0.0, 0.0];
const GREEN: [f64; 3] = [0.0, 128.0, 0.0];
const BLUE: [f64; 3] = [0.0, 0.0, 254.0];
const YELLOW: [f64; 3] = [255.0, 255.0, 0.0];
const BARS: [f64; 3] = [32.0, 64.0, 96.0];

#[test]
fn a_film_stands_between_its_clips_in_pictures_sound_and_time() {
    let desk = Desk::new();
    pieces(&desk);
    let entry = branded(&desk, around());
    let made = desk.render("film.mov", std::slice::from_ref(&entry));
    let rendered = made.rendered("out");
    let facts = accepted(&desk, "film.mov", &entry, rendered);
    let part = rendered.film.unwrap();
    assert_eq!((part.frames, part.duration_ms, rendered.frames, rendered.duration_ms), (50, 2000, 105, 4200));
    assert_eq!((facts.video.unwrap().rate, facts.audio.len()), ((25, 1), 1));
    let frames = pictures(&desk.path("out.mp4"));
    assert_eq!(frames.len(), 105);
    // Bars beside the first and the last, which has the logo; the film is as ever.
    for frame in [&frames[1], &frames[29]] {
        is_color(frame, (0.5, 0.5), RED);
        is_color(frame, (0.03, 0.1), BARS);
    }
    for frame in [&frames[30], &frames[79]] {
        is_color(frame, (0.5, 0.5), GREEN);
        is_color(frame, (0.97, 0.9), GREEN);
        is_color(frame, (0.03, 0.05), YELLOW);
    }
    for frame in [&frames[80], &frames[104]] {
        is_color(frame, (0.5, 0.5), BLUE);
        is_color(frame, (0.03, 0.05), YELLOW);
        is_color(frame, (0.2, 0.5), BARS);
    }
    let flash = frames.iter().position(|frame| frame.brightness() > 180.0).unwrap() as f64 / 25.0;
    let out = samples(&desk.path("out.mp4"));
    let channels = facts.audio[0].channels as usize;
    // The middle of the click's energy is 5 ms after its beginning.
    let part = &out[(1.4 * RATE as f64) as usize * channels..(3.0 * RATE as f64) as usize * channels];
    let power: Vec<f64> = part.chunks(channels).map(|c| f64::from(c[0]).powi(2)).collect();
    let click = power.iter().enumerate().map(|(i, p)| i as f64 * p).sum::<f64>() / power.iter().sum::<f64>();
    near(flash, 2.2, 0.001);
    near(1.4 + click / RATE as f64 - 0.005, 2.2, 0.002);
    assert!(level(&out, channels, 500.0, 0.1, 1.1) > -25.0);
    assert!(level(&out, channels, 500.0, 1.3, 2.1) < -60.0);
    assert!(level(&out, channels, 500.0, 3.3, 4.1) < -60.0);
}

#[test]
fn what_ends_early_is_filled_up_before_the_clip_after_it() {
    let desk = Desk::new();
    pieces(&desk);
    // Sound of 1.3 s below pictures of 2 s, and sound of 2.5 s below as many.
    for (seconds, frames, begins) in [("1.3", 75, 50), ("2.5", 88, 63)] {
        desk.ffmpeg(&format!("-i film.mov -f lavfi -i sine=f=900:d={seconds} -map 0:v -map 1:a -c:v copy odd.mov"));
        let entry = branded(&desk, json!({"outro": {"file": "intro.mp4"}}));
        let entry = Entry { name: "out".to_owned(), ..entry };
        let made = desk.render("odd.mov", std::slice::from_ref(&entry));
        accepted(&desk, "odd.mov", &entry, made.rendered("out"));
        let shown = pictures(&desk.path("out.mp4"));
        assert_eq!(shown.len(), frames + 5);
        is_color(&shown[begins - 1], (0.5, 0.5), GREEN);
        is_color(&shown[begins], (0.5, 0.5), RED);
        let out = samples(&desk.path("out.mp4"));
        let begins = begins as f64 / 25.0;
        assert!(level(&out, 1, 500.0, begins + 0.05, begins + 1.1) > -25.0);
        assert!(level(&out, 1, 500.0, begins - 0.3, begins - 0.01) < -45.0);
    }
}

#[test]
fn a_silent_film_gets_the_sound_of_its_clips_and_all_rungs_and_words_move_together() {
    let desk = Desk::new();
    pieces(&desk);
    let words = "1\n00:00:00,500 --> 00:00:01,500\nHello\n";
    std::fs::write(desk.path("words.srt"), words).unwrap();
    desk.ffmpeg("-i film.mov -i words.srt -map 0:v -map 1 -c:v copy -c:s mov_text mute.mp4");
    let rung = |name: &str, height: u32| json!({"name": name, "max_height": height, "video": {"bitrate": "300k", "preset": "superfast", "keyframe_interval": "1s"}});
    let spec = json!({"stream": {"segment": "1s", "rungs": [rung("large", 180), rung("small", 90)], "audio": {"rate": 44100},
        "subtitles": [{"name": "English", "language": "en"}]}});
    let entry = Entry { spec: serde_json::from_value(spec).unwrap(), ..branded(&desk, around()) };
    let out_dir = desk.path("made");
    std::fs::create_dir(&out_dir).unwrap();
    let order = crate::media::Order {
        input: desk.path("mute.mp4"),
        facts: None,
        reads: Vec::new(),
        outputs: vec![entry],
        out_dir: out_dir.clone(),
        limits: Limits::default(),
        part: None,
    };
    let mut reports = Vec::new();
    crate::media::render::carry_out(&order, &Stop::new(), &mut |report| reports.push(report)).unwrap();
    assert!(matches!(reports.last(), Some(crate::media::Report::Progress { .. })), "{reports:#?}");
    assert!(reports.iter().any(|r| matches!(r, crate::media::Report::Accepted { .. })), "{reports:#?}");
    for (list, size) in [("out.large.m3u8", (320, 180)), ("out.small.m3u8", (160, 90))] {
        let frames = shown(&out_dir.join(list), size, "null");
        assert_eq!(frames.len(), 105);
        is_color(&frames[29], (0.5, 0.5), RED);
        is_color(&frames[30], (0.5, 0.5), GREEN);
        is_color(&frames[80], (0.5, 0.5), BLUE);
    }
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(out_dir.join("out.sound.m3u8"));
    command.args(["-ar", "48000", "-ac", "1", "-f", "f32le", "-"]);
    let out: Vec<f32> = fed(command, &[]).as_chunks::<4>().0.iter().map(|b| f32::from_le_bytes(*b)).collect();
    assert!(level(&out, 1, 500.0, 0.1, 1.1) > -25.0 && level(&out, 1, 500.0, 1.4, 4.0) < -60.0);
    near(out.len() as f64 / RATE as f64, 4.2, 0.05);
    let vtt = std::fs::read_to_string(out_dir.join("out.text.vtt")).unwrap();
    assert!(vtt.contains("00:01.700 --> 00:02.700"), "{vtt}");
}

#[test]
fn a_clip_that_is_no_use_fails_its_entry_alone_with_its_name() {
    let desk = Desk::new();
    pieces(&desk);
    std::fs::write(desk.path("cut.mp4"), &std::fs::read(desk.path("intro.mp4")).unwrap()[..2000]).unwrap();
    let entries = [("cut.mp4", ""), ("logo.png", "it is no film")].map(|(file, why)| {
        let entry = branded(&desk, json!({"intro": {"file": file}}));
        (Entry { name: file.replace('.', "_"), ..entry }, file, why)
    });
    let out_dir = desk.path("made");
    std::fs::create_dir(&out_dir).unwrap();
    let order = crate::media::Order {
        input: desk.path("film.mov"),
        facts: None,
        reads: Vec::new(),
        outputs: entries.iter().map(|(e, ..)| e.clone()).chain([mp4("plain")]).collect(),
        out_dir,
        limits: Limits::default(),
        part: None,
    };
    let mut failed = BTreeMap::new();
    let mut made = Vec::new();
    crate::media::render::carry_out(&order, &Stop::new(), &mut |report| match report {
        crate::media::Report::Failed { output: Some(name), failure } => drop(failed.insert(name, failure.message)),
        crate::media::Report::Accepted { rendered, .. } => made.push(rendered.output),
        _ => {}
    })
    .unwrap();
    assert_eq!(made, ["plain"]);
    for (entry, file, why) in &entries {
        let told = &failed[&entry.name];
        assert!(told.contains(file) && told.contains(why), "{told}");
    }
}
