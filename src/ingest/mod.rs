//! Drives into the store: walk, compare with what is known, read what is new once.
//!
//! [`survey`] looks at a drive and says what became, or is to become, of each path. [`Survey::wanted`] turns what is
//! new into jobs; [`Ingest`] does them. Run again, it does what is left; run on an unchanged drive, nothing.

use std::path::Path;

use crate::{catalog::Catalog, error::Result, media::child::ChildProcess, spool::Spool, store::Store};

mod copy;
mod group;
mod object;
mod place;
mod run;
mod select;
mod source;
mod survey;
mod upload;

pub use place::is_here;
pub use select::Selection;
pub use source::Source;
pub use survey::{Found, Survey, survey, survey_selected};

/// The stage.
pub struct Ingest<'a> {
    /// What is known.
    pub catalog: &'a Catalog,
    /// Where bytes go.
    pub store: &'a dyn Store,
    /// Measures what has to be decoded for it.
    pub child: &'a ChildProcess,
    /// For the child's working folder.
    pub spool: &'a Spool,
}

/// The drive that a path lies on, and the path below its root: a drive that is known already, when the path lies on
/// one, else the folder itself.
pub fn locate(catalog: &Catalog, path: &Path) -> Result<(crate::model::Drive, crate::model::RawPath)> {
    survey::locate(catalog, path)
}
