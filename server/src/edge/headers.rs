//! The fields that a service can trust, because the edge sets them: who asked, for which host, under which request id.
//!
//! What a client sends under these names is dropped, unless it is one of the trusted proxies. Fields that belong to one
//! connection (`Connection` and what it names, `Keep-Alive`, `TE`, `Upgrade` …) never reach the service; the proxy library
//! drops them before these are set. There is no `Via`: services turn compression off when they see it.

use std::{fmt::Write as _, net::IpAddr};

use bytes::Bytes;
use http::{HeaderName, HeaderValue, header};
use pingora_core::{Error, ErrorType, Result};
use pingora_http::{RequestHeader, ResponseHeader};

/// The request id, to the service and back to the client.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
/// Names the one instance a request of Berth's own is for.
pub(super) const INSTANCE: HeaderName = HeaderName::from_static("x-berth-instance");

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const REAL_IP: HeaderName = HeaderName::from_static("x-real-ip");

/// Where a request came from.
#[derive(Clone, Copy, Debug)]
pub(super) struct Origin<'a> {
    /// The address of the other end of the connection.
    pub(super) peer: IpAddr,
    /// Whether that is a proxy whose word is taken.
    pub(super) trusted: bool,
    /// The request's id.
    pub(super) id: &'a HeaderValue,
}

/// Sets the fields of a request to a service.
pub(super) fn set(request: &mut RequestHeader, origin: Origin<'_>) -> Result<()> {
    let said = if origin.trusted { Said::of(request) } else { Said::default() };
    for name in untrusted(request) {
        request.remove_header(&name);
    }
    let host = said.host.or_else(|| request.headers.get(header::HOST).cloned()).unwrap_or_else(|| HeaderValue::from_static(""));
    let peer = origin.peer.to_canonical();
    let address = peer.to_string();
    let proto = said.proto.unwrap_or("http");
    let (open, close) = if peer.is_ipv6() { ("\"[", "]\"") } else { ("", "") };
    let mut forwarded = said.forwarded.map(|before| before + ", ").unwrap_or_default();
    let _ = write!(forwarded, "for={open}{address}{close};host=\"{}\";proto={proto}", host.to_str().unwrap_or_default());
    // The first of the chain is the client.
    let (chain, first) = match said.chain {
        None => {
            let address = value(address)?;
            (address.clone(), address)
        }
        Some(chain) => {
            let first = value(chain.split(',').next().unwrap_or_default().to_owned())?;
            (value(format!("{chain}, {address}"))?, first)
        }
    };
    request.insert_header(FORWARDED_FOR, chain)?;
    request.insert_header(FORWARDED_PROTO, HeaderValue::from_static(proto))?;
    request.insert_header(FORWARDED_HOST, host)?;
    request.insert_header(REAL_IP, first)?;
    request.insert_header(header::FORWARDED, value(forwarded)?)?;
    request.insert_header(REQUEST_ID, origin.id.clone())?;
    Ok(())
}

/// A field's value, without copying the text.
fn value(text: String) -> Result<HeaderValue> {
    HeaderValue::from_maybe_shared(Bytes::from(text))
        .map_err(|error| Error::because(ErrorType::InvalidHTTPHeader, "a field for the service", error))
}

/// What a trusted proxy says.
#[derive(Default)]
struct Said {
    chain: Option<String>,
    proto: Option<&'static str>,
    host: Option<HeaderValue>,
    forwarded: Option<String>,
}

impl Said {
    fn of(request: &RequestHeader) -> Self {
        let own = |name: &HeaderName| text(request, name).map(ToOwned::to_owned);
        let proto = match text(request, &FORWARDED_PROTO) {
            Some("https") => Some("https"),
            _ => None,
        };
        let good = |host: &&HeaderValue| host.to_str().is_ok_and(|host| super::table::normal_host(host).is_some());
        let host = request.headers.get(FORWARDED_HOST).filter(good).cloned();
        Self { chain: own(&FORWARDED_FOR), proto, host, forwarded: own(&header::FORWARDED) }
    }
}

fn text<'a>(request: &'a RequestHeader, name: &HeaderName) -> Option<&'a str> {
    request.headers.get(name).and_then(|value| value.to_str().ok())
}

