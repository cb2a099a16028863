//! Records: all that is known of an asset and cannot be had from its bytes, as one document. They are kept in the store, so
//! that a catalog can be made of nothing but them.

use std::collections::{BTreeMap, BTreeSet, HashMap, btree_map::Entry};

use serde::{Deserialize, Serialize};

use super::{
    ArchiveState, Archived, Catalog, Collection,
    assets::{SIGHTING, role, to_json},
    db::{Tx, Value, values},
    events::append,
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    model::{
        Asset, AssetId, Description, Drive, DriveId, Findings, Key, MediaFacts, Publication, PublicationId,
        PublicationState, Rendition, Role, Sighting,
    },
};

/// Assets of a query.
const PAGE: usize = 250;
/// Stands for the digest of what the store's records say of an asset while somebody tells them, or died of it.
const UNKNOWN: &str = "";

/// An asset as it was at a time.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The asset.
    pub asset: Asset,
    /// The number of its active generation.
    pub generation: u32,
    /// Which masters make up which generation.
    pub members: Vec<Membership>,
    /// These masters.
    pub masters: Vec<Original>,
    /// Where they were seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub sightings: Vec<Seen>,
    /// The drives of these sightings.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub drives: Vec<DriveOf>,
    /// What people say of it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub said: Option<Said>,
    /// What its collection says.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub collection: Option<Collection>,
    /// What people have found in its masters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub findings: Vec<Findings>,
    /// What was made of its masters.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub renditions: Vec<Made>,
    /// The generation that waits for its renditions.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pending: Option<Waits>,
    /// Where it is published, or was to be.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub publications: Vec<Posted>,
}

/// A generation that waits, for which renditions, and since when (ms).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Waits {
    /// Its number.
    pub generation: u32,
    /// Entry and recipe of each.
    pub wanted: Vec<(String, Digest)>,
    /// Since when.
    pub since: i64,
}

/// A publication, without what only who sends it may know.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Posted {
    /// Its identity.
    pub id: PublicationId,
    /// The asset's generation.
    pub generation: i64,
    /// The profile entry.
    pub entry: String,
    /// The channel.
    pub channel: String,
    /// The kind of place and the account there.
    pub outlet: String,
    /// How often it was published before.
    #[serde(default)]
    pub again: i64,
    /// How far it had come.
    pub state: PublicationState,
    /// What it is, by the digests of its files.
    pub content: Digest,
    /// What the place calls it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place_id: Option<String>,
    /// Where people find it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// Who wanted it.
    pub actor: String,
    /// When it was wanted, and when it last changed (ms).
    pub at: (i64, i64),
}

impl Posted {
    fn of(p: Publication) -> Self {
        let (place_id, url) = p.receipt.map_or((None, None), |r| (Some(r.id), r.url));
        let Publication { id, generation, entry, channel, outlet, again, state, content, actor, .. } = p;
        let at = (p.created_at, p.updated_at);
        Self { id, generation, entry, channel, outlet, again, state, content, place_id, url, actor, at }
    }
}

/// A master in a generation.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Membership {
    /// The generation's number.
    pub generation: u32,
    /// The master's digest.
    pub digest: Digest,
    /// What it is to the asset.
    pub role: Role,
    /// What it is called in it.
    pub name: String,
}

/// A master, whatever it is a member of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Original {
    /// SHA-256.
    pub digest: Digest,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of head and tail.
    pub fingerprint: Option<Digest>,
    /// Where it is.
    pub key: Key,
    /// Technical metadata.
    pub facts: MediaFacts,
    /// That it has left the hot area, and for what; copies for a time are not told of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub archived: Option<Archived>,
}

/// A sighting, and when it was (ms).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Seen {
    /// When.
    pub at: i64,
    /// What.
    #[serde(flatten)]
    pub sighting: Sighting,
}

/// A drive, when it was first and last looked at (ms).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct DriveOf {
    /// The drive.
    #[serde(flatten)]
    pub drive: Drive,
    /// When it was first taken in.
    pub first_at: i64,
}

/// What people say of an asset, and when they said it last (ms).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Said {
    /// How often it was changed.
    pub revision: i64,
    /// When it was changed last.
    pub at: i64,
    /// What is said.
    pub fields: Description,
}

