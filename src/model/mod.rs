//! The nouns of the archive, as plain data: what is parsed at the border and trusted inside. Nothing here does I/O.

pub mod arrival;
pub mod asset;
pub mod description;
pub mod finding;
pub mod id;
pub mod job;
pub mod key;
pub mod looks;
pub mod meaning;
pub mod media;
pub mod media_type;
pub mod path;
pub mod publication;
pub mod rate;
pub mod rendition;
pub mod rights;
pub mod timecode;
pub mod token;

pub use arrival::{Arrival, ArrivalState};
pub use asset::{Asset, Drive, Master, Outcome, Role, Sighting};
pub use description::Description;
pub use finding::{Again, Finding, FindingKind, Findings, Signs, Source, Word};
pub use id::{AssetId, DriveId, JobId};
pub use job::{AttemptRecord, Job, JobState, Queue, Stage};
pub use key::{Area, Key};
pub use looks::{Looks, LooksOf, Shade, Shot};
pub use meaning::{MeaningOf, Vector};
pub use media::{
    AudioFacts, FieldOrder, ImageFacts, LoudnessFacts, MediaFacts, MediaKind, Range, Timecode, VideoFacts,
};
pub use media_type::media_type;
pub use path::RawPath;
pub use publication::{Approval, Publication, PublicationId, PublicationState, Receipt, Words};
pub use rate::{Per, Rate};
pub use rendition::{Rendition, RenditionFile, playable};
pub use rights::{Audience, Rights};
pub use timecode::Counting;
pub use token::{Grade, Token};
