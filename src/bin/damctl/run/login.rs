//! `damctl channel login`: somebody lets damctl into an account.

use std::sync::Arc;

use anyhow::Result;
use damctl::{
    channel::{
        Account, Unlocked,
        oauth::{Login, provider_of},
    },
    profile::channels::Channels,
    secret::Fields,
    stop::Stop,
};

use super::{Archive, Verdict, print};

pub fn run(name: &str, device: bool, port: u16, archive: &Archive, stop: &Stop) -> Result<Verdict> {
    let channels = Channels::read(&archive.settings.path("channels"))?;
    let outlet = channels.get(name)?;
    let (word, provider, scopes) = provider_of(&outlet.to)?;
    let secrets = archive.settings.secrets()?;
    let account = outlet.account(name).to_owned();
    // Before anybody has taken the trouble.
    secrets.put(&account, &Fields::new())?;
    let account =
        Account { name: account, channel: name.to_owned(), secrets, lock: Arc::new(Unlocked), stop: stop.clone() };
    let login = Login { word, provider, scopes, account: &account, port, stop };
    match device {
        true => login.by_device(&mut |address, code| {
            print(format_args!("open {address} on any machine, and type {code}"));
        })?,
        false => login.by_browser(&mut |address| {
            print(format_args!("open this address in a browser on this machine:\n\n{address}\n"));
        })?,
    }
    print(format_args!("{name}: {} has let damctl in; the tokens are in {}", provider.name, account.secrets.place()));
    Ok(Verdict::Done)
}
