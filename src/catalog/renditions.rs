//! Renditions, and what an index holds.

use std::collections::HashSet;

use super::{
    Catalog,
    assets::to_json,
    db::{Row, Tx, Value, values},
    events::append,
    generations::is_of_another_generation,
};
use crate::{
    digest::Digest,
    error::Result,
    model::{AssetId, Key, Rendition},
};

const COLUMNS: &str = "asset, master, entry, recipe, prefix, files, facts";

pub(super) fn rendition(row: &Row) -> Result<Rendition> {
    Ok(Rendition {
        asset: row.parse(0)?,
        master: row.parse(1)?,
        entry: row.text(2)?.to_owned(),
        recipe: row.parse(3)?,
        prefix: row.parse(4)?,
        files: row.json(5)?,
        facts: row.json(6)?,
    })
}

/// Makes a rendition the active one of its entry. Done twice, it changes nothing.
pub(super) fn activate(tx: &mut dyn Tx, now: i64, r: &Rendition) -> Result<()> {
    tx.lock(&format!("asset {}", r.asset))?;
    let sql = "DELETE FROM expired WHERE master = ?1 AND entry = ?2 AND recipe = ?3";
    tx.execute(sql, values![r.master, r.entry.as_str(), r.recipe])?;
    if is_of_another_generation(tx, r.asset, &r.master)? {
        // It is shown once its generation is.
        return keep_segment(tx, now, r);
    }
    let sql = "UPDATE renditions SET active = 0 WHERE asset = ?1 AND entry = ?2 AND active = 1";
    tx.execute(sql, values![r.asset, r.entry.as_str()])?;
    let sql = "INSERT INTO renditions (asset, master, entry, recipe, prefix, files, facts, active, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 1, ?8)
               ON CONFLICT (master, entry, recipe) DO UPDATE SET prefix = excluded.prefix, files = excluded.files,
                   facts = excluded.facts, active = 1";
    let (files, facts) = (to_json(&r.files)?, to_json(&r.facts)?);
    tx.execute(sql, values![r.asset, r.master, r.entry.as_str(), r.recipe, &r.prefix, files, facts, now])?;
    Ok(())
}

/// Keeps a segment of a rendition, or one of a generation that is not the active one: a row that is not active, for nobody
/// shows it. Done twice, it changes nothing.
pub(super) fn keep_segment(tx: &mut dyn Tx, now: i64, r: &Rendition) -> Result<()> {
    let sql = "INSERT INTO renditions (asset, master, entry, recipe, prefix, files, facts, active, created_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, 0, ?8)
               ON CONFLICT (master, entry, recipe) DO UPDATE SET prefix = excluded.prefix, files = excluded.files,
                   facts = excluded.facts";
    let (files, facts) = (to_json(&r.files)?, to_json(&r.facts)?);
    tx.execute(sql, values![r.asset, r.master, r.entry.as_str(), r.recipe, &r.prefix, files, facts, now])?;
    Ok(())
}

/// Whether all of these renditions are there.
pub(super) fn are_there(tx: &mut dyn Tx, wanted: &[(Digest, String, Digest)]) -> Result<bool> {
    for (master, entry, recipe) in wanted {
        let sql = "SELECT 1 FROM renditions WHERE master = ?1 AND entry = ?2 AND recipe = ?3";
        if tx.query(sql, values![master, entry.as_str(), recipe])?.is_empty() {
            return Ok(false);
        }
    }
    Ok(true)
}

impl Catalog {
    /// Takes a rendition out whose files are gone, so that it is wanted again.
    pub fn forget_rendition(&self, r: &Rendition) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            let sql = "DELETE FROM renditions WHERE master = ?1 AND entry = ?2 AND recipe = ?3";
            tx.execute(sql, values![r.master, r.entry.as_str(), r.recipe])?;
            let detail = serde_json::json!({"entry": r.entry, "recipe": r.recipe, "prefix": r.prefix});
            append(tx, now, "rendition.lost", &r.asset.to_string(), &detail)
        })
    }
}

pub(super) fn mark_indexed(tx: &mut dyn Tx, index: &str, asset: AssetId, digest: &Digest) -> Result<()> {
    let sql = "INSERT INTO indexed (index_id, asset, digest) VALUES (?1, ?2, ?3)
               ON CONFLICT (index_id, asset) DO UPDATE SET digest = excluded.digest";
    tx.execute(sql, values![index, asset, digest])?;
    Ok(())
}

