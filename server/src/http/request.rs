//! What every request gets before anything else looks at it: an id, a line in the log, the address it came from.

use std::{
    net::{IpAddr, SocketAddr},
    sync::Arc,
    time::Instant,
};

use app::error::{Error, Result};
use axum::{
    extract::{ConnectInfo, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
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

/// Who really asks: the peer, or (where that is a trusted proxy) whom the proxies say, as far back as they are trusted.
fn client(peer: IpAddr, headers: &HeaderMap, trusted: &[IpAddr]) -> IpAddr {
    let lines: Vec<&str> = headers.get_all("x-forwarded-for").iter().filter_map(|value| value.to_str().ok()).collect();
    let mut client = peer.to_canonical();
    for said in lines.iter().flat_map(|line| line.split(',')).rev() {
        if !trusted.contains(&client) {
            break;
        }
        let Ok(address) = said.trim().parse::<IpAddr>() else { break };
        client = address.to_canonical();
    }
    client
}

/// The outermost layer. The id is always Berth's own: one from outside could be made to mislead.
pub async fn layer(State(trusted): State<Arc<[IpAddr]>>, mut request: Request, next: Next) -> Response {
    let id = clock::new_id();
    let peer = request.extensions().get::<ConnectInfo<SocketAddr>>().map(|ConnectInfo(address)| address.ip());
    let peer = peer.map(|peer| client(peer, request.headers(), &trusted).to_string());
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

    #[test]
    fn only_trusted_proxies_are_believed() {
        let trusted = ["10.0.0.1".parse().unwrap(), "10.0.0.2".parse().unwrap()];
        for (peer, said, expected) in [
            ("192.0.2.9", "203.0.113.5", "192.0.2.9"),
            ("10.0.0.1", "203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "1.1.1.1, 203.0.113.5", "203.0.113.5"),
            ("10.0.0.1", "203.0.113.5, 10.0.0.2", "203.0.113.5"),
            ("10.0.0.1", "", "10.0.0.1"),
            ("10.0.0.1", "203.0.113.5, garbage", "10.0.0.1"),
            ("::ffff:10.0.0.1", "2001:db8::1", "2001:db8::1"),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert("x-forwarded-for", said.parse().unwrap());
            assert_eq!(client(peer.parse().unwrap(), &headers, &trusted).to_string(), expected, "{peer} {said}");
        }
    }
}
