//! `damctl jobs`: lists, shows and retries jobs.

use anyhow::Result;
use damctl::{
    catalog::JobFilter,
    model::{Job, JobState, job::Failure},
};

use super::{Archive, Verdict, print};
use crate::cli::JobsCommand;

pub fn run(command: JobsCommand, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    match command {
        JobsCommand::List { stage, state, limit, json } => {
            let jobs = catalog.jobs(&JobFilter { stage, state, limit: Some(limit) })?;
            for job in &jobs {
                match json {
                    true => print(serde_json::to_string(job)?),
                    false => line(job),
                }
            }
        }
        JobsCommand::Show { id } => {
            let job = catalog.job_by_prefix(&id)?;
            line(&job);
            print(format_args!("id         {}", job.id));
            print(format_args!("tries      {} of {}", job.attempt, job.max_attempt));
            if let Some(f) = &job.error {
                failure(f);
            }
            for a in catalog.attempts(job.id)? {
                let ended = a.ended.map_or_else(|| "now".to_owned(), time);
                print(format_args!(
                    "attempt {:<2} {} to {ended}  {:<9} {}",
                    a.attempt,
                    time(a.began),
                    a.result.as_deref().unwrap_or("running"),
                    a.worker
                ));
                if let Some(f) = &a.error {
                    failure(f);
                }
            }
        }
        JobsCommand::Retry { ids, all, stage } => {
            let jobs = match all {
                true => catalog
                    .jobs(&JobFilter { stage, state: Some(JobState::Failed), limit: None })?
                    .iter()
                    .map(|j| j.id)
                    .collect(),
                false => ids.iter().map(|id| catalog.job_by_prefix(id).map(|j| j.id)).collect::<Result<Vec<_>, _>>()?,
            };
            print(format_args!("{} job(s) opened again; their stage's command does them", catalog.retry(&jobs)?));
        }
    }
    Ok(Verdict::Done)
}

fn line(job: &Job) {
    let why = job.error.as_ref().map(|f| format!(": {}", f.message)).unwrap_or_default();
    print(format_args!(
        "{} {:<9} {:<6} {}{why}",
        &job.id.to_string()[..8],
        job.stage.as_str(),
        job.state.as_str(),
        job.subject
    ));
}

fn failure(f: &Failure) {
    print(format_args!("           {}: {}", f.kind, f.message));
    if let Some(hint) = &f.hint {
        print(format_args!("           hint: {hint}"));
    }
}

fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms)
        .map_or_else(|_| ms.to_string(), |t| t.strftime("%Y-%m-%dT%H:%M:%SZ").to_string())
}
