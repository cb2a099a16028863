//! When an account's next request may go out: what its place's limits leave, as numbers.
//!
//! A limit of so many at once and one more each so often is kept as the time at which all of it is free again (the generic
//! cell rate algorithm); one of so many a day as the number that each day has given away. So a reservation is one number,
//! and whoever reserves gets his own time.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::error::{Error, Result};

/// A limit of a place, for one account.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Rate {
    /// What it is a limit of: `posts`, `units`, …
    pub name: String,
    /// What one publication takes of it.
    #[serde(default = "one")]
    pub cost: i64,
    /// How it comes back.
    #[serde(flatten)]
    pub per: Per,
}

/// How a limit comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Per {
    /// So many at once, all of which are back after so many seconds, one after the other.
    Seconds {
        /// How many.
        most: i64,
        /// Seconds.
        seconds: f64,
    },
    /// So many in a day of this time zone.
    Day {
        /// How many.
        most: i64,
        /// The zone whose midnight ends the day (IANA name).
        zone: String,
    },
}

impl std::fmt::Display for Rate {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match &self.per {
            Per::Seconds { most, seconds } => write!(f, "{most} {} in {seconds} s", self.name)?,
            Per::Day { most, zone } => write!(f, "{most} {} a day ({zone})", self.name)?,
        }
        if self.cost == 1 { Ok(()) } else { write!(f, ", {} for each", self.cost) }
    }
}

fn one() -> i64 {
    1
}

/// The first time from `from` on (ms) that all limits leave, taken out of `spent`.
pub fn reserve(spent: &mut Map<String, Value>, rates: &[Rate], from: i64) -> Result<i64> {
    let mut at = from;
    // Each limit may move it on; it stands when none does. A day's limit moves it at most once for each day.
    for _ in 0..10_000 {
        let mut next = at;
        for rate in rates {
            next = next.max(free(spent, rate, at)?);
        }
        if next == at {
            for rate in rates {
                take(spent, rate, at)?;
            }
            return Ok(at);
        }
        at = next;
    }
    Err(Error::invalid("the channel's limits leave no time at all"))
}

/// Gives back what was taken for this time (ms).
pub fn release(spent: &mut Map<String, Value>, rates: &[Rate], at: i64) -> Result<()> {
    for rate in rates {
        match &rate.per {
            Per::Seconds { most, seconds } => {
                if let Some(full) = spent.get(&rate.name).and_then(Value::as_f64) {
                    spent.insert(rate.name.clone(), (full - rate.cost as f64 * step(*most, *seconds)).into());
                }
            }
            Per::Day { zone, .. } => {
                let day = day(at, zone)?.to_string();
                let left = (used(spent, rate, &day) - rate.cost).max(0);
                if let Some(days) = spent.get_mut(&rate.name).and_then(Value::as_object_mut) {
                    days.insert(day, left.into());
                }
            }
        }
    }
    Ok(())
}

fn too_dear(rate: &Rate) -> Error {
    Error::invalid(format!("one publication takes more '{}' than there is", rate.name))
}

/// The time that one unit takes to come back, in milliseconds.
fn step(most: i64, seconds: f64) -> f64 {
    seconds * 1000.0 / most.max(1) as f64
}

fn free(spent: &Map<String, Value>, rate: &Rate, at: i64) -> Result<i64> {
    match &rate.per {
        Per::Seconds { most, seconds } => {
            if rate.cost > *most {
                return Err(too_dear(rate));
            }
            let full = spent.get(&rate.name).and_then(Value::as_f64).unwrap_or(0.0).max(at as f64);
            // As much as this takes has to be there.
            let enough = full + rate.cost as f64 * step(*most, *seconds) - seconds * 1000.0;
            Ok(at.max(enough.ceil() as i64))
        }
        Per::Day { most, zone } => {
            if rate.cost > *most {
                return Err(too_dear(rate));
            }
            let day = day(at, zone)?;
            let used = used(spent, rate, &day.to_string());
            if used + rate.cost <= *most {
                return Ok(at);
            }
            let next = day.tomorrow().map_err(|e| Error::internal("a day without a next one").because(e))?;
            Ok(midnight(next, zone)?.max(at))
        }
    }
}

