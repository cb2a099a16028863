//! Profiles: what is wrong is told with its place and with what was expected.

use std::fs;

use crate::harness::{damctl, scratch};

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
    ]
    .iter()
    .map(|yaml| check(yaml))
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
