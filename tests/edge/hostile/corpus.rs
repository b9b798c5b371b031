//! Requests over HTTP/1 that two servers could read differently, or that mean no good, and good ones that look like them.

/// How many requests of a case may reach the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Through {
    /// None: the edge answers itself, before the service hears of it.
    None,
    /// This many, each of them whole.
    Whole(usize),
    /// This many, and then one that the edge answers itself.
    Then(usize),
    /// The first at most, broken off: its head was good, and its body turned out not to be.
    BrokenOff,
}

use Through::{BrokenOff, None as Refused, Then, Whole};

/// What is sent on a connection of its own. `/case` and `/hidden` get the number of the case.
pub(super) struct Case {
    pub(super) what: String,
    pub(super) bytes: Vec<u8>,
    pub(super) through: Through,
}

const H: &str = "Host: a.localhost\r\n";
const HIDDEN: &str = "GET /hidden HTTP/1.1\r\nHost: a.localhost\r\n\r\n";
const NEXT: &str = "GET /case/next HTTP/1.1\r\nHost: a.localhost\r\n\r\n";

pub(super) fn all() -> Vec<Case> {
    [lengths(), codings(), chunks(), lines(), request_lines(), targets(), hosts(), fields(), hops(), limits(), ahead(), good()]
        .into_iter()
        .flatten()
        .collect()
}

fn case(what: impl Into<String>, bytes: impl Into<Vec<u8>>, through: Through) -> Case {
    Case { what: what.into(), bytes: bytes.into(), through }
}

fn get(fields: &str) -> String {
    format!("GET /case HTTP/1.1\r\n{fields}\r\n")
}

fn post(fields: &str, body: &str) -> String {
    format!("POST /case HTTP/1.1\r\n{H}{fields}\r\n{body}")
}

fn chunked(body: &str) -> String {
    post("Transfer-Encoding: chunked\r\n", body)
}

/// `Content-Length` in every way but the right one.
fn lengths() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        "",
        "+0",
        "-0",
        "-1",
        "0x0",
        "0b0",
        "1e0",
        "0.0",
        "0,",
        ",0",
        "0, 0",
        "0,44",
        "0;",
        "0 0",
        "4 4",
        "\"0\"",
        "'0'",
        "0\x0b",
        "\x0b0",
        "0\x0c",
        "0\u{a0}",
        "\u{661}",
        "0_0",
        "99999999999999999999",
        "18446744073709551617",
        "0a",
    ]
    .iter()
    .map(|length| case(format!("a length of {length:?}"), post(&format!("Content-Length: {length}\r\n"), HIDDEN), Refused))
    .collect();
    cases.extend([
        case("two lengths", post("Content-Length: 0\r\nContent-Length: 44\r\n", HIDDEN), Refused),
        case("the same length twice", post("Content-Length: 0\r\nContent-Length: 0\r\n", ""), Refused),
        case("two lengths in other letters", post("content-length: 0\r\nCONTENT-LENGTH: 44\r\n", HIDDEN), Refused),
        case("a length and one with an underscore", post("Content-Length: 0\r\nContent_Length: 44\r\n", HIDDEN), Refused),
        case("a length before a space", post("Content-Length : 44\r\n", HIDDEN), Refused),
        case("a length before a tab", post("Content-Length\t: 44\r\n", HIDDEN), Refused),
        case("a length on the next line", post("Content-Length:\r\n 44\r\n", HIDDEN), Refused),
        case("a length with a NUL", post("Content-Length: 0\0\r\n", HIDDEN), Refused),
        case("a length with a NUL in its name", post("Content-\0Length: 44\r\n", HIDDEN), Refused),
    ]);
    cases
}

