use std::collections::BTreeSet;

use super::*;
use crate::media::{
    Order, Report, render,
    split::{Part, Stretch, files},
};

/// Frames behind a joint that are looked at.
const BEHIND: usize = 24;

/// A film with a scene that moves, grain and a click each second.
fn film(desk: &Desk, seconds: u32, words: &str) {
    desk.ffmpeg(&format!(
        "-f lavfi -i testsrc2=s=192x108:r=25:d={seconds},noise=alls=12:allf=t,setparams=color_primaries=bt709:color_trc=bt709:colorspace=bt709 \
         -f lavfi -i sine=f=440:b=2:r=48000:d={seconds} -shortest -pix_fmt yuv420p {words}"
    ));
}

/// Carries out an order in a folder of its own; gives what was said of its one output.
fn ordered(desk: &Desk, master: &str, entry: &Entry, folder: &str, part: Option<Part>) -> Report {
    let out_dir = desk.path(folder);
    std::fs::create_dir(&out_dir).unwrap();
    let (input, outputs) = (desk.path(master), vec![entry.clone()]);
    let order = Order { input, facts: None, reads: Vec::new(), outputs, out_dir, limits: Limits::default(), part };
    let mut reports = Vec::new();
    render::carry_out(&order, &Stop::new(), &mut |report| reports.push(report)).unwrap();
    reports.retain(|r| !matches!(r, Report::Progress { .. }));
    assert_eq!(reports.len(), 1, "{reports:?}");
    reports.remove(0)
}

#[track_caller]
fn well(report: Report) -> (Rendered, MediaFacts) {
    match report {
        Report::Accepted { rendered, facts } => (*rendered, facts),
        other => panic!("{other:?}"),
    }
}

/// The segments of a master, each accepted.
fn segments(desk: &Desk, master: &str, entry: &Entry) -> Vec<PathBuf> {
    let cuts = entry.cuts(&facts(&desk.path(master)));
    assert!(!cuts.is_empty(), "{master} is not split");
    let ends = cuts.iter().copied().map(Some).chain([None]);
    let stretches = [0].into_iter().chain(cuts.iter().copied()).zip(ends);
    let make = |(number, (from_ns, until_ns))| {
        let (folder, stretch) = (format!("{}-{number}", entry.name), Stretch { from_ns, until_ns });
        well(ordered(desk, master, entry, &folder, Some(Part::Segment(stretch))));
        desk.path(&folder).join(&files(&entry.name)[0].0)
    };
    stretches.enumerate().map(make).collect()
}

fn join(entry: &Entry, lists: Vec<PathBuf>) -> Option<Part> {
    Some(Part::Join(BTreeMap::from([(entry.name.clone(), lists)])))
}

/// Whole and joined, and how many frames each segment has.
fn both_ways(desk: &Desk, master: &str, entry: &Entry) -> (PathBuf, PathBuf, Vec<usize>) {
    let file = entry.spec.file_name(&entry.name);
    well(ordered(desk, master, entry, &format!("{}-whole", entry.name), None));
    let lists = segments(desk, master, entry);
    let counts = lists.iter().map(|list| crate::media::split::Segment::read(list).unwrap().packets.len()).collect();
    let (_, facts) = well(ordered(desk, master, entry, &format!("{}-joined", entry.name), join(entry, lists.clone())));
    assert_eq!(facts.tags["segments"], lists.len().to_string());
    let of = |way: &str| desk.path(&format!("{}-{way}", entry.name)).join(&file);
    (of("whole"), of("joined"), counts)
}

fn split(name: &str, spec: Value) -> Entry {
    Entry { split_over: Some(serde_json::from_value(json!("4s")).unwrap()), ..entry(name, spec) }
}

/// The mean of the first frames behind each joint, whole and joined, in dB against the master.
fn at_joints(master: &Path, whole: &Path, joined: &Path, counts: &[usize]) -> Vec<(f64, f64)> {
    let size = (192, 108);
    let [master, whole, joined] = [master, whole, joined].map(|path| shown(path, size, "null"));
    let mut first = 0;
    let joints = counts[..counts.len() - 1].iter().map(|count| {
        first += count;
        first
    });
    let mean = |film: &[Picture], at: usize| {
        (at..at + BEHIND).map(|i| psnr(&film[i], &master[i])).sum::<f64>() / BEHIND as f64
    };
    joints.map(|at| (mean(&whole, at), mean(&joined, at))).collect()
}

