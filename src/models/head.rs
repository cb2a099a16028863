//! The head and the outline of a model in ggml's format, without its weights: whisper.cpp ends its process where they are at odds
//! with each other.
//!
//! Behind the magic number and the head come tensors to the end: i32 rank, i32 length of the name, i32 type, i32 per dimension,
//! name, data.

use std::{
    fs::File,
    io::{BufReader, Read},
    path::Path,
};

use super::ggml::MAGIC;
use crate::error::{Doing, Error, Result};

/// Bytes of a block of values, and how many values it has, by ggml's number of the type. What is not in it is passed by.
const TYPES: [(i32, u64, u64); 12] = [
    (0, 4, 1),
    (1, 2, 1),
    (2, 18, 32),
    (3, 20, 32),
    (6, 22, 32),
    (7, 24, 32),
    (8, 34, 32),
    (10, 84, 256),
    (11, 110, 256),
    (12, 144, 256),
    (13, 176, 256),
    (14, 210, 256),
];
const FOLDER: &str = "a folder of CTranslate2 (faster-whisper) is converted: name the folder";

/// Whether a file is a Whisper model: `Invalid`, if it is not, or is cut short.
pub(super) fn check_whisper(path: &Path) -> Result<()> {
    let mut file = Outline::open(path, "a Whisper model").map_err(|e| e.hint(FOLDER))?;
    let [words, positions, state, heads, layers] = file.numbers()?;
    let [text_positions, text_state, text_heads, text_layers, mels, _] = file.numbers()?;
    let is_whisper = (50_000..=70_000).contains(&words)
        && [positions, text_positions].iter().all(|n| (1..=10_000).contains(n))
        && [state, text_state].iter().all(|n| (64..=8192).contains(n))
        && [heads, layers, text_heads, text_layers].iter().all(|n| (1..=256).contains(n))
        && matches!(mels, 80 | 128);
    if !is_whisper {
        return Err(file.odd("its head says what no Whisper model says"));
    }
    let [bands, bins] = file.numbers()?;
    let filters = u64::try_from(bands).ok().zip(u64::try_from(bins).ok()).and_then(|(n, of)| n.checked_mul(of));
    file.pass(filters.filter(|n| *n < 1 << 20).ok_or_else(|| file.odd("its filters are none"))? * 4)?;
    let [tokens] = file.numbers()?;
    for _ in 0..tokens {
        file.text()?;
    }
    // Of each layer of the encoder and of the decoder, and of what stands around them.
    file.tensors(15 * u64::from(layers.unsigned_abs()) + 24 * u64::from(text_layers.unsigned_abs()) + 11)
}

/// Whether a file is a Silero model.
pub(super) fn check_voice(path: &Path) -> Result<()> {
    let mut file = Outline::open(path, "a model of voices (Silero)")?;
    file.text()?;
    let [_, _, _, window, context, layers] = file.numbers()?;
    if !(1..=16_384).contains(&window) || !(0..=16_384).contains(&context) || !(1..=64).contains(&layers) {
        return Err(file.odd("its head says what no such model says"));
    }
    // Of each layer its channels and its kernel; then of what follows the layers.
    file.pass(u64::from(layers.unsigned_abs()) * 12 + 16)?;
    file.tensors(1)
}

struct Outline<'a> {
    file: BufReader<File>,
    path: &'a Path,
    what: &'static str,
    left: u64,
}

impl<'a> Outline<'a> {
    fn open(path: &'a Path, what: &'static str) -> Result<Self> {
        let file = File::open(path).doing(|| format!("cannot open {}", path.display()))?;
        let left = file.metadata().doing(|| format!("cannot look at {}", path.display()))?.len();
        let mut outline = Self { file: BufReader::new(file), path, what, left };
        match outline.numbers() {
            Ok([magic]) if magic.cast_unsigned() == MAGIC => Ok(outline),
            _ => Err(outline.odd("it does not begin as they do")),
        }
    }

    fn odd(&self, why: &str) -> Error {
        Error::invalid(format!("{} is not {} in ggml's format: {why}", self.path.display(), self.what))
    }

    fn short(&self) -> Error {
        self.odd("it ends early")
    }

    fn read(&mut self, bytes: &mut [u8]) -> Result<()> {
        self.left = self.left.checked_sub(bytes.len() as u64).ok_or_else(|| self.short())?;
        self.file.read_exact(bytes).doing(|| format!("cannot read {}", self.path.display()))
    }

