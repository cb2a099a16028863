//! Looking after the archive: [`verify()`] looks at stored objects again; [`certificate`] says whether a drive may be wiped;
//! [`doctor`] looks at the machine; [`orphans()`], [`stale_uploads`], [`leftover_segments`] and [`retired`] find what
//! nobody will go on with.

pub mod certificate;
mod choose;
mod collect;
mod doctor;
mod look;
mod metrics;
mod orphans;
mod retire;
mod verify;

pub use choose::Which;
pub use collect::{give_up, leftover_segments, remove_segments, stale_uploads};
pub use doctor::{Check, doctor};
pub use look::{Finding, Level};
pub use metrics::metrics;
pub use orphans::{Orphan, Orphans, orphans, remove_orphans};
pub use retire::{Keep, Removed, old_refusals, remove_marked, remove_refusals, retired};
pub use verify::{OnFinding, Verified, Verify, drop_lost, verify};
