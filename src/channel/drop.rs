//! Files laid down on a server that keeps them by name: each under a temporary name first, checked, then all given their
//! own. What the protocols differ in is behind [`Remote`].
//!
//! Names appear at the end and together: of a package its segments, captions, the picture, then what is opened, and sidecars
//! last. Whoever watches for media finds whole files; whoever watches for sidecars finds everything they name.

use std::io::Read;

use serde_json::{Value, json};

use super::{
    Fate, Package, Retracted, Sent, Way,
    names::{Named, in_order, inside},
};
use crate::{
    digest::{Digest, Hasher},
    error::{Error, Kind, Result},
    model::Receipt,
    profile::channels::Check,
};

/// How much of a part that lies there is compared before it is gone on with. A server may have written what was sent last
/// and not what was sent shortly before: no connector has more than this on its way.
pub(super) const TAIL: u64 = 4 << 20;

/// What a server of files can do. Paths are those that [`inside`](super::names::inside) made.
pub(super) trait Remote {
    /// A file's size in bytes, or `None` when there is nothing. A folder is a `Conflict`.
    fn size(&mut self, path: &str) -> Result<Option<u64>>;

    /// Makes one folder; it may be there.
    fn make_folder(&mut self, path: &str) -> Result<()>;

    /// Writes everything that `bytes` gives, from this offset on; from 0, what was there is gone. `moved` hears of what the
    /// server has, and of 0 while nothing moves; its error ends the work. What is written is on the server's disk when it
    /// returns, where the server offers that.
    fn write(
        &mut self,
        path: &str,
        from: u64,
        bytes: &mut dyn Read,
        moved: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<()>;

    /// Reads from this offset to the end.
    fn read(&mut self, path: &str, from: u64, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()>;

    /// What the server itself computes of a file, where it offers that.
    fn hash(&mut self, path: &str) -> Result<Option<Digest>>;

    /// Gives another name. `Conflict` when something has it.
    fn rename(&mut self, from: &str, to: &str) -> Result<()>;

    /// Removes a file; `false` when there was none.
    fn remove(&mut self, path: &str) -> Result<bool>;

    /// Where that is, for people: `sftp://host/path`.
    fn address(&self, path: &str) -> String;
}

/// Where on the server things go, and how they are checked there.
pub(super) struct Dropped<'a> {
    /// The folder.
    pub(super) folder: &'a str,
    /// How it is checked.
    pub(super) check: Check,
}

/// A file on its way.
struct Laid<'a> {
    path: String,
    part: String,
    file: Named<'a>,
}

impl Laid<'_> {
    fn open<'s>(&'s self, package: &'s Package<'_>, from: u64) -> Result<Box<dyn Read + 's>> {
        Ok(match self.file.key {
            Some(key) => package.source.open(key, Some(from..self.file.bytes))?,
            None => Box::new(self.file.written.get(from as usize..).unwrap_or_default()),
        })
    }

    fn proof(&self, checked: &str) -> Value {
        json!({"path": self.path, "bytes": self.file.bytes, "sha256": self.file.digest, "checked": checked})
    }
}

fn files<'a>(package: &'a Package<'_>, folder: &str) -> Result<Vec<Laid<'a>>> {
    let laid = |file: Named<'a>| {
        let path = inside(folder, file.name)?;
        let last = path.rfind('/').map_or(0, |slash| slash + 1);
        let part = format!("{}.{}.{}.part", &path[..last], &path[last..], package.marker);
        Ok(Laid { path, part, file })
    };
    in_order(package)?.into_iter().map(laid).collect()
}

fn session(folder: &str, step: &str) -> Value {
    json!({"folder": folder, "step": step})
}

/// Whether an earlier attempt had checked everything and was giving names.
fn was_naming(session: Option<&Value>) -> bool {
    session.is_some_and(|s| s["step"] == "naming")
}

