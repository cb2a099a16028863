//! The append-only record of every change.

use serde::{Deserialize, Serialize};

use super::{
    Catalog,
    db::{Tx, values},
};
use crate::error::Result;

/// One change of state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Grows by one with each event.
    pub seq: i64,
    /// Milliseconds since 1970-01-01 UTC.
    pub at: i64,
    /// `asset.stored`, `rendition.ready`, …
    pub kind: String,
    /// What it happened to: an asset, a drive, a job.
    pub subject: String,
    /// More about it.
    pub detail: serde_json::Value,
}

/// Appends an event; best as the last thing that a transaction does. Numbers are given in the order in which transactions
/// end, so that whoever has read up to one misses none before it: until the end, nobody else appends.
pub(super) fn append(tx: &mut dyn Tx, now: i64, kind: &str, subject: &str, detail: &serde_json::Value) -> Result<()> {
    tx.lock("events")?;
    let sql = "INSERT INTO events (seq, at, kind, subject, detail)
               SELECT COALESCE(MAX(seq), 0) + 1, ?1, ?2, ?3, ?4 FROM events";
    tx.execute(sql, values![now, kind, subject, detail.to_string()])?;
    Ok(())
}

/// Events of a transaction, to be appended at its end.
#[derive(Default)]
pub(super) struct News(Vec<(&'static str, String, serde_json::Value)>);

impl News {
    pub(super) fn add(&mut self, kind: &'static str, subject: impl std::fmt::Display, detail: serde_json::Value) {
        self.0.push((kind, subject.to_string(), detail));
    }

    pub(super) fn append(&self, tx: &mut dyn Tx, now: i64) -> Result<()> {
        self.0.iter().try_for_each(|(kind, subject, detail)| append(tx, now, kind, subject, detail))
    }
}

impl Catalog {
    /// Events after `seq`, oldest first, `limit` at most.
    pub fn events_after(&self, seq: i64, limit: i64) -> Result<Vec<Event>> {
        let sql = "SELECT seq, at, kind, subject, detail FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let rows = self.db.query(sql, values![seq, limit])?;
        rows.iter()
            .map(|r| {
                Ok(Event {
                    seq: r.int(0)?,
                    at: r.int(1)?,
                    kind: r.text(2)?.to_owned(),
                    subject: r.text(3)?.to_owned(),
                    detail: r.json(4)?,
                })
            })
            .collect()
    }
}
