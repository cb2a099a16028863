//! A film from afar: whether there is anything to see in it, and whether it moves. Told of what goes into an output and of
//! what comes out, by the same few points of a frame, twice a second.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Points across and down.
pub(crate) const POINTS: (usize, usize) = (32, 18);
/// Time from look to look.
#[cfg(feature = "gst")]
pub(crate) const STEP_MS: u64 = 500;
/// Lumas of 8 bits above this are not black (which is 16).
const LIT: u64 = 22;
/// A mean difference that is more than a codec's flicker.
const MOVED: f64 = 0.7;

/// What was seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Glance {
    /// How many frames were looked at.
    pub looks: u64,
    /// How many of them were not black.
    pub lit: u64,
    /// How many differed from the one before.
    pub moved: u64,
}

/// Somebody who looks at frames as they come.
#[derive(Default)]
pub(crate) struct Onlooker {
    pub(crate) seen: Glance,
    before: Vec<u8>,
}

impl Onlooker {
    /// The points of the next frame.
    pub(crate) fn look(&mut self, points: &[u8]) {
        let count = points.len().max(1) as u64;
        // A title on black is something to see: not the mean, but how many points are lit.
        let lit = points.iter().filter(|p| u64::from(**p) > LIT).count() as u64;
        self.seen.looks += 1;
        self.seen.lit += u64::from(lit * 200 > count);
        if self.before.len() == points.len() {
            let difference: u64 = points.iter().zip(&self.before).map(|(a, b)| u64::from(a.abs_diff(*b))).sum();
            self.seen.moved += u64::from(difference as f64 / count as f64 > MOVED);
        }
        self.before = points.to_vec();
    }
}

impl Glance {
    /// What is wrong with an output of which this went in and that came out.
    pub(crate) fn lost(self, out: Glance) -> Option<&'static str> {
        // One look may have fallen onto another frame.
        if self.lit >= 4 && out.lit == 0 {
            return Some("it is black, and its master is not");
        }
        if self.moved >= 4 && out.moved == 0 {
            return Some("its picture stands still, and its master's moves");
        }
        None
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(frames: impl IntoIterator<Item = Vec<u8>>) -> Glance {
        let mut onlooker = Onlooker::default();
        frames.into_iter().for_each(|points| onlooker.look(&points));
        onlooker.seen
    }

    #[test]
    fn black_and_frozen_are_told_from_dark_and_calm() {
        let points = POINTS.0 * POINTS.1;
        let film = seen((0..10).map(|i| (0..points).map(|p| (p as u8).wrapping_mul(i)).collect()));
        let black = seen((0..10).map(|_| vec![17; points]));
        let still = seen((0..10).map(|_| vec![90; points]));
        // A few letters on black, and one dot that moves.
        let title = seen((0..10).map(|i| (0..points).map(|p| if p < 20 + i { 200 } else { 16 }).collect()));
        assert_eq!((black.lit, still.moved, title.lit), (0, 0, 10));
        let night = seen((0..10).map(|i| (0..points).map(|p| 20 + ((p + i) % 9) as u8).collect()));
        assert_eq!((night.lit, night.moved, night.lost(night)), (10, 9, None));
        assert_eq!(film.lost(black), Some("it is black, and its master is not"));
        assert_eq!(film.lost(still), Some("its picture stands still, and its master's moves"));
        for (a, b) in [(film, film), (black, black), (still, still), (title, title), (black, film)] {
            assert_eq!(a.lost(b), None);
        }
    }
}
