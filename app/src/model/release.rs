//! Candidates, config sets and releases: what can run, with what, and what does.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CandidateId, ConfigSetId, EnvironmentName, Made, ReleaseId, RolloutId, Timestamp};

/// A release candidate: an image that passed every stage, by content and never by tag.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Candidate {
    /// Its id.
    pub id: CandidateId,
    /// Its number within the service.
    pub number: u64,
    /// The image's id: `sha256:` and 64 hex digits.
    pub image: String,
    /// The commit it was built from.
    pub commit: String,
    /// The first line of the commit's message.
    pub title: String,
    /// The branch it came from.
    pub branch: String,
    /// The number of the run that made it.
    pub run: u64,
    /// The shape its `berth.yaml` asks for.
    pub shape: Shape,
    /// The image's size in bytes.
    pub size: u64,
    /// When it was made.
    pub created_at: Timestamp,
    /// Where it runs now.
    pub runs_in: Vec<EnvironmentName>,
    /// How its image was made; none where it is from before that was written down.
    #[serde(default)]
    pub made: Option<Made>,
    /// Whether somebody asked to keep its image for good.
    #[serde(default)]
    pub held: bool,
    /// Since when its image is given up: it cannot be deployed any more.
    #[serde(default)]
    pub gone_at: Option<Timestamp>,
}

/// The processes of a release, by name; `web` is the one the edge leads to.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Shape {
    /// By name.
    pub processes: BTreeMap<String, Process>,
    /// Runs once from the new image before anything else starts; an exec array.
    #[serde(default)]
    pub release: Option<Vec<String>>,
}

/// One process of an image.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Process {
    /// What to run instead of the image's own command; an exec array.
    #[serde(default)]
    pub command: Option<Vec<String>>,
    /// The port it listens on. Only `web` needs one; absent there: the one port the image exposes, else 8080.
    #[serde(default)]
    pub port: Option<u16>,
    /// Absolute paths that are writable beside `/tmp`, `/run` and `/var/tmp`.
    #[serde(default)]
    pub writable: Vec<String>,
    /// How its health is told.
    #[serde(default)]
    pub health: Health,
    /// How long it may finish what it has after it left the edge, in milliseconds.
    #[serde(default = "default_drain")]
    pub drain_ms: u64,
}

/// The drain of a process that names none: 10 s.
pub const DEFAULT_DRAIN_MS: u64 = 10_000;

const fn default_drain() -> u64 {
    DEFAULT_DRAIN_MS
}

/// How the health of an instance is told.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Health {
    /// What is asked.
    pub check: HealthCheck,
    /// How often, in milliseconds.
    pub interval_ms: u64,
    /// How long an answer may take, in milliseconds.
    pub timeout_ms: u64,
    /// How many good answers in a row make it healthy.
    pub healthy_after: u32,
    /// How many bad answers in a row make a healthy one unhealthy.
    pub unhealthy_after: u32,
    /// How long it may take to become healthy, in milliseconds; absent: as the environment says.
    #[serde(default)]
    pub start_within_ms: Option<u64>,
}

impl Default for Health {
    fn default() -> Self {
        Self {
            check: HealthCheck::Auto,
            interval_ms: 1_000,
            timeout_ms: 1_000,
            healthy_after: 1,
            unhealthy_after: 3,
            start_within_ms: None,
        }
    }
}

/// What is asked to tell the health.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case", tag = "kind")]
pub enum HealthCheck {
    /// TCP where there is a port, else that it runs.
    Auto,
    /// `GET path` answers 200 to 399.
    Http {
        /// The path, starting with `/`.
        path: String,
    },
    /// A connection is accepted.
    Tcp,
    /// A command inside the container exits 0; an exec array.
    Command {
        /// The command.
        command: Vec<String>,
    },
    /// It runs.
    Running,
}

/// One version of a target's variables. Values of secrets are not in here.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct ConfigSet {
    /// Its id.
    pub id: ConfigSetId,
    /// Its number within the target; 0 is the empty one every target starts with.
    pub number: u64,
    /// The variables.
    pub variables: BTreeMap<String, String>,
    /// Who made it.
    pub by: String,
    /// When.
    pub created_at: Timestamp,
}

/// A change to variables: set these, unset those.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct ConfigChange {
    /// Set or replace. Names: `[A-Z_][A-Z0-9_]*`, values up to 32 KiB.
    #[serde(default)]
    pub set: BTreeMap<String, String>,
    /// Remove.
    #[serde(default)]
    pub unset: Vec<String>,
}

/// What a target runs, immutable and numbered.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Release {
    /// Its id.
    pub id: ReleaseId,
    /// Its number within the target.
    pub number: u64,
    /// The image's id.
    pub image: String,
    /// The candidate's number, unless the image came from outside.
    pub candidate: Option<u64>,
    /// The number of its config set.
    pub config: u64,
    /// Instances of each process, by name.
    pub replicas: BTreeMap<String, u32>,
    /// Its processes.
    pub shape: Shape,
    /// Who made it.
    pub by: String,
    /// Why: "candidate 41", "config 7", "scaled to 3", "rollback to 12".
    pub reason: String,
    /// When.
    pub created_at: Timestamp,
    /// How its last rollout ended.
    pub rollout: Option<super::RolloutBrief>,
}

/// What to deploy.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum Source {
    /// The candidate of this number.
    Candidate(u64),
    /// An image from outside: a reference the engine has, or can pull.
    Image(String),
    /// What release N of this target had: a rollback.
    Release(u64),
    /// What the target before this one in the order of environments runs now: a promotion. Names where to promote from.
    From(EnvironmentName),
}

/// The answer to everything that makes a release: what will happen, or (`dry_run`) would.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Change {
    /// The number of the new release; none where nothing changes.
    pub release: Option<u64>,
    /// The rollout that carries it out; none on a dry run, or where nothing was ever deployed.
    pub rollout: Option<RolloutId>,
    /// The plan in sentences.
    pub plan: Vec<String>,
}
