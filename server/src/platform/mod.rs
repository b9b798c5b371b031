//! Hosts behind a few verbs. Declarative and idempotent: everything made carries labels, so that what runs can be
//! recomputed from the engines after any crash. Every call has a deadline.

pub mod container;
pub mod docker;
pub mod fake;
pub mod network;
pub mod pool;
pub mod silence;

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    net::IpAddr,
    path::PathBuf,
    pin::Pin,
    time::Duration,
};

use app::{
    model::{BaseImage, BaseName, CacheId, Host, Profile, RunId, ServiceId, ServiceName, TargetId, TeamId, Timestamp},
    said,
};
use async_trait::async_trait;
use bytes::Bytes;
use futures::Stream;
use tokio_util::sync::CancellationToken;

/// Which copy of which release this is. Its parts are labels on the container, and its name is made of them.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct WorkloadId {
    /// The team it belongs to.
    pub team: TeamId,
    /// The target it serves.
    pub target: TargetId,
    /// The release's number within the target.
    pub release: u64,
    /// Its process.
    pub process: String,
    /// Its slot, from 0.
    pub slot: u32,
}

/// What a container may use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Memory in bytes, swap included.
    pub memory: u64,
    /// Thousandths of a core.
    pub cpu_millis: u32,
    /// Processes and threads.
    pub pids: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { memory: 512 << 20, cpu_millis: 1_000, pids: 512 }
    }
}

/// Which network a container is on. Made when first needed, removed when nothing uses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Network {
    /// That of a team in an environment.
    Target {
        /// The team.
        team: TeamId,
        /// The environment's id.
        environment: app::model::EnvironmentId,
    },
    /// That of one run.
    Run(RunId),
    /// None at all.
    None,
}

/// A copy of a release that should run.
#[derive(Clone)]
pub struct Workload {
    /// Which one.
    pub id: WorkloadId,
    /// A number that only grows with each attempt to run this target; a label.
    pub fence: i64,
    /// For the container's host name and the reader of a listing.
    pub service: ServiceName,
    /// The image's id, `sha256:…`; never a tag.
    pub image: String,
    /// What to run instead of the image's own command.
    pub command: Option<Vec<String>>,
    /// Its environment variables.
    pub env: BTreeMap<String, String>,
    /// Writable paths beside the usual ones.
    pub writable: Vec<String>,
    /// Its limits.
    pub limits: Limits,
    /// Its hardening.
    pub profile: Profile,
    /// Its network.
    pub network: Network,
}

/// How a container is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ContainerState {
    /// Made, not started yet.
    Created,
    /// Runs.
    Running,
    /// Ended.
    Exited {
        /// Its exit code.
        code: i64,
        /// Whether the kernel ended it for want of memory.
        out_of_memory: bool,
    },
}

/// A copy of a release that is there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observed {
    /// Which one.
    pub id: WorkloadId,
    /// Its fence.
    pub fence: i64,
    /// The engine's name for it.
    pub container: String,
    /// The id of the image it really runs.
    pub image: String,
    /// How it is.
    pub state: ContainerState,
    /// Where it is reached, where it runs.
    pub address: Option<IpAddr>,
    /// When it was started last.
    pub started_at: Option<Timestamp>,
    /// How often the engine started it again.
    pub restarts: u32,
}

/// Which copies are asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Every copy of this Berth.
    All,
    /// Those of a team.
    Team(TeamId),
    /// Those of a target.
    Target(TargetId),
}

