//! What a run is bound to, as its file says: kept with the run beside what it does.

use serde::{Deserialize, Serialize};

use super::types;

/// What a run is bound to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Terms {
    /// The group it belongs to.
    pub concurrency: Option<Group>,
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
        Self { concurrency: service.concurrency.as_ref().map(group) }
    }

    /// The name and the limit of its group.
    pub fn group(&self) -> Option<(&str, u32)> {
        self.concurrency.as_ref().map(|group| (group.name.as_str(), group.limit))
    }
}
