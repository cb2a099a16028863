//! What a master looks like: enough to find its like.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::digest::Digest;

/// A color and how much of a picture has it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shade {
    /// sRGB, as `#rrggbb`.
    pub color: String,
    /// Its name in the archive's language.
    pub name: String,
    /// Its share of the picture, 0 to 1.
    pub share: f32,
}

/// What is between two cuts.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Shot {
    /// Its first frame, in milliseconds.
    pub from_ms: u64,
    /// The first frame after it, or the film's end, in milliseconds.
    pub to_ms: u64,
}

/// What was seen of a picture, or of a film's frames.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Looks {
    /// A perceptual hash of 64 bits, as 16 hexadecimal digits: what looks alike differs in few of them. Of a film, that of the
    /// frame a tenth of the way in.
    pub hash: String,
    /// The colors that there is most of.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub colors: Vec<Shade>,
    /// Number of shots; 1 of a still picture.
    #[serde(default)]
    pub shots: u32,
    /// Of a film, its shots, one after the other.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub scenes: Vec<Shot>,
    /// Whether it carries content credentials (C2PA); what they say is not looked into.
    #[serde(default)]
    pub has_credentials: bool,
}

/// The looks of a master.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LooksOf {
    /// The master.
    pub master: Digest,
    /// By which version they were seen.
    pub recipe: Digest,
    /// What was seen.
    pub looks: Looks,
}

impl Looks {
    /// The hash as a number.
    pub fn bits(&self) -> Option<u64> {
        (self.hash.len() == 16).then(|| u64::from_str_radix(&self.hash, 16).ok()).flatten()
    }
}
