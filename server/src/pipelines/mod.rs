//! From a push to a candidate: which runs a push makes, who works on them, and how.
//!
//! push → [`intake`] and [`pushed`] (what a commit holds becomes runs, of the services that [`select`] says it touches; or a
//! time that has come: [`schedules`]) →
//! [`queue`] (who works on them, under a lease) → [`runner`] (stages in order) → [`step`] and [`build`] (containers, image;
//! what steps left: [`collect`]) → candidate, and in the same transaction its automatic deploys.

pub mod artifacts;
pub mod bake;
pub mod bases;
pub mod build;
pub mod caches;
pub mod collect;
pub mod context;
pub mod cron;
mod disk;
pub mod dockerfile;
pub mod draft;
pub mod file;
mod heads;
pub mod intake;
pub mod log;
pub mod pushed;
pub mod queue;
pub mod reports;
pub mod rerun;
pub mod retry;
pub mod room;
pub mod rootfs;
pub mod runner;
pub mod schedules;
pub mod secrets;
pub mod select;
pub mod step;
pub mod vouch;

use std::sync::Arc;

use app::model::{RunId, TeamId};
use futures::future::BoxFuture;

use crate::{
    config::Config,
    platform::{Limits, Platform},
    secrets::Secrets,
    store::Db,
    wake::{Duty, Wake},
};

/// Processes and threads of a step, a sidecar or a build: enough for what compiles on many cores, and no fork bomb.
const PIDS: u32 = 2_048;

/// Raises the wall before the engine's default network, on which commands of BuildKit are; or says why it does not stand.
pub type Wall = Arc<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// What carrying out runs needs. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The settings.
    pub config: Arc<Config>,
    /// The store.
    pub db: Db,
    /// The engines.
    pub platform: Arc<dyn Platform>,
    /// Wake-ups.
    pub wake: Wake,
    /// Opens the secrets of steps, and signs candidates.
    pub secrets: Secrets,
    /// Who this Berth is in the leases.
    pub holder: String,
    /// How many steps may be under way at once.
    pub room: room::Room,
    /// What stands before commands of BuildKit.
    pub wall: Wall,
}

impl Context {
    /// What a step, a sidecar or a build may use.
    fn limits(&self) -> Limits {
        Limits { memory: self.config.step_memory, cpu_millis: self.config.step_cpu_millis, pids: PIDS }
    }

    /// Says that a run changed.
    fn run_changed(&self, team: &TeamId, run: &RunId) {
        self.wake.duty(Duty::Statuses);
        self.wake.changed(Some(team), format!("run:{run}"));
    }

    /// Where the repository of this id lives.
    fn repository(&self, id: &app::model::RepositoryId) -> std::path::PathBuf {
        self.config.repository(id)
    }
}
