//! What a team decides about its services beside their file.

use serde::{Deserialize, Serialize};

/// What a newer push does to the runs of its branch that have not ended. On every branch but the default one it takes the place
/// of those that wait, whatever is said here.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PushPolicy {
    /// Whether the default branch is like the others. If not, each of its commits is run.
    pub default_branch: bool,
    /// Whether those under way are cancelled too.
    pub running: bool,
}
