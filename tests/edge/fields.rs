//! Exactly which fields reach a service, and which come back.

use super::support::{Backend, Rows, TestEdge, status};

#[tokio::test]
async fn a_service_gets_what_the_client_sent_and_what_the_edge_knows() {
    for (method, framing, body, gets) in [
        ("GET", "", "", None),
        ("POST", "Content-Length: 2\r\n", "hi", Some("content-length: 2")),
        // Bodies of unknown length go another way through the edge; what arrives is the same.
        ("POST", "Transfer-Encoding: chunked\r\n", "2\r\nhi\r\n0\r\n\r\n", Some("transfer-encoding: chunked")),
    ] {
        exact(method, framing, body, gets).await;
    }
}

async fn exact(method: &str, framing: &str, body: &str, gets: Option<&str>) {
    let backend = Backend::saying("ok").await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let answer = edge
        .raw(format!(
            "{method} /x%20y?q=1 HTTP/1.1\r\nHost: A.localhost:8000\r\nAccept: text/plain\r\nCookie: a=b\r\nX-Own: 1\r\nX-Own: 2\r\n\
             Connection: close, X-Hop\r\nX-Hop: secret\r\nKeep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\nTE: trailers\r\n\
             Trailer: X-T\r\nProxy-Authorization: Basic eDp5\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\
             X-Forwarded-For: 1.2.3.4\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: evil\r\nX-Forwarded-Port: 1\r\n\
             X_Forwarded_For: 1.2.3.4\r\nForwarded: for=1.2.3.4\r\nX-Real-IP: 1.2.3.4\r\nX-Request-Id: mine\r\nProxy: http://evil\r\n\
             X-Berth-Instance: x.1\r\n{framing}\r\n{body}",
        ))
        .await;
    assert_eq!(status(&answer), 200, "{answer}");
    let seen = backend.last();
    assert_eq!(seen.request_line(), format!("{method} /x%20y?q=1 HTTP/1.1"));
    assert_eq!(seen.body, if body.is_empty() { "" } else { "hi" }.as_bytes());
    let id = seen.field("x-request-id").first().copied().expect("no request id").to_owned();
    assert_eq!(id.len(), 36);
    assert!(answer.to_ascii_lowercase().contains(&format!("x-request-id: {id}")), "{answer}");
    let mut fields: Vec<String> = seen
        .head
        .lines()
        .skip(1)
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| format!("{}:{value}", name.to_ascii_lowercase()))
        .collect();
    fields.sort();
    let id = format!("x-request-id: {id}");
    let mut expected = vec![
        "accept: text/plain",
        "cookie: a=b",
        "forwarded: for=127.0.0.1;host=\"A.localhost:8000\";proto=http",
        "host: A.localhost:8000",
        "x-forwarded-for: 127.0.0.1",
        "x-forwarded-host: A.localhost:8000",
        "x-forwarded-proto: http",
        "x-own: 1",
        "x-own: 2",
        "x-real-ip: 127.0.0.1",
        &id,
    ];
    expected.extend(gets);
    expected.sort_unstable();
    assert_eq!(fields, expected);
}

#[tokio::test]
async fn a_target_with_a_host_arrives_without_it() {
    let (all, api) = (Backend::saying("all").await, Backend::saying("api").await);
    let edge = TestEdge::one("a.localhost", &all).await;
    edge.route("a.localhost", "/api", "api");
    edge.backend("api", 1, 0, api.address, 1);
    edge.serve("api", 1).await;
    for (target, line, backend) in [
        ("http://a.localhost/api/x?y=1", "/api/x?y=1", &api),
        ("http://a.localhost", "/", &all),
        ("http://a.localhost?z", "/?z", &all),
        ("HTTP://a.localhost/api", "/api", &api),
    ] {
        let answer = edge.raw(format!("GET {target} HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(status(&answer), 200, "{target} {answer}");
        assert_eq!(backend.last().request_line(), format!("GET {line} HTTP/1.1"), "{target}");
    }
}

#[tokio::test]
async fn an_answer_loses_what_belongs_to_its_connection() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 201 Made\r\nConnection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=1\r\nX-Request-Id: theirs\r\nSet-Cookie: a=1\r\n\
         Set-Cookie: b=2\r\nContent-Length: 2\r\n\r\nok"
            .to_owned()
    })
    .await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let answer = edge.raw("GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await;
    let lower = answer.to_ascii_lowercase();
    assert!(answer.starts_with("HTTP/1.1 201 Made"), "{answer}");
    for gone in ["x-hop", "keep-alive", "theirs"] {
        assert!(!lower.contains(gone), "{gone} in {answer}");
    }
    assert!(lower.contains("set-cookie: a=1") && lower.contains("set-cookie: b=2"), "{answer}");
}

#[tokio::test]
async fn only_a_trusted_proxy_is_believed() {
    let backend = Backend::saying("ok").await;
    let edge = TestEdge::with(Rows::default(), |options| options.trusted_proxies = vec!["127.0.0.1".parse().unwrap()]).await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, backend.address, 1);
    edge.serve("t", 1).await;
    let head = "GET / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n";
    edge.raw(format!("{head}X-Forwarded-For: 192.0.2.1\r\nX-Forwarded-Proto: https\r\nX-Request-Id: abc-1\r\n\r\n")).await;
    let seen = backend.last();
    assert_eq!(seen.field("x-forwarded-for"), ["192.0.2.1, 127.0.0.1"]);
    assert_eq!(seen.field("x-forwarded-proto"), ["https"]);
    assert_eq!(seen.field("x-request-id"), ["abc-1"]);
}