/// The names in a request that a service would take the edge's word for. A service that turns `-` into `_` (as CGI does) reads
/// both spellings as one field, so both count.
fn untrusted(request: &RequestHeader) -> Vec<HeaderName> {
    request.headers.keys().filter(|name| is_ours(name.as_str())).cloned().collect()
}

fn is_ours(name: &str) -> bool {
    const NAMES: [&str; 8] =
        ["forwarded", "x-real-ip", "x-request-id", "x-berth-instance", "x-client-ip", "true-client-ip", "x-original-host", "proxy"];
    let first = name.as_bytes().first();
    // Nearly every field ends here.
    if !matches!(first, Some(b'f' | b'x' | b't' | b'p')) {
        return false;
    }
    let name = name.replace('_', "-");
    name.starts_with("x-forwarded-") || NAMES.contains(&name.as_str())
}

/// A request id that a trusted proxy gave: kept if it is short and plain.
pub(super) fn given_id(request: &RequestHeader) -> Option<HeaderValue> {
    let id = request.headers.get(REQUEST_ID)?;
    let plain = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.');
    (!id.is_empty() && id.len() <= 64 && id.as_bytes().iter().all(plain)).then(|| id.clone())
}

/// Whether a request's `Connection` names a field that is not its to take away, as `Host`.
pub(super) fn takes_away(request: &RequestHeader) -> bool {
    let named = request.headers.get_all(header::CONNECTION).iter().flat_map(|value| names(value.to_str().ok()));
    named.into_iter().any(|name| GUARDED.contains(&name.as_str()) || is_ours(&name))
}

/// Takes the fields that belong to the client's connection out of a request: `Connection`, what it names, and the usual ones.
pub(super) fn clean_request(request: &mut RequestHeader) {
    let named: Vec<String> = request.headers.get_all(header::CONNECTION).iter().flat_map(|value| names(value.to_str().ok())).collect();
    for name in named {
        request.remove_header(name.as_str());
    }
    for name in HOPS {
        request.remove_header(name);
    }
}

fn names(value: Option<&str>) -> Vec<String> {
    value.unwrap_or_default().split(',').map(|name| name.trim().to_ascii_lowercase()).filter(|name| !name.is_empty()).collect()
}

/// Fields that `Connection` of a request cannot take away.
const GUARDED: [&str; 4] = ["host", "content-length", "content-type", "authorization"];

/// Fields of one connection.
const HOPS: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "expect",
];

/// Takes the fields that belong to the connection to the service out of its answer. The library sets its own for the client.
pub(super) fn clean_answer(answer: &mut ResponseHeader) {
    if let Some(named) = answer.headers.get(header::CONNECTION).and_then(|value| value.to_str().ok()).map(ToOwned::to_owned) {
        for name in named.split(',').map(str::trim).filter(|name| !KEPT.iter().any(|kept| name.eq_ignore_ascii_case(kept))) {
            answer.remove_header(name);
        }
        answer.remove_header(&header::CONNECTION);
    }
    for name in ["keep-alive", "proxy-connection", "proxy-authenticate", "upgrade"] {
        if answer.headers.contains_key(name) {
            answer.remove_header(name);
        }
    }
}

/// Takes out of the trailers of an answer what must not come so late: the framing, and the request's id, which is the edge's.
pub(super) fn clean_trailers(trailers: &mut http::HeaderMap) {
    for name in [header::CONTENT_LENGTH, header::TRANSFER_ENCODING, header::CONNECTION, header::TRAILER, header::SET_COOKIE, REQUEST_ID] {
        trailers.remove(name);
    }
}

/// Fields that an answer's `Connection` cannot take away: its framing, and what guards it.
const KEPT: [&str; 6] = ["", "close", "content-length", "transfer-encoding", "set-cookie", "cache-control"];

#[cfg(test)]
mod tests {
    use super::*;

    fn request(fields: &[(&'static str, &'static str)]) -> RequestHeader {
        let mut request = RequestHeader::build("GET", b"/", None).unwrap();
        for (name, value) in fields {
            request.append_header(*name, *value).unwrap();
        }
        request
    }

    fn set_for(fields: &[(&'static str, &'static str)], peer: &str, trusted: bool) -> RequestHeader {
        let mut request = request(fields);
        let id = HeaderValue::from_static("id-1");
        set(&mut request, Origin { peer: peer.parse().unwrap(), trusted, id: &id }).unwrap();
        request
    }

