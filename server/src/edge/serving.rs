//! The table as it is served: each instance of it with what is known of it while it lives. Swapped as a whole; an instance that
//! is in the old table and in the new one stays the same object, so that nothing under way notices.

use std::{
    collections::HashMap,
    hash::{DefaultHasher, Hash, Hasher},
    net::SocketAddr,
    sync::{
        Arc, Mutex, OnceLock, PoisonError, Weak,
        atomic::{AtomicBool, AtomicI64, AtomicUsize, Ordering},
    },
    time::Duration,
};

use app::model::{TargetId, Timestamp};
use serde::{Deserialize, Serialize};

use super::table::{Backend, Found, Table, Target};
use crate::{store::backends::BackendRow, telemetry::metrics::Service};

/// How long an instance that refused a connection is asked last.
const SULK: Duration = Duration::from_secs(2);

/// Who sent a first request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum By {
    /// Somebody outside.
    Client,
    /// Berth itself, because nobody else did.
    Berth,
}

/// The first answer of an instance that came back through the edge.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FirstRequest {
    /// The instance's slot.
    pub slot: u32,
    /// Where it listens.
    pub address: SocketAddr,
    /// The status it answered with.
    pub status: u16,
    /// When the head of its answer was there.
    pub at: Timestamp,
    /// Who asked.
    pub by: By,
}

/// An instance while it is served.
#[derive(Debug)]
pub(super) struct Instance {
    pub(super) target: TargetId,
    pub(super) backend: Backend,
    /// Differs between any two instances, also where both had the same address.
    pub(super) key: u64,
    gone: AtomicBool,
    open: AtomicUsize,
    /// Of these, by [`Lasting`].
    lasting: [AtomicUsize; 2],
    refused_at: AtomicI64,
    first: OnceLock<FirstRequest>,
}

impl Instance {
    /// Notes an answer; only the first one is kept.
    pub(super) fn answered(&self, status: u16, by: By, now: impl FnOnce() -> Timestamp) {
        if self.first.get().is_none() {
            let (slot, address) = (self.backend.slot, self.backend.address);
            let _ = self.first.set(FirstRequest { slot, address, status, at: now(), by });
        }
    }

    /// Notes that it took no connection: for a while the others are asked first.
    pub(super) fn refused(&self, now: Timestamp) {
        self.refused_at.store(now.0, Ordering::Relaxed);
    }

    pub(super) fn first(&self) -> Option<&FirstRequest> {
        self.first.get()
    }

    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }

    pub(super) fn lasting(&self, kind: Lasting) -> usize {
        self.lasting[kind as usize].load(Ordering::SeqCst)
    }

    fn sulks(&self, now: Timestamp) -> bool {
        let refused = self.refused_at.load(Ordering::Relaxed);
        refused != 0 && now.since(Timestamp(refused)) < SULK
    }
}

/// What goes on until somebody has enough of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Lasting {
    /// An answer that is a stream of events.
    Events,
    /// A connection handed over.
    Socket,
}

/// A request or a tunnel at an instance; counted as long as it lives.
#[derive(Debug)]
pub(super) struct Open {
    instance: Arc<Instance>,
    lasting: OnceLock<Lasting>,
}

impl Open {
    /// Counts first and looks at the drain second, while a drain marks first and counts second: so either this request is
    /// counted, or it goes elsewhere.
    fn new(instance: &Arc<Instance>) -> Option<Self> {
        instance.open.fetch_add(1, Ordering::SeqCst);
        let open = Self { instance: Arc::clone(instance), lasting: OnceLock::new() };
        (!instance.gone.load(Ordering::SeqCst)).then_some(open)
    }

    pub(super) fn instance(&self) -> &Arc<Instance> {
        &self.instance
    }

