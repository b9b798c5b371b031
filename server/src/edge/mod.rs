//! The edge: leads requests from outside to proven instances.
//!
//! A request's way: `listen` accepts its connection, `wire` watches it, `strict` refuses what can be read in two ways, `table` finds its target by
//! host name and path, `serving` picks one of the target's instances, `headers` says to the service who asked, `proxy` passes
//! it on and its answer back (`duplex` where both sides talk at once), `pages` answers where there is nobody to pass it on to.
//!
//! The table is built purely from rows (`refresh` reads them), swapped as a whole without a lock, and kept on disk, so that the
//! edge starts and serves without the store. Only this part names the proxy library.

mod calls;
mod duplex;
pub mod files;
mod headers;
mod listen;
mod pages;
mod probe;
mod proxy;
mod refresh;
mod serving;
mod strict;
pub mod table;
mod wire;

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use app::{
    error::{Error, Result},
    model::TargetId,
    said,
};
use arc_swap::ArcSwap;
use tokio::sync::{Semaphore, watch};

use crate::{store::backends::BackendRow, wake::Wake};
pub use refresh::{Rows, Source};
pub use serving::{By, FirstRequest};
use serving::{Instance, Lasting, Registry, Serving};
use table::Table;

/// Largest body of a request unless told otherwise: 4 GiB.
const BODY_MAX: u64 = 4 << 30;

/// What an edge is told at its start.
#[derive(Clone, Debug)]
pub struct Options {
    /// Where it listens.
    pub listen: SocketAddr,
    /// Where it keeps its last good table.
    pub table_file: PathBuf,
    /// Proxies in front of it whose word about the client is taken.
    pub trusted_proxies: Vec<IpAddr>,
    /// Largest body of a request, in bytes.
    pub body_max: u64,
    /// How long a client may take until its first request is there.
    pub first_request: Duration,
    /// How long a client may stand still in the middle of a request or an answer.
    pub stall: Duration,
}

impl Options {
    /// The usual ones: no trusted proxies, bodies up to 4 GiB, 30 s for a first request, 60 s of standing still.
    pub fn new(listen: SocketAddr, table_file: PathBuf) -> Self {
        let (first_request, stall) = (Duration::from_secs(30), Duration::from_secs(60));
        Self { listen, table_file, trusted_proxies: Vec::new(), body_max: BODY_MAX, first_request, stall }
    }
}

/// The edge; see [`Edge::start`].
pub struct Edge;

/// A running edge, as the other parts see it. Cheap to clone.
#[derive(Clone)]
pub struct Handle {
    shared: Arc<Shared>,
    stop: watch::Sender<Option<Duration>>,
    threads: Arc<Mutex<Vec<std::thread::JoinHandle<()>>>>,
    /// What writes the table to disk: its last write is waited for.
    keeper: Arc<Mutex<Option<tokio::task::JoinHandle<()>>>>,
}

/// What is under way, kind by kind.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Under {
    /// Requests that will have their answer.
    pub requests: usize,
    /// Answers that are streams of events.
    pub events: usize,
    /// Sockets: connections handed over.
    pub sockets: usize,
}

impl std::fmt::Display for Under {
    /// As the beginning of a sentence: "2 requests, 1 event stream and 1 socket".
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let kinds = [
            (self.requests, said::one_request(), said::requests(self.requests)),
            (self.events, said::one_event_stream(), said::event_streams(self.events)),
            (self.sockets, said::one_socket(), said::sockets(self.sockets)),
        ];
        let words: Vec<String> = kinds
            .into_iter()
            .filter(|(count, ..)| *count > 0)
            .map(|(count, one, several)| if count == 1 { one } else { several })
            .collect();
        match words.as_slice() {
            [] => f.write_str("nothing"),
            [one] => f.write_str(one),
            [most @ .., last] => write!(f, "{} and {last}", most.join(", ")),
        }
    }
}

/// What the parts of a running edge share.
struct Shared {
    serving: ArcSwap<Serving>,
    registry: Registry,
    /// How often the table was swapped.
    generation: watch::Sender<u64>,
    address: SocketAddr,
    table_file: PathBuf,
    trusted: Vec<IpAddr>,
    body_max: u64,
    first_request: Duration,
    stall: Duration,
    pin: probe::Pin,
}

impl Shared {
    /// Serves another table from now on. What is under way goes on where it is.
    fn swap(&self, table: Table) {
        let serving = Arc::new(self.registry.bring_to_life(table));
        self.serving.store(Arc::clone(&serving));
        self.registry.settle(&serving);
        self.generation.send_modify(|generation| *generation += 1);
    }

