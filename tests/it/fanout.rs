//! The same work on many machines: queues, a real Slurm over several nodes, and what is printed for it.

use std::{
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

use serde_json::Value;

use crate::harness::{Archive, Ran, picture, scratch, tool};

/// A catalog that the archive is made with: the setting, when it is not the usual file.
pub fn archive_with(catalog: Option<&str>) -> Archive {
    let archive = Archive::new();
    let setting = catalog.map(|c| format!("catalog: {c}\n")).unwrap_or_default();
    let profile = "image:\n  thumb:\n    webp: { max_width: 32, max_height: 32 }\nvideo:\n  small:\n    mp4:\n      max_height: 180\n      video: { codec: h264, bitrate: 1M, preset: veryfast, keyframe_interval: 2s }\n      audio: { codec: aac, bitrate: 96k, channels: 2, rate: 48000 }\n";
    std::fs::write(archive.root().join("small.yaml"), profile).unwrap();
    // What a lost node holds is taken over soon.
    std::fs::write(archive.root().join("damctl.yaml"), format!("{setting}profile: small.yaml\nlease: 5\n")).unwrap();
    archive
}

pub fn clip(path: &Path, seconds: u32, seed: u32) {
    let picture = format!("testsrc2=size=640x360:rate=25:duration={seconds},hue=h={}", seed * 40);
    let sound = format!("sine=frequency={}:duration={seconds}", 300 + seed * 50);
    let words = ["-v", "error", "-f", "lavfi", "-i", &picture, "-f", "lavfi", "-i", &sound];
    let form = ["-c:v", "libx264", "-preset", "ultrafast", "-c:a", "aac", "-pix_fmt", "yuv420p"];
    tool("ffmpeg", words.into_iter().chain(form).chain([path.to_str().unwrap()]));
}

/// All jobs of the stage transcode.
pub fn jobs(archive: &Archive) -> Vec<Value> {
    let listed = archive.run(["jobs", "list", "--stage", "transcode", "--limit", "1000", "--json"]).ends(0).stdout;
    listed.lines().map(|l| serde_json::from_str(l).unwrap()).collect()
}

pub fn of_state<'a>(jobs: &'a [Value], state: &str) -> Vec<&'a Value> {
    jobs.iter().filter(|j| j["state"] == state).collect()
}

pub fn wait_for<T>(what: &str, seconds: u64, mut look: impl FnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(began.elapsed() < Duration::from_secs(seconds), "{what} did not come within {seconds} s");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// A real Slurm, ended when it is dropped.
struct Slurm {
    dir: tempfile::TempDir,
}

impl Slurm {
    /// One with so many nodes; none, in words, where it cannot be had.
    fn up(nodes: u32, longest_array: u32) -> Option<Self> {
        let here =
            |name: &str| std::env::split_paths(&std::env::var_os("PATH").unwrap()).any(|d| d.join(name).is_file());
        if !here("sbatch") || !rustix::process::getuid().is_root() {
            eprintln!("skipped on Slurm: it takes root and Debian's slurm-wlm and munge ('scripts/setup test')");
            return None;
        }
        let slurm = Self { dir: scratch() };
        let out = Command::new(recipe())
            .args(["up".as_ref(), slurm.dir.path().as_os_str(), nodes.to_string().as_ref()])
            .env("MAX_ARRAY", longest_array.to_string())
            .output()
            .unwrap();
        assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
        Some(slurm)
    }

    fn conf(&self) -> PathBuf {
        self.dir.path().join("slurm.conf")
    }

    /// One of Slurm's own commands.
    fn tell(&self, words: &[&str]) -> String {
        let out = Command::new(words[0]).args(&words[1..]).env("SLURM_CONF", self.conf()).output().unwrap();
        String::from_utf8_lossy(&out.stdout).into_owned()
    }

    /// `damctl fanout slurm`, from the folder where logs go.
    fn fan(&self, archive: &Archive, words: &[&str]) -> Ran {
        let mut command = archive.command(["fanout", "slurm"].iter().chain(words));
        command.env("SLURM_CONF", self.conf()).current_dir(self.dir.path()).output().unwrap().into()
    }

    fn lose(&self, node: &str) {
        tool(recipe().to_str().unwrap(), ["lose", self.dir.path().to_str().unwrap(), node]);
    }

    fn wait_until_gone(&self, job: &str, seconds: u64) {
        wait_for("the end of the array", seconds, || {
            self.tell(&["squeue", "--noheader", "--jobs", job]).trim().is_empty().then_some(())
        });
    }

    fn logs(&self) -> String {
        let mut text = String::new();
        for entry in std::fs::read_dir(self.dir.path()).unwrap().flatten() {
            if entry.path().extension().is_some_and(|e| e == "log") {
                text.push_str(&format!("--- {}\n", entry.file_name().to_string_lossy()));
                text.push_str(&std::fs::read_to_string(entry.path()).unwrap());
            }
        }
        text
    }
}

impl Drop for Slurm {
    fn drop(&mut self) {
        Command::new(recipe()).args(["down".as_ref(), self.dir.path().as_os_str()]).output().ok();
    }
}

fn recipe() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/slurm")
}

