//! A question with all that goes with it, and what is answered.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{Card, Moment, ask::Match, facets::Facet};
use crate::{
    digest::Digest,
    error::{Error, Result},
    model::{AssetId, Audience, MediaKind, Rights, Vector},
};

/// Most hits of a page, and how far pages go.
pub const MOST_HITS: usize = 100;
pub(super) const DEEPEST: usize = 10_000;
/// Up to how many hits are counted.
pub(super) const MOST_COUNTED: usize = 10_000;
/// Moments of a hit, and how many are looked at for them.
pub(super) const MOST_MOMENTS: usize = 50;
pub(super) const LOOKED_AT: usize = 2000;
/// Values of a facet.
pub(super) const MOST_VALUES: usize = 50;

/// What an answer may show.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Access {
    /// These collections and no others; none: all, and what is in none.
    pub collections: Option<Vec<String>>,
    /// For whom: only what its rights let them see. None: everything, whatever its rights say.
    pub audience: Option<Audience>,
    /// What it may not show any more, though the index does not know that yet.
    pub withheld: Withheld,
}

/// What is left out of an answer, whatever the index knows of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Withheld {
    /// Assets. Each is looked up in each piece of the index by the first question that withholds them: ten thousand at most.
    pub assets: Vec<AssetId>,
    /// All that the index has in these collections.
    pub collections: Vec<String>,
}

impl Access {
    /// To everything.
    pub fn all() -> Self {
        Self::default()
    }

    /// Whether an asset may be shown.
    pub fn allows(&self, collection: Option<&str>, rights: &Rights) -> bool {
        let is_among = |all: &Vec<String>| collection.is_some_and(|c| all.iter().any(|known| known == c));
        self.collections.as_ref().is_none_or(is_among) && self.audience.as_ref().is_none_or(|to| rights.allow(to))
    }
}

/// In which order.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// The best first; without words, what came last into the archive.
    #[default]
    Relevance,
    /// What was recorded last first.
    Newest,
    /// What was recorded first first.
    Oldest,
    /// The longest first.
    Longest,
    /// The shortest first.
    Shortest,
}

/// A question.
#[derive(Clone, Debug)]
pub struct Question<'a> {
    /// As a question is written; docs/search.md has all of it.
    pub words: &'a str,
    /// Whether all words are to match.
    pub by: Match,
    /// Only assets of this kind.
    pub kind: Option<MediaKind>,
    /// In which order.
    pub sort: Sort,
    /// Number of hits, [`MOST_HITS`] at most.
    pub limit: usize,
    /// Number of moments of each hit.
    pub moments: usize,
    /// Where the page before ended, as its answer said.
    pub cursor: Option<&'a str>,
    /// Fields whose values are counted, of `FACETS`.
    pub facets: &'a [String],
    /// What may be shown.
    pub access: Access,
    /// Which way its words point, where it is asked by its meaning as well.
    pub meaning: Option<&'a Meant>,
}

/// What a question means.
#[derive(Clone, Debug, PartialEq)]
pub struct Meant {
    /// The recipe of the vectors that it can be compared with.
    pub recipe: Digest,
    /// Which way it points.
    pub vector: Vector,
}

/// What found a moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Words that it has.
    Words,
    /// What it means.
    Meaning,
}

impl By {
    fn is_words(&self) -> bool {
        *self == Self::Words
    }
}

impl Default for Question<'_> {
    fn default() -> Self {
        Self {
            words: "",
            by: Match::All,
            kind: None,
            sort: Sort::Relevance,
            limit: 20,
            moments: 3,
            cursor: None,
            facets: &[],
            access: Access::all(),
            meaning: None,
        }
    }
}

/// A moment of a hit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spot {
    /// How well it matches; comparable within one hit among those that the same has found. Of meaning it is the cosine of the
    /// angle between the question and the passage.
    pub score: f32,
    /// What found it; left out for words.
    #[serde(skip_serializing_if = "By::is_words")]
    pub by: By,
    /// Its words, `<b>` around those that match; the rest is escaped for HTML.
    pub snippet: String,
    /// The source timecode of its beginning.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub timecode: Option<String>,
    /// The frame that it begins with, counted from 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub frame: Option<u64>,
    /// What was found.
    #[serde(flatten)]
    pub moment: Moment,
}

/// One hit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// How well it matches; comparable within one answer. Left out where the order is another.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub score: Option<f32>,
    /// How near it is to what the question means, 1 at most, where it was found by that.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub likeness: Option<f32>,
    /// Where it matches, `<b>` around the words; the rest is escaped for HTML.
    pub snippet: String,
    /// Its best moments.
    pub moments: Vec<Spot>,
    /// What was found.
    #[serde(flatten)]
    pub card: Card,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Answer {
    /// How many match.
    pub total: usize,
    /// Whether there are more than `total`: counting ends at ten thousand.
    pub more: bool,
    /// The best of them.
    pub hits: Vec<Hit>,
    /// Counted values, where they were asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub facets: Vec<Facet>,
    /// Words that nothing has, each with those that were looked for instead.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub corrections: BTreeMap<String, Vec<String>>,
    /// Where the next page begins; none at the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
    /// What was not as it may have been meant, in words: fields that there are none of, what is wrong with the index and was
    /// left out, with what helps.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub notices: Vec<String>,
}

/// What may follow what was typed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Suggestion {
    /// A name or a word.
    pub text: String,
}

/// What a page's place is good for: one question to one index.
fn told(question: &Question<'_>, index: &str) -> String {
    let Question { by, kind, sort, .. } = question;
    let meaning = question.meaning.map(|meant| meant.recipe);
    let about = format!("{by:?} {kind:?} {sort:?} {:?} {meaning:?}", question.access.collections);
    Digest::of_fields(&[question.words, &about, index]).to_string()[..12].to_owned()
}

pub(super) fn cursor(at: usize, question: &Question<'_>, index: &str) -> String {
    format!("{at}-{}", told(question, index))
}

pub(super) fn place(cursor: &str, question: &Question<'_>, index: &str) -> Result<usize> {
    let read = cursor.split_once('-').and_then(|(at, of)| Some((at.parse::<usize>().ok()?, of)));
    let Some((at, of)) = read.filter(|(at, _)| *at <= DEEPEST) else {
        return Err(Error::invalid("the cursor is none that an answer gave"));
    };
    match of == told(question, index) {
        true => Ok(at),
        false => Err(Error::invalid("the cursor belongs to another question, or the index was made anew since")
            .hint("ask again from the beginning")),
    }
}

impl Moment {
    /// Seconds of its beginning and end, for an address's `#t=`.
    pub fn seconds(&self) -> (f64, f64) {
        (self.from_ms as f64 / 1000.0, self.to_ms as f64 / 1000.0)
    }
}
