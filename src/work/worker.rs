//! Who works: a name by which the living can tell the dead, and people where to look.

use std::fmt;

/// A process that claims jobs: its host, process id and start time, so that a later process on the same host can see
/// that it is gone. When a batch system started it, also which of its tasks it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Worker {
    host: String,
    task: Option<String>,
    pid: u32,
    started: u64,
}

impl Worker {
    /// This process.
    pub fn this() -> Self {
        let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
        let host = format!("{name}~{}", kernel());
        let pid = std::process::id();
        let task = slurm_task(&|name| std::env::var(name).ok());
        Self { host, task, pid, started: start_time(pid).unwrap_or(0) }
    }

    /// The batch system's task, such as `slurm 17_3`.
    pub fn task(&self) -> Option<&str> {
        self.task.as_deref()
    }

    /// Reads a name as it stands in the catalog.
    pub fn parse(name: &str) -> Option<Self> {
        let mut parts = name.rsplitn(3, '/');
        let started = parts.next()?.parse().ok()?;
        let pid = parts.next()?.parse().ok()?;
        let place = parts.next()?;
        let (host, task) = match place.strip_suffix(']').and_then(|p| p.split_once('[')) {
            Some((host, task)) => (host, Some(task.to_owned())),
            None => (place, None),
        };
        Some(Self { host: host.to_owned(), task, pid, started })
    }

    /// The name of the host it runs on.
    pub fn host(&self) -> &str {
        self.host.rsplit_once('~').map_or(self.host.as_str(), |(name, _)| name)
    }

    /// Whether this worker ran on the same host as `other` and is certainly gone.
    pub fn is_dead_to(&self, other: &Worker) -> bool {
        self.host == other.host && self.started != 0 && start_time(self.pid) != Some(self.started)
    }
}

impl fmt::Display for Worker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.host)?;
        if let Some(task) = &self.task {
            write!(f, "[{task}]")?;
        }
        write!(f, "/{}/{}", self.pid, self.started)
    }
}

/// Tells this machine since it was started, and what of it can be seen from here: process ids of another container, or
/// of another machine of the same name, mean nothing.
fn kernel() -> String {
    let boot = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    let namespace = std::fs::read_link("/proc/self/ns/pid").unwrap_or_default();
    crate::digest::Digest::of_fields(&[boot.trim().to_owned(), namespace.display().to_string()]).short()[..8].to_owned()
}

/// The Slurm task that this process belongs to. Of an array, job and index together name it: the job id alone does not,
/// for the last task keeps the array's own.
fn slurm_task(variable: &dyn Fn(&str) -> Option<String>) -> Option<String> {
    let is_number = |text: &String| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let number = |name| variable(name).filter(is_number);
    match (number("SLURM_ARRAY_JOB_ID"), number("SLURM_ARRAY_TASK_ID")) {
        (Some(job), Some(task)) => Some(format!("slurm {job}_{task}")),
        _ => number("SLURM_JOB_ID").map(|job| format!("slurm {job}")),
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
        let elsewhere = Worker { host: "elsewhere".to_owned(), task: None, pid: 1, started: 1 };
        assert!(!elsewhere.is_dead_to(&me), "nobody knows about other hosts");
    }

    #[test]
    fn a_task_of_a_batch_system_is_part_of_the_name_and_not_of_the_host() {
        let names = [("SLURM_JOB_ID", "19"), ("SLURM_ARRAY_JOB_ID", "17"), ("SLURM_ARRAY_TASK_ID", "3")];
        let of = |n: usize| {
            let names = names[..n].to_vec();
            slurm_task(&move |name| names.iter().find(|(k, _)| *k == name).map(|(_, v)| (*v).to_owned()))
        };
        assert_eq!((of(0), of(1)), (None, Some("slurm 19".to_owned())));
        assert_eq!(of(3).as_deref(), Some("slurm 17_3"));
        assert_eq!(slurm_task(&|_| Some("7/[x".to_owned())), None);
        let me = Worker::this();
        let dead = Worker { task: of(3), started: me.started + 1, ..me.clone() };
        let read = Worker::parse(&dead.to_string()).unwrap();
        assert_eq!((&read, read.task()), (&dead, Some("slurm 17_3")));
        assert!(read.is_dead_to(&me));
    }
}
