//! From a drive to a search hit, by the library alone: `cargo run --example pipeline -- DRIVE ARCHIVE WORDS…`
//!
//! Each stage is the same three lines: what is wanted, enqueue it, drain it. What is there already is not done again,
//! so running this twice does the work once. Decoding happens in a child process, the `damctl` binary (build it first).

#![allow(clippy::print_stdout, reason = "an example talks")]

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use damctl::{
    catalog::{Catalog, Wanted},
    index::{self, Indexing},
    ingest::{Ingest, survey},
    media::{Limits, child::ChildProcess},
    profile::{self, Profile},
    search::{self, Question, Searcher},
    spool::Spool,
    stop::Stop,
    store::{FsStore, ocfl},
    transcode::{Transcode, plan},
    work::{self, Drain, Silent, StageRun, Summary},
};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1).map(PathBuf::from);
    let (drive, root) = args.next().zip(args.next()).context("usage: pipeline DRIVE ARCHIVE WORDS…")?;
    let words: Vec<String> = args.map(|a| a.display().to_string()).collect();

    std::fs::create_dir_all(&root)?;
    let catalog = Catalog::open_sqlite(&root.join("catalog.sqlite"))?;
    let (store, spool) = (FsStore::open(&root.join("store"))?, Spool::open(&root.join("scratch"))?);
    let child = ChildProcess::new(damctl()?, None);
    let stop = Stop::new();
    ocfl::declare_root(&store)?;

    // Ingest: the drive minus what the catalog knows of it.
    let survey = survey(&catalog, &drive, &stop)?;
    catalog.see_drive(&survey.drive)?;
    catalog.record_sightings(&survey.settled())?;
    let stage = Ingest { catalog: &catalog, store: &store, child: &child, spool: &spool };
    let done = run(&catalog, &stage, survey.wanted(None), &survey.scope, &stop)?;
    println!("ingest: {} paths, {} job(s) done", survey.found.len(), done.done);

    // Transcode: the profile minus the renditions that are present.
    let profile = Profile::parse(profile::DEFAULT, "the built-in profile")?;
    let plan = plan(&catalog, &profile, &[])?;
    let wanted = plan.masters.iter().flat_map(|m| m.jobs()).collect();
    let quarantine = root.join("quarantine");
    let limits = Limits::default();
    let stage =
        Transcode { catalog: &catalog, store: &store, child: &child, spool: &spool, quarantine: &quarantine, limits };
    let done = run(&catalog, &stage, wanted, &plan.scope, &stop)?;
    println!("transcode: {} master(s) done", done.done);
    for (job, failure) in done.failed {
        println!("  failed: {}: {}", job.subject, failure.message);
    }

    // Index: what is known minus what the index holds.
    let dir = root.join("index");
    let id = index::target(&dir, false, None)?;
    let stage = Indexing::open(&catalog, &dir, &id, 0)?;
    let done = run(&catalog, &stage, index::plan(&catalog, &id)?.wanted, &id.scope(0), &stop)?;
    search::switch(&dir, &id)?;
    println!("index: {} chunk(s) done", done.done);

    let words = words.join(" ");
    for hit in Searcher::new(&dir).search(&Question { words: &words, limit: 5, ..Question::default() })?.hits {
        println!("{} {}", hit.card.kind, hit.card.title);
    }
    Ok(())
}

fn run(catalog: &Catalog, stage: &dyn StageRun, wanted: Vec<Wanted>, scope: &str, stop: &Stop) -> Result<Summary> {
    catalog.enqueue(&wanted)?;
    let how = Drain { scope: scope.to_owned(), workers: 1, ..Drain::default() };
    Ok(work::drain(catalog, stage, &how, &Silent, stop)?)
}

/// The binary beside this example.
fn damctl() -> Result<PathBuf> {
    let exe = std::env::current_exe()?;
    let folder = exe.parent().and_then(Path::parent).context("the example lies in no target folder")?;
    Ok(folder.join("damctl"))
}
