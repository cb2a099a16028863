//! The small HTTP endpoint that editors ask: searches, assets and renditions, read only, in JSON.

use std::{
    io::Read,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::Arc,
    time::Duration,
};

use axum::{
    Json, Router,
    extract::{Path, Query, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    response::{IntoResponse, Redirect, Response},
    routing::get,
};
use serde::Deserialize;
use serde_json::json;
use tower::ServiceExt;
use tower_http::{services::ServeFile, set_header::SetResponseHeaderLayer, timeout::TimeoutLayer};

use crate::{
    block,
    catalog::Catalog,
    error::{Doing, Error, Kind, Result},
    model::{AssetId, MediaKind, Rendition},
    search::{Question, Searcher},
    stop::Stop,
    store::Store,
};

/// What the endpoint answers from.
pub struct Archive {
    /// What is known.
    pub catalog: Catalog,
    /// Where renditions are.
    pub store: Arc<dyn Store>,
    /// What is asked.
    pub searcher: Searcher,
}

/// Longest query in bytes, and most hits of an answer.
const LONGEST_QUERY: usize = 1000;
const MOST_HITS: usize = 100;
/// How long the address of a rendition in a bucket is good for.
const PRESIGNED: Duration = Duration::from_secs(15 * 60);

/// A listener that is bound, so that its port is known before it answers.
pub struct Server {
    listener: TcpListener,
}

impl Server {
    /// Binds the address; port 0 takes any free one.
    pub fn bind(address: SocketAddr) -> Result<Self> {
        let listener = TcpListener::bind(address).doing(|| format!("cannot listen on {address}"))?;
        listener.set_nonblocking(true).doing(|| "cannot set up the socket")?;
        Ok(Self { listener })
    }

    /// Where it listens.
    pub fn address(&self) -> Result<SocketAddr> {
        self.listener.local_addr().doing(|| "cannot tell the address")
    }

    /// Answers until `stop` is tripped; requests under way are then finished.
    pub fn run(self, archive: Archive, stop: &Stop) -> Result<()> {
        let router = router(Arc::new(archive));
        let stop = stop.clone();
        block::on(async move {
            let listener = tokio::net::TcpListener::from_std(self.listener).doing(|| "cannot set up the socket")?;
            let until = async move {
                while !stop.is_tripped() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                }
            };
            axum::serve(listener, router).with_graceful_shutdown(until).await.doing(|| "the server failed")
        })?
    }
}

fn router(archive: Arc<Archive>) -> Router {
    let fixed = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::overriding(name, HeaderValue::from_static(value))
    };
    Router::new()
        .route("/health", get(async || Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))))
        .route("/metrics", get(metrics))
        .route("/search", get(search))
        .route("/assets/{id}", get(asset))
        .route("/assets/{id}/renditions/{name}", get(rendition))
        .route("/assets/{id}/renditions/{name}/{file}", get(rendition_file))
        .fallback(async || Problem(Error::not_found("there is nothing at this address")))
        .layer(TimeoutLayer::with_status_code(StatusCode::REQUEST_TIMEOUT, Duration::from_secs(30)))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, "default-src 'none'; sandbox"))
        .with_state(archive)
}

/// An error as an answer: what went wrong, not how we are built.
struct Problem(Error);

impl From<Error> for Problem {
    fn from(e: Error) -> Self {
        Self(e)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let e = self.0;
        let status = match e.kind() {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Conflict => StatusCode::CONFLICT,
            Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Kind::Unavailable | Kind::Paused | Kind::Stopped | Kind::LeaseLost => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Corrupt | Kind::OutOfMemory | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        (status, Json(json!({"error": e.to_string(), "kind": e.kind(), "hint": e.hint_text()}))).into_response()
    }
}

type Answer<T> = std::result::Result<T, Problem>;

/// Runs what blocks off the runtime's threads.
async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Answer<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(Problem),
        Err(_) => Err(Problem(Error::internal("the request failed"))),
    }
}

#[derive(Deserialize)]
struct Asked {
    #[serde(default)]
    q: String,
    kind: Option<String>,
    limit: Option<usize>,
}

async fn search(
    State(archive): State<Arc<Archive>>,
    asked: std::result::Result<Query<Asked>, axum::extract::rejection::QueryRejection>,
) -> Answer<Response> {
    let Query(asked) = asked.map_err(|e| Error::invalid(e.body_text()))?;
    if asked.q.trim().is_empty() {
        return Err(Problem(Error::invalid("the query is empty: ask /search?q=words")));
    }
    if asked.q.len() > LONGEST_QUERY {
        return Err(Problem(Error::invalid(format!("the query is longer than {LONGEST_QUERY} bytes"))));
    }
    let kind: Option<MediaKind> = asked.kind.as_deref().filter(|k| !k.is_empty()).map(str::parse).transpose()?;
    let limit = asked.limit.unwrap_or(20).clamp(1, MOST_HITS);
    blocking(move || {
        let answer = archive.searcher.search(&Question { words: &asked.q, kind, limit })?;
        let mut hits = Vec::new();
        for hit in &answer.hits {
            let mut value = serde_json::to_value(hit).map_err(|e| Error::internal("cannot write JSON").because(e))?;
            value["renditions"] = links(&archive.catalog, hit.document.asset)?;
            hits.push(value);
        }
        Ok(Json(json!({"query": asked.q, "total": answer.total, "hits": hits})).into_response())
    })
    .await
}

