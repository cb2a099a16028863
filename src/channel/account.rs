//! The account that a channel is used with: its secrets, and an access token that is fresh.

use std::sync::Arc;
#[cfg(feature = "publish")]
use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
};

#[cfg(feature = "publish")]
use crate::error::Kind;
use crate::{
    error::{Error, Result},
    secret::{Fields, Secret, Secrets},
    stop::Stop,
};

/// How long before its end a token is made fresh.
#[cfg(feature = "publish")]
const EARLY: jiff::SignedDuration = jiff::SignedDuration::from_mins(2);

/// One at a time refreshes in this process.
#[cfg(feature = "publish")]
static TURN: Mutex<()> = Mutex::new(());

/// Tokens of accounts whose secrets cannot be written.
#[cfg(feature = "publish")]
static UNKEPT: Mutex<BTreeMap<String, Fields>> = Mutex::new(BTreeMap::new());

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
    /// Ends what is asked of its place within a moment.
    pub stop: Stop,
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

    /// An access token that is good for two minutes at least. It is made fresh once, whoever wants it at that time.
    ///
    /// Errors: `Invalid` when somebody has to log in again.
    #[cfg(feature = "publish")]
    pub fn token(&self) -> Result<Secret> {
        let is_good = |fields: &Fields| {
            let until = fields.get("expires_at").map_or("never", Secret::expose);
            let until = until.parse::<jiff::Timestamp>();
            until.map_or(true, |until| until > jiff::Timestamp::now() + EARLY)
        };
        self.fresh(&is_good)
    }

    /// Another one, after the place has refused this.
    ///
    /// Errors: `Invalid` when somebody has to log in again.
    #[cfg(feature = "publish")]
    pub fn renew(&self, stale: &Secret) -> Result<Secret> {
        self.fresh(&|fields| fields.get("access_token") != Some(stale))
    }

    #[cfg(feature = "publish")]
    fn fresh(&self, is_good: &dyn Fn(&Fields) -> bool) -> Result<Secret> {
        let good = |mut fields: Fields| match fields.contains_key("access_token") && is_good(&fields) {
            true => fields.remove("access_token"),
            false => None,
        };
        let held = self.known()?;
        if let Some(token) = good(held.clone()) {
            return Ok(token);
        }
        if !held.contains_key("provider") && !held.contains_key("refresh_token") {
            // A token that somebody made by hand, and nothing to make another with.
            return held.get("access_token").cloned().ok_or_else(|| self.lacks("access_token"));
        }
        let mut token = None;
        self.lock.alone(&self.name, &mut || {
            // Threads of this process wait here, whatever keeps others out.
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            let held = self.known()?;
            if let Some(fresh) = good(held.clone()) {
                token = Some(fresh);
                return Ok(());
            }
            let new = super::oauth::refresh(self, &held)?;
            token = new.get("access_token").cloned();
            self.keep(&held, new)
        })?;
        token.ok_or_else(|| self.lacks("access_token"))
    }

    /// What is kept, with what this process alone knows.
    #[cfg(feature = "publish")]
    fn known(&self) -> Result<Fields> {
        let mut fields = self.fields()?;
        let unkept = UNKEPT.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = unkept.get(&self.unkept_name()) {
            fields.extend(own.clone());
        }
        Ok(fields)
    }

    #[cfg(feature = "publish")]
    fn unkept_name(&self) -> String {
        format!("{} {}", self.secrets.place(), self.name)
    }

    /// Keeps fresh tokens. The one before may be worth nothing by now, so it is tried more than once.
    #[cfg(feature = "publish")]
    fn keep(&self, held: &Fields, new: Fields) -> Result<()> {
        let mut kept = self.secrets.put(&self.name, &new);
        for _ in 0..4 {
            match &kept {
                Err(e) if e.kind() == Kind::Unavailable => std::thread::sleep(std::time::Duration::from_millis(500)),
                _ => break,
            }
            kept = self.secrets.put(&self.name, &new);
        }
        match kept {
            Err(e) if e.kind() == Kind::Unsupported => {
                let refresh = new.get("refresh_token");
                if refresh.is_some() && refresh != held.get("refresh_token") {
                    return Err(e.within(format!("channel '{}': a new refresh token has come", self.channel)));
                }
                // Good for as long as this process lives.
                UNKEPT.lock().unwrap_or_else(PoisonError::into_inner).insert(self.unkept_name(), new);
                Ok(())
            }
            other => other,
        }
    }

    fn lacks(&self, field: &str) -> Error {
        Error::invalid(format!("channel '{}': account '{}' has no {field}", self.channel, self.name))
            .hint(format!("it is looked for in {}", self.secrets.place()))
    }
}
