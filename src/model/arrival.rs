//! A file that somebody else sends to the store, and how far it is.

use serde::{Deserialize, Serialize};

use super::{AssetId, Key};
use crate::{
    digest::Digest,
    error::{Error, Result},
};

/// Where an arrival stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ArrivalState {
    /// Announced; not all of it is there.
    Pending,
    /// All of it is there, and not yet read.
    Uploaded,
    /// It is what was announced, and an asset; its renditions are to be made.
    Processing,
    /// Its renditions are there too.
    Ready,
    /// It did not come in time, or was something else.
    Failed,
}

impl ArrivalState {
    /// All of them, in the order in which they follow.
    pub const ALL: [ArrivalState; 5] = [
        ArrivalState::Pending,
        ArrivalState::Uploaded,
        ArrivalState::Processing,
        ArrivalState::Ready,
        ArrivalState::Failed,
    ];

    /// The word stored in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            ArrivalState::Pending => "pending",
            ArrivalState::Uploaded => "uploaded",
            ArrivalState::Processing => "processing",
            ArrivalState::Ready => "ready",
            ArrivalState::Failed => "failed",
        }
    }

    /// Whether it is still to be received.
    pub fn is_open(self) -> bool {
        matches!(self, ArrivalState::Pending | ArrivalState::Uploaded)
    }
}

impl std::str::FromStr for ArrivalState {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let unknown = || Error::invalid(format!("'{text}' is no state of an arrival"));
        Self::ALL.into_iter().find(|s| s.as_str() == text).ok_or_else(unknown)
    }
}

/// A file that was announced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Arrival {
    /// The asset that it becomes, if its bytes are new.
    pub asset: AssetId,
    /// Its name.
    pub name: String,
    /// The collection that it will belong to.
    pub collection: Option<String>,
    /// Its size in bytes, as announced.
    pub bytes: u64,
    /// Its SHA-256, as announced.
    pub digest: Digest,
    /// Where it goes.
    pub key: Key,
    /// The store's name for the upload.
    pub upload: String,
    /// Bytes of every part but the last.
    pub part_bytes: u64,
    /// Where it stands.
    pub state: ArrivalState,
    /// Why it failed.
    pub error: Option<String>,
    /// The asset that has its bytes, when another was first.
    pub holder: Option<AssetId>,
    /// Until when its addresses are good, in milliseconds since 1970-01-01 UTC.
    pub expires_at: i64,
    /// When it was announced (ms).
    pub created_at: i64,
}
