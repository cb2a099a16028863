//! Times of a rule: `18:00 Europe/Madrid`, `Mon-Fri 09:00-13:00,18:30 Europe/Madrid`.

use jiff::{
    Timestamp, ToSpan,
    civil::{Date, Time, Weekday},
};

use crate::error::{Error, Result};

const DAYS: [(&str, Weekday); 7] = [
    ("mon", Weekday::Monday),
    ("tue", Weekday::Tuesday),
    ("wed", Weekday::Wednesday),
    ("thu", Weekday::Thursday),
    ("fri", Weekday::Friday),
    ("sat", Weekday::Saturday),
    ("sun", Weekday::Sunday),
];

/// Days of the week, times of the day and a zone. A time is a moment (`18:00`) or a window (`09:00-13:00`; one that ends
/// before it begins ends on the day after).
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Schedule {
    days: Vec<Weekday>,
    /// When something begins, and until when it may.
    times: Vec<(Time, Option<Time>)>,
    zone: String,
}

impl Schedule {
    /// Reads one: days (left out: all), times, and a zone by its IANA name.
    pub(crate) fn parse(text: &str) -> Result<Self> {
        let wrong = |what: &str| {
            Error::invalid(format!("the time '{text}': {what}"))
                .hint("expected '18:00 Europe/Madrid', or 'Mon-Fri 09:00-13:00,18:30 Europe/Madrid'")
        };
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, times, zone) = match words[..] {
            [times, zone] => (None, times, zone),
            [days, times, zone] => (Some(days), times, zone),
            _ => return Err(wrong("it has not two or three words")),
        };
        let day = |name: &str| {
            let found = DAYS.iter().position(|(known, _)| known.eq_ignore_ascii_case(name));
            found.ok_or_else(|| wrong(&format!("'{name}' is no day: Mon, Tue, Wed, Thu, Fri, Sat, Sun")))
        };
        let mut on = Vec::new();
        for part in days.into_iter().flat_map(|d| d.split(',')) {
            let (first, last) = part.split_once('-').unwrap_or((part, part));
            let (first, last) = (day(first)?, day(last)?);
            // Fri-Mon goes over the week's end.
            let count = (last + DAYS.len() - first) % DAYS.len() + 1;
            on.extend((first..first + count).map(|i| DAYS[i % DAYS.len()].1));
        }
        if days.is_none() {
            on.extend(DAYS.map(|(_, day)| day));
        }
        let time = |text: &str| match (text.len(), text.parse::<Time>()) {
            (5, Ok(time)) => Ok(time),
            _ => Err(wrong(&format!("'{text}' is no time of day"))),
        };
        let mut at = Vec::new();
        for part in times.split(',') {
            at.push(match part.split_once('-') {
                Some((from, to)) if from == to => return Err(wrong(&format!("'{part}' has no length"))),
                Some((from, to)) => (time(from)?, Some(time(to)?)),
                None => (time(part)?, None),
            });
        }
        if Timestamp::UNIX_EPOCH.in_tz(zone).is_err() {
            return Err(wrong(&format!("'{zone}' is no zone")));
        }
        Ok(Self { days: on, times: at, zone: zone.to_owned() })
    }

    /// The first time from `now` on (ms): `now` itself within a window. What a clock that is put forward leaves out is that much later.
    pub(crate) fn next(&self, now: i64) -> Result<i64> {
        let odd = |e: jiff::Error| Error::invalid("a time out of range").because(e);
        let here = Timestamp::from_millisecond(now).and_then(|now| now.in_tz(&self.zone)).map_err(odd)?;
        let at = |day: Date, time: Time| -> Result<i64> {
            let moment = day.to_datetime(time).in_tz(&self.zone).map_err(odd)?;
            Ok(moment.timestamp().as_millisecond())
        };
        let mut first: Option<i64> = None;
        // A window of yesterday may last until today; a week on, all days have come.
        for ahead in -1..=8_i64 {
            let day = here.date().checked_add(ahead.days()).map_err(odd)?;
            if !self.days.contains(&day.weekday()) {
                continue;
            }
            for (from, to) in &self.times {
                let begin = at(day, *from)?;
                let end = match to {
                    Some(to) if to > from => at(day, *to)?,
                    Some(to) => at(day.tomorrow().map_err(odd)?, *to)?,
                    // A moment lasts as long as it takes to see it.
                    None => begin + 1,
                };
                if end > now {
                    let then = begin.max(now);
                    first = Some(first.map_or(then, |known| known.min(then)));
                }
            }
        }
        first.ok_or_else(|| Error::internal("a schedule without a time"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn next(schedule: &str, now: &str) -> String {
        let now: Timestamp = now.parse().unwrap();
        let at = Schedule::parse(schedule).unwrap().next(now.as_millisecond()).unwrap();
        Timestamp::from_millisecond(at).unwrap().to_string()
    }

    #[test]
    fn the_next_time_is_the_first_of_its_days_and_a_window_is_open_until_its_end() {
        // 2026-11-27 is a Friday; Madrid is an hour ahead then.
        for (schedule, now, expected) in [
            ("18:00 Europe/Madrid", "2026-11-27T16:59:59Z", "2026-11-27T17:00:00Z"),
            ("18:00 Europe/Madrid", "2026-11-27T17:00:01Z", "2026-11-28T17:00:00Z"),
            ("Mon-Fri 18:00 Europe/Madrid", "2026-11-27T17:00:01Z", "2026-11-30T17:00:00Z"),
            ("Sat,Mon 09:30,21:00 UTC", "2026-11-28T10:00:00Z", "2026-11-28T21:00:00Z"),
            ("Sun-Tue 08:00 UTC", "2026-11-27T09:00:00Z", "2026-11-29T08:00:00Z"),
            ("09:00-13:00 UTC", "2026-11-27T10:11:12Z", "2026-11-27T10:11:12Z"),
            ("09:00-13:00 UTC", "2026-11-27T13:00:00Z", "2026-11-28T09:00:00Z"),
            ("Fri 22:00-02:00 UTC", "2026-11-28T01:00:00Z", "2026-11-28T01:00:00Z"),
            ("Fri 22:00-02:00 UTC", "2026-11-28T02:00:00Z", "2026-12-04T22:00:00Z"),
            // The clock of that night has no 02:30.
            ("02:30 Europe/Madrid", "2027-03-28T00:00:00Z", "2027-03-28T01:30:00Z"),
        ] {
            assert_eq!(next(schedule, now), expected, "{schedule} at {now}");
        }
        for wrong in ["18:00", "25:00 UTC", "18 UTC", "Moo 18:00 UTC", "18:00 Europe/Madird", "09:00-09:00 UTC", ""] {
            assert!(Schedule::parse(wrong).is_err(), "{wrong}");
        }
    }
}
