//! The connection to a service that a request has for itself: HTTP/1.1, or HTTP/2 for a call of gRPC.
//!
//! A call of gRPC is known by its media type, so that nobody has to say which services speak it: they speak HTTP/2 from the
//! start and nothing else, and say in trailers how a call went.

use std::io;

use bytes::Bytes;
use futures::Stream;
use http::{Request, Response, Version, header};
use http_body_util::StreamBody;
use hyper::{
    body::{Frame, Incoming},
    client::conn::{http1, http2},
};
use hyper_util::rt::{TokioExecutor, TokioIo};
use pingora_http::RequestHeader;
use tokio::{net::TcpStream, task::AbortHandle};

/// The parts of a request's body as they come.
pub(super) type Body = StreamBody<std::pin::Pin<Box<dyn Stream<Item = io::Result<Frame<Bytes>>> + Send>>>;

/// Whether a request is a call of gRPC. Its relative for browsers is not: that is plain HTTP to a service.
pub(super) fn is_call(request: &RequestHeader) -> bool {
    let kind = request.headers.get(header::CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let own = kind.strip_prefix("application/grpc").is_some_and(|rest| rest.is_empty() || rest.starts_with(['+', ';']));
    own && request.version == Version::HTTP_2
}

/// A connection that takes one request.
pub(super) enum Client {
    One(http1::SendRequest<Body>),
    Two(http2::SendRequest<Body>),
}

impl Client {
    /// Says how both sides are to talk. The connection ends with what is answered beside the client.
    pub(super) async fn on(stream: TcpStream, two: bool) -> hyper::Result<(Self, Cut)> {
        let stream = TokioIo::new(stream);
        if two {
            let (client, connection) = http2::handshake(TokioExecutor::new(), stream).await?;
            return Ok((Self::Two(client), Cut(tokio::spawn(connection).abort_handle())));
        }
        let (client, connection) = http1::handshake(stream).await?;
        Ok((Self::One(client), Cut(tokio::spawn(connection.with_upgrades()).abort_handle())))
    }

    pub(super) async fn send(&mut self, request: Request<Body>) -> hyper::Result<Response<Incoming>> {
        match self {
            Self::One(client) => client.send_request(request).await,
            Self::Two(client) => client.send_request(request).await,
        }
    }
}

/// Ends the connection to the service with the request, at whatever point that ends.
pub(super) struct Cut(AbortHandle);

impl Drop for Cut {
    fn drop(&mut self) {
        self.0.abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_calls_of_grpc_itself_are_known() {
        for (version, kind, is) in [
            (Version::HTTP_2, "application/grpc", true),
            (Version::HTTP_2, "application/grpc+proto", true),
            (Version::HTTP_2, "application/grpc;charset=utf-8", true),
            (Version::HTTP_2, "application/grpc-web", false),
            (Version::HTTP_2, "application/json", false),
            (Version::HTTP_11, "application/grpc", false),
        ] {
            let mut request = RequestHeader::build("POST", b"/", None).unwrap();
            request.insert_header("content-type", kind).unwrap();
            request.set_version(version);
            assert_eq!(is_call(&request), is, "{version:?} {kind}");
        }
    }
}