/// The array's id in what `fanout --submit` prints.
fn submitted(ran: &Ran) -> String {
    let line = ran.stdout.lines().find_map(|l| l.strip_prefix("submitted ")).unwrap_or_else(|| panic!("{ran:?}"));
    line.split(':').next().unwrap().to_owned()
}

#[test]
fn an_array_that_loses_a_node_renders_everything_once() {
    survives_a_lost_node(None);
}

#[cfg(feature = "postgres")]
#[test]
fn an_array_that_loses_a_node_renders_everything_once_with_a_catalog_in_postgresql() {
    let Some(schema) = crate::postgres::schema() else { return };
    survives_a_lost_node(Some(schema.url()));
}

fn survives_a_lost_node(catalog: Option<&str>) {
    let Some(slurm) = Slurm::up(3, 1001) else { return };
    let (archive, drive) = (archive_with(catalog), scratch());
    for seed in 0..6 {
        // Long enough that a task is still at one when its node is lost.
        clip(&drive.path().join(format!("clip {seed}.mp4")), 24, seed);
        picture(&drive.path().join(format!("picture {seed}.png")), seed as u8);
    }
    archive.ingest(drive.path()).0.ends(0);
    // Four processors a task, which is all that a node has.
    let words = ["--stage", "transcode", "--stage", "index", "--workers", "3", "--jobs-per-worker", "1", "--cpus", "4"];
    let ran = slurm.fan(&archive, &[&words[..], &["--time", "10m", "--submit"]].concat()).ends(0);
    ran_says_sizes(&ran);
    let array = submitted(&ran);
    // In the middle: something is done, and a task holds a job. It is held still, so that it is at it when its node is lost.
    let task = wait_for("a task in the middle of a job", 40, || {
        let listed = jobs(&archive);
        if of_state(&listed, "done").is_empty() {
            return None;
        }
        let holder = of_state(&listed, "leased").first().map(|j| j["worker"].as_str().unwrap().to_owned())?;
        let pid = holder.rsplit('/').nth(1).unwrap().parse().ok().and_then(rustix::process::Pid::from_raw).unwrap();
        rustix::process::kill_process(pid, rustix::process::Signal::STOP).ok()?;
        let is_held = of_state(&jobs(&archive), "leased").iter().any(|j| j["worker"] == holder.as_str());
        if !is_held {
            rustix::process::kill_process(pid, rustix::process::Signal::CONT).ok();
        }
        is_held.then_some(holder)
    });
    let task = task
        .split_once("[slurm ")
        .and_then(|(_, t)| t.split_once(']'))
        .expect("the worker names its task")
        .0
        .to_owned();
    let running = slurm.tell(&["squeue", "--noheader", "--array", "--format", "%F_%K %N", "--jobs", &array]);
    let node =
        running.lines().find_map(|l| l.strip_prefix(&format!("{task} "))).expect("the task runs").trim().to_owned();
    slurm.lose(&node);
    slurm.wait_until_gone(&array, 60);
    let jobs = jobs(&archive);
    assert_eq!(of_state(&jobs, "done").len(), 12, "{jobs:#?}\n{}", slurm.logs());
    let status = archive.json(["status", "--json"]);
    let of = |entry: &str| {
        status["renditions"].as_array().unwrap().iter().find(|r| r["entry"] == entry).unwrap()["renditions"].clone()
    };
    assert_eq!((of("small"), of("thumb")), (6.into(), 6.into()), "{status:#}");
    // On the disk, too: each once, and each plays.
    let made = tool("find", [archive.store().join("renditions").to_str().unwrap(), "-type", "f"]);
    let videos: Vec<&str> = made.lines().filter(|l| l.ends_with(".mp4")).collect();
    assert_eq!((videos.len(), made.lines().count()), (6, 12), "{made}");
    for video in videos {
        tool("ffmpeg", ["-v", "error", "-xerror", "-i", video, "-f", "null", "-"]);
    }
    // One attempt was lost with the node, and its task began again.
    let shown: String =
        jobs.iter().map(|j| archive.run(["jobs", "show", j["id"].as_str().unwrap()]).ends(0).stdout).collect();
    assert_eq!(shown.lines().filter(|l| l.starts_with("attempt") && l.contains(" lost ")).count(), 1, "{shown}");
    let told = slurm.tell(&["scontrol", "show", "job", "--oneliner"]);
    let (of_array, of_task) = task.split_once('_').unwrap();
    let line = told
        .lines()
        .find(|l| l.contains(&format!("ArrayJobId={of_array} ")) && l.contains(&format!("ArrayTaskId={of_task} ")));
    assert!(line.expect("the task is told").contains(" Restarts=1 "), "{told}");
    // What came after found all of it.
    let index = wait_for("the end of the index's job", 30, || {
        let told = slurm.tell(&["scontrol", "show", "job", "--oneliner"]);
        told.lines().find(|l| l.contains("JobName=damctl-index") && l.contains("JobState=COMPLETED")).map(str::to_owned)
    });
    assert!(index.contains("Dependency="), "{index}");
    assert_eq!(archive.hit("clip 3")["title"], "clip 3.mp4");
    slurm.fan(&archive, &["--stage", "transcode", "--submit"]).ends(0).says("nothing to do");
}

