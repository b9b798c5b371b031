//! HTTP/1.0, HTTP/1.1, HTTP/2 in clear, WebSocket, event streams, large bodies.

use std::{sync::Arc, time::Duration};

use futures::StreamExt;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use super::support::{Backend, SOON, TestEdge, Wire, body, status, until};

const LARGE: usize = 64 << 20;

#[tokio::test]
async fn a_connection_is_kept_on_both_sides() {
    let backend = Backend::saying("ok").await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let mut wire = Wire::new(edge.connect().await);
    for _ in 0..50 {
        wire.stream.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
        let answer = timeout(SOON, wire.request()).await.unwrap().expect("the edge closed the connection");
        assert_eq!((answer.request_line(), answer.body.as_slice()), ("HTTP/1.1 200 OK", &b"ok"[..]));
    }
    assert_eq!(backend.count(), 50);
    assert_eq!(backend.connections.load(std::sync::atomic::Ordering::SeqCst), 1, "one connection serves all");
}

#[tokio::test]
async fn requests_sent_ahead_are_answered_in_order() {
    let backend = Backend::answering(|seen| {
        let path = seen.request_line().split(' ').nth(1).unwrap_or_default().to_owned();
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{path}", path.len())
    })
    .await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let mut wire = Wire::new(edge.connect().await);
    let ahead: String = (0..10).map(|n| format!("GET /{n} HTTP/1.1\r\nHost: a.localhost\r\n\r\n")).collect();
    wire.stream.write_all(ahead.as_bytes()).await.unwrap();
    for n in 0..10 {
        let answer = timeout(SOON, wire.request()).await.unwrap().expect("an answer is missing");
        assert_eq!(answer.body, format!("/{n}").into_bytes());
    }
}

#[tokio::test]
async fn the_shortest_request_is_answered_at_once() {
    let backend = Backend::saying("ok").await;
    let edge = TestEdge::one("a", &backend).await;
    // Shorter than the preface of HTTP/2.
    let mut stream = edge.connect().await;
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await.unwrap();
    let mut answer = String::new();
    timeout(SOON, stream.read_to_string(&mut answer)).await.unwrap().unwrap();
    assert_eq!(status(&answer), 400);
    let old = edge.raw("GET / HTTP/1.0\r\nHost: a\r\n\r\n").await;
    assert_eq!((status(&old), body(&old).as_str()), (200, "ok"), "{old}");
}

fn two() -> reqwest::Client {
    reqwest::Client::builder().http2_prior_knowledge().no_proxy().build().unwrap()
}

#[tokio::test]
async fn http2_in_clear_where_the_client_begins_with_it() {
    let backend = Backend::answering(|seen| {
        let text = format!("{} {}", seen.request_line(), seen.body.len());
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: keep-alive\r\n\r\n{text}", text.len())
    })
    .await;
    let edge = TestEdge::new().await;
    // The authority of HTTP/2 is the address of the URL, so the host is the listener's own.
    edge.route("127.0.0.1", "/", "t");
    edge.backend("t", 1, 0, backend.address, 1);
    edge.serve("t", 1).await;
    let (client, url) = (two(), format!("http://{}", edge.address()));
    let all = (0..100).map(|n| {
        let request = client.post(format!("{url}/{n}")).body(vec![b'x'; n]);
        async move {
            let answer = request.send().await.unwrap();
            assert_eq!(answer.version(), http::Version::HTTP_2);
            assert_eq!(answer.status(), 200);
            assert!(answer.headers().contains_key("x-request-id") && !answer.headers().contains_key("connection"));
            assert_eq!(answer.text().await.unwrap(), format!("POST /{n} HTTP/1.1 {n}"));
        }
    });
    timeout(SOON, futures::future::join_all(all)).await.unwrap();
    let seen = backend.last();
    assert_eq!(seen.field("host"), [edge.address().to_string()]);
    assert_eq!(seen.field("x-forwarded-for"), ["127.0.0.1"]);
    let unknown = two().get(format!("http://localhost:{}/", edge.address().port())).send().await;
    assert_eq!(unknown.unwrap().status(), 404);
}

