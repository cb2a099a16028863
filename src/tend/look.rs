//! One look at one stored object: what the store says of it, some of its bytes, or all of them.

use std::{
    fmt,
    hash::{BuildHasher, RandomState},
    io::Read,
    ops::Range,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};

use crate::{
    catalog::{Archived, Catalog},
    digest::{Digest, FINGERPRINT, Hasher, fingerprint},
    error::{Doing, Error, Kind, Result},
    model::{Key, Rendition},
    pace::Pace,
    stop::Stop,
    store::{Availability, Store, Upload, ocfl},
};

/// Up to this size, a sample is the whole object.
const SMALL: u64 = 8 << 20;

/// How closely objects are looked at.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Level {
    /// What the store says: that it has the object, its size, and its checksum of it where there is one to compare.
    Head,
    /// Also some of the bytes: small objects whole; of large ones the first, the last and two other parts that they went
    /// up in; of those that went up as a whole both ends, where their fingerprint is known.
    Sample,
    /// All bytes.
    #[default]
    Full,
}

/// What is wrong with an object.
#[derive(Clone, Debug, PartialEq)]
pub enum Finding {
    /// It is not there.
    Missing,
    /// It has another size.
    Size {
        /// As the catalog says.
        expected: u64,
        /// As the store says.
        found: u64,
    },
    /// A master's own inventory, by which it can be read without the catalog, does not say what it should.
    Inventory(&'static str),
    /// Its bytes are others.
    Damaged {
        /// As the catalog says.
        expected: Digest,
        /// As it was read.
        found: Digest,
    },
    /// Bytes of this range are others.
    Range(Range<u64>),
    /// Its first or last bytes are others.
    Ends,
    /// The copy in another store, from which it was to be repaired, has other bytes.
    Copy {
        /// That store.
        place: String,
    },
}

impl Level {
    /// The word that the history of an object has.
    pub fn as_str(self) -> &'static str {
        match self {
            Level::Head => "head",
            Level::Sample => "sample",
            Level::Full => "full",
        }
    }

    /// Those that look at least as closely.
    pub(super) fn and_closer(self) -> &'static [&'static str] {
        match self {
            Level::Head => &["head", "sample", "full"],
            Level::Sample => &["sample", "full"],
            Level::Full => &["full"],
        }
    }

    /// How many bytes of an object are read, at most.
    pub(super) fn cost(self, bytes: u64) -> u64 {
        match self {
            Level::Head => 0,
            Level::Sample if bytes > SMALL => (4 * SMALL).min(bytes),
            _ => bytes,
        }
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Finding::Missing => f.write_str("the store does not have it"),
            Finding::Size { expected, found } => write!(f, "it has {found} bytes, not {expected}"),
            Finding::Inventory(why) => write!(f, "its inventory {why}"),
            Finding::Damaged { expected, found } => write!(f, "SHA-256 is {found}, not {expected}"),
            Finding::Range(range) => {
                write!(f, "bytes {} to {} are not those that were stored", range.start, range.end - 1)
            }
            Finding::Ends => f.write_str("its first and last bytes are not those that were stored"),
            Finding::Copy { place } => write!(f, "the copy in {place} has other bytes, and was not used"),
        }
    }
}

/// An object to look at, and what it belongs to.
pub(super) struct Object {
    pub(super) key: Key,
    pub(super) digest: Digest,
    pub(super) bytes: u64,
    pub(super) fingerprint: Option<Digest>,
    pub(super) of: Owner,
}

pub(super) enum Owner {
    Master,
    /// One of its files.
    Rendition(Arc<Rendition>),
}

/// How closely an object was looked at in the end.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    Seen,
    Sampled,
    Whole,
}

/// Looks at objects.
pub(super) struct Looker<'a> {
    pub(super) catalog: &'a Catalog,
    pub(super) store: &'a dyn Store,
    pub(super) level: Level,
    pub(super) stop: &'a Stop,
    /// How fast.
    pub(super) pace: Option<&'a Pace>,
    /// Bytes read.
    pub(super) bytes: AtomicU64,
    /// Whether masters may be where they cannot be read.
    has_archived: bool,
    /// The inventory that was read last: many small masters lie in one object.
    last: Mutex<Option<(Key, Arc<Said>)>>,
}

/// What an object's inventory says; an error says what is wrong with it.
type Said = Result<ocfl::Inventory, &'static str>;

impl<'a> Looker<'a> {
    pub(super) fn new(catalog: &'a Catalog, store: &'a dyn Store, level: Level, stop: &'a Stop) -> Result<Self> {
        let has_archived = catalog.has_archived()?;
        Ok(Self {
            catalog,
            store,
            level,
            stop,
            pace: None,
            bytes: AtomicU64::new(0),
            has_archived,
            last: Mutex::default(),
        })
    }

    /// Of a master that is archived: what the store says of it, and its bytes where they can be read all the same. None of all
    /// others.
    fn look_from_afar(&self, object: &Object) -> Result<Option<(Depth, Option<Finding>)>> {
        if !self.has_archived || !matches!(object.of, Owner::Master) {
            return Ok(None);
        }
        let known = self.catalog.archived_among(&[object.digest])?;
        if known.get(&object.digest).is_none_or(Archived::is_readable) {
            return Ok(None);
        }
        let (expected, found) = (object.bytes, self.store.size(&object.key)?);
        Ok(match self.store.availability(&object.key)? {
            None => Some((Depth::Seen, Some(Finding::Missing))),
            Some(Availability::Online { .. }) => None,
            Some(_) => Some(match found.filter(|n| *n != expected) {
                Some(found) => (Depth::Seen, Some(Finding::Size { expected, found })),
                None if self.level == Level::Head || !self.store.reads_offline() => (Depth::Seen, None),
                None => self.bytes_of(object, self.store.open_offline(&object.key)?)?,
            }),
        })
    }

