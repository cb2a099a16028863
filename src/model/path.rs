//! Paths on drives are bytes. This type keeps them exactly and writes them as text that can be read back.

use std::{
    ffi::{OsStr, OsString},
    fmt::{self, Write as _},
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
    str::FromStr,
};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// A path relative to its drive's root, as raw bytes. As text, bytes that are not UTF-8, control characters and `%`
/// are written `%XX`; every other character stands for itself.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RawPath(Vec<u8>);

impl RawPath {
    /// Keeps these bytes.
    pub fn new(path: impl AsRef<OsStr>) -> Self {
        Self(path.as_ref().as_bytes().to_vec())
    }

    /// The path below `root`.
    pub fn under(&self, root: &Path) -> PathBuf {
        if self.0.is_empty() { root.to_owned() } else { root.join(OsStr::from_bytes(&self.0)) }
    }

    /// The bytes of the last component.
    pub fn file_name(&self) -> &[u8] {
        self.0.rsplit(|b| *b == b'/').next().unwrap_or(&self.0)
    }

    /// The last component as text, escaped like the whole.
    pub fn file_name_text(&self) -> String {
        Self(self.file_name().to_vec()).to_string()
    }

    /// The raw bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Display for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for chunk in self.0.utf8_chunks() {
            for c in chunk.valid().chars() {
                if c == '%' || c.is_control() {
                    c.encode_utf8(&mut [0; 4]).bytes().try_for_each(|b| write!(f, "%{b:02X}"))?;
                } else {
                    f.write_char(c)?;
                }
            }
            chunk.invalid().iter().try_for_each(|b| write!(f, "%{b:02X}"))?;
        }
        Ok(())
    }
}

impl fmt::Debug for RawPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.to_string())
    }
}

impl FromStr for RawPath {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad =
            || Error::invalid(format!("'{text}' is not a path as damctl writes it ('%' starts an escape like %2F)"));
        let mut out = Vec::with_capacity(text.len());
        let mut bytes = text.bytes();
        while let Some(b) = bytes.next() {
            if b != b'%' {
                out.push(b);
                continue;
            }
            let mut digit = || bytes.next().and_then(|d| (d as char).to_digit(16)).ok_or_else(bad);
            let value = digit()? * 16 + digit()?;
            out.push(value as u8);
        }
        Ok(Self(out))
    }
}

impl TryFrom<String> for RawPath {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<RawPath> for String {
    fn from(path: RawPath) -> Self {
        path.to_string()
    }
}

impl From<RawPath> for PathBuf {
    fn from(path: RawPath) -> Self {
        OsString::from_vec(path.0).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn latin_1_names_stay_readable_and_exact() {
        let path = RawPath::new(OsStr::from_bytes(b"A\xf1o 100%/caf\xc3\xa9\n.mov"));
        assert_eq!(path.to_string(), "A%F1o 100%25/café%0A.mov");
    }

    proptest! {
        #[test]
        fn every_path_comes_back_from_its_text(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            let path = RawPath(bytes);
            prop_assert_eq!(path.to_string().parse::<RawPath>().unwrap(), path);
        }
    }
}
