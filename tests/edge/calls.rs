//! Calls of gRPC: HTTP/2 from end to end, with what the service says last.

use std::{convert::Infallible, net::SocketAddr};

use bytes::Bytes;
use futures::StreamExt;
use http::{HeaderMap, Request, Response};
use http_body_util::{BodyExt, Full, StreamBody};
use hyper::{
    body::{Frame, Incoming},
    client::conn::http2,
    service::service_fn,
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::{
    net::{TcpListener, TcpStream},
    time::timeout,
};

use super::support::{Backend, SOON, TestEdge, until};

fn trailers(status: &str) -> HeaderMap {
    HeaderMap::from_iter([("grpc-status".parse().unwrap(), status.parse().unwrap()), ("x-late".parse().unwrap(), "yes".parse().unwrap())])
}

/// Says each message back as it comes, and at the end how it went; `/fails` says so at once, in its head.
async fn serve(request: Request<Incoming>) -> Result<Response<http_body_util::combinators::BoxBody<Bytes, hyper::Error>>, Infallible> {
    assert_eq!(request.version(), http::Version::HTTP_2);
    assert_eq!(request.headers()["te"], "trailers");
    let answer = Response::builder().header("content-type", "application/grpc").header("x-host", request.uri().host().unwrap());
    if request.uri().path() == "/fails" {
        return Ok(answer.header("grpc-status", "5").body(Full::default().map_err(|never| match never {}).boxed()).unwrap());
    }
    let said = request.into_body().into_data_stream().map(|part| part.map(Frame::data));
    let end = futures::stream::once(async { Ok(Frame::trailers(trailers("0"))) });
    Ok(answer.body(BodyExt::boxed(StreamBody::new(said.chain(end)))).unwrap())
}

/// A service that speaks HTTP/2 from the start and nothing else.
async fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let connection = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
            tokio::spawn(connection.serve_connection(TokioIo::new(stream), service_fn(serve)));
        }
    });
    address
}

type Body = http_body_util::combinators::BoxBody<Bytes, Infallible>;

async fn client(edge: &TestEdge) -> http2::SendRequest<Body> {
    let stream = TcpStream::connect(edge.address()).await.unwrap();
    let (client, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await.unwrap();
    tokio::spawn(connection);
    client
}

fn call(path: &str, body: Body) -> Request<Body> {
    let request = Request::post(format!("http://a.localhost{path}")).header("content-type", "application/grpc+proto");
    request.header("te", "trailers").body(body).unwrap()
}

async fn edge_before(address: SocketAddr) -> TestEdge {
    let edge = TestEdge::new().await;
    edge.route("a.localhost", "/", "t");
    edge.backend("t", 1, 0, address, 1);
    edge.serve("t", 1).await;
    edge
}

#[tokio::test]
async fn a_call_reaches_its_service_over_http2_and_its_trailers_come_back() {
    let address = service().await;
    let edge = edge_before(address).await;
    let mut client = client(&edge).await;
    let answer = timeout(SOON, client.send_request(call("/a.B/C", Full::from("hello").boxed()))).await.unwrap().unwrap();
    assert_eq!(answer.status(), 200);
    assert_eq!(answer.headers()["x-host"], "a.localhost");
    assert!(answer.headers().contains_key("x-request-id"));
    let whole = timeout(SOON, answer.into_body().collect()).await.unwrap().unwrap();
    let last = whole.trailers().cloned().unwrap();
    assert!(last["grpc-status"] == "0" && last["x-late"] == "yes", "{last:?}");
    assert_eq!(whole.to_bytes(), "hello");
    // A call that failed at once ends with its head: a client of gRPC takes anything else for a broken one.
    let failed = timeout(SOON, client.send_request(call("/fails", Full::default().boxed()))).await.unwrap().unwrap();
    assert_eq!(&failed.headers()["grpc-status"], "5");
    assert!(hyper::body::Body::is_end_stream(failed.body()));
    until("nothing is under way", || edge.handle.in_flight(address) == 0).await;
}

#[tokio::test]
async fn both_sides_of_a_call_talk_in_turn() {
    let edge = edge_before(service().await).await;
    let (sender, parts) = futures::channel::mpsc::unbounded();
    let body = BodyExt::boxed(StreamBody::new(parts.map(|part: &'static str| Ok(Frame::data(Bytes::from(part))))));
    let mut client = client(&edge).await;
    let answer = timeout(SOON, client.send_request(call("/talk", body))).await.unwrap().unwrap();
    let mut body = answer.into_body();
    for word in ["one", "two", "three"] {
        // The next is only said once the last is back.
        sender.unbounded_send(word).unwrap();
        let frame = timeout(SOON, body.frame()).await.expect("it stands still").unwrap().unwrap();
        assert_eq!(frame.into_data().unwrap(), word);
    }
    drop(sender);
    let last = timeout(SOON, body.frame()).await.unwrap().unwrap().unwrap().into_trailers().unwrap();
    assert_eq!(&last["grpc-status"], "0");
}

#[tokio::test]
async fn a_call_to_a_service_that_does_not_speak_it_fails_with_a_page() {
    let backend = Backend::saying("ok").await;
    let edge = edge_before(backend.address).await;
    let answer = timeout(SOON, client(&edge).await.send_request(call("/a.B/C", Full::from("hello").boxed()))).await.unwrap().unwrap();
    assert_eq!(answer.status(), 502);
    assert_eq!(backend.seen.lock().unwrap().iter().filter(|seen| seen.request_line().contains("a.B")).count(), 0);
}
