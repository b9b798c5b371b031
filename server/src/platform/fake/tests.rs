use std::{collections::BTreeMap, time::Duration};

use app::model::{EngineState, EnvironmentId, Profile, TargetId, TeamId};
use futures::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use super::*;
use crate::platform::{Limits, Network};

fn workload(image: &str, slot: u32) -> Workload {
    let team = TeamId::from_text("team");
    Workload {
        id: WorkloadId { team: team.clone(), target: TargetId::from_text("target"), release: 1, process: "web".into(), slot },
        fence: 1,
        service: "orders".parse().unwrap(),
        image: image.into(),
        command: None,
        env: BTreeMap::new(),
        writable: Vec::new(),
        limits: Limits::default(),
        profile: Profile::Baseline,
        network: Network::Target { team, environment: EnvironmentId::from_text("dev") },
    }
}

async fn get(copy: &Observed) -> String {
    let address = (copy.address.unwrap(), 8080);
    for _ in 0..200 {
        if let Ok(mut stream) = tokio::net::TcpStream::connect(address).await {
            stream.write_all(b"GET / HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").await.unwrap();
            let mut text = String::new();
            stream.read_to_string(&mut text).await.unwrap();
            return text;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("{address:?} does not listen");
}

#[tokio::test]
async fn copies_answer_each_on_its_own_address() {
    let fake = Fake::listening().with_image("a", Behaviour::saying("version a"));
    let first = fake.ensure(&workload("a", 0)).await.unwrap();
    let second = fake.ensure(&workload("a", 1)).await.unwrap();
    assert_ne!(first.address, second.address);
    assert_eq!(fake.ensure(&workload("a", 0)).await.unwrap(), first, "asking again changes nothing");
    let answer = get(&second).await;
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("version a") && answer.contains("x-slot: 1"), "{answer}");
    fake.remove(&second.id, Duration::ZERO).await.unwrap();
    fake.remove(&second.id, Duration::ZERO).await.unwrap();
    assert_eq!(fake.copies(), [first]);
}

#[tokio::test]
async fn images_decide_how_copies_end() {
    let fake = Fake::new()
        .with_image("crash", Behaviour::crashing(3))
        .with_image("starve", Behaviour::starving())
        .with_image("needs", Behaviour { needs: vec!["URL".into()], ..Behaviour::default() });
    let crashed = fake.ensure(&workload("crash", 0)).await.unwrap();
    assert_eq!(crashed.state, ContainerState::Exited { code: 3, out_of_memory: false });
    let starved = fake.ensure(&workload("starve", 1)).await.unwrap();
    assert_eq!(starved.state, ContainerState::Exited { code: 137, out_of_memory: true });
    let lacking = fake.ensure(&workload("needs", 2)).await.unwrap();
    let lines: Vec<_> = fake.logs(&lacking.id, 1, false).await.unwrap().collect().await;
    assert_eq!(lines, [Ok(Output { error: false, bytes: "variable URL is not set\n".into() })]);
    let missing = fake.ensure(&workload("none", 3)).await.unwrap_err();
    assert!(matches!(missing, PlatformError::ImageNotFound { .. }), "{missing}");
}

#[tokio::test]
async fn faults_come_in_order_and_pass() {
    let fake = Fake::new().with_image("a", Behaviour::default());
    fake.fault(Verb::Ensure, &Fault::Fail(PlatformError::DiskFull("no space left".into())), 1);
    fake.fault(Verb::Ensure, &Fault::Lose, 1);
    let asked = workload("a", 0);
    assert!(matches!(fake.ensure(&asked).await, Err(PlatformError::DiskFull(_))));
    assert_eq!(fake.copies().len(), 0);
    assert!(matches!(fake.ensure(&asked).await, Err(PlatformError::Hung { .. })));
    assert_eq!(fake.copies().len(), 1, "it was done, only the answer was lost");
    fake.ensure(&asked).await.unwrap();
    fake.set_engine(EngineState::Gone);
    assert!(matches!(fake.observe(&Scope::All).await, Err(PlatformError::Gone(_))));
    assert_eq!(fake.hosts().await[0].state, EngineState::Gone);
    fake.heal();
    assert_eq!(fake.observe(&Scope::All).await.unwrap().len(), 1);
}

#[tokio::test]
async fn changes_wake_and_a_followed_log_ends_with_its_copy() {
    let fake = Fake::new().with_image("a", Behaviour::default());
    let mut events = fake.events().await.unwrap();
    let copy = fake.ensure(&workload("a", 0)).await.unwrap();
    events.next().await.unwrap();
    let followed = fake.logs(&copy.id, 10, true).await.unwrap();
    fake.kill(&copy.id, 1, false);
    assert_eq!(followed.collect::<Vec<_>>().await.len(), 1);
    events.next().await.unwrap();
}