    /// What is wrong with the inventory of the object that a master lies in, if anything.
    fn inventory(&self, master: &Key, digest: &Digest) -> Result<Option<&'static str>> {
        let Some(root) = ocfl::root_of(master) else { return Ok(Some("cannot be: it lies in no object")) };
        let lock = || self.last.lock().unwrap_or_else(PoisonError::into_inner);
        let known = lock().as_ref().filter(|(key, _)| *key == root).map(|(_, said)| said.clone());
        let said = match known {
            Some(said) => said,
            None => {
                let said = Arc::new(ocfl::Inventory::checked(self.store, &root)?);
                *lock() = Some((root, said.clone()));
                said
            }
        };
        Ok(match &*said {
            Ok(inventory) => (!inventory.holds(digest)).then_some("does not name these bytes"),
            Err(why) => Some(*why),
        })
    }

    /// Forgets what was read of inventories: one was written anew.
    pub(super) fn forget_inventories(&self) {
        *self.last.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// What is wrong with an object, and how closely that was looked for.
    pub(super) fn look(&self, object: &Object) -> Result<(Depth, Option<Finding>)> {
        let (depth, finding) = self.look_at_bytes(object)?;
        Ok(match (&finding, &object.of) {
            (None, Owner::Master) if self.level != Level::Head => {
                (depth, self.inventory(&object.key, &object.digest)?.map(Finding::Inventory))
            }
            _ => (depth, finding),
        })
    }

    fn look_at_bytes(&self, object: &Object) -> Result<(Depth, Option<Finding>)> {
        if let Some(looked) = self.look_from_afar(object)? {
            return Ok(looked);
        }
        if self.level == Level::Full {
            return self.whole(object);
        }
        let made_of = match object.of {
            Owner::Master => self.catalog.parts_of(&object.digest, object.bytes)?,
            Owner::Rendition(_) => None,
        };
        let Some(there) = self.store.look(&object.key, &object.digest, made_of.as_ref())? else {
            return Ok((Depth::Seen, Some(Finding::Missing)));
        };
        if there.bytes != object.bytes {
            return Ok((Depth::Seen, Some(Finding::Size { expected: object.bytes, found: there.bytes })));
        }
        // An ETag is also another one after a copy from bucket to bucket: only the bytes tell.
        if there.agrees == Some(false) || (self.level == Level::Sample && object.bytes <= SMALL) {
            return self.whole(object);
        }
        match (self.level, made_of, object.fingerprint) {
            (Level::Sample, Some(upload), _) => Ok((Depth::Sampled, self.parts(object, &upload)?)),
            (Level::Sample, None, Some(expected)) => Ok((Depth::Sampled, self.ends(object, expected)?)),
            _ => Ok((Depth::Seen, None)),
        }
    }

    fn whole(&self, object: &Object) -> Result<(Depth, Option<Finding>)> {
        let reader = match self.store.open(&object.key, None) {
            Ok(reader) => reader,
            Err(e) if e.kind() == Kind::NotFound => return Ok((Depth::Whole, Some(Finding::Missing))),
            Err(e) => return Err(e),
        };
        self.bytes_of(object, reader)
    }

    fn bytes_of(&self, object: &Object, reader: Box<dyn std::io::Read + Send>) -> Result<(Depth, Option<Finding>)> {
        let (found, _) = Hasher::read_all(reader, |n| self.tick(n))?;
        let expected = object.digest;
        Ok((Depth::Whole, (found != expected).then_some(Finding::Damaged { expected, found })))
    }

    /// The first, the last and two other parts.
    fn parts(&self, object: &Object, upload: &Upload) -> Result<Option<Finding>> {
        let count = upload.parts.len();
        let mut chosen: Vec<usize> = (0..count).collect();
        // Others each time.
        let random = RandomState::new();
        chosen.sort_by_key(|at| (*at != 0 && *at != count - 1, random.hash_one(at)));
        for at in chosen.into_iter().take(4) {
            let start = at as u64 * upload.part_bytes;
            let range = start..start + upload.parts[at].bytes;
            let (found, _) = Hasher::read_all(self.store.open(&object.key, Some(range.clone()))?, |n| self.tick(n))?;
            if found != upload.parts[at].digest {
                return Ok(Some(Finding::Range(range)));
            }
        }
        Ok(None)
    }

    fn ends(&self, object: &Object, expected: Digest) -> Result<Option<Finding>> {
        let length = object.bytes.min(FINGERPRINT as u64);
        let read = |range: Range<u64>| -> Result<Vec<u8>> {
            let mut bytes = Vec::new();
            let mut reader = self.store.open(&object.key, Some(range))?;
            reader.read_to_end(&mut bytes).doing(|| format!("cannot read {}", object.key))?;
            self.tick(bytes.len() as u64)?;
            Ok(bytes)
        };
        let (head, tail) = (read(0..length)?, read(object.bytes - length..object.bytes)?);
        Ok((fingerprint(object.bytes, &head, &tail) != expected).then_some(Finding::Ends))
    }

    fn tick(&self, bytes: u64) -> Result<(), Error> {
        self.bytes.fetch_add(bytes, Ordering::Relaxed);
        self.stop.check()?;
        self.pace.map_or(Ok(()), |pace| pace.spend(bytes, self.stop))
    }
}
