//! Wake-ups within the process. They only make things quicker: correctness never depends on one arriving.

use std::sync::Arc;

use app::{backend::Changed, model::TeamId};
use tokio::sync::{Notify, broadcast};

/// A background duty that can be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// `ref_changes` not handled yet.
    Pushes,
    /// Runs to claim.
    Runs,
    /// Rollouts to claim, or whose intent changed.
    Rollouts,
    /// Routes or backends changed: the edge's table.
    Edge,
    /// Services asked to be deleted.
    Deletions,
}

const DUTIES: usize = 5;

/// Hands out wake-ups. Cheap to clone.
#[derive(Clone)]
pub struct Wake {
    duties: Arc<[Notify; DUTIES]>,
    changes: broadcast::Sender<Changed>,
}

impl Default for Wake {
    fn default() -> Self {
        Self { duties: Arc::new(std::array::from_fn(|_| Notify::new())), changes: broadcast::channel(1_024).0 }
    }
}

impl Wake {
    /// Wakes a duty; kept for it if it is not waiting now.
    pub fn duty(&self, duty: Duty) {
        self.duties[duty as usize].notify_one();
    }

    /// Waits until the duty is woken.
    pub async fn woken(&self, duty: Duty) {
        self.duties[duty as usize].notified().await;
    }

    /// Says that something a person may be looking at has changed: `run:<id>`, `rollout:<id>`, `target:<id>`,
    /// `service:<id>`, `step:<id>`, `events`.
    pub fn changed(&self, team: Option<&TeamId>, topic: impl Into<String>) {
        // Nobody listening is fine.
        let _ = self.changes.send(Changed { team: team.cloned(), topic: topic.into() });
    }

    /// Everything that changes from now on.
    pub fn listen(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }
}
