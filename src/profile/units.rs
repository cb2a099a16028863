//! Numbers with units, as profiles write them: `5M`, `128k`, `2s`, `10%`.

use std::fmt;

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// Bits a second: `5M`, `1500k`, `128000`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct BitRate(pub u32);

/// A stretch of time: `2s`, `500ms`. Held in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Interval(pub u32);

/// How long a recording is: `90s`, `10min`, `2h`. Held in milliseconds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Span(pub u64);

/// A place in a recording: `10%` of its duration, `12.5s` from its start, or `best`.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Position {
    /// Thousandths of the duration.
    Permille(u32),
    /// Milliseconds from the start.
    Millis(u32),
    /// Wherever the best picture is.
    Best,
}

impl Position {
    /// In milliseconds for a recording of this duration; never past its end. The best picture's is not known before.
    pub fn in_millis(self, duration_ms: u64) -> Option<u64> {
        match self {
            Position::Permille(p) => Some(duration_ms * u64::from(p) / 1000),
            Position::Millis(ms) => Some(u64::from(ms).min(duration_ms)),
            Position::Best => None,
        }
    }
}

/// Loudness in tenths of a LUFS (ITU-R BS.1770): `-23 LUFS`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Lufs(pub i32);

/// A true peak in tenths of a decibel below full scale (ITU-R BS.1770): `-1 dBTP`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Decibels(pub i32);

/// A change of level in tenths of a decibel: `-12 dB`, `+3 dB`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Gain(pub i32);

/// A share of something, in thousandths: `10%`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Percent(pub u32);

/// Red, green, blue and opacity: `#1f5fa8`, `#1f5fa880`, `none`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Color(pub [u8; 4]);

impl Color {
    /// Without its opacity.
    pub fn rgb(self) -> [u8; 3] {
        let [r, g, b, _] = self.0;
        [r, g, b]
    }
}

impl Lufs {
    /// In LUFS.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 10.0
    }
}

impl Decibels {
    /// In dBTP.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 10.0
    }
}

impl Gain {
    /// What an amplitude is multiplied by.
    pub fn factor(self) -> f32 {
        10_f32.powf(self.0 as f32 / 200.0)
    }
}

impl Percent {
    /// In hundredths.
    pub fn value(self) -> f64 {
        f64::from(self.0) / 10.0
    }

    /// Of a number.
    pub fn of(self, whole: u32) -> f64 {
        f64::from(whole) * f64::from(self.0) / 1000.0
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

impl Unit for Span {
    const EXPECTED: &'static str = "a duration such as 90s, 10min or 2h";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9]+)?(ms|s|min|h)$";

    fn read(text: &str) -> Option<Self> {
        // The longest unit first, as one ends like another.
        let (number, factor) = [("ms", 1.0), ("min", 60_000.0), ("s", 1000.0), ("h", 3_600_000.0)]
            .into_iter()
            .find_map(|(unit, factor)| Some((text.strip_suffix(unit)?, factor)))?;
        let ms = plain(number)? * factor;
        (0.0..=3.6e11).contains(&ms).then_some(Self(ms.round() as u64))
    }

    fn write(&self) -> String {
        match self.0 {
            ms if ms % 1000 == 0 => format!("{}s", ms / 1000),
            ms => format!("{ms}ms"),
        }
    }
}

impl Unit for Position {
    const EXPECTED: &'static str = "a place such as 10% or 12.5s, or best";
    const PATTERN: &'static str = r"^(best|[0-9]+(\.[0-9]+)?(%|s|ms))$";

    fn read(text: &str) -> Option<Self> {
        if text == "best" {
            return Some(Self::Best);
        }
        match text.strip_suffix('%') {
            Some(n) => plain(n).filter(|p| *p <= 100.0).map(|p| Self::Permille((p * 10.0).round() as u32)),
            None => millis(text).map(Self::Millis),
        }
    }

    fn write(&self) -> String {
        match self {
            Position::Permille(p) => format!("{}%", f64::from(*p) / 10.0),
            Position::Millis(ms) => format!("{ms}ms"),
            Position::Best => "best".to_owned(),
        }
    }
}

impl Unit for Lufs {
    const EXPECTED: &'static str = "a loudness such as -23 LUFS";
    const PATTERN: &'static str = r"^-[0-9]+(\.[0-9])?( ?LUFS)?$";

    fn read(text: &str) -> Option<Self> {
        tenths(text.strip_suffix("LUFS").unwrap_or(text)).map(Self)
    }

    fn write(&self) -> String {
        format!("{} LUFS", self.value())
    }
}

impl Unit for Decibels {
    const EXPECTED: &'static str = "a true peak such as -1 dBTP";
    const PATTERN: &'static str = r"^(0|-[0-9]+(\.[0-9])?)( ?dBTP)?$";

    fn read(text: &str) -> Option<Self> {
        tenths(text.strip_suffix("dBTP").unwrap_or(text)).map(Self)
    }

    fn write(&self) -> String {
        format!("{} dBTP", self.value())
    }
}

impl Unit for Gain {
    const EXPECTED: &'static str = "a change of level such as -12 dB";
    const PATTERN: &'static str = r"^[+-]?[0-9]+(\.[0-9])?( ?dB)?$";

    fn read(text: &str) -> Option<Self> {
        let text = text.strip_suffix("dB").unwrap_or(text).trim_end();
        match text.strip_prefix('-') {
            Some(_) => tenths(text).map(Self),
            None => tenths(&format!("-{}", text.strip_prefix('+').unwrap_or(text))).map(|t| Self(-t)),
        }
    }

    fn write(&self) -> String {
        format!("{} dB", f64::from(self.0) / 10.0)
    }
}

impl Unit for Percent {
    const EXPECTED: &'static str = "a share such as 10% (0% to 100%)";
    const PATTERN: &'static str = r"^[0-9]+(\.[0-9])?%$";

    fn read(text: &str) -> Option<Self> {
        let share = plain(text.strip_suffix('%')?)?;
        (share <= 100.0).then_some(Self((share * 10.0).round() as u32))
    }

    fn write(&self) -> String {
        format!("{}%", self.value())
    }
}

impl Unit for Color {
    const EXPECTED: &'static str = "a color such as #1f5fa8, #1f5fa880 (with opacity) or none";
    const PATTERN: &'static str = "^(none|#[0-9A-Fa-f]{6}([0-9A-Fa-f]{2})?)$";

    fn read(text: &str) -> Option<Self> {
        if text == "none" {
            return Some(Self([0; 4]));
        }
        let digits = text.strip_prefix('#').filter(|d| d.bytes().all(|b| b.is_ascii_hexdigit()))?;
        let value = u32::from_str_radix(digits, 16).ok()?;
        match digits.len() {
            6 => Some(Self((value << 8 | 0xff).to_be_bytes())),
            8 => Some(Self(value.to_be_bytes())),
            _ => None,
        }
    }

    fn write(&self) -> String {
        match self.0 {
            [0, 0, 0, 0] => "none".to_owned(),
            [r, g, b, 255] => format!("#{r:02x}{g:02x}{b:02x}"),
            [r, g, b, a] => format!("#{r:02x}{g:02x}{b:02x}{a:02x}"),
        }
    }
}

/// Zero or a negative number, in tenths.
fn tenths(text: &str) -> Option<i32> {
    let text = text.trim_end();
    let (sign, digits) = text.strip_prefix('-').map_or((1.0, text), |digits| (-1.0, digits));
    let tenths = sign * plain(digits)? * 10.0;
    let is_exact = (tenths - tenths.round()).abs() < 1e-6;
    (is_exact && (-1000.0..=0.0).contains(&tenths)).then_some(tenths.round() as i32)
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
        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.write())
            }
        }

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

