//! Connections: accepted, told apart (HTTP/1 or HTTP/2 in clear), watched for slow clients, ended in good order.

use std::{
    io,
    os::fd::AsRawFd,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use app::error::Result;
use pingora_core::{
    apps::{HttpServerOptions, ServerApp},
    protocols::{GetSocketDigest, SocketDigest, http::v2::server::default_h2_options, l4::stream::Stream},
    server::configuration::ServerConf,
};
use pingora_proxy::{HttpProxy, http_proxy};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{Semaphore, watch},
    time::{Instant, sleep, sleep_until, timeout},
};
use tokio_util::task::TaskTracker;

use super::{Shared, proxy::Proxy, strict::HEAD_MAX, wire::Wire};
use crate::telemetry::metrics;

/// How long a client may take until its next request is there, the time it is idle included.
const NEXT_HEAD: Duration = Duration::from_secs(75);
/// How long an HTTP/2 connection may be without a request.
const IDLE: Duration = Duration::from_secs(120);

/// What a client that knows HTTP/2 from the start begins with.
const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

/// Tells that the edge is to stop, and how long what is under way may take.
pub(super) type Stop = watch::Receiver<Option<Duration>>;

/// One proxy for each of the two protocols; they share everything but their connections to instances.
struct Apps {
    one: Arc<HttpProxy<Proxy>>,
    two: Arc<HttpProxy<Proxy>>,
    /// How long a client may take until its first request is there.
    patience: Duration,
}

impl Apps {
    fn new(shared: &Arc<Shared>) -> Self {
        let conf = Arc::new(ServerConf::default());
        let one = http_proxy(&conf, Proxy::new(shared));
        let mut two = http_proxy(&conf, Proxy::new(shared));
        let mut options = HttpServerOptions::default();
        options.h2c = true;
        options.h2_idle_timeout = Some(IDLE);
        two.server_options = Some(options);
        let mut h2 = default_h2_options();
        h2.max_header_list_size(u32::try_from(HEAD_MAX).unwrap_or(u32::MAX));
        two.h2_options = Some(h2);
        Self { one: Arc::new(one), two: Arc::new(two), patience: shared.first_request }
    }
}

/// Serves a listener on a thread of its own, until it is told to stop; the thread ends when its connections have. Where there
/// is no room for another connection, the next ones wait.
pub(super) fn start(
    listener: std::net::TcpListener,
    shared: Arc<Shared>,
    room: Arc<Semaphore>,
    mut stop: Stop,
) -> Result<std::thread::JoinHandle<()>> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(app::error::Error::internal)?;
    let serve = move || {
        runtime.block_on(async {
            match TcpListener::from_std(listener) {
                Ok(listener) => serve(&listener, &shared, &room, &mut stop).await,
                Err(error) => tracing::error!(%error, "the edge's listener cannot be used"),
            }
        });
    };
    std::thread::Builder::new().name("edge".to_owned()).spawn(serve).map_err(app::error::Error::internal)
}

async fn serve(listener: &TcpListener, shared: &Arc<Shared>, room: &Arc<Semaphore>, stop: &mut Stop) {
    let apps = Arc::new(Apps::new(shared));
    let (ending, ends) = watch::channel(false);
    let tasks = TaskTracker::new();
    let grace = loop {
        let accepted = tokio::select! {
            accepted = accept(listener, room) => accepted,
            grace = told(stop) => break grace,
        };
        match accepted {
            Ok((stream, seat)) => {
                let (apps, ends) = (Arc::clone(&apps), ends.clone());
                tasks.spawn(async move {
                    connection(stream, &apps, ends).await;
                    drop(seat);
                });
            }
            Err(error) => {
                // Out of file handles, as a rule: a moment later some are free again.
                tracing::warn!(%error, "the edge cannot accept a connection now");
                sleep(Duration::from_millis(100)).await;
            }
        }
    };
    // Idle connections end now, busy ones after what they have.
    let _ = ending.send(true);
    ServerApp::cleanup(&*apps.one).await;
    ServerApp::cleanup(&*apps.two).await;
    tasks.close();
    if timeout(grace, tasks.wait()).await.is_err() {
        tracing::warn!(left = tasks.len(), "the edge stops with requests under way");
    }
}

