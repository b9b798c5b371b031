//! The two doors: HTML and REST; and Git over HTTP.

pub mod assets;

use std::sync::Arc;

use axum::{Router, routing::get};

use crate::control::Control;

/// Everything that answers on the console's address.
pub fn app(_control: &Arc<Control>) -> Router {
    Router::new().route("/healthz", get(async || "ok\n"))
}
