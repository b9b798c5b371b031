//! The `berth.yaml` of a service's repository, to be read and to be written.

use app::{
    backend::Backend,
    model::{PipelineCheck, PipelineDraft, PipelineFile, ServiceName, TeamName},
};
use axum::{Json as Body, extract::State};

use super::Answer;
use crate::http::extract::{Asker, Json, Path};

/// The `berth.yaml` at the head of the default branch.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/pipeline", tag = "pipeline", operation_id = "pipeline_file",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = PipelineFile))
)]
pub async fn file(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<PipelineFile> {
    Ok(Body(backend.pipelines.file(&actor, &team, &service).await?))
}

/// Checks a text in the place of that file: every problem at its line and column, or what a push of it would run. Nothing is
/// stored.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/pipeline/actions/check", tag = "pipeline", operation_id = "check_pipeline",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    request_body = PipelineDraft, responses((status = 200, body = PipelineCheck))
)]
pub async fn check(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Json(draft): Json<PipelineDraft>,
) -> Answer<PipelineCheck> {
    Ok(Body(backend.pipelines.check(&actor, &team, &service, draft).await?))
}
