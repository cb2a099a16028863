//! Generations of assets: one is active, another may wait until what is wanted of it is there; the step from one to another
//! is one transaction.

use serde::Serialize;

use super::{
    AssetRow, Catalog,
    assets::{MASTER, holder, master, to_json},
    db::{Row, Tx, values},
    events::News,
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    model::{Asset, AssetId, Job, JobState, Master, Role, Stage},
};

/// A generation that waits to take the active one's place.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Pending {
    /// Its asset.
    pub asset: AssetId,
    /// Its number.
    pub generation: u32,
    /// Its main master.
    pub master: Digest,
    /// The renditions that must be there first, as (entry, recipe).
    pub wanted: Vec<(String, Digest)>,
    /// Those of them that are not.
    pub missing: Vec<String>,
    /// Since when it waits (ms).
    pub since: i64,
}

/// What a rollback did.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub enum RolledBack {
    /// A generation that waited is given up; the active one stays.
    GaveUp {
        /// Its number.
        generation: u32,
    },
    /// A new generation of earlier masters is active.
    Back {
        /// The generation that it repeats.
        of: u32,
        /// Its number.
        generation: u32,
    },
}

pub(super) fn latest_generation(tx: &mut dyn Tx, asset: AssetId) -> Result<i64> {
    let rows = tx.query("SELECT COALESCE(MAX(generation), 1) FROM members WHERE asset = ?1", values![asset])?;
    rows.first().ok_or_else(|| Error::internal("a maximum without a row"))?.int(0)
}

/// A file that joins an asset joins the generation that waits, too, so that the step to it loses nothing.
pub(super) fn join_pending(tx: &mut dyn Tx, asset: AssetId, master: &Master) -> Result<()> {
    if master.role == Role::Main {
        return Ok(());
    }
    let rows = tx.query("SELECT generation FROM pending WHERE asset = ?1", values![asset])?;
    let Some(waits) = rows.first().map(|r| r.int(0)).transpose()? else { return Ok(()) };
    if !master.name.is_empty() {
        let sql = "DELETE FROM members WHERE asset = ?1 AND generation = ?2 AND name = ?3 AND role <> 'main'";
        tx.execute(sql, values![asset, waits, master.name.as_str()])?;
    }
    let sql = "INSERT INTO members (asset, generation, digest, role, name) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (asset, generation, digest) DO NOTHING";
    tx.execute(sql, values![asset, waits, master.digest, master.role.as_str(), master.name.as_str()]).map(drop)
}

/// Whether a master is a member of an asset, but not of its active generation.
pub(super) fn is_of_another_generation(tx: &mut dyn Tx, asset: AssetId, master: &Digest) -> Result<bool> {
    let sql = "SELECT MAX(CASE WHEN b.generation = a.generation THEN 1 ELSE 0 END)
               FROM members b JOIN assets a ON a.id = b.asset WHERE b.asset = ?1 AND b.digest = ?2";
    let rows = tx.query(sql, values![asset, master])?;
    Ok(rows.first().map(|r| r.maybe_int(0)).transpose()?.flatten() == Some(0))
}

/// Makes the generation that waits the active one, if all that is wanted of it is there. Says whether it was.
pub(super) fn switch_ready(tx: &mut dyn Tx, now: i64, asset: AssetId, news: &mut News) -> Result<bool> {
    let sql = "SELECT p.generation, p.wanted, a.generation, b.digest FROM pending p JOIN assets a ON a.id = p.asset
               JOIN members b ON b.asset = p.asset AND b.generation = p.generation AND b.role = 'main'
               WHERE p.asset = ?1";
    let rows = tx.query(sql, values![asset])?;
    let Some(row) = rows.first() else { return Ok(false) };
    let (to, from) = (row.int(0)?, row.int(2)?);
    let (wanted, main): (Vec<(String, Digest)>, Digest) = (row.json(1)?, row.parse(3)?);
    for (entry, recipe) in &wanted {
        let sql = "SELECT 1 FROM renditions WHERE master = ?1 AND entry = ?2 AND recipe = ?3";
        if tx.query(sql, values![main, entry.as_str(), recipe])?.is_empty() {
            return Ok(false);
        }
    }
    switch(tx, now, asset, from, to)?;
    tx.execute("DELETE FROM pending WHERE asset = ?1", values![asset])?;
    news.add("asset.replaced", asset, serde_json::json!({"from": from, "to": to, "digest": main}));
    Ok(true)
}

