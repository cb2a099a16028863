//! The search index: what editors ask. An asset is a document, and so is each thing that was found in it; [`Searcher`]
//! finds assets by what is known of them and of their moments, and with each one its best moments, to the millisecond.
//!
//! Documents come from the catalog ([`Document`]); a [`Writer`] replaces them in one shard; [`folder`] says which index is
//! the current one. What a question may be is said in [`ask`].

mod answer;
pub mod ask;
mod best;
mod breadth;
mod build;
mod directory;
mod document;
mod either;
mod every;
pub mod export;
mod facets;
mod failure;
mod family;
mod fields;
pub mod folder;
mod hours;
mod hybrid;
mod join;
mod list;
mod mark;
mod near;
mod opened;
mod pieces;
mod question;
mod schema;
mod synonyms;
mod top;
mod vectors;
mod vocabulary;
mod words;
mod write;

#[cfg(test)]
mod tests;

use failure::failed;

pub use answer::Searcher;
pub use ask::Match;
pub use document::{Card, DateSource, Dated, Document, Meaning, Moment, Passage, Technical};
pub use facets::{FACETS, Facet};
pub use folder::{IndexId, beside, current, current_or_beside, switch};
pub use hybrid::meant;
pub use question::{Access, Answer, By, Hit, MOST_HITS, Meant, Question, Sort, Spot, Suggestion, Withheld};
pub use synonyms::Synonyms;
pub use write::Writer;

/// Grows when the schema or the analyzers change: an index of another version is built anew.
pub(crate) const VERSION: u32 = 6;
