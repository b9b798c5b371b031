//! Copies of services: made, found again, removed; each twice.

use std::time::Duration;

use futures::StreamExt;
use server::platform::{ContainerState, Platform, PlatformError, Scope};

use super::{get, of_team, text, until, workload};
use crate::support::{images, platform::TestPlatform};

#[tokio::test]
async fn ensure_observe_and_remove_are_idempotent() {
    let platform = TestPlatform::new();
    let mut asked = workload(&images::web_image("version 1").await);
    asked.env.insert("NAME".into(), "a=b c".into());
    let made = platform.ensure(&asked).await.unwrap();
    assert_eq!(made.state, ContainerState::Running);
    assert_eq!((made.id.clone(), made.fence, made.image.clone(), made.restarts), (asked.id.clone(), 5, asked.image.clone(), 0));
    assert!(made.started_at.is_some());
    assert_eq!(get(made.address.unwrap()).await, "version 1");

    let again = platform.ensure(&asked).await.unwrap();
    assert_eq!(again, made);
    for _ in 0..2 {
        assert_eq!(platform.observe(&Scope::All).await.unwrap(), std::slice::from_ref(&made));
    }
    assert_eq!(platform.observe(&Scope::Team(asked.id.team.clone())).await.unwrap().len(), 1);
    assert_eq!(platform.observe(&Scope::Target(asked.id.target.clone())).await.unwrap().len(), 1);
    assert_eq!(platform.observe(&Scope::Target(app::model::TargetId::from_text("other"))).await.unwrap(), []);

    for _ in 0..2 {
        platform.remove(&asked.id, Duration::from_secs(1)).await.unwrap();
        assert_eq!(platform.observe(&Scope::All).await.unwrap(), []);
    }
    platform.finish().await;
}

#[tokio::test]
async fn what_runs_is_found_again_after_a_crash() {
    let platform = TestPlatform::new();
    let asked = workload(&images::deaf_image().await);
    let made = platform.ensure(&asked).await.unwrap();
    let restarted = platform.again();
    assert_eq!(restarted.observe(&Scope::All).await.unwrap(), std::slice::from_ref(&made));
    assert_eq!(restarted.ensure(&asked).await.unwrap(), made);
    // Another Berth on the same engine sees nothing of it.
    let other = TestPlatform::new();
    assert_eq!(other.observe(&Scope::All).await.unwrap(), []);
    other.finish().await;
    restarted.remove(&asked.id, Duration::ZERO).await.unwrap();
    platform.finish().await;
}

#[tokio::test]
async fn many_at_once_are_made_once_each() {
    let platform = TestPlatform::new();
    let asked = workload(&images::deaf_image().await);
    let mut copies = vec![asked.clone(), asked.clone(), asked.clone()];
    for slot in 1..4 {
        let mut other = asked.clone();
        other.id.slot = slot;
        copies.push(other);
    }
    let made = futures::future::join_all(copies.iter().map(|copy| platform.ensure(copy))).await;
    for observed in made {
        assert_eq!(observed.unwrap().state, ContainerState::Running);
    }
    assert_eq!(platform.observe(&Scope::All).await.unwrap().len(), 4);
    let removed = futures::future::join_all(copies.iter().map(|copy| platform.remove(&copy.id, Duration::ZERO))).await;
    assert!(removed.iter().all(Result::is_ok), "{removed:?}");
    platform.finish().await;
}

#[tokio::test]
async fn a_copy_that_ended_stays_ended_and_says_how() {
    let platform = TestPlatform::new();
    let asked = workload(&images::crashing_image(3).await);
    platform.ensure(&asked).await.unwrap();
    let exited = ContainerState::Exited { code: 3, out_of_memory: false };
    until("its end", || async { (platform.observe(&Scope::All).await.unwrap()[0].state == exited).then_some(()) }).await;
    assert_eq!(platform.ensure(&asked).await.unwrap().state, exited, "not started again");
    assert_eq!(text(platform.logs(&asked.id, 10, false).await.unwrap()).await, "cannot go on\n");
    assert_eq!(text(platform.logs(&asked.id, 10, true).await.unwrap()).await, "cannot go on\n", "a followed log ends with its copy");
    platform.remove(&asked.id, Duration::ZERO).await.unwrap();
    assert!(matches!(platform.logs(&asked.id, 10, false).await, Err(PlatformError::NotFound(_))));
    platform.finish().await;
}

#[tokio::test]
async fn running_out_of_memory_is_told_apart() {
    let platform = TestPlatform::new();
    let mut asked = workload(&images::hungry_image().await);
    asked.limits.memory = 16 << 20;
    platform.ensure(&asked).await.unwrap();
    let starved = |state: &ContainerState| matches!(state, ContainerState::Exited { out_of_memory: true, .. });
    until("its end", || async { starved(&platform.observe(&Scope::All).await.unwrap()[0].state).then_some(()) }).await;
    platform.remove(&asked.id, Duration::ZERO).await.unwrap();
    platform.finish().await;
}

