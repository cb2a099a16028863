//! Writes documents into one shard of an index.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::{Mutex, PoisonError},
};

use tantivy::{IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, TantivyError, Term, indexer::UserOperation};

use super::{
    Document, Moment, directory,
    family::{self, Told},
    folder::shard_path,
    join::ASSET,
    schema::{ALWAYS, EVERYWHERE, Fields, NEVER, analyzed, schema},
    vectors::Appender,
    words::{composed, folded, spelled, words},
};
use crate::{
    digest::Digest,
    error::{Error, Result},
    model::{AssetId, FindingKind},
    search::failed,
};

/// Memory for writing, in bytes, for each of its threads.
const BYTES: usize = 400 << 20;

/// How much more a word counts where it stands: what stands often counts hardly more than what stands three times (BM25).
const TITLE: usize = 3;
const NAMED: usize = 2;

/// Writes documents to one shard.
pub struct Writer {
    open: Mutex<Open>,
    fields: Fields,
}

struct Open {
    writer: IndexWriter,
    /// Whether it could not begin anew after an error: then it would drop what it is given.
    is_broken: bool,
    told: Told,
    vectors: Appender,
    reader: IndexReader,
    /// Assets that were written since the reader has looked: of what neither has, nothing needs to be taken out, and to
    /// look in each piece for what is not there takes time.
    since: HashSet<AssetId>,
}

impl Open {
    /// Begins anew from the last commit, for a writer whose threads have ended takes documents and forgets them. Says what they
    /// have ended of, which only who waits for them is told.
    fn begin_anew(&mut self, doing: &'static str, e: TantivyError) -> Error {
        let cause = match e {
            TantivyError::ErrorInThread(_) => self.writer.prepare_commit().map_or_else(|cause| cause, |_| e),
            e => e,
        };
        self.told.forget();
        self.is_broken = self.writer.rollback().is_err();
        failed(doing)(cause)
    }

    fn sound(&self) -> Result<()> {
        match self.is_broken {
            true => Err(Error::unavailable("the index cannot be written to after what happened before")
                .hint("run the same command again")),
            false => Ok(()),
        }
    }

    fn has(&self, asset: AssetId, term: &Term) -> Result<bool> {
        let was_there =
            || self.reader.searcher().doc_freq(term).map(|n| n > 0).map_err(failed("cannot read the index"));
        Ok(self.since.contains(&asset) || was_there()?)
    }
}

impl Writer {
    /// Opens a shard of an index for writing, with so many threads. One writer at a time: a second one hears
    /// `Unavailable`.
    pub fn open(dir: &Path, id: &str, shard: u32, threads: usize) -> Result<Self> {
        let path = shard_path(dir, id, shard);
        let vectors = Appender::new(&path);
        let index = analyzed(directory::open(&path).map_err(failed("cannot open the index"))?);
        let threads = threads.max(1);
        let writer =
            index.writer_with_num_threads(threads, threads * BYTES).map_err(failed("cannot write to the index"))?;
        // After the writer, for then nobody else writes.
        let reader = index.reader_builder().reload_policy(ReloadPolicy::Manual).try_into();
        let reader = reader.map_err(failed("cannot read the index"))?;
        let open = Open { writer, is_broken: false, told: Told::default(), vectors, reader, since: HashSet::new() };
        Ok(Self { open: Mutex::new(open), fields: schema().1 })
    }