/// A command that runs to its end: a step, a release command; or, told to stop once nobody needs it, what runs beside the
/// steps of a stage.
#[derive(Clone)]
pub struct Task {
    /// A name of its own, also a label: two of the same name never run at once, and one left over from before a crash is
    /// found (and removed) by it.
    pub name: String,
    /// The team it belongs to.
    pub team: TeamId,
    /// The run it belongs to, if one.
    pub run: Option<RunId>,
    /// The image: an id or a reference.
    pub image: String,
    /// What to run; an exec array. Empty: the image's own command.
    pub command: Vec<String>,
    /// The name by which others on its network reach it.
    pub alias: Option<String>,
    /// Its environment variables.
    pub env: BTreeMap<String, String>,
    /// The workspace volume, mounted writable at this path, which is the working directory too.
    pub workspace: Option<(Workspace, String)>,
    /// What it has from tasks before it.
    pub caches: Vec<CacheMount>,
    /// Its limits.
    pub limits: Limits,
    /// Its hardening.
    pub profile: Profile,
    /// Its network.
    pub network: Network,
    /// Whether its root file system is writable: a step's is, a release command's is not.
    pub writable_root: bool,
    /// Writable paths beside the usual ones, where the root is not.
    pub writable: Vec<String>,
    /// How long it may take.
    pub timeout: Duration,
}

/// The named volume that carries a run's files from stage to stage.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Workspace {
    /// The run.
    pub run: RunId,
    /// The team it belongs to.
    pub team: TeamId,
}

/// A folder that a task has from one before it, and leaves to the next. Made where it is not there.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CacheMount {
    /// Which one.
    pub id: CacheId,
    /// Where the task has it.
    pub path: String,
}

/// How a task ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TaskEnd {
    /// By itself.
    Exited {
        /// Its exit code.
        code: i64,
        /// Whether the kernel ended it for want of memory.
        out_of_memory: bool,
    },
    /// It took longer than it may, and was stopped.
    TimedOut,
    /// It was cancelled, and was stopped.
    Cancelled,
}

/// A piece of output.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Output {
    /// Whether it was written to the standard error.
    pub error: bool,
    /// The bytes, as they came.
    pub bytes: Bytes,
}

/// Takes output as it comes. Waits where the reader is slower than the writer.
pub type Sink = tokio::sync::mpsc::Sender<Output>;

/// A stream of output that ends with its container, or when dropped.
pub type OutputStream = Pin<Box<dyn Stream<Item = Result<Output, PlatformError>> + Send>>;

/// A tar archive as it comes, in pieces.
pub type Archive = Pin<Box<dyn Stream<Item = Result<Bytes, PlatformError>> + Send>>;

/// Whether a text can name an image, so that it is nothing else to anybody.
pub fn is_reference(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 300
        && text.starts_with(|c: char| c.is_ascii_alphanumeric())
        && !text.contains("//")
        && !text.contains("..")
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._-/:@".contains(&b))
}

/// What is known of an image.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImageInfo {
    /// `sha256:…`.
    pub id: String,
    /// Its size in bytes.
    pub size: u64,
    /// The TCP ports it exposes.
    pub ports: Vec<u16>,
    /// The volumes it declares.
    pub volumes: Vec<String>,
    /// The user it names; empty: root.
    pub user: String,
    /// What it has every build do that starts from it (`ONBUILD`).
    pub triggers: Vec<String>,
}

/// The making of an image from a Dockerfile.
#[derive(Clone, Debug)]
pub struct Build {
    /// The run it belongs to.
    pub run: RunId,
    /// The team.
    pub team: TeamId,
    /// The service: what its builds leave beside their images is kept for the next.
    pub service: ServiceId,
    /// A tar archive of the context: a file, so that no context is held in memory.
    pub context: PathBuf,
    /// The Dockerfile's path in the context.
    pub dockerfile: String,
    /// Whether BuildKit builds it, which holds its commands to no limits and to no network of the run's own; else the engine's
    /// classic builder.
    pub buildkit: bool,
    /// What is read in the place of the Dockerfile in the context; BuildKit alone takes it.
    pub text: Option<String>,
    /// The stage to stop at.
    pub target: Option<String>,
    /// Build arguments.
    pub args: BTreeMap<String, String>,
    /// The images it starts from, by the names it has for them.
    pub bases: Vec<BaseImage>,
    /// Labels of the image: commit, run, service.
    pub labels: BTreeMap<String, String>,
    /// Its limits.
    pub limits: Limits,
    /// How long it may take.
    pub timeout: Duration,
}

