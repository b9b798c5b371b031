//! Repositories that live elsewhere and are mirrored here.

use app::{
    backend::Backend,
    model::{Mirror, MirrorChange, NewHook, NewMirror, ServiceName, TeamName},
};
use axum::{Json as Body, extract::State};
use http::StatusCode;

use super::{Answer, Created};
use crate::http::extract::{Asker, Json, Path};

/// How the mirror is that a service is built from; null where its repository is pushed to.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/mirror", tag = "mirrors", operation_id = "show_mirror",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = Option<Mirror>))
)]
pub async fn show(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<Option<Mirror>> {
    Ok(Body(backend.mirrors.show(&actor, &team, &service).await?))
}

/// Has the repository of a service, which is pushed to, mirror one that lives elsewhere from now on. Its runs, candidates and releases
/// stay; branches and tags that are not there go with the first fetch.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/mirror", tag = "mirrors", operation_id = "add_mirror",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    request_body = NewMirror, responses((status = 201, body = Mirror))
)]
pub async fn add(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Json(new): Json<NewMirror>,
) -> Created<Mirror> {
    Ok((StatusCode::CREATED, Body(backend.mirrors.add(&actor, &team, &service, new).await?)))
}

/// Changes a mirror; what is absent stays. Its token is never shown again.
#[utoipa::path(
    patch, path = "/teams/{team}/services/{service}/mirror", tag = "mirrors", operation_id = "change_mirror",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    request_body = MirrorChange, responses((status = 200, body = Mirror))
)]
pub async fn change(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Json(change): Json<MirrorChange>,
) -> Answer<Mirror> {
    Ok(Body(backend.mirrors.change(&actor, &team, &service, change).await?))
}

/// Asks for a mirror to be fetched at once.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/mirror/actions/fetch", tag = "mirrors", operation_id = "fetch_mirror",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = Mirror))
)]
pub async fn fetch(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<Mirror> {
    Ok(Body(backend.mirrors.fetch(&actor, &team, &service).await?))
}

/// Forgets the keys that a mirror's host showed at first sight: those it shows next are kept.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/mirror/actions/forget-host-keys", tag = "mirrors", operation_id = "forget_host_keys",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = Mirror))
)]
pub async fn forget_host_keys(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<Mirror> {
    Ok(Body(backend.mirrors.forget_host_keys(&actor, &team, &service).await?))
}

/// Makes a new secret for a mirror's hooks, in the place of the one before. It is shown this once.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/mirror/actions/new-hook", tag = "mirrors", operation_id = "new_hook",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = NewHook))
)]
pub async fn new_hook(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<NewHook> {
    Ok(Body(backend.mirrors.new_hook(&actor, &team, &service).await?))
}
