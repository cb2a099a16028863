//! The command line itself: its generated files, its settings, its words.

use std::{fs, path::Path, process::Stdio};

use crate::harness::{self, Archive, Ran, damctl, scratch, tree};

#[test]
fn generated_files_are_those_of_the_code() {
    let dir = scratch();
    damctl(["generate".as_ref(), dir.path().as_os_str()]).ends(0);
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    for folder in ["man", "completions", "schema"] {
        assert_eq!(
            tree(&root.join(folder)),
            tree(&dir.path().join(folder)),
            "'make generate' brings {folder}/ up to date"
        );
    }
}

#[test]
fn every_setting_is_shown_with_where_it_came_from() {
    let archive = Archive::new();
    let shown = archive.run(["config", "show"]).ends(0).stdout;
    assert!(shown.lines().filter(|l| l.contains("default")).count() >= 10, "{shown}");
    let file = archive.root().join("damctl.yaml");
    fs::write(&file, "workers: 3\n").unwrap();
    let run = |value: &str| Ran::from(archive.command(["config", "show"]).env("DAMCTL_LEASE", value).output().unwrap());
    let shown = run("90").ends(0).stdout;
    let line = |key: &str| shown.lines().find(|l| l.starts_with(key)).unwrap().to_owned();
    assert!(line("workers").contains('3') && line("workers").contains("damctl.yaml"), "{shown}");
    assert!(line("lease").contains("90") && line("lease").contains("DAMCTL_LEASE"), "{shown}");
    run("soon").ends(2).says("lease is 'soon' (DAMCTL_LEASE)");
    fs::write(&file, "workers: 3\nwrokers: 4\n").unwrap();
    archive.run(["config", "show"]).ends(2).says("damctl.yaml:2:1").says("settings are");
}

#[test]
fn init_is_safe_to_repeat_and_says_what_stands_in_its_way() {
    let archive = Archive::new();
    damctl(["init".as_ref(), archive.root().as_os_str()]).ends(0).says("nothing changed");
    let file = archive.root().join("file");
    fs::write(&file, "x").unwrap();
    damctl(["init".as_ref(), file.as_os_str()]).ends(2).says("is no folder");
    damctl(["status", "-C", "/no/such/archive"]).ends(2).says("there is no archive in /no/such/archive");
}

#[test]
fn doctor_tells_what_is_here() {
    damctl(["doctor"]).ends(0).says("here     ffprobe").says("here     GStreamer");
    let dir = scratch();
    let poor = harness::command(["doctor"]).env("PATH", dir.path()).output().unwrap();
    Ran::from(poor).ends(1).says("missing  ffprobe").says("to get it: apt-get install ffmpeg");

    // What is loaded when a picture needs it: here a file of its name that is no library comes first.
    damctl(["doctor"]).says("here     libheif: 1.").says("here     libjxl: 0.");
    fs::write(dir.path().join("libheif.so.1"), "no library").unwrap();
    let poor = harness::command(["doctor"]).env("LD_LIBRARY_PATH", dir.path()).output().unwrap();
    let ran = Ran::from(poor).ends(1).says("missing  libheif: HEIC and AVIF cannot be read");
    ran.says("to get it: apt-get install libheif1").says("here     libjxl");
}

#[test]
fn results_go_to_stdout_alone_and_a_closed_pipe_is_no_failure() {
    let (archive, drive) = (Archive::new(), scratch());
    harness::picture(&drive.path().join("a.png"), 1);
    let words = |format| {
        [
            std::ffi::OsStr::new("--log-format"),
            std::ffi::OsStr::new(format),
            std::ffi::OsStr::new("ingest"),
            drive.path().as_os_str(),
        ]
    };
    let ran = archive.run(words("json")).ends(0);
    assert!(!ran.stderr.is_empty());
    for line in ran.stderr.lines() {
        let event: serde_json::Value = serde_json::from_str(line).unwrap_or_else(|e| panic!("{e}: {line}"));
        assert!(event["event"].is_string(), "{line}");
    }
    assert!(ran.stdout.contains("1 stored") && !ran.stdout.contains("\u{1b}["), "{}", ran.stdout);
    assert_eq!(archive.run(words("quiet")).ends(0).stderr, "");
    let mut child = archive.command(["status"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.stderr.as_str()), (0, ""));
}

#[test]
fn wrong_words_are_usage_errors() {
    damctl(["ingset"]).ends(2).says("ingest");
    damctl([""; 0]).ends(2).says("Usage");
    damctl(["--version"]).ends(0).says(env!("CARGO_PKG_VERSION"));
    damctl(["ingest", "--help"]).ends(0).says("reads each byte once");
}
