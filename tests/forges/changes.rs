//! Changes that are proposed: those of who may push run, those of anybody else wait to be read.

use app::model::{RunEvent, RunState};
use serde_json::json;
use server::store::Query as _;

use super::{HELLO, World};
use crate::support::{forge::Kind, proof};

/// A file whose stage proposed changes run too, but for the step that names a secret.
const FILE: &str = "version: 1
services:
  hello:
    on: { pull_request: true }
    stages:
      - name: fast
        steps:
          - { name: unit, image: shell, run: [\"make test\"], caches: { /kept: [] } }
          - { name: publish, image: shell, run: [\"make publish\"], secrets: [KEY], if: { event: [push] } }
";

/// Proposes the working copy's commit as a change of this number, without a branch: as from a fork.
async fn propose(world: &World, number: u64, message: &str) -> String {
    let commit = world.copy.commit(message).await;
    world.copy.good(&["push", "-q", "-f", "berth", &format!("HEAD:{}", world.forge.kind.change(number))]).await;
    commit
}

async fn proposed(world: World, on: &str) {
    world.commit("trunk", "First").await;
    world.mirror().await;
    world.passed(1).await;
    let path = format!("{HELLO}/secrets/KEY");
    world.owner.send("PUT", &path, Some(&json!({ "value": "wanted by steps" }))).await.is(204);
    world.copy.write("berth.yaml", FILE);
    world.commit("trunk", "Let changes run").await;
    world.fetch().await;
    world.passed(2).await;

    // A fork asks for the secret in its own file, and for a step of its own.
    let nasty = FILE.replace("if: { event: [push] }", "if: { not: { event: [tag] } }").replace("make test", "steal");
    world.copy.write("berth.yaml", &nasty);
    let first = propose(&world, 7, "From a fork").await;
    world.fetch().await;
    let held = world.run_like(3, "it waits", |run| run.held).await;
    assert_eq!(
        (held.state, held.event, held.untrusted, held.commit.as_str()),
        (RunState::Queued, RunEvent::PullRequest, true, first.as_str())
    );
    assert!(held.waits.as_deref().unwrap().starts_with("Waits for approval"), "{held:?}");
    assert_eq!(held.branch, world.forge.kind.change(7));

    // Who may not, may not; and waiting it changes nothing for others.
    let viewer = world.app.client("viewer@demo.test").await;
    viewer.post(&format!("{HELLO}/runs/3/actions/approve"), json!({})).await.refused(403, "forbidden");
    world.copy.good(&["checkout", "-q", "-B", "trunk", "HEAD~1"]).await;
    world.commit("trunk", "Second").await;
    world.fetch().await;
    assert_eq!(world.passed(4).await.candidate, Some(3));
    assert!(world.run(3).await.unwrap().held);

    // Another commit needs another approval: the run of the one before is gone, and cannot be approved any more.
    world.copy.write("berth.yaml", &nasty);
    let second = propose(&world, 7, "From a fork, again").await;
    world.fetch().await;
    world.run_like(5, "it waits", |run| run.held).await;
    assert_eq!(world.ended(3).await.state, RunState::Superseded);
    let owner = &world.owner;
    owner.post(&format!("{HELLO}/runs/3/actions/approve"), json!({})).await.refused(409, "not_held");
    let before = world.app.fake.tasks().len();
    owner.post(&format!("{HELLO}/runs/5/actions/approve"), json!({})).await.is(202);
    let run = world.passed(5).await;
    assert_eq!((run.commit.as_str(), run.candidate, run.rollouts.len()), (second.as_str(), None, 0));
    assert_eq!(run.approved_by.as_deref(), Some("owner@demo.test"));
    let stages: Vec<&str> = run.stages.iter().map(|stage| stage.name.as_str()).collect();
    assert_eq!(stages, ["fast"], "no image");
    let tasks = world.app.fake.tasks().split_off(before);
    assert_eq!(tasks.len(), 1, "the default branch's file says what is run");
    assert!(tasks[0].caches.is_empty() && world.app.fake.tasks()[..before].iter().any(|task| !task.caches.is_empty()));
    assert!(!tasks[0].env.contains_key("KEY") && tasks[0].env["BERTH_CHANGE"] == "7" && tasks[0].env["BERTH_EVENT"] == "pull_request");
    assert!(!tasks[0].command.join(" ").contains("steal"), "{:?}", tasks[0].command);
    assert_eq!(world.run(6).await.map(|run| run.number), None);

    // Again: the same commit, which somebody has read.
    let again = owner.post(&format!("{HELLO}/runs/5/actions/retry"), json!({})).await.is(202);
    assert_eq!(again["held"], json!(false));
    assert!(world.passed(6).await.untrusted);

    // A change from a branch of the repository itself is of who may push.
    world.copy.good(&["checkout", "-q", "-B", "topic", "HEAD~1"]).await;
    world.commit("topic", "On a topic").await;
    world.copy.good(&["push", "-q", "berth", &format!("HEAD:{}", world.forge.kind.change(8))]).await;
    world.fetch().await;
    let (a, b) = (world.passed(7).await, world.passed(8).await);
    let change = if a.event == RunEvent::PullRequest { a } else { b };
    assert_eq!((change.event, change.untrusted, change.held, change.candidate), (RunEvent::PullRequest, false, false, None));

    // The forge was told of the change too.
    crate::support::berth::until("it is told", async || world.forge.knows(&second, "hello", RunState::Passed).then_some(())).await;
    let rows = world.app.db().fetch_all("SELECT COUNT(*) AS n FROM candidates WHERE branch LIKE 'refs/%'", vec![]).await.unwrap();
    assert_eq!(rows[0].int("n").unwrap(), 0);
    proof(
        "changes",
        &format!(
            "{on}, {}: 2 commits of a fork waited, 1 was approved and ran without secrets and image, 1 of a branch ran at once",
            world.forge.kind.name()
        ),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_anybody_wait_until_somebody_has_read_them() {
    proposed(World::new().await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_anybody_wait_until_somebody_has_read_them_on_github() {
    proposed(World::of(Kind::Github).await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_anybody_wait_until_somebody_has_read_them_on_gitlab() {
    proposed(World::of(Kind::Gitlab).await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_of_anybody_wait_until_somebody_has_read_them_on_postgres() {
    proposed(World::on_postgres().await, "PostgreSQL").await;
}
