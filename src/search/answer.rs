//! Answers questions: the best assets, each with its best moments.

use std::{
    collections::{HashMap, HashSet},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, PoisonError},
};

use tantivy::{
    DocAddress, Order, Score, Searcher as Pieces, TERMINATED, TantivyDocument,
    collector::TopDocs,
    query::{BooleanQuery, EnableScoring, Occur, Query},
    schema::Value,
};

use super::{
    Card, Moment, ask,
    breadth::{Breadth, Running},
    build::{Builder, any, term, without_score},
    facets::{Counter, FACETS},
    failed,
    folder::IndexId,
    hours, hybrid,
    mark::Marker,
    near::{self, Nearest},
    opened::{Folder, View},
    question::{
        Access, Answer, By, DEEPEST, Hit, MOST_COUNTED, MOST_HITS, MOST_MOMENTS, Question, Sort, Spot, Suggestion,
        cursor, place,
    },
    schema::{EVERYWHERE, Fields, schema},
    synonyms::Synonyms,
    top,
    vectors::{self, Vectors},
    vocabulary::{self, PLAIN},
    words::Morphology,
};
use crate::{
    digest::Digest,
    error::{Error, Kind, Result},
    model::{AssetId, MediaKind},
};

/// Asks the current index, whichever that is at the time.
pub struct Searcher {
    folder: Folder,
    pub(super) fields: Fields,
    pub(super) synonyms: Synonyms,
    /// What knows words of earlier questions.
    morphologies: Mutex<Vec<Morphology>>,
    pub(super) running: Running,
}

/// A hit's place: its shard, and where it lies there.
pub(super) type Found = (usize, DocAddress);

impl Searcher {
    /// A searcher of the index in this folder. There need not be one yet.
    pub fn new(dir: &Path) -> Self {
        let (synonyms, morphologies, running) = (Synonyms::default(), Mutex::default(), Running::default());
        Self { folder: Folder::new(dir), fields: schema().1, synonyms, morphologies, running }
    }

    /// One that takes words for others, too.
    pub fn with(self, synonyms: Synonyms) -> Self {
        Self { synonyms, ..self }
    }

    pub(super) fn view(&self) -> Result<Arc<View>> {
        self.folder.view()
    }

    /// Calls `work` with what makes terms of words: one that an earlier question has left, for most words come again.
    fn with_morphology<T>(&self, work: impl FnOnce(&mut Morphology) -> Result<T>) -> Result<T> {
        let left = |all: &Self| all.morphologies.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let mut morphology = left(self).unwrap_or_default();
        let outcome = work(&mut morphology);
        self.morphologies.lock().unwrap_or_else(PoisonError::into_inner).push(morphology);
        outcome
    }

    /// Whether there is an index that can be asked; else why there is none.
    pub fn ready(&self) -> Result<()> {
        self.index().map(drop)
    }

    /// The index that is asked.
    pub fn index(&self) -> Result<IndexId> {
        guarded(|| {
            let view = self.view()?;
            Ok(IndexId { id: view.id.clone(), shards: view.shards.len() as u32 })
        })
    }

    /// Whether something can be found by its meaning.
    pub fn has_meaning(&self) -> Result<bool> {
        guarded(|| Ok(self.view()?.vectors.iter().flatten().any(|file| file.len() > 0)))
    }

    /// Number of assets in the index.
    pub fn len(&self) -> Result<usize> {
        guarded(|| self.count_all())
    }

    fn count_all(&self) -> Result<usize> {
        let view = self.view()?;
        let all = term(self.fields.what, super::join::ASSET);
        let count = |shard: &Pieces| all.count(shard).map_err(failed("cannot search"));
        view.shards.iter().map(count).sum()
    }

    /// Whether the index has no assets.
    pub fn is_empty(&self) -> Result<bool> {
        self.len().map(|n| n == 0)
    }

    /// Calls `each` with every asset of the index, and the digest of its documents.
    pub fn each_digest(&self, each: &mut dyn FnMut(AssetId, Digest) -> Result<()>) -> Result<()> {
        guarded(|| self.digests(each))
    }

