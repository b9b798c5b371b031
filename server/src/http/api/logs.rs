//! A step's log beyond its pages: what holds a text, and all of it as text.

use app::{
    backend::Backend,
    error::Error,
    model::{LogFound, LogLine, StepId},
};
use axum::{
    Json as Body,
    body::{Body as Bytes, Bytes as Piece},
    extract::State,
    response::Response,
};
use futures::{Stream, StreamExt as _, TryStreamExt as _, stream};
use http::{HeaderValue, header};
use serde::Deserialize;

use super::{Answer, ci::attachment};
use crate::http::{
    extract::{Asker, Path, Query},
    problem::Problem,
};

/// Lines in one piece of a downloaded log.
const PIECE: u32 = 5_000;

/// What to look for.
#[derive(Deserialize)]
pub struct Wanted {
    #[serde(default)]
    text: String,
    #[serde(default)]
    from: Option<u64>,
    #[serde(default)]
    limit: Option<u32>,
}

/// The lines of a step's log that hold a text. `next` goes on where a long log was not looked through to its end.
#[utoipa::path(
    get, path = "/steps/{id}/log/matches", tag = "runs", operation_id = "find_in_step_log",
    params(
        ("id" = StepId, Path, description = "Which step"),
        ("text" = String, Query, description = "What the lines hold; the case of letters does not matter"),
        ("from" = Option<u64>, Query, description = "The first line, from 1"),
        ("limit" = Option<u32>, Query, description = "1 to 5000; absent: 500")
    ),
    responses((status = 200, body = LogFound))
)]
pub async fn find(
    State(backend): State<Backend>,
    Asker(actor): Asker,
    Path(id): Path<StepId>,
    Query(Wanted { text, from, limit }): Query<Wanted>,
) -> Answer<LogFound> {
    Ok(Body(backend.runs.find_in_log(&actor, &id, &text, from.unwrap_or(1).max(1), limit.unwrap_or(500).clamp(1, 5_000)).await?))
}

/// A step's log as text, as far as it is written: of each line when it was read, and what it says, with its colours. It is the
/// output of somebody's program: a browser stores it and never shows it.
#[utoipa::path(
    get, path = "/steps/{id}/log/text", tag = "runs", operation_id = "download_step_log",
    params(("id" = StepId, Path, description = "Which step")),
    responses((status = 200, content_type = "text/plain", body = String))
)]
pub async fn text(State(backend): State<Backend>, Asker(actor): Asker, Path(id): Path<StepId>) -> Result<Response, Problem> {
    // What is refused is refused before the answer begins.
    let first = backend.runs.log(&actor, &id, 1, PIECE).await?;
    let last = first.lines.last().map_or(0, |line| line.number);
    let name = format!("{id}.log");
    let rest = stream::try_unfold((backend, actor, id, last + 1, first.total), async |(backend, actor, id, from, total)| {
        if from > total {
            return Ok::<_, Error>(None);
        }
        let lines = backend.runs.log(&actor, &id, from, PIECE).await?.lines;
        let next = lines.last().map_or(total, |line| line.number) + 1;
        Ok(Some((written(&lines), (backend, actor, id, next, total))))
    });
    let mut response = Response::new(whole(written(&first.lines), rest));
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(header::CONTENT_DISPOSITION, attachment(&name));
    Ok(response)
}

fn whole(first: Piece, rest: impl Stream<Item = Result<Piece, Error>> + Send + 'static) -> Bytes {
    let all = stream::once(std::future::ready(Ok(first))).chain(rest);
    Bytes::from_stream(all.map_err(std::io::Error::other))
}

fn written(lines: &[LogLine]) -> Piece {
    let mut text = String::new();
    for line in lines {
        text.push_str(&line.at.to_string());
        text.push(' ');
        text.push_str(&line.text);
        text.push('\n');
    }
    text.into()
}
