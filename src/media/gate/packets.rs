//! Pictures that several outputs have in common are decoded in one of them. Of the others it is seen that they have the
//! same packets.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

use super::{Decoded, Gate, Told, What, refused};
use crate::{
    digest::{Digest, Hasher},
    error::{Error, Result},
    media::{
        Glance, Rendered,
        probe::{self, file_url},
    },
};

/// How ffmpeg writes a list of the pictures' packets, each with its digest, and of what decoders have to know before.
pub(super) const PACKETS: [&str; 8] = ["-map", "0:v", "-c", "copy", "-f", "framehash", "-hash", "sha256"];

/// Pictures that are in more than one of the outputs of a render, by the number of their encode.
#[derive(Default)]
pub struct Common(BTreeMap<usize, OnceLock<Option<Played>>>);

/// What came of pictures that were decoded to their end without a complaint.
struct Played {
    packets: Digest,
    frames: u64,
    seen: Glance,
}

impl Common {
    /// What these outputs have in common.
    pub fn of<'a>(outputs: impl IntoIterator<Item = &'a Rendered>) -> Self {
        let mut counts: BTreeMap<usize, u32> = BTreeMap::new();
        for number in outputs.into_iter().flat_map(|rendered| rendered.encodes.iter().flatten()) {
            *counts.entry(*number).or_default() += 1;
        }
        Self(counts.into_iter().filter(|(_, n)| *n > 1).map(|(number, _)| (number, OnceLock::new())).collect())
    }

    /// Whether this encode is in another output, too.
    pub(super) fn has(&self, encode: Option<usize>) -> bool {
        encode.is_some_and(|number| self.0.contains_key(&number))
    }
}

impl Gate<'_> {
    /// Decodes it to its end, but for pictures that were decoded in another output.
    pub(super) fn played(&self, has_sound: bool, told: Told<'_>) -> Result<Decoded> {
        let Some(common) = self.encode.and_then(|number| self.common.0.get(&number)) else {
            return self.decode(What::Everything, told);
        };
        let mut own = None;
        let known = common.get_or_init(|| {
            let decoded = self.decode(What::Everything, told);
            let played = decoded.as_ref().ok().and_then(|decoded| {
                Some(Played { packets: decoded.packets?, frames: decoded.frames, seen: decoded.seen })
            });
            own = Some(decoded);
            played
        });
        if let Some(decoded) = own {
            return decoded;
        }
        match known {
            Some(known) if self.packet_digest()? == known.packets => {
                let sound = if has_sound { self.decode(What::SoundAlone, told)? } else { Decoded::default() };
                Ok(Decoded { frames: known.frames, seen: known.seen, ..sound })
            }
            _ => self.decode(What::Everything, told),
        }
    }

    fn packet_digest(&self) -> Result<Digest> {
        let list = Scrap(self.path.with_extension("packets"));
        let mut command = Command::new("ffmpeg");
        command.args(["-v", "error", "-nostdin", "-y"]).args(probe::opening(self.path)).arg("-i");
        command.arg(file_url(self.path)).args(PACKETS).arg(file_url(&list.0));
        let ran = probe::tool(command, "ffmpeg", self.timeout, self.stop)?;
        match ran.status.success() {
            true => digest_of(&list.0),
            false => Err(refused(format!("its packets cannot be read: {}", ran.stderr.trim()))),
        }
    }
}

/// The digest of a list of packets: of what they are, whenever they are shown.
pub(super) fn digest_of(list: &Path) -> Result<Digest> {
    let unread = |e: std::io::Error| Error::unavailable("the list of packets cannot be read").because(e);
    let mut hasher = Hasher::default();
    for line in BufReader::new(File::open(list).map_err(unread)?).lines() {
        let line = line.map_err(unread)?;
        if line.starts_with("#extradata") || !line.starts_with('#') {
            hasher.update(line.rsplit(',').next().unwrap_or_default().trim().as_bytes());
        }
    }
    Ok(hasher.finish())
}

/// A file that is gone when this is.
pub(super) struct Scrap(pub(super) PathBuf);

impl Drop for Scrap {
    fn drop(&mut self) {
        std::fs::remove_file(&self.0).ok();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn packets_are_the_same_whatever_their_times() {
        let dir = tempfile::tempdir().unwrap();
        let digest = |text: &str| {
            let list = dir.path().join("list");
            std::fs::write(&list, text).unwrap();
            digest_of(&list).unwrap()
        };
        let head = |extra: &str| format!("#version: 2\n#extradata 0, 37, {extra}\n#tb 0: 1/12800\n");
        let (one, late) = ("0, 0, 0, 512, 8658, 0f89\n0, 512, 512, 512, 99, aa01\n", "0, 0, 1024, 1, 8658, 0f89\n");
        let whole = digest(&format!("{}{one}", head("6497")));
        assert_eq!(whole, digest(&format!("{}{late}0, 1, 2, 1, 99, aa01\n", head("6497"))));
        assert_ne!(whole, digest(&format!("{}{one}", head("6498"))));
        assert_ne!(whole, digest(&format!("{}{late}", head("6497"))));
    }
}