/// What a version of a base image is made of.
#[derive(Clone, Debug)]
pub enum BaseContent {
    /// The text of a Dockerfile, with which no files go.
    Dockerfile(String),
    /// A tar archive of a root file system, packed with gzip or not.
    RootFileSystem(PathBuf),
}

/// The making of a version of a base image.
#[derive(Clone, Debug)]
pub struct BaseBuild {
    /// A name of its own: what is made beside the image is known as this run's, see [`Platform::clean_run`].
    pub run: RunId,
    /// The base.
    pub name: BaseName,
    /// The number of the version.
    pub number: u64,
    /// What it is made of.
    pub content: BaseContent,
    /// Its limits.
    pub limits: Limits,
    /// How long it may take.
    pub timeout: Duration,
}

/// Files of an image to be read.
#[derive(Clone, Debug)]
pub struct ImageRead {
    /// The image's id.
    pub image: String,
    /// The run it is read for: what is made for reading is known as its.
    pub run: RunId,
    /// The team.
    pub team: TeamId,
    /// Absolute paths. A folder stands for the files in it; one that is not there is left out.
    pub paths: Vec<String>,
    /// The most bytes in all.
    pub most: usize,
}

/// What a run asks of the host that is taken for it.
#[derive(Clone, Copy, Debug)]
pub struct Placing<'a> {
    /// The run.
    pub run: &'a RunId,
    /// Its service: what its runs leave for each other is found again where the next run is on the same host.
    pub service: &'a ServiceId,
    /// The run whose files it goes on with, itself or another. None: it begins anew, on any host.
    pub files: Option<&'a RunId>,
}

/// What can go wrong with an engine. Slow, hung and gone are different things.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PlatformError {
    /// It takes no connections.
    #[error("{}", said::engine_gone(.0))]
    Gone(String),
    /// It took the call and did not answer within the deadline.
    #[error("{}", said::engine_hung(what, after.as_secs()))]
    Hung {
        /// What was asked.
        what: String,
        /// The deadline.
        after: Duration,
    },
    /// There is no such image, here or where it could be pulled from.
    #[error("{}", said::image_missing(image, hint))]
    ImageNotFound {
        /// Which one.
        image: String,
        /// What there is.
        hint: String,
    },
    /// There is no such container.
    #[error("{}", said::not_there(.0))]
    NotFound(String),
    /// The engine refused to start it: a command that does not exist, for instance.
    #[error("{}", said::cannot_start(.0))]
    CannotStart(String),
    /// The build ended with an error of its own.
    #[error("{0}")]
    BuildFailed(String),
    /// It was cancelled.
    #[error("{}", said::was_cancelled())]
    Cancelled,
    /// It took longer than it may.
    #[error("{}", said::too_long(.0.as_secs()))]
    TimedOut(Duration),
    /// The disk of the host is full.
    #[error("{}", said::engine_full(.0))]
    DiskFull(String),
    /// Anything else the engine says.
    #[error("{}", said::engine_refused(.0))]
    Refused(String),
}

impl PlatformError {
    /// Whether trying the same again later may well help.
    pub const fn passing(&self) -> bool {
        matches!(self, Self::Gone(_) | Self::Hung { .. })
    }
}

/// Hosts behind a few verbs. Every method is idempotent and has a deadline of its own; `stream` has an idle one.
#[async_trait]
pub trait Platform: Send + Sync + fmt::Debug {
    /// Makes it so that this copy runs, and says how it is. One that has exited is not started again: remove it first.
    async fn ensure(&self, workload: &Workload) -> Result<Observed, PlatformError>;

    /// Stops a copy (`SIGTERM`, after `grace` `SIGKILL`) and removes it. One that is not there is fine.
    async fn remove(&self, id: &WorkloadId, grace: Duration) -> Result<(), PlatformError>;

    /// What is there.
    async fn observe(&self, scope: &Scope) -> Result<Vec<Observed>, PlatformError>;