/// Moves the pointer: what is shown is of the new generation alone, at once.
fn switch(tx: &mut dyn Tx, now: i64, asset: AssetId, from: i64, to: i64) -> Result<()> {
    tx.lock(&format!("asset {asset}"))?;
    tx.execute("UPDATE assets SET generation = ?2 WHERE id = ?1", values![asset, to])?;
    let sql = "INSERT INTO superseded (asset, master, at)
               SELECT asset, digest, CAST(?4 AS BIGINT) FROM members WHERE asset = ?1 AND generation = ?2
                   AND digest NOT IN (SELECT digest FROM members WHERE asset = ?1 AND generation = ?3)
               ON CONFLICT (asset, master) DO UPDATE SET at = excluded.at";
    tx.execute(sql, values![asset, from, to, now])?;
    let sql = "DELETE FROM superseded
               WHERE asset = ?1 AND master IN (SELECT digest FROM members WHERE asset = ?1 AND generation = ?2)";
    tx.execute(sql, values![asset, to])?;
    let sql = "UPDATE renditions SET active = 0 WHERE asset = ?1 AND active = 1
                   AND master NOT IN (SELECT digest FROM members WHERE asset = ?1 AND generation = ?2)";
    tx.execute(sql, values![asset, to])?;
    let sql = "UPDATE renditions SET active = 1 WHERE asset = ?1 AND entry NOT LIKE '%@segment-%'
                   AND master IN (SELECT digest FROM members WHERE asset = ?1 AND generation = ?2
                                  AND digest NOT IN (SELECT digest FROM members WHERE asset = ?1 AND generation = ?3))
                   AND created_at = (SELECT MAX(o.created_at) FROM renditions o
                                     WHERE o.master = renditions.master AND o.entry = renditions.entry)";
    tx.execute(sql, values![asset, to, from]).map(drop)
}

fn active_generation(tx: &mut dyn Tx, asset: AssetId) -> Result<i64> {
    let rows = tx.query("SELECT generation FROM assets WHERE id = ?1", values![asset])?;
    rows.first().map(|r| r.int(0)).ok_or_else(|| Error::not_found(format!("there is no asset {asset}")))?
}

impl Catalog {
    /// Makes a master the main one of a generation that waits until these renditions, as (entry, recipe), are there; with
    /// none, it is active at once. Says the generation's number.
    ///
    /// Errors: `Conflict` when another waits already, or somebody has the bytes.
    pub fn begin_replacement(&self, asset: AssetId, new: &Master, wanted: &[(String, Digest)]) -> Result<u32> {
        let now = self.now()?;
        let mut generation = 0;
        self.db.with_tx(&mut |tx| {
            tx.lock("masters")?;
            tx.lock(&format!("asset {asset}"))?;
            let mut news = News::default();
            let active = active_generation(tx, asset)?;
            if let Some(holder) = holder(tx, &new.digest)? {
                return Err(Error::new(Kind::Conflict, format!("asset {holder} has these bytes")));
            }
            if !tx.query("SELECT 1 FROM pending WHERE asset = ?1", values![asset])?.is_empty() {
                return Err(Error::new(Kind::Conflict, format!("asset {asset} is being replaced already")));
            }
            let next = latest_generation(tx, asset)? + 1;
            let sql = "INSERT INTO members (asset, generation, digest, role, name)
                       SELECT asset, ?3, digest, role, name FROM members
                       WHERE asset = ?1 AND generation = ?2 AND role <> 'main'";
            tx.execute(sql, values![asset, active, next])?;
            let sql = "INSERT INTO members (asset, generation, digest, role, name) VALUES (?1, ?2, ?3, 'main', ?4)";
            tx.execute(sql, values![asset, next, new.digest, new.name.as_str()])?;
            let sql = "INSERT INTO masters (digest, bytes, fingerprint, key, facts, confirmed_at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
            let facts = to_json(&new.facts)?;
            tx.execute(sql, values![new.digest, new.bytes, new.fingerprint, &new.key, facts, now])?;
            let sql = "INSERT INTO pending (asset, generation, wanted, since) VALUES (?1, ?2, ?3, ?4)";
            tx.execute(sql, values![asset, next, to_json(&wanted)?, now])?;
            let detail =
                serde_json::json!({"digest": new.digest, "bytes": new.bytes, "key": new.key, "generation": next});
            news.add("asset.replacing", asset, detail);
            switch_ready(tx, now, asset, &mut news)?;
            generation = next as u32;
            news.append(tx, now)
        })?;
        Ok(generation)
    }

