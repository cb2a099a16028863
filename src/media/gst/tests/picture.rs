//! Shape, direction and time of the picture.

use super::*;

/// Four quarters of different brightness: top left, top right, bottom left, bottom right.
const QUARTERS: [u8; 4] = [40, 90, 150, 210];

/// Frames of [`QUARTERS`] without color.
fn quarters(frames: usize, (w, h): (usize, usize)) -> Vec<u8> {
    let luma = (0..w * h).map(|i| QUARTERS[2 * usize::from(i / w >= h / 2) + usize::from(i % w >= w / 2)]);
    let frame: Vec<u8> = luma.chain((0..w * h / 2).map(|_| 128)).collect();
    frame.repeat(frames)
}

/// The brightness of the four quarters.
fn seen(picture: &Picture) -> [f64; 4] {
    [(0.25, 0.25), (0.75, 0.25), (0.25, 0.75), (0.75, 0.75)].map(|(x, y)| picture.at(x, y)[0])
}

#[track_caller]
fn is_turned(degrees: u32, wanted: [u8; 4], size: (usize, usize)) {
    let desk = Desk::new();
    let words = "-f rawvideo -pix_fmt yuv420p -s 320x192 -r 25 -i - -c:v libx264 -crf 4 -colorspace bt709 flat.mp4";
    desk.ffmpeg_fed(&quarters(10, (320, 192)), words);
    desk.ffmpeg(&format!("-i flat.mp4 -c copy -metadata:s:v rotate={} in.mov", 360 - degrees));
    assert_eq!(u32::from(facts(&desk.path("in.mov")).video.unwrap().rotation), degrees);
    let out = desk.mp4("in.mov");
    let picture = &pictures(&out)[5];
    assert_eq!((picture.width, picture.height), size);
    let got = seen(picture);
    assert!((0..4).all(|i| (got[i] - f64::from(wanted[i])).abs() < 3.0), "{got:.0?} is not {wanted:?}");
    // A player of the master agrees.
    let played = seen(&shown(&desk.path("in.mov"), size, "null")[5]);
    assert!((0..4).all(|i| (got[i] - played[i]).abs() < 3.0), "{got:.0?} is not {played:.0?}");
    let v = stream(&out, "video");
    assert!(v["side_data_list"].is_null() && v["tags"]["rotate"].is_null(), "would be turned again: {v:#}");
}

#[test]
fn a_recording_turned_by_90_degrees_is_upright_once() {
    is_turned(90, [150, 40, 210, 90], (192, 320));
}

#[test]
fn a_recording_turned_by_180_degrees_is_upright_once() {
    is_turned(180, [210, 150, 90, 40], (320, 192));
}

#[test]
fn a_recording_turned_by_270_degrees_is_upright_once() {
    is_turned(270, [90, 210, 40, 150], (192, 320));
}

#[test]
fn anamorphic_pixels_become_square() {
    let desk = Desk::new();
    let source = "-f lavfi -i testsrc2=s=360x288:r=25:d=0.4";
    desk.ffmpeg(&format!("{source} -vf setsar=64/45 -c:v libx264 -crf 4 {BT709} in.mp4"));
    let out = desk.mp4("in.mp4");
    let v = stream(&out, "video");
    assert_eq!((v["width"].as_u64(), v["height"].as_u64()), (Some(512), Some(288)));
    assert!(v["sample_aspect_ratio"].is_null() || v["sample_aspect_ratio"] == "1:1", "{v:#}");
    let wanted = shown(&desk.path("in.mp4"), (512, 288), "scale=512:288:flags=bicubic");
    let got = pictures(&out);
    assert_eq!(got.len(), 10);
    assert!(psnr(&got[5], &wanted[5]) > 30.0, "{}", psnr(&got[5], &wanted[5]));
}

#[test]
fn anamorphic_and_turned_pixels_become_square() {
    let desk = Desk::new();
    let source = "-f lavfi -i testsrc2=s=360x288:r=25:d=0.4";
    desk.ffmpeg(&format!("{source} -vf setsar=64/45 -c:v libx264 -crf 4 {BT709} flat.mp4"));
    desk.ffmpeg("-i flat.mp4 -c copy -metadata:s:v rotate=270 in.mov");
    let out = desk.mp4("in.mov");
    let wanted = shown(&desk.path("flat.mp4"), (288, 512), "scale=512:288:flags=bicubic,transpose=clock");
    let got = pictures(&out);
    assert_eq!((got[5].width, got[5].height), (288, 512));
    assert!(psnr(&got[5], &wanted[5]) > 30.0, "{}", psnr(&got[5], &wanted[5]));
}

