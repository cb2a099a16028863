//! QuickTime files as their muxer left them, of a codec that it does not know: sample descriptions are given their right
//! names (Apple, QuickTime File Format, Video and Sound Sample Description).

use std::{
    fs::OpenOptions,
    io::{Read, Seek, SeekFrom, Write},
    path::Path,
};

use super::boxes::damaged;
use crate::error::{Doing, Result};

/// An index of hours of frames is a few megabytes.
const MOST_INDEX: u64 = 256 << 20;

/// What a sample description is to become.
pub(crate) enum Becomes<'a> {
    /// Pictures of this compressor.
    Pictures(&'a str),
    /// Sound whose name alone says how many bits a sample has: its description says 16, as all such do.
    Sound,
}

/// Renames the sample description `from`, which must be there.
pub(crate) fn rename(path: &Path, from: [u8; 4], to: [u8; 4], becomes: Becomes<'_>) -> Result<()> {
    let doing = || format!("cannot change {}", path.display());
    let mut file = OpenOptions::new().read(true).write(true).open(path).doing(doing)?;
    let end = file.metadata().doing(doing)?.len();
    let mut at = 0;
    while at + 8 <= end {
        let mut header = [0; 16];
        file.seek(SeekFrom::Start(at)).doing(doing)?;
        file.read_exact(&mut header[..(end - at).min(16) as usize]).doing(doing)?;
        let short = u64::from(u32::from_be_bytes([header[0], header[1], header[2], header[3]]));
        let [.., a, b, c, d, e, f, g, h] = header;
        let size = match short {
            0 => end - at,
            1 => u64::from_be_bytes([a, b, c, d, e, f, g, h]),
            other => other,
        };
        if size < 8 || size > end - at {
            break;
        }
        if &header[4..8] == b"moov" && size <= MOST_INDEX {
            let mut index = vec![0; size as usize];
            file.seek(SeekFrom::Start(at)).doing(doing)?;
            file.read_exact(&mut index).doing(doing)?;
            // The description follows `stsd`, its version and the number of descriptions, after its own size.
            let is_it = |i: &usize| index[*i..].starts_with(b"stsd") && index.get(i + 16..i + 20) == Some(&from);
            let Some(stsd) = (0..index.len()).find(is_it) else { break };
            let name = stsd + 16;
            file.seek(SeekFrom::Start(at + name as u64)).doing(doing)?;
            file.write_all(&to).doing(doing)?;
            let (offset, rest) = match becomes {
                Becomes::Pictures(compressor) => {
                    // A string of 31 bytes at most, its length before it.
                    let spoken = &compressor.as_bytes()[..compressor.len().min(31)];
                    let mut text = vec![0; 32];
                    text[0] = spoken.len() as u8;
                    text[1..=spoken.len()].copy_from_slice(spoken);
                    (46, text)
                }
                Becomes::Sound => (22, vec![0, 16]),
            };
            file.seek(SeekFrom::Start(at + (name + offset) as u64)).doing(doing)?;
            file.write_all(&rest).doing(doing)?;
            return Ok(());
        }
        at += size;
    }
    Err(damaged("its sample description is not found"))
}
