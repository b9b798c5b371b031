//! Requests that two servers could read differently are refused: the edge and the service must see the same requests.
//!
//! The proxy library is lenient where the standards let it choose; these rules are applied to the head as it came over the
//! wire (HTTP/1) before anything is routed.

use std::borrow::Cow;

use pingora_http::RequestHeader;

use super::{headers, pages::Page, table::normal_host};

/// Longest head of a request, in bytes.
pub(super) const HEAD_MAX: usize = 64 * 1024;

/// Most fields of a head.
const FIELDS_MAX: usize = 128;

/// Longest target of a request line, in bytes.
const TARGET_MAX: usize = 16 * 1024;

type Checked<T = ()> = Result<T, Page>;

const fn bad(why: &'static str) -> Page {
    Page::BadRequest(why)
}

/// Checks the head of an HTTP/1 request as it came over the wire.
pub(super) fn check_wire(raw: &[u8]) -> Checked {
    if raw.len() > HEAD_MAX {
        return Err(Page::HeadTooLarge);
    }
    // One empty line before the request is left over from the last one, with some old clients.
    let mut lines = Lines(raw.strip_prefix(b"\r\n").unwrap_or(raw));
    let request_line = lines.next().ok_or(bad("the request is empty"))??;
    let old = check_request_line(request_line)?;
    let (mut fields, mut hosts, mut lengths, mut encodings) = (0, 0, 0, 0);
    for line in lines {
        let line = line?;
        if line.is_empty() {
            break;
        }
        fields += 1;
        let (name, value) = split_field(line)?;
        if name.contains(&b'_') && frames(name) {
            return Err(bad("a field about its length or host is spelled with `_`"));
        }
        if name.eq_ignore_ascii_case(b"host") {
            hosts += 1;
        } else if name.eq_ignore_ascii_case(b"content-length") {
            lengths += 1;
            check_length(value)?;
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            encodings += 1;
            if !value.eq_ignore_ascii_case(b"chunked") {
                return Err(bad("`Transfer-Encoding` can only be `chunked`"));
            }
        }
    }
    if fields > FIELDS_MAX {
        return Err(Page::HeadTooLarge);
    }
    match (hosts, lengths, encodings) {
        (1, 0 | 1, 0) | (1, 0, 1) if !(old && encodings > 0) => Ok(()),
        (0, ..) => Err(bad("the `Host` field is missing")),
        (2.., ..) => Err(bad("there is more than one `Host` field")),
        (_, 1.., 1..) => Err(bad("`Content-Length` and `Transfer-Encoding` exclude each other")),
        (_, 2.., _) => Err(bad("there is more than one `Content-Length` field")),
        (_, _, 2..) => Err(bad("there is more than one `Transfer-Encoding` field")),
        _ => Err(bad("`Transfer-Encoding` needs HTTP/1.1")),
    }
}

/// Lines that end with CR LF and have neither elsewhere.
struct Lines<'a>(&'a [u8]);

impl<'a> Iterator for Lines<'a> {
    type Item = Checked<&'a [u8]>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let end = self.0.iter().position(|byte| *byte == b'\n').unwrap_or(self.0.len() - 1);
        let (line, rest) = self.0.split_at(end + 1);
        self.0 = rest;
        Some(match line.strip_suffix(b"\r\n") {
            Some(line) if !line.iter().any(|byte| matches!(byte, b'\r' | 0)) => Ok(line),
            _ => Err(bad("a line of the head does not end with CR LF, or has a control character")),
        })
    }
}

/// Checks the request line and says whether it is of HTTP/1.0.
fn check_request_line(line: &[u8]) -> Checked<bool> {
    let mut parts = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) = (parts.next(), parts.next(), parts.next(), parts.next()) else {
        return Err(bad("the request line is not `METHOD TARGET VERSION` with single spaces"));
    };
    if method.is_empty() || !method.iter().all(|byte| is_token(*byte)) {
        return Err(bad("the method has an odd character"));
    }
    if target.len() > TARGET_MAX {
        return Err(Page::TargetTooLong);
    }
    if target.contains(&b'#') {
        return Err(bad("the target has a fragment, which is never sent"));
    }
    let form = target.starts_with(b"/") || (target == b"*" && method == b"OPTIONS") || target.to_ascii_lowercase().starts_with(b"http://");
    // An authority is the target of CONNECT alone, which is refused by itself.
    if !form && method != b"CONNECT" {
        return Err(bad("the target starts neither with `/` nor with `http://`"));
    }
    match version {
        b"HTTP/1.1" => Ok(false),
        b"HTTP/1.0" => Ok(true),
        _ => Err(bad("the version is neither HTTP/1.1 nor HTTP/1.0")),
    }
}

fn split_field(line: &[u8]) -> Checked<(&[u8], &[u8])> {
    if line.starts_with(b" ") || line.starts_with(b"\t") {
        return Err(bad("a field goes over several lines"));
    }
    let colon = line.iter().position(|byte| *byte == b':').ok_or(bad("a field has no colon"))?;
    let (name, value) = (&line[..colon], line[colon + 1..].trim_ascii());
    if name.is_empty() || !name.iter().all(|byte| is_token(*byte)) {
        return Err(bad("the name of a field has an odd character, or space before its colon"));
    }
    Ok((name, value))
}

/// Whether a service that reads `_` as `-` would take this for a field that says where the request ends or whom it is for.
fn frames(name: &[u8]) -> bool {
    let name: Vec<u8> = name.iter().map(|byte| if *byte == b'_' { b'-' } else { byte.to_ascii_lowercase() }).collect();
    matches!(name.as_slice(), b"content-length" | b"transfer-encoding" | b"host")
}

