//! Which drive a path lies on, told by the file system and not by where it is mounted today.
//!
//! A file system has an identity: its UUID, else what `statvfs` and the mount table say of it. A mounted disk is a drive
//! as a whole; what lies on the system's own disk, or on the network, is a drive by folder, told by the file system and
//! the path on it.

use std::{
    ffi::OsString,
    os::unix::ffi::{OsStrExt, OsStringExt},
    path::{Path, PathBuf},
};

use rustix::fs::statvfs;

use crate::{
    error::{Doing, Error, Result},
    model::{Drive, DriveId, RawPath},
};

/// Where Linux tells about mounts and disks.
pub(super) struct System {
    /// `/proc/self/mountinfo` (proc_pid_mountinfo(5)).
    pub(super) mounts: PathBuf,
    /// `/sys`
    pub(super) sys: PathBuf,
    /// `/dev/disk`
    pub(super) disks: PathBuf,
    /// `/run/udev/data`
    pub(super) udev: PathBuf,
}

impl Default for System {
    fn default() -> Self {
        let at = PathBuf::from;
        Self { mounts: at("/proc/self/mountinfo"), sys: at("/sys"), disks: at("/dev/disk"), udev: at("/run/udev/data") }
    }
}

/// Folders that belong to the system itself (Filesystem Hierarchy Standard 3.0): a disk mounted at one, or below, is no
/// drive that somebody plugs in.
const OF_THE_SYSTEM: [&str; 9] = ["/boot", "/home", "/opt", "/root", "/srv", "/usr", "/var/lib", "/var/tmp", "/etc"];

/// File systems that keep a file's inode and the time of its change on the disk. On others (FAT, exFAT, all in user space
/// such as ntfs-3g, all on the network) inodes are made up when the file system is mounted, or are somebody else's.
const STEADY: [&str; 13] =
    ["apfs", "bcachefs", "btrfs", "ext2", "ext3", "ext4", "f2fs", "hfsplus", "jfs", "reiserfs", "tmpfs", "xfs", "zfs"];

/// The file system under a path.
#[derive(Debug)]
pub(super) struct Place {
    /// Tells this file system from every other.
    pub(super) file_system: String,
    /// Whether it is a disk that is a drive by itself.
    pub(super) is_drive: bool,
    /// Whether its device is still plugged in.
    pub(super) is_there: bool,
    /// Whether its files keep their inodes.
    pub(super) is_steady: bool,
    pub(super) mount: PathBuf,
    /// What of the file system is mounted there.
    part: PathBuf,
    uuid: Option<String>,
    label: Option<String>,
    serial: Option<String>,
    bytes: Option<u64>,
}

/// One line of the mount table.
struct Mount {
    number: String,
    part: PathBuf,
    at: PathBuf,
    kind: String,
    source: String,
}

impl System {
    /// Looks at the file system under an absolute path without links.
    pub(super) fn place(&self, path: &Path) -> Result<Place> {
        let table = std::fs::read(&self.mounts).doing(|| format!("cannot read {}", self.mounts.display()))?;
        let mounts = table.split(|b| *b == b'\n').filter_map(mount);
        // Of those at one place, the last covers the others.
        let under = mounts.filter(|m| path.starts_with(&m.at)).enumerate();
        let mount = under.max_by_key(|(at, m)| (m.at.as_os_str().len(), *at)).map(|(_, m)| m);
        let mount = mount.unwrap_or_else(|| Mount {
            number: String::new(),
            part: PathBuf::from("/"),
            at: PathBuf::from("/"),
            kind: "unknown".to_owned(),
            source: "unknown".to_owned(),
        });
        let size = statvfs(path).doing(|| format!("cannot look at the file system of {}", path.display()))?;
        let bytes = size.f_blocks.saturating_mul(size.f_frsize);
        let device = self.device(&mount);
        let udev = std::fs::read_to_string(self.udev.join(format!("b{}", mount.number))).unwrap_or_default();
        let said = |name: &str| {
            let value = udev.lines().find_map(|l| l.strip_prefix("E:")?.strip_prefix(name)?.strip_prefix('='));
            value.filter(|v| !v.is_empty()).map(str::to_owned)
        };
        let named = |by: &str| device.as_ref().and_then(|d| self.named(by, d));
        let uuid = named("by-uuid").or_else(|| said("ID_FS_UUID"));
        let label = named("by-label").or_else(|| said("ID_FS_LABEL"));
        let serial = said("ID_SERIAL_SHORT").or_else(|| device.as_ref().and_then(|d| self.serial(d)));
        let file_system = match (&uuid, &device) {
            (Some(uuid), _) => format!("uuid:{uuid}"),
            // Without a UUID: what the file system's own number and its size tell.
            (None, Some(_)) => format!("{}:{:016x}:{bytes}", mount.kind, size.f_fsid),
            (None, None) => format!("{}:{}", mount.kind, mount.source),
        };
        let is_of_the_system = mount.at == Path::new("/") || OF_THE_SYSTEM.iter().any(|dir| mount.at.starts_with(dir));
        let classes = self.sys.join("class/block");
        Ok(Place {
            file_system,
            is_drive: device.is_some() && mount.part == Path::new("/") && !is_of_the_system,
            is_steady: STEADY.contains(&mount.kind.as_str()),
            is_there: device.as_ref().is_none_or(|d| !classes.is_dir() || classes.join(d).exists()),
            mount: mount.at,
            part: mount.part,
            uuid,
            label,
            serial,
            bytes: (bytes > 0).then_some(bytes),
        })
    }

