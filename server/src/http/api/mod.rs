//! REST handlers: parse, call the seam, answer. The list of them is [`super::router`].

pub mod accounts;
pub mod bases;
pub mod caches;
pub mod candidates;
pub mod ci;
pub mod logs;
pub mod meta;
pub mod mirrors;
pub mod pipelines;
pub mod platform;
pub mod policies;
pub mod releases;
pub mod runs;
pub mod secrets;
pub mod services;
pub mod teams;
pub mod tokens;

use axum::Json;
use http::StatusCode;

use super::problem::Problem;

/// What most handlers answer.
type Answer<T> = Result<Json<T>, Problem>;
/// What handlers that make something answer: 201.
type Created<T> = Result<(StatusCode, Json<T>), Problem>;
/// What handlers that have nothing to say answer: 204.
type Done = Result<StatusCode, Problem>;
