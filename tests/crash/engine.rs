//! The engine goes away in the middle of things: it is stopped and started again, and it is frozen for a minute.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::{HELLO, PLAIN, World};
use crate::support::{images::BUSYBOX, proof};

/// Pushes a commit whose step takes this long, and waits until the step runs.
pub(super) async fn push_slow(world: &mut World, seconds: u32) {
    let step = format!("sleep {seconds}");
    let file = format!(
        "version: 1
services:
  hello:
    stages:
      - name: slow
        steps:
          - {{ name: unit, image: \"{BUSYBOX}\", network: none, run: [\"{step}\"] }}
    processes:
      web: {{ port: 8080, health: {{ tcp: true, interval: 200ms }}, drain: 0s }}
"
    );
    let dockerfile = format!("FROM {BUSYBOX}\nSTOPSIGNAL SIGKILL\nCMD [\"httpd\", \"-f\", \"-p\", \"8080\", \"-h\", \"/www\"]\n");
    std::fs::write(world.copy.join("berth.yaml"), file).unwrap();
    std::fs::write(world.copy.join("Dockerfile"), dockerfile).unwrap();
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", &step]);
    world.git(&["push", "-q", "-o", "no-wait", "berth", "main"]);
    let running = "SELECT COUNT(*) AS number FROM steps WHERE state = 'running'";
    world.until("the step runs", async || (world.number(running).await > 0).then_some(())).await;
}

/// Deploys an image that answers this.
pub(super) async fn deploy(world: &World, text: &str) -> String {
    let image = world.image(text).await;
    let (status, change) = world.send("POST", &format!("{PLAIN}/targets/dev/actions/deploy"), json!({ "image": image })).await.unwrap();
    assert!(status < 300, "{change}");
    change["rollout"].as_str().unwrap().to_owned()
}

/// What `plain` answers.
pub(super) async fn serves(world: &World, text: &str) {
    let answered = async || (world.berth.ask_host("plain-demo.dev.localhost").await.as_deref() == Some(text)).then_some(());
    world.until_within(Duration::from_secs(60), &format!("{text} is served"), answered).await;
}

async fn newest_run(world: &World) -> (String, String) {
    let (status, runs) = world.send("GET", &format!("{HELLO}/runs"), Value::Null).await.unwrap();
    assert_eq!(status, 200);
    let run = &runs["items"][0];
    (run["state"].as_str().unwrap_or_default().to_owned(), run["failure"].as_str().unwrap_or_default().to_owned())
}

/// How the console shows the engine.
async fn host(world: &World) -> String {
    let (_, hosts) = world.send("GET", "/hosts", Value::Null).await.unwrap_or_default();
    hosts[0]["state"].as_str().unwrap_or_default().to_owned()
}

/// What a rollout says it does. It must not have ended.
async fn says(world: &World, rollout: &str) -> String {
    let rollout = world.send("GET", &format!("/rollouts/{rollout}"), Value::Null).await.unwrap_or_default().1;
    assert!(rollout["finished_at"].is_null(), "it ended: {rollout}\n{}", world.end_of_log());
    rollout["now"].as_str().unwrap_or_default().to_owned()
}

/// What the newest run says it waits for.
async fn run_waits(world: &World) -> String {
    let number =
        world.number("SELECT MAX(r.number) AS number FROM runs r JOIN services s ON s.id = r.service_id WHERE s.name = 'hello'").await;
    let (_, run) = world.send("GET", &format!("{HELLO}/runs/{number}"), Value::Null).await.unwrap_or_default();
    assert!(run["finished_at"].is_null(), "it ended: {run}");
    run["waits"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_engine_that_is_started_again_costs_a_run_an_attempt_and_a_rollout_nothing() {
    let mut world = World::new(0).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    push_slow(&mut world, 5).await;
    let rollout = deploy(&world, "second").await;
    world.engine.stop();
    let said =
        world.until("it says what it waits for", async || Some(says(&world, &rollout).await).filter(|said| said.contains("engine"))).await;
    world.until("the host is shown as gone", async || (host(&world).await == "gone").then_some(())).await;
    assert_eq!(world.berth.request("GET", "/readyz").send().await.unwrap().status(), 200, "Berth itself is fine");
    world.engine.start().await;
    world.settles().await;
    let (state, failure) = newest_run(&world).await;
    assert_eq!(state, "passed", "{failure}");
    serves(&world, "second").await;
    world.until("hello too", async || world.berth.ask_host("hello-demo.dev.localhost").await.map(drop)).await;
    let attempts = world.number("SELECT COALESCE(MAX(attempt), 0) AS number FROM stages WHERE name = 'slow'").await;
    proof("engine restarted", &format!("1 run passed at attempt {attempts}, 1 rollout succeeded, 0 leaked; it said: {said}"));
}

#[tokio::test]
async fn an_engine_that_is_frozen_for_a_minute_is_waited_for() {
    let mut world = World::new(1).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    push_slow(&mut world, 5).await;
    let rollout = deploy(&world, "second").await;
    world.engine.freeze();
    let frozen = std::time::Instant::now();
    let minute = Duration::from_secs(60);
    let said = world
        .until_within(minute, "it says what it waits for", async || {
            Some(says(&world, &rollout).await).filter(|said| said.contains("engine") && said.contains("did not answer"))
        })
        .await;
    let silent = async || Some(run_waits(&world).await).filter(|said| said.contains("did not answer"));
    world.until_within(minute, "the run says so too", silent).await;
    world.until_within(minute, "hung is told from gone", async || (host(&world).await == "hung").then_some(())).await;
    // What ran goes on serving.
    assert_eq!(world.berth.ask_host("plain-demo.dev.localhost").await.as_deref(), Some("first"));
    tokio::time::sleep_until((frozen + minute).into()).await;
    world.engine.thaw();
    world.settles().await;
    let (state, failure) = newest_run(&world).await;
    assert_eq!(state, "passed", "{failure}");
    serves(&world, "second").await;
    proof("engine frozen", &format!("60 s, 1 run passed, 1 rollout succeeded, 0 leaked; it said: {said}"));
}
