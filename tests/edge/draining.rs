//! Swapping the table under load: no request fails, what is under way ends where it is, nothing reaches the wrong instance.

use std::{
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::model::TargetId;
use server::edge::By;
use tokio::{io::AsyncWriteExt, net::TcpListener, time::timeout};

use super::support::{Backend, SOON, TestEdge, Wire, until};

fn t() -> TargetId {
    TargetId::from_text("t")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_request_fails_while_releases_change() {
    let edge = Arc::new(TestEdge::new().await);
    edge.route("a.localhost", "/", "t");
    let mut backend = Backend::saying("1").await;
    edge.backend("t", 1, 0, backend.address, 1);
    edge.serve("t", 1).await;
    let (done, sent) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let clients: Vec<_> = (0..8)
        .map(|n| {
            let (edge, done, sent) = (Arc::clone(&edge), Arc::clone(&done), Arc::clone(&sent));
            tokio::spawn(async move {
                let mut wire = Wire::new(edge.connect().await);
                while !done.load(Ordering::SeqCst) {
                    // Half of them keep their connection, half send what changes something.
                    let head = if n % 2 == 0 { "GET /" } else { "POST /" };
                    let request = format!("{head} HTTP/1.1\r\nHost: a.localhost\r\nContent-Length: 0\r\n\r\n");
                    wire.stream.write_all(request.as_bytes()).await.unwrap();
                    let answer = timeout(SOON, wire.request()).await.unwrap().expect("a connection was closed");
                    assert_eq!(answer.request_line(), "HTTP/1.1 200 OK", "{}", answer.head);
                    sent.fetch_add(1, Ordering::SeqCst);
                    if n >= 4 {
                        wire = Wire::new(edge.connect().await);
                    }
                }
            })
        })
        .collect();
    for release in 2..=30_u64 {
        let next = Backend::saying(&release.to_string()).await;
        edge.backend("t", release, 0, next.address, 1);
        edge.serve("t", release).await;
        edge.drain("t", release - 1);
        edge.serve_without("t", release - 1).await;
        until("the old release is drained", || edge.handle.open_of(&t(), release - 1) == 0).await;
        edge.remove("t", release - 1);
        let (served, old) = (backend.count(), std::mem::replace(&mut backend, next));
        let before = sent.load(Ordering::SeqCst);
        until("requests go on", || sent.load(Ordering::SeqCst) > before + 20).await;
        assert_eq!(old.count(), served, "a drained instance got a request");
    }
    done.store(true, Ordering::SeqCst);
    for client in clients {
        client.await.unwrap();
    }
    assert!(sent.load(Ordering::SeqCst) > 500, "{} requests sent", sent.load(Ordering::SeqCst));
}

#[tokio::test]
async fn a_long_request_ends_where_it_began() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let go = Arc::new(tokio::sync::Notify::new());
    let old = {
        let go = Arc::clone(&go);
        tokio::spawn(async move {
            let mut wire = Wire::new(listener.accept().await.unwrap().0);
            wire.request().await.unwrap();
            wire.stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nhalf").await.unwrap();
            go.notified().await;
            wire.stream.write_all(b"rest").await.unwrap();
            wire.request().await;
        })
    };
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, address, 1);
    edge.serve("t", 1).await;
    let mut wire = Wire::new(edge.connect().await);
    wire.stream.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
    let head = timeout(SOON, wire.head()).await.unwrap().unwrap();
    assert_eq!(head.request_line(), "HTTP/1.1 200 OK");
    assert_eq!(edge.handle.in_flight(address), 1);

    let new = Backend::saying("new").await;
    edge.backend("t", 2, 0, new.address, 1);
    edge.drain("t", 1);
    edge.serve_without("t", 1).await;
    assert_eq!(edge.get("a.localhost", "/").await.1, "new");
    assert_eq!((edge.handle.in_flight(address), edge.handle.open_of(&t(), 1)), (1, 1), "it is still under way");
    edge.remove("t", 1);
    edge.backend("other", 1, 0, new.address, 1);
    edge.route("other.localhost", "/", "other");
    edge.serve("other", 1).await;
    assert_eq!(edge.handle.in_flight(address), 1, "counted as long as it lasts, in the table or not");
    go.notify_one();
    let mut rest = [0; 8];
    timeout(SOON, tokio::io::AsyncReadExt::read_exact(&mut wire.stream, &mut rest)).await.unwrap_or(Ok(0)).ok();
    until("it ended", || edge.handle.in_flight(address) == 0).await;
    old.abort();
}

#[tokio::test]
async fn an_address_given_out_again_leads_nobody_astray() {
    let edge = TestEdge::new().await;
    edge.route("mine.localhost", "/", "mine");
    edge.route("yours.localhost", "/", "yours");
    // One server stands for the address; the text it says stands for the container that has it.
    let owner = Arc::new(std::sync::Mutex::new("mine"));
    let said = Arc::clone(&owner);
    let backend = Backend::answering(move |seen| {
        let text = format!("{} for {}", said.lock().unwrap(), seen.field("host").join(","));
        format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{text}", text.len())
    })
    .await;
    edge.backend("mine", 1, 0, backend.address, 1);
    edge.serve("mine", 1).await;
    assert_eq!(edge.get("mine.localhost", "/").await.1, "mine for mine.localhost");
    assert_eq!(backend.connections.load(Ordering::SeqCst), 1);

    edge.remove("mine", 1);
    edge.serve_without("mine", 1).await;
    edge.backend("yours", 1, 0, backend.address, 2);
    edge.serve("yours", 1).await;
    *owner.lock().unwrap() = "yours";
    assert_eq!(edge.get("yours.localhost", "/").await.1, "yours for yours.localhost");
    assert_eq!(backend.connections.load(Ordering::SeqCst), 2, "the kept connection of the other service was not used");
    assert_eq!(edge.get("mine.localhost", "/").await.0, 503, "the old service no longer leads there");

    // The same target and slot, another container.
    edge.remove("yours", 1);
    edge.backend("yours", 1, 0, backend.address, 3);
    edge.wake.duty(server::wake::Duty::Edge);
    let before = backend.count();
    until("the new instance is served", || edge.handle.first_request(&TargetId::from_text("yours"), 1).is_none()).await;
    assert_eq!(edge.get("yours.localhost", "/").await.0, 200);
    assert_eq!((backend.count(), backend.connections.load(Ordering::SeqCst)), (before + 1, 3));
}

