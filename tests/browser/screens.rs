//! Every screen: axe finds nothing, the browser complains of nothing, nothing is wider than 360 px; and pictures of each in
//! both languages, light, dark and narrow, to be looked at.

use std::time::Duration;

use app::model::{ConfigChange, NewService, NewToken, Role, RolloutState, Scope, Source};
use server::platform::fake::Behaviour;

use super::{
    copying,
    driver::Browser,
    journeys::{ada, first_run, fresh},
    pushing::{Source as Pushed, behave},
};
use crate::support::{
    berth::{environment, service, team, within},
    proof,
};

/// A Berth with a bit of everything, and the paths of its screens.
async fn furnished(berth: &server::serve::Running, fake: &server::platform::fake::Fake) -> Vec<(String, String)> {
    let backend = &berth.backend;
    backend.teams.create(&ada(berth).await, &team()).await.unwrap();
    let ada = ada(berth).await;
    let mut screens = Vec::new();

    let environments = ["dev", "staging", "production"].map(environment).to_vec();
    for (name, says) in [("hello", "says hello"), ("orders", "checkout and payment")] {
        let new = NewService {
            name: name.parse().unwrap(),
            description: says.into(),
            environments: Some(environments.clone()),
            repository: None,
        };
        backend.services.create(&ada, &team(), new).await.unwrap();
    }
    fake.set_image("hello:1", Behaviour::saying("one"));
    fake.set_image("hello:2", Behaviour::crashing(3));
    let deploy = async |place: &str, source: Source| {
        let change = backend.releases.deploy(&ada, &team(), &service(), &environment(place), source, false).await.unwrap();
        let id = change.rollout.unwrap();
        let ended = within(Duration::from_secs(30), "the rollout ends", async || {
            Some(backend.releases.rollout(&ada, &id).await.unwrap()).filter(|rollout| rollout.state.ended())
        });
        ended.await
    };
    let good = deploy("staging", Source::Image("hello:1".into())).await;
    assert_eq!(good.state, RolloutState::Succeeded);
    let change = ConfigChange { set: [("CURRENCY".to_owned(), "KRW".to_owned())].into(), unset: Vec::new() };
    backend.releases.change_config(&ada, &team(), &service(), &environment("staging"), change, None, false).await.unwrap();
    deploy("dev", Source::Image("hello:1".into())).await;
    let bad = deploy("dev", Source::Image("hello:2".into())).await;
    assert_eq!(bad.state, RolloutState::Failed);
    let source = Pushed::new(berth, &ada).await;
    for (number, title, code) in [(1, "Say hello", 0), (2, "Price rules per country", 101)] {
        behave(fake, code, "pushed");
        source.push(title).await;
        within(Duration::from_secs(60), "the run ends", async || {
            backend.runs.show(&ada, &team(), &service(), number).await.ok().filter(|run| run.state.ended())
        })
        .await;
    }
    let token = NewToken { name: "laptop".into(), scopes: vec![Scope::Read, Scope::Git], team: None, days: Some(90) };
    backend.tokens.create(&ada, token).await.unwrap();
    let invitation = backend.teams.invite(&ada, &team(), "dana@example.com", Role::Developer).await.unwrap();

    let base = "/teams/demo/services/hello";
    let invited = invitation.link.split_once("/invite/").map(|(_, token)| format!("/invite/{token}")).unwrap();
    for (name, path) in [
        ("welcome", "/welcome"),
        ("home", "/teams/demo"),
        ("new-service", "/teams/demo/services/new"),
        ("service", base),
        ("service-empty", "/teams/demo/services/orders"),
        ("runs", &format!("{base}/runs")),
        ("run", &format!("{base}/runs/1")),
        ("run-failed", &format!("{base}/runs/2")),
        ("target", &format!("{base}/targets/staging")),
        ("target-failed", &format!("{base}/targets/dev")),
        ("logs", &format!("{base}/targets/staging/logs")),
        ("settings", &format!("{base}/settings")),
        ("rollout", &format!("/rollouts/{}", good.id)),
        ("rollout-failed", &format!("/rollouts/{}", bad.id)),
        ("run-found", &format!("{base}/runs/2?find=PRICES")),
        ("search", "/search?q=hello"),
        ("search-nothing", "/search?q=qqq"),
        ("activity", "/teams/demo/activity"),
        ("people", "/teams/demo/people"),
        ("tokens", "/tokens"),
        ("teams", "/teams"),
        ("new-team", "/teams/new"),
        ("me", "/me"),
        ("hosts", "/platform/hosts"),
        ("environments", "/platform/environments"),
        ("everybody", "/platform/people"),
        ("all-activity", "/activity"),
        ("invitation", &invited),
        ("not-found", "/teams/nobody"),
    ] {
        screens.push((name.to_owned(), path.to_owned()));
    }
    screens
}

/// The looks of a screen: its name, the width, whether it is dark.
const LOOKS: [(&str, u32, bool); 3] = [("light", 1360, false), ("dark", 1360, true), ("360", 360, false)];

