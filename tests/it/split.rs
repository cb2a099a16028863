//! Films in segments: what many workers make of one master, what becomes of a run that dies or fails in the middle, and what
//! is left when all is done.

use std::{
    ffi::OsStr,
    fs,
    path::{Path, PathBuf},
    process::Stdio,
    time::{Duration, Instant},
};

use crate::harness::{self, Archive, Ran, scratch, tool};

const PROFILE: &str = "video:
  proxy:
    mp4: { max_height: 64, video: { bitrate: 200k, preset: superfast, keyframe_interval: 1s }, audio: {} }
    split_over: 4s
  small:
    ts: { max_height: 36, video: { crf: 30, preset: superfast, keyframe_interval: 1s } }
    split_over: 4s
  poster:
    jpeg: { at: 1s }
";

/// An archive with one film of so many seconds, which `PROFILE` cuts every four.
fn archive(seconds: u32) -> Archive {
    let (archive, drive) = (Archive::new(), scratch());
    let film = drive.path().join("film.mp4");
    let pictures = format!("testsrc2=s=160x90:r=25:d={seconds}");
    let sound = format!("sine=f=440:b=2:r=48000:d={seconds}");
    let words = ["-v", "error", "-f", "lavfi", "-i", &pictures, "-f", "lavfi", "-i", &sound];
    let coding = ["-pix_fmt", "yuv420p", "-c:v", "libx264", "-preset", "ultrafast", "-g", "60", "-c:a", "aac"];
    tool("ffmpeg", words.iter().chain(&coding).map(OsStr::new).chain([film.as_os_str()]));
    fs::write(archive.root().join("films.yaml"), PROFILE).unwrap();
    let settings = archive.root().join("damctl.yaml");
    let text = fs::read_to_string(&settings).unwrap_or_default();
    fs::write(&settings, format!("{text}\nprofile: films.yaml\nlease: 3\n")).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    archive
}

fn rendition(archive: &Archive, entry: &str) -> PathBuf {
    let sql = format!(
        "SELECT prefix || '/' || json_extract(files, '$[0].name') FROM renditions WHERE entry = '{entry}' AND active = 1"
    );
    let rows = archive.rows(&sql);
    assert_eq!(rows.len(), 1, "{entry}: {rows:?}");
    archive.store().join(&rows[0])
}

/// How many frames decode without a complaint.
fn frames(path: &Path) -> usize {
    tool("ffmpeg", ["-v", "error", "-xerror", "-i", path.to_str().unwrap(), "-f", "null", "-"]);
    let words = ["-v", "error", "-select_streams", "v", "-count_frames", "-show_entries", "stream=nb_read_frames"];
    let text = tool("ffprobe", [&words[..], &["-of", "csv=p=0", path.to_str().unwrap()]].concat());
    text.trim().trim_end_matches(',').lines().next().unwrap().trim_end_matches(',').parse().unwrap()
}

fn segments(archive: &Archive) -> Vec<String> {
    archive.rows("SELECT entry FROM renditions WHERE entry LIKE '%@%' ORDER BY entry")
}

