//! What the API says of itself, and of the file in a repository.

use axum::{Json as Body, http::header, response::IntoResponse};
use serde_json::Value;

use super::Answer;
use crate::{
    control::pipeline_file::{self, Lint},
    http::{extract::Text, router},
};

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "meta", responses((status = 200, body = Object)))]
pub async fn openapi() -> Answer<Value> {
    Ok(Body(router::document().clone()))
}

/// Checks the text of a `berth.yaml`: every problem at its line and column, or what it would do.
#[utoipa::path(
    post, path = "/lint", tag = "meta", operation_id = "lint",
    request_body(content = String, content_type = "text/plain", description = "The text of the file"), responses((status = 200, body = Lint))
)]
pub async fn lint(Text(text): Text) -> Answer<Lint> {
    Ok(Body(pipeline_file::lint(&text)))
}

/// The JSON Schema of `berth.yaml`, for editors.
pub async fn schema() -> impl IntoResponse {
    ([(header::CACHE_CONTROL, "public, max-age=3600")], Body(pipeline_file::schema()))
}
