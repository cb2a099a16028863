//! One error type for the library. [`Kind`] is the decision it leaves to the caller: give up on the item, try again,
//! pause, or stop. Everything else (message, hint, source) is for people.

use std::{error::Error as StdError, fmt, time::Duration};

use serde::{Deserialize, Serialize};

/// The result of everything in this library.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// What a caller can do about an error.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, schemars::JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request, configuration or profile is wrong: correct it.
    Invalid,
    /// The thing asked for is not there.
    NotFound,
    /// Something else holds the name or has changed meanwhile.
    Conflict,
    /// The item is sound, but nothing here can handle it.
    Unsupported,
    /// The item's bytes are damaged: no retry will help.
    Corrupt,
    /// It takes more memory than there was: a worker that has more may do it.
    OutOfMemory,
    /// A store, catalog, drive or tool is away or busy: try again.
    Unavailable,
    /// The disk is full, or the drive, store or catalog went away: no other item will fare better until a person
    /// acts. The run pauses; the item keeps its tries.
    Paused,
    /// The bytes lie in the archive's cold part: they are to be restored first.
    Archived,
    /// Somebody asked us to stop.
    Stopped,
    /// Another worker owns the job by now: drop what was done.
    LeaseLost,
    /// A defect of ours.
    Internal,
}

impl Kind {
    /// Whether the same attempt may succeed later. Retry is decided by this alone.
    pub fn is_retryable(self) -> bool {
        matches!(self, Kind::Unavailable)
    }

    /// The word stored in the catalog and in reports.
    pub fn as_str(self) -> &'static str {
        match self {
            Kind::Invalid => "invalid",
            Kind::NotFound => "not_found",
            Kind::Conflict => "conflict",
            Kind::Unsupported => "unsupported",
            Kind::Corrupt => "corrupt",
            Kind::OutOfMemory => "out_of_memory",
            Kind::Unavailable => "unavailable",
            Kind::Paused => "paused",
            Kind::Archived => "archived",
            Kind::Stopped => "stopped",
            Kind::LeaseLost => "lease_lost",
            Kind::Internal => "internal",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An error: what went wrong, what it means for the caller, what to do about it, and its cause.
pub struct Error(Box<Inner>);

struct Inner {
    kind: Kind,
    message: String,
    hint: Option<String>,
    code: Option<String>,
    after: Option<Duration>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// An error of the given kind. The message is a short clause without a final period.
    pub fn new(kind: Kind, message: impl Into<String>) -> Self {
        Self(Box::new(Inner { kind, message: message.into(), hint: None, code: None, after: None, source: None }))
    }

    /// [`Kind::Invalid`].
    pub fn invalid(message: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, message)
    }

    /// [`Kind::NotFound`].
    pub fn not_found(message: impl Into<String>) -> Self {
        Self::new(Kind::NotFound, message)
    }

    /// [`Kind::Unsupported`].
    pub fn unsupported(message: impl Into<String>) -> Self {
        Self::new(Kind::Unsupported, message)
    }

    /// [`Kind::Corrupt`].
    pub fn corrupt(message: impl Into<String>) -> Self {
        Self::new(Kind::Corrupt, message)
    }

    /// [`Kind::Unavailable`].
    pub fn unavailable(message: impl Into<String>) -> Self {
        Self::new(Kind::Unavailable, message)
    }

    /// [`Kind::Paused`].
    pub fn paused(message: impl Into<String>) -> Self {
        Self::new(Kind::Paused, message)
    }

    /// [`Kind::Archived`], of something that is to be restored first.
    pub fn archived(what: impl fmt::Display) -> Self {
        Self::new(Kind::Archived, format!("{what} is archived"))
            .hint("'damctl restore ASSET' brings it back; what waits for it goes on after that")
    }

    /// [`Kind::Internal`].
    pub fn internal(message: impl Into<String>) -> Self {
        Self::new(Kind::Internal, message)
    }

    /// [`Kind::Stopped`].
    pub fn stopped() -> Self {
        Self::new(Kind::Stopped, "stopped on request")
    }

    /// Adds what the reader can do about it.
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.0.hint = Some(hint.into());
        self
    }

    /// Adds what a machine calls it, which people are not shown: `HTTP 401 access_token_invalid`.
    pub fn code(mut self, code: impl Into<String>) -> Self {
        self.0.code = Some(code.into());
        self
    }