#[test]
fn odd_sizes_become_even_without_a_border() {
    let desk = Desk::new();
    let source = "-f lavfi -i testsrc2=s=642x360:r=25:d=0.4,scale=641:359,setsar=1,format=yuv444p";
    desk.ffmpeg(&format!("{source} -c:v libx264 -crf 4 {BT709} in.mp4"));
    let out = desk.mp4("in.mp4");
    let got = pictures(&out);
    assert_eq!((got[0].width, got[0].height), (642, 360));
    let wanted = shown(&desk.path("in.mp4"), (642, 360), "scale=642:360:flags=bicubic");
    assert!(psnr(&got[5], &wanted[5]) > 32.0, "{}", psnr(&got[5], &wanted[5]));
    let edge = |p: &Picture| p.luma().chunks(642).map(|row| f64::from(row[641])).sum::<f64>() / 360.0;
    assert!((edge(&got[5]) - edge(&wanted[5])).abs() < 6.0, "{} {}", edge(&got[5]), edge(&wanted[5]));
}

#[test]
fn two_by_two_pixels_become_the_smallest_that_can_be_encoded() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i color=0x808080:s=2x2:r=25:d=1 -c:v ffv1 -pix_fmt yuv420p in.mkv");
    let out = desk.mp4("in.mkv");
    let got = pictures(&out);
    assert_eq!((got.len(), got[0].width, got[0].height), (25, 16, 16));
    assert!((got[12].brightness() - 126.0).abs() < 2.0, "{}", got[12].brightness());
}

#[test]
fn pictures_are_scaled_down_to_the_limit_and_stay_sharp() {
    let desk = Desk::new();
    let source = "-f lavfi -i testsrc2=s=1280x720:r=25:d=0.4";
    desk.ffmpeg(&format!("{source} -c:v libx264 -preset ultrafast -crf 4 {BT709} in.mp4"));
    let small = entry("out", json!({"mp4": {"max_height": 270, "video": {"bitrate": "3M"}}}));
    assert_eq!(desk.render("in.mp4", &[small]).rendered("out").size, (480, 270));
    let got = pictures(&desk.path("out.mp4"));
    let wanted = shown(&desk.path("in.mp4"), (480, 270), "scale=480:270:flags=lanczos");
    assert!(psnr(&got[5], &wanted[5]) > 32.0, "{}", psnr(&got[5], &wanted[5]));
}

#[test]
fn frames_that_come_unevenly_keep_their_times() {
    let desk = Desk::new();
    // 60 frames a second, between them a stretch of 10.
    let some = "select='if(between(n,12,71),not(mod(n,6)),1)'";
    desk.ffmpeg(&format!("-f lavfi -i testsrc2=s=160x128:r=60:d=2 -vf {some} -vsync vfr -c:v libx264 in.mp4"));
    assert!(facts(&desk.path("in.mp4")).video.unwrap().variable_rate);
    let out = desk.mp4("in.mp4");
    let (wanted, got) = (times(&desk.path("in.mp4")), times(&out));
    assert_eq!((wanted.len(), got.len()), (70, 70));
    for (wanted, got) in wanted.iter().zip(&got) {
        assert!((wanted - got).abs() < 0.001, "{got} is not {wanted}");
    }
}

#[test]
fn every_frame_comes_out_at_its_time_from_zero_on() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=160x128:r=30000/1001:d=2 -c:v libx264 in.mp4");
    let made = desk.render("in.mp4", &[mp4("out")]);
    let out = desk.path("out.mp4");
    let (wanted, got) = (times(&desk.path("in.mp4")), times(&out));
    assert_eq!((got.len(), made.rendered("out").frames), (wanted.len(), wanted.len() as u64));
    assert!(got[0].abs() < 1e-3, "the first frame is at {}", got[0]);
    for (wanted, got) in wanted.iter().zip(&got) {
        assert!((wanted - got).abs() < 0.001, "{got} is not {wanted}");
    }
    assert_eq!(made.rendered("out").duration_ms, 2002);
}