/// Looks at a screen in light, dark and narrow; gives back what is wrong with it.
async fn inspect(browser: &Browser, name: &str, path: &str, language: &str) -> Vec<String> {
    let mut wrong = Vec::new();
    for (look, width, dark) in LOOKS {
        browser.look(width, dark).await;
        browser.go(path).await;
        browser.awake().await;
        let place = format!("{name}-{look}-{language}");
        // One language is enough for axe: the elements are the same.
        if language == "en" {
            wrong.extend(browser.axe().await.into_iter().map(|what| format!("{place}: {what}")));
        }
        let wider = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        if wider.as_i64() != Some(0) {
            wrong.push(format!("{place}: {wider} px wider than the window"));
        }
        browser.picture(&place).await;
    }
    let complaints = browser.complaints().await.into_iter();
    // Chromium itself notes the status of the page for errors.
    wrong.extend(complaints.filter(|line| name != "not-found" || !line.contains("404")).map(|line| format!("{name}: {line}")));
    wrong
}

/// What opens on a page: by its name, where, and what is clicked for it.
const OPENED: [(&str, u32, &str, &str); 8] = [
    ("menu", 360, "/teams/demo", ".bar .menu > summary"),
    ("question", 1360, "/tokens", "td .confirm > summary"),
    ("question-narrow", 360, "/teams/demo/services/hello", ".target .confirm > summary"),
    ("question-name", 1360, "/teams/demo/services/hello/settings", ".confirm > summary"),
    ("ways", 1360, "/teams/demo/services/hello/targets/staging", ".ways > summary"),
    ("ways-narrow", 360, "/teams/demo/services/hello/targets/staging", ".ways > summary"),
    ("palette", 1360, "/teams/demo/services/hello", ".rail .find"),
    ("palette-narrow", 360, "/teams/demo/services/hello", ".bar .find"),
];

async fn opened(browser: &Browser, dark: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    for (name, width, path, summary) in OPENED {
        browser.look(width, dark).await;
        browser.go(path).await;
        browser.awake().await;
        browser.click(summary).await;
        if name.starts_with("palette") && server::http::assets::HAS_WASM {
            browser.find("#palette-hits a").await;
        }
        wrong.extend(browser.axe().await.into_iter().map(|what| format!("{name}: {what}")));
        let wider = browser.run("return document.documentElement.scrollWidth - document.documentElement.clientWidth").await;
        if wider.as_i64() != Some(0) {
            wrong.push(format!("{name}: {wider} px wider than the window"));
        }
        browser.picture(&format!("{name}-{width}-{}", if dark { "dark" } else { "light" })).await;
    }
    wrong
}

/// Sentences of Berth's own, stored as they happened, that a Korean page shows in English.
async fn foreign(browser: &Browser) -> Vec<String> {
    let said = "[data-live=line] p, [data-live=plan] li > span, [data-live=why] .say, .events .verb, .target .say";
    let script =
        format!("return [...document.querySelectorAll('{said}')].map((part) => part.textContent).filter((text) => !/[가-힣]/.test(text))");
    serde_json::from_value(browser.run(&script).await).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_is_accessible_and_has_its_picture() {
    let (berth, fake, _folder) = fresh().await;
    let browser = Browser::open(&berth.config.url, true).await;
    let setup = berth.first_link.clone().unwrap();
    let mut wrong = inspect(&browser, "first-run", "/", "en").await;
    wrong.extend(inspect(&browser, "setup", &setup, "en").await);
    wrong.extend(inspect(&browser, "setup", &format!("{setup}?lang=ko"), "ko").await);
    first_run(&browser, &berth).await;
    let screens = furnished(&berth, &fake).await;
    let token = NewToken { name: "copied".into(), scopes: Scope::ALL.to_vec(), team: None, days: None };
    let token = berth.backend.tokens.create(&ada(&berth).await, token).await.unwrap().secret;
    let mut ways = 0;
    browser.complaints().await;
    for language in ["en", "ko"] {
        browser.go("/me").await;
        browser.click(&format!("#language option[value={language}]")).await;
        browser.click("form:has(#language) button").await;
        browser.find(&format!("html[lang={language}]")).await;
        for (name, path) in &screens {
            wrong.extend(inspect(&browser, name, path, language).await);
            if language == "ko" {
                wrong.extend(foreign(&browser).await.into_iter().map(|text| format!("{name}: not in Korean: {text}")));
            }
            let lines = browser.run("return [...document.querySelectorAll('.ways pre')].map((line) => line.textContent)").await;
            let lines: Vec<String> = serde_json::from_value(lines).unwrap();
            wrong.extend(copying::check(&lines, &berth.config.url, &token, &mut ways).await);
        }
    }
    for dark in [false, true] {
        wrong.extend(opened(&browser, dark).await);
    }
    browser.look(1360, false).await;
    browser.go("/me").await;
    browser.click(".rail form[action='/logout'] button").await;
    for language in ["en", "ko"] {
        wrong.extend(inspect(&browser, "login", &format!("/login?lang={language}"), language).await);
        wrong.extend(inspect(&browser, "sign-in", &format!("/sign-in/abc?lang={language}"), language).await);
    }
    browser.close().await;
    berth.stop().await;
    let looks = (screens.len() + 3) * LOOKS.len() * 2 + OPENED.len() * 2;
    let figures = format!(
        "{} screens in light, dark and 360 px, English and Korean: {looks} looks, {ways} commands and requests to copy tried; axe findings, \
         errors in the browser's console, wider than the window, not working: {}",
        screens.len() + 4,
        wrong.len()
    );
    proof("console", &figures);
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
}
