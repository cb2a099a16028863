//! Connectors, each against a real server of its kind or a fake that follows the place's documentation.

#[cfg(feature = "publish")]
mod delivery;
mod dropped;
pub mod fake;
#[cfg(feature = "ftp")]
mod ftp;
#[cfg(feature = "publish")]
mod oauth;
#[cfg(feature = "sftp")]
mod sftp;
#[cfg(feature = "vault")]
mod vault;

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
    ops::Range,
    path::Path,
    sync::{Arc, Mutex},
    thread,
    time::Duration,
};

use damctl::{
    channel::{Account, Item, Package, Sidecar, Source, Unlocked, Way},
    digest::Digest,
    error::{Error, Result},
    model::{Key, MediaFacts, MediaKind, Words},
    secret::{Fields, Secret, Secrets},
};
use serde_json::Value;

/// Secrets in memory.
#[derive(Default)]
pub struct Kept(Mutex<BTreeMap<String, Fields>>);

impl Kept {
    pub fn of(account: &str, fields: &[(&str, &str)]) -> Arc<Self> {
        let kept = Self::default();
        let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), Secret::new(*value))).collect();
        kept.put(account, &fields).unwrap();
        Arc::new(kept)
    }
}

impl Secrets for Kept {
    fn get(&self, account: &str) -> Result<Fields> {
        Ok(self.0.lock().unwrap().get(account).cloned().unwrap_or_default())
    }

    fn put(&self, account: &str, fields: &Fields) -> Result<()> {
        self.0.lock().unwrap().entry(account.to_owned()).or_default().extend(fields.clone());
        Ok(())
    }

    fn place(&self) -> String {
        "the test's memory".to_owned()
    }
}

/// An account of the channel `playout`.
pub fn account(fields: &[(&str, &str)]) -> Account {
    Account {
        name: "playout".to_owned(),
        channel: "playout".to_owned(),
        secrets: Kept::of("playout", fields),
        lock: Arc::new(Unlocked),
        stop: damctl::stop::Stop::new(),
    }
}

/// The archive's bytes, in memory.
#[derive(Default)]
pub struct Bytes(BTreeMap<Key, Vec<u8>>);

impl Source for Bytes {
    fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>> {
        let bytes = self.0.get(key).ok_or_else(|| Error::not_found(key.as_str()))?;
        let range = range.map_or(0..bytes.len(), |r| r.start as usize..r.end as usize);
        Ok(Box::new(io::Cursor::new(bytes[range].to_vec())))
    }

    fn address(&self, _: &Key, _: Duration) -> Result<Option<String>> {
        Ok(None)
    }
}

impl Bytes {
    /// Keeps a file, and tells it as an item.
    pub fn item(&mut self, name: &str, mime: &str, bytes: Vec<u8>) -> Item {
        let key: Key = format!("renditions/video/{}", name.replace(['/', ' '], "-")).parse().unwrap();
        let item = Item {
            name: name.to_owned(),
            key: key.clone(),
            bytes: bytes.len() as u64,
            digest: Digest::of(&bytes),
            mime: mime.to_owned(),
            language: None,
        };
        self.0.insert(key, bytes);
        item
    }

    pub fn bytes(&self, item: &Item) -> &[u8] {
        &self.0[&item.key]
    }

    /// Changes what is kept behind an item's back.
    pub fn spoil(&mut self, item: &Item, bytes: Vec<u8>) {
        self.0.insert(item.key.clone(), bytes);
    }

    pub fn package(&self, media: Vec<Item>) -> Package<'_> {
        Package {
            marker: "damctl-0123456789abcdef".to_owned(),
            media,
            facts: MediaFacts::bare(MediaKind::Video, "video/mp4"),
            captions: Vec::new(),
            thumbnail: None,
            sidecars: Vec::new(),
            words: Words { title: "A title".to_owned(), ..Words::default() },
            source: self,
        }
    }
}

/// Bytes that are nowhere the same.
pub fn noise(bytes: usize, mut seed: u64) -> Vec<u8> {
    let mut all = Vec::with_capacity(bytes + 8);
    while all.len() < bytes {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        all.extend_from_slice(&seed.to_le_bytes());
    }
    all.truncate(bytes);
    all
}

pub fn sidecar(name: &str, text: &str) -> Sidecar {
    Sidecar { name: name.to_owned(), mime: "application/xml".to_owned(), bytes: text.as_bytes().to_vec() }
}

/// What a connector told on its way.
#[derive(Default)]
pub struct Told {
    pub kept: Vec<Value>,
    /// How many of these said that what follows must not be asked for twice.
    pub posted: usize,
    pub moved: u64,
    /// Stops after so many bytes.
    pub stop_after: Option<u64>,
}

impl Told {
    pub fn last(&self) -> &Value {
        self.kept.last().expect("a session was kept")
    }
}

impl Way for Told {
    fn keep(&mut self, session: &Value) -> Result<()> {
        self.kept.push(session.clone());
        Ok(())
    }

    fn posting(&mut self, session: &Value) -> Result<()> {
        self.posted += 1;
        self.keep(session)
    }

    fn moved(&mut self, bytes: u64) -> Result<()> {
        self.moved += bytes;
        match self.stop_after {
            Some(most) if self.moved >= most => Err(Error::stopped()),
            _ => Ok(()),
        }
    }
}

/// A way to a server that breaks: each connection after its own number of bytes towards the server, the last of them for all
/// that come later.
pub fn breaking(to: u16, after: Vec<usize>) -> u16 {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for (n, client) in listener.incoming().enumerate() {
            let (Ok(client), Ok(server)) = (client, TcpStream::connect(("127.0.0.1", to))) else { return };
            let most = after.get(n).or(after.last()).copied().unwrap_or(usize::MAX);
            let (mut down, mut back) = (server.try_clone().unwrap(), client.try_clone().unwrap());
            thread::spawn(move || io::copy(&mut down, &mut back));
            thread::spawn(move || carry(client, server, most));
        }
    });
    port
}

fn carry(mut from: TcpStream, mut to: TcpStream, mut most: usize) {
    let mut buffer = [0; 4096];
    while let Ok(n @ 1..) = from.read(&mut buffer) {
        let n = n.min(most);
        if to.write_all(&buffer[..n]).is_err() {
            break;
        }
        most -= n;
        if most == 0 {
            break;
        }
    }
    let _ = from.shutdown(Shutdown::Both);
    let _ = to.shutdown(Shutdown::Both);
}

/// All files below a folder, by path.
pub fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let all = walkdir::WalkDir::new(root).into_iter().flatten().filter(|e| e.file_type().is_file());
    let each = |e: walkdir::DirEntry| {
        (e.path().strip_prefix(root).unwrap().display().to_string(), std::fs::read(e.path()).unwrap())
    };
    all.map(each).collect()
}
