//! The search index: what editors ask. One tantivy index in a folder, found through a small file that names the
//! current one, so that a new index is built beside the old one and taken in its place at once.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
};

use serde::{Deserialize, Serialize};
use tantivy::{
    Index, IndexReader, IndexWriter, ReloadPolicy, TantivyDocument, Term,
    collector::{Count, TopDocs},
    query::{BooleanQuery, Occur, Query, QueryParser, TermQuery},
    schema::{Field, IndexRecordOption, STORED, STRING, Schema, TextFieldIndexing, TextOptions, Value},
    snippet::SnippetGenerator,
    tokenizer::{AsciiFoldingFilter, LowerCaser, RemoveLongFilter, SimpleTokenizer, TextAnalyzer},
};

use crate::{
    digest::Digest,
    error::{Doing, Error, Kind, Result},
    model::{AssetId, MediaKind},
};

/// Grows when the schema or the analyzers change: an index of another version is built anew.
const VERSION: u32 = 1;
/// Lower case, accents folded.
const FOLDED: &str = "folded";
/// Memory for writing, in bytes.
const WRITER_BYTES: usize = 64 << 20;

/// Everything the index knows of an asset.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Document {
    /// The asset.
    pub asset: AssetId,
    /// Its kind.
    pub kind: MediaKind,
    /// What it is called.
    pub title: String,
    /// Its collection.
    pub collection: Option<String>,
    /// Where it was seen: drive and path.
    pub paths: Vec<String>,
    /// Descriptive tags.
    pub tags: Vec<String>,
    /// Duration in milliseconds.
    pub duration_ms: Option<u64>,
    /// Size as displayed.
    pub size: Option<(u32, u32)>,
    /// Names of its active renditions, each with its digest, so that a new one is a new document.
    pub renditions: Vec<(String, Digest)>,
}

impl Document {
    /// The digest by which the catalog knows whether the index holds this very document.
    pub fn digest(&self) -> Digest {
        let text = serde_json::to_string(self).unwrap_or_default();
        Digest::of_fields(&["document", &VERSION.to_string(), &text])
    }

    fn text(&self) -> String {
        let mut parts: Vec<&str> = vec![&self.title];
        parts.extend(self.collection.as_deref());
        parts.extend(self.paths.iter().map(String::as_str));
        parts.extend(self.tags.iter().map(String::as_str));
        parts.join("\n")
    }
}

/// One hit.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hit {
    /// How well it matches; comparable within one answer.
    pub score: f32,
    /// Where it matches, with `<b>` around the words; the rest is escaped for HTML.
    pub snippet: String,
    /// What was found.
    #[serde(flatten)]
    pub document: Document,
}

/// An answer.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Hits {
    /// All that match.
    pub total: usize,
    /// The best of them.
    pub hits: Vec<Hit>,
}

/// A question.
#[derive(Clone, Debug, Default)]
pub struct Question<'a> {
    /// Words; all must match. `kind:video`, quotes, AND, OR and NOT are understood; what cannot be parsed is taken as words.
    pub words: &'a str,
    /// Only assets of this kind.
    pub kind: Option<MediaKind>,
    /// Number of hits.
    pub limit: usize,
}

#[derive(Clone, Copy)]
struct Fields {
    asset: Field,
    kind: Field,
    title: Field,
    text: Field,
    document: Field,
}

fn schema() -> (Schema, Fields) {
    let mut builder = Schema::builder();
    let indexing =
        TextFieldIndexing::default().set_tokenizer(FOLDED).set_index_option(IndexRecordOption::WithFreqsAndPositions);
    let text = TextOptions::default().set_indexing_options(indexing).set_stored();
    let fields = Fields {
        asset: builder.add_text_field("asset", STRING),
        kind: builder.add_text_field("kind", STRING),
        title: builder.add_text_field("title", text.clone()),
        text: builder.add_text_field("text", text),
        document: builder.add_text_field("document", STORED),
    };
    (builder.build(), fields)
}

