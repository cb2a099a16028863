//! A stored object as a file elsewhere: shared with the store where that is a folder of the same file system, else copied
//! and checked on its way.

use std::{
    fs::{self, File},
    io::{Read, Write},
    path::Path,
};

use crate::{
    digest::{Algorithm, Digest, Hasher, Sum},
    error::{Doing, Error, Result},
    model::{Key, RawPath},
    stop::Stop,
    store::Store,
};

/// How files come out of the store.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Means {
    /// As views where that can be: blocks shared by reflink, else a hard link.
    Share,
    /// As copies, whose bytes are checked.
    Copy,
}

/// An object that is wanted as a file.
pub(super) struct Wanted<'w> {
    pub key: &'w Key,
    pub digest: &'w Digest,
    pub bytes: u64,
}

/// Makes the file, and folders above it; a run that is killed leaves no part of it under its name. Digests of these
/// algorithms are made of its bytes, in this order; a view that needs none is not read.
///
/// Errors: `Corrupt` when the store has other bytes.
pub(super) fn lay(
    store: &dyn Store,
    wanted: &Wanted<'_>,
    to: &Path,
    (means, sums): (Means, &[Algorithm]),
    stop: &Stop,
) -> Result<Vec<Vec<u8>>> {
    let about = || format!("cannot make {}", to.display());
    if let Some(folder) = to.parent() {
        fs::create_dir_all(folder).doing(about)?;
    }
    let part = to.with_file_name(format!(".damctl-part-{}", wanted.digest.short()));
    if fs::symlink_metadata(&part).is_ok() {
        fs::remove_file(&part).doing(about)?;
    }
    let done = fill(store, wanted, &part, (means, sums), stop);
    match done {
        Ok(done) => fs::rename(&part, to).doing(about).map(|()| done),
        Err(e) => {
            fs::remove_file(&part).ok();
            Err(e)
        }
    }
}

fn fill(
    store: &dyn Store,
    wanted: &Wanted<'_>,
    to: &Path,
    (means, sums): (Means, &[Algorithm]),
    stop: &Stop,
) -> Result<Vec<Vec<u8>>> {
    let from = store.local_path(wanted.key);
    if let (Means::Share, Some(from)) = (means, from)
        && share(&from, to, wanted)?
    {
        return match sums {
            [] => Ok(Vec::new()),
            _ => {
                let file = File::open(to).doing(|| format!("cannot read {}", to.display()))?;
                pass(file, None, wanted, sums, stop)
            }
        };
    }
    let mut out = File::create_new(to).doing(|| format!("cannot make {}", to.display()))?;
    let done = pass(store.open(wanted.key, None)?, Some(&mut out), wanted, sums, stop)?;
    out.sync_data().doing(|| format!("cannot write {}", to.display()))?;
    Ok(done)
}

/// Shares the bytes; not where the file systems differ or cannot.
fn share(from: &Path, to: &Path, wanted: &Wanted<'_>) -> Result<bool> {
    let size = fs::metadata(from).doing(|| format!("the store has lost {}", wanted.key))?.len();
    if size != wanted.bytes {
        return Err(Error::corrupt(format!("{} has {size} bytes, not {}", wanted.key, wanted.bytes)));
    }
    let source = File::open(from).doing(|| format!("cannot read {}", from.display()))?;
    let copy = File::create_new(to).doing(|| format!("cannot make {}", to.display()))?;
    if rustix::fs::ioctl_ficlone(&copy, &source).is_ok() {
        return Ok(true);
    }
    drop(copy);
    fs::remove_file(to).doing(|| format!("cannot remove {}", to.display()))?;
    Ok(fs::hard_link(from, to).is_ok())
}

/// Reads to the end, writing where that is wanted, and holds the bytes against their digest.
fn pass(
    mut from: impl Read,
    mut to: Option<&mut File>,
    wanted: &Wanted<'_>,
    sums: &[Algorithm],
    stop: &Stop,
) -> Result<Vec<Vec<u8>>> {
    let (mut hasher, mut sums): (_, Vec<Sum>) = (Hasher::new(), sums.iter().map(|a| Sum::new(*a)).collect());
    let mut block = vec![0; 1 << 20];
    loop {
        stop.check()?;
        let n = from.read(&mut block).doing(|| format!("cannot read {}", wanted.key))?;
        if n == 0 {
            break;
        }
        hasher.update(&block[..n]);
        sums.iter_mut().for_each(|s| s.update(&block[..n]));
        if let Some(to) = &mut to {
            to.write_all(&block[..n]).doing(|| format!("cannot copy {}", wanted.key))?;
        }
    }
    match hasher.finish() == *wanted.digest {
        true => Ok(sums.into_iter().map(Sum::finish).collect()),
        false => Err(Error::corrupt(format!("{}: its bytes are others", wanted.key))
            .hint("'damctl verify' looks at all, and repairs from a replica")),
    }
}

/// The path that a name of the catalog stands for, as text where it is some; relative, and below its folder whatever it is
/// made of.
pub(super) fn safe(name: &str, digest: &Digest) -> String {
    let raw = name.parse::<RawPath>().ok().and_then(|p| String::from_utf8(p.as_bytes().to_vec()).ok());
    let name = raw.as_deref().unwrap_or(name);
    let is_plain = |s: &&str| !s.is_empty() && *s != "." && *s != "..";
    let is_odd = |c: char| c.is_control() && !matches!(c, '\r' | '\n') || c == '\\';
    let clean = |s: &str| -> String {
        let clean: String = s.chars().map(|c| if is_odd(c) { '_' } else { c }).collect();
        if clean.starts_with('~') { format!("_{clean}") } else { clean }
    };
    let path = name.split('/').filter(is_plain).map(clean).collect::<Vec<_>>().join("/");
    if path.is_empty() { digest.to_string() } else { path }
}
