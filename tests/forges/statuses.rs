//! Commit statuses: told in the end, the newest alone, and never waited for.

use app::model::RunState;
use serde_json::json;
use server::platform::fake::Script;

use super::{HELLO, World};
use crate::support::{
    berth::until,
    forge::{Kind, TOKEN},
    proof,
};

async fn told_of(world: World, on: &str) {
    let commit = world.commit("trunk", "First").await;
    world.mirror().await;
    world.passed(1).await;
    let forge = &world.forge;
    until("success is told", async || forge.knows(&commit, "hello", RunState::Passed).then_some(())).await;
    let posted = world.forge.posted();
    let last = posted.last().unwrap();
    assert_eq!((last.project.as_str(), last.commit.as_str(), last.context()), (forge.kind.project(), commit.as_str(), "berth/hello"));
    assert_eq!(last.body["target_url"], json!(format!("{}{HELLO}/runs/1", world.app.berth.config.url)));
    let mut states = world.forge.states(&commit);
    states.dedup();
    match forge.kind {
        // It knows of one that runs; what came to pass before that was told is told no more.
        Kind::Gitlab => assert!(states.iter().all(|state| ["pending", "running", "success"].contains(&state.as_str())), "{states:?}"),
        _ => assert_eq!(states, ["pending", "success"]),
    }
    let shown = world.shown("it is said", |mirror| mirror.told.first().is_some_and(|told| told.told_at.is_some())).await;
    assert_eq!((shown.told[0].state, shown.told[0].run, shown.told[0].failure.as_deref()), (RunState::Passed, 1, None));

    // A forge that does not take it is asked again, no run waits for that, and what came to pass meanwhile is told once.
    world.app.fake.on_task(|_| Some(Script { code: 1, ..Script::default() }));
    world.forge.refuse(u32::MAX, 503);
    let red = world.commit("trunk", "Red").await;
    world.fetch().await;
    let run = world.ended(2).await;
    assert_eq!(run.state, RunState::Failed);
    let failing = world.shown("it is said why", |mirror| mirror.told.first().is_some_and(|told| told.failure.is_some())).await;
    assert_eq!(failing.told[0].failure.as_deref(), Some("127.0.0.1 answered 503."));
    assert!(failing.told[0].told_at.is_none() && failing.told[0].next_try.is_some());
    world.forge.refuse(0, 503);
    crate::support::berth::within(std::time::Duration::from_secs(40), "failure is told", async || {
        forge.knows(&red, "hello", RunState::Failed).then_some(())
    })
    .await;

    // Without a good token it says what to do, and is told once there is one.
    world.owner.send("PATCH", &format!("{HELLO}/mirror"), Some(&json!({ "token": "" }))).await.is(200);
    let again = world.owner.post(&format!("{HELLO}/runs/2/actions/retry"), json!({})).await.is(202);
    assert_eq!(again["number"], 3);
    world.ended(3).await;
    let untold = world.shown("it is said", |mirror| mirror.told.first().is_some_and(|told| told.failure.is_some())).await;
    assert!(untold.told[0].failure.as_deref().unwrap().contains("no token"), "{untold:?}");
    let before = world.forge.posted().len();
    world.owner.send("PATCH", &format!("{HELLO}/mirror"), Some(&json!({ "token": TOKEN }))).await.is(200);
    until("it is told", async || (world.forge.posted().len() > before).then_some(())).await;
    let last = world.forge.posted().pop().unwrap();
    assert_eq!(last.body["target_url"], json!(format!("{}{HELLO}/runs/3", world.app.berth.config.url)));
    proof(
        "statuses",
        &format!("{on}: {} told over {}'s API, refusals outlived, runs that waited for it: 0", forge.posted().len(), forge.kind.name()),
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_told_how_they_fare() {
    told_of(World::new().await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_told_how_they_fare_on_github() {
    told_of(World::of(Kind::Github).await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_told_how_they_fare_on_gitlab() {
    told_of(World::of(Kind::Gitlab).await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn commits_are_told_how_they_fare_on_postgres() {
    told_of(World::on_postgres().await, "PostgreSQL").await;
}