fn ran_says_sizes(ran: &Ran) {
    assert!(ran.stdout.contains("transcode, 12 job(s), 3 worker(s)"), "{ran:?}");
    assert!(ran.stdout.contains("index, 1 job(s), 1 worker(s)"), "{ran:?}");
}

#[test]
fn what_is_to_be_learned_is_planned_and_found_out_by_an_array() {
    let Some(slurm) = Slurm::up(2, 10) else { return };
    let (archive, drive) = (archive_with(None), scratch());
    let profile = archive.root().join("small.yaml");
    let before = std::fs::read_to_string(&profile).unwrap();
    std::fs::write(&profile, format!("{before}enrich:\n  looks: {{}}\n")).unwrap();
    (0..4).for_each(|seed| picture(&drive.path().join(format!("{seed}.png")), seed));
    archive.ingest(drive.path()).0.ends(0);
    let words = ["--stage", "enrich", "--workers", "2", "--jobs-per-worker", "1", "--memory", "1G", "--cpus", "1"];
    let fanned =
        slurm.fan(&archive, &[&words[..], &["--submit"]].concat()).ends(0).says("enrich, 4 job(s), 2 worker(s)");
    slurm.wait_until_gone(&submitted(&fanned), 60);
    assert_eq!(archive.rows("SELECT count(*) FROM looks"), ["4"], "{}", slurm.logs());
    archive.run(["enrich"]).ends(0).says("nothing to learn");
    // Nothing that another stage's plan wants came with it.
    assert_eq!(archive.rows("SELECT count(*) FROM jobs WHERE stage = 'transcode'"), ["0"]);
    slurm.fan(&archive, &words).ends(0).says("no job of 'enrich' waits");
}

#[test]
fn a_task_that_is_told_to_end_gives_its_job_back() {
    let Some(slurm) = Slurm::up(1, 1001) else { return };
    let (archive, drive) = (archive_with(None), scratch());
    clip(&drive.path().join("long.mp4"), 60, 1);
    archive.ingest(drive.path()).0.ends(0);
    let array = submitted(&slurm.fan(&archive, &["--stage", "transcode", "--time", "10m", "--submit"]).ends(0));
    wait_for("the job's start", 30, || (!of_state(&jobs(&archive), "leased").is_empty()).then_some(()));
    // What Slurm does 90 seconds before the time is over.
    slurm.tell(&["scancel", "--batch", "--signal", "TERM", &array]);
    slurm.wait_until_gone(&array, 20);
    let jobs = jobs(&archive);
    assert_eq!((jobs[0]["state"].as_str(), jobs[0]["error"].is_null()), (Some("ready"), true), "{jobs:#?}");
    let shown = archive.run(["jobs", "show", jobs[0]["id"].as_str().unwrap()]).ends(0).stdout;
    assert!(shown.contains(" released ") && shown.contains("tries      1 of 6"), "{shown}");
    assert!(slurm.logs().contains("stopped; run the same command again"), "{}", slurm.logs());
    let told = slurm.tell(&["scontrol", "show", "job", &array]);
    assert!(told.contains("ExitCode=143:0"), "{told}");
}

