//! Releases, config, scale, rollouts, logs of what runs.

use std::collections::BTreeMap;

use app::{
    backend::Backend,
    error::Error,
    model::{
        Change, ConfigChange, ConfigSet, EnvironmentName, LogLine, Page, PageRequest, Release, Rollout, RolloutId, ServiceName, Source,
        TeamName,
    },
};
use axum::{
    Json as Body,
    extract::State,
    response::{IntoResponse as _, Response},
};
use futures::StreamExt as _;
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{Answer, Done};
use crate::http::{
    extract::{Asker, Json, Path, Query},
    live,
    problem::Problem,
    standing::Ends,
};

type Where = Path<(TeamName, ServiceName, EnvironmentName)>;

/// Whether to say only what would happen.
#[derive(Deserialize)]
pub struct DryRun {
    #[serde(default)]
    dry_run: bool,
}

/// How many instances to run.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// By process: `{"web": 2}`.
    pub replicas: BTreeMap<String, u32>,
}

/// Which version of the variables.
#[derive(Deserialize)]
pub struct WhichSet {
    #[serde(default)]
    set: Option<u64>,
}

/// Which lines.
#[derive(Deserialize)]
pub struct Tail {
    #[serde(default)]
    tail: Option<u32>,
    #[serde(default)]
    follow: bool,
}

/// Where change is only shown, nothing was accepted.
fn changed(change: Change, dry_run: bool) -> Response {
    let status = if dry_run || change.release.is_none() { StatusCode::OK } else { StatusCode::ACCEPTED };
    (status, Body(change)).into_response()
}

/// Deploys a candidate, an image from outside, what another environment runs, or what an earlier release had.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/targets/{environment}/actions/deploy", tag = "releases",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("environment" = EnvironmentName, Path, description = "In which environment"),
        ("dry_run" = Option<bool>, Query, description = "Only say what would happen")
    ),
    request_body = Source,
    responses((status = 202, body = Change), (status = 200, body = Change, description = "A dry run, or nothing to change"))
)]
pub async fn deploy(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, environment)): Where,
    Query(DryRun { dry_run }): Query<DryRun>,
    Json(source): Json<Source>,
) -> Result<Response, Problem> {
    Ok(changed(backend.releases.deploy(&actor, &team, &service, &environment, source, dry_run).await?, dry_run))
}

/// Sets the number of instances.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/targets/{environment}/actions/scale", tag = "releases",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("environment" = EnvironmentName, Path, description = "In which environment"),
        ("dry_run" = Option<bool>, Query, description = "Only say what would happen")
    ),
    request_body = Scale,
    responses((status = 202, body = Change), (status = 200, body = Change, description = "A dry run, or nothing to change"))
)]
pub async fn scale(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, environment)): Where,
    Query(DryRun { dry_run }): Query<DryRun>,
    Json(scale): Json<Scale>,
) -> Result<Response, Problem> {
    Ok(changed(backend.releases.scale(&actor, &team, &service, &environment, scale.replicas, dry_run).await?, dry_run))
}

/// The variables: the newest set, or the one asked for. Its number is the `ETag`.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/targets/{environment}/config", tag = "config",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("environment" = EnvironmentName, Path, description = "In which environment"),
        ("set" = Option<u64>, Query, description = "The number of an earlier set")
    ),
    responses((status = 200, body = ConfigSet))
)]
pub async fn config(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, environment)): Where,
    Query(WhichSet { set }): Query<WhichSet>,
) -> Result<Response, Problem> {
    let set = backend.releases.config(&actor, &team, &service, &environment, set).await?;
    Ok(([(header::ETAG, format!("\"{}\"", set.number))], Body(set)).into_response())
}

/// The number in an `If-Match` header.
fn base(headers: &HeaderMap) -> Result<Option<u64>, Problem> {
    let Some(value) = headers.get(header::IF_MATCH) else { return Ok(None) };
    let number = value.to_str().ok().map(|text| text.trim().trim_start_matches("W/").trim_matches('"'));
    match number {
        Some("*") => Ok(None),
        number => number.and_then(|number| number.parse().ok()).map(Some).ok_or_else(|| {
            Problem(Error::invalid("invalid_if_match", "`If-Match` takes the `ETag` of the variables: the number of their set in quotes."))
        }),
    }
}

