//! Where the vectors of a shard lie: beside the index, in files that only grow, each of one recipe. An asset's document says
//! where those of its passages begin and how many they are, so that they come and go with it, in its commit.
//!
//! A file: 8 bytes that say what it is, u32 numbers a vector, the recipe in hexadecimal, up to [`HEAD`]; then records, each the
//! vector as it is kept, u32 of how far before its asset the passage's first moment lies and of how many it has, and the first
//! four bytes of the SHA-256 of all that. Little-endian.

use std::{
    collections::HashMap,
    fs::{self, File},
    io::{Read, Seek, SeekFrom, Write},
    ops::Range,
    path::{Path, PathBuf},
};

use tantivy::{
    DocId,
    directory::{Directory, MmapDirectory, OwnedBytes},
};

use super::{document::Passage, failed};
use crate::{
    digest::Digest,
    error::{Doing, Error, Result},
};

const MAGIC: &[u8; 8] = b"DAMVEC1\n";
const HEAD: usize = 128;
/// Behind the vector of a record.
const TAIL: usize = 12;
const SUM: usize = 4;
/// Where the number of the file stands in a place.
const SHIFT: u32 = 40;
/// Most files that are looked for: there is one for each recipe.
const MOST: u64 = 1 << 20;

/// Bytes of a vector of so many numbers, as it is kept.
fn kept(numbers: usize) -> usize {
    4 + numbers
}

fn folder(shard: &Path) -> PathBuf {
    shard.join("vectors")
}

fn name(number: u64) -> String {
    format!("{number}.vec")
}

/// The name of the file that a place lies in.
pub(super) fn name_of(place: u64) -> String {
    name(place >> SHIFT)
}

fn numbered(entry: &fs::DirEntry) -> Option<u64> {
    entry.file_name().to_str()?.strip_suffix(".vec")?.parse().ok().filter(|n| *n < MOST)
}

/// The numbers of the files of a shard.
fn numbers(shard: &Path) -> Result<Vec<u64>> {
    let dir = folder(shard);
    match fs::read_dir(&dir) {
        Ok(list) => {
            let mut all: Vec<u64> = list.flatten().filter_map(|entry| numbered(&entry)).collect();
            all.sort_unstable();
            Ok(all)
        }
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(crate::error::io(format!("cannot list {}", dir.display()), e)),
    }
}

/// The recipe and the numbers a vector of a file, by its first bytes.
fn read_head(bytes: &[u8]) -> Option<(Digest, usize)> {
    let rest = bytes.get(..HEAD)?.strip_prefix(MAGIC)?;
    let (numbers, rest) = rest.split_first_chunk()?;
    let recipe = std::str::from_utf8(rest.get(..64)?).ok()?.parse().ok()?;
    Some((recipe, u32::from_le_bytes(*numbers) as usize)).filter(|(_, numbers)| *numbers > 0)
}

fn head(recipe: &Digest, numbers: usize) -> Vec<u8> {
    let mut head = MAGIC.to_vec();
    head.extend((numbers as u32).to_le_bytes());
    head.extend(recipe.to_string().into_bytes());
    head.resize(HEAD, 0);
    head
}

/// Writes vectors of one shard. Whoever has the shard's lock has one.
pub(super) struct Appender {
    shard: PathBuf,
    files: HashMap<(Digest, usize), Growing>,
}

struct Growing {
    number: u64,
    file: File,
    path: PathBuf,
    records: u64,
    /// What is not written yet.
    waiting: Vec<u8>,
}

impl Appender {
    pub(super) fn new(shard: &Path) -> Self {
        Self { shard: shard.to_owned(), files: HashMap::new() }
    }

    /// Adds the vectors of an asset that has so many moments; says the place of the first. They are good once
    /// [`Self::sync`] has written them through.
    pub(super) fn add(&mut self, recipe: &Digest, passages: &[Passage], moments: u32) -> Result<Option<u64>> {
        let Some(numbers) = passages.first().map(|p| p.vector.len()) else { return Ok(None) };
        if passages.iter().any(|p| p.vector.len() != numbers) {
            return Err(Error::internal("vectors of one recipe are of several lengths"));
        }
        let key = (*recipe, numbers);
        if !self.files.contains_key(&key) {
            self.files.insert(key, self.open(recipe, numbers)?);
        }
        let Some(file) = self.files.get_mut(&key) else { return Ok(None) };
        let place = file.number << SHIFT | file.records;
        for passage in passages {
            let begin = file.waiting.len();
            file.waiting.extend(passage.vector.bytes());
            file.waiting.extend(moments.saturating_sub(passage.moments.start).to_le_bytes());
            file.waiting.extend((passage.moments.len() as u32).to_le_bytes());
            let sum = Digest::of(&file.waiting[begin..]);
            file.waiting.extend(&sum.as_bytes()[..SUM]);
            file.records += 1;
        }
        Ok(Some(place))
    }

