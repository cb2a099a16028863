//! What a profile entry made of a master.

use serde::{Deserialize, Serialize};

use super::{AssetId, Key, MediaFacts};
use crate::digest::Digest;

/// Files derived from one master by one profile entry. It has passed the acceptance gate, or it would not be here.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rendition {
    /// The asset.
    pub asset: AssetId,
    /// The master it was made from.
    pub master: Digest,
    /// The profile entry's name.
    pub entry: String,
    /// Digest of what in the entry changes its output.
    pub recipe: Digest,
    /// The key that its files lie under.
    pub prefix: Key,
    /// Its files; the first is the one to open.
    pub files: Vec<RenditionFile>,
    /// What the gate measured.
    pub facts: MediaFacts,
}

impl Rendition {
    /// The key of the file to open.
    pub fn main_key(&self) -> crate::error::Result<Key> {
        let file = self
            .files
            .first()
            .ok_or_else(|| crate::error::Error::internal(format!("rendition '{}' has no files", self.entry)))?;
        self.prefix.join(&file.name)
    }
}

/// What of an asset's renditions is played: a film that every browser plays, else sound; none where there is neither.
pub fn playable(renditions: &[Rendition]) -> Option<&Rendition> {
    let first = |mime: &str| {
        let is = |r: &&Rendition| r.files.first().is_some_and(|file| file.mime.starts_with(mime));
        renditions.iter().find(is)
    };
    first("video/mp4").or_else(|| first("audio/"))
}

/// One file of a rendition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RenditionFile {
    /// Its name below the rendition's prefix.
    pub name: String,
    /// SHA-256.
    pub digest: Digest,
    /// Size in bytes.
    pub bytes: u64,
    /// Media type.
    pub mime: String,
}