    /// Puts these documents in the place of what the index has of their assets, and takes those of `gone` out. Nobody
    /// sees it before [`commit`](Self::commit).
    pub fn replace(&self, documents: &[Document], gone: &[AssetId]) -> Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.sound()?;
        for asset in gone {
            open.writer.delete_term(Term::from_field_bytes(self.fields.asset, asset.0.as_bytes()));
        }
        let mut new = Vec::new();
        for document in documents {
            document.each_text(&mut |text| open.told.learn(text, &mut new));
            let id = document.card.asset.0.as_bytes();
            let mut operations = Vec::with_capacity(document.moments.len() + 2);
            let itself = Term::from_field_bytes(self.fields.asset, id);
            if open.has(document.card.asset, &itself)? {
                operations.push(UserOperation::Delete(itself));
            }
            open.since.insert(document.card.asset);
            let written: Vec<String> = document.moments.iter().map(Moment::written).collect();
            for (moment, written) in document.moments.iter().zip(&written) {
                operations.push(UserOperation::Add(self.moment(id, moment, written)));
            }
            let mut asset = self.asset(document, document.digest_with(&written))?;
            if let Some(meaning) = &document.meaning {
                let place = open.vectors.add(&meaning.recipe, &meaning.passages, written.len() as u32)?;
                if let Some(place) = place {
                    asset.add_u64(self.fields.vectors, place);
                    asset.add_u64(self.fields.passages, meaning.passages.len() as u64);
                }
            }
            operations.push(UserOperation::Add(asset));
            // As one batch, so that they come to lie side by side.
            if let Err(e) = open.writer.run(operations) {
                return Err(open.begin_anew("cannot write to the index", e));
            }
        }
        if !new.is_empty() {
            let forms = family::document(&self.fields, &new);
            if let Err(e) = open.writer.add_document(forms) {
                return Err(open.begin_anew("cannot write to the index", e));
            }
        }
        Ok(())
    }

    /// Makes everything visible that was written, at once: all of it, or (killed in between) nothing.
    pub fn commit(&self) -> Result<()> {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        open.sound()?;
        // What a document leads to is there before it.
        open.vectors.sync()?;
        if let Err(e) = open.writer.commit() {
            return Err(open.begin_anew("cannot write the index through to the disk", e));
        }
        // Pieces that are no more are not held any longer.
        open.reader.reload().map_err(failed("cannot read the index"))?;
        open.since.clear();
        Ok(())
    }

    /// Waits until everything that is being put together is, so that whoever asks next has fewer pieces to look into.
    pub fn settle(self) -> Result<()> {
        let open = self.open.into_inner().unwrap_or_else(PoisonError::into_inner);
        open.writer.wait_merging_threads().map_err(failed("cannot put the index together"))
    }

    fn moment(&self, asset: &[u8], moment: &Moment, written: &str) -> TantivyDocument {
        // As large as it becomes: the document of itself takes a kilobyte, and thousands of them wait to be written.
        let mut doc = TantivyDocument::with_capacity(asset.len() + moment.text.len() + written.len() + 64);
        doc.add_bytes(self.fields.asset, asset);
        doc.add_text(self.fields.what, moment.kind.as_str());
        doc.add_text(self.fields.text, &moment.text);
        if let Some(code) = &moment.code {
            doc.add_text(self.fields.text, code);
        }
        if let Some(speaker) = &moment.speaker {
            doc.add_text(self.fields.speaker, speaker);
        }
        doc.add_text(self.fields.stored, written);
        doc
    }

    fn asset(&self, document: &Document, digest: Digest) -> Result<TantivyDocument> {
        let (f, card) = (&self.fields, &document.card);
        let said = &card.description;
        let mut doc = TantivyDocument::with_capacity(4096);
        doc.add_bytes(f.asset, card.asset.0.as_bytes());
        doc.add_text(f.what, ASSET);
        doc.add_text(f.stored, json(card)?);
        doc.add_text(f.digest, digest.to_string());
        doc.add_text(f.title, &card.title);
        (0..TITLE).for_each(|_| doc.add_text(f.all, &card.title));

        let names = |list: &'static [FindingKind]| document.moments.iter().filter(|m| list.contains(&m.kind));
        let found = |kind: &'static [FindingKind]| names(kind).map(|m| m.text.as_str()).collect::<BTreeSet<_>>();
        let with = |list: &[String], kind: &'static [FindingKind]| {
            let mut all: BTreeSet<String> = list.iter().cloned().collect();
            all.extend(found(kind).into_iter().map(str::to_owned));
            all
        };
        let people = with(&said.people, &[FindingKind::Person]);
        let places = with(&said.places, &[FindingKind::Place]);
        let organizations = with(&said.organizations, &[FindingKind::Organization]);
        let tags: BTreeSet<String> = said.tags.iter().cloned().collect();
        let objects: BTreeSet<String> = with(&[], &[FindingKind::Object]);
        let topics: BTreeSet<String> = with(&[], &[FindingKind::Topic]);
        for (text, exact, list) in [
            (Some(f.person), f.people, &people),
            (Some(f.place), f.places, &places),
            (Some(f.organization), f.organizations, &organizations),
            (Some(f.tag), f.tags, &tags),
            (None, f.objects, &objects),
            (None, f.topics, &topics),
        ] {
            for name in list {
                doc.add_text(exact, name);
                if let Some(text) = text {
                    doc.add_text(text, name);
                    doc.add_text(f.own, name);
                    (0..NAMED).for_each(|_| doc.add_text(f.all, name));
                }
            }
        }
        for (field, value) in [
            (f.collection, &card.collection),
            (f.program, &said.program),
            (f.category, &said.category),
            (f.license, &said.rights.license),
        ] {
            if let Some(value) = value {
                doc.add_text(field, value);
                doc.add_text(f.own, value);
                doc.add_text(f.all, value);
            }
        }
        for tag in &card.tags {
            doc.add_text(f.tag, tag);
            doc.add_text(f.own, tag);
            doc.add_text(f.all, tag);
        }
        doc.add_text(f.own, &card.title);
        if let Some(text) = &said.text {
            doc.add_text(f.description, text);
            doc.add_text(f.own, text);
            doc.add_text(f.all, text);
        }
        for path in &card.paths {
            doc.add_text(f.path, path);
            doc.add_text(f.own, path);
            doc.add_text(f.all, path);
        }
        for name in card.names().chain([card.title.as_str()]).collect::<BTreeSet<_>>() {
            doc.add_text(f.pieces, spelled(&composed(name)));
        }
        for moment in &document.moments {
            doc.add_text(f.all, &moment.text);
            if moment.kind == FindingKind::Text {
                // Number plates, codes: what nobody remembers from its beginning.
                let numbers = words(&moment.text).filter(|(_, word)| word.bytes().any(|b| b.is_ascii_digit()));
                numbers.for_each(|(_, word)| doc.add_text(f.pieces, spelled(word)));
            }
        }
        let names = [&people, &places, &organizations, &tags].into_iter().flatten().map(String::as_str);
        let names = names.chain([&said.program, &card.collection].into_iter().flatten().map(String::as_str));
        let titles = suggestions(&card.title, WORDS_OF_TITLE);
        for suggestion in names.flat_map(|name| suggestions(name, WORDS_OF_NAME)).chain(titles).collect::<BTreeSet<_>>()
        {
            doc.add_text(f.suggestion, suggestion);
        }

        let t = &card.technical;
        doc.add_text(f.kind, card.kind.as_str());
        if let Some(codec) = &t.codec {
            doc.add_text(f.codec, codec);
        }
        doc.add_u64(f.bytes, t.bytes);
        let rate = t.rate.and_then(|(n, d)| (u64::from(n) * 1000).checked_div(u64::from(d)));
        for (field, value) in [
            (f.duration, t.duration_ms),
            (f.width, t.size.map(|(w, _)| u64::from(w))),
            (f.height, t.size.map(|(_, h)| u64::from(h))),
            (f.rate, rate),
            (f.channels, t.channels.map(u64::from)),
        ] {
            if let Some(value) = value {
                doc.add_u64(field, value);
            }
        }
        doc.add_u64(f.hdr, t.hdr.into());
        doc.add_i64(f.created, card.created_at);
        if let Some(recorded) = card.recorded_at {
            doc.add_i64(f.recorded, recorded);
        }
        let rights = &said.rights;
        doc.add_i64(f.embargo, rights.embargo_ms().unwrap_or(ALWAYS));
        let ends = if rights.is_refused() { Some(0) } else { rights.expires_ms() };
        doc.add_i64(f.ends, ends.unwrap_or(NEVER));
        if let Some(expires) = rights.expires_ms() {
            // The last moment at which it may be shown, so that a day is found by itself.
            doc.add_i64(f.expires, expires - 1);
        }
        if rights.territories.is_empty() {
            doc.add_text(f.territory, EVERYWHERE);
        }
        for territory in &rights.territories {
            doc.add_text(f.territory, territory.trim().to_uppercase());
        }
        if let Some(consent) = &rights.consent {
            doc.add_text(f.consent, consent.trim().to_lowercase());
        }
        if card.archived {
            doc.add_text(f.archived, "yes");
        }
        Ok(doc)
    }
}

