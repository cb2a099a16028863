//! Wanted minus present, as data.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

use super::{
    film::{Film, Share, films},
    words,
};
use crate::{
    catalog::{AssetRow, Catalog, Outline, Wanted},
    digest::Digest,
    error::Result,
    model::{AssetId, Findings, Key, Master, MediaKind, Role, Stage},
    profile::{Entry, Profile},
};

/// A master that lacks renditions.
#[derive(Clone, Debug, PartialEq)]
pub struct Missing {
    /// Its asset.
    pub asset: AssetId,
    /// What to call it.
    pub title: String,
    /// Of what kind it is.
    pub kind: MediaKind,
    /// The master's digest.
    pub master: Digest,
    /// Where it is.
    pub key: Key,
    /// Everything that the profile wants of it: entries whose `when` does not hold of it are not.
    pub wanted: Vec<Entry>,
    /// The names of what is missing.
    pub missing: Vec<String>,
    /// The plan's scope.
    pub scope: String,
    /// Why it cannot be rendered, as far as that was found when it was ingested: its job fails at once, with this.
    pub problem: Option<String>,
    /// Which of them are made in segments, and of what these lack something.
    pub films: Vec<Film>,
}

/// What there is to do.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Plan {
    /// Masters that lack something.
    pub masters: Vec<Missing>,
    /// Number of renditions that are there already.
    pub present: usize,
    /// Number of entries that are not wanted of a master, because their `when` does not hold of it. Of masters that
    /// have all there is, none are counted.
    pub unwanted: usize,
    /// Assets that lack something, of masters that are to be restored first.
    pub archived: Vec<AssetId>,
    /// What is planned and drained together: one profile's wishes, for all assets or for some.
    pub scope: String,
}

/// The instructions of a transcode job.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(super) struct Task {
    pub(super) asset: AssetId,
    pub(super) master: Digest,
    pub(super) entries: Vec<Entry>,
    /// Of films in segments, the part that it makes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) share: Option<Share>,
}

/// What is known of masters that may lack something.
struct Is {
    /// Renditions that are there.
    present: HashSet<(Digest, String, Digest)>,
    /// Renditions that were let go by their age.
    expired: HashSet<(Digest, String, Digest)>,
    /// Masters that cannot be read.
    away: HashSet<Digest>,
    /// What is said in those of which something is made with words.
    words: HashMap<Digest, Vec<Findings>>,
}

/// Subtracts what is present from what `profile` wants, for all assets or just `only`.
pub fn plan(catalog: &Catalog, profile: &Profile, only: &[AssetId]) -> Result<Plan> {
    let mut plan = Plan { scope: scope(profile, only), ..Plan::default() };
    let recipes: HashMap<(MediaKind, &str), Digest> = MediaKind::ALL
        .iter()
        .flat_map(|kind| profile.wanted(*kind).iter().map(|e| ((*kind, e.name.as_str()), e.recipe())))
        .collect();
    // Most masters lack nothing: of those, nothing more is asked.
    let mut complete = HashMap::new();
    for kind in MediaKind::ALL {
        let wanted: Vec<(&str, Digest)> = profile.wanted(kind).iter().map(|e| (e.name.as_str(), e.recipe())).collect();
        // Of what is made with words, each master has a recipe of its own.
        if only.is_empty() && !profile.wanted(kind).iter().any(Entry::needs_words) {
            complete.insert(kind, catalog.complete_masters(&wanted)?);
        }
    }
    let is_complete = |kind: MediaKind, master: &Digest| complete.get(&kind).is_some_and(|of| of.contains(master));
    let has_archived = catalog.has_archived()?;
    let mut subtract = |row: &AssetRow, is: &Is| {
        let Is { present, expired, away, words } = is;
        let all = profile.wanted(row.asset.kind);
        if all.is_empty() {
            return;
        }
        for master in row.masters.iter().filter(|m| m.role.is_shown()) {
            if is_complete(row.asset.kind, &master.digest) {
                plan.present += all.len();
                continue;
            }
            let told = |e: &Entry| {
                let known = recipes.get(&(row.asset.kind, e.name.as_str())).filter(|_| !e.needs_words());
                (master.digest, e.name.clone(), known.copied().unwrap_or_else(|| e.recipe()))
            };
            let spoken: Vec<Entry>;
            let of_profile = all.len();
            let all = match words.get(&master.digest) {
                Some(found) => {
                    spoken = all.iter().filter_map(|e| words::spoken(e, found, master.facts.duration_ms)).collect();
                    spoken.as_slice()
                }
                None => all,
            };
            let is_wanted = |e: &&Entry| e.is_wanted_of(&master.facts) && !expired.contains(&told(e));
            let wanted: Vec<&Entry> = all.iter().filter(is_wanted).collect();
            plan.unwanted += of_profile - wanted.len();
            let is_present = |e: &Entry| present.contains(&told(e));
            let missing: Vec<String> = wanted.iter().filter(|e| !is_present(e)).map(|e| e.name.clone()).collect();
            plan.present += wanted.len() - missing.len();
            if !missing.is_empty() && away.contains(&master.digest) {
                plan.archived.push(row.asset.id);
            } else if !missing.is_empty() {
                plan.masters.push(Missing {
                    asset: row.asset.id,
                    title: match master.role {
                        Role::Main => row.asset.title.clone(),
                        _ => master.name.clone(),
                    },
                    kind: row.asset.kind,
                    master: master.digest,
                    key: master.key.clone(),
                    scope: plan.scope.clone(),
                    problem: master.facts.problem.clone(),
                    films: films(master, &wanted, &missing, present),
                    wanted: wanted.into_iter().cloned().collect(),
                    missing,
                });
            }
        }
    };
    let mut look = |page: &[AssetRow]| -> Result<()> {
        let shown = |row: &AssetRow| {
            let lacking = |m: &&Master| m.role.is_shown() && !is_complete(row.asset.kind, &m.digest);
            row.masters.iter().filter(lacking).map(|m| m.digest).collect::<Vec<_>>()
        };
        let lacking: Vec<Digest> =
            page.iter().filter(|row| !profile.wanted(row.asset.kind).is_empty()).flat_map(shown).collect();
        let present = catalog.present_among(&lacking)?;
        // What was let go by its age comes back for whoever asks for its asset.
        let expired = if only.is_empty() { catalog.expired_among(&lacking)? } else { HashSet::new() };
        let mut away = HashSet::new();
        if has_archived {
            let archived = catalog.archived_among(&lacking)?;
            away.extend(archived.into_iter().filter(|(_, a)| !a.is_readable()).map(|(master, _)| master));
        }
        let mut words = HashMap::new();
        for row in page.iter().filter(|row| profile.wanted(row.asset.kind).iter().any(Entry::needs_words)) {
            for master in shown(row) {
                words.insert(master, catalog.findings_of(&[master])?);
            }
        }
        let is = Is { present, expired, away, words };
        page.iter().for_each(|row| subtract(row, &is));
        Ok(())
    };
    // What waits to take a place is made like what is shown.
    for waits in catalog.pending(None)?.iter().filter(|p| only.is_empty() || only.contains(&p.asset)) {
        if let Some(row) = catalog.generation(waits.asset, waits.generation)? {
            let main = row.masters.into_iter().filter(|m| m.digest == waits.master).collect();
            look(&[AssetRow { masters: main, ..row }])?;
        }
    }
    if only.is_empty() {
        const PAGE: i64 = 500;
        let (mut after, mut complete) = (None, 0);
        loop {
            let outlines = catalog.outlines_page(after, PAGE)?;
            let Some(last) = outlines.last() else { break };
            let is_whole = |o: &Outline| {
                profile.wanted(o.kind).is_empty() || o.shown.iter().all(|master| is_complete(o.kind, master))
            };
            if outlines.iter().all(is_whole) {
                complete += outlines.iter().map(|o| o.shown.len() * profile.wanted(o.kind).len()).sum::<usize>();
            } else {
                look(&catalog.assets_page(after, PAGE, None)?)?;
            }
            after = Some(last.asset);
        }
        plan.present += complete;
    } else {
        only.iter().try_for_each(|id| look(&[catalog.asset(*id)?]))?;
    }
    Ok(plan)
}

