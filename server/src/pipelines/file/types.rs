//! The grammar of `berth.yaml`, as types. Their documentation is what an editor shows, and the reference page.

use std::collections::BTreeMap;

use app::model::RunEvent;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use super::duration::Span;

/// What a repository holds and how it is tested, built and run. It defines no environment, approval or secret.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "the file")]
pub struct File {
    /// The version of this grammar: 1.
    #[schemars(extend("const" = 1))]
    pub version: u32,
    /// One run for each touched service, or one run and one version for all.
    #[serde(default)]
    pub build: BuildMode,
    /// The services of the repository, by name.
    #[schemars(extend("minProperties" = 1, "propertyNames" = { "pattern": NAME, "patternErrorMessage": NAME_MESSAGE }))]
    pub services: BTreeMap<String, Service>,
}

const NAME: &str = "^[a-z]([a-z0-9]|-[a-z0-9]){0,29}$";
const NAME_MESSAGE: &str = "is no good name. A name starts with a letter and has up to 30 small letters, digits and single hyphens.";
const TEXT_NAME: &str = "^[A-Za-z0-9][A-Za-z0-9 ._-]{0,59}$";
const TEXT_NAME_MESSAGE: &str = "is no good name. Use up to 60 letters, digits, spaces, dots, hyphens and underscores.";
const VARIABLE: &str = "^[A-Za-z_][A-Za-z0-9_]*$";
const VARIABLE_MESSAGE: &str = "is no name of a variable. Use letters, digits and underscores, and no digit first.";
const ZONE: &str = "^[A-Za-z][A-Za-z0-9_+-]*(/[A-Za-z0-9_+-]+)*$";
const ZONE_MESSAGE: &str = "is no time zone. Write for example `Asia/Seoul`.";
const IMAGE: &str = "^[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}$";
const IMAGE_MESSAGE: &str = "is no name of an image. Write for example `rust:1.95`.";

/// How runs map to services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildMode {
    /// One run for each touched service.
    #[default]
    Separate,
    /// One run of all where one is touched: each comes to a candidate of the same number, or none does.
    Together,
}

/// One deployable service.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "a service")]
pub struct Service {
    /// The folder it lives in; a change there starts its pipeline. The whole repository where absent: every push does.
    #[schemars(length(min = 1))]
    pub path: Option<String>,
    /// Further paths, as globs, a change in which starts its pipeline: `libs/money/**` is all of a folder, and a `*` stays
    /// within one.
    pub watch: Vec<String>,
    /// What makes it run beside a push of a branch.
    pub on: On,
    /// What its runs take, by the environment variable that every step finds it in; people and programs that ask for a run give
    /// it. Seen by all of the team: nothing that is to stay secret.
    #[schemars(extend("propertyNames" = { "pattern": VARIABLE, "patternErrorMessage": VARIABLE_MESSAGE }))]
    pub inputs: BTreeMap<String, Input>,
    /// How long a run may take, all its stages together; `2h` where absent.
    pub timeout: Option<Span>,
    /// The group its runs belong to: no more of them than its limit are ever under way at once.
    pub concurrency: Option<Concurrency>,
    /// What is checked, in order; a failing stage stops the run.
    pub stages: Vec<Stage>,
    /// What is run once after the run failed, whichever stage it was, side by side; it changes nothing about the result.
    pub on_failure: Vec<FailureStep>,
    /// How its image is made; from the `Dockerfile` in its folder where absent.
    pub image: Option<Image>,
    /// A command that runs once in each environment, from the new image, before traffic moves.
    #[schemars(length(min = 1))]
    pub release: Option<Vec<String>>,
    /// What runs from the image, by name; `web` is the one that gets traffic.
    #[schemars(extend("propertyNames" = { "pattern": NAME, "patternErrorMessage": NAME_MESSAGE }))]
    pub processes: BTreeMap<String, Process>,
    /// Commands that run on a schedule, by name.
    #[schemars(extend("propertyNames" = { "pattern": NAME, "patternErrorMessage": NAME_MESSAGE }))]
    pub jobs: BTreeMap<String, Job>,
}

/// What makes a service run beside a push of a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "on", extend("minProperties" = 1))]
pub struct On {
    /// It runs on every tag that is pushed with a name like one of these globs, whatever changed; on none where absent. A `*`
    /// stays within one part of the name.
    #[schemars(length(min = 1))]
    pub tag: Vec<String>,
    /// It runs on changes that are proposed on the forge whose repository is mirrored here (pull and merge requests); on none where
    /// absent. Such a run makes no image. One whose commit is of nobody who may push waits for approval, takes this file from the
    /// default branch, and gets no secrets.
    pub pull_request: bool,
    /// The head of the default branch runs at these times, whatever changed. What was missed while Berth was away runs once; and
    /// nothing is added while a run of a schedule still waits.
    #[schemars(length(min = 1))]
    pub schedule: Vec<Schedule>,
}

