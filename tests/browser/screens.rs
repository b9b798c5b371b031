//! Every screen: axe finds nothing, the browser complains of nothing, nothing is wider than 360 px; and pictures of each in
//! both languages, light, dark and narrow, to be looked at.

use app::model::{NewToken, Scope};

use super::{
    copying,
    driver::Browser,
    furnish::{OUTSIDE, WITHOUT_WAYS, furnished, unseen},
    journeys::{ada, first_run, fresh},
};
use crate::support::proof;

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

/// Whether a screen says how to do the same elsewhere, or is one of those that need not.
async fn says_how(browser: &Browser, name: &str) -> Option<String> {
    let excepted = WITHOUT_WAYS.iter().any(|(screen, _)| *screen == name);
    match (browser.has(".ways pre").await, excepted) {
        (false, false) => Some(format!("{name}: does not say how to do the same by command or request")),
        (true, true) => Some(format!("{name}: says how after all; take it off the list")),
        _ => None,
    }
}

/// Looks at every screen in one language; gives back what is wrong.
async fn every_screen(language: &str) -> Vec<String> {
    let (berth, fake, _folder) = fresh().await;
    let browser = Browser::open(&berth.config.url, true).await;
    let setup = berth.first_link.clone().unwrap();
    let mut wrong = inspect(&browser, "first-run", &format!("/?lang={language}"), language).await;
    wrong.extend(inspect(&browser, "setup", &format!("{setup}?lang={language}"), language).await);
    first_run(&browser, &berth).await;
    let screens = furnished(&berth, &fake).await;
    wrong.extend(unseen(&screens).into_iter().map(|page| format!("no screen shows {page}")));
    let token = NewToken { name: "copied".into(), scopes: Scope::ALL.to_vec(), team: None, days: None };
    let token = berth.backend.tokens.create(&ada(&berth).await, token).await.unwrap().secret;
    let mut ways = 0;
    browser.complaints().await;
    browser.go("/me").await;
    browser.click(&format!("#language option[value={language}]")).await;
    browser.click("form:has(#language) button").await;
    browser.find(&format!("html[lang={language}]")).await;
    for (name, path) in &screens {
        wrong.extend(inspect(&browser, name, path, language).await);
        wrong.extend(says_how(&browser, name).await);
        if language == "ko" {
            wrong.extend(foreign(&browser).await.into_iter().map(|text| format!("{name}: not in Korean: {text}")));
        }
        let lines = browser.run("return [...document.querySelectorAll('.ways pre')].map((line) => line.textContent)").await;
        let lines: Vec<String> = serde_json::from_value(lines).unwrap();
        wrong.extend(copying::check(&lines, &berth.config.url, &token, &mut ways).await);
    }
    let mut looks = (screens.len() + OUTSIDE.len()) * LOOKS.len();
    if language == "en" {
        for dark in [false, true] {
            wrong.extend(opened(&browser, dark).await);
            looks += OPENED.len();
        }
    }
    browser.look(1360, false).await;
    browser.go("/me").await;
    browser.click(".rail form[action='/logout'] button").await;
    wrong.extend(inspect(&browser, "login", &format!("/login?lang={language}"), language).await);
    wrong.extend(inspect(&browser, "sign-in", &format!("/sign-in/abc?lang={language}"), language).await);
    browser.close().await;
    berth.stop().await;
    let figures = format!(
        "{} screens of every page in light, dark and 360 px, {language}: {looks} looks, {ways} commands and requests to copy tried; axe \
         findings, errors in the browser's console, wider than the window, not working: {}",
        screens.len() + OUTSIDE.len(),
        wrong.len()
    );
    proof("console", &figures);
    wrong
}

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_is_accessible_and_has_its_picture() {
    let wrong = every_screen("en").await;
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn every_screen_is_whole_in_korean() {
    let wrong = every_screen("ko").await;
    assert!(wrong.is_empty(), "{} findings:\n{}", wrong.len(), wrong.join("\n"));
}
