//! A process that has loaded what renderers need, and forks one for each order: to load it takes longer than a small order
//! does.
//!
//! It reads requests from a socket: a folder to work in, and four ends of pipes. Three become the standard streams of the new
//! process; the zygote itself tells by the fourth its number, and how it ended. It has seen nothing of any master, and
//! one process never carries out two orders.

use std::{
    ffi::OsStr,
    io::{self, IoSlice, IoSliceMut, PipeReader, PipeWriter, Read, Write},
    os::{
        fd::{AsFd, OwnedFd},
        unix::{ffi::OsStrExt, process::ExitStatusExt},
    },
    path::Path,
    process::{Child, Command, ExitStatus, Stdio},
    time::{Duration, Instant},
};

use rustix::{
    event::{PollFd, PollFlags, Timespec, poll},
    io::{Errno, ioctl_fionbio},
    net::{
        AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, ReturnFlags, SendAncillaryBuffer,
        SendAncillaryMessage, SendFlags, SocketFlags, SocketType, recvmsg, sendmsg, socketpair,
    },
    process::{Pid, PidfdFlags, WaitOptions, getpid, getppid, pidfd_open, setpgid, waitpid},
};

use super::sandbox;
use crate::{
    error::{Doing, Error, Result},
    stop::Stop,
};

/// Longest path that the kernel takes.
const LONGEST: usize = 4096;

/// Ends of pipes in a request: standard input, output and error, and where it is told how it ended.
const ENDS: usize = 4;

/// How long a zygote may take to load all and to fork, on a machine that is busy; how long to tell that a process has ended.
const PATIENCE: Duration = Duration::from_secs(30);
const UNTOLD: Duration = Duration::from_secs(1);

/// How long is waited at a time.
const LOOK: Timespec = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
const NOW: Timespec = Timespec { tv_sec: 0, tv_nsec: 0 };

/// Whether there is something to be read, now or a little later.
fn is_ready(from: &impl AsFd, within: Timespec) -> io::Result<bool> {
    match poll(&mut [PollFd::new(from, PollFlags::IN)], Some(&within)) {
        Ok(ready) => Ok(ready > 0),
        Err(Errno::INTR) => Ok(false),
        Err(e) => Err(e.into()),
    }
}

/// The one who asks for processes. Dropping it ends the zygote, and with it all that it forked.
#[derive(Debug)]
pub(super) struct Zygote {
    socket: OwnedFd,
    process: Child,
}

impl Drop for Zygote {
    fn drop(&mut self) {
        self.process.kill().ok();
        self.process.wait().ok();
    }
}

/// A process that was forked.
pub(super) struct Forked {
    pub(super) pid: u32,
    pub(super) stdin: Option<PipeWriter>,
    pub(super) stdout: Option<PipeReader>,
    pub(super) stderr: Option<PipeReader>,
    status: PipeReader,
    /// The process itself, which can be seen to have ended where the zygote does not tell. None: it had ended by then.
    itself: Option<OwnedFd>,
    gone: Option<Instant>,
    ended: Option<ExitStatus>,
}

impl Zygote {
    /// `command` is to call [`serve`].
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        let (ours, theirs) = socketpair(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None)?;
        let process = command.stdin(theirs).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?;
        Ok(Self { socket: ours, process })
    }

    /// A process that works in this folder; none where there could be none this time. An error where the zygote is no good any
    /// more.
    pub(super) fn fork(&self, dir: &Path, stop: &Stop) -> io::Result<Option<Forked>> {
        let (Ok((order, stdin)), Ok((stdout, reports)), Ok((stderr, complaints)), Ok((mut status, tells))) =
            (io::pipe(), io::pipe(), io::pipe(), io::pipe())
        else {
            return Ok(None);
        };
        let ends = [order.as_fd(), reports.as_fd(), complaints.as_fd(), tells.as_fd()];
        let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(ENDS))];
        let mut control = SendAncillaryBuffer::new(&mut room);
        control.push(SendAncillaryMessage::ScmRights(&ends));
        sendmsg(&self.socket, &[IoSlice::new(dir.as_os_str().as_bytes())], &mut control, SendFlags::NOSIGNAL)?;
        drop((order, reports, complaints, tells));
        let asked = Instant::now();
        while !is_ready(&status, LOOK)? {
            if stop.is_tripped() {
                return Ok(None);
            }
            if asked.elapsed() > PATIENCE {
                return Err(io::ErrorKind::TimedOut.into());
            }
        }
        let mut pid = [0; 4];
        if let Err(e) = status.read_exact(&mut pid) {
            // It has lost this request alone where it is still there.
            return if self.has_ended()? { Err(e) } else { Ok(None) };
        }
        let Some(pid) = Pid::from_raw(i32::from_ne_bytes(pid)) else { return Ok(None) };
        ioctl_fionbio(&status, true)?;
        let [stdout, stderr] = [stdout, stderr].map(Some);
        let itself = pidfd_open(pid, PidfdFlags::empty()).ok();
        let pid = pid.as_raw_nonzero().get().unsigned_abs();
        Ok(Some(Forked { pid, stdin: Some(stdin), stdout, stderr, status, itself, gone: None, ended: None }))
    }
}

