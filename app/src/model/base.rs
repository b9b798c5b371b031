//! Base images: what services are built on, from a catalogue of Berth's own.

use serde::{Deserialize, Serialize};

use super::{BaseName, RunState, ServiceName, TeamName, Timestamp};

/// What a name of the catalogue begins with, as Dockerfiles write it: `base/NAME`, `base/NAME:VERSION`.
pub const BASES: &str = "base/";

/// How a version of a base image is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum BaseState {
    /// It waits to be built.
    Queued,
    /// It is built.
    Building,
    /// Its image is there.
    Ready,
    /// It could not be built.
    Failed,
    /// Somebody cancelled it.
    Cancelled,
}

impl BaseState {
    /// All there are.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Building, Self::Ready, Self::Failed, Self::Cancelled];

    /// Its name in store, API and command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Building => "building",
            Self::Ready => "ready",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }

    /// Whether nothing more happens to it.
    pub const fn ended(self) -> bool {
        matches!(self, Self::Ready | Self::Failed | Self::Cancelled)
    }
}

/// A base image in a listing.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Base {
    /// Its name.
    pub name: BaseName,
    /// As Dockerfiles and recipes write it: `base/NAME`, which is its newest version.
    pub reference: String,
    /// What it is for.
    pub description: String,
    /// Whether a Dockerfile makes it; otherwise each version brings its root file system.
    pub from_dockerfile: bool,
    /// The version that `reference` is; none: there is none yet.
    pub current: Option<BaseVersion>,
    /// The version that was asked for last.
    pub newest: Option<BaseVersion>,
    /// How many services' newest candidates stand on it, of those that whoever asks may see.
    pub users: u64,
    /// Who made it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A version of a base image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct BaseVersion {
    /// Its number, from 1.
    pub number: u64,
    /// As Dockerfiles and recipes write it: `base/NAME:3`.
    pub reference: String,
    /// How it is.
    pub state: BaseState,
    /// The image's id, once it is there.
    pub image: Option<String>,
    /// The image's size in bytes.
    pub size: Option<u64>,
    /// Why it failed, or what it waits for, as a sentence.
    pub failure: Option<String>,
    /// Whether the services that use the base are run once it is there.
    pub rolls: bool,
    /// Whether cancelling was asked for, and it has not ended yet.
    pub cancelling: bool,
    /// Who asked for it.
    pub created_by: String,
    /// When.
    pub created_at: Timestamp,
    /// How long it took to build, in milliseconds.
    pub build_ms: Option<u64>,
    /// When its image was given up: it is among the newest three no more, and no candidate stands on it.
    pub gone_at: Option<Timestamp>,
}

/// A service whose newest candidate stands on a base image.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct BaseUser {
    /// Its team.
    pub team: TeamName,
    /// The service.
    pub service: ServiceName,
    /// The number of that candidate.
    pub candidate: u64,
    /// On which version it stands.
    pub version: u64,
    /// As its Dockerfile or recipe writes it.
    pub written: String,
    /// Whether it is written with a version: a new one changes nothing for it.
    pub pinned: bool,
}

/// A service that a new version set a run off for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct BaseRoll {
    /// The version.
    pub version: u64,
    /// Its team.
    pub team: TeamName,
    /// The service.
    pub service: ServiceName,
    /// The number of the run; none: still to be queued, or `note` says why not.
    pub run: Option<u64>,
    /// How that run is.
    pub state: Option<RunState>,
    /// Why there is no run, as a sentence.
    pub note: Option<String>,
}

/// A base image as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct BaseShown {
    /// The base.
    pub base: Base,
    /// What its next version is built from; none: a root file system.
    pub dockerfile: Option<String>,
    /// Its newest versions, newest first.
    pub versions: Vec<BaseVersion>,
    /// The services whose newest candidates stand on it, of those that whoever asks may see: up to 100; `base.users` is how many
    /// there are.
    pub users: Vec<BaseUser>,
    /// What the newest version that was to do so set off, of services that whoever asks may see: up to 100, first what became no run;
    /// `rolled` is how many there are.
    pub rolls: Vec<BaseRoll>,
    /// How many services that version was to roll, of those that whoever asks may see.
    pub rolled: u64,
    /// The version whose log this is.
    pub log_of: Option<u64>,
    /// What was said while that one was built.
    pub log: String,
}

/// A base image to be made from a Dockerfile.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewBase {
    /// Its name.
    pub name: BaseName,
    /// What it is for: one line.
    #[serde(default)]
    pub description: String,
    /// What it is built from. No files go with it: it starts from images that are there, or from `scratch` with
    /// `COPY --from`.
    pub dockerfile: String,
}

/// A new version of a base image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Rebuild {
    /// What it is built from in future; absent: from the same.
    #[serde(default)]
    pub dockerfile: Option<String>,
    /// Whether to run the services that use the base once it is there.
    #[serde(default)]
    pub roll: bool,
}