/// Sends what is not there yet.
pub(super) fn send(
    remote: &mut dyn Remote,
    place: &Dropped<'_>,
    package: &Package<'_>,
    earlier: Option<&Value>,
    way: &mut dyn Way,
) -> Result<Sent> {
    let files = files(package, place.folder)?;
    way.keep(&session(place.folder, if was_naming(earlier) { "naming" } else { "sending" }))?;
    make_folders(remote, &files)?;
    // Whoever stands in the way is told of before a byte is sent.
    let mut there = Vec::with_capacity(files.len());
    for file in &files {
        way.moved(0)?;
        there.push(match remote.size(&file.path)? {
            Some(size) => {
                Some(compare(remote, place, file, size, was_naming(earlier))?.ok_or_else(|| taken(remote, file))?)
            }
            None => None,
        });
    }
    let mut proofs = Vec::with_capacity(files.len());
    for (file, checked) in files.iter().zip(&there) {
        let checked = match checked {
            Some(checked) => checked,
            None => bring(remote, place, package, file, way)?,
        };
        proofs.push(file.proof(checked));
    }
    if there.iter().any(Option::is_none) {
        way.posting(&session(place.folder, "naming"))?;
    }
    for (file, _) in files.iter().zip(&there).filter(|(_, there)| there.is_none()) {
        name(remote, place, file)?;
    }
    Ok(Sent::Published(receipt(remote, package, &files, proofs)))
}

/// What lies there of an earlier attempt. Writes nothing.
pub(super) fn find(
    remote: &mut dyn Remote,
    place: &Dropped<'_>,
    package: &Package<'_>,
    earlier: &Value,
) -> Result<Fate> {
    let files = files(package, place.folder)?;
    let (mut proofs, mut is_begun) = (Vec::with_capacity(files.len()), false);
    for file in &files {
        let found = match remote.size(&file.path)? {
            Some(size) => compare(remote, place, file, size, was_naming(Some(earlier)))?,
            None => None,
        };
        match found {
            Some(checked) => proofs.push(file.proof(checked)),
            None => is_begun |= remote.size(&file.part)?.is_some(),
        }
    }
    Ok(match proofs.len() {
        n if n == files.len() => Fate::Published(receipt(remote, package, &files, proofs)),
        0 if !is_begun => Fate::Absent,
        _ => Fate::Resumable(earlier.clone()),
    })
}

/// Removes the files that a receipt names, the one that came last first.
pub(super) fn retract(remote: &mut dyn Remote, receipt: &Receipt) -> Result<Retracted> {
    let files = receipt.proof["files"].as_array().filter(|files| !files.is_empty());
    let files = files.ok_or_else(|| Error::invalid("the receipt names no files: they are not known"))?;
    let mut there = Vec::new();
    for file in files.iter().rev() {
        let path = file["path"].as_str().ok_or_else(|| Error::invalid("the receipt names a file without a path"))?;
        match remote.size(path)? {
            Some(size) if Some(size) == file["bytes"].as_u64() => there.push(path),
            Some(size) => {
                return Err(Error::new(
                    Kind::Conflict,
                    format!("{} has {size} bytes: it is not what was sent", remote.address(path)),
                )
                .hint("somebody has put another file in its place: nothing was removed"));
            }
            None => {}
        }
    }
    let mut removed = Vec::new();
    for path in there {
        if remote.remove(path)? {
            removed.push(path);
        }
    }
    Ok(if removed.is_empty() { Retracted::Absent } else { Retracted::Gone(json!({"removed": removed})) })
}

fn receipt(remote: &dyn Remote, package: &Package<'_>, files: &[Laid<'_>], proofs: Vec<Value>) -> Receipt {
    let opened = files.iter().find(|f| f.file.name == package.media[0].name).unwrap_or(&files[0]);
    Receipt { id: opened.path.clone(), url: Some(remote.address(&opened.path)), proof: json!({"files": proofs}) }
}

fn taken(remote: &dyn Remote, file: &Laid<'_>) -> Error {
    Error::new(Kind::Conflict, format!("{} is another file already", remote.address(&file.path)))
        .hint("it is not overwritten: give the channel another path or name, or remove it there")
}

fn make_folders(remote: &mut dyn Remote, files: &[Laid<'_>]) -> Result<()> {
    let mut made = std::collections::BTreeSet::new();
    for file in files {
        let ends = file.path.match_indices('/').map(|(at, _)| at).filter(|at| *at > 0);
        for end in ends {
            let folder = &file.path[..end];
            if made.insert(folder) {
                remote.make_folder(folder)?;
            }
        }
    }
    Ok(())
}

/// What a file was checked by, if it is the one that was sent.
fn compare(
    remote: &mut dyn Remote,
    place: &Dropped<'_>,
    file: &Laid<'_>,
    size: u64,
    is_ours: bool,
) -> Result<Option<&'static str>> {
    if size != file.file.bytes {
        return Ok(None);
    }
    let server = if place.check == Check::Hash { remote.hash(&file.path)? } else { None };
    if let Some(digest) = server {
        return Ok((digest == file.file.digest).then_some("the server's hash"));
    }
    // A file of the same name and size that nobody here has named may be anything.
    if place.check == Check::Size || (place.check == Check::Hash && is_ours) {
        return Ok(Some("size"));
    }
    Ok((read_back(remote, &file.path)? == file.file.digest).then_some("read back"))
}

