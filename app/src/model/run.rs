//! Runs, stages, steps and their logs.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use super::{CommitLine, RolloutBrief, RunEvent, RunImage, ServiceName, StepId, TeamName, Timestamp};

/// How a run, a stage or a step is. It only moves forward.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RunState {
    /// Recorded, not begun.
    Queued,
    /// Under way.
    Running,
    /// Good.
    Passed,
    /// Its own commands said no.
    Failed,
    /// Berth or the engine could not carry it out.
    Errored,
    /// A person stopped it.
    Cancelled,
    /// It took longer than it may.
    TimedOut,
    /// Its holder vanished in the middle.
    Lost,
    /// A newer push took its place.
    Superseded,
    /// Not reached, not wanted, or asked to be left out.
    Skipped,
}

impl RunState {
    /// All of them.
    pub const ALL: [Self; 10] = [
        Self::Queued,
        Self::Running,
        Self::Passed,
        Self::Failed,
        Self::Errored,
        Self::Cancelled,
        Self::TimedOut,
        Self::Lost,
        Self::Superseded,
        Self::Skipped,
    ];

    /// Whether it has ended.
    pub const fn ended(self) -> bool {
        !matches!(self, Self::Queued | Self::Running)
    }

    /// Its name in store, API and command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Passed => "passed",
            Self::Failed => "failed",
            Self::Errored => "errored",
            Self::Cancelled => "cancelled",
            Self::TimedOut => "timed_out",
            Self::Lost => "lost",
            Self::Superseded => "superseded",
            Self::Skipped => "skipped",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// Where a run that ended is begun again.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum RetryFrom {
    /// From the start, with the commit's files.
    #[default]
    Start,
    /// From the stage that failed, all of it, with the files as the run left them.
    Stage,
    /// As from the stage, but for those of its steps that passed.
    Steps,
}

impl RetryFrom {
    /// All of them.
    pub const ALL: [Self; 3] = [Self::Start, Self::Stage, Self::Steps];

    /// Its name in API and command line.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stage => "stage",
            Self::Steps => "steps",
        }
    }

    /// The one of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|from| from.name() == name)
    }
}

/// A run as its page shows it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Run {
    /// The team.
    pub team: TeamName,
    /// The service.
    pub service: ServiceName,
    /// Its number within the service.
    pub number: u64,
    /// How it is.
    pub state: RunState,
    /// The commit, 40 hex digits.
    pub commit: String,
    /// The first line of the commit's message.
    pub title: String,
    /// The commit's author, as the commit says.
    pub author: String,
    /// The branch; of a tag its ref, `refs/tags/v1`.
    pub branch: String,
    /// What made it begin.
    #[serde(default)]
    pub event: RunEvent,
    /// The tag, where it is of one.
    #[serde(default)]
    pub tag: Option<String>,
    /// What its steps are given as environment variables, by name.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Who pushed, or asked.
    pub by: String,
    /// Why it runs, as a sentence.
    pub reason: String,
    /// Why it waits, as a sentence: while queued, or while the engine it runs on keeps silent.
    pub waits: Option<String>,
    /// What failed and why, in one sentence.
    pub failure: Option<String>,
    /// The number of the run of a newer push that took its place, or is about to.
    #[serde(default)]
    pub superseded_by: Option<u64>,
    /// Its stages in order; the building of the image and the candidate are the last two.
    pub stages: Vec<Stage>,
    /// The number of the candidate it made, or kept.
    pub candidate: Option<u64>,
    /// That one's image, held against the one before.
    #[serde(default)]
    pub image: Option<RunImage>,
    /// What is different since the branch was good last, where it failed.
    #[serde(default)]
    pub since_good: Option<SinceGood>,
    /// The rollouts its candidate started by itself.
    pub rollouts: Vec<RolloutBrief>,
    /// Whether nothing was run, since nothing of the service had changed: the candidate is the one it had.
    #[serde(default)]
    pub kept: bool,
    /// Whether it waits for somebody to read its commit and approve it.
    #[serde(default)]
    pub held: bool,
    /// Whether its commit is of nobody who may push: it gets no secrets.
    #[serde(default)]
    pub untrusted: bool,
    /// Who approved its commit.
    #[serde(default)]
    pub approved_by: Option<String>,
    /// What the push came to for each service of its repository, this one among them; empty where no push made it.
    #[serde(default)]
    pub push: Vec<PushedRun>,
    /// The runs that come to one version with it or to none, itself among them; empty where it stands alone.
    #[serde(default)]
    pub together: Vec<Sibling>,
    /// The number of the run that it goes on from, with that one's files and what had passed there.
    #[serde(default)]
    pub goes_on: Option<u64>,
    /// Until when its files are kept, where it failed and they are.
    #[serde(default)]
    pub files_until: Option<Timestamp>,
    /// Where it can be begun again now; empty while it has not ended.
    #[serde(default)]
    pub again: Vec<RetryFrom>,
    /// Whether cancelling was asked for.
    pub cancelling: bool,
    /// When the push was accepted.
    pub created_at: Timestamp,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// Which runs of a service are asked for; what is absent narrows nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunFilter {
    /// In this state.
    #[serde(default)]
    pub state: Option<RunState>,
    /// On this branch.
    #[serde(default)]
    pub branch: Option<String>,
    /// Pushed or asked for by this person.
    #[serde(default)]
    pub by: Option<String>,
    /// With this in the title of the commit, or of a commit that begins like this; the case of A to Z does not matter.
    #[serde(default)]
    pub text: Option<String>,
}

