//! What is asked of buckets beyond objects: that earlier versions stay, that leftovers go, that masters cannot be removed.

use std::str::FromStr;

use serde::Serialize;

use crate::error::{Error, Result};

/// What is wanted of the buckets.
#[derive(Clone, Debug, PartialEq)]
pub struct Wish {
    /// Days after which uploads in parts that nobody has ended are given up.
    pub abort_days: i32,
    /// Days that earlier versions of renditions and delivery stay where their bucket keeps versions; those of masters stay for
    /// good.
    pub noncurrent_days: i32,
    /// For how long masters cannot be removed, if that is wanted.
    pub lock: Option<Lock>,
    /// Folders of delivery, each with the days after which what was put there goes.
    pub delivery: Vec<Expiry>,
}

/// A folder below `delivery/`, and after how many days what lies there goes: `web 60d`.
#[derive(Clone, Debug, PartialEq)]
pub struct Expiry {
    /// One name: `web`.
    pub folder: String,
    /// In days.
    pub days: i32,
}

impl FromStr for Expiry {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::invalid(format!("'{}' is no time for a folder", text.trim())).hint("expected 'web 60d'");
        let (folder, days) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let is_name = !folder.is_empty() && folder.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b'_');
        match days.trim().strip_suffix('d').and_then(|n| n.parse().ok()).filter(|_| is_name) {
            Some(days @ 1..=36_500) => Ok(Self { folder: folder.to_owned(), days }),
            _ => Err(wrong()),
        }
    }
}

impl Default for Wish {
    fn default() -> Self {
        Self { abort_days: 7, noncurrent_days: 7, lock: None, delivery: Vec::new() }
    }
}

/// A lock that new objects of a bucket get by themselves: `governance 30d` can be lifted by whoever may do so,
/// `compliance 365d` by nobody.
#[derive(Clone, Debug, PartialEq)]
pub struct Lock {
    /// Whether nobody can lift it.
    pub is_strict: bool,
    /// For how many days.
    pub days: i32,
}

impl FromStr for Lock {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong =
            || Error::invalid(format!("'{text}' is no lock")).hint("expected 'governance 30d' or 'compliance 365d'");
        let (mode, days) = text.trim().split_once(' ').ok_or_else(wrong)?;
        let is_strict = match mode {
            "governance" => false,
            "compliance" => true,
            _ => return Err(wrong()),
        };
        match days.trim().strip_suffix('d').and_then(|n| n.parse().ok()) {
            Some(days @ 1..=36_500) => Ok(Self { is_strict, days }),
            _ => Err(wrong()),
        }
    }
}

/// Something of a bucket that is not as it is wanted.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Difference {
    /// The bucket.
    pub bucket: String,
    /// What of it: `versioning`, `lock`, or a rule's name.
    pub what: String,
    /// What it is now.
    pub is: String,
    /// What it is to be.
    pub wanted: String,
    /// What the change would remove.
    pub removes: Option<String>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_of_delivery_has_a_name_and_days() {
        assert_eq!(" web 60d".parse::<Expiry>().unwrap(), Expiry { folder: "web".to_owned(), days: 60 });
        for bad in ["web", "web 60", "web 0d", "../masters 1d", "a/b 1d", " 1d"] {
            assert!(bad.parse::<Expiry>().is_err(), "{bad}");
        }
    }

    #[test]
    fn locks_are_read_and_what_is_none_is_refused() {
        assert_eq!("compliance 365d".parse::<Lock>().unwrap(), Lock { is_strict: true, days: 365 });
        for bad in ["", "governance", "governance 0d", "governance 3", "strict 3d", "compliance 99999d"] {
            assert!(bad.parse::<Lock>().is_err(), "{bad}");
        }
    }
}
