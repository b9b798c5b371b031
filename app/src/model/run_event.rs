//! What makes a run begin.

use serde::{Deserialize, Serialize};

/// What made a run begin. `if:` in `berth.yaml` names these.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunEvent {
    /// A branch was pushed.
    #[default]
    Push,
    /// Somebody asked for it, in the console or on the command line.
    Manual,
    /// A tag was pushed.
    Tag,
    /// A change that is proposed on a mirrored forge.
    PullRequest,
    /// Its time had come.
    Schedule,
    /// A program asked for it, over the API.
    Api,
    /// A base image it stands on has a new version.
    Base,
}

impl RunEvent {
    /// All there are.
    pub const ALL: [Self; 7] = [Self::Push, Self::Manual, Self::Tag, Self::PullRequest, Self::Schedule, Self::Api, Self::Base];

    /// Its name in file, store, API and command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Push => "push",
            Self::Manual => "manual",
            Self::Tag => "tag",
            Self::PullRequest => "pull_request",
            Self::Schedule => "schedule",
            Self::Api => "api",
            Self::Base => "base",
        }
    }

    /// The event of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|event| event.name() == name)
    }
}
