//! Secrets in the environment: `DAMCTL_SECRET_PLAYOUT_A_PASSWORD` is the password of `playout-a`.

use std::collections::BTreeMap;

use super::{Fields, Secret, Secrets, check_account};
use crate::error::{Error, Result};

/// Every variable begins so.
const PREFIX: &str = "DAMCTL_SECRET_";

/// The process's environment. Only read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Environment;

/// The name of a field that variables may hold; they are told apart from account names by these.
const FIELDS: [&str; 12] = [
    "user",
    "password",
    "key",
    "passphrase",
    "token",
    "client_id",
    "client_secret",
    "access_token",
    "refresh_token",
    "expires_at",
    "provider",
    "token_url",
];

impl Secrets for Environment {
    fn get(&self, account: &str) -> Result<Fields> {
        check_account(account)?;
        let stem = format!("{PREFIX}{}_", account.to_ascii_uppercase().replace('-', "_"));
        let field = |name: &str| {
            let value = std::env::var(format!("{stem}{}", name.to_ascii_uppercase())).ok().filter(|v| !v.is_empty())?;
            Some((name.to_owned(), Secret::new(value)))
        };
        Ok(FIELDS.into_iter().filter_map(field).collect())
    }

    fn put(&self, account: &str, _: &Fields) -> Result<()> {
        Err(Error::unsupported(format!("what '{account}' was given cannot be kept in the environment"))
            .hint("set 'secrets' to an encrypted file or to Vault: docs/publish.md tells how"))
    }

    fn names(&self) -> Result<BTreeMap<String, Vec<String>>> {
        let mut all: BTreeMap<String, Vec<String>> = BTreeMap::new();
        for (name, _) in std::env::vars_os() {
            let Some(name) = name.to_str().and_then(|name| name.strip_prefix(PREFIX)) else { continue };
            // The longest: `A_ACCESS_TOKEN` is no `token` of `a_access`.
            let ends = FIELDS.into_iter().filter_map(|field| {
                let account = name.strip_suffix(&field.to_ascii_uppercase())?.strip_suffix('_')?;
                (!account.is_empty()).then_some((account, field))
            });
            if let Some((account, field)) = ends.max_by_key(|(_, field)| field.len()) {
                all.entry(account.to_ascii_lowercase()).or_default().push(field.to_owned());
            }
        }
        Ok(all)
    }

    fn place(&self) -> String {
        format!("the environment ({PREFIX}…)")
    }
}
