//! Load on an edge as many clients make it: questions at a fixed pace over kept and over new connections, slow ones, event
//! streams, sockets. The pace does not wait for answers that are late. Whatever is not answered as it should be has failed.

use std::{
    io,
    net::SocketAddr,
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    task::JoinSet,
    time::{MissedTickBehavior, interval, sleep, timeout},
};

/// Longest wait for an answer. Later than this counts as failed.
const LATE: Duration = Duration::from_secs(10);
/// Questions each client asks in a second.
const PACE: usize = 25;
/// Events of a stream, and words over a socket, before a client has enough of it.
const PIECES: usize = 3;

/// Who asks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Clients {
    /// Questions a second over connections that are kept.
    pub(crate) kept: usize,
    /// Questions a second, each over a connection of its own.
    pub(crate) fresh: usize,
    /// Clients of each other kind: slow answers, event streams, sockets. For services that know the paths.
    pub(crate) others: usize,
}

/// What came of it.
#[derive(Debug, Default)]
pub(crate) struct Report {
    /// Questions asked.
    pub(crate) sent: usize,
    /// Of these, slow ones, streams and sockets.
    pub(crate) long: usize,
    /// Not answered as they should be, and how.
    pub(crate) failed: Vec<String>,
    /// Answered after more than a second, though not slow by themselves.
    pub(crate) late: usize,
    /// Seconds to the answers of questions that are not slow by themselves.
    pub(crate) seconds: Vec<f64>,
    /// How long it took.
    pub(crate) elapsed: Duration,
}

#[derive(Default)]
struct Counts {
    stop: AtomicBool,
    sent: AtomicUsize,
    long: AtomicUsize,
    failed: Mutex<Vec<String>>,
    seconds: Mutex<Vec<f64>>,
}

/// Load that goes on until it is ended.
pub(crate) struct Load {
    counts: Arc<Counts>,
    clients: JoinSet<()>,
    began: Instant,
}

impl Load {
    /// Begins to ask for `host` at `edge`.
    pub(crate) fn on(edge: SocketAddr, host: &'static str, clients: Clients) -> Self {
        let counts = Arc::<Counts>::default();
        let mut set = JoinSet::new();
        for _ in 0..clients.kept.div_ceil(PACE) {
            set.spawn(ask(edge, host, Arc::clone(&counts), true));
        }
        for _ in 0..clients.fresh.div_ceil(PACE) {
            set.spawn(ask(edge, host, Arc::clone(&counts), false));
        }
        for _ in 0..clients.others {
            for kind in [Kind::Slow, Kind::Events, Kind::Socket] {
                set.spawn(linger(edge, host, Arc::clone(&counts), kind));
            }
        }
        Self { counts, clients: set, began: Instant::now() }
    }

    /// Lets everybody finish what they have, and says what came of it.
    pub(crate) async fn end(mut self) -> Report {
        let elapsed = self.began.elapsed();
        self.counts.stop.store(true, Ordering::SeqCst);
        while self.clients.join_next().await.is_some() {}
        let counts = &self.counts;
        let seconds = std::mem::take(&mut *counts.seconds.lock().unwrap());
        Report {
            sent: counts.sent.load(Ordering::SeqCst),
            long: counts.long.load(Ordering::SeqCst),
            failed: std::mem::take(&mut *counts.failed.lock().unwrap()),
            late: seconds.iter().filter(|seconds| **seconds > 1.0).count(),
            seconds,
            elapsed,
        }
    }
}

impl Counts {
    fn note(&self, what: &str, result: Result<io::Result<()>, tokio::time::error::Elapsed>) {
        self.sent.fetch_add(1, Ordering::SeqCst);
        let cause = match result {
            Ok(Ok(())) => return,
            Ok(Err(error)) => error.to_string(),
            Err(_) => "no answer in time".to_owned(),
        };
        self.failed.lock().unwrap().push(format!("{what}: {cause}"));
    }
}

/// Asks at the pace, one question after the other.
async fn ask(edge: SocketAddr, host: &'static str, counts: Arc<Counts>, keep: bool) {
    let mut pace = interval(Duration::from_secs(1) / PACE as u32);
    pace.set_missed_tick_behavior(MissedTickBehavior::Burst);
    let (mut connection, what) = (None, if keep { "kept" } else { "fresh" });
    let end = if keep { "" } else { "Connection: close\r\n" };
    let question = format!("GET / HTTP/1.1\r\nHost: {host}\r\n{end}\r\n");
    while !counts.stop.load(Ordering::SeqCst) {
        pace.tick().await;
        let began = Instant::now();
        let asked = async {
            let mut stream = match connection.take() {
                Some(stream) => stream,
                None => TcpStream::connect(edge).await?,
            };
            stream.write_all(question.as_bytes()).await?;
            whole(&mut stream).await?;
            connection = keep.then_some(stream);
            Ok(())
        };
        let result = timeout(LATE, asked).await;
        counts.seconds.lock().unwrap().push(began.elapsed().as_secs_f64());
        counts.note(what, result);
    }
}

