//! What makes runs begin beside a push of a branch: tags, schedules, and people and programs with inputs.

use std::{collections::BTreeMap, time::Duration};

use app::model::{LineKind, PushPolicy, RetryFrom, RunEvent, RunState, Scope, StartRun, Timestamp};
use serde_json::json;
use server::{
    args, clock,
    pipelines::{Context, room::Room, schedules},
    platform::fake::Script,
    secrets::Secrets,
    store::Query as _,
    wake::{Duty, Wake},
};
use tokio_util::sync::CancellationToken;

use super::monorepo::{self, Shop, holds};
use crate::{
    cli::person::Person,
    git::{Copy, harbour},
    support::{
        app::TestApp,
        berth::{Harbour, service, team, until},
        images::{self, BUSYBOX},
        proof,
    },
};

/// How long a run takes at most.
const SOON: Duration = Duration::from_secs(60);

/// A service that runs on tags, with a step for them alone.
const ON_TAGS: &str = "version: 1
services:
  hello:
    on: { tag: [\"v*\"] }
    stages:
      - name: fast
        steps:
          - { name: unit, image: shell, run: [\"make test\"] }
          - { name: publish, image: shell, run: [\"make publish\"], if: { event: [tag] } }
          - { name: main, image: shell, run: [\"make\"], if: { branch: [\"**\"] } }
";

async fn write(harbour: &Harbour, file: &str) -> Copy {
    let copy = Copy::new(harbour).await;
    copy.write("Dockerfile", "FROM scratch\n");
    copy.write("berth.yaml", file);
    copy
}

const QUIET: [&str; 5] = ["push", "-q", "-o", "no-wait", "berth"];

async fn push(copy: &Copy, reference: &str) {
    copy.good(&[QUIET.as_slice(), &[reference]].concat()).await;
}

/// How many runs there are.
async fn runs(harbour: &Harbour) -> usize {
    harbour
        .berth
        .backend
        .runs
        .list(&harbour.owner, &team(), &service(), &Default::default(), &Default::default())
        .await
        .unwrap()
        .items
        .len()
}

#[tokio::test]
async fn a_tag_runs_what_asks_for_it_and_takes_nobodys_place() {
    use RunState::{Passed, Queued, Running, Skipped};
    let harbour = harbour().await;
    let copy = write(&harbour, ON_TAGS).await;
    let commit = copy.commit("First").await;
    push(&copy, "HEAD:main").await;
    assert_eq!(harbour.run_ended_within(SOON, 1).await.event, RunEvent::Push);
    copy.good(&["tag", "v1"]).await;
    let said = copy.good(&["push", "berth", "v1"]).await;
    holds(&said, &["Run 2 of hello: http://", "✓ candidate 2"], &["is taken"]);
    let run = harbour.run_ended_within(SOON, 2).await;
    assert_eq!((run.state, run.event, run.tag.as_deref(), run.branch.as_str()), (Passed, RunEvent::Tag, Some("v1"), "refs/tags/v1"));
    assert_eq!((run.commit.as_str(), run.reason.as_str(), run.rollouts.len()), (commit.as_str(), "Ada pushed the tag v1", 0), "{run:?}");
    let states: Vec<_> = run.stages[0].steps.iter().map(|step| (step.name.as_str(), step.state)).collect();
    assert_eq!(states, [("unit", Passed), ("publish", Passed), ("main", Skipped)]);
    let env = harbour.fake.tasks().iter().find(|task| task.env["BERTH_RUN"] == "2").unwrap().env.clone();
    assert_eq!((env["BERTH_TAG"].as_str(), env["BERTH_EVENT"].as_str(), env.get("BERTH_BRANCH")), ("v1", "tag", None));

    // An annotated tag leads to its commit; a file, and a name nobody asked for, to nothing.
    copy.good(&["tag", "-a", "-m", "Two", "v2"]).await;
    push(&copy, "v2").await;
    let run = harbour.run_ended_within(SOON, 3).await;
    assert_eq!((run.tag.as_deref(), run.commit.as_str(), run.candidate), (Some("v2"), commit.as_str(), Some(3)));
    copy.good(&["tag", "v3", "HEAD:berth.yaml"]).await;
    copy.good(&["tag", "nightly"]).await;
    let said = copy.good(&["push", "berth", "v3", "nightly"]).await;
    holds(&said, &["The tag nightly is taken. No service runs on it", "The tag v3 is taken. No service"], &["Run "]);

    // Again is the same again; and a tag that is moved runs anew.
    harbour.berth.backend.runs.retry(&harbour.owner, &team(), &service(), 2, RetryFrom::Start).await.unwrap();
    let run = harbour.run_ended_within(SOON, 4).await;
    assert_eq!((run.event, run.tag.as_deref(), run.stages[0].steps[1].state), (RunEvent::Tag, Some("v1"), Passed));
    copy.commit("Docs [skip ci]").await;
    copy.good(&["tag", "-f", "v1"]).await;
    push(&copy, "+v1").await;
    let run = harbour.run_in_state(5, Skipped).await;
    assert_eq!((run.tag.as_deref(), run.reason.as_str()), (Some("v1"), "The commit says `[skip ci]`."));
    push(&copy, ":v1").await;

    // Neither takes the other's place, even on a branch of the same name.
    harbour.fake.on_task(|_| Some(Script { takes: Duration::from_secs(3_600), ..Script::default() }));
    let policy = PushPolicy { default_branch: true, running: true };
    harbour.berth.backend.services.set_push_policy(&harbour.owner, &team(), &service(), policy).await.unwrap();
    copy.commit("More").await;
    copy.good(&["tag", "v9"]).await;
    push(&copy, "HEAD:refs/heads/v9").await;
    harbour.run_in_state(6, Running).await;
    push(&copy, "refs/tags/v9").await;
    harbour.run_in_state(7, Running).await;
    harbour
        .berth
        .backend
        .runs
        .start(&harbour.owner, &team(), &service(), StartRun { branch: Some("v9".into()), ..StartRun::default() })
        .await
        .unwrap();
    harbour.run_in_state(8, Queued).await;
    copy.commit("And more").await;
    push(&copy, "HEAD:refs/heads/v9").await;
    let superseded = harbour.run_in_state(6, RunState::Superseded).await;
    assert_eq!(superseded.superseded_by, Some(9));
    for number in [7, 8] {
        let run = harbour.run(number).await.unwrap();
        assert!(run.superseded_by.is_none() && !run.cancelling, "what no push began stays: {run:?}");
    }
    harbour.berth.stop().await;
    proof(
        "tags",
        "7 pushes of tags: 3 ran with their commit, 1 skipped by its commit, 2 asked for by no file, 1 taken back; 0 took a place or lost one",
    );
}

#[tokio::test]
async fn a_history_of_tags_makes_no_runs() {
    let harbour = harbour().await;
    let copy = write(&harbour, &ON_TAGS.replace("v*", "**")).await;
    copy.commit("First").await;
    push(&copy, "HEAD:main").await;
    harbour.run_ended_within(SOON, 1).await;
    for number in 0..11 {
        copy.good(&["tag", &format!("v{number}")]).await;
    }
    let said = copy.good(&["push", "-o", "no-wait", "berth", "--tags"]).await;
    holds(&said, &["11 tags came at once, so none of them makes a run"], &["Run "]);
    for number in 20..30 {
        copy.good(&["tag", &format!("v{number}")]).await;
    }
    copy.good(&["push", "-q", "-o", "no-wait", "berth", "--tags"]).await;
    until("each of ten has a run", async || (runs(&harbour).await == 11).then_some(())).await;
    harbour.berth.stop().await;
}

async fn dues(app: &TestApp) -> Vec<(String, String, Timestamp)> {
    let sql =
        "SELECT s.name, c.cron, c.time_zone, c.due_at FROM schedules c JOIN services s ON s.id = c.service_id ORDER BY s.name, c.cron";
    let rows = app.db().fetch_all(sql, args![]).await.unwrap();
    let row = |row: &server::store::Row| {
        (
            row.text("name").unwrap(),
            format!("{} {}", row.text("cron").unwrap(), row.text("time_zone").unwrap()),
            row.time("due_at").unwrap(),
        )
    };
    rows.iter().map(row).collect()
}

async fn count(app: &TestApp) -> usize {
    dues(app).await.len()
}

/// Lets time pass for every schedule of a service.
async fn make_due(app: &TestApp, service: &str, at: i64) {
    let mut tx = app.db().begin().await.unwrap();
    let sql = "UPDATE schedules SET due_at = $1 WHERE service_id = (SELECT id FROM services WHERE name = $2)";
    tx.execute(sql, args![at, service]).await.unwrap();
    tx.commit().await.unwrap();
    app.berth.wake.duty(Duty::Schedules);
}

/// Until nothing is due any more.
async fn nothing_due(app: &TestApp) {
    until("nothing is due", async || dues(app).await.iter().all(|(_, _, due)| *due > clock::now()).then_some(())).await;
}

/// The monorepo, whose services have schedules.
fn scheduled(orders: &str, billing: &str) -> String {
    monorepo::FILE
        .replace("path: services/billing\n", &format!("path: services/billing\n    on: {{ schedule: [{billing}] }}\n"))
        .replace("path: services/orders,", &format!("path: services/orders, on: {{ schedule: [{orders}] }},"))
}

async fn schedules_run_the_head(app: TestApp) {
    let shop = Shop::new(app).await;
    let copy = monorepo::pushed(&shop).await;
    let app = &shop.app;
    assert_eq!(count(app).await, 0);
    let nightly = "{ cron: \"0 3 * * *\", time_zone: Asia/Seoul }";
    copy.write("berth.yaml", &scheduled(&format!("{nightly}, {{ cron: \"30 12 1 * *\" }}"), nightly));
    copy.push("With schedules").await;
    let before = dues(app).await;
    let named: Vec<_> = before.iter().map(|(service, at, _)| (service.as_str(), at.as_str())).collect();
    assert_eq!(named, [("billing", "0 3 * * * Asia/Seoul"), ("orders", "0 3 * * * Asia/Seoul"), ("orders", "30 12 1 * * UTC")]);
    assert!(before.iter().all(|(.., due)| *due > clock::now()), "{before:?}");
    let owner = app.client("owner@demo.test").await;
    let triggers = owner.get("/teams/demo/services/orders/triggers").await.is(200);
    assert_eq!((&triggers["branch"], triggers["schedules"].as_array().unwrap().len()), (&json!("main"), 2), "{triggers}");
    let next = owner.get("/teams/demo/services/billing/overview").await.is(200)["schedules"][0].clone();
    assert_eq!((&next["cron"], &next["next"]), (&json!("0 3 * * *"), &json!(before[0].2)));

    // Two of them came long ago, many times over: one run, of the head, whatever changed; and the next time is to come.
    make_due(app, "orders", 1_000).await;
    let run = shop.run("orders", 3).await;
    assert_eq!((run.state, run.event, run.candidate, run.kept), (RunState::Passed, RunEvent::Schedule, Some(3), false), "{run:?}");
    assert_eq!((run.branch.as_str(), run.by.as_str(), run.push.len()), ("main", "schedule", 0));
    assert!(run.reason.starts_with("its schedule: "), "{}", run.reason);
    nothing_due(app).await;
    assert_eq!(dues(app).await, before, "as it was");
    assert_eq!(shop.count("SELECT COUNT(*) AS n FROM runs WHERE event = 'schedule'").await, 1);

    // A clock that was years ahead is put right at a start; `[skip ci]` is about pushes.
    copy.commit("Words [skip ci]").await;
    copy.good(&["push", "-q", "berth", "HEAD"]).await;
    make_due(app, "billing", 4_000_000_000_000).await;
    let stop = CancellationToken::new();
    let other = tokio::spawn(schedules::run(another(app, Wake::default()), stop.clone()));
    until("it is due when it was", async || (dues(app).await == before).then_some(())).await;
    make_due(app, "billing", 1_000).await;
    let run = shop.run("billing", 4).await;
    assert_eq!((run.state, run.title.as_str()), (RunState::Passed, "Words [skip ci]"));
    stop.cancel();
    other.await.unwrap();

    // One that waits is enough; a file that does not read says so, and leaves the schedules as they are.
    copy.write("berth.yaml", "version: 1\nservicess: {}\n");
    copy.push("Broken").await;
    assert_eq!(dues(app).await, before);
    make_due(app, "billing", 1_000).await;
    let run = shop.run("billing", 6).await;
    assert!(
        run.state == RunState::Failed && run.failure.as_deref().unwrap_or_default().contains("berth.yaml:1:1: `services` is missing"),
        "{run:?}"
    );
    nothing_due(app).await;

    // What the file takes out goes, what it keeps stays.
    copy.write("berth.yaml", &scheduled("{ cron: \"30 12 1 * *\" }, { cron: \"0 4 * * *\" }", nightly));
    copy.push("Others").await;
    let now = dues(app).await;
    let named: Vec<_> = now.iter().map(|(service, at, _)| (service.as_str(), at.as_str())).collect();
    assert_eq!(named, [("billing", "0 3 * * * Asia/Seoul"), ("orders", "0 4 * * * UTC"), ("orders", "30 12 1 * * UTC")]);
    assert_eq!((now[0].2, now[2].2), (before[0].2, before[2].2));
    copy.good(&["push", "-q", "berth", "HEAD:topic"]).await;
    assert_eq!(dues(app).await, now, "other branches have no say");

    // A service that moves leaves its schedules behind, and takes up those of where it goes.
    owner.post("/teams/demo/services/billing/actions/move", json!({"repository": "billing", "create": true})).await.is(200);
    until("it has none any more", async || (count(app).await == 2).then_some(())).await;
    owner.post("/teams/demo/services/billing/actions/move", json!({"repository": "orders"})).await.is(200);
    until("it has them again", async || (count(app).await == 3).then_some(())).await;
    copy.write("berth.yaml", monorepo::FILE);
    copy.push("None any more").await;
    assert_eq!(count(app).await, 0);
    shop.app.berth.stop().await;
}

#[tokio::test]
async fn schedules_run_the_head_of_the_default_branch() {
    schedules_run_the_head(TestApp::new().await).await;
}

#[tokio::test]
async fn schedules_run_the_head_of_the_default_branch_on_postgres() {
    schedules_run_the_head(TestApp::on_postgres().await).await;
}

/// What another Berth on the same database has.
fn another(app: &TestApp, wake: Wake) -> Context {
    let berth = &app.berth;
    let secrets = Secrets::open(&berth.config.key_file()).unwrap();
    let (config, db, platform) = (berth.config.clone(), berth.db.clone(), berth.platform.clone());
    Context {
        config,
        db,
        platform,
        wake,
        secrets,
        holder: clock::new_id(),
        room: Room::new(1, 1),
        wall: std::sync::Arc::new(|| Box::pin(async { Ok(()) })),
    }
}

async fn is_due_once(app: TestApp, kind: &str) {
    let shop = Shop::new(app).await;
    let copy = monorepo::pushed(&shop).await;
    let nightly = "{ cron: \"0 3 * * *\" }, { cron: \"1 3 * * *\" }";
    copy.write("berth.yaml", &scheduled(nightly, nightly).replace("version: 1", "version: 1\nbuild: together"));
    copy.push("With schedules").await;
    let (stop, app) = (CancellationToken::new(), &shop.app);
    let wakes: Vec<Wake> = (0..3).map(|_| Wake::default()).collect();
    let others: Vec<_> = wakes.iter().map(|wake| tokio::spawn(schedules::run(another(app, wake.clone()), stop.clone()))).collect();
    for round in 1..=6 {
        for name in ["orders", "billing"] {
            make_due(app, name, 1_000).await;
        }
        wakes.iter().for_each(|wake| wake.duty(Duty::Schedules));
        nothing_due(app).await;
        for name in ["orders", "billing"] {
            assert_eq!(shop.run(name, 2 + round).await.event, RunEvent::Schedule);
        }
        let made = shop.count("SELECT COUNT(*) AS n FROM runs WHERE event = 'schedule'").await;
        assert!(made >= i64::try_from(round).unwrap() * 2, "{made} in round {round}");
    }
    // Between the two services of a round a loop may come: what is due then runs with both, and is due no more.
    let twice = "SELECT COUNT(*) AS n FROM runs a JOIN runs b ON a.lead_id = b.lead_id AND a.service_id = b.service_id AND a.id <> b.id";
    assert_eq!(shop.count(twice).await, 0);
    let made = shop.count("SELECT COUNT(*) AS n FROM runs WHERE event = 'schedule'").await;
    stop.cancel();
    for other in others {
        other.await.unwrap();
    }
    proof("schedules", &format!("4 loops on one {kind}, 6 times due for 2 services built together and 4 schedules: {made} runs, 0 twice"));
    shop.app.berth.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_queued_once_however_many_look() {
    is_due_once(TestApp::new().await, "SQLite").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_due_is_queued_once_however_many_look_on_postgres() {
    is_due_once(TestApp::on_postgres().await, "PostgreSQL").await;
}

/// A service whose runs take something.
const TAKES: &str = "version: 1
services:
  hello:
    inputs:
      PLACE: { description: Where it goes., default: eu, options: [eu, us] }
      WHO: { required: true }
      MODE: {}
    stages:
      - name: fast
        steps:
          - { name: unit, image: shell, run: [\"make test\"], env: { MODE: of the step } }
          - { name: by-program, image: shell, run: [\"make\"], if: { event: [api] } }
";

#[tokio::test(flavor = "multi_thread")]
async fn a_run_takes_what_its_file_describes() {
    let harbour = harbour().await;
    let copy = write(&harbour, TAKES).await;
    copy.commit("First").await;
    push(&copy, "HEAD:main").await;
    let run = harbour.run_ended_within(SOON, 1).await;
    assert_eq!(
        (run.state, run.inputs),
        (RunState::Passed, BTreeMap::from([("PLACE".to_owned(), "eu".to_owned())])),
        "what nobody asked for"
    );
    let env = |run: u64| {
        let number = run.to_string();
        let tasks = harbour.fake.tasks();
        let env = tasks.iter().find(|task| task.env["BERTH_RUN"] == number && task.env["BERTH_STEP"] == "unit").unwrap().env.clone();
        ["PLACE", "WHO", "MODE", "BERTH_EVENT"].map(|name| env.get(name).cloned().unwrap_or_default())
    };
    assert_eq!(env(1), ["eu", "", "of the step", "push"]);

    // A program.
    let token = crate::git::token(&harbour, vec![Scope::Read, Scope::Deploy]).await;
    let base = harbour.berth.config.url.clone();
    let api = async |method: reqwest::Method, path: &str, body: serde_json::Value| {
        let url = format!("{base}/api/v1/teams/demo/services/hello/{path}");
        let answer = reqwest::Client::new().request(method, url).bearer_auth(&token).json(&body).send().await.unwrap();
        (answer.status().as_u16(), answer.json::<serde_json::Value>().await.unwrap_or_default())
    };
    let post = async |body: serde_json::Value| api(reqwest::Method::POST, "runs", body).await;
    for (inputs, code, field) in [
        (json!({}), "missing_input", "inputs.WHO"),
        (json!({"WHO": "ann", "PLACE": "moon"}), "invalid_input", "inputs.PLACE"),
        (json!({"WHO": "ann", "WHERE": "x"}), "unknown_input", "inputs.WHERE"),
    ] {
        let (status, answer) = post(json!({"inputs": inputs})).await;
        assert_eq!((status, answer["code"].as_str(), answer["field"].as_str()), (422, Some(code), Some(field)), "{answer}");
    }
    let (_, answer) = post(json!({"inputs": {"WHO": "ann", "WHERE": "x"}})).await;
    assert_eq!(answer["detail"], "A run of this branch takes no `WHERE`. It takes `MODE`, `PLACE`, `WHO`.");
    assert_eq!(runs(&harbour).await, 1, "nothing was begun");
    let (status, answer) = post(json!({"inputs": {"WHO": "a \"b\"\nc", "MODE": "of the run"}})).await;
    assert_eq!((status, &answer["event"]), (202, &json!("api")), "{answer}");
    let run = harbour.run_ended_within(SOON, 2).await;
    assert_eq!((run.event, run.stages[0].steps[1].state, run.inputs["WHO"].as_str()), (RunEvent::Api, RunState::Passed, "a \"b\"\nc"));
    assert_eq!(env(2), ["eu", "a \"b\"\nc", "of the step", "api"]);
    let (_, triggers) = api(reqwest::Method::GET, "triggers?branch=main", json!(null)).await;
    let names: Vec<_> = triggers["inputs"].as_array().unwrap().iter().map(|input| input["name"].as_str().unwrap()).collect();
    assert_eq!(names, ["MODE", "PLACE", "WHO"], "{triggers}");

    // A person at a terminal, and again.
    let person = Person::owner(&harbour).await;
    person.berth("runs start demo/hello --no-wait --input WHO=bob --input PLACE=us").await.fine().says(0, "Run 3 of main is queued.");
    let run = harbour.run_ended_within(SOON, 3).await;
    assert_eq!((run.event, run.stages[0].steps[1].state), (RunEvent::Manual, RunState::Skipped));
    person.berth("runs show 3 --service demo/hello").await.fine().says(0, "input WHO=bob").says(0, "begun by manual");
    person.berth("runs list demo/hello").await.fine().says(0, "(manual)").says(0, "(api)");
    person.berth("runs start demo/hello").await.says(1, "`WHO` must be given.");
    person.berth("runs start demo/hello --input WHO").await.says(2, "write NAME=VALUE");
    person.berth("service triggers demo/hello").await.fine().says(0, "Where it goes.").says(0, "eu, us");
    harbour.berth.backend.runs.retry(&harbour.owner, &team(), &service(), 3, RetryFrom::Start).await.unwrap();
    let again = harbour.run_ended_within(SOON, 4).await;
    assert_eq!((again.event, again.inputs, env(4)), (run.event, run.inputs, env(3)), "again is the same again");
    harbour.berth.stop().await;
    proof("inputs", "3 refused with a sentence, 3 runs given what they take: `api` for a program, `manual` for a person, the same again");
}

#[tokio::test(flavor = "multi_thread")]
async fn on_the_engine_steps_are_told_of_tag_and_inputs() {
    images::busybox_image().await;
    let harbour = Harbour::on_engine().await;
    let copy = Copy::new(&harbour).await;
    copy.write("Dockerfile", &images::serving("/", ""));
    copy.write(
        "berth.yaml",
        &format!(
            "version: 1
services:
  hello:
    on: {{ tag: [\"v*\"], schedule: [{{ cron: \"0 3 * * *\" }}] }}
    inputs: {{ WHO: {{ default: nobody }} }}
    stages:
      - name: fast
        steps:
          - {{ name: say, image: \"{BUSYBOX}\", network: none, run: ['echo $BERTH_EVENT of ${{BERTH_TAG:-no tag}} ${{BERTH_BRANCH:-no branch}} for \"$WHO\"'] }}
"
        ),
    );
    copy.commit("First").await;
    copy.good(&["tag", "-a", "-m", "One", "v1"]).await;
    push(&copy, "v1").await;
    let out = async |number: u64| {
        let run = harbour.run_ended_within(SOON, number).await;
        assert_eq!((run.state, run.failure.as_deref()), (RunState::Passed, None));
        let log = harbour.berth.backend.runs.log(&harbour.owner, &run.stages[0].steps[0].id, 1, 10).await.unwrap();
        log.lines.into_iter().filter(|line| line.kind == LineKind::Out).map(|line| line.text).collect::<Vec<_>>().join("\n")
    };
    assert_eq!(out(1).await, "tag of v1 no branch for nobody");
    push(&copy, "HEAD:main").await;
    assert_eq!(out(2).await, "push of no tag main for nobody");
    let inputs = BTreeMap::from([("WHO".to_owned(), "$(id) 'ann' *".to_owned())]);
    harbour.berth.backend.runs.start(&harbour.owner, &team(), &service(), StartRun { inputs, ..StartRun::default() }).await.unwrap();
    assert_eq!(out(3).await, "manual of no tag main for $(id) 'ann' *", "a value is never a command");
    let mut tx = harbour.berth.db.begin().await.unwrap();
    assert_eq!(tx.execute("UPDATE schedules SET due_at = 1000", args![]).await.unwrap(), 1);
    tx.commit().await.unwrap();
    harbour.berth.wake.duty(Duty::Schedules);
    assert_eq!(out(4).await, "schedule of no tag main for nobody");
    harbour.clear().await;
    proof("triggers on the engine", "a tag, a push, a person with an input and a schedule: 4 runs, each told what began it");
}
