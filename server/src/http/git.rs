//! Git over smart HTTP: `/git/TEAM/REPOSITORY.git`. The user name is anything, the password is a token. Both ways are
//! streamed; what a push leads to is relayed on the side band.

mod body;
mod receive;

use std::sync::Arc;

use app::{
    error::{Error, Kind, Result},
    model::{RepositoryName, TeamName},
};
use axum::{
    Router,
    body::Body,
    extract::{Path, Query, Request, State},
    response::{IntoResponse, Response},
    routing::{get, post},
};
use base64::{Engine as _, engine::general_purpose::STANDARD};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use tokio_util::sync::CancellationToken;

use super::{
    problem,
    request::{self, Peer},
    standing::{Ends, Judge, Standing},
};
use crate::{
    auth::rights::Action,
    control::Control,
    git::{self, Service},
    store::repositories::RepositoryRow,
};

/// What the handlers are given.
#[derive(Clone)]
struct Door {
    control: Arc<Control>,
    judge: Judge,
    stop: CancellationToken,
}

/// Git over HTTP. `stop` ends what is relayed.
pub fn router(control: &Arc<Control>, stop: CancellationToken) -> Router {
    let door = Door { judge: Judge::new(control), control: Arc::clone(control), stop };
    Router::new()
        .route("/git/{team}/{repository}/info/refs", get(info_refs))
        .route("/git/{team}/{repository}/git-upload-pack", post(upload_pack))
        .route("/git/{team}/{repository}/git-receive-pack", post(receive_pack))
        .with_state(door)
}

/// An error as `git` shows it: plain text, and a challenge where nobody is signed in.
struct Refusal(Error);

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self(error)
    }
}

impl From<git::GitError> for Refusal {
    fn from(error: git::GitError) -> Self {
        Self(Error::internal(error))
    }
}

impl IntoResponse for Refusal {
    fn into_response(self) -> Response {
        let Self(error) = self;
        problem::log(&error);
        let status = StatusCode::from_u16(error.kind.status()).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut sentence = error.sentence;
        if error.kind == Kind::Internal {
            sentence = format!("{sentence} (request {})", request::id());
        }
        let mut response = (status, [(header::CONTENT_TYPE, "text/plain; charset=utf-8")], format!("{sentence}\n")).into_response();
        if error.kind == Kind::Unauthenticated {
            let challenge = http::HeaderValue::from_static("Basic realm=\"Berth: any user name, a token as the password\"");
            response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
        }
        response
    }
}

#[derive(Deserialize)]
struct Asked {
    service: Option<String>,
}

async fn info_refs(
    State(door): State<Door>,
    Path(names): Path<(String, String)>,
    Query(asked): Query<Asked>,
    request: Request,
) -> Result<Response, Refusal> {
    let service = asked
        .service
        .as_deref()
        .and_then(Service::from_name)
        .ok_or_else(|| Error::forbidden("dumb_http", "Berth speaks Git's smart protocol only. Use a `git` from this decade."))?;
    let (_, repository) = door.open(Asks::of(&request), &names, service).await?;
    let folder = door.control.repository_folder(&repository);
    if service == Service::Receive {
        // Here already: what is answered later, before the push itself is taken, `git` does not show.
        git::has_room(&folder).await?;
    }
    let refs = git::advertise(&folder, service, version_2(request.headers())).await?;
    Ok(answer(service, "advertisement", Body::from(refs)))
}

async fn upload_pack(State(door): State<Door>, Path(names): Path<(String, String)>, request: Request) -> Result<Response, Refusal> {
    let (_, repository) = door.open(Asks::of(&request), &names, Service::Upload).await?;
    let folder = door.control.repository_folder(&repository);
    let serving = git::serve(&folder, Service::Upload, version_2(request.headers()))?;
    let body = body::fetch(serving, request).await?;
    Ok(answer(Service::Upload, "result", body))
}

async fn receive_pack(State(door): State<Door>, Path(names): Path<(String, String)>, request: Request) -> Result<Response, Refusal> {
    let (standing, repository) = door.open(Asks::of(&request), &names, Service::Receive).await?;
    let folder = door.control.repository_folder(&repository);
    git::has_room(&folder).await?;
    let serving = git::serve(&folder, Service::Receive, false)?;
    let push = receive::Push { control: door.control, actor: standing.actor.clone(), repository, ends: Ends::new(door.stop, standing) };
    let body = receive::push(push, serving, request).await?;
    Ok(answer(Service::Receive, "result", body))
}

/// What a request says of who asks.
struct Asks {
    token: Option<String>,
    peer: Peer,
}

impl Asks {
    fn of(request: &Request) -> Self {
        Self { token: token_of(request.headers()), peer: request.extensions().get::<Peer>().cloned().unwrap_or_default() }
    }
}

impl Door {
    /// Who asks, and the repository, made if this is its first use.
    async fn open(&self, asks: Asks, names: &(String, String), service: Service) -> Result<(Standing, RepositoryRow), Refusal> {
        let token = asks.token.ok_or_else(|| {
            Error::unauthenticated(
                "not_signed_in",
                "Sign in with any user name and an API token as the password; `berth token create` makes one.",
            )
        })?;
        let standing = self.judge.token(&token, &asks.peer).await?;
        request::asked_by(&standing.actor);
        let action = if service == Service::Receive { Action::GitWrite } else { Action::GitRead };
        let team: TeamName = names.0.parse().map_err(|_| crate::control::unknown_team())?;
        let name = names.1.strip_suffix(".git").unwrap_or(&names.1);
        let name: RepositoryName = name.parse().map_err(|_| Error::not_found("unknown_repository", "There is no such repository."))?;
        let repository = self.control.repository(&standing.actor, &team, &name, action).await?;
        if let (Some(mirrors), Service::Receive) = (&repository.mirrors, service) {
            let sentence = format!("`{name}` mirrors {}, so it takes no pushes. Push there: Berth fetches it.", mirrors.address);
            return Err(Error::forbidden("mirror", sentence).into());
        }
        let (folder, branch) = (self.control.repository_folder(&repository), repository.default_branch.clone());
        // Whole, or the next one finds half of it.
        request::detached(async move { Ok(git::ensure_bare(&folder, &branch).await) }).await??;
        Ok((standing, repository))
    }
}

/// The token of a request: the password of Basic, or a bearer token.
fn token_of(headers: &HeaderMap) -> Option<String> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, rest) = value.split_once(' ')?;
    if scheme.eq_ignore_ascii_case("bearer") {
        return Some(rest.trim().to_owned());
    }
    if !scheme.eq_ignore_ascii_case("basic") {
        return None;
    }
    let decoded = String::from_utf8(STANDARD.decode(rest.trim()).ok()?).ok()?;
    let (user, password) = decoded.split_once(':')?;
    let token = if password.is_empty() { user } else { password };
    (!token.is_empty()).then(|| token.to_owned())
}

fn version_2(headers: &HeaderMap) -> bool {
    headers.get("git-protocol").and_then(|value| value.to_str().ok()).is_some_and(|value| value.split(':').any(|part| part == "version=2"))
}

fn answer(service: Service, kind: &str, body: Body) -> Response {
    let content = format!("application/x-{}-{kind}", service.name());
    ([(header::CONTENT_TYPE, content), (header::CACHE_CONTROL, "no-cache, no-store".to_owned())], body).into_response()
}
