//! The append-only record of every change.

use serde::{Deserialize, Serialize};

use super::{
    Catalog,
    db::{Row, Tx, values},
};
use crate::error::{Error, Result};

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

/// A statement that appends the events of a SELECT of `place`, `kind`, `subject` and `detail`; `now` is a parameter.
/// Numbers are given in the order in which transactions end, so that whoever has read up to one misses none before it. Where others
/// write meanwhile, that order is not known yet: events are numbered when it can be seen.
pub(super) fn append_all(is_alone: bool, now: &str, select: &str) -> String {
    match is_alone {
        true => format!(
            "INSERT INTO events (seq, at, kind, subject, detail)
             SELECT (SELECT COALESCE(MAX(seq), 0) FROM events) + ROW_NUMBER() OVER (ORDER BY place), {now}, kind, subject, detail
             FROM ({select}) e"
        ),
        false => format!(
            "INSERT INTO news (at, kind, subject, detail)
             SELECT CAST({now} AS BIGINT), kind, subject, detail FROM ({select}) e ORDER BY place"
        ),
    }
}

/// Appends an event.
pub(super) fn append(tx: &mut dyn Tx, now: i64, kind: &str, subject: &str, detail: &serde_json::Value) -> Result<()> {
    let select = "SELECT 1 AS place, CAST(?1 AS TEXT) AS kind, CAST(?2 AS TEXT) AS subject, CAST(?3 AS TEXT) AS detail";
    tx.execute(&append_all(tx.is_alone(), "?4", select), values![kind, subject, detail.to_string(), now])?;
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

pub(super) fn event(r: &Row) -> Result<Event> {
    Ok(Event {
        seq: r.int(0)?,
        at: r.int(1)?,
        kind: r.text(2)?.to_owned(),
        subject: r.text(3)?.to_owned(),
        detail: r.json(4)?,
    })
}

impl Catalog {
    /// Numbers the events that have none. What depends on another was written after it had ended, and has a greater id; of
    /// those that were written at once, either may be first.
    pub(super) fn number_events(&self) -> Result<()> {
        if self.db.query("SELECT 1 FROM news LIMIT 1", &[])?.is_empty() {
            return Ok(());
        }
        let batch = uuid::Uuid::now_v7().to_string();
        self.db.with_tx(&mut |tx| {
            tx.lock("events")?;
            let batch = batch.as_str();
            tx.execute("UPDATE news SET batch = ?1", values![batch])?;
            let sql = "INSERT INTO events (seq, at, kind, subject, detail)
                       SELECT (SELECT COALESCE(MAX(seq), 0) FROM events) + ROW_NUMBER() OVER (ORDER BY id), at, kind, subject, detail
                       FROM news WHERE batch = ?1";
            tx.execute(sql, values![batch])?;
            tx.execute("DELETE FROM news WHERE batch = ?1", values![batch]).map(drop)
        })
    }

    /// The number of the last event; those that have none are numbered first.
    pub fn last_event(&self) -> Result<i64> {
        self.number_events()?;
        let rows = self.db.query("SELECT COALESCE(MAX(seq), 0) FROM events", &[])?;
        rows.first().ok_or_else(|| Error::internal("a maximum without a row"))?.int(0)
    }

    /// Events after one and up to another that may change who may see what: the oldest first, `limit` at most.
    pub fn changes_of_rights(&self, (after, last): (i64, i64), limit: i64) -> Result<Vec<Event>> {
        let sql = "SELECT seq, at, kind, subject, detail FROM events
                   WHERE seq > ?1 AND seq <= ?2 AND kind IN ('asset.described', 'collection.described') ORDER BY seq LIMIT ?3";
        self.db.query(sql, values![after, last, limit])?.iter().map(event).collect()
    }

    /// Events after `seq`, oldest first, `limit` at most.
    pub fn events_after(&self, seq: i64, limit: i64) -> Result<Vec<Event>> {
        self.number_events()?;
        let sql = "SELECT seq, at, kind, subject, detail FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
        let rows = self.db.query(sql, values![seq, limit])?;
        rows.iter().map(event).collect()
    }
}
