//! What the tests of a run said, and the files it left.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What a test came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TestOutcome {
    /// Good.
    Passed,
    /// It failed, or could not be carried out.
    Failed,
    /// Left out.
    Skipped,
}

/// How a test differs from the default branch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum TestChange {
    /// It fails, and did not there.
    New,
    /// It fails as it does there.
    Still,
    /// It does not fail, and does there.
    Fixed,
}

/// A test of a run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TestCase {
    /// What it is called by within its service: the beginning of a digest of suite and name.
    pub id: String,
    /// The step that ran it: `stage/step`.
    pub step: String,
    /// Its suite, as the report says.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// What it came to.
    pub outcome: TestOutcome,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
    /// How it differs from the default branch.
    pub change: Option<TestChange>,
    /// Whether it gave both results for one commit, at some time.
    #[serde(default)]
    pub flaky: bool,
    /// Until when its failures are muted.
    #[serde(default)]
    pub muted_until: Option<Timestamp>,
    /// What it says of its failure, or why it was left out.
    pub message: Option<String>,
    /// The first lines of its output.
    #[serde(default)]
    pub output: Vec<String>,
}

/// Tests counted.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TestCounts {
    /// Good ones.
    pub passed: u64,
    /// Those that failed.
    pub failed: u64,
    /// Those left out.
    pub skipped: u64,
    /// The sum of their times, in milliseconds.
    pub took_ms: u64,
    /// Failures that the default branch does not have.
    pub new: u64,
    /// Failures that it has too.
    pub still: u64,
    /// Those that fail there and not here.
    pub fixed: u64,
    /// Those that are not there at all.
    pub added: u64,
}

impl TestCounts {
    /// How many were carried out.
    pub const fn executed(&self) -> u64 {
        self.passed + self.failed
    }
}

/// What the tests of a run said.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct TestReport {
    /// All of them, counted.
    pub counts: TestCounts,
    /// The newest run of the default branch before this one that ran these tests.
    pub compared_with: Option<u64>,
    /// Those that failed, new failures first; the first 200 of each step.
    pub failing: Vec<TestCase>,
    /// Those that fail on the default branch and not here; the first 50 of each step.
    pub fixed: Vec<TestCase>,
    /// Those that the default branch does not have; the first 50 of each step.
    pub added: Vec<TestCase>,
    /// The slowest, up to 10.
    pub slowest: Vec<TestCase>,
    /// Why there are none, where no test was carried out.
    #[serde(default)]
    pub nothing: Option<String>,
}

/// A test that gave both results for one commit.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct FlakyTest {
    /// What it is called by within its service.
    pub id: String,
    /// Its suite.
    pub suite: String,
    /// Its name.
    pub name: String,
    /// How often it was caught.
    pub times: u64,
    /// The run that caught it last.
    pub last_run: u64,
    /// When that was.
    pub last_at: Timestamp,
    /// Until when its failures are muted, and by whom.
    pub muted_until: Option<Timestamp>,
    /// Who muted it.
    pub muted_by: Option<String>,
}

/// What is asked to mute a test.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct Mute {
    /// Until the end of this day (UTC), `2027-01-31` for instance, 90 days ahead at most; absent: no more.
    #[serde(default)]
    pub until: Option<String>,
}

/// A file that a run left and that is kept.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Artifact {
    /// Its id.
    pub id: String,
    /// The step that left it: `stage/step`.
    pub step: String,
    /// Its path in the workspace.
    pub path: String,
    /// Its size in bytes.
    pub size: u64,
    /// Its digest, 64 hex digits.
    pub sha256: String,
    /// When it was kept.
    pub created_at: Timestamp,
}
