//! Another file in an asset's place. It becomes a generation and a version of the asset's object; the old one stays what is
//! shown until everything that is to follow it is there.

use std::{
    collections::HashSet,
    fs::File,
    io::{Read, Seek, SeekFrom, Write},
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

use rustix::fs::OFlags;

use crate::{
    catalog::{AssetRow, Catalog, RolledBack},
    digest::{Digest, FINGERPRINT, Hasher, fingerprint},
    error::{Doing, Error, Kind, Result},
    media::{self, child::ChildProcess, sniff},
    model::{AssetId, Key, Master, MediaFacts, RawPath, Role},
    profile::{Entry, Profile},
    spool::Spool,
    stop::Stop,
    store::{Committed, Store, ocfl},
};

/// What a replacement works with.
pub struct Replace<'a> {
    /// What is known.
    pub catalog: &'a Catalog,
    /// Where masters are.
    pub store: &'a dyn Store,
    /// Measures what has to be decoded for it.
    pub child: &'a ChildProcess,
    /// For what it needs.
    pub spool: &'a Spool,
    /// What is wanted of the new generation.
    pub profile: &'a Profile,
}

/// What became of a file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Replaced {
    /// The asset has these bytes: nothing was done.
    Same,
    /// It is a generation that waits for its renditions.
    Waits {
        /// Its number.
        generation: u32,
    },
    /// Nothing had to be waited for: it is the active generation.
    Active {
        /// Its number.
        generation: u32,
    },
}

/// Puts a file in the place of an asset's main file.
///
/// Errors: `Conflict` when another asset or an earlier generation has the bytes, or another replacement waits;
/// `Unsupported` for an asset of several files that are shown; `Invalid` for what is no file, is empty or of another kind.
pub fn replace(what: &Replace<'_>, asset: AssetId, path: &Path, stop: &Stop) -> Result<Replaced> {
    let Replace { catalog, store, .. } = what;
    let row = catalog.asset(asset)?;
    let main = main_of(&row)?;
    let mut file = open(path)?;
    let (digest, bytes, head, print) = read(&mut file, path, stop)?;
    if digest == main.digest {
        return Ok(Replaced::Same);
    }
    let name = RawPath::new(path.file_name().unwrap_or_default()).file_name_text();
    if let Some(waits) = catalog.pending(Some(asset))?.first() {
        return match waits.master == digest {
            true => Ok(Replaced::Waits { generation: waits.generation }),
            false => {
                Err(Error::new(Kind::Conflict, format!("generation {} of {asset} waits already", waits.generation))
                    .hint(format!(
                        "'damctl transcode --asset {asset}' goes on with it; 'damctl rollback {asset}' gives it up"
                    )))
            }
        };
    }
    if let Some(holder) = catalog.holder(&digest)? {
        let of = catalog.generations(asset)?.into_iter().find(|(_, of)| *of == digest).map(|(n, _)| n);
        let e = match of {
            Some(n) => Error::new(Kind::Conflict, format!("generation {n} of {asset} has these bytes"))
                .hint(format!("'damctl rollback {asset} --to {n}' brings it back")),
            None => Error::new(Kind::Conflict, format!("asset {holder} has these bytes"))
                .hint("bytes are kept once: describe that asset, or retire one of the two"),
        };
        return Err(e);
    }
    let (kind, _) = sniff::sniff(&head[..head.len().min(sniff::HEAD)]);
    if kind != main.facts.kind {
        let message = format!("{} is of kind '{kind}', and the asset is of '{}'", path.display(), main.facts.kind);
        return Err(
            Error::invalid(message).hint("what is something else is another asset: 'damctl ingest' takes it in")
        );
    }
    let facts = measure(what, path, &head, stop)?;
    let root = ocfl::object_root(asset)?;
    let key = match lying(*store, &root, &digest)? {
        // An earlier attempt died before it could tell the catalog.
        Some(key) => key,
        None => {
            let created = jiff::Timestamp::from_millisecond(catalog.now()?).unwrap_or_default().to_string();
            let file = New { digest, bytes, name: &name, replaces: main.digest };
            write(*store, asset, &root, &file, (&mut open(path)?, path, stop), &created)?
        }
    };
    crate::crash::point("replace.before-catalog");
    let new =
        Master { asset, generation: 0, role: Role::Main, name, digest, bytes, fingerprint: Some(print), key, facts };
    let wanted = successors(catalog, what.profile, &row, &new.facts)?;
    let generation = catalog.begin_replacement(asset, &new, &wanted)?;
    crate::crash::point("replace.after-catalog");
    Ok(match catalog.pending(Some(asset))?.is_empty() {
        true => Replaced::Active { generation },
        false => Replaced::Waits { generation },
    })
}

