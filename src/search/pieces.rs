//! What is worked out once for each piece of an index: a piece never changes, but for what is removed from it.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use tantivy::{SegmentReader, index::SegmentId};

/// Something of each piece.
#[derive(Debug)]
pub(super) struct PerPiece<T>(Arc<Mutex<HashMap<SegmentId, Arc<T>>>>);

impl<T> Default for PerPiece<T> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<T> Clone for PerPiece<T> {
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
        let known =
            |all: &Self| all.0.lock().unwrap_or_else(PoisonError::into_inner).get(&reader.segment_id()).cloned();
        if let Some(known) = known(self) {
            return Ok(known);
        }
        // Whoever asks meanwhile is not kept waiting, and makes it as well. Of a piece that is not part of the index any more it
        // is kept until the index changes for the next time, and no longer.
        let made = Arc::new(make()?);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(reader.segment_id(), made.clone());
        Ok(made)
    }

    /// Forgets pieces that are not part of the index any more.
    pub(super) fn keep(&self, pieces: &[&SegmentReader]) {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.retain(|id, _| pieces.iter().any(|reader| reader.segment_id() == *id));
    }
}
