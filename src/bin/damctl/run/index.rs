//! `damctl index`: the search index, brought up to date.

use std::{collections::BTreeSet, path::Path, time::Duration};

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Claim},
    error::Kind,
    index::{self, Indexing},
    model::{JobId, Queue, Stage},
    search::{self, IndexId, Searcher},
    stop::Stop,
    work::{self, Drain, Event, Reporter, Summary, Until},
};

use super::{Archive, Verdict, deadline, print, verdict};
use crate::cli::IndexArgs;

/// How often changes are looked for.
const LOOK: Duration = Duration::from_secs(1);

pub fn run(args: &IndexArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    if let Some(url) = &args.bulk {
        #[cfg(feature = "webhook")]
        return super::bulk::run(url, args, archive, reporter, stop);
        #[cfg(not(feature = "webhook"))]
        return Err(damctl::error::Error::unsupported(format!("this damctl cannot send to {url}"))
            .hint("it was built without the feature 'webhook'")
            .into());
    }
    let catalog = archive.catalog()?;
    let dir = archive.settings.path("index");
    if args.check {
        return check(&catalog, &dir, stop);
    }
    let mut index = index::target(&dir, args.rebuild, args.shards)?;
    let deadline = deadline(&catalog, args.for_time)?;
    let with = Pass { catalog: &catalog, dir: &dir, archive, deadline, reporter, stop };
    let mut last = with.pass(&index, Says::All)?;
    while args.follow && matches!(last, Verdict::Done | Verdict::SomeFailed) && !stop.is_tripped() {
        pause(stop);
        if stop.is_tripped() {
            break;
        }
        // Somebody may have made a new one meanwhile.
        index = index::target(&dir, false, None)?;
        last = with.pass(&index, Says::Nothing)?;
    }
    Ok(match (args.follow, last) {
        (true, Verdict::Done) if stop.is_tripped() => Verdict::Stopped,
        (_, last) => last,
    })
}

/// Whether a pass that found nothing to do says so.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Says {
    All,
    Nothing,
}

/// What a pass works with.
struct Pass<'a> {
    catalog: &'a Catalog,
    dir: &'a Path,
    archive: &'a Archive,
    deadline: Option<i64>,
    reporter: &'a dyn Reporter,
    stop: &'a Stop,
}

impl Pass<'_> {
    /// Plans, does what is planned, and takes the index as the current one once it is complete.
    fn pass(&self, index: &IndexId, says: Says) -> Result<Verdict> {
        let Pass { catalog, dir, deadline, reporter, stop, .. } = *self;
        let current = search::current(dir)?;
        if says == Says::All {
            // The events that they were planned for are behind the index's place: nothing plans them again.
            for shard in 0..index.shards {
                catalog.retry(&catalog.failed_among(&Claim::plan(Stage::Index, &index.scope(shard)))?)?;
            }
        }
        let planned_at = catalog.now()?;
        let is_whole = catalog.index_cursor(&index.id)?.is_none();
        let mut plan = index::plan(catalog, index)?;
        if says == Says::All && !is_whole {
            plan.wanted.extend(index::plan_gone(catalog, index, &catalog.indexed_gone(&index.id)?)?);
        }
        let enqueued = catalog.enqueue_planned(&plan.wanted, planned_at)?;
        catalog.set_index_cursor(&index.id, plan.seen)?;
        if is_whole {
            for shard in 0..index.shards {
                catalog.withdraw_others(Stage::Index, &index.scope(shard), &enqueued.open, planned_at)?;
            }
        }
        let earlier = enqueued.failed.iter().map(|id| catalog.job(*id)).collect::<Result<Vec<_>, _>>()?;
        if says == Says::All || !enqueued.open.is_empty() {
            reporter.report(&Event::Planned { stage: Stage::Index, jobs: enqueued.open.len(), bytes: None });
        }
        let summary = self.shards(index, &enqueued.open)?;
        let left = catalog.not_ended(&enqueued.open)?;
        let complete = left == 0
            && open_shards(catalog, index)?.is_empty()
            && summary.failed.is_empty()
            && summary.paused.is_none()
            && earlier.is_empty()
            && !stop.is_tripped();
        if current.as_ref() != Some(index) && (complete || current.is_none()) {
            search::switch(dir, index)?;
            catalog.forget_other_indexes(&index.id)?;
        }
        match summary.done {
            0 if complete && says == Says::Nothing => {}
            0 if complete => print("nothing to do: the index holds everything"),
            0 if enqueued.open.is_empty() && earlier.is_empty() => {
                print("nothing to do here: others are at work on the index")
            }
            n => print(format_args!("{n} of {} chunk(s) indexed", enqueued.open.len().max(n))),
        }
        verdict(Stage::Index, summary, &earlier, reporter, stop).unless_time_is_up(catalog, deadline, left)
    }

    /// Does what waits, shard by shard. A shard has one writer: one that another has is left to it, and waited for.
    fn shards(&self, index: &IndexId, planned: &[JobId]) -> Result<Summary> {
        let Pass { catalog, dir, deadline, reporter, stop, archive } = *self;
        let mut all = Summary::default();
        loop {
            let open = open_shards(catalog, index)?;
            let is_late = deadline.map(|at| Ok::<_, anyhow::Error>(catalog.now()? >= at)).transpose()?.unwrap_or(false);
            if open.is_empty() || stop.is_tripped() || all.paused.is_some() || is_late {
                return Ok(all);
            }
            let mut any = false;
            for shard in open {
                let stage = match Indexing::open(catalog, dir, index, shard) {
                    Ok(stage) => stage,
                    Err(e) if e.kind() == Kind::Unavailable => continue,
                    Err(e) => return Err(e.into()),
                };
                any = true;
                let until = deadline.map_or(Until::Empty, Until::Deadline);
                let how = Drain { workers: 1, until, ..archive.drain(index.scope(shard))? };
                let mut done = work::drain(catalog, &stage, &how, reporter, stop)?;
                if done.done > 1 {
                    stage.settle()?;
                }
                all.done += done.done;
                all.released += done.released;
                all.failed.append(&mut done.failed);
                all.paused = all.paused.or(done.paused);
            }
            if !any {
                if catalog.not_ended(planned)? == 0 {
                    return Ok(all);
                }
                pause(stop);
            }
        }
    }
}

