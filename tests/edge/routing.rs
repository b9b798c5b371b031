//! Which request goes where, and what the edge answers itself.

use super::support::{Backend, TestEdge, body, status};

#[tokio::test]
async fn a_host_leads_to_its_service_however_it_is_spelled() {
    let (one, two) = (Backend::saying("one").await, Backend::saying("two").await);
    let edge = TestEdge::new().await;
    edge.route("one.localhost", "/", "t1");
    edge.route("two.localhost", "/", "t2");
    edge.backend("t1", 1, 0, one.address, 1);
    edge.backend("t2", 1, 0, two.address, 1);
    edge.serve("t1", 1).await;
    for host in ["one.localhost", "ONE.Localhost", "one.localhost.", "one.localhost:8000", "One.Localhost.:80"] {
        assert_eq!(edge.get(host, "/x").await, (200, "one".to_owned()), "{host}");
    }
    assert_eq!(edge.get("two.localhost", "/x").await, (200, "two".to_owned()));
}

#[tokio::test]
async fn the_longest_path_wins() {
    let (all, api) = (Backend::saying("all").await, Backend::saying("api").await);
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "all");
    edge.route("a.localhost", "/api", "api");
    edge.backend("all", 1, 0, all.address, 1);
    edge.backend("api", 1, 0, api.address, 1);
    edge.serve("api", 1).await;
    for (path, text) in [("/", "all"), ("/apis", "all"), ("/api", "api"), ("/api/x?y=/../z", "api")] {
        assert_eq!(edge.get("a.localhost", path).await, (200, text.to_owned()), "{path}");
    }
    for path in ["/api/../secret", "/%61pi", "//api"] {
        assert_eq!(edge.get("a.localhost", path).await.0, 400, "{path}");
    }
}

#[tokio::test]
async fn what_leads_nowhere_is_said_on_a_page() {
    let edge = TestEdge::new().await;
    edge.route("empty.localhost", "/", "t");
    edge.route("dead.localhost", "/", "d");
    let nobody = Backend::saying("").await.address;
    edge.backend("d", 1, 0, nobody, 1);
    edge.serve("d", 1).await;
    for (host, code) in [("other.localhost", 404), ("empty.localhost", 503), ("dead.localhost", 502)] {
        let html = edge.raw(format!("GET / HTTP/1.1\r\nHost: {host}\r\nAccept: text/html\r\nConnection: close\r\n\r\n")).await;
        assert_eq!(status(&html), code, "{html}");
        let head = html.to_ascii_lowercase();
        assert!(head.contains("content-type: text/html") && head.contains("cache-control: no-store"), "{html}");
        let id = head.lines().find_map(|line| line.strip_prefix("x-request-id: ")).expect("no request id").trim().to_owned();
        assert!(body(&html).contains(&id), "the page does not name the request");

        let text = edge.raw(format!("GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert!(text.to_ascii_lowercase().contains("content-type: text/plain"), "{text}");

        let head = edge.raw(format!("HEAD / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n")).await;
        assert_eq!((status(&head), body(&head).as_str()), (code, ""), "{head}");
        assert!(head.to_ascii_lowercase().contains("content-length:"), "{head}");
    }
}

#[tokio::test]
async fn a_head_has_the_length_and_no_body() {
    let backend = Backend::answering(|_| "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n".to_owned()).await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let answer = edge.raw("HEAD / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").await;
    assert_eq!((status(&answer), body(&answer).as_str()), (200, ""));
    assert!(answer.to_ascii_lowercase().contains("content-length: 1234"), "{answer}");
}

#[tokio::test]
async fn a_client_that_sends_a_lot_to_nobody_reads_why_it_was_refused() {
    let edge = TestEdge::new().await;
    let body = "x".repeat(8 << 20);
    let head = format!("POST / HTTP/1.1\r\nHost: other.localhost\r\nContent-Length: {}\r\n\r\n", body.len());
    let answer = edge.raw(head + &body).await;
    assert_eq!(status(&answer), 404, "{answer}");
}