    /// Says anew which renditions a generation that waits needs, for the profile may have changed; if they are all there,
    /// it is active. Says whether it is.
    pub fn expect_renditions(&self, asset: AssetId, wanted: &[(String, Digest)]) -> Result<bool> {
        let now = self.now()?;
        let mut is_active = false;
        self.db.with_tx(&mut |tx| {
            let mut news = News::default();
            tx.lock(&format!("asset {asset}"))?;
            tx.execute("UPDATE pending SET wanted = ?2 WHERE asset = ?1", values![asset, to_json(&wanted)?])?;
            is_active = switch_ready(tx, now, asset, &mut news)?;
            news.append(tx, now)
        })?;
        Ok(is_active)
    }

    /// The generations that wait, oldest first; of one asset, or of all.
    pub fn pending(&self, only: Option<AssetId>) -> Result<Vec<Pending>> {
        let sql = "SELECT p.asset, p.generation, b.digest, p.wanted, p.since FROM pending p
                   JOIN members b ON b.asset = p.asset AND b.generation = p.generation AND b.role = 'main'
                   WHERE CAST(?1 AS TEXT) IS NULL OR p.asset = ?1 ORDER BY p.since, p.asset";
        let mut all = Vec::new();
        for row in self.db.query(sql, values![only])? {
            let (master, wanted): (Digest, Vec<(String, Digest)>) = (row.parse(2)?, row.json(3)?);
            let present = self.present_entries(&master)?;
            let missing = wanted.iter().filter(|w| !present.contains(w)).map(|(entry, _)| entry.clone()).collect();
            all.push(Pending {
                asset: row.parse(0)?,
                generation: row.int(1)? as u32,
                master,
                wanted,
                missing,
                since: row.int(4)?,
            });
        }
        Ok(all)
    }

    /// The jobs about a master that failed for good.
    pub fn failed_jobs_of(&self, stage: Stage, master: &Digest) -> Result<Vec<Job>> {
        let sql = format!(
            "SELECT {} FROM jobs WHERE stage = ?1 AND state = ?2 AND task LIKE ?3 ORDER BY id",
            super::jobs::COLUMNS
        );
        let of = values![stage.as_str(), JobState::Failed.as_str(), format!("%\"{master}\"%")];
        self.db.query(&sql, of)?.iter().map(super::jobs::job).collect()
    }

    /// An asset with the masters of one of its generations, the main one first; none where there is no such generation.
    pub fn generation(&self, asset: AssetId, number: u32) -> Result<Option<AssetRow>> {
        let sql = format!(
            "SELECT a.id, a.kind, a.title, a.collection, a.created_at, {MASTER}
             FROM assets a JOIN members b ON b.asset = a.id JOIN masters m ON m.digest = b.digest
             WHERE a.id = ?1 AND b.generation = ?2
             ORDER BY CASE b.role WHEN 'main' THEN 0 WHEN 'chapter' THEN 1 ELSE 2 END, b.name, m.digest"
        );
        let rows = self.db.query(&sql, values![asset, i64::from(number)])?;
        let Some(first) = rows.first() else { return Ok(None) };
        let of = |r: &Row| -> Result<Asset> {
            Ok(Asset {
                id: r.parse(0)?,
                kind: r.parse(1)?,
                title: r.text(2)?.to_owned(),
                collection: r.maybe_text(3)?.map(str::to_owned),
                created_at: r.int(4)?,
            })
        };
        let masters = rows.iter().map(|r| master(r, 5)).collect::<Result<_>>()?;
        Ok(Some(AssetRow { asset: of(first)?, masters }))
    }

