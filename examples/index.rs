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
    let index = index::target(&dir, false, None)?;
    let plan = index::plan(&catalog, &index)?;
    catalog.enqueue(&plan.wanted)?;
    catalog.set_index_cursor(&index.id, plan.seen)?;
    // One writer a shard.
    for shard in 0..index.shards {
        let how = Drain { scope: index.scope(shard), workers: 1, ..Drain::default() };
        work::drain(&catalog, &Indexing::open(&catalog, &dir, &index, shard)?, &how, &Silent, &Stop::new())?;
    }
    search::switch(&dir, &index)?;

    let words = words.join(" ");
    let answer = Searcher::new(&dir).search(&Question { words: &words, limit: 10, ..Question::default() })?;
    println!("{} hit(s)", answer.total);
    for hit in answer.hits {
        println!("{} {}", hit.card.title, hit.card.asset);
        for spot in hit.moments {
            println!("  {:.1} s: {}", spot.moment.seconds().0, spot.moment.text);
        }
    }
    Ok(())
}
