//! Films in every container and codec: what is decoded of them, what their tags say, and when their frames and their
//! sound come.

use super::{
    sound::{click, click_file, near},
    *,
};

/// Each file that a film can be in, with each codec that it holds, and ffprobe's word for the container.
fn each() -> Vec<(String, Entry, &'static str, &'static str, &'static str)> {
    const MOV: &str = "mov,mp4,m4a,3gp,3g2,mj2";
    let cases = [
        ("mp4", "h264", MOV, "h264", "avc1"),
        ("mp4", "h265", MOV, "hevc", "hvc1"),
        ("mp4", "vp9", MOV, "vp9", "vp09"),
        ("mp4", "av1", MOV, "av1", "av01"),
        ("fmp4", "h264", MOV, "h264", "avc1"),
        ("fmp4", "h265", MOV, "hevc", "hvc1"),
        ("fmp4", "vp9", MOV, "vp9", "vp09"),
        ("fmp4", "av1", MOV, "av1", "av01"),
        ("webm", "vp9", "matroska,webm", "vp9", ""),
        ("webm", "av1", "matroska,webm", "av1", ""),
        ("mov", "h264", MOV, "h264", "avc1"),
        ("mov", "h265", MOV, "hevc", "hvc1"),
        ("ts", "h264", "mpegts", "h264", ""),
        ("ts", "h265", "mpegts", "hevc", ""),
    ];
    let of = |(format, codec, container, named, tag): (&str, &str, _, _, _)| {
        let name = format!("{format}_{codec}");
        let spec =
            json!({format: {"video": {"codec": codec, "bitrate": "2M", "keyframe_interval": "500ms"}, "audio": {}}});
        (name.clone(), entry(&name, spec), container, named, tag)
    };
    cases.into_iter().map(of).collect()
}

#[test]
fn every_codec_in_every_container_shows_the_same_pictures_at_the_same_times() {
    let desk = Desk::new();
    click_file(&desk, "click.wav", 2.0, &[1.0]);
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=640x360:r=25:d=2 -i click.wav \
         -pix_fmt yuv420p -vf scale=out_color_matrix=bt709 -c:v libx264 -qp 8 {BT709} -c:a flac in.mkv"
    ));
    let master = shown(&desk.path("in.mkv"), (640, 360), "null");
    let entries: Vec<Entry> = each().into_iter().map(|(_, entry, ..)| entry).collect();
    let made = desk.render("in.mkv", &entries);
    for (name, entry, container, codec, tag) in each() {
        let out = desk.path(&entry.spec.file_name(&entry.name));
        let facts = accepted(&desk, "in.mkv", &entry, made.rendered(&name));
        assert!(facts.tags.contains_key("encoder"), "{name}");
        assert_eq!(super::codecs::container(&out), container, "{name}");
        let stream = stream(&out, "video");
        assert_eq!(stream["codec_name"], codec, "{name}");
        if !tag.is_empty() {
            assert_eq!(stream["codec_tag_string"], tag, "{name}");
        }
        let pictures = pictures(&out);
        assert_eq!(pictures.len(), 50, "{name}");
        for (i, (shown, wanted)) in pictures.iter().zip(&master).enumerate() {
            assert!(psnr(shown, wanted) > 30.0, "{name}: frame {i} has {:.1} dB", psnr(shown, wanted));
        }
        let times = times(&out);
        let first = times[0];
        for (i, time) in times.iter().enumerate() {
            near(*time - first, i as f64 / 25.0, 0.0011);
        }
        // WebM's sound begins with what Opus needs before the start, and ffmpeg counts all from there.
        let before = if container == "matroska,webm" { 0.007 } else { 0.0 };
        near(click(&out) - before, 1.0, 0.002);
    }
}

#[test]
fn an_animation_keeps_its_times_in_every_codec() {
    let desk = Desk::new();
    // 0.2 s a frame, the last one 1 s.
    desk.ffmpeg("-f lavfi -i testsrc2=s=200x120:r=5:d=1.6 -final_delay 100 in.gif");
    let cases = [("mp4", "h264"), ("mp4", "h265"), ("mp4", "vp9"), ("mp4", "av1"), ("webm", "vp9"), ("webm", "av1")];
    let of = |(format, codec): &(&str, &str)| {
        entry(&format!("{format}_{codec}"), json!({*format: {"video": {"codec": codec, "crf": 20}}}))
    };
    let entries: Vec<Entry> = cases.iter().map(of).collect();
    let made = desk.render("in.gif", &entries);
    for entry in &entries {
        let facts = accepted(&desk, "in.gif", entry, made.rendered(&entry.name));
        let times = times(&desk.path(&entry.spec.file_name(&entry.name)));
        assert_eq!(times.len(), 8, "{}", entry.name);
        times.iter().enumerate().for_each(|(i, t)| near(*t, i as f64 * 0.2, 0.0015));
        assert!(facts.duration_ms.unwrap().abs_diff(2400) < 50, "{}: {:?}", entry.name, facts.duration_ms);
    }
}

/// Within one process: what fails is left out, and the others are begun again.
#[test]
fn a_film_is_begun_again_when_another_output_fails() {
    let desk = Desk::new();
    click_file(&desk, "click.wav", 0.4, &[0.1]);
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=320x240:r=25:d=0.4 -i click.wav -pix_fmt yuv420p -c:v libx264 {BT709} in.mkv"
    ));
    let film = |format: &str, codec: &str| {
        entry(format, json!({format: {"video": {"codec": codec, "bitrate": "1M"}, "audio": {}}}))
    };
    let mut entries = vec![film("webm", "vp9"), film("mov", "h265"), film("ts", "h264"), film("fmp4", "av1")];
    entries.extend(["one", "two"].map(|name| entry(name, json!({"mezzanine": {"codec": "dnxhd"}}))));
    for _ in 0..2 {
        let made = desk.render("in.mkv", &entries);
        for entry in &entries[..4] {
            accepted(&desk, "in.mkv", entry, made.rendered(&entry.name));
        }
        assert!(made.results["one"].is_err() && made.results["two"].is_err());
    }
}
