//! Whether it was memory that a renderer lacked. Few programs say so when they do: an allocation that is refused ends in
//! an abort, in a plugin that does not load, or in threads that wait for one that never started.

use super::Limits;

/// What programs say when an allocation was refused.
const WORDS: [&str; 9] = [
    "memory allocation of",
    "failed to allocate",
    "Cannot allocate memory",
    "std::bad_alloc",
    "Out of memory",
    "malloc of size",
    "insufficient memory",
    "mem_buffer != NULL",
    "GGML_ASSERT(buffer) failed",
];

/// Whether a process that failed was short of memory: it said so, or it had come within an eighth of its limit.
pub(super) fn ran_short(peak_bytes: u64, limits: &Limits, complaint: &str) -> bool {
    peak_bytes >= limits.memory_bytes / 8 * 7 || WORDS.iter().any(|word| complaint.contains(word))
}

/// The most bytes of address space that a process has had.
pub(super) fn peak(pid: u32) -> Option<u64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).ok()?;
    let kibibytes = status.lines().find_map(|l| l.strip_prefix("VmPeak:")?.trim().strip_suffix(" kB"))?;
    Some(kibibytes.parse::<u64>().ok()? << 10)
}

/// How many processes of this one's control group the kernel has killed for lack of memory, where that can be known.
pub(super) fn kills() -> Option<u64> {
    let groups = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    count(&std::fs::read_to_string(events_file(&groups)?).ok()?)
}

/// The file that counts them, by what /proc/self/cgroup says (cgroups(7)).
fn events_file(groups: &str) -> Option<String> {
    groups.lines().find_map(|line| {
        let mut fields = line.splitn(3, ':');
        let (id, controllers, path) = (fields.next()?, fields.next()?, fields.next()?.trim_end_matches('/'));
        match (id, controllers) {
            ("0", "") => Some(format!("/sys/fs/cgroup{path}/memory.events")),
            (_, list) if list.split(',').any(|c| c == "memory") => {
                Some(format!("/sys/fs/cgroup/memory{path}/memory.oom_control"))
            }
            _ => None,
        }
    })
}

fn count(events: &str) -> Option<u64> {
    events.lines().find_map(|line| line.strip_prefix("oom_kill ")?.trim().parse().ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_programs_say_and_how_near_they_came() {
        let limits = Limits { memory_bytes: 1200 << 20, ..Limits::default() };
        let glib = "GLib (gthread-posix.c): Unexpected error from C library during 'malloc': Cannot allocate memory.  \
                    Aborting.";
        assert!(ran_short(0, &limits, glib));
        assert!(ran_short(0, &limits, "memory allocation of 33177600 bytes failed\n"));
        assert!(ran_short(1100 << 20, &limits, ""));
        assert!(!ran_short(600 << 20, &limits, "index out of bounds"));
        assert!(peak(std::process::id()).unwrap() > 1 << 20);
    }

    #[test]
    fn the_kernel_counts_whom_it_killed() {
        assert_eq!(
            events_file("0::/system.slice/slurmstepd.scope/job_17/step_batch\n").unwrap(),
            "/sys/fs/cgroup/system.slice/slurmstepd.scope/job_17/step_batch/memory.events"
        );
        assert_eq!(events_file("0::/\n").unwrap(), "/sys/fs/cgroup/memory.events");
        let old = "5:memory:/slurm/uid_0/job_17\n4:cpu,cpuacct:/\n";
        assert_eq!(events_file(old).unwrap(), "/sys/fs/cgroup/memory/slurm/uid_0/job_17/memory.oom_control");
        assert_eq!(events_file("4:cpu,cpuacct:/\n"), None);
        assert_eq!(count("low 0\nhigh 0\nmax 31\noom 2\noom_kill 2\noom_group_kill 0\n"), Some(2));
        assert_eq!(count("oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"), Some(1));
        assert_eq!(count("low 0\n"), None);
    }
}