fn scope(profile: &Profile, only: &[AssetId]) -> String {
    let entry = |kind: MediaKind| {
        let when = |e: &Entry| e.when.as_ref().map(|when| format!(" {when}")).unwrap_or_default();
        let each = profile.wanted(kind).iter().map(move |e| format!("{kind} {} {}{}", e.name, e.recipe(), when(e)));
        each.collect::<Vec<_>>()
    };
    let mut fields: Vec<String> = MediaKind::ALL.into_iter().flat_map(entry).collect();
    fields.sort();
    fields.extend(only.iter().map(ToString::to_string));
    Digest::of_fields(&fields).short()
}

impl Missing {
    /// The jobs that make what is missing: one for what is made as a whole, and those of films in segments. The identity of
    /// each covers everything wanted of its kind, so that a master of which one entry failed for good is not tried again
    /// until the profile changes or somebody asks for it.
    pub fn jobs(&self) -> Vec<Wanted> {
        let is_whole = |name: &String| !self.films.iter().any(|f| f.entries.iter().any(|e| e.name == *name));
        let mut jobs = Vec::new();
        if self.missing.iter().any(is_whole) {
            // When they are wanted is settled.
            let as_ordered = |e: &Entry| Entry { when: None, split_over: None, ..e.clone() };
            let entries: Vec<Entry> = self.wanted.iter().filter(|e| is_whole(&e.name)).map(as_ordered).collect();
            jobs.push(Task { asset: self.asset, master: self.master, entries, share: None });
        }
        let subject = format!("{} ({})", self.title, self.asset);
        jobs.extend(self.films.iter().flat_map(|film| film.tasks((self.asset, self.master), &subject)));
        jobs.iter().map(|task| task.wanted(&subject, &self.scope)).collect()
    }
}

impl Task {
    /// The job of it, about `of`.
    pub(super) fn wanted(&self, of: &str, scope: &str) -> Wanted {
        let mut recipes: Vec<String> = self.entries.iter().map(|e| format!("{}={}", e.name, e.recipe())).collect();
        recipes.sort();
        let part = self.share.as_ref().map(Share::in_words);
        let subject = part.iter().fold(of.to_owned(), |subject, part| format!("{subject}, {part}"));
        let fields = [vec![self.master.to_string()], recipes, part.into_iter().collect()].concat();
        Wanted {
            stage: Stage::Transcode,
            scope: scope.to_owned(),
            subject,
            recipe: Digest::of_fields(&fields).to_string(),
            task: serde_json::to_value(self).unwrap_or_default(),
            priority: 0,
        }
    }
}
