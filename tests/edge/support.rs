//! An edge on a free port with rows from memory, backends that note what reaches them, and clients that send bytes.

use std::{
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use app::{
    error::{Error, Result},
    model::{TargetId, Timestamp},
};
use async_trait::async_trait;
use server::{
    edge::{Edge, Handle, Options, Source},
    store::{backends::BackendRow, routes::EdgeRoute},
    wake::Wake,
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpListener, TcpStream},
    time::timeout,
};

/// Longest wait for anything in these tests.
pub(super) const SOON: Duration = Duration::from_secs(20);

/// Rows in memory, which can be made unreadable.
#[derive(Clone, Default)]
pub(super) struct Rows(Arc<RowsInner>);

#[derive(Default)]
struct RowsInner {
    rows: Mutex<(Vec<EdgeRoute>, Vec<BackendRow>)>,
    broken: AtomicBool,
}

#[async_trait]
impl Source for Rows {
    async fn read(&self) -> Result<(Vec<EdgeRoute>, Vec<BackendRow>)> {
        if self.0.broken.load(Ordering::SeqCst) {
            return Err(Error::unavailable("store_unavailable", "The database does not answer."));
        }
        Ok(self.0.rows.lock().unwrap().clone())
    }

    async fn read_target(&self, target: &TargetId) -> Result<Option<(Vec<EdgeRoute>, Vec<BackendRow>)>> {
        let (mut routes, mut backends) = self.read().await?;
        routes.retain(|row| row.target == *target);
        backends.retain(|row| row.target == *target);
        Ok(Some((routes, backends)))
    }
}

/// An edge under test.
pub(super) struct TestEdge {
    pub(super) handle: Handle,
    pub(super) rows: Rows,
    pub(super) wake: Wake,
    pub(super) folder: tempfile::TempDir,
}

impl TestEdge {
    pub(super) async fn new() -> Self {
        Self::with(Rows::default(), |_| {}).await
    }

    pub(super) async fn with(rows: Rows, change: impl FnOnce(&mut Options)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        Self::within(folder, rows, change).await
    }

    /// With what an edge left in this folder before.
    pub(super) async fn within(folder: tempfile::TempDir, rows: Rows, change: impl FnOnce(&mut Options)) -> Self {
        let mut options = Options::new(SocketAddr::from(([127, 0, 0, 1], 0)), table_file(&folder));
        change(&mut options);
        let wake = Wake::default();
        let handle = Edge::start(options, rows.clone(), wake.clone()).await.unwrap();
        Self { handle, rows, wake, folder }
    }

    pub(super) fn address(&self) -> SocketAddr {
        self.handle.address()
    }

    pub(super) fn route(&self, host: &str, path: &str, target: &str) {
        let route = EdgeRoute { host: host.into(), path: path.into(), target: TargetId::from_text(target) };
        self.rows.0.rows.lock().unwrap().0.push(route);
    }

    /// Adds an instance to the rows.
    pub(super) fn backend(&self, target: &str, release: u64, slot: u32, address: SocketAddr, since: i64) {
        self.rows.0.rows.lock().unwrap().1.push(BackendRow {
            target: TargetId::from_text(target),
            release,
            process: "web".into(),
            slot,
            address,
            since: Timestamp(since),
            draining_since: None,
        });
    }

    /// Drains a release in the rows.
    pub(super) fn drain(&self, target: &str, release: u64) {
        let mut rows = self.rows.0.rows.lock().unwrap();
        for row in rows.1.iter_mut().filter(|row| row.target.as_str() == target && row.release == release) {
            row.draining_since = Some(Timestamp(1));
        }
    }

    /// Takes a release out of the rows.
    pub(super) fn remove(&self, target: &str, release: u64) {
        self.rows.0.rows.lock().unwrap().1.retain(|row| row.target.as_str() != target || row.release != release);
    }

    pub(super) fn broken(&self, broken: bool) {
        self.rows.0.broken.store(broken, Ordering::SeqCst);
    }

