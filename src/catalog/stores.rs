//! What stores were found to do, and to have.

use super::{
    Catalog,
    assets::to_json,
    db::{Row, values},
};
use crate::{digest::Digest, error::Result, store::Abilities};

impl Catalog {
    /// What the endpoint at this place was found to do, and when it was asked (ms). What an older version kept and this
    /// one cannot read counts as nothing: it is asked again.
    pub fn abilities(&self, place: &str) -> Result<Option<(Abilities, i64)>> {
        let rows = self.db.query("SELECT abilities, probed_at FROM stores WHERE place = ?1", values![place])?;
        let read = |row: &Row| Some((row.json(0).ok()?, row.int(1).ok()?));
        Ok(rows.first().and_then(read))
    }

    /// Keeps what an endpoint was found to do.
    pub fn keep_abilities(&self, place: &str, abilities: &Abilities) -> Result<()> {
        let (abilities, now) = (to_json(abilities)?, self.now()?);
        self.db.with_tx(&mut |tx| {
            let sql = "INSERT INTO stores (place, abilities, probed_at) VALUES (?1, ?2, ?3)
                       ON CONFLICT (place) DO UPDATE SET abilities = excluded.abilities, probed_at = excluded.probed_at";
            tx.execute(sql, values![place, abilities.as_str(), now]).map(drop)
        })
    }

    /// Notes that the store has lost these masters, or has other bytes for them: where they were seen they count as not
    /// taken in, and are taken in anew.
    pub fn lose(&self, masters: &[Digest]) -> Result<()> {
        self.db.with_tx(&mut |tx| {
            for digest in masters {
                tx.execute("UPDATE masters SET confirmed_at = NULL WHERE digest = ?1", values![digest])?;
                let sql = "UPDATE sightings SET outcome = 'unreadable', detail = ?2 WHERE digest = ?1";
                tx.execute(sql, values![digest, "the store has lost its bytes: ingest it again"])?;
            }
            Ok(())
        })
    }

    /// Notes that these masters were found where they should be, now.
    pub fn confirm(&self, masters: &[Digest]) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            let sql = "UPDATE masters SET confirmed_at = ?2 WHERE digest = ?1";
            masters.iter().try_for_each(|digest| tx.execute(sql, values![digest, now]).map(drop))
        })
    }

    /// Masters that the store was found to lack, or not to have shown yet.
    pub fn unconfirmed(&self) -> Result<Vec<super::KeptMaster>> {
        let sql = "SELECT digest, bytes, fingerprint, key FROM masters WHERE confirmed_at IS NULL ORDER BY digest";
        let each = |r: &super::db::Row| {
            let (digest, bytes) = (r.parse(0)?, r.int(1)? as u64);
            Ok(super::KeptMaster { digest, bytes, fingerprint: r.maybe_parse(2)?, key: r.parse(3)? })
        };
        self.db.query(sql, &[])?.iter().map(each).collect()
    }
}
