//! One picture a scene, and the list of their times: written here, and read again for the gate.

use std::path::Path;

use serde::{Deserialize, Serialize};

use super::image;
use crate::{
    error::{Doing, Error, Result},
    profile::Scenes,
};

/// A scene as it was found.
pub struct Found {
    /// Where it begins.
    pub at_ms: u64,
    /// How much its first picture differs from the one before, 0 to 1.
    pub score: f64,
    /// Its first picture, encoded.
    pub picture: Vec<u8>,
}

/// The list.
#[derive(Serialize, Deserialize)]
struct List {
    version: u32,
    duration_ms: u64,
    scenes: Vec<Scene>,
}

#[derive(Serialize, Deserialize)]
struct Scene {
    from_ms: u64,
    to_ms: u64,
    score: f64,
    picture: String,
}

/// Writes the pictures of the scenes, in the order of their times, and the list. Gives the files' names, the list's first.
pub fn write(out_dir: &Path, entry: &str, mut found: Vec<Found>, duration_ms: u64) -> Result<Vec<String>> {
    found.sort_by_key(|f| f.at_ms);
    let ends: Vec<u64> = found.iter().skip(1).map(|f| f.at_ms).chain([duration_ms]).collect();
    let mut list = List { version: 1, duration_ms, scenes: Vec::new() };
    let mut files = vec![format!("{entry}.json")];
    for (i, (scene, to_ms)) in found.into_iter().zip(ends).enumerate() {
        let picture = Scenes::picture(entry, i);
        let path = out_dir.join(&picture);
        std::fs::write(&path, scene.picture).doing(|| format!("cannot write {}", path.display()))?;
        files.push(picture.clone());
        let score = (scene.score * 1000.0).round() / 1000.0;
        list.scenes.push(Scene { from_ms: scene.at_ms, to_ms, score, picture });
    }
    let text = serde_json::to_string_pretty(&list).map_err(|e| Error::internal("cannot write a list").because(e))?;
    let path = out_dir.join(&files[0]);
    std::fs::write(&path, text + "\n").doing(|| format!("cannot write {}", path.display()))?;
    Ok(files)
}

/// What is wrong with the files of an entry, if anything is.
pub(super) fn check(
    out_dir: &Path,
    files: &[String],
    spec: &Scenes,
    size: (u32, u32),
    duration_ms: u64,
) -> std::result::Result<(), String> {
    let (list, pictures) = files.split_first().ok_or("it has no files")?;
    let text = std::fs::read(out_dir.join(list)).map_err(|e| format!("its list cannot be read: {e}"))?;
    let list: List = serde_json::from_slice(&text).map_err(|e| format!("its list is none: {e}"))?;
    let named: Vec<&String> = list.scenes.iter().map(|s| &s.picture).collect();
    if named != pictures.iter().collect::<Vec<_>>() {
        return Err(format!("its list names {named:?}, there is {pictures:?}"));
    }
    if pictures.len() > spec.most as usize {
        return Err(format!("it has {} pictures, more than {}", pictures.len(), spec.most));
    }
    let ends = list.scenes.iter().skip(1).map(|s| s.from_ms).chain([duration_ms]);
    if !list.scenes.iter().zip(ends).all(|(s, end)| s.from_ms < s.to_ms && s.to_ms == end) {
        return Err("its scenes do not follow each other up to the end".to_owned());
    }
    for picture in pictures {
        let path = out_dir.join(picture);
        let (width, height, _) =
            image::check(&path, "image/jpeg").map_err(|e| format!("{picture}: {}", e.one_line()))?;
        if (width, height) != size {
            return Err(format!("{picture} is {width} x {height}, not {} x {}", size.0, size.1));
        }
    }
    Ok(())
}
