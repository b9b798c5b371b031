//! The activity: who did what to which thing. The audit log is the same rows.

use serde::{Deserialize, Serialize};

use super::{EventId, TeamName, Timestamp};

/// One row of the activity.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Event {
    /// Its id.
    pub id: EventId,
    /// When.
    pub at: Timestamp,
    /// Who: a person's name, or the part of Berth that did it.
    pub actor: String,
    /// What was done: `service.created`, `rollout.succeeded` …
    pub action: String,
    /// The team it belongs to; none for the platform's own.
    pub team: Option<TeamName>,
    /// To which thing: `service hello`, `release 12 of hello in dev`.
    pub subject: String,
    /// The path of the thing's page, if it has one.
    pub path: Option<String>,
    /// What else is to be known, as a sentence; may be empty.
    pub detail: String,
    /// From where: an address, `console`, `git`.
    pub origin: Option<String>,
    /// The id of the request that caused it.
    pub request: Option<String>,
}

/// Which events are asked for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct EventFilter {
    /// Of this team; none: every team one is in, for an administrator the platform's too.
    #[serde(default)]
    pub team: Option<TeamName>,
    /// About this service.
    #[serde(default)]
    pub service: Option<String>,
    /// By this actor's name.
    #[serde(default)]
    pub actor: Option<String>,
}
