//! Environments, hosts, activity.

use app::{
    backend::{Backend, Changed, Live},
    model::{Environment, EnvironmentName, Event, EventFilter, Found, Host, Page, PageRequest, TeamName},
};
use axum::{Json as Body, extract::State, response::Response};
use futures::StreamExt as _;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::Answer;
use crate::http::{
    extract::{Asker, Path, Query},
    live,
    problem::Problem,
    standing::Ends,
};

/// Which events, and which page of them.
#[derive(Deserialize)]
pub struct Filter {
    #[serde(default)]
    team: Option<TeamName>,
    #[serde(default)]
    service: Option<String>,
    #[serde(default)]
    actor: Option<String>,
    #[serde(default)]
    cursor: Option<String>,
    #[serde(default)]
    limit: Option<u32>,
}

/// Of which team.
#[derive(Deserialize)]
pub struct Which {
    #[serde(default)]
    team: Option<TeamName>,
}

/// Something changed: whoever shows it looks again.
#[derive(Serialize, ToSchema)]
pub struct Moved {
    /// `run:<id>`, `rollout:<id>`, `target:<id>`, `service:<id>`, `step:<id>`, `events`; `lost`: look at everything again.
    topic: String,
}

/// The environments, in order.
#[utoipa::path(get, path = "/environments", tag = "platform", responses((status = 200, body = Vec<Environment>)))]
pub async fn environments(State(backend): State<Backend>, Asker(actor): Asker) -> Answer<Vec<Environment>> {
    Ok(Body(backend.platform.environments(&actor).await?))
}

/// One environment.
#[utoipa::path(
    get, path = "/environments/{environment}", tag = "platform",
    params(("environment" = EnvironmentName, Path, description = "Which one")), responses((status = 200, body = Environment))
)]
pub async fn environment(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(environment): Path<EnvironmentName>,
) -> Answer<Environment> {
    Ok(Body(backend.platform.environment(&actor, &environment).await?))
}

/// The hosts and how their engines answer.
#[utoipa::path(get, path = "/hosts", tag = "platform", responses((status = 200, body = Vec<Host>)))]
pub async fn hosts(State(backend): State<Backend>, Asker(actor): Asker) -> Answer<Vec<Host>> {
    Ok(Body(backend.platform.hosts(&actor).await?))
}

/// The activity, newest first.
#[utoipa::path(
    get, path = "/events", tag = "platform", operation_id = "list_events",
    params(
        ("team" = Option<TeamName>, Query, description = "Of this team; absent: of every team one is in"),
        ("service" = Option<String>, Query, description = "About this service"), ("actor" = Option<String>, Query, description = "By this one"),
        ("cursor" = Option<String>, Query, description = "`next` of the page before"), ("limit" = Option<u32>, Query, description = "1 to 200")
    ),
    responses((status = 200, body = Page<Event>))
)]
pub async fn events(State(backend): State<Backend>, Asker(actor): Asker, Query(filter): Query<Filter>) -> Answer<Page<Event>> {
    let page = PageRequest { cursor: filter.cursor, limit: filter.limit };
    let filter = EventFilter { team: filter.team, service: filter.service, actor: filter.actor };
    Ok(Body(backend.platform.events(&actor, &filter, &page).await?))
}

/// What to search for.
#[derive(Deserialize)]
pub struct Words {
    #[serde(default)]
    q: String,
    #[serde(default)]
    limit: Option<u32>,
}

/// Teams, services, targets and runs that fit some words, best first.
#[utoipa::path(
    get, path = "/search", tag = "platform",
    params(
        ("q" = Option<String>, Query, description = "Parts of names, or letters of them in their order; a number is that of a run"),
        ("limit" = Option<u32>, Query, description = "1 to 50; 20 where absent")
    ),
    responses((status = 200, body = Vec<Found>))
)]
pub async fn search(State(backend): State<Backend>, Asker(actor): Asker, Query(words): Query<Words>) -> Answer<Vec<Found>> {
    Ok(Body(backend.platform.search(&actor, &words.q, words.limit.unwrap_or(20)).await?))
}

/// Says when something changed, as events `changed`; what it is now is asked for as usual.
#[utoipa::path(
    get, path = "/events/stream", tag = "platform", operation_id = "stream_events",
    params(("team" = Option<TeamName>, Query, description = "Of this team; absent: of every team one is in")),
    responses((status = 200, body = Moved, content_type = "text/event-stream"))
)]
pub async fn stream(
    State(backend): State<Backend>,
    ends: Ends,
    Asker(actor): Asker,
    Query(Which { team }): Query<Which>,
) -> Result<Response, Problem> {
    let only = match &team {
        Some(team) => Some(backend.teams.show(&actor, team).await?.id),
        None => None,
    };
    let wanted = move |changed: &Changed| only.is_none() || changed.team.is_none() || changed.team == only;
    let changes = backend.platform.changes(&actor).await?.filter(move |changed| std::future::ready(wanted(changed)));
    let items: Live<Moved> = Box::pin(changes.map(|changed| Moved { topic: changed.topic }));
    Ok(live::items("changed", items, ends))
}
