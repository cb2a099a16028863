//! `damctl secret`, as it is typed.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub enum SecretCommand {
    /// Keeps a secret of an account: what is typed at a terminal, unseen, or standard input. It is never an argument, which
    /// everybody on this machine could see.
    Set {
        /// The account: the channel's name, or what it gives as 'account'.
        account: String,
        /// user, password, key, passphrase, token, client_id, client_secret, …
        field: String,
    },
    /// Lists accounts and the names of what is kept of each; never what it is.
    List {
        /// Prints a JSON object.
        #[arg(long)]
        json: bool,
    },
    /// Forgets a secret of an account, or all of them.
    Remove {
        /// The account.
        account: String,
        /// Only this one. Default: all.
        field: Option<String>,
    },
    /// Makes the key that opens an encrypted file of secrets. It is never overwritten.
    ///
    /// Whoever has it reads the secrets; without it they are lost: keep a copy where the file is not.
    Key {
        /// Where to. Default: the setting 'secrets_key_file'.
        file: Option<PathBuf>,
    },
}