    /// Files of the index whose checksum is wrong, and those that lack vectors that a document leads to or have others.
    pub fn damaged(&self) -> Result<Vec<PathBuf>> {
        let view = self.view()?;
        let mut all: Vec<PathBuf> = Vec::new();
        for shard in &view.shards {
            all.extend(shard.index().validate_checksum().map_err(failed("cannot read the index"))?);
        }
        if all.is_empty() {
            near::each(&view, self.fields.what, &mut |file, block| match file {
                Some(file) if file.are_sound(block.place, block.count) => {}
                Some(file) => all.push(file.path.clone()),
                None => all.push(vectors::name_of(block.place).into()),
            })?;
        }
        all.sort();
        all.dedup();
        Ok(all)
    }

    /// Number of passages that the index has vectors of, and of vectors in its files that nothing leads to any more.
    pub fn passages(&self) -> Result<(u64, u64)> {
        let view = self.view()?;
        let mut used = 0;
        near::each(&view, self.fields.what, &mut |_, block| used += block.count)?;
        let kept: usize = view.vectors.iter().flatten().map(Vectors::len).sum();
        Ok((used, (kept as u64).saturating_sub(used)))
    }

    fn digests(&self, each: &mut dyn FnMut(AssetId, Digest) -> Result<()>) -> Result<()> {
        let view = self.view()?;
        let damaged = || Error::corrupt("the index is damaged").hint("'damctl index --rebuild' makes a new one");
        for shard in &view.shards {
            for reader in shard.segment_readers() {
                let store = reader.get_store_reader(8).map_err(|e| crate::error::io("cannot read the index", e))?;
                for doc in view.assets.of(reader, self.fields.what).map_err(failed("cannot read the index"))?.iter() {
                    if reader.alive_bitset().is_some_and(|alive| !alive.is_alive(*doc)) {
                        continue;
                    }
                    let doc: TantivyDocument = store.get(*doc).map_err(failed("cannot read the index"))?;
                    let text = |field| doc.get_first(field).and_then(|v| v.as_str());
                    let digest = text(self.fields.digest).and_then(|d| d.parse().ok()).ok_or_else(damaged)?;
                    let card: Card = text(self.fields.stored)
                        .and_then(|card| serde_json::from_str(card).ok())
                        .ok_or_else(damaged)?;
                    each(card.asset, digest)?;
                }
            }
        }
        Ok(())
    }

    /// Answers a question.
    pub fn search(&self, question: &Question<'_>) -> Result<Answer> {
        let turn = self.running.begin();
        guarded(|| self.with_morphology(|morphology| self.answer((question, turn.breadth), morphology)))
    }

