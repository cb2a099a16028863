//! SFTP servers, through russh: who the server is, who we are, and many writes on their way at a time.

use std::{
    collections::VecDeque,
    future::poll_fn,
    io::Read,
    path::{Path, PathBuf},
    sync::{
        Arc, Mutex,
        atomic::{AtomicU64, Ordering},
    },
    task::Poll,
    time::Duration,
};

use russh::{
    cipher,
    client::{self, AuthResult, KeyboardInteractiveAuthResponse},
    keys::{self, Algorithm, HashAlg, PrivateKeyWithHashAlg, PublicKey},
};
use russh_sftp::{
    client::{
        Config, RawSftpSession,
        error::Error as SftpError,
        rawsession::{Limits, SftpResult},
    },
    extensions,
    protocol::{FileAttributes, OpenFlags, StatusCode},
};
use serde_json::Value;
use tokio::{net::TcpStream, sync::mpsc, time::timeout};

use super::{
    Account, Channel, Fate, Package, Retracted, Sent, Standing, Way,
    drop::{self, Dropped, Remote, TAIL},
};
use crate::{
    block,
    digest::Digest,
    error::{Doing, Error, Kind, Result},
    model::Receipt,
    profile::channels::Sftp,
};

/// How long a server may take to accept a connection, and to let somebody in.
const PATIENCE: Duration = Duration::from_secs(30);

/// How long one answer may take: what is on its way at a time, on a line of 20 kB/s.
const ANSWER: u64 = 240;

/// A request's bytes where the server does not say what it takes: what every server must (draft-ietf-secsh-filexfer-02).
const PLAIN: u64 = 32 << 10;

/// How often whoever waits for the server looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(500);

/// A folder of an SFTP server.
pub struct SftpChannel {
    place: Sftp,
    account: Account,
}

impl SftpChannel {
    /// Of a place whose `path` is no template any more.
    pub fn new(place: Sftp, account: Account) -> Self {
        Self { place, account }
    }

    fn link(&self) -> Result<Link> {
        Link::open(&self.place, &self.account)
    }

    fn dropped(&self) -> Dropped<'_> {
        Dropped { folder: &self.place.path, check: self.place.check }
    }
}

impl Channel for SftpChannel {
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

/// A connection that was let in.
struct Link {
    sftp: Arc<RawSftpSession>,
    // Whoever drops it hangs up.
    _ssh: client::Handle<Doorman>,
    has_fsync: bool,
    has_statvfs: bool,
    /// Bytes of one request.
    write_bytes: usize,
    read_bytes: u32,
    user: String,
    host: String,
    port: u16,
}

/// Holds the server's key against those that are known.
struct Doorman {
    known: Vec<(usize, PublicKey)>,
    revoked: Vec<PublicKey>,
    file: PathBuf,
    host: String,
    /// Why it was refused.
    verdict: Arc<Mutex<Option<Error>>>,
}

impl client::Handler for Doorman {
    type Error = russh::Error;

    async fn check_server_key(&mut self, offered: &keys::PublicKeyOrCertificate) -> Result<bool, russh::Error> {
        let keys::PublicKeyOrCertificate::PublicKey { key, .. } = offered else { return Ok(false) };
        let refused = match () {
            () if self.revoked.contains(key) => {
                Some(Error::invalid(format!("the key of {} was revoked", self.host)).hint(format!(
                    "{} says so: do not send there before somebody has found out why",
                    self.file.display()
                )))
            }
            () if self.known.iter().any(|(_, known)| known == key) => None,
            () => Some(self.stranger(key)),
        };
        let is_known = refused.is_none();
        if let Ok(mut verdict) = self.verdict.lock() {
            *verdict = refused;
        }
        Ok(is_known)
    }
}

impl Doorman {
    fn stranger(&self, key: &PublicKey) -> Error {
        let print = key.fingerprint(HashAlg::Sha256);
        let (host, file) = (&self.host, self.file.display());
        match self.known.first() {
            Some((line, _)) => Error::invalid(format!(
                "{host} has another key than {file}:{line} says: it shows {print} ({})",
                key.algorithm()
            ))
            .hint("it may be another machine that pretends: ask whoever runs it, then put the new key in that line"),
            None => Error::invalid(format!("{host} is not known: it shows the key {print} ({})", key.algorithm()))
                .hint(format!(
                    "compare it with what whoever runs it tells, then add the line that ssh-keyscan prints to {file}"
                )),
        }
    }
}

impl Link {
    fn open(place: &Sftp, account: &Account) -> Result<Self> {
        let fields = account.fields()?;
        let field = |name: &str| fields.get(name).map(|secret| secret.expose().to_owned());
        let user = account.secret("user")?.expose().to_owned();
        let way_in = match (field("key"), field("password")) {
            (Some(key), _) => WayIn::Key(Box::new(private_key(&key, field("passphrase").as_deref())?)),
            (None, Some(password)) => WayIn::Password(password),
            (None, None) => {
                return Err(Error::invalid(format!("account '{}' has neither key nor password", account.name))
                    .hint(format!("they are looked for in {}", account.secrets.place())));
            }
        };
        block::on(Self::connect(place, user, way_in))?
    }

