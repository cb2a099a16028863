//! `damctl fanout`: its words.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use damctl::{
    fanout::words::{Dependency, Gpus, Image, Label, Mebibytes, SlurmName, StagePartition},
    model::{Queue, Stage},
};

use super::time;

#[derive(Debug, Subcommand)]
pub enum FanoutCommand {
    /// As an array of Slurm.
    ///
    /// Prints the batch script, or submits it. Tasks that are preempted, or whose node is lost, are put into the queue again;
    /// 90 seconds before its time is over, a task is told, gives its jobs back and ends. All nodes have to reach the
    /// archive's folder, its store and its catalog under the same names: a catalog in a SQLite file is for one machine.
    Slurm(SlurmArgs),
    /// As an Indexed Job of Kubernetes.
    ///
    /// Prints the manifest, or has kubectl create it. The catalog's address and the bucket's keys come from a Secret.
    K8s(K8sArgs),
}

/// What is wanted of the workers, wherever they are.
#[derive(Debug, Args)]
pub struct WantedArgs {
    /// Which jobs: batch (the backlog); interactive (somebody waits); large (those that ran out of memory, once more, with
    /// twice as much); all.
    #[arg(long, value_name = "QUEUE", default_value = "batch")]
    pub queue: Queue,
    /// At most so many workers.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u32).range(1..=100_000))]
    pub workers: u32,
    /// So many jobs are worth a worker of their own. Default: what suits the stage.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub jobs_per_worker: Option<u64>,
    /// At most so many workers at a time. Default: all.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub in_flight: Option<u32>,
    /// Processors of a worker. Default: what suits the stage.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub cpus: Option<u32>,
    /// Memory of a worker, such as 8G. Default: what suits the stage.
    #[arg(long, value_name = "SIZE")]
    pub memory: Option<Mebibytes>,
    /// How long a worker's shift is, such as 4h. Towards its end it begins nothing new.
    #[arg(long, value_name = "TIME", default_value = "4h", value_parser = time)]
    pub time: jiff::SignedDuration,
    /// Submits it, instead of printing it.
    #[arg(long)]
    pub submit: bool,
}

#[derive(Debug, Args)]
pub struct SlurmArgs {
    /// The stage; given again, each begins when the one before it has ended.
    #[arg(long, value_name = "STAGE", required = true)]
    pub stage: Vec<Stage>,
    #[command(flatten)]
    pub wanted: WantedArgs,
    /// Where the tasks may run; with STAGE= before it, those of that stage; can be given again. Default: Slurm's.
    #[arg(long, value_name = "[STAGE=]NAME")]
    pub partition: Vec<StagePartition>,
    /// Graphics processors of a task: 1, or a100:1. Of several stages, those that can use one (enrich) have them.
    #[arg(long, value_name = "GPUS")]
    pub gpus: Option<Gpus>,
    /// Whose account pays.
    #[arg(long, value_name = "NAME")]
    pub account: Option<SlurmName>,
    /// Quality of service.
    #[arg(long, value_name = "NAME")]
    pub qos: Option<SlurmName>,
    /// A job that has to end first: 17, or afterok:17 when it also has to succeed; can be given again.
    #[arg(long, value_name = "JOB")]
    pub after: Vec<Dependency>,
    /// The damctl program on the nodes. Default: this one's path.
    #[arg(long, value_name = "FILE")]
    pub program: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct K8sArgs {
    /// The stage.
    #[arg(long, value_name = "STAGE")]
    pub stage: Stage,
    #[command(flatten)]
    pub wanted: WantedArgs,
    /// The container image (deploy/k8s-jobs/Dockerfile).
    #[arg(long, value_name = "IMAGE")]
    pub image: Image,
    /// The Secret with the keys catalog (its address), access-key and secret-key (the bucket's).
    #[arg(long, value_name = "NAME", default_value = "damctl")]
    pub secret: Label,
    /// The claim on a volume that holds this archive's folder, where the store is no bucket.
    #[arg(long, value_name = "NAME")]
    pub claim: Option<Label>,
    /// The claim on a volume that holds the models (docs/enrich.md), which 'enrich' needs: they are not in the image.
    #[arg(long, value_name = "NAME")]
    pub models_claim: Option<Label>,
    /// The ConfigMap with the profile, under the key profile.yaml, which 'enrich' needs where the profile is one's own.
    #[arg(long, value_name = "NAME")]
    pub profile_map: Option<Label>,
    /// The namespace. Default: kubectl's.
    #[arg(long, value_name = "NAME")]
    pub namespace: Option<Label>,
    /// Only nodes with the label damctl-pool=NAME; taints of that name are tolerated. Default: what suits the stage.
    #[arg(long, value_name = "NAME", conflicts_with = "any_node")]
    pub pool: Option<Label>,
    /// Any node will do.
    #[arg(long)]
    pub any_node: bool,
    /// Graphics processors of a pod.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(..=16))]
    pub gpus: Option<u32>,
    /// Disk for work in progress: room for a few masters and what is made of them.
    #[arg(long, value_name = "SIZE", default_value = "50G")]
    pub scratch: Mebibytes,
    /// The queue of Kueue that lets it begin.
    #[arg(long, value_name = "NAME", conflicts_with = "scaled")]
    pub kueue: Option<Label>,
    /// A ScaledJob of KEDA instead: workers come whenever jobs wait, and go when none do. The catalog has to be PostgreSQL.
    #[arg(long, conflicts_with = "in_flight")]
    pub scaled: bool,
}
