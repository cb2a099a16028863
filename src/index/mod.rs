//! Everything known into the search index: the documents that the catalog gives, minus those that the index holds.
//! A job is a chunk of one shard's assets and one commit.

use std::{
    collections::{BTreeMap, BTreeSet, HashMap},
    path::Path,
};

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{ArchiveState, AssetRow, Catalog, Event, Facts, Wanted},
    digest::Digest,
    error::{Kind, Result},
    meaning,
    model::{AssetId, Findings, Master, MediaFacts, Role, Stage, Vector},
    search::{self, Card, Document, IndexId, Meaning, Moment, Passage, Searcher, Technical, Writer},
    stop::Stop,
    work::{Amount, Attempt, Done, StageRun},
};

#[cfg(feature = "webhook")]
pub mod bulk;
mod dates;

pub use dates::dates;

/// Assets a job; and where there is much to do, for each job is a commit.
const CHUNK: usize = 500;
const LARGE_CHUNK: usize = 5000;

/// The stage, on one shard of an index.
pub struct Indexing<'a> {
    catalog: &'a Catalog,
    index: IndexId,
    writer: Writer,
}

#[derive(Serialize, Deserialize)]
struct Task {
    assets: Vec<AssetId>,
}

/// What an index lacks.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Jobs, each of one shard.
    pub wanted: Vec<Wanted>,
    /// Up to which event this was looked at: to be remembered once the jobs are written down.
    pub seen: i64,
}

/// Jobs for what an index lacks: of all assets when it was never planned as a whole; else of those that something has
/// happened to since.
pub fn plan(catalog: &Catalog, index: &IndexId) -> Result<Plan> {
    match catalog.index_cursor(&index.id)? {
        Some(cursor) => plan_since(catalog, index, cursor),
        None => plan_whole(catalog, index),
    }
}

fn plan_whole(catalog: &Catalog, index: &IndexId) -> Result<Plan> {
    // What happens from here on is looked at again.
    catalog.events_after(i64::MAX, 1)?;
    let seen = catalog.last_event()?;
    let mut held = catalog.indexed(&index.id)?;
    let mut lacking = Lacking::default();
    catalog.each_asset(|row| {
        let digest = wanted(catalog, index, &row)?.digest();
        if held.remove(&row.asset.id) != Some(digest) {
            lacking.add(index, row.asset.id, digest);
        }
        Ok(())
    })?;
    for (gone, digest) in held {
        lacking.add(index, gone, digest);
    }
    Ok(Plan { wanted: lacking.jobs(index), seen })
}

fn plan_since(catalog: &Catalog, index: &IndexId, cursor: i64) -> Result<Plan> {
    const PAGE: i64 = 1000;
    let mut touched: BTreeSet<AssetId> = BTreeSet::new();
    let mut seen = cursor;
    loop {
        let page = catalog.events_after(seen, PAGE)?;
        let Some(last) = page.last() else { break };
        seen = last.seq;
        for event in page.iter().filter(|event| changes_documents(event)) {
            touched.extend(catalog.touched_by(event)?);
        }
    }
    let mut lacking = Lacking::default();
    for asset in touched {
        let digest = match catalog.asset(asset) {
            Ok(row) => wanted(catalog, index, &row)?.digest(),
            Err(e) if e.kind() == Kind::NotFound => gone(),
            Err(e) => return Err(e),
        };
        if catalog.indexed_digest(&index.id, asset)? != Some(digest) {
            lacking.add(index, asset, digest);
        }
    }
    Ok(Plan { wanted: lacking.jobs(index), seen })
}

/// Jobs that take out of an index what it has of these assets, for the catalog does not have them.
pub fn plan_gone(catalog: &Catalog, index: &IndexId, held: &[AssetId]) -> Result<Vec<Wanted>> {
    let mut lacking = Lacking::default();
    for asset in held {
        match catalog.asset(*asset) {
            Ok(_) => {}
            Err(e) if e.kind() == Kind::NotFound => lacking.add(index, *asset, gone()),
            Err(e) => return Err(e),
        }
    }
    Ok(lacking.jobs(index))
}

