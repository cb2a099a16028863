//! Identifiers. Each is its own type, so that one cannot stand where another is meant.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::{
    digest::Digest,
    error::{Error, Result},
};

macro_rules! uuid_id {
    ($name:ident, $what:literal) => {
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = Error;

            fn from_str(text: &str) -> Result<Self> {
                Uuid::parse_str(text)
                    .map(Self)
                    .map_err(|e| Error::invalid(format!(concat!("'{}' is not ", $what), text)).because(e))
            }
        }
    };
}

/// An asset's identity. It is derived from where its first bytes were seen (drive, path, size, modification time), so
/// that an ingest that is killed and run again writes to the same place.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct AssetId(pub Uuid);

impl AssetId {
    /// The identity that these fields give (a UUID of version 8, RFC 9562 §5.8, from their SHA-256).
    pub fn derived<F: AsRef<[u8]>>(fields: &[F]) -> Self {
        Self(derive(fields))
    }
}

/// A drive's identity in the catalog, derived from what identifies the drive itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct DriveId(pub Uuid);

impl DriveId {
    /// The identity that these fields give.
    pub fn derived<F: AsRef<[u8]>>(fields: &[F]) -> Self {
        Self(derive(fields))
    }
}

fn derive<F: AsRef<[u8]>>(fields: &[F]) -> Uuid {
    let digest = Digest::of_fields(fields);
    let mut bytes = [0; 16];
    bytes.copy_from_slice(&digest.as_bytes()[..16]);
    Uuid::new_v8(bytes)
}

uuid_id!(AssetId, "an asset id (a UUID, as printed by 'damctl search' and 'damctl status')");
uuid_id!(DriveId, "a drive id (a UUID)");

/// A job's identity: SHA-256 of stage, subject and recipe, so that wanting the same work twice is one job.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct JobId(pub Digest);

impl JobId {
    /// The identity of this piece of work.
    pub fn new(stage: super::Stage, subject: &str, recipe: &str) -> Self {
        Self(Digest::of_fields(&[stage.as_str(), subject, recipe]))
    }
}

impl fmt::Display for JobId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for JobId {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        text.parse().map(Self)
    }
}