/// Times at which a service runs.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a schedule")]
pub struct Schedule {
    /// Five fields: minute, hour, day of the month, month, day of the week. Where hours are named, a time that the clock leaps
    /// over comes as much later as it leaps, and one that it shows twice counts once.
    pub cron: String,
    /// The time zone they are read in, `Asia/Seoul` for instance; UTC where absent.
    #[schemars(extend("pattern" = ZONE, "patternErrorMessage" = ZONE_MESSAGE))]
    pub time_zone: Option<String>,
}

impl Schedule {
    /// Its time zone.
    pub fn zone(&self) -> &str {
        self.time_zone.as_deref().unwrap_or("UTC")
    }
}

/// What a run takes.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "an input")]
pub struct Input {
    /// What it is for, in a sentence.
    #[schemars(length(min = 1))]
    pub description: Option<String>,
    /// What it is where nobody gave it, and in every run that nobody asked for; not set where absent.
    pub default: Option<String>,
    /// What it may be; anything where absent.
    #[schemars(length(min = 1))]
    pub options: Vec<String>,
    /// Whether it must be given by whoever asks for a run.
    pub required: bool,
}

/// What runs share with others of the team, and how many of them may have it at once: a database, for instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "concurrency")]
pub struct Concurrency {
    /// The group's name, the same for all services of the team.
    #[schemars(extend("pattern" = NAME, "patternErrorMessage" = NAME_MESSAGE))]
    pub group: String,
    /// How many of its runs may be under way at once, 1 to 100; 1 where absent.
    #[schemars(range(min = 1, max = 100))]
    pub limit: Option<u32>,
}

/// A stage: steps side by side.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a stage")]
pub struct Stage {
    /// Its name.
    #[schemars(extend("pattern" = TEXT_NAME, "patternErrorMessage" = TEXT_NAME_MESSAGE))]
    pub name: String,
    /// In which runs it is wanted; in all where absent. In others it is shown as skipped, and why.
    #[serde(rename = "if")]
    pub condition: Option<Condition>,
    /// How long it may take; `30m` where absent.
    pub timeout: Option<Span>,
    /// Containers that run beside its steps, by the host name under which they are reached.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": NAME, "patternErrorMessage": NAME_MESSAGE }))]
    pub sidecars: BTreeMap<String, Sidecar>,
    /// Its steps.
    #[schemars(length(min = 1))]
    pub steps: Vec<Step>,
    /// What is run once after the stage failed, side by side, with the same files and beside the same sidecars; it changes
    /// nothing about the result.
    #[serde(default)]
    pub on_failure: Vec<FailureStep>,
}

/// In which runs something is wanted: all that is said here holds.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "if", extend("minProperties" = 1))]
pub struct Condition {
    /// On these branches alone, as globs: `release/*` is every branch of one further part. No tag is on a branch.
    #[schemars(length(min = 1))]
    pub branch: Vec<String>,
    /// In runs begun by one of these alone.
    #[schemars(with = "Vec<String>", length(min = 1), extend("items" = { "type": "string", "enum": EVENTS }))]
    pub event: Vec<RunEvent>,
    /// Where it is not wanted all the same.
    pub not: Option<Exception>,
}

/// In which runs something is not wanted: one of what is said here is enough.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "not", extend("minProperties" = 1))]
pub struct Exception {
    /// On one of these branches, as globs.
    #[schemars(length(min = 1))]
    pub branch: Vec<String>,
    /// In a run begun by one of these.
    #[schemars(with = "Vec<String>", length(min = 1), extend("items" = { "type": "string", "enum": EVENTS }))]
    pub event: Vec<RunEvent>,
}

const EVENTS: [&str; RunEvent::ALL.len()] = {
    let mut names = [""; RunEvent::ALL.len()];
    let mut at = 0;
    while at < names.len() {
        names[at] = RunEvent::ALL[at].name();
        at += 1;
    }
    names
};

/// A container that runs beside the steps of a stage: a database, for instance.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a sidecar")]
pub struct Sidecar {
    /// Its image.
    #[schemars(extend("pattern" = IMAGE, "patternErrorMessage" = IMAGE_MESSAGE))]
    pub image: String,
    /// What to run instead of the image's own command.
    #[schemars(length(min = 1))]
    pub command: Option<Vec<String>>,
    /// Its environment variables.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": VARIABLE, "patternErrorMessage": VARIABLE_MESSAGE }))]
    pub env: BTreeMap<String, String>,
    /// A command inside it that exits 0 once it is ready.
    #[schemars(length(min = 1))]
    pub ready: Option<Vec<String>>,
    /// How long it may take until it is ready; `1m` where absent.
    pub ready_within: Option<Span>,
}

