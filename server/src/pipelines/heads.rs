//! Runs of the head of a default branch that nobody pushed: a time that has come, a base image that has a new version.

use app::model::RunEvent;

use super::{
    Context,
    file::{Pipeline, When, inputs::defaults},
    intake::{self, Head, Part, Queued},
    pushed,
};
use crate::{
    git,
    store::{
        StoreError, Tx,
        repositories::{BuiltHere, RepositoryRow},
    },
};

/// What a service runs.
pub(super) enum Runs {
    /// This, with those that come to one version with it.
    Parts(Vec<Part>),
    /// Nothing: its file does not read.
    Broken(BuiltHere, String),
}

/// What asks for runs.
#[derive(Clone, Copy)]
pub(super) struct Asking<'a> {
    /// What makes them begin.
    pub(super) event: RunEvent,
    /// In whose name.
    pub(super) by: &'a str,
    /// Why, as a sentence.
    pub(super) reason: &'a str,
}

/// Reads what a service runs at this commit.
pub(super) async fn runs_of(
    ctx: &Context,
    repository: &RepositoryRow,
    head: &str,
    service: &BuiltHere,
    event: RunEvent,
) -> git::Result<Runs> {
    let folder = ctx.repository(&repository.id);
    let when = When { branch: Some(&repository.default_branch), event };
    let pipelines = pushed::pipelines_of(&folder, head, service, &repository.services, when).await?;
    if pipelines.is_empty() {
        let (problems, _) = pushed::says(&folder, head).await?;
        return Ok(Runs::Broken(service.clone(), pushed::summary(&problems)));
    }
    let part = |(service, pipeline): (BuiltHere, Pipeline)| Part { inputs: defaults(&pipeline.inputs), service, pipeline };
    Ok(Runs::Parts(pipelines.into_iter().map(part).collect()))
}

/// Queues what was read; what is broken fails at once.
pub(super) async fn queue(
    tx: &mut Tx,
    repository: &RepositoryRow,
    commit: &git::Commit,
    runs: Runs,
    asked: Asking<'_>,
) -> Result<Vec<Queued>, StoreError> {
    let Asking { event, by, reason } = asked;
    let head = |parts| Head { branch: repository.default_branch.clone(), event, commit: commit.clone(), parts };
    match runs {
        Runs::Parts(parts) => intake::queue_head(tx, repository, &head(parts), by, reason).await,
        Runs::Broken(service, failure) => {
            Ok(vec![intake::fail_head(tx, repository, &head(Vec::new()), &service, (by, reason, &failure)).await?])
        }
    }
}
