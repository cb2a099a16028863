//! Peaks of sound for editors to scrub in: [`Peaks`] takes decoded samples and writes, as they come, the smallest and
//! largest of every so many, in the two forms of the BBC's `audiowaveform` (its `doc/DataFormat.md`, version 2). A drawing
//! of the whole is made at the end. What it keeps in memory does not grow with the recording; [`check`] reads the files
//! again.
//!
//! Values are `audiowaveform`'s: samples of 16 bits, channels that are merged averaged with the fraction cut off, 8 bits
//! made of 16 by cutting off, the last pair of whatever is left over.

mod check;
mod draw;

use std::{
    fs::File,
    io::{BufWriter, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

pub use check::check;

use super::image;
use crate::{
    error::{Doing, Error, Result},
    profile::{PeakChannels, PeakFormat, Waveform},
};

/// The version of the forms.
const VERSION: i32 = 2;
/// The longest number of pairs, in digits: its place in the JSON is kept before it is known.
const DIGITS: usize = 10;

/// Writes the peaks of one recording.
pub struct Peaks {
    dir: PathBuf,
    entry: String,
    spec: Waveform,
    /// Channels that come in, and that are written.
    channels: (usize, usize),
    rate: u32,
    frames: u64,
    levels: Vec<Level>,
    overview: draw::Overview,
}

/// All files of one number of samples a pair.
struct Level {
    samples: u32,
    count: u32,
    /// Smallest and largest of each channel so far.
    pairs: Vec<(i16, i16)>,
    length: u64,
    files: Vec<PeakFile>,
}

struct PeakFile {
    path: PathBuf,
    format: PeakFormat,
    file: BufWriter<File>,
    /// Where the number of pairs is to be written.
    length_at: u64,
}

const NOTHING: (i16, i16) = (i16::MAX, i16::MIN);

impl Peaks {
    /// Begins the files of an entry in `dir`.
    pub fn create(dir: &Path, entry: &str, spec: &Waveform, rate: u32, channels: u32) -> Result<Self> {
        let coming = channels.max(1) as usize;
        let written = if spec.channels == PeakChannels::Merged { 1 } else { coming };
        let mut peaks = Self {
            dir: dir.to_owned(),
            entry: entry.to_owned(),
            spec: spec.clone(),
            channels: (coming, written),
            rate,
            frames: 0,
            levels: Vec::new(),
            overview: draw::Overview::new(written),
        };
        for (name, format, samples) in spec.peaks(entry) {
            let file = peaks.begin(&dir.join(name), format, samples)?;
            match peaks.levels.iter_mut().find(|l| l.samples == samples) {
                Some(level) => level.files.push(file),
                None => {
                    let pairs = vec![NOTHING; written];
                    peaks.levels.push(Level { samples, count: 0, pairs, length: 0, files: vec![file] });
                }
            }
        }
        Ok(peaks)
    }

    fn begin(&self, path: &Path, format: PeakFormat, samples: u32) -> Result<PeakFile> {
        let doing = || format!("cannot write {}", path.display());
        let mut file = BufWriter::with_capacity(1 << 16, File::create(path).doing(doing)?);
        let (rate, bits, channels) = (self.rate, self.spec.bits, self.channels.1);
        let length_at = match format {
            PeakFormat::Dat => {
                for field in [VERSION, i32::from(bits == 8), rate as i32, samples as i32, 0, channels as i32] {
                    file.write_all(&field.to_le_bytes()).doing(doing)?;
                }
                16
            }
            PeakFormat::Json => {
                let head = format!(
                    "{{\"version\":{VERSION},\"channels\":{channels},\"sample_rate\":{rate},\"samples_per_pixel\":\
                     {samples},\"bits\":{bits},\"length\":"
                );
                write!(file, "{head}{:DIGITS$},\"data\":[", 0).doing(doing)?;
                head.len() as u64
            }
        };
        Ok(PeakFile { path: path.to_owned(), format, file, length_at })
    }

    /// Takes interleaved samples.
    pub fn push(&mut self, samples: &[i16]) -> Result<()> {
        let (coming, written) = self.channels;
        let mut merged = [0_i16];
        for frame in samples.chunks_exact(coming) {
            let frame = match written == coming {
                true => frame,
                false => {
                    merged[0] = (frame.iter().map(|s| i32::from(*s)).sum::<i32>() / coming as i32) as i16;
                    &merged
                }
            };
            self.frames += 1;
            self.overview.push(frame);
            for level in &mut self.levels {
                widen(&mut level.pairs, frame);
                level.count += 1;
                if level.count == level.samples {
                    level.write(self.spec.bits)?;
                }
            }
        }
        Ok(())
    }

    /// Completes the files and draws the picture; gives the names of all files and the number of samples a channel.
    pub fn finish(mut self) -> Result<(Vec<String>, u64)> {
        for level in &mut self.levels {
            if level.count > 0 {
                level.write(self.spec.bits)?;
            }
            let length = level.length;
            level.files.drain(..).try_for_each(|file| file.finish(length))?;
        }
        let mut names: Vec<String> = self.spec.peaks(&self.entry).into_iter().map(|(name, ..)| name).collect();
        if let Some((name, picture)) = self.spec.picture(&self.entry) {
            let path = self.dir.join(&name);
            let pixels = self.overview.draw(picture);
            let bytes = image::encode_drawing(&pixels, picture.format)?;
            std::fs::write(&path, bytes).doing(|| format!("cannot write {}", path.display()))?;
            names.push(name);
        }
        Ok((names, self.frames))
    }
}

fn widen(pairs: &mut [(i16, i16)], frame: &[i16]) {
    for ((least, most), sample) in pairs.iter_mut().zip(frame) {
        *least = (*least).min(*sample);
        *most = (*most).max(*sample);
    }
}

impl Level {
    fn write(&mut self, bits: u32) -> Result<()> {
        for file in &mut self.files {
            file.add(&self.pairs, bits, self.length == 0)?;
        }
        self.pairs.fill(NOTHING);
        self.count = 0;
        self.length += 1;
        Ok(())
    }
}

impl PeakFile {
    fn add(&mut self, pairs: &[(i16, i16)], bits: u32, is_first: bool) -> Result<()> {
        let Self { path, format, file, .. } = self;
        let values = pairs.iter().flat_map(|(least, most)| [*least, *most]);
        let mut comma = !is_first;
        values
            .map(|value| if bits == 8 { value / 256 } else { value })
            .try_for_each(|value| match (*format, bits) {
                (PeakFormat::Dat, 8) => file.write_all(&(value as i8).to_le_bytes()),
                (PeakFormat::Dat, _) => file.write_all(&value.to_le_bytes()),
                (PeakFormat::Json, _) => {
                    let separator = if std::mem::replace(&mut comma, true) { "," } else { "" };
                    write!(file, "{separator}{value}")
                }
            })
            .doing(|| format!("cannot write {}", path.display()))
    }

    fn finish(self, length: u64) -> Result<()> {
        let Self { path, format, mut file, length_at } = self;
        let doing = || format!("cannot complete {}", path.display());
        let length = u32::try_from(length).map_err(|_| Error::unsupported("more pairs of peaks than a file holds"))?;
        if format == PeakFormat::Json {
            file.write_all(b"]}\n").doing(doing)?;
        }
        let mut file = file.into_inner().map_err(std::io::IntoInnerError::into_error).doing(doing)?;
        file.seek(SeekFrom::Start(length_at)).doing(doing)?;
        match format {
            PeakFormat::Dat => file.write_all(&length.to_le_bytes()),
            PeakFormat::Json => write!(file, "{length:DIGITS$}"),
        }
        .doing(doing)?;
        file.sync_all().doing(doing)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn peaks(spec: &str, rate: u32, channels: u32, samples: &[i16]) -> (tempfile::TempDir, Vec<String>) {
        let dir = tempfile::tempdir().unwrap();
        let spec: Waveform = serde_json::from_str(spec).unwrap();
        let mut peaks = Peaks::create(dir.path(), "w", &spec, rate, channels).unwrap();
        samples.chunks(channels as usize * 7).for_each(|piece| peaks.push(piece).unwrap());
        let (names, frames) = peaks.finish().unwrap();
        assert_eq!(frames, samples.len() as u64 / u64::from(channels));
        (dir, names)
    }

    #[test]
    fn both_forms_are_those_of_the_published_description() {
        let left: Vec<i16> = (0..40).map(|i| i * 700 - 14_000).collect();
        let samples: Vec<i16> = left.iter().flat_map(|l| [*l, -*l / 2]).collect();
        let spec = r#"{"samples_per_pixel": [16, 32], "bits": 8, "channels": "separate"}"#;
        let (dir, names) = peaks(spec, 44_100, 2, &samples);
        assert_eq!(names, ["w.16.json", "w.32.json", "w.16.dat", "w.32.dat"]);
        let json: serde_json::Value =
            serde_json::from_slice(&std::fs::read(dir.path().join("w.16.json")).unwrap()).unwrap();
        let data = [-54, -13, 6, 27, -10, 30, -15, 5, 32, 51, -25, -16];
        assert_eq!(
            json,
            serde_json::json!({"version": 2, "channels": 2, "sample_rate": 44100, "samples_per_pixel": 16, "bits": 8,
                "length": 3, "data": data})
        );
        let mut dat = Vec::new();
        for field in [2_u32, 1, 44_100, 16, 3, 2] {
            dat.extend(field.to_le_bytes());
        }
        dat.extend(data.map(|v| v as i8 as u8));
        assert_eq!(std::fs::read(dir.path().join("w.16.dat")).unwrap(), dat);
    }

    #[test]
    fn merged_channels_are_averaged_and_16_bits_are_exact() {
        let samples = [-5, 2, 7, 8, i16::MIN, i16::MIN, i16::MAX, i16::MAX];
        let spec = r#"{"samples_per_pixel": [16], "bits": 16, "formats": ["dat"]}"#;
        let (dir, _) = peaks(spec, 8000, 2, &samples);
        let dat = std::fs::read(dir.path().join("w.16.dat")).unwrap();
        assert_eq!(dat[4..8], [0; 4]);
        assert_eq!(dat[24..], [0x00, 0x80, 0xff, 0x7f]);
        let (dir, _) = peaks(spec, 8000, 2, &samples[..4]);
        // −3 / 2 is −1 without its fraction, 15 / 2 is 7.
        assert_eq!(std::fs::read(dir.path().join("w.16.dat")).unwrap()[24..], [0xff, 0xff, 7, 0]);
    }

    #[test]
    fn no_sample_makes_files_without_pairs() {
        let (dir, _) = peaks(r#"{"samples_per_pixel": [16]}"#, 8000, 1, &[]);
        let json = std::fs::read_to_string(dir.path().join("w.16.json")).unwrap();
        let json: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!((&json["length"], &json["data"]), (&serde_json::json!(0), &serde_json::json!([])));
    }
}
