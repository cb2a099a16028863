//! Renditions to channels: each once, with the place's confirmation.
//!
//! [`propose`] says what is wanted of what asset and what stands in its way; [`wanted`] makes jobs of what is planned and
//! due; [`Publish`] does them. Before a byte is sent, the rendition and its words are held against what the place takes and
//! what the asset's rights allow. What comes back is kept; when a reply was lost, the place is asked before anything is
//! sent again.

use std::{
    collections::HashMap,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use serde::{Deserialize, Serialize};

use crate::{
    catalog::{Catalog, Wanted},
    channel::{Account, RefreshLock, Standing},
    error::Result,
    model::{Publication, PublicationId, PublicationState, Rate, Stage},
    profile::channels::{Channels, Outlet},
    secret::Secrets,
    stop::Stop,
    store::Store,
};

mod captions;
mod package;
mod plan;
mod preflight;
mod run;
mod words;

pub use plan::{Proposed, Refused, Request, by_rules, expired, order, propose};

/// What is planned and drained together: everything that is due.
pub const SCOPE: &str = "publications";

/// The stage.
pub struct Publish<'a> {
    /// What is known.
    pub catalog: &'a Catalog,
    /// Where renditions are.
    pub store: &'a dyn Store,
    /// Where things are published.
    pub channels: &'a Channels,
    /// The folder of `channels.yaml`, which templates are looked for in.
    pub dir: &'a Path,
    /// What opens accounts.
    pub secrets: Arc<dyn Secrets>,
    /// How much of one account may be on its way at once.
    pub at_once: i64,
    /// After how long (ms) of failures a publication is given up.
    pub patience: i64,
    /// Accounts whose places have been asked, and what they said.
    pub standing: Mutex<HashMap<String, Standing>>,
}

/// What an account's uploads are bounded to, as its place asks of all.
pub const AT_ONCE: i64 = 3;

/// How long (ms) failures are borne.
pub const PATIENCE: i64 = 24 * 3_600_000;

impl<'a> Publish<'a> {
    /// The stage, with the usual bounds.
    pub fn new(
        catalog: &'a Catalog,
        store: &'a dyn Store,
        channels: &'a Channels,
        dir: &'a Path,
        secrets: Arc<dyn Secrets>,
    ) -> Self {
        let standing = Mutex::default();
        Self { catalog, store, channels, dir, secrets, at_once: AT_ONCE, patience: PATIENCE, standing }
    }

    /// The account that a channel is used with, until somebody asks to stop.
    pub fn account(&self, name: &str, outlet: &Outlet, stop: &Stop) -> Account {
        // Places that share an account share its token.
        let held = format!("account/{}", outlet.account(name));
        let lock = Lock { catalog: self.catalog.clone(), outlet: held, stop: stop.clone() };
        Account {
            name: outlet.account(name).to_owned(),
            channel: name.to_owned(),
            secrets: self.secrets.clone(),
            lock: Arc::new(lock),
            stop: stop.clone(),
        }
    }
}

/// Whether all templates of all channels can be filled; `dir` is where their file lies.
///
/// Errors: `Invalid`, with the channel and the template.
pub fn check(channels: &Channels, dir: &Path) -> Result<()> {
    let sample = words::Filled::sample();
    let each = |(name, outlet): (&String, &Outlet)| {
        sample.check(outlet, dir).map_err(|e| e.within(format!("channel '{name}'")))
    };
    channels.channels.iter().try_for_each(each)
}

/// The kind of place and the account there: what limits hold for together.
pub fn outlet_name(name: &str, outlet: &Outlet) -> String {
    format!("{}/{}", outlet.to.kind(), outlet.account(name))
}

/// How often an account may publish: as the channel says, else as its kind of place does.
pub fn rates(outlet: &Outlet) -> Result<Vec<Rate>> {
    match &outlet.rates {
        Some(own) => Ok(own.clone()),
        None => Ok(crate::channel::limits(&outlet.to)?.rates.clone()),
    }
}

/// The instructions of a job.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Task {
    publication: PublicationId,
    what: What,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
enum What {
    Send,
    Retract,
}

impl What {
    fn as_str(self) -> &'static str {
        match self {
            What::Send => "send",
            What::Retract => "retract",
        }
    }
}

fn job(p: &Publication, what: What) -> Result<Wanted> {
    let task = serde_json::to_value(Task { publication: p.id, what })
        .map_err(|e| crate::error::Error::internal("a job that cannot be written").because(e))?;
    Ok(Wanted {
        stage: Stage::Publish,
        scope: SCOPE.to_owned(),
        subject: format!("{} of {} to {}", p.entry, p.asset, p.channel),
        recipe: format!("{} {}", p.id, what.as_str()),
        task,
        priority: 0,
    })
}

/// The jobs of publications whose time comes before `until` (ms).
pub fn wanted(catalog: &Catalog, until: i64) -> Result<Vec<Wanted>> {
    catalog.due_publications(until)?.iter().map(|p| job(p, What::Send)).collect()
}

/// The job that asks what became of a publication of which a reply was lost.
pub fn reconcile(p: &Publication) -> Result<Wanted> {
    job(p, What::Send)
}

/// The job that takes a publication back.
///
/// Errors: `Invalid` for one that is not published.
pub fn retract(p: &Publication) -> Result<Wanted> {
    match p.state {
        PublicationState::Published => job(p, What::Retract),
        other => Err(crate::error::Error::invalid(format!("it is {other}: only what is published is taken back"))),
    }
}

/// One worker at a time refreshes an account's token, on however many machines.
struct Lock {
    catalog: Catalog,
    outlet: String,
    stop: Stop,
}

impl RefreshLock for Lock {
    fn alone(&self, _: &str, work: &mut dyn FnMut() -> Result<()>) -> Result<()> {
        let me = uuid::Uuid::now_v7().to_string();
        while !self.catalog.take_refresh(&self.outlet, &me)? {
            self.stop.check()?;
            std::thread::sleep(Duration::from_millis(50));
        }
        let outcome = work();
        self.catalog.end_refresh(&self.outlet, &me)?;
        outcome
    }
}

/// A path of the archive's own files, from the folder of `channels.yaml`.
fn beside(dir: &Path, path: &Path) -> PathBuf {
    if path.is_absolute() { path.to_owned() } else { dir.join(path) }
}
