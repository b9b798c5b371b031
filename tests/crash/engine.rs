//! The engine goes away in the middle of things: it is stopped and started again, and it is frozen for a minute.

use std::time::Duration;

use serde_json::{Value, json};

use super::world::{HELLO, PLAIN, World};
use crate::support::{images::BUSYBOX, proof};

/// Commits a pipeline whose step takes this long.
pub(super) fn commit_slow(world: &World, seconds: u32) {
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
    world.git(&["commit", "-q", "--allow-empty", "-m", &step]);
}

/// Pushes a commit whose step takes this long, and waits until the step runs.
pub(super) async fn push_slow(world: &mut World, seconds: u32) {
    commit_slow(world, seconds);
    world.git(&["push", "-q", "-o", "no-wait", "berth", "main"]);
    let running = "SELECT COUNT(*) AS number FROM steps WHERE state = 'running'";
    world.until("the step runs", async || (world.number(running).await > 0).then_some(())).await;
}

/// Pushes a commit to a branch of its own whose image takes this long to build, and waits until it is built.
async fn push_building(world: &mut World, seconds: u32) {
    world.count += 1;
    let file = format!(
        "version: 1
services:
  hello:
    stages: [{{ name: fast, steps: [{{ name: unit, image: \"{BUSYBOX}\", network: none, run: [\"true\"] }}] }}]
    processes:
      web: {{ port: 8080, health: {{ tcp: true, interval: 200ms }}, drain: 0s }}
"
    );
    let begin = format!("FROM {BUSYBOX}\nLABEL count=\"{}\"\nRUN sleep {seconds}\n", world.count);
    std::fs::write(world.copy.join("berth.yaml"), file).unwrap();
    std::fs::write(world.copy.join("Dockerfile"), format!("{begin}CMD [\"httpd\", \"-f\", \"-p\", \"8080\"]\n")).unwrap();
    world.git(&["add", "-A"]);
    world.git(&["commit", "-q", "-m", "An image that takes its time"]);
    world.git(&["push", "-q", "-o", "no-wait", "berth", "HEAD:build"]);
    let begun = format!("SELECT COUNT(*) AS number FROM log_chunks WHERE lines LIKE '%RUN sleep {seconds}%'");
    world.until("the image is being built", async || (world.number(&begun).await > 0).then_some(())).await;
}

/// How the newest run of a branch is, why it did not pass, and at which attempt a stage of it passed.
async fn run_of(world: &World, branch: &str, stage: &str) -> (String, String, i64) {
    let of = format!("FROM runs WHERE branch = '{branch}' ORDER BY number DESC LIMIT 1");
    let (state, failure) = (format!("SELECT state AS text {of}"), format!("SELECT failure AS text {of}"));
    let attempt = format!(
        "SELECT COALESCE(MAX(attempt), 0) AS number FROM stages WHERE name = '{stage}' AND state = 'passed' AND run_id = (SELECT id {of})"
    );
    (world.text(&state).await, world.text(&failure).await, world.number(&attempt).await)
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

/// What the newest run of a branch says it waits for.
pub(super) async fn run_waits(world: &World, branch: &str) -> String {
    let newest = format!(
        "SELECT MAX(r.number) AS number FROM runs r JOIN services s ON s.id = r.service_id WHERE s.name = 'hello' AND r.branch = '{branch}'"
    );
    let number = world.number(&newest).await;
    let (_, run) = world.send("GET", &format!("{HELLO}/runs/{number}"), Value::Null).await.unwrap_or_default();
    assert!(run["finished_at"].is_null(), "it ended: {run}");
    run["waits"].as_str().unwrap_or_default().to_owned()
}

#[tokio::test]
async fn an_engine_that_is_started_again_costs_a_run_an_attempt_and_a_rollout_nothing() {
    let mut world = World::new(0).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    push_building(&mut world, 12).await;
    push_slow(&mut world, 5).await;
    let rollout = deploy(&world, "second").await;
    world.engine.stop();
    let said =
        world.until("it says what it waits for", async || Some(says(&world, &rollout).await).filter(|said| said.contains("engine"))).await;
    world.until("the host is shown as gone", async || (host(&world).await == "gone").then_some(())).await;
    assert_eq!(world.berth.request("GET", "/readyz").send().await.unwrap().status(), 200, "Berth itself is fine");
    world.engine.start().await;
    world.settles().await;
    let (state, failure, attempt) = run_of(&world, "main", "slow").await;
    assert_eq!(state, "passed", "{failure}");
    let (state, failure, build) = run_of(&world, "build", "image").await;
    assert_eq!(state, "passed", "{failure}");
    assert!(build >= 2, "nobody knows how a build ended whose engine went away");
    serves(&world, "second").await;
    world.until("hello too", async || world.berth.ask_host("hello-demo.dev.localhost").await.map(drop)).await;
    let passed = format!("1 run passed at attempt {attempt} of its step, 1 at attempt {build} of its image");
    proof("engine restarted", &format!("{passed}, 1 rollout succeeded, 0 leaked; it said: {said}"));
}

#[tokio::test]
async fn an_engine_that_is_frozen_for_a_minute_is_waited_for() {
    let mut world = World::new(1).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    push_building(&mut world, 12).await;
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
    for branch in ["main", "build"] {
        let silent = async || Some(run_waits(&world, branch).await).filter(|said| said.contains("did not answer"));
        world.until_within(minute, &format!("the run of {branch} says so too"), silent).await;
    }
    world.until_within(minute, "hung is told from gone", async || (host(&world).await == "hung").then_some(())).await;
    // What ran goes on serving.
    assert_eq!(world.berth.ask_host("plain-demo.dev.localhost").await.as_deref(), Some("first"));
    tokio::time::sleep_until((frozen + minute).into()).await;
    world.engine.thaw();
    world.settles().await;
    let (state, failure, attempt) = run_of(&world, "main", "slow").await;
    assert_eq!(state, "passed", "{failure}");
    let (state, failure, build) = run_of(&world, "build", "image").await;
    assert_eq!(state, "passed", "{failure}");
    serves(&world, "second").await;
    let passed = format!("1 run passed at attempt {attempt} of its step, 1 at attempt {build} of its image");
    proof("engine frozen", &format!("60 s, {passed}, 1 rollout succeeded, 0 leaked; it said: {said}"));
}