    /// Notes that it will last.
    pub(super) fn lasts(&self, kind: Lasting) {
        if self.lasting.set(kind).is_ok() {
            self.instance.lasting[kind as usize].fetch_add(1, Ordering::SeqCst);
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        if let Some(kind) = self.lasting.get() {
            self.instance.lasting[*kind as usize].fetch_sub(1, Ordering::SeqCst);
        }
        self.instance.open.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The instances of a target.
#[derive(Debug)]
pub(super) struct Pool {
    next: AtomicUsize,
    /// What the figures call it.
    pub(super) service: Arc<Service>,
    /// Those that take requests.
    pub(super) instances: Vec<Arc<Instance>>,
    /// Those that finish what they have: held so that what is known of them stays known.
    draining: Vec<Arc<Instance>>,
}

impl Pool {
    /// The instance with the least under way, in turn among equals; not one of `tried`. None also where the choice began to
    /// drain in this moment: look at the newest table then.
    /// Where the request is for one instance, it is that one or none.
    pub(super) fn pick(&self, pinned: Option<u64>, tried: &[u64], now: impl FnOnce() -> Timestamp) -> Option<Open> {
        if let Some(key) = pinned {
            return self.instances.iter().find(|instance| instance.key == key && !tried.contains(&key)).and_then(Open::new);
        }
        // The usual case needs no clock and no comparing.
        if let ([only], []) = (self.instances.as_slice(), tried) {
            return Open::new(only);
        }
        let (start, count, now) = (self.next.fetch_add(1, Ordering::Relaxed), self.instances.len(), now());
        (0..count)
            .map(|offset| &self.instances[(start.wrapping_add(offset)) % count])
            .filter(|instance| !tried.contains(&instance.key))
            .min_by_key(|instance| (instance.sulks(now), instance.open()))
            .and_then(Open::new)
    }
}

/// The table with its living instances.
#[derive(Debug, Default)]
pub(super) struct Serving {
    pub(super) table: Table,
    /// By the same places as the targets of the table.
    pools: Vec<Arc<Pool>>,
    places: Arc<HashMap<TargetId, usize>>,
}

/// Where a request goes.
pub(super) enum Way {
    /// To one of this pool.
    To(usize),
    /// Nowhere: no such host name or path.
    Unknown,
    /// Nowhere: the path can be read in two ways.
    TwoMeanings,
}

impl Serving {
    pub(super) fn way(&self, host: &str, path: &str) -> Way {
        match self.table.find(host, path) {
            Found::Target(place) => Way::To(place),
            Found::NoHost | Found::NoPath => Way::Unknown,
            Found::TwoMeanings => Way::TwoMeanings,
        }
    }

    pub(super) fn pool(&self, place: usize) -> Option<&Pool> {
        self.pools.get(place).map(|pool| &**pool)
    }

    /// The place of a target; none where it has never had a route in this table.
    pub(super) fn place(&self, target: &TargetId) -> Option<usize> {
        self.places.get(target).copied()
    }

    /// Whether this release of the target has an instance that takes requests.
    pub(super) fn serves(&self, target: &TargetId, release: u64) -> bool {
        let pool = self.place(target).and_then(|place| self.pool(place));
        pool.is_some_and(|pool| pool.instances.iter().any(|instance| instance.backend.release == release))
    }

    /// Whether one of these instances of the target takes requests. Told apart by more than their address, which may have been
    /// given out again.
    pub(super) fn serves_any(&self, target: &TargetId, rows: &[BackendRow]) -> bool {
        let same = |one: &Backend, row: &BackendRow| (one.release, one.slot, one.address) == (row.release, row.slot, row.address);
        let pool = self.place(target).and_then(|place| self.pool(place));
        pool.is_some_and(|pool| pool.instances.iter().any(|instance| rows.iter().any(|row| same(&instance.backend, row))))
    }

    /// Whether this instance takes requests.
    pub(super) fn takes(&self, instance: &Instance) -> bool {
        self.pools.iter().flat_map(|pool| &pool.instances).any(|one| one.key == instance.key)
    }
}

type Identity = (TargetId, Backend);

/// What outlives a table.
#[derive(Debug, Default)]
struct Known {
    /// Every instance that is served or still has something under way.
    instances: HashMap<Identity, Weak<Instance>>,
    services: HashMap<TargetId, Weak<Service>>,
}

/// Every instance that is served or still has something under way.
#[derive(Debug, Default)]
pub(super) struct Registry(Mutex<Known>);

impl Registry {
    /// Gives a table its instances: those that are known stay the same. Call [`Registry::settle`] once it is swapped in.
    pub(super) fn bring_to_life(&self, table: Table) -> Serving {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Known { instances, services } = &mut *known;
        let mut pools = Vec::with_capacity(table.targets.len());
        for (target, host) in table.targets.iter().zip(table.names()) {
            pools.push(Arc::new(pool(instances, target, service(services, &target.id, host), 0)));
        }
        let places = table.targets.iter().enumerate().map(|(place, target)| (target.id.clone(), place)).collect();
        Serving { table, pools, places: Arc::new(places) }
    }

    /// The same for a table that differs from the one that is served in the targets at these places, and only there. Call
    /// [`Registry::settle_at`] once it is swapped in.
    pub(super) fn bring_to_life_at(&self, served: &Serving, table: Table, places: &[usize]) -> Serving {
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut pools = served.pools.clone();
        for place in places {
            if let (Some(old), Some(target)) = (pools.get_mut(*place), table.targets.get(*place)) {
                let next = old.next.load(Ordering::Relaxed);
                *old = Arc::new(pool(&mut known.instances, target, Arc::clone(&old.service), next));
            }
        }
        Serving { table, pools, places: Arc::clone(&served.places) }
    }

    /// After the swap, as [`Registry::settle`], for a table that differs from the one before at these places only.
    pub(super) fn settle_at(before: &Serving, serving: &Serving, places: &[usize]) {
        for place in places {
            let (Some(old), Some(new)) = (before.pool(*place), serving.pool(*place)) else { continue };
            for instance in old.instances.iter().chain(&old.draining) {
                if !new.instances.iter().any(|one| one.key == instance.key) {
                    instance.gone.store(true, Ordering::SeqCst);
                }
            }
        }
    }

    /// After the swap: whoever still holds the old table gets no request through to an instance that is not in the new one.
    pub(super) fn settle(&self, serving: &Serving) {
        let serves: std::collections::HashSet<u64> =
            serving.pools.iter().flat_map(|pool| &pool.instances).map(|instance| instance.key).collect();
        let mut known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.services.retain(|_, service| service.strong_count() > 0);
        known.instances.retain(|_, instance| {
            let Some(instance) = instance.upgrade() else { return false };
            if !serves.contains(&instance.key) {
                instance.gone.store(true, Ordering::SeqCst);
            }
            true
        });
    }

    /// The instances for which `wanted` holds.
    pub(super) fn all(&self, wanted: impl Fn(&Instance) -> bool) -> Vec<Arc<Instance>> {
        let known = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        known.instances.values().filter_map(Weak::upgrade).filter(|instance| wanted(instance)).collect()
    }
}

fn pool(known: &mut HashMap<Identity, Weak<Instance>>, target: &Target, service: Arc<Service>, next: usize) -> Pool {
    let (draining, taking): (Vec<_>, Vec<_>) = target.backends.iter().partition(|backend| backend.draining);
    let mut alive = |backends: Vec<&Backend>| backends.into_iter().map(|one| instance(known, &target.id, one)).collect::<Vec<_>>();
    let pool = Pool { next: AtomicUsize::new(next), service, instances: alive(taking), draining: alive(draining) };
    pool.instances.iter().for_each(|instance| instance.gone.store(false, Ordering::SeqCst));
    pool
}

fn service(known: &mut HashMap<TargetId, Weak<Service>>, target: &TargetId, host: &str) -> Arc<Service> {
    if let Some(service) = known.get(target).and_then(Weak::upgrade) {
        return service;
    }
    let service = Arc::new(Service::named(host));
    known.insert(target.clone(), Arc::downgrade(&service));
    service
}

fn instance(known: &mut HashMap<Identity, Weak<Instance>>, target: &TargetId, backend: &Backend) -> Arc<Instance> {
    let identity = (target.clone(), Backend { draining: false, ..backend.clone() });
    if let Some(instance) = known.get(&identity).and_then(Weak::upgrade) {
        return instance;
    }
    let mut hasher = DefaultHasher::new();
    identity.hash(&mut hasher);
    let instance = Arc::new(Instance {
        target: target.clone(),
        backend: identity.1.clone(),
        key: hasher.finish(),
        gone: AtomicBool::new(false),
        open: AtomicUsize::new(0),
        lasting: Default::default(),
        refused_at: AtomicI64::new(0),
        first: OnceLock::new(),
    });
    known.insert(identity, Arc::downgrade(&instance));
    instance
}
