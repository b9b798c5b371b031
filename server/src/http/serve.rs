//! Accepts connections for a router: with deadlines, a bound on their number, and an end.

use std::{
    convert::Infallible,
    net::SocketAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body, extract::ConnectInfo};
use http::{HeaderValue, header::CONNECTION};
use hyper::{Request, Version, body::Incoming, service::service_fn};
use hyper_util::{
    rt::{TokioExecutor, TokioIo, TokioTimer},
    server::conn::auto::Builder,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::Semaphore,
    time::{sleep, timeout},
};
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use tower::ServiceExt as _;

use super::{
    arrivals::Arrivals,
    linger::{Lingering, Unread},
};

/// Connections at once.
const CONNECTIONS: usize = 10_000;
/// How long a client may take to send the head of a request.
const HEAD: Duration = Duration::from_secs(15);
/// How long what is under way may take to end once the server stops.
const GRACE: Duration = Duration::from_secs(5);

/// Serves until stopped; then lets what is under way end, for a while.
pub async fn serve(listener: TcpListener, router: Router, stop: CancellationToken) {
    let (places, tasks) = (Arc::new(Semaphore::new(CONNECTIONS)), TaskTracker::new());
    let mut arrivals = Arrivals::new(Instant::now());
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else { break };
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = listener.accept() => accepted,
        };
        match accepted {
            Ok((stream, peer)) => {
                let work = connection(stream, peer, router.clone(), stop.clone());
                tasks.spawn(async move {
                    work.await;
                    drop(place);
                });
                // Those that wait meanwhile do so in the system's queue, and cost nothing there.
                let wait = arrivals.count(Instant::now());
                if !wait.is_zero() && timeout(wait, stop.cancelled()).await.is_ok() {
                    break;
                }
            }
            Err(error) => {
                // Out of file descriptors, most likely: some time helps.
                tracing::warn!(%error, "a connection could not be accepted");
                sleep(Duration::from_millis(100)).await;
            }
        }
    }
    tasks.close();
    if timeout(GRACE, tasks.wait()).await.is_err() {
        tracing::info!("some connections did not end in time and were closed");
    }
}

async fn connection(stream: TcpStream, peer: SocketAddr, router: Router, stop: CancellationToken) {
    let _ = stream.set_nodelay(true);
    let unread = Unread::default();
    let of_requests = unread.clone();
    let service = service_fn(move |mut request: Request<Incoming>| {
        request.extensions_mut().insert(ConnectInfo(peer));
        // The streams of HTTP/2 end by themselves; the connection goes on.
        let alone = request.version() < Version::HTTP_2;
        let watched = |body| if alone { Body::new(of_requests.watch(body)) } else { Body::new(body) };
        let answered = router.clone().oneshot(request.map(watched));
        let unread = of_requests.clone();
        async move {
            let mut answer = answered.await?;
            // The connection ends then: a client that did not know would send its next request where nobody reads any more.
            if alone && unread.is() {
                answer.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
            }
            Ok::<_, Infallible>(answer)
        }
    });
    let mut builder = Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEAD);
    builder.http2().timer(TokioTimer::new()).max_concurrent_streams(100).keep_alive_interval(Some(Duration::from_secs(30)));
    let connection = builder.serve_connection_with_upgrades(TokioIo::new(Lingering::new(stream, unread)), service);
    tokio::pin!(connection);
    let ended = tokio::select! {
        ended = connection.as_mut() => ended,
        () = stop.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.as_mut().await
        }
    };
    if let Err(error) = ended {
        tracing::debug!(%peer, error, "a connection ended early");
    }
}
