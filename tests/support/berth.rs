//! A whole Berth on the platform in memory: real store, real edge, real background tasks.

use std::{collections::BTreeMap, sync::Arc, time::Duration};

use app::model::{
    Actor, Change, EnvironmentName, NewPerson, NewService, Rollout, RolloutId, Run, RunId, RunState, ServiceName, Source, TeamName,
};
use server::{
    config::Config,
    platform::{Scope, fake::Fake},
    serve::{self, Engine, Running},
    store::files,
};
use tempfile::TempDir;
use tokio::time::{Instant, sleep};

/// Waits until a condition holds, looking every few milliseconds; fails with `what` after ten seconds.
pub(crate) async fn until<T>(what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    within(Duration::from_secs(10), what, &mut holds).await
}

/// As [`until`], with a deadline of one's own.
pub(crate) async fn within<T>(deadline: Duration, what: &str, mut holds: impl AsyncFnMut() -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        if let Some(value) = holds().await {
            return value;
        }
        assert!(began.elapsed() < deadline, "not within {deadline:?}: {what}");
        sleep(Duration::from_millis(10)).await;
    }
}

/// A Berth with a team `demo` and a service `hello` in every environment, and the person who owns them.
pub(crate) struct Harbour {
    /// The Berth.
    pub(crate) berth: Running,
    /// Its platform.
    pub(crate) fake: Fake,
    /// The owner of the team.
    pub(crate) owner: Actor,
    folder: TempDir,
}

/// Settings for a Berth in this folder, listening on loopback ports of the system's choice.
pub(crate) fn settings(folder: &TempDir) -> Config {
    let listen = ([127, 0, 0, 1], 0).into();
    Config {
        listen,
        edge_listen: listen,
        data: folder.path().to_owned(),
        database: format!("sqlite:{}", folder.path().join("berth.db").display()),
        domain: "localhost".into(),
        url: format!("http://{listen}"),
        docker: None,
        subnets: "10.201.0.0/16".into(),
        runs: 2,
        steps: 8,
        run_steps: 4,
        step_memory: 2 << 30,
        cache_budget: 4 << 30,
        step_cpu_millis: 2_000,
        buildkit: false,
        builders: BTreeMap::new(),
        trusted_proxies: Vec::new(),
        mirror_private: false,
        log_json: false,
    }
}

impl Harbour {
    /// A fresh one, whose `dev` proves quickly.
    pub(crate) async fn new() -> Self {
        Self::with(|_| ()).await
    }

    /// A fresh one in memory with other settings.
    pub(crate) async fn with(change: impl FnOnce(&mut Config)) -> Self {
        let fake = Fake::listening();
        Self::on(Engine::Given(Arc::new(fake.clone())), fake, change).await
    }

    /// A fresh one on the container engine of this machine. [`Harbour::clear`] it at the end.
    pub(crate) async fn on_engine() -> Self {
        Self::on_engine_with(|_| ()).await
    }

    /// The same with other settings.
    pub(crate) async fn on_engine_with(change: impl FnOnce(&mut Config)) -> Self {
        Self::on(Engine::Docker, Fake::new(), change).await
    }

    async fn on(engine: Engine, fake: Fake, change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = settings(&folder);
        change(&mut config);
        let berth = serve::start(config, engine).await.unwrap();
        let token = berth.first_link.as_deref().unwrap().rsplit('/').next().unwrap().to_owned();
        let person = NewPerson { token, email: "ada@example.com".into(), name: "Ada".into(), password: "correct horse battery".into() };
        let accounts = &berth.backend.accounts;
        let user = accounts.create_first_admin(person, None).await.unwrap();
        let epoch = accounts.session_epoch(&user).await.unwrap();
        let admin = accounts.actor(&user, epoch, "test", None).await.unwrap().unwrap();
        berth.backend.teams.create(&admin, &team()).await.unwrap();
        let owner = accounts.actor(&user, epoch, "test", None).await.unwrap().unwrap();
        let environments = ["dev", "staging", "production"].map(environment).to_vec();
        let service =
            NewService { name: service(), description: String::new(), environments: Some(environments), repository: None, mirror: None };
        berth.backend.services.create(&owner, &team(), service).await.unwrap();
        let mut tx = berth.db.begin().await.unwrap();
        tx.execute("UPDATE environments SET stabilisation_ms = 100, deadline_ms = 2000", vec![]).await.unwrap();
        tx.commit().await.unwrap();
        Self { berth, fake, owner, folder }
    }

    /// Stops this Berth as abruptly as one process can and starts another on the same data and engine.
    pub(crate) async fn restart(self) -> Self {
        let Self { berth, fake, owner, folder } = self;
        berth.stop().await;
        let berth = serve::start(settings(&folder), Engine::Given(Arc::new(fake.clone()))).await.unwrap();
        Self { berth, fake, owner, folder }
    }