fn check_length(value: &[u8]) -> Checked {
    let good = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    if good { Ok(()) } else { Err(bad("`Content-Length` is no plain number")) }
}

const fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`' | b'|' | b'~')
}

/// Whether a request asks for a WebSocket, the one protocol a connection is handed over to.
pub(super) fn wants_socket(request: &RequestHeader) -> bool {
    let may = request.version == http::Version::HTTP_11 && request.method == http::Method::GET;
    may && has(request, &http::header::UPGRADE, "websocket") && has(request, &http::header::CONNECTION, "upgrade")
}

/// Whether a field that is a list has this in it.
fn has(request: &RequestHeader, name: &http::HeaderName, wanted: &str) -> bool {
    let lists = request.headers.get_all(name).into_iter().filter_map(|value| value.to_str().ok());
    lists.flat_map(|list| list.split(',')).any(|one| one.trim().eq_ignore_ascii_case(wanted))
}

/// Checks what is the same for both versions, and says for which host, in its normal form, the request is.
pub(super) fn check_request(request: &RequestHeader, body: bool, body_max: u64) -> Checked<Cow<'_, str>> {
    if request.method == http::Method::TRACE {
        return Err(Page::MethodRefused);
    }
    // A handshake with a body is read as two requests by some services.
    if body && has(request, &http::header::UPGRADE, "websocket") {
        return Err(bad("a request that asks for a tunnel has a body"));
    }
    let length = request.headers.get(http::header::CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
    if length.is_some_and(|length| length > body_max) {
        return Err(Page::TooLarge);
    }
    if headers::takes_away(request) {
        return Err(bad("its `Connection` names a field that is not the connection's"));
    }
    // Where the target names a host, the library has seen to it that the field names the same.
    let host = match request.uri.authority() {
        Some(authority) => authority.as_str(),
        None => request.headers.get(http::header::HOST).and_then(|host| host.to_str().ok()).unwrap_or_default(),
    };
    normal_host(host).ok_or(bad("the `Host` field is no host name"))
}

/// Checks the names of the fields of an HTTP/2 request, as [`check_wire`] does for HTTP/1.
pub(super) fn check_names(request: &RequestHeader) -> Checked {
    let odd = request.headers.keys().any(|name| name.as_str().contains('_') && frames(name.as_str().as_bytes()));
    if odd { Err(bad("a field about its length or host is spelled with `_`")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn verdict(raw: &str) -> Checked {
        check_wire(raw.as_bytes())
    }

    #[test]
    fn plain_requests_pass() {
        for raw in [
            "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.0\r\nHost: a\r\n\r\n",
            "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET http://a/x HTTP/1.1\r\nHost: a\r\n\r\n",
            "POST /x?y=%20 HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n",
            "POST / HTTP/1.1\r\nhost:a\r\nTRANSFER-ENCODING:\tChunked \r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX-Empty:\r\nX_Odd!#$%&'*+.^`|~: \u{fc}\r\n\r\n",
        ] {
            assert_eq!(verdict(raw), Ok(()), "{raw:?}");
        }
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_refused() {
        let head = "Host: a\r\n";
        for raw in [
            "",
            "GET / HTTP/1.1\nHost: a\n\n",
            "GET  / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET /\r\nHost: a\r\n\r\n",
            "GET / HTTP/2.0\r\nHost: a\r\n\r\n",
            "GET / http/1.1\r\nHost: a\r\n\r\n",
            "GET x HTTP/1.1\r\nHost: a\r\n\r\n",
            "GE(T / HTTP/1.1\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n folded\r\n\r\n",
            "GET / HTTP/1.1\r\nHost : a\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nno colon\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\n: empty\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\rb\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\0b\r\n\r\n",
            "GET / HTTP/1.1\r\nHost: a\r\nX: a\n\r\n",
        ] {
            assert!(matches!(verdict(raw), Err(Page::BadRequest(_))), "{raw:?}");
        }
        for fields in [
            "Content-Length: 1\r\nContent-Length: 1\r\n",
            "Content-Length: 1, 1\r\n",
            "Content-Length: +1\r\n",
            "Content-Length: 0x1\r\n",
            "Content-Length:\r\n",
            "Content-Length: 99999999999999999999\r\n",
            "Content-Length: 1\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n",
            "Transfer-Encoding: gzip, chunked\r\n",
            "Transfer-Encoding: chunked, identity\r\n",
            "Transfer-Encoding: xchunked\r\n",
            "Transfer-Encoding:\r\n",
            "Transfer-Encoding : chunked\r\n",
            "Transfer-Encoding: \u{b}chunked\r\n",
        ] {
            let raw = format!("POST / HTTP/1.1\r\n{head}{fields}\r\n");
            assert!(matches!(verdict(&raw), Err(Page::BadRequest(_))), "{raw:?}");
        }
        assert!(verdict("POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n").is_err());
    }

    #[test]
    fn heads_have_limits() {
        assert_eq!(verdict(&format!("GET / HTTP/1.1\r\nHost: a\r\nX: {}\r\n\r\n", "x".repeat(HEAD_MAX))), Err(Page::HeadTooLarge));
        assert_eq!(verdict(&format!("GET / HTTP/1.1\r\nHost: a\r\n{}\r\n", "X: x\r\n".repeat(FIELDS_MAX))), Err(Page::HeadTooLarge));
        assert_eq!(verdict(&format!("GET /{} HTTP/1.1\r\nHost: a\r\n\r\n", "x".repeat(TARGET_MAX))), Err(Page::TargetTooLong));
    }
}
