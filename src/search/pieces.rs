//! What is worked out once for each piece of an index: a piece never changes, but for what is removed from it.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use tantivy::{SegmentReader, index::SegmentId};

/// Something of each piece, or by a key something of each of its parts. None while it is made for [`PerPiece::at_hand`].
type Known<T, K> = HashMap<(SegmentId, K), Option<Arc<T>>>;

/// Something of each piece.
#[derive(Debug)]
pub(super) struct PerPiece<T, K = ()>(Arc<Mutex<Known<T, K>>>);

impl<T, K> Default for PerPiece<T, K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T, K> Clone for PerPiece<T, K> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T> PerPiece<T> {
    /// That of a piece, which is made where it is not known.
    pub(super) fn of(
        &self,
        reader: &SegmentReader,
        make: impl FnOnce() -> tantivy::Result<T>,
    ) -> tantivy::Result<Arc<T>> {
        self.of_part(reader, (), make)
    }
}

impl<T, K: Eq + Hash> PerPiece<T, K> {
    /// That of a part of a piece, which is made where it is not known.
    pub(super) fn of_part(
        &self,
        reader: &SegmentReader,
        part: K,
        make: impl FnOnce() -> tantivy::Result<T>,
    ) -> tantivy::Result<Arc<T>> {
        let key = (reader.segment_id(), part);
        let known = self.known().get(&key).cloned().flatten();
        if let Some(known) = known {
            return Ok(known);
        }
        // Whoever asks meanwhile is not kept waiting, and makes it as well. Of a piece that is not part of the index any more it
        // is kept until the index changes for the next time, and no longer.
        let made = Arc::new(make()?);
        self.known().insert(key, Some(made.clone()));
        Ok(made)
    }

    /// The same of what takes long to make, and is not needed: none while somebody else makes it, which whoever comes
    /// meanwhile is neither to wait for nor to do as well.
    pub(super) fn at_hand(&self, reader: &SegmentReader, part: K, make: impl FnOnce() -> T) -> Option<Arc<T>>
    where
        K: Clone,
    {
        let key = (reader.segment_id(), part);
        match self.known().entry(key.clone()) {
            Entry::Occupied(known) => return known.get().clone(),
            Entry::Vacant(new) => new.insert(None),
        };
        let made = Arc::new(make());
        self.known().insert(key, Some(made.clone()));
        Some(made)
    }

    /// Forgets pieces that are not part of the index any more.
    pub(super) fn keep(&self, pieces: &[&SegmentReader]) {
        self.known().retain(|(id, _), _| pieces.iter().any(|reader| reader.segment_id() == *id));
    }

    fn known(&self) -> MutexGuard<'_, Known<T, K>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