    /// A drive as it is mounted here, whatever place the catalog has of it: there may be several hosts, each with its own.
    fn find(&self, drive: &Drive) -> Option<Drive> {
        let table = std::fs::read(&self.mounts).ok()?;
        // A share that does not answer holds up whoever asks it, so only the one that it may be is asked.
        let may_be =
            |m: &Mount| self.device(m).is_some() || drive.identity.contains(&format!("{}:{}", m.kind, m.source));
        let mounts = table.split(|b| *b == b'\n').filter_map(mount).filter(may_be);
        let found = mounts.filter_map(|m| self.place(&m.at).ok()?.root_of(drive)).find(|root| self.is_at(drive, root));
        found.map(|root| Drive { root: RawPath::new(root), ..drive.clone() })
    }

    /// Whether a drive is mounted at this root.
    fn is_at(&self, drive: &Drive, root: &Path) -> bool {
        // A folder that is there by name may be the empty one under a mount that went away.
        let place = root.is_dir().then(|| self.place(root).ok()).flatten();
        place.is_some_and(|p| p.is_there && p.identity(root) == drive.identity)
    }

    /// The kernel's name of the disk or partition that is mounted: `sdb1`.
    fn device(&self, mount: &Mount) -> Option<OsString> {
        let by_number = std::fs::read_link(self.sys.join("dev/block").join(&mount.number)).ok();
        // Some file systems (Btrfs, those in user space) have numbers of their own: the source tells.
        let by_source = || std::fs::canonicalize(&mount.source).ok().filter(|_| mount.source.starts_with("/dev/"));
        by_number.or_else(by_source)?.file_name().map(ToOwned::to_owned)
    }

    /// What udev calls a device in one of its folders of links.
    fn named(&self, by: &str, device: &OsString) -> Option<String> {
        let links = std::fs::read_dir(self.disks.join(by)).ok()?.flatten();
        let mut of_device = links.filter(|l| {
            std::fs::read_link(l.path()).is_ok_and(|target| target.file_name() == Some(device.as_os_str()))
        });
        of_device.next().map(|l| unescape(l.file_name().as_bytes(), b'x', 16).to_string_lossy().into_owned())
    }

    /// The serial number of the disk that a device is, or is a part of.
    fn serial(&self, device: &OsString) -> Option<String> {
        let part = std::fs::canonicalize(self.sys.join("class/block").join(device)).ok()?;
        let files = ["device/serial", "serial", "../device/serial", "../serial"];
        let text = files.iter().find_map(|file| std::fs::read_to_string(part.join(file)).ok())?;
        Some(text.trim().to_owned()).filter(|t| !t.is_empty())
    }
}

