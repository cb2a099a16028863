//! One asset: what it is, what is said of it, what was found in it, what became of it.

use std::{sync::Arc, time::Duration};

use axum::{
    Json,
    extract::{Extension, State},
    http::{HeaderMap, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use serde_json::{Value, json};

use super::{
    Served,
    guard::Caller,
    problem::{Answer, Asked, Body, Named, Problem},
    run,
};
use crate::{
    catalog::{AssetRow, Catalog, Edit},
    digest::Digest,
    error::{Error, Result},
    model::{AssetId, Description, FindingKind, Findings, Grade, Rendition, Rights, Role},
    receive::{Announced, Presigned, presign},
    store::ocfl,
    subtitle,
};

/// How long the addresses of an upload are good for.
const UPLOAD: Duration = Duration::from_secs(24 * 3600);

/// The address of a rendition.
pub(super) fn address(r: &Rendition) -> String {
    format!("/assets/{}/renditions/{}", r.asset, r.entry)
}

/// A rendition with its address.
pub(super) fn link(r: &Rendition) -> Value {
    let file = r.files.first();
    json!({
        "name": r.entry,
        "url": address(r),
        "mime": file.map(|f| &f.mime),
        "bytes": file.map(|f| f.bytes),
        "duration_ms": r.facts.duration_ms,
        "size": r.facts.display_size(),
    })
}

/// An asset that the caller may see. What they may not see is not there.
pub(super) fn seen_by(catalog: &Catalog, caller: &Caller, id: AssetId) -> Result<(AssetRow, i64, Description)> {
    let missing = || Error::not_found(format!("there is no asset {id}"));
    let row = catalog.asset(id)?;
    let described = catalog.described(id)?;
    let (_, rights) = catalog.rights_of(id)?.ok_or_else(missing)?;
    match caller.access(catalog.now()?).allows(row.asset.collection.as_deref(), &rights) {
        true => Ok((row, described.revision, described.description)),
        false => Err(missing()),
    }
}

pub(super) fn tag(revision: i64) -> String {
    format!("\"{revision}\"")
}

/// An asset with everything that is known of it.
#[utoipa::path(get, path = "/api/v1/assets/{id}", params(("id" = String, Path, description = "The asset")), tag = "assets",
    responses((status = 200, description = "The asset; its ETag is good for a change", body = serde_json::Value),
              (status = 404, description = "There is none that you may see")))]
pub(super) async fn asset(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named<String>,
) -> Answer<Response> {
    let id: AssetId = id.parse()?;
    run(move || {
        let catalog = &served.archive.catalog;
        let (row, revision, description) = seen_by(catalog, &caller, id)?;
        let seen = catalog.sightings_of(id)?;
        let seen: Vec<_> = seen.iter().map(|(drive, path)| json!({"drive": drive, "path": path})).collect();
        let found = found_in(catalog, &row)?;
        let findings: Vec<_> = found
            .iter()
            .map(|f| json!({"kind": f.kind, "track": f.track, "language": f.language, "source": f.source, "items": f.items.len()}))
            .collect();
        let renditions: Vec<_> = catalog.renditions_of(id)?.iter().map(link).collect();
        let main = row.masters.iter().find(|m| m.role == Role::Main).map(|m| m.digest);
        let rights = catalog.rights_of(id)?.map(|(_, rights)| rights).unwrap_or_default();
        let looks = main.map(|digest| catalog.looks(&digest)).transpose()?.flatten();
        let paths: Vec<String> = catalog.sightings_of(id)?.into_iter().map(|(_, path)| path.to_string()).collect();
        let facts = row.masters.iter().find(|m| m.role == Role::Main).map(|m| &m.facts);
        let names = crate::index::names(&paths);
        let dates = crate::index::dates(description.date.as_deref(), facts, &names, row.asset.created_at);
        let body = json!({"asset": row.asset, "dates": dates, "description": description, "revision": revision, "masters": row.masters,
            "seen": seen, "renditions": renditions, "findings": findings, "looks": looks,
            "archive": catalog.archived_of(id)?, "rights": rights, "hidden": rights.against(catalog.now()?)});
        Ok(([(header::ETAG, tag(revision))], Json(body)).into_response())
    })
    .await
}

fn found_in(catalog: &Catalog, row: &AssetRow) -> Result<Vec<Findings>> {
    let main: Vec<Digest> = row.masters.iter().filter(|m| m.role == Role::Main).map(|m| m.digest).collect();
    catalog.findings_of(&main)
}