/// Counts what it gets; says as much as it is asked for.
fn bulk() -> axum::Router {
    use axum::{body::Body, extract::Path, routing};
    let count = async |request: axum::extract::Request| {
        let mut body = request.into_body().into_data_stream();
        let mut size = 0;
        while let Some(part) = body.next().await {
            size += part.unwrap().len();
        }
        size.to_string()
    };
    let say = async |Path(size): Path<usize>| {
        let part = bytes::Bytes::from(vec![b'x'; 1 << 20]);
        Body::from_stream(futures::stream::iter((0..size >> 20).map(move |_| Ok::<_, std::io::Error>(part.clone()))))
    };
    axum::Router::new().route("/", routing::post(count)).route("/{size}", routing::get(say))
}

async fn served(app: axum::Router) -> (TestEdge, tokio::task::JoinHandle<std::io::Result<()>>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = tokio::spawn(async move { axum::serve(listener, app.into_make_service()).await });
    let edge = TestEdge::new().await;
    edge.route("127.0.0.1", "/", "t");
    edge.backend("t", 1, 0, address, 1);
    edge.serve("t", 1).await;
    (edge, app)
}

fn one() -> reqwest::Client {
    reqwest::Client::builder().http1_only().no_proxy().build().unwrap()
}

#[tokio::test]
async fn large_bodies_stream_in_both_directions() {
    let (edge, app) = served(bulk()).await;
    let url = format!("http://{}/", edge.address());
    for (client, chunked) in [(one(), false), (one(), true), (two(), false), (two(), true)] {
        let part = bytes::Bytes::from(vec![b'x'; 1 << 20]);
        let parts = futures::stream::iter((0..LARGE >> 20).map(move |_| Ok::<_, std::io::Error>(part.clone())));
        let request = client.post(&url);
        let request = if chunked { request.body(reqwest::Body::wrap_stream(parts)) } else { request.body(vec![b'x'; LARGE]) };
        let answer = timeout(SOON * 3, request.send()).await.unwrap().unwrap();
        assert_eq!(answer.text().await.unwrap(), LARGE.to_string());

        let answer = timeout(SOON, client.get(format!("{url}{LARGE}")).send()).await.unwrap().unwrap();
        let mut body = answer.bytes_stream();
        let mut size = 0;
        while let Some(part) = timeout(SOON, body.next()).await.unwrap() {
            size += part.unwrap().len();
        }
        assert_eq!(size, LARGE);
    }
    app.abort();
}

#[tokio::test]
async fn a_service_may_answer_while_it_is_asked() {
    // Echoes the body while it comes: whoever stops reading while writing stands still.
    let echo = async |request: axum::extract::Request| axum::body::Body::from_stream(request.into_body().into_data_stream());
    let (edge, app) = served(axum::Router::new().route("/", axum::routing::post(echo))).await;
    for (client, chunked) in [(one(), false), (one(), true), (two(), false), (two(), true)] {
        let part = bytes::Bytes::from(vec![b'x'; 1 << 20]);
        let parts = futures::stream::iter((0..LARGE >> 20).map(move |_| Ok::<_, std::io::Error>(part.clone())));
        let request = client.post(format!("http://{}/", edge.address()));
        let request = if chunked { request.body(reqwest::Body::wrap_stream(parts)) } else { request.body(vec![b'x'; LARGE]) };
        let answer = timeout(SOON, request.send()).await.unwrap().unwrap();
        assert_eq!(answer.status(), 200);
        let (mut body, mut size) = (answer.bytes_stream(), 0);
        while let Some(part) = timeout(SOON, body.next()).await.expect("it stands still") {
            size += part.unwrap().len();
        }
        assert_eq!(size, LARGE);
    }
    app.abort();
}

