//! The `berth.yaml` of a service's repository, to be read and to be written.

use async_trait::async_trait;

use crate::{
    error::Result,
    model::{Actor, PipelineCheck, PipelineDraft, PipelineFile, ServiceName, TeamName},
};

/// The `berth.yaml` of a service's repository, to be read and to be written. Nothing is stored: a commit changes it.
#[async_trait]
pub trait Pipelines: Send + Sync {
    /// The file at the head of the default branch.
    async fn file(&self, actor: &Actor, team: &TeamName, service: &ServiceName) -> Result<PipelineFile>;

    /// What a text in its place says, and what a push of it would come to.
    ///
    /// # Errors
    /// `file_too_long`.
    async fn check(&self, actor: &Actor, team: &TeamName, service: &ServiceName, draft: PipelineDraft) -> Result<PipelineCheck>;
}
