//! The two doors: HTML and REST; and Git over HTTP.

pub mod api;
mod arrivals;
pub mod assets;
pub mod compress;
pub mod extract;
pub mod git;
pub mod guard;
pub mod headers;
pub mod hooks;
mod linger;
pub mod live;
pub mod once;
pub mod problem;
pub mod reference;
pub mod request;
pub mod router;
pub mod serve;
pub mod session;
pub mod standing;
pub mod ui;

use std::{any::Any, net::IpAddr, sync::Arc, time::Duration};

use app::error::Error;
use axum::{
    Router,
    extract::{DefaultBodyLimit, MatchedPath, Request, State},
    middleware::{Next, from_fn, from_fn_with_state},
    response::{IntoResponse as _, Response},
    routing::get,
};
use http::{Method, StatusCode, header::CONTENT_TYPE};
use tokio_util::sync::CancellationToken;
use tower_http::catch_panic::CatchPanicLayer;

pub use serve::serve;

use self::{extract::Asker, problem::Problem, router::Doors};
use crate::{control::Control, telemetry::metrics};

/// The largest body of a page's form or a REST call, in bytes.
const BODY_LIMIT: usize = 1 << 20;
/// How long a page or a REST call may take until its answer begins.
const DEADLINE: Duration = Duration::from_secs(30);
/// … and one that may bring a large file, which has limits of its own while it comes.
const UPLOAD_DEADLINE: Duration = Duration::from_secs(60 * 60);
/// The routes of those.
const UPLOADS: [&str; 2] = ["/api/v1/platform/bases", "/api/v1/platform/bases/{base}/actions/rebuild"];

/// Everything Berth answers on its console's address.
///
/// `ui` are the console's pages, which know who asks by the `Arc<Actor>` in the request's extensions and are guarded like
/// the API; `git` is Git over HTTP, which has credentials, limits and deadlines of its own. `stop` ends streams.
pub fn app(control: &Arc<Control>, ui: Router, git: Router, stop: CancellationToken) -> Router {
    let secure = session::secure(&control.config);
    let authority = control.config.url.split_once("://").map_or("", |(_, rest)| rest).to_owned();
    let trusted: Arc<[IpAddr]> = control.config.trusted_proxies.clone().into();
    let own = guard::Own { authority, cookie: session::cookie_name(secure) };
    let api = router::router()
        .with_state(Doors { backend: control.backend(), stop })
        .route("/api", get(reference::page))
        .route("/api/{*rest}", axum::routing::any(nothing_here))
        .layer(from_fn_with_state(Arc::clone(control), once::layer));
    let guarded = api
        .merge(ui)
        .route("/metrics", get(figures).with_state(Arc::clone(control)))
        .layer(from_fn(compress::layer))
        .layer(from_fn(deadline))
        .layer(from_fn(request::to_its_end))
        .layer(DefaultBodyLimit::max(BODY_LIMIT))
        .layer(from_fn_with_state(standing::Judge::new(control), session::layer))
        .layer(session::sessions(&control.config, &control.db))
        .layer(from_fn_with_state(own, guard::layer));
    Router::new()
        .merge(guarded)
        .merge(git)
        .merge(assets::router())
        .route("/healthz", get(|| async { "ok\n" }))
        .route("/schema", get(reference::file_page))
        .route("/schema/berth.v1.json", get(api::meta::schema))
        .route("/readyz", get(ready).with_state(Arc::clone(control)))
        .method_not_allowed_fallback(not_that_way)
        .layer(CatchPanicLayer::custom(panicked))
        .layer(from_fn_with_state(control.backend(), ui::refusals::layer))
        .layer(from_fn_with_state(secure, headers::layer))
        .layer(from_fn_with_state(trusted, request::layer))
}

/// Gives up on an answer that does not begin in time. What was committed by then stays.
async fn deadline(request: Request, next: Next) -> Response {
    let route = request.extensions().get::<MatchedPath>().map(MatchedPath::as_str);
    let uploads = request.method() == Method::POST && route.is_some_and(|route| UPLOADS.contains(&route));
    let deadline = if uploads { UPLOAD_DEADLINE } else { DEADLINE };
    tokio::time::timeout(deadline, next.run(request)).await.unwrap_or_else(|_| {
        let sentence =
            format!("This took longer than {} s and was given up. Look at what it was to change, then try again.", deadline.as_secs());
        Problem(Error::unavailable("too_slow", sentence)).into_response()
    })
}

/// 200 where requests can be answered, else 503; either way a line for each part.
async fn ready(State(control): State<Arc<Control>>) -> (StatusCode, String) {
    let parts = control.parts().await;
    let ready = parts.iter().all(|part| part.why_not.is_none() || !part.needed);
    let lines = parts.iter().map(|part| format!("{:<7} {}\n", part.name, part.why_not.unwrap_or("ready"))).collect();
    (if ready { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE }, lines)
}

/// Figures for Prometheus. Asked for with a token of the scope `metrics`, also from this machine: behind a proxy everybody
/// seems to come from here.
async fn figures(State(control): State<Arc<Control>>, Asker(actor): Asker) -> Result<Response, Problem> {
    Ok(([(CONTENT_TYPE, metrics::MEDIA_TYPE)], control.metrics(&actor).await?).into_response())
}

async fn nothing_here() -> Problem {
    Problem(Error::not_found("not_found", "There is nothing at this address. `/api` lists what there is."))
}

async fn not_that_way() -> Response {
    let error = Error::invalid("method_not_allowed", "This address does not take this method. `/api` lists which it takes.");
    let mut response = Problem(error).into_response();
    *response.status_mut() = StatusCode::METHOD_NOT_ALLOWED;
    response
}

// The signature is the layer's.
#[allow(clippy::needless_pass_by_value)]
fn panicked(panic: Box<dyn Any + Send>) -> Response {
    let text = panic.downcast_ref::<String>().cloned().or_else(|| panic.downcast_ref::<&str>().map(ToString::to_string));
    Problem(Error::internal(format!("a handler panicked: {}", text.unwrap_or_default()))).into_response()
}
