//! The fields of the index.
//!
//! An asset is one document, and each thing that was found in it is another, all of them side by side: first what was
//! found, then the asset. So what is asked of moments leads to their assets without a look-up ([`super::join`]).
//!
//! `all` has every word of an asset, of its moments too, those of its title more than once: most questions are answered
//! from it alone. The other fields say where a word stands, for who asks `title:` or `said:`, and for phrases.

use tantivy::{
    Index,
    schema::{
        BytesOptions, FAST, Field, IndexRecordOption, NumericOptions, STORED, Schema, TextFieldIndexing, TextOptions,
    },
    tokenizer::TextAnalyzer,
};

use super::words::{Grams, Words};

const WORDS: &str = "words";
const GRAMS: &str = "grams";

/// The fields by name.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fields {
    /// The asset's id in 16 bytes, of the asset and of its moments.
    pub(super) asset: Field,
    /// `asset` or the kind of a moment.
    pub(super) what: Field,
    /// The asset or the moment as JSON.
    pub(super) stored: Field,
    /// Of assets: the digest of what was written of them.
    pub(super) digest: Field,
    /// Of assets: every word.
    pub(super) all: Field,
    /// Of assets: what people say of them, in places, for phrases.
    pub(super) own: Field,
    pub(super) title: Field,
    pub(super) description: Field,
    pub(super) tag: Field,
    pub(super) person: Field,
    pub(super) place: Field,
    pub(super) organization: Field,
    pub(super) path: Field,
    /// Names of files and whatever has a number in it, in pieces of three letters.
    pub(super) pieces: Field,
    /// What may be typed on: the beginning of a name, and after it the name.
    pub(super) suggestion: Field,
    /// Of documents that are neither assets nor moments: a stem, and after it a word that has it.
    pub(super) forms: Field,
    /// Of moments: what was said, read or seen.
    pub(super) text: Field,
    /// Of moments: who says it.
    pub(super) speaker: Field,
    pub(super) kind: Field,
    pub(super) collection: Field,
    pub(super) program: Field,
    pub(super) category: Field,
    pub(super) codec: Field,
    pub(super) tags: Field,
    pub(super) people: Field,
    pub(super) places: Field,
    pub(super) organizations: Field,
    pub(super) objects: Field,
    pub(super) topics: Field,
    pub(super) license: Field,
    pub(super) duration: Field,
    pub(super) bytes: Field,
    pub(super) width: Field,
    pub(super) height: Field,
    pub(super) rate: Field,
    pub(super) channels: Field,
    pub(super) recorded: Field,
    pub(super) created: Field,
    pub(super) hdr: Field,
    /// From when on everybody may see it.
    pub(super) embargo: Field,
    /// From when on nobody but editors sees it; at the end of time, if never.
    pub(super) ends: Field,
    /// When the right to show it ends, where that is said.
    pub(super) expires: Field,
    /// Countries where it may be shown; one that stands for all where none is named.
    pub(super) territory: Field,
    pub(super) consent: Field,
    /// `yes` where its masters have left the hot area.
    pub(super) archived: Field,
    /// Of assets: where the vectors of their passages begin, and how many they are.
    pub(super) vectors: Field,
    pub(super) passages: Field,
}

/// From when on an asset may be seen, and until when, where nothing is said.
pub(super) const ALWAYS: i64 = 0;
pub(super) const NEVER: i64 = i64::MAX;

/// What stands for all countries.
pub(super) const EVERYWHERE: &str = "*";

impl Fields {
    /// The field of a label or of names, as they are written.
    pub(super) fn counted(&self, name: &str) -> Option<Field> {
        Some(match name {
            "kind" => self.kind,
            "collection" => self.collection,
            "program" => self.program,
            "category" => self.category,
            "codec" => self.codec,
            "license" => self.license,
            "territory" => self.territory,
            "consent" => self.consent,
            "archived" => self.archived,
            "tags" => self.tags,
            "people" => self.people,
            "places" => self.places,
            "organizations" => self.organizations,
            "objects" => self.objects,
            "topics" => self.topics,
            _ => return None,
        })
    }
}

