//! `damctl transcode`: what the profile wants and the archive lacks.

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Enqueued, Wanted},
    keep,
    media::Limits,
    model::{AssetId, JobState, Queue, Stage},
    profile::Profile,
    stop::Stop,
    transcode::{Missing, Plan, Transcode, plan},
    work::{self, Drain, Event, Reporter, Summary, Until},
};

use super::{Archive, Verdict, deadline, print, receive, tell_swept, verdict};
use crate::cli::{ShiftArgs, TranscodeArgs};

pub fn run(args: &TranscodeArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    if args.shift.drain {
        return drain(&args.shift, archive, reporter, stop);
    }
    let (profile, catalog) = (archive.profile()?, archive.catalog()?);
    if args.dry_run {
        show(&plan(&catalog, &profile, &args.asset)?, &catalog)?;
        return Ok(Verdict::Done);
    }
    let priority = if args.interactive { Queue::INTERACTIVE } else { 0 };
    let (plan, enqueued) = enqueue(&catalog, &profile, &args.asset, priority)?;
    if args.enqueue {
        let (waiting, present) = (counted(enqueued.open.len(), &plan), plan.present);
        print(format_args!("{waiting} wait for a worker; {present} renditions are present"));
        return Ok(Verdict::Done);
    }
    let earlier = enqueued.failed.iter().map(|id| catalog.job(*id)).collect::<Result<Vec<_>, _>>()?;
    reporter.report(&Event::Planned { stage: Stage::Transcode, jobs: enqueued.open.len(), bytes: None });
    let deadline = deadline(&catalog, args.shift.for_time)?;
    let until = deadline.map_or(Until::Empty, Until::Deadline);
    let how = Drain { until, ..archive.drain(plan.scope.clone())? };
    let summary = work_on(archive, &catalog, &how, !enqueued.open.is_empty(), reporter, stop)?;
    receive::mark_ready(&catalog, &profile)?;
    super::record(&catalog, &*archive.store()?, reporter, stop);
    let left = catalog.not_ended(&enqueued.open)?;
    let (jobs, present) = (enqueued.open.len(), plan.present);
    match (jobs, earlier.is_empty()) {
        (1.., _) if is_split(&plan) => {
            let done = counted(summary.done, &plan);
            print(format_args!("{done} done; {present} renditions were present"));
        }
        (0, true) => print(format_args!("nothing to do: all {present} renditions are present")),
        (0, false) => print(format_args!(
            "nothing new to do: {present} renditions are present, {} master(s) failed earlier",
            earlier.len()
        )),
        _ => print(format_args!("{} of {jobs} master(s) rendered; {present} renditions were present", summary.done)),
    }
    let verdict = verdict(Stage::Transcode, summary, &earlier, reporter, stop);
    let verdict = verdict.unless_time_is_up(&catalog, deadline, left)?.unless_left(left, "master(s)");
    Ok(super::shelve::unless_archived(verdict, &plan.archived, &args.asset))
}

fn is_split(plan: &Plan) -> bool {
    plan.masters.iter().any(|m| !m.films.is_empty())
}

/// So many jobs, in words: most are one master's, but those of films in segments are not.
fn counted(jobs: usize, plan: &Plan) -> String {
    match is_split(plan) {
        true => format!("{jobs} job(s) of {} master(s)", plan.masters.len()),
        false => format!("{jobs} master(s)"),
    }
}

/// Plans and writes the plan down. A plan for all assets takes back what earlier ones wanted.
pub fn enqueue(catalog: &Catalog, profile: &Profile, only: &[AssetId], priority: i64) -> Result<(Plan, Enqueued)> {
    let planned_at = catalog.now()?;
    // What waits to take a place waits for what is wanted now.
    keep::expect(catalog, profile)?;
    let plan = plan(catalog, profile, only)?;
    let jobs = plan.masters.iter().flat_map(Missing::jobs);
    let wanted: Vec<Wanted> = jobs.map(|job| Wanted { priority, ..job }).collect();
    let enqueued = catalog.enqueue_planned(&wanted, planned_at)?;
    if only.is_empty() {
        catalog.withdraw_others(Stage::Transcode, &plan.scope, &enqueued.open, planned_at)?;
        catalog.withdraw_idle_scopes(Stage::Transcode, &plan.scope)?;
    }
    Ok((plan, enqueued))
}

