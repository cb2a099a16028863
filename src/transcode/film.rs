//! Films in segments, as jobs: one for each stretch, of which all films that are cut there are encoded from one decode; and one
//! for each film that joins its segments, wanted once they are all there.

use std::collections::HashSet;

use serde::{Deserialize, Serialize};

use super::plan::Task;
use crate::{
    catalog::Then,
    digest::Digest,
    media::split::Stretch,
    model::{AssetId, Master},
    profile::Entry,
};

/// Films of a master that are cut at the same places.
#[derive(Clone, Debug, PartialEq)]
pub struct Film {
    /// All that are wanted.
    pub entries: Vec<Entry>,
    /// The stretches that they are made of.
    pub stretches: Vec<Stretch>,
    /// For each entry, the numbers of its segments that are missing, from 0. None: it is there itself.
    pub missing: Vec<Option<Vec<usize>>>,
}

/// The part of films that a job makes.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Share {
    /// A segment of each.
    Segment {
        /// From 0.
        number: usize,
        /// How many there are.
        of: usize,
        stretch: Stretch,
        /// What the job is about, without the part: what follows it is about the same.
        subject: String,
    },
    /// All of one, out of so many segments.
    Join(usize),
}

impl Share {
    pub(super) fn in_words(&self) -> String {
        match self {
            Share::Segment { number, of, .. } => format!("segment {} of {of}", number + 1),
            Share::Join(of) => format!("{of} segments joined"),
        }
    }
}

/// Under which name a segment of an entry is kept. No entry has such a name.
pub(super) fn segment_of(entry: &str, number: usize, of: usize) -> String {
    format!("{entry}@segment-{}-of-{of}", number + 1)
}

/// Which of what is wanted of a master is made in segments.
pub(super) fn films(
    master: &Master,
    wanted: &[&Entry],
    missing: &[String],
    present: &HashSet<(Digest, String, Digest)>,
) -> Vec<Film> {
    let mut films: Vec<Film> = Vec::new();
    if master.facts.problem.is_some() {
        return films;
    }
    for entry in wanted {
        let cuts = entry.cuts(&master.facts);
        if cuts.is_empty() {
            continue;
        }
        let ends = cuts.iter().copied().map(Some).chain([None]);
        let stretches: Vec<Stretch> = [0]
            .iter()
            .chain(&cuts)
            .zip(ends)
            .map(|(from_ns, until_ns)| Stretch { from_ns: *from_ns, until_ns })
            .collect();
        let (count, recipe) = (stretches.len(), entry.recipe());
        let is_there =
            |number: &usize| present.contains(&(master.digest, segment_of(&entry.name, *number, count), recipe));
        let lacks = missing.contains(&entry.name).then(|| (0..count).filter(|number| !is_there(number)).collect());
        let entry = Entry { when: None, split_over: None, ..(*entry).clone() };
        match films.iter_mut().find(|film| film.stretches == stretches) {
            Some(film) => {
                film.entries.push(entry);
                film.missing.push(lacks);
            }
            None => films.push(Film { entries: vec![entry], stretches, missing: vec![lacks] }),
        }
    }
    films
}

impl Film {
    /// What is to be done now: the segments that are missing, and of films that lack none, the join.
    pub(super) fn tasks(&self, (asset, master): (AssetId, Digest), subject: &str) -> Vec<Task> {
        let of = self.stretches.len();
        let segment = |number: usize| Task {
            asset,
            master,
            entries: self.entries.clone(),
            share: Some(Share::Segment { number, of, stretch: self.stretches[number], subject: subject.to_owned() }),
        };
        let lacking = (0..of).filter(|number| self.missing.iter().flatten().any(|lacks| lacks.contains(number)));
        let whole =
            self.entries.iter().zip(&self.missing).filter(|(_, lacks)| lacks.as_ref().is_some_and(Vec::is_empty));
        let join = |entry: &Entry| join((asset, master), entry, of);
        lacking.map(segment).chain(whole.map(|(entry, _)| join(entry))).collect()
    }
}

fn join((asset, master): (AssetId, Digest), entry: &Entry, of: usize) -> Task {
    Task { asset, master, entries: vec![entry.clone()], share: Some(Share::Join(of)) }
}

/// What follows once all segments of each of these entries are there.
pub(super) fn then((asset, master): (AssetId, Digest), entries: &[Entry], of: usize, subject: &str) -> Vec<Then> {
    let follows = |entry: &Entry| {
        let recipe = entry.recipe();
        Then {
            once: (0..of).map(|number| (master, segment_of(&entry.name, number, of), recipe)).collect(),
            // The plan is that of the job that it follows.
            wanted: join((asset, master), entry, of).wanted(subject, ""),
        }
    };
    entries.iter().map(follows).collect()
}