fn mount(line: &[u8]) -> Option<Mount> {
    let fields: Vec<&[u8]> = line.split(|b| *b == b' ').collect();
    let dash = fields.iter().position(|f| *f == b"-")?;
    let text = |i: usize| Some(unescape(fields.get(i)?, b'0', 8));
    let plain = |i: usize| Some(text(i)?.to_string_lossy().into_owned());
    Some(Mount {
        number: plain(2)?,
        part: text(3)?.into(),
        at: text(4)?.into(),
        kind: plain(dash + 1)?,
        source: plain(dash + 2)?,
    })
}

/// Undoes `\040` (mount table) and `\x20` (udev): a backslash and digits of this base, the first of which, in one case, is
/// the letter `x`.
fn unescape(text: &[u8], first: u8, base: u32) -> OsString {
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while at < text.len() {
        let digits = match first {
            b'x' => text.get(at + 2..at + 4).filter(|_| text[at + 1] == b'x'),
            _ => text.get(at + 1..at + 4),
        };
        let digits = digits.filter(|_| text[at] == b'\\').and_then(|d| std::str::from_utf8(d).ok());
        match digits.and_then(|d| u8::from_str_radix(d, base).ok()) {
            Some(byte) => {
                out.push(byte);
                at += 4;
            }
            None => {
                out.push(text[at]);
                at += 1;
            }
        }
    }
    OsString::from_vec(out)
}

impl Place {
    /// The path on the file system itself.
    pub(super) fn inner(&self, path: &Path) -> PathBuf {
        match path.strip_prefix(&self.mount) {
            // An empty rest would add a slash.
            Ok(rest) if !rest.as_os_str().is_empty() => self.part.join(rest),
            _ => self.part.clone(),
        }
    }

    /// What identifies the drive whose root is `root`.
    fn identity(&self, root: &Path) -> String {
        match self.is_drive {
            true => self.file_system.clone(),
            false => format!("{}{}", self.folders(), RawPath::new(self.inner(root))),
        }
    }

    /// Where a drive's root is, if it is this file system or a folder of what is mounted of it.
    fn root_of(&self, drive: &Drive) -> Option<PathBuf> {
        if drive.identity == self.file_system {
            return Some(self.mount.clone());
        }
        let folder: RawPath = drive.identity.strip_prefix(&self.folders())?.parse().ok()?;
        let folder = folder.under(Path::new("/"));
        let rest = folder.strip_prefix(&self.part).ok()?;
        Some(if rest.as_os_str().is_empty() { self.mount.clone() } else { self.mount.join(rest) })
    }

    /// How the identities of folders on this file system begin.
    pub(super) fn folders(&self) -> String {
        format!("folder:{}:", self.file_system)
    }

    /// The drive whose root is `root`: the mount itself, or a folder.
    pub(super) fn drive(&self, root: &Path) -> Drive {
        let identity = self.identity(root);
        let path = RawPath::new(root);
        let name = if path.file_name().is_empty() { "/".to_owned() } else { path.file_name_text() };
        Drive {
            id: DriveId::derived(&[&identity]),
            identity,
            label: self.label.clone().filter(|_| self.is_drive).unwrap_or(name),
            root: path,
            fs_uuid: self.uuid.clone(),
            serial: self.serial.clone(),
            bytes: self.bytes,
        }
    }
}

/// What is said when it is not.
pub(super) fn gone(drive: &Drive) -> Error {
    let root = drive.root.under(Path::new("/"));
    let message = format!("the drive '{}' is not at {} any more", drive.label, root.display());
    Error::paused(message).hint("plug it in again, then run the same command: it goes on where it was")
}

/// Whether a drive is mounted where it was, and is the same.
pub fn is_here(drive: &Drive) -> bool {
    System::default().is_at(drive, &drive.root.under(Path::new("/")))
}

