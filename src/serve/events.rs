//! Changes as they happen, as server-sent events: each with its number, by which a reader goes on.

use std::{collections::HashMap, convert::Infallible, sync::Arc, time::Duration};

use axum::{
    extract::{Extension, State},
    http::HeaderMap,
    response::{
        IntoResponse, Response,
        sse::{self, KeepAlive, Sse},
    },
};
use futures_util::stream;
use serde::Deserialize;

use super::{
    Served,
    guard::Caller,
    problem::{Answer, Asked, Problem},
    run,
};
use crate::{
    catalog::Event,
    error::{Error, Result},
    model::{AssetId, Grade},
};

/// Events of a page, and how often new ones are looked for.
const PAGE: i64 = 200;
const LOOK: Duration = Duration::from_secs(1);
/// How long a reader is answered before it asks again: a token may have been taken back.
const LONGEST: Duration = Duration::from_secs(300);
/// Readers at a time.
pub(super) const MOST_READERS: usize = 64;

/// Where to begin.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Place {
    /// Only events after this number; those from now on when left out. `Last-Event-ID` says the same.
    after: Option<i64>,
}

/// Changes of state, from a number on and as they happen.
#[utoipa::path(get, path = "/api/v1/events", params(Place), tag = "events",
    responses((status = 200, description = "Server-sent events", content_type = "text/event-stream", body = String)))]
pub(super) async fn events(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    headers: HeaderMap,
    Asked(place): Asked<Place>,
) -> Answer<Response> {
    let last = match headers.get("last-event-id").map(|v| v.to_str().unwrap_or_default()) {
        Some(text) => Some(text.parse::<i64>().map_err(|_| Error::invalid("Last-Event-ID is not a number"))?),
        None => place.after,
    };
    let seat = served.readers.clone().try_acquire_owned().map_err(|_| Problem::too_many(30))?;
    let catalog = served.archive.catalog.clone();
    let after = match last {
        Some(last) => last,
        None => run(move || catalog.last_event()).await?,
    };
    let began = std::time::Instant::now();
    let begin = (served, caller, after, Vec::<Event>::new().into_iter(), seat);
    let all = stream::unfold(begin, move |(served, caller, mut after, mut page, seat)| async move {
        loop {
            if let Some(event) = page.next() {
                let told = serde_json::to_string(&event).unwrap_or_default();
                let told = sse::Event::default().id(event.seq.to_string()).event(event.kind.clone()).data(told);
                return Some((Ok::<_, Infallible>(told), (served, caller, after, page, seat)));
            }
            // Whoever goes on says again who they are.
            if served.stop.is_tripped() || began.elapsed() > LONGEST {
                return None;
            }
            let (asked, by) = (served.clone(), caller.clone());
            match run(move || visible(&asked, &by, after)).await {
                Ok((last, events)) if last > after => (after, page) = (last, events.into_iter()),
                // A catalog that is away is asked again; the reader keeps its place.
                Ok(_) | Err(_) => tokio::time::sleep(LOOK).await,
            }
        }
    });
    Ok(Sse::new(all).keep_alive(KeepAlive::new().interval(Duration::from_secs(15))).into_response())
}

/// The next events that the caller may see, and up to which number was looked.
fn visible(served: &Served, caller: &Caller, after: i64) -> Result<(i64, Vec<Event>)> {
    let catalog = &served.archive.catalog;
    let page = catalog.events_after(after, PAGE)?;
    let last = page.last().map_or(after, |e| e.seq);
    let access = caller.access(catalog.now()?);
    let mut known: HashMap<AssetId, bool> = HashMap::new();
    let mut shown = Vec::new();
    for event in page {
        let is_shown = match event.subject.parse::<AssetId>() {
            Ok(id) if is_of_asset(&event.kind) => match known.get(&id) {
                Some(is) => *is,
                None => {
                    let is = match catalog.asset(id) {
                        Ok(_) => {
                            let of = catalog.rights_of(id)?;
                            of.is_some_and(|(collection, rights)| access.allows(collection.as_deref(), &rights))
                        }
                        Err(_) => may_hear_all(caller),
                    };
                    known.insert(id, is);
                    is
                }
            },
            _ => may_hear_all(caller),
        };
        shown.extend(is_shown.then(|| told_to(caller, event)).flatten());
    }
    Ok((last, shown))
}

/// Of jobs, tokens and what is gone only those hear who run all of it.
fn may_hear_all(caller: &Caller) -> bool {
    caller.grade >= Grade::Operator && caller.collections.is_none()
}

/// An event as the caller may hear of it: who did it, who took what, and what was said before (under another right,
/// perhaps) is for those who run it.
pub(super) fn told_to(caller: &Caller, mut event: Event) -> Option<Event> {
    if !may_hear_all(caller) {
        if event.kind == "asset.taken" {
            return None;
        }
        if let Some(detail) = event.detail.as_object_mut() {
            detail.remove("was");
            if caller.grade < Grade::Editor {
                detail.remove("actor");
            }
        }
    }
    Some(event)
}

fn is_of_asset(kind: &str) -> bool {
    ["asset.", "rendition.", "findings.", "arrival."].iter().any(|of| kind.starts_with(of))
}
