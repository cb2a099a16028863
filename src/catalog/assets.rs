//! Drives, assets, masters and sightings.

use std::collections::HashMap;

use serde::Serialize;

use super::{
    Catalog,
    db::{Row, Tx, Value, values},
    events::append,
    generations::{join_pending, latest_generation},
};
use crate::{
    digest::Digest,
    error::{Error, Result},
    model::{Asset, AssetId, Drive, DriveId, Key, Master, MediaKind, Outcome, RawPath, Role, Sighting},
};

/// An asset with its active generation's masters, and where they were seen.
#[derive(Clone, Debug, Serialize)]
pub struct AssetRow {
    /// The asset.
    pub asset: Asset,
    /// Its active generation's masters, the main one first.
    pub masters: Vec<Master>,
}

/// An asset as far as a plan looks at all of them.
#[derive(Clone, Debug, PartialEq)]
pub struct Outline {
    /// Its id.
    pub asset: AssetId,
    /// Its kind.
    pub kind: MediaKind,
    /// The digests of those of its active generation's masters that are shown.
    pub shown: Vec<Digest>,
}

/// What a master is in the store, whatever it is a member of.
#[derive(Clone, Debug, PartialEq)]
pub struct KeptMaster {
    /// SHA-256.
    pub digest: Digest,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of head and tail.
    pub fingerprint: Option<Digest>,
    /// Where it is.
    pub key: Key,
}

pub(super) fn outcome(text: &str) -> Result<Outcome> {
    Outcome::ALL
        .into_iter()
        .find(|o| o.as_str() == text)
        .ok_or_else(|| Error::corrupt(format!("the catalog holds an unknown outcome '{text}'")))
}

pub(super) fn drive(row: &Row) -> Result<Drive> {
    Ok(Drive {
        id: row.parse(0)?,
        identity: row.text(1)?.to_owned(),
        label: row.text(2)?.to_owned(),
        root: row.parse(3)?,
        fs_uuid: row.maybe_text(4)?.map(str::to_owned),
        serial: row.maybe_text(5)?.map(str::to_owned),
        bytes: row.maybe_int(6)?.map(|b| b as u64),
    })
}

/// What is remembered of a path, of `sightings s`.
pub(super) const SIGHTING: &str =
    "s.drive, s.path, s.bytes, s.mtime_ns, s.inode, s.ctime_ns, s.outcome, s.detail, s.digest, s.asset";

pub(super) fn sighting(r: &Row) -> Result<Sighting> {
    Ok(Sighting {
        drive: r.parse(0)?,
        path: r.parse(1)?,
        bytes: r.int(2)? as u64,
        mtime_ns: r.int(3)?,
        inode: r.int(4)? as u64,
        ctime_ns: r.maybe_int(5)?,
        outcome: outcome(r.text(6)?)?,
        detail: r.maybe_text(7)?.map(str::to_owned),
        digest: r.maybe_parse(8)?,
        asset: r.maybe_parse(9)?,
    })
}

pub(super) const MASTER: &str =
    "b.asset, b.generation, b.role, b.name, m.digest, m.bytes, m.fingerprint, m.key, m.facts";

pub(super) fn role(text: &str) -> Result<Role> {
    let unknown = || Error::corrupt(format!("the catalog holds an unknown role '{text}'"));
    Role::ALL.into_iter().find(|r| r.as_str() == text).ok_or_else(unknown)
}

pub(super) fn master(row: &Row, from: usize) -> Result<Master> {
    Ok(Master {
        asset: row.parse(from)?,
        generation: row.int(from + 1)? as u32,
        role: role(row.text(from + 2)?)?,
        name: row.text(from + 3)?.to_owned(),
        digest: row.parse(from + 4)?,
        bytes: row.int(from + 5)? as u64,
        fingerprint: row.maybe_parse(from + 6)?,
        key: row.parse(from + 7)?,
        facts: row.json(from + 8)?,
    })
}

