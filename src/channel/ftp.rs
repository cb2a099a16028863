//! FTP servers, through suppaftp: in the clear, encrypted from the first command on, or from the first byte on.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::Value;
use suppaftp::{
    FtpError, Mode, RustlsConnector, RustlsFtpStream, Status,
    types::{FileType, Response},
};

use super::{
    Account, Channel, Fate, Package, Retracted, Sent, Standing, Way,
    drop::{self, Dropped, Remote},
};
use crate::{
    digest::Digest,
    error::{Doing, Error, Kind, Result},
    model::Receipt,
    profile::channels::{Ftp, Tls},
};

/// How long a server may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one answer or one piece may take: after the last byte a server may have much to write out.
const ANSWER: Duration = Duration::from_secs(300);

const PIECE: usize = 256 << 10;

/// A folder of an FTP server.
pub struct FtpChannel {
    place: Ftp,
    account: Account,
}

impl FtpChannel {
    /// Of a place whose `path` is no template any more.
    pub fn new(place: Ftp, account: Account) -> Self {
        Self { place, account }
    }

    fn link(&self) -> Result<Link> {
        Link::open(&self.place, &self.account).map_err(|e| e.within(format!("channel '{}'", self.account.channel)))
    }

    fn dropped(&self) -> Dropped<'_> {
        Dropped { folder: &self.place.path, check: self.place.check }
    }
}

impl Channel for FtpChannel {
    fn standing(&self) -> Result<Standing> {
        let link = self.link()?;
        Ok(Standing { name: Some(format!("{}@{}", link.user, self.place.host)), ..Standing::default() })
    }

    fn send(&self, package: &Package<'_>, session: Option<&Value>, way: &mut dyn Way) -> Result<Sent> {
        drop::send(&mut self.link()?, &self.dropped(), package, session, way)
    }

    fn find(&self, package: &Package<'_>, session: &Value) -> Result<Fate> {
        drop::find(&mut self.link()?, &self.dropped(), package, session)
    }

    fn retract(&self, receipt: &Receipt) -> Result<Retracted> {
        drop::retract(&mut self.link()?, receipt)
    }
}

/// How a server computes a SHA-256, where it does.
#[derive(Clone, Copy, PartialEq)]
enum Hashing {
    /// `HASH` (draft-bryan-ftpext-hash-02).
    Hash,
    /// `XSHA256`, which many have.
    XSha256,
}

/// A connection that was let in.
struct Link {
    ftp: RustlsFtpStream,
    has_mlst: bool,
    hashing: Option<Hashing>,
    user: String,
    /// `ftps://host:port`.
    root: String,
}

impl Link {
    fn open(place: &Ftp, account: &Account) -> Result<Self> {
        let (user, password) = (account.secret("user")?, account.secret("password")?);
        let is_word = |text: &str| !text.chars().any(char::is_control);
        if !is_word(user.expose()) || !is_word(password.expose()) {
            return Err(Error::invalid("the account's user or password holds what no FTP command may"));
        }
        let port = place.port.unwrap_or(if place.tls == Tls::Implicit { 990 } else { 21 });
        let at = format!("{}:{port}", place.host);
        let mut ftp = connect(place, port, &at)?;
        ftp.login(user.expose(), password.expose()).map_err(|e| match &e {
            FtpError::UnexpectedResponse(told) if matches!(told.status.code(), 530..=534 | 550) => {
                Error::invalid(format!("{at} does not let '{}' in: {}", user.expose(), words(told)))
                    .hint("check the account's user and password, and whether the server wants another 'tls'")
            }
            _ => broken(&at, "log in", &e),
        })?;
        if place.tls == Tls::Implicit {
            // Most encrypt data anyhow then; some want to be told (RFC 4217, 9), and who does not know it says so.
            for command in ["PBSZ 0", "PROT P"] {
                let _ = ftp.custom_command(command, &[Status::CommandOk]);
            }
        }
        ftp.transfer_type(FileType::Binary).map_err(|e| broken(&at, "take bytes as they are", &e))?;
        // Who knows no FEAT offers nothing.
        let features = ftp.feat().unwrap_or_default();
        let has = |name: &str| features.keys().any(|f| f.eq_ignore_ascii_case(name));
        let hashes = features.iter().find(|(name, _)| name.eq_ignore_ascii_case("HASH"));
        let hashes = hashes.and_then(|(_, all)| all.clone()).unwrap_or_default().to_ascii_uppercase();
        let hashing = match () {
            () if hashes.contains("SHA-256") => Some(Hashing::Hash),
            () if has("XSHA256") => Some(Hashing::XSha256),
            () => None,
        };
        if hashing == Some(Hashing::Hash) && !hashes.contains("SHA-256*") {
            ftp.opts("HASH", Some("SHA-256")).map_err(|e| broken(&at, "compute SHA-256", &e))?;
        }
        let scheme = if place.tls == Tls::None { "ftp" } else { "ftps" };
        let is_usual = port == if place.tls == Tls::Implicit { 990 } else { 21 };
        let shown = if is_usual { place.host.clone() } else { at };
        ftp.set_mode(Mode::ExtendedPassive);
        // The address of a passive answer may be the server's own behind a gateway, or somebody else's.
        ftp.set_passive_nat_workaround(true);
        let root = format!("{scheme}://{shown}");
        Ok(Self { ftp, has_mlst: has("MLST"), hashing, user: user.expose().to_owned(), root })
    }

