//! Which tracks are heard, and what becomes of their channels.

use super::{
    sound::{RATE, pitches, tone},
    *,
};

fn of_track(name: &str, track: Value) -> Entry {
    entry(name, json!({"wav": {"track": track}}))
}

/// Levels of 400 Hz, 500 Hz and so on in a channel of an output.
#[track_caller]
pub(super) fn levels(path: &Path, channel: usize, count: usize) -> Vec<f64> {
    let channels = stream(path, "audio")["channels"].as_u64().unwrap() as usize;
    let heard = samples(path);
    (0..count).map(|i| tone(&heard, channels, channel, 400.0 + 100.0 * i as f64)).collect()
}

#[track_caller]
fn are(got: &[f64], wanted: &[f64]) {
    let is_near = got.iter().zip(wanted).all(|(g, w)| (g - w).abs() < 0.003);
    assert!(got.len() == wanted.len() && is_near, "{got:.4?} are not {wanted:.4?}");
}

/// Tracks of one channel each, of 0.3 at 400 Hz, 500 Hz and so on; languages as given.
pub(super) fn mono_tracks(desk: &Desk, languages: &[&str], words: &str) {
    let (mut inputs, mut maps) = (String::new(), String::new());
    for (i, language) in languages.iter().enumerate() {
        let hertz = 400 + 100 * i;
        inputs += &format!(" -f lavfi -i aevalsrc=0.3*sin(2*PI*{hertz}*t):s=48000:d=2");
        maps += &format!(" -map {} -metadata:s:a:{i} language={language}", i + 1);
    }
    desk.ffmpeg(&format!("-f lavfi -i color=s=64x64:r=25:d=2{inputs} -map 0{maps} {words}"));
}

#[test]
fn tracks_are_chosen_by_number_and_by_language() {
    let desk = Desk::new();
    for master in ["in.mov", "in.mkv", "in.mxf", "in.ts"] {
        let codecs = match master {
            "in.mxf" => "-c:v mpeg2video -c:a pcm_s16le",
            "in.ts" => "-c:v mpeg2video -c:a mp2",
            "in.mkv" => "-c:v libx264 -c:a flac",
            _ => "-c:v libx264 -c:a pcm_s16le",
        };
        mono_tracks(&desk, &["eng", "spa", "deu"], &format!("{codecs} {master}"));
        let mut entries = vec![of_track("third", json!(3)), of_track("fallback", json!(["jpn", 2])), wav("first")];
        // MXF has no languages.
        if master != "in.mxf" {
            entries.push(of_track("spanish", json!("es")));
        }
        let made = desk.render(master, &entries);
        for entry in &entries {
            let (name, wanted) = match entry.name.as_str() {
                "third" => ("third", 2),
                "first" => ("first", 0),
                other => (other, 1),
            };
            let mut expected = [0.0; 3];
            expected[wanted] = 0.3;
            are(&levels(&desk.path(&format!("{name}.wav")), 0, 3), &expected);
            let facts = accepted(&desk, master, entry, made.rendered(name));
            assert!(facts.tags["sound"].starts_with(&format!("track {} of 3", wanted + 1)), "{:?}", facts.tags);
        }
    }
}

#[test]
fn the_sound_of_an_mp4_can_be_another_track() {
    let desk = Desk::new();
    mono_tracks(&desk, &["eng", "spa"], "-c:v libx264 -c:a pcm_s16le in.mov");
    let film =
        |name: &str, track: &str| entry(name, json!({"mp4": {"video": {"bitrate": "1M"}, "audio": {"track": track}}}));
    let made = desk.render("in.mov", &[film("es", "spa"), film("both", "1+2"), mp4("plain")]);
    for name in ["es", "both", "plain"] {
        assert_eq!(times(&desk.path(&format!("{name}.mp4"))).len(), 50);
        made.rendered(name);
    }
    let heard = levels(&desk.path("es.mp4"), 0, 2);
    assert!(heard[0] < 0.005 && heard[1] > 0.28, "{heard:.3?}");
    let (left, right) = (levels(&desk.path("both.mp4"), 0, 2), levels(&desk.path("both.mp4"), 1, 2));
    assert!(left[0] > 0.28 && left[1] < 0.01 && right[1] > 0.28 && right[0] < 0.01, "{left:.3?} {right:.3?}");
}

