//! What the archive has, in the forms of others: [`bag()`] (BagIt 1.0), [`validate()`] of any, and what one is that [comes](Incoming), [`premis()`], [`mhl()`]
//! (ASC MHL), lists of digests ([`sums()`]), tables of the catalog ([`table()`]) and a plain [`manifest()`]. All are views:
//! nothing here changes the catalog or the store.

mod bag;
mod decoded;
#[cfg(feature = "download")]
mod fetch;
mod format;
mod incoming;
mod lists;
mod mhl;
mod premis;
mod profile;
mod validate;
mod view;
mod xml;

pub use bag::{Bag, Payload, bag};
#[cfg(feature = "download")]
pub use fetch::{Fetched, document, fetch};
pub use incoming::Incoming;
pub use lists::{Form, manifest, sum_line, sums, table};
pub use mhl::{Handed, Listed, mhl};
pub use premis::premis;
pub use profile::{Profile, profile_of, validate_by};
pub use validate::{Fault, Validated, validate};
pub use view::Means;

/// Who makes what is written here.
const AGENT: &str = concat!("damctl ", env!("CARGO_PKG_VERSION"));

/// A time as ISO 8601 has it.
fn time(ms: i64) -> String {
    jiff::Timestamp::from_millisecond(ms).unwrap_or_default().to_string()
}
