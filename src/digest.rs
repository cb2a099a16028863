//! What the bytes are: SHA-256 (FIPS 180-4), the one digest of the archive.

use std::{fmt, io, str::FromStr};

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, digest::common::hazmat::SerializableState as _};

use crate::error::{Error, Result};

mod checksum;

pub use checksum::{Algorithm, Sum, c4};

/// A SHA-256 digest, written as 64 lower-case hexadecimal digits.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Digest([u8; 32]);

impl Digest {
    /// The digest of these bytes.
    pub fn of(bytes: impl AsRef<[u8]>) -> Self {
        Self(sha2::Sha256::digest(bytes.as_ref()).into())
    }

    /// The digest of a list of fields, each length-prefixed so that no two lists share an encoding.
    pub fn of_fields<F: AsRef<[u8]>>(fields: &[F]) -> Self {
        let mut hash = Hasher::new();
        for field in fields {
            let field = field.as_ref();
            hash.update(&(field.len() as u64).to_be_bytes());
            hash.update(field);
        }
        hash.finish()
    }

    /// The keyed digest of these bytes (HMAC, RFC 2104): who knows the key can tell that they are the other's.
    pub fn keyed(key: &[u8], bytes: &[u8]) -> Self {
        use hmac::{KeyInit as _, Mac as _};
        let Ok(mut mac) = hmac::Hmac::<sha2::Sha256>::new_from_slice(key) else { unreachable!("any length will do") };
        mac.update(bytes);
        Self(mac.finalize().into_bytes().into())
    }

    /// The raw 32 bytes.
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The first eight hexadecimal digits: enough to tell versions of one thing apart in a key.
    pub fn short(&self) -> String {
        self.to_string()[..8].to_owned()
    }
}

/// Bytes at either end of a file that its fingerprint takes in.
pub const FINGERPRINT: usize = 64 << 10;

/// Enough of a file to suspect that it is a copy before it is read, or to see that it is not what it was: SHA-256 over
/// size (8 bytes, big-endian), first and last [`FINGERPRINT`] bytes, each length-prefixed as in [`Digest::of_fields`]. In
/// a small file the two overlap, or are both the whole.
pub fn fingerprint(size: u64, head: &[u8], tail: &[u8]) -> Digest {
    let head = &head[..head.len().min(FINGERPRINT)];
    let tail = &tail[tail.len().saturating_sub(FINGERPRINT)..];
    Digest::of_fields(&[&size.to_be_bytes(), head, tail])
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Digest {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = || Error::invalid(format!("'{text}' is not a SHA-256 digest (64 hexadecimal digits)"));
        if text.len() != 64 || !text.is_ascii() {
            return Err(bad());
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            let pair = std::str::from_utf8(pair).map_err(|_| bad())?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| bad())?;
        }
        Ok(Self(bytes))
    }
}

impl Serialize for Digest {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Digest {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        String::deserialize(d)?.parse().map_err(serde::de::Error::custom)
    }
}

/// A digest in the making, fed block by block.
#[derive(Clone, Default)]
pub struct Hasher(sha2::Sha256);

impl Hasher {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    /// Takes in the next bytes.
    pub fn update(&mut self, bytes: &[u8]) {
        self.0.update(bytes);
    }

    /// The digest of all bytes taken in.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }

    /// The running state as hexadecimal text, to go on from in another process.
    pub fn state(&self) -> String {
        let state = self.0.serialize();
        state.iter().map(|b| format!("{b:02x}")).collect()
    }

    /// Goes on from a state that [`state`](Self::state) gave.
    pub fn resume(state: &str) -> Result<Self> {
        let bad = || Error::corrupt("the kept state of a digest cannot be read");
        let digits = state.as_bytes().chunks(2);
        let byte = |pair: &[u8]| std::str::from_utf8(pair).ok().and_then(|p| u8::from_str_radix(p, 16).ok());
        let bytes: Vec<u8> = digits.map(byte).collect::<Option<_>>().ok_or_else(bad)?;
        let bytes = bytes.as_slice().try_into().map_err(|_| bad())?;
        sha2::Sha256::deserialize(bytes).map(Self).map_err(|_| bad())
    }

    /// Reads to the end, calling `each` with the length of every block; returns digest and length.
    pub fn read_all(mut input: impl io::Read, mut each: impl FnMut(u64) -> Result<()>) -> Result<(Digest, u64)> {
        let mut hash = Self::new();
        let mut block = vec![0; 1 << 20];
        let mut total = 0;
        loop {
            let n = match input.read(&mut block) {
                Ok(0) => return Ok((hash.finish(), total)),
                Ok(n) => n,
                Err(e) if e.kind() == io::ErrorKind::Interrupted => continue,
                Err(e) => return Err(crate::error::io("cannot read", e)),
            };
            hash.update(&block[..n]);
            total += n as u64;
            each(n as u64)?;
        }
    }
}

/// Bytes as they come, of which the end is an error when they were not those that were expected: whoever copies them keeps
/// nothing that is wrong.
pub struct Checked<R> {
    from: R,
    expected: Digest,
    hasher: Option<Hasher>,
    is_wrong: bool,
}

impl<R: io::Read> Checked<R> {
    /// Expects the bytes of this digest.
    pub fn new(from: R, expected: Digest) -> Self {
        Self { from, expected, hasher: Some(Hasher::new()), is_wrong: false }
    }

    /// Whether they were others.
    pub fn was_wrong(&self) -> bool {
        self.is_wrong
    }
}

impl<R: io::Read> io::Read for Checked<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let n = self.from.read(buffer)?;
        match (&mut self.hasher, n) {
            (Some(hasher), 1..) => hasher.update(&buffer[..n]),
            (hasher, 0) if !buffer.is_empty() => {
                let found = hasher.take().map(Hasher::finish);
                if found.is_some_and(|found| found != self.expected) {
                    self.is_wrong = true;
                    return Err(io::Error::new(io::ErrorKind::InvalidData, "its bytes are others"));
                }
            }
            _ => {}
        }
        Ok(n)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer_of_fips_180_4() {
        assert_eq!(Digest::of("abc").to_string(), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
    }

    #[test]
    fn a_digest_goes_on_from_its_kept_state() {
        let mut whole = Hasher::new();
        whole.update(b"the first part");
        let mut later = Hasher::resume(&whole.state()).unwrap();
        later.update(b", and the second");
        assert_eq!(later.finish(), Digest::of("the first part, and the second"));
        assert!(Hasher::resume("00").is_err() && Hasher::resume("é").is_err());
    }

    #[test]
    fn fields_cannot_be_shifted_into_each_other() {
        assert_ne!(Digest::of_fields(&["ab", "c"]), Digest::of_fields(&["a", "bc"]));
    }

    /// Kept in catalogs, so it must stay what it is.
    #[test]
    fn a_fingerprint_is_made_of_size_head_and_tail() {
        let by_hand =
            [&8_u64.to_be_bytes()[..], &3_u64.to_be_bytes(), &1_u64.to_be_bytes(), b"h", &2_u64.to_be_bytes(), b"ta"];
        assert_eq!(fingerprint(3, b"h", b"ta"), Digest::of(by_hand.concat()));
        assert_ne!(fingerprint(3, b"h", b"ta"), fingerprint(4, b"h", b"ta"));
    }

    #[test]
    fn text_that_is_not_a_digest_is_refused() {
        for bad in ["", "zz", &"g".repeat(64), &"é".repeat(32)] {
            assert!(bad.parse::<Digest>().is_err(), "{bad}");
        }
        let d = Digest::of("x");
        assert_eq!(d.to_string().parse::<Digest>().unwrap(), d);
    }
}
