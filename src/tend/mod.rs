//! Looking after the archive: [`verify`] reads stored objects again; [`doctor`] looks at the machine.

mod collect;
mod doctor;
mod verify;

pub use collect::{give_up, stale_uploads};
pub use doctor::{Check, doctor};
pub use verify::{Finding, Verified, drop_lost, verify};
