//! Renditions: what comes out is measured by tools that did not make it, and what is there already is left alone.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use damctl::{
    media::{Limits, Order, Report, child::ChildProcess},
    stop::Stop,
};
use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::harness::{self, Archive, Ran, scratch, tool};

/// The file of an asset's rendition.
#[track_caller]
fn rendition(archive: &Archive, title: &str, entry: &str) -> PathBuf {
    let sql = format!(
        "SELECT r.prefix || '/' || json_extract(r.files, '$[0].name') FROM renditions r JOIN assets a ON a.id = r.asset
         WHERE a.title = '{title}' AND r.entry = '{entry}' AND r.active = 1"
    );
    let rows = archive.rows(&sql);
    assert_eq!(rows.len(), 1, "{title} {entry}: {rows:?}");
    archive.store().join(&rows[0])
}

fn ffprobe(path: &Path) -> Value {
    let words = ["-v", "error", "-of", "json", "-show_streams", "-show_format"].map(OsStr::new);
    serde_json::from_str(&tool("ffprobe", words.into_iter().chain([path.as_os_str()]))).unwrap()
}

fn stream<'a>(probed: &'a Value, kind: &str) -> &'a Value {
    let streams = probed["streams"].as_array().unwrap();
    let mut found = streams.iter().filter(|s| s["codec_type"] == kind);
    let first = found.next().unwrap_or_else(|| panic!("no {kind} in {probed:#}"));
    assert!(found.next().is_none(), "more than one {kind} in {probed:#}");
    first
}

fn seconds(value: &Value) -> f64 {
    value["duration"].as_str().unwrap().parse().unwrap()
}

/// A pixel of a picture file, or of the first frame of a video that is not before `at`.
fn pixel(path: &Path, at: f64, (x, y): (u32, u32)) -> [u8; 3] {
    let out = std::process::Command::new("ffmpeg")
        .args(["-v", "error", "-nostdin", "-ss", &at.to_string(), "-i"])
        .arg(path)
        .args(["-frames:v", "1", "-vf", &format!("format=rgb24,crop=2:2:{x}:{y}"), "-f", "rawvideo", "-"])
        .output()
        .unwrap();
    out.stdout.get(..3).unwrap_or_else(|| panic!("{}", String::from_utf8_lossy(&out.stderr))).try_into().unwrap()
}

#[track_caller]
fn near(got: [u8; 3], wanted: [u8; 3], tolerance: u8) {
    assert!(got.iter().zip(&wanted).all(|(g, w)| g.abs_diff(*w) <= tolerance), "{got:?} is not near {wanted:?}");
}

#[test]
fn videos_come_out_as_the_profile_says() {
    let archive = Archive::finished();
    let wanted = [
        ("harbor_cut.mp4", (1920, 1080), (1280, 720), 6.0),
        ("harbor_master.mov", (1280, 720), (1280, 720), 3.0),
        ("phone clip.mp4", (608, 1080), (406, 720), 3.0),
        ("tape_07.mov", (1024, 576), (1024, 576), 3.0),
        ("camera.mxf", (1280, 720), (1280, 720), 3.0),
        ("off_air.ts", (1280, 720), (1280, 720), 3.0),
    ];
    for (title, proxy, web, length) in wanted {
        for (entry, (width, height)) in [("proxy_1080p", proxy), ("web_720p", web)] {
            let path = rendition(&archive, title, entry);
            let probed = ffprobe(&path);
            let (video, audio) = (stream(&probed, "video"), stream(&probed, "audio"));
            assert_eq!((&video["width"], &video["height"]), (&width.into(), &height.into()), "{title} {entry}");
            for (key, value) in
                [("codec_name", "h264"), ("pix_fmt", "yuv420p"), ("color_space", "bt709"), ("color_range", "tv")]
            {
                assert_eq!(video[key], value, "{title} {entry} {key}");
            }
            assert!(matches!(video["sample_aspect_ratio"].as_str(), None | Some("1:1")), "{title} {entry}");
            assert!(video["side_data_list"].is_null(), "{title} {entry}: no rotation is left");
            let channels = if title == "harbor_master.mov" { 1 } else { 2 };
            assert_eq!(
                (&audio["codec_name"], &audio["channels"]),
                (&"aac".into(), &channels.into()),
                "{title} {entry}"
            );
            assert!((seconds(video) - length).abs() < 0.1, "{title} {entry}: {}", seconds(video));
            assert!((seconds(audio) - length).abs() < 0.1, "{title} {entry}: {}", seconds(audio));
            // It can play before all of it is there.
            let bytes = fs::read(&path).unwrap();
            let place = |atom: &[u8]| bytes.windows(4).position(|w| w == atom).unwrap();
            assert!(place(b"moov") < place(b"mdat"), "{title} {entry}");
            tool("ffmpeg", ["-v", "error", "-xerror", "-i", path.to_str().unwrap(), "-f", "null", "-"]);
        }
        let poster = ffprobe(&rendition(&archive, title, "poster"));
        let video = stream(&poster, "video");
        assert_eq!(
            (&video["codec_name"], &video["width"], &video["height"]),
            (&"mjpeg".into(), &proxy.0.into(), &proxy.1.into())
        );
    }
}

