//! What an endpoint was found to do. It has to be found out by trying: a server that knows nothing of a checksum takes a
//! wrong one and says that all is well.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What an endpoint does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Abilities {
    /// What it verifies of what it is sent, the best there is; none: nothing.
    pub checksum: Option<Checksum>,
    /// Whether a put with `If-None-Match: *` leaves alone what is there.
    pub exclusive_put: bool,
    /// Whether the end of an upload in parts does.
    pub exclusive_complete: bool,
}

/// A checksum that an endpoint verifies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Checksum {
    /// CRC-64/NVME of the whole object, also when it comes in parts.
    Crc64Nvme,
    /// SHA-256 of each part, and of these of the object.
    Sha256,
    /// SHA-256 of each part, as the signature of its request covers it.
    Signed,
    /// `Content-MD5` of each part.
    Md5,
}

impl Default for Abilities {
    /// What all endpoints do that were looked at, for one that was not asked.
    fn default() -> Self {
        Self { checksum: Some(Checksum::Md5), exclusive_put: true, exclusive_complete: false }
    }
}

impl Checksum {
    /// The word kept in the catalog.
    pub fn as_str(self) -> &'static str {
        match self {
            Checksum::Crc64Nvme => "crc64_nvme",
            Checksum::Sha256 => "sha256",
            Checksum::Signed => "signed",
            Checksum::Md5 => "md5",
        }
    }
}

impl std::str::FromStr for Checksum {
    type Err = crate::error::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let all = [Checksum::Crc64Nvme, Checksum::Sha256, Checksum::Signed, Checksum::Md5];
        let unknown = || crate::error::Error::corrupt(format!("'{text}' is not a checksum"));
        all.into_iter().find(|c| c.as_str() == text).ok_or_else(unknown)
    }
}

impl fmt::Display for Abilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let verifies = match self.checksum {
            Some(Checksum::Crc64Nvme) => "verifies the CRC64NVME of whole objects",
            Some(Checksum::Sha256) => "verifies the SHA-256 of parts",
            Some(Checksum::Signed) => "verifies the SHA-256 that a part is signed with",
            Some(Checksum::Md5) => "verifies the MD5 of parts",
            None => "verifies nothing of what it is sent",
        };
        let keeps = match (self.exclusive_put, self.exclusive_complete) {
            (true, true) => "never overwrites when it is told not to",
            (true, false) => "does not overwrite by a put when it is told not to, but by the end of an upload in parts",
            (false, true) => "does not overwrite by the end of an upload in parts when it is told not to, but by a put",
            (false, false) => "overwrites even when it is told not to: only one writer at a time is safe",
        };
        write!(f, "{verifies}; {keeps}")
    }
}
