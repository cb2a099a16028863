//! The index of a server: what is sent, what is sent again, and what is refused, held by a server on this machine that
//! does what OpenSearch's API documents of `_bulk`, `_delete_by_query`, `_refresh`, `_aliases` and of making an index.

use std::{
    collections::{BTreeMap, BTreeSet},
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{Arc, Mutex, MutexGuard},
};

use base64::{Engine, engine::general_purpose::STANDARD};
use damctl::{
    catalog::{Catalog, Edit},
    model::AssetId,
};
use serde_json::{Value, json};

use crate::harness::{self, Archive};

/// By id.
type Documents = BTreeMap<String, Value>;

#[derive(Default)]
struct State {
    /// By name: what may be found, and what waits for a refresh.
    indexes: BTreeMap<String, (Documents, Documents)>,
    aliases: BTreeMap<String, BTreeSet<String>>,
    /// How often each document was sent.
    sent: BTreeMap<String, usize>,
    bulks: usize,
    /// Whether it is busy: each third document is told to come again, once, and the first request altogether.
    is_busy: bool,
}

impl State {
    /// Everything behind an alias, with what waits.
    fn all(&self, alias: &str) -> Vec<Value> {
        let names = self.aliases.get(alias).into_iter().flatten();
        let of = |name: &String| {
            let (found, waiting) = &self.indexes[name];
            let mut all = found.clone();
            all.extend(waiting.clone());
            all.into_values().filter(|v| !v.is_null())
        };
        names.flat_map(of).collect()
    }

    fn answer(&mut self, method: &str, path: &str, kind: &str, body: &str) -> (u16, Value) {
        let (path, query) = path.trim_start_matches('/').split_once('?').unwrap_or((path.trim_start_matches('/'), ""));
        let parts: Vec<&str> = path.split('/').collect();
        let parsed = || serde_json::from_str::<Value>(body).unwrap();
        match (method, parts.as_slice()) {
            ("PUT", [index]) => {
                let told = parsed();
                assert!(told["mappings"]["properties"]["asset"]["type"] == "keyword", "{told}");
                if self.indexes.contains_key(*index) {
                    let error = json!({"type": "resource_already_exists_exception", "reason": "index exists"});
                    return (400, json!({"error": error, "status": 400}));
                }
                self.indexes.insert((*index).to_owned(), Default::default());
                (200, json!({"acknowledged": true, "shards_acknowledged": true, "index": index}))
            }
            ("POST", ["_bulk"]) => self.bulk(kind, body),
            ("POST", [index, "_refresh"]) => {
                let (found, waiting) = self.indexes.get_mut(*index).unwrap();
                found.append(waiting);
                found.retain(|_, v| !v.is_null());
                (200, json!({"_shards": {"total": 1, "successful": 1, "failed": 0}}))
            }
            ("POST", [index, "_delete_by_query"]) => {
                assert_eq!(query, "conflicts=proceed");
                let asked = parsed();
                let clause = |name: &str, field: &str| {
                    let terms = &asked["query"]["bool"][name][0]["terms"][field];
                    terms.as_array().unwrap_or_else(|| panic!("{asked}")).clone()
                };
                let (assets, current) = (clause("filter", "asset"), clause("must_not", "document"));
                let (found, _) = self.indexes.get_mut(*index).unwrap();
                let before = found.len();
                found.retain(|_, v| !assets.contains(&v["asset"]) || current.contains(&v["document"]));
                let deleted = before - found.len();
                (200, json!({"deleted": deleted, "version_conflicts": 0, "timed_out": false, "failures": []}))
            }
            ("POST", [indexes, "_search"]) => {
                let asked = parsed();
                assert_eq!((&asked["sort"], &asked["_source"]), (&json!([{"asset": "asc"}]), &json!(false)), "{asked}");
                let found = indexes.split(',').flat_map(|index| self.indexes[index].0.iter());
                let all: BTreeMap<&str, &String> = found.map(|(id, v)| (v["asset"].as_str().unwrap(), id)).collect();
                let after = asked["search_after"][0].as_str().unwrap_or_default();
                let size = asked["size"].as_u64().unwrap() as usize;
                let hits = all.iter().filter(|(asset, _)| **asset > after).take(size);
                let hits: Vec<Value> = hits.map(|(asset, id)| json!({"_id": id, "sort": [asset]})).collect();
                (200, json!({"timed_out": false, "hits": {"hits": hits}}))
            }
            ("POST", ["_aliases"]) => {
                for action in parsed()["actions"].as_array().unwrap() {
                    let (what, of) = action.as_object().unwrap().iter().next().unwrap();
                    let (index, alias) = (of["index"].as_str().unwrap(), of["alias"].as_str().unwrap());
                    let names = self.aliases.entry(alias.to_owned()).or_default();
                    match (what.as_str(), index.strip_suffix('*')) {
                        ("remove", Some(begin)) => names.retain(|name| !name.starts_with(begin)),
                        ("add", None) if self.indexes.contains_key(index) => drop(names.insert(index.to_owned())),
                        _ => return (404, json!({"error": {"type": "index_not_found_exception"}, "status": 404})),
                    }
                }
                (200, json!({"acknowledged": true}))
            }
            _ => (404, json!({"error": "no such address", "status": 404})),
        }
    }

