//! Real listeners for make-believe copies: HTTP on loopback addresses of their own, so that an edge can be led to them.

use std::{
    convert::Infallible,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

use bytes::Bytes;
use http_body_util::Full;
use hyper::{Request, Response, body::Incoming, service::service_fn};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::super::WorkloadId;

static NEXT: AtomicU32 = AtomicU32::new(0);

/// What a copy answers.
#[derive(Clone, Debug)]
pub(super) struct Answer {
    pub(super) id: WorkloadId,
    pub(super) status: u16,
    pub(super) text: String,
    pub(super) after: Duration,
}

/// A loopback address that (very likely) no other copy of any process of this machine has: from `127.64.0.0/10` on, mixed
/// from the process id and a counter.
pub(super) fn next_address() -> IpAddr {
    let seed = std::process::id().wrapping_mul(2_654_435_761).wrapping_add(NEXT.fetch_add(1, Ordering::Relaxed));
    let [_, a, b, c] = seed.to_be_bytes();
    IpAddr::V4(Ipv4Addr::new(127, 64 | (a & 0x3f), b, c.clamp(1, 254)))
}

/// Serves on `address:port` until the token is cancelled; connections under way may finish within `grace` of that. A port
/// that cannot be taken is not served, which is what a caller sees of a program that failed to bind.
pub(super) async fn serve(address: SocketAddr, answer: Answer, stop: CancellationToken) {
    let Ok(listener) = TcpListener::bind(address).await else {
        tracing::warn!(%address, "the fake platform could not listen");
        return;
    };
    let answer = Arc::new(answer);
    loop {
        let stream = tokio::select! {
            () = stop.cancelled() => return,
            accepted = listener.accept() => match accepted { Ok((stream, _)) => stream, Err(_) => continue },
        };
        let (answer, stop) = (Arc::clone(&answer), stop.clone());
        tokio::spawn(async move {
            let service = service_fn(move |request: Request<Incoming>| reply(Arc::clone(&answer), request));
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            let _ = tokio::time::timeout(Duration::from_secs(10), connection).await;
        });
    }
}

async fn reply(answer: Arc<Answer>, request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    if !answer.after.is_zero() {
        tokio::time::sleep(answer.after).await;
    }
    let mut response = Response::new(Full::new(Bytes::from(answer.text.clone())));
    *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or(http::StatusCode::OK);
    let headers = response.headers_mut();
    headers.insert("x-release", answer.id.release.into());
    headers.insert("x-slot", answer.id.slot.into());
    if let Ok(path) = http::HeaderValue::from_str(request.uri().path()) {
        headers.insert("x-path", path);
    }
    Ok(response)
}
