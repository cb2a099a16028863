//! Holds a later certificate against an earlier one.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::{Certificate, Entry, Standing};
use crate::{digest::Digest, model::RawPath};

/// What became of a path between two certificates.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Change {
    /// The same bytes, or none, with the same outcome.
    Same,
    /// In the later one alone.
    Appeared,
    /// In the earlier one alone.
    Vanished,
    /// Other bytes.
    Bytes,
    /// Another outcome.
    Outcome,
}

impl Change {
    /// The sign before the path.
    pub fn sign(self) -> char {
        match self {
            Change::Same => '=',
            Change::Appeared => '+',
            Change::Vanished => '-',
            Change::Bytes => '*',
            Change::Outcome => '!',
        }
    }
}

/// One path in both.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    /// Below the drives' roots.
    pub path: RawPath,
    /// What became of it.
    pub change: Change,
    /// What is to be known of it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub detail: Option<String>,
    /// Whether the later certificate does not account for what the earlier one did.
    pub lost: bool,
}

/// Two certificates, path by path.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Comparison {
    /// Whether the later one accounts for everything that the earlier one did.
    pub complete: bool,
    /// Numbers of paths by change.
    pub totals: BTreeMap<Change, u64>,
    /// Every path of either, sorted.
    pub paths: Vec<Compared>,
}

/// Compares by path, and looks for bytes that are not where they were under other paths.
pub fn compare(old: &Certificate, new: &Certificate) -> Comparison {
    let by_path = |c: &'_ Certificate| c.paths.iter().map(|e| (e.path.clone(), e.clone())).collect::<BTreeMap<_, _>>();
    let (old, new) = (by_path(old), by_path(new));
    let mut kept: BTreeMap<Digest, &RawPath> = BTreeMap::new();
    for e in new.values().filter(|e| e.outcome.is_kept()) {
        if let Some(digest) = e.sha256 {
            kept.entry(digest).or_insert(&e.path);
        }
    }
    let all: BTreeSet<&RawPath> = old.keys().chain(new.keys()).collect();
    let paths: Vec<Compared> = all.into_iter().map(|path| one(path, old.get(path), new.get(path), &kept)).collect();
    let mut totals = BTreeMap::new();
    paths.iter().for_each(|p| *totals.entry(p.change).or_default() += 1);
    Comparison { complete: !paths.iter().any(|p| p.lost), totals, paths }
}

fn one(path: &RawPath, old: Option<&Entry>, new: Option<&Entry>, kept: &BTreeMap<Digest, &RawPath>) -> Compared {
    let said = |e: &Entry| match &e.detail {
        Some(detail) => format!("{}: {detail}", e.outcome.words()),
        None => e.outcome.words().to_owned(),
    };
    let (change, mut detail) = match (old, new) {
        (Some(old), Some(new)) => match (old.sha256, new.sha256) {
            (Some(a), Some(b)) if a != b => (Change::Bytes, Some(format!("{a} is now {b}"))),
            _ if is_alike(old.outcome, new.outcome) => (Change::Same, None),
            _ => (Change::Outcome, Some(format!("{}, now {}", old.outcome.words(), said(new)))),
        },
        (None, Some(new)) => (Change::Appeared, Some(said(new))),
        (Some(old), None) => (Change::Vanished, Some(format!("was {}", old.outcome.words()))),
        (None, None) => (Change::Same, None),
    };
    let mut lost = match (old, new) {
        (Some(old), Some(new)) => !old.outcome.is_problem() && new.outcome.is_problem(),
        _ => false,
    };
    // The bytes count, wherever they are now.
    if let Some(digest) = old.filter(|e| e.outcome.is_kept()).and_then(|e| e.sha256) {
        match kept.get(&digest) {
            None => lost = true,
            Some(at) if *at != path && change != Change::Same => {
                lost = false;
                detail = Some(format!("{}; its bytes are at {at}", detail.unwrap_or_default()));
            }
            Some(_) => {}
        }
    }
    Compared { path: path.clone(), change, detail, lost }
}

/// Which of two paths with the same bytes came first is of no weight.
fn is_alike(a: Standing, b: Standing) -> bool {
    a == b || (a.is_kept() && b.is_kept())
}
