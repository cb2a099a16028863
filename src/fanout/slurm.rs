//! An array of Slurm.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    time::Duration,
};

use serde::Serialize;

use super::{
    claiming, fill, renderer_memory, tool,
    words::{self, Dependency, Gpus, Partition, SlurmName},
    worker_words,
};
use crate::{
    error::{Error, Kind, Result},
    model::{Queue, Stage},
};

/// What the array's script is made of.
pub const TEMPLATE: &str = include_str!("../../deploy/slurm/array.sh.j2");

/// Slurm's own default of `MaxArraySize`.
pub const USUAL_ARRAY: u32 = 1001;

/// Workers as the tasks of an array.
#[derive(Clone, Debug)]
pub struct Array {
    /// The stage.
    pub stage: Stage,
    /// The queue that they serve.
    pub queue: Queue,
    /// Number of jobs that wait.
    pub jobs: u64,
    /// Number of tasks.
    pub workers: u32,
    /// So many at a time.
    pub in_flight: Option<u32>,
    /// Processors of a task.
    pub cpus: u32,
    /// MiB of a task.
    pub memory: u64,
    /// Graphics processors of a task.
    pub gpus: Option<Gpus>,
    /// When a task is ended.
    pub time: Duration,
    /// Where it may run.
    pub partition: Option<Partition>,
    /// Who pays.
    pub account: Option<SlurmName>,
    /// Quality of service.
    pub qos: Option<SlurmName>,
    /// What has to end first.
    pub after: Vec<Dependency>,
    /// The `damctl` program on the nodes.
    pub program: PathBuf,
    /// The archive's folder on the nodes.
    pub archive: PathBuf,
    /// What whoever reads the script should know.
    pub notes: Vec<String>,
}

#[derive(Serialize)]
struct Values<'a> {
    stage: &'a str,
    queue: &'a str,
    version: &'a str,
    jobs: u64,
    workers: u32,
    in_flight: Option<u32>,
    cpus: u32,
    memory: u64,
    renderer_memory: u64,
    minutes: u64,
    partition: Option<&'a str>,
    gpus: Option<&'a str>,
    account: Option<&'a str>,
    qos: Option<&'a str>,
    after: Option<String>,
    command: String,
    notes: &'a [String],
}

impl Array {
    /// The batch script.
    pub fn script(&self) -> Result<String> {
        let after: Vec<String> = self.after.iter().map(Dependency::written).collect();
        let place = |path: &Path| Ok::<_, Error>(words::shell(&words::path(path)?));
        let mut command = vec![place(&self.program)?, "--archive".to_owned(), place(&self.archive)?];
        command.extend(worker_words(self.stage, self.queue, claiming(self.time)));
        let values = Values {
            stage: self.stage.as_str(),
            queue: self.queue.as_str(),
            version: env!("CARGO_PKG_VERSION"),
            jobs: self.jobs,
            workers: self.workers,
            in_flight: self.in_flight,
            cpus: self.cpus,
            memory: self.memory,
            renderer_memory: renderer_memory(self.memory),
            minutes: self.time.as_secs().div_ceil(60),
            partition: self.partition.as_ref().map(Partition::as_str),
            gpus: self.gpus.as_ref().map(Gpus::as_str),
            account: self.account.as_ref().map(SlurmName::as_str),
            qos: self.qos.as_ref().map(SlurmName::as_str),
            after: (!after.is_empty()).then(|| after.join(",")),
            command: command.join(" "),
            notes: &self.notes,
        };
        fill(&[("array.sh", TEMPLATE)], "array.sh", values)
    }
}

/// A command for a shell that submits the scripts, each after the one before it.
pub fn chain(scripts: &[String]) -> String {
    let mut text = "#!/bin/bash\nset -eu\n".to_owned();
    for (i, script) in scripts.iter().enumerate() {
        let after = if i == 0 { "" } else { r#" --dependency="afterany:${job%%;*}" --kill-on-invalid-dep=yes"# };
        text.push_str(&format!("\njob=$(sbatch --parsable{after} <<'END_OF_SCRIPT'\n{script}END_OF_SCRIPT\n)\n"));
        text.push_str("echo \"$job\"\n");
    }
    text
}

/// Submits a script, to begin when `after` has ended; gives the array's job id.
pub fn submit(script: &str, after: Option<&str>) -> Result<String> {
    let mut args = vec!["--parsable".to_owned()];
    if let Some(job) = after {
        args.extend([format!("--dependency=afterany:{job}"), "--kill-on-invalid-dep=yes".to_owned()]);
    }
    let said = tool::run("sbatch", &args, script)?;
    if !said.is_done {
        return Err(refused(&said.err));
    }
    job_id(&said.out)
}

/// The job id in what `sbatch --parsable` prints: `ID`, or `ID;CLUSTER`.
fn job_id(text: &str) -> Result<String> {
    let id = text.lines().last().unwrap_or_default().split(';').next().unwrap_or_default().trim();
    match !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) {
        true => Ok(id.to_owned()),
        false => Err(Error::internal(format!("sbatch names no job: {}", text.trim().escape_debug()))),
    }
}

