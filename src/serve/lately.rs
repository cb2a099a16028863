//! What the index does not know yet of who may see what. From a change of rights until the index has taken it in, totals,
//! counted values and suggestions would tell of what is hidden by now; so that is left out of each question.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    catalog::{Catalog, Claim, Event},
    error::{Error, Result},
    model::{AssetId, Description, Rights, Stage},
    search::{Access, IndexId, Withheld},
};

/// How many changed assets are looked at.
#[derive(Clone, Copy)]
struct Most {
    /// Up to so many each one's rights are held against who asks. Of more, all are left out for whoever does not see everything.
    weighed: usize,
    /// Up to so many are left out. Of more, whoever does not see everything gets no answer, for nobody knows what it may tell.
    known: usize,
}

const MOST: Most = Most { weighed: 300, known: 10_000 };
/// Of more events than this since the index is known to have everything, nobody can say what they may tell.
const LOOKED_AT: usize = 100_000;
/// Events that are read at a time.
const PAGE: i64 = 1000;

/// What was changed lately.
pub(super) struct Lately {
    known: Mutex<Known>,
    most: Most,
}

impl Default for Lately {
    fn default() -> Self {
        Self { known: Mutex::default(), most: MOST }
    }
}

#[derive(Default)]
struct Known {
    index: String,
    /// Up to which event the index has everything, and up to which one they were read.
    followed: i64,
    read: i64,
    assets: BTreeMap<AssetId, Changed>,
    collections: BTreeMap<String, Changed>,
    /// Whether there were more than can be known of: until the index has followed.
    is_over: bool,
}

/// What holds since an event.
struct Changed {
    seq: i64,
    collection: Option<String>,
    rights: Rights,
}

impl Lately {
    /// Access without what it may not show by now. `Unavailable` where too much has changed for that.
    pub(super) fn narrowed(&self, catalog: &Catalog, index: &IndexId, access: Access) -> Result<Access> {
        if access == Access::all() {
            return Ok(access);
        }
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        known.read_on(catalog, index, self.most.known)?;
        if known.is_over {
            return Err(Error::unavailable(
                "the rights of too many assets have changed since the search index was written",
            )
            .hint("'damctl index' brings it up to date; who may see everything is answered meanwhile"));
        }
        let are_many = known.assets.len() > self.most.weighed;
        let is_hidden = |of: &&Changed| are_many || !access.allows(of.collection.as_deref(), &of.rights);
        let assets = known.assets.iter().filter(|(_, of)| is_hidden(of)).map(|(id, _)| *id).collect();
        // What a collection says may hold for none of its assets that say something else. They are hidden as well until the
        // index has taken it in, for nobody is shown too much by that.
        let collections =
            known.collections.iter().filter(|(_, of)| access.audience.as_ref().is_some_and(|to| !of.rights.allow(to)));
        let collections = collections.map(|(name, _)| name.clone()).collect();
        Ok(Access { withheld: Withheld { assets, collections }, ..access })
    }
}

impl Known {
    fn read_on(&mut self, catalog: &Catalog, index: &IndexId, most: usize) -> Result<()> {
        // Before its jobs are looked at: what they do then was planned up to here.
        let (last, planned) = catalog.last_event_and_index_cursor(&index.id)?;
        let planned = planned.unwrap_or(0);
        if self.index != index.id {
            // Where jobs are at work, nobody knows how much of what was planned is written.
            *self = Self { index: index.id.clone(), ..Self::default() };
        }
        if planned > self.followed && !is_at_work(catalog, index)? {
            self.followed = planned;
            self.assets.retain(|_, of| of.seq > planned);
            self.collections.retain(|_, of| of.seq > planned);
            self.is_over = false;
        }
        self.read = self.read.max(self.followed);
        let mut looked_at = 0;
        while self.read < last && !self.is_over {
            let page = catalog.changes_of_rights((self.read, last), PAGE)?;
            for event in &page {
                self.learn(catalog, event)?;
            }
            looked_at += page.len();
            if self.assets.len() > most || looked_at > LOOKED_AT {
                // They are read again once the index has followed a part of them.
                (self.is_over, self.read) = (true, self.followed);
                self.assets.clear();
                return Ok(());
            }
            self.read = page.last().filter(|_| page.len() as i64 == PAGE).map_or(last, |event| event.seq);
        }
        Ok(())
    }

    fn learn(&mut self, catalog: &Catalog, event: &Event) -> Result<()> {
        let seq = event.seq;
        if event.kind == "collection.described" {
            let rights = catalog.collection(&event.subject)?.rights;
            self.collections.insert(event.subject.clone(), Changed { seq, collection: None, rights });
            return Ok(());
        }
        let asset: AssetId = event.subject.parse()?;
        let Some((collection, rights)) = catalog.rights_of(asset)? else { return Ok(()) };
        if before(catalog, event)? != Some((collection.clone(), rights.clone())) || self.assets.contains_key(&asset) {
            self.assets.insert(asset, Changed { seq, collection, rights });
        }
        Ok(())
    }
}

