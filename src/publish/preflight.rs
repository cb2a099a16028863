//! What stands in the way of a publication, before a byte of it is sent.

use crate::{
    channel::Limits,
    error::Result,
    model::{Rights, rights::end_of},
    profile::channels::Outlet,
};

/// What an asset's rights say of publishing it now.
#[derive(Clone, Debug, PartialEq)]
pub(super) enum Allowed {
    /// It may be.
    Now,
    /// Not before this time (ms).
    From(i64),
    /// It may not.
    No(Vec<String>),
}

/// Holds an asset's rights against a channel at a time (ms).
pub(super) fn rights(rights: &Rights, outlet: &Outlet, at: i64) -> Result<Allowed> {
    let mut against = Vec::new();
    if rights.is_refused() {
        against.push("those in it have refused their consent".to_owned());
    }
    if let Some(expires) = &rights.expires
        && end_of(expires)? <= at
    {
        against.push(format!("the right to show it ended on {expires}"));
    }
    if !rights.territories.is_empty() {
        let may = |country: &String| rights.holds_in(country);
        let may_in = rights.territories.join(", ");
        if outlet.territories.is_empty() {
            against.push(format!("it may be shown in {may_in} alone, and the channel is seen everywhere"));
        } else if let Some(country) = outlet.territories.iter().find(|c| !may(c)) {
            against.push(format!("it may be shown in {may_in} alone, and the channel is seen in {country}"));
        }
    }
    if !against.is_empty() {
        return Ok(Allowed::No(against));
    }
    Ok(match rights.embargo_ms() {
        Some(until) if until > at => Allowed::From(until),
        _ => Allowed::Now,
    })
}

/// What a person can do about a rendition that the place does not take.
pub(super) fn entry_hint(limits: &Limits) -> Option<String> {
    let entry = limits.entry.as_ref()?;
    let line: Vec<&str> = entry.split_whitespace().collect();
    Some(format!("a profile entry that it takes, under 'video': {}", line.join(" ")))
}
