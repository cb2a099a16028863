//! The index as it lies in its folder: opened once, and looked at again when something has been written to it.

use std::{
    fs,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU32, Ordering},
    },
};

use tantivy::{IndexReader, ReloadPolicy, Searcher as Pieces};

use super::{
    directory,
    facets::Values,
    failed,
    folder::{self, IndexId, shard_path},
    hours::{Barred, Hours},
    join::Assets,
    near::Blocks,
    pieces::PerPiece,
    schema::analyzed,
    vectors::Vectors,
};
use crate::error::Result;

/// Every so many questions the files are held against the lengths that they were opened with.
const LOOK: u32 = 16;

/// The index as it is at one moment.
pub(super) struct View {
    pub(super) shards: Vec<Pieces>,
    pub(super) assets: Assets,
    pub(super) values: Values,
    pub(super) blocks: Blocks,
    pub(super) hours: PerPiece<Hours>,
    pub(super) barred: Barred,
    /// The files of vectors of each shard.
    pub(super) vectors: Vec<Vec<Vectors>>,
    pub(super) id: String,
}

/// Opens the current index of a folder, whichever that is at the time.
pub(super) struct Folder {
    dir: PathBuf,
    open: Mutex<Option<Opened>>,
    asked: AtomicU32,
}

struct Opened {
    id: IndexId,
    readers: Vec<IndexReader>,
    view: Arc<View>,
    /// The files that name the index and its pieces, as they were before it was opened.
    named: Vec<Option<Stamp>>,
    /// The files of its pieces, with their lengths in bytes.
    files: Vec<(PathBuf, u64)>,
}

/// What a file that is replaced as a whole cannot keep: inode, time of change in seconds and nanoseconds, length.
type Stamp = (u64, i64, i64, u64);

fn stamp(path: &Path) -> Option<Stamp> {
    fs::metadata(path).ok().map(|m| (m.ino(), m.mtime(), m.mtime_nsec(), m.len()))
}

impl Folder {
    pub(super) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), open: Mutex::default(), asked: AtomicU32::new(0) }
    }

    /// The index as it is now. As long as nothing was written, nothing is opened.
    pub(super) fn view(&self) -> Result<Arc<View>> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(opened) = &*open {
            let is_due = self.asked.fetch_add(1, Ordering::Relaxed).is_multiple_of(LOOK);
            if self.named(&opened.id) == opened.named && !(is_due && opened.is_cut_short()) {
                return Ok(opened.view.clone());
            }
        }
        // What cannot be opened now is not to be answered from any more.
        let before = open.take();
        let opened = open.insert(self.opened(before)?);
        Ok(opened.view.clone())
    }

    fn named(&self, id: &IndexId) -> Vec<Option<Stamp>> {
        let shards = (0..id.shards).map(|shard| shard_path(&self.dir, &id.id, shard).join("meta.json"));
        std::iter::once(self.dir.join("current.json")).chain(shards).map(|path| stamp(&path)).collect()
    }

    fn opened(&self, before: Option<Opened>) -> Result<Opened> {
        let id = folder::existing(&self.dir)?;
        let named = self.named(&id);
        let (readers, assets, values, blocks, hours) = match before {
            // Its files are open already: only what is new is opened.
            Some(before) if before.id == id && !before.is_cut_short() => {
                before.readers.iter().try_for_each(IndexReader::reload).map_err(failed("cannot read the index"))?;
                let View { assets, values, blocks, hours, .. } = &*before.view;
                (before.readers, assets.clone(), values.clone(), blocks.clone(), hours.clone())
            }
            _ => {
                let readers = (0..id.shards).map(|n| self.reader(&id, n)).collect::<Result<_>>()?;
                (readers, Assets::default(), Values::default(), Blocks::default(), PerPiece::default())
            }
        };
        let shards: Vec<Pieces> = readers.iter().map(IndexReader::searcher).collect();
        let mut files = Vec::new();
        for (n, shard) in (0..id.shards).zip(&shards) {
            let pieces = shard.index().load_metas().map_err(failed("cannot read the index"))?;
            for file in pieces.list_segment_files() {
                let path = shard_path(&self.dir, &id.id, n).join(file);
                // A piece without deletions has no file of them.
                files.extend(fs::metadata(&path).ok().map(|m| (path, m.len())));
            }
        }
        // After the pieces, for these lead to vectors that were written before them.
        let vectors = (0..id.shards).map(|n| Vectors::open(&shard_path(&self.dir, &id.id, n)));
        let vectors = vectors.collect::<Result<Vec<_>>>()?;
        files.extend(vectors.iter().flatten().map(|file| (file.path.clone(), file.bytes())));
        let pieces: Vec<_> = shards.iter().flat_map(Pieces::segment_readers).collect();
        assets.keep(&pieces);
        values.keep(&pieces);
        blocks.keep(&pieces);
        hours.keep(&pieces);
        let barred = Barred::default();
        let view = Arc::new(View { shards, assets, values, blocks, hours, barred, vectors, id: id.id.clone() });
        Ok(Opened { id, readers, view, named, files })
    }

    fn reader(&self, id: &IndexId, shard: u32) -> Result<IndexReader> {
        let index = directory::open(&shard_path(&self.dir, &id.id, shard)).map_err(failed("cannot open the index"))?;
        let reader = analyzed(index).reader_builder().reload_policy(ReloadPolicy::Manual).try_into();
        reader.map_err(failed("cannot read the index"))
    }
}

impl Opened {
    /// Whether a file has lost its end since. To read what is not there any more would end the process.
    fn is_cut_short(&self) -> bool {
        self.files.iter().any(|(path, bytes)| fs::metadata(path).is_ok_and(|now| now.len() < *bytes))
    }
}
