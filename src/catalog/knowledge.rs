//! What is known of assets beyond their bytes: what people say of them, and what was found in them.

use super::{
    Catalog,
    assets::to_json,
    db::{Row, Tx, values},
    events::append,
};
use crate::{
    digest::Digest,
    error::{Error, Result},
    model::{AssetId, Description, FindingKind, Findings, Source},
};

/// What people say of an asset, and how often that was changed.
#[derive(Clone, Debug, PartialEq)]
pub struct Described {
    /// 0 where nobody has said anything yet.
    pub revision: i64,
    /// What is said.
    pub description: Description,
}

/// A change of what is said of an asset: what is none stays as it is.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Edit {
    /// What it is called.
    pub title: Option<String>,
    /// Its collection; an empty text: none.
    pub collection: Option<String>,
    /// All else that is said of it.
    pub description: Option<Description>,
}

pub(super) fn findings(row: &Row) -> Result<Findings> {
    Ok(Findings {
        master: row.parse(0)?,
        kind: row.parse(1)?,
        track: row.int(2)? as u32,
        recipe: row.parse(3)?,
        language: row.maybe_text(4)?.map(str::to_owned),
        source: row.json::<Source>(5)?,
        items: row.json(6)?,
    })
}

/// Keeps findings and makes them the active ones of their kind and track, unless a person has written those. Done twice,
/// it changes nothing.
pub(super) fn learn(tx: &mut dyn Tx, now: i64, f: &Findings) -> Result<()> {
    tx.lock(&format!("findings {}", f.master))?;
    let by_hand = i64::from(f.source.by_hand);
    let sql = "INSERT INTO findings (master, kind, track, recipe, language, source, by_hand, items, active, made_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, 0, ?9)
               ON CONFLICT (master, kind, track, recipe) DO UPDATE SET language = excluded.language, source = excluded.source,
                   by_hand = excluded.by_hand, items = excluded.items, made_at = excluded.made_at";
    let (source, items) = (to_json(&f.source)?, to_json(&f.items)?);
    let (kind, track, language) = (f.kind.as_str(), i64::from(f.track), f.language.as_deref());
    tx.execute(sql, values![f.master, kind, track, f.recipe, language, source, by_hand, items, now])?;
    // What a person wrote stays until a person writes something else.
    let sql = "UPDATE findings SET active = CASE WHEN recipe = ?4 THEN 1 ELSE 0 END
               WHERE master = ?1 AND kind = ?2 AND track = ?3
                   AND (?5 = 1 OR NOT EXISTS (SELECT 1 FROM findings h WHERE h.master = ?1 AND h.kind = ?2 AND h.track = ?3
                                              AND h.by_hand = 1 AND h.active = 1))";
    tx.execute(sql, values![f.master, kind, track, f.recipe, by_hand]).map(drop)
}

impl Catalog {
    /// What people say of an asset.
    pub fn described(&self, asset: AssetId) -> Result<Described> {
        let sql = "SELECT revision, fields FROM descriptions WHERE asset = ?1";
        match self.db.query(sql, values![asset])?.first() {
            Some(row) => Ok(Described { revision: row.int(0)?, description: row.json(1)? }),
            None => Ok(Described { revision: 0, description: Description::default() }),
        }
    }