/// Reads an answer to its end; it must be good.
async fn whole(stream: &mut TcpStream) -> io::Result<()> {
    let (head, mut have) = head(stream).await?;
    answers(&head, "200")?;
    let fields = head.to_ascii_lowercase();
    let length = fields.lines().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse::<usize>().ok());
    let mut part = [0; 4_096];
    loop {
        let done = match length {
            Some(length) => have.len() >= length,
            // In chunks; nobody here sends the end of one as text.
            None => have.ends_with(b"0\r\n\r\n"),
        };
        if done {
            return Ok(());
        }
        match stream.read(&mut part).await? {
            0 => return Err(io::Error::other("cut off in the body")),
            some => have.extend_from_slice(&part[..some]),
        }
    }
}

/// The head of an answer, and what came with it.
async fn head(stream: &mut TcpStream) -> io::Result<(String, Vec<u8>)> {
    let (mut bytes, mut part) = (Vec::new(), [0; 4_096]);
    loop {
        if let Some(end) = bytes.windows(4).position(|four| four == b"\r\n\r\n") {
            let rest = bytes.split_off(end + 4);
            return Ok((String::from_utf8_lossy(&bytes).into_owned(), rest));
        }
        match stream.read(&mut part).await? {
            0 => return Err(io::Error::other("closed without an answer")),
            some => bytes.extend_from_slice(&part[..some]),
        }
    }
}

#[derive(Clone, Copy)]
enum Kind {
    Slow,
    Events,
    Socket,
}

/// Asks for what takes a while, again and again.
async fn linger(edge: SocketAddr, host: &'static str, counts: Arc<Counts>, kind: Kind) {
    while !counts.stop.load(Ordering::SeqCst) {
        let (what, result) = match kind {
            Kind::Slow => ("slow", timeout(LATE, slow(edge, host)).await),
            Kind::Events => ("events", timeout(LATE, async { read_events(open_events(edge, host).await?, PIECES).await }).await),
            Kind::Socket => ("socket", timeout(LATE, async { talk(open_socket(edge, host).await?, PIECES).await }).await),
        };
        counts.long.fetch_add(1, Ordering::SeqCst);
        counts.note(what, result);
    }
}

async fn slow(edge: SocketAddr, host: &str) -> io::Result<()> {
    let mut stream = TcpStream::connect(edge).await?;
    stream.write_all(format!("GET /slow HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
    whole(&mut stream).await
}

/// Opens a stream of events; also what of it came along at once.
pub(crate) async fn open_events(edge: SocketAddr, host: &str) -> io::Result<(TcpStream, Vec<u8>)> {
    let mut stream = TcpStream::connect(edge).await?;
    stream.write_all(format!("GET /events HTTP/1.1\r\nHost: {host}\r\n\r\n").as_bytes()).await?;
    let (head, have) = head(&mut stream).await?;
    answers(&head, "200").map(|()| (stream, have))
}

/// Opens a socket.
pub(crate) async fn open_socket(edge: SocketAddr, host: &str) -> io::Result<TcpStream> {
    let mut stream = TcpStream::connect(edge).await?;
    let shake = format!(
        "GET /socket HTTP/1.1\r\nHost: {host}\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    );
    stream.write_all(shake.as_bytes()).await?;
    let (head, _) = head(&mut stream).await?;
    answers(&head, "101").map(|()| stream)
}

fn answers(head: &str, code: &str) -> io::Result<()> {
    let line = head.lines().next().unwrap_or_default();
    if line.split(' ').nth(1) == Some(code) { Ok(()) } else { Err(io::Error::other(line.to_owned())) }
}

/// Reads events until there were so many.
pub(crate) async fn read_events((mut stream, mut have): (TcpStream, Vec<u8>), count: usize) -> io::Result<()> {
    let mut part = [0; 4_096];
    let mut seen = 0;
    loop {
        if have.ends_with(b"0\r\n\r\n") {
            return Err(io::Error::other("the service ended the stream"));
        }
        seen += have.windows(5).filter(|five| five == b"data:").count();
        if seen >= count {
            return Ok(());
        }
        match stream.read(&mut part).await? {
            0 => return Err(io::Error::other("cut off in the stream")),
            some => have = part[..some].to_vec(),
        }
    }
}

/// Says so many words over a socket, each of which must come back.
pub(crate) async fn talk(mut stream: TcpStream, count: usize) -> io::Result<()> {
    for _ in 0..count {
        stream.write_all(b"\x81\x05hello").await?;
        let mut back = [0; 7];
        stream.read_exact(&mut back).await?;
        sleep(Duration::from_millis(20)).await;
    }
    Ok(())
}
