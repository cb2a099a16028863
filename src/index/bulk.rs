//! The index of a server that speaks OpenSearch's API, for archives past one machine: the documents that the own index
//! has, sent by `_bulk`. Assets go to one index for each kind, all of them behind the alias `dam-assets`; what was found in
//! them goes to another, behind `dam-segments`.
//!
//! Each document has the digest of what its asset was when it was sent. So what is older is taken out by asking for
//! it, and a run that was killed leaves nothing that the next one does not find.

use std::{
    collections::{BTreeMap, HashSet},
    time::Duration,
};

use serde_json::{Value, json};

use super::{Task, plain};
use crate::{
    block,
    catalog::{Catalog, Facts},
    digest::Digest,
    error::{Error, Kind, Result},
    model::{AssetId, MediaKind, Stage},
    search::{Document, IndexId, VERSION},
    stop::Stop,
    work::{Amount, Attempt, Done, StageRun},
};

/// What the aliases are called.
const ASSETS: &str = "dam-assets";
const SEGMENTS: &str = "dam-segments";
/// Bytes of one request, unless one document has more: servers take 100 MB, and advise 5 to 15.
const LARGEST: usize = 5 << 20;
/// How often what may succeed later is sent, and how long it is waited for the second time; then twice as long each time.
const TRIES: u32 = 6;
const PAUSE: Duration = Duration::from_millis(250);
const PATIENCE: Duration = Duration::from_secs(120);
/// Largest answer of a server.
const LARGEST_ANSWER: u64 = 64 << 20;

/// A server, and who is known there.
#[derive(Clone)]
pub struct BulkConfig {
    /// `https://HOST:9200`, or `http://…` in a network that is trusted; a path before the API's is kept.
    pub url: String,
    /// Name and password.
    pub user: Option<(String, String)>,
}

/// A server's indexes, as one that the catalog can plan for.
pub struct Bulk {
    url: reqwest::Url,
    user: Option<(String, String)>,
    client: reqwest::Client,
}

/// What is done to one document.
#[derive(Clone)]
struct Item {
    asset: AssetId,
    /// The lines of the request's body.
    lines: String,
    /// Whether it takes something out: then it is as well if it is not there.
    is_removal: bool,
}

