//! What looking at objects found: the history of each, and what follows from what is not sound.

use std::collections::HashMap;

use serde::Serialize;

use super::{
    Catalog, KeptMaster,
    db::{Row, Value, values},
    events::append,
};
use crate::{
    error::Result,
    model::{AssetId, Key, Rendition},
};

/// Looks that found an object sound are kept so many of, the latest; all others are kept for good.
const KEPT: i64 = 12;

/// One look at an object.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Looked {
    /// The object.
    pub key: Key,
    /// When (ms).
    pub at: i64,
    /// How closely: `head`, `sample` or `full`.
    pub level: String,
    /// What came of it: `sound`, `missing`, `damaged` or `repaired`.
    pub result: String,
    /// What was wrong.
    pub detail: Option<String>,
}

impl Catalog {
    /// Notes looks at objects, now.
    pub fn note_fixity(&self, all: &[Looked]) -> Result<()> {
        self.db.with_tx(&mut |tx| {
            for l in all {
                let sql = "INSERT INTO fixity (key, at, level, result, detail) VALUES (?1, ?2, ?3, ?4, ?5)
                           ON CONFLICT (key, at) DO NOTHING";
                let (level, result, detail) = (l.level.as_str(), l.result.as_str(), l.detail.as_deref());
                tx.execute(sql, values![&l.key, l.at, level, result, detail])?;
                let sql = "DELETE FROM fixity WHERE key = ?1 AND result = 'sound' AND at <
                               (SELECT at FROM fixity WHERE key = ?1 AND result = 'sound' ORDER BY at DESC LIMIT 1 OFFSET ?2)";
                tx.execute(sql, values![&l.key, KEPT - 1])?;
            }
            Ok(())
        })
    }

    /// The looks at an object, the latest first.
    pub fn fixity_of(&self, key: &Key) -> Result<Vec<Looked>> {
        let sql = "SELECT key, at, level, result, detail FROM fixity WHERE key = ?1 ORDER BY at DESC";
        let each = |r: &Row| {
            Ok(Looked {
                key: r.parse(0)?,
                at: r.int(1)?,
                level: r.text(2)?.to_owned(),
                result: r.text(3)?.to_owned(),
                detail: r.maybe_text(4)?.map(str::to_owned),
            })
        };
        self.db.query(sql, values![key])?.iter().map(each).collect()
    }

    /// When these objects were last found sound by looks at least as close as one of these levels (ms), by key.
    pub fn last_sound_among(&self, keys: &[&Key], levels: &[&str]) -> Result<HashMap<String, i64>> {
        const PAGE: usize = 250;
        let mut all = HashMap::new();
        let place = |from: usize, n: usize| (from..from + n).map(|i| format!("?{i}")).collect::<Vec<_>>().join(", ");
        let sql = format!(
            "SELECT key, MAX(at) FROM fixity WHERE key IN ({}) AND result IN ('sound', 'repaired') AND level IN ({})
             GROUP BY key",
            place(1, PAGE),
            place(PAGE + 1, levels.len())
        );
        for page in keys.chunks(PAGE) {
            let mut given: Vec<Value> = page.iter().map(|key| Value::from(*key)).collect();
            given.resize_with(PAGE, || Value::from(page[page.len() - 1]));
            given.extend(levels.iter().map(|level| Value::from(*level)));
            for row in self.db.query(&sql, &given)? {
                all.insert(row.text(0)?.to_owned(), row.int(1)?);
            }
        }
        Ok(all)
    }

    /// Tells of an object of an asset that is not as it should be, or is again.
    pub fn tell_fixity(&self, kind: &str, asset: AssetId, key: &Key, detail: &str) -> Result<()> {
        let now = self.now()?;
        let told = serde_json::json!({"key": key, "detail": detail});
        self.db.with_tx(&mut |tx| append(tx, now, kind, &asset.to_string(), &told))
    }

    /// Hands a rendition out no more: files of it are damaged or missing.
    pub fn withhold(&self, r: &Rendition, key: &Key, detail: &str) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            tx.execute("UPDATE renditions SET active = 0 WHERE prefix = ?1", values![&r.prefix])?;
            let told = serde_json::json!({"entry": r.entry, "recipe": r.recipe, "key": key, "detail": detail});
            append(tx, now, "rendition.damaged", &r.asset.to_string(), &told)
        })
    }

    /// The masters of all of an asset's generations.
    pub fn masters_of(&self, asset: AssetId) -> Result<Vec<KeptMaster>> {
        let sql = "SELECT digest, bytes, fingerprint, key FROM masters
                   WHERE digest IN (SELECT digest FROM members WHERE asset = ?1) ORDER BY key";
        let each = |r: &Row| {
            let (digest, bytes) = (r.parse(0)?, r.int(1)? as u64);
            Ok(KeptMaster { digest, bytes, fingerprint: r.maybe_parse(2)?, key: r.parse(3)? })
        };
        self.db.query(sql, values![asset])?.iter().map(each).collect()
    }

    /// The assets of a collection.
    pub fn assets_in(&self, collection: &str) -> Result<Vec<AssetId>> {
        let sql = "SELECT id FROM assets WHERE collection = ?1 ORDER BY id";
        self.db.query(sql, values![collection])?.iter().map(|r| r.parse(0)).collect()
    }
}
