//! The lights of a service as a picture, for a page of somebody else's where the team opened it.

use std::sync::Arc;

use app::{
    error::Error,
    model::{Actor, ServiceName, TeamName},
};
use axum::{
    Extension,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};

use super::Console;
use crate::http::{headers::ForEverybody, problem::Problem};

/// The picture.
pub(super) async fn show(
    State(console): State<Console>,
    Path((team, service)): Path<(String, String)>,
    actor: Option<Extension<Arc<Actor>>>,
) -> Result<Response, Problem> {
    let nothing = |_: Error| Error::not_found("unknown_badge", "There is no such badge, or it is not open to everybody.");
    let (team, service): (TeamName, ServiceName) = (team.parse().map_err(nothing)?, service.parse().map_err(nothing)?);
    let actor = actor.map(|Extension(actor)| actor);
    let (svg, open) = console.backend.ci.badge(actor.as_deref(), &team, &service).await?;
    let kind = [(header::CONTENT_TYPE, HeaderValue::from_static("image/svg+xml; charset=utf-8"))];
    let mut response = (kind, svg).into_response();
    if open {
        response.extensions_mut().insert(ForEverybody);
        response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("public, max-age=60"));
    }
    Ok(response)
}
