//! What whoever looks after a Berth relies on: figures, logs, readiness, backups.

mod backup;
mod doctor;
mod logs;
mod metrics;
mod ready;
