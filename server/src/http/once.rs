//! `Idempotency-Key`: a POST that comes twice is carried out once, and answered the same.

use std::sync::Arc;

use app::{
    error::{Error, Result},
    model::{Actor, Credential},
};
use axum::{
    body::{Body, Bytes, to_bytes},
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse, Response},
};
use http::StatusCode;
use sha2::{Digest, Sha256};

use super::{problem::Problem, request};
use crate::control::{Control, once::Once};

/// The largest body that is looked at or remembered.
const LIMIT: usize = 1 << 20;

/// Whose key, and the key. A token has keys of its own: an answer to a wider one of the same person is not for it.
fn key(request: &Request) -> Option<(String, String)> {
    if request.method() != Method::POST {
        return None;
    }
    let key = request.headers().get("idempotency-key")?;
    let actor = request.extensions().get::<Arc<Actor>>()?;
    let user = actor.user.as_ref()?;
    let holder = match &actor.credential {
        Credential::Token { id, .. } => format!("{user}/{id}"),
        Credential::Session | Credential::System => user.to_string(),
    };
    Some((holder, key.to_str().unwrap_or_default().to_owned()))
}

fn hash(uri: &Uri, body: &[u8]) -> String {
    let mut hash = Sha256::new();
    hash.update(uri.to_string());
    hash.update([0]);
    hash.update(body);
    hex::encode(hash.finalize())
}

async fn whole(body: Body) -> Result<Bytes> {
    to_bytes(body, LIMIT).await.map_err(|_| Error::too_large("body_too_large", "The body is larger than this address takes."))
}

/// The layer; inside of the one that says who asks.
pub async fn layer(State(control): State<Arc<Control>>, request: Request, next: Next) -> Response {
    match key(&request) {
        None => next.run(request).await,
        // Carried out to its end even where the client hangs up or the deadline comes: that is when it will come again.
        Some((holder, key)) => request::detached(async move { run(&control, &holder, &key, request, next).await })
            .await
            .unwrap_or_else(|error| Problem(error).into_response()),
    }
}

async fn run(control: &Control, holder: &str, key: &str, request: Request, next: Next) -> Result<Response> {
    let (parts, body) = request.into_parts();
    let body = whole(body).await?;
    if let Once::Again { status, body } = control.once_begin(holder, key, &hash(&parts.uri, &body)).await? {
        return Ok(again(status, body));
    }
    let response = next.run(Request::from_parts(parts, Body::from(body))).await;
    // A refusal changed nothing, so the same request may be sent again once its cause is gone.
    if !response.status().is_success() {
        control.once_end(holder, key, None).await?;
        return Ok(response);
    }
    let (parts, body) = response.into_parts();
    let body = whole(body).await?;
    control.once_end(holder, key, Some((parts.status.as_u16(), &body))).await?;
    Ok(Response::from_parts(parts, Body::from(body)))
}

fn again(status: u16, body: Vec<u8>) -> Response {
    let mut headers = HeaderMap::new();
    if !body.is_empty() {
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/json"));
    }
    headers.insert("idempotency-replayed", HeaderValue::from_static("true"));
    (StatusCode::from_u16(status).unwrap_or(StatusCode::OK), headers, body).into_response()
}
