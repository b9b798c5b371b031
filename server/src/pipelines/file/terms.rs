//! What a run is bound to, as its file says: kept with the run beside what it does.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::types;

/// How long a run may take whose file does not say.
const TIMEOUT: Duration = Duration::from_secs(2 * 3_600);

/// What a run is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// The group it belongs to.
    pub concurrency: Option<Group>,
    /// How long it may take, in milliseconds.
    pub timeout_ms: Option<u64>,
}

/// A concurrency group of a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Group {
    /// Its name within the team.
    pub name: String,
    /// How many runs of it may be under way at once.
    pub limit: u32,
}

impl Terms {
    /// Those of a service.
    pub(super) fn of(service: &types::Service) -> Self {
        let group =
            |concurrency: &types::Concurrency| Group { name: concurrency.group.clone(), limit: concurrency.limit.unwrap_or(1).max(1) };
        Self { concurrency: service.concurrency.as_ref().map(group), timeout_ms: service.timeout.map(types::Span::millis) }
    }

    /// How long it may take, all its stages together.
    pub fn timeout(&self) -> Duration {
        self.timeout_ms.map_or(TIMEOUT, Duration::from_millis)
    }

    /// The name and the limit of its group.
    pub fn group(&self) -> Option<(&str, u32)> {
        self.concurrency.as_ref().map(|group| (group.name.as_str(), group.limit))
    }
}