#[test]
fn a_waveform_is_one_rendition_of_several_files_and_loudness_is_kept_as_a_fact() {
    let archive = Archive::finished();
    let profile = archive.root().join("sound.yaml");
    let yaml = "audio:\n  peaks: { waveform: { samples_per_pixel: [256, 4096], picture: { format: webp } } }\n  \
                web: { m4a: { loudness: { target: -20 LUFS } } }\n";
    fs::write(&profile, yaml).unwrap();
    let words = [OsStr::new("transcode"), OsStr::new("--profile"), profile.as_os_str()];
    archive.run(words).ends(0);
    let main = rendition(&archive, "interview_bext.wav", "peaks");
    let names = ["peaks.256.json", "peaks.4096.json", "peaks.256.dat", "peaks.4096.dat", "peaks.webp"];
    assert!(main.ends_with(names[0]) && names.iter().all(|n| main.with_file_name(n).is_file()), "{}", main.display());
    let fact = |what: &str, entry: &str| {
        let sql = format!(
            "SELECT json_extract(r.{what}) FROM renditions r JOIN assets a ON a.id = r.asset
             WHERE a.title = 'interview_bext.wav' AND r.entry = '{entry}' AND r.active = 1"
        );
        archive.rows(&sql)[0].clone()
    };
    assert_eq!(fact("files, '$[4].mime'", "peaks"), "image/webp");
    let measured: f64 = fact("facts, '$.audio[0].loudness.integrated_lufs'", "web").parse().unwrap();
    assert!((measured + 20.0).abs() < 1.0, "{measured}");
    // Nothing is left to do.
    archive.run(words).ends(0).says("nothing");
    archive.run(["verify"]).ends(0);
}

#[test]
fn sound_comes_out_as_the_profile_says() {
    let archive = Archive::finished();
    for title in ["interview_bext.wav", "report.mp3", "room tone.flac"] {
        let master: f64 = archive.rows(&format!(
            "SELECT json_extract(m.facts, '$.duration_ms') FROM masters m JOIN members mm ON mm.digest = m.digest JOIN assets a ON a.id = mm.asset WHERE a.title = '{title}'"
        ))[0]
            .parse::<f64>()
            .unwrap()
            / 1000.0;
        let preview = ffprobe(&rendition(&archive, title, "web_preview"));
        let audio = stream(&preview, "audio");
        assert_eq!((&audio["codec_name"], &audio["bit_rate"]), (&"mp3".into(), &"128000".into()), "{title}");
        assert!((seconds(audio) - master).abs() < 0.1, "{title}: {} of {master}", seconds(audio));
        let broadcast = ffprobe(&rendition(&archive, title, "broadcast"));
        let audio = stream(&broadcast, "audio");
        assert_eq!((&audio["codec_name"], &audio["sample_rate"]), (&"pcm_s24le".into(), &"48000".into()), "{title}");
        assert!((seconds(audio) - master).abs() < 0.1, "{title}: {} of {master}", seconds(audio));
    }
}

