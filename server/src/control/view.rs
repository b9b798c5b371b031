//! Targets as the board and the overview show them: put together from a handful of queries, whatever their number, and
//! never from the engines.

use std::collections::HashMap;

use app::{
    error::Result,
    model::{Instance, InstanceState, RolloutState, Route, ServiceName, Target, TargetId},
};

use super::{
    Control,
    health::{self, Signs},
};
use crate::store::{
    board::{self, BoardBackend, BoardTarget, Look},
    routes::{self, RouteRow},
};

/// The process the edge leads to.
const WEB: &str = "web";

/// A target with the service it belongs to.
pub(super) struct View {
    /// The service.
    pub(super) service: ServiceName,
    /// The target.
    pub(super) target: Target,
}

/// What a target may have several of.
#[derive(Default)]
struct Parts {
    backends: Vec<BoardBackend>,
    routes: Vec<Route>,
}

/// The instances: those the edge knows, and those a rollout under way still owes.
fn instances(row: &BoardTarget, backends: &[BoardBackend]) -> Vec<Instance> {
    let releases = || row.wanted.iter().chain(&row.release);
    let number =
        |generation| releases().find(|release| release.generation == generation).map_or(generation, |release| release.brief.number);
    let known = backends.iter().map(|backend| Instance {
        release: number(backend.generation),
        process: backend.process.clone(),
        slot: backend.slot,
        state: if backend.draining_since.is_some() { InstanceState::Draining } else { InstanceState::Serving },
        since: Some(backend.draining_since.unwrap_or(backend.since)),
    });
    let mut all: Vec<Instance> = known.collect();
    let running = row.rollout.as_ref().filter(|rollout| rollout.state == RolloutState::Running);
    let coming = running.and_then(|rollout| releases().find(|release| release.brief.number == rollout.to));
    if let Some(release) = coming {
        for slot in 0..release.replicas.get(WEB).copied().unwrap_or(0) {
            let there = |b: &BoardBackend| b.generation == release.generation && b.process == WEB && b.slot == slot;
            if !backends.iter().any(there) {
                let process = WEB.to_owned();
                all.push(Instance { release: release.brief.number, process, slot, state: InstanceState::Starting, since: None });
            }
        }
    }
    all
}

fn target(row: BoardTarget, parts: Parts) -> View {
    let serving = parts.backends.iter().filter(|backend| backend.process == WEB && backend.draining_since.is_none()).count();
    let signs = Signs {
        wanted: row.release.as_ref().map(|release| release.replicas.get(WEB).copied().unwrap_or(0)),
        serving: u32::try_from(serving).unwrap_or(u32::MAX),
        rollout: row.rollout.as_ref().map(|rollout| rollout.state),
    };
    let target = Target {
        instances: instances(&row, &parts.backends),
        id: row.id,
        environment_id: row.environment_id,
        environment: row.environment,
        replicas: row.replicas.get(WEB).copied().unwrap_or(0),
        release: row.release.map(|release| release.brief),
        rollout: row.rollout,
        routes: parts.routes,
        health: health::of(signs),
    };
    View { service: row.service, target }
}

impl Control {
    /// A route with the address to open.
    pub(super) fn route(&self, row: RouteRow) -> Route {
        let url = self.config.url_of(&row.host, &row.path);
        Route { id: row.id, url, host: row.host, path: row.path, default: row.default }
    }

    /// The targets looked at with everything that belongs to them, in the order of services and environments.
    pub(super) async fn views(&self, look: Look<'_>) -> Result<Vec<View>> {
        let rows = board::targets(&self.db, look).await?;
        let mut parts: HashMap<TargetId, Parts> = HashMap::new();
        for backend in board::backends(&self.db, look).await? {
            parts.entry(backend.target.clone()).or_default().backends.push(backend);
        }
        for row in routes::of_targets(&self.db, look).await? {
            parts.entry(row.target.clone()).or_default().routes.push(self.route(row));
        }
        let view = |row: BoardTarget| {
            let parts = parts.remove(&row.id).unwrap_or_default();
            target(row, parts)
        };
        Ok(rows.into_iter().map(view).collect())
    }
}
