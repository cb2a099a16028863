//! Values as they are written on the command line: rates, ages, times.

use damctl::model::Area;

pub fn rate(text: &str) -> Result<u64, String> {
    let number = text.trim_end_matches("/s").trim_end_matches(['B', 'b']);
    let (digits, unit) = match number.trim_end().char_indices().last() {
        Some((at, 'k' | 'K')) => (&number[..at], 1_000),
        Some((at, 'm' | 'M')) => (&number[..at], 1_000_000),
        Some((at, 'g' | 'G')) => (&number[..at], 1_000_000_000),
        _ => (number, 1),
    };
    match digits.trim().parse::<f64>().map(|n| n * f64::from(unit)) {
        Ok(bytes) if (1.0..1e15).contains(&bytes) => Ok(bytes as u64),
        _ => Err("expected bytes a second such as 80M".to_owned()),
    }
}

/// A time in days or hours, in milliseconds.
pub fn age(text: &str) -> Result<i64, String> {
    let (number, unit) = text.split_at(text.len().saturating_sub(1));
    let hours = match unit {
        "d" => 24,
        "h" => 1,
        _ => return Err("expected days or hours such as 180d or 12h".to_owned()),
    };
    match number.parse::<i64>() {
        Ok(n @ 0..=36_500) => Ok(n * hours * 3_600_000),
        _ => Err("expected days or hours such as 180d or 12h".to_owned()),
    }
}

/// A share of the whole.
pub fn share(text: &str) -> Result<f64, String> {
    match text.strip_suffix('%').map(str::parse::<f64>) {
        Some(Ok(percent)) if percent > 0.0 && percent <= 100.0 => Ok(percent / 100.0),
        _ => Err("expected a share such as 1%".to_owned()),
    }
}

pub fn area(text: &str) -> Result<Area, String> {
    let of = [Area::Masters, Area::Renditions].into_iter().find(|a| a.as_str() == text);
    of.ok_or_else(|| "expected masters or renditions".to_owned())
}

/// A time, or none at all.
pub fn wait(text: &str) -> Result<jiff::SignedDuration, String> {
    match text.parse::<jiff::SignedDuration>() {
        Ok(time) if !time.is_negative() => Ok(time),
        _ => Err("expected a time such as 50m, or 0s".to_owned()),
    }
}

pub fn time(text: &str) -> Result<jiff::SignedDuration, String> {
    match text.parse::<jiff::SignedDuration>() {
        Ok(time) if time.is_positive() => Ok(time),
        _ => Err("expected a time such as 50m or 1h 30m".to_owned()),
    }
}
