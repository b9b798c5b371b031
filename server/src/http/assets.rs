//! What the browser gets beside pages: style, script, WebAssembly, pictures. Embedded by `server/build.rs`, compressed
//! when built, and named by content, so that a browser asks for each once.

use axum::{
    Router,
    extract::Path,
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{ACCEPT_ENCODING, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_TYPE, ETAG, IF_NONE_MATCH, VARY, X_CONTENT_TYPE_OPTIONS},
    },
    response::{IntoResponse, Response},
    routing::get,
};

/// An embedded file.
#[derive(Debug)]
pub struct Asset {
    /// Its name in the tree: `main.css`, `berth.js`.
    pub path: &'static str,
    /// Where it is served for good: `/pkg/main-0123456789abcdef.css`.
    pub hashed_path: &'static str,
    /// Its media type.
    pub mime: &'static str,
    /// Its bytes.
    pub bytes: &'static [u8],
    /// The same as gzip, where that is smaller.
    pub gzip: Option<&'static [u8]>,
    /// The same as brotli, where that is smaller.
    pub br: Option<&'static [u8]>,
}

/// Every embedded file.
pub static ASSETS: &[Asset] = include!(concat!(env!("OUT_DIR"), "/assets.rs"));

/// Whether the WebAssembly of the console's live parts was built in. Without it every page works, without live parts.
pub const HAS_WASM: bool = include!(concat!(env!("OUT_DIR"), "/bundled.rs"));

/// The address of an embedded file by its name in the tree, for pages.
pub fn url(path: &str) -> Option<&'static str> {
    ASSETS.iter().find(|asset| asset.path == path).map(|asset| asset.hashed_path)
}

/// The routes of the embedded files; public, and the same for everybody.
pub fn router<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/pkg/{*path}", get(|Path(path): Path<String>, headers: HeaderMap| async move { serve(&path, &headers) }))
        .route("/favicon.ico", get(|headers: HeaderMap| async move { serve("favicon.svg", &headers) }))
        .route("/robots.txt", get(|headers: HeaderMap| async move { serve("robots.txt", &headers) }))
}

fn serve(path: &str, headers: &HeaderMap) -> Response {
    let by_hash = |asset: &&Asset| asset.hashed_path.strip_prefix("/pkg/") == Some(path);
    match (ASSETS.iter().find(by_hash), ASSETS.iter().find(|asset| asset.path == path)) {
        (Some(asset), _) => answer(asset, true, headers),
        (None, Some(asset)) => answer(asset, false, headers),
        (None, None) => (StatusCode::NOT_FOUND, "No such file.\n").into_response(),
    }
}

/// `forever`: asked for by its hashed name, which never means anything else.
fn answer(asset: &'static Asset, forever: bool, headers: &HeaderMap) -> Response {
    let caching = if forever { "public, max-age=31536000, immutable" } else { "no-cache" };
    let tag = format!("\"{}\"", asset.hashed_path.trim_start_matches("/pkg/"));
    let known = headers.get_all(IF_NONE_MATCH).iter().any(|given| names(given, &tag));
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        let (bytes, encoding) = choose(asset, headers);
        let mut response = bytes.into_response();
        response.headers_mut().insert(CONTENT_TYPE, HeaderValue::from_static(asset.mime));
        if let Some(encoding) = encoding {
            response.headers_mut().insert(CONTENT_ENCODING, HeaderValue::from_static(encoding));
        }
        response
    };
    let out = response.headers_mut();
    out.insert(CACHE_CONTROL, HeaderValue::from_static(caching));
    out.insert(VARY, HeaderValue::from_static("accept-encoding"));
    out.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        out.insert(ETAG, tag);
    }
    response
}

/// Whether an `If-None-Match` names this tag; weak comparison (RFC 9110, 13.1.2).
fn names(given: &HeaderValue, tag: &str) -> bool {
    given.to_str().is_ok_and(|given| given.split(',').map(str::trim).any(|one| one == "*" || one.trim_start_matches("W/") == tag))
}

fn choose(asset: &Asset, headers: &HeaderMap) -> (&'static [u8], Option<&'static str>) {
    match (asset.br, asset.gzip) {
        (Some(br), _) if accepts(headers, "br") => (br, Some("br")),
        (_, Some(gzip)) if accepts(headers, "gzip") => (gzip, Some("gzip")),
        _ => (asset.bytes, None),
    }
}

/// Whether who asks takes this coding.
pub(super) fn accepts(headers: &HeaderMap, coding: &str) -> bool {
    headers.get_all(ACCEPT_ENCODING).iter().any(|given| given.to_str().is_ok_and(|given| takes(given, coding)))
}

/// Whether an `Accept-Encoding` takes this coding by name (RFC 9110, 12.5.3).
fn takes(given: &str, coding: &str) -> bool {
    given.split(',').any(|part| {
        let mut words = part.split(';').map(str::trim);
        let named = words.next().is_some_and(|name| name.eq_ignore_ascii_case(coding));
        let refused =
            words.filter_map(|word| word.strip_prefix("q=")).any(|weight| weight.parse::<f32>().is_ok_and(|weight| weight <= 0.0));
        named && !refused
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codings_are_taken_by_name_and_weight() {
        for (given, coding, taken) in [
            ("gzip, deflate, br, zstd", "br", true),
            ("gzip, deflate", "br", false),
            ("br;q=0, gzip", "br", false),
            ("br;q=0.1", "br", true),
            ("GZIP", "gzip", true),
            ("", "gzip", false),
            ("brotli", "br", false),
        ] {
            assert_eq!(takes(given, coding), taken, "{given} / {coding}");
        }
    }

    #[test]
    fn a_known_tag_is_not_sent_again_and_weak_tags_count() {
        let tag = "\"main-1.css\"";
        for (given, named) in
            [("\"main-1.css\"", true), ("W/\"main-1.css\"", true), ("\"x\", \"main-1.css\"", true), ("*", true), ("\"x\"", false)]
        {
            assert_eq!(names(&HeaderValue::from_static(given), tag), named, "{given}");
        }
    }

    #[test]
    fn an_unknown_file_is_not_found() {
        assert_eq!(serve("nothing.css", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
        assert_eq!(serve("../Cargo.toml", &HeaderMap::new()).status(), StatusCode::NOT_FOUND);
    }

    #[test]
    fn every_embedded_file_answers_under_both_names() {
        for asset in ASSETS {
            let named = serve(asset.path, &HeaderMap::new());
            assert_eq!(named.headers()[CACHE_CONTROL], "no-cache");
            let hashed = serve(asset.hashed_path.trim_start_matches("/pkg/"), &HeaderMap::new());
            assert!(hashed.headers()[CACHE_CONTROL].to_str().is_ok_and(|caching| caching.contains("immutable")), "{}", asset.path);
            assert_eq!(url(asset.path), Some(asset.hashed_path));
        }
    }
}
