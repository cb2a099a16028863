//! What people say of an asset.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Rights;
use crate::error::{Error, Result};

/// Editorial metadata.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Description {
    /// A text about it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
    /// The program it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub program: Option<String>,
    /// News, sports, archive, …
    #[serde(skip_serializing_if = "Option::is_none")]
    pub category: Option<String>,
    /// Keywords.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
    /// Who is in it.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub people: Vec<String>,
    /// Where it is.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub places: Vec<String>,
    /// Organizations it is about.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub organizations: Vec<String>,
    /// When it was recorded or first shown: `2024-03-17`, `2024-03` or `2024`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub date: Option<String>,
    /// What may be done with it.
    #[serde(skip_serializing_if = "Rights::is_unsaid")]
    pub rights: Rights,
}

/// Longest text, and most entries of a list.
const LONGEST: usize = 20_000;
pub(super) const MOST: usize = 500;

impl Description {
    /// Refuses what makes no sense, with the field's name.
    pub fn check(&self) -> Result<()> {
        let texts = [("text", &self.text), ("program", &self.program), ("category", &self.category)];
        for (name, text) in texts.into_iter().filter_map(|(name, text)| Some((name, text.as_ref()?))) {
            check_text(name, text)?;
        }
        let lists = [
            ("tags", &self.tags),
            ("people", &self.people),
            ("places", &self.places),
            ("organizations", &self.organizations),
        ];
        for (name, list) in lists {
            if list.len() > MOST {
                return Err(Error::invalid(format!("{name} has {} entries: {MOST} at most", list.len())));
            }
            list.iter().try_for_each(|text| check_text(name, text))?;
        }
        self.rights.check()?;
        match &self.date {
            Some(date) => day(date).map(drop).map_err(|e| Error::invalid(format!("date: {e}"))),
            None => Ok(()),
        }
    }
}

pub(super) fn check_text(name: &str, text: &str) -> Result<()> {
    if text.trim().is_empty() {
        return Err(Error::invalid(format!("{name} is an empty text")));
    }
    if text.len() > LONGEST {
        return Err(Error::invalid(format!("{name} is longer than {LONGEST} bytes")));
    }
    match text.chars().any(|c| c.is_control() && !matches!(c, '\n' | '\t')) {
        true => Err(Error::invalid(format!("{name} has control characters in it"))),
        false => Ok(()),
    }
}

/// The first day that a date of a day, a month or a year means.
pub fn day(text: &str) -> Result<jiff::civil::Date> {
    let text = text.trim();
    let whole = match text.split('-').count() {
        1 => format!("{text}-01-01"),
        2 => format!("{text}-01"),
        _ => text.to_owned(),
    };
    let wrong = || Error::invalid(format!("'{text}' is not a date: expected 2024-03-17, 2024-03 or 2024"));
    match whole.len() == 10 {
        true => whole.parse().map_err(|_| wrong()),
        false => Err(wrong()),
    }
}

/// A day's beginning in UTC, or a time with its offset, in milliseconds since 1970-01-01 UTC.
pub fn moment(text: &str) -> Result<i64> {
    if let Ok(time) = text.trim().parse::<jiff::Timestamp>() {
        return Ok(time.as_millisecond());
    }
    let zoned = day(text)?.at(0, 0, 0, 0).to_zoned_datetime(jiff::tz::TimeZone::UTC);
    zoned.map(|z| z.timestamp().as_millisecond()).map_err(|e| Error::invalid(format!("'{text}' is no date: {e}")))
}
