//! `damctl archive` and `damctl restore`: masters out of the hot area, and back.

use std::time::Duration;

use anyhow::Result;
use damctl::{
    catalog::Catalog,
    error::{Error, Kind},
    keep::{self, Restored, Return},
    model::AssetId,
    stop::Stop,
    store::Recall,
    work::{Event, Reporter},
};
use indicatif::HumanBytes;

use super::{Archive, Verdict, print};
use crate::cli::{ArchiveArgs, RestoreArgs};

/// How soon it is looked again how far things are, at first and at last.
const SOON: Duration = Duration::from_secs(1);
const LATE: Duration = Duration::from_secs(300);

const ACTOR: &str = "command line";

fn assets(catalog: &Catalog, named: &[AssetId], collection: Option<&str>) -> Result<Vec<AssetId>> {
    let Some(name) = collection else { return Ok(named.to_vec()) };
    let all = catalog.assets_in(name)?;
    match all.is_empty() {
        true => Err(Error::not_found(format!("no asset is in the collection '{name}'")).into()),
        false => Ok(all),
    }
}

pub fn archive(args: &ArchiveArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let (catalog, store) = (archive.catalog()?, archive.store()?);
    let mut failed = 0;
    for asset in assets(&catalog, &args.asset, args.collection.as_deref())? {
        match keep::archive(&catalog, &*store, asset, ACTOR, stop) {
            Ok(done) if done.masters == 0 => print(format_args!("{asset}: archived before")),
            Ok(done) => print(format_args!("{asset}: {} master(s) archived, {}", done.masters, HumanBytes(done.bytes))),
            // One asset's affair.
            Err(e) if matches!(e.kind(), Kind::Conflict | Kind::Corrupt | Kind::NotFound) => {
                failed += 1;
                let hint = e.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
                print(format_args!("{asset}: not archived: {}{hint}", e.one_line()));
            }
            Err(e) => {
                super::record(&catalog, &*store, reporter, stop);
                return Err(e.into());
            }
        }
    }
    super::record(&catalog, &*store, reporter, stop);
    Ok(if failed == 0 { Verdict::Done } else { Verdict::SomeFailed })
}

pub fn restore(args: &RestoreArgs, archive: &Archive, reporter: &dyn Reporter, stop: &Stop) -> Result<Verdict> {
    let (catalog, store) = (archive.catalog()?, archive.store()?);
    let how = Return { recall: Recall { days: args.days, tier: args.tier }, for_good: args.for_good };
    let mut left = assets(&catalog, &args.asset, args.collection.as_deref())?;
    let (mut pause, mut failed) = (SOON, 0);
    loop {
        let mut waits = Vec::new();
        for asset in left {
            let restored = match keep::restore(&catalog, &*store, asset, &how, (ACTOR, stop)) {
                Ok(restored) => restored,
                // One asset's affair.
                Err(e) if matches!(e.kind(), Kind::Conflict | Kind::Corrupt | Kind::NotFound) => {
                    failed += 1;
                    let hint = e.hint_text().map(|hint| format!(" ({hint})")).unwrap_or_default();
                    print(format_args!("{asset}: not restored: {}{hint}", e.one_line()));
                    continue;
                }
                Err(e) => {
                    super::record(&catalog, &*store, reporter, stop);
                    return Err(e.into());
                }
            };
            match restored {
                Restored::Never => print(format_args!("{asset}: not archived")),
                Restored::Back => print(format_args!("{asset}: back in the hot area")),
                Restored::Readable { until: None } => print(format_args!("{asset}: can be read as it is")),
                Restored::Readable { until: Some(until) } => {
                    let until = jiff::Timestamp::from_millisecond(until).unwrap_or_default();
                    print(format_args!("{asset}: can be read until {until}"));
                }
                Restored::Restoring { masters } => {
                    if !args.wait {
                        print(format_args!("{asset}: still restoring, {masters} master(s) are on their way"));
                    }
                    waits.push(asset);
                }
            }
        }
        if waits.is_empty() || !args.wait {
            super::record(&catalog, &*store, reporter, stop);
            return Ok(match waits.len() {
                0 if failed > 0 => Verdict::SomeFailed,
                0 => Verdict::Done,
                n => Verdict::Paused(
                    Error::paused(format!("{n} asset(s) are still restoring"))
                        .hint("the same command says how far they are; --wait waits for them"),
                ),
            });
        }
        let text = format!("{} asset(s) are still restoring", waits.len());
        reporter.report(&Event::Note { text: &text });
        left = waits;
        let mut waited = Duration::ZERO;
        while waited < pause {
            stop.check()?;
            std::thread::sleep(Duration::from_millis(100));
            waited += Duration::from_millis(100);
        }
        pause = (pause * 2).min(LATE);
    }
}

/// Says which assets wait for their masters; whoever asked for one of them is told that nothing was made.
pub fn unless_archived(verdict: Verdict, archived: &[AssetId], asked: &[AssetId]) -> Verdict {
    let Some(first) = archived.first() else { return verdict };
    let mut all = archived.to_vec();
    all.sort();
    all.dedup();
    let text = format!("{} archived asset(s) wait until they are restored: 'damctl restore {first}'", all.len());
    print(&text);
    match verdict {
        Verdict::Done if all.iter().any(|a| asked.contains(a)) => {
            Verdict::Paused(Error::archived(format!("asset {first}")))
        }
        other => other,
    }
}
