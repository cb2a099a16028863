//! Takes a folder in and tells what became of each path: `cargo run --example ingest -- DRIVE ARCHIVE`
//!
//! A survey looks without reading and settles what needs no reading; jobs read the rest, once.

#![allow(clippy::print_stdout, reason = "an example talks")]

use std::path::PathBuf;

use anyhow::{Context, Result};
use damctl::{
    catalog::Catalog,
    ingest::{Ingest, survey},
    media::child::ChildProcess,
    spool::Spool,
    stop::Stop,
    store::{FsStore, ocfl},
    work::{self, Amount, Drain, Event, Reporter},
};

/// A reporter of one's own: the library says what happens, and draws nothing.
struct Lines;

impl Reporter for Lines {
    fn report(&self, event: &Event<'_>) {
        match event {
            Event::Planned { jobs, bytes, .. } => println!("{jobs} job(s), {} bytes to read", bytes.unwrap_or(0)),
            Event::Item { what, outcome, detail } => println!("{outcome:<10} {what} {}", detail.unwrap_or_default()),
            Event::Ticked { amount: Amount::Bytes(_), .. } => {}
            _ => {}
        }
    }
}

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (drive, root) = args.next().zip(args.next()).context("usage: ingest DRIVE ARCHIVE")?;
    std::fs::create_dir_all(&root)?;
    let catalog = Catalog::open_sqlite(&root.join("catalog.sqlite"))?;
    let (store, spool) = (FsStore::open(&root.join("store"))?, Spool::open(&root.join("scratch"))?);
    ocfl::declare_root(&store)?;
    let stop = Stop::new();

    let survey = survey(&catalog, &drive, &stop)?;
    catalog.see_drive(&survey.drive)?;
    // Junk, links, empty files: told by looking.
    catalog.record_sightings(&survey.settled())?;
    let wanted = survey.wanted(Some("examples"));
    let bytes = survey.new_sources().map(|s| s.bytes).sum();
    Lines.report(&Event::Planned { stage: damctl::model::Stage::Ingest, jobs: wanted.len(), bytes: Some(bytes) });

    catalog.enqueue(&wanted)?;
    // Audio and video are measured by `damctl render`, a process that may die of them.
    let child = ChildProcess::new("damctl".into(), None);
    let stage = Ingest { catalog: &catalog, store: &store, child: &child, spool: &spool };
    let how = Drain { scope: survey.scope.clone(), ..Drain::default() };
    let summary = work::drain(&catalog, &stage, &how, &Lines, &stop)?;
    for (job, failure) in &summary.failed {
        println!("failed: {}: {}", job.subject, failure.message);
    }
    for (outcome, count) in catalog.sighting_counts()? {
        println!("{count:>6} {}", outcome.as_str());
    }
    Ok(())
}