fn analyzed(index: Index) -> Index {
    let folded = TextAnalyzer::builder(SimpleTokenizer::default())
        .filter(RemoveLongFilter::limit(100))
        .filter(LowerCaser)
        .filter(AsciiFoldingFilter)
        .build();
    index.tokenizers().register(FOLDED, folded);
    index
}

fn failed(doing: &'static str) -> impl FnOnce(tantivy::TantivyError) -> Error {
    move |e| {
        let (kind, hint) = match &e {
            tantivy::TantivyError::LockFailure(..) => {
                (Kind::Unavailable, "another process writes to the index: try again when it is through")
            }
            tantivy::TantivyError::DataCorruption(_) | tantivy::TantivyError::OpenReadError(_) => {
                (Kind::Corrupt, "the index is damaged: 'damctl index --rebuild' makes a new one")
            }
            tantivy::TantivyError::IoError(io) if io.kind() == std::io::ErrorKind::StorageFull => {
                (Kind::Paused, "the disk is full: free some space, then run the same command again")
            }
            _ => (Kind::Internal, "'damctl index --rebuild' makes a new index"),
        };
        Error::new(kind, doing).because(e).hint(hint)
    }
}

/// Which index is the current one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Current {
    id: String,
    version: u32,
}

fn current(dir: &Path) -> Result<Option<Current>> {
    let path = dir.join("current.json");
    match fs::read(&path) {
        Ok(text) => Ok(serde_json::from_slice(&text).ok().filter(|c: &Current| c.version == VERSION)),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(crate::error::io(format!("cannot read {}", path.display()), e)),
    }
}

/// An index to be written anew, beside the current one: one that an earlier run has begun, else a new one. It is not
/// asked before [`switch`].
pub fn beside(dir: &Path) -> Result<String> {
    let current = current_id(dir)?;
    let begun = others(dir, current.as_deref())
        .into_iter()
        .filter(|id| id.starts_with(&format!("v{VERSION}-")) && dir.join(id).join("meta.json").is_file());
    if let Some(id) = begun.max() {
        return Ok(id);
    }
    let id = format!("v{VERSION}-{}", uuid::Uuid::now_v7());
    let data = dir.join(&id);
    fs::create_dir_all(&data).doing(|| format!("cannot make {}", data.display()))?;
    Index::create_in_dir(&data, schema().0).map_err(failed("cannot make an index"))?;
    Ok(id)
}

/// Indexes in the folder but `id`.
fn others(dir: &Path, id: Option<&str>) -> Vec<String> {
    let is_index = |name: &String| name.starts_with('v') && name.len() > 36;
    let names = fs::read_dir(dir).into_iter().flatten().flatten().filter_map(|e| e.file_name().into_string().ok());
    names.filter(|name| is_index(name) && Some(name.as_str()) != id).collect()
}

/// The current index's name, if there is one that this version can use.
pub fn current_id(dir: &Path) -> Result<Option<String>> {
    Ok(current(dir)?.map(|c| c.id).filter(|id| dir.join(id).join("meta.json").is_file()))
}

/// Takes an index as the current one, and removes all others.
pub fn switch(dir: &Path, id: &str) -> Result<()> {
    let now = Current { id: id.to_owned(), version: VERSION };
    let text = serde_json::to_vec(&now).map_err(|e| Error::internal("cannot write JSON").because(e))?;
    let mut file = tempfile::NamedTempFile::new_in(dir).doing(|| format!("cannot write in {}", dir.display()))?;
    std::io::Write::write_all(&mut file, &text).doing(|| "cannot write the index's name")?;
    file.as_file().sync_all().doing(|| "cannot write the index's name")?;
    file.persist(dir.join("current.json")).map_err(|e| crate::error::io("cannot switch the index", e.error))?;
    for old in others(dir, Some(id)) {
        // A reader that has its files open goes on with them.
        fs::remove_dir_all(dir.join(old)).ok();
    }
    Ok(())
}

