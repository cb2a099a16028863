//! What a batch puts into the store: an object with its files, and where in it each of them lies.

use std::ops::Range;

use super::survey::Piece;
use crate::{
    digest::Digest,
    model::{AssetId, Key, Master, RawPath},
    store::{Deposit, ocfl},
};

/// An object of the store while its files are read.
pub(super) struct Object {
    pub(super) id: AssetId,
    pub(super) prefix: Key,
    pub(super) deposit: Box<dyn Deposit>,
    /// Whether small assets share it.
    pub(super) is_shared: bool,
    /// Whether it makes good what the store has lost: what is left of that keeps its place.
    pub(super) is_again: bool,
    pub(super) bytes: u64,
    /// Digest, place below `content`, name.
    pub(super) files: Vec<(Digest, String, String)>,
    pub(super) lots: Vec<Kept>,
}

/// What is kept of a lot.
#[derive(Default)]
pub(super) struct Kept {
    /// The asset that it becomes, unless it joins one.
    pub(super) id: Option<AssetId>,
    /// The asset that it joins.
    pub(super) owner: Option<AssetId>,
    /// What the asset is called.
    pub(super) title: String,
    pub(super) masters: Vec<Master>,
    /// Whether its main file is in the archive now.
    pub(super) has_main: bool,
    /// Members that were in the archive.
    pub(super) along: Vec<Master>,
}

/// Where a file lies below its object's `content`, and what it is called there: in a shared object by its path on the
/// drive.
pub(super) fn place_of(object: &Object, asset: AssetId, piece: &Piece) -> (String, String) {
    if !object.is_shared {
        return (segments(&piece.name), piece.name.clone());
    }
    let path = piece.source.path.to_string();
    let content = segments(&path);
    match object.prefix.join(&ocfl::content_path(&content)) {
        Ok(_) => (content, path),
        // Too long for a key.
        Err(_) => (format!("{asset}/{}", segments(&piece.name)), path),
    }
}

/// A name's place below `content`: each of its parts as a key's segment.
fn segments(name: &str) -> String {
    let raw: RawPath = name.parse().unwrap_or_else(|_| RawPath::new(name));
    let parts: Vec<String> = raw.as_bytes().split(|b| *b == b'/').map(Key::segment).collect();
    parts.join("/")
}

pub(super) fn list(ranges: &[Range<u64>], size: u64) -> String {
    let lost: u64 = ranges.iter().map(|r| r.end - r.start).sum();
    let each: Vec<String> = ranges.iter().map(|r| format!("{}-{}", r.start, r.end - 1)).collect();
    match ranges.is_empty() {
        true => "every part can be read by now: run the same command again".to_owned(),
        false => format!("{lost} of {size} bytes cannot be read, at {}", each.join(", ")),
    }
}
