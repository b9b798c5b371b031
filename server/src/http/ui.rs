//! The console: binds the list of its pages to the web server, and says to its islands what changes.

mod badge;
mod live;
pub mod refusals;

use std::sync::Arc;

use app::{
    backend::Backend,
    caller::{Answer, Assets, Caller, Fields},
    error::Error,
    locales::Lang,
    model::{Actor, PlatformRole},
    pages::{Rendered, render},
    routes::{Need, PAGES, PageRoute},
};
use axum::{
    Router,
    extract::{FromRef, FromRequest as _, FromRequestParts as _, Path, Query, Request},
    http::{HeaderMap, StatusCode, header, request::Parts},
    response::{Html, IntoResponse as _, Redirect, Response},
    routing::{get, post},
};
use tokio_util::sync::CancellationToken;
use tower_sessions::Session;

use super::{
    assets, extract, problem,
    request::{self, Peer},
    session,
};
use crate::{control::Control, wake::Wake};

/// What every page needs.
#[derive(Clone)]
struct Console {
    backend: Backend,
    url: Arc<str>,
    wake: Wake,
    stop: CancellationToken,
}

impl FromRef<Console> for CancellationToken {
    fn from_ref(console: &Console) -> Self {
        console.stop.clone()
    }
}

/// The pages, and what their islands listen to.
pub fn router(control: &Arc<Control>, stop: CancellationToken) -> Router {
    let console = Console { backend: control.backend(), url: control.config.url.as_str().into(), wake: control.wake.clone(), stop };
    let mut router = Router::new().route("/live", get(live::changes)).route("/steps/{step}/log", get(live::log));
    router = router.route("/teams/{team}/services/{service}/badge.svg", get(badge::show));
    for page in PAGES {
        let show = {
            let console = console.clone();
            get(move |request: Request| answer(console, Some(page), request))
        };
        let send = {
            let console = console.clone();
            post(move |request: Request| answer(console, Some(page), request))
        };
        router = router.route(page.path, if page.form.is_some() { show.merge(send) } else { show });
    }
    let nothing = console.clone();
    router.fallback(move |request: Request| answer(nothing, None, request)).with_state(console)
}

/// Answers one request.
async fn answer(console: Console, page: Option<&'static PageRoute>, request: Request) -> Response {
    let send = page.is_some() && request.method() == http::Method::POST;
    let (mut parts, body) = request.into_parts();
    let session = parts.extensions.get::<Session>().cloned();
    let mut caller = match caller(&console, &mut parts).await {
        Ok(caller) => caller,
        Err(error) => return problem::Problem(error).into_response(),
    };
    if let Some(elsewhere) = keep_out(page, &caller, &parts) {
        return elsewhere;
    }
    let page = page.filter(|page| page.need != Need::Admin || caller.is_admin());
    if send {
        let request = Request::from_parts(parts, body);
        caller.form = match axum::Form::<Vec<(String, String)>>::from_request(request, &()).await {
            Ok(axum::Form(fields)) => Fields(fields),
            Err(refused) => return extract::refused_form(&refused).into_response(),
        };
    }
    let (rendered, problem) = render(page, caller, send).await;
    if let Some(error) = problem {
        problem::log(&error);
    }
    match rendered {
        Rendered::Document(status, html) => (StatusCode::from_u16(status).unwrap_or_default(), Html(html)).into_response(),
        Rendered::Other(answer) => go(&console, session, answer).await,
    }
}

/// Carries out what is no screen. After a form a browser is sent on with 303, so that going back sends nothing again.
async fn go(console: &Console, session: Option<Session>, answer: Answer) -> Response {
    let left = matches!(answer, Answer::SignedIn(..) | Answer::SignedOut(_));
    let (done, to) = match (answer, session) {
        (Answer::SignedIn(user, to), Some(session)) => (session::sign_in(&session, &console.backend, &user).await, to),
        (Answer::SignedOut(to), Some(session)) => (session::sign_out(&session).await, to),
        (Answer::Go(to) | Answer::SignedIn(_, to) | Answer::SignedOut(to), _) => (Ok(()), to),
        (Answer::Screen(_), _) => (Err(Error::internal("a screen that was not rendered")), String::new()),
    };
    if left {
        // The session of before has ended, and with it what listens under it.
        console.wake.rights_moved();
    }
    match done {
        Ok(()) => Redirect::to(&to).into_response(),
        Err(error) => problem::Problem(error).into_response(),
    }
}

/// Sends who is not signed in to do so first, and back here afterwards.
fn keep_out(page: Option<&'static PageRoute>, caller: &Caller, parts: &Parts) -> Option<Response> {
    let open = page.is_none_or(|page| page.need == Need::Nothing);
    if open || caller.me.is_some() {
        return None;
    }
    let here = if parts.method == http::Method::GET { parts.uri.path_and_query()?.as_str() } else { parts.uri.path() };
    let to: String = percent_encoding::utf8_percent_encode(here, percent_encoding::NON_ALPHANUMERIC).collect();
    Some(Redirect::to(&format!("/login?to={to}")).into_response())
}

async fn caller(console: &Console, parts: &mut Parts) -> Result<Caller, Error> {
    let actor = parts.extensions.get::<Arc<Actor>>().map(|actor| Actor::clone(actor));
    let me = match &actor {
        Some(actor) => Some(console.backend.accounts.me(actor).await?),
        None => None,
    };
    let Peer(peer) = parts.extensions.get::<Peer>().cloned().unwrap_or_default();
    let params = Path::<Vec<(String, String)>>::from_request_parts(parts, &()).await.map(|Path(params)| params);
    let query = Query::<Vec<(String, String)>>::from_request_parts(parts, &()).await.map(|Query(query)| query);
    let query = Fields(query.unwrap_or_default());
    let chosen = me.as_ref().and_then(|me| me.language.as_deref()).unwrap_or_else(|| query.get("lang"));
    let lang = Lang::from_code(chosen).unwrap_or_else(|| browser_language(&parts.headers));
    // The seam decides by the actor; what is shown goes by the same.
    let me = me.map(|mut me| {
        me.platform = actor.as_ref().map_or(PlatformRole::None, |actor| actor.platform);
        me
    });
    Ok(Caller {
        backend: console.backend.clone(),
        actor,
        me,
        lang,
        path: parts.uri.path().to_owned(),
        params: Fields(params.unwrap_or_default()),
        query,
        form: Fields::default(),
        problem: None,
        request: request::id(),
        peer,
        url: console.url.to_string(),
        assets: assets(),
    })
}

fn browser_language(headers: &HeaderMap) -> Lang {
    let asked = headers.get(header::ACCEPT_LANGUAGE).and_then(|value| value.to_str().ok());
    Lang::from_header(asked.unwrap_or_default())
}

fn assets() -> Assets {
    let url = |name: &str| assets::url(name).unwrap_or_default().to_owned();
    let bundle = assets::HAS_WASM.then(|| (url("berth.js"), url("berth_bg.wasm")));
    Assets { css: url("main.css"), boot: url("boot.js"), icon: url("favicon.svg"), bundle }
}