#[test]
fn a_track_that_is_not_there_is_refused_in_words_and_the_others_are_made() {
    let desk = Desk::new();
    mono_tracks(&desk, &["eng", "spa"], "-c:v libx264 -c:a pcm_s16le in.mov");
    let made = desk.render("in.mov", &[of_track("japanese", json!(["jpn", 5])), wav("first")]);
    made.rendered("first");
    let error = made.results["japanese"].as_ref().unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert_eq!(error.to_string(), "it has no sound track 'jpn, 5': it has 1 (eng, 1 channel), 2 (spa, 1 channel)");
}

#[test]
fn mono_tracks_become_stereo_by_rule() {
    let desk = Desk::new();
    for (tracks, master) in [(4, "in.mov"), (8, "in.mxf"), (3, "in.mkv")] {
        let video = if master == "in.mxf" { "mpeg2video" } else { "libx264" };
        mono_tracks(&desk, &vec!["und"; tracks], &format!("-c:v {video} -c:a pcm_s16le {master}"));
        let all = entry("all", json!({"flac": {"track": "all", "channels": 2}}));
        let one = entry("one", json!({"flac": {"track": "all", "channels": 1}}));
        let apart = of_track("apart", json!("all"));
        let pair = of_track("pair", json!("1+2"));
        let entries = [all.clone(), one, apart.clone(), pair];
        let made = desk.render(master, &entries);
        for entry in &entries {
            accepted(&desk, master, entry, made.rendered(&entry.name));
        }
        // The loudest side gets this much of each.
        let share = match tracks {
            3 => 0.3 / (1.0 + std::f64::consts::FRAC_1_SQRT_2),
            n => 0.3 / (n as f64 / 2.0),
        };
        let on = |side: usize| -> Vec<f64> {
            let weight = |i: usize| match (tracks, i) {
                (3, 2) => share * std::f64::consts::FRAC_1_SQRT_2,
                (_, i) if i % 2 == side => share,
                _ => 0.0,
            };
            (0..tracks).map(weight).collect()
        };
        are(&levels(&desk.path("all.flac"), 0, tracks), &on(0));
        are(&levels(&desk.path("all.flac"), 1, tracks), &on(1));
        are(&levels(&desk.path("one.flac"), 0, tracks), &vec![0.3 / tracks as f64; tracks]);
        for track in 0..tracks {
            let mut alone = vec![0.0; tracks];
            alone[track] = 0.3;
            are(&levels(&desk.path("apart.wav"), track, tracks), &alone);
        }
        are(&levels(&desk.path("pair.wav"), 0, 2), &[0.3, 0.0]);
        are(&levels(&desk.path("pair.wav"), 1, 2), &[0.0, 0.3]);
        assert_eq!(stream(&desk.path("apart.wav"), "audio")["channels"], tracks);
    }
}

#[test]
fn side_by_side_is_only_what_has_one_channel_and_six_are_5_1() {
    let desk = Desk::new();
    mono_tracks(&desk, &["und"; 6], "-c:v libx264 -c:a pcm_s16le in.mov");
    let six = entry("six", json!({"flac": {"track": "1+2+3+4+5+6"}}));
    let two = entry("two", json!({"flac": {"track": "1+2+3+4+5+6", "channels": 2}}));
    let made = desk.render("in.mov", &[six, two.clone()]);
    assert_eq!(stream(&desk.path("six.flac"), "audio")["channel_layout"], "5.1(side)");
    let facts = accepted(&desk, "in.mov", &two, made.rendered("two"));
    assert_eq!(facts.tags["sound"], "tracks 1+2+3+4+5+6 side by side, 6 channels mixed down to 2: ITU-R BS.775");
    let [one, half] = [0.3, 0.3 * std::f64::consts::FRAC_1_SQRT_2].map(|x| x / (1.0 + std::f64::consts::SQRT_2));
    are(&levels(&desk.path("two.flac"), 0, 6), &[one, 0.0, half, 0.0, half, 0.0]);
    pitches(&desk, 2, "stereo.wav");
    let fallback = of_track("fallback", json!(["1+2", 1]));
    desk.render("stereo.wav", &[fallback]).rendered("fallback");
    are(&levels(&desk.path("fallback.wav"), 1, 2), &[0.0, 0.3]);
}

/// What each channel of 5.1 weighs on the left, as dB below the front left.
fn below_front(path: &Path) -> Vec<f64> {
    let heard = levels(path, 0, 6);
    heard.iter().map(|level| 20.0 * (level / heard[0]).max(1e-9).log10()).collect()
}

