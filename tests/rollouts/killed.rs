//! The binary itself, killed with no warning in the middle of rollouts on the real engine.

use std::time::Duration;

use serde_json::json;
use server::platform::ContainerState;

use crate::support::{berth::within, images, process::Process, proof};

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_any_moment_of_a_rollout_it_goes_on_and_nothing_leaks() {
    let mut berth = Process::new().await;
    let mut killed = 0;
    // After so many pieces of evidence: from none to all of them but the end.
    for facts in 0..6_usize {
        let text = format!("text {facts}");
        let image = images::web_image(&text).await;
        let change = berth.post("/teams/demo/services/hello/targets/dev/actions/deploy", json!({ "image": image })).await;
        let id = change["rollout"].as_str().unwrap().to_owned();
        within(Duration::from_secs(60), "it got that far", async || {
            let rollout = berth.rollout(&id).await;
            let ended = !matches!(rollout["state"].as_str(), Some("queued" | "running"));
            (ended || rollout["evidence"].as_array().unwrap().len() >= facts).then_some(())
        })
        .await;
        berth.kill();
        killed += 1;
        berth.start().await;
        let state = within(Duration::from_secs(60), "it ends", async || {
            let state = berth.rollout(&id).await["state"].as_str().unwrap().to_owned();
            (state != "queued" && state != "running").then_some(state)
        })
        .await;
        assert_eq!(state, "succeeded", "killed after {facts} facts");
        assert_eq!(berth.ask().await, text);
        within(Duration::from_secs(30), "only what serves is left", async || {
            let observed = berth.observed().await;
            (observed.len() == 1 && observed[0].state == ContainerState::Running).then_some(())
        })
        .await;
    }
    proof("rollouts killed", &format!("{killed} kills, {killed} went on to their end, 0 containers leaked"));
    berth.delete("/teams/demo/services/hello?confirm=hello").await;
    within(Duration::from_secs(60), "the service is gone", async || berth.observed().await.is_empty().then_some(())).await;
}
