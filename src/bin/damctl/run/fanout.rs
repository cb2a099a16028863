//! `damctl fanout`: a stage's jobs for many machines.

use std::{path::Path, time::Duration};

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Claim},
    error::{Doing, Error},
    fanout::{
        self, Resources,
        k8s::{self, Pods},
        slurm::{self, Array},
        words::{Gpus, StagePartition},
    },
    index,
    model::{Queue, Stage},
    search::{self, IndexId},
    speech,
    work::Worker,
};

use super::{Archive, Verdict, enrich, print, receive, transcode};
use crate::cli::{FanoutCommand, K8sArgs, SlurmArgs, WantedArgs};

/// Whether pods need a setting: where the store is and what its objects are asked to be. None of these is secret; files of
/// this machine they do not have.
fn is_for_pods(key: &str) -> bool {
    let is_of_this_machine = matches!(key, "s3_profile" | "s3_ca_bundle");
    let is_wanted = key == "store" || key.starts_with("store_") || key.starts_with("s3_");
    is_wanted && !is_of_this_machine || matches!(key, "lease" | "stall" | "catalog_connections")
}

pub fn run(command: &FanoutCommand, archive: &Archive) -> Result<Verdict> {
    match command {
        FanoutCommand::Slurm(args) => slurm(args, archive),
        FanoutCommand::K8s(args) => k8s(args, archive),
    }
}

/// What waits for workers.
struct Waiting {
    jobs: u64,
    notes: Vec<String>,
}

/// Plans, writes the plan down, and counts what waits in the queue.
fn waiting(stage: Stage, queue: Queue, gpus: bool, archive: &Archive, catalog: &Catalog) -> Result<Waiting> {
    fanout::resources(stage)?;
    let mut notes = Vec::new();
    if stage == Stage::Index {
        // Its worker plans by itself; here it is only counted.
        let dir = archive.settings.path("index");
        let current = search::current(&dir)?.unwrap_or(IndexId { id: String::new(), shards: 1 });
        let lacking = index::plan(catalog, &current)?.wanted.len();
        return Ok(Waiting { jobs: lacking as u64, notes });
    }
    if matches!(queue, Queue::Batch | Queue::All) {
        let profile = archive.profile()?;
        match stage {
            Stage::Enrich => notes.extend(enrich::enqueue(archive, catalog, &profile, gpus && speech::USES_GPU)?),
            _ => {
                transcode::enqueue(catalog, &profile, &[], 0)?;
                receive::mark_ready(catalog, &profile)?;
            }
        }
    }
    if queue == Queue::Large {
        catalog.enlarge(&catalog.short_of_memory(stage)?)?;
        // Of whole tasks that were killed for it, Slurm alone knows why.
        let killed = slurm::killed_for_memory()?;
        let is_killed =
            |name: &str| Worker::parse(name).and_then(|w| w.task().map(|t| killed.contains(t))) == Some(true);
        catalog.enlarge(&catalog.left_by(stage, &is_killed)?)?;
    }
    let claim = Claim { stage, scope: None, queue };
    let due = catalog.due_among(&claim)?;
    let (open, _) = catalog.open_among(&claim)?;
    let others = open as u64 - (due as u64).min(open as u64);
    if others > 0 {
        notes.push(format!("{others} more job(s) are under way or wait for their next try."));
    }
    if queue == Queue::Batch {
        let large = catalog.due_among(&Claim { queue: Queue::Large, ..claim })?;
        if large > 0 {
            notes.push(format!("{large} job(s) wait for workers with more memory: '--queue large' starts them."));
        }
    }
    let short = catalog.short_of_memory(stage)?.len();
    if short > 0 {
        notes.push(format!("{short} job(s) ran out of memory: '--queue large' gives them workers with more."));
    }
    Ok(Waiting { jobs: due as u64, notes })
}

fn nothing(stage: Stage, queue: Queue, notes: &[String]) {
    print(format_args!("# nothing to do: no job of '{stage}' waits in the queue '{queue}'; nothing is started"));
    for note in notes {
        print(format_args!("# {note}"));
    }
}

impl WantedArgs {
    fn time(&self) -> Result<Duration> {
        let time = Duration::try_from(self.time).map_err(|e| Error::invalid("--time is too long").because(e))?;
        match time.as_secs() {
            120..=31_536_000 => Ok(time),
            _ => Err(Error::invalid(format!("--time is {:#}: expected 2 minutes to a year", self.time)).into()),
        }
    }

