//! Runs, their logs, candidates.

use app::{
    backend::Backend,
    error::Error,
    model::{
        Candidate, LogLine, LogRange, Page, PageRequest, RetryFrom, Run, RunBrief, RunFilter, RunState, ServiceName, StartRun, StepId,
        TeamName, Triggers,
    },
};
use axum::{Json as Body, extract::State, response::Response};
use http::{HeaderMap, StatusCode};
use serde::Deserialize;

use super::{Answer, Created, Done};
use crate::http::{
    extract::{Asker, Json, Path, Query},
    live,
    problem::Problem,
    standing::Ends,
};

/// Which lines of a log.
#[derive(Deserialize)]
pub struct Lines {
    #[serde(default)]
    from: Option<u64>,
    #[serde(default)]
    to: Option<u64>,
    #[serde(default)]
    tail: Option<u32>,
    #[serde(default)]
    limit: Option<u32>,
}

/// The most lines that are given at once.
const MOST_LINES: u32 = 5_000;

/// Which runs, and which page of them.
#[derive(Deserialize)]
pub struct Listed {
    state: Option<RunState>,
    branch: Option<String>,
    by: Option<String>,
    text: Option<String>,
    cursor: Option<String>,
    limit: Option<u32>,
}

/// The runs of a service, newest first.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/runs", tag = "runs", operation_id = "list_runs",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("state" = Option<RunState>, Query, description = "In this state"), ("branch" = Option<String>, Query, description = "On this branch"),
        ("by" = Option<String>, Query, description = "Pushed or asked for by this person"),
        ("text" = Option<String>, Query, description = "With this in the commit's title, or of a commit that begins like this"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u32>, Query, description = "1 to 200")
    ),
    responses((status = 200, body = Page<RunBrief>))
)]
pub async fn list(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Query(Listed { state, branch, by, text, cursor, limit }): Query<Listed>,
) -> Answer<Page<RunBrief>> {
    let (filter, page) = (RunFilter { state, branch, by, text }, PageRequest { cursor, limit });
    Ok(Body(backend.runs.list(&actor, &team, &service, &filter, &page).await?))
}

/// One run with its stages and steps.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/runs/{number}", tag = "runs", operation_id = "show_run",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which run")
    ),
    responses((status = 200, body = Run))
)]
pub async fn show(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, number)): Path<(TeamName, ServiceName, u64)>,
) -> Answer<Run> {
    Ok(Body(backend.runs.show(&actor, &team, &service, number).await?))
}

/// Which branch.
#[derive(Deserialize)]
pub struct OfBranch {
    #[serde(default)]
    branch: Option<String>,
}

/// What makes runs begin beside a push of a branch: tags, schedules with their next time, and what a run takes.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/triggers", tag = "runs", operation_id = "run_triggers",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("branch" = Option<String>, Query, description = "The branch whose head is read; absent: the default one")
    ),
    responses((status = 200, body = Triggers))
)]
pub async fn triggers(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Query(OfBranch { branch }): Query<OfBranch>,
) -> Answer<Triggers> {
    Ok(Body(backend.runs.triggers(&actor, &team, &service, branch.as_deref()).await?))
}

/// Runs the head of a branch, whatever changed in it.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/runs", tag = "runs", operation_id = "start_run",
    params(("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service")),
    request_body = StartRun, responses((status = 202, body = RunBrief))
)]
pub async fn start(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Json(start): Json<StartRun>,
) -> Created<RunBrief> {
    Ok((StatusCode::ACCEPTED, Body(backend.runs.start(&actor, &team, &service, start).await?)))
}

/// Asks for a run to be stopped.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/runs/{number}/actions/cancel", tag = "runs", operation_id = "cancel_run",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which run")
    ),
    responses((status = 202))
)]
pub async fn cancel(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, number)): Path<(TeamName, ServiceName, u64)>,
) -> Done {
    backend.runs.cancel(&actor, &team, &service, number).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Where a run is begun again.
#[derive(Deserialize)]
pub struct Again {
    #[serde(default)]
    from: RetryFrom,
}

/// Runs the commit of an ended run again, as a new run: from its start, or going on where it failed, with its files, which are kept
/// for a day, and what had passed.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/runs/{number}/actions/retry", tag = "runs", operation_id = "retry_run",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which run"),
        ("from" = Option<RetryFrom>, Query, description = "`start` (where absent), `stage`: the one that failed, or `steps`: those of it that did not pass")
    ),
    responses((status = 202, body = RunBrief))
)]
pub async fn retry(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, number)): Path<(TeamName, ServiceName, u64)>,
    Query(Again { from }): Query<Again>,
) -> Created<RunBrief> {
    Ok((StatusCode::ACCEPTED, Body(backend.runs.retry(&actor, &team, &service, number, from).await?)))
}

