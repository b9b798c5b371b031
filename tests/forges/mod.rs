//! Repositories that live elsewhere: mirrored over HTTP and SSH with the real `git`, told by hooks, told how commits fare, and
//! changes that anybody may propose.

mod changes;
mod hooks;
mod mirrors;
mod ssh;
mod statuses;
mod three;

use std::time::Duration;

use app::model::{Mirror, MirrorState, NewMirror, NewService, Run, RunState};
use serde_json::{Value, json};
use server::platform::fake::{Behaviour, Script};

use crate::{
    git::{Copy, FILE},
    support::{
        app::{Client, TestApp},
        berth::within,
        forge::{Forge, Kind, TOKEN},
    },
};

/// The address of everything of the service.
const HELLO: &str = "/teams/demo/services/hello";

/// A Berth that may go to this machine, a forge, and somebody's working copy of its repository.
struct World {
    app: TestApp,
    owner: Client,
    forge: Forge,
    copy: Copy,
}

impl World {
    async fn new() -> Self {
        Self::of(Kind::Gitea).await
    }

    /// With a forge of this shape.
    async fn of(kind: Kind) -> Self {
        Self::over(TestApp::set_up(|config| config.mirror_private = true).await, kind).await
    }

    async fn on_postgres() -> Self {
        Self::over(TestApp::set_up_on_postgres(|config| config.mirror_private = true).await, Kind::Gitea).await
    }

    async fn over(app: TestApp, kind: Kind) -> Self {
        let app = app.with_team("demo").await;
        app.fake.set_image("shell", Behaviour::default());
        app.fake.on_task(|_| Some(Script::default()));
        let forge = Forge::of(kind).await;
        let copy = Copy::at(forge.repository().to_str().unwrap()).await;
        copy.good(&["checkout", "-q", "-b", "trunk"]).await;
        copy.write("berth.yaml", FILE);
        copy.write("Dockerfile", "FROM scratch\n");
        let owner = app.client("owner@demo.test").await;
        Self { app, owner, forge, copy }
    }

    /// Commits to a branch of the forge; the commit.
    async fn commit(&self, branch: &str, message: &str) -> String {
        let commit = self.copy.commit(message).await;
        self.copy.good(&["push", "-q", "berth", &format!("HEAD:refs/heads/{branch}")]).await;
        commit
    }

    /// Makes the service, mirrored from the forge.
    async fn mirror(&self) -> Mirror {
        self.create(json!({ "address": self.forge.address(), "token": TOKEN, "forge": self.forge.kind.name() })).await;
        self.shown("it is fetched", |mirror| mirror.state == MirrorState::UpToDate).await
    }

    async fn create(&self, mirror: Value) -> Value {
        self.owner.post("/teams/demo/services", json!({ "name": "hello", "mirror": mirror })).await.is(201)
    }

    /// The mirror, once it is like this.
    async fn shown(&self, what: &str, like: impl Fn(&Mirror) -> bool) -> Mirror {
        within(Duration::from_secs(30), what, async || Some(self.now().await).filter(&like)).await
    }

    async fn now(&self) -> Mirror {
        serde_json::from_value(self.owner.get(&format!("{HELLO}/mirror")).await.is(200)).unwrap()
    }

    /// Asks for it to be fetched, and waits until it was.
    async fn fetch(&self) -> Mirror {
        let before = self.now().await;
        self.owner.post(&format!("{HELLO}/mirror/actions/fetch"), json!({})).await.is(200);
        let tried = |mirror: &Mirror| {
            let moved = mirror.fetched_at > before.fetched_at || mirror.failure.is_some() && mirror.failure != before.failure;
            moved && !mirror.wanted && mirror.state != MirrorState::Fetching
        };
        self.shown("it is fetched again", tried).await
    }

    async fn run(&self, number: u64) -> Option<Run> {
        let answer = self.owner.get(&format!("{HELLO}/runs/{number}")).await;
        (answer.status == 200).then(|| serde_json::from_value(answer.body).unwrap())
    }

    /// A run, once it is there and like this.
    async fn run_like(&self, number: u64, what: &str, like: impl Fn(&Run) -> bool) -> Run {
        within(Duration::from_secs(30), &format!("run {number}: {what}"), async || self.run(number).await.filter(&like)).await
    }

    async fn ended(&self, number: u64) -> Run {
        self.run_like(number, "it ends", |run| run.state.ended()).await
    }

    /// How many runs there are.
    async fn runs(&self) -> usize {
        self.owner.get(&format!("{HELLO}/runs")).await.is(200)["items"].as_array().unwrap().len()
    }

    async fn passed(&self, number: u64) -> Run {
        let run = self.ended(number).await;
        assert_eq!(run.state, RunState::Passed, "{run:#?}");
        run
    }
}

/// A service by this name with this mirror.
fn new_service(mirror: NewMirror) -> NewService {
    NewService { name: "hello".parse().unwrap(), description: String::new(), environments: None, repository: None, mirror: Some(mirror) }
}
