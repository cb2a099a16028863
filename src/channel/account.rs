//! The account that a channel is used with: its secrets, and an access token that is fresh.

use std::sync::Arc;

use crate::{
    error::{Error, Result},
    secret::{Fields, Secret, Secrets},
};

/// Keeps several workers, on as many machines, from refreshing one account's token at once: the second would make the
/// first one's invalid.
pub trait RefreshLock: Send + Sync {
    /// Runs `work` while nobody else does so for this account; waits for its turn.
    fn alone(&self, account: &str, work: &mut dyn FnMut() -> Result<()>) -> Result<()>;
}

/// No lock: for one process that does one thing.
pub struct Unlocked;

impl RefreshLock for Unlocked {
    fn alone(&self, _: &str, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        work()
    }
}

/// An account at a place.
#[derive(Clone)]
pub struct Account {
    /// Its name, under which its secrets are kept.
    pub name: String,
    /// The channel it is used by, as people know it.
    pub channel: String,
    /// Where its secrets are.
    pub secrets: Arc<dyn Secrets>,
    /// Who may refresh its token.
    pub lock: Arc<dyn RefreshLock>,
}

impl Account {
    /// Everything that is kept of it.
    pub fn fields(&self) -> Result<Fields> {
        self.secrets.get(&self.name)
    }

    /// One of its secrets.
    ///
    /// Errors: `Invalid` when there is none, with where it is looked for.
    pub fn secret(&self, field: &str) -> Result<Secret> {
        self.fields()?.remove(field).ok_or_else(|| self.lacks(field))
    }

    fn lacks(&self, field: &str) -> Error {
        Error::invalid(format!("channel '{}': account '{}' has no {field}", self.channel, self.name))
            .hint(format!("it is looked for in {}", self.secrets.place()))
    }
}