/// A drive where it is mounted here: where the catalog has it, else anywhere.
pub(super) fn find(drive: &Drive) -> Option<Drive> {
    if is_here(drive) { Some(drive.clone()) } else { System::default().find(drive) }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;

    use super::*;

    /// A made-up machine: a system disk, a stick with a UUID, a share, a folder that is mounted a second time.
    fn machine(dir: &Path) -> System {
        let at = |path: &str| dir.join(path);
        for folder in ["sys/dev/block", "sys/class/block/sda1", "sys/class/block/sdb1/../sdb/device", "udev"] {
            std::fs::create_dir_all(at(folder)).unwrap();
        }
        for by in ["by-uuid", "by-label"] {
            std::fs::create_dir_all(at("disks").join(by)).unwrap();
        }
        symlink("../../block/sda/sda1", at("sys/dev/block/8:1")).unwrap();
        symlink("../../block/sdb/sdb1", at("sys/dev/block/8:17")).unwrap();
        symlink("../../sdb1", at("disks/by-uuid/ABCD-1234")).unwrap();
        symlink("../../sdb1", at("disks/by-label/SHOOT\\x207")).unwrap();
        std::fs::write(at("udev/b8:17"), "S:disk\nE:ID_SERIAL_SHORT=4C530001\nE:ID_FS_UUID=ABCD-1234\n").unwrap();
        let dir = dir.display();
        let table = format!(
            "27 1 8:1 / / rw - ext4 /dev/sda1 rw\n\
             30 27 8:17 / {dir}/my\\040stick rw - vfat /dev/sdb1 rw\n\
             31 27 0:40 / {dir}/share rw - nfs4 nas:/export rw\n\
             32 27 8:17 /DCIM {dir}/bound rw - vfat /dev/sdb1 rw\n"
        );
        std::fs::write(at("mounts"), table).unwrap();
        for mount in ["my stick", "share", "bound"] {
            std::fs::create_dir_all(at(mount)).unwrap();
        }
        System { mounts: at("mounts"), sys: at("sys"), disks: at("disks"), udev: at("udev") }
    }

    #[test]
    fn a_stick_is_a_drive_by_its_uuid_wherever_it_is_mounted() {
        let dir = tempfile::tempdir().unwrap();
        let system = machine(dir.path());
        let place = system.place(&dir.path().join("my stick")).unwrap();
        assert!(place.is_drive && place.is_there && !place.is_steady);
        assert!(system.place(&dir.path().join("udev")).unwrap().is_steady);
        let drive = place.drive(&place.mount);
        assert_eq!((drive.identity.as_str(), drive.label.as_str()), ("uuid:ABCD-1234", "SHOOT 7"));
        assert_eq!(drive.serial.as_deref(), Some("4C530001"));
    }

    #[test]
    fn folders_are_told_by_their_file_system_and_their_path_on_it() {
        let dir = tempfile::tempdir().unwrap();
        let system = machine(dir.path());
        let of = |name: &str| {
            let root = dir.path().join(name);
            let place = system.place(&root).unwrap();
            assert!(!place.is_drive, "{name}");
            place.drive(&root).identity
        };
        assert_eq!(of("share"), "folder:nfs4:nas:/export:/");
        // A part of a stick, mounted by itself, is a folder of the stick.
        assert_eq!(of("bound"), "folder:uuid:ABCD-1234:/DCIM");
        assert!(of("udev").ends_with("/udev"), "{}", of("udev"));
    }

    #[test]
    fn a_device_that_was_pulled_out_is_gone_although_it_is_still_mounted() {
        let dir = tempfile::tempdir().unwrap();
        let system = machine(dir.path());
        std::fs::remove_dir_all(dir.path().join("sys/class/block/sdb1")).unwrap();
        assert!(!system.place(&dir.path().join("my stick")).unwrap().is_there);
    }

    #[test]
    fn a_drive_is_found_where_this_machine_has_it_mounted() {
        let dir = tempfile::tempdir().unwrap();
        let system = machine(dir.path());
        let found = |identity: &str| {
            let drive = system.place(&dir.path().join("my stick")).unwrap().drive(Path::new("/elsewhere"));
            let drive = Drive { identity: identity.to_owned(), root: RawPath::new("/elsewhere"), ..drive };
            Some(system.find(&drive)?.root.under(Path::new("/")))
        };
        let at = |name: &str| Some(dir.path().join(name));
        std::fs::create_dir_all(dir.path().join("share/shoots/7")).unwrap();
        assert_eq!(found("uuid:ABCD-1234"), at("my stick"));
        assert_eq!(found("folder:nfs4:nas:/export:/shoots/7"), at("share/shoots/7"));
        assert_eq!(found("folder:uuid:ABCD-1234:/DCIM"), at("bound"));
        assert_eq!(found("uuid:ABCD-9999"), None);
        assert_eq!(found("folder:nfs4:nas:/export:/shoots/8"), None);
    }
}
