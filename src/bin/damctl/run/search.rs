//! `damctl search`: hits, each with what to play.

use anyhow::Result;
use damctl::{
    catalog::Catalog,
    model::Rendition,
    search::{Hit, Question, Searcher},
    store::Store,
};
use serde_json::json;

use super::{Archive, Verdict, print};
use crate::cli::SearchArgs;

pub fn run(args: &SearchArgs, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let store = archive.store()?;
    let words = args.query.join(" ");
    let answer = Searcher::new(&archive.settings.path("index")).search(&Question {
        words: &words,
        kind: args.kind,
        limit: args.limit,
    })?;
    if args.json {
        let hits = answer.hits.iter().map(|h| as_json(h, &catalog, &*store)).collect::<Result<Vec<_>>>()?;
        print(json!({"query": words, "total": answer.total, "hits": hits}));
        return Ok(Verdict::Done);
    }
    for hit in &answer.hits {
        let d = &hit.document;
        let length = d.duration_ms.map(|ms| format!("  {}", clock(ms))).unwrap_or_default();
        let size = d.size.map(|(w, h)| format!("  {w}×{h}")).unwrap_or_default();
        print(format_args!("{:<9} {}{length}{size}  {}", d.kind.as_str(), d.title, d.asset));
        if let Some(path) = d.paths.first() {
            print(format_args!("          from {path}"));
        }
        if let Some(r) = best(&catalog.renditions_of(d.asset)?) {
            print(format_args!("          {} {}", r.entry, place(r, &*store)?));
        }
    }
    match answer.total {
        0 => print(format_args!("nothing found for '{words}'")),
        n if n > answer.hits.len() => print(format_args!("{} of {n} hits (--limit N shows more)", answer.hits.len())),
        _ => {}
    }
    Ok(Verdict::Done)
}

/// What an editor would play or look at first: the richest rendition.
fn best(renditions: &[Rendition]) -> Option<&Rendition> {
    let rank = |r: &&Rendition| {
        let mime = r.files.first().map(|f| f.mime.as_str()).unwrap_or_default();
        // Of sounds the one that a browser plays at once.
        let kind = ["image/", "audio/wav", "audio/mpeg", "video/"].iter().position(|p| mime.starts_with(p));
        let pixels = r.facts.display_size().map(|(w, h)| u64::from(w) * u64::from(h));
        (kind, pixels, r.files.first().map(|f| f.bytes))
    };
    renditions.iter().max_by_key(rank)
}

fn place(r: &Rendition, store: &dyn Store) -> Result<String> {
    let key = r.main_key()?;
    Ok(store.local_path(&key).map_or_else(|| key.to_string(), |path| path.display().to_string()))
}

fn as_json(hit: &Hit, catalog: &Catalog, store: &dyn Store) -> Result<serde_json::Value> {
    let renditions = catalog.renditions_of(hit.document.asset)?;
    let proxy = best(&renditions).map(|r| place(r, store)).transpose()?;
    let each = |r: &Rendition| {
        Ok(json!({"name": r.entry, "path": place(r, store)?, "mime": r.files.first().map(|f| &f.mime)}))
    };
    let mut value = serde_json::to_value(hit)?;
    value["renditions"] = renditions.iter().map(each).collect::<Result<_>>()?;
    value["proxy"] = json!(proxy);
    Ok(value)
}

fn clock(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}
