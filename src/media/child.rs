//! Starts `damctl render`, watches it and ends it. Whatever it does (crash, hang, eat memory, lie) becomes a typed
//! failure of one item.

use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::process::{CommandExt, ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus, Stdio},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        mpsc::{Receiver, RecvTimeoutError, Sender, channel},
    },
    time::{Duration, Instant},
};

use rustix::process::{Pid, Signal, kill_process_group};

use super::{
    Limits, Order, Report, memory, room,
    zygote::{Forked, Zygote},
};
use crate::{
    error::{Doing, Error, Kind, Result},
    model::{MediaFacts, MediaKind},
    stop::Stop,
};

/// Longest line that the child may say, and the end of standard error that is kept for messages.
const LINE: u64 = 1 << 20;
const COMPLAINT: usize = 4 << 10;

/// How long the child may take to end after it was asked to. What it made by then is of no use, and an encoder of large
/// pictures may have seconds of them in hand.
const GRACE: Duration = Duration::from_secs(1);

/// How much longer the parent waits for a sign of life than the child itself does, which knows better what stands still.
const LATER: Duration = Duration::from_secs(3);

/// How to start the child process.
#[derive(Clone, Debug)]
pub struct ChildProcess {
    /// The `damctl` binary.
    pub exe: PathBuf,
    /// Where GStreamer keeps what it knows of its plugins, so that no child has to find out again.
    pub registry: Option<PathBuf>,
    /// What forks those that carry out orders; clones share it.
    forks: Arc<Mutex<Forks>>,
}

/// Whether processes are forked.
#[derive(Debug, Default)]
enum Forks {
    #[default]
    NotYet,
    By(Arc<Zygote>),
    /// Each is started for itself.
    Never,
}

impl ChildProcess {
    /// Nothing is started yet.
    pub fn new(exe: PathBuf, registry: Option<PathBuf>) -> Self {
        Self { exe, registry, forks: Arc::default() }
    }

    /// Has the order carried out, handing each of the child's reports to `each`. Returns when the child and all it
    /// started are gone. Reports handed over before an error stand.
    pub fn run(&self, order: &Order, stop: &Stop, each: &mut dyn FnMut(Report)) -> Result<()> {
        stop.check()?;
        let (mut child, heard) = self.start(order, stop)?;
        let outcome = watch((&mut child, &heard), order, stop, &mut |report| {
            each(match report {
                Report::Failed { output, failure } => {
                    Report::Failed { output, failure: room::told(&order.out_dir, failure) }
                }
                report => report,
            });
        });
        // Before what it left behind is removed.
        let outcome = room::ended(&order.out_dir, outcome);
        // The group is its own, so this reaches the tools that it started, and nobody else.
        child.end_group(Signal::KILL);
        child.process.wait().ok();
        outcome
    }

    /// Brings the registry up to date. Called before any hostile byte is touched, outside of the sandbox.
    pub fn warm(&self) -> Result<()> {
        let Some(registry) = &self.registry else { return Ok(()) };
        let mut command = Command::new(&self.exe);
        let status = command
            .args(["render", "--warm"])
            .env("GST_REGISTRY", registry)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .status();
        // What is missing here is told by the file that needs it.
        status.map(drop).doing(|| format!("cannot start {}", self.exe.display()))
    }

