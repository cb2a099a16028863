//! What the index does not know yet of who may see what. From a change of rights until the index has taken it in, totals,
//! counted values and suggestions would tell of what is hidden by now; so that is left out of each question.

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

use crate::{
    catalog::{Catalog, Claim, Event},
    error::Result,
    model::{AssetId, Description, Rights, Stage},
    search::{Access, IndexId, Withheld},
};

/// Most assets that are known of, the last ones: each of them is looked up by each question.
const MOST: usize = 300;
/// How many events before the place of the plan are looked at where jobs of the index are at work: they may not have
/// written what was planned.
const BEFORE: i64 = 10_000;
/// Events that are read at a time.
const PAGE: i64 = 1000;

/// What was changed lately.
#[derive(Default)]
pub(super) struct Lately(Mutex<Known>);

#[derive(Default)]
struct Known {
    index: String,
    /// Up to which event the index has everything, and up to which one they were read.
    followed: i64,
    read: i64,
    assets: BTreeMap<AssetId, Changed>,
    collections: BTreeMap<String, Changed>,
}

/// What holds since an event.
struct Changed {
    seq: i64,
    collection: Option<String>,
    rights: Rights,
}

impl Lately {
    /// Access without what it may not show by now.
    pub(super) fn narrowed(&self, catalog: &Catalog, index: &IndexId, access: Access) -> Result<Access> {
        if access == Access::all() {
            return Ok(access);
        }
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.read_on(catalog, index)?;
        let is_hidden = |of: &&Changed| !access.allows(of.collection.as_deref(), &of.rights);
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
    fn read_on(&mut self, catalog: &Catalog, index: &IndexId) -> Result<()> {
        let last = catalog.last_event()?;
        // Before its jobs are looked at: what they do then was planned up to here.
        let planned = catalog.index_cursor(&index.id)?.unwrap_or(last);
        if self.index != index.id {
            *self = Self { index: index.id.clone(), followed: (planned - BEFORE).max(0), ..Self::default() };
        }
        if planned > self.followed && !is_at_work(catalog, index)? {
            self.followed = planned;
            self.assets.retain(|_, of| of.seq > planned);
            self.collections.retain(|_, of| of.seq > planned);
        }
        self.read = self.read.max(self.followed);
        while self.read < last {
            let page = catalog.changes_of_rights((self.read, last), PAGE)?;
            for event in &page {
                self.learn(catalog, event)?;
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
        if self.assets.len() > MOST {
            let first = self.assets.iter().min_by_key(|(_, of)| of.seq).map(|(id, _)| *id);
            first.and_then(|id| self.assets.remove(&id));
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
