//! Posters, taken by seeking when there is nothing else to make, and out of the stream otherwise.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use gstreamer as gst;
use gstreamer::prelude::*;

use super::*;
use crate::media::gst::{
    still::{Lookout, Passage},
    unseen::Unseen,
};

/// Four seconds in which frame `n` is a gray of 30 + 2 n.
fn gray_clock(desk: &Desk, words: &str) {
    let frames: Vec<u8> =
        (0..100).flat_map(|n| [30 + 2 * n as u8; 160 * 96].into_iter().chain([128; 160 * 96 / 2])).collect();
    desk.ffmpeg_fed(&frames, &format!("-f rawvideo -pix_fmt yuv420p -s 160x96 -r 25 -i - -crf 1 {BT709} {words}"));
}

fn poster(name: &str, at: &str) -> Entry {
    entry(name, json!({"jpeg": {"at": at, "quality": 95}}))
}

/// From a picture file's colors to what a video of them would hold.
pub(super) const AS_VIDEO: &str =
    "scale=in_color_matrix=bt601,format=gbrp,scale=out_color_matrix=bt709:out_range=tv,format=yuv420p";

/// Red, green and blue in the middle of a picture file.
fn color(path: &Path) -> [f64; 3] {
    let mut command = Command::new("ffmpeg");
    command.args(["-v", "error", "-i"]).arg(path).args(["-pix_fmt", "rgb24", "-f", "rawvideo", "-"]);
    let bytes = fed(command, &[]);
    let middle = bytes.len() / 6 * 3;
    [0, 1, 2].map(|i| f64::from(bytes[middle + i]))
}

/// Which frame of the clock a poster shows.
#[track_caller]
fn frame_shown(path: &Path) -> f64 {
    let [r, g, b] = color(path);
    assert!((r - g).abs() < 5.0 && (b - g).abs() < 5.0, "{r} {g} {b} is no gray");
    let gray = 0.299 * r + 0.587 * g + 0.114 * b;
    ((16.0 + gray / 255.0 * 219.0) - 30.0) / 2.0
}

#[track_caller]
fn shows(path: &Path, frame: usize) {
    let shown = frame_shown(path);
    assert!((shown - frame as f64).abs() < 0.8, "frame {shown:.1} is shown where {frame} is wanted");
}

/// Renders posters alone, and beside an MP4: both ways must show these frames.
#[track_caller]
fn both_ways_show(words: &str, places: &[(&str, usize)]) {
    let desk = Desk::new();
    gray_clock(&desk, words);
    let master = words.split_whitespace().last().unwrap();
    let named = |prefix: &str| -> Vec<Entry> {
        places.iter().enumerate().map(|(i, (at, _))| poster(&format!("{prefix}{i}"), at)).collect()
    };
    let sought = desk.render(master, &named("sought"));
    let mut with_video = named("passed");
    with_video.push(mp4("video"));
    let passed = desk.render(master, &with_video);
    for (i, (_, frame)) in places.iter().enumerate() {
        let (sought_name, passed_name) = (format!("sought{i}"), format!("passed{i}"));
        assert_eq!(sought.rendered(&sought_name).size, (160, 96));
        passed.rendered(&passed_name);
        shows(&desk.path(&format!("{passed_name}.jpg")), *frame);
        shows(&desk.path(&format!("{sought_name}.jpg")), *frame);
    }
}

const PLACES: [(&str, usize); 6] = [("0%", 0), ("10%", 10), ("50%", 50), ("1.48s", 37), ("3.2s", 80), ("100%", 99)];

#[test]
fn a_poster_is_the_frame_at_its_place_in_a_recording_of_keyframes() {
    both_ways_show("-c:v libx264 -preset ultrafast -g 1 in.mp4", &PLACES);
}

#[test]
fn a_poster_is_the_frame_at_its_place_far_from_any_keyframe() {
    both_ways_show("-c:v libx264 -preset veryfast -g 250 -sc_threshold 0 in.mp4", &PLACES);
}

#[test]
fn a_poster_of_a_transport_stream_is_the_frame_at_its_place() {
    both_ways_show("-c:v libx264 -preset veryfast -g 25 in.ts", &[("10%", 10), ("50%", 50)]);
}

#[test]
fn a_poster_is_the_frame_that_is_held_whether_others_are_made_from_it_or_not() {
    for frame in 36..40 {
        let held = format!("-vf setpts='PTS+gt(N,{frame})*2/TB' -fps_mode vfr -c:v libx264 -g 250 -bf 3 -b_strategy 0");
        let later = format!("{}ms", frame * 40 + 1500);
        both_ways_show(&format!("{held} in.mp4"), &[(&later, frame), ("50%", frame), ("80%", 70)]);
    }
}

