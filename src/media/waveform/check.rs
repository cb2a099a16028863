//! Reads the files of a waveform again and holds them against each other and against what went in.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use serde::Deserialize;

use crate::{
    error::{Doing, Error, Result},
    media::image,
    profile::{PeakChannels, PeakFormat, Waveform},
};

/// The head of a file, in either form.
#[derive(Debug, PartialEq)]
struct Head {
    version: i64,
    bits: u32,
    rate: u32,
    samples: u32,
    length: u64,
    channels: u32,
}

/// A file: its head, its number of values, and the largest of them without its sign.
struct Found {
    head: Head,
    values: u64,
    loudest: u32,
}

/// Checks every file of an entry: that both forms are well-formed and say the same, that they are as long as
/// `duration_ms`, that channels that are kept apart reach the loudest sample, and that the picture has its size. Gives
/// what is wrong.
pub fn check(dir: &Path, entry: &str, spec: &Waveform, duration_ms: u64, peak_dbfs: Option<f64>) -> Result<(), String> {
    let words = |e: Error| e.one_line();
    for (name, format, samples) in spec.peaks(entry) {
        let path = dir.join(&name);
        let found = match format {
            PeakFormat::Dat => dat(&path),
            PeakFormat::Json => json(&path),
        };
        let Found { head, values, loudest } = found.map_err(words)?;
        let wrong = |what: &str| Err(format!("{name}: {what} ({head:?}, {values} values)"));
        if (head.version, head.bits, head.samples) != (2, spec.bits, samples) {
            return wrong("its head is not what was asked for");
        }
        if values != head.length * u64::from(head.channels) * 2 {
            return wrong("its data is not as long as its head says");
        }
        // Rounded to milliseconds.
        let frames = duration_ms * u64::from(head.rate) / 1000;
        let slack = u64::from(head.rate / 500 + samples);
        let covered = head.length * u64::from(samples);
        if covered + slack < frames || covered > frames + slack {
            return wrong(&format!("its pairs cover {covered} samples, not {frames}"));
        }
        let full = if spec.bits == 8 { 128.0 } else { 32_768.0 };
        let is_lost = |peak: f64| peak > -36.0 && f64::from(loudest) < full * 10_f64.powf((peak - 6.0) / 20.0) - 1.0;
        if spec.channels == PeakChannels::Separate && peak_dbfs.is_some_and(is_lost) {
            return wrong(&format!(
                "its loudest value is {loudest}, the sound's is {:.1} dBFS",
                peak_dbfs.unwrap_or(0.0)
            ));
        }
    }
    let Some((name, picture)) = spec.picture(entry) else { return Ok(()) };
    let (width, height, _) = image::check(&dir.join(&name), picture.format.mime()).map_err(words)?;
    match (width, height) == (picture.width, picture.height) {
        true => Ok(()),
        false => Err(format!("{name}: its size is {width} x {height}, not {} x {}", picture.width, picture.height)),
    }
}

fn dat(path: &Path) -> Result<Found> {
    let doing = || format!("cannot read {}", path.display());
    let mut file = BufReader::with_capacity(1 << 16, File::open(path).doing(doing)?);
    let mut head = [0_u8; 24];
    file.read_exact(&mut head).doing(doing)?;
    let field = |i: usize| u32::from_le_bytes([head[4 * i], head[4 * i + 1], head[4 * i + 2], head[4 * i + 3]]);
    let bits = if field(1) == 1 { 8 } else { 16 };
    let head = Head {
        version: i64::from(field(0)),
        bits,
        rate: field(2),
        samples: field(3),
        length: u64::from(field(4)),
        channels: field(5),
    };
    let (mut values, mut loudest) = (0, 0);
    let mut bytes = file.bytes();
    while let Some(first) = bytes.next() {
        let first = first.doing(doing)?;
        let second = if bits == 16 { bytes.next() } else { None };
        let number = match (bits, second) {
            (8, _) => i32::from(first as i8),
            (_, Some(second)) => i32::from(i16::from_le_bytes([first, second.doing(doing)?])),
            (_, None) => return Err(Error::corrupt(format!("{} ends within a value", path.display()))),
        };
        values += 1;
        loudest = loudest.max(number.unsigned_abs());
    }
    Ok(Found { head, values, loudest })
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    version: i64,
    channels: u32,
    sample_rate: u32,
    samples_per_pixel: u32,
    bits: u32,
    length: u64,
    data: Data,
}

/// Counted as it is read: a long recording has millions.
struct Data {
    values: u64,
    loudest: u32,
}

impl<'de> Deserialize<'de> for Data {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> serde::de::Visitor<'de> for Visitor {
            type Value = Data;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("whole numbers of 16 bits")
            }

            fn visit_seq<A: serde::de::SeqAccess<'de>>(self, mut list: A) -> Result<Data, A::Error> {
                let mut data = Data { values: 0, loudest: 0 };
                while let Some(value) = list.next_element::<i16>()? {
                    data.values += 1;
                    data.loudest = data.loudest.max(u32::from(value.unsigned_abs()));
                }
                Ok(data)
            }
        }
        d.deserialize_seq(Visitor)
    }
}

fn json(path: &Path) -> Result<Found> {
    let file = File::open(path).doing(|| format!("cannot read {}", path.display()))?;
    let document: Document = serde_json::from_reader(BufReader::with_capacity(1 << 16, file))
        .map_err(|e| Error::corrupt(format!("{} is no waveform", path.display())).because(e))?;
    let head = Head {
        version: document.version,
        bits: document.bits,
        rate: document.sample_rate,
        samples: document.samples_per_pixel,
        length: document.length,
        channels: document.channels,
    };
    Ok(Found { head, values: document.data.values, loudest: document.data.loudest })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::waveform::Peaks;

    const SPEC: &str =
        r#"{"samples_per_pixel": [64, 640], "channels": "separate", "picture": {"width": 20, "height": 20}}"#;

    fn made() -> (tempfile::TempDir, Waveform) {
        let dir = tempfile::tempdir().unwrap();
        let spec: Waveform = serde_json::from_str(SPEC).unwrap();
        let mut peaks = Peaks::create(dir.path(), "w", &spec, 8000, 1).unwrap();
        let samples: Vec<i16> = (0..8000).map(|i| if i % 2 == 0 { 16_384 } else { -16_384 }).collect();
        peaks.push(&samples).unwrap();
        peaks.finish().unwrap();
        (dir, spec)
    }

    #[test]
    fn what_was_written_is_accepted_and_what_was_changed_is_not() {
        let (dir, spec) = made();
        let judged = |ms, peak| check(dir.path(), "w", &spec, ms, Some(peak));
        judged(1000, -6.0).unwrap();
        assert!(judged(2000, -6.0).unwrap_err().contains("cover"));
        assert!(judged(1000, 3.0).unwrap_err().contains("loudest"));
        let dat = dir.path().join("w.64.dat");
        let bytes = std::fs::read(&dat).unwrap();
        std::fs::write(&dat, &bytes[..bytes.len() - 1]).unwrap();
        assert!(judged(1000, -6.0).unwrap_err().contains("as long as its head says"));
        std::fs::write(&dat, &bytes).unwrap();
        std::fs::write(dir.path().join("w.640.json"), "{\"version\":2}").unwrap();
        assert!(judged(1000, -6.0).unwrap_err().contains("no waveform"));
    }
}