/// What sbatch's complaint means.
fn refused(complaint: &str) -> Error {
    let lines: Vec<&str> = complaint.lines().map(|l| l.trim().trim_start_matches("sbatch: ")).collect();
    let said = lines.iter().map(|l| l.trim_start_matches("error: ")).collect::<Vec<_>>().join("; ");
    let has = |words: &str| complaint.contains(words);
    let (kind, hint) = match () {
        () if has("Unable to contact slurm controller") || has("Socket timed out") => {
            (Kind::Unavailable, "the controller does not answer: 'scontrol ping' tells; try again when it does")
        }
        () if has("configuration source") || has("process configuration file") => {
            (Kind::Unavailable, "Slurm is not set up on this machine: submit where 'sinfo' answers")
        }
        () if has("nvalid partition") => (Kind::Invalid, "'sinfo' lists the partitions"),
        () if has("array specification") => {
            (Kind::Invalid, "give fewer --workers: 'scontrol show config' tells MaxArraySize")
        }
        () if has("gres") => (Kind::Invalid, "no node has such GPUs: 'sinfo -o %N,%G' lists them"),
        () if has("Memory specification") => {
            (Kind::Invalid, "no node has so much memory: 'sinfo -o %N,%m'; give less --memory")
        }
        () if has("node configuration is not available") => {
            (Kind::Invalid, "no node has what a task asks for: see --cpus, --memory, --gpus, and 'sinfo -N -l'")
        }
        () if has("account") || has("qos") || has("QOS") => {
            (Kind::Invalid, "'sacctmgr show associations' lists what you may use")
        }
        () => (Kind::Invalid, "leave --submit out to see the script"),
    };
    let how = if kind == Kind::Unavailable { "Slurm is not there" } else { "Slurm refused the array" };
    Error::new(kind, format!("{how}: {said}")).hint(hint)
}

/// How many tasks an array of this cluster may have; none when nothing here can tell.
pub fn max_array() -> Result<Option<u32>> {
    match tool::run("scontrol", &["show".to_owned(), "config".to_owned()], "") {
        Ok(said) if said.is_done => Ok(Some(max_array_size(&said.out)?)),
        Ok(_) => Ok(None),
        Err(e) if e.kind() == Kind::NotFound => Ok(None),
        Err(e) => Err(e),
    }
}

/// `MaxArraySize` in what `scontrol show config` prints: task ids are below it.
fn max_array_size(config: &str) -> Result<u32> {
    let value = config.lines().filter_map(|l| l.split_once('=')).find(|(key, _)| key.trim() == "MaxArraySize");
    value
        .and_then(|(_, value)| value.trim().parse().ok())
        .ok_or_else(|| Error::internal("'scontrol show config' does not tell MaxArraySize"))
}

/// The tasks that ended for want of memory, by the names that their workers had ([`Worker::task`]); none when nothing here
/// can tell.
///
/// [`Worker::task`]: crate::work::Worker::task
pub fn killed_for_memory() -> Result<HashSet<String>> {
    let words = ["show", "job", "--oneliner"].map(str::to_owned);
    match tool::run("scontrol", &words, "") {
        Ok(said) if said.is_done => Ok(killed(&said.out)),
        Ok(_) => Ok(HashSet::new()),
        Err(e) if e.kind() == Kind::NotFound => Ok(HashSet::new()),
        Err(e) => Err(e),
    }
}

