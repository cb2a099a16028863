//! When something was recorded, by all that tells it: people before the file, and the file before its name.

use crate::{
    model::{MediaFacts, description},
    search::{DateSource, Dated},
};

/// Names under which files say when they were recorded, the surest first.
const DATES: [&str; 8] = [
    "datetimeoriginal",
    "com.apple.quicktime.creationdate",
    "creation_time",
    "origination_date",
    "date_recorded",
    "datetime",
    "date",
    "year",
];

/// Cameras without a clock say 1904 or 1970.
const FIRST: i64 = 86_400_000;
/// Nothing was recorded after it came in; clocks are a day apart.
const LATE: i64 = 2 * 86_400_000;

/// All that tells when something was recorded, the surest first. `names` are those of its file, `came_at` is when it came in, in
/// milliseconds since 1970-01-01 UTC.
pub fn dates(said: Option<&str>, facts: Option<&MediaFacts>, names: &[String], came_at: i64) -> Vec<Dated> {
    let dated = |source, at_ms, by: &str, text: &str| Dated { source, at_ms, by: by.to_owned(), text: text.to_owned() };
    let mut all = Vec::new();
    if let Some((text, at)) = said.and_then(|text| Some((text, description::moment(text).ok()?))) {
        all.push(dated(DateSource::Described, at, "date", text));
    }
    for name in DATES {
        let Some(text) = facts.and_then(|f| f.tags.get(name)) else { continue };
        if let Some(at) = time(text).filter(|at| *at > FIRST) {
            all.push(dated(DateSource::File, at, name, text.trim()));
        }
    }
    let mut named: Vec<Dated> = Vec::new();
    for name in names {
        let Some(text) = of_name(name) else { continue };
        if let Ok(at) = description::moment(&text)
            && at <= came_at.saturating_add(LATE)
            && named.iter().all(|d| d.at_ms != at)
        {
            named.push(dated(DateSource::Name, at, name, &text));
        }
    }
    // A day says more than a month; and of two, who renames a copy names the later.
    named.sort_by_key(|d| (std::cmp::Reverse(d.text.len()), d.at_ms));
    all.extend(named);
    all
}

fn time(text: &str) -> Option<i64> {
    let text = text.trim();
    if let Ok(time) = description::moment(text) {
        return Some(time);
    }
    // EXIF: 2024:03:17 10:20:30, of no time zone.
    let day = text.get(..10)?.replace([':', '/'], "-");
    description::moment(&day).ok()
}

/// The day or the month in a file's name: `IMG-20240315-WA0001`, `2024-03-15 acto`, `15.03.2024`, `ENTREVISTA_2024-03`. What may be
/// read in two ways is none.
fn of_name(name: &str) -> Option<String> {
    let runs = runs(name);
    let number = |text: &str| text.parse::<u32>().unwrap_or(0);
    let is_year = |text: &str| text.len() == 4 && (1900..=2100).contains(&number(text));
    let is_month = |text: &str| text.len() == 2 && (1..=12).contains(&number(text));
    let after = |i: usize| runs.get(i + 1).filter(|(is_near, _)| *is_near).map(|(_, run)| *run);
    let day = |text: String| description::day(&text).is_ok().then_some(text);
    let mut month = None;
    for (i, (_, run)) in runs.iter().enumerate() {
        let whole =
            (run.len() == 8 && is_year(&run[..4])).then(|| format!("{}-{}-{}", &run[..4], &run[4..6], &run[6..]));
        if let Some(day) = whole.and_then(day) {
            return Some(day);
        }
        let Some(next) = after(i) else { continue };
        let third = after(i + 1);
        if is_year(run) && is_month(next) {
            if let Some(day) = third.filter(|d| d.len() == 2).and_then(|d| day(format!("{run}-{next}-{d}"))) {
                return Some(day);
            }
            month = month.or(Some(format!("{run}-{next}")));
        }
        // Where the first could be a month, nobody knows which one is.
        let year = third.filter(|y| is_year(y) && run.len() == 2 && number(run) > 12 && is_month(next));
        if let Some(day) = year.and_then(|y| day(format!("{y}-{next}-{run}"))) {
            return Some(day);
        }
    }
    month
}

/// Runs of digits, and whether one `-`, `_`, `.` or space alone stands before each: `1920x10` is a size, and no month.
fn runs(name: &str) -> Vec<(bool, &str)> {
    let (mut all, mut rest) = (Vec::new(), name);
    while let Some(start) = rest.find(|c: char| c.is_ascii_digit()) {
        let length = rest[start..].find(|c: char| !c.is_ascii_digit()).unwrap_or(rest.len() - start);
        let is_near = !all.is_empty() && matches!(&rest[..start], "-" | "_" | "." | " ");
        all.push((is_near, &rest[start..start + length]));
        rest = &rest[start + length..];
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_tell_a_day_or_a_month_and_numbers_that_may_be_something_else_tell_none() {
        for (name, date) in [
            ("ENTREVISTA_2024-03_final.mov", Some("2024-03")),
            ("20240315_101112.mp4", Some("2024-03-15")),
            ("PXL_20240315_123456789.MP4", Some("2024-03-15")),
            ("IMG-20240315-WA0001.jpg", Some("2024-03-15")),
            ("2024.03.15 acto.wav", Some("2024-03-15")),
            ("acto 15-03-2024.wav", Some("2024-03-15")),
            ("acto 03-04-2024.wav", None),
            ("20241399.mp4", None),
            ("clip_1920x10.mov", None),
            ("1920-1080.mov", None),
            ("DSC_0001.jpg", None),
            ("120240315.mov", None),
            ("plan_2024-02-31.mov", Some("2024-02")),
            ("12345678.mov", None),
            ("año_2024-05.mov", Some("2024-05")),
        ] {
            assert_eq!(of_name(name).as_deref(), date, "{name}");
        }
    }

    #[test]
    fn people_are_believed_before_the_file_and_the_file_before_its_name() {
        let mut facts = MediaFacts::bare(crate::model::MediaKind::Video, "video/mp4");
        facts.tags.insert("creation_time".to_owned(), "1904-01-01T00:00:00Z".to_owned());
        facts.tags.insert("date".to_owned(), "2023:05:06 10:11:12".to_owned());
        let came_at = description::moment("2025-01-01").unwrap();
        let names = ["A_2024-03.mov", "20240315.mov", "20990101.mov"].map(str::to_owned);
        let all = dates(Some("2022-07"), Some(&facts), &names, came_at);
        let told: Vec<(DateSource, &str)> = all.iter().map(|d| (d.source, d.text.as_str())).collect();
        let (described, file, name) = (DateSource::Described, DateSource::File, DateSource::Name);
        let wanted = [(described, "2022-07"), (file, "2023:05:06 10:11:12"), (name, "2024-03-15"), (name, "2024-03")];
        assert_eq!(told, wanted, "a camera without a clock and a day that is to come tell nothing");
    }
}