pub(super) fn unmark_indexed(tx: &mut dyn Tx, index: &str, asset: AssetId) -> Result<()> {
    tx.execute("DELETE FROM indexed WHERE index_id = ?1 AND asset = ?2", values![index, asset]).map(drop)
}

impl Catalog {
    /// The masters that have every one of these entries, as (entry, recipe). They are counted where they lie: of millions,
    /// only digests come here.
    pub fn complete_masters(&self, wanted: &[(&str, Digest)]) -> Result<HashSet<Digest>> {
        const PAGE: i64 = 20_000;
        let mut complete = HashSet::new();
        if wanted.is_empty() {
            return Ok(complete);
        }
        // Not as a list of pairs: SQLite takes seven times as long for one.
        let pair = |i| format!("(entry = ?{} AND recipe = ?{})", 4 + 2 * i, 5 + 2 * i);
        let pairs: Vec<String> = (0..wanted.len()).map(pair).collect();
        let sql = format!(
            "SELECT master FROM renditions WHERE master > ?1 AND ({})
             GROUP BY master HAVING COUNT(*) = ?2 ORDER BY master LIMIT ?3",
            pairs.join(" OR ")
        );
        let mut values: Vec<Value> = vec!["".into(), (wanted.len() as i64).into(), PAGE.into()];
        values.extend(wanted.iter().flat_map(|(entry, recipe)| [Value::from(*entry), Value::from(recipe)]));
        loop {
            let page = self.db.query(&sql, &values)?;
            let Some(last) = page.last() else { return Ok(complete) };
            values[0] = last.text(0)?.into();
            for row in &page {
                complete.insert(row.parse(0)?);
            }
        }
    }

    /// Which entries of these masters are present, as (master, entry, recipe).
    pub fn present_among(&self, masters: &[Digest]) -> Result<HashSet<(Digest, String, Digest)>> {
        const PAGE: usize = 500;
        let places: Vec<String> = (1..=PAGE).map(|i| format!("?{i}")).collect();
        let sql = format!("SELECT master, entry, recipe FROM renditions WHERE master IN ({})", places.join(", "));
        let mut present = HashSet::new();
        for page in masters.chunks(PAGE) {
            // Filled up with the last, so that it is one statement however many there are.
            let mut values: Vec<Value> = page.iter().map(Value::from).collect();
            values.resize(PAGE, page.last().into());
            for row in self.db.query(&sql, &values)? {
                present.insert((row.parse(0)?, row.text(1)?.to_owned(), row.parse(2)?));
            }
        }
        Ok(present)
    }

    /// Which entries of one master are present, as (entry, recipe).
    pub fn present_entries(&self, master: &Digest) -> Result<HashSet<(String, Digest)>> {
        let rows = self.db.query("SELECT entry, recipe FROM renditions WHERE master = ?1", values![master])?;
        rows.iter().map(|r| Ok((r.text(0)?.to_owned(), r.parse(1)?))).collect()
    }

    /// One rendition, active or not.
    pub fn rendition(&self, master: &Digest, entry: &str, recipe: &Digest) -> Result<Option<Rendition>> {
        let sql = format!("SELECT {COLUMNS} FROM renditions WHERE master = ?1 AND entry = ?2 AND recipe = ?3");
        self.db.query(&sql, values![master, entry, recipe])?.first().map(rendition).transpose()
    }

