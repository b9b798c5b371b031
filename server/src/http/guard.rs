//! Refuses changes that another site makes a browser send. `SameSite` cookies are the second lock on this door.

use app::error::Error;
use axum::{
    extract::{Request, State},
    http::{HeaderMap, Method, Uri, header},
    middleware::Next,
    response::{IntoResponse as _, Response},
};

use super::{problem::Problem, session};

/// What the guard compares with.
#[derive(Clone, Debug)]
pub struct Own {
    /// Host name and port of the configured URL.
    pub authority: String,
    /// The name of the session's cookie.
    pub cookie: &'static str,
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name).map(|value| value.to_str().unwrap_or("?"))
}

fn has_cookie(headers: &HeaderMap, name: &str) -> bool {
    let cookies = headers.get_all(header::COOKIE).iter().filter_map(|value| value.to_str().ok());
    cookies.flat_map(|line| line.split(';')).any(|pair| pair.split('=').next().is_some_and(|key| key.trim() == name))
}

/// Whether a request may change something, as far as where it comes from is concerned.
///
/// A token is never sent by a browser on its own, so one is let through; other kinds of credentials may be. `Sec-Fetch-Site` is set by the browser and not by
/// scripts; where it is missing (old browsers, plain http), `Origin` must be this server. Where both are missing no browser
/// sent it, and only a request without the session's cookie is let through.
fn allowed(method: &Method, uri: &Uri, headers: &HeaderMap, own: &Own) -> bool {
    if method.is_safe() || session::has_token(headers) {
        return true;
    }
    if let Some(site) = text(headers, "sec-fetch-site") {
        return matches!(site, "same-origin" | "none");
    }
    match text(headers, "origin") {
        None => !has_cookie(headers, own.cookie),
        Some(origin) => {
            let from = origin.split_once("://").map(|(_, authority)| authority);
            let host = uri.authority().map(|authority| authority.as_str()).or_else(|| text(headers, "host"));
            from.is_some_and(|from| from == own.authority || host == Some(from))
        }
    }
}

/// The layer.
pub async fn layer(State(own): State<Own>, request: Request, next: Next) -> Response {
    if allowed(request.method(), request.uri(), request.headers(), &own) {
        return next.run(request).await;
    }
    let sentence = "This request came from another site, and was refused. Open the console itself and try there.";
    Problem(Error::forbidden("cross_origin", sentence)).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_console_itself_changes_things() {
        let own = Own { authority: "berth.example.com".into(), cookie: "berth" };
        let cookie = ("cookie", "a=1; berth=x");
        for (method, headers, expected) in [
            ("GET", vec![("sec-fetch-site", "cross-site"), cookie], true),
            ("POST", vec![("sec-fetch-site", "same-origin"), cookie], true),
            ("POST", vec![("sec-fetch-site", "none"), cookie], true),
            ("POST", vec![("sec-fetch-site", "same-site"), cookie], false),
            ("POST", vec![("sec-fetch-site", "cross-site"), cookie], false),
            ("POST", vec![("sec-fetch-site", "cross-site")], false),
            ("PUT", vec![("sec-fetch-site", "cross-site"), ("origin", "https://berth.example.com"), cookie], false),
            ("POST", vec![("origin", "https://berth.example.com"), cookie], true),
            ("POST", vec![("origin", "http://inside:8080"), ("host", "inside:8080"), cookie], true),
            ("POST", vec![("origin", "http://evil.example"), ("host", "inside:8080"), cookie], false),
            ("POST", vec![("origin", "null"), ("host", "inside:8080"), cookie], false),
            ("POST", vec![cookie], false),
            ("POST", vec![("cookie", "berthx=1; other=berth")], true),
            ("DELETE", vec![], true),
            ("POST", vec![("sec-fetch-site", "cross-site"), ("authorization", "Bearer berth_x")], true),
        ] {
            let mut map = HeaderMap::new();
            for (name, value) in &headers {
                map.insert(*name, value.parse().unwrap());
            }
            let method: Method = method.parse().unwrap();
            assert_eq!(allowed(&method, &Uri::from_static("/x"), &map, &own), expected, "{method} {headers:?}");
        }
    }
}
