//! The matrix: every door × every method × every kind of asker. A refusal has the right status and leaves everything as it was.

use std::collections::BTreeSet;

use serde_json::json;
use server::platform::fake::Behaviour;

use super::{
    cast::{Asker, Kind, everybody},
    doors::{self, Door, Expected},
    rest, state,
    world::World,
};
use crate::{
    git::Copy,
    support::{
        app::{ADMIN, Answer},
        berth::until,
        proof,
    },
};

/// A world with a commit in its repository, in which nothing goes on any more.
async fn settled() -> (World, String) {
    let mut world = World::new().await;
    let token = world.app.client("owner@a.test").await;
    let copy = Copy::at(&format!("http://x:{}@{}/git/a/hello.git", token.secret(), world.app.berth.console)).await;
    copy.write("berth.yaml", "version: 1\n");
    let commit = copy.commit("First").await;
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "main"]).await;
    until("the run is written down", async || (token.get("/teams/a/services/hello/runs/2").await.status == 200).then_some(())).await;
    world.settled().await;
    // A second release, so that there is one to go back to.
    world.app.fake.set_image("hello:2", Behaviour::saying("hello again"));
    let change = token.post("/teams/a/services/hello/targets/dev/actions/deploy", json!({"image": "hello:2"})).await.is(202);
    change["rollout"].as_str().unwrap().clone_into(&mut world.rollout);
    world.settled().await;
    (world, commit)
}

async fn ask(asker: &Asker, door: &Door, method: &str) -> Answer {
    let body = door.body.as_ref().map(|(kind, body)| (*kind, body.clone()));
    asker.client.ask(method, &door.path, body).await
}

/// What was asked, and what of it was not as it is to be.
#[derive(Default)]
struct Walk {
    refused: usize,
    let_in: usize,
    not_offered: usize,
    wrong: Vec<String>,
}

impl Walk {
    async fn ask(&mut self, asker: &Asker, door: &Door, method: &str, expected: Expected) {
        let answer = ask(asker, door, method).await;
        // A verb that is listed and of no form would be let in by nobody.
        let unknown = expected == Expected::In && answer.status == 422 && answer.text.contains("This form is not known here");
        if unknown || !expected.fits(answer.status, answer.header("location")) {
            let (who, face) = (asker.name, if asker.browser { "browser" } else { "token" });
            self.wrong.push(format!(
                "{who} by {face}: {method} {} is to be {expected:?}, was {} {:.300}",
                door.listed, answer.status, answer.text
            ));
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_has_its_row_and_every_row_its_door() {
    let world = World::new().await;
    let all = [doors::rest(&world), doors::pages(&world), doors::others("0")].concat();
    let rows: BTreeSet<String> = all.into_iter().map(|door| door.listed).collect();
    let listed = doors::listed();
    assert_eq!(listed.difference(&rows).collect::<Vec<_>>(), Vec::<&String>::new(), "doors without a row in tests/rights/doors.rs");
    assert_eq!(rows.difference(&listed).collect::<Vec<_>>(), Vec::<&String>::new(), "rows without a door");
    for (route, right) in rest::listed() {
        assert_eq!(rest::OPEN.contains(&route.as_str()), right == "open", "{route} is {right}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_administrator_may_look_everywhere() {
    let world = World::new().await;
    let admin = world.app.client(ADMIN).await;
    for row in rest::rows().iter().filter(|row| row.method == "get" && !row.path.ends_with("/stream")) {
        let asked = if row.path.ends_with("/matches") { "?text=a" } else { "" };
        assert_eq!(admin.get(&format!("{}{asked}", world.path(row.path))).await.status, 200, "{}", row.path);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn every_door_by_everybody() {
    let (world, commit) = settled().await;
    let all = [doors::rest(&world), doors::pages(&world), doors::others(&commit)].concat();
    let askers = everybody(&world.app).await;
    let eye = state::Eye::of(&world.app).await;
    let mut before = eye.sees().await;
    let mut walk = Walk::default();
    // First whoever is refused, so that what the others change does not stand in their way.
    for asker in &askers {
        for door in &all {
            let expected = door.expected(asker.kind);
            if expected == Expected::In || skips(asker, door) {
                continue;
            }
            walk.ask(asker, door, &door.method, expected).await;
            let now = eye.sees().await;
            let changed = state::difference(&before, &now);
            if !changed.is_empty() {
                walk.wrong.push(format!("{}: {} {} changed {changed:#?}", asker.name, door.method, door.listed));
                before = now;
            }
            walk.refused += 1;
        }
    }
    // No method beside those offered, for nobody and for those who may everything else.
    for asker in askers.iter().filter(|asker| asker.name == "anonymous" || asker.kind == Kind::Somebody(3)) {
        for door in all.iter().filter(|door| door.listed != "other /api/{*rest}") {
            for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
                if doors::taken(&all, &door.path).contains(method) || (door.path == "/logout" && method == "GET") {
                    continue;
                }
                walk.ask(asker, door, method, Expected::Status(405)).await;
                walk.not_offered += 1;
            }
        }
    }
    let now = eye.sees().await;
    assert!(state::difference(&before, &now).is_empty(), "{:#?}", state::difference(&before, &now));
    for asker in &askers {
        for door in all.iter().filter(|door| !door.once && !skips(asker, door)) {
            if door.expected(asker.kind) == Expected::In {
                walk.ask(asker, door, &door.method, Expected::In).await;
                walk.let_in += 1;
            }
        }
    }
    let Walk { refused, let_in, not_offered, wrong } = walk;
    assert!(wrong.is_empty(), "{} are wrong:\n{}", wrong.len(), wrong.join("\n"));
    let (doors, forms) = (doors::listed().len(), doors::listed().iter().filter(|door| door.starts_with("form ")).count());
    proof(
        "rights",
        &format!(
            "{doors} doors, {forms} of them a verb of a form, by {} askers: {refused} refused with everything left as it was, {let_in} let in, {not_offered} methods not offered",
            askers.len()
        ),
    );
}

/// Git knows tokens alone: a browser there is nobody.
fn skips(asker: &Asker, door: &Door) -> bool {
    asker.browser && door.is_git()
}