/// Inserts an asset; one that is there stays as it is.
pub(super) fn insert_asset(tx: &mut dyn Tx, now: i64, asset: &Asset) -> Result<()> {
    let sql = "INSERT INTO assets (id, kind, title, collection, generation, created_at) VALUES (?1, ?2, ?3, ?4, 1, ?5)
               ON CONFLICT (id) DO NOTHING";
    let collection = asset.collection.as_deref();
    tx.execute(sql, values![asset.id, asset.kind.as_str(), asset.title.as_str(), collection, now])?;
    Ok(())
}

/// Makes a file a member of an asset; the bytes are kept where they were first. Says whether that is here.
pub(super) fn insert_master(tx: &mut dyn Tx, now: i64, asset: AssetId, master: &Master) -> Result<bool> {
    let facts = to_json(&master.facts)?;
    let sql =
        "INSERT INTO masters (digest, bytes, fingerprint, key, facts, confirmed_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (digest) DO UPDATE SET key = excluded.key, confirmed_at = excluded.confirmed_at
               WHERE masters.confirmed_at IS NULL";
    let is_new =
        tx.execute(sql, values![master.digest, master.bytes, master.fingerprint, &master.key, facts, now])? > 0;
    let generation = generation_for(tx, asset, master)?;
    let sql = "INSERT INTO members (asset, generation, digest, role, name) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (asset, generation, digest) DO NOTHING";
    tx.execute(sql, values![asset, generation, master.digest, master.role.as_str(), master.name.as_str()])?;
    join_pending(tx, asset, master)?;
    Ok(is_new)
}

/// The generation of an asset that a file joins: the active one; or, where another file bears its name, the next, which
/// has all the others of the active one. What it takes the place of stays in the earlier generation.
fn generation_for(tx: &mut dyn Tx, asset: AssetId, master: &Master) -> Result<i64> {
    let sql = "SELECT generation FROM assets WHERE id = ?1";
    let Some(active) = tx.query(sql, values![asset])?.first().map(|r| r.int(0)).transpose()? else {
        return Err(Error::internal(format!("{} joins asset {asset}, which is not there", master.name)));
    };
    let sql = "SELECT digest, role FROM members WHERE asset = ?1 AND generation = ?2 AND (digest = ?3 OR name = ?4)";
    let like = tx.query(sql, values![asset, active, master.digest, master.name.as_str()])?;
    let digest = master.digest.to_string();
    let is_there = like.iter().any(|r| r.text(0).is_ok_and(|d| d == digest));
    let is_named = like.iter().any(|r| r.text(1).is_ok_and(|role| role != Role::Main.as_str()));
    if master.name.is_empty() || is_there || !is_named {
        return Ok(active);
    }
    let next = latest_generation(tx, asset)? + 1;
    let sql = "INSERT INTO members (asset, generation, digest, role, name)
               SELECT asset, ?4, digest, role, name FROM members
               WHERE asset = ?1 AND generation = ?2 AND (role = 'main' OR name <> ?3)";
    tx.execute(sql, values![asset, active, master.name.as_str(), next])?;
    tx.execute("UPDATE assets SET generation = ?2 WHERE id = ?1", values![asset, next])?;
    Ok(next)
}

/// Records what is now known of a path, in place of what was.
pub(super) fn upsert_sighting(tx: &mut dyn Tx, now: i64, s: &Sighting) -> Result<()> {
    let sql =
        "INSERT INTO sightings (drive, path, bytes, mtime_ns, inode, outcome, detail, digest, asset, seen_at, ctime_ns)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)
               ON CONFLICT (drive, path) DO UPDATE SET bytes = excluded.bytes, mtime_ns = excluded.mtime_ns,
                   inode = excluded.inode, outcome = excluded.outcome, detail = excluded.detail,
                   digest = excluded.digest, asset = excluded.asset, seen_at = excluded.seen_at,
                   ctime_ns = excluded.ctime_ns";
    tx.execute(
        sql,
        values![
            s.drive,
            &s.path,
            s.bytes,
            s.mtime_ns,
            s.inode,
            s.outcome.as_str(),
            s.detail.as_deref(),
            s.digest,
            s.asset,
            now,
            s.ctime_ns
        ],
    )?;
    Ok(())
}

