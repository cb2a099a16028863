//! `damctl init`: an archive in a folder.

use std::{fs, path::Path};

use anyhow::Result;
use damctl::{
    error::{Doing, Error},
    store::ocfl,
};

use super::{Archive, Verdict, print};
use crate::settings::{self, Settings};

pub fn run(dir: &Path) -> Result<Verdict> {
    if dir.exists() && !dir.is_dir() {
        return Err(Error::invalid(format!("{} is no folder: an archive is made in one", dir.display())).into());
    }
    fs::create_dir_all(dir).doing(|| format!("cannot make {}", dir.display()))?;
    let file = dir.join(settings::FILE);
    let new = !file.exists();
    if new {
        fs::write(&file, settings::template()).doing(|| format!("cannot write {}", file.display()))?;
    }
    let archive = Archive::new(Settings::resolve(Some(dir), &[])?, &damctl::stop::Stop::new());
    archive.catalog()?;
    let made = make_buckets(&archive.settings)?;
    ocfl::declare_root(&*archive.store()?)?;
    let root = archive.settings.root.display();
    match (new, made) {
        (true, _) => print(format_args!("made an archive in {root}; next: damctl -C {root} ingest PATH")),
        (false, 0) => print(format_args!("{root} is an archive already; nothing changed")),
        (false, _) => print(format_args!("{root} is an archive already; its settings have not changed")),
    }
    Ok(Verdict::Done)
}

/// Makes the buckets that are missing, and says which; how many.
#[cfg(feature = "s3")]
fn make_buckets(settings: &Settings) -> Result<usize> {
    if settings.bucket("store")?.is_none() {
        return Ok(0);
    }
    let made = damctl::store::S3Store::make_buckets(settings.s3()?)?;
    made.iter().for_each(|bucket| print(format_args!("made the bucket '{bucket}'")));
    Ok(made.len())
}

#[cfg(not(feature = "s3"))]
fn make_buckets(_: &Settings) -> Result<usize> {
    Ok(0)
}