fn links(catalog: &Catalog, asset: AssetId) -> Result<serde_json::Value> {
    let link = |r: &crate::model::Rendition| {
        let file = r.files.first();
        json!({
            "name": r.entry,
            "url": format!("/assets/{asset}/renditions/{}", r.entry),
            "mime": file.map(|f| &f.mime),
            "bytes": file.map(|f| f.bytes),
            "duration_ms": r.facts.duration_ms,
            "size": r.facts.display_size(),
        })
    };
    Ok(catalog.renditions_of(asset)?.iter().map(link).collect())
}

async fn metrics(State(archive): State<Arc<Archive>>) -> Answer<Response> {
    blocking(move || {
        let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
        Ok((kind, crate::tend::metrics(&archive.catalog)?).into_response())
    })
    .await
}

async fn asset(State(archive): State<Arc<Archive>>, Path(id): Path<String>) -> Answer<Response> {
    let id: AssetId = id.parse()?;
    blocking(move || {
        let row = archive.catalog.asset(id)?;
        let seen = archive.catalog.sightings_of(id)?;
        let seen: Vec<_> = seen.iter().map(|(drive, path)| json!({"drive": drive, "path": path})).collect();
        let renditions = links(&archive.catalog, id)?;
        Ok(Json(json!({"asset": row.asset, "masters": row.masters, "seen": seen, "renditions": renditions}))
            .into_response())
    })
    .await
}

/// Where a file of a rendition can be had.
enum Place {
    File(PathBuf),
    Elsewhere(String),
    /// What names other files relative to its own address: it is given here, as they are.
    Here(Vec<u8>),
}

/// The largest list of a stream that is read at once: a day in segments of a second.
const LONGEST_LIST: u64 = 16 << 20;

fn is_list(mime: &str) -> bool {
    matches!(mime, "application/vnd.apple.mpegurl" | "application/dash+xml" | "text/vtt")
}

async fn rendition(
    State(archive): State<Arc<Archive>>,
    Path((id, name)): Path<(String, String)>,
    request: Request,
) -> Answer<Response> {
    let id: AssetId = id.parse()?;
    let entry = name.clone();
    let (file, mime) = {
        let archive = archive.clone();
        blocking(move || {
            let r = found(&archive.catalog, id, &entry)?;
            let file = r.files.first().ok_or_else(|| Error::internal("a rendition of no files"))?;
            Ok((file.name.clone(), file.mime.clone()))
        })
        .await?
    };
    // Players look for what a list names beside the list.
    match is_list(&mime) {
        true => Ok(Redirect::temporary(&format!("{name}/{file}")).into_response()),
        false => give(archive, id, name, file, request).await,
    }
}

async fn rendition_file(
    State(archive): State<Arc<Archive>>,
    Path((id, name, file)): Path<(String, String, String)>,
    request: Request,
) -> Answer<Response> {
    give(archive, id.parse()?, name, file, request).await
}

fn found(catalog: &Catalog, asset: AssetId, name: &str) -> Result<Rendition> {
    let found = catalog.renditions_of(asset)?.into_iter().find(|r| r.entry == name);
    found.ok_or_else(|| Error::not_found(format!("asset {asset} has no rendition '{name}'")))
}

async fn give(archive: Arc<Archive>, id: AssetId, name: String, file: String, request: Request) -> Answer<Response> {
    let (place, mime): (Place, String) = blocking(move || {
        let r = found(&archive.catalog, id, &name)?;
        let known = r.files.iter().find(|f| f.name == file);
        let known = known.ok_or_else(|| Error::not_found(format!("rendition '{name}' has no file '{file}'")))?;
        let key = r.prefix.join(&known.name)?;
        let lost =
            || Error::not_found("the store has lost this rendition").hint("'damctl verify' lists what is missing");
        let place = match archive.store.local_path(&key) {
            Some(path) => path.is_file().then_some(Place::File(path)),
            None if is_list(&known.mime) => {
                let mut list = Vec::new();
                archive
                    .store
                    .open(&key, None)?
                    .take(LONGEST_LIST)
                    .read_to_end(&mut list)
                    .doing(|| "cannot read the list of a stream")?;
                Some(Place::Here(list))
            }
            None => archive.store.presigned(&key, PRESIGNED)?.map(Place::Elsewhere),
        };
        Ok((place.ok_or_else(lost)?, known.mime.clone()))
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
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-cache"));
    Ok(response)
}
