//! `damctl` turns shelves of backlog drives into a searchable, published media archive.
#![warn(missing_docs, unreachable_pub)]

#[cfg(feature = "serve")]
pub mod block;
pub mod catalog;
mod crash;
pub mod digest;
pub mod error;
pub mod index;
pub mod ingest;
pub mod media;
pub mod model;
pub mod profile;
pub mod search;
#[cfg(feature = "serve")]
pub mod serve;
pub mod spool;
pub mod stop;
pub mod store;
pub mod tend;
pub mod transcode;
pub mod work;
