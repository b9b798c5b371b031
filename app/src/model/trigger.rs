//! What makes runs begin beside a push of a branch: tags, schedules, and people and programs with inputs.

use serde::{Deserialize, Serialize};

use super::Timestamp;

/// What the ref of a tag begins with. A run of a tag has the whole ref where others have a branch.
const TAGS: &str = "refs/tags/";

/// The tag that a run's branch names, where the run is of a tag.
pub fn tag_of(branch: &str) -> Option<&str> {
    branch.strip_prefix(TAGS).filter(|tag| !tag.is_empty())
}

/// The number of the proposed change that a run's branch names, where the run is of one: `refs/pull/7/head`, or GitLab's
/// `refs/merge-requests/7/head`.
pub fn change_of(branch: &str) -> Option<u64> {
    let rest = branch.strip_prefix("refs/pull/").or_else(|| branch.strip_prefix("refs/merge-requests/"))?;
    rest.strip_suffix("/head")?.parse().ok()
}

/// A value that a run takes, as the service's file describes it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunInput {
    /// Its name: the environment variable that steps find it in.
    pub name: String,
    /// What it is for.
    #[serde(default)]
    pub description: String,
    /// What it is where nothing is given.
    #[serde(default)]
    pub default: Option<String>,
    /// What it may be; empty: anything.
    #[serde(default)]
    pub options: Vec<String>,
    /// Whether it must be given where somebody asks for a run.
    #[serde(default)]
    pub required: bool,
}

/// When the head of the default branch is run by itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct RunSchedule {
    /// Five fields of cron: minute, hour, day of the month, month, day of the week.
    pub cron: String,
    /// The time zone they are read in.
    pub time_zone: String,
    /// When next.
    pub next: Timestamp,
}

/// What makes runs of a service begin beside a push of a branch.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "ssr", derive(utoipa::ToSchema))]
pub struct Triggers {
    /// The branch whose head was read.
    pub branch: String,
    /// Which tags are run, as globs.
    pub tags: Vec<String>,
    /// When the head of the default branch is run by itself.
    pub schedules: Vec<RunSchedule>,
    /// What a run of that branch takes.
    pub inputs: Vec<RunInput>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tag_is_known_by_its_ref() {
        for (branch, tag) in
            [("main", None), ("refs/tags/v1", Some("v1")), ("refs/tags/a/b", Some("a/b")), ("refs/tags/", None), ("tags/v1", None)]
        {
            assert_eq!(tag_of(branch), tag, "{branch}");
        }
    }

    #[test]
    fn a_proposed_change_is_known_by_its_ref() {
        for (branch, number) in [
            ("refs/pull/7/head", Some(7)),
            ("refs/merge-requests/12/head", Some(12)),
            ("refs/pull/7/merge", None),
            ("refs/pull/x/head", None),
            ("refs/pull//head", None),
            ("pull/7/head", None),
        ] {
            assert_eq!(change_of(branch), number, "{branch}");
        }
    }
}