#[test]
fn a_film_of_segments_has_the_frames_and_times_of_one_made_as_a_whole_and_looks_as_good_behind_its_joints() {
    let desk = Desk::new();
    film(&desk, 9, "-c:v libx264 -preset veryfast -crf 8 -g 75 -c:a aac in.mp4");
    let h264 = json!({"bitrate": "400k", "keyframe_interval": "1s"});
    let h265 = json!({"codec": "h265", "crf": 26, "preset": "superfast", "keyframe_interval": "1s"});
    for (name, spec) in
        [("mp4", json!({"mp4": {"video": h264, "audio": {}}})), ("ts", json!({"ts": {"video": h265, "audio": {}}}))]
    {
        let (whole, joined, counts) = both_ways(&desk, "in.mp4", &split(name, spec));
        assert_eq!(counts.iter().sum::<usize>(), 225, "{name}: {counts:?}");
        assert_eq!(counts.len(), 3, "{name}");
        assert_eq!(times(&joined), times(&whole), "{name}");
        assert!(samples(&joined) == samples(&whole), "{name}: the sound is another");
        for (whole, joined) in at_joints(&desk.path("in.mp4"), &whole, &joined, &counts) {
            eprintln!("{name}: {whole:.2} dB as a whole, {joined:.2} dB joined");
            assert!(joined > whole - 0.5, "{name}: {joined:.2} dB behind a joint, {whole:.2} dB as a whole");
        }
    }
}

#[test]
fn uneven_frames_and_late_beginnings_are_each_in_one_segment() {
    let desk = Desk::new();
    film(&desk, 7, "-c:v libx264 -preset ultrafast -bf 2 -g 40 -c:a aac even.mp4");
    // Every fifth frame is left out.
    desk.ffmpeg(
        "-i even.mp4 -vf select=mod(n\\,5)+lt(n\\,30) -fps_mode vfr -c:v libx264 \
                 -preset ultrafast -bf 2 -g 40 -c:a copy uneven.mkv",
    );
    desk.ffmpeg("-itsoffset 0.3 -i even.mp4 -an -c copy late.mkv");
    for (name, master) in [("uneven", "uneven.mkv"), ("late", "late.mkv")] {
        let spec = json!({"mp4": {"max_height": 64, "video": {"crf": 30, "keyframe_interval": "1s"}, "audio": {}}});
        let (whole, joined, counts) = both_ways(&desk, master, &split(name, spec));
        assert_eq!(times(&joined), times(&whole), "{name}: {counts:?}");
        assert_eq!(counts.iter().sum::<usize>(), times(&desk.path(master)).len(), "{name}");
        assert_eq!(has(&joined, "audio"), name == "uneven");
    }
}

#[test]
fn segments_that_do_not_make_a_film_are_refused() {
    let desk = Desk::new();
    film(&desk, 9, "-c:v libx264 -preset ultrafast -g 50 -c:a aac in.mp4");
    let entry = split("out", json!({"mp4": {"max_height": 64, "video": {"crf": 30, "keyframe_interval": "1s"}}}));
    let lists = segments(&desk, "in.mp4", &entry);
    let told = |folder: &str, lists: Vec<PathBuf>| match ordered(&desk, "in.mp4", &entry, folder, join(&entry, lists)) {
        Report::Failed { failure, .. } => failure.message,
        other => panic!("{other:?}"),
    };
    let [one, two, three] = [0, 1, 2].map(|i| lists[i].clone());
    assert!(told("missing", vec![one.clone(), three.clone()]).contains("do not meet"));
    assert!(told("early", vec![one.clone(), two.clone()]).contains("do not make a whole film"));
    assert!(told("late", vec![two.clone(), three.clone()]).contains("do not make a whole film"));
    let packets = crate::media::split::packets_beside(&two);
    let bytes = std::fs::read(&packets).unwrap();
    std::fs::write(&packets, &bytes[..bytes.len() - 1]).unwrap();
    assert!(told("short", vec![one.clone(), two.clone(), three.clone()]).contains("not all there"));
    // Damage at a joint is seen: whoever orders vouches for the rest.
    let damaged: Vec<u8> = bytes.iter().enumerate().map(|(i, b)| if i % 37 == 36 { b ^ 0x55 } else { *b }).collect();
    std::fs::write(&packets, damaged).unwrap();
    assert!(told("damaged", vec![one, two, three]).contains("does not decode where segments meet"));
    let left: BTreeSet<_> = std::fs::read_dir(desk.path("damaged")).unwrap().map(|f| f.unwrap().file_name()).collect();
    assert_eq!(left, BTreeSet::from(["out.mp4".into()]), "only what is kept for people to look at");
}