/// Writes documents to one index.
pub struct Writer {
    writer: Mutex<IndexWriter>,
    fields: Fields,
}

impl Writer {
    /// Opens an index for writing. One writer at a time: a second one hears `Unavailable`.
    pub fn open(dir: &Path, id: &str) -> Result<Self> {
        let index = analyzed(Index::open_in_dir(dir.join(id)).map_err(failed("cannot open the index"))?);
        let writer = index.writer_with_num_threads(1, WRITER_BYTES).map_err(failed("cannot write to the index"))?;
        Ok(Self { writer: Mutex::new(writer), fields: schema().1 })
    }

    /// Replaces these assets' documents, in one commit: all of them, or (killed in between) none.
    pub fn replace(&self, documents: &[Document]) -> Result<()> {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        for d in documents {
            writer.delete_term(Term::from_field_text(self.fields.asset, &d.asset.to_string()));
            let mut doc = TantivyDocument::default();
            doc.add_text(self.fields.asset, d.asset.to_string());
            doc.add_text(self.fields.kind, d.kind.as_str());
            doc.add_text(self.fields.title, &d.title);
            doc.add_text(self.fields.text, d.text());
            let stored = serde_json::to_string(d).map_err(|e| Error::internal("cannot write JSON").because(e))?;
            doc.add_text(self.fields.document, stored);
            writer.add_document(doc).map_err(failed("cannot write to the index"))?;
        }
        writer.commit().map_err(failed("cannot write the index through to the disk"))?;
        Ok(())
    }
}

/// Asks the current index, whichever that is at the time.
pub struct Searcher {
    dir: PathBuf,
    open: Mutex<Option<(String, Index, IndexReader)>>,
    fields: Fields,
}

