//! Mirrors over HTTP: what is fetched, what runs, what is refused, and what is said.

use std::time::Duration;

use app::model::{MirrorState, NewMirror, RunState};
use serde_json::json;
use server::git::{Address, Credentials, Limits, Remote, RemoteError};

use super::{HELLO, World, new_service};
use crate::{
    git::Copy,
    support::{
        app::TestApp,
        forge::{Forge, TOKEN},
        proof,
    },
};

async fn the_whole_way(world: World, on: &str) {
    let first = world.commit("trunk", "First").await;
    world.copy.good(&["push", "-q", "berth", "HEAD:refs/heads/old-topic", "HEAD:refs/tags/v1"]).await;
    let mirror = world.mirror().await;
    assert_eq!((mirror.failure, mirror.has_token, mirror.deploy_key), (None, true, None));

    // Its default branch is followed, and the head of that alone runs; the rest is history.
    let run = world.passed(1).await;
    assert_eq!((run.commit.as_str(), run.branch.as_str(), run.candidate), (first.as_str(), "trunk", Some(1)));
    assert_eq!((run.by.as_str(), run.reason.as_str()), ("127.0.0.1", "127.0.0.1 pushed the new branch trunk"));
    assert_eq!(run.rollouts.len(), 1, "a candidate of the default branch goes to dev by itself");

    // What moves there runs here, and what is gone there is gone here.
    let second = world.commit("trunk", "Second").await;
    world.copy.good(&["push", "-q", "berth", ":refs/heads/old-topic"]).await;
    let third = world.commit("topic", "On a topic").await;
    world.fetch().await;
    let (main, topic) = (world.ended(2).await, world.ended(3).await);
    let mut commits = [main.commit, topic.commit];
    commits.sort();
    let mut wanted = [second, third];
    wanted.sort();
    assert_eq!(commits, wanted);
    assert_eq!(world.fetch().await.state, MirrorState::UpToDate);
    assert_eq!(world.runs().await, 3, "nothing moved, so nothing runs");

    // It is read here, and pushed to there.
    let url = format!("http://x:{}@{}/git/demo/hello.git", world.owner.secret(), world.app.berth.console);
    let clone = Copy::at(&url).await;
    let listed = clone.good(&["ls-remote", "--symref", "berth"]).await;
    assert!(
        listed.contains("ref: refs/heads/trunk\tHEAD") && listed.contains("refs/heads/topic") && !listed.contains("old-topic"),
        "{listed}"
    );
    clone.commit("Mine").await;
    let refused = clone.git(&["push", "berth", "HEAD:trunk"]).await;
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("takes no pushes. Push there"), "{said}");
    assert_eq!(world.runs().await, 3);

    // A token that is no good is said to be, since when, and nothing is lost.
    world.owner.send("PATCH", &format!("{HELLO}/mirror"), Some(&json!({ "token": "wrong" }))).await.is(200);
    let failing = world.shown("it fails", |mirror| mirror.state == MirrorState::Failing).await;
    assert!(failing.failure.as_deref().unwrap().contains("good token") && failing.failing_since.is_some(), "{failing:?}");
    world.commit("trunk", "Fourth").await;
    world.owner.send("PATCH", &format!("{HELLO}/mirror"), Some(&json!({ "token": TOKEN }))).await.is(200);
    let again = world.shown("it is fetched", |mirror| mirror.state == MirrorState::UpToDate).await;
    assert_eq!((again.failure, again.failing_since), (None, None));
    assert_eq!(world.passed(4).await.title, "Fourth");
    // Neither the API nor the store shows the token.
    let shown = world.owner.get(&format!("{HELLO}/mirror")).await.text;
    assert!(!shown.contains(TOKEN), "{shown}");
    proof("mirror", &format!("{on}: 4 of 4 moved branches ran over HTTP, 1 push refused, history ran 0 times"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_elsewhere_runs_here() {
    the_whole_way(World::new().await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_elsewhere_runs_here_on_postgres() {
    the_whole_way(World::on_postgres().await, "PostgreSQL").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_mirror_is_fetched_by_itself_in_its_time() {
    let world = World::new().await;
    world.commit("trunk", "First").await;
    world.mirror().await;
    world.passed(1).await;
    world.commit("trunk", "Second").await;
    let mut tx = world.app.db().begin().await.unwrap();
    tx.execute("UPDATE mirrors SET every_ms = 500, due_at = 0", vec![]).await.unwrap();
    tx.commit().await.unwrap();
    world.app.berth.wake.duty(server::wake::Duty::Mirrors);
    assert_eq!(world.passed(2).await.title, "Second");
    world.commit("trunk", "Third").await;
    assert_eq!(world.passed(3).await.title, "Third");
}

/// A crash between the fetch and what is written down of it: the refs are there, and nobody knows.
#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_and_not_written_down_is_found() {
    let world = World::new().await;
    world.commit("trunk", "First").await;
    world.mirror().await;
    world.passed(1).await;
    world.commit("trunk", "Second").await;
    let id = world.app.db();
    let row = server::store::Query::fetch_all(id, "SELECT id FROM repositories", vec![]).await.unwrap();
    let bare = world.app.berth.config.repositories().join(format!("{}.git", row[0].text("id").unwrap()));
    world.copy.good(&["push", "-q", bare.to_str().unwrap(), "HEAD:trunk"]).await;
    world.app.berth.wake.duty(server::wake::Duty::Refs);
    world.fetch().await;
    let run = world.passed(2).await;
    assert_eq!((run.title.as_str(), run.by.as_str()), ("Second", "127.0.0.1"));
    assert_eq!(world.runs().await, 2, "once");
}

#[tokio::test(flavor = "multi_thread")]
async fn berth_goes_where_it_is_let_and_follows_no_hint_elsewhere() {
    let forge = Forge::new().await;
    let app = TestApp::new().await.with_team("demo").await;
    let owner = app.client("owner@demo.test").await;
    let port = forge.url.rsplit(':').next().unwrap().to_owned();
    for address in
        [forge.address(), format!("https://127.0.0.1:{port}/acme/shop"), "ssh://git@10.0.0.1/acme/shop".into(), "file:///etc".into()]
    {
        let sentence = owner
            .post("/teams/demo/services", json!({ "name": "hello", "mirror": { "address": address } }))
            .await
            .refused(422, "invalid_mirror");
        assert!(sentence.contains("private network") || sentence.contains("http://") || sentence.contains("address like"), "{sentence}");
    }
    // A name that leads inside is found out when it is gone to.
    owner
        .post("/teams/demo/services", json!({ "name": "hello", "mirror": { "address": format!("https://localhost:{port}/acme/shop") } }))
        .await
        .is(201);
    let failing = crate::support::berth::until("it is refused", async || {
        let shown = owner.get(&format!("{HELLO}/mirror")).await.is(200);
        shown["failure"].as_str().map(str::to_owned)
    })
    .await;
    assert!(failing.contains("private network"), "{failing}");
    assert_eq!(forge.listed(), 0);

    let world = World::new().await;
    let address = format!("{}/moved/shop.git", world.forge.url);
    let actor = world.app.actor(&world.app.user("owner@demo.test").await).await;
    let new = new_service(NewMirror { address, ..NewMirror::default() });
    world.app.berth.backend.services.create(&actor, &"demo".parse().unwrap(), new).await.unwrap();
    let failing = world.shown("the hint is not followed", |mirror| mirror.state == MirrorState::Failing).await;
    assert!(failing.failure.as_deref().unwrap().contains("elsewhere by now"), "{failing:?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_ends_in_time_and_within_its_size_and_leaves_nothing() {
    let world = World::new().await;
    let noise: Vec<u8> = std::iter::repeat_with(rand::random).take(3 << 20).collect();
    std::fs::write(world.copy.path().join("noise.bin"), noise).unwrap();
    world.commit("trunk", "Large").await;
    let address: Address = world.forge.address().parse().unwrap();
    let at = world.forge.url.strip_prefix("http://").unwrap().parse().unwrap();
    let folder = tempfile::tempdir().unwrap();
    let bare = folder.path().join("r.git");
    server::git::ensure_bare(&bare, "trunk").await.unwrap();
    let with = Credentials { token: Some(TOKEN.into()), ..Credentials::default() };
    let remote = Remote::new(address, at, &with, folder.path()).unwrap();
    let packs = || std::fs::read_dir(bare.join("objects/pack")).into_iter().flatten().count();
    let limits = Limits { bytes: 1 << 20, ..Limits::default() };
    let RemoteError::Refused(why) = remote.fetch(&bare, limits).await.unwrap_err() else { panic!("it is refused") };
    assert!(why.contains("larger than the 1 MiB") && packs() == 0, "{why} {}", packs());
    let limits = Limits { deadline: Duration::from_millis(1), ..Limits::default() };
    let RemoteError::Refused(why) = remote.fetch(&bare, limits).await.unwrap_err() else { panic!("it is refused") };
    assert!(why.contains("did not send all of it"), "{why}");
    assert!(server::git::refs(&bare).await.unwrap().is_empty());
    remote.fetch(&bare, Limits::default()).await.unwrap();
    assert_eq!(server::git::refs(&bare).await.unwrap(), remote.list().await.unwrap().refs);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_goes_takes_its_mirror_along() {
    let world = World::new().await;
    world.commit("trunk", "First").await;
    world.mirror().await;
    assert_eq!(world.ended(1).await.state, RunState::Passed);
    world.owner.delete(&format!("{HELLO}?confirm=hello")).await.is(202);
    crate::support::berth::until("its rows are gone", async || {
        let sql = "SELECT repository_id AS id FROM mirrors UNION ALL SELECT id FROM forge_statuses UNION ALL SELECT id FROM repositories";
        server::store::Query::fetch_all(world.app.db(), sql, vec![]).await.ok().filter(Vec::is_empty)
    })
    .await;
}

async fn mirrored_later(world: World, on: &str) {
    let owner = &world.owner;
    owner.post("/teams/demo/services", json!({ "name": "hello" })).await.is(201);
    let first = world.commit("trunk", "First").await;
    let here = format!("http://x:{}@{}/git/demo/hello.git", owner.secret(), world.app.berth.console);
    world.copy.good(&["push", "-q", "-o", "no-wait", &here, "HEAD:refs/heads/main", "HEAD:refs/tags/v0"]).await;
    let pushed = world.passed(1).await;
    assert_eq!((pushed.commit.as_str(), pushed.branch.as_str()), (first.as_str(), "main"));

    // What is refused changes nothing.
    let mirror = format!("{HELLO}/mirror");
    owner.post(&mirror, json!({ "address": "https://ann:secret@git.example.org/a/b" })).await.refused(422, "invalid_mirror");
    world.app.client("viewer@demo.test").await.post(&mirror, json!({ "address": world.forge.address() })).await.refused(403, "forbidden");
    assert_eq!(owner.get(&mirror).await.is(200), serde_json::Value::Null);

    // From now on it is as it is there: another default branch, no such tag; and the runs of before are where they were.
    let new = json!({ "address": world.forge.address(), "token": TOKEN, "forge": "gitea" });
    let made = owner.post(&mirror, new.clone()).await.is(201);
    assert_eq!((&made["repository"], &made["address"], &made["statuses"]), (&json!("hello"), &json!(world.forge.address()), &json!(true)));
    world.shown("it is fetched", |mirror| mirror.state == MirrorState::UpToDate).await;
    let clone = Copy::at(&here).await;
    let listed = clone.good(&["ls-remote", "--symref", "berth"]).await;
    assert!(listed.contains("ref: refs/heads/trunk\tHEAD") && !listed.contains("v0") && !listed.contains("heads/main"), "{listed}");
    let head = world.passed(2).await;
    assert_eq!((head.commit.as_str(), head.branch.as_str()), (first.as_str(), "trunk"));
    assert_eq!((world.run(1).await.unwrap().candidate, head.number), (pushed.candidate, 2), "its history stays, and goes on");
    owner.get(&format!("{HELLO}/candidates/{}", pushed.candidate.unwrap())).await.is(200);

    // Pushed to there, and no more here.
    clone.commit("Mine").await;
    let refused = clone.git(&["push", "berth", "HEAD:main"]).await;
    assert!(!refused.status.success() && String::from_utf8_lossy(&refused.stderr).contains("takes no pushes. Push there"));
    let second = world.commit("trunk", "Second").await;
    world.fetch().await;
    assert_eq!(world.passed(3).await.commit, second);
    assert!(owner.post(&mirror, new).await.refused(409, "is_mirror").contains("berth mirror set"));
    let events = owner.get("/events?team=demo").await.body["items"].clone();
    let added = events.as_array().is_some_and(|all| all.iter().any(|event| event["action"] == "mirror.added"));
    assert!(added, "{events}");
    proof("mirrors", &format!("{on}: a repository that was pushed to became one, its run and candidate kept, 2 more followed"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_was_pushed_to_becomes_a_mirror_with_its_history() {
    mirrored_later(World::new().await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repository_that_was_pushed_to_becomes_a_mirror_with_its_history_on_postgres() {
    mirrored_later(World::on_postgres().await, "PostgreSQL").await;
}
