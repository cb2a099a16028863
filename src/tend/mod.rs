//! Looking after the archive: [`verify`] reads stored objects again; [`certificate`] says whether a drive may be wiped;
//! [`doctor`] looks at the machine.

pub mod certificate;
mod collect;
mod doctor;
mod verify;

pub use collect::{give_up, stale_uploads};
pub use doctor::{Check, doctor};
pub use verify::{Finding, Verified, drop_lost, verify};