#[test]
fn five_channels_are_mixed_down_by_itu_r_bs_775_and_nothing_clips() {
    let desk = Desk::new();
    pitches(&desk, 6, "in.wav");
    let itu = entry("itu", json!({"wav": {"channels": 2, "downmix": "itu"}}));
    let full = entry("full", json!({"wav": {"channels": 2}}));
    let mono = entry("mono", json!({"wav": {"channels": 1, "downmix": "itu"}}));
    let flac = entry("flac", json!({"flac": {"channels": 2}}));
    let made = desk.render("in.wav", &[itu.clone(), full, mono, flac]);
    let facts = accepted(&desk, "in.wav", &itu, made.rendered("itu"));
    assert_eq!(facts.tags["sound"], "track 1 of 1, 6 channels mixed down to 2: ITU-R BS.775");
    // In the order of the layout: left, right, center, low, left and right behind.
    let [one, half] = [0.3, 0.3 * std::f64::consts::FRAC_1_SQRT_2].map(|x| x / (1.0 + std::f64::consts::SQRT_2));
    for name in ["itu.wav", "flac.flac"] {
        are(&levels(&desk.path(name), 0, 6), &[one, 0.0, half, 0.0, half, 0.0]);
        are(&levels(&desk.path(name), 1, 6), &[0.0, one, half, 0.0, 0.0, half]);
    }
    // 0.7071 of left and right, all of the center, half of what is behind; their sum is 3.4142.
    let mono = [half, half, one, 0.0, one / 2.0, one / 2.0].map(|x| x * (1.0 + std::f64::consts::SQRT_2) / 3.414_214);
    are(&levels(&desk.path("mono.wav"), 0, 6), &mono);
    let full = below_front(&desk.path("full.wav"));
    assert!((full[2] + 3.0).abs() < 0.1 && (full[4] + 6.0).abs() < 0.1 && full[3].abs() < 0.1, "{full:.2?}");
    // Full scale on every channel at once stays within it.
    let loud: Vec<f32> = (0..RATE).flat_map(|i| [if i % 100 < 50 { 1.0 } else { -1.0 }; 6]).collect();
    desk.ffmpeg_fed(&bytes(&loud), "-f f32le -ar 48000 -ac 6 -channel_layout 5.1 -i - -c:a pcm_f32le loud.wav");
    let raw = entry("raw", json!({"wav": {"channels": 2, "downmix": "itu", "bits": 32}}));
    desk.render("loud.wav", &[raw]).rendered("raw");
    let loudest = samples(&desk.path("raw.wav")).iter().fold(0.0_f32, |m, s| m.max(s.abs()));
    assert!((0.999..=1.0).contains(&loudest), "{loudest}");
}

#[test]
fn one_channel_can_be_put_on_both_sides() {
    let desk = Desk::new();
    pitches(&desk, 1, "in.wav");
    let both = entry("both", json!({"m4a": {"mono": "stereo"}}));
    let kept = entry("kept", json!({"m4a": {"mono": "stereo", "channels": 1}}));
    let made = desk.render("in.wav", &[both.clone(), kept.clone()]);
    for entry in [both, kept] {
        accepted(&desk, "in.wav", &entry, made.rendered(&entry.name));
    }
    let half = 0.3 * std::f64::consts::FRAC_1_SQRT_2;
    for side in [0, 1] {
        let level = levels(&desk.path("both.m4a"), side, 1)[0];
        assert!((level - half).abs() < 0.01, "{level}");
    }
    assert_eq!(stream(&desk.path("kept.m4a"), "audio")["channels"], 1);
}

#[test]
fn tracks_that_begin_or_end_at_other_times_are_mixed_in_their_places() {
    let desk = Desk::new();
    sound::click_file(&desk, "a.wav", 1.0, &[0.5]);
    sound::click_file(&desk, "b.wav", 3.0, &[2.5]);
    desk.ffmpeg(
        "-f lavfi -i color=s=64x64:r=25:d=4 -i a.wav -itsoffset 0.5 -i b.wav -map 0 -map 1 -map 2 -c:v libx264
         -c:a pcm_s16le in.mov",
    );
    desk.render("in.mov", &[of_track("out", json!("1+2")), mp4("film")]).rendered("out");
    let heard = samples(&desk.path("out.wav"));
    let when = |channel: usize| {
        let first = heard.chunks(2).position(|c| c[channel].abs() > 0.1).unwrap();
        first as f64 / RATE as f64
    };
    sound::near(when(0), 0.5, 0.002);
    sound::near(when(1), 3.0, 0.002);
}
