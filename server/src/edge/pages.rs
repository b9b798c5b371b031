//! What the edge answers itself: a page for browsers, a line for programs. Nothing in them tells of teams, services or hosts.

/// An answer of the edge's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// 404: no route has this host name or path.
    Unknown,
    /// 503: the host name is known, no instance is proven.
    NothingServes,
    /// 502: the instance took no connection, or answered with nonsense.
    NoAnswer,
    /// 504: the instance did not answer in time.
    TooSlow,
    /// 400: the request can be read in more than one way; says how.
    BadRequest(&'static str),
    /// 405: a method that no service gets.
    MethodRefused,
    /// 408: the client did not send its request in time.
    ClientTooSlow,
    /// 413: the body is larger than the edge takes.
    TooLarge,
    /// 414: the target is longer than the edge takes.
    TargetTooLong,
    /// 431: the head is larger than the edge takes.
    HeadTooLarge,
}

impl Page {
    /// The status.
    pub(super) const fn status(self) -> u16 {
        match self {
            Self::Unknown => 404,
            Self::NothingServes => 503,
            Self::NoAnswer => 502,
            Self::TooSlow => 504,
            Self::BadRequest(_) => 400,
            Self::MethodRefused => 405,
            Self::ClientTooSlow => 408,
            Self::TooLarge => 413,
            Self::TargetTooLong => 414,
            Self::HeadTooLarge => 431,
        }
    }

    /// In one word, for the figures.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Unknown => "unknown_address",
            Self::NothingServes => "nothing_serves",
            Self::NoAnswer => "no_answer",
            Self::TooSlow => "too_slow",
            Self::BadRequest(_) => "bad_request",
            Self::MethodRefused => "method_refused",
            Self::ClientTooSlow => "client_too_slow",
            Self::TooLarge => "too_large",
            Self::TargetTooLong => "target_too_long",
            Self::HeadTooLarge => "head_too_large",
        }
    }

    /// Whether the connection is closed afterwards, because the end of the request is not known or not to be waited for.
    pub(super) const fn closes(self) -> bool {
        !matches!(self, Self::Unknown | Self::NothingServes)
    }

    /// Whether it is worth asking again, and after how many seconds.
    pub(super) const fn retry_after(self) -> Option<u8> {
        match self {
            Self::NothingServes | Self::NoAnswer => Some(5),
            _ => None,
        }
    }

    const fn title(self) -> &'static str {
        match self {
            Self::Unknown => "Nothing is at this address",
            Self::NothingServes => "Not running right now",
            Self::NoAnswer => "The service did not answer",
            Self::TooSlow => "The service took too long",
            Self::BadRequest(_) => "The request is ambiguous",
            Self::MethodRefused => "This method is not allowed",
            Self::ClientTooSlow => "The request came too slowly",
            Self::TooLarge => "The request is too large",
            Self::TargetTooLong => "The address is too long",
            Self::HeadTooLarge => "The head of the request is too large",
        }
    }

    fn text(self) -> String {
        match self {
            Self::Unknown => "No service answers here. Check the spelling. If the service is yours, look at its addresses with \
                              `berth route list` and whether it was deployed to this environment."
                .to_owned(),
            Self::NothingServes => "The address is known, but no instance of the service is proven to work yet, or it is scaled to \
                                    zero. Try again in a moment. If the service is yours, `berth status` says what it waits for."
                .to_owned(),
            Self::NoAnswer => "The service took no connection or broke off before it answered. Try again in a moment. If the service \
                               is yours, `berth logs` shows what it said last."
                .to_owned(),
            Self::TooSlow => "The service was reached but did not answer in time. Try again later.".to_owned(),
            Self::BadRequest(why) => format!("It was refused because {why}. Nothing was passed on."),
            Self::MethodRefused => "No service is asked with this method. Use another one.".to_owned(),
            Self::ClientTooSlow => "The rest of it did not arrive in time. Send it again.".to_owned(),
            Self::TooLarge => "Its body is larger than is taken here. Send less at a time.".to_owned(),
            Self::TargetTooLong => "Put what is after the question mark into the body of the request.".to_owned(),
            Self::HeadTooLarge => "Send fewer or shorter fields; often an overgrown cookie is the cause.".to_owned(),
        }
    }

    /// The body and its media type.
    pub(super) fn render(self, request: &str, html: bool) -> (String, &'static str) {
        let (status, title, text) = (self.status(), self.title(), self.text());
        if !html {
            return (format!("{title}. {text}\nRequest {request}\n"), "text/plain; charset=utf-8");
        }
        let text = code(&text);
        let body = format!(
            "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><meta name=\"viewport\" content=\"width=device-width\">\
             <meta name=\"robots\" content=\"noindex\"><title>{title}</title><style>{STYLE}</style></head>\
             <body><main><p class=\"status\">{status}</p><h1>{title}</h1><p>{text}</p>\
             <p class=\"request\">Request <code>{request}</code></p></main></body></html>\n"
        );
        (body, "text/html; charset=utf-8")
    }
}

