//! Masters that make a plain pipeline hang, lie or fail, and outputs that cannot be written.

use super::*;

#[test]
fn ten_frames_a_second_with_a_long_lookahead_do_not_wait_for_the_sound_forever() {
    let desk = Desk::new();
    desk.ffmpeg(
        "-f lavfi -i testsrc2=s=64x64:r=10:d=12 -f lavfi -i sine=r=48000:d=12 -c:v libx264 -preset ultrafast
         -c:a pcm_s16le in.mov",
    );
    let spec = |preset: &str| json!({"mp4": {"video": {"bitrate": "500k", "preset": preset}, "audio": {}}});
    let made = desk.render("in.mov", &[entry("slow", spec("slow")), entry("medium", spec("medium"))]);
    for name in ["slow", "medium"] {
        assert_eq!(made.rendered(name).frames, 120);
        assert_eq!(counted(&stream(&desk.path(&format!("{name}.mp4")), "video")), 120);
    }
}

#[test]
fn a_recording_without_sound_gives_an_mp4_without_sound() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=64x64:r=25:d=2 -c:v libx264 in.mp4");
    let made = desk.render("in.mp4", &[mp4("out")]);
    assert_eq!((made.rendered("out").frames, made.rendered("out").input_peak_dbfs), (50, None));
    assert!(!has(&desk.path("out.mp4"), "audio"));
    assert_eq!(counted(&stream(&desk.path("out.mp4"), "video")), 50);
}

#[test]
fn sound_with_a_cover_is_rendered_as_sound() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i color=red:s=64x64:r=25 -frames:v 1 cover.png");
    desk.ffmpeg(
        "-f lavfi -i sine=r=48000:d=2 -i cover.png -map 0 -map 1 -c:a libmp3lame -c:v copy
         -disposition:v attached_pic in.mp3",
    );
    let facts = facts(&desk.path("in.mp3"));
    assert_eq!((facts.kind, facts.video.is_some()), (MediaKind::Audio, false));
    desk.render("in.mp3", &[wav("out")]).rendered("out");
    let length = samples(&desk.path("out.wav")).len();
    // With the priming and the padding of MP3, which GStreamer 1.22 leaves in.
    assert!((96_000..96_000 + 3 * 1152).contains(&length), "{length}");
}

#[test]
fn sound_alone_can_be_taken_from_a_recording() {
    let desk = Desk::new();
    desk.ffmpeg(
        "-f lavfi -i testsrc2=s=64x64:r=25:d=2 -f lavfi -i sine=r=48000:d=2 -c:v libx264 -c:a pcm_s16le in.mov",
    );
    let made = desk.render("in.mov", &[wav("out")]);
    assert_eq!((made.rendered("out").duration_ms, made.rendered("out").size), (2000, (0, 0)));
    assert_eq!(samples(&desk.path("out.wav")).len(), 96_000);
}

#[test]
fn subtitles_and_timecode_tracks_are_left_out() {
    let desk = Desk::new();
    std::fs::write(desk.path("s.srt"), "1\n00:00:00,200 --> 00:00:01,000\nHello\n").unwrap();
    desk.ffmpeg(
        "-f lavfi -i testsrc2=s=64x64:r=25:d=2 -f lavfi -i sine=r=48000:d=2 -i s.srt -map 0 -map 1 -map 2
         -c:v libx264 -c:a pcm_s16le -c:s mov_text -timecode 10:00:00:00 in.mov",
    );
    let out = desk.mp4("in.mov");
    assert_eq!(counted(&stream(&out, "video")), 50);
    assert!(has(&out, "audio") && !has(&out, "subtitle") && !has(&out, "data"));
}

#[test]
fn an_output_that_cannot_be_written_does_not_stop_the_others() {
    let desk = Desk::new();
    desk.ffmpeg(
        "-f lavfi -i testsrc2=s=64x64:r=25:d=2 -f lavfi -i sine=r=48000:d=2 -c:v libx264 -c:a pcm_s16le in.mov",
    );
    for name in ["bad.mp4", "worse.wav"] {
        std::fs::create_dir(desk.path(name)).unwrap();
    }
    let entries = [mp4("bad"), mp4("good"), wav("worse"), wav("sound"), entry("still", json!({"jpeg": {}}))];
    let made = desk.render("in.mov", &entries);
    for name in ["good", "sound", "still"] {
        made.rendered(name);
    }
    assert_eq!(counted(&stream(&desk.path("good.mp4"), "video")), 50);
    assert_eq!(samples(&desk.path("sound.wav")).len(), 96_000);
    for name in ["bad", "worse"] {
        let error = made.results[name].as_ref().unwrap_err();
        assert_eq!(error.kind(), Kind::Unavailable, "{}", error.one_line());
    }
}

