//! Shows what a profile wants of an archive and what it lacks, then makes it:
//! `cargo run --example transcode -- ARCHIVE PROFILE.yaml`
//!
//! The plan is data. Printing it is the dry run; enqueueing it is the work.

#![allow(clippy::print_stdout, reason = "an example talks")]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use damctl::{
    catalog::Catalog,
    media::{Limits, child::ChildProcess},
    profile::Profile,
    spool::Spool,
    stop::Stop,
    store::FsStore,
    transcode::{Transcode, plan},
    work::{self, Drain, Silent},
};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (root, profile) = args.next().zip(args.next()).context("usage: transcode ARCHIVE PROFILE.yaml")?;
    // Wrong keys, units and combinations end here, with line and column.
    let profile = Profile::load(&profile)?;
    let catalog = Catalog::open_sqlite(&root.join("catalog.sqlite"))?;

    let plan = plan(&catalog, &profile, &[])?;
    println!("{} rendition(s) are present", plan.present);
    for m in &plan.masters {
        match &m.problem {
            None => println!("{} lacks {}", m.title, m.missing.join(", ")),
            Some(problem) => println!("{} cannot be rendered: {problem}", m.title),
        }
    }

    let wanted: Vec<_> = plan.masters.iter().flat_map(|m| m.jobs()).collect();
    catalog.enqueue(&wanted)?;
    let (store, spool) = (FsStore::open(&root.join("store"))?, Spool::open(&root.join("scratch"))?);
    let child = ChildProcess::new(damctl()?, None);
    child.warm()?;
    let (quarantine, limits) = (root.join("quarantine"), Limits { wall_seconds: 3600, ..Limits::default() });
    let stage =
        Transcode { catalog: &catalog, store: &store, child: &child, spool: &spool, quarantine: &quarantine, limits };
    let how = Drain { scope: plan.scope.clone(), ..Drain::default() };
    let summary = work::drain(&catalog, &stage, &how, &Silent, &Stop::new())?;
    println!("{} master(s) done, {} failed", summary.done, summary.failed.len());
    for (job, failure) in &summary.failed {
        println!("failed: {}: {}", job.subject, failure.message);
    }
    Ok(())
}

/// The binary beside this example.
fn damctl() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let folder = exe.parent().and_then(Path::parent).context("the example lies in no target folder")?;
    Ok(folder.join("damctl"))
}
