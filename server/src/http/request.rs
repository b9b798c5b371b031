//! What every request gets before anything else looks at it: an id, a line in the log, the address it came from.

use std::{net::SocketAddr, time::Instant};

use app::error::{Error, Result};
use axum::{
    extract::{ConnectInfo, Request},
    http::{HeaderName, HeaderValue},
    middleware::Next,
    response::Response,
};
use tracing::Instrument as _;

use crate::clock;

/// The response header with the request's id.
pub const ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

tokio::task_local! {
    static ID: String;
}

/// The id of the request under way; empty outside of one.
pub fn id() -> String {
    ID.try_with(Clone::clone).unwrap_or_default()
}

/// Carries on under the same id, whatever becomes of the one who waits for it.
///
/// # Errors
/// Those of the work; `internal` where it panicked.
pub async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(ID.scope(id(), work).in_current_span()).await.map_err(Error::internal)?
}

/// Where a request came from, as the activity records it.
#[derive(Clone, Debug, Default)]
pub struct Peer(pub Option<String>);

/// Paths whose last part is a secret.
const SECRET: [&str; 3] = ["/setup/", "/invite/", "/sign-in/"];

/// The path as it may be logged.
fn shown(path: &str) -> String {
    match SECRET.iter().find(|prefix| path.starts_with(**prefix)) {
        Some(prefix) => format!("{prefix}…"),
        None => path.chars().take(200).collect(),
    }
}

/// The outermost layer. The id is always Berth's own: one from outside could be made to mislead.
pub async fn layer(mut request: Request, next: Next) -> Response {
    let id = clock::new_id();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip().to_canonical().to_string());
    request.extensions_mut().insert(Peer(peer));
    let (method, path, begun) = (request.method().clone(), shown(request.uri().path()), Instant::now());
    let span = tracing::info_span!("request", id, %method, path);
    let mut response = ID.scope(id.clone(), next.run(request)).instrument(span).await;
    let ms = begun.elapsed().as_millis();
    tracing::debug!(id, %method, path, status = response.status().as_u16(), ms, "answered");
    if let Ok(value) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(ID_HEADER, value);
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_in_paths_are_not_logged() {
        assert_eq!(shown("/setup/abc"), "/setup/…");
        assert_eq!(shown("/teams/a"), "/teams/a");
    }
}
