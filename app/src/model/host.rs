//! Hosts: machines with an engine; only administrators see them.

use serde::{Deserialize, Serialize};

/// How an engine answers. Slow, hung and gone are different things.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum EngineState {
    /// Answers in time.
    Answers,
    /// Answers, later than it should.
    Slow,
    /// Takes connections and does not answer.
    Hung,
    /// Takes no connections.
    Gone,
}

/// A machine with an engine.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Host {
    /// Its name.
    pub name: String,
    /// The pool it belongs to.
    pub pool: String,
    /// How its engine answers.
    pub state: EngineState,
    /// The engine's version, where it answered.
    pub engine: Option<String>,
    /// The engine's API version.
    pub api: Option<String>,
    /// Cores.
    pub cpus: u32,
    /// Memory in bytes.
    pub memory: u64,
    /// Containers of Berth on it.
    pub instances: u32,
}
