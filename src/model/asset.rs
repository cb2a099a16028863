//! Assets and where their bytes were seen.
//!
//! An asset is a piece of media we own. It has generations (a replacement makes a new one); each generation has one or
//! more masters, each with a role (a camera card's members, a sidecar). A sighting says that a path on a drive held
//! the bytes of a master, or why it did not lead to one: every path on a drive ends as a sighting.

use serde::{Deserialize, Serialize};

use super::{AssetId, DriveId, Key, MediaFacts, MediaKind, RawPath};
use crate::digest::Digest;

/// A piece of media we own.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Asset {
    /// Its identity.
    pub id: AssetId,
    /// What it is, by its main master's content.
    pub kind: MediaKind,
    /// What to call it; the file's name to begin with.
    pub title: String,
    /// The collection it was ingested into.
    pub collection: Option<String>,
    /// Milliseconds since 1970-01-01 UTC.
    pub created_at: i64,
}

/// What a master is to its asset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// The content itself, or where it begins.
    Main,
    /// Where a recording goes on that its camera has cut into several files.
    Chapter,
    /// A part that cannot be shown by itself: a frame of a sequence, a track of a card's clip.
    Member,
    /// A file that describes the main one.
    Sidecar,
}

impl Role {
    /// All of them.
    pub const ALL: [Role; 4] = [Role::Main, Role::Chapter, Role::Member, Role::Sidecar];

    /// Whether renditions are made of it.
    pub fn is_shown(self) -> bool {
        matches!(self, Role::Main | Role::Chapter)
    }

    /// The word stored in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Role::Main => "main",
            Role::Chapter => "chapter",
            Role::Member => "member",
            Role::Sidecar => "sidecar",
        }
    }
}

/// An original file in the store.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Master {
    /// The asset it belongs to.
    pub asset: AssetId,
    /// 1 for the first; a replacement makes the next.
    pub generation: u32,
    /// What it is to the asset.
    pub role: Role,
    /// What it is called in the asset: a path below the folder of the asset's main file.
    pub name: String,
    /// SHA-256 of the whole file.
    pub digest: Digest,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256 of its head and tail, by which a copy is suspected before it is read.
    pub fingerprint: Option<Digest>,
    /// Where it is.
    pub key: Key,
    /// Technical metadata.
    pub facts: MediaFacts,
}

/// A drive, card or folder that was ingested.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Drive {
    /// Derived from `identity`.
    pub id: DriveId,
    /// What identifies it: a file system's UUID, or a folder's path.
    pub identity: String,
    /// A name for people.
    pub label: String,
    /// Where its root was when it was last seen.
    pub root: RawPath,
    /// File system UUID, when there is one.
    pub fs_uuid: Option<String>,
    /// Hardware serial number, when it can be read.
    pub serial: Option<String>,
    /// Size of the file system in bytes, when known.
    pub bytes: Option<u64>,
}

/// What became of a path on a drive.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// Its bytes became a master.
    Stored,
    /// Its bytes are those of a master that was there before.
    Duplicate,
    /// A file that systems leave behind: listed, not kept.
    Junk,
    /// Not a regular file, or left out for a reason that is said.
    Skipped,
    /// A file without bytes.
    Empty,
    /// It could not be read.
    Unreadable,
}

impl Outcome {
    /// All of them.
    pub const ALL: [Outcome; 6] =
        [Outcome::Stored, Outcome::Duplicate, Outcome::Junk, Outcome::Skipped, Outcome::Empty, Outcome::Unreadable];

    /// The word stored in the catalog and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Outcome::Stored => "stored",
            Outcome::Duplicate => "duplicate",
            Outcome::Junk => "junk",
            Outcome::Skipped => "skipped",
            Outcome::Empty => "empty",
            Outcome::Unreadable => "unreadable",
        }
    }
}

/// What was seen at a path of a drive, and what became of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Sighting {
    /// The drive.
    pub drive: DriveId,
    /// The path below the drive's root.
    pub path: RawPath,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time in nanoseconds since 1970-01-01 UTC.
    pub mtime_ns: i64,
    /// The inode number; 0 where the path could not be looked at.
    pub inode: u64,
    /// When the inode was last changed (ns), where the file system tells that reliably.
    pub ctime_ns: Option<i64>,
    /// What became of it.
    pub outcome: Outcome,
    /// Why, for whoever reads the report.
    pub detail: Option<String>,
    /// SHA-256 of its bytes, when they were read.
    pub digest: Option<Digest>,
    /// The asset that holds its bytes.
    pub asset: Option<AssetId>,
}
