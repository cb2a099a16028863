//! Keeping an archive for decades: [`replace()`] gives an asset a new generation and [`rollback`] an earlier one; [`record()`]
//! writes into the store what only the catalog knows, and [`rebuild()`] makes a catalog from nothing but the store;
//! [`replicate()`] keeps copies of the masters elsewhere.

mod rebuild;
mod record;
mod replace;
mod replicate;

pub use rebuild::{Measure, Rebuilt, rebuild};
pub use record::record;
pub use replace::{Replace, Replaced, expect, replace, rollback};
pub use replicate::{Replicate, Replicated, replicate};