/// A change: what is left out stays as it is, null takes away (RFC 7396).
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Change {
    /// What it is called.
    #[serde(default, deserialize_with = "given")]
    title: Option<Option<String>>,
    /// Its collection.
    #[serde(default, deserialize_with = "given")]
    collection: Option<Option<String>>,
    /// All else that is said of it: text, program, category, tags, people, places, organizations, date, rights.
    #[schema(value_type = Option<Object>)]
    #[serde(default, deserialize_with = "whatever")]
    description: Option<Value>,
}

fn given<'de, D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Option<Option<String>>, D::Error> {
    Option::<String>::deserialize(d).map(Some)
}

/// A value that was given, null as well.
fn whatever<'de, D: serde::Deserializer<'de>>(d: D) -> std::result::Result<Option<Value>, D::Error> {
    Value::deserialize(d).map(Some)
}

/// The revision that a change is of; none: whichever there is.
pub(super) fn expected(headers: &HeaderMap) -> Answer<Option<i64>> {
    match headers.get(header::IF_MATCH).map(|v| v.to_str().unwrap_or_default().trim().to_owned()) {
        None => {
            let error = Error::invalid("a change needs If-Match, with the ETag that was read");
            Err(Problem::new(StatusCode::PRECONDITION_REQUIRED, error))
        }
        Some(any) if any == "*" => Ok(None),
        Some(tag) => {
            tag.trim_matches('"').parse::<i64>().map(Some).map_err(|_| {
                Problem::new(StatusCode::PRECONDITION_FAILED, Error::invalid("If-Match is no ETag of this"))
            })
        }
    }
}

/// Changes what is said of an asset, if nobody has since it was read.
#[utoipa::path(patch, path = "/api/v1/assets/{id}", request_body = Change, tag = "assets",
    params(("id" = String, Path, description = "The asset"), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "Changed", body = serde_json::Value), (status = 412, description = "Somebody has changed it"),
              (status = 428, description = "If-Match is missing")))]
pub(super) async fn change(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named<String>,
    headers: HeaderMap,
    Body(change): Body<Change>,
) -> Answer<Response> {
    caller.at_least(Grade::Editor)?;
    let title = match change.title {
        Some(None) => return Err(Error::invalid("an asset is called something").into()),
        title => title.flatten(),
    };
    let id: AssetId = id.parse()?;
    let revision = expected(&headers)?;
    run(move || {
        let catalog = &served.archive.catalog;
        let (_, at, description) = seen_by(catalog, &caller, id)?;
        if let (Some(all), Some(Some(to))) = (&caller.collections, &change.collection)
            && !all.contains(to)
        {
            return Err(Error::invalid(format!("you have no right to the collection '{to}'")));
        }
        if caller.collections.is_some() && change.collection == Some(None) {
            return Err(Error::invalid("without its collection you would not see it any more"));
        }
        let description = change.description.map(|patch| -> Result<Description> {
            let mut value =
                serde_json::to_value(&description).map_err(|e| Error::internal("cannot write JSON").because(e))?;
            let patch = match patch {
                Value::Null => {
                    value = json!({});
                    json!({})
                }
                patch => patch,
            };
            merge(&mut value, patch);
            serde_json::from_value(value).map_err(|e| Error::invalid(format!("description: {e}")))
        });
        let edit = Edit {
            title,
            collection: change.collection.map(Option::unwrap_or_default),
            description: description.transpose()?,
        };
        // What was merged is good for the revision that it was merged with.
        let new =
            catalog.describe(id, &edit, revision.or(edit.description.is_some().then_some(at)), &caller.actor())?;
        served.is_edited.store(true, std::sync::atomic::Ordering::Release);
        let (row, revision, description) = seen_by(catalog, &caller, id)?;
        let body = json!({"asset": row.asset, "description": description, "revision": revision});
        Ok(([(header::ETAG, tag(new))], Json(body)).into_response())
    })
    .await
}

/// A merge patch by RFC 7396.
pub(super) fn merge(into: &mut Value, patch: Value) {
    let Value::Object(patch) = patch else {
        *into = patch;
        return;
    };
    if !into.is_object() {
        *into = json!({});
    }
    let Some(into) = into.as_object_mut() else { return };
    for (key, value) in patch {
        match value {
            Value::Null => drop(into.remove(&key)),
            value => merge(into.entry(key).or_insert(Value::Null), value),
        }
    }
}