    /// Serves these targets as they are now. False where one of them has had no route yet: only the whole table has room for it.
    fn change(&self, changed: &[(TargetId, Rows)]) -> bool {
        let before = self.serving.load_full();
        let mut table = before.table.clone();
        let mut places = Vec::with_capacity(changed.len());
        for (target, (routes, backends)) in changed {
            let Some(place) = before.place(target) else {
                if routes.is_empty() {
                    continue;
                }
                return false;
            };
            table = table.with(place, routes, backends);
            places.push(place);
        }
        let serving = Arc::new(self.registry.bring_to_life_at(&before, table, &places));
        self.serving.store(Arc::clone(&serving));
        Registry::settle_at(&before, &serving, &places);
        self.generation.send_modify(|generation| *generation += 1);
        true
    }
}

impl Edge {
    /// Starts an edge: from its last table on disk, or from the store where there is none yet, and listens. From then on it
    /// follows the store, which it reads at once and when woken by [`crate::wake::Duty::Edge`].
    ///
    /// # Errors
    /// `edge_address` where it cannot listen on its address.
    pub async fn start(options: Options, source: impl Source, wake: Wake) -> Result<Handle> {
        let source: Arc<dyn Source> = Arc::new(source);
        let listener = bind(options.listen)?;
        let address = listener.local_addr().map_err(Error::internal)?;
        let saved = refresh::load(&options.table_file);
        let kept = saved.is_some();
        let table = match saved {
            Some(saved) => saved,
            None => refresh::read(&*source).await.unwrap_or_else(|error| {
                tracing::warn!(?error, "the edge cannot read the store, and has no last table to start from");
                Table::default()
            }),
        };
        let shared = Arc::new(Shared {
            serving: ArcSwap::default(),
            registry: Registry::default(),
            generation: watch::Sender::new(0),
            address,
            table_file: options.table_file,
            trusted: options.trusted_proxies,
            body_max: options.body_max,
            first_request: options.first_request,
            stall: options.stall,
            pin: probe::Pin::new(),
        });
        shared.swap(table);
        let (stop, stopped) = watch::channel(None);
        let mut threads = Vec::new();
        // One listener on each core, up to four; they share nothing that is written on the way of a request.
        let cores = std::thread::available_parallelism().map_or(1, usize::from).clamp(1, 4);
        let room = Arc::new(Semaphore::new(files::connections(files::take())));
        for _ in 0..cores {
            let own = listener.try_clone().map_err(Error::internal)?;
            threads.push(listen::start(own, Arc::clone(&shared), Arc::clone(&room), stopped.clone())?);
        }
        tokio::spawn(refresh::run(Arc::clone(&shared), source, wake, stopped.clone()));
        let keeper = tokio::spawn(refresh::keep(Arc::clone(&shared), stopped, kept));
        Ok(Handle { shared, stop, threads: Arc::new(Mutex::new(threads)), keeper: Arc::new(Mutex::new(Some(keeper))) })
    }
}

fn bind(address: SocketAddr) -> Result<std::net::TcpListener> {
    let bound = std::net::TcpListener::bind(address).and_then(|listener| listener.set_nonblocking(true).map(|()| listener));
    bound.map_err(|error| {
        let why = match error.kind() {
            std::io::ErrorKind::AddrInUse => "another program listens there. Stop it",
            std::io::ErrorKind::PermissionDenied => "this needs more rights. Use a port from 1024 up",
            std::io::ErrorKind::AddrNotAvailable => "this machine has no such address. Use 0.0.0.0 for all of its own",
            _ => "the system refuses it",
        };
        let sentence = format!("The edge cannot listen on {address}: {why}, or choose another address with `--edge-listen`.");
        Error::unavailable("edge_address", sentence).because(error)
    })
}