/// A rendition, and when it was made (ms).
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Made {
    /// The rendition.
    #[serde(flatten)]
    pub rendition: Rendition,
    /// Whether it is the one that is shown.
    pub active: bool,
    /// When.
    pub at: i64,
}

impl Record {
    /// The object that the record is kept beside: that of the first generation's main master.
    pub fn home(&self) -> Option<&Key> {
        let main = self.members.iter().filter(|m| m.role == Role::Main).min_by_key(|m| m.generation)?;
        self.masters.iter().find(|m| m.digest == main.digest).map(|m| &m.key)
    }
}

impl Catalog {
    /// The records of these assets as they are now, by their ids; what is not there has none.
    pub fn records(&self, assets: &[AssetId]) -> Result<BTreeMap<AssetId, Record>> {
        let mut all = BTreeMap::new();
        for page in assets.chunks(PAGE) {
            // Filled up with the last, so that it is one statement however many there are.
            let mut ids: Vec<Value> = page.iter().map(Value::from).collect();
            ids.resize(PAGE, page.last().into());
            self.records_of(&ids, &mut all)?;
        }
        Ok(all)
    }

    fn records_of(&self, ids: &[Value], all: &mut BTreeMap<AssetId, Record>) -> Result<()> {
        let list: Vec<String> = (1..=ids.len()).map(|i| format!("?{i}")).collect();
        let list = list.join(", ");
        let sql =
            format!("SELECT id, kind, title, collection, created_at, generation FROM assets WHERE id IN ({list})");
        for r in self.db.query(&sql, ids)? {
            let id = r.parse(0)?;
            let (title, collection) = (r.text(2)?.to_owned(), r.maybe_text(3)?.map(str::to_owned));
            let said = collection.as_deref().map(|name| self.collection(name)).transpose()?.filter(|c| c.revision > 0);
            let asset = Asset { id, kind: r.parse(1)?, title, collection, created_at: r.int(4)? };
            let record = Record {
                asset,
                generation: r.int(5)? as u32,
                members: Vec::new(),
                masters: Vec::new(),
                sightings: Vec::new(),
                drives: Vec::new(),
                said: None,
                collection: said,
                findings: Vec::new(),
                renditions: Vec::new(),
                pending: None,
                publications: Vec::new(),
            };
            all.insert(id, record);
        }
        let sql = format!(
            "SELECT asset, generation, digest, role, name FROM members WHERE asset IN ({list})
             ORDER BY generation, role, digest"
        );
        let mut masters_of: BTreeMap<Digest, BTreeSet<AssetId>> = BTreeMap::new();
        for r in self.db.query(&sql, ids)? {
            let (asset, digest) = (r.parse(0)?, r.parse(2)?);
            let (role, name) = (role(r.text(3)?)?, r.text(4)?.to_owned());
            masters_of.entry(digest).or_default().insert(asset);
            if let Some(record) = all.get_mut(&asset) {
                record.members.push(Membership { generation: r.int(1)? as u32, digest, role, name });
            }
        }
        let holders = |digest: &Digest| masters_of.get(digest).into_iter().flatten();
        let of: Vec<Digest> = if self.has_archived()? { masters_of.keys().copied().collect() } else { Vec::new() };
        let mut shelved = self.archived_among(&of)?;
        for told in shelved.values_mut().filter(|a| !a.is_readable() || a.until.is_some()) {
            *told = Archived { state: ArchiveState::Archived, until: None, at: 0, ..told.clone() };
        }
        shelved.values_mut().for_each(|told| told.at = 0);
        let sql = format!(
            "SELECT digest, bytes, fingerprint, key, facts FROM masters
             WHERE digest IN (SELECT digest FROM members WHERE asset IN ({list})) ORDER BY digest"
        );
        for r in self.db.query(&sql, ids)? {
            let (digest, bytes, fingerprint) = (r.parse(0)?, r.int(1)? as u64, r.maybe_parse(2)?);
            let archived = shelved.remove(&digest);
            let master = Original { digest, bytes, fingerprint, key: r.parse(3)?, facts: r.json(4)?, archived };
            for asset in holders(&digest) {
                if let Some(record) = all.get_mut(asset) {
                    record.masters.push(master.clone());
                }
            }
        }
        let sql =
            format!("SELECT {SIGHTING}, s.seen_at FROM sightings s WHERE s.asset IN ({list}) ORDER BY s.drive, s.path");
        let mut drives: BTreeMap<DriveId, DriveOf> = BTreeMap::new();
        for r in self.db.query(&sql, ids)? {
            let seen = Seen { at: r.int(10)?, sighting: super::assets::sighting(&r)? };
            let Some(record) = seen.sighting.asset.and_then(|asset| all.get_mut(&asset)) else { continue };
            let id = seen.sighting.drive;
            if let Entry::Vacant(new) = drives.entry(id) {
                let sql =
                    "SELECT id, identity, label, root, fs_uuid, serial, bytes, created_at FROM drives WHERE id = ?1";
                let rows = self.db.query(sql, values![id])?;
                let Some(r) = rows.first() else { continue };
                new.insert(DriveOf { first_at: r.int(7)?, drive: super::assets::drive(r)? });
            }
            if let Some(drive) = drives.get(&id).filter(|_| record.drives.iter().all(|d| d.drive.id != id)) {
                record.drives.push(drive.clone());
            }
            record.sightings.push(seen);
        }
        let sql = format!("SELECT asset, revision, changed_at, fields FROM descriptions WHERE asset IN ({list})");
        for r in self.db.query(&sql, ids)? {
            let said = Said { revision: r.int(1)?, at: r.int(2)?, fields: r.json(3)? };
            if let Some(record) = all.get_mut(&r.parse(0)?) {
                record.said = Some(said);
            }
        }
        let sql = format!(
            "SELECT master, kind, track, recipe, language, source, items FROM findings
             WHERE master IN (SELECT digest FROM members WHERE asset IN ({list})) AND active = 1 AND by_hand = 1
             ORDER BY master, kind, track"
        );
        for r in self.db.query(&sql, ids)? {
            let found = super::knowledge::findings(&r)?;
            for asset in holders(&found.master) {
                if let Some(record) = all.get_mut(asset) {
                    record.findings.push(found.clone());
                }
            }
        }
        let sql = format!(
            "SELECT asset, master, entry, recipe, prefix, files, facts, active, created_at FROM renditions
             WHERE asset IN ({list}) AND entry NOT LIKE '%@segment-%' ORDER BY master, entry, recipe"
        );
        for r in self.db.query(&sql, ids)? {
            let rendition = super::renditions::rendition(&r)?;
            if let Some(record) = all.get_mut(&rendition.asset) {
                record.renditions.push(Made { rendition, active: r.int(7)? == 1, at: r.int(8)? });
            }
        }
        let sql = format!("SELECT asset, generation, wanted, since FROM pending WHERE asset IN ({list})");
        for r in self.db.query(&sql, ids)? {
            if let Some(record) = all.get_mut(&r.parse(0)?) {
                record.pending = Some(Waits { generation: r.int(1)? as u32, wanted: r.json(2)?, since: r.int(3)? });
            }
        }
        for p in self.publications_among(ids, &list)? {
            if let Some(record) = all.get_mut(&p.asset) {
                record.publications.push(Posted::of(p));
            }
        }
        Ok(())
    }