#[test]
fn a_still_that_cannot_be_written_does_not_stop_the_others() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libx264 in.mp4");
    std::fs::create_dir(desk.path("bad.jpg")).unwrap();
    let still = |name| entry(name, json!({"jpeg": {}}));
    let made = desk.render("in.mp4", &[still("bad"), still("good")]);
    made.rendered("good");
    assert!(made.results["bad"].is_err());
}

#[test]
fn all_outputs_of_one_master_are_of_the_same_frames() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=128x96:r=25:d=2 -f lavfi -i sine=r=48000:d=2 -c:v libx264 -c:a aac in.mp4");
    let small = entry("small", json!({"mp4": {"max_width": 64, "video": {"bitrate": "500k"}, "audio": {}}}));
    let mp3 = entry("mp3", json!({"mp3": {}}));
    let made = desk.render("in.mp4", &[mp4("large"), small, mp3, wav("wav")]);
    assert_eq!((made.rendered("large").size, made.rendered("small").size), ((128, 96), (64, 48)));
    let (large, small) = (desk.path("large.mp4"), desk.path("small.mp4"));
    assert_eq!(times(&large), times(&small));
    assert_eq!(samples(&large), samples(&small), "the sound is encoded once");
    let (mp3, wav) = (samples(&desk.path("mp3.mp3")).len(), samples(&desk.path("wav.wav")).len());
    assert!(mp3.abs_diff(wav) <= 1 && wav.abs_diff(96_000) <= 1024, "{mp3} {wav}");
}

#[test]
fn a_stop_request_ends_a_render_at_once() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=1280x720:r=25:d=8 -c:v libx264 -preset ultrafast in.mp4");
    let (input, facts) = (desk.path("in.mp4"), facts(&desk.path("in.mp4")));
    let (stop, limits, out) = (Stop::new(), Limits::default(), mp4("out"));
    let (work_stop, out_dir) = (stop.child(), desk.path(""));
    let work = Work {
        input: &input,
        facts: &facts,
        outputs: vec![&out],
        out_dir: &out_dir,
        limits: &limits,
        stop: &work_stop,
        part: None,
        clips: &Clips::default(),
    };
    let started = std::time::Instant::now();
    let mut stopped_at = None;
    let outcome = GstRenderer.render(&work, &mut |_, _| (), &mut |_| {
        stop.trip();
        stopped_at.get_or_insert(started.elapsed());
    });
    assert_eq!(outcome.unwrap_err().kind(), Kind::Stopped);
    assert!(started.elapsed() - stopped_at.unwrap() < Duration::from_secs(2));
    assert!(!desk.path("out.mp4").exists() && !desk.path("out.mp4-media").exists());
}

/// Two seconds of picture and sound with the index in front, so that damage meets the media alone.
fn sound_master(desk: &Desk) -> Vec<u8> {
    desk.ffmpeg(
        "-f lavfi -i testsrc2=s=320x192:r=25:d=4,noise=alls=20:allf=t -f lavfi -i sine=r=48000:d=4 -c:v libx264
         -preset veryfast -g 25 -c:a aac -movflags +faststart whole.mp4",
    );
    std::fs::read(desk.path("whole.mp4")).unwrap()
}

/// Either a typed error, or an output that is whole in itself and of which the truth is told.
#[track_caller]
fn is_honest(desk: &Desk, made: &Made) {
    match made.failed() {
        Some(kind) => assert_eq!(kind, Kind::Corrupt),
        None => {
            let (told, out) = (made.rendered("out"), stream(&desk.path("out.mp4"), "video"));
            assert_eq!(told.frames, counted(&out));
            let last = times(&desk.path("out.mp4")).into_iter().fold(0.0, f64::max);
            assert!((told.duration_ms as f64 / 1000.0 - last - 0.04).abs() < 0.1, "{last} {told:?}");
        }
    }
}

#[test]
fn a_file_cut_short_gives_what_is_there_and_says_how_much() {
    let desk = Desk::new();
    let whole = sound_master(&desk);
    std::fs::write(desk.path("in.mp4"), &whole[..whole.len() * 3 / 5]).unwrap();
    let made = desk.render("in.mp4", &[mp4("out")]);
    is_honest(&desk, &made);
    let frames = made.rendered("out").frames;
    assert!((40..75).contains(&frames), "{frames} of 100");
}

#[test]
fn a_file_without_its_index_is_corrupt() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=64x64:r=25:d=2 -c:v libx264 whole.mp4");
    let whole = std::fs::read(desk.path("whole.mp4")).unwrap();
    std::fs::write(desk.path("in.mp4"), &whole[..whole.len() / 2]).unwrap();
    assert_eq!(desk.render("in.mp4", &[mp4("out")]).failed(), Some(Kind::Corrupt));
}