#[test]
fn a_poster_of_a_program_stream_is_the_frame_at_its_place_though_nothing_behind_it_can_be_decoded_by_itself() {
    both_ways_show("-c:v mpeg2video -q:v 1 -g 300 -f mpeg in.mpg", &[("0.42s", 10), ("3.22s", 80)]);
    let desk = Desk::new();
    gray_clock(&desk, "-c:v mpeg2video -q:v 1 -g 300 -f mpeg in.mpg");
    let made = desk.render("in.mpg", &[entry("best", json!({"jpeg": {"at": "best"}})), poster("late", "2.42s")]);
    assert_eq!(made.rendered("best").size, (160, 96));
    shows(&desk.path("late.jpg"), 60);
}

#[test]
fn a_poster_is_not_the_gray_that_a_decoder_makes_of_pictures_without_those_before_them() {
    both_ways_show(
        "-c:v libx265 -x265-params keyint=60:min-keyint=60:scenecut=0:log-level=none -f mpegts in.ts",
        &[("1.22s", 30), ("1.98s", 49), ("2.42s", 60), ("3.22s", 80)],
    );
    both_ways_show(
        "-c:v libx264 -x264opts intra-refresh=1:keyint=50:bframes=0 -f mpegts in.ts",
        &[("1.22s", 30), ("2.42s", 60), ("3.22s", 80)],
    );
}

/// A film of 100 pictures up to its decoder, what is left out before that, and how many pictures came out of it.
fn watched(desk: &Desk, words: &str) -> (gst::Pipeline, Unseen, Arc<AtomicUsize>) {
    gst::init().unwrap();
    gray_clock(desk, &format!("-c:v libx264 -g 250 -bf 2 -b_strategy 0 {words} in.mp4"));
    let film = desk.path("in.mp4");
    let words = format!("filesrc location={} ! qtdemux ! h264parse ! avdec_h264 name=d ! fakesink", film.display());
    let pipeline = gst::parse::launch(&words).unwrap().downcast::<gst::Pipeline>().unwrap();
    let (decoder, unseen, count) = (pipeline.by_name("d").unwrap(), Unseen::default(), Arc::new(AtomicUsize::new(0)));
    unseen.watch(&decoder);
    let counted = count.clone();
    decoder.static_pad("src").unwrap().add_probe(gst::PadProbeType::BUFFER, move |_, _| {
        counted.fetch_add(1, Ordering::Relaxed);
        gst::PadProbeReturn::Ok
    });
    (pipeline, unseen, count)
}

/// How many pictures are decoded where what is over by the third second may be left out.
fn decoded(desk: &Desk, words: &str) -> usize {
    let (pipeline, unseen, count) = watched(desk, words);
    unseen.leave_out(Some(gst::ClockTime::from_seconds(3)));
    pipeline.set_state(gst::State::Playing).unwrap();
    let ended = pipeline
        .bus()
        .unwrap()
        .timed_pop_filtered(gst::ClockTime::from_seconds(60), &[gst::MessageType::Eos, gst::MessageType::Error]);
    pipeline.set_state(gst::State::Null).unwrap();
    assert_eq!(ended.unwrap().type_(), gst::MessageType::Eos);
    count.load(Ordering::Relaxed)
}

#[test]
fn nothing_is_decoded_once_the_frame_is_known_until_another_is_looked_for() {
    let desk = Desk::new();
    let (pipeline, unseen, count) = watched(&desk, "");
    let passage = Passage::new(pipeline.by_name("d").unwrap().static_pad("src").unwrap());
    let ready = |lookout: &Lookout| {
        let began = std::time::Instant::now();
        while !lookout.settled() && began.elapsed().as_secs() < 30 {
            std::thread::sleep(std::time::Duration::from_millis(5));
        }
        lookout.frame().and_then(|frame| frame.begins).map(gst::ClockTime::mseconds)
    };
    let first = Lookout::default();
    first.watch(&passage, gst::ClockTime::ZERO);
    unseen.serve(&first);
    pipeline.set_state(gst::State::Playing).unwrap();
    assert_eq!(ready(&first), Some(0));
    std::thread::sleep(std::time::Duration::from_millis(300));
    let some = count.load(Ordering::Relaxed);
    assert!(some < 30, "{some} of 100 came");
    let second = Lookout::default();
    second.watch_after_seek(&passage, gst::ClockTime::from_mseconds(2000));
    unseen.serve(&second);
    pipeline.seek_simple(gst::SeekFlags::FLUSH | gst::SeekFlags::KEY_UNIT, gst::ClockTime::ZERO).unwrap();
    assert_eq!(ready(&second), Some(2000));
    pipeline.set_state(gst::State::Null).unwrap();
}

#[test]
fn pictures_that_nobody_sees_and_nothing_needs_are_not_decoded() {
    let desk = Desk::new();
    let some = decoded(&desk, "");
    assert!(
        (50..=85).contains(&some),
        "of 75 that are over by then a third is left out, and {some} of all 100 are not"
    );
    assert_eq!(decoded(&desk, "-flags +ildct+ilme -x264opts tff=1"), 100, "a picture may be two fields");
}

#[test]
fn a_poster_between_two_frames_is_the_one_on_screen() {
    both_ways_show("-c:v libx264 -preset ultrafast -g 1 in.mp4", &[("1.03s", 25), ("1.07s", 26)]);
}

