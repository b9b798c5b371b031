//! The edge of the real program under what costs memory: many connections that do nothing, bodies larger than any buffer,
//! clients that do not read.

use std::{
    collections::HashMap,
    net::{SocketAddr, TcpListener},
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use app::model::TargetId;
use server::edge::{
    files,
    table::{Backend, Prefix, Table, Target},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    time::timeout,
};

use super::support::{Rows, SOON, TestEdge, Wire, status, until};
use crate::support::proof;

/// The `berth` program with its database away, so that what it does is serve from the table it kept.
struct Alone {
    child: Child,
    address: SocketAddr,
    _folder: tempfile::TempDir,
}

impl Drop for Alone {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Alone {
    /// With `a.localhost` leading to this address.
    async fn before(service: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let backend = Backend { release: 1, slot: 0, address: service, since: 1, draining: false };
        let targets = vec![Arc::new(Target { id: TargetId::from_text("t"), backends: vec![backend] })];
        let paths = [Prefix { path: "".into(), target: 0 }];
        let table = Table { hosts: HashMap::from([("a.localhost".into(), Arc::from(paths))]), targets };
        std::fs::write(folder.path().join("edge-table.json"), serde_json::to_vec(&table).unwrap()).unwrap();
        let [address, console] = [0, 1].map(|_| TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap());
        let mut command = Command::new(env!("CARGO_BIN_EXE_berth"));
        command.arg("serve").env("BERTH_DATA", folder.path()).env("BERTH_DATABASE", "postgres://nobody:x@127.0.0.1:1/away");
        command.env("BERTH_LISTEN", console.to_string()).env("BERTH_EDGE_LISTEN", address.to_string());
        let child = command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        until("the edge listens", || std::net::TcpStream::connect(address).is_ok()).await;
        Self { child, address, _folder: folder }
    }

    /// The memory of the process in KiB, its share of what is shared included.
    fn memory(&self) -> u64 {
        let text = std::fs::read_to_string(format!("/proc/{}/smaps_rollup", self.child.id())).unwrap();
        text.lines().find_map(|line| line.strip_prefix("Pss:")?.trim().strip_suffix(" kB")?.parse().ok()).unwrap()
    }

    async fn get(&self, path: &str) -> TcpStream {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: a.localhost\r\n\r\n").as_bytes()).await.unwrap();
        stream
    }
}

/// Sends as many bytes as the path says, counts the bytes it is sent. What it managed to write is counted as it goes.
async fn bulk() -> (SocketAddr, Arc<AtomicU64>) {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let (address, written) = (listener.local_addr().unwrap(), Arc::new(AtomicU64::new(0)));
    let counted = Arc::clone(&written);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let counted = Arc::clone(&counted);
            tokio::spawn(async move {
                let mut wire = Wire::new(stream);
                while let Some(seen) = wire.head().await {
                    let size: u64 = seen.request_line().split(['/', ' ']).find_map(|part| part.parse().ok()).unwrap_or(0);
                    let length = seen.field("content-length").first().and_then(|length| length.parse().ok()).unwrap_or(0);
                    let took = wire.skip(length).await;
                    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {size}\r\nX-Took: {took}\r\n\r\n");
                    if wire.stream.write_all(head.as_bytes()).await.is_err() || !say(&mut wire.stream, size, &counted).await {
                        return;
                    }
                }
            });
        }
    });
    (address, written)
}

async fn say(stream: &mut TcpStream, size: u64, counted: &AtomicU64) -> bool {
    let part = vec![b'x'; 256 << 10];
    let mut left = size;
    while left > 0 {
        let some = left.min(part.len() as u64);
        if stream.write_all(&part[..some as usize]).await.is_err() {
            return false;
        }
        counted.fetch_add(some, Ordering::SeqCst);
        left -= some;
    }
    true
}

