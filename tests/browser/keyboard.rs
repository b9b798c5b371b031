//! The console by the keyboard alone: the palette, the keys, the search without JavaScript, where the focus is.

use std::time::Duration;

use app::model::NewService;
use serde_json::{Value, json};
use server::serve::Running;

use super::{
    driver::Browser,
    journeys::{ada, first_run, fresh},
};
use crate::support::{
    berth::{environment, team, within},
    left_out,
};

/// A team with two services.
async fn furnished(berth: &Running) {
    berth.backend.teams.create(&ada(berth).await, &team()).await.unwrap();
    let ada = ada(berth).await;
    for name in ["hello", "orders"] {
        let environments = Some(["dev", "staging"].map(environment).to_vec());
        let new = NewService { name: name.parse().unwrap(), description: String::new(), environments, repository: None, mirror: None };
        berth.backend.services.create(&ada, &team(), new).await.unwrap();
    }
}

/// Waits until a script says true.
async fn holds(browser: &Browser, script: &str) {
    let ask = async || (browser.run(&format!("return Boolean({script})")).await == Value::Bool(true)).then_some(());
    within(Duration::from_secs(20), script, ask).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_palette_needs_no_mouse() {
    if !server::http::assets::HAS_WASM {
        return left_out("islands in the browser", "this program was compiled without its bundle; `.ci/bundle/build` makes it");
    }
    let (berth, _fake, _folder) = fresh().await;
    let browser = Browser::open(&berth.config.url, true).await;
    first_run(&browser, &berth).await;
    furnished(&berth).await;
    browser.go("/teams/demo").await;
    browser.awake().await;

    // Open, type, go: the best is what Enter means.
    browser.key("k", true).await;
    holds(&browser, "document.querySelector('#palette[open]') && document.activeElement.id === 'palette-q'").await;
    browser.keys("ordr").await;
    holds(&browser, "document.querySelector('#palette-hits a')?.getAttribute('href') === '/teams/demo/services/orders'").await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser.key("Enter", false).await;
    browser.at(|path| path == "/teams/demo/services/orders").await;
    browser.awake().await;

    // The arrows move through the list, letters go on in the field, Escape gives the focus back to where it was.
    browser.run("document.querySelector('.tabs a').focus()").await;
    browser.key("/", false).await;
    holds(&browser, "document.querySelectorAll('#palette-hits a').length > 2").await;
    browser.key("ArrowDown", false).await;
    browser.key("ArrowDown", false).await;
    holds(&browser, "document.activeElement === document.querySelectorAll('#palette-hits a')[1]").await;
    browser.keys("x").await;
    holds(&browser, "document.activeElement.id === 'palette-q' && document.activeElement.value === 'x'").await;
    browser.key("Escape", false).await;
    holds(&browser, "!document.querySelector('dialog[open]') && document.activeElement.matches('.tabs a')").await;

    // What belongs to the page one is on is there; Enter may come before the answer.
    browser.go("/teams/demo/services/hello/targets/dev").await;
    browser.awake().await;
    browser.key("k", true).await;
    browser.keys("scale").await;
    browser.key("Enter", false).await;
    holds(&browser, "location.hash === '#scale' && !document.querySelector('dialog[open]')").await;

    // The keys, and those without a modifier turned off.
    browser.key("?", false).await;
    holds(&browser, "document.querySelector('#keys[open]')").await;
    assert_eq!(browser.axe().await, Vec::<String>::new());
    browser.click("#keys-on").await;
    browser.key("Escape", false).await;
    holds(&browser, "!document.querySelector('dialog[open]')").await;
    browser.go("/teams/demo").await;
    browser.awake().await;
    browser.key("?", false).await;
    browser.key("k", true).await;
    holds(&browser, "document.querySelector('#palette[open]') && !document.querySelector('#keys[open]')").await;
    assert_eq!(browser.complaints().await, Vec::<String>::new());
    browser.close().await;
    berth.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_search_is_a_page_without_javascript() {
    let (berth, _fake, _folder) = fresh().await;
    let browser = Browser::open(&berth.config.url, false).await;
    first_run(&browser, &berth).await;
    furnished(&berth).await;
    browser.go("/teams/demo").await;
    browser.click(".rail a.find").await;
    browser.at(|path| path == "/search").await;
    browser.find("#q:focus").await;
    browser.keys("hello dev").await;
    browser.key("Enter", false).await;
    browser.at(|path| path.starts_with("/search?q=hello")).await;
    browser.click("#hits a[href='/teams/demo/services/hello/targets/dev']").await;
    browser.at(|path| path == "/teams/demo/services/hello/targets/dev").await;

    // How to do the same elsewhere opens without scripts; what only scripts could do is not there.
    browser.click(".ways > summary").await;
    browser.says("berth deploy demo/hello --env dev").await;
    browser.says("curl -sS -X POST").await;
    assert!(!browser.find(".js-only").await.is_displayed().await.unwrap());
    assert!(!browser.find(".ways .copy").await.is_displayed().await.unwrap());

    // The first thing the tabulator reaches leads past the navigation; a form that fails says why where one is.
    browser.go("/teams/new").await;
    browser.key("Tab", false).await;
    browser.find("a.skip:focus").await;
    browser.fill("name", "Not A Name").await;
    browser.key("Enter", false).await;
    browser.find("input[name=name][aria-invalid=true]:focus").await;
    browser.close().await;
    berth.stop().await;
}

impl Browser {
    /// Presses a key.
    async fn key(&self, key: &str, control: bool) {
        let (code, text) = match key {
            "Enter" => (13, "\r"),
            "Tab" => (9, ""),
            "Escape" => (27, ""),
            "ArrowDown" => (40, ""),
            key if control => (u32::from(key.to_ascii_uppercase().as_bytes()[0]), ""),
            key => (0, key),
        };
        let event = |kind: &str| {
            let modifiers = if control { 2 } else { 0 };
            json!({ "type": kind, "key": key, "windowsVirtualKeyCode": code, "modifiers": modifiers })
        };
        let mut down = event(if text.is_empty() { "rawKeyDown" } else { "keyDown" });
        if !text.is_empty() {
            down["text"] = json!(text);
        }
        self.tools("Input.dispatchKeyEvent", down).await;
        self.tools("Input.dispatchKeyEvent", event("keyUp")).await;
    }

    /// Types where the focus is.
    async fn keys(&self, text: &str) {
        for letter in text.chars() {
            self.key(&letter.to_string(), false).await;
        }
    }
}