    fn of<'a>(request: &'a RequestHeader, name: &str) -> Vec<&'a str> {
        request.headers.get_all(name).iter().map(|value| value.to_str().unwrap()).collect()
    }

    #[test]
    fn what_a_client_claims_is_replaced() {
        let request = set_for(
            &[
                ("Host", "a.localhost:8000"),
                ("X-Forwarded-For", "1.1.1.1"),
                ("x-forwarded-for", "2.2.2.2"),
                ("X_Forwarded_For", "3.3.3.3"),
                ("X-Forwarded-Proto", "https"),
                ("X-Forwarded-Host", "evil"),
                ("X-Forwarded-Prefix", "/admin"),
                ("Forwarded", "for=4.4.4.4"),
                ("X-Real-IP", "5.5.5.5"),
                ("X-Request-Id", "theirs"),
                ("Proxy", "http://evil"),
                ("Accept", "*/*"),
            ],
            "192.0.2.7",
            false,
        );
        assert_eq!(of(&request, "x-forwarded-for"), ["192.0.2.7"]);
        assert_eq!(of(&request, "x-forwarded-proto"), ["http"]);
        assert_eq!(of(&request, "x-forwarded-host"), ["a.localhost:8000"]);
        assert_eq!(of(&request, "x-real-ip"), ["192.0.2.7"]);
        assert_eq!(of(&request, "forwarded"), ["for=192.0.2.7;host=\"a.localhost:8000\";proto=http"]);
        assert_eq!(of(&request, "x-request-id"), ["id-1"]);
        assert_eq!(of(&request, "accept"), ["*/*"]);
        for gone in ["x_forwarded_for", "x-forwarded-prefix", "proxy"] {
            assert!(of(&request, gone).is_empty(), "{gone}");
        }
    }

    #[test]
    fn the_word_of_a_trusted_proxy_is_taken() {
        let fields = [("Host", "a"), ("X-Forwarded-For", "192.0.2.7"), ("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "b.test")];
        let request = set_for(&fields, "::ffff:10.0.0.1", true);
        assert_eq!(of(&request, "x-forwarded-for"), ["192.0.2.7, 10.0.0.1"]);
        assert_eq!(of(&request, "x-forwarded-proto"), ["https"]);
        assert_eq!(of(&request, "x-forwarded-host"), ["b.test"]);
        assert_eq!(of(&request, "x-real-ip"), ["192.0.2.7"]);
        assert_eq!(of(&set_for(&[("Host", "a")], "::1", false), "forwarded"), ["for=\"[::1]\";host=\"a\";proto=http"]);
    }

    #[test]
    fn a_request_loses_what_belongs_to_its_connection() {
        let fields =
            [("Host", "a"), ("Connection", "close, X-Hop"), ("X-Hop", "1"), ("TE", "trailers"), ("Expect", "100-continue"), ("A", "b")];
        let mut cleaned = request(&fields);
        clean_request(&mut cleaned);
        let mut left: Vec<_> = cleaned.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["a", "host"]);
        assert!(!takes_away(&request(&fields)));
        for guarded in ["Host", "content-length", "X-Forwarded-For", "x_forwarded_for"] {
            assert!(takes_away(&request(&[("Host", "a"), ("Connection", guarded)])), "{guarded}");
        }
    }

    #[test]
    fn only_a_plain_id_is_kept() {
        for (id, kept) in [("abc-1_2.3", true), ("", false), ("a b", false), ("a\"b", false)] {
            assert_eq!(given_id(&request(&[("X-Request-Id", id)])).is_some(), kept, "{id:?}");
        }
    }

    #[test]
    fn an_answer_loses_what_belongs_to_its_connection() {
        let mut answer = ResponseHeader::build(200, None).unwrap();
        for (name, value) in [
            ("Connection", "close, X-Hop, Content-Length, Set-Cookie"),
            ("X-Hop", "1"),
            ("Keep-Alive", "timeout=5"),
            ("Upgrade", "h2c"),
            ("Content-Length", "3"),
            ("Set-Cookie", "a=b"),
        ] {
            answer.append_header(name, value).unwrap();
        }
        clean_answer(&mut answer);
        let mut left: Vec<_> = answer.headers.keys().map(HeaderName::as_str).collect();
        left.sort_unstable();
        assert_eq!(left, ["content-length", "set-cookie"]);
    }
}