/// The asset that holds these bytes.
pub(super) fn holder(tx: &mut dyn Tx, digest: &Digest) -> Result<Option<AssetId>> {
    let rows = tx.query(
        "SELECT asset FROM members WHERE digest = ?1 ORDER BY CASE role WHEN 'main' THEN 0 ELSE 1 END, asset LIMIT 1",
        values![digest],
    )?;
    rows.first().map(|r| r.parse(0)).transpose()
}

pub(super) fn to_json<T: Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::internal("cannot write JSON").because(e))
}

impl Catalog {
    /// Remembers a drive, or where it is now.
    pub fn see_drive(&self, drive: &Drive) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            let sql = "INSERT INTO drives (id, identity, label, root, fs_uuid, serial, bytes, created_at)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
                       ON CONFLICT (id) DO UPDATE SET root = excluded.root, label = excluded.label,
                           serial = COALESCE(excluded.serial, drives.serial), bytes = excluded.bytes";
            let (uuid, serial) = (drive.fs_uuid.as_deref(), drive.serial.as_deref());
            let row = values![
                drive.id,
                drive.identity.as_str(),
                drive.label.as_str(),
                &drive.root,
                uuid,
                serial,
                drive.bytes,
                now
            ];
            tx.execute(sql, row)?;
            Ok(())
        })
    }

    /// One drive.
    pub fn drive(&self, id: DriveId) -> Result<Drive> {
        let found = self.drives()?.into_iter().find(|d| d.id == id);
        found.ok_or_else(|| Error::not_found(format!("there is no drive {id}")))
    }

    /// All drives, by label.
    pub fn drives(&self) -> Result<Vec<Drive>> {
        let sql = "SELECT id, identity, label, root, fs_uuid, serial, bytes FROM drives ORDER BY label, id";
        self.db.query(sql, &[])?.iter().map(drive).collect()
    }

    /// Everything known of a drive's paths.
    pub fn known_sightings(&self, drive: DriveId) -> Result<HashMap<RawPath, Sighting>> {
        let sql = format!("SELECT {SIGHTING} FROM sightings s WHERE s.drive = ?1");
        let by_path = |r: &Row| sighting(r).map(|s| (s.path.clone(), s));
        self.db.query(&sql, values![drive])?.iter().map(by_path).collect()
    }

    /// What is known of some of a drive's paths.
    pub fn known_paths<'p>(
        &self,
        drive: DriveId,
        paths: impl Iterator<Item = &'p RawPath>,
    ) -> Result<HashMap<RawPath, Sighting>> {
        let sql = format!("SELECT {SIGHTING} FROM sightings s WHERE s.drive = ?1 AND s.path = ?2");
        let mut known = HashMap::new();
        for path in paths {
            if let Some(row) = self.db.query(&sql, values![drive, path])?.first() {
                known.insert(path.clone(), sighting(row)?);
            }
        }
        Ok(known)
    }

    /// Records paths that need no job: junk, what is skipped, empty or cannot be read.
    pub fn record_sightings(&self, sightings: &[Sighting]) -> Result<()> {
        let now = self.now()?;
        for chunk in sightings.chunks(1000) {
            self.db.with_tx(&mut |tx| chunk.iter().try_for_each(|s| upsert_sighting(tx, now, s)))?;
        }
        Ok(())
    }

    /// Forgets paths that are not there any more.
    pub fn forget_sightings(&self, drive: DriveId, paths: &[RawPath]) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            paths.iter().try_for_each(|path| {
                let sql = "SELECT asset FROM sightings WHERE drive = ?1 AND path = ?2 AND asset IS NOT NULL";
                for row in tx.query(sql, values![drive, path])? {
                    let detail = serde_json::json!({"drive": drive, "path": path});
                    append(tx, now, "asset.unseen", row.text(0)?, &detail)?;
                }
                tx.execute("DELETE FROM sightings WHERE drive = ?1 AND path = ?2", values![drive, path]).map(drop)
            })
        })
    }

    /// Where an asset's bytes were seen: drive label and path, first seen first.
    pub fn sightings_of(&self, asset: AssetId) -> Result<Vec<(String, RawPath)>> {
        let sql = "SELECT d.label, s.path FROM sightings s JOIN drives d ON d.id = s.drive
                   WHERE s.asset = ?1 ORDER BY s.seen_at, s.path";
        self.db.query(sql, values![asset])?.iter().map(|r| Ok((r.text(0)?.to_owned(), r.parse(1)?))).collect()
    }

    /// The master that holds these bytes, if one does.
    pub fn master_by_digest(&self, digest: &Digest) -> Result<Option<Master>> {
        let sql = format!(
            "SELECT {MASTER} FROM masters m JOIN members b ON b.digest = m.digest WHERE m.digest = ?1
             ORDER BY CASE b.role WHEN 'main' THEN 0 ELSE 1 END, b.asset LIMIT 1"
        );
        self.db.query(&sql, values![digest])?.first().map(|r| master(r, 0)).transpose()
    }

    /// An asset with its masters.
    pub fn asset(&self, id: AssetId) -> Result<AssetRow> {
        let missing = || Error::not_found(format!("there is no asset {id}"));
        let mut found = self.assets_page(None, 1, Some(id))?;
        found.pop().ok_or_else(missing)
    }

    /// The asset that has these bytes, if one does and the store was not found to have lost them.
    pub fn holder(&self, digest: &Digest) -> Result<Option<AssetId>> {
        let sql = "SELECT b.asset FROM members b JOIN masters m ON m.digest = b.digest
                   WHERE b.digest = ?1 AND m.confirmed_at IS NOT NULL
                   ORDER BY CASE b.role WHEN 'main' THEN 0 ELSE 1 END, b.asset LIMIT 1";
        self.db.query(sql, values![digest])?.first().map(|r| r.parse(0)).transpose()
    }

    /// The fingerprints of masters of this size.
    pub fn fingerprints(&self, bytes: u64) -> Result<Vec<Digest>> {
        let sql = "SELECT fingerprint FROM masters WHERE bytes = ?1 AND fingerprint IS NOT NULL";
        self.db.query(sql, values![bytes])?.iter().map(|r| r.parse(0)).collect()
    }

    /// Whether a master lies below this prefix.
    pub fn has_object(&self, root: &Key) -> Result<bool> {
        // '0' is the character after '/'.
        let sql = "SELECT 1 FROM masters WHERE key >= ?1 AND key < ?2 LIMIT 1";
        Ok(!self.db.query(sql, values![format!("{root}/"), format!("{root}0")])?.is_empty())
    }

    /// Whether an asset with this id is in the catalog.
    pub fn has_asset(&self, id: AssetId) -> Result<bool> {
        Ok(!self.db.query("SELECT 1 FROM assets WHERE id = ?1", values![id])?.is_empty())
    }

    /// Up to `limit` assets by id, after one, or just `only`.
    pub fn assets_page(&self, after: Option<AssetId>, limit: i64, only: Option<AssetId>) -> Result<Vec<AssetRow>> {
        let sql = format!(
            "SELECT a.id, a.kind, a.title, a.collection, a.created_at, {MASTER}
             FROM (SELECT * FROM assets WHERE id > ?1 AND (CAST(?3 AS TEXT) IS NULL OR id = ?3) ORDER BY id LIMIT ?2) a
             JOIN members b ON b.asset = a.id AND b.generation = a.generation
             JOIN masters m ON m.digest = b.digest
             ORDER BY a.id, CASE b.role WHEN 'main' THEN 0 WHEN 'chapter' THEN 1 ELSE 2 END, b.name, m.digest"
        );
        let after = after.map_or(Value::from(""), Value::from);
        let mut out: Vec<AssetRow> = Vec::new();
        for r in self.db.query(&sql, &[after, limit.into(), only.into()])? {
            let id: AssetId = r.parse(0)?;
            if out.last().is_none_or(|last| last.asset.id != id) {
                let kind: MediaKind = r.parse(1)?;
                let collection = r.maybe_text(3)?.map(str::to_owned);
                let asset = Asset { id, kind, title: r.text(2)?.to_owned(), collection, created_at: r.int(4)? };
                out.push(AssetRow { asset, masters: Vec::new() });
            }
            if let Some(last) = out.last_mut() {
                last.masters.push(master(&r, 5)?);
            }
        }
        Ok(out)
    }

    /// The same assets as [`assets_page`](Self::assets_page), in outline.
    pub fn outlines_page(&self, after: Option<AssetId>, limit: i64) -> Result<Vec<Outline>> {
        let sql = "SELECT a.id, a.kind, b.digest, b.role
                   FROM (SELECT id, kind, generation FROM assets WHERE id > ?1 ORDER BY id LIMIT ?2) a
                   JOIN members b ON b.asset = a.id AND b.generation = a.generation ORDER BY a.id";
        let after = after.map_or(Value::from(""), Value::from);
        let mut out: Vec<Outline> = Vec::new();
        for r in self.db.query(sql, &[after, limit.into()])? {
            let asset: AssetId = r.parse(0)?;
            if out.last().is_none_or(|last| last.asset != asset) {
                out.push(Outline { asset, kind: r.parse(1)?, shown: Vec::new() });
            }
            if let Some(last) = out.last_mut()
                && role(r.text(3)?)?.is_shown()
            {
                last.shown.push(r.parse(2)?);
            }
        }
        Ok(out)
    }

    /// Calls `each` with every asset, by id, a page at a time.
    pub fn each_asset(&self, mut each: impl FnMut(AssetRow) -> Result<()>) -> Result<()> {
        let mut after = None;
        loop {
            let page = self.assets_page(after, 500, None)?;
            let Some(last) = page.last() else { return Ok(()) };
            after = Some(last.asset.id);
            page.into_iter().try_for_each(&mut each)?;
        }
    }

    /// Up to `limit` masters of all generations, by digest, after one.
    pub fn masters_page(&self, after: &str, limit: i64) -> Result<Vec<KeptMaster>> {
        let sql = "SELECT digest, bytes, fingerprint, key FROM masters WHERE digest > ?1 ORDER BY digest LIMIT ?2";
        let each = |r: &Row| {
            let (digest, bytes) = (r.parse(0)?, r.int(1)? as u64);
            Ok(KeptMaster { digest, bytes, fingerprint: r.maybe_parse(2)?, key: r.parse(3)? })
        };
        self.db.query(sql, values![after, limit])?.iter().map(each).collect()
    }

    /// The same by key: those of one object one after the other.
    pub fn masters_by_key(&self, after: &str, limit: i64) -> Result<Vec<KeptMaster>> {
        let sql = "SELECT digest, bytes, fingerprint, key FROM masters WHERE key > ?1 ORDER BY key LIMIT ?2";
        let each = |r: &Row| {
            let (digest, bytes) = (r.parse(0)?, r.int(1)? as u64);
            Ok(KeptMaster { digest, bytes, fingerprint: r.maybe_parse(2)?, key: r.parse(3)? })
        };
        self.db.query(sql, values![after, limit])?.iter().map(each).collect()
    }

    /// Numbers of assets by kind, and the bytes of their masters.
    pub fn asset_counts(&self) -> Result<Vec<(MediaKind, i64, u64)>> {
        let sql = "SELECT a.kind, COUNT(DISTINCT a.id), CAST(COALESCE(SUM(m.bytes), 0) AS BIGINT)
                   FROM assets a JOIN members b ON b.asset = a.id AND b.generation = a.generation
                   JOIN masters m ON m.digest = b.digest GROUP BY a.kind ORDER BY a.kind";
        self.db.query(sql, &[])?.iter().map(|r| Ok((r.parse(0)?, r.int(1)?, r.int(2)? as u64))).collect()
    }

    /// Bytes of all masters.
    pub fn master_bytes(&self) -> Result<u64> {
        let rows = self.db.query("SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM masters", &[])?;
        rows.first().map_or(Ok(0), |r| Ok(r.int(0)? as u64))
    }

    /// Numbers of sightings by outcome.
    pub fn sighting_counts(&self) -> Result<Vec<(Outcome, i64)>> {
        let sql = "SELECT outcome, COUNT(*) FROM sightings GROUP BY outcome ORDER BY outcome";
        self.db.query(sql, &[])?.iter().map(|r| Ok((outcome(r.text(0)?)?, r.int(1)?))).collect()
    }
}
