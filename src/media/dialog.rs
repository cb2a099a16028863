//! A child process that lives on: it is asked one thing after the other, and answers in lines. Whatever it does (crash, hang, eat
//! memory, lie) becomes a typed failure of what it was asked last.

use std::{
    io::Write,
    ops::ControlFlow,
    path::{Path, PathBuf},
    process::ChildStdin,
    sync::mpsc::{Receiver, RecvTimeoutError},
    time::{Duration, Instant},
};

use rustix::process::Signal;
use serde::{Serialize, de::DeserializeOwned};

use super::{
    Limits,
    child::{ChildProcess, Heard, Process, Running, judge, listen, out_of_memory},
    memory, room,
};
use crate::{
    error::{Doing, Error, Kind, Result},
    stop::Stop,
};

/// Longest line of an answer: the words of days.
const LONGEST: u64 = 1 << 30;
/// How long lines may be behind the end of what was complained.
const LATE: Duration = Duration::from_secs(2);

/// A child process that waits for questions. Dropping it ends it, and all that it started.
pub struct Dialog {
    child: Running,
    heard: Receiver<Heard>,
    stdin: Option<ChildStdin>,
    limits: Limits,
    /// What it may write into.
    dir: PathBuf,
    peak: u64,
}

impl Drop for Dialog {
    fn drop(&mut self) {
        self.child.end_group(Signal::KILL);
        self.child.process.wait().ok();
    }
}

impl ChildProcess {
    /// Starts a subcommand that answers questions, in a folder that it may write into.
    pub fn talk(&self, subcommand: &str, dir: &Path, limits: &Limits) -> Result<Dialog> {
        let mut command = self.command(subcommand, dir);
        // Threads that wait for each other are not to keep a core busy with it.
        command.env("OMP_WAIT_POLICY", "passive");
        // Where it fails, ggml would have a debugger look at it, and wait.
        command.env("GGML_NO_BACKTRACE", "1");
        let mut process = command.spawn().doing(|| format!("cannot start {}", self.exe.display()))?;
        let heard = listen(process.stdout.take(), process.stderr.take(), LONGEST);
        let stdin = process.stdin.take();
        Ok(Dialog {
            child: Running { process: Process::Spawned(process) },
            heard,
            stdin,
            limits: limits.clone(),
            dir: dir.to_owned(),
            peak: 0,
        })
    }
}

impl Dialog {
    /// Asks something, and hands each line of the answer to `each`, which says when it was the last. After an error other than one
    /// that `each` gave, the child is no good any more.
    pub fn ask<A: DeserializeOwned>(
        &mut self,
        question: &impl Serialize,
        stop: &Stop,
        each: &mut dyn FnMut(A) -> Result<ControlFlow<()>>,
    ) -> Result<()> {
        let mut line =
            serde_json::to_vec(question).map_err(|e| Error::internal("cannot write the question").because(e))?;
        line.push(b'\n');
        if let Some(stdin) = &mut self.stdin {
            // One that has died before is told by how.
            stdin.write_all(&line).and_then(|()| stdin.flush()).ok();
        }
        let (began, mut moved, kills) = (Instant::now(), Instant::now(), memory::kills());
        let mut complained: Option<(Instant, String)> = None;
        loop {
            self.peak = self.peak.max(memory::peak(self.child.process.id()).unwrap_or(0));
            match self.heard.recv_timeout(Duration::from_millis(50)) {
                Ok(Heard::Line(line)) => {
                    let answer = serde_json::from_slice(&line)
                        .map_err(|e| Error::internal("the child said what nobody understands").because(e))?;
                    moved = Instant::now();
                    if each(answer)?.is_break() {
                        return Ok(());
                    }
                }
                // It has ended; what it answered last may still be on its way.
                Ok(Heard::Complaint(text)) => {
                    complained = Some((Instant::now(), String::from_utf8_lossy(&text).into_owned()));
                }
                Err(RecvTimeoutError::Disconnected) => {
                    let complaint = complained.map(|(_, text)| text).unwrap_or_default();
                    return Err(self.end(&complaint, kills));
                }
                Err(RecvTimeoutError::Timeout) => {}
            }
            if let Some((_, complaint)) = complained.as_ref().filter(|(since, _)| since.elapsed() > LATE) {
                return Err(self.end(&complaint.clone(), kills));
            }
            stop.check()?;
            let patience = Duration::from_secs(self.limits.stall_seconds);
            if moved.elapsed() > patience {
                let e = Error::unavailable(format!("stalled: nothing was heard for {} s", patience.as_secs()))
                    .hint("the file may make its decoder hang, or the machine is very busy: the setting 'stall'");
                return Err(self.explained(e));
            }
            if began.elapsed() > Duration::from_secs(self.limits.wall_seconds) {
                return Err(Error::corrupt(format!("it took longer than {} s", self.limits.wall_seconds)));
            }
        }
    }

    /// Whether it was memory or room that lacked where this failed: threads that cannot be started are waited for in vain.
    pub fn explained(&self, e: Error) -> Error {
        let is_short = memory::ran_short(self.peak, &self.limits, "");
        match (e.kind(), is_short) {
            (Kind::Corrupt | Kind::Internal | Kind::Unavailable, true) => out_of_memory(self.limits.memory_bytes, e),
            _ => room::explained(&self.dir, e),
        }
    }

    /// Changes how long what is asked next may take.
    pub fn limit(&mut self, limits: &Limits) {
        self.limits = limits.clone();
    }

    /// How it ended.
    fn end(&mut self, complaint: &str, kills: Option<u64>) -> Error {
        let since = Instant::now();
        let status = loop {
            match self.child.process.try_wait() {
                Ok(Some(status)) => break Some(status),
                Ok(None) if since.elapsed() < Duration::from_secs(2) => std::thread::sleep(Duration::from_millis(5)),
                _ => break None,
            }
        };
        let Some(status) = status else { return Error::internal("the child closed its mouth and lives on") };
        use std::os::unix::process::ExitStatusExt;
        let is_short = match status.signal() {
            Some(9) => memory::kills() > kills,
            _ => memory::ran_short(self.peak, &self.limits, complaint),
        };
        let e = match judge("the child process", status, &self.limits, complaint, false) {
            Ok(()) => Error::internal("the child ended in the middle of its answer"),
            Err(e) => e,
        };
        match (e.kind(), is_short) {
            (Kind::Corrupt | Kind::Internal | Kind::Unavailable, true) => out_of_memory(self.limits.memory_bytes, e),
            _ => room::explained(&self.dir, e),
        }
    }
}
