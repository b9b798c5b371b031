//! Composition: puts the parts together and runs them until told to stop.

use std::{
    fs::{self, File, TryLockError},
    net::SocketAddr,
    os::unix::fs::DirBuilderExt as _,
    path::Path,
    sync::{Arc, OnceLock},
    time::{Duration, SystemTime},
};

use app::{
    backend::Backend,
    error::{Error, Result},
    model::TargetId,
};
use async_trait::async_trait;
use tokio::{net::TcpListener, task::JoinSet};
use tokio_util::sync::CancellationToken;

use crate::{
    clock,
    config::Config,
    control::{Control, Life, platform::seed},
    edge::{Edge, Handle, Options, Rows, Source},
    http, pipelines,
    platform::{
        self, Platform,
        docker::{self, Docker},
        pool::Pool,
    },
    rollout::{self, health},
    secrets::Secrets,
    store::{Db, StoreError, settings, users},
    tasks,
    wake::{Duty, Wake},
    wall,
};

/// How long what is under way at the edge may finish when Berth stops.
const GRACE: Duration = Duration::from_secs(10);
/// How often a database that cannot be opened is tried again.
const DATABASE_AGAIN: Duration = Duration::from_secs(2);

/// Where containers run.
pub enum Engine {
    /// The container engine the settings name, or the one the docker command would use. It may come later than Berth.
    Docker,
    /// Another platform: in memory, for tests.
    Given(Arc<dyn Platform>),
}

/// A Berth that runs.
pub struct Running {
    /// Where console and API listen.
    pub console: SocketAddr,
    /// Where the edge listens.
    pub edge: SocketAddr,
    /// The one-time link that creates the first administrator, while there is none.
    pub first_link: Option<String>,
    /// What can be asked of it.
    pub backend: Backend,
    /// The settings it runs with, ports filled in.
    pub config: Arc<Config>,
    /// Its store.
    pub db: Db,
    /// Its wake-ups.
    pub wake: Wake,
    /// Its engines.
    pub platform: Arc<dyn Platform>,
    edge_handle: Handle,
    tasks: JoinSet<()>,
    stop: CancellationToken,
    _lock: File,
}

/// Starts a Berth.
///
/// # Errors
/// `data_unwritable`, `data_in_use`, `port_taken`, `database` and whatever else keeps it from starting, each as a sentence
/// with the mend.
pub async fn start(mut config: Config, engine: Engine) -> Result<Running> {
    let lock = prepare_folder(&config.data)?;
    let wake = Wake::default();
    let (db, early) = match Db::open(&config.database).await {
        Ok(db) => (db, None),
        // What serves goes on being served: from the last table, until the database is back.
        Err(error) if error.may_pass() && config.edge_table().exists() => edge_first(&mut config, &wake, error).await?,
        Err(error) => return Err(database(error)),
    };
    let secrets = Secrets::open_for(&config.key_file(), users::any(&db).await?)?;
    seed(&db).await?;
    let console = bind(config.listen, "The console").await?;
    let listening = console.local_addr().map_err(Error::internal)?;
    if config.listen.port() == 0 {
        config.url = config.url.replace(&config.listen.to_string(), &listening.to_string());
        config.listen = listening;
    }
    let edge = match early {
        Some(edge) => edge,
        None => start_edge(&config, Late::of(db.clone()), &wake).await?,
    };
    config.edge_listen = edge.address();
    let config = Arc::new(config);
    // Before the containers of an engine on this host stands a wall on this host.
    let walled = matches!(engine, Engine::Docker) && docker::locate(config.docker.as_deref()).is_ok_and(|engine| wall::is_local(&engine));
    let platform = match engine {
        Engine::Given(platform) => platform,
        Engine::Docker => docker(&config, &db).await?,
    };
    let control = Control::new(config.clone(), db.clone(), wake.clone(), platform.clone(), secrets.clone());
    let backend = control.backend();
    let first_link = control.first_link().await?;
    let holder = holder(&config.data)?;
    let listening_edge = edge.clone();
    control.lives(Life { edge_listens: Box::new(move || listening_edge.listens()), holder: holder.clone() });
    let ctx = rollout::Context {
        config: config.clone(),
        db: db.clone(),
        platform: platform.clone(),
        wake: wake.clone(),
        secrets,
        edge: Arc::new(edge.clone()),
        http: health::client().map_err(Error::internal)?,
        holder,
    };
    let stop = CancellationToken::new();
    let mut running = JoinSet::new();
    let builds = wall_of_builds(&config, &platform, walled);
    spawn_tasks(&mut running, &ctx, &builds, &stop);
    if walled {
        let builds = (config.buildkit && config.builders.is_empty()).then_some(builds);
        running.spawn(wall::keep(config.data.clone(), builds, stop.clone()));
    }
    let pages = http::ui::router(&control, stop.clone());
    let git = http::git::router(&control, stop.clone()).merge(http::hooks::router(&control));
    let app = http::app(&control, pages, git, stop.clone());
    running.spawn(http::serve(console, app, stop.clone()));
    Ok(Running {
        console: listening,
        edge: config.edge_listen,
        first_link,
        backend,
        config,
        db,
        wake,
        platform,
        edge_handle: edge,
        tasks: running,
        stop,
        _lock: lock,
    })
}

