//! `damctl enrich`: what the profile wants to be known, and the archive does not know yet.

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Wanted},
    enrich::{Crew, Enrich, Lacking, Means, Plan, narrowed, plan},
    media::Limits,
    model::{JobState, Stage},
    stop::Stop,
    work::{self, Drain, Event, Reporter, Summary, Until},
};

use super::{Archive, Verdict, deadline, print, verdict};
use crate::cli::{EnrichArgs, ShiftArgs};

pub fn run(args: &EnrichArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let (profile, catalog) = (archive.profile()?, archive.catalog()?);
    let wanted = narrowed(&profile.learning, &args.only);
    let (means, lacking) = Means::find(&wanted, &archive.shelf(), stop)?;
    tell(&lacking);
    let is_lacking = |verdict| match verdict {
        Verdict::Done if !lacking.is_empty() => Verdict::SomeFailed,
        other => other,
    };
    let of = Work { archive, catalog: &catalog, means: &means };
    if args.shift.drain {
        return of.drain(&args.shift, reporter, stop).map(is_lacking);
    }
    let planned_at = catalog.now()?;
    let mut first = plan(&catalog, &profile, &means, &args.asset)?;
    if args.dry_run {
        show(&first, &catalog)?;
        return Ok(is_lacking(Verdict::Done));
    }
    let enqueue = |plan: &Plan| -> Result<damctl::catalog::Enqueued> {
        let wanted: Vec<Wanted> = plan.wishes.iter().map(|w| w.wanted.clone()).collect();
        Ok(catalog.enqueue_planned(&wanted, planned_at)?)
    };
    let mut enqueued = enqueue(&first)?;
    if args.asset.is_empty() && args.only.is_empty() && lacking.is_empty() {
        catalog.withdraw_others(Stage::Enrich, &first.scope, &enqueued.open, planned_at)?;
        catalog.withdraw_idle_scopes(Stage::Enrich, &first.scope)?;
    }
    if args.enqueue {
        let (waiting, present) = (enqueued.open.len(), first.present);
        print(format_args!("{waiting} job(s) wait for a worker; {present} sets of findings are present"));
        return Ok(is_lacking(Verdict::Done));
    }
    reporter.report(&Event::Planned { stage: Stage::Enrich, jobs: enqueued.open.len(), bytes: None });
    let deadline = deadline(&catalog, args.shift.for_time)?;
    let until = deadline.map_or(Until::Empty, Until::Deadline);
    let how = Drain { until, ..archive.drain(first.scope.clone())? };
    let present = first.present;
    let (mut planned, mut total) = (enqueued.open.len(), Summary::default());
    // What is said and shown brings words in which names are looked for: those jobs follow by themselves, but for words that
    // were there before.
    loop {
        let summary = of.work(&how, planned, reporter, stop)?;
        let did = summary.done;
        total.done += summary.done;
        total.failed.extend(summary.failed);
        total.released += summary.released;
        total.paused = total.paused.or(summary.paused);
        if stop.is_tripped() || total.paused.is_some() || did == 0 {
            break;
        }
        first = plan(&catalog, &profile, &means, &args.asset)?;
        let again = enqueue(&first)?;
        planned = again.open.len();
        enqueued.open.extend(again.open);
        if planned == 0 {
            break;
        }
    }
    let left = catalog.not_ended(&enqueued.open)?;
    let earlier: Vec<_> = enqueued
        .failed
        .iter()
        .filter(|id| total.failed.iter().all(|(job, _)| job.id != **id))
        .map(|id| catalog.job(*id))
        .collect::<Result<_, _>>()?;
    match (total.done, planned, earlier.is_empty()) {
        (0, 0, true) => print(format_args!("nothing to learn: all {present} sets of findings are present")),
        (done, _, _) => print(format_args!("{done} job(s) done; {present} sets of findings were present")),
    }
    let verdict = verdict(Stage::Enrich, total, &earlier, reporter, stop);
    let verdict = verdict.unless_time_is_up(&catalog, deadline, left)?.unless_left(left, "job(s)");
    Ok(is_lacking(verdict))
}

/// Says what is wanted and cannot be learned here. The rest goes on.
fn tell(lacking: &[Lacking]) {
    for Lacking { what, why } in lacking {
        print(format_args!("cannot learn {what} here: {}", why.one_line()));
        if let Some(hint) = why.hint_text() {
            print(format_args!("        hint: {hint}"));
        }
    }
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
        let (store, spool, child) = (self.archive.store()?, self.archive.spool()?, self.archive.child()?);
        if jobs > 0 {
            child.warm()?;
        }
        let settings = &self.archive.settings;
        let limits = Limits { stall_seconds: settings.stall()?, memory_bytes: settings.memory()?, ..Limits::default() };
        let mut reads = vec![settings.path("models")];
        if settings.bucket("store")?.is_none() {
            reads.push(settings.path("store"));
        }
        let crew = Crew::new(&child, &spool, reads, limits);
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
