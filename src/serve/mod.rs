//! The small HTTP endpoint that editors ask, and its one page: searches, assets, renditions, changes of what is said of
//! them, in JSON. Who asks is known by `guard` before anything else is looked at.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    path::PathBuf,
    sync::{
        Arc, Mutex, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::{Duration, Instant},
};

use axum::{
    Json, Router,
    extract::{DefaultBodyLimit, Extension, Request, State},
    http::{HeaderName, HeaderValue, StatusCode, header},
    middleware,
    response::{IntoResponse, Response},
    routing::{get, post},
};
use serde_json::json;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tower_http::set_header::SetResponseHeaderLayer;

use crate::{
    block,
    catalog::Catalog,
    enrich::Sense,
    error::{Doing, Error, Kind, Result},
    keep,
    model::Grade,
    search::{Access, Searcher},
    stop::Stop,
    store::Store,
};

mod assets;
mod collections;
mod distribution;
mod events;
mod files;
mod guard;
mod lately;
mod look;
mod oidc;
mod openapi;
mod page;
mod problem;
mod proxy;

use guard::{Caller, Guard};
use lately::Lately;
use problem::{Answer, Problem};

pub use guard::Anonymous;
pub use oidc::Provider;
pub use openapi::document as openapi;
pub use proxy::Network;

/// How soon the store's records tell what was said here.
const RECORDS: Duration = Duration::from_secs(5);

/// What the endpoint answers from.
pub struct Archive {
    /// What is known.
    pub catalog: Catalog,
    /// Where renditions are.
    pub store: Arc<dyn Store>,
    /// What is asked.
    pub searcher: Searcher,
    /// The file that says where things are published: read at each request, if it is there.
    pub channels: Option<PathBuf>,
    /// What tells what questions mean.
    pub sense: Arc<Sense>,
}

/// Who is let in, and how.
#[derive(Clone, Debug)]
pub struct Terms {
    /// Who needs no token.
    pub anonymous: Anonymous,
    /// An identity provider whose tokens are believed.
    pub provider: Option<Provider>,
    /// Certificate and key (PEM files) for TLS; none: plain HTTP.
    pub tls: Option<(PathBuf, PathBuf)>,
    /// Proxies that are believed when they tell for whom they ask.
    pub proxies: Vec<Network>,
    /// The country from which those look whose token says none; none: that is not asked.
    pub territory: Option<String>,
}

impl Default for Terms {
    fn default() -> Self {
        Self { anonymous: Anonymous::Here, provider: None, tls: None, proxies: Vec::new(), territory: None }
    }
}

/// Largest body of a request.
const LARGEST_BODY: usize = 256 << 10;
/// How long a request may take, and how long its head.
const PATIENCE: Duration = Duration::from_secs(30);
const HEAD_PATIENCE: Duration = Duration::from_secs(10);
/// How long a search waits for its turn.
const TURN: Duration = Duration::from_secs(5);
/// How long who takes a rendition counts as the same taking.
const TAKING: Duration = Duration::from_secs(3600);
const MOST_TAKINGS: usize = 10_000;

/// What every request is answered with.
struct Served {
    archive: Archive,
    guard: Guard,
    proxies: Vec<Network>,
    territory: Option<String>,
    stop: Stop,
    turns: Arc<Semaphore>,
    readers: Arc<Semaphore>,
    taken: Mutex<HashMap<String, Instant>>,
    lately: Lately,
    /// Whether it speaks TLS.
    is_secure: bool,
    /// Whether something was said that the store's records do not tell yet.
    is_edited: AtomicBool,
}

impl Served {
    /// Writes into the store what was said. Where it cannot be written, the next command does it.
    fn record(&self) {
        if let Err(e) = keep::record(&self.archive.catalog, &*self.archive.store, &Stop::new()) {
            self.is_edited.store(e.kind() == Kind::Unavailable, Ordering::Release);
        }
    }

    /// What a caller may see of what the index shows.
    fn access(&self, caller: &Caller, now: i64) -> Result<Access> {
        let index = self.archive.searcher.index().map_err(look::not_yet)?;
        self.lately.narrowed(&self.archive.catalog, &index, caller.access(now))
    }

    /// A turn to search: more at once than there are cores would only wait for each other.
    async fn turn(&self) -> Answer<OwnedSemaphorePermit> {
        match tokio::time::timeout(TURN, self.turns.clone().acquire_owned()).await {
            Ok(Ok(turn)) => Ok(turn),
            _ => Err(Error::unavailable("too many searches at once").hint("try again in a moment").into()),
        }
    }

