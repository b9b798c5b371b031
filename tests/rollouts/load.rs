//! Deploys while people use the service: none of them notices.

use std::time::Duration;

use app::model::{Phase, RolloutState};
use server::platform::fake::Behaviour;
use tokio::time::timeout;

use crate::support::{
    berth::Harbour,
    images,
    load::{Clients, Load, Report, open_events, open_socket, read_events, talk},
    proof,
};

const HOST: &str = "hello-demo.dev.localhost";

/// The time that `part` of the answers came within, in milliseconds.
fn within(report: &Report, part: f64) -> f64 {
    let mut sorted = report.seconds.clone();
    sorted.sort_by(f64::total_cmp);
    sorted.get((sorted.len() as f64 * part) as usize).or(sorted.last()).copied().unwrap_or(0.0) * 1e3
}

fn told(deploys: usize, report: &Report) -> String {
    let a_second = report.sent as f64 / report.elapsed.as_secs_f64();
    format!(
        "{deploys} deploys in {:.0} s, {} requests ({a_second:.0}/s; {} of them slow, event streams or sockets), {} failed, \
         {} over 1 s, p50 {:.1} ms, p99 {:.1} ms",
        report.elapsed.as_secs_f64(),
        report.sent,
        report.long,
        report.failed.len(),
        report.late,
        within(report, 0.5),
        within(report, 0.99),
    )
}

/// Gives what is drained so long.
async fn drain_within(harbour: &Harbour, milliseconds: u64) {
    let mut tx = harbour.berth.db.begin().await.unwrap();
    let change = format!("UPDATE releases SET shape = REPLACE(shape, '\"drain_ms\":10000', '\"drain_ms\":{milliseconds}')");
    tx.execute(&change, vec![]).await.unwrap();
    tx.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_hundred_deploys_under_load_fail_no_request() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:0", Behaviour::saying("0"));
    harbour.deployed("dev", "hello:0").await;
    let load = Load::on(harbour.berth.edge, HOST, Clients { kept: 250, fresh: 250, others: 2 });
    for n in 1..=100 {
        let image = format!("hello:{n}");
        harbour.fake.set_image(&image, Behaviour::saying(n.to_string()));
        let rollout = harbour.deployed("dev", &image).await;
        assert_eq!(rollout.state, RolloutState::Succeeded, "{rollout:?}");
    }
    let report = load.end().await;
    proof("edge: deploys under load", &told(100, &report));
    assert!(report.failed.is_empty(), "{} failed: {:?}", report.failed.len(), &report.failed[..report.failed.len().min(20)]);
    assert!(report.sent > 10_000, "{} requests are no load", report.sent);
    assert_eq!(harbour.fake.copies().len(), 1, "the old ones are gone");
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_and_sockets_keep_their_instance_until_its_drain_is_over() {
    let harbour = Harbour::new().await;
    harbour.fake.set_image("hello:1", Behaviour::saying("1"));
    harbour.fake.set_image("hello:2", Behaviour::saying("2"));
    harbour.deployed("dev", "hello:1").await;
    drain_within(&harbour, 3_000).await;
    let edge = harbour.berth.edge;
    let (events, socket) = tokio::try_join!(open_events(edge, HOST), open_socket(edge, HOST)).unwrap();
    // For ever, that is until somebody ends them.
    let events = tokio::spawn(read_events(events, usize::MAX));
    let socket = tokio::spawn(talk(socket, usize::MAX));
    let rollout = harbour.deployed("dev", "hello:2").await;
    assert_eq!(rollout.state, RolloutState::Succeeded, "{rollout:?}");
    let fact = |phase: Phase| rollout.evidence.iter().find(|evidence| evidence.phase == phase).unwrap();
    let kept = fact(Phase::Drained).at.since(fact(Phase::FirstRequest).at);
    assert!(kept >= Duration::from_secs(2), "they were given {kept:?} of 3 s");
    for (what, task) in [("the stream", events), ("the socket", socket)] {
        let ended = timeout(Duration::from_secs(20), task).await.expect(what).unwrap();
        assert!(ended.is_err(), "{what} ended by itself");
    }
    let told = &fact(Phase::Drained).fact;
    assert!(told.starts_with("1 event stream and 1 socket were still open"), "{told}");
    proof("edge: streams through a deploy", &format!("1 event stream and 1 socket kept for {kept:?} of their drain of 3 s"));
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_deploys_under_load_fail_no_request() {
    let harbour = Harbour::on_engine().await;
    harbour.deployed("dev", &images::web_image("load 0").await).await;
    let mut made = Vec::new();
    for n in 1..=5 {
        made.push(images::web_image(&format!("load {n}")).await);
    }
    let load = Load::on(harbour.berth.edge, HOST, Clients { kept: 50, fresh: 50, others: 0 });
    for image in &made {
        let rollout = harbour.deployed("dev", image).await;
        assert_eq!(rollout.state, RolloutState::Succeeded, "{rollout:?}");
    }
    let report = load.end().await;
    proof("edge: deploys under load on the engine", &told(made.len(), &report));
    harbour.clear().await;
    assert!(report.failed.is_empty(), "{} failed: {:?}", report.failed.len(), &report.failed[..report.failed.len().min(20)]);
}