    /// A subcommand of this program, in a folder that it may write into, with nothing of the environment but what it needs.
    pub(super) fn command(&self, subcommand: &str, dir: &Path) -> Command {
        let mut command = Command::new(&self.exe);
        command.arg(subcommand).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command.process_group(0).current_dir(dir).env_clear();
        for keep in [
            "PATH",
            "LANG",
            "LC_ALL",
            "GST_REGISTRY",
            "GST_PLUGIN_PATH",
            "GST_PLUGIN_SYSTEM_PATH",
            "LD_LIBRARY_PATH",
            // Which graphics processors are this job's, as schedulers say it.
            "CUDA_VISIBLE_DEVICES",
            "GGML_VK_VISIBLE_DEVICES",
            "DAMCTL_CRASH_AT",
        ] {
            if let Some(value) = std::env::var_os(keep) {
                command.env(keep, value);
            }
        }
        if let Some(registry) = &self.registry {
            command.env("GST_REGISTRY", registry);
        }
        command.env("GST_REGISTRY_UPDATE", "no").env("HOME", dir).env("TMPDIR", dir);
        // Its limit is one of addresses: the allocator is not to claim a gigabyte of them beforehand.
        command.env("MIMALLOC_ARENA_RESERVE", "16MiB");
        command
    }

    fn start(&self, order: &Order, stop: &Stop) -> Result<(Running, Receiver<Heard>)> {
        // Told here, where it is known what kind of error it is.
        let dir = &order.out_dir;
        std::fs::metadata(dir.join(".")).doing(|| format!("cannot work in {}", dir.display()))?;
        let text = serde_json::to_vec(order).map_err(|e| Error::internal("cannot write the order").because(e))?;
        // A child that dies before it has read is told by its exit status.
        if let Some(mut forked) = is_of_recording(order).then(|| self.fork(dir, stop)).flatten() {
            let heard = listen(forked.stdout.take(), forked.stderr.take(), LINE);
            forked.stdin.take().and_then(|mut stdin| stdin.write_all(&text).ok());
            return Ok((Running { process: Process::Forked(forked) }, heard));
        }
        let mut spawned =
            self.command("render", &order.out_dir).spawn().doing(|| format!("cannot start {}", self.exe.display()))?;
        let heard = listen(spawned.stdout.take(), spawned.stderr.take(), LINE);
        spawned.stdin.take().and_then(|mut stdin| stdin.write_all(&text).ok());
        Ok((Running { process: Process::Spawned(spawned) }, heard))
    }

    /// A process that works in this folder, by the zygote, or by another one where that has died. None where there can be none.
    fn fork(&self, dir: &Path, stop: &Stop) -> Option<Forked> {
        loop {
            let (zygote, is_new) = match &mut *self.forks() {
                Forks::Never => return None,
                Forks::By(zygote) => (zygote.clone(), false),
                none => {
                    let mut command = self.command("render", Path::new("/"));
                    command.arg("--zygote");
                    let Ok(zygote) = Zygote::start(command).map(Arc::new) else { return None };
                    *none = Forks::By(zygote.clone());
                    (zygote, true)
                }
            };
            if let Ok(forked) = zygote.fork(dir, stop) {
                return forked;
            }
            let mut forks = self.forks();
            if matches!(&*forks, Forks::By(known) if Arc::ptr_eq(known, &zygote)) {
                *forks = if is_new { Forks::Never } else { Forks::NotYet };
            }
        }
    }

    fn forks(&self) -> MutexGuard<'_, Forks> {
        self.forks.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Whether an order is for what the zygote has loaded. What that takes counts against its memory, so that pictures, and files
/// that are measured by tools, do without.
fn is_of_recording(order: &Order) -> bool {
    let is_picture = |facts: &MediaFacts| matches!(facts.kind, MediaKind::Image | MediaKind::Animation);
    !order.outputs.is_empty() && !order.facts.as_ref().is_some_and(is_picture)
}

/// A child, however it was started.
pub(super) enum Process {
    Spawned(Child),
    Forked(Forked),
}

impl Process {
    pub(super) fn id(&self) -> u32 {
        match self {
            Process::Spawned(child) => child.id(),
            Process::Forked(forked) => forked.pid,
        }
    }

    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        match self {
            Process::Spawned(child) => child.try_wait(),
            Process::Forked(forked) => forked.try_wait(),
        }
    }

    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        match self {
            Process::Spawned(child) => child.wait(),
            Process::Forked(forked) => forked.wait(),
        }
    }
}