    /// Whether this is the first time in an hour.
    fn is_first(&self, what: &str) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        if taken.len() >= MOST_TAKINGS {
            taken.retain(|_, since| now.duration_since(*since) < TAKING);
        }
        match taken.insert(what.to_owned(), now) {
            Some(since) if now.duration_since(since) < TAKING => {
                // It began then.
                taken.insert(what.to_owned(), since);
                false
            }
            _ => true,
        }
    }
}

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
    pub fn run(self, archive: Archive, terms: &Terms, stop: &Stop) -> Result<()> {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        // Nobody waits for the model, and who asks for it too early waits no longer than for this.
        let sense = archive.sense.clone();
        std::thread::spawn(move || sense.warm());
        let served = Arc::new(Served {
            archive,
            guard: Guard::new(terms.anonymous, terms.provider.clone().map(oidc::Oidc::new).transpose()?),
            proxies: terms.proxies.clone(),
            territory: terms.territory.clone(),
            stop: stop.clone(),
            turns: Arc::new(Semaphore::new(cores * 2)),
            readers: Arc::new(Semaphore::new(events::MOST_READERS)),
            taken: Mutex::default(),
            lately: Lately::default(),
            is_secure: terms.tls.is_some(),
            is_edited: AtomicBool::new(false),
        });
        let tls = terms.tls.as_ref().map(|(certificate, key)| tls(certificate, key)).transpose()?;
        let (stop, sweeps) = (stop.clone(), served.clone());
        let service = router(served).into_make_service_with_connect_info::<SocketAddr>();
        block::on(async move {
            let handle = axum_server::Handle::new();
            let ending = handle.clone();
            let (records, asked) = (sweeps.clone(), stop.clone());
            let recording = tokio::spawn(async move {
                let mut is_last = false;
                while !is_last {
                    for _ in 0..RECORDS.as_millis() / 100 {
                        is_last = asked.is_tripped();
                        if !is_last {
                            tokio::time::sleep(Duration::from_millis(100)).await;
                        }
                    }
                    if records.is_edited.swap(false, Ordering::AcqRel) {
                        let write = records.clone();
                        tokio::task::spawn_blocking(move || write.record()).await.ok();
                    }
                }
            });
            tokio::spawn(async move {
                let mut n = 0_u32;
                while !stop.is_tripped() {
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    n = n.wrapping_add(1);
                    if n.is_multiple_of(600) {
                        sweeps.guard.sweep();
                    }
                }
                ending.graceful_shutdown(Some(PATIENCE));
            });
            let failed = || "the server failed";
            macro_rules! serve {
                ($server:expr) => {{
                    let mut server = $server.doing(|| "cannot set up the socket")?.handle(handle);
                    let timer = hyper_util::rt::TokioTimer::new();
                    server.http_builder().http1().timer(timer).header_read_timeout(HEAD_PATIENCE);
                    server.serve(service).await.doing(failed)
                }};
            }
            let served = match tls {
                Some(tls) => serve!(axum_server::from_tcp_rustls(self.listener, tls)),
                None => serve!(axum_server::from_tcp(self.listener)),
            };
            // What was said last is told as well, if it was asked to stop.
            if served.is_ok() {
                recording.await.ok();
            }
            served
        })?
    }
}

/// TLS by a certificate and its key.
fn tls(certificate: &std::path::Path, key: &std::path::Path) -> Result<axum_server::tls_rustls::RustlsConfig> {
    // Whoever was first has chosen the same.
    rustls::crypto::aws_lc_rs::default_provider().install_default().ok();
    block::on(axum_server::tls_rustls::RustlsConfig::from_pem_file(certificate, key))?
        .doing(|| format!("cannot use the certificate {} and its key", certificate.display()))
}

