//! A Berth with a bit of everything, and the paths of its screens: every page of the console is among them.

use std::time::Duration;

use app::{
    backend::BaseSource,
    model::{ConfigChange, NewService, NewToken, Role, RolloutState, Scope, Source},
    routes::PAGES,
};
use server::platform::fake::Behaviour;

use super::{
    journeys::ada,
    pushing::{Source as Pushed, behave},
};
use crate::support::berth::{environment, service, team, within};

/// Screens that are looked at outside of [`furnished`], signed out: their names and the pages they are of.
pub(super) const OUTSIDE: [(&str, &str); 4] =
    [("first-run", "/"), ("setup", "/setup/{token}"), ("login", "/login"), ("sign-in", "/sign-in/{token}")];

/// Pages that show nothing of their own.
const NOTHING_OF_ITS_OWN: [&str; 1] = ["/logout"];

/// Screens that do not say how to do the same elsewhere, and why.
pub(super) const WITHOUT_WAYS: [(&str, &str); 2] =
    [("invitation", "whoever takes it up has no token yet"), ("not-found", "there is nothing to ask for")];

/// The pages that no screen is of.
pub(super) fn unseen(screens: &[(String, String)]) -> Vec<&'static str> {
    let outside: Vec<&str> = OUTSIDE.iter().map(|(_, page)| *page).chain(NOTHING_OF_ITS_OWN).collect();
    let shown: Vec<&str> = screens.iter().filter_map(|(_, path)| page_of(path)).collect();
    PAGES.iter().map(|page| page.path).filter(|page| !shown.contains(page) && !outside.contains(page)).collect()
}

/// The page that a path is of: a fixed part weighs more than a named one.
fn page_of(path: &str) -> Option<&'static str> {
    let parts: Vec<&str> = path.split('?').next().unwrap_or_default().split('/').collect();
    let fits = |page: &&str| {
        let pattern: Vec<&str> = page.split('/').collect();
        pattern.len() == parts.len() && pattern.iter().zip(&parts).all(|(wanted, part)| wanted.starts_with('{') || wanted == part)
    };
    PAGES.iter().map(|page| page.path).filter(fits).min_by_key(|page| page.matches('{').count())
}

/// A title that is longer than a line, and holds a word that is longer than a phone is wide.
const LONG: &str =
    "Merge branch 'feature/rounding-of-currencies-without-minor-units-and-with-them' of harbour into main, and say why it is one";

#[test]
fn a_page_without_a_screen_is_told_of() {
    let screens = [
        ("service".to_owned(), "/teams/demo/services/hello?done=saved".to_owned()),
        ("x".to_owned(), "/teams/demo/services/new".to_owned()),
    ];
    let unseen = unseen(&screens);
    assert!(!unseen.contains(&"/teams/{team}/services/{service}") && !unseen.contains(&"/teams/{team}/services/new"));
    assert!(unseen.contains(&"/teams/{team}/services/{service}/runs/{number}") && !unseen.contains(&"/login"));
}

/// A base image with a version that is there and one that could not be built.
async fn base(backend: &app::backend::Backend, ada: &app::model::Actor) {
    let name = "debian".parse().unwrap();
    let source = |from: &str| BaseSource::Dockerfile(format!("FROM {from}\nRUN apt-get update\n"));
    backend.bases.create(ada, &name, "What most services stand on", source("hello:1")).await.unwrap();
    let ended = async || {
        within(Duration::from_secs(30), "the version ends", async || {
            let newest = backend.bases.show(ada, &name, None).await.unwrap().base.newest;
            newest.filter(|newest| newest.state.ended())
        })
        .await
    };
    ended().await;
    backend.bases.rebuild(ada, &name, Some(source("debian:99")), true).await.unwrap();
    ended().await;
}

/// Furnishes a Berth that Ada was just made the administrator of; gives back the names and paths of its screens.
pub(super) async fn furnished(berth: &server::serve::Running, fake: &server::platform::fake::Fake) -> Vec<(String, String)> {
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
            mirror: None,
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
    for (number, title, code) in [(1, "Say hello", 0), (2, "Price rules per country", 101), (3, LONG, 0)] {
        behave(fake, code, "pushed");
        source.push(title).await;
        within(Duration::from_secs(60), "the run ends", async || {
            backend.runs.show(&ada, &team(), &service(), number).await.ok().filter(|run| run.state.ended())
        })
        .await;
    }
    base(backend, &ada).await;
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
        ("runs-narrowed", &format!("{base}/runs?state=failed&text=price")),
        ("runs-none", &format!("{base}/runs?state=failed&branch=topic")),
        ("run", &format!("{base}/runs/1")),
        ("run-failed", &format!("{base}/runs/2")),
        ("run-long", &format!("{base}/runs/3")),
        ("candidates", &format!("{base}/candidates")),
        ("candidates-empty", "/teams/demo/services/orders/candidates"),
        ("candidate", &format!("{base}/candidates/2")),
        ("compare", &format!("{base}/candidates/1/compare/2")),
        ("ci", &format!("{base}/ci")),
        ("ci-empty", "/teams/demo/services/orders/ci"),
        ("pipeline", &format!("{base}/pipeline")),
        ("pipeline-template", "/teams/demo/services/orders/pipeline"),
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
        ("bases", "/platform/bases"),
        ("base", "/platform/bases/debian"),
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