    /// Changes what is said of an asset, if nobody has since the given revision (`Conflict` otherwise); none: whatever
    /// others did. The actor is who did it, for the record. Says the new revision.
    pub fn describe(&self, asset: AssetId, edit: &Edit, revision: Option<i64>, actor: &str) -> Result<i64> {
        if let Some(description) = &edit.description {
            description.check()?;
        }
        let is_odd = |text: &String| text.trim().is_empty() || text.len() > 1000 || text.chars().any(char::is_control);
        if edit.title.as_ref().is_some_and(is_odd) {
            return Err(Error::invalid("a title has 1 to 1000 bytes, in one line"));
        }
        if edit.collection.as_ref().is_some_and(|c| !c.is_empty() && is_odd(c)) {
            return Err(Error::invalid("a collection's name has 1 to 1000 bytes, in one line"));
        }
        let now = self.now()?;
        let mut new = 0;
        self.db.with_tx(&mut |tx| {
            tx.lock(&format!("asset {asset}"))?;
            let rows = tx.query("SELECT title, collection FROM assets WHERE id = ?1", values![asset])?;
            let Some(row) = rows.first() else { return Err(Error::not_found(format!("there is no asset {asset}"))) };
            let (was_title, was_collection) = (row.text(0)?.to_owned(), row.maybe_text(1)?.map(str::to_owned));
            let sql = "SELECT revision, fields FROM descriptions WHERE asset = ?1";
            let rows = tx.query(sql, values![asset])?;
            let (is, before) = match rows.first() {
                Some(row) => (row.int(0)?, row.json::<Description>(1)?),
                None => (0, Description::default()),
            };
            if revision.is_some_and(|known| known != is) {
                return Err(Error::new(
                    crate::error::Kind::Conflict,
                    format!("asset {asset} was changed since: it is at revision {is}"),
                )
                .hint("read it again, then change it"));
            }
            new = is + 1;
            let fields = edit.description.as_ref().unwrap_or(&before);
            let title = edit.title.as_deref().unwrap_or(&was_title);
            let collection = match edit.collection.as_deref() {
                None => was_collection.as_deref(),
                Some("") => None,
                some => some,
            };
            let sql = "UPDATE assets SET title = ?2, collection = ?3 WHERE id = ?1";
            tx.execute(sql, values![asset, title, collection])?;
            let sql = "INSERT INTO descriptions (asset, revision, fields, changed_at) VALUES (?1, ?2, ?3, ?4)
                       ON CONFLICT (asset) DO UPDATE SET revision = excluded.revision, fields = excluded.fields,
                           changed_at = excluded.changed_at";
            tx.execute(sql, values![asset, new, to_json(fields)?, now])?;
            let detail = serde_json::json!({"revision": new, "actor": actor, "was": {"title": was_title,
                "collection": was_collection, "description": before}});
            append(tx, now, "asset.described", &asset.to_string(), &detail)
        })?;
        Ok(new)
    }

    /// The active findings of masters, each with its master's digest, by kind and track.
    pub fn findings_of(&self, masters: &[Digest]) -> Result<Vec<Findings>> {
        let sql = "SELECT master, kind, track, recipe, language, source, items FROM findings
                   WHERE master = ?1 AND active = 1 ORDER BY kind, track";
        let mut all = Vec::new();
        for master in masters {
            for row in self.db.query(sql, values![master])? {
                all.push(findings(&row)?);
            }
        }
        Ok(all)
    }

    /// The findings that a recipe brought of a master, whether they count or not.
    pub fn findings_by(&self, master: &Digest, recipe: &Digest) -> Result<Vec<Findings>> {
        let sql = "SELECT master, kind, track, recipe, language, source, items FROM findings
                   WHERE master = ?1 AND recipe = ?2 ORDER BY kind, track";
        self.db.query(sql, values![master, recipe])?.iter().map(findings).collect()
    }

    /// What counts of what is said in a master, by kind and track; `at` a time (ms): what counted then, as far as it is known.
    /// Where a person did not say which language it is, it is the one that was heard.
    pub fn said_at(&self, master: &Digest, at: Option<i64>) -> Result<Vec<Findings>> {
        let sql = "SELECT master, kind, track, recipe, language, source, items, active, made_at FROM findings
                   WHERE master = ?1 AND kind IN ('speech', 'translation')
                   ORDER BY kind, track, by_hand DESC, made_at DESC, recipe";
        let mut all: Vec<(Findings, bool, bool)> = Vec::new();
        for row in self.db.query(sql, values![master])? {
            let was_there = at.is_none_or(|at| row.int(8).is_ok_and(|made| made <= at));
            all.push((findings(&row)?, row.int(7)? == 1, was_there));
        }
        let mut said = Vec::new();
        for of in all.chunk_by(|(a, ..), (b, ..)| (a.kind, a.track) == (b.kind, b.track)) {
            let first = |is: &dyn Fn(bool, bool) -> bool| of.iter().find(|(_, active, was)| is(*active, *was));
            let counts = first(&|active, was| active && was).or_else(|| first(&|_, was| was && at.is_some()));
            let Some((counts, ..)) = counts.or_else(|| first(&|active, _| active)) else { continue };
            let language = counts.language.clone().or_else(|| of.iter().find_map(|(f, ..)| f.language.clone()));
            said.push(Findings { language, ..counts.clone() });
        }
        Ok(said)
    }

