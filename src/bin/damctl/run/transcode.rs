//! `damctl transcode`: what the profile wants and the archive lacks.

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Enqueued, Wanted},
    media::Limits,
    model::{AssetId, JobState, Queue, Stage},
    profile::Profile,
    stop::Stop,
    transcode::{Plan, Transcode, plan},
    work::{self, Drain, Event, Reporter, Summary, Until},
};

use super::{Archive, Verdict, deadline, print, receive, verdict};
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
        print(format_args!(
            "{} master(s) wait for a worker; {} renditions are present",
            enqueued.open.len(),
            plan.present
        ));
        return Ok(Verdict::Done);
    }
    let earlier = enqueued.failed.iter().map(|id| catalog.job(*id)).collect::<Result<Vec<_>, _>>()?;
    reporter.report(&Event::Planned { stage: Stage::Transcode, jobs: enqueued.open.len(), bytes: None });
    let deadline = deadline(&catalog, args.shift.for_time)?;
    let until = deadline.map_or(Until::Empty, Until::Deadline);
    let how = Drain { until, ..archive.drain(plan.scope.clone())? };
    let summary = work_on(archive, &catalog, &how, !enqueued.open.is_empty(), reporter, stop)?;
    receive::mark_ready(&catalog, &profile)?;
    let left = catalog.not_ended(&enqueued.open)?;
    let (jobs, present) = (enqueued.open.len(), plan.present);
    match (jobs, earlier.is_empty()) {
        (0, true) => print(format_args!("nothing to do: all {present} renditions are present")),
        (0, false) => print(format_args!(
            "nothing new to do: {present} renditions are present, {} master(s) failed earlier",
            earlier.len()
        )),
        _ => print(format_args!("{} of {jobs} master(s) rendered; {present} renditions were present", summary.done)),
    }
    let verdict = verdict(Stage::Transcode, summary, &earlier, reporter, stop);
    Ok(verdict.unless_time_is_up(&catalog, deadline, left)?.unless_left(left, "master(s)"))
}

/// Plans and writes the plan down. A plan for all assets takes back what earlier ones wanted.
pub fn enqueue(catalog: &Catalog, profile: &Profile, only: &[AssetId], priority: i64) -> Result<(Plan, Enqueued)> {
    let planned_at = catalog.now()?;
    let plan = plan(catalog, profile, only)?;
    let wanted: Vec<Wanted> = plan.masters.iter().map(|m| Wanted { priority, ..m.wanted() }).collect();
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

fn work_on(
    archive: &Archive,
    catalog: &Catalog,
    how: &Drain,
    warm: bool,
    reporter: &dyn Reporter,
    stop: &Stop,
) -> Result<Summary> {
    let quarantine = archive.settings.path("quarantine");
    let (store, spool, child) = (archive.store()?, archive.spool()?, archive.child()?);
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
        if let Ok(job) = catalog.job(m.wanted().id())
            && let (JobState::Failed, Some(failure)) = (job.state, &job.error)
        {
            print(format_args!("failed earlier {} ({}): {}", m.title, m.asset, failure.message));
            continue;
        }
        if m.problem.is_none() {
            (count, masters) = (count + m.missing.len(), masters + 1);
        }
        match &m.problem {
            Some(problem) => print(format_args!("cannot render {} ({}): {problem}", m.title, m.asset)),
            None => print(format_args!("render {} {} ({}): {}", m.kind, m.title, m.asset, m.missing.join(", "))),
        }
    }
    let unwanted = match plan.unwanted {
        0 => String::new(),
        some => format!("; {some} are not wanted (their 'when' does not hold)"),
    };
    print(format_args!("would make {count} renditions of {masters} masters; {} are present{unwanted}", plan.present));
    Ok(())
}