serde_unit!(BitRate, Color, Decibels, Gain, Interval, Lufs, Percent, Position, Span);

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
    fn levels_and_colors_are_written_as_they_are_read() {
        for (text, tenths) in [("-23 LUFS", -230), ("-16LUFS", -160), ("-23.5", -235)] {
            assert_eq!(Lufs::read(text), Some(Lufs(tenths)), "{text}");
        }
        assert_eq!(Lufs(-230).write(), "-23 LUFS");
        assert_eq!(Decibels::read(&Decibels(-15).write()), Some(Decibels(-15)));
        assert_eq!(Decibels::read("0 dBTP"), Some(Decibels(0)));
        for bad in ["23 LUFS", "-23 LU", "-23.55", "loud", "-", "--1", "-23 dBTP"] {
            assert_eq!(Lufs::read(bad), None, "{bad}");
        }
        for color in ["#1f5fa8", "#1f5fa880", "none"] {
            assert_eq!(Color::read(color).unwrap().write(), color);
        }
        for bad in ["1f5fa8", "#1f5fa", "#+f5fa8", "blue"] {
            assert_eq!(Color::read(bad), None, "{bad}");
        }
    }

    #[test]
    fn gains_and_shares_are_written_as_they_are_read() {
        for (text, tenths) in [("-12 dB", -120), ("+3dB", 30), ("3.5", 35), ("0 dB", 0), ("-0.5 dB", -5)] {
            assert_eq!(Gain::read(text), Some(Gain(tenths)), "{text}");
            assert_eq!(Gain::read(&Gain(tenths).write()), Some(Gain(tenths)));
        }
        assert_eq!(Gain::read("--3"), None);
        assert!((Gain(-60).factor() - 0.501).abs() < 0.001);
        assert_eq!((Percent::read("12.5%"), Percent(125).write().as_str()), (Some(Percent(125)), "12.5%"));
        assert_eq!((Percent::read("101%"), Percent::read("10")), (None, None));
    }

    #[test]
    fn places_never_pass_the_end() {
        assert_eq!(Position::read("10%").unwrap().in_millis(60_000), Some(6_000));
        assert_eq!(Position::read("90s").unwrap().in_millis(60_000), Some(60_000));
        assert_eq!(Position::read("best").unwrap().write(), "best");
        assert_eq!(Position::read("101%"), None);
    }
}
