//! Renderers are forked: what becomes of them, and of what forks them.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use damctl::{
    error::Kind,
    media::{Limits, Order, Report, child::ChildProcess},
    stop::Stop,
};

use crate::harness::{self, scratch, tool};

fn order(dir: &Path, input: &str, outputs: serde_json::Value) -> Order {
    Order {
        input: dir.join(input),
        facts: None,
        reads: Vec::new(),
        outputs: serde_json::from_value(outputs).unwrap(),
        out_dir: dir.to_owned(),
        limits: Limits::default(),
        part: None,
    }
}

/// Zygotes that know their plugins from this registry.
fn zygotes(registry: &Path) -> Vec<i32> {
    let told = format!("GST_REGISTRY={}", registry.display());
    let is_one = |pid: &i32| {
        let of = |what: &str| {
            String::from_utf8_lossy(&fs::read(format!("/proc/{pid}/{what}")).unwrap_or_default()).into_owned()
        };
        // What it forked has the same words; its parent is another.
        of("cmdline").contains("--zygote")
            && of("environ").split('\0').any(|v| v == told)
            && of("stat").rsplit(')').next().unwrap().split(' ').nth(2) == Some(&std::process::id().to_string())
    };
    let all = fs::read_dir("/proc").unwrap().flatten();
    all.filter_map(|e| e.file_name().to_str()?.parse().ok()).filter(is_one).collect()
}

fn kill(pid: i32, signal: &str) {
    tool("kill", [signal, &pid.to_string()]);
}

#[test]
fn one_that_is_killed_is_replaced_and_goes_with_whoever_asked() {
    let dir = scratch();
    harness::picture(&dir.path().join("a.png"), 7);
    let order = order(dir.path(), "a.png", serde_json::json!([{"name": "small", "spec": {"jpeg": {"max_width": 8}}}]));
    let registry = dir.path().join("registry");
    let child = ChildProcess::new(harness::DAMCTL.into(), Some(registry.clone()));
    let render = || {
        fs::remove_file(dir.path().join("small.jpg")).ok();
        let mut accepted = 0;
        let stop = Stop::new();
        child.run(&order, &stop, &mut |r| accepted += u32::from(matches!(r, Report::Accepted { .. }))).unwrap();
        assert!(accepted == 1 && dir.path().join("small.jpg").is_file());
    };
    render();
    let first = zygotes(&registry);
    assert_eq!(first.len(), 1);
    render();
    assert_eq!(zygotes(&registry), first);
    kill(first[0], "-KILL");
    render();
    let second = zygotes(&registry);
    assert!(second.len() == 1 && second != first, "{first:?} {second:?}");
    drop(child);
    assert_eq!(zygotes(&registry), [0; 0]);
}

/// Does this to the zygote and to the stop when an order is at work. Gives how the order ended, and how long after.
fn in_the_middle(signal: &str, trips: bool) -> (damctl::error::Error, Duration) {
    let dir = scratch();
    let film = dir.path().join("film.mp4");
    let words = "-v error -f lavfi -i testsrc2=s=1280x720:r=25:d=60 -c:v libx264 -preset ultrafast -pix_fmt yuv420p";
    tool("ffmpeg", words.split(' ').chain([film.to_str().unwrap()]));
    let outputs = serde_json::json!([{"name": "out", "spec": {"mp4": {"video": {"bitrate": "1M", "preset": "slow"}}}}]);
    let order = order(dir.path(), "film.mp4", outputs);
    let registry = dir.path().join("registry");
    let child = ChildProcess::new(harness::DAMCTL.into(), Some(registry.clone()));
    let (mut killed, stop) = (None, Stop::new());
    let e = child
        .run(&order, &stop, &mut |report| {
            if matches!(report, Report::Progress { .. }) && killed.is_none() {
                zygotes(&registry).into_iter().for_each(|pid| kill(pid, signal));
                killed = Some(Instant::now());
                if trips {
                    stop.trip();
                }
            }
        })
        .unwrap_err();
    drop(child);
    assert_eq!(zygotes(&registry), [0; 0]);
    (e, killed.unwrap().elapsed())
}

#[test]
fn orders_whose_zygote_is_killed_end_and_may_be_tried_again() {
    let (e, after) = in_the_middle("-KILL", false);
    assert!(e.kind() == Kind::Unavailable && e.one_line().contains("killed from outside"), "{e:?}");
    assert!(after < Duration::from_secs(2), "{after:?}");
}

#[test]
fn a_zygote_that_stands_still_does_not_hold_up_a_stop() {
    let (e, after) = in_the_middle("-STOP", true);
    assert!(e.kind() == Kind::Stopped, "{e:?}");
    assert!(after < Duration::from_secs(5), "{after:?}");
}
