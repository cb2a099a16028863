//! `damctl index --bulk`: the index of a server, brought up to date.

use anyhow::Result;
use damctl::{
    error::Error,
    index::{
        self,
        bulk::{Bulk, Exporting},
    },
    model::Stage,
    stop::Stop,
    work::{self, Drain, Event, Reporter, Until},
};

use super::{
    Archive, Verdict, deadline,
    index::{Says, open_shards, pause},
    print, verdict,
};
use crate::cli::IndexArgs;

pub fn run(url: &str, args: &IndexArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let bulk = Bulk::new(&archive.settings.bulk(url))?;
    let deadline = deadline(&catalog, args.for_time)?;
    let pass = |says: Says| -> Result<Verdict> {
        let index = bulk.id();
        // What is empty holds nothing of what was sent there once.
        if bulk.prepare()? {
            catalog.forget_index(&index.id)?;
        }
        let planned_at = catalog.now()?;
        let is_whole = catalog.index_cursor(&index.id)?.is_none();
        let mut plan = index::plan(&catalog, &index)?;
        if says == Says::All {
            // Where the catalog does not know what was sent, the server does: it may have been there before the catalog.
            let held = if is_whole { bulk.assets(stop)? } else { catalog.indexed_gone(&index.id)? };
            plan.wanted.extend(index::plan_gone(&catalog, &index, &held)?);
        }
        let enqueued = catalog.enqueue_planned(&plan.wanted, planned_at)?;
        catalog.set_index_cursor(&index.id, plan.seen)?;
        let scope = index.scope(0);
        if is_whole {
            catalog.withdraw_others(Stage::Index, &scope, &enqueued.open, planned_at)?;
        }
        let earlier = enqueued.failed.iter().map(|id| catalog.job(*id)).collect::<Result<Vec<_>, Error>>()?;
        if says == Says::All || !enqueued.open.is_empty() {
            reporter.report(&Event::Planned { stage: Stage::Index, jobs: enqueued.open.len(), bytes: None });
        }
        let until = deadline.map_or(Until::Empty, Until::Deadline);
        let how = Drain { until, ..archive.drain(scope)? };
        let summary = work::drain(&catalog, &Exporting::new(&catalog, &bulk), &how, reporter, stop)?;
        let left = catalog.not_ended(&enqueued.open)?;
        let is_complete = left == 0 && summary.paused.is_none() && open_shards(&catalog, &index)?.is_empty();
        if is_complete && !stop.is_tripped() && (summary.done > 0 || says == Says::All) {
            bulk.switch()?;
        }
        match summary.done {
            0 if is_complete && says == Says::Nothing => {}
            0 if is_complete && earlier.is_empty() && summary.failed.is_empty() => {
                print(format_args!("nothing to do: {} holds everything", bulk.shown()))
            }
            n => print(format_args!("{n} of {} chunk(s) sent to {}", enqueued.open.len().max(n), bulk.shown())),
        }
        verdict(Stage::Index, summary, &earlier, reporter, stop).unless_time_is_up(&catalog, deadline, left)
    };
    let mut last = pass(Says::All)?;
    while args.follow && matches!(last, Verdict::Done | Verdict::SomeFailed) && !stop.is_tripped() {
        pause(stop);
        if !stop.is_tripped() {
            last = pass(Says::Nothing)?;
        }
    }
    Ok(match (args.follow, last) {
        (true, Verdict::Done) if stop.is_tripped() => Verdict::Stopped,
        (_, last) => last,
    })
}
