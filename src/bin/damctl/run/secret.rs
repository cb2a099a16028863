//! `damctl secret`: what opens the accounts outside.

use std::io::{IsTerminal, Read, Write};

use anyhow::Result;
use damctl::{
    error::{Doing, Error},
    secret::{FileKey, Secret},
};
use rustix::termios::{LocalModes, OptionalActions, tcgetattr, tcsetattr};

use super::{Archive, Verdict, print};
use crate::cli::SecretCommand;

/// More than any key takes.
const MOST: u64 = 1 << 20;

pub fn run(command: &SecretCommand, archive: &Archive) -> Result<Verdict> {
    match command {
        SecretCommand::Set { account, field } => {
            let is_word = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_';
            if field.is_empty() || field.len() > 64 || !field.chars().all(is_word) {
                return Err(Error::invalid(format!("'{field}' is not the name of a secret"))
                    .hint("expected a-z, 0-9 and '_': password, key, access_token, …")
                    .into());
            }
            damctl::secret::check_account(account)?;
            let secrets = archive.settings.secrets()?;
            let value = ask(&format!("{field} of {account}: "))?;
            if value.expose().is_empty() {
                return Err(Error::invalid("nothing was given: nothing is kept").into());
            }
            secrets.put(account, &[(field.clone(), value)].into())?;
            print(format_args!("{field} of {account} is kept in {}", secrets.place()));
        }
        SecretCommand::List { json } => {
            let secrets = archive.settings.secrets()?;
            let all = secrets.names()?;
            if *json {
                print(serde_json::to_string(&all)?);
            } else {
                all.iter().for_each(|(account, fields)| print(format_args!("{account:<24} {}", fields.join(", "))));
            }
        }
        SecretCommand::Remove { account, field } => {
            let secrets = archive.settings.secrets()?;
            if !secrets.remove(account, field.as_deref())? {
                let what = field.as_ref().map_or_else(|| account.clone(), |field| format!("{field} of {account}"));
                return Err(Error::not_found(format!("{what} is not kept in {}", secrets.place())).into());
            }
            print(format_args!("removed from {}", secrets.place()));
        }
        SecretCommand::Key { file } => {
            let file = file.clone().map_or_else(|| archive.settings.secrets_key_file(), Ok)?;
            FileKey::make()?.write(&file)?;
            print(file.display());
        }
    }
    Ok(Verdict::Done)
}

/// What is typed unseen, or what standard input holds.
fn ask(prompt: &str) -> Result<Secret> {
    let stdin = std::io::stdin();
    let mut text = String::new();
    if !stdin.is_terminal() {
        stdin.take(MOST).read_to_string(&mut text).doing(|| "cannot read the secret from standard input")?;
        // A line ends; a key is several.
        let line = text.trim_end_matches(['\n', '\r']);
        return Ok(Secret::new(if line.contains('\n') { text.as_str() } else { line }));
    }
    let mut err = std::io::stderr();
    err.write_all(prompt.as_bytes()).and_then(|()| err.flush()).doing(|| "cannot ask")?;
    let before = tcgetattr(&stdin).doing(|| "cannot ask")?;
    let mut unseen = before.clone();
    unseen.local_modes.remove(LocalModes::ECHO);
    tcsetattr(&stdin, OptionalActions::Flush, &unseen).doing(|| "cannot ask")?;
    let read = stdin.read_line(&mut text);
    tcsetattr(&stdin, OptionalActions::Now, &before).doing(|| "cannot ask")?;
    err.write_all(b"\n").ok();
    read.doing(|| "cannot read what was typed")?;
    Ok(Secret::new(text.trim_end_matches(['\n', '\r'])))
}