#[test]
fn slurm_says_no_in_words_and_arrays_are_cut_to_what_it_takes() {
    let Some(slurm) = Slurm::up(1, 4) else { return };
    let (archive, drive) = (archive_with(None), scratch());
    for seed in 0..6 {
        picture(&drive.path().join(format!("picture {seed}.png")), seed);
    }
    archive.ingest(drive.path()).0.ends(0);
    let fan = |words: &[&str]| slurm.fan(&archive, &[&["--stage", "transcode", "--submit"], words].concat());
    fan(&["--partition", "nowhere"]).ends(2).says("invalid partition specified: nowhere").says("'sinfo' lists");
    fan(&["--gpus", "1"]).ends(2).says("no node has such GPUs");
    fan(&["--memory", "900G"]).ends(2).says("no node has so much memory");
    // What is printed for several stages submits them by itself, the second to wait for the first.
    let chain = archive.command(["fanout", "slurm", "--stage", "index", "--stage", "index"]).output().unwrap().stdout;
    let mut shell = Command::new("bash");
    shell
        .arg("-c")
        .arg(String::from_utf8(chain).unwrap())
        .env("SLURM_CONF", slurm.conf())
        .current_dir(slurm.dir.path());
    let ids = Ran::from(shell.output().unwrap()).ends(0).stdout;
    let ids: Vec<&str> = ids.split_whitespace().collect();
    assert_eq!(ids.len(), 2, "{ids:?}");
    slurm.wait_until_gone(ids[1], 20);
    assert_eq!(archive.hit("picture 3")["title"], "picture 3.png");
    let ran = fan(&["--jobs-per-worker", "1", "--in-flight", "2"]).ends(0);
    assert!(ran.stdout.contains("6 job(s), 4 worker(s)") && ran.stdout.contains("MaxArraySize"), "{ran:?}");
    slurm.wait_until_gone(&submitted(&ran), 40);
    assert_eq!(of_state(&jobs(&archive), "done").len(), 6);
}

#[test]
fn a_script_is_printed_where_there_is_no_slurm() {
    let (archive, drive) = (archive_with(None), scratch());
    picture(&drive.path().join("a.png"), 1);
    picture(&drive.path().join("b.png"), 2);
    archive.ingest(drive.path()).0.ends(0);
    let empty = scratch();
    let fan = |words: &[&str]| -> Ran {
        let words = ["fanout", "slurm", "--stage", "transcode"].iter().chain(words);
        archive.command(words).env("PATH", empty.path()).output().unwrap().into()
    };
    let options = ["--workers", "9", "--jobs-per-worker", "1", "--in-flight", "1", "--partition", "long,short"];
    let more = ["--gpus", "a100:1", "--account", "news", "--qos", "night", "--after", "17", "--after", "afterok:18_2"];
    let program = ["--program", "/opt/it's here/damctl"];
    let script = fan(&[&options[..], &more, &program].concat()).ends(0).stdout;
    // It is a script: the shell has nothing against it, and its command comes out as it was meant.
    let file = empty.path().join("script");
    std::fs::write(&file, &script).unwrap();
    tool("bash", ["-n", file.to_str().unwrap()]);
    let told =
        script.replace(archive.root().to_str().unwrap(), "/archive").replace(env!("CARGO_PKG_VERSION"), "[version]");
    insta::assert_snapshot!("script", told);
    let chain = archive.run(["fanout", "slurm", "--stage", "transcode", "--stage", "index"]).ends(0).stdout;
    std::fs::write(&file, &chain).unwrap();
    tool("bash", ["-n", file.to_str().unwrap()]);
    assert!(chain.contains("--dependency=\"afterany:${job%%;*}\" --kill-on-invalid-dep=yes"), "{chain}");
    // Each stage of a chain has what is its own.
    let profile = archive.root().join("small.yaml");
    std::fs::write(&profile, std::fs::read_to_string(&profile).unwrap() + "enrich:\n  looks: {}\n").unwrap();
    let stages = ["--stage", "transcode", "--stage", "enrich", "--stage", "index"];
    let its = ["--gpus", "3", "--partition", "cpu", "--partition", "enrich=gpu"];
    let chain = archive.run([&["fanout", "slurm"], &stages[..], &its].concat()).ends(0).stdout;
    let asked = |what: &str| -> Vec<&str> { chain.lines().filter(|l| l.contains(what)).collect() };
    assert_eq!(asked("--partition=").len(), 3, "{chain}");
    assert_eq!((asked("--partition=cpu").len(), asked("--partition=gpu").len()), (2, 1), "{chain}");
    assert_eq!(asked("--gpus").iter().filter(|l| l.ends_with('3')).count(), 1, "{chain}");
    fan(&["--partition", "index=x"]).ends(2).says("--partition names the stage 'index'");
    fan(&["--submit"]).ends(2).says("sbatch is not here").says("leave --submit out");
    fan(&["--partition", "; rm -rf /"]).ends(2).says("is no partition");
    fan(&["--account", "$(id)"]).ends(2).says("is no name of Slurm's");
    fan(&["--after", "1;id"]).ends(2).says("is no job to wait for");
    fan(&["--gpus", "1\n#SBATCH --uid=0"]).ends(2).says("is no number of GPUs");
    fan(&["--program", "/a\n#SBATCH --uid=0"]).ends(2).says("cannot be written into a script");
    fan(&["--time", "5s"]).ends(2).says("expected 2 minutes");
    fan(&["--memory", "8"]).ends(2).says("is no amount");
    fan(&["--workers", "0"]).ends(2);
    archive.run(["fanout", "slurm", "--stage", "ingest"]).ends(2).says("a drive is read where it is plugged in");
    let away =
        archive.command(["fanout", "slurm", "--stage", "transcode"]).env("DAMCTL_CATALOG", "/no/such/catalog").output();
    Ran::from(away.unwrap()).ends(2).says("cannot open the catalog /no/such/catalog").says("hint: ");
    // The worker's command, as the script has it.
    let command = script.lines().last().unwrap();
    let words = command.split_once("transcode ").unwrap().1;
    archive.run(["transcode"].into_iter().chain(words.split(' '))).ends(0).says("2 master(s) rendered; 0 wait");
    let none = fan(&["--submit"]).ends(0).stdout;
    assert!(none.starts_with("# nothing to do") && none.contains("nothing is started"), "{none}");
}

