//! What whoever looks after a Berth relies on: figures, logs, readiness, backups.

mod logs;
mod metrics;
mod ready;
