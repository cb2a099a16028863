//! Where bytes live in a store.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result};

/// The three areas of an archive. Each may be another bucket or disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Area {
    /// Originals: an OCFL 1.1 storage root. Nothing here is ever removed by damctl.
    Masters,
    /// What profiles ask for, made from masters.
    Renditions,
    /// What is packaged for a channel.
    Delivery,
}

impl Area {
    /// All of them.
    pub const ALL: [Area; 3] = [Area::Masters, Area::Renditions, Area::Delivery];

    /// The first segment of its keys.
    pub fn as_str(self) -> &'static str {
        match self {
            Area::Masters => "masters",
            Area::Renditions => "renditions",
            Area::Delivery => "delivery",
        }
    }
}

/// A place in the store: an area and then segments, joined by `/`.
///
/// Invariants: at least two segments; the first is an [`Area`]; each is 1 to 255 bytes of `A-Z a-z 0-9 . _ - @ = ! ~ %`
/// and is neither `.` nor `..`; 1,024 bytes in all (S3's limit for a key). So a key is always a safe relative path.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Key(String);

impl Key {
    /// A key of this area, its segments given.
    pub fn new(area: Area, segments: &[&str]) -> Result<Self> {
        let mut text = area.as_str().to_owned();
        for s in segments {
            text.push('/');
            text.push_str(s);
        }
        text.parse()
    }

    /// The key below this one; `name` may hold several segments.
    pub fn join(&self, name: &str) -> Result<Self> {
        format!("{}/{name}", self.0).parse()
    }

    /// The key as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The area it lies in.
    pub fn area(&self) -> Area {
        let first = self.0.split('/').next().unwrap_or_default();
        Area::ALL.into_iter().find(|a| a.as_str() == first).unwrap_or(Area::Masters)
    }

    /// Makes one safe segment of any name: what a segment may not hold becomes `%XX`, and so does `%` itself, so the
    /// original can be had back by percent-decoding. Names too long for a segment are cut and marked by a digest.
    pub fn segment(name: &[u8]) -> String {
        let mut out = String::with_capacity(name.len());
        for &b in name {
            match b {
                b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'.' | b'_' | b'-' | b'@' | b'=' | b'!' | b'~' => {
                    out.push(b as char)
                }
                _ => out.push_str(&format!("%{b:02X}")),
            }
        }
        if out.is_empty() || out == "." || out == ".." {
            out = out.replace('.', "%2E");
            if out.is_empty() {
                out.push_str("%00");
            }
        }
        if out.len() > 200 {
            let tail = crate::digest::Digest::of(name).short();
            // A cut must not split an escape.
            let mut end = 180;
            while out[..end].ends_with('%') || out[..end - 1].ends_with('%') {
                end -= 1;
            }
            out = format!("{}~{tail}", &out[..end]);
        }
        out
    }
}

impl FromStr for Key {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let bad = |why: &str| Error::invalid(format!("'{text}' is not a key: {why}"));
        if text.len() > 1024 {
            return Err(bad("longer than 1,024 bytes"));
        }
        let mut segments = text.split('/');
        let area = segments.next().unwrap_or_default();
        if !Area::ALL.iter().any(|a| a.as_str() == area) {
            return Err(bad("its first segment names no area (masters, renditions, delivery)"));
        }
        let mut count = 0;
        for s in segments {
            count += 1;
            let allowed = |b: u8| b.is_ascii_alphanumeric() || b"._-@=!~%".contains(&b);
            if s.is_empty() || s.len() > 255 || s == "." || s == ".." || !s.bytes().all(allowed) {
                return Err(bad(&format!("segment '{s}' is not allowed")));
            }
        }
        if count == 0 {
            return Err(bad("nothing follows the area"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl TryFrom<String> for Key {
    type Error = Error;

    fn try_from(text: String) -> Result<Self> {
        text.parse()
    }
}

impl From<Key> for String {
    fn from(key: Key) -> Self {
        key.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn paths_that_climb_are_refused() {
        for bad in [
            "",
            "masters",
            "masters/",
            "masters/../x",
            "/masters/x",
            "masters//x",
            "etc/passwd",
            "masters/a b",
            "masters/é",
        ] {
            assert!(bad.parse::<Key>().is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn any_name_makes_a_segment_that_a_key_takes(name in proptest::collection::vec(any::<u8>(), 0..300)) {
            let segment = Key::segment(&name);
            prop_assert!(Key::new(Area::Masters, &[&segment]).is_ok(), "{segment}");
        }
    }
}