    fn workers(&self, jobs: u64, usual: &Resources) -> u32 {
        fanout::workers(jobs, self.jobs_per_worker.unwrap_or(usual.jobs_per_worker), self.workers)
    }
}

impl SlurmArgs {
    /// Whether the graphics processors that are asked for are this stage's: it can use one, or it alone is named.
    fn has_gpus(&self, stage: Stage) -> bool {
        stage == Stage::Enrich || self.stage.iter().all(|s| *s == stage)
    }

    fn check(&self) -> Result<()> {
        let is_here = |p: &&StagePartition| p.stage.is_none_or(|stage| self.stage.contains(&stage));
        match self.partition.iter().find(|p| !is_here(p)).and_then(|p| p.stage) {
            None => Ok(()),
            Some(stage) => {
                Err(Error::invalid(format!("--partition names the stage '{stage}', which --stage does not")).into())
            }
        }
    }
}

fn slurm(args: &SlurmArgs, archive: &Archive) -> Result<Verdict> {
    args.check()?;
    let wanted = &args.wanted;
    let (catalog, time) = (archive.catalog()?, wanted.time()?);
    let program = match &args.program {
        Some(program) => program.clone(),
        None => std::env::current_exe().doing(|| "cannot find this program's own file")?,
    };
    let longest = slurm::max_array()?;
    let one_machine = "The catalog is a SQLite file: the nodes have to be this one machine.".to_owned();
    let mut arrays: Vec<Array> = Vec::new();
    for stage in &args.stage {
        let usual = fanout::resources(*stage)?.for_queue(wanted.queue);
        let gpus = args.gpus.clone().filter(|_| args.has_gpus(*stage)).or(usual_gpus(&usual)?);
        let found = waiting(*stage, wanted.queue, gpus.as_ref().is_some_and(|g| g.as_str() != "0"), archive, &catalog)?;
        // What comes before it leaves something to do.
        let jobs = if arrays.is_empty() || *stage != Stage::Index { found.jobs } else { found.jobs.max(1) };
        let mut workers = wanted.workers(jobs, &usual);
        if workers == 0 {
            nothing(*stage, wanted.queue, &found.notes);
            continue;
        }
        let mut notes = found.notes;
        notes.extend((!archive.has_server()).then(|| one_machine.clone()));
        let at_most = longest.unwrap_or(slurm::USUAL_ARRAY);
        if workers > at_most {
            let whose = if longest.is_some() { "this cluster's arrays have" } else { "arrays usually have" };
            notes.push(format!("{workers} workers were wanted; {whose} {at_most} tasks at most (MaxArraySize)."));
            workers = at_most;
        }
        arrays.push(Array {
            stage: *stage,
            queue: wanted.queue,
            jobs,
            workers,
            in_flight: wanted.in_flight.filter(|n| *n < workers),
            cpus: wanted.cpus.unwrap_or(usual.cpus),
            memory: wanted.memory.map_or(usual.memory, |m| m.0),
            gpus,
            time,
            partition: StagePartition::of(&args.partition, *stage).cloned(),
            account: args.account.clone(),
            qos: args.qos.clone(),
            after: if arrays.is_empty() { args.after.clone() } else { Vec::new() },
            program: program.clone(),
            archive: archive.settings.root.clone(),
            notes,
        });
    }
    let scripts = arrays.iter().map(Array::script).collect::<Result<Vec<_>, _>>()?;
    match (args.wanted.submit, scripts.as_slice()) {
        (_, []) => {}
        (false, [one]) => print(one.trim_end()),
        (false, several) => print(slurm::chain(several).trim_end()),
        (true, several) => {
            let mut before: Option<String> = None;
            for (array, script) in arrays.iter().zip(several) {
                let job = slurm::submit(script, before.as_deref())?;
                print(format_args!(
                    "submitted {job}: {}, {} job(s), {} worker(s)",
                    array.stage, array.jobs, array.workers
                ));
                for note in &array.notes {
                    print(format_args!("# {note}"));
                }
                before = Some(job);
            }
        }
    }
    Ok(Verdict::Done)
}

