//! How a run is asked to stop: a flag that is passed in, never a global.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use crate::error::{Error, Result};

/// A stop request. Clones share it; a [`child`](Stop::child) also sees its parent's, so one attempt can be stopped
/// (its lease is gone) without stopping the run, and stopping the run stops every attempt.
#[derive(Clone, Debug, Default)]
pub struct Stop {
    own: Arc<AtomicBool>,
    parent: Option<Arc<Stop>>,
}

impl Stop {
    /// One that nobody has tripped.
    pub fn new() -> Self {
        Self::default()
    }

    /// A request of its own that also sees this one.
    pub fn child(&self) -> Self {
        Self { own: Arc::default(), parent: Some(Arc::new(self.clone())) }
    }

    /// Asks to stop.
    pub fn trip(&self) {
        self.own.store(true, Ordering::SeqCst);
    }

    /// Whether somebody asked.
    pub fn is_tripped(&self) -> bool {
        self.own.load(Ordering::SeqCst) || self.parent.as_ref().is_some_and(|p| p.is_tripped())
    }

    /// An error of [`Kind::Stopped`](crate::error::Kind::Stopped) once somebody asked.
    pub fn check(&self) -> Result<()> {
        if self.is_tripped() { Err(Error::stopped()) } else { Ok(()) }
    }

    /// The flag itself, for a signal handler to set.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.own.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_child_sees_its_parent_but_not_the_other_way_round() {
        let parent = Stop::new();
        let (a, b) = (parent.child(), parent.child());
        a.trip();
        assert!(a.is_tripped() && !b.is_tripped() && !parent.is_tripped());
        parent.trip();
        assert!(b.check().is_err());
    }
}
