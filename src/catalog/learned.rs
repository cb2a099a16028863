//! What has been learned of masters already, and what looks like what.

use std::collections::HashMap;

use super::{
    Catalog,
    assets::to_json,
    db::{Row, Tx, Value, values},
};
use crate::{
    digest::Digest,
    error::Result,
    model::{FindingKind, Looks, LooksOf, MeaningOf, Source},
};

/// A set of findings that is there.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Learned {
    /// What they are about.
    pub kind: FindingKind,
    /// The sound track, counted from 1; 0 where that has no meaning.
    pub track: u32,
    /// What they were made by and how.
    pub recipe: Digest,
    /// What was heard first, where what was doubted of it was heard again.
    pub first: Option<Digest>,
    /// Who found them, of the kinds of which that was asked.
    pub by: Option<String>,
    /// Whether a person wrote them.
    pub by_hand: bool,
    /// Whether they count.
    pub active: bool,
    /// Whether there is nothing in it.
    pub is_empty: bool,
}

impl Learned {
    /// Whether a model of this name found them, alone or with others. Where it was not asked who did, it is not told.
    pub fn is_by(&self, model: &str) -> bool {
        let rest = self.by.as_ref().and_then(|by| by.strip_prefix(model));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with([' ', ',']))
    }
}

/// What has been learned of a master.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Knowledge {
    /// Its findings.
    pub learned: Vec<Learned>,
    /// By which version it was looked at.
    pub looks: Option<Digest>,
    /// By which recipe it is known what it means, and of which words.
    pub meaning: Option<(Digest, Digest)>,
}

impl Knowledge {
    /// The sets of these kinds that count and have something in them, each in a line, in an order that is always the same.
    pub fn sets(&self, kinds: &[FindingKind]) -> Vec<String> {
        let sets = self.learned.iter().filter(|l| l.active && !l.is_empty && kinds.contains(&l.kind));
        let mut all: Vec<String> = sets.map(|l| format!("{} {} {}", l.kind.as_str(), l.track, l.recipe)).collect();
        all.sort();
        all
    }
}

/// Most bits in which near duplicates differ: three changes leave one part of four as it was.
const NEAR: u32 = 10;

const PAGE: usize = 500;

fn places() -> String {
    (1..=PAGE).map(|i| format!("?{i}")).collect::<Vec<_>>().join(", ")
}

fn parts(bits: u64) -> [i64; 4] {
    [48, 32, 16, 0].map(|shift| (bits >> shift & 0xffff) as i64)
}

/// Keeps what a master looks like.
pub(super) fn keep_looks(tx: &mut dyn Tx, now: i64, of: &LooksOf) -> Result<()> {
    let [a, b, c, d] = parts(of.looks.bits().unwrap_or(0));
    let sql = "INSERT INTO looks (master, recipe, part_a, part_b, part_c, part_d, facts, made_at)
               VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)
               ON CONFLICT (master) DO UPDATE SET recipe = excluded.recipe, part_a = excluded.part_a,
                   part_b = excluded.part_b, part_c = excluded.part_c, part_d = excluded.part_d,
                   facts = excluded.facts, made_at = excluded.made_at";
    tx.execute(sql, values![of.master, of.recipe, a, b, c, d, to_json(&of.looks)?, now]).map(drop)
}

/// Keeps what a master's passages mean.
pub(super) fn keep_meaning(tx: &mut dyn Tx, now: i64, of: &MeaningOf) -> Result<()> {
    let sql = "INSERT INTO meanings (master, recipe, words, vectors, made_at) VALUES (?1, ?2, ?3, ?4, ?5)
               ON CONFLICT (master) DO UPDATE SET recipe = excluded.recipe, words = excluded.words,
                   vectors = excluded.vectors, made_at = excluded.made_at";
    tx.execute(sql, values![of.master, of.recipe, of.words, to_json(&of.vectors)?, now]).map(drop)
}