/// Those tasks in what `scontrol show job --oneliner` prints. Where Slurm has no control groups to learn it from, a task
/// that was killed (by signal 9, or code 137 of a shell around it) counts: memory is what such a kill is mostly about, and
/// more of it does no harm.
fn killed(jobs: &str) -> HashSet<String> {
    let name = |line: &str| {
        let field = |key: &str| line.split(' ').find_map(|word| word.strip_prefix(key)?.strip_prefix('='));
        match (field("JobState")?, field("ExitCode")?) {
            ("OUT_OF_MEMORY", _) | ("FAILED", "137:0" | "0:9") => {}
            _ => return None,
        }
        Some(match (field("ArrayJobId"), field("ArrayTaskId")) {
            (Some(job), Some(task)) => format!("slurm {job}_{task}"),
            _ => format!("slurm {}", field("JobId")?),
        })
    };
    jobs.lines().filter_map(name).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONFIG: &str = "Configuration data as of 2026-11-25T07:01:50
LaunchParameters        = (null)
Licenses                = (null)
LogTimeFormat           = iso8601_ms
MailDomain              = (null)
MailProg                = /usr/bin/mail
MaxArraySize            = 10001
MaxDBDMsgs              = 20008
MaxJobCount             = 10000
MaxJobId                = 67043328
";

    #[test]
    fn the_longest_array_is_read() {
        assert_eq!(max_array_size(CONFIG).unwrap(), 10_001);
        assert!(max_array_size("slurm_load_ctl_conf error: Unable to contact slurm controller\n").is_err());
    }

    #[test]
    fn job_ids_are_read() {
        assert_eq!(job_id("17\n").unwrap(), "17");
        assert_eq!(job_id("17;north\n").unwrap(), "17");
        assert!(job_id("").is_err() && job_id("Submitted\n").is_err());
    }

    #[test]
    fn tasks_that_were_killed_are_told_by_array_and_index() {
        let jobs = "JobId=6 ArrayJobId=1 ArrayTaskId=1 ArrayTaskThrottle=2 JobName=j.sh UserId=root(0) JobState=FAILED \
                    Reason=NonZeroExitCode Dependency=(null) Requeue=1 Restarts=0 ExitCode=137:0 RunTime=00:00:00\n\
                    JobId=1 ArrayJobId=1 ArrayTaskId=2 JobName=j.sh JobState=OUT_OF_MEMORY Reason=OutOfMemory \
                    Restarts=0 ExitCode=0:125 RunTime=00:00:09\n\
                    JobId=7 JobName=j.sh JobState=FAILED Reason=RaisedSignal:9(Killed) Restarts=0 ExitCode=0:9\n\
                    JobId=8 JobName=j.sh JobState=CANCELLED Reason=None Restarts=0 ExitCode=0:9\n\
                    JobId=9 JobName=j.sh JobState=FAILED Reason=NonZeroExitCode Restarts=0 ExitCode=1:0\n";
        let expected = ["slurm 1_1", "slurm 1_2", "slurm 7"].map(str::to_owned);
        assert_eq!(killed(jobs), HashSet::from(expected));
        assert!(killed("No jobs in the system\n").is_empty());
    }

    #[test]
    fn refusals_are_told_with_what_to_do() {
        let partition = "sbatch: error: invalid partition specified: nowhere\n\
                         sbatch: error: Batch job submission failed: Invalid partition name specified\n";
        let e = refused(partition);
        assert_eq!(
            e.to_string(),
            "Slurm refused the array: invalid partition specified: nowhere; Batch job submission failed: \
             Invalid partition name specified"
        );
        assert_eq!((e.kind(), e.hint_text()), (Kind::Invalid, Some("'sinfo' lists the partitions")));
        let array = "sbatch: error: Batch job submission failed: Invalid job array specification\n";
        assert!(refused(array).hint_text().unwrap().contains("MaxArraySize"));
        let memory = "sbatch: error: Memory specification can not be satisfied\n\
                      sbatch: error: Batch job submission failed: Requested node configuration is not available\n";
        assert!(refused(memory).hint_text().unwrap().contains("--memory"));
        assert!(
            refused("sbatch: error: Invalid generic resource (gres) specification\n")
                .hint_text()
                .unwrap()
                .contains("GPUs")
        );
        let away = "sbatch: error: Batch job submission failed: Unable to contact slurm controller (connect failure)\n";
        assert_eq!(refused(away).kind(), Kind::Unavailable);
        let bare = "sbatch: error: resolve_ctls_from_dns_srv: res_nsearch error: Unknown host\n\
                    sbatch: error: fetch_config: DNS SRV lookup failed\n\
                    sbatch: fatal: Could not establish a configuration source\n";
        let e = refused(bare);
        assert!(e.kind() == Kind::Unavailable && e.to_string().starts_with("Slurm is not there: "), "{e}");
    }
}
