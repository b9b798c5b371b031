//! Requests in which both sides may talk at once: tunnels, and bodies that are large or of unknown length.
//!
//! The proxy library stops reading an answer while it waits to write the request. Where a service does the same (it echoes,
//! converts, talks over a socket), both would wait for each other for ever. Here the request is written by a task of its own,
//! so that the answer is always read. Such a request has a connection to the service for itself, which ends with it.

use std::{io, time::Duration};

use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Method, StatusCode, Version, header};
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Body as _, Frame, Incoming};
use hyper_util::rt::TokioIo;
use pingora_core::{Error, ErrorType, OrErr, Result, protocols::http::ServerSession};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::Session;
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
    sync::mpsc,
    time::timeout,
};

use super::{
    calls::{Body, Client, is_call},
    headers,
    proxy::{CONNECT, Context, Proxy, SILENCE, STALL},
    strict,
};

/// A body up to here is with the service before it matters who waits for whom, in bytes.
const SMALL: u64 = 64 << 10;
/// Parts of a request on their way from the client to the service.
const PARTS: usize = 4;

/// Whether both sides may talk at once.
pub(super) fn applies(session: &mut Session) -> bool {
    if !session.req_header().raw_path_is_utf8() {
        // Only the library keeps such a target as it is.
        return false;
    }
    if strict::wants_socket(session.req_header()) || is_call(session.req_header()) {
        return true;
    }
    let length = session.get_header(header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    length.map_or_else(|| !session.is_body_empty(), |length| length > SMALL)
}

/// Passes a request on and its answer back.
pub(super) async fn carry(proxy: &Proxy, session: &mut Session, ctx: &mut Context) -> Result<()> {
    let socket = strict::wants_socket(session.req_header());
    let request = to_service(proxy, session, ctx)?;
    let service = connect(proxy, session, ctx).await?;
    let (sender, body) = mpsc::channel(PARTS);
    let two = is_call(session.req_header());
    let (mut client, _cut) = Client::on(service, two).await.or_err(ErrorType::ConnectError, UP).map_err(up)?;
    if continues(session.req_header()) {
        session.write_continue_response().await?;
    }
    let mut upload = Upload { sender: Some(sender), size: 0, max: proxy.body_max() };
    if session.is_body_empty() {
        upload.end();
    }
    let mut answer = std::pin::pin!(timeout(SILENCE, client.send(request.map(|()| parts(body)))));
    let answer = loop {
        tokio::select! {
            answer = &mut answer => break answer.or_err(ErrorType::ReadTimedout, UP).map_err(up)?.or_err(ErrorType::ReadError, UP).map_err(up)?,
            // What a client says ahead of the answer to its handshake is left where it is: it belongs to the tunnel.
            went_on = upload.part(session), if !socket => went_on?,
        }
    };
    if answer.status() == StatusCode::SWITCHING_PROTOCOLS {
        if upload.sender.is_some() || !socket {
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, "a tunnel that nobody asked for").into_up());
        }
        return tunnel(proxy, session, ctx, answer).await;
    }
    relay(proxy, session, ctx, answer, upload).await
}

const UP: &str = "asking an instance";

fn up(error: Box<Error>) -> Box<Error> {
    error.into_up()
}

/// The request as the service gets it.
fn to_service(proxy: &Proxy, session: &Session, ctx: &Context) -> Result<http::Request<()>> {
    let mut head = session.req_header().clone();
    let (socket, length) = (strict::wants_socket(&head), head.headers.get(header::CONTENT_LENGTH).cloned());
    if let Some(authority) = head.uri.authority().map(|authority| authority.as_str().to_owned()) {
        head.insert_header(header::HOST, authority)?;
    }
    headers::clean_request(&mut head);
    proxy.set_fields(session, &mut head, ctx)?;
    let target = head.uri.path_and_query().map_or("/", |target| target.as_str());
    let call = is_call(&head);
    let mut request = http::Request::builder().method(head.method.clone());
    request = match head.headers.get(header::HOST).and_then(|host| host.to_str().ok()).filter(|_| call) {
        // HTTP/2 has the host beside the target.
        Some(host) => request.version(Version::HTTP_2).uri(format!("http://{host}{target}")),
        None => request.uri(target),
    };
    for (name, value) in head.headers.iter().filter(|(name, _)| !call || **name != header::HOST) {
        request = request.header(name, value);
    }
    if call {
        // Nothing is lost on the way that the service may want to say at the end.
        request = request.header(header::TE, "trailers");
    } else if socket {
        request = request.header(header::CONNECTION, "Upgrade").header(header::UPGRADE, "websocket");
    } else if length.is_none() {
        request = request.header(header::TRANSFER_ENCODING, "chunked");
    }
    request.body(()).or_err(ErrorType::InvalidHTTPHeader, "the request cannot be written down").map_err(Error::into_down)
}