impl Searcher {
    /// A searcher of the index in this folder. There need not be one yet.
    pub fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned(), open: Mutex::default(), fields: schema().1 }
    }

    fn index(&self) -> Result<(Index, IndexReader)> {
        let id = current_id(&self.dir)?
            .ok_or_else(|| Error::not_found("there is no search index yet").hint("'damctl index' makes one"))?;
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((held, index, reader)) = &*open
            && *held == id
        {
            reader.reload().map_err(failed("cannot read the index"))?;
            return Ok((index.clone(), reader.clone()));
        }
        let index = analyzed(Index::open_in_dir(self.dir.join(&id)).map_err(failed("cannot open the index"))?);
        let reader = index
            .reader_builder()
            .reload_policy(ReloadPolicy::Manual)
            .try_into()
            .map_err(failed("cannot read the index"))?;
        *open = Some((id, index.clone(), reader));
        let (_, index, reader) = open.as_ref().ok_or_else(|| Error::internal("the index vanished"))?;
        Ok((index.clone(), reader.clone()))
    }

    /// Answers a question, best first.
    pub fn search(&self, question: &Question<'_>) -> Result<Hits> {
        let (index, reader) = self.index()?;
        let mut parser = QueryParser::for_index(&index, vec![self.fields.title, self.fields.text]);
        parser.set_conjunction_by_default();
        parser.set_field_boost(self.fields.title, 2.0);
        // What cannot be parsed is an editor's typing, not an error.
        let (words, _) = parser.parse_query_lenient(question.words);
        let query: Box<dyn Query> = match question.kind {
            None => words,
            Some(kind) => {
                let term = Term::from_field_text(self.fields.kind, kind.as_str());
                let only: Box<dyn Query> = Box::new(TermQuery::new(term, IndexRecordOption::Basic));
                Box::new(BooleanQuery::new(vec![(Occur::Must, words), (Occur::Must, only)]))
            }
        };
        let searcher = reader.searcher();
        let top = TopDocs::with_limit(question.limit.max(1)).order_by_score();
        let (found, total) = searcher.search(&query, &(top, Count)).map_err(|e| match e {
            // Ranges and wildcards where a field has none.
            tantivy::TantivyError::SchemaError(why) | tantivy::TantivyError::InvalidArgument(why) => {
                Error::invalid(format!("'{}' cannot be looked for: {why}", question.words))
            }
            e => failed("cannot search")(e),
        })?;
        let snippets =
            SnippetGenerator::create(&searcher, &*query, self.fields.text).map_err(failed("cannot search"))?;
        let mut hits = Vec::with_capacity(found.len());
        for (score, address) in found {
            let doc: TantivyDocument = searcher.doc(address).map_err(failed("cannot read the index"))?;
            let stored = doc.get_first(self.fields.document).and_then(|v| v.as_str()).unwrap_or_default();
            let document =
                serde_json::from_str(stored).map_err(|e| Error::corrupt("the index is damaged").because(e))?;
            hits.push(Hit { score, snippet: snippets.snippet_from_doc(&doc).to_html(), document });
        }
        Ok(Hits { total, hits })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn document(title: &str, path: &str, kind: MediaKind) -> Document {
        Document {
            asset: AssetId::derived(&[title, path]),
            kind,
            title: title.to_owned(),
            collection: None,
            paths: vec![path.to_owned()],
            tags: Vec::new(),
            duration_ms: None,
            size: None,
            renditions: Vec::new(),
        }
    }

    fn titles(searcher: &Searcher, words: &str, kind: Option<MediaKind>) -> Vec<String> {
        let hits = searcher.search(&Question { words, kind, limit: 10 }).unwrap();
        hits.hits.into_iter().map(|h| h.document.title).collect()
    }

    #[test]
    fn words_are_found_whatever_their_accents_and_joints() {
        let dir = tempfile::tempdir().unwrap();
        let id = beside(dir.path()).unwrap();
        switch(dir.path(), &id).unwrap();
        let writer = Writer::open(dir.path(), &id).unwrap();
        let a = document("ENTREVISTA_2024-03_final.mov", "noticias/inflación", MediaKind::Video);
        let b = document("boda.wav", "noticias", MediaKind::Audio);
        writer.replace(&[a.clone(), b]).unwrap();
        let searcher = Searcher::new(dir.path());
        assert_eq!(titles(&searcher, "inflacion", None), [a.title.as_str()]);
        assert_eq!(titles(&searcher, "entrevista final", None), [a.title.as_str()]);
        assert_eq!(titles(&searcher, "noticias", Some(MediaKind::Audio)), ["boda.wav"]);
        assert_eq!(titles(&searcher, "noticias kind:video", None), [a.title.as_str()]);
        assert_eq!(titles(&searcher, "noticias inexistente", None), Vec::<String>::new());
        // Typing that is not a query does not fail.
        for odd in ["\"unbalanced", "a AND", "((", "kind:", "*", "\\", "field:x:y"] {
            searcher.search(&Question { words: odd, kind: None, limit: 10 }).unwrap();
        }
    }

    #[test]
    fn a_replaced_document_is_found_once_and_a_rebuild_is_taken_at_once() {
        let dir = tempfile::tempdir().unwrap();
        let id = beside(dir.path()).unwrap();
        switch(dir.path(), &id).unwrap();
        let d = document("uno", "x", MediaKind::Video);
        let writer = Writer::open(dir.path(), &id).unwrap();
        writer.replace(std::slice::from_ref(&d)).unwrap();
        writer.replace(std::slice::from_ref(&d)).unwrap();
        let searcher = Searcher::new(dir.path());
        assert_eq!(titles(&searcher, "uno", None).len(), 1);
        let next = beside(dir.path()).unwrap();
        assert_eq!(titles(&searcher, "uno", None).len(), 1, "the new one is not asked yet");
        switch(dir.path(), &next).unwrap();
        assert!(titles(&searcher, "uno", None).is_empty(), "the new one is empty");
        assert!(!dir.path().join(&id).exists());
    }
}
