//! Identities: UUIDs of version 7 as text, one type for each noun so that none is taken for another.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! ids {
    ($($(#[$doc:meta])* $name:ident)*) => { $(
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(feature = "ssr", derive(utoipa::ToSchema), schema(value_type = String, format = "uuid"))]
        #[serde(transparent)]
        pub struct $name(String);

        impl $name {
            /// Takes the text of an id. It is only ever compared and bound as a parameter, so any text is safe; one that
            /// is no id simply finds nothing.
            pub fn from_text(text: impl Into<String>) -> Self {
                Self(text.into())
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    )* };
}

ids! {
    /// A person.
    UserId
    /// A team.
    TeamId
    /// A service of a team.
    ServiceId
    /// A repository of a team.
    RepositoryId
    /// An environment of the platform.
    EnvironmentId
    /// A service in an environment.
    TargetId
    /// One version of a target's variables.
    ConfigSetId
    /// A release candidate.
    CandidateId
    /// A numbered release of a target.
    ReleaseId
    /// The move of a target from one release to the next.
    RolloutId
    /// One execution of a pipeline.
    RunId
    /// A stage of a run.
    StageId
    /// A step of a stage.
    StepId
    /// A folder of steps that is kept between runs.
    CacheId
    /// A host name that leads to a target.
    RouteId
    /// An API token.
    TokenId
    /// An invitation or another one-time link.
    LinkId
    /// A row of the activity.
    EventId
}
