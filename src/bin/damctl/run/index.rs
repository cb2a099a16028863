//! `damctl index`: the search index, brought up to date.

use anyhow::Result;
use damctl::{
    index::{self, Indexing},
    model::Stage,
    search,
    stop::Stop,
    work::{self, Drain, Event, Reporter, Until},
};

use super::{Archive, Verdict, deadline, print, verdict};
use crate::cli::IndexArgs;

pub fn run(args: &IndexArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let dir = archive.settings.path("index");
    let current = search::current_id(&dir)?;
    let id = index::target(&dir, args.rebuild)?;
    let planned_at = catalog.now()?;
    let enqueued = catalog.enqueue_planned(&index::plan(&catalog, &id)?, planned_at)?;
    catalog.withdraw_others(Stage::Index, &id, &enqueued.open, planned_at)?;
    let earlier = enqueued.failed.iter().map(|id| catalog.job(*id)).collect::<Result<Vec<_>, _>>()?;
    reporter.report(&Event::Planned { stage: Stage::Index, jobs: enqueued.open.len(), bytes: None });
    // The index has one writer.
    let deadline = deadline(&catalog, args.for_time)?;
    let until = deadline.map_or(Until::Empty, Until::Deadline);
    let drain = Drain { workers: 1, until, ..archive.drain(id.clone())? };
    let summary = work::drain(&catalog, &Indexing::open(&catalog, &dir, &id)?, &drain, reporter, stop)?;
    let left = catalog.not_ended(&enqueued.open)?;
    let complete =
        left == 0 && summary.failed.is_empty() && summary.paused.is_none() && earlier.is_empty() && !stop.is_tripped();
    if current.as_ref() != Some(&id) && (complete || current.is_none()) {
        search::switch(&dir, &id)?;
        catalog.forget_other_indexes(&id)?;
    }
    match summary.done {
        0 if complete => print("nothing to do: the index holds everything"),
        n => print(format_args!("{n} of {} chunk(s) indexed", enqueued.open.len())),
    }
    verdict(Stage::Index, summary, &earlier, reporter, stop).unless_time_is_up(&catalog, deadline, left)
}
