//! How many cores a question may use. One that is alone looks into the pieces of an index side by side. One of several keeps
//! to its own thread, for parts of all of them would only wait for each other; and so do those that come soon after, for where
//! questions meet, more will.

use std::sync::atomic::{AtomicUsize, Ordering};

use rayon::prelude::*;

/// So many questions after two that met keep to their own threads.
const CALM: usize = 100;

/// How many questions are being answered.
#[derive(Default)]
pub(super) struct Running {
    now: AtomicUsize,
    /// How many more keep to their own threads, though they are alone.
    wary: AtomicUsize,
}

/// One of them, until it is dropped.
pub(super) struct Turn<'a> {
    running: &'a Running,
    pub(super) breadth: Breadth,
}

impl Running {
    pub(super) fn begin(&self) -> Turn<'_> {
        let is_alone = self.now.fetch_add(1, Ordering::Relaxed) == 0;
        if !is_alone {
            self.wary.store(CALM, Ordering::Relaxed);
        }
        let is_wary = self.wary.fetch_update(Ordering::Relaxed, Ordering::Relaxed, |left| left.checked_sub(1)).is_ok();
        Turn { running: self, breadth: if is_wary { Breadth::OneByOne } else { Breadth::SideBySide } }
    }
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        self.running.now.fetch_sub(1, Ordering::Relaxed);
    }
}

/// How pieces are looked into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Breadth {
    OneByOne,
    /// As many at a time as there are cores.
    SideBySide,
}

impl Breadth {
    /// What is seen in each piece, in their order.
    pub(super) fn each<P: Sync, T: Send>(
        self,
        pieces: &[P],
        look: impl Fn(usize, &P) -> tantivy::Result<T> + Send + Sync,
    ) -> tantivy::Result<Vec<T>> {
        match self {
            Self::SideBySide if pieces.len() > 1 => pieces.par_iter().enumerate().map(|(n, p)| look(n, p)).collect(),
            _ => pieces.iter().enumerate().map(|(n, p)| look(n, p)).collect(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_who_is_alone_goes_side_by_side() {
        let running = Running::default();
        let first = running.begin();
        assert_eq!(first.breadth, Breadth::SideBySide);
        assert_eq!(running.begin().breadth, Breadth::OneByOne);
        drop(first);
        for _ in 1..CALM {
            assert_eq!(running.begin().breadth, Breadth::OneByOne, "two have met just now");
        }
        assert_eq!(running.begin().breadth, Breadth::SideBySide, "who has ended is not counted");
    }
}
