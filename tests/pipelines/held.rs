//! What holds runs back, and what takes their place: concurrency groups across services, and newer pushes.

use std::time::Duration;

use app::model::{PushPolicy, RunState};
use server::platform::fake::Script;

use crate::{
    git::{Copy, FILE, harbour},
    support::berth::{Harbour, service, team, until},
};

const GROUPED: &str = "version: 1
services:
  hello:
    concurrency: { group: db }
    stages: [{ name: fast, steps: [{ name: unit, image: shell, run: [\"make test\"] }] }]
";

async fn push(copy: &Copy, branch: &str) {
    copy.commit("Change").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", &format!("HEAD:{branch}")]).await;
}

async fn copy(harbour: &Harbour, file: &str) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("berth.yaml", file);
    copy.write("Dockerfile", "FROM scratch\n");
    copy
}

/// Steps that never end by themselves.
fn stuck(harbour: &Harbour) {
    harbour.fake.on_task(|_| Some(Script { takes: Duration::from_secs(3_600), ..Script::default() }));
}

#[tokio::test]
async fn a_run_waits_for_its_group_and_says_for_whom() {
    let harbour = harbour().await;
    stuck(&harbour);
    let copy = copy(&harbour, GROUPED).await;
    push(&copy, "main").await;
    harbour.run_in_state(1, RunState::Running).await;
    push(&copy, "topic").await;
    let waits = async || harbour.run(2).await?.waits.filter(|waits| waits.contains("group"));
    assert_eq!(until("it says why", waits).await, "Waits for the group db: run 1 of hello is in it.");
    harbour.fake.on_task(|_| Some(Script::default()));
    harbour.berth.backend.runs.cancel(&harbour.owner, &team(), &service(), 1).await.unwrap();
    assert_eq!(harbour.run_in_state(2, RunState::Passed).await.waits, None);
    harbour.berth.stop().await;
}

#[tokio::test]
async fn a_newer_push_cancels_what_is_under_way_where_the_team_asks() {
    let harbour = harbour().await;
    stuck(&harbour);
    let services = &harbour.berth.backend.services;
    let before = services.push_policy(&harbour.owner, &team(), &service()).await.unwrap();
    assert_eq!(before, PushPolicy::default(), "nobody asked");
    let policy = PushPolicy { default_branch: false, running: true };
    assert_eq!(services.set_push_policy(&harbour.owner, &team(), &service(), policy).await.unwrap(), policy);
    let copy = copy(&harbour, FILE).await;
    push(&copy, "topic").await;
    harbour.run_in_state(1, RunState::Running).await;
    push(&copy, "topic").await;
    let first = harbour.run_in_state(1, RunState::Superseded).await;
    assert_eq!(first.superseded_by, Some(2));
    assert_eq!(first.failure.as_deref(), Some("Run 2 took its place: it is of a newer push to the branch."));
    harbour.run_in_state(2, RunState::Running).await;
    // The default branch: not unless that is asked for too.
    push(&copy, "main").await;
    harbour.run_in_state(3, RunState::Running).await;
    push(&copy, "main").await;
    harbour.run_in_state(4, RunState::Queued).await;
    let policy = PushPolicy { default_branch: true, running: true };
    services.set_push_policy(&harbour.owner, &team(), &service(), policy).await.unwrap();
    push(&copy, "main").await;
    for number in [3, 4] {
        assert_eq!(harbour.run_in_state(number, RunState::Superseded).await.superseded_by, Some(5), "{number}");
    }
    harbour.run_in_state(5, RunState::Running).await;
    // What runs nothing takes nobody's place.
    copy.commit("Docs [skip ci]").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "HEAD:main"]).await;
    harbour.run_in_state(6, RunState::Skipped).await;
    assert_eq!(harbour.run(5).await.unwrap().superseded_by, None);
    let events = harbour.berth.backend.platform.events(&harbour.owner, &Default::default(), &Default::default()).await.unwrap();
    let decided = events.items.iter().filter(|event| event.action == "service.pushes_decided").count();
    assert_eq!(decided, 2);
    harbour.berth.stop().await;
}
