//! One container engine that speaks Docker's API.
//!
//! What runs is always read from the engine, by labels: nothing here needs to survive a crash. A call that changes
//! something can be made again.

mod bases;
mod buildkit;
mod cache;
mod call;
mod connect;
mod containers;
mod errors;
mod hosts;
mod images;
mod kept;
mod moving;
mod networks;
mod reading;
mod streams;
mod tasks;
mod trace;
mod workspaces;

use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    fmt,
    path::PathBuf,
    pin::Pin,
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use app::model::{CacheId, Host, RunId, ServiceId, TeamId};
use async_trait::async_trait;
use bollard::query_parameters::EventsOptionsBuilder;
use futures::{Stream, StreamExt};
use tokio::sync::OnceCell;
use tokio_util::sync::CancellationToken;

pub use self::{call::Deadlines, connect::locate};
use super::{
    Archive, BaseBuild, Build, ImageInfo, ImageRead, Observed, OutputStream, Platform, PlatformError, Scope, Sink, Task, TaskEnd, Workload,
    WorkloadId, Workspace, container, network,
};

/// What a driver is told.
#[derive(Clone, Debug)]
pub struct Settings {
    /// What its host is called; absent: as the engine says.
    pub host: Option<String>,
    /// The engine's address; absent: as the docker command finds it.
    pub address: Option<String>,
    /// Which Berth this is, up to 40 small letters, digits and hyphens: several on one engine never touch each other's things.
    pub instance: String,
    /// The range that networks are taken from, CIDR.
    pub subnets: String,
    /// The deadlines of calls.
    pub deadlines: Deadlines,
}

/// The driver. Cloning it shares it.
#[derive(Clone)]
pub struct Docker(Arc<Inner>);

struct Inner {
    host: Option<String>,
    address: String,
    instance: String,
    range: network::Subnet,
    deadlines: Deadlines,
    client: OnceCell<bollard::Docker>,
    making_networks: tokio::sync::Mutex<()>,
    /// What was learnt of containers that run, by the engine's id.
    known: Mutex<HashMap<String, Observed>>,
    last_host: Mutex<Option<Host>>,
    /// Commands inside containers that were late, by the container's name: an engine cannot end them.
    late: Mutex<HashMap<String, String>>,
    /// The containers of tasks that this process started and that have not ended.
    begun: Mutex<HashSet<String>>,
    swept: AtomicBool,
}

impl fmt::Debug for Docker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Docker").field("address", &self.0.address).field("instance", &self.0.instance).finish_non_exhaustive()
    }
}

impl Docker {
    /// A driver. The engine is not asked anything yet: it may come later than Berth.
    ///
    /// # Errors
    /// [`PlatformError::Refused`] where a setting is none.
    pub fn new(settings: Settings) -> Result<Self, PlatformError> {
        let Settings { host, address, instance, subnets, deadlines } = settings;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if instance.is_empty() || instance.len() > 40 || !instance.chars().all(plain) {
            return Err(PlatformError::Refused(format!("`{instance}` cannot be the name of a Berth on an engine")));
        }
        Ok(Self(Arc::new(Inner {
            host,
            address: connect::locate(address.as_deref())?,
            instance,
            range: network::range(&subnets).map_err(PlatformError::Refused)?,
            deadlines,
            client: OnceCell::new(),
            making_networks: tokio::sync::Mutex::new(()),
            known: Mutex::new(HashMap::new()),
            last_host: Mutex::new(None),
            late: Mutex::new(HashMap::new()),
            begun: Mutex::new(HashSet::new()),
            swept: AtomicBool::new(false),
        })))
    }

    /// Where the engine is.
    pub fn address(&self) -> &str {
        &self.0.address
    }

    fn begun(&self) -> MutexGuard<'_, HashSet<String>> {
        self.0.begun.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn known(&self) -> MutexGuard<'_, HashMap<String, Observed>> {
        self.0.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn late(&self) -> MutexGuard<'_, HashMap<String, String>> {
        self.0.late.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn last_host(&self) -> MutexGuard<'_, Option<Host>> {
        self.0.last_host.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Once per start: what a crash left half removed.
    async fn sweep_once(&self) {
        if self.0.swept.swap(true, Ordering::Relaxed) {
            return;
        }
        if let Err(error) = self.sweep_networks().await {
            self.0.swept.store(false, Ordering::Relaxed);
            tracing::warn!(%error, "unused networks could not be removed");
        }
    }
}

#[async_trait]
impl Platform for Docker {
    async fn ensure(&self, workload: &Workload) -> Result<Observed, PlatformError> {
        self.ensure_copy(workload).await
    }

    async fn remove(&self, id: &WorkloadId, grace: Duration) -> Result<(), PlatformError> {
        self.remove_copy(id, grace).await
    }

    async fn observe(&self, scope: &Scope) -> Result<Vec<Observed>, PlatformError> {
        let observed = self.observe_copies(scope).await?;
        self.sweep_once().await;
        Ok(observed)
    }

