//! What the protocol lets a service and a client do beside plain questions and answers: parts of a body, answers before the
//! question is over, hints ahead of an answer, trailers.

use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpListener,
    time::timeout,
};

use super::support::{Backend, SOON, TestEdge, Wire, body, status, until};

#[tokio::test]
async fn a_part_of_a_body_is_asked_for_and_answered_as_such() {
    let backend = Backend::answering(|seen| {
        assert_eq!(seen.field("range"), ["bytes=2-4"]);
        assert_eq!(seen.field("if-range"), ["\"x\""]);
        "HTTP/1.1 206 Partial Content\r\nContent-Range: bytes 2-4/10\r\nETag: \"x\"\r\nContent-Length: 3\r\n\r\n234".to_owned()
    })
    .await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let answer = edge.raw("GET / HTTP/1.1\r\nHost: a.localhost\r\nRange: bytes=2-4\r\nIf-Range: \"x\"\r\nConnection: close\r\n\r\n").await;
    assert_eq!((status(&answer), body(&answer).as_str()), (206, "234"));
    assert!(answer.to_ascii_lowercase().contains("content-range: bytes 2-4/10"), "{answer}");
}

#[tokio::test]
async fn answers_without_a_body_have_none_whatever_their_fields_say() {
    for (asked, head, code) in [
        ("HEAD", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", 200),
        ("HEAD", "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", 200),
        ("GET", "HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\nETag: \"x\"\r\n\r\n", 304),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", 204),
        ("POST", "HTTP/1.1 205 Reset Content\r\nContent-Length: 0\r\n\r\n", 205),
    ] {
        let backend = Backend::answering(move |_| head.to_owned()).await;
        let edge = TestEdge::one("a.localhost", &backend).await;
        let mut wire = Wire::new(edge.connect().await);
        // Twice on one connection: a body that is not there would be read as the next answer.
        for _ in 0..2 {
            wire.stream
                .write_all(format!("{asked} / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\n\r\n").as_bytes())
                .await
                .unwrap();
            let answer = timeout(SOON, wire.head()).await.unwrap_or_else(|_| panic!("{head:?}: left hanging")).unwrap();
            assert!(answer.request_line().contains(&code.to_string()), "{head:?} {}", answer.head);
        }
    }
}

#[tokio::test]
async fn a_service_may_answer_before_it_was_told_all() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut wire = Wire::new(stream);
                wire.head().await.unwrap();
                // It has seen enough, says so, and reads no more until the other side is gone.
                wire.stream.write_all(b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno").await.unwrap();
                std::future::pending::<()>().await;
            });
        }
    });
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, address, 1);
    edge.serve("t", 1).await;
    for framing in ["Content-Length: 1000000000", "Transfer-Encoding: chunked"] {
        let mut stream = edge.connect().await;
        let (mut read, mut write) = stream.split();
        let upload = async {
            let head = format!("POST / HTTP/1.1\r\nHost: a.localhost\r\n{framing}\r\n\r\n");
            write.write_all(head.as_bytes()).await.unwrap();
            let part = [b"10000\r\n".as_slice(), &[b'x'; 0x10000], b"\r\n"].concat();
            while write.write_all(&part).await.is_ok() {}
            std::future::pending::<()>().await;
        };
        let answer = async {
            let mut answer = vec![0; 12];
            read.read_exact(&mut answer).await.map(|_| answer)
        };
        let answer = tokio::select! { answer = timeout(SOON, answer) => answer.unwrap().unwrap(), () = upload => unreachable!() };
        assert_eq!(answer, b"HTTP/1.1 413", "{framing}");
    }
    until("nothing is under way", || edge.handle.in_flight(address) == 0).await;
}

#[tokio::test]
async fn hints_ahead_of_an_answer_do_not_count_as_one() {
    for hint in [
        "HTTP/1.1 103 Early Hints\r\nLink: </x.css>; rel=preload\r\n\r\n",
        "HTTP/1.1 100 Continue\r\n\r\n",
        "HTTP/1.1 102 Processing\r\n\r\n",
    ] {
        // Small bodies and large ones go different ways.
        for length in [0_usize, 100_000] {
            let backend = Backend::answering(move |_| format!("{hint}HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")).await;
            let edge = TestEdge::one("a.localhost", &backend).await;
            let head = format!("POST / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nContent-Length: {length}\r\n\r\n");
            let answer = edge.raw(head + &"x".repeat(length)).await;
            assert!(answer.contains("HTTP/1.1 200") && answer.ends_with("ok"), "{hint:?} {length}: {answer}");
        }
    }
}

#[tokio::test]
async fn trailers_end_a_body_and_are_no_fields_of_it() {
    let backend = Backend::answering(|_| {
        "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Late\r\n\r\n2\r\nok\r\n0\r\nX-Late: 1\r\nSet-Cookie: a=b\r\n\r\n"
            .to_owned()
    })
    .await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let mut wire = Wire::new(edge.connect().await);
    for length in [0_usize, 100_000, 0] {
        let head = format!("POST / HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: {length}\r\n\r\n");
        wire.stream.write_all((head + &"x".repeat(length)).as_bytes()).await.unwrap();
        let answer = timeout(SOON, wire.request()).await.expect("left hanging").expect("the connection was closed");
        assert_eq!((answer.request_line(), answer.body.as_slice()), ("HTTP/1.1 200 OK", &b"ok"[..]), "{length}");
        assert!(answer.field("set-cookie").is_empty());
    }
    // Those of a request neither.
    let chunks = "POST / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n0\r\nX-Real-IP: 6.6.6.6\r\n\r\n";
    assert_eq!(status(&edge.raw(chunks).await), 200);
    assert_eq!((backend.last().field("x-real-ip"), backend.last().body), (vec!["127.0.0.1"], b"hi".to_vec()));
}

#[tokio::test]
async fn every_request_has_an_id_of_its_own_the_same_on_both_sides() {
    let backend = Backend::saying("ok").await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let mut seen = std::collections::HashSet::new();
    let mut wire = Wire::new(edge.connect().await);
    for _ in 0..100 {
        wire.stream.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\nX-Request-Id: theirs\r\n\r\n").await.unwrap();
        let answer = timeout(SOON, wire.request()).await.unwrap().unwrap();
        let id = answer.field("x-request-id").concat();
        assert_eq!(backend.last().field("x-request-id"), [id.as_str()]);
        assert!(seen.insert(id), "twice");
    }
}
