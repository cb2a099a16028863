//! Interlaced masters: what comes out is progressive, one frame for each frame, of the field that is earlier in time.

use super::*;

/// Bars that move by 4 pixels each field: a field taken at the wrong time is off by that.
const MOTION: &str = "testsrc2=r=50:d=1,scale=W:H,setsar=1,format=yuv420p";

/// Renders an interlaced master and compares with the 50 whole frames a second that it was made of.
#[track_caller]
fn is_progressive(size: (usize, usize), shape: (usize, usize), scan: &str, interlaced: &str) {
    let desk = Desk::new();
    let motion = MOTION.replace('W', &size.0.to_string()).replace('H', &size.1.to_string());
    desk.ffmpeg(&format!("-f lavfi -i {motion} -c:v ffv1 whole.mkv"));
    desk.ffmpeg(&format!("-i whole.mkv -vf interlace=scan={scan}:lowpass=off {BT709} {interlaced}"));
    let master = interlaced.split_whitespace().last().unwrap();
    let field_order = facts(&desk.path(master)).video.unwrap().field_order;
    assert_eq!(format!("{field_order:?}"), if scan == "tff" { "Top" } else { "Bottom" });
    let entry = entry("out", json!({"mp4": {"video": {"bitrate": "8M"}}}));
    let made = desk.render(master, &[entry]);
    assert_eq!(made.rendered("out").frames, 25);
    let out = desk.path("out.mp4");
    let v = stream(&out, "video");
    assert!(v["field_order"].is_null() || v["field_order"] == "progressive", "{v:#}");
    let got = pictures(&out);
    assert_eq!(got.len(), 25);
    for (i, time) in times(&out).iter().enumerate() {
        assert!((time - i as f64 * 0.04).abs() < 0.001, "frame {i} is at {time}");
    }
    let scaled = format!("scale={}:{}:flags=bicubic", shape.0, shape.1);
    let whole = shown(&desk.path("whole.mkv"), shape, &scaled);
    let peer = shown(&desk.path(master), shape, &format!("bwdif=mode=send_frame,{scaled}"));
    for i in 3..22 {
        let (first, second) = (psnr(&got[i], &whole[2 * i]), psnr(&got[i], &whole[2 * i + 1]));
        let peer = psnr(&peer[i], &whole[2 * i]);
        assert!(first > second + 1.0, "frame {i} is of the later field: {first:.1} dB, and {second:.1} of the later");
        // Beyond 38 dB it is the encoder that counts.
        assert!(first > (peer - 3.0).min(38.0), "frame {i}: {first:.1} dB, where bwdif has {peer:.1}");
    }
}

#[test]
fn dv_whose_lower_field_is_first_comes_out_progressive() {
    is_progressive(
        (720, 576),
        (768, 576),
        "bff",
        "-aspect 4:3 -c:v dvvideo -pix_fmt yuv420p -flags +ildct+ilme in.mov",
    );
}

#[test]
fn h264_whose_upper_field_is_first_comes_out_progressive() {
    is_progressive((320, 256), (320, 256), "tff", "-c:v libx264 -crf 8 -flags +ildct+ilme -x264-params tff=1 in.mp4");
}

#[test]
fn h264_whose_lower_field_is_first_comes_out_progressive() {
    is_progressive((320, 256), (320, 256), "bff", "-c:v libx264 -crf 8 -flags +ildct+ilme -x264-params bff=1 in.mp4");
}

#[test]
fn mpeg2_whose_upper_field_is_first_comes_out_progressive() {
    let encoder = "-c:v mpeg2video -q:v 2 -flags +ildct+ilme -top 1 in.ts";
    is_progressive((352, 288), (352, 288), "tff", encoder);
}

#[test]
fn prores_whose_upper_field_is_first_comes_out_progressive() {
    let encoder = "-c:v prores_ks -pix_fmt yuv422p10le -flags +ildct+ilme -top 1 in.mov";
    is_progressive((320, 256), (320, 256), "tff", encoder);
}