impl Zygote {
    fn has_ended(&self) -> io::Result<bool> {
        let mut polled = [PollFd::new(&self.socket, PollFlags::IN)];
        poll(&mut polled, Some(&NOW))?;
        Ok(polled[0].revents().contains(PollFlags::HUP))
    }
}

impl Forked {
    /// How it ended, once it has.
    pub(super) fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        let mut raw = [0; 4];
        match self.ended {
            Some(_) => {}
            None => match self.status.read(&mut raw) {
                Ok(4) => self.ended = Some(ExitStatus::from_raw(i32::from_ne_bytes(raw))),
                // The zygote was killed, which kills all that it forked.
                Ok(_) => self.ended = Some(ExitStatus::from_raw(9)),
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {
                    let is_gone = self.itself.as_ref().map_or(Ok(true), |itself| is_ready(itself, NOW))?;
                    // A zygote that stands still tells nothing, and cannot be asked how it ended.
                    if is_gone && self.gone.get_or_insert_with(Instant::now).elapsed() > UNTOLD {
                        self.ended = Some(ExitStatus::from_raw(9));
                    }
                }
                Err(e) => return Err(e),
            },
        }
        Ok(self.ended)
    }

    /// Waits for its end.
    pub(super) fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            is_ready(&self.status, LOOK)?;
        }
    }
}

/// A process that the zygote waits for: by what, which one, and whom it tells.
struct Waited {
    by: OwnedFd,
    pid: Pid,
    tells: PipeWriter,
}

/// Serves as a zygote on standard input. True in each process that it forks, which is to carry out what standard input then
/// gives; false at the end, when whoever asked is gone.
///
/// Errors: `Unsupported` where there is more than one thread, for the others would be missing in what is forked, and on
/// kernels before 5.3.
pub fn serve(stop: &Stop) -> Result<bool> {
    let threads = std::fs::read_dir("/proc/self/task").doing(|| "cannot count the threads")?.count();
    if threads != 1 {
        return Err(Error::unsupported(format!("{threads} threads cannot be forked")));
    }
    pidfd_open(getpid(), PidfdFlags::empty())
        .map_err(|e| Error::unsupported("processes have no descriptors").because(e))?;
    let failed = |e: Errno| Error::internal("the zygote cannot wait").because(io::Error::from(e));
    let mut waited: Vec<Waited> = Vec::new();
    while !stop.is_tripped() {
        let stdin = io::stdin();
        let mut polled: Vec<PollFd<'_>> = vec![PollFd::new(&stdin, PollFlags::IN)];
        polled.extend(waited.iter().map(|w| PollFd::new(&w.by, PollFlags::IN)));
        match poll(&mut polled, None) {
            Ok(_) | Err(Errno::INTR) => {}
            Err(e) => return Err(failed(e)),
        }
        let ready: Vec<bool> = polled.iter().map(|p| !p.revents().is_empty()).collect();
        let mut ready = ready.into_iter();
        let is_asked = ready.next() == Some(true);
        waited.retain_mut(|w| !(ready.next() == Some(true) && w.has_ended()));
        if is_asked {
            let (dir, ends) = match request() {
                Ok(Request::Fork(dir, ends)) => (dir, ends),
                Ok(Request::Unheard) | Err(Errno::INTR | Errno::NOMEM | Errno::NOBUFS) => continue,
                Ok(Request::NoMore) => break,
                Err(e) => return Err(failed(e)),
            };
            let zygote = getpid();
            // SAFETY: there is one thread, so nothing that another one holds is lost in what is forked.
            match unsafe { libc::fork() } {
                // Who asked hears that there is none.
                -1 => {
                    let [.., tells] = ends;
                    PipeWriter::from(tells).write_all(&0_i32.to_ne_bytes()).ok();
                }
                0 => {
                    drop(waited);
                    become_it(zygote, &dir, ends)?;
                    return Ok(true);
                }
                pid => waited.extend(note(pid, ends)),
            }
        }
    }
    Ok(false)
}

