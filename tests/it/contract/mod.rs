//! Suites that every implementation of a seam passes.

mod db;
mod queues;
mod store;
