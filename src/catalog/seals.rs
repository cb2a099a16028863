//! Seals on the record of events. A seal is the digest of an event and of the digest before it, from the first event on: what
//! is changed, removed or put in later shows at the next seal. Whoever could write the seals anew would have to change every
//! later one; so a seal that was written down elsewhere proves all that was before it.

use serde::Serialize;

use super::{Catalog, db::values};
use crate::{
    digest::Digest,
    error::{Error, Result},
};

/// Events that are read at a time, and the most that one seal is on.
const PAGE: i64 = 1000;

/// A seal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Seal {
    /// The last event that it is on.
    pub seq: i64,
    /// The chain's digest there.
    pub digest: Digest,
}

/// What comes of looking at all seals again.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Proof {
    /// Events that are there.
    pub events: i64,
    /// The last seal.
    pub last: Option<Seal>,
    /// What is not as it was, in words.
    pub findings: Vec<String>,
}

fn start() -> Digest {
    Digest::of_fields(&["damctl events/1"])
}

impl Catalog {
    /// Seals what has happened since the last seal; the last one, if there is any. Many may do so at once.
    pub fn seal_events(&self) -> Result<Option<Seal>> {
        self.number_events()?;
        let now = self.now()?;
        loop {
            let mut last = None;
            let mut is_more = false;
            self.db.with_tx(&mut |tx| {
                tx.lock("seals")?;
                let rows = tx.query("SELECT seq, digest FROM seals ORDER BY seq DESC LIMIT 1", &[])?;
                let (mut seq, mut digest) = match rows.first() {
                    Some(row) => (row.int(0)?, row.parse(1)?),
                    None => (0, start()),
                };
                let sql = "SELECT seq, at, kind, subject, detail FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
                let rows = tx.query(sql, values![seq, PAGE])?;
                is_more = rows.len() as i64 == PAGE;
                for row in &rows {
                    (seq, digest) = (row.int(0)?, next(&digest, row)?);
                }
                if !rows.is_empty() {
                    let sql = "INSERT INTO seals (seq, digest, sealed_at) VALUES (?1, ?2, ?3)";
                    tx.execute(sql, values![seq, digest, now])?;
                }
                last = (seq > 0).then_some(Seal { seq, digest });
                Ok(())
            })?;
            if !is_more {
                return Ok(last);
            }
        }
    }

    /// Looks at every event and every seal again. `known` is a seal that somebody has kept elsewhere.
    pub fn prove_events(&self, known: Option<&Seal>) -> Result<Proof> {
        self.number_events()?;
        let rows = self.db.query("SELECT seq, digest FROM seals ORDER BY seq", &[])?;
        let seals =
            rows.iter().map(|r| Ok(Seal { seq: r.int(0)?, digest: r.parse(1)? })).collect::<Result<Vec<_>>>()?;
        let mut proof = Proof { last: seals.last().cloned(), ..Proof::default() };
        let (mut at, mut digest, mut sealed) = (0, start(), seals.iter().peekable());
        // After what does not fit, the chain goes on from the seal as it is written: each place is named once.
        let mut from = 0;
        loop {
            let sql = "SELECT seq, at, kind, subject, detail FROM events WHERE seq > ?1 ORDER BY seq LIMIT ?2";
            let rows = self.db.query(sql, values![at, PAGE])?;
            for row in &rows {
                let seq = row.int(0)?;
                while let Some(seal) = sealed.next_if(|seal| seal.seq < seq) {
                    proof.findings.push(format!("event {} was sealed and is gone", seal.seq));
                    (digest, from) = (seal.digest, seal.seq);
                }
                if seq != at + 1 && from < seq - 1 {
                    let which = if seq - 1 > at + 1 {
                        format!("events {} to {}", at + 1, seq - 1)
                    } else {
                        format!("event {}", at + 1)
                    };
                    proof.findings.push(format!("{which}: removed"));
                }
                (at, digest) = (seq, next(&digest, row)?);
                proof.events += 1;
                if let Some(seal) = sealed.next_if(|seal| seal.seq == seq) {
                    if seal.digest != digest {
                        let range = format!("events {} to {seq}", from + 1);
                        proof.findings.push(format!("{range} are not as they were when they were sealed"));
                        digest = seal.digest;
                    }
                    from = seq;
                }
                if known.is_some_and(|known| known.seq == seq && known.digest != digest) {
                    proof.findings.push(format!("the seal on event {seq} is not the one that was kept elsewhere"));
                }
            }
            if (rows.len() as i64) < PAGE {
                break;
            }
        }
        for seal in sealed {
            proof.findings.push(format!("event {} was sealed and is gone", seal.seq));
        }
        if let Some(known) = known.filter(|known| known.seq > at) {
            proof.findings.push(format!("event {}, whose seal was kept elsewhere, is gone", known.seq));
        }
        Ok(proof)
    }
}

fn next(before: &Digest, row: &super::db::Row) -> Result<Digest> {
    let fields = [
        before.to_string(),
        row.int(0)?.to_string(),
        row.int(1)?.to_string(),
        row.text(2)?.to_owned(),
        row.text(3)?.to_owned(),
        row.text(4)?.to_owned(),
    ];
    Ok(Digest::of_fields(&fields))
}

impl std::fmt::Display for Seal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}:{}", self.seq, self.digest)
    }
}

impl std::str::FromStr for Seal {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("'{text}' is not a seal: expected NUMBER:DIGEST"));
        let (seq, digest) = text.split_once(':').ok_or_else(wrong)?;
        Ok(Self { seq: seq.parse().map_err(|_| wrong())?, digest: digest.parse()? })
    }
}