    fn bulk(&mut self, kind: &str, body: &str) -> (u16, Value) {
        self.bulks += 1;
        if kind != "application/x-ndjson" || !body.ends_with('\n') {
            return (406, json!({"error": "the body is not newline-delimited", "status": 406}));
        }
        if self.is_busy && self.bulks == 1 {
            return (503, json!({"error": {"type": "unavailable", "reason": "no node"}, "status": 503}));
        }
        let mut lines = body.lines();
        let (mut items, mut errors) = (Vec::new(), false);
        while let Some(line) = lines.next() {
            let action: Value = serde_json::from_str(line).unwrap();
            let (what, of) = action.as_object().unwrap().iter().next().unwrap();
            let (index, id) = (of["_index"].as_str().unwrap(), of["_id"].as_str().unwrap());
            let source: Option<Value> = (what == "index").then(|| serde_json::from_str(lines.next().unwrap()).unwrap());
            let times = self.sent.entry(format!("{index}/{id}")).or_default();
            *times += 1;
            let (status, error) = if self.is_busy && *times == 1 && items.len() % 3 == 2 {
                (429, json!({"type": "es_rejected_execution_exception", "reason": "queue is full"}))
            } else if source.as_ref().is_some_and(|s| s["title"] == "MALO") {
                (400, json!({"type": "mapper_parsing_exception", "reason": "failed to parse field [title]"}))
            } else {
                let (found, waiting) = self.indexes.get_mut(index).unwrap_or_else(|| panic!("{index} was never made"));
                let is_there = found.contains_key(id) || waiting.get(id).is_some_and(|v| !v.is_null());
                match source {
                    Some(source) => drop(waiting.insert(id.to_owned(), source)),
                    None => drop(waiting.insert(id.to_owned(), Value::Null)),
                }
                (if what == "delete" && !is_there { 404 } else { 200 }, Value::Null)
            };
            errors |= !error.is_null();
            let mut told = json!({"_index": index, "_id": id, "status": status});
            if !error.is_null() {
                told["error"] = error;
            }
            items.push(json!({what: told}));
        }
        (200, json!({"took": 1, "errors": errors, "items": items}))
    }
}

/// A server that ends with the test.
struct Fake {
    state: Arc<Mutex<State>>,
    url: String,
}

impl Fake {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State { is_busy: true, ..State::default() }));
        let shared = state.clone();
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = shared.clone();
                std::thread::spawn(move || answer(stream.unwrap(), &state));
            }
        });
        Self { state, url }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    fn export(&self, archive: &Archive, password: &str) -> harness::Ran {
        let mut command = archive.command(["index", "--bulk", &self.url]);
        command.env("DAMCTL_BULK_USER", "damctl").env("DAMCTL_BULK_PASSWORD", password);
        harness::Ran::from(command.output().unwrap())
    }
}

