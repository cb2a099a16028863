//! Numbers with units, as profiles write them: `5M`, `128k`, `2s`, `10%`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bits a second: `5M`, `1500k`, `128000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct BitRate(pub u32);

/// A stretch of time: `2s`, `500ms`. Held in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Interval(pub u32);

/// A place in a recording: `10%` of its duration, or `12.5s` from its start.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Position {
    /// Thousandths of the duration.
    Permille(u32),
    /// Milliseconds from the start.
    Millis(u32),
}

impl Position {
    /// In milliseconds for a recording of this duration; never past its end.
    pub fn in_millis(self, duration_ms: u64) -> u64 {
        match self {
            Position::Permille(p) => duration_ms * u64::from(p) / 1000,
            Position::Millis(ms) => u64::from(ms).min(duration_ms),
        }
    }
}

/// A unit that is read from a word or a bare number.
trait Unit: Sized {
    const EXPECTED: &'static str;
    const PATTERN: &'static str;
    fn read(text: &str) -> Option<Self>;
    fn write(&self) -> String;
}

impl Unit for BitRate {
    const EXPECTED: &'static str = "a bit rate such as 5M, 1500k or 128000 (bits a second, 1k to 1000M)";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?[kM]?$";

    fn read(text: &str) -> Option<Self> {
        let (number, factor) = match text.strip_suffix('M') {
            Some(n) => (n, 1e6),
            None => text.strip_suffix('k').map_or((text, 1.0), |n| (n, 1e3)),
        };
        let bits = plain(number)? * factor;
        (1e3..=1e9).contains(&bits).then_some(Self(bits.round() as u32))
    }

    fn write(&self) -> String {
        match self.0 {
            b if b % 1_000_000 == 0 => format!("{}M", b / 1_000_000),
            b if b % 1000 == 0 => format!("{}k", b / 1000),
            b => b.to_string(),
        }
    }
}

impl Unit for Interval {
    const EXPECTED: &'static str = "a time such as 2s or 500ms (at most 1h)";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?(s|ms)$";

    fn read(text: &str) -> Option<Self> {
        millis(text).filter(|ms| *ms > 0 && *ms <= 3_600_000).map(Self)
    }

    fn write(&self) -> String {
        format!("{}ms", self.0)
    }
}

impl Unit for Position {
    const EXPECTED: &'static str = "a place such as 10% or 12.5s";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?(%|s|ms)$";

    fn read(text: &str) -> Option<Self> {
        match text.strip_suffix('%') {
            Some(n) => plain(n).filter(|p| *p <= 100.0).map(|p| Self::Permille((p * 10.0).round() as u32)),
            None => millis(text).map(Self::Millis),
        }
    }

    fn write(&self) -> String {
        match self {
            Position::Permille(p) => format!("{}%", f64::from(*p) / 10.0),
            Position::Millis(ms) => format!("{ms}ms"),
        }
    }
}

/// A number without sign or exponent.
fn plain(text: &str) -> Option<f64> {
    let sound = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit() || b == b'.');
    sound.then(|| text.parse().ok()).flatten()
}

fn millis(text: &str) -> Option<u32> {
    let (number, factor) = match text.strip_suffix("ms") {
        Some(n) => (n, 1.0),
        None => (text.strip_suffix('s')?, 1000.0),
    };
    let ms = plain(number)? * factor;
    (ms <= f64::from(u32::MAX)).then_some(ms.round() as u32)
}

struct UnitVisitor<U>(std::marker::PhantomData<U>);

impl<U: Unit> de::Visitor<'_> for UnitVisitor<U> {
    type Value = U;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(U::EXPECTED)
    }

    fn visit_str<E: de::Error>(self, text: &str) -> Result<U, E> {
        U::read(text).ok_or_else(|| E::custom(format!("'{text}' was given, expected {}", U::EXPECTED)))
    }
}

macro_rules! serde_unit {
    ($($name:ident),*) => {$(
        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                s.serialize_str(&self.write())
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_str(UnitVisitor(std::marker::PhantomData))
            }
        }

        impl JsonSchema for $name {
            fn schema_name() -> std::borrow::Cow<'static, str> {
                stringify!($name).into()
            }

            fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
                schemars::json_schema!({
                    "type": ["string", "integer"],
                    "pattern": <$name as Unit>::PATTERN,
                    "description": <$name as Unit>::EXPECTED,
                })
            }
        }
    )*};
}

serde_unit!(BitRate, Interval, Position);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bit_rates_are_read_with_their_unit() {
        assert_eq!(BitRate::read("5M"), Some(BitRate(5_000_000)));
        assert_eq!(BitRate::read("1.5M"), Some(BitRate(1_500_000)));
        assert_eq!(BitRate::read("128k"), Some(BitRate(128_000)));
        for bad in ["", "5m", "5 M", "-5M", "1e6", "fast", "0", "5Mb", "9999M", "."] {
            assert_eq!(BitRate::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn places_never_pass_the_end() {
        assert_eq!(Position::read("10%").unwrap().in_millis(60_000), 6_000);
        assert_eq!(Position::read("90s").unwrap().in_millis(60_000), 60_000);
        assert_eq!(Position::read("101%"), None);
    }
}