/// A step: commands in a container.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a step")]
pub struct Step {
    /// Its name.
    #[schemars(extend("pattern" = TEXT_NAME, "patternErrorMessage" = TEXT_NAME_MESSAGE))]
    pub name: String,
    /// The image it runs in.
    #[schemars(extend("pattern" = IMAGE, "patternErrorMessage" = IMAGE_MESSAGE))]
    pub image: String,
    /// The commands, one after the other, in the shell of the image; the first that fails ends the step.
    #[schemars(length(min = 1))]
    pub run: Vec<String>,
    /// In which runs it is wanted; in all where absent. In others it is shown as skipped, and why.
    #[serde(rename = "if")]
    pub condition: Option<Condition>,
    /// Its environment variables.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": VARIABLE, "patternErrorMessage": VARIABLE_MESSAGE }))]
    pub env: BTreeMap<String, String>,
    /// Names of secrets of the service that it is given as environment variables.
    #[serde(default)]
    #[schemars(extend("items" = { "type": "string", "pattern": VARIABLE, "patternErrorMessage": VARIABLE_MESSAGE }))]
    pub secrets: Vec<String>,
    /// Which network it has; a network of the run's own where absent.
    pub network: Option<StepNetwork>,
    /// How long it may take; as long as its stage where absent.
    pub timeout: Option<Span>,
    /// Test reports in JUnit's form, as a glob.
    #[schemars(length(min = 1))]
    pub junit: Option<String>,
    /// When it is tried again by itself.
    pub retry: Option<Retry>,
    /// Files to keep after the run, as globs.
    #[serde(default)]
    pub artifacts: Vec<String>,
    /// Absolute folders kept from one run to the next, each with the files it is made for, as globs: what was left for the same
    /// ones is preferred. Without files it goes on with what was left last.
    #[serde(default)]
    pub caches: BTreeMap<String, Vec<String>>,
    /// Runs the step once for each combination of these variables' values, at most 64.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": VARIABLE, "patternErrorMessage": VARIABLE_MESSAGE }))]
    pub matrix: BTreeMap<String, Vec<String>>,
}

/// A step that runs after a failure. It is told what failed by the variables `BERTH_FAILED_STAGE` and `BERTH_FAILED_STEP`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a step after a failure")]
pub struct FailureStep {
    /// Its name.
    #[schemars(extend("pattern" = TEXT_NAME, "patternErrorMessage" = TEXT_NAME_MESSAGE))]
    pub name: String,
    /// The image it runs in.
    #[schemars(extend("pattern" = IMAGE, "patternErrorMessage" = IMAGE_MESSAGE))]
    pub image: String,
    /// The commands, one after the other, in the shell of the image; the first that fails ends the step.
    #[schemars(length(min = 1))]
    pub run: Vec<String>,
    /// Its environment variables.
    #[serde(default)]
    #[schemars(extend("propertyNames" = { "pattern": VARIABLE, "patternErrorMessage": VARIABLE_MESSAGE }))]
    pub env: BTreeMap<String, String>,
    /// Names of secrets of the service that it is given as environment variables.
    #[serde(default)]
    #[schemars(extend("items" = { "type": "string", "pattern": VARIABLE, "patternErrorMessage": VARIABLE_MESSAGE }))]
    pub secrets: Vec<String>,
    /// Which network it has; a network of the run's own where absent.
    pub network: Option<StepNetwork>,
    /// How long it may take, at most `10m`; `5m` where absent.
    pub timeout: Option<Span>,
    /// Files to keep after the run, as globs.
    #[serde(default)]
    pub artifacts: Vec<String>,
}

/// The network of a step.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum StepNetwork {
    /// A network of the run's own, with a way out.
    Run,
    /// None at all.
    None,
}

/// When a step is tried again by itself.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "retry")]
pub struct Retry {
    /// How often where its host or Berth vanished in the middle, 0 to 5.
    #[schemars(range(min = 0, max = 5))]
    pub lost: Option<u32>,
    /// How often where its commands failed, 0 to 5.
    #[schemars(range(min = 0, max = 5))]
    pub failed: Option<u32>,
    /// The exit codes to which `failed` is limited; every code where absent.
    #[schemars(extend("items" = { "type": "integer", "minimum": 1, "maximum": 255 }))]
    pub exit_codes: Vec<i64>,
    /// How often where it took too long, 0 to 5.
    #[schemars(range(min = 0, max = 5))]
    pub timeout: Option<u32>,
    /// How often where its image could not be pulled, 0 to 5.
    #[schemars(range(min = 0, max = 5))]
    pub pull: Option<u32>,
}