impl Handle {
    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.shared.address
    }

    /// Whether every one of its listeners takes connections.
    pub fn listens(&self) -> bool {
        let threads = self.threads.lock().unwrap_or_else(PoisonError::into_inner);
        !threads.is_empty() && threads.iter().all(|thread| !thread.is_finished())
    }

    /// Waits until the table that is served has an instance of this release that takes requests. Ends only then: the caller
    /// sets the deadline.
    pub async fn wait_for(&self, target: &TargetId, release: u64) {
        self.wait_until(|serving| serving.serves(target, release)).await;
    }

    /// Waits until the table that is served gives no new request to this release. From then on [`Handle::open_of`] only falls.
    pub async fn wait_without(&self, target: &TargetId, release: u64) {
        self.wait_until(|serving| !serving.serves(target, release)).await;
    }

    /// As [`Handle::wait_without`], of these instances alone: others of their release may stay.
    pub async fn wait_without_these(&self, target: &TargetId, rows: &[BackendRow]) {
        self.wait_until(|serving| !serving.serves_any(target, rows)).await;
    }

    /// Whether the table that is served has an instance of this release that takes requests.
    pub fn serves(&self, target: &TargetId, release: u64) -> bool {
        self.shared.serving.load().serves(target, release)
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
        let mut firsts: Vec<_> = self.of(target, release).iter().filter_map(|instance| instance.first().cloned()).collect();
        firsts.sort_by_key(|first| first.slot);
        firsts
    }

    /// Requests and tunnels that are open at this address, whatever instances had it.
    pub fn in_flight(&self, address: SocketAddr) -> usize {
        self.shared.registry.all(|instance| instance.backend.address == address).iter().map(|instance| instance.open()).sum()
    }

    /// What is open at these addresses, kind by kind.
    pub fn open_at(&self, addresses: &[SocketAddr]) -> Under {
        let instances = self.shared.registry.all(|instance| addresses.contains(&instance.backend.address));
        let sum = |count: &dyn Fn(&Instance) -> usize| instances.iter().map(|instance| count(instance)).sum::<usize>();
        let (events, sockets) = (sum(&|one| one.lasting(Lasting::Events)), sum(&|one| one.lasting(Lasting::Socket)));
        Under { requests: sum(&|one| one.open()).saturating_sub(events + sockets), events, sockets }
    }

    /// Requests and tunnels that are open at the instances of this release.
    pub fn open_of(&self, target: &TargetId, release: u64) -> usize {
        self.of(target, release).iter().map(|instance| instance.open()).sum()
    }

    fn of(&self, target: &TargetId, release: u64) -> Vec<Arc<Instance>> {
        self.shared.registry.all(|instance| instance.target == *target && instance.backend.release == release)
    }

    /// Sends Berth's own first request to every instance of this release that has not answered one yet, through the edge's own
    /// listener, and says how each instance answered first. The instances must be served: see [`Handle::wait_for`].
    ///
    /// # Errors
    /// `edge_unreachable` where the listener does not answer in time, `no_route` where no address leads to the target.
    pub async fn prove(&self, target: &TargetId, release: u64, within: Duration) -> Result<Vec<FirstRequest>> {
        let serving = self.shared.serving.load_full();
        let Some((host, path)) = serving.table.address_of(target) else {
            return Err(Error::not_found("no_route", "No address leads to this service here. Add a route, then deploy again."));
        };
        for instance in self.of(target, release) {
            if instance.first().is_none() && serving.takes(&instance) {
                let pin = Some((&self.shared.pin, instance.key));
                probe::send(self.shared.address, host, path, pin, within).await?;
            }
        }
        Ok(self.first_requests(target, release))
    }

    /// Sends a request through the edge's own listener, as somebody outside would, and says the status of the answer.
    ///
    /// # Errors
    /// `edge_unreachable` where the listener does not answer in time.
    pub async fn probe(&self, host: &str, path: &str, within: Duration) -> Result<u16> {
        probe::send(self.shared.address, host, path, None, within).await
    }

    /// Stops: takes no new connections, finishes what is under way within `grace`, then closes.
    pub async fn stop(&self, grace: Duration) {
        let _ = self.stop.send(Some(grace));
        let threads = std::mem::take(&mut *self.threads.lock().unwrap_or_else(PoisonError::into_inner));
        let joined = tokio::task::spawn_blocking(move || threads.into_iter().for_each(|thread| drop(thread.join())));
        let _ = joined.await;
        let keeper = self.keeper.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(keeper) = keeper {
            let _ = keeper.await;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Under;

    #[test]
    fn what_is_under_way_is_said_kind_by_kind() {
        for ((requests, events, sockets), said) in [
            ((0, 0, 0), "nothing"),
            ((1, 0, 0), "1 request"),
            ((0, 2, 1), "2 event streams and 1 socket"),
            ((3, 1, 2), "3 requests, 1 event stream and 2 sockets"),
        ] {
            assert_eq!(Under { requests, events, sockets }.to_string(), said);
        }
    }
}