    fn open(&self, recipe: &Digest, numbers: usize) -> Result<Growing> {
        let known = self::numbers(&self.shard)?;
        for number in &known {
            let path = folder(&self.shard).join(name(*number));
            let file = fs::OpenOptions::new().read(true).write(true).open(&path);
            let mut file = file.doing(|| format!("cannot open {}", path.display()))?;
            let mut first = [0; HEAD];
            if file.read_exact(&mut first).is_err() || read_head(&first) != Some((*recipe, numbers)) {
                continue;
            }
            let bytes = file.metadata().doing(|| format!("cannot read {}", path.display()))?.len();
            // What was written in part when somebody was killed is written over.
            let records = (bytes - HEAD as u64) / (kept(numbers) + TAIL) as u64;
            return Ok(Growing { number: *number, file, path, records, waiting: Vec::new() });
        }
        let number = known.last().map_or(1, |last| last + 1);
        let dir = folder(&self.shard);
        fs::create_dir_all(&dir).doing(|| format!("cannot make {}", dir.display()))?;
        let path = dir.join(name(number));
        let mut file = File::create_new(&path).doing(|| format!("cannot make {}", path.display()))?;
        file.write_all(&head(recipe, numbers)).doing(|| format!("cannot write {}", path.display()))?;
        for dir in [dir.as_path(), &self.shard] {
            File::open(dir).and_then(|dir| dir.sync_all()).doing(|| format!("cannot write {}", dir.display()))?;
        }
        Ok(Growing { number, file, path, records: 0, waiting: Vec::new() })
    }

    /// Writes through to the disk what was added.
    pub(super) fn sync(&mut self) -> Result<()> {
        for ((_, numbers), growing) in &mut self.files {
            if growing.waiting.is_empty() {
                continue;
            }
            let record = (kept(*numbers) + TAIL) as u64;
            let begin = HEAD as u64 + growing.records * record - growing.waiting.len() as u64;
            let mut write = || {
                growing.file.seek(SeekFrom::Start(begin))?;
                growing.file.write_all(&growing.waiting)?;
                growing.file.sync_data()
            };
            write().map_err(|e| crate::error::io(format!("cannot write {}", growing.path.display()), e))?;
            growing.waiting.clear();
        }
        Ok(())
    }
}

/// A file of vectors, mapped as long as it was when it was opened.
pub(super) struct Vectors {
    number: u64,
    pub(super) recipe: Digest,
    pub(super) path: PathBuf,
    numbers: usize,
    bytes: OwnedBytes,
}

impl Vectors {
    /// Those of a shard.
    pub(super) fn open(shard: &Path) -> Result<Vec<Self>> {
        let mut all = Vec::new();
        let numbers = numbers(shard)?;
        if numbers.is_empty() {
            return Ok(all);
        }
        // Each time anew: one that is kept hands out files as short as they were before.
        let dir =
            MmapDirectory::open(folder(shard)).map_err(|e| Error::unavailable("cannot open the index").because(e))?;
        for number in numbers {
            let file =
                dir.open_read(Path::new(&name(number))).map_err(|e| failed("cannot open the index")(e.into()))?;
            let bytes = file.read_bytes().map_err(|e| crate::error::io("cannot read the index", e))?;
            // One whose beginning was not written through has nothing that a document knows of.
            if let Some((recipe, numbers)) = read_head(&bytes) {
                all.push(Self { number, recipe, path: folder(shard).join(name(number)), numbers, bytes });
            }
        }
        Ok(all)
    }

    /// How many records it has, those that nothing leads to included.
    pub(super) fn len(&self) -> usize {
        (self.bytes.len() - HEAD) / self.record()
    }

    /// Its length in bytes.
    pub(super) fn bytes(&self) -> u64 {
        self.bytes.len() as u64
    }

    fn record(&self) -> usize {
        kept(self.numbers) + TAIL
    }

    /// Whether a place lies in it.
    pub(super) fn has(&self, place: u64) -> bool {
        place >> SHIFT == self.number
    }

    /// So many records from a place on.
    fn records(&self, place: u64, count: u64) -> Result<impl Iterator<Item = &[u8]>> {
        let first = usize::try_from(place & ((1 << SHIFT) - 1)).ok();
        let range = first.zip(usize::try_from(count).ok()).and_then(|(first, count)| {
            let begin = first.checked_mul(self.record())?.checked_add(HEAD)?;
            Some(begin..begin.checked_add(count.checked_mul(self.record())?)?)
        });
        let bytes = range.and_then(|range| self.bytes.get(range)).ok_or_else(damaged)?;
        Ok(bytes.chunks_exact(self.record()))
    }

