//! Brings the search index up to date and asks it: `cargo run --example index -- ARCHIVE WORDS…`

#![allow(clippy::print_stdout, reason = "an example talks")]

use std::path::PathBuf;

use anyhow::{Context, Result};
use damctl::{
    catalog::Catalog,
    index::{self, Indexing},
    search::{self, Question, Searcher},
    stop::Stop,
    work::{self, Drain, Silent},
};

fn main() -> Result<()> {
    let mut args = std::env::args_os().skip(1);
    let root = args.next().map(PathBuf::from).context("usage: index ARCHIVE WORDS…")?;
    let words: Vec<String> = args.map(|a| a.to_string_lossy().into_owned()).collect();
    let (catalog, dir) = (Catalog::open_sqlite(&root.join("catalog.sqlite"))?, root.join("index"));

    // The current index, or a new one beside it: a rebuild is never seen half done.
    let id = index::target(&dir, false)?;
    catalog.enqueue(&index::plan(&catalog, &id)?)?;
    // One writer an index.
    let how = Drain { scope: id.clone(), workers: 1, ..Drain::default() };
    work::drain(&catalog, &Indexing::open(&catalog, &dir, &id)?, &how, &Silent, &Stop::new())?;
    search::switch(&dir, &id)?;

    let words = words.join(" ");
    let answer = Searcher::new(&dir).search(&Question { words: &words, kind: None, limit: 10 })?;
    println!("{} hit(s)", answer.total);
    for hit in answer.hits {
        println!("{:.1} {} {}", hit.score, hit.document.title, hit.document.asset);
    }
    Ok(())
}
