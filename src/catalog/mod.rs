//! What the archive knows: drives, assets, sightings, renditions, jobs and events. [`Catalog`] is a concrete struct
//! whose statements are each written once; [`db::Db`] is the seam below them.
//!
//! Stages read it freely. They never write: facts reach it through [`Catalog::settle`], in the transaction that ends
//! the job.

use std::sync::Arc;

use crate::error::Result;

mod accounts;
mod archived;
mod arrivals;
mod assets;
mod census;
mod claim;
mod copy;
pub mod db;
mod events;
mod feeds;
mod fixity;
mod generations;
mod jobs;
mod knowledge;
mod learned;
#[cfg(feature = "postgres")]
mod postgres;
mod publications;
mod records;
mod renditions;
mod rights;
mod roll;
mod seals;
mod sqlite;
mod stores;
mod tokens;
mod tombstones;
mod uploads;
mod usage;

pub use accounts::{Account, DriveRow, Kept, Unfinished};
pub use archived::{ArchiveState, Archived};
pub use arrivals::Landed;
pub use assets::{AssetRow, KeptMaster, Outline};
pub use census::{AtWork, Census, Reason, Throughput};
pub use claim::{Claim, Lease};
pub use copy::{Copied, TABLES};
pub use events::Event;
pub use feeds::Feed;
pub use fixity::Looked;
pub use generations::{Pending, RolledBack};
pub use jobs::{Enqueued, Facts, Settled, TRIES, Then, Wanted};
pub use knowledge::{Described, Edit};
pub use learned::{Knowledge, Learned};
#[cfg(feature = "postgres")]
pub use postgres::{PostgresConfig, PostgresDb};
pub use publications::{Fares, NewPublication, Step, Turn};
pub use records::{DriveOf, Made, Membership, Original, Posted, Record, Said, Seen, Waits};
pub use rights::Collection;
pub use roll::{JobFilter, UnderWay};
pub use seals::{Proof, Seal};
pub use sqlite::SqliteDb;
pub use tombstones::{Retired, Stuck, Tombstone};
pub use uploads::Ledger;
pub use usage::{Amount, Share};

mod schema {
    #![allow(missing_docs, reason = "it is made by a macro")]
    refinery::embed_migrations!("src/catalog/migrations");
}
use schema::migrations;

/// A clock, passed in so that tests can set it.
pub trait Clock: Send + Sync {
    /// Milliseconds since 1970-01-01 UTC.
    fn now_ms(&self) -> i64;
}

/// The machine's clock.
#[derive(Clone, Copy, Debug, Default)]
pub struct SystemClock;

impl Clock for SystemClock {
    fn now_ms(&self) -> i64 {
        jiff::Timestamp::now().as_millisecond()
    }
}

/// A clock that stands still until it is moved.
#[derive(Debug, Default)]
pub struct FakeClock(std::sync::atomic::AtomicI64);

impl FakeClock {
    /// One that shows this time.
    pub fn at(ms: i64) -> Self {
        Self(ms.into())
    }

    /// Moves it on.
    pub fn advance(&self, ms: i64) {
        self.0.fetch_add(ms, std::sync::atomic::Ordering::SeqCst);
    }
}

impl Clock for FakeClock {
    fn now_ms(&self) -> i64 {
        self.0.load(std::sync::atomic::Ordering::SeqCst)
    }
}

/// The catalog.
#[derive(Clone)]
pub struct Catalog {
    db: Arc<dyn db::Db>,
}

impl Catalog {
    /// The catalog in this database.
    pub fn new(db: Arc<dyn db::Db>) -> Self {
        Self { db }
    }

    /// The catalog in this SQLite file, made and upgraded as needed.
    pub fn open_sqlite(path: &std::path::Path) -> Result<Self> {
        Ok(Self::new(Arc::new(SqliteDb::open(path, Arc::new(SystemClock))?)))
    }

    /// The catalog at this PostgreSQL server, made and upgraded as needed.
    #[cfg(feature = "postgres")]
    pub fn open_postgres(config: &PostgresConfig) -> Result<Self> {
        Ok(Self::new(Arc::new(PostgresDb::open(config, None)?)))
    }

    /// The catalog's clock, in milliseconds.
    pub fn now(&self) -> Result<i64> {
        self.db.now()
    }
}
