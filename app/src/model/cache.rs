use serde::{Deserialize, Serialize};

use super::{Timestamp, ids::CacheId};

/// A folder of steps that is kept from one run to the next.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Cache {
    /// Its id.
    pub id: CacheId,
    /// The folder in the step.
    pub path: String,
    /// The image of the steps that have it.
    pub image: String,
    /// The digest of the files it is keyed by; none where the step names none.
    pub made_for: Option<String>,
    /// How large it was when it was measured last, in bytes; none: it was not yet.
    pub size: Option<u64>,
    /// How many steps began with what another had left in it.
    pub uses: u64,
    /// Whether a step has it now.
    pub in_use: bool,
    /// The number of the run that used it last.
    pub run: u64,
    /// When that was.
    pub used_at: Timestamp,
    /// When it was given up.
    pub dropped_at: Option<Timestamp>,
    /// Why.
    pub why: Option<CacheEnd>,
}

/// Why a cache was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum CacheEnd {
    /// All caches of the service took more room than they may, and it was the one not used for longest.
    OverBudget,
    /// No step used it for long.
    Unused,
    /// The step that had it was ended from outside: nobody knows what it left half written.
    CutShort,
    /// Somebody cleared the caches.
    Cleared,
}

impl CacheEnd {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::OverBudget, Self::Unused, Self::CutShort, Self::Cleared];

    /// As it is stored.
    pub const fn name(self) -> &'static str {
        match self {
            Self::OverBudget => "over_budget",
            Self::Unused => "unused",
            Self::CutShort => "cut_short",
            Self::Cleared => "cleared",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|end| end.name() == name)
    }
}