pub(super) fn schema() -> (Schema, Fields) {
    let mut b = Schema::builder();
    let text = |with: IndexRecordOption| {
        TextOptions::default()
            .set_indexing_options(TextFieldIndexing::default().set_tokenizer(WORDS).set_index_option(with))
    };
    let (counted, placed) = (text(IndexRecordOption::WithFreqs), text(IndexRecordOption::WithFreqsAndPositions));
    let grams = TextFieldIndexing::default()
        .set_tokenizer(GRAMS)
        .set_fieldnorms(false)
        .set_index_option(IndexRecordOption::WithFreqsAndPositions);
    // How many values there are says nothing of one.
    let raw = TextFieldIndexing::default().set_tokenizer("raw").set_fieldnorms(false);
    let raw = TextOptions::default().set_indexing_options(raw.set_index_option(IndexRecordOption::Basic));
    let exact = raw.clone() | FAST;
    let number = NumericOptions::default().set_fast();
    let fields = Fields {
        asset: b.add_bytes_field("asset", BytesOptions::default().set_indexed()),
        what: b.add_text_field("what", raw.clone()),
        stored: b.add_text_field("stored", STORED),
        digest: b.add_text_field("digest", STORED),
        all: b.add_text_field("all", counted),
        own: b.add_text_field("own", placed.clone()),
        title: b.add_text_field("title", placed.clone()),
        description: b.add_text_field("description", placed.clone()),
        tag: b.add_text_field("tag", placed.clone()),
        person: b.add_text_field("person", placed.clone()),
        place: b.add_text_field("place", placed.clone()),
        organization: b.add_text_field("organization", placed.clone()),
        path: b.add_text_field("path", placed.clone()),
        pieces: b.add_text_field("pieces", TextOptions::default().set_indexing_options(grams)),
        suggestion: b.add_text_field("suggestion", raw.clone()),
        forms: b.add_text_field("forms", raw.clone()),
        text: b.add_text_field("text", placed.clone()),
        speaker: b.add_text_field("speaker", placed),
        kind: b.add_text_field("kind", exact.clone()),
        collection: b.add_text_field("collection", exact.clone()),
        program: b.add_text_field("program", exact.clone()),
        category: b.add_text_field("category", exact.clone()),
        codec: b.add_text_field("codec", exact.clone()),
        tags: b.add_text_field("tags", exact.clone()),
        people: b.add_text_field("people", exact.clone()),
        places: b.add_text_field("places", exact.clone()),
        organizations: b.add_text_field("organizations", exact.clone()),
        objects: b.add_text_field("objects", exact.clone()),
        topics: b.add_text_field("topics", exact.clone()),
        license: b.add_text_field("license", exact.clone()),
        duration: b.add_u64_field("duration", number.clone()),
        bytes: b.add_u64_field("bytes", number.clone()),
        width: b.add_u64_field("width", number.clone()),
        height: b.add_u64_field("height", number.clone()),
        rate: b.add_u64_field("rate", number.clone()),
        channels: b.add_u64_field("channels", number.clone()),
        recorded: b.add_i64_field("recorded", number.clone()),
        created: b.add_i64_field("created", number.clone()),
        hdr: b.add_u64_field("hdr", number.clone()),
        embargo: b.add_i64_field("embargo", number.clone()),
        ends: b.add_i64_field("ends", number.clone()),
        expires: b.add_i64_field("expires", number.clone()),
        vectors: b.add_u64_field("vectors", number.clone()),
        passages: b.add_u64_field("passages", number),
        territory: b.add_text_field("territory", exact.clone()),
        consent: b.add_text_field("consent", exact.clone()),
        archived: b.add_text_field("archived", exact),
    };
    (b.build(), fields)
}

/// The index with what cuts its texts.
pub(super) fn analyzed(index: Index) -> Index {
    index.tokenizers().register(WORDS, TextAnalyzer::from(Words::default()));
    index.tokenizers().register(GRAMS, TextAnalyzer::from(Grams::default()));
    index
}
