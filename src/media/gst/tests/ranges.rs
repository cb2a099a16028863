//! High dynamic range: kept where it is asked for, tone-mapped everywhere else, compared with ffmpeg's own way.

use super::*;

/// Gray steps and colors as HDR10 or HLG of 10 bits; the mastering display is said in the stream.
fn high(desk: &Desk, transfer: &str, name: &str) {
    let display =
        "master-display=G(13250,34500)B(7500,3000)R(34000,16000)WP(15635,16450)L(10000000,50):max-cll=1000,400";
    let params = if transfer == "smpte2084" {
        format!("hdr10=1:repeat-headers=1:{display}")
    } else {
        "repeat-headers=1".to_owned()
    };
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=640x360:r=25:d=0.4 -vf scale=out_color_matrix=bt2020:out_range=tv,format=yuv420p10le -c:v libx265 -x265-params log-level=none:{params} \
         -colorspace bt2020nc -color_primaries bt2020 -color_trc {transfer} -color_range tv -tag:v hvc1 {name}"
    ));
}

#[test]
fn high_dynamic_range_is_kept_with_its_tags_where_it_is_asked_for() {
    let desk = Desk::new();
    for transfer in ["smpte2084", "arib-std-b67"] {
        high(&desk, transfer, "in.mp4");
        let keep = |format: &str| {
            entry(format, json!({format: {"video": {"codec": "h265", "depth": 10, "hdr": "keep", "crf": 12}}}))
        };
        let entries = [keep("mp4"), keep("mov"), keep("ts")];
        let made = desk.render("in.mp4", &entries);
        let master = shown(&desk.path("in.mp4"), (640, 360), "null");
        for entry in &entries {
            accepted(&desk, "in.mp4", entry, made.rendered(&entry.name));
            let out = desk.path(&entry.spec.file_name(&entry.name));
            let found = stream(&out, "video");
            assert_eq!((&found["profile"], &found["pix_fmt"]), (&json!("Main 10"), &json!("yuv420p10le")));
            assert_eq!((&found["color_transfer"], &found["color_primaries"]), (&json!(transfer), &json!("bt2020")));
            let same = psnr(&shown(&out, (640, 360), "null")[5], &master[5]);
            assert!(same > 40.0, "{} is {same:.1} dB from its master", entry.name);
            if transfer == "smpte2084" {
                let mut command = Command::new("ffprobe");
                command.args(["-v", "error", "-show_frames", "-read_intervals", "%+#1", "-of", "json"]).arg(&out);
                let text = String::from_utf8(fed(command, &[])).unwrap();
                assert!(text.contains("Mastering display metadata"), "{} says no mastering display", entry.name);
                assert!(text.contains("Content light level metadata"), "{} says no light level", entry.name);
            }
        }
    }
}

#[test]
fn every_output_of_standard_range_is_tone_mapped_alike() {
    let desk = Desk::new();
    for transfer in ["smpte2084", "arib-std-b67"] {
        high(&desk, transfer, "in.mp4");
        let film = |name: &str, format: &str, codec: &str, depth: u8| {
            entry(name, json!({format: {"video": {"codec": codec, "bitrate": "6M", "depth": depth}}}))
        };
        let entries = [
            film("h264", "mp4", "h264", 8),
            film("h265", "ts", "h265", 8),
            film("ten", "mp4", "h265", 10),
            film("vp9", "webm", "vp9", 8),
            film("av1", "webm", "av1", 8),
        ];
        let made = desk.render("in.mp4", &entries);
        let map = "zscale=t=linear:npl=100,format=gbrpf32le,zscale=p=bt709,tonemap=hable:desat=0:peak=10,\
                   zscale=t=bt709:m=bt709:r=tv,format=yuv420p";
        let theirs = shown(&desk.path("in.mp4"), (640, 360), map)[5].brightness();
        let plain = shown(&desk.path("h264.mp4"), (640, 360), "null")[5].brightness();
        for entry in &entries {
            let facts = accepted(&desk, "in.mp4", entry, made.rendered(&entry.name));
            assert_eq!(facts.video.unwrap().transfer.as_deref(), Some("bt709"), "{}", entry.name);
            let out = desk.path(&entry.spec.file_name(&entry.name));
            let ours = shown(&out, (640, 360), "null")[5].brightness();
            assert!((ours - plain).abs() < 1.5, "{transfer} {}: {ours:.1}, H.264 {plain:.1}", entry.name);
            // Another exposure, the same curve.
            assert!((ours - theirs).abs() < 35.0, "{transfer} {}: {ours:.1}, ffmpeg {theirs:.1}", entry.name);
            let mut command = Command::new("ffprobe");
            command.args(["-v", "error", "-show_frames", "-read_intervals", "%+#1", "-of", "json"]).arg(&out);
            let text = String::from_utf8(fed(command, &[])).unwrap();
            assert!(!text.contains("Mastering display"), "{} tells of another display", entry.name);
        }
    }
}

/// Shapes that are easily got wrong, in codecs other than the one that all other tests use.
#[test]
fn odd_shapes_come_out_right_in_every_codec() {
    let desk = Desk::new();
    let cases = [
        ("odd.mkv", "-f lavfi -i testsrc=s=641x359:r=25:d=0.2 -pix_fmt yuv444p -c:v ffv1", (642, 360)),
        ("tiny.mkv", "-f lavfi -i testsrc2=s=2x2:r=25:d=0.2 -pix_fmt yuv420p -c:v ffv1", (16, 16)),
        (
            "wide.mkv",
            "-f lavfi -i testsrc2=s=720x576:r=25:d=0.2 -vf setsar=16/15 -pix_fmt yuv420p -c:v ffv1",
            (768, 576),
        ),
        (
            "sd.mkv",
            "-f lavfi -i smptebars=s=720x480:r=25:d=0.2 -pix_fmt yuv420p -c:v ffv1 -colorspace smpte170m",
            (720, 480),
        ),
        (
            "full.mkv",
            "-f lavfi -i smptebars=s=640x360:r=25:d=0.2 -vf scale=out_range=pc:out_color_matrix=bt709 -pix_fmt yuv420p -c:v ffv1 -colorspace bt709 -color_range pc",
            (640, 360),
        ),
    ];
    for (master, words, size) in cases {
        desk.ffmpeg(&format!("{words} {master}"));
        let film = |name: &str, format: &str, codec: &str, depth: u8| {
            entry(name, json!({format: {"video": {"codec": codec, "crf": 12, "depth": depth}}}))
        };
        let entries = [
            film("h264", "mp4", "h264", 8),
            film("h265", "mp4", "h265", 8),
            film("ten", "mov", "h265", 10),
            film("vp9", "webm", "vp9", 8),
            film("av1", "webm", "av1", 8),
            entry("prores", json!({"mezzanine": {}})),
        ];
        let made = desk.render(master, &entries);
        let reference = desk.path("h264.mp4");
        for entry in &entries {
            let rendered = made.rendered(&entry.name);
            assert_eq!(rendered.size, size, "{master} {}", entry.name);
            accepted(&desk, master, entry, rendered);
            let file = desk.path(&entry.spec.file_name(&entry.name));
            let shape = (size.0 as usize, size.1 as usize);
            let matrix = "scale=out_color_matrix=bt709";
            let same = psnr(&shown(&file, shape, matrix)[0], &shown(&reference, shape, "null")[0]);
            assert!(same > 28.0, "{master}: {} is {same:.1} dB from H.264", entry.name);
        }
    }
}
