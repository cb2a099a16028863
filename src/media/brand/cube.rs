//! Tables of colors as `.cube` files (Adobe's Cube LUT specification 1.0) have them.

use std::path::Path;

use super::text;
use crate::error::{Error, Result};

/// The most that a side may have: four times what the usual tools write.
const MOST_3D: usize = 129;
const MOST_1D: usize = 65_536;

/// A table over R'G'B' of 0 to 1.
pub(super) struct Cube {
    /// Entries a side.
    side: usize,
    is_3d: bool,
    low: [f32; 3],
    high: [f32; 3],
    /// Red changes fastest.
    entries: Vec<[f32; 3]>,
}

impl Cube {
    pub(super) fn load(path: &Path) -> Result<Self> {
        let bad = |why: &str| Error::invalid(format!("the table of colors {} {why}", path.display()));
        Self::parse(&text(path, 128 << 20)?).map_err(|why| bad(&why))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let mut cube = Self { side: 0, is_3d: true, low: [0.0; 3], high: [1.0; 3], entries: Vec::new() };
        for (number, line) in text.lines().enumerate() {
            let line = line.trim();
            let bad = || format!("cannot be read at line {}", number + 1);
            let Some(word) = line.split_whitespace().next() else { continue };
            let rest = line[word.len()..].trim();
            match word {
                _ if word.starts_with('#') => {}
                "TITLE" => {}
                "LUT_3D_SIZE" | "LUT_1D_SIZE" => {
                    cube.is_3d = word == "LUT_3D_SIZE";
                    cube.side = rest.parse().map_err(|_| bad())?;
                    let most = if cube.is_3d { MOST_3D } else { MOST_1D };
                    if !(2..=most).contains(&cube.side) {
                        return Err(format!("has a size of {}: expected 2 to {most}", cube.side));
                    }
                }
                "DOMAIN_MIN" => cube.low = triple(rest).ok_or_else(bad)?,
                "DOMAIN_MAX" => cube.high = triple(rest).ok_or_else(bad)?,
                // What some tools write for the domain of all three.
                "LUT_3D_INPUT_RANGE" | "LUT_1D_INPUT_RANGE" => {
                    let ends: Vec<f32> = rest.split_whitespace().filter_map(|n| n.parse().ok()).collect();
                    let [low, high] = ends[..] else { return Err(bad()) };
                    (cube.low, cube.high) = ([low; 3], [high; 3]);
                }
                _ if word.starts_with(|c: char| c.is_ascii_alphabetic()) => return Err(bad()),
                _ => {
                    if cube.entries.len() >= cube.wanted() {
                        return Err(format!("has more than the {} entries that it announces", cube.wanted()));
                    }
                    cube.entries.push(triple(line).ok_or_else(bad)?);
                }
            }
        }
        match cube.side {
            0 => Err("says no size: expected LUT_3D_SIZE or LUT_1D_SIZE".to_owned()),
            _ if cube.entries.len() != cube.wanted() => {
                Err(format!("has {} of the {} entries that it announces", cube.entries.len(), cube.wanted()))
            }
            _ if (0..3).any(|i| cube.high[i] <= cube.low[i]) => Err("has a domain of nothing".to_owned()),
            _ => Ok(cube),
        }
    }

    fn wanted(&self) -> usize {
        if self.is_3d { self.side.pow(3) } else { self.side }
    }

    /// The color in a color's place, between the entries by their distance.
    pub(super) fn look_up(&self, color: [f32; 3]) -> [f32; 3] {
        let last = (self.side - 1) as f32;
        let place: [(usize, f32); 3] = std::array::from_fn(|i| {
            let at = (color[i] - self.low[i]) / (self.high[i] - self.low[i]);
            let at = at.clamp(0.0, 1.0) * last;
            let below = (at as usize).min(self.side - 2);
            (below, at - below as f32)
        });
        if !self.is_3d {
            return std::array::from_fn(|i| {
                let (below, part) = place[i];
                let (a, b) = (self.entries[below][i], self.entries[below + 1][i]);
                a + (b - a) * part
            });
        }
        let mut out = [0.0; 3];
        for corner in 0..8_usize {
            let (mut index, mut weight, mut stride) = (0, 1.0, 1);
            for (i, (below, part)) in place.iter().enumerate() {
                let is_upper = corner >> i & 1 == 1;
                index += (below + usize::from(is_upper)) * stride;
                weight *= if is_upper { *part } else { 1.0 - part };
                stride *= self.side;
            }
            for (sum, value) in out.iter_mut().zip(self.entries[index]) {
                *sum += weight * value;
            }
        }
        out
    }
}

fn triple(text: &str) -> Option<[f32; 3]> {
    let mut numbers = text.split_whitespace().map(|n| n.parse::<f32>().ok().filter(|n| n.is_finite()));
    let three = [numbers.next()??, numbers.next()??, numbers.next()??];
    numbers.next().is_none().then_some(three)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_is_read_and_looked_up_between_its_entries() {
        let identity: String = (0..8).map(|i| format!("{} {} {}\n", i & 1, i >> 1 & 1, i >> 2 & 1)).collect();
        let cube = Cube::parse(&format!("# by hand\nTITLE \"x\"\nLUT_3D_SIZE 2\n{identity}")).unwrap();
        for color in [[0.0, 0.0, 0.0], [0.25, 0.5, 0.75], [1.0, 1.0, 1.0]] {
            assert_eq!(cube.look_up(color), color);
        }
        let curve = Cube::parse("LUT_1D_SIZE 3\n0 0 0\n0.2 0.5 0.8\n1 1 1\n").unwrap();
        assert_eq!(curve.look_up([0.5, 0.25, 0.75]), [0.2, 0.25, 0.9]);
        // Outside its domain, the nearest.
        assert_eq!(curve.look_up([-1.0, 2.0, 0.5]), [0.0, 1.0, 0.8]);
    }

    #[test]
    fn a_table_that_is_not_whole_is_refused_in_words() {
        for (text, why) in [
            ("", "says no size"),
            ("LUT_3D_SIZE 2\n0 0 0\n", "1 of the 8 entries"),
            ("LUT_3D_SIZE 9999\n", "expected 2 to 129"),
            ("LUT_1D_SIZE 2\n0 0 0\n0 0\n", "at line 3"),
            ("LUT_1D_SIZE 2\n0 0 0\n1 1 nan\n", "at line 3"),
            ("LUT_1D_SIZE 2\n0 0 0\n1 1 1\n1 1 1\n", "more than the 2"),
            ("LUT_1D_SIZE 2\nDOMAIN_MAX 0 0 0\n0 0 0\n1 1 1\n", "domain of nothing"),
        ] {
            let told = Cube::parse(text).err().unwrap();
            assert!(told.contains(why), "{told}");
        }
    }
}