fn answer(stream: TcpStream, state: &Mutex<State>) {
    let mut reader = BufReader::new(stream);
    let (mut head, mut length) = (Vec::new(), 0);
    for line in reader.by_ref().lines() {
        let line = line.unwrap();
        if line.is_empty() {
            break;
        }
        if let Some(n) = line.to_ascii_lowercase().strip_prefix("content-length: ") {
            length = n.parse().unwrap();
        }
        head.push(line);
    }
    let Some(first) = head.first() else { return };
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let header = |name: &str| {
        let found = head.iter().find_map(|l| l.split_once(": ").filter(|(n, _)| n.eq_ignore_ascii_case(name)));
        found.map(|(_, value)| value.to_owned()).unwrap_or_default()
    };
    let mut words = first.split(' ');
    let (method, path) = (words.next().unwrap(), words.next().unwrap());
    let is_known = header("authorization") == format!("Basic {}", STANDARD.encode("damctl:s3cret"));
    let (status, told) = match is_known {
        true => state.lock().unwrap().answer(method, path, &header("content-type"), &String::from_utf8(body).unwrap()),
        false => {
            (401, json!({"error": {"type": "security_exception", "reason": "missing credentials"}, "status": 401}))
        }
    };
    let told = told.to_string();
    let head = format!("HTTP/1.1 {status} OK\r\nContent-Type: application/json\r\nConnection: close\r\n");
    write!(reader.get_mut(), "{head}Content-Length: {}\r\n\r\n{told}", told.len()).ok();
}

#[test]
fn a_server_gets_what_the_own_index_has_and_only_what_changed() {
    let (archive, asset) = crate::search::archive();
    let fake = Fake::start();
    // Its password is wrong, or stands where everybody reads it.
    fake.export(&archive, "wrong").ends(3).says("the server answered 401 missing credentials");
    archive.run(["index", "--bulk", "http://damctl:s3cret@127.0.0.1:1"]).ends(2).says("holds a user");
    archive.run(["index", "--bulk", "ftp://x"]).ends(2);

    fake.export(&archive, "s3cret").ends(0).says("1 of 1 chunk(s) sent to 127.0.0.1");
    let titles = |state: &State| {
        let mut all: Vec<String> =
            state.all("dam-assets").iter().map(|a| a["title"].as_str().unwrap().to_owned()).collect();
        all.sort();
        all
    };
    let texts = |state: &State| {
        let mut all: Vec<(i64, String)> = (state.all("dam-segments").iter())
            .map(|s| (s["from_ms"].as_i64().unwrap(), s["text"].as_str().unwrap().to_owned()))
            .collect();
        all.sort();
        all.into_iter().map(|(_, text)| text).collect::<Vec<_>>()
    };
    {
        let state = fake.state();
        assert_eq!(titles(&state), ["ENTREVISTA_2024-03_final.mov", "foto_playa.png"]);
        assert_eq!(state.aliases["dam-assets"].len(), 6, "an index for each kind: {:?}", state.aliases);
        let film = state.all("dam-assets").into_iter().find(|a| a["kind"] == "video").unwrap();
        assert_eq!((&film["asset"], &film["width"], &film["segments"]), (&json!(asset), &json!(320), &json!(3)));
        let said = texts(&state);
        assert_eq!(said[1], "La inflación ha subido un dos por ciento.");
        let segment = &state.all("dam-segments")[0];
        assert_eq!((&segment["asset"], segment["speaker"].is_string()), (&json!(asset), true), "{segment}");
        // Two of three were taken at once; the third was sent again, and nothing else was.
        let again: Vec<usize> = state.sent.iter().filter(|(id, _)| id.contains("segments")).map(|(_, n)| *n).collect();
        assert_eq!((again.len(), again.iter().sum::<usize>()), (3, 4), "{:?}", state.sent);
    }
    // Nothing has changed: nothing is sent, also when the own index is made anew meanwhile.
    archive.run(["index", "--rebuild"]).ends(0);
    let before = fake.state().bulks;
    fake.export(&archive, "s3cret").ends(0).says("nothing to do");
    assert_eq!(fake.state().bulks, before);
    // Another transcript: what was said before is gone, and the picture is not sent again.
    fake.state().sent.clear();
    let words = archive.root().join("nuevo.vtt");
    std::fs::write(&words, "WEBVTT\n\n00:00:05.000 --> 00:00:06.000\nOtra cosa.\n").unwrap();
    let import = ["transcript", "import", &words.display().to_string(), "--asset", &asset, "--language", "es"];
    archive.run(import).ends(0);
    fake.export(&archive, "s3cret").ends(0);
    assert_eq!(texts(&fake.state()), ["Otra cosa."]);
    assert!(fake.state().sent.keys().all(|id| id.contains(&asset)), "{:?}", fake.state().sent);
    // What the server refuses is told; the others are taken, and it is sent again when it has changed.
    let catalog = Catalog::open_sqlite(&archive.root().join("catalog.sqlite")).unwrap();
    let rename = |asset: &str, title: &str| {
        let edit = Edit { title: Some(title.to_owned()), collection: None, description: None };
        catalog.describe(asset.parse::<AssetId>().unwrap(), &edit, None, "test").unwrap();
    };
    let picture = archive.json(["search", "--json", "foto"])["hits"][0]["asset"].as_str().unwrap().to_owned();
    rename(&asset, "MALO");
    rename(&picture, "Playa");
    let told = "mapper_parsing_exception: failed to parse field [title]";
    fake.export(&archive, "s3cret").ends(1).says("the server refuses 1 of 2 asset(s)").says(told);
    assert_eq!(titles(&fake.state()), ["ENTREVISTA_2024-03_final.mov", "Playa"]);
    rename(&asset, "Bueno");
    fake.export(&archive, "s3cret").ends(0);
    assert_eq!(titles(&fake.state()), ["Bueno", "Playa"]);
    // A server that was emptied is filled again.
    *fake.state() = State::default();
    fake.export(&archive, "s3cret").ends(0);
    let state = fake.state();
    assert_eq!((titles(&state).len(), texts(&state).len()), (2, 1));
}

