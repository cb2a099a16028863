//! Gives up what nobody will go on with: uploads in parts, whose parts take room in a bucket and are in no listing, and
//! segments of films that are joined.

use std::collections::HashSet;

use crate::{
    catalog::Catalog,
    error::Result,
    model::{ArrivalState, Key, Rendition},
    stop::Stop,
    store::{OpenUpload, Store},
};

/// Uploads below the store's own keys that began more than `age_ms` ago, by the catalog's clock. Another program's are
/// not among them: its keys are not ours.
///
/// One that somebody is at work on is not stale, whatever its age is to be.
pub fn stale_uploads(catalog: &Catalog, store: &dyn Store, age_ms: i64) -> Result<Vec<OpenUpload>> {
    let before = before(catalog.now()?, age_ms, catalog.under_way()?.live);
    let mut open = store.open_uploads()?;
    let awaited = awaited(catalog)?;
    // One that somebody has gone on with since is not stale, however long ago it began.
    let going_on = catalog.uploads_since(before)?;
    open.retain(|upload| upload.began <= before && !awaited.contains(&upload.id) && !going_on.contains(&upload.id));
    Ok(open)
}

/// Segments of films that are joined, of more than `age_ms` ago and from before what is under way: nobody will read them.
pub fn leftover_segments(catalog: &Catalog, age_ms: i64) -> Result<Vec<Rendition>> {
    let before = before(catalog.now()?, age_ms, catalog.under_way()?.open);
    catalog.leftover_segments(before)
}

/// Removes these, from the store first: what is still there is still known.
pub fn remove_segments(catalog: &Catalog, store: &dyn Store, segments: &[Rendition], stop: &Stop) -> Result<()> {
    for segment in segments {
        stop.check()?;
        store.remove(&segment.prefix)?;
        catalog.forget_segment(segment)?;
    }
    Ok(())
}

/// By how much the clocks of catalog and store may differ: S3 refuses requests that are farther off.
const SKEW_MS: i64 = 15 * 60 * 1000;

/// What is older than `age_ms`, and of before the beginning of what is under way, is of before this time (ms).
pub(super) fn before(now: i64, age_ms: i64, under_way: Option<i64>) -> i64 {
    let old = now.saturating_sub(age_ms);
    under_way.map_or(old, |began| old.min(began.saturating_sub(SKEW_MS)))
}

/// Uploads by others whose addresses are still good.
fn awaited(catalog: &Catalog) -> Result<HashSet<String>> {
    let now = catalog.now()?;
    let pending = catalog.arrivals(&[ArrivalState::Pending])?;
    Ok(pending.into_iter().filter(|a| a.expires_at > now).map(|a| a.upload).collect())
}

/// Gives up these uploads, in the store first: the ledger forgets only what is gone.
pub fn give_up(catalog: &Catalog, store: &dyn Store, uploads: &[OpenUpload]) -> Result<()> {
    for OpenUpload { key, id, .. } in uploads {
        store.abort_upload(key, id)?;
        if is_in_ledger(catalog, key, id)? {
            catalog.forget_upload(key)?;
        }
    }
    Ok(())
}

fn is_in_ledger(catalog: &Catalog, key: &Key, id: &str) -> Result<bool> {
    Ok(catalog.upload(key)?.is_some_and(|ledger| ledger.upload.id == id))
}