    /// Wakes the edge and waits until it serves this release.
    pub(super) async fn serve(&self, target: &str, release: u64) {
        let target = TargetId::from_text(target);
        self.wake.route(&target);
        timeout(SOON, self.handle.wait_for(&target, release)).await.unwrap();
    }

    /// Wakes the edge and waits until it gives this release no new request.
    pub(super) async fn serve_without(&self, target: &str, release: u64) {
        let target = TargetId::from_text(target);
        self.wake.route(&target);
        timeout(SOON, self.handle.wait_without(&target, release)).await.unwrap();
    }

    /// An edge with one route and one instance of it.
    pub(super) async fn one(host: &str, backend: &Backend) -> Self {
        let edge = Self::new().await;
        edge.route(host, "/", "t");
        edge.backend("t", 1, 0, backend.address, 1);
        edge.serve("t", 1).await;
        edge
    }

    /// Sends bytes over a connection of their own and reads until it ends.
    pub(super) async fn raw(&self, bytes: impl AsRef<[u8]>) -> String {
        let mut stream = self.connect().await;
        stream.write_all(bytes.as_ref()).await.unwrap();
        let mut answer = Vec::new();
        // A reset after the answer is fine: the edge may close with bytes unread.
        let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("the edge keeps the connection open");
        String::from_utf8_lossy(&answer).into_owned()
    }

    pub(super) async fn connect(&self) -> TcpStream {
        TcpStream::connect(self.address()).await.unwrap()
    }