    /// Keeps what a person found in a master of an asset; no model takes its place.
    pub fn import_findings(&self, asset: AssetId, found: &Findings, actor: &str) -> Result<()> {
        let now = self.now()?;
        self.db.with_tx(&mut |tx| {
            learn(tx, now, found)?;
            let detail = serde_json::json!({"kind": found.kind, "track": found.track, "recipe": found.recipe,
                "items": found.items.len(), "source": found.source, "actor": actor});
            append(tx, now, "findings.ready", &asset.to_string(), &detail)
        })
    }

    /// Takes away what people brought of a kind and track of a master of an asset. What a model found last counts again; its
    /// source, if there is one.
    ///
    /// Errors: `NotFound` where nobody has brought anything.
    pub fn remove_findings(
        &self,
        asset: AssetId,
        (master, kind, track): (&Digest, FindingKind, u32),
        actor: &str,
    ) -> Result<Option<Source>> {
        let now = self.now()?;
        let mut back = None;
        self.db.with_tx(&mut |tx| {
            tx.lock(&format!("findings {master}"))?;
            let of = values![master, kind.as_str(), i64::from(track)];
            // It is kept, as all that does not count, and is nobody's any more that others have to make way for.
            let sql = "UPDATE findings SET active = 0, by_hand = 0
                       WHERE master = ?1 AND kind = ?2 AND track = ?3 AND by_hand = 1";
            if tx.execute(sql, of)? == 0 {
                let message = format!("nobody has brought a transcript of sound track {track} of asset {asset}");
                return Err(Error::not_found(message));
            }
            let sql = "SELECT recipe, source FROM findings WHERE master = ?1 AND kind = ?2 AND track = ?3
                       ORDER BY made_at DESC, recipe";
            back = None;
            for row in tx.query(sql, of)? {
                let source: Source = row.json(1)?;
                if !source.by_hand {
                    back = Some((row.parse::<Digest>(0)?, source));
                    break;
                }
            }
            if let Some((recipe, _)) = &back {
                let sql = "UPDATE findings SET active = 1, made_at = ?5
                           WHERE master = ?1 AND kind = ?2 AND track = ?3 AND recipe = ?4";
                tx.execute(sql, values![master, kind.as_str(), i64::from(track), recipe, now])?;
            }
            let recipe = back.as_ref().map(|(recipe, _)| recipe);
            let detail = serde_json::json!({"kind": kind, "track": track, "recipe": recipe, "actor": actor});
            append(tx, now, "findings.removed", &asset.to_string(), &detail)
        })?;
        Ok(back.map(|(_, source)| source))
    }

    /// Up to which event the jobs of an index were planned; none for one that was not planned as a whole yet.
    pub fn index_cursor(&self, index: &str) -> Result<Option<i64>> {
        let rows = self.db.query("SELECT seq FROM index_cursors WHERE index_id = ?1", values![index])?;
        rows.first().map(|row| row.int(0)).transpose()
    }

    /// The number of the last event and that [`index_cursor`](Self::index_cursor), as they are at one moment. Events that have no
    /// number are numbered first.
    pub fn last_event_and_index_cursor(&self, index: &str) -> Result<(i64, Option<i64>)> {
        let sql =
            "SELECT (SELECT COALESCE(MAX(seq), 0) FROM events), (SELECT seq FROM index_cursors WHERE index_id = ?1),
                          CASE WHEN EXISTS (SELECT 1 FROM news) THEN CAST(1 AS BIGINT) ELSE CAST(0 AS BIGINT) END";
        loop {
            let rows = self.db.query(sql, values![index])?;
            let row = rows.first().ok_or_else(|| Error::internal("a selection of values without a row"))?;
            match row.int(2)? {
                0 => return Ok((row.int(0)?, row.maybe_int(1)?)),
                _ => self.number_events()?,
            }
        }
    }

    /// Remembers up to which event the jobs of an index were planned.
    pub fn set_index_cursor(&self, index: &str, seq: i64) -> Result<()> {
        self.db.with_tx(&mut |tx| {
            let sql = "INSERT INTO index_cursors (index_id, seq) VALUES (?1, ?2)
                       ON CONFLICT (index_id) DO UPDATE SET seq = excluded.seq WHERE index_cursors.seq < excluded.seq";
            tx.execute(sql, values![index, seq]).map(drop)
        })
    }
}