fn read_back(remote: &mut dyn Remote, path: &str) -> Result<Digest> {
    let mut hasher = Hasher::new();
    remote.read(path, 0, &mut |bytes| {
        hasher.update(bytes);
        Ok(())
    })?;
    Ok(hasher.finish())
}

/// Brings a file under its temporary name, from where that stands, and checks it there.
fn bring(
    remote: &mut dyn Remote,
    place: &Dropped<'_>,
    package: &Package<'_>,
    file: &Laid<'_>,
    way: &mut dyn Way,
) -> Result<&'static str> {
    let there = remote.size(&file.part)?;
    let mut from = match there {
        Some(size) if size <= file.file.bytes && has_same_tail(remote, package, file, size)? => size,
        _ => 0,
    };
    loop {
        let is_whole = from == file.file.bytes && there.is_some();
        if !is_whole {
            let mut sent = Counted { bytes: file.open(package, from)?, count: 0 };
            remote.write(&file.part, from, &mut sent, &mut |bytes| way.moved(bytes))?;
            if from + sent.count != file.file.bytes {
                return Err(Error::corrupt(format!(
                    "the archive has {} bytes of '{}', not {}",
                    from + sent.count,
                    file.path,
                    file.file.bytes
                )));
            }
        }
        match checked(remote, place, file)? {
            Some(checked) => return Ok(checked),
            // What was gone on with may have been bad before its tail: once more, all of it.
            None if from > 0 => from = 0,
            None => {
                remote.remove(&file.part)?;
                return Err(Error::unavailable(format!(
                    "{} has arrived with other bytes than were sent",
                    remote.address(&file.path)
                )));
            }
        }
        if from == 0 {
            remote.remove(&file.part)?;
        }
    }
}

struct Counted<'a> {
    bytes: Box<dyn Read + 'a>,
    count: u64,
}

impl Read for Counted<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
        let n = self.bytes.read(buffer)?;
        self.count += n as u64;
        Ok(n)
    }
}

fn checked(remote: &mut dyn Remote, place: &Dropped<'_>, file: &Laid<'_>) -> Result<Option<&'static str>> {
    if remote.size(&file.part)? != Some(file.file.bytes) {
        return Ok(None);
    }
    let by = match place.check {
        Check::Size => return Ok(Some("size")),
        Check::Hash => match remote.hash(&file.part)? {
            Some(digest) => (digest, "the server's hash"),
            None => return Ok(Some("size")),
        },
        Check::Read => (read_back(remote, &file.part)?, "read back"),
    };
    Ok((by.0 == file.file.digest).then_some(by.1))
}

fn has_same_tail(remote: &mut dyn Remote, package: &Package<'_>, file: &Laid<'_>, size: u64) -> Result<bool> {
    let from = size.saturating_sub(TAIL);
    let mut ours = Vec::new();
    file.open(package, from)?
        .take(size - from)
        .read_to_end(&mut ours)
        .map_err(|e| crate::error::io(format!("cannot read '{}' from the archive", file.path), e))?;
    let mut at = 0;
    let mut is_same = true;
    remote.read(&file.part, from, &mut |theirs| {
        is_same &= ours.get(at..at + theirs.len()) == Some(theirs);
        at += theirs.len();
        Ok(())
    })?;
    Ok(is_same && at == ours.len())
}

/// Gives a file its own name. A reply that was lost, or an earlier attempt, may have done so.
fn name(remote: &mut dyn Remote, place: &Dropped<'_>, file: &Laid<'_>) -> Result<()> {
    let refused = match remote.rename(&file.part, &file.path) {
        Ok(()) => return Ok(()),
        Err(e) if matches!(e.kind(), Kind::Conflict | Kind::NotFound) => e,
        Err(e) => return Err(e),
    };
    match remote.size(&file.path)? {
        Some(size) => match compare(remote, place, file, size, false)? {
            Some(_) => remote.remove(&file.part).map(drop),
            None => Err(taken(remote, file)),
        },
        None => Err(refused),
    }
}