/// What stands for the documents of an asset that there is no more.
fn gone() -> Digest {
    Digest::of_fields(&["gone"])
}

/// Whether an event changes documents.
fn changes_documents(event: &Event) -> bool {
    ["asset.", "rendition.", "findings.", "collection.", "meaning."].iter().any(|kind| event.kind.starts_with(kind))
}

/// Assets by shard.
#[derive(Default)]
struct Lacking(BTreeMap<u32, Vec<(AssetId, Digest)>>);

impl Lacking {
    fn add(&mut self, index: &IndexId, asset: AssetId, digest: Digest) {
        self.0.entry(index.shard_of(asset)).or_default().push((asset, digest));
    }

    fn jobs(self, index: &IndexId) -> Vec<Wanted> {
        let most = self.0.values().map(Vec::len).max().unwrap_or(0);
        let chunk = if most > 20 * CHUNK { LARGE_CHUNK } else { CHUNK };
        let each = |(shard, lacking): (u32, Vec<_>)| {
            lacking.chunks(chunk).map(|chunk| job(index, shard, chunk)).collect::<Vec<_>>()
        };
        self.0.into_iter().flat_map(each).collect()
    }
}

fn job(index: &IndexId, shard: u32, chunk: &[(AssetId, Digest)]) -> Wanted {
    let mut identity = vec![index.id.clone()];
    identity.extend(chunk.iter().flat_map(|(asset, digest)| [asset.to_string(), digest.to_string()]));
    let task = Task { assets: chunk.iter().map(|(asset, _)| *asset).collect() };
    Wanted {
        stage: Stage::Index,
        scope: index.scope(shard),
        subject: format!("{} assets", chunk.len()),
        recipe: Digest::of_fields(&identity).to_string(),
        task: serde_json::to_value(task).unwrap_or_default(),
        priority: 0,
    }
}

/// What an index is to have of an asset.
fn wanted(catalog: &Catalog, index: &IndexId, row: &AssetRow) -> Result<Document> {
    match index.id.starts_with(Catalog::ELSEWHERE) {
        true => plain(catalog, row),
        false => document(catalog, row),
    }
}

/// Everything that the catalog knows of an asset, as the index wants it.
pub fn document(catalog: &Catalog, row: &AssetRow) -> Result<Document> {
    made(catalog, row, true)
}

/// The same without what it means: a server has no use for it.
fn plain(catalog: &Catalog, row: &AssetRow) -> Result<Document> {
    made(catalog, row, false)
}

/// What an asset means, if that is known of the words that it has now.
fn meaning_of(catalog: &Catalog, main: &Master, card: &Card, found: &[Findings]) -> Result<Option<Meaning>> {
    let Some(of) = catalog.meaning(&main.digest)? else { return Ok(None) };
    let known = catalog.knowledge_of(&[main.digest], &[])?.remove(&main.digest).unwrap_or_default();
    let Card { title, description, .. } = card;
    let words = meaning::words(title, description, &known.sets(&meaning::KINDS));
    let passages = meaning::passages(title, description, found);
    if of.words != words || of.vectors.len() != passages.len() {
        return Ok(None);
    }
    let place = |n: usize| u32::try_from(n).unwrap_or(u32::MAX);
    let passage = |(passage, vector): (meaning::Passage, Vector)| Passage {
        moments: place(passage.lines.start)..place(passage.lines.end),
        vector,
    };
    let passages = passages.into_iter().zip(of.vectors).map(passage).collect();
    Ok(Some(Meaning { recipe: of.recipe, words, passages }))
}

