//! What an archive takes, and how it grows: bytes and objects by collection, area, entry and month.

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Catalog, db::values};
use crate::{
    error::Result,
    model::{Area, RenditionFile},
};

/// What is counted together.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct Share {
    /// `masters` or `renditions`.
    pub area: &'static str,
    /// The collection; none: of no collection.
    pub collection: Option<String>,
    /// The profile's entry, of renditions.
    pub entry: Option<String>,
    /// The month in which it came, by UTC: `2026-11`.
    pub month: String,
}

/// How much of it there is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Amount {
    /// Objects.
    pub objects: u64,
    /// Their bytes.
    pub bytes: u64,
}

fn month(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().to_string().chars().take(7).collect()
}

impl Catalog {
    /// What the archive takes. A master of several assets counts for the first of them, since that came.
    pub fn usage(&self) -> Result<BTreeMap<Share, Amount>> {
        const PAGE: i64 = 2000;
        let mut all: BTreeMap<Share, Amount> = BTreeMap::new();
        let mut after = String::new();
        loop {
            let sql = "SELECT m.digest, m.bytes, a.collection, a.created_at FROM masters m
                       LEFT JOIN assets a ON a.id = (SELECT MIN(b.asset) FROM members b WHERE b.digest = m.digest)
                       WHERE m.digest > ?1 ORDER BY m.digest LIMIT ?2";
            let page = self.db.query(sql, values![after.as_str(), PAGE])?;
            let Some(last) = page.last() else { break };
            after = last.text(0)?.to_owned();
            for r in &page {
                let collection = r.maybe_text(2)?.map(str::to_owned);
                let month = month(r.maybe_int(3)?.unwrap_or(0));
                let share = Share { area: Area::Masters.as_str(), collection, entry: None, month };
                let amount = all.entry(share).or_default();
                amount.objects += 1;
                amount.bytes += r.int(1)? as u64;
            }
        }
        let mut after = (String::new(), String::new(), String::new());
        loop {
            let sql = "SELECT r.master, r.entry, r.recipe, r.files, r.created_at, a.collection
                       FROM renditions r LEFT JOIN assets a ON a.id = r.asset
                       WHERE r.master > ?1 OR (r.master = ?1 AND (r.entry > ?2 OR (r.entry = ?2 AND r.recipe > ?3)))
                       ORDER BY r.master, r.entry, r.recipe LIMIT ?4";
            let page = self.db.query(sql, values![after.0.as_str(), after.1.as_str(), after.2.as_str(), PAGE])?;
            let Some(last) = page.last() else { break };
            after = (last.text(0)?.to_owned(), last.text(1)?.to_owned(), last.text(2)?.to_owned());
            for r in &page {
                let files: Vec<RenditionFile> = r.json(3)?;
                let entry = r.text(1)?.split('@').next().unwrap_or_default().to_owned();
                let collection = r.maybe_text(5)?.map(str::to_owned);
                let share =
                    Share { area: Area::Renditions.as_str(), collection, entry: Some(entry), month: month(r.int(4)?) };
                let amount = all.entry(share).or_default();
                amount.objects += files.len() as u64;
                amount.bytes += files.iter().map(|f| f.bytes).sum::<u64>();
            }
        }
        Ok(all)
    }
}