#[tokio::test]
async fn a_body_cut_short_is_not_taken_for_whole() {
    for framing in ["Content-Length: 100000", "Transfer-Encoding: chunked"] {
        let backend = Backend::saying("ok").await;
        let edge = TestEdge::one("a.localhost", &backend).await;
        let mut stream = edge.connect().await;
        let body = if framing.starts_with('T') { "5\r\nhello\r\n" } else { "hello" };
        stream.write_all(format!("POST / HTTP/1.1\r\nHost: a.localhost\r\n{framing}\r\n\r\n{body}").as_bytes()).await.unwrap();
        until("it is under way", || edge.handle.in_flight(backend.address) == 1).await;
        drop(stream);
        until("it is over", || edge.handle.in_flight(backend.address) == 0).await;
        assert_eq!(backend.count(), 0, "{framing}");
    }
}

#[tokio::test]
async fn an_old_client_gets_no_chunks() {
    let (edge, app) = served(bulk()).await;
    let answer = edge.raw(format!("GET /{} HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n", 2 << 20)).await;
    assert!(!answer.to_ascii_lowercase().contains("transfer-encoding"), "{}", &answer[..300]);
    assert_eq!(body(&answer).len(), 2 << 20);
    app.abort();
}

#[tokio::test]
async fn an_event_arrives_when_it_is_sent() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (next, go) = (Arc::new(tokio::sync::Notify::new()), Arc::new(tokio::sync::Notify::new()));
    let sender = {
        let go = Arc::clone(&go);
        tokio::spawn(async move {
            let mut wire = Wire::new(listener.accept().await.unwrap().0);
            wire.request().await.unwrap();
            wire.stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n\r\n").await.unwrap();
            loop {
                go.notified().await;
                if wire.stream.write_all(b"data: x\n\n").await.is_err() {
                    return;
                }
            }
        })
    };
    let edge = TestEdge::new().await;
    edge.route("127.0.0.1", "/", "t");
    edge.backend("t", 1, 0, address, 1);
    edge.serve("t", 1).await;
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let answer = timeout(SOON, client.get(format!("http://{}/", edge.address())).send()).await.unwrap().unwrap();
    let mut events = answer.bytes_stream();
    for _ in 0..5 {
        // The next one is only sent once the last one is here: whoever holds events back hangs.
        go.notify_one();
        let event = timeout(SOON, events.next()).await.expect("an event was held back").unwrap().unwrap();
        assert_eq!(&event[..], b"data: x\n\n");
    }
    assert_eq!(edge.handle.in_flight(address), 1);
    drop((events, next));
    until("the edge notices that the client has gone", || edge.handle.in_flight(address) == 0).await;
    sender.abort();
}

const HANDSHAKE: &str = "GET /socket HTTP/1.1\r\nHost: a.localhost\r\nConnection: keep-alive, Upgrade\r\nUpgrade: WebSocket\r\n\
                         Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n";

#[tokio::test]
async fn a_tunnel_opens_with_the_services_101_and_carries_anything() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = tokio::spawn(async move {
        let mut wire = Wire::new(listener.accept().await.unwrap().0);
        let request = wire.head().await.unwrap();
        wire.stream
            .write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Accept: x\r\n\r\n")
            .await
            .unwrap();
        let (mut read, mut write) = wire.stream.split();
        tokio::io::copy(&mut read, &mut write).await.unwrap();
        request
    });
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, address, 1);
    edge.serve("t", 1).await;
    let mut wire = Wire::new(edge.connect().await);
    wire.stream.write_all(HANDSHAKE.as_bytes()).await.unwrap();
    let answer = timeout(SOON, wire.head()).await.unwrap().unwrap();
    assert_eq!(answer.request_line(), "HTTP/1.1 101 Switching Protocols");
    assert_eq!(answer.field("upgrade"), ["websocket"]);
    assert_eq!(answer.field("sec-websocket-accept"), ["x"]);
    assert_eq!(edge.handle.in_flight(address), 1);
    // Both sides talk at once, and more than the system holds.
    let flood: Vec<u8> = (0..LARGE).map(|n| (n % 251) as u8).collect();
    let (mut read, mut write) = wire.stream.split();
    let (sent, mut back) = (flood.clone(), vec![0; LARGE]);
    let both = async { tokio::try_join!(write.write_all(&sent), read.read_exact(&mut back)).map(drop) };
    timeout(SOON * 3, both).await.expect("the tunnel stands still").unwrap();
    assert!(back == flood, "bytes were changed on the way");
    for frame in [&b"\x81\x05hello"[..], b"GET / HTTP/1.1\r\n\r\n", &[0_u8; 100_000]] {
        wire.stream.write_all(frame).await.unwrap();
        let mut back = vec![0; frame.len()];
        timeout(SOON, wire.stream.read_exact(&mut back)).await.unwrap().unwrap();
        assert_eq!(back, frame);
    }
    drop(wire);
    let seen = timeout(SOON, service).await.unwrap().unwrap();
    assert_eq!(seen.field("connection"), ["Upgrade"]);
    assert_eq!(seen.field("sec-websocket-key"), ["dGhlIHNhbXBsZSBub25jZQ=="]);
    until("the tunnel is closed", || edge.handle.in_flight(address) == 0).await;
}

