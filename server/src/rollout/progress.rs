//! How what a rollout remembers moves on, and when it stops: pure, so that a simulated world lives by the same rules.

use std::time::Duration;

use app::model::{ReleaseId, RolloutState};

use super::plan::{Command, Ending, Progress, Slot, Stop};
use crate::{
    platform::{PlatformError, TaskEnd},
    store::rollouts::RolloutRow,
};

/// How long a silent engine is waited for.
pub const ENGINE_PATIENCE: Duration = Duration::from_secs(120);

/// Whose a rollout is, seen from the one who carries it out.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Ours, and perhaps asked to stop.
    Ours(Option<Stop>),
    /// Somebody else's, or over.
    Fenced,
}

/// Whose the rollout of this row is for the holder of this fence. `wanted` is the newest release asked for.
pub fn standing(row: &RolloutRow, fence: i64, wanted: Option<&ReleaseId>) -> Standing {
    if row.fence != fence || row.state != RolloutState::Running {
        return Standing::Fenced;
    }
    if row.cancel_asked_at.is_some() {
        return Standing::Ours(Some(Stop::Cancelled));
    }
    Standing::Ours((wanted != Some(&row.release_id)).then_some(Stop::Superseded))
}

/// How a release command stands after the engine's answer. Where that does not say, nobody knows: it stays begun.
pub fn command(answer: &Result<TaskEnd, PlatformError>) -> Command {
    match answer {
        Ok(TaskEnd::Exited { code: 0, .. }) => Command::Passed,
        Ok(TaskEnd::Exited { code, .. }) => Command::Failed(*code),
        Ok(TaskEnd::TimedOut | TaskEnd::Cancelled) => Command::Failed(124),
        // Refused before it began: nothing ran, and the error says why.
        Err(error) if !error.passing() => Command::Not,
        Err(_) => Command::Begun,
    }
}

impl Progress {
    /// The first pass was made; these serve and are kept.
    pub fn begin(&mut self, kept: Vec<Slot>) {
        self.begun = true;
        self.kept = kept;
    }

    /// All new instances are proven, and on the edge where they answer requests.
    pub const fn route(&mut self) {
        self.proven = true;
        self.routed = true;
    }

    /// Whether an engine that has been silent for so long is given up. Never once the old instances drain: the new release
    /// serves, and what is left of the old one can wait.
    pub fn gives_up(&self, silent: Duration) -> bool {
        silent > ENGINE_PATIENCE && !self.draining
    }

    /// It cannot go on: how it ends. Nothing where the new release serves already; the keeper removes what is left.
    pub fn break_off(&mut self, sentence: &str) {
        self.ending =
            (!self.draining).then(|| Ending { state: RolloutState::Failed, failure: Some(sentence.to_owned()), last_lines: Vec::new() });
    }

    /// How it ends, once nothing is left to do.
    pub fn end(&mut self) -> Ending {
        self.ending.take().unwrap_or(Ending { state: RolloutState::Succeeded, failure: None, last_lines: Vec::new() })
    }
}
