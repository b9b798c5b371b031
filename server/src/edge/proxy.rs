//! A request on its way: checked, led to an instance, its fields set, its answer noted and passed on as it comes.

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use async_trait::async_trait;
use bytes::Bytes;
use http::{HeaderValue, StatusCode, header};
use pingora_core::{
    Error, ErrorSource, ErrorType, Result,
    modules::http::HttpModules,
    upstreams::peer::{HttpPeer, HttpUpstreamRequestPolicy},
};
use pingora_http::{RequestHeader, ResponseHeader};
use pingora_proxy::{FailToProxy, ProxyHttp, ProxyWarnLogContext, Session};

use super::{
    Shared, duplex, headers, listen,
    pages::{self, Page},
    probe,
    serving::{By, Instance, Lasting, Open, Way},
    strict,
};
use crate::{
    clock,
    telemetry::metrics::{self, AtEdge, Service},
};

/// How long an instance may take to accept a connection.
pub(super) const CONNECT: Duration = Duration::from_secs(3);
/// How long a connection to an instance is kept for the next request. Shorter than common servers keep theirs, so that none is
/// used in the moment the service closes it.
const KEEP: Duration = Duration::from_secs(4);
/// How long a service may take to read on, or to begin a tunnel.
pub(super) const STALL: Duration = Duration::from_secs(60);
/// How long a service may be silent before, in or after the head of its answer: event streams and sockets may be quiet for long.
pub(super) const SILENCE: Duration = Duration::from_secs(3_600);
/// How many instances are tried before the answer is that none takes a connection.
const TRIES: usize = 3;

/// The proxy library's view of the edge.
pub(super) struct Proxy {
    shared: Arc<Shared>,
}

/// What is known of a request under way.
pub(super) struct Context {
    id: HeaderValue,
    by: By,
    /// The one instance Berth's own first request is for.
    pinned: Option<u64>,
    tried: Vec<u64>,
    open: Option<Open>,
    body: u64,
    /// For the figures: which service it is for, and since when it is under way.
    service: Option<Arc<Service>>,
    begun: Option<(Instant, AtEdge)>,
}

impl Proxy {
    pub(super) fn new(shared: &Arc<Shared>) -> Self {
        Self { shared: Arc::clone(shared) }
    }

    /// Checks a request and finds its instance.
    fn admit(&self, session: &mut Session, ctx: &mut Context) -> Result<(), Page> {
        match session.as_http1() {
            Some(old) => strict::check_wire(&old.get_headers_raw_bytes())?,
            None => strict::check_names(session.req_header())?,
        }
        let body = !session.is_body_empty();
        let request = session.req_header();
        if self.trusts(session) {
            ctx.id = headers::given_id(request).unwrap_or_else(|| ctx.id.clone());
        }
        if probe::is_ours(request) {
            ctx.by = By::Berth;
            ctx.pinned = self.shared.pin.read(request);
        }
        let host = strict::check_request(request, body, self.shared.body_max)?;
        ctx.open = Some(self.choose(&host, request.uri.path(), ctx)?);
        Ok(())
    }

    /// An instance for the host and the path, by the newest table.
    fn choose(&self, host: &str, path: &str, ctx: &mut Context) -> Result<Open, Page> {
        // More than once only where the instance began to drain between the look at the table and the choice.
        for _ in 0..4 {
            let serving = self.shared.serving.load();
            let pool = match serving.way(host, path) {
                Way::To(place) => serving.pool(place).ok_or(Page::NothingServes)?,
                Way::Unknown => return Err(Page::Unknown),
                Way::TwoMeanings => return Err(Page::BadRequest("its path can be read in two ways that lead to different services")),
            };
            if ctx.service.is_none() {
                ctx.service = Some(Arc::clone(&pool.service));
            }
            if pool.instances.is_empty() {
                return Err(if ctx.tried.is_empty() { Page::NothingServes } else { Page::NoAnswer });
            }
            if let Some(open) = pool.pick(ctx.pinned, &ctx.tried, clock::now) {
                return Ok(open);
            }
            if !ctx.tried.is_empty() {
                return Err(Page::NoAnswer);
            }
        }
        Err(Page::NothingServes)
    }