/// Whether the client waits to be told to send its body.
fn continues(request: &RequestHeader) -> bool {
    request.version == Version::HTTP_11
        && request.headers.get(header::EXPECT).is_some_and(|expect| expect.as_bytes().eq_ignore_ascii_case(b"100-continue"))
}

/// A connection to an instance; to another one where it takes none.
async fn connect(proxy: &Proxy, session: &Session, ctx: &mut Context) -> Result<TcpStream> {
    loop {
        let address = proxy.instance(session, ctx)?.backend.address;
        let error = match timeout(CONNECT, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => {
                let _ = stream.set_nodelay(true);
                return Ok(stream);
            }
            Ok(Err(error)) => Error::because(ErrorType::ConnectRefused, UP, error),
            Err(late) => Error::because(ErrorType::ConnectTimedout, UP, late),
        };
        if !proxy.again(ctx, &error) {
            return Err(error.into_up());
        }
    }
}

enum Part {
    Data(Bytes),
    /// The body is whole. Without it the service must not take what it has for all.
    End,
}

fn parts(from: mpsc::Receiver<Part>) -> Body {
    StreamBody::new(Box::pin(futures::stream::unfold(Some(from), |from| async {
        let mut from = from?;
        match from.recv().await {
            Some(Part::Data(part)) => Some((Ok(Frame::data(part)), Some(from))),
            Some(Part::End) => None,
            None => Some((Err(io::ErrorKind::UnexpectedEof.into()), None)),
        }
    })))
}

/// The body of the request, as far as it went.
struct Upload {
    sender: Option<mpsc::Sender<Part>>,
    size: u64,
    max: u64,
}

impl Upload {
    /// Sends the next part on. Once all are sent, or the service takes no more, only watches whether the client goes away.
    /// Nothing is lost where this is dropped half way.
    async fn part(&mut self, session: &mut Session) -> Result<()> {
        let Some(sender) = &self.sender else {
            return session.read_body_or_idle(true).await.map(drop).map_err(Error::into_down);
        };
        let Ok(room) = sender.reserve().await else {
            // The service has enough and may still answer.
            self.sender = None;
            return Ok(());
        };
        // Where the body is done already, asking for more would wait for the client to go away.
        let part = if session.is_body_done() { None } else { session.read_body_or_idle(false).await.map_err(Error::into_down)? };
        match part {
            Some(part) => {
                self.size = self.size.saturating_add(part.len() as u64);
                if self.size > self.max {
                    return Err(Error::explain(ErrorType::HTTPStatus(413), "the body is over the limit").into_down());
                }
                room.send(Part::Data(part));
            }
            None => {
                room.send(Part::End);
                self.sender = None;
            }
        }
        Ok(())
    }

    /// There is no body.
    fn end(&mut self) {
        if let Some(sender) = self.sender.take() {
            // There is room: nothing was sent before.
            let _ = sender.try_send(Part::End);
        }
    }
}