    /// Segments that nobody needs any more: their rendition is there, or a later one in its place. Those written before this
    /// time (ms).
    pub fn leftover_segments(&self, before: i64) -> Result<Vec<Rendition>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM renditions s WHERE active = 0 AND entry LIKE '%@segment-%' AND created_at <= ?1
             AND EXISTS (SELECT 1 FROM renditions w WHERE w.master = s.master
                 AND SUBSTR(s.entry, 1, LENGTH(w.entry) + 9) = w.entry || '@segment-'
                 AND (w.recipe = s.recipe OR w.created_at > s.created_at))
             ORDER BY master, entry, recipe"
        );
        self.db.query(&sql, values![before])?.iter().map(rendition).collect()
    }

    /// Takes segments out that are gone from the store.
    pub fn forget_segment(&self, r: &Rendition) -> Result<()> {
        self.db.with_tx(&mut |tx| {
            let sql = "DELETE FROM renditions WHERE master = ?1 AND entry = ?2 AND recipe = ?3 AND active = 0";
            tx.execute(sql, values![r.master, r.entry.as_str(), r.recipe]).map(drop)
        })
    }

    /// An asset's active renditions by entry.
    pub fn renditions_of(&self, asset: AssetId) -> Result<Vec<Rendition>> {
        let sql = format!("SELECT {COLUMNS} FROM renditions WHERE asset = ?1 AND active = 1 ORDER BY entry");
        self.db.query(&sql, values![asset])?.iter().map(rendition).collect()
    }

    /// Every rendition that is recorded, active or not, a page after a place (master, entry, recipe).
    pub fn renditions_page(&self, after: &(String, String, String), limit: i64) -> Result<Vec<Rendition>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM renditions
             WHERE master > ?1 OR (master = ?1 AND (entry > ?2 OR (entry = ?2 AND recipe > ?3)))
             ORDER BY master, entry, recipe LIMIT ?4"
        );
        let place = values![after.0.as_str(), after.1.as_str(), after.2.as_str(), limit];
        self.db.query(&sql, place)?.iter().map(rendition).collect()
    }

    /// Whether a rendition, active or not, lies under this prefix.
    pub fn has_rendition(&self, prefix: &Key) -> Result<bool> {
        Ok(!self.db.query("SELECT 1 FROM renditions WHERE prefix = ?1 LIMIT 1", values![prefix])?.is_empty())
    }

    /// Numbers of active renditions by entry.
    pub fn rendition_counts(&self) -> Result<Vec<(String, i64)>> {
        let sql = "SELECT entry, COUNT(*) FROM renditions WHERE active = 1 GROUP BY entry ORDER BY entry";
        self.db.query(sql, &[])?.iter().map(|r| Ok((r.text(0)?.to_owned(), r.int(1)?))).collect()
    }

    /// What this index holds, as (asset, digest of its documents).
    pub fn indexed(&self, index: &str) -> Result<std::collections::HashMap<AssetId, Digest>> {
        let rows = self.db.query("SELECT asset, digest FROM indexed WHERE index_id = ?1", values![index])?;
        rows.iter().map(|r| Ok((r.parse(0)?, r.parse(1)?))).collect()
    }

    /// The digest of an asset's documents in this index, if it has any.
    pub fn indexed_digest(&self, index: &str, asset: AssetId) -> Result<Option<Digest>> {
        let sql = "SELECT digest FROM indexed WHERE index_id = ?1 AND asset = ?2";
        self.db.query(sql, values![index, asset])?.first().map(|r| r.parse(0)).transpose()
    }

    /// Assets that an index holds and the catalog does not have: of one that was put back from a copy, say, or mended by
    /// hand. No event tells of them.
    pub fn indexed_gone(&self, index: &str) -> Result<Vec<AssetId>> {
        let sql = "SELECT i.asset FROM indexed i
                   WHERE i.index_id = ?1 AND NOT EXISTS (SELECT 1 FROM assets a WHERE a.id = i.asset)";
        self.db.query(sql, values![index])?.iter().map(|r| r.parse(0)).collect()
    }

    /// What names of indexes begin with that lie elsewhere, on a server.
    pub const ELSEWHERE: &str = "bulk-";

    /// Forgets what indexes of this archive other than this one held: they are gone.
    pub fn forget_other_indexes(&self, index: &str) -> Result<()> {
        let elsewhere = format!("{}%", Self::ELSEWHERE);
        self.db.with_tx(&mut |tx| {
            for table in ["indexed", "index_cursors"] {
                let sql = format!("DELETE FROM {table} WHERE index_id <> ?1 AND index_id NOT LIKE ?2");
                tx.execute(&sql, values![index, elsewhere.as_str()])?;
            }
            Ok(())
        })
    }

    /// Forgets what an index held: it is empty.
    pub fn forget_index(&self, index: &str) -> Result<()> {
        self.db.with_tx(&mut |tx| {
            tx.execute("DELETE FROM indexed WHERE index_id = ?1", values![index])?;
            tx.execute("DELETE FROM index_cursors WHERE index_id = ?1", values![index]).map(drop)
        })
    }
}
