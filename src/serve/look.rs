//! Searches.

use std::sync::Arc;

use axum::{
    Json,
    extract::{Extension, State},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::json;

use super::{
    Served,
    assets::{address, link},
    guard::Caller,
    problem::{Answer, Asked, Body},
    run,
};
use crate::{
    error::{Error, Kind},
    model::{MediaKind, playable},
    search::{self, Answer as Found, FACETS, Match, Meant, Question, Sort},
};

/// A question.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams, utoipa::ToSchema)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Wish {
    /// Words, "phrases", begin*, *part*, field:value, AND, OR, NOT and ( ). Empty: everything.
    q: String,
    /// Whether one of the words is enough.
    any: bool,
    /// Whether what the words mean is looked for as well, whatever the language.
    meaning: bool,
    /// Only this kind: video, audio, image, animation, sidecar, other.
    kind: Option<String>,
    /// relevance, newest, oldest, longest or shortest.
    sort: Option<String>,
    /// Number of hits, 1 to 100 (20).
    limit: Option<usize>,
    /// Number of moments of each hit, up to 50 (3).
    moments: Option<usize>,
    /// Where the page before ended.
    cursor: Option<String>,
    /// Fields whose values are counted, between commas.
    facets: Option<String>,
}

/// Where there is no index yet, nothing is wrong with the question: it is answered later.
pub(super) fn not_yet(e: Error) -> Error {
    match (e.kind(), e.hint_text()) {
        (Kind::NotFound, Some(hint)) => Error::unavailable(e.to_string()).hint(hint),
        _ => e,
    }
}

/// What a question means. Whoever waits for the model takes no turn of those that search.
async fn meant(served: &Arc<Served>, words: String, (by, sort): (Match, Sort)) -> Answer<Meant> {
    let asked = served.clone();
    run(move || {
        let text = search::meant(&words, by, sort)?;
        let (recipe, vector) = asked.archive.sense.of(&text)?;
        Ok(Meant { recipe, vector })
    })
    .await
}

async fn ask(served: Arc<Served>, caller: Caller, wish: Wish) -> Answer<(Wish, Found, Vec<serde_json::Value>)> {
    let kind: Option<MediaKind> = wish.kind.as_deref().filter(|k| !k.is_empty()).map(str::parse).transpose()?;
    let sort: Sort = match wish.sort.as_deref().filter(|s| !s.is_empty()) {
        None => Sort::Relevance,
        Some(text) => serde_json::from_value(json!(text)).map_err(|_| {
            Error::invalid(format!("'{text}' is no order: expected relevance, newest, oldest, longest or shortest"))
        })?,
    };
    let mut facets: Vec<String> = wish
        .facets
        .iter()
        .flat_map(|f| f.split(','))
        .map(str::trim)
        .filter(|f| !f.is_empty())
        .map(str::to_owned)
        .collect();
    let mut seen = std::collections::HashSet::new();
    facets.retain(|field| seen.insert(field.clone()));
    let by = if wish.any { Match::Any } else { Match::All };
    let meaning = match wish.meaning {
        true => Some(meant(&served, wish.q.clone(), (by, sort)).await?),
        false => None,
    };
    // More at once would only wait for each other.
    let _turn = served.turn().await?;
    let asked = served.clone();
    run(move || {
        let (catalog, now) = (&asked.archive.catalog, asked.archive.catalog.now()?);
        let access = asked.access(&caller, now)?;
        let found = asked.archive.searcher.search(&Question {
            words: &wish.q,
            by,
            kind,
            sort,
            limit: wish.limit.unwrap_or(20),
            moments: wish.moments.unwrap_or(3),
            cursor: wish.cursor.as_deref().filter(|c| !c.is_empty()),
            facets: &facets,
            access: access.clone(),
            meaning: meaning.as_ref(),
        })?;
        let mut hits = Vec::with_capacity(found.hits.len());
        for hit in &found.hits {
            // The index may be behind what was said of it a moment ago.
            let rights = match catalog.rights_of(hit.card.asset)? {
                Some((collection, rights)) if access.allows(collection.as_deref(), &rights) => rights,
                _ => continue,
            };
            let mut value = serde_json::to_value(hit).map_err(|e| Error::internal("cannot write JSON").because(e))?;
            // Editors see it, and that others do not.
            let hidden = rights.against(now);
            if !hidden.is_empty() {
                value["hidden"] = json!(hidden);
            }
            let renditions = catalog.renditions_of(hit.card.asset)?;
            if let (Some(url), Some(spots)) = (playable(&renditions).map(address), value["moments"].as_array_mut()) {
                for (spot, at) in spots.iter_mut().zip(&hit.moments) {
                    let (from, to) = at.moment.seconds();
                    spot["link"] = json!(format!("{url}#t={from},{to}"));
                }
            }
            value["renditions"] = renditions.iter().map(link).collect();
            hits.push(value);
        }
        Ok((wish, found, hits))
    })
    .await
}

