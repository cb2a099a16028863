//! What is to be published, and what stands in its way.

use serde::Serialize;

use super::{
    outlet_name,
    package::{Media, media},
    preflight::{Allowed, entry_hint, rights},
    rates as rates_of,
};
use crate::{
    catalog::{AssetRow, Catalog, NewPublication},
    channel::limits,
    error::{Kind, Result},
    model::{AssetId, Publication, PublicationState, Words, description::moment, rights::end_of},
    profile::{
        channels::{Channels, Outlet, Rule},
        schedule::Schedule,
    },
};

/// What somebody asks for.
#[derive(Clone, Debug, Default)]
pub struct Request {
    /// These assets,
    pub assets: Vec<AssetId>,
    /// to these channels,
    pub to: Vec<String>,
    /// not before this time (ms),
    pub at: Option<i64>,
    /// of this profile entry in place of the channel's own,
    pub entry: Option<String>,
    /// once somebody has agreed,
    pub needs_approval: bool,
    /// with these words in place of the channel's templates;
    pub words: Words,
    /// once more, if it was published before.
    pub again: bool,
    /// Who asks.
    pub actor: String,
}

/// What becomes of a wish.
#[derive(Clone, Debug, PartialEq)]
pub enum Proposed {
    /// It can be published.
    Wanted(Box<NewPublication>),
    /// It cannot.
    Refused(Refused),
}

/// Why something cannot be published.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Refused {
    /// The asset.
    pub asset: AssetId,
    /// What it is called.
    pub title: String,
    /// The channel.
    pub channel: String,
    /// What stands in the way.
    pub reasons: Vec<String>,
    /// What can be done.
    pub hint: Option<String>,
}

/// Says what of a request can be published. Nothing is written.
pub fn propose(catalog: &Catalog, channels: &Channels, request: &Request) -> Result<Vec<Proposed>> {
    let mut out = Vec::new();
    for asset in &request.assets {
        let row = catalog.asset(*asset)?;
        for name in &request.to {
            out.push(one(catalog, &row, name, channels.get(name)?, request)?);
        }
    }
    Ok(out)
}

/// Writes down what a person asks for, and says how it is now. What failed, or was canceled before it began, is planned anew; what
/// still waits gets its new time and words where `is_other` says that it has any.
pub fn order(catalog: &Catalog, channels: &Channels, new: &NewPublication, is_other: bool) -> Result<Publication> {
    let rates = |new: &NewPublication| channels.get(&new.channel).and_then(rates_of).unwrap_or_default();
    let planned = catalog.plan_publications(std::slice::from_ref(new), &rates)?.pop();
    let Some((p, is_new)) = planned else { return catalog.publication(new.id()) };
    let is_again = match p.state {
        PublicationState::Failed => true,
        PublicationState::Retracted => p.receipt.is_none(),
        PublicationState::Planned => is_other,
        _ => false,
    };
    match !is_new && is_again && catalog.plan_again(new, &rates(new))? {
        true => catalog.publication(p.id),
        false => Ok(p),
    }
}

fn one(catalog: &Catalog, row: &AssetRow, name: &str, outlet: &Outlet, request: &Request) -> Result<Proposed> {
    let (asset, now) = (row.asset.id, catalog.now()?);
    let refused = |reasons: Vec<String>, hint: Option<String>| {
        let title = row.asset.title.clone();
        Ok(Proposed::Refused(Refused { asset, title, channel: name.to_owned(), reasons, hint }))
    };
    // By its own description and by its collection's.
    let held = catalog.rights_of(asset)?.map(|(_, rights)| rights).unwrap_or_default();
    let at = request.at.unwrap_or(now).max(now);
    let at = match rights(&held, outlet, at)? {
        Allowed::Now => at,
        Allowed::From(until) => until,
        Allowed::No(reasons) => {
            return refused(
                reasons,
                Some("its rights are part of its description, and of its collection's".to_owned()),
            );
        }
    };
    let (renditions, takes) = (catalog.renditions_of(asset)?, limits(&outlet.to)?);
    let generation = catalog.active_generation(asset)?;
    let earlier = catalog.publications_of(asset)?;
    // What was chosen before stays chosen: a better rendition that has come since is no second post.
    let before = earlier.iter().find(|p| p.generation == generation && p.channel == name);
    let entries: Vec<&String> = match (&request.entry, before) {
        (Some(entry), _) => vec![entry],
        (None, Some(before)) => vec![&before.entry],
        (None, None) => outlet.send.iter().collect(),
    };
    let (mut reasons, mut is_there, mut chosen) = (Vec::new(), false, None);
    for entry in entries {
        let Some(found) = media(row, &renditions, entry)? else {
            reasons.push(format!("'{entry}' is not there"));
            continue;
        };
        is_there = true;
        let Media { facts, files } = &found;
        let against = takes.against_media(outlet.limits.as_ref(), facts, files.len(), found.bytes());
        if against.is_empty() {
            chosen = Some((entry.clone(), found.content()));
            break;
        }
        reasons.push(format!("'{entry}': {}", against.join("; ")));
    }
    let Some((entry, content)) = chosen else {
        let render = || Some("'damctl transcode' makes what the profile wants".to_owned());
        return refused(reasons, if is_there { entry_hint(takes) } else { render() });
    };
    let outlet_name = outlet_name(name, outlet);
    let mut new = NewPublication {
        asset,
        generation,
        entry,
        channel: name.to_owned(),
        outlet: outlet_name,
        again: 0,
        not_before: at,
        needs_approval: request.needs_approval || outlet.needs_approval,
        content,
        words: request.words.clone(),
        actor: request.actor.clone(),
    };
    // The same bytes under another number are what a rollback brings.
    if let Some(same) = earlier.iter().find(|p| p.channel == name && p.entry == new.entry && p.content == content) {
        new.generation = same.generation;
    }
    let same = |p: &&Publication| p.generation == new.generation && p.channel == name && p.entry == new.entry;
    if let Some(last) = earlier.iter().filter(same).max_by_key(|p| p.again) {
        let is_open =
            matches!(last.state, PublicationState::Planned | PublicationState::Sending | PublicationState::Unknown);
        if request.again && is_open {
            let hint = match last.state {
                PublicationState::Unknown => "'damctl publish reconcile' or 'settle' says first how that one is",
                _ => "wait for its end, or cancel it",
            };
            return refused(vec![format!("an earlier publication is {}", last.state)], Some(hint.to_owned()));
        }
        let is_over = last.receipt.is_some();
        new.again = last.again + i64::from(request.again && is_over);
    }
    Ok(Proposed::Wanted(Box::new(new)))
}

