//! Looking after the archive: [`verify`] reads stored objects again; [`doctor`] looks at the machine.

mod doctor;
mod verify;

pub use doctor::{Check, doctor};
pub use verify::{Finding, Verified, drop_lost, verify};