fn json<T: serde::Serialize>(value: &T) -> Result<String> {
    serde_json::to_string(value).map_err(|e| Error::internal("cannot write JSON").because(e))
}

/// Between what is typed and the name that it leads to.
pub(super) const LEADS_TO: char = '\u{1}';
/// Before the beginning of a name that goes on with what was typed.
const BEGINS: char = '\u{2}';
/// Longest name that is suggested, in bytes.
const LONGEST_NAME: usize = 200;
/// From how many of their words on names and titles are suggested. Each is a term of its own, and of most titles there is
/// one alone.
const WORDS_OF_NAME: usize = 8;
const WORDS_OF_TITLE: usize = 2;

/// The ends of a name, each from the beginning of a word, and the name.
fn suggestions(name: &str, most: usize) -> Vec<String> {
    let name = composed(name.trim());
    if name.len() > LONGEST_NAME || name.contains([LEADS_TO, BEGINS]) {
        return Vec::new();
    }
    let lead = |(at, _): (usize, &str)| {
        let typed = folded(&name[at..].to_lowercase());
        // Nearly each title is a term that no other is: it is not to be said twice.
        match typed == name[at..] {
            true => format!("{typed}{LEADS_TO}{BEGINS}{}", &name[..at]),
            false => format!("{typed}{LEADS_TO}{name}"),
        }
    };
    words(&name).take(most).map(lead).collect()
}

/// The name that a term of these leads to.
pub(super) fn suggested(term: &str) -> Option<String> {
    let (typed, name) = term.split_once(LEADS_TO)?;
    Some(name.strip_prefix(BEGINS).map_or_else(|| name.to_owned(), |begin| format!("{begin}{typed}")))
}