#[test]
fn two_workers_share_one_film_and_whoever_ends_last_has_it_joined() {
    let archive = archive(11);
    archive
        .run(["transcode", "--dry-run"])
        .ends(0)
        .says("in 3 segments: proxy, small")
        .says("would make 3 renditions of 1");
    archive.run(["transcode", "--enqueue"]).ends(0).says("4 job(s) of 1 master(s) wait for a worker");
    let worker = || {
        let mut command = archive.command(["transcode", "--drain", "--workers", "1"]);
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    for worker in [worker(), worker()] {
        Ran::from(worker.wait_with_output().unwrap()).ends(0);
    }
    let who = archive.rows(
        "SELECT COUNT(DISTINCT a.worker) FROM attempts a JOIN jobs j ON j.id = a.job WHERE j.subject LIKE '%, segment%'",
    );
    assert_eq!(who, ["2"], "one worker made all segments");
    let ended = archive.rows("SELECT state, COUNT(*) FROM jobs WHERE stage = 'transcode' GROUP BY state");
    // Three segments of both films, two joins, and the poster.
    assert_eq!(ended, ["done|6"]);
    assert_eq!(frames(&rendition(&archive, "proxy")), 275);
    assert_eq!(frames(&rendition(&archive, "small")), 275);
    assert_eq!(segments(&archive).len(), 6);

    // What is there is not made again, whole or in parts; nor is it by a profile that does not split.
    archive.run(["transcode"]).ends(0).says("nothing to do: all 3 renditions are present");
    let whole = archive.root().join("films.yaml");
    fs::write(&whole, PROFILE.replace("    split_over: 4s\n", "")).unwrap();
    archive.run(["transcode"]).ends(0).says("nothing to do: all 3 renditions are present");
    archive.run(["verify"]).ends(0).says(" 0 not");
    let shown = archive.run(["status"]).ends(0);
    assert!(!shown.stdout.contains("@segment"), "{}", shown.stdout);

    archive.run(["collect"]).ends(0);
    assert_eq!(segments(&archive).len(), 6, "they are not old yet");
    archive.run(["collect", "--days", "0", "--dry-run"]).ends(0).says("would remove 6 segment(s)");
    archive.run(["collect", "--days", "0", "--yes"]).ends(0).says("6 segment(s) of films that are joined removed");
    assert!(segments(&archive).is_empty());
    assert!(!harness::tree(&archive.store()).iter().any(|l| l.contains("-segment-")));
    archive.run(["collect", "--days", "0", "--yes"]).ends(0).says("nothing that the catalog does not know");
    archive.run(["verify"]).ends(0).says(" 0 not");
    archive.run(["transcode"]).ends(0).says("nothing to do: all 3 renditions are present");
}

#[test]
fn a_run_that_is_killed_between_segments_goes_on_with_those_that_are_missing() {
    let archive = archive(11);
    let run = archive.command(["transcode", "--workers", "1"]).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
    let mut run = run.unwrap();
    let began = Instant::now();
    while segments(&archive).is_empty() && began.elapsed() < Duration::from_secs(60) {
        std::thread::sleep(Duration::from_millis(20));
    }
    run.kill().unwrap();
    run.wait().unwrap();
    let there = segments(&archive);
    assert!(there.len() >= 2 && there.len() < 6, "{there:?}");
    archive.run(["collect", "--days", "0", "--yes"]).ends(0);
    assert_eq!(segments(&archive), there, "segments of a film that is not joined are still needed");
    archive.run(["transcode"]).ends(0);
    assert_eq!(frames(&rendition(&archive, "proxy")), 275);
    // One attempt more than jobs: the one that was killed.
    let tries =
        archive.rows("SELECT job, COUNT(*) FROM attempts WHERE result = 'done' GROUP BY job HAVING COUNT(*) > 1");
    assert!(tries.is_empty(), "{tries:?}");
    archive.run(["transcode"]).ends(0).says("nothing to do: all 3 renditions are present");
}

#[test]
fn a_segment_that_is_lost_is_made_anew_and_one_that_is_damaged_is_not_joined() {
    let archive = archive(9);
    archive.run(["transcode"]).ends(0);
    // As if the films had been lost, and one segment damaged.
    archive.catalog().execute("DELETE FROM renditions WHERE entry IN ('proxy', 'small')", []).unwrap();
    let sql = "SELECT prefix FROM renditions WHERE entry = 'proxy@segment-2-of-3'";
    let packets = archive.store().join(&archive.rows(sql)[0]).join("proxy.segment.packets");
    let mut bytes = fs::read(&packets).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 0x55;
    harness::tool("chmod", [OsStr::new("u+w"), packets.as_os_str()]);
    fs::write(&packets, bytes).unwrap();
    archive.run(["transcode"]).ends(1).says("segment 2 of proxy is damaged");
    assert_eq!(frames(&rendition(&archive, "small")), 225);
    archive.run(["verify", "--drop"]);
    archive.run(["transcode", "--dry-run"]).ends(0).says("in 3 segments");
    archive.run(["jobs", "retry", "--all"]);
    archive.run(["transcode"]).ends(0);
    assert_eq!(frames(&rendition(&archive, "proxy")), 225);
}

#[test]
fn a_segment_that_cannot_be_made_fails_by_itself_and_is_kept_to_be_looked_at() {
    let whole = archive(12);
    let drive = scratch();
    let (from, cut) = (whole.root().join("index_first.mp4"), drive.path().join("cut.mp4"));
    let master = harness::tree(&whole.store());
    let master = master.iter().find_map(|l| l.split(' ').next().filter(|p| p.ends_with("film.mp4"))).unwrap();
    let master = whole.store().join(master);
    let words = ["-v", "error", "-i", master.to_str().unwrap(), "-c", "copy", "-movflags", "+faststart"];
    tool("ffmpeg", words.iter().map(OsStr::new).chain([from.as_os_str()]));
    let bytes = fs::read(&from).unwrap();
    fs::write(&cut, &bytes[..bytes.len() * 6 / 10]).unwrap();
    let archive = Archive::new();
    fs::write(archive.root().join("films.yaml"), PROFILE).unwrap();
    archive.ingest(drive.path());
    let profile = archive.root().join("films.yaml");
    let words = ["transcode".as_ref(), "--profile".as_ref(), profile.as_os_str()];
    archive.run(words).ends(1).says("the recording ends within it");
    assert_eq!(segments(&archive), ["proxy@segment-1-of-3", "small@segment-1-of-3"]);
    let kept = harness::tree(&archive.root().join("quarantine"));
    assert!(kept.iter().any(|l| l.contains("proxy.segment.packets")), "{kept:#?}");
    assert!(kept.iter().any(|l| l.contains("proxy.reason.txt")), "{kept:#?}");
    assert_eq!(archive.rows("SELECT entry FROM renditions WHERE active = 1"), ["poster"]);
    // What failed for good is not tried again, nor is what is there.
    let before = archive.rows("SELECT COUNT(*) FROM attempts");
    archive.run(words).ends(1);
    assert_eq!(archive.rows("SELECT COUNT(*) FROM attempts"), before);
}