/// Lets a run go on that waits for somebody to have read its commit: whoever asks for this has. Another commit needs another
/// approval.
#[utoipa::path(
    post, path = "/teams/{team}/services/{service}/runs/{number}/actions/approve", tag = "runs", operation_id = "approve_run",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which run")
    ),
    responses((status = 202))
)]
pub async fn approve(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service, number)): Path<(TeamName, ServiceName, u64)>,
) -> Done {
    backend.runs.approve(&actor, &team, &service, number).await?;
    Ok(StatusCode::ACCEPTED)
}

/// A run as it goes: an event `run` whenever it changes, `end` when it has ended.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/runs/{number}/stream", tag = "runs", operation_id = "stream_run",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("number" = u64, Path, description = "Which run")
    ),
    responses((status = 200, body = Run, content_type = "text/event-stream"))
)]
pub async fn stream(
    State(backend): State<Backend>,
    ends: Ends,
    Asker(actor): Asker,
    Path((team, service, number)): Path<(TeamName, ServiceName, u64)>,
) -> Result<Response, Problem> {
    backend.runs.show(&actor, &team, &service, number).await?;
    let changes = backend.platform.changes(&actor).await?;
    let look = move || {
        let (backend, actor, team, service) = (backend.clone(), actor.clone(), team.clone(), service.clone());
        async move { backend.runs.show(&actor, &team, &service, number).await }
    };
    Ok(live::thing("run", changes, |changed| changed.topic.starts_with("run:"), look, |run: &Run| run.state.ended(), ends))
}

/// Lines of a step's log: from one on, from one to another, or the last so many.
#[utoipa::path(
    get, path = "/steps/{id}/log", tag = "runs", operation_id = "step_log",
    params(
        ("id" = StepId, Path, description = "Which step"), ("from" = Option<u64>, Query, description = "The first line, from 1"),
        ("to" = Option<u64>, Query, description = "The last line"),
        ("tail" = Option<u32>, Query, description = "The last so many lines there are now, 1 to 5000; instead of `from` and `to`"),
        ("limit" = Option<u32>, Query, description = "1 to 5000; absent: 1000, or as many as `to` and `tail` ask for")
    ),
    responses((status = 200, body = LogRange))
)]
pub async fn log(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(id): Path<StepId>,
    Query(lines): Query<Lines>,
) -> Answer<LogRange> {
    let (mut from, mut most) = (lines.from.unwrap_or(1).max(1), 1_000);
    if let Some(tail) = lines.tail {
        let tail = tail.clamp(1, MOST_LINES);
        let total = backend.runs.log(&actor, &id, u64::MAX, 1).await?.total;
        (from, most) = ((total + 1).saturating_sub(u64::from(tail)).max(1), tail);
    } else if let Some(to) = lines.to {
        let wanted = to.checked_sub(from).ok_or_else(|| {
            Error::invalid("invalid_range", "The last line of a range comes not before its first: `?from=1&to=200`.").at("to")
        })?;
        most = u32::try_from(wanted.saturating_add(1)).unwrap_or(MOST_LINES);
    }
    let limit = lines.limit.map_or(most, |limit| if lines.to.is_some() || lines.tail.is_some() { limit.min(most) } else { limit });
    Ok(Body(backend.runs.log(&actor, &id, from, limit.clamp(1, MOST_LINES)).await?))
}

/// The lines of a step's log as they come: events `line`, then `end`. `Last-Event-ID` goes on where a listener was.
#[utoipa::path(
    get, path = "/steps/{id}/log/stream", tag = "runs", operation_id = "stream_step_log",
    params(("id" = StepId, Path, description = "Which step"), ("from" = Option<u64>, Query, description = "The first line, from 1")),
    responses((status = 200, body = LogLine, content_type = "text/event-stream"))
)]
pub async fn stream_log(
    State(backend): State<Backend>,
    ends: Ends,
    Asker(actor): Asker,
    Path(id): Path<StepId>,
    Query(Lines { from, .. }): Query<Lines>,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()?.parse::<u64>().ok());
    let from = last.map_or(from, |last| last.checked_add(1)).unwrap_or(1).max(1);
    let lines = backend.runs.follow(&actor, &id, from).await?;
    Ok(live::numbered("line", lines, |line: &LogLine| line.number, ends))
}

/// The candidates of a service, newest first.
#[utoipa::path(
    get, path = "/teams/{team}/services/{service}/candidates", tag = "runs",
    params(
        ("team" = TeamName, Path, description = "Which team"), ("service" = ServiceName, Path, description = "Which service"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u32>, Query, description = "1 to 200")
    ),
    responses((status = 200, body = Page<Candidate>))
)]
pub async fn candidates(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path((team, service)): Path<(TeamName, ServiceName)>,
    Query(page): Query<PageRequest>,
) -> Answer<Page<Candidate>> {
    Ok(Body(backend.runs.candidates(&actor, &team, &service, &page).await?))
}
