//! Structured logs, on the standard error: a line an event, as text or as JSON.

use std::{
    env,
    io::{self, IsTerminal as _},
};

use tracing_subscriber::EnvFilter;

/// What is logged unless `BERTH_LOG` says otherwise: our own from `info` on, libraries from `warn` on.
const USUAL: &str = "warn,server=info,berth=info";

/// Starts the log. A second call changes nothing.
pub fn start(json: bool) {
    let filter = EnvFilter::try_from_env("BERTH_LOG").unwrap_or_else(|_| EnvFilter::new(USUAL));
    let log = tracing_subscriber::fmt().with_env_filter(filter).with_writer(io::stderr);
    let colours = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|value| value.is_empty());
    // Only the first start of a process counts: tests start many.
    let _ = if json { log.json().flatten_event(true).try_init() } else { log.with_ansi(colours).with_target(false).try_init() };
}