/// Looks again what the generations that wait are to have, by this profile; those that have it become active. Says which.
pub fn expect(catalog: &Catalog, profile: &Profile) -> Result<Vec<AssetId>> {
    let mut active = Vec::new();
    for waits in catalog.pending(None)? {
        let row = catalog.asset(waits.asset)?;
        let Some(new) = catalog.generation(waits.asset, waits.generation)? else { continue };
        let wanted = successors(catalog, profile, &row, &main_of(&new)?.facts)?;
        if catalog.expect_renditions(waits.asset, &wanted)? {
            active.push(waits.asset);
        }
    }
    Ok(active)
}

/// Brings an earlier generation back: the one before what is active, or one by its number. One that waits is given up
/// first, if no other is named.
///
/// Errors: `NotFound` when there is none, or the store has lost its bytes.
pub fn rollback(
    catalog: &Catalog,
    store: &dyn Store,
    asset: AssetId,
    to: Option<u32>,
    actor: &str,
) -> Result<RolledBack> {
    let row = catalog.asset(asset)?;
    if to.is_none()
        && let Some(generation) = catalog.give_up_replacement(asset, actor)?
    {
        return Ok(RolledBack::GaveUp { generation });
    }
    let main = main_of(&row)?;
    let all = catalog.generations(asset)?;
    let of = match to {
        Some(n) => n,
        None => {
            // One that waited and was given up was never shown. A rebuilt catalog does not know which that were.
            let told = catalog.generation_before(asset)?;
            let before = all.iter().rev().filter(|(n, _)| *n < main.generation);
            let other = before.clone().find(|(_, digest)| *digest != main.digest).map(|(n, _)| *n);
            told.or(other).ok_or_else(|| Error::not_found(format!("asset {asset} has no earlier generation")))?
        }
    };
    let Some(earlier) = catalog.generation(asset, of)? else {
        let there: Vec<String> = all.iter().map(|(n, _)| n.to_string()).collect();
        return Err(Error::not_found(format!("asset {asset} has no generation {of}"))
            .hint(format!("it has {}", there.join(", "))));
    };
    if main_of(&earlier)?.digest == main.digest {
        return Err(Error::new(Kind::Conflict, format!("generation {of} of {asset} is what is active")));
    }
    for master in &earlier.masters {
        if store.size(&master.key)? != Some(master.bytes) {
            return Err(Error::not_found(format!("the store has lost {}", master.key))
                .hint("'damctl verify' tells what is missing; nothing was changed"));
        }
    }
    // Where the asset's own object has all of it, its history tells of the step as well.
    let root = ocfl::object_root(asset)?;
    if let Some(inventory) = inventory(store, &root)? {
        let created = jiff::Timestamp::from_millisecond(catalog.now()?).unwrap_or_default().to_string();
        let digests: Vec<Digest> = earlier.masters.iter().map(|m| m.digest).collect();
        if let Some(next) = inventory.again(&digests, (&created, format!("generation {of} again")))? {
            add_version(store, &root, &next)?;
        }
    }
    crate::crash::point("rollback.before-catalog");
    let generation = catalog.roll_back(asset, of, actor)?;
    Ok(RolledBack::Back { of, generation })
}

