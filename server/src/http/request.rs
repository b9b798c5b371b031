//! What every request gets before anything else looks at it: an id, a line in the log, the address it came from.

use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, OnceLock},
    time::Instant,
};

use app::{
    error::{Error, Result},
    model::{Actor, Credential},
};
use axum::{
    extract::{ConnectInfo, MatchedPath, Request, State},
    http::{HeaderMap, HeaderName, HeaderValue},
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use tracing::Instrument as _;

use super::problem::Problem;
use crate::{clock, telemetry::metrics};

/// The response header with the request's id.
pub const ID_HEADER: HeaderName = HeaderName::from_static("x-request-id");

/// The request under way.
#[derive(Debug, Default)]
struct Current {
    id: String,
    asker: OnceLock<Asker>,
}

/// Who asks, as the log has it: by ids, which say nothing to whom the log is not for.
#[derive(Debug)]
struct Asker {
    user: Option<String>,
    token: Option<String>,
}

tokio::task_local! {
    static CURRENT: Arc<Current>;
}

fn current() -> Arc<Current> {
    CURRENT.try_with(Clone::clone).unwrap_or_default()
}

/// The id of the request under way; empty outside of one.
pub fn id() -> String {
    current().id.clone()
}

/// Notes who asks, for the line in the log.
pub fn asked_by(actor: &Actor) {
    let user = actor.user.as_ref().map(ToString::to_string);
    let token = match &actor.credential {
        Credential::Token { id, .. } => Some(id.to_string()),
        Credential::Session | Credential::System => None,
    };
    // The first to say so counts: one request has one asker.
    let _ = current().asker.set(Asker { user, token });
}

/// Carries on under the same id, whatever becomes of the one who waits for it.
///
/// # Errors
/// Those of the work; `internal` where it panicked.
pub async fn detached<T: Send + 'static>(work: impl Future<Output = Result<T>> + Send + 'static) -> Result<T> {
    tokio::spawn(CURRENT.scope(current(), work).in_current_span()).await.map_err(Error::internal)?
}

/// Carries out to its end what may change something, also where the client hangs up: it would be cut short at any point, between
/// a change and what follows from it for instance.
pub async fn to_its_end(request: Request, next: Next) -> Response {
    if request.method().is_safe() {
        return next.run(request).await;
    }
    detached(async move { Ok(next.run(request).await) }).await.unwrap_or_else(|error| Problem(error).into_response())
}

/// Where a request came from, as the activity records it.
#[derive(Clone, Debug, Default)]
pub struct Peer(pub Option<String>);

/// Asked for so often, and by machines, that a line each would hide the rest.
const QUIET: [&str; 6] = ["/pkg/{*path}", "/favicon.ico", "/robots.txt", "/healthz", "/readyz", "/metrics"];

/// The pattern of the route. The path itself is never logged: its parts may be secrets, and so may what somebody tried.
fn route(request: &Request) -> String {
    request.extensions().get::<MatchedPath>().map_or("none", MatchedPath::as_str).to_owned()
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
    let (method, route, begun) = (request.method().clone(), route(&request), Instant::now());
    let current = Arc::new(Current { id, asker: OnceLock::new() });
    let span = tracing::info_span!("request", id = current.id, %method, route);
    let answer = CURRENT.scope(Arc::clone(&current), next.run(request)).instrument(span.clone());
    let mut response = answer.await;
    let (status, took) = (response.status().as_u16(), begun.elapsed());
    metrics::answered(method.as_str(), &route, status, took);
    span.in_scope(|| told(&current, &route, status, took.as_secs_f64() * 1_000.0));
    if let Ok(value) = HeaderValue::from_str(&current.id) {
        response.headers_mut().insert(ID_HEADER, value);
    }
    response
}

/// The one line of a request; its id, method and route are those of the span.
fn told(current: &Current, route: &str, status: u16, ms: f64) {
    let (user, token) = current.asker.get().map_or((None, None), |asker| (asker.user.as_deref(), asker.token.as_deref()));
    if QUIET.contains(&route) && status < 500 {
        tracing::debug!(status, ms, user, token, "answered");
    } else {
        tracing::info!(status, ms, user, token, "answered");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
