//! Errors as answers: what went wrong for who asked (RFC 9457), not how we are built.

use axum::{
    Json,
    extract::{FromRequest, FromRequestParts, Request},
    http::{HeaderValue, StatusCode, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde_json::json;

use crate::error::{Error, Kind};

/// An answer that is a refusal.
pub(super) struct Problem {
    status: StatusCode,
    error: Error,
    retry_after: Option<u64>,
}

pub(super) type Answer<T> = std::result::Result<T, Problem>;

impl Problem {
    pub(super) fn new(status: StatusCode, error: Error) -> Self {
        Self { status, error, retry_after: None }
    }

    /// Who asks too much.
    pub(super) fn too_many(seconds: u64) -> Self {
        let error = Error::unavailable("too many requests").hint(format!("try again in {seconds} s"));
        Self { status: StatusCode::TOO_MANY_REQUESTS, error, retry_after: Some(seconds) }
    }
}

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        let status = match error.kind() {
            Kind::Invalid => StatusCode::BAD_REQUEST,
            Kind::NotFound => StatusCode::NOT_FOUND,
            Kind::Archived => StatusCode::CONFLICT,
            Kind::Conflict => StatusCode::PRECONDITION_FAILED,
            Kind::Unsupported => StatusCode::NOT_IMPLEMENTED,
            Kind::Unavailable | Kind::Paused | Kind::Stopped | Kind::LeaseLost => StatusCode::SERVICE_UNAVAILABLE,
            Kind::Corrupt | Kind::OutOfMemory | Kind::Internal => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        // What went wrong inside is for the log of whoever runs it.
        let detail = match self.error.kind() {
            Kind::Internal => "the request failed".to_owned(),
            _ => self.error.to_string(),
        };
        let body = json!({
            "type": "about:blank",
            "title": self.status.canonical_reason().unwrap_or("Error"),
            "status": self.status.as_u16(),
            "detail": detail,
            "kind": self.error.kind(),
            "hint": self.error.hint_text(),
        });
        let mut response = (self.status, body.to_string()).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if let Some(seconds) = self.retry_after {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        if self.status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        response
    }
}

/// A query of the address, or why it is none.
pub(super) struct Asked<T>(pub(super) T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequestParts<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        match axum::extract::Query::<T>::from_request_parts(parts, state).await {
            Ok(query) => Ok(Self(query.0)),
            Err(e) => Err(Error::invalid(e.body_text()).into()),
        }
    }
}

/// The parts of the address, or why they are none.
pub(super) struct Named<T>(pub(super) T);

impl<T: serde::de::DeserializeOwned + Send, S: Send + Sync> FromRequestParts<S> for Named<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Answer<Self> {
        match axum::extract::Path::<T>::from_request_parts(parts, state).await {
            Ok(path) => Ok(Self(path.0)),
            Err(e) => Err(Problem::new(e.status(), Error::invalid(e.body_text()))),
        }
    }
}

/// A body of JSON, or why it is none.
pub(super) struct Body<T>(pub(super) T);

impl<T: serde::de::DeserializeOwned, S: Send + Sync> FromRequest<S> for Body<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Answer<Self> {
        match Json::<T>::from_request(request, state).await {
            Ok(body) => Ok(Self(body.0)),
            Err(e) => Err(Problem::new(e.status(), Error::invalid(e.body_text()))),
        }
    }
}