/// The collection and the rights that an asset had before it was described anew.
fn before(catalog: &Catalog, event: &Event) -> Result<Option<(Option<String>, Rights)>> {
    let was = &event.detail["was"];
    let Ok(description) = serde_json::from_value::<Description>(was["description"].clone()) else { return Ok(None) };
    let collection = was["collection"].as_str().map(str::to_owned);
    let of_all = collection.as_ref().map(|name| catalog.collection(name)).transpose()?.map(|c| c.rights);
    Ok(Some((collection, description.rights.under(&of_all.unwrap_or_default()))))
}

/// Whether jobs of an index are not done yet, or have failed: what they were to write is not there.
fn is_at_work(catalog: &Catalog, index: &IndexId) -> Result<bool> {
    for shard in 0..index.shards {
        let scope = index.scope(shard);
        let jobs = Claim::plan(Stage::Index, &scope);
        if catalog.open_among(&jobs)?.0 > 0 || !catalog.failed_among(&jobs)?.is_empty() {
            return Ok(true);
        }
    }
    Ok(false)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        catalog::{
            Edit, SqliteDb, SystemClock,
            db::{Db, Value},
        },
        error::Kind,
        model::Audience,
    };

    /// A catalog of so many assets, and an index that knows all of it.
    fn archive(assets: usize) -> (tempfile::TempDir, Catalog, IndexId, Vec<AssetId>) {
        let dir = tempfile::tempdir().unwrap();
        let db = Arc::new(SqliteDb::open(&dir.path().join("catalog"), Arc::new(SystemClock)).unwrap());
        let all: Vec<AssetId> = (0..assets).map(|n| AssetId::derived(&[format!("{n}")])).collect();
        let sql = "INSERT INTO assets (id, kind, title, collection, generation, created_at) VALUES (?1, 'video', 'a', NULL, 1, 0)";
        db.with_tx(&mut |tx| all.iter().try_for_each(|id| tx.execute(sql, &[Value::from(id)]).map(drop))).unwrap();
        let (catalog, index) = (Catalog::new(db), IndexId { id: "v0-test".to_owned(), shards: 1 });
        followed(&catalog, &index);
        (dir, catalog, index, all)
    }

    fn followed(catalog: &Catalog, index: &IndexId) {
        catalog.set_index_cursor(&index.id, catalog.last_event().unwrap()).unwrap();
    }

    fn describe(catalog: &Catalog, asset: AssetId, embargo_until: Option<&str>) {
        let rights = Rights { embargo_until: embargo_until.map(str::to_owned), ..Rights::default() };
        let edit = Edit { description: Some(Description { rights, ..Description::default() }), ..Edit::default() };
        catalog.describe(asset, &edit, None, "Ana").unwrap();
    }

    fn viewer() -> Access {
        Access { audience: Some(Audience { now: 0, territory: None }), ..Access::all() }
    }

    #[test]
    fn all_of_more_embargoed_assets_than_are_weighed_one_by_one_are_withheld() {
        let (_dir, catalog, index, all) = archive(MOST.weighed + 20);
        let lately = Lately::default();
        assert_eq!(lately.narrowed(&catalog, &index, viewer()).unwrap(), viewer());
        let (embargoed, lifted) = all.split_at(MOST.weighed + 1);
        embargoed.iter().for_each(|asset| describe(&catalog, *asset, Some("2999-01-01")));
        let withheld = |lately: &Lately| lately.narrowed(&catalog, &index, viewer()).unwrap().withheld.assets;
        let sorted = |assets: &[AssetId]| assets.iter().copied().collect::<std::collections::BTreeSet<_>>();
        assert_eq!(sorted(&withheld(&lately)), sorted(embargoed));
        assert_eq!(sorted(&withheld(&Lately::default())), sorted(embargoed), "whoever has just begun knows as much");
        // Of so many, what may be seen again is left out as well; the first ones stay.
        lifted.iter().for_each(|asset| {
            describe(&catalog, *asset, Some("2999-01-01"));
            describe(&catalog, *asset, None);
        });
        assert!(sorted(&withheld(&lately)).is_superset(&sorted(embargoed)));
        assert_eq!(lately.narrowed(&catalog, &index, Access::all()).unwrap(), Access::all());
        followed(&catalog, &index);
        assert!(withheld(&lately).is_empty());
    }

    #[test]
    fn of_more_than_can_be_known_nothing_is_told_until_the_index_has_followed() {
        let (_dir, catalog, index, all) = archive(6);
        let lately = Lately { known: Mutex::default(), most: Most { weighed: 2, known: 4 } };
        lately.narrowed(&catalog, &index, viewer()).unwrap();
        all[..5].iter().for_each(|asset| describe(&catalog, *asset, Some("2999-01-01")));
        for _ in 0..2 {
            let e = lately.narrowed(&catalog, &index, viewer()).unwrap_err();
            assert_eq!(e.kind(), Kind::Unavailable);
            assert!(e.hint_text().unwrap().contains("damctl index"));
            assert_eq!(lately.narrowed(&catalog, &index, Access::all()).unwrap(), Access::all());
        }
        let so_far = catalog.last_event().unwrap();
        describe(&catalog, all[5], Some("2999-01-01"));
        lately.narrowed(&catalog, &index, viewer()).unwrap_err();
        catalog.set_index_cursor(&index.id, so_far).unwrap();
        let narrowed = lately.narrowed(&catalog, &index, viewer()).unwrap();
        assert_eq!(narrowed.withheld.assets, [all[5]], "what came since is known again");
    }
}
