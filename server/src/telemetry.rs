//! What Berth says of itself: a log, a line an event, and figures ([`metrics`]).
//!
//! The log goes to the standard error as text or as JSON; its newest lines are also kept in the data folder as JSON, so that
//! `berth admin support-bundle` finds them when Berth does not run any more.

pub mod metrics;
mod now;
mod process;
pub mod tail;

use std::{
    env,
    io::{self, IsTerminal as _},
    path::Path,
};

use tracing_subscriber::{EnvFilter, Layer as _, layer::SubscriberExt as _, util::SubscriberInitExt as _};

use self::tail::Tail;

/// What is logged unless `BERTH_LOG` says otherwise: our own from `info` on, libraries from `warn` on.
const USUAL: &str = "warn,server=info,berth=info";

/// Starts the log; `data`: the folder its newest lines are kept in. A second call changes nothing.
pub fn start(json: bool, data: &Path) {
    let filter = EnvFilter::try_from_env("BERTH_LOG").unwrap_or_else(|_| EnvFilter::new(USUAL));
    let colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    let shown = tracing_subscriber::fmt::layer().with_writer(io::stderr);
    let shown = if json { shown.json().flatten_event(true).boxed() } else { shown.with_ansi(colours).with_target(false).boxed() };
    let kept = tracing_subscriber::fmt::layer().json().flatten_event(true).with_writer(Tail::in_folder(data));
    // Only the first start of a process counts: tests start many.
    let _ = tracing_subscriber::registry().with(filter).with(shown).with(kept).try_init();
}