    async fn connect(place: &Sftp, user: String, way_in: WayIn) -> Result<Self> {
        let at = format!("{}:{}", place.host, place.port);
        let away = |why: String| {
            Error::unavailable(format!("{at} cannot be reached: {why}"))
                .hint("check host and port, and whether a firewall lets this machine through")
        };
        let doorman = doorman(place)?;
        let verdict = Arc::clone(&doorman.verdict);
        let config = Arc::new(config(&doorman.known));
        let stream = match timeout(PATIENCE, TcpStream::connect((place.host.as_str(), place.port))).await {
            Err(_) => return Err(away(format!("no answer in {} s", PATIENCE.as_secs()))),
            Ok(Err(e)) => return Err(away(e.to_string())),
            Ok(Ok(stream)) => stream,
        };
        stream.set_nodelay(true).doing(|| format!("cannot talk to {at}"))?;
        let greeted = match timeout(PATIENCE, client::connect_stream(config, stream, doorman)).await {
            Err(_) => return Err(away(format!("no SSH in {} s", PATIENCE.as_secs()))),
            Ok(greeted) => greeted,
        };
        let refused = verdict.lock().ok().and_then(|mut verdict| verdict.take());
        let mut ssh = match (greeted, refused) {
            (_, Some(refused)) => return Err(refused),
            (Err(e), None) => return Err(ssh_error(&at, &e)),
            (Ok(ssh), None) => ssh,
        };
        match timeout(PATIENCE, let_in(&mut ssh, &user, way_in)).await {
            Err(_) => return Err(away("nobody is let in or refused".to_owned())),
            Ok(Err(e)) => return Err(ssh_error(&at, &e)),
            Ok(Ok(None)) => {}
            Ok(Ok(Some(offered))) => {
                return Err(Error::invalid(format!("{at} does not let '{user}' in"))
                    .hint(format!("check the account's user, and its key or password; the server takes: {offered}")));
            }
        }
        Self::begin(place, ssh, user).await
    }

    async fn begin(place: &Sftp, ssh: client::Handle<Doorman>, user: String) -> Result<Self> {
        let at = format!("{}:{}", place.host, place.port);
        let channel = ssh.channel_open_session().await.map_err(|e| ssh_error(&at, &e))?;
        channel.request_subsystem(true, "sftp").await.map_err(|e| ssh_error(&at, &e))?;
        let config = Config { request_timeout_secs: ANSWER, ..Config::default() };
        let mut sftp = RawSftpSession::new_with_config(channel.into_stream(), config);
        let version = timeout(PATIENCE, sftp.init()).await.ok().and_then(Result::ok).ok_or_else(|| {
            Error::invalid(format!("{at} lets '{user}' in, but offers no SFTP"))
                .hint("it may be an SSH server whose subsystem 'sftp' is off, or not for this user")
        })?;
        let has = |name: &str| version.extensions.contains_key(name);
        let (mut write_bytes, mut read_bytes) = (PLAIN, PLAIN);
        if has(extensions::LIMITS)
            && let Ok(limits) = sftp.limits().await
        {
            let limits = Limits::from(limits);
            sftp.set_limits(limits);
            // What a packet may have of data, less than half a kilobyte of which is something else.
            let most = Config::default().max_packet_len as u64 - 512;
            let packet = limits.packet_len.unwrap_or(most).saturating_sub(512).min(most);
            write_bytes = limits.write_len.unwrap_or(PLAIN).min(packet).max(1);
            read_bytes = limits.read_len.unwrap_or(PLAIN).min(packet).max(1);
        }
        Ok(Self {
            sftp: Arc::new(sftp),
            _ssh: ssh,
            has_fsync: has(extensions::FSYNC),
            has_statvfs: has(extensions::STATVFS),
            write_bytes: write_bytes as usize,
            read_bytes: read_bytes as u32,
            user,
            host: place.host.clone(),
            port: place.port,
        })
    }