#[test]
fn a_server_loses_what_the_catalog_has_no_more() {
    let (archive, asset) = crate::search::archive();
    let picture = archive.json(["search", "--json", "foto"])["hits"][0]["asset"].as_str().unwrap().to_owned();
    let fake = Fake::start();
    fake.export(&archive, "s3cret").ends(0);
    let held = |state: &State| {
        let of =
            |alias| state.all(alias).iter().map(|v| v["asset"].as_str().unwrap().to_owned()).collect::<BTreeSet<_>>();
        (of("dam-assets"), of("dam-segments"))
    };
    let only = |asset: &String| BTreeSet::from([asset.clone()]);
    assert_eq!(held(&fake.state()), (BTreeSet::from([asset.clone(), picture.clone()]), only(&asset)));
    // No event tells of it, as where a catalog is put back from a copy.
    let forget = |asset: &str| {
        let catalog = archive.catalog();
        for (table, column) in [("assets", "id"), ("members", "asset"), ("descriptions", "asset")] {
            catalog.execute(&format!("DELETE FROM {table} WHERE {column} = ?1"), [asset]).unwrap();
        }
    };
    forget(&asset);
    fake.export(&archive, "s3cret").ends(0).says("1 of 1 chunk(s) sent");
    assert_eq!(held(&fake.state()), (only(&picture), BTreeSet::new()));
    fake.export(&archive, "s3cret").ends(0).says("nothing to do");
    // Also where the catalog does not know any more what was sent.
    archive.catalog().execute_batch("DELETE FROM indexed; DELETE FROM index_cursors").unwrap();
    forget(&picture);
    for (found, waiting) in fake.state().indexes.values_mut() {
        found.append(waiting);
        found.retain(|_, v| !v.is_null());
    }
    fake.export(&archive, "s3cret").ends(0).says("1 of 1 chunk(s) sent");
    assert_eq!(held(&fake.state()), (BTreeSet::new(), BTreeSet::new()));
}
