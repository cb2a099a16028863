//! Writes into the store what only the catalog knows of assets: a record of each, beside the object of its first master.
//!
//! Plan = wanted − present: what the catalog knows now, minus what the store was last told. Assets of one object share a
//! document, told by its time and its bytes' digest; nothing is changed, so the latest one counts.

use std::{
    collections::{BTreeMap, HashSet},
    io::Write,
};

use crate::{
    catalog::{Catalog, Record},
    digest::Digest,
    error::{Doing, Error, Result},
    model::{AssetId, Key},
    stop::Stop,
    store::{Store, ocfl},
};

/// What the events are followed by.
const CURSOR: &str = "records";
/// Events of a batch, whose documents become durable together.
const BATCH: i64 = 5000;
/// What a document is called, in a folder that tells its time and digest.
pub(super) const NAME: &str = "records.jsonl";

/// Brings the store's records up to date; says of how many assets.
pub fn record(catalog: &Catalog, store: &dyn Store, stop: &Stop) -> Result<usize> {
    let mut written = 0;
    let mut seen = catalog.cursor(CURSOR)?.unwrap_or(0);
    loop {
        let page = catalog.events_after(seen, BATCH)?;
        let Some(last) = page.last() else { return Ok(written) };
        stop.check()?;
        seen = last.seq;
        // In the order of what happened, assets of one object stand side by side and share a document.
        let mut known = HashSet::new();
        let touched = page.iter().map(|event| catalog.touched_by(event)).collect::<Result<Vec<_>>>()?;
        let touched: Vec<AssetId> = touched.into_iter().flatten().filter(|id| known.insert(*id)).collect();
        // A collection may be as large as the archive.
        for some in touched.chunks(BATCH as usize) {
            stop.check()?;
            written += write(catalog, store, some.to_vec())?;
        }
        catalog.set_cursor(CURSOR, seen)?;
    }
}

/// A record as a line, and its digest.
pub(super) fn line(record: &Record) -> Result<(String, Digest)> {
    let line = serde_json::to_string(record).map_err(|e| Error::internal("cannot write a record").because(e))?;
    let digest = Digest::of(&line);
    Ok((line, digest))
}

fn write(catalog: &Catalog, store: &dyn Store, assets: Vec<AssetId>) -> Result<usize> {
    let mut documents: BTreeMap<Key, String> = BTreeMap::new();
    let mut told = Vec::new();
    let known = catalog.recorded_of(&assets)?;
    for (asset, record) in catalog.records(&assets)? {
        let Some(root) = record.home().and_then(ocfl::root_of) else { continue };
        let (line, digest) = line(&record)?;
        if known.get(&asset) == Some(&digest) {
            continue;
        }
        let document = documents.entry(root).or_default();
        document.push_str(&line);
        document.push('\n');
        told.push((asset, digest));
    }
    if told.is_empty() {
        return Ok(0);
    }
    let now = catalog.now()?;
    let mut deposits = Vec::new();
    for (root, text) in documents {
        let folder = root.join(&format!("logs/{now:013}-{}", Digest::of(&text)))?;
        let mut deposit = store.stage(&folder)?;
        let mut file = deposit.create(NAME, Some(text.len() as u64))?;
        file.write_all(text.as_bytes()).and_then(|()| file.flush()).doing(|| format!("cannot write {folder}"))?;
        drop(file);
        deposits.push(deposit.finish()?);
    }
    store.commit(deposits)?;
    crate::crash::point("record.before-catalog");
    catalog.mark_recorded(&told, now)?;
    Ok(told.len())
}
