//! What a search finds.

use serde::{Deserialize, Serialize};

use super::{EnvironmentName, RunState, ServiceName, TeamName};

/// What kind of thing was found.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum FoundKind {
    /// A team.
    Team,
    /// A service.
    Service,
    /// A service in an environment.
    Target,
    /// A run.
    Run,
}

/// Something that fits a search, and that whoever asked may see.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Found {
    /// What it is.
    pub kind: FoundKind,
    /// The team it belongs to.
    pub team: TeamName,
    /// The service, where it is one or belongs to one.
    pub service: Option<ServiceName>,
    /// The environment of a target.
    pub environment: Option<EnvironmentName>,
    /// The number of a run.
    pub run: Option<u64>,
    /// How a run is.
    pub state: Option<RunState>,
    /// What the service does, or the first line of the run's commit.
    pub detail: String,
    /// The path of its page.
    pub path: String,
    /// How well it fits: more is better.
    pub score: u32,
}
