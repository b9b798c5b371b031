//! Pages and answers of the API as gzip, for those who take it. Never what holds secrets: where a page says one beside words
//! that came with the request, its length tells about the secret (the attack called BREACH).

use std::io::Write as _;

use app::error::Error;
use axum::{
    body::{Body, Bytes, HttpBody as _, to_bytes},
    extract::Request,
    http::{
        HeaderValue, Method,
        header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, VARY},
    },
    middleware::Next,
    response::{IntoResponse as _, Response},
};
use flate2::{Compression, write::GzEncoder};

use super::{assets, problem::Problem};

/// What is shorter is sent as it is: it fits one packet anyway.
const LEAST: u64 = 1_024;
/// Nearly as small as with more work, in a third of the time.
const LEVEL: u32 = 4;

/// Pages whose path ends in a secret, and who repeat it.
const SECRET: [&str; 3] = ["/setup/", "/invite/", "/sign-in/"];

/// Whether what is at this path may hold secrets: variables of a target, lines of a log, a link that is good once.
fn holds_secrets(path: &str) -> bool {
    ["/targets/", "/steps/"].iter().any(|part| path.contains(part)) || SECRET.iter().any(|begin| path.starts_with(begin))
}

/// Whether an answer is text that is there as a whole: streams go on as they come.
fn fits(response: &Response) -> bool {
    let kind = response.headers().get(CONTENT_TYPE).and_then(|kind| kind.to_str().ok()).unwrap_or_default();
    let text = kind.starts_with("text/html") || kind.starts_with("application/json");
    text && !response.headers().contains_key(CONTENT_ENCODING) && response.body().size_hint().exact().is_some_and(|size| size >= LEAST)
}

fn gzip(bytes: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut out = GzEncoder::new(Vec::with_capacity(bytes.len() / 4), Compression::new(LEVEL));
    out.write_all(bytes)?;
    out.finish()
}

/// The layer. Secrets that are shown once are answers to a POST; those are left alone too.
pub async fn layer(request: Request, next: Next) -> Response {
    let open = request.method() == Method::GET && !holds_secrets(request.uri().path());
    let takes = open && assets::accepts(request.headers(), "gzip");
    let mut response = next.run(request).await;
    if !open || !fits(&response) {
        return response;
    }
    response.headers_mut().append(VARY, HeaderValue::from_static("accept-encoding"));
    if !takes {
        return response;
    }
    let (mut parts, body) = response.into_parts();
    let packed: Result<Bytes, Error> =
        async { Ok(gzip(&to_bytes(body, usize::MAX).await.map_err(Error::internal)?).map_err(Error::internal)?.into()) }.await;
    match packed {
        Ok(packed) => {
            parts.headers.remove(CONTENT_LENGTH);
            parts.headers.insert(CONTENT_ENCODING, HeaderValue::from_static("gzip"));
            Response::from_parts(parts, Body::from(packed))
        }
        Err(error) => Problem(error).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_secrets_is_left_alone() {
        for (path, secret) in [
            ("/teams/a", false),
            ("/api/v1/teams/a/targets", false),
            ("/teams/a/services/b/targets/dev", true),
            ("/api/v1/teams/a/services/b/targets/dev/config", true),
            ("/api/v1/steps/1/log", true),
            ("/invite/abc", true),
        ] {
            assert_eq!(holds_secrets(path), secret, "{path}");
        }
    }
}
