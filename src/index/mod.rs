//! Everything known into the search index: the documents that the catalog gives, minus those that the index holds.
//! A job is a chunk of assets and one commit.

use std::path::Path;

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{AssetRow, Catalog, Facts, Wanted},
    digest::Digest,
    error::Result,
    model::{AssetId, MediaFacts, Role, Stage},
    search::{self, Document, Writer},
    work::{Amount, Attempt, Done, StageRun},
};

/// Assets a job.
const CHUNK: usize = 500;

/// The stage, on one index.
pub struct Indexing<'a> {
    catalog: &'a Catalog,
    id: String,
    writer: Writer,
}

#[derive(Serialize, Deserialize)]
struct Task {
    assets: Vec<AssetId>,
}

/// Jobs for what the index `id` lacks.
pub fn plan(catalog: &Catalog, id: &str) -> Result<Vec<Wanted>> {
    let held = catalog.indexed(id)?;
    let mut lacking: Vec<(AssetId, Digest)> = Vec::new();
    catalog.each_asset(|row| {
        let document = document(catalog, &row)?;
        let digest = document.digest();
        if held.get(&row.asset.id) != Some(&digest) {
            lacking.push((row.asset.id, digest));
        }
        Ok(())
    })?;
    Ok(lacking.chunks(CHUNK).map(|chunk| job(id, chunk)).collect())
}

fn job(id: &str, chunk: &[(AssetId, Digest)]) -> Wanted {
    let mut identity = vec![id.to_owned()];
    identity.extend(chunk.iter().flat_map(|(asset, digest)| [asset.to_string(), digest.to_string()]));
    let task = Task { assets: chunk.iter().map(|(asset, _)| *asset).collect() };
    Wanted {
        stage: Stage::Index,
        scope: id.to_owned(),
        subject: format!("{} assets", chunk.len()),
        recipe: Digest::of_fields(&identity).to_string(),
        task: serde_json::to_value(task).unwrap_or_default(),
        priority: 0,
    }
}

/// Everything that the catalog knows of an asset, as the index wants it.
pub fn document(catalog: &Catalog, row: &AssetRow) -> Result<Document> {
    let main = row.masters.iter().find(|m| m.role == Role::Main);
    let facts = main.map(|m| &m.facts);
    Ok(Document {
        asset: row.asset.id,
        kind: row.asset.kind,
        title: row.asset.title.clone(),
        collection: row.asset.collection.clone(),
        paths: catalog.sightings_of(row.asset.id)?.into_iter().map(|(drive, path)| format!("{drive}/{path}")).collect(),
        tags: facts.map(descriptive).unwrap_or_default(),
        duration_ms: facts.and_then(|f| f.duration_ms),
        size: facts.and_then(|f| f.display_size()),
        renditions: catalog
            .renditions_of(row.asset.id)?
            .into_iter()
            .filter_map(|r| r.files.first().map(|f| (r.entry.clone(), f.digest)))
            .collect(),
    })
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

impl<'a> Indexing<'a> {
    /// The stage for the index `id` in `dir`.
    pub fn open(catalog: &'a Catalog, dir: &Path, id: &str) -> Result<Self> {
        Ok(Self { catalog, id: id.to_owned(), writer: Writer::open(dir, id)? })
    }
}

/// The index to write to: the current one, or (there is none, or a rebuild is asked for) one beside it. A rebuild that
/// was interrupted goes on.
pub fn target(dir: &Path, rebuild: bool) -> Result<String> {
    match search::current_id(dir)? {
        Some(id) if !rebuild => Ok(id),
        _ => search::beside(dir),
    }
}

impl StageRun for Indexing<'_> {
    fn stage(&self) -> Stage {
        Stage::Index
    }

    fn run(&self, attempt: &Attempt<'_>) -> Result<Done> {
        let task: Task = attempt.task()?;
        let mut documents = Vec::with_capacity(task.assets.len());
        for (i, id) in task.assets.iter().enumerate() {
            attempt.stop.check()?;
            documents.push(document(self.catalog, &self.catalog.asset(*id)?)?);
            attempt.tick(Amount::Share(i as f64 / task.assets.len() as f64));
        }
        self.writer.replace(&documents)?;
        crate::crash::point("index.after-commit");
        let indexed = documents.iter().map(|d| (self.id.clone(), d.asset, d.digest())).collect();
        Ok(Facts { indexed, ..Facts::default() }.into())
    }
}
