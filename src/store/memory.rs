//! A store in memory, for tests: as strict as the strictest real one.

use std::{
    collections::BTreeMap,
    io::{self, Cursor, Read, Write},
    ops::Range,
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use super::{Committed, Deposit, Found, Held, Staged, Store};
use crate::{
    error::{Doing, Error, Result},
    model::{Area, Key},
};

type Objects = BTreeMap<Key, Arc<[u8]>>;

/// Objects in memory. Clones share them.
#[derive(Clone, Default)]
pub struct MemoryStore(Arc<Mutex<Objects>>);

impl MemoryStore {
    /// An empty one.
    pub fn new() -> Self {
        Self::default()
    }

    fn objects(&self) -> MutexGuard<'_, Objects> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn below(objects: &Objects, prefix: &Key) -> Vec<Key> {
    let folder = format!("{prefix}/");
    objects.keys().filter(|k| k.as_str().starts_with(&folder)).cloned().collect()
}

impl Store for MemoryStore {
    fn stage(&self, prefix: &Key) -> Result<Box<dyn Deposit>> {
        Ok(Box::new(Memory { prefix: prefix.clone(), files: Vec::new() }))
    }

    fn commit(&self, deposits: Vec<Staged>) -> Result<Vec<Committed>> {
        let mut objects = self.objects();
        let mut outcomes = Vec::new();
        for Staged { prefix, held } in deposits {
            let Held::Memory(files) = held else {
                return Err(Error::internal("a deposit of another store was committed to a memory store"));
            };
            if !below(&objects, &prefix).is_empty() {
                outcomes.push(Committed::Present);
                continue;
            }
            objects.extend(files.into_iter().map(|(key, bytes)| (key, bytes.into())));
            outcomes.push(Committed::New);
        }
        Ok(outcomes)
    }

    fn put(&self, key: &Key, bytes: &[u8]) -> Result<Committed> {
        let mut objects = self.objects();
        if objects.contains_key(key) {
            return Ok(Committed::Present);
        }
        objects.insert(key.clone(), bytes.into());
        Ok(Committed::New)
    }

    fn rewrite(&self, key: &Key, bytes: &[u8]) -> Result<()> {
        self.objects().insert(key.clone(), bytes.into());
        Ok(())
    }

    fn restore(&self, key: &Key, _size: u64, from: &mut dyn Read) -> Result<()> {
        let mut bytes = Vec::new();
        from.read_to_end(&mut bytes).doing(|| format!("cannot restore {key}"))?;
        self.objects().insert(key.clone(), bytes.into());
        Ok(())
    }

    fn open(&self, key: &Key, range: Option<Range<u64>>) -> Result<Box<dyn Read + Send>> {
        let bytes = self
            .objects()
            .get(key)
            .cloned()
            .ok_or_else(|| Error::not_found(format!("cannot open {key} in the store")))?;
        let len = bytes.len() as u64;
        let range = range.unwrap_or(0..len);
        let (start, end) = (range.start.min(len), range.end.min(len));
        let mut cursor = Cursor::new(bytes);
        cursor.set_position(start);
        Ok(Box::new(cursor.take(end.saturating_sub(start))))
    }

    fn size(&self, key: &Key) -> Result<Option<u64>> {
        Ok(self.objects().get(key).map(|b| b.len() as u64))
    }

    fn list(&self, prefix: &Key) -> Result<Vec<Key>> {
        Ok(below(&self.objects(), prefix))
    }

    fn each_object(&self, area: Area, each: &mut dyn FnMut(Found) -> Result<()>) -> Result<()> {
        let found =
            |(key, bytes): (&Key, &Arc<[u8]>)| Found { key: key.clone(), bytes: bytes.len() as u64, written: None };
        let of_area: Vec<Found> = self.objects().iter().filter(|(key, _)| key.area() == area).map(found).collect();
        of_area.into_iter().try_for_each(each)
    }

    fn remove(&self, prefix: &Key) -> Result<()> {
        let mut objects = self.objects();
        for key in below(&objects, prefix) {
            objects.remove(&key);
        }
        Ok(())
    }

    fn local_path(&self, _: &Key) -> Option<PathBuf> {
        None
    }
}

type Shared = Arc<Mutex<Vec<u8>>>;

struct Memory {
    prefix: Key,
    files: Vec<(Key, Shared)>,
}

struct Sink(Shared);

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Deposit for Memory {
    fn create(&mut self, name: &str, _size: Option<u64>) -> Result<Box<dyn Write + Send>> {
        let key = self.prefix.join(name)?;
        if self.files.iter().any(|(k, _)| *k == key) {
            return Err(Error::new(crate::error::Kind::Conflict, format!("{key} is twice in one deposit")));
        }
        let bytes = Shared::default();
        self.files.push((key, bytes.clone()));
        Ok(Box::new(Sink(bytes)))
    }

    fn repeat(&mut self, name: &str, of: &str) -> Result<()> {
        let key = self.prefix.join(of)?;
        let bytes = self.files.iter().find(|(k, _)| *k == key).map(|(_, bytes)| bytes.clone());
        let bytes = bytes.ok_or_else(|| Error::not_found(format!("{key} is not in the deposit")))?;
        let bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner).clone();
        self.create(name, None)?.write_all(&bytes).doing(|| "cannot write to memory")
    }

    fn adopt(&mut self, name: &str, path: &Path) -> Result<()> {
        let bytes = std::fs::read(path).doing(|| format!("cannot read {}", path.display()))?;
        self.create(name, None)?.write_all(&bytes).doing(|| "cannot write to memory")
    }

    fn discard(&mut self, name: &str) -> Result<()> {
        let key = self.prefix.join(name)?;
        self.files.retain(|(k, _)| *k != key);
        Ok(())
    }

    fn place(&mut self, prefix: &Key) -> Result<()> {
        for (key, _) in &mut self.files {
            *key = prefix
                .join(key.as_str().strip_prefix(self.prefix.as_str()).unwrap_or_default().trim_start_matches('/'))?;
        }
        self.prefix = prefix.clone();
        Ok(())
    }

    fn local_path(&self, _: &str) -> Option<PathBuf> {
        None
    }

    fn finish(self: Box<Self>) -> Result<Staged> {
        let take = |bytes: Shared| std::mem::take(&mut *bytes.lock().unwrap_or_else(PoisonError::into_inner));
        let files = self.files.into_iter().map(|(key, bytes)| (key, take(bytes))).collect();
        Ok(Staged { prefix: self.prefix, held: Held::Memory(files) })
    }
}
