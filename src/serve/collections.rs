//! Collections: what may be done with their assets.

use std::sync::{Arc, atomic::Ordering};

use axum::{
    Json,
    extract::{Extension, State},
    http::{HeaderMap, header},
    response::{IntoResponse, Response},
};
use serde_json::{Value, json};

use super::{
    Served,
    assets::{expected, merge, tag},
    guard::Caller,
    problem::{Answer, Body, Named},
    run,
};
use crate::{
    catalog::Collection,
    error::{Error, Result},
    model::{Grade, Rights},
};

fn may_see(caller: &Caller, name: &str) -> Result<()> {
    match caller.collections.as_ref().is_none_or(|all| all.iter().any(|known| known == name)) {
        true => Ok(()),
        false => Err(Error::not_found(format!("there is no collection '{name}'"))),
    }
}

/// Collections, each with its number of assets and what is said of it.
#[utoipa::path(get, path = "/api/v1/collections", tag = "collections",
    responses((status = 200, description = "Those that you may see", body = serde_json::Value), (status = 403, description = "Editors may")))]
pub(super) async fn list(State(served): State<Arc<Served>>, Extension(caller): Extension<Caller>) -> Answer<Response> {
    caller.at_least(Grade::Editor)?;
    run(move || {
        let all = served.archive.catalog.collections()?;
        let seen = all.into_iter().filter(|(c, _)| may_see(&caller, &c.name).is_ok());
        let seen: Vec<Value> = seen.map(|(c, assets)| told(&c, Some(assets))).collect();
        Ok(Json(json!({"collections": seen})).into_response())
    })
    .await
}

fn told(c: &Collection, assets: Option<i64>) -> Value {
    json!({"name": c.name, "revision": c.revision, "rights": c.rights, "assets": assets})
}

/// What a collection says.
#[utoipa::path(get, path = "/api/v1/collections/{name}", tag = "collections",
    params(("name" = String, Path, description = "The collection")),
    responses((status = 200, description = "It; its ETag is good for a change", body = serde_json::Value), (status = 403, description = "Editors may")))]
pub(super) async fn one(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<String>,
) -> Answer<Response> {
    caller.at_least(Grade::Editor)?;
    run(move || {
        may_see(&caller, &name)?;
        let c = served.archive.catalog.collection(&name)?;
        Ok(([(header::ETAG, tag(c.revision))], Json(told(&c, None))).into_response())
    })
    .await
}

/// Changes what a collection says of rights, if nobody has since it was read: what is left out stays as it is, null takes away
/// (RFC 7396).
#[utoipa::path(patch, path = "/api/v1/collections/{name}", request_body = serde_json::Value, tag = "collections",
    params(("name" = String, Path, description = "The collection"), ("If-Match" = String, Header, description = "The ETag that was read")),
    responses((status = 200, description = "Changed", body = serde_json::Value), (status = 412, description = "Somebody has changed it"),
              (status = 428, description = "If-Match is missing")))]
pub(super) async fn change(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named(name): Named<String>,
    headers: HeaderMap,
    Body(patch): Body<Value>,
) -> Answer<Response> {
    caller.at_least(Grade::Editor)?;
    let revision = expected(&headers)?;
    run(move || {
        may_see(&caller, &name)?;
        let catalog = &served.archive.catalog;
        let was = catalog.collection(&name)?;
        let mut value =
            serde_json::to_value(&was.rights).map_err(|e| Error::internal("cannot write JSON").because(e))?;
        merge(&mut value, patch);
        let rights: Rights = serde_json::from_value(value).map_err(|e| Error::invalid(format!("rights: {e}")))?;
        // What was merged is good for the revision that it was merged with.
        catalog.set_collection(&name, &rights, revision.or(Some(was.revision)), &caller.actor())?;
        served.is_edited.store(true, Ordering::Release);
        let c = catalog.collection(&name)?;
        Ok(([(header::ETAG, tag(c.revision))], Json(told(&c, None))).into_response())
    })
    .await
}
