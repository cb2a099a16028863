//! Speech as it comes back: a WAV of linear PCM, whose header may not know how long it is, because it was written before the
//! words were spoken.

use std::{
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

use crate::error::{Doing, Error, Result};

/// Longest speech, in milliseconds.
const LONGEST_MS: u64 = 2 * 3600 * 1000;
/// What a chunk that describes may be large.
const DESCRIPTION: u64 = 4096;

/// What is in such a file, and where.
#[derive(Debug, PartialEq)]
struct Speech {
    /// WAVE_FORMAT_PCM (1) or WAVE_FORMAT_IEEE_FLOAT (3).
    tag: u16,
    channels: u16,
    rate: u32,
    bits: u16,
    /// Of the samples.
    offset: u64,
    length: u64,
}

impl Speech {
    fn read(file: &mut File) -> Result<Self> {
        let size = file.metadata().doing(|| "cannot read speech")?.len();
        let no_wav = |why: &str| Error::invalid(format!("what was spoken is no WAV: {why}"));
        let mut head = [0; 12];
        file.read_exact(&mut head)
            .map_err(|_| no_wav(if size == 0 { "there is nothing" } else { "it is too short" }))?;
        if &head[..4] != b"RIFF" || &head[8..] != b"WAVE" {
            return Err(no_wav("it does not begin like one"));
        }
        let (mut at, mut format) = (12, None);
        loop {
            let mut chunk = [0; 8];
            file.seek(SeekFrom::Start(at)).doing(|| "cannot read speech")?;
            file.read_exact(&mut chunk).map_err(|_| no_wav("it has no samples"))?;
            let length = u64::from(u32::from_le_bytes([chunk[4], chunk[5], chunk[6], chunk[7]]));
            match &chunk[..4] {
                b"fmt " if (16..=DESCRIPTION).contains(&length) => {
                    let mut text = vec![0; length as usize];
                    file.read_exact(&mut text).map_err(|_| no_wav("it ends in its head"))?;
                    format = Some(text);
                }
                b"data" => {
                    let format = format.ok_or_else(|| no_wav("it does not say of what kind it is"))?;
                    let half = |at: usize| u16::from_le_bytes([format[at], format[at + 1]]);
                    // The extensible form has the tag at the front of its GUID.
                    let tag = if half(0) == 0xfffe && format.len() >= 26 { half(24) } else { half(0) };
                    let rate = u32::from_le_bytes([format[4], format[5], format[6], format[7]]);
                    let (channels, bits) = (half(2), half(14));
                    let is_known = matches!((tag, bits), (1, 8 | 16 | 24 | 32) | (3, 32 | 64));
                    if !is_known || !(1..=8).contains(&channels) || !(4000..=192_000).contains(&rate) {
                        return Err(no_wav(&format!("{bits} bits, {channels} channels, {rate} Hz, kind {tag}")));
                    }
                    let frame = u64::from(channels) * u64::from(bits / 8);
                    let length = length.min(size - (at + 8)) / frame * frame;
                    return match length {
                        0 => Err(no_wav("it has no samples")),
                        _ => Ok(Self { tag, channels, rate, bits, offset: at + 8, length }),
                    };
                }
                _ => {}
            }
            at += 8 + length + length % 2;
        }
    }

    /// A head that says all of it.
    fn head(&self) -> Result<Vec<u8>> {
        let length = u32::try_from(self.length).map_err(|_| Error::invalid("what was spoken is too large"))?;
        let frame = self.channels * (self.bits / 8);
        let mut head = Vec::with_capacity(44);
        head.extend_from_slice(b"RIFF");
        head.extend_from_slice(&(length.saturating_add(36 + length % 2)).to_le_bytes());
        head.extend_from_slice(b"WAVEfmt ");
        head.extend_from_slice(&16_u32.to_le_bytes());
        head.extend_from_slice(&self.tag.to_le_bytes());
        head.extend_from_slice(&self.channels.to_le_bytes());
        head.extend_from_slice(&self.rate.to_le_bytes());
        head.extend_from_slice(&(self.rate * u32::from(frame)).to_le_bytes());
        head.extend_from_slice(&frame.to_le_bytes());
        head.extend_from_slice(&self.bits.to_le_bytes());
        head.extend_from_slice(b"data");
        head.extend_from_slice(&length.to_le_bytes());
        Ok(head)
    }

    fn duration_ms(&self) -> u64 {
        let frame = u64::from(self.channels) * u64::from(self.bits / 8);
        self.length / frame * 1000 / u64::from(self.rate)
    }
}

/// Writes the samples anew, under a head that is true. Refuses what is too long, or silent.
pub(super) fn rewrite(from: &Path, to: &Path) -> Result<()> {
    let mut file = File::open(from).map_err(|_| Error::invalid("what was spoken is no WAV: there is nothing"))?;
    let speech = Speech::read(&mut file)?;
    if speech.duration_ms() > LONGEST_MS {
        return Err(Error::invalid(format!("what was spoken lasts more than {} hours", LONGEST_MS / 3_600_000)));
    }
    let head = speech.head()?;
    let doing = || "cannot keep speech".to_owned();
    let mut out = File::create(to).doing(doing)?;
    out.write_all(&head).doing(doing)?;
    file.seek(SeekFrom::Start(speech.offset)).doing(doing)?;
    let (mut samples, mut block, mut is_silent) = (file.take(speech.length), vec![0; 1 << 16], true);
    let mut first: Option<u8> = None;
    loop {
        let n = samples.read(&mut block).doing(doing)?;
        if n == 0 {
            break;
        }
        // Silence is one byte again and again, whatever the kind of samples.
        let one = *first.get_or_insert(block[0]);
        is_silent &= block[..n].iter().all(|b| *b == one);
        out.write_all(&block[..n]).doing(doing)?;
    }
    if speech.length % 2 == 1 {
        out.write_all(&[0]).doing(doing)?;
    }
    match is_silent {
        true => Err(Error::invalid("what was spoken is silence")),
        false => Ok(()),
    }
}

/// Puts files of one kind together, each at its time, with silence between.
pub(super) fn join(parts: &[(u64, PathBuf)], to: &Path) -> Result<()> {
    let doing = || "cannot keep speech".to_owned();
    let (mut samples, mut kind) = (Vec::new(), None);
    for (at_ms, path) in parts {
        let mut file = File::open(path).doing(|| format!("cannot read {}", path.display()))?;
        let speech = Speech::read(&mut file)?;
        let own = (speech.tag, speech.channels, speech.rate, speech.bits);
        if *kind.get_or_insert(own) != own {
            return Err(Error::invalid("texts were spoken in different kinds of sound, and cannot be put together"));
        }
        let frame = u64::from(speech.channels) * u64::from(speech.bits / 8);
        let begins = at_ms * u64::from(speech.rate) / 1000 * frame;
        // Unsigned bytes are silent in their middle.
        let silence = if speech.bits == 8 { 128 } else { 0 };
        if begins + speech.length > u64::from(u32::MAX) - 100 {
            return Err(Error::invalid("what was spoken is too large"));
        }
        samples.resize(samples.len().max(begins as usize), silence);
        samples.truncate(begins as usize);
        file.seek(SeekFrom::Start(speech.offset)).doing(doing)?;
        file.take(speech.length).read_to_end(&mut samples).doing(doing)?;
    }
    let (tag, channels, rate, bits) = kind.ok_or_else(|| Error::internal("nothing was spoken"))?;
    let mut out = File::create(to).doing(doing)?;
    let of = Speech { tag, channels, rate, bits, offset: 0, length: samples.len() as u64 };
    out.write_all(&of.head()?).doing(doing)?;
    out.write_all(&samples).doing(doing)
}

/// How long such a file is.
pub(super) fn duration_ms(path: &Path) -> Result<u64> {
    let mut file = File::open(path).doing(|| format!("cannot read {}", path.display()))?;
    Speech::read(&mut file).map(|speech| speech.duration_ms())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_head_that_does_not_know_the_length_is_put_right() {
        let dir = tempfile::tempdir().unwrap();
        let (from, to) = (dir.path().join("a"), dir.path().join("b"));
        let mut bytes =
            b"RIFF\xff\xff\xff\x7fWAVEfmt \x10\0\0\0\x01\0\x01\0\x40\x1f\0\0\x80\x3e\0\0\x02\0\x10\0".to_vec();
        bytes.extend_from_slice(b"LIST\x02\0\0\0ab");
        bytes.extend_from_slice(b"data\0\xf0\xff\x7f");
        bytes.extend((0..16_000_u32).map(|i| (i % 200) as u8));
        bytes.push(9);
        std::fs::write(&from, &bytes).unwrap();
        rewrite(&from, &to).unwrap();
        let written = std::fs::read(&to).unwrap();
        assert_eq!((written.len(), duration_ms(&to).unwrap()), (44 + 16_000, 1000));
        assert_eq!(u32::from_le_bytes(written[40..44].try_into().unwrap()), 16_000);
        // Cut at every length, it is read or refused.
        for length in 0..bytes.len().min(80) {
            std::fs::write(&from, &bytes[..length]).unwrap();
            rewrite(&from, &to).ok();
        }
        let at = bytes.len() - 16_001;
        bytes[at..].fill(0);
        std::fs::write(&from, &bytes).unwrap();
        assert!(rewrite(&from, &to).unwrap_err().one_line().contains("silence"));
    }
}
