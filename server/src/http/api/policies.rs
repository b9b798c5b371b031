//! What newer pushes do to the runs before them.

use app::{
    backend::Backend,
    model::{PushPolicy, ServiceName, TeamName},
};
use axum::{Json as Body, extract::State};

use super::Answer;
use crate::http::extract::{Asker, Json, Path};

/// What a newer push does to the runs of its branch that have not ended.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/push-policy", tag = "services", operation_id = "push_policy",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = PushPolicy))
)]
pub async fn show(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<PushPolicy> {
    Ok(Body(backend.services.push_policy(&actor, &team, &service).await?))
}

/// Changes what a newer push does to the runs of its branch that have not ended.
#[utoipa::path(
    put, path = "/teams/{team}/services/{service}/push-policy", tag = "services", operation_id = "set_push_policy",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    request_body = PushPolicy, responses((status = 200, body = PushPolicy))
)]
pub async fn set(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Json(policy): Json<PushPolicy>,
) -> Answer<PushPolicy> {
    Ok(Body(backend.services.set_push_policy(&actor, &team, &service, policy).await?))
}