#[test]
fn what_somebody_waits_for_does_not_wait_behind_the_backlog() {
    let (archive, drive) = (archive_with(None), scratch());
    for seed in 0..5 {
        picture(&drive.path().join(format!("picture {seed}.png")), seed);
    }
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode", "--enqueue"]).ends(0).says("5 master(s) wait for a worker");
    archive.run(["index"]).ends(0);
    let asset = archive.hit("picture 3")["asset"].as_str().unwrap().to_owned();
    // It waits in the backlog already: its place is changed.
    archive.run(["transcode", "--asset", &asset, "--interactive", "--enqueue"]).ends(0).says("1 master(s) wait");
    // Planning the backlog again does not send it back.
    archive.run(["transcode", "--enqueue"]).ends(0);
    archive.run(["transcode", "--drain", "--queue", "large"]).ends(0).says("no job waits in the queue 'large'");
    archive.run(["transcode", "--drain", "--queue", "interactive"]).ends(0).says("1 master(s) rendered; 0 wait");
    let done = jobs(&archive);
    assert!(of_state(&done, "done").iter().all(|j| j["subject"].as_str().unwrap().starts_with("picture 3.png")));
    archive.run(["transcode", "--drain", "--queue", "batch", "--workers", "1"]).ends(0).says("4 master(s) rendered");
    archive.run(["transcode"]).ends(0).says("nothing to do");
    archive.run(["transcode", "--drain", "--queue", "sometimes"]).ends(2).says("is not a queue");
    archive.run(["transcode", "--queue", "batch"]).ends(2);
    archive.run(["transcode", "--drain", "--interactive"]).ends(2);
}

#[test]
fn a_shift_that_is_over_says_what_is_left() {
    let (archive, drive) = (archive_with(None), scratch());
    for seed in 0..4 {
        clip(&drive.path().join(format!("clip {seed}.mp4")), 6, seed);
    }
    archive.ingest(drive.path()).0.ends(0);
    archive.run(["transcode", "--enqueue"]).ends(0);
    let ran = archive.run(["transcode", "--drain", "--workers", "1", "--for", "100ms"]);
    ran.ends(3).says("the time is up: ").says("job(s) are left");
    archive.run(["transcode", "--drain"]).ends(0).says("0 wait");
}