    /// What a failed command means.
    fn told(&self, doing: &str, path: &str, error: &FtpError) -> Error {
        let what = format!("cannot {doing} {}", self.address(path));
        let FtpError::UnexpectedResponse(told) = error else {
            return broken(&self.root, &format!("{doing} {path}"), error);
        };
        let said = words(told);
        let low = said.to_lowercase();
        match told.status.code() {
            452 | 552 => {
                Error::unavailable(format!("{what}: no room ({said})")).hint("whoever runs the server has to make room")
            }
            _ if low.contains("space") && low.contains("left") || low.contains("quota") => {
                Error::unavailable(format!("{what}: no room ({said})")).hint("whoever runs the server has to make room")
            }
            522 | 534 => Error::invalid(format!("{what}: {said}")).hint(
                "the server wants data connections to go on with the TLS session of the commands, or another 'tls'",
            ),
            400..=499 => Error::unavailable(format!("{what}: {said}")),
            500 | 502 | 504 => Error::unsupported(format!("{what}: the server does not know how ({said})")),
            530 | 532 | 550 | 553 => Error::invalid(format!("{what}: {said}"))
                .hint(format!("'{}' may not do that there: ask whoever runs the server", self.user)),
            _ => Error::invalid(format!("{what}: {said}")),
        }
    }

    /// Begins a transfer, by the older way of opening a connection where the server does not know the newer.
    fn begin<T>(
        &mut self,
        from: u64,
        mut begin: impl FnMut(&mut RustlsFtpStream) -> Result<T, FtpError>,
    ) -> Result<T, FtpError> {
        let mut go = |ftp: &mut RustlsFtpStream| {
            ftp.resume_transfer(from as usize)?;
            begin(ftp)
        };
        match go(&mut self.ftp) {
            Err(FtpError::UnexpectedResponse(told)) if is_unknown(&told) => {
                self.ftp.set_mode(Mode::Passive);
                go(&mut self.ftp)
            }
            begun => begun,
        }
    }
}

fn is_unknown(told: &Response) -> bool {
    matches!(told.status.code(), 500..=502 | 504 | 522)
}

/// What a server said, on one line.
fn words(told: &Response) -> String {
    let text = String::from_utf8_lossy(&told.body);
    let clean: String = text.chars().map(|c| if c.is_control() { ' ' } else { c }).take(300).collect();
    let clean = clean.trim();
    // The number is for machines.
    clean.strip_prefix(&told.status.code().to_string()).unwrap_or(clean).trim_start_matches(['-', ' ']).to_owned()
}

fn broken(at: &str, doing: &str, error: &FtpError) -> Error {
    match error {
        FtpError::UnexpectedResponse(told) if told.status.code() >= 500 => {
            Error::invalid(format!("{at} refused to {doing}: {}", words(told)))
        }
        FtpError::UnexpectedResponse(told) => Error::unavailable(format!("{at} refused to {doing}: {}", words(told))),
        FtpError::ConnectionError(e) if e.kind() == io::ErrorKind::InvalidData => untrusted(at, e),
        FtpError::SecureError(e) => untrusted(at, &io::Error::other(e.clone())),
        FtpError::ConnectionError(e) => {
            Error::unavailable(format!("the connection to {at} broke")).because(e.to_string())
        }
        e => Error::unavailable(format!("{at} answered what is no FTP")).because(e.to_string()),
    }
}

fn untrusted(at: &str, error: &io::Error) -> Error {
    Error::invalid(format!("{at} is not to be trusted: {error}"))
        .hint("'ca' names the certificates to trust besides the system's; 'tls' says how the server encrypts")
}