fn main_of(row: &AssetRow) -> Result<&Master> {
    let main = row.masters.first().filter(|m| m.role == Role::Main);
    let main = main.ok_or_else(|| Error::internal(format!("asset {} has no main file", row.asset.id)))?;
    if row.masters.iter().any(|m| matches!(m.role, Role::Chapter | Role::Member)) {
        return Err(Error::unsupported(format!("asset {} is of several files that belong together", row.asset.id))
            .hint("one of them cannot take the place of all: ingest the new files as an asset of their own"));
    }
    Ok(main)
}

/// What is to be there before the step: what the profile wants of the new master and the old one has.
fn successors(catalog: &Catalog, profile: &Profile, row: &AssetRow, new: &MediaFacts) -> Result<Vec<(String, Digest)>> {
    let main = main_of(row)?.digest;
    let has: HashSet<String> =
        catalog.renditions_of(row.asset.id)?.into_iter().filter(|r| r.master == main).map(|r| r.entry).collect();
    // What is made with words is not waited for: nobody has heard the new master yet.
    let is_waited_for = |e: &&Entry| has.contains(&e.name) && e.is_wanted_of(new) && !e.needs_words();
    let wanted = profile.wanted(row.asset.kind).iter().filter(is_waited_for);
    Ok(wanted.map(|e| (e.name.clone(), e.recipe())).collect())
}

/// Opens a file: never a pipe that would block.
fn open(path: &Path) -> Result<File> {
    let doing = || format!("cannot open {}", path.display());
    let file = File::options().read(true).custom_flags(OFlags::NONBLOCK.bits() as i32).open(path).doing(doing)?;
    let meta = file.metadata().doing(doing)?;
    match (meta.is_file(), meta.len()) {
        (false, _) => Err(Error::invalid(format!("{} is not a file", path.display()))),
        (true, 0) => Err(Error::invalid(format!("{} is empty", path.display()))),
        _ => Ok(file),
    }
}

/// SHA-256, size, head, and what tells a likely copy.
fn read(file: &mut File, path: &Path, stop: &Stop) -> Result<(Digest, u64, Vec<u8>, Digest)> {
    let doing = || format!("cannot read {}", path.display());
    let (digest, bytes) = Hasher::read_all(&mut *file, |_| stop.check())?;
    let mut end = |from: SeekFrom| -> Result<Vec<u8>> {
        let mut part = Vec::new();
        file.seek(from).doing(doing)?;
        file.take(FINGERPRINT as u64).read_to_end(&mut part).doing(doing)?;
        Ok(part)
    };
    let head = end(SeekFrom::Start(0))?;
    let tail = end(SeekFrom::Start(bytes.saturating_sub(FINGERPRINT as u64)))?;
    let print = fingerprint(bytes, &head, &tail);
    Ok((digest, bytes, head, print))
}

fn measure(what: &Replace<'_>, path: &Path, head: &[u8], stop: &Stop) -> Result<MediaFacts> {
    let head = &head[..head.len().min(sniff::HEAD)];
    match media::measure(path, head, what.child, what.spool, stop) {
        Err(e) if matches!(e.kind(), Kind::Stopped | Kind::Paused) => Err(e),
        Err(e) => Err(Error::invalid(format!("{} could not be measured: {}", path.display(), e.one_line()))),
        measured => measured,
    }
}

/// What an object's inventory says. What a writer left that died is ended first: the folder of a version that is complete
/// counts though the root does not tell of it, and a sidecar follows its inventory.
fn inventory(store: &dyn Store, root: &Key) -> Result<Option<ocfl::Inventory>> {
    let Some(inventory) = ocfl::Inventory::read(store, root)? else { return Ok(None) };
    let folder = |version: u32| root.join(&format!("v{version}"));
    if let Ok(next) = ocfl::Inventory::checked(store, &folder(inventory.head()? + 1)?)? {
        next.publish(store, root)?;
        return Ok(Some(next));
    }
    if let Err(why) = ocfl::Inventory::checked(store, root)? {
        // Whoever changed one by hand has not changed both.
        if ocfl::Inventory::checked(store, &folder(inventory.head()?)?)?.as_ref() != Ok(&inventory) {
            return Err(Error::corrupt(format!("the inventory of {root} {why}"))
                .hint("'damctl verify' tells more; nothing was changed"));
        }
        inventory.publish(store, root)?;
    }
    Ok(Some(inventory))
}