    /// Begins to tell the store of assets: says the time (ms) of what is told, and the digests of what was told before. From then
    /// on, until [`mark_recorded`](Self::mark_recorded) at that time, nobody knows what the store's records say of them.
    ///
    /// What is read after this call is at least as new as what anybody told at an earlier time, for no two begin to tell of an
    /// asset at the same.
    pub fn begin_record(&self, assets: &[AssetId]) -> Result<(i64, HashMap<AssetId, Digest>)> {
        let now = self.now()?;
        let (mut at, mut known) = (now, HashMap::new());
        self.db.with_tx(&mut |tx| {
            tx.lock("records")?;
            (at, known) = (now, HashMap::new());
            for page in assets.chunks(PAGE) {
                let mut ids: Vec<Value> = page.iter().map(Value::from).collect();
                ids.resize(PAGE, page.last().into());
                let list: Vec<String> = (1..=PAGE).map(|i| format!("?{i}")).collect();
                let sql = format!("SELECT asset, digest, at FROM recorded WHERE asset IN ({})", list.join(", "));
                for r in tx.query(&sql, &ids)? {
                    if r.text(1)? != UNKNOWN {
                        known.insert(r.parse(0)?, r.parse(1)?);
                    }
                    at = at.max(r.int(2)? + 1);
                }
            }
            mark(tx, assets.iter().map(|asset| (*asset, UNKNOWN.to_owned())), at)
        })?;
        Ok((at, known))
    }