    /// Adds how long whoever refused asks to wait.
    pub fn after(mut self, wait: Duration) -> Self {
        self.0.after = Some(wait);
        self
    }

    /// Adds the cause.
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// The same error, in one line, with what it happened to before it.
    pub fn within(self, what: impl fmt::Display) -> Self {
        let mut told = Self::new(self.kind(), format!("{what}: {}", self.one_line()));
        (told.0.hint, told.0.code, told.0.after) = (self.0.hint, self.0.code, self.0.after);
        told
    }

    /// What the caller can do.
    pub fn kind(&self) -> Kind {
        self.0.kind
    }

    /// What the reader can do, when we know it.
    pub fn hint_text(&self) -> Option<&str> {
        self.0.hint.as_deref()
    }

    /// What a machine calls it.
    pub fn code_text(&self) -> Option<&str> {
        self.0.code.as_deref()
    }

    /// How long whoever refused asks to wait.
    pub fn wait(&self) -> Option<Duration> {
        self.0.after
    }

    /// The message and all its causes on one line, for reports and the catalog.
    pub fn one_line(&self) -> String {
        let mut line = self.0.message.clone();
        let mut cause = self.source();
        while let Some(c) = cause {
            line.push_str(": ");
            line.push_str(&c.to_string());
            cause = c.source();
        }
        line
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.0.kind, self.one_line())?;
        if let Some(hint) = &self.0.hint {
            write!(f, " (hint: {hint})")?;
        }
        Ok(())
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|s| s as &(dyn StdError + 'static))
    }
}

/// What to do about a full disk.
pub(crate) const DISK_FULL: &str = "the disk is full: free some space, then run the same command again";

/// Turns an I/O error into ours, keeping what it means: a full disk or a device that went away is [`Kind::Paused`], a
/// missing file [`Kind::NotFound`], a refused one [`Kind::Invalid`], anything else [`Kind::Unavailable`].
pub fn io(doing: impl fmt::Display, error: std::io::Error) -> Error {
    use std::io::ErrorKind as E;
    const ENXIO: i32 = 6;
    const ENODEV: i32 = 19;
    let (kind, hint) = match error.kind() {
        E::NotFound => (Kind::NotFound, None),
        E::AlreadyExists | E::DirectoryNotEmpty => (Kind::Conflict, None),
        E::PermissionDenied => (Kind::Invalid, None),
        E::InvalidInput | E::InvalidData | E::NotADirectory | E::IsADirectory => (Kind::Invalid, None),
        E::StorageFull | E::QuotaExceeded => (Kind::Paused, Some(DISK_FULL)),
        E::ReadOnlyFilesystem => {
            (Kind::Paused, Some("the file system is read-only: remount it, then run the same command again"))
        }
        E::StaleNetworkFileHandle => {
            (Kind::Paused, Some("the network file system went away: run the same command again when it is back"))
        }
        _ if matches!(error.raw_os_error(), Some(ENXIO | ENODEV)) => {
            (Kind::Paused, Some("the device went away: run the same command again when it is back"))
        }
        _ => (Kind::Unavailable, None),
    };
    let is_refused = error.kind() == E::PermissionDenied;
    let e = Error::new(kind, doing.to_string()).because(error);
    match hint {
        Some(hint) => e.hint(hint),
        None if is_refused => {
            let me = rustix::process::geteuid().as_raw();
            e.hint(format!("damctl runs as user {me}: see with 'ls -ld' whose it is and of what mode, up to the root"))
        }
        None => e,
    }
}

/// `result.doing(|| format!("cannot read {path}"))?` for I/O results.
pub trait Doing<T> {
    /// Names what was being done when the I/O error came.
    fn doing<S: fmt::Display>(self, what: impl FnOnce() -> S) -> Result<T>;
}

impl<T> Doing<T> for std::io::Result<T> {
    fn doing<S: fmt::Display>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| io(what(), e))
    }
}

impl<T> Doing<T> for std::result::Result<T, rustix::io::Errno> {
    fn doing<S: fmt::Display>(self, what: impl FnOnce() -> S) -> Result<T> {
        self.map_err(|e| io(what(), e.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_refused_is_told_with_who_was() {
        let refused = io("cannot open x", std::io::ErrorKind::PermissionDenied.into());
        let me = format!("damctl runs as user {}:", rustix::process::geteuid().as_raw());
        assert!(refused.kind() == Kind::Invalid && refused.hint_text().is_some_and(|h| h.starts_with(&me)));
    }
}
