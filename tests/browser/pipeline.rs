//! The pages of the pipeline: a `berth.yaml` is written, runs are narrowed, a log is read. With JavaScript and without.

use serde_json::json;
use server::serve::Running;

use super::{
    driver::Browser,
    furnish::furnished,
    journeys::{first_run, fresh},
};

const BASE: &str = "/teams/demo/services/hello";

/// A Berth with runs, and a browser in it.
async fn begun(scripts: bool) -> (Running, tempfile::TempDir, Browser) {
    let (berth, fake, folder) = fresh().await;
    let browser = Browser::open(&berth.config.url, scripts).await;
    first_run(&browser, &berth).await;
    furnished(&berth, &fake).await;
    (berth, folder, browser)
}

const BROKEN: &str = "version: 1\nservices:\n  hello:\n    stages:\n      - nam: fast\n";

#[tokio::test(flavor = "multi_thread")]
async fn pipeline_pages_without_javascript() {
    let (berth, _folder, browser) = begun(false).await;

    // The file is written: what is wrong stands beside it, and all that was typed stays.
    browser.go(&format!("{BASE}/pipeline")).await;
    browser.says("It reads well.").await;
    browser.says("What a push to main would come to").await;
    browser.fill("text", BROKEN).await;
    browser.press("Check").await;
    browser.says("line 5, column 9").await;
    assert_eq!(browser.find("[name=text]").await.prop("value").await.unwrap().unwrap(), BROKEN);
    browser.fill("text", "version: 1\nservices:\n  hello: { path: hello }\n  front: { path: front }\n").await;
    browser.press("Check").await;
    browser.says("front is no service yet.").await;
    browser.says("because berth.yaml is changed by it").await;
    // Nothing was stored.
    browser.press("Start over").await;
    browser.says("as it is on main").await;
    browser.go("/teams/demo/services/orders/pipeline").await;
    browser.says("a beginning: main has none yet").await;
    browser.says("It reads well.").await;

    narrowed(&browser).await;

    // A run, its log, what is looked for in it; a link to a line shows that line.
    browser.go(&format!("{BASE}/runs/2")).await;
    browser.find("[data-live=why] .say.bad").await;
    browser.find(".log.tail").await;
    browser.fill("find", "right_7 ").await;
    browser.click("[name=find]").await;
    browser.find("[name=find]").await.send_keys("\u{e007}").await.unwrap();
    browser.at(|path| path.contains("find=")).await;
    browser.click(".log a").await;
    browser.find("[id='L7']:target, [id='L8']:target").await;
    times_hide(&browser).await;

    // Candidates: the board, one, how two differ; the lights.
    browser.go(&format!("{BASE}/candidates")).await;
    browser.click("th a[href$='/candidates/2']").await;
    browser.at(|path| path.ends_with("/candidates/2")).await;
    browser.click("a[href$='/candidates/1/compare/2']").await;
    browser.at(|path| path.ends_with("/compare/2")).await;
    browser.says("Merge branch").await;
    browser.go(&format!("{BASE}/ci")).await;
    browser.says("Are you really doing CI?").await;
    browser.close().await;
    berth.stop().await;
}

/// The list of runs is narrowed by a form, and says which filter to drop where nothing fits.
async fn narrowed(browser: &Browser) {
    browser.go(&format!("{BASE}/runs")).await;
    browser.find("#f-state").await.select_by_value("failed").await.unwrap();
    browser.fill("text", "PRICE").await;
    browser.press("Filter").await;
    browser.at(|path| path.contains("state=failed") && path.contains("text=PRICE")).await;
    browser.says("Price rules per country").await;
    assert!(!browser.text().await.contains("Say hello"));
    browser.fill("branch", "topic").await;
    browser.press("Filter").await;
    browser.says("No run fits all of this.").await;
    browser.press("Drop “topic”").await;
    browser.says("Price rules per country").await;
}

/// The times of a log are hidden by a box, without a script.
async fn times_hide(browser: &Browser) {
    let shown = async || browser.find(".log [id] time").await.is_displayed().await.unwrap();
    assert!(shown().await);
    browser.click(".times input").await;
    assert!(!shown().await, "the times are hidden");
    browser.click(".times input").await;
    assert!(shown().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_checked_while_one_types() {
    let (berth, _folder, browser) = begun(true).await;
    if server::http::assets::HAS_WASM {
        browser.go(&format!("{BASE}/pipeline")).await;
        browser.awake().await;
        browser.run("window.same = true").await;
        browser.fill("text", BROKEN).await;
        browser.says("line 5, column 9").await;
        assert_eq!(browser.run("return window.same").await, json!(true), "the page was never loaded again");
        assert_eq!(browser.axe().await, Vec::<String>::new());
        browser.picture("pipeline-broken-light-en").await;
        browser.look(360, true).await;
        browser.picture("pipeline-broken-360-en").await;
        browser.look(1360, false).await;
        // The place is gone to: what one types next is typed there.
        browser.click("[data-line='5']").await;
        let at = browser.run("return document.activeElement.value.slice(document.activeElement.selectionStart)").await;
        assert_eq!(at, json!("nam: fast\n"));
        browser.fill("text", "version: 1\nservices: { hello: {} }\n").await;
        browser.says("It reads well.").await;
    }

    // A log: the number of a line links to it whatever comes after, and a command folds.
    browser.go(&format!("{BASE}/runs/1")).await;
    browser.awake().await;
    browser.click("#L3 > a").await;
    let there = browser.run("return location.search + location.hash").await;
    let there = there.as_str().unwrap();
    assert!(there.contains("step=") && there.contains("from=1") && there.ends_with("#L3"), "{there}");
    browser.find("#L3:target").await;
    times_hide(&browser).await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
    berth.stop().await;
}