/// Waits for a look; a stop is heard at once.
pub(super) fn pause(stop: &Stop) {
    let begin = std::time::Instant::now();
    while begin.elapsed() < LOOK && !stop.is_tripped() {
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The shards that have something to do.
pub(super) fn open_shards(catalog: &Catalog, index: &IndexId) -> Result<BTreeSet<u32>> {
    let mut open = BTreeSet::new();
    for shard in 0..index.shards {
        let scope = index.scope(shard);
        let claim = Claim { stage: Stage::Index, scope: Some(&scope), queue: Queue::All };
        if catalog.open_among(&claim)?.0 > 0 {
            open.insert(shard);
        }
    }
    Ok(open)
}

/// Compares the index with the catalog.
fn check(catalog: &Catalog, dir: &Path, stop: &Stop) -> Result<Verdict> {
    let Some(index) = search::current(dir)? else {
        return Err(damctl::error::Error::not_found("there is no search index that this damctl can use")
            .hint("'damctl index' makes one")
            .into());
    };
    let searcher = Searcher::new(dir);
    let damaged = searcher.damaged()?;
    for file in &damaged {
        print(format_args!("damaged: {}", file.display()));
    }
    if !damaged.is_empty() {
        print("the index is damaged: 'damctl index --rebuild' makes a new one");
        return Ok(Verdict::SomeFailed);
    }
    let found = index::check(catalog, &searcher, stop)?;
    print(format_args!(
        "{} asset(s) in the catalog, {} in the index {} ({} shard(s))",
        found.assets, found.documents, index.id, index.shards
    ));
    match found.passages {
        (0, 0) => {}
        (n, 0) => print(format_args!("{n} passage(s) can be found by their meaning")),
        (n, left) => print(format_args!(
            "{n} passage(s) can be found by their meaning; {left} vector(s) are left of others, until the next --rebuild"
        )),
    }
    for (what, assets) in
        [("missing", &found.missing), ("out of date", &found.stale), ("not in the catalog", &found.gone)]
    {
        for asset in assets.iter().take(20) {
            print(format_args!("{what}: {asset}"));
        }
        if assets.len() > 20 {
            print(format_args!("{what}: {} more", assets.len() - 20));
        }
    }
    if found.is_sound() {
        print("the index holds what the catalog knows");
        return Ok(Verdict::Done);
    }
    print(format_args!(
        "{} difference(s): 'damctl index' takes in what changed, 'damctl index --rebuild' makes it anew",
        found.missing.len() + found.stale.len() + found.gone.len()
    ));
    Ok(Verdict::SomeFailed)
}
