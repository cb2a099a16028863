//! Loudness: what comes out is measured by ffmpeg's `ebur128`.

use super::{
    sound::{RATE, near},
    *,
};

/// Integrated loudness and true peak by ffmpeg.
#[track_caller]
fn measured(path: &Path) -> (f64, f64) {
    let mut command = Command::new("ffmpeg");
    command.args(["-hide_banner", "-nostats", "-i"]).arg(path);
    command.args(["-vn", "-af", "ebur128=peak=true:framelog=verbose", "-f", "null", "-"]);
    let out = command.stdin(Stdio::null()).output().unwrap();
    let log = String::from_utf8_lossy(&out.stderr).into_owned();
    let number = |key: &str| {
        let line = log.lines().rev().find_map(|l| l.trim().strip_prefix(key)).unwrap_or_else(|| panic!("{log}"));
        line.split_whitespace().next().unwrap().parse::<f64>().unwrap()
    };
    (number("I:"), number("Peak:"))
}

/// Every codec, brought to this loudness.
fn leveled(target: &str) -> Vec<Entry> {
    let loudness = json!({"target": target});
    let of = |format: &str| entry(format, json!({ format: {"loudness": loudness} }));
    let mut entries: Vec<Entry> = ["m4a", "opus", "flac", "mp3", "wav"].map(of).to_vec();
    entries.push(entry("ac3", json!({"ac3": {"loudness": loudness, "bitrate": "192k"}})));
    entries
}

#[track_caller]
fn reaches(desk: &Desk, master: &str, entries: &[Entry], target: f64) {
    let made = desk.render(master, entries);
    for entry in entries {
        let out = desk.path(&entry.spec.file_name(&entry.name));
        let (loudness, peak) = measured(&out);
        eprintln!("{}: {loudness} LUFS, {peak} dBTP, {:?}", entry.name, made.rendered(&entry.name).mixed);
        let is_lossless = matches!(entry.name.as_str(), "flac" | "wav");
        near(loudness, target, if is_lossless { 0.3 } else { 0.9 });
        assert!(peak <= -0.8, "{}: {peak} dBTP", entry.name);
        let facts = accepted(desk, master, entry, made.rendered(&entry.name));
        let found = facts.audio[0].loudness.unwrap();
        near(found.integrated_lufs, loudness, 0.11);
        near(found.true_peak_dbtp, peak, 0.11);
        assert!(facts.tags["loudness"].contains("dB from"), "{:?}", facts.tags);
    }
}

/// Six seconds of noise that swells and fades, with a beat: peaks far above its loudness.
fn music(desk: &Desk, loudest: f32, name: &str) {
    let mut state = 7_u32;
    let mut noise = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state as i32 as f32 / 2_147_483_648.0
    };
    let mut low = [0.0_f32; 2];
    let sample = |i: usize| {
        let t = i as f32 / RATE as f32;
        let beat = (-((t + 0.5) % 1.0) * 60.0).exp();
        let swell = 0.2 + 0.1 * (t * 0.9).sin();
        let mut side = |low: &mut f32| {
            *low += 0.1 * (noise() - *low);
            (*low * swell + 0.7 * beat * noise()).clamp(-1.0, 1.0) * loudest
        };
        let [left, right] = &mut low;
        [side(left), side(right)]
    };
    let all: Vec<f32> = (0..6 * RATE).flat_map(sample).collect();
    desk.ffmpeg_fed(&bytes(&all), &format!("-f f32le -ar 48000 -ac 2 -i - -c:a pcm_s24le {name}"));
}

#[test]
fn what_is_too_loud_is_turned_down_to_the_target() {
    let desk = Desk::new();
    music(&desk, 1.0, "in.wav");
    reaches(&desk, "in.wav", &leveled("-30 LUFS"), -30.0);
}

#[test]
fn what_is_too_quiet_is_turned_up_and_its_peaks_are_held() {
    let desk = Desk::new();
    music(&desk, 0.1, "in.wav");
    let (loudness, peak) = measured(&desk.path("in.wav"));
    assert!(peak + (-16.0 - loudness) > 2.0, "the limiter has nothing to do: {loudness} {peak}");
    reaches(&desk, "in.wav", &leveled("-16 LUFS"), -16.0);
}

