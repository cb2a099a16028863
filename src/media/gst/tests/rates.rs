//! Rate control and frame rates: what was asked for is what ffprobe and the encoders' own notes say.

use super::*;

/// A picture that is hard to code, then one that is easy.
fn busy(desk: &Desk, name: &str) {
    desk.ffmpeg(&format!(
        "-f lavfi -i nullsrc=s=320x240:r=25:d=2,geq=random(1)*255:128:128 -f lavfi -i color=gray:s=320x240:r=25:d=2 \
         -filter_complex [0][1]concat=n=2 -pix_fmt yuv420p -c:v libx264 -qp 10 {BT709} {name}"
    ));
}

fn film(name: &str, video: Value) -> Entry {
    entry(name, json!({"mp4": {"video": video}}))
}

/// What x264 and x265 write into their streams of how they were set up.
fn notes(path: &Path) -> String {
    let bytes = std::fs::read(path).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    let at = text.find("options: ").expect("the encoder left no notes");
    text[at..].chars().take_while(|c| !c.is_control()).take(4000).collect()
}

fn bits(path: &Path) -> f64 {
    std::fs::metadata(path).unwrap().len() as f64 * 8.0
}

#[test]
fn two_passes_know_the_whole_film_and_leave_nothing_behind() {
    let desk = Desk::new();
    busy(&desk, "in.mp4");
    let entries: Vec<Entry> = ["h264", "h265", "vp9"]
        .into_iter()
        .map(|codec| film(codec, json!({"codec": codec, "bitrate": "2M", "passes": 2})))
        .collect();
    let made = desk.render("in.mp4", &entries);
    for entry in &entries {
        accepted(&desk, "in.mp4", entry, made.rendered(&entry.name));
        let rate = bits(&desk.path(&format!("{}.mp4", entry.name))) / 4.0;
        assert!((1.4e6..2.6e6).contains(&rate), "{} has {rate} bits a second", entry.name);
    }
    assert!(notes(&desk.path("h264.mp4")).contains("rc=2pass"), "{}", notes(&desk.path("h264.mp4")));
    assert!(notes(&desk.path("h265.mp4")).contains("stats-read=2"), "{}", notes(&desk.path("h265.mp4")));
    let left: Vec<_> = std::fs::read_dir(desk.0.path()).unwrap().flatten().map(|f| f.file_name()).collect();
    assert_eq!(left.len(), 4, "{left:?}");
}

#[test]
fn constant_quality_and_its_limits_are_set_up_as_asked() {
    let desk = Desk::new();
    busy(&desk, "in.mp4");
    let entries = [
        film("free", json!({"crf": 30})),
        film("capped", json!({"crf": 30, "max_bitrate": "500k", "buffer": "1s"})),
        film("h265", json!({"codec": "h265", "crf": 34})),
        film("h265capped", json!({"codec": "h265", "crf": 34, "max_bitrate": "500k"})),
        film("h265average", json!({"codec": "h265", "bitrate": "400k", "max_bitrate": "600k", "buffer": "2s"})),
        film("vp9", json!({"codec": "vp9", "crf": 60})),
        film("vp9better", json!({"codec": "vp9", "crf": 20})),
        film("av1", json!({"codec": "av1", "crf": 60})),
        film("av1better", json!({"codec": "av1", "crf": 20})),
    ];
    let made = desk.render("in.mp4", &entries);
    for entry in &entries {
        accepted(&desk, "in.mp4", entry, made.rendered(&entry.name));
    }
    let out = |name: &str| desk.path(&format!("{name}.mp4"));
    let says = |name: &str, words: &[&str]| {
        let notes = notes(&out(name));
        words.iter().for_each(|word| assert!(notes.contains(word), "{name}: {notes}"));
    };
    says("free", &["rc=crf", "crf=30.0"]);
    assert!(!notes(&out("free")).contains("vbv"));
    says("capped", &["rc=crf", "crf=30.0", "vbv_maxrate=500", "vbv_bufsize=500"]);
    says("h265", &["rc=crf", "crf=34.0"]);
    says("h265capped", &["rc=crf", "vbv-maxrate=500", "vbv-bufsize=500"]);
    says("h265average", &["rc=abr", "bitrate=400", "vbv-maxrate=600", "vbv-bufsize=1200"]);
    assert!(bits(&out("capped")) < bits(&out("free")) / 2.0);
    for codec in ["vp9", "av1"] {
        assert!(bits(&out(codec)) < bits(&out(&format!("{codec}better"))) / 2.0, "{codec}");
    }
}

