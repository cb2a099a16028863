//! Who works: a name by which the living can tell the dead.

use std::fmt;

/// A process that claims jobs: its host, process id and start time, so that a later process on the same host can see
/// that it is gone.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    host: String,
    pid: u32,
    started: u64,
}

impl Worker {
    /// This process.
    pub fn this() -> Self {
        let host = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let pid = std::process::id();
        Self { host, pid, started: start_time(pid).unwrap_or(0) }
    }

    /// Reads a name as it stands in the catalog.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.rsplitn(3, '/');
        let started = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        Some(Self { host: parts.next()?.to_owned(), pid, started })
    }

    /// Whether this worker ran on the same host as `other` and is certainly gone.
    pub fn is_dead_to(&self, other: &Worker) -> bool {
        self.host == other.host && self.started != 0 && start_time(self.pid) != Some(self.started)
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}/{}", self.host, self.pid, self.started)
    }
}

/// When a process started, in clock ticks since boot (proc(5), field 22 of `stat`); a zombie counts as gone.
fn start_time(pid: u32) -> Option<u64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    // The command's name may hold anything, but it ends at the last parenthesis.
    let mut fields = stat.rsplit_once(')')?.1.split_ascii_whitespace();
    if fields.next()? == "Z" {
        return None;
    }
    fields.nth(18)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_living_are_told_from_the_dead() {
        let me = Worker::this();
        assert_eq!(Worker::parse(&me.to_string()), Some(me.clone()));
        assert!(!me.is_dead_to(&me));
        let before = Worker { started: me.started + 1, ..me.clone() };
        assert!(before.is_dead_to(&me), "the process id was used again");
        let elsewhere = Worker { host: "elsewhere".to_owned(), pid: 1, started: 1 };
        assert!(!elsewhere.is_dead_to(&me), "nobody knows about other hosts");
    }
}