#[tokio::test]
async fn what_a_client_says_ahead_of_the_101_reaches_the_service() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let service = tokio::spawn(async move {
        let mut wire = Wire::new(listener.accept().await.unwrap().0);
        wire.head().await.unwrap();
        tokio::time::sleep(Duration::from_millis(100)).await;
        wire.stream.write_all(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi").await.unwrap();
        let mut said = [0; 10];
        wire.stream.read_exact(&mut said).await.unwrap();
        said
    });
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, address, 1);
    edge.serve("t", 1).await;
    let mut wire = Wire::new(edge.connect().await);
    wire.stream.write_all(format!("{HANDSHAKE}01234").as_bytes()).await.unwrap();
    until("it is under way", || edge.handle.in_flight(address) == 1).await;
    wire.stream.write_all(b"56789").await.unwrap();
    assert_eq!(timeout(SOON, service).await.unwrap().unwrap(), *b"0123456789");
    assert!(timeout(SOON, wire.head()).await.unwrap().unwrap().request_line().contains("101"));
}

#[tokio::test]
async fn no_tunnel_without_the_services_101() {
    let backend = Backend::answering(|_| "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nno".to_owned()).await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let end = "GET /last HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n";
    let answer = edge.raw(format!("{HANDSHAKE}{end}")).await;
    assert_eq!(status(&answer), 200, "{answer}");
    // What followed was a request, and nothing else; or it was not taken at all.
    let lines: Vec<_> = backend.seen.lock().unwrap().iter().map(|seen| seen.request_line().to_owned()).collect();
    assert!(lines == ["GET /socket HTTP/1.1", "GET /last HTTP/1.1"] || lines == ["GET /socket HTTP/1.1"], "{lines:?}");
}

#[tokio::test]
async fn a_client_that_waits_to_be_told_to_go_on_is_told() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().route("/", axum::routing::post(async |body: String| body));
    let app = tokio::spawn(async move { axum::serve(listener, app.into_make_service()).await });
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, address, 1);
    edge.serve("t", 1).await;
    let mut wire = Wire::new(edge.connect().await);
    wire.stream.write_all(b"POST / HTTP/1.1\r\nHost: a.localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\n").await.unwrap();
    let go = timeout(SOON, wire.head()).await.unwrap().unwrap();
    assert!(go.request_line().starts_with("HTTP/1.1 100"), "{}", go.head);
    wire.stream.write_all(b"hello").await.unwrap();
    let answer = timeout(SOON, wire.request()).await.unwrap().unwrap();
    assert_eq!(answer.body, b"hello");
    app.abort();
}

#[tokio::test]
async fn a_quiet_service_is_waited_for() {
    let backend = Backend::answering(|_| {
        std::thread::sleep(Duration::from_millis(500));
        "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_owned()
    })
    .await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    assert_eq!(edge.get("a.localhost", "/").await.0, 200);
}