#[test]
fn pictures_come_out_upright_in_size_and_in_color() {
    let archive = Archive::finished();
    for n in 1..=8 {
        for (entry, width, height) in [("thumb_300", 300, 188), ("thumb_800", 800, 500), ("thumb_1200", 1200, 750)] {
            let path = rendition(&archive, &format!("orientation_{n}.jpg"), entry);
            let probed = ffprobe(&path);
            let video = stream(&probed, "video");
            assert_eq!(video["codec_name"], "webp");
            assert_eq!((&video["width"], &video["height"]), (&width.into(), &height.into()), "{n} {entry}");
            for ((x, y), color) in [
                ((10, 10), [220, 30, 30]),
                ((width - 20, 10), [30, 200, 30]),
                ((10, height - 20), [30, 30, 220]),
                ((width - 20, height - 20), [230, 220, 30]),
            ] {
                near(pixel(&path, 0.0, (x, y)), color, 25);
            }
        }
    }
    let logo = ffprobe(&rendition(&archive, "logo_alpha.png", "thumb_300"));
    assert!(stream(&logo, "video")["pix_fmt"].as_str().unwrap().contains('a'), "{logo:#}");
    // Never larger than the master.
    let logo = ffprobe(&rendition(&archive, "logo_alpha.png", "thumb_1200"));
    assert_eq!(stream(&logo, "video")["width"], 640);
    // Printing inks become light: the same picture as its JPEG siblings.
    near(pixel(&rendition(&archive, "print_cmyk.jpg", "thumb_300"), 0.0, (10, 10)), [220, 30, 30], 40);
    near(pixel(&rendition(&archive, "scan_16bit.tif", "thumb_300"), 0.0, (290, 4)), [250, 6, 128], 20);
}

#[test]
fn animations_become_a_poster_and_a_film() {
    let archive = Archive::finished();
    let film = rendition(&archive, "loop.gif", "mp4_480");
    let probed = ffprobe(&film);
    let video = stream(&probed, "video");
    assert_eq!((&video["width"], &video["height"], &video["nb_frames"]), (&320.into(), &240.into(), &"12".into()));
    assert!((seconds(video) - 0.96).abs() < 0.1, "{}", seconds(video));
    // The square moves 20 pixels each 80 ms.
    for frame in [0u32, 5, 9] {
        near(pixel(&film, (f64::from(frame) * 0.08 - 0.01).max(0.0), (40 + frame * 20, 120)), [250, 210, 40], 30);
    }
    assert_eq!(stream(&ffprobe(&rendition(&archive, "loop.gif", "poster")), "video")["codec_name"], "webp");
}

#[test]
fn what_cannot_be_rendered_is_named_with_its_reason_and_hurts_no_other() {
    let finished = harness::finished();
    let said = fs::read_to_string(finished.join("transcode.out")).unwrap();
    let archive = Archive::finished();
    assert!(said.starts_with("exit 1"), "{said}");
    let failed = archive.rows("SELECT subject, json_extract(error, '$.kind'), json_extract(error, '$.message') FROM jobs WHERE state = 'failed' ORDER BY subject");
    let reasons = [
        ("half.jpg", "corrupt", "cut off"),
        ("truncated.mp4", "corrupt", "ends after 3 s of the 6 s"),
        ("unfinished.mov", "corrupt", "no moov atom"),
    ];
    assert_eq!(failed.len(), reasons.len(), "{failed:#?}");
    for ((title, kind, words), row) in reasons.iter().zip(&failed) {
        assert!(row.starts_with(title) && row.contains(&format!("|{kind}|")) && row.contains(words), "{row}");
        assert!(said.contains(&format!("failed: {title}")), "{said}");
    }
    // Nothing of them is a rendition, but a picture of what is there of the recording that was cut short.
    let titles = reasons.map(|(title, _, _)| format!("'{title}'")).join(", ");
    let made = archive.rows(&format!(
        "SELECT a.title || ' ' || r.entry FROM renditions r JOIN assets a ON a.id = r.asset WHERE a.title IN ({titles})"
    ));
    assert_eq!(made, ["truncated.mp4 poster"]);
    // Who may read everything has locked.wav as well.
    let done = 22 + usize::from(rustix::process::geteuid().is_root());
    let sql = "SELECT COUNT(*) FROM jobs WHERE stage = 'transcode' AND state = 'done'";
    assert_eq!(archive.rows(sql), [done.to_string()]);
}