/// A connection with limits of patience.
fn reach(address: &str) -> io::Result<TcpStream> {
    let mut last = io::Error::from(io::ErrorKind::NotFound);
    for one in address.to_socket_addrs()? {
        match TcpStream::connect_timeout(&one, PATIENCE) {
            Ok(stream) => {
                stream.set_read_timeout(Some(ANSWER))?;
                stream.set_write_timeout(Some(ANSWER))?;
                return Ok(stream);
            }
            Err(e) => last = e,
        }
    }
    Err(last)
}

fn connect(place: &Ftp, port: u16, at: &str) -> Result<RustlsFtpStream> {
    let stream = reach(at).map_err(|e| {
        Error::unavailable(format!("{at} cannot be reached: {e}"))
            .hint("check host and port, and whether a firewall lets this machine through")
    })?;
    let ftp = match place.tls {
        Tls::None => RustlsFtpStream::connect_with_stream(stream),
        Tls::Explicit => RustlsFtpStream::connect_with_stream(stream)
            .and_then(|ftp| ftp.into_secure(RustlsConnector::from(trust(place)?), &place.host)),
        Tls::Implicit => {
            // The crate opens a connection of its own; this one has shown that somebody answers.
            std::mem::drop(stream);
            trust(place).map(RustlsConnector::from).and_then(|secure| {
                RustlsFtpStream::connect_secure_implicit((place.host.as_str(), port), secure, &place.host)
            })
        }
    };
    let ftp = ftp.map_err(|e| match &e {
        FtpError::UnexpectedResponse(told) if place.tls == Tls::Explicit && is_unknown(told) => {
            Error::invalid(format!("{at} does not encrypt: {}", words(told)))
                .hint("'tls: implicit' encrypts from the first byte; 'tls: none' is for networks that are trusted")
        }
        e => broken(at, "begin", e),
    })?;
    {
        let control = ftp.get_ref();
        let limit = control.set_read_timeout(Some(ANSWER)).and_then(|()| control.set_write_timeout(Some(ANSWER)));
        limit.doing(|| format!("cannot talk to {at}"))?;
    }
    Ok(ftp.passive_stream_builder(|address| reach(&address.to_string()).map_err(FtpError::ConnectionError)))
}