fn made(catalog: &Catalog, row: &AssetRow, has_meaning: bool) -> Result<Document> {
    let main = row.masters.iter().find(|m| m.role == Role::Main);
    let facts = main.map(|m| &m.facts);
    let mut described = catalog.described(row.asset.id)?.description;
    if let Some((_, rights)) = catalog.rights_of(row.asset.id)? {
        described.rights = rights;
    }
    let paths: Vec<String> =
        catalog.sightings_of(row.asset.id)?.into_iter().map(|(drive, path)| format!("{drive}/{path}")).collect();
    let dates = dates(described.date.as_deref(), facts, &names(&paths), row.asset.created_at);
    let card = Card {
        asset: row.asset.id,
        kind: row.asset.kind,
        title: row.asset.title.clone(),
        collection: row.asset.collection.clone(),
        paths,
        tags: facts.map(descriptive).unwrap_or_default(),
        technical: main.map(technical).unwrap_or_default(),
        created_at: row.asset.created_at,
        recorded_at: dates.first().map(|d| d.at_ms),
        dates,
        renditions: catalog
            .renditions_of(row.asset.id)?
            .into_iter()
            .filter_map(|r| r.files.first().map(|f| (r.entry.clone(), f.digest)))
            .collect(),
        description: described,
        archived: catalog.archived_of(row.asset.id)?.is_some_and(|a| a.state != ArchiveState::Archiving),
    };
    // Times are of one recording: what was found in a chapter would be played from the wrong file.
    let digest: Vec<Digest> = main.map(|m| m.digest).into_iter().collect();
    let found = catalog.findings_of(&digest)?;
    let meaning = match main.filter(|_| has_meaning) {
        Some(main) => meaning_of(catalog, main, &card, &found)?,
        None => None,
    };
    Ok(Document { card, moments: found.into_iter().flat_map(moments).collect(), meaning })
}

/// Names of files, without their folders.
pub fn names(paths: &[String]) -> Vec<String> {
    paths.iter().map(|path| path.rsplit('/').next().unwrap_or(path).to_owned()).collect()
}

fn moments(found: Findings) -> impl Iterator<Item = Moment> {
    let kind = found.kind;
    found.items.into_iter().filter(|item| !item.text.trim().is_empty()).map(move |item| Moment {
        kind,
        from_ms: item.from_ms,
        to_ms: item.to_ms,
        text: item.text,
        code: item.code,
        speaker: item.speaker,
        area: item.area,
        trust: item.trust,
        doubts: item.doubts,
    })
}

fn technical(master: &Master) -> Technical {
    let facts = &master.facts;
    let video = facts.video.as_ref();
    let image = facts.image.as_ref();
    Technical {
        bytes: master.bytes,
        duration_ms: facts.duration_ms,
        size: facts.display_size(),
        codec: video
            .map(|v| v.codec.clone())
            .or_else(|| facts.audio.first().map(|a| a.codec.clone()))
            .or_else(|| image.and(facts.container.clone())),
        rate: video.map(|v| v.rate).filter(|(n, _)| *n > 0),
        channels: facts.audio.first().map(|a| a.channels),
        hdr: video.is_some_and(crate::model::VideoFacts::is_hdr),
        color: video.and_then(|v| v.matrix.clone()).or_else(|| image.map(|i| i.color.clone())),
        timecode: facts.timecode.clone(),
    }
}

/// Tags that programs write for programs, and our own warnings: nobody searches for them.
const TECHNICAL: [&str; 11] = [
    "warning",
    "major_brand",
    "minor_version",
    "compatible_brands",
    "encoder",
    "encoded_by",
    "handler_name",
    "vendor_id",
    "time_reference",
    "umid",
    "coding_history",
];

fn descriptive(facts: &MediaFacts) -> Vec<String> {
    let tags = facts.tags.iter().filter(|(name, _)| !TECHNICAL.contains(&name.as_str()));
    tags.map(|(_, text)| text.clone()).collect()
}

