//! The files of renditions, with ranges, or where a bucket has them.

use std::{io::Read, path::PathBuf, sync::Arc, time::Duration};

use axum::{
    extract::{Extension, Request, State},
    http::{HeaderValue, header},
    response::{IntoResponse, Redirect, Response},
};
use serde_json::json;
use tower::ServiceExt;
use tower_http::services::ServeFile;

use super::{
    Served,
    assets::seen_by,
    guard::Caller,
    problem::{Answer, Named},
    run,
};
use crate::{
    catalog::Catalog,
    error::{Doing, Error, Result},
    model::{AssetId, Rendition},
};

/// How long the address of a rendition in a bucket is good for.
const PRESIGNED: Duration = Duration::from_secs(15 * 60);
/// The largest list of a stream that is read at once: a day in segments of a second.
const LONGEST_LIST: u64 = 16 << 20;

/// Where a file of a rendition can be had.
enum Place {
    File(PathBuf),
    Elsewhere(String),
    /// What names other files relative to its own address: it is given here, as they are.
    Here(Vec<u8>),
}

fn is_list(mime: &str) -> bool {
    matches!(mime, "application/vnd.apple.mpegurl" | "application/dash+xml" | "text/vtt")
}

/// The main file of a rendition; a list leads to where its other files lie beside it.
#[utoipa::path(get, path = "/api/v1/assets/{id}/renditions/{name}", tag = "assets",
    params(("id" = String, Path, description = "The asset"), ("name" = String, Path, description = "The profile's entry")),
    responses((status = 200, description = "The file"), (status = 206, description = "A range of it"),
              (status = 307, description = "Where it is"), (status = 404, description = "There is none that you may see")))]
pub(super) async fn rendition(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named((id, name)): Named<(String, String)>,
    request: Request,
) -> Answer<Response> {
    let id: AssetId = id.parse()?;
    let (entry, asked, by) = (name.clone(), served.clone(), caller.clone());
    let (file, mime) = run(move || {
        seen_by(&asked.archive.catalog, &by, id)?;
        let r = found(&asked.archive.catalog, id, &entry)?;
        let file = r.files.first().ok_or_else(|| Error::internal("a rendition of no files"))?;
        Ok((file.name.clone(), file.mime.clone()))
    })
    .await?;
    // Players look for what a list names beside the list.
    match is_list(&mime) {
        true => Ok(Redirect::temporary(&format!("{name}/{file}")).into_response()),
        false => give(served, caller, id, name, file, request).await,
    }
}

/// One file of a rendition.
#[utoipa::path(get, path = "/api/v1/assets/{id}/renditions/{name}/{file}", tag = "assets",
    params(("id" = String, Path, description = "The asset"), ("name" = String, Path, description = "The profile's entry"),
           ("file" = String, Path, description = "The file")),
    responses((status = 200, description = "The file"), (status = 206, description = "A range of it"),
              (status = 307, description = "Where it is"), (status = 404, description = "There is none that you may see")))]
pub(super) async fn file(
    State(served): State<Arc<Served>>,
    Extension(caller): Extension<Caller>,
    Named((id, name, file)): Named<(String, String, String)>,
    request: Request,
) -> Answer<Response> {
    give(served, caller, id.parse()?, name, file, request).await
}

fn found(catalog: &Catalog, asset: AssetId, name: &str) -> Result<Rendition> {
    let found = catalog.renditions_of(asset)?.into_iter().find(|r| r.entry == name);
    found.ok_or_else(|| Error::not_found(format!("asset {asset} has no rendition '{name}'")))
}

async fn give(
    served: Arc<Served>,
    caller: Caller,
    id: AssetId,
    name: String,
    file: String,
    request: Request,
) -> Answer<Response> {
    let (place, mime): (Place, String) = run(move || {
        let (catalog, store) = (&served.archive.catalog, &served.archive.store);
        seen_by(catalog, &caller, id)?;
        let r = found(catalog, id, &name)?;
        let known = r.files.iter().find(|f| f.name == file);
        let known = known.ok_or_else(|| Error::not_found(format!("rendition '{name}' has no file '{file}'")))?;
        let key = r.prefix.join(&known.name)?;
        let lost =
            || Error::not_found("the store has lost this rendition").hint("'damctl verify' lists what is missing");
        let place = match store.local_path(&key) {
            Some(path) => path.is_file().then_some(Place::File(path)),
            None if is_list(&known.mime) => {
                let mut list = Vec::new();
                store
                    .open(&key, None)?
                    .take(LONGEST_LIST)
                    .read_to_end(&mut list)
                    .doing(|| "cannot read the list of a stream")?;
                Some(Place::Here(list))
            }
            None => store.presigned(&key, PRESIGNED)?.map(Place::Elsewhere),
        };
        let place = place.ok_or_else(lost)?;
        // Players ask for many pieces: who takes a file is written down once.
        if served.is_first(&format!("{} {id} {name}", caller.actor())) {
            catalog.audit("asset.taken", &id.to_string(), &json!({"rendition": name, "actor": caller.actor()}))?;
        }
        Ok((place, known.mime.clone()))
    })
    .await?;
    let path = match place {
        Place::File(path) => path,
        Place::Elsewhere(url) => return Ok(Redirect::temporary(&url).into_response()),
        Place::Here(list) => return Ok(([(header::CONTENT_TYPE, mime)], list).into_response()),
    };
    let mime = mime.parse().map_err(|_| Error::internal("a rendition has no media type"))?;
    // Answers Range, If-Modified-Since and HEAD.
    let mut response = ServeFile::new_with_mime(path, &mime)
        .oneshot(request)
        .await
        .map_err(|_| Error::unavailable("the rendition cannot be read"))?
        .into_response();
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-cache"));
    Ok(response)
}
