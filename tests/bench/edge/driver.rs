//! Load from this process: a service of forty bytes, and clients that ask as fast as they are answered.

use std::{
    io,
    net::{SocketAddr, TcpListener},
    process::Command,
};

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    runtime::Runtime,
    task::JoinSet,
};

/// What the service answers.
const ANSWER: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 40\r\n\r\nforty bytes of text from a small service";

/// Connections that ask at the same time.
const CONNECTIONS: usize = 32;

/// Service and clients, on one thread.
pub(super) struct Driver {
    runtime: Runtime,
    /// Where the service listens.
    pub(super) service: SocketAddr,
}

impl Driver {
    /// Keeps this process on the second core, where there is one: the first is for what is measured.
    pub(super) fn new() -> Self {
        place("1");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.set_nonblocking(true).unwrap();
        let service = listener.local_addr().unwrap();
        runtime.spawn(async move {
            let listener = tokio::net::TcpListener::from_std(listener).unwrap();
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(answer(stream));
            }
        });
        // It never sleeps: waking another process would be paid for by whoever sends to it, and the slower one of the two that are
        // compared finds it asleep more often.
        runtime.spawn(async {
            loop {
                tokio::task::yield_now().await;
            }
        });
        Self { runtime, service }
    }

    /// Asks so often over connections that are kept.
    pub(super) fn ask(&self, edge: SocketAddr, host: &str, times: usize) {
        let question = format!("GET /orders/41 HTTP/1.1\r\nHost: {host}\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n");
        self.runtime.block_on(async {
            let mut clients = JoinSet::new();
            for _ in 0..CONNECTIONS {
                clients.spawn(client(edge, question.clone(), times / CONNECTIONS));
            }
            while let Some(done) = clients.join_next().await {
                done.unwrap().expect("an answer");
            }
        });
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        place("0-1023");
    }
}

/// Where this process may run. Without the tool it runs where it likes, which costs accuracy only.
fn place(cores: &str) {
    let _ = Command::new("taskset").args(["-apc", cores, &std::process::id().to_string()]).output();
}

async fn answer(mut stream: TcpStream) {
    let _ = stream.set_nodelay(true);
    let mut part = [0; 4_096];
    let mut have = 0;
    // One question at a time comes over each connection.
    while let Ok(some @ 1..) = stream.read(&mut part[have..]).await {
        have += some;
        if part[..have].ends_with(b"\r\n\r\n") {
            have = 0;
            if stream.write_all(ANSWER).await.is_err() {
                return;
            }
        }
    }
}

async fn client(edge: SocketAddr, question: String, times: usize) -> io::Result<()> {
    let mut stream = TcpStream::connect(edge).await?;
    stream.set_nodelay(true)?;
    let mut part = [0; 4_096];
    for _ in 0..times {
        stream.write_all(question.as_bytes()).await?;
        let mut have = 0;
        while !part[..have].ends_with(b"small service") {
            match stream.read(&mut part[have..]).await? {
                0 => return Err(io::ErrorKind::UnexpectedEof.into()),
                some => have += some,
            }
        }
        if !part.starts_with(b"HTTP/1.1 200") {
            return Err(io::Error::other("not a good answer"));
        }
    }
    Ok(())
}
