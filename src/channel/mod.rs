//! Places outside to which things are published. [`Channel`] is the seam: one connector for each kind of place. What is
//! sent comes straight from the store, in pieces; nothing is copied to a disk first, and a connector holds one piece at a
//! time (or, where a protocol wants several on their way, a few).
//!
//! A reply can always be lost. So before a connector asks for something that must not be done twice, it has its
//! [session](Way::keep) written down, and says that it is about to ask ([`Way::posting`]). Whoever comes next, after a crash
//! or a network failure, asks the place first what became of it ([`Channel::find`]), and sends only what is not there.

use std::{io::Read, ops::Range, path::Path, time::Duration};

use serde_json::Value;

use crate::{
    digest::Digest,
    error::{Error, Result},
    model::{Key, MediaFacts, Receipt, Words, job::Failure},
    profile::channels::Outlet,
};

mod account;
#[cfg(feature = "s3")]
mod bucket;
mod delivery;
#[cfg(any(feature = "sftp", feature = "ftp"))]
mod drop;
#[cfg(feature = "publish")]
mod facebook;
#[cfg(feature = "ftp")]
mod ftp;
#[cfg(feature = "publish")]
mod google;
#[cfg(feature = "publish")]
mod google_drive;
#[cfg(feature = "publish")]
mod hook;
#[cfg(feature = "publish")]
mod http;
#[cfg(feature = "publish")]
mod instagram;
mod limits;
#[cfg(feature = "publish")]
mod meta;
mod names;
#[cfg(feature = "publish")]
pub mod oauth;
#[cfg(feature = "publish")]
mod put;
#[cfg(feature = "sftp")]
mod sftp;
#[cfg(feature = "publish")]
mod tiktok;
#[cfg(feature = "publish")]
mod wordpress;
#[cfg(feature = "publish")]
mod x;
#[cfg(feature = "publish")]
mod youtube;

pub use account::{Account, RefreshLock, Unlocked};
#[cfg(feature = "s3")]
pub use bucket::BucketChannel;
pub use delivery::DeliveryChannel;
#[cfg(feature = "ftp")]
pub use ftp::FtpChannel;
#[cfg(feature = "publish")]
pub use hook::HookChannel;
pub use limits::{Limits, TagLimits, TextLimits, as_of, limits};
#[cfg(feature = "publish")]
pub use put::PutChannel;
#[cfg(feature = "sftp")]
pub use sftp::SftpChannel;

/// What one publication sends.
pub struct Package<'a> {
    /// A word that tells this publication from every other, safe in a file name, a description, a slug: `damctl-` and 16
    /// hexadecimal digits. Where a place keeps it, [`Channel::find`] can look for it.
    pub marker: String,
    /// The file or files that it is about; the first is the one to open. More than one: a package of segments.
    pub media: Vec<Item>,
    /// What was measured of the media.
    pub facts: MediaFacts,
    /// Subtitles, one for each language.
    pub captions: Vec<Item>,
    /// A picture to be shown in the media's place.
    pub thumbnail: Option<Item>,
    /// Small files that were written for this publication: what a playout system wants to be told.
    pub sidecars: Vec<Sidecar>,
    /// Title, description, …
    pub words: Words,
    /// Where the bytes are.
    pub source: &'a dyn Source,
}

impl Package<'_> {
    /// Bytes of everything that is sent.
    pub fn bytes(&self) -> u64 {
        let items = self.media.iter().chain(&self.captions).chain(&self.thumbnail).map(|item| item.bytes);
        items.sum::<u64>() + self.sidecars.iter().map(|s| s.bytes.len() as u64).sum::<u64>()
    }
}

/// A file in the store, or one that its source holds ready.
#[derive(Clone, Debug, PartialEq)]
pub struct Item {
    /// What it is to be called; may hold several segments where it is part of a package.
    pub name: String,
    /// Where it is.
    pub key: Key,
    /// Size in bytes.
    pub bytes: u64,
    /// SHA-256.
    pub digest: Digest,
    /// Media type.
    pub mime: String,
    /// BCP 47, for captions.
    pub language: Option<String>,
}

/// A small file that is sent beside the media.
#[derive(Clone, Debug, PartialEq)]
pub struct Sidecar {
    /// What it is to be called.
    pub name: String,
    /// Media type.
    pub mime: String,
    /// What it says.
    pub bytes: Vec<u8>,
}

/// Where bytes of a package come from.
pub trait Source: Sync {
    /// A range of an object's bytes, or all of them.
    fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>>;

    /// An address at which anybody can fetch the object for so long, for places that fetch. `None`: this archive's store
    /// has no such addresses.
    fn address(&self, key: &Key, valid: Duration) -> Result<Option<String>>;

    /// The bytes of what was written for this package and lies in no store; `None` for all else.
    fn written(&self, _key: &Key) -> Option<&[u8]> {
        None
    }
}

/// A piece of a file.
#[cfg(feature = "publish")]
fn piece(source: &dyn Source, item: &Item, from: u64, most: u64) -> Result<Vec<u8>> {
    let bytes = item.bytes.saturating_sub(from).min(most);
    let mut piece = vec![0; bytes as usize];
    let mut reader = source.open(&item.key, Some(from..from + bytes))?;
    reader.read_exact(&mut piece).map_err(|e| crate::error::io(format!("cannot read {}", item.key), e))?;
    Ok(piece)
}

