//! Starting, serving without the store, stopping.

use std::{sync::Arc, time::Duration};

use server::edge::{Edge, Options};
use tokio::{io::AsyncWriteExt, net::TcpListener, time::timeout};

use super::support::{Backend, Rows, SOON, TestEdge, Wire, table_file, until};

#[tokio::test]
async fn the_last_good_table_serves_while_the_store_does_not() {
    let backend = Backend::saying("ok").await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    until("the table is on disk", || std::fs::read_to_string(table_file(&edge.folder)).is_ok_and(|text| text.contains("a.localhost")))
        .await;
    edge.broken(true);
    edge.wake.duty(server::wake::Duty::Edge);
    assert_eq!(edge.get("a.localhost", "/").await, (200, "ok".to_owned()));
    edge.handle.stop(Duration::from_secs(1)).await;

    // Another one starts while the store is still broken.
    let TestEdge { rows, folder, .. } = edge;
    let edge = TestEdge::within(folder, rows, |_| {}).await;
    assert_eq!(edge.get("a.localhost", "/").await, (200, "ok".to_owned()));
    // And follows it again once it answers, by itself.
    edge.route("b.localhost", "/", "t");
    edge.backend("t", 2, 0, backend.address, 1);
    edge.broken(false);
    edge.serve("t", 2).await;
    assert_eq!(edge.get("b.localhost", "/").await, (200, "ok".to_owned()));
}

#[tokio::test]
async fn a_table_that_does_not_read_is_no_reason_not_to_start() {
    for garbage in ["", "{", "{\"hosts\":{\"a.localhost\":[{\"path\":\"\",\"target\":7}]},\"targets\":[]}"] {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(table_file(&folder), garbage).unwrap();
        let rows = Rows::default();
        let edge = TestEdge::within(folder, rows, |_| {}).await;
        assert_eq!(edge.get("a.localhost", "/").await.0, 404, "{garbage}");
        edge.broken(true);
        let TestEdge { rows, folder, handle, .. } = edge;
        handle.stop(Duration::ZERO).await;
        std::fs::write(table_file(&folder), garbage).unwrap();
        let edge = TestEdge::within(folder, rows, |_| {}).await;
        assert_eq!(edge.get("a.localhost", "/").await.0, 404, "{garbage}");
    }
}

#[tokio::test]
async fn a_taken_address_is_said_in_a_sentence() {
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = taken.local_addr().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let options = Options::new(address, table_file(&folder));
    let error = Edge::start(options, Rows::default(), Default::default()).await.err().expect("it started");
    assert_eq!(error.code, "edge_address");
    assert!(error.sentence.contains(&address.to_string()) && error.sentence.contains("another program"), "{error}");
}

#[tokio::test]
async fn stopping_finishes_what_is_under_way() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let go = Arc::new(tokio::sync::Notify::new());
    let service = {
        let go = Arc::clone(&go);
        tokio::spawn(async move {
            let mut wire = Wire::new(listener.accept().await.unwrap().0);
            wire.request().await.unwrap();
            go.notified().await;
            wire.stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok").await.unwrap();
            wire.request().await;
        })
    };
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, address, 1);
    edge.serve("t", 1).await;
    let mut busy = Wire::new(edge.connect().await);
    busy.stream.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
    until("the request is under way", || edge.handle.in_flight(address) == 1).await;
    // It was taken by the edge: what the system alone has taken is closed once nobody listens any more.
    let mut idle = Wire::new(edge.connect().await);
    idle.stream.write_all(b"GET / HTTP/1.1\r\nHost: nowhere.localhost\r\n\r\n").await.unwrap();
    timeout(SOON, idle.request()).await.unwrap().unwrap();
    let handle = edge.handle.clone();
    let stopping = tokio::spawn(async move { handle.stop(SOON).await });
    assert!(timeout(SOON, idle.head()).await.unwrap().is_none(), "an idle connection is closed");
    until("no new connections", || std::net::TcpStream::connect_timeout(&edge.address(), Duration::from_millis(200)).is_err()).await;
    go.notify_one();
    let answer = timeout(SOON, busy.request()).await.unwrap().expect("the request was broken off");
    assert_eq!(answer.body, b"ok");
    timeout(SOON, stopping).await.unwrap().unwrap();
    service.abort();
}

#[tokio::test]
async fn stopping_does_not_wait_for_ever() {
    let backend = Backend::answering(|_| "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n".to_owned()).await;
    let edge = TestEdge::one("a.localhost", &backend).await;
    let mut wire = Wire::new(edge.connect().await);
    wire.stream.write_all(b"GET / HTTP/1.1\r\nHost: a.localhost\r\n\r\n").await.unwrap();
    timeout(SOON, wire.head()).await.unwrap().unwrap();
    timeout(Duration::from_secs(5), edge.handle.stop(Duration::from_millis(100))).await.expect("it waited for a stream without end");
}
