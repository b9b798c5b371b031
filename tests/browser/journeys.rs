//! What a person does, in a browser: with JavaScript, and the same without.

use std::sync::Arc;

use server::{
    platform::fake::{Behaviour, Fake},
    serve::{self, Engine, Running},
};
use tempfile::TempDir;

use app::model::Actor;

use super::{
    driver::Browser,
    pushing::{Source, behave},
};
use crate::support::berth::{ask, settings};

/// A Berth that nobody has signed in to yet.
pub(super) async fn fresh() -> (Running, Fake, TempDir) {
    let folder = tempfile::tempdir().unwrap();
    let fake = Fake::listening();
    let berth = serve::start(settings(&folder), Engine::Given(Arc::new(fake.clone()))).await.unwrap();
    let mut tx = berth.db.begin().await.unwrap();
    tx.execute("UPDATE environments SET stabilisation_ms = 300, deadline_ms = 5000", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    (berth, fake, folder)
}

/// The first run: the link, the administrator, the checklist.
pub(super) async fn first_run(browser: &Browser, berth: &Running) {
    browser.go("/").await;
    browser.says("Berth waits for its administrator").await;
    browser.go(berth.first_link.as_deref().unwrap()).await;
    browser.fill("name", "Ada").await;
    browser.fill("email", "ada@example.com").await;
    browser.fill("password", "short").await;
    browser.press("Create administrator").await;
    browser.find("[name=password][aria-invalid=true]").await;
    assert_eq!(browser.find("[name=email]").await.prop("value").await.unwrap().unwrap(), "ada@example.com", "what was typed is kept");
    browser.fill("password", "correct horse battery").await;
    browser.press("Create administrator").await;
    browser.at(|path| path == "/welcome").await;
    browser.says("Good to see you, Ada").await;
}

/// A team and a service, by the buttons of the checklist.
async fn create(browser: &Browser) {
    browser.click("main .btn[href='/teams/new']").await;
    browser.fill("name", "Not A Name").await;
    browser.press("Create team").await;
    browser.find("[name=name][aria-invalid=true]").await;
    browser.fill("name", "demo").await;
    browser.press("Create team").await;
    browser.at(|path| path == "/teams/demo").await;
    browser.click("main .btn[href='/teams/demo/services/new']").await;
    browser.fill("name", "hello").await;
    browser.fill("description", "says hello").await;
    browser.click("[name=environments][value=production]").await;
    browser.press("Create service").await;
    browser.at(|path| path == "/teams/demo/services/hello").await;
    browser.says("git push berth main").await;
}

/// Deploys an image; ends on the rollout's page.
async fn deploy(browser: &Browser, image: &str) {
    browser.go("/teams/demo/services/hello/targets/dev").await;
    browser.find("#deploy-source").await.select_by_value("image").await.unwrap();
    browser.fill("image", image).await;
    browser.click("#deploy button[value=deploy]").await;
    browser.at(|path| path.starts_with("/rollouts/")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn from_the_first_run_to_live() {
    let (berth, fake, _folder) = fresh().await;
    fake.set_image("hello:1", Behaviour::saying("one"));
    fake.set_image("hello:2", Behaviour::crashing(3));
    let browser = Browser::open(&berth.config.url, true).await;
    first_run(&browser, &berth).await;
    create(&browser).await;

    // A preview first: it says what would happen and changes nothing.
    browser.go("/teams/demo/services/hello/targets/dev").await;
    browser.find("#deploy-source").await.select_by_value("image").await.unwrap();
    browser.fill("image", "hello:1").await;
    browser.click("#deploy button[value=deploy-plan]").await;
    browser.says("This would happen").await;
    assert_eq!(ask(&berth, "hello-demo.dev.localhost").await.0, 503);

    deploy(&browser, "hello:1").await;
    if server::http::assets::HAS_WASM {
        browser.awake().await;
        // Proven in front of one's eyes: the page was never loaded again.
        browser.run("window.same = true").await;
        browser.says("Proven").await;
        assert_eq!(browser.run("return window.same").await, serde_json::json!(true));
    } else {
        proven_after_a_while(&browser, "Proven").await;
    }
    assert_eq!(ask(&berth, "hello-demo.dev.localhost").await, (200, "one".into()));

    deploy(&browser, "hello:2").await;
    proven_after_a_while(&browser, "v1 serves as before").await;
    assert_eq!(ask(&berth, "hello-demo.dev.localhost").await, (200, "one".into()));
    browser.go("/teams/demo").await;
    browser.says("Failed, v1 serves").await;

    live_elsewhere(&browser, &berth).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
    berth.stop().await;
}

/// What somebody else does shows on a page that stays open, and what one is typing stays.
async fn live_elsewhere(browser: &Browser, berth: &Running) {
    if !server::http::assets::HAS_WASM {
        return;
    }
    browser.go("/teams/demo/services/hello").await;
    browser.awake().await;
    browser.find(".live.on").await;
    browser.run("window.same = true").await;
    let actor = ada(berth).await;
    let names = ("demo".parse().unwrap(), "hello".parse().unwrap(), "dev".parse().unwrap());
    let replicas = std::collections::BTreeMap::from([("web".to_owned(), 2)]);
    berth.backend.releases.scale(&actor, &names.0, &names.1, &names.2, replicas, false).await.unwrap();
    browser.find("[data-live=target-dev] .berths[aria-label='2 of 2 instances serve']").await;
    assert_eq!(browser.run("return window.same").await, serde_json::json!(true));
}

/// The person of [`first_run`], through another door.
pub(super) async fn ada(berth: &Running) -> Actor {
    let accounts = &berth.backend.accounts;
    let user = accounts.sign_in("ada@example.com", "correct horse battery", None).await.unwrap();
    let epoch = accounts.session_epoch(&user).await.unwrap();
    accounts.actor(&user, epoch, "test", None).await.unwrap().unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_push_is_watched_until_it_is_live() {
    let (berth, fake, _folder) = fresh().await;
    let browser = Browser::open(&berth.config.url, true).await;
    first_run(&browser, &berth).await;
    create(&browser).await;
    let source = Source::new(&berth, &ada(&berth).await).await;

    behave(&fake, 0, "pushed");
    if server::http::assets::HAS_WASM {
        browser.awake().await;
        browser.find(".live.on").await;
    }
    source.push("Say hello").await;
    if !server::http::assets::HAS_WASM {
        browser.go("/teams/demo/services/hello").await;
    }
    // The row of the run comes by itself, and so do the lines of its log.
    browser.click("[data-live=runs] a[href$='/runs/1']").await;
    browser.at(|path| path.ends_with("/runs/1")).await;
    proven_after_a_while(&browser, "Proven").await;
    browser.go("/teams/demo/services/hello/runs/1").await;
    browser.says("Passed").await;
    let unit = browser.find("a.step:nth-child(1)").await;
    unit.click().await.unwrap();
    browser.find("#L100").await;
    browser.says("test prices_are_right_100 ... ok <b>").await;
    assert_eq!(ask(&berth, "hello-demo.dev.localhost").await, (200, "pushed".into()));

    behave(&fake, 1, "never");
    source.push("Break a test").await;
    browser.go("/teams/demo/services/hello/runs/2").await;
    if server::http::assets::HAS_WASM {
        followed(&browser).await;
    }
    proven_after_a_while(&browser, "Exit 1").await;
    browser.find("[data-live=why] .say.bad").await;
    assert_eq!(ask(&berth, "hello-demo.dev.localhost").await, (200, "pushed".into()));
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
    berth.stop().await;
}

/// A log that is being written grows on the open page, to its last line and with its colours.
async fn followed(browser: &Browser) {
    browser.awake().await;
    browser.run("window.same = true").await;
    browser.says("Exit 1").await;
    browser.find("#L120 .a-green").await;
    assert_eq!(browser.run("return window.same").await, serde_json::json!(true), "the page was never loaded again");
}

/// Loads the page again until it says something: what a person without JavaScript does.
async fn proven_after_a_while(browser: &Browser, words: &str) {
    for _ in 0..100 {
        if browser.text().await.contains(words) {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(100)).await;
        let here = browser.path().await;
        browser.go(&here).await;
    }
    panic!("{} never says {words}:\n{}", browser.path().await, browser.text().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_same_without_javascript() {
    let (berth, fake, _folder) = fresh().await;
    fake.set_image("hello:1", Behaviour::saying("one"));
    let browser = Browser::open(&berth.config.url, false).await;
    first_run(&browser, &berth).await;
    assert!(!browser.has("html[data-awake]").await, "no script runs");
    create(&browser).await;
    deploy(&browser, "hello:1").await;
    proven_after_a_while(&browser, "Proven").await;
    assert_eq!(ask(&berth, "hello-demo.dev.localhost").await, (200, "one".into()));

    // Variables and scale are forms too.
    browser.go("/teams/demo/services/hello/targets/dev").await;
    browser.fill("new", "TEXT=two").await;
    browser.click("#config button[value=config]").await;
    browser.at(|path| path.starts_with("/rollouts/")).await;
    proven_after_a_while(&browser, "Proven").await;
    assert_eq!(ask(&berth, "hello-demo.dev.localhost").await, (200, "two".into()));

    // A token is shown once.
    browser.go("/tokens").await;
    browser.fill("name", "laptop").await;
    browser.press("Make token").await;
    browser.says("it is not shown again").await;
    browser.go("/tokens").await;
    assert!(!browser.text().await.contains("it is not shown again"));

    // Deleting asks for the name, and keeps asking where it is wrong.
    browser.go("/teams/demo/services/hello/settings").await;
    browser.press("Delete hello…").await;
    browser.fill("confirm", "hallo").await;
    browser.press("Delete for good").await;
    browser.find("[name=confirm][aria-invalid=true]").await;
    browser.fill("confirm", "hello").await;
    browser.press("Delete for good").await;
    browser.at(|path| path.starts_with("/teams/demo")).await;

    // Out, in again, and in the other language.
    browser.click(".rail form[action='/logout'] button").await;
    browser.at(|path| path == "/login").await;
    browser.go("/teams/demo").await;
    browser.at(|path| path.starts_with("/login?to=")).await;
    browser.fill("email", "ada@example.com").await;
    browser.fill("password", "wrong password").await;
    browser.click("main form button").await;
    browser.says("password").await;
    browser.fill("password", "correct horse battery").await;
    browser.click("main form button").await;
    browser.at(|path| path == "/teams/demo").await;
    browser.press("한국어").await;
    browser.says("어디에서 무엇이 실행되나").await;
    browser.close().await;
    berth.stop().await;
}
