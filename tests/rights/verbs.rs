//! Forms by their verbs: one that a page does not list is refused before anything is looked at, and every one that a page
//! shows is one it lists.

use app::routes::{Need, PAGES, PageRoute};

use super::{
    cast::{Asker, Kind, everybody},
    doors, state,
    world::World,
};
use crate::support::{
    app::{ADMIN, Answer},
    proof,
};

/// Verbs that no page has, or that this one has not: of another page, in another spelling, with more behind it.
const STRANGE: [&str; 8] = ["", "nothing", "Delete", "delete ALL", "add-route-plan", "deploy-plan-plan", "../delete", "\u{202e}eteled"];

const SENTENCE: &str = "This form is not known here. Load the page again and repeat.";

/// What is wrong with an answer to a verb that the page does not list; none: it is as it is to be.
fn wrong(asker: &Asker, page: &PageRoute, answer: &Answer) -> Option<String> {
    let (status, to) = (answer.status, answer.header("location"));
    let said = status == 422 && (answer.text.contains(SENTENCE) || answer.body["code"] == "unknown_form");
    let fits = match (asker.kind, page.need) {
        (Kind::BadToken, _) => status == 401,
        (Kind::Nobody | Kind::Basic, Need::Person | Need::Admin) => status == 303 && to.starts_with("/login?to="),
        (Kind::Figures, Need::Admin) | (_, Need::Nothing | Need::Person) => said,
        // There is no such page for others.
        (_, Need::Admin) => status == 404,
    };
    (!fits).then(|| format!("{} at {}: {status} {to} {:.200}", asker.name, page.path, answer.text))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_verb_that_a_page_does_not_list_is_refused() {
    let world = World::new().await;
    world.settled().await;
    let askers = everybody(&world.app).await;
    let eye = state::Eye::of(&world.app).await;
    let before = eye.sees().await;
    let (mut asked, mut all_wrong) = (0, Vec::new());
    for page in PAGES.iter().filter(|page| page.form.is_some()) {
        assert!(!page.verbs.is_empty(), "{} lists the verbs of its forms", page.path);
        for (n, asker) in askers.iter().enumerate() {
            let strange: Vec<&str> = STRANGE.into_iter().filter(|verb| !page.verbs.contains(verb)).collect();
            // All of them by the owner, one by everybody.
            let verbs = if asker.kind == Kind::Somebody(3) { &strange[..] } else { &strange[n % strange.len()..][..1] };
            for verb in verbs {
                let form = [("do", *verb), ("of", "dev"), ("confirm", "hello")];
                let answer = asker.client.form(&doors::filled(&world, page.path), &form).await;
                all_wrong.extend(wrong(asker, page, &answer).map(|wrong| format!("`{verb}`: {wrong}")));
                asked += 1;
            }
        }
    }
    assert!(all_wrong.is_empty(), "{} are wrong:\n{}", all_wrong.len(), all_wrong.join("\n"));
    let changed = state::difference(&before, &eye.sees().await).join("\n");
    assert!(changed.is_empty(), "{changed}");
    proof("verbs that no page lists", &format!("{asked} forms by {} askers: 0 did anything, each refused in a sentence", askers.len()));
}

/// The forms of a page as it is shown: where each is sent, and its verbs.
fn forms<'a>(html: &'a str, here: &'a str) -> Vec<(&'a str, Vec<&'a str>)> {
    let value =
        |tag: &'a str, name: &str| tag.split_once(&format!(" {name}=\"")).map(|(_, rest)| rest.split('"').next().unwrap_or_default());
    let mut all = Vec::new();
    for form in html.split("<form").skip(1) {
        let (head, rest) = form.split_once('>').unwrap();
        if value(head, "method") != Some("post") {
            continue;
        }
        let inside = rest.split("</form>").next().unwrap_or_default();
        let tags = inside.split('<').filter(|tag| tag.contains(" name=\"do\""));
        all.push((value(head, "action").unwrap_or(here), tags.filter_map(|tag| value(tag, "value")).collect()));
    }
    all
}

/// The page that a path is of: a fixed part weighs more than a named one.
fn page_of(path: &str) -> &'static PageRoute {
    let parts: Vec<&str> = path.split(['?', '#']).next().unwrap_or_default().split('/').collect();
    let fits = |page: &&PageRoute| {
        let pattern: Vec<&str> = page.path.split('/').collect();
        pattern.len() == parts.len() && pattern.iter().zip(&parts).all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
    };
    PAGES.iter().filter(fits).min_by_key(|page| page.path.matches('{').count()).unwrap_or_else(|| panic!("{path} is of no page"))
}

#[tokio::test(flavor = "multi_thread")]
async fn every_verb_that_is_shown_is_listed() {
    let world = World::new().await;
    world.settled().await;
    let mut seen = std::collections::BTreeSet::new();
    for email in ["owner@a.test", "viewer@a.test", ADMIN] {
        let browser = world.app.browser(email).await;
        for page in PAGES.iter().filter(|page| page.path != "/logout") {
            let path = doors::filled(&world, page.path);
            let html = browser.ask("GET", &path, None).await.text;
            for (to, verbs) in forms(&html, &path) {
                let to = page_of(to);
                // A form without a verb has the empty one.
                for verb in if verbs.is_empty() { vec![""] } else { verbs } {
                    assert!(to.verbs.contains(&verb), "{path} shows `{verb}`, which {} does not list", to.path);
                    seen.insert((to.path, verb.to_owned()));
                }
            }
        }
    }
    let listed = PAGES.iter().map(|page| page.verbs.len()).sum::<usize>();
    assert!(seen.len() * 2 > listed, "{} of {listed} verbs were shown at all: {seen:?}", seen.len());
    proof("verbs of the console", &format!("{} of {listed} were shown by the pages of one team, 0 of them not listed", seen.len()));
}
