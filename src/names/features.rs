//! What spaCy's networks see of a word: numbers of its norm, its first letter, its last three letters and its shape, each of
//! which chooses four rows of a table.

use std::{collections::HashMap, sync::OnceLock};

/// Longest word that has a shape of its own.
const LONGEST: usize = 100;
/// How often a sign is repeated in a shape.
const REPEATED: usize = 4;

/// The number of a text: one of its own for spaCy's symbols, MurmurHash64A (seed 1) for all others, 0 for none.
pub(super) fn number(text: &str) -> u64 {
    static SYMBOLS: OnceLock<HashMap<&str, u64>> = OnceLock::new();
    let symbols = SYMBOLS.get_or_init(|| {
        let rows = rows(include_str!("symbols.tsv"));
        rows.filter_map(|(word, number)| Some((word, number.parse().ok()?))).collect()
    });
    match text {
        "" => 0,
        text => symbols.get(text).copied().unwrap_or_else(|| murmur_64a(text.as_bytes())),
    }
}

/// The sign that a sign stands for, whatever the language.
pub(super) fn norm(text: &str) -> Option<&'static str> {
    static NORMS: OnceLock<HashMap<&str, &str>> = OnceLock::new();
    NORMS.get_or_init(|| rows(include_str!("norms.tsv")).collect()).get(text).copied()
}

fn rows(table: &'static str) -> impl Iterator<Item = (&'static str, &'static str)> {
    table.lines().filter(|line| !line.starts_with("# ")).filter_map(|line| line.split_once('\t'))
}

/// A word's outline: `X` for a capital, `x` for another letter, `d` for a digit, four of a kind at most.
pub(super) fn shape(word: &str) -> String {
    if word.chars().nth(LONGEST - 1).is_some() {
        return "LONG".to_owned();
    }
    let (mut out, mut last, mut run) = (String::new(), None, 0);
    for c in word.chars() {
        let sign = match c {
            c if c.is_alphabetic() && c.is_uppercase() => 'X',
            c if c.is_alphabetic() => 'x',
            c if c.is_numeric() => 'd',
            c => c,
        };
        run = if last == Some(sign) { run + 1 } else { 0 };
        last = Some(sign);
        if run < REPEATED {
            out.push(sign);
        }
    }
    out
}

/// MurmurHash64A by Austin Appleby, as spaCy's strings use it.
fn murmur_64a(bytes: &[u8]) -> u64 {
    const M: u64 = 0xC6A4_A793_5BD1_E995;
    const SEED: u64 = 1;
    let mut hash = SEED ^ (bytes.len() as u64).wrapping_mul(M);
    let (whole, rest) = bytes.as_chunks();
    for eight in whole {
        let k = u64::from_le_bytes(*eight).wrapping_mul(M);
        hash = (hash ^ (k ^ k >> 47).wrapping_mul(M)).wrapping_mul(M);
    }
    if !rest.is_empty() {
        let tail = rest.iter().rev().fold(0, |n, b| n << 8 | u64::from(*b));
        hash = (hash ^ tail).wrapping_mul(M);
    }
    hash = (hash ^ hash >> 47).wrapping_mul(M);
    hash ^ hash >> 47
}

/// The four hashes by which a number chooses rows: MurmurHash3 x64 128 of its eight bytes, as thinc's `HashEmbed` does.
pub(super) fn row_hashes(number: u64, seed: u32) -> [u32; 4] {
    const LENGTH: u64 = 8;
    fn mixed(mut h: u64) -> u64 {
        h = (h ^ h >> 33).wrapping_mul(0xFF51_AFD7_ED55_8CCD);
        h = (h ^ h >> 33).wrapping_mul(0xC4CE_B9FE_1A85_EC53);
        h ^ h >> 33
    }
    let seed = u64::from(seed);
    let k = number.wrapping_mul(0x87C3_7B91_1142_53D5).rotate_left(31).wrapping_mul(0x4CF5_AD43_2745_937F);
    let (a, b) = (seed ^ k ^ LENGTH, seed ^ LENGTH);
    let a = a.wrapping_add(b);
    let b = b.wrapping_add(a);
    let (a, b) = (mixed(a), mixed(b));
    let a = a.wrapping_add(b);
    let b = b.wrapping_add(a);
    [a as u32, (a >> 32) as u32, b as u32, (b >> 32) as u32]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shapes_are_outlines() {
        let words = ["Juan", "UE", "McDonald", "2026", "2026-11-29", "Sotillos", "ñandú", "¿"];
        let shapes = ["Xxxx", "XX", "XxXxxxx", "dddd", "dddd-dd-dd", "Xxxxx", "xxxx", "¿"];
        assert_eq!(words.map(shape), shapes);
        assert_eq!(shape(&"a".repeat(100)), "LONG");
    }

    #[test]
    fn numbers_are_spacys() {
        // The first is in its documentation of the StringStore.
        assert_eq!(number("coffee"), 3197928453018144401);
        assert_eq!(number("apple"), 8566208034543834098);
        assert_eq!((number("X"), number("DATE"), number("")), (101, 391, 0));
        assert_eq!((norm("“"), norm("—"), norm("Juan")), (Some("\""), Some("-"), None));
    }
}
