//! The checksum that goes up with every object or part for the server to verify, and what it says of the whole.

use aws_sdk_s3::types::{ChecksumAlgorithm, ChecksumType};
use base64::prelude::{BASE64_STANDARD, Engine as _};
use crc_fast::CrcAlgorithm::Crc64Nvme;
use md5::{Digest as _, Md5};

use crate::{
    digest::Digest,
    store::{Checksum, Upload},
};

/// MD5 as a header has it (RFC 1864).
pub(super) fn md5_base64(bytes: &[u8]) -> String {
    base64(Md5::digest(bytes))
}

pub(super) fn md5_hex(bytes: &[u8]) -> String {
    Md5::digest(bytes).iter().map(|b| format!("{b:02x}")).collect()
}

/// CRC-64/NVME.
pub(super) fn crc64(bytes: &[u8]) -> u64 {
    crc_fast::checksum(Crc64Nvme, bytes)
}

/// CRC-64/NVME as S3 writes it.
pub(super) fn crc64_of(text: &str) -> Option<u64> {
    Some(u64::from_be_bytes(BASE64_STANDARD.decode(text).ok()?.try_into().ok()?))
}

/// The checksum of some bytes.
#[derive(Clone, Copy)]
pub(super) enum Sum {
    Crc64(u64),
    Sha256(Digest),
    Signed(Digest),
    Md5([u8; 16]),
}

impl Sum {
    /// Of these bytes, whose SHA-256 may be known.
    pub(super) fn of(kind: Checksum, bytes: &[u8], digest: Option<Digest>) -> Self {
        match kind {
            Checksum::Crc64Nvme => Sum::Crc64(crc64(bytes)),
            Checksum::Sha256 => Sum::Sha256(digest.unwrap_or_else(|| Digest::of(bytes))),
            Checksum::Signed => Sum::Signed(digest.unwrap_or_else(|| Digest::of(bytes))),
            Checksum::Md5 => Sum::Md5(Md5::digest(bytes).into()),
        }
    }

    pub(super) fn crc64(&self) -> Option<String> {
        if let Sum::Crc64(crc) = self { Some(base64(crc.to_be_bytes())) } else { None }
    }

    pub(super) fn sha256(&self) -> Option<String> {
        if let Sum::Sha256(digest) = self { Some(base64(digest.as_bytes())) } else { None }
    }

    pub(super) fn md5(&self) -> Option<String> {
        if let Sum::Md5(md5) = self { Some(base64(md5)) } else { None }
    }

    pub(super) fn algorithm(&self) -> Option<ChecksumAlgorithm> {
        match self {
            Sum::Crc64(_) => algorithm(Checksum::Crc64Nvme),
            Sum::Sha256(_) => algorithm(Checksum::Sha256),
            Sum::Signed(_) | Sum::Md5(_) => None,
        }
    }
}

/// What an upload in parts is begun with.
pub(super) fn algorithm(kind: Checksum) -> Option<ChecksumAlgorithm> {
    match kind {
        Checksum::Crc64Nvme => Some(ChecksumAlgorithm::Crc64Nvme),
        Checksum::Sha256 => Some(ChecksumAlgorithm::Sha256),
        Checksum::Signed | Checksum::Md5 => None,
    }
}

/// How the checksum of the object follows from its parts'.
pub(super) fn of_whole(kind: Checksum) -> Option<ChecksumType> {
    match kind {
        Checksum::Crc64Nvme => Some(ChecksumType::FullObject),
        Checksum::Sha256 => Some(ChecksumType::Composite),
        Checksum::Signed | Checksum::Md5 => None,
    }
}

fn base64(bytes: impl AsRef<[u8]>) -> String {
    BASE64_STANDARD.encode(bytes)
}

impl Upload {
    /// The ETag that S3 gives the finished object: the MD5 of the parts' MD5s, and their number.
    pub(super) fn etag(&self) -> String {
        let mut bytes = Vec::with_capacity(self.parts.len() * 16);
        for part in &self.parts {
            bytes.extend(
                (0..part.etag.len() / 2).filter_map(|i| u8::from_str_radix(part.etag.get(2 * i..2 * i + 2)?, 16).ok()),
            );
        }
        format!("{}-{}", md5_hex(&bytes), self.parts.len())
    }

