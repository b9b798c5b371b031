//! What Berth stands on goes away: the database is locked or stopped, the clock is moved. A full disk is
//! [`super::full`]'s.

use std::time::Duration;

use serde_json::{Value, json};
use sqlx::{ConnectOptions as _, Connection as _, sqlite::SqliteConnectOptions};

use super::{
    engine::{deploy, push_slow, serves},
    world::{PLAIN, World},
};
use crate::support::{berth::within, postgres::Private, proof};

/// A change that is asked for: status and sentence.
pub(super) async fn change(world: &World, count: u32) -> (u16, String) {
    let set = json!({ "set": { "COUNT": count.to_string() } });
    let (status, answer) = world.send("PATCH", &format!("{PLAIN}/targets/dev/config"), set).await.unwrap();
    (status, answer["detail"].as_str().unwrap_or_default().to_owned())
}

async fn ready(world: &World) -> (u16, String) {
    let answer = world.berth.request("GET", "/readyz").send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

#[tokio::test]
async fn a_database_that_is_locked_is_said_to_be_busy_and_waited_for_on_the_engine() {
    let mut world = World::new(0).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    let rollout = deploy(&world, "second").await;
    let file = world.berth.folder.path().join("berth.db");
    let mut other = SqliteConnectOptions::new().filename(&file).busy_timeout(Duration::from_secs(20)).connect().await.unwrap();
    sqlx::query("BEGIN EXCLUSIVE").execute(&mut other).await.unwrap();
    let (status, said) = change(&world, 1).await;
    assert_eq!(status, 503, "{said}");
    // Whoever waits for the one writer behind another who waits is told the other of the two.
    assert!((said.contains("busy") || said.contains("does not answer")) && said.contains("Try again"), "{said}");
    // Reading goes on, and so does what serves.
    assert_eq!(world.send("GET", PLAIN, Value::Null).await.unwrap().0, 200);
    assert_eq!(ready(&world).await.0, 200);
    assert!(["first", "second"].contains(&world.berth.ask_host("plain-demo.dev.localhost").await.unwrap().as_str()));
    sqlx::query("ROLLBACK").execute(&mut other).await.unwrap();
    other.close().await.unwrap();
    world.settles().await;
    let state = world.text(&format!("SELECT state AS text FROM rollouts WHERE id = '{rollout}'")).await;
    assert_eq!(state, "succeeded");
    assert_eq!(change(&world, 2).await.0, 202);
    proof("database locked", &format!("rollout under way succeeded, reading went on; a change was told: {said}"));
}

#[tokio::test]
async fn a_postgresql_that_is_stopped_and_started_is_waited_for_on_the_engine() {
    let cluster = Private::new();
    let world = World::on(1, &[("BERTH_DATABASE", &cluster.address())]).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    cluster.stop();
    let (status, said) =
        within(Duration::from_secs(20), "it is not ready", async || Some(ready(&world).await).filter(|(s, _)| *s == 503)).await;
    assert!(said.contains("cannot be read"), "{status} {said}");
    let (status, told) = change(&world, 1).await;
    assert_eq!(status, 503, "{told}");
    assert_eq!(world.berth.ask_host("plain-demo.dev.localhost").await.as_deref(), Some("first"), "what serves goes on");
    cluster.start();
    within(Duration::from_secs(20), "it is ready again", async || (ready(&world).await.0 == 200).then_some(())).await;
    deploy(&world, "second").await;
    serves(&world, "second").await;
    proof("PostgreSQL stopped", &format!("services went on, ready again by itself; a change was told: {told}"));
}

/// Signs in as a person does; the cookie.
async fn sign_in(world: &World) -> String {
    let form = [("do", "login"), ("email", "ada@example.com"), ("password", "correct horse battery")];
    let answer = world.berth.request("POST", "/login").header("sec-fetch-site", "same-origin").form(&form).send().await.unwrap();
    let line = answer.headers().get("set-cookie").expect("a session").to_str().unwrap();
    line.split(';').next().unwrap().to_owned()
}

async fn signed_in(world: &World, cookie: &str) -> bool {
    world.berth.request("GET", "/api/v1/me").header("cookie", cookie).send().await.unwrap().status() == 200
}

/// Every duty is held by who held it before, until soon, by a clock that was moved by so much.
async fn duties_are_held(world: &World, shift: i64) {
    let held = async || {
        let now = server::clock::now().0 + shift;
        let odd = format!("SELECT COUNT(*) AS number FROM leases WHERE until < {now} OR until > {now} + 600000 OR fence > 1");
        let all = world.number("SELECT COUNT(*) AS number FROM leases").await;
        (all > 0 && world.number(&odd).await == 0).then_some(all)
    };
    world.until("every duty is held by the moved clock", held).await;
}

#[tokio::test]
async fn a_clock_that_is_moved_an_hour_either_way_changes_nothing_on_the_engine() {
    let mut world = World::new(3).await;
    deploy(&world, "first").await;
    serves(&world, "first").await;
    let hour = 3_600_000;
    let mut sessions = vec![sign_in(&world).await];
    for (round, shift) in [hour, -hour, 0].into_iter().enumerate() {
        push_slow(&mut world, 3 + u32::try_from(round).unwrap()).await;
        let text = format!("after {round}");
        let rollout = deploy(&world, &text).await;
        world.shift_clock(shift);
        // Somebody looks for work now, and finds claims that seem an hour old, or an hour to come.
        change(&world, u32::try_from(round).unwrap()).await;
        world.settles().await;
        serves(&world, &text).await;
        let state = world.text(&format!("SELECT state AS text FROM rollouts WHERE id = '{rollout}'")).await;
        assert!(["succeeded", "superseded"].contains(&state.as_str()), "{state}");
        let fence = "SELECT MAX(fence) AS number FROM (SELECT fence FROM runs UNION ALL SELECT fence FROM rollouts) AS claims";
        assert_eq!(world.number(fence).await, 1, "nothing was taken up twice");
        assert_eq!(world.text("SELECT state AS text FROM runs ORDER BY number DESC").await, "passed");
        assert_eq!(ready(&world).await.0, 200);
        duties_are_held(&world, shift).await;
        // Who signed in before goes on, also one who did so by a clock that was an hour ahead; and one may sign in.
        for session in &sessions {
            assert!(signed_in(&world, session).await, "signed out by a clock moved by {shift} ms");
        }
        sessions.push(sign_in(&world).await);
    }
    let people = format!("{} sessions good throughout, duties kept by their holder", sessions.len());
    proof(
        "clock moved",
        &format!("+1 h, -1 h and back under a run and a rollout each: 3 runs passed once, 0 taken up twice, 0 leaked; {people}"),
    );
}
