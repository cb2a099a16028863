//! What collections say of the rights of their assets, and what holds of an asset.

use serde::{Deserialize, Serialize};

use super::{Catalog, assets::to_json, db::values, events::append};
use crate::{
    error::{Error, Kind, Result},
    model::{AssetId, Description, Rights},
};

/// What a collection says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Collection {
    /// What it is called.
    pub name: String,
    /// How often it was changed; 0 where nobody has said anything.
    pub revision: i64,
    /// The rights of its assets, as far as these say nothing else.
    pub rights: Rights,
    /// When it was changed last (ms).
    pub changed_at: i64,
}

impl Catalog {
    /// What holds of an asset: its collection, and the rights that it and the collection say. None of what is not there.
    pub fn rights_of(&self, asset: AssetId) -> Result<Option<(Option<String>, Rights)>> {
        let sql = "SELECT a.collection, d.fields, c.rights FROM assets a LEFT JOIN descriptions d ON d.asset = a.id
                   LEFT JOIN collections c ON c.name = a.collection WHERE a.id = ?1";
        let rows = self.db.query(sql, values![asset])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let own = row.maybe_text(1)?.map(|_| row.json::<Description>(1)).transpose()?.unwrap_or_default().rights;
        let of_all = row.maybe_text(2)?.map(|_| row.json::<Rights>(2)).transpose()?.unwrap_or_default();
        Ok(Some((row.maybe_text(0)?.map(str::to_owned), own.under(&of_all))))
    }

    /// What a collection says; whatever there is of it.
    pub fn collection(&self, name: &str) -> Result<Collection> {
        let sql = "SELECT revision, rights, changed_at FROM collections WHERE name = ?1";
        let name = name.to_owned();
        Ok(match self.db.query(sql, values![name.as_str()])?.first() {
            Some(row) => Collection { name, revision: row.int(0)?, rights: row.json(1)?, changed_at: row.int(2)? },
            None => Collection { name, revision: 0, rights: Rights::default(), changed_at: 0 },
        })
    }

    /// All collections that assets are in or that something was said of, each with its number of assets.
    pub fn collections(&self) -> Result<Vec<(Collection, i64)>> {
        let sql = "SELECT n.name, SUM(n.assets) FROM
                       (SELECT collection AS name, COUNT(*) AS assets FROM assets WHERE collection IS NOT NULL GROUP BY collection
                        UNION ALL SELECT name, 0 AS assets FROM collections) n
                   GROUP BY n.name ORDER BY n.name";
        // One database's sum is a number of any length.
        let sql = sql.replace("SUM(n.assets)", "CAST(SUM(n.assets) AS BIGINT)");
        let rows = self.db.query(&sql, &[])?;
        rows.iter().map(|row| Ok((self.collection(row.text(0)?)?, row.int(1)?))).collect()
    }

    /// Changes what a collection says, if nobody has since the given revision (`Conflict` otherwise); none: whatever others
    /// did. Says the new revision.
    pub fn set_collection(&self, name: &str, rights: &Rights, revision: Option<i64>, actor: &str) -> Result<i64> {
        rights.check()?;
        if name.trim().is_empty() || name.len() > 1000 || name.chars().any(char::is_control) {
            return Err(Error::invalid("a collection's name has 1 to 1000 bytes, in one line"));
        }
        let now = self.now()?;
        let mut new = 0;
        self.db.with_tx(&mut |tx| {
            tx.lock(&format!("collection {name}"))?;
            let rows = tx.query("SELECT revision, rights FROM collections WHERE name = ?1", values![name])?;
            let (is, was) = match rows.first() {
                Some(row) => (row.int(0)?, row.json::<Rights>(1)?),
                None => (0, Rights::default()),
            };
            if revision.is_some_and(|known| known != is) {
                let message = format!("the collection '{name}' was changed since: it is at revision {is}");
                return Err(Error::new(Kind::Conflict, message).hint("read it again, then change it"));
            }
            new = is + 1;
            let sql = "INSERT INTO collections (name, revision, rights, changed_at) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, rights = excluded.rights,
                           changed_at = excluded.changed_at";
            tx.execute(sql, values![name, new, to_json(rights)?, now])?;
            let detail = serde_json::json!({"revision": new, "actor": actor, "rights": rights, "was": was});
            append(tx, now, "collection.described", name, &detail)
        })?;
        Ok(new)
    }

    /// The assets that an event has changed: its subject, or all of the collection that it is of.
    pub fn touched_by(&self, event: &super::Event) -> Result<Vec<AssetId>> {
        match event.kind.as_str() {
            "collection.described" => self.assets_in(&event.subject),
            _ => Ok(event.subject.parse().ok().into_iter().collect()),
        }
    }
}