/// Assets like this one.
#[utoipa::path(get, path = "/api/v1/assets/{id}/similar", params(("id" = String, Path, description = "The asset")), tag = "assets",
    responses((status = 200, description = "Hits, most alike first", body = serde_json::Value)))]
pub(super) async fn similar(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named<String>,
) -> Answer<Response> {
    let id: AssetId = id.parse()?;
    let _turn = served.turn().await?;
    let asked = served.clone();
    run(move || {
        let catalog = &asked.archive.catalog;
        let (row, _, _) = seen_by(catalog, &caller, id)?;
        let access = asked.access(&caller, catalog.now()?)?;
        let mut hits = asked.archive.searcher.similar(id, &access, 12)?;
        hits.retain(|hit| seen_by(catalog, &caller, hit.card.asset).is_ok());
        // What looks nearly the same: another version, a copy that was made smaller.
        let mut alike = Vec::new();
        for master in row.masters.iter().filter(|m| m.role == Role::Main) {
            for (digest, apart) in catalog.look_alikes(&master.digest, 12)? {
                let Some(asset) = catalog.holder(&digest)? else { continue };
                if let Ok((other, _, _)) = seen_by(catalog, &caller, asset) {
                    alike.push(json!({"asset": asset, "title": other.asset.title, "bits_apart": apart}));
                }
            }
        }
        Ok(Json(json!({"hits": hits, "alike": alike})).into_response())
    })
    .await
}

/// What became of an asset, the newest first.
#[utoipa::path(get, path = "/api/v1/assets/{id}/history", params(("id" = String, Path, description = "The asset")), tag = "assets",
    responses((status = 200, description = "Events", body = serde_json::Value), (status = 403, description = "Editors may")))]
pub(super) async fn history(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named<String>,
) -> Answer<Response> {
    caller.at_least(Grade::Editor)?;
    let id: AssetId = id.parse()?;
    run(move || {
        seen_by(&served.archive.catalog, &caller, id)?;
        let events = served.archive.catalog.history_of(&id.to_string(), 500)?;
        let events: Vec<_> = events.into_iter().filter_map(|event| super::events::told_to(&caller, event)).collect();
        Ok(Json(json!({"events": events})).into_response())
    })
    .await
}

/// Which track, and what kind.
#[derive(Debug, Default, Deserialize, utoipa::IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(super) struct Track {
    /// The sound track, counted from 1; the first that has words when left out.
    track: Option<u32>,
    /// Its translation to English instead, where there is one.
    translation: bool,
}

/// What is said in an asset: as WebVTT, as SubRip, or with all that is known of each line as JSON.
#[utoipa::path(get, path = "/api/v1/assets/{id}/{transcript}", params(Track, ("id" = String, Path, description = "The asset"),
    ("transcript" = String, Path, description = "transcript.vtt, transcript.srt or transcript.json")), tag = "assets",
    responses((status = 200, description = "The transcript", body = String), (status = 404, description = "It has none")))]
pub(super) async fn transcript(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named((id, name)): Named<(String, String)>,
    Asked(wish): Asked<Track>,
) -> Answer<Response> {
    let id: AssetId = id.parse()?;
    run(move || {
        let (row, _, _) = seen_by(&served.archive.catalog, &caller, id)?;
        let form = name.strip_prefix("transcript.").unwrap_or_default();
        if !matches!(form, "vtt" | "srt" | "json") {
            return Err(Error::not_found("there is nothing at this address"));
        }
        let found = found_in(&served.archive.catalog, &row)?;
        let kind = if wish.translation { FindingKind::Translation } else { FindingKind::Speech };
        let is_wanted = |f: &&Findings| f.kind == kind && wish.track.is_none_or(|n| n == f.track);
        let Some(said) = found.iter().find(is_wanted) else {
            return Err(Error::not_found(format!("asset {id} has no transcript")));
        };
        let length_ms = row.masters.iter().find(|m| m.digest == said.master).and_then(|m| m.facts.duration_ms);
        let items = &subtitle::captions(said, length_ms);
        let (mime, text) = match form {
            "vtt" => {
                let how = if said.source.by_hand { "by hand" } else { "auto" };
                let language = said.language.as_deref().unwrap_or("und");
                let note = format!("{language}, {how}, {}", said.source.name);
                ("text/vtt; charset=utf-8", subtitle::vtt(items, Some(&note)))
            }
            "srt" => ("application/x-subrip; charset=utf-8", subtitle::srt(items)),
            _ => return Ok(Json(json!(said)).into_response()),
        };
        Ok(([(header::CONTENT_TYPE, mime)], text).into_response())
    })
    .await
}