pub(super) struct Running {
    pub(super) process: Process,
}

impl Running {
    pub(super) fn end_group(&self, signal: Signal) {
        if let Some(pid) = Pid::from_raw(self.process.id() as i32) {
            kill_process_group(pid, signal).ok();
        }
    }
}

pub(super) enum Heard {
    Line(Vec<u8>),
    Complaint(Vec<u8>),
}

pub(super) fn listen(
    out: Option<impl Read + Send + 'static>,
    err: Option<impl Read + Send + 'static>,
    longest: u64,
) -> Receiver<Heard> {
    let (sender, receiver) = channel();
    if let Some(out) = out {
        let sender: Sender<Heard> = sender.clone();
        std::thread::spawn(move || {
            let mut out = BufReader::new(out);
            loop {
                let mut line = Vec::new();
                match out.by_ref().take(longest).read_until(b'\n', &mut line) {
                    Ok(0) | Err(_) => break,
                    Ok(_) => {
                        if sender.send(Heard::Line(line)).is_err() {
                            break;
                        }
                    }
                }
            }
        });
    }
    if let Some(mut err) = err {
        std::thread::spawn(move || {
            let mut kept = Vec::new();
            let mut block = [0; 1024];
            while let Ok(n @ 1..) = err.read(&mut block) {
                kept.extend_from_slice(&block[..n]);
                let excess = kept.len().saturating_sub(COMPLAINT);
                kept.drain(..excess);
            }
            sender.send(Heard::Complaint(kept)).ok();
        });
    }
    receiver
}

fn watch(
    (child, heard): (&mut Running, &Receiver<Heard>),
    order: &Order,
    stop: &Stop,
    each: &mut dyn FnMut(Report),
) -> Result<()> {
    let limits = &order.limits;
    let (began, mut moved) = (Instant::now(), Instant::now());
    let mut asked_to_end: Option<(Instant, Error)> = None;
    let mut complaint = String::new();
    let mut done = -1.0;
    let mut garbled = false;
    // Why the whole order failed, when the child could still say.
    let mut told = false;
    let (kills, mut peak) = (memory::kills(), 0);
    loop {
        peak = peak.max(memory::peak(child.process.id()).unwrap_or(0));
        match heard.recv_timeout(Duration::from_millis(50)) {
            Ok(Heard::Line(line)) => match serde_json::from_slice::<Report>(&line) {
                Ok(Report::Progress { done: now }) => {
                    // It is told because something moved: the share may stand still for hours while an encoder drains.
                    moved = Instant::now();
                    if now != done {
                        done = now;
                        each(Report::Progress { done: now });
                    }
                }
                Ok(report) => {
                    moved = Instant::now();
                    told |= matches!(report, Report::Failed { output: None, .. });
                    each(report);
                }
                Err(_) => garbled = true,
            },
            Ok(Heard::Complaint(text)) => complaint = String::from_utf8_lossy(&text).into_owned(),
            Err(RecvTimeoutError::Timeout) => {}
            // Both pipes are closed: it has ended, or is about to.
            Err(RecvTimeoutError::Disconnected) => std::thread::sleep(Duration::from_millis(2)),
        }
        if let Some(status) = child.process.try_wait().doing(|| "cannot wait for the renderer")? {
            // What it said last is still to be heard; a grandchild may hold the pipes open, so not for ever.
            let last = Instant::now();
            while last.elapsed() < Duration::from_millis(500) {
                match heard.recv_timeout(Duration::from_millis(50)) {
                    Ok(Heard::Line(line)) => match serde_json::from_slice::<Report>(&line) {
                        Ok(report) => {
                            told |= matches!(report, Report::Failed { output: None, .. });
                            each(report);
                        }
                        Err(_) => garbled = true,
                    },
                    Ok(Heard::Complaint(text)) => complaint = String::from_utf8_lossy(&text).into_owned(),
                    Err(RecvTimeoutError::Disconnected) => break,
                    Err(RecvTimeoutError::Timeout) => child.end_group(Signal::KILL),
                }
            }
            let is_short = match (&asked_to_end, status.signal()) {
                (None, Some(9)) => memory::kills() > kills,
                _ => memory::ran_short(peak, limits, &complaint),
            };
            let judged = match asked_to_end {
                Some((_, why)) => Err(why),
                // Whoever asks all processes of a job to end may reach the child first.
                None if stop.is_tripped() && !matches!(status.code(), Some(0 | 1)) => Err(Error::stopped()),
                None if told && status.code().is_some() => Ok(()),
                None => judge("the renderer", status, limits, &complaint, garbled),
            };
            return judged.map_err(|e| match (e.kind(), is_short) {
                (Kind::Corrupt | Kind::Internal | Kind::Unavailable, true) => out_of_memory(limits.memory_bytes, e),
                _ => e,
            });
        }
        let why = match () {
            () if stop.is_tripped() => Some(Error::stopped()),
            () if moved.elapsed() > Duration::from_secs(limits.stall_seconds) + LATER => Some(
                Error::unavailable(format!(
                    "stalled: the renderer gave no sign of life for {} s, {}, and was ended",
                    limits.stall_seconds,
                    if done < 0.0 { "from its start on".to_owned() } else { format!("at {:.1} %", done * 100.0) }
                ))
                .hint("the disk or share that it is read from may hang, or the file makes its decoder hang"),
            ),
            () if began.elapsed() > Duration::from_secs(limits.wall_seconds) => {
                Some(Error::corrupt(format!("the renderer took longer than {} s and was ended", limits.wall_seconds)))
            }
            () => None,
        };
        match (&asked_to_end, why) {
            (None, Some(why)) => {
                child.end_group(Signal::TERM);
                asked_to_end = Some((Instant::now(), why));
            }
            (Some((since, _)), _) if since.elapsed() > GRACE => child.end_group(Signal::KILL),
            _ => {}
        }
    }
}