    fn numbers<const N: usize>(&mut self) -> Result<[i32; N]> {
        let mut numbers = [0; N];
        for number in &mut numbers {
            let mut bytes = [0; 4];
            self.read(&mut bytes)?;
            *number = i32::from_le_bytes(bytes);
        }
        Ok(numbers)
    }

    fn pass(&mut self, bytes: u64) -> Result<()> {
        self.left = self.left.checked_sub(bytes).ok_or_else(|| self.short())?;
        let offset = i64::try_from(bytes).map_err(|_| self.short())?;
        self.file.seek_relative(offset).doing(|| format!("cannot read {}", self.path.display()))
    }

    /// A name or a token.
    fn text(&mut self) -> Result<()> {
        let [length] = self.numbers()?;
        match u64::try_from(length).ok().filter(|n| *n <= 4096) {
            Some(length) => self.pass(length),
            None => Err(self.odd("a name in it is too long")),
        }
    }

    /// All that is left: so many at least.
    fn tensors(&mut self, least: u64) -> Result<()> {
        let mut count = 0;
        while self.left > 0 {
            let [rank, name, kind] = self.numbers()?;
            if !(0..=4).contains(&rank) || !(1..=256).contains(&name) {
                return Err(self.odd("its weights are at odds with each other"));
            }
            let mut values = Some(1_u64);
            for _ in 0..rank {
                let [side] = self.numbers()?;
                values = values.zip(u64::try_from(side).ok()).and_then(|(n, side)| n.checked_mul(side));
            }
            self.pass(u64::from(name.unsigned_abs()))?;
            let Some((_, bytes, per)) = TYPES.iter().find(|(number, ..)| *number == kind) else {
                // A way to pack weights that is not known here may be known to whisper.cpp: nothing more can be told.
                return Ok(());
            };
            let size = values.and_then(|n| (n / per).checked_mul(*bytes)).ok_or_else(|| self.short())?;
            self.pass(size)?;
            count += 1;
        }
        match count {
            0 => Err(self.odd("it has no weights")),
            n if n < least => Err(self.short()),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(parts: &[&[i32]], end: &[u8]) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let numbers = parts.iter().flat_map(|part| part.iter()).flat_map(|n| n.to_le_bytes());
        std::fs::write(&file, numbers.chain(end.iter().copied()).collect::<Vec<u8>>()).unwrap();
        file
    }

    #[test]
    fn a_head_that_cannot_be_and_weights_that_end_early_are_told() {
        let magic = MAGIC.cast_signed();
        let whisper = [magic, 51_865, 1500, 384, 6, 4, 448, 384, 6, 4, 80, 1];
        // One filter of nothing, no token; then tensors of two numbers that are called "w": tiny has 167.
        let rest = [1, 1, 0, 0];
        let tensor = [[1, 1, 0, 2_i32].map(i32::to_le_bytes).concat(), b"w".to_vec(), vec![0; 8]].concat();
        let whole = tensor.repeat(167);
        let said = |path: &Path| check_whisper(path).unwrap_err().one_line();
        check_whisper(file(&[&whisper, &rest], &whole).path()).unwrap();
        assert!(said(file(&[&whisper, &rest], &whole[..whole.len() - 1]).path()).contains("ends early"));
        assert!(
            said(file(&[&whisper, &rest], &whole[..whole.len() - tensor.len()]).path()).contains("ends early"),
            "between two of them"
        );
        assert!(said(file(&[&whisper, &rest], &[]).path()).contains("no weights"));
        assert!(said(file(&[&whisper[..3]], &[]).path()).contains("ends early"));
        let mut other = whisper;
        other[10] = 81;
        assert!(said(file(&[&other, &rest], &whole).path()).contains("no Whisper model says"));
        let garbage = file(&[&[magic], &[0x0707_0707; 1000]], &[]);
        assert!(said(garbage.path()).contains("no Whisper model says"));
        assert!(said(file(&[&[1]], b"GGUF").path()).contains("does not begin"));

        let voice = file(&[&[magic, 2], &[0x0001_6b73]], &[]);
        assert!(check_voice(voice.path()).unwrap_err().one_line().contains("ends early"));
    }
}
