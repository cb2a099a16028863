//! Looking after the archive: [`verify()`] looks at stored objects again; [`certificate`] says whether a drive may be wiped;
//! [`doctor`] looks at the machine; [`orphans()`], [`stale_uploads`] and [`leftover_segments`] find what nobody will
//! go on with.

pub mod certificate;
mod collect;
mod doctor;
mod look;
mod metrics;
mod orphans;
mod verify;

pub use collect::{give_up, leftover_segments, remove_segments, stale_uploads};
pub use doctor::{Check, doctor};
pub use look::{Finding, Level};
pub use metrics::metrics;
pub use orphans::{Orphan, Orphans, orphans, remove_orphans};
pub use verify::{Verified, Verify, drop_lost, verify};