    /// Stops this Berth, spoils its database, starts it again, and answers with what the edge says meanwhile and after the
    /// database was mended.
    pub(crate) async fn without_database(self) -> ((u16, String), Self) {
        let Self { berth, fake, owner, folder } = self;
        let config = Config { edge_listen: berth.edge, ..settings(&folder) };
        let (file, aside) = (folder.path().join("berth.db"), folder.path().join("aside"));
        berth.stop().await;
        std::fs::rename(&file, &aside).unwrap();
        std::fs::write(&file, "this is no database, however long one looks at it").unwrap();
        let (edge, engine) = (config.edge_listen, Engine::Given(Arc::new(fake.clone())));
        let starting = tokio::spawn(serve::start(config, engine));
        let meanwhile = until("the edge answers", async || try_ask(edge, "hello-demo.dev.localhost").await).await;
        std::fs::rename(&aside, &file).unwrap();
        let berth = tokio::time::timeout(Duration::from_secs(20), starting).await.expect("it comes up").unwrap().unwrap();
        (meanwhile, Self { berth, fake, owner, folder })
    }

    /// Deletes the service and waits until nothing of it is left on the engine.
    pub(crate) async fn clear(self) {
        self.berth.backend.services.delete(&self.owner, &team(), &service(), "hello").await.unwrap();
        within(Duration::from_secs(60), "nothing is left", async || {
            let left = self.berth.platform.observe(&Scope::All).await.ok()?;
            left.is_empty().then_some(())
        })
        .await;
        self.berth.stop().await;
    }

    /// The runs that have left something on the engine, beside the files of those that failed, which are kept.
    pub(crate) async fn left(&self) -> Vec<RunId> {
        let left = self.berth.platform.runs_with_leftovers().await.unwrap();
        let kept = files::kept(&self.berth.db).await.unwrap();
        left.into_iter().filter(|run| !kept.contains(run)).collect()
    }

    /// Asks for a deploy.
    pub(crate) async fn deploy(&self, place: &str, source: Source) -> Change {
        self.berth.backend.releases.deploy(&self.owner, &team(), &service(), &environment(place), source, false).await.unwrap()
    }

    /// Deploys an image and waits for the end.
    pub(crate) async fn deployed(&self, place: &str, image: &str) -> Rollout {
        let change = self.deploy(place, Source::Image(image.into())).await;
        self.ended(&change.rollout.unwrap()).await
    }

    /// A rollout as it is now.
    pub(crate) async fn rollout(&self, id: &RolloutId) -> Rollout {
        self.berth.backend.releases.rollout(&self.owner, id).await.unwrap()
    }

    /// The run of this number, where there is one.
    pub(crate) async fn run(&self, number: u64) -> Option<Run> {
        self.berth.backend.runs.show(&self.owner, &team(), &service(), number).await.ok()
    }

    /// Waits until the run of this number has ended.
    pub(crate) async fn run_ended(&self, number: u64) -> Run {
        self.run_ended_within(Duration::from_secs(90), number).await
    }

    /// As [`Harbour::run_ended`], for so long.
    pub(crate) async fn run_ended_within(&self, deadline: Duration, number: u64) -> Run {
        within(deadline, "the run ends", async || self.run(number).await.filter(|run| run.state.ended())).await
    }

    /// Waits until the run of this number is in this state.
    pub(crate) async fn run_in_state(&self, number: u64, state: RunState) -> Run {
        let seen = async || self.run(number).await.filter(|run| run.state == state);
        within(Duration::from_secs(20), &format!("run {number} is {}", state.name()), seen).await
    }

    /// Waits until a rollout has ended.
    pub(crate) async fn ended(&self, id: &RolloutId) -> Rollout {
        let ended = within(Duration::from_secs(90), "the rollout ends", async || Some(self.rollout(id).await).filter(|r| r.state.ended()));
        match tokio::time::timeout(Duration::from_secs(20), ended).await {
            Ok(rollout) => rollout,
            Err(_) => panic!("not within 20 s: {:#?}", self.rollout(id).await),
        }
    }

    /// What the service says through the edge: status and text.
    pub(crate) async fn ask(&self, place: &str) -> (u16, String) {
        ask(&self.berth, &format!("hello-demo.{place}.localhost")).await
    }
}

async fn try_ask(edge: std::net::SocketAddr, host: &str) -> Option<(u16, String)> {
    let response = reqwest::Client::new().get(format!("http://{edge}/")).header("host", host).send().await.ok()?;
    Some((response.status().as_u16(), response.text().await.ok()?))
}

/// Asks the edge for a host: status and text.
pub(crate) async fn ask(berth: &Running, host: &str) -> (u16, String) {
    let response = reqwest::Client::new().get(format!("http://{}/", berth.edge)).header("host", host).send().await.unwrap();
    (response.status().as_u16(), response.text().await.unwrap())
}

/// The team of a [`Harbour`].
pub(crate) fn team() -> TeamName {
    "demo".parse().unwrap()
}

/// The service of a [`Harbour`].
pub(crate) fn service() -> ServiceName {
    "hello".parse().unwrap()
}

/// An environment by name.
pub(crate) fn environment(name: &str) -> EnvironmentName {
    name.parse().unwrap()
}
