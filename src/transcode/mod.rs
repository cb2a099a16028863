//! Masters into renditions: what the profile wants and the catalog lacks, all missing entries of a master from one
//! decode in a child process, each accepted by the gate before it counts. Long films can be made in segments, by many
//! workers.

use std::path::Path;

use crate::{catalog::Catalog, media::Limits, media::child::ChildProcess, spool::Spool, store::Store};

mod film;
mod plan;
mod run;
mod words;

pub use film::Film;
pub use plan::{Missing, Plan, plan};

/// The stage.
pub struct Transcode<'a> {
    /// What is known.
    pub catalog: &'a Catalog,
    /// Where masters come from and renditions go.
    pub store: &'a dyn Store,
    /// Decodes and encodes.
    pub child: &'a ChildProcess,
    /// Where it writes before outputs are accepted.
    pub spool: &'a Spool,
    /// Where outputs go that the gate refused, with the reason.
    pub quarantine: &'a Path,
    /// What one child may use.
    pub limits: Limits,
}
