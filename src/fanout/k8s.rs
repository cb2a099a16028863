//! An Indexed Job of Kubernetes, or a ScaledJob of KEDA that makes Jobs whenever jobs wait.

use std::time::Duration;

use serde::Serialize;

use super::{
    claiming, fill, renderer_memory, tool,
    words::{Image, Label},
    worker_words,
};
use crate::{
    error::{Error, Kind, Result},
    model::{Queue, Stage},
};

/// What the manifests are made of, by name.
pub const TEMPLATES: [(&str, &str); 3] = [
    ("job.yaml", include_str!("../../deploy/k8s-jobs/job.yaml.j2")),
    ("scaledjob.yaml", include_str!("../../deploy/k8s-jobs/scaledjob.yaml.j2")),
    ("pod.yaml", include_str!("../../deploy/k8s-jobs/pod.yaml.j2")),
];

/// Workers as the pods of a Job.
#[derive(Clone, Debug)]
pub struct Pods {
    /// The stage.
    pub stage: Stage,
    /// The queue that they serve.
    pub queue: Queue,
    /// Number of jobs that wait.
    pub jobs: u64,
    /// Number of pods; of a ScaledJob, the most at a time.
    pub workers: u32,
    /// So many at a time.
    pub in_flight: Option<u32>,
    /// How many jobs are worth a pod of their own.
    pub jobs_per_worker: u64,
    /// Processors of a pod.
    pub cpus: u32,
    /// MiB of a pod.
    pub memory: u64,
    /// Graphics processors of a pod.
    pub gpus: u32,
    /// MiB for work in progress.
    pub scratch: u64,
    /// How long a pod's shift is.
    pub time: Duration,
    /// The nodes that it may run on, by their label `damctl-pool`.
    pub pool: Option<Label>,
    /// The namespace; else the one that kubectl has set.
    pub namespace: Option<Label>,
    /// The image.
    pub image: Image,
    /// The Secret with the catalog's address and the bucket's keys.
    pub secret: Label,
    /// The claim on a volume that holds the archive's folder, when the store is no bucket.
    pub claim: Option<Label>,
    /// The claim on a volume that holds the models.
    pub models_claim: Option<Label>,
    /// The ConfigMap with the profile.
    pub profile_map: Option<Label>,
    /// The queue of Kueue.
    pub kueue: Option<Label>,
    /// The archive's settings, as far as pods need them: names and values.
    pub settings: Vec<(String, String)>,
    /// What whoever reads the manifest should know.
    pub notes: Vec<String>,
}

#[derive(Serialize)]
struct Variable {
    name: String,
    value: String,
}

#[derive(Serialize)]
struct Values<'a> {
    stage: &'a str,
    queue: &'a str,
    version: &'a str,
    jobs: u64,
    workers: u32,
    in_flight: u32,
    jobs_per_worker: u64,
    cpus: u32,
    memory: u64,
    gpus: Option<u32>,
    scratch: u64,
    pool: Option<&'a str>,
    namespace: Option<&'a str>,
    image: &'a str,
    secret: &'a str,
    claim: Option<&'a str>,
    models_claim: Option<&'a str>,
    profile_map: Option<&'a str>,
    kueue: Option<&'a str>,
    args: Vec<String>,
    env: Vec<Variable>,
    query: String,
    notes: &'a [String],
}

impl Pods {
    /// The Job.
    pub fn job(&self) -> Result<String> {
        fill(&TEMPLATES, "job.yaml", self.values()?)
    }

    /// The ScaledJob and what lets it ask the catalog.
    pub fn scaled_job(&self) -> Result<String> {
        fill(&TEMPLATES, "scaledjob.yaml", self.values()?)
    }

