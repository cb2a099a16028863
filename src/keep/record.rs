//! Writes into the store what only the catalog knows of assets: a record of each, beside the object of its first master.
//!
//! Plan = wanted − present: what the catalog knows now, minus what the store was last told. Assets of one object share a
//! document, told by its time and its bytes' digest; nothing is changed, so the latest one counts. Its time is taken before
//! the catalog is read, and no two writers have the same: so of what several write side by side, the latest is the newest.

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
    let (mut same, mut told) = (Vec::new(), Vec::new());
    // Before anything is read: whoever writes at a later time has read later, too, however long each of them takes.
    let (at, known) = catalog.begin_record(&assets)?;
    for (asset, record) in catalog.records(&assets)? {
        let Some(root) = record.home().and_then(ocfl::root_of) else { continue };
        let (line, digest) = line(&record)?;
        if known.get(&asset) == Some(&digest) {
            same.push((asset, digest));
            continue;
        }
        let document = documents.entry(root).or_default();
        document.push_str(&line);
        document.push('\n');
        told.push((asset, digest));
    }
    catalog.mark_recorded(&same, at)?;
    if told.is_empty() {
        return Ok(0);
    }
    let mut deposits = Vec::new();
    for (root, text) in documents {
        let folder = root.join(&format!("logs/{at:013}-{}", Digest::of(&text)))?;
        let mut deposit = store.stage(&folder)?;
        let mut file = deposit.create(NAME, Some(text.len() as u64))?;
        file.write_all(text.as_bytes()).and_then(|()| file.flush()).doing(|| format!("cannot write {folder}"))?;
        drop(file);
        deposits.push(deposit.finish()?);
    }
    store.commit(deposits)?;
    crate::crash::point("record.before-catalog");
    catalog.mark_recorded(&told, at)?;
    Ok(told.len())
}

#[cfg(test)]
mod tests {
    use std::{
        path::Path,
        sync::{
            Arc, Mutex,
            atomic::{AtomicUsize, Ordering},
        },
    };

    use super::*;
    use crate::{
        catalog::{
            FakeClock, Membership, Original, SqliteDb,
            db::{Db, Row, Tx, Value},
        },
        model::{Asset, MediaFacts, MediaKind, Role},
        store::MemoryStore,
    };

    type Others = Box<dyn Fn(usize) + Send>;

    /// One that lets others do something before each of its calls, by the number of the call.
    struct Between(SqliteDb, AtomicUsize, Arc<Mutex<Option<Others>>>);

    impl Between {
        fn db(&self) -> &SqliteDb {
            let n = self.1.fetch_add(1, Ordering::Relaxed);
            if let Some(others) = &*self.2.lock().unwrap() {
                others(n);
            } else {
                self.1.store(0, Ordering::Relaxed);
            }
            &self.0
        }
    }

    impl Db for Between {
        fn with_tx(&self, work: &mut dyn FnMut(&mut dyn Tx) -> Result<()>) -> Result<()> {
            self.db().with_tx(work)
        }

        fn change(&self, sql: &str, then: &[&str], values: &[Value]) -> Result<Vec<Row>> {
            self.db().change(sql, then, values)
        }

        fn query(&self, sql: &str, values: &[Value]) -> Result<Vec<Row>> {
            self.db().query(sql, values)
        }

        fn now(&self) -> Result<i64> {
            self.db().now()
        }

        fn save(&self, to: &Path) -> Result<Option<Box<dyn Db>>> {
            self.0.save(to)
        }

        fn look_again(&self, table: &'static str) -> Result<()> {
            self.0.look_again(table)
        }

        fn is_of_one_machine(&self) -> bool {
            true
        }

        fn claim_suffix(&self) -> &'static str {
            self.0.claim_suffix()
        }