#[test]
fn what_ran_out_of_memory_comes_again_where_there_is_more() {
    let (archive, drive) = (archive_with(None), scratch());
    picture(&drive.path().join("small.png"), 1);
    // 300 MB of pixels in a small file.
    image::RgbImage::new(10_000, 10_000).save(drive.path().join("large.png")).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    let transcode = |memory: &str, queue: &str| -> Ran {
        let words = ["transcode", "--drain", "--queue", queue, "--workers", "1"];
        archive.command(words).env("DAMCTL_MEMORY", memory).output().unwrap().into()
    };
    archive.run(["transcode", "--enqueue"]).ends(0);
    transcode("300", "batch").ends(1).says("it takes more memory than there was (300 MB at most)");
    let failed = jobs(&archive);
    assert_eq!(of_state(&failed, "failed")[0]["error"]["kind"], "out_of_memory", "{failed:#?}");
    let fan = |queue: &str| archive.run(["fanout", "slurm", "--stage", "transcode", "--queue", queue]).ends(0).stdout;
    let usual = fan("batch");
    assert!(
        usual.contains("nothing to do") && usual.contains("1 job(s) ran out of memory: '--queue large'"),
        "{usual}"
    );
    let script = fan("large");
    assert!(
        script.contains("# 1 job(s) of 'transcode' (queue 'large')") && script.contains("--mem=16384M"),
        "{script}"
    );
    assert!(script.contains("export DAMCTL_MEMORY=15872") && script.contains("--queue large"), "{script}");
    // Those that have no more leave it alone.
    transcode("300", "batch").ends(0).says("nothing to do");
    transcode("4096", "large").ends(0).says("1 master(s) rendered; 0 wait");
    assert!(fan("large").contains("nothing to do"));
    assert_eq!(of_state(&jobs(&archive), "done").len(), 2);
}

#[test]
fn a_task_that_is_killed_leaves_its_job_to_those_with_more_memory() {
    let Some(slurm) = Slurm::up(1, 1001) else { return };
    let (archive, drive) = (archive_with(None), scratch());
    clip(&drive.path().join("long.mp4"), 60, 1);
    archive.ingest(drive.path()).0.ends(0);
    let array = submitted(&slurm.fan(&archive, &["--stage", "transcode", "--time", "10m", "--submit"]).ends(0));
    let worker = wait_for("the job's start", 30, || {
        of_state(&jobs(&archive), "leased").first().map(|j| j["worker"].as_str().unwrap().to_owned())
    });
    // What the kernel does to a task that is over its memory.
    tool("kill", ["-KILL", worker.rsplit('/').nth(1).unwrap()]);
    slurm.wait_until_gone(&array, 20);
    let ran = slurm.fan(&archive, &["--stage", "transcode", "--queue", "large"]).ends(0);
    assert!(ran.stdout.contains("# 1 job(s) of 'transcode' (queue 'large')"), "{ran:?}");
    archive.run(["transcode", "--drain", "--queue", "batch"]).ends(0).says("nothing to do");
    let shown = archive.run(["jobs", "show", jobs(&archive)[0]["id"].as_str().unwrap()]).ends(0).stdout;
    assert!(shown.contains("ready") && shown.contains(" lost "), "{shown}");
}

#[test]
fn what_the_kernel_kills_for_memory_is_told_so() {
    let group = PathBuf::from(format!("/sys/fs/cgroup/memory/damctl-test-{}", std::process::id()));
    if std::fs::create_dir(&group).is_err() {
        eprintln!("skipped: it takes root, and a control group of the first version for memory");
        return;
    }
    std::fs::write(group.join("memory.limit_in_bytes"), "200M").unwrap();
    let (archive, drive) = (archive_with(None), scratch());
    image::RgbImage::new(10_000, 10_000).save(drive.path().join("large.png")).unwrap();
    archive.ingest(drive.path()).0.ends(0);
    let enter = format!("echo $$ > {}/cgroup.procs && exec \"$0\" \"$@\"", group.display());
    let damctl = archive.command(["transcode", "--workers", "1"]);
    let mut shell = Command::new("sh");
    let ran = Ran::from(shell.args(["-c", &enter]).arg(damctl.get_program()).args(damctl.get_args()).output().unwrap());
    wait_for("the end of the group", 10, || std::fs::remove_dir(&group).ok());
    ran.ends(1).says("it takes more memory than there was");
    assert_eq!(jobs(&archive)[0]["error"]["kind"], "out_of_memory");
}