/// `Transfer-Encoding` in every way but the right one.
fn codings() -> Vec<Case> {
    let end = format!("0\r\n\r\n{HIDDEN}");
    let mut cases: Vec<Case> = [
        "",
        "identity",
        "gzip",
        "chunked, identity",
        "identity, chunked",
        "gzip, chunked",
        "chunked, chunked",
        "chunked,",
        ",chunked",
        "chunked;q=1",
        "chunked ;",
        "xchunked",
        "chunkedx",
        "chunke",
        "chunked\x0b",
        "\x0bchunked",
        "\x0cchunked",
        "chunked\u{a0}",
        "\"chunked\"",
        "'chunked'",
        "chun\u{212a}ed",
        "chunked\0",
        "cow",
    ]
    .iter()
    .map(|coding| case(format!("a coding {coding:?}"), post(&format!("Transfer-Encoding: {coding}\r\n"), &end), Refused))
    .collect();
    let both = [
        ("length and chunked", "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n"),
        ("chunked and length", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n"),
        ("length, and chunked before a space", "Content-Length: 4\r\nTransfer-Encoding : chunked\r\n"),
        ("length, and a coding that is none", "Content-Length: 4\r\nTransfer-Encoding: cow\r\n"),
        ("length, and chunked with an underscore", "Content-Length: 4\r\nTransfer_Encoding: chunked\r\n"),
        ("length, and chunked after a bare carriage return", "Content-Length: 4\r\nX: x\rTransfer-Encoding: chunked\r\n"),
        ("length, and chunked after a bare line feed", "Content-Length: 4\r\nX: x\nTransfer-Encoding: chunked\r\n"),
        ("length, and chunked in a folded line", "Content-Length: 4\r\nX: x\r\n Transfer-Encoding: chunked\r\n"),
        ("chunked twice", "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n"),
        ("chunked and identity", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n"),
        ("identity and chunked", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n"),
        ("chunked on the next line", "Transfer-Encoding:\r\n chunked\r\n"),
        ("chunked after a line feed", "Transfer-Encoding:\n chunked\r\n"),
        ("chunked before a tab", "Transfer-Encoding\t: chunked\r\n"),
        ("chunked in a folded first field", " Transfer-Encoding: chunked\r\nX: x\r\n"),
        ("a NUL in its name", "Transfer\0-Encoding: chunked\r\n"),
    ];
    cases.extend(both.map(|(what, fields)| case(what, post(fields, &end), Refused)));
    cases.push(case("chunked in HTTP/1.0", format!("POST /case HTTP/1.0\r\n{H}Transfer-Encoding: chunked\r\n\r\n{end}"), Refused));
    cases
}

/// Bodies in chunks whose head was good.
fn chunks() -> Vec<Case> {
    [
        ("no number", "zz\r\nhello\r\n0\r\n\r\n"),
        ("a negative size", "-1\r\n\r\n"),
        ("a signed size", "+5\r\nhello\r\n0\r\n\r\n"),
        ("a size with 0x", "0x5\r\nhello\r\n0\r\n\r\n"),
        ("a size over all bounds", "fffffffffffffffff\r\nx"),
        ("a size that wraps to 5", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
        ("two sizes", "5 5\r\nhello\r\n0\r\n\r\n"),
        ("a size with a comma", "5,5\r\nhello\r\n0\r\n\r\n"),
        ("a size with a NUL", "5\0\r\nhello\r\n0\r\n\r\n"),
        ("more than the size says", "5\r\nhelloXX\r\n0\r\n\r\n"),
        ("no end of the line after the data", "5\r\nhello0\r\n\r\n"),
        ("a bare line feed after the size", "5\nhello\r\n0\r\n\r\n"),
        ("a bare carriage return after the size", "5\rhello\r\n0\r\n\r\n"),
    ]
    .into_iter()
    .map(|(what, body)| case(format!("chunks: {what}"), chunked(&format!("{body}{HIDDEN}")), BrokenOff))
    .collect()
}

/// Ends of lines, and what a field may look like.
fn lines() -> Vec<Case> {
    let with = |fields: &str| get(&format!("{H}{fields}"));
    vec![
        case("bare line feeds", "GET /case HTTP/1.1\nHost: a.localhost\n\n", Refused),
        case("one bare line feed", with("X: a\nX-Next: b\r\n"), Refused),
        case("a bare line feed at the end", format!("GET /case HTTP/1.1\r\n{H}X: a\r\n\n{HIDDEN}"), Refused),
        case("a bare carriage return", with("X: a\rX-Next: b\r\n"), Refused),
        case("two carriage returns", with("X: a\r\r\n"), Refused),
        case("a line feed before the carriage return", with("X: a\n\r\n"), Refused),
        case("a carriage return in a name", with("X\r: a\r\n"), Refused),
        case("a NUL in a field", with("X: a\0b\r\n"), Refused),
        case("a NUL in a name", with("X\0: a\r\n"), Refused),
        case("an escape in a field", with("X: a\x1bb\r\n"), Refused),
        case("a deleted character in a field", with("X: a\x7fb\r\n"), Refused),
        case("a folded field", with("X: a\r\n b\r\n"), Refused),
        case("a field folded with a tab", with("X: a\r\n\tb\r\n"), Refused),
        case("a folded host", "GET /case HTTP/1.1\r\nHost:\r\n a.localhost\r\n\r\n", Refused),
        case("a folded first field", get(" Host: a.localhost\r\n"), Refused),
        case("an empty name", with(": x\r\n"), Refused),
        case("a line without a colon", with("nonsense\r\n"), Refused),
        case("space before a colon", with("X : a\r\n"), Refused),
        case("a name with a bracket", with("X(: a\r\n"), Refused),
        case("a name with a quote", with("\"X\": a\r\n"), Refused),
        case("a name with a slash", with("X/Y: a\r\n"), Refused),
        case("a name with letters of elsewhere", with("X\u{fc}: a\r\n"), Refused),
        case("a request within a field", with(&format!("X: a\r\n\r\n{NEXT}")), Whole(2)),
    ]
}

fn request_lines() -> Vec<Case> {
    let line = |line: &str| format!("{line}\r\n{H}\r\n");
    let mut cases: Vec<Case> = [
        "GET /case",
        "GET /case HTTP/0.9",
        "GET /case HTTP/1.2",
        "GET /case HTTP/1.10",
        "GET /case HTTP/2.0",
        "GET /case HTTP/2",
        "GET /case HTTP/3.0",
        "GET /case HTTP/1",
        "GET /case http/1.1",
        "GET /case HTTP/ 1.1",
        "GET /case HTTP/01.1",
        "GET /case HTTP/1.1 ",
        "GET /case HTTP/1.1 x",
        "GET  /case HTTP/1.1",
        "GET\t/case\tHTTP/1.1",
        " GET /case HTTP/1.1",
        "\tGET /case HTTP/1.1",
        "/case HTTP/1.1",
        "GE(T /case HTTP/1.1",
        "G\0T /case HTTP/1.1",
        "GE\u{df}T /case HTTP/1.1",
        "GET\x0b/case HTTP/1.1",
        "GET /case\x0cHTTP/1.1",
        "HTTP/1.1 200 OK",
        "\r\n\r\nGET /case HTTP/1.1",
        "\nGET /case HTTP/1.1",
    ]
    .iter()
    .map(|text| case(format!("request line {text:?}"), line(text), Refused))
    .collect();
    cases.extend([
        case("HTTP/0.9 of old", "GET /case\r\n", Refused),
        case("a tunnel", format!("CONNECT a.localhost:80 HTTP/1.1\r\n{H}\r\n"), Refused),
        case("a tunnel to a path", format!("CONNECT /case HTTP/1.1\r\n{H}\r\n"), Refused),
        case("a reflection", format!("TRACE /case HTTP/1.1\r\n{H}\r\n"), Refused),
        case("a client that speaks TLS", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n".as_slice(), Refused),
        case("a client that speaks SSH", "SSH-2.0-OpenSSH_9.2\r\n\r\n", Refused),
        case("a line of a proxy's protocol", format!("PROXY TCP4 10.0.0.1 10.0.0.2 1 2\r\n{}", get(H)), Refused),
    ]);
    cases
}

fn targets() -> Vec<Case> {
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\n{H}\r\n").into_bytes();
    let mut cases: Vec<Case> = [
        "case",
        "*",
        "?case",
        "#case",
        "/case#x",
        "ftp://a.localhost/case",
        "https://a.localhost/case",
        "http:/case",
        "http:///case",
        "http://",
        "http://x@a.localhost/case",
        "http://a.localhost@b.localhost/case",
        "http://a.localhost:x/case",
        "http://a.localhost:99999/case",
        "http://a.localhost\\@b.localhost/case",
        "http://b.localhost/case",
        "http://a.localhost, b.localhost/case",
        "a.localhost:80",
        "javascript:case",
    ]
    .iter()
    .map(|text| case(format!("target {text:?}"), target(text), Refused))
    .collect();
    cases.extend([
        case("raw bytes in the target", [b"GET /case\xff HTTP/1.1\r\n", H.as_bytes(), b"\r\n"].concat(), Refused),
        case("a host in the target, another in the field", "GET http://a.localhost/case HTTP/1.1\r\nHost: b.localhost\r\n\r\n", Refused),
        case("a host in the target, spelled otherwise in the field", target("HTTP://A.LOCALHOST:80/case"), Refused),
        case("a host in the target alone", "GET http://a.localhost/case HTTP/1.1\r\n\r\n", Refused),
    ]);
    cases
}

fn hosts() -> Vec<Case> {
    let mut cases: Vec<Case> = [
        "",
        " ",
        "a.localhost/x",
        "/a.localhost",
        "x@a.localhost",
        "a.localhost, b.localhost",
        "a.localhost,a.localhost",
        "a.localhost b",
        "a.localhost:80x",
        "a.localhost:",
        "a.localhost:99999",
        "a.localhost:-1",
        "a.localhost:80:80",
        "a..localhost",
        ".a.localhost",
        "a.localhost..",
        "a%2elocalhost",
        "a.localhost#",
        "a.localhost?",
        "a.localhost\\",
        "[a.localhost",
        "[::1",
        "\u{430}.localhost",
        "a.localhost\x0b",
        "a.localhost\0",
        "http://a.localhost",
        "*",
        "a.localhost;b",
    ]
    .iter()
    .map(|host| case(format!("host {host:?}"), get(&format!("Host: {host}\r\n")), Refused))
    .collect();
    cases.extend([
        case("no host", get(""), Refused),
        case("no host in HTTP/1.0", "GET /case HTTP/1.0\r\n\r\n", Refused),
        case("two hosts", get(&format!("{H}Host: b.localhost\r\n")), Refused),
        case("the same host twice", get(&format!("{H}{H}")), Refused),
        case("two hosts in other letters", get(&format!("{H}HOST: b.localhost\r\n")), Refused),
        case("a host and one with an underscore", get(&format!("{H}Host_: b.localhost\r\n")), Whole(1)),
        case("a host before a space", get("Host : a.localhost\r\n"), Refused),
        case("a host that nobody knows", get("Host: nobody.localhost\r\nConnection: close\r\n"), Refused),
        case("a name of the machine itself", get("Host: localhost\r\nConnection: close\r\n"), Refused),
        case("an address of the machine itself", get("Host: 127.0.0.1\r\nConnection: close\r\n"), Refused),
    ]);
    cases
}

/// Names that a service may take for others.
fn fields() -> Vec<Case> {
    let with = |fields: &str| get(&format!("{H}{fields}"));
    vec![
        case("claims of a proxy", with("X-Forwarded-For: 6.6.6.6\r\nForwarded: for=6.6.6.6\r\nX-Real-IP: 6.6.6.6\r\n"), Whole(1)),
        case("claims of a proxy with underscores", with("X_Forwarded_For: 6.6.6.6\r\nX_Real_IP: 6.6.6.6\r\n"), Whole(1)),
        case("a claim to be another host", with("X-Forwarded-Host: b.localhost\r\nX-Original-Host: b.localhost\r\n"), Whole(1)),
        case("a claim to be Berth", with("User-Agent: berth-first-request\r\nX-Berth-Instance: x.1\r\n"), Whole(1)),
        case("a proxy for the service", with("Proxy: http://6.6.6.6\r\n"), Whole(1)),
        case("bytes that are no text", [get(H).trim_end().as_bytes(), b"\r\nX: \xff\xfe\r\n\r\n"].concat(), Whole(1)),
    ]
}

/// Fields of the connection.
fn hops() -> Vec<Case> {
    let with = |fields: &str| get(&format!("{H}{fields}"));
    let body = "x".repeat(100_000);
    let mut cases: Vec<Case> = [
        "Host",
        "host, close",
        "X-Forwarded-For",
        "X-Forwarded-Proto",
        "X-Real-IP",
        "X-Request-Id",
        "X_Forwarded_For",
        "Forwarded",
        "Authorization",
    ]
    .iter()
    .map(|name| case(format!("taking {name} away"), with(&format!("Connection: {name}\r\n")), Refused))
    .collect();
    cases.extend([
        case("a body, and taking the host away", post("Connection: Host\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"), Refused),
        case("taking the length away", post("Connection: Content-Length\r\nContent-Length: 5\r\n", "hello"), Refused),
        case("taking a great length away", post("Connection: Content-Length\r\nContent-Length: 100000\r\n", &body), Refused),
        case("taking a cookie away", with("Connection: Cookie\r\nCookie: a=b\r\n"), Whole(1)),
        case("an upgrade with a body", post("Connection: Upgrade\r\nUpgrade: websocket\r\nContent-Length: 5\r\n", "hello"), Refused),
        case(
            "an upgrade with chunks",
            post("Connection: Upgrade\r\nUpgrade: websocket\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n"),
            Refused,
        ),
        case(
            "an upgrade to HTTP/2",
            with("Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n"),
            Whole(1),
        ),
        case(
            "an upgrade to HTTP/2 with a body",
            post(
                "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\nContent-Length: 2\r\n",
                "hi",
            ),
            Whole(1),
        ),
        case("an upgrade to TLS", with("Connection: Upgrade\r\nUpgrade: TLS/1.0\r\n"), Whole(1)),
        case("an upgrade that the connection does not name", with("Upgrade: websocket\r\n"), Whole(1)),
        case("an upgrade in HTTP/1.0", format!("GET /case HTTP/1.0\r\n{H}Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"), Whole(1)),
        case("fields of old proxies", with("Keep-Alive: timeout=9\r\nProxy-Connection: keep-alive\r\nTE: trailers, deflate\r\n"), Whole(1)),
    ]);
    cases
}

fn limits() -> Vec<Case> {
    let with = |fields: &str| get(&format!("{H}{fields}"));
    vec![
        case("a huge field", with(&format!("X: {}\r\n", "x".repeat(70_000))), Refused),
        case("a huge name", with(&format!("{}: x\r\n", "x".repeat(70_000))), Refused),
        case("many fields", with(&"X: x\r\n".repeat(200)), Refused),
        case("very many fields", with(&"X: x\r\n".repeat(5_000)), Refused),
        case("a long target", format!("GET /case{} HTTP/1.1\r\n{H}\r\n", "x".repeat(20_000)), Refused),
        case("a head without an end", with(&"X: xxxxxxxxxxxxxxxxxxxxxxxx\r\n".repeat(20_000)), Refused),
        case("a line without an end", "GET /case".to_owned() + &"x".repeat(300_000), Refused),
    ]
}

/// Requests sent ahead of the answer to the one before.
fn ahead() -> Vec<Case> {
    let one = get(H);
    vec![
        case("ten at once", one.repeat(10), Whole(10)),
        case("a bad one after a good one", format!("{one}GET /hidden HTTP/1.1\r\n\r\n"), Then(1)),
        case(
            "two lengths after a good one",
            format!("{one}POST /hidden HTTP/1.1\r\n{H}Content-Length: 0\r\nContent-Length: 5\r\n\r\nhello"),
            Then(1),
        ),
        case("a malformed one after a good one", format!("{one}\x01\x02\r\n\r\n"), Then(1)),
        case("one after a body", format!("{}{NEXT}", post("Content-Length: 5\r\n", "hello")), Whole(2)),
        case("one after an empty body", format!("{}{NEXT}", post("Content-Length: 0\r\n", "")), Whole(2)),
        case("one after chunks", format!("{}{NEXT}", chunked("5\r\nhello\r\n0\r\n\r\n")), Whole(2)),
        case("one after no body at all", format!("{}{NEXT}", post("", "")), Whole(2)),
        case("one after the end", format!("{}{HIDDEN}", get(&format!("{H}Connection: close\r\n"))), Whole(1)),
        case("one after the end of HTTP/1.0", format!("GET /case HTTP/1.0\r\n{H}\r\n{HIDDEN}"), Whole(1)),
        case("one after a question for the head", format!("HEAD /case HTTP/1.1\r\n{H}\r\n{NEXT}"), Whole(2)),
    ]
}

/// Good ones that look like the others.
fn good() -> Vec<Case> {
    let inside = HIDDEN.len();
    let with = |fields: &str| get(&format!("{H}{fields}"));
    let target = |target: &str| format!("GET {target} HTTP/1.1\r\n{H}\r\n");
    vec![
        case("a body that looks like a request", post(&format!("Content-Length: {inside}\r\n"), HIDDEN), Whole(1)),
        case(
            "a body of GET that looks like a request",
            format!("GET /case HTTP/1.1\r\n{H}Content-Length: {inside}\r\n\r\n{HIDDEN}"),
            Whole(1),
        ),
        case(
            "a body of DELETE that looks like a request",
            format!("DELETE /case HTTP/1.1\r\n{H}Content-Length: {inside}\r\n\r\n{HIDDEN}"),
            Whole(1),
        ),
        case(
            "a body of HEAD that looks like a request",
            format!("HEAD /case HTTP/1.1\r\n{H}Content-Length: {inside}\r\n\r\n{HIDDEN}"),
            Whole(1),
        ),
        case("a chunk that looks like a request", chunked(&format!("{inside:x}\r\n{HIDDEN}\r\n0\r\n\r\n")), Whole(1)),
        case(
            "chunks of GET",
            format!("GET /case HTTP/1.1\r\n{H}Transfer-Encoding: chunked\r\n\r\n{inside:x}\r\n{HIDDEN}\r\n0\r\n\r\n"),
            Whole(1),
        ),
        case("a chunk with an extension", chunked("1;x=y\r\na\r\n0\r\n\r\n"), Whole(1)),
        case("a chunk with a quoted extension", chunked("1;x=\"a;b\"\r\na\r\n0;last\r\n\r\n"), Whole(1)),
        case("a size with zeros before it", chunked("0005\r\nhello\r\n000\r\n\r\n"), Whole(1)),
        // Read as the last one, and passed on as such: nothing of it is left to be understood in another way.
        case("a chunk without a size", chunked("\r\n\r\n"), Whole(1)),
        case("a size in capitals", chunked("A\r\nhellohello\r\n0\r\n\r\n"), Whole(1)),
        case("a trailer", post("Transfer-Encoding: chunked\r\nTrailer: X\r\n", "1\r\na\r\n0\r\nX: y\r\n\r\n"), Whole(1)),
        case("a host in a trailer", chunked("1\r\na\r\n0\r\nHost: b.localhost\r\n\r\n"), Whole(1)),
        case("a length in a trailer", chunked("1\r\na\r\n0\r\nContent-Length: 100\r\n\r\n"), Whole(1)),
        case("a coding in other letters", post("TRANSFER-ENCODING:\tChunked \r\n", "1\r\na\r\n0\r\n\r\n"), Whole(1)),
        case("a length with zeros before it", post("Content-Length: 00005\r\n", "hello"), Whole(1)),
        case("a client that waits to go on", post("Expect: 100-continue\r\nContent-Length: 5\r\n", "hello"), Whole(1)),
        case("the same host in the target", target("http://a.localhost/case"), Whole(1)),
        case("a target with odd characters", target("/case/%00%0d%0a/..;/%2e%2e/\\x?a=b&c[]=d|e"), Whole(1)),
        case("a target with a host like path", target("/case//b.localhost/"), Whole(1)),
        case("the same host in other letters", get("HOST:A.LocalHost.:8000 \r\n"), Whole(1)),
        case("an empty line before", format!("\r\n{}", get(H)), Whole(1)),
        // The library writes these as the standard wants them before anybody reads them: one request, which says one thing.
        case("a space in the target", "GET /case /other HTTP/1.1\r\nHost: a.localhost\r\n\r\n", Whole(1)),
        case("a space too many", "GET /case  HTTP/1.1\r\nHost: a.localhost\r\n\r\n", Whole(1)),
        case("a tab in the target", target("/case\t/other"), Whole(1)),
        case("control characters in the target", target("/case\u{1}\x0b\x7f"), Whole(1)),
        case("an odd method", format!("PROPFIND /case HTTP/1.1\r\n{H}\r\n"), Whole(1)),
        case("an empty field", with("X:\r\nY: \t \r\n"), Whole(1)),
        case("every letter a name may have", with("X!#$%&'*+-.^`|~: x\r\n"), Whole(1)),
    ]
}
