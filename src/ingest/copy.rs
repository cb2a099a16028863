//! The one read of a file's bytes: it feeds the digest and the store at the same time.

use std::{
    collections::VecDeque,
    fs::File,
    io::{ErrorKind, Read, Write},
    num::NonZeroU64,
    ops::Range,
    os::unix::fs::FileExt,
    sync::{Arc, mpsc::sync_channel},
};

use rustix::fs::{Advice, fadvise};

use crate::{
    digest::{Digest, FINGERPRINT, Hasher, fingerprint},
    error::{Doing, Error, Result},
    stop::Stop,
};

/// Bytes read at a time. Blocks in flight of one file: at most twice [`IN_FLIGHT`] and a few.
const BLOCK: usize = 1 << 20;
const IN_FLIGHT: usize = 6;
/// A file larger than this is looked at for being a copy before it is read.
pub(super) const SUSPECT: u64 = 1 << 20;
/// Up to this size a second thread costs more than it saves.
const SMALL: u64 = 2 << 20;

/// What one read of a file told.
pub(super) struct Copied {
    pub(super) digest: Digest,
    pub(super) bytes: u64,
    /// Its first [`FINGERPRINT`] bytes.
    pub(super) head: Vec<u8>,
    /// None where it would cost as much as it saves.
    pub(super) fingerprint: Option<Digest>,
}

/// The end of what has passed, as far as a fingerprint needs it.
#[derive(Default)]
pub(super) struct Tail(Vec<u8>);

impl Tail {
    pub(super) fn push(&mut self, bytes: &[u8]) {
        let new = &bytes[bytes.len().saturating_sub(FINGERPRINT)..];
        let over = (self.0.len() + new.len()).saturating_sub(FINGERPRINT);
        self.0.drain(..over);
        self.0.extend_from_slice(new);
    }

    /// Whether it holds as much as a fingerprint takes of a file of this size.
    pub(super) fn is_whole(&self, size: u64) -> bool {
        self.0.len() as u64 == size.min(FINGERPRINT as u64)
    }

    pub(super) fn fingerprint(&self, size: u64, head: &[u8]) -> Digest {
        fingerprint(size, head, &self.0)
    }
}

/// Why a copy ended early: the source's fault or the store's. They have different consequences.
pub(super) enum Failed {
    Reading(std::io::Error),
    Writing(Error),
}

/// Copies `source` to `sink`, hashing what passes. `tick` hears of every block.
pub(super) fn copy(
    source: &mut File,
    size: u64,
    sink: &mut (dyn Write + Send),
    buffer: &mut Vec<u8>,
    stop: &Stop,
    tick: &dyn Fn(u64) -> Result<()>,
) -> Result<Copied, Failed> {
    if size <= SMALL {
        return small(source, size, sink, buffer, tick);
    }
    fadvise(&*source, 0, None, Advice::Sequential).ok();
    let (mut head, mut tail) = (Vec::new(), Tail::default());
    let mut bytes = 0;
    let digest = std::thread::scope(|scope| {
        let (to_hash, blocks) = sync_channel::<Arc<Vec<u8>>>(IN_FLIGHT);
        let hashing = scope.spawn(move || {
            let mut hasher = Hasher::new();
            blocks.iter().for_each(|block| hasher.update(&block));
            hasher.finish()
        });
        let (to_store, blocks) = sync_channel::<Arc<Vec<u8>>>(IN_FLIGHT);
        let writing = scope.spawn(move || {
            blocks.iter().try_for_each(|block| sink.write_all(&block))?;
            sink.flush()
        });
        // Blocks are used again once both are through with them.
        let mut used: VecDeque<Arc<Vec<u8>>> = VecDeque::new();
        loop {
            stop.check().map_err(Failed::Writing)?;
            let spare = used.front().is_some_and(|b| Arc::strong_count(b) == 1).then(|| used.pop_front()).flatten();
            let mut block = spare.and_then(|b| Arc::try_unwrap(b).ok()).unwrap_or_default();
            block.resize(BLOCK, 0);
            let n = read_full(source, &mut block).map_err(Failed::Reading)?;
            block.truncate(n);
            if n == 0 {
                break;
            }
            if head.is_empty() {
                head = block[..n.min(FINGERPRINT)].to_vec();
            }
            tail.push(&block[..n]);
            let block = Arc::new(block);
            // The hash ends only when this end of the channel is closed; the writer also when it fails.
            to_hash.send(block.clone()).ok();
            if to_store.send(block.clone()).is_err() {
                break;
            }
            // It was read once and will not be again: others need the memory more.
            fadvise(&*source, bytes, NonZeroU64::new(n as u64), Advice::DontNeed).ok();
            bytes += n as u64;
            tick(n as u64).map_err(Failed::Writing)?;
            used.push_back(block);
        }
        drop((to_hash, to_store));
        let panicked = |what| Failed::Writing(Error::internal(format!("the {what} panicked")));
        let written = writing.join().map_err(|_| panicked("writer"))?;
        written.doing(|| "cannot write to the store").map_err(Failed::Writing)?;
        hashing.join().map_err(|_| panicked("hash"))
    })?;
    let fingerprint = Some(tail.fingerprint(bytes, &head));
    Ok(Copied { digest, bytes, head, fingerprint })
}

