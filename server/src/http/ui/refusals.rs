//! What is refused before a page is asked for (another site's form, a session that cannot be read, an answer that takes too
//! long, a fault) is a page too where a browser asked: the same sentence, in its language. Programs get the problem itself.

use app::{
    backend::Backend,
    caller::{Caller, Fields},
    error::Error,
    pages::refusal,
};
use axum::{
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, header},
    middleware::Next,
    response::Response,
};

use super::{assets, browser_language, request};

/// Whether it is a person who waits for the answer.
fn wants_page(path: &str, headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok()).unwrap_or_default();
    accept.contains("text/html") && !["/api/", "/git/", "/healthz", "/readyz"].iter().any(|prefix| path.starts_with(prefix))
}

/// The layer.
pub async fn layer(State(backend): State<Backend>, request: Request, next: Next) -> Response {
    let path = request.uri().path().to_owned();
    let asked = wants_page(&path, request.headers()).then(|| browser_language(request.headers()));
    let response = next.run(request).await;
    let (Some(lang), Some(error)) = (asked, response.extensions().get::<Error>().cloned()) else { return response };
    let caller = Caller {
        backend,
        actor: None,
        me: None,
        lang,
        path,
        params: Fields::default(),
        query: Fields::default(),
        form: Fields::default(),
        problem: None,
        request: request::id(),
        peer: None,
        url: String::new(),
        assets: assets(),
    };
    let (mut parts, _) = response.into_parts();
    parts.headers.remove(header::CONTENT_LENGTH);
    parts.headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    let document = refusal(&caller, &error, parts.status.as_u16());
    Response::from_parts(parts, document.into())
}