/// A file that somebody wants to send.
#[derive(Debug, Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Announcement {
    /// Its name.
    name: String,
    /// Its size in bytes.
    size: u64,
    /// Its SHA-256, in hexadecimal.
    sha256: String,
    /// The collection that it will belong to.
    collection: Option<String>,
}

/// Announces a file: answers with an address for each of its parts.
#[utoipa::path(post, path = "/api/v1/assets", request_body = Announcement, tag = "uploads",
    responses((status = 201, description = "Where to send it", body = serde_json::Value), (status = 200, description = "The archive has it"),
              (status = 501, description = "The store gives no addresses")))]
pub(super) async fn announce(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Body(file): Body<Announcement>,
) -> Answer<Response> {
    caller.at_least(Grade::Editor)?;
    let digest: Digest = file.sha256.parse()?;
    if let Some(all) = &caller.collections
        && !file.collection.as_ref().is_some_and(|c| all.contains(c))
    {
        let error =
            Error::invalid("you have no right to this collection").hint(format!("yours are {}", all.join(", ")));
        return Err(Problem::new(StatusCode::FORBIDDEN, error));
    }
    run(move || {
        let (catalog, store) = (&served.archive.catalog, &*served.archive.store);
        ocfl::declare_root(store)?;
        let announced = Announced { name: file.name, bytes: file.size, digest, collection: file.collection };
        Ok(match presign(catalog, store, &announced, UPLOAD)? {
            Presigned::Present(asset) => match seen_by(catalog, &caller, asset) {
                Ok(_) => Json(json!({"asset": asset, "state": "present"})).into_response(),
                // That others have it is not for them to know; nor can it be taken in twice.
                Err(_) => return Err(Error::unsupported("this file cannot be taken in this way")
                    .hint("whoever runs the archive can take it in")),
            },
            Presigned::Expected(arrival, addresses) => {
                catalog.audit("asset.announced", &arrival.asset.to_string(), &json!({"name": arrival.name, "actor": caller.actor()}))?;
                let part = |(i, url): (usize, &String)| {
                    let offset = i as u64 * arrival.part_bytes;
                    json!({"number": i + 1, "offset": offset, "bytes": arrival.part_bytes.min(arrival.bytes - offset), "url": url})
                };
                let parts: Vec<_> = addresses.iter().enumerate().map(part).collect();
                let body = json!({"asset": arrival.asset, "state": arrival.state, "part_bytes": arrival.part_bytes,
                    "expires_at": arrival.expires_at, "parts": parts});
                (StatusCode::CREATED, Json(body)).into_response()
            }
        })
    })
    .await
}

/// Says that all parts were sent: what has arrived is looked at by 'damctl receive', and this tells how far it is.
#[utoipa::path(post, path = "/api/v1/assets/{id}/complete", params(("id" = String, Path, description = "The asset")), tag = "uploads",
    responses((status = 202, description = "It will be looked at", body = serde_json::Value), (status = 404, description = "Nothing was announced")))]
pub(super) async fn complete(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named(id): Named<String>,
) -> Answer<Response> {
    caller.at_least(Grade::Editor)?;
    let id: AssetId = id.parse()?;
    run(move || {
        let catalog = &served.archive.catalog;
        let missing = || Error::not_found(format!("nothing was announced as asset {id}"));
        let arrival = catalog.arrival(id)?.ok_or_else(missing)?;
        if !caller.access(catalog.now()?).allows(arrival.collection.as_deref(), &Rights::default()) {
            return Err(missing());
        }
        // Whoever works on arrivals takes it up.
        catalog.enqueue(&crate::receive::wanted(catalog)?)?;
        catalog.audit("asset.completed", &id.to_string(), &json!({"name": arrival.name, "actor": caller.actor()}))?;
        let body = json!({"asset": id, "state": arrival.state, "error": arrival.error, "holder": arrival.holder});
        Ok((StatusCode::ACCEPTED, Json(body)).into_response())
    })
    .await
}
