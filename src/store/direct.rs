//! Writing a large file past the page cache: the disk works from the first block on, so that making the file durable at
//! its end has nothing left to wait for, and a drive's worth of bytes does not push out what other programs have cached.

use std::{
    fs::File,
    io::{self, Write},
    os::fd::AsFd,
    path::Path,
};

use rustix::fs::{OFlags, fcntl_getfl, fcntl_setfl};

/// What every disk and file system of today accepts as alignment of memory, place and length (open(2), `O_DIRECT`).
const ALIGN: usize = 4096;
/// Bytes a write: large enough for full speed, small enough to have a few in memory.
const BLOCK: usize = 4 << 20;

/// A new file that is written in large, aligned blocks. Dropped without [`flush`](Write::flush), its end is missing.
pub(super) struct DirectFile {
    file: File,
    /// One block more than is used, so that an aligned one lies inside.
    memory: Vec<u8>,
    start: usize,
    filled: usize,
    direct: bool,
}

impl DirectFile {
    /// Makes the file. Where the file system does not know direct writes, they go through the page cache.
    pub(super) fn create_new(path: &Path) -> io::Result<Self> {
        let file = File::create_new(path)?;
        let memory = vec![0; BLOCK + ALIGN];
        let start = memory.as_ptr().align_offset(ALIGN).min(ALIGN);
        let mut new = Self { file, memory, start, filled: 0, direct: false };
        new.direct = start < ALIGN && new.set_direct(true).is_ok();
        Ok(new)
    }

    fn set_direct(&self, on: bool) -> io::Result<()> {
        let flags = fcntl_getfl(self.file.as_fd())?;
        let flags = if on { flags | OFlags::DIRECT } else { flags - OFlags::DIRECT };
        Ok(fcntl_setfl(self.file.as_fd(), flags)?)
    }

    fn through_the_cache(&mut self) -> io::Result<()> {
        self.direct = false;
        self.set_direct(false)
    }

    fn write_out(&mut self) -> io::Result<()> {
        if self.direct && !self.filled.is_multiple_of(ALIGN) {
            self.through_the_cache()?;
        }
        let mut from = self.start;
        let end = self.start + self.filled;
        while from < end {
            match self.file.write(&self.memory[from..end]) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(n) => {
                    from += n;
                    // Cut short, the rest is not aligned any more.
                    if self.direct && from < end && !n.is_multiple_of(ALIGN) {
                        self.through_the_cache()?;
                    }
                }
                Err(e) if e.kind() == io::ErrorKind::Interrupted => {}
                // The flag was taken, but the disk wants another alignment.
                Err(e) if self.direct && e.kind() == io::ErrorKind::InvalidInput => self.through_the_cache()?,
                Err(e) => return Err(e),
            }
        }
        self.filled = 0;
        Ok(())
    }
}

impl Write for DirectFile {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let n = bytes.len().min(BLOCK - self.filled);
        let at = self.start + self.filled;
        self.memory[at..at + n].copy_from_slice(&bytes[..n]);
        self.filled += n;
        if self.filled == BLOCK {
            self.write_out()?;
        }
        Ok(n)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.write_out()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_length_written_in_any_pieces_is_read_back() {
        let dir = tempfile::tempdir_in(env!("CARGO_MANIFEST_DIR")).unwrap();
        for (i, length) in [0, 1, ALIGN, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + ALIGN + 7].into_iter().enumerate() {
            let bytes: Vec<u8> = (0..length).map(|b| (b * 7 + b / 251) as u8).collect();
            let path = dir.path().join(i.to_string());
            let mut file = DirectFile::create_new(&path).unwrap();
            bytes.chunks(100_003).for_each(|piece| file.write_all(piece).unwrap());
            file.flush().unwrap();
            assert!(std::fs::read(&path).unwrap() == bytes, "{length} bytes");
        }
    }
}
