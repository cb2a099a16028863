//! `damctl receive`: what has arrived of the files that were announced.

use std::{
    collections::HashSet,
    time::{Duration, Instant},
};

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Enqueued},
    model::{ArrivalState, AssetId, Stage},
    profile::Profile,
    receive::{Receive, SCOPE, wanted},
    stop::Stop,
    store::ocfl,
    transcode,
    work::{self, Event, Reporter, Summary, Until},
};

use super::{Archive, Verdict, print, tell_swept};
use crate::cli::ReceiveArgs;

/// Between two looks at what is announced, in seconds.
const EVERY: i64 = 5;

pub fn run(args: &ReceiveArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let (catalog, store, profile) = (archive.catalog()?, archive.store()?, archive.profile()?);
    let (spool, child) = (archive.spool()?, archive.child()?);
    tell_swept(&spool, reporter);
    ocfl::declare_root(&*store)?;
    let stage = Receive { catalog: &catalog, store: &*store, child: &child, spool: &spool, waits: args.watch };
    let mut how = archive.drain(SCOPE.to_owned())?;
    if !args.watch {
        // What another run would look at later is looked at now.
        catalog.withdraw_others(Stage::Receive, SCOPE, &[], i64::MAX)?;
    }
    let mut is_first = true;
    let mut any_failed = false;
    loop {
        let enqueued = plan(&catalog, is_first)?;
        if is_first {
            reporter.report(&Event::Planned { stage: Stage::Receive, jobs: enqueued.open.len(), bytes: None });
        }
        is_first = false;
        if args.watch {
            how.until = Until::Deadline(catalog.now()? + EVERY * 1000);
        }
        let summary = work::drain(&catalog, &stage, &how, reporter, stop)?;
        any_failed |= !summary.failed.is_empty();
        let paused = tell(summary);
        mark_ready(&catalog, &profile)?;
        super::record(&catalog, &*store, reporter, stop);
        match paused {
            Some(e) => return Ok(Verdict::Paused(e)),
            None if stop.is_tripped() => return Ok(Verdict::Stopped),
            None if args.watch => pause(stop),
            None => break,
        }
    }
    for (state, count) in catalog.arrival_counts()? {
        print(format_args!("{count:>8} {}", state.as_str()));
    }
    Ok(if any_failed { Verdict::SomeFailed } else { Verdict::Done })
}

/// Jobs for what is not settled. One that failed is opened again when the command is given, and later if its worker was
/// lost.
fn plan(catalog: &Catalog, is_first: bool) -> Result<Enqueued> {
    let wanted = wanted(catalog)?;
    let enqueued = catalog.enqueue(&wanted)?;
    let mut again = Vec::new();
    for id in &enqueued.failed {
        if is_first || catalog.job(*id)?.error.is_some_and(|e| e.kind.is_retryable()) {
            again.push(*id);
        }
    }
    Ok(if catalog.retry(&again)? > 0 { catalog.enqueue(&wanted)? } else { enqueued })
}

/// Names what failed; gives why the run paused, if it did.
fn tell(summary: Summary) -> Option<damctl::error::Error> {
    for (job, failure) in &summary.failed {
        print(format_args!("failed: {}: {}", job.subject, failure.message));
        if let Some(hint) = &failure.hint {
            print(format_args!("        hint: {hint}"));
        }
    }
    summary.paused
}

fn pause(stop: &Stop) {
    let began = Instant::now();
    while !stop.is_tripped() && began.elapsed() < Duration::from_secs(EVERY as u64) {
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Arrivals of which the profile wants nothing more are ready.
pub fn mark_ready(catalog: &Catalog, profile: &Profile) -> Result<()> {
    let arrivals = catalog.arrivals(&[ArrivalState::Processing])?;
    let assets: Vec<AssetId> = arrivals.iter().map(|a| a.holder.unwrap_or(a.asset)).collect();
    if assets.is_empty() {
        return Ok(());
    }
    let plan = transcode::plan(catalog, profile, &assets)?;
    let missing: HashSet<AssetId> = plan.masters.iter().map(|m| m.asset).collect();
    let ready = arrivals.iter().filter(|a| !missing.contains(&a.holder.unwrap_or(a.asset))).map(|a| a.asset);
    catalog.arrivals_ready(&ready.collect::<Vec<_>>())?;
    Ok(())
}