async fn accept(listener: &TcpListener, room: &Arc<Semaphore>) -> io::Result<(TcpStream, tokio::sync::OwnedSemaphorePermit)> {
    let seat = Arc::clone(room).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, _) = listener.accept().await?;
    Ok((stream, seat))
}

async fn told(stop: &mut Stop) -> Duration {
    match stop.wait_for(Option::is_some).await {
        Ok(grace) => grace.unwrap_or_default(),
        Err(_) => Duration::ZERO,
    }
}

async fn connection(stream: TcpStream, apps: &Apps, mut ends: watch::Receiver<bool>) {
    let two = tokio::select! {
        two = timeout(apps.patience, speaks_two(&stream)) => two,
        _ = ends.wait_for(|ends| *ends) => return,
    };
    let Ok(Ok(Some(two))) = two else { return };
    let Some(stream) = prepare(stream) else { return };
    let _counted = metrics::Connection::open(if two { "h2" } else { "http/1" });
    if two {
        apps.two.process_new(Box::new(stream), &ends).await;
        return;
    }
    let pace = Arc::new(Pace::new(apps.patience));
    let wire = Box::new(Wire::new(stream, Arc::clone(&pace)));
    tokio::select! {
        _ = PACE.scope(Arc::clone(&pace), apps.one.process_new(wire, &ends)) => {}
        () = pace.too_slow() => {}
    }
}

/// Whether the client begins with HTTP/2; none where it goes away first.
async fn speaks_two(stream: &TcpStream) -> io::Result<Option<bool>> {
    let mut head = [0; PREFACE.len()];
    loop {
        match stream.peek(&mut head).await? {
            0 => return Ok(None),
            some if head[..some] != PREFACE[..some] => return Ok(Some(false)),
            some if some == PREFACE.len() => return Ok(Some(true)),
            // The beginning of it: the rest is on its way.
            _ => sleep(Duration::from_millis(5)).await,
        }
    }
}

fn prepare(stream: TcpStream) -> Option<Stream> {
    let peer = stream.peer_addr().ok()?;
    let digest = SocketDigest::from_raw_fd(stream.as_raw_fd());
    let _ = digest.peer_addr.set(Some(peer.into()));
    let mut stream = Stream::from(stream);
    stream.set_nodelay().ok()?;
    stream.set_socket_digest(digest);
    Some(stream)
}

tokio::task_local! {
    static PACE: Arc<Pace>;
}

/// Says that a request of this connection is there.
pub(super) fn request_begins() {
    let _ = PACE.try_with(|pace| pace.waits_since.store(BUSY, Ordering::Relaxed));
}

/// Says that a request of this connection has its answer.
pub(super) fn request_ends() {
    let _ = PACE.try_with(|pace| pace.waits_since.store(pace.elapsed(), Ordering::Relaxed));
}

const BUSY: u64 = u64::MAX;

/// How long a connection has been waiting for the head of a request. A client that sends one byte a minute does not hold it.
#[derive(Debug)]
pub(super) struct Pace {
    first: Duration,
    start: Instant,
    /// Milliseconds after `start`, or [`BUSY`].
    waits_since: AtomicU64,
}

impl Pace {
    fn new(first: Duration) -> Self {
        Self { first, start: Instant::now(), waits_since: AtomicU64::new(0) }
    }

    /// Whether it waits now: no request is under way.
    pub(super) fn waits(&self) -> bool {
        self.waits_since.load(Ordering::Relaxed) != BUSY
    }

    fn elapsed(&self) -> u64 {
        u64::try_from(self.start.elapsed().as_millis()).unwrap_or(BUSY - 1).max(1)
    }

    async fn too_slow(&self) {
        loop {
            match self.waits_since.load(Ordering::Relaxed) {
                BUSY => sleep(NEXT_HEAD).await,
                since => {
                    let limit = if since == 0 { self.first } else { NEXT_HEAD };
                    let until = self.start + Duration::from_millis(since) + limit;
                    if Instant::now() >= until {
                        return;
                    }
                    sleep_until(until).await;
                }
            }
        }
    }
}
