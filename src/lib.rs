//! `damctl` turns shelves of backlog drives into a searchable, published media archive.
//!
//! Work flows through stages that meet only in the [`catalog`]: [`ingest`] reads each byte of a drive once and keeps it
//! in a [`store`]; [`transcode`] makes what a [`profile`] wants of it; [`index`] makes all that is known searchable;
//! [`search`] and `serve` answer. A stage is always the same three steps:
//!
//! 1. **Plan**: wanted minus present, as data ([`ingest::survey()`], [`transcode::plan()`], [`index::plan`]).
//! 2. **Enqueue**: [`catalog::Catalog::enqueue`]; what is wanted twice is one job.
//! 3. **Drain**: [`work::drain`] claims jobs by lease, has the stage do them, and ends each one in the transaction that
//!    writes its facts. Whatever dies, the next run goes on.
//!
//! ```
//! use damctl::{
//!     catalog::Catalog,
//!     ingest::{Ingest, survey},
//!     media::child::ChildProcess,
//!     profile::{self, Profile},
//!     spool::Spool,
//!     stop::Stop,
//!     store::{FsStore, ocfl},
//!     transcode::plan,
//!     work::{self, Drain, Silent},
//! };
//!
//! # fn main() -> damctl::error::Result<()> {
//! let dir = tempfile::tempdir().unwrap();
//! let drive = dir.path().join("drive");
//! std::fs::create_dir(&drive).unwrap();
//! image::RgbImage::new(640, 480).save(drive.join("DSC_0001.png")).unwrap();
//! std::fs::write(drive.join(".DS_Store"), "left behind").unwrap();
//!
//! let catalog = Catalog::open_sqlite(&dir.path().join("catalog.sqlite"))?;
//! let store = FsStore::open(&dir.path().join("store"))?;
//! let spool = Spool::open(&dir.path().join("scratch"))?;
//! let child = ChildProcess::new("damctl".into(), None);
//! ocfl::declare_root(&store)?;
//!
//! let found = survey(&catalog, &drive, &Stop::new())?;
//! catalog.see_drive(&found.drive)?;
//! catalog.record_sightings(&found.settled())?;
//! catalog.enqueue(&found.wanted(None))?;
//! let stage = Ingest { catalog: &catalog, store: &store, child: &child, spool: &spool };
//! let how = Drain { scope: found.scope.clone(), ..Drain::default() };
//! assert_eq!(work::drain(&catalog, &stage, &how, &Silent, &Stop::new())?.done, 1);
//!
//! // The picture is an asset now, and its thumbnails are wanted; the leftover is accounted for.
//! let profile = Profile::parse(profile::DEFAULT, "the built-in profile")?;
//! let plan = plan(&catalog, &profile, &[])?;
//! assert_eq!(plan.masters[0].title, "DSC_0001.png");
//! assert_eq!(plan.masters[0].missing, ["thumb_1200", "thumb_300", "thumb_800"]);
//!
//! // A second look finds nothing new.
//! assert_eq!(survey(&catalog, &drive, &Stop::new())?.new_sources().count(), 0);
//! # Ok(())
//! # }
//! ```
//!
//! # Modules in reading order
//!
//! [`error`] and [`stop`]: what goes wrong, and how to end. [`model`]: the nouns. [`profile`]: what is wanted.
//! [`store`]: where bytes live. [`catalog`]: what is known, and the jobs. [`media`]: everything that touches media
//! bytes. [`names`], [`meaning`] and [`vision`]: what is spoken of, what that means, and what is seen. [`work`]: the one loop. Then the stages, [`tend`], which looks after what is there, [`fanout`], which has many
//! machines do it, [`compose`], which makes clips by template, [`export`], which hands out in others' forms, and `feed`, which tells others.
//! [`channel`] and [`secret`]: places outside, and what opens them.
#![warn(missing_docs, unreachable_pub)]

#[cfg(any(
    feature = "serve",
    feature = "s3",
    feature = "webhook",
    feature = "nats",
    feature = "tts",
    feature = "download",
    feature = "publish",
    feature = "sftp",
    feature = "vault"
))]
pub mod block;
pub mod catalog;
pub mod channel;
pub mod compose;
mod crash;
pub mod digest;
pub mod enrich;
pub mod error;
pub mod export;
pub mod fanout;
#[cfg(any(feature = "webhook", feature = "nats"))]
pub mod feed;
pub mod index;
pub mod ingest;
pub mod keep;
pub mod meaning;
pub mod media;
pub mod model;
pub mod models;
pub mod names;
mod onnx;
pub mod pace;
pub mod profile;
pub mod publish;
pub mod receive;
pub mod search;
pub mod secret;
#[cfg(feature = "serve")]
pub mod serve;
pub mod speech;
pub mod spool;
pub mod stop;
pub mod store;
pub mod subtitle;
pub mod tend;
pub mod transcode;
pub mod vision;
pub mod work;
