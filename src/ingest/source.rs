//! A file on a drive: what tells it from another one at the same path, and how it is opened for its one read.

use std::{
    fs::{File, Metadata, OpenOptions},
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

use rustix::fs::OFlags;
use serde::{Deserialize, Serialize};

use crate::{
    digest::Digest,
    model::{AssetId, DriveId, Outcome, RawPath, Sighting},
};

/// A regular file on a drive, as it was when it was looked at.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Below the drive's root.
    pub path: RawPath,
    /// Size in bytes.
    pub bytes: u64,
    /// Modification time in nanoseconds since 1970-01-01 UTC.
    pub mtime_ns: i64,
    /// Inode number.
    pub inode: u64,
    /// When the inode was last changed (ns), where its file system keeps inodes.
    #[serde(default)]
    pub ctime_ns: Option<i64>,
    /// The bytes that were taken in from this path before, if it may hold others now.
    #[serde(default)]
    pub replaces: Option<Digest>,
    /// Whether it is read only to see whether it does.
    #[serde(default)]
    pub again: bool,
    /// What its bytes are by whoever sent them: others are not taken in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub promised: Option<Digest>,
}

impl Source {
    /// The source that a file with this metadata is; `is_steady` is whether its file system keeps inodes.
    pub fn new(path: RawPath, meta: &Metadata, is_steady: bool) -> Self {
        let ns = |seconds: i64, ns: i64| seconds.saturating_mul(1_000_000_000).saturating_add(ns);
        Self {
            path,
            bytes: meta.len(),
            mtime_ns: ns(meta.mtime(), meta.mtime_nsec()),
            inode: meta.ino(),
            ctime_ns: is_steady.then(|| ns(meta.ctime(), meta.ctime_nsec())),
            replaces: None,
            again: false,
            promised: None,
        }
    }

    /// The asset that its bytes become, if they are new. What takes the place of other bytes is another asset, though it
    /// may be like an earlier file in all else.
    pub fn asset_id(&self, drive: DriveId) -> AssetId {
        let drive = drive.to_string();
        let (bytes, mtime, inode) = (self.bytes.to_be_bytes(), self.mtime_ns.to_be_bytes(), self.inode.to_be_bytes());
        let mut fields: Vec<&[u8]> = vec![drive.as_bytes(), self.path.as_bytes(), &bytes, &mtime];
        if self.ctime_ns.is_some() {
            fields.push(&inode);
        }
        if let Some(digest) = &self.replaces {
            fields.push(digest.as_bytes());
        }
        AssetId::derived(&fields)
    }

    /// Whether what is known says that these very bytes are in the archive. The inode and its time of change count where
    /// the file system keeps them: they differ when a file was put in place of another, or written over, whatever time it
    /// was given then.
    pub fn is_settled_by(&self, known: &Sighting) -> bool {
        let same = known.bytes == self.bytes && known.mtime_ns == self.mtime_ns;
        let same_inode = self
            .ctime_ns
            .is_none_or(|ctime| known.inode == self.inode && known.ctime_ns.is_none_or(|then| then == ctime));
        same && same_inode && is_kept(known)
    }

    /// Size, modification time and, where it tells anything, the inode: of these bytes an upload is gone on with.
    pub(super) fn identity(&self) -> (u64, i64, u64) {
        (self.bytes, self.mtime_ns, if self.ctime_ns.is_some() { self.inode } else { 0 })
    }

    /// What is to be recorded of it.
    pub fn sighting(&self, drive: DriveId, outcome: Outcome, detail: Option<String>) -> Sighting {
        Sighting {
            drive,
            path: self.path.clone(),
            bytes: self.bytes,
            mtime_ns: self.mtime_ns,
            inode: self.inode,
            ctime_ns: self.ctime_ns,
            outcome,
            detail,
            digest: None,
            asset: None,
        }
    }

    /// Whether an open file is still the one that was looked at.
    pub(super) fn is_still(&self, file: &File) -> bool {
        let same = |meta: Metadata| {
            let now = Self::new(self.path.clone(), &meta, self.ctime_ns.is_some());
            // Its time of change may be that of a new mode or link: its bytes are the same.
            meta.is_file() && now.identity() == self.identity()
        };
        file.metadata().is_ok_and(same)
    }
}

/// Whether the bytes of a sighting are in the archive.
pub(super) fn is_kept(known: &Sighting) -> bool {
    matches!(known.outcome, Outcome::Stored | Outcome::Duplicate)
}

/// Opens a file for its one read: never a link, never a pipe that would block.
pub(super) fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let with = |flags: OFlags| OpenOptions::new().read(true).custom_flags(flags.bits() as i32).open(path);
    // A drive is not written to, not even its access times, where we are allowed to ask for that.
    with(flags | OFlags::NOATIME).or_else(|_| with(flags))
}

/// Why something cannot be read: where it is a matter of rights, whose it is, and who would read it.
pub(super) fn why(at: &Path, error: &io::Error) -> String {
    let meta = (error.kind() == io::ErrorKind::PermissionDenied).then(|| at.symlink_metadata().ok()).flatten();
    let Some(meta) = meta else { return error.to_string() };
    let (user, group, mode) = (meta.uid(), meta.gid(), meta.mode() & 0o7777);
    let me = rustix::process::geteuid().as_raw();
    format!("{error}: it is user {user}'s and group {group}'s, of mode {mode:04o}, and damctl runs as user {me}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn source(ctime_ns: Option<i64>) -> Source {
        let path = RawPath::new("a");
        Source { path, bytes: 1, mtime_ns: 2, inode: 3, ctime_ns, replaces: None, again: false, promised: None }
    }

    #[test]
    fn an_inode_counts_where_the_file_system_keeps_it() {
        let drive = DriveId::derived(&["d"]);
        for (ctime, is_steady) in [(Some(4), true), (None, false)] {
            let known = source(ctime).sighting(drive, Outcome::Stored, None);
            assert!(source(ctime).is_settled_by(&known));
            let other = Source { inode: 9, ..source(ctime) };
            assert_eq!(other.is_settled_by(&known), !is_steady);
            assert_eq!(other.asset_id(drive) == source(ctime).asset_id(drive), !is_steady);
            let known = Sighting { ctime_ns: ctime.map(|t| t + 1), ..known };
            assert_eq!(source(ctime).is_settled_by(&known), !is_steady);
        }
        // Recorded before times of change were.
        let known = source(None).sighting(drive, Outcome::Stored, None);
        assert!(source(Some(4)).is_settled_by(&known));
    }

    #[test]
    fn what_takes_the_place_of_other_bytes_is_another_asset() {
        let drive = DriveId::derived(&["d"]);
        let replaces = |text: &str| Source { replaces: Some(Digest::of(text)), ..source(None) }.asset_id(drive);
        assert_ne!(replaces("x"), source(None).asset_id(drive));
        assert_ne!(replaces("x"), replaces("y"));
    }
}