#[test]
fn a_poster_of_a_turned_recording_is_upright() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i color=white:s=160x96:r=25:d=1,drawbox=w=80:c=black:t=fill -c:v libx264 flat.mp4");
    desk.ffmpeg("-i flat.mp4 -c copy -metadata:s:v rotate=270 in.mov");
    let made = desk.render("in.mov", &[poster("poster", "10%")]);
    assert_eq!(made.rendered("poster").size, (96, 160));
    let picture = &shown(&desk.path("poster.jpg"), (96, 160), "null")[0];
    // What was left is now above.
    assert!(picture.at(0.5, 0.25)[0] < 40.0 && picture.at(0.5, 0.75)[0] > 220.0);
}

#[test]
fn a_poster_has_square_pixels_and_the_size_asked_for() {
    let desk = Desk::new();
    let source = "-f lavfi -i testsrc2=s=360x288:r=25:d=1";
    desk.ffmpeg(&format!("{source} -vf setsar=64/45 -c:v libx264 -crf 4 {BT709} in.mp4"));
    let small = entry("small", json!({"webp": {"max_width": 256, "quality": 90, "at": "50%"}}));
    let made = desk.render("in.mp4", &[poster("poster", "50%"), small]);
    assert_eq!((made.rendered("poster").size, made.rendered("small").size), ((512, 288), (256, 144)));
    let got = &shown(&desk.path("small.webp"), (256, 144), AS_VIDEO)[0];
    let wanted = &shown(&desk.path("in.mp4"), (256, 144), "scale=256:144:flags=bicubic")[12];
    assert!(psnr(got, wanted) > 30.0, "{}", psnr(got, wanted));
}

#[test]
fn a_poster_keeps_the_colors_of_full_range() {
    let desk = Desk::new();
    let frame = |yuv: [f64; 3]| {
        let [y, u, v] = yuv.map(|c| c.round() as u8);
        [y].repeat(160 * 96).into_iter().chain([u].repeat(80 * 48)).chain([v].repeat(80 * 48)).collect::<Vec<_>>()
    };
    let frames = frame(Coding::BT709.full().yuv([200.0, 60.0, 30.0])).repeat(10);
    let full = "-f rawvideo -pix_fmt yuvj420p -s 160x96 -r 25 -i - -crf 2 -color_range pc";
    desk.ffmpeg_fed(&frames, &format!("{full} {BT709} in.mp4"));
    desk.render("in.mp4", &[poster("alone", "50%")]).rendered("alone");
    desk.render("in.mp4", &[poster("beside", "50%"), mp4("video")]).rendered("beside");
    for name in ["alone.jpg", "beside.jpg"] {
        let got = color(&desk.path(name));
        assert!((0..3).all(|c| (got[c] - [200.0, 60.0, 30.0][c]).abs() < 4.0), "{name}: {got:?}");
    }
}

#[test]
fn a_poster_of_hdr_looks_like_the_video() {
    let desk = Desk::new();
    // 58 % of PQ: 203 cd/m², the white of paper.
    let raw: Vec<u8> = [572_u16; 160 * 96].into_iter().chain([512; 160 * 96 / 2]).flat_map(u16::to_le_bytes).collect();
    desk.ffmpeg_fed(
        &raw.repeat(10),
        "-f rawvideo -pix_fmt yuv420p10le -s 160x96 -r 25 -i - -c:v libx264 -crf 4 -colorspace bt2020nc
         -color_primaries bt2020 -color_trc smpte2084 in.mp4",
    );
    desk.render("in.mp4", &[poster("alone", "50%")]).rendered("alone");
    desk.render("in.mp4", &[poster("beside", "50%"), mp4("video")]).rendered("beside");
    let video = pictures(&desk.path("video.mp4"))[5].rgb(0.5, 0.5);
    assert!((150.0..240.0).contains(&video[1]), "{video:?}");
    for name in ["alone.jpg", "beside.jpg"] {
        let got = color(&desk.path(name));
        assert!((0..3).all(|c| (got[c] - video[c]).abs() < 5.0), "{name}: {got:?} beside {video:?}");
    }
}

#[test]
fn a_poster_of_interlaced_fields_has_no_comb() {
    let desk = Desk::new();
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=320x256:r=50:d=1 -vf interlace=scan=tff:lowpass=off -c:v libx264 -crf 8
         -flags +ildct+ilme -x264-params tff=1 {BT709} in.mp4"
    ));
    desk.render("in.mp4", &[poster("alone", "50%")]).rendered("alone");
    desk.render("in.mp4", &[poster("beside", "50%"), mp4("video")]).rendered("beside");
    let clean = &shown(&desk.path("in.mp4"), (320, 256), "bwdif=mode=send_frame")[12];
    for name in ["alone.jpg", "beside.jpg"] {
        let got = &shown(&desk.path(name), (320, 256), AS_VIDEO)[0];
        assert!(psnr(got, clean) > 27.0, "{name}: {}", psnr(got, clean));
    }
}