impl Waited {
    /// Whether it has, which is told then.
    fn has_ended(&mut self) -> bool {
        match waitpid(Some(self.pid), WaitOptions::NOHANG) {
            Ok(None) => false,
            Ok(Some((_, status))) => {
                self.tells.write_all(&status.as_raw().to_ne_bytes()).ok();
                true
            }
            Err(_) => true,
        }
    }
}

/// What comes from who asks.
enum Request {
    Fork(Vec<u8>, [OwnedFd; ENDS]),
    /// Its descriptors did not all get here, and those that did are closed, which tells who asked.
    Unheard,
    NoMore,
}

fn request() -> rustix::io::Result<Request> {
    let mut dir = [0; LONGEST];
    let mut room = [std::mem::MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(ENDS))];
    let mut control = RecvAncillaryBuffer::new(&mut room);
    let got = recvmsg(io::stdin(), &mut [IoSliceMut::new(&mut dir)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let ends: Vec<OwnedFd> = control
        .drain()
        .flat_map(|message| match message {
            RecvAncillaryMessage::ScmRights(ends) => ends.collect(),
            _ => Vec::new(),
        })
        .collect();
    let is_whole = !got.flags.contains(ReturnFlags::TRUNC);
    Ok(match ends.try_into() {
        _ if got.bytes == 0 => Request::NoMore,
        Ok(ends) if is_whole => Request::Fork(dir[..got.bytes].to_vec(), ends),
        _ => Request::Unheard,
    })
}

/// Makes this process the one that was asked for.
fn become_it(zygote: Pid, dir: &[u8], [order, reports, complaints, _]: [OwnedFd; ENDS]) -> Result<()> {
    let doing = || "cannot become a renderer";
    // Not only once it knows its order.
    sandbox::die_with_parent()?;
    if getppid() != Some(zygote) {
        return Err(Error::unavailable("the zygote has ended"));
    }
    // Its group may be ended as a whole.
    setpgid(None, None).map_err(io::Error::from).doing(doing)?;
    rustix::stdio::dup2_stdin(order).map_err(io::Error::from).doing(doing)?;
    rustix::stdio::dup2_stdout(reports).map_err(io::Error::from).doing(doing)?;
    rustix::stdio::dup2_stderr(complaints).map_err(io::Error::from).doing(doing)?;
    let dir = OsStr::from_bytes(dir);
    std::env::set_current_dir(dir).doing(|| format!("cannot work in {}", Path::new(dir).display()))?;
    // SAFETY: there is one thread, and none that reads them meanwhile.
    unsafe {
        std::env::set_var("HOME", dir);
        std::env::set_var("TMPDIR", dir);
    }
    Ok(())
}

/// Tells who asked which process it is, and waits for it from now on.
fn note(pid: i32, [.., tells]: [OwnedFd; ENDS]) -> Option<Waited> {
    let pid = Pid::from_raw(pid)?;
    // Here too, for it may not have come to it when its group is to be ended.
    setpgid(Some(pid), Some(pid)).ok();
    let mut tells = PipeWriter::from(tells);
    tells.write_all(&pid.as_raw_nonzero().get().to_ne_bytes()).ok();
    let by = pidfd_open(pid, PidfdFlags::empty()).ok()?;
    Some(Waited { by, pid, tells })
}
