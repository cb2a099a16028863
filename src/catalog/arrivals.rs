//! Files that others send: announced, then moved on by whoever holds their job's lease.

use std::collections::HashMap;

use super::{
    Catalog, Lease, Settled,
    db::{Row, Tx, values},
    events::{News, append},
    jobs::{fence, lease_lost},
};
use crate::{
    error::Result,
    model::{Arrival, ArrivalState, AssetId},
};

/// How an arrival ended.
#[derive(Clone, Debug, PartialEq)]
pub struct Landed {
    /// The asset that was planned for it.
    pub asset: AssetId,
    /// Why it failed; none: it is what was announced.
    pub failure: Option<String>,
}

const COLUMNS: &str =
    "asset, name, collection, bytes, digest, key, upload, part_bytes, state, error, holder, expires_at, created_at";

fn arrival(row: &Row) -> Result<Arrival> {
    Ok(Arrival {
        asset: row.parse(0)?,
        name: row.text(1)?.to_owned(),
        collection: row.maybe_text(2)?.map(str::to_owned),
        bytes: row.int(3)? as u64,
        digest: row.parse(4)?,
        key: row.parse(5)?,
        upload: row.text(6)?.to_owned(),
        part_bytes: row.int(7)? as u64,
        state: row.parse(8)?,
        error: row.maybe_text(9)?.map(str::to_owned),
        holder: row.maybe_parse(10)?,
        expires_at: row.int(11)?,
        created_at: row.int(12)?,
    })
}

/// Ends arrivals in their job's transaction. `moved` says whose the bytes are that somebody else had first. What was put
/// into the store for a failed one is to be removed.
pub(super) fn land(
    tx: &mut dyn Tx,
    now: i64,
    landed: &[Landed],
    moved: &HashMap<AssetId, AssetId>,
    settled: &mut Settled,
    news: &mut News,
) -> Result<()> {
    for Landed { asset, failure } in landed {
        let state = if failure.is_some() { ArrivalState::Failed } else { ArrivalState::Processing };
        let sql = "UPDATE arrivals SET state = ?2, error = ?3, holder = ?4, updated_at = ?5
                   WHERE asset = ?1 AND state IN ('pending', 'uploaded') RETURNING key";
        let rows = tx.query(sql, values![asset, state.as_str(), failure.as_deref(), moved.get(asset).copied(), now])?;
        let row = rows.first().ok_or_else(lease_lost)?;
        match failure {
            Some(why) => {
                settled.superseded.push((*asset, row.parse(0)?));
                news.add("arrival.failed", asset, serde_json::json!({"reason": why}));
            }
            None => news.add("arrival.processing", asset, serde_json::Value::Null),
        }
    }
    Ok(())
}

impl Catalog {
    /// Remembers what was announced.
    pub fn announce(&self, a: &Arrival) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            let sql = format!(
                "INSERT INTO arrivals ({COLUMNS}, updated_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14) ON CONFLICT (asset) DO NOTHING"
            );
            let row = values![
                a.asset,
                a.name.as_str(),
                a.collection.as_deref(),
                a.bytes,
                a.digest,
                &a.key,
                a.upload.as_str(),
                a.part_bytes,
                a.state.as_str(),
                a.error.as_deref(),
                a.holder,
                a.expires_at,
                a.created_at,
                now
            ];
            if tx.execute(&sql, row)? == 0 {
                return Ok(());
            }
            let detail = serde_json::json!({"name": a.name, "bytes": a.bytes, "digest": a.digest});
            append(tx, now, "arrival.announced", &a.asset.to_string(), &detail)
        })
    }

    /// The arrival that an asset was planned for.
    pub fn arrival(&self, asset: AssetId) -> Result<Option<Arrival>> {
        let sql = format!("SELECT {COLUMNS} FROM arrivals WHERE asset = ?1");
        self.db.query(&sql, values![asset])?.first().map(arrival).transpose()
    }

    /// Arrivals in any of these states, the oldest first.
    pub fn arrivals(&self, states: &[ArrivalState]) -> Result<Vec<Arrival>> {
        let sql = format!("SELECT {COLUMNS} FROM arrivals WHERE state = ?1 ORDER BY created_at, asset");
        let mut out = Vec::new();
        for state in states {
            for row in self.db.query(&sql, values![state.as_str()])? {
                out.push(arrival(&row)?);
            }
        }
        Ok(out)
    }

    /// Says that all of a pending arrival is in the store. Only whoever holds the job's lease may.
    pub fn arrival_uploaded(&self, lease: &Lease, asset: AssetId) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            fence(tx, lease)?;
            let sql = "UPDATE arrivals SET state = 'uploaded', updated_at = ?2 WHERE asset = ?1 AND state = 'pending'";
            match tx.execute(sql, values![asset, now])? {
                0 => Err(lease_lost()),
                _ => append(tx, now, "arrival.uploaded", &asset.to_string(), &serde_json::Value::Null),
            }
        })
    }

    /// Says of arrivals that all that is wanted of them is there.
    pub fn arrivals_ready(&self, assets: &[AssetId]) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            let sql = "UPDATE arrivals SET state = 'ready', updated_at = ?2 WHERE asset = ?1 AND state = 'processing'";
            assets.iter().try_for_each(|asset| match tx.execute(sql, values![asset, now])? {
                0 => Ok(()),
                _ => append(tx, now, "arrival.ready", &asset.to_string(), &serde_json::Value::Null),
            })
        })
    }

    /// Numbers of arrivals by state.
    pub fn arrival_counts(&self) -> Result<Vec<(ArrivalState, i64)>> {
        let sql = "SELECT state, COUNT(*) FROM arrivals GROUP BY state ORDER BY state";
        self.db.query(sql, &[])?.iter().map(|r| Ok((r.parse(0)?, r.int(1)?))).collect()
    }
}
