//! Who asks, what they may see, and how much they may ask.

use std::{
    net::{IpAddr, SocketAddr},
    num::NonZeroU32,
    sync::Arc,
    time::Duration,
};

use axum::{
    extract::{ConnectInfo, Extension, Request, State},
    http::{HeaderMap, Method, StatusCode, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use governor::{DefaultKeyedRateLimiter, Quota, RateLimiter, clock::Clock};

use super::{
    Served,
    oidc::Oidc,
    problem::{Answer, Problem},
    run,
};
use crate::{
    digest::Digest,
    error::{Error, Result},
    model::{Audience, Grade, Token},
    search::Access,
};

/// Requests a second of one caller, on average, and at once.
const RATE: NonZeroU32 = NonZeroU32::new(50).unwrap();
const BURST: NonZeroU32 = NonZeroU32::new(300).unwrap();
/// Requests a second of an address whose tokens are wrong: guessing is for nothing.
const WRONG: NonZeroU32 = NonZeroU32::new(1).unwrap();
const WRONG_BURST: NonZeroU32 = NonZeroU32::new(20).unwrap();

/// Who asks.
#[derive(Clone, Debug)]
pub(super) struct Caller {
    /// For the record.
    pub(super) name: String,
    pub(super) grade: Grade,
    pub(super) collections: Option<Vec<String>>,
    /// From which country they look; none: that is not asked.
    pub(super) territory: Option<String>,
    pub(super) address: IpAddr,
}

impl Caller {
    /// Refuses who may not do what this grade may.
    pub(super) fn at_least(&self, grade: Grade) -> Answer<()> {
        match self.grade >= grade {
            true => Ok(()),
            false => Err(Problem::new(
                StatusCode::FORBIDDEN,
                Error::invalid(format!("this needs the role '{grade}': yours is '{}'", self.grade)),
            )),
        }
    }

    /// What they may see at this time (ms).
    pub(super) fn access(&self, now: i64) -> Access {
        let audience = (self.grade < Grade::Editor).then(|| Audience { now, territory: self.territory.clone() });
        Access { collections: self.collections.clone(), audience, ..Access::all() }
    }

    /// For the record.
    pub(super) fn actor(&self) -> String {
        format!("{} ({})", self.name, self.address)
    }
}

/// Who may ask without a token.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Anonymous {
    /// Nobody.
    Nobody,
    /// From this machine alone: viewers.
    Here,
    /// From anywhere, as this.
    Everybody(Grade),
}

impl std::str::FromStr for Anonymous {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        match text {
            "nobody" => Ok(Self::Nobody),
            "here" => Ok(Self::Here),
            grade => match grade.parse::<Grade>() {
                Ok(grade) if grade <= Grade::Editor => Ok(Self::Everybody(grade)),
                _ => {
                    Err(Error::invalid(format!("'{text}' is not understood: expected nobody, here, viewer or editor")))
                }
            },
        }
    }
}

/// Counts requests.
pub(super) struct Guard {
    pub(super) anonymous: Anonymous,
    pub(super) oidc: Option<Oidc>,
    requests: DefaultKeyedRateLimiter<String>,
    wrong: DefaultKeyedRateLimiter<IpAddr>,
}

impl Guard {
    pub(super) fn new(anonymous: Anonymous, oidc: Option<Oidc>) -> Self {
        let quota = |rate, burst| Quota::per_second(rate).allow_burst(burst);
        let (requests, wrong) = (RateLimiter::keyed(quota(RATE, BURST)), RateLimiter::keyed(quota(WRONG, WRONG_BURST)));
        Self { anonymous, oidc, requests, wrong }
    }

    /// Forgets callers who have not asked for a while.
    pub(super) fn sweep(&self) {
        self.requests.retain_recent();
        self.wrong.retain_recent();
    }
}

/// Lets a request in with its caller, or says why not.
pub(super) async fn admit(
    State(served): State<Arc<Served>>,
    address: Option<Extension<ConnectInfo<SocketAddr>>>,
    mut request: Request,
    next: Next,
) -> Response {
    let peer = address.map_or(IpAddr::from([0, 0, 0, 0]), |Extension(ConnectInfo(a))| a.ip().to_canonical());
    let address = super::proxy::asker(peer, request.headers(), &served.proxies);
    let asked = Asked { address, method: request.method(), uri: request.uri(), headers: request.headers() };
    match identify(&served, &asked).await {
        Ok(caller) => {
            request.extensions_mut().insert(caller);
            next.run(request).await
        }
        Err(problem) => problem.into_response(),
    }
}

/// A request, as far as it tells who asks.
struct Asked<'a> {
    address: IpAddr,
    method: &'a Method,
    uri: &'a Uri,
    headers: &'a HeaderMap,
}

async fn identify(served: &Arc<Served>, asked: &Asked<'_>) -> Answer<Caller> {
    let Asked { address, method, uri, headers } = *asked;
    let guard = &served.guard;
    let wait = |not_yet: governor::NotUntil<_>| {
        let seconds = not_yet.wait_time_from(governor::clock::DefaultClock::default().now());
        Problem::too_many(seconds.as_secs() + u64::from(seconds > Duration::from_secs(seconds.as_secs())))
    };
    // A cookie comes by itself, also from a page that means ill: it is good for pictures and films alone.
    let is_read = method == Method::GET || method == Method::HEAD;
    let cookie = || (is_read && uri.path().contains("/renditions/")).then(|| from_cookie(headers)).flatten();
    let caller = match bearer(headers)?.or_else(cookie) {
        Some(text) => {
            let found = match text.starts_with(Token::PREFIX) {
                true => by_token(served, text, address).await?,
                false => match &guard.oidc {
                    Some(oidc) => oidc.caller(text, address).await.map(|caller| Caller {
                        territory: caller.territory.clone().or_else(|| served.territory.clone()),
                        ..caller
                    }),
                    None => None,
                },
            };
            match found {
                Some(caller) => caller,
                None => {
                    guard.wrong.check_key(&address).map_err(wait)?;
                    return Err(Problem::new(
                        StatusCode::UNAUTHORIZED,
                        Error::invalid("the token is not known, or is not good any more"),
                    ));
                }
            }
        }
        None => Caller { territory: served.territory.clone(), ..anonymous(guard.anonymous, asked)? },
    };
    guard.requests.check_key(&format!("{} {}", caller.name, caller.address)).map_err(wait)?;
    Ok(caller)
}