/// The most memory a process had while something was done, above what it had before, in KiB.
async fn growth<T>(edge: &Alone, work: impl Future<Output = T>) -> (T, u64) {
    let (before, most, done) = (edge.memory(), AtomicU64::new(0), AtomicBool::new(false));
    let watch = async {
        while !done.load(Ordering::SeqCst) {
            most.fetch_max(edge.memory(), Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    };
    let work = async {
        let result = work.await;
        done.store(true, Ordering::SeqCst);
        result
    };
    let (result, ()) = tokio::join!(work, watch);
    (result, most.load(Ordering::SeqCst).max(edge.memory()).saturating_sub(before))
}

const IDLE: usize = 10_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn ten_thousand_idle_connections_cost_little_and_keep_nobody_out() {
    let (service, _) = bulk().await;
    let edge = Alone::before(service).await;
    drop(edge.get("/1").await);
    // Where the system gives fewer handles, as many as it gives.
    let count = IDLE.min(files::take().saturating_sub(600));
    let (connections, growth) = growth(&edge, async {
        let mut connections = Vec::with_capacity(count);
        for _ in 0..count {
            // Each has had an answer, as those of browsers have.
            let mut stream = edge.get("/1").await;
            let mut answer = [0; 1_024];
            let size = timeout(SOON, stream.read(&mut answer)).await.expect("an answer").unwrap();
            assert_eq!(status(&String::from_utf8_lossy(&answer[..size])), 200);
            connections.push(stream);
        }
        connections
    })
    .await;
    let began = Instant::now();
    let mut another = edge.get("/1").await;
    let mut answer = [0; 12];
    timeout(SOON, another.read_exact(&mut answer)).await.expect("an answer").unwrap();
    let each = growth as f64 / count as f64;
    let figures = format!("{} open, {each:.1} KiB each (PSS), the next one answered in {:?}", connections.len(), began.elapsed());
    proof("edge: idle connections", &figures);
    assert!(each < 48.0, "{each} KiB a connection");
    // All of them are still there.
    for mut stream in connections.into_iter().step_by(500) {
        stream.write_all(b"GET /1 HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
        let mut rest = Vec::new();
        while !String::from_utf8_lossy(&rest).contains("HTTP/1.1 200") {
            assert!(timeout(SOON, stream.read_buf(&mut rest)).await.expect("an answer").unwrap() > 0, "it was closed");
        }
    }
}

const LARGE: u64 = 1 << 30;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn large_bodies_leave_memory_flat() {
    let (service, _) = bulk().await;
    let edge = Alone::before(service).await;
    let once = async |upload: u64, download: u64| {
        let mut stream = TcpStream::connect(edge.address).await.unwrap();
        let head = format!("POST /{download} HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nContent-Length: {upload}\r\n\r\n");
        stream.write_all(head.as_bytes()).await.unwrap();
        assert!(say(&mut stream, upload, &AtomicU64::new(0)).await);
        let mut wire = Wire::new(stream);
        let answer = timeout(SOON, wire.head()).await.expect("an answer").unwrap();
        assert_eq!(answer.field("x-took"), [upload.to_string()]);
        assert_eq!(timeout(SOON * 30, wire.skip(download)).await.expect("the rest"), download);
    };
    // The first of each kind makes what the next ones use again.
    once(4 << 20, 4 << 20).await;
    let ((), up) = growth(&edge, once(LARGE, 1)).await;
    let ((), down) = growth(&edge, once(1, LARGE)).await;
    proof("edge: large bodies", &format!("{} MiB up: +{up} KiB, {} MiB down: +{down} KiB (PSS)", LARGE >> 20, LARGE >> 20));
    assert!(up < 16 << 10 && down < 16 << 10, "{up} KiB up, {down} KiB down");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_client_that_does_not_read_costs_no_memory_and_is_let_go() {
    let (service, written) = bulk().await;
    let edge = Alone::before(service).await;
    drop(edge.get("/1").await);
    let ((stream, held), growth) = growth(&edge, async {
        let stream = edge.get(&format!("/{}", 1_u64 << 30)).await;
        // Until nothing moves any more: every buffer on the way is full.
        let mut held = (0, Instant::now());
        while held.0 == 0 || held.1.elapsed() < Duration::from_millis(500) {
            let now = written.load(Ordering::SeqCst);
            held = if now == held.0 { held } else { (now, Instant::now()) };
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        (stream, held.0)
    })
    .await;
    assert!(held < 64 << 20 && growth < 16 << 10, "{held} bytes under way, +{growth} KiB");
    drop(stream);

    // And not for ever: with a shorter patience than the usual one, it is over while the client is still there.
    let edge = TestEdge::with(Rows::default(), |options| options.stall = Duration::from_millis(300)).await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, service, 1);
    edge.serve("t", 1).await;
    let mut stream = edge.connect().await;
    stream.write_all(format!("GET /{} HTTP/1.1\r\nHost: a.localhost\r\n\r\n", 1_u64 << 30).as_bytes()).await.unwrap();
    until("it is under way", || edge.handle.in_flight(service) == 1).await;
    until("it is given up", || edge.handle.in_flight(service) == 0).await;
    proof("edge: a client that does not read", &format!("{} MiB on the way at most, +{growth} KiB (PSS), then let go", held >> 20));
    drop(stream);
}

#[tokio::test]
async fn a_body_that_drips_is_waited_for_and_one_that_stops_is_not() {
    let backend = super::support::Backend::saying("ok").await;
    let edge = TestEdge::with(Rows::default(), |options| options.stall = Duration::from_millis(400)).await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, backend.address, 1);
    edge.serve("t", 1).await;
    // Small enough to go one way through the edge, large enough to go the other.
    for size in [20_usize, 100_000] {
        for stops in [false, true] {
            let before = backend.count();
            let mut stream = edge.connect().await;
            let head = format!("POST / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nContent-Length: {size}\r\n\r\n");
            stream.write_all(head.as_bytes()).await.unwrap();
            for _ in 0..if stops { 5 } else { 20 } {
                stream.write_all(&vec![b'x'; size / 20]).await.unwrap();
                tokio::time::sleep(Duration::from_millis(40)).await;
            }
            let mut answer = Vec::new();
            let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("it is left hanging");
            let code = status(&String::from_utf8_lossy(&answer));
            assert_eq!((code, backend.count() - before), if stops { (408, 0) } else { (200, 1) }, "{size} bytes, stops: {stops}");
        }
    }
}