    /// What a failed request means.
    fn told(&self, doing: &str, path: &str, error: &SftpError) -> Error {
        let what = format!("cannot {doing} {}", self.address(path));
        let SftpError::Status(status) = error else {
            return Error::unavailable(format!("the connection to {} broke: {what}", self.host))
                .because(error.to_string());
        };
        let said = status.error_message.to_lowercase();
        match status.status_code {
            StatusCode::NoSuchFile => Error::not_found(format!("{what}: there is none")),
            StatusCode::PermissionDenied => Error::invalid(format!("{what}: permission denied"))
                .hint(format!("'{}' may not do that there: ask whoever runs the server", self.user)),
            StatusCode::OpUnsupported => Error::unsupported(format!("{what}: the server does not know how")),
            StatusCode::ConnectionLost | StatusCode::NoConnection => Error::unavailable(what),
            _ if said.contains("space") || said.contains("quota") => {
                Error::unavailable(format!("{what}: its disk is full")).hint("whoever runs the server has to make room")
            }
            _ => match self.room(path) {
                Some(room) if room < TAIL => {
                    Error::unavailable(format!("{what}: its disk is full, with {room} bytes left"))
                        .hint("whoever runs the server has to make room")
                }
                // A word for everything else: it may pass, or it may not.
                _ => Error::unavailable(format!("{what}: the server says '{}'", status.error_message)),
            },
        }
    }

    /// Bytes that are left where a file is.
    fn room(&self, path: &str) -> Option<u64> {
        let folder = path.rsplit_once('/').map_or(".", |(folder, _)| if folder.is_empty() { "/" } else { folder });
        if !self.has_statvfs {
            return None;
        }
        let fs = block::on(self.sftp.statvfs(folder)).ok()?.ok()?;
        Some(fs.blocks_avail.saturating_mul(fs.fragment_size))
    }

    fn file(&self, path: &str, flags: OpenFlags, doing: &str) -> Result<String> {
        let opened = block::on(self.sftp.open(path, flags, FileAttributes::empty()))?;
        opened.map(|handle| handle.handle).map_err(|e| self.told(doing, path, &e))
    }
}

impl Remote for Link {
    fn size(&mut self, path: &str) -> Result<Option<u64>> {
        match block::on(self.sftp.stat(path))? {
            Ok(found) if found.attrs.is_dir() => {
                Err(Error::new(Kind::Conflict, format!("{} is a folder", self.address(path))))
            }
            Ok(found) => found
                .attrs
                .size
                .map(Some)
                .ok_or_else(|| Error::unsupported(format!("{} does not tell the sizes of files", self.host))),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(None),
            Err(e) => Err(self.told("look at", path, &e)),
        }
    }

    fn make_folder(&mut self, path: &str) -> Result<()> {
        // Looked for first: a user may be kept from making what is there.
        let is_folder = |found: SftpResult<russh_sftp::protocol::Attrs>| found.is_ok_and(|f| f.attrs.is_dir());
        if is_folder(block::on(self.sftp.stat(path))?) {
            return Ok(());
        }
        match block::on(self.sftp.mkdir(path, FileAttributes::empty()))? {
            Ok(_) => Ok(()),
            Err(_) if is_folder(block::on(self.sftp.stat(path))?) => Ok(()),
            Err(e) => Err(self.told("make the folder", path, &e)),
        }
    }