impl Catalog {
    /// What has been learned of these masters. `told` are kinds of which it is told who found them.
    pub fn knowledge_of(&self, masters: &[Digest], told: &[FindingKind]) -> Result<HashMap<Digest, Knowledge>> {
        let mut known: HashMap<Digest, Knowledge> = HashMap::new();
        let kinds = told.iter().map(|kind| format!("'{}'", kind.as_str())).collect::<Vec<_>>().join(", ");
        let is_told = if told.is_empty() { String::new() } else { format!(" OR kind IN ({kinds})") };
        let found = format!(
            "SELECT master, kind, track, recipe, by_hand, active, CASE WHEN items = '[]' THEN 1 ELSE 0 END,
                    CASE WHEN source LIKE '%\"again\":%'{is_told} THEN source END
             FROM findings WHERE master IN ({})",
            places()
        );
        let seen = format!("SELECT master, recipe FROM looks WHERE master IN ({})", places());
        let meant = format!("SELECT master, recipe, words FROM meanings WHERE master IN ({})", places());
        for page in masters.chunks(PAGE) {
            // Filled up with the last, so that it is one statement however many there are.
            let mut values: Vec<Value> = page.iter().map(Value::from).collect();
            values.resize(PAGE, page.last().into());
            for row in self.db.query(&found, &values)? {
                let source = row.maybe_text(7)?.map(|_| row.json::<Source>(7)).transpose()?;
                let learned = Learned {
                    kind: row.parse(1)?,
                    track: row.int(2)? as u32,
                    recipe: row.parse(3)?,
                    first: source.as_ref().and_then(|source| source.again.as_ref()).map(|again| again.of),
                    by: source.map(|source| source.name),
                    by_hand: row.int(4)? == 1,
                    active: row.int(5)? == 1,
                    is_empty: row.int(6)? == 1,
                };
                known.entry(row.parse(0)?).or_default().learned.push(learned);
            }
            for row in self.db.query(&seen, &values)? {
                known.entry(row.parse(0)?).or_default().looks = Some(row.parse(1)?);
            }
            for row in self.db.query(&meant, &values)? {
                known.entry(row.parse(0)?).or_default().meaning = Some((row.parse(1)?, row.parse(2)?));
            }
        }
        Ok(known)
    }

    /// What a master's passages mean, if that is known.
    pub fn meaning(&self, master: &Digest) -> Result<Option<MeaningOf>> {
        let rows = self.db.query("SELECT recipe, words, vectors FROM meanings WHERE master = ?1", values![master])?;
        let of = |row: &Row| {
            Ok(MeaningOf { master: *master, recipe: row.parse(0)?, words: row.parse(1)?, vectors: row.json(2)? })
        };
        rows.first().map(of).transpose()
    }

    /// What a master looks like, if that is known.
    pub fn looks(&self, master: &Digest) -> Result<Option<Looks>> {
        let rows = self.db.query("SELECT facts FROM looks WHERE master = ?1", values![master])?;
        rows.first().map(|row| row.json(0)).transpose()
    }

    /// Masters that look nearly the same as this one, the most alike first, each with the number of bits in which they differ.
    pub fn look_alikes(&self, master: &Digest, limit: usize) -> Result<Vec<(Digest, u32)>> {
        let Some(bits) = self.looks(master)?.as_ref().and_then(Looks::bits) else { return Ok(Vec::new()) };
        let [a, b, c, d] = parts(bits);
        let sql = "SELECT master, part_a, part_b, part_c, part_d FROM looks
                   WHERE part_a = ?1 OR part_b = ?2 OR part_c = ?3 OR part_d = ?4";
        let mut near = Vec::new();
        for row in self.db.query(sql, values![a, b, c, d])? {
            let other: Digest = row.parse(0)?;
            let its =
                (1..=4).try_fold(0_u64, |bits, i| Ok::<_, crate::error::Error>(bits << 16 | row.int(i)? as u64))?;
            let apart = (bits ^ its).count_ones();
            if other != *master && apart <= NEAR {
                near.push((other, apart));
            }
        }
        near.sort_by_key(|(digest, apart)| (*apart, *digest));
        near.truncate(limit);
        Ok(near)
    }
}