impl Bulk {
    /// Makes ready; `Invalid` for an address that cannot be right.
    pub fn new(config: &BulkConfig) -> Result<Self> {
        let url = reqwest::Url::parse(&config.url).ok().filter(|url| {
            matches!(url.scheme(), "http" | "https")
                && url.has_host()
                && url.query().is_none()
                && url.fragment().is_none()
        });
        let url = url.ok_or_else(|| Error::invalid("the server's address is none: expected https://HOST:9200"))?;
        if !url.username().is_empty() || url.password().is_some() {
            return Err(Error::invalid("the server's address holds a user")
                .hint("give DAMCTL_BULK_USER and DAMCTL_BULK_PASSWORD"));
        }
        let client = reqwest::Client::builder()
            .timeout(PATIENCE)
            .connect_timeout(Duration::from_secs(10))
            .redirect(reqwest::redirect::Policy::none())
            .user_agent(concat!("damctl/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Error::unavailable("cannot make an HTTP client").because(e))?;
        Ok(Self { url, user: config.user.clone(), client })
    }

    /// As what the catalog knows it. Another schema is another one, and is filled anew.
    pub fn id(&self) -> IndexId {
        IndexId { id: format!("{}v{VERSION}-{}", Catalog::ELSEWHERE, Digest::of(self.url.as_str()).short()), shards: 1 }
    }

    /// Makes the indexes that are not there yet; says whether there were any.
    pub fn prepare(&self) -> Result<bool> {
        let mut has_made = false;
        let all = MediaKind::ALL.iter().map(|kind| (index_of(*kind), assets_mapping()));
        for (index, mapping) in all.chain([(segments(), segments_mapping())]) {
            let (status, answer) = self.call("PUT", &index, Some(("application/json", mapping.to_string())))?;
            let is_there = answer["error"]["type"] == "resource_already_exists_exception";
            if !(status == 200 || (status == 400 && is_there)) {
                return Err(refused(&format!("cannot make the index {index}"), status, &answer));
            }
            has_made |= status == 200;
        }
        Ok(has_made)
    }

    /// Has the aliases lead to these indexes and to no others, at once: who asks sees the old ones or the new ones.
    pub fn switch(&self) -> Result<()> {
        let mut actions = vec![
            json!({"remove": {"index": format!("{ASSETS}-*"), "alias": ASSETS, "must_exist": false}}),
            json!({"remove": {"index": format!("{SEGMENTS}-*"), "alias": SEGMENTS, "must_exist": false}}),
        ];
        actions.extend(MediaKind::ALL.iter().map(|kind| json!({"add": {"index": index_of(*kind), "alias": ASSETS}})));
        actions.push(json!({"add": {"index": segments(), "alias": SEGMENTS}}));
        let body = json!({"actions": actions}).to_string();
        match self.call("POST", "_aliases", Some(("application/json", body)))? {
            (200, _) => Ok(()),
            (status, answer) => Err(refused("cannot set the aliases", status, &answer)),
        }
    }

    /// The assets that the server has documents of.
    pub fn assets(&self, stop: &Stop) -> Result<Vec<AssetId>> {
        const PAGE: usize = 1000;
        let indexes = MediaKind::ALL.map(index_of).join(",");
        let (mut all, mut after) = (Vec::new(), None);
        loop {
            stop.check()?;
            let mut body =
                json!({"size": PAGE, "_source": false, "query": {"match_all": {}}, "sort": [{"asset": "asc"}]});
            if let Some(after) = after {
                body["search_after"] = after;
            }
            let path = format!("{indexes}/_search");
            let (status, answer) = self.call("POST", &path, Some(("application/json", body.to_string())))?;
            let hits = match (status, answer["hits"]["hits"].as_array()) {
                (200, Some(hits)) => hits,
                _ => return Err(refused("cannot ask which assets it has", status, &answer)),
            };
            all.extend(hits.iter().filter_map(|hit| hit["_id"].as_str()?.parse::<AssetId>().ok()));
            match hits.last() {
                Some(last) if hits.len() == PAGE => after = Some(last["sort"].clone()),
                _ => return Ok(all),
            }
        }
    }

    /// Puts these documents in the place of what the server has of their assets, and takes those of `gone` out. Says which
    /// assets it refuses, and why.
    fn replace(&self, documents: &[Document], gone: &[AssetId], stop: &Stop) -> Result<BTreeMap<AssetId, String>> {
        let mut refused: BTreeMap<AssetId, String> = BTreeMap::new();
        let found = documents.iter().flat_map(|d| moments(d).into_iter());
        refused.extend(self.deliver(found.collect(), stop)?);
        // An asset that is refused in part stays as it was, and is tried again with its next change.
        let is_taken = |asset: &AssetId| !refused.contains_key(asset);
        let taken: Vec<&Document> = documents.iter().filter(|d| is_taken(&d.card.asset)).collect();
        self.forget_older(&taken, gone)?;
        let assets = taken.iter().map(|d| asset(d));
        let gone = gone.iter().flat_map(|asset| MediaKind::ALL.iter().map(|kind| removal(*asset, &index_of(*kind))));
        refused.extend(self.deliver(assets.chain(gone).collect(), stop)?);
        Ok(refused)
    }

    /// Takes out what was found in these assets before, and all that was found in those of `gone`.
    fn forget_older(&self, taken: &[&Document], gone: &[AssetId]) -> Result<()> {
        let assets: Vec<AssetId> = taken.iter().map(|d| d.card.asset).chain(gone.iter().copied()).collect();
        if assets.is_empty() {
            return Ok(());
        }
        // What was sent a moment ago is only found after this.
        let (status, answer) = self.call("POST", &format!("{}/_refresh", segments()), None)?;
        if status != 200 {
            return Err(refused("cannot make visible what was sent", status, &answer));
        }
        let current: Vec<String> = taken.iter().map(|d| d.digest().to_string()).collect();
        let body = json!({"query": {"bool": {
            "filter": [{"terms": {"asset": assets}}], "must_not": [{"terms": {"document": current}}]}}});
        let path = format!("{}/_delete_by_query?conflicts=proceed", segments());
        let (status, answer) = self.call("POST", &path, Some(("application/json", body.to_string())))?;
        let has_failed = answer["failures"].as_array().is_some_and(|all| !all.is_empty());
        match status == 200
            && !has_failed
            && answer["timed_out"] != true
            && answer["version_conflicts"].as_u64().unwrap_or(0) == 0
        {
            true => Ok(()),
            false if status == 200 => Err(Error::unavailable("the server has not taken out all that is older")),
            false => Err(refused("cannot take out what is older", status, &answer)),
        }
    }

    /// Sends items, each until it is taken or refused for good; says which assets' were refused, and why.
    fn deliver(&self, mut items: Vec<Item>, stop: &Stop) -> Result<BTreeMap<AssetId, String>> {
        let mut refusals = BTreeMap::new();
        let mut last = None;
        for n in 0..TRIES {
            if n > 0 {
                pause(PAUSE * 2_u32.pow(n - 1), stop)?;
            }
            let mut again = Vec::new();
            for batch in batches(&items) {
                stop.check()?;
                match self.bulk(batch) {
                    Ok(outcomes) => {
                        for (item, outcome) in batch.iter().zip(outcomes) {
                            match outcome {
                                Outcome::Taken => {}
                                Outcome::Later(why) => {
                                    last = Some(why);
                                    again.push(item.clone());
                                }
                                Outcome::Refused(why) => drop(refusals.insert(item.asset, why)),
                            }
                        }
                    }
                    // Whether it was taken is not known: to send it again changes nothing.
                    Err(e) if e.kind().is_retryable() => {
                        last = Some(e.one_line());
                        again.extend_from_slice(batch);
                    }
                    Err(e) => return Err(e),
                }
            }
            if again.is_empty() {
                return Ok(refusals);
            }
            items = again;
        }
        let why = last.unwrap_or_default();
        Err(Error::unavailable(format!("the server took {} document(s) not in {TRIES} tries: {why}", items.len())))
    }

    fn bulk(&self, batch: &[Item]) -> Result<Vec<Outcome>> {
        let body: String = batch.iter().map(|item| item.lines.as_str()).collect();
        let (status, answer) = self.call("POST", "_bulk", Some(("application/x-ndjson", body)))?;
        match (status, batch) {
            (200, _) => {}
            // One that is too large alone is too large.
            (413, [_]) => return Ok(vec![Outcome::Refused("it is larger than the server takes".to_owned())]),
            _ => return Err(refused("the server does not take documents", status, &answer)),
        }
        let outcomes = answer["items"].as_array().map(Vec::as_slice).unwrap_or_default();
        if outcomes.len() != batch.len() {
            return Err(Error::unavailable(format!(
                "the server answered for {} documents of {}",
                outcomes.len(),
                batch.len()
            )));
        }
        Ok(batch.iter().zip(outcomes).map(|(item, outcome)| Outcome::of(item, outcome)).collect())
    }

    /// Asks the server: the answer's status, and its body where that is JSON.
    fn call(&self, method: &str, path: &str, body: Option<(&str, String)>) -> Result<(u16, Value)> {
        let base = self.url.as_str().trim_end_matches('/');
        let method = method.parse().map_err(|e| Error::internal("no method of HTTP").because(e))?;
        let mut request = self.client.request::<String>(method, format!("{base}/{path}"));
        if let Some((name, password)) = &self.user {
            request = request.basic_auth(name, Some(password));
        }
        if let Some((kind, body)) = body {
            request = request.header("content-type", kind).body(body);
        }
        let away = |e: reqwest::Error| {
            Error::unavailable(format!("the server at {} does not answer", self.shown())).because(e.without_url())
        };
        let (status, bytes) = block::on(async {
            let mut answer = request.send().await?;
            let mut bytes = Vec::new();
            while let Some(chunk) = answer.chunk().await? {
                bytes.extend_from_slice(&chunk);
                if bytes.len() as u64 > LARGEST_ANSWER {
                    break;
                }
            }
            Ok((answer.status().as_u16(), bytes))
        })?
        .map_err(away)?;
        Ok((status, serde_json::from_slice(&bytes).unwrap_or(Value::Null)))
    }

    /// The server as it may be shown.
    pub fn shown(&self) -> String {
        let port = self.url.port().map(|port| format!(":{port}")).unwrap_or_default();
        format!("{}{port}", self.url.host_str().unwrap_or_default())
    }
}

/// What became of one item.
#[derive(Debug, PartialEq)]
enum Outcome {
    Taken,
    Later(String),
    Refused(String),
}

impl Outcome {
    /// The answer has an object for each item, named for what was asked of it.
    fn of(item: &Item, answer: &Value) -> Self {
        let Some(told) = answer.as_object().and_then(|o| o.values().next()) else {
            return Self::Later("the server's answer is not understood".to_owned());
        };
        let error = &told["error"];
        let why = || {
            let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
            format!("{}: {}", text(&error["type"]), text(&error["reason"]))
        };
        match told["status"].as_u64().unwrap_or(0) {
            200..=299 => Self::Taken,
            404 if item.is_removal && error.is_null() => Self::Taken,
            // Too busy; a shard that moves; a document that something else works on.
            408 | 409 | 429 | 500..=599 => Self::Later(why()),
            _ => Self::Refused(why()),
        }
    }
}

/// What is wrong for good, and what may be another time.
fn refused(doing: &str, status: u16, answer: &Value) -> Error {
    let reason = answer["error"]["reason"].as_str().or(answer["error"].as_str()).unwrap_or_default();
    let told = format!("{doing}: the server answered {status} {reason}");
    match status {
        401 | 403 => Error::new(Kind::Paused, told).hint("give DAMCTL_BULK_USER and DAMCTL_BULK_PASSWORD"),
        408 | 409 | 429 | 500..=599 => Error::unavailable(told),
        _ => Error::invalid(told),
    }
}

fn pause(time: Duration, stop: &Stop) -> Result<()> {
    const LOOK: Duration = Duration::from_millis(50);
    let mut left = time;
    while !left.is_zero() {
        stop.check()?;
        std::thread::sleep(left.min(LOOK));
        left = left.saturating_sub(LOOK);
    }
    stop.check()
}

/// Items for one request each.
fn batches(items: &[Item]) -> impl Iterator<Item = &[Item]> {
    let mut rest = items;
    std::iter::from_fn(move || {
        let mut bytes = 0;
        let fits = |item: &&Item| {
            bytes += item.lines.len();
            bytes <= LARGEST
        };
        let n = rest.iter().take_while(fits).count().max(1).min(rest.len());
        let (batch, others) = rest.split_at(n);
        rest = others;
        (!batch.is_empty()).then_some(batch)
    })
}

fn index_of(kind: MediaKind) -> String {
    format!("{ASSETS}-{}-v{VERSION}", kind.as_str())
}

fn segments() -> String {
    format!("{SEGMENTS}-v{VERSION}")
}

fn addition(asset: AssetId, index: &str, id: &str, source: &Value) -> Item {
    let action = json!({"index": {"_index": index, "_id": id}});
    Item { asset, lines: format!("{action}\n{source}\n"), is_removal: false }
}

fn removal(asset: AssetId, index: &str) -> Item {
    let action = json!({"delete": {"_index": index, "_id": asset.to_string()}});
    Item { asset, lines: format!("{action}\n"), is_removal: true }
}

fn asset(document: &Document) -> Item {
    let (card, t) = (&document.card, &document.card.technical);
    let d = &card.description;
    let rate = t.rate.filter(|(_, per)| *per > 0).map(|(n, per)| f64::from(n) / f64::from(per));
    let source = json!({
        "asset": card.asset, "document": document.digest(), "kind": card.kind, "title": card.title,
        "collection": card.collection, "program": d.program, "category": d.category, "license": d.rights.license,
        "description": d.text, "tags": d.tags, "people": d.people, "places": d.places,
        "organizations": d.organizations, "paths": card.paths, "file_tags": card.tags,
        "duration_ms": t.duration_ms, "bytes": t.bytes, "width": t.size.map(|(w, _)| w), "height": t.size.map(|(_, h)| h),
        "rate": rate, "channels": t.channels, "codec": t.codec, "hdr": t.hdr, "color": t.color,
        "timecode": t.timecode.as_ref().map(|t| &t.value),
        "recorded_at": card.recorded_at, "created_at": card.created_at, "embargo_until": d.rights.embargo_ms(),
        "expires": d.rights.expires_ms(), "territories": d.rights.territories, "consent": d.rights.consent,
        "renditions": card.renditions.iter().map(|(name, _)| name).collect::<Vec<_>>(),
        "segments": document.moments.len(),
    });
    addition(card.asset, &index_of(card.kind), &card.asset.to_string(), &source)
}

fn moments(document: &Document) -> Vec<Item> {
    let (card, digest) = (&document.card, document.digest());
    let each = document.moments.iter().enumerate().map(|(n, m)| {
        let source = json!({
            "asset": card.asset, "document": digest, "kind": m.kind, "from_ms": m.from_ms, "to_ms": m.to_ms,
            "text": m.text, "code": m.code, "speaker": m.speaker, "area": m.area, "trust": m.trust, "doubts": m.doubts,
            "collection": card.collection, "embargo_until": card.description.rights.embargo_ms(),
            "expires": card.description.rights.expires_ms(), "territories": card.description.rights.territories,
            "consent": card.description.rights.consent,
        });
        addition(card.asset, &segments(), &format!("{}-{n}", card.asset), &source)
    });
    each.collect()
}

/// Words are found whatever their accents, and in both languages' forms; names as they are written, too.
fn settings() -> Value {
    json!({"analysis": {"analyzer": {"folded": {"type": "custom", "tokenizer": "standard", "filter": ["lowercase", "asciifolding"]}}}})
}

fn words() -> Value {
    json!({"type": "text", "analyzer": "folded",
        "fields": {"es": {"type": "text", "analyzer": "spanish"}, "en": {"type": "text", "analyzer": "english"}}})
}

fn names() -> Value {
    json!({"type": "keyword", "ignore_above": 8000, "fields": {"words": {"type": "text", "analyzer": "folded"}}})
}

fn assets_mapping() -> Value {
    let (keyword, long) = (json!({"type": "keyword"}), json!({"type": "long"}));
    let time = json!({"type": "date", "format": "epoch_millis"});
    json!({"settings": settings(), "mappings": {"dynamic": false, "properties": {
        "asset": keyword, "document": keyword, "kind": keyword, "title": words(), "description": words(),
        "collection": names(), "program": names(), "category": names(), "license": keyword,
        "tags": names(), "people": names(), "places": names(), "organizations": names(), "paths": names(),
        "file_tags": {"type": "text", "analyzer": "folded"},
        "duration_ms": long, "bytes": long, "width": {"type": "integer"}, "height": {"type": "integer"},
        "rate": {"type": "float"}, "channels": {"type": "integer"}, "codec": keyword, "hdr": {"type": "boolean"},
        "color": keyword, "timecode": keyword, "recorded_at": time, "created_at": time, "embargo_until": time, "expires": time,
        "territories": keyword, "consent": keyword,
        "renditions": keyword, "segments": long,
    }}})
}

fn segments_mapping() -> Value {
    let (keyword, long) = (json!({"type": "keyword"}), json!({"type": "long"}));
    json!({"settings": settings(), "mappings": {"dynamic": false, "properties": {
        "asset": keyword, "document": keyword, "kind": keyword, "from_ms": long, "to_ms": long, "text": words(), "code": keyword,
        "speaker": names(), "trust": {"type": "float"}, "doubts": keyword, "collection": names(),
        "embargo_until": {"type": "date", "format": "epoch_millis"}, "expires": {"type": "date", "format": "epoch_millis"},
        "territories": {"type": "keyword"}, "consent": {"type": "keyword"},
    }}})
}

/// The stage, with a server in the place of the own index.
pub struct Exporting<'a> {
    catalog: &'a Catalog,
    bulk: &'a Bulk,
}

impl<'a> Exporting<'a> {
    /// The stage for this server.
    pub fn new(catalog: &'a Catalog, bulk: &'a Bulk) -> Self {
        Self { catalog, bulk }
    }
}

impl StageRun for Exporting<'_> {
    fn stage(&self) -> Stage {
        Stage::Index
    }