    /// The numbers of an asset's generations, each with its main master.
    pub fn generations(&self, asset: AssetId) -> Result<Vec<(u32, Digest)>> {
        let sql = "SELECT generation, digest FROM members WHERE asset = ?1 AND role = 'main' ORDER BY generation";
        self.db.query(sql, values![asset])?.iter().map(|r| Ok((r.int(0)? as u32, r.parse(1)?))).collect()
    }

    /// The generation that was active before the latest replacement or rollback, as far as events tell.
    pub fn generation_before(&self, asset: AssetId) -> Result<Option<u32>> {
        self.number_events()?;
        let sql = "SELECT detail FROM events WHERE subject = ?1 AND kind IN ('asset.replaced', 'asset.rolled_back')
                   ORDER BY seq DESC LIMIT 1";
        let rows = self.db.query(sql, values![asset])?;
        let told = rows.first().map(|r| r.json::<serde_json::Value>(0)).transpose()?;
        Ok(told.and_then(|told| told["from"].as_u64()).and_then(|n| u32::try_from(n).ok()))
    }

    /// Gives up the generation that waits. Its bytes stay, as those of any generation.
    pub fn give_up_replacement(&self, asset: AssetId, actor: &str) -> Result<Option<u32>> {
        let now = self.now()?;
        let mut given_up = None;
        self.db.with_tx(&mut |tx| {
            let mut news = News::default();
            tx.lock(&format!("asset {asset}"))?;
            let rows = tx.query("SELECT generation FROM pending WHERE asset = ?1", values![asset])?;
            given_up = rows.first().map(|r| r.int(0)).transpose()?.map(|n| n as u32);
            let Some(generation) = given_up else { return Ok(()) };
            let sql = "INSERT INTO superseded (asset, master, at)
                       SELECT b.asset, b.digest, CAST(?3 AS BIGINT) FROM members b JOIN assets a ON a.id = b.asset
                       WHERE b.asset = ?1 AND b.generation = ?2 AND b.digest NOT IN
                           (SELECT digest FROM members o WHERE o.asset = ?1 AND o.generation = a.generation)
                       ON CONFLICT (asset, master) DO UPDATE SET at = excluded.at";
            tx.execute(sql, values![asset, i64::from(generation), now])?;
            tx.execute("DELETE FROM pending WHERE asset = ?1", values![asset])?;
            news.add(
                "asset.replacement_given_up",
                asset,
                serde_json::json!({"generation": generation, "actor": actor}),
            );
            news.append(tx, now)
        })?;
        Ok(given_up)
    }

    /// Makes a new generation of an earlier one's masters, and makes it active at once. Says its number.
    pub fn roll_back(&self, asset: AssetId, of: u32, actor: &str) -> Result<u32> {
        let now = self.now()?;
        let mut new = 0;
        self.db.with_tx(&mut |tx| {
            let mut news = News::default();
            tx.lock(&format!("asset {asset}"))?;
            let (active, next) = (active_generation(tx, asset)?, latest_generation(tx, asset)? + 1);
            if !tx.query("SELECT 1 FROM pending WHERE asset = ?1", values![asset])?.is_empty() {
                return Err(Error::new(Kind::Conflict, format!("asset {asset} is being replaced")));
            }
            let sql = "INSERT INTO members (asset, generation, digest, role, name)
                       SELECT asset, ?3, digest, role, name FROM members WHERE asset = ?1 AND generation = ?2";
            if tx.execute(sql, values![asset, i64::from(of), next])? == 0 {
                return Err(Error::not_found(format!("asset {asset} has no generation {of}")));
            }
            switch(tx, now, asset, active, next)?;
            let detail = serde_json::json!({"from": active, "to": next, "of": of, "actor": actor});
            news.add("asset.rolled_back", asset, detail);
            new = next as u32;
            news.append(tx, now)
        })?;
        Ok(new)
    }
}
