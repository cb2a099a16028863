//! `damctl search`: hits, each with its moments and what to play.

use anyhow::Result;
use damctl::{
    catalog::Catalog,
    error::Error,
    model::{FindingKind, Master, Rendition, Role, playable},
    search::{
        self, By, Hit, Match, Meant, Question, Searcher,
        export::{self, Cut},
    },
    store::Store,
};
use serde_json::json;

use super::{Archive, Verdict, print};
use crate::cli::{Export, SearchArgs};

pub fn run(args: &SearchArgs, archive: &Archive) -> Result<Verdict> {
    let catalog = archive.catalog()?;
    let store = archive.store()?;
    let words = args.query.join(" ");
    let by = if args.any { Match::Any } else { Match::All };
    let meaning = match args.meaning {
        true => {
            let text = search::meant(&words, by, args.sort.into())?;
            let (recipe, vector) = archive.sense()?.of(&text)?;
            Some(Meant { recipe, vector })
        }
        false => None,
    };
    let question = Question {
        words: &words,
        by,
        kind: args.kind,
        sort: args.sort.into(),
        limit: args.limit,
        moments: args.moments,
        cursor: args.cursor.as_deref(),
        facets: &args.facets,
        meaning: meaning.as_ref(),
        ..Question::default()
    };
    let searcher = searcher(archive)?;
    let mut answer = searcher.search(&question)?;
    // A page has its most; whoever wants more gets one after the other.
    while let Some(next) = answer.next.take_if(|_| answer.hits.len() < args.limit) {
        let limit = args.limit - answer.hits.len();
        let more = searcher.search(&Question { cursor: Some(&next), facets: &[], limit, ..question.clone() })?;
        answer.hits.extend(more.hits);
        answer.next = more.next;
    }
    if let Some(export) = args.export.chosen() {
        let cuts = cuts(&answer.hits, &catalog, &*store)?;
        let text = match export {
            Export::Edl => export::edl(&words, &cuts)?,
            Export::Otio => export::otio(&words, &cuts)?,
            Export::Csv => export::csv(&cuts),
            Export::M3u => export::m3u(&cuts),
        };
        print(text.trim_end());
        return Ok(Verdict::Done);
    }
    if args.json {
        let hits = answer.hits.iter().map(|h| as_json(h, &catalog, &*store)).collect::<Result<Vec<_>>>()?;
        print(
            json!({"query": words, "total": answer.total, "more": answer.more, "hits": hits, "facets": answer.facets,
            "corrections": answer.corrections, "next": answer.next, "notices": answer.notices}),
        );
        return Ok(Verdict::Done);
    }
    for (word, instead) in &answer.corrections {
        print(format_args!("nothing has '{word}': looked for {}", instead.join(", ")));
    }
    answer.notices.iter().for_each(print);
    let now = catalog.now()?;
    for hit in &answer.hits {
        let d = &hit.card;
        let length = d.technical.duration_ms.map(|ms| format!("  {}", clock(ms))).unwrap_or_default();
        let size = d.technical.size.map(|(w, h)| format!("  {w}×{h}")).unwrap_or_default();
        let archived = if d.archived { "  archived" } else { "" };
        // What others do not see.
        let hidden: String = d.description.rights.against(now).iter().map(|why| format!("  {why}")).collect();
        print(format_args!("{:<9} {}{length}{size}  {}{archived}{hidden}", d.kind.as_str(), d.title, d.asset));
        if let Some(path) = d.paths.first() {
            print(format_args!("          from {path}"));
        }
        for spot in &hit.moments {
            let m = &spot.moment;
            let time = spot.timecode.clone().unwrap_or_else(|| clock(m.from_ms));
            let doubt = if m.doubts.is_empty() { "" } else { " (doubtful)" };
            let verb = if spot.by == By::Meaning { "like" } else { verb(m.kind) };
            print(format_args!("          {time}  {verb}: {}{doubt}", m.text));
        }
        if let Some(r) = proxy(&catalog.renditions_of(d.asset)?) {
            print(format_args!("          {} {}", r.entry, place(r, &*store)?));
        }
    }
    for facet in answer.facets.iter().filter(|f| !f.values.is_empty()) {
        let values: Vec<String> = facet.values.iter().take(10).map(|(value, n)| format!("{value} {n}")).collect();
        print(format_args!("{}: {}", facet.field, values.join(", ")));
    }
    let total = format!("{}{}", answer.total, if answer.more { "+" } else { "" });
    match (answer.total, &answer.next) {
        (0, _) => print(format_args!("nothing found for '{words}'")),
        (_, Some(next)) => {
            print(format_args!(
                "{} of {total} hits (--limit N shows more; --cursor {next} goes on)",
                answer.hits.len()
            ));
        }
        _ => {}
    }
    Ok(Verdict::Done)
}

