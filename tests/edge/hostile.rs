//! Requests that two servers could read differently, and clients that mean no good: as many requests reach the service as the
//! edge let through, and none of them is one that was hidden in another.

use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::support::{Backend, SOON, TestEdge, status};

const H: &str = "Host: a.localhost\r\n";

/// What is sent, and how many requests of it may reach the service.
fn corpus() -> Vec<(&'static str, Vec<u8>, usize)> {
    let hidden = "GET /hidden HTTP/1.1\r\nHost: a.localhost\r\n\r\n";
    let post = |fields: &str, body: &str| format!("POST / HTTP/1.1\r\n{H}{fields}\r\n{body}").into_bytes();
    let get = |fields: &str| format!("GET / HTTP/1.1\r\n{fields}\r\n").into_bytes();
    vec![
        ("length and chunked", post("Content-Length: 4\r\nTransfer-Encoding: chunked\r\n", &format!("0\r\n\r\n{hidden}")), 0),
        ("chunked and length", post("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", &format!("0\r\n\r\n{hidden}")), 0),
        ("two lengths", post("Content-Length: 0\r\nContent-Length: 44\r\n", hidden), 0),
        ("the same length twice", post("Content-Length: 0\r\nContent-Length: 0\r\n", ""), 0),
        ("a list of lengths", post("Content-Length: 0, 0\r\n", ""), 0),
        ("a signed length", post("Content-Length: +0\r\n", ""), 0),
        ("a hexadecimal length", post("Content-Length: 0x0\r\n", ""), 0),
        ("a negative length", post("Content-Length: -1\r\n", hidden), 0),
        ("a length over all bounds", post("Content-Length: 18446744073709551617\r\n", hidden), 0),
        ("space before the colon", post("Transfer-Encoding : chunked\r\n", &format!("0\r\n\r\n{hidden}")), 0),
        ("a coding that is not chunked", post("Transfer-Encoding: identity\r\n", hidden), 0),
        ("a coding like chunked", post("Transfer-Encoding: xchunked\r\n", hidden), 0),
        ("chunked twice", post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", hidden), 0),
        ("a control character in the coding", post("Transfer-Encoding: \x0bchunked\r\n", hidden), 0),
        ("a folded field", get(&format!("{H}X: a\r\n Transfer-Encoding: chunked\r\n")), 0),
        ("a folded first field", get(" Host: a.localhost\r\n"), 0),
        ("bare line feeds", b"GET / HTTP/1.1\nHost: a.localhost\n\n".to_vec(), 0),
        ("one bare line feed", get(&format!("{H}X: a\nTransfer-Encoding: chunked\r\n")), 0),
        ("a bare carriage return", get(&format!("{H}X: a\rTransfer-Encoding: chunked\r\n")), 0),
        ("a NUL in a field", get(&format!("{H}X: a\0b\r\n")), 0),
        ("an empty name", get(&format!("{H}: x\r\n")), 0),
        ("a line without a colon", get(&format!("{H}nonsense\r\n")), 0),
        ("no host", get(""), 0),
        ("two hosts", get(&format!("{H}Host: b.localhost\r\n")), 0),
        ("the same host twice", get(&format!("{H}{H}")), 0),
        ("an empty host", get("Host:\r\n"), 0),
        ("a host with a path", get("Host: a.localhost/x\r\n"), 0),
        ("a host with a user", get("Host: x@a.localhost\r\n"), 0),
        ("a host list", get("Host: a.localhost, b.localhost\r\n"), 0),
        ("a host with a space", get("Host: a.localhost b\r\n"), 0),
        ("an odd port", get("Host: a.localhost:80x\r\n"), 0),
        ("another host in the target", format!("GET http://b.localhost/ HTTP/1.1\r\n{H}\r\n").into_bytes(), 0),
        ("a user in the target", b"GET http://x@a.localhost/ HTTP/1.1\r\nHost: x@a.localhost\r\n\r\n".to_vec(), 0),
        ("another scheme in the target", format!("GET ftp://a.localhost/ HTTP/1.1\r\n{H}\r\n").into_bytes(), 0),
        ("a target without a slash", format!("GET hidden HTTP/1.1\r\n{H}\r\n").into_bytes(), 0),
        ("raw bytes in the target", [b"GET /\xff HTTP/1.1\r\n", H.as_bytes(), b"\r\n"].concat(), 0),
        ("HTTP/0.9", b"GET /\r\n\r\n".to_vec(), 0),
        ("HTTP/1.2", format!("GET / HTTP/1.2\r\n{H}\r\n").into_bytes(), 0),
        ("HTTP/2 in the request line", format!("GET / HTTP/2.0\r\n{H}\r\n").into_bytes(), 0),
        ("chunked in HTTP/1.0", format!("POST / HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n").into_bytes(), 0),
        ("a tunnel", format!("CONNECT a.localhost:80 HTTP/1.1\r\n{H}\r\n").into_bytes(), 0),
        ("a body, and taking the host away", post("Connection: Host\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), 0),
        ("a body, and taking its length away", post("Connection: Content-Length\r\nContent-Length: 100000\r\n", &"x".repeat(100_000)), 0),
        ("a reflection", format!("TRACE / HTTP/1.1\r\n{H}\r\n").into_bytes(), 0),
        ("an upgrade with a body", post("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n", "hello"), 0),
        ("taking the host away", get(&format!("{H}Connection: Host\r\n")), 0),
        ("taking a field of the edge away", get(&format!("{H}Connection: X-Forwarded-For\r\n")), 0),
        ("nonsense", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".to_vec(), 0),
        ("a huge field", get(&format!("{H}X: {}\r\n", "x".repeat(70_000))), 0),
        ("many fields", get(&format!("{H}{}", "X: x\r\n".repeat(200))), 0),
        ("a long target", format!("GET /{} HTTP/1.1\r\n{H}\r\n", "x".repeat(20_000)).into_bytes(), 0),
        // These are good, and what follows is a request of its own.
        ("a body that looks like a request", post(&format!("Content-Length: {}\r\n", hidden.len()), hidden), 1),
        (
            "a chunk that looks like a request",
            post("Transfer-Encoding: chunked\r\n", &format!("{:x}\r\n{hidden}\r\n0\r\n\r\n", hidden.len())),
            1,
        ),
        ("the same host in the target", format!("GET http://a.localhost/ HTTP/1.1\r\n{H}\r\n").into_bytes(), 1),
        ("a chunk with an extension", post("Transfer-Encoding: chunked\r\n", "1;x=y\r\na\r\n0\r\n\r\n"), 1),
        ("a trailer", post("Transfer-Encoding: chunked\r\nTrailer: X\r\n", "1\r\na\r\n0\r\nHost: b.localhost\r\n\r\n"), 1),
    ]
}

#[tokio::test]
async fn no_request_hides_in_another() {
    let corpus = corpus();
    for (what, bytes, through) in &corpus {
        let backend = Backend::saying("ok").await;
        let edge = TestEdge::one("a.localhost", &backend).await;
        edge.route("b.localhost", "/", "t");
        let mut stream = edge.connect().await;
        stream.write_all(bytes).await.unwrap();
        // The good end of a connection, so that the edge answers all that it takes for a request.
        let end = if *through == 0 { "" } else { "GET /last HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n" };
        let _ = stream.write_all(end.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = tokio::time::timeout(SOON, stream.read_to_end(&mut answer)).await.unwrap_or_else(|_| panic!("{what}: left hanging"));
        let answer = String::from_utf8_lossy(&answer);
        let lines: Vec<String> = backend.seen.lock().unwrap().iter().map(|seen| seen.request_line().to_owned()).collect();
        assert!(!lines.iter().any(|line| line.contains("hidden")), "{what}: {lines:?}");
        let expected = if *through == 0 { 0 } else { through + 1 };
        assert_eq!(lines.len(), expected, "{what}: {lines:?} {answer}");
        if *through == 0 {
            assert!((400..500).contains(&status(&answer)), "{what}: {answer}");
        }
    }
    assert!(corpus.len() >= 50, "{} requests tried", corpus.len());
}

#[tokio::test]
async fn a_malformed_body_ends_at_the_edge() {
    for body in ["zz\r\nhello\r\n0\r\n\r\n", "5\r\nhelloXX0\r\n\r\n", "-1\r\n\r\n", "fffffffffffffffff\r\nx", "5 5\r\nhello\r\n0\r\n\r\n"] {
        let backend = Backend::saying("ok").await;
        let edge = TestEdge::one("a.localhost", &backend).await;
        let answer =
            edge.raw(format!("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n{body}GET /hidden HTTP/1.1\r\n{H}\r\n")).await;
        assert_eq!(backend.count(), 0, "{body:?} {answer}");
        assert_eq!(status(&answer), 400, "{body:?} {answer}");
    }
}

#[tokio::test]
async fn a_service_cannot_split_an_answer() {
    for (answer, code) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", 502),
        ("nonsense\r\n\r\n", 502),
        ("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n", 502),
    ] {
        let backend = Backend::answering(move |_| answer.to_owned()).await;
        let edge = TestEdge::one("a.localhost", &backend).await;
        let got = edge.raw("GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await;
        assert_eq!(status(&got), code, "{answer:?} {got}");
    }
    // What comes after the end of an answer is nobody's.
    let backend =
        Backend::answering(|_| "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil".to_owned())
            .await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    for _ in 0..5 {
        let (code, body) = edge.get("a.localhost", "/").await;
        assert_eq!((code, body.as_str()), (200, "ok"));
    }
}

#[tokio::test]
async fn a_slow_head_does_not_hold_a_connection() {
    let backend = Backend::saying("ok").await;
    let edge =
        TestEdge::with(super::support::Rows::default(), |options| options.first_request = std::time::Duration::from_millis(300)).await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, backend.address, 1);
    edge.serve("t", 1).await;
    for start in ["", "P", "PRI * HTTP/2.0\r\n", "GET / HTTP/1.1\r\nHost: a.loc"] {
        let mut stream = edge.connect().await;
        stream.write_all(start.as_bytes()).await.unwrap();
        let mut rest = Vec::new();
        let ended = tokio::time::timeout(SOON, stream.read_to_end(&mut rest)).await;
        assert!(ended.is_ok(), "{start:?} is still connected");
    }
    // One that drips keeps nothing open either.
    let mut stream = edge.connect().await;
    let mut gone = false;
    for byte in "GET / HTTP/1.1\r\nX-Slow: ".bytes().chain(std::iter::repeat_n(b'x', 500)) {
        gone = stream.write_all(&[byte]).await.is_err();
        if gone {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    assert!(gone, "a dripping client was not cut off");
}

#[tokio::test]
async fn a_body_over_the_limit_is_refused() {
    let backend = Backend::saying("ok").await;
    let edge = TestEdge::with(super::support::Rows::default(), |options| options.body_max = 10).await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, backend.address, 1);
    edge.serve("t", 1).await;
    let by_length = edge.raw(format!("POST / HTTP/1.1\r\n{H}Content-Length: 11\r\nConnection: close\r\n\r\nhello world")).await;
    assert_eq!(status(&by_length), 413, "{by_length}");
    let by_chunks = edge.raw(format!("POST / HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\nb\r\nhello world\r\n0\r\n\r\n")).await;
    assert_eq!(status(&by_chunks), 413, "{by_chunks}");
    assert_eq!(backend.count(), 0);
    let good = edge.raw(format!("POST / HTTP/1.1\r\n{H}Content-Length: 10\r\nConnection: close\r\n\r\nhelloworld")).await;
    assert_eq!(status(&good), 200, "{good}");
}
