//! Services, their targets and routes.

use app::{
    backend::Backend,
    model::{
        Board, EnvironmentName, Move, NewService, Page, PageRequest, Route, RouteId, Service, ServiceName, ServiceOverview, Target,
        TeamName,
    },
};
use axum::{Json as Body, extract::State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Answer, Created, Done};
use crate::http::extract::{Asker, Json, Path, Query};

/// Repeats a name before something is destroyed.
#[derive(Deserialize)]
pub struct Confirm {
    #[serde(default)]
    confirm: String,
}

/// An environment to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewTarget {
    /// Which one.
    pub environment: EnvironmentName,
}

/// A host name to add.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewRoute {
    /// The host name, for example `shop.example.com`.
    pub host: String,
    /// The path it starts with; absent: `/`.
    #[serde(default)]
    pub path: Option<String>,
}

/// The home grid: every service × environment.
#[utoipa::path(
    get, path = "/teams/{team}/targets", tag = "services",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("cursor" = Option<String>, Query, description = "Where the last page ended"),
        ("limit" = Option<u32>, Query, description = "How many services, 1 to 200")
    ),
    responses((status = 200, body = Board))
)]
pub async fn board(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(team): Path<TeamName>,
    Query(page): Query<PageRequest>,
) -> Answer<Board> {
    Ok(Body(backend.services.board(&actor, &team, &page).await?))
}

/// The team's services, by name.
#[utoipa::path(
    get, path = "/teams/{team}/services", tag = "services", operation_id = "list_services",
    params(
        ("team" = TeamName, Path, description = "Which team"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u32>, Query, description = "1 to 200")
    ),
    responses((status = 200, body = Page<Service>))
)]
pub async fn list(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(team): Path<TeamName>,
    Query(page): Query<PageRequest>,
) -> Answer<Page<Service>> {
    Ok(Body(backend.services.list(&actor, &team, &page).await?))
}

/// Creates a service with its first targets, built from a repository that is there or from a new one.
#[utoipa::path(
    post, path = "/teams/{team}/services", tag = "services", operation_id = "create_service",
    params(("team" = TeamName, Path, description = "Which team")), request_body = NewService, responses((status = 201, body = Service))
)]
pub async fn create(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(team): Path<TeamName>,
    Json(service): Json<NewService>,
) -> Created<Service> {
    Ok((StatusCode::CREATED, Body(backend.services.create(&actor, &team, service).await?)))
}

/// One service.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}", tag = "services", operation_id = "show_service",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = Service))
)]
pub async fn show(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<Service> {
    Ok(Body(backend.services.show(&actor, &team, &service).await?))
}

/// Has a service built from another repository in future; its runs, candidates and releases stay as they are.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/actions/move", tag = "services", operation_id = "move_service",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    request_body = Move, responses((status = 200, body = Service))
)]
pub async fn move_to(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Json(to): Json<Move>,
) -> Answer<Service> {
    Ok(Body(backend.services.move_to(&actor, &team, &service, to).await?))
}

/// Deletes a service with its releases and runs, and its repository unless others are built from it; what runs is taken down
/// in the background.
#[utoipa::path(
    delete, path = "/teams/{team}/services/{service}", tag = "services", operation_id = "delete_service",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("confirm" = String, Query, description = "The service's name again")
    ),
    responses((status = 202))
)]
pub async fn delete(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Query(Confirm { confirm }): Query<Confirm>,
) -> Done {
    backend.services.delete(&actor, &team, &service, &confirm).await?;
    Ok(StatusCode::ACCEPTED)
}

/// One service with its targets, last runs and candidates.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/overview", tag = "services",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    responses((status = 200, body = ServiceOverview))
)]
pub async fn overview(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
) -> Answer<ServiceOverview> {
    Ok(Body(backend.services.overview(&actor, &team, &service).await?))
}

/// Adds the service to an environment.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/targets", tag = "services",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    request_body = NewTarget, responses((status = 201, body = Target))
)]
pub async fn add_environment(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Json(target): Json<NewTarget>,
) -> Created<Target> {
    Ok((StatusCode::CREATED, Body(backend.services.add_environment(&actor, &team, &service, &target.environment).await?)))
}

/// One target.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/targets/{environment}", tag = "services", operation_id = "show_target",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("environment" = EnvironmentName, Path, description = "In which environment")
    ),
    responses((status = 200, body = Target))
)]
pub async fn target(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, environment)): Path<(TeamName, ServiceName, EnvironmentName)>,
) -> Answer<Target> {
    Ok(Body(backend.services.target(&actor, &team, &service, &environment).await?))
}

/// Leads a further host name to a target.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/targets/{environment}/routes", tag = "services",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("environment" = EnvironmentName, Path, description = "In which environment")
    ),
    request_body = NewRoute, responses((status = 201, body = Route))
)]
pub async fn add_route(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, environment)): Path<(TeamName, ServiceName, EnvironmentName)>,
    Json(route): Json<NewRoute>,
) -> Created<Route> {
    let path = route.path.as_deref().unwrap_or("/");
    Ok((StatusCode::CREATED, Body(backend.services.add_route(&actor, &team, &service, &environment, &route.host, path).await?)))
}

/// Takes a host name back.
#[utoipa::path(
    delete, path = "/teams/{team}/services/{service}/routes/{id}", tag = "services",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("id" = RouteId, Path, description = "Which route")
    ),
    responses((status = 204))
)]
pub async fn remove_route(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, id)): Path<(TeamName, ServiceName, RouteId)>,
) -> Done {
    backend.services.remove_route(&actor, &team, &service, &id).await?;
    Ok(StatusCode::NO_CONTENT)
}
