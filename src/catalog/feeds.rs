//! How far each subscriber has heard of the events. One at a time tells it, by lease.

use serde::Serialize;

use super::{
    Catalog,
    db::{Row, values},
    jobs::lease_lost,
};
use crate::error::{Error, Result};

/// How far a subscriber has heard.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Feed {
    /// What the subscriber is called.
    pub name: String,
    /// The feed's own id, which never changes: with an event's number it says which event of the world it is.
    pub id: String,
    /// The last event it has confirmed.
    pub seq: i64,
    /// Who tells it now.
    pub holder: Option<String>,
    /// Why it could not be told, the last time.
    pub error: Option<String>,
}

const COLUMNS: &str = "name, id, seq, holder, error";

fn feed(row: &Row) -> Result<Feed> {
    Ok(Feed {
        name: row.text(0)?.to_owned(),
        id: row.text(1)?.to_owned(),
        seq: row.int(2)?,
        holder: row.maybe_text(3)?.map(str::to_owned),
        error: row.maybe_text(4)?.map(str::to_owned),
    })
}

impl Catalog {
    /// All feeds.
    pub fn feeds(&self) -> Result<Vec<Feed>> {
        let sql = format!("SELECT {COLUMNS} FROM feeds ORDER BY name");
        self.db.query(&sql, &[])?.iter().map(feed).collect()
    }

    /// Takes a feed for `lease_ms`, unless somebody else holds it who may be alive. One that is new begins after event
    /// `after`.
    pub fn take_feed(
        &self,
        name: &str,
        after: i64,
        (holder, is_dead): (&str, &dyn Fn(&str) -> bool),
        lease_ms: i64,
    ) -> Result<Option<Feed>> {
        let held = self.db.query("SELECT holder FROM feeds WHERE name = ?1", values![name])?;
        if let Some(other) = held.first().map(|row| row.maybe_text(0)).transpose()?.flatten()
            && other != holder
            && is_dead(other)
        {
            self.let_go(name, other)?;
        }
        let now = self.now()?;
        let id = uuid::Uuid::now_v7().to_string();
        let sql = format!(
            "INSERT INTO feeds (name, id, seq, holder, lease_until, updated_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
             ON CONFLICT (name) DO UPDATE SET holder = excluded.holder, lease_until = excluded.lease_until,
                 updated_at = excluded.updated_at
             WHERE feeds.holder IS NULL OR feeds.holder = excluded.holder OR feeds.lease_until < excluded.updated_at
             RETURNING {COLUMNS}"
        );
        let rows = self.db.change(&sql, &[], values![name, id, after, holder, now + lease_ms, now])?;
        rows.first().map(feed).transpose()
    }

    /// Says that a subscriber has confirmed all events up to `seq`, or why it could not be told more. The lease goes on.
    pub fn feed_told(&self, feed: &Feed, seq: i64, error: Option<&str>, lease_ms: i64) -> Result<Feed> {
        let now = self.now()?;
        let sql = format!(
            "UPDATE feeds SET seq = ?3, error = ?4, lease_until = ?5, updated_at = ?6
             WHERE name = ?1 AND holder = ?2 AND seq <= ?3 RETURNING {COLUMNS}"
        );
        let told = values![feed.name.as_str(), feed.holder.as_deref(), seq, error, now + lease_ms, now];
        let rows = self.db.change(&sql, &[], told)?;
        rows.first().map(self::feed).transpose()?.ok_or_else(lease_lost)
    }

    /// Lets a feed go, for others to take.
    pub fn release_feed(&self, feed: &Feed) -> Result<()> {
        self.let_go(&feed.name, feed.holder.as_deref().unwrap_or_default())
    }

    /// Forgets a subscriber.
    pub fn forget_feed(&self, name: &str) -> Result<()> {
        let sql = "DELETE FROM feeds WHERE name = ?1 RETURNING name";
        match self.db.change(sql, &[], values![name])?.is_empty() {
            true => {
                Err(Error::not_found(format!("no subscriber is called '{name}'")).hint("'damctl status' names them"))
            }
            false => Ok(()),
        }
    }

    fn let_go(&self, name: &str, holder: &str) -> Result<()> {
        let sql = "UPDATE feeds SET holder = NULL WHERE name = ?1 AND holder = ?2 RETURNING name";
        self.db.change(sql, &[], values![name, holder]).map(drop)
    }
}