/// The index to write to: the current one, or (there is none, a rebuild is asked for, or another number of shards) one
/// beside it. A rebuild that was interrupted goes on.
pub fn target(dir: &Path, rebuild: bool, shards: Option<u32>) -> Result<IndexId> {
    let shards = shards.or(search::current(dir)?.map(|c| c.shards)).unwrap_or(1);
    match rebuild {
        true => search::beside(dir, shards),
        false => search::current_or_beside(dir, shards),
    }
}

/// How an index and the catalog differ.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Checked {
    /// Number of assets in the catalog.
    pub assets: usize,
    /// Number of assets in the index.
    pub documents: usize,
    /// Assets that the index lacks.
    pub missing: Vec<AssetId>,
    /// Assets of which the index has something else than the catalog.
    pub stale: Vec<AssetId>,
    /// Assets of the index that the catalog does not have, or that the index has twice.
    pub gone: Vec<AssetId>,
    /// Number of passages whose meaning is in the index, and of vectors that are left of what was replaced or removed.
    pub passages: (u64, u64),
}

impl Checked {
    /// Whether they say the same.
    pub fn is_sound(&self) -> bool {
        self.missing.is_empty() && self.stale.is_empty() && self.gone.is_empty()
    }
}

/// Compares the current index with the catalog, document by document.
pub fn check(catalog: &Catalog, searcher: &Searcher, stop: &Stop) -> Result<Checked> {
    let mut checked = Checked { passages: searcher.passages()?, ..Checked::default() };
    let mut held: HashMap<AssetId, Digest> = HashMap::new();
    searcher.each_digest(&mut |asset, digest| {
        checked.documents += 1;
        if held.insert(asset, digest).is_some() {
            checked.gone.push(asset);
        }
        stop.check()
    })?;
    catalog.each_asset(|row| {
        stop.check()?;
        checked.assets += 1;
        match held.remove(&row.asset.id) {
            None => checked.missing.push(row.asset.id),
            Some(digest) if digest != document(catalog, &row)?.digest() => checked.stale.push(row.asset.id),
            Some(_) => {}
        }
        Ok(())
    })?;
    checked.gone.extend(held.into_keys());
    Ok(checked)
}

impl<'a> Indexing<'a> {
    /// The stage for one shard of an index in `dir`. Whoever writes to it already is waited for by nobody: `Unavailable`.
    pub fn open(catalog: &'a Catalog, dir: &Path, index: &IndexId, shard: u32) -> Result<Self> {
        let threads = std::thread::available_parallelism().map_or(1, usize::from).min(4);
        Ok(Self { catalog, index: index.clone(), writer: Writer::open(dir, &index.id, shard, threads)? })
    }

    /// Waits until the pieces that were written are put together.
    pub fn settle(self) -> Result<()> {
        self.writer.settle()
    }
}

impl StageRun for Indexing<'_> {
    fn stage(&self) -> Stage {
        Stage::Index
    }

    fn run(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let task: Task = attempt.task()?;
        let (mut indexed, mut gone) = (Vec::with_capacity(task.assets.len()), Vec::new());
        for (n, assets) in task.assets.chunks(50).enumerate() {
            attempt.stop.check()?;
            let mut documents = Vec::with_capacity(assets.len());
            for id in assets {
                match self.catalog.asset(*id) {
                    Ok(row) => documents.push(document(self.catalog, &row)?),
                    Err(e) if e.kind() == Kind::NotFound => gone.push(*id),
                    Err(e) => return Err(e),
                }
            }
            self.writer.replace(&documents, &[])?;
            indexed.extend(documents.iter().map(|d| (self.index.id.clone(), d.card.asset, d.digest())));
            attempt.tick(Amount::Share((n * 50) as f64 / task.assets.len() as f64));
        }
        self.writer.replace(&[], &gone)?;
        self.writer.commit()?;
        crate::crash::point("index.after-commit");
        let unindexed = gone.into_iter().map(|asset| (self.index.id.clone(), asset)).collect();
        Ok(Facts { indexed, unindexed, ..Facts::default() }.into())
    }
}
