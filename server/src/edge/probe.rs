//! Berth's own first request: it goes through the edge's own listener, as one from outside would.

use std::{
    net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr},
    time::Duration,
};

use app::error::{Error, Result};
use http::header;
use pingora_http::RequestHeader;
use subtle::ConstantTimeEq;
use tokio::{
    io::{AsyncBufReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
    time::timeout,
};

use super::headers::INSTANCE;

/// How Berth's own request names itself.
pub(super) const AGENT: &str = "berth-first-request";

/// Lets Berth's own request name the instance it is for; nobody outside knows the secret.
#[derive(Debug)]
pub(super) struct Pin(String);

impl Pin {
    pub(super) fn new() -> Self {
        Self(hex::encode(rand::random::<[u8; 16]>()))
    }

    fn write(&self, instance: u64) -> String {
        format!("{}.{instance:x}", self.0)
    }

    /// The instance a request is for.
    pub(super) fn read(&self, request: &RequestHeader) -> Option<u64> {
        let (secret, instance) = request.headers.get(INSTANCE)?.to_str().ok()?.split_once('.')?;
        let known = bool::from(secret.as_bytes().ct_eq(self.0.as_bytes()));
        known.then(|| u64::from_str_radix(instance, 16).ok()).flatten()
    }
}

/// Whether a request names itself as Berth's own.
pub(super) fn is_ours(request: &RequestHeader) -> bool {
    request.headers.get(header::USER_AGENT).is_some_and(|agent| agent == AGENT)
}

/// Sends a request to the listener at `edge` and says the status of the answer.
pub(super) async fn send(edge: SocketAddr, host: &str, path: &str, pin: Option<(&Pin, u64)>, within: Duration) -> Result<u16> {
    let path = if path.is_empty() { "/" } else { path };
    let port = if edge.port() == 80 { String::new() } else { format!(":{}", edge.port()) };
    let pin = pin.map_or_else(String::new, |(pin, instance)| format!("{INSTANCE}: {}\r\n", pin.write(instance)));
    let head = format!("GET {path} HTTP/1.1\r\nHost: {host}{port}\r\nUser-Agent: {AGENT}\r\nAccept: */*\r\n{pin}Connection: close\r\n\r\n");
    match timeout(within, exchange(reachable(edge), &head)).await {
        Ok(Ok(Some(status))) => Ok(status),
        Ok(Ok(None)) => Err(unreachable("it closed the connection without an answer")),
        Ok(Err(error)) => Err(unreachable("its listener does not answer").because(error)),
        Err(_) => Err(unreachable("no answer came in time")),
    }
}

fn unreachable(why: &str) -> Error {
    Error::unavailable("edge_unreachable", format!("A request through the edge got no answer: {why}. Try again in a moment."))
}

/// An address that a listener on every address can be reached at.
fn reachable(edge: SocketAddr) -> SocketAddr {
    let ip = match edge.ip() {
        IpAddr::V4(ip) if ip.is_unspecified() => IpAddr::V4(Ipv4Addr::LOCALHOST),
        IpAddr::V6(ip) if ip.is_unspecified() => IpAddr::V6(Ipv6Addr::LOCALHOST),
        ip => ip,
    };
    SocketAddr::new(ip, edge.port())
}

async fn exchange(edge: SocketAddr, head: &str) -> std::io::Result<Option<u16>> {
    let mut stream = TcpStream::connect(edge).await?;
    stream.write_all(head.as_bytes()).await?;
    let mut lines = BufReader::new(stream).lines();
    let mut status = None;
    // Answers of 1xx come before the one that counts; each ends with an empty line.
    while let Some(line) = lines.next_line().await? {
        if let Some(rest) = line.strip_prefix("HTTP/1.1 ") {
            status = rest.split(' ').next().and_then(|code| code.parse().ok());
        }
        if status.is_some_and(|code| code >= 200) {
            return Ok(status);
        }
    }
    Ok(None)
}
