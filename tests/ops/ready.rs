//! `/healthz` and `/readyz`: true, and by name.

use app::model::EngineState;

use crate::support::{app::TestApp, berth::until};

#[tokio::test(flavor = "multi_thread")]
async fn readiness_names_what_is_not() {
    let app = TestApp::new().await;
    let nobody = app.anonymous();
    let ready = nobody.get("/readyz").await;
    assert_eq!((ready.status, ready.text.as_str()), (200, "store   ready\nengine  ready\nedge    ready\n"));

    // Without its engine Berth answers, and says so.
    app.fake.set_engine(EngineState::Gone);
    let answer = until("the engine is missed", async || {
        let answer = nobody.get("/readyz").await;
        answer.text.contains("engine  takes no connections").then_some(answer)
    })
    .await;
    assert_eq!(answer.status, 200, "{}", answer.text);
    app.fake.set_engine(EngineState::Hung);
    until("it hangs", async || nobody.get("/readyz").await.text.contains("engine  does not answer").then_some(())).await;
    app.fake.set_engine(EngineState::Answers);
    until("it is back", async || nobody.get("/readyz").await.text.contains("engine  ready").then_some(())).await;

    app.db().close().await;
    let answer = nobody.get("/readyz").await;
    assert_eq!(answer.status, 503);
    assert!(answer.text.contains("store   cannot be read") && answer.text.contains("edge    ready"), "{}", answer.text);
    assert_eq!(nobody.get("/healthz").await.text, "ok\n", "the process itself is well");
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_ask_make_the_engine_no_work() {
    let app = TestApp::new().await;
    let hosts = || app.fake.calls().iter().filter(|(verb, _)| *verb == server::platform::fake::Verb::Hosts).count();
    let before = hosts();
    let nobody = app.anonymous();
    let began = std::time::Instant::now();
    futures::future::join_all((0..50).map(|_| nobody.get("/readyz"))).await;
    let most = usize::try_from(began.elapsed().as_secs() / 2).unwrap() + 2;
    assert!(hosts() - before <= most, "{} calls for 50 questions", hosts() - before);
}