fn bearer(headers: &HeaderMap) -> Answer<Option<&str>> {
    let Some(value) = headers.get(header::AUTHORIZATION) else { return Ok(None) };
    let wrong =
        || Problem::new(StatusCode::UNAUTHORIZED, Error::invalid("expected 'Authorization: Bearer' and a token"));
    let text = value.to_str().map_err(|_| wrong())?;
    match text.split_once(' ') {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case("bearer") => Ok(Some(token.trim())),
        _ => Err(wrong()),
    }
}

/// The session's name among the cookies.
const SESSION: &str = "damctl_session";

fn from_cookie(headers: &HeaderMap) -> Option<&str> {
    let all = headers.get_all(header::COOKIE).iter().filter_map(|v| v.to_str().ok()).flat_map(|v| v.split(';'));
    all.filter_map(|pair| pair.trim().split_once('=')).find(|(name, _)| *name == SESSION).map(|(_, token)| token)
}

/// Keeps the token of a request in a cookie that no script reads and no other site sends, for what a browser asks for by
/// itself: pictures and films.
#[utoipa::path(post, path = "/api/v1/session", tag = "service",
    responses((status = 204, description = "The cookie is set"), (status = 401, description = "The token is not good")))]
pub(super) async fn begin_session(State(served): State<Arc<Served>>, headers: HeaderMap) -> Answer<Response> {
    let token = bearer(&headers)?.unwrap_or_default().to_owned();
    // What is let in here is a good token, and none of these has a semicolon.
    let is_clean = token.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.'));
    session(&served, if is_clean { &token } else { "" })
}

/// Takes the cookie away.
#[utoipa::path(delete, path = "/api/v1/session", tag = "service", responses((status = 204, description = "The cookie is gone")))]
pub(super) async fn end_session(State(served): State<Arc<Served>>) -> Answer<Response> {
    session(&served, "")
}

fn session(served: &Served, token: &str) -> Answer<Response> {
    let age = if token.is_empty() { 0 } else { 12 * 3600 };
    let secure = if served.is_secure { "; Secure" } else { "" };
    let cookie = format!("{SESSION}={token}; Path=/; HttpOnly; SameSite=Strict; Max-Age={age}{secure}");
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, cookie)]).into_response())
}

async fn by_token(served: &Arc<Served>, text: &str, address: IpAddr) -> Answer<Option<Caller>> {
    let (digest, archive) = (Digest::of(text.as_bytes()), served.clone());
    let token = run(move || archive.archive.catalog.token_by_digest(&digest)).await?;
    Ok(token.map(|t| {
        let territory = t.territory.or_else(|| served.territory.clone());
        Caller { name: t.name, grade: t.grade, collections: t.collections, territory, address }
    }))
}

fn anonymous(who: Anonymous, asked: &Asked<'_>) -> Answer<Caller> {
    let address = asked.address;
    let caller = |grade| Caller { name: "anonymous".to_owned(), grade, collections: None, territory: None, address };
    match who {
        Anonymous::Everybody(grade) => Ok(caller(grade)),
        // A page from elsewhere may lead a browser here under a name of its own; a proxy brings others.
        Anonymous::Here
            if address.is_loopback() && is_named_here(asked.uri, asked.headers) && !is_brought(asked.headers) =>
        {
            Ok(caller(Grade::Viewer))
        }
        _ => Err(Problem::new(
            StatusCode::UNAUTHORIZED,
            Error::invalid("who asks must say who they are").hint("'damctl token create' makes a token"),
        )),
    }
}

/// Whether the request is to this machine by a name that means this machine.
fn is_named_here(uri: &Uri, headers: &HeaderMap) -> bool {
    // HTTP/2 names it in the address.
    let named = uri.authority().map(|a| a.as_str().to_owned());
    let host = named.or_else(|| headers.get(header::HOST).map(|v| v.to_str().unwrap_or_default().to_owned()));
    let Some(host) = host.as_deref() else { return false };
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    name.eq_ignore_ascii_case("localhost") || name.parse::<IpAddr>().is_ok_and(|a| a.to_canonical().is_loopback())
}

/// Whether a proxy has brought the request from somebody else.
fn is_brought(headers: &HeaderMap) -> bool {
    ["forwarded", "x-forwarded-for", "x-forwarded-host", "x-real-ip", "via"]
        .iter()
        .any(|name| headers.contains_key(*name))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_names_of_this_machine_are_here() {
        for (host, is) in [
            ("localhost:7878", true),
            ("127.0.0.1", true),
            ("[::1]:80", true),
            ("evil.example:7878", false),
            ("127.0.0.1.evil.example", false),
            ("10.0.0.1", false),
        ] {
            let headers = HeaderMap::from_iter([(header::HOST, host.parse().unwrap())]);
            assert_eq!(is_named_here(&Uri::from_static("/"), &headers), is, "{host}");
        }
    }
}