#[test]
fn frames_come_as_often_as_asked() {
    let desk = Desk::new();
    desk.ffmpeg(&format!("-f lavfi -i testsrc2=s=320x240:r=50:d=2 -pix_fmt yuv420p -c:v libx264 {BT709} fast.mp4"));
    // Frames at uneven times: 2, then one left out, and so on.
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=320x240:r=60:d=2 -vf select=gt(mod(n\\,5)\\,1)+eq(n\\,0) -vsync vfr -pix_fmt yuv420p \
         -c:v libx264 {BT709} uneven.mp4"
    ));
    let ruled = |name: &str, rule: Value, codec: &str| {
        entry(name, json!({"mp4": {"video": {"bitrate": "1M", "codec": codec}, "frame_rate": rule}}))
    };
    let cases: [(&str, Value, usize, &str); 6] = [
        ("keep", json!("keep"), 100, "50/1"),
        ("half", json!({"max": 30}), 50, "25/1"),
        ("within", json!({"max": 60}), 100, "50/1"),
        ("film", json!(24), 48, "24/1"),
        ("ntsc", json!("30000/1001"), 60, "30000/1001"),
        ("more", json!(60), 120, "60/1"),
    ];
    let entries: Vec<Entry> = cases.iter().map(|(name, rule, ..)| ruled(name, rule.clone(), "h264")).collect();
    let made = desk.render("fast.mp4", &entries);
    for ((name, _, frames, rate), entry) in cases.iter().zip(&entries) {
        accepted(&desk, "fast.mp4", entry, made.rendered(name));
        let found = stream(&desk.path(&format!("{name}.mp4")), "video");
        assert_eq!((counted(&found) as usize, found["r_frame_rate"].as_str()), (*frames, Some(*rate)), "{name}");
        let times = times(&desk.path(&format!("{name}.mp4")));
        let step = 2.0 / *frames as f64;
        assert!(times.iter().enumerate().all(|(i, t)| (t - i as f64 * step).abs() < 0.02), "{name}: {times:?}");
    }
    let entries = [
        ruled("kept", json!("keep"), "h264"),
        ruled("kept265", json!("keep"), "h265"),
        ruled("kept9", json!("keep"), "vp9"),
        ruled("kept1", json!("keep"), "av1"),
        ruled("even", json!(30), "h264"),
        ruled("most", json!({"max": 30}), "h264"),
    ];
    let made = desk.render("uneven.mp4", &entries);
    let master = times(&desk.path("uneven.mp4"));
    for entry in &entries {
        accepted(&desk, "uneven.mp4", entry, made.rendered(&entry.name));
        let out = desk.path(&format!("{}.mp4", entry.name));
        let times = times(&out);
        match entry.name.as_str() {
            "even" => assert!(times.windows(2).all(|t| (t[1] - t[0] - 1.0 / 30.0).abs() < 0.001), "{times:?}"),
            "most" => {
                assert!(times.len() <= 62 && times.len() < master.len(), "{} frames", times.len());
                assert!(times.iter().all(|t| master.iter().any(|m| (m - t).abs() < 0.002)), "{times:?}");
            }
            name => {
                assert_eq!(times.len(), master.len(), "{name}");
                assert!(times.iter().zip(&master).all(|(a, b)| (a - b).abs() < 0.002), "{name}: {times:?} {master:?}");
            }
        }
    }
}

#[test]
fn without_hardware_it_is_software_or_an_error_that_says_so() {
    let desk = Desk::new();
    busy(&desk, "in.mp4");
    let with = |name: &str, kind: &str| film(name, json!({"bitrate": "1M", "encoder": kind}));
    let made = desk.render("in.mp4", &[with("auto", "auto"), with("soft", "software")]);
    if made.rendered("auto").encoder.as_deref() != Some("x264enc") {
        eprintln!("skipped: there is an encoder in hardware here");
        return;
    }
    let facts = accepted(&desk, "in.mp4", &with("auto", "auto"), made.rendered("auto"));
    assert_eq!(facts.tags["encoder"], "x264enc");
    let made = desk.render("in.mp4", &[with("hard", "hardware"), with("soft", "software")]);
    assert!(made.results["soft"].is_ok());
    let error = made.results["hard"].as_ref().unwrap_err();
    assert_eq!(error.kind(), Kind::Unsupported);
    assert!(error.one_line().contains("no encoder in hardware works here: nvh264enc"), "{}", error.one_line());
}