/// Changes variables. With `If-Match`, only where nobody changed them since.
#[utoipa::path(
    patch, path = "/teams/{team}/services/{service}/targets/{environment}/config", tag = "config",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("environment" = EnvironmentName, Path, description = "In which environment"),
        ("dry_run" = Option<bool>, Query, description = "Only say what would happen"),
        ("If-Match" = Option<String>, Header, description = "The `ETag` the change is based on")
    ),
    request_body = ConfigChange,
    responses((status = 202, body = Change), (status = 200, body = Change, description = "A dry run, or nothing was ever deployed"))
)]
pub async fn change_config(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, environment)): Where,
    Query(DryRun { dry_run }): Query<DryRun>,
    headers: HeaderMap,
    Json(change): Json<ConfigChange>,
) -> Result<Response, Problem> {
    let base = base(&headers)?;
    Ok(changed(backend.releases.change_config(&actor, &team, &service, &environment, change, base, dry_run).await?, dry_run))
}

/// The versions of the variables, newest first.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/targets/{environment}/config/sets", tag = "config",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("environment" = EnvironmentName, Path, description = "In which environment"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u32>, Query, description = "1 to 200")
    ),
    responses((status = 200, body = Page<ConfigSet>))
)]
pub async fn config_sets(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, environment)): Where,
    Query(page): Query<PageRequest>,
) -> Answer<Page<ConfigSet>> {
    Ok(Body(backend.releases.config_sets(&actor, &team, &service, &environment, &page).await?))
}

/// The releases of a target, newest first.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/targets/{environment}/releases", tag = "releases",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("environment" = EnvironmentName, Path, description = "In which environment"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u32>, Query, description = "1 to 200")
    ),
    responses((status = 200, body = Page<Release>))
)]
pub async fn releases(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, environment)): Where,
    Query(page): Query<PageRequest>,
) -> Answer<Page<Release>> {
    Ok(Body(backend.releases.releases(&actor, &team, &service, &environment, &page).await?))
}

/// The last lines of the instances' logs; with `follow` as a stream of events `line`.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/targets/{environment}/logs", tag = "releases", operation_id = "target_logs",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("environment" = EnvironmentName, Path, description = "In which environment"),
        ("tail" = Option<u32>, Query, description = "How many lines back; absent: 100"),
        ("follow" = Option<bool>, Query, description = "Go on with what comes (text/event-stream)")
    ),
    responses((status = 200, content((Vec<LogLine> = "application/json"), (LogLine = "text/event-stream"))))
)]
pub async fn logs(
    State(backend): State<Backend>,
    ends: Ends,
    Asker(actor): Asker,
    Path((team, service, environment)): Where,
    Query(Tail { tail, follow }): Query<Tail>,
) -> Result<Response, Problem> {
    let lines = backend.releases.logs(&actor, &team, &service, &environment, tail.unwrap_or(100).min(10_000), follow).await?;
    if follow {
        return Ok(live::items("line", lines, ends));
    }
    Ok(Body(lines.collect::<Vec<_>>().await).into_response())
}

/// One rollout with its evidence.
#[utoipa::path(
    get, path = "/rollouts/{id}", tag = "rollouts", operation_id = "show_rollout",
    params(("id" = RolloutId, Path, description = "Which one")), responses((status = 200, body = Rollout))
)]
pub async fn rollout(State(backend): State<Backend>, Asker(actor): Asker, Path(id): Path<RolloutId>) -> Answer<Rollout> {
    Ok(Body(backend.releases.rollout(&actor, &id).await?))
}

/// Asks for a rollout to be stopped; the old release goes on serving.
#[utoipa::path(
    post, path = "/rollouts/{id}/actions/cancel", tag = "rollouts", operation_id = "cancel_rollout",
    params(("id" = RolloutId, Path, description = "Which one")), responses((status = 202))
)]
pub async fn cancel(State(backend): State<Backend>, Asker(actor): Asker, Path(id): Path<RolloutId>) -> Done {
    backend.releases.cancel_rollout(&actor, &id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A rollout as it goes: an event `rollout` whenever it changes, `end` when it has ended.
#[utoipa::path(
    get, path = "/rollouts/{id}/stream", tag = "rollouts", operation_id = "stream_rollout",
    params(("id" = RolloutId, Path, description = "Which one")),
    responses((status = 200, body = Rollout, content_type = "text/event-stream"))
)]
pub async fn stream(
    State(backend): State<Backend>,
    ends: Ends,
    Asker(actor): Asker,
    Path(id): Path<RolloutId>,
) -> Result<Response, Problem> {
    backend.releases.rollout(&actor, &id).await?;
    let changes = backend.platform.changes(&actor).await?;
    let topic = format!("rollout:{id}");
    let look = move || {
        let (backend, actor, id) = (backend.clone(), actor.clone(), id.clone());
        async move { backend.releases.rollout(&actor, &id).await }
    };
    Ok(live::thing("rollout", changes, move |changed| changed.topic == topic, look, |rollout: &Rollout| rollout.state.ended(), ends))
}
