//! Secrets in the environment: `DAMCTL_SECRET_PLAYOUT_A_PASSWORD` is the password of `playout-a`.

use super::{Fields, Secret, Secrets, check_account};
use crate::error::{Error, Result};

/// Every variable begins so.
const PREFIX: &str = "DAMCTL_SECRET_";

/// The process's environment. Only read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment;

/// The name of a field that variables may hold; they are told apart from account names by these.
const FIELDS: [&str; 9] =
    ["user", "password", "key", "passphrase", "token", "client_id", "client_secret", "access_token", "refresh_token"];

impl Secrets for Environment {
    fn get(&self, account: &str) -> Result<Fields> {
        check_account(account)?;
        let stem = format!("{PREFIX}{}_", account.to_ascii_uppercase().replace('-', "_"));
        let field = |name: &str| {
            let value = std::env::var(format!("{stem}{}", name.to_ascii_uppercase())).ok()?;
            Some((name.to_owned(), Secret::new(value)))
        };
        Ok(FIELDS.into_iter().filter_map(field).collect())
    }

    fn put(&self, account: &str, _: &Fields) -> Result<()> {
        Err(Error::unsupported(format!("what '{account}' was given cannot be kept in the environment"))
            .hint("set 'secrets' to an encrypted file or to Vault: docs/publish.md tells how"))
    }

    fn place(&self) -> String {
        format!("the environment ({PREFIX}…)")
    }
}
