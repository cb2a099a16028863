//! Secrets in a file that is encrypted with AES-256-GCM. Whoever has the key can read and change it; whoever has not can
//! only lose it.
//!
//! The file is a line that says what it is, which key it is for and how it is encrypted, then a nonce of 12 bytes that no
//! other version of it has, then the secrets as JSON, encrypted. The line is authenticated with them.

use std::{
    collections::BTreeMap,
    fs::{self, File, OpenOptions},
    io::Write,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use aes_gcm::{
    Aes256Gcm, KeyInit,
    aead::{Aead, Payload},
};
use base64::Engine as _;
use rustix::{
    fs::{FlockOperation, flock},
    rand::{GetRandomFlags, getrandom},
};
use zeroize::Zeroizing;

use super::{Fields, Secret, Secrets, check_account};
use crate::{
    digest::Digest,
    error::{Doing, Error, Result},
};

/// What the first line begins with; a number follows.
const WORDS: &str = "damctl secrets, format ";
const FORMAT: u32 = 1;

const NONCE: usize = 12;

/// More than any newsroom's accounts take.
const MOST: u64 = 16 << 20;

/// Everything that is kept, by account.
type All = BTreeMap<String, BTreeMap<String, String>>;

/// The 32 bytes that open a file of secrets.
#[derive(Clone)]
pub struct FileKey(Zeroizing<[u8; 32]>);

impl FileKey {
    /// A new one.
    pub fn make() -> Result<Self> {
        Ok(Self(Zeroizing::new(random()?)))
    }

    /// Of 64 hexadecimal digits, or of the base64 of 32 bytes.
    pub fn parse(text: &str) -> Result<Self> {
        let text = text.trim();
        let hex = |at: usize| text.get(at..at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok());
        let bytes: Option<Vec<u8>> = match text.len() {
            64 => (0..32).map(|n| hex(2 * n)).collect(),
            _ => base64::engine::general_purpose::STANDARD.decode(text).ok(),
        };
        let bytes = Zeroizing::new(bytes.unwrap_or_default());
        let key = <[u8; 32]>::try_from(bytes.as_slice()).map_err(|_| {
            Error::invalid("the key of the secrets cannot be used")
                .hint("expected 32 bytes as 64 hexadecimal digits or as base64; 'damctl secret key' makes one")
        })?;
        Ok(Self(Zeroizing::new(key)))
    }

    /// Of a file that nobody else can read.
    pub fn read(path: &Path) -> Result<Self> {
        let file = File::open(path).doing(|| format!("cannot open the key of the secrets {}", path.display()))?;
        let mode = file.metadata().doing(|| format!("cannot look at {}", path.display()))?.mode();
        if mode & 0o077 != 0 {
            return Err(Error::invalid(format!(
                "the key of the secrets {} can be read by others: its mode is {:03o}",
                path.display(),
                mode & 0o777
            ))
            .hint(format!("chmod 600 {}", path.display())));
        }
        let text = fs::read_to_string(path).map(Zeroizing::new);
        Self::parse(&text.doing(|| format!("cannot read the key of the secrets {}", path.display()))?)
    }

    /// Writes it to a new file that nobody else can read.
    ///
    /// Errors: `Conflict` when there is one: what it opens would be lost.
    pub fn write(&self, path: &Path) -> Result<()> {
        let text = Zeroizing::new(base64::engine::general_purpose::STANDARD.encode(*self.0) + "\n");
        let doing = || format!("cannot write the key of the secrets {}", path.display());
        make_folder_of(path)?;
        let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(path).doing(doing)?;
        file.write_all(text.as_bytes()).and_then(|()| file.sync_all()).doing(doing)
    }

    /// A name for the key that tells nothing of it.
    fn name(&self) -> String {
        Digest::keyed(&*self.0, b"the name of a key of secrets").to_string()[..16].to_owned()
    }

    fn cipher(&self) -> Aes256Gcm {
        Aes256Gcm::new(&(*self.0).into())
    }
}

/// An encrypted file.
pub struct SecretFile {
    path: PathBuf,
    key: FileKey,
}

impl SecretFile {
    /// The file at a path, which need not be there yet.
    pub fn new(path: PathBuf, key: FileKey) -> Self {
        Self { path, key }
    }

    fn read(&self) -> Result<All> {
        let doing = || format!("cannot read the secrets {}", self.path.display());
        let sealed = match File::open(&self.path) {
            Ok(file) if file.metadata().doing(doing)?.len() > MOST => {
                return Err(self.bad("it is too long"));
            }
            Ok(_) => fs::read(&self.path).doing(doing)?,
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => return Ok(All::new()),
            Err(e) => return Err(crate::error::io(doing(), e)),
        };
        let text = self.unseal(&sealed)?;
        serde_json::from_slice(&text).map_err(|_| self.bad("what it holds is not what damctl writes"))
    }

    fn bad(&self, why: &str) -> Error {
        Error::corrupt(format!("the secrets {} cannot be opened: {why}", self.path.display()))
            .hint("restore the file from a backup, or remove it and give the secrets again")
    }

    fn header(&self) -> String {
        format!("{WORDS}{FORMAT}, AES-256-GCM, key {}\n", self.key.name())
    }

    fn unseal(&self, sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>> {
        let end = sealed.iter().take(200).position(|b| *b == b'\n').map(|at| at + 1);
        let line = end.and_then(|end| std::str::from_utf8(&sealed[..end]).ok()).unwrap_or_default();
        let (Some(end), Some(rest)) = (end, line.strip_prefix(WORDS)) else {
            return Err(self.bad("it is not a file of secrets"));
        };
        match rest.split(',').next().and_then(|n| n.parse::<u32>().ok()) {
            Some(FORMAT) => {}
            Some(other) if other > FORMAT => {
                return Err(Error::unsupported(format!(
                    "the secrets {} are of format {other}, which a later damctl writes",
                    self.path.display()
                )));
            }
            _ => return Err(self.bad("its format is none that damctl has ever written")),
        }
        if line != self.header() {
            let is_other = rest.split_once(", AES-256-GCM, key ").is_some_and(|(_, key)| key.trim() != self.key.name());
            return Err(match is_other {
                true => Error::invalid(format!("the secrets {} are for another key", self.path.display()))
                    .hint("give the key that they were written with: DAMCTL_SECRETS_KEY or 'secrets_key_file'"),
                false => self.bad("its first line was changed"),
            });
        }
        let body = &sealed[end..];
        let Some((nonce, text)) = body.split_first_chunk::<NONCE>() else { return Err(self.bad("it was cut short")) };
        let payload = Payload { msg: text, aad: line.as_bytes() };
        let opened = self.key.cipher().decrypt(&(*nonce).into(), payload);
        opened.map(Zeroizing::new).map_err(|_| self.bad("it was cut short, damaged or changed"))
    }

    fn seal(&self, all: &All) -> Result<Vec<u8>> {
        let text = serde_json::to_vec(all).map(Zeroizing::new).map_err(|e| Error::internal(e.to_string()))?;
        let nonce: [u8; NONCE] = random()?;
        let header = self.header();
        let payload = Payload { msg: text.as_slice(), aad: header.as_bytes() };
        let body = self.key.cipher().encrypt(&nonce.into(), payload);
        let body = body.map_err(|_| Error::internal("the secrets cannot be encrypted"))?;
        Ok([header.as_bytes(), &nonce, &body].concat())
    }

    /// Changes what is kept while no other process does so.
    fn change(&self, change: impl FnOnce(&mut All) -> bool) -> Result<bool> {
        let doing = || format!("cannot write the secrets {}", self.path.display());
        make_folder_of(&self.path)?;
        let mut name = self.path.clone().into_os_string();
        name.push(".lock");
        // The file itself is replaced, and a lock on it would go with it.
        let lock = OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(name).doing(doing)?;
        flock(&lock, FlockOperation::LockExclusive).doing(doing)?;
        let mut all = self.read()?;
        if !change(&mut all) {
            return Ok(false);
        }
        let folder = folder_of(&self.path);
        let mut new = tempfile::Builder::new().prefix(".secrets").tempfile_in(folder).doing(doing)?;
        new.write_all(&self.seal(&all)?).and_then(|()| new.as_file().sync_all()).doing(doing)?;
        new.persist(&self.path).map_err(|e| e.error).doing(doing)?;
        File::open(folder).and_then(|folder| folder.sync_all()).doing(doing)?;
        Ok(true)
    }
}

fn folder_of(path: &Path) -> &Path {
    path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

fn make_folder_of(path: &Path) -> Result<()> {
    let folder = folder_of(path);
    fs::create_dir_all(folder).doing(|| format!("cannot make {}", folder.display()))
}

fn random<const N: usize>() -> Result<[u8; N]> {
    let mut bytes = [0; N];
    // Up to 256 bytes come whole (getrandom(2)).
    match getrandom(&mut bytes, GetRandomFlags::empty()) {
        Ok(n) if n == N => Ok(bytes),
        _ => Err(Error::unavailable("the system gives no random numbers")),
    }
}

impl Secrets for SecretFile {
    fn get(&self, account: &str) -> Result<Fields> {
        check_account(account)?;
        let fields = self.read()?.remove(account).unwrap_or_default();
        Ok(fields.into_iter().map(|(name, value)| (name, Secret::new(value))).collect())
    }

    fn put(&self, account: &str, fields: &Fields) -> Result<()> {
        check_account(account)?;
        self.change(|all| {
            if fields.is_empty() {
                return false;
            }
            let kept = all.entry(account.to_owned()).or_default();
            kept.extend(fields.iter().map(|(name, value)| (name.clone(), value.expose().to_owned())));
            true
        })?;
        Ok(())
    }

    fn names(&self) -> Result<BTreeMap<String, Vec<String>>> {
        Ok(self.read()?.into_iter().map(|(account, fields)| (account, fields.into_keys().collect())).collect())
    }

    fn remove(&self, account: &str, field: Option<&str>) -> Result<bool> {
        check_account(account)?;
        self.change(|all| match field {
            None => all.remove(account).is_some(),
            Some(field) => {
                let Some(fields) = all.get_mut(account) else { return false };
                let was_there = fields.remove(field).is_some();
                if fields.is_empty() {
                    all.remove(account);
                }
                was_there
            }
        })
    }

    fn place(&self) -> String {
        format!("the encrypted file {}", self.path.display())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::error::Kind;

    fn fields(all: &[(&str, &str)]) -> Fields {
        all.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect()
    }

    #[test]
    fn many_writers_lose_no_field_and_nothing_is_readable_without_the_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/secrets");
        let key = FileKey::make().unwrap();
        std::thread::scope(|scope| {
            for n in 0..16 {
                // Each opens the file by itself, as another process does.
                let file = SecretFile::new(path.clone(), key.clone());
                scope.spawn(move || file.put("tiktok", &fields(&[(&format!("field_{n}"), "open sesame")])).unwrap());
            }
        });
        let file = SecretFile::new(path.clone(), key);
        assert_eq!(file.get("tiktok").unwrap().len(), 16);
        assert!(file.get("other").unwrap().is_empty());
        let sealed = fs::read(&path).unwrap();
        let has = |words: &str| sealed.windows(words.len()).any(|w| w == words.as_bytes());
        assert!(has("damctl secrets, format 1, AES-256-GCM") && !has("sesame") && !has("tiktok") && !has("field_"));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        // The same secrets never make the same file.
        file.put("tiktok", &fields(&[("field_0", "open sesame")])).unwrap();
        assert_ne!(fs::read(&path).unwrap(), sealed);

        assert!(file.remove("tiktok", Some("field_3")).unwrap() && !file.remove("tiktok", Some("field_3")).unwrap());
        assert_eq!(file.names().unwrap()["tiktok"].len(), 15);
        assert!(file.remove("tiktok", None).unwrap() && file.names().unwrap().is_empty());
    }

    #[test]
    fn whatever_was_changed_is_told_from_a_wrong_key() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("secrets");
        let key = FileKey::make().unwrap();
        let file = SecretFile::new(path.clone(), key.clone());
        file.put("x", &fields(&[("token", "open sesame")])).unwrap();
        let sealed = fs::read(&path).unwrap();
        let text = String::from_utf8_lossy(&sealed).into_owned();
        let line = text.find('\n').unwrap() + 1;
        let with = |from: &str, to: &str| {
            let at = sealed.windows(from.len()).position(|w| w == from.as_bytes()).unwrap();
            [&sealed[..at], to.as_bytes(), &sealed[at + from.len()..]].concat()
        };
        let mut flipped = sealed.clone();
        *flipped.last_mut().unwrap() ^= 1;
        let cases = [
            (with("format 1", "format 2"), Kind::Unsupported, "a later damctl"),
            (with("format 1", "format 0"), Kind::Corrupt, "none that damctl has ever written"),
            (with("AES-256-GCM", "AES-128-GCM"), Kind::Corrupt, "first line was changed"),
            (flipped, Kind::Corrupt, "damaged or changed"),
            (sealed[..sealed.len() - 1].to_vec(), Kind::Corrupt, "damaged or changed"),
            (sealed[..line + 5].to_vec(), Kind::Corrupt, "cut short"),
            (sealed[..10].to_vec(), Kind::Corrupt, "not a file of secrets"),
            (Vec::new(), Kind::Corrupt, "not a file of secrets"),
        ];
        for (bytes, kind, words) in cases {
            fs::write(&path, &bytes).unwrap();
            let error = file.get("x").unwrap_err();
            assert!(error.kind() == kind && error.one_line().contains(words), "{error:?}");
            // Nothing is written over what cannot be read.
            assert!(file.put("x", &fields(&[("token", "new")])).is_err() && fs::read(&path).unwrap() == bytes);
        }
        fs::write(&path, &sealed).unwrap();
        let other = SecretFile::new(path, FileKey::make().unwrap()).get("x").unwrap_err();
        assert!(other.kind() == Kind::Invalid && other.one_line().contains("another key"), "{other:?}");
    }

    #[test]
    fn a_key_is_32_bytes_in_a_file_of_its_owner() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("key");
        let key = FileKey::make().unwrap();
        key.write(&path).unwrap();
        assert_eq!(*FileKey::read(&path).unwrap().0, *key.0);
        assert_eq!(key.write(&path).unwrap_err().kind(), Kind::Conflict);
        let hex: String = key.0.iter().map(|b| format!("{b:02X}")).collect();
        assert_eq!(*FileKey::parse(&hex).unwrap().0, *key.0);
        for bad in ["", "c2hvcnQ=", &hex[..62], &format!("{}zz", &hex[..62])] {
            assert!(FileKey::parse(bad).is_err(), "{bad}");
        }
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        let error = FileKey::read(&path).err().unwrap();
        assert!(error.one_line().contains("640") && error.hint_text().unwrap().contains("chmod 600"), "{error:?}");
    }
}