    /// A plain GET on a connection of its own: status and body.
    pub(super) async fn get(&self, host: &str, path: &str) -> (u16, String) {
        let answer = self.raw(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        (status(&answer), body(&answer))
    }
}

pub(super) fn table_file(folder: &tempfile::TempDir) -> PathBuf {
    folder.path().join("edge-table.json")
}

pub(super) fn status(answer: &str) -> u16 {
    answer.split(' ').nth(1).and_then(|code| code.parse().ok()).unwrap_or(0)
}

/// The body of an answer, put together where it is chunked.
pub(super) fn body(answer: &str) -> String {
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((answer, ""));
    if !head.to_ascii_lowercase().contains("transfer-encoding: chunked") {
        return body.to_owned();
    }
    let (mut rest, mut whole) = (body, String::new());
    while let Some((size, after)) = rest.split_once("\r\n") {
        let size = usize::from_str_radix(size, 16).unwrap_or(0);
        if size == 0 || after.len() < size {
            break;
        }
        whole.push_str(&after[..size]);
        rest = after[size..].trim_start_matches("\r\n");
    }
    whole
}

/// Waits until something holds.
pub(super) async fn until(what: &str, mut holds: impl FnMut() -> bool) {
    let deadline = tokio::time::Instant::now() + SOON;
    while !holds() {
        assert!(tokio::time::Instant::now() < deadline, "never: {what}");
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

/// A request as a backend saw it.
#[derive(Clone, Debug)]
pub(super) struct Seen {
    pub(super) head: String,
    pub(super) body: Vec<u8>,
}

impl Seen {
    /// The values of a field.
    pub(super) fn field(&self, name: &str) -> Vec<&str> {
        let own = |line: &'_ &str| line.split_once(':').is_some_and(|(own, _)| own.eq_ignore_ascii_case(name));
        self.head.lines().skip(1).filter(own).filter_map(|line| line.split_once(':')).map(|(_, value)| value.trim()).collect()
    }

    pub(super) fn request_line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }
}

/// A small HTTP/1.1 server, written by hand so that it shares no code with the edge.
pub(super) struct Backend {
    pub(super) address: SocketAddr,
    pub(super) seen: Arc<Mutex<Vec<Seen>>>,
    pub(super) connections: Arc<std::sync::atomic::AtomicUsize>,
    task: tokio::task::JoinHandle<()>,
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Backend {
    /// Answers every request with this text.
    pub(super) async fn saying(text: &str) -> Self {
        let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len());
        Self::answering(move |_| answer.clone()).await
    }

    /// Answers every request with the bytes that `answer` says.
    pub(super) async fn answering(answer: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Self {
        Self::at(SocketAddr::from(([127, 0, 0, 1], 0)), answer).await
    }

    /// The same at this address.
    pub(super) async fn at(address: SocketAddr, answer: impl Fn(&Seen) -> String + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind(address).await.unwrap();
        let (seen, connections): (Arc<Mutex<Vec<Seen>>>, Arc<std::sync::atomic::AtomicUsize>) = Default::default();
        let (address, answer) = (listener.local_addr().unwrap(), Arc::new(answer));
        let (noted, counted) = (Arc::clone(&seen), Arc::clone(&connections));
        let task = tokio::spawn(async move {
            let mut open = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                counted.fetch_add(1, Ordering::SeqCst);
                let (noted, answer) = (Arc::clone(&noted), Arc::clone(&answer));
                open.spawn(async move {
                    let mut wire = Wire::new(stream);
                    while let Some(request) = wire.request().await {
                        let bytes = answer(&request);
                        noted.lock().unwrap().push(request);
                        if wire.stream.write_all(bytes.as_bytes()).await.is_err() || bytes.contains("Connection: close") {
                            break;
                        }
                    }
                });
            }
        });
        Self { address, seen, connections, task }
    }

    pub(super) fn count(&self) -> usize {
        self.seen.lock().unwrap().len()
    }

    pub(super) fn last(&self) -> Seen {
        self.seen.lock().unwrap().last().cloned().expect("no request reached the backend")
    }
}

/// One connection of a backend: bytes in, requests out.
pub(super) struct Wire {
    pub(super) stream: TcpStream,
    buffer: Vec<u8>,
}

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Self {
        Self { stream, buffer: Vec::new() }
    }

    /// Reads more; says whether there was some.
    async fn more(&mut self) -> bool {
        let mut part = vec![0; 65_536];
        match self.stream.read(&mut part).await {
            Ok(0) | Err(_) => false,
            Ok(some) => {
                self.buffer.extend_from_slice(&part[..some]);
                true
            }
        }
    }

    async fn line(&mut self) -> Option<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line: Vec<u8> = self.buffer.drain(..end + 2).collect();
                return Some(String::from_utf8_lossy(&line[..end]).into_owned());
            }
            if !self.more().await {
                return None;
            }
        }
    }

    async fn exactly(&mut self, size: usize) -> Option<Vec<u8>> {
        while self.buffer.len() < size {
            if !self.more().await {
                return None;
            }
        }
        Some(self.buffer.drain(..size).collect())
    }

    /// Reads over so many bytes; says how many there were.
    pub(super) async fn skip(&mut self, size: u64) -> u64 {
        let mut left = size.saturating_sub(self.buffer.len() as u64);
        self.buffer.drain(..usize::try_from(size).unwrap().min(self.buffer.len()));
        let mut part = vec![0; 256 << 10];
        while left > 0 {
            let most = usize::try_from(left).unwrap().min(part.len());
            match self.stream.read(&mut part[..most]).await {
                Ok(0) | Err(_) => break,
                Ok(some) => left -= some as u64,
            }
        }
        size - left
    }

    /// The head of the next request, without its body.
    pub(super) async fn head(&mut self) -> Option<Seen> {
        let mut head = String::new();
        loop {
            let line = self.line().await?;
            if line.is_empty() {
                return Some(Seen { head, body: Vec::new() });
            }
            head.push_str(&line);
            head.push('\n');
        }
    }

    /// The next request with its body.
    pub(super) async fn request(&mut self) -> Option<Seen> {
        let mut seen = self.head().await?;
        if seen.field("transfer-encoding") == ["chunked"] {
            loop {
                let size = usize::from_str_radix(&self.line().await?, 16).ok()?;
                seen.body.extend(self.exactly(size).await?);
                self.line().await?;
                if size == 0 {
                    return Some(seen);
                }
            }
        }
        if let Some(length) = seen.field("content-length").first().and_then(|length| length.parse().ok()) {
            seen.body = self.exactly(length).await?;
        }
        Some(seen)
    }
}