fn small(
    source: &mut File,
    size: u64,
    sink: &mut dyn Write,
    buffer: &mut Vec<u8>,
    tick: &dyn Fn(u64) -> Result<()>,
) -> Result<Copied, Failed> {
    // One byte more than expected, so that growth shows.
    buffer.resize(size as usize + 1, 0);
    let n = read_full(source, buffer).map_err(Failed::Reading)?;
    let bytes = &buffer[..n];
    sink.write_all(bytes).and_then(|()| sink.flush()).doing(|| "cannot write to the store").map_err(Failed::Writing)?;
    tick(n as u64).map_err(Failed::Writing)?;
    let head = bytes[..n.min(FINGERPRINT)].to_vec();
    let fingerprint = (size > SUSPECT).then(|| fingerprint(n as u64, &head, bytes));
    Ok(Copied { digest: Digest::of(bytes), bytes: n as u64, head, fingerprint })
}

/// Hashes a file without keeping it anywhere.
pub(super) fn hash(source: &mut File, tick: &dyn Fn(u64) -> Result<()>) -> Result<Digest, Failed> {
    let mut hasher = Hasher::new();
    let mut block = vec![0; BLOCK];
    loop {
        let n = read_full(source, &mut block).map_err(Failed::Reading)?;
        if n == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&block[..n]);
        tick(n as u64).map_err(Failed::Writing)?;
    }
}

/// The fingerprint of a file, by reading its head and tail only.
pub(super) fn look(source: &File, size: u64) -> std::io::Result<Digest> {
    let part = FINGERPRINT.min(size as usize);
    let (mut head, mut tail) = (vec![0; part], vec![0; part]);
    source.read_exact_at(&mut head, 0)?;
    source.read_exact_at(&mut tail, size - part as u64)?;
    Ok(fingerprint(size, &head, &tail))
}

/// Bytes of a probe for what cannot be read, and the most places that are listed.
const PROBE: u64 = 64 << 10;
const LISTED: usize = 64;

/// The ranges of a file that cannot be read, found by trying all of it in small steps.
pub(super) fn unreadable_ranges(source: &File, size: u64, stop: &Stop) -> Result<Vec<Range<u64>>> {
    let mut ranges: Vec<Range<u64>> = Vec::new();
    let mut block = vec![0; PROBE as usize];
    let mut at = 0;
    while at < size && ranges.len() <= LISTED {
        stop.check()?;
        let end = (at + PROBE).min(size);
        if source.read_exact_at(&mut block[..(end - at) as usize], at).is_err() {
            match ranges.last_mut() {
                Some(last) if last.end == at => last.end = end,
                _ => ranges.push(at..end),
            }
        }
        at = end;
    }
    Ok(ranges)
}

/// Reads until the block is full or the file ends.
pub(super) fn read_full(source: &mut File, block: &mut [u8]) -> std::io::Result<usize> {
    let mut filled = 0;
    while filled < block.len() {
        match source.read(&mut block[filled..]) {
            Ok(0) => break,
            Ok(n) => filled += n,
            Err(e) if e.kind() == ErrorKind::Interrupted => {}
            Err(e) => return Err(e),
        }
    }
    Ok(filled)
}