    /// The digest of what the store's own records say of an asset.
    pub fn recorded(&self, asset: AssetId) -> Result<Option<Digest>> {
        let sql = "SELECT digest FROM recorded WHERE asset = ?1 AND digest <> ?2";
        self.db.query(sql, values![asset, UNKNOWN])?.first().map(|r| r.parse(0)).transpose()
    }

    /// Notes what the store's own records say of assets since then (ms), but for those of which somebody began to tell later.
    pub fn mark_recorded(&self, all: &[(AssetId, Digest)], at: i64) -> Result<()> {
        match all {
            [] => Ok(()),
            all => {
                self.db.with_tx(&mut |tx| mark(tx, all.iter().map(|(asset, digest)| (*asset, digest.to_string())), at))
            }
        }
    }

    /// Up to which event something was looked at; none if it never was.
    pub fn cursor(&self, name: &str) -> Result<Option<i64>> {
        let rows = self.db.query("SELECT seq FROM cursors WHERE name = ?1", values![name])?;
        rows.first().map(|row| row.int(0)).transpose()
    }

    /// Remembers up to which event something was looked at.
    pub fn set_cursor(&self, name: &str, seq: i64) -> Result<()> {
        self.db.with_tx(&mut |tx| {
            let sql = "INSERT INTO cursors (name, seq) VALUES (?1, ?2)
                       ON CONFLICT (name) DO UPDATE SET seq = excluded.seq WHERE cursors.seq < excluded.seq";
            tx.execute(sql, values![name, seq]).map(drop)
        })
    }

    /// Refuses to be what an archive is rebuilt in, unless nothing is in it.
    pub fn must_be_empty(&self) -> Result<()> {
        for table in
            ["assets", "masters", "members", "drives", "sightings", "renditions", "descriptions", "jobs", "events"]
        {
            if !self.db.query(&format!("SELECT 1 FROM {table} LIMIT 1"), &[])?.is_empty() {
                return Err(Error::new(Kind::Conflict, format!("the catalog is not empty: it has {table}")).hint(
                    "a catalog is rebuilt in a new one alone: set 'catalog' to another file, or move this one away",
                ));
            }
        }
        Ok(())
    }

    /// Takes an asset in as a record of that time (ms) tells of it, in place of what an earlier one told. A later one
    /// stays; it says whether it did not.
    pub fn restore(&self, record: &Record, at: i64, digest: &Digest) -> Result<bool> {
        let now = self.now()?;
        let mut is_latest = false;
        self.db.with_tx(&mut |tx| {
            let id = record.asset.id;
            let rows = tx.query("SELECT at FROM recorded WHERE asset = ?1", values![id])?;
            is_latest = rows.first().map(|r| r.int(0)).transpose()?.is_none_or(|known| known <= at);
            if !is_latest {
                return Ok(());
            }
            for table in ["members", "sightings", "descriptions", "renditions", "pending", "publications"] {
                tx.execute(&format!("DELETE FROM {table} WHERE asset = ?1"), values![id])?;
            }
            restore_asset(tx, record)?;
            mark(tx, std::iter::once((id, digest.to_string())), at)?;
            append(tx, now, "asset.rebuilt", &id.to_string(), &serde_json::json!({"recorded_at": at}))
        })?;
        Ok(is_latest)
    }
}

fn mark(tx: &mut dyn Tx, all: impl Iterator<Item = (AssetId, String)>, at: i64) -> Result<()> {
    let sql = |rows: &str| {
        format!(
            "INSERT INTO recorded (asset, digest, at) VALUES {rows}
             ON CONFLICT (asset) DO UPDATE SET digest = excluded.digest, at = excluded.at WHERE recorded.at <= excluded.at"
        )
    };
    let all: Vec<(AssetId, String)> = all.collect();
    let mut pages = all.chunks_exact(PAGE);
    for page in &mut pages {
        let rows: Vec<String> = (1..=PAGE).map(|n| format!("(?{}, ?{}, ?1)", 2 * n, 2 * n + 1)).collect();
        let each = page.iter().flat_map(|(asset, digest)| [asset.into(), digest.as_str().into()]);
        let values: Vec<Value> = std::iter::once(at.into()).chain(each).collect();
        tx.execute(&sql(&rows.join(", ")), &values)?;
    }
    let single = sql("(?2, ?3, ?1)");
    let mut rest = pages.remainder().iter();
    rest.try_for_each(|(asset, digest)| tx.execute(&single, values![at, *asset, digest.as_str()]).map(drop))
}