/// What raises the wall before commands of BuildKit.
fn wall_of_builds(config: &Config, platform: &Arc<dyn Platform>, walled: bool) -> pipelines::Wall {
    let (platform, given, away) = (platform.clone(), config.docker.clone(), !config.builders.is_empty());
    Arc::new(move || {
        let (platform, given) = (platform.clone(), given.clone());
        Box::pin(async move {
            if away {
                return Err("it is built on another host".to_owned());
            }
            let bridge = platform.default_bridge().await.map_err(|error| error.to_string())?;
            match bridge {
                None => Ok(()),
                Some(bridge) if walled => wall::raise_for_builds(&bridge).await,
                Some(_) => Err(format!("the engine {} is on another host", given.unwrap_or_default())),
            }
        })
    })
}

fn spawn_tasks(running: &mut JoinSet<()>, ctx: &rollout::Context, builds: &pipelines::Wall, stop: &CancellationToken) {
    running.spawn(tasks::rollouts::run(ctx.clone(), stop.clone()));
    running.spawn(tasks::keep::run(ctx.clone(), stop.clone()));
    running.spawn(tasks::engine::run(ctx.clone(), stop.clone()));
    running.spawn(tasks::deletions::run(ctx.clone(), stop.clone()));
    running.spawn(tasks::sweep::run(ctx.clone(), stop.clone()));
    running.spawn(tasks::retention::run(ctx.clone(), stop.clone()));
    running.spawn(tasks::caches::run(ctx.clone(), stop.clone()));
    running.spawn(tasks::mirrors::run(ctx.clone(), stop.clone()));
    running.spawn(tasks::statuses::run(ctx.clone(), stop.clone()));
    let pipelines = pipelines::Context {
        config: ctx.config.clone(),
        db: ctx.db.clone(),
        platform: ctx.platform.clone(),
        wake: ctx.wake.clone(),
        secrets: ctx.secrets.clone(),
        holder: ctx.holder.clone(),
        room: pipelines::room::Room::new(ctx.config.steps, ctx.config.run_steps),
        wall: builds.clone(),
    };
    // Made anew a moment ago: the start, by the clock of the files.
    let started = fs::metadata(ctx.config.scratch()).and_then(|scratch| scratch.modified()).unwrap_or(SystemTime::UNIX_EPOCH);
    running.spawn(pipelines::intake::run(pipelines.clone(), started, stop.clone()));
    running.spawn(pipelines::schedules::run(pipelines.clone(), stop.clone()));
    running.spawn(pipelines::bases::run(pipelines.clone(), stop.clone()));
    running.spawn(pipelines::queue::run(pipelines, stop.clone()));
}

impl Running {
    /// Stops: takes no new requests, finishes those under way within a few seconds, and leaves the rest for the next start.
    /// Apps go on running.
    pub async fn stop(mut self) {
        self.stop.cancel();
        self.edge_handle.stop(GRACE).await;
        let finish = async { while self.tasks.join_next().await.is_some() {} };
        if tokio::time::timeout(GRACE, finish).await.is_err() {
            self.tasks.abort_all();
        }
        self.db.close().await;
    }

    /// Runs until the token is cancelled or a part ends by itself.
    pub async fn until(mut self, stop: CancellationToken) {
        tokio::select! {
            () = stop.cancelled() => {}
            ended = self.tasks.join_next() => tracing::error!(?ended, "a part of Berth ended by itself; stopping"),
        }
        self.stop().await;
    }
}