#[tokio::test]
async fn another_instance_answers_for_one_that_takes_no_connection() {
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    let dead = Backend::saying("").await.address;
    let good = Backend::saying("ok").await;
    edge.backend("t", 1, 0, dead, 1);
    edge.backend("t", 1, 1, good.address, 1);
    edge.serve("t", 1).await;
    for n in 0..20 {
        // Nothing was sent to the dead one, so what changes something may go to another as well.
        let body = "x".repeat(n);
        let answer =
            edge.raw(format!("POST / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nContent-Length: {n}\r\n\r\n{body}")).await;
        assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        assert_eq!(good.last().body.len(), n);
    }
    assert_eq!(good.count(), 20, "each request arrived once");
}

#[tokio::test]
async fn what_changes_something_is_not_sent_twice() {
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    // Takes the request and breaks off.
    let backends =
        [Backend::answering(|_| "Connection: close".to_owned()).await, Backend::answering(|_| "Connection: close".to_owned()).await];
    for (slot, backend) in (0..).zip(&backends) {
        edge.backend("t", 1, slot, backend.address, 1);
    }
    edge.serve("t", 1).await;
    let answer = edge.raw("POST / HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\nContent-Length: 2\r\n\r\nhi").await;
    assert!(answer.starts_with("HTTP/1.1 502"), "{answer}");
    assert_eq!(backends[0].count() + backends[1].count(), 1);
}

#[tokio::test]
async fn requests_go_where_the_least_is_under_way() {
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    let backends = [Backend::saying("0").await, Backend::saying("1").await, Backend::saying("2").await];
    for (slot, backend) in (0..).zip(&backends) {
        edge.backend("t", 1, slot, backend.address, 1);
    }
    edge.serve("t", 1).await;
    for _ in 0..30 {
        edge.get("a.localhost", "/").await;
    }
    for backend in &backends {
        assert_eq!(backend.count(), 10, "in turn, where all have the same");
    }
}

#[tokio::test]
async fn the_first_answer_of_every_instance_is_noted() {
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/app", "t");
    let backends = [
        Backend::saying("0").await,
        Backend::answering(|_| "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_owned()).await,
        Backend::saying("2").await,
    ];
    for (slot, backend) in (0..).zip(&backends) {
        edge.backend("t", 7, slot, backend.address, 1);
    }
    edge.serve("t", 7).await;
    assert_eq!(edge.handle.first_request(&t(), 7), None);
    assert_eq!(edge.get("a.localhost", "/app").await.0, 200);
    let first = edge.handle.first_request(&t(), 7).expect("nothing noted");
    assert_eq!((first.slot, first.status, first.by, first.address), (0, 200, By::Client, backends[0].address));

    let all = edge.handle.prove(&t(), 7, Duration::from_secs(5)).await.unwrap();
    let facts: Vec<_> = all.iter().map(|first| (first.slot, first.status, first.by)).collect();
    assert_eq!(facts, [(0, 200, By::Client), (1, 404, By::Berth), (2, 200, By::Berth)]);
    for backend in &backends {
        assert_eq!(backend.count(), 1, "nobody is asked twice");
    }
    let seen = backends[2].last();
    assert_eq!(seen.request_line(), "GET /app HTTP/1.1");
    assert_eq!(seen.field("user-agent"), ["berth-first-request"]);
    assert!(seen.field("x-berth-instance").is_empty());

    // In turn, where none has anything under way: the next is the one that says 404.
    until("nothing is under way", || backends.iter().all(|backend| edge.handle.in_flight(backend.address) == 0)).await;
    assert_eq!(edge.handle.probe("a.localhost", "/app", SOON).await.unwrap(), 404);
    assert_eq!(edge.handle.probe("unknown.localhost", "/", SOON).await.unwrap(), 404);
    assert_eq!(edge.handle.prove(&TargetId::from_text("none"), 1, SOON).await.unwrap_err().code, "no_route");
}

#[tokio::test]
async fn nobody_outside_can_choose_an_instance() {
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    let backends = [Backend::saying("0").await, Backend::saying("1").await];
    for (slot, backend) in (0..).zip(&backends) {
        edge.backend("t", 1, slot, backend.address, 1);
    }
    edge.serve("t", 1).await;
    for _ in 0..10 {
        edge.raw("GET / HTTP/1.1\r\nHost: a.localhost\r\nUser-Agent: berth-first-request\r\nX-Berth-Instance: guess.1\r\nConnection: close\r\n\r\n")
            .await;
    }
    assert_eq!((backends[0].count(), backends[1].count()), (5, 5));
}
