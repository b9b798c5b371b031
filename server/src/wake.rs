//! Wake-ups within the process. They only make things quicker: correctness never depends on one arriving.

use std::{
    collections::BTreeSet,
    mem,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::{
    backend::Changed,
    model::{TargetId, TeamId},
};
use tokio::sync::{Notify, broadcast, watch};

/// Without a wake-up every loop looks again after this long: what a crash or another Berth left is found, and an idle
/// Berth stays idle.
pub const LAZY: Duration = Duration::from_secs(60);
/// … and this soon after a pass that the store or the engine did not answer: whatever the wake-up was about is still to be
/// done, and nobody wakes for it again.
const AGAIN: Duration = Duration::from_secs(2);

/// How long until something is tried again that failed so often before: twice as long each time, and never longer than `longest`.
pub fn pause(first: Duration, failures: u32, longest: Duration) -> Duration {
    first.saturating_mul(2_u32.saturating_pow(failures.min(16))).min(longest)
}

/// How long a loop rests after a pass, and whether that was answered.
pub const fn rest(answered: bool) -> Duration {
    if answered { LAZY } else { AGAIN }
}

/// A background duty that can be woken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Duty {
    /// `ref_changes` not handled yet.
    Pushes,
    /// Refs of a repository may have moved without being written down.
    Refs,
    /// Runs to claim.
    Runs,
    /// Rollouts to claim, or whose intent changed.
    Rollouts,
    /// Routes or backends changed, of whatever targets: the edge's table. See [`Wake::route`] for one target.
    Edge,
    /// Services asked to be deleted.
    Deletions,
    /// What runs may differ from what should.
    Keep,
    /// Schedules were added, or are still to be read.
    Schedules,
    /// Mirrors that somebody wants fetched.
    Mirrors,
    /// Forges that are to be told how commits fare.
    Statuses,
    /// Versions of base images to be built.
    Bases,
    /// Caches of steps were left, or given up.
    Caches,
}

const DUTIES: usize = Duty::Caches as usize + 1;

/// Which targets' routes and instances the edge must look at again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Routes {
    /// Of these.
    Of(BTreeSet<TargetId>),
    /// Of all.
    All,
}

impl Default for Routes {
    fn default() -> Self {
        Self::Of(BTreeSet::new())
    }
}

/// Hands out wake-ups. Cheap to clone.
#[derive(Clone)]
pub struct Wake {
    duties: Arc<[Notify; DUTIES]>,
    routes: Arc<Mutex<Routes>>,
    changes: broadcast::Sender<Changed>,
    engine: watch::Sender<u64>,
    rights: watch::Sender<u64>,
}

impl Default for Wake {
    fn default() -> Self {
        Self {
            duties: Arc::new(std::array::from_fn(|_| Notify::new())),
            routes: Arc::default(),
            changes: broadcast::channel(1_024).0,
            engine: watch::Sender::new(0),
            rights: watch::Sender::new(0),
        }
    }
}

impl Wake {
    /// Wakes a duty; kept for it if it is not waiting now.
    pub fn duty(&self, duty: Duty) {
        if duty == Duty::Rollouts {
            // Who carries one out wants to know that it was cancelled or superseded.
            self.engine_moved();
        }
        if duty == Duty::Edge {
            *self.lock_routes() = Routes::All;
        }
        self.duties[duty as usize].notify_one();
    }

    /// Wakes the edge for the routes and instances of a target.
    pub fn route(&self, target: &TargetId) {
        if let Routes::Of(targets) = &mut *self.lock_routes() {
            targets.insert(target.clone());
        }
        self.duties[Duty::Edge as usize].notify_one();
    }

    /// Waits until the edge is woken; says for what, all wake-ups since it asked last together.
    pub async fn routes(&self) -> Routes {
        loop {
            self.woken(Duty::Edge).await;
            let moved = mem::take(&mut *self.lock_routes());
            // A wake-up whose target was told with the one before.
            if moved != Routes::default() {
                return moved;
            }
        }
    }

    fn lock_routes(&self) -> std::sync::MutexGuard<'_, Routes> {
        self.routes.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until the duty is woken.
    pub async fn woken(&self, duty: Duty) {
        self.duties[duty as usize].notified().await;
    }

    /// Says that the engine told of a change.
    pub fn engine_moved(&self) {
        self.engine.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells of every change of the engine from now on; several in a row count as one.
    pub fn engine(&self) -> watch::Receiver<u64> {
        self.engine.subscribe()
    }

    /// Says that somebody lost a right: a token or session ended, a role was taken away.
    pub fn rights_moved(&self) {
        self.rights.send_modify(|count| *count = count.wrapping_add(1));
    }

    /// Tells of every such loss from now on; several in a row count as one.
    pub fn rights(&self) -> watch::Receiver<u64> {
        self.rights.subscribe()
    }

    /// Says that something a person may be looking at has changed: `run:<id>`, `rollout:<id>`, `target:<id>`,
    /// `service:<id>`, `step:<id>`, `events`.
    pub fn changed(&self, team: Option<&TeamId>, topic: impl Into<String>) {
        // Nobody listening is fine.
        let _ = self.changes.send(Changed { team: team.cloned(), topic: topic.into() });
    }

    /// Waits until one of these changes is of this topic.
    pub async fn mentioned(changes: &mut broadcast::Receiver<Changed>, topic: &str) {
        use broadcast::error::RecvError;
        loop {
            match changes.recv().await {
                Ok(changed) if changed.topic == topic => return,
                Ok(_) => {}
                Err(RecvError::Lagged(_)) => return,
                Err(RecvError::Closed) => return std::future::pending().await,
            }
        }
    }

    /// Everything that changes from now on.
    pub fn listen(&self) -> broadcast::Receiver<Changed> {
        self.changes.subscribe()
    }
}
