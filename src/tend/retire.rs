//! Renditions whose time is over: plan = present − wanted. They are marked, and removed when nobody reads them any more;
//! masters are never among them.

use std::{
    collections::HashSet,
    path::{Path, PathBuf},
    str::FromStr,
    time::SystemTime,
};

use crate::{
    catalog::{Catalog, Retired},
    digest::Digest,
    error::{Doing, Error, Result},
    model::{MediaKind, Rendition},
    profile::Profile,
    stop::Stop,
    store::Store,
};

/// How long renditions of some entries are kept.
#[derive(Clone, Debug, PartialEq)]
pub struct Keep {
    /// The entries' name; a `*` at its end stands for any rest.
    pub entry: String,
    /// Their time, in milliseconds.
    pub age_ms: i64,
}

impl FromStr for Keep {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || {
            Error::invalid(format!("'{}' is no time to keep entries for", text.trim()))
                .hint("expected an entry and days, such as 'proxy* 90d'")
        };
        let (entry, days) = text.trim().split_once(char::is_whitespace).ok_or_else(wrong)?;
        let days: i64 = days.trim().strip_suffix('d').and_then(|n| n.parse().ok()).ok_or_else(wrong)?;
        let is_name = |c: char| c.is_ascii_alphanumeric() || "_-.".contains(c);
        let name = entry.strip_suffix('*').unwrap_or(entry);
        match (1..=36_500).contains(&days) && name.chars().all(is_name) && entry != "*" && !name.is_empty() {
            true => Ok(Self { entry: entry.to_owned(), age_ms: days * 24 * 3600 * 1000 }),
            false => Err(wrong()),
        }
    }
}

impl Keep {
    fn is_of(&self, entry: &str) -> bool {
        match self.entry.strip_suffix('*') {
            Some(start) => entry.starts_with(start),
            None => entry == self.entry,
        }
    }
}

/// Renditions whose time is over: those of replaced generations and of recipes that others took the place of, `grace_ms`
/// ago or earlier; and those that are older than is said of their entry, by the first that is said of it.
pub fn retired(
    catalog: &Catalog,
    profile: &Profile,
    keep: &[Keep],
    grace_ms: i64,
    stop: &Stop,
) -> Result<Vec<Retired>> {
    let now = catalog.now()?;
    let of_kind = |kind: MediaKind| profile.wanted(kind).iter().map(|e| (e.name.clone(), e.recipe()));
    let wanted: HashSet<(String, Digest)> = MediaKind::ALL.into_iter().flat_map(of_kind).collect();
    let mut seen = HashSet::new();
    let mut all = Vec::new();
    let mut add = |rendition: Rendition, why: &str, is_expired: bool| {
        if seen.insert(rendition.prefix.clone()) {
            all.push(Retired { rendition, why: why.to_owned(), is_expired });
        }
    };
    for r in catalog.replaced_renditions(now.saturating_sub(grace_ms))? {
        add(r, "its generation was replaced", false);
    }
    for r in catalog.outdated_renditions(now.saturating_sub(grace_ms))? {
        // A profile that went back to an earlier recipe wants it.
        if !wanted.contains(&(r.entry.clone(), r.recipe)) {
            add(r, "another recipe took its place", false);
        }
    }
    for entry in catalog.entry_names()? {
        let Some(rule) = keep.iter().find(|k| k.is_of(&entry)) else { continue };
        let why = format!("older than {} days, as 'keep' says of {}", rule.age_ms / (24 * 3600 * 1000), rule.entry);
        let mut after = String::new();
        loop {
            stop.check()?;
            let page = catalog.renditions_made_before(&entry, now.saturating_sub(rule.age_ms), &after, 500)?;
            let Some(last) = page.last() else { break };
            after = last.master.to_string();
            for r in page {
                add(r, &why, true);
            }
        }
    }
    Ok(all)
}

/// What removing what is marked did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Prefixes that are gone.
    pub gone: usize,
    /// Prefixes that are wanted again, and stay.
    pub stay: usize,
    /// Bytes that are gone.
    pub bytes: u64,
}

/// Removes what was marked so long ago. What somebody has made anew since stays, unless its removal had begun: then it is
/// ended, and the rendition is wanted again.
pub fn remove_marked(catalog: &Catalog, store: &dyn Store, delay_ms: i64, stop: &Stop) -> Result<Removed> {
    let before = catalog.now()?.saturating_sub(delay_ms);
    let mut removed = Removed::default();
    for t in catalog.tombstones()?.into_iter().filter(|t| t.marked_at <= before || t.removing_at.is_some()) {
        stop.check()?;
        match (catalog.rendition_at(&t.prefix)?, t.removing_at) {
            (Some(_), None) => {
                catalog.forget_tombstone(&t.prefix)?;
                removed.stay += 1;
                continue;
            }
            (Some(r), Some(_)) => catalog.forget_rendition(&r)?,
            (None, _) => {}
        }
        catalog.begin_removal(&t.prefix)?;
        crate::crash::point("collect.before-remove");
        store.remove(&t.prefix)?;
        crate::crash::point("collect.after-remove");
        catalog.forget_tombstone(&t.prefix)?;
        removed.gone += 1;
        removed.bytes += t.bytes;
    }
    Ok(removed)
}

/// Folders of refused outputs that are older than this (ms), by the file system's clock.
pub fn old_refusals(quarantine: &Path, age_ms: i64) -> Result<Vec<PathBuf>> {
    let entries = match std::fs::read_dir(quarantine) {
        Ok(entries) => entries,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(crate::error::io(format!("cannot list {}", quarantine.display()), e)),
    };
    let mut old = Vec::new();
    for entry in entries {
        let entry = entry.doing(|| format!("cannot list {}", quarantine.display()))?;
        // Nothing follows a link.
        let Ok(meta) = entry.path().symlink_metadata() else { continue };
        #[allow(clippy::disallowed_methods, reason = "files have the machine's time, not the catalog's")]
        let age = meta.modified().ok().and_then(|at| SystemTime::now().duration_since(at).ok());
        if meta.is_dir() && age.is_some_and(|age| age.as_millis() as i64 >= age_ms) {
            old.push(entry.path());
        }
    }
    old.sort();
    Ok(old)
}

/// Removes folders of refused outputs.
pub fn remove_refusals(folders: &[PathBuf]) -> Result<()> {
    folders.iter().try_for_each(|dir| std::fs::remove_dir_all(dir).doing(|| format!("cannot remove {}", dir.display())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_and_what_would_take_everything_is_not() {
        let keep: Keep = " proxy*  90d ".parse().unwrap();
        assert!(keep.is_of("proxy_small") && !keep.is_of("thumb_300") && keep.age_ms == 7_776_000_000);
        for bad in ["proxy", "* 90d", "proxy* 0d", "proxy* 90", "proxy* -1d", "a/b 3d", "proxy* 9h"] {
            assert!(bad.parse::<Keep>().is_err(), "{bad}");
        }
    }
}
