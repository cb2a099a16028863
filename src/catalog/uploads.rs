//! The ledger of uploads in parts. It is written while a job runs, not at its end; so every write is fenced like the end
//! itself.

use super::{
    Catalog, Lease,
    db::{Row, Tx, values},
    jobs::lease_lost,
};
use crate::{
    error::Result,
    model::{DriveId, Key, RawPath},
    store::{Checksum, Part, Upload},
};

/// What is known of an upload that is not finished.
#[derive(Clone, Debug, PartialEq)]
pub struct Ledger {
    /// Where the object will be.
    pub key: Key,
    /// The drive that the file is on.
    pub drive: DriveId,
    /// Its path there.
    pub path: RawPath,
    /// Its size, modification time (ns) and inode when the upload began.
    pub identity: (u64, i64, u64),
    /// What the store has accepted, as far as was heard.
    pub upload: Upload,
    /// How many parts from the first on the digest has taken in.
    pub hashed: u32,
    /// The digest's state after these.
    pub state: String,
}

const COLUMNS: &str = "key, drive, path, bytes, mtime_ns, inode, upload, part_bytes, hashed, state, checksum";

fn ledger(row: &Row) -> Result<Ledger> {
    Ok(Ledger {
        key: row.parse(0)?,
        drive: row.parse(1)?,
        path: row.parse(2)?,
        identity: (row.int(3)? as u64, row.int(4)?, row.int(5)? as u64),
        upload: Upload {
            id: row.text(6)?.to_owned(),
            part_bytes: row.int(7)? as u64,
            parts: Vec::new(),
            checksum: row.maybe_parse(10)?,
        },
        hashed: row.int(8)? as u32,
        state: row.text(9)?.to_owned(),
    })
}

/// Forgets an upload whose object is in the catalog now.
pub(super) fn forget(tx: &mut dyn Tx, key: &Key) -> Result<()> {
    tx.execute("DELETE FROM uploads WHERE key = ?1", values![key])?;
    tx.execute("DELETE FROM upload_parts WHERE key = ?1", values![key])?;
    Ok(())
}

impl Catalog {
    /// The unfinished upload to this key, with its parts.
    pub fn upload(&self, key: &Key) -> Result<Option<Ledger>> {
        let sql = format!("SELECT {COLUMNS} FROM uploads WHERE key = ?1");
        let Some(row) = self.db.query(&sql, values![key])?.into_iter().next() else { return Ok(None) };
        let mut found = ledger(&row)?;
        let sql = "SELECT number, etag, bytes, digest, crc64 FROM upload_parts WHERE key = ?1 ORDER BY number";
        for row in self.db.query(sql, values![key])? {
            found.upload.parts.push(Part {
                number: row.int(0)? as u32,
                etag: row.text(1)?.to_owned(),
                bytes: row.int(2)? as u64,
                digest: row.parse(3)?,
                crc64: row.maybe_int(4)?.map(|crc| crc as u64),
            });
        }
        Ok(Some(found))
    }

    /// All unfinished uploads, without their parts: of one path, or of all.
    pub fn uploads(&self, of: Option<(DriveId, &RawPath)>) -> Result<Vec<Ledger>> {
        let sql = format!("SELECT {COLUMNS} FROM uploads");
        let rows = match of {
            None => self.db.query(&format!("{sql} ORDER BY key"), &[])?,
            Some((drive, path)) => {
                self.db.query(&format!("{sql} WHERE drive = ?1 AND path = ?2 ORDER BY key"), values![drive, path])?
            }
        };
        rows.iter().map(ledger).collect()
    }

    /// Keeps what has come of an upload: its row as it stands, and the parts that are new. Only whoever holds the job's
    /// lease may.
    pub fn keep_upload(&self, lease: &Lease, ledger: &Ledger, new_parts: &[Part]) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            let sql = "SELECT 1 FROM jobs WHERE id = ?1 AND state = 'leased' AND attempt = ?2";
            if tx.query(sql, values![lease.job.id, lease.attempt])?.is_empty() {
                return Err(lease_lost());
            }
            let sql = "INSERT INTO uploads (key, drive, path, bytes, mtime_ns, inode, upload, part_bytes, hashed, state, updated_at, checksum)
                       VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)
                       ON CONFLICT (key) DO UPDATE SET mtime_ns = excluded.mtime_ns, inode = excluded.inode,
                           upload = excluded.upload, part_bytes = excluded.part_bytes, hashed = excluded.hashed,
                           state = excluded.state, updated_at = excluded.updated_at, checksum = excluded.checksum";
            let (bytes, mtime_ns, inode) = ledger.identity;
            tx.execute(
                sql,
                values![
                    &ledger.key,
                    ledger.drive,
                    &ledger.path,
                    bytes,
                    mtime_ns,
                    inode,
                    ledger.upload.id.as_str(),
                    ledger.upload.part_bytes,
                    i64::from(ledger.hashed),
                    ledger.state.as_str(),
                    now,
                    ledger.upload.checksum.map(Checksum::as_str)
                ],
            )?;
            for part in new_parts {
                let sql = "INSERT INTO upload_parts (key, number, etag, bytes, digest, crc64) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
                           ON CONFLICT (key, number) DO UPDATE SET etag = excluded.etag, bytes = excluded.bytes,
                               digest = excluded.digest, crc64 = excluded.crc64";
                let number = i64::from(part.number);
                tx.execute(sql, values![&ledger.key, number, part.etag.as_str(), part.bytes, part.digest, part.crc64])?;
            }
            Ok(())
        })
    }

    /// Forgets an upload that was given up.
    pub fn forget_upload(&self, key: &Key) -> Result<()> {
        self.db.with_tx(&mut |tx| forget(tx, key))
    }
}
