//! `damctl collect`: what nobody will go on with.

use anyhow::Result;
use damctl::tend;

use super::{Archive, Verdict, print};
use crate::cli::CollectArgs;

const DAY_MS: i64 = 24 * 3600 * 1000;

pub fn run(args: &CollectArgs, archive: &Archive) -> Result<Verdict> {
    let (catalog, store) = (archive.catalog()?, archive.store()?);
    let stale = tend::stale_uploads(&catalog, &*store, i64::from(args.days) * DAY_MS)?;
    for upload in &stale {
        let began = jiff::Timestamp::from_millisecond(upload.began).unwrap_or_default();
        print(format_args!("unfinished upload of {began}: {}", upload.key));
    }
    match (stale.len(), args.dry_run) {
        (0, _) => print(format_args!("nothing to do: no upload is older than {} day(s)", args.days)),
        (n, true) => print(format_args!("would give up {n} upload(s)")),
        (n, false) => {
            tend::give_up(&catalog, &*store, &stale)?;
            print(format_args!("{n} upload(s) given up"));
        }
    }
    Ok(Verdict::Done)
}
