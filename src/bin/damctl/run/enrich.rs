//! `damctl enrich`: what the profile wants to be known, and the archive does not know yet.

use std::sync::Arc;

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Enqueued, Wanted},
    enrich::{Care, Enrich, How, Lacking, Means, Plan, narrowed, plan, plan_again},
    error::Error,
    model::{JobState, Stage},
    profile::{Learning, Profile},
    speech,
    stop::Stop,
    work::{self, Drain, Event, Reporter, Summary, Until},
};

use super::{Archive, Verdict, deadline, print, tell_swept, verdict};
use crate::cli::{EnrichArgs, ShiftArgs};

pub fn run(args: &EnrichArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let (profile, catalog) = (archive.profile()?, archive.catalog()?);
    let wanted = match args.with {
        // New words may name somebody, be about something, and mean something; nothing else follows from them.
        Some(_) => {
            let Learning { names, topics, meaning, .. } = profile.learning.clone();
            Learning { names, topics, meaning, ..Learning::default() }
        }
        None => narrowed(&profile.learning, &args.only),
    };
    if !args.only.is_empty() && wanted == Learning::default() {
        let message = "nothing of what --only names is asked for by the profile's section 'enrich'";
        return Err(Error::invalid(message).hint("docs/enrich.md tells what it can ask for").into());
    }
    let care = if args.dry_run || args.enqueue { Care::Here } else { Care::All };
    let how = How { care, has_gpu: speech::has_gpu() };
    let (means, lacking) = Means::find(&wanted, &archive.shelf(), how, stop)?;
    for (line, hint) in lacking.iter().map(told) {
        print(line);
        hint.iter().for_each(|hint| print(format_args!("        hint: {hint}")));
    }
    let is_lacking = |verdict| match verdict {
        Verdict::Done if lacking.iter().any(|l| l.instead.is_none()) => Verdict::SomeFailed,
        other => other,
    };
    let of = Work { archive, catalog: &catalog, means: &means };
    if args.shift.drain {
        return of.drain(&args.shift, reporter, stop).map(is_lacking);
    }
    let planned_at = catalog.now()?;
    let plan = match &args.with {
        Some(model) => plan_again(&catalog, &profile, &means, model, &args.asset, stop)?,
        None => plan(&catalog, &profile, &means, &args.asset)?,
    };
    if args.dry_run {
        show(&plan, &catalog)?;
        return Ok(is_lacking(Verdict::Done));
    }
    let is_of_all = args.asset.is_empty() && args.only.is_empty() && args.with.is_none() && lacking.is_empty();
    let enqueued = write_down(&catalog, &plan, planned_at, is_of_all)?;
    let (jobs, present) = (enqueued.open.len(), plan.present);
    if args.enqueue {
        print(format_args!("{jobs} job(s) wait for a worker; {present} sets of findings are present"));
        return Ok(is_lacking(Verdict::Done));
    }
    let earlier = enqueued.failed.iter().map(|id| catalog.job(*id)).collect::<Result<Vec<_>, _>>()?;
    reporter.report(&Event::Planned { stage: Stage::Enrich, jobs, bytes: None });
    let deadline = deadline(&catalog, args.shift.for_time)?;
    let until = deadline.map_or(Until::Empty, Until::Deadline);
    let how = Drain { until, ..archive.drain(plan.scope.clone())? };
    // Names follow new words by themselves.
    let summary = of.work(&how, jobs, reporter, stop)?;
    let left = catalog.not_ended(&enqueued.open)?;
    match (summary.done, jobs, earlier.is_empty()) {
        (_, 0, true) if args.with.is_some() => match present {
            0 => print("nothing to hear again: nothing is doubted that a model heard"),
            n => print(format_args!("nothing to hear again: of {n} recording(s) that model has heard what is doubted")),
        },
        (_, 0, true) => print(nothing(present, &lacking)),
        (done, _, _) => print(format_args!("{done} job(s) done; {present} sets of findings were present")),
    }
    let verdict = verdict(Stage::Enrich, summary, &earlier, reporter, stop);
    let verdict = verdict.unless_time_is_up(&catalog, deadline, left)?.unless_left(left, "job(s)");
    Ok(is_lacking(super::shelve::unless_archived(verdict, &plan.archived, &args.asset)))
}

/// Writes down the jobs of a plan. One for all takes back what earlier ones wanted; one that lacks models does not know all.
fn write_down(catalog: &Catalog, plan: &Plan, planned_at: i64, is_of_all: bool) -> Result<Enqueued> {
    let wanted: Vec<Wanted> = plan.wishes.iter().map(|w| w.wanted.clone()).collect();
    let enqueued = catalog.enqueue_planned(&wanted, planned_at)?;
    if is_of_all {
        catalog.withdraw_others(Stage::Enrich, &plan.scope, &enqueued.open, planned_at)?;
        catalog.withdraw_idle_scopes(Stage::Enrich, &plan.scope)?;
    }
    Ok(enqueued)
}