fn take(spent: &mut Map<String, Value>, rate: &Rate, at: i64) -> Result<()> {
    match &rate.per {
        Per::Seconds { most, seconds } => {
            let full = spent.get(&rate.name).and_then(Value::as_f64).unwrap_or(0.0).max(at as f64);
            spent.insert(rate.name.clone(), (full + rate.cost as f64 * step(*most, *seconds)).into());
        }
        Per::Day { zone, .. } => {
            let day = day(at, zone)?;
            let total = used(spent, rate, &day.to_string()) + rate.cost;
            let days = spent.entry(rate.name.clone()).or_insert_with(|| Value::Object(Map::new()));
            if let Some(days) = days.as_object_mut() {
                days.insert(day.to_string(), total.into());
                // What is long past is of no use.
                let old = day.checked_sub(jiff::Span::new().days(60)).map(|d| d.to_string()).unwrap_or_default();
                days.retain(|day, _| *day >= old);
            }
        }
    }
    Ok(())
}

fn used(spent: &Map<String, Value>, rate: &Rate, day: &str) -> i64 {
    spent.get(&rate.name).and_then(|days| days.get(day)).and_then(Value::as_i64).unwrap_or(0)
}

fn wrong_zone(zone: &str) -> Error {
    Error::invalid(format!("'{zone}' is no time zone: expected an IANA name such as America/Los_Angeles"))
}

fn day(at: i64, zone: &str) -> Result<jiff::civil::Date> {
    let time = jiff::Timestamp::from_millisecond(at).map_err(|e| Error::invalid("a time out of range").because(e))?;
    Ok(time.in_tz(zone).map_err(|_| wrong_zone(zone))?.date())
}

fn midnight(day: jiff::civil::Date, zone: &str) -> Result<i64> {
    Ok(day.in_tz(zone).map_err(|_| wrong_zone(zone))?.timestamp().as_millisecond())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: i64 = 1_795_953_600_000;

    fn seconds(most: i64, seconds: f64) -> Rate {
        Rate { name: "posts".to_owned(), cost: 1, per: Per::Seconds { most, seconds } }
    }

    #[test]
    fn as_many_as_there_are_go_at_once_and_the_rest_as_they_come_back() {
        let (mut spent, rates) = (Map::new(), [seconds(3, 6.0)]);
        let mut times = Vec::new();
        for _ in 0..6 {
            times.push(reserve(&mut spent, &rates, NOON).unwrap() - NOON);
        }
        assert_eq!(times, [0, 0, 0, 2_000, 4_000, 6_000]);
        // What is given back is the next one's.
        release(&mut spent, &rates, NOON + 6_000).unwrap();
        assert_eq!(reserve(&mut spent, &rates, NOON).unwrap(), NOON + 6_000);
        // After a long silence all of it is there again, and no more than that.
        let later = NOON + 60_000;
        let times: Vec<i64> = (0..4).map(|_| reserve(&mut spent, &rates, later).unwrap() - later).collect();
        assert_eq!(times, [0, 0, 0, 2_000]);
    }

    #[test]
    fn what_does_not_fit_today_is_for_the_day_after_by_the_places_own_midnight() {
        let day = Rate {
            name: "units".to_owned(),
            cost: 1600,
            per: Per::Day { most: 4000, zone: "America/Los_Angeles".to_owned() },
        };
        let mut spent = Map::new();
        let times: Vec<i64> = (0..5).map(|_| reserve(&mut spent, std::slice::from_ref(&day), NOON).unwrap()).collect();
        let first = midnight("2026-11-30".parse().unwrap(), "America/Los_Angeles").unwrap();
        let next = first + 86_400_000;
        assert_eq!(times, [NOON, NOON, first, first, next]);
        release(&mut spent, std::slice::from_ref(&day), first).unwrap();
        assert_eq!(reserve(&mut spent, std::slice::from_ref(&day), NOON).unwrap(), first);
        let dear = Rate { cost: 5000, ..day };
        assert!(reserve(&mut spent, &[dear], NOON).is_err());
    }
}
