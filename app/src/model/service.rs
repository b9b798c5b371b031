//! Services, their targets and routes, and the board of services × environments.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{
    Candidate, EnvironmentId, EnvironmentName, NewMirror, ReleaseId, RepositoryId, RepositoryName, RolloutId, RolloutState, RouteId,
    RunEvent, RunSchedule, RunState, ServiceId, ServiceName, TargetId, TeamId, TeamName, Timestamp,
};

/// A deployable service of a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Service {
    /// Its id.
    pub id: ServiceId,
    /// The team that owns it.
    pub team: TeamName,
    /// The team's id.
    pub team_id: TeamId,
    /// Its name.
    pub name: ServiceName,
    /// One line on what it does.
    pub description: String,
    /// Where its sources come from.
    pub repository: RepositoryName,
    /// The repository's id.
    pub repository_id: RepositoryId,
    /// The address to push to.
    pub clone_url: String,
    /// Since when it exists.
    pub created_at: Timestamp,
}

/// What is asked for a new service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct NewService {
    /// Its name. A repository made with it gets the same.
    pub name: ServiceName,
    /// One line on what it does, up to 200 characters.
    #[serde(default)]
    pub description: String,
    /// Environments to run in from the start, by name; absent: the first one.
    #[serde(default)]
    pub environments: Option<Vec<EnvironmentName>>,
    /// The repository of the team it is built from; absent: a new one of its name.
    #[serde(default)]
    pub repository: Option<RepositoryName>,
    /// A repository that lives elsewhere, to be mirrored into the new one.
    #[serde(default)]
    pub mirror: Option<NewMirror>,
}

/// Where a service moves to.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Move {
    /// The repository of the team it is built from in future.
    pub repository: RepositoryName,
    /// Whether to make the repository, where there is none of this name.
    #[serde(default)]
    pub create: bool,
}

/// A service in an environment.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Target {
    /// Its id.
    pub id: TargetId,
    /// The environment's id.
    pub environment_id: EnvironmentId,
    /// The environment.
    pub environment: EnvironmentName,
    /// Wanted instances of the `web` process.
    pub replicas: u32,
    /// What it runs now: the number of the release, if one was ever proven.
    pub release: Option<ReleaseBrief>,
    /// The rollout under way or the last one.
    pub rollout: Option<RolloutBrief>,
    /// Instances now, new ones included.
    pub instances: Vec<Instance>,
    /// The addresses that lead here.
    pub routes: Vec<Route>,
    /// How it is, in one word.
    pub health: TargetHealth,
}

/// How a target is, in one word. Never by colour alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TargetHealth {
    /// Nothing was deployed yet.
    Empty,
    /// Every wanted instance is proven.
    Healthy,
    /// A rollout is under way.
    Moving,
    /// Some instances are missing or unhealthy; it still serves.
    Degraded,
    /// No instance serves.
    Down,
    /// Scaled to zero on purpose.
    Stopped,
    /// The last rollout failed; the release before it serves.
    FailedServing,
    /// Berth cannot see: the engine does not answer.
    Unknown,
}

/// A release in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ReleaseBrief {
    /// Its id.
    pub id: ReleaseId,
    /// Its number within the target.
    pub number: u64,
    /// The candidate's number within the service, if it runs one.
    pub candidate: Option<u64>,
    /// When it was made.
    pub created_at: Timestamp,
}

/// A rollout in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RolloutBrief {
    /// Its id.
    pub id: RolloutId,
    /// How it is.
    pub state: RolloutState,
    /// From this release number, if there was one.
    pub from: Option<u64>,
    /// To this release number.
    pub to: u64,
    /// The candidate's number it brings, if one.
    pub candidate: Option<u64>,
    /// The likely cause, where it failed.
    pub failure: Option<String>,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// One running copy, without its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Instance {
    /// Which release it runs.
    pub release: u64,
    /// Its process, `web` for instance.
    pub process: String,
    /// Its slot within release and process, from 0.
    pub slot: u32,
    /// How it is.
    pub state: InstanceState,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// How an instance is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum InstanceState {
    /// Being made, or not healthy for long enough yet.
    Starting,
    /// Proven and served by the edge.
    Serving,
    /// Off the edge, finishing what it has.
    Draining,
    /// Runs, and its health check fails.
    Unhealthy,
    /// Not running.
    Exited,
}

/// A host name (and path) that leads to a target.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Route {
    /// Its id.
    pub id: RouteId,
    /// The host name in its normal form: lower case, no port, no final dot.
    pub host: String,
    /// The path it starts with, `/` for all.
    pub path: String,
    /// The address to open.
    pub url: String,
    /// Whether Berth made it with the target; such a one is not removed by hand.
    pub default: bool,
}

/// Everything the overview of a service shows.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ServiceOverview {
    /// The service.
    pub service: Service,
    /// Its targets in the order of the environments.
    pub targets: Vec<Target>,
    /// Environments it could be added to.
    pub available: Vec<EnvironmentName>,
    /// The other services built from its repository, by name.
    #[serde(default)]
    pub beside: Vec<ServiceName>,
    /// The address of the repository that its own mirrors; none: it is pushed to.
    #[serde(default)]
    pub mirrors: Option<String>,
    /// When it is run by itself, the next first.
    #[serde(default)]
    pub schedules: Vec<RunSchedule>,
    /// Its last runs, newest first, at most 10.
    pub runs: Vec<RunBrief>,
    /// Its last candidates, newest first, at most 10.
    pub candidates: Vec<Candidate>,
}

/// A run in one line.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunBrief {
    /// Its number within the service.
    pub number: u64,
    /// How it is.
    pub state: RunState,
    /// The commit, 40 hex digits.
    pub commit: String,
    /// The first line of the commit's message.
    pub title: String,
    /// The branch; of a tag its ref, `refs/tags/v1`.
    pub branch: String,
    /// What made it begin.
    #[serde(default)]
    pub event: RunEvent,
    /// The tag, where it is of one.
    #[serde(default)]
    pub tag: Option<String>,
    /// Who pushed, or asked.
    pub by: String,
    /// The stage it failed in or is in.
    pub stage: Option<String>,
    /// Whether nothing was run, since nothing of the service had changed: it kept the candidate it had.
    #[serde(default)]
    pub kept: bool,
    /// Whether it waits for somebody to read its commit and approve it.
    #[serde(default)]
    pub held: bool,
    /// The services that come to one version with it, its own among them; empty where it stands alone.
    #[serde(default)]
    pub together: Vec<ServiceName>,
    /// When the push was accepted.
    pub created_at: Timestamp,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// The home grid: every service × environment of a team.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Board {
    /// The columns, in order.
    pub environments: Vec<EnvironmentName>,
    /// The rows, by name.
    pub rows: Vec<BoardRow>,
    /// How many services the team has.
    pub services: usize,
    /// Where the next page begins, if there is one.
    pub next: Option<String>,
}

/// One service on the home grid.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct BoardRow {
    /// Which service.
    pub service: ServiceName,
    /// What it does.
    pub description: String,
    /// Its targets by environment; absent: not there.
    pub cells: BTreeMap<EnvironmentName, Target>,
    /// Its last run.
    pub run: Option<RunBrief>,
}