    /// The instance of a request: the one it has, or another where that takes no connection.
    pub(super) fn instance<'c>(&self, session: &Session, ctx: &'c mut Context) -> Result<&'c Arc<Instance>> {
        if ctx.open.is_none() {
            let request = session.req_header();
            let host = strict::check_request(request, false, u64::MAX).map_err(error_of)?;
            ctx.open = Some(self.choose(&host, request.uri.path(), ctx).map_err(error_of)?);
        }
        ctx.open.as_ref().map(Open::instance).ok_or_else(|| error_of(Page::NothingServes))
    }

    /// Notes that an instance took no connection, and says whether another one may be asked. Nothing was sent yet, so that any
    /// request may go elsewhere.
    pub(super) fn again(&self, ctx: &mut Context, error: &Error) -> bool {
        if let Some(open) = ctx.open.take() {
            open.instance().refused(clock::now());
            ctx.tried.push(open.instance().key);
            tracing::debug!(address = %open.instance().backend.address, %error, "an instance takes no connection");
        }
        ctx.tried.len() < TRIES
    }

    /// Sets the fields that a service can trust.
    pub(super) fn set_fields(&self, session: &Session, request: &mut RequestHeader, ctx: &Context) -> Result<()> {
        let Some(peer) = peer_of(session) else { return Err(error_of(Page::NoAnswer)) };
        headers::set(request, headers::Origin { peer, trusted: self.trusts(session), id: &ctx.id })
    }

    /// Notes that an instance has answered, and names the request in the answer.
    pub(super) fn note(&self, answer: &mut ResponseHeader, ctx: &Context) -> Result<()> {
        if let Some(open) = &ctx.open {
            open.instance().answered(answer.status.as_u16(), ctx.by, clock::now);
            if answer.status == StatusCode::SWITCHING_PROTOCOLS {
                open.lasts(Lasting::Socket);
            } else if answer.headers.get(header::CONTENT_TYPE).is_some_and(|kind| kind.as_bytes().starts_with(b"text/event-stream")) {
                open.lasts(Lasting::Events);
            }
        }
        answer.insert_header(headers::REQUEST_ID, ctx.id.clone())
    }

    pub(super) fn body_max(&self) -> u64 {
        self.shared.body_max
    }

    fn trusts(&self, session: &Session) -> bool {
        !self.shared.trusted.is_empty() && peer_of(session).is_some_and(|peer| self.shared.trusted.contains(&peer))
    }

    /// Answers with a page of the edge's own.
    async fn answer(&self, session: &mut Session, ctx: &Context, page: Page) -> Result<()> {
        metrics::edge_page(page.name());
        let html = pages::wants_html(session.get_header(header::ACCEPT).and_then(|accept| accept.to_str().ok()));
        let (body, mime) = page.render(ctx.id.to_str().unwrap_or_default(), html);
        let mut head = ResponseHeader::build(page.status(), Some(8))?;
        head.insert_header(header::CONTENT_TYPE, mime)?;
        head.insert_header(header::CONTENT_LENGTH, body.len())?;
        head.insert_header(headers::REQUEST_ID, ctx.id.clone())?;
        for (name, value) in pages::FIELDS {
            head.insert_header(name, value)?;
        }
        if let Some(seconds) = page.retry_after() {
            head.insert_header(header::RETRY_AFTER, u32::from(seconds))?;
        }
        if page.closes() {
            session.set_keepalive(None);
        }
        let silent = session.req_header().method == http::Method::HEAD;
        session.write_response_header(Box::new(head), silent).await?;
        if !silent {
            session.write_response_body(Some(Bytes::from(body)), true).await?;
        }
        if !matches!(page, Page::BadRequest(_)) {
            linger(session).await;
        }
        Ok(())
    }
}

/// How long and how much a client may go on sending a body that nobody wants, until it has read why.
const LINGER: (Duration, usize) = (Duration::from_secs(2), 16 << 20);

/// Reads what a client still sends. A connection that is closed with bytes unread is reset, and the page is lost with it.
async fn linger(session: &mut Session) {
    if session.is_http2() || session.req_header().headers.contains_key(header::EXPECT) {
        return;
    }
    let rest = async {
        let mut size = 0;
        while size < LINGER.1
            && !session.is_body_done()
            && let Ok(Some(part)) = session.read_request_body().await
        {
            size += part.len();
        }
    };
    let _ = tokio::time::timeout(LINGER.0, rest).await;
}

fn peer_of(session: &Session) -> Option<std::net::IpAddr> {
    session.client_addr().and_then(|address| address.as_inet()).map(|address| address.ip())
}

fn error_of(page: Page) -> Box<Error> {
    Error::explain(ErrorType::HTTPStatus(page.status()), "answered by the edge").into_in()
}

/// The page for an error of the library; none where nobody is left to read it.
fn page_of(error: &Error) -> Option<Page> {
    use ErrorType::{ConnectionClosed, HTTPStatus, ReadError, ReadTimedout, WriteError, WriteTimedout};
    Some(match (error.etype(), error.esource()) {
        (HTTPStatus(404), _) => Page::Unknown,
        (HTTPStatus(413), _) => Page::TooLarge,
        (HTTPStatus(503), _) => Page::NothingServes,
        (HTTPStatus(_), _) => Page::NoAnswer,
        (ReadTimedout | WriteTimedout, ErrorSource::Upstream) => Page::TooSlow,
        (_, ErrorSource::Upstream) => Page::NoAnswer,
        (ReadTimedout, ErrorSource::Downstream) => Page::ClientTooSlow,
        (ReadError | WriteError | WriteTimedout | ConnectionClosed, ErrorSource::Downstream) => return None,
        (_, ErrorSource::Downstream) => Page::BadRequest("its body or a field that belongs to the connection is malformed"),
        _ => Page::NoAnswer,
    })
}

#[async_trait]
impl ProxyHttp for Proxy {
    type CTX = Context;