/// The system's certificates and those that the channel names. One configuration for all connections of a link: servers
/// want the data to go on with the session of the commands.
fn trust(place: &Ftp) -> Result<Arc<rustls::ClientConfig>, FtpError> {
    let bad = |e: &dyn std::fmt::Display| FtpError::SecureError(e.to_string());
    let mut roots = rustls::RootCertStore::empty();
    roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if let Some(file) = &place.ca {
        let own = CertificateDer::pem_file_iter(file).map_err(|e| bad(&format!("{}: {e}", file.display())))?;
        for certificate in own {
            roots.add(certificate.map_err(|e| bad(&e))?).map_err(|e| bad(&e))?;
        }
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = rustls::ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder.map_err(|e| bad(&e))?;
    Ok(Arc::new(builder.with_root_certificates(roots).with_no_client_auth()))
}

impl Remote for Link {
    fn size(&mut self, path: &str) -> Result<Option<u64>> {
        let is_none = |e: &FtpError| matches!(e, FtpError::UnexpectedResponse(told) if told.status.code() == 550);
        if self.has_mlst {
            let facts = match self.ftp.mlst(Some(path)) {
                Ok(facts) => facts.to_ascii_lowercase(),
                Err(e) if is_none(&e) => return Ok(None),
                Err(e) => return Err(self.told("look at", path, &e)),
            };
            let fact = |name: &str| facts.split(';').find_map(|f| f.trim().strip_prefix(name)?.strip_prefix('='));
            if fact("type").is_some_and(|kind| kind.ends_with("dir")) {
                return Err(Error::new(Kind::Conflict, format!("{} is a folder", self.address(path))));
            }
            if let Some(size) = fact("size").and_then(|size| size.parse().ok()) {
                return Ok(Some(size));
            }
        }
        match self.ftp.size(path) {
            Ok(size) => Ok(Some(size as u64)),
            Err(e) if is_none(&e) => Ok(None),
            Err(e) => Err(self.told("look at", path, &e)),
        }
    }

    fn make_folder(&mut self, path: &str) -> Result<()> {
        match self.ftp.mkdir(path) {
            Ok(()) => Ok(()),
            Err(e) => {
                // Servers say the same of what is there and of what may not be made; who can go there knows.
                let back = self.ftp.pwd().ok();
                let is_there = self.ftp.cwd(path).is_ok();
                if let (true, Some(back)) = (is_there, back) {
                    self.ftp.cwd(back).map_err(|e| self.told("leave", path, &e))?;
                }
                if is_there { Ok(()) } else { Err(self.told("make the folder", path, &e)) }
            }
        }
    }

    fn write(
        &mut self,
        path: &str,
        from: u64,
        bytes: &mut dyn Read,
        moved: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        let begun = match self.begin(from, |ftp| ftp.put_with_stream(path)) {
            // It stands where it is to be gone on with, so it can be added to.
            Err(FtpError::UnexpectedResponse(told)) if from > 0 && is_unknown(&told) => {
                self.begin(0, |ftp| ftp.append_with_stream(path))
            }
            begun => begun,
        };
        let mut to = begun.map_err(|e| self.told("write", path, &e))?;
        let mut buffer = vec![0; PIECE];
        let sent = loop {
            let n = match bytes.read(&mut buffer) {
                // A handshake, even if there is nothing to send.
                Ok(0) => break to.flush().map_err(|e| self.told("write", path, &FtpError::ConnectionError(e))),
                Ok(n) => n,
                Err(e) => break Err(crate::error::io("cannot read from the archive", e)),
            };
            let given = to.write_all(&buffer[..n]);
            if let Err(e) = given.map_err(|e| self.told("write", path, &FtpError::ConnectionError(e))) {
                break Err(e);
            }
            if let Err(e) = moved(n as u64) {
                break Err(e);
            }
        };
        // A transfer that ends here is a short file to the server; whoever goes on sees its size.
        let finished = to.finish();
        sent?;
        finished.map_err(|e| self.told("write", path, &e))
    }

    fn read(&mut self, path: &str, from: u64, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let mut back = self.begin(from, |ftp| ftp.retr_as_stream(path)).map_err(|e| self.told("read", path, &e))?;
        let mut buffer = vec![0; PIECE];
        let read = loop {
            match back.read(&mut buffer) {
                Ok(0) => break Ok(()),
                // Some servers end what is encrypted without saying so; the reply tells whether it was all.
                Err(e) if e.kind() == io::ErrorKind::UnexpectedEof => break Ok(()),
                Ok(n) => {
                    if let Err(e) = take(&buffer[..n]) {
                        break Err(e);
                    }
                }
                Err(e) => break Err(self.told("read", path, &FtpError::ConnectionError(e))),
            }
        };
        let finished = back.finish();
        read?;
        finished.map_err(|e| self.told("read", path, &e))
    }

    fn hash(&mut self, path: &str) -> Result<Option<Digest>> {
        let command = match self.hashing {
            None => return Ok(None),
            Some(Hashing::Hash) => format!("HASH {path}"),
            Some(Hashing::XSha256) => format!("XSHA256 {path}"),
        };
        let expected = [Status::File, Status::RequestedFileActionOk];
        let told =
            self.ftp.custom_command(command, &expected).map_err(|e| self.told("compute the SHA-256 of", path, &e))?;
        let said = words(&told);
        Ok(said.split_whitespace().find_map(|word| word.to_ascii_lowercase().parse().ok()))
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        // Most servers overwrite. Between looking and renaming somebody may still come.
        if self.size(to)?.is_some() {
            return Err(Error::new(Kind::Conflict, format!("{} is there already", self.address(to))));
        }
        match self.ftp.rename(from, to) {
            Ok(()) => Ok(()),
            Err(e) if self.size(from)?.is_none() => {
                Err(Error::not_found(format!("{} is not there any more", self.address(from))).because(e.to_string()))
            }
            Err(e) => Err(self.told("rename to", to, &e)),
        }
    }

    fn remove(&mut self, path: &str) -> Result<bool> {
        match self.ftp.rm(path) {
            Ok(()) => Ok(true),
            Err(e) => match self.size(path)? {
                None => Ok(false),
                Some(_) => Err(self.told("remove", path, &e)),
            },
        }
    }

    fn address(&self, path: &str) -> String {
        // A double slash begins at the root; one, where the user does (RFC 1738, 3.2.2).
        format!("{}/{}", self.root, path.strip_prefix('/').map_or_else(|| path.to_owned(), |rest| format!("%2F{rest}")))
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        // Nobody waits long for the answer.
        let _ = self.ftp.get_ref().set_read_timeout(Some(Duration::from_secs(1)));
        let _ = self.ftp.quit();
    }
}