        fn json_of(&self) -> &'static str {
            self.0.json_of()
        }
    }

    /// An asset of one master.
    fn plain(n: usize) -> Record {
        let (id, digest) = (AssetId::derived(&[format!("{n}")]), Digest::of(format!("{n}")));
        let facts = MediaFacts::bare(MediaKind::Other, "text/plain");
        let key = format!("masters/{n}/object/v1/content/x").parse().unwrap();
        Record {
            asset: Asset { id, kind: MediaKind::Other, title: "one".into(), collection: None, created_at: 0 },
            generation: 1,
            members: vec![Membership { generation: 1, digest, role: Role::Main, name: "x".into() }],
            masters: vec![Original { digest, bytes: 1, fingerprint: None, key, facts, archived: None }],
            sightings: Vec::new(),
            drives: Vec::new(),
            said: None,
            collection: None,
            findings: Vec::new(),
            renditions: Vec::new(),
            pending: None,
            publications: Vec::new(),
        }
    }

    /// What the latest documents of an object call its asset.
    fn told(store: &MemoryStore, n: usize) -> Vec<String> {
        let logs: Key = format!("masters/{n}/object/logs").parse().unwrap();
        let mut all: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for key in store.list(&logs).unwrap() {
            let (at, _) = key.as_str().rsplit('/').nth(1).unwrap().split_once('-').unwrap();
            let mut text = String::new();
            std::io::Read::read_to_string(&mut store.open(&key, None).unwrap(), &mut text).unwrap();
            let record: Record = serde_json::from_str(text.trim()).unwrap();
            all.entry(at.parse().unwrap()).or_default().push(record.asset.title);
        }
        all.pop_last().unwrap_or_default().1
    }

    #[test]
    fn of_two_that_write_records_side_by_side_the_newest_state_counts_wherever_one_of_them_waits() {
        let dir = tempfile::tempdir().unwrap();
        let (path, clock, stop) = (dir.path().join("catalog"), Arc::new(FakeClock::at(1000)), Stop::new());
        let open = || SqliteDb::open(&path, clock.clone()).unwrap();
        let (other, store, titles) = (Catalog::new(Arc::new(open())), MemoryStore::new(), Arc::new(open()));
        let others = Arc::new(Mutex::new(None));
        let slow = Catalog::new(Arc::new(Between(open(), AtomicUsize::new(0), others.clone())));
        let call = move |catalog: &Catalog, id: AssetId, title: &str| {
            // Without a revision, so that it can be as it was.
            let sql = "UPDATE assets SET title = ?1 WHERE id = ?2";
            titles.with_tx(&mut |tx| tx.execute(sql, &[title.into(), id.into()]).map(drop)).unwrap();
            catalog.audit("asset.described", &id.to_string(), &serde_json::json!({})).unwrap();
        };
        let run = |between: Others, ends: &Stop| {
            *others.lock().unwrap() = Some(between);
            super::record(&slow, &store, ends).ok();
            *others.lock().unwrap() = None;
            slow.now().unwrap();
        };
        let calls = Arc::new(AtomicUsize::new(0));
        let count = calls.clone();
        other.restore(&plain(0), 0, &Digest::of("nothing")).unwrap();
        let counting = move |call| {
            count.fetch_max(call, Ordering::Relaxed);
        };
        run(Box::new(counting), &stop);
        let calls = calls.load(Ordering::Relaxed);
        assert!(calls > 10, "there is nothing to come between");
        // A change and a writer that hears of it come before any calls of one that is slow. Either the change is a new state, or
        // it is back to that of which the store was told last; and the clock goes on with each call and the slow one looks at
        // nothing more after that, or it stands still.
        let places = (0..=calls).flat_map(|changed| (changed..=calls).map(move |written| (changed, written)));
        let cases = [(false, 1), (true, 1), (false, 0), (true, 0)].into_iter();
        let cases = cases.flat_map(|how| places.clone().map(move |places| (how, places)));
        let cases = cases.filter(|((_, step), (changed, written))| *step == 1 || changed == written);
        for (n, ((is_back, step), (changed_at, written_at))) in (1..).zip(cases) {
            let (record, newest) = (plain(n), if is_back { "one" } else { "two" });
            let id = record.asset.id;
            other.restore(&record, 0, &Digest::of("nothing")).unwrap();
            if is_back {
                super::record(&other, &store, &stop).unwrap();
                call(&other, id, "two");
            }
            let left = Arc::new(Mutex::new(vec![(changed_at, false), (written_at, true)]));
            let (by, to, change) = (other.clone(), store.clone(), call.clone());
            let act = move |place: usize| {
                left.lock().unwrap().retain(|(at, is_writer)| {
                    match (place >= *at, is_writer) {
                        (true, false) => change(&by, id, newest),
                        (true, true) => drop(super::record(&by, &to, &Stop::new()).unwrap()),
                        (false, _) => return true,
                    }
                    false
                });
            };
            let ends = Stop::new();
            let (between, ticking, at_end) = (act.clone(), clock.clone(), ends.clone());
            let between = move |call: usize| {
                between(call);
                ticking.advance(step);
                if step == 1 && call >= written_at {
                    at_end.trip();
                }
            };
            run(Box::new(between), &ends);
            act(usize::MAX);
            let case = format!("back: {is_back}, step {step}, changed at {changed_at}, written at {written_at}");
            let titles = told(&store, n);
            assert!(!titles.is_empty() && titles.iter().all(|title| title == newest), "{case}: {titles:?}");
            assert_eq!(super::record(&other, &store, &stop).unwrap(), 0, "{case}");
        }
    }
}
