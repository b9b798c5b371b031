//! Targets as the board and the overview show them: put together from a handful of queries, whatever their number, and
//! never from the engines.

use std::collections::HashMap;

use app::{
    error::Result,
    model::{Instance, InstanceState, RolloutBrief, RolloutState, Route, ServiceName, Target, TargetId},
};

use super::{
    Control,
    health::{self, Signs},
};
use crate::store::{
    board::{self, BoardBackend, BoardRelease, Look},
    rollouts,
    routes::{self, RouteRow},
    targets::TargetRow,
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

/// What is known of one target.
#[derive(Default)]
struct Parts {
    releases: Vec<BoardRelease>,
    backends: Vec<BoardBackend>,
    routes: Vec<Route>,
    rollout: Option<RolloutBrief>,
}

/// The instances: those the edge knows, and those a rollout under way still owes.
fn instances(parts: &Parts) -> Vec<Instance> {
    let number = |generation| {
        parts.releases.iter().rev().find(|release| release.generation == generation).map_or(generation, |release| release.brief.number)
    };
    let known = parts.backends.iter().map(|backend| Instance {
        release: number(backend.generation),
        process: backend.process.clone(),
        slot: backend.slot,
        state: if backend.draining_since.is_some() { InstanceState::Draining } else { InstanceState::Serving },
        since: Some(backend.draining_since.unwrap_or(backend.since)),
    });
    let mut all: Vec<Instance> = known.collect();
    let running = parts.rollout.as_ref().filter(|rollout| rollout.state == RolloutState::Running);
    let coming = running.and_then(|rollout| parts.releases.iter().find(|release| release.brief.number == rollout.to));
    if let Some(release) = coming {
        for slot in 0..release.replicas.get(WEB).copied().unwrap_or(0) {
            let there = |b: &BoardBackend| b.generation == release.generation && b.process == WEB && b.slot == slot;
            if !parts.backends.iter().any(there) {
                let process = WEB.to_owned();
                all.push(Instance { release: release.brief.number, process, slot, state: InstanceState::Starting, since: None });
            }
        }
    }
    all
}

fn target(row: TargetRow, parts: Parts) -> View {
    let serving = parts.backends.iter().filter(|backend| backend.process == WEB && backend.draining_since.is_none()).count();
    let proven = row.release_id.as_ref().and_then(|id| parts.releases.iter().find(|release| release.brief.id == *id));
    let signs = Signs {
        wanted: proven.map(|release| release.replicas.get(WEB).copied().unwrap_or(0)),
        serving: u32::try_from(serving).unwrap_or(u32::MAX),
        rollout: parts.rollout.as_ref().map(|rollout| rollout.state),
    };
    let target = Target {
        id: row.id,
        environment_id: row.environment.id,
        environment: row.environment.name,
        replicas: row.replicas.get(WEB).copied().unwrap_or(0),
        release: proven.map(|release| release.brief.clone()),
        instances: instances(&parts),
        rollout: parts.rollout,
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

    /// These targets, all of them among those looked at, with everything that belongs to them, in their order.
    pub(super) async fn views(&self, look: Look<'_>, rows: Vec<TargetRow>) -> Result<Vec<View>> {
        let mut parts: HashMap<TargetId, Parts> = HashMap::new();
        for release in board::releases(&self.db, look).await? {
            parts.entry(release.target.clone()).or_default().releases.push(release);
        }
        for backend in board::backends(&self.db, look).await? {
            parts.entry(backend.target.clone()).or_default().backends.push(backend);
        }
        for row in routes::of_targets(&self.db, look).await? {
            parts.entry(row.target.clone()).or_default().routes.push(self.route(row));
        }
        for (target, rollout) in rollouts::newest_of_targets(&self.db, look).await? {
            parts.entry(target).or_default().rollout = Some(rollout);
        }
        Ok(rows
            .into_iter()
            .map(|row| {
                let parts = parts.remove(&row.id).unwrap_or_default();
                target(row, parts)
            })
            .collect())
    }
}