/// What the rules of `channels.yaml` want of all assets, or just of `only`, and is not planned yet.
pub fn by_rules(catalog: &Catalog, channels: &Channels, only: Option<&[AssetId]>) -> Result<Vec<Proposed>> {
    const PAGE: i64 = 500;
    if channels.rules.is_empty() {
        return Ok(Vec::new());
    }
    let now = catalog.now()?;
    let next = |rule: &Rule| rule.at.as_deref().map(|at| Schedule::parse(at)?.next(now)).transpose();
    let times = channels.rules.iter().map(|rule| Ok((rule, since(rule)?, next(rule)?)));
    let rules: Vec<_> = times.collect::<Result<_>>()?;
    let mut out = Vec::new();
    let mut look = |row: &AssetRow| -> Result<()> {
        for (rule, since, at) in &rules {
            if row.asset.created_at < *since || !is_meant(catalog, rule, row)? {
                continue;
            }
            let there = catalog.publications_of(row.asset.id)?;
            let generation = catalog.active_generation(row.asset.id)?;
            for name in rule.to.iter().filter(|name| !is_there(&there, name, generation)) {
                let request = Request {
                    at: *at,
                    entry: rule.entry.clone(),
                    needs_approval: rule.needs_approval,
                    actor: "a rule".to_owned(),
                    ..Request::default()
                };
                out.push(one(catalog, row, name, channels.get(name)?, &request)?);
            }
        }
        Ok(())
    };
    if let Some(only) = only {
        for id in only {
            // What was named by an event may be gone since.
            match catalog.asset(*id) {
                Ok(row) => look(&row)?,
                Err(e) if e.kind() == Kind::NotFound => {}
                Err(e) => return Err(e),
            }
        }
        return Ok(out);
    }
    let mut after = None;
    loop {
        let page = catalog.assets_page(after, PAGE, None)?;
        let Some(last) = page.last() else { break };
        after = Some(last.asset.id);
        page.iter().try_for_each(&mut look)?;
    }
    Ok(out)
}

fn is_there(there: &[Publication], channel: &str, generation: i64) -> bool {
    there.iter().any(|p| p.channel == channel && p.generation == generation)
}

fn is_meant(catalog: &Catalog, rule: &Rule, row: &AssetRow) -> Result<bool> {
    if rule.kind.is_some_and(|kind| kind != row.asset.kind)
        || rule.collection.as_ref().is_some_and(|c| row.asset.collection.as_ref() != Some(c))
    {
        return Ok(false);
    }
    if let Some(entry) = &rule.entry
        && media(row, &catalog.renditions_of(row.asset.id)?, entry)?.is_none()
    {
        return Ok(false);
    }
    if rule.tags.is_empty() {
        return Ok(true);
    }
    let tags = catalog.described(row.asset.id)?.description.tags;
    Ok(rule.tags.iter().all(|tag| tags.contains(tag)))
}

fn since(rule: &Rule) -> Result<i64> {
    rule.since.as_deref().map_or(Ok(0), moment)
}

/// What is published of assets whose rights have ended by now.
pub fn expired(catalog: &Catalog) -> Result<Vec<Publication>> {
    const PAGE: i64 = 500;
    let now = catalog.now()?;
    let (mut after, mut out) = (None, Vec::new());
    loop {
        let page = catalog.publications_page(Some(PublicationState::Published), after, PAGE)?;
        let Some(last) = page.last() else { return Ok(out) };
        after = Some(last.id);
        for p in page {
            let rights = catalog.rights_of(p.asset)?.map(|(_, rights)| rights).unwrap_or_default();
            let is_refused = rights.is_refused();
            let has_ended = rights.expires.as_deref().map(end_of).transpose()?.is_some_and(|end| end <= now);
            if is_refused || has_ended {
                out.push(p);
            }
        }
    }
}
