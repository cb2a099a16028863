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
    let archive = Archive::new(Settings::resolve(Some(dir), &[])?);
    archive.catalog()?;
    #[cfg(feature = "s3")]
    if archive.settings.bucket("store")?.is_some() {
        for bucket in damctl::store::S3Store::make_buckets(archive.settings.s3()?)? {
            print(format_args!("made the bucket '{bucket}'"));
        }
    }
    ocfl::declare_root(&*archive.store()?)?;
    let root = archive.settings.root.display();
    match new {
        true => print(format_args!("made an archive in {root}; next: damctl -C {root} ingest PATH")),
        false => print(format_args!("{root} is an archive already; nothing changed")),
    }
    Ok(Verdict::Done)
}
