//! `damctl transcode`: what the profile wants and the archive lacks.

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Wanted},
    media::Limits,
    model::{JobState, Stage},
    stop::Stop,
    transcode::{Plan, Transcode, plan},
    work::{self, Event, Reporter},
};

use super::{Archive, Verdict, print, receive, verdict};
use crate::cli::TranscodeArgs;

pub fn run(args: &TranscodeArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let (profile, catalog) = (archive.profile()?, archive.catalog()?);
    let plan = plan(&catalog, &profile, &args.asset)?;
    if args.dry_run {
        show(&plan, &catalog)?;
        return Ok(Verdict::Done);
    }
    let wanted: Vec<Wanted> = plan.masters.iter().map(|m| m.wanted()).collect();
    let enqueued = catalog.enqueue(&wanted)?;
    if args.asset.is_empty() {
        catalog.withdraw_others(Stage::Transcode, &plan.scope, &enqueued.open)?;
        catalog.withdraw_idle_scopes(Stage::Transcode, &plan.scope)?;
    }
    let earlier = enqueued.failed.iter().map(|id| catalog.job(*id)).collect::<Result<Vec<_>, _>>()?;
    reporter.report(&Event::Planned { stage: Stage::Transcode, jobs: enqueued.open.len(), bytes: None });
    let quarantine = archive.settings.path("quarantine");
    let (store, spool, child) = (archive.store()?, archive.spool()?, archive.child()?);
    if !enqueued.open.is_empty() {
        child.warm()?;
    }
    let limits = Limits { stall_seconds: archive.settings.stall()?, ..Limits::default() };
    let stage =
        Transcode { catalog: &catalog, store: &*store, child: &child, spool: &spool, quarantine: &quarantine, limits };
    let summary = work::drain(&catalog, &stage, &archive.drain(plan.scope.clone())?, reporter, stop)?;
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
    Ok(verdict(Stage::Transcode, summary, &earlier, reporter, stop).unless_left(left, "master(s)"))
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
    print(format_args!("would make {count} renditions of {masters} masters; {} are present", plan.present));
    Ok(())
}