    /// So many vectors from a place on, as they are kept.
    pub(super) fn vectors(&self, place: u64, count: u64) -> Result<impl Iterator<Item = &[u8]>> {
        let kept = kept(self.numbers);
        Ok(self.records(place, count)?.map(move |record| &record[..kept]))
    }

    /// An asset's passages: each vector, as it is kept, and the documents of its moments; no documents: it is about the asset as a
    /// whole. None of a record that is not as it was written.
    pub(super) fn passages(
        &self,
        asset: DocId,
        place: u64,
        count: u64,
    ) -> Result<impl Iterator<Item = Option<(&[u8], Range<DocId>)>>> {
        let kept = kept(self.numbers);
        let number = |bytes: &[u8]| bytes.first_chunk().map_or(0, |bytes| u32::from_le_bytes(*bytes));
        Ok(self.records(place, count)?.map(move |record| {
            let first = asset.saturating_sub(number(&record[kept..]));
            let moments = first..first.saturating_add(number(&record[kept + 4..])).min(asset);
            is_sound(record).then_some((&record[..kept], moments))
        }))
    }

    /// Whether records are as they were written.
    pub(super) fn are_sound(&self, place: u64, count: u64) -> bool {
        self.records(place, count).is_ok_and(|mut records| records.all(is_sound))
    }
}

/// Whether a record is as it was written.
fn is_sound(record: &[u8]) -> bool {
    let (data, sum) = record.split_at(record.len() - SUM);
    Digest::of(data).as_bytes()[..SUM] == *sum
}

/// What is said of vectors that were left out of an answer.
pub(super) fn notice() -> String {
    "the index is damaged, and some of what things mean was left out: 'damctl index --rebuild' makes a new one"
        .to_owned()
}

/// The error of a document that leads to vectors that are not there.
pub(super) fn damaged() -> Error {
    Error::corrupt("the index is damaged: it lacks vectors").hint("'damctl index --rebuild' makes a new one")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Vector;

    fn passage(numbers: &[f32], moments: Range<u32>) -> Passage {
        Passage { moments, vector: Vector::of(numbers).unwrap() }
    }

    #[test]
    fn what_was_added_is_read_again_by_its_place_also_after_a_kill() {
        let dir = tempfile::tempdir().unwrap();
        let (one, two) = (Digest::of("one"), Digest::of("two"));
        let first = [passage(&[1.0, 0.0], 0..0), passage(&[0.0, 1.0], 2..5)];
        let place = {
            let mut to = Appender::new(dir.path());
            assert_eq!(to.add(&one, &[], 5).unwrap(), None);
            let place = to.add(&one, &first, 5).unwrap().unwrap();
            to.add(&two, &[passage(&[1.0, 1.0, 1.0], 0..1)], 5).unwrap();
            to.sync().unwrap();
            place
        };
        let all = Vectors::open(dir.path()).unwrap();
        let file = all.iter().find(|f| f.recipe == one).unwrap();
        assert!(file.has(place) && file.are_sound(place, 2));
        let moments = |file: &Vectors, asset, place, count| -> Vec<_> {
            file.passages(asset, place, count).unwrap().map(|passage| passage.map(|(_, moments)| moments)).collect()
        };
        assert_eq!(moments(file, 105, place, 2), [Some(100..100), Some(102..105)]);
        assert_eq!(file.vectors(place, 2).unwrap().next().unwrap(), first[0].vector.bytes());
        assert!(file.vectors(place, 3).is_err(), "a place behind its end is an error");
        // Half a record, as a kill leaves it.
        let mut torn = fs::OpenOptions::new().append(true).open(&file.path).unwrap();
        torn.write_all(&[7; 9]).unwrap();
        let mut to = Appender::new(dir.path());
        let next = to.add(&one, &[passage(&[-1.0, 0.0], 9..10)], 11).unwrap().unwrap();
        to.sync().unwrap();
        assert_eq!(next, place + 2);
        let again = Vectors::open(dir.path()).unwrap();
        let file = again.iter().find(|f| f.has(next)).unwrap();
        assert_eq!((file.len(), file.recipe), (3, one));
        assert!(file.are_sound(place, 3));
        assert_eq!(moments(file, 20, next, 1), [Some(18..19)]);
        // Wrong bytes lead nowhere, and the others where they did.
        let mut bytes = fs::read(&file.path).unwrap();
        bytes[HEAD + file.record() + kept(2)] ^= 4;
        fs::write(&file.path, bytes).unwrap();
        let again = Vectors::open(dir.path()).unwrap();
        let file = again.iter().find(|f| f.has(next)).unwrap();
        assert_eq!(moments(file, 105, place, 2), [Some(100..100), None]);
        assert!(!file.are_sound(place, 2) && file.are_sound(next, 1));
    }
}