#[test]
fn transport_streams_begin_at_zero() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=160x128:r=25:d=2 -c:v libx264 in.ts");
    let made = desk.render("in.ts", &[mp4("out")]);
    let got = times(&desk.path("out.mp4"));
    assert_eq!((got.len(), made.rendered("out").frames), (50, 50));
    assert!(got[0].abs() < 1e-3 && (got[49] - 1.96).abs() < 1e-3, "{} to {}", got[0], got[49]);
    assert_eq!(made.rendered("out").duration_ms, 2000);
}

#[test]
fn keyframes_are_no_further_apart_than_asked_for() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=160x128:r=25:d=4 -c:v libx264 in.mp4");
    desk.render("in.mp4", &[mp4("out")]).rendered("out");
    let mut command = Command::new("ffprobe");
    command.args(["-v", "error", "-select_streams", "v", "-skip_frame", "nokey"]);
    command.args(["-show_entries", "frame=pts_time", "-of", "csv=p=0"]).arg(desk.path("out.mp4"));
    let keys = String::from_utf8(fed(command, &[])).unwrap();
    let keys: Vec<f64> = keys.lines().filter_map(|l| l.split(',').next()?.parse().ok()).collect();
    assert!(keys.len() >= 2 && keys[0].abs() < 1e-3, "{keys:?}");
    assert!(keys.windows(2).all(|k| k[1] - k[0] < 2.001) && 4.0 - keys[keys.len() - 1] < 2.001, "{keys:?}");
}

#[test]
fn the_index_stands_before_the_media() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=160x128:r=25:d=1 -c:v libx264 in.mp4");
    let bytes = std::fs::read(desk.mp4("in.mp4")).unwrap();
    let find = |what: &[u8]| bytes.windows(4).position(|w| w == what).unwrap();
    assert!(find(b"moov") < find(b"mdat"));
    let left: Vec<_> = std::fs::read_dir(desk.path("")).unwrap().map(|e| e.unwrap().file_name()).collect();
    assert_eq!(left.len(), 2, "something was left behind: {left:?}");
}

#[test]
fn the_bit_rate_is_as_asked_for() {
    let desk = Desk::new();
    let noisy = "testsrc2=s=640x360:r=25:d=4,noise=alls=40:allf=t";
    desk.ffmpeg(&format!("-f lavfi -i {noisy} -c:v libx264 -preset ultrafast -crf 12 in.mp4"));
    let asked = entry("out", json!({"mp4": {"video": {"bitrate": "1500k", "preset": "superfast"}}}));
    desk.render("in.mp4", &[asked]).rendered("out");
    let rate: f64 = stream(&desk.path("out.mp4"), "video")["bit_rate"].as_str().unwrap().parse().unwrap();
    assert!((1_300_000.0..1_650_000.0).contains(&rate), "{rate}");
}

/// Three frames of a GIF: red for 200 ms, green for 50 ms, blue for 1000 ms.
fn gif(desk: &Desk) {
    let colors: [[u8; 3]; 3] = [[230, 20, 20], [20, 200, 40], [30, 30, 220]];
    let mut bytes = Vec::new();
    {
        let mut encoder = gif::Encoder::new(&mut bytes, 40, 30, &[]).unwrap();
        encoder.set_repeat(gif::Repeat::Infinite).unwrap();
        for (color, delay) in colors.iter().zip([20, 5, 100]) {
            let mut frame = gif::Frame::from_rgb(40, 30, &color.repeat(40 * 30));
            frame.delay = delay;
            encoder.write_frame(&frame).unwrap();
        }
    }
    std::fs::write(desk.path("in.gif"), bytes).unwrap();
}

fn silent(name: &str) -> Entry {
    entry(name, json!({"mp4": {"video": {"bitrate": "1M"}}}))
}

