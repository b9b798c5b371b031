//! Secrets of a service that its steps are given by name.

use app::{
    backend::Backend,
    model::{ServiceName, StepSecret, TeamName},
};
use axum::{Json as Body, extract::State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Answer, Done};
use crate::http::extract::{Asker, Json, Path};

/// A value to keep.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SecretValue {
    /// The value; it is never shown again.
    pub value: String,
}

/// The names of the secrets that steps of the service may ask for.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/secrets", tag = "services", operation_id = "list_secrets",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = Vec<StepSecret>))
)]
pub async fn list(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<Vec<StepSecret>> {
    Ok(Body(backend.services.secrets(&actor, &team, &service).await?))
}

/// Keeps a secret, in the place of the one of this name. Its value is never shown again.
#[utoipa::path(
    put, path = "/teams/{team}/services/{service}/secrets/{name}", tag = "services", operation_id = "set_secret",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("name" = String, Path, description = "The name of the variable in the step")
    ),
    request_body = SecretValue, responses((status = 204))
)]
pub async fn set(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, name)): Path<(TeamName, ServiceName, String)>,
    Json(secret): Json<SecretValue>,
) -> Done {
    backend.services.set_secret(&actor, &team, &service, &name, &secret.value).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Forgets a secret. One that is not there is fine.
#[utoipa::path(
    delete, path = "/teams/{team}/services/{service}/secrets/{name}", tag = "services", operation_id = "unset_secret",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("name" = String, Path, description = "Which secret")
    ),
    responses((status = 204))
)]
pub async fn unset(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, name)): Path<(TeamName, ServiceName, String)>,
) -> Done {
    backend.services.unset_secret(&actor, &team, &service, &name).await?;
    Ok(StatusCode::NO_CONTENT)
}
