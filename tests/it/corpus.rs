//! Real files that nobody here made: each becomes what the default profile wants of it, or fails for its right reason.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::Write,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use damctl::profile::{DEFAULT, Profile};
use serde_json::{Value, json};

use crate::harness::{Ran, command, scratch};

/// What is expected of each known file, one a line: file | kind | what is made | why the rest is not. Files that are not
/// listed must end in a typed way as well.
const EXPECTED: &str = include_str!("corpus.txt");

/// What came of one file.
#[derive(Debug, PartialEq)]
struct Outcome {
    kind: String,
    made: Vec<String>,
    /// By reason: kind of error and words.
    failed: BTreeMap<String, String>,
}

fn order(order: &Value) -> (Ran, Vec<Value>) {
    let mut child = command(["render"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the program starts");
    let mut stdin = child.stdin.take().unwrap();
    stdin.write_all(order.to_string().as_bytes()).unwrap();
    drop(stdin);
    let ran = Ran::from(child.wait_with_output().unwrap());
    let reports = ran.stdout.lines().map(|l| serde_json::from_str(l).unwrap()).collect();
    (ran, reports)
}

fn outcome(path: &Path, profile: &Profile) -> Outcome {
    let dir = scratch();
    let (_, reports) = order(&json!({ "input": path, "out_dir": dir.path() }));
    let told = reports.iter().find_map(|r| r["facts"].as_object()).cloned();
    let facts = Value::from(told.unwrap_or_else(|| panic!("{} was not measured: {reports:?}", path.display())));
    let wanted = profile.wanted(serde_json::from_value(facts["kind"].clone()).unwrap());
    let (ran, reports) = order(&json!({
        "input": path, "facts": facts, "out_dir": dir.path(), "outputs": wanted,
    }));
    assert!(ran.code <= 1, "{} ended with {}: {}", path.display(), ran.code, ran.stderr);
    let text = |v: &Value| v.as_str().unwrap_or_default().to_owned();
    let of = |event| reports.iter().filter(move |r| r["event"] == event);
    let mut made: Vec<String> = of("accepted").map(|r| text(&r["rendered"]["output"])).collect();
    made.sort();
    let reason = |r: &Value| format!("{}: {}", text(&r["failure"]["kind"]), text(&r["failure"]["message"]));
    let failed = of("failed").map(|r| (text(&r["output"]), reason(r))).collect::<BTreeMap<_, _>>();
    assert_eq!(made.len() + failed.len(), wanted.len(), "{}: {reports:?}", path.display());
    let is_film = |r: &&Value| text(&r["facts"]["kind"]) == "video";
    for film in of("accepted").filter(is_film) {
        let made = dir.path().join(text(&film["rendered"]["files"][0]));
        let apart = apart(path, &made);
        assert!(apart < 6.0, "{} is {apart:.1} from {}", made.display(), path.display());
    }
    Outcome { kind: text(&facts["kind"]), made, failed }
}

/// How far the first pictures of two films lie apart, in steps of 255 of a small picture.
fn apart(a: &Path, b: &Path) -> f64 {
    let small = |path: &Path| {
        let mut ffmpeg = Command::new("ffmpeg");
        ffmpeg.args(["-v", "error", "-i"]).arg(path).args(["-frames:v", "1", "-vf"]);
        ffmpeg.args(["scale=160:120:flags=area,format=rgb24", "-f", "rawvideo", "-"]);
        let out = ffmpeg.output().expect("ffmpeg starts");
        assert_eq!(out.stdout.len(), 160 * 120 * 3, "{}", String::from_utf8_lossy(&out.stderr));
        out.stdout
    };
    let (a, b) = (small(a), small(b));
    a.iter().zip(&b).map(|(a, b)| f64::from(a.abs_diff(*b))).sum::<f64>() / a.len() as f64
}

/// One line of the table.
fn line(file: &str, outcome: &Outcome) -> String {
    let mut why: Vec<&str> = outcome.failed.values().map(String::as_str).collect();
    why.dedup();
    let made = if outcome.made.is_empty() { "nothing".to_owned() } else { outcome.made.join(", ") };
    format!("{file} | {} | {made} | {}", outcome.kind, if why.is_empty() { "-".to_owned() } else { why.join("; ") })
}

#[test]
fn every_real_file_is_rendered_or_fails_for_its_right_reason() {
    let corpus = std::env::var_os("DAMCTL_CORPUS").map(PathBuf::from).filter(|dir| dir.is_dir());
    let Some(corpus) = corpus else {
        eprintln!("skipped: DAMCTL_CORPUS names no folder of real files");
        return;
    };
    let profile = Profile::parse(DEFAULT, "default").unwrap();
    let is_text = |path: &Path| path.extension().is_none_or(|e| ["md", "txt"].map(OsStr::new).contains(&e));
    let mut files: Vec<PathBuf> = walkdir::WalkDir::new(&corpus)
        .into_iter()
        .flatten()
        .filter(|e| e.file_type().is_file() && !is_text(e.path()))
        .map(walkdir::DirEntry::into_path)
        .collect();
    files.sort();
    assert!(!files.is_empty(), "{} holds no files", corpus.display());
    let mut wrong = Vec::new();
    println!("file | kind | made | why not");
    for path in files {
        let file = path.strip_prefix(&corpus).unwrap().display().to_string();
        let found = outcome(&path, &profile);
        let told = line(&file, &found);
        println!("{told}");
        match EXPECTED.lines().find(|l| l.split(" | ").next() == Some(&file)) {
            Some(expected) if expected == told => {}
            Some(expected) => wrong.push(format!("expected {expected}\n   found {told}")),
            // What the file is at fault for, or what nobody here can read; never a fault of ours.
            None => wrong.extend(
                found
                    .failed
                    .values()
                    .filter(|why| !why.starts_with("unsupported: ") && !why.starts_with("corrupt: "))
                    .map(|why| format!("{file} is not listed, and failed: {why}")),
            ),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn the_table_names_each_file_once() {
    let names: Vec<&str> = EXPECTED.lines().filter_map(|l| l.split(" | ").next()).collect();
    assert!(names.is_sorted_by(|a, b| a < b), "{names:?}");
    assert!(EXPECTED.lines().all(|l| l.split(" | ").count() == 4));
}
