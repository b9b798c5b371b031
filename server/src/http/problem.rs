//! Errors as `application/problem+json` (RFC 9457): a stable code, a sentence a person can act on, the request's id. The
//! cause is logged once, here, and never sent.

use app::error::{Error, Kind};
use axum::{
    Json,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse, Response},
};
use serde::Serialize;

use super::request;

/// What a client gets where something went wrong.
#[derive(Debug, Serialize, utoipa::ToSchema)]
#[schema(as = Problem)]
pub struct Body {
    /// Always `about:blank`: the code says more.
    #[serde(rename = "type")]
    kind: &'static str,
    /// The status in words.
    title: &'static str,
    /// The HTTP status.
    status: u16,
    /// A stable name for programs; never reworded.
    code: &'static str,
    /// What happened and what to do.
    detail: String,
    /// The field or property it is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    field: Option<String>,
    /// The id of the request, for the administrator.
    request_id: String,
}

/// An error on its way to a client.
#[derive(Debug)]
pub struct Problem(pub Error);

impl From<Error> for Problem {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

/// Logs the private cause, once.
pub fn log(error: &Error) {
    match (error.kind, error.cause()) {
        (Kind::Internal, Some(cause)) => tracing::error!(code = error.code, request = request::id(), %cause, "a request failed"),
        (_, Some(cause)) => tracing::warn!(code = error.code, request = request::id(), %cause, "a request was refused"),
        (_, None) => tracing::debug!(code = error.code, request = request::id(), "a request was refused"),
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let Self(error) = self;
        log(&error);
        let status = StatusCode::from_u16(error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let kept = error.clone();
        let body = Body {
            kind: "about:blank",
            title: status.canonical_reason().unwrap_or_default(),
            status: status.as_u16(),
            code: error.code,
            detail: error.sentence,
            field: error.field,
            request_id: request::id(),
        };
        let mut response = (status, Json(body)).into_response();
        // For the layer that makes a page of it where a browser asked.
        response.extensions_mut().insert(kept);
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if status == StatusCode::UNAUTHORIZED {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(seconds) = error.retry_after_s {
            headers.insert(header::RETRY_AFTER, seconds.into());
            if status == StatusCode::TOO_MANY_REQUESTS
                && let Ok(limit) = HeaderValue::from_str(&format!("\"attempts\";r=0;t={seconds}"))
            {
                headers.insert("ratelimit", limit);
            }
        }
        response
    }
}
