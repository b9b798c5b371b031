//! What the tests of runs said, the files runs left, and whether a team really integrates continuously.

use std::path::PathBuf;

use async_trait::async_trait;

use crate::{
    error::Result,
    model::{Actor, Artifact, CiDigest, CiReport, FlakyTest, Mute, ServiceName, TeamName, TestReport},
};

/// What the tests of runs said, the files runs left, and whether a team really integrates continuously.
#[async_trait]
pub trait Ci: Send + Sync {
    /// What the tests of a run said.
    async fn tests(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<TestReport>;

    /// The tests that gave both results for one commit, caught last first.
    async fn flaky(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<Vec<FlakyTest>>;

    /// Mutes the failures of a flaky test until a day, or hears them again. Whether they fail their step is not decided here:
    /// its exit code does.
    ///
    /// # Errors
    /// `unknown_test`, `invalid_until`.
    async fn mute(&self, actor: &Actor, team: &TeamName, service: &ServiceName, test: &str, mute: Mute) -> Result<FlakyTest>;

    /// The files of a run that are kept, by path.
    async fn artifacts(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64) -> Result<Vec<Artifact>>;

    /// One of them, and where its content is.
    ///
    /// # Errors
    /// `unknown_artifact`.
    async fn artifact(&self, actor: &Actor, team: &TeamName, service: &ServiceName, number: u64, id: &str) -> Result<(Artifact, PathBuf)>;

    /// The three lights of a service and the five measures of its delivery, with what they rest on.
    async fn report(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<CiReport>;

    /// The lights of a team's services, and the same as a text to be sent.
    async fn digest(&self, actor: &Actor, team: &TeamName) -> Result<CiDigest>;

    /// Says whether pushes onto a red default branch are refused unless they say that they mend it.
    async fn guard_red(&self, actor: &Actor, team: &TeamName, service: &ServiceName, guards: bool) -> Result<()>;

    /// Says whether everybody may see the badges of a team's services.
    async fn open_badges(&self, actor: &Actor, team: &TeamName, open: bool) -> Result<()>;

    /// The lights as a picture, and whether everybody may see it. Of a team that did not open them: for who may see the team.
    async fn badge(&self, actor: Option<&Actor>, team: &TeamName, service: &ServiceName) -> Result<(String, bool)>;
}
