//! `damctl replace` and `damctl rollback`: generations of an asset.

use anyhow::Result;
use damctl::{
    catalog::{Catalog, RolledBack},
    keep::{self, Replace, Replaced},
    model::{AssetId, Queue, Stage},
    stop::Stop,
    work::{Event, Reporter},
};

use super::{Archive, Verdict, print, tell_swept, transcode, verdict};
use crate::cli::{ReplaceArgs, RollbackArgs};

pub fn run(args: &ReplaceArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let (catalog, store, profile) = (archive.catalog()?, archive.store()?, archive.profile()?);
    let (child, spool) = (archive.child()?, archive.spool()?);
    tell_swept(&spool, reporter);
    let what = Replace { catalog: &catalog, store: &*store, child: &child, spool: &spool, profile: &profile };
    // Who measures it works in another folder.
    let file = std::path::absolute(&args.file)?;
    let replaced = keep::replace(&what, args.asset, &file, stop)?;
    keep::record(&catalog, &*store, stop)?;
    match replaced {
        Replaced::Same => {
            print(format_args!("nothing to do: asset {} has these bytes", args.asset));
            return Ok(Verdict::Done);
        }
        Replaced::Active { generation } => {
            print(format_args!("generation {generation} of {} is active", args.asset));
            return Ok(Verdict::Done);
        }
        Replaced::Waits { generation } if args.no_wait => {
            print(format_args!("generation {generation} of {} waits for 'damctl transcode'", args.asset));
            return Ok(Verdict::Done);
        }
        Replaced::Waits { .. } => {}
    }
    let (plan, enqueued) = transcode::enqueue(&catalog, &profile, &[args.asset], Queue::INTERACTIVE)?;
    let earlier = enqueued.failed.iter().map(|id| catalog.job(*id)).collect::<Result<Vec<_>, _>>()?;
    reporter.report(&Event::Planned { stage: Stage::Transcode, jobs: enqueued.open.len(), bytes: None });
    let how = archive.drain(plan.scope)?;
    let summary = transcode::work_on(archive, &catalog, &how, !enqueued.open.is_empty(), reporter, stop)?;
    let ended = verdict(Stage::Transcode, summary, &earlier, reporter, stop);
    let left = catalog.not_ended(&enqueued.open)?;
    super::record(&catalog, &*store, reporter, stop);
    let is_active = tell(&catalog, args.asset)?;
    Ok(match ended {
        // What was wanted is there, whatever else failed.
        Verdict::SomeFailed if is_active => Verdict::Done,
        Verdict::Done if !is_active && left == 0 => Verdict::SomeFailed,
        other => other,
    }
    .unless_left(left, "master(s)"))
}

/// Says what is active; says whether nothing waits.
fn tell(catalog: &Catalog, asset: AssetId) -> Result<bool> {
    let active = catalog.asset(asset)?.masters.first().map_or(0, |m| m.generation);
    match catalog.pending(Some(asset))?.first() {
        None => print(format_args!("generation {active} of {asset} is active")),
        Some(waits) => print(format_args!(
            "generation {active} of {asset} stays active: generation {} lacks {}",
            waits.generation,
            waits.missing.join(", ")
        )),
    }
    Ok(catalog.pending(Some(asset))?.is_empty())
}

pub fn back(args: &RollbackArgs, archive: &Archive, stop: &Stop) -> Result<Verdict> {
    let (catalog, store) = (archive.catalog()?, archive.store()?);
    let done = keep::rollback(&catalog, &*store, args.asset, args.to, "command line")?;
    keep::record(&catalog, &*store, stop)?;
    match done {
        RolledBack::GaveUp { generation } => {
            print(format_args!("generation {generation} of {} is given up; what was active stays", args.asset));
        }
        RolledBack::Back { of, generation } => {
            print(format_args!("generation {generation} of {} is active: it is generation {of} again", args.asset));
        }
    }
    Ok(Verdict::Done)
}