/// A worker's shift: what waits is done, whosever plan it is.
fn drain(args: &ShiftArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let deadline = deadline(&catalog, args.for_time)?;
    let how = archive.shift(args.queue, deadline)?;
    let from = how.claim(Stage::Transcode);
    let (jobs, _) = catalog.open_among(&from)?;
    reporter.report(&Event::Planned { stage: Stage::Transcode, jobs: jobs as usize, bytes: None });
    let summary = work_on(archive, &catalog, &how, jobs > 0, reporter, stop)?;
    let left = catalog.due_among(&from)?;
    match (summary.done, jobs) {
        (0, 0) => print(format_args!("nothing to do: no job waits in the queue '{}'", args.queue)),
        (n, _) => print(format_args!("{n} master(s) rendered; {left} wait")),
    }
    verdict(Stage::Transcode, summary, &[], reporter, stop).unless_time_is_up(&catalog, deadline, left)
}

pub fn work_on(
    archive: &Archive,
    catalog: &Catalog,
    how: &Drain,
    warm: bool,
    reporter: &dyn Reporter,
    stop: &Stop,
) -> Result<Summary> {
    let quarantine = archive.settings.path("quarantine");
    let (store, spool, child) = (archive.store()?, archive.spool()?, archive.child()?);
    tell_swept(&spool, reporter);
    if warm {
        child.warm()?;
    }
    let (stall_seconds, memory_bytes) = (archive.settings.stall()?, archive.settings.memory()?);
    let limits = Limits { stall_seconds, memory_bytes, ..Limits::default() };
    let stage = Transcode { catalog, store: &*store, child: &child, spool: &spool, quarantine: &quarantine, limits };
    Ok(work::drain(catalog, &stage, how, reporter, stop)?)
}

fn show(plan: &Plan, catalog: &Catalog) -> Result<()> {
    let (mut count, mut masters) = (0, 0);
    for m in &plan.masters {
        let jobs = m.jobs();
        let failed = jobs.iter().filter_map(|wanted| {
            let job = catalog.job(wanted.id()).ok().filter(|job| job.state == JobState::Failed)?;
            Some((job.subject, job.error?))
        });
        let failed: Vec<_> = failed.collect();
        for (subject, failure) in &failed {
            print(format_args!("failed earlier {subject}: {}", failure.message));
        }
        if failed.len() == jobs.len() {
            continue;
        }
        if m.problem.is_none() {
            (count, masters) = (count + m.missing.len(), masters + 1);
        }
        match &m.problem {
            Some(problem) => print(format_args!("cannot render {} ({}): {problem}", m.title, m.asset)),
            None => print(format_args!("render {} {} ({}): {}", m.kind, m.title, m.asset, m.missing.join(", "))),
        }
        for film in m.films.iter().filter(|film| film.missing.iter().any(Option::is_some)) {
            let names: Vec<&str> = film.entries.iter().map(|e| e.name.as_str()).collect();
            print(format_args!("  in {} segments: {}", film.stretches.len(), names.join(", ")));
        }
    }
    for asset in &plan.archived {
        print(format_args!("archived: asset {asset} lacks renditions: 'damctl restore {asset}' first"));
    }
    let unwanted = match plan.unwanted {
        0 => String::new(),
        some => format!("; {some} are not wanted (their 'when' does not hold)"),
    };
    print(format_args!("would make {count} renditions of {masters} masters; {} are present{unwanted}", plan.present));
    Ok(())
}
