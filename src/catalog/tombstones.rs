//! What is present and not wanted any more: renditions whose time is over. They are marked first and handed out no more, and
//! removed later, so that whoever reads one reads it to its end.

use std::collections::HashSet;

use serde::Serialize;

use super::{
    Catalog,
    db::{Row, Value, values},
    events::append,
    renditions::rendition,
};
use crate::{
    digest::Digest,
    error::Result,
    model::{Key, Rendition},
};

/// Something that is marked.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tombstone {
    /// What it lies below.
    pub prefix: Key,
    /// Why it is let go.
    pub why: String,
    /// Its bytes.
    pub bytes: u64,
    /// Since when it is handed out no more (ms).
    pub marked_at: i64,
    /// When its removal began, if it has (ms).
    pub removing_at: Option<i64>,
}

/// A rendition whose time is over, and why.
#[derive(Clone, Debug, PartialEq)]
pub struct Retired {
    /// The rendition.
    pub rendition: Rendition,
    /// Why.
    pub why: String,
    /// Whether a plan for all would make it again: it is to be remembered that it should not.
    pub is_expired: bool,
}

/// What waits in vain, as far as numbers tell.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Stuck {
    /// Jobs of renditions that wait.
    pub waiting: i64,
    /// Of these, those that have waited for longer than a quarter of an hour.
    pub long: i64,
    /// Open jobs that were given back or tried again so often: what they are about, and how often.
    pub again: Vec<(String, i64)>,
}

impl Stuck {
    /// Whether most of what waits has waited for long: a ratio over 0.75 of the queue.
    pub fn is_stuck(&self) -> bool {
        self.long * 4 > self.waiting * 3
    }
}

const COLUMNS: &str = "r.asset, r.master, r.entry, r.recipe, r.prefix, r.files, r.facts";
/// How long a job may wait before it is told of (ms), and how often one may come back.
const LONG_MS: i64 = 15 * 60 * 1000;
const OFTEN: i64 = 8;

fn tombstone(r: &Row) -> Result<Tombstone> {
    Ok(Tombstone {
        prefix: r.parse(0)?,
        why: r.text(1)?.to_owned(),
        bytes: r.int(2)? as u64,
        marked_at: r.int(3)?,
        removing_at: r.maybe_int(4)?,
    })
}

