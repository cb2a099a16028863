//! `damctl collect`: what nobody will go on with.

use anyhow::Result;
use damctl::{catalog::Catalog, model::Stage, stop::Stop, store::Store, tend, work, work::Reporter};
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
    uploads(args, &catalog, &*store)?;
    segments(args, &catalog, &*store, stop)?;
    objects(args, &catalog, &*store, stop)?;
    Ok(if stop.is_tripped() { Verdict::Stopped } else { Verdict::Done })
}

fn uploads(args: &CollectArgs, catalog: &Catalog, store: &dyn Store) -> Result<()> {
    let stale = tend::stale_uploads(catalog, store, i64::from(args.days) * DAY_MS)?;
    for upload in &stale {
        print(format_args!("unfinished upload of {}: {}", time(upload.began), upload.key));
    }
    match (stale.len(), args.dry_run) {
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
    match (leftover.len(), args.dry_run) {
        (0, _) => {}
        (n, true) => print(format_args!("would remove {n} segment(s) of films that are joined ({bytes})")),
        (n, false) => {
            tend::remove_segments(catalog, store, &leftover, stop)?;
            print(format_args!("{n} segment(s) of films that are joined removed ({bytes})"));
        }
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
    match (removable, args.dry_run) {
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