    async fn run_to_end(&self, task: &Task, sink: Sink, cancel: CancellationToken) -> Result<TaskEnd, PlatformError> {
        Box::pin(self.run_task(task, sink, cancel)).await
    }

    async fn exec_task(&self, task: &str, command: Option<&[String]>, timeout: Duration) -> Result<Option<i64>, PlatformError> {
        self.exec_beside(task, command, timeout).await
    }

    async fn exec(&self, id: &WorkloadId, command: &[String], timeout: Duration) -> Result<i64, PlatformError> {
        self.exec_in(id, command, timeout).await
    }

    async fn logs(&self, id: &WorkloadId, tail: u32, follow: bool) -> Result<OutputStream, PlatformError> {
        self.read_logs(id, tail, follow).await
    }

    async fn events(&self) -> Result<Pin<Box<dyn Stream<Item = ()> + Send>>, PlatformError> {
        // Of copies alone: steps come and go without anybody having to look.
        let mut filters = networks::with_labels([(container::INSTANCE, &self.0.instance), (container::SLOT, "")]);
        filters.insert("type".into(), vec!["container".into()]);
        filters.insert("event".into(), ["start", "die", "oom", "destroy"].map(str::to_owned).into());
        self.ping().await?;
        // From now on, not from when the stream is first read.
        let now = crate::clock::now().0;
        let since = format!("{}.{:03}000000", now / 1_000, now % 1_000);
        let options = EventsOptionsBuilder::default().filters(&filters).since(&since).build();
        let events = self.client().await?.events(Some(options));
        let watched = self.watched(self.0.deadlines.idle * 10, events);
        Ok(Box::pin(watched.take_while(|event| std::future::ready(event.is_ok())).map(|_| ())))
    }

    async fn hosts(&self) -> Vec<Host> {
        vec![self.how_is_it().await]
    }

    async fn image(&self, reference: &str, team: &TeamId) -> Result<ImageInfo, PlatformError> {
        self.find_image(reference, team).await
    }

    async fn build(&self, build: &Build, sink: Sink, cancel: CancellationToken) -> Result<ImageInfo, PlatformError> {
        self.build_image(build, sink, cancel).await
    }

    async fn default_bridge(&self) -> Result<Option<String>, PlatformError> {
        self.find_default_bridge().await
    }

    async fn bound_build_cache(&self, most: u64) -> Result<u64, PlatformError> {
        self.prune_build_cache(most).await
    }

    async fn build_base(&self, build: &BaseBuild, sink: Sink, cancel: CancellationToken) -> Result<ImageInfo, PlatformError> {
        self.build_base_image(build, sink, cancel).await
    }

    async fn base_images(&self) -> Result<Vec<String>, PlatformError> {
        self.list_bases().await
    }

    async fn remove_base(&self, image: &str) -> Result<(), PlatformError> {
        self.drop_base(image).await
    }

    async fn built_images(&self) -> Result<Vec<(String, RunId)>, PlatformError> {
        self.list_built().await
    }

    async fn forget_builds(&self, service: &ServiceId) -> Result<(), PlatformError> {
        self.drop_cache(service, 0).await
    }

    async fn read_image(&self, read: &ImageRead) -> Result<Vec<(String, Vec<u8>)>, PlatformError> {
        self.read_files(read).await
    }

    async fn remove_image(&self, id: &str) -> Result<(), PlatformError> {
        self.drop_image(id).await
    }

    async fn fill_workspace(&self, workspace: &Workspace, archive: PathBuf, cancel: CancellationToken) -> Result<(), PlatformError> {
        self.fill(workspace, &archive, &cancel).await
    }

    async fn read_workspace(&self, workspace: &Workspace, path: &str) -> Result<Option<Archive>, PlatformError> {
        self.read(workspace, path).await
    }

    async fn copy_workspace(&self, from: &Workspace, to: &Workspace, cancel: CancellationToken) -> Result<(), PlatformError> {
        self.copy_files(from, to, &cancel).await
    }

    async fn settle_run(&self, run: &RunId) -> Result<bool, PlatformError> {
        self.settle(run).await.map(|volumes| !volumes.is_empty())
    }

    async fn clean_run(&self, run: &RunId) -> Result<(), PlatformError> {
        self.clean(run).await
    }

    async fn caches(&self) -> Result<BTreeSet<CacheId>, PlatformError> {
        self.list_caches().await
    }

    async fn cache_sizes(&self) -> Result<BTreeMap<CacheId, u64>, PlatformError> {
        self.weigh_caches().await
    }

    async fn copy_cache(&self, run: &Workspace, from: &CacheId, to: &CacheId, cancel: CancellationToken) -> Result<(), PlatformError> {
        self.copy_kept(run, from, to, &cancel).await
    }

    async fn remove_cache(&self, id: &CacheId) -> Result<(), PlatformError> {
        self.drop_volume(&container::cache_name(&self.0.instance, id)).await
    }

    async fn runs_with_leftovers(&self) -> Result<Vec<RunId>, PlatformError> {
        self.leftovers().await
    }
}
