//! Clips that a brand puts before and after a film, and how pictures are brought to a size that is not of their shape.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::Piece;

/// A clip before or after the film, in the same encode: its pictures at the film's size and rate, and its own sound.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Bumper {
    /// A film; without sound, it is silent.
    pub file: Piece,
    /// What of the brand is put on it.
    #[serde(default, skip_serializing_if = "Dress::is_none")]
    pub dress: Dress,
    /// How it is brought to the film's size. Left out: `contain`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Fit>,
}

/// What of a brand is put on its clips.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Dress {
    /// Nothing.
    #[default]
    None,
    /// Grade, effects and logo, as on the film. Words are the film's alone.
    Film,
}

impl Dress {
    fn is_none(&self) -> bool {
        *self == Dress::None
    }
}

/// How pictures are brought to a size of another shape.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Fit {
    /// All of them is seen, with bars beside or above.
    #[default]
    Contain,
    /// They fill it, and what is over at two edges is cut off.
    Cover,
    /// All of them is seen, and what is beside or above is made of themselves, blurred and darker.
    Blur,
}

impl Fit {
    /// The size at which pictures of one size are shown on another: even, aspect kept, larger where they are smaller.
    pub fn size(self, (width, height): (u32, u32), (on_width, on_height): (u32, u32)) -> (u32, u32) {
        let across = f64::from(on_width) / f64::from(width.max(1));
        let down = f64::from(on_height) / f64::from(height.max(1));
        let scale = match self {
            Fit::Contain | Fit::Blur => across.min(down),
            Fit::Cover => across.max(down),
        };
        let side = |side: u32| ((f64::from(side) * scale / 2.0).round() as u32 * 2).max(2);
        (side(width), side(height))
    }
}

/// The clips around a film's sound, and the frames a second in which they are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Around {
    /// Before it.
    pub intro: Option<Piece>,
    /// After it.
    pub outro: Option<Piece>,
    /// Numerator and denominator.
    pub rate: (u32, u32),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_is_seen_or_all_is_filled() {
        assert_eq!(Fit::Contain.size((1920, 1080), (640, 480)), (640, 360));
        assert_eq!(Fit::Cover.size((1920, 1080), (640, 480)), (854, 480));
        assert_eq!(Fit::Contain.size((320, 240), (1080, 1920)), (1080, 810));
        assert_eq!(Fit::Cover.size((320, 240), (1080, 1920)), (2560, 1920));
    }
}
