//! The same over HTTP/2, whose frames can carry what no line of HTTP/1 can: a client made by hand, down to its frames.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    time::timeout,
};

use super::corpus::Through::{self, BrokenOff, None, Whole};
use crate::edge::support::TestEdge;

/// Fields in the order they are sent, `:method` and the like among them; `/case` gets the number of the case
pub(super) struct Case {
    pub(super) what: &'static str,
    fields: Vec<(String, String)>,
    body: &'static [u8],
    /// How many of it may reach the service.
    pub(super) through: Through,
}

fn case(what: &'static str, through: Through, fields: &[(&str, &str)], body: &'static [u8]) -> Case {
    let fields = fields.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Case { what, fields, body, through }
}

const START: [(&str, &str); 4] = [(":method", "POST"), (":scheme", "http"), (":authority", "a.localhost"), (":path", "/case")];

/// A good start, and then these.
fn with(what: &'static str, through: Through, more: &[(&str, &str)], body: &'static [u8]) -> Case {
    case(what, through, &[&START, more].concat(), body)
}

/// A good start but for one field.
fn but(what: &'static str, name: &str, value: &str) -> Case {
    let fields: Vec<_> = START.iter().map(|(own, good)| if *own == name { (*own, value) } else { (*own, *good) }).collect();
    case(what, None, &fields, b"")
}

pub(super) fn all() -> Vec<Case> {
    vec![
        but("a line feed in the path", ":path", "/case HTTP/1.1\r\nHost: a.localhost\r\n\r\nGET /hidden"),
        but("a space in the path", ":path", "/case /hidden"),
        but("a NUL in the path", ":path", "/case\0"),
        but("an empty path", ":path", ""),
        but("a path without a slash", ":path", "case"),
        but("a whole address for a path", ":path", "http://b.localhost/case"),
        but("a method with a space", ":method", "GET /hidden HTTP/1.1\r\nX:"),
        but("a tunnel", ":method", "CONNECT"),
        but("a reflection", ":method", "TRACE"),
        but("a host with a line feed", ":authority", "a.localhost\r\nX: y"),
        but("a host with a user", ":authority", "x@a.localhost"),
        but("a host with a path", ":authority", "a.localhost/x"),
        but("a host that nobody knows", ":authority", "b.localhost"),
        but("an empty host", ":authority", ""),
        case("no path", None, &START[..3], b""),
        case("no method", None, &START[1..], b""),
        case("no host", None, &[START[0], START[1], START[3]], b""),
        case("two paths", None, &[&START[..], &[(":path", "/hidden")]].concat(), b""),
        case("a path after a field", None, &[START[0], START[1], START[2], ("x", "y"), START[3]], b""),
        case("a field of no meaning with a colon", None, &[&START[..], &[(":x", "y")]].concat(), b""),
        with("two hosts", None, &[("host", "a.localhost"), ("host", "b.localhost")], b""),
        with("another host in the field", None, &[("host", "b.localhost")], b""),
        with("a coding", None, &[("transfer-encoding", "chunked")], b"0\r\n\r\nGET /hidden HTTP/1.1\r\nHost: a.localhost\r\n\r\n"),
        with("a connection", None, &[("connection", "x")], b""),
        with("an upgrade", None, &[("upgrade", "websocket")], b""),
        with("a line feed in a value", None, &[("x", "y\r\nTransfer-Encoding: chunked")], b""),
        with("a bare line feed in a value", None, &[("x", "y\nTransfer-Encoding: chunked")], b""),
        with("a NUL in a value", None, &[("x", "y\0")], b""),
        with("a line feed in a name", None, &[("x\r\ntransfer-encoding", "chunked")], b""),
        with("a colon in a name", None, &[("transfer-encoding: chunked\r\nx", "y")], b""),
        with("a space in a name", None, &[("transfer-encoding ", "chunked")], b""),
        with("a capital in a name", None, &[("Transfer-Encoding", "chunked")], b""),
        with("an empty name", None, &[("", "y")], b""),
        with("a length with an underscore", None, &[("content_length", "5")], b"hello"),
        with("a length below the body", BrokenOff, &[("content-length", "0")], b"GET /hidden HTTP/1.1\r\nHost: a.localhost\r\n\r\n"),
        with("a length above the body", BrokenOff, &[("content-length", "50")], b"hello"),
        with("two lengths", None, &[("content-length", "5"), ("content-length", "0")], b"hello"),
        with("a signed length", None, &[("content-length", "+5")], b"hello"),
        with("a good one", Whole(1), &[("x", "y")], b""),
        with("a body", Whole(1), &[("content-length", "5")], b"hello"),
        with("a body of unknown length that looks like a request", Whole(1), &[], b"GET /hidden HTTP/1.1\r\nHost: a.localhost\r\n\r\n"),
        with("the same host, spelled otherwise in the field", None, &[("host", "A.localhost:80")], b""),
        with("cookies in crumbs", Whole(1), &[("cookie", "a=b"), ("cookie", "c=d")], b""),
    ]
}

/// Sends it on a connection of its own and reads until the edge has done with it; says whether that ever was.
pub(super) async fn send(edge: &TestEdge, case: &Case, number: usize) -> bool {
    let mut block = Vec::new();
    for (name, value) in &case.fields {
        // Literal, never indexed, without Huffman's code.
        block.push(0);
        for text in [name.clone(), super::numbered(value, number)] {
            length(&mut block, text.len());
            block.extend(text.as_bytes());
        }
    }
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    frame(&mut bytes, 4, 0, 0, &[]);
    frame(&mut bytes, 1, if case.body.is_empty() { 5 } else { 4 }, 1, &block);
    if !case.body.is_empty() {
        frame(&mut bytes, 0, 1, 1, case.body);
    }
    let mut stream = edge.connect().await;
    stream.write_all(&bytes).await.unwrap();
    timeout(super::PATIENCE, until_done(&mut stream)).await.is_ok()
}

/// An integer with a prefix of seven bits.
fn length(block: &mut Vec<u8>, length: usize) {
    if length < 127 {
        return block.push(length as u8);
    }
    block.push(127);
    let mut rest = length - 127;
    while rest >= 128 {
        block.push((rest % 128) as u8 | 128);
        rest /= 128;
    }
    block.push(rest as u8);
}

fn frame(bytes: &mut Vec<u8>, kind: u8, flags: u8, stream: u32, payload: &[u8]) {
    bytes.extend(&(payload.len() as u32).to_be_bytes()[1..]);
    bytes.extend([kind, flags]);
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
}

/// Reads frames until the end of the stream, its reset, or the end of the connection.
async fn until_done(stream: &mut tokio::net::TcpStream) {
    loop {
        let mut head = [0; 9];
        if stream.read_exact(&mut head).await.is_err() {
            return;
        }
        let size = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let (kind, flags) = (head[3], head[4]);
        let mut payload = vec![0; size];
        if stream.read_exact(&mut payload).await.is_err() {
            return;
        }
        // Data or a head that ends the stream, a reset, a farewell.
        if (matches!(kind, 0 | 1) && flags & 1 == 1) || matches!(kind, 3 | 7) {
            return;
        }
    }
}
