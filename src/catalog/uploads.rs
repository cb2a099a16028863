//! The ledger of uploads in parts. It is written while a job runs, not at its end; so every write is fenced like the end
//! itself.

use std::collections::HashSet;

use super::{
    Catalog, Lease,
    db::{Row, Tx, values},
    jobs::fence,
};
use crate::{
    digest::Digest,
    error::{Error, Result},
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
    /// What was sent; parts of which nobody heard that the store has accepted them are without an ETag.
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

/// Ends the upload of an object that is in the catalog now: of its parts is kept what they are, not that they are on
/// their way.
pub(super) fn complete(tx: &mut dyn Tx, key: &Key, master: &Digest) -> Result<()> {
    let sql = "SELECT u.part_bytes, u.checksum FROM uploads u JOIN masters m ON m.key = u.key
               WHERE u.key = ?1 AND m.digest = ?2";
    if let Some(row) = tx.query(sql, values![key, master])?.first() {
        let parts: String = parts(&tx.query(PARTS, values![key])?)?.iter().map(line).collect();
        let sql = "INSERT INTO master_parts (master, part_bytes, checksum, parts) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (master) DO NOTHING";
        tx.execute(sql, values![master, row.int(0)?, row.maybe_text(1)?, parts])?;
    }
    forget(tx, key)
}

/// A part as `master_parts` keeps it; its number and size follow from its place.
fn line(part: &Part) -> String {
    let crc64 = part.crc64.map(|crc| format!(" {crc:016x}")).unwrap_or_default();
    format!("{} {}{crc64}\n", part.digest, part.etag)
}

fn part(number: u32, line: &str) -> Result<Part> {
    let damaged = || Error::corrupt("the catalog's list of a master's parts is damaged");
    let mut words = line.split(' ');
    let digest = words.next().unwrap_or_default().parse()?;
    let etag = words.next().ok_or_else(damaged)?.to_owned();
    let crc64 = words.next().map(|crc| u64::from_str_radix(crc, 16)).transpose().map_err(|_| damaged())?;
    Ok(Part { number, etag, bytes: 0, digest, crc64 })
}

const PARTS: &str = "SELECT number, etag, bytes, digest, crc64 FROM upload_parts WHERE key = ?1 ORDER BY number";

fn parts(rows: &[Row]) -> Result<Vec<Part>> {
    let part = |row: &Row| {
        Ok(Part {
            number: row.int(0)? as u32,
            etag: row.text(1)?.to_owned(),
            bytes: row.int(2)? as u64,
            digest: row.parse(3)?,
            crc64: row.maybe_int(4)?.map(|crc| crc as u64),
        })
    };
    rows.iter().map(part).collect()
}

fn forget(tx: &mut dyn Tx, key: &Key) -> Result<()> {
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
        found.upload.parts = parts(&self.db.query(PARTS, values![key])?)?;
        Ok(Some(found))
    }

    /// The parts that a master of this many bytes went up in, under no id any more; none when it went up as a whole.
    pub fn parts_of(&self, master: &Digest, bytes: u64) -> Result<Option<Upload>> {
        let sql = "SELECT part_bytes, checksum, parts FROM master_parts WHERE master = ?1";
        let rows = self.db.query(sql, values![master])?;
        let Some(row) = rows.first() else { return Ok(None) };
        let (part_bytes, checksum) = (row.int(0)? as u64, row.maybe_parse(1)?);
        let mut upload = Upload { id: String::new(), part_bytes, parts: Vec::new(), checksum };
        for (line, number) in row.text(2)?.lines().zip(1..) {
            let bytes = upload.bytes_of_part(number, bytes);
            upload.parts.push(Part { bytes, ..part(number, line)? });
        }
        Ok((upload.bytes() == bytes).then_some(upload))
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

    /// The store's names for uploads that somebody has gone on with after this time (ms).
    pub fn uploads_since(&self, time: i64) -> Result<HashSet<String>> {
        let rows = self.db.query("SELECT upload FROM uploads WHERE updated_at > ?1", values![time])?;
        rows.iter().map(|r| Ok(r.text(0)?.to_owned())).collect()
    }

    /// Keeps what has come of an upload: its row as it stands, and the parts that are new. Only whoever holds the job's
    /// lease may.
    pub fn keep_upload(&self, lease: &Lease, ledger: &Ledger, new_parts: &[Part]) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            fence(tx, lease)?;
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