#[test]
fn a_second_run_plans_nothing_and_a_changed_entry_just_itself() {
    let archive = Archive::finished();
    let before = harness::tree(&archive.store().join("renditions"));
    archive.run(["transcode"]).ends(1).says("nothing new to do");
    assert_eq!(harness::tree(&archive.store().join("renditions")), before);
    let profile = archive.root().join("mine.yaml");
    let yaml = harness::damctl(["profile", "default"]).ends(0).stdout;
    // Words and order that change no output plan nothing.
    fs::write(&profile, format!("# ours\n{yaml}")).unwrap();
    let dry = |archive: &Archive| {
        archive
            .run([OsStr::new("transcode"), OsStr::new("--dry-run"), OsStr::new("--profile"), profile.as_os_str()])
            .ends(0)
    };
    let planned = dry(&archive).stdout;
    assert!(planned.contains("would make 0 renditions of 0 masters"), "{planned}");
    assert_eq!(planned.lines().filter(|l| l.starts_with("failed earlier ")).count(), 3, "{planned}");
    let changed = yaml.replace("max_width: 300, max_height: 300", "max_width: 320, max_height: 320");
    assert_ne!(changed, yaml, "{yaml}");
    fs::write(&profile, &changed).unwrap();
    let planned = dry(&archive).stdout;
    let rendered: Vec<&str> =
        planned.lines().filter(|l| l.starts_with("render image ") && !l.contains("half.jpg")).collect();
    assert_eq!(rendered.len(), 12, "{planned}");
    assert!(rendered.iter().all(|l| l.ends_with("): thumb_300")), "{planned}");
    let words = [OsStr::new("transcode"), OsStr::new("--profile"), profile.as_os_str()];
    archive.run(words).ends(1);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM renditions WHERE entry = 'thumb_300' AND active = 1"), ["12"]);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM renditions WHERE entry = 'thumb_800'"), ["12"]);
    let size = ffprobe(&rendition(&archive, "orientation_1.jpg", "thumb_300"));
    assert_eq!(stream(&size, "video")["width"], 320);
    assert!(!archive.run(words).ends(1).stdout.contains("rendered"));
}

#[test]
fn one_asset_alone_and_an_unknown_one() {
    let (archive, drive) = (Archive::new(), scratch());
    harness::picture(&drive.path().join("a.png"), 1);
    harness::picture(&drive.path().join("b.png"), 2);
    archive.ingest(drive.path()).0.ends(0);
    let id = &archive.rows("SELECT id FROM assets WHERE title = 'a.png'")[0];
    archive.run(["transcode", "--asset", id]).ends(0).says("1 of 1 master(s) rendered");
    assert_eq!(&archive.rows("SELECT DISTINCT asset FROM renditions"), std::slice::from_ref(id));
    archive.run(["transcode", "--asset", "c613a06c-64bf-8eb6-ae9d-303b804e82d9"]).ends(2).says("c613a06c");
    archive.run(["transcode", "--asset", "nonsense"]).ends(2).says("nonsense");
    archive.run(["transcode"]).ends(0).says("1 of 1 master(s) rendered; 3 renditions were present");
    archive.run(["transcode"]).ends(0).says("nothing to do: all 6 renditions are present");
}

/// A video that takes a while to encode.
fn long_video(dir: &Path) {
    let words = "-v error -f lavfi -i testsrc2=s=1280x720:r=25:d=40 -c:v mpeg2video -b:v 8M -y";
    tool("ffmpeg", words.split(' ').map(OsStr::new).chain([dir.join("long.ts").as_os_str()]));
}

/// The pids whose command line holds `words`.
fn processes(words: &[&str]) -> Vec<i32> {
    let command_line = |entry: &fs::DirEntry| {
        let text = fs::read(entry.path().join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&text).replace('\0', " ")
    };
    let pid = |entry: fs::DirEntry| {
        let line = command_line(&entry);
        words.iter().all(|w| line.contains(w)).then(|| entry.file_name().to_string_lossy().parse().ok()).flatten()
    };
    fs::read_dir("/proc").unwrap().flatten().filter_map(pid).collect()
}

fn children(parent: u32) -> Vec<i32> {
    fs::read_to_string(format!("/proc/{parent}/task/{parent}/children"))
        .ok()
        .or_else(|| Some(tool("ps", ["-o", "pid=", "--ppid", &parent.to_string()])))
        .unwrap_or_default()
        .split_whitespace()
        .filter_map(|w| w.parse().ok())
        .collect()
}