fn usual_gpus(usual: &Resources) -> Result<Option<Gpus>> {
    Ok((usual.gpus > 0).then(|| usual.gpus.to_string().parse()).transpose()?)
}

fn k8s(args: &K8sArgs, archive: &Archive) -> Result<Verdict> {
    let wanted = &args.wanted;
    let (catalog, time) = (archive.catalog()?, wanted.time()?);
    let settings = for_pods(args, archive)?;
    if args.stage == Stage::Enrich {
        can_learn(args, archive)?;
    }
    let usual = fanout::resources(args.stage)?.for_queue(wanted.queue);
    let gpus = args.gpus.unwrap_or(usual.gpus);
    let found = waiting(args.stage, wanted.queue, gpus > 0, archive, &catalog)?;
    let workers = if args.scaled { wanted.workers } else { wanted.workers(found.jobs, &usual) };
    if workers == 0 {
        nothing(args.stage, wanted.queue, &found.notes);
        return Ok(Verdict::Done);
    }
    let mut notes = found.notes;
    if !archive.has_server() {
        notes.push(
            "This archive's catalog is a SQLite file, which pods do not reach: the Secret has to name a server."
                .to_owned(),
        );
    }
    let pool = match (&args.pool, args.any_node) {
        (_, true) => None,
        (Some(pool), _) => Some(pool.clone()),
        (None, _) => Some(usual.pool.parse()?),
    };
    let pods = Pods {
        stage: args.stage,
        queue: wanted.queue,
        jobs: found.jobs,
        workers,
        in_flight: wanted.in_flight,
        jobs_per_worker: wanted.jobs_per_worker.unwrap_or(usual.jobs_per_worker),
        cpus: wanted.cpus.unwrap_or(usual.cpus),
        memory: wanted.memory.map_or(usual.memory, |m| m.0),
        gpus,
        scratch: args.scratch.0,
        time,
        pool,
        namespace: args.namespace.clone(),
        image: args.image.clone(),
        secret: args.secret.clone(),
        claim: args.claim.clone(),
        models_claim: args.models_claim.clone(),
        profile_map: args.profile_map.clone(),
        kueue: args.kueue.clone(),
        settings,
        notes,
    };
    let manifest = if args.scaled { pods.scaled_job()? } else { pods.job()? };
    match wanted.submit {
        true => print(k8s::submit(&manifest, args.scaled)?),
        false => print(manifest.trim_end()),
    }
    Ok(Verdict::Done)
}

/// The archive's settings that pods need: those of the bucket, or none when the archive's own folder is mounted.
fn for_pods(args: &K8sArgs, archive: &Archive) -> Result<Vec<(String, String)>> {
    let settings = &archive.settings;
    if args.claim.is_some() {
        return Ok(Vec::new());
    }
    if settings.bucket("store")?.is_none() {
        let message = format!("pods do not reach the store, {}", settings.place());
        let hint = "keep masters in a bucket, or name the claim on a volume that holds this archive's folder: --claim";
        return Err(Error::invalid(message).hint(hint).into());
    }
    let is_given = |key: &&str, origin: &str| is_for_pods(key) && origin != "default";
    let given = settings.each().filter(|(key, r)| is_given(key, &r.origin) && !r.value.is_empty());
    Ok(given.map(|(key, r)| (format!("DAMCTL_{}", key.to_uppercase()), r.value.clone())).collect())
}

/// Whether pods have what learning needs besides the store: models, and the profile that says what for.
fn can_learn(args: &K8sArgs, archive: &Archive) -> Result<()> {
    let settings = &archive.settings;
    // With the archive's own folder, what lies in it comes along.
    let is_mounted = |path: &Path| args.claim.is_some() && path.starts_with(&settings.root);
    if args.models_claim.is_none() && !is_mounted(&settings.path("models")) {
        let hint = "name the claim on a volume that holds what 'damctl models' has fetched: --models-claim";
        return Err(Error::invalid("pods have no models: none are in the image").hint(hint).into());
    }
    if let Some(profile) = settings.profile().filter(|p| args.profile_map.is_none() && !is_mounted(p)) {
        let message = format!("pods do not have the profile {}", profile.display());
        let hint = "make a ConfigMap of it ('kubectl create configmap NAME --from-file=profile.yaml=FILE'), and name it: \
                    --profile-map";
        return Err(Error::invalid(message).hint(hint).into());
    }
    Ok(())
}