    fn values(&self) -> Result<Values<'_>> {
        if self.stage == Stage::Index {
            return Err(Error::unsupported("'index' writes into a folder, which pods do not share")
                .hint("run 'damctl index' on the machine that answers searches"));
        }
        let variable = |name: &str, value: &str| Variable { name: name.to_owned(), value: value.to_owned() };
        let mut env = vec![
            variable("DAMCTL_ARCHIVE", "/archive"),
            variable("DAMCTL_SCRATCH", "/scratch"),
            variable("DAMCTL_QUARANTINE", "/scratch/quarantine"),
            variable("DAMCTL_MEMORY", &renderer_memory(self.memory).to_string()),
            variable("DAMCTL_LOG_FORMAT", "json"),
            variable("HOME", "/scratch"),
            variable("TMPDIR", "/scratch"),
        ];
        env.extend(self.models_claim.as_ref().map(|_| variable("DAMCTL_MODELS", "/models")));
        env.extend(self.profile_map.as_ref().map(|_| variable("DAMCTL_PROFILE", "/profile/profile.yaml")));
        env.extend(self.settings.iter().map(|(name, value)| variable(name, value)));
        Ok(Values {
            stage: self.stage.as_str(),
            queue: self.queue.as_str(),
            version: env!("CARGO_PKG_VERSION"),
            jobs: self.jobs,
            workers: self.workers,
            in_flight: self.in_flight.unwrap_or(self.workers).min(self.workers),
            jobs_per_worker: self.jobs_per_worker,
            cpus: self.cpus,
            memory: self.memory,
            gpus: (self.gpus > 0).then_some(self.gpus),
            scratch: self.scratch,
            pool: self.pool.as_ref().map(Label::as_str),
            namespace: self.namespace.as_ref().map(Label::as_str),
            image: self.image.as_str(),
            secret: self.secret.as_str(),
            claim: self.claim.as_ref().map(Label::as_str),
            models_claim: self.models_claim.as_ref().map(Label::as_str),
            profile_map: self.profile_map.as_ref().map(Label::as_str),
            kueue: self.kueue.as_ref().map(Label::as_str),
            args: worker_words(self.stage, self.queue, claiming(self.time)),
            env,
            query: query(self.stage, self.queue),
            notes: &self.notes,
        })
    }
}

/// How many jobs of a queue are open, in PostgreSQL's words.
fn query(stage: Stage, queue: Queue) -> String {
    let now = "CAST(EXTRACT(EPOCH FROM now()) * 1000 AS BIGINT)";
    let (low, high) = queue.priorities();
    format!(
        "SELECT COUNT(*) FROM jobs WHERE stage = '{stage}' AND priority BETWEEN {low} AND {high} \
         AND (state = 'leased' OR (state = 'ready' AND not_before <= {now}))"
    )
}

/// Submits a manifest; gives what kubectl says it made. A Job is a new one each time; what has a name of its own takes the
/// place of what had it.
pub fn submit(manifest: &str, is_named: bool) -> Result<String> {
    let args = [if is_named { "apply" } else { "create" }, "--filename", "-"].map(str::to_owned);
    let said = tool::run("kubectl", &args, manifest)?;
    match said.is_done {
        true => Ok(said.out.trim().to_owned()),
        false => Err(refused(&said.err)),
    }
}

/// What kubectl's complaint means.
fn refused(complaint: &str) -> Error {
    let said = complaint.lines().map(str::trim).filter(|l| !l.is_empty()).collect::<Vec<_>>().join("; ");
    let has = |words: &str| complaint.contains(words);
    let (kind, hint) = match () {
        () if has("was refused")
            || has("connection refused")
            || has("no such host")
            || has("i/o timeout")
            || has("Unable to connect") =>
        {
            (Kind::Unavailable, "the cluster does not answer: 'kubectl cluster-info' tells which one is asked")
        }
        () if has("no matches for kind") => {
            (Kind::Unsupported, "the cluster has no such thing: KEDA is not installed there")
        }
        () if has("orbidden") => (Kind::Invalid, "you may not: ask who runs the cluster"),
        () if has("NotFound") => (Kind::NotFound, "see --namespace, and 'kubectl get namespaces'"),
        () => (Kind::Invalid, "leave --submit out to see the manifest"),
    };
    Error::new(kind, format!("Kubernetes refused the manifest: {said}")).hint(hint)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refusals_are_told_with_what_to_do() {
        let away = "error: error validating \"STDIN\": error validating data: failed to download openapi: Get \
                    \"http://localhost:8080/openapi/v2?timeout=32s\": dial tcp 127.0.0.1:8080: connect: connection \
                    refused; if you choose to ignore these errors, turn validation off with --validate=false\n";
        assert_eq!(refused(away).kind(), Kind::Unavailable);
        let keda = "error: resource mapping not found for name: \"damctl-transcode\" namespace: \"\" from \"STDIN\": no matches \
                    for kind \"ScaledJob\" in version \"keda.sh/v1alpha1\"\nensure CRDs are installed first\n";
        assert!(refused(keda).hint_text().unwrap().contains("KEDA"));
    }
}
