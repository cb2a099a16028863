//! `damctl collect`: what nobody will go on with.

use anyhow::Result;
use damctl::{
    catalog::{Catalog, Retired},
    error::{Error, Kind},
    model::Stage,
    stop::Stop,
    store::Store,
    tend, work,
    work::Reporter,
};
use indicatif::HumanBytes;

use super::{Archive, Verdict, print};
use crate::cli::CollectArgs;

const DAY_MS: i64 = 24 * 3600 * 1000;

pub fn run(args: &CollectArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let (catalog, store) = (archive.catalog()?, archive.store()?);
    // Who was killed is not at work.
    for stage in [Stage::Ingest, Stage::Receive, Stage::Transcode] {
        work::bury_the_dead(&catalog, stage, reporter)?;
    }
    if args.now && catalog.under_way()?.live.is_some() {
        return Err(Error::new(Kind::Conflict, "another damctl is at work: what is marked is not removed at once")
            .hint("leave out --now, or wait until it has ended")
            .into());
    }
    uploads(args, &catalog, &*store)?;
    segments(args, &catalog, &*store, stop)?;
    renditions(args, archive, &catalog, &*store, stop)?;
    objects(args, &catalog, &*store, stop)?;
    refusals(args, archive)?;
    stuck(&catalog)?;
    super::record(&catalog, &*store, reporter, stop);
    Ok(if stop.is_tripped() { Verdict::Stopped } else { Verdict::Done })
}

fn uploads(args: &CollectArgs, catalog: &Catalog, store: &dyn Store) -> Result<()> {
    let stale = tend::stale_uploads(catalog, store, i64::from(args.days) * DAY_MS)?;
    for upload in &stale {
        print(format_args!("unfinished upload of {}: {}", time(upload.began), upload.key));
    }
    match (stale.len(), !args.yes) {
        (0, _) => print(format_args!("nothing to do: no upload is older than {} day(s)", args.days)),
        (n, true) => print(format_args!("would give up {n} upload(s)")),
        (n, false) => {
            tend::give_up(catalog, store, &stale)?;
            print(format_args!("{n} upload(s) given up"));
        }
    }
    Ok(())
}

/// Says nothing where there are none: most archives never have any.
fn segments(args: &CollectArgs, catalog: &Catalog, store: &dyn Store, stop: &Stop) -> Result<()> {
    let leftover = tend::leftover_segments(catalog, i64::from(args.days) * DAY_MS)?;
    let bytes = HumanBytes(leftover.iter().flat_map(|s| &s.files).map(|f| f.bytes).sum());
    match (leftover.len(), !args.yes) {
        (0, _) => {}
        (n, true) => print(format_args!("would remove {n} segment(s) of films that are joined ({bytes})")),
        (n, false) => {
            tend::remove_segments(catalog, store, &leftover, stop)?;
            print(format_args!("{n} segment(s) of films that are joined removed ({bytes})"));
        }
    }
    Ok(())
}

/// How long what is marked stays (ms): longer than anybody reads one file.
const DELAY_MS: i64 = 3600 * 1000;

/// Marks renditions whose time is over, and removes those that were marked long enough ago.
fn renditions(args: &CollectArgs, archive: &Archive, catalog: &Catalog, store: &dyn Store, stop: &Stop) -> Result<()> {
    let (profile, keep) = (archive.profile()?, archive.settings.keep()?);
    // What is marked by this run is not removed by it, unless that is asked for.
    let delay = if args.now { 0 } else { DELAY_MS };
    let retired = tend::retired(catalog, &profile, &keep, i64::from(args.days) * DAY_MS, stop)?;
    let bytes = |all: &[Retired]| HumanBytes(all.iter().flat_map(|r| &r.rendition.files).map(|f| f.bytes).sum());
    for r in &retired {
        print(format_args!("not wanted any more: {}: {}", r.rendition.prefix, r.why));
    }
    let marked = catalog.tombstones()?;
    match (retired.len(), args.yes) {
        (0, _) => {}
        (n, false) => print(format_args!("would mark {n} rendition(s) ({})", bytes(&retired))),
        (_, true) => {
            let mut n = 0;
            for batch in retired.chunks(500) {
                stop.check()?;
                n += catalog.retire(batch)?;
            }
            print(format_args!("{n} rendition(s) marked ({}): a run an hour later removes them", bytes(&retired)));
        }
    }
    if !args.yes {
        if !marked.is_empty() {
            let bytes = HumanBytes(marked.iter().map(|t| t.bytes).sum());
            print(format_args!("{} rendition(s) are marked ({bytes})", marked.len()));
        }
        return Ok(());
    }
    if catalog.under_way()?.live.is_some() {
        if !marked.is_empty() {
            print(format_args!("{} marked rendition(s) are left: another damctl is at work", marked.len()));
        }
        return Ok(());
    }
    let removed = tend::remove_marked(catalog, store, delay, stop)?;
    if removed.gone > 0 {
        print(format_args!("{} marked rendition(s) removed ({})", removed.gone, HumanBytes(removed.bytes)));
    }
    if removed.stay > 0 {
        print(format_args!("{} marked rendition(s) were made anew, and stay", removed.stay));
    }
    Ok(())
}

fn refusals(args: &CollectArgs, archive: &Archive) -> Result<()> {
    let old = tend::old_refusals(&archive.settings.path("quarantine"), i64::from(args.days) * DAY_MS)?;
    match (old.len(), args.yes) {
        (0, _) => {}
        (n, false) => print(format_args!("would remove {n} folder(s) of refused outputs")),
        (n, true) => {
            tend::remove_refusals(&old)?;
            print(format_args!("{n} folder(s) of refused outputs removed"));
        }
    }
    Ok(())
}

fn stuck(catalog: &Catalog) -> Result<()> {
    let stuck = catalog.stuck()?;
    if stuck.is_stuck() {
        let (long, waiting) = (stuck.long, stuck.waiting);
        print(format_args!("stuck: {long} of {waiting} waiting transcode job(s) have waited for over 15 minutes"));
    }
    for (subject, times) in &stuck.again {
        print(format_args!("stuck: {subject} was given back or tried again {times} times"));
    }
    Ok(())
}

fn objects(args: &CollectArgs, catalog: &Catalog, store: &dyn Store, stop: &Stop) -> Result<()> {
    let orphans = tend::orphans(catalog, store, i64::from(args.days) * DAY_MS, stop)?;
    for o in &orphans.found {
        let (of, bytes) = (time(o.written), HumanBytes(o.bytes));
        let why = o.stays.map(|why| format!(": it stays, for {why}")).unwrap_or_default();
        print(format_args!("unknown to the catalog, of {of}: {} ({} file(s), {bytes}){why}", o.prefix, o.files));
    }
    let removable = orphans.found.iter().filter(|o| o.stays.is_none()).count();
    match (removable, !args.yes) {
        (0, _) => print(format_args!("nothing to do: nothing that the catalog does not know is to be removed")),
        (n, _) if orphans.is_busy => {
            print(format_args!("{n} object(s) that the catalog does not know are left: another damctl is at work"));
        }
        (n, true) => print(format_args!("would remove {n} object(s) that the catalog does not know")),
        (_, false) => {
            let n = tend::remove_orphans(catalog, store, &orphans.found, stop)?;
            print(format_args!("{n} object(s) that the catalog does not know removed"));
        }
    }
    Ok(())
}

fn time(ms: i64) -> jiff::Timestamp {
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default()
}