/// The searcher of this archive, with its synonyms.
pub(super) fn searcher(archive: &Archive) -> Result<Searcher> {
    let searcher = Searcher::new(&archive.settings.path("index"));
    Ok(match archive.settings.synonyms() {
        Some(file) => searcher.with(damctl::search::Synonyms::read(&file)?),
        None => searcher,
    })
}

fn verb(kind: FindingKind) -> &'static str {
    match kind {
        FindingKind::Speech => "said",
        FindingKind::Translation => "said in English",
        FindingKind::Text => "shown",
        FindingKind::Object => "seen",
        FindingKind::Person | FindingKind::Place | FindingKind::Organization => "named",
        FindingKind::Keyword | FindingKind::Topic => "about",
    }
}

/// What an editor would play, or look at where there is nothing to play: the largest picture.
fn proxy(renditions: &[Rendition]) -> Option<&Rendition> {
    let pictures = renditions.iter().filter(|r| r.files.first().is_some_and(|file| file.mime.starts_with("image/")));
    let pixels = |r: &&Rendition| r.facts.display_size().map(|(w, h)| u64::from(w) * u64::from(h));
    playable(renditions).or_else(|| pictures.max_by_key(pixels))
}

fn place(r: &Rendition, store: &dyn Store) -> Result<String> {
    let key = r.main_key()?;
    Ok(store.local_path(&key).map_or_else(|| key.to_string(), |path| path.display().to_string()))
}

fn as_json(hit: &Hit, catalog: &Catalog, store: &dyn Store) -> Result<serde_json::Value> {
    let renditions = catalog.renditions_of(hit.card.asset)?;
    let proxy = proxy(&renditions).map(|r| place(r, store)).transpose()?;
    let each = |r: &Rendition| {
        Ok(json!({"name": r.entry, "path": place(r, store)?, "mime": r.files.first().map(|f| &f.mime)}))
    };
    let mut value = serde_json::to_value(hit)?;
    value["renditions"] = renditions.iter().map(each).collect::<Result<_>>()?;
    value["proxy"] = json!(proxy);
    Ok(value)
}

/// The moments of all hits, of the master; a recording without any as a whole.
fn cuts(hits: &[Hit], catalog: &Catalog, store: &dyn Store) -> Result<Vec<Cut>> {
    let mut cuts = Vec::new();
    for hit in hits {
        let (card, t) = (&hit.card, &hit.card.technical);
        let Some(duration) = t.duration_ms.filter(|ms| *ms > 0) else { continue };
        let row = catalog.asset(card.asset)?;
        let Some(master) = row.masters.iter().find(|m: &&Master| m.role == Role::Main) else { continue };
        let media = store.local_path(&master.key).map_or_else(|| master.key.to_string(), |p| p.display().to_string());
        let cut = |from_ms: u64, to_ms: u64, text: &str| Cut {
            title: card.title.clone(),
            asset: card.asset.to_string(),
            collection: card.collection.clone(),
            media: media.clone(),
            from_ms,
            to_ms: to_ms.clamp(from_ms + 1, duration.max(from_ms + 1)),
            duration_ms: Some(duration),
            rate: t.rate,
            timecode: t.timecode.clone(),
            has_sound: t.channels.is_some(),
            text: text.to_owned(),
        };
        match hit.moments.as_slice() {
            [] => cuts.push(cut(0, duration, "")),
            spots => cuts.extend(spots.iter().map(|s| cut(s.moment.from_ms, s.moment.to_ms, &s.moment.text))),
        }
    }
    match cuts.is_empty() {
        true => Err(Error::not_found("no hit has a length: there is nothing to cut").into()),
        false => Ok(cuts),
    }
}

fn clock(ms: u64) -> String {
    let s = ms / 1000;
    format!("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60)
}