#[test]
fn every_frame_of_an_animation_comes_out_at_its_time() {
    let desk = Desk::new();
    gif(&desk);
    let made = desk.render("in.gif", &[silent("out")]);
    let rendered = made.rendered("out");
    assert_eq!((rendered.frames, rendered.duration_ms, rendered.size), (3, 1250, (40, 30)));
    let out = desk.path("out.mp4");
    let got = times(&out);
    assert_eq!(got.len(), 3);
    assert!((0..3).all(|i| (got[i] - [0.0, 0.2, 0.25][i]).abs() < 0.002), "{got:?}");
    let v = stream(&out, "video");
    let duration: f64 = v["duration"].as_str().unwrap().parse().unwrap();
    assert!((duration - 1.25).abs() < 0.01, "the last frame is not shown as long as it should: {duration}");
}

#[test]
fn an_animated_webp_is_a_loop_like_a_gif() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=96x64:r=10:d=2 -c:v libwebp_anim -lossless 1 -loop 0 in.webp");
    assert_eq!(facts(&desk.path("in.webp")).kind, MediaKind::Animation);
    let wanted = entry("out", json!({"mp4": {"video": {"bitrate": "2M"}}}));
    let made = desk.render("in.webp", std::slice::from_ref(&wanted));
    let rendered = made.rendered("out");
    assert_eq!((rendered.frames, rendered.duration_ms, rendered.size), (20, 2000, (96, 64)));
    accepted(&desk, "in.webp", &wanted, rendered);
    let got = pictures(&desk.path("out.mp4"));
    // What was encoded without loss, as ffmpeg makes it again.
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=96x64:r=10:d=2 -vf scale=out_color_matrix=bt709 -c:v libx264 -crf 1 {BT709} same.mp4"
    ));
    let wanted = pictures(&desk.path("same.mp4"));
    assert!(
        got.iter().zip(&wanted).all(|(a, b)| psnr(a, b) > 28.0),
        "{:?}",
        got.iter().zip(&wanted).map(|(a, b)| psnr(a, b)).collect::<Vec<_>>()
    );
}

#[test]
fn animations_keep_their_colors() {
    let desk = Desk::new();
    gif(&desk);
    desk.render("in.gif", &[silent("out")]).rendered("out");
    let wanted = [[230.0, 20.0, 20.0], [20.0, 200.0, 40.0], [30.0, 30.0, 220.0]];
    for (picture, wanted) in pictures(&desk.path("out.mp4")).iter().zip(wanted) {
        let got = picture.rgb(0.5, 0.5);
        assert!((0..3).all(|c| (got[c] - wanted[c]).abs() < 6.0), "{wanted:?} came out as {got:.1?}");
    }
    assert_eq!(stream(&desk.path("out.mp4"), "video")["color_space"], "bt709");
}

#[test]
fn an_animation_of_many_frames_is_complete() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=96x64:r=20:d=6 in.gif");
    let made = desk.render("in.gif", &[silent("large"), silent("other")]);
    for name in ["large", "other"] {
        assert_eq!((made.rendered(name).frames, made.rendered(name).duration_ms), (120, 6000));
        let got = times(&desk.path(&format!("{name}.mp4")));
        assert_eq!(got.len(), 120);
        assert!((got[119] - 5.95).abs() < 0.002, "{}", got[119]);
    }
}

#[test]
fn what_is_transparent_in_an_animation_shows_black() {
    let desk = Desk::new();
    let mut pixels = [255_u8, 255, 255, 255].repeat(40 * 15);
    pixels.extend([255_u8, 255, 255, 0].repeat(40 * 15));
    let mut bytes = Vec::new();
    {
        let mut encoder = gif::Encoder::new(&mut bytes, 40, 30, &[]).unwrap();
        for _ in 0..2 {
            let mut frame = gif::Frame::from_rgba(40, 30, &mut pixels.clone());
            (frame.delay, frame.dispose) = (10, gif::DisposalMethod::Background);
            encoder.write_frame(&frame).unwrap();
        }
    }
    std::fs::write(desk.path("in.gif"), bytes).unwrap();
    desk.render("in.gif", &[silent("out")]).rendered("out");
    let picture = &pictures(&desk.path("out.mp4"))[1];
    assert!(picture.at(0.5, 0.25)[0] > 230.0 && picture.at(0.5, 0.75)[0] < 20.0, "{:?}", picture.at(0.5, 0.75));
}