#[test]
fn bit_rot_gives_a_typed_error_or_an_honest_count() {
    let desk = Desk::new();
    let whole = sound_master(&desk);
    let media = whole.windows(4).position(|w| w == b"mdat").unwrap() + 4;
    for (seed, every) in [(1_u32, 4000), (2, 900), (3, 150)] {
        let (mut rotten, mut state) = (whole.clone(), seed);
        let mut at = media;
        while at < rotten.len() {
            state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
            rotten[at] ^= 1 << (state >> 29);
            at += 1 + (state >> 8) as usize % (2 * every);
        }
        std::fs::write(desk.path("in.mp4"), &rotten).unwrap();
        is_honest(&desk, &desk.render("in.mp4", &[mp4("out")]));
        // A still may be had or not, but never by a hang.
        desk.render("in.mp4", &[entry("still", json!({"jpeg": {"at": "70%"}}))]);
    }
}

#[test]
fn a_hole_in_the_media_does_not_move_what_follows() {
    let desk = Desk::new();
    let mut whole = sound_master(&desk);
    let media = whole.windows(4).position(|w| w == b"mdat").unwrap() + 4;
    let third = (whole.len() - media) / 3;
    whole[media + third..media + third + third / 3].fill(0);
    std::fs::write(desk.path("in.mp4"), &whole).unwrap();
    let made = desk.render("in.mp4", &[mp4("out")]);
    is_honest(&desk, &made);
    let end = times(&desk.path("out.mp4")).into_iter().fold(0.0, f64::max);
    assert!((end - 3.96).abs() < 0.05, "{end}");
}

#[test]
fn noise_that_calls_itself_a_recording_is_corrupt() {
    let desk = Desk::new();
    let mut state = 7_u32;
    let noise = (0..50_000).map(|_| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 24) as u8
    });
    let head = b"\0\0\0\x18ftypisom\0\0\x02\0isomiso2";
    std::fs::write(desk.path("in.mp4"), head.iter().copied().chain(noise).collect::<Vec<_>>()).unwrap();
    for output in [mp4("out"), entry("out", json!({"jpeg": {}}))] {
        assert_eq!(desk.render("in.mp4", &[output]).failed(), Some(Kind::Corrupt));
    }
    assert!(!desk.path("out.mp4").exists());
}

#[test]
fn zeros_that_call_themselves_sound_are_corrupt() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i sine=d=1 -c:a flac whole.flac");
    let mut bytes = std::fs::read(desk.path("whole.flac")).unwrap();
    bytes[42..].fill(0);
    std::fs::write(desk.path("in.flac"), bytes).unwrap();
    // As if the damage had come after the probe, which sees it.
    let facts = facts(&desk.path("whole.flac"));
    assert_eq!(desk.render_as("in.flac", facts, &[wav("out")]).failed(), Some(Kind::Corrupt));
}

#[test]
fn an_animation_cut_short_is_corrupt_or_gives_what_is_there() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=64x64:r=10:d=1 whole.gif");
    let whole = std::fs::read(desk.path("whole.gif")).unwrap();
    std::fs::write(desk.path("in.gif"), &whole[..whole.len() / 2]).unwrap();
    let silent = entry("out", json!({"mp4": {"video": {"bitrate": "1M"}}}));
    let made = desk.render("in.gif", &[silent]);
    match made.failed() {
        Some(kind) => {
            assert_eq!(kind, Kind::Corrupt);
            assert!(!desk.path("out.mp4").exists());
        }
        None => assert_eq!(made.rendered("out").frames, counted(&stream(&desk.path("out.mp4"), "video"))),
    }
}

#[test]
fn a_picture_of_more_pixels_than_allowed_is_refused() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=320x192:r=25:d=1 -c:v libx264 in.mp4");
    let (input, facts, out) = (desk.path("in.mp4"), facts(&desk.path("in.mp4")), mp4("out"));
    let limits = Limits { pixels: 320 * 192 - 1, ..Limits::default() };
    let (stop, out_dir) = (Stop::new(), desk.path(""));
    let work = Work {
        input: &input,
        facts: &facts,
        outputs: vec![&out],
        out_dir: &out_dir,
        limits: &limits,
        stop: &stop,
        part: None,
        clips: &Clips::default(),
    };
    let error = GstRenderer.render(&work, &mut |_, _| (), &mut |_| ()).unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
}

#[test]
fn a_path_may_hold_any_character() {
    let desk = Desk::new();
    desk.ffmpeg("-f lavfi -i testsrc2=s=64x64:r=25:d=1 -c:v libx264 plain.mp4");
    let odd = "a b%20#?'\"\\ü\n!.mp4";
    std::fs::rename(desk.path("plain.mp4"), desk.path(odd)).unwrap();
    assert_eq!(counted(&stream(&desk.mp4(odd), "video")), 25);
}