fn restore_asset(tx: &mut dyn Tx, record: &Record) -> Result<()> {
    let Record { asset, .. } = record;
    let sql = "INSERT INTO assets (id, kind, title, collection, generation, created_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6)
               ON CONFLICT (id) DO UPDATE SET kind = excluded.kind, title = excluded.title,
                   collection = excluded.collection, generation = excluded.generation";
    let (collection, generation) = (asset.collection.as_deref(), i64::from(record.generation));
    tx.execute(
        sql,
        values![asset.id, asset.kind.as_str(), asset.title.as_str(), collection, generation, asset.created_at],
    )?;
    for m in &record.members {
        let sql = "INSERT INTO members (asset, generation, digest, role, name) VALUES (?1, ?2, ?3, ?4, ?5)";
        let generation = i64::from(m.generation);
        tx.execute(sql, values![asset.id, generation, m.digest, m.role.as_str(), m.name.as_str()])?;
    }
    for m in &record.masters {
        // What nobody has seen yet is not confirmed.
        let sql = "INSERT INTO masters (digest, bytes, fingerprint, key, facts, confirmed_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, NULL)
                   ON CONFLICT (digest) DO UPDATE SET key = excluded.key";
        tx.execute(sql, values![m.digest, m.bytes, m.fingerprint, &m.key, to_json(&m.facts)?])?;
        if let Some(archived) = &m.archived {
            super::archived::put(tx, &m.digest, archived)?;
        }
    }
    for DriveOf { drive: d, first_at } in &record.drives {
        let sql = "INSERT INTO drives (id, identity, label, root, fs_uuid, serial, bytes, created_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT (id) DO NOTHING";
        let (uuid, serial) = (d.fs_uuid.as_deref(), d.serial.as_deref());
        tx.execute(
            sql,
            values![d.id, d.identity.as_str(), d.label.as_str(), &d.root, uuid, serial, d.bytes, *first_at],
        )?;
    }
    for Seen { at, sighting } in &record.sightings {
        super::assets::upsert_sighting(tx, *at, sighting)?;
    }
    if let Some(said) = &record.said {
        let sql = "INSERT INTO descriptions (asset, revision, fields, changed_at) VALUES (?1, ?2, ?3, ?4)";
        tx.execute(sql, values![asset.id, said.revision, to_json(&said.fields)?, said.at])?;
    }
    if let Some(c) = &record.collection {
        // Assets tell it as it was when each was recorded: the latest counts.
        let sql = "INSERT INTO collections (name, revision, rights, changed_at) VALUES (?1, ?2, ?3, ?4)
                   ON CONFLICT (name) DO UPDATE SET revision = excluded.revision, rights = excluded.rights,
                       changed_at = excluded.changed_at WHERE collections.revision < excluded.revision";
        tx.execute(sql, values![c.name.as_str(), c.revision, to_json(&c.rights)?, c.changed_at])?;
    }
    if let Some(waits) = &record.pending {
        let sql = "INSERT INTO pending (asset, generation, wanted, since) VALUES (?1, ?2, ?3, ?4)";
        tx.execute(sql, values![asset.id, i64::from(waits.generation), to_json(&waits.wanted)?, waits.since])?;
    }
    for p in &record.publications {
        super::publications::restore(tx, asset.id, p)?;
    }
    for found in &record.findings {
        super::knowledge::learn(tx, 0, found)?;
    }
    for Made { rendition: r, active, at } in &record.renditions {
        let sql = "INSERT INTO renditions (asset, master, entry, recipe, prefix, files, facts, active, created_at)
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT (master, entry, recipe) DO NOTHING";
        let (files, facts) = (to_json(&r.files)?, to_json(&r.facts)?);
        let active = i64::from(*active);
        tx.execute(sql, values![r.asset, r.master, r.entry.as_str(), r.recipe, &r.prefix, files, facts, active, *at])?;
    }
    Ok(())
}
