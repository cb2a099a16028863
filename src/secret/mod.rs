//! Passwords, keys and tokens of accounts, wherever they are kept: the environment, an encrypted file, Vault.
//!
//! A secret is never printed: [`Secret`] shows itself as `…`, is wiped when it is dropped, and leaves its wrapper only
//! through [`Secret::expose`], where it is used.

use std::{collections::BTreeMap, fmt};

use zeroize::Zeroizing;

use crate::error::{Error, Result};

mod env;
mod file;
mod sign;
#[cfg(feature = "vault")]
mod vault;

pub use env::Environment;
pub use file::{FileKey, SecretFile};
pub use sign::{webhook_key, webhook_signature};
#[cfg(feature = "vault")]
pub use vault::{Vault, VaultAuth, VaultConfig};

/// A text that nobody is to read.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secret(Zeroizing<String>);

impl Secret {
    /// Wraps a text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Zeroizing::new(text.into()))
    }

    /// The text, for where it is used and nowhere else.
    pub fn expose(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("…")
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text)
    }
}

/// What is kept of one account: `password`, `access_token`, `refresh_token`, `client_id`, …
pub type Fields = BTreeMap<String, Secret>;

/// A place where secrets are kept. Every method may be called from many threads.
///
/// Account names are `a-z 0-9 _ -`, as channels' are.
pub trait Secrets: Send + Sync {
    /// What is kept of an account; empty when nothing is.
    ///
    /// Errors: `Unavailable` when the place cannot be reached now, `Invalid` when it cannot be opened with what it was
    /// given.
    fn get(&self, account: &str) -> Result<Fields>;

    /// Keeps these fields of an account beside those that it has; a field of the same name is replaced. Durable when it
    /// returns. Without fields nothing is written, and it tells whether something could be.
    ///
    /// Errors: `Unsupported` for a place that is only read.
    fn put(&self, account: &str, fields: &Fields) -> Result<()>;

    /// The accounts of which something is kept, and the names of it.
    ///
    /// Errors: `Unsupported` for a place that cannot be listed.
    fn names(&self) -> Result<BTreeMap<String, Vec<String>>> {
        Err(Error::unsupported(format!("{} cannot be listed", self.place())))
    }

    /// Forgets one field of an account, or all of it; `false` when nothing was kept. Durable when it returns.
    ///
    /// Errors: `Unsupported` for a place that is only read.
    fn remove(&self, account: &str, _field: Option<&str>) -> Result<bool> {
        Err(Error::unsupported(format!("what '{account}' has cannot be removed from {}", self.place())))
    }

    /// Where that is, for people.
    fn place(&self) -> String;
}

/// Refuses a name that could be read as something else in a path or a variable.
pub fn check_account(name: &str) -> Result<()> {
    let is_plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '_');
    match !name.is_empty() && name.len() <= 64 && name.chars().all(is_plain) {
        true => Ok(()),
        false => Err(Error::invalid(format!("'{name}' is not the name of an account"))
            .hint("expected a-z, 0-9, '-' and '_', 64 characters at most")),
    }
}
