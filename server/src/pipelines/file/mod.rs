//! `berth.yaml`: its types, their JSON Schema, and the strict reading of it with every problem at its line and column.
//!
//! The schema is made from the types in [`types`], served by the instance, and is itself the first half of the check; what
//! a schema cannot say (names used twice, paths that leave the repository) is the second half, in [`check`].

mod check;
mod condition;
mod duration;
pub mod inputs;
mod matrix;
mod plan;
mod recipe;
mod resolve;
mod schema;
mod terms;
pub mod types;
mod yaml;

use app::said;
use serde::Serialize;

pub use condition::{When, wants_tag};
pub use duration::say;
pub use plan::{at_one_version, plan, together};
pub use recipe::{FOLDER, PlannedRecipe};
pub use resolve::{Pipeline, PlannedSidecar, PlannedStage, PlannedStep, resolve, resolve_in};
pub use schema::schema;
pub use terms::{Group, Terms};

/// The name of the file at the root of a repository.
pub const FILE_NAME: &str = "berth.yaml";

/// Where in a service or a stage the steps after a failure stand.
pub const AFTER: &str = "on_failure";

/// The longest that a step after a failure may take.
const AFTER_AT_MOST: std::time::Duration = std::time::Duration::from_secs(600);

/// The longest file that is read, in bytes.
pub const MAX_BYTES: usize = 256 * 1024;

/// Something wrong in a `berth.yaml`, where it is and what to do.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, utoipa::ToSchema)]
#[schema(as = FileProblem)]
pub struct Problem {
    /// The line, from 1.
    pub line: usize,
    /// The column in characters, from 1.
    pub column: usize,
    /// What is wrong and what to do.
    pub sentence: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&said::file::at(self.line, self.column, &self.sentence))
    }
}

/// What the check of a `berth.yaml` found, and what it would do.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
pub struct Lint {
    /// Everything wrong with it, from top to bottom; empty: it is good.
    pub problems: Vec<Problem>,
    /// What it asks for, in sentences; empty where it has problems.
    pub plan: Vec<String>,
}

/// Checks the text of a `berth.yaml`. Pure: needs no server and no repository.
pub fn lint(text: &str) -> Lint {
    match parse(text) {
        Ok(file) => Lint { problems: Vec::new(), plan: plan(&file) },
        Err(problems) => Lint { problems, plan: Vec::new() },
    }
}

/// Reads the text of a `berth.yaml`.
///
/// # Errors
/// Everything wrong with it, from top to bottom.
pub fn parse(text: &str) -> Result<types::File, Vec<Problem>> {
    let node = yaml::read(text).map_err(|problem| vec![problem])?;
    let value = node.to_json();
    let mut problems = schema::problems(&node, &value);
    problems.extend(check::problems(&node));
    problems.sort();
    problems.dedup();
    if !problems.is_empty() {
        return Err(problems);
    }
    serde_json::from_value(value).map_err(|error| vec![node.problem(said::file::does_not_read(error))])
}

#[cfg(test)]
mod tests;