fn answer((wish, found, hits): (Wish, Found, Vec<serde_json::Value>)) -> Response {
    Json(json!({
        "query": wish.q, "total": found.total, "more": found.more, "hits": hits, "facets": found.facets,
        "corrections": found.corrections, "next": found.next, "notices": found.notices,
    }))
    .into_response()
}

/// Finds assets, each with its best moments.
#[utoipa::path(get, path = "/api/v1/search", params(Wish), tag = "search",
    responses((status = 200, description = "Hits, best first", body = serde_json::Value),
              (status = 400, description = "The question makes no sense"), (status = 503, description = "Ask again later")))]
pub(super) async fn search(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Asked(wish): Asked<Wish>,
) -> Answer<Response> {
    ask(served, caller, wish).await.map(answer)
}

/// The same, of a question too long for an address.
#[utoipa::path(post, path = "/api/v1/search", request_body = Wish, tag = "search",
    responses((status = 200, description = "Hits, best first", body = serde_json::Value),
              (status = 400, description = "The question makes no sense"), (status = 503, description = "Ask again later")))]
pub(super) async fn search_by_body(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Body(wish): Body<Wish>,
) -> Answer<Response> {
    ask(served, caller, wish).await.map(answer)
}

/// Counts what a question finds by its labels.
#[utoipa::path(get, path = "/api/v1/facets", params(Wish), tag = "search",
    responses((status = 200, description = "Values by field, the most frequent first", body = serde_json::Value),
              (status = 503, description = "Ask again later")))]
pub(super) async fn facets(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Asked(wish): Asked<Wish>,
) -> Answer<Response> {
    let all = || FACETS.join(",");
    let facets = wish.facets.clone().filter(|f| !f.is_empty()).unwrap_or_else(all);
    let wish = Wish { limit: Some(1), moments: Some(0), facets: Some(facets), cursor: None, ..wish };
    let (wish, found, _) = ask(served, caller, wish).await?;
    Ok(Json(json!({"query": wish.q, "total": found.total, "more": found.more, "facets": found.facets})).into_response())
}

/// What was typed so far.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Typed {
    /// The beginning of a name or a word.
    q: String,
    /// How many, 1 to 20 (8).
    limit: Option<usize>,
}

/// Names and words that may follow what was typed.
#[utoipa::path(get, path = "/api/v1/suggest", params(Typed), tag = "search",
    responses((status = 200, description = "Suggestions", body = serde_json::Value), (status = 503, description = "Ask again later")))]
pub(super) async fn suggest(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Asked(typed): Asked<Typed>,
) -> Answer<Response> {
    let _turn = served.turn().await?;
    let asked = served.clone();
    run(move || {
        let access = asked.access(&caller, asked.archive.catalog.now()?)?;
        let all = asked.archive.searcher.suggest(&typed.q, &access, typed.limit.unwrap_or(8).clamp(1, 20))?;
        Ok(Json(json!({"suggestions": all})).into_response())
    })
    .await
}