/// What a connector tells while it sends.
pub trait Way {
    /// Writes down how far it has come, durably: whoever goes on is given it. It may hold what must not be seen (an
    /// upload's address); it is never printed.
    fn keep(&mut self, session: &Value) -> Result<()>;

    /// The same, and says that what comes next must not be asked for twice: from here on, until somebody has looked, it is
    /// not known whether it is published.
    fn posting(&mut self, session: &Value) -> Result<()>;

    /// So many bytes more have been sent. Fails with `Stopped` when it is time to stop.
    fn moved(&mut self, bytes: u64) -> Result<()>;
}

/// How sending ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Sent {
    /// The place confirms it.
    Published(Receipt),
    /// All of it is there, and the place is at work on it: [`Channel::find`] is to be asked after so long.
    Processing(Value, Duration),
}

/// What became of what was sent earlier.
#[derive(Clone, Debug, PartialEq)]
pub enum Fate {
    /// It is there.
    Published(Receipt),
    /// It is not there, nor on its way: it can be sent from the beginning.
    Absent,
    /// A part of it is there: [`Channel::send`] goes on with this session.
    Resumable(Value),
    /// All of it is there, and the place is at work on it: to be asked again after so long.
    Processing(Value, Duration),
    /// The place says that it came to nothing, and why: nothing of it is there.
    Failed(Failure),
    /// The place cannot tell; the reason, for people. It is not sent again unless a person says so.
    Unknown(String),
}

/// How taking back ended.
#[derive(Clone, Debug, PartialEq)]
pub enum Retracted {
    /// It is gone; what the place said.
    Gone(Value),
    /// It was gone before.
    Absent,
}

/// What an account may do, as its place says.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Standing {
    /// The account's name there.
    pub name: Option<String>,
    /// The longest video in milliseconds.
    pub longest_ms: Option<u64>,
    /// What `privacy` may be.
    pub privacy: Vec<String>,
}

/// A connector. Every error's kind says what can be done: `Unavailable` is tried again, what is `Invalid` (credentials, a
/// rejected file) is not.
pub trait Channel: Send + Sync {
    /// Asks the place whether the credentials are good, and what the account may do.
    fn standing(&self) -> Result<Standing>;

    /// Sends, or goes on from where a session stands.
    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent>;

    /// Asks what became of what was begun with this session. Changes nothing there.
    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate>;

    /// Takes back what was published.
    ///
    /// Errors: `Unsupported` where the place offers no way.
    fn retract(&self, receipt: &Receipt) -> Result<Retracted>;
}

/// Opens a channel's connector; `dir` is where its file lies, `fill` fills a template of a path.
///
/// Errors: `Unsupported` when this program was built without it.
pub fn open(
    name: &str,
    outlet: &Outlet,
    account: Account,
    dir: &Path,
    fill: &dyn Fn(&str) -> Result<String>,
) -> Result<Box<dyn Channel>> {
    #[allow(unused_imports, reason = "each is named where its connector is built")]
    use crate::profile::channels::{Bucket, Ftp, HttpPut, Place, Sftp};
    let _ = (name, &account, dir, fill);
    match &outlet.to {
        #[cfg(feature = "publish")]
        Place::Youtube(web) => Ok(Box::new(youtube::Youtube::new(web, account)?)),
        #[cfg(feature = "publish")]
        Place::Facebook(page) => Ok(Box::new(facebook::Facebook::new(page, account)?)),
        #[cfg(feature = "publish")]
        Place::Instagram(page) => Ok(Box::new(instagram::Instagram::new(page, account)?)),
        #[cfg(feature = "publish")]
        Place::Wordpress(site) => Ok(Box::new(wordpress::WordPress::new(site, account)?)),
        #[cfg(feature = "publish")]
        Place::GoogleDrive(drive) => Ok(Box::new(google_drive::GoogleDrive::new(drive, account)?)),
        #[cfg(feature = "publish")]
        Place::Tiktok(web) => Ok(Box::new(tiktok::Tiktok::new(web, account)?)),
        #[cfg(feature = "publish")]
        Place::X(web) => Ok(Box::new(x::X::new(web, account)?)),
        #[cfg(feature = "sftp")]
        Place::Sftp(sftp) => {
            let known_hosts = sftp.known_hosts.as_ref().map(|file| dir.join(file));
            let place = Sftp { path: fill(&sftp.path)?, known_hosts, ..sftp.clone() };
            Ok(Box::new(SftpChannel::new(place, account)))
        }
        #[cfg(feature = "ftp")]
        Place::Ftp(ftp) => {
            let place = Ftp { path: fill(&ftp.path)?, ca: ftp.ca.as_ref().map(|file| dir.join(file)), ..ftp.clone() };
            Ok(Box::new(FtpChannel::new(place, account)))
        }
        #[cfg(feature = "s3")]
        Place::S3(bucket) => {
            let place = Bucket { path: fill(&bucket.path)?, ..bucket.clone() };
            Ok(Box::new(BucketChannel::new(place)))
        }
        #[cfg(feature = "publish")]
        Place::HttpPut(put) => {
            let place = HttpPut { url: fill(&put.url)?, ..put.clone() };
            Ok(Box::new(PutChannel::new(&place, account)?))
        }
        #[cfg(feature = "publish")]
        Place::Webhook(hook) => Ok(Box::new(HookChannel::new(hook, account)?)),
        #[allow(unreachable_patterns, reason = "every kind may have its connector")]
        other => Err(Error::unsupported(format!("this damctl has no connector for '{}'", other.kind()))),
    }
}