/// Plans all that the profile wants to be known, for others to find out, who have graphics processors or not. Says what cannot be
/// planned here.
pub fn enqueue(archive: &Archive, catalog: &Catalog, profile: &Profile, has_gpu: bool) -> Result<Vec<String>> {
    let stop = Stop::new();
    let how = How { care: Care::Here, has_gpu };
    let (means, lacking) = Means::find(&profile.learning, &archive.shelf(), how, &stop)?;
    let planned_at = catalog.now()?;
    let plan = plan(catalog, profile, &means, &[])?;
    write_down(catalog, &plan, planned_at, lacking.is_empty())?;
    let told = |l: &Lacking| match l.instead {
        None => format!("{} is not planned: {}.", l.what, l.why.one_line()),
        Some(_) => {
            let (line, hint) = told(l);
            format!("{line}; {}.", hint.unwrap_or_default())
        }
    };
    Ok(lacking.iter().map(told).collect())
}

/// Why there is nothing to do. What cannot be looked for is not known to be there.
fn nothing(present: usize, lacking: &[Lacking]) -> String {
    let told = |l: &Lacking| match l.why.hint_text() {
        Some(hint) => format!("{} cannot be learned here ({hint})", l.what),
        None => format!("{} cannot be learned here", l.what),
    };
    let absent: Vec<String> = lacking.iter().filter(|l| l.instead.is_none()).map(told).collect();
    match absent.as_slice() {
        [] => format!("nothing to learn: all {present} sets of findings are present"),
        absent => {
            format!("nothing was learned: {}; of the rest all {present} sets are present", absent.join(", "))
        }
    }
}

/// What is wanted and cannot be learned here, or not as it is wanted, and what helps. The rest goes on.
fn told(Lacking { what, why, instead }: &Lacking) -> (String, Option<String>) {
    let line = match instead {
        None => format!("cannot learn {what} here: {}", why.one_line()),
        Some(other) => format!("{what} is learned by {other}, of print alone: {}", why.one_line()),
    };
    let then = if instead.is_some() { "; what was learned without it is learned anew then" } else { "" };
    (line, why.hint_text().map(|hint| format!("{hint}{then}")))
}

struct Work<'a> {
    archive: &'a Archive,
    catalog: &'a Catalog,
    means: &'a Means,
}

impl Work<'_> {
    /// A worker's shift: what waits is done, whosever plan it is.
    fn drain(&self, args: &ShiftArgs, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
        let deadline = deadline(self.catalog, args.for_time)?;
        let how = self.archive.shift(args.queue, deadline)?;
        let from = how.claim(Stage::Enrich);
        let (jobs, _) = self.catalog.open_among(&from)?;
        reporter.report(&Event::Planned { stage: Stage::Enrich, jobs: jobs as usize, bytes: None });
        let summary = self.work(&how, jobs as usize, reporter, stop)?;
        let left = self.catalog.due_among(&from)?;
        match (summary.done, jobs) {
            (0, 0) => print(format_args!("nothing to do: no job waits in the queue '{}'", args.queue)),
            (n, _) => print(format_args!("{n} job(s) done; {left} wait")),
        }
        verdict(Stage::Enrich, summary, &[], reporter, stop).unless_time_is_up(self.catalog, deadline, left)
    }

    fn work(&self, how: &Drain, jobs: usize, reporter: &dyn Reporter, stop: &Stop) -> Result<Summary> {
        let (store, spool, child) = (self.archive.store()?, Arc::new(self.archive.spool()?), self.archive.child()?);
        tell_swept(&spool, reporter);
        if jobs > 0 {
            child.warm()?;
            // Who waits should know for what.
            let speech = self.means.told().into_iter().find(|(what, _)| *what == "speech");
            if let Some((what, how)) = speech {
                reporter.report(&Event::Note { text: &format!("{what}: {how}") });
            }
        }
        let crew = self.archive.crew(child, spool.clone())?;
        // Few jobs have the cores between them.
        let at_a_time = (how.workers / jobs.max(1)).max(1);
        let stage =
            Enrich { catalog: self.catalog, store: &*store, spool: &spool, crew: &crew, means: self.means, at_a_time };
        Ok(work::drain(self.catalog, &stage, how, reporter, stop)?)
    }
}

fn show(plan: &Plan, catalog: &Catalog) -> Result<()> {
    let mut count = 0;
    for wish in &plan.wishes {
        let job = catalog.job(wish.wanted.id()).ok().filter(|job| job.state == JobState::Failed);
        match job.and_then(|job| job.error) {
            Some(failure) => print(format_args!("failed earlier {}: {}", wish.wanted.subject, failure.message)),
            None => {
                count += 1;
                print(format_args!("learn {} of {} ({})", wish.what.join(", "), wish.title, wish.asset));
            }
        }
    }
    print(format_args!("would do {count} job(s); {} sets of findings are present", plan.present));
    Ok(())
}
