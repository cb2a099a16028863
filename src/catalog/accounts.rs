//! What the catalog can say of a whole drive: what became of each path, which master holds its bytes, what is left to
//! do, and the sums of it all.

use super::{
    Catalog,
    assets::{SIGHTING, drive, outcome, sighting},
    db::{Row, values},
};
use crate::{
    error::Result,
    model::{Drive, DriveId, Key, Outcome, Sighting, job::Failure},
};

/// What became of a path, and where its bytes are.
#[derive(Clone, Debug, PartialEq)]
pub struct Account {
    /// What became of it.
    pub sighting: Sighting,
    /// The master with these bytes.
    pub kept: Option<Kept>,
}

/// Where a master is.
#[derive(Clone, Debug, PartialEq)]
pub struct Kept {
    /// Its key in the store.
    pub key: Key,
    /// Its size in bytes.
    pub bytes: u64,
    /// When the store last said that it has it (ms).
    pub confirmed_at: Option<i64>,
}

/// Wanted work of a drive that has not been done.
#[derive(Clone, Debug, PartialEq)]
pub struct Unfinished {
    /// What it is about.
    pub subject: String,
    /// Its instructions.
    pub task: serde_json::Value,
    /// Why it failed, if it did.
    pub failure: Option<Failure>,
}

/// A drive and what it gave.
#[derive(Clone, Debug, PartialEq)]
pub struct DriveRow {
    /// The drive.
    pub drive: Drive,
    /// When anything of it was last looked at (ms).
    pub seen_at: Option<i64>,
    /// When it was last surveyed as a whole, and what was new became jobs (ms).
    pub surveyed_at: Option<i64>,
    /// Paths and bytes by outcome.
    pub counts: Vec<(Outcome, u64, u64)>,
}

fn account(r: &Row) -> Result<Account> {
    let kept = match r.maybe_parse(10)? {
        None => None,
        Some(key) => Some(Kept { key, bytes: r.int(11)? as u64, confirmed_at: r.maybe_int(12)? }),
    };
    Ok(Account { sighting: sighting(r)?, kept })
}

impl Catalog {
    /// What became of every path of a drive.
    pub fn accounts(&self, drive: DriveId) -> Result<Vec<Account>> {
        let sql = format!(
            "SELECT {SIGHTING}, m.key, m.bytes, m.confirmed_at
             FROM sightings s LEFT JOIN masters m ON m.digest = s.digest WHERE s.drive = ?1"
        );
        self.db.query(&sql, values![drive])?.iter().map(account).collect()
    }

    /// The ingest of a drive that was planned and has not been done: waiting, under way, or failed.
    pub fn unfinished(&self, drive: DriveId) -> Result<Vec<Unfinished>> {
        // Every scope of a drive begins with its id and a slash; '0' is what follows the slash.
        let sql = "SELECT subject, task, error FROM jobs
                   WHERE stage = 'ingest' AND state <> 'done' AND scope >= ?1 AND scope < ?2 ORDER BY subject, id";
        let each = |r: &Row| {
            let failure = r.maybe_text(2)?.map(|_| r.json(2)).transpose()?;
            Ok(Unfinished { subject: r.text(0)?.to_owned(), task: r.json(1)?, failure })
        };
        self.db.query(sql, values![format!("{drive}/"), format!("{drive}0")])?.iter().map(each).collect()
    }

    /// Remembers that all of a drive has just been surveyed, and that what was new on it is wanted.
    pub fn surveyed(&self, drive: DriveId) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            tx.execute("UPDATE drives SET seen_at = ?2 WHERE id = ?1", values![drive, now]).map(drop)
        })
    }

    /// All drives with what each gave, by label.
    pub fn drive_rows(&self) -> Result<Vec<DriveRow>> {
        let sql = "SELECT d.id, d.identity, d.label, d.root, d.fs_uuid, d.serial, d.bytes, d.seen_at,
                          s.outcome, s.paths, s.sum, s.seen_at
                   FROM drives d LEFT JOIN (
                       SELECT drive, outcome, COUNT(*) AS paths, CAST(SUM(bytes) AS BIGINT) AS sum, MAX(seen_at) AS seen_at
                       FROM sightings GROUP BY drive, outcome) s ON s.drive = d.id
                   ORDER BY d.label, d.id, s.outcome";
        let mut out: Vec<DriveRow> = Vec::new();
        for r in self.db.query(sql, &[])? {
            let drive = drive(&r)?;
            if out.last().is_none_or(|last| last.drive.id != drive.id) {
                let surveyed_at = r.maybe_int(7)?;
                out.push(DriveRow { drive, seen_at: surveyed_at, surveyed_at, counts: Vec::new() });
            }
            if let (Some(row), Some(word)) = (out.last_mut(), r.maybe_text(8)?) {
                row.counts.push((outcome(word)?, r.int(9)? as u64, r.int(10)? as u64));
                row.seen_at = row.seen_at.max(r.maybe_int(11)?);
            }
        }
        Ok(out)
    }
}
