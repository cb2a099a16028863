//! The same work on many machines: how many workers a stage's jobs deserve, and the text that starts them, as an array of
//! Slurm ([`slurm`]) or as an Indexed Job of Kubernetes ([`k8s`]).
//!
//! Workers have no part of their own. Each claims one job after another by lease, so whatever dies or dawdles costs only
//! what it holds, and that for the time of a lease.

use std::time::Duration;

use minijinja::{Environment, UndefinedBehavior};
use serde::Serialize;

use crate::{
    error::{Error, Result},
    model::{Queue, Stage},
};

pub mod k8s;
pub mod slurm;
mod tool;
pub mod words;

/// What one worker of a stage takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Resources {
    /// Processors.
    pub cpus: u32,
    /// MiB.
    pub memory: u64,
    /// Graphics processors.
    pub gpus: u32,
    /// The machines that are meant for it.
    pub pool: &'static str,
    /// How many jobs are worth a worker of their own.
    pub jobs_per_worker: u64,
}

/// What a worker of the stage takes, when the stage can be fanned out at all.
pub fn resources(stage: Stage) -> Result<Resources> {
    // A stage whose models run on graphics processors belongs to the pool "ai", with one of them for a worker.
    match stage {
        // One master at a time: two processors are what its encoders keep busy, and a renderer has its 6 GiB.
        Stage::Transcode => Ok(Resources { cpus: 2, memory: 8192, gpus: 0, pool: "transcode", jobs_per_worker: 4 }),
        // A graphics processor where this build makes use of one; Slurm refuses whom no node has one for.
        Stage::Enrich => {
            let gpus = u32::from(cfg!(any(feature = "vulkan", feature = "onnx-cuda")));
            Ok(Resources { cpus: 2, memory: 8192, gpus, pool: "ai", jobs_per_worker: 8 })
        }
        // The index has one writer.
        Stage::Index => Ok(Resources { cpus: 2, memory: 4096, gpus: 0, pool: "transcode", jobs_per_worker: u64::MAX }),
        Stage::Ingest => Err(Error::unsupported("'ingest' is not fanned out: a drive is read where it is plugged in")
            .hint("run 'damctl ingest' there; any number of machines can do so at once")),
        Stage::Publish => {
            Err(Error::unsupported("'publish' is not fanned out: its accounts' limits are what it waits for")
                .hint("run 'damctl publish --watch' on one machine, or on two"))
        }
        Stage::Receive => Err(Error::unsupported("'receive' is not fanned out: it waits more than it works")
            .hint("run 'damctl receive --watch' on one machine")),
    }
}

impl Resources {
    /// The same for the jobs of a queue: those that ran out of memory get twice as much, and what somebody waits for does
    /// not wait behind another.
    pub fn for_queue(self, queue: Queue) -> Self {
        match queue {
            Queue::Large => Self { memory: self.memory * 2, ..self },
            Queue::Interactive => Self { jobs_per_worker: self.jobs_per_worker.min(1), ..self },
            Queue::Batch | Queue::All => self,
        }
    }
}

/// How many workers so many jobs deserve; none for none.
pub fn workers(jobs: u64, jobs_per_worker: u64, at_most: u32) -> u32 {
    jobs.div_ceil(jobs_per_worker.max(1)).min(at_most.into()) as u32
}

/// What of a worker's memory its renderer may use (MiB): half a GiB is the worker's own.
fn renderer_memory(memory: u64) -> u64 {
    memory.saturating_sub(512).max(256)
}

/// For how long a worker that is ended after `time` may claim: until a tenth before, or between 2 and 30 minutes, so that
/// what is under way comes to its end; half of what is short.
fn claiming(time: Duration) -> Duration {
    let margin = (time / 10).clamp(Duration::from_secs(120), Duration::from_secs(1800));
    time.saturating_sub(margin).max(time / 2)
}

/// What a worker is started with, after the program and its archive.
fn worker_words(stage: Stage, queue: Queue, claiming: Duration) -> Vec<String> {
    let mut words = vec![stage.to_string()];
    // The index's plan is short and depends on what came before it, so its worker makes it itself.
    if stage != Stage::Index {
        words.extend(["--drain".to_owned(), "--queue".to_owned(), queue.to_string()]);
        words.extend(["--workers".to_owned(), "1".to_owned()]);
    }
    words.extend(["--for".to_owned(), format!("{}s", claiming.as_secs())]);
    words
}

/// Fills a template in. What it does not know is an error, and so is a value that is used and not given.
fn fill(templates: &[(&'static str, &'static str)], name: &str, values: impl Serialize) -> Result<String> {
    let failed = |e: minijinja::Error| Error::internal(format!("the template '{name}' is wrong")).because(e);
    let mut environment = Environment::new();
    environment.set_undefined_behavior(UndefinedBehavior::Strict);
    environment.set_auto_escape_callback(|_| minijinja::AutoEscape::None);
    environment.add_filter("yaml", words::yaml);
    for (name, text) in templates {
        environment.add_template(name, text).map_err(failed)?;
    }
    environment
        .get_template(name)
        .and_then(|t| t.render(minijinja::value::Serde(values)))
        .map(|text| format!("{}\n", text.trim_end()))
        .map_err(failed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn workers_are_as_many_as_the_jobs_deserve() {
        assert_eq!(workers(0, 4, 8), 0);
        assert_eq!(workers(1, 4, 8), 1);
        assert_eq!(workers(9, 4, 8), 3);
        assert_eq!(workers(1_000_000, 4, 8), 8);
        assert_eq!(workers(7, u64::MAX, 8), 1);
        assert_eq!(workers(3, 0, 8), 3);
    }

    #[test]
    fn claiming_ends_before_the_time_does() {
        let of = |minutes: u64| claiming(Duration::from_secs(minutes * 60)).as_secs();
        assert_eq!(of(240), 216 * 60);
        assert_eq!(of(24 * 60), (24 * 60 - 30) * 60);
        assert_eq!((of(10), of(4), of(1)), (480, 120, 30));
    }

    #[test]
    fn more_memory_for_what_ran_out_of_it() {
        let usual = resources(Stage::Transcode).unwrap();
        assert_eq!(usual.for_queue(Queue::Batch), usual);
        assert_eq!(usual.for_queue(Queue::Large).memory, usual.memory * 2);
        assert_eq!(usual.for_queue(Queue::Interactive).jobs_per_worker, 1);
        assert_eq!((renderer_memory(8192), renderer_memory(600)), (7680, 256));
    }
}