fn router(served: Arc<Served>) -> Router {
    let fixed = |name: HeaderName, value: &'static str| {
        SetResponseHeaderLayer::if_not_present(name, HeaderValue::from_static(value))
    };
    let api = || {
        Router::new()
            .route("/search", get(look::search).post(look::search_by_body))
            .route("/facets", get(look::facets))
            .route("/suggest", get(look::suggest))
            .route("/assets", post(assets::announce))
            .route("/assets/{id}", get(assets::asset).patch(assets::change))
            .route("/assets/{id}/complete", post(assets::complete))
            .route("/assets/{id}/similar", get(assets::similar))
            .route("/assets/{id}/history", get(assets::history))
            .route("/distribution", post(distribution::plan))
            .route("/distribution/{id}", get(distribution::of_asset))
            .route("/assets/{id}/{transcript}", get(assets::transcript))
            .route("/assets/{id}/renditions/{name}", get(files::rendition))
            .route("/assets/{id}/renditions/{name}/{file}", get(files::file))
            .route("/collections", get(collections::list))
            .route("/collections/{name}", get(collections::one).patch(collections::change))
            .route("/me", get(me))
            .route("/session", post(guard::begin_session).delete(guard::end_session))
            .route("/metrics", get(metrics))
    };
    // Whoever has come by TLS once comes so again.
    let secure = served.is_secure.then(|| {
        SetResponseHeaderLayer::if_not_present(
            header::STRICT_TRANSPORT_SECURITY,
            HeaderValue::from_static("max-age=31536000"),
        )
    });
    let guarded = Router::new()
        .merge(api())
        .nest("/api/v1", api())
        .layer(middleware::from_fn(in_time))
        // These go on for as long as somebody reads them.
        .route("/events", get(events::events))
        .route("/api/v1/events", get(events::events))
        .layer(middleware::from_fn_with_state(served.clone(), guard::admit));
    Router::new()
        .merge(guarded)
        .merge(page::routes())
        .route("/health", get(health))
        .route("/ready", get(ready))
        .route("/api/v1/health", get(health))
        .route("/api/v1/ready", get(ready))
        .route("/api/v1/openapi.json", get(async || Json(openapi())))
        .fallback(async || Problem::from(Error::not_found("there is nothing at this address")))
        .method_not_allowed_fallback(async || {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, Error::invalid("this address does not do that"))
        })
        .layer(DefaultBodyLimit::max(LARGEST_BODY))
        .layer(fixed(header::X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .layer(fixed(header::X_FRAME_OPTIONS, "DENY"))
        .layer(fixed(header::REFERRER_POLICY, "no-referrer"))
        .layer(fixed(header::CONTENT_SECURITY_POLICY, "default-src 'none'; frame-ancestors 'none'; sandbox"))
        .layer(tower::util::option_layer(secure))
        .with_state(served)
}

/// A request that takes too long is answered that it does.
async fn in_time(request: Request, next: middleware::Next) -> Response {
    within(PATIENCE, next.run(request)).await
}

async fn within(patience: Duration, answer: impl Future<Output = Response>) -> Response {
    match tokio::time::timeout(patience, answer).await {
        Ok(response) => response,
        Err(_) => {
            let error = Error::unavailable("the request takes too long").hint("try again, or ask for less");
            Problem::new(StatusCode::REQUEST_TIMEOUT, error).into_response()
        }
    }
}

/// Runs what blocks off the runtime's threads.
async fn run<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Answer<T> {
    match tokio::task::spawn_blocking(work).await {
        Ok(outcome) => outcome.map_err(Problem::from),
        Err(_) => Err(Error::internal("the request failed").into()),
    }
}

/// Whether it runs.
#[utoipa::path(get, path = "/api/v1/health", tag = "service",
    responses((status = 200, description = "It runs", body = serde_json::Value)))]
async fn health() -> Json<serde_json::Value> {
    Json(json!({"status": "ok", "version": env!("CARGO_PKG_VERSION")}))
}

/// Whether there is an index and a catalog to answer from.
#[utoipa::path(get, path = "/api/v1/ready", tag = "service",
    responses((status = 200, description = "It answers", body = serde_json::Value), (status = 503, description = "Not yet")))]
async fn ready(State(served): State<Arc<Served>>) -> Answer<Response> {
    run(move || {
        served.archive.catalog.last_event()?;
        served.archive.searcher.ready().map_err(look::not_yet)?;
        Ok(Json(json!({"status": "ready"})).into_response())
    })
    .await
}

/// Who the caller is taken for.
#[utoipa::path(get, path = "/api/v1/me", tag = "service",
    responses((status = 200, description = "Name, role and collections; whether there is something to find by its meaning",
               body = serde_json::Value)))]
async fn me(State(served): State<Arc<Served>>, Extension(caller): Extension<Caller>) -> Answer<Response> {
    run(move || {
        // Without an index there is nothing to find at all.
        let has_meaning = served.archive.searcher.has_meaning().unwrap_or(false);
        let Caller { name, grade, collections, .. } = &caller;
        let body = json!({"name": name, "role": grade, "collections": collections, "meaning": has_meaning});
        Ok(Json(body).into_response())
    })
    .await
}

/// Numbers of the archive, for Prometheus.
#[utoipa::path(get, path = "/api/v1/metrics", tag = "service",
    responses((status = 200, description = "Prometheus' text format", body = String)))]
async fn metrics(State(served): State<Arc<Served>>, Extension(caller): Extension<Caller>) -> Answer<Response> {
    // On this machine alone there is nobody to hide them from.
    if !caller.address.is_loopback() {
        caller.at_least(Grade::Operator)?;
    }
    run(move || {
        let kind = [(header::CONTENT_TYPE, "text/plain; version=0.0.4")];
        Ok((kind, crate::tend::metrics(&served.archive.catalog)?).into_response())
    })
    .await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_takes_too_long_is_a_problem_as_any_other() {
        let slow = within(Duration::from_millis(10), std::future::pending());
        let response = block::on(slow).unwrap();
        assert_eq!(response.status(), StatusCode::REQUEST_TIMEOUT);
        assert_eq!(response.headers()[header::CONTENT_TYPE], "application/problem+json");
    }
}