impl Catalog {
    /// Renditions of generations that gave their place to another before this time (ms), and neither are active again nor
    /// wait.
    pub fn replaced_renditions(&self, before: i64) -> Result<Vec<Rendition>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM renditions r JOIN superseded s ON s.master = r.master AND s.asset = r.asset
             JOIN assets a ON a.id = r.asset
             WHERE r.active = 0 AND s.at <= ?1
                 AND NOT EXISTS (SELECT 1 FROM members b WHERE b.digest = r.master AND b.asset = a.id
                                 AND b.generation = a.generation)
                 AND NOT EXISTS (SELECT 1 FROM members b JOIN pending p ON p.asset = b.asset
                                 AND p.generation = b.generation WHERE b.digest = r.master)
             ORDER BY r.master, r.entry, r.recipe"
        );
        self.db.query(&sql, values![before])?.iter().map(rendition).collect()
    }

    /// Renditions of another recipe than the one that is shown since before this time (ms).
    pub fn outdated_renditions(&self, before: i64) -> Result<Vec<Rendition>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM renditions r
             WHERE r.active = 0 AND r.entry NOT LIKE '%@segment-%'
                 AND EXISTS (SELECT 1 FROM renditions o WHERE o.master = r.master AND o.entry = r.entry
                             AND o.recipe <> r.recipe AND o.active = 1 AND o.created_at <= ?1
                             AND o.created_at > r.created_at)
             ORDER BY r.master, r.entry, r.recipe"
        );
        self.db.query(&sql, values![before])?.iter().map(rendition).collect()
    }

    /// Names of entries that renditions are of.
    pub fn entry_names(&self) -> Result<Vec<String>> {
        let sql = "SELECT DISTINCT entry FROM renditions WHERE entry NOT LIKE '%@segment-%' ORDER BY entry";
        self.db.query(sql, &[])?.iter().map(|r| Ok(r.text(0)?.to_owned())).collect()
    }

    /// Renditions of an entry that were made before this time (ms) and wait to be published nowhere, a page after a master.
    pub fn renditions_made_before(&self, entry: &str, before: i64, after: &str, limit: i64) -> Result<Vec<Rendition>> {
        let sql = format!(
            "SELECT {COLUMNS} FROM renditions r WHERE r.entry = ?1 AND r.created_at <= ?2 AND r.master > ?3
                 AND NOT EXISTS (SELECT 1 FROM publications p WHERE p.asset = r.asset AND p.entry = r.entry
                                 AND p.state IN ('planned', 'sending', 'unknown'))
             ORDER BY r.master, r.recipe LIMIT ?4"
        );
        self.db.query(&sql, values![entry, before, after, limit])?.iter().map(rendition).collect()
    }

    /// Marks renditions: their rows go, their files stay for now. One that somebody has removed or made anew since is left.
    pub fn retire(&self, retired: &[Retired]) -> Result<usize> {
        let now = self.now()?;
        let mut marked = 0;
        self.db.with_tx(&mut |tx| {
            marked = 0;
            for Retired { rendition: r, why, is_expired } in retired {
                let sql = "DELETE FROM renditions WHERE master = ?1 AND entry = ?2 AND recipe = ?3 AND prefix = ?4";
                if tx.execute(sql, values![r.master, r.entry.as_str(), r.recipe, &r.prefix])? == 0 {
                    continue;
                }
                marked += 1;
                let bytes: u64 = r.files.iter().map(|f| f.bytes).sum();
                let sql = "INSERT INTO tombstones (prefix, why, bytes, marked_at) VALUES (?1, ?2, ?3, ?4)
                           ON CONFLICT (prefix) DO UPDATE SET marked_at = excluded.marked_at, why = excluded.why";
                tx.execute(sql, values![&r.prefix, why.as_str(), bytes, now])?;
                if *is_expired {
                    let sql = "INSERT INTO expired (master, entry, recipe, at) VALUES (?1, ?2, ?3, ?4)
                               ON CONFLICT (master, entry, recipe) DO NOTHING";
                    tx.execute(sql, values![r.master, r.entry.as_str(), r.recipe, now])?;
                }
                let detail = serde_json::json!({"entry": r.entry, "recipe": r.recipe, "prefix": r.prefix, "why": why});
                append(tx, now, "rendition.retired", &r.asset.to_string(), &detail)?;
            }
            Ok(())
        })?;
        crate::crash::point("collect.after-mark");
        Ok(marked)
    }

    /// What is marked, oldest first.
    pub fn tombstones(&self) -> Result<Vec<Tombstone>> {
        let sql = "SELECT prefix, why, bytes, marked_at, removing_at FROM tombstones ORDER BY marked_at, prefix";
        self.db.query(sql, &[])?.iter().map(tombstone).collect()
    }

    /// Whether what lies under this prefix is marked.
    pub fn is_marked(&self, prefix: &Key) -> Result<bool> {
        Ok(!self.db.query("SELECT 1 FROM tombstones WHERE prefix = ?1", values![prefix])?.is_empty())
    }

    /// The rendition, active or not, that lies under this prefix.
    pub fn rendition_at(&self, prefix: &Key) -> Result<Option<Rendition>> {
        let sql = format!("SELECT {COLUMNS} FROM renditions r WHERE r.prefix = ?1 LIMIT 1");
        self.db.query(&sql, values![prefix])?.first().map(rendition).transpose()
    }

    /// Notes that the removal of what is marked begins: from now on it is no sound rendition, whoever made it anew.
    pub fn begin_removal(&self, prefix: &Key) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            tx.execute("UPDATE tombstones SET removing_at = ?2 WHERE prefix = ?1", values![prefix, now]).map(drop)
        })
    }

    /// Takes a mark away: what it stood for is gone, or is wanted after all.
    pub fn forget_tombstone(&self, prefix: &Key) -> Result<()> {
        self.db.with_tx(&mut |tx| tx.execute("DELETE FROM tombstones WHERE prefix = ?1", values![prefix]).map(drop))
    }

    /// Of these masters, what was let go by its age, as (master, entry, recipe).
    pub fn expired_among(&self, masters: &[Digest]) -> Result<HashSet<(Digest, String, Digest)>> {
        let mut expired = HashSet::new();
        if self.db.query("SELECT 1 FROM expired LIMIT 1", &[])?.is_empty() {
            return Ok(expired);
        }
        for page in masters.chunks(500) {
            let places: Vec<String> = (1..=page.len()).map(|i| format!("?{i}")).collect();
            let sql = format!("SELECT master, entry, recipe FROM expired WHERE master IN ({})", places.join(", "));
            let of: Vec<Value> = page.iter().map(Value::from).collect();
            for row in self.db.query(&sql, &of)? {
                expired.insert((row.parse(0)?, row.text(1)?.to_owned(), row.parse(2)?));
            }
        }
        Ok(expired)
    }

    /// What waits in vain.
    pub fn stuck(&self) -> Result<Stuck> {
        let before = self.now()? - LONG_MS;
        let sql = "SELECT COUNT(*), COALESCE(SUM(CASE WHEN updated_at <= ?1 THEN 1 ELSE 0 END), 0) FROM jobs
                   WHERE stage = 'transcode' AND state = 'ready'";
        let rows = self.db.query(sql, values![before])?;
        let mut stuck = Stuck::default();
        if let Some(row) = rows.first() {
            (stuck.waiting, stuck.long) = (row.int(0)?, row.int(1)?);
        }
        let sql = "SELECT j.subject, COUNT(*) FROM attempts a JOIN jobs j ON j.id = a.job
                   WHERE j.state IN ('ready', 'leased') AND a.result IN ('retry', 'released')
                   GROUP BY j.id, j.subject HAVING COUNT(*) >= ?1 ORDER BY COUNT(*) DESC, j.subject LIMIT 20";
        for row in self.db.query(sql, values![OFTEN])? {
            stuck.again.push((row.text(0)?.to_owned(), row.int(1)?));
        }
        Ok(stuck)
    }
}
