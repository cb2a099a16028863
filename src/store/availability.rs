//! Whether an object can be read now, and how one that cannot is asked for.

use std::str::FromStr;

use crate::error::{Error, Result};

/// Whether an object that is there can be read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Availability {
    /// At once; until that time (ms), where it is a copy for a time.
    Online {
        /// When the copy ends.
        until: Option<i64>,
    },
    /// It was asked for, and is on its way.
    Recalling,
    /// It is to be asked for.
    Offline,
}

/// How an object is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Recall {
    /// How many days a copy stays, where it is one.
    pub days: i32,
    /// How soon.
    pub tier: Tier,
}

/// How soon an object is to be there (Amazon S3 User Guide, "Archive retrieval options").
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tier {
    /// In hours.
    #[default]
    Standard,
    /// In half a day or two, at the least cost.
    Bulk,
    /// In minutes, where the storage class has it.
    Expedited,
}

impl FromStr for Tier {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "standard" => Ok(Self::Standard),
            "bulk" => Ok(Self::Bulk),
            "expedited" => Ok(Self::Expedited),
            _ => Err(Error::invalid(format!("'{text}' is no tier")).hint("expected standard, bulk or expedited")),
        }
    }
}

/// What became of asking for an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Recalled {
    /// It is on its way.
    Asked,
    /// It can be read; until that time (ms), where it is a copy for a time.
    Online {
        /// When the copy ends.
        until: Option<i64>,
    },
    /// It is in the hot area again, for good.
    Back,
}