/// How an image is made: from a Dockerfile, or by a recipe from an artifact.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "image")]
pub struct Image {
    /// The Dockerfile, relative to the service's folder; `Dockerfile` where absent.
    #[schemars(length(min = 1))]
    pub dockerfile: Option<String>,
    /// Which files the Dockerfile sees: those of the service's folder where absent.
    pub context: BuildContext,
    /// Which builder of the engine's reads the Dockerfile. `buildkit` knows `RUN --mount`, texts below a `RUN` (`<<`) and
    /// `COPY --chmod`, and builds stages side by side; whether it is let in is the operator's to say.
    pub builder: Builder,
    /// The stage of the Dockerfile to stop at.
    #[schemars(length(min = 1))]
    pub target: Option<String>,
    /// Build arguments.
    #[schemars(extend("propertyNames" = { "pattern": VARIABLE, "patternErrorMessage": VARIABLE_MESSAGE }))]
    pub args: BTreeMap<String, String>,
    /// How long the build may take; `30m` where absent.
    pub timeout: Option<Span>,
    /// Bakes an artifact of the stages onto a base image instead of building a Dockerfile.
    pub recipe: Option<Recipe>,
    /// The path of that artifact in the workspace.
    #[schemars(length(min = 1))]
    pub artifact: Option<String>,
    /// The image a recipe bakes onto; the usual one of its kind where absent.
    #[schemars(extend("pattern" = IMAGE, "patternErrorMessage" = IMAGE_MESSAGE))]
    pub base: Option<String>,
}

/// Which files a Dockerfile sees.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum BuildContext {
    /// Those of the service's folder.
    #[default]
    Service,
    /// All of the repository: for what several services share. The Dockerfile's own path stays relative to the service's folder.
    Repository,
}

/// A builder of the engine's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Builder {
    /// The one that holds its commands to the limits of a step, and to a network of the run's own.
    #[default]
    Classic,
    /// BuildKit.
    Buildkit,
}

impl Builder {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Classic => "classic",
            Self::Buildkit => "buildkit",
        }
    }
}

/// What kind of artifact is baked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Recipe {
    /// A Java archive.
    Jar,
    /// A Python wheel.
    Wheel,
    /// A Ruby gem.
    Gem,
    /// A program for Linux.
    Binary,
    /// A Debian package.
    Deb,
    /// A program for Linux that needs no library: nothing else is in its image.
    Static,
}

impl Recipe {
    /// Its name in the file.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Jar => "jar",
            Self::Wheel => "wheel",
            Self::Gem => "gem",
            Self::Binary => "binary",
            Self::Deb => "deb",
            Self::Static => "static",
        }
    }
}

/// One process of the image.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "a process")]
pub struct Process {
    /// What to run instead of the image's own command.
    #[schemars(length(min = 1))]
    pub command: Option<Vec<String>>,
    /// The port it listens on, 1 to 65535.
    #[schemars(range(min = 1, max = 65535))]
    pub port: Option<u16>,
    /// Absolute paths it may write to, beside `/tmp`, `/run` and `/var/tmp`.
    pub writable: Vec<String>,
    /// How its health is told; by a connection to its port where absent.
    pub health: Option<Health>,
    /// How long it may finish what it has after it left the edge; `10s` where absent.
    pub drain: Option<Span>,
}

/// How health is told: one of `path`, `tcp` and `command`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
#[schemars(title = "health")]
pub struct Health {
    /// A `GET` of this path answers 200 to 399.
    #[schemars(extend("pattern" = "^/", "patternErrorMessage" = "is no path of a request. It starts with `/`, for example `/health`."))]
    pub path: Option<String>,
    /// A connection is accepted.
    pub tcp: Option<bool>,
    /// A command inside the container exits 0.
    #[schemars(length(min = 1))]
    pub command: Option<Vec<String>>,
    /// How often it is asked; `1s` where absent.
    pub interval: Option<Span>,
    /// How long an answer may take; `1s` where absent.
    pub timeout: Option<Span>,
    /// How many good answers in a row make it healthy, 1 to 100; 1 where absent.
    #[schemars(range(min = 1, max = 100))]
    pub healthy_after: Option<u32>,
    /// How many bad answers in a row make it unhealthy, 1 to 100; 3 where absent.
    #[schemars(range(min = 1, max = 100))]
    pub unhealthy_after: Option<u32>,
    /// How long it may take to become healthy after its start; as long as the environment says where absent.
    pub start_within: Option<Span>,
}

/// A command on a schedule.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
#[schemars(title = "a job")]
pub struct Job {
    /// What to run.
    #[schemars(length(min = 1))]
    pub command: Vec<String>,
    /// When, as five fields of cron: minute, hour, day of the month, month, day of the week.
    pub schedule: Option<String>,
    /// The time zone of the schedule, `Asia/Seoul` for instance; UTC where absent.
    #[schemars(extend("pattern" = ZONE, "patternErrorMessage" = ZONE_MESSAGE))]
    pub time_zone: Option<String>,
}
