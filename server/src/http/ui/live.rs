//! What the islands listen to: that something changed, and the lines of a log.

use std::sync::Arc;

use app::{
    error::Error,
    model::{Actor, StepId},
};
use axum::{
    Extension,
    extract::{Path, Query, State},
    response::{IntoResponse as _, Response, sse::Event},
};
use futures::StreamExt as _;
use serde::Deserialize;

use super::Console;
use crate::http::{live, problem::Problem, standing::Ends};

/// Most lines in one event.
const LINES: usize = 500;

fn nobody() -> Response {
    Problem(Error::unauthenticated("sign_in_first", "Sign in first.")).into_response()
}

/// Topics of what changed in the teams one sees. They carry no content: who listens looks again.
pub(super) async fn changes(State(console): State<Console>, actor: Option<Extension<Arc<Actor>>>, ends: Ends) -> Response {
    let Some(Extension(actor)) = actor else { return nobody() };
    match console.backend.platform.changes(&actor).await {
        Ok(changes) => {
            let events = changes.map(|changed| {
                let topic = if changed.topic == "lost" { "*".to_owned() } else { changed.topic };
                Event::default().event("changed").data(topic)
            });
            live::answer(events, ends)
        }
        Err(error) => Problem(error).into_response(),
    }
}

/// From which line a log is followed.
#[derive(Deserialize)]
pub(super) struct From {
    from: Option<u64>,
}

/// The lines of a step's log as they come, many in one event.
pub(super) async fn log(
    State(console): State<Console>,
    Path(step): Path<String>,
    Query(From { from }): Query<From>,
    actor: Option<Extension<Arc<Actor>>>,
    ends: Ends,
) -> Response {
    let Some(Extension(actor)) = actor else { return nobody() };
    match console.backend.runs.follow(&actor, &StepId::from_text(step), from.unwrap_or(1)).await {
        Ok(lines) => {
            let events = lines
                .ready_chunks(LINES)
                .map(|lines| Event::default().event("lines").data(serde_json::to_string(&lines).unwrap_or_default()));
            let end = futures::stream::iter([Event::default().event("end").data("")]);
            live::answer(events.chain(end), ends)
        }
        Err(error) => Problem(error).into_response(),
    }
}