    /// Runs a command to its end and removes its container. Output goes to the sink until the end.
    async fn run_to_end(&self, task: &Task, sink: Sink, cancel: CancellationToken) -> Result<TaskEnd, PlatformError>;

    /// Runs a command inside the container of a task that is under way, and answers with its exit code; without a command it
    /// is only looked whether that runs. None: it does not run.
    async fn exec_task(&self, task: &str, command: Option<&[String]>, timeout: Duration) -> Result<Option<i64>, PlatformError>;

    /// Runs a command inside a copy: a health check. Answers with its exit code.
    async fn exec(&self, id: &WorkloadId, command: &[String], timeout: Duration) -> Result<i64, PlatformError>;

    /// The last `tail` lines of a copy's output, and what follows if asked for.
    async fn logs(&self, id: &WorkloadId, tail: u32, follow: bool) -> Result<OutputStream, PlatformError>;

    /// Changes of containers as the engine tells them: only a wake-up, its items carry nothing.
    async fn events(&self) -> Result<Pin<Box<dyn Stream<Item = ()> + Send>>, PlatformError>;

    /// The hosts and how their engines answer. Never fails: a silent engine is a state.
    async fn hosts(&self) -> Vec<Host>;

    /// Those of them that services run on.
    async fn service_hosts(&self) -> Vec<Host> {
        self.hosts().await
    }

    /// Takes a host for a run: all that is done for the run is done there from then on. Asked again it stays the same one, but for
    /// a run that begins anew and whose host does not answer any more.
    async fn take_host(&self, _wanted: Placing<'_>) -> Result<(), PlatformError> {
        Ok(())
    }

    /// The host taken for a run, where there is a choice. For limits and Berth's own log: teams do not know hosts.
    fn host_of(&self, _run: &RunId) -> Option<String> {
        None
    }

    /// Removes from each builder what is not at home any more: what was brought there, and of what was built there the images of
    /// runs that have ended.
    async fn drop_brought(&self, _ended: &BTreeSet<String>) {}

    /// Finds an image by id or reference, pulling a reference that is not here. For a team, what builds of another team
    /// made is not there: neither here, nor where something is run.
    async fn image(&self, reference: &str, team: &TeamId) -> Result<ImageInfo, PlatformError>;

    /// Builds an image. The text of the build goes to the sink.
    async fn build(&self, build: &Build, sink: Sink, cancel: CancellationToken) -> Result<ImageInfo, PlatformError>;

    /// The bridge that commands of BuildKit are on, on the engine's host; none where it has none.
    async fn default_bridge(&self) -> Result<Option<String>, PlatformError>;

    /// Has the engine forget what BuildKit keeps for the next builds beyond so many bytes, the oldest first. What is not
    /// BuildKit's is not touched. Answers with the bytes that came free.
    async fn bound_build_cache(&self, most: u64) -> Result<u64, PlatformError>;

    /// Builds a version of a base image, for every team, and gives it its names: `base/NAME:NUMBER` and `base/NAME`. The text of
    /// the build goes to the sink.
    async fn build_base(&self, build: &BaseBuild, sink: Sink, cancel: CancellationToken) -> Result<ImageInfo, PlatformError>;

    /// The ids of the base images that were built here and are still there: found by labels.
    async fn base_images(&self) -> Result<Vec<String>, PlatformError>;

    /// Removes a base image with its names, if nothing uses it.
    async fn remove_base(&self, image: &str) -> Result<(), PlatformError>;

    /// The images that were built here and are still there, each with the run that built it: found by labels.
    async fn built_images(&self) -> Result<Vec<(String, RunId)>, PlatformError>;

    /// Removes what the builds of a service left beside their images.
    async fn forget_builds(&self, service: &ServiceId) -> Result<(), PlatformError>;

    /// Reads files of an image, which is not started for it: each with its path and its bytes.
    async fn read_image(&self, read: &ImageRead) -> Result<Vec<(String, Vec<u8>)>, PlatformError>;

    /// Removes an image by id, if nothing uses it.
    async fn remove_image(&self, id: &str) -> Result<(), PlatformError>;