/// Passes an answer back while the rest of the request is sent.
async fn relay(proxy: &Proxy, session: &mut Session, ctx: &Context, answer: http::Response<Incoming>, mut upload: Upload) -> Result<()> {
    let (head, mut body) = answer.into_parts();
    let head = to_client(proxy, session, ctx, &head)?;
    let silent = session.req_header().method == Method::HEAD || matches!(head.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
    if body.is_end_stream() && ends_with_head(session, &head)? {
        return Ok(());
    }
    session.write_response_header(Box::new(head), silent).await?;
    loop {
        let frame = tokio::select! {
            frame = timeout(SILENCE, body.frame()) => frame.or_err(ErrorType::ReadTimedout, UP).map_err(up)?,
            went_on = upload.part(session) => { went_on?; continue }
        };
        match frame.transpose().or_err(ErrorType::ReadError, UP).map_err(up)?.map(Frame::into_data) {
            Some(Ok(part)) => session.write_response_body(Some(part), false).await?,
            Some(Err(frame)) => {
                if let Ok(trailers) = frame.into_trailers() {
                    return end_with(session, trailers).await;
                }
            }
            None => break,
        }
    }
    if silent { Ok(()) } else { session.write_response_body(None, true).await }
}

/// Ends an answer of HTTP/2 with its head, where that is all of it: a call of gRPC that failed at once looks like this, and
/// clients hold an empty body against it. Says whether it did.
fn ends_with_head(session: &mut Session, head: &ResponseHeader) -> Result<bool> {
    match &mut *session.downstream_session {
        ServerSession::H2(two) => two.write_response_header_ref(head, true).map(|()| true),
        _ => Ok(false),
    }
}

/// Ends an answer with what the service says last. HTTP/1 clients do not get to know it, which the standard allows.
async fn end_with(session: &mut Session, mut trailers: HeaderMap) -> Result<()> {
    if session.is_http2() {
        headers::clean_trailers(&mut trailers);
        return session.downstream_session.write_response_trailers(trailers).await;
    }
    session.write_response_body(None, true).await
}

/// The head of an answer as the client gets it.
fn to_client(proxy: &Proxy, session: &mut Session, ctx: &Context, from: &http::response::Parts) -> Result<ResponseHeader> {
    let mut head = ResponseHeader::build(from.status, Some(from.headers.len() + 2))?;
    for (name, value) in &from.headers {
        head.append_header(name.clone(), value.clone())?;
    }
    if from.status != StatusCode::SWITCHING_PROTOCOLS {
        headers::clean_answer(&mut head);
        head.remove_header(&header::TRANSFER_ENCODING);
        let bare = session.req_header().method == Method::HEAD || matches!(from.status.as_u16(), 204 | 304);
        match session.req_header().version {
            Version::HTTP_11 if !bare && !head.headers.contains_key(header::CONTENT_LENGTH) => {
                head.insert_header(header::TRANSFER_ENCODING, "chunked")?;
            }
            Version::HTTP_10 => session.set_keepalive(None),
            _ => {}
        }
    }
    proxy.note(&mut head, ctx)?;
    Ok(head)
}

/// Hands the connection over to whatever both sides speak now, until one of them has enough.
async fn tunnel(proxy: &Proxy, session: &mut Session, ctx: &Context, mut answer: http::Response<Incoming>) -> Result<()> {
    let service = timeout(STALL, hyper::upgrade::on(&mut answer)).await.or_err(ErrorType::ReadTimedout, UP).map_err(up)?;
    let service = service.or_err(ErrorType::InvalidHTTPHeader, UP).map_err(up)?;
    let (head, _) = answer.into_parts();
    let head = to_client(proxy, session, ctx, &head)?;
    session.write_response_header(Box::new(head), false).await?;
    session.set_read_timeout(Some(SILENCE));
    let (mut from_service, to_service) = tokio::io::split(TokioIo::new(service));
    let (sender, parts) = mpsc::channel(PARTS);
    let mut upload = Upload { sender: Some(sender), size: 0, max: u64::MAX };
    let mut writing = std::pin::pin!(write(to_service, parts));
    let mut written = false;
    let mut part = BytesMut::new();
    loop {
        tokio::select! {
            read = timeout(SILENCE, from_service.read_buf(&mut part)) => {
                // However the service ends it, it is over.
                if !matches!(read, Ok(Ok(some)) if some > 0) {
                    return session.write_response_body(None, true).await;
                }
                session.write_response_body(Some(part.split().freeze()), false).await?;
            }
            went_on = upload.part(session) => {
                if went_on.is_err() || upload.sender.is_none() {
                    // The client is gone: what it sent last still reaches the service.
                    upload.sender = None;
                    if !written {
                        let _ = timeout(LAST, writing).await;
                    }
                    return Ok(());
                }
            }
            () = &mut writing, if !written => written = true,
        }
    }
}

/// How long the last bytes of a client may take to reach the service.
const LAST: Duration = Duration::from_secs(5);

/// Writes what the client sends. A service that takes no more may still talk, so an error only ends this.
async fn write(mut to: impl tokio::io::AsyncWrite + Unpin, mut parts: mpsc::Receiver<Part>) {
    while let Some(Part::Data(part)) = parts.recv().await {
        if to.write_all(&part).await.is_err() || to.flush().await.is_err() {
            // Whatever still comes is dropped, so that nobody waits for room.
            while parts.recv().await.is_some() {}
            return;
        }
    }
    let _ = to.shutdown().await;
}