    fn write(
        &mut self,
        path: &str,
        from: u64,
        bytes: &mut dyn Read,
        moved: &mut dyn FnMut(u64) -> Result<()>,
    ) -> Result<()> {
        let truncate = if from == 0 { OpenFlags::TRUNCATE } else { OpenFlags::empty() };
        let handle = self.file(path, OpenFlags::WRITE | OpenFlags::CREATE | truncate, "write")?;
        let (to_pump, from_us) = mpsc::channel(2);
        let there = Arc::new(AtomicU64::new(0));
        let pump = pump_out(Arc::clone(&self.sftp), handle.clone(), from, from_us, Arc::clone(&there));
        let mut pump = block::spawn(pump)?;
        let mut told = 0;
        let mut tell = || {
            let now = there.load(Ordering::Relaxed);
            let news = now - std::mem::replace(&mut told, now);
            moved(news)
        };
        let mut feed = || -> Result<()> {
            loop {
                let piece = read_piece(bytes, self.write_bytes).doing(|| "cannot read from the archive")?;
                if piece.is_empty() {
                    return Ok(());
                }
                let permit = loop {
                    match block::on(async { timeout(LOOK, to_pump.reserve()).await })? {
                        Ok(permit) => break permit,
                        Err(_) => tell()?,
                    }
                };
                match permit {
                    Ok(permit) => permit.send(piece),
                    // It has ended with an error, which it tells itself.
                    Err(_) => return Ok(()),
                }
                tell()?;
            }
        };
        let fed = feed();
        std::mem::drop(to_pump);
        if let Err(e) = fed {
            pump.abort();
            return Err(e);
        }
        let pumped = loop {
            match block::on(async { timeout(LOOK, &mut pump).await })? {
                Ok(pumped) => break pumped,
                Err(_) => tell()?,
            }
        };
        tell()?;
        pumped
            .map_err(|e| Error::internal("what writes to the server died").because(e))?
            .map_err(|e| self.told("write", path, &e))?;
        if self.has_fsync {
            block::on(self.sftp.fsync(handle.as_str()))?.map_err(|e| self.told("sync", path, &e))?;
        }
        block::on(self.sftp.close(handle))?.map(std::mem::drop).map_err(|e| self.told("close", path, &e))
    }

    fn read(&mut self, path: &str, from: u64, take: &mut dyn FnMut(&[u8]) -> Result<()>) -> Result<()> {
        let handle = self.file(path, OpenFlags::READ, "read")?;
        let (to_us, mut from_pump) = mpsc::channel(2);
        let pump = pump_in(Arc::clone(&self.sftp), handle.clone(), from, self.read_bytes, to_us);
        let pump = block::spawn(pump)?;
        while let Some(piece) = block::on(from_pump.recv())? {
            if let Err(e) = take(&piece) {
                pump.abort();
                return Err(e);
            }
        }
        block::on(pump)?
            .map_err(|e| Error::internal("what reads from the server died").because(e))?
            .map_err(|e| self.told("read", path, &e))?;
        block::on(self.sftp.close(handle))?.map(std::mem::drop).map_err(|e| self.told("close", path, &e))
    }

    fn hash(&mut self, _: &str) -> Result<Option<Digest>> {
        // OpenSSH has no extension for it.
        Ok(None)
    }

    fn rename(&mut self, from: &str, to: &str) -> Result<()> {
        // The protocol's own request, which fails when the name is taken; OpenSSH's "posix-rename" would overwrite.
        match block::on(self.sftp.rename(from, to))? {
            Ok(_) => Ok(()),
            Err(e @ SftpError::Status(_)) if self.size(to)?.is_some() => {
                Err(Error::new(Kind::Conflict, format!("{} is there already", self.address(to))).because(e.to_string()))
            }
            Err(e) => Err(self.told("rename to", to, &e)),
        }
    }

    fn remove(&mut self, path: &str) -> Result<bool> {
        match block::on(self.sftp.remove(path))? {
            Ok(_) => Ok(true),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::NoSuchFile => Ok(false),
            Err(e) => Err(self.told("remove", path, &e)),
        }
    }

    fn address(&self, path: &str) -> String {
        let port = if self.port == 22 { String::new() } else { format!(":{}", self.port) };
        // What does not begin at the root is the user's.
        let home = if path.starts_with('/') { "" } else { "/~/" };
        format!("sftp://{}{port}{home}{path}", self.host)
    }
}

/// A piece of so many bytes, or what is left.
fn read_piece(bytes: &mut dyn Read, most: usize) -> std::io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(most);
    bytes.take(most as u64).read_to_end(&mut piece)?;
    Ok(piece)
}

