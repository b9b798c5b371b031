//! What the API says of itself.

use axum::Json as Body;
use serde_json::Value;

use super::Answer;
use crate::http::router;

/// This document.
#[utoipa::path(get, path = "/openapi.json", tag = "meta", responses((status = 200, body = Object)))]
pub async fn openapi() -> Answer<Value> {
    Ok(Body(router::document().clone()))
}
