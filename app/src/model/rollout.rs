//! Rollouts: the move of a target from one release to the next, with its evidence.

use serde::{Deserialize, Serialize};

use super::{EnvironmentName, RolloutId, ServiceName, TeamName, Timestamp};

/// How a rollout is. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RolloutState {
    /// Recorded, not begun.
    Queued,
    /// Under way.
    Running,
    /// Every promise observed.
    Succeeded,
    /// Ended without the new release; the old one serves.
    Failed,
    /// A person stopped it; the old one serves.
    Cancelled,
    /// A newer release took its place before it was proven.
    Superseded,
}

impl RolloutState {
    /// Whether it has ended.
    pub const fn ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Its name in store, API and command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Succeeded => "succeeded",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
            Self::Superseded => "superseded",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        [Self::Queued, Self::Running, Self::Succeeded, Self::Failed, Self::Cancelled, Self::Superseded]
            .into_iter()
            .find(|state| state.name() == name)
    }
}

/// A step of the order every rollout follows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Phase {
    /// The release command ran.
    ReleaseCommand,
    /// Every new instance was started from the exact image id.
    Started,
    /// Every new instance was healthy for the stabilisation time.
    Healthy,
    /// The edge sends requests to the new instances.
    Routed,
    /// A first request came back through the edge.
    FirstRequest,
    /// The old instances finished what they had.
    Drained,
    /// The old instances are gone.
    Stopped,
}

/// One observed fact of a rollout.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Evidence {
    /// What it proves.
    pub phase: Phase,
    /// The observation as a sentence.
    pub fact: String,
    /// When it was observed.
    pub at: Timestamp,
}

/// A rollout as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Rollout {
    /// Its id.
    pub id: RolloutId,
    /// The team.
    pub team: TeamName,
    /// The service.
    pub service: ServiceName,
    /// The environment.
    pub environment: EnvironmentName,
    /// How it is.
    pub state: RolloutState,
    /// From this release number, if there was one.
    pub from: Option<u64>,
    /// To this release number.
    pub to: u64,
    /// The candidate's number it brings, if one.
    pub candidate: Option<u64>,
    /// The image's id.
    pub image: String,
    /// Who asked.
    pub by: String,
    /// Why.
    pub reason: String,
    /// The plan in sentences, as it was when it began.
    pub plan: Vec<String>,
    /// What was observed, in order.
    pub evidence: Vec<Evidence>,
    /// The phase under way and how far, as a sentence; none when ended.
    pub now: Option<String>,
    /// Why it waits, as a sentence, while queued.
    pub waits: Option<String>,
    /// The likely cause in one sentence, where it failed.
    pub failure: Option<String>,
    /// The last lines of log of the instance that failed.
    pub last_lines: Vec<String>,
    /// Whether cancelling was asked for.
    pub cancelling: bool,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it began.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// The address to open.
    pub url: Option<String>,
}
