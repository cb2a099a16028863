//! Profiles: what is wrong is told with its place and with what was expected.

use std::{ffi::OsStr, fs};

use crate::harness::{self, damctl, scratch, tool};

fn check(yaml: &str) -> String {
    let dir = scratch();
    fs::write(dir.path().join("p.yaml"), yaml).unwrap();
    let ran = crate::harness::command(["profile", "check", "p.yaml"]).current_dir(dir.path()).output().unwrap();
    let ran = crate::harness::Ran::from(ran);
    assert_eq!(ran.code, 2, "{yaml}\n{}{}", ran.stdout, ran.stderr);
    ran.stderr.lines().next().unwrap().to_owned()
}

#[test]
fn mistakes_are_told_with_file_line_column_and_what_was_expected() {
    let told: Vec<String> = [
        "video:\n  p:\n    mp4: { max_height: 1080, video: { bitrate: 5M, colour: red } }\n",
        "vidio: {}\n",
        "video:\n  p:\n    mp4: { video: { bitrate: 5 apples } }\n",
        "video:\n  p:\n    mp4: { video: { bitrate: 1 } }\n",
        "video:\n  p:\n    mp4: { max_height: 720 }\n",
        "video:\n  p:\n    avi: {}\n",
        "video:\n  p:\n    mp4: { video: { bitrate: 5M, preset: warp } }\n",
        "video:\n  p:\n    mp4: { video: { bitrate: 5M, keyframe_interval: 2 moons } }\n",
        "video:\n  p:\n    jpeg: { at: 110% }\n",
        "audio:\n  p:\n    wav: { bits: 23 }\n",
        "audio:\n  p:\n    jpeg: {}\n",
        "image:\n  p:\n    mp3: {}\n",
        "image:\n  p:\n    webp: { quality: 101 }\n",
        "image:\n  p:\n    webp: { max_width: 0 }\n",
        "image:\n  p:\n    webp: { max_width: -3 }\n",
        "image:\n  Thumb 1:\n    webp: {}\n",
        "image:\n  p:\n    webp: {}\n  p:\n    webp: {}\n",
        "image: [\n",
        "image:\n  p: {}\n",
        "audio:\n  p:\n    m4a: { track: first }\n",
        "audio:\n  p:\n    m4a: { bitrate: 640k }\n",
        "audio:\n  p:\n    ac3: { channels: 6 }\n",
        "audio:\n  p:\n    opus: { rate: 44100 }\n",
        "audio:\n  p:\n    flac: { bits: 32 }\n",
        "audio:\n  p:\n    flac: { loudness: { target: 23 LUFS } }\n",
        "audio:\n  p:\n    flac: { loudness: { target: -60 LUFS } }\n",
        "audio:\n  p:\n    flac: { loudness: { true_peak: +1 dBTP } }\n",
        "audio:\n  p:\n    flac: { downmix: dolby }\n",
        "image:\n  p:\n    waveform: {}\n",
        "audio:\n  p:\n    waveform: { formats: [] }\n",
        "audio:\n  p:\n    waveform: { samples_per_pixel: [512, 256] }\n",
        "audio:\n  p:\n    waveform: { picture: { color: blue } }\n",
    ]
    .iter()
    .map(|yaml| check(yaml))
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn a_language_or_a_model_that_cannot_be_is_told_with_what_can_be() {
    let of = |speech: &str| check(&format!("enrich:\n  speech: {{ {speech} }}\n"));
    for other in ["xx", "es-AR", "spanish", "''"] {
        let told = of(&format!("languages: [es, {other}]"));
        let name = other.trim_matches('\'');
        assert!(told.contains(&format!("p.yaml:2:3: enrich: speech: languages: Whisper knows no '{name}'")), "{told}");
        assert!(told.contains(", es, et, ") && told.contains("yo, yue, zh"), "{told}");
    }
    for (speech, model) in [
        ("model: whisper-tiny.en, languages: [es]", "whisper-tiny.en"),
        ("model: whisper-tiny.en", "whisper-tiny.en"),
        ("model: my-small.en, languages: [en, es]", "my-small.en"),
        ("without_gpu: whisper-tiny.en", "whisper-tiny.en"),
    ] {
        let told = of(speech);
        let why = format!("p.yaml: enrich: speech: the model '{model}' knows en alone, and 'languages' asks for es");
        assert!(told.contains(&why), "{told}");
    }
    let dir = scratch();
    let file = dir.path().join("p.yaml");
    let run = |speech: &str| {
        fs::write(&file, format!("enrich:\n  speech: {{ {speech} }}\n")).unwrap();
        damctl(["profile".as_ref(), "check".as_ref(), file.as_os_str()])
    };
    run("model: whisper-tiny.en").ends(2).says("whisper-base (es, en and 97 more)").says("languages: [en]");
    run("model: whisper-tiny.en, languages: [en]").ends(0);
    run("languages: [es, yue]").ends(2).says("knows 99 languages, and 'languages' asks for yue");
    run("model: whisper-large-v3-turbo, languages: [es, haw, yue]").ends(0);
    run("model: pp-ocr-v6-small")
        .ends(2)
        .says("'pp-ocr-v6-small' is for text, and not for speech")
        .says("whisper-base");
    run("languages: [es]").ends(0);
    // An archive's settings that cannot be read are told: it may have models of its own.
    let archive = harness::Archive::new();
    let check = ["profile".as_ref(), "check".as_ref(), file.as_os_str()];
    archive.run(check).ends(0);
    fs::write(archive.root().join("damctl.yaml"), "workers: many\n").unwrap();
    archive.run(check).ends(2).says("workers is 'many'");
    run("languages: []").ends(0);
}

#[test]
fn what_a_container_a_codec_or_a_condition_cannot_be_is_told() {
    let of = |settings: &str| format!("video:\n  p:\n    {settings}\n");
    let told: Vec<String> = [
        "webm: { video: { bitrate: 1M } }",
        "mov: { video: { codec: vp9, bitrate: 1M } }",
        "ts: { video: { codec: av1, bitrate: 1M } }",
        "webm: { video: { codec: vp9, bitrate: 1M }, audio: { rate: 44100 } }",
        "mp4: { video: { codec: h265 } }",
        "mp4: { video: { bitrate: 1M, crf: 20 } }",
        "mp4: { video: { crf: 52 } }",
        "mp4: { video: { bitrate: 1M, max_bitrate: 2M } }",
        "mp4: { video: { codec: h265, bitrate: 3M, max_bitrate: 2M } }",
        "mp4: { video: { codec: av1, crf: 30, max_bitrate: 2M } }",
        "mp4: { video: { codec: vp9, crf: 30, buffer: 2s } }",
        "mp4: { video: { crf: 20, passes: 2 } }",
        "mp4: { video: { codec: av1, bitrate: 1M, passes: 2 } }",
        "mp4: { video: { bitrate: 1M, depth: 10 } }",
        "mp4: { video: { codec: h265, bitrate: 1M, hdr: keep } }",
        "mp4: { video: { codec: vp9, bitrate: 1M, encoder: hardware } }",
        "mp4: { video: { codec: vp9, bitrate: 1M, keyframes: even } }",
        "stream: { rungs: [{ name: a, video: { bitrate: 1M, keyframes: at_cuts } }] }",
        "mp4: { video: { bitrate: 1M }, frame_rate: 0 }",
        "mp4: { video: { bitrate: 1M }, frame_rate: { most: 30 } }",
        "mp4: { video: { bitrate: 1M }, background: none }",
        "stream: { rungs: [{ name: a, video: { codec: h265, bitrate: 1M } }] }",
        "mezzanine: { profile: sq }",
        "mezzanine: { codec: dnxhd, profile: '4444' }",
        "mezzanine: { audio: { bits: 20 } }",
        "{ mp4: { video: { bitrate: 1M } }, when: {} }",
        "{ mp4: { video: { bitrate: 1M } }, when: { min_height: 3, max_height: 2 } }",
        "{ mp4: { video: { bitrate: 1M } }, when: { height: 3 } }",
        "{ mp4: { video: { bitrate: 1M } }, when: { min_duration: long } }",
        "{ mp4: { video: { bitrate: 1M } }, mp3: {} }",
        "{ when: { hdr: true } }",
        "{ webm: { video: { codec: vp9, bitrate: 1M } }, split_over: 10min }",
        "{ mp4: { video: { codec: av1, bitrate: 1M } }, split_over: 10min }",
        "{ stream: { rungs: [{ name: a, video: { bitrate: 1M } }] }, split_over: 10min }",
        "{ mp4: { video: { bitrate: 1M, passes: 2 } }, split_over: 10min }",
        "{ mp4: { video: { bitrate: 1M, encoder: auto } }, split_over: 10min }",
        "{ mp4: { video: { bitrate: 1M }, frame_rate: 25 }, split_over: 10min }",
        "{ mp4: { video: { bitrate: 1M } }, split_over: 7s }",
        "{ mp4: { video: { bitrate: 1M } }, split_over: often }",
    ]
    .iter()
    .map(|settings| check(&of(settings)))
    .collect();
    insta::assert_snapshot!(told.join("\n"));
}

#[test]
fn the_built_in_profile_is_sound_and_shown() {
    let dir = scratch();
    let yaml = damctl(["profile", "default"]).ends(0).stdout;
    let file = dir.path().join("p.yaml");
    fs::write(&file, yaml).unwrap();
    let shown = damctl(["profile".as_ref(), "check".as_ref(), file.as_os_str()]).ends(0).stdout;
    for entry in [
        "proxy_1080p",
        "web_720p",
        "poster",
        "web_preview",
        "broadcast",
        "thumb_300",
        "thumb_800",
        "thumb_1200",
        "mp4_480",
    ] {
        assert!(shown.contains(entry), "{shown}");
    }
    damctl(["profile", "check", "/no/such/file.yaml"]).ends(2).says("/no/such/file.yaml");
}

#[test]
fn a_profile_that_asks_for_nothing_is_a_mistake() {
    let dir = crate::harness::scratch();
    let file = dir.path().join("empty.yaml");
    for text in ["", "# nothing yet\n", "video: {}\n"] {
        std::fs::write(&file, text).unwrap();
        crate::harness::damctl([std::ffi::OsStr::new("profile"), std::ffi::OsStr::new("check"), file.as_os_str()])
            .ends(2);
    }
}

/// Made before tracks, loudness and mixing could be asked for: what was rendered then is what would be rendered now.
#[test]
fn entries_that_do_not_use_new_keys_keep_their_recipes() {
    let shown = |yaml: &str| -> Vec<String> {
        let dir = scratch();
        let file = dir.path().join("p.yaml");
        fs::write(&file, yaml).unwrap();
        let ran = damctl(["profile".as_ref(), "check".as_ref(), file.as_os_str()]).ends(0).stdout;
        ran.lines().filter_map(|l| l.split_once("recipe ").map(|(_, recipe)| recipe.to_owned())).collect()
    };
    let default = damctl(["profile", "default"]).ends(0).stdout;
    let of_default = [
        "627254e4", "f455f11e", "4c06ddea", "53e6f09d", "6cf102a9", "f0b32d78", "611bcbdf", "4f543629", "d4e8e9cd",
        "2590f308",
    ];
    assert_eq!(shown(&default), of_default);
    // What is said and what goes without saying are the same.
    let usual = "audio:\n  a: { wav: { track: 1, downmix: full, mono: keep } }\n  b: { mp3: { track: [1] } }\n";
    assert_eq!(shown(usual), ["53e6f09d", "6cf102a9"]);
    let films = "video:\n  a: { mp4: { video: { bitrate: 1M } } }\n  b: { mp4: { video: { codec: h264, bitrate: 1M, passes: 1, depth: 8, \
                 hdr: tone_map, encoder: software, keyframes: at_cuts }, frame_rate: keep, background: '#000000' }, when: { hdr: false } }\n";
    let films = shown(films);
    assert_eq!(films[0], films[1].split_whitespace().next().unwrap());
    let both =
        "audio:\n  a: { flac: {} }\n  b: { flac: { downmix: itu, track: '1' } }\n  c: { flac: { downmix: full } }\n";
    let both = shown(both);
    assert!(both[0] == both[1] && both[1] != both[2], "{both:?}");
}

#[test]
fn all_files_of_an_entry_have_its_name() {
    let dir = scratch();
    let file = dir.path().join("p.yaml");
    fs::write(&file, "audio:\n  peaks:\n    waveform: { samples_per_pixel: [256, 4096], picture: {} }\n").unwrap();
    let shown = damctl(["profile".as_ref(), "check".as_ref(), file.as_os_str()]).ends(0).stdout;
    assert!(shown.contains("peaks.256.json"), "{shown}");
}

#[test]
fn every_profile_that_comes_with_the_program_is_sound() {
    let dir = concat!(env!("CARGO_MANIFEST_DIR"), "/profiles");
    let mut count = 0;
    for file in std::fs::read_dir(dir).unwrap().flatten().filter(|f| f.path().is_file()) {
        crate::harness::damctl(["profile".as_ref(), "check".as_ref(), file.path().as_os_str()])
            .ends(0)
            .says("is sound");
        count += 1;
    }
    assert!(count >= 2);
}

#[test]
fn a_brand_whose_files_are_no_use_is_told_when_its_profile_is_checked() {
    let dir = scratch();
    let write = |name: &str, text: &str| fs::write(dir.path().join(name), text).unwrap();
    write("p.yaml", "video:\n  web: { mp4: { video: { bitrate: 1M }, audio: {} }, brand: b.yaml }\n");
    let wav = dir.path().join("a.wav");
    tool("ffmpeg", ["-v", "error", "-f", "lavfi", "-i", "sine=d=1", wav.to_str().unwrap()]);
    harness::picture(&dir.path().join("logo.png"), 3);
    write("cut.png", "");
    fs::write(dir.path().join("cut.png"), &fs::read(dir.path().join("logo.png")).unwrap()[..100]).unwrap();
    write("bad.cube", "LUT_3D_SIZE 2\n0 0 0\n");
    let check = || harness::damctl([OsStr::new("profile"), OsStr::new("check"), dir.path().join("p.yaml").as_os_str()]);
    for (brand, why) in [
        ("logo: { file: cut.png }", "cut.png"),
        ("grade: { lut: bad.cube }", "bad.cube"),
        ("music: { file: logo.png }", "there is no sound in it"),
        ("intro: { file: a.wav }", "it is no film"),
        ("subtitles: { file: a.wav }", "no subtitle can be read"),
    ] {
        write("b.yaml", brand);
        check().ends(2).says("the brand of 'web'").says(why);
    }
    write("b.yaml", "logo: { file: logo.png }\nmusic: { file: a.wav }\n");
    check().ends(0).says("is sound");
}