    fn run(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let task: Task = attempt.task()?;
        let id = self.bulk.id().id;
        let mut facts = Facts::default();
        let mut refusals: BTreeMap<AssetId, String> = BTreeMap::new();
        for (n, assets) in task.assets.chunks(50).enumerate() {
            attempt.stop.check()?;
            let (mut documents, mut gone) = (Vec::with_capacity(assets.len()), Vec::new());
            for asset in assets {
                match self.catalog.asset(*asset) {
                    Ok(row) => documents.push(plain(self.catalog, &row)?),
                    Err(e) if e.kind() == Kind::NotFound => gone.push(*asset),
                    Err(e) => return Err(e),
                }
            }
            let refused = self.bulk.replace(&documents, &gone, &attempt.stop)?;
            let taken = documents.iter().filter(|d| !refused.contains_key(&d.card.asset));
            facts.indexed.extend(taken.map(|d| (id.clone(), d.card.asset, d.digest())));
            let gone: HashSet<AssetId> = gone.into_iter().filter(|asset| !refused.contains_key(asset)).collect();
            facts.unindexed.extend(gone.into_iter().map(|asset| (id.clone(), asset)));
            refusals.extend(refused);
            attempt.tick(Amount::Share((n * 50) as f64 / task.assets.len() as f64));
        }
        let failure = refusals.first_key_value().map(|(asset, why)| {
            let (n, all) = (refusals.len(), task.assets.len());
            Error::invalid(format!("the server refuses {n} of {all} asset(s), such as {asset}: {why}"))
                .hint("change what it refuses, or its mapping, then run the same command again")
        });
        Ok(Done { facts, failure })
    }
}
