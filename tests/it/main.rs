//! The integration tests, in one binary.
#![allow(clippy::disallowed_methods, clippy::print_stderr, reason = "tests make times up, and say what they skip")]
#![allow(clippy::unwrap_used, reason = "a test fails by panicking")]
#![allow(clippy::duplicate_mod, reason = "a suite is there once for each implementation of a seam")]

mod architecture;
mod areas;
mod bags;
mod browser;
mod certificate;
mod channels;
mod cli;
mod collect;
mod compose;
mod contract;
mod corpus;
#[path = "../../examples/demo_drive/drive.rs"]
mod drive;
mod drives;
mod enrich;
mod events;
mod export;
mod fanout;
mod faults;
mod fixity;
mod harness;
#[cfg(all(feature = "postgres", feature = "s3"))]
mod hosts;
mod ingest;
mod integrity;
mod jobs;
mod k8s;
mod keep;
mod languages;
mod learn;
mod meaning;
mod names;
mod outside;
mod policy;
#[cfg(feature = "postgres")]
mod postgres;
mod profile;
mod proxy;
mod publish;
mod rebuild;
mod receive;
mod s3;
mod safekeeping;
mod search;
#[cfg(feature = "webhook")]
mod search_bulk;
mod serve;
mod shelve;
mod split;
mod strict;
mod structure;
mod transcode;
mod verify;
mod vision;
mod zygote;