    /// CRC-64/NVME of the whole object, when that of all parts is known.
    pub(super) fn crc64(&self) -> Option<u64> {
        self.parts.iter().try_fold(crc64(&[]), |whole, part| {
            Some(crc_fast::checksum_combine(Crc64Nvme, whole, part.crc64?, part.bytes))
        })
    }

    /// The SHA-256 of the parts' SHA-256s, and their number, as S3 says it of the object.
    fn composite(&self) -> String {
        let parts: Vec<u8> = self.parts.iter().flat_map(|p| *p.digest.as_bytes()).collect();
        format!("{}-{}", base64(Digest::of(parts).as_bytes()), self.parts.len())
    }
}

/// An object as the store describes it.
pub(super) struct Head {
    pub(super) bytes: u64,
    pub(super) etag: String,
    /// Whether it is encrypted by a key service: its ETag then follows from nothing that is known.
    pub(super) is_sealed: bool,
    pub(super) crc64: Option<String>,
    pub(super) sha256: Option<String>,
    /// The storage class, where it is not the usual one.
    pub(super) class: Option<String>,
    /// How far it is that was asked for.
    pub(super) restore: Option<String>,
    /// Whether the store itself has moved it to where it cannot be read at once.
    pub(super) is_tiered_away: bool,
}

impl Head {
    /// Whether the object has these bytes, as one put leaves them. An encrypted object's ETag may be no digest.
    pub(super) fn is_of(&self, bytes: &[u8]) -> bool {
        self.bytes == bytes.len() as u64
            && (self.etag == md5_hex(bytes)
                || self.crc64.as_ref().is_some_and(|c| *c == base64(crc64(bytes).to_be_bytes()))
                || self.sha256.as_ref().is_some_and(|s| *s == base64(Digest::of(bytes).as_bytes())))
    }

    /// Whether the object is what this upload makes.
    pub(super) fn is_end_of(&self, upload: &Upload) -> bool {
        self.bytes == upload.bytes() && (self.etag == upload.etag() || self.agrees(upload) == Some(true))
    }

    /// Whether the store's checksum of the object is that of the upload; none when there is nothing to compare.
    pub(super) fn agrees(&self, upload: &Upload) -> Option<bool> {
        let crc64 = || Some(*self.crc64.as_ref()? == base64(upload.crc64()?.to_be_bytes()));
        crc64().or_else(|| Some(*self.sha256.as_ref()? == upload.composite()))
    }

    /// Whether its ETag is the one of an object of these parts, where that can be said.
    pub(super) fn has_etag_of(&self, upload: &Upload) -> Option<bool> {
        (!self.is_sealed && self.etag.contains('-')).then(|| self.etag == upload.etag())
    }

    /// Whether the store's SHA-256 of the object is this, when it went up as a whole and has one.
    pub(super) fn has_digest(&self, digest: &Digest) -> Option<bool> {
        let said = self.sha256.as_ref().filter(|s| !s.contains('-'))?;
        Some(*said == base64(digest.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::Part;

    /// The check value of CRC-64/NVME (NVM Express NVM Command Set Specification 1.0, "64b CRC").
    #[test]
    fn known_answer() {
        assert_eq!(crc64(b"123456789"), 0xae8b_1486_0a79_9888);
        assert_eq!(Sum::Crc64(crc64(b"123456789")).crc64().unwrap(), "rosUhgp5mIg=");
        assert_eq!(crc64_of("rosUhgp5mIg="), Some(0xae8b_1486_0a79_9888));
    }

    #[test]
    fn the_checksum_of_the_whole_follows_from_the_parts() {
        let bytes: Vec<u8> = (0..100_000_u32).map(|i| (i * 7 + i / 251) as u8).collect();
        let part = |(i, p): (usize, &[u8])| Part {
            number: i as u32 + 1,
            etag: md5_hex(p),
            bytes: p.len() as u64,
            digest: Digest::of(p),
            crc64: Some(crc64(p)),
        };
        let parts = bytes.chunks(30_001).enumerate().map(part).collect();
        let mut upload = Upload { id: String::new(), part_bytes: 30_001, parts, checksum: Some(Checksum::Crc64Nvme) };
        assert_eq!(upload.crc64(), Some(crc64(&bytes)));
        upload.parts[2].crc64 = None;
        assert_eq!(upload.crc64(), None);
    }
}