/// Writes pieces one after the other, as many on their way as [`TAIL`] says.
async fn pump_out(
    sftp: Arc<RawSftpSession>,
    handle: String,
    mut at: u64,
    mut pieces: mpsc::Receiver<Vec<u8>>,
    there: Arc<AtomicU64>,
) -> SftpResult<()> {
    let mut sent = VecDeque::new();
    let mut on_its_way = 0;
    while let Some(piece) = pieces.recv().await {
        let bytes = piece.len() as u64;
        let mut write = Box::pin(sftp.write(handle.as_str(), at, piece));
        // A request leaves when it is looked at first: so they leave in their order, and a file that is cut has no holes.
        match poll_fn(|cx| Poll::Ready(write.as_mut().poll(cx))).await {
            Poll::Ready(written) => {
                written?;
                there.fetch_add(bytes, Ordering::Relaxed);
            }
            Poll::Pending => {
                on_its_way += bytes;
                sent.push_back((bytes, write));
            }
        }
        at += bytes;
        while on_its_way + bytes > TAIL
            && let Some((bytes, write)) = sent.pop_front()
        {
            write.await?;
            on_its_way -= bytes;
            there.fetch_add(bytes, Ordering::Relaxed);
        }
    }
    for (bytes, write) in sent {
        write.await?;
        there.fetch_add(bytes, Ordering::Relaxed);
    }
    Ok(())
}

/// Reads to the end, as much asked for at a time as [`TAIL`] says.
async fn pump_in(
    sftp: Arc<RawSftpSession>,
    handle: String,
    mut at: u64,
    most: u32,
    pieces: mpsc::Sender<Vec<u8>>,
) -> SftpResult<()> {
    let mut asked = VecDeque::new();
    loop {
        while asked.len() < (TAIL / u64::from(most)).clamp(1, 128) as usize {
            let mut read = Box::pin(read_whole(&sftp, &handle, at, most));
            let early = match poll_fn(|cx| Poll::Ready(read.as_mut().poll(cx))).await {
                Poll::Ready(piece) => Some(piece?),
                Poll::Pending => None,
            };
            asked.push_back((early, read));
            at += u64::from(most);
        }
        let Some((early, read)) = asked.pop_front() else { return Ok(()) };
        let piece = match early {
            Some(piece) => piece,
            None => read.await?,
        };
        let is_last = piece.len() < most as usize;
        // Nobody takes any more when it fails.
        if (!piece.is_empty() && pieces.send(piece).await.is_err()) || is_last {
            return Ok(());
        }
    }
}

/// A piece as it was asked for; less only at the end of the file. A server may answer with less at any time.
async fn read_whole(sftp: &RawSftpSession, handle: &str, at: u64, most: u32) -> SftpResult<Vec<u8>> {
    let mut piece = Vec::new();
    while piece.len() < most as usize {
        let have = piece.len();
        match sftp.read(handle, at + have as u64, most - have as u32).await {
            Ok(data) if data.data.is_empty() => break,
            Ok(data) if have == 0 => piece = data.data,
            Ok(data) => piece.extend_from_slice(&data.data),
            Err(SftpError::Status(status)) if status.status_code == StatusCode::Eof => break,
            Err(e) => return Err(e),
        }
    }
    Ok(piece)
}

enum WayIn {
    Key(Box<keys::PrivateKey>),
    Password(String),
}

fn private_key(text: &str, passphrase: Option<&str>) -> Result<keys::PrivateKey> {
    let hint = "expected what ssh-keygen makes: an Ed25519 or ECDSA key in OpenSSH's format";
    match keys::decode_secret_key(text, passphrase) {
        Ok(key) if matches!(key.algorithm(), Algorithm::Rsa { .. }) => {
            Err(Error::unsupported("the account's key is an RSA key").hint(hint))
        }
        Ok(key) => Ok(key),
        Err(keys::Error::KeyIsEncrypted) => {
            Err(Error::invalid("the account's key is encrypted")
                .hint("give its passphrase as the account's 'passphrase'"))
        }
        Err(_) if passphrase.is_some() && text.contains("OPENSSH PRIVATE KEY") => {
            Err(Error::invalid("the account's passphrase does not open its key"))
        }
        Err(e) => Err(Error::invalid("the account's key cannot be read").because(e.to_string()).hint(hint)),
    }
}