/// Makes the data folder and takes it: a second process on the same one would undo what the first does.
fn prepare_folder(data: &Path) -> Result<File> {
    let unwritable = |error: std::io::Error| {
        Error::unavailable(
            "data_unwritable",
            format!(
                "The data folder {} cannot be written: {error}. Name another with --data, or give this user the right.",
                data.display()
            ),
        )
    };
    // Databases, keys and code: for the owner alone.
    fs::DirBuilder::new().recursive(true).mode(0o700).create(data).map_err(unwritable)?;
    fs::create_dir_all(data.join("repositories")).map_err(unwritable)?;
    let scratch = data.join("scratch");
    if scratch.exists() {
        fs::remove_dir_all(&scratch).map_err(unwritable)?;
    }
    fs::create_dir_all(&scratch).map_err(unwritable)?;
    let lock = File::options().create(true).truncate(false).write(true).open(data.join("berth.lock")).map_err(unwritable)?;
    match lock.try_lock() {
        Ok(()) => Ok(lock),
        Err(TryLockError::WouldBlock) => Err(Error::conflict(
            "data_in_use",
            format!("Another Berth already runs on the data folder {}. Stop it first, or name another folder with --data.", data.display()),
        )),
        Err(TryLockError::Error(error)) => Err(unwritable(error)),
    }
}

/// The engine of the services; with builders beside it a pool.
async fn docker(config: &Config, db: &Db) -> Result<Arc<dyn Platform>> {
    let instance = settings::once(db, "instance", clock::new_id).await?;
    let driver = |host: Option<&String>, address: Option<&String>| {
        let settings = docker::Settings {
            host: host.cloned(),
            address: address.cloned(),
            instance: instance.clone(),
            subnets: config.subnets.clone(),
            deadlines: docker::Deadlines::default(),
        };
        Docker::new(settings).map_err(|error| Error::unavailable("engine", format!("{error} See `berth doctor`.")))
    };
    let home = Arc::new(driver(None, config.docker.as_ref())?);
    if config.builders.is_empty() {
        return Ok(home);
    }
    let builder =
        |(name, address): (&String, &String)| Ok((name.clone(), Arc::new(driver(Some(name), Some(address))?) as Arc<dyn platform::Engine>));
    let builders = config.builders.iter().map(builder).collect::<Result<Vec<_>>>()?;
    Ok(Arc::new(Pool::new(&instance, home, builders)))
}

fn database(error: StoreError) -> Error {
    Error::unavailable("database", format!("The database cannot be opened: {error}. See `berth doctor`.")).because(error)
}

/// The store as the edge reads it: it may come later than the edge.
#[derive(Clone, Default)]
struct Late(Arc<OnceLock<Db>>);

impl Late {
    fn of(db: Db) -> Self {
        Self(Arc::new(OnceLock::from(db)))
    }
}

#[async_trait]
impl Source for Late {
    async fn read(&self) -> Result<Rows> {
        match self.0.get() {
            Some(db) => db.read().await,
            None => Err(Error::unavailable("database", "The database is not open yet.")),
        }
    }

    async fn read_target(&self, target: &TargetId) -> Result<Option<Rows>> {
        match self.0.get() {
            Some(db) => db.read_target(target).await,
            None => Ok(None),
        }
    }

    fn rest(&self) -> Duration {
        self.0.get().map_or(DATABASE_AGAIN, Source::rest)
    }
}

async fn start_edge(config: &Config, source: Late, wake: &Wake) -> Result<Handle> {
    let mut options = Options::new(config.edge_listen, config.edge_table());
    options.trusted_proxies.clone_from(&config.trusted_proxies);
    Edge::start(options, source, wake.clone()).await
}

/// Serves from the last table, and tries the database until it opens.
async fn edge_first(config: &mut Config, wake: &Wake, mut error: StoreError) -> Result<(Db, Option<Handle>)> {
    let late = Late::default();
    let edge = start_edge(config, late.clone(), wake).await?;
    config.edge_listen = edge.address();
    loop {
        tracing::error!(%error, "the database cannot be opened; the edge serves what it served last, and it is tried again");
        tokio::time::sleep(DATABASE_AGAIN).await;
        match Db::open(&config.database).await {
            Ok(db) => {
                let _ = late.0.set(db.clone());
                wake.duty(Duty::Edge);
                tracing::info!("the database is open");
                return Ok((db, Some(edge)));
            }
            Err(again) => error = again,
        }
    }
}

async fn bind(address: SocketAddr, who: &str) -> Result<TcpListener> {
    TcpListener::bind(address).await.map_err(|error| {
        Error::unavailable(
            "port_taken",
            format!("{who} cannot listen on {address}: {error}. Stop what listens there, or choose another address with --listen."),
        )
    })
}

/// Who this Berth is among those that share a database: stays the same over restarts.
fn holder(data: &Path) -> Result<String> {
    let path = data.join("holder");
    match fs::read_to_string(&path) {
        Ok(holder) if !holder.trim().is_empty() => Ok(holder.trim().to_owned()),
        _ => {
            let holder = clock::new_id();
            fs::write(&path, &holder).map_err(Error::internal)?;
            Ok(holder)
        }
    }
}
