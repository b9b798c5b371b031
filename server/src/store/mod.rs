//! The store: the only part that names SQL. One file a family of rows; functions of a file take a [`Query`] (to read,
//! inside or outside a transaction) or a [`Tx`] (to change), and the team the rows belong to.

pub mod artifacts;
pub mod backends;
pub mod bases;
pub mod board;
pub mod caches;
pub mod candidates;
pub mod ci;
pub mod counts;
pub mod db;
pub mod dump;
pub mod environments;
pub mod events;
pub mod files;
pub mod forge_statuses;
pub mod groups;
pub mod idempotency;
pub mod leases;
pub mod links;
pub mod logs;
pub mod mirrors;
pub mod policies;
pub mod releases;
pub mod repositories;
pub mod results;
pub mod rollouts;
pub mod routes;
pub mod runs;
pub mod schedules;
pub mod search;
pub mod secrets;
pub mod selection;
pub mod services;
pub mod sessions;
pub mod settings;
pub mod statements;
pub mod targets;
pub mod teams;
pub mod together;
pub mod tokens;
pub mod users;

pub use db::{Db, Open, Query, Row, StoreError, Tx, Value};