/// A run that somebody asks for.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct StartRun {
    /// The branch whose head is run; absent: the default one.
    #[serde(default)]
    pub branch: Option<String>,
    /// Values for what its file takes, by name.
    #[serde(default)]
    pub inputs: BTreeMap<String, String>,
    /// Whether a person asks, as the command line says: `manual`, and not `api`.
    #[serde(default)]
    pub by_hand: bool,
}

/// What a push came to for a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct PushedRun {
    /// The service.
    pub service: ServiceName,
    /// The number of its run.
    pub number: u64,
    /// How that is.
    pub state: RunState,
    /// Whether nothing was run, since nothing of the service had changed.
    pub kept: bool,
    /// What is run and why, or what is kept, in a few words.
    pub plan: String,
}

/// One of the runs that come to one version or to none: `build: together`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Sibling {
    /// The service.
    pub service: ServiceName,
    /// The number of its run.
    pub run: u64,
    /// How that is.
    pub state: RunState,
    /// The number of the candidate it made: the same for all.
    pub candidate: Option<u64>,
}

/// What a stage does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum StageKind {
    /// Runs steps in containers.
    Steps,
    /// Builds the image.
    Image,
}

/// A stage of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Stage {
    /// Its name in `berth.yaml`, or `image`.
    pub name: String,
    /// What it does.
    pub kind: StageKind,
    /// How it is.
    pub state: RunState,
    /// Which attempt, from 1.
    pub attempt: u32,
    /// Its steps, side by side.
    pub steps: Vec<Step>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

impl Stage {
    /// The number of the run that all of it was taken over from; none where some of it was to be run.
    pub fn taken_from(&self) -> Option<u64> {
        let wanted = || self.steps.iter().filter(|step| step.state != RunState::Skipped);
        let taken = wanted().filter_map(|step| step.taken_from).max();
        taken.filter(|_| wanted().all(|step| step.taken_from.is_some()))
    }
}

/// A step of a stage.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Step {
    /// Its id: the name of its log.
    pub id: StepId,
    /// Its name.
    pub name: String,
    /// The image it runs in, as written; empty for the building of an image.
    pub image: String,
    /// How it is.
    pub state: RunState,
    /// The exit code of the command that ended it.
    pub exit_code: Option<i64>,
    /// Why it failed, or why it is not wanted in this run, in one sentence.
    pub failure: Option<String>,
    /// How many lines its log has.
    pub lines: u64,
    /// How often it was tried, by itself.
    pub tries: u32,
    /// Whether it is no step but runs beside them.
    pub sidecar: bool,
    /// Whether it was run after the stage had failed, and changed nothing about that.
    #[serde(default)]
    pub on_failure: bool,
    /// The number of the run in which it passed, where that is another: it was taken over and not run.
    #[serde(default)]
    pub taken_from: Option<u64>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

/// What is different between a run that failed and the last one of its branch before it that passed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct SinceGood {
    /// The number of the run that passed.
    pub run: u64,
    /// The commits since, newest first; the first 20.
    pub commits: Vec<CommitLine>,
    /// Why the commits cannot be told, as a sentence.
    pub commits_unread: Option<String>,
    /// The tests that fail now and did not then; the first 20.
    pub failing: Vec<String>,
}

/// What a line of a log is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LineKind {
    /// What the program wrote to its standard output.
    Out,
    /// What the program wrote to its standard error.
    Err,
    /// A command about to run.
    Command,
    /// What Berth says.
    Note,
    /// How the step, or what ran beside one, ended: its exit code, or what stopped it.
    Exit,
}

/// A line of a log. Its text is text: it may hold ANSI colours and never markup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LogLine {
    /// Its number within the log, from 1.
    pub number: u64,
    /// When it was read.
    pub at: Timestamp,
    /// What it is.
    pub kind: LineKind,
    /// The text without its line end; cut at 16 KiB.
    pub text: String,
}

/// The lines of a log that hold what was looked for.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LogFound {
    /// Lines in order.
    pub lines: Vec<LogLine>,
    /// The line to go on from; absent where the log was looked through to its end.
    pub next: Option<u64>,
    /// How many lines the log has now.
    pub total: u64,
}

/// A piece of a log.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct LogRange {
    /// Lines in order.
    pub lines: Vec<LogLine>,
    /// How many lines the log has now.
    pub total: u64,
    /// Whether no line will be added.
    pub complete: bool,
}
