//! Server-sent events: they show what changes, to whom it belongs, and end.

use std::time::Duration;

use serde_json::{Value, json};
use server::{args, platform::fake::Behaviour};
use tokio::time::timeout;

use crate::support::app::TestApp;

async fn app() -> TestApp {
    let app = TestApp::new().await.with_team("a").await.with_team("b").await;
    app.fake.set_image("hello:1", Behaviour::saying("hello"));
    let mut tx = app.db().begin().await.unwrap();
    tx.execute("UPDATE environments SET stabilisation_ms = 50, deadline_ms = 5000", args![]).await.unwrap();
    tx.commit().await.unwrap();
    app.client("owner@a.test").await.post("/teams/a/services", json!({"name": "hello"})).await.is(201);
    app
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_is_shown_until_its_end() {
    let app = app().await;
    let developer = app.client("developer@a.test").await;
    let change = developer.post("/teams/a/services/hello/targets/dev/actions/deploy", json!({"image": "hello:1"})).await.is(202);
    let mut events = developer.stream(&format!("/rollouts/{}/stream", change["rollout"].as_str().unwrap())).await;
    let mut states = Vec::new();
    while let Some((name, data)) = timeout(Duration::from_secs(15), events.next()).await.unwrap() {
        if name == "end" {
            break;
        }
        assert_eq!(name, "rollout");
        states.push(serde_json::from_str::<Value>(&data).unwrap()["state"].as_str().unwrap().to_owned());
    }
    assert_eq!(states.last().map(String::as_str), Some("succeeded"), "{states:?}");
    assert_eq!(events.next().await, None, "ends by itself");
}

#[tokio::test(flavor = "multi_thread")]
async fn changes_are_told_to_their_team_alone() {
    let app = app().await;
    let (owner, stranger) = (app.client("owner@a.test").await, app.client("owner@b.test").await);
    let mut mine = owner.stream("/events/stream?team=a").await;
    let mut theirs = stranger.stream("/events/stream").await;
    stranger.get("/events/stream?team=a").await.refused(404, "unknown_team");
    owner.post("/teams/a/services", json!({"name": "second"})).await.is(201);
    let (name, data) = timeout(Duration::from_secs(10), mine.next()).await.unwrap().unwrap();
    assert_eq!(name, "changed");
    assert!(data.contains("service:"), "{data}");
    stranger.post("/teams/b/services", json!({"name": "other"})).await.is(201);
    let id = stranger.get("/teams/b/services/other").await.is(200)["id"].as_str().unwrap().to_owned();
    let (_, data) = timeout(Duration::from_secs(10), theirs.next()).await.unwrap().unwrap();
    assert!(data.contains(&id), "the first thing a stranger hears of is their own: {data}");
}

#[tokio::test(flavor = "multi_thread")]
async fn stopping_ends_them() {
    let app = app().await;
    let mut events = app.client("owner@a.test").await.stream("/events/stream").await;
    let TestApp { berth, .. } = app;
    timeout(Duration::from_secs(15), berth.stop()).await.unwrap();
    timeout(Duration::from_secs(5), async { while events.next().await.is_some() {} }).await.unwrap();
}

#[tokio::test]
async fn a_file_is_checked_and_its_schema_served() {
    let app = app().await;
    let developer = app.client("developer@a.test").await;
    let schema = app.anonymous().get("/schema/berth.v1.json").await;
    assert!(schema.header("cache-control").contains("max-age"));
    assert!(schema.is(200)["properties"]["services"].is_object());
    let lint = developer.text("/lint", "version: 1\nservces: {}\n").await.is(200);
    let second = lint["problems"].as_array().unwrap().iter().find(|problem| problem["line"] == 2).unwrap();
    assert!(second["sentence"].as_str().unwrap().contains("services"), "{lint}");
    developer.text("/lint", &"x".repeat(2 << 20)).await.refused(413, "body_too_large");
}