fn doorman(place: &Sftp) -> Result<Doorman> {
    let file = match (&place.known_hosts, std::env::var_os("HOME")) {
        (Some(file), _) => file.clone(),
        (None, Some(home)) => Path::new(&home).join(".ssh/known_hosts"),
        (None, None) => {
            return Err(Error::invalid("there is no home folder with .ssh/known_hosts").hint("set 'known_hosts'"));
        }
    };
    let text = match std::fs::read_to_string(&file) {
        Ok(text) => text,
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => String::new(),
        Err(e) => return Err(crate::error::io(format!("cannot read {}", file.display()), e)),
    };
    let known = keys::known_hosts::known_host_keys_path(&place.host, place.port, &file)
        .map_err(|e| Error::invalid(format!("{} cannot be read", file.display())).because(e.to_string()))?;
    let line = |key: &PublicKey| {
        let text_of_key = key.to_openssh().unwrap_or_default();
        let bare = text_of_key.split(' ').nth(1).unwrap_or_default().to_owned();
        text.lines().position(|line| !bare.is_empty() && line.contains(&bare)).map_or(0, |at| at + 1)
    };
    let known = known.into_iter().map(|(_, key)| (line(&key), key)).collect();
    let revoked = text.lines().filter_map(|line| line.trim().strip_prefix("@revoked "));
    let revoked =
        revoked.filter_map(|line| keys::parse_public_key_base64(line.split_whitespace().nth(2)?).ok()).collect();
    let host = format!("{}:{}", place.host, place.port);
    Ok(Doorman { known, revoked, file, host, verdict: Arc::default() })
}

fn config(known: &[(usize, PublicKey)]) -> client::Config {
    // Asked for first: keys of the kinds that are known, else a server would show another of its keys.
    let is_known = |algorithm: &Algorithm| known.iter().any(|(_, key)| key.algorithm() == *algorithm);
    let mut preferred = russh::Preferred::default();
    let (mut first, others): (Vec<_>, Vec<_>) =
        preferred.key.iter().filter(|a| !matches!(a, Algorithm::Rsa { .. })).cloned().partition(is_known);
    first.extend(others);
    preferred.key = first.into();
    // What processors do by themselves.
    preferred.cipher = vec![
        cipher::AES_128_GCM,
        cipher::AES_256_GCM,
        cipher::CHACHA20_POLY1305,
        cipher::AES_256_CTR,
        cipher::AES_128_CTR,
    ]
    .into();
    preferred.compression = vec![russh::compression::NONE].into();
    client::Config {
        preferred,
        keepalive_interval: Some(Duration::from_secs(30)),
        window_size: 4 << 20,
        ..client::Config::default()
    }
}

/// `None`: let in. Else what the server takes.
async fn let_in(ssh: &mut client::Handle<Doorman>, user: &str, way_in: WayIn) -> Result<Option<String>, russh::Error> {
    let offered = |result: &AuthResult| match result {
        AuthResult::Success => None,
        AuthResult::Failure { remaining_methods, .. } => {
            let names: Vec<String> = remaining_methods.iter().map(String::from).collect();
            Some(if names.is_empty() { "nothing more".to_owned() } else { names.join(", ") })
        }
    };
    let password = match way_in {
        WayIn::Key(key) => {
            let key = PrivateKeyWithHashAlg::new(Arc::new(*key), None);
            return Ok(offered(&ssh.authenticate_publickey(user, key).await?));
        }
        WayIn::Password(password) => password,
    };
    let Some(left) = offered(&ssh.authenticate_password(user, &password).await?) else { return Ok(None) };
    if !left.contains("keyboard-interactive") {
        return Ok(Some(left));
    }
    // The same password, asked for in another way.
    let mut asked = ssh.authenticate_keyboard_interactive_start(user, None).await?;
    for _ in 0..4 {
        asked = match asked {
            KeyboardInteractiveAuthResponse::Success => return Ok(None),
            KeyboardInteractiveAuthResponse::Failure { .. } => break,
            KeyboardInteractiveAuthResponse::InfoRequest { prompts, .. } => {
                let answers = prompts.iter().map(|_| password.clone()).collect();
                ssh.authenticate_keyboard_interactive_respond(answers).await?
            }
        };
    }
    Ok(Some(left))
}

fn ssh_error(at: &str, error: &russh::Error) -> Error {
    match error {
        russh::Error::NoCommonAlgo { kind, theirs, .. } => {
            Error::unsupported(format!("{at} and damctl have no {kind:?} algorithm in common")).hint(format!(
                "it offers {}; damctl takes Ed25519 and ECDSA keys, and no RSA",
                theirs.iter().map(|a| a.to_string()).collect::<Vec<_>>().join(", ")
            ))
        }
        russh::Error::Version => Error::invalid(format!("{at} is no SSH server")).hint("check host and port"),
        e => Error::unavailable(format!("the connection to {at} broke")).because(e.to_string()),
    }
}
