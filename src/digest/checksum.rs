//! Digests of other algorithms than the archive's own, for forms that others read and write.

use std::{fmt, str::FromStr};

use sha2::Digest as _;

use crate::error::{Error, Result};

/// An algorithm, as BagIt names them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Algorithm {
    /// MD5 (RFC 1321): tells damage, not forgery.
    Md5,
    /// SHA-1 (RFC 3174): the same.
    Sha1,
    /// SHA-256 (FIPS 180-4).
    Sha256,
    /// SHA-512 (FIPS 180-4).
    Sha512,
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Algorithm; 4] = [Algorithm::Md5, Algorithm::Sha1, Algorithm::Sha256, Algorithm::Sha512];

    /// Its name, in lower case and without hyphens.
    pub fn as_str(self) -> &'static str {
        match self {
            Algorithm::Md5 => "md5",
            Algorithm::Sha1 => "sha1",
            Algorithm::Sha256 => "sha256",
            Algorithm::Sha512 => "sha512",
        }
    }

    /// Hexadecimal digits of its digests.
    pub fn digits(self) -> usize {
        match self {
            Algorithm::Md5 => 32,
            Algorithm::Sha1 => 40,
            Algorithm::Sha256 => 64,
            Algorithm::Sha512 => 128,
        }
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl FromStr for Algorithm {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let found = Self::ALL.into_iter().find(|a| a.as_str() == text);
        found.ok_or_else(|| {
            let known = Self::ALL.map(Self::as_str).join(", ");
            Error::unsupported(format!("'{text}' is not an algorithm that is known here: expected one of {known}"))
        })
    }
}

/// A digest of any algorithm in the making.
#[derive(Clone)]
pub struct Sum(Inner);

#[derive(Clone)]
enum Inner {
    Md5(md5::Md5),
    Sha1(sha1::Sha1),
    Sha256(sha2::Sha256),
    Sha512(sha2::Sha512),
}

impl Sum {
    /// An empty one.
    pub fn new(algorithm: Algorithm) -> Self {
        Self(match algorithm {
            Algorithm::Md5 => Inner::Md5(md5::Md5::new()),
            Algorithm::Sha1 => Inner::Sha1(sha1::Sha1::new()),
            Algorithm::Sha256 => Inner::Sha256(sha2::Sha256::new()),
            Algorithm::Sha512 => Inner::Sha512(sha2::Sha512::new()),
        })
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        match &mut self.0 {
            Inner::Md5(sum) => sum.update(bytes),
            Inner::Sha1(sum) => sum.update(bytes),
            Inner::Sha256(sum) => sum.update(bytes),
            Inner::Sha512(sum) => sum.update(bytes),
        }
    }

    /// The digest of all bytes taken in.
    pub fn finish(self) -> Vec<u8> {
        match self.0 {
            Inner::Md5(sum) => sum.finalize().to_vec(),
            Inner::Sha1(sum) => sum.finalize().to_vec(),
            Inner::Sha256(sum) => sum.finalize().to_vec(),
            Inner::Sha512(sum) => sum.finalize().to_vec(),
        }
    }

    /// The same in lower-case hexadecimal digits.
    pub fn hex(self) -> String {
        self.finish().iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// The C4 identifier (SMPTE ST 2114) of a SHA-512 digest: `c4` and 88 digits to the base of 58.
pub fn c4(digest: &[u8]) -> String {
    const DIGITS: &[u8; 58] = b"123456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnopqrstuvwxyz";
    let mut number = digest.to_vec();
    let mut out = [b'1'; 88];
    for place in out.iter_mut().rev() {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = rest << 8 | u32::from(*byte);
            *byte = (value / 58) as u8;
            rest = value % 58;
        }
        *place = DIGITS[rest as usize];
    }
    format!("c4{}", String::from_utf8_lossy(&out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digests_are_those_that_are_published() {
        let of = |algorithm, text: &str| {
            let mut sum = Sum::new(algorithm);
            sum.update(text.as_bytes());
            sum.hex()
        };
        assert_eq!(of(Algorithm::Md5, "abc"), "900150983cd24fb0d6963f7d28e17f72");
        assert_eq!(of(Algorithm::Sha1, "abc"), "a9993e364706816aba3e25717850c26c9cd0d89d");
        assert!(of(Algorithm::Sha256, "abc").starts_with("ba7816bf8f01cfea"));
        assert!(of(Algorithm::Sha512, "abc").starts_with("ddaf35a193617aba"));
        // The identifier of nothing, as SMPTE ST 2114 gives it.
        let nothing = "c459dsjfscH38cYeXXYogktxf4Cd9ibshE3BHUo6a58hBXmRQdZrAkZzsWcbWtDg5oQstpDuni4Hirj75GEmTc1sFT";
        assert_eq!(c4(&Sum::new(Algorithm::Sha512).finish()), nothing);
    }
}
