//! From a hook to the status of each service, over the shapes of three forges: who is believed, that a hook that comes again
//! changes nothing, and what each forge knows in the end.

use app::model::RunState;
use serde_json::json;
use server::platform::fake::Script;

use super::{HELLO, World};
use crate::support::{
    berth::{until, within},
    forge::{Kind, send, send_as},
    proof,
};

/// Two services of one repository.
const FILE: &str = "version: 1
services:
  hello:
    path: hello
    watch: [\"shared/**\"]
    stages: [{ name: fast, steps: [{ name: unit, image: shell, run: [\"make test\"] }] }]
  world:
    path: world
    watch: [\"shared/**\"]
    stages: [{ name: fast, steps: [{ name: unit, image: shell, run: [\"make check\"] }] }]
";

/// What of a mirror a hook may change, and how much there is of what follows.
async fn rows(world: &World) -> String {
    let sql = "SELECT COALESCE(wanted_at, 0) || ' ' || COALESCE(hooked_at, 0) || ' ' || (SELECT COUNT(*) FROM runs) AS text FROM mirrors";
    server::store::Query::fetch_opt(world.app.db(), sql, vec![]).await.unwrap().unwrap().text("text").unwrap()
}

async fn followed(kind: Kind) {
    let world = World::of(kind).await;
    let (app, forge, owner) = (&world.app, &world.forge, &world.owner);
    app.fake.on_task(|task| Some(Script { code: i64::from(task.command.join(" ").contains("make check")), ..Script::default() }));
    world.copy.write("berth.yaml", FILE);
    world.copy.write("hello/Dockerfile", "FROM scratch\n");
    world.copy.write("world/Dockerfile", "FROM scratch\n");
    let first = world.commit("trunk", "First").await;
    world.mirror().await;
    world.passed(1).await;
    until("it is told", async || forge.knows(&first, "hello", RunState::Passed).then_some(())).await;
    owner.post("/teams/demo/services", json!({ "name": "world", "repository": "hello" })).await.is(201);
    let hook = owner.post(&format!("{HELLO}/mirror/actions/new-hook"), json!({})).await.is(200);
    let (url, secret) = (hook["url"].as_str().unwrap(), hook["secret"].as_str().unwrap());

    // Who does not know the secret is not believed: not with another, not without, not with the sign of another body.
    world.copy.write("shared/library", "2");
    let second = world.commit("trunk", "Second").await;
    let body = kind.pushed(&second);
    let (before, listed) = (rows(&world).await, forge.listed());
    assert_eq!(send_as(kind, url, "another secret", &body).await, 401);
    assert_eq!(send(url, &[("content-type", "application/json")], &body).await, 401);
    if kind != Kind::Gitlab {
        let headers = kind.headers(secret, "{}");
        let headers: Vec<_> = headers.iter().map(|(name, value)| (*name, value.as_str())).collect();
        assert_eq!(send(url, &headers, &body).await, 401);
    }
    assert_eq!((rows(&world).await, forge.listed()), (before, listed), "nothing changed");

    // What is believed is fetched, and each service is told of by itself.
    assert_eq!(send_as(kind, url, secret, &body).await, 202);
    assert_eq!(world.passed(2).await.commit, second);
    let told = async || (forge.knows(&second, "hello", RunState::Passed) && forge.knows(&second, "world", RunState::Failed)).then_some(());
    within(std::time::Duration::from_secs(30), "both services are told of", told).await;

    // The same hook again, however often: the head is where it was, so nothing follows.
    world.shown("it is calm", |mirror| !mirror.wanted).await;
    let posted = forge.posted().len();
    for _ in 0..3 {
        assert_eq!(send_as(kind, url, secret, &body).await, 202);
        world.fetch().await;
    }
    let runs = server::store::Query::fetch_opt(app.db(), "SELECT COUNT(*) AS n FROM runs WHERE number > 1", vec![]).await.unwrap();
    let of_world = owner.get("/teams/demo/services/world/runs").await.is(200)["items"].as_array().unwrap().len();
    assert_eq!((runs.unwrap().int("n").unwrap(), of_world, forge.posted().len()), (1, 1, posted), "no run and no status of a replay");

    // Run again by a person: the same commit, told with the newer run's address.
    let again = owner.post(&format!("{HELLO}/runs/2/actions/retry"), json!({})).await.is(202);
    assert_eq!(again["number"], 3);
    world.passed(3).await;
    let url = format!("{}{HELLO}/runs/3", app.berth.config.url);
    until("the newer run is told", async || {
        forge
            .posted()
            .iter()
            .rfind(|one| one.commit == second && one.context() == "berth/hello")
            .filter(|one| one.body["target_url"] == url)
            .map(drop)
    })
    .await;
    assert!(forge.posted().iter().all(|posted| posted.project == kind.project()));
    proof(
        "forges",
        &format!(
            "{}: 1 hook believed of {} sent, 3 replays made 0 runs, {} statuses of 2 services taken",
            kind.name(),
            7 - usize::from(kind == Kind::Gitlab),
            forge.posted().len()
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_followed_up_to_each_services_status_on_gitea() {
    followed(Kind::Gitea).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_followed_up_to_each_services_status_on_github() {
    followed(Kind::Github).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hook_is_followed_up_to_each_services_status_on_gitlab() {
    followed(Kind::Gitlab).await;
}