#[test]
fn the_sound_of_an_mp4_is_leveled_and_stays_in_its_place() {
    let desk = Desk::new();
    music(&desk, 0.2, "music.wav");
    desk.ffmpeg("-f lavfi -i testsrc2=s=64x64:r=25:d=6 -i music.wav -c:v libx264 -c:a copy in.mov");
    let film = entry("film", json!({"mp4": {"video": {"bitrate": "300k"}, "audio": {"loudness": {}}}}));
    let loud = entry("loud", json!({"wav": {"loudness": {"target": "-14 LUFS"}}}));
    let plain = wav("plain");
    let made = desk.render("in.mov", &[film.clone(), loud, plain]);
    near(measured(&desk.path("film.mp4")).0, -23.0, 0.9);
    near(measured(&desk.path("loud.wav")).0, -14.0, 0.5);
    accepted(&desk, "in.mov", &film, made.rendered("film"));
    let (got, was) = (samples(&desk.path("loud.wav")), samples(&desk.path("music.wav")));
    assert_eq!(got.len(), was.len());
    // The beat is where it was: no other shift of a few samples fits as well.
    let fit = |shift: usize| -> f64 {
        let pairs = got[200_000 + shift..240_000].iter().zip(&was[200_000..]);
        pairs.map(|(a, b)| f64::from(a * b)).sum::<f64>()
    };
    let best = (0..40).map(|s| 2 * s).max_by(|a, b| fit(*a).total_cmp(&fit(*b))).unwrap();
    assert_eq!(best, 0);
    // What asked for nothing is untouched.
    assert!(samples(&desk.path("plain.wav")) == was, "not the same samples");
}

#[test]
fn a_quiet_five_channel_recording_is_leveled_after_it_was_mixed_down() {
    let desk = Desk::new();
    sound::pitches(&desk, 6, "in.wav");
    let entries = [
        entry("two", json!({"flac": {"channels": 2, "loudness": {}}})),
        entry("six", json!({"flac": {"loudness": {"target": "-20 LUFS"}}})),
    ];
    let made = desk.render("in.wav", &entries);
    for (entry, target) in entries.iter().zip([-23.0, -20.0]) {
        near(measured(&desk.path(&format!("{}.flac", entry.name))).0, target, 0.3);
        accepted(&desk, "in.wav", entry, made.rendered(&entry.name));
    }
}

#[test]
fn silence_is_not_turned_up() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i anullsrc=r=48000:cl=stereo:d=2 -c:a pcm_s16le in.wav");
    desk.ffmpeg("-f lavfi -i anoisesrc=a=0.00005:d=2:r=48000 -c:a pcm_s24le hiss.wav");
    for master in ["in.wav", "hiss.wav"] {
        let flac = entry("out", json!({"flac": {"loudness": {}}}));
        let made = desk.render(master, std::slice::from_ref(&flac));
        let facts = accepted(&desk, master, &flac, made.rendered("out"));
        assert_eq!(facts.tags["loudness"], "left as it is: there is only silence");
        assert_eq!(facts.audio[0].loudness.unwrap().integrated_lufs, -70.0);
        assert!(samples(&desk.path("out.flac")).iter().all(|s| s.abs() < 0.0001));
    }
}

#[test]
fn what_is_too_short_to_have_a_loudness_is_left_as_it_is_in_words() {
    let desk = Desk::new();
    sound::click_file(&desk, "in.wav", 0.3, &[0.1]);
    let wav = entry("out", json!({"wav": {"loudness": {}}}));
    let made = desk.render("in.wav", std::slice::from_ref(&wav));
    let facts = accepted(&desk, "in.wav", &wav, made.rendered("out"));
    let words = "left as it is: 300 ms are too short to have a loudness, which takes 400 ms";
    assert_eq!(facts.tags["loudness"], words);
    assert!(samples(&desk.path("out.wav")) == samples(&desk.path("in.wav")), "not the same samples");
}

#[test]
fn clicks_cannot_become_loud_and_that_is_told() {
    let desk = Desk::new();
    sound::click_file(&desk, "in.wav", 6.0, &[1.0, 2.5, 4.0]);
    let flac = entry("out", json!({"flac": {"loudness": {"target": "-14 LUFS"}}}));
    let made = desk.render("in.wav", std::slice::from_ref(&flac));
    let facts = accepted(&desk, "in.wav", &flac, made.rendered("out"));
    assert!(facts.tags["loudness"].contains("no more than"), "{:?}", facts.tags);
    assert!(measured(&desk.path("out.flac")).1 <= -0.7);
}

#[test]
fn the_gate_refuses_another_loudness_and_a_peak_above_its_limit() {
    let desk = Desk::new();
    music(&desk, 0.5, "in.wav");
    let flac = entry("out", json!({"flac": {"loudness": {"target": "-20 LUFS"}}}));
    let made = desk.render("in.wav", std::slice::from_ref(&flac));
    let rendered = made.rendered("out");
    accepted(&desk, "in.wav", &flac, rendered);
    let judge = |filter: &str| {
        std::fs::copy(desk.path("out.flac"), desk.path("good.flac")).unwrap();
        desk.ffmpeg(&format!("-i good.flac -af {filter} out.flac"));
        let facts = facts(&desk.path("in.wav"));
        let judged = judge(&desk, &facts, &flac, rendered);
        std::fs::copy(desk.path("good.flac"), desk.path("out.flac")).unwrap();
        judged.unwrap_err().one_line()
    };
    assert!(judge("volume=-1.5dB").contains("its loudness is"), "{}", judge("volume=-1.5dB"));
    let spike = "volume=2dB:enable='between(t,5.45,5.52)'";
    assert!(judge(spike).contains("its true peak is"), "{}", judge(spike));
}