    fn answer(&self, (question, breadth): (&Question<'_>, Breadth), morphology: &mut Morphology) -> Result<Answer> {
        let asked = ask::parse(question.words, question.by)?;
        if let Some(unknown) = question.facets.iter().find(|f| !FACETS.iter().any(|known| known == f)) {
            let known = FACETS.join(", ");
            return Err(Error::invalid(format!("'{unknown}' is not counted: expected one of {known}")));
        }
        let view = self.view()?;
        let limit = question.limit.clamp(1, MOST_HITS);
        let from = question.cursor.map_or(Ok(0), |cursor| place(cursor, question, &view.id))?;
        let Nearest { near, is_damaged } = self.near(&view, (question, asked.as_ref()), morphology)?;
        let ask = asked.map(|ask| self.synonyms.expand(ask));
        let fields = (self.fields, view.assets.clone());
        let seen = self.seen(&view, &question.access)?;
        let mut builder = Builder::new(&view.shards, fields, &self.synonyms, morphology, seen);
        if question.sort == Sort::Relevance && question.kind.is_none() && question.facets.is_empty() {
            // Some of the first may be hidden.
            let hidden = self.hidden_at_most(&view, &question.access)?;
            builder = hidden.into_iter().fold(builder, |b, hidden| b.enough(DEEPEST + 1 + hidden, breadth));
        }
        if question.meaning.is_some() {
            builder = builder.literal();
        }
        let built = builder.build(ask.as_ref())?;
        let by_words = question.sort == Sort::Relevance && ask.is_some();
        let best = match by_words {
            true => {
                let (query, musts) =
                    built.best.as_ref().map_or((&built.assets, [].as_slice()), |(q, m)| (q, m.as_slice()));
                let most = from + limit + 1;
                Some(match question.meaning {
                    Some(_) => {
                        let most = most.max(hybrid::FUSED);
                        let words = top::best(&view, (&**query, self.fields.what), (question, musts), (most, breadth))?;
                        hybrid::fused(&words, &near)
                    }
                    None => top::best(&view, (&**query, self.fields.what), (question, musts), (most, breadth))?,
                })
            }
            false => None,
        };
        let mut query = self.narrowed(&view, built.assets, question)?;
        if !near.is_empty() {
            query = self.either(&view, query, &near);
        }
        let (found, is_last) = match best {
            Some(best) => {
                let is_last = best.len() <= from + limit;
                (best.into_iter().skip(from).take(limit).collect(), is_last)
            }
            None => self.in_order(&view, &*query, question.sort, from, limit)?,
        };
        let (total, more) = match is_last {
            true => (from + found.len(), false),
            false => self.count(&view, &*query)?,
        };
        let mut marker = Marker::new(&built.terms, morphology);
        let moments = match built.moments.is_empty() {
            false => self.moments(&view, &built.moments, &found, question.moments.min(MOST_MOMENTS))?,
            true => HashMap::new(),
        };
        let mut hits = Vec::with_capacity(found.len());
        for (score, place) in &found {
            let card: Card = self.stored(&view, *place)?;
            let spots = moments.get(place).map(Vec::as_slice).unwrap_or_default();
            let mut spots: Vec<Spot> =
                spots.iter().map(|(score, m)| spot((*score, By::Words), m, &card, &mut marker)).collect();
            let near = near.iter().find(|near| near.at == *place);
            if let Some(near) = question.meaning.zip(near) {
                let most = question.moments.min(MOST_MOMENTS);
                let meant = self.nearest_moments(&view, near, most)?;
                let meant = meant.iter().map(|(score, m)| spot((*score, By::Meaning), m, &card, &mut marker)).collect();
                spots = hybrid::in_turns(spots, meant, most);
            }
            let likeness = near.map(|near| near.likeness);
            hits.push(Hit { likeness, ..hit(by_words.then_some(*score), card, spots, &mut marker) });
        }
        let facets = match question.facets {
            [] => Vec::new(),
            fields => {
                let counter = Counter { fields, values: &view.values, assets: (&view.assets, self.fields.what) };
                counter.count(&view.shards, &*query, breadth).map_err(searching(question.words))?
            }
        };
        let end = from + hits.len();
        let next = (!is_last && end < DEEPEST).then(|| cursor(end, question, &view.id));
        let notices = is_damaged.then(vectors::notice).into_iter().chain(ask::notice(question.words)).collect();
        Ok(Answer { total, more, hits, facets, corrections: built.corrections, next, notices })
    }

    /// Assets like one: with the same people, places, organizations and tags, and words of its title.
    pub fn similar(&self, asset: AssetId, access: &Access, limit: usize) -> Result<Vec<Hit>> {
        guarded(|| self.like(asset, access, limit))
    }

    fn like(&self, asset: AssetId, access: &Access, limit: usize) -> Result<Vec<Hit>> {
        let view = self.view()?;
        let itself = tantivy::Term::from_field_bytes(self.fields.asset, asset.0.as_bytes());
        let itself = tantivy::query::TermQuery::new(itself, PLAIN);
        let is_it = BooleanQuery::new(vec![
            (Occur::Must, Box::new(itself.clone()) as Box<dyn Query>),
            (Occur::Must, Box::new(term(self.fields.what, super::join::ASSET))),
        ]);
        let question = Question { access: access.clone(), ..Question::default() };
        let found = top::best(&view, (&is_it, self.fields.what), (&question, &[]), (1, Breadth::OneByOne))?;
        let Some((_, place)) = found.first() else {
            return Err(Error::not_found(format!("the index has no asset {asset}")));
        };
        let card: Card = self.stored(&view, *place)?;
        let d = &card.description;
        let shared = [
            (self.fields.people, &d.people),
            (self.fields.places, &d.places),
            (self.fields.organizations, &d.organizations),
            (self.fields.tags, &d.tags),
        ];
        let mut clauses: Vec<Box<dyn Query>> = shared
            .into_iter()
            .flat_map(|(field, names)| names.iter().map(move |name| Box::new(term(field, name)) as Box<dyn Query>))
            .collect();
        for (_, word) in super::words::words(&super::words::composed(&card.title)) {
            let exact = super::words::folded(&word.to_lowercase());
            clauses.push(Box::new(term(self.fields.title, &exact)));
        }
        let like = BooleanQuery::new(vec![(Occur::Must, any(clauses)), (Occur::MustNot, Box::new(itself))]);
        let most = (limit.clamp(1, MOST_HITS), Breadth::OneByOne);
        let found = top::best(&view, (&like, self.fields.what), (&question, &[]), most)?;
        self.with_morphology(|morphology| {
            let terms = HashSet::new();
            let mut marker = Marker::new(&terms, morphology);
            let mut each = |(score, place): &(Score, Found)| {
                Ok(hit(Some(*score), self.stored(&view, *place)?, Vec::new(), &mut marker))
            };
            found.iter().map(&mut each).collect()
        })
    }

    /// Names and words that may follow what was typed, of what may be shown.
    pub fn suggest(&self, typed: &str, access: &Access, most: usize) -> Result<Vec<Suggestion>> {
        guarded(|| self.completed(typed, access, most))
    }

    fn completed(&self, typed: &str, access: &Access, most: usize) -> Result<Vec<Suggestion>> {
        if typed.len() > ask::MOST_BYTES {
            return Err(Error::invalid(format!("the beginning is longer than {} bytes", ask::MOST_BYTES)));
        }
        let view = self.view()?;
        let fields = (self.fields.suggestion, self.fields.all);
        // More than are wanted, for some may be of what is not shown.
        let all = vocabulary::completions(&view.shards, fields, typed, most.min(MOST_HITS) * 4)?;
        let question = Question { access: access.clone(), ..Question::default() };
        let mut shown = Vec::new();
        for (text, term) in all {
            if shown.len() >= most {
                break;
            }
            let query = self.narrowed(&view, Box::new(tantivy::query::TermQuery::new(term, PLAIN)), &question)?;
            if *access == Access::all() || has_any(&view.shards, &*query)? {
                shown.push(Suggestion { text });
            }
        }
        Ok(shown)
    }

    /// Only what the question wants of what the words find, and may show.
    pub(super) fn narrowed(
        &self,
        view: &View,
        assets: Box<dyn Query>,
        question: &Question<'_>,
    ) -> Result<Box<dyn Query>> {
        let mut clauses = Vec::new();
        if let Some(kind) = question.kind {
            clauses.push((Occur::Must, without_score(term(self.fields.kind, kind.as_str()))));
        }
        clauses.extend(self.seen(view, &question.access)?);
        if clauses.is_empty() {
            return Ok(assets);
        }
        clauses.insert(0, (Occur::Must, assets));
        Ok(Box::new(BooleanQuery::new(clauses)))
    }

    /// How many assets are hidden at most, where that is a matter of a short list.
    fn hidden_at_most(&self, view: &View, access: &Access) -> Result<Option<usize>> {
        let is_listed = access.collections.is_none()
            && access.withheld.collections.is_empty()
            && access.audience.as_ref().is_none_or(|to| to.territory.is_none());
        let now = access.audience.as_ref().filter(|_| is_listed).map(|to| to.now);
        let hidden = now.map(|now| hours::hidden(view, &self.fields, now)).transpose()?.flatten();
        Ok(is_listed.then(|| access.withheld.assets.len() + hidden.map_or(0, |hidden| hidden.count())))
    }

    /// What an asset must have to be shown.
    pub(super) fn seen(&self, view: &View, access: &Access) -> Result<Vec<(Occur, Box<dyn Query>)>> {
        let mut clauses = Vec::new();
        if let Some(withheld) = view.barred.of(&view.shards, &access.withheld.assets)? {
            clauses.push((Occur::MustNot, Box::new(withheld) as Box<dyn Query>));
        }
        for collection in &access.withheld.collections {
            clauses.push((Occur::MustNot, Box::new(term(self.fields.collection, collection)) as Box<dyn Query>));
        }
        if let Some(collections) = &access.collections {
            let each = collections.iter().map(|c| Box::new(term(self.fields.collection, c)) as Box<dyn Query>);
            clauses.push((Occur::Must, without_score(any(each.collect()))));
        }
        if let Some(to) = &access.audience {
            if let Some(hidden) = hours::hidden(view, &self.fields, to.now)? {
                clauses.push((Occur::MustNot, Box::new(hidden) as Box<dyn Query>));
            }
            if let Some(territory) = &to.territory {
                let each = [territory.to_uppercase(), EVERYWHERE.to_owned()];
                let each = each.iter().map(|t| Box::new(term(self.fields.territory, t)) as Box<dyn Query>);
                clauses.push((Occur::Must, without_score(any(each.collect()))));
            }
        }
        Ok(clauses)
    }

    /// A page of what is found in an order that is none of words, and whether it is the last one.
    fn in_order(
        &self,
        view: &View,
        query: &dyn Query,
        sort: Sort,
        from: usize,
        limit: usize,
    ) -> Result<(Vec<(Score, Found)>, bool)> {
        let wanted = || TopDocs::with_limit(from + limit + 1);
        let mut all: Vec<(f64, Found)> = Vec::new();
        let (field, order) = match sort {
            Sort::Relevance => ("created", Order::Desc),
            Sort::Newest => ("recorded", Order::Desc),
            Sort::Oldest => ("recorded", Order::Asc),
            Sort::Longest => ("duration", Order::Desc),
            Sort::Shortest => ("duration", Order::Asc),
        };
        let sign = if matches!(order, Order::Desc) { -1.0 } else { 1.0 };
        // What has no date or length comes last.
        let key = |value: Option<f64>| value.map_or(f64::INFINITY, |v| sign * v);
        for (n, shard) in view.shards.iter().enumerate() {
            match field {
                "duration" => {
                    let by = wanted().order_by_fast_field::<u64>(field, order);
                    let found = shard.search(query, &by).map_err(searching(""))?;
                    all.extend(found.into_iter().map(|(v, at)| (key(v.map(|v| v as f64)), (n, at))));
                }
                _ => {
                    let by = wanted().order_by_fast_field::<i64>(field, order);
                    let found = shard.search(query, &by).map_err(searching(""))?;
                    all.extend(found.into_iter().map(|(v, at)| (key(v.map(|v| v as f64)), (n, at))));
                }
            }
        }
        // One shard's are in order already, and equal ones stay so from page to page.
        if view.shards.len() > 1 {
            all.sort_by(|a, b| a.0.total_cmp(&b.0).then_with(|| a.1.cmp(&b.1)));
        }
        let is_last = all.len() <= from + limit;
        Ok((all.into_iter().skip(from).take(limit).map(|(_, at)| (0.0, at)).collect(), is_last))
    }

    fn count(&self, view: &View, query: &dyn Query) -> Result<(usize, bool)> {
        count_to(&view.shards, query, MOST_COUNTED)
    }

    pub(super) fn stored<T: serde::de::DeserializeOwned>(&self, view: &View, (shard, at): Found) -> Result<T> {
        let doc: TantivyDocument = view.shards[shard].doc(at).map_err(failed("cannot read the index"))?;
        let text = doc.get_first(self.fields.stored).and_then(|v| v.as_str()).unwrap_or_default();
        serde_json::from_str(text).map_err(|e| {
            Error::corrupt("the index is damaged").because(e).hint("'damctl index --rebuild' makes a new one")
        })
    }
}

/// A file of the index with wrong bytes in it can make its reader panic: that is one answer less, and no reason to end.
fn guarded<T>(ask: impl FnOnce() -> Result<T>) -> Result<T> {
    std::panic::catch_unwind(std::panic::AssertUnwindSafe(ask)).unwrap_or_else(|_| {
        Err(Error::corrupt("the index is damaged").hint("'damctl index --rebuild' makes a new one"))
    })
}

pub(super) fn searching(words: &str) -> impl Fn(tantivy::TantivyError) -> Error {
    move |e| match e {
        // Ranges and wildcards where a field has none.
        tantivy::TantivyError::SchemaError(why) | tantivy::TantivyError::InvalidArgument(why) => {
            Error::new(Kind::Invalid, format!("'{words}' cannot be looked for: {why}"))
        }
        e => failed("cannot search")(e),
    }
}

fn spot((score, by): (Score, By), moment: &Moment, card: &Card, marker: &mut Marker<'_>) -> Spot {
    let t = &card.technical;
    let has_time = card.kind == MediaKind::Video && moment.to_ms > 0;
    let rate = t.rate.filter(|_| has_time);
    let counting = |drops| rate.and_then(|rate| crate::model::Counting::new(rate, drops));
    let frame = counting(false).map(|c| c.frame_at(moment.from_ms));
    let timecode = match (&t.timecode, rate) {
        (Some(first), Some(rate)) => first.after(rate, moment.from_ms),
        _ => frame.and_then(|frame| Some(counting(false)?.label(frame))),
    };
    Spot { score, by, snippet: marker.excerpt(&moment.text).0, timecode, frame, moment: moment.clone() }
}

fn hit(score: Option<Score>, card: Card, moments: Vec<Spot>, marker: &mut Marker<'_>) -> Hit {
    let d = &card.description;
    let texts = d.text.iter().map(String::as_str).chain([card.title.as_str()]);
    let lists = [&d.people, &d.places, &d.organizations, &d.tags, &card.tags].into_iter().flatten();
    let texts = texts.chain(lists.map(String::as_str)).chain(card.paths.iter().map(String::as_str));
    let mut excerpts = texts.map(|text| marker.excerpt(text));
    let first = excerpts.next();
    let snippet = match (first, moments.first()) {
        (Some((html, n)), _) if n > 0 => html,
        (_, Some(spot)) => spot.snippet.clone(),
        (first, None) => excerpts.find(|(_, n)| *n > 0).or(first).map(|(html, _)| html).unwrap_or_default(),
    };
    drop(excerpts);
    Hit { score, likeness: None, snippet, moments, card }
}

/// Whether a query finds something.
pub(super) fn has_any(shards: &[Pieces], query: &dyn Query) -> Result<bool> {
    count_to(shards, query, 0).map(|(_, more)| more)
}

/// How many match, up to a number of them, and whether there are more.
fn count_to(shards: &[Pieces], query: &dyn Query, most: usize) -> Result<(usize, bool)> {
    let mut count = 0;
    for shard in shards {
        let weight = query.weight(EnableScoring::disabled_from_searcher(shard)).map_err(searching(""))?;
        for reader in shard.segment_readers() {
            let mut found = weight.scorer(reader, 1.0).map_err(searching(""))?;
            let alive = reader.alive_bitset();
            let mut doc = found.doc();
            while doc != TERMINATED {
                if alive.is_none_or(|alive| alive.is_alive(doc)) {
                    if count == most {
                        return Ok((count, true));
                    }
                    count += 1;
                }
                doc = found.advance();
            }
        }
    }
    Ok((count, false))
}
