//! Environments: ordered places to run, defined by administrators, picked by teams.

use serde::{Deserialize, Serialize};

use super::{EnvironmentId, EnvironmentName};

/// The least hardening an environment takes (`security.md`: containers).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Profile {
    /// Ordinary official images start: few capabilities, root allowed.
    Baseline,
    /// No capabilities, never root.
    Restricted,
}

impl Profile {
    /// Its name in store, API and command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Baseline => "baseline",
            Self::Restricted => "restricted",
        }
    }
}

/// An ordered place to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Environment {
    /// Its id.
    pub id: EnvironmentId,
    /// Its name.
    pub name: EnvironmentName,
    /// Its place in the order, from 0.
    pub position: u32,
    /// The pool of hosts it runs on.
    pub pool: String,
    /// Instances of a new target.
    pub default_replicas: u32,
    /// Whether a new candidate is deployed here by itself.
    pub auto_deploy: bool,
    /// How long a new instance must be healthy before it counts as proven, in milliseconds.
    pub stabilisation_ms: u64,
    /// How long a rollout may take until every instance is healthy, in milliseconds.
    pub deadline_ms: u64,
    /// The least hardening it takes.
    pub profile: Profile,
}