    /// Fills a run's workspace from a tar archive, making the volume. It replaces what was there. It is told to stop by the token
    /// and not by being dropped, so that nothing is made after it ended.
    async fn fill_workspace(&self, workspace: &Workspace, archive: PathBuf, cancel: CancellationToken) -> Result<(), PlatformError>;

    /// What a run's workspace holds at this path and below it, as a tar archive whose names begin with the last part of the
    /// path; an empty path is all of it. None where there is nothing. What it holds was made by whatever ran there: nothing
    /// in it is to be believed. Nothing is left behind once the stream is dropped.
    async fn read_workspace(&self, workspace: &Workspace, path: &str) -> Result<Option<Archive>, PlatformError>;

    /// Fills a run's workspace with what another's holds now, which is of the same team and stays as it is. It replaces what was
    /// there. [`PlatformError::NotFound`] where the other is not there. It is told to stop as [`Platform::fill_workspace`] is.
    async fn copy_workspace(&self, from: &Workspace, to: &Workspace, cancel: CancellationToken) -> Result<(), PlatformError>;

    /// Removes what is left of a run but its workspace, and says whether there is one.
    async fn settle_run(&self, run: &RunId) -> Result<bool, PlatformError>;

    /// Removes what is left of a run: containers of its tasks, its workspace, its network.
    async fn clean_run(&self, run: &RunId) -> Result<(), PlatformError>;

    /// The caches that are there: found by labels.
    async fn caches(&self) -> Result<BTreeSet<CacheId>, PlatformError>;

    /// How large they are, in bytes. This takes a while.
    async fn cache_sizes(&self) -> Result<BTreeMap<CacheId, u64>, PlatformError>;

    /// Makes a cache that begins with what another holds, which stays as it is, on behalf of a run. It is told to stop as
    /// [`Platform::fill_workspace`] is.
    async fn copy_cache(&self, run: &Workspace, from: &CacheId, to: &CacheId, cancel: CancellationToken) -> Result<(), PlatformError>;

    /// Removes a cache. One that is not there is fine; one that a container has is refused.
    async fn remove_cache(&self, id: &CacheId) -> Result<(), PlatformError>;

    /// The runs that have left something: found by labels.
    async fn runs_with_leftovers(&self) -> Result<Vec<RunId>, PlatformError>;
}

/// One engine of several: what is on one of them can be brought to another.
#[async_trait]
pub trait Engine: Platform {
    /// The host, and how its engine answers.
    async fn host(&self) -> Host;

    /// The id of the image that has this name or id here. Nothing is pulled, and no team is asked for.
    async fn image_id(&self, reference: &str) -> Result<Option<String>, PlatformError>;

    /// An image with all that it stands on, as an archive.
    async fn save_image(&self, id: &str) -> Result<Archive, PlatformError>;

    /// Takes what [`Engine::save_image`] of another engine gave: the image has the same id here, and no name.
    async fn load_image(&self, archive: Archive) -> Result<(), PlatformError>;

    /// Gives an image a name, `NAME:TAG` or `NAME`; whichever image had it has it no longer.
    async fn name_image(&self, id: &str, name: &str) -> Result<(), PlatformError>;

    /// The ids of the images that have this name, with whatever tag.
    async fn images_named(&self, name: &str) -> Result<BTreeSet<String>, PlatformError>;

    /// Removes an image with all its names, if no container uses it.
    async fn forget_image(&self, id: &str) -> Result<(), PlatformError>;

    /// What a cache holds, as an archive, read on behalf of a run. None: it is not there.
    async fn read_cache(&self, run: &Workspace, id: &CacheId) -> Result<Option<Archive>, PlatformError>;

    /// Makes a cache that holds this, on behalf of a run. It is told to stop as [`Platform::fill_workspace`] is.
    async fn fill_cache(&self, run: &Workspace, id: &CacheId, archive: Archive, cancel: CancellationToken) -> Result<(), PlatformError>;
}
