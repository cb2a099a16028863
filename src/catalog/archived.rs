//! Masters that have left the hot area: where each is on its way, and until when it can be read.

use std::{collections::HashMap, fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use super::{
    Catalog,
    db::{Row, Tx, Value, values},
    events::append,
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    model::{AssetId, JobState, Stage},
};

/// Where a master is on its way out of the hot area, and back.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArchiveState {
    /// In the archive's cold part, and can be read: by its storage class, or for a time.
    Readable,
    /// On its way: it may lie in either part, and a run that was stopped is to be run again.
    Archiving,
    /// Asked for.
    Restoring,
    /// In the cold part alone.
    Archived,
}

impl ArchiveState {
    const ALL: [Self; 4] = [Self::Readable, Self::Archiving, Self::Restoring, Self::Archived];

    /// The word that the catalog and reports have.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Readable => "readable",
            Self::Archiving => "archiving",
            Self::Restoring => "restoring",
            Self::Archived => "archived",
        }
    }
}

impl fmt::Display for ArchiveState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for ArchiveState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::corrupt(format!("the catalog holds an unknown state of archiving '{text}'"));
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(unknown)
    }
}

/// What is known of a master that was archived.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Archived {
    /// Where it is on its way.
    pub state: ArchiveState,
    /// What it went to: a storage class, or a folder.
    pub place: String,
    /// Until when it can be read, where that ends (ms).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub until: Option<i64>,
    /// Since when this is so (ms).
    pub at: i64,
}

impl Archived {
    /// What it is at a time (ms): a copy for a time is gone after that.
    pub fn at_time(mut self, now: i64) -> Self {
        if self.state == ArchiveState::Readable && self.until.is_some_and(|until| until <= now) {
            self.state = ArchiveState::Archived;
        }
        self
    }

    /// Whether its bytes can be read.
    pub fn is_readable(&self) -> bool {
        self.state == ArchiveState::Readable
    }
}

fn archived(row: &Row, from: usize) -> Result<Archived> {
    Ok(Archived {
        state: row.parse(from)?,
        place: row.text(from + 1)?.to_owned(),
        until: row.maybe_int(from + 2)?,
        at: row.int(from + 3)?,
    })
}

pub(super) fn put(tx: &mut dyn Tx, master: &Digest, a: &Archived) -> Result<()> {
    let sql = "INSERT INTO archived (master, state, place, until, updated_at) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (master) DO UPDATE SET state = excluded.state, place = excluded.place,
                   until = excluded.until, updated_at = excluded.updated_at";
    tx.execute(sql, values![master, a.state.as_str(), a.place.as_str(), a.until, a.at]).map(drop)
}

impl Catalog {
    /// Which of these masters were archived, and where they are on their way.
    pub fn archived_among(&self, masters: &[Digest]) -> Result<HashMap<Digest, Archived>> {
        const PAGE: usize = 250;
        let now = self.now()?;
        let mut all = HashMap::new();
        for page in masters.chunks(PAGE) {
            // Filled up with the last, so that it is one statement however many there are.
            let mut ids: Vec<Value> = page.iter().map(Value::from).collect();
            ids.resize(PAGE, page.last().into());
            let list: Vec<String> = (1..=PAGE).map(|i| format!("?{i}")).collect();
            let sql = format!(
                "SELECT master, state, place, until, updated_at FROM archived WHERE master IN ({})",
                list.join(", ")
            );
            for r in self.db.query(&sql, &ids)? {
                all.insert(r.parse(0)?, archived(&r, 1)?.at_time(now));
            }
        }
        Ok(all)
    }

    /// Whether anything was archived: most archives need not be asked more.
    pub fn has_archived(&self) -> Result<bool> {
        Ok(!self.db.query("SELECT 1 FROM archived LIMIT 1", &[])?.is_empty())
    }

    /// How an asset is archived: as that of the masters of its active generation is that can be read least.
    pub fn archived_of(&self, asset: AssetId) -> Result<Option<Archived>> {
        let now = self.now()?;
        let sql = "SELECT r.state, r.place, r.until, r.updated_at FROM assets a
                   JOIN members b ON b.asset = a.id AND b.generation = a.generation
                   JOIN archived r ON r.master = b.digest WHERE a.id = ?1";
        let all = self.db.query(sql, values![asset])?;
        let all = all.iter().map(|r| Ok(archived(r, 0)?.at_time(now))).collect::<Result<Vec<_>>>()?;
        Ok(all.into_iter().max_by_key(|a| a.state))
    }

    /// Refuses an asset whose masters cannot be read as they are.
    pub fn must_be_readable(&self, asset: AssetId) -> Result<()> {
        match self.archived_of(asset)? {
            Some(a) if !a.is_readable() => Err(Error::new(Kind::Archived, format!("asset {asset} is {}", a.state))
                .hint(format!("'damctl restore {asset}' brings its masters back"))),
            _ => Ok(()),
        }
    }

    /// Notes where a master is on its way; none: it is in the hot area again. Tells each asset that it is of.
    pub fn set_archived(&self, master: &Digest, to: Option<&Archived>, actor: &str) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            match to {
                Some(to) => put(tx, master, to)?,
                None => _ = tx.execute("DELETE FROM archived WHERE master = ?1", values![master])?,
            }
            let kind = match to.map(|a| (a.state, a.until)) {
                // Nothing has changed yet.
                Some((ArchiveState::Archiving, _)) => return Ok(()),
                Some((ArchiveState::Archived, _) | (ArchiveState::Readable, None)) => "asset.archived",
                Some((ArchiveState::Restoring, _)) => "asset.restoring",
                Some((ArchiveState::Readable, Some(_))) | None => "asset.restored",
            };
            let detail = serde_json::json!({"master": master, "archive": to, "actor": actor});
            for row in
                tx.query("SELECT DISTINCT asset FROM members WHERE digest = ?1 ORDER BY asset", values![master])?
            {
                append(tx, now, kind, row.text(0)?, &detail)?;
            }
            Ok(())
        })
    }

    /// Masters and their bytes by where they are on their way.
    pub fn archived_counts(&self) -> Result<Vec<(ArchiveState, i64, u64)>> {
        let sql = "SELECT CASE WHEN r.state = 'readable' AND r.until <= ?1 THEN 'archived' ELSE r.state END AS is_now,
                       COUNT(*), CAST(COALESCE(SUM(m.bytes), 0) AS BIGINT)
                   FROM archived r JOIN masters m ON m.digest = r.master GROUP BY is_now ORDER BY is_now";
        let now = self.now()?;
        self.db.query(sql, values![now])?.iter().map(|r| Ok((r.parse(0)?, r.int(1)?, r.int(2)? as u64))).collect()
    }

    /// Whether a job that is being done reads this master.
    pub fn is_at_work_on(&self, master: &Digest) -> Result<bool> {
        let sql = "SELECT 1 FROM jobs WHERE state = 'leased' AND task LIKE ?1 LIMIT 1";
        Ok(!self.db.query(sql, values![format!("%\"{master}\"%")])?.is_empty())
    }

    /// Opens jobs again that have failed for want of this master alone; says how many.
    pub fn reopen_archived(&self, master: &Digest) -> Result<u64> {
        let mut ids = Vec::new();
        for stage in [Stage::Transcode, Stage::Enrich] {
            let failed = self.failed_jobs_of(stage, master)?;
            let waits = |e: &crate::model::job::Failure| e.kind == Kind::Archived;
            let of = failed.into_iter().filter(|j| j.state == JobState::Failed && j.error.as_ref().is_some_and(waits));
            ids.extend(of.map(|job| job.id));
        }
        self.retry(&ids)
    }
}