    fn new_ctx(&self) -> Context {
        let id = HeaderValue::try_from(clock::new_request_id()).unwrap_or_else(|_| HeaderValue::from_static("-"));
        Context { id, by: By::Client, pinned: None, tried: Vec::new(), open: None, body: 0, service: None, begun: None }
    }

    // No modules: no compression, nothing to run per request.
    fn init_downstream_modules(&self, _modules: &mut HttpModules) {}

    async fn early_request_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<()> {
        listen::request_begins();
        ctx.begun = Some((Instant::now(), AtEdge::begin()));
        session.set_pipelining_enabled(true);
        session.set_read_timeout(Some(self.shared.stall));
        session.set_write_timeout(Some(self.shared.stall));
        session.set_total_drain_timeout(Some(self.shared.stall));
        Ok(())
    }

    async fn request_filter(&self, session: &mut Session, ctx: &mut Context) -> Result<bool> {
        if let Err(page) = self.admit(session, ctx) {
            self.answer(session, ctx, page).await?;
            return Ok(true);
        }
        if !duplex::applies(session) {
            return Ok(false);
        }
        duplex::carry(self, session, ctx).await?;
        Ok(true)
    }

    async fn upstream_peer(&self, session: &mut Session, ctx: &mut Context) -> Result<Box<HttpPeer>> {
        let instance = self.instance(session, ctx)?;
        let mut peer = HttpPeer::new(instance.backend.address, false, String::new());
        peer.options.http_upstream_request_policy = HttpUpstreamRequestPolicy::deny_upgrades();
        // An address may be given out again. A kept connection is only used for the instance it was made for.
        peer.group_key = instance.key;
        peer.options.connection_timeout = Some(CONNECT);
        peer.options.total_connection_timeout = Some(CONNECT);
        peer.options.read_timeout = Some(SILENCE);
        peer.options.write_timeout = Some(STALL);
        peer.options.idle_timeout = Some(KEEP);
        Ok(Box::new(peer))
    }

    async fn request_body_filter(&self, _: &mut Session, body: &mut Option<Bytes>, _end: bool, ctx: &mut Context) -> Result<()> {
        ctx.body = ctx.body.saturating_add(body.as_ref().map_or(0, |part| part.len() as u64));
        if ctx.body > self.shared.body_max { Err(error_of(Page::TooLarge)) } else { Ok(()) }
    }

    async fn upstream_request_filter(&self, session: &mut Session, request: &mut RequestHeader, ctx: &mut Context) -> Result<()> {
        // The target as a service expects it: without the host, which is in its field.
        if request.raw_path().first().is_some_and(|first| !matches!(first, b'/' | b'*')) {
            request.set_uri(request.uri.clone());
        }
        self.set_fields(session, request, ctx)
    }

    async fn upstream_response_filter(&self, _session: &mut Session, answer: &mut ResponseHeader, ctx: &mut Context) -> Result<()> {
        if answer.status == StatusCode::SWITCHING_PROTOCOLS {
            return Err(Error::explain(ErrorType::InvalidHTTPHeader, "a tunnel that nobody asked for").into_up());
        }
        if answer.status.is_informational() {
            return Ok(());
        }
        headers::clean_answer(answer);
        self.note(answer, ctx)
    }

    async fn response_filter(&self, session: &mut Session, answer: &mut ResponseHeader, _ctx: &mut Context) -> Result<()> {
        // The library would send chunks to a client that does not know them.
        if session.req_header().version == http::Version::HTTP_10 && answer.headers.contains_key(header::TRANSFER_ENCODING) {
            answer.remove_header(&header::TRANSFER_ENCODING);
            session.set_keepalive(None);
        }
        Ok(())
    }

    fn fail_to_connect(&self, _session: &mut Session, _peer: &HttpPeer, ctx: &mut Context, mut error: Box<Error>) -> Box<Error> {
        let again = self.again(ctx, &error);
        error.set_retry(again);
        error
    }

    async fn fail_to_proxy(&self, session: &mut Session, error: &Error, ctx: &mut Context) -> FailToProxy {
        let written = session.response_written().is_some_and(|head| !head.status.is_informational());
        let page = page_of(error).filter(|_| !written);
        tracing::debug!(request = ctx.id.to_str().unwrap_or_default(), %error, "a request came to no good end");
        if let Some(page) = page {
            let _ = self.answer(session, ctx, page).await;
        }
        FailToProxy { error_code: page.map_or(0, Page::status), can_reuse_downstream: false }
    }

    async fn logging(&self, session: &mut Session, _error: Option<&Error>, ctx: &mut Context) {
        ctx.open = None;
        listen::request_ends();
        if let Some((begun, _under_way)) = ctx.begun.take() {
            let status = session.response_written().map_or(0, |head| head.status.as_u16());
            metrics::edge_answered(ctx.service.as_deref(), status, begun.elapsed());
        }
    }

    fn suppress_error_log(&self, _session: &Session, _ctx: &Context, _error: &Error) -> bool {
        true
    }

    fn suppress_proxy_warn_log(&self, _session: &Session, _ctx: &Context, _error: &Error, _why: ProxyWarnLogContext) -> bool {
        true
    }
}
