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
use http_body_util::{BodyExt, Full, StreamBody, combinators::UnsyncBoxBody};
use hyper::{
    Request, Response,
    body::{Frame, Incoming},
    service::service_fn,
};
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
    // Two in a row never have the same: the last part counts from 1 to 254.
    let [_, _, a, b] = (seed / 254).to_be_bytes();
    let last = u8::try_from(seed % 254 + 1).unwrap_or(1);
    IpAddr::V4(Ipv4Addr::new(127, 64 | (a & 0x3f), b, last))
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
            let stopping = stop.clone();
            let service = service_fn(move |request: Request<Incoming>| reply(Arc::clone(&answer), request, stopping.clone()));
            let builder = hyper_util::server::conn::auto::Builder::new(TokioExecutor::new());
            let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
            tokio::pin!(connection);
            tokio::select! {
                _ = connection.as_mut() => return,
                () = stop.cancelled() => connection.as_mut().graceful_shutdown(),
            }
            let _ = tokio::time::timeout(Duration::from_secs(10), connection).await;
        });
    }
}

type Body = UnsyncBoxBody<Bytes, Infallible>;

/// Three paths are for load: `/slow` takes its time, `/events` is a stream, `/socket` says back what it hears. All else is the
/// copy's text.
async fn reply(answer: Arc<Answer>, mut request: Request<Incoming>, stop: CancellationToken) -> Result<Response<Body>, Infallible> {
    let path = request.uri().path().to_owned();
    let pause = if path == "/slow" { SLOW } else { answer.after };
    if !pause.is_zero() {
        tokio::time::sleep(pause).await;
    }
    if path == "/socket" && request.headers().contains_key(http::header::UPGRADE) {
        return Ok(echo(&mut request, stop));
    }
    let mut response =
        Response::new(if path == "/events" { events(stop) } else { Full::new(Bytes::from(answer.text.clone())).boxed_unsync() });
    *response.status_mut() = http::StatusCode::from_u16(answer.status).unwrap_or(http::StatusCode::OK);
    let headers = response.headers_mut();
    if path == "/events" {
        headers.insert(http::header::CONTENT_TYPE, http::HeaderValue::from_static("text/event-stream"));
    }
    headers.insert("x-release", answer.id.release.into());
    headers.insert("x-slot", answer.id.slot.into());
    if let Ok(path) = http::HeaderValue::from_str(&path) {
        headers.insert("x-path", path);
    }
    Ok(response)
}

const SLOW: Duration = Duration::from_millis(150);
/// How often there is an event.
const EVENT: Duration = Duration::from_millis(30);

/// An event now and then, until the copy is stopped.
fn events(stop: CancellationToken) -> Body {
    let events = futures::stream::unfold(stop, |stop| async {
        tokio::select! {
            () = stop.cancelled() => None,
            () = tokio::time::sleep(EVENT) => Some((Ok(Frame::data(Bytes::from_static(b"data: x\n\n"))), stop)),
        }
    });
    StreamBody::new(events).boxed_unsync()
}

/// Says back what it hears, until the copy is stopped.
fn echo(request: &mut Request<Incoming>, stop: CancellationToken) -> Response<Body> {
    let upgrade = hyper::upgrade::on(request);
    tokio::spawn(async move {
        let Ok(socket) = upgrade.await else { return };
        let (mut read, mut write) = tokio::io::split(TokioIo::new(socket));
        tokio::select! {
            () = stop.cancelled() => {}
            _ = tokio::io::copy(&mut read, &mut write) => {}
        }
    });
    let mut response = Response::new(Full::default().boxed_unsync());
    *response.status_mut() = http::StatusCode::SWITCHING_PROTOCOLS;
    response.headers_mut().insert(http::header::CONNECTION, http::HeaderValue::from_static("Upgrade"));
    response.headers_mut().insert(http::header::UPGRADE, http::HeaderValue::from_static("websocket"));
    response
}