fn wait_for<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(30), "waited in vain for {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// The renderers that a run has started, by any of its threads.
fn renderers(parent: u32) -> Vec<i32> {
    let tasks = fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let mut found: Vec<i32> = tasks
        .filter_map(|t| fs::read_to_string(t.path().join("children")).ok())
        .flat_map(|list| list.split_whitespace().filter_map(|w| w.parse().ok()).collect::<Vec<i32>>())
        .collect();
    found.extend(children(parent));
    found.retain(|pid| fs::read(format!("/proc/{pid}/cmdline")).is_ok_and(|c| c.ends_with(b"--zygote\0")));
    let mut found: Vec<i32> = found.into_iter().flat_map(|zygote| children(zygote as u32)).collect();
    found.sort_unstable();
    found.dedup();
    found
}

#[test]
fn killed_renderers_and_killed_runs_leave_nothing_behind_and_cost_one_try() {
    let (archive, drive) = (Archive::new(), scratch());
    long_video(drive.path());
    archive.ingest(drive.path()).0.ends(0);
    let start = || archive.command(["transcode"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let scratch_of = archive.root().join("scratch").display().to_string();
    // The renderer is killed, as the kernel does when memory is short: this try is lost, the next one comes.
    let run = start();
    let renderer = wait_for("a renderer", || renderers(run.id()).first().copied());
    wait_for("work under way", || (!processes_of(renderer, &archive).is_empty()).then_some(()));
    kill_process(Pid::from_raw(renderer).unwrap(), Signal::KILL).unwrap();
    wait_for("the try to be told", || {
        let tries =
            archive.rows("SELECT result, json_extract(error, '$.message') FROM attempts WHERE result IS NOT NULL AND job IN (SELECT id FROM jobs WHERE stage = 'transcode')");
        tries.first().map(|t| assert!(t.starts_with("retry|") && t.contains("killed from outside"), "{t}"))
    });
    // Then the run itself, without a chance to say good-bye.
    let next = wait_for("the next renderer", || renderers(run.id()).into_iter().find(|p| *p != renderer));
    kill_process(Pid::from_child(&run), Signal::KILL).unwrap();
    let ran = Ran::from(run.wait_with_output().unwrap());
    assert_eq!(ran.code, 128 + 9);
    wait_for("the renderer to end with its run", || (!Path::new(&format!("/proc/{next}")).exists()).then_some(()));
    assert_eq!(processes(&["ff", &scratch_of]), [0; 0]);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM renditions"), ["0"]);
    // The next run sees that the earlier one is gone, removes what it had left, and goes on at once.
    let run = start();
    wait_for("the third renderer", || renderers(run.id()).first().copied());
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    Ran::from(run.wait_with_output().unwrap())
        .ends(143)
        .says("an earlier run ended in the middle of 1 job(s)")
        .says("the scratch folder of 1 earlier run(s) that were killed is removed");
    assert_eq!(archive.rows("SELECT state FROM jobs WHERE stage = 'transcode'"), ["ready"]);
    assert_eq!(processes(&[&scratch_of]), [0; 0]);
    let left: Vec<_> = harness::tree(&archive.root().join("scratch"));
    assert!(left.iter().all(|l| l.starts_with("gstreamer-registry")), "{left:?}");
}

#[test]
fn an_encoder_with_its_hands_full_is_gone_within_two_seconds_and_leaves_nothing() {
    let (archive, drive) = (Archive::new(), scratch());
    let words = "-v error -f lavfi -i testsrc2=s=3840x2160:r=25:d=4 -c:v libx264 -preset ultrafast -y";
    tool("ffmpeg", words.split(' ').map(OsStr::new).chain([drive.path().join("large.mp4").as_os_str()]));
    archive.ingest(drive.path()).0.ends(0);
    let profile = archive.root().join("slow.yaml");
    fs::write(&profile, "video:\n  large:\n    mp4: { video: { bitrate: 20M, preset: slow } }\n").unwrap();
    let words = ["transcode".as_ref(), "--profile".as_ref(), profile.as_os_str()];
    let start = || archive.command(words).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let scratch_of = archive.root().join("scratch").display().to_string();
    let at_work = |run: u32| {
        let renderer = wait_for("a renderer", || renderers(run).first().copied());
        wait_for("work under way", || (!processes_of(renderer, &archive).is_empty()).then_some(()));
        // So that the encoder holds as many frames as it looks ahead.
        std::thread::sleep(Duration::from_secs(5));
        renderer
    };
    let is_gone = |pid: i32| !Path::new(&format!("/proc/{pid}")).exists();
    // The renderer alone is asked: that costs a try.
    let run = start();
    let renderer = at_work(run.id());
    let began = Instant::now();
    kill_process(Pid::from_raw(renderer).unwrap(), Signal::TERM).unwrap();
    wait_for("the renderer to end", || is_gone(renderer).then_some(()));
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    wait_for("the try to be told", || {
        let tries = archive.rows("SELECT json_extract(error, '$.message') FROM attempts WHERE result = 'retry'");
        tries.first().map(|t| assert!(t.contains("was asked from outside to end"), "{t}"))
    });
    // The run is asked: that costs none.
    let renderer = at_work(run.id());
    let began = Instant::now();
    kill_process(Pid::from_child(&run), Signal::TERM).unwrap();
    Ran::from(run.wait_with_output().unwrap()).ends(143);
    assert!(began.elapsed() < Duration::from_secs(2), "{:?}", began.elapsed());
    assert!(is_gone(renderer));
    assert_eq!(processes(&[&scratch_of]), [0; 0]);
    assert_eq!(archive.rows("SELECT state FROM jobs WHERE stage = 'transcode'"), ["ready"]);
    let left: Vec<_> = harness::tree(&archive.root().join("scratch"));
    assert!(left.iter().all(|l| l.starts_with("gstreamer-registry")), "{left:?}");
}

/// Files that the renderer has opened below the archive.
fn processes_of(pid: i32, archive: &Archive) -> Vec<PathBuf> {
    let open = fs::read_dir(format!("/proc/{pid}/fd")).into_iter().flatten().flatten();
    open.filter_map(|fd| fs::read_link(fd.path()).ok()).filter(|p| p.starts_with(archive.root())).collect()
}

#[test]
fn a_renderer_that_hangs_is_ended() {
    let dir = scratch();
    let pipe = dir.path().join("pipe.ts");
    tool("mkfifo", [pipe.as_os_str()]);
    let limits = Limits { stall_seconds: 1, ..Limits::default() };
    // Nobody writes to the pipe: as with a share that went away, the process cannot act any more, not even on SIGTERM.
    let order = Order {
        input: pipe,
        facts: None,
        reads: Vec::new(),
        outputs: Vec::new(),
        out_dir: dir.path().to_owned(),
        limits,
        part: None,
    };
    let child = ChildProcess::new(harness::DAMCTL.into(), None);
    let began = Instant::now();
    let error = child.run(&order, &Stop::new(), &mut |_| {}).unwrap_err();
    assert!(error.to_string().contains("stalled: the renderer gave no sign of life for 1 s"), "{error:?}");
    assert!(error.kind().is_retryable());
    assert!(began.elapsed() < Duration::from_secs(12), "{:?}", began.elapsed());
    assert_eq!(processes(&["render", &dir.path().display().to_string()]), [0; 0]);
}

#[test]
fn a_source_that_dries_up_is_told_with_where_it_stands_and_may_be_tried_again() {
    let dir = scratch();
    let (film, pipe) = (dir.path().join("film.ts"), dir.path().join("pipe.ts"));
    let words = "-v error -f lavfi -i testsrc2=s=320x240:r=25:d=20 -c:v libx264 -preset ultrafast -b:v 1M";
    tool("ffmpeg", words.split(' ').map(OsStr::new).chain([film.as_os_str()]));
    tool("mkfifo", [pipe.as_os_str()]);
    let bytes = fs::read(&film).unwrap();
    let entry = serde_json::json!({"name": "out", "spec": {"mp4": {"video": {"bitrate": "1M"}}}});
    let facts = serde_json::json!({"kind": "video", "mime": "video/mp2t", "container": "mpegts", "duration_ms": 20000,
        "video": {"codec": "h264", "width": 320, "height": 240, "rate": [25, 1], "frames": 500}, "audio": []});
    let order = Order {
        input: pipe.clone(),
        facts: Some(serde_json::from_value(facts).unwrap()),
        reads: Vec::new(),
        outputs: vec![serde_json::from_value(entry).unwrap()],
        out_dir: dir.path().to_owned(),
        limits: Limits { stall_seconds: 12, ..Limits::default() },
        part: None,
    };
    let child = ChildProcess::new(harness::DAMCTL.into(), None);
    let mut told = None;
    std::thread::scope(|scope| {
        let (done, ended) = std::sync::mpsc::channel::<()>();
        scope.spawn(move || {
            // Whoever opens it first may just look what it is, and closes it.
            loop {
                let mut pipe = fs::OpenOptions::new().write(true).open(&pipe).unwrap();
                let written = std::io::Write::write_all(&mut pipe, &bytes[..bytes.len() / 2]);
                if written.is_ok() {
                    // Held open: more may come, and does not.
                    ended.recv().ok();
                    break;
                }
            }
        });
        child
            .run(&order, &Stop::new(), &mut |report| {
                if let Report::Failed { failure, .. } = report {
                    told = Some(failure);
                }
            })
            .unwrap();
        drop(done);
    });
    let told = told.unwrap();
    assert!(told.kind.is_retryable(), "{told:?}");
    assert!(told.message.contains("nothing moved for 12 s (there came "), "{told:?}");
    assert!(told.message.contains("pictures from avdec_h264 up to "), "{told:?}");
}

#[test]
fn a_renderer_whose_share_stands_still_while_something_moves_is_left_alone() {
    let dir = scratch();
    let exe = dir.path().join("slow");
    // As an encoder that drains: at the end of the film, and at work for longer than a hung one would be given.
    let script = "#!/bin/sh\n[ $# = 1 ] || exit 1\nfor i in 1 2 3 4 5 6 7 8 9 10 11 12; do echo '{\"event\":\"progress\",\"done\":1.0}'; sleep 0.5; done\n";
    fs::write(&exe, script).unwrap();
    fs::set_permissions(&exe, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let limits = Limits { stall_seconds: 1, ..Limits::default() };
    let order = Order {
        input: exe.clone(),
        facts: None,
        reads: Vec::new(),
        outputs: Vec::new(),
        out_dir: dir.path().to_owned(),
        limits,
        part: None,
    };
    ChildProcess::new(exe, None).run(&order, &Stop::new(), &mut |_| {}).unwrap();
}

#[test]
fn render_by_hand_says_what_it_does() {
    let dir = scratch();
    harness::picture(&dir.path().join("a.png"), 7);
    let render = |order: &str| {
        let mut child = harness::command(["render"])
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        std::io::Write::write_all(&mut child.stdin.take().unwrap(), order.as_bytes()).unwrap();
        Ran::from(child.wait_with_output().unwrap())
    };
    let (input, out_dir) = (dir.path().join("a.png"), dir.path());
    let ran = render(&serde_json::json!({"input": input, "out_dir": out_dir}).to_string()).ends(0);
    let probed: Value = serde_json::from_str(ran.stdout.trim()).unwrap();
    assert_eq!((&probed["event"], &probed["facts"]["image"]["width"]), (&"probed".into(), &64.into()));
    let order = serde_json::json!({"input": input, "out_dir": out_dir, "outputs": [{"name": "thumb", "spec": {"webp": {"max_width": 32}}}]});
    let ran = render(&order.to_string()).ends(0);
    let last: Vec<Value> = ran.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    let accepted = last.iter().find(|r| r["event"] == "accepted").unwrap();
    assert_eq!(accepted["rendered"]["size"], serde_json::json!([32, 24]));
    assert!(dir.path().join("thumb.webp").is_file());
    render("no order").ends(2).says("order-schema");
    render(&serde_json::json!({"input": input, "out_dir": out_dir, "sneaky": 1}).to_string()).ends(2).says("sneaky");
    render(&serde_json::json!({"input": dir.path().join("none"), "out_dir": out_dir}).to_string()).ends(2);
}

#[test]
fn an_entry_is_wanted_only_of_masters_for_which_its_when_holds() {
    let (archive, drive) = (Archive::new(), scratch());
    for (name, size) in [("small.mp4", "320x240"), ("large.mp4", "640x480")] {
        let file = drive.path().join(name);
        let words = format!("-v error -f lavfi -i testsrc2=s={size}:r=25:d=1 -pix_fmt yuv420p -c:v libx264");
        tool("ffmpeg", words.split(' ').map(OsStr::new).chain([file.as_os_str()]));
    }
    archive.ingest(drive.path());
    let profile = archive.root().join("when.yaml");
    let write = |when: &str| {
        let yaml = format!(
            "video:\n  proxy: {{ mp4: {{ max_height: 120, video: {{ bitrate: 200k }} }} }}\n  edit: {{ mezzanine: \
             {{ profile: proxy }}, when: {{ {when} }} }}\n"
        );
        fs::write(&profile, yaml).unwrap();
    };
    let transcode = |more: &[&str]| {
        let words = [OsStr::new("transcode"), OsStr::new("--profile"), profile.as_os_str()];
        archive.run(words.into_iter().chain(more.iter().map(OsStr::new))).ends(0).stdout
    };
    write("min_height: 400");
    let plan = transcode(&["--dry-run"]);
    assert!(plan.contains("would make 3 renditions of 2 masters"), "{plan}");
    assert!(plan.contains("1 are not wanted"), "{plan}");
    transcode(&[]);
    let made =
        || archive.rows("SELECT a.title, r.entry FROM renditions r JOIN assets a ON a.id = r.asset ORDER BY 1, 2");
    assert_eq!(made().len(), 3, "{:?}", made());
    assert!(transcode(&[]).contains("nothing to do"));
    // What is wanted changes, what was made does not: only what is missing now is made.
    write("min_height: 100");
    let plan = transcode(&["--dry-run"]);
    assert!(plan.contains("would make 1 renditions of 1 masters; 3 are present"), "{plan}");
    transcode(&[]);
    assert_eq!(made().len(), 4, "{:?}", made());
    write("min_height: 4000");
    assert!(transcode(&[]).contains("nothing to do"));
    let probed = ffprobe(&rendition(&archive, "large.mp4", "edit"));
    assert_eq!(stream(&probed, "video")["codec_name"], "prores");
}

#[test]
fn a_narration_is_spoken_into_its_entry_and_one_that_cannot_be_fails_alone() {
    let (archive, drive) = (Archive::new(), scratch());
    let film = drive.path().join("film.mp4");
    let words = "-v error -f lavfi -i color=c=gray:s=128x72:r=25:d=4 -c:v libx264 -pix_fmt yuv420p";
    tool("ffmpeg", words.split(' ').map(OsStr::new).chain([film.as_os_str()]));
    archive.ingest(drive.path()).0.ends(0);
    let (profile, brand) = (archive.root().join("p.yaml"), archive.root().join("voice.yaml"));
    let narration = |program: &str| {
        format!(
            "narration:\n  at: 1s\n  text: Good evening\n  language: en\n  tts: {{ command: [{program}, --stdin, --stdout, -v, '{{language}}'] }}\n"
        )
    };
    let spec = "mp4: { video: { bitrate: 500k }, audio: {} }";
    fs::write(&profile, format!("video:\n  plain: {{ {spec} }}\n  told: {{ {spec}, brand: voice.yaml }}\n")).unwrap();
    fs::write(&brand, narration("no-such-voice")).unwrap();
    let words = [OsStr::new("transcode"), OsStr::new("--profile"), profile.as_os_str()];
    archive
        .run(words)
        .ends(1)
        .says("told: the brand's narration: the program 'no-such-voice' is not here")
        .says("install it (Debian's package espeak-ng");
    rendition(&archive, "film.mp4", "plain");
    // Who speaks it is part of what is wanted: corrected, it is another plan.
    fs::write(&brand, narration("espeak-ng")).unwrap();
    archive.run(words).ends(0);
    let told = rendition(&archive, "film.mp4", "told");
    let words = ["-v", "error", "-i", told.to_str().unwrap(), "-ac", "1", "-ar", "8000", "-f", "u8", "-"];
    let out = std::process::Command::new("ffmpeg").args(words).output().unwrap();
    let loud = |from: usize, to: usize| out.stdout[from * 80..to * 80].iter().map(|s| s.abs_diff(128)).max().unwrap();
    assert!(loud(0, 95) < 3 && loud(105, 180) > 20, "{} {}", loud(0, 95), loud(105, 180));
    // What did not change is not spoken again.
    archive.run(words_of(&profile)).ends(0).says("nothing to do");
}

fn words_of(profile: &Path) -> [&OsStr; 3] {
    [OsStr::new("transcode"), OsStr::new("--profile"), profile.as_os_str()]
}
