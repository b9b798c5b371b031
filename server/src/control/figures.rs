//! How this Berth is: whether each of its parts does its work, and its figures.

use std::time::Duration;

use app::{
    error::Result,
    model::{Actor, EngineState, Timestamp},
};
use tokio::time::{Instant, timeout};

use super::{Control, authorize};
use crate::{
    auth::rights::Action,
    clock,
    store::{counts, leases, settings, users},
    telemetry::metrics::{self, Now},
};

/// How long a part may take to say how it is.
const PATIENCE: Duration = Duration::from_secs(2);

/// What is known of the running Berth only once it runs.
pub struct Life {
    /// Whether the edge takes connections.
    pub edge_listens: Box<dyn Fn() -> bool + Send + Sync>,
    /// Who this Berth is in the leases.
    pub holder: String,
}

/// A part of Berth, and why it does not do its work; none: it does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Part {
    /// `store`, `engine`, `edge`.
    pub name: &'static str,
    /// Why not, in words that tell a stranger nothing of what is inside.
    pub why_not: Option<&'static str>,
    /// Whether requests can be answered without it.
    pub needed: bool,
}

/// The engine is asked at most this often: whoever may ask whether Berth is ready may not make it ask and ask.
const ENGINE_EVERY: Duration = Duration::from_secs(2);

/// How the engine was when it was asked last.
pub(super) type EngineSeen = tokio::sync::Mutex<Option<(Instant, Option<&'static str>)>>;

impl Control {
    /// Tells what is known only now.
    pub fn lives(&self, life: Life) {
        // A Berth lives once.
        let _ = self.life.set(life);
    }

    /// Whether each part does its work. Berth answers without its engine: then it says what it waits for.
    pub async fn parts(&self) -> [Part; 3] {
        let (store, engine) = tokio::join!(self.store_answers(), self.engine_answers());
        let edge = match self.life.get() {
            Some(life) if !(life.edge_listens)() => Some("does not listen"),
            _ => None,
        };
        [
            Part { name: "store", why_not: store, needed: true },
            Part { name: "engine", why_not: engine, needed: false },
            Part { name: "edge", why_not: edge, needed: true },
        ]
    }

    async fn store_answers(&self) -> Option<&'static str> {
        match timeout(PATIENCE, users::any(&self.db)).await {
            Ok(Ok(_)) => None,
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database cannot be read");
                Some("cannot be read")
            }
            Err(_) => Some("does not answer"),
        }
    }

    async fn engine_answers(&self) -> Option<&'static str> {
        let mut seen = self.engine_seen.lock().await;
        if let Some((at, how)) = *seen
            && at.elapsed() < ENGINE_EVERY
        {
            return how;
        }
        let how = match timeout(PATIENCE, self.platform.service_hosts()).await {
            Ok(hosts) if hosts.iter().any(|host| matches!(host.state, EngineState::Answers | EngineState::Slow)) => None,
            Ok(hosts) if hosts.iter().all(|host| host.state == EngineState::Gone) => Some("takes no connections"),
            Ok(_) | Err(_) => Some("does not answer"),
        };
        *seen = Some((Instant::now(), how));
        how
    }

    /// The figures, in the format of OpenMetrics.
    ///
    /// # Errors
    /// As [`authorize`]; `store_unavailable`.
    pub async fn metrics(&self, actor: &Actor) -> Result<String> {
        authorize(actor, Action::ReadMetrics, None)?;
        let parts = self.parts().await;
        let holder = self.life.get().map(|life| life.holder.as_str());
        let now = clock::now();
        let held = |lease: leases::Lease| (lease.name, Some(lease.holder.as_str()) == holder && lease.until > now, lease.fence);
        Ok(metrics::text(&Now {
            parts: parts.iter().map(|part| (part.name, part.why_not.is_none())).collect(),
            runs: counts::open_runs(&self.db).await?,
            rollouts: counts::open_rollouts(&self.db).await?,
            instances: counts::instances(&self.db).await?,
            things: counts::things(&self.db).await?,
            leases: leases::all(&self.db).await?.into_iter().map(held).collect(),
            backup: settings::last_backup(&self.db).await?.map(|at: Timestamp| now.since(at).as_secs()),
        }))
    }
}
