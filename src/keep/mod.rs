//! Keeping an archive for decades: [`replace()`] gives an asset a new generation and [`rollback`] an earlier one; [`record()`]
//! writes into the store what only the catalog knows, and [`rebuild()`] makes a catalog from nothing but the store;
//! [`replicate()`] keeps copies of the masters elsewhere;
//! [`archive()`] moves masters out of the hot area, and [`restore()`] back.

mod rebuild;
mod record;
mod replace;
mod replicate;
mod shelve;

pub use rebuild::{Measure, Rebuilt, rebuild};
pub use record::record;
pub use replace::{Replace, Replaced, expect, replace, rollback};
pub use replicate::{Replicate, Replicated, replicate};
pub use shelve::{Restored, Return, Shelved, archive, restore};