pub(super) fn out_of_memory(limit: u64, e: Error) -> Error {
    Error::new(Kind::OutOfMemory, format!("it takes more memory than there was ({} MB at most)", limit >> 20))
        .because(e)
        .hint("raise the setting 'memory', or have a fan-out's queue 'large' do it; 'damctl jobs retry' tries again")
}

pub(super) fn judge(who: &str, status: ExitStatus, limits: &Limits, complaint: &str, garbled: bool) -> Result<()> {
    let last_words = complaint
        .trim()
        .lines()
        .rfind(|l| !l.starts_with("note: "))
        .map(|l| format!(": {}", l.trim()))
        .unwrap_or_default();
    match (status.code(), status.signal()) {
        (Some(0 | 1), _) if !garbled => Ok(()),
        (Some(0 | 1), _) => Err(Error::internal(format!("{who} said what nobody understands"))),
        (_, Some(9)) => Err(Error::unavailable(format!("{who} was killed from outside, perhaps for lack of memory"))),
        (Some(130 | 143), _) | (_, Some(2 | 15)) => {
            Err(Error::unavailable(format!("{who} was asked from outside to end")))
        }
        (_, Some(24)) => {
            Err(Error::corrupt(format!("{who} used more than {} s of processor time", limits.cpu_seconds)))
        }
        (_, Some(signal)) => Err(Error::corrupt(format!(
            "{who} crashed (signal {signal}{}) within its limit of {} MB{last_words}",
            match signal {
                6 => ", abort",
                7 => ", bus error",
                8 => ", arithmetic",
                11 => ", segmentation fault",
                _ => "",
            },
            limits.memory_bytes >> 20
        ))),
        (Some(code), _) => Err(Error::internal(format!("{who} ended with code {code}{last_words}"))),
        _ => Err(Error::internal(format!("{who} ended for no reason"))),
    }
}
