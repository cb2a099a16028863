//! Learning from masters: what is said, what can be read and seen, who and what is named. What a profile wants and the archive does
//! not know yet is planned; child processes with their models loaded find it out.
//!
//! Five kinds of jobs: one hears a recording, one looks at its pictures (all that is asked of them, with one decode), two look
//! for names and for topics in the words that these and people have brought, and one tells what these words mean. Each set of findings has a recipe, the digest of its
//! models and settings, so that a changed model is planned anew for just what it touches.

mod again;
mod credentials;
mod crew;
mod eyes;
mod fits;
mod infer;
#[cfg(feature = "gst")]
mod listen;
mod means;
mod names;
mod plan;
mod question;
mod run;
mod sense;
mod subtitles;

pub use again::plan_again;
pub use crew::Crew;
pub use fits::check_models;
pub use infer::Scholar;
pub use means::{Care, How, Lacking, Learned, Means, narrowed};
pub use plan::{Plan, Wish, plan};
pub use question::{Answer, Question, Setup};
pub use sense::Sense;

use crate::{catalog::Catalog, spool::Spool, store::Store};

/// The stage.
pub struct Enrich<'a> {
    /// What is known.
    pub catalog: &'a Catalog,
    /// Where masters and renditions are.
    pub store: &'a dyn Store,
    /// For what is fetched.
    pub spool: &'a Spool,
    /// Who learns.
    pub crew: &'a Crew,
    /// With what, on this machine.
    pub means: &'a Means,
    /// Slices of a sound that are listened to at a time, in each job.
    pub at_a_time: usize,
}
