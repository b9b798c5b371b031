//! The same promises on the real container engine.

use app::model::{Phase, RolloutState};

use crate::support::{berth::Harbour, images};

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_a_deploy_is_proven_and_a_bad_one_leaves_the_old_one_serving() {
    let harbour = Harbour::on_engine().await;
    let first = harbour.deployed("dev", &images::web_image("one").await).await;
    assert_eq!((first.state, first.failure.as_deref()), (RolloutState::Succeeded, None));
    let (status, text) = harbour.ask("dev").await;
    assert_eq!((status, text.trim()), (200, "one"));
    let second = harbour.deployed("dev", &images::web_image("two").await).await;
    assert_eq!(second.state, RolloutState::Succeeded, "{second:?}");
    assert!(second.evidence.iter().any(|evidence| evidence.phase == Phase::Stopped), "{:?}", second.evidence);
    assert_eq!(harbour.ask("dev").await.1.trim(), "two");

    let crash = harbour.deployed("dev", &images::crashing_image(3).await).await;
    assert_eq!(crash.state, RolloutState::Failed);
    assert!(crash.failure.as_deref().unwrap().starts_with("web exited with code 3"), "{crash:?}");
    let hungry = harbour.deployed("dev", &images::hungry_image().await).await;
    assert_eq!(hungry.state, RolloutState::Failed);
    println!("hungry: {:?}", hungry.failure);
    let deaf = harbour.deployed("dev", &images::deaf_image().await).await;
    assert_eq!(deaf.state, RolloutState::Failed);
    assert!(deaf.failure.as_deref().unwrap().starts_with("Nothing listens on port"), "{deaf:?}");
    let missing = harbour.deployed("dev", "berth-test/nowhere:1").await;
    assert_eq!(missing.state, RolloutState::Failed);
    assert!(missing.failure.as_deref().unwrap().contains("was not found"), "{missing:?}");
    assert_eq!(harbour.ask("dev").await.1.trim(), "two");
    harbour.clear().await;
}
