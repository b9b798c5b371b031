//! The `berth.yaml` of a repository, and what one that is being written would come to.

use serde::{Deserialize, Serialize};

use super::{RepositoryName, ServiceName};

/// The `berth.yaml` at the head of the default branch of a service's repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct PipelineFile {
    /// The repository.
    pub repository: RepositoryName,
    /// Its default branch.
    pub branch: String,
    /// The commit at the head of that branch, 40 hex digits; absent: nothing was pushed to it.
    pub commit: Option<String>,
    /// The text of the file at that commit; absent: there is none.
    pub text: Option<String>,
}

/// A `berth.yaml` that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
#[serde(deny_unknown_fields)]
pub struct PipelineDraft {
    /// Its text.
    pub text: String,
}

/// What such a text says, and what a push of it to the default branch would come to.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct PipelineCheck {
    /// Everything wrong with it, from top to bottom; empty: it is good.
    pub problems: Vec<DraftProblem>,
    /// What it asks for, in sentences; empty where it has problems.
    pub plan: Vec<String>,
    /// What a push of it would come to, for each service built from the repository.
    pub push: Vec<DraftRun>,
    /// The services it describes that are not built from this repository.
    pub elsewhere: Vec<DraftElsewhere>,
    /// The Dockerfiles it names that are not at the head of the branch.
    pub missing: Vec<String>,
}

/// Something wrong in a draft, where it is and what to do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DraftProblem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub sentence: String,
}

/// What a push of a draft would come to for a service.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DraftRun {
    /// The service.
    pub service: ServiceName,
    /// Whether it would run.
    pub runs: bool,
    /// What would be run and why, or why nothing, in a few words.
    pub plan: String,
}

/// A service that a draft describes and that is not built from its repository.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct DraftElsewhere {
    /// Its name in the file.
    pub name: String,
    /// The repository it is built from; absent: there is no such service yet.
    pub repository: Option<RepositoryName>,
}