/// The whole answer as it goes over the wire, where it cannot be known what the client wants; the connection ends with it.
pub(super) fn bare(page: Page, request: &str) -> String {
    let (body, mime) = page.render(request, false);
    let status = http::StatusCode::from_u16(page.status()).ok().and_then(|status| status.canonical_reason()).unwrap_or_default();
    let fields = FIELDS.map(|(name, value)| format!("{name}: {value}\r\n")).concat();
    let (code, length) = (page.status(), body.len());
    format!(
        "HTTP/1.1 {code} {status}\r\ncontent-type: {mime}\r\ncontent-length: {length}\r\nx-request-id: {request}\r\n{fields}\
         connection: close\r\n\r\n{body}"
    )
}

/// Fields of every page.
pub(super) const FIELDS: [(&str, &str); 3] = [
    ("cache-control", "no-store"),
    ("x-content-type-options", "nosniff"),
    ("content-security-policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'"),
];

/// Text between backticks becomes code. The texts are our own; nothing of a request is in them.
fn code(text: &str) -> String {
    let mut parts = text.split('`');
    let mut html = parts.next().unwrap_or_default().to_owned();
    while let (Some(inside), Some(after)) = (parts.next(), parts.next()) {
        html.push_str(&format!("<code>{inside}</code>{after}"));
    }
    html
}

const STYLE: &str = ":root{color-scheme:light dark}body{margin:0;min-height:100vh;display:grid;place-items:center;\
font:16px/1.5 system-ui,sans-serif;background:light-dark(#f7f8fa,#12151a);color:light-dark(#1b2027,#e6e9ee)}\
main{max-width:34rem;padding:2rem}.status{margin:0;font-weight:600;color:light-dark(#5b6675,#97a3b3)}\
h1{margin:.2rem 0 1rem;font-size:1.6rem;line-height:1.2}code{font-size:.9em}\
.request{margin-top:2rem;font-size:.85rem;color:light-dark(#5b6675,#97a3b3)}";

/// Whether somebody wants HTML: says so in `Accept`, as browsers do. `*/*`, as programs send it, is no wish for it.
pub(super) fn wants_html(accept: Option<&str>) -> bool {
    accept.is_some_and(|accept| accept.split(',').any(|one| one.trim().to_ascii_lowercase().starts_with("text/html")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ALL: [Page; 10] = [
        Page::Unknown,
        Page::NothingServes,
        Page::NoAnswer,
        Page::TooSlow,
        Page::BadRequest("the `Host` field is missing"),
        Page::MethodRefused,
        Page::ClientTooSlow,
        Page::TooLarge,
        Page::TargetTooLong,
        Page::HeadTooLarge,
    ];

    #[test]
    fn every_page_has_its_status_and_the_request_in_both_forms() {
        for page in ALL {
            for html in [false, true] {
                let (body, mime) = page.render("0197", html);
                assert!(body.contains("0197") && body.contains(page.title()), "{page:?}");
                assert_eq!(mime.starts_with("text/html"), html);
                assert!(!html || !body.contains('`'), "{body}");
            }
            assert!((400..600).contains(&page.status()));
        }
    }

    #[test]
    fn only_who_asks_for_html_gets_it() {
        assert!(wants_html(Some("text/html,application/xhtml+xml,*/*;q=0.8")));
        assert!(wants_html(Some("application/json, Text/HTML;q=0.1")));
        assert!(!wants_html(Some("*/*")));
        assert!(!wants_html(Some("application/json")));
        assert!(!wants_html(None));
    }
}
