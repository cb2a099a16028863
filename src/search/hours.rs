//! Which assets are not to be shown at a time, for their embargo is not over or the right to show them has ended. Of most
//! assets neither is said, so what is left out of an answer is a short list: to ask each asset for its times would take
//! longer than the question.

use std::{
    ops::Range,
    sync::{Arc, Mutex, PoisonError},
};

use tantivy::{DocId, DocSet, Searcher as Pieces, SegmentReader, TERMINATED, Term, schema::IndexRecordOption};

use super::{
    answer::searching,
    join::{Scored, These},
    opened::View,
    schema::{ALWAYS, Fields, NEVER},
};
use crate::{error::Result, model::AssetId};

/// The times of the assets of one piece, each with its asset, in their order.
#[derive(Debug, Default)]
pub(super) struct Hours {
    begin: Vec<(i64, DocId)>,
    end: Vec<(i64, DocId)>,
    /// Who was hidden when somebody asked last, and in which span that stays so.
    last: Mutex<Option<(Range<i64>, Scored)>>,
}

impl Hours {
    fn read(reader: &SegmentReader, assets: &[DocId]) -> tantivy::Result<Self> {
        let (embargo, ends) = (reader.fast_fields().i64("embargo")?, reader.fast_fields().i64("ends")?);
        let times = |column: &tantivy::columnar::Column<i64>, usual: i64| {
            let time = |doc: &DocId| column.first(*doc).filter(|at| *at != usual).map(|at| (at, *doc));
            let mut times: Vec<_> = assets.iter().filter_map(time).collect();
            times.sort_unstable();
            times
        };
        Ok(Self { begin: times(&embargo, ALWAYS), end: times(&ends, NEVER), last: Mutex::default() })
    }

    /// Who is hidden at a time: an embargo ends with its moment, and the right to show something before its own.
    fn hidden(&self, now: i64) -> Scored {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((_, hidden)) = last.as_ref().filter(|(span, _)| span.contains(&now)) {
            return hidden.clone();
        }
        let (waiting, over) = (later(&self.begin, now), later(&self.end, now));
        let before = [waiting, over].into_iter().zip([&self.begin, &self.end]);
        let before = before.filter_map(|(n, all)| all[..n].last()).map(|(at, _)| *at).max();
        let after = self.begin.get(waiting).into_iter().chain(self.end.get(over)).map(|(at, _)| *at).min();
        let hidden = self.begin[waiting..].iter().chain(&self.end[..over]);
        let mut hidden: Vec<_> = hidden.map(|(_, doc)| (*doc, 0.0)).collect();
        hidden.sort_unstable_by_key(|(doc, _)| *doc);
        hidden.dedup_by_key(|(doc, _)| *doc);
        let hidden = Arc::new(hidden);
        *last = Some((before.unwrap_or(i64::MIN)..after.unwrap_or(i64::MAX), hidden.clone()));
        hidden
    }
}

/// Where the times that are later than this one begin.
fn later(times: &[(i64, DocId)], now: i64) -> usize {
    times.partition_point(|(at, _)| *at <= now)
}

/// The assets that are hidden at a time; none where all may be seen.
pub(super) fn hidden(view: &View, fields: &Fields, now: i64) -> Result<Option<These>> {
    let hidden = |reader: &SegmentReader| -> tantivy::Result<Scored> {
        let assets = view.assets.of(reader, fields.what)?;
        Ok(view.hours.of(reader, || Hours::read(reader, &assets))?.hidden(now))
    };
    let mut all = Vec::new();
    for reader in view.shards.iter().flat_map(|shard| shard.segment_readers()) {
        let hidden = hidden(reader).map_err(searching(""))?;
        if !hidden.is_empty() {
            all.push((reader.segment_id(), hidden));
        }
    }
    Ok((!all.is_empty()).then(|| These::listed(all)))
}

/// The documents of assets that are withheld. Those of the last question are kept: as long as nothing changes, the next one
/// withholds the same.
#[derive(Default)]
pub(super) struct Barred(Mutex<(Vec<AssetId>, Option<These>)>);

impl Barred {
    /// Those of these assets; none where the index has none of them.
    pub(super) fn of(&self, shards: &[Pieces], assets: &[AssetId]) -> Result<Option<These>> {
        if assets.is_empty() {
            return Ok(None);
        }
        let locked = || self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let (known, these) = &*locked()
            && known == assets
        {
            return Ok(these.clone());
        }
        let mut all = Vec::new();
        for reader in shards.iter().flat_map(Pieces::segment_readers) {
            let documents = documents(reader, assets).map_err(searching(""))?;
            all.extend(documents.into_iter().map(|doc| (reader.segment_id(), doc)));
        }
        let these = (!all.is_empty()).then(|| These::new(all.into_iter()));
        *locked() = (assets.to_owned(), these.clone());
        Ok(these)
    }
}

/// The documents of these assets in one piece.
fn documents(reader: &SegmentReader, of: &[AssetId]) -> tantivy::Result<Vec<DocId>> {
    let mut all = Vec::new();
    let asset = reader.schema().get_field("asset")?;
    let inverted = reader.inverted_index(asset)?;
    for id in of {
        let term = Term::from_field_bytes(asset, id.0.as_bytes());
        let Some(mut postings) = inverted.read_postings(&term, IndexRecordOption::Basic)? else { continue };
        while postings.doc() != TERMINATED {
            all.push(postings.doc());
            postings.advance();
        }
    }
    Ok(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_hidden_changes_at_the_times_that_are_said_and_at_no_other() {
        let hours = Hours { begin: vec![(10, 3), (30, 1)], end: vec![(20, 3), (40, 2)], last: Mutex::default() };
        let at = |now: i64| hours.hidden(now).iter().map(|(doc, _)| *doc).collect::<Vec<_>>();
        let expected: [(i64, &[DocId]); 8] =
            [(9, &[1, 3]), (10, &[1]), (19, &[1]), (20, &[1, 3]), (29, &[1, 3]), (30, &[3]), (39, &[3]), (40, &[2, 3])];
        for (now, docs) in expected.into_iter().chain(expected.into_iter().rev()) {
            assert_eq!(at(now), docs, "{now}");
        }
        let span = hours.last.lock().unwrap().as_ref().unwrap().0.clone();
        assert_eq!(span, i64::MIN..10, "it is asked for again at the next time that is said");
        assert_eq!(at(i64::MAX), [2, 3]);
    }
}
