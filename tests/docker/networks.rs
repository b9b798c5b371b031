//! Networks: teams apart, nothing left over.

use std::{net::IpAddr, time::Duration};

use app::model::{EnvironmentId, RunId};
use server::platform::{Network, Platform, Scope};

use super::{get, of_team, run, step, until};
use crate::support::{images, platform::TestPlatform, proof};

/// A script that exits 9 as soon as anything came from this address, and 1 where nothing did for 4 s.
fn fetch(address: IpAddr) -> String {
    format!(
        "wget -q -O /tmp/got http://{address}:8080/ >/dev/null 2>&1 </dev/null &
         for i in 1 2 3 4 5 6 7 8; do sleep 0.5; test -s /tmp/got && exit 9; done; kill $!; exit 1"
    )
}

#[tokio::test]
async fn teams_do_not_reach_each_other() {
    let platform = TestPlatform::new();
    let image = images::web_image("a service").await;
    let (mut first, mut other) = (of_team("a", &image), of_team("a", &image));
    (first.id.slot, other.id.slot) = (0, 1);
    let stranger = of_team("b", &image);
    let first_made = platform.ensure(&first).await.unwrap();
    platform.ensure(&other).await.unwrap();
    platform.ensure(&stranger).await.unwrap();
    let address = first_made.address.unwrap();
    assert_eq!(get(address).await, "a service", "the host, and so the edge, reaches it");

    let script = fetch(address);
    let fetch = ["sh", "-c", &script].map(str::to_owned);
    let limit = Duration::from_secs(20);
    assert_eq!(platform.exec(&other.id, &fetch, limit).await, Ok(9), "its own team");
    assert_eq!(platform.exec(&stranger.id, &fetch, limit).await, Ok(1), "another team");
    let ping = ["ping", "-c", "1", "-W", "2", &address.to_string()].map(str::to_owned);
    assert_ne!(platform.exec(&stranger.id, &ping, limit).await, Ok(0));

    // Nor does a step of the team's own runs, nor one without a network.
    let mut task = step(&image, &script);
    assert_eq!(run(&platform, &task).await.code(), 1);
    task.network = Network::None;
    assert_eq!(run(&platform, &task).await.code(), 1);
    // A release command is on the target's network.
    task.network = first.network.clone();
    task.run = None;
    let ran = run(&platform, &task).await;
    assert_eq!(ran.code(), 9);

    // The same team elsewhere is another network.
    let mut elsewhere = of_team("a", &image);
    elsewhere.id.target = app::model::TargetId::from_text("elsewhere");
    elsewhere.network = Network::Target { team: elsewhere.id.team.clone(), environment: EnvironmentId::from_text("production") };
    platform.ensure(&elsewhere).await.unwrap();
    assert_eq!(platform.exec(&elsewhere.id, &fetch, limit).await, Ok(1));

    for copy in [&first, &other, &stranger, &elsewhere] {
        platform.remove(&copy.id, Duration::ZERO).await.unwrap();
    }
    platform.clean_run(&RunId::from_text("1")).await.unwrap();
    platform.finish().await;
    proof(
        "teams apart",
        "another team, another environment, a run, no network, ping: 5 ways to a service tried, 0 open; 2 of its own open",
    );
}

#[tokio::test]
async fn a_network_stays_as_long_as_anything_is_on_it() {
    let platform = TestPlatform::new();
    let image = images::deaf_image().await;
    let (first, mut second) = (of_team("a", &image), of_team("a", &image));
    second.id.slot = 1;
    platform.ensure(&first).await.unwrap();
    platform.ensure(&second).await.unwrap();
    platform.remove(&first.id, Duration::ZERO).await.unwrap();
    let networks = || async { platform.things().await.iter().filter(|thing| thing.starts_with("network")).count() };
    assert_eq!(networks().await, 1);

    // Removed by hand, or by a crash in between: the next start clears up.
    let container = platform.observe(&Scope::All).await.unwrap()[0].container.clone();
    let options = bollard::query_parameters::RemoveContainerOptionsBuilder::default().force(true).build();
    images::engine().remove_container(&container, Some(options)).await.unwrap();
    assert_eq!(networks().await, 1);
    let restarted = platform.again();
    restarted.observe(&Scope::All).await.unwrap();
    until("the network to go", || async { (networks().await == 0).then_some(()) }).await;
    platform.finish().await;
}