#[tokio::test]
async fn what_cannot_start_says_why() {
    let platform = TestPlatform::new();
    let mut asked = workload(&images::busybox_image().await);
    asked.command = Some(vec!["/no/such/program".into()]);
    for _ in 0..2 {
        let error = platform.ensure(&asked).await.unwrap_err();
        assert!(matches!(&error, PlatformError::CannotStart(why) if why.starts_with("exec: \"/no/such/program\"")), "{error}");
    }
    assert_eq!(platform.observe(&Scope::All).await.unwrap()[0].state, ContainerState::Created);
    platform.remove(&asked.id, Duration::ZERO).await.unwrap();

    let nowhere = format!("sha256:{}", "0".repeat(64));
    let error = platform.ensure(&workload(&nowhere)).await.unwrap_err();
    assert!(
        matches!(&error, PlatformError::ImageNotFound { image, hint } if *image == nowhere && hint.contains(images::BUSYBOX)),
        "{error}"
    );
    platform.finish().await;
}

#[tokio::test]
async fn a_copy_has_its_grace_to_end() {
    let platform = TestPlatform::new();
    let mut asked = workload(&images::busybox_image().await);
    asked.command =
        Some(["sh", "-c", "trap 'echo bye; exit 0' TERM; echo ready; while true; do sleep 0.05; done"].map(str::to_owned).into());
    platform.ensure(&asked).await.unwrap();
    let mut log = platform.logs(&asked.id, 10, true).await.unwrap();
    assert_eq!(&log.next().await.unwrap().unwrap().bytes[..], b"ready\n");
    let (removed, last) = tokio::join!(platform.remove(&asked.id, Duration::from_secs(10)), text(log));
    removed.unwrap();
    assert_eq!(last, "bye\n");
    platform.finish().await;
}

#[tokio::test]
async fn commands_run_inside_of_a_copy() {
    let platform = TestPlatform::new();
    let asked = workload(&images::deaf_image().await);
    let command = |script: &str| ["sh", "-c", script].map(str::to_owned).to_vec();
    assert!(matches!(platform.exec(&asked.id, &command("true"), Duration::from_secs(5)).await, Err(PlatformError::NotFound(_))));
    platform.ensure(&asked).await.unwrap();
    let limit = Duration::from_secs(20);
    assert_eq!(platform.exec(&asked.id, &command("exit 0"), limit).await, Ok(0));
    assert_eq!(platform.exec(&asked.id, &command("yes | head -c 1000000; exit 7"), limit).await, Ok(7));
    assert!(matches!(platform.exec(&asked.id, &["none".to_owned()], limit).await, Ok(126 | 127)));
    let late = platform.exec(&asked.id, &command("sleep 60"), Duration::from_millis(300)).await;
    assert_eq!(late, Err(PlatformError::TimedOut(Duration::from_millis(300))));
    platform.remove(&asked.id, Duration::ZERO).await.unwrap();
    platform.finish().await;
}

#[tokio::test]
async fn changes_wake() {
    let platform = TestPlatform::new();
    let mut events = platform.events().await.unwrap();
    let asked = workload(&images::deaf_image().await);
    // Before the stream is read for the first time.
    platform.ensure(&asked).await.unwrap();
    let limit = Duration::from_secs(10);
    tokio::time::timeout(limit, events.next()).await.unwrap().unwrap();
    // Those of another instance do not.
    let other = TestPlatform::new();
    let stranger = of_team("b", &asked.image);
    other.ensure(&stranger).await.unwrap();
    other.remove(&stranger.id, Duration::ZERO).await.unwrap();
    other.finish().await;
    assert!(tokio::time::timeout(Duration::from_millis(200), events.next()).await.is_err());
    platform.remove(&asked.id, Duration::ZERO).await.unwrap();
    tokio::time::timeout(limit, events.next()).await.unwrap().unwrap();
    platform.finish().await;
}

#[tokio::test]
async fn a_copy_made_and_not_started_is_started_even_if_its_network_went_away() {
    let platform = TestPlatform::new();
    let mut asked = workload(&images::deaf_image().await);
    asked.command = Some(vec!["/no/such/program".into()]);
    platform.ensure(&asked).await.unwrap_err();
    let things = platform.things().await;
    let network = things.iter().find_map(|thing| thing.strip_prefix("network ")).unwrap();
    images::engine().remove_network(network).await.unwrap();
    asked.command = None;
    assert_eq!(platform.ensure(&asked).await.unwrap().state, ContainerState::Running);
    platform.remove(&asked.id, Duration::ZERO).await.unwrap();
    platform.finish().await;
}