/// Where bytes lie in an asset's object, if they do.
fn lying(store: &dyn Store, root: &Key, digest: &Digest) -> Result<Option<Key>> {
    let Some(inventory) = inventory(store, root)? else { return Ok(None) };
    inventory.path_of(digest).map(|path| root.join(path)).transpose()
}

struct New<'a> {
    digest: Digest,
    bytes: u64,
    name: &'a str,
    replaces: Digest,
}

/// Writes the file as the first or the next version of the asset's object; says where it is.
fn write(
    store: &dyn Store,
    asset: AssetId,
    root: &Key,
    new: &New<'_>,
    (file, path, stop): (&mut File, &Path, &Stop),
    created: &str,
) -> Result<Key> {
    let segment = Key::segment(new.name.as_bytes());
    let files = [(new.digest, segment.clone(), new.name.to_owned())];
    let message = format!("replaced by {}", new.name);
    let earlier = inventory(store, root)?;
    let (new_inventory, folder, content) = match &earlier {
        None => (ocfl::Inventory::first(asset, &files, created, message), root.clone(), ocfl::content_path(&segment)),
        Some(earlier) => {
            let next = earlier.next(&[new.replaces], &files, (created, message))?;
            let folder = root.join(&format!("v{}", next.head()?))?;
            (next, folder, format!("content/{segment}"))
        }
    };
    for is_again in [false, true] {
        let mut deposit = store.stage(&folder)?;
        copy(file, path, new, &mut *deposit.create(&content, Some(new.bytes))?, stop)?;
        deposit.known(&content, new.digest);
        match earlier {
            None => new_inventory.complete(&mut *deposit)?,
            Some(_) => new_inventory.complete_version(&mut *deposit)?,
        }
        crate::crash::point("replace.before-commit");
        let committed = store.commit(vec![deposit.finish()?])?;
        if committed == [Committed::New] {
            break;
        }
        let is_whole = store.size(&folder.join("inventory.json.sha256")?)?.is_some();
        if is_again || is_whole {
            return Err(Error::new(Kind::Conflict, format!("somebody else has written {folder} just now"))
                .hint("run the same command again"));
        }
        // What a writer left that died half way, with other bytes.
        store.remove(&folder)?;
        file.seek(SeekFrom::Start(0)).doing(|| format!("cannot read {}", path.display()))?;
    }
    crate::crash::point("replace.after-commit");
    if earlier.is_some() {
        new_inventory.publish(store, root)?;
    }
    folder.join(&content)
}

/// Copies a file whose digest is known, and finds out whether it still is what it was.
fn copy(file: &mut File, path: &Path, new: &New<'_>, to: &mut dyn Write, stop: &Stop) -> Result<()> {
    let mut hasher = Hasher::new();
    let (mut block, mut bytes) = (vec![0; 1 << 20], 0);
    loop {
        stop.check()?;
        let n = file.read(&mut block).doing(|| format!("cannot read {}", path.display()))?;
        if n == 0 {
            break;
        }
        hasher.update(&block[..n]);
        bytes += n as u64;
        to.write_all(&block[..n]).doing(|| "cannot write into the store")?;
    }
    to.flush().doing(|| "cannot write into the store")?;
    match (hasher.finish(), bytes) == (new.digest, new.bytes) {
        true => Ok(()),
        false => Err(Error::new(Kind::Conflict, format!("{} changed while it was read", path.display()))
            .hint("run the same command again when nothing writes to it")),
    }
}

/// Writes a version that brings no bytes of its own.
fn add_version(store: &dyn Store, root: &Key, next: &ocfl::Inventory) -> Result<()> {
    let folder = root.join(&format!("v{}", next.head()?))?;
    let mut deposit = store.stage(&folder)?;
    next.complete_version(&mut *deposit)?;
    if store.commit(vec![deposit.finish()?])? != [Committed::New] {
        return Err(Error::new(Kind::Conflict, format!("somebody else has written {folder} just now"))
            .hint("run the same command again"));
    }
    next.publish(store, root)
}
