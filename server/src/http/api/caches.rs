//! What steps of a service left for those of the next runs.

use app::{
    backend::Backend,
    model::{Cache, ServiceName, TeamName},
};
use axum::{Json as Body, extract::State};
use http::StatusCode;

use super::{Answer, Done};
use crate::http::extract::{Asker, Path};

/// The caches of the service's steps, the one used last first; for a week also those that were given up, and why.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/caches", tag = "services", operation_id = "list_caches",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = Vec<Cache>))
)]
pub async fn list(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<Vec<Cache>> {
    Ok(Body(backend.services.caches(&actor, &team, &service).await?))
}

/// Gives up all caches of the service's steps: those that are in use, once their steps end.
#[utoipa::path(
    delete, path = "/teams/{team}/services/{service}/caches", tag = "services", operation_id = "clear_caches",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 204))
)]
pub async fn clear(State(backend): State<Backend>, Asker(actor): Asker, Path((team, service)): Path<(TeamName, ServiceName)>) -> Done {
    backend.services.clear_caches(&actor, &team, &service).await?;
    Ok(StatusCode::NO_CONTENT)
}
